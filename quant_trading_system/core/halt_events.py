"""What happens under a halt: cancels that are confirmed, approvals of its reset, and the way of a liquidation."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from quant_trading_system.core.event import Event
from quant_trading_system.core.halt_scope import ACCOUNT, HaltScope


class LiquidationState(StrEnum):
    """Where the closing of one position stands."""

    SLICE = "slice"  # an order for a part of it, or for the rest, was sent
    ESCALATED = "escalated"  # a slice did not fill in time; the next one reaches further
    WAITING = "waiting"  # nothing can be sent now: the exchange is closed, the symbol halted, no price
    DIFFERS = "differs"  # the broker shows another position than our books
    FLAT = "flat"  # by our books and by the broker's


class ResetApproved(Event, frozen=True, kw_only=True, omit_defaults=True, tag="reset_approved"):
    """A person approved the reset of one activation of the kill switch, and others have to follow.

    Attributes:
        given, needed: persons, this one included.
    """

    by: str
    reason: str
    activation: int
    given: int
    needed: int
    scope: HaltScope = ACCOUNT


class LiquidationEvent(Event, frozen=True, kw_only=True, omit_defaults=True, tag="liquidation"):
    """The closing of positions under a halt came to another state.

    Attributes:
        activation: of the kill switch; `scope`: what is being closed.
        symbol: empty when all of the scope is meant.
        detail: why, in words.
        quantity: shares of the slice, or shares that are left; `limit_price` of the slice, dollars a share.
        seconds: since the activation was carried out first; when flat only.
    """

    activation: int
    state: LiquidationState
    symbol: str = ""
    detail: str = ""
    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    seconds: Decimal | None = None
    scope: HaltScope = ACCOUNT


class CancelsConfirmed(Event, frozen=True, kw_only=True, omit_defaults=True, tag="cancels_confirmed"):
    """After a halt: no order is working any more.

    Attributes:
        activation: the activation of the kill switch that asked for it; `scope`: which orders.
        orders: the orders that were open when it acted, by client order id.
        seconds: from the activation to the last confirmation.
    """

    activation: int
    orders: tuple[str, ...]
    seconds: Decimal
    scope: HaltScope = ACCOUNT


AnyHaltEvent = ResetApproved | LiquidationEvent | CancelsConfirmed
