"""One trial: a whole backtest with gate, orders and journal, from nothing but its parameters.

What a trial can change is built anew for it, so that no trial can leave anything to the next one, in whichever
process it runs. What it cannot change, the prices of the market and its calendar, is made once for a window.
"""

from __future__ import annotations

import asyncio
import copy
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from typing import Any

from quant_trading_system.app.backtesting import BacktestResult, run_account
from quant_trading_system.app.bootstrap import Setup, simulated_account, tape_of
from quant_trading_system.app.strategy_loading import StrategySource
from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.research.parameters import Space
from quant_trading_system.research.performance import daily_returns
from quant_trading_system.research.sweep import FIGURES, Outcome, Task, Window
from quant_trading_system.research.sweep_words import Status
from quant_trading_system.simulation.kept_rows import KeptRows
from quant_trading_system.trading.strategy import Strategy


@dataclass(frozen=True, slots=True)
class Work:
    """What all trials of a sweep have in common, in a form that travels to other processes.

    Attributes:
        source: the strategy; space: says what its parameters are.
        setup: of every account, copied for each: a sizer that remembers is a new one in each trial.
    """

    source: StrategySource
    space: Space
    setup: Setup

    @classmethod
    def of(cls, source: StrategySource, space: Space, setup: Setup) -> Work:
        """Take a setup; its strategies, window and directory are those of each trial."""
        bare = replace(setup, strategies=(), directory=None, run="", first_bar=0)
        return cls(source, space, bare)


class Trials:
    """Runs trials in one process; the same trial has the same outcome in every one."""

    def __init__(self, work: Work, history: PriceHistory) -> None:
        self._work, self._history = work, history
        self._stage: _Stage | None = None

    def run(self, task: Task) -> Outcome:
        """Run one trial."""
        work = self._work
        cls = _strategy_class(work.source)
        try:
            strategy = cls(**work.space.arguments(task.parameters))
        except Exception as error:  # noqa: BLE001 - whatever a constructor says to parameters that it does not take
            return _outcome(task, Status.REFUSED, error=f"{type(error).__name__}: {error}")
        stage = self._stage_of(task.window)
        account = simulated_account(stage.history, stage.setup_of(strategy), stage.tape)
        return _told(task, asyncio.run(run_account(account)))

    def _stage_of(self, window: Window) -> _Stage:
        """Trials come window by window, and so only the latest one is kept."""
        if self._stage is None or self._stage.window != window:
            self._stage = None  # before the next one takes memory
            self._stage = _Stage(self._work.setup, self._history, window)
        return self._stage


class _Stage:
    """What all trials on one window begin with, and none of them can change: its prices, and what the market does."""

    def __init__(self, setup: Setup, history: PriceHistory, window: Window) -> None:
        whole = window.last >= history.dates[-1].item()
        self.window = window
        self.history = history if whole else history.between(date.min, window.last)
        self._setup = replace(setup, first_bar=self.history.index_of(window.first))
        self.tape = tape_of(self.history, self._setup, KeptRows)

    def setup_of(self, strategy: Strategy) -> Setup:
        """A setup of its own for one trial; limits, which are frozen, are the same in all."""
        setup = self._setup
        return replace(copy.deepcopy(replace(setup, limits=None)), limits=setup.limits, strategies=(strategy,))


def _told(task: Task, result: BacktestResult) -> Outcome:
    stats, quality = result.statistics, result.quality
    returns, days = daily_returns(result.record)
    stop = result.stopped[0] if result.stopped else None
    return _outcome(
        task,
        Status.COMPLETE if stop is None else Status.STOPPED,
        error="" if stop is None else f"{stop.at:%Y-%m-%d}: {stop.error}",
        figures={name: getattr(stats, name) for name in FIGURES},
        equity_end=stats.equity_end,
        orders=quality.orders,
        refused=sum(quality.rejections.values()),
        fills=stats.fills,
        trades=stats.trades,
        halts=sum(1 for halt in result.record.halts if halt.level),
        journal_entries=result.journal_entries,
        journal_head=result.journal_head,
        days=days,
        returns=returns.tolist(),
    )


def _outcome(task: Task, status: Status, **fields: Any) -> Outcome:
    return Outcome(stage=task.stage, number=task.number, parameters=task.parameters, status=status, **fields)


@lru_cache(maxsize=4)
def _strategy_class(source: StrategySource) -> type[Strategy]:
    return source.load()


def days_of(history: PriceHistory, window: Window) -> list[date]:
    """The days of a history that lie in a window.

    Raises:
        ConfigurationError: none does.
    """
    days = sorted({day for day in history.dates.tolist() if window.first <= day <= window.last})
    if not days:
        raise ConfigurationError(f"no bar between {window.first} and {window.last}; choose days that the prices cover")
    return days
