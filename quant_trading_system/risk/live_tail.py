"""Value at risk of the book of this moment: what today's positions would have earned on each of the last days.

The profit of the book on every past day is one row of numbers, kept up to date by differences: when the value of one
symbol changes by d dollars, ``d · its returns`` is added, which costs one pass over the days and none over the other
positions. A new bar computes it afresh. The only floats are inside; dollars come in and go out as `Decimal`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from quant_trading_system.core.numbers import ZERO, from_float
from quant_trading_system.risk import value_at_risk as measures

_Floats = NDArray[np.float64]
BARS = 252
"""Past bars that a tail is drawn from: one year of days."""
LEVELS = ("0.95", "0.99")
"""Confidences at which the tail is told."""
METHODS: Mapping[str, tuple[Callable[..., float | None], Callable[..., float | None]]] = {
    "historical": (measures.historical_var, measures.historical_cvar),
    "parametric": (measures.parametric_var, measures.parametric_cvar),
    "cornish_fisher": (measures.cornish_fisher_var, measures.cornish_fisher_cvar),
    "monte_carlo": (measures.monte_carlo_var, measures.monte_carlo_cvar),
}
"""Name to its value at risk and its expected shortfall."""
FEWEST_FOR_BETA = 10
_PLACES = 6


class LiveTail:
    """The past profits of today's book, bar by bar, and what they say about its tail and its betas."""

    def __init__(self, symbols: tuple[str, ...], recent_returns: Callable[[int], _Floats], *, bars: int) -> None:
        """Prepare.

        Args:
            symbols: the columns of the returns.
            recent_returns: gives the last `n` returns, shape [n or fewer, symbols], NaN where missing.
            bars: how many to look back over.
        """
        self._column = {symbol: i for i, symbol in enumerate(symbols)}
        self._recent = recent_returns
        self._bars = bars
        self._values: dict[str, Decimal] = {}
        self._unknown: set[str] = set()
        self._returns: _Floats | None = None
        self._profits = self._missing = np.zeros(0)
        self._betas: _Floats | None = None

    def next_bar(self) -> None:
        """A bar has ended: its returns join, the oldest leave, and the profits are computed afresh."""
        self._returns = None
        self._betas = None

    def hold(self, values: Mapping[str, Decimal]) -> None:
        """Bring the book to `values` (symbol to dollars, negative when short); only what has changed costs anything."""
        self._load()
        for symbol in sorted(self._values.keys() | values.keys()):  # sums of floats depend on their order
            self._change(symbol, values.get(symbol, ZERO))
        if not self._values:
            self._profits[:] = 0.0  # nothing held earns nothing, also where rounding has left a crumb

    def profits(self) -> _Floats | None:
        """Dollars that the book would have earned in each past bar, oldest first.

        Bars in which a symbol held had no price are left out. None when a symbol held has no history at all.
        """
        self._load()
        return None if self._unknown else self._profits[self._missing == 0]

    def profits_with(self, symbol: str, dollars: Decimal) -> _Floats | None:
        """The same if `dollars` more of `symbol` were held; for incremental value at risk."""
        self._load()
        column = self._column.get(symbol)
        if column is None or self._unknown:
            return None
        assert self._returns is not None
        returns = self._returns[:, column]
        known = (self._missing == 0) & ~np.isnan(returns)
        return np.asarray(self._profits[known] + float(dollars) * returns[known], dtype=np.float64)

    def tail(self, seed: int) -> dict[str, Decimal | None]:
        """Dollars at risk in one bar: ``historical_var_95``, ``parametric_es_99`` and so on; None where not known.

        Args:
            seed: of the Monte Carlo draws.
        """
        profits = self.profits()
        found: dict[str, Decimal | None] = {}
        for name, (var, shortfall) in METHODS.items():
            for level in LEVELS:
                for measure, of in (("var", var), ("es", shortfall)):
                    more = {"seed": seed} if name == "monte_carlo" else {}
                    value = None if profits is None or not len(profits) else of(profits, level, **more)
                    found[f"{name}_{measure}_{level[2:]}"] = (
                        None if value is None else from_float(value + 0.0, 2)
                    )  # no minus zero
        return found

    def beta(self, symbol: str) -> Decimal | None:
        """Slope of the symbol's returns against the equally weighted average of all symbols; None if not measurable."""
        self._load()
        column = self._column.get(symbol)
        if column is None:
            return None
        if self._betas is None:
            assert self._returns is not None
            self._betas = _betas(self._returns)
        value = float(self._betas[column])
        return None if np.isnan(value) else from_float(value, _PLACES)

    def _load(self) -> None:
        if self._returns is not None:
            return
        self._returns = np.asarray(self._recent(self._bars), dtype=np.float64)
        self._profits = np.zeros(len(self._returns))
        self._missing = np.zeros(len(self._returns))
        self._unknown = set()
        values, self._values = self._values, {}
        for symbol, value in values.items():
            self._change(symbol, value)

    def _change(self, symbol: str, value: Decimal) -> None:
        before = self._values.get(symbol, ZERO)
        if value == before:
            return
        column = self._column.get(symbol)
        if column is None:
            self._unknown = self._unknown | {symbol} if value else self._unknown - {symbol}
        else:
            assert self._returns is not None
            returns = self._returns[:, column]
            absent = np.isnan(returns)
            self._profits += float(value - before) * np.where(absent, 0.0, returns)
            if not before or not value:
                self._missing += absent if value else -1.0 * absent
        if value:
            self._values[symbol] = value
        else:
            self._values.pop(symbol, None)


def _betas(returns: _Floats) -> _Floats:
    """One for each column; NaN for those with too few bars, or when the average does not move."""
    known = ~np.isnan(returns)
    counts = known.sum(axis=1)
    market = np.where(counts > 0, np.where(known, returns, 0.0).sum(axis=1) / np.maximum(counts, 1), np.nan)
    found = np.full(returns.shape[1], np.nan)
    is_whole = known.all(axis=0)
    if is_whole.any() and len(returns) >= FEWEST_FOR_BETA:
        found[is_whole] = _betas_of_whole(np.ascontiguousarray(returns.T[is_whole]), market)
    for column in np.flatnonzero(~is_whole):
        both = known[:, column] & ~np.isnan(market)
        if both.sum() < FEWEST_FOR_BETA:
            continue
        x, y = market[both] - market[both].mean(), returns[both, column] - returns[both, column].mean()
        variance = float(x @ x)
        if variance > 0:
            found[column] = float(x @ y) / variance
    return found


def _betas_of_whole(rows: _Floats, market: _Floats) -> _Floats:
    """The same of columns that lack no bar, given as rows: their means are found together, to the same last digit."""
    x, around_mean = market - market.mean(), rows - rows.mean(axis=1, keepdims=True)
    variance = float(x @ x)
    return np.array([float(x @ y) / variance if variance > 0 else np.nan for y in around_mean])
