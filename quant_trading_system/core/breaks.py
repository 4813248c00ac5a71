"""Where our books and the broker's do not agree: what differs, how bad it is, and who has to act."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec


class BreakKind(StrEnum):
    """What does not agree."""

    POSITION = "position"
    CASH = "cash"
    MISSING_ORDER = "missing_order"  # open on our books, unknown to the broker
    FOREIGN_ORDER = "foreign_order"  # open at the broker; ours do not have it, or call it ended
    MISSING_FILL = "missing_fill"  # the broker calls more of an order filled than it shows executions for
    ORDER_QUANTITY = "order_quantity"  # the order at the broker has another size than ours
    INCOMPLETE = "incomplete"  # the broker could not be asked, so nothing is known


class Severity(StrEnum):
    """What a break does."""

    NOTICE = "notice"  # it is told; nothing is shut
    SERIOUS = "serious"  # no new risk until it is explained
    CRITICAL = "critical"  # the account is halted


class Owner(StrEnum):
    """Who has to act."""

    OPERATOR = "operator"
    BROKER = "broker"
    SYSTEM = "system"


class Break(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One difference.

    Attributes:
        subject: symbol, order id, ``cash`` or ``account``; with `kind` it names the break.
        symbol: the symbol that it shuts; empty for the whole account.
        ours, theirs: the two versions as text; `difference`: theirs less ours, where both are numbers.
        cause: what the broker's statement says moved the shares, such as a split; empty when it says nothing.
    """

    kind: BreakKind
    subject: str
    ours: str
    theirs: str
    symbol: str = ""
    severity: Severity = Severity.SERIOUS
    owner: Owner = Owner.OPERATOR
    difference: Decimal | None = None
    cause: str = ""

    @property
    def name(self) -> tuple[BreakKind, str]:
        """What stays the same about a break while its numbers change."""
        return self.kind, self.subject

    @property
    def blocks(self) -> bool:
        """No new risk may be taken before it is explained."""
        return self.severity is not Severity.NOTICE

    def is_same_as(self, other: Break) -> bool:
        """The same difference as `other`, though both sides may have moved on by the same amount."""
        if self.difference is None or other.difference is None:
            return self == other
        return (self.name, self.difference, self.severity) == (other.name, other.difference, other.severity)

    def __str__(self) -> str:
        why = f", by {self.cause}" if self.cause else ""
        return f"{self.kind.value} {self.subject}: ours {self.ours}, the broker's {self.theirs}{why}"


class ActivityKind(StrEnum):
    """Why the broker moved cash without a trade."""

    FEE = "fee"
    DIVIDEND = "dividend"
    INTEREST = "interest"
    TRANSFER = "transfer"  # no profit and no loss: what losses are measured from moves along
    PAY_OUT = "pay_out"  # the shares of a company that is listed no more became cash: a position is closed
