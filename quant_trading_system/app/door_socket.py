"""The socket of an engine's door: where it is, how it is made, and what removes it; both sides of the door know it."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import stat
import tempfile
from pathlib import Path

from quant_trading_system.app.account_files import DOOR_FILE
from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.journal.private_files import NOT_WRITABLE_BY_OTHERS, PRIVATE

COMMANDS_PATH = "/commands"
LONGEST_PATH = 100
"""Bytes of a path that every system can make a socket at; a longer one becomes a link to a shorter one."""
_ELSEWHERE = "qts-door-"


def make_door(directory: Path) -> tuple[Path, socket.socket]:
    """A socket that nobody but the owner can connect to, in place of one that a dead engine left.

    Raises:
        ConfigurationError: another engine answers there, or others may write to the directory.
    """
    if directory.stat().st_mode & NOT_WRITABLE_BY_OTHERS:
        raise ConfigurationError(f"others may write to {directory}; run: chmod 700 '{directory}'")
    door = directory / DOOR_FILE
    _clear(door)
    place = door
    if len(os.fsencode(door.absolute())) > LONGEST_PATH:
        place = Path(tempfile.mkdtemp(prefix=_ELSEWHERE)) / DOOR_FILE
        door.symlink_to(place)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.bind(str(place))
        place.chmod(PRIVATE)  # before anybody can connect: it does not listen yet
        listening.setblocking(False)
    except OSError as error:
        listening.close()
        raise ConfigurationError(f"no door can be opened at {place}: {error.strerror or error}") from error
    return door, listening


def _clear(door: Path) -> None:
    """Remove what a dead engine left; a door that answers is somebody's.

    Raises:
        ConfigurationError: it answers, or is no socket.
    """
    place = place_of(door)
    try:
        mode = place.stat().st_mode
    except OSError:
        remove_door(door)
        return
    if not stat.S_ISSOCK(mode):
        raise ConfigurationError(f"{door} is no socket of an engine; move it away")
    if _answers(place):
        raise ConfigurationError(f"another engine answers at {door}; stop it first")
    remove_door(door)


def _answers(place: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knocking:
        knocking.setblocking(False)
        try:
            knocking.connect(str(place))
        except OSError as error:
            return error.errno in (errno.EAGAIN, errno.EINPROGRESS)  # its queue is full: somebody lives there
    return True


def place_of(door: Path) -> Path:
    """Where the socket is: the file itself, or what the link says whose path is short enough."""
    try:
        return door.readlink()
    except OSError:
        return door


def remove_door(door: Path) -> None:
    """Remove the socket, and the link to it where there is one."""
    place = place_of(door)
    door.unlink(missing_ok=True)
    if place != door and place.parent.name.startswith(_ELSEWHERE):
        shutil.rmtree(place.parent, ignore_errors=True)
