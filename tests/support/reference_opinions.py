"""Which of the wishes of several strategies counts in the second simulation, and how long.

Written from docs/strategies.md alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from tests.support.reference_sizing import Wish
from tests.support.reference_venue import Sent
from tests.support.reference_words import Said

FOREVER = 10**18


@dataclass(eq=False)
class Pursuit:
    """A wish on its way.

    Attributes:
        until: it is given up at this moment.
        wanted: shares to be held, None before it was sized.
        order: the last one that was sent for it, or for the wish whose place it took.
    """

    wish: Wish
    until: int
    wanted: Fraction | None = None
    order: Sent | None = None

    @property
    def has_ended(self) -> bool:
        """Its order has, and not all of it has filled."""
        order = self.order
        return self.wanted is not None and order is not None and not order.is_open and order.status != "filled"


class Opinions:
    """The latest wish of each strategy for each symbol, and the moment at which it is forgotten."""

    def __init__(self) -> None:
        self._latest: dict[str, dict[str, tuple[Wish, int]]] = {}
        self._spoken_at = 0

    def hear(self, said: Iterable[Said], at: int) -> None:
        """What strategies say at the end of a bar."""
        self._spoken_at = at
        for one in said:
            if isinstance(one, Wish):
                until = FOREVER if one.lasts is None else at + one.lasts
                self._latest.setdefault(one.symbol, {})[one.source] = (one, until)

    def taken_up(self, said: Iterable[Said]) -> list[tuple[Wish, int]]:
        """Of each symbol that somebody has named, the wish that counted then, whoever has said it and when."""
        symbols = dict.fromkeys(one.symbol for one in said if isinstance(one, Wish))
        return [found for symbol in symbols if (found := self._first(symbol, self._spoken_at)) is not None]

    def counting(self, at: int) -> Sequence[Wish]:
        """The wish that counts of each symbol, by name."""
        return [found[0] for symbol in sorted(self._latest) if (found := self._first(symbol, at)) is not None]

    def _first(self, symbol: str, at: int) -> tuple[Wish, int] | None:
        """The most confident one, then the stronger one, then that of the first name."""
        alive = [one for one in self._latest[symbol].values() if at < one[1]]
        return min(alive, key=lambda one: (-one[0].confidence, -one[0].strength, one[0].source), default=None)
