"""The risk numbers of a moment, as they go on record."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from quant_trading_system.core.events import RiskEvent, RiskEventKind
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.risk.portfolio import Portfolio
from quant_trading_system.risk.triggers import Measure

_SIX = Decimal("1E-6")


def risk_numbers(
    portfolio: Portfolio, at: datetime, reason: RiskEventKind, measure: Measure | None = None, order_id: str = ""
) -> RiskEvent:
    """The numbers of `portfolio` at the moment `at`, with the measure or the order that is the reason."""
    with portfolio.lock:
        equity, peak, day_start = portfolio.equity, portfolio.peak_equity, portfolio.day_start_equity
        lost = peak - equity
        return RiskEvent(
            at=at,
            reason=reason,
            equity=equity,
            day_start_equity=day_start,
            week_start_equity=portfolio.week_start_equity,
            month_start_equity=portfolio.month_start_equity,
            peak_equity=peak,
            daily_pnl=equity - day_start,
            current_drawdown=((lost if lost > ZERO else ZERO) / peak).quantize(_SIX) if peak > ZERO else ZERO,
            losing_streak=portfolio.losing_streak,
            rule="" if measure is None else measure.trigger.rule,
            actual=None if measure is None else measure.actual,
            limit=None if measure is None else measure.limit,
            order_id=order_id,
        )
