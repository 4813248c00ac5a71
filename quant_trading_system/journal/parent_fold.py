"""Parent orders as the entries give them: the latest state of each that has not ended.

What the states mean is the business of the execution algorithms; here they are plain data that grows by
differences.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from quant_trading_system.core.decisions import ExecutionPlan
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.core.parent_events import ParentEvent


class ParentView(msgspec.Struct, kw_only=True):
    """One parent order that has not ended.

    Attributes:
        seq: its first entry.
        order: the parent order as it was given, `state`: everything that became of it; both as plain data.
        plan: how it is worked, and what that was expected to cost.
        others_volume: shares that others had traded since its start, as far as it has seen.
    """

    parent_id: str
    seq: int
    symbol: str
    status: str
    filled: Decimal
    order: dict[str, Any]
    plan: ExecutionPlan
    state: dict[str, Any]
    others_volume: Decimal = ZERO


class ParentFold:
    """Every parent order, by id while it has not ended."""

    def __init__(self, differ: Callable[[str, object, object], None]) -> None:
        """Begin without any; `differ` is told where an entry contradicts those before it."""
        self.open: dict[str, ParentView] = {}
        self._differ = differ

    def change(self, seq: int, event: ParentEvent) -> None:
        """Take in the next event of a parent."""
        view = self.open.get(event.parent_id)
        if view is None:
            if event.begun is None or event.begun.decision.plan is None:
                self._differ(f"parent {event.parent_id}", event.status, "never begun, or ended before")
                return
            plan = event.begun.decision.plan
            view = self.open[event.parent_id] = ParentView(
                parent_id=event.parent_id,
                seq=seq,
                symbol=event.symbol,
                status=event.status,
                filled=ZERO,
                order=event.begun.order,
                plan=plan,
                state={},
            )
        elif event.begun is not None:
            self._differ(f"parent {event.parent_id}", "begun", "begun in an earlier entry")
        view.status, view.filled = event.status, event.filled
        if event.market is not None and event.market.others_volume is not None:
            view.others_volume = event.market.others_volume
        _merge(view.state, event.change)
        if event.ended:
            del self.open[event.parent_id]


def _merge(state: dict[str, Any], change: dict[str, Any]) -> None:
    """Bring `state` up to date; children are replaced one by one, by their number."""
    children: list[dict[str, Any]] = state.get("children", [])
    state.update(change)
    for child in change.get("children", ()):
        place = child["number"] - 1
        children[place : place + 1] = [child]
    if children:
        state["children"] = children
