"""Quotes: what the market offers now, how old that is, and where it came from."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Protocol

import msgspec

from quant_trading_system.core.numbers import ZERO

_HALF, _ENDLESS = Decimal("0.5"), Decimal("Infinity")
_NOT_FINITE = "bid or ask is not a finite number"
_EARLY = timedelta(seconds=10)  # clocks differ by less


class Quote(msgspec.Struct, frozen=True, gc=False):
    """Best bid and offer of one symbol.

    Attributes:
        bid, ask: dollars a share; 0 means that nobody bids or offers.
        at: time stamp of the source; `received_at`: when we had it. Freshness counts from the older one.
        last: price of the last trade, None when there was none yet.
        sequence: grows by source, so that of two quotes with one time stamp the later one is known.
    """

    symbol: str
    bid: Decimal
    ask: Decimal
    at: datetime
    received_at: datetime
    last: Decimal | None = None
    bid_size: Decimal = ZERO
    ask_size: Decimal = ZERO
    source: str = ""
    sequence: int = 0

    @property
    def mid(self) -> Decimal:
        """Half way between bid and ask, dollars."""
        return (self.bid + self.ask) * _HALF

    @property
    def flaw(self) -> str:
        """Why the quote cannot be relied on; empty when it is sound."""
        bid, ask = self.bid, self.ask
        try:
            if ZERO < bid < ask < _ENDLESS:
                return ""
        except InvalidOperation:  # nothing is above or below what is no number
            return _NOT_FINITE
        if not (bid.is_finite() and ask.is_finite()):
            return _NOT_FINITE
        if bid <= 0 or ask <= 0:
            return "one side is empty, zero or negative"
        if bid > ask:
            return f"crossed: bid {bid} above ask {ask}"
        return f"locked: bid and ask are both {bid}"


class QuoteSource(Protocol):
    """Whoever knows the latest quote of a symbol."""

    def quote(self, symbol: str) -> Quote | None:
        """The latest quote, or None when there never was one."""


class VolumeSource(Protocol):
    """Whoever counts what the market trades.

    Attributes:
        counts_own: our own trades are among what it counts.
    """

    counts_own: bool

    def printed(self, symbol: str) -> Decimal | None:
        """Shares that have traded since it began to count; None for a symbol that it does not follow."""


class QuoteBoard:
    """The latest quote of every symbol; a quote older than the one on the board is dropped.

    One that was stamped in the future when it came gives way to whatever comes next: otherwise a single wrong stamp
    would keep every right price away until its time has come. The board counts the shares of the trades that it is told
    of, too.

    Not locked: one thread puts quotes and trades on it, the one that reads the feed; every thread may read it.
    """

    counts_own = True

    def __init__(self) -> None:
        self._latest: dict[str, Quote] = {}
        self._listeners: list[Callable[[Quote], None]] = []
        self._printed: dict[str, Decimal] = {}

    def publish(self, quote: Quote) -> None:
        """Put `quote` on the board and tell the listeners."""
        known = self._latest.get(quote.symbol)
        if known is not None and _is_older(quote, known) and not _is_early(known):
            return
        self._latest[quote.symbol] = quote
        for listener in self._listeners:
            listener(quote)

    def trade(self, symbol: str, price: Decimal, shares: Decimal = ZERO) -> None:
        """The symbol has traded at `price` dollars a share; its quote and the age of that stay as they are."""
        self._printed[symbol] = self._printed.get(symbol, ZERO) + shares
        known = self._latest.get(symbol)
        if known is not None:
            self._latest[symbol] = msgspec.structs.replace(known, last=price)

    def printed(self, symbol: str) -> Decimal | None:
        return self._printed.get(symbol, ZERO)

    def subscribe(self, listener: Callable[[Quote], None]) -> None:
        """Call `listener` with every quote that is put on the board."""
        self._listeners.append(listener)

    def quote(self, symbol: str) -> Quote | None:
        return self._latest.get(symbol)


def _is_older(quote: Quote, known: Quote) -> bool:
    """It was stamped before the known one, or in the same moment and counted before it."""
    at, then = quote.at, known.at
    return at < then or (at == then and quote.sequence < known.sequence)


def _is_early(quote: Quote) -> bool:
    """It bore a time that was still to come when we had it."""
    return quote.at - quote.received_at > _EARLY
