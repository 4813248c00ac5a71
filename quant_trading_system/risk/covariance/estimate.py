"""From prices that are known now to a covariance that says how it was made.

Whatever cannot be estimated is refused with the symbol that is to blame. A gap in the returns is never filled
with a number: it is refused, its row is left out, or pairs are estimated from the rows that they share.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

import msgspec
import numpy as np

from quant_trading_system.core.exceptions import EstimateError, MarketDataError
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.market.history_view import HistoryView
from quant_trading_system.risk.covariance.denoising import denoised_covariance
from quant_trading_system.risk.covariance.estimators import (
    ewma_covariance,
    ewma_weights,
    gerber,
    ledoit_wolf,
    ledoit_wolf_constant_correlation,
    oas,
    sample_covariance,
)
from quant_trading_system.risk.covariance.psd import (
    Floats,
    Repair,
    correlations,
    deviations,
    is_positive_semidefinite,
    repaired,
)


class Estimator(StrEnum):
    """How a covariance is estimated."""

    SAMPLE = "sample"
    EWMA = "ewma"
    LEDOIT_WOLF = "ledoit-wolf"
    CONSTANT_CORRELATION = "ledoit-wolf-constant-correlation"
    OAS = "oas"
    GERBER = "gerber"
    DENOISED = "denoised"


class Gaps(StrEnum):
    """What to do when some returns are missing."""

    REFUSE = "refuse"
    COMMON = "common"
    PAIRWISE = "pairwise"


class Covariance(msgspec.Struct, frozen=True, kw_only=True, eq=False, dict=True):
    """A positive semi-definite covariance of returns, and how it was made.

    Attributes:
        symbols: N different names, in the order of rows and columns.
        matrix: float64 [N, N] per period of the returns, read-only.
        estimator: its name; ``given`` for a matrix from elsewhere.
        observations: fewest returns that any pair was estimated from; 0 for a given matrix.
        shrinkage: 0 is the sample, 1 the target; None without shrinkage.
        repaired: Frobenius distance that a repair moved the correlations; 0 when none was needed.

    Raises:
        EstimateError: not square, not finite, not symmetric, a variance of zero, or not positive semi-definite.
    """

    symbols: tuple[str, ...]
    matrix: Floats
    estimator: str = "given"
    observations: int = 0
    shrinkage: float | None = None
    repaired: float = 0.0

    def __post_init__(self) -> None:
        size = len(self.symbols)
        if not size or len(set(self.symbols)) != size:
            raise EstimateError("a covariance needs at least one symbol, and each only once")
        if self.matrix.shape != (size, size):
            raise EstimateError(f"the covariance has the shape {self.matrix.shape} for {size} symbols")
        if not np.isfinite(self.matrix).all():
            raise EstimateError(f"the covariance of {self.symbols[_first_unfinished(self.matrix)]} is not finite")
        _require_movement(self.matrix, self.symbols)
        if not np.allclose(self.matrix, self.matrix.T, rtol=1e-10, atol=0):
            raise EstimateError("the covariance is not symmetric")
        if not is_positive_semidefinite(self.matrix):
            raise EstimateError("the covariance is not positive semi-definite; repair it first")
        self.matrix.setflags(write=False)

    @cached_property
    def volatilities(self) -> Floats:
        """Standard deviations per period, [N]."""
        return deviations(self.matrix)

    @cached_property
    def correlation(self) -> Floats:
        """Correlations, [N, N]."""
        return correlations(self.matrix)

    @property
    def condition_number(self) -> float:
        """Largest over smallest eigenvalue of the correlations; above 1e8 an inverse means little."""
        return float(np.linalg.cond(self.correlation))


class CovarianceModel(msgspec.Struct, frozen=True, kw_only=True):
    """How to estimate a covariance, as settings.

    Attributes:
        estimator: which one.
        lookback: returns to look back, at most.
        min_observations: fewest returns of each symbol, and of each pair, that count as an estimate.
        gaps: ``refuse`` missing returns, use only ``common`` rows, or estimate ``pairwise`` (sample and EWMA).
        repair: of a matrix that is not positive semi-definite.
        decay: of EWMA, a step back in time.
        threshold: of Gerber, in standard deviations.
    """

    estimator: Estimator = Estimator.LEDOIT_WOLF
    lookback: int = 252
    min_observations: int = 60
    gaps: Gaps = Gaps.REFUSE
    repair: Repair = Repair.HIGHAM
    decay: float = 0.94
    threshold: float = 0.5

    def estimate(self, view: HistoryView, symbols: Sequence[str] | None = None) -> Covariance:
        """The covariance of daily returns (or those of other bars) that are known at the view's moment.

        A view cannot show the future, so neither can the estimate.

        Raises:
            EstimateError: too few returns, gaps that `gaps` does not allow, or something that never moved.
            MarketDataError: a symbol is not in the history.
        """
        return self.of_returns(*known_returns(view, self.lookback, symbols))

    def of_returns(self, returns: Floats, symbols: Sequence[str]) -> Covariance:
        """The covariance of given returns, float64 [T, N], oldest first, NaN where missing; all T count.

        Raises:
            EstimateError: as `estimate`.
        """
        names = tuple(symbols)
        usable = self._usable(np.asarray(returns, dtype=np.float64), names)
        found = self._pairwise(usable) if np.isnan(usable).any() else self._complete(usable)
        matrix = (found.matrix + found.matrix.T) / 2
        _require_movement(matrix, names)
        sound = repaired(matrix, self.repair)
        moved = float(np.linalg.norm(correlations(sound) - correlations(matrix))) if sound is not matrix else 0.0
        return Covariance(
            symbols=names,
            matrix=sound,
            estimator=str(self.estimator),
            observations=found.observations,
            shrinkage=found.shrinkage,
            repaired=moved,
        )

    def _usable(self, returns: Floats, symbols: tuple[str, ...]) -> Floats:
        if returns.ndim != 2 or returns.shape[1] != len(symbols):
            raise EstimateError(f"returns have the shape {returns.shape} for {len(symbols)} symbols")
        if np.isinf(returns).any():
            raise EstimateError(f"a return of {symbols[int(np.isinf(returns).any(axis=0).argmax())]} is infinite")
        missing = np.isnan(returns)
        counts = (~missing).sum(axis=0)
        fewest = max(self.min_observations, 2)
        if len(counts) and counts.min() < fewest:
            short = symbols[int(counts.argmin())]
            raise EstimateError(f"{short} has {counts.min()} returns, fewer than {fewest}; leave it out or wait")
        _require_changes(returns, symbols)
        if not missing.any():
            return returns
        if self.gaps is Gaps.REFUSE:
            symbol = symbols[int(missing.any(axis=0).argmax())]
            raise EstimateError(f"{symbol} misses returns; leave it out, or use common rows or pairs")
        if self.gaps is Gaps.PAIRWISE:
            return returns
        common = returns[~missing.any(axis=1)]
        if len(common) < fewest:
            raise EstimateError(f"only {len(common)} rows are common to all symbols, fewer than {fewest}")
        return common

    def _complete(self, returns: Floats) -> _Found:
        shrinkage: float | None = None
        match self.estimator:
            case Estimator.SAMPLE:
                matrix = sample_covariance(returns)
            case Estimator.EWMA:
                matrix = ewma_covariance(returns, self.decay)
            case Estimator.LEDOIT_WOLF:
                matrix, shrinkage = ledoit_wolf(returns)
            case Estimator.CONSTANT_CORRELATION:
                matrix, shrinkage = ledoit_wolf_constant_correlation(returns)
            case Estimator.OAS:
                matrix, shrinkage = oas(returns)
            case Estimator.GERBER:
                matrix = gerber(returns, self.threshold)
            case Estimator.DENOISED:
                matrix = denoised_covariance(returns).matrix
        return _Found(matrix, len(returns), shrinkage)

    def _pairwise(self, returns: Floats) -> _Found:
        """Each pair from the rows in which both are known, each mean from the same rows."""
        if self.estimator not in (Estimator.SAMPLE, Estimator.EWMA):
            raise EstimateError(f"{self.estimator} has no pairwise form; use common rows, sample or ewma")
        known = (~np.isnan(returns)).astype(np.float64)
        filled = np.nan_to_num(returns)
        counts = known.T @ known
        fewest = max(self.min_observations, 2)
        if counts.min() < fewest:
            raise EstimateError(f"two symbols share {int(counts.min())} returns, fewer than {fewest}")
        if self.estimator is Estimator.EWMA:
            weights = ewma_weights(len(returns), self.decay)[:, None]
            matrix = (filled * weights).T @ filled / ((known * weights).T @ known)
        else:
            sums = filled.T @ known
            matrix = (filled.T @ filled - sums * sums.T / counts) / (counts - 1)
        return _Found(matrix, int(counts.min()), None)


class _Found(NamedTuple):
    matrix: Floats
    observations: int
    shrinkage: float | None


def known_returns(
    view: HistoryView, lookback: int, symbols: Sequence[str] | None = None
) -> tuple[Floats, tuple[str, ...]]:
    """The last `lookback` simple returns that are known at the view's moment: float64 [T, N], and the N symbols.

    Raises:
        EstimateError: `lookback` is below 2.
        MarketDataError: a symbol is not in the history.
    """
    if lookback < 2:
        raise EstimateError(f"a lookback of {lookback} returns is too short; take at least 2")
    returns = view.returns(lookback)
    if symbols is None:
        return returns, view.symbols
    place = {symbol: column for column, symbol in enumerate(view.symbols)}
    unknown = [symbol for symbol in symbols if symbol not in place]
    if unknown:
        raise MarketDataError(f"{unknown[0]} is not in this history of {len(view.symbols)} symbols")
    return returns[:, [place[symbol] for symbol in symbols]], tuple(symbols)


def walk_forward(
    history: PriceHistory, model: CovarianceModel, *, every: int = 21, first: int | None = None
) -> Iterator[tuple[int, Covariance]]:
    """Covariances along a history: the number of a bar, and the covariance as it was known when that bar ended.

    Args:
        every: bars between two estimates.
        first: number of the first bar; by default the first with a full lookback before it.

    Raises:
        EstimateError: as `CovarianceModel.estimate`, at the bar that it happens.
    """
    start = model.lookback if first is None else first
    for index in range(start, len(history), every):
        yield index, model.estimate(HistoryView(history, index))


def _first_unfinished(matrix: Floats) -> int:
    return int((~np.isfinite(matrix)).any(axis=0).argmax())


def _require_changes(returns: Floats, symbols: tuple[str, ...]) -> None:
    """Shrinkage would lend a variance to what has none, so constant returns are refused before."""
    highest, lowest = np.nanmax(returns, axis=0), np.nanmin(returns, axis=0)
    still = highest - lowest <= 1e-12 * np.maximum(np.abs(highest), np.abs(lowest))
    if still.any():
        raise EstimateError(f"all returns of {symbols[int(still.argmax())]} are the same; leave it out")


def _require_movement(matrix: Floats, symbols: tuple[str, ...]) -> None:
    variances = np.diag(matrix)
    if not (variances > 0).all():
        still = symbols[int((~(variances > 0)).argmax())]
        raise EstimateError(f"{still} never moved; leave it out")
