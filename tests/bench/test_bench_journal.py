"""What an entry costs: chained in memory, synced alone, and synced in company."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from quant_trading_system.core.decisions import CheckResult, Decision, Rule, Unit
from quant_trading_system.core.events import FillEvent, OrderEvent
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce
from quant_trading_system.journal.replay import replay
from quant_trading_system.journal.sqlite_store import SqliteJournal
from quant_trading_system.journal.store import MemoryJournal

KEY = bytes(range(32))
AT = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)

ACCEPTED = OrderEvent(
    at=AT,
    order_id="5f1c-12-0",
    symbol="KO",
    status=OrderStatus.WORKING,
    trigger=OrderTrigger.ACCEPT,
    venue_order_id="v12",
)
FILLED = FillEvent(
    at=AT,
    order_id="5f1c-12-0",
    execution_id="v12:1",
    symbol="KO",
    side=OrderSide.BUY,
    quantity=Decimal(100),
    price=Decimal("59.12"),
    cumulative_quantity=Decimal(100),
    fee=Decimal("0.12"),
    position_quantity=Decimal(100),
    cash=Decimal("94087.88"),
)
SENT = OrderEvent(
    at=AT,
    order_id="5f1c-12-0",
    symbol="KO",
    status=OrderStatus.SENT,
    trigger=OrderTrigger.SEND,
    order=Order(
        symbol="KO",
        side=OrderSide.BUY,
        quantity=Decimal(100),
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.DAY,
    ),
    decision=Decision(
        checks=tuple(CheckResult(rule, True, Decimal("1234.56"), Decimal("10000"), Unit.USD) for rule in Rule),
        limits_version="5f1c",
        at=AT,
        equity=Decimal("100000.00"),
        drawdown=Decimal("0.01"),
        daily_pnl=Decimal("-0.002"),
        position=Decimal(0),
    ),
)
"""The first entry of an order, with all that the gate saw."""


@pytest.mark.parametrize("event", [ACCEPTED, FILLED, SENT], ids=["accepted", "filled", "sent with its decision"])
def test_append_in_memory(benchmark, event):
    journal = MemoryJournal(KEY)
    journal.append(event)
    benchmark.pedantic(journal.append, args=(event, 1), rounds=50, iterations=200)


def test_sync_after_every_entry(benchmark, tmp_path):
    with SqliteJournal(tmp_path / "journal.db", KEY) as journal:

        def record():
            journal.append(FILLED)
            journal.sync()

        benchmark.pedantic(record, rounds=200, warmup_rounds=5)


def test_thirty_two_entries_in_one_commit(benchmark, tmp_path):
    with SqliteJournal(tmp_path / "journal.db", KEY) as journal:

        def record():
            for _ in range(32):
                journal.append(FILLED)
            journal.sync()

        benchmark.pedantic(record, rounds=100, warmup_rounds=5)


def test_replay_of_a_thousand_entries(benchmark):
    journal = MemoryJournal(KEY)
    for _ in range(500):
        journal.append(ACCEPTED)
        journal.append(SENT)
    benchmark.pedantic(replay, args=(journal,), rounds=5, warmup_rounds=1)
