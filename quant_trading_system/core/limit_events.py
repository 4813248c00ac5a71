"""How the limits of an account have changed: when, who, from, to and why.

The limits of the first run are those of its `RunStarted`. From then on every change is an event of its own, and
a value that lets more through is in force only after people have approved it.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from quant_trading_system.core.event import Event


class LimitChange(msgspec.Struct, frozen=True, array_like=True):
    """One limit, from one value to another, in the text of the limits file.

    Attributes:
        key: ``section.key``.
        was: empty for a limit that is new.
    """

    key: str
    was: str
    now: str

    def __str__(self) -> str:
        return f"{self.key} from {self.was or 'nothing'} to {self.now}"


class LimitsSet(Event, frozen=True, kw_only=True, omit_defaults=True, tag="limits_set"):
    """Limits changed for good: at once where they became tighter, after approval where they became looser.

    Attributes:
        version: of all `limits` after it, temporary raises left out.
        limits: every approved limit from now on, by ``section.key``.
        approval: the approval that it rests on; empty for tighter and for new ones.
        source: ``file``, ``cli``, ``api`` or ``console``.
    """

    version: str
    changes: tuple[LimitChange, ...]
    limits: dict[str, str]
    by: str
    why: str
    approval: str = ""
    source: str = ""


class LimitsProposed(Event, frozen=True, kw_only=True, omit_defaults=True, tag="limits_proposed"):
    """Somebody wants limits that let more through; they wait for the approval of the same id.

    Attributes:
        until: when they end by themselves; None for limits that are to stay.
    """

    approval: str
    changes: tuple[LimitChange, ...]
    by: str
    why: str
    until: datetime | None = None
    source: str = ""


class LimitsRaised(Event, frozen=True, kw_only=True, omit_defaults=True, tag="limits_raised"):
    """Limits let more through until a moment, as approved; the limits beneath stay as they are."""

    approval: str
    changes: tuple[LimitChange, ...]
    until: datetime
    by: str
    why: str


class RaiseEnded(Event, frozen=True, kw_only=True, omit_defaults=True, tag="raise_ended"):
    """Raised limits are as before: their time is over, or they became tighter."""

    keys: tuple[str, ...]
    reason: str


class LimitsFileRefused(Event, frozen=True, kw_only=True, tag="limits_file_refused"):
    """The limits file of a running account was changed and is not understood; everything in force stays in force."""

    name: str
    why: str


AnyLimitEvent = LimitsSet | LimitsProposed | LimitsRaised | RaiseEnded
"""What the limits of an account follow from."""
AnyLimitsEvent = AnyLimitEvent | LimitsFileRefused
"""Every entry about limits."""
