"""What the gate knows about one order when it judges it, and the form of a check."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.config.scalars import Restriction
from quant_trading_system.core.decisions import CheckResult, Rule, Unit
from quant_trading_system.core.events import HaltLevel
from quant_trading_system.core.instruments import Instrument
from quant_trading_system.core.orders import Order
from quant_trading_system.market.quotes import Quote
from quant_trading_system.market.sessions import Session
from quant_trading_system.risk.holding import Holding
from quant_trading_system.risk.portfolio import Portfolio
from quant_trading_system.risk.traffic import RecentOrders, Traffic

if TYPE_CHECKING:
    from quant_trading_system.risk.checks.soft import SoftLimits

_COUNT = Unit.COUNT


class Replaced(NamedTuple):
    """The open order that is to be replaced: its terms, what may still fill of it, what has filled of its chain."""

    order: Order
    leaves: Decimal
    filled: Decimal


class Waiver(NamedTuple):
    """What people have approved beyond soft limits: one order, or one parent with all its slices.

    Attributes:
        order: as it was refused; the one that it lets through differs in its id only. A slice asks for no more.
        limits: the soft limits that it was beyond.
        mid: dollars a share when people were asked, about which it must be still; None for a parent that works.
        until: when the approval ends; None for a parent that works.
        parent: id of the parent that it is for, empty for a single order.
    """

    order: Order
    limits: frozenset[str]
    mid: Decimal | None
    until: datetime | None
    parent: str = ""


class Sources(NamedTuple):
    """Whom a check asks for facts that few orders need.

    Attributes:
        is_halted: trading of a symbol is halted by the exchange.
        average_volume: shares that a symbol trades on an average day; None while unknown.
        parent_excess: shares that the children of a parent ask for beyond what it wants, the one that is judged
            included; None for a parent that nothing is kept for.
        instrument: what a symbol is; None for one that is not approved.
        beta: of a symbol; None while it cannot be measured.
        tail: value at risk and expected shortfall (95 %, one bar, dollars) of a book of signed dollars; None while the
            past returns of a symbol in it are unknown.
        unsettled: dollars of sales that have not settled; None while past fills are unknown.
        day_trades: round trips within a day of the last five sessions, should every position of today and one of this
            symbol be closed today; None likewise. An empty symbol asks about the positions alone.
        realized_today: dollars that a strategy gained today in what it closed, less fees; None likewise.
        shares_of: signed shares of a strategy by symbol.
        volatility_ratio: of a reference over a short window of bars, over that of a long one; None while it cannot be
            measured.
        waiver: what an approval of that id lets through; None when it lets nothing through, or not any more.
    """

    is_halted: Callable[[str], bool] = lambda _: False
    average_volume: Callable[[str], Decimal | None] = lambda _: None
    parent_excess: Callable[[str], Decimal | None] = lambda _: None
    instrument: Callable[[str], Instrument | None] = lambda _: None
    beta: Callable[[str], Decimal | None] = lambda _: None
    tail: Callable[[Mapping[str, Decimal]], tuple[Decimal, Decimal] | None] = lambda _: None
    unsettled: Callable[[], Decimal | None] = lambda: None
    day_trades: Callable[[str], int | None] = lambda _: None
    realized_today: Callable[[str], Decimal | None] = lambda _: None
    shares_of: Callable[[str], dict[str, Decimal]] = lambda _: {}
    volatility_ratio: Callable[[str, int, int], Decimal | None] = lambda *_: None
    waiver: Callable[[str], Waiver | None] = lambda _: None


class Case:
    """All that is known about one order at the moment of the decision; every check reads it, none writes it.

    Attributes:
        now: what time it is on the market; at: when the case was laid out, by this machine's clock, as decisions and
            the words of people are stamped.
        quantity: shares, also for dollar orders (the most that they can become).
        whole: the same; of a replacement also what its chain has traded.
        price: dollars a share at which the order's room is valued; None without a usable quote.
        value: dollars of the whole order at that price; 0 without one.
        worst_quantity, worst_value: of the symbol, if this order and all open ones of the worse side fill.
        added_value: by how much the order raises the worst-case value; at most 0 when it adds nothing.
        session: the regular session that is open now; `last_close`: the end of the latest finished one.
        unreconciled: why the books of the symbol or the account cannot be trusted, empty when they can.
        agreed: signed shares of the position that the broker's books show as well; only known while unreconciled.
        traffic: how much has left lately, counted up to now; recent: the orders among it that may be sent twice.
        replaced: the open order whose place this one is to take; None for a new order. `quantity` is then what is
            left to trade, and `holding` is without the replaced order.
        exits: proven to shrink a position; `shrinks` is also true for a change that only takes risk away.
        parent: id of the parent that the order is a slice of, empty for none.
        approval: id of the approval that the order relies on, empty for none; soft: the soft limits, None without.
        restriction: what a person has said against the symbol; None for nothing that is in force.
        sources: whom to ask for more.
        correlated: highest correlation with a symbol held, that symbol, and whether all were measurable.
    """

    __slots__ = (
        "added_value",
        "agreed",
        "approval",
        "at",
        "correlated",
        "correlated_with",
        "correlation_known",
        "crowded",
        "equity",
        "exits",
        "halt_level",
        "halt_reason",
        "holding",
        "instrument",
        "last_close",
        "limits",
        "next_open",
        "now",
        "order",
        "parent",
        "portfolio",
        "price",
        "quantity",
        "quote",
        "recent",
        "replaced",
        "restriction",
        "session",
        "shrinks",
        "signed_quantity",
        "soft",
        "sources",
        "traffic",
        "unreconciled",
        "unsupported",
        "unwatched",
        "value",
        "whole",
        "worst_quantity",
        "worst_value",
    )

    order: Order
    instrument: Instrument | None
    quote: Quote | None
    portfolio: Portfolio
    holding: Holding
    limits: RiskLimits
    now: datetime
    at: datetime
    session: Session | None
    last_close: datetime | None
    next_open: datetime | None
    halt_level: HaltLevel
    halt_reason: str
    unsupported: str
    unwatched: str
    crowded: str
    unreconciled: str
    agreed: Decimal
    equity: Decimal
    quantity: Decimal
    whole: Decimal
    value: Decimal
    signed_quantity: Decimal
    price: Decimal | None
    exits: bool
    shrinks: bool
    replaced: Replaced | None
    parent: str
    approval: str
    soft: SoftLimits | None
    restriction: Restriction | None
    sources: Sources
    worst_quantity: Decimal
    worst_value: Decimal
    added_value: Decimal
    traffic: Traffic
    recent: RecentOrders
    correlated: Decimal | None
    correlated_with: str
    correlation_known: bool


Check = Callable[[Case], CheckResult | None]
"""Looks at a case and answers one question; None is a plain yes. It changes nothing and remembers nothing."""


def at_most(rule: Rule, actual: Decimal, limit: Decimal, unit: Unit, detail: str = "") -> CheckResult:
    """The answer to: is `actual` within `limit`? The limit itself passes."""
    return CheckResult(rule, actual <= limit, actual, limit, unit, detail)


@lru_cache(maxsize=8192)
def counted(rule: Rule, count: int, limit: int, exempt: bool) -> CheckResult:
    """The answer to: is `count` within `limit`, or else `exempt`? The same answer is made once only."""
    return CheckResult(rule, count <= limit or exempt, Decimal(count), Decimal(limit), _COUNT)


def at_stake(case: Case) -> Decimal:
    """Shares that may still trade: of the order, or of the one that makes way for it if those are more."""
    return case.quantity if case.replaced is None else max(case.quantity, case.replaced.leaves)
