"""Why an order was sent or refused: the evidence that the gate saw, in the order of the checklist.

`Rule` lists every question once. Rules that come from `risk_params.yaml` bear the name of their key.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import IntEnum, StrEnum

import msgspec


class Step(IntEnum):
    """The steps of the checklist that every order passes."""

    RISK_ASSESSMENT = 1
    ORDER_VALIDATION = 2
    EXECUTION_STRATEGY = 3
    POST_TRADE = 4


class Rule(StrEnum):
    """Every reason for which the gate can refuse, in the order in which it asks."""

    KILL_SWITCH = "kill_switch"
    EXACT_ARITHMETIC = "exact_arithmetic"
    ACCOUNT_KNOWN = "account_known"
    WATCHED = "watchdog"
    RECONCILED = "reconciled"
    STRATEGY_ARMED = "strategy_armed"
    MAX_DAILY_LOSS = "max_daily_loss_pct"
    MAX_DRAWDOWN = "max_drawdown_pct"
    RESTRICTED = "restricted_symbols"
    ALLOWED = "allowed_symbols"
    APPROVED_UNIVERSE = "approved_universe"
    INSTRUMENT_TRADABLE = "instrument_tradable"
    ORDER_SUPPORTED = "order_supported"
    TRADING_HALTED = "trading_halted"
    TRADING_HOURS = "trading_hours"
    NO_TRADE_AFTER_OPEN = "no_trade_after_open_s"
    NO_TRADE_BEFORE_CLOSE = "no_trade_before_close_s"
    BLACKOUT = "blackouts"
    LOT_SIZE = "lot_size"
    PRICE_TICK = "price_tick"
    QUOTE_PRESENT = "quote_present"
    QUOTE_SANE = "quote_sane"
    MAX_QUOTE_AGE = "max_quote_age_s"
    MAX_QUOTE_DEVIATION = "max_quote_deviation_pct"
    MAX_SPREAD = "max_spread_pct"
    PRICE_COLLAR = "price_collar_pct"
    MAX_QUANTITY = "max_order_quantity"
    MIN_NOTIONAL = "min_order_notional"
    MAX_NOTIONAL = "max_order_notional"
    VOLATILITY = "volatility_tiers"
    WITHIN_PARENT = "within_parent"
    MAX_ORDER_MULTIPLE = "max_order_multiple"
    MAX_ORDER_ADV = "max_order_adv_pct"
    MAX_PARTICIPATION = "max_participation_pct"
    MAX_OPEN_ORDERS = "max_open_orders_per_symbol"
    MAX_OPEN_ORDERS_IN_ALL = "max_open_orders"
    IN_DOUBT = "symbol_in_doubt"
    DUPLICATE_ORDER = "duplicate_window_s"
    MAX_ORDERS_PER_MINUTE = "max_orders_per_minute"
    MAX_NOTIONAL_PER_MINUTE = "max_notional_per_minute"
    MAX_MESSAGES_PER_MINUTE = "max_messages_per_minute"
    MAX_REPLACES_PER_MINUTE = "max_replaces_per_minute"
    MAX_CANCEL_RATIO = "max_cancel_ratio"
    MAX_REPEATED_ORDERS = "max_repeated_orders"
    MAX_ORDERS_PER_DAY = "max_orders_per_day"
    MAX_NOTIONAL_PER_DAY = "max_notional_per_day"
    MAX_TURNOVER = "max_turnover_per_day"
    SELF_MATCH = "self_match"
    SELL_WITHIN_HELD = "sell_within_held"
    SHORT_ELIGIBLE = "short_eligible"
    REDUCE_ONLY = "reduce_only"
    MAX_POSITION_QUANTITY = "max_position_quantity"
    MAX_POSITION = "max_position_pct"
    MAX_POSITION_NOTIONAL = "max_position_notional"
    MAX_CONCENTRATION = "max_concentration"
    MAX_POSITIONS = "max_portfolio_positions"
    MAX_SECTOR = "max_sector_exposure"
    MAX_GROSS = "max_gross_exposure"
    MAX_NET = "max_net_exposure"
    MAX_CORRELATION = "max_correlation"
    BUYING_POWER = "buying_power"
    MARGINABLE = "marginable"
    SETTLED_CASH = "settled_cash"
    MAX_MARGIN_USE = "max_margin_use_pct"
    MAX_DAY_TRADES = "max_day_trades"
    MAX_BETA = "max_beta_exposure"
    MAX_VAR = "max_var_95_pct"
    MAX_ES = "max_es_95_pct"
    STRATEGY_VALUE = "strategy_value"
    STRATEGY_LOSS = "strategy_loss"
    STRATEGY_ORDERS = "strategy_orders"
    SOFT_LIMITS = "soft_limits"
    CHECK_FAILED = "check_failed"


class Unit(StrEnum):
    """What the numbers of a check count."""

    NONE = ""
    USD = "USD"
    SHARES = "shares"
    SECONDS = "s"
    COUNT = "count"
    RATIO = "ratio"
    BASIS_POINTS = "bps"


MINIMUM_RULES = frozenset(
    {Rule.MIN_NOTIONAL, Rule.DUPLICATE_ORDER, Rule.NO_TRADE_AFTER_OPEN, Rule.NO_TRADE_BEFORE_CLOSE}
)
"""Rules whose limit is a floor; all others are ceilings."""


class CheckResult(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The answer to one question.

    Attributes:
        actual, limit: the two numbers that were compared, None for questions without numbers.
        detail: words for what numbers cannot say.
    """

    rule: Rule
    passed: bool
    actual: Decimal | None = None
    limit: Decimal | None = None
    unit: Unit = Unit.NONE
    detail: str = ""

    @property
    def by_numbers(self) -> bool | None:
        """What the two numbers say: True when they let the order pass; None without both."""
        if self.actual is None or self.limit is None:
            return None
        return self.actual >= self.limit if self.rule in MINIMUM_RULES else self.actual <= self.limit

    @property
    def headroom(self) -> Decimal | None:
        """How much was left; negative when the limit was broken."""
        if self.actual is None or self.limit is None:
            return None
        return self.actual - self.limit if self.rule in MINIMUM_RULES else self.limit - self.actual


class QuoteSeen(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The quote that a decision was based on."""

    bid: Decimal
    ask: Decimal
    at: datetime
    source: str
    sequence: int


class SizeSeen(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """How the quantity was chosen before the order was made.

    Attributes:
        target: signed shares that the sizer wants to hold.
        bound_by: what limited it: the sizer's own rule, a key of `risk_params.yaml`, or ``lot``.
        detail: one line with the numbers that the sizer saw.
        cut_from: signed shares before `bound_by` cut them; None when nothing was cut.
        room_rule: the limit that cut this order to the room of the moment; None when it did not have to.
    """

    target: Decimal
    bound_by: str
    detail: str
    cut_from: Decimal | None = None
    room_rule: Rule | None = None


class ExecutionPlan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Step 3 of the checklist: how the order is to be worked, and what that is expected to cost.

    Attributes:
        choice: ``market``, ``limit``, ``stop`` …, or the name of an algorithm.
        why: one sentence.
        urgency: 0 (patient) to 1 (now).
        expected_price: dollars a share, the price that slippage is measured against (mid at the decision).
        expected_slippage_bps: expected cost against `expected_price` in basis points; positive hurts.
        size: how the quantity was chosen; None for orders that were given with theirs.
        parent: id of the parent order that this one is a slice of, empty for none; cost and price are the parent's.
        approval: id of the approval that lets it go beyond soft limits, empty for none; `beyond`: those limits, where
            the approval is for a parent with all its slices.
    """

    choice: str
    why: str
    urgency: Decimal
    expected_price: Decimal | None = None
    expected_slippage_bps: Decimal | None = None
    size: SizeSeen | None = None
    parent: str = ""
    approval: str = ""
    beyond: tuple[str, ...] = ()


class Decision(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Everything that was known and asked when the gate decided about one order.

    Attributes:
        limits_version: hash of the limits in force.
        drawdown, daily_pnl: fractions of peak and of day-start equity at that moment.
        open_orders: orders of the symbol that were open or in doubt.
        position: signed shares held before the order.
    """

    checks: tuple[CheckResult, ...]
    limits_version: str
    at: datetime
    equity: Decimal
    drawdown: Decimal
    daily_pnl: Decimal
    position: Decimal
    open_orders: tuple[str, ...] = ()
    quote: QuoteSeen | None = None
    plan: ExecutionPlan | None = None
    refused_by: Rule | None = None

    @property
    def judged_again(self) -> Rule | None:
        """The verdict that follows from this record alone: the first rule that refuses, None when none does.

        An answer refuses when its numbers do; one without numbers, or with other reasons than they, says why in words.
        """
        for check in self.checks:
            if not check.passed and (check.by_numbers is False or check.detail):
                return check.rule
        return None


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """The gate said no; the order never left us. An expected outcome, hence a value and no exception.

    Attributes:
        order_id: the client order id.
        rule: the first rule that refused.
        message: one sentence with both numbers.
        decision: every answer, for the record.
    """

    order_id: str
    symbol: str
    rule: Rule
    message: str
    limit: Decimal | None
    actual: Decimal | None
    decision: Decision

    def __repr__(self) -> str:
        return f"Rejection({self.order_id}: {self.message})"

    @property
    def checks(self) -> tuple[CheckResult, ...]:
        """Every answer of the gate, in the order of the checklist."""
        return self.decision.checks
