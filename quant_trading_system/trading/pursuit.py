"""One wish on its way to the broker, and how long it waits for a gate that is shut for a while."""

from __future__ import annotations

from quant_trading_system.core.decisions import Rejection, Rule
from quant_trading_system.core.signals import Signal
from quant_trading_system.risk.position_sizer import Sizing

PASSING = frozenset({Rule.RECONCILED, Rule.WATCHED})
"""Refusals that say nothing about the order: the books are being compared, or the watchdog is away."""
MOST_REFUSALS = 10
"""How often one wish may be refused for a passing reason before it is given up."""


class Pursuit:
    """One wish on its way: the signal, the size it was given, and the order or parent that works on it now.

    Attributes:
        cause: the journal entry of the signal.
        put_off: it was refused for a passing reason and is asked again when that is over; `refusals`: how often.
    """

    __slots__ = ("cause", "order_id", "parent_id", "put_off", "refusals", "signal", "sizing")

    def __init__(self, signal: Signal, cause: int) -> None:
        self.signal = signal
        self.cause = cause
        self.sizing: Sizing | None = None
        self.order_id = ""
        self.parent_id = ""
        self.put_off = False
        self.refusals = 0

    def go_on_from(self, earlier: Pursuit) -> None:
        """Take over what works on the wish before this one; the same wish, said once more, waits where it waited."""
        self.order_id, self.parent_id = earlier.order_id, earlier.parent_id
        if earlier.cause == self.cause:
            self.put_off, self.refusals = earlier.put_off, earlier.refusals

    def wait_after(self, rejection: Rejection) -> bool:
        """True when the wish is to be asked again, with a size of then; False when it ends here."""
        if rejection.rule not in PASSING:
            return False
        self.refusals += 1
        self.put_off, self.sizing = True, None
        return self.refusals < MOST_REFUSALS
