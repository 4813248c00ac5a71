"""A limit order that rests waits for those before it."""

from datetime import timedelta
from decimal import Decimal

import pytest

from quant_trading_system.core.orders import OrderSide
from quant_trading_system.market.quotes import Quote
from quant_trading_system.simulation.queueing import Flow, joined, next_turn
from quant_trading_system.simulation.realism import Realism
from tests.support.venue_desk import MONDAY, VenueDesk

D = Decimal
MINUTE = timedelta(minutes=1)


def quoted(bid: str = "99.98", ask: str = "100.02", minutes: float = 0, size: int = 300) -> Quote:
    at = MONDAY.open + minutes * MINUTE
    return Quote("KO", D(bid), D(ask), at, at, D(100), D(size), D(size))


@pytest.mark.parametrize(
    ("side", "limit", "ahead"),
    [
        (OrderSide.BUY, "99.98", 300),
        (OrderSide.BUY, "99.99", 0),
        (OrderSide.BUY, "99.97", None),
        (OrderSide.SELL, "100.02", 300),
        (OrderSide.SELL, "100.01", 0),
        (OrderSide.SELL, "100.03", None),
    ],
)
def test_what_is_quoted_stands_before_an_order_that_joins(side, limit, ahead):
    assert joined(side, D(limit), quoted()) == ahead


@pytest.mark.parametrize(
    ("volume", "ahead", "turn"),
    [
        (400, 300, (100, 0)),  # half of it hits the bid
        (600, 300, (0, 0)),
        (1000, 300, (0, 200)),
        (1000, 0, (0, 500)),
        (0, 300, (300, 0)),
        (None, 300, (300, 0)),  # nobody knows what was traded
    ],
)
def test_the_queue_is_served_by_what_trades_at_its_price(volume, ahead, turn):
    flow = Flow(quoted(), None if volume is None else D(volume))
    assert next_turn(OrderSide.BUY, D("99.98"), D(ahead), MONDAY.open, flow, quoted(minutes=1)) == turn


def test_an_order_that_came_later_is_served_by_what_traded_since():
    flow, since = Flow(quoted(), D(1000)), MONDAY.open + MINUTE / 2
    assert next_turn(OrderSide.BUY, D("99.98"), D(100), since, flow, quoted(minutes=1)) == (0, 150)
    assert next_turn(OrderSide.BUY, D("99.98"), D(100), MONDAY.open + MINUTE, flow, quoted(minutes=1)) == (100, 0)


def test_when_the_far_side_comes_the_queue_is_gone():
    flow, crossed = Flow(quoted(), D(1000)), quoted("99.94", "99.98", minutes=1)
    assert next_turn(OrderSide.BUY, D("99.98"), D(300), MONDAY.open, flow, crossed) == (0, 1000)
    assert next_turn(OrderSide.BUY, D("99.98"), D(300), MONDAY.open, None, crossed) == (0, None)


def test_an_order_behind_the_touch_joins_the_queue_when_the_market_comes():
    flow, limit = Flow(quoted(), D(1000)), D("99.95")
    assert next_turn(OrderSide.BUY, limit, None, MONDAY.open, flow, quoted(minutes=1)) == (None, 0)
    assert next_turn(OrderSide.BUY, limit, None, MONDAY.open, flow, quoted("99.95", "99.99", 1, 700)) == (700, 0)
    assert next_turn(OrderSide.BUY, limit, D(200), MONDAY.open, flow, quoted(minutes=1)) == (200, 0)


# -- at the venue -------------------------------------------------------------------------------------------------


class QueueDesk(VenueDesk):
    """A venue with queues; every quote shows 300 shares on either side."""

    def __init__(self) -> None:
        super().__init__(realism=Realism(queue=True))

    def see(self, bid: str = "99.98", ask: str = "100.02", *, volume: int = 0) -> None:
        now = self.clock.now()
        self.venue.on_quote(Quote("KO", D(bid), D(ask), now, now, D(100), D(300), D(300)), D(volume))

    def later(self, **fields) -> None:
        self.wait(minutes=1)
        self.see(**fields)


def test_a_touch_does_not_fill_before_the_queue_is_served():
    desk = QueueDesk()
    desk.see(volume=400)
    order = desk.buy(100, limit="99.98")
    desk.later(volume=260)
    assert desk.fills(order) == []
    desk.later(volume=1000)  # the 200 of the first minute and 130 of the second: 30 are ours
    assert desk.fills(order) == [("30", "99.98")]
    desk.later()
    assert desk.fills(order) == [("30", "99.98"), ("70", "99.98")]
    assert desk.status(order) == "filled"


def test_two_orders_of_ours_never_share_what_was_traded():
    desk = QueueDesk()
    desk.see(volume=1000)
    first, second = desk.buy(150, limit="99.98"), desk.buy(150, limit="99.98")
    desk.later()
    assert desk.fills(first) == [("150", "99.98")]
    assert desk.fills(second) == [("50", "99.98")]  # 500 hit the bid: 300 of others, 200 of ours


def test_the_same_quote_again_serves_nobody_twice():
    desk = QueueDesk()
    desk.see(volume=700)
    order = desk.sell(100, limit="100.02")
    desk.later()
    before = desk.fills(order)
    desk.see()
    assert desk.fills(order) == before == [("50", "100.02")]


def test_the_place_in_the_queue_survives_a_restart():
    desk, again = QueueDesk(), QueueDesk()
    again = VenueDesk(opened=False, realism=Realism(queue=True))
    desk.see(volume=400)
    order = desk.buy(100, limit="99.98")
    desk.later(volume=260)
    again.venue.restore(desk.venue.snapshot())
    assert again.venue.snapshot() == desk.venue.snapshot()
    again.clock.move_to(desk.clock.now() + MINUTE)
    now = again.clock.now()
    again.venue.on_quote(Quote("KO", D("99.98"), D("100.02"), now, now, D(100), D(300), D(300)), D(0))
    assert again.fills(order) == [("30", "99.98")]


def test_without_the_option_a_touch_fills_as_ever():
    desk = VenueDesk()
    desk.quote(volume="400")
    order = desk.buy(100, limit="99.98")
    desk.wait(minutes=1)
    desk.quote("99.94", "99.98")
    assert desk.fills(order) == [("100", "99.98")]
