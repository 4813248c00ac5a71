"""A market made from history: seeded prices inside every bar, quotes around them, and time step by step.

The prices come from `PriceRows`; here is the moment, and what can be seen at it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from quant_trading_system.core.exceptions import MarketDataError
from quant_trading_system.market.history import PriceHistory, dollars
from quant_trading_system.market.quotes import Quote
from quant_trading_system.market.sessions import Calendar
from quant_trading_system.simulation import paths
from quant_trading_system.simulation.blocks import Block, MarketStep
from quant_trading_system.simulation.price_rows import PriceRows, Shape
from quant_trading_system.simulation.realism import PARTS, PLAIN, Realism, Window
from quant_trading_system.simulation.resting import Paths

SOURCE = "simulated"
"""The source that every quote of this market names."""

Integers = NDArray[np.int64]
Sides = tuple[Integers, Integers, Integers]

_ZERO = Decimal(0)
_SETTLED = 64
"""Steps after the latest execution that has moved the market, before its prices are foreseen again."""


class SimulatedMarket:
    """Quotes of every symbol of a history, one step after the other."""

    def __init__(
        self,
        history: PriceHistory,
        calendar: Calendar,
        *,
        seed: int,
        first_bar: int = 0,
        realism: Realism = PLAIN,
        rows: PriceRows | None = None,
        **shape: Unpack[Shape],
    ) -> None:
        """Prepare the market; the first `advance` opens it.

        Args:
            first_bar: the bar to begin with; those before it are past already.
            realism: how spread and volume go through the day, and what our executions do to prices (`press`).
            rows: the prices, where they were made before from the same arguments; they are made here by default.
            shape: what bars are filled in with; see `Shape`.

        Raises:
            ValueError: a parameter is out of range.
        """
        self._history = history
        self._first_bar = first_bar
        self._realism = realism
        self._columns = {symbol: column for column, symbol in enumerate(history.symbols)}
        if rows is None:
            rows = PriceRows(history, calendar, seed=seed, first_bar=first_bar, realism=realism, **shape)
        self._rows = rows
        self._blocks = self._rows.blocks()
        self._moved: Integers | None = None
        self._block: Block | None = None
        self._row = 0
        self._step: MarketStep | None = None
        self._ahead = next(self._blocks, None)
        self._displaced: Sides | None = None
        self._foreseen: tuple[Block, int] | None = None
        self._pressed_at = 0
        self._printed = np.zeros(len(history.symbols), dtype=np.int64)
        self._quotes: dict[str, Quote] = {}
        self._stands: datetime | None = None
        self._stamp: tuple[datetime, int, int] | None = None
        self._is_sized = realism.queue or realism.impact is not None

    # -- time -----------------------------------------------------------------------------------------------------

    @property
    def step(self) -> MarketStep | None:
        """The present step, None before the first `advance`."""
        if self._step is None and self._block is not None:
            self._step = self._block.step(self._row)
        return self._step

    @property
    def next_at(self) -> datetime | None:
        """When the next step will be, None after the last; its prices are not to be seen before `advance`."""
        block, row = self._block, self._row + 1
        if block is not None and row < len(block):
            return block.at(row)
        return None if self._ahead is None else self._ahead.at(0)

    def advance(self) -> MarketStep | None:
        """Go to the next step; None when the history is over, and the last prices stay."""
        block = self._block
        if block is None or self._row + 1 == len(block):
            if self._ahead is None:
                return None
            if block is not None:
                self._printed += block.volume.sum(axis=0)
            block, self._foreseen = self._ahead, None
            self._block = block
            self._ahead = next(self._blocks, None)
            self._go_to(block, 0)
        else:
            self._go_to(block, self._row + 1)
        return self.step

    def leap(self, row: int) -> None:
        """Go to a later step of the present block at once, its number as in `block`."""
        block = self._block
        if block is None or not self._row < row < len(block):
            raise MarketDataError(f"no step {row} lies ahead in this block")
        self._go_to(block, row)

    def _go_to(self, block: Block, row: int) -> None:
        """Be there; what can be seen there is made out when somebody looks."""
        self._row = row
        self._step = self._stands = self._stamp = None
        self._quotes.clear()
        if self._moved is not None:
            sides = block.last[row], block.bid[row], block.ask[row]
            self._displaced = paths.displaced(*sides, self._moved / PARTS)

    def __iter__(self) -> Iterator[MarketStep]:
        while (step := self.advance()) is not None:
            yield step

    def ahead(self, steps: int) -> tuple[Block, int] | None:
        """The steps around the present one, and its number among them.

        Only prices of the coming `steps` may be relied on: they stand where our own executions have moved the market.
        None before the first step, and for `_SETTLED` steps after an execution that has moved it: whoever trades all
        the time would have these prices made anew all the time.
        """
        block, row = self._block, self._row
        if block is None or self._moved is None:
            return None if block is None else (block, row)
        if block.before + row < self._pressed_at + _SETTLED:
            return None
        end = min(row + 1 + steps, len(block))
        if self._foreseen is None or self._foreseen[1] < end:
            begin, end = row + 1, min(row + 1 + 2 * steps, len(block))
            sides = block.last[begin:end], block.bid[begin:end], block.ask[begin:end]
            self._foreseen = block.with_prices(begin, *paths.displaced(*sides, self._moved / PARTS)), end
        return self._foreseen[0], row

    @property
    def row(self) -> int:
        """The number of the present step in its block."""
        return self._row

    @property
    def finished_bars(self) -> int:
        """How many bars of the history are complete by now."""
        step = self.step
        return self._first_bar if step is None else step.bar + step.ends_bar

    # -- prices ---------------------------------------------------------------------------------------------------

    def quote(self, symbol: str) -> Quote | None:
        """The present quote; that of its last bar when the symbol has none now; None before its first."""
        known = self._quotes.get(symbol)
        if known is not None:
            return known
        column, block, row = self._columns.get(symbol), self._block, self._row
        if column is None or block is None:
            return None
        last, bid, ask = self._prices(block, row, column)
        if not last:
            return None
        stamp = self._stamp
        if stamp is None:
            bar = block.first_bar + row // block.rows
            stamp = self._stamp = self._stands or block.at(row), block.before + row + 1, bar
        now, number, bar = stamp
        at, is_sized = now, self._is_sized
        if not self._history.present.item(bar, column):
            at, number = self._last_seen(column, bar)
        quote = Quote(
            symbol=symbol,
            bid=dollars(bid),
            ask=dollars(ask),
            at=at,
            received_at=now,  # where nobody has traded, the feed is not mute
            last=dollars(last),
            bid_size=Decimal(paths.quoted_size(bid)) if is_sized else _ZERO,
            ask_size=Decimal(paths.quoted_size(ask)) if is_sized else _ZERO,
            source=SOURCE,
            sequence=number,
        )
        self._quotes[symbol] = quote
        return quote

    def last_price(self, symbol: str) -> Decimal:
        """Dollars a share of the last trade.

        Raises:
            MarketDataError: the symbol has not traded yet, or is not in the history.
        """
        column, block = self._columns.get(symbol), self._block
        micros = 0 if column is None or block is None else self._prices(block, self._row, column)[0]
        if not micros:
            raise MarketDataError(f"{symbol} has had no price yet")
        return dollars(micros)

    def volume(self, symbol: str) -> Decimal | None:
        """Shares that trade until the next step: of the history, or made up where it knows none.

        Zero while the symbol has no bar, None for a symbol that is not in the history.
        """
        column, block = self._columns.get(symbol), self._block
        return None if column is None or block is None else Decimal(block.volume.item(self._row, column))

    def printed(self, symbol: str, now: datetime) -> Decimal | None:
        """Shares of others since the first step, within a step evenly; None for an unknown symbol."""
        column, block, step = self._columns.get(symbol), self._block, self.step
        if column is None or block is None or step is None:
            return None
        printed = Decimal(self._printed.item(column) + int(block.volume[: self._row, column].sum()))
        if self.next_at is None or now <= step.at:
            return printed
        part = min((now - step.at) / (self.next_at - step.at), 1.0)
        return printed + Decimal(int(block.volume.item(self._row, column) * part))

    def stand_still(self, moment: datetime) -> None:
        """Nothing has moved since the present step: its quotes stand still, as of `moment`."""
        self._stands, self._stamp = moment, None
        self._quotes.clear()

    @property
    def last_micros(self) -> Integers:
        """The last prices of all symbols in the order of the history, int64 micro-dollars; 0 before the first.

        Raises:
            MarketDataError: before the first step.
        """
        if self._block is None:
            raise MarketDataError("the market has not begun; advance() it first")
        return self._block.last[self._row] if self._displaced is None else self._displaced[0]

    def _prices(self, block: Block, row: int, column: int) -> tuple[int, int, int]:
        """Last, bid and ask of a symbol at the present step, micro-dollars."""
        if self._displaced is None:
            return block.last.item(row, column), block.bid.item(row, column), block.ask.item(row, column)
        last, bid, ask = self._displaced
        return last.item(column), bid.item(column), ask.item(column)

    def columns(self, symbols: list[str]) -> list[int]:
        """Where symbols of the history stand in the arrays of its blocks."""
        return [self._columns[symbol] for symbol in symbols]

    def paths(self, begin: int, end: int) -> Paths:
        """The prices of all symbols at steps of the present block that lie in what `ahead` has told."""
        block = self._block if self._foreseen is None else self._foreseen[0]
        assert block is not None, "asked for before the first step"
        return Paths(block.last[begin:end], block.bid[begin:end], block.ask[begin:end], self._columns)

    # -- our own executions -----------------------------------------------------------------------------------------

    def window(self, symbol: str) -> Window:
        """Temporary impact adds up within a step."""
        return Window(0 if self.step is None else self.step.number, self.volume(symbol))

    def press(self, symbol: str, shares: Decimal) -> None:
        """We have bought `shares`, or sold them when negative: all prices from the next step on are displaced.

        Measured against the volume of the day, the day's own also before it is over. The bars of the history stay.
        """
        column, step, impact = self._columns.get(symbol), self.step, self._realism.impact
        if column is None or step is None or impact is None:
            return
        bars = np.flatnonzero(self._history.dates == self._history.dates[step.bar])
        volume = int(self._rows.volume_of(slice(int(bars[0]), int(bars[-1]) + 1))[:, column].sum())
        if self._moved is None:
            self._moved = np.zeros(len(self._history.symbols), dtype=np.int64)
        self._moved[column] += impact.displacement(shares, Decimal(volume))
        self._foreseen, self._pressed_at = None, step.number

    # -- symbols without a bar ------------------------------------------------------------------------------------

    def _last_seen(self, column: int, bar: int) -> tuple[datetime, int]:
        """When a symbol without a bar now had its latest, and the number of that step; 0 before the first step."""
        latest = self._history.latest_bars.of(column, bar)
        assert latest is not None, "a symbol that has a price had a bar"
        at = self._history.time_at(latest)
        return at, 0 if self._block is None else max(latest - self._first_bar + 1, 0) * self._block.rows
