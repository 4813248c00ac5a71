"""Backtest and wire are one: the same strategies, seed and prices, in process and over HTTP and WebSocket."""

from __future__ import annotations

import asyncio
from datetime import date

import pytest

from quant_trading_system.app.backtesting import BacktestResult, run_account
from quant_trading_system.app.demo import DemoPlan, Operator, demo_account
from quant_trading_system.app.wire_demo import demo_over_wire
from quant_trading_system.journal.keys import journal_key
from quant_trading_system.journal.replay import replay
from quant_trading_system.journal.sqlite_reader import JournalReader

SPRING = DemoPlan(last=date(2021, 2, 26))
LEHMAN = DemoPlan(crash=True, last=date(2008, 2, 8))


def in_process(plan: DemoPlan) -> BacktestResult:
    account = demo_account(plan, None)
    operator = Operator(account)
    return asyncio.run(run_account(account, operator.watch))


def over_the_wire(plan: DemoPlan, directory) -> BacktestResult:
    return asyncio.run(demo_over_wire(plan, directory, lambda account: Operator(account).watch))


def story(result: BacktestResult):
    """Everything that was decided and done; times of day alone may differ, for reports come a little later."""
    orders = [
        (o.order_id, o.order.symbol, o.order.side, o.order.quantity, o.order.limit_price, o.status, o.filled, o.reason)
        for o in result.account.system.orders.orders()
    ]
    fills = [(fill.order_id, fill.quantity, fill.price, fill.at.date()) for fill in result.record.fills]
    curve = [(at.date(), equity) for at, equity in zip(result.record.times, result.record.equity, strict=True)]
    return orders, fills, curve, result.account.system.portfolio.cash


@pytest.mark.parametrize("plan", [SPRING, LEHMAN], ids=["2021", "2008"])
def test_the_same_orders_fills_equity_and_cash_to_the_cent(plan, tmp_path):
    direct, wired = story(in_process(plan)), story(over_the_wire(plan, tmp_path / "demo"))
    for ours, theirs in zip(direct, wired, strict=True):
        assert ours == theirs
    assert len(direct[1]) > 10


def test_the_journal_of_the_wire_is_sound_and_the_same_every_time(tmp_path):
    plan = DemoPlan(last=date(2021, 1, 12))
    first, second = (over_the_wire(plan, tmp_path / name) for name in ("first", "second"))
    assert first.record.fills
    assert first.journal_head == second.journal_head
    path = tmp_path / "first" / "journal.db"
    with JournalReader(path, journal_key(path)) as reader:
        assert replay(reader).agrees
