"""A gate with everything that it reads, and a whole account around it, both moved by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from quant_trading_system.config.loader import default_limits
from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.decisions import Rejection, Rule
from quant_trading_system.core.instruments import Universe
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.core.orders import Order
from quant_trading_system.execution.order_manager import OrderManager, Placed
from quant_trading_system.execution.order_store import OrderRecord
from quant_trading_system.market.market_clock import MarketClock
from quant_trading_system.market.sessions import Calendar
from quant_trading_system.risk.agreement import Agreement
from quant_trading_system.risk.checklist import Checklist
from quant_trading_system.risk.checks import Check, Question
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.risk.latch import Latch, MemoryLatch
from quant_trading_system.risk.portfolio import Portfolio
from quant_trading_system.risk.position_sizer import EqualWeight, OwnWeight, PositionSizer
from quant_trading_system.risk.pre_trade import ApprovedOrder, PreTradeRiskChecker
from quant_trading_system.trading.planning import ExecutionPolicy
from quant_trading_system.trading.ports import Ports
from quant_trading_system.trading.strategy import Strategy
from quant_trading_system.trading.system import TradingSystem, assemble
from tests.support.list_journal import ListJournal
from tests.support.market import CALENDAR, NOON, UNIVERSE, FixedCorrelations, HandBoard
from tests.support.scripted_broker import ScriptedBroker


def limits_with(**changes: Any) -> RiskLimits:
    """The limits that ship with the package, with `changes`."""
    return msgspec.structs.replace(default_limits(), **changes)


UNHURRIED: dict[str, Any] = {
    "max_orders_per_minute": 10**5,
    "max_messages_per_minute": 10**5,
    "max_notional_per_minute": Decimal(10**12),
    "max_repeated_orders": 10**5,
    "max_orders_per_day": 10**7,
    "max_notional_per_day": Decimal(10**13),
    "max_open_orders": 10_000,
}
"""The limits on pace out of the way, for tests that send thousands of orders at one moment."""


def plant(checker: PreTradeRiskChecker, rule: Rule, check: Check) -> None:
    """Let `check` answer for `rule`."""
    asked = checker._checklist.questions
    checker._checklist = Checklist(Question(rule, check) if row.rule is rule else row for row in asked)


class Desk:
    """The gate and what it reads: by default 100 000 dollars, nothing held, KO at 99.99 to 100.01, noon."""

    def __init__(
        self,
        *,
        cash: str = "100000",
        limits: RiskLimits | None = None,
        latch: Latch | None = None,
        calendar: Calendar = CALENDAR,
        unsupported: Callable[[Order], str] = lambda _: "",
        unwatched: Callable[[], str] = lambda: "",
        crowded: Callable[[], str] = lambda: "",
        checks: Any = None,
        universe: Universe = UNIVERSE,
    ) -> None:
        self.clock = ManualClock(NOON)
        self.board = HandBoard(self.clock)
        self.portfolio = Portfolio(Decimal(cash), universe.sectors)
        self.kill_switch = KillSwitch(latch=latch or MemoryLatch(), clock=self.clock)
        self.correlations = FixedCorrelations()
        self.agreement = Agreement()
        self.checker = PreTradeRiskChecker(
            limits=limits or default_limits(),
            universe=universe,
            portfolio=self.portfolio,
            quotes=self.board,
            calendar=calendar,
            kill_switch=self.kill_switch,
            clock=self.clock,
            correlations=self.correlations,
            unsupported=unsupported,
            unwatched=unwatched,
            crowded=crowded,
            agreement=self.agreement,
            checks=checks,
        )
        self.board.put("KO", "99.99", "100.01")

    def hold(self, symbol: str, quantity: str | int, price: str | int) -> None:
        """Have `quantity` shares, bought (or sold short) at `price` out of the cash."""
        hold(self.portfolio, symbol, quantity, price)

    def check(self, order: Order) -> ApprovedOrder | Rejection:
        """Ask the gate."""
        return self.checker.check_order(order)


def hold(portfolio: Portfolio, symbol: str, quantity: str | int, price: str | int) -> None:
    """Book a position without an order."""
    portfolio.apply_fill("before the test", symbol, Decimal(quantity), Decimal(price), ZERO)


class Account:
    """A whole account with a scripted broker; its orders, books, journal and halts are the real ones.

    KO, PEP and XOM are offered at 99.99 to 100.01. `calls` lists what became durable and what was asked of the
    broker, in order.
    """

    def __init__(
        self,
        *,
        cash: str = "100000",
        limits: RiskLimits | None = None,
        latch: Latch | None = None,
        strategies: Sequence[Strategy] = (),
        sizer: PositionSizer | None = None,
        clock: ManualClock | None = None,
        policy: ExecutionPolicy | None = None,
        at_once: int = 1,
    ) -> None:
        self.calls: list[str] = []
        self.clock = clock or ManualClock(NOON)
        self.market_clock = MarketClock(self.clock, limits or default_limits())
        self.board = HandBoard(self.clock, self.market_clock)
        self.broker = ScriptedBroker(self.clock, self.calls)
        self.journal = ListJournal(self.calls)
        self.correlations = FixedCorrelations()
        self.latch = latch or MemoryLatch()
        self.system: TradingSystem = assemble(
            Ports(
                clock=self.clock,
                market_clock=self.market_clock,
                calendar=CALENDAR,
                quotes=self.board,
                broker=self.broker,
                journal=self.journal,
                latch=self.latch,
                correlations=self.correlations,
                at_once=at_once,
            ),
            run="run",
            cash=Decimal(cash),
            limits=limits or default_limits(),
            universe=UNIVERSE,
            strategies=strategies,
            sizer=sizer or OwnWeight(EqualWeight()),
            policy=policy,
        )
        self.broker.holds = lambda: {name: position.quantity for name, position in self.portfolio.positions.items()}
        self.offer()

    def offer(self, bid: str = "99.99", ask: str = "100.01", *symbols: str) -> None:
        """Put fresh quotes on the board; of all three companies unless some are named."""
        for symbol in symbols or ("KO", "PEP", "XOM"):
            self.board.put(symbol, bid, ask)

    def submit(self, order: Order) -> Placed | Rejection:
        """Send an order and wait for the answer."""
        return asyncio.run(self.orders.submit(order))

    def working(self, order: Order) -> OrderRecord:
        """Send an order that the broker accepts; its record."""
        answer = self.submit(order)
        assert isinstance(answer, Placed), answer
        return self.record(answer.order_id)

    def record(self, order_id: str) -> OrderRecord:
        """The order of that id."""
        record = self.orders.order(order_id)
        assert record is not None
        return record

    def hold(self, symbol: str, quantity: str | int, price: str | int = 100) -> None:
        """Have a position without an order."""
        hold(self.portfolio, symbol, quantity, price)

    def step(self) -> None:
        """One change of the market."""
        asyncio.run(self.system.engine.on_step())

    @property
    def orders(self) -> OrderManager:
        """The order manager."""
        return self.system.orders

    @property
    def portfolio(self) -> Portfolio:
        """Cash, positions and reservations."""
        return self.system.portfolio

    @property
    def kill_switch(self) -> KillSwitch:
        """The one switch of the account."""
        return self.system.kill_switch

    @property
    def reserved(self) -> dict[str, Decimal]:
        """Order id to signed shares for which room is kept."""
        return {held.order_id: held.leaves for _, held in self.portfolio.reservations()}
