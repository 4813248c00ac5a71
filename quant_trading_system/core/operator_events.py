"""What people did to a running engine, and what came of it."""

from __future__ import annotations

from typing import Any

import msgspec

from quant_trading_system.core.commands import Outcome
from quant_trading_system.core.event import Event


def subject_of_key(key: str) -> str:
    """Under what the entries about a request are found in the journal; no id of an order is like that."""
    return f"request {key}"


class OperatorActed(Event, frozen=True, kw_only=True, omit_defaults=True, tag="operator_acted"):
    """Somebody gave a command; on record before it is carried out. What it leads to has this entry as its cause.

    Attributes:
        key: of the request; `principal`: who answers for it; `source`: ``cli``, ``api`` or ``console``.
        command: its name; `fields`: the rest of it.
        concerns: the order, parent order, strategy or symbol; for a new order the id that it gets.
    """

    key: str
    principal: str
    source: str
    command: str
    fields: dict[str, Any] = msgspec.field(default_factory=dict)
    concerns: str = ""

    @property
    def subject(self) -> str:
        """Where the journal finds it."""
        return subject_of_key(self.key)


class OperatorAnswered(Event, frozen=True, kw_only=True, omit_defaults=True, tag="operator_answered"):
    """What the command came to, as it was answered."""

    key: str
    outcome: Outcome

    @property
    def subject(self) -> str:
        """Where the journal finds it."""
        return subject_of_key(self.key)


class StrategySwitched(Event, frozen=True, kw_only=True, omit_defaults=True, tag="strategy_switched"):
    """A person disarmed a strategy, or armed it again; holds over restarts."""

    strategy: str
    armed: bool
    by: str
    reason: str = ""
