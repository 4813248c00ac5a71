"""What orders of a strategy are usually worth: the median of its latest ones."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from decimal import Decimal

REMEMBERED = 101
"""Orders of each strategy."""
FEWEST = 11
"""Orders before anything is usual."""


class UsualSizes:
    """Dollars of the latest orders by strategy. Adding one costs a search among `REMEMBERED`, asking nothing."""

    def __init__(self) -> None:
        """Begin without any."""
        self._latest: dict[str, deque[Decimal]] = {}
        self._sorted: dict[str, list[Decimal]] = {}

    def add(self, strategy: str, value: Decimal) -> None:
        """An order of `value` dollars leaves."""
        latest, ordered = self._latest.setdefault(strategy, deque()), self._sorted.setdefault(strategy, [])
        latest.append(value)
        insort(ordered, value)
        if len(latest) > REMEMBERED:
            del ordered[bisect_left(ordered, latest.popleft())]

    def of(self, strategy: str) -> Decimal | None:
        """The median, the lower one of two; None below `FEWEST` orders.

        >>> sizes = UsualSizes()
        >>> for dollars in range(1, 12):
        ...     sizes.add("Trend", Decimal(dollars))
        >>> sizes.of("Trend"), sizes.of("Other")
        (Decimal('6'), None)
        """
        ordered = self._sorted.get(strategy, ())
        return ordered[(len(ordered) - 1) // 2] if len(ordered) >= FEWEST else None
