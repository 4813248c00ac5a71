"""Passing over the quiet stretches of a market changes nothing: the journal is the same as step by step."""

from __future__ import annotations

import dataclasses
import random
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from quant_trading_system.app.backtesting import BacktestResult, backtest
from quant_trading_system.app.bootstrap import Setup
from quant_trading_system.core.events import HaltLevel
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.research.stretches import Stretches
from quant_trading_system.trading.strategy import MarketView, Strategy
from tests.support.desk import UNHURRIED, limits_with
from tests.support.minute_bars import minute_bars

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


def run(prices: PriceHistory, seed: int, often: float, limits: dict[str, object], *, whole: bool):
    """A run, and what its strategies saw; `whole`: every step by itself."""
    strategies = [Whims(seed, often), Whims(seed + 1, often / 3)]
    setup = Setup(cash=D(100_000), limits=limits_with(**UNHURRIED | limits), seed=seed)
    result = backtest(strategies, prices, setup, watch=(lambda _: None) if whole else None)
    return result, [strategy.seen for strategy in strategies]


def told(result: BacktestResult) -> list[bytes]:
    return [entry.body for entry in result.account.journal.entries()]


@settings(max_examples=12, deadline=None)
@given(
    limits=LIMITS,
    seed=st.integers(0, 10_000),
    often=st.sampled_from([0.01, 0.05, 0.3]),
    missing=st.sampled_from([0.0, 0.02]),
    volatility=st.sampled_from([0.0002, 0.003]),
)
def test_the_journal_is_the_same_as_step_by_step(limits, seed, often, missing, volatility):
    prices = minute_bars(450, ("AAA", "BBB"), seed=seed, missing=missing, volatility=volatility)
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


def test_quiet_stretches_are_passed_over_indeed(monkeypatch):
    passed = []
    found = Stretches.next

    def counted(self):
        stretch = found(self)
        passed.append(0 if stretch is None else stretch.end - stretch.begin)
        return stretch

    monkeypatch.setattr(Stretches, "next", counted)
    run(minute_bars(780, seed=3), 3, 0.01, {}, whole=False)
    assert sum(passed) > 0.8 * 780 * 4
