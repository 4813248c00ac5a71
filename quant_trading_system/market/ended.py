"""Which symbols of a history have no bars any more: their companies were bought, went bankrupt or left the exchange."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from quant_trading_system.market.latest_bars import LatestBars
from quant_trading_system.market.scratch import row_blocks

if TYPE_CHECKING:
    from quant_trading_system.market.history import PriceHistory


def last_bars(history: PriceHistory) -> dict[str, int]:
    """The number of the last bar of every symbol that has none afterwards, to the end of the history and beyond.

    A gap is no end: neither one in the middle, nor one at the end of a part of a longer history.
    """
    symbols, found = history.symbols, dict[str, int]()
    latest = LatestBars(history.present)
    for column in np.flatnonzero(~history.present[-1]).tolist():
        bar = None if symbols[column] in history.goes_on else latest.of(column, len(history) - 1)
        if bar is not None:
            found[symbols[column]] = bar
    return found


def columns_to_come(present: NDArray[np.bool_], end: int) -> list[int]:
    """Columns without the bar before the number `end` that have one from there on.

    Args:
        present: bool [bars, symbols].
        end: above 0.
    """
    missing, found = np.flatnonzero(~present[end - 1]), list[int]()
    for rows in row_blocks(len(present) - end, len(missing)):
        if not len(missing):
            break
        again = present[end:][rows, missing].any(axis=0)
        found += missing[again].tolist()
        missing = missing[~again]
    return sorted(found)
