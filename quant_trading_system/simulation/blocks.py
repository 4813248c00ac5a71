"""Steps of a simulated market: what a step is, when it is, and the prices of many of them in a row."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from copy import copy
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import msgspec
import numpy as np
from numpy.typing import NDArray

from quant_trading_system.market.sessions import Session
from quant_trading_system.market.time_axis import Stamps

Integers = NDArray[np.int64]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class StepKind(StrEnum):
    """What a step of the market is."""

    OPEN = "open"  # the first of a session
    INTRADAY = "intraday"
    BAR_END = "bar_end"  # a bar is complete, and the session goes on
    CLOSE = "close"  # the last of a session, and the end of its last bar


_INTRADAY, _OPEN, _CLOSE, _BAR_END = StepKind.INTRADAY, StepKind.OPEN, StepKind.CLOSE, StepKind.BAR_END


class MarketStep(msgspec.Struct, frozen=True):
    """One moment at which all prices move.

    Attributes:
        number: counts the steps from 1.
        at: aware, UTC.
        session: the regular session that the step belongs to, None for intraday bars outside of one.
        bar: the bar of the history that the step lies in.
    """

    number: int
    at: datetime
    kind: StepKind
    session: Session | None
    bar: int

    @property
    def ends_bar(self) -> bool:
        """The bar is complete and may be known from now on."""
        return self.kind is _BAR_END or self.kind is _CLOSE


class SessionTimes:
    """Sessions, rising, and when they begin and end: microseconds since 1970."""

    __slots__ = ("closes", "opens", "sessions")

    def __init__(self, sessions: Sequence[Session]) -> None:
        self.sessions = sessions
        self.opens = _micros_of([one.open for one in sessions])
        self.closes = _micros_of([one.close for one in sessions])


class Times:
    """When some bars begin and end, and what each is to its session.

    Attributes:
        opens, closes: bool [bars], the bar opens or closes its session.
    """

    __slots__ = ("_ends", "_of", "_sessions", "_starts", "closes", "opens")

    def __init__(
        self, starts: Stamps, ends: Stamps, sessions: SessionTimes, goes_on: tuple[bool, bool] = (False, False)
    ) -> None:
        """Find the session of each bar among `sessions`; there is at least one.

        Args:
            goes_on: the first bar goes on with the session of the bar before, and the last is followed by another
                one of its session.
        """
        self._starts, self._ends, self._sessions = _micros(starts), _micros(ends), sessions.sessions
        place = np.searchsorted(sessions.opens, self._starts, side="right") - 1
        self._of = np.where((place >= 0) & (self._starts < sessions.closes[place]), place, -1)
        changes = self._of[1:] != self._of[:-1]
        inside = self._of >= 0
        self.opens = inside & np.concatenate(([not goes_on[0]], changes))
        self.closes = inside & np.concatenate((changes, [not goes_on[1]]))

    def start(self, bar: int) -> datetime:
        """Aware, UTC."""
        return _EPOCH + timedelta(0, 0, self._starts.item(bar))

    def end(self, bar: int) -> datetime:
        """Aware, UTC."""
        return _EPOCH + timedelta(0, 0, self._ends.item(bar))

    def steps(self, rows: int) -> Integers:
        """So many moments in each bar, from its start to its end, evenly spaced: microseconds since 1970."""
        lengths = (self._ends - self._starts)[:, np.newaxis] * np.arange(rows)
        whole, rest = np.divmod(lengths, rows - 1)
        whole += rest * 2 + whole % 2 > rows - 1  # half a microsecond goes to the even one
        moments: Integers = (self._starts[:, np.newaxis] + whole).ravel()
        return moments

    def session(self, bar: int) -> Session | None:
        """The regular session in which it begins, None outside of one."""
        place = self._of.item(bar)
        return None if place < 0 else self._sessions[place]


class Block:
    """Some bars in a row: the prices of N symbols at their K steps.

    Attributes:
        first_bar: the bar of the history that it begins with; `rows`: steps in each bar; `times`: of the bars.
        before: how many steps there were before it.
        last, bid, ask: micro-dollars; `volume`: shares until the next step; int64 [K, N].
        edges: the steps that open or close a session, rising.
    """

    __slots__ = ("_micros", "_moments", "ask", "before", "bid", "edges", "first_bar", "last", "rows", "times", "volume")

    def __init__(
        self, first_bar: int, before: int, times: Times, prices: tuple[Integers, Integers, Integers, Integers]
    ) -> None:
        """Join bars with their prices: last, bid, ask and volume, each [bars, rows, N]."""
        self.first_bar = first_bar
        self.before = before
        self.times = times
        self.rows: int = prices[0].shape[1]
        self.last, self.bid, self.ask, self.volume = (side.reshape(-1, side.shape[-1]) for side in prices)
        opening = np.flatnonzero(times.opens) * self.rows
        closing = (np.flatnonzero(times.closes) + 1) * self.rows - 1
        self.edges: list[int] = np.sort(np.concatenate((opening, closing))).tolist()
        self._micros: Integers | None = None
        self._moments: dict[int, datetime] = {}

    def __len__(self) -> int:
        return len(self.last)

    def at(self, row: int) -> datetime:
        """When that step is; the steps of a bar are evenly spaced from its start to its end."""
        moment = self._moments.get(row)
        if moment is None:
            if self._micros is None:
                self._micros = self.times.steps(self.rows)
            moment = self._moments[row] = _EPOCH + timedelta(0, 0, self._micros.item(row))
        return moment

    def step(self, row: int) -> MarketStep:
        """That step."""
        bar, place = divmod(row, self.rows)
        times, kind = self.times, _INTRADAY
        if place == self.rows - 1:
            kind = _CLOSE if times.closes[bar] else _BAR_END
        elif not place and times.opens[bar]:
            kind = _OPEN
        return MarketStep(self.before + row + 1, self.at(row), kind, times.session(bar), self.first_bar + bar)

    def with_prices(self, begin: int, last: Integers, bid: Integers, ask: Integers) -> Block:
        """The same steps with other prices from step `begin` on, each [steps, N]; nothing is known of the others."""
        other = copy(self)
        end = begin + len(last)
        other.last, other.bid, other.ask = (np.zeros_like(self.last) for _ in range(3))
        other.last[begin:end], other.bid[begin:end], other.ask[begin:end] = last, bid, ask
        return other

    def closes_at(self, row: int) -> bool:
        """That step is the last one of a session; not so behind the end of the block."""
        bar, place = divmod(row, self.rows)
        return row < len(self) and place == self.rows - 1 and bool(self.times.closes[bar])

    def next_edge(self, row: int) -> int:
        """The first step after `row` that opens or closes a session; the number of steps when there is none."""
        place = bisect_right(self.edges, row)
        return self.edges[place] if place < len(self.edges) else len(self)


def _micros(stamps: Stamps) -> Integers:
    """Microseconds since 1970."""
    return stamps.astype("datetime64[us]").astype(np.int64)


def _micros_of(moments: list[datetime]) -> Integers:
    return np.array([(moment - _EPOCH) // _MICROSECOND for moment in moments], dtype=np.int64)
