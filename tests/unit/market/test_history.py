"""Columns of prices that lose no digit and cannot be changed."""

import pickle
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, localcontext

import numpy as np
import pytest

from quant_trading_system.core.exceptions import MarketDataError
from quant_trading_system.market.history import MICROS, Bar, PriceHistory, dollars
from quant_trading_system.market.sessions import TradingCalendar
from quant_trading_system.market.time_axis import daily_axis, intraday_axis, stamp_of

NYSE = TradingCalendar.nyse(date(2022, 1, 1), date(2022, 12, 31))
DAYS = np.array(["2022-11-22", "2022-11-23", "2022-11-25", "2022-11-28"], dtype="datetime64[D]")


def grid(rows):
    return np.array(rows, dtype=np.int64)


def closes_only():
    """KO has four bars; PEP has none on the 23rd."""
    closes = grid([[60_000_000, 180_100_000], [61_500_000, 0], [61_500_001, 181_000_000], [30_750_000, 90_500_000]])
    return PriceHistory(("KO", "PEP"), daily_axis(DAYS, NYSE), closes, closes > 0)


def whole_bars():
    close = grid([[10_500_000], [11_000_000], [0], [9_000_000]])
    step = grid([[500_000], [500_000], [0], [500_000]])
    volume = grid([[1_000], [0], [-1], [-1]])
    axis = daily_axis(DAYS, NYSE)
    return PriceHistory(("KO",), axis, close, close > 0, close - step, close + step, close - 2 * step, volume)


DOLLARS = """
1             0.000001
98000         0.098
10000         0.01
30000000      30.00
30100000      30.10
129652000     129.652
129652100     129.6521
129652110     129.65211
129652111     129.652111
1000000000000000  1000000000.00
"""


@pytest.mark.parametrize("row", DOLLARS.strip().splitlines())
def test_micro_dollars_read_as_prices_are_written(row):
    micros, text = row.split()
    assert str(dollars(int(micros))) == text


def test_prices_stay_exact_whatever_the_context_of_the_thread():
    with localcontext() as context:
        context.prec = 3
        assert str(closes_only().close("KO", 2)) == "61.500001"


def test_a_missing_bar_has_no_close():
    history = closes_only()
    assert history.close("PEP", 1) is None
    assert not history.has_bar("PEP", 1)
    assert history.close("PEP", 2) == Decimal("181.00")


def test_a_bar_spans_its_session_and_is_exact():
    assert whole_bars().bar("KO", 0) == Bar(
        symbol="KO",
        start=datetime(2022, 11, 22, 14, 30, tzinfo=UTC),
        end=datetime(2022, 11, 22, 21, 0, tzinfo=UTC),
        open=Decimal("10.00"),
        high=Decimal("11.00"),
        low=Decimal("9.50"),
        close=Decimal("10.50"),
        volume=1000,
    )


def test_no_volume_is_known_to_be_zero_or_not_known():
    history = whole_bars()
    assert [bar and bar.volume for bar in (history.bar("KO", index) for index in range(4))] == [1000, 0, None, None]
    assert history.bar("KO", 2) is None
    assert history.bar("KO", 3) is not None


def test_closes_do_not_pretend_to_be_bars():
    history = closes_only()
    assert (history.has_ohlc, history.has_volume) == (False, False)
    assert (whole_bars().has_ohlc, whole_bars().has_volume) == (True, True)
    with pytest.raises(MarketDataError, match="knows closing prices only; use close"):
        history.bar("KO", 0)


def test_statistics_get_floats_with_nan_where_a_bar_is_missing():
    history = closes_only()
    expected = [[60.0, 180.1], [61.5, np.nan], [61.500001, 181.0], [30.75, 90.5]]
    np.testing.assert_array_equal(history.closes_as_float(), expected)
    returns = history.returns()
    assert returns.shape == (3, 2)
    assert returns[0, 0] == 61.5 / 60.0 - 1
    assert np.isnan(returns[:2, 1]).all()
    assert returns[2, 1] == -0.5


def three_days(span, *counts):
    """Bars of some days, each a dollar above the one before, and ten above at the open."""
    days = NYSE.sessions_between(date(2022, 11, 28), date(2022, 11, 30))
    starts = [stamp_of(day.open + i * span) for day, count in zip(days, counts, strict=True) for i in range(count)]
    jumps = np.concatenate([np.where(np.arange(count), 1, 10) for count in counts])
    closes = grid(90_000_000 + np.cumsum(jumps)[:, None] * MICROS)
    return PriceHistory(("KO",), intraday_axis(np.array(starts), span, "start", NYSE), closes, closes > 0)


def test_returns_within_days_leave_out_what_spans_a_night_and_look_further_back():
    prices = three_days(timedelta(minutes=1), 4, 3, 2)  # 100 to 103, 113 to 115, 125 and 126
    within = [1 / 100, 1 / 101, 1 / 102, 1 / 113, 1 / 114, 1 / 125]
    for bars, known in enumerate((0, 0, 1, 2, 3, 3, 4, 5, 5, 6)):
        for n in (1, 2, 4, 9):
            expected = within[max(known - n, 0) : known]
            np.testing.assert_allclose(prices.returns_within_days(n, bars)[:, 0], expected, atol=1e-12)
    assert np.shares_memory(prices.returns_within_days(2, 7), prices.returns())


def test_of_long_bars_the_nights_count_too():
    hours = three_days(timedelta(hours=1), 3, 2, 2)
    np.testing.assert_array_equal(hours.returns_within_days(9, 7), hours.returns())
    np.testing.assert_array_equal(closes_only().returns_within_days(2, 4), closes_only().returns()[-2:])


def test_dates_select_by_session_and_datetimes_by_when_a_bar_is_known():
    history = closes_only()
    assert [str(day) for day in history.between(date(2022, 11, 23), date(2022, 11, 27)).dates] == [
        "2022-11-23",
        "2022-11-25",
    ]
    half_day_close = datetime(2022, 11, 25, 18, tzinfo=UTC)
    assert len(history.between(half_day_close, half_day_close)) == 1
    assert len(history.between(date(2022, 11, 22), half_day_close.replace(hour=17))) == 2


def test_a_part_shares_memory_and_agrees_with_the_whole():
    history = closes_only()
    part = history.between(date(2022, 11, 25), date(2022, 11, 28))
    assert np.shares_memory(part.close_micros, history.close_micros)
    assert part.close("KO", 0) == history.close("KO", 2)
    assert part.time_at(0) == datetime(2022, 11, 25, 18, tzinfo=UTC)
    assert part.index_of(date(2022, 11, 28)) == 1
    bars = whole_bars().between(date(2022, 11, 28), date(2022, 11, 28))
    assert bars.bar("KO", 0) == whole_bars().bar("KO", 3)


def test_select_takes_the_symbols_in_the_order_given():
    history = closes_only().select(["PEP", "KO"])
    assert history.symbols == ("PEP", "KO")
    assert history.close("KO", 0) == Decimal("60.00")
    assert closes_only().select(["PEP"]).column_of("PEP") == 0


def test_index_of_finds_the_bar_of_a_date():
    assert closes_only().index_of(date(2022, 11, 25)) == 2
    with pytest.raises(MarketDataError, match="no bar on 2022-11-24; this history covers 2022-11-22 to 2022-11-28"):
        closes_only().index_of(date(2022, 11, 24))
    with pytest.raises(MarketDataError, match="no bar on 2022-12-01"):
        closes_only().index_of(date(2022, 12, 1))


def test_nothing_in_a_history_can_be_changed():
    history = whole_bars()
    arrays = (history.close_micros, history.present, history.open_micros, history.volume, history.closes_as_float())
    for array in (*arrays, history.times, history.dates):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = array[1]
    with pytest.raises(AttributeError):
        history.symbols = ("PEP",)


def test_numbers_of_bars_never_count_from_the_end():
    """A slip such as ``close(symbol, i - 1)`` at the first bar must not read the last one."""
    for index in (-1, 4):
        for ask in (closes_only().close, whole_bars().bar, closes_only().has_bar):
            with pytest.raises(IndexError, match=f"no bar {index} among 4 bars; they are numbered from 0"):
                ask("KO", index)
    with pytest.raises(IndexError):
        closes_only().time_at(-1)


def test_wrong_requests_say_what_there_is():
    history = closes_only()
    with pytest.raises(MarketDataError, match="TSLA is not in this history of 2 symbols: KO, PEP"):
        history.close("TSLA", 0)
    with pytest.raises(MarketDataError, match="TSLA is not in this history"):
        history.select(["KO", "TSLA"])
    with pytest.raises(MarketDataError, match="no bar between 2022-11-26 and 2022-11-27; this history covers"):
        history.between(date(2022, 11, 26), date(2022, 11, 27))
    with pytest.raises(MarketDataError, match="has no time zone"):
        history.between(datetime(2022, 11, 22), date(2022, 11, 27))  # noqa: DTZ001


def test_columns_that_do_not_fit_are_refused():
    axis, closes = daily_axis(DAYS, NYSE), grid([[1], [1], [1], [1]])
    for message, arguments in (
        ("a symbol appears twice", (("KO", "KO"), axis, np.ones((4, 2), np.int64), np.ones((4, 2), bool))),
        ("at least one symbol and one bar", ((), axis, np.ones((4, 0), np.int64), np.ones((4, 0), bool))),
        ("at least one symbol and one bar", (("KO",), axis.cut(slice(0, 0)), closes[:0], closes[:0] > 0)),
        (r"close_micros has the shape \(3, 1\)", (("KO",), axis, closes[:3], closes > 0)),
        (r"volume has the shape \(1, 1\)", (("KO",), axis, closes, closes > 0, None, None, None, closes[:1])),
        ("give open, high and low together", (("KO",), axis, closes, closes > 0, closes)),
        ("times of a history must rise", (("KO",), axis.cut(slice(None, None, -1)), closes, closes > 0)),
    ):
        with pytest.raises(MarketDataError, match=message):
            PriceHistory(*arguments)


def test_a_fingerprint_tells_histories_apart_and_ignores_what_is_missing():
    history = closes_only()
    other = history.close_micros.copy()
    other[1, 1] = 123  # PEP has no bar there
    same = PriceHistory(history.symbols, history.axis, other, history.present)
    assert same.fingerprint() == history.fingerprint() == closes_only().fingerprint()
    changed = history.close_micros.copy()
    changed[0, 0] += 1
    others = [
        PriceHistory(history.symbols, history.axis, changed, history.present),
        history.select(["PEP", "KO"]),
        history.between(date(2022, 11, 22), date(2022, 11, 25)),
        whole_bars(),
    ]
    assert len({one.fingerprint() for one in (history, *others)}) == 5


def test_a_history_travels_to_another_process():
    copy = pickle.loads(pickle.dumps(whole_bars()))
    assert copy.bar("KO", 0) == whole_bars().bar("KO", 0)
    assert copy.fingerprint() == whole_bars().fingerprint()


def test_a_history_describes_itself():
    assert repr(closes_only()) == "PriceHistory(2 symbols, 4 daily bars, 2022-11-22 to 2022-11-28)"
    assert len(closes_only()) == 4
    assert closes_only().is_daily
    assert MICROS == 1_000_000
