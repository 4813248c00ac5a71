"""What everybody is given in the workloads, and what must come out: bars, signals, prices of limits, the bare loop.

Everybody trades the same prices, which open where they closed, so that a fill at the next open is one at the close.
Here buys pay one cent more, the narrowest spread there is; the others know no spread, and are charged with that cent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quant_trading_system.market.history import PriceHistory
from tests.support import bare_loops
from tests.support.bare_loops import CASH_CENTS, FEE_CENTS, SHARES, TICK_CENTS, Told
from tests.support.minute_bars import minute_bars
from tests.support.workloads import PAST, prices, quote_pairs

CASH, FEE = CASH_CENTS / 100, FEE_CENTS / 100
USUAL = (10, 20)
PAIRS = [(fast, slow) for fast in range(5, 15) for slow in range(20, 30)]

Pair = tuple[int, int]
"""The spans of a fast and a slow exponential mean."""
Side = Callable[[float], int]
"""What to do after a bar with this close: 1 to buy, -1 to sell, 0 for nothing."""
Limit = Callable[[float], float | None]
"""The price of the limit to leave after a bar with this close; None after the last one."""
Run = Callable[[], Told]


class Done(NamedTuple):
    """What a peer came to.

    Attributes:
        ended: orders that were filled, or that were cancelled where they rest.
        held: shares of each symbol at the end, as far as `cash` does not contain their value.
    """

    sent: int
    ended: int
    buys: int
    cash: float
    held: Sequence[float] = ()


@dataclass(frozen=True)
class Given:
    """One workload.

    Attributes:
        bars: of all symbols; W7 has a tenth of them for each pair.
        most_pairs: of W7.
    """

    workload: str
    bars: int
    most_pairs: int = 100

    @cached_property
    def history(self) -> PriceHistory:
        if self.workload == "W7":
            return minute_bars(self.bars // 10, ("S000",))  # a sweep trades from the first bar on
        return prices(self.bars // 100, 100) if self.workload == "W2" else prices(self.bars)

    @property
    def first(self) -> int:
        """The first bar that is traded."""
        return 0 if self.workload == "W7" else PAST

    @property
    def pairs(self) -> list[Pair]:
        """One backtest for each."""
        return PAIRS[: self.most_pairs] if self.workload == "W7" else [USUAL]

    @cached_property
    def cents(self) -> list[list[int]]:
        """Closes, a row for each bar."""
        rows: list[list[int]] = (self.history.close_micros[self.first :] // 10_000).tolist()
        return rows

    @cached_property
    def closes(self) -> NDArray[np.float64]:
        """Dollars [bars, symbols]."""
        return np.array(self.cents) / 100

    @property
    def size(self) -> int:
        """Bars of all symbols and pairs."""
        return self.closes.size * len(self.pairs)

    @cached_property
    def quotes(self) -> list[tuple[float, float]]:
        """Bids and asks of W5."""
        return quote_pairs(self.bars)

    def frames(self) -> list[Any]:
        """For each symbol open, high, low, close and volume as a data frame of pandas."""
        import pandas as pd

        table = self.history
        micros = (table.open_micros, table.high_micros, table.low_micros, table.close_micros)
        shown = [array[self.first :] / 1e6 for array in micros if array is not None]
        index = pd.DatetimeIndex(table.times[self.first :].astype("datetime64[ns]"))
        frames = []
        for column in range(len(table.symbols)):
            columns = dict(zip(("open", "high", "low", "close"), (array[:, column] for array in shown), strict=True))
            frames.append(pd.DataFrame({**columns, "volume": 50_000.0}, index=index))
        return frames

    def sides(self, pair: Pair) -> list[Side]:
        """A signal for each symbol, to be asked bar after bar."""
        bars, symbols = self.closes.shape
        if self.workload == "W3":
            return [Turns(bars).side]
        return [Cross(bars, *pair).side for _ in range(symbols)]

    def limit(self) -> Limit:
        """To be asked bar after bar."""
        return Below(len(self.closes)).limit

    def told(self, done: Done) -> Told:
        """With the cent that buys pay here."""
        worth = sum(shares * close for shares, close in zip(done.held, self.closes[-1].tolist(), strict=False))
        return Told(done.sent, done.ended, round((done.cash + worth) * 100) - done.buys * SHARES * TICK_CENTS)

    def expected(self) -> Told:
        """What the bare loop says; cancels stand in the place of fills, or quotes."""
        match self.workload:
            case "W3":
                return bare_loops.every_bar(self.cents)
            case "W3b":
                orders = len(self.cents) - 1
                return Told(orders, bare_loops.resting(orders), CASH_CENTS)
            case "W5":
                return Told(0, bare_loops.quotes(self.quotes), CASH_CENTS)
            case _:
                return total(bare_loops.crosses(self.cents, *pair) for pair in self.pairs)


def total(told: Iterable[Told]) -> Told:
    """Of all backtests of a workload."""
    return Told(*(sum(column) for column in zip(*told, strict=True)))


class Cross:
    """W1, W2, W7: the signal as every event-driven strategy computes it; nothing on the last bar."""

    def __init__(self, bars: int, fast: int, slow: int) -> None:
        self.quick, self.lazy = 2 / (fast + 1), 2 / (slow + 1)
        self.fast = self.slow = 0.0
        self.held, self.number, self.last = False, -1, bars - 1

    def side(self, close: float) -> int:
        self.number += 1
        if self.number == 0:
            self.fast = self.slow = close
        if self.number in (0, self.last):
            return 0
        self.fast += self.quick * (close - self.fast)
        self.slow += self.lazy * (close - self.slow)
        rising, before = self.fast > self.slow, self.held
        self.held = rising
        return 0 if rising == before else 1 if rising else -1


class Turns:
    """W3: buys and sells in turn; nothing on the last bar."""

    def __init__(self, bars: int) -> None:
        self.number, self.last = -1, bars - 1

    def side(self, _: float) -> int:
        self.number += 1
        return 0 if self.number == self.last else -1 if self.number % 2 else 1


class Below:
    """W3b: limits to buy one in a hundred below the close, where no bar of these prices reaches."""

    def __init__(self, bars: int) -> None:
        self.left = bars

    def limit(self, close: float) -> float | None:
        self.left -= 1
        return round(close * 100) * 99 // 100 / 100 if self.left else None


def trades(trader: Callable[..., Callable[[list[Side]], Done]]) -> Callable[[Given], Run]:
    """W1, W2, W3 and W7 for a peer that sends market orders as signals tell it, one backtest for each pair."""

    def prepare(given: Given) -> Run:
        trade = trader(given.frames(), cash=CASH, fee=FEE, shares=SHARES)
        return lambda: total(given.told(trade(given.sides(pair))) for pair in given.pairs)

    return prepare


def rests(rester: Callable[..., Callable[[Limit], Done]]) -> Callable[[Given], Run]:
    """W3b for a peer that leaves a limit after each bar, and cancels the one before."""

    def prepare(given: Given) -> Run:
        rest = rester(given.frames(), cash=CASH, fee=FEE, shares=SHARES)
        return lambda: given.told(rest(given.limit()))

    return prepare


def listens(listener: Callable[..., Callable[[], int]]) -> Callable[[Given], Run]:
    """W5 for a peer that counts quotes."""

    def prepare(given: Given) -> Run:
        listen = listener(given.quotes, cash=CASH)
        return lambda: Told(0, listen(), CASH_CENTS)

    return prepare
