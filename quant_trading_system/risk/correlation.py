"""Correlations of returns for the gate: measured once a bar, read as exact numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

from quant_trading_system.config.market_entries import MARKET
from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.numbers import from_float
from quant_trading_system.risk.bets import Bets

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from quant_trading_system.risk.closest_bets import ClosestBets
    from quant_trading_system.risk.gate_tail import GateTail

_PLACES = 6


class CorrelationSource(Protocol):
    """Whoever knows how the returns of two symbols move together."""

    def correlation(self, symbol: str, other: str) -> Decimal | None:
        """Pearson correlation, -1 to 1; None when it cannot be measured."""

    def closest(self, symbol: str, sign: int, bets: Bets) -> Iterable[str]:  # noqa: ARG002 - for those who know more
        """The other symbols with a bet that may be the one that moves most like a new bet on `symbol`.

        Unless something is known, all of them. As soon as one cannot be measured, the first of these by name is enough.

        Args:
            sign: 1 for a new long bet, -1 for a short one.
        """
        return [other for other in bets.symbols if other != symbol]


class RollingCorrelations(CorrelationSource):
    """Pearson correlations of simple returns over the latest bars, computed when asked and kept for the bar."""

    def __init__(
        self,
        symbols: tuple[str, ...],
        recent_returns: Callable[[int], NDArray[np.float64]],
        *,
        window: int,
        min_observations: int,
        within_days: Callable[[int], NDArray[np.float64]] | None = None,
    ) -> None:
        """Prepare to measure.

        Args:
            symbols: the columns of the returns.
            recent_returns: gives the last `n` returns, shape [n or fewer, symbols], NaN where missing; it must
                never look beyond the current bar.
            window: bars to look back; `min_observations`: fewest common returns that count.
            within_days: likewise, of those that do not span a night; `recent_returns` without it. Correlations are
                measured over these: one gap at the open outweighs the minutes of an hour.
        """
        self._symbols = symbols
        self._column = {symbol: i for i, symbol in enumerate(symbols)}
        self._recent_returns = recent_returns
        self._within_days = recent_returns if within_days is None else within_days
        self._window = window
        self._fewest = min_observations
        self._returns: NDArray[np.float64] | None = None  # up to the bar that has ended last, once they were asked for
        self._closest: ClosestBets | None = None
        self._looks = False  # at these returns
        self._known: dict[tuple[str, str], Decimal | None] = {}
        self._tail: GateTail | None = None
        self._ratios: dict[tuple[str, int, int], Decimal | None] = {}

    def use_limits(self, limits: RiskLimits) -> None:
        """Measure by other limits from now on."""
        self._window, self._fewest = limits.correlation_window, limits.correlation_min_observations
        self.next_bar()

    def next_bar(self) -> None:
        """Forget what was measured: a new bar has ended."""
        self._returns, self._looks = None, False
        if self._known:
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
        pair = _pair(symbol, other)
        if pair not in self._known:
            self._known[pair] = self._measure(symbol, other)
        return self._known[pair]

    def closest(self, symbol: str, sign: int, bets: Bets) -> Iterable[str]:
        row = bets.along(self._column)
        named = sorted(row.elsewhere - {symbol})[:1]  # without a column nothing can be measured
        for column, found in self._bets_of_now().find(self._column.get(symbol), sign, row):
            other = self._symbols[column]
            self._known[_pair(symbol, other)] = None if found is None else from_float(found, _PLACES)
            named.append(other)
        return named

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
        if one is None or two is None:
            return None
        from quant_trading_system.risk.pearson import with_each

        (measured,) = with_each(self._window_of_now(), one, [two], self._fewest)
        return None if measured is None else from_float(measured, _PLACES)

    def _window_of_now(self) -> NDArray[np.float64]:
        if self._returns is None:
            self._returns = self._within_days(self._window)
        return self._returns

    def _bets_of_now(self) -> ClosestBets:
        if self._closest is None:
            from quant_trading_system.risk.closest_bets import ClosestBets

            self._closest = ClosestBets(sorted(self._column.values(), key=self._symbols.__getitem__))
        if not self._looks:
            self._looks = True
            self._closest.begin(self._window_of_now(), self._fewest)
        return self._closest


def _pair(symbol: str, other: str) -> tuple[str, str]:
    """Both, in one order whichever is asked about."""
    return (symbol, other) if symbol < other else (other, symbol)
