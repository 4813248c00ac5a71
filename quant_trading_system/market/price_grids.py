"""The arrays that rows of files are written into, in any order, until they are the columns of a history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant_trading_system.market.history import Integers
from quant_trading_system.market.scratch import put_away, row_blocks, scratch, turned
from quant_trading_system.market.session_volumes import UNKNOWN_VOLUME

_PRESENT = "present"


class PriceGrids:
    """Prices, volumes and whether they are known, by time and symbol, in arrays that the system can put away.

    A file of one symbol, written into arrays with a row for each time, would touch every page of them. Such files are
    written `by_symbol`, one row for each, and the arrays are turned at the end.
    """

    def __init__(self, shape: tuple[int, int], roles: tuple[str, ...], *, by_symbol: bool) -> None:
        """Arrays of `shape`, times and symbols, for the `roles` such as ``close`` and ``volume``.

        Raises:
            MarketDataError: the disk has no room for them.
        """
        self._times, self._symbols = shape
        self._by_symbol = by_symbol
        laid = (self._symbols, self._times) if by_symbol else shape
        self._arrays: dict[str, NDArray[Any]] = {role: scratch(laid, np.int64) for role in roles}
        self._arrays[_PRESENT] = scratch(laid, np.bool_)
        if "volume" in self._arrays:
            for rows in row_blocks(*laid):
                self._arrays["volume"][rows] = UNKNOWN_VOLUME
                put_away(self._arrays["volume"])

    def cells(self, times: Integers, symbols: Integers) -> Integers:
        """The numbers of the cells at these places."""
        if self._by_symbol:
            return symbols * self._times + times
        return times * self._symbols + symbols

    def taken(self, cells: Integers) -> NDArray[np.bool_]:
        """Which of the cells have been written to."""
        known: NDArray[np.bool_] = self._arrays[_PRESENT].reshape(-1)[cells]
        return known

    def write(self, cells: Integers, values: Mapping[str, Integers]) -> None:
        """Write what is known of each role, and that it is known."""
        self._arrays[_PRESENT].reshape(-1)[cells] = True
        for role, numbers in values.items():
            self._arrays[role].reshape(-1)[cells] = numbers
        put_away(*self._arrays.values())

    def finished(self) -> tuple[dict[str, Integers], NDArray[np.bool_]]:
        """The arrays by role, and which cells are known: a row for each time. Nothing can be written after that.

        Raises:
            MarketDataError: the disk has no room to turn them; one of them at a time is there twice.
        """
        arrays, self._arrays = self._arrays, {}
        if self._by_symbol:
            for role in list(arrays):
                arrays[role] = turned(arrays.pop(role))
        present = arrays.pop(_PRESENT)
        return arrays, present
