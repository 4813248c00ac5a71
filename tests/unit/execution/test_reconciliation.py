"""Two sets of books side by side: what differs is named, what is on its way is not, and nothing is corrected."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from quant_trading_system.core.breaks import BreakKind, Owner, Severity
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.execution.broker import Execution
from quant_trading_system.execution.reconciliation import (
    Books,
    OurOrder,
    compare,
    compare_cash,
    compare_positions,
    of_this_time,
)
from quant_trading_system.execution.statement import SeenActivity, SeenFill, Statement
from tests.support.market import NOON
from tests.support.scripted_statement import seen_order, seen_position

D = Decimal


def ours(status: OrderStatus = OrderStatus.WORKING, filled: int = 0, side: str = "buy") -> OurOrder:
    return OurOrder(
        symbol="KO",
        side=OrderSide(side),
        status=status,
        quantity=D(10),
        filled=D(filled),
        leaves=D(10 - filled) if status.is_open else D(0),
    )


CAUSES = """
symbol   shares   action   named
KO       5        split    yes
KO       4        split    no
PEP      5        split    no
KO       5        -        no
"""


@pytest.mark.parametrize("line", CAUSES.strip().splitlines()[1:], ids=lambda line: "-".join(line.split()))
def test_a_corporate_action_explains_a_difference_only_if_it_makes_it_up_exactly(line):
    """Whoever reads of a split takes the difference for harmless."""
    symbol, shares, action, named = line.split()
    told = SeenActivity(
        activity_id="a1",
        word="SPLIT",
        kind=None,
        amount=None,
        symbol=symbol,
        action=action.strip("-"),
        shares=D(shares),
    )
    books = Books(positions={"KO": D(5)}, cash=D(1000), orders={})
    (found,) = compare(books, Statement(orders=(), positions=(seen_position("KO", 10),), activities=(told,)))
    assert found.cause == ("split (entry a1: 5 shares)" if named == "yes" else "")


@pytest.mark.parametrize("there", ["filled", "canceled", "expired"])
def test_an_order_that_has_ended_here_and_there_is_nobody_else_s(there):
    """However each side calls the end; only what is open there and ended here may still trade."""
    ended = {"o1": ours(OrderStatus.CANCELED)}
    assert differences({"orders": ended}, {"orders": [seen_order("o1", 10, status=there)]}) == []
    working = {"orders": [seen_order("o1", 10)]}
    assert differences({"orders": ended}, working) == [(BreakKind.FOREIGN_ORDER, "o1")]


def differences(books: dict, statement: dict, cash: int = 1000) -> list[tuple[BreakKind, str]]:
    held = {symbol: D(quantity) for symbol, quantity in books.get("positions", {}).items()}
    found = compare(
        Books(positions=held, cash=D(1000), orders=books.get("orders", {})),
        Statement(
            orders=tuple(statement.get("orders", ())),
            positions=tuple(seen_position(s, q) for s, q in statement.get("positions", {}).items()),
            cash=D(cash),
        ),
    )
    return [difference.name for difference in found]


@pytest.mark.parametrize(
    ("ours", "theirs", "found"),
    [
        ({}, [], []),
        ({"KO": D(5)}, [seen_position("KO", 5)], []),
        ({"KO": D("5.000")}, [seen_position("KO", 5)], []),
        ({"KO": D(5)}, [], [("KO", "5", "0", -5)]),
        ({}, [seen_position("KO", -5)], [("KO", "0", "-5", -5)]),
        ({"KO": D(5)}, [seen_position("KO", -5)], [("KO", "5", "-5", -10)]),
        ({"PEP": D(1), "KO": D(1)}, [], [("KO", "1", "0", -1), ("PEP", "1", "0", -1)]),
    ],
)
@pytest.mark.fault("position-differs")
def test_positions_that_differ_are_named_with_both_quantities(ours, theirs, found):
    breaks = compare_positions(ours, theirs)
    assert [(b.subject, b.ours, b.theirs, b.difference) for b in breaks] == found
    assert all(b.kind is BreakKind.POSITION and b.blocks and b.symbol == b.subject for b in breaks)


@pytest.mark.parametrize(
    ("cash", "breaks", "blocks"), [("1000", 0, False), ("999.99", 1, False), ("995", 1, False), ("994.99", 1, True)]
)
@pytest.mark.fault("cash-differs")
def test_cash_is_told_to_the_cent_and_blocks_beyond_what_fees_explain(cash, breaks, blocks):
    found = compare_cash(D(1000), D(cash))
    assert len(found) == breaks
    assert any(b.blocks for b in found) == blocks
    assert all(not b.symbol for b in found), "cash is everybody's"


@pytest.mark.parametrize("status", [OrderStatus.SENT, OrderStatus.IN_DOUBT])
@pytest.mark.parametrize(
    ("side", "theirs", "kinds"),
    [
        ("buy", 0, []),
        ("buy", 10, []),
        ("buy", 11, [(BreakKind.POSITION, "KO")]),
        ("buy", -1, [(BreakKind.POSITION, "KO")]),
        ("sell", -10, []),
        ("sell", 1, [(BreakKind.POSITION, "KO")]),
    ],
)
def test_an_order_without_an_answer_explains_what_it_may_have_done_and_no_more(status, side, theirs, kinds):
    positions = {"KO": theirs} if theirs else {}
    assert differences({"orders": {"a": ours(status, side=side)}}, {"positions": positions}) == kinds


def test_a_fill_that_the_broker_counts_and_we_have_not_booked_is_one_difference_not_three():
    """The order is named; position and cash follow from it."""
    order = seen_order("a", 10, status="partially_filled", filled=4)
    assert differences({"orders": {"a": ours()}}, {"orders": [order], "positions": {"KO": 4}}, cash=600) == [
        (BreakKind.MISSING_FILL, "a")
    ]


def test_a_position_that_the_missing_fill_does_not_explain_is_a_difference_of_its_own():
    order = seen_order("a", 10, status="partially_filled", filled=4)
    assert differences({"orders": {"a": ours()}}, {"orders": [order], "positions": {"KO": 5}}) == [
        (BreakKind.MISSING_FILL, "a"),
        (BreakKind.POSITION, "KO"),
    ]


def test_orders_that_one_side_does_not_know_or_has_otherwise_are_differences():
    assert differences({"orders": {"a": ours()}}, {"orders": [seen_order("a", 10)]}) == []
    assert differences({"orders": {"a": ours()}}, {}) == [(BreakKind.MISSING_ORDER, "a")]
    assert differences({"orders": {"a": ours(OrderStatus.CANCELED)}}, {}) == []
    assert differences({}, {"orders": [seen_order("by hand")]}) == [(BreakKind.FOREIGN_ORDER, "by hand")]
    assert differences({"orders": {"a": ours()}}, {"orders": [seen_order("a", 11)]}) == [
        (BreakKind.ORDER_QUANTITY, "a")
    ]


@pytest.mark.parametrize(
    ("order_id", "severity"),
    [
        ("6f2c9a6e-7f0e-4f36-9a55-0f7c5d9b7c11", Severity.SERIOUS),
        ("by hand", Severity.SERIOUS),
        ("0ca34559d7d2-1-0", Severity.CRITICAL),
        ("0ca34559d7d2-1-0.r2", Severity.CRITICAL),
        ("qts7-0ca34559d7d2-1-0", Severity.CRITICAL),
    ],
)
@pytest.mark.fault("order-of-our-make")
def test_a_foreign_order_with_an_id_of_our_make_is_critical(order_id, severity):
    (found,) = compare(
        Books(positions={}, cash=D(0), orders={}), Statement(orders=(seen_order(order_id),), positions=())
    )
    assert (found.severity, found.owner, found.symbol) == (severity, Owner.OPERATOR, "KO")


def test_what_others_traded_before_our_books_began_is_nobodys_business():
    def fill(order_id: str, seconds: int) -> SeenFill:
        at = NOON + timedelta(seconds=seconds)
        execution = Execution(execution_id=order_id, quantity=D(1), price=D(1), cumulative_quantity=D(1), at=at)
        return SeenFill(order_id=order_id, execution=execution)

    statement = Statement(
        orders=(
            seen_order("before", status="filled", filled=3),
            seen_order("after", status="filled", filled=3),
            seen_order("ours", status="filled", filled=3),
            seen_order("open"),
        ),
        positions=(),
        fills=(fill("before", -1), fill("after", 1), fill("ours", -1)),
    )
    kept = of_this_time(statement, {"ours"}, NOON).orders
    assert [order.seen.client_order_id for order in kept] == ["after", "ours", "open"]
