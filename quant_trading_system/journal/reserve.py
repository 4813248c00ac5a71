"""Disk space put by for the records of stopping.

A file beside the journal takes up real blocks. When the disk is full it is cut shorter, a slice at a time, and
the write that found no room is repeated. From then on only what stops or settles is recorded, until there is
room to make the reserve whole again.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

from quant_trading_system.core.approval_events import ApprovalAsked, ApprovalGiven
from quant_trading_system.core.events import AnyEvent, OrderEvent, SignalEvent
from quant_trading_system.core.limit_events import LimitsProposed, LimitsRaised
from quant_trading_system.core.order_state import OrderTrigger
from quant_trading_system.core.parent_events import ParentEvent
from quant_trading_system.journal.private_files import PRIVATE, beside, require_private, write_all

RESERVE_SUFFIX = ".reserve"
RESERVE_BYTES = 16 * 1024 * 1024
"""Room for some ten thousand records of cancels, fills and halts."""
SLICES = 16
"""Steps in which the reserve is given away, so that a greedy neighbour does not get all of it at once."""

_BLOCK = 64 * 1024


class Reserve:
    """The reserve of one journal.

    Attributes:
        size: bytes that it has when it is whole; 0 for a journal without one.
        is_whole: nothing has been given away.
    """

    def __init__(self, journal: Path, size: int) -> None:
        """Take up the reserve of `journal`, or make it if the disk has the room.

        Raises:
            JournalUnavailable: the file is open to others.
            OSError: it cannot be opened, or the device fails.
        """
        self.size = size
        self.is_whole = True
        self._descriptor = -1
        if not size:
            return
        path = beside(journal, RESERVE_SUFFIX)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE)
        require_private(path)
        self.is_whole = False
        self.refill()
        room = os.fstatvfs(self._descriptor)
        if room.f_bavail * room.f_frsize < size // SLICES:
            self.release()  # a journal cannot even be opened without some

    def release(self) -> bool:
        """Give a slice back to the disk; False when nothing is left.

        Raises:
            OSError: the device fails.
        """
        if self._descriptor < 0:
            return False
        length = os.fstat(self._descriptor).st_size
        self.is_whole = False
        if not length:
            return False
        os.ftruncate(self._descriptor, max(length - max(self.size // SLICES, 1), 0))
        os.fsync(self._descriptor)  # a journalling file system gives freed blocks out only after it has written so
        return True

    def refill(self) -> bool:
        """Make the reserve whole if the disk has room for it and as much again; True when it is whole.

        Raises:
            OSError: the device fails; a disk that is full does not.
        """
        if self.is_whole:
            return True
        length = os.fstat(self._descriptor).st_size
        room = os.fstatvfs(self._descriptor)
        if length < self.size and room.f_bavail * room.f_frsize < 2 * self.size - length:
            return False
        try:
            _allocate(self._descriptor, self.size)
        except OSError as error:
            if not is_full(error):
                raise
            return False  # somebody was faster; what was allocated stays in the reserve
        self.is_whole = True
        return True

    def close(self) -> None:
        """Let go of the file; it goes on taking up its room."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def is_full(error: BaseException) -> bool:
    """True when the disk or the quota had no room; what was being written was given up as a whole."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def adds_risk(event: AnyEvent) -> bool:
    """True for what begins something new: a signal, an approval, the first entry of an order or parent that may add.

    Everything else stops, settles or explains, and is recorded as long as any room is left; so is an order of
    somebody else, which is there already.
    """
    if isinstance(event, OrderEvent):
        if event.order is None or event.trigger is OrderTrigger.ADOPT:
            return False
        return not event.order.reduce_only
    if isinstance(event, ParentEvent):
        return event.begun is not None and not event.begun.order.get("reduce_only", False)
    return isinstance(event, SignalEvent | ApprovalAsked | ApprovalGiven | LimitsProposed | LimitsRaised)


def _allocate(descriptor: int, size: int) -> None:
    """Give the file `size` bytes of real blocks."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
    else:  # macOS
        for offset in range(0, size, _BLOCK):
            write_all(descriptor, bytes(min(_BLOCK, size - offset)), offset)
        os.fsync(descriptor)
