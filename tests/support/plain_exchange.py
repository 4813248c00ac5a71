"""The exchange as it would be without any order at rest: every quote meets every open order of its symbol, one by one.

What rests, and until when, is a short cut of `open_orders`; this is what it must agree with.
"""

from __future__ import annotations

from datetime import datetime

import pytest

from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.simulation.exchange import Exchange
from quant_trading_system.simulation.floor import MarketView
from quant_trading_system.simulation.resting import Paths, follow, quiet_steps


def let_nothing_rest(patch: pytest.MonkeyPatch) -> None:
    """From now on orders are looked at one by one."""
    patch.setattr(Exchange, "_work_all", _work_all)
    patch.setattr(Exchange, "quiet_steps", _quiet_steps)
    patch.setattr(Exchange, "pass_over", _pass_over)


def _work_all(self: Exchange, view: MarketView, at: datetime) -> None:
    for live in self._orders.open_in(view.quote.symbol):
        if live.is_working:
            self._work(live, view, at)
        elif live.passive and live.status is OrderStatus.HELD:
            self._groups.watch(live, view, at, self)


def _quiet_steps(self: Exchange, ahead: Paths) -> int:
    if self._orders.symbols() and not (self._dice.calm and self._floor.is_plain):
        return 0
    steps, through = len(ahead.last), self._floor.trades_through
    for live in self._orders.open_orders():
        steps = min(steps, quiet_steps(live, ahead.of(live.order.symbol), through=through))
    return steps


def _pass_over(self: Exchange, passed: Paths) -> None:
    for live in self._orders.open_orders():
        follow(live, passed.of(live.order.symbol))
