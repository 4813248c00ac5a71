"""Parents in a backtest: the same desk, gate and venue, with time that jumps to the next slice; then what it cost."""

from __future__ import annotations

import json
import sys
from datetime import date
from decimal import Decimal

import pytest

from quant_trading_system.app.parent_record import parent_record
from quant_trading_system.cli import main
from quant_trading_system.core.exceptions import InvalidNumber
from quant_trading_system.execution.algo.parent import Algorithm, ParentOrder
from quant_trading_system.execution.parent_history import calibrated, parents_of, results_of
from quant_trading_system.execution.tca_groups import impact_samples
from quant_trading_system.execution.tca_report import tca_report
from quant_trading_system.journal.replay import replay
from quant_trading_system.market.sessions import Session
from quant_trading_system.trading.planning import ExecutionPolicy
from quant_trading_system.trading.strategy import Strategy
from tests.support.parent_runs import DAYS, InAndOut, trade

D = Decimal


@pytest.fixture(scope="module")
def run():
    return trade(InAndOut())


def test_a_wish_asks_for_an_algorithm_and_a_large_order_gets_one_unasked(run):
    bought, sold = parents_of(run.account.journal)
    assert (bought.first.algorithm, bought.first.side, bought.last.status) == ("vwap", "buy", "completed")
    assert (sold.first.algorithm, sold.first.side, sold.last.status) == ("twap", "sell", "completed")
    assert sold.plan is not None
    assert "of an average day" in sold.plan.why
    assert not run.account.system.portfolio.positions
    assert replay(run.account.journal).agrees


def test_fills_of_the_children_are_the_parent(run):
    for parent in parents_of(run.account.journal):
        assert sum(fill.quantity for fill in parent.fills) == parent.last.filled == parent.last.quantity
        assert sum(child.filled for child in parent.children.values()) == parent.last.filled
        assert len(parent.children) > 50
        times = [fill.at for fill in parent.fills]
        assert times[-1] - times[0] > (times[0] - parent.first.at) * 10  # spread over the day


def test_the_expected_cost_is_on_record_before_the_first_child(run):
    journal = run.account.journal
    first = next(entry for entry in journal.entries(kinds=("parent",)))
    children = [entry for entry in journal.entries(kinds=("order",)) if entry.event.decision is not None]
    assert first.seq < children[0].seq
    record = parent_record(journal, first.event.parent_id)
    assert record is not None
    assert record.expected_bps == children[0].event.decision.plan.expected_slippage_bps
    assert record.expected_bps > 0
    assert children[0].cause == first.seq
    assert first.cause is not None  # the signal


def test_own_share_of_the_volume_stays_within_the_cap(run):
    for result in results_of(parents_of(run.account.journal)):
        assert result.others_volume is not None
        assert result.filled <= result.others_volume * ExecutionPolicy().participation


def test_small_orders_and_orders_that_say_so_are_sent_whole():
    assert parents_of(trade(InAndOut(""), volume=2_000_000).account.journal) == []
    whole = trade(InAndOut("once"), policy=ExecutionPolicy(algorithm_from_adv=None))
    assert parents_of(whole.account.journal) == []
    assert whole.quality.submitted == 2


def test_what_no_algorithm_can_trade_in_time_follows_the_volume_and_the_rest_expires():
    (bought, *_) = parents_of(trade(InAndOut("auto"), volume=2_000).account.journal)
    assert (bought.first.algorithm, bought.last.status) == ("pov", "expired")
    result = bought.result()
    assert result is not None
    assert 0 < result.filled < result.quantity


def test_a_run_gives_the_same_journal_twice(run):
    assert trade(InAndOut()).journal_head == run.journal_head


class Explicit(Strategy):
    """Gives a parent order of its own, with an id that is not its to choose."""

    def on_bar(self, market):
        if market.bar != 10:
            return
        session = Session(market.now.date(), market.now, market.now)
        start = session.open
        yield ParentOrder(
            parent_id="mine",
            symbol="KO",
            side="buy",
            quantity=D(200),
            algorithm=Algorithm.PEG,
            display=D(50),
            start=start,
            end=start.replace(day=start.day + 1),
        )


def test_a_strategy_gives_a_parent_order_of_its_own():
    result = trade(Explicit())
    (parent,) = parents_of(result.account.journal)
    assert parent.first.parent_id == f"{result.account.run}-1"
    assert parent.first.strategy == "Explicit"
    assert {child.quantity for child in parent.children.values()} == {50}
    assert parent.last.ended


class Mistaken(Strategy):
    """Asks for an algorithm that does not exist."""

    def on_bar(self, market):
        yield market.long("KO", weight="0.05", execution="quickly")


def test_an_unknown_algorithm_stops_the_strategy():
    (stopped,) = trade(Mistaken()).stopped
    assert "execution 'quickly' is none of adaptive, auto" in stopped.error


# -- what it cost


def test_the_parts_of_the_cost_sum_to_it_and_feed_the_calibration(run):
    report = tca_report(run.account.journal)
    for parent in report.parents:
        cut = parent.shortfall
        assert cut is not None
        assert cut.total == cut.delay + cut.spread + cut.impact + cut.timing + cut.opportunity + cut.fees
        assert parent.expected_bps is not None
        assert parent.against["arrival"] is not None
        assert set(parent.mark_outs) == {"1", "10", "60", "300"}
    assert report.total is not None
    assert report.total.total == sum(parent.shortfall.total for parent in report.parents)
    assert {group.name for group in report.by_algorithm} == {"twap", "vwap"}
    results = results_of(parents_of(run.account.journal))
    assert all(result.daily_volume == 20_000 and result.volatility for result in results)
    assert isinstance(impact_samples(results), list)
    with pytest.raises(InvalidNumber, match="too few to calibrate"):
        calibrated([run.account.journal])


def test_what_did_not_fill_counts_with_what_it_missed():
    journal = trade(InAndOut("auto"), volume=2_000).account.journal
    costs = tca_report(journal).parents[0]
    (history, *_) = parents_of(journal)
    result = history.result()
    assert costs.shortfall is not None
    assert result is not None
    missed = (result.quantity - result.filled) * (result.end_price - result.decision_price)
    assert costs.shortfall.opportunity == missed != 0


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    place = tmp_path_factory.mktemp("run") / "account"
    trade(InAndOut(), directory=place)
    return place


@pytest.fixture
def qts(directory, monkeypatch, capsys):
    def command(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["qts", *arguments, "--journal", str(directory)])
        with pytest.raises(SystemExit) as end:
            main.run()
        assert not end.value.code
        return capsys.readouterr().out

    return command


def test_the_commands_tell_of_parents_and_their_costs(qts, tmp_path):
    (first, _) = json.loads(qts("algo", "status", "--json"))
    assert "completed" in qts("algo", "status")
    told = qts("explain", first["parent_id"])
    assert "vwap was asked for" in told
    assert f"{first['parent_id']}-1: " in told
    assert json.loads(qts("explain", first["parent_id"], "--json"))["status"] == "completed"
    child = " ".join(qts("explain", f"{first['parent_id']}-1").split())
    assert f"a slice of parent {first['parent_id']}" in child
    page = tmp_path / "costs.html"
    assert "all that have ended" in qts("report", "tca", "--html", str(page))
    text = page.read_text(encoding="utf-8")
    assert "Implementation shortfall" in text
    assert text.count("<svg") >= 2
    assert "Against benchmarks" in text
    report = json.loads(qts("report", "tca", "--json"))
    assert report["total"]["parents"] == 2
    quality = report["quality"]
    assert quality["orders"] > 50
    assert 0 < D(quality["fill_rate"]) <= 1
    assert D(quality["latency_ms"]["sent_to_acknowledged"]) > 0
    assert "sent to acknowledged" in text
    assert {"close": None, "vwap": None} == {name: report["parents"][0]["against"][name] for name in ("close", "vwap")}


def test_prices_of_the_day_add_open_and_close_to_the_benchmarks(qts, tmp_path):
    prices = tmp_path / "prices.csv"
    rows = [f"{day},KO,100,200,99,{100 + number},20000" for number, day in enumerate(DAYS)]
    prices.write_text("\n".join(["date,symbol,open,high,low,close,volume", *rows]), encoding="utf-8")
    (first, _) = json.loads(qts("report", "tca", "--prices", str(prices), "--json"))["parents"]
    average, day = D(first["average"]), DAYS.index(date.fromisoformat(first["started_at"][:10]))
    assert D(first["against"]["open"]) == pytest.approx((average - 100) / 100 * 10_000)
    assert D(first["against"]["close"]) == pytest.approx((average / (100 + day) - 1) * 10_000)
    assert "close" in qts("report", "tca", "--prices", str(prices))
