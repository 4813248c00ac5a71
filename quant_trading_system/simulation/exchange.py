"""The exchange: what happens to orders that were taken, from their arrival to their end.

Discrete events in time order. An arrival meets the quote that stands at that moment; a quote meets the orders
of its symbol that are at work; a session has an opening auction, a closing auction and an end. Orders that ask
for it trade in the hours around the session, too.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from quant_trading_system.core.order_state import OrderStatus, OrderTrigger
from quant_trading_system.core.orders import AUCTIONS, TimeInForce
from quant_trading_system.market.quotes import Quote
from quant_trading_system.market.sessions import Calendar
from quant_trading_system.simulation.account import Account, Market
from quant_trading_system.simulation.booking import Booking
from quant_trading_system.simulation.faults import Dice
from quant_trading_system.simulation.floor import IMMEDIATE, MarketView, Trade, TradingFloor
from quant_trading_system.simulation.groups import Groups
from quant_trading_system.simulation.live_orders import LiveOrder
from quant_trading_system.simulation.mishaps import Mishaps
from quant_trading_system.simulation.order_index import OrderIndex
from quant_trading_system.simulation.order_life import OrderLife
from quant_trading_system.simulation.resting import Paths
from quant_trading_system.simulation.trading_hours import AFTER_HOURS, Phase, expires_at, extended_since
from quant_trading_system.simulation.venue_orders import Notice
from quant_trading_system.simulation.wire import EventKind, Handlers, Wire

_REGULAR, _NEW = Phase.REGULAR, EventKind.NEW
_GTC, _OPG, _CLS = TimeInForce.GTC, TimeInForce.OPG, TimeInForce.CLS
_WORKING, _FILLED = OrderStatus.WORKING, OrderStatus.FILLED
_ACCEPT, _FILL_LAST = OrderTrigger.ACCEPT, OrderTrigger.FILL_LAST


class Exchange(OrderLife):
    """Works the open orders of one account.

    Attributes:
        time: up to which everything has happened, None at first.
        opened_at: when the session in progress began, None when there is none.
    """

    def __init__(
        self,
        *,
        calendar: Calendar,
        account: Account,
        orders: OrderIndex,
        groups: Groups,
        floor: TradingFloor,
        wire: Wire,
        booking: Booking,
        market: Market | None,
        dice: Dice,
    ) -> None:
        super().__init__(orders, groups, wire)
        self.mishaps = Mishaps(self, booking, orders, floor, wire, dice)
        self.time: datetime | None = None
        self.opened_at: datetime | None = None
        self._calendar = calendar
        self._account = account
        self._floor = floor
        self._booking = booking
        self._market = market
        self._dice = dice
        self._handlers: Handlers = {
            EventKind.NEW: self._arrive,
            EventKind.CANCEL: self._cancel,
            EventKind.REPLACE: self._replace,
            EventKind.EXPIRE: self._expire,
            EventKind.REJECT: self.mishaps.reject,
            EventKind.FILL_LATE: self.mishaps.fill_late,
            EventKind.END_DAY: self._end_day,
        }

    @property
    def is_open(self) -> bool:
        """A session is running."""
        return self.opened_at is not None

    def phase(self, moment: datetime) -> Phase:
        """What the market does now."""
        if self.opened_at is not None:
            return _REGULAR
        return Phase.CLOSED if extended_since(self._calendar, moment) is None else Phase.EXTENDED

    def send(self, live: LiveOrder, now: datetime) -> None:
        """An order leaves the customer."""
        live.queued = (self.opened_at or self._extended_since(live, now)) is None
        self._wire.send(now, _NEW, live)
        if live.order.time_in_force is _GTC or live.order.extended_hours:
            self._set_lifetime(live)
            for leg in self._groups.others(live):
                self._set_lifetime(leg)

    def recall(self, live: LiveOrder, now: datetime) -> None:
        """A cancel leaves the customer."""
        live.cancel_requested_at = live.updated_at = now
        self._orders.wake(live)
        self._wire.send(now, EventKind.CANCEL, live)

    def amend(self, old: LiveOrder, new: LiveOrder, now: datetime) -> None:
        """The request to put `new` in the place of `old` leaves the customer."""
        old.replaced_by, new.replaces = new.number, old.number
        old.updated_at = now
        self._orders.wake(old)
        self._wire.send(now, EventKind.REPLACE, new)
        if new.order.time_in_force is _GTC or new.order.extended_hours:
            self._set_lifetime(new)

    def cancel_at_once(self, now: datetime, reason: str, symbol: str = "") -> None:
        """The broker itself ends every open order, or those in one symbol."""
        self.run_until(now)
        for live in self._orders.open_orders():
            if live.is_open and symbol in ("", live.order.symbol):
                self.cancel(live, now, reason)

    def run_until(self, moment: datetime) -> None:
        """Let everything happen that is due at `moment`."""
        self._wire.run(moment, self._handlers)
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
        if view is not None:
            if not self.is_open:
                self._work_extended(view, moment)
            elif self._is_fresh(view):
                self._work_all(view, moment)
        self.run_until(moment)

    def quiet_steps(self, ahead: Paths) -> int:
        """How many of the coming steps, all of one session, leave all open orders at rest; 0 where nobody can tell."""
        if self._orders.symbols() and not (self._dice.calm and self._floor.is_plain):
            return 0
        return self._orders.quiet_steps(ahead, through=self._floor.trades_through)

    def pass_over(self, passed: Paths) -> None:
        """Steps at which all open orders rested were not shown."""
        self._orders.pass_over(passed)

    def open_session(self, moment: datetime) -> None:
        """The market opens: waiting orders begin to work and meet the first quote of the session.

        Raises:
            ValueError: it is open already.
        """
        if self.is_open:
            raise ValueError(f"the session of {self.opened_at} is still open; close it first")
        self.run_until(moment)
        self.opened_at = moment
        self._account.begin_day(self._calendar.trade_date(moment))
        self._account.mark_all()
        self._orders.wake_all()
        for live in self._orders.open_orders():
            live.rested = False  # it meets the opening price, better than its limit or not
            live.waits_since = live.ahead = None
            if live.status is OrderStatus.HELD and not live.passive:
                self.tell(live, OrderStatus.WORKING, OrderTrigger.ACCEPT, moment)
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
            if live.is_open and live.status is not OrderStatus.SENT:
                self._close_order(live, moment)
        self._account.mark_all()
        self._account.close_day(moment, self._floor.prices())
        self.opened_at = None
        self._wire.set_timer(moment + AFTER_HOURS, EventKind.END_DAY)
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
            self._account.books.mark(quote.symbol, view.price)
        return view

    # -- events ---------------------------------------------------------------------------------------------------

    def _arrive(self, live: LiveOrder, at: datetime) -> None:
        if not live.is_open:  # ended on its way
            return
        in_force = live.order.time_in_force
        since = self.opened_at or self._extended_since(live, at)
        next_opening = in_force is _OPG and not live.queued  # sent while the market was open
        if since is None and in_force in IMMEDIATE:
            self.cancel(live, at, "the market is closed")
        elif since is None or next_opening:
            self.tell(live, OrderStatus.HELD, OrderTrigger.HOLD, at)
            if live.group:
                self._hold_legs(live, at)
        else:
            self.tell(live, _WORKING, _ACCEPT, at)
            if live.group:
                self._hold_legs(live, at)
            if not self._dice.calm:
                self.mishaps.after_accept(live, at)
            self._begin(live, at)

    def _hold_legs(self, live: LiveOrder, at: datetime) -> None:
        for leg in self._groups.others(live):
            if leg.status is OrderStatus.SENT:
                self.tell(leg, OrderStatus.HELD, OrderTrigger.HOLD, at)

    def _begin(self, live: LiveOrder, at: datetime) -> None:
        """The order meets the market for the first time."""
        in_force = live.order.time_in_force
        if in_force is _OPG:
            self.cancel(live, at, "it missed the opening auction")
            return
        if live.group:
            self._groups.begin(live, at, self)
        else:
            self.meet_market(live, at)
        if live.is_open and in_force in IMMEDIATE:
            self.cancel(live, at, "not filled at once")

    def _cancel(self, live: LiveOrder, at: datetime) -> None:
        if live.is_open:  # else its last report, already on the way, is the answer
            self.cancel(live, at, "cancelled on request")
            self.mishaps.after_cancel(live, at)

    def _replace(self, new: LiveOrder, at: datetime) -> None:
        old = self._orders.by_number(new.replaces)
        if not new.is_open:  # ended on its way
            old.replaced_by = 0
            return
        if not old.is_open or old.filled >= new.order.quantity:
            old.replaced_by = 0
            self.notify(old, Notice.REPLACE_REJECTED, at, "it was finished first")
            self.finish(new, OrderStatus.REJECTED, OrderTrigger.REJECT, at, "the replaced order was finished first")
            return
        new.take_over(old, forgets_fills=self._dice.faults.forget_fills)
        self.finish(old, OrderStatus.REPLACED, OrderTrigger.REPLACE, at)
        if old.group:
            self._groups.replace(old, new)
        self._orders.claim(new)
        if new.passive or (self.opened_at or self._extended_since(new, at)) is None:
            self.tell(new, OrderStatus.HELD, OrderTrigger.HOLD, at)
        else:
            self.tell(new, OrderStatus.WORKING, OrderTrigger.ACCEPT, at)
            self._begin(new, at)

    def _expire(self, live: LiveOrder, at: datetime) -> None:
        if not live.is_open:
            return
        if live.order.time_in_force is TimeInForce.GTC:
            self.cancel(live, at, "good till cancelled, but not for ever")
        else:
            self.finish(live, OrderStatus.EXPIRED, OrderTrigger.EXPIRE, at, "the trading day ended")

    def _end_day(self, _: None, __: datetime) -> None:
        self._account.end_day()

    # -- trading --------------------------------------------------------------------------------------------------

    def meet_market(self, live: LiveOrder, at: datetime) -> None:
        """Work the order against the present quote, if there is a fresh one; one that is passive watches it."""
        view = self._floor.view(live.order.symbol)
        since = self.opened_at or self._extended_since(live, at)
        if view is None or since is None or view.quote.at < since:
            return
        if live.passive:
            self._groups.watch(live, view, at, self)
        else:
            self._work(live, view, at)

    def _work_all(self, view: MarketView, at: datetime) -> None:
        orders, may_rest = self._orders, not self._floor.has_queues
        for live in orders.meet(view.quote):
            if live.is_working:
                self._work(live, view, at)
            elif live.passive and live.status is OrderStatus.HELD:
                self._groups.watch(live, view, at, self)
            if may_rest:
                orders.settle(live)

    def _work_extended(self, view: MarketView, at: datetime) -> None:
        """Orders for the hours around the session begin to work with the first quote that they see."""
        if not self._orders.extended:
            return
        for live in self._orders.open_in(view.quote.symbol):
            since = self.opened_at or self._extended_since(live, at)
            if since is None or not live.is_open or live.status is OrderStatus.SENT or view.quote.at < since:
                continue
            if live.status is OrderStatus.HELD:
                self.tell(live, OrderStatus.WORKING, OrderTrigger.ACCEPT, at)
            self._work(live, view, at)

    def _work(self, live: LiveOrder, view: MarketView, at: datetime) -> None:
        in_force = live.order.time_in_force
        if in_force is _CLS:
            return
        if in_force is _OPG:
            self._hold_auction(live, view, at, "opening")
            return
        trade = self._floor.continuous(live, view, at)
        if trade is not None:
            self._trade(live, trade, view, at)

    def _hold_auction(self, live: LiveOrder, view: MarketView | None, at: datetime, name: str) -> None:
        if view is not None and self._is_fresh(view):
            trade = self._floor.auction(live, view)
            if trade is not None:
                self._trade(live, trade, view, at)
        if live.is_open:
            self.cancel(live, at, f"not filled in the {name} auction")

    def _close_order(self, live: LiveOrder, at: datetime) -> None:
        order = live.order
        if order.time_in_force is TimeInForce.OPG and live.status is OrderStatus.HELD:
            return  # it waits for the next opening
        if order.time_in_force in AUCTIONS:
            name = "closing" if order.time_in_force is TimeInForce.CLS else "opening"
            view = self.look_up(order.symbol) if name == "closing" else None
            self._hold_auction(live, view, at, name)
        elif order.time_in_force is TimeInForce.DAY and not order.extended_hours:
            self.finish(live, OrderStatus.EXPIRED, OrderTrigger.EXPIRE, at, "the session ended")

    def _trade(self, live: LiveOrder, trade: Trade, view: MarketView, at: datetime) -> None:
        if self._dice.calm:
            self._book(live, trade, view, at)
            return
        for execution in self.mishaps.executions_of(live, trade):
            self._book(live, execution, view, at, crossing=True)
        self.mishaps.release_excess(live.order.symbol, at)

    def _book(self, live: LiveOrder, trade: Trade, view: MarketView, at: datetime, *, crossing: bool = False) -> None:
        fill = self._booking.execute(live, trade, view, at, crossing=crossing)
        if trade.complete:
            self.finish(live, _FILLED, _FILL_LAST, at, fill=fill)
            return
        self.tell(live, OrderStatus.PARTIALLY_FILLED, OrderTrigger.FILL_PART, at, fill=fill)
        if live.group:
            self._groups.filled_in_part(live, at, self)

    def _is_fresh(self, view: MarketView) -> bool:
        return self.opened_at is not None and view.quote.at >= self.opened_at

    def _extended_since(self, live: LiveOrder, at: datetime) -> datetime | None:
        """While no session runs: the beginning of the hours in progress in which the order may trade, if it may."""
        return extended_since(self._calendar, at) if live.order.extended_hours else None

    def _set_lifetime(self, live: LiveOrder) -> None:
        """Of an order that the regular close does not end."""
        self._wire.set_timer(expires_at(live.order, live.submitted_at, self._calendar), EventKind.EXPIRE, live)
