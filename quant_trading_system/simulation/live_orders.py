"""Orders as the venue works them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.core.orders import Order, OrderClass, OrderType
from quant_trading_system.simulation.books import UNIT, decimal_of, dollars, units
from quant_trading_system.simulation.matching import shares_for, trail
from quant_trading_system.simulation.venue_orders import VenueFill

_ZERO = Decimal(0)
_STOP_TYPES = frozenset({OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP})


class LiveOrder(msgspec.Struct, eq=False, gc=False, omit_defaults=True):
    """An order as the venue works it.

    Attributes:
        number: counts orders in the sequence of their submission.
        is_open: it is not final.
        closing: it shrinks the position that was held when it came; it reserves shares instead of money.
        reserved: units of shares (closing) or money (opening) that it holds back from later orders.
        filled, filled_value: shares and money, with what the replaced order handed on.
        rested: it has seen a quote that it could not trade with, so it waits at its limit.
        triggered: its stop was set off.
        queued: no session had begun for it when it came.
        group: number of the group that it belongs to, 0 for none.
        passive: it waits for another member of its group.
        replaces, replaced_by: numbers of orders, 0 for none; `replaced_by` is set when the replace was asked for.
        claim: units of dollars a share that an opening replacement holds back.
        waits_since: until when its turn in the queue at its limit is reckoned; `ahead`: shares before it there, None
            while the market is elsewhere.
    """

    order: Order
    number: int
    venue_order_id: str
    submitted_at: datetime
    updated_at: datetime
    status: OrderStatus = OrderStatus.SENT
    is_open: bool = True
    closing: bool = False
    reserved: int = 0
    filled: Decimal = _ZERO
    filled_value: int = 0
    fills: tuple[VenueFill, ...] = ()
    rested: bool = False
    triggered: bool = False
    queued: bool = False
    cancel_requested_at: datetime | None = None
    high_water_mark: Decimal | None = None
    stop: Decimal | None = None
    finished_at: datetime | None = None
    group: int = 0
    order_class: OrderClass = OrderClass.SIMPLE
    passive: bool = False
    replaces: int = 0
    replaced_by: int = 0
    claim: int = 0
    waits_since: datetime | None = None
    ahead: Decimal | None = None

    @property
    def is_working(self) -> bool:
        """It is at the matching: arrived, not waiting for a session or a group, not final."""
        return self.status is OrderStatus.WORKING or self.status is OrderStatus.PARTIALLY_FILLED

    @property
    def waits_for_stop(self) -> bool:
        """It has a stop that was not set off yet."""
        return not self.triggered and self.order.order_type in _STOP_TYPES

    @property
    def leaves(self) -> Decimal:
        """Shares that are not filled yet; of orders in shares only."""
        return self.order.quantity - self.filled

    @property
    def is_overfilled(self) -> bool:
        """It has traded all that it asked for, or more."""
        if self.order.notional is None:
            return self.leaves <= 0
        return self.filled_value >= units(self.order.notional) * UNIT

    def wanted(self, price: Decimal) -> Decimal:
        """Shares that it still wants when one costs `price`."""
        order = self.order
        if order.notional is None:
            return order.quantity - self.filled
        bought = shares_for(order.notional - dollars(self.filled_value), price)
        return min(bought, decimal_of(self.reserved)) if self.closing else bought

    def follow(self, last: Decimal) -> None:
        """Move a trailing stop after a trade at `last`; other stops stay."""
        order = self.order
        if order.order_type is OrderType.TRAILING_STOP:
            self.high_water_mark, self.stop = trail(
                order.side,
                self.high_water_mark,
                last,
                trail_price=order.trail_price,
                trail_percent=order.trail_percent,
            )

    def take_over(self, old: LiveOrder, *, forgets_fills: bool) -> None:
        """Go on where the replaced order stops: with what it filled, and with what its stop has seen."""
        if not forgets_fills:
            self.filled, self.filled_value = old.filled, old.filled_value
        self.triggered = old.triggered
        self.high_water_mark = old.high_water_mark
        if old.high_water_mark is not None:
            self.follow(old.high_water_mark)

    def take(self, fill: VenueFill, value: int) -> None:
        """Count an execution; `value` in money."""
        self.filled = fill.cumulative_quantity
        self.filled_value += value
        self.fills += (fill,)


def shares(count: int) -> str:
    """Units of shares as text for messages."""
    whole, rest = divmod(count, UNIT)
    return str(whole) if not rest else f"{decimal_of(count).normalize():f}"
