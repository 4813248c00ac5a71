"""The kill switch: one question that every order is asked, and the one state behind it.

Persist first, then act: an activation is on disk before anybody is told of it. Stopping needs one person
and one working path; resuming needs authority, a reason and a record. There is one switch, handed to
everyone who asks; two `KillSwitch` objects on the same latch are the same switch.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from threading import RLock
from types import MappingProxyType

import msgspec

from quant_trading_system.core.clock import Clock, SystemClock
from quant_trading_system.core.events import HaltLevel, HaltTrigger, KillSwitchEvent
from quant_trading_system.core.exceptions import (
    ConfigurationError,
    KillSwitchActiveError,
    KillSwitchIncomplete,
    ResetPending,
    ResetRefused,
)
from quant_trading_system.core.halt_scope import ACCOUNT, HaltScope
from quant_trading_system.core.orders import Order
from quant_trading_system.core.wording import LONGEST_REASON, one_line
from quant_trading_system.risk.halt_state import Halt, LatchState, ResetPolicy, event_of, probation_end
from quant_trading_system.risk.latch import Latch, own_latch
from quant_trading_system.risk.reset import (
    Obstacles,
    ResetWish,
    Standing,
    allowed_resetters,
    approved,
    require_authority,
    standing,
)

MAX_REASON = LONGEST_REASON
NO_REASON = "no reason given"
NO_NUMBERS: Mapping[str, str] = MappingProxyType({})
WRITES_AGAIN_AFTER_S = 5
"""Seconds between two attempts to write down a halt that the latch could not be told."""
_RUNNING = HaltLevel.RUNNING


class KillSwitch:
    """Stops orders for one account, or for a part of it.

    Levels, each stopping more than the one before: `HaltLevel.RUNNING`, `REDUCING` (only orders proven to
    shrink a position), `HALTED` (none), `FLATTENING` (cancel, then close by shrinking orders).

    Attributes:
        obstacles: what stands against a reset now; asked for every approval.

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
        policy: ResetPolicy | None = None,
        obstacles: Obstacles = lambda _: (),
        record: Callable[[KillSwitchEvent], object] | None = None,
    ) -> None:
        """Join the switch that `latch` remembers.

        Args:
            latch: where the state is kept; the account's latch file in the state directory by default.
            clock: time of the records; the system's by default.
            authorized_resetters: who may reset; kept in the latch, so that it binds every process that opens it.
                Empty: those whom the latch names, or any named person.
            policy: what a reset takes, likewise kept in the latch; None: what the latch says.
            obstacles: what stands against a reset now; asked for every approval.
            record: writes an event durably into the journal before the switch moves.

        Raises:
            ConfigurationError: the state directory cannot hold the account's latch, or `authorized_resetters` or
                `policy` cannot be kept in the latch.
        """
        self._latch = latch if latch is not None else own_latch()
        self._clock = clock if clock is not None else SystemClock()
        self._authorized = frozenset(authorized_resetters)
        self.obstacles = obstacles
        self._record = record
        self._lock = RLock()
        self._listeners: list[Callable[[KillSwitchEvent], None]] = []
        self._unpersisted: LatchState | None = None  # what the latch could not be told; it counts here all the same
        self._writes_again_at: float = 0
        self._at_rest: LatchState | None = None  # the latest state that was found to stop nothing
        if self._authorized or policy is not None:
            self._keep_rules(policy)

    def is_active(self) -> bool:
        """True while any order of the account is being stopped; also when the state cannot be read.

        Halts of a part of the account do not count: `permits` and `require_clear` know them.
        """
        return self.state.level is not HaltLevel.RUNNING

    def require_clear(self, order: Order | None = None) -> None:
        """Raise unless inactive, for the account and for every scope that covers `order`.

        Raises:
            KillSwitchActiveError: with the reason of the activation.
        """
        level, reason = self._for(order)
        if level is not HaltLevel.RUNNING:
            raise KillSwitchActiveError(reason)

    def permits(self, order: Order | None = None, *, shrinking: bool) -> bool:
        """May this order leave now? While active, only a `shrinking` one, and only at levels that allow exits."""
        state = self._read()
        if state is self._at_rest:
            return True
        level = state.level if order is None else state.for_order(order)[0]
        return _allows(level, shrinking=shrinking)

    def reason_for(self, order: Order) -> str:
        """Why this order is stopped; empty when nothing stops it."""
        return self._for(order)[1]

    @property
    def stops_something(self) -> bool:
        """True while the account or a part of it is stopped."""
        state = self._read()
        if state is self._at_rest:
            return False
        if stopped := state.stops_something:
            return stopped
        self._at_rest = state
        return False

    @property
    def level(self) -> HaltLevel:
        """How much of the account is stopped."""
        return self.state.level

    @property
    def _reason(self) -> str:
        return self.state.reason

    @property
    def reason(self) -> str:
        """Why it is active; empty when it is not."""
        return self._reason

    @property
    def state(self) -> LatchState:
        """Everything that is known about the latest activations, of the account and of scopes."""
        return self._read()

    def _read(self) -> LatchState:
        kept, unpersisted = self._latch.read(), self._unpersisted
        return kept if unpersisted is None else kept.joined(unpersisted)

    def standing(self, scope: HaltScope = ACCOUNT) -> Standing:
        """Who has approved the reset of the halt of `scope`, and what is missing."""
        state = self.state
        return standing(state.halt_of(scope), state.policy, self._clock.now())

    def _for(self, order: Order | None) -> tuple[HaltLevel, str]:
        state = self.state
        return (state.level, state.reason) if order is None else state.for_order(order)

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
        scope: HaltScope = ACCOUNT,
    ) -> None:
        """Stop orders now. While active already, the level can only rise, the reasons add up, and approvals are void.

        Args:
            scope: which orders; all of the account by default. Every scope is an activation of its own.

        Raises:
            ValueError: `level` is RUNNING.
            KillSwitchIncomplete: it is active in this process, but could not be persisted, recorded or told
                to a listener; every other step was taken.
        """
        if level is HaltLevel.RUNNING:
            raise ValueError("the level RUNNING stops nothing; `reset` lets orders leave again")
        wanted = Halt(
            scope=scope,
            level=level,
            reason=one_line(reason) or NO_REASON,
            trigger=trigger,
            by=one_line(activated_by),
            at=self._clock.now().isoformat(),
            numbers=dict(numbers),
        )
        with self._lock:
            state, failures = self._raise_level(wanted)
            event = event_of(state.halt_of(scope), self._clock)
            failures += self._note(event)
        failures += self._tell(event)
        if failures:
            raise KillSwitchIncomplete("the kill switch IS ACTIVE, but: " + "; ".join(failures))

    def reset(
        self, authorized_by: str, reason: str = "", *, scope: HaltScope = ACCOUNT, accept_loss: bool = False
    ) -> None:
        """Let orders leave again, or approve it where more persons are needed. Does nothing when inactive.

        Args:
            authorized_by: a person; must be on the list of authorised resetters when there is one.
            reason: why it is safe to go on; required when there is such a list or more persons are needed.
            scope: what was halted; exactly as it was named then.
            accept_loss: the loss counts no more; peak and start of the day begin anew, if all who approve say so.

        Raises:
            ResetPending: the approval is kept; others are missing. The message says which. It stays active.
            ResetRefused: authority or reason is missing, the cause persists, the latch cannot be written, or
                somebody activated the switch again meanwhile; it stays active.
        """
        with self._lock:
            before = self.state
            halt = before.halt_of(scope)
            if halt.level is HaltLevel.RUNNING:
                return
            wish = ResetWish(halt=halt, by=one_line(authorized_by), reason=one_line(reason), accepts_loss=accept_loss)
            require_authority(wish, allowed_resetters(self._authorized, before), before.policy)
            if obstacles := tuple(self.obstacles(wish)):
                raise ResetRefused("the kill switch is still active: " + "; ".join(obstacles))
            found = approved(wish, before.policy, self._clock.now())
            if not found.is_enough:
                self._keep_approval(before, halt, found)
            event = self._lift(before, halt, found, wish)
        self._tell(event)

    def _lift(self, before: LatchState, halt: Halt, found: Standing, wish: ResetWish) -> KillSwitchEvent:
        now = self._clock.now()
        persons = found.approvals
        lifted = Halt(
            scope=halt.scope,
            trigger=HaltTrigger.RESET,
            by=" and ".join(a.by for a in persons) + (" alone, after the delay" if found.is_solo else ""),
            at=now.isoformat(),
            activation=halt.activation,
            accepts_loss=wish.accepts_loss and all(a.accepts_loss for a in persons),
        )
        event = event_of(lifted, self._clock, "; ".join(dict.fromkeys(a.reason for a in persons)) or NO_REASON)
        if self._record is not None:
            self._record(event)
        state = before.with_halt(lifted)
        if halt.scope.is_account:
            state = msgspec.structs.replace(state, probation_until=probation_end(before.policy, now))
        self._put(before, state)
        return event

    def _keep_approval(self, before: LatchState, halt: Halt, found: Standing) -> None:
        """Write down who has approved so far, and say what is missing."""
        if len(found.approvals) > len(standing(halt, before.policy, self._clock.now()).approvals):
            self._put(before, before.with_halt(msgspec.structs.replace(halt, approvals=found.approvals)))
        raise ResetPending(f"the kill switch is still active: {found.missing}")

    def _put(self, before: LatchState, state: LatchState) -> None:
        """Write `state`, unless the switch moved since somebody decided about `before`: an activation wins."""
        try:
            with self._latch.exclusive():
                current = self.state
                if current == before:
                    self._latch.write(state)
                    self._unpersisted = None
                    return
        except OSError as error:
            current, why = before, f"the latch could not be written ({error})"
        else:
            why = f"it was activated again meanwhile: {current.reason or 'see qts status'}"
        for halt in (current.halt_of(), *current.stopped_scopes):
            if halt.level:
                self._note(event_of(halt, self._clock))
        raise ResetRefused(f"the kill switch is still active: {why}")

    def _raise_level(self, wanted: Halt) -> tuple[LatchState, list[str]]:
        """Active on disk, and if the disk fails in this process all the same; the state and what failed."""
        try:
            with self._latch.exclusive():
                state = self._remember(wanted)
                self._latch.write(state)
        except OSError as error:
            state = self._remember(wanted)
            self._writes_again_at = self._clock.monotonic() + WRITES_AGAIN_AFTER_S
            return state, [f"the latch could not be written ({error}); other processes do not see the halt"]
        self._unpersisted = None
        return state, []

    def write_again(self) -> None:
        """Try once more to persist a halt of this process that the latch could not be told; every few seconds only.

        Whoever asks the switch in turns calls it. While it fails, the halt goes on holding in this process alone.
        """
        with self._lock:
            now = self._clock.monotonic()
            if self._unpersisted is None or now < self._writes_again_at:
                return
            self._writes_again_at = now + WRITES_AGAIN_AFTER_S
            with suppress(OSError), self._latch.exclusive():  # people were told when it failed first
                self._latch.write(self._read())
                self._unpersisted = None

    def _remember(self, wanted: Halt) -> LatchState:
        """Stop from now on, whatever the latch takes. Only this halt: what others set, they may lift."""
        state = self.state.raised(wanted)
        self._unpersisted = (self._unpersisted or LatchState()).with_halt(state.halt_of(wanted.scope))
        return state

    def govern(self, resetters: Collection[str], policy: ResetPolicy) -> None:
        """Let others reset it from now on, by other rules; no names for those whom the latch knows, or any person.

        Raises:
            ConfigurationError: they cannot be kept in the latch.
        """
        self._authorized = frozenset(resetters)
        self._keep_rules(policy)

    def _keep_rules(self, policy: ResetPolicy | None) -> None:
        """Every process that opens the latch must know them; those that are there already are only read."""
        if self._with_rules(self._latch.read(), policy) is None:
            return
        try:
            with self._latch.exclusive():
                state = self._latch.read()
                changed = self._with_rules(state, policy)
                if changed is not None and state.trigger is not HaltTrigger.INTEGRITY:
                    self._latch.write(changed)
        except OSError as error:
            raise ConfigurationError(
                f"the kill latch cannot keep the list of authorized_resetters ({error.strerror or error}); make its "
                "directory writable, or set QTS_STATE_DIR to one that you may write to"
            ) from error

    def _with_rules(self, state: LatchState, policy: ResetPolicy | None) -> LatchState | None:
        names = tuple(sorted(self._authorized)) or state.authorized
        wanted = msgspec.structs.replace(state, authorized=names, policy=policy or state.policy)
        return None if wanted == state else wanted

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


def stops(latch: Latch, order: Order, *, shrinking: bool) -> str:
    """Why the latch stops this order at this moment, empty when it may leave; the last look before the wire."""
    state = latch.read()
    if state.level is _RUNNING and not state.scopes:
        return ""
    level, reason = state.for_order(order)
    return "" if _allows(level, shrinking=shrinking) else reason


def _allows(level: HaltLevel, *, shrinking: bool) -> bool:
    return level is _RUNNING or (shrinking and level in (HaltLevel.REDUCING, HaltLevel.FLATTENING))
