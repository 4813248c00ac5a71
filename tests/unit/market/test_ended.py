"""Which symbols have no bars any more, and what is a gap only."""

from __future__ import annotations

import numpy as np
import pytest

from quant_trading_system.market import ended
from quant_trading_system.market.ended import columns_to_come, last_bars
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.market.shared_prices import open_prices, share_prices
from tests.support.minute_bars import minute_bars

NAMES = ("ENDS", "GAPS", "LATE", "LAST", "NONE")
"""Bars 0 to 2 and no more; gaps at 4 to 6 and from 9 on; from 5 on; at the end only; none at all."""


@pytest.fixture
def history() -> PriceHistory:
    whole = minute_bars(12, NAMES)
    present = np.zeros((12, 5), dtype=bool)
    present[:3, 0] = present[:4, 1] = present[7:9, 1] = present[5:, 2] = present[11, 3] = True
    return PriceHistory(NAMES, whole.axis, whole.close_micros, present)


def part_of(history: PriceHistory, end: int) -> PriceHistory:
    """The bars before that number."""
    return history.between(history.time_at(0), history.time_at(end - 1))


def test_a_symbol_has_ended_when_nothing_of_it_follows(history):
    assert last_bars(history) == {"ENDS": 2, "GAPS": 8}


def test_what_comes_after_a_part_counts(history):
    assert last_bars(part_of(history, 6)) == {"ENDS": 2}
    assert part_of(history, 6).goes_on == {"GAPS", "LAST"}
    assert last_bars(part_of(history, 10)) == {"ENDS": 2, "GAPS": 8}
    assert last_bars(part_of(part_of(history, 8), 6)) == {"ENDS": 2}
    assert part_of(history, 12).goes_on == frozenset()


def test_it_stays_known_of_some_of_the_symbols_and_in_other_processes(history, tmp_path):
    part = part_of(history, 6).select(["ENDS", "GAPS"])
    assert part.goes_on == {"GAPS"}
    share_prices(part, tmp_path)
    assert last_bars(open_prices(tmp_path)) == {"ENDS": 2}


def test_the_rest_is_looked_at_some_rows_at_a_time(history, monkeypatch):
    looked = []

    def one_by_one(rows, columns):
        for row in range(rows):
            looked.append(columns)
            yield slice(row, row + 1)

    monkeypatch.setattr(ended, "row_blocks", one_by_one)
    assert columns_to_come(history.present, 5) == [1, 2, 3]
    assert len(looked) == 7
    assert columns_to_come(history.present[:9], 1) == [2]
