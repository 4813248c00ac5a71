"""Which parameters a sweep tries next: all of them, random ones, or those that look good so far.

A search hands out trials in batches and is told their scores in the order of their numbers. Batches do not depend
on how many run at once, so a search with the same seed tries the same parameters on one core and on a cluster.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple, Protocol

from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.core.numbers import from_float
from quant_trading_system.research.parameters import Dimension, Kind, Parameters, Space, spelt
from quant_trading_system.research.sweep_words import Sampler

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import Trial

BATCH = 10
"""Trials that an adaptive sampler hands out before it is told how they went."""
MAX_REPEATS = 50
"""Draws in a row that were tried before, after which a small space counts as exhausted."""
_DECIMALS = 6


class Candidate(NamedTuple):
    """One trial to be run; `number` counts from 0 within its search."""

    number: int
    parameters: Parameters


class Search(Protocol):
    """Hands out candidates until it has no more.

    Attributes:
        total: trials that it will hand out at most.
    """

    total: int

    def next(self) -> list[Candidate]:
        """The next batch; empty when the search is over. Every candidate of the batch before has been told."""

    def tell(self, scores: Sequence[float | None]) -> None:
        """The scores of the last batch in its order, higher is better; None where a trial failed."""


def make_search(sampler: Sampler, space: Space, *, trials: int | None, seed: int) -> Search:
    """The search of that kind.

    Args:
        trials: how many to draw; a grid has as many as it has.
        seed: of whatever is drawn.

    Raises:
        ConfigurationError: `trials` is missing, senseless or of no use, a grid cannot be listed, or Optuna is not
            installed.
    """
    if sampler is Sampler.GRID:
        if trials is not None:
            raise ConfigurationError("--trials is for --sampler random and tpe; a grid tries every combination")
        return GridSearch(space)
    if trials is None or trials < 1:
        raise ConfigurationError(f"--sampler {sampler} needs --trials NUMBER, 1 or more")
    return SampledSearch(sampler, space, trials=trials, seed=seed)


class GridSearch:
    """Every combination, in one batch."""

    def __init__(self, space: Space) -> None:
        self._left = [Candidate(number, parameters) for number, parameters in enumerate(space.grid())]
        self.total = len(self._left)

    def next(self) -> list[Candidate]:
        """All of them at first, then none."""
        batch, self._left = self._left, []
        return batch

    def tell(self, scores: Sequence[float | None]) -> None:
        """A grid learns nothing."""


class SampledSearch:
    """Draws with Optuna, never the same parameters twice.

    Source:
        Bergstra & Bengio (2012) for random search; Bergstra et al. (2011) for the tree-structured Parzen estimator.
    """

    def __init__(self, sampler: Sampler, space: Space, *, trials: int, seed: int) -> None:
        """Raise `ConfigurationError` when Optuna is not installed."""
        try:
            import optuna
        except ImportError:
            raise ConfigurationError(f"--sampler {sampler} needs Optuna; install the extra `sweep`") from None
        optuna.logging.disable_default_handler()
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        made: BaseSampler = (
            optuna.samplers.TPESampler(seed=seed, n_startup_trials=BATCH)
            if sampler is Sampler.TPE
            else optuna.samplers.RandomSampler(seed=seed)
        )
        self._study = optuna.create_study(direction="maximize", sampler=made)
        self._failed = optuna.trial.TrialState.FAIL
        self._kinds = {dimension.name: dimension.kind for dimension in space.dimensions}
        self._distributions = {dimension.name: _distribution(dimension) for dimension in space.dimensions}
        self._batch = BATCH if sampler is Sampler.TPE else trials
        self._asked: list[Trial] = []
        self._scores: dict[tuple[str, ...], float | None] = {}
        self.total = trials

    def next(self) -> list[Candidate]:
        """As many new ones as make a batch; a draw that was tried before is told its score at once."""
        first = len(self._scores)
        batch: list[Candidate] = []
        drawn: set[tuple[str, ...]] = set()
        repeats = 0
        while len(batch) < min(self._batch, self.total - first) and repeats < MAX_REPEATS:
            trial = self._study.ask(self._distributions)
            parameters = self._parameters(trial)
            key = tuple(parameters.values())
            if key in self._scores or key in drawn:
                repeats += 1
                self._tell(trial, self._scores.get(key))
                continue
            repeats = 0
            drawn.add(key)
            self._asked.append(trial)
            batch.append(Candidate(first + len(batch), parameters))
        return batch

    def tell(self, scores: Sequence[float | None]) -> None:
        """Let the sampler learn."""
        for trial, score in zip(self._asked, scores, strict=True):
            self._scores[tuple(self._parameters(trial).values())] = score
            self._tell(trial, score)
        self._asked = []

    def _tell(self, trial: Trial, score: float | None) -> None:
        if score is None or not isfinite(score):
            self._study.tell(trial, state=self._failed)
        else:
            self._study.tell(trial, score)

    def _parameters(self, trial: Trial) -> Parameters:
        return {name: _text(self._kinds[name], trial.params[name]) for name in self._distributions}


def _distribution(dimension: Dimension) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    between = dimension.between
    if between is None:
        return CategoricalDistribution(dimension.values)
    if dimension.kind is Kind.INT:
        return IntDistribution(int(between.low), int(between.high), log=between.log)
    return FloatDistribution(float(between.low), float(between.high), log=between.log)


def _text(kind: Kind, value: str | float) -> str:
    """A draw as text; decimals are rounded to six places, which stay within a range whose ends have no more."""
    if isinstance(value, str):
        return value
    exact_value: int | float | Decimal = from_float(value, _DECIMALS) if kind is Kind.DECIMAL else value
    return spelt(exact_value)
