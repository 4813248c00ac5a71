"""How the second simulation cuts what is wanted to the limits.

Written from docs/sizing.md alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from tests.support.reference_limits import Limits
from tests.support.reference_prices import down

ZERO = Fraction(0)
FINE = Fraction(1, 10**12)


@dataclass
class Target:
    """Dollars that are wanted of a symbol, negative for short.

    Attributes:
        is_cut: they are fewer than were wanted at first.
    """

    symbol: str
    dollars: Fraction
    is_cut: bool = False

    def cut(self, dollars: Fraction) -> None:
        """Want less."""
        self.dollars, self.is_cut = dollars, True


def fit(
    targets: Iterable[Target],
    equity: Fraction,
    limits: Limits,
    staying: Mapping[str, Fraction],
    held: Collection[str],
    correlation: Callable[[str, str], Fraction | None],
) -> dict[str, Target]:
    """Cut them until all are within the limits.

    Args:
        staying: dollars of positions that keep what they have.
    """
    taken: list[Target] = []
    for target in sorted(targets, key=lambda one: (one.symbol not in held, -abs(one.dollars), one.symbol)):
        if abs(target.dollars) > limits.position * equity:
            target.cut(limits.position * equity * (1 if target.dollars > 0 else -1))
        others = {**staying, **{one.symbol: one.dollars for one in taken}}
        if any(_are_alike(target, symbol, dollars, limits, correlation) for symbol, dollars in others.items()):
            target.cut(ZERO)
        taken.append(target)
    wanted = sorted((one for one in taken if one.dollars), key=lambda one: (-abs(one.dollars), one.symbol))
    for target in wanted[max(limits.positions - len(staying), 0) :]:
        target.cut(ZERO)
    for sector in {limits.sectors.get(one.symbol) for one in taken}:
        stays = [value for symbol, value in staying.items() if limits.sectors.get(symbol) == sector]
        mine = [one for one in taken if limits.sectors.get(one.symbol) == sector]
        _shrink(mine, limits.sector * equity, stays)
    _shrink(taken, min(limits.gross, limits.power) * equity, staying.values())
    return {one.symbol: one for one in taken}


def _are_alike(
    target: Target,
    other: str,
    dollars: Fraction,
    limits: Limits,
    correlation: Callable[[str, str], Fraction | None],
) -> bool:
    """They move too much alike, or nobody knows."""
    if not target.dollars or not dollars:
        return False
    found = correlation(target.symbol, other)
    return found is None or found * (1 if target.dollars * dollars > 0 else -1) > limits.correlation


def _shrink(targets: list[Target], limit: Fraction, staying: Iterable[Fraction]) -> None:
    """All in proportion, to what the positions that stay leave of the limit."""
    room = max(limit - sum(abs(value) for value in staying), ZERO)
    total = sum((abs(one.dollars) for one in targets), ZERO)
    if total > room:
        for target in targets:
            if target.dollars:
                target.cut(target.dollars * down(room / total, FINE))
