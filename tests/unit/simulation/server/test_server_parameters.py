"""What may stand in a query, and what is refused by name."""

from decimal import Decimal

import pytest

from quant_trading_system.simulation.admission import VenueRefusal
from quant_trading_system.simulation.alpaca_server import parameters as read

NOON_NS = 1_768_219_200 * 10**9
"""12 January 2026, 12:00 UTC."""


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("True", True), ("1", True), ("FALSE", False), ("", False)],
)
def test_flags_come_in_any_case(text, value):
    assert read.flag({"nested": text}, "nested") is value


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("2026-01-12T12:00:00Z", NOON_NS),
        ("2026-01-12T12:00:00+00:00", NOON_NS),
        ("2026-01-12T12:00:00 00:00", NOON_NS),
        ("2026-01-12T07:00:00-05:00", NOON_NS),
        ("2026-01-12T12:00:00", NOON_NS),
        ("2026-01-12 12:00", NOON_NS),
        ("2026-01-12T12:00:00.123456789Z", NOON_NS + 123_456_789),
        ("2026-01-12T12:00:00.5Z", NOON_NS + 500_000_000),
        ("2026-01-12", NOON_NS - 7 * 3_600 * 10**9),
    ],
)
def test_times_are_rfc_3339_to_the_nanosecond_or_dates_in_new_york(text, nanoseconds):
    assert read.moment_ns({"start": text}, "start") == nanoseconds


def test_an_end_that_is_a_date_is_the_end_of_that_day():
    assert read.moment_ns({"end": "2026-01-12"}, "end", end_of_day=True) == NOON_NS + 17 * 3_600 * 10**9 - 1


@pytest.mark.parametrize(
    ("text", "year"),
    [("0001-06-01T00:00:00Z", 1900), ("9999-12-31T23:59:59Z", 2200), ("0001-01-01", 1900), ("9999-12-31", 2199)],
)
def test_times_at_the_ends_of_the_world_are_taken_for_very_early_and_very_late(text, year):
    assert read.moment({"start": text}, "start").year == year


def test_symbols_are_sorted_and_told_once():
    assert read.symbols({"symbols": "msft, AAPL,,MSFT,BRK.B"}) == ("AAPL", "BRK.B", "MSFT")


@pytest.mark.parametrize(
    "action",
    [
        lambda: read.flag({"x": "maybe"}, "x"),
        lambda: read.whole_number({"x": "5.5"}, "x", default=1, least=1, most=9),
        lambda: read.whole_number({"x": "10"}, "x", default=1, least=1, most=9),
        lambda: read.whole_number({"x": "9" * 40}, "x", default=1, least=1, most=9),
        lambda: read.choice({"x": "c"}, "x", ("a", "b"), "a"),
        lambda: read.number({"x": "1e"}, "x"),
        lambda: read.number({"x": "0.0000000001"}, "x"),
        lambda: read.symbols({"x": "A B"}, "x"),
        lambda: read.symbols({"x": ",".join(f"S{n}" for n in range(1_001))}, "x"),
        lambda: read.moment_ns({"x": "yesterday"}, "x"),
        lambda: read.moment_ns({"x": "2026-02-30"}, "x"),
        lambda: read.day({"x": "2026-13-01"}, "x"),
        lambda: read.order_id("not-an-id"),
        lambda: read.order_id("f" * 1_000),
    ],
)
def test_what_cannot_be_meant_is_refused(action):
    with pytest.raises(VenueRefusal) as caught:
        action()
    assert (caught.value.code, caught.value.http) == (40010001, 422)


def test_missing_values_have_their_defaults():
    assert read.whole_number({}, "limit", default=50, least=1, most=500) == 50
    assert read.choice({"status": ""}, "status", ("open", "all"), "open") == "open"
    assert (read.number({}, "qty"), read.moment({}, "after"), read.day({}, "date")) == (None, None, None)
    assert read.number({"qty": "0.5"}, "qty") == Decimal("0.5")
