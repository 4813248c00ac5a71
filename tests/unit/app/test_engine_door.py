"""The door of a running engine: who may knock, what is understood, and what a dead engine leaves behind."""

from __future__ import annotations

import asyncio
import json
import socket
import stat
from contextlib import AsyncExitStack
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from aiohttp import ClientSession, UnixConnector

from quant_trading_system.app.account_files import DOOR_FILE
from quant_trading_system.app.door import EngineDoor
from quant_trading_system.app.door_socket import place_of
from quant_trading_system.app.engine_door import open_door
from quant_trading_system.core.command import Source
from quant_trading_system.core.commands import MAX_REQUEST_BYTES, Cancel, Check, Halt, PlaceOrder, Reconcile, Result
from quant_trading_system.core.exceptions import ConfigurationError, EngineNotRunning, EngineSilent, InvalidCommand
from quant_trading_system.core.orders import OrderSide, OrderType
from tests.support.operator import Operator, fresh_key

RESTING = PlaceOrder(
    symbol="KO", side=OrderSide.BUY, quantity=Decimal(10), order_type=OrderType.LIMIT, limit_price=Decimal("99.50")
)


class House:
    """An engine with its door open, in a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.operator = Operator()
        self.told: list[str] = []
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> House:
        await self._stack.enter_async_context(open_door(self.directory, self.operator.operations, self.told.append))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def ask(self, command, key: str = "", patience: float = 30):
        door = EngineDoor(self.directory, timedelta(seconds=patience))
        return await door.ask(command, key=key or fresh_key(), principal="anna", source=Source.CLI)

    async def post(self, body: bytes, path: str = "/commands", method: str = "POST") -> tuple[int, str]:
        connector = UnixConnector(path=str(place_of(self.directory / DOOR_FILE)))
        async with (
            ClientSession(connector=connector) as session,
            session.request(method, f"http://engine{path}", data=body) as answer,
        ):
            return answer.status, await answer.text()


def in_house(directory: Path, story) -> House:
    async def run() -> House:
        async with House(directory) as house:
            await story(house)
        return house

    return asyncio.run(run())


def test_a_command_is_carried_out_and_answered(tmp_path):
    async def story(house):
        answer = await house.ask(RESTING)
        assert (answer.result, answer.status) == (Result.DONE, "working")
        would = await house.ask(Check(symbol="KO", side=OrderSide.BUY, quantity=Decimal(101)))
        assert (would.result, would.limit) == (Result.REFUSED, Decimal(10_000))
        assert would.decision.refused_by == "max_position_pct"

    house = in_house(tmp_path, story)
    assert house.told[1] == "anna (cli): place_order"
    assert house.told[2].startswith("place_order: done: ")


def test_only_the_owner_may_knock_and_nothing_is_left_behind(tmp_path):
    async def story(house):
        found = (tmp_path / DOOR_FILE).stat()
        assert stat.S_ISSOCK(found.st_mode)
        assert stat.S_IMODE(found.st_mode) == 0o600

    in_house(tmp_path, story)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_others_may_write_to_gets_no_door(tmp_path):
    tmp_path.chmod(0o777)
    with pytest.raises(ConfigurationError, match="chmod 700"):
        in_house(tmp_path, None)


def test_a_path_that_is_too_long_for_a_socket_becomes_a_link(tmp_path):
    deep = tmp_path / ("a" * 60) / ("b" * 60)
    deep.mkdir(parents=True)
    places = []

    async def story(house):
        places.append(place_of(deep / DOOR_FILE))
        assert (deep / DOOR_FILE).is_symlink()
        assert (await house.ask(RESTING)).result is Result.DONE

    in_house(deep, story)
    assert list(deep.iterdir()) == []
    assert not places[0].parent.exists()
    (deep / DOOR_FILE).symlink_to(tmp_path / "gone" / DOOR_FILE)  # a dead engine, and a cleaned /tmp
    in_house(deep, story)


def test_the_socket_of_a_dead_engine_is_replaced(tmp_path):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / DOOR_FILE))

    async def story(house):
        assert (await house.ask(RESTING)).result is Result.DONE

    in_house(tmp_path, story)


def test_the_socket_of_a_living_engine_is_never_replaced(tmp_path):
    async def story(house):
        with pytest.raises(ConfigurationError, match="another engine answers"):
            async with House(tmp_path):
                pass
        assert (await house.ask(RESTING)).result is Result.DONE

    in_house(tmp_path, story)


def test_a_file_in_its_place_is_left_alone(tmp_path):
    (tmp_path / DOOR_FILE).write_text("mine")
    with pytest.raises(ConfigurationError, match="no socket of an engine; move it away"):
        in_house(tmp_path, None)
    assert (tmp_path / DOOR_FILE).read_text() == "mine"


@pytest.mark.parametrize("leave", ["nothing", "a dead socket"])
def test_without_an_engine_the_error_says_what_to_do(tmp_path, leave):
    if leave == "a dead socket":
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(tmp_path / DOOR_FILE))
    house = House(tmp_path)
    with pytest.raises(EngineNotRunning, match="no engine is running for account") as error:
        asyncio.run(house.ask(RESTING))
    assert "`qts halt` works without one" in str(error.value)


def test_an_engine_that_gives_no_answer_leaves_the_outcome_open(tmp_path):
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(tmp_path / DOOR_FILE))
        mute.listen()
        with pytest.raises(EngineSilent, match="repeat the command with --key my-intention, which acts once"):
            asyncio.run(House(tmp_path).ask(RESTING, "my-intention", patience=0.2))


def test_hostile_requests_are_refused_and_the_door_stays_open(tmp_path):
    huge = json.dumps({"key": "x" * MAX_REQUEST_BYTES}).encode()
    good = {"key": "a-good-key", "principal": "anna", "source": "cli"}
    ticket = {"command": "place_order", "symbol": "KO", "side": "buy"}
    cases = [
        (b"", 400),
        (b"\x00\xff{", 400),
        (b"[" * 20_000, 400),
        (b"null", 400),
        (huge, 413),
        (json.dumps({**good, "command": {"command": "explode"}}).encode(), 400),
        (json.dumps({**good, "command": {"command": "reconcile", "more": 1}}).encode(), 400),
        (json.dumps({**good, "more": 1, "command": {"command": "reconcile"}}).encode(), 400),
        (json.dumps({**good, "command": {**ticket, "quantity": 1.5}}).encode(), 400),
        (json.dumps({**good, "command": {**ticket, "quantity": "NaN"}}).encode(), 400),
        (json.dumps({**good, "principal": "a\nb", "command": {**ticket, "quantity": "1"}}).encode(), 400),
    ]

    async def story(house):
        for body, status in cases:
            assert (await house.post(body))[0] == status, body[:80]
        assert (await house.post(b"{}", path="/"))[0] == 404
        assert (await house.post(b"", method="GET"))[0] == 405
        _, text = await house.post(cases[8][0])
        assert '1.5 is a float; write numbers with decimals as text, such as "1.5"' in json.loads(text)["error"]
        assert (await house.ask(RESTING)).result is Result.DONE

    house = in_house(tmp_path, story)
    assert len(house.operator.account.broker.placed) == 1
    assert len(house.told) == 3, "what is not understood is not repeated to people"


def test_what_the_engine_does_not_understand_is_an_error_of_the_caller(tmp_path):
    class Newer(Reconcile, frozen=True, kw_only=True, tag="reconcile"):
        depth: int = 3

    async def story(house):
        with pytest.raises(InvalidCommand, match="unknown field `depth`"):
            await house.ask(Newer(depth=4))

    in_house(tmp_path, story)


def test_a_turn_is_not_held_up_by_a_command_that_waits(tmp_path):
    async def story(house):
        operator = house.operator
        placed = await house.ask(RESTING)
        waiting = asyncio.ensure_future(house.ask(Cancel(order_id=placed.order_id)))
        while not operator.account.broker.cancels:
            await asyncio.sleep(0)
        await operator.account.system.engine.on_step()
        assert not waiting.done()
        assert (await house.ask(RESTING)).result is not Result.FAILED, "others are served meanwhile"
        operator.account.broker.cancelled(placed.order_id)
        assert (await waiting).status == "canceled"

    in_house(tmp_path, story)


def test_closing_the_door_gives_up_what_waits(tmp_path):
    async def run() -> None:
        async with House(tmp_path) as house:
            await house.ask(RESTING)
            waiting = asyncio.ensure_future(house.ask(Halt(reason="x")))
            while not house.operator.account.kill_switch.is_active():
                await asyncio.sleep(0)
        with pytest.raises((EngineSilent, InvalidCommand)):
            await waiting

    asyncio.run(run())
