"""What the gate would say about orders, asked of the books that a journal holds; nothing is sent or written."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from quant_trading_system.config.loader import parse_limits
from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.decisions import Rejection
from quant_trading_system.core.events import RunStarted
from quant_trading_system.core.instruments import Universe
from quant_trading_system.core.orders import Order
from quant_trading_system.execution.no_broker import NoBroker
from quant_trading_system.journal.store import MemoryJournal
from quant_trading_system.market.quotes import Quote, QuoteBoard
from quant_trading_system.market.sessions import Calendar
from quant_trading_system.risk.basket import Judged, judge_basket
from quant_trading_system.risk.correlation import CorrelationSource
from quant_trading_system.risk.halt_state import LatchState
from quant_trading_system.risk.latch import MemoryLatch
from quant_trading_system.risk.position_sizer import EqualWeight
from quant_trading_system.risk.pre_trade import ApprovedOrder
from quant_trading_system.trading.ports import Ports
from quant_trading_system.trading.system import Past, TradingSystem, assemble

WHAT_IF = "what-if"
"""The client order id of an order that is only asked about."""


class Scene(NamedTuple):
    """The moment at which the gate is asked.

    Attributes:
        quotes: of the symbols asked about, and of what is held: positions are marked at the middle.
        latch: the state of the account's kill switch.
    """

    quotes: Iterable[Quote]
    now: datetime
    limits: RiskLimits
    latch: LatchState
    calendar: Calendar
    correlations: CorrelationSource


def what_if(past: Past, order: Order, scene: Scene) -> ApprovedOrder | Rejection:
    """Lay out the account as its journal tells it, and ask the gate."""
    return _laid_out(past, scene).checker.check_order(order.with_id(WHAT_IF))


def what_if_all(past: Past, orders: Iterable[Order], scene: Scene) -> tuple[Judged, ...]:
    """Ask about several orders together, as `judge_basket` does."""
    system = _laid_out(past, scene)
    return judge_basket(system.checker, system.portfolio, orders)


def _laid_out(past: Past, scene: Scene) -> TradingSystem:
    run = past.books.run
    held, board, clock = MemoryLatch(), QuoteBoard(), ManualClock(scene.now)
    held.write(scene.latch)
    for quote in scene.quotes:
        board.publish(quote)
    system = assemble(
        Ports(
            clock=clock,
            market_clock=clock,
            calendar=scene.calendar,
            quotes=board,
            broker=NoBroker(),
            journal=MemoryJournal(),
            latch=held,
            correlations=scene.correlations,
        ),
        run=WHAT_IF,
        cash=Decimal(0),
        limits=scene.limits,
        universe=Universe(() if run is None else run.universe),
        sizer=EqualWeight(),
        past=past,
    )
    system.engine.mark_positions()
    return system


def limits_of(run: RunStarted) -> RiskLimits:
    """The limits that a run put on record.

    Raises:
        ConfigurationError: they lack one that this version asks for, or hold one that it does not know.
    """
    lines: list[str] = []
    section = ""
    for path, value in run.limits.items():
        of_section, _, name = path.partition(".")
        lines += [f"{of_section}:"] if of_section != section else []
        lines.append(f"  {name}: {value}")
        section = of_section
    return parse_limits("\n".join(lines).encode(), f"the record of the limits of run {run.run}; name a file: it")
