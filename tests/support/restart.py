"""An account whose process ends and begins again on the same journal."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from quant_trading_system.app.governing import governance_of
from quant_trading_system.config.loader import default_limits
from quant_trading_system.core.clock import Clock, ManualClock
from quant_trading_system.core.decisions import Rejection
from quant_trading_system.core.events import RunStarted
from quant_trading_system.core.orders import Order
from quant_trading_system.execution.order_manager import Placed
from quant_trading_system.journal.replay import replay
from quant_trading_system.journal.store import Journal, MemoryJournal
from quant_trading_system.risk.latch import Latch, MemoryLatch
from quant_trading_system.risk.limits_governance import LimitsGovernance
from quant_trading_system.risk.position_sizer import EqualWeight
from quant_trading_system.trading.planning import ExecutionPolicy
from quant_trading_system.trading.ports import Ports
from quant_trading_system.trading.strategy import Strategy
from quant_trading_system.trading.system import Past, TradingSystem, assemble
from tests.support.desk import CALENDAR, NOON, UNIVERSE, FixedCorrelations, HandBoard
from tests.support.scripted_broker import ScriptedBroker

CASH = Decimal(100_000)
STARTED = RunStarted(
    at=NOON, run="run", mode="test", strategies=(), seed=0, version="0", limits={}, limits_version="", universe=()
)


class Life:
    """`begin` an account, let things happen, then start it `again` from what the journal holds.

    A `forgetful` one keeps few finished orders in memory, as a live account does. One that `is_governed` takes up
    its limits and what waits for people. Without a `market_clock` its own clock tells the time of the market.
    """

    def __init__(self, *, forgetful: bool = False, journal: Journal | None = None) -> None:
        self.forgetful = forgetful
        self.journal = journal or MemoryJournal()
        self.latch: Latch = MemoryLatch()
        self.clock = ManualClock(NOON)
        self.market_clock: Clock | None = None
        self.broker = ScriptedBroker(self.clock)
        self.system: TradingSystem | None = None
        self.limits = default_limits()
        self.strategies: tuple[Strategy, ...] = ()
        self.policy: ExecutionPolicy | None = None
        self.is_governed = False

    def begin(self) -> TradingSystem:
        """A new account."""
        self.journal.append(STARTED)
        return self._assemble(None)

    def again(self, latch: Latch | None = None) -> TradingSystem:
        """A new process on the same journal; the broker knows what it knew."""
        self.latch = latch or self.latch
        known, self.broker = self.broker, ScriptedBroker(self.clock)
        self.broker._quantity, self.broker._filled = known._quantity, known._filled
        past = Past(replay(self.journal).projection, self.journal)
        self.journal.append(STARTED)
        return self._assemble(past)

    def submit(self, order: Order) -> Placed | Rejection:
        """Send an order and wait for the answer."""
        assert self.system is not None
        return asyncio.run(self.system.orders.submit(order))

    def trade(self, order: Order, price: str) -> None:
        """Send an order and fill it."""
        placed = self.submit(order)
        assert isinstance(placed, Placed), placed
        self.broker.fill(placed.order_id, order.quantity, price, fee="0.02")

    def _governance(self, past: Past) -> LimitsGovernance:
        return governance_of(past.books, self.journal, self.clock, file=self.limits, is_live=False)

    def _assemble(self, past: Past | None) -> TradingSystem:
        market_clock = self.market_clock or self.clock
        board = HandBoard(self.clock, market_clock)
        board.put("KO", "99.99", "100.01")
        ports = Ports(
            clock=self.clock,
            market_clock=market_clock,
            calendar=CALENDAR,
            quotes=board,
            broker=self.broker,
            journal=self.journal,
            latch=self.latch,
            correlations=FixedCorrelations(),
        )
        self.system = assemble(
            ports,
            run="run",
            cash=CASH,
            limits=self.limits,
            universe=UNIVERSE,
            strategies=self.strategies,
            sizer=EqualWeight(),
            policy=self.policy,
            past=past,
            history=self.journal if self.forgetful else None,
            governance=self._governance(past) if past is not None and self.is_governed else None,
        )
        return self.system
