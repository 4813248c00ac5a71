"""One trial: a whole backtest with gate, orders and journal, from nothing but its parameters.

Whatever a trial starts from is built anew for it, so that no trial can leave anything to the next one, in
whichever process it runs.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from typing import Any

from quant_trading_system.app.backtesting import BacktestResult, backtest
from quant_trading_system.app.bootstrap import Setup
from quant_trading_system.app.strategy_loading import StrategySource
from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.research.parameters import Space
from quant_trading_system.research.performance import daily_returns
from quant_trading_system.research.sweep import FIGURES, Outcome, Task, Window
from quant_trading_system.research.sweep_words import Status
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


def run_task(work: Work, history: PriceHistory, task: Task) -> Outcome:
    """Run one trial; the same trial has the same outcome in every process."""
    cls = _strategy_class(work.source)
    try:
        strategy = cls(**work.space.arguments(task.parameters))
    except Exception as error:  # noqa: BLE001 - whatever a constructor says to parameters that it does not take
        return _outcome(task, Status.REFUSED, error=f"{type(error).__name__}: {error}")
    part, first_bar = _part(_Kept(history), task.window)
    setup = copy.deepcopy(replace(work.setup, first_bar=first_bar))
    return _told(task, backtest(strategy, part, setup))


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


class _Kept:
    """A history as a key: every process has one object for it, and cuts each window out of it once."""

    def __init__(self, history: PriceHistory) -> None:
        self.history = history

    def __hash__(self) -> int:
        return id(self.history)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Kept) and self.history is other.history


@lru_cache(maxsize=2)
def _part(kept: _Kept, window: Window) -> tuple[PriceHistory, int]:
    history = kept.history
    part = history if window.last >= history.dates[-1].item() else history.between(date.min, window.last)
    return part, part.index_of(window.first)


def days_of(history: PriceHistory, window: Window) -> list[date]:
    """The days of a history that lie in a window.

    Raises:
        ConfigurationError: none does.
    """
    days = sorted({day for day in history.dates.tolist() if window.first <= day <= window.last})
    if not days:
        raise ConfigurationError(f"no bar between {window.first} and {window.last}; choose days that the prices cover")
    return days
