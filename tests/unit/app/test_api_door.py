"""The same commands over HTTP: what is sent, what every answer means, and where a token may not go."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web

from quant_trading_system.app.api_door import Api, ApiDoor, read_token
from quant_trading_system.core.command import Source
from quant_trading_system.core.commands import Outcome, PlaceOrder, Reconcile, Result
from quant_trading_system.core.events import HaltLevel
from quant_trading_system.core.exceptions import (
    ConfigurationError,
    EngineNotRunning,
    EngineSilent,
    InvalidCommand,
    NotAllowed,
)
from quant_trading_system.core.halt_scope import ACCOUNT, HaltScope
from quant_trading_system.core.orders import OrderSide

TICKET = PlaceOrder(symbol="KO", side=OrderSide.BUY, quantity=Decimal(10))


class Console:
    """Answers one request as a test says."""

    def __init__(self, status: int = 200, answer: Any = None, *, mute: bool = False) -> None:
        self.status, self.answer, self.mute = status, answer, mute
        self.seen: list[tuple[str, dict[str, str], Any]] = []

    def ask(self, command=TICKET, patience: float = 20) -> Outcome:
        return self.reach(
            lambda door: door.ask(command, key="my-intention", principal="nobody", source=Source.CLI), patience
        )

    def reach(self, act, patience: float = 20):
        """What comes of `act`, which is handed a door."""
        return asyncio.run(self._reach(act, patience))

    async def _reach(self, act, patience: float):
        self.over = asyncio.Event()
        app = web.Application()
        app.router.add_post("/{path:.*}", self._serve)
        runner = web.AppRunner(app, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            port = runner.addresses[0][1]
            door = ApiDoor(Api(f"http://127.0.0.1:{port}/", "a-token", timedelta(seconds=patience)))
            return await act(door)
        finally:
            self.over.set()
            await runner.cleanup()

    async def _serve(self, request: web.Request) -> web.Response:
        self.seen.append((request.path, dict(request.headers), await request.json()))
        if self.mute:
            await self.over.wait()
        return web.Response(status=self.status, body=json.dumps(self.answer).encode())


def test_a_command_is_a_route_its_fields_the_body_and_the_token_says_who_asks():
    console = Console(200, {"result": "done", "message": "sent", "order_id": "run-1-0"})
    answer = console.ask()
    assert answer == Outcome(result=Result.DONE, message="sent", order_id="run-1-0")
    ((path, headers, body),) = console.seen
    assert path == "/v1/commands/place_order"
    assert body == {"symbol": "KO", "side": "buy", "quantity": "10"}
    assert headers["Authorization"] == "Bearer a-token"
    assert headers["Idempotency-Key"] == "my-intention"
    assert headers["Content-Type"] == "application/json"


def test_a_refusal_of_the_engine_is_its_outcome():
    outcome = {"result": "refused", "message": "no", "rule": "max_position_pct", "limit": "0.10"}
    answer = Console(409, {"code": "max_position_pct", "message": "no", "hint": "x", "outcome": outcome}).ask()
    assert (answer.result, answer.rule, answer.limit) == (Result.REFUSED, "max_position_pct", Decimal("0.10"))


@pytest.mark.parametrize(
    ("status", "answer", "kind", "said"),
    [
        (401, {"code": "x", "message": "no token", "hint": "send one"}, NotAllowed, "no token; send one"),
        (403, {"code": "x", "message": "takes the role risk"}, NotAllowed, "takes the role risk"),
        (422, {"code": "x", "message": "unknown field"}, InvalidCommand, "unknown field"),
        (503, {"code": "x", "message": "no engine is running"}, EngineNotRunning, "no engine is running"),
        (504, {"code": "x", "message": "no answer"}, EngineSilent, "--key my-intention"),
        (200, "not an outcome", InvalidCommand, "no answer of a console"),
        (302, [], InvalidCommand, "answers 302"),
    ],
)  # fmt: skip
def test_every_other_answer_is_a_typed_error(status, answer, kind, said):
    with pytest.raises(kind, match=said):
        Console(status, answer).ask(Reconcile())


def test_no_answer_leaves_the_outcome_open():
    with pytest.raises(EngineSilent, match="repeat the command with --key my-intention"):
        Console(mute=True).ask(patience=0.2)


def test_where_nobody_listens_nothing_was_done():
    door = ApiDoor(Api("http://127.0.0.1:9", "a-token"))
    with pytest.raises(EngineNotRunning, match="`qts console` starts one"):
        asyncio.run(door.ask(TICKET, key="my-intention", principal="anna", source=Source.CLI))


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8765", "ftp://host", "https://", "https://user:secret@host", "https://h?a=b"]
)
def test_a_url_that_is_none_is_refused(url):
    with pytest.raises(ConfigurationError, match="give a URL such as"):
        Api(url, "a-token")


def test_a_token_never_travels_over_plain_http_to_another_host():
    with pytest.raises(ConfigurationError, match=r"ssh -L 8765:127\.0\.0\.1:8765 trader\.example"):
        Api("http://trader.example:8765", "a-token")
    Api("https://trader.example", "a-token")


def test_a_token_comes_from_the_environment_or_a_private_file(tmp_path):
    assert read_token(None, {"QTS_API_TOKEN": " a-token\n"}) == "a-token"
    path = tmp_path / "token"
    path.write_text("another-token\n")
    path.chmod(0o600)
    assert read_token(path, {}) == "another-token"
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        read_token(path, {})
    with pytest.raises(ConfigurationError, match="`qts token create` makes it"):
        read_token(None, {})
    with pytest.raises(ConfigurationError, match="needs a token"):
        read_token(None, {"QTS_API_TOKEN": "two words"})


# -- to stop


HALTED = {
    "scope": "the account", "level": "halted", "reason": "fire", "by": "ann (api)", "at": "2026-11-23T15:00:00+00:00",
    "activation": 3, "effect": "no order leaves", "approvals": [], "missing": "",
}  # fmt: skip


def stopped(console: Console, level=HaltLevel.HALTED, scope=ACCOUNT, *, whole_machine: bool = False):
    return console.reach(lambda door: door.stop(level, "fire", scope, whole_machine=whole_machine))


@pytest.mark.parametrize(
    ("given", "path", "body"),
    [
        ({}, "/v1/halt", {"reason": "fire", "level": "halted"}),
        ({"level": HaltLevel.REDUCING}, "/v1/halt", {"reason": "fire", "level": "reducing"}),
        ({"level": HaltLevel.FLATTENING}, "/v1/flatten", {"reason": "fire"}),
        ({"whole_machine": True}, "/v1/halt", {"reason": "fire", "level": "halted", "whole_machine": True}),
        (
            {"scope": HaltScope(symbol="KO", side=OrderSide.BUY)},
            "/v1/halt",
            {"reason": "fire", "level": "halted", "symbol": "KO", "side": "buy"},
        ),
    ],
)
def test_a_halt_goes_the_way_that_needs_no_engine(given, path, body):
    console = Console(200, HALTED)
    assert stopped(console, **given).activation == 3
    assert [(seen, told) for seen, _, told in console.seen] == [(path, body)]


def test_a_halt_that_is_refused_or_gets_no_answer_says_so():
    with pytest.raises(InvalidCommand, match="NOT stopped; end the engine"):
        stopped(Console(500, {"code": "halt_failed", "message": "NOT stopped", "hint": "end the engine"}))
    with pytest.raises(InvalidCommand, match="no answer of a console"):
        stopped(Console(200, {"hello": "world"}))
    with pytest.raises(EngineSilent, match="halt again, or on that machine itself"):
        Console(mute=True).reach(lambda door: door.stop(HaltLevel.HALTED, "fire", ACCOUNT), patience=0.2)
