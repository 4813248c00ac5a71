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

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from quant_trading_system.core.clock import Clock
from quant_trading_system.core.instruments import Instrument
from quant_trading_system.core.numbers import ONE
from quant_trading_system.core.orders import Order, OrderClass, OrderSide, OrderType, TimeInForce
from quant_trading_system.market.quotes import Quote
from quant_trading_system.market.sessions import Calendar
from quant_trading_system.simulation.account import Account, Market, PreviousClose
from quant_trading_system.simulation.account_rules import AccountConfiguration, AccountRules
from quant_trading_system.simulation.activities import ActivityLog
from quant_trading_system.simulation.admission import Application, VenueRefusal, malformed, not_found, unprocessable
from quant_trading_system.simulation.booking import Booking
from quant_trading_system.simulation.books import decimal_of, units
from quant_trading_system.simulation.exchange import Exchange
from quant_trading_system.simulation.fees import FeeSchedule
from quant_trading_system.simulation.floor import TradingFloor
from quant_trading_system.simulation.group_rules import members_of
from quant_trading_system.simulation.groups import Groups
from quant_trading_system.simulation.live_orders import LiveOrder, OrderIndex
from quant_trading_system.simulation.models import (
    ALWAYS_FULL,
    NO_LATENCY,
    NO_SLIPPAGE,
    FillModel,
    LatencyModel,
    SlippageModel,
    stream,
)
from quant_trading_system.simulation.order_request import Body, order_from
from quant_trading_system.simulation.questions import admit, admit_passive, require_asset
from quant_trading_system.simulation.records import VenueRecords
from quant_trading_system.simulation.replacing import changed, require_group_fits, require_replaceable
from quant_trading_system.simulation.venue_orders import PositionIntent, VenueOrder
from quant_trading_system.simulation.wire import Subscriber, Wire

_NANO = Decimal("1E-9")
_HUNDRED = Decimal(100)


class CancelOutcome(NamedTuple):
    """What became of the request to cancel one of all orders; `refusal` is None when it was taken."""

    venue_order_id: str
    refusal: VenueRefusal | None


class ClosingOutcome(NamedTuple):
    """What became of the request to close one of all positions: an order, or a refusal."""

    symbol: str
    order: VenueOrder | None
    refusal: VenueRefusal | None


class Venue(VenueRecords):
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
        previous_close: PreviousClose | None = None,
        allow_short: bool = True,
        multiplier: Decimal = Decimal(2),
        rules: AccountRules = AccountRules(),  # noqa: B008 immutable
        account_id: str = "simulated",
    ) -> None:
        """Open an account.

        Args:
            clock: only `now` is read; whoever drives the venue moves it.
            instruments: what can be traded here.
            cash: dollars to begin with.
            seed: decides every random number and the ids; accounts beside each other need different ones.
            fees: None charges what Alpaca passes on; `FeeSchedule.zero()` charges nothing.
            market: where to look up quotes of orders that come in and prices of what is held; without it the
                venue knows what `on_quote` told it.
            previous_close: where to look up closes that the venue has not seen itself.
            multiplier: of equity, to get buying power: 1 for cash accounts, 2 overnight, 4 intraday.
        """
        prefix = _id_prefix(seed, "orders")
        orders = OrderIndex(prefix)
        account = Account(
            account_id,
            cash,
            multiplier,
            market,
            rules=rules,
            allow_short=allow_short,
            previous_close=previous_close,
        )
        groups, activities = Groups(orders, account.books), ActivityLog(orders, _id_prefix(seed, "activities"))
        super().__init__(calendar, orders, groups, account, activities)
        self._clock = clock
        self._instruments = instruments
        self._allow_short = allow_short
        self._rules = rules
        self._wire = Wire(latency, seed)
        self._floor = TradingFloor(slippage, fills, stream(seed, "fills"))
        fees = FeeSchedule.alpaca() if fees is None else fees
        self._exchange = Exchange(
            calendar=calendar,
            account=account,
            orders=orders,
            groups=groups,
            floor=self._floor,
            wire=self._wire,
            booking=Booking(account, orders, activities, fees, calendar),
            market=market,
        )

    # -- what a customer asks for -------------------------------------------------------------------------------

    def submit(self, order: Order, intent: PositionIntent | None = None) -> VenueOrder:
        """Take an order. It reaches the matching after the latency; its fate is told to the subscribers.

        Args:
            intent: refuse it unless it means that for the position.

        Raises:
            VenueRefusal: the order was not taken and leaves no trace.
        """
        now = self._now()
        grouped = order.order_class is not OrderClass.SIMPLE
        admission = admit(self._application(order, now, intent=intent, in_group=grouped))
        if not grouped:
            live = self._orders.new(order, now)
            self._orders.add(live, closing=admission.closing, reserved=admission.reserved)
        else:
            live, *legs = members = self._orders.new_group(members_of(order), now)
            self._orders.add(live, closing=admission.closing, reserved=admission.reserved)
            for leg in legs:
                self._orders.add(leg, closing=True, reserved=0)
            self._groups.form(members, order.order_class)
        self._exchange.send(live, now)
        return self._groups.show(live)

    def submit_request(self, body: Body) -> VenueOrder:
        """Take an order as the parsed JSON of a request asks for it; see `submit`.

        Raises:
            VenueRefusal: the first thing that is wrong with it.
        """
        order, intent = order_from(body, lambda symbol: require_asset(symbol, self._instruments.get(symbol)))
        return self.submit(order, intent)

    def replace(self, venue_order_id: str, body: Body) -> VenueOrder:
        """Ask for a change of quantity, prices or time in force; gives the order that will take the other's place.

        It takes effect after the latency, unless the old order is finished by then. Until then the larger of the
        two holds back money or shares.

        Raises:
            VenueRefusal: the change is not possible, or there is none; the old order stays as it is.
        """
        now = self._now()
        old = self._live(venue_order_id)
        require_replaceable(old, self._orders.show(old).broker_status)
        terms = changed(old, body)
        require_group_fits(self._groups, old, terms)
        remaining = msgspec.structs.replace(terms, quantity=terms.quantity - old.filled)
        application = self._application(remaining, now, in_group=old.group != 0, replaced=old)
        admission = (admit_passive if old.passive else admit)(application)
        new = self._orders.new(terms, now)
        new.order_class = old.order_class
        new.claim = 0 if old.closing else admission.reserved // units(remaining.quantity)
        self._orders.add(new, closing=old.closing, reserved=max(admission.reserved - old.reserved, 0))
        self._exchange.exchange(old, new, now)
        return self._groups.show(new)

    def cancel(self, client_order_id: str) -> None:
        """Ask for a cancel. It takes effect after the latency, unless the order is finished by then.

        Raises:
            VenueRefusal: unknown order, or one that is finished or of which something else is asked already.
        """
        live = self._orders.find(client_order_id)
        if live is None:
            raise not_found(f"order not found for {client_order_id}")
        self._cancel(live)

    def cancel_order(self, venue_order_id: str) -> None:
        """Like `cancel`, by the venue's own id."""
        self._cancel(self._live(venue_order_id))

    def cancel_all(self) -> tuple[CancelOutcome, ...]:
        """Ask for the cancel of every open order; those that are being cancelled already count as taken."""
        outcomes = []
        for live in self._orders.open_orders():
            refusal = None
            try:
                if live.cancel_requested_at is None:
                    self._cancel(live)
            except VenueRefusal as error:
                refusal = error
            outcomes.append(CancelOutcome(live.venue_order_id, refusal))
        return tuple(outcomes)

    def _cancel(self, live: LiveOrder) -> None:
        if not live.is_open:
            raise unprocessable(f'order is already in "{self._orders.show(live).broker_status}" state')
        if live.cancel_requested_at is not None:
            raise unprocessable("order pending cancel")
        if live.replaced_by:
            raise unprocessable("order pending replace")
        self._exchange.recall(live, self._now())

    def close_position(
        self, symbol: str, *, quantity: Decimal | None = None, percentage: Decimal | None = None
    ) -> VenueOrder:
        """Send a market order that closes a position, all of it unless `quantity` or `percentage` says less.

        Args:
            percentage: above 0, at most 100; gives whole shares unless the position is fractional.

        Raises:
            VenueRefusal: there is no such position, or its shares are promised to other orders.
        """
        held = decimal_of(self._account.books.quantity(symbol))
        if not held:
            known = symbol in self._instruments
            raise not_found("position does not exist" if known else f"symbol not found: {symbol}")
        order = Order(
            symbol=symbol,
            side=OrderSide.SELL if held > 0 else OrderSide.BUY,
            order_type=OrderType.MARKET,
            time_in_force=TimeInForce.DAY,
            quantity=_part_of(abs(held), quantity, percentage),
        )
        return self.submit(order)

    def close_all_positions(self, *, cancel_orders: bool = False) -> tuple[ClosingOutcome, ...]:
        """Send a market order for every position.

        Args:
            cancel_orders: end every open order first, at once; otherwise promised shares make closing fail.
        """
        if cancel_orders:
            self._exchange.cancel_at_once(self._now(), "cancelled to close all positions")
        return tuple(self._closed(symbol) for symbol in self._account.books.holdings())

    def _closed(self, symbol: str) -> ClosingOutcome:
        try:
            return ClosingOutcome(symbol, self.close_position(symbol), None)
        except VenueRefusal as refusal:
            return ClosingOutcome(symbol, None, refusal)

    @property
    def configuration(self) -> AccountConfiguration:
        """What the customer has set."""
        return self._account.configuration

    def configure(self, body: Body) -> AccountConfiguration:
        """Change settings; what is null or unknown stays.

        Raises:
            VenueRefusal: a value is not possible; nothing has changed.
        """
        try:
            self._account.configuration = self._account.configuration.changed(body)
        except ValueError as error:
            raise malformed(str(error)) from None
        return self._account.configuration

    def subscribe(self, subscriber: Subscriber) -> None:
        """Call `subscriber` with every update, in the order in which things happened."""
        self._wire.subscribe(subscriber)

    # -- what moves the venue -----------------------------------------------------------------------------------

    def next_event_at(self) -> datetime | None:
        """When something on its way arrives, None when nothing is."""
        return self._wire.next_message_at

    def next_due_at(self) -> datetime | None:
        """When something arrives or a timer ends; None when `run_until` has nothing to do at any time."""
        return self._wire.next_due_at

    def run_until(self, moment: datetime) -> None:
        """Let everything happen that is due at `moment`."""
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

    def note_equity(self, moment: datetime) -> None:
        """Keep what the account is worth now for `equity_history`."""
        self._account.note_equity(moment)

    @property
    def is_open(self) -> bool:
        """A session is running."""
        return self._exchange.is_open

    # -- inside ---------------------------------------------------------------------------------------------------

    def _now(self) -> datetime:
        """The clock's time, or the exchange's when that has run ahead."""
        now, reached = self._clock.now(), self._exchange.time
        return now if reached is None else max(now, reached)

    def _application(
        self,
        order: Order,
        now: datetime,
        *,
        intent: PositionIntent | None = None,
        in_group: bool = False,
        replaced: LiveOrder | None = None,
    ) -> Application:
        symbol, orders = order.symbol, self._orders
        view = self._exchange.look_up(symbol)
        shares, money = orders.reserved_shares(symbol), orders.reserved_money
        others: Iterable[LiveOrder] = orders.open_in(symbol)
        if replaced is not None:
            shares, money = (
                (shares - replaced.reserved, money) if replaced.closing else (shares, money - replaced.reserved)
            )
            others = tuple(other for other in others if other is not replaced)
        return Application(
            order=order,
            intent=intent,
            now=now,
            calendar=self._calendar,
            instrument=self._instruments.get(symbol),
            id_is_used=orders.find(order.client_order_id) is not None,
            quote=None if view is None else view.quote,
            held=self._account.books.quantity(symbol),
            reserved=shares,
            open_orders=others,
            buying_power=self._account.buying_power(money),
            equity=self._account.books.equity,
            allow_short=self._allow_short,
            configuration=self._account.configuration,
            rules=self._rules,
            phase=self._exchange.phase(now),
            in_group=in_group,
        )


def _part_of(held: Decimal, quantity: Decimal | None, percentage: Decimal | None) -> Decimal:
    """How much of a position is to be closed, shares."""
    if quantity is not None and percentage is not None:
        raise malformed("only one of qty or percentage is accepted")
    if percentage is not None:
        if not 0 < percentage <= _HUNDRED:
            raise malformed("percentage must be between 0 and 100")
        whole = not held % ONE
        quantity = (held * percentage / _HUNDRED).quantize(ONE if whole else _NANO, ROUND_DOWN)
    if quantity is None:
        return held
    if quantity <= 0 or quantity % _NANO:
        raise unprocessable("qty must be > 0 and have at most 9 decimals")
    return quantity


def _id_prefix(seed: int, name: str) -> str:
    """The first 24 characters of this venue's ids, which have the form of a version 4 UUID."""
    text = blake2b(f"{seed}/{name}".encode(), digest_size=8).hexdigest()
    return f"{text[:8]}-{text[8:12]}-4{text[12:15]}-8{text[13:16]}-"
