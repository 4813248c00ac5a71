"""Pairs of stocks that wander together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import combinations

import numpy as np

from quant_trading_system.core.signals import Signal
from quant_trading_system.research.cointegration import engle_granger
from quant_trading_system.trading.strategy import MarketView, Strategy


class Pairs(Strategy):
    """Holds the cheap one of two cointegrated stocks until both are back in line; `short` sells the dear one, too.

    Once a quarter the pairs are chosen by the test of Engle and Granger on log prices. A pair is entered when its
    spread lies `entry` deviations off, and left when it crosses zero or its pair is chosen no more.

    Source: Gatev, Goetzmann & Rouwenhorst (2006); Vidyamurthy (2004) for choosing by cointegration.
    """

    def __init__(
        self, *, lookback: int = 252, every: int = 63, pairs: int = 5, entry: float = 2.0, short: bool = False
    ) -> None:
        """Choose `pairs` every `every` bars; each leg gets 8 % of equity."""
        self.lookback, self.every, self.pairs, self.entry, self.short = lookback, every, pairs, entry, short
        self.chosen: list[tuple[str, str]] = []
        self.legs: dict[str, int] = {}

    def on_bar(self, market: MarketView) -> Iterable[Signal]:
        """Choose when it is time, then follow every spread."""
        if (market.bar - 1) % self.every == 0:
            logs = {symbol: np.log(market.closes(symbol, self.lookback)) for symbol in market.symbols}
            full = [s for s, log in logs.items() if len(log) == self.lookback and np.isfinite(log).all()]
            tests = {(a, b): engle_granger(logs[a], logs[b]) for a, b in combinations(full, 2)}
            good = [pair for pair, test in tests.items() if test.is_found and test.slope > 0]
            self.chosen = sorted(good, key=lambda pair: tests[pair].statistic)[: self.pairs]
        wanted = dict(self._legs(market))
        for symbol in sorted(self.legs.keys() | wanted.keys()):
            side = wanted.get(symbol, 0)
            if side and side != self.legs.get(symbol):
                say = market.long if side > 0 else market.short
                yield say(symbol, weight=Decimal("0.08"), reason="off the line of its pair")
            elif not side:
                yield market.flat(symbol, reason="back in line")
        self.legs = wanted

    def _legs(self, market: MarketView) -> Iterator[tuple[str, int]]:
        for a, b in self.chosen:
            test = engle_granger(*(np.log(market.closes(s, self.lookback)) for s in (a, b)))
            off = test.residuals[-1] / test.residuals.std()
            cheap, dear = (a, b) if off < 0 else (b, a)
            if abs(off) >= self.entry or (self.legs.get(cheap) == 1 and abs(off) > 0.25):
                yield cheap, 1
                if self.short:
                    yield dear, -1
