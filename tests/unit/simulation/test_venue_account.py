"""What the account and its positions are worth, what may be bought, and what the customer can set."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from quant_trading_system.core.orders import OrderSide
from quant_trading_system.simulation.account_rules import AccountRules
from quant_trading_system.simulation.admission import VenueRefusal
from quant_trading_system.simulation.fees import FeeSchedule, Rate
from quant_trading_system.simulation.records import OrderQuery
from tests.support.venue_desk import MONDAY, TUESDAY, VenueDesk, dec


def quoted(**options) -> VenueDesk:
    desk = VenueDesk(**options)
    desk.quote()
    return desk


def around(price: str) -> tuple[str, str, str]:
    last = Decimal(price)
    return str(last - Decimal("0.02")), str(last + Decimal("0.02")), price


def next_day(desk: VenueDesk) -> None:
    desk.close()
    desk.open(TUESDAY)


# -- positions -----------------------------------------------------------------------------------------------------


def test_a_position_of_today():
    desk = quoted()
    desk.buy(10)
    desk.sell(4, limit="110")
    desk.quote(*around("102"))
    position = desk.venue.position("KO")
    assert (position.quantity, position.available_quantity) == (10, 6)
    assert (position.average_price, position.cost_basis) == (Decimal("100.02"), Decimal("1000.20"))
    assert (position.last_price, position.market_value, position.profit) == (102, 1020, Decimal("19.80"))
    assert position.profit_fraction == Decimal("0.0197960408")
    assert (position.profit_today, position.profit_fraction_today) == (Decimal("19.80"), Decimal("0.0197960408"))
    assert (position.last_close, position.change_today) == (None, 0)


def test_a_short_position_counts_below_zero():
    desk = quoted()
    desk.sell(10)
    desk.buy(3, limit="90")
    desk.quote(*around("102"))
    position = desk.venue.position("KO")
    assert (position.quantity, position.available_quantity) == (-10, -7)
    assert (position.cost_basis, position.market_value) == (Decimal("-999.80"), -1020)
    assert (position.profit, position.profit_fraction) == (Decimal("-20.20"), Decimal("-0.0202040408"))


def test_over_night_the_last_close_is_the_base_of_the_day():
    desk = quoted()
    desk.buy(10)
    desk.quote(*around("104"))
    next_day(desk)
    desk.quote(*around("105"))
    desk.buy(10)  # at 105.02
    position = desk.venue.position("KO")
    assert (position.last_close, position.change_today) == (104, Decimal("0.0096153846"))
    assert position.average_price == Decimal("102.52")
    assert position.profit == 20 * 105 - 10 * Decimal("100.02") - 10 * Decimal("105.02")
    assert position.profit_today == 10 * (105 - 104) + 10 * (105 - Decimal("105.02"))
    assert position.basis_today == 10 * 104 + 10 * Decimal("105.02")


def test_the_close_before_may_come_from_elsewhere():
    desk = quoted(previous_close={"KO": Decimal(96)}.get)
    desk.buy(1)
    assert desk.venue.position("KO").last_close == 96
    assert desk.venue.position("KO").change_today == Decimal("0.0416666667")


def test_at_the_end_of_the_day_trades_close_each_other_and_then_the_oldest_lots():
    """During the day the price is a weighted average; over night it is that of the lots that are left."""
    desk = quoted()
    desk.buy(10)  # 100.02
    next_day(desk)
    desk.quote(*around("110"))
    desk.buy(10)  # 110.02
    desk.sell(15)
    assert desk.venue.position("KO").average_price == Decimal("105.02")
    desk.close(TUESDAY)
    desk.wait(hours=3)
    assert desk.venue.position("KO").average_price == Decimal("105.02")  # extended hours belong to the day
    desk.wait(hours=1)
    position = desk.venue.position("KO")
    assert (position.quantity, position.average_price) == (5, Decimal("100.02"))


def test_a_flat_or_unknown_symbol_has_no_position():
    for symbol in ("KO", "NOPE"):
        with pytest.raises(VenueRefusal, match="position does not exist") as caught:
            quoted().venue.position(symbol)
        assert (caught.value.code, caught.value.http) == (40410000, 404)


# -- the account ---------------------------------------------------------------------------------------------------


def test_the_account_in_numbers():
    desk = quoted(fees=FeeSchedule.alpaca())
    desk.quote(symbol="PEP")
    desk.buy(100)
    desk.sell(50, symbol="PEP")
    desk.buy(10, limit="90")
    desk.quote(*around("102"))
    account = desk.venue.account()
    fees = desk.venue.total_fees
    assert account.cash == 100_000 - 100 * Decimal("100.02") + 50 * Decimal("99.98") - fees
    assert (account.long_value, account.short_value) == (10_200, -5_000)
    assert account.equity == account.cash + 5_200
    assert account.initial_margin == 7_600
    assert account.maintenance_margin == Decimal("0.3") * 10_200 + Decimal("0.3") * 5_000
    assert account.buying_power == 2 * account.equity - 15_200 - 900
    assert account.regt_buying_power == account.buying_power
    assert account.cash_available == account.cash - 900
    assert (account.last_equity, account.balance_date, account.multiplier) == (100_000, None, 2)
    assert account.shorting_enabled


def test_the_day_before_is_remembered():
    desk = quoted()
    desk.buy(100)
    desk.quote(*around("103"))
    desk.close()
    assert desk.venue.account().last_equity == 100_000
    desk.wait(hours=5)
    account = desk.venue.account()
    assert account.last_equity == 100_000 + 100 * (103 - Decimal("100.02"))
    assert (account.last_maintenance_margin, account.balance_date) == (3090, MONDAY.date)


MAINTENANCE = """
side  price  margin
buy   2.49   2490      # cheap: all of it
buy   2.50   750
buy   100    30000
sell  4.99   4990      # cheap: all of it, or 2.50 a share
sell  2.00   2500
sell  5.00   5000      # 5.00 a share, or 30 %
sell  20     6000
"""


@pytest.mark.parametrize("line", MAINTENANCE.strip().splitlines()[1:])
def test_maintenance_margin_of_a_thousand_shares(line):
    side, price, margin = line.split("#")[0].split()
    desk = VenueDesk()
    last = Decimal(price)
    desk.quote(str(last - Decimal("0.01")), str(last + Decimal("0.01")), price)
    desk.send(OrderSide(side), 1000)
    assert desk.venue.account().maintenance_margin == Decimal(margin)


def test_a_large_loan_on_one_position_needs_half_of_it():
    desk = quoted(multiplier=Decimal(4))
    desk.buy(2000)
    account = desk.venue.account()
    assert account.cash == Decimal("-100040")
    assert account.maintenance_margin == 100_000


def test_a_large_loan_on_several_positions_needs_no_more_than_without_it():
    desk = quoted(multiplier=Decimal(4))
    desk.quote(symbol="PEP")
    desk.buy(1000)
    desk.buy(1000, symbol="PEP")
    account = desk.venue.account()
    assert account.cash == Decimal("-100040")
    assert account.maintenance_margin == 60_000


def test_fees_are_those_of_the_day_on_which_it_trades():
    dearer = (Rate(date.min, Decimal("0.01")), Rate(TUESDAY.date, Decimal("0.02")))
    desk = quoted(fees=FeeSchedule((), dearer, ()))
    desk.buy(20)
    first = desk.sell(10)
    next_day(desk)
    desk.quote()
    second = desk.sell(10)
    assert [desk.venue.executions(order)[0].fee for order in (first, second)] == [Decimal("0.10"), Decimal("0.20")]


MULTIPLIERS = """
cash   multiplier  setting  buys       shorts
2000   4           4        8000       yes
1999   4           4        1999       no       # too little for a loan
2000   2           4        4000       yes
2000   4           1        2000       yes
"""


@pytest.mark.parametrize("line", MULTIPLIERS.strip().splitlines()[1:])
def test_what_may_be_borrowed(line):
    cash, multiplier, setting, buys, shorts = line.split("#")[0].split()
    desk = quoted(cash=cash, multiplier=Decimal(multiplier), rules=AccountRules.alpaca())
    desk.venue.configure({"max_margin_multiplier": setting})
    account = desk.venue.account()
    assert (account.buying_power, account.shorting_enabled) == (int(buys), shorts == "yes")
    if shorts == "yes":
        desk.sell(1)
    else:
        with pytest.raises(VenueRefusal, match="account is not allowed to short"):
            desk.sell(1)


# -- history -------------------------------------------------------------------------------------------------------


def test_equity_is_kept_at_every_close_and_on_demand():
    desk = quoted()
    desk.buy(100)
    desk.wait(minutes=1)
    desk.venue.note_equity(desk.clock.now())
    desk.quote(*around("101"))
    desk.close()
    bought = 100_000 - 100 * Decimal("100.02")
    assert desk.venue.equity_history() == (
        (MONDAY.open + timedelta(minutes=1), bought + 10_000),
        (MONDAY.close, bought + 10_100),
    )


# -- settings ------------------------------------------------------------------------------------------------------


def test_settings_change_one_by_one_and_null_leaves_them():
    venue = quoted().venue
    venue.configure({"no_shorting": True, "suspend_trade": None, "unknown": 1})
    changed = venue.configure({"trade_confirm_email": "none", "max_options_trading_level": 2})
    assert changed == venue.configuration
    assert (changed.no_shorting, changed.suspend_trade, changed.trade_confirm_email) == (True, False, "none")
    assert changed.max_options_trading_level == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"suspend_trade": "yes"},
        {"max_margin_multiplier": "3"},
        {"max_margin_multiplier": 4},
        {"trade_confirm_email": "weekly"},
        {"max_options_trading_level": True},
    ],
)
def test_a_wrong_setting_changes_nothing(wrong):
    venue = quoted().venue
    with pytest.raises(VenueRefusal, match=f"invalid {next(iter(wrong))}") as caught:
        venue.configure({"no_shorting": True} | wrong)
    assert (caught.value.code, caught.value.http) == (40010001, 422)
    assert not venue.configuration.no_shorting


EFFECTS = [
    ("suspend_trade", True, {}, "account not authorized to trade"),
    ("fractional_trading", False, {"quantity": "0.5"}, "account is not allowed to trade fractions of shares"),
    ("fractional_trading", False, {"notional": dec(10)}, "account is not allowed to trade fractions of shares"),
]


@pytest.mark.parametrize(("setting", "value", "fields", "message"), EFFECTS)
def test_what_settings_forbid(setting, value, fields, message):
    desk = quoted()
    desk.venue.configure({setting: value})
    with pytest.raises(VenueRefusal, match=message) as caught:
        desk.buy(**fields)
    assert (caught.value.code, caught.value.http) == (40310000, 403)
    desk.venue.configure({setting: not value})
    desk.buy(**fields)


def test_who_does_not_want_to_short_can_still_sell():
    desk = quoted()
    desk.venue.configure({"no_shorting": True})
    desk.buy(10)
    desk.sell(10)
    with pytest.raises(VenueRefusal, match="account is not allowed to short"):
        desk.sell(1)


# -- closing positions ---------------------------------------------------------------------------------------------

PARTS = """
held    asked          closes
10      -              10
-10     -              10
10      quantity=4     4
10      percentage=50  5
10      percentage=25  2            # whole shares stay whole
2.5     percentage=50  1.25
2.5     percentage=33.333333333  0.833333333
10      percentage=100 10
"""


@pytest.mark.parametrize("line", PARTS.strip().splitlines()[1:])
def test_a_position_is_closed_with_a_market_order(line):
    held, asked, closes = line.split("#")[0].split()
    desk = quoted()
    desk.send(OrderSide.SELL if held.startswith("-") else OrderSide.BUY, held.removeprefix("-"))
    name, _, value = asked.partition("=")
    order = desk.venue.close_position("KO", **({} if asked == "-" else {name: Decimal(value)}))
    assert (order.order.order_type, order.order.time_in_force, order.quantity) == ("market", "day", Decimal(closes))
    assert order.position_intent == ("sell_to_close" if Decimal(held) > 0 else "buy_to_close")
    desk.wait()
    assert abs(desk.held()) == abs(Decimal(held)) - Decimal(closes)


CLOSING = [
    ("PEP", {}, 40410000, "position does not exist"),
    ("NOPE", {}, 40410000, "symbol not found: NOPE"),
    ("KO", {"quantity": dec(1), "percentage": dec(1)}, 40010001, "only one of qty or percentage is accepted"),
    ("KO", {"percentage": dec(101)}, 40010001, "percentage must be between 0 and 100"),
    ("KO", {"percentage": dec(0)}, 40010001, "percentage must be between 0 and 100"),
    ("KO", {"percentage": dec(1)}, 42210000, "qty must be > 0"),
    ("KO", {"quantity": dec("1E-10")}, 42210000, "qty must be > 0"),
    ("KO", {"quantity": dec(11)}, 40310000, "insufficient qty available for order (requested: 11, available: 10)"),
]


@pytest.mark.parametrize(("symbol", "fields", "code", "words"), CLOSING)
def test_what_cannot_be_closed(symbol, fields, code, words):
    desk = quoted()
    desk.buy(10)
    with pytest.raises(VenueRefusal) as caught:
        desk.venue.close_position(symbol, **fields)
    assert (caught.value.code, caught.value.http) == (code, 422 if code == 40010001 else code // 100_000)
    assert caught.value.message.startswith(words)


def test_closing_everything_tells_what_became_of_each_position():
    desk = quoted()
    desk.quote(symbol="PEP")
    desk.buy(10)
    desk.sell(5, symbol="PEP")
    desk.sell(4, limit="110")
    promised, closed = desk.venue.close_all_positions()
    assert promised.order is None
    assert promised.refusal is not None
    assert promised.refusal.message == "insufficient qty available for order (requested: 10, available: 6)"
    assert closed.order is not None
    assert (closed.symbol, closed.order.quantity, closed.refusal) == ("PEP", 5, None)


def test_cancelling_first_frees_what_was_promised():
    desk = quoted()
    desk.buy(10)
    promised = [desk.sell(4, limit="110"), desk.sell(6, limit="111")]
    outcomes = desk.venue.close_all_positions(cancel_orders=True)
    assert [(one.symbol, one.refusal) for one in outcomes] == [("KO", None)]
    assert [desk.order(one).broker_status for one in promised] == ["canceled", "canceled"]
    desk.wait()
    assert desk.held() == 0


# -- cancelling everything -----------------------------------------------------------------------------------------


def test_cancelling_everything_tells_what_became_of_each_order():
    desk = quoted()
    first, second = desk.buy(1, limit="90"), desk.buy(1, limit="91")
    desk.venue.cancel(first)
    outcomes = desk.venue.cancel_all()
    assert [(one.venue_order_id, one.refusal) for one in outcomes] == [
        (desk.order(identity).venue_order_id, None) for identity in (first, second)
    ]
    desk.wait()
    assert desk.venue.open_orders() == ()
    assert desk.venue.cancel_all() == ()


def test_groups_are_cancelled_as_a_whole():
    desk = quoted()
    entry = desk.group("bracket", limit="95", profit="110", loss="90")
    assert [one.refusal for one in desk.venue.cancel_all()] == [None, None, None]
    desk.wait()
    assert {order.broker_status for order in desk.venue.orders(OrderQuery(status="all"))} == {"canceled"}
    assert desk.events(entry, *desk.legs(entry))[3:] == ["0 canceled", "1 canceled", "2 canceled"]


def test_an_order_whose_replacement_is_on_its_way_stays_and_its_replacement_goes():
    desk = quoted()
    old = desk.buy(1, limit="90")
    desk.venue.replace(desk.order(old).venue_order_id, {"limit_price": "91"})
    kept, ended = desk.venue.cancel_all()
    assert kept.refusal is not None
    assert kept.refusal.message == "order pending replace"
    assert ended.refusal is None
    desk.wait()
    assert desk.venue.open_orders() == ()
