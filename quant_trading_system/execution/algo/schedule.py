"""Schedules: when how much of a parent order is due. Frozen, exact, and the same in every replay."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

import msgspec

from quant_trading_system.core.exceptions import InvalidNumber, InvalidOrder
from quant_trading_system.core.numbers import ONE, ZERO
from quant_trading_system.execution.algo.slicing import Weight, largest_remainder, whole_lots

MAX_SLICES = 2_000
"""More slices than this in a day are orders for their own sake."""


class Slice(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """`quantity` shares (zero or more) that are due from `start` on, which is aware and in UTC."""

    start: datetime
    quantity: Decimal


class Schedule(msgspec.Struct, frozen=True):
    """Slices in order of time; each lasts until the next one starts, the last one until `end`.

    Raises:
        InvalidOrder: no slice, times that do not rise, or a negative quantity.
    """

    slices: tuple[Slice, ...]
    end: datetime

    def __post_init__(self) -> None:
        if not self.slices:
            raise InvalidOrder("schedule", "a schedule needs at least one slice")
        starts = [part.start for part in self.slices]
        if any(moment.tzinfo is None for moment in (*starts, self.end)):
            raise InvalidOrder("schedule", "times need a time zone; add tzinfo=UTC")
        if any(a >= b for a, b in zip(starts, [*starts[1:], self.end], strict=True)):
            raise InvalidOrder("schedule", "the times of a schedule must rise, and end after the last slice starts")
        if any(not (part.quantity.is_finite() and part.quantity >= 0) for part in self.slices):
            raise InvalidOrder("schedule", "the quantity of a slice must be finite and not negative")

    @property
    def start(self) -> datetime:
        """When the first slice is due."""
        return self.slices[0].start

    @property
    def quantities(self) -> tuple[Decimal, ...]:
        """Shares of every slice."""
        return tuple(part.quantity for part in self.slices)

    @property
    def quantity(self) -> Decimal:
        """Shares of all slices together."""
        return sum(self.quantities, ZERO)

    def end_of(self, number: int) -> datetime:
        """When the slice of that number ends."""
        return self.slices[number + 1].start if number + 1 < len(self.slices) else self.end

    def number_at(self, moment: datetime) -> int:
        """The slice that is running; -1 before the first, the last one also after the end."""
        return bisect_right(self.slices, moment, key=_start_of) - 1

    def faster(self, moment: datetime, factor: Decimal) -> Schedule:
        """What lies after `moment` takes 1/`factor` of the time; quantities stay.

        Raises:
            InvalidNumber: the factor is not above one.
        """
        if not (factor.is_finite() and factor > ONE):
            raise InvalidNumber(f"factor {factor} must be above 1")
        above, below = factor.as_integer_ratio()

        def moved(when: datetime) -> datetime:
            return when if when <= moment else moment + (when - moment) * below / above

        slices = tuple(Slice(moved(part.start), part.quantity) for part in self.slices)
        return Schedule(slices, moved(self.end))


def _start_of(part: Slice) -> datetime:
    return part.start


def twap_schedule(quantity: Decimal, start: datetime, end: datetime, slices: int, lot: Decimal = ONE) -> Schedule:
    """Equal quantities at equal distances: a time-weighted average price.

    Raises:
        InvalidOrder: `end` is not after `start`, or the quantity is not a positive multiple of the lot.
        InvalidNumber: fewer than one or more than `MAX_SLICES` slices.
    """
    if not 1 <= slices <= MAX_SLICES:
        raise InvalidNumber(f"{slices} slices: choose between 1 and {MAX_SLICES}")
    return weighted_schedule(quantity, start, end, [1] * slices, lot)


def weighted_schedule(
    quantity: Decimal, start: datetime, end: datetime, weights: Sequence[Weight], lot: Decimal = ONE
) -> Schedule:
    """Slices of equal length from `start` to `end` whose quantities follow `weights`.

    Volumes as weights make a VWAP schedule (Konishi 2002), the trades of Almgren and Chriss one for
    implementation shortfall.

    Raises:
        InvalidOrder: as `twap_schedule`.
        InvalidNumber: weights that are missing, negative, or all zero.
    """
    if end <= start:
        raise InvalidOrder("end", f"{end.isoformat()} must be after {start.isoformat()}")
    count = len(weights)
    quantities = largest_remainder(quantity, weights, lot)
    span = end - start
    return Schedule(tuple(Slice(start + span * i / count, part) for i, part in enumerate(quantities)), end)


def randomised(
    schedule: Schedule, seed: str, *, time_jitter: Decimal = ZERO, size_jitter: Decimal = ZERO, lot: Decimal = ONE
) -> Schedule:
    """The schedule with times and sizes that others cannot foresee; the same for the same `seed`.

    Slices start later by up to `time_jitter` of their length. Sizes change by up to `size_jitter` of
    themselves; lots move between neighbours, so the sum is kept.

    Args:
        time_jitter: fraction, at least 0 and below 1.
        size_jitter: fraction, from 0 to 1.
        lot: shares.

    Raises:
        InvalidNumber: a jitter outside its range.
    """
    if not (ZERO <= time_jitter < ONE and ZERO <= size_jitter <= ONE):
        raise InvalidNumber(f"jitter of time {time_jitter} and size {size_jitter} must lie between 0 and 1")
    draw = Random(f"{seed}|schedule")  # noqa: S311 - repeatable on purpose; nothing secret hangs on it
    lots = [int(part.quantity / lot) for part in schedule.slices]
    for i in range(0, len(lots) - 1, 2):
        most = int(min(lots[i], lots[i + 1]) * size_jitter)
        moved = draw.randint(-most, most)
        lots[i] += moved
        lots[i + 1] -= moved
    slices = []
    for i, part in enumerate(schedule.slices):
        room = (schedule.end_of(i) - part.start) // timedelta(microseconds=1)
        late = draw.randint(0, int(room * time_jitter))
        slices.append(Slice(part.start + timedelta(microseconds=late), lot * lots[i]))
    return Schedule(tuple(slices), schedule.end)


def require_sum(schedule: Schedule, quantity: Decimal, lot: Decimal) -> None:
    """Check that the slices are whole lots and sum to `quantity`.

    Raises:
        InvalidOrder: they do not.
    """
    whole_lots(quantity, lot)
    if any(part.quantity % lot for part in schedule.slices):
        raise InvalidOrder("schedule", f"a slice is no multiple of the lot {lot}")
    if schedule.quantity != quantity:
        raise InvalidOrder("schedule", f"the slices sum to {schedule.quantity} and not to the parent's {quantity}")
