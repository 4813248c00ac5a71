"""A strategy that wants to open both ways at once: the gate says so, and the broker need not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from quant_trading_system.app.backtesting import BacktestResult, backtest
from quant_trading_system.core.decisions import Rule
from quant_trading_system.core.instruments import Instrument, Universe
from quant_trading_system.core.orders import Order, OrderSide
from quant_trading_system.execution.order_manager import Placed
from quant_trading_system.trading.strategy import MarketView, Strategy
from quant_trading_system.trading.system import TradingSystem
from tests.support.desk import Account, limits_with
from tests.support.groups import LEADER, bracket
from tests.support.orders import buy, sell
from tests.support.restart import Life
from tests.support.workloads import prices, setup


class BothSides(Strategy):
    """Keeps a purchase below the price and a sale above it, both far away."""

    def on_bar(self, market: MarketView) -> Iterable[Any]:
        for symbol in market.symbols:
            sides = {order.side for order in market.open_orders(symbol)}
            if OrderSide.BUY not in sides:
                yield buy(1, symbol, "10")
            if OrderSide.SELL not in sides:
                yield sell(1, symbol, "1000")


def run(bars: int, symbols: int) -> BacktestResult:
    history = prices(bars, symbols, seed=4)
    universe = Universe(Instrument(symbol=symbol, shortable=True) for symbol in history.symbols)
    limits = {"allow_short": True, "allow_hard_to_borrow": True, "price_collar_pct": Decimal("0.99")}
    return backtest(BothSides(), history, replace(setup(**limits), universe=universe))


def test_the_gate_refuses_the_other_side_and_nobody_halts_for_it():
    result = run(10, 5)
    assert result.record.halts == []
    assert result.quality.rejections == {"self_match": 9 * 5}
    refused = [decision for decision in result.decisions.values() if decision.refused_by is not None]
    assert {decision.refused_by for decision in refused} == {Rule.SELF_MATCH}
    first = next(check for check in refused[0].checks if check.rule is Rule.SELF_MATCH)
    assert first.detail.startswith("it would open a short position while our own ")
    assert first.detail.endswith(" is open, which is to open a long one: cancel that first, or let it fill")
    assert refused[0].judged_again is Rule.SELF_MATCH


# -- one order after the other -----------------------------------------------------------------------------------------

SHORTS = limits_with(allow_short=True, allow_hard_to_borrow=True)


def self_match(system: TradingSystem, order: Order) -> str:
    """What the rule says against `order`; empty when it lets it pass."""
    verdict = system.checker.check_order(order)
    return next(check.detail for check in verdict.decision.checks if check.rule is Rule.SELF_MATCH)


def test_a_change_that_the_broker_has_not_confirmed_counts_at_its_new_price():
    account = Account(limits=SHORTS)
    account.hold("KO", -20)
    cover = account.working(buy(5, limit="99"))
    assert self_match(account.system, sell(5, limit="100.5")) == ""
    account.broker.answers.append("silent")
    changed = asyncio.run(account.orders.replace(cover.order_id, limit_price=Decimal("101")))
    assert isinstance(changed, Placed)
    assert account.reserved[changed.order_id] == 0
    assert self_match(account.system, sell(5, limit="100.5")) == f"it could trade with our own {changed.order_id}"
    assert self_match(account.system, sell(5, limit="101.01")) == ""


def test_after_a_restart_an_entry_with_exits_stands_against_the_other_side():
    life = Life()
    life.limits = SHORTS
    life.begin()
    life.submit(bracket(5, limit="99"))
    system = life.again()
    assert f"our own {LEADER} is open, which is to open a long one" in self_match(system, sell(5, limit="105"))


def test_after_a_restart_the_exits_of_a_group_stand_against_nothing():
    life = Life()
    life.limits = SHORTS
    life.begin()
    life.submit(bracket(5, limit="99"))
    assert self_match(life.again(), buy(5, limit="98")) == ""
