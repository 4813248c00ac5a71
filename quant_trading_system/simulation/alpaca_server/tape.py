"""What was and will be traded: the seeded paths, with what an operator of the venue and its customers did to them.

An operator may hold a symbol at a price, print a single trade, let the path go on, and halt or resume trading.
Where the venue has an impact, executions push all later prices but those that are held. Such doings are kept with
their times, so that history, streams and quotes tell the same story afterwards.
"""

from __future__ import annotations

from bisect import insort
from datetime import date, timedelta
from enum import StrEnum
from operator import attrgetter
from typing import NamedTuple

import numpy as np

from quant_trading_system.simulation import paths
from quant_trading_system.simulation.alpaca_server.bars import midnight_ns
from quant_trading_system.simulation.alpaca_server.price_path import PricePaths, Ticks, no_ticks
from quant_trading_system.simulation.realism import PARTS

_ONE_DAY = timedelta(days=1)
_KEPT_DAYS = 64
_MICROSECOND_NS = 1_000
_SPREAD = 0.0004
PRINT_SIZE = 100
"""Shares of a trade that an operator makes."""


class Doing(StrEnum):
    """What is done to a symbol."""

    HOLD = "hold"  # a trade at the price, and every later price is this one
    PRINT = "print"  # one trade at the price; the path goes on
    RELEASE = "release"  # the path goes on
    HALT = "halt"  # no quotes and no trades
    RESUME = "resume"
    PUSH = "push"  # an execution has moved all later prices


class Intervention(NamedTuple):
    """One thing done to a symbol.

    Attributes:
        at: nanoseconds since 1970.
        last, bid, ask: micro-dollars; 0 unless it is a price.
        by: parts of the price, of a push.
    """

    at: int
    doing: Doing
    last: int = 0
    bid: int = 0
    ask: int = 0
    by: int = 0


class Tape:
    """Every price of every symbol."""

    def __init__(self, source: PricePaths) -> None:
        self.paths = source
        self._done: dict[str, list[Intervention]] = {}
        self._altered: dict[tuple[str, date], Ticks] = {}

    @property
    def symbols(self) -> tuple[str, ...]:
        """Everything that is traded."""
        return self.paths.symbols

    def interventions(self, symbol: str) -> tuple[Intervention, ...]:
        """What was done to the symbol, in the order of time."""
        return tuple(self._done.get(symbol, ()))

    def intervene(self, symbol: str, act: Intervention) -> Intervention:
        """Do something to a symbol; where a price stands already, a new one comes a microsecond later."""
        done = self._done.setdefault(symbol, [])
        while any(other.at == act.at for other in done):
            act = act._replace(at=act.at + _MICROSECOND_NS)
        insort(done, act, key=attrgetter("at"))
        self._altered = {key: ticks for key, ticks in self._altered.items() if key[0] != symbol}
        return act

    def is_altered(self, symbol: str, day: date) -> bool:
        """Something was done that changes the prices of this day."""
        done = self._done.get(symbol, ())
        return len(done) > 0 and done[0].at < midnight_ns(day + _ONE_DAY)

    def ticks(self, symbol: str, day: date) -> Ticks:
        """All prices of a day, also those that are still to come."""
        if not self.is_altered(symbol, day):
            return self.paths.ticks(symbol, day)
        key = (symbol, day)
        if key not in self._altered:
            if len(self._altered) >= _KEPT_DAYS:
                self._altered.clear()
            self._altered[key] = self._with_doings(symbol, day)
        return self._altered[key]

    def _with_doings(self, symbol: str, day: date) -> Ticks:
        begin, end = midnight_ns(day), midnight_ns(day + _ONE_DAY)
        state = _State()
        parts: list[Ticks] = []
        left = self.paths.ticks(symbol, day)
        for act in self._done[symbol]:
            before, left = _split(left, act.at)
            parts.append(state.seen(before))
            state.take(act)
            if begin <= act.at < end and act.last and not state.halted:
                parts.append(_one(act))
        parts.append(state.seen(left))
        return Ticks(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


class _State:
    """What holds for the prices that follow."""

    def __init__(self) -> None:
        self.halted = False
        self._held: Intervention | None = None
        self._moved = 0

    def take(self, act: Intervention) -> None:
        match act.doing:
            case Doing.HOLD:
                self._held = act
            case Doing.RELEASE:
                self._held = None
            case Doing.HALT | Doing.RESUME:
                self.halted = act.doing is Doing.HALT
            case Doing.PUSH:
                self._moved += act.by
            case Doing.PRINT:
                pass

    def seen(self, ticks: Ticks) -> Ticks:
        if self.halted:
            return no_ticks()
        if self._held is None:
            return ticks if not self._moved else _displaced(ticks, self._moved)
        held = self._held
        last, bid, ask = (np.full_like(ticks.last, price) for price in (held.last, held.bid, held.ask))
        return Ticks(ticks.at, last, bid, ask, ticks.size)


def quote_around(last: int) -> tuple[int, int]:
    """Bid and ask at the usual distance around a price, micro-dollars."""
    bid, ask = paths.quotes_around(np.array([last], dtype=np.int64), _SPREAD)
    return bid.item(0), ask.item(0)


def _displaced(ticks: Ticks, parts: int) -> Ticks:
    last, bid, ask = paths.displaced(ticks.last, ticks.bid, ticks.ask, parts / PARTS)
    return ticks._replace(last=last, bid=bid, ask=ask)


def _split(ticks: Ticks, at: int) -> tuple[Ticks, Ticks]:
    """The ticks up to a moment, and those after it."""
    cut = int(np.searchsorted(ticks.at, at, "right"))
    return ticks.cut(slice(0, cut)), ticks.cut(slice(cut, None))


def _one(act: Intervention) -> Ticks:
    return Ticks(*(np.array([number], dtype=np.int64) for number in (act.at, act.last, act.bid, act.ask, PRINT_SIZE)))
