"""Comparing the books with the broker's, asked for on a page."""

from __future__ import annotations

from quant_trading_system.console.pages.actions import Actions
from quant_trading_system.console.pages.asking import Question
from quant_trading_system.core.commands import Reconcile


def ask_to_reconcile(question: Question, actions: Actions) -> None:
    """Ask first, then have the running engine compare, and tell what it found."""
    question.ask(
        "Compare with the broker now?",
        "The engine asks the broker for everything and compares it with our books. Nothing is sent.",
        "Compare now",
        lambda _: actions.give(Reconcile()),
        has_reason=False,
    )
