"""Which files prices come from: one file, or those of a directory.

A directory holds files of one kind, CSV or Parquet. Directories in it are looked at only where their names are of
the form ``key=value``, as dataset tools write them; ``symbol=KO`` says whose bars the files in it are.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from quant_trading_system.core.exceptions import MarketDataError
from quant_trading_system.core.instruments import is_symbol
from quant_trading_system.core.wording import first_few

PARQUET = ".parquet"
CSV = (".csv", ".csv.gz")
_SYMBOL_KEYS = ("symbol", "ticker")
_NOT_DATA = (".", "_")
"""How names begin that tools give to what is not data."""
_MOST_NAMED = 5


class Source(NamedTuple):
    """A file of prices.

    Attributes:
        name: what messages call it; of a file in a directory the path from there.
        symbol: whose bars the name of its directory says it holds, or None.
    """

    path: Path
    name: str
    symbol: str | None = None

    @property
    def is_parquet(self) -> bool:
        """False for CSV."""
        return self.name.lower().endswith(PARQUET)


def price_sources(place: Path) -> list[Source]:
    """The one file, or the files of a directory in the order of their names.

    Files that are neither CSV nor Parquet are left alone, and so is everything whose name begins with a point or an
    underline.

    Raises:
        MarketDataError: a directory without price files, with both kinds of them, or that cannot be read.
    """
    if not place.is_dir():
        return [Source(place, place.name)]
    try:
        found = list(_files_of(place, place, None))
        if not found:
            raise _nothing_in(place)
    except OSError as error:
        raise MarketDataError(f"{error.filename or place} cannot be read: {error.strerror or error}") from error
    _require_one_kind(place, found)
    return found


def _files_of(directory: Path, top: Path, symbol: str | None) -> Iterator[Source]:
    for entry in sorted(directory.iterdir()):
        name = entry.relative_to(top).as_posix()
        if entry.name.startswith(_NOT_DATA):
            continue
        if entry.is_dir():
            if "=" in entry.name:
                yield from _files_of(entry, top, _symbol_of(entry.name, name) or symbol)
            elif _is_prices(entry.name):
                raise MarketDataError(f"{name} in {top} is a directory itself; move its files up, or name it alone")
        elif _is_prices(entry.name):
            yield Source(entry, name, symbol)


def _symbol_of(part: str, name: str) -> str | None:
    """The symbol that a directory such as ``symbol=BRK.B`` names; None for other keys."""
    key, _, value = part.partition("=")
    if key.strip().lower() not in _SYMBOL_KEYS:
        return None
    symbol = unquote(value).strip().upper()
    if not is_symbol(symbol):
        raise MarketDataError(f"{name}: {symbol!r} is not a symbol")
    return symbol


def _is_prices(name: str) -> bool:
    return name.lower().endswith((*CSV, PARQUET))


def _nothing_in(place: Path) -> MarketDataError:
    entries = sorted(entry.name + "/" * entry.is_dir() for entry in place.iterdir())
    shown = first_few(entries, _MOST_NAMED)
    held = f"it holds {shown}" if entries else "it is empty"
    hint = "; name one of the directories in it, which are not searched" if any("/" in one for one in entries) else ""
    return MarketDataError(f"no .csv, .csv.gz or .parquet file lies in the directory {place}; {held}{hint}")


def _require_one_kind(place: Path, found: list[Source]) -> None:
    first = found[0]
    other = next((one for one in found if one.is_parquet is not first.is_parquet), None)
    if other is not None:
        raise MarketDataError(
            f"{place} holds files of two kinds, such as {first.name} and {other.name}; "
            "keep CSV and Parquet in directories of their own"
        )
