"""Orders that are not in memory, rebuilt from what the journal says about them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import ROUND_CEILING, Decimal

from msgspec.structs import replace

from quant_trading_system.core.decisions import Decision, Rejection
from quant_trading_system.core.events import AnyEvent, FillCorrected, FillEvent, OrderEvent
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.core.order_state import BROKER_WORDS, OrderStatus
from quant_trading_system.core.orders import Order
from quant_trading_system.execution.broker import Execution
from quant_trading_system.execution.order_store import OrderRecord

_NINE_DECIMALS = Decimal("1E-9")


def record_from(events: Iterable[tuple[int, AnyEvent]]) -> OrderRecord | None:
    """The record that these entries add up to; None when they tell of no order.

    Args:
        events: number and event of every entry about one order, oldest first.
    """
    record: OrderRecord | None = None
    for seq, event in events:
        if isinstance(event, OrderEvent):
            if record is None:
                record = _begun(seq, event)
            if record is not None:
                _continue(record, event)
        elif isinstance(event, FillEvent) and record is not None:
            _fill(record, event)
        elif isinstance(event, FillCorrected) and record is not None:
            _correct(record, event)
    return record


def with_older(record: OrderRecord, recall: Callable[[str], OrderRecord | None]) -> list[OrderRecord]:
    """The order, after those whose places were taken before it, oldest first, as far back as `recall` knows them.

    Raises:
        JournalError: it raised that.
    """
    found = [record]
    while found[-1].replaces and (old := recall(found[-1].replaces)) is not None:
        found.append(old)
    return found[::-1]


def _begun(seq: int, event: OrderEvent) -> OrderRecord | None:
    if event.order is None:
        return None
    if event.decision is None:
        return _adopted(seq, event, event.order)
    order, decision = event.order, event.decision
    record = OrderRecord(order, _shares(order, decision))
    record.sent_seq, record.sent_at = seq, event.at
    record.replaces = event.replaces
    if decision.plan is not None:
        record.expected_price = decision.plan.expected_price
    record.room_price = _dearest(order, decision.quote.ask if decision.quote is not None else ZERO)
    record.rejection = _rejection(event, decision)
    held = decision.position
    record.shrinks = bool(held) and (held > 0) != (order.signed_quantity > 0) and order.quantity <= abs(held)
    return record


def _rejection(event: OrderEvent, decision: Decision) -> Rejection | None:
    """The answer that the gate gave when it said no, to the last digit."""
    rule = decision.refused_by
    if event.status is not OrderStatus.DENIED or rule is None:
        return None
    refused = next((check for check in decision.checks if check.rule is rule and not check.passed), None)
    return Rejection(
        order_id=event.order_id,
        symbol=event.symbol,
        rule=rule,
        message=event.reason,
        limit=None if refused is None else refused.limit,
        actual=None if refused is None else refused.actual,
        decision=decision,
    )


def _adopted(seq: int, event: OrderEvent, order: Order) -> OrderRecord:
    """Somebody else's order, or a leg: no gate has judged it by itself, so no quote was kept with it."""
    record = OrderRecord(order, order.quantity)
    record.parent = event.parent
    record.sent_seq, record.sent_at = seq, event.at
    record.room_price = _dearest(order, ZERO) if event.valued_at is None else event.valued_at
    record.filled_before = event.filled_before
    return record


def _shares(order: Order, decision: Decision) -> Decimal:
    """Shares; of a dollar order the most that it can become."""
    if order.notional is None or decision.quote is None or decision.quote.bid <= 0:
        return order.quantity
    return (order.notional / decision.quote.bid).quantize(_NINE_DECIMALS, ROUND_CEILING)


def _dearest(order: Order, ask: Decimal) -> Decimal:
    """Dollars a share at which the room of the order is valued again."""
    return max(ask, order.limit_price or ZERO, order.stop_price or ZERO)


def _continue(record: OrderRecord, event: OrderEvent) -> None:
    record.status, record.pending = event.status, event.pending
    record.venue_order_id = event.venue_order_id or record.venue_order_id
    record.reason = event.reason or record.reason
    record.replaced_by = event.replaced_by or record.replaced_by
    record.quantity = record.quantity if event.quantity is None else event.quantity
    if event.trigger in BROKER_WORDS:
        record.acknowledged_at = record.acknowledged_at or event.at
    if not event.status.is_open:
        record.final_at = event.at


def _fill(record: OrderRecord, event: FillEvent) -> None:
    record.book(
        Execution(
            execution_id=event.execution_id,
            quantity=event.quantity,
            price=event.price,
            cumulative_quantity=event.cumulative_quantity,
            at=event.at,
            fee=event.fee,
        )
    )


def _correct(record: OrderRecord, event: FillCorrected) -> None:
    was = record.executions.get(event.execution_id)
    if was is not None:
        record.correct(replace(was, quantity=event.quantity, price=event.price, fee=event.fee))
