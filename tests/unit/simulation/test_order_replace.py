"""Changing a working order: the chain of orders, what can be changed, what is held back meanwhile."""

from datetime import timedelta
from decimal import Decimal

import pytest

from quant_trading_system.core.orders import OrderSide, OrderType, TimeInForce
from quant_trading_system.simulation.admission import VenueRefusal
from quant_trading_system.simulation.models import FillModel, LatencyModel
from tests.support.venue_desk import TUESDAY, VenueDesk, dec

BUY, SELL = OrderSide.BUY, OrderSide.SELL
SLOW = LatencyModel(order=timedelta(milliseconds=30))
TENTH = FillModel(participation=Decimal("0.1"))


def quoted(held: int = 0, **options) -> VenueDesk:
    desk = VenueDesk(**options)
    desk.quote()
    if held:
        desk.send(BUY if held > 0 else SELL, abs(held))
        desk.wait(seconds=1)
    return desk


def refusal_of(desk: VenueDesk, identity: str, **changes) -> VenueRefusal:
    before = desk.order(identity), len(desk.updates)
    with pytest.raises(VenueRefusal) as caught:
        desk.replace(identity, **changes)
    assert (desk.order(identity), len(desk.updates)) == before
    return caught.value


# -- the chain -----------------------------------------------------------------------------------------------------


def test_a_new_order_takes_the_place_of_the_old_one():
    desk = quoted()
    old = desk.buy(10, limit="99")
    new = desk.replace(old, qty="12", limit_price="98.50")
    was, now = desk.order(old), desk.order(new)
    assert (was.broker_status, was.replaced_by, was.replaced_at) == ("replaced", now.venue_order_id, was.finished_at)
    assert (now.broker_status, now.replaces, now.quantity, now.order.limit_price) == (
        "new",
        was.venue_order_id,
        12,
        Decimal("98.50"),
    )
    assert now.venue_order_id != was.venue_order_id
    assert desk.events(old, new) == ["0 new", "0 replaced", "1 new"]
    assert [order.client_order_id for order in desk.venue.open_orders()] == [new]


def test_a_chain_goes_on_from_its_newest_order():
    desk = quoted()
    first = desk.buy(10, limit="99")
    second = desk.replace(first, limit_price="98")
    third = desk.replace(second, limit_price="97", client_order_id="my-third")
    assert third == "my-third"
    assert refusal_of(desk, first, limit_price="96").message == "order already replaced"
    desk.quote("96.90", "96.94", "96.92")
    assert desk.fills(third) == [("10", "97.00")]
    assert [desk.order(one).broker_status for one in (first, second, third)] == ["replaced", "replaced", "filled"]


def test_while_it_is_on_its_way_the_old_order_is_pending():
    desk = quoted(latency=SLOW)
    old = desk.buy(10, limit="99")
    desk.wait(seconds=1)
    new = desk.replace(old, limit_price="98")
    assert [desk.order(one).broker_status for one in (old, new)] == ["pending_replace", "pending_new"]
    assert desk.order(old).replaced_by == ""
    assert refusal_of(desk, old, limit_price="97").message == "cannot replace order in pending_replace status"
    with pytest.raises(VenueRefusal, match="order pending replace"):
        desk.venue.cancel(old)
    desk.wait(milliseconds=30)
    assert [desk.order(one).broker_status for one in (old, new)] == ["replaced", "new"]


def test_the_old_order_may_fill_first_and_then_the_new_one_is_rejected():
    desk = quoted(latency=SLOW)
    old = desk.buy(10, limit="99")
    desk.wait(seconds=1)
    new = desk.replace(old, limit_price="98")
    desk.quote("98.90", "98.94", "98.92")
    desk.wait(seconds=1)
    assert desk.events(old, new) == ["0 new", "0 fill", "0 order_replace_rejected", "1 rejected"]
    assert (desk.order(old).broker_status, desk.order(old).replaced_by) == ("filled", "")
    assert desk.order(new).failed_at is not None
    assert desk.held() == 10


def test_a_cancel_overtaken_by_nobody_ends_the_new_order():
    desk = quoted(latency=SLOW)
    old = desk.buy(10, limit="99")
    desk.wait(seconds=1)
    new = desk.replace(old, limit_price="98")
    desk.venue.cancel(new)
    desk.wait(seconds=1)
    assert [desk.order(one).broker_status for one in (old, new)] == ["replaced", "canceled"]


def test_the_new_order_meets_the_market_at_once():
    desk = quoted()
    new = desk.replace(desk.buy(10, limit="99"), limit_price="100.50")
    assert desk.fills(new) == [("10", "100.02")]


# -- what has filled -----------------------------------------------------------------------------------------------


def test_the_quantity_counts_what_has_filled():
    desk = VenueDesk(fills=TENTH)
    desk.quote(volume="40")
    old = desk.buy(10, limit="100.02")
    new = desk.replace(old, qty="6", limit_price="100.50")
    carried = desk.order(new)
    assert (carried.filled_quantity, carried.average_price) == (4, Decimal("100.02"))
    desk.quote(volume="100")
    assert desk.fills(new) == [("2", "100.02")]
    assert desk.order(new).filled_quantity == 6
    assert (desk.order(old).filled_quantity, desk.order(old).broker_status) == (4, "replaced")
    assert desk.held() == 6


@pytest.mark.parametrize(
    ("quantity", "message"), [("4", "qty must be > filled_qty"), ("3", "qty must be > filled_qty")]
)
def test_a_quantity_that_has_filled_already_is_refused(quantity, message):
    desk = VenueDesk(fills=TENTH)
    desk.quote(volume="40")
    old = desk.buy(10, limit="100.02")
    refusal = refusal_of(desk, old, qty=quantity)
    assert (refusal.code, refusal.http, refusal.message) == (42210000, 422, "qty must be > filled_qty")


def test_fills_on_the_way_count_too():
    desk = VenueDesk(latency=SLOW)
    desk.quote(volume="1000")
    old = desk.buy(10, limit="99")
    desk.wait(seconds=1)
    new = desk.replace(old, qty="5")
    desk.quote("98.90", "98.94", "98.92")  # all ten
    desk.wait(seconds=1)
    assert desk.order(new).broker_status == "rejected"


# -- what can be changed -------------------------------------------------------------------------------------------


def test_a_trailing_stop_keeps_what_it_has_seen():
    desk = quoted(held=10)
    old = desk.sell(10, kind=OrderType.TRAILING_STOP, trail_price=Decimal(2))
    desk.quote("103.98", "104.02", "104")
    desk.quote("102.98", "103.02", "103")
    new = desk.replace(old, trail="1.50")
    found = desk.order(new)
    assert (found.order.trail_price, found.high_water_mark, found.stop_price) == (
        Decimal("1.50"),
        104,
        Decimal("102.50"),
    )


def test_per_cent_stays_per_cent():
    desk = quoted(held=10)
    new = desk.replace(desk.sell(10, kind=OrderType.TRAILING_STOP, trail_percent=Decimal(2)), trail=Decimal(3))
    assert (desk.order(new).order.trail_percent, desk.order(new).order.trail_price) == (3, None)


def test_a_stop_that_was_reached_cannot_be_moved_but_its_limit_can():
    desk = quoted(held=10)
    old = desk.sell(10, stop="98", limit="97.50")
    desk.quote("96.90", "97.10", "97")
    refusal = refusal_of(desk, old, stop_price="96")
    assert refusal.message == "the stop of an order cannot be changed after it was reached"
    new = desk.replace(old, limit_price="96.50")
    assert desk.order(new).stop_triggered
    assert desk.fills(new) == [("10", "96.90")]


def test_the_time_in_force_can_change():
    desk = quoted()
    new = desk.replace(desk.buy(10, limit="99"), time_in_force="gtc")
    desk.close()
    assert desk.order(new).broker_status == "new"


def test_orders_that_rest_over_night_can_be_changed_at_night():
    desk = quoted()
    old = desk.buy(10, limit="99", in_force=TimeInForce.GTC)
    desk.close()
    new = desk.replace(old, limit_price="98")
    assert [desk.order(one).broker_status for one in (old, new)] == ["replaced", "accepted"]
    desk.open(TUESDAY)
    desk.quote("97.90", "97.94", "97.92")
    assert desk.fills(new) == [("10", "97.94")]


REFUSED = [
    ({"limit": "99"}, {}, "order parameters are not changed"),
    ({"limit": "99"}, {"limit_price": "99.00", "qty": "10"}, "order parameters are not changed"),
    ({"limit": "99"}, {"client_order_id": "another"}, "order parameters are not changed"),
    ({"limit": "99"}, {"stop_price": "98"}, "limit orders must not have stop_price"),
    ({"limit": "99"}, {"trail": "1"}, "limit orders must not have trail_price"),
    ({"stop": "101"}, {"limit_price": "98"}, "stop orders must not have limit_price"),
    ({"limit": "99"}, {"limit_price": "98.001"}, "invalid limit_price 98.001. sub-penny increment"),
    ({"limit": "99"}, {"limit_price": "0"}, "limit_price must be > 0"),
    ({"limit": "99"}, {"limit_price": "cheap"}, "invalid limit_price"),
    ({"limit": "99"}, {"qty": "0"}, "qty must be > 0"),
    ({"limit": "99"}, {"qty": "10.5"}, "qty must be an integer"),
    ({"limit": "99"}, {"time_in_force": "soon"}, "invalid time_in_force"),
    ({"stop": "101"}, {"time_in_force": "ioc"}, "stop orders must be DAY or GTC orders"),
    ({"limit": "99"}, {"qty": "11", "client_order_id": "x" * 129}, "client_order_id must be no more than 128"),
    ({"limit": "99"}, {"qty": "2000"}, "insufficient buying power"),
    ({"limit": "99", "notional": Decimal(50)}, {"limit_price": "98"}, "notional orders cannot be replaced"),
    ({"limit": "99", "quantity": "0.5"}, {"qty": "2"}, "qty cannot be changed for fractional orders"),
]


@pytest.mark.parametrize(("terms", "changes", "words"), REFUSED)
def test_changes_that_are_refused(terms, changes, words):
    desk = quoted(multiplier=Decimal(1))
    old = desk.buy(**terms)
    assert refusal_of(desk, old, **changes).message.startswith(words)


def test_the_price_of_a_fraction_can_change():
    desk = quoted()
    new = desk.replace(desk.buy("0.5", limit="99"), limit_price="98")
    assert desk.order(new).quantity == Decimal("0.5")


STATES = [
    (lambda desk: desk.buy(1), "cannot replace order in filled status"),
    (lambda desk: cancelled(desk), "cannot replace order in canceled status"),
    (lambda desk: cancelling(desk), "cannot replace order in pending_cancel status"),
    (lambda desk: queued(desk), "cannot replace order in accepted status"),
]


def cancelling(desk: VenueDesk) -> str:
    order = desk.buy(1, limit="90")
    desk.venue.cancel(order)
    return order


def cancelled(desk: VenueDesk) -> str:
    order = cancelling(desk)
    desk.wait()
    return order


def queued(desk: VenueDesk) -> str:
    desk.close()
    return desk.buy(1, limit="90")


@pytest.mark.parametrize(("arrange", "message"), STATES)
def test_only_working_orders_can_be_changed(arrange, message):
    desk = quoted()
    refusal = refusal_of(desk, arrange(desk), limit_price="91")
    assert (refusal.code, refusal.http, refusal.message) == (42210000, 422, message)


def test_an_order_on_its_way_cannot_be_changed():
    desk = quoted(latency=SLOW)
    assert refusal_of(desk, desk.buy(1, limit="90"), qty="2").message == "cannot replace order in pending_new status"


def test_a_used_client_order_id_and_an_unknown_order_are_refused():
    desk = quoted()
    old, other = desk.buy(1, limit="90"), desk.buy(1, limit="91")
    assert refusal_of(desk, old, qty="2", client_order_id=other).message == "client_order_id must be unique"
    for unknown in ("nobody", desk.order(old).venue_order_id[:-12] + "00000000ffff"):
        with pytest.raises(VenueRefusal, match=f"order not found for {unknown}") as caught:
            desk.venue.replace(unknown, {"qty": "2"})
        assert caught.value.http == 404


def test_a_suspended_account_changes_nothing():
    desk = quoted()
    old = desk.buy(1, limit="90")
    desk.venue.configure({"suspend_trade": True})
    assert refusal_of(desk, old, qty="2").message == "account not authorized to trade"


def test_a_change_must_not_make_a_wash_trade():
    desk = quoted(held=10)
    desk.sell(10, limit="101")
    old = desk.buy(5, limit="99")
    assert refusal_of(desk, old, limit_price="101").message == "potential wash trade detected. use complex orders"


# -- what is held back ---------------------------------------------------------------------------------------------

MONEY = """
quantity  limit  pending  afterwards
12        99     1188     1188        # more than before
10        90     990      900         # less: the old order holds until it is gone
20        45     990      900
10        99.50  995      995
"""


@pytest.mark.parametrize("line", MONEY.strip().splitlines()[1:])
def test_the_larger_of_the_two_holds_back_money_while_it_is_pending(line):
    quantity, limit, pending, afterwards = line.split("#")[0].split()
    desk = quoted(latency=SLOW, multiplier=Decimal(1))
    old = desk.buy(10, limit="99")
    desk.wait(seconds=1)
    desk.replace(old, qty=quantity, limit_price=limit)
    assert 100_000 - desk.venue.account().buying_power == Decimal(pending)
    desk.wait(seconds=1)
    assert 100_000 - desk.venue.account().buying_power == Decimal(afterwards)


@pytest.mark.parametrize(("quantity", "pending", "afterwards"), [("8", 2, 2), ("4", 4, 6)])
def test_the_larger_of_the_two_holds_back_shares_while_it_is_pending(quantity, pending, afterwards):
    desk = quoted(held=10, latency=SLOW)
    old = desk.sell(6, limit="110")
    desk.wait(seconds=1)
    desk.replace(old, qty=quantity)
    assert desk.venue.position("KO").available_quantity == pending
    desk.wait(seconds=1)
    assert desk.venue.position("KO").available_quantity == afterwards


def test_the_money_that_the_old_order_holds_back_is_there_for_the_new_one():
    desk = quoted(cash="1000", multiplier=Decimal(1))
    old = desk.buy(10, limit="99")
    assert refusal_of(desk, old, qty="11").message == "insufficient buying power"
    desk.replace(old, limit_price="99.50")


def test_more_shares_than_there_are_cannot_be_asked_for():
    desk = quoted(held=10)
    old = desk.sell(6, limit="110")
    desk.sell(3, limit="111")
    assert refusal_of(desk, old, qty="8").message == (
        "insufficient qty available for order (requested: 8, available: 7)"
    )


def test_money_of_a_rejected_change_is_free_again():
    desk = quoted(latency=SLOW, multiplier=Decimal(1))
    old = desk.buy(10, limit="99")
    desk.wait(seconds=1)
    desk.replace(old, qty="20")
    desk.quote("98.90", "98.94", "98.92")
    desk.wait(seconds=1)
    account = desk.venue.account()
    assert account.buying_power == account.cash


# -- members of groups ---------------------------------------------------------------------------------------------


def group(desk: VenueDesk, **fields) -> tuple[str, str, str]:
    entry = desk.group("bracket", profit="110", loss="90", **fields)
    profit, loss = desk.legs(entry)
    return entry, profit, loss


def test_a_held_stop_loss_can_be_moved_and_stays_held():
    desk = quoted()
    entry, profit, loss = group(desk)
    moved = desk.replace(loss, stop_price="95")
    assert desk.events(loss, moved) == ["0 held", "0 replaced", "1 held"]
    assert desk.legs(entry) == [profit, moved]
    desk.quote("94.48", "94.52", "94.50")
    assert [desk.order(one).broker_status for one in (profit, moved)] == ["canceled", "filled"]


def test_a_stop_loss_can_be_moved_before_the_entry_is_filled():
    desk = quoted()
    entry, _, loss = group(desk, limit="99")
    moved = desk.replace(loss, stop_price="95")
    desk.quote("98.90", "98.94", "98.92")
    desk.quote("94.48", "94.52", "94.50")
    assert (desk.order(entry).broker_status, desk.order(moved).broker_status) == ("filled", "filled")


def test_a_moved_take_profit_still_ends_its_stop_loss():
    desk = quoted()
    _, profit, loss = group(desk)
    moved = desk.replace(profit, limit_price="105")
    assert desk.venue.position("KO").available_quantity == 0
    desk.quote("105.98", "106.02", "106")
    assert [desk.order(one).broker_status for one in (profit, moved, loss)] == ["replaced", "filled", "canceled"]


def test_a_moved_entry_still_releases_its_exits():
    desk = quoted()
    entry, profit, loss = group(desk, limit="95")
    moved = desk.replace(entry, limit_price="100.50")
    assert desk.legs(moved) == [profit, loss]
    assert desk.legs(entry) == []
    assert [desk.order(one).broker_status for one in (entry, moved, profit, loss)] == [
        "replaced",
        "filled",
        "new",
        "held",
    ]


def test_an_oco_order_can_be_moved():
    desk = quoted(held=10)
    leader = desk.group("oco", SELL, profit="110", loss="90")
    (loss,) = desk.legs(leader)
    moved = desk.replace(leader, limit_price="105")
    assert desk.legs(moved) == [loss]
    desk.quote("105.98", "106.02", "106")
    assert desk.order(loss).broker_status == "canceled"


GROUPS = [
    (0, {"qty": "12"}, "qty cannot be changed for advanced orders"),
    (1, {"qty": "5"}, "qty cannot be changed for advanced orders"),
    (1, {"time_in_force": "gtc"}, "time_in_force cannot be changed for advanced orders"),
    (1, {"limit_price": "90"}, "take_profit.limit_price must be > stop_loss.stop_price"),
    (2, {"stop_price": "110"}, "take_profit.limit_price must be > stop_loss.stop_price"),
    (2, {"limit_price": "89"}, "stop orders must not have limit_price"),
    (0, {"limit_price": "90"}, "stop_loss.stop_price must be <= base_price - 0.01"),
    (0, {"limit_price": "110"}, "take_profit.limit_price must be >= base_price + 0.01"),
]


@pytest.mark.parametrize(("member", "changes", "message"), GROUPS)
def test_of_a_group_only_prices_that_fit_can_change(member, changes, message):
    desk = quoted()
    members = group(desk, limit="99")
    assert refusal_of(desk, members[member], **changes).message == message


def test_a_rejected_change_of_a_member_leaves_its_group_alone():
    desk = quoted(latency=SLOW)
    entry, profit, loss = group(desk, limit="99")
    desk.wait(seconds=1)
    changed = desk.replace(entry, limit_price="98")
    desk.quote("98.90", "98.94", "98.92")
    desk.wait(seconds=1)
    assert [desk.order(one).broker_status for one in (entry, changed, profit, loss)] == [
        "filled",
        "rejected",
        "new",
        "held",
    ]
    assert desk.held() == dec(10)
