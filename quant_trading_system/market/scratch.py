"""Arrays that may be larger than memory: above a size they are pages of a nameless file, which the system can put away.

Such a file lies in the directory of temporary files (``TMPDIR`` chooses another one) and is gone with its array,
whatever happens to the process. Work on them goes block by block of rows, so that nothing else grows with them.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from quant_trading_system.core.exceptions import MarketDataError

IN_MEMORY = 2**27
"""Bytes up to which an array is an ordinary one."""
CELLS_AT_ONCE = 2**22
"""Numbers in one block of rows."""


def in_file(shape: tuple[int, int], dtype: DTypeLike) -> bool:
    """True for an array that is so large that `scratch` makes it of pages of a file."""
    return shape[0] * shape[1] * np.dtype(dtype).itemsize > IN_MEMORY


def scratch(shape: tuple[int, int], dtype: DTypeLike) -> NDArray[Any]:
    """An array of zeros, in memory or in pages of a file.

    Raises:
        MarketDataError: the disk has no room for it.
    """
    if not in_file(shape, dtype):
        return np.zeros(shape, dtype)
    size = shape[0] * shape[1] * np.dtype(dtype).itemsize
    with tempfile.TemporaryFile() as file:
        try:
            os.posix_fallocate(file.fileno(), 0, size)  # a full disk says so here, and not in the middle of the work
        except OSError as error:
            raise MarketDataError(
                f"{tempfile.gettempdir()} has no room for {size / 2**30:.1f} GiB of prices ({error.strerror}); "
                "free some, or let TMPDIR name a directory on another disk"
            ) from error
        pages: NDArray[Any] = np.memmap(file, dtype=dtype, mode="r+", shape=shape)
        return np.asarray(pages)


def row_blocks(rows: int, columns: int) -> Iterator[slice]:
    """All rows of a table in order, some at a time."""
    step = max(CELLS_AT_ONCE // max(columns, 1), 1)
    for first in range(0, rows, step):
        yield slice(first, min(first + step, rows))


def turned(array: NDArray[Any]) -> NDArray[Any]:
    """A copy with rows for columns; both lie in files where they are large.

    Raises:
        MarketDataError: the disk has no room for it.
    """
    copy = scratch((array.shape[1], array.shape[0]), array.dtype)
    for rows in row_blocks(*copy.shape):
        copy[rows] = array[:, rows].T
        put_away(array, copy)
    return copy


def put_away(*arrays: NDArray[Any] | None) -> None:
    """Let the pages of mapped arrays leave this process; whoever reads them again gets them back."""
    for array in arrays:
        base: Any = array
        while base is not None and not isinstance(base, mmap.mmap):
            base = getattr(base, "base", None)
        if base is not None:
            base.madvise(mmap.MADV_DONTNEED)
