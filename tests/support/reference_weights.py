"""Weights of all wanted symbols together in the second simulation, found by trying every combination of bounds.

Written from docs/sizing.md alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray

from tests.support.reference_prices import Bar, since_gap

Floats = NDArray[np.float64]
PLACES = 10**8
CLOSE = 1e-12


def kelly_weights(
    past: Sequence[Bar],
    sides: Mapping[str, int],
    *,
    window: int,
    fewest: int,
    fraction: float,
    cap: float,
    leverage: float,
    rate: float,
    shrinks: bool,
) -> dict[str, Fraction]:
    """The weight of each symbol that is wanted on some side; none of a symbol of which too little is known.

    Args:
        rate: interest of a bar.
    """
    symbols, returns = _wanted(past, sides, window)
    count = len(returns)
    if count < fewest:
        return {}
    edges, covariance = returns.mean(axis=0) - rate, _covariance(returns)
    factor = fraction
    if shrinks:
        square = float(edges @ np.linalg.solve(covariance, edges))
        factor *= square / (square + len(edges) / count)
    best = max(
        _corners(factor * edges, covariance, cap, leverage), key=lambda w: _growth(w, factor * edges, covariance)
    )
    return {
        symbol: Fraction(round(max(float(weight), 0.0) * PLACES), PLACES) if edge > 0 else Fraction(0)
        for symbol, weight, edge in zip(symbols, best, edges, strict=True)
    }


def optimal_weights(
    name: str, past: Sequence[Bar], sides: Mapping[str, int], *, window: int, fewest: int, room: Fraction
) -> dict[str, Fraction]:
    """What an optimiser holds of each symbol, `room` in all; nothing is told of one of which too little is known."""
    symbols, returns = _wanted(past, sides, window)
    if len(returns) < fewest or not np.all(returns.std(axis=0)):
        return {}
    covariance = _covariance(returns)
    deviations = np.sqrt(np.diag(covariance))
    if name == "risk-parity":
        weights = _equal_parts(covariance)
    elif name == "max-diversification":
        weights = _least(covariance / np.outer(deviations, deviations)) / deviations
    else:
        weights = _least(covariance)
    exact = [Fraction(float(weight)) for weight in weights / weights.sum() * float(room)]
    units = [round(weight * PLACES) for weight in exact]
    missing = round(room * PLACES) - sum(units)
    way = 1 if missing > 0 else -1
    lost = sorted(range(len(units)), key=lambda place: (units[place] - exact[place] * PLACES) * way)
    for place in lost[: abs(missing)]:
        units[place] += way
    return {symbol: Fraction(number, PLACES) for symbol, number in zip(symbols, units, strict=True)}


def _least(covariance: Floats) -> Floats:
    """The weights from zero up, one in all, with the least variance."""
    size, found = len(covariance), []
    for chosen in product((False, True), repeat=size):
        if any(chosen):
            weights = np.zeros(size)
            alone = np.linalg.solve(covariance[np.ix_(chosen, chosen)], np.ones(sum(chosen)))
            weights[list(chosen)] = alone / alone.sum()
            if weights.min() >= 0:
                found.append(weights)
    return min(found, key=lambda weights: float(weights @ covariance @ weights))


def _equal_parts(covariance: Floats) -> Floats:
    """Weights that each add the same to the variance: those at which w'Σw/2 - Σ ln w is least."""
    weights = 1 / np.sqrt(np.diag(covariance) * len(covariance))
    for _ in range(200):
        slope = covariance @ weights - 1 / weights
        move = np.linalg.solve(covariance + np.diag(1 / weights**2), slope)
        step = 1.0
        while np.any(weights - step * move <= 0):
            step /= 2
        weights = weights - step * move
        if np.abs(move / weights).max() < 1e-15:
            break
    return weights


def _wanted(past: Sequence[Bar], sides: Mapping[str, int], window: int) -> tuple[list[str], Floats]:
    """The symbols that have returns, and the latest that all of them have; those of shorts are turned."""
    columns = {symbol: side * _returns(past, symbol, window) for symbol, side in sides.items()}
    known = {symbol: column for symbol, column in columns.items() if len(column)}
    count = min((len(column) for column in known.values()), default=0)
    return list(known), np.column_stack([column[-count:] for column in known.values()]) if count else np.empty((0, 0))


def _returns(past: Sequence[Bar], symbol: str, window: int) -> Floats:
    closes = [float(prices[-1]) for prices in since_gap(past[-window - 1 :], symbol)]
    return np.array([after / before - 1 for before, after in pairwise(closes)])


def _covariance(returns: Floats) -> Floats:
    """As Ledoit and Wolf (2004) shrink it to equal variances, divisor T."""
    count, size = returns.shape
    apart = returns - returns.mean(axis=0)
    sample = apart.T @ apart / count
    target = np.eye(size) * np.trace(sample) / size
    distance = float(((sample - target) ** 2).sum())
    noise = sum(float(((np.outer(row, row) - sample) ** 2).sum()) for row in apart) / count**2
    share = min(noise / distance, 1.0) if distance else 1.0
    return share * target + (1 - share) * sample


def _growth(weights: Floats, edges: Floats, covariance: Floats) -> float:
    return float(edges @ weights - weights @ covariance @ weights / 2)


def _corners(edges: Floats, covariance: Floats, cap: float, leverage: float) -> Iterator[Floats]:
    """Every point within the bounds that is the best one of those at the same bounds."""
    size = len(edges)
    for places in product((0.0, cap, None), repeat=size):
        fixed = np.array([0.0 if place is None else place for place in places])
        free = [place is None for place in places]
        pull = edges - covariance @ fixed
        for is_full in (False, True):
            weights = fixed.copy()
            if any(free):
                inner = covariance[np.ix_(free, free)]
                alone = np.linalg.solve(inner, pull[free])
                if is_full:
                    ones = np.linalg.solve(inner, np.ones(sum(free)))
                    alone = alone - ones * (alone.sum() - (leverage - fixed.sum())) / ones.sum()
                weights[free] = alone
            if weights.min() >= -CLOSE and weights.max() <= cap + CLOSE and weights.sum() <= leverage * (1 + CLOSE):
                yield weights
