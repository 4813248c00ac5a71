"""Bars for strategies while they happen: asks the broker's history when a bar has ended, and keeps the past."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import numpy as np

from quant_trading_system.core.clock import Clock
from quant_trading_system.core.exceptions import MarketDataError
from quant_trading_system.market.growing_history import GrowingHistory
from quant_trading_system.market.history import Floats, PriceHistory
from quant_trading_system.market.history_view import HistoryView
from quant_trading_system.market.sessions import Calendar
from quant_trading_system.market.time_axis import moment_of

Fetch = Callable[[datetime], Awaitable[PriceHistory]]
"""All bars from a moment on, finished ones and perhaps the one in progress."""

PATIENCE_S = 5.0
"""Seconds to wait before asking again for a bar that the broker does not have yet."""
_ABSENT = -1


class LiveBars:
    """The history of an account's symbols, growing bar by bar."""

    def __init__(
        self,
        symbols: tuple[str, ...],
        fetch: Fetch,
        calendar: Calendar,
        clock: Clock,
        *,
        span: timedelta | None,
        lookback: timedelta,
        settle: timedelta = timedelta(seconds=2),
    ) -> None:
        """Prepare to ask.

        Args:
            symbols: what is traded; the columns of `recent_returns`.
            span: length of intraday bars; None for daily ones.
            lookback: how much past to load.
            settle: time that the broker takes to finish a bar after its end.
        """
        self._symbols = symbols
        self._fetch = fetch
        self._calendar = calendar
        self._clock = clock
        self._span = span
        self._lookback = lookback
        self._settle = settle
        self._past: GrowingHistory | None = None
        self._delivered: datetime | None = None
        self._asked: float | None = None

    async def load(self) -> None:
        """Load the past; the bars in it count as delivered.

        Raises:
            MarketDataError: there is no finished bar at all.
            OutcomeUnknown: the broker gave no answer.
        """
        now = self._clock.now()
        history = await self._finished_since(now - self._lookback, now)
        if history is None:
            raise MarketDataError("the broker knows no finished bar of these symbols; are they spelt right?")
        self._past = GrowingHistory(history)
        self._delivered = history.time_at(len(history) - 1)

    async def finished(self) -> HistoryView | None:
        """The history up to a bar that has ended since the last call, None while there is none."""
        now = self._clock.now()
        due = self._latest_end(now - self._settle)
        if self._delivered is not None and due <= self._delivered:
            return None
        asked = self._clock.monotonic()
        if self._asked is not None and asked - self._asked < PATIENCE_S:
            return None
        self._asked = asked
        past = await self._grown(now, due)
        if past is None:
            return None
        self._past, self._asked = past, None
        history = past.history
        self._delivered = history.time_at(len(history) - 1)
        return HistoryView(history, len(history) - 1)

    async def _grown(self, now: datetime, due: datetime) -> GrowingHistory | None:
        """The past and what has ended since, None while the bar that is due is missing.

        Only what is new is asked for, with the last known bar; when that has changed, the past was revised and is
        asked for again as a whole.
        """
        past, begin = self._past, now - self._lookback
        tail = await self._finished_since(begin if past is None else _begin_of_last(past.history), now)
        if tail is None or tail.time_at(len(tail) - 1) < due:
            return None
        if past is not None and past.add(tail, begin):
            return past
        whole = await self._finished_since(begin, now)
        return None if whole is None else GrowingHistory(whole)

    async def _finished_since(self, start: datetime, now: datetime) -> PriceHistory | None:
        return self._finished_part(await self._fetch(start), now)

    def recent_returns(self, bars: int) -> Floats:
        """The last `bars` returns of finished bars or fewer, [bars, symbols], symbols in the order that was asked for.

        A symbol that the broker has no bar of is a column of NaN.

        Raises:
            MarketDataError: no bars were loaded yet.
        """
        last = len(self._known_past) - 1
        return self._in_order(self._recent(last - bars).returns())

    def recent_returns_within_days(self, bars: int) -> Floats:
        """As `recent_returns`, but the last that do not span a night."""
        within = self._known_past.within_day
        recent = self._recent(int(within[-bars]) if len(within) > bars else 0)
        return self._in_order(recent.returns_within_days(bars, len(recent)))

    @property
    def _known_past(self) -> PriceHistory:
        if self._past is None:
            raise MarketDataError("no bars were loaded yet")
        return self._past.history

    def _recent(self, first: int) -> PriceHistory:
        """The finished bars from that one on: returns are made of these alone, not of the whole past."""
        history = self._known_past
        return history.between(history.time_at(max(first, 0)), history.time_at(len(history) - 1))

    def _in_order(self, returns: Floats) -> Floats:
        """With a column for every symbol that was asked for."""
        known = {symbol: column for column, symbol in enumerate(self._known_past.symbols)}
        columns = np.array([known.get(symbol, _ABSENT) for symbol in self._symbols])
        returns = returns.take(columns, axis=1)
        returns[:, columns == _ABSENT] = np.nan
        return returns

    def _latest_end(self, moment: datetime) -> datetime:
        """When the latest bar that is over by `moment` ended."""
        if self._span is None:
            return self._calendar.last_close(moment)
        session = self._calendar.session_at(moment)
        if session is None:
            return self._calendar.last_close(moment)
        bars = (moment - session.open) // self._span
        return session.open + bars * self._span if bars else self._calendar.last_close(session.open)

    def _finished_part(self, history: PriceHistory, now: datetime) -> PriceHistory | None:
        """Without bars that are still in progress."""
        count = len(history)
        while count and history.time_at(count - 1) > now:
            count -= 1
        return history.between(history.time_at(0), history.time_at(count - 1)) if count else None


def _begin_of_last(history: PriceHistory) -> datetime:
    """Not later than the stamp of its last bar; brokers stamp daily bars with the midnight before the open."""
    start = moment_of(history.axis.starts[-1])
    return start - timedelta(days=1) if history.is_daily else start
