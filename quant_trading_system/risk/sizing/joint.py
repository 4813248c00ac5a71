"""Sizers that weigh all wanted symbols against each other by their covariance.

The weights come from a solver that is handed in: a function from a covariance [N, N] to weights [N] that are not
negative and add up to one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from quant_trading_system.core.exceptions import ConfigurationError, TradingError
from quant_trading_system.risk.sizing.estimates import wanted_returns
from quant_trading_system.risk.sizing.once import OncePerWalk
from quant_trading_system.risk.sizing.request import Around, Sizing, SizingRequest, as_weight, nothing, of_weight

Floats = NDArray[np.float64]
WeightsOf = Callable[[Floats], Floats]
"""From a covariance [N, N] per period to weights [N], not negative and with the sum of one.

Raises an error of this package where it has no answer; then nothing is held.
"""


@dataclass(frozen=True)
class JointWeights:
    """Shares `gross` of equity among the wanted symbols as a solver weighs their covariance.

    What is wanted short counts with its returns turned, and its weight is held short.

    Attributes:
        rule: names the solver in decision records, such as ``risk_parity``.
        weights_of, covariance_of: the solver, and the estimator from returns [T, N] to a covariance per period.
        gross: sum of the weights, a fraction of equity.
        window: bars looked at; fewest: common returns below which the size is zero, and more than there are symbols.

    Raises:
        ConfigurationError: a number out of range.
    """

    rule: str
    weights_of: WeightsOf
    covariance_of: Callable[[Floats], Floats]
    gross: Decimal = Decimal("0.95")
    window: int = 252
    fewest: int = 60
    _found: OncePerWalk[_Joint] = field(default_factory=OncePerWalk, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.gross <= 0 or not 2 <= self.fewest <= self.window:
            raise ConfigurationError(
                f"{self.rule}: gross {self.gross} must be above 0, fewest {self.fewest} at least 2 and at most "
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
        words = (
            f"{weight:.4f} of what is invested in {len(joint.weights)} symbols, {joint.risk[symbol]:.1%} of its risk"
        )
        return of_weight(request, self.gross * as_weight(weight), self.rule, words)

    def _solve(self, around: Around) -> _Joint:
        signals, returns = wanted_returns(around, self.window)
        needed = max(self.fewest, len(signals) + 1)
        if len(returns) < needed:
            return _Joint(missing=f"{len(returns)} common returns are too few; {needed} are needed")
        try:
            covariance = self.covariance_of(returns)
            weights = self.weights_of(covariance)
        except TradingError as error:  # an estimate or a solve that failed is never traded
            return _Joint(missing=f"{self.rule}: {error}")
        shares = weights * (covariance @ weights)
        symbols = [signal.symbol for signal in signals]
        return _Joint(
            weights=dict(zip(symbols, weights.tolist(), strict=True)),
            risk=dict(zip(symbols, (shares / shares.sum()).tolist(), strict=True)),
        )


@dataclass(frozen=True)
class _Joint:
    """Weights and shares of the variance by symbol, or what is missing."""

    weights: dict[str, float] = field(default_factory=dict)
    risk: dict[str, float] = field(default_factory=dict)
    missing: str = ""
