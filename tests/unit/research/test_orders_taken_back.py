"""Backtests of strategies that cancel and change their orders, with a pencil: what trades, at what price, and when."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from quant_trading_system.app.backtesting import BacktestResult, backtest
from quant_trading_system.app.bootstrap import Costs, Setup
from quant_trading_system.core.events import FillEvent, OrderEvent, RunStarted
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.journal.keys import key_from_seed
from quant_trading_system.journal.replay import replay
from quant_trading_system.journal.sqlite_reader import JournalReader
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.simulation.fees import FeeSchedule
from quant_trading_system.simulation.models import LatencyModel, SlippageModel
from quant_trading_system.trading.strategy import MarketView, Strategy
from tests.support.desk import UNHURRIED, limits_with
from tests.support.minute_bars import minute_bars
from tests.support.orders import buy

D = Decimal
PENCIL = Costs(spread_bps=D(0), fees=FeeSchedule.zero(), latency=LatencyModel(), slippage=SlippageModel())
CLOSES = [100, 100, 100, 100, 100, 98, 97, 101, 101, 101]
"""Dollars at the ends of minutes; each minute begins where the last one ended, but the sixth, which opens at 98."""


def history() -> PriceHistory:
    whole = minute_bars(len(CLOSES))
    closes = np.array(CLOSES, dtype=np.int64).reshape(-1, 1) * 1_000_000
    opens = np.vstack([closes[:1], closes[:-1]])
    opens[5] = 98_000_000
    high, low = np.maximum(opens, closes), np.minimum(opens, closes)
    return PriceHistory(whole.symbols, whole.axis, closes, whole.present, opens, high, low, whole.volume)


class Plan(Strategy):
    """Says at numbered bars what it was given."""

    def __init__(self, **said: Callable[[MarketView], Iterable[object]]) -> None:
        self.said = {int(bar.removeprefix("at_")): says for bar, says in said.items()}
        self.saw: dict[int, tuple[object, ...]] = {}

    def on_bar(self, market: MarketView):
        self.saw[market.bar] = market.open_orders()
        yield from self.said.get(market.bar, lambda _: ())(market)


def run(strategy: Strategy, costs: Costs = PENCIL, place: Path | None = None, **how: object) -> BacktestResult:
    limits = limits_with(**UNHURRIED, price_collar_pct=D("0.5"))
    return backtest(strategy, history(), Setup(cash=D(100_000), limits=limits, costs=costs, directory=place), **how)


def fills(result: BacktestResult) -> list[tuple[str, Decimal, Decimal]]:
    events = (entry.event for entry in result.account.journal.entries(kinds=("fill",)))
    return [(e.order_id.partition("-")[2], e.quantity, e.price) for e in events if isinstance(e, FillEvent)]


def limit_at(price: str, quantity: int = 10) -> Callable[[MarketView], Iterable[object]]:
    return lambda _: [buy(quantity, "AAA", limit=price)]


def cancel_all(market: MarketView) -> Iterable[object]:
    return [market.cancel(order, reason="long enough") for order in market.open_orders()]


def test_a_limit_that_is_taken_back_after_three_bars_does_not_trade_at_the_gap_behind_them():
    """Bar 6 opens at 98, two dollars below the close at which the limit of 99 was taken back."""
    kept, taken_back = run(Plan(at_1=limit_at("99.00"))), run(Plan(at_1=limit_at("99.00"), at_5=cancel_all))
    assert fills(kept) == [("1-0", D(10), D("99.00"))]
    assert fills(taken_back) == []
    assert taken_back.account.system.portfolio.equity == 100_000
    (record,) = taken_back.account.system.orders.orders()
    assert (record.status, record.final_at) == (OrderStatus.CANCELED, history().bar("AAA", 4).end)


def test_a_changed_limit_trades_at_its_new_price_and_to_the_cent():
    """97.50 becomes 98.50 at the end of bar 5: it leaves with the first price of bar 6, 98, and takes the ask."""
    plan = Plan(
        at_1=limit_at("97.50"),
        at_5=lambda market: [market.replace(one, limit_price="98.50", quantity=20) for one in market.open_orders()],
    )
    result = run(plan)
    assert fills(result) == [("1-0.r1", D(20), D("98.01"))]
    assert result.account.system.portfolio.equity == D(100_000) - 20 * D("98.01") + 20 * D(101)  # 100,059.80
    assert [len(plan.saw[bar]) for bar in range(1, 8)] == [0, 1, 1, 1, 1, 0, 0]


def test_a_cancel_and_a_new_order_at_one_bar_leave_one_order():
    plan = Plan(
        at_1=limit_at("97.50"),
        at_3=lambda market: [*limit_at("98.50", 5)(market), *cancel_all(market)],
    )
    result = run(plan)
    assert fills(result) == [("2-0", D(5), D("98.50"))]
    assert [order.quantity for order in plan.saw[4]] == [5]
    assert result.account.system.portfolio.equity == D(100_000) + 5 * (D(101) - D("98.50"))  # 100,012.50


def test_a_cancel_takes_as_long_as_an_order_and_may_come_too_late():
    """At 20 seconds for every way, it arrives after the first price of the next minute, and the limit has traded."""
    slow = Costs(
        spread_bps=D(0),
        fees=FeeSchedule.zero(),
        latency=LatencyModel(order=timedelta(seconds=20), report=timedelta(seconds=20)),
        slippage=SlippageModel(),
    )
    result = run(Plan(at_1=limit_at("99.00"), at_5=cancel_all), slow)
    assert [quantity for _, quantity, _ in fills(result)] == [D(10)]
    (record,) = result.account.system.orders.orders()
    assert record.status is OrderStatus.FILLED


@pytest.mark.parametrize("is_watched", [False, True])
def test_it_is_the_same_in_memory_on_disk_and_step_by_step_and_replays(tmp_path, is_watched):
    def plan() -> Plan:
        return Plan(
            at_1=limit_at("97.50"),
            at_2=limit_at("96.00"),
            at_3=lambda market: [market.replace(market.open_orders()[0], limit_price="98.50")],
            at_4=lambda market: [market.cancel(market.open_orders()[0], reason="the older one")],
        )

    in_memory = run(plan())
    on_disk = run(plan(), place=tmp_path, watch=(lambda _: None) if is_watched else None)
    assert on_disk.record.equity == in_memory.record.equity
    with closing(JournalReader(tmp_path / "journal.db", key_from_seed(Setup().seed))) as journal:
        told = [entry.event for entry in journal.entries()]
        assert replay(journal).agrees
    assert [event for event in told if not isinstance(event, RunStarted)] == [
        entry.event for entry in in_memory.account.journal.entries() if not isinstance(entry.event, RunStarted)
    ]
    reasons = [event.reason for event in told if isinstance(event, OrderEvent) and event.asks_for_cancel]
    assert reasons == ["strategy Plan: the older one"]
