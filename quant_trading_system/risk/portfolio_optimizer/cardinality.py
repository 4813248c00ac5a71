"""At most so many positions, solved exactly by branch and bound over a convex program.

Without the limit the program is a bound from below. Where its solution holds too many, the search splits on one
symbol, once left out and once taken in, and drops branches whose bound is no better than the best portfolio found.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from heapq import heappop, heappush
from itertools import count

import numpy as np
from numpy.typing import NDArray

from quant_trading_system.core.exceptions import SolverFailed
from quant_trading_system.risk.covariance.psd import Floats
from quant_trading_system.risk.portfolio_optimizer.convex import ConvexProgram, ConvexSolution
from quant_trading_system.risk.portfolio_optimizer.resolved import TOLERANCE, Resolved

MAX_NODES = 2000
"""Programs that are solved before the search gives up; a portfolio that is not proved best is not returned."""

_OUT, _FREE, _IN = 0, 1, 2
_PROVED = 1e-8
_States = NDArray[np.int8]


def best_with_few(resolved: Resolved, program: ConvexProgram, tolerances: Sequence[float]) -> ConvexSolution | None:
    """The best weights with at most `max_positions` other than zero; None when there are none.

    `min_weight` is then the smallest weight of what is held.

    Args:
        tolerances: of each program, tried in order.

    Raises:
        SolverFailed: not proved within `MAX_NODES` programs, or a program was not solved.
    """
    most = resolved.problem.constraints.max_positions or len(resolved.symbols)
    root = np.full(len(resolved.symbols), _FREE, dtype=np.int8)
    best: ConvexSolution | None = None
    numbers = count(1)  # of the programs solved, and what sets nodes of one bound apart
    waiting: list[tuple[float, int, _States, Floats]] = []

    def look_at(states: _States) -> None:
        nonlocal best
        if (states == _IN).sum() == most:
            states = np.where(states == _FREE, _OUT, states).astype(np.int8)
        if (number := next(numbers)) > MAX_NODES:
            raise SolverFailed(f"max_positions {most} was not proved within {MAX_NODES} programs; allow more or fewer")
        found = _relaxed(resolved, program, states, tolerances)
        if found is None or (best is not None and not _better(found.objective, best.objective)):
            return
        if _to_split(resolved, states, found.weights, most) is None:
            best = found
        else:
            heappush(waiting, (found.objective, number, states, found.weights))

    look_at(root)
    if waiting:
        look_at(_largest(waiting[0][3], most))  # a good portfolio early on drops many branches
    while waiting:
        bound, _, states, weights = heappop(waiting)  # the most promising branch
        if best is not None and not _better(bound, best.objective):
            return best
        symbol = _to_split(resolved, states, weights, most)
        for state in (_IN, _OUT):
            child = states.copy()
            child[symbol] = state
            look_at(child)
    return best


def _largest(weights: Floats, most: int) -> _States:
    states = np.full(len(weights), _OUT, dtype=np.int8)
    states[np.argsort(-np.abs(weights), kind="stable")[:most]] = _FREE
    return states


def _relaxed(
    resolved: Resolved, program: ConvexProgram, states: _States, tolerances: Sequence[float]
) -> ConvexSolution | None:
    """The program of a branch, without the limit; a looser tolerance where the first proves nothing."""
    out = states == _OUT
    lower = np.where(states == _IN, resolved.lower, np.minimum(resolved.lower, 0.0))
    lower, upper = np.where(out, 0.0, lower), np.where(out, 0.0, np.maximum(resolved.upper, 0.0))
    *first, last = tolerances
    for tolerance in first:
        with suppress(SolverFailed):
            return program.solve(lower=lower, upper=upper, tolerance=tolerance)
    return program.solve(lower=lower, upper=upper, tolerance=last)


def _to_split(resolved: Resolved, states: _States, weights: Floats, most: int) -> int | None:
    """The free symbol to decide on next; None when the weights keep to the limit as they are."""
    held = np.abs(weights) > TOLERANCE
    too_small = (states == _FREE) & held & (weights < resolved.lower - TOLERANCE)
    if too_small.any():
        return int(np.flatnonzero(too_small)[0])
    if held.sum() <= most:
        return None
    free = np.flatnonzero((states == _FREE) & held)
    return int(free[np.abs(weights[free]).argmax()])


def _better(value: float, than: float) -> bool:
    return value < than - _PROVED * max(abs(than), 1e-12)
