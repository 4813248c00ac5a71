"""The limits file of a running account: a change of it is a wish, like any other, at the moment at which it is saved.

What becomes tighter is in force at once, what lets more through waits for people. A file that is not understood
changes nothing, and says so on record.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from quant_trading_system.app.governing import told_settled
from quant_trading_system.config.loader import load_limits
from quant_trading_system.core.clock import Clock
from quant_trading_system.core.exceptions import ConfigurationError, JournalError
from quant_trading_system.core.limit_events import LimitsFileRefused
from quant_trading_system.core.wording import one_line
from quant_trading_system.journal.store import Journal
from quant_trading_system.risk.limits_governance import LimitsGovernance

LOOK = timedelta(seconds=1)
"""How often the file is looked at; it is read when it was the same at two looks, for somebody may still be writing."""

_Signature = tuple[int, ...]
_ABSENT: _Signature = ()


class LimitsFile:
    """Watches one file, and hands what it says to whoever governs the limits."""

    def __init__(
        self,
        path: Path,
        governance: LimitsGovernance,
        journal: Journal,
        clock: Clock,
        *,
        by: str,
        tell: Callable[[str], None],
    ) -> None:
        """Watch `path`.

        Args:
            by: who answers for what it says; `tell`: takes one line for people.
        """
        self._path = path
        self._governance = governance
        self._journal = journal
        self._clock = clock
        self._by = by
        self._tell = tell
        self._latest: _Signature | None = None
        self._read: _Signature | None = None

    async def run(self) -> None:
        """Look until somebody stops it."""
        while True:
            self.look()
            await self._clock.sleep(LOOK)

    def look(self) -> None:
        """Read the file if it has changed and is still again."""
        before, self._latest = self._latest, _signature(self._path)
        if self._latest != before or self._latest == self._read:
            return
        try:
            self._take()
        except JournalError as error:
            self._tell(f"{self._path} cannot be taken up now, and is tried again: {error}")
            return
        self._read = self._latest

    def _take(self) -> None:
        try:
            limits = load_limits(self._path)
            settled = self._governance.read_file(limits, by=self._by, name=str(self._path))
        except ConfigurationError as error:
            why = one_line(str(error))
            self._journal.append(LimitsFileRefused(at=self._clock.now(), name=str(self._path), why=why))
            self._journal.sync()
            return
        for line in told_settled(settled):
            self._tell(line)


def _signature(path: Path) -> _Signature:
    """Changes with every change of the file; empty while it cannot be found."""
    try:
        found = path.stat()
    except OSError:
        return _ABSENT
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_mode
