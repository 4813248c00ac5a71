"""What is wrong with a price file: the first ten problems in full, and how many there are."""

from __future__ import annotations

from heapq import nsmallest

import polars as pl

from quant_trading_system.core.exceptions import MarketDataError
from quant_trading_system.market.price_cells import Flaws
from quant_trading_system.market.price_file import LINE, PriceFile

MOST_SHOWN = 10
_LONGEST_CELL = 40


class Problems:
    """Collects the flaws of a file, column by column, so that one message can tell of them all."""

    def __init__(self, file: PriceFile) -> None:
        self._file = file
        self._found: list[tuple[int, Flaws]] = []

    def add(self, column: int, flaws: Flaws) -> None:
        """Note the flaws of one column."""
        self._found.append((column, flaws))

    def line_of(self, position: int) -> str:
        """Where a row stands, in words such as ``line 17``."""
        return f"{self._file.row_word} {self._file.cells[LINE][position]}"

    def refuse_if_any(self) -> None:
        """End the loading when there was a problem.

        Raises:
            MarketDataError: lists the first ten problems from the top of the file, and counts them all.
        """
        count = sum(len(flaws) for _, flaws in self._found)
        if not count:
            return
        places = ((position, column, turn) for turn, (column, flaws) in enumerate(self._found) for position in flaws)
        shown = [self._sentence(*place) for place in nsmallest(MOST_SHOWN, places)]
        more = [f"and {count - MOST_SHOWN} more"] if count > MOST_SHOWN else []
        head = f"{self._file.name}: {count} problem{'s' if count > 1 else ''}, nothing was loaded"
        raise MarketDataError("\n  ".join([head, *shown, *more]))

    def _sentence(self, position: int, column: int, turn: int) -> str:
        cell = self._file.cells[str(column)].slice(position, 1).cast(pl.String).item()
        name = self._file.header[column] or f"column {column + 1}"
        quoted = "" if cell is None else f" {_shortened(cell)!r}"
        return f"{self.line_of(position)}, {name}{quoted}: {self._found[turn][1][position]}"


def _shortened(cell: str) -> str:
    return cell if len(cell) <= _LONGEST_CELL else cell[: _LONGEST_CELL - 1] + "…"
