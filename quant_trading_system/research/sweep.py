"""Many trials of one strategy: what a trial is, how it is scored, and what the best of them is worth.

A trial is a whole backtest over a window of the past. A walk-forward test chooses by trials on one window and
trades the best parameters on the next, as one would have done at the time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

import msgspec
import numpy as np
from numpy.typing import NDArray

from quant_trading_system.core.exceptions import ConfigurationError, InvalidNumber
from quant_trading_system.research import ratios
from quant_trading_system.research.overfitting import (
    DeflatedSharpe,
    Overfitting,
    backtest_overfitting,
    combinatorial_paths,
    deflated_sharpe,
    partitions_for,
)
from quant_trading_system.research.parameters import Parameters
from quant_trading_system.research.sweep_words import Metric, Status
from quant_trading_system.research.validation import purged_walk_forward

WHOLE = "whole"
"""The stage that tries every candidate on all of the past."""

FEWEST_DAYS_FOR_PATHS = 60
"""Below that, six groups of days are too short for Sharpe ratios."""


FIGURES = (
    *(metric.value for metric in Metric),
    "volatility",
    "turnover",
    "exposure",
    "hit_rate",
    "costs_bps",
)  # fmt: skip
"""Numbers of a `PerformanceReport` that are kept of every trial."""


class Window(msgspec.Struct, frozen=True):
    """Days to trade, both included; earlier bars are the strategy's past."""

    first: date
    last: date


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One trial to be run: which search it belongs to, its number there, the parameters and the days."""

    stage: str
    number: int
    parameters: Parameters
    window: Window


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a trial came to.

    Attributes:
        stage, number, parameters: of its `Task`.
        error: why it was refused or stopped.
        figures: by the names of `FIGURES`; None where not defined.
        equity_end: dollars.
        orders: that were asked for; refused: by the gate or the broker; trades: closed round trips.
        halts: how often the kill switch was activated.
        journal_entries, journal_head: of the journal of the run; the same head is the same run, to the last bit.
        days, returns: daily returns as fractions, and when they were earned.
    """

    stage: str
    number: int
    parameters: Parameters
    status: Status
    error: str = ""
    figures: dict[str, float | None] = {}
    equity_end: Decimal | None = None
    orders: int = 0
    refused: int = 0
    fills: int = 0
    trades: int = 0
    halts: int = 0
    journal_entries: int = 0
    journal_head: str = ""
    days: list[date] = []
    returns: list[float] = []

    def score(self, metric: Metric) -> float | None:
        """Higher is better; None when it failed, or the metric is not defined."""
        value = self.figures.get(metric) if self.status is Status.COMPLETE else None
        if value is None:
            return None
        return -value if metric is Metric.MAX_DRAWDOWN else value


class Fold(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a walk-forward test.

    Attributes:
        chosen: the best trial on `train`; None when no trial had a score.
        tested: the same parameters on `test`.
    """

    train: Window
    test: Window
    chosen: Outcome | None
    tested: Outcome | None


class WalkForward(msgspec.Struct, frozen=True, kw_only=True):
    """What choosing and then trading would have earned.

    Attributes:
        total_return: of the tests one after the other, a fraction; sharpe: of their days, per √year.
        efficiency: growth per year in the tests over that in the trainings, means over folds; None unless the latter
            is above zero.
    """

    folds: tuple[Fold, ...]
    total_return: float | None
    sharpe: float | None
    efficiency: float | None


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the best trial is worth when one knows how it was found.

    Attributes:
        ranked: numbers of the trials with a score, best first; equal scores in the order of their numbers.
        deflated: of the best one; overfitting: of the choice; None when there are too few trials or days.
        paths: Sharpe ratios per √year of combinatorial purged cross-validation; empty when there are too few days.
    """

    ranked: tuple[int, ...]
    deflated: DeflatedSharpe | None
    overfitting: Overfitting | None
    paths: tuple[float, ...]


def fold_windows(days: Sequence[date], *, folds: int, purge: int, embargo: int) -> list[tuple[Window, Window]]:
    """Windows to choose and to test on, from days that are traded.

    Raises:
        ConfigurationError: too few days.
    """
    try:
        splits = list(purged_walk_forward(len(days), horizon=purge, folds=folds, embargo=embargo))
    except InvalidNumber:
        raise ConfigurationError(
            f"--walk-forward {folds}: {len(days)} days are too few for {folds + 1} parts that are longer than "
            f"--purge {purge} and --embargo {embargo}; take fewer folds or more days"
        ) from None
    return [(_window(days, train), _window(days, test)) for train, test in splits]


def ranked(outcomes: Sequence[Outcome], metric: Metric) -> list[Outcome]:
    """Those with a score, best first; equal scores in the order of their numbers."""
    scored = [(score, one) for one in outcomes if (score := one.score(metric)) is not None]
    return [one for _, one in sorted(scored, key=lambda pair: (-pair[0], pair[1].number))]


def judge(outcomes: Sequence[Outcome], metric: Metric, *, purge: int = 0, embargo: int = 0) -> Verdict:
    """Judge the best of the trials on the same days, all of which it was chosen from.

    Trials that were refused or stopped do not count; those that did not trade count, with returns of zero.
    """
    complete = [one for one in outcomes if one.status is Status.COMPLETE]
    best = ranked(complete, metric)
    returns = returns_of(complete)
    if not best or len(returns) < 2:
        return Verdict(ranked=tuple(one.number for one in best), deflated=None, overfitting=None, paths=())
    several = len(complete) > 1
    partitions = partitions_for(len(returns))
    return Verdict(
        ranked=tuple(one.number for one in best),
        deflated=deflated_sharpe(returns, complete.index(best[0]), days_in_year=ratios.TRADING_DAYS),
        overfitting=backtest_overfitting(returns, partitions) if several and partitions else None,
        paths=_paths(returns, purge, embargo) if several else (),
    )


def returns_of(outcomes: Sequence[Outcome]) -> NDArray[np.float64]:
    """Daily returns, [T, N]; an account that was lost stays at zero."""
    longest = max((len(one.returns) for one in outcomes), default=0)
    table = np.zeros((longest, len(outcomes)))
    for column, one in enumerate(outcomes):
        table[: len(one.returns), column] = one.returns
    return table


def walk_forward(folds: Sequence[Fold]) -> WalkForward:
    """Join the tests of all folds."""
    tested = [fold.tested for fold in folds if fold.tested is not None]
    returns = np.array([value for one in tested for value in one.returns])
    inside, outside = (
        _mean(one.figures.get(Metric.CAGR) for one in some)
        for some in ([fold.chosen for fold in folds if fold.chosen is not None], tested)
    )
    return WalkForward(
        folds=tuple(folds),
        total_return=float(np.prod(1 + returns)) - 1 if len(returns) else None,
        sharpe=ratios.sharpe_ratio(returns),
        efficiency=outside / inside if inside is not None and outside is not None and inside > 0 else None,
    )


def _paths(returns: NDArray[np.float64], purge: int, embargo: int) -> tuple[float, ...]:
    if len(returns) < FEWEST_DAYS_FOR_PATHS:
        return ()
    try:
        return combinatorial_paths(returns, purge=purge, embargo=embargo)
    except InvalidNumber:  # purge and embargo leave nothing to train on
        return ()


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _window(days: Sequence[date], rows: NDArray[np.intp]) -> Window:
    return Window(days[int(rows[0])], days[int(rows[-1])])
