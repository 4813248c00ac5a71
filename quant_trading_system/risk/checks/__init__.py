"""The questions of the gate: one small pure function each, asked in a fixed order.

A check states its invariant positively (``actual <= limit``) and gives both numbers. What is missing
refuses. A way out is never too large: orders proven to shrink a position pass the limits on size.
"""

from __future__ import annotations

from collections.abc import Mapping

from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.decisions import Rule
from quant_trading_system.risk.checks import facts
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
from quant_trading_system.risk.checks.facts import Question
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

__all__ = ["CHECKS", "Case", "Check", "Question", "asked_under", "soft_under"]

CHECKS: tuple[Question, ...] = (
    Question(Rule.KILL_SWITCH, check_kill_switch, facts.STOPPED),
    Question(Rule.EXACT_ARITHMETIC, check_exact_arithmetic, facts.INEXACT),
    Question(Rule.ACCOUNT_KNOWN, check_account_known, facts.GROWS),
    Question(Rule.WATCHED, check_watched, facts.UNWATCHED),
    Question(Rule.RECONCILED, check_reconciled, facts.IN_QUESTION),
    Question(Rule.STRATEGY_ARMED, check_strategy_armed, facts.DISARMED),
    Question(Rule.MAX_DAILY_LOSS, check_daily_loss),
    Question(Rule.MAX_DRAWDOWN, check_drawdown),
    Question(Rule.RESTRICTED, check_restricted, facts.RESTRICTED),
    Question(Rule.ALLOWED, check_allowed, facts.GROWS),
    Question(Rule.APPROVED_UNIVERSE, check_approved_universe, facts.SPECIAL),
    Question(Rule.INSTRUMENT_TRADABLE, check_instrument_tradable, facts.SPECIAL | facts.ODD_SIZE),
    Question(Rule.ORDER_SUPPORTED, check_order_supported, facts.UNSUPPORTED | facts.COVERS),
    Question(Rule.TRADING_HALTED, check_trading_halted, facts.GROWS),
    Question(Rule.TRADING_HOURS, check_trading_hours, facts.OFF_HOURS),
    Question(Rule.NO_TRADE_AFTER_OPEN, check_after_open, facts.GROWS),
    Question(Rule.NO_TRADE_BEFORE_CLOSE, check_before_close, facts.GROWS),
    Question(Rule.BLACKOUT, check_blackout),
    Question(Rule.LOT_SIZE, check_lot_size, facts.ODD_SIZE),
    Question(Rule.PRICE_TICK, check_price_tick, facts.PRICED),
    Question(Rule.QUOTE_PRESENT, check_quote_present, facts.UNPRICED),
    Question(Rule.QUOTE_SANE, check_quote_sane, facts.UNPRICED),
    Question(Rule.MAX_QUOTE_AGE, check_quote_age),
    Question(Rule.MAX_QUOTE_DEVIATION, check_quote_deviation, facts.GROWS),
    Question(Rule.MAX_SPREAD, check_spread, facts.GROWS),
    Question(Rule.PRICE_COLLAR, check_price_collar),
    Question(Rule.MAX_QUANTITY, check_order_quantity),
    Question(Rule.MIN_NOTIONAL, check_min_notional),
    Question(Rule.MAX_NOTIONAL, check_max_notional),
    Question(Rule.VOLATILITY, check_volatility, facts.GROWS),
    Question(Rule.WITHIN_PARENT, check_within_parent, facts.SLICED),
    Question(Rule.MAX_ORDER_MULTIPLE, check_order_multiple, facts.GROWS),
    Question(Rule.MAX_ORDER_ADV, check_order_volume, facts.GROWS),
    Question(Rule.MAX_PARTICIPATION, check_participation, facts.GROWS),
    Question(Rule.MAX_OPEN_ORDERS, check_open_orders),
    Question(Rule.MAX_OPEN_ORDERS_IN_ALL, check_open_orders_in_all),
    Question(Rule.IN_DOUBT, check_symbol_in_doubt, facts.ACCOMPANIED),
    Question(Rule.DUPLICATE_ORDER, check_duplicate, facts.UNREPEATED),
    Question(Rule.MAX_ORDERS_PER_MINUTE, check_orders_per_minute),
    Question(Rule.MAX_NOTIONAL_PER_MINUTE, check_notional_per_minute),
    Question(Rule.MAX_MESSAGES_PER_MINUTE, check_messages_per_minute),
    Question(Rule.MAX_REPLACES_PER_MINUTE, check_replaces_per_minute, facts.REPLACES),
    Question(Rule.MAX_CANCEL_RATIO, check_cancel_ratio),
    Question(Rule.MAX_REPEATED_ORDERS, check_repeated_orders, facts.GROWS),
    Question(Rule.MAX_ORDERS_PER_DAY, check_orders_per_day),
    Question(Rule.MAX_NOTIONAL_PER_DAY, check_notional_per_day),
    Question(Rule.MAX_TURNOVER, check_turnover),
    Question(Rule.SELF_MATCH, check_self_match, facts.ACCOMPANIED),
    Question(Rule.SELL_WITHIN_HELD, check_sell_within_held, facts.SELLS),
    Question(Rule.SHORT_ELIGIBLE, check_short_eligible, facts.SHORTS),
    Question(Rule.REDUCE_ONLY, check_reduce_only, facts.COVERS),
    Question(Rule.MAX_POSITION_QUANTITY, check_position_quantity, facts.GROWS),
    Question(Rule.MAX_POSITION, check_position, facts.GROWS),
    Question(Rule.MAX_POSITION_NOTIONAL, check_position_notional, facts.GROWS),
    Question(Rule.MAX_CONCENTRATION, check_concentration, facts.GROWS),
    Question(Rule.MAX_POSITIONS, check_position_count),
    Question(Rule.MAX_SECTOR, check_sector, facts.GROWS),
    Question(Rule.MAX_GROSS, check_gross, facts.GROWS),
    Question(Rule.MAX_NET, check_net, facts.GROWS),
    Question(Rule.MAX_CORRELATION, check_correlation, facts.GROWS),
    Question(Rule.BUYING_POWER, check_buying_power, facts.GROWS),
    Question(Rule.MARGINABLE, check_marginable, facts.SPECIAL),
    Question(Rule.SETTLED_CASH, check_settled_cash, facts.GROWS),
    Question(Rule.MAX_MARGIN_USE, check_margin_use, facts.GROWS),
    Question(Rule.MAX_DAY_TRADES, check_day_trades, facts.GROWS),
    Question(Rule.MAX_BETA, check_beta, facts.GROWS),
    Question(Rule.MAX_VAR, check_var, facts.GROWS),
    Question(Rule.MAX_ES, check_shortfall, facts.GROWS),
    Question(Rule.STRATEGY_VALUE, check_strategy_value, facts.GROWS),
    Question(Rule.STRATEGY_LOSS, check_strategy_loss, facts.GROWS),
    Question(Rule.STRATEGY_ORDERS, check_strategy_orders, facts.GROWS),
    Question(Rule.SOFT_LIMITS, check_soft_limits, facts.GROWS),
)
"""Every rule once, in the order of the checklist, with what it is about; the first refusal is the verdict."""


_BUDGETS = "strategy_budgets"
KEYS_OF: Mapping[Rule, str] = {
    Rule.STRATEGY_VALUE: _BUDGETS,
    Rule.STRATEGY_LOSS: _BUDGETS,
    Rule.STRATEGY_ORDERS: _BUDGETS,
}
"""The key that puts a rule in force, where it bears another name."""

_LISTS = frozenset({*KEYS_OF, Rule.SOFT_LIMITS, Rule.ALLOWED, Rule.BLACKOUT, Rule.VOLATILITY})
"""Rules that ask nothing while their list is empty."""


def asked_under(limits: RiskLimits) -> tuple[Question, ...]:
    """The rules that there is something to ask about: a limit that is off asks nothing, nor does an empty list."""
    return tuple(question for question in CHECKS if is_asked(question.rule, limits))


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
    return SoftLimits(with_soft_limits(limits), tuple(asked for asked in CHECKS if asked.rule.value in names))
