"""Queues of others at the limits of resting orders in the second simulation.

Written from docs/backtest.md alone.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING

from tests.support.reference_prices import BUY, CENT

if TYPE_CHECKING:
    from tests.support.reference_venue import Sent, Want

ZERO = Fraction(0)
Quote = tuple[Fraction, Fraction]


def place_of(want: Want, quote: Quote) -> Fraction | None:
    """Shares before an order that comes to rest now; None where it is behind the quote, and has no place."""
    near = quote[0] if want.side == BUY else quote[1]
    assert want.limit is not None
    if want.limit == near:
        return Fraction(100 * (1 + int(near / CENT) % 9))
    return ZERO if (want.limit - near) * want.side > 0 else None


class Queues:
    """Whose turn it is at a quote.

    Attributes:
        trades: shares of a symbol that trade from its latest quote on.
    """

    def __init__(self) -> None:
        self.trades: dict[str, Fraction] = {}
        self._before: dict[str, tuple[Quote, int, Fraction]] = {}
        self._had: Counter[tuple[str, int]] = Counter()

    def pass_on(self, symbol: str, quote: Quote, at: int) -> None:
        """Another quote comes after this one of that moment."""
        self._before[symbol] = quote, at, self.trades[symbol]
        self._had[symbol, 1] = self._had[symbol, -1] = 0

    def turn(self, order: Sent, quote: Quote, at: int) -> Fraction | None:
        """Shares that there are for an order that rests; None for any number."""
        want, before = order.want, self._before.get(order.want.symbol)
        assert want.limit is not None
        assert order.since is not None
        is_reached = (want.limit - quote[want.side == BUY]) * want.side >= 0
        if before is None:
            if not is_reached:
                order.ahead = place_of(want, quote) if order.ahead is None else order.ahead
            return None if is_reached else ZERO
        earlier, begun, shares = before
        waited = max(at - max(order.since, begun), 0)
        traded = shares * waited / (at - begun) if at > begun else ZERO
        order.since = max(order.since, at)
        if is_reached:
            order.ahead = ZERO
            return self._left(order, traded)
        if order.ahead is None or place_of(want, earlier) is None:
            order.ahead = place_of(want, quote) if order.ahead is None else order.ahead
            return ZERO
        ahead, order.ahead = order.ahead, max(order.ahead - traded / 2, ZERO)
        return self._left(order, max(traded / 2 - ahead, ZERO))

    def serve(self, order: Sent, shares: Fraction) -> None:
        """An order has had so many of what traded."""
        self._had[order.want.symbol, order.want.side] += shares  # type: ignore[assignment]  # counts fractions as well

    def _left(self, order: Sent, turn: Fraction) -> Fraction:
        return max(turn - self._had[order.want.symbol, order.want.side], ZERO)
