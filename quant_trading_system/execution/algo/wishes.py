"""What each algorithm wants in the market right now: a quantity, a price, and when to look again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import NamedTuple

import msgspec

from quant_trading_system.core.numbers import ONE, ZERO, ceil_to_tick, floor_to_lot, floor_to_tick
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.execution.algo.adaptive import replanned_weights
from quant_trading_system.execution.algo.parent import Algorithm, AtEnd, ParentState, Placement
from quant_trading_system.execution.algo.schedule import Schedule
from quant_trading_system.execution.algo.slicing import Weight, largest_remainder
from quant_trading_system.market.sessions import Session

_LATEST_BEFORE_OPEN = timedelta(minutes=2)
_LATEST_BEFORE_CLOSE = timedelta(minutes=10)
_LEAST_PRICE = Decimal("0.0001")
_GAP = 3
"""Looks that POV may miss before it starts counting anew."""

_replace = msgspec.structs.replace


class MarketFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the walker is told of the market, sound and fresh; whoever calls it leaves out what is not.

    Attributes:
        bid, ask: dollars a share; 0 while there is no quote that can be relied on.
        volume: shares that the market has printed since the parent's start, ours included; None while unknown.
        session: the current one, or the next one while the exchange is closed.
        halted: trading of this symbol is halted.
        killed: the kill switch is active.
    """

    bid: Decimal = ZERO
    ask: Decimal = ZERO
    volume: Decimal | None = None
    session: Session | None = None
    halted: bool = False
    killed: bool = False

    @property
    def is_quoted(self) -> bool:
        """Both sides are there and not crossed."""
        return ZERO < self.bid <= self.ask


class Wish(NamedTuple):
    """What should stand in the market.

    Attributes:
        quantity: shares, any open child included; zero or less for nothing.
        price: limit in dollars, None only in an auction.
        aggressive: priced at the far side.
        slice_number: that it belongs to, -1 for none.
        follows: an open child is moved when the market has left its price.
        look_again: when the answer may change by itself.
    """

    quantity: Decimal
    price: Decimal | None
    aggressive: bool
    slice_number: int
    follows: bool
    look_again: datetime | None


def wish(state: ParentState, now: datetime, market: MarketFacts) -> tuple[ParentState, Wish]:
    """What the algorithm wants; the state may begin a slice or move what POV counts from."""
    kind = state.order.algorithm
    if kind.is_scheduled:
        return _scheduled(state, now, market)
    if kind is Algorithm.POV:
        return _of_volume(state, now, market)
    if kind.is_auction:
        return state, _auction(state, now, market)
    return state, _resting(state, now, market)


def others_volume(state: ParentState, market: MarketFacts) -> Decimal | None:
    """Shares that others have traded since the start; None while unknown."""
    return None if market.volume is None else max(market.volume - state.filled, ZERO)


def nothing(look_again: datetime | None = None) -> Wish:
    """Nothing should stand in the market."""
    return Wish(ZERO, None, False, -1, False, look_again)


def _scheduled(state: ParentState, now: datetime, market: MarketFacts) -> tuple[ParentState, Wish]:
    order, schedule = state.order, state.schedule
    assert schedule is not None  # checked when the parent was made
    number = schedule.number_at(now)
    if number < 0:
        return state, nothing(schedule.start)
    end = min(schedule.end_of(number), state.deadline)
    if number != state.slice_number:
        if state.open_children:
            return state, nothing()  # what is left of the last slice is cancelled first
        quota = _quota(state, schedule, number, market)
        state = _replace(state, slice_number=number, slice_quota=quota, slice_base=state.filled)
    begun = schedule.slices[number].start
    turn = begun + _part_of(end - begun, order.patience)
    aggressive = order.placement is Placement.AGGRESSIVE or (order.placement is Placement.ESCALATE and now >= turn)
    due = state.slice_quota - (state.filled - state.slice_base)
    escalates = order.placement is Placement.ESCALATE and not aggressive
    look_again = turn if escalates else end if now < end else state.deadline
    return state, Wish(due, _price(state, market, aggressive), aggressive, number, True, look_again)


def _quota(state: ParentState, schedule: Schedule, number: int, market: MarketFacts) -> Decimal:
    """Shares of the slice that begins: its part of what is left, whatever happened before."""
    left = state.remaining
    if not left:
        return ZERO
    weights = _weights(state, schedule, number, left, market)
    part = largest_remainder(left, weights if any(weights) else [1] * len(weights), state.order.lot)[0]
    is_last = number + 1 == len(schedule.slices)
    if is_last and state.order.at_end is AtEnd.COMPLETE:
        return part
    return min(part, floor_to_lot(max(schedule.quantities) * state.order.limits.catch_up, state.order.lot))


def _weights(
    state: ParentState, schedule: Schedule, number: int, left: Decimal, market: MarketFacts
) -> Sequence[Weight]:
    order = state.order
    planned = [int(part.quantity / order.lot) for part in schedule.slices[number:]]
    others = others_volume(state, market)
    if order.forecast is None or others is None:
        return planned
    if order.problem is None:
        tilts = order.forecast.tilts(number, others)
        return [lots * tilt for lots, tilt in zip(planned, tilts, strict=True)]
    level = order.forecast.level(number, others)
    spread = market.ask - market.bid
    return replanned_weights(order.problem, number, left, level, spread)


def _of_volume(state: ParentState, now: datetime, market: MarketFacts) -> tuple[ParentState, Wish]:
    order, others = state.order, others_volume(state, market)
    assert order.rate is not None  # checked when the parent was made
    again = now + order.interval
    if others is None:
        return state, nothing(again)
    if state.looked_at is None or now - state.looked_at > order.interval * _GAP:
        state = _replace(state, volume_base=others, filled_base=state.filled)
    state = _replace(state, looked_at=now)
    rate = min(order.rate * state.speed, ONE)
    due = floor_to_lot(rate * (others - state.volume_base) - (state.filled - state.filled_base), order.lot)
    aggressive = order.placement is Placement.AGGRESSIVE or (
        order.placement is Placement.ESCALATE and _has_waited(state, now)
    )
    if state.open_children:
        due = max(due, state.outstanding)  # a child that is there may stay; it was due when it was sent
    return state, Wish(due, _price(state, market, aggressive), aggressive, -1, True, again)


def _has_waited(state: ParentState, now: datetime) -> bool:
    """The latest child was passive, and its patience is over or it ended unfilled."""
    if not state.children:
        return False
    child = state.children[-1]
    if not child.status.is_open:
        return not child.aggressive and child.filled < child.quantity
    return child.aggressive or now - child.placed_at >= _part_of(state.order.interval, state.order.patience)


def _resting(state: ParentState, now: datetime, market: MarketFacts) -> Wish:
    """Iceberg and peg: show a little, at the limit or at our own side of the quote."""
    order, limit = state.order, state.order.limits.price
    assert order.display is not None  # checked when the parent was made
    pegged = order.algorithm is Algorithm.PEG
    price = _price(state, market, aggressive=False) if pegged else _on_tick(state, limit)
    shown = state.outstanding or min(_varied(state, order.display), state.quantity - state.filled)
    return Wish(shown, price, False, -1, pegged, now + order.interval if pegged else None)


def _varied(state: ParentState, display: Decimal) -> Decimal:
    """Shares to show: `display`, give or take its jitter, the same in every replay."""
    order = state.order
    most = int(display * order.display_jitter / order.lot)
    if not most:
        return display
    draw = Random(f"{order.seed}|{order.parent_id}|{len(state.children)}")  # noqa: S311 - repeatable on purpose
    return max(display + order.lot * draw.randint(-most, most), order.lot)


def _auction(state: ParentState, now: datetime, market: MarketFacts) -> Wish:
    session = market.session
    if session is None or state.open_children:
        return Wish(state.outstanding, None, True, -1, False, None)
    opening = state.order.algorithm is Algorithm.OPENING_AUCTION
    latest = session.open - _LATEST_BEFORE_OPEN if opening else session.close - _LATEST_BEFORE_CLOSE
    if now >= latest:
        return nothing()
    return Wish(state.quantity - state.filled, _on_tick(state, state.order.limits.price), True, -1, False, None)


def _price(state: ParentState, market: MarketFacts, aggressive: bool) -> Decimal | None:
    """The touch of our own side, or of the far one, but never beyond the price limit."""
    if not market.is_quoted:
        return None
    buying, limit = state.order.side is OrderSide.BUY, state.order.limits.price
    touch = market.ask if buying == aggressive else market.bid
    if aggressive:
        touch = max(touch + state.order.side.sign * state.order.reach, _LEAST_PRICE)
    if limit is not None:
        touch = min(touch, limit) if buying else max(touch, limit)
    return _on_tick(state, touch)


def _on_tick(state: ParentState, price: Decimal | None) -> Decimal | None:
    """A legal price that is not worse than `price`; None when there is none."""
    if price is None:
        return None
    return (floor_to_tick(price) if state.order.side is OrderSide.BUY else ceil_to_tick(price)) or None


def _part_of(span: timedelta, part: Decimal) -> timedelta:
    above, below = part.as_integer_ratio()
    return span * above / below
