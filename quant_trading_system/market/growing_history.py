"""A history that grows bar by bar while it happens: new bars are written behind the known ones, and no past is copied.

The bars lie in tables with free rows behind them. Whoever was shown a history keeps it as it was, for a row that has
been shown is never written again.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant_trading_system.market.history import PriceHistory, as_floats
from quant_trading_system.market.time_axis import TimeAxis, stamp_of

_Rows = dict[str, NDArray[Any]]
"""By the name of a column."""

_COLUMNS = ("close_micros", "present", "open_micros", "high_micros", "low_micros", "volume")
_PRICES = _COLUMNS[:-1]
_FREE_ROWS = 500
"""At least so many are kept free: a day of minute bars. Memory that was never written costs nothing."""


class GrowingHistory:
    """All bars of some symbols up to now.

    Attributes:
        history: these bars; nothing in it changes when more of them come.
    """

    def __init__(self, history: PriceHistory) -> None:
        """Begin with a copy of `history`."""
        self._symbols = history.symbols
        self._span = history.axis.span
        self._first, self._end = 0, len(history)
        self._tables = self._moved(_rows_of(history), 0)
        self.history = self._shown()

    def add(self, later: PriceHistory, since: datetime) -> bool:
        """Put the bars of `later` behind the known ones and forget those that ended before `since`, but never the last.

        Nothing happens, and the answer is False, when the two do not go together: when `later` has a symbol or a kind
        of number that is unknown here or lacks one, when its bars are of another length, when it lacks a bar that is
        known here, or when the bars that both have are not the last ones or differ in price. Then the past was revised,
        by a split for instance. Volumes grow and bars of single symbols are added by late reports; what `later` says of
        them counts.
        """
        if later.axis.span != self._span or not set(later.symbols) <= set(self._symbols):
            return False
        theirs = self._in_our_columns(later)
        common = int(np.searchsorted(theirs["ends"], self._tables["ends"][self._end - 1], "right"))
        if theirs.keys() != self._tables.keys() or not self._agrees(theirs, common):
            return False
        self._take_late_reports(theirs, common)
        self._append({name: rows[common:] for name, rows in theirs.items()})
        ends = self._tables["ends"][: self._end - 1]
        self._first = max(self._first, int(np.searchsorted(ends, stamp_of(since), "left")))
        self.history = self._shown()
        return True

    def _in_our_columns(self, later: PriceHistory) -> _Rows:
        """Its rows with a column for every symbol; a symbol that it does not have has no bar."""
        theirs = _rows_of(later)
        if later.symbols == self._symbols:
            return theirs
        places = [self.history.column_of(symbol) for symbol in later.symbols]
        for name, rows in theirs.items():
            if rows.ndim > 1:
                wide = np.full((len(rows), len(self._symbols)), np.nan if name == "floats" else 0, dtype=rows.dtype)
                wide[:, places] = rows
                theirs[name] = wide
        return theirs

    def _agrees(self, theirs: _Rows, common: int) -> bool:
        """The first `common` rows of `theirs` are our last ones, perhaps with bars that we do not have."""
        if common > self._end - self._first:
            return False
        ours = {name: table[self._end - common : self._end] for name, table in self._tables.items()}
        present = ours["present"]
        return np.array_equal(ours["ends"], theirs["ends"][:common]) and all(
            np.array_equal(ours[name] * present, theirs[name][:common] * present) for name in _PRICES if name in ours
        )

    def _take_late_reports(self, theirs: _Rows, common: int) -> None:
        """What has changed in the last rows is written to tables of its own, for those of before were shown."""
        last = slice(self._end - common, self._end)
        for name, known in self._tables.items():
            if not np.array_equal(known[last], theirs[name][:common], equal_nan=name == "floats"):
                table = np.empty_like(known)
                table[self._first : self._end] = known[self._first : self._end]
                table[last] = theirs[name][:common]
                self._tables[name] = table

    def _append(self, new: _Rows) -> None:
        more = len(new["ends"])
        if self._end + more > len(self._tables["ends"]):
            shown = {name: table[self._first : self._end] for name, table in self._tables.items()}
            self._tables = self._moved(shown, more)
            self._first, self._end = 0, self._end - self._first
        for name, rows in new.items():
            self._tables[name][self._end : self._end + more] = rows
        self._end += more

    def _moved(self, rows: _Rows, more: int) -> _Rows:
        """The same rows in larger tables: by a quarter, so that over time each is moved only a few times."""
        room = more + max(len(rows["ends"]) // 4, _FREE_ROWS)
        tables = {name: np.empty((len(array) + room, *array.shape[1:]), array.dtype) for name, array in rows.items()}
        for name, array in rows.items():
            tables[name][: len(array)] = array
        return tables

    def _shown(self) -> PriceHistory:
        shown = {name: table[self._first : self._end] for name, table in self._tables.items()}
        for rows in shown.values():
            rows.setflags(write=False)
        axis = TimeAxis(shown["starts"], shown["ends"], shown["dates"], self._span)
        columns: dict[str, Any] = {name: shown[name] for name in _COLUMNS if name in shown}
        history = PriceHistory(self._symbols, axis, **columns)
        history.know_floats(shown["floats"])
        return history


def _rows_of(history: PriceHistory) -> _Rows:
    axis = history.axis
    columns = {name: array for name in _COLUMNS if (array := getattr(history, name)) is not None}
    floats = as_floats(history.close_micros, history.present)
    return {"starts": axis.starts, "ends": axis.ends, "dates": axis.dates, "floats": floats, **columns}
