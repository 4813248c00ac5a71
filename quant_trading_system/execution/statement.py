"""The broker's side of a reconciliation: what it shows of an account at one moment, in our words."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Protocol

import msgspec

from quant_trading_system.core.breaks import ActivityKind
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.core.orders import Order
from quant_trading_system.execution.broker import BrokerOrder, Execution


class SeenOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order at the broker.

    Attributes:
        seen: as the order manager reads it.
        notional: dollars of an order in dollars, None for one in shares.
        content: the whole order, for the books that take it over; None when its words are unknown here.
        touched_at: when the broker last changed it, None when it does not say.
    """

    seen: BrokerOrder
    notional: Decimal | None = None
    content: Order | None = None
    touched_at: datetime | None = None


class SeenPosition(msgspec.Struct, frozen=True, kw_only=True):
    """A position at the broker; `quantity` is negative when short, `price` dollars a share now, if it says."""

    symbol: str
    quantity: Decimal
    average_price: Decimal
    price: Decimal | None = None


class SeenFill(msgspec.Struct, frozen=True, kw_only=True):
    """An execution, with the order that it belongs to."""

    order_id: str
    execution: Execution


class SeenActivity(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the broker's statement that is no execution.

    Attributes:
        kind: None when `word`, the broker's own, is not one that we can classify, or the entry is not final.
        amount: dollars, negative when paid; None where the broker gives none.
        action: the corporate action that it tells of, in words; empty for none. `shares`: signed, that came with it.
        price: dollars a share, of a pay-out.
    """

    activity_id: str
    word: str
    kind: ActivityKind | None
    amount: Decimal | None
    symbol: str = ""
    description: str = ""
    action: str = ""
    shares: Decimal = ZERO
    price: Decimal = ZERO


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """What the broker shows.

    Attributes:
        orders: every open order; in a full statement those that were touched in its span, too.
        equity: what the broker says that the account is worth, dollars; None where it does not.
        cash: dollars; None in a light statement, which has no fills and no activities either.
        obstacle: why the broker lets this account no longer trade freely, empty when it does.
    """

    orders: tuple[SeenOrder, ...]
    positions: tuple[SeenPosition, ...]
    cash: Decimal | None = None
    equity: Decimal | None = None
    fills: tuple[SeenFill, ...] = ()
    activities: tuple[SeenActivity, ...] = ()
    obstacle: str = ""

    @property
    def is_full(self) -> bool:
        """Cash, fills and activities were read as well."""
        return self.cash is not None


class StatementSource(Protocol):
    """Whoever can ask the broker. A statement is read to its last page or not at all."""

    async def light(self) -> Statement:
        """Open orders and positions.

        Raises:
            OutcomeUnknown: no answer, or not all of it; nothing is known.
        """

    async def full(self, since: datetime) -> Statement:
        """Everything: orders and executions since a moment, positions, cash, and the entries beside trades.

        Raises:
            OutcomeUnknown: no answer, or not all of it; nothing is known.
        """

    async def order(self, client_order_id: str) -> SeenOrder | None:
        """One order, or None when the broker says that there is none.

        Raises:
            OutcomeUnknown: no answer.
        """

    async def activities(self, since: datetime) -> tuple[SeenActivity, ...]:
        """The entries beside trades since a moment.

        Raises:
            OutcomeUnknown: no answer, or not all of it; nothing is known.
        """
