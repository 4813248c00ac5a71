"""A whole account at a simulated venue, both moved by hand: the books of the two are kept apart and compared."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

from quant_trading_system.config.loader import default_limits
from quant_trading_system.core.events import RunStarted
from quant_trading_system.core.orders import Order
from quant_trading_system.execution.order_manager import OrderManager, Placed
from quant_trading_system.execution.order_store import OrderRecord
from quant_trading_system.journal.replay import replay
from quant_trading_system.journal.store import MemoryJournal
from quant_trading_system.risk.latch import MemoryLatch
from quant_trading_system.risk.portfolio import Portfolio
from quant_trading_system.risk.position_sizer import EqualWeight
from quant_trading_system.simulation.broker import SimulatedBroker
from quant_trading_system.trading.ports import Ports
from quant_trading_system.trading.system import Past, TradingSystem, assemble
from tests.support.market import FixedCorrelations, HandBoard
from tests.support.venue_desk import CALENDAR, MONDAY, UNIVERSE, VenueDesk

STARTED = RunStarted(
    at=MONDAY.open,
    run="run",
    mode="test",
    strategies=(),
    seed=0,
    version="0",
    limits={},
    limits_version="",
    universe=(),
)


class VenueAccount:
    """Orders go to the venue of `desk`; KO is offered at 99.98 to 100.02 when Monday's session begins."""

    def __init__(self, **options: Any) -> None:
        self.desk = VenueDesk(**options)
        self.board = HandBoard(self.desk.clock)
        self.journal = MemoryJournal()
        self.latch = MemoryLatch()
        self.desk.quote()
        self.board.put("KO", "99.98", "100.02")
        self.journal.append(STARTED)
        self.system = self._assemble(None)
        self.system.monitor.open_day()

    def again(self) -> None:
        """A new process on the same journal; the venue goes on."""
        past = Past(replay(self.journal).projection, self.journal)
        self.desk.venue._wire._subscribers.clear()
        self.journal.append(STARTED)
        self.system = self._assemble(past)

    def submit(self, order: Order) -> OrderRecord:
        """Send an order that is taken; its record after the venue had its turn."""
        answer = asyncio.run(self.orders.submit(order))
        assert isinstance(answer, Placed), answer
        self.turn()
        return self.record(answer.order_id)

    def turn(self, seconds: float = 1) -> None:
        """Time passes."""
        self.desk.wait(seconds=seconds)
        self.board.put("KO", "99.98", "100.02")

    def quote(self, bid: str, ask: str) -> None:
        """The market moves."""
        self.desk.quote(bid, ask, None)
        self.board.put("KO", bid, ask)
        self.turn(0)

    def record(self, order_id: str) -> OrderRecord:
        """The order of that id."""
        record = self.orders.order(order_id)
        assert record is not None
        return record

    def require_agreement(self) -> None:
        """Our books, the venue's and the journal's are the same."""
        account = self.desk.venue.account()
        theirs = {held.symbol: held.quantity for held in self.desk.venue.positions()}
        assert {symbol: held.quantity for symbol, held in self.portfolio.positions.items()} == theirs
        assert self.portfolio.cash == account.cash
        self.journal.append(self.system.engine.state())
        report = replay(self.journal)
        assert report.agrees, report.differences

    @property
    def orders(self) -> OrderManager:
        """The order manager."""
        return self.system.orders

    @property
    def portfolio(self) -> Portfolio:
        """Cash, positions and reservations."""
        return self.system.portfolio

    @property
    def reserved(self) -> dict[str, Decimal]:
        """Order id to signed shares for which room is kept."""
        return {held.order_id: held.leaves for _, held in self.portfolio.reservations()}

    def _assemble(self, past: Past | None) -> TradingSystem:
        ports = Ports(
            clock=self.desk.clock,
            market_clock=self.desk.clock,
            calendar=CALENDAR,
            quotes=self.board,
            broker=SimulatedBroker(self.desk.venue),
            journal=self.journal,
            latch=self.latch,
            correlations=FixedCorrelations(),
        )
        return assemble(
            ports,
            run="run",
            cash=Decimal(100_000),
            limits=default_limits(),
            universe=UNIVERSE,
            sizer=EqualWeight(),
            past=past,
        )
