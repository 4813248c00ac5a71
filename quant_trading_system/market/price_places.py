"""Where bars stand in files: whether they are in order, which of them come twice, and which line tells of one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quant_trading_system.core.exceptions import MarketDataError
from quant_trading_system.market.history import Integers
from quant_trading_system.market.price_parts import Part, SourceReader
from quant_trading_system.market.price_problems import MOST_SHOWN
from quant_trading_system.market.price_steps import order_flaws
from quant_trading_system.market.time_axis import Stamps


class Moment(NamedTuple):
    """A time, and whose bar of that time is meant; None for any."""

    stamp: np.datetime64
    symbol: str | None


class Row(NamedTuple):
    """A row of a file: its name, and words such as ``line 17``."""

    file: str
    line: str


def first_rows(readers: Iterable[SourceReader], wanted: Iterable[Moment]) -> dict[Moment, Row]:
    """The first row of each moment, in the order of the files; all of them are read once more for it."""
    missing, found = set(wanted), dict[Moment, Row]()
    parts = (part for reader in readers for part in reader.parts(places_only=True))
    while missing and (part := next(parts, None)) is not None:
        for moment in list(missing):
            rows = _rows_of(part, moment)
            if len(rows):
                found[moment] = Row(part.file.name, part.problems.line_of(rows.item(0)))
                missing.remove(moment)
    return found


def _rows_of(part: Part, moment: Moment) -> NDArray[np.intp]:
    at = part.stamps == moment.stamp
    if moment.symbol is not None:
        if moment.symbol not in part.symbols:
            return np.flatnonzero(np.zeros(0))
        at &= part.codes == part.symbols.index(moment.symbol)
    return np.flatnonzero(at)


def refuse_moments(readers: Iterable[SourceReader], head: str, why: dict[Moment, str]) -> None:
    """Refuse prices for what is said of some moments, with the rows that tell of the first ones.

    Raises:
        MarketDataError: always, unless there are no such moments.
    """
    if not why:
        return
    shown = dict(list(why.items())[:MOST_SHOWN])
    rows = first_rows(readers, shown)
    lines = [f"{', '.join(rows[moment])}, {moment.stamp} {reason}" for moment, reason in shown.items()]
    raise MarketDataError("\n  ".join([head, *lines]))


def require_rising(part: Part, codes: Integers, latest: Stamps) -> None:
    """Refuse times of a symbol that do not rise, within a part or after earlier parts of the file.

    Args:
        codes: number of each row's symbol; latest: the last time of each number before, NaT where there is none.

    Raises:
        MarketDataError: a time is not above the one before.
    """
    stamps, problems, column = part.stamps, part.problems, part.layout.time
    by_symbol = np.argsort(codes.astype(np.int32), kind="stable")
    is_first = np.append(True, np.diff(codes[by_symbol]) != 0)
    within = (np.diff(stamps[by_symbol]) <= np.timedelta64(0)) & ~is_first[1:]
    if within.any():
        problems.add(column, order_flaws(stamps, codes, problems, sort=False))
    rows = by_symbol[is_first]
    late = rows[stamps[rows] <= latest[codes[rows]]]  # false where nothing is known yet
    why = "does not come after the rows of its symbol before; sort the file by date or pass sort=True"
    problems.add(column, dict.fromkeys(late.tolist(), why))
    problems.refuse_if_any()


def refuse_repeats(readers: Iterable[SourceReader], part: Part, again: NDArray[np.bool_]) -> None:
    """Refuse the rows of a part that tell of a bar which was told of before, and say where.

    Raises:
        MarketDataError: always, unless there are none.
    """
    rows = np.flatnonzero(again).tolist()
    if not rows:
        return
    moments = {row: _moment_of(part, row) for row in rows[:MOST_SHOWN]}
    first = first_rows(readers, moments.values())
    why = dict.fromkeys(rows, "repeats an earlier row")
    for row, moment in moments.items():
        file, line = first[moment]
        why[row] = f"repeats {line}" + (f" of {file}" if file != part.file.name else "")
    part.problems.add(part.layout.time, why)
    part.problems.refuse_if_any()


def _moment_of(part: Part, row: int) -> Moment:
    symbol = None if part.layout.wide else part.symbols[part.codes.item(row)]
    return Moment(part.stamps[row], symbol)


def repeated(numbers: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Which of the numbers have come before."""
    again = np.ones(len(numbers), dtype=np.bool_)
    again[np.unique(numbers, return_index=True)[1]] = False
    return again
