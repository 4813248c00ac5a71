"""A planned rebalance with the risk of what is held before and after it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from quant_trading_system.core.exceptions import EstimateError
from quant_trading_system.core.numbers import ZERO, from_float
from quant_trading_system.core.rebalance_shown import RebalanceShown, RiskShown, TradeShown
from quant_trading_system.risk.live_tail import BARS
from quant_trading_system.risk.risk_book import Returns
from quant_trading_system.trading.rebalance import RebalancePlan, weights_after

_SIX, _CENT = Decimal("1E-6"), Decimal("0.01")


def shown_with_risk(plan: RebalancePlan, equity: Decimal, returns: Returns | None) -> RebalanceShown:
    """The plan as people see it.

    Args:
        equity: dollars.
        returns: past returns; without them the risk is missing.
    """
    before = {trade.symbol: trade.before_weight for trade in plan.trades if trade.before_weight}
    (held, missing), (wanted, also) = _risk(before, returns), _risk(weights_after(plan.trades), returns)
    return RebalanceShown(
        equity=equity,
        cash_before=plan.cash_before,
        cash_after=plan.cash_after.quantize(_CENT),
        turnover=plan.turnover.quantize(_SIX),
        cost=plan.cost.quantize(_CENT),
        trades=tuple(
            TradeShown(
                symbol=trade.symbol,
                change=trade.change,
                price=trade.price,
                cost=trade.cost.quantize(_CENT),
                before=trade.before_weight.quantize(_SIX),
                after=trade.after_weight.quantize(_SIX),
                why=trade.why,
            )
            for trade in plan.trades
        ),
        before=held,
        after=wanted,
        risk_missing=missing or also,
        notes=plan.notes,
    )


def _risk(weights: Mapping[str, Decimal], returns: Returns | None) -> tuple[RiskShown | None, str]:
    """Volatility and contributions, and why they are missing; nothing held has no risk."""
    symbols = sorted(symbol for symbol, weight in weights.items() if weight)
    if not symbols:
        return RiskShown(volatility=ZERO, gross=ZERO, net=ZERO, largest=ZERO, contributions={}), ""
    if returns is None or not returns.is_daily:
        return None, "this engine knows no past days"
    try:
        from quant_trading_system.risk.covariance import CovarianceModel, Gaps
        from quant_trading_system.risk.sizing.contributions import risk_of

        columns = [returns.symbols.index(symbol) for symbol in symbols]
        covariance = CovarianceModel(gaps=Gaps.COMMON).of_returns(returns.recent(BARS)[:, columns], symbols)
        found = risk_of(weights, covariance)
    except (EstimateError, ValueError) as error:
        return None, f"the risk cannot be estimated: {error}"
    return RiskShown(
        volatility=from_float(found.volatility, 6),
        gross=from_float(found.gross, 6),
        net=from_float(found.net, 6),
        largest=from_float(found.largest, 6),
        contributions={symbol: from_float(share, 6) for symbol, share in found.contributions.items()},
    ), ""
