"""When the New York Stock Exchange is open, and how a calendar answers beyond its span."""

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from quant_trading_system.core.exceptions import MarketDataError
from quant_trading_system.market.sessions import AlwaysOpen, Session, TradingCalendar

NYSE = TradingCalendar.nyse(date(2001, 1, 1), date(2025, 12, 31))


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


HOURS = """
2022-11-23  14:30 21:00  full   # winter time
2022-11-25  14:30 18:00  half   # the day after Thanksgiving
2022-07-01  13:30 20:00  full   # summer time
2022-03-11  14:30 21:00  full   # the Friday before the clocks change
2022-03-14  13:30 20:00  full   # the Monday after
2022-11-04  13:30 20:00  full
2022-11-07  14:30 21:00  full
2001-09-17  13:30 20:00  full   # the first session after the attacks
2003-12-26  14:30 18:00  half   # announced for that year only
2024-07-03  13:30 17:00  half   # the day before Independence Day, in summer time
"""


@pytest.mark.parametrize("row", HOURS.strip().splitlines())
def test_regular_hours_follow_half_days_and_clock_changes(row):
    day, opens, closes, kind = row.partition("#")[0].split()
    expected = Session(date.fromisoformat(day), at(f"{day} {opens}"), at(f"{day} {closes}"), kind == "half")
    assert NYSE.session_on(date.fromisoformat(day)) == expected


CLOSED = """
2022-01-01  a Saturday
2022-01-02  a Sunday
2022-01-17  Martin Luther King's day
2022-04-15  Good Friday
2022-06-20  Juneteenth, observed on the Monday
2022-07-04  Independence Day
2022-11-24  Thanksgiving
2022-12-26  Christmas, observed on the Monday
2001-09-11  the attacks
2001-09-14  still closed
2004-06-11  mourning for President Reagan
2012-10-29  hurricane Sandy
2012-10-30  still closed
2018-12-05  mourning for President Bush
2025-01-09  mourning for President Carter
"""


@pytest.mark.parametrize("row", CLOSED.strip().splitlines())
def test_exchange_is_closed_on_weekends_holidays_and_in_disasters(row):
    assert NYSE.session_on(date.fromisoformat(row.split()[0])) is None


MOMENTS = """
2022-11-25 14:29:59.999999  closed
2022-11-25 14:30:00         open     # the opening belongs to the session
2022-11-25 17:59:59.999999  open
2022-11-25 18:00:00         closed   # the close does not
2022-11-25 20:00:00         closed   # open on any other Friday
2022-11-26 15:00:00         closed
2022-11-24 15:00:00         closed
"""


@pytest.mark.parametrize("row", MOMENTS.strip().splitlines())
def test_a_session_holds_its_opening_and_not_its_close(row):
    day, time, answer = row.partition("#")[0].split()
    moment = at(f"{day} {time}")
    assert NYSE.is_open(moment) == (answer == "open")
    session = NYSE.session_at(moment)
    assert (session.date if session else None) == (date.fromisoformat(day) if answer == "open" else None)


def test_the_answer_does_not_depend_on_what_was_asked_before():
    """The calendar remembers the last session for speed; only for speed."""
    asked = [at(f"2022-11-{day} {hour}:00") for day in (22, 23, 25, 28) for hour in (13, 15, 17, 19, 22)]
    fresh = [TradingCalendar.nyse(date(2022, 1, 1), date(2022, 12, 31)).session_at(moment) for moment in asked]
    calendar = TradingCalendar.nyse(date(2022, 1, 1), date(2022, 12, 31))
    assert [calendar.session_at(moment) for moment in reversed(asked)] == fresh[::-1]


def test_other_time_zones_are_understood():
    tokyo = datetime(2022, 11, 24, 0, 0, tzinfo=ZoneInfo("Asia/Tokyo"))  # 10:00 on the 23rd in New York
    assert NYSE.session_at(tokyo) == NYSE.session_on(date(2022, 11, 23))


NEIGHBOURS = """
moment               next open            next close           last close
2022-11-25 14:00     2022-11-25 14:30     2022-11-25 18:00     2022-11-23 21:00
2022-11-25 14:30     2022-11-28 14:30     2022-11-25 18:00     2022-11-23 21:00
2022-11-25 15:00     2022-11-28 14:30     2022-11-25 18:00     2022-11-23 21:00
2022-11-25 18:00     2022-11-28 14:30     2022-11-28 21:00     2022-11-25 18:00
2022-11-27 12:00     2022-11-28 14:30     2022-11-28 21:00     2022-11-25 18:00
"""


@pytest.mark.parametrize("row", NEIGHBOURS.strip().splitlines()[1:])
def test_next_open_and_close_lie_strictly_ahead_and_the_last_close_does_not(row):
    moment, opens, closes, closed = (at(part.strip()) for part in row.split("     "))
    assert (NYSE.next_open(moment), NYSE.next_close(moment), NYSE.last_close(moment)) == (opens, closes, closed)


def test_previous_session_steps_over_holidays_and_weekends():
    assert NYSE.previous_session(date(2022, 11, 25)).date == date(2022, 11, 23)
    assert NYSE.previous_session(date(2022, 11, 27)).date == date(2022, 11, 25)
    assert NYSE.previous_session(date(2001, 9, 17)).date == date(2001, 9, 10)


def test_sessions_between_include_both_ends():
    days = [session.date.day for session in NYSE.sessions_between(date(2022, 11, 21), date(2022, 11, 28))]
    assert days == [21, 22, 23, 25, 28]
    assert NYSE.sessions_between(date(2022, 11, 26), date(2022, 11, 27)) == ()


TRADE_DATES = """
2022-11-23 14:00  2022-11-23   # before the opening
2022-11-23 20:59  2022-11-23
2022-11-24 00:59  2022-11-23   # 19:59 in New York: extended hours
2022-11-24 01:00  2022-11-25   # 20:00: the next session, for Thursday is a holiday
2022-11-26 12:00  2022-11-28   # a Saturday
2022-07-05 23:59  2022-07-05   # 19:59 in summer time
2022-07-06 00:00  2022-07-06
"""


@pytest.mark.parametrize("row", TRADE_DATES.strip().splitlines())
def test_a_trade_date_lasts_until_eight_in_the_evening(row):
    day, time, expected = row.partition("#")[0].split()
    assert NYSE.trade_date(at(f"{day} {time}")) == date.fromisoformat(expected)


def test_outside_its_span_the_calendar_refuses_to_guess():
    short = TradingCalendar.nyse(date(2022, 3, 1), date(2022, 3, 31))
    before, after = at("2022-03-01 04:59"), at("2022-04-01 04:00")
    for question in (
        lambda: short.session_on(date(2022, 2, 28)),
        lambda: short.session_at(before),
        lambda: short.session_at(after),
        lambda: short.is_open(after),
        lambda: short.trade_date(after),
        lambda: short.trade_date(at("2022-04-01 00:00")),  # belongs to 1 April
        lambda: short.next_open(at("2022-03-31 14:00")),
        lambda: short.next_close(at("2022-03-31 20:00")),
        lambda: short.last_close(at("2022-03-01 15:00")),
        lambda: short.previous_session(date(2022, 3, 1)),
        lambda: short.sessions_between(date(2022, 2, 28), date(2022, 3, 2)),
        lambda: short.sessions_between(date(2022, 3, 30), date(2022, 4, 2)),
    ):
        with pytest.raises(MarketDataError, match=r"the trading calendar covers 2022-03-01 to 2022-03-31 and does not"):
            question()
    assert short.session_at(at("2022-03-01 05:00")) is None
    assert short.session_at(at("2022-04-01 03:59")) is None


def test_a_covered_day_without_session_is_closed_and_not_unknown():
    holidays = TradingCalendar.nyse(date(2022, 1, 1), date(2022, 1, 3))
    assert holidays.session_on(date(2022, 1, 1)) is None
    assert holidays.session_at(at("2022-01-02 15:00")) is None


def test_wrong_questions_are_answered_with_what_to_do():
    with pytest.raises(MarketDataError, match="has no time zone; add tzinfo=UTC"):
        NYSE.session_at(datetime(2022, 3, 1, 15))  # noqa: DTZ001
    with pytest.raises(MarketDataError, match="has no time zone; add tzinfo=UTC"):
        NYSE.next_open(datetime(2022, 3, 1, 15))  # noqa: DTZ001
    with pytest.raises(MarketDataError, match="is a moment; ask for a date"):
        NYSE.session_on(at("2022-03-01 15:00"))
    with pytest.raises(MarketDataError, match="give the earlier date first"):
        NYSE.sessions_between(date(2022, 3, 2), date(2022, 3, 1))
    with pytest.raises(MarketDataError, match="cannot end on 2022-03-01, before it starts on 2022-03-02"):
        TradingCalendar.nyse(date(2022, 3, 2), date(2022, 3, 1))
    with pytest.raises(MarketDataError, match="no trading session between 2022-01-01 and 2022-01-02"):
        TradingCalendar.nyse(date(2022, 1, 1), date(2022, 1, 2))
    with pytest.raises(MarketDataError, match="no exchange calendar from 0001-01-01"):
        TradingCalendar.nyse(date(1, 1, 1), date(1, 12, 31))


def test_a_second_calendar_shares_the_work_of_the_first():
    first = TradingCalendar.nyse(date(2022, 1, 1), date(2022, 12, 31))
    whole = TradingCalendar.nyse(date(1990, 1, 1), date(2027, 12, 31))
    assert whole.session_on(date(2022, 3, 1)) is first.session_on(date(2022, 3, 1))
    assert repr(whole) == "TradingCalendar(1990-01-01 to 2027-12-31, 9569 sessions)"


def test_a_calendar_of_the_years_of_the_table_needs_neither_pandas_nor_the_library():
    program = (
        "import sys; from datetime import date; from quant_trading_system.market.sessions import TradingCalendar;"
        "print(TradingCalendar.nyse(date(1970, 1, 1), date(2039, 12, 31)),"
        " {'pandas', 'exchange_calendars'} & set(sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert told.stdout.strip() == "TradingCalendar(1970-01-01 to 2039-12-31, 17636 sessions) set()"


def test_asking_the_time_needs_neither_pandas_nor_numpy():
    program = (
        "import sys; from quant_trading_system.market import sessions;"
        "sys.exit(' '.join({'pandas', 'numpy', 'polars', 'exchange_calendars'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stderr.strip() == ""


def test_always_open_has_a_session_from_midnight_to_midnight():
    market = AlwaysOpen()
    saturday = at("2022-01-01 00:00")
    session = Session(date(2022, 1, 1), saturday, saturday + timedelta(days=1))
    assert market.session_on(date(2022, 1, 1)) == market.session_at(saturday + timedelta(hours=23)) == session
    assert market.is_open(saturday)
    assert market.next_open(saturday) == market.next_close(saturday) == session.close
    assert market.last_close(saturday + timedelta(hours=1)) == saturday
    assert market.previous_session(date(2022, 1, 1)).date == date(2021, 12, 31)
    assert [one.date.day for one in market.sessions_between(date(2022, 1, 1), date(2022, 1, 3))] == [1, 2, 3]
    assert market.trade_date(datetime(2022, 1, 1, 20, tzinfo=ZoneInfo("America/New_York"))) == date(2022, 1, 2)
    with pytest.raises(MarketDataError, match="has no time zone"):
        market.is_open(datetime(2022, 1, 1))  # noqa: DTZ001
    with pytest.raises(MarketDataError, match="give the earlier date first"):
        market.sessions_between(date(2022, 1, 2), date(2022, 1, 1))


def test_sessions_that_cannot_be_are_refused_and_change_nothing():
    calendar = TradingCalendar.nyse(date(2024, 1, 1), date(2024, 1, 31))
    monday, tuesday, wednesday = calendar.sessions_between(date(2024, 1, 8), date(2024, 1, 10))
    into_tuesday = Session(monday.date, monday.open, tuesday.open + timedelta(hours=1))
    for wrong, why in (
        ([], "these are not the sessions"),
        ([monday, monday], "these are not the sessions"),
        ([monday, tuesday, wednesday], "these are not the sessions"),  # Wednesday was not asked about
        ([into_tuesday, tuesday], "overlap"),
    ):
        with pytest.raises(MarketDataError, match=why):
            calendar.correct(wrong, monday.date, tuesday.date)
    assert list(calendar.sessions_between(monday.date, wednesday.date)) == [monday, tuesday, wednesday]
    early = Session(tuesday.date, tuesday.open, tuesday.close - timedelta(hours=3))
    assert len(calendar.correct([monday, early], monday.date, tuesday.date)) == 1
    assert list(calendar.sessions_between(monday.date, wednesday.date)) == [monday, early, wednesday]
