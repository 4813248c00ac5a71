"""Rebuilds the books from the entries alone and compares them with what the engine said its books were."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation, localcontext

import msgspec

from quant_trading_system.core.events import StateRecorded
from quant_trading_system.core.numbers import LEDGER, ZERO
from quant_trading_system.journal.order_fold import OrderView
from quant_trading_system.journal.parent_fold import ParentView
from quant_trading_system.journal.projection import Difference, Projection
from quant_trading_system.journal.store import JournalSource

MAX_DIFFERENCES = 1000
"""Differences kept in a report; more are counted."""

Disagreement = tuple[str, object, object]


class ReplayReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay gave.

    Attributes:
        projection: the books after the last entry.
        entries: entries replayed; `states`: how many of them recorded the engine's own books.
        differences: where the record contradicts itself, the first `MAX_DIFFERENCES` of `difference_count`.
    """

    projection: Projection
    entries: int
    states: int
    differences: tuple[Difference, ...]
    difference_count: int

    @property
    def agrees(self) -> bool:
        """The books recorded are the books that the entries give."""
        return not self.difference_count


def replay(source: JournalSource, until: int | None = None) -> ReplayReport:
    """Fold the entries of `source`, in order, up to entry `until` or to the end.

    Raises:
        JournalDamaged: an entry is not what was appended, or this version cannot read it.
    """
    projection = Projection(source.about)
    kept: list[Difference] = []
    entries = states = count = 0
    with localcontext(LEDGER):  # whatever the caller's thread does to its digits
        for entry in source.entries():
            if until is not None and entry.seq > until:
                break
            event = entry.event
            found = projection.apply(entry.seq, event)
            if isinstance(event, StateRecorded):
                states += 1
                found = [_difference(entry.seq, *field) for field in disagreements(projection, event)]
            kept += found[: MAX_DIFFERENCES - len(kept)]
            count += len(found)
            entries += 1
    return ReplayReport(
        projection=projection, entries=entries, states=states, differences=tuple(kept), difference_count=count
    )


def disagreements(books: Projection, state: StateRecorded) -> Iterator[Disagreement]:
    """Every field in which the engine's own books differ from `books`: name, recorded, folded."""
    yield from _differing_orders(books.orders.open, state.open_orders)
    yield from _differing_parents(books.parents.open, state.parents)
    held = {symbol: position for symbol, position in books.positions.items() if position.quantity}
    yield from _differing_numbers("position", state.positions, {s: p.quantity for s, p in held.items()})
    yield from _differing_numbers("cost", state.costs, {s: p.cost for s, p in held.items()})
    totals: tuple[tuple[str, Decimal | int, Decimal | int], ...] = (
        ("cash", state.cash, books.cash),
        ("realized_pnl", state.realized_pnl, books.realized_pnl),
        ("fees", state.fees, books.fees),
        ("halt_level", state.halt_level, books.halt.level),
        ("orders", state.orders, books.run_orders),
        ("fills", state.fills, books.run_fills),
    )
    yield from (total for total in totals if total[1] != total[2])


def _differing_orders(views: Mapping[str, OrderView], recorded: Mapping[str, str]) -> Iterator[Disagreement]:
    for order_id in sorted({*views, *recorded}):
        view, text = views.get(order_id), recorded.get(order_id)
        folded = f"{view.status}/{view.executed}" if view else "not open"
        if text is None or view is None or not _is_same(text, view):
            yield f"order {order_id}", text or "not open", folded
        if view is not None and view.quantity_filled > view.executed:  # less is a fill that no order event followed
            yield f"quantity_filled of {order_id}", view.quantity_filled, view.executed


def _is_same(text: str, view: OrderView) -> bool:
    """True for ``partially_filled/30.0`` and 30 shares: numbers are compared, not their spelling."""
    status, _, filled = text.partition("/")
    try:
        return status == view.status and Decimal(filled) == view.executed
    except InvalidOperation:
        return False


def _differing_parents(views: Mapping[str, ParentView], recorded: Mapping[str, str]) -> Iterator[Disagreement]:
    for parent_id in sorted({*views, *recorded}):
        view, said = views.get(parent_id), recorded.get(parent_id, "not open")
        folded = "not open" if view is None else f"{view.status}/{view.filled}"
        if said != folded:
            yield f"parent {parent_id}", said, folded


def _differing_numbers(
    name: str, recorded: Mapping[str, Decimal], folded: Mapping[str, Decimal]
) -> Iterator[Disagreement]:
    for symbol in sorted({*recorded, *folded}):
        said, given = recorded.get(symbol, ZERO), folded.get(symbol, ZERO)
        if said != given:
            yield f"{name} {symbol}", said, given


def _difference(seq: int, field: str, recorded: object, folded: object) -> Difference:
    return Difference(seq, field, str(recorded), str(folded))
