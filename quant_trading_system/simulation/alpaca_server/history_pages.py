"""Pages of history: bars, trades and quotes of several symbols, by symbol and then by time.

A page ends when its limit is reached. The token of the next page names the last row that was given, so that
pages fit together although the present moves on between them.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np

from quant_trading_system.market.sessions import NEW_YORK, Calendar, Session
from quant_trading_system.simulation.admission import MALFORMED, VenueRefusal
from quant_trading_system.simulation.alpaca_server.auctions import auctions_row
from quant_trading_system.simulation.alpaca_server.bars import (
    MINUTE_NS,
    Bars,
    Timeframe,
    calendar_bars,
    day_bar,
    day_bar_of,
    intraday_bars,
    joined,
    midnight_ns,
    minute_bars,
    no_bars,
)
from quant_trading_system.simulation.alpaca_server.live_market import moment_at
from quant_trading_system.simulation.alpaca_server.market_wire import Row, bar_rows, quote_rows, tape_of, trade_rows
from quant_trading_system.simulation.alpaca_server.tape import Tape

_ONE_DAY = timedelta(days=1)
_DAYS_AT_ONCE = 366
"""Days from which bars of a day or longer are made in one go."""


class Span(NamedTuple):
    """What a reader wants: from `start` to `end`, both included, nanoseconds since 1970."""

    start: int
    end: int
    descending: bool = False


class Page(NamedTuple):
    """Rows by symbol in the order of the request, and the token of the page after it, None at the end."""

    rows: dict[str, list[Row]]
    next_token: str | None


class MarketHistory:
    """Reads the tape up to now."""

    def __init__(self, tape: Tape, calendar: Calendar, exchanges: dict[str, str]) -> None:
        """Read from `tape`; `exchanges` names the exchange on which each symbol is listed."""
        self._tape = tape
        self._calendar = calendar
        self._exchanges = exchanges
        self._tapes = {symbol: tape_of(exchange) for symbol, exchange in exchanges.items()}
        self._minutes: dict[tuple[str, date], Bars] = {}

    def trades(self, symbol: str, span: Span, now: int) -> Iterator[list[Row]]:
        """Trades day by day."""
        return self._ticks(symbol, span, now, trade_rows)

    def quotes(self, symbol: str, span: Span, now: int) -> Iterator[list[Row]]:
        """Quotes day by day."""
        return self._ticks(symbol, span, now, quote_rows)

    def bars(self, symbol: str, timeframe: Timeframe, span: Span, now: int) -> Iterator[list[Row]]:
        """Bars in stretches: of minutes that are over, and of the days that began."""
        if timeframe.is_intraday:
            stretches: Iterable[Bars] = (
                intraday_bars(self.minutes(symbol, day, now), day, timeframe) for day in self._days(span, now)
            )
        else:
            stretches = self._long_bars(symbol, timeframe, span, now)
        for bars in stretches:
            inside = bars.cut((bars.at >= span.start) & (bars.at <= span.end))
            if len(inside.at):
                yield _ordered(bar_rows(inside), span)

    def auctions(self, symbol: str, span: Span, now: int) -> Iterator[list[Row]]:
        """The auctions of one day after the other; a day belongs to the span when its midnight does."""
        for session in self._sessions(span, now):
            row = auctions_row(session, self._tape.ticks(symbol, session.date), self._exchanges.get(symbol, ""), now)
            if row is not None and span.start <= row["t"] <= span.end:
                yield [row]

    def minutes(self, symbol: str, day: date, now: int) -> Bars:
        """The finished minutes of a day."""
        key = (symbol, day)
        if key in self._minutes and not self._tape.is_altered(symbol, day):
            return self._minutes[key]
        bars = minute_bars(self._tape.ticks(symbol, day).until(now))
        if midnight_ns(day + _ONE_DAY) <= now:
            self._keep(key, bars)
        return bars.cut(bars.at + MINUTE_NS <= now)

    def day(self, symbol: str, day: date, now: int) -> Bars:
        """The bar of a day so far: one, or none when nothing has traded."""
        if midnight_ns(day + _ONE_DAY) <= now and not self._tape.is_altered(symbol, day):
            whole = self._tape.paths.summary(symbol, day)
            return no_bars() if whole is None else day_bar(day, whole)
        return day_bar_of(day, self._tape.ticks(symbol, day).until(now))

    def _long_bars(self, symbol: str, timeframe: Timeframe, span: Span, now: int) -> Iterator[Bars]:
        """Bars of a day or more; a bar belongs to the span when its beginning does."""
        wider = span._replace(end=span.end + (0 if timeframe.unit == "Day" else _DAYS_AT_ONCE * 24 * 60 * MINUTE_NS))
        days = list(self._days(wider, now))
        if span.descending:
            days.reverse()
        found = [(day, self.day(symbol, day, now)) for day in days]
        dates = [day for day, bars in found if len(bars.at)]
        yield calendar_bars(joined([bars for _, bars in found if len(bars.at)]), dates, timeframe)

    def _ticks(self, symbol: str, span: Span, now: int, rows: Callable[..., list[Row]]) -> Iterator[list[Row]]:
        tape = self._tapes.get(symbol, tape_of(""))
        for day in self._days(span, now):
            ticks = self._tape.ticks(symbol, day)
            first = int(np.searchsorted(ticks.at, span.start, "left"))
            last = int(np.searchsorted(ticks.at, min(span.end, now), "right"))
            for part in _parts(first, last, descending=span.descending):
                yield _ordered(rows(ticks.cut(part), tape), span)

    def _days(self, span: Span, now: int) -> Iterator[date]:
        """The trading days that the span touches, in its order."""
        return (session.date for session in self._sessions(span, now))

    def _sessions(self, span: Span, now: int) -> Iterator[Session]:
        source = self._tape.paths
        first = max(_day_of(span.start), source.first_day)
        last = min(_day_of(min(span.end, now)), source.last_day)
        sessions = self._calendar.sessions_between(first, last) if first <= last else ()
        return reversed(sessions) if span.descending else iter(sessions)

    def _keep(self, key: tuple[str, date], bars: Bars) -> None:
        if len(self._minutes) >= _KEPT_DAYS:
            del self._minutes[next(iter(self._minutes))]
        self._minutes[key] = bars


_KEPT_DAYS = 1_000
"""Days of minute bars that are remembered, 25 kilobytes each."""

_HANDY = 1_000

Reader = Callable[[str, Span], Iterator[list[Row]]]


def read_page(symbols: Sequence[str], read: Reader, span: Span, limit: int, token: str | None, kind: str) -> Page:
    """Collect one page.

    Args:
        read: the rows of a symbol in the order of the span, in stretches.
        limit: most rows of all symbols together.
        token: of an earlier page; `kind`: what it must have been given for, such as ``trades`` or ``1Min``.

    Raises:
        VenueRefusal: the token is none of ours.
    """
    rows: dict[str, list[Row]] = {}
    left = limit
    symbols, after = (symbols, None) if not token else _resume(symbols, token, kind)
    for place, symbol in enumerate(symbols):
        wanted = span if place or after is None else _beyond(span, after)
        for stretch in read(symbol, wanted):
            if not left:  # there is more
                return Page(rows, _token(symbols, rows, kind))
            rows.setdefault(symbol, []).extend(stretch[:left])
            if len(stretch) > left:
                return Page(rows, _token(symbols, rows, kind))
            left -= len(stretch)
    return Page(rows, None)


def _token(symbols: Sequence[str], rows: dict[str, list[Row]], kind: str) -> str:
    symbol = next(reversed(rows))
    assert symbol in symbols
    return base64.b64encode(f"{symbol}|{kind}|{rows[symbol][-1]['t']}".encode()).decode()


def _resume(symbols: Sequence[str], token: str, kind: str) -> tuple[Sequence[str], int]:
    """The symbols that are left, and the time of the last row of the first of them."""
    try:
        symbol, meant_for, at = base64.b64decode(token, validate=True).decode().split("|")
        if meant_for == kind and len(at) <= 20:
            return symbols[symbols.index(symbol) :], int(at)
    except (binascii.Error, ValueError):
        pass
    raise VenueRefusal(MALFORMED, 400, "invalid page_token")


def _beyond(span: Span, at: int) -> Span:
    return span._replace(end=at - 1) if span.descending else span._replace(start=at + 1)


def _parts(first: int, last: int, *, descending: bool) -> Iterator[slice]:
    """A stretch in handy parts, so that short pages are not made from whole days."""
    edges = range(first, last, _HANDY)
    for begin in reversed(edges) if descending else edges:
        yield slice(begin, min(begin + _HANDY, last))


def _ordered(rows: list[Row], span: Span) -> list[Row]:
    return rows[::-1] if span.descending else rows


def _day_of(moment_ns: int) -> date:
    return moment_at(moment_ns).astimezone(NEW_YORK).date()
