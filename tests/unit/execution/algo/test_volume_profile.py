"""Volume profiles: learned as the mean of daily fractions, stretched over sessions, corrected during the day."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from quant_trading_system.config.loader import default_limits
from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.exceptions import MarketDataError
from quant_trading_system.execution.algo.advice import USUAL_PROFILE
from quant_trading_system.execution.algo.profile import (
    VolumeForecast,
    VolumeProfile,
    learn_profile,
    profile_from_bars,
    recent_profile,
)
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.market.history_view import HistoryView
from quant_trading_system.market.quotes import QuoteBoard
from quant_trading_system.market.sessions import Session, TradingCalendar
from quant_trading_system.market.time_axis import intraday_axis
from quant_trading_system.trading.algo_market import AlgoMarket
from tests.support.algo_desk import CLOSE, OPEN, SESSION
from tests.support.market import CALENDAR

D, F = Decimal, Fraction


def test_a_profile_is_the_mean_of_daily_fractions_and_not_the_ratio_of_sums():
    profile = learn_profile([[100, 300, 600], [400, 200, 200]])
    assert profile.fractions == (F(3, 10), F(275, 1000), F(425, 1000))
    assert profile.days == 2


def test_days_without_volume_are_left_out():
    assert learn_profile([[0, 0], [1, 3], [0, 0]]) == VolumeProfile((F(1, 4), F(3, 4)), 1)


@pytest.mark.parametrize("days", [[], [[0, 0]], [[1, -1]], [[1, 2], [1]], [[D("NaN"), 1]]])
def test_a_profile_that_cannot_be_learned_is_refused(days):
    with pytest.raises(MarketDataError):
        learn_profile(days)


@pytest.mark.parametrize("fractions", [(), (F(0),), (F(1, 2),), (F(3, 2), F(-1, 2))])
def test_fractions_that_are_no_profile_are_refused(fractions):
    with pytest.raises(MarketDataError):
        VolumeProfile(fractions)


def test_a_profile_is_read_for_any_part_of_the_session():
    profile = VolumeProfile.of([2, 1, 1])
    third = (CLOSE - OPEN) / 3
    assert profile.between(SESSION, OPEN, CLOSE, 3) == (F(1, 2), F(1, 4), F(1, 4))
    assert profile.between(SESSION, OPEN + third / 2, OPEN + 2 * third, 1) == (F(1, 2),)
    half_day = Session(OPEN.date(), OPEN, OPEN + timedelta(hours=3), is_half_day=True)
    assert profile.between(half_day, OPEN, half_day.close, 3) == (F(1, 2), F(1, 4), F(1, 4))


def test_a_span_outside_the_session_or_without_volume_is_refused():
    profile = VolumeProfile.of([0, 1])
    for start, end in ((OPEN - timedelta(hours=1), CLOSE), (OPEN, OPEN), (OPEN, OPEN + timedelta(hours=1))):
        with pytest.raises(MarketDataError):
            profile.between(SESSION, start, end, 2)


def history_of(volumes: dict[str, list[int]], calendar: TradingCalendar = CALENDAR) -> PriceHistory:
    """Bars of 130 minutes, three in a full session that opens at 14:30 UTC."""
    stamps, shares = [], []
    for day, parts in volumes.items():
        for i, part in enumerate(parts):
            stamps.append(np.datetime64(f"{day}T14:30", "ns") + np.timedelta64(130 * i, "m"))
            shares.append(part)
    axis = intraday_axis(np.array(stamps), timedelta(minutes=130), "start", calendar)
    shape = (len(stamps), 1)
    close = np.full(shape, 60_000_000, dtype=np.int64)
    return PriceHistory(
        ("KO",), axis, close, np.ones(shape, dtype=bool), volume=np.array(shares, dtype=np.int64).reshape(shape)
    )


def test_a_profile_is_learned_from_bars_and_leaves_half_days_out():
    history = history_of({"2024-01-08": [2, 1, 1], "2024-01-09": [1, 1, 2], "2024-01-10": [9]})
    profile = profile_from_bars(history, "KO", CALENDAR, 3)
    assert profile.fractions == (F(3, 8), F(1, 4), F(3, 8))
    assert profile.days == 2


JANUARY = TradingCalendar.nyse(date(2024, 1, 2), date(2024, 1, 31))
WEEK = {f"2024-01-{day:02}": [6, 1, 1] for day in (8, 9, 10, 11, 12)}


def test_the_day_in_progress_teaches_nothing_yet():
    """A busy noon of today is no habit; and nothing after the current bar is seen at all."""
    history = history_of({**WEEK, "2024-01-16": [1, 90, 1], "2024-01-17": [1, 1, 90]}, JANUARY)
    for bar in (15, 16, 17):
        profile = recent_profile(HistoryView(history, bar), "KO", JANUARY, parts=3)
        assert profile == VolumeProfile((F(3, 4), F(1, 8), F(1, 8)), 5)
    after = recent_profile(HistoryView(history, 18), "KO", JANUARY, parts=3)
    assert after is not None
    assert (after.days, after.fractions[1] > F(1, 8)) == (6, True)
    assert recent_profile(HistoryView(history, 20), "KO", JANUARY, sessions=5, parts=3).days == 5


def test_the_volumes_before_today_are_those_of_the_sessions_just_before():
    history = history_of({"2024-01-08": [1, 2, 3], "2024-01-09": [4, -1, 6], "2024-01-10": [7, 8, 9]})
    view = HistoryView(history, 7)
    volumes = {sessions: view.earlier_volumes("KO", sessions)[2].tolist() for sessions in (1, 2, 9)}
    assert volumes == {1: [4, 6], 2: [1, 2, 3, 4, 6], 9: [1, 2, 3, 4, 6]}  # -1 is not known
    assert view.earlier_volumes("KO", 1)[0].tolist() == history.axis.starts[[3, 5]].tolist()


def test_too_few_days_and_unknown_symbols_have_no_recent_profile():
    history = history_of(dict([*WEEK.items()][:4]) | {"2024-01-16": [1, 1, 1]}, JANUARY)
    assert recent_profile(HistoryView(history, len(history) - 1), "KO", JANUARY) is None
    assert recent_profile(HistoryView(history, 0), "KO", JANUARY) is None
    assert recent_profile(HistoryView(history, 0), "PEP", JANUARY) is None


def test_the_engine_plans_by_the_recent_profile_and_by_the_usual_one_without_it():
    history = history_of({**WEEK, "2024-01-16": [1, 90, 1]}, JANUARY)
    market = AlgoMarket(quotes=QuoteBoard(), calendar=JANUARY, limits=default_limits(), clock=ManualClock(OPEN))
    assert market.profile("KO") is USUAL_PROFILE
    market.learn(HistoryView(history, 15))
    morning = market.profile("KO").traded_by(F(1, 3))
    assert float(morning) == pytest.approx(0.75, abs=1e-9)
    assert market.profile("PEP") is USUAL_PROFILE


def test_a_bar_that_covers_several_parts_counts_in_each_of_them():
    history = history_of({"2024-01-08": [2, 1, 1]})
    assert profile_from_bars(history, "KO", CALENDAR, 6).fractions == (F(1, 4), F(1, 4), *[F(1, 8)] * 4)
    assert profile_from_bars(history, "KO", CALENDAR, 2).fractions == (F(5, 8), F(3, 8))


def test_bars_without_volume_tell_no_profile():
    history = history_of({"2024-01-08": [2, 1, 1]})
    silent = PriceHistory(history.symbols, history.axis, history.close_micros, history.present)
    with pytest.raises(MarketDataError, match="with volumes"):
        profile_from_bars(silent, "KO", CALENDAR)


def test_a_day_as_expected_leaves_the_forecast_alone():
    forecast = VolumeForecast(expected=(D(300), D(200), D(500)))
    assert forecast.level(1, D(300)) == 1
    assert forecast.remaining(1, D(300)) == (200, 500)


def test_a_busy_morning_raises_the_next_slices_most():
    forecast = VolumeForecast(expected=(D(300), D(200), D(200)), prior=D("0.1"), persistence=D("0.5"))
    assert forecast.level(1, D(670)) == 2  # (70 + 670) / (70 + 300)
    assert forecast.tilts(1, D(670)) == (1_500_000, 1_250_000)
    assert forecast.remaining(1, D(670)) == (300, 250)
    lasting = VolumeForecast(expected=(D(300), D(200), D(200)), prior=D("0.1"), persistence=D("0.8"))
    assert lasting.tilts(1, D(670)) == (1_800_000, 1_640_000)


def test_a_silent_morning_lowers_the_level_but_never_to_nothing():
    forecast = VolumeForecast(expected=(D(300), D(700)), prior=D("0.3"))
    assert forecast.level(1, D(0)) == D("0.5")
    assert all(part > 0 for part in forecast.remaining(1, D(0)))


@pytest.mark.parametrize(
    "changes", [{"expected": ()}, {"expected": (D(0),)}, {"prior": D(0)}, {"persistence": D(2)}, {"expected": (D(-1),)}]
)
def test_forecasts_out_of_range_are_refused(changes):
    with pytest.raises(MarketDataError):
        VolumeForecast(**{"expected": (D(1),), **changes})
