"""Paths and quotes of the simulated market, for any bar."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from quant_trading_system.simulation import paths
from quant_trading_system.simulation.noise import keys, normals

PRICES = st.integers(100, 10**12)
"""From a hundredth of a cent to a million dollars."""
SIGMAS = st.floats(0, 0.5)
ROWS = st.integers(4, 40)
DAYS = st.integers(0, 40_000)


def column(value: int) -> np.ndarray:
    return np.array([value], dtype=np.int64)


def noise(rows: int, day: int) -> np.ndarray:
    return normals(keys(1, ("KO",)), day, rows)


@given(PRICES, PRICES, SIGMAS, ROWS, DAYS)
def test_a_path_between_closes_is_positive_and_ends_at_the_close(previous, close, sigma, rows, day):
    path = paths.through_closes(column(previous), column(close), np.array([sigma]), noise(rows, day))
    assert path[-1, 0] == close
    assert path.min() > 0
    assert not np.any(path[:-1] % paths.ticks(path[:-1]))


@given(st.lists(PRICES, min_size=4, max_size=4), SIGMAS, ROWS, DAYS)
def test_a_path_through_a_bar_touches_its_extremes_and_never_leaves_them(prices, sigma, rows, day):
    low, *middle, high = sorted(prices)
    opened, close = middle if day % 2 else middle[::-1]
    path = paths.through_bars(
        column(opened), column(high), column(low), column(close), np.array([sigma]), noise(rows, day)
    )
    assert (path[0, 0], path[-1, 0]) == (opened, close)
    assert (path.min(), path.max()) == (low, high)


@given(PRICES, st.floats(0, 0.2))
def test_quotes_are_never_crossed_or_locked_and_always_on_the_tick(last, spread):
    bid, ask = paths.quotes_around(column(last), spread)
    tick = paths.ticks(column(last))
    assert 0 < bid < ask
    assert bid % paths.ticks(bid) == 0
    assert ask % paths.ticks(ask) == 0
    assert bid - tick < last < ask + tick
    assert ask - bid <= last * spread + 2 * tick or last < 1_000_000 <= ask
