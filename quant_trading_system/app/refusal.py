"""Why an order was refused, in one sentence that needs no manual: what was asked for, and what is allowed."""

from __future__ import annotations

from decimal import Decimal

from quant_trading_system.app.check_lines import CheckLine
from quant_trading_system.app.decision_record import DecisionRecord, amount
from quant_trading_system.core.decisions import CheckResult, Decision, Rule, Unit
from quant_trading_system.core.numbers import usd

_NUMBERS: dict[Rule, str] = {
    Rule.MAX_DAILY_LOSS: "today's loss is {actual}, and at most {limit} may be lost in a day",
    Rule.MAX_DRAWDOWN: "the account is {actual} below its peak, and at most {limit} is allowed",
    Rule.MAX_QUOTE_AGE: "the last price is {actual} old, and may be at most {limit} old",
    Rule.MAX_SPREAD: "bid and ask are {actual} apart, and may be at most {limit} apart",
    Rule.PRICE_COLLAR: "its price is {actual} worse than the market, and at most {limit} is allowed",
    Rule.PRICE_TICK: "its price of {actual} is not on a full cent (below $1: a hundredth of a cent)",
    Rule.LOT_SIZE: "{actual} cannot be traded: {detail}",
    Rule.MAX_QUANTITY: "{actual} are too many for one order; at most {limit} are allowed",
    Rule.MIN_NOTIONAL: "it is worth {actual}, and an order must be worth {limit} at least",
    Rule.MAX_NOTIONAL: "it is worth {actual}, and one order may be worth {limit} at most",
    Rule.MAX_OPEN_ORDERS: "it would be open order number {actual} of this symbol, and {limit} are allowed",
    Rule.DUPLICATE_ORDER: "the same order left {actual} ago; repeats within {limit} are taken for mistakes",
    Rule.SELL_WITHIN_HELD: "it sells {actual} while {limit} are held and free; {detail}",
    Rule.REDUCE_ONLY: "it is for {actual} while {limit} are held: {detail}",
    Rule.MAX_POSITION: "the position could grow to {actual}, and one symbol may hold {limit} at most",
    Rule.MAX_POSITIONS: "it would make {actual} positions, and {limit} are allowed",
    Rule.MAX_SECTOR: "its sector could grow to {actual}, and {limit} is allowed",
    Rule.MAX_GROSS: "all positions together could grow to {actual}, and {limit} is allowed",
    Rule.MAX_CORRELATION: "it moves too much like what is held: correlation {actual} {detail}, at most {limit}",
    Rule.BUYING_POWER: "it needs {actual} of buying power, and {limit} is left",
}
"""For the rules that compare two numbers; every other one explains itself in its detail."""

_WRONG_SIDE = "{actual} is {detail}, which stands at {limit}"
"""For a price on the wrong side of the market, whose rule compares it with the quote and with no collar."""

_WORDS: dict[Rule, str] = {
    Rule.ACCOUNT_KNOWN: "the account cannot be valued: {detail}",
    Rule.KILL_SWITCH: "the kill switch is active, {detail}",
    Rule.RECONCILED: "our books and the broker's differ: {detail}",
    Rule.IN_DOUBT: "an earlier order of this symbol is not clear: {detail}",
    Rule.ORDER_SUPPORTED: "the broker does not take such an order: {detail}",
    Rule.QUOTE_SANE: "its price cannot be trusted: {detail}",
}


def refusal_of(decision: Decision) -> str:
    """The sentence for the rule that refused; empty for an order that was let through."""
    refused = next((check for check in decision.checks if not check.passed and check.rule is decision.refused_by), None)
    return "" if refused is None else refusal_sentence(refused)


def verdict_of(record: DecisionRecord) -> str:
    """Why an order was refused, in one sentence; of any other, what was last said about it."""
    checks = (check for answers in record.steps.values() for answer in answers for check in answer.checks)
    refused = next((check for check in checks if check.rule is record.refused_by and not check.passed), None)
    return record.message if refused is None else refusal_sentence(refused)


def refusal_sentence(check: CheckResult | CheckLine) -> str:
    """One answer of the gate as a sentence, such as ``Refused: 5,000,000 shares are too many for one order; …``."""
    template = _WORDS.get(check.rule, "{detail}")
    if check.rule is Rule.PRICE_COLLAR and check.actual is not None and check.detail:
        template = _WRONG_SIDE
    elif check.actual is not None and check.rule not in _WORDS:
        template = _NUMBERS.get(check.rule, "{rule}: {actual} against {limit}, {detail}")
    words = template.format(
        rule=check.rule.value.replace("_", " "),
        actual="unknown" if check.actual is None else number_in(check, check.actual),
        limit="nothing" if check.limit is None else number_in(check, check.limit),
        detail=check.detail or check.rule.value.replace("_", " "),
    )
    return f"Refused: {' '.join(words.split())}."


def number_in(check: CheckResult | CheckLine, value: Decimal) -> str:
    """A number of the check in its unit, in no more digits than people need."""
    if check.unit is Unit.SHARES:
        return f"{value.normalize():,f} {'share' if value == 1 else 'shares'}"
    if check.unit is Unit.RATIO:
        return f"{value:.2f}"
    if check.unit is Unit.USD and check.rule is not Rule.PRICE_TICK:
        return usd(value)
    return amount(value, check.unit)
