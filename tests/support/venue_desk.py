"""A venue whose clock and prices a test moves by hand, on three days in March and two in June."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.instruments import Instrument, Universe
from quant_trading_system.core.order_state import OrderTrigger
from quant_trading_system.core.orders import (
    Order,
    OrderClass,
    OrderSide,
    OrderType,
    StopLoss,
    TakeProfit,
    TimeInForce,
)
from quant_trading_system.market.quotes import Quote
from quant_trading_system.market.sessions import Session, TradingCalendar
from quant_trading_system.simulation.fees import FeeSchedule
from quant_trading_system.simulation.venue import Venue
from quant_trading_system.simulation.venue_orders import VenueFill, VenueOrder, VenueUpdate


def session(day: int, month: int = 3, year: int = 2024) -> Session:
    opened = datetime(year, month, day, 14, 30, tzinfo=UTC)
    return Session(date(year, month, day), opened, opened + timedelta(hours=6, minutes=30))


MONDAY, TUESDAY, WEDNESDAY = session(4), session(5), session(6)
IN_JUNE = session(3, 6)
CALENDAR = TradingCalendar([MONDAY, TUESDAY, WEDNESDAY, IN_JUNE, session(4, 6)], date(2024, 3, 1), date(2024, 12, 31))
UNIVERSE = Universe(
    [
        Instrument(symbol="KO", fractionable=True, shortable=True),
        Instrument(symbol="PEP", fractionable=True, shortable=True),
        Instrument(symbol="IVORY"),
        Instrument(symbol="HALTED", tradable=False),
        Instrument(symbol="GONE", active=False),
    ]
)


def dec(text: str | int) -> Decimal:
    return Decimal(text)


def quote(
    bid: str = "99.98",
    ask: str = "100.02",
    last: str | None = "100",
    *,
    at: datetime = MONDAY.open,
    symbol: str = "KO",
    sequence: int = 0,
) -> Quote:
    return Quote(symbol, dec(bid), dec(ask), at, at, None if last is None else dec(last), sequence=sequence)


class VenueDesk:
    """A venue and everything it said. Opens on Monday unless told otherwise."""

    def __init__(self, *, opened: bool = True, cash: str = "100000", seed: int = 1, **options):
        self.clock = ManualClock(MONDAY.open - timedelta(hours=1))
        options.setdefault("fees", FeeSchedule.zero())
        options.setdefault("instruments", UNIVERSE)
        self.venue = Venue(self.clock, options.pop("calendar", CALENDAR), cash=dec(cash), seed=seed, **options)
        self.updates: list[VenueUpdate] = []
        self.venue.subscribe(self.updates.append)
        self._ids, self._sequence = count(1), count(1)
        if opened:
            self.open()

    # -- time

    def move(self, moment: datetime) -> None:
        self.clock.move_to(max(moment, self.clock.now()))
        self.venue.run_until(self.clock.now())

    def wait(self, **span: float) -> None:
        self.move(self.clock.now() + timedelta(**span))

    def open(self, day: Session = MONDAY) -> None:
        self.move(day.open)
        self.venue.open_session(day.open)

    def close(self, day: Session = MONDAY) -> None:
        self.move(day.close)
        self.venue.close_session(day.close)

    # -- prices

    def quote(
        self,
        bid: str = "99.98",
        ask: str = "100.02",
        last: str | None = "100",
        *,
        symbol: str = "KO",
        volume: str | None = None,
    ) -> None:
        shown = quote(bid, ask, last, at=self.clock.now(), symbol=symbol, sequence=next(self._sequence))
        self.venue.on_quote(shown, None if volume is None else dec(volume))

    # -- orders

    def send(
        self,
        side: OrderSide,
        quantity: str | int = 10,
        *,
        symbol: str = "KO",
        in_force: TimeInForce = TimeInForce.DAY,
        kind: OrderType | None = None,
        limit: str | None = None,
        stop: str | None = None,
        **fields,
    ) -> str:
        """Submit an order and let it arrive if it has no latency; its client order id."""
        kinds = {
            (False, False): OrderType.MARKET,
            (True, False): OrderType.LIMIT,
            (False, True): OrderType.STOP,
            (True, True): OrderType.STOP_LIMIT,
        }
        identity = fields.pop("client_order_id", f"o-{next(self._ids)}")
        order = Order(
            symbol=symbol,
            side=side,
            quantity=dec(0) if "notional" in fields else dec(quantity),
            order_type=kind or kinds[limit is not None, stop is not None],
            time_in_force=in_force,
            limit_price=None if limit is None else dec(limit),
            stop_price=None if stop is None else dec(stop),
            client_order_id=identity,
            **fields,
        )
        submitted = self.venue.submit(order)
        self.venue.run_until(self.clock.now())
        return submitted.client_order_id

    def buy(self, quantity: str | int = 10, **fields) -> str:
        return self.send(OrderSide.BUY, quantity, **fields)

    def sell(self, quantity: str | int = 10, **fields) -> str:
        return self.send(OrderSide.SELL, quantity, **fields)

    def group(
        self,
        order_class: str,
        side: OrderSide = OrderSide.BUY,
        quantity: str | int = 10,
        *,
        profit: str | None = None,
        loss: str | None = None,
        loss_limit: str | None = None,
        **fields,
    ) -> str:
        """Submit a bracket, OTO or OCO order; the client order id of its leader."""
        stop_loss = None
        if loss is not None:
            stop_loss = StopLoss(stop_price=dec(loss), limit_price=None if loss_limit is None else dec(loss_limit))
        return self.send(
            side,
            quantity,
            order_class=OrderClass(order_class),
            take_profit=None if profit is None else TakeProfit(limit_price=dec(profit)),
            stop_loss=stop_loss,
            kind=OrderType.LIMIT if order_class == "oco" else None,
            **fields,
        )

    def legs(self, identity: str) -> list[str]:
        """The client order ids of the other members."""
        return [leg.client_order_id for leg in self.order(identity).legs]

    def replace(self, identity: str, **changes) -> str:
        """Ask for a change and let it arrive; the client order id of the new order."""
        new = self.venue.replace(self.order(identity).venue_order_id, changes)
        self.venue.run_until(self.clock.now())
        return new.client_order_id

    # -- what came of it

    def order(self, identity: str) -> VenueOrder:
        found = self.venue.find(identity)
        assert found is not None
        return found

    def status(self, identity: str) -> str:
        return self.order(identity).status.value

    def fills(self, identity: str) -> list[tuple[str, str]]:
        """Quantity and price of every execution, as text."""
        return [(str(fill.quantity), str(fill.price)) for fill in self.venue.executions(identity)]

    def story(self, identity: str) -> list[str]:
        """The triggers that were reported for the order."""
        return [
            update.trigger.value
            for update in self.updates
            if update.order.client_order_id == identity and update.trigger is not None
        ]

    def events(self, *identities: str) -> list[str]:
        """What was reported about the orders in the broker's words, each with the number of its order."""
        return [
            f"{identities.index(update.order.client_order_id)} {update.event}"
            for update in self.updates
            if update.order.client_order_id in identities
        ]

    def held(self, symbol: str = "KO") -> Decimal:
        return next((p.quantity for p in self.venue.positions() if p.symbol == symbol), dec(0))

    @property
    def all_fills(self) -> list[VenueFill]:
        return [update.fill for update in self.updates if update.fill is not None]

    def triggers(self) -> list[OrderTrigger | None]:
        return [update.trigger for update in self.updates]
