"""Clock and calendar by market: the phases of a trading day."""

from datetime import UTC, datetime

import pytest

from quant_trading_system.simulation.alpaca_server.market_routes import phase_at
from tests.support.venue_front import monday, run, venue_front


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "phase", "until"),
    [
        ("2026-01-12T08:59", "closed", "2026-01-12T09:00"),
        ("2026-01-12T09:00", "pre", "2026-01-12T14:30"),
        ("2026-01-12T14:30", "core", "2026-01-12T21:00"),
        ("2026-01-12T21:00", "post", "2026-01-13T01:00"),
        ("2026-01-13T01:00", "closed", "2026-01-13T09:00"),
        ("2026-01-17T17:00", "closed", "2026-01-20T09:00"),  # a weekend, and Martin Luther King Day after it
        ("2026-11-27T18:00", "post", "2026-11-27T22:00"),  # half a day
    ],
)
def test_a_day_goes_through_its_phases(now, phase, until):
    assert phase_at(at(now), monday().exchange) == (phase, at(until))


def test_the_clock_of_a_market():
    async def story():
        async with venue_front() as venue:
            assert (await venue.ask("GET", "/v3/clock?markets=XNYS&time=2026-01-16T22:00:00Z"))[1] == {
                "clocks": [
                    {
                        "market": {
                            "acronym": "NYSE",
                            "mic": "XNYS",
                            "name": "New York Stock Exchange",
                            "timezone": "America/New_York",
                        },
                        "timestamp": "2026-01-16T17:00:00-05:00",
                        "is_market_day": True,
                        "next_market_open": "2026-01-20T09:30:00-05:00",
                        "next_market_close": "2026-01-20T16:00:00-05:00",
                        "phase": "post",
                        "phase_until": "2026-01-16T20:00:00-05:00",
                    }
                ]
            }
            _, both = await venue.ask("GET", "/v3/clock")
            assert [clock["market"]["acronym"] for clock in both["clocks"]] == ["NYSE", "NASDAQ"]

    run(story)


def test_the_calendar_of_a_market():
    async def story():
        async with venue_front() as venue:
            path = "/v3/calendar/NASDAQ?start=2026-11-25&end=2026-11-28&timezone=UTC"
            _, found = await venue.ask("GET", path)
            assert [day["date"] for day in found["calendar"]] == ["2026-11-25", "2026-11-27"]
            assert found["calendar"][1] == {
                "date": "2026-11-27",
                "settlement_date": "2026-11-30",
                "pre_start": "2026-11-27T09:00:00Z",
                "pre_end": "2026-11-27T14:30:00Z",
                "core_start": "2026-11-27T14:30:00Z",
                "core_end": "2026-11-27T18:00:00Z",
                "post_start": "2026-11-27T18:00:00Z",
                "post_end": "2026-11-27T22:00:00Z",
            }

    run(story)


@pytest.mark.parametrize("path", ["/v3/clock?markets=XLON", "/v3/calendar/LSE"])
def test_other_markets_are_not_found(path):
    async def story():
        async with venue_front() as venue:
            assert (await venue.ask("GET", path))[0] == 404

    run(story)


@pytest.mark.parametrize("time", ["1900-01-01T00:00:00Z", "2199-01-01T00:00:00Z"])
def test_a_time_that_the_calendar_does_not_know_is_refused(time):
    async def story():
        async with venue_front() as venue:
            assert (await venue.ask("GET", f"/v3/clock?time={time}"))[0] == 422

    run(story)
