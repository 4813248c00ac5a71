"""Parent orders in the journal: each step as a difference, and the state back from what they add up to."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from quant_trading_system.core.decisions import Decision
from quant_trading_system.core.exceptions import JournalDamaged
from quant_trading_system.core.orders import Order, OrderType, TimeInForce
from quant_trading_system.core.parent_events import MarketSeen, ParentEvent, ParentStart
from quant_trading_system.execution.algo.parent import Algorithm, ParentOrder, ParentState
from quant_trading_system.journal.parent_fold import ParentView

_WORTH = ("quantity", "schedule", "status", "reason", "becomes", "filled", "deadline", "speed")
"""What is worth an entry of its own, besides a new child. All else is in the entries of the children, or passes."""
_FIELDS = tuple(name for name in ParentState.__struct_fields__ if name not in ("order", "children"))


def changes(before: ParentState | None, after: ParentState) -> dict[str, Any]:
    """What differs, as plain data; empty when nothing does that is worth an entry."""
    if before is not None and not _is_worth(before, after):
        return {}
    found = {
        name: getattr(after, name)
        for name in _FIELDS
        if before is None or getattr(after, name) != getattr(before, name)
    }
    known = () if before is None else before.children
    children = [child for place, child in enumerate(after.children) if place >= len(known) or child != known[place]]
    if children:
        found["children"] = children
    plain: dict[str, Any] = msgspec.to_builtins(found)
    return plain


def _is_worth(before: ParentState, after: ParentState) -> bool:
    if len(after.children) != len(before.children):
        return True
    return any(getattr(after, name) != getattr(before, name) for name in _WORTH)


def began(order: ParentOrder, decision: Decision, **known: Decimal | None) -> ParentStart:
    """The beginning of a parent, for its first entry; `known` are the numbers of `ParentStart`."""
    return ParentStart(order=msgspec.to_builtins(order), decision=decision, **known)


def parent_event(
    state: ParentState,
    change: dict[str, Any],
    at: datetime,
    *,
    begun: ParentStart | None = None,
    market: MarketSeen | None = None,
) -> ParentEvent:
    """The entry of a step."""
    order = state.order
    return ParentEvent(
        at=at,
        parent_id=order.parent_id,
        symbol=order.symbol,
        side=order.side,
        algorithm=order.algorithm.value,
        quantity=state.quantity,
        status=state.status.value,
        filled=state.filled,
        value=state.value,
        outstanding=state.outstanding,
        reason=state.reason,
        ended=state.status.is_final,
        strategy=order.strategy,
        begun=begun,
        change=change,
        market=market,
        tag=order.tag,
    )


def order_from(plain: dict[str, Any], seq: int) -> ParentOrder:
    """The parent order in the first entry of a parent.

    Raises:
        JournalDamaged: this version cannot read it.
    """
    try:
        return msgspec.convert(plain, ParentOrder)
    except msgspec.ValidationError as error:
        raise JournalDamaged(seq, f"the parent order cannot be read by this version: {error}") from error


def state_from(view: ParentView) -> ParentState:
    """The state of a parent that has not ended, as its entries give it.

    Raises:
        JournalDamaged: this version cannot read it.
    """
    try:
        return msgspec.convert({**view.state, "order": view.order}, ParentState)
    except msgspec.ValidationError as error:
        raise JournalDamaged(view.seq, f"parent {view.parent_id} cannot be read by this version: {error}") from error


def whole_order(state: ParentState) -> Order:
    """What is neither filled nor out as one order, for the gate; its id is that of slice 0, which is never sent."""
    order = state.order
    limit = order.limits.price
    in_force = TimeInForce.DAY
    if order.algorithm.is_auction:
        in_force = TimeInForce.OPG if order.algorithm is Algorithm.OPENING_AUCTION else TimeInForce.CLS
    return Order(
        symbol=order.symbol,
        side=order.side,
        order_type=OrderType.MARKET if limit is None else OrderType.LIMIT,
        time_in_force=in_force,
        quantity=state.remaining,
        limit_price=limit,
        client_order_id=state.child_id(0),
        strategy=order.strategy,
        reduce_only=order.reduce_only,
        repeat=True,
        tag=order.tag,
    )


def later(moment: datetime | None, now: datetime) -> datetime | None:
    """When to look again, never at once: whoever asks always gets some time further."""
    return None if moment is None else max(moment, now + timedelta(milliseconds=1))
