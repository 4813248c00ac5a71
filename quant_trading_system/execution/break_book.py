"""The breaks that are open: confirmed by a second look, on record, told, and shut at the gate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from quant_trading_system.core.book_events import BreakClosed, BreakOpened
from quant_trading_system.core.breaks import Break, BreakKind, Owner
from quant_trading_system.core.clock import Clock
from quant_trading_system.execution.order_life import Journal
from quant_trading_system.risk.agreement import Agreement

SECOND_LOOK = timedelta(seconds=2)
"""A difference that is still the same after so long is believed; until then it may be on its way."""

LIGHT = frozenset({BreakKind.POSITION, BreakKind.MISSING_ORDER, BreakKind.FOREIGN_ORDER, BreakKind.ORDER_QUANTITY})
"""What a light look can clear: it sees open orders and positions only."""
FULL = LIGHT | {BreakKind.CASH, BreakKind.MISSING_FILL}

BreakName = tuple[BreakKind, str]


class _Suspect(NamedTuple):
    """A difference seen once: when, by the calendar and by the monotonic clock."""

    found: Break
    first_seen: datetime
    since: float


class BreakBook:
    """Every break from the first look to the clean one.

    Attributes:
        open: by name, with the time at which each was first seen.
    """

    def __init__(
        self,
        agreement: Agreement,
        journal: Journal,
        clock: Clock,
        alarm: Callable[[Break, bool], None],
        past: Mapping[BreakName, tuple[Break, datetime]] | None = None,
    ) -> None:
        """Go on with the breaks of an earlier process.

        Args:
            alarm: told of every break that opens or changes (True) and that closes (False).
            past: what was open when the journal ended.
        """
        self.open: dict[BreakName, tuple[Break, datetime]] = dict(past or {})
        self._suspects: dict[BreakName, _Suspect] = {}
        self._agreement = agreement
        self._journal = journal
        self._clock = clock
        self._alarm = alarm
        self._shut()

    @property
    def needs_second_look(self) -> bool:
        """Something differs and was seen once only."""
        return bool(self._suspects)

    @property
    def needs_full_look(self) -> bool:
        """Something was seen once only that a light look cannot see again."""
        return any(kind not in LIGHT for kind, _ in self._suspects)

    @property
    def blocking(self) -> tuple[Break, ...]:
        """The open breaks that shut new risk."""
        return tuple(found for found, _ in self.open.values() if found.blocks)

    @property
    def is_incomplete(self) -> bool:
        """The broker could not be asked for too long, and no full look has come since."""
        return (BreakKind.INCOMPLETE, "account") in self.open

    def judge(self, found: Iterable[Break], *, full: bool) -> None:
        """Take the differences of one complete look."""
        differences = {difference.name: difference for difference in found}
        scope = FULL if full else LIGHT
        for name in [name for name in self.open if name[0] in scope and name not in differences]:
            self._close(name)
        for name in [name for name in self._suspects if name[0] in scope and name not in differences]:
            del self._suspects[name]
        for name, difference in differences.items():
            self._weigh(name, difference)
        self._shut()

    def _weigh(self, name: BreakName, found: Break) -> None:
        if name in self.open:
            known, first_seen = self.open[name]
            is_same = known.is_same_as(found)
            if is_same and not found.cause:  # a light look does not read the broker's statement
                found = msgspec.structs.replace(found, cause=known.cause)
            self.open[name] = (found, first_seen)
            if not is_same or found.cause != known.cause:
                self._open(found, first_seen)
            return
        suspect = self._suspects.get(name)
        if suspect is None or not suspect.found.is_same_as(found):
            self._suspects[name] = _Suspect(found, self._clock.now(), self._clock.monotonic())
        elif self._clock.monotonic() - suspect.since >= SECOND_LOOK.total_seconds():
            del self._suspects[name]
            self._open(found, suspect.first_seen)

    def could_not_look(self, why: str) -> None:
        """The broker gave no answer for longer than patience allows: nothing is known of the whole account."""
        found = Break(kind=BreakKind.INCOMPLETE, subject="account", ours="not compared", theirs=why, owner=Owner.SYSTEM)
        if found.name not in self.open:
            self._open(found, self._clock.now())
            self._shut()

    def could_look(self) -> None:
        """A full look was complete again."""
        name = (BreakKind.INCOMPLETE, "account")
        if name in self.open:
            self._close(name)
            self._shut()

    def _open(self, found: Break, first_seen: datetime) -> None:
        self.open[found.name] = (found, first_seen)
        self._journal.append(BreakOpened(at=self._clock.now(), found=found, first_seen=first_seen))
        self._alarm(found, True)

    def _close(self, name: BreakName) -> None:
        found, first_seen = self.open.pop(name)
        self._journal.append(BreakClosed(at=self._clock.now(), found=found, first_seen=first_seen))
        self._alarm(found, False)

    def _shut(self) -> None:
        self._agreement.set_breaks(found for found, _ in self.open.values())
