"""Bracket, OTO and OCO orders: who waits for whom, and what the end of one means for the others."""

from datetime import timedelta
from decimal import Decimal

import pytest

from quant_trading_system.core.orders import OrderClass, OrderSide, TimeInForce
from quant_trading_system.simulation.admission import VenueRefusal
from quant_trading_system.simulation.models import FillModel, LatencyModel
from quant_trading_system.simulation.records import OrderQuery
from tests.support.venue_desk import TUESDAY, VenueDesk

BUY, SELL = OrderSide.BUY, OrderSide.SELL
TENTH = FillModel(participation=Decimal("0.1"))


def quoted(held: int = 0, **options) -> VenueDesk:
    desk = VenueDesk(**options)
    desk.quote()
    if held:
        desk.send(BUY if held > 0 else SELL, abs(held))
    return desk


def bracket(desk: VenueDesk, side: OrderSide = BUY, **fields) -> tuple[str, str, str]:
    """A bracket with its exits at 110 and 90; the ids of its three members."""
    prices = {"profit": "110", "loss": "90"} if side is BUY else {"profit": "90", "loss": "110"}
    entry = desk.group("bracket", side, **(prices | fields))
    profit, loss = desk.legs(entry)
    return entry, profit, loss


# -- from the entry to the exits -----------------------------------------------------------------------------------


def test_exits_are_held_until_the_entry_is_filled_and_the_stop_loss_longer():
    desk = quoted()
    members = bracket(desk, limit="99")
    assert [desk.order(one).broker_status for one in members] == ["new", "held", "held"]
    desk.quote("98.90", "98.94", "98.92")
    assert [desk.order(one).broker_status for one in members] == ["filled", "new", "held"]
    assert desk.events(*members) == ["0 new", "1 held", "2 held", "0 fill", "1 new"]


def test_the_members_are_orders_of_their_own_under_the_leader():
    desk = quoted()
    entry, profit, loss = bracket(desk, limit="99", loss_limit="89.50", in_force=TimeInForce.GTC)
    leader = desk.order(entry)
    assert [leg.venue_order_id for leg in leader.legs] == [profit, loss]
    for leg in leader.legs:
        assert (leg.order.side, leg.quantity, leg.order.time_in_force) == (SELL, 10, TimeInForce.GTC)
        assert (leg.order_class, leg.position_intent, leg.legs) == (OrderClass.BRACKET, "sell_to_close", ())
        assert leg.submitted_at == leader.submitted_at
    assert [leg.order.order_type for leg in leader.legs] == ["limit", "stop_limit"]
    assert [leg.order.limit_price for leg in leader.legs] == [110, Decimal("89.50")]
    assert leader.order_class is OrderClass.BRACKET
    assert leader.position_intent == "buy_to_open"


def test_a_market_entry_releases_its_exits_at_once():
    desk = quoted()
    members = bracket(desk)
    assert desk.events(*members) == ["0 new", "1 held", "2 held", "0 fill", "1 new"]
    assert desk.held() == 10


def test_the_exits_of_a_partly_filled_entry_keep_waiting():
    desk = VenueDesk(fills=TENTH)
    desk.quote(volume="40")
    members = bracket(desk)
    assert [desk.order(one).broker_status for one in members] == ["partially_filled", "held", "held"]
    desk.quote("119", "119.04", "119.02", volume="10")  # beyond the take-profit
    assert [desk.order(one).filled_quantity for one in members] == [5, 0, 0]


def test_a_group_that_waits_for_the_session_is_accepted_with_its_exits_held():
    desk = quoted()
    desk.close()
    members = bracket(desk)
    assert [desk.order(one).broker_status for one in members] == ["accepted", "held", "held"]
    desk.open(TUESDAY)
    desk.quote()
    assert desk.events(*members) == ["0 accepted", "1 held", "2 held", "0 new", "0 fill", "1 new"]


# -- how it ends ---------------------------------------------------------------------------------------------------

ENDS = """
side  price  trader   fills       profit    loss      held
buy   111    110.98   110@1       filled    canceled  0     # the take-profit at its limit
buy   89     88.98    88.98@2     canceled  filled    0     # the stop-loss at the market
buy   100    -        -           new       held      10
sell  89     89.02    90@1        filled    canceled  0
sell  111    111.02   111.02@2    canceled  filled    0
sell  100    -        -           new       held      -10
"""


@pytest.mark.parametrize("line", ENDS.strip().splitlines()[1:])
def test_one_exit_fills_and_the_other_is_cancelled(line):
    side, price, _, fill, profit, loss, held = line.split("#")[0].split()
    desk = quoted()
    members = bracket(desk, OrderSide(side))
    last = Decimal(price)
    desk.quote(str(last - Decimal("0.02")), str(last + Decimal("0.02")), price)
    assert [desk.order(one).broker_status for one in members] == ["filled", profit, loss]
    assert desk.held() == int(held)
    if fill != "-":
        at, number = fill.split("@")
        assert desk.fills(members[int(number)]) == [("10", f"{Decimal(at):.2f}")]


def test_the_reports_of_a_stop_loss_have_no_new_between_held_and_filled():
    desk = quoted()
    members = bracket(desk)
    desk.quote("88.98", "89.02", "89")
    assert desk.events(*members)[5:] == ["1 canceled", "2 fill"]


def test_a_stop_limit_that_cannot_trade_begins_to_work_instead():
    desk = quoted()
    members = bracket(desk, loss_limit="89.50")
    desk.quote("88.98", "89.02", "89")
    assert desk.events(*members)[5:] == ["1 canceled", "2 new"]
    assert desk.order(members[2]).stop_triggered
    desk.quote("89.60", "89.64", "89.62")
    assert desk.fills(members[2]) == [("10", "89.50")]


def test_a_take_profit_that_fills_in_part_leaves_the_stop_loss_the_rest():
    desk = VenueDesk(fills=TENTH)
    desk.quote(volume="100")
    members = bracket(desk)
    desk.quote("110.98", "111.02", "111", volume="30")
    assert desk.fills(members[1]) == [("3", "110.00")]
    assert desk.order(members[2]).quantity == 7
    assert desk.events(*members)[-2:] == ["1 partial_fill", "2 held"]
    assert desk.updates[-1].order.quantity == 7
    desk.quote("88.98", "89.02", "89", volume="1000")
    assert desk.fills(members[2]) == [("7", "88.98")]
    assert desk.order(members[1]).broker_status == "canceled"
    assert desk.held() == 0


@pytest.mark.parametrize("member", [0, 1, 2])
@pytest.mark.parametrize("entered", [False, True])
def test_a_cancel_of_one_member_cancels_all_that_are_open(member, entered):
    desk = quoted()
    members = bracket(desk, limit="99")
    if entered:
        desk.quote("98.90", "98.94", "98.92")
    if entered and member == 0:
        with pytest.raises(VenueRefusal, match='order is already in "filled" state'):
            desk.venue.cancel(members[0])
        return
    desk.venue.cancel(members[member])
    desk.wait()
    assert [desk.order(one).broker_status for one in members] == [
        "filled" if entered else "canceled",
        "canceled",
        "canceled",
    ]
    assert desk.venue.open_orders() == ()


def test_day_exits_expire_at_the_close_and_gtc_exits_stay():
    desk = quoted()
    day = bracket(desk)
    desk.quote(symbol="PEP")
    gtc = bracket(desk, symbol="PEP", in_force=TimeInForce.GTC)
    desk.close()
    assert [desk.order(one).broker_status for one in day] == ["filled", "expired", "expired"]
    assert [desk.order(one).broker_status for one in gtc] == ["filled", "new", "held"]
    desk.open(TUESDAY)
    desk.quote("88.98", "89.02", "89", symbol="PEP")
    assert [desk.order(one).broker_status for one in gtc] == ["filled", "canceled", "filled"]


def test_an_entry_that_expires_takes_its_exits_along():
    desk = quoted()
    members = bracket(desk, limit="95")
    desk.close()
    assert [desk.order(one).broker_status for one in members] == ["expired"] * 3


# -- one cancels the other, one triggers the other -----------------------------------------------------------------


def test_an_oco_order_is_its_own_take_profit():
    desk = quoted(held=10)
    leader = desk.group("oco", SELL, profit="110", loss="90")
    (loss,) = desk.legs(leader)
    order = desk.order(leader)
    assert (order.order.limit_price, order.order_class, order.broker_status) == (110, OrderClass.OCO, "new")
    assert desk.order(loss).broker_status == "held"
    desk.quote("88.98", "89.02", "89")
    assert desk.events(leader, loss) == ["0 new", "1 held", "0 canceled", "1 fill"]
    assert desk.held() == 0


def test_the_take_profit_of_an_oco_order_cancels_its_stop_loss():
    desk = quoted(held=-10)
    leader = desk.group("oco", BUY, profit="90", loss="110")
    (loss,) = desk.legs(leader)
    desk.quote("88.98", "89.02", "89")
    assert desk.events(leader, loss) == ["0 new", "1 held", "0 fill", "1 canceled"]


def test_a_stop_loss_is_set_off_by_the_last_price_that_it_finds_on_arrival():
    desk = quoted(held=10, latency=LatencyModel(order=timedelta(milliseconds=30)))
    desk.wait(seconds=1)
    leader = desk.group("oco", SELL, profit="110", loss="90")
    (loss,) = desk.legs(leader)
    desk.quote("88.98", "89.02", "89")
    assert desk.order(loss).broker_status == "held"  # on its way
    desk.wait(seconds=1)
    assert desk.events(leader, loss) == ["0 new", "1 held", "0 canceled", "1 fill"]
    assert desk.fills(loss) == [("10", "88.98")]


def test_a_stop_loss_is_set_off_by_the_last_price_that_its_entry_has_filled_at():
    desk = quoted(latency=LatencyModel(order=timedelta(milliseconds=30)))
    desk.wait(seconds=1)
    entry, profit, loss = bracket(desk)
    desk.quote("88.98", "89.02", "89")
    desk.wait(seconds=1)
    assert desk.events(entry, profit, loss)[-3:] == ["1 new", "1 canceled", "2 fill"]
    assert desk.held() == 0


def test_exits_are_not_good_for_ever():
    desk = quoted()
    members = bracket(desk, in_force=TimeInForce.GTC)
    desk.close()
    desk.wait(days=89)
    assert [desk.order(one).broker_status for one in members] == ["filled", "new", "held"]
    desk.wait(days=1)
    assert [desk.order(one).broker_status for one in members] == ["filled", "canceled", "canceled"]


@pytest.mark.parametrize(("exits", "price"), [({"profit": "110"}, "111"), ({"loss": "90"}, "89")])
def test_an_oto_order_has_one_exit_that_works_from_the_entry_on(exits, price):
    desk = quoted()
    entry = desk.group("oto", **exits)
    (leg,) = desk.legs(entry)
    assert desk.order(leg).broker_status == "new"
    last = Decimal(price)
    desk.quote(str(last - Decimal("0.02")), str(last + Decimal("0.02")), price)
    assert desk.events(entry, leg) == ["0 new", "1 held", "0 fill", "1 new", "1 fill"]
    assert desk.held() == 0


# -- what is held back ---------------------------------------------------------------------------------------------


def test_exits_hold_back_the_position_once():
    desk = quoted()
    entry, profit, loss = bracket(desk)
    assert desk.venue.position("KO").available_quantity == 0
    with pytest.raises(VenueRefusal, match=r"requested: 1, available: 0") as caught:
        desk.sell(1, limit="120")
    assert caught.value.extra["related_orders"] == [profit, loss]
    desk.quote("88.98", "89.02", "89")
    assert desk.held() == 0
    assert entry not in {order.client_order_id for order in desk.venue.open_orders()}


def test_an_entry_holds_back_money_and_its_exits_nothing():
    desk = quoted(cash="1000", multiplier=Decimal(1))
    bracket(desk, limit="99")
    assert desk.venue.account().buying_power == 10


def test_exits_shrink_to_what_nobody_else_has_promised():
    desk = VenueDesk(fills=TENTH)
    desk.quote(volume="60")
    members = bracket(desk)  # six shares are there
    desk.quote(volume="0")
    desk.sell(4, limit="105")
    desk.quote(volume="40")
    assert desk.order(members[0]).broker_status == "filled"
    assert [desk.order(one).quantity for one in members] == [10, 6, 6]
    assert desk.venue.position("KO").available_quantity == 0


def test_exits_close_no_more_than_what_is_left_of_the_entry():
    desk = VenueDesk(fills=TENTH)
    desk.quote(volume="90")
    members = bracket(desk)
    desk.quote(volume="0")
    desk.sell(9, limit="100.50")
    desk.quote("100.60", "100.64", "100.62", volume="100")  # the last share comes, nine go
    desk.quote("100.60", "100.64", "100.62", volume="100")
    assert desk.held() == 1
    assert [desk.order(one).quantity for one in members[1:]] == [1, 1]
    desk.quote("88.98", "89.02", "89", volume="100")
    assert desk.fills(members[2]) == [("1", "88.98")]


def test_exits_trade_whole_shares_of_a_position_with_fractions():
    desk = VenueDesk(fills=TENTH)
    desk.quote(volume="9")
    members = bracket(desk, quantity=1, in_force=TimeInForce.GTC)  # nine tenths of a share are offered: none
    desk.quote(volume="8")
    desk.buy("0.5")
    desk.quote(volume="10")
    desk.quote(volume="10")
    assert desk.order(members[0]).broker_status == "filled"
    desk.sell("0.2", limit="105")
    assert [desk.order(one).quantity for one in members] == [1, 1, 1]
    assert desk.held() == Decimal("1.5")


def test_groups_are_exempt_from_the_check_for_wash_trades():
    desk = quoted(held=10)
    waiting = desk.sell(10, limit="101")
    members = bracket(desk)
    assert desk.status(waiting) == "working"
    assert desk.order(members[0]).broker_status == "filled"


# -- refusals ------------------------------------------------------------------------------------------------------

PRICES = """
class    side  limit  profit  loss    base    message
bracket  buy   -      100.01  90      100     ok
bracket  buy   -      100     90      100     take_profit.limit_price must be >= base_price + 0.01
bracket  buy   -      110     99.99   100     ok
bracket  buy   -      110     100     100     stop_loss.stop_price must be <= base_price - 0.01
bracket  buy   95     95      90      95      take_profit.limit_price must be >= base_price + 0.01
bracket  buy   95     96      95      95      stop_loss.stop_price must be <= base_price - 0.01
bracket  buy   105    110     101     100     stop_loss.stop_price must be <= base_price - 0.01
bracket  buy   -      90      95      -       take_profit.limit_price must be > stop_loss.stop_price
bracket  sell  -      99.99   110     100     ok
bracket  sell  -      100     110     100     take_profit.limit_price must be <= base_price - 0.01
bracket  sell  -      90      100     100     stop_loss.stop_price must be >= base_price + 0.01
bracket  sell  -      110     95      -       take_profit.limit_price must be < stop_loss.stop_price
oto      buy   -      100     -       100     take_profit.limit_price must be >= base_price + 0.01
oto      buy   -      -       100     100     stop_loss.stop_price must be <= base_price - 0.01
oto      buy   -      -       99.99   100     ok
"""


@pytest.mark.parametrize("line", PRICES.strip().splitlines()[1:])
def test_the_prices_of_a_group_fit_each_other_and_the_market(line):
    order_class, side, limit, profit, loss, base, message = line.split(maxsplit=6)
    desk = quoted()
    terms = {"limit": limit, "profit": profit, "loss": loss}
    terms = {field: price for field, price in terms.items() if price != "-"}
    if message == "ok":
        desk.group(order_class, OrderSide(side), **terms)
        return
    with pytest.raises(VenueRefusal) as caught:
        desk.group(order_class, OrderSide(side), **terms)
    refusal = caught.value
    assert (refusal.code, refusal.http, refusal.message) == (42210000, 422, message)
    assert refusal.extra == ({} if base == "-" else {"base_price": base})


OCO_PRICES = """
held  profit  loss    base   message
10    110     90      -      ok
10    99      98      -      ok      # a take-profit below the market trades at once
10    110     100     100    stop_loss.stop_price must be <= base_price - 0.01
10    99      99      -      take_profit.limit_price must be > stop_loss.stop_price
-10   90      110     -      ok
-10   90      100     100    stop_loss.stop_price must be >= base_price + 0.01
"""


@pytest.mark.parametrize("line", OCO_PRICES.strip().splitlines()[1:])
def test_the_prices_of_an_oco_order_fit_each_other_and_the_market(line):
    held, profit, loss, base, message = line.split("#")[0].strip().split(maxsplit=4)
    desk = quoted(held=int(held))
    side = SELL if int(held) > 0 else BUY
    if message == "ok":
        desk.group("oco", side, profit=profit, loss=loss)
        return
    with pytest.raises(VenueRefusal) as caught:
        desk.group("oco", side, profit=profit, loss=loss)
    assert caught.value.message == message
    assert caught.value.extra == ({} if base == "-" else {"base_price": base})


PLACES = [
    ("bracket", 10, SELL, "bracket orders must be entry orders"),
    ("oto", 10, SELL, "oto orders must be entry orders"),
    ("oco", 0, SELL, "oco orders must be exit orders"),
    ("oco", 10, BUY, "oco orders must be exit orders"),
]


@pytest.mark.parametrize(("order_class", "held", "side", "message"), PLACES)
def test_entries_open_and_exits_close(order_class, held, side, message):
    desk = quoted(held=held)
    prices = {"loss": "90"} if order_class == "oto" else {"profit": "110", "loss": "90"}
    with pytest.raises(VenueRefusal, match=message):
        desk.group(order_class, side, 5, **prices)


SUB_PENNIES = [
    ({"profit": "110.001", "loss": "90"}, "take_profit.limit_price 110.001"),
    ({"profit": "110", "loss": "90.001"}, "stop_loss.stop_price 90.001"),
    ({"profit": "110", "loss": "90", "loss_limit": "89.999"}, "stop_loss.limit_price 89.999"),
]


@pytest.mark.parametrize(("prices", "what"), SUB_PENNIES)
def test_exits_lie_on_the_tick(prices, what):
    with pytest.raises(VenueRefusal, match=f"invalid {what}. sub-penny increment"):
        quoted().group("bracket", **prices)


def test_a_refused_group_leaves_no_trace():
    desk = quoted(cash="500", multiplier=Decimal(1))
    with pytest.raises(VenueRefusal, match="insufficient buying power"):
        bracket(desk, client_order_id="mine")
    assert desk.venue.find("mine") is None
    assert desk.venue.orders(OrderQuery(status="all")) == ()


# -- lists ---------------------------------------------------------------------------------------------------------


def test_lists_show_legs_by_themselves_or_under_their_leader():
    desk = quoted()
    members = bracket(desk, limit="99")

    def listed(status: str, *, nested: bool) -> list[str]:
        return [order.client_order_id for order in desk.venue.orders(OrderQuery(status=status, nested=nested))]

    assert listed("open", nested=False) == [*reversed(members)]
    assert listed("open", nested=True) == [members[0]]
    desk.quote("98.90", "98.94", "98.92")
    assert listed("open", nested=False) == [members[2], members[1]]
    assert listed("open", nested=True) == []
    assert listed("all", nested=True) == [members[0]]
    (leader,) = desk.venue.orders(OrderQuery(status="all", nested=True))
    assert [leg.broker_status for leg in leader.legs] == ["new", "held"]
