"""What one bad price must not do: close positions, or make the account look richer than it ever was.

A loss that closes positions is looked at twice, and so is equity that is higher than ever; what a day begins and ends
with is looked at three times.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from quant_trading_system.core.clock import Clock
from quant_trading_system.market.quotes import QuoteSource
from quant_trading_system.risk.portfolio import Portfolio

SECOND_MARK = timedelta(seconds=2)
"""How long after it was seen first a loss, or a gain, must still be there."""
_SECOND_MARK_S = SECOND_MARK.total_seconds()
OLD_MARK = timedelta(minutes=1)
"""A quote that was as old as this at the first look is no news: nobody waits for another one of its symbol."""
_LATELY = timedelta(minutes=5)
_MIDDLE_OF = 3


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


class _Looks:
    """Looks at the account that share no price: some time apart, with another quote of everything held in between."""

    def __init__(self, clock: Clock, quoted_at: Callable[[], Mapping[str, datetime]]) -> None:
        """Tell quotes apart by `quoted_at`: when those are from by which positions are marked now, by symbol."""
        self._clock = clock
        self._quoted_at = quoted_at
        self._since = -1.0
        self._awaited: dict[str, datetime] = {}

    @property
    def next_at(self) -> float:
        """Before this moment, seconds of the monotonic clock, none is another look."""
        return self._since + _SECOND_MARK_S

    def is_another(self) -> bool:
        """This moment is another look than the last one, or the first; the next one is told apart from this."""
        now = self._clock.monotonic()
        if 0 <= self._since and now - self._since < _SECOND_MARK_S:
            return False
        marks = self._quoted_at()
        if not all(symbol not in marks or marks[symbol] > at for symbol, at in self._awaited.items()):
            return False
        latest = self._clock.now() - OLD_MARK
        self._since, self._awaited = now, {symbol: at for symbol, at in marks.items() if at > latest}
        return True


class AgreedEquity:
    """How much of what the account is worth two looks agree on: the least from the first until later quotes have come.

    One bad price lifts one look and not the next, whatever symbol it is of. Whoever remembers highs, the peak above
    all, remembers these.
    """

    def __init__(self, clock: Clock, quoted_at: Callable[[], Mapping[str, datetime]]) -> None:
        """Agree by `quoted_at`: when the quotes are from by which positions are marked now, by symbol."""
        self._looks = _Looks(clock, quoted_at)
        self._least: Decimal | None = None
        self._agreed: Decimal | None = None

    @property
    def next_look_at(self) -> float:
        """Until then (seconds of the monotonic clock) another sight of the same equity changes nothing."""
        return self._looks.next_at

    def see(self, equity: Decimal, known: Decimal) -> Decimal:
        """Take in what the account is worth now; how much of it can be believed to last.

        Args:
            equity: dollars.
            known: dollars that are believed until two looks have agreed for the first time.
        """
        is_first = self._least is None
        self._least = equity if self._least is None else min(self._least, equity)
        if self._looks.is_another():
            self._agreed = None if is_first else self._least
            self._least = equity
        return min(equity, known if self._agreed is None else self._agreed)


class SettledEquity:
    """What the account is worth at a moment that is remembered for long: the one in the middle of three looks.

    One bad price makes one look too high or too low, and never the middle one.
    """

    def __init__(self, clock: Clock, quoted_at: Callable[[], Mapping[str, datetime]]) -> None:
        """Tell looks apart by `quoted_at`: when the quotes are from by which positions are marked now, by symbol."""
        self._clock = clock
        self._looks = _Looks(clock, quoted_at)
        self._seen: deque[tuple[float, Decimal]] = deque(maxlen=_MIDDLE_OF)
        self._began = -1.0

    @property
    def next_look_at(self) -> float:
        """Until then (seconds of the monotonic clock) another sight changes nothing."""
        return self._looks.next_at

    def see(self, equity: Decimal) -> None:
        """Take in what the account is worth now, dollars."""
        if self._began < 0:
            self._began = self._clock.monotonic()
        if self._looks.is_another():
            self._seen.append((self._clock.monotonic(), equity))

    @property
    def is_known(self) -> bool:
        """There are three looks, or none will come soon: somebody has looked for a minute."""
        waited = self._clock.monotonic() - self._began if self._began >= 0 else 0
        return self._middle() is not None or waited >= OLD_MARK.total_seconds()

    def now(self, equity: Decimal) -> Decimal:
        """What can be believed; `equity` itself where there were not three looks within some minutes."""
        middle = self._middle()
        return equity if middle is None else middle

    def _middle(self) -> Decimal | None:
        latest = self._clock.monotonic() - _LATELY.total_seconds()
        values = sorted(equity for at, equity in self._seen if at >= latest)
        return values[1] if len(values) == _MIDDLE_OF else None


def quote_times(portfolio: Portfolio, quotes: QuoteSource) -> Callable[[], dict[str, datetime]]:
    """When the quotes of what is held are from."""

    def quoted_at() -> dict[str, datetime]:
        found = {symbol: quotes.quote(symbol) for symbol in portfolio.positions}
        return {symbol: quote.at for symbol, quote in found.items() if quote is not None}

    return quoted_at
