"""Correlations of returns for the gate: measured once a bar, read as exact numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.numbers import from_float

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from quant_trading_system.risk.gate_tail import GateTail

_PLACES = 6


class CorrelationSource(Protocol):
    """Whoever knows how the returns of two symbols move together."""

    def correlation(self, symbol: str, other: str) -> Decimal | None:
        """Pearson correlation, -1 to 1; None when it cannot be measured."""


class RollingCorrelations:
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
        self._returns: NDArray[np.float64] | None = None
        self._known: dict[tuple[str, str], Decimal | None] = {}
        self._tail: GateTail | None = None

    def use_limits(self, limits: RiskLimits) -> None:
        """Measure by other limits from now on."""
        self._window, self._fewest = limits.correlation_window, limits.correlation_min_observations
        self.next_bar()

    def next_bar(self) -> None:
        """Forget what was measured: a new bar has ended."""
        self._returns = None
        self._known.clear()
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
            self._known[pair] = self._measure(*pair)
        return self._known[pair]

    def _measure(self, symbol: str, other: str) -> Decimal | None:
        import numpy as np

        if symbol not in self._column or other not in self._column:
            return None
        if self._returns is None:
            self._returns = self._recent_returns(self._window)
        columns = self._returns[:, [self._column[symbol], self._column[other]]]
        common = columns[~np.isnan(columns).any(axis=1)]
        if len(common) < self._fewest:
            return None
        x, y = (common - common.mean(axis=0)).T
        scale = float(np.sqrt(x @ x) * np.sqrt(y @ y))
        return from_float(float(x @ y) / scale, _PLACES) if scale > 0 else None
