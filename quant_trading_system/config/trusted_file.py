"""Reading a file that decides about money: once, whole, and only when nobody else can have written it."""

from __future__ import annotations

import errno
import os
import shlex
import stat
from io import FileIO
from pathlib import Path

from quant_trading_system.core.exceptions import ConfigurationError

_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH
_OTHERS_MAY_ANYTHING = stat.S_IRWXG | stat.S_IRWXO
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe must not make us wait


def read_trusted(path: Path, max_bytes: int, *, private: bool = False) -> bytes:
    """The bytes of `path`, which is opened once; permissions are those of the open file, so no swap can slip in.

    Args:
        private: it holds secrets, so nobody else may read it, either.

    Raises:
        ConfigurationError: it is missing, unreadable, a symbolic link, no regular file, writable by group or
            others, or larger than `max_bytes`.
    """
    descriptor = _opened(path)
    try:
        _require_trusted(path, os.fstat(descriptor).st_mode, private=private)
        with FileIO(descriptor, closefd=False) as file:
            data = file.read(max_bytes + 1)
    finally:
        os.close(descriptor)
    if len(data) > max_bytes:
        raise ConfigurationError(f"{path} is larger than {max_bytes // 1024} KB; it cannot be what it should be")
    return data


def _opened(path: Path) -> int:
    try:
        return os.open(path, _FLAGS)
    except (OSError, ValueError) as error:
        raise ConfigurationError(_why_closed(path, error)) from None


def _require_trusted(path: Path, mode: int, *, private: bool) -> None:
    if not stat.S_ISREG(mode):
        raise ConfigurationError(f"{path} is not a regular file")
    if mode & _OTHERS_MAY_WRITE:
        remedy = f"chmod go-w {shlex.quote(str(path))}"
        raise ConfigurationError(f"{path} can be changed by other users (mode {stat.S_IMODE(mode):o}); run: {remedy}")
    if private and mode & _OTHERS_MAY_ANYTHING:
        remedy = f"chmod 600 {shlex.quote(str(path))}"
        raise ConfigurationError(f"{path} holds secrets that others may read; run: {remedy}")


def _why_closed(path: Path, error: OSError | ValueError) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.ELOOP or (number == errno.ENOENT and path.is_symlink()):
        return f"{path} is a symbolic link; name the file itself: {os.path.realpath(path)}"
    if number == errno.ENOENT:
        return f"{path} does not exist"
    if number == errno.EACCES:
        return f"{path} cannot be read by this user; run: chmod u+r {shlex.quote(str(path))}"
    if "\0" in str(path):
        return f"{str(path)!r} cannot be opened: it has a null byte"
    return f"{path} cannot be opened: {error}"
