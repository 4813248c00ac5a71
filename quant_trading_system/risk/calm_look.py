"""The latest look at the account that found nothing: the same is not looked for again as long as nothing has changed.

A look at an account that is far from its limits trips nothing, warns of nothing and records nothing. All it leaves
behind is what looks remember: the peak, the high of the window of rapid losses, and the looks that agree about equity.
Another look leaves nothing new, and finds nothing either, while

* every fact that a look judges by is the same, but for cash, marks and time;
* the monotonic clock is in the same slot of that window, and no look that has to agree is due;
* equity is not beyond the highest of that slot, nor of all time, nor so low that it would have to be judged.
"""

from __future__ import annotations

from decimal import Decimal

from quant_trading_system.core.numbers import ZERO

Facts = tuple[object, ...]
_NEVER = -1.0  # a moment before all others of a monotonic clock
_EARLY_S = 0.001  # no rounding of binary seconds can make it late


class CalmLook:
    """What the latest calm look was calm by, and how long and how far equity may go without another one.

    Attributes:
        facts: that it judged by; None where there is none to rely on.
        until: seconds of the monotonic clock; before it another look remembers nothing new.
        lowest, highest: dollars; equity between them is nothing new either.
    """

    __slots__ = ("facts", "highest", "lowest", "until")

    def __init__(self) -> None:
        """None so far."""
        self.facts: Facts | None = None
        self.until = _NEVER
        self.lowest = self.highest = ZERO

    def forget(self) -> None:
        """Something has changed that is not among the facts: the next look is a real one."""
        self.facts = None

    def found(self, facts: Facts) -> None:
        """A look was calm by `facts`; one that found something new is no reason to work out how far its calm goes."""
        self.facts = facts
        self.until = _NEVER

    def reaches(self, until: float, lowest: Decimal, highest: Decimal) -> None:
        """Another look was calm by the same facts; a third changes nothing before `until`, within these dollars."""
        self.until, self.lowest, self.highest = until - _EARLY_S, lowest, highest
