"""What a strategy is told of its orders is the same in a backtest and over HTTP and WebSocket, at the same bars."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from quant_trading_system.app.backtesting import BacktestResult, run_account
from quant_trading_system.app.demo import DemoPlan, Operator, demo_account
from quant_trading_system.app.wire_demo import demo_over_wire
from quant_trading_system.core.events import FillEvent
from quant_trading_system.core.orders import Order, OrderClass, OrderSide, OrderType, StopLoss, TakeProfit, TimeInForce
from quant_trading_system.trading.order_wishes import EndedOrder
from quant_trading_system.trading.strategy import MarketView, Strategy

D = Decimal
SIZES = {"KO": 20, "PEP": 7, "XOM": 18}


class Talkative(Strategy):
    """Bids a little below the market for a day, sells dearer what it gets, and writes down all that it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[object, ...]] = []

    def on_bar(self, market: MarketView):
        self.heard.append((market.bar, "bar", len(market.open_orders())))
        for place, (symbol, shares) in enumerate(SIZES.items()):
            bid = (market.close(symbol) * D("0.995")).quantize(D("0.01"))
            if (market.bar + place) % 3 == 0 and not market.position(symbol):
                yield order(symbol, shares, OrderSide.BUY, TimeInForce.DAY, bid, f"bid {market.bar}")
        if market.bar == 5:
            yield order("GME", 1, OrderSide.BUY, TimeInForce.DAY, D(10), "a stranger")
            yield bracket(market)

    def on_fill(self, fill: FillEvent, market: MarketView):
        told = fill.order_id, fill.symbol, fill.side, fill.quantity, fill.price, fill.fee, fill.tag
        self.heard.append((market.bar, "fill", *told, market.position(fill.symbol)))
        if fill.tag.startswith("bid"):
            ask = (fill.price * D("1.01")).quantize(D("0.01"))
            yield order(fill.symbol, fill.quantity, OrderSide.SELL, TimeInForce.GTC, ask, f"out of {fill.tag}")

    def on_order_ended(self, order: EndedOrder, market: MarketView):
        self.heard.append((market.bar, order.status, order.order_id, order.rule, order.tag, order.filled))


def order(symbol: str, shares: int | Decimal, side: OrderSide, force: TimeInForce, limit: Decimal, tag: str) -> Order:
    return Order(
        symbol=symbol,
        side=side,
        quantity=shares,
        order_type=OrderType.LIMIT,
        time_in_force=force,
        limit_price=limit,
        tag=tag,
    )


def bracket(market: MarketView) -> Order:
    close = market.close("MRK")
    return Order(
        symbol="MRK",
        side=OrderSide.BUY,
        quantity=10,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.GTC,
        order_class=OrderClass.BRACKET,
        take_profit=TakeProfit(limit_price=(close * D("1.02")).quantize(D("0.01"))),
        stop_loss=StopLoss(stop_price=(close * D("0.98")).quantize(D("0.01"))),
        tag="both ways",
    )


@dataclass(frozen=True, slots=True)
class TalkativePlan(DemoPlan):
    """The prices of the demonstration, traded by a strategy that listens."""

    talks: list[Talkative] = field(default_factory=lambda: [Talkative()])

    def strategies(self) -> list[Strategy]:
        return list(self.talks)


def plan() -> TalkativePlan:
    return TalkativePlan(last=date(2021, 2, 26))


def in_process(traded: DemoPlan) -> BacktestResult:
    account = demo_account(traded, None)
    return asyncio.run(run_account(account, Operator(account).watch))


def test_the_same_is_told_at_the_same_bars(tmp_path):
    direct, wired = plan(), plan()
    in_process(direct)
    asyncio.run(demo_over_wire(wired, tmp_path / "demo", lambda account: Operator(account).watch))
    heard, expected = wired.talks[0].heard, direct.talks[0].heard
    assert heard == expected
    kinds = [str(line[1]) for line in expected]
    assert set(kinds) == {"bar", "fill", "denied", "expired", "canceled"}
    assert kinds.count("fill") > 10
