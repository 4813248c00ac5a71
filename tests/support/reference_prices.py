"""Prices of the second simulation: bars, the steps that they are made of, ticks and quotes.

Written from docs/backtest.md alone. Dollars are fractions, times are microseconds; nothing is rounded unless a rule
says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction

CENT = Fraction(1, 100)
NANO = Fraction(1, 10**9)
BUY, SELL = 1, -1
DOLLARS_A_BAR = 50_000_000

Prices = tuple[Fraction, ...]
"""Open, high, low and close of a bar; or the close alone."""


@dataclass(frozen=True)
class Bar:
    """What happened from `start` to `end` (microseconds) to those symbols that were traded.

    Attributes:
        bell: when the session closes; `opening`: when it has opened.
    """

    start: int
    end: int
    bell: int
    day: date
    prices: Mapping[str, Prices]
    volume: Mapping[str, int] = field(default_factory=dict)
    opening: int = 0


@dataclass(frozen=True)
class Step:
    """One moment of the market: the last prices of those symbols that have one, and what the moment is.

    Attributes:
        bell: when the session closes, as the exchange has it.
        volume: shares that trade until the next step.
        since_open: microseconds.
    """

    at: int
    bell: int
    day: date
    last: Mapping[str, Fraction]
    begins_bar: bool
    ends_bar: bool
    opens: bool
    closes: bool
    volume: Mapping[str, int] = field(default_factory=dict)
    since_open: int = 0


def steps_of(bars: Sequence[Bar], first: int) -> Iterator[Step]:
    """Four steps of each intraday bar from number `first` on, or two where only closes are known."""
    latest = closes_before(bars, first)
    for number, bar in enumerate(bars[first:], first):
        paths = {symbol: _path(prices, latest.get(symbol)) for symbol, prices in bar.prices.items()}
        volume = volumes_of(bar, latest)
        latest.update((symbol, prices[-1]) for symbol, prices in bar.prices.items())
        count = max((len(path) for path in paths.values()), default=2)
        begins_day = number == first or bars[number - 1].day != bar.day
        ends_day = number + 1 == len(bars) or bars[number + 1].day != bar.day
        for place in range(count):
            is_first, is_last = place == 0, place == count - 1
            at = bar.start + (bar.end - bar.start) * place // (count - 1)
            yield Step(
                at=at,
                bell=bar.bell,
                day=bar.day,
                last={symbol: path[place] for symbol, path in paths.items()},
                begins_bar=is_first,
                ends_bar=is_last,
                opens=is_first and begins_day,
                closes=is_last and ends_day,
                volume={symbol: shares * (10**6 // count) // 10**6 for symbol, shares in volume.items()},
                since_open=at - bar.opening,
            )


def volumes_of(bar: Bar, before: Mapping[str, Fraction]) -> dict[str, int]:
    """Shares of each symbol; where they are not known, those that many dollars buy at the close before."""
    made_up = {symbol: DOLLARS_A_BAR // before.get(symbol, prices[-1]) for symbol, prices in bar.prices.items()}
    return made_up | dict(bar.volume)


def volume_of_day(shares: int, place: int, curve: tuple[Fraction, Fraction]) -> int:
    """Shares of a daily bar that trade after one of its thirteen steps; `curve`: both ends against noon."""
    weights = [1 + (curve[step > 6] - 1) * Fraction(step - 6, 6) ** 2 for step in range(13)]
    parts = [math.floor(weight / sum(weights) * 10**6) for weight in weights]
    parts[-1] += 10**6 - sum(parts)
    return shares * parts[place] // 10**6


def closes_before(bars: Sequence[Bar], first: int) -> dict[str, Fraction]:
    """The last close of each symbol before bar number `first`."""
    return {symbol: prices[-1] for bar in bars[:first] for symbol, prices in bar.prices.items()}


def _path(prices: Prices, before: Fraction | None) -> Prices:
    if len(prices) == 1:
        return (prices[0] if before is None else before, prices[0])
    opened, high, low, close = prices
    return (opened, low, high, close) if close >= opened else (opened, high, low, close)


def tick_of(price: Fraction) -> Fraction:
    """A cent from a dollar up, a hundredth of a cent below."""
    return CENT if price >= 1 else CENT / 100


def half_up(value: Fraction, unit: Fraction) -> Fraction:
    """To the nearest unit, halves upwards."""
    return math.floor(value / unit + Fraction(1, 2)) * unit


def up(value: Fraction, unit: Fraction) -> Fraction:
    """To the next unit above."""
    return math.ceil(value / unit) * unit


def down(value: Fraction, unit: Fraction) -> Fraction:
    """To the next unit below."""
    return math.floor(value / unit) * unit


def against(side: int, value: Fraction, unit: Fraction) -> Fraction:
    """Up for a buy, down for a sale."""
    return up(value, unit) if side == BUY else down(value, unit)


def quote_around(last: Fraction, spread_bps: Fraction) -> tuple[Fraction, Fraction]:
    """Bid and ask around the last price."""
    tick = tick_of(last)
    spread = max(round(last * spread_bps / 10_000 / tick), 1) * tick  # `round` takes halves to the even number
    bid = half_up(last - spread / 2, tick)
    ask = bid + spread
    return bid, up(ask, tick_of(ask))


def since_gap(bars: Sequence[Bar], symbol: str) -> list[Prices]:
    """Prices of the latest bars of a symbol, none of which is missing."""
    found: list[Prices] = []
    for bar in reversed(bars):
        if symbol not in bar.prices:
            break
        found.append(bar.prices[symbol])
    return found[::-1]


def ends_of(bars: Sequence[Bar]) -> dict[str, date]:
    """The day of the last bar of those symbols that have none at the end; those of the first to end come first."""
    last = {symbol: (number, symbol) for number, bar in enumerate(bars) for symbol in bar.prices}
    return {symbol: bars[number].day for number, symbol in sorted(last.values()) if number + 1 < len(bars)}
