"""Every holding adds the same risk."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from quant_trading_system.core.exceptions import EstimateError, OptimizationError
from quant_trading_system.core.signals import Signal
from quant_trading_system.risk.covariance import CovarianceModel, Gaps
from quant_trading_system.risk.portfolio_optimizer import Method, Problem, optimize
from quant_trading_system.trading.strategy import MarketView, Strategy


class RiskParity(Strategy):
    """Once a month, all stocks in weights that contribute equally to the variance of the whole.

    A weight that drifted by less than `band` of its target is left alone. Without an answer of the optimiser
    everything stays as it is.

    Source: Maillard, Roncalli & Teiletche (2010).
    """

    def __init__(
        self,
        *,
        every: int = 21,
        lookback: int = 252,
        gross: Decimal = Decimal("0.95"),
        band: Decimal = Decimal("0.2"),
    ) -> None:
        """Decide every `every` bars on the Ledoit-Wolf covariance of `lookback` returns; invest `gross`."""
        self.model = CovarianceModel(lookback=lookback, gaps=Gaps.COMMON)
        self.every = every
        self.gross = gross
        self.band = band

    def on_bar(self, market: MarketView) -> Iterable[Signal]:
        """Solve, and ask for what is off its weight."""
        if (market.bar - 1) % self.every:
            return
        try:
            covariance = self.model.of_returns(market.returns(self.model.lookback), market.symbols)
            found = optimize(Problem(method=Method.RISK_PARITY, covariance=covariance))
        except (EstimateError, OptimizationError):
            return  # nothing is known, so nothing is changed
        for symbol, share in found.exact_weights().items():
            target = (self.gross * share).quantize(Decimal("0.000001"))
            close = market.close(symbol)
            now = market.position(symbol) * close / market.equity if close is not None else Decimal(0)
            if abs(now - target) > self.band * target:
                reason = f"{found.risk_contributions[symbol]:.1%} of the risk at {target:.2%} of equity"
                yield market.long(symbol, weight=target, reason=reason)
