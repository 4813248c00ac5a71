"""The exchange: what happens to orders that were taken, from their arrival to their end.

Discrete events in time order. An arrival meets the quote that stands at that moment; a quote meets the orders
of its symbol that are at work; a session has an opening auction, a closing auction and an end.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

from quant_trading_system.core.order_state import OrderStatus, OrderTrigger
from quant_trading_system.core.orders import TimeInForce
from quant_trading_system.market.quotes import Quote
from quant_trading_system.market.sessions import Calendar
from quant_trading_system.simulation.account import Account, Market
from quant_trading_system.simulation.books import UNIT, decimal_of, units
from quant_trading_system.simulation.fees import FeeSchedule
from quant_trading_system.simulation.floor import AUCTIONS, IMMEDIATE, MarketView, Trade, TradingFloor
from quant_trading_system.simulation.venue_orders import LiveOrder, OrderIndex, VenueFill, VenueUpdate
from quant_trading_system.simulation.wire import Wire

GTC_LIFETIME = timedelta(days=90)
"""Good-till-cancelled orders are cancelled at the first close after this span."""


class Exchange:
    """Works the open orders of one account and books what they trade.

    Attributes:
        time: up to which everything has happened, None at first.
    """

    def __init__(
        self,
        *,
        calendar: Calendar,
        account: Account,
        orders: OrderIndex,
        floor: TradingFloor,
        wire: Wire,
        fees: FeeSchedule,
        market: Market | None,
    ) -> None:
        self.time: datetime | None = None
        self._calendar = calendar
        self._account = account
        self._books = account.books
        self._orders = orders
        self._floor = floor
        self._wire = wire
        self._fees = fees
        self._market = market
        self._opened_at: datetime | None = None
        self._trade_date = date.min

    @property
    def is_open(self) -> bool:
        """A session is running."""
        return self._opened_at is not None

    def send(self, live: LiveOrder, now: datetime) -> None:
        """An order leaves the customer."""
        self._wire.send(now, self._arrive, live)

    def recall(self, live: LiveOrder, now: datetime) -> None:
        """A cancel leaves the customer."""
        live.cancel_pending = True
        self._wire.send(now, self._cancel, live)

    def run_until(self, moment: datetime) -> None:
        """Let everything arrive that is due at `moment`."""
        self._wire.run(moment)
        if self.time is None or moment > self.time:
            self.time = moment

    def on_quote(self, quote: Quote, volume_available: Decimal | None = None) -> None:
        """Work the orders of the quote's symbol; what was due before it meets the quote before.

        A flawed quote changes nothing, and one from before the session waits for a fresh one.

        Args:
            volume_available: shares that trade until the next quote, None when unknown.
        """
        moment = quote.received_at if self.time is None else max(quote.received_at, self.time)
        self.run_until(moment)
        view = self._see(quote, volume_available)
        if view is not None and self._is_fresh(view):
            for live in self._orders.open_in(quote.symbol):
                if live.is_working:
                    self._work(live, view, moment)
        self.run_until(moment)

    def open_session(self, moment: datetime) -> None:
        """The market opens: waiting orders begin to work and meet the first quote of the session.

        Raises:
            ValueError: it is open already.
        """
        if self.is_open:
            raise ValueError(f"the session of {self._opened_at} is still open; close it first")
        self.run_until(moment)
        self._opened_at = moment
        self._trade_date = self._calendar.trade_date(moment)
        self._account.mark_all()
        for live in self._orders.open_orders():
            live.rested = False  # it meets the opening price, better than its limit or not
            if live.status is OrderStatus.HELD:
                self._tell(live, OrderStatus.WORKING, OrderTrigger.ACCEPT, moment)
        self.run_until(moment)

    def close_session(self, moment: datetime) -> None:
        """The market closes: the closing auction is held, DAY orders expire, GTC orders stay.

        Raises:
            ValueError: no session is open.
        """
        if not self.is_open:
            raise ValueError("no session is open")
        self.run_until(moment)
        for live in self._orders.open_orders():
            if live.status is not OrderStatus.SENT:
                self._end_of_day(live, moment)
        self._account.mark_all()
        self._opened_at = None
        self.run_until(moment)

    def look_up(self, symbol: str) -> MarketView | None:
        """The symbol as the venue sees it now, asking the market when there is one."""
        market = self._market
        quote = None if market is None else market.quote(symbol)
        if market is None or quote is None:
            return self._floor.view(symbol)
        return self._see(quote, market.volume(symbol))

    def _see(self, quote: Quote, volume: Decimal | None) -> MarketView | None:
        view = self._floor.see(quote, volume)
        if view is not None:
            self._books.mark(quote.symbol, view.price)
        return view

    # -- events ---------------------------------------------------------------------------------------------------

    def _arrive(self, live: LiveOrder, at: datetime) -> None:
        in_force = live.order.time_in_force
        if not self.is_open:
            if in_force in IMMEDIATE:
                self._finish(live, OrderStatus.CANCELED, OrderTrigger.CANCEL, at, "the market is closed")
            else:
                self._tell(live, OrderStatus.HELD, OrderTrigger.HOLD, at)
            return
        self._tell(live, OrderStatus.WORKING, OrderTrigger.ACCEPT, at)
        view = self._floor.view(live.order.symbol)
        if in_force is TimeInForce.OPG:
            self._finish(live, OrderStatus.CANCELED, OrderTrigger.CANCEL, at, "it missed the opening auction")
        elif view is not None and self._is_fresh(view):
            self._work(live, view, at)
        if live.is_open and in_force in IMMEDIATE:
            self._finish(live, OrderStatus.CANCELED, OrderTrigger.CANCEL, at, "not filled at once")

    def _cancel(self, live: LiveOrder, at: datetime) -> None:
        if live.is_open:  # else its last report, already on the way, is the answer
            self._finish(live, OrderStatus.CANCELED, OrderTrigger.CANCEL, at, "cancelled on request")

    # -- trading --------------------------------------------------------------------------------------------------

    def _work(self, live: LiveOrder, view: MarketView, at: datetime) -> None:
        in_force = live.order.time_in_force
        if in_force is TimeInForce.CLS:
            return
        if in_force is TimeInForce.OPG:
            self._hold_auction(live, view, at, "opening")
            return
        trade = self._floor.continuous(live, view)
        if trade is not None:
            self._book(live, trade, view, at)

    def _hold_auction(self, live: LiveOrder, view: MarketView | None, at: datetime, name: str) -> None:
        if view is not None and self._is_fresh(view):
            trade = self._floor.auction(live, view)
            if trade is not None:
                self._book(live, trade, view, at)
        if live.is_open:
            self._finish(live, OrderStatus.CANCELED, OrderTrigger.CANCEL, at, f"not filled in the {name} auction")

    def _end_of_day(self, live: LiveOrder, at: datetime) -> None:
        order = live.order
        if order.time_in_force in AUCTIONS:
            name = "closing" if order.time_in_force is TimeInForce.CLS else "opening"
            view = self.look_up(order.symbol) if name == "closing" else None
            self._hold_auction(live, view, at, name)
        elif order.time_in_force is TimeInForce.DAY:
            self._finish(live, OrderStatus.EXPIRED, OrderTrigger.EXPIRE, at, "the session ended")
        elif at - live.submitted_at >= GTC_LIFETIME:
            self._finish(live, OrderStatus.CANCELED, OrderTrigger.CANCEL, at, f"older than {GTC_LIFETIME.days} days")

    def _book(self, live: LiveOrder, trade: Trade, view: MarketView, at: datetime) -> None:
        order, books = live.order, self._books
        fees = self._fees.fee(order.side, trade.quantity, trade.price, self._trade_date)
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
        if trade.complete:
            self._finish(live, OrderStatus.FILLED, OrderTrigger.FILL_LAST, at, fill=fill)
        else:
            self._tell(live, OrderStatus.PARTIALLY_FILLED, OrderTrigger.FILL_PART, at, fill=fill)

    def _is_fresh(self, view: MarketView) -> bool:
        return self._opened_at is not None and view.quote.at >= self._opened_at

    def _finish(
        self,
        live: LiveOrder,
        status: OrderStatus,
        trigger: OrderTrigger,
        at: datetime,
        reason: str = "",
        fill: VenueFill | None = None,
    ) -> None:
        live.is_open = False
        live.finished_at = at
        self._orders.finish(live)
        self._tell(live, status, trigger, at, reason, fill)

    def _tell(
        self,
        live: LiveOrder,
        status: OrderStatus,
        trigger: OrderTrigger,
        at: datetime,
        reason: str = "",
        fill: VenueFill | None = None,
    ) -> None:
        """The order has a new status: report it."""
        live.status = status
        self._wire.report(VenueUpdate(order=live.snapshot(), trigger=trigger, at=at, fill=fill, reason=reason))
