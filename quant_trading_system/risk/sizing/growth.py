"""Sizers from means and volatilities of returns: Kelly in continuous time, and the volatility target."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np

from quant_trading_system.core.exceptions import ConfigurationError, InvalidNumber
from quant_trading_system.core.numbers import ONE, ZERO
from quant_trading_system.risk.covariance.estimators import ledoit_wolf
from quant_trading_system.risk.sizing.estimates import ewma_volatility, returns_of, wanted_returns
from quant_trading_system.risk.sizing.kelly import Floats, kelly_portfolio, kelly_shrinkage
from quant_trading_system.risk.sizing.once import OncePerWalk
from quant_trading_system.risk.sizing.request import Around, Sizing, SizingRequest, as_weight, nothing, of_weight
from quant_trading_system.risk.sizing.signals import share_of_one


def target_exposure(target: Decimal, volatility: float, cap: Decimal) -> Decimal:
    """Exposure min(cap, target/σ), a fraction of equity.

    Raises:
        InvalidNumber: a volatility that is not finite and above zero; nobody knows what is calm then.
    """
    if not 0 < volatility < float("inf"):
        raise InvalidNumber(f"a volatility of {volatility} gives no exposure; it must be above zero")
    return min(as_weight(float(target) / volatility), cap)


@dataclass(frozen=True)
class VolatilityTarget:
    """Exposure min(cap, target/σ) to each wanted symbol, divided by how many are wanted.

    σ is the yearly EWMA volatility of the symbol. With one symbol the position is as volatile as `target`; with
    several, each has the same volatility by itself, and the whole is calmer unless all move as one.

    Source: Harvey et al. (2018), The impact of volatility targeting; RiskMetrics (1996) for the estimate.

    Attributes:
        target: yearly volatility, a fraction.
        cap: largest exposure, a fraction of equity.
        decay: of the EWMA, a bar.
        window: bars looked at; fewest: below it the size is zero; periods: bars of a year.

    Raises:
        ConfigurationError: a number out of range.
    """

    target: Decimal = Decimal("0.15")
    cap: Decimal = ONE
    decay: Decimal = Decimal("0.94")
    window: int = 252
    fewest: int = 20
    periods: int = 252

    def __post_init__(self) -> None:
        if self.target <= 0 or self.cap <= 0 or not ZERO < self.decay < ONE:
            raise ConfigurationError(
                f"vol-target: target {self.target} and cap {self.cap} must be above 0, decay {self.decay} within 0 to 1"
            )
        _require_window("vol-target", self.window, self.fewest)

    def size(self, request: SizingRequest) -> Sizing:
        symbol = request.signal.symbol
        returns = returns_of(request.around.past, symbol, self.window)
        if len(returns) < self.fewest:
            return nothing(f"{len(returns)} returns of {symbol} are too few; {self.fewest} are needed")
        volatility = ewma_volatility(returns, float(self.decay), self.periods)
        if not volatility > 0:
            return nothing(f"{symbol} never moved in {len(returns)} bars, so its volatility is not known")
        exposure = target_exposure(self.target, volatility, self.cap)
        rule = "vol_target" if exposure < self.cap else "vol_target_cap"
        words = f"{self.target} wanted of a volatility of {volatility:.4f}: exposure {exposure:.4f}"
        return share_of_one(request, exposure, rule, words)


@dataclass(frozen=True)
class Kelly:
    """The weights that maximise expected growth of all wanted symbols together, of which `fraction` is used.

    Means are those of past returns, covariances Ledoit and Wolf's; what is wanted short counts with its sign
    turned. The weights are shrunk for the error of the means, multiplied by `fraction`, and held within the position
    limit and `leverage` inside the optimisation, not by scaling afterwards. A symbol without an edge gets nothing.

    Source: Thorp (2006), sections 7 and 8; Kan & Zhou (2007) for the shrinkage.

    Attributes:
        fraction: of full Kelly; a quarter to a half is the practice.
        leverage: largest sum of weights.
        rate: yearly interest on cash; periods: bars of a year.
        window: bars looked at; fewest: common returns below which the size is zero.
        shrink: account for the error of the means.

    Raises:
        ConfigurationError: a number out of range.
    """

    fraction: Decimal = Decimal("0.25")
    leverage: Decimal = ONE
    rate: Decimal = ZERO
    window: int = 504
    fewest: int = 126
    periods: int = 252
    shrink: bool = True
    _found: OncePerWalk[_Growth] = field(default_factory=OncePerWalk, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not ZERO < self.fraction <= ONE or self.leverage <= 0:
            raise ConfigurationError(
                f"kelly: fraction {self.fraction} must be above 0 and at most 1, leverage {self.leverage} above 0"
            )
        _require_window("kelly", self.window, self.fewest)

    def size(self, request: SizingRequest) -> Sizing:
        around, symbol = request.around, request.signal.symbol
        if not around.wanted:
            return nothing("no past, so no edge is known")
        cap = float(min(request.limits.max_position_pct, self.leverage))
        growth = self._found.of(around, lambda: self._optimum(around, cap))
        if symbol not in growth.weights:
            return nothing(growth.missing or f"no returns of {symbol} up to now")
        edge = growth.edges[symbol]
        if edge <= 0:
            mean = edge + float(self.rate)
            return nothing(f"no edge: the mean return of {mean:+.2%} a year is not above {self.rate}", bound_by="kelly")
        weight = as_weight(growth.weights[symbol])
        free = growth.free[symbol]
        words = f"Kelly {free:.2f} alone, {growth.factor:.0%} of it used, {growth.weights[symbol]:.4f} within limits"
        if not weight:
            return nothing(f"better edges leave no room: {words}", bound_by="kelly")
        return of_weight(request, weight, self._bound(growth, symbol, float(request.limits.max_position_pct)), words)

    def _bound(self, growth: _Growth, symbol: str, most: float) -> str:
        if growth.weights[symbol] >= most:
            return "max_position_pct"
        full = sum(growth.weights.values()) >= float(self.leverage) * (1 - 1e-9)
        return "kelly_leverage" if full else "kelly"

    def _optimum(self, around: Around, cap: float) -> _Growth:
        signals, returns = wanted_returns(around, self.window)
        if len(returns) < self.fewest:
            return _Growth(
                missing=f"{len(returns)} common returns are too few to know an edge; {self.fewest} are needed"
            )
        symbols = [signal.symbol for signal in signals]
        excess = returns.mean(axis=0) - float(self.rate) / self.periods
        covariance = ledoit_wolf(returns).matrix
        try:
            factor = float(self.fraction) * (kelly_shrinkage(excess, covariance, len(returns)) if self.shrink else 1.0)
            caps: Floats = np.full(len(symbols), cap)
            weights = kelly_portfolio(factor * excess, covariance, caps=caps, leverage=float(self.leverage))
        except InvalidNumber as error:
            return _Growth(missing=str(error))
        alone = excess / np.diag(covariance)
        return _Growth(
            weights=dict(zip(symbols, weights.tolist(), strict=True)),
            edges=dict(zip(symbols, (excess * self.periods).tolist(), strict=True)),
            free=dict(zip(symbols, alone.tolist(), strict=True)),
            factor=factor,
        )


@dataclass(frozen=True)
class _Growth:
    """Kelly's weights by symbol, the yearly edges behind them, and each symbol's Kelly fraction by itself."""

    weights: dict[str, float] = field(default_factory=dict)
    edges: dict[str, float] = field(default_factory=dict)
    free: dict[str, float] = field(default_factory=dict)
    factor: float = 0.0
    missing: str = ""


def _require_window(name: str, window: int, fewest: int) -> None:
    if not 2 <= fewest <= window:
        raise ConfigurationError(f"{name}: fewest {fewest} must be at least 2 and at most window {window}")
