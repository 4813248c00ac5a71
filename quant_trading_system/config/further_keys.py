"""The keys of `risk_params.yaml` that most accounts leave alone: habits, capital, tails, and budgets of strategies."""

from __future__ import annotations

from decimal import Decimal

from quant_trading_system.config.key_ranges import BARS, SHARE, count, up_to
from quant_trading_system.config.limit_key import FRACTION, LimitKey, Range
from quant_trading_system.config.looseness import Looser
from quant_trading_system.config.market_entries import read_reference, read_tier
from quant_trading_system.config.named_entries import read_allowance, read_budget
from quant_trading_system.config.scalars import read_flag, read_number, read_whole
from quant_trading_system.core.numbers import ZERO

# fmt: off
FURTHER_KEYS: tuple[LimitKey, ...] = (
    LimitKey(
        "allow", "allowed_symbols", read_allowance, None, "list of symbols",
        "The only symbols that may be bought or sold short: who says so, until when, and why; empty for all approved.",
        Looser.MORE_NAMES, is_list=True,
    ),
    LimitKey(
        "habits", "max_order_multiple", read_number, up_to(1_000_000), "times the usual order",
        "Largest order, measured by the median of the latest 101 orders of its strategy.",
        Looser.HIGHER, may_be_off=True,
    ),
    LimitKey(
        "habits", "max_cancel_ratio", read_number, up_to(10_000), "cancels and changes for each new order",
        "How many cancels and changes a minute may hold for each new order of it.", Looser.HIGHER, may_be_off=True,
    ),
    LimitKey(
        "habits", "cancel_ratio_from", read_whole, count(100_000), "cancels and changes",
        "Fewest cancels and changes within a minute for their ratio to mean something.", Looser.HIGHER,
    ),
    LimitKey(
        "capital", "use_unsettled_cash", read_flag, None, "true or false",
        "Whether the proceeds of a sale may buy before they have settled.", Looser.HIGHER,
    ),
    LimitKey(
        "capital", "max_margin_use_pct", read_number, SHARE, FRACTION + "equity",
        "Largest worst-case maintenance margin of all positions, each with its own rate.",
        Looser.HIGHER, may_be_off=True,
    ),
    LimitKey(
        "capital", "max_day_trades", read_whole, Range(ZERO, Decimal(10_000)), "day trades",
        "Positions that may be opened and closed on one day, within five sessions.", Looser.HIGHER, may_be_off=True,
    ),
    LimitKey(
        "tails", "max_beta_exposure", read_number, up_to(10), FRACTION + "equity",
        "Largest worst-case sum of positions times their betas, either way.", Looser.HIGHER, may_be_off=True,
    ),
    LimitKey(
        "tails", "max_var_95_pct", read_number, SHARE, FRACTION + "equity",
        "Largest loss that 95 of 100 bars stay within, by the past returns of what would be held.",
        Looser.HIGHER, may_be_off=True,
    ),
    LimitKey(
        "tails", "max_es_95_pct", read_number, SHARE, FRACTION + "equity",
        "Largest average loss of the other 5 of 100 bars.", Looser.HIGHER, may_be_off=True,
    ),
    LimitKey(
        "regime", "volatility_tiers", read_tier, None, "list of tiers",
        "How much of the largest order is left while the market is so many times as volatile as usual.",
        Looser.FEWER_NAMES, is_list=True,
    ),
    LimitKey(
        "regime", "volatility_reference", read_reference, None, "a symbol or market",
        "Whose volatility it is; market is the average of all symbols.", Looser.ANY_CHANGE,
    ),
    LimitKey(
        "regime", "volatility_short_window", read_whole, BARS, "bars",
        "The latest bars, over which it is measured now.", Looser.ANY_CHANGE,
    ),
    LimitKey(
        "regime", "volatility_long_window", read_whole, BARS, "bars",
        "The bars over which it is measured as usual.", Looser.ANY_CHANGE,
    ),
    LimitKey(
        "strategies", "strategy_budgets", read_budget, None, "list of budgets",
        "What each strategy may use of the account: dollars of value, dollars of loss a day, orders a day.",
        Looser.FEWER_NAMES, is_list=True,
    ),
)
# fmt: on
"""In the order of the file."""
