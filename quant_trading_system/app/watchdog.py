"""The watchdog: a second process that stops the account when the engine cannot.

It watches the engine's heartbeat. When that stands still it sets the kill latch, cancels every open order over
its own connection, again and again until the broker shows none, and writes down what it did.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial

import msgspec

from quant_trading_system.app.broker_sweep import Canceller, Sweep
from quant_trading_system.app.heartbeat import Heartbeat, Phase, Pulse
from quant_trading_system.core.clock import Clock
from quant_trading_system.core.events import HaltTrigger
from quant_trading_system.core.exceptions import KillSwitchIncomplete
from quant_trading_system.risk.kill_switch import KillSwitch

BOUND = timedelta(seconds=5)
"""How long the engine's event loop may stand still."""
TURN_BOUND = timedelta(minutes=2)
"""How long one turn of the engine may take: longer than the slowest answer that it waits for."""

_LOOKS = 10  # within the bound


class WatchdogLimits(msgspec.Struct, frozen=True, kw_only=True):
    """When it acts, and whether it stays.

    Attributes:
        bound: without a beat; `turn_bound`: without a finished turn, while the beats go on.
        stay: watch the next engine, too; otherwise end with the one that was found.
    """

    bound: timedelta = BOUND
    turn_bound: timedelta = TURN_BOUND
    stay: bool = False


class Watchdog:
    """Watches one account's engine."""

    def __init__(
        self,
        clock: Clock,
        kill_switch: KillSwitch,
        canceller: Canceller,
        *,
        account: str,
        read: Callable[[], Heartbeat | None],
        beat: Callable[[int], None],
        note: Callable[[int, str], None],
        limits: WatchdogLimits,
    ) -> None:
        """Prepare to watch.

        Args:
            account: the broker's id of the account that our keys reach; no other engine's is watched.
            read: the engine's heartbeat; `beat`: our own, with the number of looks.
            note: puts down what was done about the engine of an epoch; whatever it raises stops nothing.
        """
        self._clock = clock
        self._kill_switch = kill_switch
        self._canceller = canceller
        self._account = account
        self._read = read
        self._beat = beat
        self._note = note
        self._limits = limits
        self._look = limits.bound / _LOOKS
        self._looks = 0
        self._said = ""

    async def run(self) -> None:
        """Watch until the engine ends in good order or was stopped; with `stay`, for ever."""
        while True:
            last, why = await self._watch()
            if why:
                await self._act(last, why)
            if not self._limits.stay:
                return
            while self._find() in (None, last):
                await self._rest(self._look)

    # -- watching ------------------------------------------------------------------------------------------------

    async def _watch(self) -> tuple[Heartbeat, str]:
        """The last sign of life of an engine, and what is wrong with it; empty when it ended in good order."""
        pulse = Pulse()
        while True:
            pulse.look(self._find())
            last = pulse.last
            if last is not None and last.phase is Phase.ENDED:
                return last, ""
            if last is not None and pulse.silent >= _LOOKS:
                return last, f"gave no sign of life for {self._limits.bound.total_seconds():g} s"
            if last is not None and pulse.stuck * self._look >= self._limits.turn_bound:
                return last, f"is alive but has done nothing for {self._limits.turn_bound.total_seconds():g} s"
            await self._rest(self._look)

    async def _rest(self, span: timedelta) -> None:
        """Let time pass, and show that we are alive meanwhile."""
        while span > timedelta(0):
            self._looks += 1
            try:
                self._beat(self._looks)
            except OSError as error:
                self._put_down(None, f"the watchdog's heartbeat cannot be written ({error})")
            await self._clock.sleep(min(span, self._look))
            span -= self._look

    def _find(self) -> Heartbeat | None:
        found = self._read()
        return found if found is not None and found.account == self._account else None

    # -- acting --------------------------------------------------------------------------------------------------

    async def _act(self, last: Heartbeat, why: str) -> None:
        """Halt first; then cancel until nothing is open, or a person lets orders leave, however long that takes."""
        what = f"process {last.pid} (epoch {last.epoch}) {why}"
        try:
            self._kill_switch.activate(what, trigger=HaltTrigger.WATCHDOG, activated_by="watchdog")
            self._put_down(last, f"halted the account: {what}")
        except KillSwitchIncomplete as incomplete:
            self._put_down(last, f"{incomplete}; cancelling all the same")
        sweep = Sweep(self._canceller, partial(self._put_down, last), seed=last.epoch)
        while not sweep.is_done:
            if not self._kill_switch.is_active():
                self._put_down(last, "somebody has reset the kill switch; cancels no more")
                return
            await self._rest(await sweep.step())

    def _put_down(self, about: Heartbeat | None, what: str) -> None:
        """On record once, however often it is tried again."""
        if what == self._said:
            return
        self._said = what
        with suppress(OSError):  # a full disk must not keep the orders from being cancelled
            self._note(about.epoch if about else 0, what)
