"""What is wrong with a bracket for days is looked at when there is something to say of it, and not at every price."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest

from quant_trading_system.app.backtesting import backtest
from quant_trading_system.app.bootstrap import Setup
from quant_trading_system.core.orders import Order, OrderClass, OrderSide, OrderType, StopLoss, TakeProfit, TimeInForce
from quant_trading_system.execution.group_lives import GroupLives
from quant_trading_system.execution.order_watch import OrderWatch
from quant_trading_system.trading.strategy import MarketView, Strategy
from tests.support.desk import limits_with
from tests.support.minute_bars import minute_bars

D = Decimal
CENT = D("0.01")


class Unprotected(Strategy):
    """Buys with exits that end at the close, holds on without them, and sells some of it now and then."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def on_bar(self, market: MarketView):
        if self._random.random() > 0.02:
            return
        symbol = self._random.choice(market.symbols)
        held, close = market.position(symbol), market.close(symbol)
        base = {"symbol": symbol, "order_type": OrderType.MARKET, "time_in_force": TimeInForce.DAY, "repeat": True}
        if held > 10 and not market.open_orders(symbol):
            yield Order(**base, side=OrderSide.SELL, quantity=self._random.choice([held, D(3)]))
        else:
            off = self._random.choice([D("0.003"), D("0.05")])
            yield Order(
                **base,
                side=OrderSide.BUY,
                quantity=10,
                order_class=OrderClass.BRACKET,
                take_profit=TakeProfit(limit_price=(close * (1 + off)).quantize(CENT)),
                stop_loss=StopLoss(stop_price=(close * (1 - off)).quantize(CENT)),
            )


def lived(seed: int, patch: pytest.MonkeyPatch, *, whole: bool) -> tuple[list[bytes], list[tuple[object, ...]], int]:
    """Journal, what people were told and when, and how often groups were looked at."""
    told: list[tuple[object, ...]] = []
    looks = 0

    def notify(watch: OrderWatch, *what: object) -> None:
        told.append((watch._clock.now(), *what))

    look = GroupLives.look

    def counted(groups: GroupLives) -> list[str]:
        nonlocal looks
        looks += 1
        return look(groups)

    with patch.context() as within:
        within.setattr(OrderWatch, "notify", notify)
        within.setattr(GroupLives, "look", counted)
        far = {rule: D("0.9") for rule in ("max_daily_loss_pct", "max_drawdown_pct", "max_rapid_loss_pct")}
        setup = Setup(limits=limits_with(**far, max_consecutive_losses=1000, max_slippage_bps=D(1000)), seed=seed)
        prices = minute_bars(1000, ("AAA", "BBB"), seed=seed, volatility=0.0005)
        result = backtest(Unprotected(seed), prices, setup, watch=(lambda _: None) if whole else None)
        assert result.stopped == ()
        return [entry.body for entry in result.account.journal.entries()], told, looks


@pytest.mark.parametrize("seed", range(6))
def test_people_hear_the_same_at_the_same_time_as_step_by_step(seed, monkeypatch):
    leaping, heard, looks = lived(seed, monkeypatch, whole=False)
    stepping, had_to_hear, all_looks = lived(seed, monkeypatch, whole=True)
    assert leaping == stepping
    assert heard == had_to_hear
    assert any("still" in str(what[2]) for what in heard), "they were reminded, too"
    assert looks < all_looks / 4
