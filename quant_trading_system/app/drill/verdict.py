"""What a rehearsal has shown, decided purely from what the venue has booked and what was asked for when.

An order that the venue took after the latch was set is a breach, unless it can only shrink what is held there, or had
been marked as sent before: what is on the wire cannot be called back, only cancelled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal

import msgspec

from quant_trading_system.app.drill.venue_books import VenueBooks, VenueOrder
from quant_trading_system.core.events import HaltLevel
from quant_trading_system.core.halt_scope import ACCOUNT, HaltScope
from quant_trading_system.core.numbers import ZERO, plain
from quant_trading_system.core.orders import OrderSide

_MICRO = Decimal("0.000001")


class Push(msgspec.Struct, frozen=True, kw_only=True):
    """An order that was asked for while the halt came, to see whether it would leave.

    Attributes:
        order_id: its client order id, empty when none was made.
        is_refused: the engine said no; without the halt it takes every one of them. `is_sent`: it said yes.
        strategy: who asked, empty for a person.
    """

    asked_at: datetime
    symbol: str
    side: OrderSide
    order_id: str = ""
    is_refused: bool = False
    is_sent: bool = False
    strategy: str = ""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a verdict is made from; all times by one clock.

    Attributes:
        pulled_at: when somebody began to stop orders; `latched_at`: when everybody could see the latch say so.
        books: of the venue, at the end.
        sent_at: when the engine had marked each order as being sent, by client order id.
        pushes: orders that were asked for all the while.
    """

    scope: HaltScope = ACCOUNT
    level: HaltLevel = HaltLevel.HALTED
    pulled_at: datetime
    latched_at: datetime
    books: VenueBooks
    sent_at: Mapping[str, datetime] = {}
    pushes: tuple[Push, ...] = ()


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that must hold, and what was found."""

    name: str
    passed: bool
    found: str


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """How long it took, seconds from the moment at which somebody began to stop orders.

    Attributes:
        latched: until the latch was set.
        cancelled: until the venue had taken back the last order that had to go, None when one is open still.
        flat: until the venue's position was nothing, None where nothing was to be closed or something is left.
        orders: that had to go.
        in_flight: orders that the venue took after the latch and that had been sent before.
    """

    latched: Decimal
    cancelled: Decimal | None
    flat: Decimal | None
    orders: int
    in_flight: int


def judge(facts: Facts) -> tuple[Figures, tuple[Check, ...]]:
    """Figures of the rehearsal, and everything that had to hold."""
    covered = [order for order in facts.books.orders if facts.scope.covers(order)]
    had_to_go = [order for order in covered if order.accepted_at <= facts.latched_at and _was_open(order, facts)]
    late = [order for order in covered if order.accepted_at > facts.latched_at]
    in_flight = [order for order in late if _was_sent_before(order, facts)]
    breaches = [order for order in late if order not in in_flight and not _shrinks(order, facts.books)]
    left = [order for order in covered if order.is_open]
    flat_at = _flat_at(facts) if facts.level is HaltLevel.FLATTENING else None
    ends = [order.cancelled_at for order in had_to_go + in_flight if order.cancelled_at is not None]
    figures = Figures(
        latched=max(_seconds(facts, facts.latched_at), ZERO),
        cancelled=None if left or not ends else _seconds(facts, max(ends)),
        flat=None if flat_at is None else _seconds(facts, flat_at),
        orders=len(had_to_go),
        in_flight=len(in_flight),
    )
    checks = [
        _check("orders were open when the halt came", bool(had_to_go), f"{len(had_to_go)} orders"),
        _check("the venue shows every order ended that had to go", not left, _named(left) or "none is open"),
        _check(
            "the venue took nothing that adds risk after the latch",
            not breaches,
            _named(breaches) or f"{len(late)} orders came later: {len(in_flight)} were on the wire, the rest shrink",
        ),
        _pushes_refused(facts),
    ]
    if not facts.scope.is_account:
        checks += _beside(facts)
    if facts.level is HaltLevel.FLATTENING:
        checks.append(_closed(facts))
    return figures, tuple(checks)


def _check(name: str, passed: bool, found: str) -> Check:
    return Check(name=name, passed=passed, found=found)


def _seconds(facts: Facts, moment: datetime) -> Decimal:
    span = moment - facts.pulled_at
    return (Decimal(span.days * 86_400 + span.seconds) + Decimal(span.microseconds) * _MICRO).quantize(_MICRO)


def _was_open(order: VenueOrder, facts: Facts) -> bool:
    """It had not ended when the halt came; what was cancelled before does not count."""
    return order.is_open or (order.cancelled_at is not None and order.cancelled_at > facts.pulled_at)


def _was_sent_before(order: VenueOrder, facts: Facts) -> bool:
    sent = facts.sent_at.get(order.client_order_id)
    return sent is not None and sent <= facts.latched_at


def _shrinks(order: VenueOrder, books: VenueBooks) -> bool:
    """By the venue's own position at that moment, it can only bring it nearer to zero."""
    held = books.held(order.symbol, order.accepted_at)
    against = held < 0 if order.side is OrderSide.BUY else held > 0
    return against and order.quantity <= abs(held)


def _pushes_refused(facts: Facts) -> Check:
    name = "orders asked for after the halt were refused"
    later = [push for push in facts.pushes if push.asked_at > facts.latched_at and facts.scope.covers(push)]
    sent = [push for push in later if push.is_sent]
    refused = sum(push.is_refused for push in later)
    if sent:
        return _check(name, False, f"{len(sent)} of {len(later)} were sent: {sent[0].order_id}")
    return _check(name, 0 < refused == len(later), f"{refused} of {len(later)} refused, none sent")


def _beside(facts: Facts) -> Iterable[Check]:
    """A halt of a part leaves the rest alone."""
    outside = [order for order in facts.books.orders if not facts.scope.covers(order)]
    lost = [order for order in outside if order.cancelled_at is not None and order.cancelled_at > facts.pulled_at]
    yield _check("orders beside the halted part work on", not lost, _named(lost) or f"{len(outside)} untouched")
    taken = [order for order in outside if order.accepted_at > facts.latched_at]
    yield _check("orders beside the halted part still leave", bool(taken), f"{len(taken)} were taken after the halt")


def _closed(facts: Facts) -> Check:
    name = "the venue shows flat, and no position went through zero"
    left = {s: q for s, q in facts.books.positions.items() if facts.scope.covers_position(s, q)}
    if left:
        return _check(name, False, ", ".join(f"{plain(shares)} {symbol}" for symbol, shares in left.items()))
    held: dict[str, Decimal] = {}
    for trade in facts.books.trades:
        before = held.get(trade.symbol, ZERO)
        held[trade.symbol] = before + trade.quantity
        if trade.at > facts.latched_at and before * held[trade.symbol] < 0:
            return _check(name, False, f"{trade.symbol} went from {plain(before)} to {plain(held[trade.symbol])}")
    return _check(
        name, True, f"{sum(1 for trade in facts.books.trades if trade.at > facts.latched_at)} trades closed all"
    )


def _flat_at(facts: Facts) -> datetime | None:
    """When the last trade of the closing was; None while something is left."""
    if any(facts.scope.covers_position(symbol, shares) for symbol, shares in facts.books.positions.items()):
        return None
    return max((trade.at for trade in facts.books.trades if trade.at > facts.pulled_at), default=None)


def _named(orders: Iterable[VenueOrder]) -> str:
    return ", ".join(
        f"{order.side.value} {plain(order.quantity)} {order.symbol} ({order.client_order_id}, {order.status})"
        for order in orders
    )
