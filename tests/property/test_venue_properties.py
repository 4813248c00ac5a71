"""Whatever a customer sends and however prices move, the venue's books add up and its promises hold."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import astuple

from quant_trading_system.core.orders import OrderClass, OrderSide, OrderType, TimeInForce
from quant_trading_system.simulation.admission import VenueRefusal
from quant_trading_system.simulation.faults import Faults
from quant_trading_system.simulation.fees import FeeSchedule
from quant_trading_system.simulation.matching import trail
from quant_trading_system.simulation.models import FillModel, LatencyModel, SlippageModel
from quant_trading_system.simulation.records import OrderQuery
from quant_trading_system.simulation.venue_orders import VenueOrder
from tests.support.venue_desk import MONDAY, TUESDAY, WEDNESDAY, VenueDesk

SYMBOLS = ("KO", "PEP")
CASH = 100_000
CENT = Decimal("0.01")
SLOW = LatencyModel(order=timedelta(milliseconds=700), report=timedelta(milliseconds=400), sigma=1.0)
ENDS = {"fill_last", "cancel", "expire", "replace", "reject"}


class Price(NamedTuple):
    """A new quote around `cents`."""

    symbol: str
    cents: int
    volume: int


class Send(NamedTuple):
    """An order whose prices lie some cents from 100 dollars."""

    symbol: str
    side: OrderSide
    kind: OrderType
    in_force: TimeInForce
    quantity: str
    limit: int
    stop: int
    in_dollars: bool


class SendGroup(NamedTuple):
    """A group whose prices lie some cents from 100 dollars."""

    symbol: str
    side: OrderSide
    order_class: str
    quantity: str
    in_force: TimeInForce
    limit: int | None
    profit: int
    loss: int
    loss_limit: int | None


class Replace(NamedTuple):
    """A change of one of the orders so far."""

    number: int
    quantity: int | None
    limit: int | None
    stop: int | None


class Cancel(NamedTuple):
    """A cancel of one of the orders so far."""

    number: int


class Mishap(NamedTuple):
    """Something that only happens when it is wanted."""

    kind: str
    number: int
    symbol: str


class NextDay(NamedTuple):
    """The close of this session and, with a market that moved, the next open."""


RESTING = [TimeInForce.DAY, TimeInForce.GTC]
KINDS = st.sampled_from(
    [(kind, in_force) for kind in (OrderType.MARKET, OrderType.LIMIT) for in_force in TimeInForce]
    + [(kind, in_force) for kind in OrderType if "stop" in kind for in_force in RESTING]
)


@st.composite
def sends(draw) -> Send:
    """Orders that exist; whether the venue takes them is another matter."""
    kind, in_force = draw(KINDS)
    fractions = in_force is TimeInForce.DAY and kind is not OrderType.TRAILING_STOP
    quantities = ["1", "7", "30", "30", "450", *(["0.5", "2.123456789"] if fractions else [])]
    return Send(
        draw(st.sampled_from(SYMBOLS)),
        draw(st.sampled_from(OrderSide)),
        kind,
        in_force,
        draw(st.sampled_from(quantities)),
        draw(st.integers(-300, 300)),
        draw(st.integers(-300, 300)),
        fractions and draw(st.booleans()),
    )


GROUPS = st.builds(
    SendGroup,
    st.sampled_from(SYMBOLS),
    st.sampled_from(OrderSide),
    st.sampled_from(["bracket", "bracket", "oco", "oto_profit", "oto_loss"]),
    st.sampled_from(["1", "7", "30"]),
    st.sampled_from(RESTING),
    st.none() | st.integers(-300, 300),
    st.integers(1, 300),
    st.integers(1, 300),
    st.none() | st.integers(0, 100),
)
REPLACES = st.builds(
    Replace,
    st.integers(0, 25),
    st.none() | st.integers(1, 60),
    st.none() | st.integers(-300, 300),
    st.none() | st.integers(-300, 300),
)
PRICES = st.builds(Price, st.sampled_from(SYMBOLS), st.integers(9_600, 10_400), st.integers(0, 400))
CANCELS = st.builds(Cancel, st.integers(0, 20))
ACTIONS = st.one_of(sends(), sends(), GROUPS, GROUPS, REPLACES, PRICES, PRICES, PRICES, PRICES, CANCELS)
STREAMS = st.lists(st.one_of(*[ACTIONS] * 8, st.builds(NextDay)), min_size=12, max_size=40)
MISHAPS = st.builds(
    Mishap,
    st.sampled_from(["bust", "correct", "halt", "resume", "liquidate"]),
    st.integers(0, 20),
    st.sampled_from(SYMBOLS),
)
STORMS = st.lists(st.one_of(*[ACTIONS] * 8, MISHAPS, MISHAPS, st.builds(NextDay)), min_size=12, max_size=40)
FAULTS = st.builds(
    Faults,
    lose_report=st.sampled_from([Decimal(0), Decimal("0.2")]),
    delay_report=st.sampled_from([Decimal(0), Decimal("0.2")]),
    double_fill=st.sampled_from([Decimal(0), Decimal("0.2")]),
    reject_later=st.sampled_from([Decimal(0), Decimal("0.5")]),
    late_fill=st.sampled_from([Decimal(0), Decimal("0.5"), Decimal(1)]),
    parts=st.integers(1, 3),
    overfill=st.sampled_from([Decimal(0), Decimal(3)]),
    forget_fills=st.booleans(),
)
FILLS = st.sampled_from(
    [FillModel(), FillModel(participation=Decimal("0.1"), through=True), FillModel(partial_chance=Decimal("0.4"))]
)
LATENCIES = st.sampled_from([LatencyModel(), SLOW])


class Trading:
    """A desk that lives through a stream and checks what must hold at every moment."""

    def __init__(self, fills: FillModel, latency: LatencyModel) -> None:
        self.options = {
            "fees": FeeSchedule.alpaca(),
            "fills": fills,
            "latency": latency,
            "slippage": SlippageModel(bps=Decimal(3), impact_bps=Decimal(10)),
            "seed": 5,
        }
        self.desk = VenueDesk(**self.options)
        self.days = iter([TUESDAY, WEDNESDAY])
        self.today = MONDAY
        for symbol in SYMBOLS:
            self.desk.quote(symbol=symbol, volume="300")

    def restart(self) -> None:
        """The venue is kept as bytes, and another one goes on from there."""
        old = self.desk
        new = VenueDesk(opened=False, **self.options)
        new.venue.restore(old.venue.snapshot())
        new.clock, new.updates, new._ids, new._sequence = old.clock, old.updates, old._ids, old._sequence
        new.venue._clock = old.clock
        new.venue.subscribe(new.updates.append)
        self.desk = new

    @property
    def orders(self) -> tuple[VenueOrder, ...]:
        """Every order so far, legs by themselves, oldest first."""
        return self.desk.venue.orders(OrderQuery(status="all", ascending=True, limit=10_000))

    def live(self, stream) -> Trading:
        for action in stream:
            if not self.desk.venue.is_open:
                break
            self.desk.wait(seconds=1)
            getattr(self, f"do_{type(action).__name__.lower()}")(action)
            self.check()
        return self

    def do_price(self, action: Price) -> None:
        last = Decimal(action.cents) * CENT
        bid, ask = last - 2 * CENT, last + 2 * CENT
        self.desk.quote(str(bid), str(ask), str(last), symbol=action.symbol, volume=str(action.volume))

    def do_send(self, action: Send) -> None:
        kind = action.kind
        fields: dict[str, Any] = {}
        if "limit" in kind:
            fields["limit"] = str(100 + action.limit * CENT)
        if kind.startswith("stop"):
            fields["stop"] = str(100 + action.stop * CENT)
        if kind is OrderType.TRAILING_STOP:
            fields["trail_price"] = (abs(action.stop) + 1) * CENT
        if action.in_dollars:
            fields["notional"] = 90 * Decimal(action.quantity).quantize(CENT)
        try:
            self.desk.send(
                action.side, action.quantity, symbol=action.symbol, kind=kind, in_force=action.in_force, **fields
            )
        except VenueRefusal:
            return

    def do_sendgroup(self, action: SendGroup) -> None:
        leaves, held = action.order_class == "oco", self.desk.held(action.symbol)
        if leaves and not held:
            action = action._replace(order_class="bracket", limit=None)  # so that there is something to leave
            leaves = False
        side = action.side if not held else OrderSide.BUY if (held > 0) is not leaves else OrderSide.SELL
        entry = side.opposite if leaves else side
        fields: dict[str, Any] = {}
        if action.limit is not None and not leaves:
            fields["limit"] = str(100 + action.limit * CENT)
        if action.order_class != "oto_loss":
            fields["profit"] = str(100 + entry.sign * action.profit * CENT)
        if action.order_class != "oto_profit":
            fields["loss"] = str(100 - entry.sign * action.loss * CENT)
            if action.loss_limit is not None:
                fields["loss_limit"] = str(100 - entry.sign * (action.loss + action.loss_limit) * CENT)
        try:
            self.desk.group(
                action.order_class.partition("_")[0],
                side,
                action.quantity,
                symbol=action.symbol,
                in_force=action.in_force,
                **fields,
            )
        except VenueRefusal:
            return

    def do_replace(self, action: Replace) -> None:
        working = self.desk.venue.open_orders()
        if not working:
            return
        order = working[action.number % len(working)]
        asked = {
            "qty": action.quantity,
            "limit_price": None if action.limit is None else 100 + action.limit * CENT,
            "stop_price": None if action.stop is None else 100 + action.stop * CENT,
        }
        terms = {"qty": order.quantity, "limit_price": order.order.limit_price, "stop_price": order.order.stop_price}
        changes = {field: value for field, value in asked.items() if terms[field] is not None}
        try:
            self.desk.replace(order.client_order_id, **changes)
        except VenueRefusal:
            return

    def do_cancel(self, action: Cancel) -> None:
        orders = self.orders
        if action.number < len(orders):
            try:
                self.desk.venue.cancel(orders[action.number].client_order_id)
            except VenueRefusal:
                return

    def do_nextday(self, _: NextDay) -> None:
        waiting = {order.client_order_id for order in self.desk.venue.open_orders()}
        self.desk.close(self.today)
        for identity in waiting:
            order = self.desk.order(identity)
            if order.order.time_in_force is not TimeInForce.GTC and order.status != "sent":
                assert order.finished_at is not None, "only GTC orders survive the close"
        tomorrow = next(self.days, None)
        if tomorrow is not None:
            self.today = tomorrow
            self.desk.open(tomorrow)

    # -- what always holds

    def check(self) -> None:
        orders = self.orders
        self.check_books(orders)
        by_id = {order.venue_order_id: order for order in orders}
        for order in orders:
            self.check_order(order, by_id)
            if order.legs:
                self.check_group(order)

    def check_books(self, orders: tuple[VenueOrder, ...]) -> None:
        venue = self.desk.venue
        cash, held, fees = Fraction(CASH), dict.fromkeys(SYMBOLS, Fraction(0)), Fraction(0)
        for order in orders:
            terms = order.order
            for fill in venue.executions(order.client_order_id):
                signed = terms.side.sign * Fraction(fill.quantity)
                cash -= signed * Fraction(fill.price) + Fraction(fill.fee)
                held[terms.symbol] += signed
                fees += Fraction(fill.fee)
        account = venue.account()
        positions = venue.positions()
        assert cash == Fraction(account.cash)
        assert fees == Fraction(venue.total_fees)
        assert {s: q for s, q in held.items() if q} == {p.symbol: Fraction(p.quantity) for p in positions}
        for position in positions:
            assert 0 <= position.available_quantity * (1 if position.quantity > 0 else -1) <= abs(position.quantity)
        value = sum(Fraction(p.quantity) * Fraction(p.last_price) for p in positions)
        assert cash + value == Fraction(account.equity)
        if not venue.open_orders():
            gross = account.long_value - account.short_value
            assert account.buying_power == max(2 * account.equity - gross, Decimal(0)), "everything was given back"

    def check_order(self, order: VenueOrder, by_id: dict[str, VenueOrder]) -> None:
        fills = self.desk.venue.executions(order.client_order_id)
        terms = order.order
        handed_on = by_id[order.replaces].filled_quantity if order.replaces and order.filled_quantity else 0
        assert sum(fill.quantity for fill in fills) + handed_on == order.filled_quantity
        if order.replaced_by:
            assert by_id[order.replaced_by].replaces == order.venue_order_id
            assert order.status == "replaced"
        assert all(fill.quantity > 0 and not fill.price % CENT for fill in fills)
        if order.quantity is not None:
            assert order.filled_quantity <= order.quantity
            complete = order.filled_quantity == order.quantity
            assert complete == (order.status == "filled") or (order.passive and order.finished_at is not None)
        if terms.limit_price is not None:
            assert all(terms.side.sign * (terms.limit_price - fill.price) >= 0 for fill in fills)
        if terms.notional is not None and terms.side is OrderSide.BUY:
            assert order.filled_value <= terms.notional
        if terms.time_in_force is TimeInForce.FOK:
            assert order.filled_quantity in {0, order.quantity}
        if terms.time_in_force in {TimeInForce.IOC, TimeInForce.FOK}:
            assert order.status in {"sent", "filled", "canceled"}

    def check_group(self, leader: VenueOrder) -> None:
        """Exits close no more than the entry opened, one of them works at a time, and no exit before the entry."""
        leaves = leader.order_class is OrderClass.OCO
        exits = (leader, *leader.legs) if leaves else leader.legs
        assert len([one for one in exits if one.finished_at is None and not one.passive]) <= 1
        if not leaves:
            assert sum(one.filled_quantity for one in exits) <= leader.filled_quantity
            assert leader.status == "filled" or all(not one.filled_quantity for one in exits)
        if leader.finished_at is not None and leader.status not in {"filled", "replaced"}:
            ends = {one.finished_at is not None for one in exits}
            assert ends == {True} or any(one.stop_triggered for one in exits)


class Storm(Trading):
    """A desk where things go wrong: orders may be overfilled, but the books still add up."""

    def check(self) -> None:
        self.check_books(self.orders)

    def do_mishap(self, action: Mishap) -> None:
        venue, fills = self.desk.venue, self.desk.all_fills
        try:
            if action.kind in {"halt", "resume", "liquidate"}:
                getattr(venue, action.kind)(action.symbol)
            elif fills:
                execution = fills[action.number % len(fills)].execution_id
                if action.kind == "bust":
                    venue.bust(execution)
                else:
                    venue.correct(execution, price=99 * CENT * 100, quantity=Decimal(action.number + 1))
        except VenueRefusal:
            return


@given(STORMS, FAULTS, FILLS, LATENCIES)
def test_whatever_goes_wrong_the_books_add_up_and_no_promise_is_larger_than_the_position(
    stream, faults, fills, latency
):
    storm = Storm(fills, latency)
    storm.desk.venue.faults = faults
    storm.live(stream)
    storm.desk.wait(days=100)
    storm.check()


@given(STREAMS, FILLS, LATENCIES)
def test_books_orders_and_promises_hold_at_every_moment(stream, fills, latency):
    trading = Trading(fills, latency).live(stream)
    trading.desk.wait(hours=1)
    for order in trading.orders:
        story = trading.desk.story(order.client_order_id)
        is_open = order.finished_at is None
        assert sum(trigger in ENDS for trigger in story) == (not is_open)
        assert is_open or story[-1] in ENDS


@given(STREAMS, FILLS, LATENCIES)
def test_the_same_stream_makes_the_same_history(stream, fills, latency):
    first, second = (Trading(fills, latency).live(stream) for _ in range(2))
    assert first.desk.updates == second.desk.updates
    assert first.desk.venue.statement() == second.desk.venue.statement()


@given(STREAMS, st.integers(0, 39), FILLS, LATENCIES)
def test_a_venue_that_was_kept_and_restored_goes_on_as_if_nothing_had_happened(stream, place, fills, latency):
    undisturbed, interrupted = Trading(fills, latency), Trading(fills, latency)
    undisturbed.live(stream[:place])
    interrupted.live(stream[:place])
    interrupted.restart()
    for trading in (undisturbed, interrupted):
        trading.live(stream[place:])
        trading.desk.wait(days=100)
    assert undisturbed.desk.updates == interrupted.desk.updates
    assert undisturbed.desk.venue.snapshot() == interrupted.desk.venue.snapshot()
    for read in ("account", "positions", "statement", "activities", "equity_history", "open_orders"):
        assert getattr(undisturbed.desk.venue, read)() == getattr(interrupted.desk.venue, read)()


TRAILS = st.one_of(
    st.builds(lambda cents: {"trail_price": cents * CENT, "trail_percent": None}, st.integers(1, 900)),
    st.builds(lambda cents: {"trail_price": None, "trail_percent": cents * CENT}, st.integers(1, 900)),
)


@given(st.sampled_from(OrderSide), TRAILS, st.lists(st.integers(5_000, 20_000), min_size=1))
def test_a_trailing_stop_only_moves_towards_the_market(side, distance, prices):
    mark, stops = None, []
    for cents in prices:
        mark, stop = trail(side, mark, cents * CENT, **distance)
        stops.append(stop)
    assert stops == sorted(stops, reverse=side is OrderSide.BUY)
    assert mark == (max if side is OrderSide.SELL else min)(prices) * CENT


DATES = st.dates(min_value=MONDAY.date.replace(year=1995), max_value=MONDAY.date.replace(year=2027))
ALPACA = FeeSchedule.alpaca()


@pytest.mark.parametrize("side", OrderSide)
@given(st.integers(1, 10**15), st.integers(1, 10**15), st.integers(1, 10**7), DATES)
def test_fees_are_never_negative_and_grow_with_the_quantity(side, one, other, cents, day):
    smaller, larger = (Decimal(units).scaleb(-9) for units in sorted((one, other)))
    fees = [astuple(ALPACA.fee(side, quantity, cents * CENT, day)) for quantity in (smaller, larger)]
    assert all(charge >= 0 and not charge % CENT for fee in fees for charge in fee)
    assert all(low <= high for low, high in zip(*fees, strict=True))
