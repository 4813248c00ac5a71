"""Kept prices are the prices, whoever was there before, and they take only so much memory."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from quant_trading_system.simulation import kept_rows, price_rows
from quant_trading_system.simulation.blocks import Block
from quant_trading_system.simulation.kept_rows import KeptRows
from quant_trading_system.simulation.market import SimulatedMarket
from quant_trading_system.simulation.price_rows import PriceRows
from quant_trading_system.simulation.realism import MarketImpact, Realism
from tests.unit.simulation.test_simulated_market import CALENDAR, daily, intraday

HISTORIES = (daily(30), intraday(bars_a_day=10, days=60))


@pytest.fixture
def day_by_day(monkeypatch):
    """Every daily bar is a block of its own."""
    monkeypatch.setattr(price_rows, "_DAYS", 1)


def told(blocks: list[Block]) -> list[tuple[object, ...]]:
    return [
        (
            block.before, block.first_bar, block.edges, [block.step(row) for row in range(len(block))],
            *(side.tolist() for side in (block.last, block.bid, block.ask, block.volume)),
        )
        for block in blocks
    ]  # fmt: skip


@pytest.mark.parametrize("history", HISTORIES, ids=["daily", "intraday"])
@pytest.mark.parametrize("room", [0, 60_000, 2**27])
@pytest.mark.parametrize("first_bar", [0, 3])
@pytest.mark.parametrize("days", [1, 7, 64])
def test_every_run_sees_the_prices(history, room, first_bar, days, monkeypatch):
    monkeypatch.setattr(kept_rows, "KEPT_BYTES", room)
    monkeypatch.setattr(price_rows, "_DAYS", days)
    expected = told(list(PriceRows(history, CALENDAR, seed=7, first_bar=first_bar).blocks()))
    rows = KeptRows(history, CALENDAR, seed=7, first_bar=first_bar)
    assert [told(list(rows.blocks())) for _ in range(3)] == [expected] * 3


@pytest.mark.usefixtures("day_by_day")
@pytest.mark.parametrize(("room", "all_kept"), [(2**27, True), (60_000, False)])
def test_there_is_room_for_so_many_only(room, all_kept, monkeypatch):
    monkeypatch.setattr(kept_rows, "KEPT_BYTES", room)
    rows = KeptRows(daily(30), CALENDAR, seed=7)
    once, again = list(rows.blocks()), list(rows.blocks())
    same = [one is other for one, other in zip(once, again, strict=True)]
    assert same[0]
    assert all(same) is all_kept
    assert same == sorted(same, reverse=True)


@pytest.mark.usefixtures("day_by_day")
def test_runs_may_be_under_way_at_the_same_time():
    rows = KeptRows(daily(30), CALENDAR, seed=7)
    early, late = rows.blocks(), rows.blocks()
    first = [next(early) for _ in range(10)]
    second = [next(late) for _ in range(20)]
    expected = told(list(PriceRows(daily(30), CALENDAR, seed=7).blocks()))
    assert told(first + list(early)) == told(second + list(late)) == told(list(rows.blocks())) == expected


def test_nobody_can_change_what_is_kept():
    block = next(KeptRows(daily(30), CALENDAR, seed=7).blocks())
    for side in (block.last, block.bid, block.ask, block.volume):
        with pytest.raises(ValueError, match="read-only"):
            side[0] = 0


def test_who_moves_a_market_does_not_move_the_next_one():
    realism = Realism(impact=MarketImpact(temporary_bps=Decimal(100), permanent_bps=Decimal(50)))
    rows = KeptRows(daily(30), CALENDAR, seed=7, realism=realism)

    def lasts(pressed: int) -> list[np.ndarray]:
        market = SimulatedMarket(daily(30), CALENDAR, seed=7, realism=realism, rows=rows)
        market.advance()
        market.press("KO", Decimal(pressed))
        return [market.last_micros.copy() for _ in market]

    calm, moved, calm_again = lasts(0), lasts(1_000_000), lasts(0)
    assert np.array_equal(calm, calm_again)
    assert not np.array_equal(calm, moved)
