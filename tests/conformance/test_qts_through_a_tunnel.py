"""`qts --api` against a real console and a real engine, through a TCP forward that stands for `ssh -L`."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from typer.testing import CliRunner

from quant_trading_system.app.tokens import TOKENS_FILE, TokenStore
from quant_trading_system.cli.main import app
from quant_trading_system.core.clock import SystemClock
from quant_trading_system.core.exceptions import TradingError
from quant_trading_system.core.roles import Role
from tests.support.engine_process import QTS, ROOT, Engine
from tests.support.venue_process import REPLY_S, running_venue

QUIET = (
    "from quant_trading_system import Strategy\n\n\nclass Quiet(Strategy):\n"
    "    def on_bar(self, market):\n        return ()\n"
)


class Tunnel(Thread):
    """Carries bytes from a free port of this machine to another one; `port` once it listens."""

    def __init__(self, target: int) -> None:
        super().__init__(daemon=True)
        self.port = 0
        self._target = target
        self._listens = Event()
        self._carried: set[asyncio.Task[None]] = set()
        self.start()
        assert self._listens.wait(REPLY_S)

    def run(self) -> None:
        asyncio.run(self._carry())

    async def _carry(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._listens.set()
        await self._over.wait()
        server.close()
        carried = list(self._carried)
        for connection in carried:
            connection.cancel()
        await asyncio.gather(*carried, return_exceptions=True)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection is not None
        self._carried.add(connection)
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        try:
            await asyncio.gather(self._pump(reader, back), self._pump(there, writer))
        finally:
            for end in (writer, back):
                end.close()
                with suppress(OSError):
                    await end.wait_closed()
            self._carried.discard(connection)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self.join(REPLY_S)


@contextmanager
def console_of(engine: Engine) -> Iterator[int]:
    """`qts console` of that account; the port at which it listens."""
    program = [*QTS, "console", "--name", "default", "--port", "0"]
    with subprocess.Popen(
        program, env=engine.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT
    ) as console:
        try:
            assert console.stdout is not None
            line = next(line for line in console.stdout if "/login#" in line)
            yield int(line.split("/login#")[0].rpartition(":")[2])
        finally:
            console.terminate()


class Elsewhere:
    """A terminal on another host: it has a token and the near end of the tunnel, and none of the account's files."""

    def __init__(self, place: Path, port: int, token: str) -> None:
        self.environment: dict[str, str | None] = {
            **{name: None for name in os.environ if name.startswith(("APCA_", "QTS_"))},
            "QTS_STATE_DIR": str(place / "elsewhere"),
            "QTS_API_URL": f"http://127.0.0.1:{port}",
            "QTS_API_TOKEN": token,
        }

    def qts(self, *arguments: str, allowed: int = 0) -> str:
        done = CliRunner().invoke(app, list(arguments), env=self.environment)
        said = str(done.exception) if isinstance(done.exception, TradingError) else done.output
        assert done.exit_code == allowed, (arguments, done.exit_code, said, done.exception)
        return said

    def ask(self, *arguments: str, allowed: int = 0) -> Any:
        return json.loads(self.qts(*arguments, "--json", allowed=allowed))


@pytest.fixture(scope="module")
def floor(tmp_path_factory) -> Iterator[tuple[Engine, Tunnel, TokenStore]]:
    place = tmp_path_factory.mktemp("tunnel")
    (place / "quiet.py").write_text(QUIET)
    with ExitStack() as stack:
        venue = stack.enter_context(
            running_venue("--always-open", "--symbols", "KO:60,PEP:170", "--rate-limit", "0", accounts=1)
        )
        engine = Engine(venue, place, "quiet.py", "--symbols", "KO,PEP")
        process = stack.enter_context(engine.running())
        engine.told(process, "takes commands")
        engine.told(process, "opened, equity")
        tunnel = Tunnel(stack.enter_context(console_of(engine)))
        stack.callback(tunnel.end)
        yield engine, tunnel, TokenStore(place / "state" / TOKENS_FILE, SystemClock())


def test_everything_that_the_console_does_is_done_from_another_host(floor, tmp_path):
    _, tunnel, store = floor
    here = Elsewhere(tmp_path, tunnel.port, store.create("ana", Role.ADMIN))
    bought = here.ask("order", "buy", "KO", "10", "--yes")
    assert (bought["result"], bought["status"]) == ("done", "filled")
    assert here.ask("order", "buy", "KO", "5000", "--dry-run", allowed=1)["rule"] == "max_position_pct"
    resting = here.ask("order", "buy", "KO", "5", "--limit", "55", "--yes")["order_id"]
    moved = here.ask("replace", resting, "--limit", "54.50")["order_id"]
    assert {row["order_id"] for row in here.ask("orders")} >= {bought["order_id"], moved}
    assert here.ask("explain", moved)["status"] == "working"
    assert here.ask("cancel", moved)["status"] == "canceled"
    (held,) = here.ask("positions")["positions"]
    assert (held["symbol"], held["quantity"]) == ("KO", "10")
    parent = here.ask("algo", "start", "PEP", "buy", "20", "--use", "twap", "--minutes", "30", "--yes")["parent_id"]
    assert here.ask("algo", "pause", parent)["status"] == "paused"
    assert here.ask("algo", "status")[0]["parent_id"] == parent == here.ask("explain", parent)["parent_id"]
    assert here.ask("algo", "cancel", parent)["result"] == "done"
    assert here.ask("reconcile", "--now")["status"] == "agree"
    assert here.ask("strategy", "disarm", "Quiet", "--reason", "a try")["status"] == "disarmed"
    assert here.ask("strategy", "list")[0]["state"] == "disarmed"
    assert here.ask("strategy", "arm", "Quiet")["status"] == "armed"
    assert {"fill", "operator_acted"} <= {row["kind"] for row in here.ask("journal", "list", "--last", "200")}
    assert here.ask("journal", "verify")["is_sound"]
    assert here.ask("risk")["now"]["limits"]
    assert here.ask("report", "tca")["quality"]["orders"] >= 3
    assert here.ask("overview")["holdings"]["positions"][0]["symbol"] == "KO"
    assert bought["order_id"] in {row["order_id"] for row in here.ask("orders", "--group", "filled")}
    assert here.ask("orders", "--strategy", "nobody") == []
    assert here.ask("alerts", "list") == here.ask("alerts", "list", "--all") == []
    assert here.ask("status")["level"] == "running"
    assert not (tmp_path / "elsewhere").exists(), "nothing was read or written here"


def test_limits_are_proposed_and_approved_from_another_host(floor, tmp_path):
    _, tunnel, store = floor
    ana = Elsewhere(tmp_path, tunnel.port, store.create("ana.limits", Role.RISK))
    ben = Elsewhere(tmp_path, tunnel.port, store.create("ben.limits", Role.RISK))
    tighter = ana.ask("limits", "propose", "max_order_notional=900000", "--why", "earnings")
    assert "in force now" in tighter["message"]
    assert ana.ask("limits", "propose", "max_order_notional=950000", "--why", "over")["result"] == "pending"
    (waits,) = ben.ask("approvals", "list")
    assert "950000" in waits["text"]
    assert "is approved" in ben.ask("approvals", "approve", waits["approval"])["message"]
    shown = {line["key"]: line["in_force"] for line in ana.ask("limits", "show")["limits"]}
    assert shown["orders.max_order_notional"] == "950000"
    assert ana.ask("limits", "history")[-1]["by"]
    assert ana.qts("limits", "diff", "--version", "1").startswith("only after approval")


def test_halt_flatten_and_resume_work_from_another_host(floor, tmp_path):
    _, tunnel, store = floor
    here = Elsewhere(tmp_path, tunnel.port, store.create("ana.halt", Role.RISK))
    there = ("--api", f"http://127.0.0.1:{tunnel.port}")  # no variable turns a halt away from this machine
    assert "symbol PEP: odd quotes" in here.qts("halt", *there, "--reason", "odd quotes", "--symbol", "PEP")
    assert "odd quotes" in here.qts("status", allowed=3)
    assert here.ask("status", allowed=3)["scopes"][0]["scope"] == "symbol PEP"
    here.qts("resume", *there, "--symbol", "PEP", "--authorized-by", "x", "--reason", "quotes are well")
    told = here.ask("flatten", *there, "--reason", "the end", "--yes", "--wait", "60")
    assert told["held"] == []
    assert here.ask("positions")["positions"] == []
    status = here.ask("status", allowed=3)
    assert (status["level"], status["by"]) == ("flattening", "ana.halt (api)")
    assert "running" in here.qts("resume", *there, "--authorized-by", "x", "--reason", "flat")
    here.qts("status")


def test_what_a_token_may_not_do_is_said_and_not_done(floor, tmp_path):
    _, tunnel, store = floor
    here = Elsewhere(tmp_path, tunnel.port, store.create("eve", Role.VIEWER))
    there = ("--api", f"http://127.0.0.1:{tunnel.port}")
    assert "eve is viewer, and this takes trader" in here.qts("halt", *there, "--reason", "x", allowed=1)
    assert "eve is viewer" in here.qts("order", "buy", "KO", "1", "--yes", allowed=1)
    assert "--latch names a file of this machine" in here.qts("status", "--latch", "x", allowed=1)
    here.environment["QTS_API_TOKEN"] = "qts_00000000_" + "x" * 43
    assert "no valid token" in here.qts("orders", allowed=1)


def test_the_name_of_the_host_is_checked_at_the_far_end_of_a_tunnel(floor):
    """The near end is 127.0.0.1 with another port, which is known; a name of a stranger's is not."""
    _, tunnel, store = floor
    token = store.create("hosts", Role.VIEWER)
    for host, expected in ((f"127.0.0.1:{tunnel.port}", 200), (f"localhost:{tunnel.port}", 200), ("evil.example", 400)):
        request = Request(f"http://127.0.0.1:{tunnel.port}/v1/me")
        request.add_header("Authorization", f"Bearer {token}")
        request.add_header("Host", host)
        try:
            with urlopen(request, timeout=REPLY_S) as answer:
                status = answer.status
        except HTTPError as error:
            status = error.code
        assert status == expected, host
