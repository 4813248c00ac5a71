"""What the broker's history of one order says against what was booked: executions taken back, changed, or missed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from quant_trading_system.execution.broker import Execution


class Change(NamedTuple):
    """An execution that was booked, and what it is in truth: another one, or None when it was taken back."""

    was: Execution
    now: Execution | None


def changes(booked: Iterable[Execution], history: Iterable[Execution]) -> tuple[list[Change], list[Execution]]:
    """What is to be corrected, and what was never booked.

    The stream and the history may name one execution differently: what has no partner of its id finds one by the
    shares that it covers, then by its size and price. Later executions of an order move when one before them is
    taken back, so where they end is no difference.

    Args:
        history: all executions of the order, oldest first.
    """
    left = {execution.execution_id: execution for execution in booked}
    found: list[Change] = []
    strangers: list[Execution] = []
    for execution in history:
        mine = left.pop(execution.execution_id, None)
        if mine is None:
            strangers.append(execution)
        elif not _is_same(mine, execution):
            found.append(Change(mine, execution))
    new: list[Execution] = []
    for execution in strangers:
        partner = next((mine for mine in left.values() if _is_partner(mine, execution)), None)
        if partner is None:
            new.append(execution)
        else:
            del left[partner.execution_id]
    return found + [Change(mine, None) for mine in left.values()], new


def _is_same(mine: Execution, theirs: Execution) -> bool:
    return (mine.quantity, mine.price, mine.fee) == (theirs.quantity, theirs.price, theirs.fee)


def _is_partner(mine: Execution, theirs: Execution) -> bool:
    return (mine.quantity, mine.price) == (theirs.quantity, theirs.price)
