"""Files that only their owner may touch, and the lock that admits one writer."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path

from quant_trading_system.core.exceptions import JournalUnavailable

PRIVATE = 0o600
NOT_WRITABLE_BY_OTHERS = 0o022
NOT_READABLE_BY_OTHERS = 0o077
_HOLDER_BYTES = 32


def beside(path: Path, suffix: str) -> Path:
    """The companion file of `path`, in the same directory."""
    return path.with_name(path.name + suffix)


def require_private(path: Path, forbidden: int = NOT_WRITABLE_BY_OTHERS) -> None:
    """Refuse a file that others could have changed, or read.

    Raises:
        JournalUnavailable: missing, no ordinary file, another owner, or open to others.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise JournalUnavailable(f"{path}: {error.strerror}") from error
    if not stat.S_ISREG(found.st_mode):
        raise JournalUnavailable(f"{path} is not an ordinary file")
    if found.st_uid != os.geteuid():
        raise JournalUnavailable(f"{path} belongs to user {found.st_uid}, not to you (user {os.geteuid()})")
    if found.st_mode & forbidden:
        mode = stat.S_IMODE(found.st_mode)
        raise JournalUnavailable(f"{path} is open to other users (mode {mode:o}); run: chmod 600 '{path}'")


def create_private(path: Path, content: bytes = b"") -> None:
    """Make a file of mode 600: after a crash or a loss of power it is there with all of `content`, or not at all.

    Raises:
        FileExistsError: there is one already; it stays as it is.
        OSError: it cannot be written.
    """
    new = beside(path, f".{os.getpid()}")
    new.unlink(missing_ok=True)  # left by a crash of an earlier process of our number
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    try:
        write_all(descriptor, content, 0)
        os.fsync(descriptor)
        os.link(new, path)  # unlike a rename, never replaces
    finally:
        os.close(descriptor)
        new.unlink()
    make_durable(path.parent)


def replace_private(path: Path, content: bytes) -> None:
    """Make or replace a file of mode 600: whoever looks sees all of the old content or all of the new.

    Raises:
        OSError: it cannot be written; the old file stays.
    """
    new = beside(path, f".{os.getpid()}")
    new.unlink(missing_ok=True)
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
        try:
            write_all(descriptor, content, 0)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    make_durable(path.parent)


def write_all(descriptor: int, content: bytes, offset: int) -> None:
    """Write all of `content` at `offset`.

    Raises:
        OSError: the device took less.
    """
    written = os.pwrite(descriptor, content, offset)
    if written != len(content):
        raise OSError(f"short write: {written} of {len(content)} bytes")


def make_durable(path: Path) -> None:
    """Make the content of a file, or the names in a directory, survive a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class WriterLock:
    """An exclusive lock that the operating system releases with the process, however that ends."""

    def __init__(self, path: Path) -> None:
        """Take the lock at once.

        Raises:
            JournalUnavailable: another process holds it; the message names it.
        """
        self.path = path
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE)
        except OSError as error:
            raise JournalUnavailable(f"{path}: {error.strerror}") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._descriptor, _HOLDER_BYTES, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._descriptor)
            raise JournalUnavailable(
                f"another writer has this journal open (process {holder}, lock {path}); stop it first"
            ) from error
        write_all(self._descriptor, f"{os.getpid()}\n".ljust(_HOLDER_BYTES).encode(), 0)  # in place: needs no room

    def require_held(self) -> None:
        """Refuse to go on when the lock file was removed or replaced under us.

        Raises:
            OSError: the file that we locked is not the one that others would find.
        """
        ours, found = os.fstat(self._descriptor), self.path.stat()
        if (ours.st_dev, ours.st_ino) != (found.st_dev, found.st_ino):
            raise OSError(f"the lock file {self.path} was replaced; another writer may be at work")

    def release(self) -> None:
        """Let the next writer in; the file stays, because removing it would admit two."""
        os.close(self._descriptor)
