"""The prices of a day: those of the simulated market, and what lies between them."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from quant_trading_system.market.history import dollars
from quant_trading_system.market.loading import load_prices
from quant_trading_system.simulation.alpaca_server import live_market, price_path
from quant_trading_system.simulation.alpaca_server.live_market import LiveMarket, moment_at, ns_of
from quant_trading_system.simulation.alpaca_server.price_path import PricePaths, refined, summary_of, trade_sizes
from quant_trading_system.simulation.alpaca_server.random_market import random_history
from quant_trading_system.simulation.alpaca_server.tape import Doing, Intervention, Tape
from quant_trading_system.simulation.alpaca_server.venue_time import AlwaysOpenCalendar, exchange_calendar
from quant_trading_system.simulation.market import SimulatedMarket
from tests.support.venue_front import MONDAY, OPEN, SPY_AND_KO

CALENDAR = exchange_calendar()
HALF_DAY = date(2025, 11, 28)


@pytest.fixture(scope="module")
def history():
    return random_history(SPY_AND_KO, CALENDAR, now=OPEN, last_day=date(2026, 2, 1), seed=7)


@pytest.mark.parametrize("steps", [13, 79])
def test_with_a_number_of_steps_the_prices_are_those_of_the_simulated_market(history, steps):
    """What a backtest sees and what the venue shows is the same, but for the microsecond before the close."""
    first = history.index_of(MONDAY)
    market = SimulatedMarket(history, CALENDAR, seed=3, first_bar=first, steps_per_session=steps)
    paths = PricePaths(history, CALENDAR, seed=3, steps=steps)
    for day in (MONDAY, MONDAY + timedelta(days=1)):
        for symbol in SPY_AND_KO:
            seen = paths.ticks(symbol, day)
            assert len(seen.at) == steps
        for row in range(steps):
            step = market.advance()
            late = timedelta(microseconds=1) if row == steps - 1 else timedelta(0)
            for symbol in SPY_AND_KO:
                seen, quote = paths.ticks(symbol, day), market.quote(symbol)
                assert moment_at(seen.at[row].item()) == step.at - late
                shown = [dollars(column[row].item()) for column in (seen.last, seen.bid, seen.ask)]
                assert shown == [quote.last, quote.bid, quote.ask]
                assert seen.size[row] == market.volume(symbol)


def test_without_steps_there_is_a_price_every_second_between_the_same_ends(history):
    dense, coarse = PricePaths(history, CALENDAR, seed=3), PricePaths(history, CALENDAR, seed=3, steps=79)
    for day, seconds in ((MONDAY, 23_400), (HALF_DAY, 12_600)):
        ticks, steps = dense.ticks("SPY", day), coarse.ticks("SPY", day)
        assert len(ticks.at) == seconds + 1
        assert np.all(np.diff(ticks.at)[:-1] == 1_000_000_000)
        assert (ticks.last[0], ticks.last[-1]) == (steps.last[0], steps.last[-1])
        assert (ticks.last.max(), ticks.last.min()) == (steps.last.max(), steps.last.min())
        assert np.all(ticks.bid < ticks.ask)
        assert np.all(ticks.last % 10_000 == 0)


def test_a_day_is_known_without_its_ticks(history):
    paths = PricePaths(history, CALENDAR, seed=3)
    for day in (MONDAY, HALF_DAY):
        assert paths.summary("KO", day) == summary_of(paths.ticks("KO", day))


def test_a_day_depends_on_nothing_but_history_and_seed(history):
    one, other = PricePaths(history, CALENDAR, seed=3), PricePaths(history.select(["SPY"]), CALENDAR, seed=3)
    other.ticks("SPY", HALF_DAY)
    assert np.array_equal(one.ticks("SPY", MONDAY).last, other.ticks("SPY", MONDAY).last)
    different = PricePaths(history, CALENDAR, seed=4)
    assert not np.array_equal(one.ticks("SPY", MONDAY).last, different.ticks("SPY", MONDAY).last)


@pytest.mark.parametrize("day", [date(2026, 1, 10), date(2026, 1, 19), date(2031, 1, 2)])
def test_there_are_no_prices_on_closed_days_or_beyond_the_history(history, day):
    calendar = CALENDAR if day.year < 2030 else None
    if calendar is not None:
        paths = PricePaths(history, calendar, seed=3)
        assert len(paths.ticks("SPY", day).at) == 0
        assert paths.summary("SPY", day) is None


def test_volume_is_all_of_the_day_and_most_at_both_ends():
    noise = np.random.Generator(np.random.PCG64(1)).standard_normal(391)
    sizes = trade_sizes(10_000_000, noise)
    assert sizes.sum() == 10_000_000
    assert sizes[:40].sum() > sizes[175:215].sum()
    assert np.all(sizes > 0)


def test_the_refined_path_passes_through_its_steps_and_stays_within_them():
    steps = np.array([100_000_000, 101_000_000, 99_500_000, 100_500_000])
    noise = np.random.Generator(np.random.PCG64(1)).standard_normal(301)
    path = refined(steps, 0.02, noise)
    assert path[[0, 100, 200, 300]].tolist() == steps.tolist()
    assert (path.min(), path.max()) == (99_500_000, 101_000_000)
    assert len(set(path.tolist())) > 30


# -- the random market -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("now", [OPEN, OPEN + timedelta(hours=3), OPEN + timedelta(days=5), OPEN - timedelta(hours=9)])
def test_a_random_market_stands_at_the_wanted_price_at_the_wanted_moment(now):
    made = random_history(SPY_AND_KO, CALENDAR, now=now, last_day=date(2026, 2, 1), seed=9)
    paths = PricePaths(made, CALENDAR, seed=9)
    for symbol, price in SPY_AND_KO.items():
        days = [day for day in made.dates.tolist() if day <= now.date()]
        seen = next(ticks for day in reversed(days) if len((ticks := paths.ticks(symbol, day).until(ns_of(now))).at))
        assert abs(dollars(seen.last[-1].item()) - price) <= Decimal("0.05")


def test_a_random_market_begins_in_2024_and_adding_symbols_changes_no_other():
    one = random_history({"SPY": Decimal(570)}, CALENDAR, now=OPEN, last_day=date(2026, 2, 1), seed=9)
    two = random_history({"A": Decimal(5), "SPY": Decimal(570)}, CALENDAR, now=OPEN, last_day=date(2026, 2, 1), seed=9)
    assert one.dates[0].item() == date(2024, 1, 2)
    assert np.array_equal(one.close_micros[:, 0], two.close_micros[:, 1])


def test_an_always_open_market_has_prices_at_night_and_on_sundays():
    sunday = date(2026, 1, 11)
    calendar = AlwaysOpenCalendar(CALENDAR, sunday)
    now = datetime(2026, 1, 11, 7, tzinfo=UTC)
    made = random_history({"SPY": Decimal(570)}, calendar, now=now, last_day=date(2026, 2, 1), seed=9)
    ticks = PricePaths(made, calendar, seed=9).ticks("SPY", sunday)
    assert len(ticks.at) == 86_401
    assert moment_at(ticks.at[0].item()) == datetime(2026, 1, 11, 5, tzinfo=UTC)


def test_at_midnight_an_always_open_market_goes_on_where_it_was():
    """Nothing has closed, so nothing jumps: it would look as if all symbols moved together, or apart."""
    calendar = AlwaysOpenCalendar(CALENDAR, date(2026, 1, 11))
    made = random_history(SPY_AND_KO, calendar, now=OPEN, last_day=date(2026, 1, 14), seed=9)
    paths = PricePaths(made, calendar, seed=9)
    for symbol in SPY_AND_KO:
        days = [paths.ticks(symbol, date(2026, 1, day)).last for day in (9, 11, 12, 13)]
        assert days[0][-1] != days[1][0], "from Friday's close to Sunday's midnight it was closed"
        assert days[1][-1] == days[2][0]
        assert days[2][-1] == days[3][0]
        assert len(np.unique(days[2])) > 100


# -- other histories ---------------------------------------------------------------------------------------------------


def test_every_point_of_an_intraday_bar_lies_within_it(tmp_path):
    path = tmp_path / "XYZ.csv"
    rows = ["time,open,high,low,close,volume"]
    rows += [f"2026-01-12T14:{30 + n}:00Z,10.0{n},10.5,9.5,10.1{n},400" for n in range(3)]
    path.write_text("\n".join(rows))
    made = PricePaths(load_prices(path, calendar=CALENDAR), CALENDAR, seed=1)
    ticks = made.ticks("XYZ", MONDAY)
    assert len(ticks.at) == 12
    minutes = [moment_at(at).minute for at in ticks.at.tolist()]
    assert minutes == [30] * 4 + [31] * 4 + [32] * 4
    assert made.summary("XYZ", MONDAY) == (10_000_000, 10_500_000, 9_500_000, 10_120_000, 1200, 12)


def test_the_day_of_every_symbol_is_computed_once_however_many_there_are(history, monkeypatch):
    """Whoever asks about all of them again would else wait for all of them again."""
    made, make = [], PricePaths._made
    monkeypatch.setattr(price_path, "_KEPT_TICKS", 0)
    monkeypatch.setattr(PricePaths, "_made", lambda *given: made.append(given[1:]) or make(*given))
    paths = PricePaths(history, CALENDAR, seed=3)
    for _ in range(3):
        for symbol in SPY_AND_KO:
            paths.ticks(symbol, MONDAY)
    assert made == [(symbol, MONDAY) for symbol in SPY_AND_KO]


def test_a_day_of_round_the_clock_counts_for_as_many_prices_as_it_has(monkeypatch):
    """Days that last four times as long are kept for a quarter of the time, or memory would be four times as full."""
    monkeypatch.setattr(price_path, "_KEPT_TICKS", 2 * 86_400)
    calendar = AlwaysOpenCalendar(CALENDAR, date(2026, 1, 4))
    now = datetime(2026, 1, 11, 7, tzinfo=UTC)
    made, make = [], PricePaths._made
    history = random_history({"SPY": Decimal(570)}, calendar, now=now, last_day=date(2026, 1, 12), seed=9)
    monkeypatch.setattr(PricePaths, "_made", lambda *given: made.append(given[2]) or make(*given))
    paths = PricePaths(history, calendar, seed=9)
    for day in (8, 9, 10, 11, 8):
        paths.ticks("SPY", date(2026, 1, day))
    assert [day.day for day in made] == [8, 9, 10, 11, 8], "two further days are kept, and the present one"


def test_symbols_share_the_moments_of_their_prices(history):
    paths = PricePaths(history, CALENDAR, seed=3)
    spy, ko = (paths.ticks(symbol, MONDAY).at for symbol in SPY_AND_KO)
    assert spy is ko
    assert not spy.flags.writeable


def test_times_that_symbols_share_are_sorted_once(history, monkeypatch):
    """A price a second of hundreds of symbols would be millions of times, nearly all of them the same."""
    sizes, unique = [], np.unique
    monkeypatch.setattr(live_market.np, "unique", lambda times: sizes.append(len(times)) or unique(times))
    market = LiveMarket(Tape(PricePaths(history, CALENDAR, seed=3)), CALENDAR, OPEN)
    assert market.next_tick() == OPEN + timedelta(seconds=1)
    assert sizes == [23_401]
    market.tape.intervene("KO", Intervention(ns_of(OPEN) + 500_000_000, Doing.HOLD, 60_000_000, 59_990_000, 60_010_000))
    market.refresh("KO")
    assert market.next_tick() == OPEN + timedelta(milliseconds=500)
