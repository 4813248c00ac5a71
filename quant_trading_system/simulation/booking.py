"""What an execution does to the account, and what the account remembers of it."""

from __future__ import annotations

from datetime import datetime

from quant_trading_system.market.sessions import Calendar
from quant_trading_system.simulation.account import Account
from quant_trading_system.simulation.activities import ActivityLog
from quant_trading_system.simulation.books import UNIT, decimal_of, units
from quant_trading_system.simulation.fees import FeeSchedule
from quant_trading_system.simulation.floor import MarketView, Trade
from quant_trading_system.simulation.live_orders import LiveOrder, OrderIndex
from quant_trading_system.simulation.venue_orders import VenueFill


class Booking:
    """Enters executions into the books of one account."""

    def __init__(
        self, account: Account, orders: OrderIndex, activities: ActivityLog, fees: FeeSchedule, calendar: Calendar
    ) -> None:
        self._account = account
        self._activities = activities
        self._books = account.books
        self._orders = orders
        self._fees = fees
        self._calendar = calendar

    def execute(self, live: LiveOrder, trade: Trade, view: MarketView, at: datetime) -> VenueFill:
        """The order trades: books, reservations and the order itself move."""
        order, books = live.order, self._books
        fees = self._fees.fee(order.side, trade.quantity, trade.price, self._account.trade_date(at, self._calendar))
        execution_id = f"{live.venue_order_id}:{len(live.fills) + 1}"
        quantity, price = units(trade.quantity), units(trade.price)
        self._orders.give_back(live, quantity, price)
        books.trade(at, execution_id, order.symbol, order.side.sign * quantity, price, units(fees.total) * UNIT)
        books.mark(order.symbol, view.price)
        fill = VenueFill(
            execution_id=execution_id,
            quantity=trade.quantity,
            price=trade.price,
            cumulative_quantity=live.filled + trade.quantity,
            at=at,
            fees=fees,
            position_quantity=decimal_of(books.quantity(order.symbol)),
        )
        live.take(fill)
        self._activities.add(live, complete=trade.complete)
        return fill
