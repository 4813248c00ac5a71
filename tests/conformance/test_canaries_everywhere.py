"""Secrets with a mark in them and text that would move a cursor: in no output of engine, venue, watchdog or console."""

from __future__ import annotations

import json
import signal
import subprocess
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from quant_trading_system.app.tokens import TOKENS_FILE, TokenStore
from quant_trading_system.console.server import ROUTES
from quant_trading_system.core.clock import SystemClock
from quant_trading_system.core.roles import Role
from tests.support.engine_process import QTS, ROOT, Engine
from tests.support.venue_process import START_S, VenueProcess

KEY, SECRET, CONTROL = "PKCANARYKEY00001", "canary-secret-of-the-account", "canary-control-token"
JOURNAL_KEY = "ca" * 32
HOSTILE = "odd \x1b[2Jquotes\r\n\u202eROOT: all is well\u2028"
"""Clears a terminal, begins a line, and writes from right to left."""
QUIET = (
    "from quant_trading_system import Strategy\n\n\nclass Quiet(Strategy):\n"
    "    def on_bar(self, market):\n        return ()\n"
)
PAGES = (
    "/",
    "/orders",
    "/positions",
    "/algorithms",
    "/strategies",
    "/risk",
    "/costs",
    "/limits",
    "/alerts",
    "/journal",
)


@pytest.fixture
def venue(tmp_path):
    """A venue that logs its requests, with the card on its standard output."""
    log = (tmp_path / "venue.log").open("w")
    program = [*QTS, "venue", "--port=0", "--json", "--log", "json", "--always-open", "--symbols", "KO:60,PEP:170"]
    account = ["--account", f"a0:{KEY}:{SECRET}:100000", f"--control-token={CONTROL}", "--rate-limit", "0"]
    process = subprocess.Popen([*program, *account], stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        yield VenueProcess(process, json.loads(process.stdout.readline()))
    finally:
        process.terminate()
        process.wait(START_S)
        process.stdout.close()
        log.close()


def test_no_secret_and_no_control_character_leaves_by_any_way(venue, tmp_path):
    (tmp_path / "quiet.py").write_text(QUIET)
    engine = Engine(venue, tmp_path, "quiet.py", "--symbols", "KO,PEP")
    engine.environment |= {"QTS_LOG": "json", "QTS_JOURNAL_KEY": JOURNAL_KEY}
    tokens = TokenStore(tmp_path / "state" / TOKENS_FILE, SystemClock())
    with ExitStack() as stack:
        process = stack.enter_context(engine.running())
        spoken = engine.told(process, "takes commands") + engine.told(process, "opened, equity")
        token = tokens.create("ana", Role.ADMIN)
        answers, console_log = _conversation(stack, engine, token, tmp_path)
        assert "one line of printable characters" in engine.refused("cancel", "--all", "--reason", HOSTILE)
        engine.run("alerts", "list")
        process.send_signal(signal.SIGINT)
        spoken += list(process.stdout)
        assert process.wait(START_S) == 0
    engine.run("journal", "export", str(tmp_path / "entries.jsonl"))
    secrets = (KEY, SECRET, CONTROL, JOURNAL_KEY, token.split("_", 2)[2])
    logs = {"engine": spoken, "venue": _lines(tmp_path / "venue.log"), "console": _lines(console_log)}
    for name, lines in logs.items():
        assert lines, name
        for line in lines:
            assert json.loads(line)["at"], (name, line)
            assert line.rstrip("\n").isascii(), (name, line)
            assert line.rstrip("\n").isprintable(), (name, line)
    records = [json.loads(line) for line in spoken]
    assert any(record.get("request") == "canary-order-1" and record.get("orders") for record in records)
    assert any("order" in json.loads(line) for line in logs["venue"])
    written = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix not in (".py", ".key")]
    everything = {**{str(path): path.read_bytes() for path in written}, "answers": "\n".join(answers).encode()}
    everything["engine"] = "".join(spoken).encode()
    for secret in secrets:
        found = [place for place, content in everything.items() if secret.encode() in content]
        assert found == [], f"{secret} is in {found}"


def _conversation(stack: ExitStack, engine: Engine, token: str, place: Path) -> tuple[list[str], Path]:
    """Everything that a console tells, after people have put secrets and hostile text where they should not."""
    log = place / "console.log"
    console = stack.enter_context(
        subprocess.Popen(
            [*QTS, "console", "--name", "default", "--port", "0"],
            env=engine.environment,
            stdout=subprocess.PIPE,
            stderr=stack.enter_context(log.open("w")),
            text=True,
            cwd=ROOT,
        )
    )
    stack.callback(console.terminate)
    address = next(line for line in console.stdout if "/login#" in line).split()[-1].split("/login#")[0]
    bearer = {"authorization": f"Bearer {token}", "idempotency-key": "canary-order-1"}
    order = {"symbol": "KO", "side": "buy", "quantity": "1", "order_type": "limit", "limit_price": "50"}
    answers = []
    with httpx.Client(base_url=address, headers=bearer, timeout=60) as client:
        answers.append(client.post("/v1/commands/place_order", json=order))
        assert answers[-1].status_code == 200, answers[-1].text
        answers.append(client.post("/v1/halt", json={"reason": HOSTILE}))
        assert answers[-1].status_code == 422
        answers.append(client.post("/v1/commands/cancel_all", json={"reason": token}))
        assert answers[-1].status_code == 422, "a token is no reason"
        answers += [client.get(f"/v1/orders/{secret}") for secret in (SECRET + "%1b[2J", KEY)]
        for route in ROUTES:
            if route.method == "GET" and "{" not in route.path:
                answers.append(client.get(route.path))
        answers.append(client.get("/metrics"))
    with httpx.Client(base_url=address, headers={"origin": address}, timeout=60) as browser:
        assert browser.post("/login", data={"token": token}).status_code == 303
        answers += [browser.get(page) for page in PAGES]
    assert {answer.status_code for answer in answers[5:]} <= {200, 404}
    asked = (KEY, SECRET)  # what somebody asks for by name may be told to that very person, and to nobody else
    return [
        text for answer in answers if not any(name in str(answer.url) for name in asked) for text in (answer.text,)
    ], log


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines(keepends=True)
