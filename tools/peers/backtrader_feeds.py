"""backtrader under strategies that are told what to send after each bar."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import backtrader as bt

from tools.peers.work import Done, Limit, Side, rests, trades


class Trader(bt.Strategy):  # type: ignore[misc]  # without types
    """Sends a market order where the side of a feed says so."""

    params = (("sides", ()), ("shares", 0))

    def __init__(self) -> None:
        self.asked = list(zip(self.datas, self.p.sides, strict=True))
        self.sent = self.filled = self.buys = 0

    def next(self) -> None:
        for data, asked in self.asked:
            side = asked(data.close[0])
            if side:
                self.sent += 1
                self.buys += side > 0
                (self.buy if side > 0 else self.sell)(data=data, size=self.p.shares)

    def notify_order(self, order: Any) -> None:
        self.filled += order.status == order.Completed


class Rester(bt.Strategy):  # type: ignore[misc]  # without types
    """Leaves a limit after each bar, and cancels the one before."""

    params = (("limit", None), ("shares", 0))

    def __init__(self) -> None:
        self.working: list[Any] = []

    def next(self) -> None:
        if self.working:
            self.cancel(self.working[-1])
        price = self.p.limit(self.data.close[0])
        if price is not None:
            self.working.append(self.buy(size=self.p.shares, price=price, exectype=bt.Order.Limit))


def _run(frames: Sequence[Any], strategy: Any, cash: float, fee: float, shares: int, **told: Any) -> Any:
    cerebro = bt.Cerebro(stdstats=False)
    for frame in frames:
        cerebro.adddata(bt.feeds.PandasData(dataname=frame))
    cerebro.addstrategy(strategy, shares=shares, **told)
    cerebro.broker.setcash(cash)
    cerebro.broker.setcommission(fee / shares, commtype=bt.CommInfoBase.COMM_FIXED, stocklike=True)
    return cerebro.run()[0]


def trader(frames: Sequence[Any], *, cash: float, fee: float, shares: int) -> Callable[[list[Side]], Done]:
    """Sends market orders."""

    def trade(sides: list[Side]) -> Done:
        done = _run(frames, Trader, cash, fee, shares, sides=sides)
        held = [done.getposition(data).size for data in done.datas]
        return Done(done.sent, done.filled, done.buys, done.broker.getcash(), held)

    return trade


def rester(frames: Sequence[Any], *, cash: float, fee: float, shares: int) -> Callable[[Limit], Done]:
    """Leaves limits and cancels them."""

    def rest(limit: Limit) -> Done:
        done = _run(frames, Rester, cash, fee, shares, limit=limit)
        cancelled = sum(order.status == order.Canceled for order in done.working)
        return Done(len(done.working), cancelled, 0, done.broker.getcash(), [done.position.size])

    return rest


KNOWS = {**dict.fromkeys(("W1", "W2", "W3", "W7"), trades(trader)), "W3b": rests(rester)}
