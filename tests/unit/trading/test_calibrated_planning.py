"""From own executions to the next plan: journals of finished parents, a calibration, its file, and its users."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from decimal import Decimal
from math import nan

import pytest

from quant_trading_system.cli import main
from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.execution.algo.calibration import Calibration, Estimate
from quant_trading_system.execution.algo.impact import AlmgrenImpact
from quant_trading_system.execution.algo.impact_file import read_impact, write_impact
from quant_trading_system.execution.parent_history import parents_of
from quant_trading_system.simulation.realism import MarketImpact, Realism
from quant_trading_system.trading.planning import ExecutionPolicy
from quant_trading_system.trading.policy_words import read_policy
from quant_trading_system.trading.strategy import Strategy
from tests.support.parent_runs import InAndOut, trade

D = Decimal


class EveryDay(Strategy):
    """In on one day and out on the next, each time another size."""

    def on_bar(self, market):
        if market.bar < 5:
            return
        weight = f"0.0{3 + market.bar % 6}"
        yield (
            market.long("KO", weight=weight, execution="twap")
            if market.bar % 2
            else market.flat("KO", execution="twap")
        )


@pytest.fixture(scope="module")
def journals(tmp_path_factory):
    """Two runs on a market with a known impact; of one the parents take an hour, of the other the day."""
    place = tmp_path_factory.mktemp("runs")
    realism = Realism(impact=MarketImpact(temporary_bps=D(300), permanent_bps=D(300)))
    for name, horizon in (("slow", None), ("fast", timedelta(hours=1)), ("brief", timedelta(minutes=30))):
        policy = ExecutionPolicy(horizon=horizon, participation=D(1), slice_length=timedelta(minutes=30))
        trade(EveryDay(), directory=place / name, realism=realism, policy=policy, run=f"run-{name}")
    return [str(place / name) for name in ("slow", "fast", "brief")]


@pytest.fixture
def qts(monkeypatch, capsys):
    def command(*arguments: str, fails: bool = False) -> str:
        monkeypatch.setattr(sys, "argv", ["qts", *arguments])
        with pytest.raises(SystemExit) as end:
            main.run()
        assert bool(end.value.code) is fails
        told = capsys.readouterr()
        return told.err if fails else told.out

    return command


def test_what_own_parents_cost_becomes_the_model_of_the_next_plan(qts, journals, tmp_path):
    file = tmp_path / "impact.json"
    told = qts("algo", "calibrate", *journals, "--out", str(file))
    assert "parent orders" in told
    assert "η, temporary" in told
    found = json.loads(qts("algo", "calibrate", *journals, "--json"))
    assert found["samples"] >= 20
    model = read_impact(file)
    assert model.eta == pytest.approx(max(found["eta"]["value"], 0))
    asked = ("algo", "plan", "KO", "buy", "200000", "--adv", "12000000", "--json")
    usual, planned = json.loads(qts(*asked)), json.loads(qts(*asked, "--impact", str(file)))
    assert usual["chosen"]["impact_bps"] != planned["chosen"]["impact_bps"]


def test_too_few_parents_say_so(qts, journals):
    assert "too few to calibrate" in qts("algo", "calibrate", journals[0], fails=True)


def test_a_running_engine_plans_with_it_too(tmp_path):
    """Twice the impact is twice the expected cost beside the spread."""
    costs = []
    for factor in (1, 10):
        file = tmp_path / f"impact-{factor}.json"
        write_impact(file, calibration(gamma=0.3 * factor, eta=0.2 * factor))
        policy = read_policy([f"impact={file}"], ExecutionPolicy())
        (bought, _) = parents_of(trade(InAndOut(), policy=policy).account.journal)
        assert bought.plan is not None
        costs.append(bought.plan.expected_slippage_bps)
    assert costs[1] > 5 * costs[0]


def calibration(gamma: float, eta: float) -> Calibration:
    return Calibration(
        gamma=Estimate(gamma, 0.1), eta=Estimate(eta, 0.1), exponent=Estimate(0.6, 0.0), samples=40, explained=0.1
    )


def test_a_file_gives_back_what_was_written_and_noise_counts_as_zero(tmp_path):
    file = tmp_path / "impact.json"
    write_impact(file, calibration(gamma=-0.2, eta=0.15))
    assert read_impact(file) == AlmgrenImpact(0.0, 0.15, 0.6)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "holds no calibrated impact"),
        ('{"gamma": 0.3}', "holds no calibrated impact"),
        ('{"gamma": 0.3, "eta": -1, "exponent": 0.6, %s}', "must be at least 0"),
        ('{"gamma": 0.3, "eta": 0.1, "exponent": 0, %s}', "exponent above 0"),
    ],
)
def test_a_file_that_holds_no_model_is_refused(tmp_path, text, words):
    file = tmp_path / "impact.json"
    file.write_text(text.replace("%s", '"gamma_error": 0, "eta_error": 0, "samples": 20'))
    with pytest.raises(ConfigurationError, match=words):
        read_impact(file)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_impact(tmp_path / "nowhere.json")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        write_impact(tmp_path / "no" / "such.json", calibration(nan, 0.1))
