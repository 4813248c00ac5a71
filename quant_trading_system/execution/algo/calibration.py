"""Impact coefficients from own executions, with the uncertainty that they deserve."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from math import isfinite, sqrt

import msgspec
import numpy as np
from numpy.typing import NDArray

from quant_trading_system.core.exceptions import InvalidNumber
from quant_trading_system.execution.algo.impact import AlmgrenImpact

Floats = NDArray[np.float64]

_SESSION = timedelta(hours=6, minutes=30)

MIN_SAMPLES = 20
"""Fewer orders than this say nothing about impact, whose noise is many times its size."""


class ImpactSample(msgspec.Struct, frozen=True, kw_only=True):
    """One finished parent order.

    Attributes:
        of_day: its filled shares over the average daily volume.
        rate: its filled shares over those that others traded meanwhile.
        volatility: of a day, relative.
        cost: mean fill price against arrival, as a fraction of arrival, positive when it hurt; without spread and
            fees, which are no impact.
        noise: standard deviation to expect of `cost` without any impact, volatility · √(duration / 3); weighs the
            sample. 0 weighs all samples alike.

    Raises:
        InvalidNumber: a value that is not finite or out of range.
    """

    of_day: float
    rate: float
    volatility: float
    cost: float
    noise: float = 0.0

    def __post_init__(self) -> None:
        for name in ("of_day", "rate", "volatility"):
            if not isfinite(getattr(self, name)) or getattr(self, name) <= 0:
                raise InvalidNumber(f"{name} {getattr(self, name)} must be finite and above zero")
        if not (isfinite(self.cost) and isfinite(self.noise) and self.noise >= 0):
            raise InvalidNumber(f"cost {self.cost} and noise {self.noise} must be finite, the noise not negative")


def measured_sample(
    *, of_day: Decimal, rate: Decimal, volatility: Decimal, cost: Decimal, span: timedelta
) -> ImpactSample:
    """The sample of an order that took `span` of a session of six and a half hours; see `ImpactSample`.

    Raises:
        InvalidNumber: a value that is out of range.
    """
    noise = float(volatility) * sqrt(max(span / _SESSION, 1e-6) / 3)
    return ImpactSample(
        of_day=float(of_day), rate=float(rate), volatility=float(volatility), cost=float(cost), noise=noise
    )


class Estimate(msgspec.Struct, frozen=True):
    """A coefficient and its standard error."""

    value: float
    error: float

    @property
    def interval(self) -> tuple[float, float]:
        """The range that holds the true value in about 95 of 100 cases: two standard errors either side."""
        return self.value - 2 * self.error, self.value + 2 * self.error


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """A fitted model of impact.

    Attributes:
        gamma, eta: of `AlmgrenImpact`, the turnover factor within γ.
        exponent: of the rate; its error is 0 when it was given.
        samples: how many orders it rests on.
        explained: share of the (weighted) variance that the model explains, R².
    """

    gamma: Estimate
    eta: Estimate
    exponent: Estimate
    samples: int
    explained: float

    @property
    def model(self) -> AlmgrenImpact:
        """The model with these coefficients; negative ones, which only noise makes, count as zero."""
        return AlmgrenImpact(max(self.gamma.value, 0.0), max(self.eta.value, 0.0), self.exponent.value)


def calibrate(samples: Sequence[ImpactSample], exponent: float = 0.6) -> Calibration:
    """γ and η by weighted least squares of cost / σ = γ/2 · of_day + η · rate^exponent.

    Raises:
        InvalidNumber: fewer than `MIN_SAMPLES` samples, only some of them with a noise, or sizes and rates that
            move together so closely that the two coefficients cannot be told apart.
    """
    _require_enough(samples)
    of_day, rate, target, weight = _columns(samples)
    return _linear_fit(of_day, rate, target, weight, exponent)


def calibrate_exponent(samples: Sequence[ImpactSample], start: float = 0.6) -> Calibration:
    """γ, η and the exponent together, by Gauss-Newton from `start` with steps halved until they improve.

    Raises:
        InvalidNumber: as `calibrate`; or the data say nothing about the exponent (no convergence within 0.05 to 2).
    """
    _require_enough(samples)
    of_day, rate, target, weight = _columns(samples)
    first = _linear_fit(of_day, rate, target, weight, start)
    found = np.array([first.gamma.value, first.eta.value, start])
    for _ in range(100):
        design = _jacobian(of_day, rate, found)
        residual = target - _predicted(of_day, rate, found)
        step = _solve(design * weight[:, None], residual * weight)[0]
        before = float(((residual * weight) ** 2).sum())
        moved = _improved(of_day, rate, target, weight, found, step, before)
        if np.abs(moved - found).max() < 1e-10 * max(1.0, float(np.abs(found).max())):
            found = moved
            break
        found = moved
    if not 0.05 < found[2] < 2:
        raise InvalidNumber("these executions say nothing about the exponent; give it (0.6) to calibrate()")
    design = _jacobian(of_day, rate, found)
    return _calibration(design, target - _predicted(of_day, rate, found), target, weight, found)


def _require_enough(samples: Sequence[ImpactSample]) -> None:
    if len(samples) < MIN_SAMPLES:
        raise InvalidNumber(f"{len(samples)} executions are too few to calibrate impact; have at least {MIN_SAMPLES}")
    if 0 < sum(sample.noise > 0 for sample in samples) < len(samples):
        raise InvalidNumber("give the noise of every sample or of none")


def _columns(samples: Sequence[ImpactSample]) -> tuple[Floats, Floats, Floats, Floats]:
    table = np.array([[s.of_day, s.rate, s.cost / s.volatility, s.noise / s.volatility] for s in samples])
    noise = table[:, 3]
    weight = 1 / noise if noise.all() else np.ones(len(samples))
    return table[:, 0], table[:, 1], table[:, 2], weight / weight.mean()


def _linear_fit(of_day: Floats, rate: Floats, target: Floats, weight: Floats, exponent: float) -> Calibration:
    design = np.column_stack([of_day / 2, rate**exponent])
    found, _ = _solve(design * weight[:, None], target * weight)
    return _calibration(design, target - design @ found, target, weight, np.append(found, exponent))


def _predicted(of_day: Floats, rate: Floats, found: Floats) -> Floats:
    return np.asarray(found[0] * of_day / 2 + found[1] * rate ** found[2])


def _jacobian(of_day: Floats, rate: Floats, found: Floats) -> Floats:
    power = rate ** found[2]
    return np.column_stack([of_day / 2, power, found[1] * power * np.log(rate)])


def _improved(
    of_day: Floats, rate: Floats, target: Floats, weight: Floats, found: Floats, step: Floats, before: float
) -> Floats:
    for halvings in range(30):
        moved = found + step / 2**halvings
        if moved[2] > 0 and float((((target - _predicted(of_day, rate, moved)) * weight) ** 2).sum()) <= before:
            return np.asarray(moved)
    return found


def _solve(design: Floats, target: Floats) -> tuple[Floats, Floats]:
    """Least squares, and the inverse of XᵀX."""
    scale = np.linalg.norm(design, axis=0)
    if not scale.all() or np.linalg.cond(design / scale) > 1e6:
        raise InvalidNumber("the executions are too alike to tell the coefficients apart; vary size and duration")
    gram = np.linalg.inv((design / scale).T @ (design / scale))
    return gram @ (design / scale).T @ target / scale, gram / np.outer(scale, scale)


def _calibration(design: Floats, residual: Floats, target: Floats, weight: Floats, found: Floats) -> Calibration:
    count, fitted = design.shape
    variance = float(((residual * weight) ** 2).sum()) / (count - fitted)
    inverse = _solve(design * weight[:, None], target * weight)[1]
    errors = np.append(np.sqrt(np.diag(inverse) * variance), np.zeros(3 - fitted))
    mean = float(np.average(target, weights=weight**2))
    total = float((((target - mean) * weight) ** 2).sum())
    gamma, eta, exponent = (Estimate(float(v), float(e)) for v, e in zip(found, errors, strict=True))
    explained = 1 - variance * (count - fitted) / total if total else 0.0
    return Calibration(gamma=gamma, eta=eta, exponent=exponent, samples=count, explained=explained)
