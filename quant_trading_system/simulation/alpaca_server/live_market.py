"""The market at this moment: what the tape has shown until now, as quotes for the venue and for the streams."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quant_trading_system.core.exceptions import MarketDataError
from quant_trading_system.market.history import dollars
from quant_trading_system.market.quotes import Quote
from quant_trading_system.market.sessions import NEW_YORK, Calendar
from quant_trading_system.simulation.alpaca_server.bars import MINUTE_NS
from quant_trading_system.simulation.alpaca_server.price_path import Ticks
from quant_trading_system.simulation.alpaca_server.tape import Tape
from quant_trading_system.simulation.paths import quoted_size
from quant_trading_system.simulation.trading_hours import extended_since

SOURCE = "venue"
"""The source that every quote of this market names."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ONE_DAY = timedelta(days=1)
_LONGEST_SILENCE = 15
"""Sessions back in which a price is looked for."""


class Tick(NamedTuple):
    """One price of one symbol; micro-dollars, shares, and nanoseconds since 1970."""

    at: int
    last: int
    bid: int
    ask: int
    size: int


class LiveMarket:
    """The present prices, as `Market` of the venues; time moves by `move_to` only."""

    def __init__(self, tape: Tape, calendar: Calendar, now: datetime) -> None:
        self.tape = tape
        self._calendar = calendar
        self._now = ns_of(now)
        self._day = now.astimezone(NEW_YORK).date()
        self._today: dict[str, Ticks] = {}
        self._times: NDArray[np.int64] | None = None
        self._next: int | None = None
        self._known_next = False
        self._latest: dict[str, Tick | None] = {}
        self._quotes: dict[str, Quote] = {}

    @property
    def symbols(self) -> tuple[str, ...]:
        """Everything that has prices."""
        return self.tape.symbols

    @property
    def today(self) -> date:
        """The date in New York."""
        return self._day

    @property
    def now_ns(self) -> int:
        """Nanoseconds since 1970."""
        return self._now

    def move_to(self, moment: datetime) -> None:
        """Show the prices of this moment from now on."""
        day, due = moment.astimezone(NEW_YORK).date(), self._next_ns
        self._now = ns_of(moment)
        if day != self._day:
            self._day = day
            self._today.clear()
            self._times = None
        if self._times is None or (due is not None and due <= self._now):
            self._latest.clear()
            self._known_next = False
        self._quotes.clear()

    def refresh(self, symbol: str) -> None:
        """The tape of the symbol was changed."""
        self.reprice(symbol)
        self._times = None
        self._known_next = False

    def reprice(self, symbol: str) -> None:
        """The prices of the symbol were changed, not their times."""
        self._today.pop(symbol, None)
        self._latest.pop(symbol, None)
        self._quotes.pop(symbol, None)

    def next_tick(self) -> datetime | None:
        """When the next price of this New York day comes, None when there is no more."""
        due = self._next_ns
        return None if due is None else moment_at(due)

    @property
    def _next_ns(self) -> int | None:
        if self._times is None:
            columns = [self._ticks_today(symbol).at for symbol in self.symbols]
            others = [at for before, at in pairwise(columns) if not np.array_equal(before, at)]  # most are the same
            self._times = np.unique(np.concatenate([*columns[:1], *others]))
            self._known_next = False
        if not self._known_next:
            place = int(np.searchsorted(self._times, self._now, "right"))
            self._next = self._times[place].item() if place < len(self._times) else None
            self._known_next = True
        return self._next

    def tick(self, symbol: str) -> Tick | None:
        """The latest price, None before the first or for an unknown symbol."""
        if symbol not in self._latest:
            self._latest[symbol] = self._found(symbol) if symbol in self.symbols else None
        return self._latest[symbol]

    def moved(self, symbol: str) -> Tick | None:
        """The price that came at this very moment, if one did."""
        tick = self.tick(symbol)
        return tick if tick is not None and tick.at == self._now else None

    def quote(self, symbol: str) -> Quote | None:
        """The present quote, None before the first."""
        known = self._quotes.get(symbol)
        if known is None:
            tick = self.tick(symbol)
            if tick is None:
                return None
            known = self._quotes[symbol] = _quote(symbol, tick, self._stands_since(tick))
        return known

    def last_price(self, symbol: str) -> Decimal:
        """Dollars a share of the last trade.

        Raises:
            MarketDataError: there was none yet.
        """
        tick = self.tick(symbol)
        if tick is None:
            raise MarketDataError(f"{symbol} has had no price yet")
        return dollars(tick.last)

    def volume(self, symbol: str) -> Decimal | None:
        """Shares that trade until the next price, None when unknown, and around the session, where nothing trades."""
        tick = self.tick(symbol)
        return None if tick is None or self._stands(tick) else Decimal(tick.size)

    def previous_close(self, symbol: str) -> Decimal | None:
        """Dollars a share at the end of the session before today's, None when there was none."""
        tick = self._last_before(symbol, self._day)
        return None if tick is None else dollars(tick.last)

    def ticks_today(self, symbol: str) -> Ticks:
        """The prices of this New York day until now."""
        return self._ticks_today(symbol).until(self._now)

    def _stands_since(self, tick: Tick) -> datetime:
        """The time of a quote; around the session the last one stands, confirmed at every moment."""
        return moment_at(self._now if self._stands(tick) else tick.at)

    def _stands(self, tick: Tick) -> bool:
        """It is the last price of a session, and the hours around it are on."""
        return self._now - tick.at > MINUTE_NS and extended_since(self._calendar, moment_at(self._now)) is not None

    def _ticks_today(self, symbol: str) -> Ticks:
        if symbol not in self._today:
            self._today[symbol] = self.tape.ticks(symbol, self._day)
        return self._today[symbol]

    def _found(self, symbol: str) -> Tick | None:
        today = self._ticks_today(symbol)
        place = int(np.searchsorted(today.at, self._now, "right"))
        return _row(today, place - 1) if place else self._last_before(symbol, self._day)

    def _last_before(self, symbol: str, day: date) -> Tick | None:
        for _ in range(_LONGEST_SILENCE):
            try:
                day = self._calendar.previous_session(day).date
            except MarketDataError:  # the calendar begins here
                return None
            ticks = self.tape.ticks(symbol, day)
            if len(ticks.at):
                return _row(ticks, -1)
        return None


def ns_of(moment: datetime) -> int:
    """An aware moment as nanoseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND * 1_000


def moment_at(nanoseconds: int) -> datetime:
    """Nanoseconds since 1970 as a moment, to the microsecond, UTC."""
    return _EPOCH + nanoseconds // 1_000 * _MICROSECOND


def _row(ticks: Ticks, place: int) -> Tick:
    return Tick(*(column[place].item() for column in ticks))


def _quote(symbol: str, tick: Tick, at: datetime) -> Quote:
    return Quote(
        symbol=symbol,
        bid=dollars(tick.bid),
        ask=dollars(tick.ask),
        at=at,
        received_at=at,
        last=dollars(tick.last),
        bid_size=Decimal(quoted_size(tick.bid)),
        ask_size=Decimal(quoted_size(tick.ask)),
        source=SOURCE,
    )
