"""Which faults a seed brings, how hard they strike, and a count of every one that did.

Each kind draws from a stream of its own, named after its source and itself. So a kind can be taken away, or
another one added, and all others strike as before; that is what makes a bad day short enough to read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import timedelta
from random import Random

from quant_trading_system.simulation.models import stream
from quant_trading_system.simulation.storm.kinds import KINDS, NEVER_ALONE

SHARES = (60, 150, 350)
"""Shares of all kinds, in a thousand, that a day may hold; chance chooses one of them."""
_THOUSAND = 1000


def forecast(seed: int) -> tuple[str, ...]:
    """The kinds of fault that the day of this seed holds, by chance."""
    share = stream(seed, "forecast").choice(SHARES)
    chosen = {name for name in KINDS if stream(seed, f"forecast/{name}").randrange(_THOUSAND) < share}
    chosen |= {NEVER_ALONE[name] for name in chosen if name in NEVER_ALONE}
    return tuple(name for name in KINDS if name in chosen)


class Weather:
    """Decides when a fault strikes.

    Attributes:
        is_calm: nothing goes wrong any more.
        injected: how often each kind struck.
    """

    def __init__(self, seed: int, kinds: Collection[str]) -> None:
        self.is_calm = False
        self.injected: Counter[str] = Counter()
        self._draws: dict[str, Random] = {}
        self._level: dict[str, int] = {}
        for name in kinds:
            kind = KINDS[name]
            self._draws[name] = draw = stream(seed, f"{kind.source}/{name}")
            self._level[name] = draw.randint(kind.least, kind.most)

    @property
    def kinds(self) -> tuple[str, ...]:
        """What may strike today."""
        return tuple(self._level)

    @property
    def levels(self) -> Mapping[str, int]:
        """Chances in a thousand, or times a day, by kind."""
        return self._level

    def strikes(self, name: str) -> bool:
        """An opportunity for `name`: does it strike? If so, it is counted."""
        level = self._level.get(name, 0)
        if not level or self.is_calm or self._draws[name].randrange(_THOUSAND) >= level:
            return False
        self.injected[name] += 1
        return True

    def count(self, name: str) -> None:
        """`name` struck at a moment of its own."""
        self.injected[name] += 1

    def moments(self, name: str, length: timedelta) -> list[timedelta]:
        """When a timed kind strikes within `length`, in order."""
        draw = self._draws.get(name)
        if draw is None:
            return []
        whole = int(length.total_seconds() * 1000)
        return sorted(timedelta(milliseconds=draw.randrange(whole)) for _ in range(self._level[name]))

    def span(self, name: str, least: float, most: float) -> timedelta:
        """A length of time that belongs to a strike of `name`, in seconds from `least` to `most`."""
        return timedelta(milliseconds=self._draws[name].randint(int(least * 1000), int(most * 1000)))

    def number(self, name: str, below: int) -> int:
        """A whole number that belongs to a strike of `name`."""
        return self._draws[name].randrange(below)
