"""How the volume of a day is spread over it: learned from bars, and corrected while the day goes on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from math import lcm
from operator import mul

import msgspec
import numpy as np

from quant_trading_system.core.exceptions import InvalidNumber, MarketDataError
from quant_trading_system.core.numbers import ONE
from quant_trading_system.execution.algo.slicing import Weight, integer_weights
from quant_trading_system.market.history import Integers, PriceHistory
from quant_trading_system.market.history_view import HistoryView
from quant_trading_system.market.sessions import NEW_YORK, Calendar, Session
from quant_trading_system.market.time_axis import Stamps, moment_of, stamp_of


class VolumeProfile(msgspec.Struct, frozen=True):
    """The expected fraction of a day's volume in each of n equal parts of the session.

    Attributes:
        fractions: n of them, not negative, summing to one exactly.
        days: how many days they were learned from.

    Raises:
        MarketDataError: no part, a negative one, all of them zero, or a sum other than one.
    """

    fractions: tuple[Fraction, ...]
    days: int = 0

    def __post_init__(self) -> None:
        if not self.fractions:
            raise MarketDataError("a volume profile needs at least one part of the day")
        if any(part < 0 for part in self.fractions):
            raise MarketDataError("a volume profile must not be negative anywhere")
        if sum(self.fractions) != 1:
            raise MarketDataError(f"the fractions of a volume profile sum to {sum(self.fractions)}; they must sum to 1")

    @classmethod
    def of(cls, weights: Sequence[Weight], days: int = 0) -> VolumeProfile:
        """A profile in proportion to `weights`.

        Raises:
            MarketDataError: no weight, a negative one, or nothing but zeros.
        """
        try:
            parts = integer_weights(weights)
        except InvalidNumber as error:
            raise MarketDataError(f"volume profile: {error}") from None
        total = sum(parts)
        return cls(tuple(Fraction(part, total) for part in parts), days)

    def between(self, session: Session, start: datetime, end: datetime, slices: int) -> tuple[Fraction, ...]:
        """Fractions of the day's volume in `slices` equal parts of a span, volume evenly spread within a part.

        Args:
            session: the profile is stretched over it, also when it is a half day.
            start, end: within the session.
            slices: at least 1.

        Raises:
            MarketDataError: the span leaves the session, is empty, or has no volume at all.
        """
        if not session.open <= start < end <= session.close or slices < 1:
            raise MarketDataError(
                f"{start.isoformat()} to {end.isoformat()} in {slices} slices must lie within the session "
                f"{session.open.isoformat()} to {session.close.isoformat()}"
            )
        whole, ahead, span = ((b - a) // _TICK for a, b in (
            (session.open, session.close), (session.open, start), (start, end)
        ))  # fmt: skip
        edges = [Fraction(ahead * slices + span * i, whole * slices) for i in range(slices + 1)]
        parts = tuple(b - a for a, b in pairwise(map(self.traded_by, edges)))
        if not any(parts):
            raise MarketDataError(f"the volume profile has no volume from {start.isoformat()} to {end.isoformat()}")
        return parts

    def traded_by(self, share: Fraction) -> Fraction:
        """The fraction of the day's volume that has traded after `share` (0 to 1) of the session."""
        place = share * len(self.fractions)
        full = int(place)
        done = sum(self.fractions[:full], Fraction(0))
        return done + (self.fractions[full] * (place - full) if full < len(self.fractions) else 0)


_TICK = timedelta(microseconds=1)


def learn_profile(volumes_by_day: Sequence[Sequence[Weight]]) -> VolumeProfile:
    """The mean of the daily fractions, the profile whose schedule tracks the day's VWAP best.

    Days without volume (holidays, halts) are left out. The ratio of the sums, which this is not, would let busy
    days dominate. Source: Konishi (2002), Optimal slice of a VWAP trade.

    Args:
        volumes_by_day: shares, one row a day, all rows of one length.

    Raises:
        MarketDataError: no day with volume, rows of different length, or a negative volume.
    """
    if len({len(day) for day in volumes_by_day}) > 1:
        raise MarketDataError("every day of a volume profile needs the same number of parts")
    try:
        days = [integer_weights(day) for day in volumes_by_day if any(volume != 0 for volume in day)]
    except InvalidNumber as error:
        raise MarketDataError(f"volume profile: {error}") from None
    if not days:
        raise MarketDataError("no day has any volume; a volume profile cannot be learned")
    totals = [sum(day) for day in days]
    common = lcm(*totals)  # so that all that is added up is whole
    factors = [common // total for total in totals]
    sums = [sum(map(mul, column, factors)) for column in zip(*days, strict=True)]
    rounded = [round(Fraction(part * 10**12, common * len(days))) for part in sums]  # keeps the integers short
    return VolumeProfile.of(rounded, len(days))


def profile_from_bars(history: PriceHistory, symbol: str, calendar: Calendar, parts: int = 78) -> VolumeProfile:
    """The profile of a symbol from intraday bars; the volume of a bar is spread evenly over the time that it covers.

    Half days are left out, because their shape differs.

    Args:
        history: intraday bars with volumes.
        parts: of a session; 78 are five minutes each.

    Raises:
        MarketDataError: daily bars, no volumes, or no full day among them.
    """
    if history.is_daily or history.volume is None:
        raise MarketDataError("an intraday volume profile needs intraday bars with volumes")
    column = history.column_of(symbol)
    axis, volume = history.axis, history.volume
    rows = history.present[:, column].nonzero()[0]
    return _learn((axis.starts[rows], axis.ends[rows], volume[rows, column]), calendar, parts)


def recent_profile(
    view: HistoryView, symbol: str, calendar: Calendar, sessions: int = 20, parts: int = 78
) -> VolumeProfile | None:
    """The profile of the `sessions` sessions before the current one, as `profile_from_bars`; it sees nothing later.

    None with daily bars, and where fewer than `FEWEST_DAYS` full days with volume are known.
    """
    if symbol not in view.symbols:
        return None
    try:
        learned = _learn(view.earlier_volumes(symbol, sessions), calendar, parts)
    except MarketDataError:  # no day with volume: nothing is known, which is an answer
        return None
    return learned if learned.days >= FEWEST_DAYS else None


FEWEST_DAYS = 5
"""Of a profile that is believed more than the usual one."""


def _learn(bars: tuple[Stamps, Stamps, Integers], calendar: Calendar, parts: int) -> VolumeProfile:
    """From the starts, ends and volumes of bars, in order; those outside of full sessions are left out."""
    starts, ends, volumes = bars
    if not len(starts):
        return learn_profile([])
    first, last = (moment_of(starts[place]).astimezone(NEW_YORK).date() for place in (0, -1))
    days: list[list[int | Fraction]] = []
    for session in calendar.sessions_between(first, last):
        inside = slice(*np.searchsorted(starts, [stamp_of(session.open), stamp_of(session.close)]).tolist())
        known = volumes[inside] >= 0
        if not session.is_half_day and known.any():
            opened, length = stamp_of(session.open), (session.close - session.open) // _TICK
            spans = [
                (edge[inside][known] - opened).astype("timedelta64[us]").astype(np.int64) for edge in (starts, ends)
            ]
            days.append(_parts_of(spans[0], np.minimum(spans[1], length), volumes[inside][known], length, parts))
    return learn_profile(days)


def _parts_of(begins: Integers, ends: Integers, volumes: Integers, length: int, parts: int) -> list[int | Fraction]:
    """What traded in each of the equal parts of a session, exactly.

    Args:
        begins, ends: of the bars; `length`: of the session; microseconds since its opening.
    """
    first, last = begins * parts // length, -(-ends * parts // length)
    whole = np.zeros(parts, dtype=np.int64)
    within = last - first == 1  # the whole bar lies in one part
    np.add.at(whole, first[within], volumes[within])
    day = [Fraction(shares) for shares in whole.tolist()]
    for begin, end, volume in zip(*(of[~within].tolist() for of in (begins, ends, volumes)), strict=True):
        for part in range(begin * parts // length, -(-end * parts // length)):
            inside = min(end * parts, (part + 1) * length) - max(begin * parts, part * length)
            day[part] += Fraction(volume * inside, (end - begin) * parts)
    return [shares.numerator if shares.denominator == 1 else shares for shares in day]


class VolumeForecast(msgspec.Struct, frozen=True, kw_only=True):
    """How the rest of the day is expected to trade, given what has traded so far.

    The day's level is gamma distributed around one with the weight of `prior` (a fraction of a day); what was
    observed moves it, and the surprise fades by `persistence` from slice to slice, so that a burst of volume
    raises the next slices and hardly the last ones. Source: conjugate gamma-Poisson update; the fading follows
    the autoregressive part of Bialkowski, Darolles and Le Fol (2008).

    Attributes:
        expected: shares per slice over the whole plan.
        prior: above 0; the larger, the slower it learns.
        persistence: from 0 (forget at once) to 1 (the whole rest of the day is scaled).

    Raises:
        MarketDataError: nothing is expected, or a parameter is out of range.
    """

    expected: tuple[Decimal, ...]
    prior: Decimal = Decimal("0.1")
    persistence: Decimal = Decimal("0.8")

    def __post_init__(self) -> None:
        VolumeProfile.of(self.expected)
        if not (self.prior > 0 and 0 <= self.persistence <= ONE):
            raise MarketDataError(f"prior {self.prior} must be above 0, persistence {self.persistence} within 0 to 1")

    def level(self, number: int, observed: Decimal) -> Decimal:
        """Volume relative to expectation, after slices 0 to `number` - 1 traded `observed` shares in the market."""
        prior = self.prior * sum(self.expected)
        return (prior + observed) / (prior + sum(self.expected[:number]))

    def tilts(self, number: int, observed: Decimal) -> tuple[int, ...]:
        """What to multiply the expected volumes of the slices from `number` on with, in millionths."""
        surprise = int((self.level(number, observed) - ONE) * _MILLION)
        above, below = self.persistence.as_integer_ratio()
        factors = []
        for _ in self.expected[number:]:
            surprise = surprise * above // below
            factors.append(_MILLION + surprise)
        return tuple(factors)

    def remaining(self, number: int, observed: Decimal) -> tuple[Decimal, ...]:
        """Shares that the market is expected to trade in the slices from `number` on."""
        tilts = self.tilts(number, observed)
        return tuple(v * tilt / _MILLION for v, tilt in zip(self.expected[number:], tilts, strict=True))


_MILLION = 1_000_000
