"""What everything held is worth at each step of a block, brought up to date when shares come and go.

Sums are exact: prices are micro-dollars and shares whole numbers of their smallest part.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Set
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from quant_trading_system.core.numbers import tidy
from quant_trading_system.simulation.blocks import Block

_MOST = float(2**62)
_MICRO_PLACES = 6
_MICROS_A_CENT = 10_000

Integers = NDArray[np.int64]


class Marks:
    """The prices by which one symbol is marked in a block.

    Attributes:
        values: micro-dollars at each step, int64 [steps]; `most`: the largest.
        flawed: the steps with a quote that is not sound, rising.
    """

    __slots__ = ("flawed", "most", "values")

    def __init__(self, values: Integers, flawed: list[int]) -> None:
        self.values = values
        self.most = float(values.max())
        self.flawed = flawed


class Worth:
    """Follows what is held through one block after the other."""

    def __init__(self, columns: Callable[[list[str]], list[int]]) -> None:
        """Begin with nothing; `columns` tells where symbols stand in blocks."""
        self._columns = columns
        self._block: Block | None = None
        self._deviation: Decimal | None = None
        self._marks: dict[str, Marks] = {}
        self._watched: Set[str] = frozenset()
        self._places, self._cent = 0, _MICROS_A_CENT
        self._values: Integers = np.zeros(0, dtype=np.int64)
        self._held: dict[str, Decimal] = {}
        self._most: dict[str, float] = {}  # micro-dollars that what is held of each symbol can be worth

    def follow(
        self,
        block: Block,
        begin: int,
        held: Mapping[str, Decimal],
        deviation: Decimal | None,
        watched: Iterable[str] = (),
    ) -> bool:
        """Know what is held from the step `begin` on; False where that takes more digits than there are.

        Args:
            held: signed shares by symbol, none of them zero; `watched`: other symbols whose prices must be sound.
            deviation: what part of the last price a mark may be off, as in `mark_of`.
        """
        if block is not self._block or deviation != self._deviation:
            self._block, self._deviation, self._marks = block, deviation, {}
            self._forget(len(block), places=0)
        self._watched = held.keys() | watched
        unknown = [symbol for symbol in self._watched if symbol not in self._marks]
        if unknown:
            self._learn(block, unknown)
        if not held or held == self._held:
            return True
        changed = [symbol for symbol in held.keys() | self._held.keys() if held.get(symbol) != self._held.get(symbol)]
        places = max(self._places, *(-_exponent(held[symbol]) for symbol in changed if symbol in held), 0)
        if places != self._places:
            self._forget(len(block), places)
            changed = list(held)
        for symbol in changed:
            self._most[symbol] = abs(float(held.get(symbol, 0))) * self._marks[symbol].most
        if sum(self._most.values()) * 10.0**places > _MOST:
            self._block = None
            return False
        ahead = self._values[begin:]
        for symbol in changed:
            more = _parts(held.get(symbol), places) - _parts(self._held.get(symbol), places)
            ahead += self._marks[symbol].values[begin:] * more
        self._held = dict(held)
        return True

    def sound_until(self, begin: int, end: int) -> int:
        """The first step from `begin` on at which something has no sound price; `end` when there is none."""
        for symbol in self._watched:
            flawed = self._marks[symbol].flawed
            if flawed:
                place = bisect_left(flawed, begin)
                if place < len(flawed):
                    end = min(end, flawed[place])
        return end

    def values(self, begin: int, end: int) -> Integers:
        """What all of it is worth, int64 [steps], to be read with `dollars`; good until the next `follow`.

        Not to be asked while nothing is held: what was held before is still counted then, for it may come back.
        """
        return self._values[begin:end]

    def dollars(self, value: int) -> Decimal:
        """One of the values in dollars."""
        cents, rest = divmod(value, self._cent)
        return tidy(Decimal(value).scaleb(-_MICRO_PLACES - self._places)) if rest else Decimal(cents).scaleb(-2)

    def _forget(self, steps: int, places: int) -> None:
        """Nothing is held; from now on shares are counted with so many decimal places."""
        self._places, self._cent = places, _MICROS_A_CENT * 10**places
        self._values = np.zeros(steps, dtype=np.int64)
        self._held, self._most = {}, {}

    def _learn(self, block: Block, symbols: list[str]) -> None:
        """Make out by which prices these symbols are marked, as `mark_of` has it; without a bar they keep theirs."""
        columns = self._columns(symbols)
        last, bid, ask = (side[:, columns] for side in (block.last, block.bid, block.ask))
        marks: Integers = np.minimum(np.maximum(last, bid), ask)
        limit = float(1 if self._deviation is None else self._deviation)
        doubtful = np.abs(marks - last) * 2.0 > limit * last  # long before it depends on the mark before
        flawed = (bid <= 0) | (bid >= ask) | doubtful
        is_flawed = flawed.any(axis=0).tolist()
        for place, symbol in enumerate(symbols):
            steps = np.flatnonzero(flawed[:, place]).tolist() if is_flawed[place] else []
            self._marks[symbol] = Marks(np.ascontiguousarray(marks[:, place]), steps)


def _parts(quantity: Decimal | None, places: int) -> int:
    return 0 if quantity is None else int(quantity.scaleb(places))


def _exponent(quantity: Decimal) -> int:
    exponent = quantity.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0
