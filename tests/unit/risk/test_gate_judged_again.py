"""A decision record holds enough to judge the order once more: the same verdict, by the numbers that are in it."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from quant_trading_system.app.decision_record import decision_record
from quant_trading_system.core.decisions import CheckResult, Decision, Rejection, Rule
from quant_trading_system.core.events import OrderEvent
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger
from quant_trading_system.core.orders import Order
from quant_trading_system.execution.verdicts import halted
from quant_trading_system.journal.codec import decode, encode
from quant_trading_system.journal.store import MemoryJournal
from quant_trading_system.risk.pre_trade import ApprovedOrder
from tests.support.gate_cases import GateCase, cases, decide, parse_order
from tests.support.market import NOON
from tests.unit.risk.test_gate_boundaries import CASES

ALL = [case for table in CASES.values() for case in cases(table)]
OTHER_REASONS = {
    Rule.MAX_QUOTE_AGE: "stamped in the future",
    Rule.PRICE_COLLAR: "a stop on the wrong side of the market",
}
"""Rules that can refuse although their numbers would let the order pass, and the words that say why."""


def from_the_journal(order: Order, decision: Decision, *, denied: bool) -> Decision:
    """The record as somebody reads it years later."""
    event = OrderEvent(
        at=NOON,
        order_id="o",
        symbol=order.symbol,
        trigger=OrderTrigger.DENY if denied else OrderTrigger.SEND,
        status=OrderStatus.DENIED if denied else OrderStatus.SENT,
        order=order,
        decision=decision,
    )
    found = decode(encode(event))
    assert isinstance(found, OrderEvent)
    assert found.decision is not None
    return found.decision


@pytest.mark.parametrize("case", ALL, ids=str)
def test_a_record_gives_the_same_verdict_again(case: GateCase) -> None:
    answer = decide(case)
    refused = isinstance(answer, Rejection)
    record = from_the_journal(parse_order(case.order), answer.decision, denied=refused)
    assert record.judged_again == record.refused_by == (answer.rule if isinstance(answer, Rejection) else None)


@pytest.mark.parametrize("case", [case for case in ALL if case.verdict != "ok"], ids=str)
def test_every_refusal_is_borne_out_by_its_numbers_or_says_why_in_words(case: GateCase) -> None:
    answer = decide(case)
    for check in answer.decision.checks:
        if check.passed or check.by_numbers is False:
            continue
        assert check.detail, check
        if check.by_numbers:
            assert check.detail == OTHER_REASONS[check.rule]


def test_numbers_that_do_not_refuse_bear_no_refusal_out():
    """Whoever changes a number in a record changes what follows from it."""
    case = next(case for case in ALL if case.verdict == "max_order_notional")
    record = decide(case).decision
    touched = [_within(check) if check.rule is record.refused_by else check for check in record.checks]
    assert _with(record, touched).judged_again != record.refused_by


def test_explain_says_when_a_record_does_not_bear_out_its_verdict():
    case = next(case for case in ALL if case.verdict == "max_order_notional")
    order, sound = parse_order(case.order), decide(case).decision
    touched = _with(sound, [_within(check) if check.rule is sound.refused_by else check for check in sound.checks])
    words = "; this record does not bear out its verdict: by its own answers no rule refuses it"
    for decision, told in ((sound, ""), (touched, words)):
        journal = MemoryJournal()
        journal.append(
            OrderEvent(
                at=NOON,
                order_id="o",
                symbol="KO",
                trigger=OrderTrigger.DENY,
                status=OrderStatus.DENIED,
                order=order,
                decision=decision,
                reason="why",
            )
        )
        assert decision_record(journal, "o").message == f"why{told}"


def test_a_switch_that_was_set_between_check_and_sending_is_an_answer_in_the_record():
    approved = decide(GateCase("", "buy 1", "ok"))
    assert isinstance(approved, ApprovedOrder)
    refused = halted(approved.order, approved)
    assert refused.decision.judged_again == refused.decision.refused_by == Rule.KILL_SWITCH
    assert len(refused.checks) == len(approved.decision.checks)


def _within(check: CheckResult) -> CheckResult:
    return CheckResult(check.rule, check.passed, Decimal(0), check.limit, check.unit)


def _with(record: Decision, checks: list[CheckResult]) -> Decision:
    return msgspec.structs.replace(record, checks=tuple(checks))
