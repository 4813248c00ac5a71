"""A parent order over real HTTP and WebSocket, from the command to its last share, with a death in the middle.

The account is that of `qts trade`, the venue a process of its own; only time is moved by the test, so half an hour
passes in seconds and the engine is woken at its slices, not by a timer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import aiohttp
import pytest

from quant_trading_system.app.door import EngineDoor
from quant_trading_system.app.live_parts import LiveSetup
from quant_trading_system.app.venue_process import SteppedVenue, stepped_venue
from quant_trading_system.app.wire_run import WireRun, open_run
from quant_trading_system.config.loader import default_limits
from quant_trading_system.core.commands import Outcome, Result, Source, StartParent
from quant_trading_system.core.instruments import Instrument, Universe
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.core.parent_events import ParentEvent
from quant_trading_system.execution.algo.parent import ParentState, ParentStatus
from quant_trading_system.execution.algo.walker import AfterCrash
from quant_trading_system.execution.credentials import TradingMode
from quant_trading_system.journal.keys import journal_key
from quant_trading_system.journal.replay import replay
from quant_trading_system.journal.sqlite_reader import JournalReader
from quant_trading_system.journal.sqlite_store import SqliteJournal
from quant_trading_system.research.backtest import Progress
from quant_trading_system.trading.planning import ExecutionPolicy
from quant_trading_system.trading.strategy import Strategy

D = Decimal
MINUTE = timedelta(minutes=1)
QUANTITY = D(100)
MARKET = ("--source", "random", "--symbols", "KO:60", "--from", "2024-01-09", "--steps", "66")
ACCOUNT = ("--account", f"a:PKPARENT:{'0' * 40}:100000")


class Quiet(Strategy):
    """Wants nothing."""

    def on_bar(self, market):
        return ()


class Death(Exception):
    """The engine ends here, without a word."""


class Lives:
    """One account on one venue, in as many lives of its engine as it takes."""

    def __init__(self, venue: SteppedVenue, directory: Path, policy: AfterCrash) -> None:
        self.venue = venue
        self.directory = directory
        self.policy = ExecutionPolicy(after_crash=policy)
        self.told: list[str] = []
        self.parent_id = ""

    async def live(self, watch: Callable[[WireRun, Progress], object]) -> WireRun:
        """One life, until `watch` ends it."""
        setup = LiveSetup(
            access=self.venue.card.access, mode=TradingMode.LOCAL, directory=self.directory, strategies=[Quiet()],
            universe=Universe([Instrument(symbol="KO", sector="Staples")]), limits=default_limits(),
            policy=self.policy, lookback=timedelta(days=5), keep_finished=True,
        )  # fmt: skip
        async with AsyncExitStack() as stack:
            run = await open_run(setup, self.venue, stack, self.told.append, _journal)
            try:
                await run.run(run.clock.now().date(), lambda progress: watch(run, progress))
            except Death:
                return run
        raise AssertionError("the day ended before the test did")

    async def order(self) -> Outcome:
        """As `qts algo start KO buy 100 --use twap --minutes 30` does, at the door of the running engine."""
        command = StartParent(symbol="KO", side=OrderSide.BUY, quantity=QUANTITY, algorithm="twap", minutes=30)
        door = EngineDoor(self.directory)
        return await door.ask(command, key="a-parent-1", principal="anna", source=Source.CLI)

    async def begin_and_die(self, filled: int) -> WireRun:
        """A life that ends when so many shares have filled and a slice is out."""

        async def watch(run: WireRun, _: Progress) -> None:
            if not self.parent_id:
                answer = await self.order()
                assert answer.result is Result.DONE, answer
                self.parent_id = answer.parent_id
            state = self.state(run)
            if state is not None and state.filled >= filled and state.open_children:
                raise Death

        return await self.live(watch)

    async def live_on(self) -> tuple[WireRun, list[datetime]]:
        """The next life, until the parent has ended; and when it looked around."""
        looks: list[datetime] = []

        def watch(run: WireRun, progress: Progress) -> None:
            looks.append(progress.at)
            if not run.account.system.desk.is_open(self.parent_id):
                raise Death

        return await self.live(watch), looks

    def state(self, run: WireRun) -> ParentState | None:
        return run.account.system.desk.state_of(self.parent_id)

    def steps(self) -> list[ParentEvent]:
        """Every step of the parent that is on record."""
        path = self.directory / "journal.db"
        with JournalReader(path, journal_key(path)) as reader:
            assert replay(reader).agrees
            return [entry.event for entry in reader.entries(kinds=("parent",))]

    async def at_the_venue(self, path: str) -> list[dict[str, str]]:
        """What the venue itself knows, past the engine."""
        card = self.venue.card
        headers = {"APCA-API-KEY-ID": card.key_id, "APCA-API-SECRET-KEY": card.secret_key}
        async with aiohttp.ClientSession(headers=headers) as session, session.get(card.trading_url + path) as answer:
            return await answer.json()


def _journal(directory: Path) -> SqliteJournal:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return SqliteJournal(directory / "journal.db", journal_key(directory / "journal.db"))


@pytest.mark.parametrize("policy", list(AfterCrash))
def test_a_parent_over_the_wire_outlives_its_engine_as_the_policy_says(policy, tmp_path):
    async def story():
        async with stepped_venue((*MARKET, *ACCOUNT)) as venue:
            lives = Lives(venue, tmp_path / "account", policy)
            first = await lives.begin_and_die(20)
            second, looks = await lives.live_on()
            orders = await lives.at_the_venue("/v2/orders?status=all&limit=500")
            return lives, first, second, looks, orders, await lives.at_the_venue("/v2/positions")

    lives, first, second, looks, orders, positions = asyncio.run(story())
    before, after = lives.state(first), lives.state(second)
    assert before is not None
    assert after is not None
    assert before.outstanding > 0, "a slice was out when the engine died"
    bought = sum(D(position["qty"]) for position in positions)
    assert bought == sum(D(order["filled_qty"]) for order in orders) == after.filled
    assert {order["status"] for order in orders} <= {"filled", "canceled"}, "nothing is left out"
    assert first.account.system.ports.at_once == 1, "where time is stepped, orders arrive in one order"
    steps = lives.steps()
    assert all(step.filled + step.outstanding <= QUANTITY for step in steps)
    assert steps[-1].status == after.status
    if policy is AfterCrash.CANCEL:
        assert (after.status, after.filled) == (ParentStatus.CANCELLED, before.filled)
        return
    assert (after.status, after.filled) == (ParentStatus.COMPLETED, QUANTITY)
    assert after.schedule is not None
    starts = {piece.start for piece in after.schedule.slices if piece.start > looks[0]}
    assert starts <= set(looks), "woken at every slice"
    assert any(start.minute % 6 for start in starts), "between two prices, too"
