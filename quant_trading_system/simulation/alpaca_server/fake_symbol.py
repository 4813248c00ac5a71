"""The feed `/v2/test`: one symbol that trades every second, day and night, for clients to try themselves out on."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np

from quant_trading_system.core.clock import Clock
from quant_trading_system.simulation.alpaca_server.bars import MINUTE_NS, minute_bars
from quant_trading_system.simulation.alpaca_server.data_hub import DataHub, Post
from quant_trading_system.simulation.alpaca_server.live_market import Tick, ns_of
from quant_trading_system.simulation.alpaca_server.market_wire import bar_rows, quote_row, trade_row
from quant_trading_system.simulation.alpaca_server.price_path import Ticks
from quant_trading_system.simulation.alpaca_server.tape import quote_around
from quant_trading_system.simulation.models import stream

SYMBOL = "FAKEPACA"
FEED = "test"
_CENT, _START = 10_000, 134_000_000
_SECOND = timedelta(seconds=1)
_TAPE = "C"


class FakeSymbol:
    """A price that goes up or down by a cent every second of real time."""

    def __init__(self, hub: DataHub, real: Clock, seed: int) -> None:
        self._hub = hub
        self._clock = real
        self._random = stream(seed, SYMBOL)
        self._last = _START
        self._minute: list[Tick] = []

    async def run(self) -> None:
        """Trade for ever, on every full second."""
        while True:
            now = self._clock.now()
            await self._clock.sleep(_SECOND - timedelta(microseconds=now.microsecond))
            self.trade(now.replace(microsecond=0) + _SECOND)

    def trade(self, at: datetime) -> None:
        """The trade of a second; the first one of a minute tells the bar of the minute before."""
        moment = ns_of(at)
        if self._minute and moment // MINUTE_NS != self._minute[0].at // MINUTE_NS:
            ticks = Ticks(*(np.array(column, dtype=np.int64) for column in zip(*self._minute, strict=True)))
            self._publish([Post("bars", "b", SYMBOL, row) for row in bar_rows(minute_bars(ticks))])
            self._minute.clear()
        self._last += self._random.choice((-_CENT, 0, _CENT))
        tick = Tick(moment, self._last, *quote_around(self._last), self._random.randrange(100, 1_000, 100))
        self._minute.append(tick)
        rows = (("quotes", "q", quote_row(tick, _TAPE)), ("trades", "t", trade_row(tick, _TAPE)))
        self._publish([Post(channel, kind, SYMBOL, row) for channel, kind, row in rows])

    def _publish(self, posts: list[Post]) -> None:
        self._hub.publish(posts, (FEED,))
