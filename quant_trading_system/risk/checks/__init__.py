"""The questions of the gate: one small pure function each, asked in a fixed order.

A check states its invariant positively (``actual <= limit``) and gives both numbers. What is missing
refuses. A way out is never too large: orders proven to shrink a position pass the limits on size.
"""

from __future__ import annotations

from collections.abc import Mapping

from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.decisions import Rule
from quant_trading_system.risk.checks.account import (
    check_account_known,
    check_daily_loss,
    check_drawdown,
    check_exact_arithmetic,
    check_kill_switch,
    check_reconciled,
    check_watched,
)
from quant_trading_system.risk.checks.budgets import check_strategy_loss, check_strategy_orders, check_strategy_value
from quant_trading_system.risk.checks.capital import check_day_trades, check_margin_use, check_settled_cash
from quant_trading_system.risk.checks.case import Case, Check
from quant_trading_system.risk.checks.exposure import (
    check_buying_power,
    check_concentration,
    check_correlation,
    check_gross,
    check_marginable,
    check_net,
    check_position,
    check_position_count,
    check_position_notional,
    check_position_quantity,
    check_sector,
)
from quant_trading_system.risk.checks.market import (
    check_after_open,
    check_before_close,
    check_blackout,
    check_order_volume,
    check_participation,
    check_price_collar,
    check_price_tick,
    check_quote_age,
    check_quote_deviation,
    check_quote_present,
    check_quote_sane,
    check_spread,
    check_trading_halted,
    check_trading_hours,
    check_volatility,
)
from quant_trading_system.risk.checks.order import (
    check_allowed,
    check_approved_universe,
    check_duplicate,
    check_instrument_tradable,
    check_lot_size,
    check_max_notional,
    check_min_notional,
    check_open_orders,
    check_open_orders_in_all,
    check_order_quantity,
    check_order_supported,
    check_reduce_only,
    check_restricted,
    check_self_match,
    check_sell_within_held,
    check_short_eligible,
    check_symbol_in_doubt,
    check_within_parent,
)
from quant_trading_system.risk.checks.soft import SoftLimits, check_soft_limits, with_soft_limits
from quant_trading_system.risk.checks.tails import check_beta, check_shortfall, check_var
from quant_trading_system.risk.checks.traffic import (
    check_cancel_ratio,
    check_messages_per_minute,
    check_notional_per_day,
    check_notional_per_minute,
    check_order_multiple,
    check_orders_per_day,
    check_orders_per_minute,
    check_repeated_orders,
    check_replaces_per_minute,
    check_strategy_armed,
    check_turnover,
)

__all__ = ["CHECKS", "Case", "Check", "asked_under", "soft_under"]

CHECKS: tuple[tuple[Rule, Check], ...] = (
    (Rule.KILL_SWITCH, check_kill_switch),
    (Rule.EXACT_ARITHMETIC, check_exact_arithmetic),
    (Rule.ACCOUNT_KNOWN, check_account_known),
    (Rule.WATCHED, check_watched),
    (Rule.RECONCILED, check_reconciled),
    (Rule.STRATEGY_ARMED, check_strategy_armed),
    (Rule.MAX_DAILY_LOSS, check_daily_loss),
    (Rule.MAX_DRAWDOWN, check_drawdown),
    (Rule.RESTRICTED, check_restricted),
    (Rule.ALLOWED, check_allowed),
    (Rule.APPROVED_UNIVERSE, check_approved_universe),
    (Rule.INSTRUMENT_TRADABLE, check_instrument_tradable),
    (Rule.ORDER_SUPPORTED, check_order_supported),
    (Rule.TRADING_HALTED, check_trading_halted),
    (Rule.TRADING_HOURS, check_trading_hours),
    (Rule.NO_TRADE_AFTER_OPEN, check_after_open),
    (Rule.NO_TRADE_BEFORE_CLOSE, check_before_close),
    (Rule.BLACKOUT, check_blackout),
    (Rule.LOT_SIZE, check_lot_size),
    (Rule.PRICE_TICK, check_price_tick),
    (Rule.QUOTE_PRESENT, check_quote_present),
    (Rule.QUOTE_SANE, check_quote_sane),
    (Rule.MAX_QUOTE_AGE, check_quote_age),
    (Rule.MAX_QUOTE_DEVIATION, check_quote_deviation),
    (Rule.MAX_SPREAD, check_spread),
    (Rule.PRICE_COLLAR, check_price_collar),
    (Rule.MAX_QUANTITY, check_order_quantity),
    (Rule.MIN_NOTIONAL, check_min_notional),
    (Rule.MAX_NOTIONAL, check_max_notional),
    (Rule.VOLATILITY, check_volatility),
    (Rule.WITHIN_PARENT, check_within_parent),
    (Rule.MAX_ORDER_MULTIPLE, check_order_multiple),
    (Rule.MAX_ORDER_ADV, check_order_volume),
    (Rule.MAX_PARTICIPATION, check_participation),
    (Rule.MAX_OPEN_ORDERS, check_open_orders),
    (Rule.MAX_OPEN_ORDERS_IN_ALL, check_open_orders_in_all),
    (Rule.IN_DOUBT, check_symbol_in_doubt),
    (Rule.DUPLICATE_ORDER, check_duplicate),
    (Rule.MAX_ORDERS_PER_MINUTE, check_orders_per_minute),
    (Rule.MAX_NOTIONAL_PER_MINUTE, check_notional_per_minute),
    (Rule.MAX_MESSAGES_PER_MINUTE, check_messages_per_minute),
    (Rule.MAX_REPLACES_PER_MINUTE, check_replaces_per_minute),
    (Rule.MAX_CANCEL_RATIO, check_cancel_ratio),
    (Rule.MAX_REPEATED_ORDERS, check_repeated_orders),
    (Rule.MAX_ORDERS_PER_DAY, check_orders_per_day),
    (Rule.MAX_NOTIONAL_PER_DAY, check_notional_per_day),
    (Rule.MAX_TURNOVER, check_turnover),
    (Rule.SELF_MATCH, check_self_match),
    (Rule.SELL_WITHIN_HELD, check_sell_within_held),
    (Rule.SHORT_ELIGIBLE, check_short_eligible),
    (Rule.REDUCE_ONLY, check_reduce_only),
    (Rule.MAX_POSITION_QUANTITY, check_position_quantity),
    (Rule.MAX_POSITION, check_position),
    (Rule.MAX_POSITION_NOTIONAL, check_position_notional),
    (Rule.MAX_CONCENTRATION, check_concentration),
    (Rule.MAX_POSITIONS, check_position_count),
    (Rule.MAX_SECTOR, check_sector),
    (Rule.MAX_GROSS, check_gross),
    (Rule.MAX_NET, check_net),
    (Rule.MAX_CORRELATION, check_correlation),
    (Rule.BUYING_POWER, check_buying_power),
    (Rule.MARGINABLE, check_marginable),
    (Rule.SETTLED_CASH, check_settled_cash),
    (Rule.MAX_MARGIN_USE, check_margin_use),
    (Rule.MAX_DAY_TRADES, check_day_trades),
    (Rule.MAX_BETA, check_beta),
    (Rule.MAX_VAR, check_var),
    (Rule.MAX_ES, check_shortfall),
    (Rule.STRATEGY_VALUE, check_strategy_value),
    (Rule.STRATEGY_LOSS, check_strategy_loss),
    (Rule.STRATEGY_ORDERS, check_strategy_orders),
    (Rule.SOFT_LIMITS, check_soft_limits),
)
"""Every rule once, in the order of the checklist; the first refusal is the verdict."""


_BUDGETS = "strategy_budgets"
KEYS_OF: Mapping[Rule, str] = {
    Rule.STRATEGY_VALUE: _BUDGETS,
    Rule.STRATEGY_LOSS: _BUDGETS,
    Rule.STRATEGY_ORDERS: _BUDGETS,
}
"""The key that puts a rule in force, where it bears another name."""

_LISTS = frozenset({*KEYS_OF, Rule.SOFT_LIMITS, Rule.ALLOWED, Rule.BLACKOUT, Rule.VOLATILITY})
"""Rules that ask nothing while their list is empty."""


def asked_under(limits: RiskLimits) -> tuple[tuple[Rule, Check], ...]:
    """The rules that there is something to ask about: a limit that is off asks nothing, nor does an empty list."""
    return tuple((rule, check) for rule, check in CHECKS if is_asked(rule, limits))


def is_asked(rule: Rule, limits: RiskLimits) -> bool:
    """True while `limits` put `rule` in force."""
    if rule is Rule.SETTLED_CASH:
        return not limits.use_unsettled_cash
    limit = getattr(limits, KEYS_OF.get(rule, rule.value), True)
    return limit is not None and not (limit == () and rule in _LISTS)


def soft_under(limits: RiskLimits) -> SoftLimits | None:
    """The soft limits among `limits`, and the rules that they are values of; None without any."""
    if not limits.soft_limits:
        return None
    names = {entry.partition(" ")[0] for entry in limits.soft_limits}
    return SoftLimits(with_soft_limits(limits), tuple((rule, check) for rule, check in CHECKS if rule.value in names))
