"""The questions that limits ask, put to one order after the other; nothing is ever skipped.

Rules of which all facts are idle are judged together, by one look at the facts, and their passed answers are ready
made. The checks of all others are called one by one.
"""

from __future__ import annotations

from collections.abc import Iterable

from quant_trading_system.core.decisions import CheckResult
from quant_trading_system.risk.checks.case import Case, Check
from quant_trading_system.risk.checks.facts import Question, stirring

Answers = tuple[tuple[CheckResult, ...], CheckResult | None]
"""Every answer, and the first that refuses."""


class Checklist:
    """The rules in force, in their order."""

    def __init__(self, questions: Iterable[Question]) -> None:
        """Take the questions."""
        self.questions = tuple(questions)
        self._ready = [CheckResult(question.rule, True) for question in self.questions]
        self._called: dict[int, tuple[tuple[int, Check], ...]] = {}

    def ask(self, case: Case) -> Answers:
        """Put every question; a check that breaks refuses."""
        facts = stirring(case)
        called = self._called.get(facts)
        if called is None:
            numbered = enumerate(self.questions)
            called = self._called[facts] = tuple([(n, asked.check) for n, asked in numbered if asked.about & facts])
        answers, refused = self._ready.copy(), None
        for number, check in called:
            try:
                answer = check(case)
            except Exception as error:  # noqa: BLE001 - a check may fail in any way
                answer = CheckResult(answers[number].rule, False, detail=f"the check failed: {error!r}")
            if answer is not None:
                answers[number] = answer
                if refused is None and not answer.passed:
                    refused = answer
        return tuple(answers), refused
