"""What a portfolio is asked to be: the method, what it knows, and the constraints, all by symbol.

Weights are fractions of equity, negative for shorts. Returns, means and the risk-free rate are per period of the
covariance, as fractions: of daily returns when the covariance is one of daily returns.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum

import msgspec

from quant_trading_system.core.exceptions import OptimizationError
from quant_trading_system.risk.covariance import Covariance
from quant_trading_system.risk.covariance.psd import Floats

BySymbol = Mapping[str, float]


class Method(StrEnum):
    """What is optimised. `risk-parity` with budgets is risk budgeting."""

    MIN_VARIANCE = "min-variance"
    MEAN_VARIANCE = "mean-variance"
    MAX_SHARPE = "max-sharpe"
    RISK_PARITY = "risk-parity"
    MAX_DIVERSIFICATION = "max-diversification"
    HRP = "hrp"
    HERC = "herc"
    BLACK_LITTERMAN = "black-litterman"
    MIN_CVAR = "min-cvar"
    ROBUST = "robust"
    INVERSE_VOLATILITY = "inverse-volatility"
    EQUAL_WEIGHT = "equal-weight"


class Constraints(msgspec.Struct, frozen=True, kw_only=True):
    """Limits that the weights obey, or there are no weights.

    Attributes:
        min_weight: one for all, or by symbol (then 0 for those left out). Negative allows shorts. Together with
            `max_positions` it is the smallest weight of what is held.
        max_weight: one for all, or by symbol (then 1 for those left out).
        invested: sum of the weights.
        sectors: symbol to sector; `sector_caps`: sector to its largest sum of weights.
        current: weights now, 0 for those left out; what turnover, trades and costs are measured from.
        max_turnover: largest Σ|wᵢ − currentᵢ|: buys and sells together.
        max_trade: symbol to its largest |wᵢ − currentᵢ|; see `participation_caps`.
        max_positions: most weights other than zero.
        min_return: smallest expected return per period; needs means.
    """

    min_weight: float | BySymbol = 0.0
    max_weight: float | BySymbol = 1.0
    invested: float = 1.0
    sectors: Mapping[str, str] = {}
    sector_caps: BySymbol = {}
    current: BySymbol = {}
    max_turnover: float | None = None
    max_trade: BySymbol = {}
    max_positions: int | None = None
    min_return: float | None = None


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """What trading costs, per period, as a fraction of equity: Σ linearᵢ·|Δwᵢ| + quadraticᵢ·Δwᵢ².

    Spread the cost of a trade over the periods that it is meant to be held for: with daily returns and a holding of
    a month, 10 basis points become 0.001 / 21.

    Attributes:
        linear: half spread and fees; one for all, or by symbol (then 0 for those left out).
        quadratic: market impact; likewise.
    """

    linear: float | BySymbol = 0.0
    quadratic: float | BySymbol = 0.0


class View(msgspec.Struct, frozen=True, kw_only=True):
    """An opinion: the portfolio `weights` will return `expected` per period.

    Attributes:
        weights: ``{"AAPL": 1}`` for an absolute view; ``{"AAPL": 1, "MSFT": -1}`` for a relative one.
        expected: return per period.
        variance: uncertainty of the view, a variance; None for τ·pᵀΣp, as sure as the equilibrium is.
    """

    weights: BySymbol
    expected: float
    variance: float | None = None


class Problem(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A question to the optimiser.

    Attributes:
        means: expected returns; of every symbol. Needed by mean-variance, max-sharpe, robust and `min_return`.
        scenarios: float64 [T, N] returns in the order of the covariance's symbols; needed by min-cvar.
        budgets: shares of risk by symbol for risk-parity, above zero; equal without them.
        risk_aversion: λ in μᵀw − ½λ·wᵀΣw − costs; of mean-variance, robust, black-litterman, and, with costs,
            of min-variance.
        risk_free: of max-sharpe.
        confidence: of min-cvar, such as 0.95.
        uncertainty: κ of robust: how many standard errors the means are taken to be wrong, against us.
        market_weights, views, tau: of black-litterman.
        no_trade_band: symbols that would trade less than this keep their current weight, and the others are solved
            for again.
    """

    method: Method
    covariance: Covariance
    constraints: Constraints = Constraints()
    costs: Costs = Costs()
    means: BySymbol | None = None
    scenarios: Floats | None = None
    budgets: BySymbol | None = None
    risk_aversion: float = 2.5
    risk_free: float = 0.0
    confidence: Decimal = Decimal("0.95")
    uncertainty: float = 1.0
    market_weights: BySymbol | None = None
    views: tuple[View, ...] = ()
    tau: float = 0.05
    no_trade_band: float = 0.0


def participation_caps(
    equity: Decimal, average_daily_value: Mapping[str, Decimal], participation: Decimal, days: int = 1
) -> dict[str, float]:
    """`Constraints.max_trade` such that no symbol trades more than a share of its usual volume.

    Args:
        equity: dollars, above zero.
        average_daily_value: symbol to dollars traded a day.
        participation: share of that value, such as 0.05; over `days` days.

    Raises:
        OptimizationError: no equity, a participation that is not above 0 and at most 1, or no day.
    """
    if equity <= 0 or not 0 < participation <= 1 or days < 1:
        raise OptimizationError("participation needs equity above zero, a share above 0 and at most 1, and a day")
    return {symbol: float(participation * days * value / equity) for symbol, value in average_daily_value.items()}
