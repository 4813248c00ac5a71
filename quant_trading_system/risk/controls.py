"""What rules for market access ask of a firm, and the control here that answers: the table behind docs/controls.md.

A rule of the gate or an automatic trigger declares its paragraphs in `RULES` or `TRIGGERS`; everything else that
controls something is named in `OTHERS`. Nothing is a control without code, and a test holds the table to the code.
The paragraphs are told in our own words; they are no legal advice, and nobody has certified this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from quant_trading_system.core.decisions import Rule
from quant_trading_system.core.events import HaltTrigger

PARAGRAPHS: Mapping[str, str] = {
    "15c3-5(b)": "controls and procedures are written down and kept",
    "15c3-5(c)(1)(i)": "no order goes beyond credit and capital limits that were set before",
    "15c3-5(c)(1)(ii)": "no erroneous order: too large, too far in price, too many in a short time, or a duplicate",
    "15c3-5(c)(2)(i)": "no order before what must be settled before an order is settled",
    "15c3-5(c)(2)(ii)": "no order in a security that may not be traded",
    "15c3-5(c)(2)(iii)": "only persons who were authorised before have access",
    "15c3-5(c)(2)(iv)": "those who watch get reports of executions at once",
    "15c3-5(d)": "the controls are under direct and exclusive control",
    "15c3-5(e)": "the controls are reviewed regularly",
    "FIA order size": "the size of one order is limited",
    "FIA position": "the position within a day is limited, open orders counted",
    "FIA price tolerance": "no order far from the market",
    "FIA execution throttle": "an algorithm that repeats itself is stopped",
    "FIA message throttle": "messages in a short time are limited",
    "FIA market data": "prices are checked for sense before they are used",
    "FIA cancel on disconnect": "orders do not work on unwatched",
    "FIA kill switch": "one switch stops new orders and cancels working ones, apart from the trading program",
    "FIA post-trade": "own books are compared with independent ones",
    "RTS 6 Art. 9": "the controls are assessed once a year",
    "RTS 6 Art. 12": "all orders can be cancelled at once",
    "RTS 6 Art. 14": "trading can go on, or end in order, after a disruption",
    "RTS 6 Art. 15(1)(a)": "prices are held within collars",
    "RTS 6 Art. 15(1)(b)": "the value of an order is limited",
    "RTS 6 Art. 15(1)(c)": "the volume of an order is limited",
    "RTS 6 Art. 15(1)(d)": "the number of messages is limited",
    "RTS 6 Art. 15(3)": "repeated automated executions are throttled",
    "RTS 6 Art. 15(4)": "market and credit risk is limited by the means of the firm",
    "RTS 6 Art. 16": "trading is watched while it happens, with alerts",
    "RTS 6 Art. 17": "after the trade, exposures and books are watched and reconciled",
    "RTS 6 Art. 18": "access is limited to those who need it",
}
"""SEC Rule 15c3-5 (17 CFR 240.15c3-5), the FIA guide to automated trading systems of 2015 by its topics, and
Commission Delegated Regulation (EU) 2017/589."""

_CAPITAL = ("15c3-5(c)(1)(i)", "RTS 6 Art. 15(4)")
_ERROR = ("15c3-5(c)(1)(ii)",)
_SETTLED = ("15c3-5(c)(2)(i)",)
_PACE = ("15c3-5(c)(1)(ii)", "FIA message throttle", "RTS 6 Art. 15(1)(d)")
_DATA = ("15c3-5(c)(1)(ii)", "FIA market data")
_WATCH = ("15c3-5(c)(1)(i)", "RTS 6 Art. 16")

RULES: Mapping[str, tuple[str, ...]] = {
    Rule.KILL_SWITCH: ("15c3-5(d)", "FIA kill switch", "RTS 6 Art. 12"),
    Rule.EXACT_ARITHMETIC: _ERROR,
    Rule.ACCOUNT_KNOWN: _CAPITAL,
    Rule.WATCHED: ("FIA cancel on disconnect", "RTS 6 Art. 14"),
    Rule.RECONCILED: ("FIA post-trade", "RTS 6 Art. 17"),
    Rule.MAX_DAILY_LOSS: _CAPITAL,
    Rule.MAX_DRAWDOWN: _CAPITAL,
    Rule.APPROVED_UNIVERSE: ("15c3-5(c)(2)(ii)",),
    Rule.INSTRUMENT_TRADABLE: ("15c3-5(c)(2)(ii)", *_SETTLED),
    Rule.ORDER_SUPPORTED: _SETTLED,
    Rule.TRADING_HOURS: _SETTLED,
    Rule.LOT_SIZE: _ERROR,
    Rule.PRICE_TICK: (*_SETTLED, *_ERROR),
    Rule.QUOTE_PRESENT: _DATA,
    Rule.QUOTE_SANE: _DATA,
    Rule.MAX_QUOTE_AGE: _DATA,
    Rule.MAX_SPREAD: _DATA,
    Rule.PRICE_COLLAR: (*_ERROR, "FIA price tolerance", "RTS 6 Art. 15(1)(a)"),
    Rule.MAX_QUANTITY: (*_ERROR, "FIA order size", "RTS 6 Art. 15(1)(c)"),
    Rule.MIN_NOTIONAL: _ERROR,
    Rule.MAX_NOTIONAL: (*_ERROR, "FIA order size", "RTS 6 Art. 15(1)(b)"),
    Rule.MAX_OPEN_ORDERS: (*_ERROR, "FIA message throttle", "RTS 6 Art. 15(1)(d)"),
    Rule.IN_DOUBT: _ERROR,
    Rule.DUPLICATE_ORDER: (*_ERROR, "FIA execution throttle", "RTS 6 Art. 15(3)"),
    Rule.SELL_WITHIN_HELD: _SETTLED,
    Rule.REDUCE_ONLY: _ERROR,
    Rule.MAX_POSITION: (*_CAPITAL, "FIA position"),
    Rule.MAX_POSITIONS: (*_CAPITAL, "FIA position"),
    Rule.MAX_SECTOR: _CAPITAL,
    Rule.MAX_GROSS: (*_CAPITAL, "FIA position"),
    Rule.MAX_CORRELATION: _CAPITAL,
    Rule.BUYING_POWER: _CAPITAL,
    "strategy_armed": ("FIA execution throttle", "RTS 6 Art. 15(3)"),
    "max_orders_per_minute": _PACE,
    "max_notional_per_minute": (*_ERROR, *_CAPITAL),
    "max_messages_per_minute": _PACE,
    "max_replaces_per_minute": _PACE,
    "max_repeated_orders": (*_ERROR, "FIA execution throttle", "RTS 6 Art. 15(3)"),
    "max_orders_per_day": _PACE,
    "max_notional_per_day": _CAPITAL,
    "self_match": _SETTLED,
    "max_position_quantity": (*_CAPITAL, "FIA position"),
    "restricted_symbols": ("15c3-5(c)(2)(ii)",),
    "trading_halted": ("15c3-5(c)(2)(ii)", *_SETTLED),
    "no_trade_after_open_s": _ERROR,
    "no_trade_before_close_s": _ERROR,
    "blackouts": ("15c3-5(c)(2)(ii)", *_ERROR),
    "max_quote_deviation_pct": _DATA,
    "within_parent": (*_ERROR, "FIA execution throttle"),
    "max_order_adv_pct": (*_ERROR, "FIA order size", "RTS 6 Art. 15(1)(c)"),
    "max_participation_pct": (*_ERROR, "RTS 6 Art. 15(1)(c)"),
    "max_open_orders": _PACE,
    "max_turnover_per_day": _CAPITAL,
    "short_eligible": _SETTLED,
    "max_position_notional": (*_CAPITAL, "FIA position"),
    "max_concentration": _CAPITAL,
    "max_net_exposure": (*_CAPITAL, "FIA position"),
    "marginable": (*_CAPITAL, *_SETTLED),
    "allowed_symbols": ("15c3-5(c)(2)(ii)",),
    "max_order_multiple": (*_ERROR, "FIA order size", "RTS 6 Art. 15(1)(c)"),
    "volatility_tiers": (*_ERROR, "FIA order size", "RTS 6 Art. 15(1)(c)"),
    "max_cancel_ratio": _PACE,
    "settled_cash": (*_CAPITAL, *_SETTLED),
    "max_margin_use_pct": (*_CAPITAL, *_SETTLED),
    "max_day_trades": _SETTLED,
    "max_beta_exposure": _CAPITAL,
    "max_var_95_pct": _CAPITAL,
    "max_es_95_pct": _CAPITAL,
    "strategy_value": (*_CAPITAL, "FIA position"),
    "strategy_loss": (*_CAPITAL, "FIA execution throttle"),
    "strategy_orders": _PACE,
    "soft_limits": (*_CAPITAL, *_ERROR),
    Rule.CHECK_FAILED: ("15c3-5(d)", *_ERROR),
}
"""The rules of the gate by their values, and the paragraphs that each answers."""

TRIGGERS: Mapping[HaltTrigger, tuple[str, ...]] = {
    HaltTrigger.DAILY_LOSS: _WATCH,
    HaltTrigger.WEEKLY_LOSS: _WATCH,
    HaltTrigger.MONTHLY_LOSS: _WATCH,
    HaltTrigger.DRAWDOWN: _WATCH,
    HaltTrigger.RAPID_LOSS: (*_WATCH, "FIA execution throttle"),
    HaltTrigger.LOSING_STREAK: (*_WATCH, "FIA execution throttle", "RTS 6 Art. 15(3)"),
    HaltTrigger.SLIPPAGE: ("RTS 6 Art. 16", "RTS 6 Art. 17"),
    HaltTrigger.REJECTION_RATE: ("RTS 6 Art. 16", "FIA message throttle"),
    HaltTrigger.BROKER_ERRORS: ("RTS 6 Art. 16", "RTS 6 Art. 14"),
    HaltTrigger.STRESS_LOSS: _CAPITAL,
    HaltTrigger.EQUITY_DIFFERENCE: ("FIA post-trade", "RTS 6 Art. 17"),
    HaltTrigger.STALE_FEED: ("FIA market data", "RTS 6 Art. 16"),
    HaltTrigger.CLOCK_SKEW: ("FIA market data", "RTS 6 Art. 16"),
    HaltTrigger.BROKER_LOSS: ("FIA cancel on disconnect", "RTS 6 Art. 14"),
}
"""Every automatic trigger that compares a number with a limit, and the paragraphs that it answers."""


class Control(NamedTuple):
    """A control that is no single rule or trigger.

    Attributes:
        name: what the tests that prove it name in their mark.
        what: what holds, in one sentence.
        code: the module, below the package.
    """

    name: str
    what: str
    code: str
    paragraphs: tuple[str, ...]


OTHERS: tuple[Control, ...] = (
    Control(
        "one way out",
        "No order leaves without an approval that only the gate can make.",
        "risk/pre_trade.py",
        ("15c3-5(d)", "15c3-5(c)(1)(ii)"),
    ),
    Control(
        "latch",
        "A halt is on disk before anybody is told, outlives every process, and works from a second one.",
        "risk/latch.py",
        ("FIA kill switch", "RTS 6 Art. 12", "RTS 6 Art. 14"),
    ),
    Control(
        "cancel and confirm",
        "A halt cancels every working order and is done when the broker has confirmed it.",
        "trading/liquidation.py",
        ("FIA kill switch", "RTS 6 Art. 12"),
    ),
    Control(
        "watchdog",
        "Another process halts the account and cancels its orders when the engine gives no sign of life.",
        "app/watchdog.py",
        ("FIA cancel on disconnect", "FIA kill switch", "RTS 6 Art. 14"),
    ),
    Control(
        "cancel past the engine",
        "Whoever halts takes the right to send from an engine that hangs or is gone, and cancels at the broker.",
        "app/outside_halt.py",
        ("FIA kill switch", "RTS 6 Art. 12", "RTS 6 Art. 14"),
    ),
    Control(
        "drill",
        "Every way of stopping is rehearsed with real processes on a venue of this machine, and judged by its books.",
        "app/drill/rehearsal.py",
        ("15c3-5(e)", "RTS 6 Art. 9", "FIA kill switch", "RTS 6 Art. 12"),
    ),
    Control(
        "authorised reset",
        "Only the persons on the list let orders leave again, with a reason on record.",
        "risk/kill_switch.py",
        ("15c3-5(c)(2)(iii)", "RTS 6 Art. 18"),
    ),
    Control(
        "trusted limits",
        "Limits come from one file that others cannot write, and are refused as a whole when not understood.",
        "config/loader.py",
        ("15c3-5(b)", "15c3-5(d)", "RTS 6 Art. 18"),
    ),
    Control(
        "reconciliation",
        "The books are compared with the broker's again and again; a difference shuts new risk until it is explained.",
        "trading/reconciler.py",
        ("FIA post-trade", "RTS 6 Art. 17"),
    ),
    Control(
        "journal",
        "Every decision and execution is on record in a chain that shows any change, and refusals can be explained.",
        "journal/verify.py",
        ("15c3-5(b)", "15c3-5(c)(2)(iv)", "RTS 6 Art. 16"),
    ),
    Control(
        "risk numbers",
        "Exposures, value at risk with back-tests, stresses and the use of every limit are measured while trading.",
        "risk/risk_book.py",
        ("15c3-5(e)", "RTS 6 Art. 9", "RTS 6 Art. 16", "RTS 6 Art. 17"),
    ),
)
"""Controls beside the gate's rules and the triggers."""
