"""What comparing our books with the broker's brings to light: breaks, and entries beside trades."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from quant_trading_system.core.breaks import ActivityKind, Break
from quant_trading_system.core.event import Event
from quant_trading_system.core.numbers import ZERO


class ActivityBooked(Event, frozen=True, kw_only=True, omit_defaults=True, tag="activity_booked"):
    """Cash that the broker moved without a trade, as its own statement says; every id is booked once.

    Attributes:
        activity_id: the broker's id of the entry; `word`: its own word for the kind, such as ``DIV``.
        amount: dollars, negative when paid; `cash`: the books after it.
        shares: signed, that came with it; of a pay-out only, as all that follows.
        price: dollars a share; `position_quantity`: signed shares after it.
        realized_pnl: dollars realized by it.
    """

    activity_id: str
    activity: ActivityKind
    word: str
    amount: Decimal
    cash: Decimal
    symbol: str = ""
    description: str = ""
    shares: Decimal = ZERO
    price: Decimal = ZERO
    position_quantity: Decimal = ZERO
    realized_pnl: Decimal = ZERO


class ActivitiesCovered(Event, frozen=True, kw_only=True, omit_defaults=True, tag="activities_covered"):
    """Entries of the broker's statement that our cash contains already; they are never booked."""

    activity_ids: tuple[str, ...]
    reason: str


class BreakOpened(Event, frozen=True, kw_only=True, omit_defaults=True, tag="break_opened"):
    """Our books and the broker's differ, confirmed by a second look; also when the numbers of an open break change.

    Attributes:
        first_seen: when the difference was seen first.
    """

    found: Break
    first_seen: datetime


class BreakClosed(Event, frozen=True, kw_only=True, omit_defaults=True, tag="break_closed"):
    """A later reconciliation found no difference any more."""

    found: Break
    first_seen: datetime


class Reconciled(Event, frozen=True, kw_only=True, omit_defaults=True, tag="reconciled"):
    """The books were compared in full with the broker's: orders, fills, positions and cash, all pages.

    Attributes:
        occasion: ``start``, ``timer``, ``reconnect``, ``pause``, ``clock``, ``correction``, ``operator`` or
            ``day_end``.
        orders, fills, positions: how many the broker showed.
        cash: the broker's, dollars.
        breaks: open after it, as ``kind subject``.
    """

    occasion: str
    orders: int
    fills: int
    positions: int
    cash: Decimal
    breaks: tuple[str, ...] = ()


class GroupAlarm(Event, frozen=True, kw_only=True, omit_defaults=True, tag="group_alarm"):
    """Something is wrong with the exits of a bracket, OCO or OTO order, or is not any more.

    Attributes:
        order_id: the order that leads the group.
        reason: what is wrong; empty once it is over.
    """

    order_id: str
    symbol: str
    reason: str = ""
