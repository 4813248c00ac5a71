"""Secrets with a mark in them: wherever the server speaks or writes, the mark must not appear."""

from __future__ import annotations

import io
import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from quant_trading_system.app.logs import Secrets, log_to
from quant_trading_system.console.server import ROUTES
from quant_trading_system.core.roles import Role
from tests.support.console_desk import URL
from tests.support.demo_journal import Scribe

ROOT = Path(__file__).resolve().parents[3]
KEYS = {
    "APCA_API_KEY_ID": "PKCANARY00000001",
    "APCA_API_SECRET_KEY": "canary-secret-0000001",
    "QTS_JOURNAL_KEY": "ca" * 32,
}


@pytest.fixture
def log():
    """All that is logged, of every library and of every level."""
    from quant_trading_system.core.clock import SystemClock

    stream = io.StringIO()
    handler = log_to(stream, SystemClock(), Secrets(KEYS), level=logging.DEBUG)
    yield stream
    logging.getLogger().removeHandler(handler)
    logging.getLogger().setLevel(logging.WARNING)


def conversation(office, secret):
    """Every route, asked rightly and wrongly, with the secret in every place where a careless person could put it."""
    client = office.client
    for role in Role:
        for route in ROUTES:
            path = route.path.replace("{order_id}", "nobody").replace("{parent_id}", "nobody")
            yield client.request(
                route.method, path, headers=office.headers(role, **{"idempotency-key": "canary-key-1"})
            )
            yield client.request(route.method, path, headers={"authorization": f"Bearer {secret}x"})
    headers = office.headers(Role.ADMIN, **{"idempotency-key": "canary-key-2"})
    yield client.get(f"/v1/orders/{secret}", headers=headers)
    yield client.get("/v1/orders", params={"text": secret, secret: "x"}, headers=headers)
    yield client.get(f"/{secret}", headers=headers)
    for body in ({"reason": secret}, {secret: "x"}, {"reason": "x", "level": secret}, secret):
        yield client.post("/v1/halt", json=body, headers=headers)
        yield client.post("/v1/commands/flatten", json=body, headers=headers)
    yield client.post("/v1/halt", content=f"{{{secret}", headers={**headers, "content-type": "application/json"})
    yield client.post("/login", data={"token": secret + "x"}, headers={"origin": URL})
    yield client.post("/login", data={"token": secret}, headers={"origin": URL})
    yield client.get("/login")
    yield client.get("/v1/me", headers={"authorization": f"Bearer {secret}", "host": secret})
    yield client.get("/v1/me", headers={**headers, "x-request-id": secret, "origin": f"http://{secret}"})


def test_a_token_is_nowhere_but_with_its_owner(fresh, log):
    Scribe(fresh.directory).close()
    answers = list(conversation(fresh, fresh.tokens[Role.ADMIN]))
    assert len(answers) > 200
    spoken = "\n".join([answer.text + str(answer.headers) for answer in answers] + [log.getvalue()])
    written = b"\n".join(path.read_bytes() for path in fresh.place.rglob("*") if path.is_file())
    for token in fresh.tokens.values():
        secret = token.split("_", 2)[2]
        assert secret not in spoken
        assert secret.encode() not in written
    for line in log.getvalue().splitlines():
        assert json.loads(line)["at"]


def test_sessions_and_login_codes_are_kept_as_digests_only(fresh, log):
    code = fresh.desk.sessions.offer_login("me", Role.ADMIN)
    answer = fresh.client.post("/login", data={"token": code}, headers={"origin": URL})
    cookie = answer.cookies[fresh.desk.sessions.cookie]
    fresh.client.get("/v1/me")
    kept = repr(vars(fresh.desk.sessions)) + log.getvalue()
    assert code not in kept
    assert cookie not in kept


def test_a_real_server_logs_one_line_a_request_and_no_key(tmp_path):
    """`qts console` in a process of its own: one-time login, kill route, and an end in good order."""
    (tmp_path / "default").mkdir(mode=0o700)
    environment = {**os.environ, **KEYS, "QTS_STATE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "quant_trading_system.cli.main", "console", "--name", "default", "--port", "0"]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        told = [process.stdout.readline() for _ in range(2)]
        address, _, code = told[1].split()[-1].partition("/login#")
        with httpx.Client(base_url=address, headers={"origin": address}) as client:
            assert client.get("/v1/me").status_code == 401
            assert client.post("/login", data={"token": code}).status_code == 303
            assert client.get("/v1/me").json()["role"] == "admin"
            assert client.post("/v1/halt", json={"reason": f"{KEYS['APCA_API_KEY_ID']} leaks"}).status_code == 200
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
        process.stdout.close()
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    requests = [line for line in lines if line["message"] == "request"]
    assert [line["status"] for line in requests] == [401, 303, 200, 200]
    assert len({line["request"] for line in requests}) == 4
    for secret in (*KEYS.values(), code):
        assert secret not in (tmp_path / "log").read_text()
