"""What strategies are told of their orders is what the journal says of them: every fill and every end, each once."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from quant_trading_system.app.backtesting import BacktestResult, backtest
from quant_trading_system.app.bootstrap import Costs, Setup
from quant_trading_system.core.events import FillEvent, OrderEvent
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce
from quant_trading_system.journal.replay import replay
from quant_trading_system.simulation.models import FillModel, LatencyModel
from quant_trading_system.trading.order_wishes import EndedOrder
from quant_trading_system.trading.strategy import MarketView
from tests.property.test_stretch_properties import Changing, told
from tests.support.desk import UNHURRIED, limits_with
from tests.support.minute_bars import as_days, minute_bars

D = Decimal
OTHER_ENDS = {"denied", "rejected", "unsent", "absent", "canceled", "expired"}
"""An order that has ended like that was not filled wholly, nor did another one take its place."""


class Attentive(Changing):
    """Orders of every kind at random bars, and second thoughts; what it hears leads to more of them."""

    def __init__(self, seed: int, often: float) -> None:
        super().__init__(seed, often)
        self.fills: list[FillEvent] = []
        self.ended: list[EndedOrder] = []
        self.bars: list[tuple[datetime, int, int, dict[str, Decimal]]] = []

    def on_bar(self, market: MarketView):
        held = {symbol: market.position(symbol) for symbol in market.symbols}
        self.bars.append((market.now, len(self.fills), len(self.ended), held))
        if self._random.random() < self._often / 4:
            symbol = self._random.choice(market.symbols)
            yield Order(  # refused, for it is too much
                symbol=symbol, side=OrderSide.BUY, quantity=D(10**6), order_type=OrderType.MARKET,
                time_in_force=TimeInForce.DAY, tag=f"too much {market.bar}",
            )  # fmt: skip
        yield from super().on_bar(market)

    def on_fill(self, fill: FillEvent, market: MarketView):
        self.fills.append(fill)
        self.seen.append(f"fill {fill.order_id} {fill.tag} at {market.bar}")
        if self._random.random() < 0.2 and not fill.tag:
            limit = fill.price + (1 if fill.side is OrderSide.BUY else -1) * self._away(50)
            yield Order(
                symbol=fill.symbol, side=fill.side.opposite, quantity=fill.quantity, order_type=OrderType.LIMIT,
                time_in_force=self._force(), limit_price=limit.quantize(D("0.01")), tag=f"after {fill.order_id}",
            )  # fmt: skip

    def on_order_ended(self, order: EndedOrder, market: MarketView):
        self.ended.append(order)
        self.seen.append(f"{order.status} {order.order_id} {order.tag} at {market.bar}")
        if self._random.random() < 0.1:
            yield from (market.cancel(one, reason="after an end") for one in market.open_orders(order.symbol)[:1])


PLANS = {
    "seed": st.integers(0, 10_000),
    "often": st.sampled_from([0.02, 0.1, 0.4]),
    "volatility": st.sampled_from([0.0005, 0.003]),
    "fills": st.sampled_from([FillModel(), FillModel(participation=D("0.0001"))]),
    "latency_ms": st.sampled_from([0, 700, 20_000]),
    "daily": st.booleans(),
}


def run(
    seed: int,
    often: float,
    volatility: float,
    fills: FillModel,
    latency_ms: int,
    *,
    daily: bool,
    count: int,
    whole=False,
) -> tuple[BacktestResult, list[Attentive]]:
    prices = minute_bars(450, ("AAA", "BBB"), seed=seed, volatility=volatility)
    latency = LatencyModel(order=timedelta(milliseconds=latency_ms), report=timedelta(milliseconds=latency_ms))
    strategies = [Attentive(seed + number, often) for number in range(count)]
    setup = Setup(
        cash=D(100_000),
        limits=limits_with(**UNHURRIED | {"max_rejection_rate": D(1)}),
        seed=seed,
        costs=Costs(fills=fills, latency=latency),
    )
    bars = as_days(prices) if daily else prices
    return backtest(strategies, bars, setup, watch=(lambda _: None) if whole else None), strategies


@settings(max_examples=25, deadline=None)
@given(**PLANS)
def test_every_fill_and_every_end_is_told_once_in_the_turn_of_the_journal(
    seed, often, volatility, fills, latency_ms, daily
):
    result, strategies = run(seed, often, volatility, fills, latency_ms, daily=daily, count=3)
    assert result.stopped == ()
    entries = list(result.account.journal.entries())
    for one in strategies:
        booked = [e.event for e in entries if isinstance(e.event, FillEvent) and e.event.strategy == one.name]
        assert one.fills == booked[: len(one.fills)]
        ends = ends_of(one.name, [e.event for e in entries if isinstance(e.event, OrderEvent)])
        assert [(order.order_id, str(order.status)) for order in one.ended] == ends[: len(one.ended)]
        told_ids = Counter(order.order_id for order in one.ended)
        assert set(told_ids.values()) <= {1}
        last = one.bars[-1][0]
        assert all(fill.at + timedelta(milliseconds=latency_ms) >= last for fill in booked[len(one.fills) :])
    assert replay(result.account.journal).agrees


def ends_of(strategy: str, events: list[OrderEvent]) -> list[tuple[str, str]]:
    """Orders that ended before they had filled, by the journal alone; exits bear the strategy of their entry."""
    whose = {event.order_id: event.order.strategy for event in events if event.order is not None}
    ended: dict[str, str] = {}
    for event in events:
        if event.status.is_terminal and whose[event.order_id] == strategy:
            ended.setdefault(event.order_id, event.status.value)
    return [(order_id, status) for order_id, status in ended.items() if status in OTHER_ENDS]


@settings(max_examples=25, deadline=None)
@given(**PLANS)
def test_the_fills_told_so_far_add_up_to_the_position_that_was_seen(seed, often, volatility, fills, latency_ms, daily):
    """What fills with the end of a bar is in the position already, and is told at the next bar: no more than that."""
    result, (one,) = run(seed, often, volatility, fills, latency_ms, daily=daily, count=1)
    booked = [entry.event for entry in result.account.journal.entries(kinds=("fill",))]
    sums: dict[str, list[Decimal]] = {symbol: [D(0)] for symbol in ("AAA", "BBB")}
    for fill in booked:
        for symbol, so_far in sums.items():
            so_far.append(so_far[-1] + (fill.signed_quantity if fill.symbol == symbol else 0))
    counts = [told_then for _, told_then, _, _ in one.bars] + [len(booked)]
    for place, (_, told_then, _, held) in enumerate(one.bars):
        possible = range(told_then, counts[place + 1] + 1)
        assert any(all(sums[symbol][count] == held[symbol] for symbol in held) for count in possible)
    assert counts == sorted(counts)


@settings(max_examples=12, deadline=None)
@given(**PLANS)
def test_passing_over_a_market_tells_the_same_as_step_by_step(seed, often, volatility, fills, latency_ms, daily):
    (leaping, one), (stepping, other) = (
        run(seed, often, volatility, fills, latency_ms, daily=daily, count=2, whole=whole) for whole in (False, True)
    )
    assert told(leaping) == told(stepping)
    assert [each.seen for each in one] == [each.seen for each in other]


def test_there_is_something_to_tell():
    _, strategies = run(3, 0.4, 0.003, FillModel(participation=D("0.0001")), 700, daily=False, count=3)
    assert sum(len(one.fills) for one in strategies) > 100
    found = {str(order.status) for one in strategies for order in one.ended}
    assert {"denied", "canceled", "expired"} <= found
    assert any(order.tag.startswith("after") for one in strategies for order in one.ended)
    assert any(fill.tag.startswith("after") for one in strategies for fill in one.fills)
