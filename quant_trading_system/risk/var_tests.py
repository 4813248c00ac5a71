"""Tests of value at risk against what happened afterwards: were losses beyond it as rare, and as scattered, as told?"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from math import erfc, exp, log, sqrt
from typing import NamedTuple

from quant_trading_system.core.exceptions import InvalidNumber
from quant_trading_system.core.numbers import ONE
from quant_trading_system.risk.value_at_risk import confidence_level


class VarTest(NamedTuple):
    """The outcome of a test of value at risk against what happened.

    Attributes:
        statistic: likelihood ratio; larger is worse.
        p_value: how often a correct model would look at least this bad; below 0.05 it is commonly rejected.
    """

    statistic: float
    p_value: float


def kupiec(observations: int, exceptions: int, confidence: Decimal | str) -> VarTest | None:
    """Does the loss exceed the value at risk as often as it should?

        −2 · ln [ (1 − p)^(n − x) · p^x / ((1 − x/n)^(n − x) · (x/n)^x) ]  ~  χ² with 1 degree of freedom,  p = 1 − c

    Args:
        observations: periods n; exceptions: those with a larger loss, x.
        confidence: of the value at risk that is tested.

    Returns:
        None without observations.

    Raises:
        InvalidNumber: more exceptions than observations, or negative counts.

    Source:
        Kupiec (1995).
    """
    if not 0 <= exceptions <= observations:
        raise InvalidNumber(f"{exceptions} exceptions in {observations} observations are impossible")
    if not observations:
        return None
    expected = float(ONE - confidence_level(confidence))
    kept = observations - exceptions
    ratio = _likelihood(kept, exceptions, expected) - _likelihood(kept, exceptions, exceptions / observations)
    statistic = max(-2 * ratio, 0.0)
    return VarTest(statistic, erfc(sqrt(statistic / 2)))


def christoffersen(exceeded: Sequence[bool], confidence: Decimal | str) -> VarTest | None:
    """Are exceptions as frequent as they should be, and independent of each other? Clusters fail.

    The likelihood ratio of `kupiec` plus that of independence (from the counts of transitions between calm
    and exceeded periods) ~ χ² with 2 degrees of freedom.

    Args:
        exceeded: in the order of time, True where the loss was larger than the value at risk.

    Returns:
        None with fewer than two periods.

    Source:
        Christoffersen (1998).
    """
    if len(exceeded) < 2:
        return None
    frequency = kupiec(len(exceeded), sum(exceeded), confidence)
    assert frequency is not None
    statistic = frequency.statistic + _independence(exceeded)
    return VarTest(statistic, exp(-statistic / 2))


def _independence(exceeded: Sequence[bool]) -> float:
    counts = {(before, after): 0 for before in (False, True) for after in (False, True)}
    for before, after in pairwise(exceeded):
        counts[bool(before), bool(after)] += 1
    calm_calm, calm_hit = counts[False, False], counts[False, True]
    hit_calm, hit_hit = counts[True, False], counts[True, True]
    together = _own_likelihood(calm_calm + hit_calm, calm_hit + hit_hit)
    apart = _own_likelihood(calm_calm, calm_hit) + _own_likelihood(hit_calm, hit_hit)
    return max(-2 * (together - apart), 0.0)


def _own_likelihood(misses: int, hits: int) -> float:
    return _likelihood(misses, hits, hits / (misses + hits)) if misses + hits else 0.0


def _likelihood(misses: int, hits: int, probability: float) -> float:
    """Logarithm of (1 − p)^misses · p^hits, with 0 · ln 0 = 0."""
    return (misses * log(1 - probability) if misses else 0.0) + (hits * log(probability) if hits else 0.0)
