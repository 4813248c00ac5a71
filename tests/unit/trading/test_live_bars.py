"""Bars while they happen: each is delivered once, when it is over, with the past behind it."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.exceptions import MarketDataError
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.market.sessions import TradingCalendar
from quant_trading_system.market.time_axis import daily_axis, intraday_axis, stamp_of
from quant_trading_system.trading.live_bars import LiveBars
from tests.support.counted_calls import Compared
from tests.support.market import JumpingClock

CALENDAR = TradingCalendar.nyse(date(2023, 11, 1), date(2024, 2, 1))
FIVE = timedelta(minutes=5)


class Shop:
    """A broker's history that knows all bars which have begun by now."""

    def __init__(self, clock: ManualClock, span: timedelta | None, late: timedelta = timedelta(0)) -> None:
        self.clock, self.span, self.late = clock, span, late
        self.factor = 1
        self.starts: list[datetime] = []

    @property
    def asked(self) -> int:
        return len(self.starts)

    async def __call__(self, start: datetime) -> PriceHistory:
        self.starts.append(start)
        now = self.clock.now() - self.late
        if self.span is None:
            days = [s.date for s in CALENDAR.sessions_between(start.date(), now.date()) if s.open <= now]
            axis = daily_axis(np.array(days, dtype="datetime64[D]"), CALENDAR)
        else:
            starts = []
            for session in CALENDAR.sessions_between(start.date(), now.date()):
                count = min(session.close, now) - session.open
                starts += [session.open + i * self.span for i in range(max(-(-count // self.span), 0))]
            axis = intraday_axis(np.array([stamp_of(s) for s in starts]), self.span, "start", CALENDAR)
        closes = (axis.ends.astype("datetime64[s]").astype(np.int64)[:, None] % 86_400 + 1) * self.factor
        return PriceHistory(("KO",), axis, closes, np.ones_like(closes, dtype=bool))


def bars(at: datetime, span: timedelta | None, late: timedelta = timedelta(0)) -> tuple[LiveBars, ManualClock, Shop]:
    clock = ManualClock(at)
    shop = Shop(clock, span, late)
    live = LiveBars(("KO",), shop, CALENDAR, clock, span=span, lookback=timedelta(days=20))
    asyncio.run(live.load())
    return live, clock, shop


def ends(live: LiveBars, clock: ManualClock, until: datetime, step: timedelta) -> list[datetime]:
    found = []
    while clock.now() < until:
        clock.move_to(clock.now() + step)
        view = asyncio.run(live.finished())
        if view is not None:
            found.append(view.now)
    return found


def test_every_five_minutes_one_bar_is_delivered():
    live, clock, shop = bars(datetime(2024, 1, 8, 15, 1, tzinfo=UTC), FIVE)
    found = ends(live, clock, datetime(2024, 1, 8, 15, 21, tzinfo=UTC), timedelta(seconds=1))
    assert found == [datetime(2024, 1, 8, 15, minute, tzinfo=UTC) for minute in (5, 10, 15, 20)]
    assert shop.asked == 5  # once for the past, once a bar


def test_the_day_s_bar_is_delivered_after_the_close_and_only_then():
    live, clock, _ = bars(datetime(2024, 1, 8, 20, 0, tzinfo=UTC), None)
    found = ends(live, clock, datetime(2024, 1, 9, 21, 30, tzinfo=UTC), timedelta(minutes=10))
    assert found == [datetime(2024, 1, 8, 21, tzinfo=UTC), datetime(2024, 1, 9, 21, tzinfo=UTC)]


def test_the_bar_in_progress_is_never_seen():
    live, clock, _ = bars(datetime(2024, 1, 8, 15, 2, tzinfo=UTC), FIVE)
    clock.move_to(datetime(2024, 1, 8, 15, 7, tzinfo=UTC))
    view = asyncio.run(live.finished())
    assert view is not None
    assert view.now == datetime(2024, 1, 8, 15, 5, tzinfo=UTC)


def test_a_late_bar_is_asked_for_again_but_not_all_the_time():
    live, clock, shop = bars(datetime(2024, 1, 8, 15, 1, tzinfo=UTC), FIVE, late=timedelta(seconds=20))
    found = ends(live, clock, datetime(2024, 1, 8, 15, 5, 30, tzinfo=UTC), timedelta(seconds=1))
    assert found == [datetime(2024, 1, 8, 15, 5, tzinfo=UTC)]
    assert 2 <= shop.asked <= 7


def test_a_wall_clock_that_is_set_back_keeps_no_bar_away():
    """Bars of a time to come were asked for, in vain; those of now are asked for as soon as it is right."""
    clock = JumpingClock(datetime(2024, 1, 8, 15, 1, tzinfo=UTC))
    live = LiveBars(("KO",), Shop(clock, FIVE), CALENDAR, clock, span=FIVE, lookback=timedelta(days=20))
    asyncio.run(live.load())
    broker, live._fetch = live._fetch, _nothing_new
    clock.jump = timedelta(hours=1)
    assert asyncio.run(live.finished()) is None
    clock.jump, live._fetch = timedelta(0), broker
    clock.move_to(datetime(2024, 1, 8, 15, 6, tzinfo=UTC))
    view = asyncio.run(live.finished())
    assert view is not None
    assert view.now == datetime(2024, 1, 8, 15, 5, tzinfo=UTC)


async def _nothing_new(start: datetime) -> PriceHistory:
    return await Shop(ManualClock(datetime(2024, 1, 8, 15, 1, tzinfo=UTC)), FIVE)(start)


def test_correlations_see_finished_bars_only():
    live, _, _ = bars(datetime(2024, 1, 8, 15, 2, tzinfo=UTC), FIVE)
    assert live.recent_returns(3).shape == (3, 1)
    fresh = LiveBars(("KO",), Shop(ManualClock(datetime(2024, 1, 8, tzinfo=UTC)), FIVE), CALENDAR,
                     ManualClock(datetime(2024, 1, 8, tzinfo=UTC)), span=FIVE, lookback=FIVE)  # fmt: skip
    with pytest.raises(MarketDataError):
        fresh.recent_returns(3)


def test_returns_within_days_reach_over_the_night_without_it():
    """Forty minutes after the open: eight returns of today, and the others of the day before."""
    live, _, _ = bars(datetime(2024, 1, 9, 15, 10, tzinfo=UTC), FIVE)
    both, within = live.recent_returns(20)[:, 0], live.recent_returns_within_days(20)[:, 0]
    (night,) = np.flatnonzero(both < 0)  # prices of the shop rise through each day
    assert night == 20 - 8
    np.testing.assert_array_equal(within[-7:], both[-7:])
    np.testing.assert_array_equal(within[1:13], both[:12])
    assert within.shape == (20,)
    assert (within > 0).all()


def test_returns_have_a_column_for_every_symbol_that_was_asked_for():
    """The gate reads columns by position: one symbol without bars must not shift the others."""
    clock = ManualClock(datetime(2024, 1, 8, 15, tzinfo=UTC))
    live = LiveBars(("AAA", "KO"), Shop(clock, FIVE), CALENDAR, clock, span=FIVE, lookback=timedelta(days=5))
    asyncio.run(live.load())
    returns = live.recent_returns(3)
    assert returns.shape == (3, 2)
    assert np.isnan(returns[:, 0]).all()
    assert not np.isnan(returns[:, 1]).any()


def test_returns_of_many_symbols_cost_what_was_asked_for_and_not_the_whole_past():
    """They are asked for after every bar, when the first order is judged: nothing else goes on meanwhile."""
    names = [f"S{number}" for number in range(800)]
    clock = ManualClock(datetime(2024, 1, 8, 15, tzinfo=UTC))

    async def fetch(start: datetime) -> PriceHistory:
        of_one = await Shop(clock, FIVE)(start)
        closes = np.repeat(of_one.close_micros, len(names), axis=1)
        return PriceHistory(tuple(map(Compared, names)), of_one.axis, closes, np.ones_like(closes, dtype=bool))

    live = LiveBars(tuple(map(Compared, names[::-1])), fetch, CALENDAR, clock, span=FIVE, lookback=timedelta(days=5))
    asyncio.run(live.load())
    Compared.times = 0
    assert live.recent_returns(20).shape == (20, 800)
    assert Compared.times <= 3 * len(names)
    assert live._past is not None
    assert "_returns" not in vars(live._past.history)


def test_only_what_is_new_is_asked_for_and_the_past_is_kept():
    live, clock, shop = bars(datetime(2024, 1, 8, 15, 1, tzinfo=UTC), FIVE)
    before = live.recent_returns(19).tolist()
    clock.move_to(datetime(2024, 1, 8, 15, 5, 5, tzinfo=UTC))
    view = asyncio.run(live.finished())
    assert view is not None
    assert shop.starts[-1] == datetime(2024, 1, 8, 14, 55, tzinfo=UTC)  # the last bar that is known already
    assert live.recent_returns(20).tolist()[:-1] == before


def test_the_past_of_a_strategy_grows_without_being_copied():
    live, clock, _ = bars(datetime(2024, 1, 8, 15, 1, tzinfo=UTC), FIVE)
    shown = []
    for minute in (5, 10, 15):
        clock.move_to(datetime(2024, 1, 8, 15, minute, 5, tzinfo=UTC))
        assert asyncio.run(live.finished()) is not None
        assert live._past is not None
        shown.append(live._past.history)
    assert np.shares_memory(shown[0].closes_as_float(), shown[-1].closes_as_float())
    assert [history.time_at(len(history) - 1).minute for history in shown] == [5, 10, 15]


def test_no_more_past_is_kept_than_was_asked_for():
    live, clock, _ = bars(datetime(2024, 1, 8, 20, 0, tzinfo=UTC), None)
    for day in (8, 9, 10, 11, 12):
        clock.move_to(datetime(2024, 1, day, 21, 30, tzinfo=UTC))
        view = asyncio.run(live.finished())
        assert view is not None
        assert live._past is not None
        first = live._past.history.time_at(0)
        assert timedelta(days=16) < clock.now() - first <= timedelta(days=20)


def test_a_past_that_was_revised_is_asked_for_anew():
    """A split changes every bar before it; old and new ones must not stand side by side."""
    live, clock, shop = bars(datetime(2024, 1, 8, 20, 0, tzinfo=UTC), None)
    shop.factor = 2
    clock.move_to(datetime(2024, 1, 8, 21, 30, tzinfo=UTC))
    view = asyncio.run(live.finished())
    assert view is not None
    assert shop.starts[-1] == clock.now() - timedelta(days=20)
    assert (np.abs(live.recent_returns(10)) < 1e-9).all()  # all bars end at the same second of the day here
