"""What became of the children, folded into the parent: the truth that every plan starts from."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

import msgspec

from quant_trading_system.core.exceptions import UnknownOrder
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.execution.algo.parent import Child, ParentState, ParentStatus

_REFUSED = frozenset({OrderStatus.REJECTED, OrderStatus.DENIED, OrderStatus.UNSENT})
_NEVER_THERE = frozenset({*_REFUSED, OrderStatus.ABSENT})
_BEFORE_ANSWER = frozenset({OrderStatus.CREATED, OrderStatus.SENT, OrderStatus.IN_DOUBT})

_replace = msgspec.structs.replace


class ChildReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the order manager knows of a child; reports may come late, twice, or out of order.

    Attributes:
        filled: cumulative shares; `value`: the dollars that they traded for. A report that a child has ended brings
            all of its fills.
        cancel_refused: the broker said no to our cancellation.
    """

    child_id: str
    status: OrderStatus
    filled: Decimal = ZERO
    value: Decimal = ZERO
    cancel_refused: bool = False
    reason: str = ""


def with_reports(state: ParentState, reports: Iterable[ChildReport], now: datetime) -> ParentState:
    """The parent after `reports`.

    Raises:
        UnknownOrder: a report about an order that is no child of this parent.
    """
    for report in reports:
        state = _with_report(state, report, now)
    return state


def _with_report(state: ParentState, report: ChildReport, now: datetime) -> ParentState:
    before = _child_of(state, report)
    after = _told(before, report)
    if after == before:
        return state
    number = after.number
    children = (*state.children[: number - 1], after, *state.children[number:])
    still_open = [n for n in state.open_children if n != number]
    if after.status.is_open:
        still_open = sorted([*still_open, number])
    state = _replace(
        state,
        children=children,
        open_children=tuple(still_open),
        filled=state.filled + after.filled - before.filled,
        value=state.value + after.value - before.value,
    )
    if after.status is not before.status or after.filled != before.filled:
        state = _judged(state, before, after, report.reason, now)
    return state


def _child_of(state: ParentState, report: ChildReport) -> Child:
    prefix, _, number = report.child_id.rpartition("-")
    known = number.isdecimal() and 1 <= int(number) <= len(state.children)
    if prefix != state.order.parent_id or not known:
        raise UnknownOrder(f"{report.child_id} is no child of {state.order.parent_id}", report.child_id)
    return state.children[int(number) - 1]


def _told(child: Child, report: ChildReport) -> Child:
    """The child after a report; older knowledge than ours changes nothing, and fills never shrink."""
    filled, value = child.filled, child.value
    if report.filled > filled:
        filled, value = report.filled, report.value
    status = _status(child, report.status)
    if status is OrderStatus.FILLED and filled < child.quantity:
        status = OrderStatus.PARTIALLY_FILLED  # its last fills are still on their way
    asked = None if report.cancel_refused or not status.is_open else child.cancel_asked_at
    return _replace(child, status=status, filled=filled, value=value, cancel_asked_at=asked)


def _status(child: Child, told: OrderStatus) -> OrderStatus:
    known = child.status
    if known is OrderStatus.ABSENT:
        return known if told in _BEFORE_ANSWER else told  # late evidence: it is there after all
    if known.is_terminal or told is OrderStatus.CREATED:
        return known
    if told in _BEFORE_ANSWER and known is not OrderStatus.SENT:
        return known
    return told


def _judged(state: ParentState, before: Child, after: Child, reason: str, now: datetime) -> ParentState:
    """Refusals make the parent wait, and too many of them pause it; a replaced child or too many fills fail it."""
    if after.filled > after.quantity or after.status is OrderStatus.REPLACED:
        what = "filled beyond its quantity" if after.filled > after.quantity else "replaced by somebody else"
        return failed(state, f"child {after.number} was {what}")
    if state.filled > state.order.quantity:
        return failed(state, f"{state.filled} filled, but only {state.order.quantity} were wanted")
    if after.status is before.status or after.status not in _NEVER_THERE:
        return _replace(state, rejections=0) if after.filled > before.filled else state
    count = state.rejections + (after.status in _REFUSED)
    state = _replace(state, rejections=count, not_before=now + state.order.limits.retry_after)
    if count >= state.order.limits.max_rejections and state.status is ParentStatus.WORKING:
        why = f": {reason}" if reason else ""
        return _replace(state, status=ParentStatus.PAUSED, reason=f"{count} children in a row were refused{why}")
    return state


def failed(state: ParentState, reason: str) -> ParentState:
    """The parent stops, because something happened that it has no answer to."""
    return _replace(state, status=ParentStatus.STOPPING, becomes=ParentStatus.FAILED, reason=reason)
