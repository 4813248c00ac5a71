"""Days go by: sessions open and close, orders expire or wait, quotes stand still and move on."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.support.venue_front import CLOSE, MONDAY, OPEN, run, scene, venue_front

LIMIT = {"type": "limit", "limit_price": "500"}
TUESDAY_OPEN = OPEN + timedelta(days=1)


async def clock(venue):
    return (await venue.ask("GET", "/v2/clock"))[1]


async def status(venue, order):
    return (await venue.ask("GET", f"/v2/orders/{order['id']}"))[1]["status"]


def test_the_clock_follows_the_sessions():
    async def story():
        async with venue_front() as venue:
            venue.go_to(CLOSE - timedelta(seconds=1))
            assert (await clock(venue))["is_open"] is True
            venue.go_to(CLOSE)
            assert await clock(venue) == {
                "timestamp": "2026-01-12T16:00:00-05:00",
                "is_open": False,
                "next_open": "2026-01-13T09:30:00-05:00",
                "next_close": "2026-01-13T16:00:00-05:00",
            }
            venue.go_to(TUESDAY_OPEN)
            assert (await clock(venue))["is_open"] is True

    run(story)


def test_a_day_order_expires_at_the_close_and_a_good_till_cancelled_one_goes_on():
    async def story():
        async with venue_front() as venue:
            day, gtc = await venue.order(**LIMIT), await venue.order(**LIMIT, time_in_force="gtc")
            venue.go_to(CLOSE)
            assert (await status(venue, day), await status(venue, gtc)) == ("expired", "new")
            shown = (await venue.ask("GET", f"/v2/orders/{day['id']}"))[1]
            assert shown["expired_at"] == "2026-01-12T21:00:00Z"
            venue.go_to(TUESDAY_OPEN)
            assert await status(venue, gtc) == "new"

    run(story)


def test_an_order_at_night_waits_as_accepted_and_trades_at_the_open():
    async def story():
        async with venue_front() as venue:
            venue.go_to(CLOSE + timedelta(hours=6))
            order = await venue.order()
            assert (order["status"], order["filled_qty"]) == ("accepted", "0")
            assert order["expires_at"] == "2026-01-13T21:00:00Z"
            venue.go_to(TUESDAY_OPEN)
            assert await status(venue, order) == "filled"

    run(story)


def test_an_extended_hours_order_trades_after_the_close_and_another_does_not():
    async def story():
        async with venue_front() as venue:
            venue.go_to(CLOSE + timedelta(hours=1))
            plain = await venue.order(type="limit", limit_price="571")
            extended = await venue.order(type="limit", limit_price="571", extended_hours=True)
            assert (plain["status"], extended["status"]) == ("accepted", "filled")
            assert extended["filled_avg_price"] == "570.01"
            assert extended["filled_at"] == "2026-01-12T22:00:00Z"

    run(story)


def test_an_extended_hours_order_of_the_night_begins_to_work_at_four():
    async def story():
        async with venue_front() as venue:
            venue.go_to(CLOSE + timedelta(hours=8))
            order = await venue.order(type="limit", limit_price="571", extended_hours=True)
            assert order["status"] == "accepted"
            venue.go_to(datetime(2026, 1, 13, 9, 1, tzinfo=UTC))
            assert await status(venue, order) == "filled"

    run(story)


def test_an_order_for_the_closing_auction_trades_at_the_close():
    async def story():
        async with venue_front() as venue:
            order = await venue.order(time_in_force="cls")
            assert order["status"] == "new"
            venue.go_to(CLOSE)
            shown = (await venue.ask("GET", f"/v2/orders/{order['id']}"))[1]
            assert (shown["status"], shown["filled_avg_price"]) == ("filled", "570")

    run(story)


def test_an_order_for_the_opening_auction_is_refused_while_the_market_is_open():
    async def story():
        async with venue_front() as venue:
            code, body = await venue.ask(
                "POST",
                "/v2/orders",
                {"symbol": "SPY", "qty": "1", "side": "buy", "type": "market", "time_in_force": "opg"},
            )
            assert (code, body["code"]) == (422, 42210000)
            venue.go_to(CLOSE + timedelta(hours=4))
            order = await venue.order(time_in_force="opg")
            venue.go_to(TUESDAY_OPEN)
            assert await status(venue, order) == "filled"

    run(story)


def test_the_last_equity_and_the_last_close_are_those_of_the_day_before():
    async def story():
        async with venue_front() as venue:
            await venue.order()
            venue.hold("SPY", 580_000_000)
            venue.go_to(TUESDAY_OPEN)
            account = (await venue.ask("GET", "/v2/account"))[1]
            assert (account["last_equity"], account["balance_asof"]) == ("100099.9", "2026-01-12")
            assert (await venue.ask("GET", "/v2/positions/SPY"))[1]["lastday_price"] == "580"

    run(story)


def test_the_equity_of_every_minute_is_kept():
    async def story():
        async with venue_front() as venue:
            await venue.order()
            venue.pass_time(minutes=3)
            history = (await venue.ask("GET", "/v2/account/portfolio/history?period=1D&timeframe=1Min"))[1]
            assert history["equity"] == [99999.9] * 4
            assert history["base_value"] == 100000.0
            assert history["profit_loss"] == [-0.1] * 4
            venue.go_to(TUESDAY_OPEN + timedelta(minutes=5))
            days = (await venue.ask("GET", "/v2/account/portfolio/history?period=1W&timeframe=1D"))[1]
            assert [datetime.fromtimestamp(at, UTC) for at in days["timestamp"]] == [OPEN, TUESDAY_OPEN]

    run(story)


def test_a_halted_symbol_takes_orders_and_trades_none_until_it_resumes():
    async def story():
        async with venue_front() as venue:
            assert (await venue.command("/halt", {"symbol": "SPY"}))[0] == 200
            order = await venue.order()
            venue.pass_time(minutes=5)
            assert await status(venue, order) == "new"
            assert (await venue.command("/resume", {"symbol": "SPY"}))[0] == 200
            venue.pass_time(minutes=1)
            assert await status(venue, order) == "filled"

    run(story)


def test_a_stop_is_set_off_by_a_trade_and_a_trailing_stop_follows_the_market():
    async def story():
        async with venue_front() as venue:
            await venue.order(qty="20")
            stop = await venue.order(side="sell", type="stop", stop_price="560")
            trail = await venue.order(side="sell", type="trailing_stop", trail_price="5")
            venue.hold("SPY", 575_000_000)
            shown = (await venue.ask("GET", f"/v2/orders/{trail['id']}"))[1]
            assert (shown["hwm"], shown["stop_price"], shown["status"]) == ("575", "570", "new")
            venue.hold("SPY", 569_000_000)
            assert (await status(venue, trail), await status(venue, stop)) == ("filled", "new")
            venue.hold("SPY", 560_000_000)
            assert await status(venue, stop) == "filled"

    run(story)


@pytest.mark.parametrize(("price", "winner", "loser"), [(601, 0, 1), (540, 1, 0)])
def test_one_exit_of_a_bracket_ends_the_other(price, winner, loser):
    async def story():
        async with venue_front() as venue:
            exits = {"take_profit": {"limit_price": "600"}, "stop_loss": {"stop_price": "540"}}
            order = await venue.order(order_class="bracket", **exits)
            legs = order["legs"]
            venue.hold("SPY", price * 1_000_000)
            venue.pass_time(minutes=1)
            ends = [await status(venue, leg) for leg in legs]
            assert (ends[winner], ends[loser]) == ("filled", "canceled")
            assert (await venue.ask("GET", "/v2/positions"))[1] == []

    run(story)


def test_an_always_open_venue_goes_from_day_to_day_without_a_pause():
    async def story():
        async with venue_front(scene(always_open=True, steps=25)) as venue:
            calendar = (await venue.ask("GET", "/v2/calendar?start=2026-01-09&end=2026-01-13"))[1]
            assert [(row["date"], row["open"], row["close"]) for row in calendar] == [
                ("2026-01-09", "09:30", "16:00"),
                ("2026-01-11", "00:00", "23:59"),
                ("2026-01-12", "00:00", "23:59"),
                ("2026-01-13", "09:30", "16:00"),
            ]
            day, gtc = await venue.order(**LIMIT), await venue.order(**LIMIT, time_in_force="gtc")
            venue.go_to(datetime(2026, 1, 17, 15, 0, tzinfo=UTC))  # a Saturday
            assert (await clock(venue))["is_open"] is True
            assert (await status(venue, day), await status(venue, gtc)) == ("expired", "new")
            bought = await venue.order()
            assert bought["status"] == "filled"

    run(story)


@pytest.mark.parametrize(
    "midnight",
    [
        pytest.param(datetime(2026, 1, 12, 5, tzinfo=UTC), id="a Monday's"),
        pytest.param(datetime(2026, 1, 14, 5, tzinfo=UTC), id="a Wednesday's"),
        pytest.param(datetime(2026, 1, 20, 5, tzinfo=UTC), id="after a long weekend"),
    ],
)
def test_an_always_open_venue_that_starts_at_midnight_knows_the_minutes_of_the_day_before(midnight):
    """Whoever looks back a day or two finds enough of a past to judge orders by, whatever day it is."""

    async def story():
        now = midnight + timedelta(minutes=1)
        async with venue_front(scene(now=now, begin=None, always_open=True, steps=1_441), held=False) as venue:
            since = f"start={midnight - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}&limit=10000"
            bars = (await venue.ask("GET", f"/v2/stocks/bars?symbols=SPY,KO&timeframe=1Min&{since}"))[1]["bars"]
            for symbol in ("SPY", "KO"):
                stamps = [datetime.fromisoformat(bar["t"]) for bar in bars[symbol]]
                assert len(stamps) >= 1_440
                assert stamps[:2] == [midnight - timedelta(days=1), midnight - timedelta(minutes=1_439)]
                assert stamps[-1] >= midnight

    run(story)


def test_the_market_ends_with_its_history():
    """After the last bar nothing opens any more, and the last prices stay."""

    async def story():
        market = scene()
        ending = market._replace(paths=_cut_short(market))
        async with venue_front(ending) as venue:
            venue.go_to(CLOSE + timedelta(days=3))
            assert (await clock(venue))["is_open"] is False
            assert venue.host.next_price() is None
            assert Decimal((await venue.ask("GET", "/v2/account"))[1]["equity"]) == 100_000

    run(story)


def _cut_short(market):
    from quant_trading_system.simulation.alpaca_server.price_path import PricePaths

    whole = market.paths._history
    return PricePaths(whole.between(whole.dates[0].item(), MONDAY), market.calendar, seed=7, steps=391)
