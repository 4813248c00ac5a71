"""What lies between the moments at which something can happen: stretches of the market that are passed at once.

While no wish is on its way and open orders merely rest, a step of the market does two things: it values positions,
and compares what they are worth with the limits for losses. Both are done here for many steps in one vector
operation. Only the ends of bars remain, at which strategies are asked. Sums are exact, so that the journal is
the same as step by step.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from decimal import Decimal
from math import inf

import numpy as np
from numpy.typing import NDArray

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.research.worth import Worth
from quant_trading_system.risk.monitor import RiskMonitor
from quant_trading_system.risk.portfolio import Portfolio
from quant_trading_system.simulation.blocks import Block
from quant_trading_system.simulation.market import SimulatedMarket
from quant_trading_system.simulation.venue import Venue

_FARTHEST = 256
"""Steps that are looked at together."""
_EARLY_S = 0.001
"""No rounding of binary seconds can make a stretch too long."""


class Stretch:
    """The steps of a block after the present one, up to `end`, none of which opens or closes a session.

    Attributes:
        block, begin, end: the steps `begin` to `end` of the block, the last one not included.
    """

    def __init__(self, block: Block, begin: int, end: int, worth: Worth | None, cash: Decimal) -> None:
        """Take in what positions are worth.

        Args:
            worth: of all positions; None while nothing is held.
            cash: dollars.
        """
        self.block = block
        self.begin = begin
        self.end = end
        self._worth = worth
        self._cash = cash
        self._values = values = None if worth is None else worth.values(begin, end)
        if values is not None:
            self._lowest, self._highest = np.minimum.accumulate(values), np.maximum.accumulate(values)
        self._known: dict[int, Decimal] = {}

    def highest(self, end: int) -> Decimal:
        """The highest equity before the step `end`, dollars."""
        return self._cash if self._values is None else self._equity(self._highest.item(end - self.begin - 1))

    def lowest(self, end: int) -> Decimal:
        """The lowest, likewise."""
        return self._cash if self._values is None else self._equity(self._lowest.item(end - self.begin - 1))

    def _equity(self, value: int) -> Decimal:
        """Dollars, with positions of that worth."""
        known = self._known.get(value)
        if known is None and self._worth is not None:
            known = self._known[value] = self._cash + self._worth.dollars(value)
        return self._cash if known is None else known

    def bar_ends(self, speaking: NDArray[np.bool_] | None = None) -> Iterator[tuple[int, int]]:
        """The steps that end a bar, each with the number of that bar; of `speaking` bars only, if given."""
        rows, first = self.block.rows, self.block.first_bar
        bars = range(first + self.begin // rows, first + self.end // rows)
        chosen = bars if speaking is None else (np.flatnonzero(speaking[bars.start : bars.stop]) + bars.start).tolist()
        for bar in chosen:
            yield (bar - first + 1) * rows - 1, bar

    def is_sound(self, row: int) -> bool:
        """Everything held has a price at a step that opens no session; positions will be valued by it alone."""
        return row < self.block.next_edge(row - 1) and self._is_priced(row)

    @property
    def is_valued_by_next(self) -> bool:
        """The step behind it closes a session: it is taken by itself, and values everything held by its own prices."""
        return self.block.closes_at(self.end) and self._is_priced(self.end)

    def _is_priced(self, row: int) -> bool:
        return self._worth is None or self._worth.sound_until(row, row + 1) > row

    def last_bar(self, row: int) -> int:
        """The last bar that is complete at a step."""
        return self.block.first_bar + (row + 1) // self.block.rows - 1

    def latest(self, row: int, span_s: float, clock: ManualClock) -> list[tuple[float, Decimal]]:
        """Moments and equity of the steps up to `row` and at most so long before it, oldest first.

        Those that a later one reaches are left out.
        """
        block, now = self.block, clock.monotonic_at(self.block.at(row))
        if self._values is None:
            return [(now, self._cash)]
        last = row - self.begin
        top, seen = self._highest.item(last), self._values[: last + 1].tolist()
        highest, found = seen[-1], [(now, self._equity(seen[-1]))]
        for step in range(row - 1, self.begin - 1, -1):
            if highest == top:
                break
            value = seen[step - self.begin]
            if value > highest:
                at = clock.monotonic_at(block.at(step))
                if at < now - span_s:
                    break
                highest = value
                found.append((at, self._equity(value)))
        return found[::-1]


class Stretches:
    """Looks for them."""

    def __init__(
        self,
        market: SimulatedMarket,
        clock: ManualClock,
        venue: Venue,
        portfolio: Portfolio,
        monitor: RiskMonitor,
    ) -> None:
        """Look in `market` for an account at `venue`."""
        self._market = market
        self._clock = clock
        self._venue = venue
        self._portfolio = portfolio
        self._monitor = monitor
        self._worth = Worth(market.columns)

    def next(self, until: float = inf) -> Stretch | None:
        """The stretch that begins with the next step, None when that must be taken by itself.

        Args:
            until: something is to be done at this moment, seconds of the monotonic clock.
        """
        found = self._market.ahead(_FARTHEST + 1)
        if found is None or self._portfolio.unmarked:
            return None
        block, row = found
        begin, end = row + 1, min(block.next_edge(row), row + 1 + _FARTHEST)
        if begin >= end:
            return None
        held = {symbol: position.quantity for symbol, position in self._portfolio.positions.items()}
        limit, ordered = self._monitor.limits.max_quote_deviation_pct, self._venue.symbols_with_orders()
        if not self._worth.follow(block, begin, held, limit, ordered):
            return None
        end = self._worth.sound_until(begin, end)
        if until < inf:
            end = begin + bisect_left(range(begin, end), until - _EARLY_S, key=lambda row: self._passed(block, row))
        if ordered and begin < end:
            end = self._at_rest_until(block, begin, end)
        stretch = Stretch(block, begin, end, self._worth if held else None, self._portfolio.cash)
        while stretch.end > begin:
            if self._monitor.stays_calm(stretch.lowest(stretch.end), stretch.highest(stretch.end)):
                return stretch
            stretch.end = begin + (stretch.end - begin) // 2
        return None

    def _passed(self, block: Block, row: int) -> float:
        return self._clock.monotonic_at(block.at(row))

    def _at_rest_until(self, block: Block, begin: int, end: int) -> int:
        """The first step from `begin` on at which an open order could trade, or ends by itself."""
        due = self._venue.next_due_at()
        if due is not None and due <= block.at(end - 1):
            end = begin + bisect_left(range(begin, end), due, key=block.at)
        if begin == end:
            return end
        return begin + self._venue.quiet_steps(self._market.paths(begin, end))
