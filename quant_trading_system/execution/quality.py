"""How well orders were executed: fill rate, slippage, latency, rejection rate.

Rates are undefined, not zero, while there was no order. Slippage is measured in dollars against the mid at
the decision; positive is a cost on either side.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from decimal import Decimal

import msgspec

from quant_trading_system.core.numbers import BASIS_POINT, ZERO
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.execution.order_store import OrderRecord

BROKER = "broker"
"""Stands beside the rules of the gate for orders that the broker refused."""

_PLACES = Decimal("1E-6")
_NO_TIME, _MICROSECOND = timedelta(0), timedelta(microseconds=1)


class QualityNumbers(msgspec.Struct, frozen=True, kw_only=True):
    """The execution quality of a set of orders.

    Attributes:
        orders: orders asked for, refused ones included; `submitted`: those that left us.
        fill_rate: completely filled orders / submitted orders.
        quantity_fill_rate: shares filled / shares submitted.
        rejection_rate: refused by the gate or the broker / all orders.
        slippage: average cost against the mid at the decision, basis points weighted by value; positive hurts.
        slippage_usd: the same in dollars, in total.
        latency_ms: median time from submission to acknowledgement; `latency_p95_ms`: nearest rank.
        rejections: refusals by rule; ``broker`` for those of the broker.
    """

    orders: int
    submitted: int
    filled: int
    fill_rate: Decimal | None
    quantity_fill_rate: Decimal | None
    rejection_rate: Decimal | None
    slippage: Decimal | None
    slippage_usd: Decimal
    latency_ms: Decimal | None
    latency_p95_ms: Decimal | None
    rejections: dict[str, int]


def measure(records: list[OrderRecord]) -> QualityNumbers:
    """The numbers for `records`; orders that are still open count as submitted.

    Legs do not count: nobody sent them by themselves, and of two exits one is meant to end unfilled.
    """
    records = [record for record in records if not record.parent]
    refusals: Counter[str] = Counter()
    sent: list[OrderRecord] = []
    for record in records:
        if record.rejection is not None:
            refusals[record.rejection.rule.value] += 1
        elif record.status is not OrderStatus.UNSENT:
            sent.append(record)
    ends = Counter([record.status for record in sent])
    filled, refusals[BROKER] = ends[OrderStatus.FILLED], ends[OrderStatus.REJECTED]
    bought = sum([record.filled for record in sent], ZERO)
    wanted = sum([record.quantity for record in sent], ZERO)
    cost, value = _slippage(sent)
    latencies = sorted([_latency(record) for record in sent if record.acknowledged_at is not None])
    return QualityNumbers(
        orders=len(records),
        submitted=len(sent),
        filled=filled,
        fill_rate=_ratio(Decimal(filled), Decimal(len(sent))),
        quantity_fill_rate=_ratio(bought, wanted),
        rejection_rate=_ratio(Decimal(refusals.total()), Decimal(len(records))),
        slippage=_ratio(cost, value * BASIS_POINT),
        slippage_usd=cost,
        latency_ms=_rank_ms(latencies, Decimal("0.5")),
        latency_p95_ms=_rank_ms(latencies, Decimal("0.95")),
        rejections=dict(sorted((+refusals).items())),
    )


def _slippage(records: list[OrderRecord]) -> tuple[Decimal, Decimal]:
    """Dollars of cost, and dollars at the expected prices, over the orders where both are known."""
    cost = value = ZERO
    for record in records:
        slipped, expected = record.slippage, record.expected_price
        if slipped is not None and expected is not None:
            cost += slipped
            value += expected * record.filled
    return cost, value


def _latency(record: OrderRecord) -> timedelta:
    if record.sent_at is None or record.acknowledged_at is None:
        return _NO_TIME
    return record.acknowledged_at - record.sent_at


def _ratio(part: Decimal, whole: Decimal) -> Decimal | None:
    return (part / whole).quantize(_PLACES) if whole else None


def _rank_ms(ordered: list[timedelta], share: Decimal) -> Decimal | None:
    """Nearest-rank percentile, milliseconds."""
    if not ordered:
        return None
    found = ordered[max(-(-int(share * 100) * len(ordered) // 100) - 1, 0)]
    return Decimal(found // _MICROSECOND) / 1000
