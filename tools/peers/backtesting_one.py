"""backtesting.py under strategies that are told what to send after each bar; it knows one symbol only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
from backtesting import Backtest, Strategy

from tools.peers.work import Done, Limit, Side, rests, trades


class Trader(Strategy):  # type: ignore[misc]  # without types
    """Sends a market order where `side` says so."""

    side: Any = None
    shares = 0

    def init(self) -> None:
        self.sent = self.buys = 0

    def next(self) -> None:
        side = self.side(float(self.data.Close[-1]))
        if side:
            self.sent += 1
            self.buys += side > 0
            (self.buy if side > 0 else self.sell)(size=self.shares)


class Rester(Strategy):  # type: ignore[misc]  # without types
    """Leaves a limit after each bar, and cancels the one before."""

    limit: Any = None
    shares = 0

    def init(self) -> None:
        self.sent = self.cancelled = 0

    def next(self) -> None:
        for order in self.orders:
            order.cancel()
            self.cancelled += 1
        price = self.limit(float(self.data.Close[-1]))
        if price is not None:
            self.sent += 1
            self.buy(size=self.shares, limit=price)


def _backtest(frames: Sequence[Any], strategy: Any, cash: float, fee: float, shares: int) -> Any:
    (frame,) = frames
    frame = frame.rename(columns=str.capitalize)
    before = frame.iloc[:1].set_index(frame.index[:1] - pd.Timedelta(minutes=1))
    frame = pd.concat([before, frame])  # it asks from the second bar on
    return Backtest(frame, strategy, cash=cash, commission=lambda size, _: fee * abs(size) / shares)


def trader(frames: Sequence[Any], *, cash: float, fee: float, shares: int) -> Callable[[list[Side]], Done]:
    """Sends market orders."""
    test = _backtest(frames, Trader, cash, fee, shares)

    def trade(sides: list[Side]) -> Done:
        stats = test.run(side=sides[0], shares=shares)
        done = stats["_strategy"]
        filled = 2 * len(stats["_trades"]) + len(done.trades)
        return Done(done.sent, filled, done.buys, float(stats["Equity Final [$]"]))

    return trade


def rester(frames: Sequence[Any], *, cash: float, fee: float, shares: int) -> Callable[[Limit], Done]:
    """Leaves limits and cancels them."""
    test = _backtest(frames, Rester, cash, fee, shares)

    def rest(limit: Limit) -> Done:
        stats = test.run(limit=limit, shares=shares)
        done = stats["_strategy"]
        return Done(done.sent, done.cancelled, 0, float(stats["Equity Final [$]"]))

    return rest


KNOWS = {**dict.fromkeys(("W1", "W3", "W7"), trades(trader)), "W3b": rests(rester)}
