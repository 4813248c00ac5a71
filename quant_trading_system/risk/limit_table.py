"""One table of all limits: how the use of each is read, and what probation makes of it.

Every key of `risk_params.yaml` stands here once. Where there is nothing to read, or probation leaves a limit as it
is, the reason stands in its place; a test holds the table to the keys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from quant_trading_system.core.decisions import Unit
from quant_trading_system.risk import limit_readings as now
from quant_trading_system.risk.limit_readings import Facts, Reading, Used, of_equity, of_trigger, of_value
from quant_trading_system.risk.traffic import LeftInAll


class Shrunk(StrEnum):
    """What probation does to a limit on size."""

    TIMES = "it is multiplied by the factor"
    WHOLE = "it is multiplied by the factor, rounded down, and at least 1"
    BUDGETS = "the dollars of value in each budget are multiplied by the factor"


class Row(NamedTuple):
    """What is known of one key.

    Attributes:
        use: how its use is read, or why there is nothing to read.
        probation: how it is reduced, or why it stays.
    """

    use: Reading | str
    probation: Shrunk | str


_NO_SIZE = "it stays, for it is no limit on size"
_STOPS = "it stays, for trading that people have permitted again must not trip the kill switch at once"
_DAY = "it stays, for what left before the reset counts in it, and a part of it could be used up already"
_MESSAGES = "it stays, for it counts orders and not what they are worth"
_RATIO = "it stays, for it grows with the orders that it is measured by"

_ORDER = "it is about one order: `qts check` tells what an order would use"
_QUOTE = Row("it is about the quote of one order: `qts check` tells it", _NO_SIZE)
_LIST = Row("it is a list, and nothing of it is used up", _NO_SIZE)
_PEOPLE = Row("it is about people", _NO_SIZE)
_SETTING = Row("it is a setting, and nothing of it is used up", _NO_SIZE)


def _size(key: str, used: Callable[[Facts], Used | None]) -> Row:
    return Row(of_equity(key, used), Shrunk.TIMES)


def _trigger(key: str) -> Row:
    return Row(of_trigger(key), _STOPS)


def _count(key: str, read: Callable[[LeftInAll], int]) -> Row:
    return Row(of_value(key, Unit.COUNT, now.counted(read)), _MESSAGES)


# fmt: off
TABLE: Mapping[str, Row] = MappingProxyType({
    "max_position_pct": _size("max_position_pct", now.largest_value),
    "max_portfolio_positions": Row(
        of_value("max_portfolio_positions", Unit.COUNT, now.positions_held),
        "it stays, for each of the positions is smaller",
    ),
    "max_daily_loss_pct": _trigger("max_daily_loss_pct"),
    "max_drawdown_pct": _trigger("max_drawdown_pct"),
    "max_sector_exposure": _size("max_sector_exposure", now.fullest_sector),
    "max_correlation": Row(
        "it is about a symbol that is not held yet; the risk numbers tell the correlations of what is held", _NO_SIZE
    ),
    "allow_short": _SETTING,
    "buying_power_multiplier": Row(
        of_equity("buying_power_multiplier", now.gross), "it stays, for max_gross_exposure binds before it"
    ),
    "max_gross_exposure": _size("max_gross_exposure", now.gross),
    "max_position_quantity": Row(
        of_value("max_position_quantity", Unit.SHARES, now.largest_quantity), Shrunk.WHOLE
    ),
    "max_order_quantity": Row(_ORDER, Shrunk.WHOLE),
    "min_order_notional": Row(_ORDER, "it stays, for a higher floor would leave no order to try"),
    "max_order_notional": Row(_ORDER, Shrunk.WHOLE),
    "max_open_orders_per_symbol": Row(
        of_value("max_open_orders_per_symbol", Unit.COUNT, now.most_open_orders), _MESSAGES
    ),
    "duplicate_window_s": Row(_ORDER, _NO_SIZE),
    "max_orders_per_minute": _count("max_orders_per_minute", lambda left: left.orders),
    "max_notional_per_minute": Row(
        of_value("max_notional_per_minute", Unit.USD, now.counted(lambda left: left.notional)), Shrunk.TIMES
    ),
    "max_messages_per_minute": _count("max_messages_per_minute", lambda left: left.messages),
    "max_replaces_per_minute": _count("max_replaces_per_minute", lambda left: left.replaces),
    "max_repeated_orders": Row(of_value("max_repeated_orders", Unit.COUNT, now.repeats), _MESSAGES),
    "repeat_window_s": _SETTING,
    "max_orders_per_day": _count("max_orders_per_day", lambda left: left.day_orders),
    "max_notional_per_day": Row(
        of_value("max_notional_per_day", Unit.USD, now.counted(lambda left: left.day_notional)), _DAY
    ),
    "price_collar_pct": _QUOTE,
    "max_quote_age_s": _QUOTE,
    "max_spread_pct": _QUOTE,
    "max_clock_skew_s": _trigger("max_clock_skew_s"),
    "max_position_notional": Row(of_value("max_position_notional", Unit.USD, now.largest_value), Shrunk.TIMES),
    "max_net_exposure": _size("max_net_exposure", now.net),
    "max_concentration": Row(of_value("max_concentration", Unit.RATIO, now.concentration), Shrunk.TIMES),
    "max_open_orders": Row(of_value("max_open_orders", Unit.COUNT, now.open_orders), _MESSAGES),
    "max_turnover_per_day": Row(
        of_equity("max_turnover_per_day", now.counted(lambda left: left.day_notional)), _DAY
    ),
    "max_quote_deviation_pct": _QUOTE,
    "max_order_adv_pct": Row(_ORDER, Shrunk.TIMES),
    "max_participation_pct": Row(now.participation, _DAY),
    "no_trade_after_open_s": _SETTING,
    "no_trade_before_close_s": _SETTING,
    "blackouts": _LIST,
    "restricted_symbols": _LIST,
    "allow_hard_to_borrow": _SETTING,
    "max_consecutive_losses": _trigger("max_consecutive_losses"),
    "halt_level": _SETTING,
    "authorized_resetters": _PEOPLE,
    "warn_at_share": _SETTING,
    "max_weekly_loss_pct": _trigger("max_weekly_loss_pct"),
    "max_monthly_loss_pct": _trigger("max_monthly_loss_pct"),
    "max_rapid_loss_pct": _trigger("max_rapid_loss_pct"),
    "rapid_loss_window_s": _SETTING,
    "max_rejection_rate": _trigger("max_rejection_rate"),
    "rejection_min_orders": _SETTING,
    "rejection_window_s": _SETTING,
    "max_broker_errors": _trigger("max_broker_errors"),
    "broker_error_window_s": _SETTING,
    "max_slippage_bps": _trigger("max_slippage_bps"),
    "slippage_fills": _SETTING,
    "max_stress_loss_pct": _trigger("max_stress_loss_pct"),
    "max_equity_difference_pct": _trigger("max_equity_difference_pct"),
    "max_feed_silence_s": _trigger("max_feed_silence_s"),
    "max_broker_silence_s": _trigger("max_broker_silence_s"),
    "reset_approvals": _PEOPLE,
    "solo_reset_delay_s": _PEOPLE,
    "probation_s": _SETTING,
    "probation_factor": _SETTING,
    "liquidation_slice_notional": _SETTING,
    "liquidation_collar_pct": _SETTING,
    "liquidation_patience_s": _SETTING,
    "liquidation_extended_hours": _SETTING,
    "correlation_window": _SETTING,
    "correlation_min_observations": _SETTING,
    "authorized_approvers": _PEOPLE,
    "live_loosening_approvals": _PEOPLE,
    "paper_loosening_approvals": _PEOPLE,
    "approval_expiry_s": _PEOPLE,
    "max_raise_s": _PEOPLE,
    "allowed_symbols": _LIST,
    "max_order_multiple": Row(_ORDER, _RATIO),
    "max_cancel_ratio": Row(now.cancel_ratio, _RATIO),
    "cancel_ratio_from": _SETTING,
    "use_unsettled_cash": Row(now.settled_cash, _NO_SIZE),
    "max_margin_use_pct": _size("max_margin_use_pct", now.margin),
    "max_day_trades": Row(of_value("max_day_trades", Unit.COUNT, now.day_trades), _MESSAGES),
    "max_beta_exposure": _size("max_beta_exposure", now.beta),
    "max_var_95_pct": _size("max_var_95_pct", now.var_95),
    "max_es_95_pct": _size("max_es_95_pct", now.es_95),
    "volatility_tiers": Row(_ORDER, "they stay, for they are shares of limits that are reduced"),
    "volatility_reference": _SETTING,
    "volatility_short_window": _SETTING,
    "volatility_long_window": _SETTING,
    "strategy_budgets": Row(now.budgets, Shrunk.BUDGETS),
    "soft_limits": Row(
        "of each soft limit what is used of the limit that it is a value of; the nearest is told",
        "they stay, for people are asked from the same values on; whatever is beyond the reduced limits is refused",
    ),
    "soft_limit_approvals": _PEOPLE,
    "soft_limit_expiry_s": _PEOPLE,
})
# fmt: on
"""By the name of the key, in the order of the file."""
