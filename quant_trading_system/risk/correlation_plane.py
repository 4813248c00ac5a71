"""The correlations of one bar: measured by the returns up to it, a symbol with all others at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import isfinite, nan

import numpy as np
from numpy.typing import NDArray

from quant_trading_system.risk.bets import NO_BET

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Flags = NDArray[np.bool_]

_TOO_FAR = 2e-6
"""A correlation that is so much lower than another one is lower when both are rounded to six places, too."""
_SINGLE = 2.0**-24
"""The most by which one rounding in single precision is off, as a fraction."""
_TINY, _HUGE = 1e-100, 1e100
"""Norms between these can be multiplied and divided without leaving the range of floats."""
_VARIANCE_LEFT = 1e-4
"""Fraction of its variance that a column must keep over common bars for sums of squares to tell it well."""


class CorrelationPlane:
    """The returns of one bar's past, and what was measured by them.

    The sums run along the bars in their order, so that two symbols correlate alike whichever of them is asked about.
    To find the closest of many, all are first measured roughly by products of vectors, and only those that may be it
    are then measured like this.
    """

    def __init__(self, returns: Floats, fewest: int, by_name: Sequence[int]) -> None:
        """Measure by `returns`, shape [bars, columns], NaN where missing.

        Args:
            fewest: common returns that a correlation needs at least.
            by_name: the columns in the order of the names of their symbols.
        """
        self._returns, self._fewest = returns, fewest
        self._by_name = np.array(by_name, np.intp)
        sums = np.add.reduce(returns, axis=0)
        self._with_gaps = frozenset[int]()
        if np.isnan(sums).any():
            self._with_gaps = frozenset(np.flatnonzero(np.isnan(returns).any(axis=0)).tolist())
        self._around_mean = np.subtract(returns, sums / max(len(returns), 1), order="C")
        self._norms = np.sqrt(np.add.reduce(self._around_mean * self._around_mean, axis=0))
        self._rows: dict[int, list[float]] = {}
        self._margin = _TOO_FAR + 2 * (len(returns) + 4) * _SINGLE

    def of(self, one: int, two: int) -> float | None:
        """Of two columns; None when one does not move, or they have too few returns in common."""
        if one in self._with_gaps or two in self._with_gaps:
            return self._where_both_are(one, two)
        found = self._row(one)[two]
        return found if isfinite(found) else None

    def closest(self, one: int | None, longs: Singles, shorts: Singles) -> list[tuple[int, float | None]]:
        """The bets that may be the one that moves most like a long bet on a column, with their correlations.

        Args:
            one: None for a symbol without a column, which correlates with nothing known.
            longs, shorts: as in `BetsByColumn`; turned round for a short bet.

        Returns:
            As soon as one of the bets cannot be measured, the first of these by name alone, with None; nothing
            without any other bet.
        """
        rough, doubtful = self._roughly(one)
        alike = np.maximum(rough + longs, shorts - rough)
        if one is not None:
            alike[one] = NO_BET
        if doubtful is not None:
            in_order = self._by_name[(doubtful & (alike > NO_BET / 2))[self._by_name]]
            for column in in_order.tolist():
                found = self._with_each(one, [column])[0]
                if found is None:
                    return [(column, None)]
                alike[column] = max(found + longs[column], shorts[column] - found)
        best = np.maximum.reduce(alike, initial=NO_BET)
        if best < NO_BET / 2:
            return []
        close = (alike >= best - self._margin).nonzero()[0].tolist()
        return list(zip(close, self._with_each(one, close), strict=True))

    def _row(self, one: int) -> list[float]:
        """Of a column with all; no number where one has gaps or does not move, or there are too few returns."""
        known = self._rows.get(one)
        if known is None:
            known = self._rows[one] = [nan] * len(self._norms)
            if one not in self._with_gaps and len(self._returns) >= self._fewest:
                shared = np.add.reduce(self._around_mean * self._around_mean[:, one : one + 1], axis=0)
                scale = self._norms * self._norms[one]
                known[:] = np.divide(shared, scale, out=np.full_like(scale, np.nan), where=scale > 0).tolist()
        return known

    def _with_each(self, one: int | None, others: Sequence[int]) -> list[float | None]:
        """Of a column with a few others, to the last digit as `of` tells them."""
        if one is None or len(self._returns) < self._fewest:
            return [None] * len(others)
        if one in self._with_gaps or not self._with_gaps.isdisjoint(others):
            return [self.of(one, other) for other in others]
        among = self._around_mean.take([*others, one], axis=1)  # of at least two columns the sums run along the bars
        shared = np.add.reduce(among * self._around_mean[:, one : one + 1], axis=0).tolist()
        norm, norms = self._norms.item(one), [self._norms.item(other) for other in others]
        return [_quotient(product, norm * other) for product, other in zip(shared, norms, strict=False)]

    def _where_both_are(self, one: int, two: int) -> float | None:
        columns = self._returns[:, sorted((one, two))]
        common = columns[~np.isnan(columns).any(axis=1)]
        if len(common) < self._fewest:
            return None
        x, y = (common - common.mean(axis=0)).T
        scale = float(np.sqrt(x @ x) * np.sqrt(y @ y))
        return float(x @ y) / scale if scale > 0 else None

    # -- roughly -----------------------------------------------------------------------------------------------

    def _roughly(self, one: int | None) -> tuple[Singles, Flags | None]:
        """Of a column with all, within the margin; and the columns of which that cannot be said, None for none."""
        if one is None or len(self._returns) < self._fewest:
            return np.zeros(len(self._norms), np.float32), np.ones(len(self._norms), np.bool_)
        if self._with_gaps:
            return self._roughly_where_both_are(one)
        if not self._is_sure[one]:
            return np.zeros(len(self._norms), np.float32), np.ones(len(self._norms), np.bool_)
        return self._units[:, one] @ self._units, self._unsure

    @cached_property
    def _is_sure(self) -> Flags:
        found: Flags = (self._norms > _TINY) & (self._norms < _HUGE)
        return found

    @cached_property
    def _unsure(self) -> Flags | None:
        return None if self._is_sure.all() else ~self._is_sure

    @cached_property
    def _units(self) -> Singles:
        """Each column as a vector of length one, so that a product of two is their correlation; zeros if not sure."""
        found = np.zeros(self._around_mean.shape)
        np.divide(self._around_mean, self._norms, out=found, where=self._is_sure)
        return found.astype(np.float32)

    def _roughly_where_both_are(self, one: int) -> tuple[Singles, Flags]:
        """By sums over the bars that both columns have, all of them products of vectors."""
        there, value, square = self._where_there
        mine, x, xx = there[:, one].copy(), value[:, one].copy(), square[:, one].copy()
        with np.errstate(all="ignore"):
            count, total, other_total = mine @ there, x @ there, mine @ value
            squares, other_squares = xx @ there, mine @ square
            variance = squares - total * total / count
            other_variance = other_squares - other_total * other_total / count
            found = (x @ value - total * other_total / count) / np.sqrt(variance * other_variance)
            is_told = (count >= self._fewest) & (variance > _VARIANCE_LEFT * squares + _TINY)
            is_told &= (other_variance > _VARIANCE_LEFT * other_squares + _TINY) & np.isfinite(found)
        return np.where(is_told, found, 0).astype(np.float32), ~is_told

    @cached_property
    def _where_there(self) -> tuple[Floats, Floats, Floats]:
        """By bar and column: 1 where there is a return; that return around the mean of its column; its square."""
        is_there = ~np.isnan(self._returns)
        with np.errstate(all="ignore"):
            mean = np.where(is_there, self._returns, 0).sum(axis=0) / is_there.sum(axis=0)
            value = np.where(is_there, self._returns - mean, 0)
            return is_there.astype(np.float64), value, value * value


def _quotient(product: float, scale: float) -> float | None:
    found = product / scale if scale > 0 else nan
    return found if isfinite(found) else None
