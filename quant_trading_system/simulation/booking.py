"""What an execution does to the account, and what the account remembers of it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

from quant_trading_system.core.orders import OrderSide
from quant_trading_system.market.sessions import Calendar
from quant_trading_system.simulation.account import Account
from quant_trading_system.simulation.activities import ActivityLog
from quant_trading_system.simulation.books import UNIT, decimal_of, units
from quant_trading_system.simulation.fees import FeeBreakdown, FeeSchedule
from quant_trading_system.simulation.floor import MarketView, Trade
from quant_trading_system.simulation.live_orders import LiveOrder
from quant_trading_system.simulation.order_index import OrderIndex
from quant_trading_system.simulation.realism import MovableMarket
from quant_trading_system.simulation.venue_orders import VenueFill

_BUY = OrderSide.BUY
_ZERO = Decimal(0)


class Booking:
    """Enters executions into the books of one account."""

    def __init__(
        self,
        account: Account,
        orders: OrderIndex,
        activities: ActivityLog,
        fees: FeeSchedule,
        calendar: Calendar,
        movable: MovableMarket | None = None,
    ) -> None:
        """Prepare to book.

        Args:
            movable: the market whose prices our executions move, None when nothing moves it.
        """
        self._account = account
        self._activities = activities
        self._books = account.books
        self._orders = orders
        self._fees = fees
        self._calendar = calendar
        self._movable = movable

    def execute(
        self, live: LiveOrder, trade: Trade, view: MarketView, at: datetime, *, crossing: bool = False
    ) -> VenueFill:
        """The order trades: books, reservations and the order itself move.

        Args:
            crossing: the position may change its side, which the exchange forbids and mishaps do.
        """
        order, books = live.order, self._books
        fees = self._fees.fee(order.side, trade.quantity, trade.price, self._account.trade_date(at, self._calendar))
        execution_id = f"{live.venue_order_id}:{len(live.fills) + 1}"
        quantity, price = units(trade.quantity), units(trade.price)
        if not trade.complete:  # one that is complete gives everything back when it is finished
            self._orders.give_back(live, quantity, price)
        signed = quantity if order.side is _BUY else -quantity
        charged, mark = units(fees.total) * UNIT, units(view.price)
        held = books.trade(at, execution_id, order.symbol, signed, price, charged, mark=mark, crossing=crossing)
        fill = VenueFill(
            execution_id=execution_id,
            quantity=trade.quantity,
            price=trade.price,
            cumulative_quantity=live.filled + trade.quantity,
            at=at,
            fees=fees,
            position_quantity=decimal_of(held),
        )
        live.take(fill, quantity * price)
        self._activities.add(live, complete=trade.complete)
        if self._movable is not None:
            self._movable.press(order.symbol, order.side.sign * trade.quantity)
        return fill

    def held(self, symbol: str) -> int:
        """Units of shares held, negative when short."""
        return self._books.quantity(symbol)

    # -- corrections ----------------------------------------------------------------------------------------------

    def undo(self, live: LiveOrder, fill: VenueFill, at: datetime) -> None:
        """Take an execution out of the books and of its order; its charges are paid back."""
        order, quantity, price = live.order, units(fill.quantity), units(fill.price)
        reference, fee = f"{fill.execution_id}:undone", units(fill.fee) * UNIT
        self._books.trade(at, reference, order.symbol, -order.side.sign * quantity, price, -fee, crossing=True)
        nothing = FeeBreakdown(_ZERO, _ZERO, _ZERO)
        self._change(live, fill, msgspec.structs.replace(fill, quantity=_ZERO, fees=nothing))

    def redo(self, live: LiveOrder, fill: VenueFill, quantity: Decimal, price: Decimal, at: datetime) -> None:
        """Book an execution that was undone with another quantity and price."""
        order = live.order
        fees = self._fees.fee(order.side, quantity, price, self._account.trade_date(at, self._calendar))
        signed, reference = order.side.sign * units(quantity), f"{fill.execution_id}:corrected"
        charged = units(fees.total) * UNIT
        self._books.trade(at, reference, order.symbol, signed, units(price), charged, crossing=True)
        held = decimal_of(self._books.quantity(order.symbol))
        self._change(
            live,
            fill,
            msgspec.structs.replace(fill, quantity=quantity, price=price, fees=fees, position_quantity=held),
        )

    def _change(self, live: LiveOrder, was: VenueFill, now: VenueFill) -> None:
        """Put `now` in the place of an execution and count the order anew."""
        handed_on = live.filled - sum((fill.quantity for fill in live.fills), _ZERO)
        handed_on_value = live.filled_value - sum(units(fill.quantity) * units(fill.price) for fill in live.fills)
        changed = [now if fill.execution_id == was.execution_id else fill for fill in live.fills]
        live.fills = ()
        live.filled, live.filled_value = handed_on, handed_on_value
        for fill in changed:
            moved = msgspec.structs.replace(fill, cumulative_quantity=live.filled + fill.quantity)
            live.take(moved, units(fill.quantity) * units(fill.price))
