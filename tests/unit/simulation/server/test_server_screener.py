"""The screener, and what this market never has: news and corporate actions."""

import pytest

from tests.support.venue_front import run, venue_front

SCREENER = "/v1beta1/screener/stocks"


def test_the_most_active_symbols_are_those_of_the_daily_bars():
    async def story():
        async with venue_front() as venue:
            venue.pass_time(hours=1)
            _, bars = await venue.ask("GET", "/v2/stocks/bars?symbols=SPY,KO&timeframe=1Day")
            volumes = {symbol: rows[0]["v"] for symbol, rows in bars["bars"].items()}
            _, found = await venue.ask("GET", f"{SCREENER}/most-actives")
            assert [(row["symbol"], row["volume"]) for row in found["most_actives"]] == sorted(
                volumes.items(), key=lambda item: -item[1]
            )
            assert found["last_updated"] == "2026-01-12T15:30:00.000001Z"
            _, one = await venue.ask("GET", f"{SCREENER}/most-actives?by=trades&top=1")
            assert len(one["most_actives"]) == 1

    run(story)


def test_movers_have_risen_or_fallen_since_the_close_before():
    async def story():
        async with venue_front(held=False) as venue:
            _, shots = await venue.ask("GET", "/v2/stocks/snapshots?symbols=SPY,KO")
            venue.hold("SPY", round(shots["SPY"]["prevDailyBar"]["c"] * 1_100_000))
            venue.hold("KO", round(shots["KO"]["prevDailyBar"]["c"] * 900_000))
            _, found = await venue.ask("GET", f"{SCREENER}/movers")
            (gainer,), (loser,) = found["gainers"], found["losers"]
            assert (gainer["symbol"], loser["symbol"], found["market_type"]) == ("SPY", "KO", "stocks")
            assert gainer["percent_change"] == pytest.approx(10, abs=0.01)
            assert loser["percent_change"] == pytest.approx(-10, abs=0.01)
            assert gainer["change"] == pytest.approx(gainer["price"] - shots["SPY"]["prevDailyBar"]["c"], abs=1e-6)

    run(story)


def test_there_are_no_coins_among_the_movers():
    async def story():
        async with venue_front() as venue:
            _, found = await venue.ask("GET", "/v1beta1/screener/crypto/movers")
            assert (found["gainers"], found["losers"], found["market_type"]) == ([], [], "crypto")

    run(story)


@pytest.mark.parametrize(
    "path",
    [f"{SCREENER}/most-actives?top=0", f"{SCREENER}/most-actives?by=size", "/v1beta1/screener/bonds/movers",
     f"{SCREENER}/movers?top=51", "/v1beta1/news?limit=51", "/v1beta1/news?start=soon",
     "/v1/corporate-actions?sort=up"],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(path):
    async def story():
        async with venue_front() as venue:
            status, answer = await venue.ask("GET", path)
            assert (status, answer["code"]) == (400, 40010001)

    run(story)


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/v1beta1/news?symbols=SPY,KO&limit=50&sort=desc", {"news": [], "next_page_token": None}),
        ("/v1/corporate-actions", {"corporate_actions": {}, "next_page_token": None}),
        ("/v1beta1/corporate-actions?symbols=SPY", {"corporate_actions": {}, "next_page_token": None}),
        ("/v2/corporate_actions/announcements?ca_types=dividend&since=2026-01-01&until=2026-01-31", []),
    ],
)
def test_this_market_has_neither_news_nor_corporate_actions(path, answer):
    async def story():
        async with venue_front() as venue:
            assert await venue.ask("GET", path) == (200, answer)

    run(story)


def test_no_announcement_is_found():
    async def story():
        async with venue_front() as venue:
            path = "/v2/corporate_actions/announcements/be3c368a-4c7c-4384-808e-f02c9f5a8afe"
            assert (await venue.ask("GET", path))[0] == 404
            assert (await venue.ask("GET", "/v2/corporate_actions/announcements/one"))[0] == 422

    run(story)
