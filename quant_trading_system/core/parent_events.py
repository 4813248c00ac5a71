"""The entries of parent orders: what an execution algorithm decided, before it is acted upon."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from quant_trading_system.core.decisions import Decision
from quant_trading_system.core.event import Event
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.core.orders import OrderSide


class MarketSeen(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The market of a parent order at one of its steps.

    Attributes:
        bid, ask: dollars a share.
        others_volume: shares that others have traded since the parent's start; None while unknown.
    """

    bid: Decimal
    ask: Decimal
    others_volume: Decimal | None = None


class ParentStart(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was known when a parent order began.

    Attributes:
        order: the whole `ParentOrder`, as plain data.
        decision: the gate's answers about all of it, with the plan and its expected cost.
        decision_price: dollars a share when somebody decided to trade; None where that is the arrival.
        daily_volume: average shares a day; `volatility`: of a day, relative; None where unknown.
    """

    order: dict[str, Any]
    decision: Decision
    decision_price: Decimal | None = None
    daily_volume: Decimal | None = None
    volatility: Decimal | None = None


class ParentEvent(Event, frozen=True, kw_only=True, omit_defaults=True, tag="parent"):
    """An execution algorithm took a step with a parent order; recorded before anything is sent.

    Attributes:
        quantity: shares wanted now; `filled`, `value`: shares and dollars traded by its children so far.
        outstanding: shares that its children may still trade.
        status: of the parent, `ended` when it is final.
        begun: in the first event of a parent.
        change: what differs from the state before, as plain data; children by their number.
        market: what it saw, None without a sound quote.
    """

    parent_id: str
    symbol: str
    side: OrderSide
    algorithm: str
    quantity: Decimal
    status: str
    filled: Decimal = ZERO
    value: Decimal = ZERO
    outstanding: Decimal = ZERO
    reason: str = ""
    ended: bool = False
    strategy: str = ""
    begun: ParentStart | None = None
    change: dict[str, Any] = msgspec.field(default_factory=dict)
    market: MarketSeen | None = None
    tag: str = ""
