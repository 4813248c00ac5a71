"""The questions of the checklist, and which rules of the gate answer each of them."""

from __future__ import annotations

from quant_trading_system.core.decisions import Rule, Step

QUESTIONS: tuple[tuple[Step, str, tuple[Rule, ...]], ...] = (
    (
        Step.RISK_ASSESSMENT,
        "Is the kill switch active?",
        (Rule.KILL_SWITCH, Rule.EXACT_ARITHMETIC, Rule.ACCOUNT_KNOWN, Rule.WATCHED, Rule.STRATEGY_ARMED),
    ),
    (Step.RISK_ASSESSMENT, "Do our books agree with the broker's?", (Rule.RECONCILED,)),
    (Step.RISK_ASSESSMENT, "What is the current drawdown?", (Rule.MAX_DRAWDOWN,)),
    (Step.RISK_ASSESSMENT, "What is today's P&L?", (Rule.MAX_DAILY_LOSS,)),
    (
        Step.RISK_ASSESSMENT,
        "Are there existing orders for this symbol?",
        (Rule.MAX_OPEN_ORDERS, Rule.MAX_OPEN_ORDERS_IN_ALL, Rule.DUPLICATE_ORDER, Rule.IN_DOUBT, Rule.SELF_MATCH),
    ),
    (
        Step.RISK_ASSESSMENT,
        "Do orders leave at a sane pace?",
        (
            Rule.MAX_ORDERS_PER_MINUTE,
            Rule.MAX_NOTIONAL_PER_MINUTE,
            Rule.MAX_MESSAGES_PER_MINUTE,
            Rule.MAX_REPLACES_PER_MINUTE,
            Rule.MAX_CANCEL_RATIO,
            Rule.MAX_REPEATED_ORDERS,
            Rule.MAX_ORDERS_PER_DAY,
            Rule.MAX_NOTIONAL_PER_DAY,
            Rule.MAX_TURNOVER,
            Rule.STRATEGY_ORDERS,
        ),
    ),
    (
        Step.RISK_ASSESSMENT,
        "Does this order exceed position limits?",
        (
            Rule.MAX_POSITIONS,
            Rule.MAX_SECTOR,
            Rule.MAX_GROSS,
            Rule.MAX_NET,
            Rule.MAX_CORRELATION,
            Rule.BUYING_POWER,
            Rule.MARGINABLE,
            Rule.SETTLED_CASH,
            Rule.MAX_MARGIN_USE,
            Rule.MAX_DAY_TRADES,
            Rule.MAX_BETA,
            Rule.MAX_VAR,
            Rule.MAX_ES,
            Rule.STRATEGY_VALUE,
            Rule.STRATEGY_LOSS,
            Rule.SOFT_LIMITS,
        ),
    ),
    (
        Step.ORDER_VALIDATION,
        "Is the symbol in the approved universe?",
        (Rule.APPROVED_UNIVERSE, Rule.ALLOWED, Rule.RESTRICTED, Rule.INSTRUMENT_TRADABLE),
    ),
    (
        Step.ORDER_VALIDATION,
        "Is the order type appropriate for the market?",
        (Rule.ORDER_SUPPORTED, Rule.QUOTE_SANE, Rule.MAX_SPREAD, Rule.MAX_ORDER_ADV, Rule.MAX_PARTICIPATION),
    ),
    (
        Step.ORDER_VALIDATION,
        "Is the time in force set correctly?",
        (Rule.TRADING_HOURS, Rule.TRADING_HALTED, Rule.NO_TRADE_AFTER_OPEN, Rule.NO_TRADE_BEFORE_CLOSE, Rule.BLACKOUT),
    ),
    (
        Step.ORDER_VALIDATION,
        "Are the prices reasonable and fresh?",
        (Rule.QUOTE_PRESENT, Rule.MAX_QUOTE_AGE, Rule.MAX_QUOTE_DEVIATION, Rule.PRICE_COLLAR, Rule.PRICE_TICK),
    ),
    (
        Step.ORDER_VALIDATION,
        "Does the quantity pass the concentration check?",
        (
            Rule.MAX_POSITION,
            Rule.MAX_POSITION_QUANTITY,
            Rule.MAX_POSITION_NOTIONAL,
            Rule.MAX_CONCENTRATION,
            Rule.MAX_QUANTITY,
            Rule.MIN_NOTIONAL,
            Rule.MAX_NOTIONAL,
            Rule.VOLATILITY,
            Rule.MAX_ORDER_MULTIPLE,
            Rule.WITHIN_PARENT,
            Rule.LOT_SIZE,
            Rule.SELL_WITHIN_HELD,
            Rule.SHORT_ELIGIBLE,
            Rule.REDUCE_ONLY,
        ),
    ),
)
"""Every rule of the gate under the question of the checklist that it answers."""
