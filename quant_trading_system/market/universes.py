"""Approved universes: the bundled one, one from a file, and one that a price history implies."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.core.instruments import Instrument, Universe
from quant_trading_system.core.numbers import positive
from quant_trading_system.market.history import PriceHistory


@cache
def sp500_20() -> Universe:
    """The twenty companies of the bundled prices, with their GICS sectors."""
    with as_file(files("quant_trading_system.market") / "data" / "sp500_20.csv") as path:
        return load_universe(path)


def universe_of(history: PriceHistory) -> Universe:
    """Every symbol of a history, for users without a universe file: whole shares, long only.

    All of them share the sector ``Unknown`` and its limit.
    """
    return Universe(Instrument(symbol=symbol) for symbol in history.symbols)


def load_universe(path: str | Path) -> Universe:
    """Read a universe from a CSV file with the header ``symbol,name,sector,lot,fractionable,shortable,tradable``.

    Only ``symbol`` is required. Left-out or empty cells mean: no name, sector ``Unknown``, lot 1, not
    fractionable, not shortable, tradable. The columns ``easy_to_borrow``, ``marginable`` and ``active`` may be added;
    without them all three are true.

    Raises:
        ConfigurationError: the file is refused as a whole; names the line, the column and what to write.
    """
    path = Path(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            instruments = [_instrument(path.name, line, row) for line, row in _rows(path.name, file)]
    except FileNotFoundError as error:
        raise ConfigurationError(f"{path}: no such file; name a universe file, a CSV with a column symbol") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not UTF-8 text; save the universe as CSV in UTF-8") from error
    except (OSError, csv.Error) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise ConfigurationError(f"{path}: the universe cannot be read: {reason}") from error
    if not instruments:
        raise ConfigurationError(f"{path.name} lists no instrument")
    try:
        return Universe(instruments)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path.name}: {error}") from None


def _rows(name: str, file: Any) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.reader(file, strict=True)
    header = [cell.strip().lower() for cell in next(reader, [])]
    _require_header(name, header)
    for row in reader:
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(header):
            raise ConfigurationError(f"{name}, line {reader.line_num}: {len(row)} cells instead of {len(header)}")
        yield reader.line_num, {column: cell.strip() for column, cell in zip(header, row, strict=True)}


def _require_header(name: str, header: list[str]) -> None:
    if "symbol" not in header:
        raise ConfigurationError(
            f"{name} needs a column symbol in its first line; it has {', '.join(header) or 'none'}"
        )
    for number, column in enumerate(header):
        if column in header[:number]:
            raise ConfigurationError(f"{name} has the column {column!r} twice")
        if column not in _COLUMNS:
            near = get_close_matches(column, _COLUMNS, 1, 0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"it may have {', '.join(_COLUMNS)}"
            raise ConfigurationError(f"{name}: the column {column!r} is not known; {hint}")


def _instrument(name: str, line: int, row: Mapping[str, str]) -> Instrument:
    if not row["symbol"]:
        raise ConfigurationError(f"{name}, line {line}: the symbol is empty")
    fields: dict[str, Any] = {}
    for column, cell in row.items():
        if not cell:
            continue
        try:
            fields[column] = _COLUMNS[column](cell)
        except ValueError as error:
            raise ConfigurationError(f"{name}, line {line}, {column}: {error}") from None
    return Instrument(**fields)


def _symbol(cell: str) -> str:
    if len(cell) > 32 or not cell.isprintable() or " " in cell:
        raise ValueError(f"{cell!r} is not a symbol")
    return cell.upper()


def _flag(cell: str) -> bool:
    if cell.lower() not in ("true", "false"):
        raise ValueError(f"{cell!r} is neither true nor false")
    return cell.lower() == "true"


_COLUMNS: Mapping[str, Callable[[str], Any]] = {
    "symbol": _symbol,
    "name": str,
    "sector": str,
    "lot": positive,
    "fractionable": _flag,
    "shortable": _flag,
    "tradable": _flag,
    "easy_to_borrow": _flag,
    "marginable": _flag,
    "active": _flag,
}
