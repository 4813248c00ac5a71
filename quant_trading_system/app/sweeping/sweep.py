"""A sweep from beginning to end: search, walk-forward test, verdict; resumed where it was interrupted.

The outcomes depend on the plan alone. Neither the number of processes, nor where they run, nor how often the
sweep was killed and begun again changes a digit of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from shutil import rmtree
from typing import Any, NamedTuple

from quant_trading_system import __version__
from quant_trading_system.app.bootstrap import Setup, simulated_account
from quant_trading_system.app.strategy_loading import StrategySource
from quant_trading_system.app.sweeping.ledger import Ledger
from quant_trading_system.app.sweeping.pools import PRICES, Pool
from quant_trading_system.app.sweeping.work import Work, days_of
from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.research.parameters import Space, read_space
from quant_trading_system.research.search import Search, make_search
from quant_trading_system.research.sweep import (
    WHOLE,
    Fold,
    Outcome,
    Task,
    Verdict,
    WalkForward,
    Window,
    fold_windows,
    judge,
    ranked,
    walk_forward,
)
from quant_trading_system.research.sweep_words import Metric, Sampler, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepPlan:
    """What is tried, and how the best is chosen.

    Attributes:
        params: what to vary, such as ``hold=4,6,8`` (see `research.parameters`).
        trials: to draw, for samplers other than the grid.
        window: days to trade; earlier bars are the strategy's past.
        folds: of the walk-forward test, 0 for none.
        purge, embargo: days between choosing and testing: those whose outcome reaches into the test, and more
            for safety.
    """

    source: StrategySource
    params: tuple[str, ...]
    window: Window
    setup: Setup
    sampler: Sampler = Sampler.GRID
    trials: int | None = None
    seed: int = 7
    metric: Metric = Metric.SHARPE
    folds: int = 0
    purge: int = 0
    embargo: int = 0


class SweepProgress(NamedTuple):
    """What a live view is told after every trial; `done` counts those that were there already."""

    done: int
    total: int
    best: Outcome | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepResult:
    """What a sweep has come to.

    Attributes:
        outcomes: of the trials on the whole window, by number.
        tried: these and those of the walk-forward test, stage by stage.
        resumed: outcomes that an earlier run of the same sweep had left.
    """

    plan: SweepPlan
    space: Space
    outcomes: tuple[Outcome, ...]
    tried: tuple[Outcome, ...]
    verdict: Verdict
    walk_forward: WalkForward | None
    resumed: int

    @property
    def best(self) -> Outcome | None:
        """The best trial, None when none has a score."""
        return self.outcomes[self.verdict.ranked[0]] if self.verdict.ranked else None


Watch = Callable[[SweepProgress], None]


class Sweep:
    """One sweep over one history. Build it, which refuses whatever makes no sense; then run it."""

    def __init__(self, plan: SweepPlan, history: PriceHistory) -> None:
        """Check everything that can be checked before the first trial.

        Raises:
            ConfigurationError: parameters, days or folds make no sense.
            StrategyError: there is no such strategy.
        """
        if min(plan.folds, plan.purge, plan.embargo) < 0:
            raise ConfigurationError("--walk-forward, --purge and --embargo are counts; none is below zero")
        self.plan = plan
        self.history = history
        self.space = read_space(plan.source.load(), plan.params)
        self.work = Work.of(plan.source, self.space, plan.setup)
        days = days_of(history, plan.window)
        self._window = Window(days[0], days[-1])
        self._folds = fold_windows(days, folds=plan.folds, purge=plan.purge, embargo=plan.embargo) if plan.folds else []
        self.total = self._search().total * (1 + len(self._folds)) + len(self._folds)
        """Trials in all, those on the windows of a walk-forward test included."""

    def run(self, pool: Pool, directory: Path, watch: Watch | None = None) -> SweepResult:
        """Run what is not finished yet in `directory`.

        Raises:
            ConfigurationError: the directory belongs to something else, or no trial can be built.
            SweepInterrupted: the pool is gone; what was finished is kept.
        """
        with closing(pool), closing(Ledger(directory, self._identity())) as ledger:
            rmtree(directory / PRICES, ignore_errors=True)  # of a sweep that was killed
            runner = _Runner(pool, ledger, self.plan.metric, self.total, watch)
            outcomes = self._try(runner, WHOLE, self._window)
            if outcomes and all(one.status is Status.REFUSED for one in outcomes):
                raise ConfigurationError(f"the strategy took none of the parameters: {outcomes[0].error}")
            folds = [self._fold(runner, number, *pair) for number, pair in enumerate(self._folds, 1)]
            resumed = runner.resumed
        plan = self.plan
        return SweepResult(
            plan=plan,
            space=self.space,
            outcomes=tuple(outcomes),
            tried=tuple(runner.found),
            verdict=judge(outcomes, plan.metric, purge=plan.purge, embargo=plan.embargo),
            walk_forward=walk_forward(folds) if folds else None,
            resumed=resumed,
        )

    def _search(self) -> Search:
        plan = self.plan
        return make_search(plan.sampler, self.space, trials=plan.trials, seed=plan.seed)

    def _try(self, runner: _Runner, stage: str, window: Window) -> list[Outcome]:
        """One whole search on one window, by number."""
        search, found = self._search(), []
        while batch := search.next():
            tasks = [Task(stage=stage, number=one.number, parameters=one.parameters, window=window) for one in batch]
            outcomes = runner.run(tasks)
            search.tell([one.score(self.plan.metric) for one in outcomes])
            found += outcomes
        return found

    def _fold(self, runner: _Runner, number: int, train: Window, test: Window) -> Fold:
        best = ranked(self._try(runner, f"train {number}", train), self.plan.metric)
        if not best:
            return Fold(train=train, test=test, chosen=None, tested=None)
        chosen = best[0]
        task = Task(stage=f"test {number}", number=chosen.number, parameters=chosen.parameters, window=test)
        return Fold(train=train, test=test, chosen=chosen, tested=runner.run([task])[0])

    def _identity(self) -> dict[str, Any]:
        """Everything that outcomes depend on, in words that a person can compare."""
        plan = self.plan
        account = simulated_account(self.history, plan.setup)
        return {
            "strategy": plan.source.spec,
            "strategy text": blake2b(plan.source.text or b"", digest_size=8).hexdigest(),
            "parameters": self.space,
            "sampler": plan.sampler,
            "trials": plan.trials,
            "seed": plan.seed,
            "metric": plan.metric,
            "days": self._window,
            "walk-forward": [plan.folds, plan.purge, plan.embargo],
            "prices": self.history.fingerprint(),
            "limits": account.system.limits.version,
            "account": account.run,
            "version": __version__,
        }


class _Runner:
    """Runs tasks that the ledger does not know, and tells how far the sweep is."""

    def __init__(self, pool: Pool, ledger: Ledger, metric: Metric, total: int, watch: Watch | None) -> None:
        self._pool, self._ledger, self._metric, self._total, self._watch = pool, ledger, metric, total, watch
        self._done = 0
        self._best: Outcome | None = None
        self.found: list[Outcome] = []
        self.resumed = 0

    def run(self, tasks: list[Task]) -> list[Outcome]:
        """The outcomes in the order of the tasks."""
        found: dict[int, Outcome] = {}
        for outcome in self._outcomes(tasks):
            found[outcome.number] = outcome
            self._tell(outcome)
        ordered = [found[task.number] for task in tasks]
        self.found += ordered
        return ordered

    def _outcomes(self, tasks: Iterable[Task]) -> Iterator[Outcome]:
        new = []
        for task in tasks:
            known = self._ledger.find(task)
            if known is None:
                new.append(task)
                continue
            self.resumed += 1
            yield known
        for outcome in self._pool.run(new):
            yield self._ledger.add(outcome)

    def _tell(self, outcome: Outcome) -> None:
        self._done += 1
        if outcome.stage == WHOLE:
            rivals = [outcome] if self._best is None else [self._best, outcome]
            self._best = next(iter(ranked(rivals, self._metric)), None)
        if self._watch is not None:
            self._watch(SweepProgress(self._done, self._total, self._best))
