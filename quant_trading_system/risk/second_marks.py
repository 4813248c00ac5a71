"""A loss that closes positions is looked at twice: one bad price must halt, and must sell nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from quant_trading_system.core.clock import Clock
from quant_trading_system.market.quotes import QuoteSource
from quant_trading_system.risk.portfolio import Portfolio

SECOND_MARK = timedelta(seconds=2)
"""How long after it was seen first a loss must still be there."""


class SecondMarks:
    """Which broken limits were confirmed by later quotes of everything that is held."""

    def __init__(self, clock: Clock, quoted_at: Callable[[], Mapping[str, datetime]]) -> None:
        """Confirm by `quoted_at`: when the quotes are from by which positions are marked now, by symbol."""
        self._clock = clock
        self._quoted_at = quoted_at
        self._seen: dict[str, tuple[float, Mapping[str, datetime]]] = {}

    def confirm(self, rule: str) -> bool:
        """The limit is broken now: true when it was some time ago, and every position has had another quote since."""
        now, marks = self._clock.monotonic(), self._quoted_at()
        since, first = self._seen.setdefault(rule, (now, marks))
        is_later = all(symbol not in first or at > first[symbol] for symbol, at in marks.items())
        return is_later and now - since >= SECOND_MARK.total_seconds()

    def forget(self, rule: str) -> None:
        """The limit holds again; the next breach begins anew."""
        self._seen.pop(rule, None)

    def forget_all(self) -> None:
        """All limits hold."""
        self._seen.clear()


def quote_times(portfolio: Portfolio, quotes: QuoteSource) -> Callable[[], dict[str, datetime]]:
    """When the quotes of what is held are from."""

    def quoted_at() -> dict[str, datetime]:
        found = {symbol: quotes.quote(symbol) for symbol in portfolio.positions}
        return {symbol: quote.at for symbol, quote in found.items() if quote is not None}

    return quoted_at
