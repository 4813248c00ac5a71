"""The latest of everything: trade, quote, minute bar, day so far, and the day before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import numpy as np

from quant_trading_system.market.sessions import NEW_YORK, Calendar
from quant_trading_system.simulation.alpaca_server.history_pages import MarketHistory
from quant_trading_system.simulation.alpaca_server.live_market import Tick, moment_at
from quant_trading_system.simulation.alpaca_server.market_wire import Row, bar_rows, quote_row, tape_of, trade_row
from quant_trading_system.simulation.alpaca_server.tape import Tape
from quant_trading_system.simulation.alpaca_server.wire import exchange_of

_SESSIONS_BACK = 15


class LatestPrices:
    """What one symbol shows at one moment; None where it shows nothing."""

    def __init__(self, tape: Tape, calendar: Calendar, history: MarketHistory, symbol: str, now: int) -> None:
        """Look at `symbol` at `now`, nanoseconds since 1970."""
        self._tape = tape
        self._calendar = calendar
        self._history = history
        self._symbol = symbol
        self._now = now
        self._letter = tape_of(exchange_of(symbol))
        self._days = list(self._trading_days()) if symbol in tape.symbols else []

    @property
    def trade(self) -> Row | None:
        """The last trade."""
        tick = self._last_tick(traded=True)
        return None if tick is None else trade_row(tick, self._letter)

    @property
    def quote(self) -> Row | None:
        """The last quote."""
        tick = self._last_tick(traded=False)
        return None if tick is None else quote_row(tick, self._letter)

    @property
    def minute_bar(self) -> Row | None:
        """The last minute that is over and in which something was traded."""
        for day in self._days:
            rows = bar_rows(self._history.minutes(self._symbol, day, self._now))
            if rows:
                return rows[-1]
        return None

    @property
    def snapshot(self) -> Row | None:
        """All of it, None for a symbol without any price."""
        days = [rows[0] for day in self._days[:3] if (rows := self._day(day))]
        if self.quote is None:
            return None
        return {
            "latestTrade": self.trade,
            "latestQuote": self.quote,
            "minuteBar": self.minute_bar,
            "dailyBar": days[0] if days else None,
            "prevDailyBar": days[1] if len(days) > 1 else None,
        }

    def _day(self, day: date) -> list[Row]:
        return bar_rows(self._history.day(self._symbol, day, self._now))

    def _last_tick(self, *, traded: bool) -> Tick | None:
        for day in self._days:
            ticks = self._tape.ticks(self._symbol, day).until(self._now)
            (places,) = np.nonzero(ticks.size > 0) if traded else (np.arange(len(ticks.at)),)
            if len(places):
                return Tick(*(column[places[-1]].item() for column in ticks))
        return None

    def _trading_days(self) -> Iterator[date]:
        """Today and the sessions before it, newest first."""
        source = self._tape.paths
        today = min(moment_at(self._now).astimezone(NEW_YORK).date(), source.last_day)
        if self._calendar.session_on(today) is not None:
            yield today
        day = today
        for _ in range(_SESSIONS_BACK):
            if day <= source.first_day:
                return
            day = self._calendar.previous_session(day).date
            yield day
