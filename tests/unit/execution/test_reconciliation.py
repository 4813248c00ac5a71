"""Two sets of books side by side: what differs is named, and nothing is corrected."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.execution.broker import BrokerAccount, BrokerOrder, BrokerPosition
from quant_trading_system.execution.reconciliation import (
    BreakKind,
    compare_cash,
    compare_orders,
    compare_positions,
    reconcile,
)
from tests.support.desk import Account
from tests.support.orders import buy

D = Decimal


def position(symbol: str, quantity: int) -> BrokerPosition:
    return BrokerPosition(symbol=symbol, quantity=D(quantity), average_price=D(100))


@pytest.mark.parametrize(
    ("ours", "theirs", "found"),
    [
        ({}, [], []),
        ({"KO": D(5)}, [position("KO", 5)], []),
        ({"KO": D("5.000")}, [position("KO", 5)], []),
        ({"KO": D(5)}, [], [("KO", "5", "0")]),
        ({}, [position("KO", -5)], [("KO", "0", "-5")]),
        ({"KO": D(5)}, [position("KO", -5)], [("KO", "5", "-5")]),
        ({"PEP": D(1), "KO": D(1)}, [], [("KO", "1", "0"), ("PEP", "1", "0")]),
    ],
)
def test_positions_that_differ_are_named_with_both_quantities(ours, theirs, found):
    breaks = compare_positions(ours, theirs)
    assert [(b.subject, b.ours, b.theirs) for b in breaks] == found
    assert all(b.kind is BreakKind.POSITION and b.blocks for b in breaks)


@pytest.mark.parametrize(
    ("cash", "breaks", "blocks"), [("1000", 0, False), ("999.99", 1, False), ("995", 1, False), ("994.99", 1, True)]
)
def test_cash_is_told_to_the_cent_and_blocks_beyond_what_fees_explain(cash, breaks, blocks):
    found = compare_cash(D(1000), BrokerAccount(account_id="a", cash=D(cash), equity=D(cash)))
    assert len(found) == breaks
    assert any(b.blocks for b in found) == blocks


def theirs(order_id: str) -> BrokerOrder:
    return BrokerOrder(
        client_order_id=order_id,
        venue_order_id="v",
        symbol="KO",
        side=OrderSide.BUY,
        status=OrderStatus.WORKING,
        quantity=D(3),
    )


def test_orders_that_one_side_does_not_know_are_breaks():
    account = Account()
    record = account.working(buy(3, limit="99.00"))
    known = compare_orders([record], [theirs(record.order_id)])
    missing = compare_orders([record], [])
    foreign = compare_orders([], [theirs("by hand")])
    assert known == []
    assert [(b.kind, b.subject) for b in missing] == [(BreakKind.MISSING_ORDER, record.order_id)]
    assert [(b.kind, b.theirs) for b in foreign] == [(BreakKind.FOREIGN_ORDER, "buy 3 KO working")]


def test_orders_are_asked_about_before_anything_is_compared():
    """An order in doubt that the broker knows is settled first, and is then no break."""
    account = Account()
    account.broker.answers.append("time_out")
    placed = account.submit(buy(3))
    account.broker.known[placed.order_id] = account.broker.seen(placed.order_id, OrderStatus.WORKING)
    found = asyncio.run(reconcile(account.broker, account.portfolio, account.orders))
    assert account.record(placed.order_id).status is OrderStatus.WORKING
    assert [b.kind for b in found] == [BreakKind.CASH]  # the scripted broker has no money
