"""Implementation shortfall planned again from what is left: the float side of the adaptive algorithm."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import msgspec

from quant_trading_system.execution.algo.almgren_chriss import ShortfallProblem, optimal_trajectory

_LEAST, _MOST = 0.25, 4.0
"""How far the impact may be scaled by what is seen; beyond it, data are more likely wrong than the market."""


def replanned_weights(
    problem: ShortfallProblem, number: int, remaining: Decimal, level: Decimal, spread: Decimal
) -> tuple[Fraction, ...]:
    """Weights of the slices from `number` on, optimal for what is left in the market as it is.

    Temporary impact falls with the volume and grows with the spread, as in section 4 of Almgren & Chriss (2000),
    where one per cent of the volume costs a spread; a thin or wide market is hence traded more evenly, a busy or
    tight one earlier.

    Args:
        problem: as it was planned for the whole order.
        number: of the slice that begins now.
        remaining: shares neither filled nor outstanding, above 0.
        level: volume of the day so far, relative to expectation.
        spread: of the quote, dollars a share.
    """
    left = problem.slices - number
    usual = 2 * problem.fixed
    wideness = _clipped(float(spread) / usual) if usual else 1.0
    now = msgspec.structs.replace(
        problem,
        quantity=float(remaining),
        horizon=problem.slice_length * left,
        slices=left,
        temporary=max(problem.temporary * wideness / _clipped(float(level)), problem.permanent * problem.slice_length),
        drift=problem.drift[number:],
    )
    return optimal_trajectory(now).weights


def _clipped(factor: float) -> float:
    return min(max(factor, _LEAST), _MOST)
