"""What a reset of the kill switch takes, decided purely: authority, enough persons, and a cause that is gone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import msgspec

from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.exceptions import ConfigurationError, ResetRefused
from quant_trading_system.core.numbers import plain
from quant_trading_system.risk.halt_state import Halt, LatchState, ResetApproval, ResetPolicy
from quant_trading_system.risk.latch import Latch, stop_file_of
from quant_trading_system.risk.triggers import LOSSES, Measure

APPROVAL_LASTS = timedelta(hours=24)
"""An approval that is older counts no more."""


class ResetWish(msgspec.Struct, frozen=True, kw_only=True):
    """A reset that somebody asks for.

    Attributes:
        halt: the activation that is to end.
        accepts_loss: the loss may count no more; peak and start of the day begin anew.
    """

    halt: Halt
    by: str
    reason: str
    accepts_loss: bool = False


Obstacles = Callable[[ResetWish], Sequence[str]]
"""What stands against a reset at this moment, one line each; empty when the cause has gone."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How far a reset has come.

    Attributes:
        approvals: that count now, oldest first.
        needed: persons.
        solo_at: when the first who approved may reset alone; None when nobody ever may.
        is_solo: one person resets alone, after the delay.
    """

    approvals: tuple[ResetApproval, ...]
    needed: int
    solo_at: datetime | None = None
    is_solo: bool = False

    @property
    def is_enough(self) -> bool:
        """True when orders may leave again."""
        return self.is_solo or len(self.approvals) >= self.needed

    @property
    def missing(self) -> str:
        """What is still needed, in one sentence; empty when nothing is."""
        if self.is_enough:
            return ""
        names = ", ".join(approval.by for approval in self.approvals)
        words = f"{len(self.approvals)} of {self.needed} approvals" + (f" ({names})" if names else "")
        words += "; a second person runs `qts resume`" if self.approvals else "; see `qts resume`"
        if self.solo_at is not None and self.approvals:
            words += f", or {self.approvals[0].by} alone again after {self.solo_at:%Y-%m-%d %H:%M:%S} UTC"
        return words


def policy_of(limits: RiskLimits, *, live: bool) -> ResetPolicy:
    """What a reset takes under these limits; where no real money is moved, one person is enough.

    Raises:
        ConfigurationError: fewer persons may reset than must, so nobody ever could.
    """
    persons = limits.reset_approvals if live else 1
    named = len({name.casefold() for name in limits.authorized_resetters})
    if named and named < persons and not limits.solo_reset_delay_s:
        raise ConfigurationError(
            f"halt.authorized_resetters names {named} and reset.reset_approvals asks for {persons} persons, so no halt "
            "could be lifted; name one more, or set reset.solo_reset_delay_s for a person who works alone"
        )
    return ResetPolicy(
        persons=persons,
        solo_delay_s=limits.solo_reset_delay_s if live else 0,
        probation_s=limits.probation_s,
        probation_factor=limits.probation_factor,
    )


def require_authority(wish: ResetWish, allowed: frozenset[str], policy: ResetPolicy) -> None:
    """Raise unless this person may reset and says why.

    Raises:
        ResetRefused: says what is missing.
    """
    if not wish.by:
        raise ResetRefused("a reset needs the name of the person who answers for it (authorized_by)")
    if allowed and wish.by not in allowed:
        raise ResetRefused(f"{wish.by} is not on the list of authorized_resetters")
    if (allowed or policy.persons > 1) and not wish.reason:
        raise ResetRefused("a reset needs a reason")


def standing(halt: Halt, policy: ResetPolicy, now: datetime) -> Standing:
    """Which approvals of `halt` count at `now`, and what is missing."""
    counting = tuple(a for a in halt.approvals if now - datetime.fromisoformat(a.at) <= APPROVAL_LASTS)
    solo_at = None
    if policy.solo_delay_s and counting:
        solo_at = datetime.fromisoformat(counting[0].at) + timedelta(seconds=policy.solo_delay_s)
    return Standing(approvals=counting, needed=policy.persons, solo_at=solo_at)


def approved(wish: ResetWish, policy: ResetPolicy, now: datetime) -> Standing:
    """The same after the word of `wish`: a second person's counts, a first person's second one only after the delay."""
    before = standing(wish.halt, policy, now)
    own = next((a for a in before.approvals if a.by.casefold() == wish.by.casefold()), None)
    if own is not None:
        alone_at = datetime.fromisoformat(own.at) + timedelta(seconds=policy.solo_delay_s)
        is_solo = policy.solo_delay_s > 0 and now >= alone_at
        return msgspec.structs.replace(before, is_solo=is_solo)
    new = ResetApproval(by=wish.by, at=now.isoformat(), reason=wish.reason, accepts_loss=wish.accepts_loss)
    halt = msgspec.structs.replace(wish.halt, approvals=(*before.approvals, new))
    return standing(halt, policy, now)


class Cause(NamedTuple):
    """A number beyond its limit, by the key of the limit; `is_loss`: people may accept it on record."""

    rule: str
    actual: Decimal
    limit: Decimal
    is_loss: bool = True


def causes_of(measures: Iterable[Measure]) -> list[Cause]:
    """What would trip the switch again at once after a reset.

    Losses are among them, for people have to accept them on record; streak and averages are not, for they are counted
    anew from a reset on.
    """
    return [
        Cause(found.trigger.rule, found.actual, found.limit, is_loss=found.trigger in LOSSES)
        for found in measures
        if found.is_beyond and (found.trigger in LOSSES or not found.trigger.is_forgiven)
    ]


def cause_obstacles(wish: ResetWish, causes: Iterable[Cause]) -> list[str]:
    """What would trip the switch again; a loss does not count when everybody who approves accepts it."""
    if not wish.halt.scope.is_account:
        return []
    found = []
    for cause in causes:
        if cause.is_loss and wish.accepts_loss:
            continue
        advice = "wait until it is less, or accept the loss on record (--accept-loss)" if cause.is_loss else "repair it"
        numbers = f"{cause.rule}, now {plain(cause.actual)}, limit {plain(cause.limit)}"
        found.append(f"the cause persists: {numbers}; {advice}")
    return found


def dirt_obstacles(wish: ResetWish, breaks: Sequence[str], doubtful: Sequence[str]) -> list[str]:
    """Why the books cannot be trusted; for the account and for a symbol, not for a strategy or a side."""
    if not wish.halt.scope.is_account and not wish.halt.scope.symbol:
        return []
    found = [f"reconciliation is not clean: {why}; see `qts reconcile`" for why in breaks]
    if doubtful and wish.halt.scope.is_account:
        found.append(f"the fate of {', '.join(doubtful)} is unknown; wait until the broker has told it")
    return found


def file_obstacles(latch: Latch) -> list[str]:
    """The file that asks for a halt lies there still."""
    path = stop_file_of(latch)
    return [] if path is None else [f"the file {path} asks for a halt; remove it first"]


def allowed_resetters(own: frozenset[str], state: LatchState) -> frozenset[str]:
    """Who may reset: those whom this process was told, or else those whom the latch names."""
    return own or frozenset(state.authorized)
