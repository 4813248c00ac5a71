"""What trips the kill switch by itself: the table of automatic triggers, and the windows that they look through.

Everything here is bounded: a window holds at most a fixed number of items however much happens within it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable
from decimal import Decimal
from enum import Enum, auto
from math import ceil
from typing import NamedTuple

from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.decisions import Unit
from quant_trading_system.core.events import HaltLevel, HaltTrigger
from quant_trading_system.core.numbers import ONE, ZERO

_BUCKETS = 30
_MOST = 10_000


class Answer(Enum):
    """How the broker answered an order."""

    TAKEN = auto()
    REFUSED = auto()
    REFUSED_LATER = auto()  # it was taken first
    NONE = auto()  # it could not be sent, or nobody knows what became of it


class Trigger(NamedTuple):
    """One automatic trigger of the kill switch.

    Attributes:
        rule: the key of `risk_params.yaml` that holds its limit.
        goes_on_while: what must be true for trading to go on.
        level: that it sets; None for the `halt_level` of the limits.
        is_forgiven: it is counted anew from a reset on; otherwise it has to be over before. Losses count on unless the
            persons who reset accept them on record.
    """

    halt: HaltTrigger
    rule: str
    unit: Unit
    goes_on_while: str
    is_forgiven: bool = True
    level: HaltLevel | None = None


# fmt: off
TRIGGERS: tuple[Trigger, ...] = (
    Trigger(HaltTrigger.DAILY_LOSS, "max_daily_loss_pct", Unit.USD,
            "the loss since the day opened is within the limit"),
    Trigger(HaltTrigger.WEEKLY_LOSS, "max_weekly_loss_pct", Unit.USD,
            "the loss since the first trading day of the week opened is within the limit"),
    Trigger(HaltTrigger.MONTHLY_LOSS, "max_monthly_loss_pct", Unit.USD,
            "the loss since the first trading day of the month opened is within the limit"),
    Trigger(HaltTrigger.DRAWDOWN, "max_drawdown_pct", Unit.USD,
            "the loss from the highest equity so far is within the limit"),
    Trigger(HaltTrigger.RAPID_LOSS, "max_rapid_loss_pct", Unit.USD,
            "the loss from the highest equity of the last minutes is within the limit"),
    Trigger(HaltTrigger.LOSING_STREAK, "max_consecutive_losses", Unit.COUNT,
            "the losing round trips in a row are no more than the limit"),
    Trigger(HaltTrigger.SLIPPAGE, "max_slippage_bps", Unit.BASIS_POINTS,
            "the latest market orders filled, on average, within the limit of the quotes that they were judged by"),
    Trigger(HaltTrigger.REJECTION_RATE, "max_rejection_rate", Unit.RATIO,
            "of the latest orders, the broker refused no more than the limit", is_forgiven=False),
    Trigger(HaltTrigger.BROKER_ERRORS, "max_broker_errors", Unit.COUNT,
            "of the latest orders, no more than the limit could not be sent or got no answer", is_forgiven=False),
    Trigger(HaltTrigger.STRESS_LOSS, "max_stress_loss_pct", Unit.USD,
            "the worst stress scenario would cost no more than the limit",
            is_forgiven=False, level=HaltLevel.REDUCING),
    Trigger(HaltTrigger.EQUITY_DIFFERENCE, "max_equity_difference_pct", Unit.RATIO,
            "the broker's equity, twice in a row, has not differed from ours by more than the limit",
            is_forgiven=False),
    Trigger(HaltTrigger.STALE_FEED, "max_feed_silence_s", Unit.SECONDS,
            "while the exchange is open, some symbol held has had a quote within the limit", is_forgiven=False),
    Trigger(HaltTrigger.CLOCK_SKEW, "max_clock_skew_s", Unit.SECONDS,
            "no quote of the last minute bears a time ahead of our clock by more than the limit", is_forgiven=False),
    Trigger(HaltTrigger.BROKER_LOSS, "max_broker_silence_s", Unit.SECONDS,
            "the broker's order stream and its answers have not been missing for longer than the limit",
            is_forgiven=False),
)
# fmt: on
"""Every automatic trigger that compares a number with a limit, in the order in which they are judged."""

BY_RULE = {trigger.rule: trigger for trigger in TRIGGERS}
assert len(BY_RULE) == len(TRIGGERS), "a trigger has a rule of its own"
LOSSES = frozenset(TRIGGERS[:5])
"""What marks show: one bad price can break them all, and people can accept them."""
STREAK = TRIGGERS[len(LOSSES)]
"""Losing round trips in a row."""


class Measure(NamedTuple):
    """Where a trigger stands: it trips when `actual` is beyond `limit`."""

    trigger: Trigger
    actual: Decimal
    limit: Decimal

    @property
    def is_beyond(self) -> bool:
        """The limit itself is allowed."""
        return self.actual > self.limit

    def __str__(self) -> str:
        return f"{self.trigger.rule}: {self.actual:f} is beyond the limit of {self.limit:f} {self.trigger.unit}".strip()


def losses_from(limits: RiskLimits, equity: Decimal, bases: Iterable[Decimal]) -> tuple[Measure, ...]:
    """Where the losses stand, dollars; none without `bases`.

    Args:
        bases: what losses count from, in the order of `TRIGGERS`; the last ones may be missing.
    """
    return tuple(
        Measure(trigger, base - equity, getattr(limits, trigger.rule) * base)
        for trigger, base in zip(TRIGGERS, bases, strict=False)
    )


def are_known(
    worst: Iterable[Measure],
    best: Iterable[Measure],
    warn_at_share: Decimal,
    tripped: Container[str],
    warned: Container[str],
) -> bool:
    """Nothing is left to say of measures that go from the `worst` to the `best` of each, and anywhere between.

    Args:
        tripped: rules that are on record as broken; `warned`: rules of which people were warned.
    """
    for worse, better in zip(worst, best, strict=True):
        rule = worse.trigger.rule
        if worse.is_beyond and rule not in tripped:
            return False
        if worse.actual > worse.limit * warn_at_share and not better.is_beyond and rule not in warned:
            return False
    return True


class Near(NamedTuple):
    """Where warnings begin, as a quick look needs it: shares of the limits.

    Attributes:
        floors: for each loss in the order of `TRIGGERS`, the part of its base that equity has to keep.
    """

    floors: tuple[Decimal, ...]
    silence: Decimal
    skew: Decimal
    stress: Decimal
    difference: Decimal
    streak: Decimal


def near(limits: RiskLimits) -> Near:
    """The share `warn_at_share` of each limit."""
    share = limits.warn_at_share
    return Near(
        floors=tuple(ONE - getattr(limits, trigger.rule) * share for trigger in TRIGGERS[: len(LOSSES)]),
        silence=limits.max_feed_silence_s * share,
        skew=limits.max_clock_skew_s * share,
        stress=limits.max_stress_loss_pct * share,
        difference=limits.max_equity_difference_pct * share,
        streak=limits.max_consecutive_losses * share,
    )


class RecentHigh:
    """The highest of the values seen within a span, or up to a thirtieth of the span before it.

    A value counts by the thirtieth of a span that it falls into, so that only what was seen matters, and not how
    often anybody looked.

    Attributes:
        is_still: the latest value that was seen is nothing new.

    >>> high = RecentHigh(Decimal(300))
    >>> [int(high.see(at, Decimal(value))) for at, value in ((0.0, 5), (100.0, 3), (299.0, 4), (320.0, 2))]
    [5, 5, 5, 4]
    """

    def __init__(self, span_s: Decimal) -> None:
        """Look back over `span_s` seconds."""
        self.is_still = False
        self._falling: deque[tuple[int, Decimal]] = deque()
        self._width = 1.0
        self.look_back(span_s)

    def look_back(self, span_s: Decimal) -> None:
        """From now on over `span_s` seconds; values seen before count to the end of their part."""
        before, self._width = self._width, float(span_s) / _BUCKETS
        if before == self._width or not self._falling:
            return
        scale = before / self._width
        oldest = int(self._falling[-1][0] * scale) - _BUCKETS
        moved = ((ceil((slot + 1) * scale) - 1, value) for slot, value in self._falling)
        self._falling = deque((slot, value) for slot, value in moved if slot >= oldest)

    def see(self, at: float, value: Decimal) -> Decimal:
        """Take in the value at the moment `at` (seconds, never running back); the highest that still counts."""
        falling, slot = self._falling, int(at // self._width)
        if falling and falling[-1][0] == slot and value <= falling[-1][1]:
            self.is_still = True
            return falling[0][1]
        self.is_still = False
        while falling and falling[-1][1] <= value:
            falling.pop()
        if not falling or falling[-1][0] != slot:
            falling.append((slot, value))
        while falling[0][0] < slot - _BUCKETS:
            falling.popleft()
        return falling[0][1]

    @property
    def rest(self) -> tuple[float, Decimal]:
        """After `see`: until when (seconds) and up to which value seeing another one changes nothing."""
        slot, value = self._falling[-1]
        return (slot + 1) * self._width, value

    def forget(self) -> None:
        """Begin anew."""
        self._falling.clear()


class Tally:
    """How many things happened within a span, and how many of them were bad; the latest 10 000 count.

    Attributes:
        bad: how many are being counted, as of the last `counts` or `add`.
    """

    def __init__(self, span_s: Decimal) -> None:
        """Look back over `span_s` seconds."""
        self.look_back(span_s)
        self._seen: deque[tuple[float, int, int]] = deque()
        self._all = self.bad = 0

    def look_back(self, span_s: Decimal) -> None:
        """From now on over `span_s` seconds."""
        self._span = float(span_s)

    def add(self, at: float, *, bad: bool, new: bool = True) -> None:
        """Count one at the moment `at` (seconds, never running back).

        Args:
            new: False for one that was counted as good before and has turned out to be bad.
        """
        if len(self._seen) >= _MOST:
            self._drop()
        self._seen.append((at, new, bad))
        self._all += new
        self.bad += bad

    def counts(self, at: float) -> tuple[int, int]:
        """All and the bad ones among them, within the span before `at`."""
        while self._seen and at - self._seen[0][0] > self._span:
            self._drop()
        return max(self._all, self.bad), self.bad

    def _drop(self) -> None:
        _, new, bad = self._seen.popleft()
        self._all -= new
        self.bad -= bad

    def forget(self) -> None:
        """Begin anew."""
        self._seen.clear()
        self._all = self.bad = 0


class AverageCost:
    """What the latest fills cost against the prices that were expected, weighted by value."""

    def __init__(self, fills: int) -> None:
        """Look back over so many `fills`, which may be changed at any time."""
        self.fills = fills
        self._latest: deque[tuple[Decimal, Decimal]] = deque()
        self._cost = self._value = ZERO

    def add(self, cost: Decimal, value: Decimal) -> None:
        """One fill: `cost` in dollars, positive when it hurt; `value` in dollars at the expected price."""
        self._latest.append((cost, value))
        self._cost += cost
        self._value += value
        while len(self._latest) > self.fills:
            cost, value = self._latest.popleft()
            self._cost -= cost
            self._value -= value

    def is_within(self, basis_points: Decimal) -> bool:
        """The average is at most so much, or not known yet."""
        return self._cost <= ZERO or len(self._latest) < self.fills or self._cost * 10_000 <= basis_points * self._value

    def basis_points(self) -> Decimal | None:
        """The average; None before there were as many fills as it looks back over."""
        if len(self._latest) < self.fills or self._value <= 0:
            return None
        return (self._cost / self._value * 10_000).quantize(Decimal("0.0001"))

    def forget(self) -> None:
        """Begin anew."""
        self._latest.clear()
        self._cost = self._value = ZERO
