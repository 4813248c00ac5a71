"""Engle and Granger's test: do two prices wander together?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quant_trading_system.core.exceptions import InvalidNumber

Floats = NDArray[np.float64]

CRITICAL = {0.01: (-3.89644, -10.9519, -22.527), 0.05: (-3.33613, -6.1101, -6.823), 0.10: (-3.04445, -4.2412, -2.720)}
"""MacKinnon (2010), table 2, two variables with a constant: β∞, β1, β2 of β∞ + β1/T + β2/T², by level.

T counts the changes of the residuals. A simulation of the test at T = 19 agrees to 0.002 at all three levels.
"""


class Cointegration(NamedTuple):
    """The line y ≈ intercept + slope · x, and how surely what is left returns to zero.

    Attributes:
        residuals: [T]; statistic: t of the lagged residual, the more negative the surer.
        critical: below it the two are cointegrated at the level that was asked for.
    """

    intercept: float
    slope: float
    residuals: Floats
    statistic: float
    critical: float

    @property
    def is_found(self) -> bool:
        """True when having no common path is rejected."""
        return self.statistic < self.critical


def engle_granger(y: Floats, x: Floats, *, level: float = 0.05, lags: int = 1) -> Cointegration:
    """Regress `y` [T] on `x` [T], then ask whether the residuals have a unit root, with `lags` lagged changes.

    Source: Engle & Granger (1987); MacKinnon (2010) for the critical values.

    Raises:
        InvalidNumber: fewer than 30 observations, one that is not finite, an `x` that never moves, or a level without
            critical values (0.01, 0.05 and 0.10 have them).
    """
    if len(x) != len(y) or len(y) < 30 or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise InvalidNumber("cointegration needs two series of one length, finite, with at least 30 observations")
    if level not in CRITICAL or not x.std() > 0:
        raise InvalidNumber(f"cointegration needs a moving series, and a level of {', '.join(map(str, CRITICAL))}")
    slope = float(((x - x.mean()) @ (y - y.mean())) / ((x - x.mean()) @ (x - x.mean())))
    intercept = float(y.mean() - slope * x.mean())
    residuals = y - intercept - slope * x
    limit, first, second = CRITICAL[level]
    count = len(y) - 1
    critical = limit + first / count + second / count**2
    return Cointegration(intercept, slope, residuals, dickey_fuller(residuals, lags), critical)


def dickey_fuller(series: Floats, lags: int = 1) -> float:
    """The t statistic of ρ in Δeₜ = ρ·eₜ₋₁ + Σ γᵢ·Δeₜ₋ᵢ, without a constant; zero for a series without any change.

    Source: Said & Dickey (1984).
    """
    changes = np.diff(series)
    target = changes[lags:]
    columns = [series[lags:-1], *(changes[lags - i : -i] for i in range(1, lags + 1))]
    known = np.column_stack(columns)
    found, *_ = np.linalg.lstsq(known, target, rcond=None)
    left = target - known @ found
    spread = float(left @ left) / (len(target) - known.shape[1])
    variance = spread * float(np.linalg.pinv(known.T @ known)[0, 0])
    return float(found[0] / np.sqrt(variance)) if variance > 0 else 0.0
