"""Value at risk and expected shortfall of a sample of returns.

Returns are simple returns of equal periods as fractions (0.01 is 1 %). Results are losses, hence positive when
they hurt; they are not clipped, so a portfolio that only ever gained has a negative value at risk. What
cannot be known is None, never 0: an unknown risk must not look like no risk.
"""

from __future__ import annotations

from decimal import Decimal
from math import ceil, sqrt
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quant_trading_system.core.exceptions import InvalidNumber
from quant_trading_system.core.numbers import ONE, ZERO, exact

_NINETY_FIVE = Decimal("0.95")
_NORMAL = NormalDist()
_NEARLY_NORMAL = 1_000.0
DRAWS = 20_000
"""Draws of a Monte Carlo: the standard error of the value at risk at 99 % is then about 1.5 % of it."""

_Floats = NDArray[np.float64]


def var_95(returns: ArrayLike) -> float | None:
    """Historical value at risk at 95 %: the loss of one period that 95 % of the past periods stayed within.

    Returns:
        A fraction, positive for a loss; None with fewer than 20 returns.

    Raises:
        InvalidNumber: NaN or infinity among the returns.
    """
    return historical_var(returns, _NINETY_FIVE)


def historical_var(returns: ArrayLike, confidence: Decimal | str) -> float | None:
    """The smallest loss l with F(l) ≥ c: the ⌈n·c⌉-th smallest of n losses.

    The rank is computed exactly. In binary floats 100 · (1 − 0.95) is 5.000000000000004, and the next larger
    rank would be taken without anybody noticing.

    Args:
        returns: fractions per period.
        confidence: above 0 and below 1, as text or `Decimal`, for example ``"0.95"``.

    Returns:
        A fraction, positive for a loss; None with fewer than ⌈1 / (1 − c)⌉ returns.

    Raises:
        InvalidNumber: NaN or infinity among the returns, or a confidence that is none or a float.

    Source:
        Rockafellar & Uryasev (2002); McNeil, Frey & Embrechts (2015).
    """
    level = confidence_level(confidence)
    losses = _enough_losses(returns, level)
    if losses is None:
        return None
    return float(np.sort(losses)[ceil(len(losses) * level) - 1])


def interpolated_var(returns: ArrayLike, confidence: Decimal | str) -> float | None:
    """The historical value at risk that spreadsheets give: linear interpolation between the two nearest losses.

    Arguments, result and errors are those of `historical_var`.
    """
    level = confidence_level(confidence)
    losses = _enough_losses(returns, level)
    return None if losses is None else float(np.quantile(losses, float(level)))


def historical_cvar(returns: ArrayLike, confidence: Decimal | str) -> float | None:
    """Expected shortfall: mean of the worst n·(1 − c) losses, the last of them counted in part.

        1 / t · [sum of the ⌊t⌋ largest losses + (t − ⌊t⌋) · the next one],   t = n·(1 − c)

    Never below `historical_var`. Arguments, result and errors are those of `historical_var`.

    Source:
        Rockafellar & Uryasev (2002).
    """
    level = confidence_level(confidence)
    losses = _enough_losses(returns, level)
    if losses is None:
        return None
    tail = len(losses) * (ONE - level)
    whole = int(tail)
    worst = np.sort(losses)[::-1]
    return float((worst[:whole].sum() + float(tail - whole) * worst[min(whole, len(worst) - 1)]) / float(tail))


def parametric_var(returns: ArrayLike, confidence: Decimal | str) -> float | None:
    """−(μ + z·σ) of a normal distribution with the sample's mean and standard deviation (divisor n − 1).

    Arguments, result and errors are those of `historical_var`.
    """
    level = confidence_level(confidence)
    losses = _enough_losses(returns, level)
    if losses is None:
        return None
    sample = moments(-losses)
    return -(sample.mean + _z(level) * sample.deviation)


def parametric_cvar(returns: ArrayLike, confidence: Decimal | str) -> float | None:
    """−μ + σ·φ(z)/(1 − c): the mean loss beyond `parametric_var`.

    Arguments, result and errors are those of `historical_var`.
    """
    level = confidence_level(confidence)
    losses = _enough_losses(returns, level)
    if losses is None:
        return None
    sample = moments(-losses)
    return -sample.mean + sample.deviation * _NORMAL.pdf(_z(level)) / float(ONE - level)


def cornish_fisher_var(returns: ArrayLike, confidence: Decimal | str) -> float | None:
    """Value at risk of a distribution with the sample's skewness and kurtosis.

    Arguments and errors are those of `historical_var`.

    Returns:
        A fraction; None also where the expansion does not hold for such skewness and kurtosis.

    Source:
        Zangari (1996); Maillard (2012).
    """
    both = _cornish_fisher(returns, confidence_level(confidence))
    return None if both is None else both[0]


def cornish_fisher_cvar(returns: ArrayLike, confidence: Decimal | str) -> float | None:
    """Mean loss beyond `cornish_fisher_var`: the tail integral of the same quantile.

    Arguments, result and errors are those of `cornish_fisher_var`.

    Source:
        Maillard (2012). Boudt, Peterson & Croux (2008) integrate another density and get other numbers.
    """
    both = _cornish_fisher(returns, confidence_level(confidence))
    return None if both is None else both[1]


def monte_carlo_var(returns: ArrayLike, confidence: Decimal | str, *, seed: int) -> float | None:
    """Value at risk of many draws from a Student t with the sample's mean, deviation and excess kurtosis K.

    Its degrees of freedom are 4 + 6/K, at most 1 000 (nearly normal), which is also taken for K ≤ 0. Arguments, result
    and errors are those of `historical_var`.

    Args:
        seed: of the draws; the same seed gives the same number.

    Source:
        McNeil, Frey & Embrechts (2015), chapter 6: moments of the Student t.
    """
    drawn = _draws(returns, confidence_level(confidence), seed)
    return None if drawn is None else historical_var(drawn, confidence)


def monte_carlo_cvar(returns: ArrayLike, confidence: Decimal | str, *, seed: int) -> float | None:
    """Expected shortfall of the same draws as `monte_carlo_var`."""
    drawn = _draws(returns, confidence_level(confidence), seed)
    return None if drawn is None else historical_cvar(drawn, confidence)


class Moments(NamedTuple):
    """What a sample looks like: `deviation` with divisor n − 1, `skewness` and `excess_kurtosis` with n."""

    mean: float
    deviation: float
    skewness: float
    excess_kurtosis: float


def moments(values: _Floats) -> Moments:
    """The first four moments of at least two values; skewness and kurtosis are 0 when nothing varies."""
    mean = float(values.mean())
    centred = values - mean
    variance = float(np.mean(centred**2))
    deviation = float(values.std(ddof=1))
    if values.max() == values.min():
        return Moments(mean, deviation, 0.0, 0.0)
    skewness = float(np.mean(centred**3)) / variance**1.5
    return Moments(mean, deviation, skewness, float(np.mean(centred**4)) / variance**2 - 3)


def cornish_fisher_z(z: float, skewness: float, excess_kurtosis: float) -> float:
    """The normal quantile z, moved for skewness S and excess kurtosis K.

    z + (z² − 1)·S/6 + (z³ − 3z)·K/24 − (2z³ − 5z)·S²/36
    """
    return z + (z**2 - 1) * skewness / 6 + (z**3 - 3 * z) * excess_kurtosis / 24 - (2 * z**3 - 5 * z) * skewness**2 / 36


def _draws(returns: ArrayLike, level: Decimal, seed: int) -> _Floats | None:
    losses = _enough_losses(returns, level)
    if losses is None:
        return None
    sample = moments(-losses)
    freedom = min(4 + 6 / sample.excess_kurtosis, _NEARLY_NORMAL) if sample.excess_kurtosis > 0 else _NEARLY_NORMAL
    scale = sample.deviation * sqrt((freedom - 2) / freedom)
    return np.asarray(
        sample.mean + scale * np.random.Generator(np.random.PCG64(seed)).standard_t(freedom, DRAWS), dtype=np.float64
    )


def _cornish_fisher(returns: ArrayLike, level: Decimal) -> tuple[float, float] | None:
    losses = _enough_losses(returns, level)
    if losses is None:
        return None
    mean, deviation, skew, kurtosis = moments(-losses)
    z = _z(level)
    var = -(mean + cornish_fisher_z(z, skew, kurtosis) * deviation)
    tilt = 1 + z * skew / 6 + (z**2 - 1) * kurtosis / 24 - (2 * z**2 - 1) * skew**2 / 36
    cvar = -mean + deviation * _NORMAL.pdf(z) / float(ONE - level) * tilt
    return (var, cvar) if cvar >= var and _grows_from(z, skew, kurtosis) else None


def _grows_from(z: float, skew: float, kurtosis: float) -> bool:
    """True when the moved quantile rises everywhere between `z` and its mirror image, as a quantile must."""
    square, linear = kurtosis / 8 - skew**2 / 6, skew / 3
    constant = 1 - kurtosis / 8 + 5 * skew**2 / 36
    lowest = [z, -z]
    if square > 0 and abs(linear / (2 * square)) < abs(z):
        lowest.append(-linear / (2 * square))
    return all(square * at**2 + linear * at + constant > 0 for at in lowest)


def diversified_var(stand_alone: ArrayLike, correlations: ArrayLike) -> float:
    """Value at risk of several positions together: √(vᵀ · R · v), for normal returns with zero mean.

    Args:
        stand_alone: value at risk of each position, signed like the position, in dollars or any one unit.
        correlations: matrix of the correlations of their returns, shape [n, n].

    Source:
        RiskMetrics Technical Document (1996).
    """
    values, matrix = np.asarray(stand_alone, float), np.asarray(correlations, float)
    return sqrt(float(values @ matrix @ values))


def confidence_level(confidence: Decimal | str) -> Decimal:
    """`confidence` as an exact number above 0 and below 1.

    Raises:
        InvalidNumber: it is a float, or out of range.
    """
    level = exact(confidence)
    if not ZERO < level < ONE:
        raise InvalidNumber(f"a confidence of {level} is impossible; write 95 % as 0.95")
    return level


def _enough_losses(returns: ArrayLike, level: Decimal) -> _Floats | None:
    losses = 0.0 - np.asarray(returns, dtype=np.float64)
    if losses.ndim != 1:
        raise InvalidNumber(f"returns must be one row of numbers, not an array of shape {losses.shape}")
    if not np.isfinite(losses).all():
        raise InvalidNumber(f"return {int(np.argmin(np.isfinite(losses)))} is not a finite number")
    return losses if len(losses) >= ceil(ONE / (ONE - level)) else None


def _z(level: Decimal) -> float:
    return _NORMAL.inv_cdf(float(ONE - level))
