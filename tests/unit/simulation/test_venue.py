"""The life of orders at the venue: types, times in force, latency, reports."""

from datetime import timedelta
from decimal import Decimal

import pytest

from quant_trading_system.core.order_state import OrderStatus, OrderTrigger
from quant_trading_system.core.orders import OrderType, TimeInForce
from quant_trading_system.simulation.admission import VenueRefusal
from quant_trading_system.simulation.fees import FeeBreakdown, FeeSchedule
from quant_trading_system.simulation.models import FillModel, LatencyModel, SlippageModel
from quant_trading_system.simulation.trading_hours import GTC_LIFETIME
from tests.support.venue_desk import IN_JUNE, MONDAY, TUESDAY, VenueDesk, dec, quote

DAY, GTC, IOC, FOK = TimeInForce.DAY, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK
TENTH = FillModel(participation=Decimal("0.1"))


def quoted(**options) -> VenueDesk:
    desk = VenueDesk(**options)
    desk.quote()
    return desk


# -- market and limit orders ---------------------------------------------------------------------------------------


def test_market_orders_trade_at_the_far_side_of_the_quote():
    desk = quoted()
    bought, sold = desk.buy(10), desk.sell(4)
    assert desk.fills(bought) == [("10", "100.02")]
    assert desk.fills(sold) == [("4", "99.98")]
    assert desk.story(bought) == ["accept", "fill_last"]
    assert desk.held() == 6


def test_slippage_makes_market_orders_dearer_and_leaves_limits_alone():
    desk = quoted(slippage=SlippageModel(bps=Decimal(10)))
    assert desk.fills(desk.buy(1)) == [("1", "100.13")]
    assert desk.fills(desk.buy(1, limit="100.05")) == [("1", "100.02")]


def test_a_step_without_trades_costs_no_impact_whoever_has_seen_the_one_before():
    desk = VenueDesk(slippage=SlippageModel(impact_bps=Decimal(100)))
    shown = quote()
    for volume, price in (("400", "100.53"), ("0", "100.02")):
        desk.venue.on_quote(shown, dec(volume))
        assert desk.fills(desk.buy(100)) == [("100", price)]
    kept = VenueDesk(opened=False, slippage=SlippageModel(impact_bps=Decimal(100)))
    kept.venue.restore(desk.venue.snapshot())
    kept.clock.move_to(desk.clock.now())
    kept._ids = desk._ids
    assert kept.fills(kept.buy(100)) == [("100", "100.02")]


def test_a_limit_order_that_can_trade_gets_the_better_quote():
    desk = quoted()
    assert desk.fills(desk.buy(1, limit="100.50")) == [("1", "100.02")]


def test_a_resting_limit_order_trades_at_its_limit_when_the_quote_touches_it():
    desk = quoted()
    waiting = desk.buy(10, limit="99.50")
    desk.quote("99.51", "99.55", "99.53")
    assert desk.status(waiting) == "working"
    desk.quote("99.20", "99.40", "99.30")
    assert desk.fills(waiting) == [("10", "99.50")]


def test_a_touch_is_not_enough_when_the_quote_has_to_go_through():
    desk = quoted(fills=FillModel(through=True))
    waiting = desk.buy(10, limit="99.50")
    desk.quote("99.46", "99.50", "99.48")
    assert desk.status(waiting) == "working"
    desk.quote("99.45", "99.49", "99.47")
    assert desk.fills(waiting) == [("10", "99.50")]


def test_a_quote_concerns_the_orders_of_its_symbol_only():
    desk = quoted()
    desk.quote(symbol="PEP")
    waiting = desk.buy(1, limit="90")
    desk.quote("80", "80.10", "80.05", symbol="PEP")
    assert desk.status(waiting) == "working"
    assert desk.venue.symbols_with_orders() == ("KO",)


def test_flawed_and_outdated_quotes_change_nothing():
    desk = quoted()
    waiting = desk.buy(1, limit="90")
    desk.quote("80.10", "80", "80.05")
    desk.quote("0", "80", "80.05")
    desk.venue.on_quote(quote("80", "80.10", "80.05", at=MONDAY.open - timedelta(minutes=1)))
    assert desk.status(waiting) == "working"


# -- stops ---------------------------------------------------------------------------------------------------------


def test_a_stop_becomes_a_market_order_when_the_last_trade_reaches_it():
    desk = quoted()
    desk.buy(10)
    stop = desk.sell(10, stop="98")
    desk.quote("97.90", "98.10", "98.01")
    assert desk.status(stop) == "working"
    desk.quote("96.90", "97.10", "97")
    assert desk.fills(stop) == [("10", "96.90")]
    assert desk.order(stop).stop_triggered


def test_a_buy_stop_is_set_off_from_below():
    desk = quoted()
    stop = desk.buy(10, stop="101")
    desk.quote("100.98", "101.02", "101")
    assert desk.fills(stop) == [("10", "101.02")]


def test_a_stop_limit_rests_at_its_limit_after_the_stop():
    desk = quoted()
    desk.buy(10)
    order = desk.sell(10, stop="98", limit="97.50")
    desk.quote("96.90", "97.10", "97")
    assert desk.order(order).stop_triggered
    assert desk.status(order) == "working"
    desk.quote("97.60", "97.80", "97.70")
    assert desk.fills(order) == [("10", "97.50")]


def test_without_a_last_trade_no_stop_is_set_off():
    desk = quoted()
    desk.buy(10)
    stop = desk.sell(10, stop="98")
    desk.quote("96.90", "97.10", None)
    assert desk.status(stop) == "working"


def test_a_trailing_stop_follows_up_and_sells_on_the_way_down():
    desk = quoted()
    desk.buy(10)
    order = desk.sell(10, kind=OrderType.TRAILING_STOP, trail_price=Decimal("1.50"))
    assert (desk.order(order).high_water_mark, desk.order(order).stop_price) == (Decimal(100), Decimal("98.50"))
    desk.quote("103.98", "104.02", "104")
    desk.quote("102.98", "103.02", "103")
    assert (desk.order(order).high_water_mark, desk.order(order).stop_price) == (Decimal(104), Decimal("102.50"))
    desk.quote("102.40", "102.60", "102.50")
    assert desk.fills(order) == [("10", "102.40")]


def test_a_trailing_stop_in_per_cent():
    desk = quoted()
    order = desk.buy(10, kind=OrderType.TRAILING_STOP, trail_percent=Decimal(5))
    assert desk.order(order).stop_price == 105
    desk.quote("89.98", "90.02", "90")
    assert desk.order(order).stop_price == Decimal("94.50")
    desk.quote("94.98", "95.02", "95")
    assert desk.fills(order) == [("10", "95.02")]


# -- how much trades -----------------------------------------------------------------------------------------------


def test_participation_fills_an_order_over_several_steps():
    desk = VenueDesk(fills=TENTH)
    desk.quote(volume="500")
    order = desk.buy(120)
    desk.quote(volume="400")
    desk.quote(volume="1000")
    assert desk.fills(order) == [("50", "100.02"), ("40", "100.02"), ("30", "100.02")]
    assert desk.story(order) == ["accept", "fill_part", "fill_part", "fill_last"]


def test_all_orders_of_a_symbol_share_the_volume_of_a_step():
    desk = VenueDesk(fills=TENTH)
    desk.quote(volume="500")
    first, second = desk.buy(40), desk.buy(40)
    assert desk.fills(first) == [("40", "100.02")]
    assert desk.fills(second) == [("10", "100.02")]


def test_a_random_part_trades_now_and_the_rest_with_the_next_quote():
    desk = quoted(fills=FillModel(partial_chance=Decimal("0.9")), seed=4)
    order = desk.buy(100)
    for _ in range(40):
        desk.quote()
    assert len(desk.fills(order)) > 1
    assert sum(Decimal(quantity) for quantity, _ in desk.fills(order)) == 100
    assert desk.status(order) == "filled"


IMMEDIATE = """
in_force  limit   volume  fills       status
ioc       -       1000    100@100.02  filled
ioc       -       300     30@100.02   canceled    # the rest is not kept
ioc       100     1000    -           canceled    # nothing at its price
fok       -       1000    100@100.02  filled
fok       -       990     -           canceled    # all or nothing
fok       100     1000    -           canceled
"""


@pytest.mark.parametrize("line", IMMEDIATE.strip().splitlines()[1:])
def test_immediate_orders_never_rest(line):
    in_force, limit, volume, fills, status = line.split("#")[0].split()
    desk = VenueDesk(fills=TENTH)
    desk.quote(volume=volume)
    order = desk.buy(100, in_force=TimeInForce(in_force), limit=None if limit == "-" else limit)
    assert ["@".join(fill) for fill in desk.fills(order)] == ([] if fills == "-" else [fills])
    assert desk.status(order) == status
    assert desk.venue.open_orders() == ()


def test_fill_or_kill_is_not_split_by_chance():
    desk = quoted(fills=FillModel(partial_chance=Decimal("0.999")))
    assert desk.fills(desk.buy(100, in_force=FOK)) == [("100", "100.02")]


def test_an_immediate_order_is_cancelled_when_the_market_is_closed():
    desk = quoted()
    desk.close()
    assert desk.story(desk.buy(1, in_force=IOC)) == ["cancel"]


# -- fractions and dollars -----------------------------------------------------------------------------------------


def test_dollars_buy_shares_cut_to_nine_decimals():
    desk = quoted()
    order = desk.buy(notional=Decimal(100))
    assert desk.fills(order) == [("0.999800039", "100.02")]
    assert desk.order(order).quantity is None
    assert desk.status(order) == "filled"


def test_a_dollar_order_is_filled_over_several_steps():
    desk = VenueDesk(fills=FillModel(participation=Decimal(1)))
    desk.quote(volume="0.4")
    order = desk.buy(notional=Decimal(100))
    desk.quote("49.98", "50", "49.99", volume="100")
    assert desk.fills(order) == [("0.400000000", "100.02"), ("1.199840000", "50.00")]
    assert desk.order(order).filled_value == 100


def test_nothing_of_an_earlier_step_is_left_while_a_symbol_does_not_trade():
    desk = VenueDesk(fills=TENTH)
    shown = quote(at=desk.clock.now())
    desk.venue.on_quote(shown, dec("100"))
    desk.venue.on_quote(shown, dec("0"))
    assert desk.status(desk.buy(5)) == "working"


def test_a_dollar_sale_stops_at_the_shares_that_it_reserved():
    desk = VenueDesk(fills=FillModel(participation=Decimal(1)))
    desk.quote(volume="2")
    desk.buy(2)
    order = desk.sell(notional=Decimal("99.98"))  # one share at the bid, but nothing is left to trade with
    desk.quote("0.99", "1.01", "1", volume="1000")
    assert desk.fills(order) == [("1", "0.9900")]
    assert desk.status(order) == "filled"


def test_a_dollar_sale_brings_its_dollars_at_the_price_with_slippage():
    desk = VenueDesk(fills=FillModel(participation=Decimal(1)), slippage=SlippageModel(bps=Decimal(100)))
    desk.quote(volume="2")
    desk.buy(2)
    order = desk.sell(notional=Decimal("99.98"))
    desk.quote("200", "200.02", "200", volume="100")
    assert desk.fills(order) == [("0.504949494", "198.00")]
    assert desk.status(order) == "filled"


def test_fractions_of_shares_trade_as_they_are():
    desk = quoted()
    assert desk.fills(desk.buy("0.123456789")) == [("0.123456789", "100.02")]


# -- sessions ------------------------------------------------------------------------------------------------------


def test_an_order_before_the_open_waits_and_meets_the_opening_quote():
    desk = VenueDesk(opened=False)
    desk.quote(last="100")
    order = desk.buy(10)
    assert desk.status(order) == "held"
    desk.open()
    assert desk.status(order) == "working"  # the quote from before the session does not count
    desk.quote("101.98", "102.02", "102")
    assert desk.story(order) == ["hold", "accept", "fill_last"]
    assert desk.fills(order) == [("10", "102.02")]


def test_day_orders_expire_at_the_close_and_gtc_orders_stay():
    desk = quoted()
    day, gtc = desk.buy(1, limit="90"), desk.buy(1, limit="90", in_force=GTC)
    desk.close()
    assert desk.story(day) == ["accept", "expire"]
    assert desk.status(gtc) == "working"
    desk.open(TUESDAY)
    desk.quote("88.98", "89.02", "89")
    assert desk.fills(gtc) == [("1", "89.02")]  # the opening price is better than its limit


def test_an_order_after_the_close_waits_for_the_next_session():
    desk = quoted()
    desk.close()
    order = desk.buy(1)
    desk.wait(hours=10)
    assert desk.status(order) == "held"
    desk.open(TUESDAY)
    desk.quote("103.98", "104.02", "104")
    assert desk.fills(order) == [("1", "104.02")]


def test_gtc_orders_end_after_ninety_days():
    assert timedelta(days=90) == GTC_LIFETIME
    desk = quoted()
    order = desk.buy(1, limit="90", in_force=GTC)
    desk.close()
    for day, status in ((TUESDAY, "working"), (IN_JUNE, "canceled")):
        desk.open(day)
        desk.quote()
        desk.close(day)
        assert desk.status(order) == status, day


def test_the_session_is_opened_and_closed_once():
    desk = VenueDesk()
    with pytest.raises(ValueError, match="still open"):
        desk.venue.open_session(MONDAY.open)
    desk.close()
    with pytest.raises(ValueError, match="no session is open"):
        desk.venue.close_session(MONDAY.close)
    assert not desk.venue.is_open


# -- latency -------------------------------------------------------------------------------------------------------

SLOW = LatencyModel(order=timedelta(milliseconds=30), report=timedelta(milliseconds=20))


def test_an_order_meets_the_quote_that_stands_when_it_arrives():
    desk = quoted(latency=SLOW)
    order = desk.buy(10)
    assert desk.status(order) == "sent"
    desk.wait(milliseconds=20)
    desk.quote("100.98", "101.02", "101")
    desk.wait(milliseconds=9)
    assert desk.status(order) == "sent"
    assert desk.venue.next_event_at() == MONDAY.open + timedelta(milliseconds=30)
    desk.wait(milliseconds=1)
    assert desk.fills(order) == [("10", "101.02")]
    assert desk.updates == []


def test_reports_come_later_and_tell_when_it_happened():
    desk = quoted(latency=SLOW)
    desk.buy(10)
    desk.wait(milliseconds=49)
    assert desk.updates == []
    desk.wait(milliseconds=1)
    assert desk.triggers() == [OrderTrigger.ACCEPT, OrderTrigger.FILL_LAST]
    assert {update.at for update in desk.updates} == {MONDAY.open + timedelta(milliseconds=30)}
    assert desk.venue.next_event_at() is None


def test_a_quote_lets_earlier_arrivals_meet_the_quote_before_it():
    desk = quoted(latency=SLOW)
    order = desk.buy(10)
    desk.clock.move_to(MONDAY.open + timedelta(seconds=1))
    desk.quote("100.98", "101.02", "101")
    assert desk.fills(order) == [("10", "100.02")]


def test_an_order_in_flight_at_the_close_waits_for_the_next_session():
    desk = quoted(latency=SLOW)
    desk.clock.move_to(MONDAY.close - timedelta(milliseconds=10))
    order = desk.buy(10)
    desk.close()
    desk.wait(seconds=1)
    assert desk.story(order) == ["hold"]


def test_scattered_latency_never_lets_anything_overtake():
    desk = quoted(latency=LatencyModel(order=timedelta(seconds=1), report=timedelta(seconds=1), sigma=1.5))
    orders = [desk.buy(1) for _ in range(30)]
    desk.wait(hours=1)
    assert [u.order.client_order_id for u in desk.updates if u.trigger is OrderTrigger.ACCEPT] == orders
    times = [update.at for update in desk.updates]
    assert times == sorted(times)
    assert len(set(times)) > 3


# -- cancelling ----------------------------------------------------------------------------------------------------


def test_a_cancel_takes_effect_when_it_arrives():
    desk = quoted(latency=SLOW)
    order = desk.buy(10, limit="99")
    desk.wait(seconds=1)
    desk.venue.cancel(order)
    assert desk.order(order).cancel_pending
    assert desk.status(order) == "working"
    desk.wait(milliseconds=30)
    assert desk.status(order) == "canceled"
    assert desk.order(order).finished_at == MONDAY.open + timedelta(milliseconds=1030)


def test_a_fill_may_win_the_race_against_the_cancel():
    desk = quoted(latency=SLOW)
    order = desk.buy(10, limit="99")
    desk.wait(seconds=1)
    desk.venue.cancel(order)
    desk.quote("98.90", "98.94", "98.92")
    desk.wait(seconds=1)
    assert desk.story(order) == ["accept", "fill_last"]
    assert desk.status(order) == "filled"


def test_a_cancel_never_arrives_before_its_order():
    desk = quoted(latency=LatencyModel(order=timedelta(seconds=1), sigma=2.0), seed=11)
    orders = []
    for _ in range(20):
        orders.append(desk.buy(1, limit="90"))
        desk.venue.cancel(orders[-1])
    desk.wait(hours=1)
    assert {tuple(desk.story(order)) for order in orders} == {("accept", "cancel")}


CANCELS = [
    (lambda desk: "nobody", 40410000, 404, "order not found for nobody"),
    (lambda desk: desk.buy(1), 42210000, 422, 'order is already in "filled" state'),
    (lambda desk: cancelled(desk), 42210000, 422, 'order is already in "canceled" state'),
    (lambda desk: being_cancelled(desk), 42210000, 422, "order pending cancel"),
]


def cancelled(desk: VenueDesk) -> str:
    order = being_cancelled(desk)
    desk.wait()
    return order


def being_cancelled(desk: VenueDesk) -> str:
    order = desk.buy(1, limit="90")
    desk.venue.cancel(order)
    return order


@pytest.mark.parametrize(("arrange", "code", "http", "message"), CANCELS)
def test_what_cannot_be_cancelled(arrange, code, http, message):
    desk = quoted()
    with pytest.raises(VenueRefusal) as caught:
        desk.venue.cancel(arrange(desk))
    assert (code, http, message) == (caught.value.code, caught.value.http, caught.value.message)


def test_a_partly_filled_order_keeps_its_fills_when_it_is_cancelled():
    desk = VenueDesk(fills=TENTH)
    desk.quote(volume="300")
    order = desk.buy(100)
    desk.venue.cancel(order)
    desk.wait()
    found = desk.order(order)
    assert (found.status, found.filled_quantity, found.average_price) == (OrderStatus.CANCELED, dec(30), dec("100.02"))
    assert desk.story(order) == ["accept", "fill_part", "cancel"]


# -- books and reading ---------------------------------------------------------------------------------------------


def test_fees_are_charged_with_every_fill_and_told_with_it():
    desk = quoted(fees=FeeSchedule.alpaca())
    desk.buy(1000)
    sold = desk.sell(1000)
    (fill,) = desk.venue.executions(sold)
    assert fill.fees == FeeBreakdown(Decimal("0.80"), Decimal("0.17"), Decimal(0))  # 99 980 dollars at 8.00 a million
    assert desk.venue.total_fees == fill.fee == Decimal("0.97")
    assert desk.venue.account().cash == 100_000 - 40 - Decimal("0.97")


def test_fees_are_alpacas_unless_others_are_chosen():
    desk = quoted(fees=None)
    desk.buy(10)
    desk.sell(10)
    assert desk.venue.total_fees == Decimal("0.02")


def test_positions_and_account_are_valued_at_the_last_trade():
    desk = quoted()
    desk.quote(symbol="PEP")
    desk.buy(10)
    desk.sell(5, symbol="PEP")
    desk.quote("109.98", "110.02", "110")
    long, short = desk.venue.positions()
    assert (long.symbol, long.quantity, long.average_price, long.last_price) == ("KO", dec(10), dec("100.02"), dec(110))
    assert (short.symbol, short.quantity, short.average_price) == ("PEP", dec(-5), dec("99.98"))
    account = desk.venue.account()
    assert account.long_value == 1100
    assert account.equity == account.cash + 1100 + account.short_value


def test_executions_are_numbered_within_their_order():
    desk = VenueDesk(fills=TENTH)
    desk.quote(volume="300")
    order = desk.buy(50)
    desk.quote(volume="300")
    venue_order_id = desk.order(order).venue_order_id
    assert [fill.execution_id for fill in desk.venue.executions(order)] == [
        f"{venue_order_id}:1",
        f"{venue_order_id}:2",
    ]
    assert [entry.reference for entry in desk.venue.statement()] == [f"{venue_order_id}:1", f"{venue_order_id}:2"]
    assert [fill.position_quantity for fill in desk.all_fills] == [30, 50]


def test_unknown_ids_find_nothing():
    desk = VenueDesk()
    assert desk.venue.find("nobody") is None
    assert desk.venue.executions("nobody") == ()


def test_finished_orders_stay_findable_and_leave_the_working_index():
    desk = quoted()
    order = desk.buy(1)
    assert desk.order(order).status is OrderStatus.FILLED
    assert desk.venue.open_orders() == ()
    assert desk.venue.symbols_with_orders() == ()


def test_order_ids_look_like_the_brokers_and_depend_on_the_seed_alone():
    first, again, other = (quoted(seed=seed) for seed in (4, 4, 5))
    ids = [desk.order(desk.buy(1)).venue_order_id for desk in (first, again, other)]
    assert ids[0] == ids[1] != ids[2]
    assert [len(part) for part in ids[0].split("-")] == [8, 4, 4, 4, 12]
