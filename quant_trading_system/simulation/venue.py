"""A stock exchange and its broker in one: it takes orders, works them against quotes and keeps its own books.

Discrete events on a clock that somebody else moves. Orders and cancels arrive after a latency, in the order in
which they were sent; reports come back after another, in the order in which things happened. One step of a
driver, with the clock at `moment`, is

    venue.run_until(moment)                        what was on its way meets the old quotes
    venue.open_session(moment)                     when a session begins
    for symbol in venue.symbols_with_orders():     the new quotes, where an order waits for them
        venue.on_quote(quote, volume)
    ...                                            strategies act: `submit`, `cancel`
    venue.run_until(moment)                        what arrives without latency
    venue.close_session(moment)                    when a session ends

Not safe for use by several threads at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from hashlib import blake2b

from quant_trading_system.core.clock import Clock
from quant_trading_system.core.instruments import Instrument
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger
from quant_trading_system.core.orders import Order, TimeInForce
from quant_trading_system.market.quotes import Quote
from quant_trading_system.market.sessions import Calendar
from quant_trading_system.simulation.account import Account, Market, VenueAccount, VenuePosition
from quant_trading_system.simulation.admission import NOT_FOUND, UNPROCESSABLE, Application, VenueRefusal, admit
from quant_trading_system.simulation.books import UNIT, LedgerEntry, decimal_of, dollars, units
from quant_trading_system.simulation.fees import FeeSchedule
from quant_trading_system.simulation.floor import AUCTIONS, IMMEDIATE, MarketView, Trade, TradingFloor
from quant_trading_system.simulation.models import (
    ALWAYS_FULL,
    NO_LATENCY,
    NO_SLIPPAGE,
    FillModel,
    LatencyModel,
    SlippageModel,
    stream,
)
from quant_trading_system.simulation.venue_orders import LiveOrder, OrderIndex, VenueFill, VenueOrder, VenueUpdate
from quant_trading_system.simulation.wire import Subscriber, Wire

GTC_LIFETIME = timedelta(days=90)
"""Good-till-cancelled orders are cancelled at the first close after this span."""


class Venue:
    """One account at one simulated exchange."""

    def __init__(
        self,
        clock: Clock,
        calendar: Calendar,
        *,
        instruments: Mapping[str, Instrument],
        cash: Decimal,
        seed: int,
        fees: FeeSchedule | None = None,
        latency: LatencyModel = NO_LATENCY,
        slippage: SlippageModel = NO_SLIPPAGE,
        fills: FillModel = ALWAYS_FULL,
        market: Market | None = None,
        allow_short: bool = True,
        multiplier: Decimal = Decimal(2),
        account_id: str = "simulated",
    ) -> None:
        """Open an account.

        Args:
            clock: only `now` is read; whoever drives the venue moves it.
            instruments: what can be traded here.
            cash: dollars to begin with.
            fees: None charges what Alpaca passes on; `FeeSchedule.zero()` charges nothing.
            market: where to look up quotes of orders that come in and prices of what is held; without it the
                venue knows what `on_quote` told it.
            multiplier: of equity, to get buying power: 1 for cash accounts, 2 overnight, 4 intraday.
        """
        self._clock = clock
        self._calendar = calendar
        self._instruments = instruments
        self._account = Account(account_id, cash, multiplier, market)
        self._books = self._account.books
        self._fees = FeeSchedule.alpaca() if fees is None else fees
        self._floor = TradingFloor(slippage, fills, stream(seed, "fills"))
        self._wire = Wire(latency, seed)
        self._market = market
        self._allow_short = allow_short
        self._orders = OrderIndex()
        self._id_prefix = _id_prefix(seed)
        self._time: datetime | None = None
        self._opened_at: datetime | None = None
        self._trade_date = date.min

    # -- what a customer asks for -------------------------------------------------------------------------------

    def submit(self, order: Order) -> VenueOrder:
        """Take an order. It reaches the matching after the latency; its fate is told to the subscribers.

        Raises:
            VenueRefusal: the order was not taken and leaves no trace.
        """
        now = self._now()
        number = len(self._orders) + 1
        venue_order_id = f"{self._id_prefix}{number:012x}"
        if not order.client_order_id:
            order = order.with_id(venue_order_id)
        admission = admit(self._application(order, now))
        live = LiveOrder(order, number, venue_order_id, now)
        self._orders.add(live, closing=admission.closing, reserved=admission.reserved)
        self._wire.send(now, self._arrive, live)
        return live.snapshot()

    def cancel(self, client_order_id: str) -> None:
        """Ask for a cancel. It takes effect after the latency, unless the order is finished by then.

        Raises:
            VenueRefusal: unknown order, or one that is finished or already being cancelled.
        """
        live = self._orders.get(client_order_id)
        if live is None:
            raise VenueRefusal(NOT_FOUND, 404, f"order not found for {client_order_id}")
        if not live.is_open:
            raise VenueRefusal(UNPROCESSABLE, 422, f'order is already in "{live.status}" state')
        if live.cancel_pending:
            raise VenueRefusal(UNPROCESSABLE, 422, "order pending cancel")
        live.cancel_pending = True
        self._wire.send(self._now(), self._cancel, live)

    def subscribe(self, subscriber: Subscriber) -> None:
        """Call `subscriber` with every update, in the order in which things happened."""
        self._wire.subscribe(subscriber)

    # -- what moves the venue -----------------------------------------------------------------------------------

    def next_event_at(self) -> datetime | None:
        """When something on its way arrives, None when nothing is."""
        return self._wire.next_at

    def run_until(self, moment: datetime) -> None:
        """Let everything arrive that is due at `moment`."""
        self._wire.run(moment)
        if self._time is None or moment > self._time:
            self._time = moment

    def on_quote(self, quote: Quote, volume_available: Decimal | None = None) -> None:
        """Work the orders of the quote's symbol; what was due before it meets the quote before.

        A flawed quote changes nothing, and one from before the session waits for a fresh one.

        Args:
            volume_available: shares that trade until the next quote, None when unknown.
        """
        moment = quote.received_at if self._time is None else max(quote.received_at, self._time)
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

    @property
    def is_open(self) -> bool:
        """A session is running."""
        return self._opened_at is not None

    # -- what can be read -----------------------------------------------------------------------------------------

    def find(self, client_order_id: str) -> VenueOrder | None:
        """The order of that id, open or finished; None when there never was one."""
        live = self._orders.get(client_order_id)
        return None if live is None else live.snapshot()

    def executions(self, client_order_id: str) -> tuple[VenueFill, ...]:
        """The executions of an order, oldest first; none for an id that nobody used."""
        live = self._orders.get(client_order_id)
        return () if live is None else tuple(live.fills)

    def open_orders(self) -> tuple[VenueOrder, ...]:
        """Every order that is not final, oldest first."""
        return tuple(live.snapshot() for live in self._orders.open_orders())

    def symbols_with_orders(self) -> tuple[str, ...]:
        """The symbols whose quotes can make something happen."""
        return self._orders.symbols()

    def positions(self) -> tuple[VenuePosition, ...]:
        """Every position that is not flat, valued at the latest prices."""
        return self._account.positions()

    def account(self) -> VenueAccount:
        """Cash, equity and buying power at the latest prices."""
        return self._account.summary(self._orders.reserved_money)

    @property
    def total_fees(self) -> Decimal:
        """Dollars charged since the beginning."""
        return dollars(self._books.fees)

    def statement(self) -> tuple[LedgerEntry, ...]:
        """Every trade with the cash after it, for audits."""
        return self._books.statement()

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
            view = self._look_up(order.symbol) if name == "closing" else None
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

    # -- small things ---------------------------------------------------------------------------------------------

    def _now(self) -> datetime:
        now = self._clock.now()
        return now if self._time is None else max(now, self._time)

    def _application(self, order: Order, now: datetime) -> Application:
        symbol = order.symbol
        view = self._look_up(symbol)
        return Application(
            order=order,
            now=now,
            calendar=self._calendar,
            instrument=self._instruments.get(symbol),
            id_is_used=self._orders.get(order.client_order_id) is not None,
            quote=None if view is None else view.quote,
            held=self._books.quantity(symbol),
            reserved=self._orders.reserved_shares(symbol),
            open_orders=self._orders.open_in(symbol),
            buying_power=self._account.buying_power(self._orders.reserved_money),
            allow_short=self._allow_short,
            trading=self.is_open,
        )

    def _look_up(self, symbol: str) -> MarketView | None:
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


def _id_prefix(seed: int) -> str:
    """The first 24 characters of this venue's order ids, which have the form of a version 4 UUID."""
    text = blake2b(f"{seed}/orders".encode(), digest_size=8).hexdigest()
    return f"{text[:8]}-{text[8:12]}-4{text[12:15]}-8{text[13:16]}-"
