"""Paths inside bars: exact at the bar's own prices, on the tick elsewhere, blind to the future."""

import numpy as np
import pytest

from quant_trading_system.simulation import paths
from quant_trading_system.simulation.noise import keys, normals


def micros(*dollars: float) -> np.ndarray:
    return np.array([round(value * 1_000_000) for value in dollars], dtype=np.int64)


def noise(rows: int, columns: int, day: int = 1) -> np.ndarray:
    return normals(keys(7, tuple(f"S{n}" for n in range(columns))), day, rows)


def test_the_tick_is_a_cent_from_one_dollar_up():
    assert paths.ticks(micros(1, 250, 0.9999)).tolist() == [10_000, 10_000, 100]


def test_the_previous_close_skips_missing_bars_and_starts_empty():
    closes = np.array([[10, 0], [11, 20], [0, 0], [13, 23]])
    present = np.array([[True, False], [True, True], [False, False], [True, True]])
    assert paths.previous_closes(closes, present).tolist() == [[0, 0], [10, 0], [11, 20], [11, 20]]


def test_the_volatility_of_a_steady_move_is_the_move():
    closes = np.array([[round(100e6 * 1.01**day)] for day in range(10)])
    present = np.ones((10, 1), dtype=bool)
    squares = paths.squared_returns(closes, paths.previous_closes(closes, present), present)
    assert squares[0, 0] == -1
    assert paths.volatility(squares, 0.5)[0] == pytest.approx(0.01, rel=1e-4)
    assert paths.volatility(squares[:5], 0.5)[0] == 0.5  # four returns are too few
    assert paths.volatility(squares[:6], 0.5)[0] == pytest.approx(0.01, rel=1e-4)


def test_a_window_of_volatility_does_not_depend_on_where_the_history_begins():
    closes = (100e6 * np.cumprod(1 + 0.02 * noise(60, 3), axis=0)).astype(np.int64)
    present = np.ones(closes.shape, dtype=bool)
    whole = paths.squared_returns(closes, paths.previous_closes(closes, present), present)
    late = paths.squared_returns(closes[20:], paths.previous_closes(closes[20:], present[20:]), present[20:])
    assert np.array_equal(paths.volatility(whole[39:59], 0.5), paths.volatility(late[19:39], 0.5))


@pytest.mark.parametrize(("days", "window"), [((0, 30), 20), ((25, 60), 20), ((3, 4), 5), ((59, 60), 100)])
def test_the_volatilities_of_some_days_are_that_of_each(days, window):
    closes = (100e6 * np.cumprod(1 + 0.02 * noise(60, 4), axis=0)).astype(np.int64)
    present = noise(60, 4, day=2) > -1
    squares = paths.squared_returns(closes, paths.previous_closes(closes, present), present)
    each = [paths.volatility(squares[max(day - window, 0) : day], 0.5) for day in range(*days)]
    assert np.array_equal(paths.volatilities(squares, slice(*days), window, 0.5), each)


def test_a_path_between_closes_ends_exactly_at_the_close_even_off_the_tick():
    previous, close = micros(100, 3, 0.5), micros(104.123456, 2.5, 0.501234)
    path = paths.through_closes(previous, close, np.full(3, 0.02), noise(13, 3))
    assert np.array_equal(path[-1], close)
    assert not np.any(path[:-1] % paths.ticks(path[:-1]))
    assert np.all(path > 0)


def test_without_movement_the_path_is_a_straight_line():
    path = paths.through_closes(micros(100), micros(110), np.zeros(1), noise(8, 1))
    assert path[:, 0].tolist() == micros(103, 104, 105, 106, 107, 108, 109, 110).tolist()


def test_the_first_day_of_a_symbol_stays_around_its_close():
    path = paths.through_closes(np.zeros(1, dtype=np.int64), micros(50), np.full(1, 0.02), noise(13, 1))
    assert np.all(np.abs(path - micros(50)) < micros(10))


def test_the_night_tells_nothing_about_the_rest_of_the_day():
    """Over many days whose volatility is known, overnight gap and session are uncorrelated, with their shares."""
    columns, sigma = 20_000, 0.02
    draws = noise(14, columns)
    previous = np.full(columns, 100_000_000)
    close = (previous * (1 + sigma * draws[13])).astype(np.int64)
    path = paths.through_closes(previous, close, np.full(columns, sigma), draws[:13])
    night, day = (path[0] - previous) / previous, (close - path[0]) / previous
    assert abs(np.corrcoef(night, day)[0, 1]) < 0.02
    assert night.var() / sigma**2 == pytest.approx(paths.OVERNIGHT_SHARE, rel=0.05)
    no_night = paths.through_closes(previous, close, np.full(columns, sigma), draws[:13], night=0.0)
    assert np.array_equal(no_night[0], previous)
    halfway = (no_night[6] - previous) / previous
    assert halfway.var() / sigma**2 == pytest.approx(0.5, rel=0.05)


BARS = [
    # open, high, low, close
    (100, 105, 95, 101),
    (100, 100, 95, 97),  # opens at its high
    (100, 108, 100, 108),  # rises from low to high
    (100, 100, 100, 100),
    (0.5, 0.51, 0.49, 0.505),
    (100.123456, 101.5, 99.999999, 100.5),
]


@pytest.mark.parametrize("rows", [4, 5, 13])
def test_a_path_through_bars_touches_all_four_prices_and_stays_within(rows):
    opened, high, low, close = (micros(*prices) for prices in zip(*BARS, strict=True))
    for day in range(20):
        path = paths.through_bars(opened, high, low, close, np.full(len(BARS), 0.03), noise(rows, len(BARS), day))
        assert np.array_equal(path[0], opened)
        assert np.array_equal(path[-1], close)
        assert np.array_equal(path.max(axis=0), high)
        assert np.array_equal(path.min(axis=0), low)


def test_paths_of_some_days_are_those_of_each():
    """Bit by bit; the second day is one on which a bar is flat."""
    bars = np.array([[micros(*prices) for prices in BARS], [micros(*prices) for prices in reversed(BARS)]])
    opened, high, low, close = np.moveaxis(bars, 2, 0)
    sigma, draws = (
        np.array([[0.03] * len(BARS), [0.01] * len(BARS)]),
        np.stack([noise(13, len(BARS), d) for d in (1, 2)]),
    )
    together = paths.through_bars(opened, high, low, close, sigma, draws)
    between = paths.through_closes(opened, close, sigma, draws)
    for day in range(2):
        prices = opened[day], high[day], low[day], close[day]
        assert np.array_equal(together[day], paths.through_bars(*prices, sigma[day], draws[day]))
        assert np.array_equal(between[day], paths.through_closes(opened[day], close[day], sigma[day], draws[day]))


def test_four_points_go_to_the_far_extreme_last():
    opened, high, low, close = micros(100, 100), micros(105, 105), micros(95, 95), micros(101, 99)
    assert paths.four_points(opened, high, low, close).T.tolist() == [
        micros(100, 95, 105, 101).tolist(),  # it rose: low first
        micros(100, 105, 95, 99).tolist(),  # it fell: high first
    ]


QUOTES = """
last        bps  bid      ask
100         4    99.98    100.02
100         0    100      100.01     # one tick at least
20          4    20       20.01
50          4    49.99    50.01
1           100  1        1.01
0.5         40   0.4990   0.5010
0.9999      0    0.9999   1.00       # the ask is on the coarser tick above a dollar
0.0001      0    0.0001   0.0002
129.652     4    129.63   129.68
1000000     4    999800   1000200
"""


@pytest.mark.parametrize("line", QUOTES.strip().splitlines()[1:])
def test_quotes_stand_around_the_last_trade(line):
    last, bps, bid, ask = (float(text) for text in line.split("#")[0].split())
    shown = paths.quotes_around(micros(last), bps / 10_000)
    assert [price.tolist() for price in shown] == [micros(bid).tolist(), micros(ask).tolist()]


def test_a_days_volume_is_spread_over_its_steps_with_most_at_both_ends():
    profile = paths.volume_profile(13)
    assert profile.sum() == 1_000_000
    assert profile.argmin() == 6
    assert profile[0] == pytest.approx(3 * profile[6], rel=0.001)
    volume = paths.spread_volume(np.array([[1_000_000, 13]]), profile)
    assert volume.shape == (1, 13, 2)
    assert volume[0, :, 0].tolist() == profile.tolist()
