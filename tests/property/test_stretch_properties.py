"""Passing over the quiet stretches of a market changes nothing: the journal is the same as step by step."""

from __future__ import annotations

import dataclasses
import random
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_trading_system.app.backtesting import BacktestResult, backtest
from quant_trading_system.app.bootstrap import Costs, Setup
from quant_trading_system.core.events import HaltLevel
from quant_trading_system.core.numbers import ONE
from quant_trading_system.core.orders import (
    Order,
    OrderClass,
    OrderSide,
    OrderType,
    StopLoss,
    TakeProfit,
    TimeInForce,
)
from quant_trading_system.journal.replay import replay
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.research.stretches import Stretches
from quant_trading_system.simulation.models import FillModel, LatencyModel
from quant_trading_system.simulation.realism import PLAIN, MarketImpact, Realism
from quant_trading_system.simulation.spreads import SpreadModel
from quant_trading_system.trading.order_wishes import OpenOrder
from quant_trading_system.trading.strategy import MarketView, Strategy
from tests.support.desk import UNHURRIED, limits_with
from tests.support.minute_bars import as_days, minute_bars

D = Decimal
SHARES = ("1", "7", "12.5", "0.123456789")

LIMITS = st.fixed_dictionaries(
    {
        "max_daily_loss_pct": st.sampled_from([D("0.0001"), D("0.0005"), D("0.9")]),
        "max_drawdown_pct": st.sampled_from([D("0.0002"), D("0.001"), D("0.9")]),
        "max_rapid_loss_pct": st.sampled_from([D("0.0001"), D("0.0003"), D("0.9")]),
        "rapid_loss_window_s": st.sampled_from([D(60), D(300), D(3600)]),
        "max_consecutive_losses": st.sampled_from([2, 1000]),
        "max_slippage_bps": st.sampled_from([D(2), D(1000)]),
        "halt_level": st.sampled_from([HaltLevel.REDUCING, HaltLevel.FLATTENING, HaltLevel.HALTED]),
    }
)

ENDS = st.lists(st.integers(1, 449), max_size=1)
"""How many bars the first symbol has; most often its prices end a session before the other's."""


class Whims(Strategy):
    """Says something at random bars: orders of its own of any kind, wishes, and a look at its equity."""

    def __init__(self, seed: int, often: float) -> None:
        self.name = f"Whims{seed}"
        self._random = random.Random(seed)
        self._often = often
        self.seen: list[str] = []

    def on_bar(self, market: MarketView):
        choice = self._random.random()
        if choice >= self._often:
            return
        symbol = self._random.choice(market.symbols)
        close = market.close(symbol)
        kind = self._random.randrange(6)
        if kind == 0:
            self.seen.append(str(market.equity))
        elif kind == 1:
            yield market.long(symbol, weight="0.2")
        elif kind == 2:
            yield market.flat(symbol)
        elif close is not None:
            yield self._order(symbol, close, kind)

    def _order(self, symbol: str, close: Decimal, kind: int) -> Order:
        buys = self._random.random() < 0.6
        away = D(self._random.randrange(-30, 60)) / 100
        limit = None if kind < 5 else close - away if buys else close + away
        return Order(
            symbol=symbol,
            side=OrderSide.BUY if buys else OrderSide.SELL,
            quantity=D(self._random.choice(SHARES if limit is None else SHARES[:2])),
            order_type=OrderType.MARKET if limit is None else OrderType.LIMIT,
            limit_price=limit,
            time_in_force=TimeInForce.DAY,
        )


class Resting(Strategy):
    """Leaves orders of every kind that can rest, near to the market and far from it, and sometimes buys."""

    def __init__(self, seed: int, often: float) -> None:
        self.name = f"Resting{seed}"
        self._random = random.Random(seed)
        self._often = often
        self.seen: list[str] = []

    def on_bar(self, market: MarketView):
        if self._random.random() >= self._often:
            return
        symbol = self._random.choice(market.symbols)
        close, held = market.close(symbol), market.position(symbol)
        if close is None:
            return
        if held == 0 and self._random.random() < 0.7:
            yield self._entry(symbol, close)
            return
        side = OrderSide.SELL if held > 0 else OrderSide.BUY
        size = abs(held) if held and held == int(held) else D(5)
        yield self._exit(symbol, close, side, size)

    def _away(self, most: int) -> Decimal:
        return D(self._random.randrange(1, most)) / 100

    def _force(self) -> TimeInForce:
        return self._random.choice([TimeInForce.DAY, TimeInForce.GTC])

    def _entry(self, symbol: str, close: Decimal) -> Order:
        kind = self._random.randrange(5)
        base = {"symbol": symbol, "side": OrderSide.BUY, "quantity": D(5), "time_in_force": self._force()}
        exits = {
            "take_profit": TakeProfit(limit_price=close + 1 + self._away(80)),
            "stop_loss": StopLoss(stop_price=close - 1 - self._away(80)),
        }
        if kind == 0:
            return Order(**base, order_type=OrderType.MARKET)
        if kind == 1:
            return Order(**base, order_type=OrderType.MARKET, order_class=OrderClass.BRACKET, **exits)
        if kind == 2:
            limit = close - self._away(60)
            return Order(**base, order_type=OrderType.LIMIT, limit_price=limit, order_class=OrderClass.BRACKET, **exits)
        if kind == 3:
            one = self._random.choice(["take_profit", "stop_loss"])
            return Order(**base, order_type=OrderType.MARKET, order_class=OrderClass.OTO, **{one: exits[one]})
        stop = close + self._away(60)
        return Order(**base, order_type=OrderType.STOP_LIMIT, stop_price=stop, limit_price=stop + D("0.05"))

    def _exit(self, symbol: str, close: Decimal, side: OrderSide, size: Decimal) -> Order:
        kind, sign = self._random.randrange(7), -1 if side is OrderSide.SELL else 1
        base = {"symbol": symbol, "side": side, "quantity": size}
        worse, better = close + sign * self._away(90), close - sign * self._away(90)
        if kind == 0:
            return Order(**base, time_in_force=self._force(), order_type=OrderType.STOP, stop_price=worse)
        if kind == 1:
            return Order(**base, time_in_force=self._force(), order_type=OrderType.LIMIT, limit_price=better)
        if kind == 2:
            return Order(
                **base, time_in_force=self._force(), order_type=OrderType.TRAILING_STOP, trail_price=self._away(90)
            )
        if kind == 3:
            return Order(
                **base, time_in_force=self._force(), order_type=OrderType.TRAILING_STOP, trail_percent=self._away(90)
            )
        if kind == 4:
            return Order(**base, time_in_force=TimeInForce.CLS, order_type=OrderType.MARKET)
        if kind == 5:
            return Order(**base, time_in_force=TimeInForce.OPG, order_type=OrderType.MARKET)
        return Order(
            **base,
            time_in_force=self._force(),
            order_type=OrderType.LIMIT,
            order_class=OrderClass.OCO,
            take_profit=TakeProfit(limit_price=better),
            stop_loss=StopLoss(stop_price=worse),
        )


class Changing(Resting):
    """The same and plain limits; at random bars it looks at its open orders, takes some back and changes others."""

    def on_bar(self, market: MarketView):
        if self._random.random() < self._often:
            for order in market.open_orders():
                self.seen.append(repr(order))
                yield from self._second_thoughts(market, order)
            symbol = self._random.choice(market.symbols)
            yield Order(
                symbol=symbol,
                side=OrderSide.BUY,
                quantity=D(self._random.randrange(2, 5)),
                order_type=OrderType.LIMIT,
                limit_price=market.close(symbol) - self._away(40),
                time_in_force=self._force(),
            )
        yield from super().on_bar(market)

    def _second_thoughts(self, market: MarketView, order: OpenOrder):
        choice, nearer = self._random.random(), self._away(20) if order.side is OrderSide.BUY else -self._away(20)
        is_plain = order.order_class is OrderClass.SIMPLE and not order.group
        if choice < 0.3:
            yield market.cancel(order, reason=f"{choice:.3f}")
        elif choice < 0.7 and is_plain and order.order_type is OrderType.LIMIT:
            yield market.replace(order, limit_price=order.limit_price + nearer)
        elif choice < 0.8 and is_plain and order.quantity > order.filled + 1:
            yield market.replace(order, quantity=order.quantity - 1)


def run(
    prices: PriceHistory,
    seed: int,
    often: float,
    limits: dict[str, object],
    *,
    whole: bool,
    kind: type[Strategy] = Whims,
    costs: Costs | None = None,
    ended: Decimal | None = ONE,
    realism: Realism = PLAIN,
):
    """A run, and what its strategies saw; `whole`: every step by itself."""
    strategies = [kind(seed, often), kind(seed + 1, often / 3)]
    setup = Setup(cash=D(100_000), limits=limits_with(**UNHURRIED | limits), seed=seed, ended=ended, realism=realism)
    if costs is not None:
        setup = dataclasses.replace(setup, costs=costs)
    result = backtest(strategies, prices, setup, watch=(lambda _: None) if whole else None)
    return result, [strategy.seen for strategy in strategies]


def told(result: BacktestResult) -> list[bytes]:
    return [entry.body for entry in result.account.journal.entries()]


@settings(max_examples=12, deadline=None)
@given(
    limits=LIMITS,
    seed=st.integers(0, 10_000),
    often=st.sampled_from([0.01, 0.05, 0.3]),
    missing=st.sampled_from([0.0, 0.02, 0.3]),
    volatility=st.sampled_from([0.0002, 0.003]),
    ends=ENDS,
)
def test_the_journal_is_the_same_as_step_by_step(limits, seed, often, missing, volatility, ends):
    prices = minute_bars(450, ("AAA", "BBB"), seed=seed, missing=missing, volatility=volatility, ends=ends)
    leaping, saw = run(prices, seed, often, limits, whole=False)
    stepping, had_to_see = run(prices, seed, often, limits, whole=True)
    assert told(leaping) == told(stepping)
    assert saw == had_to_see
    assert leaping.record.equity == stepping.record.equity
    ends = leaping.account.system.portfolio, stepping.account.system.portfolio
    assert ends[0].peak_equity == ends[1].peak_equity


@settings(max_examples=4, deadline=None)
@given(limits=LIMITS, seed=st.integers(0, 10_000))
def test_closes_alone_and_bars_of_an_hour_do_as_well(limits, seed):
    whole = minute_bars(300, ("AAA", "BBB"), seed=seed)
    closes = dataclasses.replace(whole, open_micros=None, high_micros=None, low_micros=None)
    assert told(run(closes, seed, 0.1, limits, whole=False)[0]) == told(run(closes, seed, 0.1, limits, whole=True)[0])


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    often=st.sampled_from([0.02, 0.1, 0.4]),
    missing=st.sampled_from([0.0, 0.02, 0.3]),
    volatility=st.sampled_from([0.0003, 0.001, 0.003]),
    fills=st.sampled_from([FillModel(), FillModel(through=True), FillModel(participation=D("0.0001"))]),
    latency_ms=st.sampled_from([0, 700]),
    ends=ENDS,
)
def test_orders_at_rest_are_passed_over_without_a_difference(seed, often, missing, volatility, fills, latency_ms, ends):
    prices = minute_bars(450, ("AAA", "BBB"), seed=seed, missing=missing, volatility=volatility, ends=ends)
    latency = LatencyModel(order=timedelta(milliseconds=latency_ms), report=timedelta(milliseconds=latency_ms))
    costs = Costs(fills=fills, latency=latency)
    leaping, stepping = (
        run(prices, seed, often, {}, whole=whole, kind=Resting, costs=costs)[0] for whole in (False, True)
    )
    assert told(leaping) == told(stepping)
    assert leaping.record.equity == stepping.record.equity


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    often=st.sampled_from([0.02, 0.1, 0.4]),
    missing=st.sampled_from([0.0, 0.02, 0.3]),
    volatility=st.sampled_from([0.003, 0.02]),
    kind=st.sampled_from([Whims, Resting, Changing]),
    has_extremes=st.booleans(),
    loss=st.sampled_from([D("0.002"), D("0.02"), D("0.45")]),
    latency_ms=st.sampled_from([0, 700]),
    ends=st.lists(st.integers(1, 149), max_size=1),
)
def test_days_are_passed_over_without_a_difference(
    seed, often, missing, volatility, kind, has_extremes, loss, latency_ms, ends
):
    """Sessions open and close all the time, and more days than are made at once."""
    prices = as_days(minute_bars(150, ("AAA", "BBB"), seed=seed, missing=missing, volatility=volatility, ends=ends))
    if not has_extremes:
        prices = dataclasses.replace(prices, open_micros=None, high_micros=None, low_micros=None)
    latency = LatencyModel(order=timedelta(milliseconds=latency_ms), report=timedelta(milliseconds=latency_ms))
    limits = {"max_daily_loss_pct": loss, "max_rapid_loss_pct": loss / 2, "max_drawdown_pct": loss * 2}
    (leaping, saw), (stepping, had_to_see) = (
        run(prices, seed, often, limits, whole=whole, kind=kind, costs=Costs(latency=latency))
        for whole in (False, True)
    )
    assert told(leaping) == told(stepping)
    assert saw == had_to_see
    assert leaping.record.equity == stepping.record.equity


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    often=st.sampled_from([0.02, 0.1, 0.4]),
    missing=st.sampled_from([0.0, 0.02, 0.3]),
    volatility=st.sampled_from([0.0003, 0.001, 0.003]),
    latency_ms=st.sampled_from([0, 700, 20_000]),
)
def test_orders_that_are_taken_back_and_changed_are_the_same_as_step_by_step(
    seed, often, missing, volatility, latency_ms
):
    prices = minute_bars(450, ("AAA", "BBB"), seed=seed, missing=missing, volatility=volatility)
    latency = LatencyModel(order=timedelta(milliseconds=latency_ms), report=timedelta(milliseconds=latency_ms))
    (leaping, saw), (stepping, had_to_see) = (
        run(prices, seed, often, {}, whole=whole, kind=Changing, costs=Costs(latency=latency))
        for whole in (False, True)
    )
    assert told(leaping) == told(stepping)
    assert saw == had_to_see
    assert leaping.record.equity == stepping.record.equity
    assert leaping.stopped == ()


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    often=st.sampled_from([0.02, 0.1]),
    missing=st.sampled_from([0.0, 0.02, 0.3]),
    kind=st.sampled_from([Whims, Resting, Changing]),
    ends=st.lists(st.integers(1, 899), min_size=1, max_size=3),
    ended=st.sampled_from([D(1), D("0.3"), None]),
)
def test_prices_that_end_are_passed_over_without_a_difference(seed, often, missing, kind, ends, ended):
    prices = minute_bars(900, ("AAA", "BBB", "CCC", "DDD"), seed=seed, missing=missing, ends=ends)
    leaping, stepping = (
        run(prices, seed, often, {}, whole=whole, kind=kind, ended=ended)[0] for whole in (False, True)
    )
    assert told(leaping) == told(stepping)
    assert leaping.record.equity == stepping.record.equity
    assert leaping.record.paid_out == stepping.record.paid_out
    assert replay(leaping.account.journal).agrees


def leaps(monkeypatch) -> list[int]:
    """How many steps were passed over each time, from now on."""
    passed: list[int] = []
    found = Stretches.next

    def counted(self, until):
        stretch = found(self, until)
        passed.append(0 if stretch is None else stretch.end - stretch.begin)
        return stretch

    monkeypatch.setattr(Stretches, "next", counted)
    return passed


@settings(max_examples=14, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    often=st.sampled_from([0.01, 0.1]),
    missing=st.sampled_from([0.02, 0.3]),
    kind=st.sampled_from([Whims, Resting, Changing]),
    queue=st.booleans(),
    impact=st.sampled_from([None, MarketImpact(permanent_bps=D(50_000))]),
)
def test_what_the_market_does_beyond_the_quote_makes_no_difference(seed, often, missing, kind, queue, impact):
    prices = minute_bars(450, ("AAA", "BBB"), seed=seed, missing=missing, volatility=0.001)
    realism = Realism(queue=queue, spread=SpreadModel(with_volatility=D(1)), impact=impact)
    leaping, stepping = (
        run(prices, seed, often, {}, whole=whole, kind=kind, realism=realism)[0] for whole in (False, True)
    )
    assert told(leaping) == told(stepping)
    assert leaping.record.equity == stepping.record.equity


def test_a_market_that_we_have_moved_is_passed_over_once_we_are_quiet(monkeypatch):
    passed = leaps(monkeypatch)
    prices, impact = minute_bars(780, seed=3), MarketImpact(permanent_bps=D(50_000))
    result, _ = run(prices, 5, 0.006, {}, whole=False, realism=Realism(impact=impact))
    assert len(result.record.fills) > 2
    assert sum(passed) > 0.5 * 780 * 4


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_quiet_stretches_are_passed_over_indeed(monkeypatch, missing):
    passed = leaps(monkeypatch)
    run(minute_bars(780, seed=3, missing=missing), 3, 0.01, {}, whole=False)
    assert sum(passed) > 0.8 * 780 * 4


class Protected(Strategy):
    """Buys once, with a stop far below."""

    def on_bar(self, market: MarketView):
        symbol = market.symbols[0]
        if market.bar == 5:
            yield Order(
                symbol=symbol,
                side=OrderSide.BUY,
                quantity=D(10),
                order_type=OrderType.MARKET,
                time_in_force=TimeInForce.GTC,
                order_class=OrderClass.OTO,
                stop_loss=StopLoss(stop_price=D(50)),
            )


def test_a_stop_far_away_holds_nothing_up(monkeypatch):
    passed = leaps(monkeypatch)
    prices = minute_bars(780, seed=3)
    result = backtest(Protected(), prices, Setup(cash=D(100_000), limits=limits_with(**UNHURRIED)))
    assert [order.status for order in result.account.system.orders.open_orders()] == ["working"]
    assert sum(passed) > 0.95 * 780 * 4
