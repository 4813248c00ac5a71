"""What goes wrong on purpose: lost and doubled reports, late rejects and fills, corrections, halts, liquidation."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from quant_trading_system.core.orders import OrderSide, TimeInForce
from quant_trading_system.simulation.admission import VenueRefusal
from quant_trading_system.simulation.faults import NO_FAULTS, Faults
from quant_trading_system.simulation.fees import FeeSchedule, Rate
from quant_trading_system.simulation.models import FillModel
from tests.support.venue_desk import MONDAY, VenueDesk, dec

ALWAYS = Decimal(1)
TENTH = FillModel(participation=Decimal("0.1"))


def quoted(held: int = 0, **options) -> VenueDesk:
    desk = VenueDesk(**options)
    desk.quote()
    if held:
        desk.buy(held)
    return desk


def faulty(held: int = 0, options: dict | None = None, **faults) -> VenueDesk:
    desk = quoted(held, **(options or {}))
    desk.venue.faults = Faults(**faults)
    return desk


def execution(desk: VenueDesk, identity: str, number: int = 1) -> str:
    return f"{desk.order(identity).venue_order_id}:{number}"


# -- reports -------------------------------------------------------------------------------------------------------


def test_nothing_goes_wrong_by_default():
    assert quoted().venue.faults is NO_FAULTS


def test_a_lost_report_is_never_told_and_the_order_trades_all_the_same():
    desk = faulty(lose_report=ALWAYS)
    order = desk.buy(10)
    desk.wait(hours=1)
    assert desk.updates == []
    assert desk.order(order).broker_status == "filled"


def test_a_delayed_report_is_overtaken_by_later_ones():
    desk = faulty(delay_report=ALWAYS, report_delay=timedelta(seconds=5))
    late = desk.buy(1)
    desk.venue.faults = NO_FAULTS
    early = desk.buy(1)
    desk.wait(seconds=4)
    assert desk.events(early, late) == ["0 new", "0 fill"]
    desk.wait(seconds=1)
    assert desk.events(early, late) == ["0 new", "0 fill", "1 new", "1 fill"]
    assert desk.updates[-1].at == MONDAY.open


def test_a_fill_can_be_told_before_its_order():
    desk = faulty(delay_report=Decimal("0.5"), options={"seed": 6})
    stories = set()
    for _ in range(20):
        order = desk.buy(1)
        desk.wait(seconds=2)
        stories.add(tuple(desk.story(order)))
    assert stories == {("accept", "fill_last"), ("fill_last", "accept")}


def test_a_doubled_fill_is_the_same_report_twice():
    desk = faulty(double_fill=ALWAYS)
    order = desk.buy(10)
    assert desk.story(order) == ["accept", "fill_last", "fill_last"]
    assert desk.updates[1] == desk.updates[2]
    assert desk.held() == 10


# -- orders --------------------------------------------------------------------------------------------------------


def test_an_accepted_order_is_rejected_later():
    desk = faulty(reject_later=ALWAYS, reject_after=timedelta(seconds=3))
    order = desk.buy(10, limit="99")
    desk.wait(seconds=2)
    assert desk.order(order).broker_status == "new"
    desk.wait(seconds=1)
    assert desk.events(order) == ["0 new", "0 rejected"]
    assert desk.order(order).failed_at == MONDAY.open + timedelta(seconds=3)
    assert desk.venue.account().buying_power == 200_000


def test_what_has_filled_is_not_rejected_any_more():
    desk = faulty(reject_later=ALWAYS)
    order = desk.buy(10)
    desk.wait(hours=1)
    assert desk.story(order) == ["accept", "fill_last"]


def test_a_cancelled_order_trades_all_the_same():
    desk = faulty(late_fill=ALWAYS, late_fill_after=timedelta(seconds=2))
    order = desk.buy(10, limit="99")
    desk.venue.cancel(order)
    desk.wait(seconds=1)
    assert desk.order(order).broker_status == "canceled"
    desk.wait(seconds=1)
    assert desk.events(order) == ["0 new", "0 canceled", "0 fill"]
    assert desk.fills(order) == [("10", "99")]
    assert desk.held() == 10
    assert desk.order(order).filled_at == MONDAY.open + timedelta(seconds=2)


def test_a_late_fill_takes_the_shares_away_from_later_orders():
    desk = faulty(held=10, late_fill=ALWAYS)
    first = desk.sell(10, limit="110")
    desk.venue.cancel(first)
    desk.wait(milliseconds=1)
    second = desk.sell(10, limit="111")
    desk.wait(seconds=2)
    assert desk.held() == 0
    assert [desk.order(one).broker_status for one in (first, second)] == ["filled", "canceled"]


def test_executions_come_in_parts():
    desk = faulty(parts=3)
    order = desk.buy(10)
    assert desk.fills(order) == [("3", "100.02"), ("3", "100.02"), ("4", "100.02")]
    assert desk.story(order) == ["accept", "fill_part", "fill_part", "fill_last"]


@pytest.mark.parametrize(
    ("quantity", "fills"), [("1", ["1"]), ("2", ["2"]), ("0.5", ["0.166666666", "0.166666666", "0.166666668"])]
)
def test_small_executions_come_in_as_many_parts_as_they_can(quantity, fills):
    desk = faulty(parts=3)
    assert [part for part, _ in desk.fills(desk.buy(quantity))] == fills


def test_an_order_is_overfilled():
    desk = faulty(overfill=Decimal(5), options={"multiplier": Decimal(1)})
    order = desk.buy(10)
    found = desk.order(order)
    assert (found.quantity, found.filled_quantity, found.broker_status) == (10, 15, "filled")
    assert desk.held() == 15
    account = desk.venue.account()
    assert account.buying_power == account.equity - account.long_value


def test_an_overfilled_exit_turns_the_position_and_later_exits_have_nothing_to_close():
    desk = faulty(held=10, overfill=Decimal(5))
    waiting = desk.sell(4, limit="110")
    desk.sell(6)
    assert desk.held() == -1
    assert desk.order(waiting).broker_status == "canceled"


def test_a_replaced_order_begins_anew():
    desk = faulty(options={"fills": TENTH}, forget_fills=True)
    desk.quote(volume="40")
    old = desk.buy(10, limit="100.02")
    new = desk.replace(old, limit_price="100.50")
    desk.quote(volume="1000")
    assert desk.fills(new) == [("10", "100.02")]
    assert desk.held() == 14


# -- corrections ---------------------------------------------------------------------------------------------------


def test_a_busted_execution_leaves_books_and_order():
    desk = quoted(fees=FeeSchedule.alpaca())
    order = desk.buy(10)
    sold = desk.sell(10)
    desk.venue.bust(execution(desk, sold))
    desk.wait()
    assert desk.held() == 10
    assert desk.venue.account().cash == 100_000 - 10 * Decimal("100.02")
    assert desk.venue.total_fees == 0
    found = desk.order(sold)
    assert (found.filled_quantity, found.average_price, found.broker_status) == (0, None, "filled")
    assert desk.fills(sold) == []
    assert [row.order_id for row in desk.venue.activities()] == [desk.order(order).venue_order_id]
    assert desk.events(sold) == ["0 new", "0 fill", "0 trade_bust"]
    told = desk.updates[-1]
    assert told.fill is not None
    assert (told.fill.quantity, told.trigger) == (10, None)


def test_a_bust_days_later_can_turn_a_position_around():
    desk = quoted()
    bought = desk.buy(10)
    desk.sell(6)
    desk.venue.bust(execution(desk, bought))
    assert desk.held() == -6
    assert desk.venue.position("KO").average_price == Decimal("100.02")


def test_a_bust_frees_orders_from_promises_that_cannot_be_kept():
    desk = quoted(held=10)
    bought = desk.buy(10)
    kept, gone = desk.sell(8, limit="110"), desk.sell(12, limit="111")
    desk.venue.bust(execution(desk, bought))
    assert [desk.order(one).broker_status for one in (kept, gone)] == ["new", "canceled"]
    assert desk.venue.position("KO").available_quantity == 2


def test_a_bust_that_turns_the_position_ends_orders_that_would_turn_it_back():
    desk = quoted()
    bought = desk.buy(10)
    desk.sell(6)
    more = desk.buy(5, limit="99")
    desk.venue.bust(execution(desk, bought))
    assert desk.held() == -6
    assert desk.order(more).broker_status == "canceled"


def test_a_corrected_execution_has_another_price_and_quantity():
    desk = quoted(fees=FeeSchedule.alpaca())
    order = desk.buy(10)
    desk.venue.correct(execution(desk, order), quantity=dec(8), price=dec("99.50"))
    desk.wait()
    assert desk.fills(order) == [("8", "99.50")]
    assert desk.venue.account().cash == 100_000 - 8 * Decimal("99.50")
    assert desk.order(order).average_price == Decimal("99.50")
    assert desk.events(order)[-1] == "0 trade_correct"
    assert [entry.reference.rpartition(":")[2] for entry in desk.venue.statement()] == ["1", "undone", "corrected"]


def test_a_corrected_execution_is_charged_for_what_it_is_now():
    desk = quoted(held=10, fees=FeeSchedule((), (Rate(date.min, Decimal("0.01")),), ()))  # a cent a share that is sold
    before = desk.venue.account().cash
    order = desk.sell(10)
    assert desk.venue.account().cash == before + Decimal("999.80") - Decimal("0.10")
    desk.venue.correct(execution(desk, order), quantity=dec(8), price=dec("99.50"))
    assert desk.venue.account().cash == before + Decimal("796.00") - Decimal("0.08")


def test_the_other_executions_of_an_order_count_on():
    desk = faulty(parts=3)
    order = desk.buy(9)
    desk.venue.bust(execution(desk, order, 2))
    fills = desk.venue.executions(order)
    assert [fill.cumulative_quantity for fill in fills] == [3, 6]
    assert desk.order(order).filled_quantity == 6


def test_a_bust_of_a_part_is_sold_again():
    desk = VenueDesk(fills=TENTH)
    desk.quote(volume="100")
    desk.buy(10)
    order = desk.sell(10, limit="100")
    desk.quote("100", "100.04", "100.02", volume="40")
    desk.venue.bust(execution(desk, order))
    with pytest.raises(VenueRefusal, match="requested: 1, available: 0"):
        desk.sell(1, limit="120")
    desk.quote("100", "100.04", "100.02", volume="1000")
    assert desk.held() == 0


@pytest.mark.parametrize("unknown", ["nothing", "nothing:1", ""])
def test_only_known_executions_are_corrected(unknown):
    desk = quoted(held=10)
    with pytest.raises(VenueRefusal, match="execution not found"):
        desk.venue.bust(unknown)


def test_an_execution_is_busted_once():
    desk = quoted()
    order = desk.buy(10)
    desk.venue.bust(execution(desk, order))
    with pytest.raises(VenueRefusal, match="execution not found"):
        desk.venue.correct(execution(desk, order), price=dec(99))


@pytest.mark.parametrize("wrong", [{"price": dec(-1)}, {"quantity": dec(0)}])
def test_a_correction_to_nothing_is_no_correction(wrong):
    desk = quoted()
    order = desk.buy(10)
    with pytest.raises(ValueError, match="above zero"):
        desk.venue.correct(execution(desk, order), **wrong)
    assert desk.fills(order) == [("10", "100.02")]


# -- halts and liquidation -----------------------------------------------------------------------------------------


def test_in_a_halt_orders_wait_and_can_be_cancelled():
    desk = quoted(held=10)
    desk.venue.halt("KO")
    market, stop = desk.sell(1), desk.sell(5, stop="95")
    desk.quote("89.98", "90.02", "90")
    assert [desk.order(one).broker_status for one in (market, stop)] == ["new", "new"]
    desk.venue.cancel(market)
    desk.wait()
    assert desk.order(market).broker_status == "canceled"
    desk.venue.resume("KO")
    desk.quote("89.98", "90.02", "90")
    assert desk.fills(stop) == [("5", "89.98")]


def test_immediate_orders_and_auctions_find_nobody_in_a_halt():
    desk = quoted()
    desk.venue.halt("KO")
    immediate, auction = desk.buy(1, in_force=TimeInForce.IOC), desk.buy(1, in_force=TimeInForce.CLS)
    desk.close()
    assert [desk.order(one).broker_status for one in (immediate, auction)] == ["canceled", "canceled"]


def test_the_broker_liquidates_a_position_whatever_the_customer_wants():
    desk = quoted(held=10)
    waiting = desk.sell(4, limit="110")
    group = desk.group("bracket", limit="95", profit="120", loss="80")
    desk.venue.configure({"suspend_trade": True})
    order = desk.venue.liquidate("KO")
    desk.wait()
    assert desk.held() == 0
    assert order.client_order_id == order.venue_order_id
    assert {desk.order(one).broker_status for one in (waiting, group, *desk.legs(group))} == {"canceled"}
    assert desk.order(order.client_order_id).broker_status == "filled"


def test_nothing_is_liquidated_where_nothing_is_held():
    with pytest.raises(VenueRefusal, match="position does not exist"):
        quoted().venue.liquidate("KO")


# -- the object ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"lose_report": Decimal(2)},
        {"double_fill": Decimal(-1)},
        {"parts": 0},
        {"overfill": Decimal(-1)},
        {"report_delay": timedelta(seconds=-1)},
    ],
)
def test_faults_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match=r"lie between 0 and 1|at least 0|at least 1 part"):
        Faults(**wrong)


def test_the_same_seed_has_the_same_faults():
    def run(seed: int) -> list:
        desk = faulty(options={"seed": seed}, lose_report=Decimal("0.3"), double_fill=Decimal("0.3"))
        for _ in range(30):
            desk.send(OrderSide.BUY, 1)
        return desk.updates

    assert run(3) == run(3)
    assert [update.number for update in run(3)] != [update.number for update in run(4)]


@pytest.mark.parametrize("faults", [Faults(double_fill=ALWAYS), NO_FAULTS])
def test_faults_survive_a_restart(faults):
    desk = faulty(lose_report=Decimal("0.3"))
    desk.venue.faults = faults
    other = VenueDesk(opened=False)
    other.clock.move_to(desk.clock.now())
    other.venue.restore(desk.venue.snapshot())
    assert other.venue.faults == faults
    fills = 1 if faults is NO_FAULTS else 2
    assert other.story(other.buy(1)) == ["accept", *["fill_last"] * fills]
