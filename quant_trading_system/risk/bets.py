"""Which way the account bets on each symbol: kept up to date as positions and open orders change.

A bet is long or short, or either where the open orders may still turn it. Orders are judged against all bets at once;
the bets lie along the columns of past returns for that, so that nobody walks through them for one order.
"""

from __future__ import annotations

from collections.abc import KeysView, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LONG, SHORT, EITHER = 1, -1, 0

NO_BET = -9.0
"""Far below any correlation: whatever it is added to is out of the question."""


class BetsByColumn:
    """The bets as two rows of numbers, to be read by vectors.

    Attributes:
        columns: the place of each symbol in the rows.
        held: which columns have a bet; `begun`: counts the bets that were put on a column.
        longs, shorts: 0 where the bet may be long (or short), and `NO_BET` where it may not.
        elsewhere: symbols with a bet that have no column.
    """

    __slots__ = ("begun", "columns", "elsewhere", "held", "longs", "shorts")

    def __init__(self, columns: Mapping[str, int]) -> None:
        import numpy as np

        self.columns = columns
        self.begun = 0
        self.held: NDArray[np.bool_] = np.zeros(len(columns), np.bool_)
        self.longs: NDArray[np.float32] = np.full(len(columns), NO_BET, np.float32)
        self.shorts: NDArray[np.float32] = self.longs.copy()
        self.elsewhere: set[str] = set()

    def put(self, symbol: str, side: int | None) -> None:
        """The bet on `symbol` is of that side now, or there is none."""
        column = self.columns.get(symbol)
        if column is not None:
            self.held[column] = side is not None
            self.begun += side is not None
            self.longs[column] = NO_BET if side is None or side is SHORT else 0
            self.shorts[column] = NO_BET if side is None or side is LONG else 0
        elif side is None:
            self.elsewhere.discard(symbol)
        else:
            self.elsewhere.add(symbol)


class Bets:
    """The sides of all symbols that are held or being opened.

    Attributes:
        symbols: those with a bet; it follows every change.
    """

    def __init__(self) -> None:
        self._sides: dict[str, int] = {}
        self._laid_out: BetsByColumn | None = None
        self.symbols: KeysView[str] = self._sides.keys()

    def side(self, symbol: str) -> int | None:
        """`LONG`, `SHORT`, or `EITHER` where its open orders may give it either; None without a bet."""
        return self._sides.get(symbol)

    def put(self, symbol: str, side: int | None) -> None:
        """The bet on `symbol` is of that side now; None ends it."""
        if side is None:
            self._sides.pop(symbol, None)
        else:
            self._sides[symbol] = side
        if self._laid_out is not None:
            self._laid_out.put(symbol, side)

    def along(self, columns: Mapping[str, int]) -> BetsByColumn:
        """The bets laid out along `columns`; from then on they are kept so, until other columns are asked for."""
        if self._laid_out is None or self._laid_out.columns is not columns:
            self._laid_out = BetsByColumn(columns)
            for symbol, side in self._sides.items():
                self._laid_out.put(symbol, side)
        return self._laid_out
