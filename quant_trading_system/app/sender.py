"""The right to send: who has it, what is asked right before an order leaves, and who watches over the engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Protocol

from quant_trading_system.app.heartbeat import Heartbeat, Phase, Pulse, Vitals
from quant_trading_system.core.clock import Clock
from quant_trading_system.core.events import HaltTrigger, SenderLocked
from quant_trading_system.core.exceptions import ConfigurationError, KillSwitchIncomplete
from quant_trading_system.execution.account_lock import AccountLock
from quant_trading_system.execution.backoff import Backoff
from quant_trading_system.execution.notices import Notice, NoticeKind, Notify
from quant_trading_system.journal.store import Journal
from quant_trading_system.risk.kill_switch import KillSwitch, stops
from quant_trading_system.risk.latch import Latch
from quant_trading_system.risk.pre_trade import Approval

BEAT = timedelta(seconds=1)
"""How often the engine shows that its event loop turns; five of them fit into the watchdog's bound."""
UNWATCHED_AFTER = 5
"""Beats without a sign of life from the watchdog, after which no new risk is taken."""
WATCHDOG_START = timedelta(seconds=30)
"""How long a watchdog may take to come up."""

LONGEST_START = 600
"""Beats within which a start may take its time; it waits for orders in doubt, and may read a long history."""

_TOO_LONG = UNWATCHED_AFTER * BEAT.total_seconds()
_FIRST_PAUSE = timedelta(seconds=10)
_LONGEST_PAUSE = timedelta(minutes=5)


class Child(Protocol):
    """A process that we started."""

    def poll(self) -> int | None:
        """Its exit code, None while it runs."""

    def kill(self) -> None:
        """End it at once."""


class LastLook:
    """Asked with nothing between its answer and the first byte of an order.

    Is the account still ours to send for, is neither it nor everything on this machine halted, and was neither since
    the order was judged? An engine that slept through a halt must not go on where it was.
    """

    def __init__(self, lock: AccountLock, latch: Latch, host_latch: Latch, notify: Notify) -> None:
        """Ask these three; `notify` halts the account when the lock is lost."""
        self._lock = lock
        self._latch = latch
        self._host_latch = host_latch
        self._notify = notify

    def __call__(self, approved: Approval) -> str:
        """Why the order must not leave, empty when it may."""
        flaw = self._lock.flaw()
        if flaw:
            self._notify(Notice(kind=NoticeKind.LOCK_LOST, source="account lock", message=flaw))
            return flaw
        order, shrinks = approved.order, approved.shrinks
        for latch in (self._latch, self._host_latch):
            stopped = stops(latch, order, shrinking=shrinks)
            if not stopped and not shrinks:
                stopped = latch.read().halted_since(order, approved.decision.at)
            if stopped:
                return stopped
        return ""


class EngineGuard:
    """Shows that the engine lives, sees to it that a watchdog does, and looks at what others may have done.

    Attributes:
        kill_switch: of the account; None until its parts are joined.
        starting: no turn is due yet.
        trading: orders may be out; from now on only a good end keeps the watchdog from acting.
        vitals: what is told with every beat, once the parts are joined.
    """

    def __init__(
        self,
        clock: Clock,
        lock: AccountLock,
        host_latch: Latch,
        notify: Notify,
        *,
        beat: Callable[[Heartbeat], None],
        watchdog: Callable[[], Heartbeat | None],
        launch: Callable[[], Child] | None,
    ) -> None:
        """Prepare; nothing happens before `watched`.

        Args:
            beat: writes the engine's heartbeat; `watchdog`: reads that of the watchdog.
            launch: starts a watchdog; None to do without one.
        """
        self.kill_switch: KillSwitch | None = None
        self.starting = True
        self.trading = False
        self.vitals: Callable[[], Vitals | None] = lambda: None
        self._clock = clock
        self._lock = lock
        self._host_latch = host_latch
        self._notify = notify
        self._write = beat
        self._read = watchdog
        self._launch = launch
        self._child: Child | None = None
        self._pulse = Pulse()
        self._looked_at = clock.monotonic()
        self._slept = False
        self._alive = False
        self._beats = self._turns = 0
        self._backoff = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE, seed=lock.holder.epoch, name="watchdog")
        self._next_launch = clock.monotonic()
        self._flaw = ""
        self._mute = False

    # -- for the engine ------------------------------------------------------------------------------------------

    def unwatched(self) -> str:
        """Why nobody watches over the engine, empty while a watchdog lives or is done without."""
        if self._launch is None:
            return ""
        if self._slept or self._since_look() >= _TOO_LONG:
            return "nothing ran here for a while; the watchdog has to show life first"
        if self._alive:
            return ""
        return f"no watchdog: its heartbeat has stood still for {self._pulse.silent} s; it is being started again"

    def turned(self) -> None:
        """The engine has done its work once more."""
        self._turns += 1

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Be watched over within. When trading ends by an error, the watchdog is left to act.

        Raises:
            ConfigurationError: the watchdog did not come up.
        """
        beating: asyncio.Future[None] | None = None
        try:
            await self._begin()
            beating = asyncio.ensure_future(self._run())
            beating.add_done_callback(self._require_beat)
            yield
            self.trading = False
        finally:
            if beating is not None:
                beating.cancel()
            if not self.trading:
                self._show(Phase.ENDED)

    async def _begin(self) -> None:
        self._show(Phase.ALIVE)
        if self._launch is None:
            return
        self._pulse.look(self._watchdog())  # what an earlier one has left
        try:
            self._child = self._launch()
        except OSError as error:
            raise ConfigurationError(f"the watchdog cannot be started ({error})") from error
        deadline = self._clock.monotonic() + WATCHDOG_START.total_seconds()
        while not self._alive:
            code = self._child.poll()
            if code is not None or self._clock.monotonic() > deadline:
                raise ConfigurationError(
                    f"the watchdog did not come up (exit code {code}); read watchdog.out in the account's directory, "
                    "or do without it on your own risk: --no-watchdog"
                )
            await self._clock.sleep(BEAT / 10)
            self._show(Phase.ALIVE)
            self._look_at_watchdog()

    def _require_beat(self, beating: asyncio.Future[None]) -> None:
        """Without it nobody hears of a halt of the machine or of a lost lock any more."""
        if not beating.cancelled() and (error := beating.exception()) is not None:
            why = f"the heartbeat has ended: {error!r}"
            self._notify(Notice(kind=NoticeKind.HANDLER_FAILED, source="watchdog", message=why))

    async def _run(self) -> None:
        while True:
            self.beat()
            await self._clock.sleep(BEAT)

    def beat(self) -> None:
        """Show life, and look at the lock, the latch of the machine and the watchdog."""
        if self.starting and self._beats < LONGEST_START:
            self.turned()
        self._show(Phase.ALIVE)
        flaw = self._lock.flaw()
        if flaw and not self._flaw:
            self._notify(Notice(kind=NoticeKind.LOCK_LOST, source="account lock", message=flaw))
        self._flaw = flaw
        self._follow_host()
        if self._launch is not None:
            self._look_at_watchdog()
            self._keep_watchdog()

    # -- inside --------------------------------------------------------------------------------------------------

    def _show(self, phase: Phase) -> None:
        self._beats += 1
        holder = self._lock.holder
        beat = Heartbeat(
            beats=self._beats,
            turns=self._turns,
            pid=holder.pid,
            epoch=holder.epoch,
            account=holder.account,
            phase=phase,
            vitals=self.vitals() if phase is Phase.ALIVE else None,
        )
        try:
            self._write(beat)
        except OSError as error:
            if not self._mute:
                self._say(f"the heartbeat cannot be written ({error}); the watchdog is going to halt the account")
            self._mute = True
        else:
            self._mute = False

    def _follow_host(self) -> None:
        """A halt of the machine becomes one of the account, with all that follows from it."""
        state, switch = self._host_latch.read(), self.kill_switch
        if switch is None or state.level <= switch.level:
            return
        try:
            switch.activate(
                f"everything on this machine is halted: {state.reason}",
                level=state.level,
                trigger=HaltTrigger.HOST,
                activated_by=state.by or "host latch",
            )
        except KillSwitchIncomplete as incomplete:
            self._say(str(incomplete))

    def _look_at_watchdog(self) -> None:
        has_slept, self._looked_at = self._since_look() >= _TOO_LONG, self._clock.monotonic()
        self._pulse.look(self._watchdog())
        if has_slept:
            self._slept = self._alive  # it may have ended meanwhile: only a sign of life after the pause counts
        elif not self._pulse.silent:
            self._alive, self._slept = True, False
            self._backoff.reset()
        elif self._alive and self._pulse.silent >= UNWATCHED_AFTER:
            self._alive = self._slept = False
            self._say("the watchdog gives no sign of life; no new risk is taken until it does")

    def _since_look(self) -> float:
        """Seconds in which this process did not look at the watchdog; many after a pause."""
        return self._clock.monotonic() - self._looked_at

    def _watchdog(self) -> Heartbeat | None:
        """Its heartbeat, unless it watches another account."""
        found = self._read()
        return found if found is not None and found.account == self._lock.holder.account else None

    def _keep_watchdog(self) -> None:
        if self._alive or self._launch is None or self._clock.monotonic() < self._next_launch:
            return
        self._next_launch = self._clock.monotonic() + self._backoff.next_pause().total_seconds()
        if self._child is not None and self._child.poll() is None:
            self._child.kill()
        try:
            self._child = self._launch()
        except OSError as error:
            self._say(f"the watchdog cannot be started ({error})")

    def _say(self, message: str) -> None:
        self._notify(Notice(kind=NoticeKind.WATCHDOG, source="watchdog", message=message))


def last_epoch(journal: Journal) -> int:
    """The highest epoch on record, 0 for none."""
    events = (entry.event for entry in journal.entries(kinds=("sender_locked",)))
    return max((event.epoch for event in events if isinstance(event, SenderLocked)), default=0)
