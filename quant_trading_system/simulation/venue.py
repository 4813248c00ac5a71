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
    faults = Faults(...), bust(execution_id), correct(...), halt(symbol), resume(symbol), liquidate(symbol), post(...),
        pay_out(symbol, price)

Every refusal is a `VenueRefusal` with code, HTTP status, message and `extra` fields of the answer. An order is
shown as a `VenueOrder` (`broker_status`, `position_intent`, `legs`, all time stamps), a report as a
`VenueUpdate` (`event`, `order`, `fill`, `number`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import blake2b

from quant_trading_system.core.clock import Clock
from quant_trading_system.core.instruments import Instrument
from quant_trading_system.market.quotes import Quote
from quant_trading_system.market.sessions import Calendar
from quant_trading_system.simulation.account import Account, Market, PreviousClose
from quant_trading_system.simulation.account_rules import AccountRules
from quant_trading_system.simulation.activities import REORGANISATION, ActivityLog, CashActivity
from quant_trading_system.simulation.admission import not_found
from quant_trading_system.simulation.booking import Booking
from quant_trading_system.simulation.books import decimal_of, dollars, units
from quant_trading_system.simulation.exchange import Exchange
from quant_trading_system.simulation.faults import Dice, Faults
from quant_trading_system.simulation.fees import FeeSchedule
from quant_trading_system.simulation.floor import TradingFloor
from quant_trading_system.simulation.groups import Groups
from quant_trading_system.simulation.keeping import VenueState, decode, encode
from quant_trading_system.simulation.live_orders import LiveOrder
from quant_trading_system.simulation.models import (
    ALWAYS_FULL,
    NO_LATENCY,
    NO_SLIPPAGE,
    FillModel,
    LatencyModel,
    SlippageModel,
    stream,
)
from quant_trading_system.simulation.order_desk import OrderDesk
from quant_trading_system.simulation.order_index import OrderIndex
from quant_trading_system.simulation.realism import PLAIN, MovableMarket, Realism
from quant_trading_system.simulation.resting import Paths
from quant_trading_system.simulation.venue_orders import VenueFill, VenueOrder
from quant_trading_system.simulation.wire import Subscriber, Wire

LISTED_NO_MORE = "is listed no more"
_BEFORE = timedelta(hours=1)
"""How long before the customer sees it a broker has ended the orders of a company that is listed no more."""
_ZERO = Decimal(0)
_NANO = Decimal("1E-9")
_HUNDRED = Decimal(100)


class Venue(OrderDesk):
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
        realism: Realism = PLAIN,
        movable: MovableMarket | None = None,
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
            realism: queues and impact; spreads and volumes are the market's.
            movable: what our executions move when there is an impact; without it only the temporary part shows.

        Raises:
            ValueError: both `slippage` and `realism` have an impact.
        """
        moves = movable if realism.impact is not None else None
        prefix = _id_prefix(seed, "orders")
        orders = OrderIndex(prefix)
        account = Account(
            account_id, cash, multiplier, market, rules=rules, allow_short=allow_short, previous_close=previous_close
        )
        groups, activities = Groups(orders, account.books), ActivityLog(orders, _id_prefix(seed, "activities"))
        self._dice = Dice(stream(seed, "faults"))
        self._wire = Wire(latency, seed, self._dice)
        self._floor = TradingFloor(slippage, fills, stream(seed, "fills"), realism, moves)
        fees = FeeSchedule.alpaca() if fees is None else fees
        exchange = Exchange(
            calendar=calendar,
            account=account,
            orders=orders,
            groups=groups,
            floor=self._floor,
            wire=self._wire,
            booking=Booking(account, orders, activities, fees, calendar, moves),
            market=market,
            dice=self._dice,
        )
        super().__init__(
            clock,
            calendar,
            instruments,
            rules,
            orders=orders,
            groups=groups,
            account=account,
            activities=activities,
            exchange=exchange,
        )

    def subscribe(self, subscriber: Subscriber) -> None:
        """Call `subscriber` with every update, in the order in which things happened."""
        self._wire.subscribe(subscriber)

    # -- what moves the venue -----------------------------------------------------------------------------------

    def next_event_at(self) -> datetime | None:
        """When something on its way arrives, None when nothing is."""
        return self._wire.next_message_at()

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

    def quiet_steps(self, ahead: Paths) -> int:
        """How many of the coming steps of the market leave all open orders at rest; 0 where that cannot be told.

        Such steps need not be shown with `on_quote`; `pass_over` tells of them afterwards.

        Args:
            ahead: the prices of all symbols with orders at these steps, which lie within one session.
        """
        return self._exchange.quiet_steps(ahead)

    def pass_over(self, passed: Paths) -> None:
        """Take note of steps that were not shown, with the prices of all symbols with orders at them."""
        self._exchange.pass_over(passed)

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

    # -- what goes wrong on purpose -------------------------------------------------------------------------------

    @property
    def faults(self) -> Faults:
        """The faults in force; none at first."""
        return self._dice.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._dice.set(faults)

    @property
    def struck(self) -> dict[str, int]:
        """How often each fault did strike, by its field."""
        return dict(self._dice.struck)

    def bust(self, execution_id: str) -> None:
        """The exchange declares that an execution did not happen; books and order follow.

        Raises:
            VenueRefusal: 404, there is no such execution.
        """
        now = self._now()
        self._exchange.run_until(now)
        live, fill = self._execution(execution_id)
        self._exchange.mishaps.bust(live, fill, now)

    def correct(self, execution_id: str, *, quantity: Decimal | None = None, price: Decimal | None = None) -> None:
        """The exchange declares that an execution was one of another quantity or price.

        Raises:
            VenueRefusal: 404, there is no such execution.
            ValueError: the quantity or the price is not above zero.
        """
        now = self._now()
        self._exchange.run_until(now)
        live, fill = self._execution(execution_id)
        quantity = fill.quantity if quantity is None else quantity
        price = fill.price if price is None else price
        if quantity <= 0 or price <= 0:
            raise ValueError("quantity and price of an execution are above zero")
        self._exchange.mishaps.correct(live, fill, quantity, price, now)

    def halt(self, symbol: str) -> None:
        """Nobody trades the symbol until `resume`; orders wait and can be cancelled."""
        self._floor.halted.add(symbol)

    def resume(self, symbol: str) -> None:
        """The symbol trades again, from the next quote on."""
        self._floor.halted.discard(symbol)

    def liquidate(self, symbol: str) -> VenueOrder:
        """The broker closes a position by itself: its open orders end, and a market order of the broker's is sent.

        Raises:
            VenueRefusal: 404, there is no such position.
        """
        now = self._now()
        self._exchange.cancel_at_once(now, "liquidated by the broker", symbol)
        live = self._orders.new(self._closing_order(symbol), now)
        self._orders.add(live, closing=True, reserved=units(live.order.quantity))
        self._exchange.send(live, now)
        return self._groups.show(live)

    def post(
        self,
        activity_type: str,
        amount: Decimal,
        *,
        symbol: str = "",
        description: str = "",
        shares: Decimal = _ZERO,
    ) -> None:
        """Money or shares move beside trades.

        A dividend (``DIV``), interest (``INT``), a transfer (``CSD``, ``CSW``), a fee; a split (``SPLIT``), a change of
        the name (``NC``).

        Args:
            amount: dollars, negative when the account pays.
            shares: of `symbol` that come in, negative out; what the position has cost stays as it is.

        Raises:
            ValueError: amount or shares have more than nine decimals, or both are nothing.
        """
        if not (amount or (shares and symbol)) or amount % _NANO or shares % _NANO:
            raise ValueError("an amount of money or shares has at most nine decimals, and one is not zero")
        now = self._now()
        self._exchange.run_until(now)
        self._account.books.move_cash(amount)
        if shares:
            self._account.books.move_shares(symbol, units(shares))
        self._activities.post(now, activity_type, amount, symbol, description, shares)

    def pay_out(self, symbol: str, price: Decimal) -> CashActivity | None:
        """The symbol is listed no more: its open orders end, and what is held of it becomes cash, long or short.

        That was done some time ago, as a broker does it before the opening: the reports are there when this returns.

        Args:
            price: dollars a share, at least 0 and with at most nine decimals.

        Returns:
            The entry of the statement; None when nothing was held.
        """
        now = self._now()
        self._exchange.run_until(now)
        self._exchange.cancel_at_once(now - _BEFORE, f"{symbol} {LISTED_NO_MORE}", symbol)
        self._exchange.run_until(now)
        held = self._account.books.pay_out(symbol, units(price))
        if not held:
            return None
        amount, shares = dollars(held * units(price)), decimal_of(-held)
        return self._activities.post(now, REORGANISATION, amount, symbol, f"{symbol} {LISTED_NO_MORE}", shares)

    def _execution(self, execution_id: str) -> tuple[LiveOrder, VenueFill]:
        live = self._orders.get(execution_id.partition(":")[0])
        for fill in () if live is None else live.fills:
            if live is not None and fill.execution_id == execution_id and fill.quantity:
                return live, fill
        raise not_found(f"execution not found for {execution_id}")

    # -- what survives --------------------------------------------------------------------------------------------

    def snapshot(self) -> bytes:
        """Everything that the venue knows; its subscribers are not part of it."""
        exchange = self._exchange
        return encode(
            VenueState(
                id_prefix=self._orders.id_prefix,
                time=exchange.time,
                opened_at=exchange.opened_at,
                orders=list(self._orders.all_orders()),
                groups=self._groups.state(),
                books=self._account.books.state(),
                account=self._account.state(),
                activities=self._activities.entries,
                postings=self._activities.postings,
                floor=self._floor.state(),
                wire=self._wire.state(),
                faults=self._dice.state(),
            )
        )

    def restore(self, data: bytes) -> None:
        """Be exactly as the venue that `snapshot` described; this one is new and was built with the same arguments.

        Raises:
            ConfigurationError: the data is no snapshot, or one of another venue; nothing has changed.
            ValueError: this venue has orders already.
        """
        if len(self._orders):
            raise ValueError("restore a venue before its first order")
        state = decode(data, self._orders.id_prefix)
        self._orders.restore(state.orders)
        self._groups.restore(state.groups)
        self._account.books.restore(state.books)
        self._account.restore(state.account)
        self._activities.entries, self._activities.postings = state.activities, state.postings
        self._floor.restore(state.floor)
        self._wire.restore(state.wire, self._orders.by_number)
        self._dice.restore(state.faults)
        self._exchange.time, self._exchange.opened_at = state.time, state.opened_at


def _id_prefix(seed: int, name: str) -> str:
    """The first 24 characters of this venue's ids, which have the form of a version 4 UUID."""
    text = blake2b(f"{seed}/{name}".encode(), digest_size=8).hexdigest()
    return f"{text[:8]}-{text[8:12]}-4{text[12:15]}-8{text[13:16]}-"
