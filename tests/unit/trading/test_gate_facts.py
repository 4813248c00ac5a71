"""What the gate asks of the rest of a running account, also after a restart."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from quant_trading_system.core.decisions import Rejection, Rule
from quant_trading_system.core.orders import Order, OrderSide
from quant_trading_system.execution.order_manager import Placed
from quant_trading_system.trading.gate_facts import fills_before
from tests.support.desk import Account, limits_with
from tests.support.orders import buy, sell
from tests.support.restart import Life

D = Decimal


def verdict(answer: Placed | Rejection) -> str:
    return answer.rule.value if isinstance(answer, Rejection) else "sent"


def filled(account: Account, order: Order) -> None:
    account.broker.answers.append("fill")
    answer = account.submit(order)
    assert isinstance(answer, Placed), answer
    assert account.record(answer.order_id).filled == order.quantity


def test_the_proceeds_of_a_sale_buy_nothing_before_they_settle():
    account = Account(
        cash="60000", limits=limits_with(use_unsettled_cash=False, max_position_pct=D(1), max_sector_exposure=D(1))
    )
    account.hold("KO", 500)
    assert verdict(account.submit(buy(95, symbol="PEP"))) == "sent"
    filled(account, sell(300))
    assert account.portfolio.cash == 40_000
    assert verdict(account.submit(buy(6, symbol="XOM"))) == "settled_cash"
    assert verdict(account.submit(buy(4, symbol="XOM"))) == "sent"


def test_the_budget_of_a_strategy_sees_what_it_holds():
    account = Account(limits=limits_with(strategy_budgets=("s value 1000",)))
    filled(account, buy(6, strategy="s"))
    assert verdict(account.submit(buy(5, symbol="PEP", strategy="s"))) == "strategy_value"
    assert verdict(account.submit(buy(5, symbol="PEP", strategy="other"))) == "sent"


def test_the_loss_of_a_strategy_counts_what_it_holds_at_its_cost():
    account = Account(limits=limits_with(strategy_budgets=("s loss 30",)))
    filled(account, buy(6, strategy="s"))
    account.portfolio.mark("KO", D("94.99"))
    refused = account.submit(buy(1, symbol="PEP", strategy="s"))
    assert verdict(refused) == "strategy_loss"
    assert isinstance(refused, Rejection)
    assert refused.actual == D("30.06")
    account.portfolio.mark("KO", D("95.01"))
    assert verdict(account.submit(buy(1, symbol="PEP", strategy="s"))) == "sent"


def test_without_past_returns_limits_on_the_tail_refuse():
    account = Account(limits=limits_with(max_var_95_pct=D("0.5")))
    refused = account.submit(buy(1))
    assert isinstance(refused, Rejection)
    assert (refused.rule, refused.message.rpartition("(")[2]) == (Rule.MAX_VAR, "some past returns are unknown)")


def test_a_restart_forgets_no_fill_of_the_window():
    life = Life()
    system = life.begin()
    life.trade(buy(10), "100")
    life.trade(sell(4), "101")
    fills = asyncio.run(_facts(system))
    again = asyncio.run(_facts(life.again()))
    assert fills == again == (D("403.98"), 2)


async def _facts(system) -> tuple[Decimal | None, int | None]:
    sources = system.checker.sources
    return sources.unsettled(), sources.day_trades("PEP")


def test_looking_back_ends_at_the_entry_that_was_the_last(monkeypatch):
    monkeypatch.setattr("quant_trading_system.trading.gate_facts.PIECE", 2)
    life = Life()
    life.begin()
    life.trade(buy(10), "100")
    (fill,) = list(life.journal.entries(kinds=("fill",)))
    life.trade(sell(4), "101")
    found = list(fills_before(life.journal, fill.seq, life.clock.now()))
    assert [event.side for event in found] == [OrderSide.BUY]
