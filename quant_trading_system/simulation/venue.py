"""A stock exchange and its broker in one: it takes orders, works them against quotes and keeps its own books.

Discrete events on a clock that somebody else moves. Orders and cancels arrive after a latency, in the order in
which they were sent; reports come back after another, in the order in which things happened. One step of a
driver, with the clock at `moment`, is

    venue.run_until(moment)                        what was on its way meets the old quotes; only then may a
                                                   market that the venue looks up prices in advance
    venue.open_session(moment)                     when a session begins
    for symbol in venue.symbols_with_orders():     the new quotes, where an order waits for them
        venue.on_quote(quote, volume)
    ...                                            strategies act: `submit`, `cancel`
    venue.run_until(moment)                        what arrives without latency
    venue.close_session(moment)                    when a session ends

Not safe for use by several threads at once.

What a front (HTTP, WebSocket) asks for, all ids being the venue's own order ids unless a name says otherwise:

    submit_request(body)          a new order from the parsed JSON of a request (numbers as text, int or `Decimal`)
    replace(id, body)             PATCH of an order; `cancel_order(id)`, `cancel_all()`
    close_position(symbol, quantity=, percentage=), close_all_positions(cancel_orders=)
    configure(body), configuration
    get(id), find(client_order_id), orders(OrderQuery(...)), expires_at(order), executions(client_order_id)
    positions(), position(symbol), account(), activities(), equity_history(), note_equity(moment)
    next_due_at()                 when to call `run_until` next, timers included
    snapshot(), restore(data)     everything that the venue knows, as bytes

Every refusal is a `VenueRefusal` with code, HTTP status, message and `extra` fields of the answer. An order is
shown as a `VenueOrder` (`broker_status`, `position_intent`, `legs`, all time stamps), a report as a
`VenueUpdate` (`event`, `order`, `fill`, `number`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b

from quant_trading_system.core.clock import Clock
from quant_trading_system.core.instruments import Instrument
from quant_trading_system.core.orders import Order
from quant_trading_system.market.quotes import Quote
from quant_trading_system.market.sessions import Calendar
from quant_trading_system.simulation.account import Account, Market, VenueAccount, VenuePosition
from quant_trading_system.simulation.admission import NOT_FOUND, UNPROCESSABLE, Application, VenueRefusal, admit
from quant_trading_system.simulation.books import LedgerEntry, dollars
from quant_trading_system.simulation.exchange import Exchange
from quant_trading_system.simulation.fees import FeeSchedule
from quant_trading_system.simulation.floor import TradingFloor
from quant_trading_system.simulation.models import (
    ALWAYS_FULL,
    NO_LATENCY,
    NO_SLIPPAGE,
    FillModel,
    LatencyModel,
    SlippageModel,
    stream,
)
from quant_trading_system.simulation.venue_orders import LiveOrder, OrderIndex, VenueFill, VenueOrder
from quant_trading_system.simulation.wire import Subscriber, Wire


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
        self._allow_short = allow_short
        self._account = Account(account_id, cash, multiplier, market)
        self._orders = OrderIndex()
        self._wire = Wire(latency, seed)
        self._exchange = Exchange(
            calendar=calendar,
            account=self._account,
            orders=self._orders,
            floor=TradingFloor(slippage, fills, stream(seed, "fills")),
            wire=self._wire,
            fees=FeeSchedule.alpaca() if fees is None else fees,
            market=market,
        )
        self._id_prefix = _id_prefix(seed)

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
        self._exchange.send(live, now)
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
        self._exchange.recall(live, self._now())

    def subscribe(self, subscriber: Subscriber) -> None:
        """Call `subscriber` with every update, in the order in which things happened."""
        self._wire.subscribe(subscriber)

    # -- what moves the venue -----------------------------------------------------------------------------------

    def next_event_at(self) -> datetime | None:
        """When something on its way arrives, None when nothing is."""
        return self._wire.next_at

    def run_until(self, moment: datetime) -> None:
        """Let everything arrive that is due at `moment`."""
        self._exchange.run_until(moment)

    def on_quote(self, quote: Quote, volume_available: Decimal | None = None) -> None:
        """Work the orders of the quote's symbol; what was due before it meets the quote before.

        A flawed quote changes nothing, and one from before the session waits for a fresh one.

        Args:
            volume_available: shares that trade until the next quote, None when unknown.
        """
        self._exchange.on_quote(quote, volume_available)

    def open_session(self, moment: datetime) -> None:
        """The market opens: waiting orders begin to work and meet the first quote of the session.

        Raises:
            ValueError: it is open already.
        """
        self._exchange.open_session(moment)

    def close_session(self, moment: datetime) -> None:
        """The market closes: the closing auction is held, DAY orders expire, GTC orders stay.

        Raises:
            ValueError: no session is open.
        """
        self._exchange.close_session(moment)

    @property
    def is_open(self) -> bool:
        """A session is running."""
        return self._exchange.is_open

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
        return dollars(self._account.books.fees)

    def statement(self) -> tuple[LedgerEntry, ...]:
        """Every trade with the cash after it, for audits."""
        return self._account.books.statement()

    # -- inside ---------------------------------------------------------------------------------------------------

    def _now(self) -> datetime:
        """The clock's time, or the exchange's when that has run ahead."""
        now, reached = self._clock.now(), self._exchange.time
        return now if reached is None else max(now, reached)

    def _application(self, order: Order, now: datetime) -> Application:
        symbol = order.symbol
        view = self._exchange.look_up(symbol)
        return Application(
            order=order,
            now=now,
            calendar=self._calendar,
            instrument=self._instruments.get(symbol),
            id_is_used=self._orders.get(order.client_order_id) is not None,
            quote=None if view is None else view.quote,
            held=self._account.books.quantity(symbol),
            reserved=self._orders.reserved_shares(symbol),
            open_orders=self._orders.open_in(symbol),
            buying_power=self._account.buying_power(self._orders.reserved_money),
            allow_short=self._allow_short,
            trading=self.is_open,
        )


def _id_prefix(seed: int) -> str:
    """The first 24 characters of this venue's order ids, which have the form of a version 4 UUID."""
    text = blake2b(f"{seed}/orders".encode(), digest_size=8).hexdigest()
    return f"{text[:8]}-{text[8:12]}-4{text[12:15]}-8{text[13:16]}-"
