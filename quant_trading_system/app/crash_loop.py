"""Starts that fail again and again end in a halt: an engine that cannot come up must not try for ever.

A start has failed when its run neither compared its books with the broker's nor ended on record. One that was told
to stop, or found a broker without an answer, ends on record. Refused before the account was taken up, as for keys or
a lock, it is not counted: nothing was begun.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from quant_trading_system.core.clock import Clock
from quant_trading_system.core.events import HaltTrigger, RunStarted
from quant_trading_system.core.exceptions import (
    BrokerRejected,
    ConfigurationError,
    KillSwitchIncomplete,
    NotSent,
    OutcomeUnknown,
)
from quant_trading_system.journal.backwards import first_since
from quant_trading_system.journal.store import JournalSource
from quant_trading_system.risk.halt_state import LatchState
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.risk.latch import Latch

MOST_FAILED = 10
"""Starts that may fail one after the other; the next one halts the account."""
WITHIN = timedelta(hours=1)
"""Older ones do not count."""
BY = "crash loop"


class Canceller(Protocol):
    """What withdraws the orders that the failed starts have left."""

    async def cancel_all(self) -> object:
        """Ask for a cancel of every order of the account."""


def failed_starts(journal: JournalSource, since: datetime) -> int:
    """How many of the last starts, one after the other, came to nothing since that moment."""
    failed = 0
    for entry in journal.entries(first_since(journal, since), kinds=("run_started", "run_finished", "reconciled")):
        if not isinstance(entry.event, RunStarted):
            failed = 0
        elif entry.event.at >= since:
            failed += 1
    return failed


async def refuse_crash_loop(journal: JournalSource, latch: Latch, clock: Clock, canceller: Canceller) -> None:
    """Halt the account instead of one more start that is going to fail; once a person has reset it, count anew.

    Raises:
        ConfigurationError: too many starts have failed, now or before, and the account is halted.
    """
    state = latch.read()
    if state.level and state.by == BY:
        raise ConfigurationError(f"{state.reason}; `qts resume` lets it start again")
    failed = failed_starts(journal, max(clock.now() - WITHIN, _reset_at(state)))
    if failed < MOST_FAILED:
        return
    reason = f"{failed} starts failed one after the other within {WITHIN.total_seconds() / 60:.0f} minutes"
    incomplete = ""
    try:
        KillSwitch(latch=latch, clock=clock).activate(reason, trigger=HaltTrigger.INTEGRITY, activated_by=BY)
    except KillSwitchIncomplete as error:
        incomplete = f"; {error}"
    try:
        await canceller.cancel_all()
        orders = "its open orders were asked to be cancelled"
    except (OutcomeUnknown, NotSent, BrokerRejected) as error:
        orders = f"its orders could not be cancelled ({error}); look at the broker"
    raise ConfigurationError(
        f"{reason}: the account is halted, {orders}; find out why, then `qts resume` lets it start again{incomplete}"
    )


def _reset_at(state: LatchState) -> datetime:
    """When a person has looked at it last; the beginning of time for a latch that nobody has reset."""
    if state.trigger is not HaltTrigger.RESET or not state.at:
        return datetime.fromisoformat("0001-01-01T00:00:00+00:00")
    return datetime.fromisoformat(state.at)
