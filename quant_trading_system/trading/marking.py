"""What positions are worth now, and what the quotes of them say about feed and clock."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.clock import Clock
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.core.positions import Position
from quant_trading_system.market.quotes import Quote, QuoteSource
from quant_trading_system.market.sessions import Calendar
from quant_trading_system.risk.marks import mark_of
from quant_trading_system.risk.monitor import RiskMonitor
from quant_trading_system.risk.portfolio import Portfolio

_NO_TIME, _MILLISECOND, _SECOND = timedelta(0), timedelta(milliseconds=1), timedelta(seconds=1)
_QUIET = timedelta(seconds=1)
"""A feed that is mute for less is not looked into."""
_EVIDENCE = timedelta(minutes=1)
"""How long a quote speaks against our clock: a feed that stays early goes on to speak, one wrong stamp does not."""


class _Marked:
    """A position and the quote that it was valued by, which says nothing new while neither has changed."""

    __slots__ = ("_mark", "_quantity", "_quote", "position")

    def __init__(self, position: Position) -> None:
        self.position = position
        self._quote: Quote | None = None
        self._quantity: Decimal | None = position.quantity
        self._mark = position.mark

    def by(self, quote: Quote) -> bool:
        position, is_fresh = self.position, quote is not self._quote
        self._quote, self._quantity, self._mark = quote, position.quantity, position.mark
        return is_fresh

    def says(self, quote: Quote) -> bool:
        position = self.position
        return quote is self._quote and position.mark is self._mark and position.quantity is self._quantity

    def forget(self) -> None:
        """The same quote may say something else by now."""
        self._quantity = None


class Marking:
    """Marks the portfolio, and tells the monitor how old and how early the quotes are."""

    def __init__(
        self,
        portfolio: Portfolio,
        quotes: QuoteSource,
        monitor: RiskMonitor,
        calendar: Calendar,
        clock: Clock,
        market_clock: Clock | None = None,
    ) -> None:
        """Join the parts.

        Args:
            clock: this machine's, against which stamps of quotes speak.
            market_clock: what time it is on the market; the same clock by default.
        """
        self._portfolio = portfolio
        self._quotes = quotes
        self._monitor = monitor
        self._calendar = calendar
        self._clock = clock
        self._market_clock = market_clock or clock
        self._limits: RiskLimits | None = None
        self._marked: dict[str, _Marked] = {}
        self._heard_at: tuple[datetime, float] | None = None

    def mark(self) -> None:
        """Value what is held at the latest prices that can be believed."""
        symbols = self._portfolio.open_symbols
        if not symbols:
            self._monitor.feed_silence = self._monitor.clock_behind = ZERO
            return
        limits = self._monitor.limits
        if limits is not self._limits:
            self._limits = limits
            for known in self._marked.values():
                known.forget()
        ours, now, newest, ahead = self._clock.now(), self._market_clock.now(), None, _NO_TIME
        changed: list[tuple[str, Quote]] = []
        for symbol in tuple(symbols):
            quote = self._quotes.quote(symbol)
            if quote is None:
                continue
            if newest is None or quote.received_at > newest:
                newest = quote.received_at
            if quote.at > ours and now - quote.received_at <= _EVIDENCE:
                ahead = max(ahead, quote.at - ours)
            marked = self._marked.get(symbol)
            if marked is None or not marked.says(quote):
                changed.append((symbol, quote))
        is_fresh = self._value(sorted(changed), limits)
        silent = _NO_TIME if newest is None else self._silence(now, newest, is_fresh=is_fresh)
        self._monitor.feed_silence = Decimal(silent // _SECOND) if silent else ZERO
        self._monitor.clock_behind = Decimal(ahead // _MILLISECOND).scaleb(-3) if ahead else ZERO

    def _value(self, changed: list[tuple[str, Quote]], limits: RiskLimits) -> bool:
        """Mark at these quotes; True when one of them was not seen before."""
        prices, told, is_fresh = [], [], False
        for symbol, quote in changed:
            marked = self._marked.get(symbol)
            if marked is None:
                marked = self._marked[symbol] = _Marked(self._portfolio.position(symbol))
            position = marked.position
            price = None if quote.flaw else mark_of(quote, position, limits)
            if price is not None and price != position.mark:
                prices.append((symbol, price))
            told.append((marked, quote))
        if prices:
            self._portfolio.mark_all(prices)
        for marked, quote in told:
            is_fresh = marked.by(quote) or is_fresh
        return is_fresh

    def _silence(self, now: datetime, newest: datetime, *, is_fresh: bool) -> timedelta:
        """For how long the exchange has been open without a quote of anything held.

        From the last look with a fresh quote on time is measured on the monotonic clock: a wall clock that is set back
        must not hide a mute feed, nor one that is set forward make one up.

        Args:
            newest: when the latest of their quotes was received.
        """
        moment = self._clock.monotonic()
        if is_fresh or self._heard_at is None:
            self._heard_at = (max(now, newest), moment)
        heard_at, began = self._heard_at
        now = heard_at + timedelta(seconds=moment - began)
        if now - newest <= _QUIET:
            return _NO_TIME
        session = self._calendar.session_at(now)
        return _NO_TIME if session is None else min(now - newest, now - session.open)
