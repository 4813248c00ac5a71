"""A sweep has the same outcome wherever its trials run and however often it is begun again."""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import date
from decimal import Decimal
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from quant_trading_system.app.backtesting import backtest
from quant_trading_system.app.bootstrap import Setup
from quant_trading_system.app.strategy_loading import StrategySource
from quant_trading_system.app.sweeping import pools
from quant_trading_system.app.sweeping.ledger import PLAN_FILE, TRIALS_FILE
from quant_trading_system.app.sweeping.pools import PRICES, InProcess, Processes
from quant_trading_system.app.sweeping.results import summary, write_results, write_sweep_report
from quant_trading_system.app.sweeping.sweep import Sweep, SweepPlan
from quant_trading_system.core.exceptions import ConfigurationError, StrategyError, SweepInterrupted
from quant_trading_system.market.bundled import load_sp500
from quant_trading_system.market.loading import load_prices
from quant_trading_system.market.shared_prices import open_prices, share_prices
from quant_trading_system.market.universes import sp500_20
from quant_trading_system.research.search import BATCH
from quant_trading_system.research.sweep import WHOLE, Window, judge, ranked, returns_of
from quant_trading_system.research.sweep_words import Metric, Sampler, Status
from quant_trading_system.risk.position_sizer import make_sizer
from quant_trading_system.simulation import price_rows

CROSS = b"""
from quant_trading_system.trading.strategy import Strategy

class Cross(Strategy):
    def __init__(self, fast: int = 2, slow: int = 6, weight: str = "0.08"):
        if fast >= slow:
            raise ValueError(f"fast {fast} must be below slow {slow}")
        self.fast, self.slow, self.weight = fast, slow, weight

    def on_bar(self, market):
        if self.fast == 4:
            raise RuntimeError("four is not my number")
        for symbol in market.symbols:
            closes = market.closes(symbol, self.slow)
            rising = closes[-self.fast:].mean() > closes.mean()
            if rising and not market.position(symbol):
                yield market.long(symbol, weight=self.weight)
            elif not rising and market.position(symbol):
                yield market.flat(symbol)
"""


@pytest.fixture(scope="module")
def prices():
    return load_sp500(date(2020, 1, 2), date(2020, 4, 30), symbols=["KO", "XOM"])


@pytest.fixture
def plan():
    return SweepPlan(
        source=StrategySource("cross.py:Cross", CROSS),
        params=("fast=1,2,4", "slow=4,9"),
        window=Window(date(2020, 2, 3), date(2020, 4, 30)),
        setup=Setup(universe=sp500_20()),
    )


def run(plan, prices, directory, watch=None):
    """On one core; the pool that would be asked for more is never asked for what is there."""
    sweep = Sweep(plan, prices)
    return sweep.run(InProcess(sweep.work, prices), directory, watch)


def test_processes_find_what_one_finds(plan, prices, tmp_path):
    plan = replace(plan, folds=2, purge=1, embargo=1)
    one = run(plan, prices, tmp_path / "one")
    sweep = Sweep(plan, prices)
    two = sweep.run(Processes(sweep.work, prices, jobs=2, directory=tmp_path / "two"), tmp_path / "two")
    assert two == one
    for result, name in ((one, "one"), (two, "two")):
        write_results(result, tmp_path / name)
        write_sweep_report(result, tmp_path / name)
    for file in ("results.parquet", "report.html"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    assert not (tmp_path / "two" / PRICES).exists()
    assert sweep.total == 6 + 2 * 6 + 2 == len(two.tried)


STAGES = (WHOLE, "train 1", "test 1")
STARTED_BY = b"""
import os, sys
from quant_trading_system.trading.strategy import Strategy

class StartedBy(Strategy):
    def __init__(self, number: int = 0):
        self.number = number

    def on_bar(self, market):
        raise RuntimeError(f"{os.getpid()} {os.getppid()} {'polars' in sys.modules}")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="processes of other systems import for themselves")
def test_processes_are_copies_of_one_that_has_imported_and_done_nothing(plan, prices, tmp_path):
    plan = replace(plan, source=StrategySource("started.py", STARTED_BY), params=("number=0:7",))
    sweep = Sweep(plan, prices)
    result = sweep.run(Processes(sweep.work, prices, jobs=2, directory=tmp_path / "two"), tmp_path / "two")
    told = [re.search(r"(\d+) (\d+) (True|False)", one.error).groups() for one in result.outcomes]
    assert {parent for _, parent, _ in told}.isdisjoint({str(os.getpid()), *(process for process, _, _ in told)})
    assert len({parent for _, parent, _ in told}) == 1
    assert {knows_polars for _, _, knows_polars in told} == {"False"}  # it would start threads


@pytest.mark.parametrize(("system", "method"), [("linux", "forkserver"), ("darwin", "spawn")])
def test_no_process_is_a_copy_of_this_one(monkeypatch, system, method):
    monkeypatch.setattr(pools, "sys", SimpleNamespace(platform=system))
    assert pools._clean_start().get_start_method() == method


def test_what_processes_are_copied_from_has_no_threads():
    what = f"import {pools.__name__}, threading; print(threading.active_count())"
    told = subprocess.run([sys.executable, "-c", what], capture_output=True, text=True, check=True)
    assert told.stdout == "1\n"


@pytest.mark.parametrize("error", [EOFError, ConnectionRefusedError])
def test_a_sweep_whose_starting_process_died_is_interrupted(plan, prices, tmp_path, monkeypatch, error):
    class Dead(ProcessPoolExecutor):
        def submit(self, *_):
            raise error

    monkeypatch.setattr(pools, "ProcessPoolExecutor", Dead)
    sweep = Sweep(plan, prices)
    with pytest.raises(SweepInterrupted, match="died"):
        sweep.run(Processes(sweep.work, prices, jobs=2, directory=tmp_path / "two"), tmp_path / "two")
    assert not (tmp_path / "two" / PRICES).exists()


def test_trials_on_one_window_share_what_the_market_does(plan, prices, tmp_path, monkeypatch):
    made = []
    block = price_rows.Block
    monkeypatch.setattr(price_rows, "_DAYS", 1)
    monkeypatch.setattr(price_rows, "Block", lambda bar, *others: made.append(bar) or block(bar, *others))
    result = run(replace(plan, folds=1), prices, tmp_path / "sweep")
    assert sum(one.status is Status.COMPLETE for one in result.outcomes) == 4
    of_the_plan = 1  # the account whose limits and name the ledger keeps
    longest = {stage: max(len(one.days) for one in result.tried if one.stage == stage) for stage in STAGES}
    assert len(made) == of_the_plan + sum(longest.values())


def test_a_trial_is_a_whole_backtest(plan, prices, tmp_path):
    """The same journal as the same strategy alone, to the last bit."""
    result = run(plan, prices, tmp_path / "sweep")
    first = result.outcomes[1]
    assert first.parameters == {"fast": "1", "slow": "9"}
    cross = plan.source.load()
    alone = backtest(
        cross(fast=1, slow=9), prices, Setup(universe=sp500_20(), first_bar=prices.index_of(date(2020, 2, 3)))
    )
    assert (first.journal_head, first.journal_entries) == (alone.journal_head, alone.journal_entries)
    assert first.equity_end == alone.statistics.equity_end
    assert first.figures["sharpe"] == alone.statistics.sharpe
    assert first.orders == alone.quality.orders > 0
    assert np.prod(1 + np.array(first.returns)) == pytest.approx(
        float(first.equity_end / alone.statistics.equity_start)
    )


def test_what_fails_is_told_and_never_best(plan, prices, tmp_path):
    result = run(plan, prices, tmp_path / "sweep")
    ends = [(one.parameters["fast"], one.parameters["slow"], one.status) for one in result.outcomes]
    assert ends == [
        ("1", "4", Status.COMPLETE),
        ("1", "9", Status.COMPLETE),
        ("2", "4", Status.COMPLETE),
        ("2", "9", Status.COMPLETE),
        ("4", "4", Status.REFUSED),
        ("4", "9", Status.STOPPED),
    ]
    assert "must be below" in result.outcomes[4].error
    assert "four is not my number" in result.outcomes[5].error
    assert set(result.verdict.ranked) == {0, 1, 2, 3}
    assert [one["number"] for one in summary(result)["failed"]] == [4, 5]


def test_a_finished_sweep_runs_nothing_again(plan, prices, tmp_path):
    first = run(plan, prices, tmp_path / "sweep")
    lines = (tmp_path / "sweep" / TRIALS_FILE).read_bytes()
    seen = []
    again = run(plan, prices, tmp_path / "sweep", seen.append)
    assert (tmp_path / "sweep" / TRIALS_FILE).read_bytes() == lines
    assert replace(again, resumed=0) == first
    assert (first.resumed, again.resumed) == (0, 6)
    assert [progress.done for progress in seen] == [*range(1, 7)]
    assert seen[-1].best == first.best


def test_prices_that_were_divided_anew_go_on_and_changed_ones_do_not(plan, prices, tmp_path):
    rows = {
        symbol: [f"{prices.dates[bar]},{prices.close(symbol, bar)}" for bar in range(len(prices))]
        for symbol in prices.symbols
    }
    (tmp_path / "prices").mkdir()
    for symbol, lines in rows.items():
        (tmp_path / "prices" / f"{symbol}.csv").write_text("\n".join(["date,close", *lines]))
    long = [row.replace(",", f",{symbol},") for symbol, lines in rows.items() for row in lines]
    (tmp_path / "one.csv").write_text("\n".join(["date,symbol,close", *long]))
    first = run(plan, load_prices(tmp_path / "one.csv"), tmp_path / "sweep")
    again = run(plan, load_prices(tmp_path / "prices"), tmp_path / "sweep")
    assert again.resumed == 6
    assert replace(again, resumed=0) == first
    (tmp_path / "prices" / "KO.csv").write_text("\n".join(["date,close", *rows["KO"][:-1]]))
    with pytest.raises(ConfigurationError, match=r"another sweep: not the same prices"):
        run(plan, load_prices(tmp_path / "prices"), tmp_path / "sweep")


@pytest.mark.parametrize("cut", [1, 40])
def test_a_torn_line_is_tried_again(plan, prices, tmp_path, cut):
    first = run(plan, prices, tmp_path / "sweep")
    file = tmp_path / "sweep" / TRIALS_FILE
    whole = file.read_bytes()
    file.write_bytes(whole[:-cut])
    again = run(plan, prices, tmp_path / "sweep")
    assert again.resumed == 5
    assert replace(again, resumed=0) == first
    assert file.read_bytes() == whole


def test_the_trials_of_a_stage_share_their_days(plan, prices, tmp_path):
    """In memory they would else take more than the returns; also when they are read again."""
    for result in (run(plan, prices, tmp_path / "sweep"), run(plan, prices, tmp_path / "sweep")):
        days = [outcome.days for outcome in result.outcomes if outcome.status is Status.COMPLETE]
        assert len(days) > 1
        assert all(one is days[0] for one in days)


def test_a_damaged_line_is_not_passed_over(plan, prices, tmp_path):
    run(plan, prices, tmp_path / "sweep")
    file = tmp_path / "sweep" / TRIALS_FILE
    file.write_bytes(file.read_bytes().replace(b'"complete"', b'"compleat"', 1))
    with pytest.raises(ConfigurationError, match="is damaged"):
        run(plan, prices, tmp_path / "sweep")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"params": ("fast=1,2", "slow=9")}, "not the same parameters;"),
        ({"metric": Metric.CAGR}, "not the same metric;"),
        ({"seed": 8}, "not the same seed;"),
        ({"folds": 1}, "not the same walk-forward;"),
        ({"source": StrategySource("cross.py:Cross", CROSS + b"\n")}, "not the same strategy text;"),
        ({"setup": Setup(universe=sp500_20(), cash=Decimal(5))}, "not the same account;"),
        ({"setup": Setup(universe=sp500_20(), ended=None)}, "not the same account;"),
        ({"window": Window(date(2020, 2, 4), date(2020, 4, 30))}, "not the same days;"),
    ],
)
def test_another_sweep_is_not_mixed_in(plan, prices, tmp_path, change, words):
    run(plan, prices, tmp_path / "sweep")
    with pytest.raises(ConfigurationError, match=words):
        run(replace(plan, **change), prices, tmp_path / "sweep")


def test_a_directory_of_something_else_is_left_alone(plan, prices, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ConfigurationError, match="not empty"):
        run(plan, prices, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    (tmp_path / PLAN_FILE).write_text("{")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        run(plan, prices, tmp_path)
    with pytest.raises(ConfigurationError, match="cannot be made"):
        run(plan, prices, tmp_path / "mine.txt")


def test_two_sweeps_do_not_write_to_one_directory(plan, prices, tmp_path):
    def begin_another(_):
        with pytest.raises(ConfigurationError, match="another sweep writes"):
            run(plan, prices, tmp_path / "sweep")

    run(plan, prices, tmp_path / "sweep", begin_another)


def test_a_sizer_that_remembers_is_new_in_every_trial(plan, prices, tmp_path):
    """So the order of the trials cannot matter."""
    setup = Setup(universe=sp500_20(), sizer=make_sizer(["atr"]), own_weights=False)
    forward = run(replace(plan, params=("fast=1,2", "slow=9"), setup=setup), prices, tmp_path / "a")
    backward = run(replace(plan, params=("fast=2,1", "slow=9"), setup=setup), prices, tmp_path / "b")
    heads = [[one.journal_head for one in result.outcomes] for result in (forward, backward)]
    assert heads[0] == heads[1][::-1]
    assert len(set(heads[0])) == 2


def test_walk_forward_trades_what_was_best_before(plan, prices, tmp_path):
    result = run(replace(plan, params=("fast=1,2", "slow=9"), folds=2, purge=1, embargo=2), prices, tmp_path / "sweep")
    days = [day for day in prices.dates.tolist() if day >= date(2020, 2, 3)]
    for fold in result.walk_forward.folds:
        assert fold.train.first == days[0]
        assert days.index(fold.test.first) - days.index(fold.train.last) == 1 + 1 + 2
        tried = [one for one in result.tried if one.stage.startswith("train") and one.days[-1] == fold.train.last]
        assert fold.chosen == ranked(tried, Metric.SHARPE)[0]
        assert fold.tested.parameters == fold.chosen.parameters
        assert (fold.tested.days[0], fold.tested.days[-1]) == (fold.test.first, fold.test.last)
    assert [fold.test.last for fold in result.walk_forward.folds][-1] == days[-1]
    earned = np.prod([1 + value for fold in result.walk_forward.folds for value in fold.tested.returns]) - 1
    assert result.walk_forward.total_return == pytest.approx(earned)


def test_an_adaptive_search_goes_on_as_if_nothing_had_happened(plan, prices, tmp_path):
    """The sampler learns again from what is kept, and asks for the same."""
    plan = replace(plan, params=("fast=1:3", "slow=4:40"), sampler=Sampler.TPE, trials=BATCH + 4)
    first = run(plan, prices, tmp_path / "sweep")
    file = tmp_path / "sweep" / TRIALS_FILE
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[: BATCH + 1]))
    again = run(plan, prices, tmp_path / "sweep")
    assert again.resumed == BATCH + 1
    assert replace(again, resumed=0) == first


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"params": ()}, ConfigurationError, "nothing to vary"),
        ({"folds": -1}, ConfigurationError, "below zero"),
        ({"folds": 70}, ConfigurationError, "too few"),
        ({"window": Window(date(2021, 2, 3), date(2021, 4, 30))}, ConfigurationError, "no bar between"),
        ({"source": StrategySource("cros")}, StrategyError, "is no strategy"),
        ({"params": ("fast=5", "slow=3")}, ConfigurationError, "took none of the parameters"),
    ],
)
def test_what_cannot_be_swept(plan, prices, tmp_path, change, error, words):
    with pytest.raises(error, match=words):
        run(replace(plan, **change), prices, tmp_path / "sweep")


def test_one_parquet_holds_everything(plan, prices, tmp_path):
    result = run(replace(plan, folds=1), prices, tmp_path / "sweep")
    table = pl.read_parquet(write_results(result, tmp_path / "sweep"))
    assert table["stage"].unique().sort().to_list() == ["test 1", "train 1", WHOLE]
    whole = table.filter(pl.col("stage") == WHOLE)
    assert whole["param.fast"].to_list() == [1, 1, 2, 2, 4, 4]
    assert [Decimal(text) for text in whole["equity_end"].drop_nulls()] == [
        one.equity_end for one in result.outcomes if one.equity_end is not None
    ]
    assert whole["returns"].to_list() == [one.returns for one in result.outcomes]
    assert whole["journal_head"].to_list()[:4] == [one.journal_head for one in result.outcomes[:4]]


def test_the_verdict_counts_all_complete_trials(plan, prices, tmp_path):
    result = run(plan, prices, tmp_path / "sweep")
    complete = [one for one in result.outcomes if one.status is Status.COMPLETE]
    assert result.verdict.deflated.trials == 4
    assert returns_of(complete).shape == (62, 4)
    assert judge(complete, Metric.SHARPE) == result.verdict
    assert judge([], Metric.SHARPE).ranked == ()
    deepest = [one.figures["max_drawdown"] for one in ranked(complete, Metric.MAX_DRAWDOWN)]
    assert deepest == sorted(deepest)


def test_shared_prices_are_the_prices(prices, tmp_path):
    share_prices(prices, tmp_path / PRICES)
    opened = open_prices(tmp_path / PRICES)
    assert opened.fingerprint() == prices.fingerprint()
    assert (opened.symbols, opened.is_daily, opened.dates.tolist()) == (prices.symbols, True, prices.dates.tolist())
    assert not opened.close_micros.flags.owndata  # pages of the file, not a copy
    assert type(opened.close_micros) is np.ndarray


def test_a_universe_travels():
    assert dict(pickle.loads(pickle.dumps(sp500_20()))) == dict(sp500_20())
