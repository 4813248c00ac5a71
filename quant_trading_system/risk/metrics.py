"""The risk numbers that are reported everywhere: `var_95`, `current_drawdown`, `daily_pnl`, `position_concentration`.

Drawdowns are statistics on float arrays; money and exposures are the exact `Decimal` of the books. What cannot
be known is None, never 0: an unknown risk must not look like no risk. The other measures of the value-at-risk
family are in `value_at_risk`, its back-tests in `var_tests`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quant_trading_system.core.exceptions import InvalidNumber, MarketDataError
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.risk.value_at_risk import var_95

__all__ = [
    "Drawdown",
    "current_drawdown",
    "daily_pnl",
    "daily_return",
    "drawdown_series",
    "gross_exposure",
    "herfindahl",
    "max_drawdown",
    "net_exposure",
    "position_concentration",
    "sector_exposure",
    "var_95",
]

Curve = ArrayLike | Sequence[Decimal]
"""An equity curve: an array, or the dollars of the books."""


def drawdown_series(equity: Curve) -> NDArray[np.float64]:
    """Loss from the highest equity so far, at every point: 1 − Vₜ / max(V₀ … Vₜ).

    Args:
        equity: dollars, or any index that compounds, shape [n]; the first value is the first peak.

    Returns:
        Fractions, 0 at a peak; above 1 only if equity fell below zero; empty for an empty curve.

    Raises:
        InvalidNumber: NaN or infinity, or a first value that is not above zero.

    Source:
        Magdon-Ismail & Atiya (2004).
    """
    curve = np.asarray(equity, dtype=np.float64)
    if not np.isfinite(curve).all():
        raise InvalidNumber(f"equity {int(np.argmin(np.isfinite(curve)))} is not a finite number")
    if not len(curve):
        return curve
    if curve[0] <= 0:
        raise InvalidNumber(f"an equity curve must start above zero, not at {curve[0]}")
    return np.asarray(1 - curve / np.maximum.accumulate(curve), dtype=np.float64)


def current_drawdown(equity: Curve) -> float | None:
    """The last value of `drawdown_series`; None for an empty curve."""
    series = drawdown_series(equity)
    return float(series[-1]) if len(series) else None


class Drawdown(NamedTuple):
    """One fall from a peak, by positions in the equity curve.

    Attributes:
        depth: fraction of the peak that was lost.
        peak: the last point at the peak; trough: the lowest point after it.
        recovery: the first point back at the peak; None while still below.
    """

    depth: float
    peak: int
    trough: int
    recovery: int | None


def max_drawdown(equity: Curve) -> Drawdown | None:
    """The deepest fall of an equity curve, the earliest of several; depth 0 if it never fell, None if it is empty.

    Arguments and errors are those of `drawdown_series`.
    """
    curve = np.asarray(equity, dtype=np.float64)
    series = drawdown_series(curve)
    if not len(series):
        return None
    trough = int(np.argmax(series))
    height = curve[: trough + 1].max()
    peak = int(np.flatnonzero(curve[: trough + 1] == height)[-1])
    later = np.flatnonzero(curve[trough:] >= height)
    return Drawdown(float(series[trough]), peak, trough, trough + int(later[0]) if len(later) else None)


def daily_pnl(equity: Decimal, prior_close: Decimal, net_flows: Decimal = ZERO) -> Decimal:
    """Dollars gained since the prior close, without the money that merely came or went.

    Args:
        equity: dollars now; prior_close: dollars at the end of the session before.
        net_flows: deposits minus withdrawals since then, dollars.

    >>> daily_pnl(Decimal("489250.00"), Decimal("500000.00"), Decimal("-8000.00"))
    Decimal('-2750.00')
    """
    return equity - prior_close - net_flows


def daily_return(equity: Decimal, prior_close: Decimal, net_flows: Decimal = ZERO) -> Decimal | None:
    """`daily_pnl` as a fraction of the equity at the prior close; None when that was not above zero."""
    return daily_pnl(equity, prior_close, net_flows) / prior_close if prior_close > 0 else None


def position_concentration(values: Mapping[str, Decimal], equity: Decimal) -> Decimal | None:
    """The largest position as a fraction of equity; a short counts with its absolute value.

    Args:
        values: symbol to market value in dollars, negative when short.
        equity: dollars.

    Returns:
        At least 0, above 1 with borrowed money; None when equity is not above zero.
    """
    return max((abs(value) for value in values.values()), default=ZERO) / equity if equity > 0 else None


def gross_exposure(values: Mapping[str, Decimal], equity: Decimal) -> Decimal | None:
    """Sum of absolute position values as a fraction of equity; arguments and result as `position_concentration`."""
    return _gross(values) / equity if equity > 0 else None


def net_exposure(values: Mapping[str, Decimal], equity: Decimal) -> Decimal | None:
    """Long minus short as a fraction of equity, negative when net short; else as `position_concentration`."""
    return sum(values.values(), ZERO) / equity if equity > 0 else None


def herfindahl(values: Mapping[str, Decimal]) -> Decimal | None:
    """Sum of squared shares of the gross value: 1 for a single position, 1/n for n equal ones, None for none."""
    gross = _gross(values)
    return sum(((value / gross) ** 2 for value in values.values()), ZERO) if gross else None


def sector_exposure(
    values: Mapping[str, Decimal], sectors: Mapping[str, str], equity: Decimal
) -> dict[str, Decimal] | None:
    """Sum of absolute position values of each sector as a fraction of equity, sectors in the order of `values`.

    Raises:
        MarketDataError: a symbol has no sector.
    """
    if equity <= 0:
        return None
    totals: dict[str, Decimal] = {}
    for symbol, value in values.items():
        if symbol not in sectors:
            raise MarketDataError(f"{symbol} has no sector; name one in the universe")
        totals[sectors[symbol]] = totals.get(sectors[symbol], ZERO) + abs(value)
    return {sector: total / equity for sector, total in totals.items()}


def _gross(values: Mapping[str, Decimal]) -> Decimal:
    return sum((abs(value) for value in values.values()), ZERO)
