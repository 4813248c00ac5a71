"""Bracket, OTO and OCO orders of our own engine at the venue, over real HTTP and WebSocket, with a restart between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack

import pytest

from quant_trading_system.app.reconciling import Reconciliation
from quant_trading_system.app.surroundings import connect
from quant_trading_system.config.loader import default_limits
from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.events import OrderEvent, RunStarted
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.core.orders import Order
from quant_trading_system.execution.alpaca_broker import AlpacaBroker
from quant_trading_system.execution.alpaca_statement import AlpacaStatements
from quant_trading_system.execution.credentials import Access, Credentials, Endpoints
from quant_trading_system.execution.notices import Notice, NoticeKind
from quant_trading_system.execution.order_manager import Placed
from quant_trading_system.journal.replay import replay
from quant_trading_system.journal.store import MemoryJournal
from quant_trading_system.risk.latch import MemoryLatch
from quant_trading_system.risk.position_sizer import EqualWeight
from quant_trading_system.trading.ports import Ports
from quant_trading_system.trading.system import Past, assemble
from tests.support.groups import LEADER, LOSS, PROFIT, bracket, oco, oto, stop_loss, take_profit
from tests.support.market import UNIVERSE, FixedCorrelations, HandBoard
from tests.support.orders import buy
from tests.support.venue_front import ALICE, OPEN, VenueFront, monday, run, venue_front

S = OrderStatus
STARTED = RunStarted(
    at=OPEN, run="run", mode="test", strategies=(), seed=0, version="0", limits={}, limits_version="", universe=()
)
HARMLESS = {NoticeKind.STREAM_UP, NoticeKind.STREAM_DOWN}


class Engine:
    """Our side of the wire: one journal, and one process after the other."""

    def __init__(self, front: VenueFront) -> None:
        self.front = front
        self.journal = MemoryJournal()
        self.clock = ManualClock(front.clock.now())
        self.notices: list[Notice] = []
        self.lines: list[str] = []

    async def begin(self) -> None:
        """A process takes the account up, up to where a strategy could speak."""
        past = Past(replay(self.journal).projection, self.journal) if self.journal.head[0] else None
        self.journal.append(STARTED)
        self._stack = AsyncExitStack()
        url = str(self.front.client.make_url("")).rstrip("/")
        access = Access(Credentials(ALICE.key_id, ALICE.secret_key), Endpoints.derived(url))
        lines = await connect(access, "iex", self.clock, self._stack, self.notices.append)
        broker = self.broker = AlpacaBroker(lines.client, lines.sockets, access, self.clock, self.notices.append)
        self.board = HandBoard(self.clock)
        ports = Ports(
            clock=self.clock,
            market_clock=self.clock,
            calendar=monday().calendar,
            quotes=self.board,
            broker=broker,
            journal=self.journal,
            latch=MemoryLatch(),
            correlations=FixedCorrelations(),
        )
        self.system = assemble(
            ports,
            run="run",
            cash=ALICE.cash,
            limits=default_limits(),
            universe=UNIVERSE,
            sizer=EqualWeight(),
            past=past,
        )
        self.system.orders.lives.watch.on_notice(self.notices.append)
        self._task = asyncio.ensure_future(broker.run())
        await self.until(lambda: broker.session.is_up)
        statements = self.statements = AlpacaStatements(lines.client, broker.names)
        books = None if past is None else past.books
        reconciliation = Reconciliation(self.system, statements, books, self.notices.append, self.lines.append)
        self.reconciliation = reconciliation
        await reconciliation.start("")
        self.system.monitor.open_day()

    async def die(self) -> None:
        """The process ends without a word."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._stack.aclose()

    async def submit(self, order: Order) -> None:
        self.board.put("KO", "64.99", "65.01")
        answer = await self.system.orders.submit(order)
        assert isinstance(answer, Placed), answer
        self.front.host.settle()

    async def market(self, dollars: int) -> None:
        """KO trades there from now on."""
        self.front.hold("KO", dollars * 1_000_000)
        self.front.pass_time(seconds=1)
        self.clock.move_to(self.front.clock.now())

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let sockets and tasks have their turns until it is so."""
        async with asyncio.timeout(30):
            while not condition():
                await asyncio.sleep(0)

    async def until_they_are(self, **expected: OrderStatus) -> None:
        wanted = dict(zip((LEADER, PROFIT, LOSS), expected.values(), strict=False))
        names = {name: status for name, status in wanted.items() if self.system.orders.order(name) is not None}
        await self.until(lambda: all(self.system.orders.order(n).status is s for n, s in names.items()))

    def require_a_clean_end(self) -> None:
        assert self.system.portfolio.positions == {}
        assert not self.system.orders.open_orders()
        assert {notice.kind for notice in self.notices} <= HARMLESS
        assert not any("external" in line for line in self.lines)
        firsts = [e.event for e in self.journal.entries() if isinstance(e.event, OrderEvent) and e.event.order]
        assert {event.order_id for event in firsts if event.decision is None} == {
            event.order_id for event in firsts if event.parent
        }
        self.journal.append(self.system.engine.state())
        report = replay(self.journal)
        assert report.agrees, report.differences


@pytest.mark.parametrize(
    ("when", "dollars", "profit", "loss"),
    [
        ("while nobody ran", 71, S.FILLED, S.CANCELED),
        ("while nobody ran", 59, S.CANCELED, S.FILLED),
        ("after the restart", 59, S.CANCELED, S.FILLED),
        ("without a restart", 71, S.FILLED, S.CANCELED),
    ],
)
def test_a_bracket_is_closed_by_one_exit_across_a_restart(when, dollars, profit, loss):
    async def story():
        async with venue_front() as front:
            engine = Engine(front)
            await engine.market(65)
            await engine.begin()
            await engine.submit(bracket(take_profit=take_profit("70.00"), stop_loss=stop_loss("60.00")))
            await engine.until_they_are(entry=S.FILLED, profit=S.WORKING, loss=S.HELD)
            if when != "without a restart":
                await engine.die()
            if when == "while nobody ran":
                await engine.market(dollars)
            if when != "without a restart":
                await engine.begin()
            if when != "while nobody ran":
                await engine.market(dollars)
            await engine.until_they_are(entry=S.FILLED, profit=profit, loss=loss)
            await engine.system.orders.tend()
            engine.require_a_clean_end()
            await engine.die()

    run(story)


def test_a_process_that_dies_before_the_answer_finds_its_legs_again():
    async def story():
        async with venue_front() as front:
            engine = Engine(front)
            await engine.market(65)
            await engine.begin()
            await engine.submit(oto(stop_loss=stop_loss("60.00")))
            await engine.until_they_are(entry=S.FILLED)
            kept = next(e.seq for e in engine.journal.entries() if getattr(e.event, "parent", "") == LEADER)
            await engine.die()
            entries, engine.journal = list(engine.journal.entries()), MemoryJournal()
            for entry in entries[:kept]:
                engine.journal.append(entry.event, entry.cause)
            await engine.begin()
            assert engine.system.portfolio.position("KO").quantity == 10
            assert engine.system.orders.order(LOSS).status is S.WORKING
            await engine.market(59)
            await engine.until(lambda: engine.system.orders.order(LOSS).status is S.FILLED)
            engine.require_a_clean_end()
            await engine.die()

    run(story)


@pytest.mark.parametrize("dollars", [71, 59])
def test_an_oco_order_closes_what_is_held(dollars):
    async def story():
        async with venue_front() as front:
            engine = Engine(front)
            await engine.market(65)
            await engine.begin()
            await engine.submit(buy(10))
            await engine.until(lambda: engine.system.portfolio.position("KO").quantity == 10)
            await engine.submit(oco(take_profit=take_profit("70.00"), stop_loss=stop_loss("60.00")))
            await engine.until(lambda: engine.system.orders.order("run-2-0.sl").status is S.HELD)
            await engine.die()
            await engine.begin()
            await engine.market(dollars)
            await engine.until(lambda: not engine.system.orders.open_orders())
            engine.require_a_clean_end()
            assert (engine.system.portfolio.realized_pnl > 0) is (dollars > 65)
            await engine.die()

    run(story)


def test_cancelling_the_entry_over_the_wire_ends_its_legs():
    async def story():
        async with venue_front() as front:
            engine = Engine(front)
            await engine.market(65)
            await engine.begin()
            exits = {"take_profit": take_profit("70.00"), "stop_loss": stop_loss("60.00")}
            await engine.submit(bracket(limit="64.00", **exits))
            await engine.until_they_are(entry=S.WORKING, profit=S.HELD, loss=S.HELD)
            await engine.system.orders.cancel(LEADER)
            front.host.settle()
            await engine.until_they_are(entry=S.CANCELED, profit=S.CANCELED, loss=S.CANCELED)
            engine.require_a_clean_end()
            await engine.die()

    run(story)
