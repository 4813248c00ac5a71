"""The kill switch: one question that every order is asked, and the one state behind it.

Persist first, then act: an activation is on disk before anybody is told of it. Stopping needs one person
and one working path; resuming needs authority, a reason and a record. There is one switch, handed to
everyone who asks; two `KillSwitch` objects on the same latch are the same switch.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from threading import RLock
from types import MappingProxyType

import msgspec

from quant_trading_system.config.settings import kill_latch_path
from quant_trading_system.core.clock import Clock, SystemClock
from quant_trading_system.core.events import HaltLevel, HaltTrigger, KillSwitchEvent
from quant_trading_system.core.exceptions import (
    ConfigurationError,
    KillSwitchActiveError,
    KillSwitchIncomplete,
    ResetRefused,
)
from quant_trading_system.core.wording import one_line
from quant_trading_system.risk.latch import FileLatch, Latch, LatchState

MAX_REASON = 500
NO_REASON = "no reason given"
NO_NUMBERS: Mapping[str, str] = MappingProxyType({})


class KillSwitch:
    """Stops orders for one account.

    Levels, each stopping more than the one before: `HaltLevel.RUNNING`, `REDUCING` (only orders proven to
    shrink a position), `HALTED` (none), `FLATTENING` (cancel, then close by shrinking orders).

    >>> from quant_trading_system.risk.latch import MemoryLatch
    >>> switch = KillSwitch(latch=MemoryLatch())
    >>> switch.activate(reason="investigating an anomaly")
    >>> switch.is_active(), switch._reason
    (True, 'investigating an anomaly')
    >>> switch.reset(authorized_by="admin@company.com")
    >>> switch.is_active()
    False
    """

    def __init__(
        self,
        *,
        latch: Latch | None = None,
        clock: Clock | None = None,
        authorized_resetters: Collection[str] = (),
        record: Callable[[KillSwitchEvent], None] | None = None,
    ) -> None:
        """Join the switch that `latch` remembers.

        Args:
            latch: where the state is kept; the account's latch file in the state directory by default.
            clock: time of the records; the system's by default.
            authorized_resetters: who may reset; kept in the latch, so that it binds every process that opens it.
                Empty: those whom the latch names, or any named person.
            record: writes an event durably into the journal before the switch moves.

        Raises:
            ConfigurationError: the state directory cannot hold the account's latch, or `authorized_resetters` cannot
                be kept in the latch.
        """
        self._latch = latch if latch is not None else _own_latch()
        self._clock = clock if clock is not None else SystemClock()
        self._authorized = frozenset(authorized_resetters)
        self._record = record
        self._lock = RLock()
        self._listeners: list[Callable[[KillSwitchEvent], None]] = []
        self._unpersisted: LatchState | None = None
        if self._authorized:
            self._keep_authorized()

    # -- the question --------------------------------------------------------------------------------------------

    def is_active(self) -> bool:
        """True while any order is being stopped; also when the state cannot be read."""
        return self._state().level is not HaltLevel.RUNNING

    def require_clear(self) -> None:
        """Raise unless inactive.

        Raises:
            KillSwitchActiveError: with the reason of the activation.
        """
        state = self._state()
        if state.level is not HaltLevel.RUNNING:
            raise KillSwitchActiveError(state.reason)

    def permits(self, *, shrinking: bool) -> bool:
        """May an order leave now? While active, only a `shrinking` one, and only at levels that allow exits."""
        return _allows(self._state().level, shrinking=shrinking)

    @property
    def level(self) -> HaltLevel:
        """How much is stopped."""
        return self._state().level

    @property
    def _reason(self) -> str:
        return self._state().reason

    @property
    def reason(self) -> str:
        """Why it is active; empty when it is not."""
        return self._state().reason

    @property
    def state(self) -> LatchState:
        """Everything that is known about the latest activation."""
        return self._state()

    def _state(self) -> LatchState:
        kept = self._latch.read()
        unpersisted = self._unpersisted
        return kept if unpersisted is None or kept.level >= unpersisted.level else unpersisted

    # -- moving it -----------------------------------------------------------------------------------------------

    def subscribe(self, listener: Callable[[KillSwitchEvent], None]) -> None:
        """Tell `listener` of every move, after it has taken effect."""
        self._listeners.append(listener)

    def activate(
        self,
        reason: str,
        *,
        level: HaltLevel = HaltLevel.HALTED,
        trigger: HaltTrigger = HaltTrigger.MANUAL,
        activated_by: str = "operator",
        numbers: Mapping[str, str] = NO_NUMBERS,
    ) -> None:
        """Stop orders now. While active already, the level can only rise and the reasons add up.

        Raises:
            ValueError: `level` is RUNNING.
            KillSwitchIncomplete: it is active in this process, but could not be persisted, recorded or told
                to a listener; every other step was taken.
        """
        reason = _one_line(reason) or NO_REASON
        if level is HaltLevel.RUNNING:
            raise ValueError("the level RUNNING stops nothing; `reset` lets orders leave again")
        with self._lock:
            state, failures = self._raise_level(level, reason, trigger, activated_by, numbers)
            failures += self._note(_event(state, self._clock))
        failures += self._tell(_event(state, self._clock))
        if failures:
            raise KillSwitchIncomplete("the kill switch IS ACTIVE, but: " + "; ".join(failures))

    def reset(self, authorized_by: str, reason: str = "") -> None:
        """Let orders leave again. Does nothing when inactive.

        Args:
            authorized_by: a person; must be on the list of authorised resetters when there is one.
            reason: why it is safe to go on; required when there is such a list.

        Raises:
            ResetRefused: authority or reason is missing, the latch cannot be written, or somebody activated the
                switch again meanwhile; it stays active.
        """
        authorized_by, reason = _one_line(authorized_by), _one_line(reason)
        with self._lock:
            before = self._state()
            if before.level is HaltLevel.RUNNING:
                return
            self._require_authority(before, authorized_by, reason)
            state = LatchState(
                reason="",
                trigger=HaltTrigger.RESET,
                by=authorized_by,
                at=self._clock.now().isoformat(),
                activation=before.activation,
                authorized=before.authorized,
            )
            event = _event(state, self._clock, reason or NO_REASON)
            if self._record is not None:
                self._record(event)
            self._lower(before, state)
        self._tell(event)

    def _lower(self, before: LatchState, state: LatchState) -> None:
        """Write `state`, unless the switch moved since somebody decided about `before`: an activation wins."""
        try:
            with self._latch.exclusive():
                current = self._state()
                if current == before:
                    self._latch.write(state)
                    self._unpersisted = None
                    return
        except OSError as error:
            current, why = before, f"the latch could not be written ({error})"
        else:
            why = f"it was activated again meanwhile: {current.reason}"
        self._note(_event(current, self._clock))
        raise ResetRefused(f"the kill switch is still active: {why}")

    def _require_authority(self, state: LatchState, authorized_by: str, reason: str) -> None:
        allowed = self._authorized or frozenset(state.authorized)
        if not authorized_by:
            raise ResetRefused("a reset needs the name of the person who answers for it (authorized_by)")
        if allowed and authorized_by not in allowed:
            raise ResetRefused(f"{authorized_by} is not on the list of authorized_resetters")
        if allowed and not reason:
            raise ResetRefused("a reset needs a reason")

    def _raise_level(
        self, level: HaltLevel, reason: str, trigger: HaltTrigger, by: str, numbers: Mapping[str, str]
    ) -> tuple[LatchState, list[str]]:
        """Active on disk, and if the disk fails in this process all the same; the state and what failed."""
        try:
            with self._latch.exclusive():
                state = self._unpersisted = self._next_state(level, reason, trigger, by, numbers)
                self._latch.write(state)
        except OSError as error:
            state = self._unpersisted = self._next_state(level, reason, trigger, by, numbers)
            return state, [f"the latch could not be written ({error}); other processes do not see the halt"]
        self._unpersisted = None
        return state, []

    def _next_state(
        self, level: HaltLevel, reason: str, trigger: HaltTrigger, by: str, numbers: Mapping[str, str]
    ) -> LatchState:
        before = self._state()
        again = before.level is not HaltLevel.RUNNING
        known = again and reason in before.reason
        return LatchState(
            level=max(before.level, level),
            reason=before.reason if known else _one_line(f"{before.reason}; {reason}") if again else reason,
            trigger=before.trigger if again else trigger,
            by=before.by if again else _one_line(by),
            at=before.at if again else self._clock.now().isoformat(),
            activation=before.activation + (not again),
            numbers={**before.numbers, **numbers} if again else dict(numbers),
            authorized=before.authorized,
        )

    def authorize(self, resetters: Collection[str]) -> None:
        """Let others reset it from now on; empty for those whom the latch names, or any named person.

        Raises:
            ConfigurationError: the list cannot be kept in the latch.
        """
        self._authorized = frozenset(resetters)
        self._keep_authorized()

    def _keep_authorized(self) -> None:
        """Every process that opens the latch must know the list; a list that is there already is only read."""
        names = tuple(sorted(self._authorized))
        if self._latch.read().authorized == names:
            return
        try:
            with self._latch.exclusive():
                state = self._latch.read()
                if state.authorized != names and state.trigger is not HaltTrigger.INTEGRITY:
                    self._latch.write(msgspec.structs.replace(state, authorized=names))
        except OSError as error:
            raise ConfigurationError(
                f"the kill latch cannot keep the list of authorized_resetters ({error.strerror or error}); make its "
                "directory writable, or set QTS_STATE_DIR to one that you may write to"
            ) from error

    def _note(self, event: KillSwitchEvent) -> list[str]:
        if self._record is None:
            return []
        try:
            self._record(event)
        except Exception as error:  # noqa: BLE001 - stopping goes on whatever the journal does; reported at the end
            return [f"the journal could not record it ({error})"]
        return []

    def _tell(self, event: KillSwitchEvent) -> list[str]:
        failures = []
        for listener in self._listeners:
            try:
                listener(event)
            except Exception as error:  # noqa: BLE001 - one deaf listener must not silence the others; reported at the end
                failures.append(f"a listener failed ({error!r})")
        return failures


def stops(latch: Latch, *, shrinking: bool) -> str:
    """Why the latch stops an order at this moment, empty when it may leave; the last look before the wire."""
    state = latch.read()
    return "" if _allows(state.level, shrinking=shrinking) else state.reason


def _own_latch() -> FileLatch:
    path = kill_latch_path()
    try:
        return FileLatch(path)
    except OSError as error:
        raise ConfigurationError(
            f"the kill latch cannot be kept in {path.parent} ({error.strerror or error}); "
            "set QTS_STATE_DIR to a directory that you may write to"
        ) from error


def _allows(level: HaltLevel, *, shrinking: bool) -> bool:
    return level is HaltLevel.RUNNING or (shrinking and level in (HaltLevel.REDUCING, HaltLevel.FLATTENING))


def _event(state: LatchState, clock: Clock, reason: str = "") -> KillSwitchEvent:
    return KillSwitchEvent(
        at=clock.now(),
        level=state.level,
        reason=reason or state.reason,
        trigger=state.trigger,
        by=state.by,
        activation=state.activation,
        numbers=dict(state.numbers),
    )


def _one_line(text: str) -> str:
    """Reasons and names end up in logs and files: printable, one line, bounded."""
    return one_line(text, MAX_REASON)
