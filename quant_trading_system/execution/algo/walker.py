"""The walker: takes a parent order from one moment to the next, without touching anything.

`step` is given the time, the market and what became of the children, and answers with the next state and what
to do. Whoever drives it

1. writes the new state to the journal, before anything is sent,
2. hands every `PlaceChild` to the order manager, which asks the gate and the kill switch, and every
   `CancelChild` to its cancel,
3. calls again with every report, at the latest at `wake_at`, and may call with every quote.

Always true: filled + outstanding ≤ the parent's quantity, where outstanding counts children in full while they
work, are in doubt, or are being cancelled. At most one child is open, so the parent never trades with itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import msgspec

from quant_trading_system.core.exceptions import InvalidNumber, InvalidTransition
from quant_trading_system.core.numbers import ONE, ZERO, floor_to_lot
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce
from quant_trading_system.execution.algo.children import ChildReport, with_reports
from quant_trading_system.execution.algo.parent import Algorithm, Child, ParentState, ParentStatus
from quant_trading_system.execution.algo.wishes import MarketFacts, Wish, nothing, others_volume, wish

_replace = msgspec.structs.replace


class PlaceChild(msgspec.Struct, frozen=True, tag="place"):
    """Submit this order; its client order id is that of the child."""

    order: Order


class CancelChild(msgspec.Struct, frozen=True, tag="cancel"):
    """Ask the broker to cancel this order."""

    child_id: str
    reason: str


Action = PlaceChild | CancelChild


class Step(msgspec.Struct, frozen=True):
    """What follows from one moment.

    Attributes:
        state: to be recorded before any action is taken.
        actions: in this order.
        wake_at: when to call again if nothing happens; None when only a report can change anything.
    """

    state: ParentState
    actions: tuple[Action, ...] = ()
    wake_at: datetime | None = None


class AfterCrash(StrEnum):
    """What becomes of a parent that was working when its engine died."""

    RESUME = "resume"
    CANCEL = "cancel"


def step(state: ParentState, now: datetime, market: MarketFacts, reports: Sequence[ChildReport] = ()) -> Step:
    """The next state, and what to do.

    Args:
        now: aware, UTC; a time before the last step counts as that step's.
        market: of the parent's symbol.
        reports: news of children since the last step.

    Raises:
        UnknownOrder: a report about an order that is no child of this parent.
    """
    now = max(now, state.at)
    state = _settled(_bounded(_replace(with_reports(state, reports, now), at=now), now, market))
    if state.status.is_final:
        return _without_children(state, now, "its parent has ended", None)  # one may come back that was thought absent
    if state.status is not ParentStatus.WORKING:
        return _without_children(state, now, state.reason, state.deadline if now < state.deadline else None)
    if state.filled + state.outstanding > state.quantity:
        return _without_children(state, now, "more is out than is wanted", state.deadline)
    obstacle, again = _obstacle(state, now, market)
    if obstacle:
        return _without_children(state, now, obstacle, again)
    if state.in_doubt:
        return Step(state, (), state.deadline)
    state, wanted = wish(state, now, market)
    return _towards(state, now, market, wanted)


def pause(state: ParentState, reason: str) -> ParentState:
    """Nothing more is sent, and open children are cancelled, until `resume`.

    Raises:
        InvalidTransition: the parent is stopping or has ended.
    """
    _require(state, "paused", ParentStatus.WORKING, ParentStatus.PAUSED)
    return _replace(state, status=ParentStatus.PAUSED, reason=reason)


def resume(state: ParentState) -> ParentState:
    """Go on; what was missed is spread over the time that is left and never caught up at once.

    Raises:
        InvalidTransition: the parent is not paused.
    """
    _require(state, "resumed", ParentStatus.PAUSED)
    return _replace(state, status=ParentStatus.WORKING, reason="", rejections=0, not_before=None, looked_at=None)


def cancel(state: ParentState, reason: str) -> ParentState:
    """Stop for good: open children are cancelled, and what has filled stays.

    Raises:
        InvalidTransition: the parent is stopping or has ended.
    """
    _require(state, "cancelled", ParentStatus.WORKING, ParentStatus.PAUSED)
    return _replace(state, status=ParentStatus.STOPPING, becomes=ParentStatus.CANCELLED, reason=reason)


def speed_up(state: ParentState, factor: Decimal) -> ParentState:
    """Trade `factor` times as fast from now on: the rest of the schedule shrinks, the rate of POV grows.

    Limits stay as they are.

    Raises:
        InvalidTransition: the parent has ended, or its algorithm has no speed (iceberg, peg, auctions).
        InvalidNumber: the factor is not above one.
    """
    _require(state, "made faster", ParentStatus.WORKING, ParentStatus.PAUSED)
    if not (factor.is_finite() and factor > ONE):
        raise InvalidNumber(f"factor {factor} must be above 1")
    if state.schedule is not None:
        return _replace(state, schedule=state.schedule.faster(state.at, factor))
    if state.order.algorithm is not Algorithm.POV:
        raise InvalidTransition(f"{state.order.algorithm} has no speed; cancel it and choose another algorithm")
    return _replace(state, speed=state.speed * factor)


def reduce_to(state: ParentState, quantity: Decimal) -> ParentState:
    """Want less. What has filled beyond it stays, and nothing is unwound.

    Raises:
        InvalidTransition: the parent is stopping or has ended.
        InvalidNumber: not a multiple of the lot, below zero, or more than is wanted now.
    """
    _require(state, "reduced", ParentStatus.WORKING, ParentStatus.PAUSED)
    if not (ZERO <= quantity <= state.quantity) or quantity % state.order.lot:
        raise InvalidNumber(f"{quantity} must be a multiple of {state.order.lot} between 0 and {state.quantity}")
    return _replace(state, quantity=quantity)


def recover(state: ParentState, policy: AfterCrash) -> ParentState:
    """A recorded state after a restart: every open child is in doubt until a report says what became of it.

    Nothing is sent before that. A parent that had ended stays as it was, and a paused one stays paused.
    """
    children = list(state.children)
    for number in state.open_children:
        children[number - 1] = _replace(children[number - 1], status=OrderStatus.IN_DOUBT, cancel_asked_at=None)
    state = _replace(state, children=tuple(children), looked_at=None)
    if policy is AfterCrash.CANCEL and state.status is ParentStatus.WORKING:
        return cancel(state, "the engine was restarted, and its policy is to cancel")
    return state


def _require(state: ParentState, what: str, *allowed: ParentStatus) -> None:
    if state.status not in allowed:
        raise InvalidTransition(f"{state.order.parent_id} is {state.status} and cannot be {what}")


def _bounded(state: ParentState, now: datetime, market: MarketFacts) -> ParentState:
    """The parent after kill switch and time had their say."""
    order = state.order
    session = market.session
    if session is not None and session.close > order.start and not order.algorithm.is_auction:
        state = _replace(state, deadline=min(state.deadline, session.close - order.limits.cutoff))
    if state.status in (ParentStatus.WORKING, ParentStatus.PAUSED) and now >= state.deadline:
        reason = state.reason or "its time is over"
        return _replace(state, status=ParentStatus.STOPPING, becomes=ParentStatus.EXPIRED, reason=reason)
    if market.killed and state.status is ParentStatus.WORKING:
        return _replace(state, status=ParentStatus.PAUSED, reason="the kill switch is active")
    return state


def _settled(state: ParentState) -> ParentState:
    """The final state, once no child is open and nothing is left to do."""
    if state.open_children or state.status.is_final:
        return state
    if state.filled >= state.quantity and state.becomes is not ParentStatus.FAILED:
        return _replace(state, status=ParentStatus.COMPLETED)
    return _replace(state, status=state.becomes) if state.status is ParentStatus.STOPPING else state


def _obstacle(state: ParentState, now: datetime, market: MarketFacts) -> tuple[str, datetime | None]:
    """Why nothing may stand in the market now, and when to look again; empty when nothing is in the way."""
    if now < state.order.start:
        return "it has not begun", state.order.start
    if market.halted:
        return "trading is halted", state.deadline
    session = market.session
    if session is None:
        return "no session is known", state.deadline
    if state.order.algorithm.is_auction:
        return "", None
    if not session.open <= now < session.close:
        return "the exchange is closed", session.open if now < session.open else state.deadline
    return ("", None) if market.is_quoted else ("there is no sound quote", state.deadline)


def _without_children(state: ParentState, now: datetime, reason: str, again: datetime | None) -> Step:
    """Have every open child cancelled, and wait."""
    retry = state.order.limits.retry_after
    actions: list[Action] = []
    for number in state.open_children:
        state, asked = _cancelled(state, state.children[number - 1], now, reason)
        actions += asked
    if state.open_children:
        again = now + retry if again is None else min(again, now + retry)
    return Step(state, tuple(actions), again)


def _cancelled(state: ParentState, child: Child, now: datetime, reason: str) -> tuple[ParentState, tuple[Action, ...]]:
    """Ask for a cancellation, again when the last request has gone unanswered for long."""
    asked = child.cancel_asked_at
    if asked is not None and now - asked < state.order.limits.retry_after:
        return state, ()
    noted = _replace(child, cancel_asked_at=now)
    children = (*state.children[: child.number - 1], noted, *state.children[child.number :])
    return _replace(state, children=children), (CancelChild(state.child_id(child.number), reason),)


def _towards(state: ParentState, now: datetime, market: MarketFacts, wanted: Wish) -> Step:
    """Bring the market in line with the wish: keep, cancel or place one child."""
    again = min(wanted.look_again or state.deadline, state.deadline)
    if state.open_children:
        child = state.children[state.open_children[-1] - 1]
        why = _unwanted(state, child, now, wanted)
        if why:
            return _without_children(state, now, why, again)
        if wanted.follows:
            again = min(again, now + state.order.interval)
        return Step(state, (), again)
    if state.not_before is not None and now < state.not_before:
        return Step(state, (), min(again, state.not_before))
    quantity = _allowed(state, market, wanted.quantity)
    if not quantity or (wanted.price is None and not state.order.algorithm.is_auction):
        return Step(state, (), min(again, now + state.order.interval) if wanted.quantity > 0 else again)
    state, action = _placed(state, now, wanted, quantity)
    return Step(state, (action,), min(again, now + state.order.interval) if wanted.follows else again)


def _unwanted(state: ParentState, child: Child, now: datetime, wanted: Wish) -> str:
    """Why the open child should go; empty while it may stay."""
    if len(state.open_children) > 1:
        return "a child came back that was thought absent"
    if wanted == nothing(wanted.look_again) or child.slice_number != wanted.slice_number:
        return "its slice is over"
    if wanted.aggressive and not child.aggressive:
        return "its patience is over"
    if not wanted.follows or wanted.price is None or child.price is None:
        return ""
    left_behind = wanted.price > child.price if state.order.side is OrderSide.BUY else wanted.price < child.price
    return "the market has moved away" if left_behind and now - child.placed_at >= state.order.interval else ""


def _allowed(state: ParentState, market: MarketFacts, quantity: Decimal) -> Decimal:
    """What may be sent of `quantity`, in whole lots: never more than is left, nor than limits allow."""
    limits = state.order.limits
    quantity = min(quantity, state.remaining)
    if limits.max_child is not None:
        quantity = min(quantity, limits.max_child)
    if limits.participation is not None:
        others = others_volume(state, market)
        if others is None:
            return ZERO
        quantity = min(quantity, limits.participation * others - state.filled)
    return max(floor_to_lot(quantity, state.order.lot), ZERO)


def _placed(state: ParentState, now: datetime, wanted: Wish, quantity: Decimal) -> tuple[ParentState, PlaceChild]:
    order, number = state.order, len(state.children) + 1
    child = Child(
        number=number,
        quantity=quantity,
        placed_at=now,
        price=wanted.price,
        aggressive=wanted.aggressive,
        slice_number=wanted.slice_number,
    )
    in_force = TimeInForce.DAY
    if order.algorithm.is_auction:
        in_force = TimeInForce.OPG if order.algorithm is Algorithm.OPENING_AUCTION else TimeInForce.CLS
    sent = Order(
        symbol=order.symbol,
        side=order.side,
        order_type=OrderType.MARKET if wanted.price is None else OrderType.LIMIT,
        time_in_force=in_force,
        quantity=quantity,
        limit_price=wanted.price,
        client_order_id=state.child_id(number),
        strategy=order.strategy,
        reduce_only=order.reduce_only,
        repeat=True,  # slices are alike on purpose
        tag=order.tag,
    )
    state = _replace(state, children=(*state.children, child), open_children=(*state.open_children, number))
    return state, PlaceChild(sent)
