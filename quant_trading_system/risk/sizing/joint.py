"""Sizers that weigh all wanted symbols against each other with the optimiser."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from quant_trading_system.core.exceptions import ConfigurationError, TradingError
from quant_trading_system.risk.covariance import CovarianceModel
from quant_trading_system.risk.portfolio_optimizer import Method, Problem, optimize
from quant_trading_system.risk.sizing.estimates import wanted_returns
from quant_trading_system.risk.sizing.once import OncePerWalk
from quant_trading_system.risk.sizing.request import Around, Sizing, SizingRequest, nothing, of_weight


@dataclass(frozen=True)
class Optimized:
    """Shares `gross` of equity among the wanted symbols as the optimiser weighs their covariance.

    The covariance is that of Ledoit and Wolf. What is wanted short counts with its returns turned, and its weight is
    held short. A solve that failed is never traded: every size is then unknown, and what is held stays.

    Attributes:
        method: one that needs no expected returns, such as risk parity or maximum diversification.
        gross: sum of the weights, a fraction of equity.
        window: bars looked at; fewest: common returns below which the size is zero.
        budgets: shares of risk by symbol, for risk parity; equal without them.

    Raises:
        ConfigurationError: a number out of range.
    """

    method: Method
    gross: Decimal = Decimal("0.95")
    window: int = 252
    fewest: int = 60
    budgets: Mapping[str, float] | None = None
    _found: OncePerWalk[_Joint] = field(default_factory=OncePerWalk, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.gross <= 0 or not 2 <= self.fewest <= self.window:
            raise ConfigurationError(
                f"{self.method}: gross {self.gross} must be above 0, fewest {self.fewest} at least 2 and at most "
                f"window {self.window}"
            )

    def size(self, request: SizingRequest) -> Sizing:
        around, symbol = request.around, request.signal.symbol
        if not around.wanted:
            return nothing("no past, so no covariance is known")
        joint = self._found.of(around, lambda: self._solve(around))
        weight = joint.weights.get(symbol)
        if weight is None:
            return nothing(joint.missing or f"no returns of {symbol} up to now")
        words = f"{weight:.4f} of what is invested, {joint.risk[symbol]:.1%} of its variance"
        return of_weight(request, self.gross * weight, self.method.value.replace("-", "_"), words)

    def _solve(self, around: Around) -> _Joint:
        signals, returns = wanted_returns(around, self.window)
        if len(returns) < self.fewest:
            return _Joint(missing=f"{len(returns)} common returns are too few; {self.fewest} are needed")
        model = CovarianceModel(lookback=self.window, min_observations=self.fewest)
        try:
            covariance = model.of_returns(returns, [signal.symbol for signal in signals])
            budgets = None if self.budgets is None else {s: self.budgets.get(s, 0.0) for s in covariance.symbols}
            found = optimize(Problem(method=self.method, covariance=covariance, budgets=budgets))
        except TradingError as error:
            return _Joint(missing=f"{self.method} found no weights: {error}")
        return _Joint(weights=found.exact_weights(), risk=found.risk_contributions)


@dataclass(frozen=True)
class _Joint:
    """Weights and shares of the variance by symbol, or what is missing."""

    weights: dict[str, Decimal] = field(default_factory=dict)
    risk: dict[str, float] = field(default_factory=dict)
    missing: str = ""
