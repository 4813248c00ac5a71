"""Every alert of an account with what became of it, on record in one file that several processes share.

Whoever watches writes what is raised, over and delivered; whoever acknowledges appends one line from any process.
Everybody reads the file forward and comes to the same state, so an alert is told once however often it is seen.
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from threading import RLock

import msgspec

from quant_trading_system.app.readings.alert_fold import AlertLine
from quant_trading_system.app.readings.alert_kinds import AlertKind
from quant_trading_system.core.exceptions import ConfigurationError, UnknownOrder
from quant_trading_system.core.wording import one_line
from quant_trading_system.journal.private_files import PRIVATE

ALERTS_FILE = "alerts.jsonl"
KEPT = 500
"""Alerts that are over and remembered all the same."""
QUIET = timedelta(minutes=10)
"""What is raised again so soon after its end is counted, and not told again."""
ENDLESS = frozenset(
    {
        AlertKind.STRATEGY_STOPPED,
        AlertKind.WATCHDOG_ACTED,
        AlertKind.LIMIT_NEARED,
        AlertKind.LIMIT_BROKEN,
        AlertKind.ADAPTER_ALARM,
    }
)
"""Nothing says that these are over; they are when somebody has taken notice."""
COUNT_EVERY = timedelta(minutes=1)
"""Repetitions go on record at most so often."""


class Began(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="began"):
    """Somebody began to watch; what the journal told up to `seq` is the past."""

    at: datetime
    seq: int


class Raised(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="raised"):
    """Something happened that was not open; `repeats`: seen so often since it was last on record."""

    at: datetime
    line: AlertLine
    repeats: int = 0


class Over(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="over"):
    """The matter has ended by itself or by somebody's doing; `seq` of the entry that says so."""

    at: datetime
    key: str
    seq: int = 0


class Acknowledged(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="acknowledged"):
    """A person has taken notice; `source`: ``cli``, ``api`` or ``console``."""

    at: datetime
    key: str
    by: str
    source: str
    note: str = ""


class Delivered(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="delivered"):
    """What became of telling a group; `channel` is empty when no channel worked.

    Attributes:
        failed: channels that did not work before that one.
        ms: from the moment it was noticed to the channel's answer.
    """

    at: datetime
    keys: tuple[str, ...]
    group: str
    channel: str
    failed: tuple[str, ...] = ()
    ms: int = 0


AlertRecord = Began | Raised | Over | Acknowledged | Delivered


class Alert(msgspec.Struct, kw_only=True):
    """One matter.

    Attributes:
        line: what was told of it last; `count`: how often it was seen.
        told: groups that a channel has told; `tried_at`: by group, when it was last tried in vain.
        acknowledged_by, note: of the person who has taken notice.
    """

    line: AlertLine
    first_at: datetime
    last_at: datetime
    count: int = 1
    is_over: bool = False
    over_at: datetime | None = None
    told: tuple[str, ...] = ()
    tried_at: dict[str, datetime] = {}
    acknowledged_by: str = ""
    acknowledged_at: datetime | None = None
    note: str = ""


class AlertBook:
    """All alerts of one account.

    Attributes:
        alerts: by key, the oldest first.
        seq: the last entry of the journal that led to a record.
        lock: held by whoever changes the book or goes through it, for one thread looks while another tells.
    """

    def __init__(self, directory: Path) -> None:
        """Follow the record in `directory`."""
        self._path = directory / ALERTS_FILE
        self._offset = 0
        self._uncounted: dict[str, int] = {}
        self.lock = RLock()
        self.alerts: dict[str, Alert] = {}
        self.seq = 0
        self.follow()

    @property
    def is_new(self) -> bool:
        """Nothing was ever on record."""
        return not self._path.exists()

    def follow(self) -> None:
        """Take in what was added since, by this or another process."""
        with self.lock:
            self._follow()

    def _follow(self) -> None:
        try:
            size = self._path.stat().st_size
        except OSError:
            return
        if size == self._offset:
            return
        with self._path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        whole = data.rfind(b"\n") + 1
        self._offset += whole
        for line in data[:whole].splitlines():
            with suppress(msgspec.DecodeError):
                self._take(msgspec.json.decode(line, type=AlertRecord))

    def write(self, record: AlertRecord) -> None:
        """Put on record, on disk before the call returns, and take it in.

        Raises:
            ConfigurationError: the file cannot be written.
        """
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE)
            try:
                os.write(descriptor, msgspec.json.encode(record) + b"\n")
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise ConfigurationError(f"alerts cannot be recorded in {self._path}: {error.strerror}") from error
        self.follow()

    def see(self, line: AlertLine, now: datetime) -> None:
        """Something happened: raise it, count it, or end it. A halt that goes deeper is raised anew."""
        known = self.alerts.get(line.key)
        if line.is_over:
            if known is not None and not known.is_over:
                self.write(Over(at=now, key=line.key, seq=line.seq))
            return
        if known is None or self._is_news(known, line, now):
            self.write(Raised(at=now, line=line))
            return
        self._uncounted[line.key] = self._uncounted.get(line.key, 0) + 1
        if known.is_over or now - known.last_at >= COUNT_EVERY:
            self.write(Raised(at=now, line=line, repeats=self._uncounted.pop(line.key)))

    def end(self, key: str, now: datetime) -> None:
        """A condition holds no more."""
        known = self.alerts.get(key)
        if known is not None and not known.is_over:
            self.write(Over(at=now, key=key))

    def acknowledge(self, key: str, by: str, source: str, now: datetime, note: str = "") -> Alert:
        """A person has taken notice.

        Raises:
            UnknownOrder: there is no such alert.
        """
        if key not in self.alerts:
            raise UnknownOrder(f"no alert {key}; `qts alerts list` shows them", key)
        self.write(Acknowledged(at=now, key=key, by=one_line(by), source=source, note=one_line(note)))
        return self.alerts[key]

    def open(self) -> tuple[Alert, ...]:
        """What lasts, and what happened and nobody has taken notice of; the newest first."""
        with self.lock:
            found = [
                alert
                for alert in self.alerts.values()
                if not alert.is_over and not (alert.acknowledged_by and alert.line.kind in ENDLESS)
            ]
        return tuple(sorted(found, key=lambda alert: alert.last_at, reverse=True))

    def newest(self) -> tuple[Alert, ...]:
        """Everything that is remembered, what is over included; the newest first."""
        with self.lock:
            return tuple(reversed(self.alerts.values()))

    def _is_news(self, known: Alert, line: AlertLine, now: datetime) -> bool:
        if known.is_over and known.over_at is not None:
            return now - known.over_at >= QUIET
        if line.kind in ENDLESS:
            return bool(known.acknowledged_by) or now - known.last_at >= QUIET
        return line.kind is AlertKind.HALTED and line.what != known.line.what

    def _take(self, record: AlertRecord) -> None:
        match record:
            case Began():
                self.seq = max(self.seq, record.seq)
            case Raised():
                self._raise(record)
            case Over():
                self.seq = max(self.seq, record.seq)
                if (alert := self.alerts.get(record.key)) is not None:
                    alert.is_over, alert.over_at = True, record.at
            case Acknowledged():
                if (alert := self.alerts.get(record.key)) is not None:
                    alert.acknowledged_by, alert.acknowledged_at = record.by, record.at
                    alert.note = record.note
            case Delivered():
                self._deliver(record)

    def _raise(self, record: Raised) -> None:
        line = record.line
        self.seq = max(self.seq, line.seq)
        known = self.alerts.get(line.key)
        if known is not None and record.repeats:
            known.count, known.last_at, known.line = known.count + record.repeats, record.at, line
            known.is_over = False
            return
        count = 1 if known is None else known.count + 1
        self.alerts.pop(line.key, None)
        self.alerts[line.key] = Alert(line=line, first_at=record.at, last_at=record.at, count=count)
        self._forget()

    def _deliver(self, record: Delivered) -> None:
        for key in record.keys:
            alert = self.alerts.get(key)
            if alert is None:
                continue
            if record.channel:
                alert.told = tuple(dict.fromkeys((*alert.told, record.group)))
            else:
                alert.tried_at = {**alert.tried_at, record.group: record.at}

    def _forget(self) -> None:
        over = [key for key, alert in self.alerts.items() if alert.is_over]
        for key in over[: max(len(self.alerts) - KEPT, 0)]:
            del self.alerts[key]
