"""A strategy sees the past up to the current bar, and no way leads further."""

import inspect
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial

import numpy as np
import pytest

from quant_trading_system.core.exceptions import MarketDataError
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.market.history_view import HistoryView
from quant_trading_system.market.session_volumes import UNKNOWN_VOLUME
from quant_trading_system.market.sessions import TradingCalendar
from quant_trading_system.market.time_axis import daily_axis

NYSE = TradingCalendar.nyse(date(2022, 1, 1), date(2022, 12, 31))
DAYS = np.array([session.date for session in NYSE.sessions_between(date(2022, 3, 1), date(2022, 3, 31))])
ABSENT = {(0, 1), (1, 1), (5, 1), (6, 1)}  # PEP begins on the third day and pauses for two


BARS = len(DAYS)


def history(future=1, known=BARS):
    """KO and PEP; everything after the first `known` bars is multiplied by `future`."""
    steps = np.arange(1, 2 * len(DAYS) + 1, dtype=np.int64).reshape(len(DAYS), 2) * 1_000_000
    steps[known:] *= future
    present = np.ones(steps.shape, dtype=bool)
    for place in ABSENT:
        present[place] = False
    volume = steps // 1000
    return PriceHistory(
        ("KO", "PEP"), daily_axis(DAYS, NYSE), steps, present, steps - 5, steps + 10, steps - 10, volume
    )


def everything(view):
    """The answer to every question that a view answers."""
    answers = {
        name: getattr(view, name)
        for name, member in inspect.getmembers(type(view))
        if not name.startswith("_") and isinstance(member, property)
    }
    for symbol in view.symbols:
        answers[f"has {symbol}"] = view.has_bar(symbol), view.has_symbol(symbol), view.has_symbol("TYPO")
        answers[f"bar {symbol}"] = view.bar(symbol)
        answers |= {f"bars {symbol} {n}": view.bars(symbol, n) for n in (1, 3, 10_000)}
        for sessions in (1, 3, 10_000):
            shares, closes = view.by_session(symbol, sessions)
            answers[f"by session {symbol} {sessions}"] = (shares.tolist(), closes.tolist())
            answers[f"volumes {symbol} {sessions}"] = view.session_volumes(symbol, sessions)
            answers[f"earlier {symbol} {sessions}"] = [part.tolist() for part in view.earlier_volumes(symbol, sessions)]
        for window in (None, 1, 3, 10_000):
            answers[f"closes {symbol} {window}"] = view.closes(symbol, window).tolist()
            answers[f"returns {window}"] = view.returns(window).tolist()
            answers[f"within days {window}"] = view.returns_within_days(window or 2).tolist()
            for name in ("opens", "highs", "lows", "volumes"):
                answers[f"{name} {symbol} {window}"] = getattr(view, name)(symbol, window).tolist()
    answers["close KO"] = view.close("KO")
    answers["all closes"] = view.all_closes().tolist()
    return repr(answers) + repr(view) + str(len(view))


@pytest.mark.parametrize("index", range(BARS))
def test_no_answer_depends_on_the_future(index):
    """Two histories that agree up to a bar and differ after it cannot be told apart at that bar."""
    known = index + 1
    assert everything(HistoryView(history(), index)) == everything(HistoryView(history(future=7, known=known), index))


def test_every_question_of_a_view_is_asked_by_the_test_above():
    public = {name for name in dir(HistoryView) if not name.startswith("_")}
    numbers = {"all_closes", "bar", "bars", "by_session", "close", "closes", "earlier_volumes", "has_bar"}
    columns = {"returns", "returns_within_days", "opens", "highs", "lows", "volumes"}
    assert public == numbers | columns | {"date", "has_symbol", "now", "session_volumes", "symbols"}


def test_volumes_of_sessions_are_the_same_however_often_they_are_asked_for():
    """Whole sessions are added up once; what a later bar asks about them is not what an earlier one saw of them."""
    shared = history()
    for index in (BARS - 1, 2, 5, BARS - 1):
        fresh = HistoryView(history(), index)
        asked = HistoryView(shared, index).session_volumes("KO", 4)
        assert asked == fresh.session_volumes("KO", 4) == fresh.by_session("KO", 4)[0].tolist()


def test_bars_and_volumes_are_those_of_the_history():
    """KO closes at 1, 3, 5, 7 and 9 dollars, with a thousand times as many shares."""
    view = HistoryView(history(), 4)
    bar = view.bar("KO")
    assert bar is not None
    assert (bar.close, bar.high, bar.low) == (Decimal(9), Decimal("9.00001"), Decimal("8.99999"))
    assert (bar, view.bars("KO", 1)) == (view.bars("KO", 9)[-1], (bar,))
    assert view.session_volumes("KO", 3) == [5000, 7000, 9000]
    assert view.session_volumes("KO", 99) == [1000, 3000, 5000, 7000, 9000]
    shares, closes = view.by_session("KO", 2)
    assert (shares.tolist(), closes.tolist()) == ([7000, 9000], [7.0, 9.0])


def test_arrays_are_copies_that_hold_nothing_but_the_past():
    whole = history()
    view = HistoryView(whole, 4)
    for array in (view.closes("KO"), view.closes("KO", 3), view.returns(), view.returns(2), view.all_closes()):
        assert not np.shares_memory(array, whole.closes_as_float())
        assert array.base is None
        array[:] = 0.0
    assert view.closes("KO", 1).tolist() == [9.0]


def test_a_view_has_no_attribute_to_hang_the_future_on():
    with pytest.raises(AttributeError):
        HistoryView(history(), 4).index = 20  # type: ignore[attr-defined]


def test_now_is_when_the_current_bar_became_known():
    view = HistoryView(history(), 4)
    assert view.now == datetime(2022, 3, 7, 21, tzinfo=UTC)
    assert view.date == date(2022, 3, 7)
    assert len(view) == 5
    assert repr(view) == "HistoryView(2 symbols, 5 bars, now 2022-03-07T21:00:00+00:00)"


def test_windows_end_at_the_current_bar_and_shorten_at_the_beginning():
    view = HistoryView(history(), 4)
    assert view.closes("KO", 3).tolist() == [5.0, 7.0, 9.0]
    assert view.closes("KO", 100).tolist() == view.closes("KO").tolist() == [1.0, 3.0, 5.0, 7.0, 9.0]
    assert view.returns(2).shape == (2, 2)
    assert view.returns(2)[-1].tolist() == [9 / 7 - 1, 10 / 8 - 1]
    assert view.returns(100).shape == view.returns().shape == (4, 2)
    assert HistoryView(history(), 0).returns(5).shape == (0, 2)
    assert [bar.close for bar in view.bars("KO", 2)] == [Decimal(7), Decimal(9)]


def test_missing_bars_are_nan_among_floats_and_left_out_among_bars():
    view = HistoryView(history(), 6)
    assert [str(close) for close in view.closes("PEP")] == ["nan", "nan", "6.0", "8.0", "10.0", "nan", "nan"]
    assert [bar.close for bar in view.bars("PEP", 4)] == [Decimal(8), Decimal(10)]
    assert np.isnan(view.returns(1)).tolist() == [[False, True]]


def test_the_close_is_the_latest_one_known():
    assert HistoryView(history(), 4).close("PEP") == Decimal(10)
    paused = HistoryView(history(), 6)
    assert paused.close("PEP") == Decimal(10)
    assert not paused.has_bar("PEP")
    assert paused.bar("PEP") is None
    with pytest.raises(MarketDataError, match=r"PEP has had no bar by 2022-03-02.* ask has_bar"):
        HistoryView(history(), 1).close("PEP")


def test_the_latest_closes_of_all_symbols_are_those_of_each():
    view = HistoryView(history(), 5)
    for bars in (1, 3, 6, 100):
        asked = view.all_closes(bars)
        assert asked.shape == (min(bars, 6), len(view.symbols))
        for column, symbol in enumerate(view.symbols):
            np.testing.assert_array_equal(asked[:, column], view.closes(symbol, bars))
    np.testing.assert_array_equal(view.all_closes(), view.all_closes(6))


@pytest.mark.parametrize("name", ["opens", "highs", "lows", "volumes"])
def test_the_other_columns_of_bars_are_those_of_the_exact_bars(name):
    view = HistoryView(history(), 6)
    for symbol, bars in (("KO", 3), ("KO", 100), ("PEP", 5)):
        asked = getattr(view, name)(symbol, bars)
        assert len(asked) == min(bars, len(view))
        exact = [float(getattr(bar, name[:-1])) for bar in view.bars(symbol, bars)]
        assert asked[~np.isnan(asked)].tolist() == exact
        np.testing.assert_array_equal(np.isnan(asked), np.isnan(view.closes(symbol, bars)))
    asked[:] = 0  # a copy
    assert np.nansum(getattr(view, name)("KO", 3)) > 0


def test_columns_that_are_not_known_are_refused_and_unknown_volumes_are_missing():
    whole = history()
    bare = HistoryView(PriceHistory(whole.symbols, whole.axis, whole.close_micros, whole.present), 6)
    for name in ("opens", "highs", "lows"):
        with pytest.raises(MarketDataError, match="only closes are known; give prices that have columns"):
            getattr(bare, name)("KO", 3)
    with pytest.raises(MarketDataError, match="no volumes are known"):
        bare.volumes("KO", 3)
    volume = np.full(whole.close_micros.shape, 700)
    volume[5] = UNKNOWN_VOLUME
    partly = PriceHistory(whole.symbols, whole.axis, whole.close_micros, whole.present, volume=volume)
    np.testing.assert_array_equal(HistoryView(partly, 6).volumes("KO", 3), [700, np.nan, 700])


def test_impossible_windows_are_refused():
    view = HistoryView(history(), 4)
    of_one = [partial(getattr(view, name), "KO") for name in ("closes", "opens", "highs", "lows", "volumes", "bars")]
    for ask in (view.returns, view.returns_within_days, view.all_closes, *of_one):
        for n in (0, -1, 2.0):
            with pytest.raises(MarketDataError, match=r"cannot be looked at|ask for at least 1"):
                ask(n)
    with pytest.raises(MarketDataError, match="TSLA is not in this history"):
        view.closes("TSLA")
    for index in (-1, BARS):
        with pytest.raises(IndexError, match="numbered from 0"):
            HistoryView(history(), index)
