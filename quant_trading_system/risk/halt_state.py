"""What a latch holds, as plain data: how much is stopped, for which orders, by whom, and who approved the reset.

One number counts the activations of the account, another one those of scopes; both grow for ever, so that an
approval can name the very activation that it is for.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from quant_trading_system.core.clock import Clock
from quant_trading_system.core.events import HaltLevel, HaltTrigger, KillSwitchEvent
from quant_trading_system.core.halt_scope import ACCOUNT, Aimed, HaltScope
from quant_trading_system.core.numbers import ONE
from quant_trading_system.core.wording import one_line

REMEMBERED_LIFTS = 16
"""Scopes that were lifted and are kept, so that an engine that starts later can tell by whom."""


class ResetApproval(msgspec.Struct, frozen=True, kw_only=True):
    """One person's word that orders may leave again.

    Attributes:
        at: when (UTC, ISO 8601).
        accepts_loss: the loss may count no more.
    """

    by: str
    at: str
    reason: str = ""
    accepts_loss: bool = False


class ResetPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What a reset takes, and what follows it; kept in the latch, so that it binds every process that opens it.

    Attributes:
        persons: how many different ones must approve.
        solo_delay_s: seconds after which one who approved may reset alone; 0 never.
        probation_s: seconds after a reset with limits reduced by `probation_factor`; 0 for none.
    """

    persons: int = 1
    solo_delay_s: int = 0
    probation_s: int = 0
    probation_factor: Decimal = ONE


class Halt(msgspec.Struct, frozen=True, kw_only=True):
    """One activation: of the account, or of a scope.

    Attributes:
        by: who set it, or who lifted it when the level is RUNNING; `at`: when (UTC, ISO 8601).
        numbers: what tripped it, as text.
        approvals: of its reset, so far.
        accepts_loss: with its reset the loss counts no more.
    """

    scope: HaltScope = ACCOUNT
    level: HaltLevel = HaltLevel.RUNNING
    reason: str = ""
    trigger: HaltTrigger = HaltTrigger.MANUAL
    by: str = ""
    at: str = ""
    activation: int = 0
    numbers: dict[str, str] = {}
    approvals: tuple[ResetApproval, ...] = ()
    accepts_loss: bool = False


class LatchState(msgspec.Struct, frozen=True, kw_only=True):
    """What the latch holds. The first fields are those of the account's own halt.

    Attributes:
        activation: number of the latest activation; grows for ever.
        by: who set it; `at`: when (UTC, ISO 8601); `numbers`: what tripped it, as text.
        approvals, accepts_loss: as for `Halt`.
        authorized: the persons who may reset it; any named person when empty.
        scopes: halts of a part of the account, and the latest of those that were lifted.
        scope_activations: number of the latest activation of any scope.
        policy: what a reset takes.
        probation_until: reduced limits until then (UTC, ISO 8601); empty for none.
    """

    level: HaltLevel = HaltLevel.RUNNING
    reason: str = ""
    trigger: HaltTrigger = HaltTrigger.MANUAL
    by: str = ""
    at: str = ""
    activation: int = 0
    numbers: dict[str, str] = {}
    approvals: tuple[ResetApproval, ...] = ()
    accepts_loss: bool = False
    authorized: tuple[str, ...] = ()
    scopes: tuple[Halt, ...] = ()
    scope_activations: int = 0
    policy: ResetPolicy = ResetPolicy()
    probation_until: str = ""

    @property
    def stopped_scopes(self) -> tuple[Halt, ...]:
        """Halts of parts of the account that are active."""
        return tuple([halt for halt in self.scopes if halt.level]) if self.scopes else ()

    @property
    def stops_something(self) -> bool:
        """True while the account or a part of it is stopped."""
        return bool(self.level) or (bool(self.scopes) and any(halt.level for halt in self.scopes))

    def halt_of(self, scope: HaltScope = ACCOUNT) -> Halt:
        """The halt of the account or of exactly this scope; level RUNNING when there is none."""
        if scope.is_account:
            return Halt(**{name: getattr(self, name) for name in _SHARED})
        return next((halt for halt in self.scopes if halt.scope == scope), Halt(scope=scope))

    def with_halt(self, halt: Halt) -> LatchState:
        """The same latch with this halt in the place of the one of its scope."""
        if halt.scope.is_account:
            return msgspec.structs.replace(self, **{name: getattr(halt, name) for name in _SHARED})
        others = [known for known in self.scopes if known.scope != halt.scope]
        lifted = [known for known in others if not known.level][-REMEMBERED_LIFTS + 1 :]
        kept = [known for known in others if known.level or known in lifted]
        number = max(self.scope_activations, halt.activation)
        return msgspec.structs.replace(self, scopes=(*kept, halt), scope_activations=number)

    def next_activation(self, scope: HaltScope) -> int:
        """The number that a new activation of `scope` gets."""
        return (self.activation if scope.is_account else self.scope_activations) + 1

    def for_order(self, order: Aimed) -> tuple[HaltLevel, str]:
        """How much is stopped for this order, and why.

        The account comes first: while it is halted or flattened, narrower halts change nothing. Otherwise the
        highest level of all that cover the order holds.
        """
        level, reason = self.level, self.reason
        if not self.scopes or level >= HaltLevel.HALTED:
            return level, reason
        for halt in self.scopes:
            if halt.level > level and halt.scope.covers(order):
                level, reason = halt.level, f"{halt.scope}: {halt.reason}"
        return level, reason

    def halted_since(self, order: Aimed, moment: datetime) -> str:
        """Why an order that was judged at `moment` is out of date: a halt of it was set, or let go, after that."""
        for halt in (self.halt_of(), *self.scopes):
            if halt.at and datetime.fromisoformat(halt.at) > moment and halt.scope.covers(order):
                return f"a halt of {halt.scope} came after it was judged ({halt.at}, {halt.by or 'nobody'})"
        return ""

    def on_probation(self, now: datetime) -> bool:
        """True while limits are reduced after a reset."""
        return bool(self.probation_until) and now < datetime.fromisoformat(self.probation_until)

    def raised(self, wanted: Halt) -> LatchState:
        """The latch after an activation.

        One that is active already keeps its number, its beginning and its trigger; the level can only rise and the
        reasons add up. A number that `wanted` brings is kept, unless an earlier activation of its scope had it.
        """
        before = self.halt_of(wanted.scope)
        if not before.level:
            is_new = wanted.activation > before.activation
            number = wanted.activation if is_new else self.next_activation(wanted.scope)
            return self.with_halt(msgspec.structs.replace(wanted, activation=number, approvals=()))
        known = wanted.reason in before.reason
        rises = wanted.level > before.level
        merged = msgspec.structs.replace(
            before,
            level=max(before.level, wanted.level),
            reason=before.reason if known else one_line(f"{before.reason}; {wanted.reason}"),
            at=before.at or wanted.at,
            numbers={**before.numbers, **wanted.numbers},
            approvals=before.approvals if known and not rises else (),  # they were for less
        )
        return self.with_halt(merged)

    def joined(self, other: LatchState) -> LatchState:
        """This latch, after the activations of `other` that are still active there."""
        state = self
        for halt in (other.halt_of(), *other.stopped_scopes):
            state = state.raised(halt) if halt.level else state
        return state


_SHARED = ("level", "reason", "trigger", "by", "at", "activation", "numbers", "approvals", "accepts_loss")


def probation_end(policy: ResetPolicy, now: datetime) -> str:
    """When the reduced limits of a reset at `now` end; empty without any."""
    return (now + timedelta(seconds=policy.probation_s)).isoformat() if policy.probation_s else ""


def event_of(halt: Halt, clock: Clock, reason: str = "") -> KillSwitchEvent:
    """The move to `halt`, for the record."""
    return KillSwitchEvent(
        at=clock.now(),
        level=halt.level,
        reason=reason or halt.reason,
        trigger=halt.trigger,
        by=halt.by,
        activation=halt.activation,
        numbers=dict(halt.numbers),
        scope=halt.scope,
        accepts_loss=halt.accepts_loss,
    )
