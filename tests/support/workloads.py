"""The workloads by which speed is measured, each with a bare loop that says what must come out.

Prices are made up and seeded; costs are such that a bare loop can know them: no latency, the narrowest spread, half a
cent a share. Limits on pace and on losing streaks are out of the way, for nobody trades like this; every check is
asked all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quant_trading_system.app.backtesting import BacktestResult, backtest
from quant_trading_system.app.bootstrap import Costs, Setup
from quant_trading_system.app.strategy_loading import StrategySource
from quant_trading_system.app.sweeping.pools import InProcess, Pool, Processes
from quant_trading_system.app.sweeping.sweep import Sweep, SweepPlan
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.market.quotes import Quote, QuoteBoard
from quant_trading_system.research.sweep import Outcome, Window
from quant_trading_system.simulation.fees import FeeSchedule, Rate
from quant_trading_system.simulation.models import LatencyModel, SlippageModel
from quant_trading_system.trading.strategy import MarketView, Strategy
from quant_trading_system.trading.vector_strategy import VectorStrategy
from tests.support.bare_loops import CASH_CENTS, SHARES, Told
from tests.support.desk import UNHURRIED, limits_with
from tests.support.minute_bars import minute_bars
from tests.support.road import NOON, account

FEE_A_SHARE = Decimal("0.005")
PAST = 60
ROOMY = {"max_consecutive_losses": 1000, "max_portfolio_positions": 500, "max_correlation": Decimal(1)}
_QUANTITY = Decimal(SHARES)


def prices(bars: int, symbols: int = 1, seed: int = 1) -> PriceHistory:
    """Minute bars of symbols that wander on their own: `PAST` of them to know correlations by, then `bars` to trade."""
    return minute_bars(PAST + bars, tuple(f"S{number:03d}" for number in range(symbols)), seed=seed)


def cents(history: PriceHistory) -> list[list[int]]:
    """Closes as a bare loop wants them: a row of cents for each bar that is traded."""
    rows: list[list[int]] = (history.close_micros[PAST:] // 10_000).tolist()
    return rows


def setup(**limits: Any) -> Setup:
    """An account with ten million dollars and costs that a bare loop knows; `limits` of its own, if there are any."""
    return Setup(
        cash=Decimal(CASH_CENTS) / 100,
        limits=limits_with(**UNHURRIED, **ROOMY, **limits),
        first_bar=PAST,
        costs=Costs(
            spread_bps=Decimal(0),
            fees=FeeSchedule((), (), (Rate(date(2000, 1, 1), FEE_A_SHARE),)),
            latency=LatencyModel(),
            slippage=SlippageModel(),
        ),
    )


def traded(strategy: Strategy, history: PriceHistory, **limits: Any) -> BacktestResult:
    """The whole backtest of a workload."""
    return backtest(strategy, history, setup(**limits))


def told(result: BacktestResult) -> Told:
    """Orders that were sent, fills, and equity at the end in cents, exactly.

    Raises:
        AssertionError: an order was refused, a strategy stopped, or the equity is no whole number of cents.
    """
    assert (result.quality.rejections, result.stopped, result.record.halts) == ({}, (), [])
    equity = result.account.system.portfolio.equity * 100
    assert equity == int(equity)
    return Told(result.quality.submitted, result.statistics.fills, int(equity))


def swept(history: PriceHistory, fasts: Sequence[int], slows: Sequence[int], *, jobs: int) -> list[Told]:
    """W7: a sweep of every pair of spans over all bars, each a whole backtest.

    Raises:
        AssertionError: an order was refused, or a trial stopped.
    """
    plan = SweepPlan(
        source=StrategySource(f"{__name__}:{EmaCross.__name__}"),
        params=tuple(f"{name}={','.join(map(str, spans))}" for name, spans in (("fast", fasts), ("slow", slows))),
        window=Window(history.dates[0].item(), history.dates[-1].item()),
        setup=setup(),
    )
    with TemporaryDirectory() as place:
        sweep, directory = Sweep(plan, history), Path(place) / "sweep"
        pool: Pool = InProcess(sweep.work, history)
        if jobs > 1:
            pool = Processes(sweep.work, history, jobs=jobs, directory=directory)
        outcomes = sweep.run(pool, directory).outcomes
    return [_outcome(one) for one in outcomes]


def _outcome(one: Outcome) -> Told:
    assert (one.refused, one.halts, one.error) == (0, 0, "")
    assert one.equity_end is not None
    return Told(one.orders, one.fills, int(one.equity_end * 100))


def heard(pairs: Sequence[tuple[float, float]]) -> Callable[[], int]:
    """W5: each quote is published, and the engine takes its step: positions, limits and the kill switch."""
    system, _ = account()
    board = system.ports.quotes
    assert isinstance(board, QuoteBoard)
    exact = [(Decimal(str(bid)), Decimal(str(ask))) for bid, ask in pairs]

    async def feed() -> int:
        for bid, ask in exact:
            board.publish(Quote("S0000", bid, ask, NOON, NOON, bid, source="bench"))
            await system.engine.on_step()
        return len(exact)

    return lambda: asyncio.run(feed())


class EmaCross(Strategy):
    """W1, W2, W7: a hundred shares while the fast exponential mean is above the slow one."""

    def __init__(self, fast: int = 10, slow: int = 20) -> None:
        self.fast, self.slow = fast, slow
        self._means: dict[str, tuple[float, float]] = {}
        self._held: dict[str, bool] = {}

    def on_bar(self, market: MarketView) -> Iterable[Order]:
        """One order for each crossing."""
        quick, lazy = 2 / (self.fast + 1), 2 / (self.slow + 1)
        for symbol in market.symbols:
            close = market.closes(symbol, 1).item()
            before = self._means.get(symbol)
            if before is None:
                self._means[symbol] = (close, close)
                continue
            fast, slow = before
            fast += quick * (close - fast)
            slow += lazy * (close - slow)
            self._means[symbol] = (fast, slow)
            rising = fast > slow
            if rising is not self._held.get(symbol, False):
                self._held[symbol] = rising
                yield market_order(symbol, OrderSide.BUY if rising else OrderSide.SELL)


class EmaCrossVector(VectorStrategy):
    """W1V: the same orders as `EmaCross`, but its means are asked for once, over all bars."""

    def __init__(self, fast: int = 10, slow: int = 20, past: int = PAST) -> None:
        """Means that begin with bar `past`, as those of `EmaCross` do."""
        self.fast, self.slow, self.past = fast, slow, past

    def targets(self, closes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Something while the fast mean is above the slow one, else nothing."""
        traded = closes[self.past :]
        held = np.zeros(closes.shape)
        for column in range(closes.shape[1] if len(traded) else 0):
            moved = pl.Series(traded[:, column] - traded[0, column])  # equal means are equal to the last bit
            fast, slow = (moved.ewm_mean(span=span, adjust=False).to_numpy() for span in (self.fast, self.slow))
            held[self.past :, column] = np.where(fast > slow, 0.1, 0.0)
        return held

    def on_bar(self, market: MarketView) -> Iterable[Order]:  # type: ignore[override]  # orders instead of signals
        """One order for each crossing."""
        for signal in super().on_bar(market):
            yield market_order(signal.symbol, OrderSide.BUY if signal.direction.sign else OrderSide.SELL)


class EveryBar(Strategy):
    """W3: buys and sells in turn, one order on each bar."""

    def __init__(self, bars: int) -> None:
        self.bars = bars

    def on_bar(self, market: MarketView) -> Iterable[Order]:
        """None on the last bar, whose order nobody would fill."""
        if market.bar < self.bars:
            yield market_order(market.symbols[0], OrderSide.BUY if market.bar % 2 else OrderSide.SELL)


class Protected(Strategy):
    """W4: buys on the first bar, and leaves a stop on the second."""

    def __init__(self, stop: Decimal) -> None:
        self.stop = stop

    def on_bar(self, market: MarketView) -> Iterable[Order]:
        """Nothing after that."""
        if market.bar == 1:
            yield market_order(market.symbols[0], OrderSide.BUY)
        elif market.bar == 2:
            yield Order(
                symbol=market.symbols[0],
                side=OrderSide.SELL,
                quantity=_QUANTITY,
                order_type=OrderType.STOP,
                time_in_force=TimeInForce.GTC,
                stop_price=self.stop,
            )


class Crowding(Strategy):
    """On each bar a share at the market, and one at a limit out of reach, which stays until the end."""

    def __init__(self, bars: int) -> None:
        self.bars = bars

    def on_bar(self, market: MarketView) -> Iterable[Order]:
        """Nothing on the last bar, whose orders nobody would fill."""
        if market.bar >= self.bars:
            return
        symbol = market.symbols[market.bar % len(market.symbols)]
        close = market.close(symbol)
        if close is not None:
            yield market_order(symbol, OrderSide.BUY, Decimal(1))
            yield Order(
                symbol=symbol,
                side=OrderSide.BUY,
                quantity=Decimal(1),
                order_type=OrderType.LIMIT,
                time_in_force=TimeInForce.GTC,
                limit_price=(close / 2).quantize(Decimal("0.01")),
                repeat=True,
            )


def market_order(symbol: str, side: OrderSide, quantity: Decimal = _QUANTITY) -> Order:
    """A hundred shares at the market, or so many; repetition is declared, for it is meant."""
    return Order(
        symbol=symbol,
        side=side,
        quantity=quantity,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.DAY,
        repeat=True,
    )


def quote_pairs(count: int, seed: int = 1) -> list[tuple[float, float]]:
    """Bids and asks that wander, a cent apart."""
    steps = np.random.default_rng(seed).integers(-1, 2, count)
    bids = (10_000 + np.cumsum(steps)) / 100
    return [(bid, round(bid + 0.01, 2)) for bid in bids.tolist()]
