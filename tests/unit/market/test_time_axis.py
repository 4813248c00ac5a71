"""When a bar begins, when it is known, and which trading day it belongs to."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from quant_trading_system.core.exceptions import MarketDataError
from quant_trading_system.market.sessions import AlwaysOpen, TradingCalendar
from quant_trading_system.market.time_axis import (
    closed_dates,
    daily_axis,
    intraday_axis,
    moment_of,
    outside_trading_days,
    stamp_of,
    usual_span,
)

NYSE = TradingCalendar.nyse(date(2022, 1, 1), date(2022, 12, 31))
MINUTE = timedelta(minutes=1)


def days(*texts):
    return np.array(texts, dtype="datetime64[D]")


def stamps(*texts):
    return np.array(texts, dtype="datetime64[us]")


def texts(array):
    return [str(stamp)[:16] for stamp in array]


def test_a_daily_bar_spans_its_session_and_is_known_at_the_close():
    axis = daily_axis(days("2022-11-23", "2022-11-25", "2022-11-28"), NYSE)
    assert texts(axis.starts) == ["2022-11-23T14:30", "2022-11-25T14:30", "2022-11-28T14:30"]
    assert texts(axis.ends) == ["2022-11-23T21:00", "2022-11-25T18:00", "2022-11-28T21:00"]
    assert texts(axis.dates) == ["2022-11-23", "2022-11-25", "2022-11-28"]
    assert axis.span is None


def test_daily_bars_on_closed_days_are_refused_with_their_dates():
    with pytest.raises(MarketDataError, match="the exchange is closed on 2022-11-24, 2022-11-26; remove these bars"):
        daily_axis(days("2022-11-23", "2022-11-24", "2022-11-26"), NYSE)
    weekends = [date(2022, 1, 1) + timedelta(days=7 * week) for week in range(12)]
    with pytest.raises(MarketDataError, match="2022-03-05 and 2 more dates;"):
        daily_axis(np.array(weekends, dtype="datetime64[D]"), NYSE)


def test_a_bar_is_known_at_its_end_whichever_time_the_source_wrote_down():
    written = stamps("2022-11-23T14:30", "2022-11-23T14:31", "2022-11-23T14:33")
    by_start = intraday_axis(written, MINUTE, "start", NYSE)
    by_end = intraday_axis(written, MINUTE, "end", NYSE)
    assert texts(by_start.ends) == ["2022-11-23T14:31", "2022-11-23T14:32", "2022-11-23T14:34"]
    assert texts(by_end.ends) == ["2022-11-23T14:30", "2022-11-23T14:31", "2022-11-23T14:33"]
    assert texts(by_end.starts) == ["2022-11-23T14:29", "2022-11-23T14:30", "2022-11-23T14:32"]


def test_extended_hours_belong_to_the_date_in_new_york():
    axis = intraday_axis(stamps("2022-11-23T09:00", "2022-11-24T00:59", "2022-11-28T09:00"), MINUTE, "start", NYSE)
    assert texts(axis.dates) == ["2022-11-23", "2022-11-23", "2022-11-28"]


def test_overlapping_bars_are_refused():
    with pytest.raises(MarketDataError, match=r"bars of 60 s overlap: 2022-11-23T14:30:07\+00:00 comes only 7 s after"):
        intraday_axis(stamps("2022-11-23T14:30:00", "2022-11-23T14:30:07"), MINUTE, "start", NYSE)


def test_the_usual_span_is_the_most_common_distance():
    assert usual_span(stamps("2022-11-23T14:30", "2022-11-23T14:31", "2022-11-23T14:32", "2022-11-23T14:40")) == MINUTE
    assert usual_span(stamps("2022-11-23T14:30")) is None


def test_closed_days_and_the_nights_before_them_are_found():
    assert closed_dates(days("2022-11-23", "2022-11-24", "2022-11-25", "2022-11-26"), NYSE) == [
        date(2022, 11, 24),
        date(2022, 11, 26),
    ]
    asked = stamps("2022-11-26T15:00", "2022-11-28T00:59", "2022-11-28T01:00", "2022-11-25T23:00")
    assert outside_trading_days(asked, NYSE).tolist() == [True, True, False, False]
    assert outside_trading_days(asked, AlwaysOpen()).tolist() == [False] * 4


def test_the_arrays_of_an_axis_cannot_be_written_and_a_part_shares_them():
    axis = daily_axis(days("2022-11-23", "2022-11-25"), NYSE)
    part = axis.cut(slice(1, 2))
    assert texts(part.ends) == ["2022-11-25T18:00"]
    assert np.shares_memory(part.ends, axis.ends)
    for array in (*axis[:3], *part[:3]):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = array[0]


def test_moments_and_stamps_convert_exactly():
    moment = datetime(2022, 11, 23, 14, 30, 0, 123456, tzinfo=UTC)
    assert moment_of(stamp_of(moment)) == moment
    assert moment_of(stamp_of(moment).astype("datetime64[ns]")) == moment
    with pytest.raises(MarketDataError, match="has no time zone; add tzinfo=UTC"):
        stamp_of(datetime(2022, 11, 23))  # noqa: DTZ001
