"""Signs of life between processes: a small file that says who lives, how often it has looked around, and for whom.

What counts is that the content changes, never the time of the file: a clock that jumps is no death.
"""

from __future__ import annotations

import os
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

import msgspec

from quant_trading_system.journal.private_files import PRIVATE, write_all

ENGINE_FILE = "heartbeat"
WATCHDOG_FILE = "watchdog.heartbeat"
_SIZE = 1024


class Phase(StrEnum):
    """What the one who lives is doing."""

    ALIVE = "alive"
    ENDED = "ended"  # in good order; nobody needs to act


class Vitals(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What only the engine can know of its lines, told with every beat so that nobody has to ask it.

    Attributes:
        at: by the engine's clock.
        streams: by name, whether the subscription is confirmed and no gap is open.
        silences: by name of the stream, seconds since its last message of any kind.
        measures: by key of `risk_params.yaml`, seconds against the limit: silence of prices and broker, clock skew.
    """

    at: datetime
    streams: dict[str, bool] = {}
    silences: dict[str, Decimal] = {}
    measures: dict[str, tuple[Decimal, Decimal]] = {}

    @property
    def beyond(self) -> tuple[str, ...]:
        """Keys of the measures that are beyond their limits."""
        return tuple(rule for rule, (actual, limit) in self.measures.items() if actual > limit)


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """One sign of life.

    Attributes:
        beats: grows while the process runs; `turns`: grows while it gets its work done.
        pid: the process; `epoch`: of the account lock, under which the engine sends.
        account: the broker's id of it.
        vitals: of an engine that trades; None of others, and before it does.
    """

    beats: int
    turns: int
    pid: int
    epoch: int
    account: str
    phase: Phase = Phase.ALIVE
    vitals: Vitals | None = None


def write_heartbeat(path: Path, beat: Heartbeat) -> None:
    """Put `beat` into the file; not synced, for no heartbeat outlives the machine.

    Raises:
        OSError: it cannot be written.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, PRIVATE)
    try:
        write_all(descriptor, msgspec.json.encode(beat).ljust(_SIZE - 1) + b"\n", 0)
    finally:
        os.close(descriptor)


def read_heartbeat(path: Path) -> Heartbeat | None:
    """The last sign of life, None when there is none that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Heartbeat)
    except (OSError, msgspec.DecodeError):
        return None


class Pulse:
    """Judges the signs of life of another process by the number of looks at which nothing had changed.

    Counting looks instead of seconds forgives the observer's own pauses: who was asleep has not looked.

    Attributes:
        last: the last sign that was read, None before the first.
        silent: looks without a change since then.
    """

    def __init__(self) -> None:
        self.last: Heartbeat | None = None
        self.silent = 0
        self.stuck = 0

    def look(self, found: Heartbeat | None) -> None:
        """Compare with the look before."""
        before, self.silent, self.stuck = self.last, self.silent + 1, self.stuck + 1
        if found is None:
            return
        if before is None or (found.epoch, found.pid, found.phase) != (before.epoch, before.pid, before.phase):
            self.silent = self.stuck = 0
        if before is None or found.beats != before.beats:
            self.silent = 0
        if before is None or found.turns != before.turns:
            self.stuck = 0
        self.last = found
