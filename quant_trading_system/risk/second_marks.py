"""What one bad price must not do: close positions, or make the account look richer than it ever was.

A loss that closes positions is looked at twice, and so is equity that is higher than ever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from quant_trading_system.core.clock import Clock
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.market.quotes import QuoteSource
from quant_trading_system.risk.portfolio import Portfolio

SECOND_MARK = timedelta(seconds=2)
"""How long after it was seen first a loss, or a gain, must still be there."""
_SECOND_MARK_S = SECOND_MARK.total_seconds()
OLD_MARK = timedelta(minutes=1)
"""A quote that was as old as this at the first look is no news: nobody waits for another one of its symbol."""


class SecondMarks:
    """Which broken limits were confirmed by later quotes of everything that is held."""

    def __init__(self, clock: Clock, quoted_at: Callable[[], Mapping[str, datetime]]) -> None:
        """Confirm by `quoted_at`: when the quotes are from by which positions are marked now, by symbol."""
        self._clock = clock
        self.quoted_at = quoted_at
        self._seen: dict[str, tuple[float, Mapping[str, datetime]]] = {}

    def confirm(self, rule: str) -> bool:
        """The limit is broken now: true when it was some time ago, and every position has had another quote since."""
        now, marks = self._clock.monotonic(), self.quoted_at()
        since, first = self._seen.setdefault(rule, (now, marks))
        is_later = all(symbol not in first or at > first[symbol] for symbol, at in marks.items())
        return is_later and now - since >= _SECOND_MARK_S

    def forget(self, rule: str) -> None:
        """The limit holds again; the next breach begins anew."""
        self._seen.pop(rule, None)

    def forget_all(self) -> None:
        """All limits hold."""
        self._seen.clear()


class AgreedEquity:
    """How much of what the account is worth two looks agree on: the least from the first until later quotes have come.

    One bad price lifts one look and not the next, whatever symbol it is of. Whoever remembers highs, the peak above
    all, remembers these.
    """

    def __init__(self, clock: Clock, quoted_at: Callable[[], Mapping[str, datetime]]) -> None:
        """Agree by `quoted_at`: when the quotes are from by which positions are marked now, by symbol."""
        self._clock = clock
        self._quoted_at = quoted_at
        self._since, self._least = -1.0, ZERO
        self._agreed: Decimal | None = None
        self._awaited: dict[str, datetime] = {}

    def see(self, equity: Decimal, known: Decimal) -> Decimal:
        """Take in what the account is worth now; how much of it can be believed to last.

        Args:
            equity: dollars.
            known: dollars that are believed until two looks have agreed for the first time.
        """
        now = self._clock.monotonic()
        if self._since < 0:
            self._begin(now, equity, self._quoted_at())
        self._least = min(self._least, equity)
        if now - self._since >= _SECOND_MARK_S:
            marks = self._quoted_at()
            if all(symbol not in marks or marks[symbol] > at for symbol, at in self._awaited.items()):
                self._agreed = self._least
                self._begin(now, equity, marks)
        return min(equity, known if self._agreed is None else self._agreed)

    def _begin(self, now: float, equity: Decimal, marks: Mapping[str, datetime]) -> None:
        self._since, self._least = now, equity
        latest = self._clock.now() - OLD_MARK
        self._awaited = {symbol: at for symbol, at in marks.items() if at > latest}


def quote_times(portfolio: Portfolio, quotes: QuoteSource) -> Callable[[], dict[str, datetime]]:
    """When the quotes of what is held are from."""

    def quoted_at() -> dict[str, datetime]:
        found = {symbol: quotes.quote(symbol) for symbol in portfolio.positions}
        return {symbol: quote.at for symbol, quote in found.items() if quote is not None}

    return quoted_at
