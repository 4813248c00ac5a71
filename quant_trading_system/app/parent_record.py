"""The record of a parent order: what was expected before its first child left, and what became of it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

from quant_trading_system.app.check_lines import CheckLine, check_lines
from quant_trading_system.core.numbers import dollar_sign, plain
from quant_trading_system.execution.parent_history import ChildLine, ParentHistory, parents_of
from quant_trading_system.journal.store import JournalSource


class ParentRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One parent.

    Attributes:
        quantity: shares wanted now; `outstanding`: what its children may still trade.
        expected_bps: cost of the plan against `expected_price`, None where it could not be known.
        answers: step 3 of the checklist, question and answer.
        checks: what the gate answered about all of it.
    """

    parent_id: str
    symbol: str
    side: str
    algorithm: str
    strategy: str
    status: str
    reason: str
    started_at: datetime
    quantity: Decimal
    filled: Decimal
    outstanding: Decimal
    expected_price: Decimal | None
    expected_bps: Decimal | None
    answers: tuple[tuple[str, str], ...]
    checks: tuple[CheckLine, ...]
    children: tuple[ChildLine, ...]


def parent_records(journal: JournalSource) -> list[ParentRecord]:
    """Every parent of the journal, in the order in which they began.

    Raises:
        JournalDamaged: an entry cannot be read.
    """
    return [record_of(parent) for parent in parents_of(journal)]


def parent_record(journal: JournalSource, parent_id: str) -> ParentRecord | None:
    """The parent of that id; None when there is none."""
    return next((record for record in parent_records(journal) if record.parent_id == parent_id), None)


def record_of(parent: ParentHistory) -> ParentRecord:
    """The record of one parent."""
    first, last, plan = parent.first, parent.last, parent.plan
    expected = None if plan is None else plan.expected_slippage_bps
    price = None if plan is None else plan.expected_price
    return ParentRecord(
        parent_id=first.parent_id,
        symbol=first.symbol,
        side=first.side.value,
        algorithm=first.algorithm,
        strategy=first.strategy,
        status=last.status,
        reason=last.reason,
        started_at=first.at,
        quantity=last.quantity,
        filled=last.filled,
        outstanding=last.outstanding,
        expected_price=price,
        expected_bps=expected,
        answers=_answers(parent, expected, price),
        checks=check_lines(parent.decision.checks),
        children=tuple(parent.children.values()),
    )


def _answers(parent: ParentHistory, expected: Decimal | None, price: Decimal | None) -> tuple[tuple[str, str], ...]:
    plan = parent.plan
    if plan is None:
        return ()
    cost = "unknown" if expected is None else f"{plain(expected)} bp"
    if price is not None:
        cost += f" against {dollar_sign(plain(price))}"
    return (
        ("Large order: TWAP, VWAP or IS?", f"{plan.choice}: {plan.why}"),
        ("Urgency against market impact?", f"urgency {plain(plan.urgency)} of 1"),
        ("What slippage is expected?", cost),
    )
