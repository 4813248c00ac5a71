"""What the whole engine pays on a market with known impact is what theory says; `make soak` draws many more days."""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from itertools import pairwise

import msgspec
import numpy as np
import pytest

from quant_trading_system.cli import main
from quant_trading_system.core.exceptions import InvalidOrder
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.execution.algo.almgren_chriss import optimal_trajectory
from quant_trading_system.execution.algo.parent import Algorithm
from quant_trading_system.research.execution_study import compare, expected, frontier
from quant_trading_system.research.study_day import Study, trade
from quant_trading_system.simulation.realism import MarketImpact
from tests.support.studies import STUDY, UNEVEN

D = Decimal
WIDTH = 3.3
"""Standard errors; one honest estimate in a thousand lies farther away, and the seeds are fixed."""
DAYS = 60


def test_the_engine_pays_what_the_frontier_of_almgren_and_chriss_says():
    """Mean and variance for several risk aversions; cost rises and risk falls along the curve."""
    points = frontier(STUDY, [0.01, 2.0, 5.0], DAYS, seed=11)
    for point, urgency in zip(points, [0.01, 2.0, 5.0], strict=True):
        best = optimal_trajectory(STUDY.with_urgency(urgency).problem)
        assert point.filled == 1
        assert point.expected_cost == pytest.approx(best.expected_cost, rel=1e-9)
        assert point.expected_risk == pytest.approx(best.deviation, rel=1e-9)
        assert abs(point.cost.mean - point.expected_cost) < WIDTH * point.cost.error
        assert point.cost.error < 0.003 * point.expected_cost, "without the luck it is a sharp test"
        assert abs(point.seen.mean - point.expected_cost) < WIDTH * point.seen.error
        assert abs(point.seen.deviation - point.expected_risk) < WIDTH * point.seen.deviation_error
    assert all(a.cost.mean < b.cost.mean and a.seen.deviation > b.seen.deviation for a, b in pairwise(points))


def test_the_algorithms_rank_as_theory_predicts():
    rows = {row.name: row for row in compare(UNEVEN, 60, seed=3)}
    aversion = UNEVEN.risk_aversion
    for row in rows.values():
        assert row.filled == 1
        assert row.cost.mean == pytest.approx(row.expected_cost, abs=4 * row.cost.error + 0.005 * row.expected_cost)
        assert abs(row.seen.deviation - row.expected_risk) < WIDTH * row.seen.deviation_error
    for key, names in (
        (lambda row: row.cost.mean, ["vwap", "twap", "shortfall", "pov"]),
        (lambda row: row.seen.deviation, ["shortfall", "pov", "vwap", "twap"]),
        (lambda row: row.utility(aversion, theory=True), ["shortfall", "vwap", "pov", "twap"]),
        (lambda row: row.utility(aversion, theory=False), ["shortfall", "vwap", "pov", "twap"]),
    ):
        assert sorted(rows, key=lambda name: key(rows[name])) == names


def test_a_sale_costs_what_a_purchase_costs():
    """The same days; what the price does by itself helps one and hurts the other."""
    even = [10_000.0] * 10
    bought = trade(STUDY, Algorithm.TWAP, even, 20, seed=5)
    sold = trade(msgspec.structs.replace(STUDY, side=OrderSide.SELL), Algorithm.TWAP, even, 20, seed=5)
    assert np.allclose(bought.luck, -sold.luck)
    assert (bought.cost - bought.luck).mean() == pytest.approx((sold.cost - sold.luck).mean(), rel=0.02)


def test_without_impact_there_is_nothing_but_luck_and_half_the_spread():
    still = msgspec.structs.replace(STUDY, impact=MarketImpact(), spread_bps=D(4))
    traded = trade(still, Algorithm.TWAP, [10_000.0] * 10, 10, seed=5)
    half = still.half_spread * 100_000
    assert half == pytest.approx(0.08 * 100_000, rel=1e-3)
    assert traded.cost - traded.luck == pytest.approx(np.full(10, half), rel=0.04), "it follows the price"


def test_what_a_volume_follower_cannot_trade_in_time_counts_as_not_filled():
    slow = msgspec.structs.replace(UNEVEN, participation=D("0.05"))
    pov = next(row for row in compare(slow, 2, seed=3) if row.name == "pov")
    assert pov.filled == pytest.approx(0.05 * sum(slow.volumes[:12]) / 100_000, rel=0.01)
    assert expected(slow, [1.0])[1] == 0


@pytest.mark.parametrize(
    ("change", "field"), [({"quantity": D("0.5")}, "quantity"), ({"volatility": 0.0}, "price"), ({"steps": 2}, "steps")]
)
def test_a_study_that_makes_no_sense_is_refused(change, field):
    with pytest.raises(InvalidOrder) as refusal:
        Study(**{**msgspec.structs.asdict(STUDY), **change})
    assert refusal.value.field == field


def test_the_command_shows_both_sides_and_writes_the_page(tmp_path, monkeypatch, capsys):
    def qts(*arguments: str) -> str:
        asked = ("algo", "compare", "KO", "buy", "200000", "--adv", "12000000", "--paths", "4", "--slices", "5")
        monkeypatch.setattr(sys, "argv", ["qts", *asked, *arguments])
        with pytest.raises(SystemExit) as end:
            main.run()
        assert not end.value.code
        return capsys.readouterr().out

    page = tmp_path / "compare.html"
    told = qts("--html", str(page))
    assert told.index("shortfall") < told.index("pov")
    assert "on 4 simulated days" in told
    drawn = page.read_text(encoding="utf-8")
    assert drawn.count("<circle") == 9, "five points of the frontier and four algorithms"
    found = json.loads(qts("--temporary-impact", "10", "--permanent-impact", "5", "--impact-exponent", "1", "--json"))
    assert [row["name"] for row in found["algorithms"]] == ["twap", "vwap", "shortfall", "pov"]
    assert found["study"]["impact"]["temporary_bps"] == "10"
