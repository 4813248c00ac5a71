"""How much of every account-wide limit is used: one list for screens, metrics and records."""

from __future__ import annotations

from decimal import Decimal

from quant_trading_system.core.decisions import Unit
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.core.risk_now import LimitUse
from quant_trading_system.risk.monitor import RiskMonitor
from quant_trading_system.risk.portfolio import Portfolio


def limit_uses(portfolio: Portfolio, monitor: RiskMonitor) -> tuple[LimitUse, ...]:
    """What is used of each limit: of the exposures in the worst case of all open orders, and of the triggers.

    Exposures are left out while equity is not above zero: no share of it means anything. Triggers are told as
    `RiskMonitor.measures` has them.
    """
    triggers = tuple(
        LimitUse(found.trigger.rule, max(found.actual, ZERO), found.limit, found.trigger.unit)
        for found in monitor.measures()
    )
    return (*_exposures(portfolio, monitor), *triggers)


def _exposures(portfolio: Portfolio, monitor: RiskMonitor) -> tuple[LimitUse, ...]:
    limits = monitor.limits
    with portfolio.lock:
        equity = portfolio.equity
        if equity <= 0:
            return ()
        held = [portfolio.holding(symbol) for symbol in sorted(portfolio.open_symbols)]
        value, symbol = max(((h.worst_value, h.position.symbol) for h in held), default=(ZERO, ""))
        orders, busiest = max(((len(h.open_orders), h.position.symbol) for h in held), default=(0, ""))
        in_sector, sector = max(((worst, name) for name, worst in portfolio.sector_worst.items()), default=(ZERO, ""))
        gross = portfolio.gross_worst
    power = limits.buying_power_multiplier * equity
    return (
        LimitUse("max_position_pct", value, limits.max_position_pct * equity, Unit.USD, symbol),
        LimitUse("max_portfolio_positions", Decimal(len(held)), Decimal(limits.max_portfolio_positions), Unit.COUNT),
        LimitUse("max_sector_exposure", in_sector, limits.max_sector_exposure * equity, Unit.USD, sector),
        LimitUse("max_gross_exposure", gross, limits.max_gross_exposure * equity, Unit.USD),
        LimitUse("buying_power_multiplier", gross, power, Unit.USD),
        LimitUse(
            "max_open_orders_per_symbol",
            Decimal(orders),
            Decimal(limits.max_open_orders_per_symbol),
            Unit.COUNT,
            busiest if orders else "",
        ),
    )
