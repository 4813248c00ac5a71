"""Every key of `risk_params.yaml` in one table: where it stands, what it may be, and what it means.

The loader, its error messages and the documentation are all made from `KEYS` and `CONTRADICTIONS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple

from quant_trading_system.config.further_keys import FURTHER_KEYS
from quant_trading_system.config.key_ranges import BARS, DAY_S, HOURS_S, SHARE, WAIT, count, up_to
from quant_trading_system.config.kill_switch_keys import KILL_SWITCH_KEYS
from quant_trading_system.config.limit_key import FRACTION, LimitKey, Range
from quant_trading_system.config.looseness import Looser
from quant_trading_system.config.market_entries import read_blackout
from quant_trading_system.config.scalars import (
    OFF,
    BadValue,
    quoted,
    read_flag,
    read_name,
    read_number,
    read_restriction,
    read_whole,
)
from quant_trading_system.core.decisions import Rule
from quant_trading_system.core.numbers import ONE, ZERO, plain


def read_soft_limit(text: str) -> str:
    """A key of the gate and the value from which a person is asked, such as ``max_order_notional 500000``.

    Raises:
        BadValue: it has another form, the key can have no soft limit, or the value is none of the key's.
    """
    name, _, value = text.partition(" ")
    key = next((key for key in KEYS if key.name == name and can_be_soft(key)), None)
    if key is None:
        raise BadValue(f"holds {quoted(text)}; write KEY VALUE, with a limit of the gate that grows looser upwards")
    if value == OFF:
        raise BadValue(f"holds {quoted(text)}; leave the entry out instead")
    found = key.value_of(value)
    assert isinstance(found, Decimal | int), "a limit that grows looser upwards is a number"
    return f"{name} {plain(Decimal(found))}"


def can_be_soft(key: LimitKey) -> bool:
    """True for a number that the gate holds orders against from above."""
    return key.name in set(Rule) and key.looser is Looser.HIGHER and key.range is not None


# fmt: off
KEYS: tuple[LimitKey, ...] = (
    LimitKey(
        "risk", "max_position_pct", read_number, SHARE, FRACTION + "equity",
        "Largest worst-case value of one position.", Looser.HIGHER,
    ),
    LimitKey(
        "risk", "max_portfolio_positions", read_whole, count(10_000), "symbols",
        "Most symbols held or being opened at once.", Looser.HIGHER,
    ),
    LimitKey(
        "risk", "max_daily_loss_pct", read_number, SHARE, FRACTION + "day-start equity",
        "Loss of one day beyond which the kill switch trips.", Looser.HIGHER,
    ),
    LimitKey(
        "risk", "max_drawdown_pct", read_number, SHARE, FRACTION + "peak equity",
        "Loss from the peak beyond which the kill switch trips.", Looser.HIGHER,
    ),
    LimitKey(
        "risk", "max_sector_exposure", read_number, SHARE, FRACTION + "equity",
        "Largest worst-case value of all positions of one sector.", Looser.HIGHER,
    ),
    LimitKey(
        "risk", "max_correlation", read_number, SHARE, "correlation",
        "Highest correlation of a new symbol's returns with those of any symbol held; 1 allows all.", Looser.HIGHER,
    ),
    LimitKey(
        "account", "allow_short", read_flag, None, "true or false",
        "Whether positions below zero are permitted.", Looser.HIGHER,
    ),
    LimitKey(
        "account", "buying_power_multiplier", read_number, Range(ONE, Decimal(4)), "dollars for each dollar of equity",
        "Buying power: 1 in a cash account, 2 with Regulation T margin, 4 for pattern day traders within the day.",
        Looser.HIGHER,
    ),
    LimitKey(
        "account", "max_gross_exposure", read_number, up_to(4), FRACTION + "equity",
        "Largest worst-case sum of absolute position values.", Looser.HIGHER,
    ),
    LimitKey(
        "account", "max_position_quantity", read_number, up_to(10**9), "shares",
        "Largest worst-case quantity of one position.", Looser.HIGHER,
    ),
    LimitKey(
        "orders", "max_order_quantity", read_number, up_to(10**9), "shares",
        "Largest quantity of one order.", Looser.HIGHER,
    ),
    LimitKey(
        "orders", "min_order_notional", read_number, Range(ZERO, Decimal(10**12)), "dollars",
        "Smallest value of one order.", Looser.LOWER,
    ),
    LimitKey(
        "orders", "max_order_notional", read_number, up_to(10**12), "dollars",
        "Largest value of one order.", Looser.HIGHER,
    ),
    LimitKey(
        "orders", "max_open_orders_per_symbol", read_whole, count(1_000), "orders",
        "Orders of one symbol that may be open at once, the new one included.", Looser.HIGHER,
    ),
    LimitKey(
        "orders", "duplicate_window_s", read_number, Range(ZERO, DAY_S), "seconds",
        "Time within which an identical order is taken for a mistake; 0 allows repeats.", Looser.LOWER,
    ),
    LimitKey(
        "traffic", "max_orders_per_minute", read_whole, count(100_000), "orders",
        "Orders and changes of orders that may leave within a minute.", Looser.HIGHER,
    ),
    LimitKey(
        "traffic", "max_notional_per_minute", read_number, up_to(10**12), "dollars",
        "What the orders that leave within a minute may add up to.", Looser.HIGHER,
    ),
    LimitKey(
        "traffic", "max_messages_per_minute", read_whole, count(100_000), "requests",
        "Requests within a minute, cancels included, beyond which nothing new is begun.", Looser.HIGHER,
    ),
    LimitKey(
        "traffic", "max_replaces_per_minute", read_whole, count(100_000), "changes",
        "Changes of open orders that may leave within a minute.", Looser.HIGHER,
    ),
    LimitKey(
        "traffic", "max_repeated_orders", read_whole, count(100_000), "orders",
        "Orders of one strategy, symbol and side within `repeat_window_s`; one more stops the strategy.", Looser.HIGHER,
    ),
    LimitKey(
        "traffic", "repeat_window_s", read_number, Range(ZERO, DAY_S, open_below=True), "seconds",
        "How long an order counts among the repeats.", Looser.LOWER,
    ),
    LimitKey(
        "traffic", "max_orders_per_day", read_whole, count(10_000_000), "orders",
        "Orders and changes of orders that may leave on one day of the exchange.", Looser.HIGHER,
    ),
    LimitKey(
        "traffic", "max_notional_per_day", read_number, up_to(10**13), "dollars",
        "What the orders of one day of the exchange may add up to.", Looser.HIGHER,
    ),
    LimitKey(
        "prices", "price_collar_pct", read_number, SHARE, FRACTION + "the quote",
        "Farthest that a price may lie on the hurting side of the quote.", Looser.HIGHER,
    ),
    LimitKey(
        "prices", "max_quote_age_s", read_number, Range(ZERO, DAY_S, open_below=True), "seconds",
        "Oldest usable quote.", Looser.HIGHER,
    ),
    LimitKey(
        "prices", "max_spread_pct", read_number, SHARE, FRACTION + "the mid price",
        "Widest usable distance between bid and ask.", Looser.HIGHER,
    ),
    LimitKey(
        "clock", "max_clock_skew_s", read_number, Range(ONE, Decimal(600)), "seconds",
        "How far our clock may be off the broker's, or behind a quote's stamp.", Looser.HIGHER,
    ),
    LimitKey(
        "book", "max_position_notional", read_number, up_to(10**12), "dollars",
        "Largest worst-case value of one position in dollars.", Looser.HIGHER, may_be_off=True,
    ),
    LimitKey(
        "book", "max_net_exposure", read_number, up_to(4), FRACTION + "equity",
        "Largest worst-case difference between long and short positions.", Looser.HIGHER, may_be_off=True,
    ),
    LimitKey(
        "book", "max_concentration", read_number, SHARE, "Herfindahl index",
        "Largest sum of squared position values as fractions of equity.", Looser.HIGHER, may_be_off=True,
    ),
    LimitKey(
        "book", "max_open_orders", read_whole, count(10_000), "orders",
        "Orders of all symbols that may be open at once, the new one and its legs included.", Looser.HIGHER,
    ),
    LimitKey(
        "book", "max_turnover_per_day", read_number, up_to(1000), FRACTION + "equity",
        "What the orders of one day of the exchange may add up to, measured by equity.",
        Looser.HIGHER, may_be_off=True,
    ),
    LimitKey(
        "liquidity", "max_quote_deviation_pct", read_number, SHARE, FRACTION + "the last trade",
        "Farthest that the middle of the quote may lie from the last trade.", Looser.HIGHER, may_be_off=True,
    ),
    LimitKey(
        "liquidity", "max_order_adv_pct", read_number, SHARE, FRACTION + "average daily volume",
        "Largest order, measured by the average volume of the last 20 sessions.", Looser.HIGHER, may_be_off=True,
    ),
    LimitKey(
        "liquidity", "max_participation_pct", read_number, SHARE, FRACTION + "average daily volume",
        "What all orders of one symbol and day may add up to, measured by the average volume of the last 20 sessions.",
        Looser.HIGHER, may_be_off=True,
    ),
    LimitKey(
        "times", "no_trade_after_open_s", read_number, Range(ZERO, HOURS_S, open_below=True), "seconds",
        "Time after the open in which only exits and auction orders leave.", Looser.LOWER, may_be_off=True,
    ),
    LimitKey(
        "times", "no_trade_before_close_s", read_number, Range(ZERO, HOURS_S, open_below=True), "seconds",
        "Time before the close in which only exits and auction orders leave.", Looser.LOWER, may_be_off=True,
    ),
    LimitKey(
        "times", "blackouts", read_blackout, None, "list of windows",
        "Times in which only exits leave, or nothing: of a symbol or everything, from when until when, by whom, why.",
        Looser.FEWER_NAMES, is_list=True,
    ),
    LimitKey(
        "permissions", "restricted_symbols", read_restriction, None, "list of restrictions",
        "Symbols that may not be traded, or only be sold out of: who says so, until when, and why.",
        Looser.FEWER_NAMES, is_list=True,
    ),
    LimitKey(
        "permissions", "allow_hard_to_borrow", read_flag, None, "true or false",
        "Whether stocks that are not easy to borrow may be sold short.", Looser.HIGHER,
    ),
    *KILL_SWITCH_KEYS,
    LimitKey(
        "correlation", "correlation_window", read_whole, BARS, "bars",
        "Bars over which correlations are measured.", Looser.ANY_CHANGE,
    ),
    LimitKey(
        "correlation", "correlation_min_observations", read_whole, BARS, "bars",
        "Fewest bars for a correlation to be believed.", Looser.LOWER,
    ),
    LimitKey(
        "approvals", "authorized_approvers", read_name, None, "list of names",
        "Who may approve looser limits and held orders; empty means that any named person may.",
        Looser.MORE_NAMES, is_list=True,
    ),
    LimitKey(
        "approvals", "live_loosening_approvals", read_whole, count(9), "persons",
        "Persons who have to approve looser limits of an account with real money.", Looser.LOWER,
    ),
    LimitKey(
        "approvals", "paper_loosening_approvals", read_whole, count(9), "persons",
        "Persons who have to approve looser limits of a paper account or a local one.", Looser.LOWER,
    ),
    LimitKey(
        "approvals", "approval_expiry_s", read_number, WAIT, "seconds",
        "How long looser limits wait for people.", Looser.HIGHER,
    ),
    LimitKey(
        "approvals", "max_raise_s", read_number, WAIT, "seconds",
        "Longest that a limit may be raised for a while.", Looser.HIGHER,
    ),
    *FURTHER_KEYS,
    LimitKey(
        "soft", "soft_limits", read_soft_limit, None, "list of keys and values",
        "Values below the hard limits, from which on a person has to approve an order.",
        Looser.FEWER_NAMES, is_list=True,
    ),
    LimitKey(
        "soft", "soft_limit_approvals", read_whole, count(9), "persons",
        "Persons who have to approve an order beyond a soft limit.", Looser.LOWER,
    ),
    LimitKey(
        "soft", "soft_limit_expiry_s", read_number, Range(ONE, DAY_S), "seconds",
        "How long such an order waits for people.", Looser.HIGHER,
    ),
)
# fmt: on
"""All keys, in the order of the file."""

SECTIONS: Mapping[str, tuple[LimitKey, ...]] = MappingProxyType(
    {name: tuple(key for key in KEYS if key.section == name) for name in dict.fromkeys(key.section for key in KEYS)}
)
"""The keys of each section, in the order of the file."""

REQUIRED_SECTION = "risk"
"""The section that every file must have; any other may be left out as a whole."""


class Contradiction(NamedTuple):
    """The first key must not be above the second one; `because` says what would be wrong."""

    lower: str
    upper: str
    because: str


CONTRADICTIONS: tuple[Contradiction, ...] = (
    Contradiction("max_daily_loss_pct", "max_drawdown_pct", "the drawdown limit would always trip first"),
    Contradiction("max_weekly_loss_pct", "max_monthly_loss_pct", "the monthly limit would always trip first"),
    Contradiction("max_daily_loss_pct", "max_weekly_loss_pct", "the weekly limit would always trip first"),
    Contradiction("max_position_pct", "max_sector_exposure", "no position could ever reach its own limit"),
    Contradiction("max_position_pct", "max_gross_exposure", "no position could ever reach its own limit"),
    Contradiction("max_sector_exposure", "max_gross_exposure", "no sector could ever reach its own limit"),
    Contradiction("min_order_notional", "max_order_notional", "no order could pass"),
    Contradiction("max_notional_per_minute", "max_notional_per_day", "no minute could ever reach its own limit"),
    Contradiction("max_orders_per_minute", "max_messages_per_minute", "every order is a message, too"),
    Contradiction("max_orders_per_minute", "max_orders_per_day", "no minute could ever reach its own limit"),
    Contradiction("correlation_min_observations", "correlation_window", "no correlation could ever be believed"),
    Contradiction(
        "volatility_short_window", "volatility_long_window", "what is new could never be told from the usual"
    ),
)
"""Pairs that cannot both be meant."""
