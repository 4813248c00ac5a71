"""Reading at the venue: lists of orders, activities with their pages, reports with their numbers."""

from datetime import timedelta
from decimal import Decimal

import pytest

from quant_trading_system.core.orders import OrderSide
from quant_trading_system.simulation.activities import ActivityQuery, CashActivity, FillActivity
from quant_trading_system.simulation.admission import VenueRefusal
from quant_trading_system.simulation.fees import FeeSchedule
from quant_trading_system.simulation.models import FillModel
from quant_trading_system.simulation.records import OrderQuery
from tests.support.venue_desk import MONDAY, VenueDesk

BUY, SELL = OrderSide.BUY, OrderSide.SELL


# -- orders --------------------------------------------------------------------------------------------------------


def desk_with_orders() -> VenueDesk:
    """Six orders, a second apart: o-1 KO filled, o-2 PEP filled, o-3 and o-4 KO, o-5 PEP, o-6 KO sell at work."""
    desk = VenueDesk()
    desk.quote()
    desk.quote(symbol="PEP")
    plan = [
        (BUY, {}),
        (BUY, {"symbol": "PEP"}),
        (BUY, {"limit": "90"}),
        (BUY, {"limit": "91"}),
        (SELL, {"symbol": "PEP", "limit": "110"}),
        (SELL, {"limit": "110"}),
    ]
    for side, fields in plan:
        desk.send(side, 1, **fields)
        desk.wait(seconds=1)
    return desk


def second(number: int):
    return MONDAY.open + timedelta(seconds=number)


LISTS = [
    ({}, "6 5 4 3"),
    ({"status": "closed"}, "2 1"),
    ({"status": "all"}, "6 5 4 3 2 1"),
    ({"status": "all", "ascending": True}, "1 2 3 4 5 6"),
    ({"status": "all", "limit": 2}, "6 5"),
    ({"status": "all", "symbols": frozenset({"PEP"})}, "5 2"),
    ({"status": "all", "side": SELL}, "6 5"),
    ({"status": "all", "after": second(1)}, "6 5 4 3"),  # order 2 came at that second, which does not count
    ({"status": "all", "until": second(2)}, "2 1"),
    ({"status": "all", "after": second(0), "until": second(3)}, "3 2"),
    ({"status": "all", "nested": True}, "6 5 4 3 2 1"),
]


@pytest.mark.parametrize(("query", "numbers"), LISTS)
def test_lists_of_orders(query, numbers):
    found = desk_with_orders().venue.orders(OrderQuery(**query))
    assert [order.client_order_id.removeprefix("o-") for order in found] == numbers.split()


def test_pages_go_on_where_the_last_one_stopped():
    desk = desk_with_orders()
    ids = {number: desk.order(f"o-{number}").venue_order_id for number in range(1, 7)}

    def listed(**query) -> list[str]:
        return [order.client_order_id for order in desk.venue.orders(OrderQuery(status="all", **query))]

    assert listed(before_id=ids[3]) == ["o-2", "o-1"]
    assert listed(after_id=ids[4], ascending=True) == ["o-5", "o-6"]
    with pytest.raises(VenueRefusal, match="order not found for elsewhere"):
        listed(after_id="elsewhere")


def test_an_order_is_found_by_either_id():
    desk = desk_with_orders()
    order = desk.order("o-3")
    assert desk.venue.get(order.venue_order_id) == order
    strangers = [order.venue_order_id[:-1] + "G", order.venue_order_id[:-1], "", "0" * 36]
    for stranger in strangers:
        with pytest.raises(VenueRefusal) as caught:
            desk.venue.get(stranger)
        assert (caught.value.code, caught.value.http) == (40410000, 404)


def test_every_time_of_an_order():
    desk = VenueDesk()
    desk.quote()
    filled, cancelled, expired = desk.buy(1), desk.buy(1, limit="90"), desk.buy(1, limit="91")
    desk.wait(seconds=5)
    desk.venue.cancel(cancelled)
    desk.wait(seconds=1)
    desk.close()
    times = ("filled_at", "canceled_at", "expired_at", "failed_at", "replaced_at")
    ends = {"filled_at": MONDAY.open, "canceled_at": second(5), "expired_at": MONDAY.close}
    for identity, own in ((filled, "filled_at"), (cancelled, "canceled_at"), (expired, "expired_at")):
        order = desk.order(identity)
        assert (order.submitted_at, order.updated_at) == (MONDAY.open, ends[own])
        assert {name: getattr(order, name) for name in times if getattr(order, name)} == {own: ends[own]}
    assert desk.order(cancelled).cancel_requested_at == second(5)


# -- reports -------------------------------------------------------------------------------------------------------


def test_reports_are_numbered_in_the_order_in_which_things_happened():
    desk = desk_with_orders()
    assert [update.number for update in desk.updates] == list(range(1, len(desk.updates) + 1))


# -- activities ----------------------------------------------------------------------------------------------------


def desk_with_trades() -> VenueDesk:
    """A buy in two parts, its sale with three charges, and a short sale without."""
    desk = VenueDesk(fills=FillModel(participation=Decimal("0.1")), fees=FeeSchedule.alpaca())
    desk.quote(volume="400")
    desk.buy(100)
    desk.wait(milliseconds=1500)
    desk.quote(volume="100000")
    desk.wait(seconds=1)
    desk.sell(100)
    desk.wait(seconds=1)
    return desk


def test_executions_and_charges_are_rows_newest_first():
    rows = desk_with_trades().venue.activities()
    assert [row.activity_type for row in rows] == ["FEE", "FEE", "FILL", "FILL", "FILL"]
    sold, rest, part = rows[2:]
    assert isinstance(sold, FillActivity)
    assert (sold.side, sold.quantity, sold.price, sold.kind) == ("sell", 100, Decimal("99.98"), "fill")
    assert isinstance(part, FillActivity)
    assert (part.quantity, part.cumulative_quantity, part.leaves_quantity) == (40, 40, 60)
    assert (part.kind, part.order_status, part.side) == ("partial_fill", "partially_filled", "buy")
    assert isinstance(rest, FillActivity)
    assert (rest.quantity, rest.cumulative_quantity, rest.leaves_quantity) == (60, 100, 0)
    assert (rest.order_status, rest.order_id) == ("filled", part.order_id)


def test_charges_add_up_to_what_was_charged():
    desk = desk_with_trades()
    fees = desk.venue.activities(ActivityQuery(types=frozenset({"FEE"})))
    assert all(isinstance(row, CashActivity) for row in fees)
    assert -sum(row.net_amount for row in fees if isinstance(row, CashActivity)) == desk.venue.total_fees
    assert [row.description for row in fees if isinstance(row, CashActivity)] == [
        "TAF fee for 100 shares of KO",
        "SEC fee for 100 shares of KO",
    ]


def test_money_that_moves_beside_trades_is_a_row_and_in_cash():
    desk = desk_with_trades()
    before = desk.venue.account().cash
    desk.venue.post("DIV", Decimal("12.34"), symbol="KO", description="0.1234 a share")
    desk.wait(seconds=1)
    desk.venue.post("CSW", Decimal(-500))
    assert desk.venue.account().cash == before + Decimal("12.34") - 500
    transfer, dividend = desk.venue.activities(ActivityQuery(types=frozenset({"DIV", "CSW"})))
    assert isinstance(dividend, CashActivity)
    assert (dividend.activity_type, dividend.net_amount, dividend.symbol) == ("DIV", Decimal("12.34"), "KO")
    assert isinstance(transfer, CashActivity)
    assert (transfer.activity_type, transfer.net_amount) == ("CSW", -500)
    rows = desk.venue.activities(ActivityQuery(ascending=True))
    assert [row.id for row in rows] == sorted(row.id for row in rows)
    with pytest.raises(ValueError, match="nine decimals"):
        desk.venue.post("DIV", Decimal("0.0000000001"))


def test_ids_sort_by_time_and_begin_with_the_time_in_new_york():
    rows = desk_with_trades().venue.activities(ActivityQuery(ascending=True))
    assert [row.id for row in rows] == sorted(row.id for row in rows)
    assert [row.id.split("::")[0] for row in rows[:2]] == ["20240304093000000", "20240304093001500"]


@pytest.mark.parametrize("ascending", [False, True])
@pytest.mark.parametrize("page_size", [1, 2, 3, 5])
def test_pages_have_every_row_once(ascending, page_size):
    venue = desk_with_trades().venue
    everything = venue.activities(ActivityQuery(ascending=ascending))
    seen, token = [], ""
    while page := venue.activities(ActivityQuery(ascending=ascending, page_size=page_size, page_token=token)):
        seen += page
        token = page[-1].id
    assert tuple(seen) == everything


FILTERS = [
    ({"types": frozenset({"FILL"})}, 3),
    ({"types": frozenset({"FEE", "DIV"})}, 2),
    ({"category": "trade_activity"}, 3),
    ({"category": "non_trade_activity"}, 2),
    ({"after": MONDAY.open}, 4),
    ({"until": second(2)}, 2),
    ({"page_token": "nothing of ours"}, 5),
]


@pytest.mark.parametrize(("query", "count"), FILTERS)
def test_activities_by_kind_and_time(query, count):
    assert len(desk_with_trades().venue.activities(ActivityQuery(**query))) == count


def test_a_short_sale_is_told_from_a_sale():
    desk = VenueDesk()
    desk.quote()
    desk.sell(1)
    desk.buy(1)
    bought, sold = desk.venue.activities()
    assert isinstance(sold, FillActivity)
    assert isinstance(bought, FillActivity)
    assert (sold.side, bought.side) == ("sell_short", "buy")
