"""Prices on disk as the arrays that they are in memory, so that many processes read the same pages.

A history of any size is opened at once and is in memory once, however many processes of a machine work on it.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from quant_trading_system.market.history import PriceHistory
from quant_trading_system.market.time_axis import TimeAxis

_ABOUT = "about.json"
_COLUMNS = ("close_micros", "present", "open_micros", "high_micros", "low_micros", "volume")
_AXIS = ("starts", "ends", "dates")


class _About(msgspec.Struct, frozen=True):
    symbols: tuple[str, ...]
    span_s: float | None
    columns: tuple[str, ...]
    goes_on: frozenset[str] = frozenset()


def share_prices(history: PriceHistory, directory: Path) -> None:
    """Write a history to `directory`, which is made; prices that are there already are replaced.

    Raises:
        OSError: it cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    known = tuple(name for name in _COLUMNS if getattr(history, name) is not None)
    for name in known:
        np.save(directory / f"{name}.npy", np.ascontiguousarray(getattr(history, name)))
    for name in _AXIS:
        np.save(directory / f"{name}.npy", getattr(history.axis, name))
    span = history.axis.span
    about = _About(history.symbols, None if span is None else span.total_seconds(), known, history.goes_on)
    (directory / _ABOUT).write_bytes(msgspec.json.encode(about))


def open_prices(directory: Path) -> PriceHistory:
    """The history that `share_prices` wrote; its arrays are the pages of the files.

    Raises:
        OSError: there is none.
    """
    about = msgspec.json.decode((directory / _ABOUT).read_bytes(), type=_About)
    span = None if about.span_s is None else timedelta(seconds=about.span_s)
    starts, ends, dates = (_mapped(directory / f"{name}.npy") for name in _AXIS)
    columns = {name: _mapped(directory / f"{name}.npy") for name in about.columns}
    return PriceHistory(about.symbols, TimeAxis(starts, ends, dates, span), **columns, goes_on=about.goes_on)


def _mapped(path: Path) -> NDArray[Any]:
    return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
