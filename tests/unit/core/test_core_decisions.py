"""The record of a decision: every question, both numbers, what was left."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from quant_trading_system.core.decisions import MINIMUM_RULES, CheckResult, Decision, Rejection, Rule, Step, Unit

NOW = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)

HEADROOM = """
rule                 actual   limit   left
max_position_pct     0.08     0.10    0.02
max_position_pct     0.10     0.10    0.00
max_position_pct     0.13     0.10    -0.03    # negative: the limit was broken
max_daily_loss_pct   -0.01    0.05    0.06
min_order_notional   25       10      15       # a floor: the other way round
min_order_notional   4        10      -6
kill_switch          -        -       -        # a question without numbers
buying_power         -        1000    -
buying_power         1000     -       -
"""


def number(text):
    return None if text == "-" else Decimal(text)


@pytest.mark.parametrize("line", HEADROOM.strip().splitlines()[1:])
def test_the_headroom_is_what_was_left_of_the_limit(line):
    rule, actual, limit, left = line.split("#")[0].split()
    result = CheckResult(Rule(rule), passed=True, actual=number(actual), limit=number(limit))
    assert number(left) == result.headroom


def test_all_limits_are_ceilings_but_the_least_notional_and_the_least_ages():
    ages = {Rule.DUPLICATE_ORDER, Rule.NO_TRADE_AFTER_OPEN, Rule.NO_TRADE_BEFORE_CLOSE}
    assert {Rule.MIN_NOTIONAL, *ages} == MINIMUM_RULES


def test_the_gate_asks_the_kill_switch_first_and_reports_a_failure_of_its_own_last():
    first, *_, last = Rule
    assert (Rule.KILL_SWITCH, Rule.CHECK_FAILED) == (first, last)


def test_the_steps_of_the_checklist_are_counted_from_one():
    assert [1, 2, 3, 4] == list(Step)


def test_the_answer_to_a_question_is_written_as_a_short_list_with_its_numbers_as_text():
    answer = CheckResult(Rule.MAX_POSITION, False, Decimal("0.130"), Decimal("0.10"), Unit.RATIO, "after a full fill")
    text = '["max_position_pct",false,"0.130","0.10","ratio","after a full fill"]'
    assert text == msgspec.json.encode(answer).decode()
    assert answer == msgspec.json.decode(text, type=CheckResult)


def test_a_rejection_shows_every_answer_of_the_gate():
    checks = (
        CheckResult(Rule.KILL_SWITCH, passed=True),
        CheckResult(Rule.MAX_POSITION, False, Decimal("0.13"), Decimal("0.10"), Unit.RATIO),
    )
    decision = Decision(
        checks=checks,
        limits_version="9f86d081",
        at=NOW,
        equity=Decimal(100_000),
        drawdown=Decimal(0),
        daily_pnl=Decimal(0),
        position=Decimal(0),
        refused_by=Rule.MAX_POSITION,
    )
    rejection = Rejection(
        order_id="5f1c-1-0",
        symbol="KO",
        rule=Rule.MAX_POSITION,
        message="the position would be 0.13 of equity; 0.10 is allowed",
        limit=Decimal("0.10"),
        actual=Decimal("0.13"),
        decision=decision,
    )
    assert checks == rejection.checks
    assert rejection == msgspec.json.decode(msgspec.json.encode(rejection), type=Rejection)
