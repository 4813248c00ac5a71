"""Correlations of returns for the gate: measured once a bar, read as exact numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from math import isfinite, nan
from typing import TYPE_CHECKING, Protocol

from quant_trading_system.config.market_entries import MARKET
from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.numbers import from_float

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from quant_trading_system.risk.gate_tail import GateTail

_PLACES = 6
_TOO_FAR = 2e-6
"""A correlation that is so much lower than another one is lower when both are rounded, too."""


class CorrelationSource(Protocol):
    """Whoever knows how the returns of two symbols move together."""

    def correlation(self, symbol: str, other: str) -> Decimal | None:
        """Pearson correlation, -1 to 1; None when it cannot be measured."""

    def closest(self, symbol: str, bets: Mapping[str, int]) -> Iterable[str]:  # noqa: ARG002 - for those who know more
        """The symbols among `bets` that may be the one that moves most alike; unless something is known, all of them.

        Args:
            bets: 1 to count the correlation with a symbol, -1 its opposite, 0 its size.
        """
        return bets


class RollingCorrelations(CorrelationSource):
    """Pearson correlations of simple returns over the latest bars, computed when asked and kept for the bar."""

    def __init__(
        self,
        symbols: tuple[str, ...],
        recent_returns: Callable[[int], NDArray[np.float64]],
        *,
        window: int,
        min_observations: int,
    ) -> None:
        """Prepare to measure.

        Args:
            symbols: the columns of the returns.
            recent_returns: gives the last `n` returns, shape [n or fewer, symbols], NaN where missing; it must
                never look beyond the current bar.
            window: bars to look back; `min_observations`: fewest common returns that count.
        """
        self._column = {symbol: i for i, symbol in enumerate(symbols)}
        self._recent_returns = recent_returns
        self._window = window
        self._fewest = min_observations
        self._plane: _Plane | None = None
        self._known: dict[tuple[str, str], Decimal | None] = {}
        self._tail: GateTail | None = None
        self._ratios: dict[tuple[str, int, int], Decimal | None] = {}

    def use_limits(self, limits: RiskLimits) -> None:
        """Measure by other limits from now on."""
        self._window, self._fewest = limits.correlation_window, limits.correlation_min_observations
        self.next_bar()

    def next_bar(self) -> None:
        """Forget what was measured: a new bar has ended."""
        if self._plane is not None:
            self._plane = None
            self._known.clear()
        if self._ratios:
            self._ratios.clear()
        if self._tail is not None:
            self._tail.next_bar()

    @property
    def past(self) -> GateTail:
        """Betas and tails by the same returns, over up to a year of bars; made when first asked for."""
        if self._tail is None:
            from quant_trading_system.risk.gate_tail import GateTail

            self._tail = GateTail(tuple(self._column), self._recent_returns)
        return self._tail

    def beta(self, symbol: str) -> Decimal | None:
        """Slope of its returns against the average of all symbols; None if not measurable."""
        return self.past.beta(symbol)

    def tail(self, values: Mapping[str, Decimal]) -> tuple[Decimal, Decimal] | None:
        """Value at risk and expected shortfall of a book; see `GateTail.of`."""
        return self.past.of(values)

    def correlation(self, symbol: str, other: str) -> Decimal | None:
        pair = (symbol, other) if symbol < other else (other, symbol)
        if pair not in self._known:
            self._known[pair] = self._measure(symbol, other)
        return self._known[pair]

    def closest(self, symbol: str, bets: Mapping[str, int]) -> Iterable[str]:
        place = self._column
        if symbol not in place or not place.keys() >= bets.keys():
            return bets
        seen, one = self._seen(), place[symbol]
        row, alike = seen.row(one), []
        for other, way in bets.items():
            found = row[place[other]]
            if not isfinite(found):
                of_two = seen.of(one, place[other])  # it may be known by the bars that both have
                if of_two is None:
                    return bets  # the first that cannot be measured matters, too
                found = of_two
            alike.append(found * way if way else abs(found))
        least = max(alike, default=0.0) - _TOO_FAR
        return [other for other, value in zip(bets, alike, strict=True) if value >= least]

    def volatility_ratio(self, reference: str, short: int, long: int) -> Decimal | None:
        """Standard deviation of the latest `short` returns over that of the latest `long` ones, divisor n - 1.

        Args:
            reference: a symbol, or ``market`` for the average of all symbols.

        Returns:
            None while the bars are too few, one of them has no return, or nothing has moved.
        """
        wanted = reference, short, long
        if wanted not in self._ratios:
            self._ratios[wanted] = self._volatility(*wanted)
        return self._ratios[wanted]

    def _volatility(self, reference: str, short: int, long: int) -> Decimal | None:
        import numpy as np

        returns = self._recent_returns(long)
        if reference == MARKET:
            told = ~np.isnan(returns)
            counts = told.sum(axis=1)
            if not counts.all():
                return None
            series = np.where(told, returns, 0).sum(axis=1) / counts
        elif reference in self._column:
            series = returns[:, self._column[reference]]
        else:
            return None
        if len(series) < long or np.isnan(series).any():
            return None
        now, usual = float(series[-short:].std(ddof=1)), float(series.std(ddof=1))
        return from_float(now / usual, _PLACES) if usual > 0 else None

    def _measure(self, symbol: str, other: str) -> Decimal | None:
        one, two = self._column.get(symbol), self._column.get(other)
        seen = self._seen()
        measured = None if one is None or two is None else seen.of(one, two)
        return None if measured is None else from_float(measured, _PLACES)

    def _seen(self) -> _Plane:
        if self._plane is None:
            self._plane = _Plane(self._recent_returns(self._window), self._fewest)
        return self._plane


class _Plane:
    """The returns of one bar's past, and the correlations that were measured by them, a symbol with all others at once.

    The sums run along the bars in their order, so that two symbols correlate alike whichever of them is asked about.
    """

    def __init__(self, returns: NDArray[np.float64], fewest: int) -> None:
        import numpy as np

        self._returns, self._fewest = returns, fewest
        sums = np.add.reduce(returns, axis=0)
        self._with_gaps = frozenset[int]()
        if np.isnan(sums).any():
            self._with_gaps = frozenset(np.flatnonzero(np.isnan(returns).any(axis=0)).tolist())
        self._around_mean = returns - sums / len(returns) if len(returns) else returns
        self._norms = np.sqrt(np.add.reduce(self._around_mean * self._around_mean, axis=0))
        self._rows: dict[int, list[float]] = {}

    def of(self, one: int, two: int) -> float | None:
        """Of two columns; None when one does not move, or they have too few returns in common."""
        if one in self._with_gaps or two in self._with_gaps:
            return self._where_both_are(one, two)
        found = self.row(one)[two]
        return found if isfinite(found) else None

    def row(self, one: int) -> list[float]:
        """Of a column with all; no number where one has gaps or does not move, or there are too few returns."""
        known = self._rows.get(one)
        if known is None:
            known = self._rows[one] = self._measured(one)
        return known

    def _measured(self, one: int) -> list[float]:
        import numpy as np

        if one in self._with_gaps or len(self._returns) < self._fewest:
            return [nan] * len(self._norms)
        shared = np.add.reduce(self._around_mean * self._around_mean[:, one : one + 1], axis=0)
        scale = self._norms * self._norms[one]
        found: list[float] = np.divide(shared, scale, out=np.full_like(scale, np.nan), where=scale > 0).tolist()
        return found

    def _where_both_are(self, one: int, two: int) -> float | None:
        import numpy as np

        columns = self._returns[:, sorted((one, two))]
        common = columns[~np.isnan(columns).any(axis=1)]
        if len(common) < self._fewest:
            return None
        x, y = (common - common.mean(axis=0)).T
        scale = float(np.sqrt(x @ x) * np.sqrt(y @ y))
        return float(x @ y) / scale if scale > 0 else None
