"""Two failures that cost hundreds of millions, replayed: both end at the first lines."""

from __future__ import annotations

import asyncio
from collections import Counter
from decimal import Decimal

from quant_trading_system.core.decisions import ExecutionPlan, Rejection, Rule
from quant_trading_system.core.instruments import Instrument, Universe
from quant_trading_system.core.numbers import ONE
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce
from quant_trading_system.execution.order_manager import Placed
from tests.support.desk import UNHURRIED, Account, Desk, limits_with
from tests.support.gate_cases import verdict
from tests.support.orders import buy

D = Decimal
PARENTS = 212


def test_a_router_that_does_not_count_fills_sends_one_child_for_each_parent():
    """212 parents whose children fill and are sent again, as if nothing had filled: the second child is refused."""
    limits = limits_with(
        **UNHURRIED, max_open_orders_per_symbol=1000, max_position_pct=ONE,
        max_sector_exposure=ONE,
    )  # fmt: skip
    account = Account(limits=limits, cash="10000000")
    account.broker.answers.extend(["fill"] * 1000)
    answers: list[Placed | Rejection] = []
    for number in range(PARENTS):
        parent = f"parent-{number}"
        plan = ExecutionPlan(choice="twap", why="a test", urgency=ONE, parent=parent)
        whole = buy(10, limit="100.01", strategy="router", client_order_id=parent)
        assert not isinstance(account.orders.rooms.take(parent, whole, plan), Rejection)
        for child in range(5):
            order = buy(10, limit="100.01", strategy="router", client_order_id=f"{parent}.{child}")
            answers.append(asyncio.run(account.orders.submit(order, plan=plan)))
    refused = Counter(answer.rule for answer in answers if isinstance(answer, Rejection))
    assert refused == {Rule.WITHIN_PARENT: 4 * PARENTS}
    assert account.portfolio.position("KO").quantity == 10 * PARENTS


def test_a_loop_without_parents_is_stopped_at_its_limit_of_repeats():
    """The same router without parents: sixty orders, then nothing more, whatever it asks for."""
    account = Account(
        limits=limits_with(max_open_orders_per_symbol=1000, max_position_pct=ONE, max_sector_exposure=ONE)
    )
    account.broker.answers.extend(["fill"] * 1000)
    asked = [account.submit(buy(1, limit="100.01", strategy="router")) for _ in range(400)]
    limit = account.system.checker.limits.max_repeated_orders
    assert [isinstance(answer, Placed) for answer in asked] == [number < limit for number in range(400)]
    assert Counter(verdict(answer) for answer in asked[limit:]) == {  # type: ignore[arg-type]
        "max_repeated_orders": 1, "strategy_armed": 400 - limit - 1
    }  # fmt: skip


def test_a_basket_of_444_thousand_million_instead_of_58_million_sends_nothing():
    """349 lines, each 7655 times what was meant: the gate of an account that may send the 58 million sends none."""
    names = [f"S{number:03}" for number in range(349)]
    universe = Universe(Instrument(symbol=name, sector=f"sector {number % 11}") for number, name in enumerate(names))
    limits = limits_with(
        **UNHURRIED, max_portfolio_positions=349, max_order_quantity=D(10**9), max_position_quantity=D(10**9),
        max_order_notional=D(1_000_000),
    )  # fmt: skip
    desk = Desk(cash="100000000", limits=limits, universe=universe)
    for name in names:
        desk.board.put(name, "99.99", "100.01")
    meant = [desk.check(_line(name, 1_661)) for name in names]
    entered = [desk.check(_line(name, 1_661 * 7_655)) for name in names]
    assert {verdict(answer) for answer in meant} == {"ok"}
    assert {verdict(answer) for answer in entered} == {"max_order_notional"}
    first = entered[0]
    assert isinstance(first, Rejection)
    assert first.message == "max_order_notional: buy S000: 1271622649.55 USD, limit 1000000 USD"


def _line(symbol: str, shares: int) -> Order:
    return Order(
        symbol=symbol,
        side=OrderSide.BUY,
        quantity=D(shares),
        order_type=OrderType.LIMIT,
        limit_price=D("100.01"),
        time_in_force=TimeInForce.DAY,
    )
