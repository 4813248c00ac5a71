"""A rule whose facts are all idle is judged without a call of its check; what is recorded is the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_trading_system.core.decisions import CheckResult, Rejection, Rule
from quant_trading_system.risk.checklist import Answers, Checklist
from quant_trading_system.risk.checks import CHECKS, Case
from quant_trading_system.risk.checks.facts import EVER, GROWS, SELLS, Question, stirring
from tests.support.gate_cases import GateCase, cases, decide
from tests.unit.risk.test_gate_boundaries import CASES
from tests.unit.risk.test_gate_exits import TROUBLE, WAYS_OUT

LINES = [line for table in CASES.values() for line in cases(table)]
GIVEN = sorted({*(line.given for line in LINES if "broken" not in line.given), *TROUBLE} - {"reduce"})
ORDERS = sorted({*(line.order for line in LINES), *(order for _, order in WAYS_OUT)})
HELD = [
    "",
    "held=KO:5000@100",
    "held=KO:10@100",
    "held=KO:-5000@100 allow_short=true",
    "open=KO:3@100",
    "open=KO:-3@100 held=KO:5@100",
]
USUAL = [GateCase("held=KO:10@100", "buy 10 repeat", ""), GateCase("held=KO:10@100", "sell 5 repeat", "")]


@contextmanager
def judged() -> Iterator[list[tuple[Case, int]]]:
    """The cases that are judged within, with their facts; the answers are those of all checks called one by one."""
    found: list[tuple[Case, int]] = []
    ask = Checklist.ask

    def watched(self: Checklist, case: Case) -> Answers:
        answers = ask(self, case)
        found.append((case, stirring(case)))
        assert answers == _called_one_by_one(self, case)
        return answers

    with patch.object(Checklist, "ask", watched):
        yield found


def _called_one_by_one(asked: Checklist, case: Case) -> Answers:
    answers = tuple(_called(row, case) for row in asked.questions)
    return answers, next((answer for answer in answers if not answer.passed), None)


def _called(row: Question, case: Case) -> CheckResult:
    try:
        return row.check(case) or CheckResult(row.rule, True)
    except Exception as error:  # noqa: BLE001 - as the gate does
        return CheckResult(row.rule, False, detail=f"the check failed: {error!r}")


@given(st.lists(st.sampled_from(GIVEN), max_size=3), st.sampled_from(HELD), st.sampled_from(ORDERS))
def test_idle_facts_mean_a_plain_yes(words: list[str], held: str, order: str) -> None:
    """Of every rule there is, whether or not the limits of the case ask it."""
    with judged() as found:
        decide(GateCase(" ".join([*words, held]), order, ""))
    for case, facts in found:
        refusing = [row.rule for row in CHECKS if not row.about & facts and row.check(case) is not None]
        assert refusing == []


def test_every_line_of_the_tables_is_answered_as_if_all_checks_were_called():
    """So is every refusal; the cases are those of the rules' own tables."""
    with judged() as found:
        for line in LINES:
            if "broken" not in line.given:
                decide(line)
    assert len(found) > len(LINES) / 2


@pytest.mark.parametrize("row", [row for row in CHECKS if row.about != EVER], ids=lambda row: row.rule.value)
def test_a_rule_is_idle_in_some_cases_and_called_in_others(row: Question) -> None:
    """By its own table, and by that of the account."""
    with judged() as found:
        for line in (*cases(CASES[row.rule]), *USUAL):
            decide(line)
    called = {bool(row.about & facts) for _, facts in found}
    assert called == {False, True}


def test_a_usual_order_leaves_most_rules_idle():
    """Otherwise nothing would be gained."""
    with judged() as found:
        for line in USUAL:
            decide(line)
    assert [facts for _, facts in found] == [EVER | GROWS, EVER | SELLS]


def test_facts_that_cannot_be_read_refuse():
    """A look at the facts that fails does not decide which rules are idle."""
    with patch("quant_trading_system.risk.checklist.stirring", side_effect=ArithmeticError("no room")):
        refused = decide(USUAL[0])
    assert isinstance(refused, Rejection)
    assert refused.rule is Rule.CHECK_FAILED
    assert "no room" in refused.message
