"""Which bets move most like a new one: found by the returns up to one bar, without walking through the bets.

Only symbols with a bet, and those that are asked about, are looked at, each once a bar. All of them are first measured
roughly by one product of vectors, and only those that may be the closest are then measured to the last digit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from quant_trading_system.risk.bets import NO_BET, BetsByColumn
from quant_trading_system.risk.pearson import with_each

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Places = NDArray[np.intp]
Flags = NDArray[np.bool_]
_Kind = TypeVar("_Kind", bound=np.generic)

_TOO_FAR = 2e-6
"""A correlation that is so much lower than another one is lower when both are rounded to six places, too."""
_SINGLE = 2.0**-24
"""The most by which one rounding in single precision is off, as a fraction."""
_AT_ONCE = 512
"""So many columns are looked at in one go at least, for the orders that come next: fewer save little."""
_FEW = 8
"""So many bets are measured to the last digit at once: a rough look would take longer."""
_BLOCK = 1024
"""So many columns are measured in one go at most: their numbers stay close to the processor."""
_TINY, _HUGE = 1e-100, 1e100
"""Norms between these can be multiplied and divided without leaving the range of floats."""
_VARIANCE_LEFT = 1e-4
"""Fraction of its squares that a column must keep around its mean for sums of squares to tell it well."""


class ClosestBets:
    """Finds the closest by the past of one bar, and then of the next."""

    def __init__(self, by_name: Sequence[int]) -> None:
        """Prepare to look; `by_name` are the columns in the order of the names of their symbols."""
        self._by_name = np.array(by_name, np.intp)
        self._rank = np.empty_like(self._by_name)
        self._rank[self._by_name] = np.arange(len(by_name))
        self._returns, self._fewest, self._margin = np.empty((0, len(by_name))), 1, 0.0
        self._few: dict[tuple[int, bytes], list[tuple[int, float | None]]] = {}
        self._seen = _Seen(len(by_name))

    def begin(self, returns: Floats, fewest: int) -> None:
        """A bar has ended: look at `returns` from now on, shape [bars, columns], NaN where missing.

        Args:
            fewest: common returns that a correlation needs at least.
        """
        self._returns, self._fewest = returns, fewest
        self._margin = _TOO_FAR + 2 * (len(returns) + 4) * _SINGLE
        self._few.clear()
        self._seen.begin(returns)

    def find(self, one: int | None, sign: int, bets: BetsByColumn) -> list[tuple[int, float | None]]:
        """The bets that may be the one that moves most like a new bet on a column, with their correlations.

        Args:
            one: None for a symbol without a column, which correlates with nothing known.
            sign: 1 for a long bet, -1 for a short one.

        Returns:
            As soon as one of the bets cannot be measured, the first of these by name alone, with None; nothing
            without any other bet.
        """
        if one is None or len(self._returns) < self._fewest:
            others = [column for column in self._by_name[bets.held[self._by_name]][:2].tolist() if column != one]
            return [(column, None) for column in others[:1]]
        held = bets.held.nonzero()[0]
        if len(held) <= _FEW:
            return self._closest_of(self._with_few(one, held), sign, bets)
        return self._closest_of_many(one, sign, bets)

    def _with_few(self, one: int, held: Places) -> list[tuple[int, float | None]]:
        """Of one column with each of a few, measured once a bar."""
        asked = one, held.tobytes()
        measured = self._few.get(asked)
        if measured is None:
            others = [column for column in held.tolist() if column != one]
            found = with_each(self._returns, one, others, self._fewest)
            measured = self._few[asked] = list(zip(others, found, strict=True))
        return measured

    def _closest_of(
        self, measured: list[tuple[int, float | None]], sign: int, bets: BetsByColumn
    ) -> list[tuple[int, float | None]]:
        alike = {}
        longs, shorts = (bets.longs, bets.shorts) if sign > 0 else (bets.shorts, bets.longs)
        for column, found in measured:
            if found is None:
                unknown = [one for one, value in measured if value is None]
                return [(min(unknown, key=self._rank.item), None)]
            alike[column] = max(found + longs.item(column), shorts.item(column) - found)
        least = max(alike.values(), default=0.0) - _TOO_FAR
        return [(column, found) for column, found in measured if alike[column] >= least]

    def _closest_of_many(self, one: int, sign: int, bets: BetsByColumn) -> list[tuple[int, float | None]]:
        seen = self._seen
        mine = seen.look_at(one, bets)
        columns = seen.columns[: seen.count]
        longs, shorts = bets.longs.take(columns), bets.shorts.take(columns)
        if sign < 0:
            longs, shorts = shorts, longs
        rough, doubtful = self._roughly(mine)
        alike = np.maximum(rough + longs, shorts - rough)
        alike[mine] = NO_BET
        if doubtful is not None:
            for place in self._in_order((doubtful & (alike > NO_BET / 2)).nonzero()[0]):
                found = with_each(self._returns, one, [columns.item(place)], self._fewest)[0]
                if found is None:
                    return [(columns.item(place), None)]
                alike[place] = max(found + longs[place], shorts[place] - found)
        best = np.maximum.reduce(alike)
        if best < NO_BET / 2:
            return []
        close = columns[alike >= best - self._margin].tolist()
        return list(zip(close, with_each(self._returns, one, close, self._fewest), strict=True))

    def _in_order(self, places: Places) -> list[int]:
        """By the names of their symbols."""
        found: list[int] = places[np.argsort(self._rank[self._seen.columns[places]])].tolist()
        return found

    def _roughly(self, mine: int) -> tuple[Singles, Flags | None]:
        """Of one that was looked at with all, within the margin; and of which that cannot be said, None for none."""
        seen = self._seen
        if seen.any_gaps:
            return seen.common.roughly(mine, seen.columns[: seen.count], self._fewest)
        rough = seen.units[:, mine] @ seen.units[:, : seen.count]
        if seen.all_sure:
            return rough, None
        is_sure = seen.is_sure[: seen.count]
        return rough, ~is_sure if is_sure[mine] else np.ones_like(is_sure)


class _Seen:
    """The columns that were looked at, beside one another in the order in which they were needed.

    Attributes:
        count: of them; the arrays may be wider.
        columns: which they are; `place_of`: where each of them stands.
        units: returns around their mean, made a vector one long, so that a product of two is their correlation.
        is_sure: the vector can be made one long; zeros stand for it otherwise.
        common: measures these columns where some have gaps.
    """

    def __init__(self, columns: int) -> None:
        self.place_of, self._unseen = np.zeros(columns, np.intp), np.ones(columns, np.bool_)
        self.columns = np.empty(0, np.intp)
        self.units = np.empty((0, 0), np.float32)
        self.is_sure = np.empty(0, np.bool_)
        self.begin(np.empty((0, columns)))

    def begin(self, returns: Floats) -> None:
        """Forget what was looked at: from now on it is `returns`."""
        self._returns = returns
        self._bets: tuple[BetsByColumn, int] | None = None
        self._unseen.fill(True)
        self.count, self.any_gaps, self.all_sure = 0, False, True
        self.common = _CommonBars(returns)
        if len(self.units) != len(returns):
            self.units = np.empty((len(returns), len(self.columns)), np.float32)

    def look_at(self, one: int, bets: BetsByColumn) -> int:
        """Measure all bets and one more column, as far as that was not done before; the place of the latter."""
        if self._unseen[one] or self._bets != (bets, bets.begun):
            self._bets = bets, bets.begun
            wanted = self._unseen & bets.held
            wanted[one] = self._unseen[one]
            columns = wanted.nonzero()[0]
            if columns.size:
                self._take_in(self._with_some_more(columns))
        return int(self.place_of[one])

    def _with_some_more(self, columns: Places) -> Places:
        """As many again as were looked at before: what is asked about next is likely to be among them."""
        more = max(self.count, _AT_ONCE) - len(columns)
        if more <= 0:
            return columns
        self._unseen[columns] = False
        return np.concatenate((columns, self._unseen.nonzero()[0][:more]))

    def _take_in(self, columns: Places) -> None:
        end = self.count + len(columns)
        if end > len(self.columns):
            self._make_room(min(max(end, 2 * len(self.columns)), len(self.place_of)))
        for start in range(0, len(columns), _BLOCK):
            self._measure(columns[start : start + _BLOCK])

    def _measure(self, columns: Places) -> None:
        here = slice(self.count, self.count + len(columns))
        returns = self._returns.take(columns, axis=1)
        sums = np.add.reduce(returns, axis=0)
        around_mean = np.subtract(returns, sums / len(returns), out=returns)
        norms = np.sqrt(np.add.reduce(around_mean * around_mean, axis=0))
        is_sure = self.is_sure[here] = (norms > _TINY) & (norms < _HUGE)
        self.columns[here], self.place_of[columns] = columns, np.arange(here.start, here.stop)
        self._unseen[columns] = False
        self.count = here.stop
        if is_sure.all():
            units = np.divide(around_mean, norms, out=around_mean)
        else:
            self.all_sure = False
            self.any_gaps |= bool(np.isnan(sums).any())
            units = np.divide(around_mean, norms, out=np.zeros_like(around_mean), where=is_sure)
        self.units[:, here] = units

    def _make_room(self, width: int) -> None:
        self.columns, self.is_sure = _wider(self.columns, width), _wider(self.is_sure, width)
        self.units = _wider(self.units, width)


class _CommonBars:
    """Correlations by the bars that both columns have, roughly: all sums over them are products of vectors."""

    def __init__(self, returns: Floats) -> None:
        self._returns = returns
        self._count = 0
        self._there, self._value, self._square = (np.empty((len(returns), 0)) for _ in range(3))

    def roughly(self, mine: int, columns: Places, fewest: int) -> tuple[Singles, Flags]:
        """Of the column in place `mine` with each of `columns`; and of which that cannot be said."""
        self._catch_up(columns)
        there, value, square = (kept[:, : self._count] for kept in (self._there, self._value, self._square))
        bars, x, xx = there[:, mine].copy(), value[:, mine].copy(), square[:, mine].copy()
        with np.errstate(all="ignore"):
            count, total, other_total = bars @ there, x @ there, bars @ value
            squares, other_squares = xx @ there, bars @ square
            variance = squares - total * total / count
            other_variance = other_squares - other_total * other_total / count
            found = (x @ value - total * other_total / count) / np.sqrt(variance * other_variance)
            is_told = (count >= fewest) & (variance > _VARIANCE_LEFT * squares + _TINY)
            is_told &= (other_variance > _VARIANCE_LEFT * other_squares + _TINY) & np.isfinite(found)
        return np.where(is_told, found, 0).astype(np.float32), ~is_told

    def _catch_up(self, columns: Places) -> None:
        """Take in the columns that were not looked at before."""
        begin, end = self._count, len(columns)
        if begin == end:
            return
        if end > self._there.shape[1]:
            width = max(end, 2 * self._there.shape[1])
            self._there, self._value = _wider(self._there, width), _wider(self._value, width)
            self._square = _wider(self._square, width)
        returns = self._returns.take(columns[begin:], axis=1)
        there = ~np.isnan(returns)
        with np.errstate(all="ignore"):
            mean = np.where(there, returns, 0).sum(axis=0) / there.sum(axis=0)
            value = np.where(there, returns - mean, 0)  # sums of squares are the more exact, the nearer to the mean
            self._there[:, begin:end], self._value[:, begin:end] = there, value
            self._square[:, begin:end] = value * value
        self._count = end


def _wider(array: NDArray[_Kind], width: int) -> NDArray[_Kind]:
    """The same with room for more in its last dimension."""
    found = np.empty((*array.shape[:-1], width), array.dtype)
    found[..., : array.shape[-1]] = array
    return found
