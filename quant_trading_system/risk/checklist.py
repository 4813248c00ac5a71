"""The questions that limits ask, put to one order after the other; nothing is ever skipped.

Rules of which all facts are idle are judged together, by one look at the facts, and their passed answers are ready
made. The checks of all others are called one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter, length_hint
from typing import NamedTuple

from quant_trading_system.core.decisions import CheckResult
from quant_trading_system.risk.checks.case import Case, Check
from quant_trading_system.risk.checks.facts import Question, stirring

Answers = tuple[tuple[CheckResult, ...], CheckResult | None]
"""Every answer, and the first that refuses."""


class _Plan(NamedTuple):
    """How the questions are put while the same facts stir.

    Attributes:
        called: the checks that are called, each with the answer that a plain yes stands for.
        idle: the answers of all others.
        in_order: brings the answers of `called`, followed by `idle`, into the order of the questions.
    """

    called: tuple[tuple[Check, CheckResult], ...]
    idle: list[CheckResult]
    in_order: Callable[[list[CheckResult]], tuple[CheckResult, ...]]


class Checklist:
    """The rules in force, in their order."""

    def __init__(self, questions: Iterable[Question]) -> None:
        """Take the questions."""
        self.questions = tuple(questions)
        self._ready = [CheckResult(question.rule, True) for question in self.questions]
        self._plans: dict[int, _Plan] = {}

    def ask(self, case: Case) -> Answers:
        """Put every question; a check that breaks refuses."""
        facts = stirring(case)
        called, idle, in_order = self._plans.get(facts) or self._plan(facts)
        turns = iter(called)
        try:
            found = [check(case) or plain for check, plain in turns]
        except Exception as error:  # noqa: BLE001 - a check may fail in any way
            found = _one_by_one(case, called, len(called) - length_hint(turns) - 1, error)
        answers = in_order(found + idle)
        for answer in found:
            if not answer.passed:
                return answers, answer
        return answers, None

    def _plan(self, facts: int) -> _Plan:
        numbers = [number for number, asked in enumerate(self.questions) if asked.about & facts]
        others = [number for number in range(len(self.questions)) if number not in numbers]
        called = tuple([(self.questions[number].check, self._ready[number]) for number in numbers])
        idle = [self._ready[number] for number in others]
        places = [(numbers + others).index(number) for number in range(len(self.questions))]
        plan = self._plans[facts] = _Plan(called, idle, itemgetter(*places) if len(places) > 1 else tuple)
        return plan


def _one_by_one(
    case: Case, called: Sequence[tuple[Check, CheckResult]], broken: int, error: Exception
) -> list[CheckResult]:
    """The answers where checks break: number `broken` did so with `error`; those after it are asked all the same."""
    found = []
    for number, (check, plain) in enumerate(called):
        answer: CheckResult | None
        try:
            if number == broken:
                raise error
            answer = check(case)
        except Exception as failure:  # noqa: BLE001 - a check may fail in any way
            answer = CheckResult(plain.rule, False, detail=f"the check failed: {failure!r}")
        found.append(answer or plain)
    return found
