"""What the market-data stream tells as time goes by: trades, quotes, bars and bands every minute, halts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from quant_trading_system.market.sessions import Session
from quant_trading_system.simulation.alpaca_server.bars import MINUTE_NS, day_bar_of, minute_bars
from quant_trading_system.simulation.alpaca_server.data_hub import DataHub, Post
from quant_trading_system.simulation.alpaca_server.live_market import LiveMarket, Tick, moment_at, ns_of
from quant_trading_system.simulation.alpaca_server.market_wire import bar_rows, quote_row, tape_of, trade_row
from quant_trading_system.simulation.alpaca_server.price_bands import band_row, price_band
from quant_trading_system.simulation.alpaca_server.price_path import Ticks
from quant_trading_system.simulation.alpaca_server.tape import PRINT_SIZE, Intervention

_HALF_MINUTE = timedelta(seconds=30)
_NASDAQ_TAPE = "C"
_HALTED = {True: ("H", "Trading Halt", "T1", "Halt - News Pending"), False: ("2", "Trading Halt", "D", "News Released")}
_RESUMED = {True: ("T", "Trading Resumption", "T3", "News and Resumption Times"), False: ("3", "Resume", "", "")}
"""Codes and words by tape: those of NASDAQ differ from the others'."""


class Broadcast:
    """Publishes one market to one hub."""

    def __init__(self, market: LiveMarket, hub: DataHub, exchanges: Mapping[str, str]) -> None:
        """Publish `market`; `exchanges` names the exchange on which each symbol is listed."""
        self._market = market
        self._hub = hub
        self._tapes = {symbol: tape_of(exchange) for symbol, exchange in exchanges.items()}
        self._corrections: dict[tuple[str, int], datetime] = {}

    def tick(self) -> None:
        """The quotes and trades of this very moment."""
        if not len(self._hub):
            return
        posts = []
        for symbol in self._market.symbols:
            tick = self._market.moved(symbol)
            if tick is None:
                continue
            tape = self._tapes[symbol]
            if self._hub.wants("quotes", symbol):
                posts.append(Post("quotes", "q", symbol, quote_row(tick, tape)))
            if tick.size and self._hub.wants("trades", symbol):
                posts.append(Post("trades", "t", symbol, trade_row(tick, tape)))
        self._publish(posts)

    def confirm(self) -> None:
        """The quotes that have not moved at this very moment, once more."""
        posts = []
        for symbol in self._market.symbols:
            tick = self._market.tick(symbol)
            if tick is not None and tick.at < self._market.now_ns and self._hub.wants("quotes", symbol):
                row = quote_row(tick._replace(at=self._market.now_ns), self._tapes[symbol])
                posts.append(Post("quotes", "q", symbol, row))
        self._publish(posts)

    def minute(self, end: datetime, session: Session) -> None:
        """The bars of the minute that ends now, those of the day so far, and the bands of the next minute."""
        if not self._hub.is_heard("bars", "dailyBars", "lulds"):
            return
        posts = []
        for symbol in self._market.symbols:
            wanted = [channel for channel in ("bars", "dailyBars", "lulds") if self._hub.wants(channel, symbol)]
            if not wanted:
                continue
            ticks = self._market.ticks_today(symbol)
            rows = _minute_rows(ticks, ns_of(end) - MINUTE_NS)
            posts += [Post("bars", "b", symbol, row) for row in rows]
            if "dailyBars" in wanted and rows:
                posts += [Post("dailyBars", "d", symbol, row) for row in bar_rows(day_bar_of(session.date, ticks))]
            if "lulds" in wanted and end < session.close:
                posts += self._band(symbol, ticks, session, ns_of(end))
        self._publish(posts)

    def _band(self, symbol: str, ticks: Ticks, session: Session, now: int) -> list[Post]:
        band = price_band(ticks, session, now)
        return [] if band is None else [Post("lulds", "l", symbol, band_row(band, self._tapes[symbol], now))]

    def late_trade(self, symbol: str, trade: Intervention, now: datetime) -> None:
        """A trade that is told late; the bar of a minute that is over is sent anew half a minute after its end."""
        tick = Tick(trade.at, trade.last, trade.bid, trade.ask, PRINT_SIZE)
        self._publish([Post("trades", "t", symbol, trade_row(tick, self._tapes[symbol]))])
        start = trade.at // MINUTE_NS * MINUTE_NS
        end = moment_at(start + MINUTE_NS)
        if end <= now:
            self._corrections[symbol, start] = max(end + _HALF_MINUTE, now)

    def next_correction(self) -> datetime | None:
        """When a bar is to be sent anew, None when none is."""
        return min(self._corrections.values(), default=None)

    def correct(self, now: datetime) -> None:
        """Send the bars that are to be sent anew by now."""
        due = [key for key, moment in self._corrections.items() if moment <= now]
        posts = []
        for symbol, start in due:
            del self._corrections[symbol, start]
            rows = _minute_rows(self._market.ticks_today(symbol), start)
            posts += [Post("updatedBars", "u", symbol, row) for row in rows]
        self._publish(posts)

    def status(self, symbol: str, now: datetime, *, halted: bool) -> None:
        """Trading of a symbol was halted or goes on."""
        tape = self._tapes[symbol]
        words = (_HALTED if halted else _RESUMED)[tape == _NASDAQ_TAPE]
        row = {**dict(zip(("sc", "sm", "rc", "rm"), words, strict=True)), "t": ns_of(now), "z": tape}
        self._publish([Post("statuses", "s", symbol, row)])

    def _publish(self, posts: list[Post]) -> None:
        if posts:
            self._hub.publish(posts)


def _minute_rows(ticks: Ticks, start: int) -> list[dict[str, object]]:
    """The bar of the minute that begins at `start`; none when nothing was traded in it."""
    return bar_rows(minute_bars(ticks.cut((ticks.at >= start) & (ticks.at < start + MINUTE_NS))))
