"""How much of the best result of many trials is luck of the choice.

Whoever tries many parameters and keeps the best one has a good past in any case. Three answers: the deflated
Sharpe ratio asks whether the best is better than the best of as many worthless trials would be; the
probability of backtest overfitting asks how often the best of one half of the past is below the median in the
other; combinatorial paths tell what always taking the best of the rest would have earned.

Returns are daily simple returns as fractions, Sharpe ratios are per day unless a name says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from math import comb, e, sqrt
from statistics import NormalDist
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from quant_trading_system.core.exceptions import InvalidNumber
from quant_trading_system.research.validation import combinatorial_purged

Floats = NDArray[np.float64]

MOST_PARTITIONS = 16
"""Parts into which the past is cut; 16 give 12,870 ways to halve it, as the paper recommends."""
FEWEST_PARTITIONS = 4
DAYS_IN_PARTITION = 5
"""A Sharpe ratio of fewer days says nothing."""

_EULER_MASCHERONI = 0.5772156649015329
_NORMAL = NormalDist()
_NO_SPREAD = 1e-12
_CHUNK = 1024


def daily_sharpe(returns: Floats) -> Floats:
    """Mean over standard deviation (divisor n) of each column of [T, N]; 0 where nothing varies."""
    return _ratio(returns.mean(axis=0), returns.var(axis=0))


def expected_maximum_sharpe(variance: float, trials: float) -> float:
    """The Sharpe ratio that the best of `trials` worthless independent trials is expected to show.

    √V · ((1 − γ) · Φ⁻¹(1 − 1/N) + γ · Φ⁻¹(1 − 1/(N·e))), with the Euler-Mascheroni constant γ.

    Args:
        variance: V, of the Sharpe ratios over the trials.
        trials: N; may be a fraction when it is an estimate; 0 is expected of one trial.

    Source:
        Bailey & López de Prado, The Deflated Sharpe Ratio, Journal of Portfolio Management 40 (2014), equation 1.
    """
    if trials <= 1:
        return 0.0
    first, second = _NORMAL.inv_cdf(1 - 1 / trials), _NORMAL.inv_cdf(1 - 1 / (trials * e))
    return sqrt(variance) * ((1 - _EULER_MASCHERONI) * first + _EULER_MASCHERONI * second)


def probability_above(
    sharpe: float, benchmark: float, *, observations: int, skewness: float = 0.0, kurtosis: float = 3.0
) -> float | None:
    """The probability that the true Sharpe ratio lies above `benchmark`: the probabilistic Sharpe ratio.

    Φ((S − S*) · √(T − 1) / √(1 − γ₃·S + (γ₄ − 1)/4 · S²)), everything per observation. With the expected maximum of
    all trials as the benchmark it is the deflated Sharpe ratio.

    Args:
        kurtosis: 3 for normal returns.

    Returns:
        None with fewer than two observations, or when the estimate has no spread.

    Source:
        Bailey & López de Prado, Journal of Risk 15 (2012) and Journal of Portfolio Management 40 (2014), equation 2.
    """
    spread = 1 - skewness * sharpe + (kurtosis - 1) / 4 * sharpe * sharpe
    if observations < 2 or spread <= 0:
        return None
    return _NORMAL.cdf((sharpe - benchmark) * sqrt(observations - 1) / sqrt(spread))


def effective_trials(returns: Floats) -> float:
    """How many independent trials the columns of [T, N] are worth: ρ̄ + (1 − ρ̄) · N, with their mean correlation ρ̄.

    Trials that never vary count as one each. A mean correlation below zero counts as zero.

    Source:
        Bailey & López de Prado (2014), appendix 3.
    """
    varied = returns[:, returns.std(axis=0) > _NO_SPREAD]
    count, still = varied.shape[1], returns.shape[1] - varied.shape[1]
    if count < 2:
        return float(count + still)
    standard = (varied - varied.mean(axis=0)) / varied.std(axis=0)
    total = float((standard.sum(axis=1) ** 2).mean())  # the sum of all correlations, without the matrix of them
    mean = min(max((total - count) / (count * (count - 1)), 0.0), 1.0)
    return float(mean + (1 - mean) * count + still)


class DeflatedSharpe(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of the best Sharpe ratio when the choice is accounted for.

    Attributes:
        probability: that the true Sharpe ratio is above what the best of so many worthless trials would show; None
            when it is not defined.
        independent: the same, when the trials count only as far as they differ from each other (less severe).
        above_zero: that it is above zero, had there been one trial only.
        benchmark: the expected maximum, per √year.
        trials, effective: how many there were, and how many independent ones they are worth.
    """

    probability: float | None
    independent: float | None
    above_zero: float | None
    benchmark: float
    trials: int
    effective: float


def deflated_sharpe(returns: Floats, best: int, *, days_in_year: int = 252) -> DeflatedSharpe:
    """Judge the trial in column `best` among all columns of [T, N].

    Source:
        Bailey & López de Prado (2014). They ask for independent trials; here both counts are given.
    """
    sharpes, chosen = daily_sharpe(returns), returns[:, best]
    count, effective = returns.shape[1], effective_trials(returns)
    variance = float(sharpes.var(ddof=1)) if count > 1 else 0.0
    moments = {"observations": len(chosen), "skewness": _moment(chosen, 3), "kurtosis": _moment(chosen, 4)}

    def above(benchmark: float) -> float | None:
        return probability_above(float(sharpes[best]), benchmark, **moments)  # type: ignore[arg-type]  # one is int

    expected = expected_maximum_sharpe(variance, count)
    return DeflatedSharpe(
        probability=above(expected),
        independent=above(expected_maximum_sharpe(variance, effective)),
        above_zero=above(0.0),
        benchmark=expected * sqrt(days_in_year),
        trials=count,
        effective=effective,
    )


class Overfitting(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of the best half-time result in the other half of the past.

    Attributes:
        probability: of backtest overfitting: how often the best of one half is at or below the median of the other.
        loss: how often it loses money there.
        degradation: slope of its Sharpe ratio in the other half over the one in its own; None when that never varies.
        partitions, halves: into how many parts the past was cut, and how many ways there are to halve them.
        logits: ln(ω / (1 − ω)) of its relative rank ω in the other half, one for each way.
    """

    probability: float
    loss: float
    degradation: float | None
    partitions: int
    halves: int
    logits: tuple[float, ...]


def partitions_for(days: int) -> int | None:
    """How many parts so many days are cut into: even, at most 16, at least five days each; None below four parts."""
    count = min(MOST_PARTITIONS, days // DAYS_IN_PARTITION // 2 * 2)
    return count if count >= FEWEST_PARTITIONS else None


def backtest_overfitting(returns: Floats, partitions: int = MOST_PARTITIONS) -> Overfitting:
    """The probability of backtest overfitting by combinatorially symmetric cross-validation.

    The past is cut into `partitions` parts of equal length; odd days at its beginning are left out. Every half of the
    parts chooses the trial with the best Sharpe ratio; its rank among all trials in the other half is what counts.

    Args:
        returns: [T, N], one column for each trial, N ≥ 2.
        partitions: even, at least 2, of at least two days.

    Raises:
        InvalidNumber: too few trials or days, or an odd number of parts.

    Source:
        Bailey, Borwein, López de Prado & Zhu, The Probability of Backtest Overfitting, Journal of Computational
        Finance 20 (2017), section 2.2.
    """
    days, trials = returns.shape
    length = days // max(partitions, 1)
    if partitions < 2 or partitions % 2 or trials < 2 or length < 2:
        raise InvalidNumber(f"{days} days of {trials} trials cannot be halved by {partitions} parts of two days")
    parts = _Parts.of(returns[days - partitions * length :], partitions)
    found = [parts.judge(chosen) for chosen in _halves(partitions)]
    inside, outside, rank = (np.concatenate(column) for column in zip(*found, strict=True))
    share = rank / (trials + 1)
    logits = np.log(share / (1 - share))
    return Overfitting(
        probability=float((logits <= 0).mean()),
        loss=float((outside < 0).mean()),
        degradation=_slope(inside, outside),
        partitions=partitions,
        halves=comb(partitions, partitions // 2),
        logits=tuple(logits.tolist()),
    )


def combinatorial_paths(
    returns: Floats, *, groups: int = 6, tests: int = 2, purge: int = 0, embargo: int = 0
) -> tuple[float, ...]:
    """Sharpe ratios per √year of the paths on which, in each group of days, the best of the training days is held.

    Of every split the trial with the best Sharpe ratio in training is taken through the groups that are tested. Every
    group is tested in C(groups − 1, tests − 1) splits; the first of them make the first path, and so on.

    Args:
        returns: [T, N].
        purge, embargo: days, as for `combinatorial_purged`.

    Raises:
        InvalidNumber: as `combinatorial_purged`.

    Source:
        López de Prado (2018), Advances in Financial Machine Learning, section 12.4.
    """
    held: dict[int, list[Floats]] = {group: [] for group in range(groups)}
    for split in combinatorial_purged(len(returns), groups=groups, tests=tests, horizon=purge, embargo=embargo):
        best = int(np.argmax(daily_sharpe(returns[split.train])))
        for group, rows in split.tests:
            held[group].append(returns[rows, best])
    paths = zip(*(held[group] for group in range(groups)), strict=True)
    return tuple(float(daily_sharpe(np.concatenate(path))) * sqrt(252) for path in paths)


class _Parts(NamedTuple):
    """Sums over the days of each part: [S, N], around the mean of each trial, which keeps the variances exact."""

    length: int
    mean: Floats
    sums: Floats
    squares: Floats

    @classmethod
    def of(cls, returns: Floats, partitions: int) -> _Parts:
        mean = returns.mean(axis=0)
        centred = (returns - mean).reshape(partitions, -1, returns.shape[1])
        return cls(centred.shape[1], mean, centred.sum(axis=1), (centred**2).sum(axis=1))

    def judge(self, chosen: Floats) -> tuple[Floats, Floats, Floats]:
        """For rows of zeros and ones [K, S]: of the best inside each, its Sharpe inside and outside, and its rank."""
        inside, outside = self._sharpes(chosen), self._sharpes(1 - chosen)
        best = inside.argmax(axis=1)
        rows = np.arange(len(chosen))
        theirs = outside[rows, best]
        below = (outside < theirs[:, None]).sum(axis=1)
        level = (outside == theirs[:, None]).sum(axis=1)
        return inside[rows, best], theirs, below + (level + 1) / 2

    def _sharpes(self, chosen: Floats) -> Floats:
        days = chosen.sum(axis=1, keepdims=True) * self.length
        offset = chosen @ self.sums / days
        return _ratio(self.mean + offset, chosen @ self.squares / days - offset**2)


def _halves(partitions: int) -> Iterator[Floats]:
    """All halves as rows of zeros and ones, some at a time."""
    every = list(combinations(range(partitions), partitions // 2))
    for start in range(0, len(every), _CHUNK):
        some = every[start : start + _CHUNK]
        rows = np.zeros((len(some), partitions))
        np.put_along_axis(rows, np.array(some), 1.0, axis=1)
        yield rows


def _ratio(mean: Floats, variance: Floats) -> Floats:
    spread = np.sqrt(np.maximum(variance, 0))
    found: Floats = np.where(spread > _NO_SPREAD, mean / np.maximum(spread, _NO_SPREAD), 0.0)
    return found


def _moment(values: Floats, power: int) -> float:
    """Skewness for 3, kurtosis for 4 (3 when normal); those of a normal where nothing varies."""
    spread = float(values.std())
    if spread <= _NO_SPREAD:
        return 0.0 if power % 2 else 3.0
    return float((((values - values.mean()) / spread) ** power).mean())


def _slope(inside: Floats, outside: Floats) -> float | None:
    spread = float(inside.var())
    if spread <= _NO_SPREAD:
        return None
    return float(((inside - inside.mean()) * (outside - outside.mean())).mean()) / spread
