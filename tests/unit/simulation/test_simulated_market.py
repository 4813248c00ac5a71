"""The simulated market: steps in time order, exact bars, honest quotes, no look-ahead."""

from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from quant_trading_system.core.exceptions import MarketDataError
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.market.quotes import Quote, QuoteSource
from quant_trading_system.market.sessions import Session, TradingCalendar
from quant_trading_system.market.time_axis import daily_axis, intraday_axis
from quant_trading_system.simulation import price_rows
from quant_trading_system.simulation.blocks import StepKind
from quant_trading_system.simulation.market import SimulatedMarket
from quant_trading_system.simulation.realism import PLAIN, Realism, SpreadModel
from tests.support.venue_desk import session

DAYS = [session(day, month) for month in (1, 2, 3, 4) for day in range(1, 26)]
"""A hundred sessions in a row; weekends do not matter here."""
CALENDAR = TradingCalendar(DAYS, date(2024, 1, 1), date(2024, 12, 31))


def daily(days: int = 60, symbols: tuple[str, ...] = ("KO", "PEP", "AAPL"), **arrays) -> PriceHistory:
    """Closes that wander, the same for a symbol whichever others there are."""
    axis = daily_axis(np.array([one.date for one in DAYS[:days]], dtype="datetime64[D]"), CALENDAR)
    moves = [np.random.Generator(np.random.PCG64(len(symbol) * 7 + ord(symbol[0]))) for symbol in symbols]
    closes = np.stack([50e6 * np.cumprod(1 + one.normal(0, 0.02, 100))[:days] for one in moves], axis=1)
    present = arrays.pop("present", np.ones(closes.shape, dtype=bool))
    return PriceHistory(symbols, axis, closes.astype(np.int64), present, **arrays)


def intraday(bars_a_day: int = 3, days: int = 2, *, ohlc: bool = True) -> PriceHistory:
    """Bars of thirty minutes from the open on; the price rises by a dollar in each."""
    span = timedelta(minutes=30)
    starts = [day.open + number * span for day in DAYS[:days] for number in range(bars_a_day)]
    stamps = np.array([start.replace(tzinfo=None) for start in starts], dtype="datetime64[us]")
    close = np.arange(len(starts))[:, np.newaxis] * 1_000_000 + 101_000_000
    opened, high, low = close - 1_000_000, close + 500_000, close - 1_500_000
    extremes = {"open_micros": opened, "high_micros": high, "low_micros": low} if ohlc else {}
    present = np.ones(close.shape, dtype=bool)
    return PriceHistory(("KO",), intraday_axis(stamps, span, "start", CALENDAR), close, present, **extremes)


def market_of(history: PriceHistory, seed: int = 7, **options) -> SimulatedMarket:
    return SimulatedMarket(history, CALENDAR, seed=seed, **options)


def quote_of(market: SimulatedMarket, symbol: str) -> Quote:
    quote = market.quote(symbol)
    assert quote is not None
    return quote


def lasts(market: SimulatedMarket, column: int = 0) -> list[int]:
    return [int(market.last_micros[column]) for _ in market]


def test_a_session_has_its_steps_from_open_to_close():
    steps = list(market_of(daily(2), steps_per_session=14))
    assert [step.number for step in steps] == list(range(1, 29))
    first = steps[:14]
    assert [step.kind for step in first] == [StepKind.OPEN, *[StepKind.INTRADAY] * 12, StepKind.CLOSE]
    assert [step.ends_bar for step in first] == [False] * 13 + [True]
    assert (first[0].at, first[-1].at) == (DAYS[0].open, DAYS[0].close)
    assert {later.at - earlier.at for earlier, later in pairwise(first)} == {timedelta(minutes=30)}
    assert {step.session for step in first} == {DAYS[0]}
    assert {step.bar for step in first} == {0}


def test_the_next_step_is_announced_without_showing_its_prices():
    market = market_of(daily(2))
    first = market.next_at
    assert first == DAYS[0].open
    assert market.quote("KO") is None
    market.advance()
    before = market.quote("KO")
    second = market.next_at
    assert second is not None
    assert second > DAYS[0].open
    assert market.quote("KO") is before
    for _ in market:
        pass
    assert market.next_at is None
    assert market.advance() is None


def test_every_close_is_exact():
    history = daily()
    market = market_of(history)
    for step in market:
        if step.ends_bar:
            assert market.last_micros.tolist() == history.close_micros[step.bar].tolist()
            assert market.last_price("KO") == history.close("KO", step.bar)


def test_quotes_are_sound_on_the_tick_and_dated_now():
    market = market_of(daily(5))
    for step in market:
        quote = quote_of(market, "PEP")
        assert quote.flaw == ""
        assert quote.last is not None
        assert quote.bid <= quote.last <= quote.ask or abs(quote.last - quote.mid) < Decimal("0.02")
        assert not quote.bid % Decimal("0.01")
        assert not quote.ask % Decimal("0.01")
        assert (quote.at, quote.received_at, quote.sequence, quote.source) == (
            step.at,
            step.at,
            step.number,
            "simulated",
        )
        assert market.quote("PEP") is quote


def test_the_spread_is_as_wide_as_asked_for():
    market = market_of(daily(1), spread_bps=Decimal(100))
    market.advance()
    quote = quote_of(market, "KO")
    assert (quote.ask - quote.bid) / quote.mid == pytest.approx(Decimal("0.01"), rel=Decimal("0.02"))


def test_a_path_depends_on_seed_symbol_and_day_only():
    history = daily()
    whole = lasts(market_of(history), 1)
    assert whole == lasts(market_of(history), 1)
    assert whole == lasts(market_of(history.select(["PEP"])))
    assert whole != lasts(market_of(history, seed=8), 1)
    late = history.between(DAYS[30].date, DAYS[59].date)
    assert whole[-9 * 13 :] == lasts(market_of(late), 1)[-9 * 13 :]  # once twenty returns are known


def test_later_prices_change_nothing_before_their_day():
    history = daily()
    changed = history.close_micros.copy()
    changed[40:] *= 2
    other = PriceHistory(history.symbols, history.axis, changed, history.present)
    assert lasts(market_of(history))[: 40 * 13] == lasts(market_of(other))[: 40 * 13]


def test_volatile_symbols_move_more_inside_the_day():
    history = daily()
    calm = (50e6 + 1000 * np.arange(60)).astype(np.int64)
    closes = np.stack([history.close_micros[:, 0], calm], axis=1)
    market = market_of(PriceHistory(("WILD", "CALM"), history.axis, closes, np.ones(closes.shape, dtype=bool)))
    path = np.array([market.last_micros.copy() for _ in market])[30 * 13 :]
    wild, quiet = np.abs(np.diff(path, axis=0)).mean(axis=0)
    assert wild > 20 * quiet


def test_the_default_volatility_moves_the_first_days():
    moves = [
        np.abs(np.diff(lasts(market_of(daily(3), default_volatility=Decimal(text))))).mean()
        for text in ("0.001", "0.05")
    ]
    assert moves[1] > 3 * moves[0]


def test_the_window_of_volatility_is_as_long_as_asked_for():
    assert lasts(market_of(daily(), volatility_days=5)) != lasts(market_of(daily(), volatility_days=20))


def test_daily_bars_with_all_prices_are_touched_exactly():
    plain = daily(20)
    close = plain.close_micros
    opened = np.roll(close, 1, axis=0)
    high, low = np.maximum(opened, close) + 1_234_567, np.minimum(opened, close) - 765_432
    history = PriceHistory(plain.symbols, plain.axis, close, plain.present, opened, high, low)
    market = market_of(history)
    path = np.array([market.last_micros.copy() for _ in market]).reshape(20, 13, 3)
    assert np.array_equal(path[:, 0], opened)
    assert np.array_equal(path[:, -1], close)
    assert np.array_equal(path.max(axis=1), high)
    assert np.array_equal(path.min(axis=1), low)


def test_a_missing_bar_leaves_the_old_quote_with_its_old_time():
    present = np.ones((4, 3), dtype=bool)
    present[0, 1] = present[2, 0] = False
    market = market_of(daily(4, present=present))
    seen: dict[int, tuple[Any, Any, Any]] = {}
    for step in market:
        seen[step.number] = (market.quote("KO"), market.quote("PEP"), market.volume("KO"))
    assert seen[13][1] is None  # PEP begins on the second day
    assert seen[14][1].at == DAYS[1].open
    last_of_tuesday = seen[26][0]
    for number in range(27, 40):
        quote, _, volume = seen[number]
        assert (quote.at, quote.sequence, quote.last) == (DAYS[1].close, 26, last_of_tuesday.last)
        assert quote.received_at == seen[number][1].at  # nobody trades it, but the feed is there
        assert volume == 0
    assert seen[40][0].at == DAYS[3].open


def test_the_market_may_begin_late_with_the_bars_before_as_its_past():
    history = daily()
    market, whole = market_of(history, first_bar=30), market_of(history)
    assert market.finished_bars == 30
    assert lasts(market) == lasts(whole)[30 * 13 :]
    assert market.finished_bars == 60
    assert market.step is not None
    assert (market.step.bar, market.step.number) == (59, 30 * 13)
    with pytest.raises(ValueError, match="cannot begin with bar 60"):
        market_of(history, first_bar=60)


def test_a_symbol_without_a_bar_since_the_beginning_shows_its_last_one_before():
    present = np.ones((4, 3), dtype=bool)
    present[1:3, 0] = False
    history = daily(4, present=present)
    market = market_of(history, first_bar=2)
    market.advance()
    quote = quote_of(market, "KO")
    assert (quote.at, quote.sequence, quote.last) == (DAYS[0].close, 0, history.close("KO", 0))


def test_volumes_come_from_the_history_where_it_knows_them():
    volume = np.full((2, 3), 1_000_000, dtype=np.int64)
    volume[0, 1] = -1
    market = market_of(daily(2, volume=volume), dollar_volume=Decimal(5_000_000))
    sums = {"KO": Decimal(0), "PEP": Decimal(0)}
    for step in market:
        if step.bar == 0:
            for symbol in sums:
                sums[symbol] += market.volume(symbol) or 0
    assert 999_980 <= sums["KO"] <= 1_000_000
    assert sums["PEP"] == pytest.approx(Decimal(100_000), rel=Decimal("0.1"))  # made up from the price
    assert market.volume("NOPE") is None


def test_intraday_bars_go_through_four_points():
    market = market_of(intraday())
    steps, prices = [], []
    for step in market:
        steps.append(step)
        prices.append(str(market.last_price("KO")))
    assert prices[:8] == ["100.00", "99.50", "101.50", "101.00", "101.00", "100.50", "102.50", "102.00"]
    kinds = [step.kind.value for step in steps[:12]]
    assert kinds == ["open", *["intraday"] * 2, "bar_end", *["intraday"] * 3, "bar_end", *["intraday"] * 3, "close"]
    assert [step.at - DAYS[0].open for step in steps[:4]] == [timedelta(minutes=10 * n) for n in range(4)]
    assert [step.kind for step in steps].count(StepKind.OPEN) == 2
    assert all(earlier.at <= later.at for earlier, later in pairwise(steps))


def test_intraday_closes_have_two_points_of_which_the_first_is_known_already():
    market = market_of(intraday(ohlc=False))
    prices = [str(market.last_price("KO")) for _ in market]
    assert prices[:6] == ["101.00", "101.00", "101.00", "102.00", "102.00", "103.00"]


def test_bars_outside_the_session_belong_to_none():
    history = intraday(bars_a_day=15)  # the last two begin at and after the close
    steps = list(market_of(history))
    outside = [step for step in steps if step.session is None]
    assert len(outside) == 2 * 2 * 4
    assert {step.kind for step in outside} == {StepKind.INTRADAY, StepKind.BAR_END}
    closes = [step.at for step in steps if step.kind is StepKind.CLOSE]
    assert closes == [DAYS[0].close, DAYS[1].close]


def test_a_long_intraday_history_is_walked_in_parts_without_a_seam():
    market = market_of(intraday(bars_a_day=13, days=40))
    lows = [int(market.last_micros[0]) for step in market if step.ends_bar]
    assert np.array_equal(np.diff(lows), np.full(519, 1_000_000))


def test_symbols_without_a_price_say_so():
    market = market_of(daily(1))
    with pytest.raises(MarketDataError, match="has not begun"):
        market.last_micros  # noqa: B018 - reading is the test
    for symbol in ("KO", "NOPE"):
        with pytest.raises(MarketDataError, match=f"{symbol} has had no price yet"):
            market.last_price(symbol)
    market.advance()
    assert market.quote("NOPE") is None


def test_half_days_are_shorter():
    opened = DAYS[0].open
    half = Session(DAYS[0].date, opened, opened + timedelta(hours=3, minutes=30), is_half_day=True)
    calendar = TradingCalendar([half], half.date, half.date)
    history = PriceHistory(
        ("KO",),
        daily_axis(np.array([half.date], dtype="datetime64[D]"), calendar),
        np.array([[50_000_000]]),
        np.array([[True]]),
    )
    steps = list(SimulatedMarket(history, calendar, seed=1))
    assert len(steps) == 13
    assert steps[-1].at == half.close


@pytest.mark.parametrize("bad", [{"steps_per_session": 3}, {"spread_bps": Decimal(-1)}, {"volatility_days": 0}])
def test_impossible_parameters_are_refused(bad):
    with pytest.raises(ValueError, match="at least"):
        market_of(daily(1), **bad)


def test_another_calendar_than_the_historys_is_refused():
    other = TradingCalendar(DAYS[50:], date(2024, 1, 1), date(2024, 12, 31))
    with pytest.raises(MarketDataError, match="exchange is closed"):
        SimulatedMarket(daily(1), other, seed=1)


def test_it_is_a_source_of_quotes():
    source: QuoteSource = market_of(daily(1))
    assert source.quote("KO") is None


@pytest.mark.parametrize("realism", [PLAIN, Realism(spread=SpreadModel())], ids=["plain", "moving spread"])
@pytest.mark.parametrize("has_extremes", [False, True])
def test_how_many_days_are_made_at_once_changes_nothing(monkeypatch, realism, has_extremes):
    """Days without a bar among them, and a block that is as small as many symbols make it."""
    whole = daily(60)
    present = np.random.Generator(np.random.PCG64(3)).random(whole.present.shape) > 0.2
    sides = {"open_micros": 1.01, "high_micros": 1.02, "low_micros": 0.98} if has_extremes else {}
    arrays = {name: (whole.close_micros * factor).astype(np.int64) for name, factor in sides.items()}
    history = daily(60, present=present, **arrays)

    def told() -> list[object]:
        market = market_of(history, first_bar=3, realism=realism)
        return [
            (step, [(market.quote(symbol), market.volume(symbol)) for symbol in history.symbols]) for step in market
        ]

    expected = told()
    for name, value in (("_DAYS", 1), ("_DAYS", 7), ("_MOST_PRICES", 13 * 3 * 5), ("_MOST_PRICES", 1)):
        monkeypatch.setattr(price_rows, name, value)
        assert told() == expected
