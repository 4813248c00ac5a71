"""One sender for an account: a lock that the operating system holds, with a number that only grows.

The lock keeps a second engine on this machine out. Its number, the epoch, goes into the journal and into every
client order id. Whoever holds it is asked again right before each order leaves: an engine that was paused while
its lock file was replaced or removed finds out before its next byte, and not after.
"""

from __future__ import annotations

import fcntl
import os
from datetime import datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import msgspec

from quant_trading_system.core.exceptions import ConfigurationError, JournalUnavailable
from quant_trading_system.execution.credentials import Endpoints, TradingMode
from quant_trading_system.journal.private_files import PRIVATE, make_durable, require_private, write_all

_LONGEST = 4096
_TRIES = 5


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """Who sends for an account.

    Attributes:
        account: the broker's id of it.
        epoch: how often the lock has been taken, from 1.
        pid, host: the process; `since`: when it took the lock (UTC).
        directory: where it keeps its journal.
    """

    account: str
    epoch: int
    pid: int
    host: str
    since: datetime
    directory: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {self.since:%Y-%m-%d %H:%M:%S} UTC, directory {self.directory}"


class AccountLock(Protocol):
    """The right to send for one account."""

    @property
    def holder(self) -> Holder:
        """Ourselves, as the lock has us on record."""

    def flaw(self) -> str:
        """Why we must not send any more, empty while the lock is ours; never raises."""

    def release(self) -> None:
        """Let the next one in."""


class FileAccountLock:
    """A small private file under an exclusive lock, which ends with the process, however that ends.

    Attributes:
        path: of the file. It stays when the lock is released, because the epoch is in it.
        holder: who took it.
    """

    def __init__(self, path: Path, claim: Holder) -> None:
        """Take the lock at once.

        Args:
            claim: who takes it; `claim.epoch` is the highest epoch that its journal knows, 0 for none. The epoch
                taken is one above that and above the file's.

        Raises:
            ConfigurationError: another engine holds it, and is named; or the file is damaged or open to others.
        """
        self.path = path
        try:
            self._descriptor = _locked(path)
        except OSError as error:
            raise ConfigurationError(
                f"the lock of account {claim.account} cannot be kept in {path.parent} ({error.strerror or error}); "
                "set QTS_STATE_DIR to a directory that you may write to"
            ) from error
        try:
            before = _read(self._descriptor, path)
            self.holder = msgspec.structs.replace(claim, epoch=max(claim.epoch, before.epoch if before else 0) + 1)
            self._content = msgspec.json.encode(self.holder) + b"\n"
            self._write()
        except BaseException:
            os.close(self._descriptor)
            raise
        found = os.fstat(self._descriptor)
        self._identity = (found.st_dev, found.st_ino)

    def flaw(self) -> str:
        """One look at the name and one read of the file: cheap enough to be asked before every order."""
        try:
            found = self.path.stat()
            is_ours = (found.st_dev, found.st_ino) == self._identity
            content = os.pread(self._descriptor, _LONGEST, 0)
        except OSError as error:
            return f"the account lock {self.path} cannot be read ({error.strerror}); somebody else may be sending"
        if not is_ours:
            return f"the account lock {self.path} was replaced; somebody else may be sending: end this process"
        if content != self._content:
            return f"the account lock {self.path} was rewritten; somebody else may be sending"
        return ""

    def release(self) -> None:
        """Let the next one in; the file stays."""
        os.close(self._descriptor)

    def _write(self) -> None:
        try:
            write_all(self._descriptor, self._content, 0)
            os.ftruncate(self._descriptor, len(self._content))
            os.fsync(self._descriptor)
            make_durable(self.path.parent)
        except OSError as error:
            raise ConfigurationError(
                f"the account lock {self.path} cannot be written ({error.strerror}); free space or repair the disk"
            ) from error


class UnsharedLock:
    """The lock of an account that nobody else can reach, such as one at a venue of our own.

    Attributes:
        holder: its only sender.
    """

    def __init__(self, claim: Holder) -> None:
        """Have it, with the epoch after `claim.epoch`."""
        self.holder = msgspec.structs.replace(claim, epoch=claim.epoch + 1)

    def flaw(self) -> str:
        return ""

    def release(self) -> None:
        """Nothing is held."""


def account_key(endpoints: Endpoints, account_id: str) -> str:
    """What tells an account from all others on this machine: venues of our own may use the same ids."""
    if endpoints.mode is not TradingMode.LOCAL:
        return account_id
    return f"{account_id}-{urlsplit(endpoints.trading).port or 80}"


def account_lock_path(directory: Path, account: str) -> Path:
    """Where the lock of `account` is, for an engine that keeps its journal in `directory`: one for all directories.

    Raises:
        ConfigurationError: the broker's id is no plain file name.
    """
    if not account.isascii() or not account.replace("-", "").replace("_", "").isalnum() or len(account) > 64:
        raise ConfigurationError(f"the broker calls the account {account[:64]!r}, which cannot be the name of a file")
    return directory.parent / "accounts" / f"{account}.lock"


def sender_of(path: Path) -> Holder | None:
    """Who holds the lock at `path` now; None when nobody does, or nobody can tell."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        return _read(descriptor, path) if _is_held(descriptor) else None
    except (OSError, ConfigurationError):
        return None
    finally:
        os.close(descriptor)


def _is_held(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def take_over(path: Path, claim: Holder) -> FileAccountLock:
    """The lock, also out of the hands of an engine that hangs: it finds out before its next byte leaves.

    The operating system keeps its lock for it, so the file is replaced as a whole, by one that is locked already.

    Args:
        claim: who takes it; `claim.epoch` is at least that of the engine that hangs.

    Raises:
        ConfigurationError: it cannot be kept there.
    """
    if sender_of(path) is None:
        return FileAccountLock(path, claim)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    lock = FileAccountLock(draft, claim)
    try:
        draft.replace(path)
        make_durable(path.parent)
    except OSError as error:
        lock.release()
        draft.unlink(missing_ok=True)
        raise ConfigurationError(f"the account lock {path} cannot be taken over ({error.strerror or error})") from error
    lock.path = path
    return lock


def _locked(path: Path) -> int:
    """An open and locked descriptor of the file that others find under `path`, too.

    Raises:
        ConfigurationError: another engine holds it.
        OSError: it cannot be opened.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for _ in range(_TRIES):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, PRIVATE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _leads_to(path, descriptor):
                return descriptor
        except BlockingIOError:
            who = _name_of_holder(descriptor, path)
            os.close(descriptor)
            raise ConfigurationError(f"another engine trades this account: {who}; stop it first") from None
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)
    raise OSError(f"{path} is replaced again and again")


def _leads_to(path: Path, descriptor: int) -> bool:
    """False when the file was removed or replaced between opening and locking it."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(descriptor), found)


def _name_of_holder(descriptor: int, path: Path) -> str:
    try:
        holder = _read(descriptor, path)
    except ConfigurationError:
        holder = None
    return str(holder) if holder else f"somebody who holds {path}"


def _read(descriptor: int, path: Path) -> Holder | None:
    """What the file says; None for an empty one, as a loss of power leaves it before the first writing."""
    try:
        require_private(path)
        content = os.pread(descriptor, _LONGEST, 0)
        return msgspec.json.decode(content, type=Holder) if content else None
    except (OSError, JournalUnavailable, msgspec.DecodeError) as error:
        raise ConfigurationError(
            f"the account lock {path} cannot be believed ({error}); make sure that no engine runs, then remove it"
        ) from error
