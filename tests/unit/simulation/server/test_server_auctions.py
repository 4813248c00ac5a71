"""Historical auctions: the first and the last trade of each session, in pages."""

from tests.support.venue_front import CLOSE, run, venue_front

DAYS = "start=2026-01-07&end=2026-01-09"


def test_the_auctions_are_the_edges_of_the_daily_bar():
    async def story():
        async with venue_front() as venue:
            _, found = await venue.ask("GET", f"/v2/stocks/auctions?symbols=SPY,KO&{DAYS}")
            _, bars = await venue.ask("GET", f"/v2/stocks/bars?symbols=SPY,KO&timeframe=1Day&{DAYS}")
            assert found["next_page_token"] is None
            for symbol in ("SPY", "KO"):
                edges = [(day["o"][0]["p"], day["c"][0]["p"]) for day in found["auctions"][symbol]]
                assert edges == [(bar["o"], bar["c"]) for bar in bars["bars"][symbol]]
                assert len(edges) == 3

    run(story)


def test_an_auction_tells_its_day_time_exchange_and_condition():
    async def story():
        async with venue_front() as venue:
            _, found = await venue.ask("GET", "/v2/stocks/KO/auctions?start=2026-01-09&end=2026-01-09")
            (day,) = found["auctions"]
            (opening,), (closing,) = day["o"], day["c"]
            assert (found["symbol"], day["d"]) == ("KO", "2026-01-09")
            assert (opening["t"], opening["x"], opening["c"]) == ("2026-01-09T14:30:00Z", "N", "Q")
            assert (closing["t"], closing["x"], closing["c"]) == ("2026-01-09T20:59:59.999999Z", "N", "M")
            assert opening["s"] > 0
            assert closing["s"] > 0

    run(story)


def test_the_closing_auction_comes_with_the_close():
    async def story():
        async with venue_front() as venue:
            path = "/v2/stocks/SPY/auctions?start=2026-01-12"
            (day,) = (await venue.ask("GET", path))[1]["auctions"]
            assert (len(day["o"]), day["c"]) == (1, [])
            venue.go_to(CLOSE)
            (day,) = (await venue.ask("GET", path))[1]["auctions"]
            assert len(day["c"]) == 1

    run(story)


def test_pages_of_auctions_fit_together():
    async def story():
        async with venue_front() as venue:
            for sort, order in (("asc", 1), ("desc", -1)):
                path = f"/v2/stocks/auctions?symbols=KO,SPY&{DAYS}&sort={sort}&limit=2"
                days, token = [], ""
                while token is not None:
                    _, page = await venue.ask("GET", f"{path}&page_token={token}")
                    days += [(symbol, row["d"]) for symbol, rows in page["auctions"].items() for row in rows]
                    token = page["next_page_token"]
                dates = ["2026-01-07", "2026-01-08", "2026-01-09"][::order]
                assert days == [(symbol, date) for symbol in ("KO", "SPY") for date in dates]

    run(story)


def test_a_symbol_that_nobody_knows_has_no_auctions():
    async def story():
        async with venue_front() as venue:
            assert (await venue.ask("GET", f"/v2/stocks/auctions?symbols=NOPE&{DAYS}"))[1]["auctions"] == {}

    run(story)
