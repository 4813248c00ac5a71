"""The latest bar of a symbol that has none now."""

from __future__ import annotations

import numpy as np

from quant_trading_system.market.latest_bars import LatestBars


def test_the_latest_bar_is_found_whoever_asks_and_in_whatever_order():
    rng = np.random.default_rng(3)
    present = rng.random((80, 3)) < 0.2
    present[:20, 1] = present[30:, 2] = False
    asked = [*range(80), *rng.integers(0, 80, 200).tolist()]
    latest = LatestBars(present)
    for index in asked:
        for column in range(3):
            known = np.flatnonzero(present[: index + 1, column])
            assert latest.of(column, index) == (known[-1] if len(known) else None), (index, column)


def test_what_was_looked_at_is_not_searched_again_as_time_goes_on():
    """A symbol whose bars have ended long ago is asked for at every bar."""
    present = np.array([[True], [True], [False], [False], [False]])
    latest = LatestBars(present)
    assert latest.of(0, 2) == 1
    present[:] = False
    assert latest.of(0, 2) == latest.of(0, 3) == latest.of(0, 4) == 1
    assert latest.of(0, 1) is None, "who looks back is told what is there"


def test_a_long_past_is_not_searched_for_a_bar_that_was_there_a_moment_ago():
    """A live engine looks at a new history with every bar, and many symbols have none in this minute."""
    seen: list[int] = []

    class Watched(np.ndarray):
        def __getitem__(self, key):
            found = super().__getitem__(key)
            seen.append(found.size)
            return found

    present = np.ones((100_000, 1), dtype=bool).view(Watched)
    present[-3:] = False
    assert LatestBars(present).of(0, 99_999) == 99_996
    assert sum(seen) < 1_000
