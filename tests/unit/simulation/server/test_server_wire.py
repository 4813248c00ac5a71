"""The venue's objects in Alpaca's words, field by field."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from quant_trading_system.core.instruments import Instrument
from quant_trading_system.simulation.alpaca_server.identity import account_number, asset_id, ulid, uuid_of
from quant_trading_system.simulation.alpaca_server.wire import asset_json, new_york, text, utc
from tests.support.venue_front import OPEN, run, venue_front

ORDER_FIELDS = {
    "id", "client_order_id", "created_at", "updated_at", "submitted_at", "filled_at", "expired_at", "expires_at",
    "canceled_at", "cancel_requested_at", "failed_at", "replaced_at", "replaced_by", "replaces", "asset_id", "symbol",
    "asset_class", "notional", "qty", "filled_qty", "filled_avg_price", "order_class", "order_type", "type", "side",
    "position_intent", "time_in_force", "limit_price", "stop_price", "status", "extended_hours", "legs",
    "trail_percent", "trail_price", "hwm", "subtag", "source",
}  # fmt: skip


@pytest.mark.parametrize(
    ("number", "told"),
    [("10", "10"), ("10.50", "10.5"), ("1E+3", "1000"), ("-0.00", "0"), ("0.000000001", "0.000000001"), (None, None)],
)
def test_numbers_are_plain_exact_and_unpadded(number, told):
    assert text(None if number is None else Decimal(number)) == told


@pytest.mark.parametrize(
    ("moment", "told"),
    [
        (OPEN, "2026-01-12T14:30:00Z"),
        (OPEN + timedelta(microseconds=500_000), "2026-01-12T14:30:00.5Z"),
        (OPEN + timedelta(microseconds=1), "2026-01-12T14:30:00.000001Z"),
        (None, None),
    ],
)
def test_times_are_in_utc_with_as_many_decimals_as_it_takes(moment, told):
    assert utc(moment) == told


def test_the_clock_uses_the_offset_of_new_york_in_winter_and_in_summer():
    assert new_york(OPEN) == "2026-01-12T09:30:00-05:00"
    assert new_york(datetime(2026, 7, 1, 13, 30, tzinfo=UTC)) == "2026-07-01T09:30:00-04:00"


def test_a_filled_order_has_every_field_and_nothing_else():
    async def story():
        async with venue_front() as venue:
            order = await venue.order(client_order_id="mine")
            assert set(order) == ORDER_FIELDS
            ids = {name: order.pop(name) for name in ("id", "asset_id")}
            assert ids["asset_id"] == asset_id("SPY")
            at = "2026-01-12T14:30:00.000001Z"
            assert order == {
                "client_order_id": "mine",
                "created_at": at, "updated_at": at, "submitted_at": at, "filled_at": at,
                "expired_at": None, "expires_at": "2026-01-12T21:00:00Z", "canceled_at": None,
                "cancel_requested_at": None, "failed_at": None, "replaced_at": None, "replaced_by": None,
                "replaces": None, "symbol": "SPY", "asset_class": "us_equity", "notional": None, "qty": "10",
                "filled_qty": "10", "filled_avg_price": "570.01", "order_class": "", "order_type": "market",
                "type": "market", "side": "buy", "position_intent": "buy_to_open", "time_in_force": "day",
                "limit_price": None, "stop_price": None, "status": "filled", "extended_hours": False, "legs": None,
                "trail_percent": None, "trail_price": None, "hwm": None, "subtag": None, "source": None,
            }  # fmt: skip

    run(story)


def test_a_leg_is_an_order_of_its_own_without_legs():
    async def story():
        async with venue_front() as venue:
            exits = {"take_profit": {"limit_price": "600"}, "stop_loss": {"stop_price": "540", "limit_price": "539.5"}}
            order = await venue.order(type="limit", limit_price="560", order_class="bracket", **exits)
            profit, loss = order["legs"]
            assert set(profit) == set(loss) == ORDER_FIELDS
            assert (profit["type"], profit["limit_price"], profit["status"]) == ("limit", "600", "held")
            assert (loss["type"], loss["stop_price"], loss["limit_price"]) == ("stop_limit", "540", "539.5")
            assert {leg["order_class"] for leg in order["legs"]} == {"bracket"}
            assert [leg["legs"] for leg in order["legs"]] == [None, None]
            assert {leg["position_intent"] for leg in order["legs"]} == {"sell_to_close"}

    run(story)


def test_a_position_adds_up():
    async def story():
        async with venue_front() as venue:
            await venue.order()
            venue.hold("SPY", 571_500_000)
            (held,) = (await venue.ask("GET", "/v2/positions"))[1]
            change = held.pop("change_today")
            last_close = Decimal(held.pop("lastday_price"))
            assert abs(Decimal(change) - (Decimal("571.5") / last_close - 1)) < Decimal("1E-10")
            assert held == {
                "asset_id": asset_id("SPY"), "symbol": "SPY", "exchange": "ARCA", "asset_class": "us_equity",
                "asset_marginable": True, "qty": "10", "qty_available": "10", "avg_entry_price": "570.01",
                "side": "long", "market_value": "5715", "cost_basis": "5700.1", "unrealized_pl": "14.9",
                "unrealized_plpc": "0.0026139892", "unrealized_intraday_pl": "14.9",
                "unrealized_intraday_plpc": "0.0026139892", "current_price": "571.5",
            }  # fmt: skip

    run(story)


def test_the_account_has_texts_for_money_and_none_of_the_fields_that_were_removed():
    async def story():
        async with venue_front() as venue:
            await venue.order()
            account = (await venue.ask("GET", "/v2/account"))[1]
            money = ("cash", "equity", "portfolio_value", "long_market_value", "short_market_value", "buying_power")
            assert [account[name] for name in money] == ["94299.9", "99999.9", "99999.9", "5700", "0", "194299.8"]
            assert not {"pattern_day_trader", "daytrade_count", "daytrading_buying_power"} & set(account)
            assert account["balance_asof"] == "2026-01-12"
            assert (account["status"], account["currency"], account["multiplier"]) == ("ACTIVE", "USD", "2")
            assert account["created_at"] == "2026-01-12T14:30:00Z"

    run(story)


def test_an_asset_says_how_it_may_be_traded():
    plain = asset_json(Instrument(symbol="XYZ", shortable=False, fractionable=False))
    assert (plain["shortable"], plain["easy_to_borrow"], plain["borrow_status"]) == (False, False, "hard_to_borrow")
    assert (plain["fractionable"], plain["attributes"], plain["exchange"]) == (False, [], "NASDAQ")
    assert plain["class"] == "us_equity"


def test_ids_have_their_forms_and_do_not_change():
    assert asset_id("SPY") == "48154ce4-5ea2-4a78-8a0c-f929cb85e4fa"
    assert uuid_of("a", "b") != uuid_of("ab")
    assert account_number(uuid_of("account", "paper")) == "PAG7G0GVC4P3"
    assert len(ulid(OPEN, 5)) == 26


def test_ulids_sort_as_things_happened():
    moments = [(OPEN, 1), (OPEN, 2), (OPEN, 300), (OPEN + timedelta(milliseconds=1), 1)]
    ids = [ulid(at, number) for at, number in moments]
    assert sorted(ids) == ids
