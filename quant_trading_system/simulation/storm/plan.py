"""What makes a stormy day: everything about it follows from these few values."""

from __future__ import annotations

import msgspec

from quant_trading_system.simulation.models import stream
from quant_trading_system.simulation.storm.weather import forecast

WHOLE_DAY = 390
"""Minutes of a session."""
LENGTHS = (60,) * 8 + (90,) * 6 + (120, WHOLE_DAY)
"""Minutes of which chance chooses one; a storm fits into an hour, and some last until after the close."""
CALM = 20
"""Minutes without any fault at the end, before the books are compared."""


class DayPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One day.

    Attributes:
        seed: decides everything that chance decides.
        kinds: the faults that may strike.
        minutes: how long it is from the opening on, the calm at the end included.
        kill_at: numbers of the crash points at which the process dies.
    """

    seed: int
    kinds: tuple[str, ...]
    minutes: int = WHOLE_DAY
    kill_at: tuple[int, ...] = ()


def plan_of(seed: int, minutes: int = 0) -> DayPlan:
    """The day of a seed; 0 `minutes` leave its length to chance."""
    length = minutes or stream(seed, "length").choice(LENGTHS)
    return DayPlan(seed=seed, kinds=forecast(seed), minutes=length)
