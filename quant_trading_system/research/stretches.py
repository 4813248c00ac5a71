"""What lies between the moments at which something can happen: stretches of the market that are passed at once.

While no order is open and no wish on its way, a step of the market does two things: it values positions, and
compares what they are worth with the limits for losses. Both are done here for many steps in one vector
operation. Only the ends of bars remain, at which strategies are asked. Sums are exact: prices are micro-dollars
and shares whole numbers of their smallest part, so that the journal is the same as step by step.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.numbers import tidy
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.risk.monitor import RiskMonitor
from quant_trading_system.risk.portfolio import Portfolio
from quant_trading_system.simulation.market import SimulatedMarket
from quant_trading_system.simulation.price_rows import Block

_FARTHEST = 256
"""Steps that are looked at together."""
_MOST = float(2**62)
_MICRO_PLACES = 6

Integers = NDArray[np.int64]


class Stretch:
    """The steps of a block after the present one, up to `end`, none of which opens or closes a session.

    Attributes:
        block, begin, end: the steps `begin` to `end` of the block, the last one not included.
    """

    def __init__(self, block: Block, begin: int, values: Integers | None, places: int, cash: Decimal) -> None:
        """Take in what positions are worth.

        Args:
            values: of all positions at each step, in units of 10^-`places` dollars; None while nothing is held.
            cash: dollars.
        """
        self.block = block
        self.begin = begin
        self.end = begin
        self._values = values
        self._places = places
        self._cash = cash

    def range(self, end: int) -> tuple[Decimal, Decimal]:
        """The lowest and the highest equity before the step `end`, dollars."""
        if self._values is None:
            return self._cash, self._cash
        seen = self._values[: end - self.begin]
        return self._in_dollars(seen.min().item()), self._in_dollars(seen.max().item())

    def bar_ends(self, speaking: NDArray[np.bool_] | None = None) -> Iterator[tuple[int, int]]:
        """The steps that end a bar, each with the number of that bar; of `speaking` bars only, if given."""
        rows, first = self.block.rows, self.block.first_bar
        bars = range(first + self.begin // rows, first + self.end // rows)
        chosen = bars if speaking is None else (np.flatnonzero(speaking[bars.start : bars.stop]) + bars.start).tolist()
        for bar in chosen:
            yield (bar - first + 1) * rows - 1, bar

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
        rows = range(self.begin, row + 1)
        first = bisect_left(rows, now - span_s, key=lambda earlier: clock.monotonic_at(block.at(earlier)))
        found: list[tuple[float, Decimal]] = []
        highest = None
        for place, value in reversed(list(enumerate(self._values[first : len(rows)].tolist(), self.begin + first))):
            if highest is None or value > highest:
                highest = value
                found.append((clock.monotonic_at(block.at(place)), self._in_dollars(value)))
        return found[::-1]

    def _in_dollars(self, value: int) -> Decimal:
        return self._cash + tidy(Decimal(value).scaleb(-self._places))


class Stretches:
    """Looks for them."""

    def __init__(
        self, market: SimulatedMarket, history: PriceHistory, portfolio: Portfolio, monitor: RiskMonitor
    ) -> None:
        """Look in `market`, the market of `history`, for an account."""
        self._market = market
        self._present = history.present
        self._portfolio = portfolio
        self._monitor = monitor

    def next(self) -> Stretch | None:
        """The stretch that begins with the next step, None when that must be taken by itself."""
        found = self._market.block
        if found is None or self._portfolio.unmarked:
            return None
        block, row = found
        begin, end = row + 1, min(block.next_edge(row), row + 1 + _FARTHEST)
        held = {symbol: position.quantity for symbol, position in self._portfolio.positions.items()}
        marks = self._marks(block, begin, end, list(held)) if held and begin < end else None
        if marks is not None:
            end = begin + len(marks)
        stretch = self._valued(block, begin, marks, held) if begin < end else None
        if stretch is None:
            return None
        while not self._monitor.stays_calm(*stretch.range(end)):
            end = begin + (end - begin) // 2
            if begin == end:
                return None
        stretch.end = end
        return stretch

    def _marks(self, block: Block, begin: int, end: int, held: list[str]) -> Integers:
        """Micro-dollars by which everything held is marked, as `mark_of` has it; int64 [steps, symbols].

        As far as all of it has bars, and quotes that are sound.
        """
        columns = self._market.columns(held)
        first = block.first_bar + begin // block.rows
        absent = np.flatnonzero(
            ~self._present[first : block.first_bar + (end - 1) // block.rows + 1, columns].all(axis=1)
        )
        if len(absent):
            end = min(end, (first + int(absent[0]) - block.first_bar) * block.rows)
        last, bid, ask = (side[begin:end, columns] for side in (block.last, block.bid, block.ask))
        marks: Integers = np.minimum(np.maximum(last, bid), ask)
        allowed = self._monitor.limits.max_quote_deviation_pct
        doubtful = np.abs(marks - last) * 2.0 > float(allowed or 1) * last  # long before it depends on the mark before
        flawed = np.flatnonzero(((bid <= 0) | (bid >= ask) | doubtful).any(axis=1))
        return marks[: flawed[0]] if len(flawed) else marks

    def _valued(self, block: Block, begin: int, marks: Integers | None, held: dict[str, Decimal]) -> Stretch | None:
        """What is held, at its marks; None where that takes more digits than there are."""
        cash = self._portfolio.cash
        if marks is None:
            return Stretch(block, begin, None, 0, cash)
        places = max(0, *(-_exponent(quantity) for quantity in held.values()))
        shares = [int(quantity.scaleb(places)) for quantity in held.values()]
        if sum(abs(one) * float(most) for one, most in zip(shares, marks.max(axis=0), strict=True)) > _MOST:
            return None
        values: Integers = marks @ np.array(shares, dtype=np.int64)
        return Stretch(block, begin, values, _MICRO_PLACES + places, cash)


def _exponent(quantity: Decimal) -> int:
    exponent = quantity.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0
