"""Which losses halt the account of the second simulation.

Written from docs/backtest.md and docs/risk-limits.md alone.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from tests.support.reference_venue import Fill, Sent

RAPIDLY, PART = 300_000_000, 10_000_000


@dataclass(frozen=True)
class Losses:
    """What may be lost: parts of the equity that a day, a week or a month began with, and of the highest equity so far.

    Attributes:
        at_once: a part of the highest equity within `RAPIDLY`, and of the `PART` that it begins in.
        in_a_row: losing round trips.
        slippage: basis points, on average of the latest `fills` of market orders.
    """

    of_day: Fraction = Fraction(1)
    from_peak: Fraction = Fraction(1)
    of_week: Fraction = Fraction(1)
    of_month: Fraction = Fraction(1)
    at_once: Fraction = Fraction(1)
    in_a_row: int = 1000
    slippage: Fraction = Fraction(10_000)
    fills: int = 20


class Watch:
    """Judges the losses of an account."""

    def __init__(self, losses: Losses, cash: Fraction) -> None:
        self.losses, self.peak = losses, cash
        self._day = self._week = self._month = self._closing = cash
        self._today: date | None = None
        self._began: int | None = None
        self._latest: deque[tuple[int, Fraction]] = deque()
        self._slipped: deque[tuple[Fraction, Fraction]] = deque(maxlen=losses.fills)

    def begin_day(self, day: date) -> None:
        """It opens, perhaps in a new week or month."""
        before, self._today = self._today, day
        self._day = self._closing
        if before is not None and before.isocalendar()[:2] != day.isocalendar()[:2]:
            self._week = self._closing
        if before is not None and (before.year, before.month) != (day.year, day.month):
            self._month = self._closing

    def end_bar(self, equity: Fraction) -> None:
        """The next day begins with it, if this bar was the last of its day."""
        self._closing = equity

    def see(self, order: Sent, fill: Fill) -> None:
        """What a market order has cost beyond the quote at which it was judged."""
        if order.want.kind == "market" and order.want.time_in_force != "cls":
            cost = (fill.price - order.price) * fill.side * fill.quantity
            self._slipped.append((cost, order.price * fill.quantity))

    def is_beyond(self, at: int, equity: Fraction, in_a_row: int) -> bool:
        """More than one of the losses has been made."""
        losses, latest = self.losses, self._latest
        self.peak = max(self.peak, equity)
        self._began = at if self._began is None else self._began
        part = (at - self._began) // PART
        while latest and latest[0][0] < part - RAPIDLY // PART:
            latest.popleft()
        latest.append((part, equity))
        highest = max(one for _, one in latest)
        bases = (
            (self._day, losses.of_day),
            (self._week, losses.of_week),
            (self._month, losses.of_month),
            (self.peak, losses.from_peak),
            (highest, losses.at_once),
        )
        if in_a_row > losses.in_a_row or any(base - equity > part * base for base, part in bases):
            return True
        cost, value = (sum(numbers) for numbers in zip(*self._slipped, strict=True)) if self._slipped else (0, 0)
        return len(self._slipped) == losses.fills and cost * 10_000 > losses.slippage * value


ANY_LOSS = Losses()
