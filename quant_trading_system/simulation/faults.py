"""What goes wrong at a venue on purpose, so that its customers can show that they bear it."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from random import Random

import msgspec

from quant_trading_system.simulation.models import RandomState, state_of, with_state

_ZERO = Decimal(0)
_CHANCES = 1_000_000
_SECOND = timedelta(seconds=1)


class Faults(msgspec.Struct, frozen=True, kw_only=True):
    """How often what goes wrong; nothing does by default.

    Attributes:
        lose_report: chance that a report is never told.
        delay_report: chance that a report comes `report_delay` later, so that others overtake it.
        double_fill: chance that the report of an execution is told twice.
        reject_later: chance that an order is rejected `reject_after` its acceptance, if it is open by then.
        late_fill: chance that an order trades all the same, `late_fill_after` its cancel was confirmed.
        parts: every execution comes in so many.
        overfill: shares that the last execution of an order is larger than it should be.
        forget_fills: a replaced order begins anew with its full quantity.
    """

    lose_report: Decimal = _ZERO
    delay_report: Decimal = _ZERO
    report_delay: timedelta = _SECOND
    double_fill: Decimal = _ZERO
    reject_later: Decimal = _ZERO
    reject_after: timedelta = _SECOND
    late_fill: Decimal = _ZERO
    late_fill_after: timedelta = _SECOND
    parts: int = 1
    overfill: Decimal = _ZERO
    forget_fills: bool = False

    def __post_init__(self) -> None:
        chances = (self.lose_report, self.delay_report, self.double_fill, self.reject_later, self.late_fill)
        if not all(0 <= chance <= 1 for chance in chances):
            raise ValueError("chances lie between 0 and 1")
        if min(self.report_delay, self.reject_after, self.late_fill_after) < timedelta(0):
            raise ValueError("delays are at least 0")
        if self.parts < 1 or self.overfill < 0:
            raise ValueError("an execution has at least 1 part, and an order is not overfilled by less than 0 shares")


NO_FAULTS = Faults()


class Dice:
    """Decides when a fault strikes.

    Attributes:
        faults: those in force; `set` others at any time.
        calm: nothing can go wrong.
        struck: how often each fault did, by its field.
    """

    def __init__(self, random: Random) -> None:
        self.faults = NO_FAULTS
        self.calm = True
        self.struck: Counter[str] = Counter()
        self._random = random

    def set(self, faults: Faults) -> None:
        """From now on these faults are in force."""
        self.faults = faults
        self.calm = faults == NO_FAULTS

    def strikes(self, fault: str) -> bool:
        """True as often as the chance in the field `fault` says; certain and impossible things draw no number."""
        chance: Decimal = getattr(self.faults, fault)
        strikes = bool(chance) and (chance == 1 or self._random.randrange(_CHANCES) < chance * _CHANCES)
        if strikes:
            self.struck[fault] += 1
        return strikes

    def state(self) -> tuple[Faults, RandomState]:
        """What is in force and where the random numbers have got to, to be kept."""
        return self.faults, state_of(self._random)

    def restore(self, state: tuple[Faults, RandomState]) -> None:
        """Be as it was."""
        self.set(state[0])
        self._random = with_state(state[1])
