"""What entries add up to, and what in them contradicts what came before."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from quant_trading_system.core.events import (
    CashMoved,
    FillEvent,
    HaltLevel,
    HaltTrigger,
    KillSwitchEvent,
    OrderEvent,
    RiskEvent,
    RiskEventKind,
    RunFinished,
    RunStarted,
    StrategyStopped,
)
from quant_trading_system.core.order_state import OrderStatus as S
from quant_trading_system.core.order_state import OrderTrigger as T
from quant_trading_system.core.order_state import PendingRequest
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce
from quant_trading_system.journal import order_fold, projection
from quant_trading_system.journal.projection import Halt, Projection
from quant_trading_system.journal.store import MemoryJournal

D = Decimal

AT = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
LATER = datetime(2024, 1, 3, 14, 30, tzinfo=UTC)


def order_event(order_id, status, trigger, quantity=None, **more):
    """An order event; with a quantity it carries the order itself, as the first one does."""
    order = None
    if quantity is not None:
        order = Order(
            symbol="KO",
            side=OrderSide.BUY,
            quantity=D(quantity),
            order_type=OrderType.MARKET,
            time_in_force=TimeInForce.DAY,
            client_order_id=order_id,
            strategy="momentum",
        )
    return OrderEvent(at=AT, order_id=order_id, symbol="KO", status=status, trigger=trigger, order=order, **more)


def sent(order_id, quantity=100):
    return order_event(order_id, S.SENT, T.SEND, quantity)


def fill(order_id, execution, quantity, cumulative, price="60.00", **more):
    """A buy of KO that leaves what it buys as the position, unless told otherwise."""
    more.setdefault("position_quantity", D(cumulative))
    more.setdefault("cash", -D(cumulative) * D(price))
    return FillEvent(
        at=AT,
        order_id=order_id,
        execution_id=execution,
        symbol=more.pop("symbol", "KO"),
        side=more.pop("side", OrderSide.BUY),
        quantity=D(quantity),
        price=D(price),
        cumulative_quantity=D(cumulative),
        **more,
    )


def moved(amount, cash):
    return CashMoved(at=AT, amount=D(amount), cash=D(cash), reason="deposit")


def switched(level, trigger, activation, at=AT):
    return KillSwitchEvent(at=at, level=level, reason="-5 %", trigger=trigger, by="ann", activation=activation)


def run_started(run="run"):
    return RunStarted(
        at=AT,
        run=run,
        mode="backtest",
        strategies=("momentum",),
        seed=7,
        version="0.1.0",
        limits={},
        limits_version="5f1c",
        universe=(),
    )


def fold(*events, history=None):
    """The projection after `events`, and the differences as text."""
    books = Projection(history)
    found = [str(difference) for seq, event in enumerate(events, 1) for difference in books.apply(seq, event)]
    return books, found


# -- orders --------------------------------------------------------------------------------------------------------


def test_an_order_is_known_in_full_while_it_is_open():
    books, found = fold(
        sent("run-1-0"),
        order_event("run-1-0", S.WORKING, T.ACCEPT, venue_order_id="v1"),
        order_event("run-1-0", S.WORKING, None, pending=PendingRequest.CANCEL),
        fill("run-1-0", "v1:1", 30, 30),
        order_event("run-1-0", S.PARTIALLY_FILLED, T.FILL_PART, quantity_filled=D(30), pending=PendingRequest.CANCEL),
    )
    assert found == []
    view = books.orders.open["run-1-0"]
    assert (view.status, view.pending, view.side, view.quantity) == (
        S.PARTIALLY_FILLED,
        PendingRequest.CANCEL,
        OrderSide.BUY,
        D(100),
    )
    assert (view.quantity_filled, view.executed, view.venue_order_id, view.strategy) == (D(30), D(30), "v1", "momentum")
    assert view.order is not None


def test_an_order_that_has_ended_is_counted():
    books, found = fold(
        sent("a"),
        order_event("a", S.REJECTED, T.REJECT, reason="halted"),
        order_event("b", S.DENIED, T.DENY, 100),
        sent("c"),
        order_event("c", S.UNSENT, T.NOT_SENT),
    )
    assert found == []
    assert (dict(books.orders.open), books.orders.ended) == ({}, {S.REJECTED: 1, S.DENIED: 1, S.UNSENT: 1})
    assert (books.orders.count, books.run_orders) == (3, 3)
    view = books.orders.get("a")
    assert view is not None
    assert (view.status, view.order) == (S.REJECTED, None)


def test_open_orders_stay_in_the_order_in_which_they_were_sent():
    books, _ = fold(
        sent("a"), sent("b"), sent("c"), order_event("a", S.WORKING, T.ACCEPT), order_event("b", S.UNSENT, T.NOT_SENT)
    )
    assert list(books.orders.open) == ["a", "c"]


def test_an_absent_order_that_turns_up_is_open_again_in_full():
    books, found = fold(
        sent("a"),
        order_event("a", S.IN_DOUBT, T.TIME_OUT),
        order_event("a", S.ABSENT, T.FIND_ABSENT),
        order_event("a", S.WORKING, T.ACCEPT),
    )
    assert found == []
    assert (books.orders.open["a"].order is not None, books.orders.ended.total()) == (True, 0)


def test_a_fill_that_comes_after_the_cancel_still_counts():
    books, found = fold(
        sent("a"),
        order_event("a", S.CANCELED, T.CANCEL),
        fill("a", "v:1", 100, 100),
        order_event("a", S.FILLED, T.FILL_LAST, quantity_filled=D(100)),
    )
    assert found == []
    assert (books.orders.ended, books.positions["KO"].quantity) == ({S.CANCELED: 0, S.FILLED: 1}, D(100))


CONTRADICTIONS = {
    "status that does not follow": (
        [sent("a"), order_event("a", S.FILLED, T.ACCEPT)],
        ["entry 2: status of a is recorded as filled, the entries give working"],
    ),
    "trigger that cannot happen": (
        [sent("a"), order_event("a", S.REJECTED, T.REJECT), order_event("a", S.UNSENT, T.NOT_SENT)],
        ["entry 3: transition of a is recorded as not_sent, the entries give not possible when rejected"],
    ),
    "status that changed by itself": (
        [sent("a"), order_event("a", S.WORKING, None)],
        ["entry 2: status of a is recorded as working, the entries give sent"],
    ),
    "sent twice": (
        [sent("a"), sent("a")],
        ["entry 2: transition of a is recorded as send, the entries give not possible when sent"],
    ),
    "never sent": (
        [order_event("a", S.WORKING, T.ACCEPT)],
        ["entry 1: order a is recorded as accept, the entries give an order that was never sent"],
    ),
    "sent without content": (
        [order_event("a", S.SENT, T.SEND)],
        ["entry 1: order a is recorded as send, the entries give an order that was never sent"],
    ),
    "sent as something else": (
        [order_event("a", S.WORKING, T.SEND, 100)],
        ["entry 1: status of a is recorded as working, the entries give sent"],
    ),
    "less filled than before": (
        [
            sent("a"),
            order_event("a", S.PARTIALLY_FILLED, T.FILL_PART, quantity_filled=D(30)),
            order_event("a", S.CANCELED, T.CANCEL, quantity_filled=D(20)),
        ],
        ["entry 3: quantity_filled of a is recorded as 20, the entries give 30"],
    ),
    "fill of no order": (
        [fill("a", "v:1", 10, 10)],
        ["entry 1: order a is recorded as filled, the entries give never sent"],
    ),
    "fill of another symbol": (
        [sent("a"), fill("a", "v:1", 10, 10, symbol="XOM")],
        ["entry 2: fill of a is recorded as buy XOM, the entries give buy KO"],
    ),
    "the same execution twice": (
        [sent("a"), fill("a", "v:1", 10, 10), fill("a", "v:1", 10, 20)],
        ["entry 3: execution_id is recorded as v:1, the entries give the same id in an earlier fill"],
    ),
    "the same shares twice": (
        [sent("a"), fill("a", "v:1", 10, 10), fill("a", "v:2", 10, 15, position_quantity=D(20), cash=D(-1200))],
        ["entry 3: cumulative_quantity of a is recorded as 15, the entries give fills of (0, 10]"],
    ),
    "more shares than there are": (
        [sent("a"), fill("a", "v:1", 10, 5, position_quantity=D(10), cash=D(-600))],
        ["entry 2: cumulative_quantity of a is recorded as 5, the entries give fills of nothing"],
    ),
    "another position": (
        [sent("a"), fill("a", "v:1", 10, 10, position_quantity=D(11))],
        ["entry 2: position KO is recorded as 11, the entries give 10"],
    ),
    "another cash": (
        [sent("a"), fill("a", "v:1", 10, 10, cash=D("-600.01"))],
        ["entry 2: cash is recorded as -600.01, the entries give -600.00"],
    ),
    "another profit": (
        [sent("a"), fill("a", "v:1", 10, 10, realized_pnl=D(1))],
        ["entry 2: realized_pnl of the fill is recorded as 1, the entries give 0"],
    ),
    "money from nowhere": (
        [moved(100, 100), moved(5, 106)],
        ["entry 2: cash is recorded as 106, the entries give 105"],
    ),
    "numbers that no book can hold": (
        [moved("9E+79", "9E+79"), moved("0.1", "9E+79")],
        ["entry 2: arithmetic is recorded as Inexact, the entries give a sum that no exact book can hold"],
    ),
    "an activation that goes back": (
        [
            switched(HaltLevel.HALTED, HaltTrigger.MANUAL, activation=2),
            switched(HaltLevel.RUNNING, HaltTrigger.RESET, activation=1),
        ],
        ["entry 2: activation is recorded as 1, the entries give at least 2"],
    ),
    "a run with other totals": (
        [run_started(), sent("a"), RunFinished(at=AT, run="run", orders=2, fills=1)],
        [
            "entry 3: orders of the run is recorded as 2, the entries give 1",
            "entry 3: fills of the run is recorded as 1, the entries give 0",
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_a_contradiction_is_named_once_with_both_values(name):
    events, differences = CONTRADICTIONS[name]
    _, found = fold(*events, StrategyStopped(at=AT, strategy="momentum", error="x"))
    assert found == differences


def test_fills_may_come_out_of_order():
    """A fill that the stream lost comes later, from the history."""
    _, found = fold(
        sent("a"),
        fill("a", "v:3", 30, 60, position_quantity=D(30), cash=D(-1800)),
        fill("a", "v:1", 10, 10, position_quantity=D(40), cash=D(-2400)),
        fill("a", "v:2", 20, 30, position_quantity=D(60), cash=D(-3600)),
    )
    assert found == []


# -- memory --------------------------------------------------------------------------------------------------------


@pytest.fixture
def short_memory(monkeypatch):
    monkeypatch.setattr(order_fold, "REMEMBERED_ORDERS", 2)
    monkeypatch.setattr(projection, "REMEMBERED_EXECUTIONS", 2)


def many_ended(*late):
    """Five orders that filled and were cancelled, then late events about them."""
    events = []
    for number in range(5):
        position = D(10) * (number + 1)
        events += [
            sent(f"o{number}"),
            fill(f"o{number}", f"v{number}", 10, 10, position_quantity=position, cash=-60 * position),
            order_event(f"o{number}", S.CANCELED, T.CANCEL, quantity_filled=D(10)),
        ]
    journal = MemoryJournal()
    for event in (*events, *late):
        journal.append(event)
    return [entry.event for entry in journal.entries()], journal.about


def test_memory_does_not_grow_with_orders_that_ended(short_memory):
    events, history = many_ended()
    books, found = fold(*events, history=history)
    assert found == []
    assert (books.orders.get("o0"), books.orders.get("o4").status) == (None, S.CANCELED)
    assert (books.orders.count, books.orders.ended) == (5, {S.CANCELED: 5})


def test_an_order_that_ended_long_ago_is_read_again_when_it_moves(short_memory):
    late = [
        fill("o0", "v9", 90, 100, position_quantity=D(140), cash=D(-8400)),
        order_event("o0", S.FILLED, T.FILL_LAST, quantity_filled=D(100)),
    ]
    events, history = many_ended(*late)
    books, found = fold(*events, history=history)
    assert found == []
    assert (books.orders.count, books.orders.ended) == (5, {S.CANCELED: 4, S.FILLED: 1})
    assert books.run_orders == 5


def test_a_repeat_beyond_memory_is_found_by_its_shares(short_memory):
    """The execution id is forgotten by then; the interval of the order is not."""
    events, history = many_ended(fill("o0", "v0", 10, 10, position_quantity=D(60), cash=D(-3600)))
    _, found = fold(*events, history=history)
    assert found == ["entry 16: cumulative_quantity of o0 is recorded as 10, the entries give fills of (0, 10]"]


# -- books ---------------------------------------------------------------------------------------------------------


def test_positions_cash_and_profit_come_from_the_fills_alone():
    books, found = fold(
        moved(100000, 100000),
        sent("a"),
        fill("a", "v:1", 100, 100, cash=D("93999.50"), fee=D("0.50")),
        order_event("b", S.SENT, T.SEND, 40),
        moved(-50, "93949.50"),
    )
    assert found == []
    assert (books.cash, books.realized_pnl, books.fees) == (D("93949.50"), D(0), D("0.50"))
    assert (books.positions["KO"].quantity, books.positions["KO"].cost) == (D(100), D(6000))
    assert (books.seq, books.at) == (5, AT)


def test_the_kill_switch_is_as_the_last_event_left_it():
    tripped = switched(HaltLevel.REDUCING, HaltTrigger.DAILY_LOSS, activation=1)
    raised = switched(HaltLevel.HALTED, HaltTrigger.MANUAL, activation=1, at=LATER)
    books, found = fold(tripped, raised)
    assert found == []
    assert books.halt == Halt(
        level=HaltLevel.HALTED, reason="-5 %", trigger=HaltTrigger.MANUAL, by="ann", activation=1, at=LATER
    )
    assert fold()[0].halt.level is HaltLevel.RUNNING


def risk(reason, at, peak, streak):
    return RiskEvent(
        at=at,
        reason=reason,
        equity=D(99),
        day_start_equity=D(100),
        peak_equity=D(peak),
        daily_pnl=D(-1),
        current_drawdown=D("0.1"),
        losing_streak=streak,
    )


def test_baselines_are_those_of_the_last_risk_event():
    books, _ = fold(risk(RiskEventKind.DAY_OPENED, AT, 110, 0), risk(RiskEventKind.RECALCULATED, LATER, 120, 3))
    baselines = books.baselines
    assert (baselines.peak_equity, baselines.day_start_equity, baselines.equity) == (D(120), D(100), D(99))
    assert (baselines.losing_streak, baselines.day_opened) == (3, AT)


def test_a_new_run_continues_the_books_and_counts_its_own_orders():
    books, found = fold(
        run_started("first"),
        sent("first-1-0"),
        fill("first-1-0", "v:1", 10, 10),
        RunFinished(at=AT, run="first", orders=1, fills=1),
        run_started("second"),
        sent("second-4-0"),
        sent("second-11-2"),
        sent("by-hand"),
        sent("second-x-0"),
    )
    assert found == []
    assert books.positions["KO"].quantity == D(10)
    assert (books.run_orders, books.run_fills, books.orders.count) == (4, 0, 5)
    assert (books.run is not None, books.finished) == (True, None)
    assert books.last_intent == {"first": 1, "second": 11}
