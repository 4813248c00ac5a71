"""The demonstration trades real prices, refuses what it must, and comes out the same every time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from quant_trading_system.app.backtesting import BacktestResult, run_account
from quant_trading_system.app.bootstrap import SimulatedAccount
from quant_trading_system.app.decision_record import decision_record
from quant_trading_system.app.demo import INTERN, RISK_OFFICER, DemoPlan, Operator, demo_account
from quant_trading_system.core.events import HaltTrigger, KillSwitchEvent
from quant_trading_system.core.halt_events import CancelsConfirmed
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.journal.keys import journal_key
from quant_trading_system.journal.replay import replay
from quant_trading_system.journal.sqlite_reader import JournalReader


def run(seed: int = 7, *, crash: bool = False, directory: Path | None = None) -> tuple[BacktestResult, Operator]:
    account = demo_account(DemoPlan(seed, crash=crash), directory)
    operator = Operator(account)
    return asyncio.run(run_account(account, operator.watch)), operator


@pytest.fixture(scope="module")
def calm() -> BacktestResult:
    return run()[0]


def test_the_same_seed_gives_the_same_journal_to_the_last_bit(calm):
    """In memory or on disk: the head depends on the inputs alone."""
    again = run()[0]
    assert (again.journal_entries, again.journal_head) == (calm.journal_entries, calm.journal_head)


def test_another_seed_is_another_story(calm):
    assert run(seed=8)[0].journal_head != calm.journal_head


def test_the_head_is_the_same_on_disk_as_in_memory(calm, tmp_path):
    assert run(directory=tmp_path / "demo")[0].journal_head == calm.journal_head


def test_every_common_refusal_can_be_seen(calm):
    seen = set(calm.quality.rejections)
    assert seen >= {
        "approved_universe", "duplicate_window_s", "max_correlation", "max_order_quantity", "max_position_pct",
        "price_collar_pct", "price_tick", "sell_within_held", "trading_hours",
    }  # fmt: skip


def test_the_account_trades_and_never_borrows(calm):
    assert calm.quality.submitted > 100
    assert calm.quality.fill_rate == 1
    assert calm.account.system.portfolio.cash > 0
    assert max(calm.record.gross_exposure) <= 1


def test_the_venue_and_the_engine_keep_the_same_books(calm):
    """Two sets of books, kept apart, agree to the last digit."""
    assert isinstance(calm.account, SimulatedAccount)
    portfolio, venue = calm.account.system.portfolio, calm.account.venue
    assert venue.account().cash == portfolio.cash
    assert {p.symbol: p.quantity for p in venue.positions()} == {s: p.quantity for s, p in portfolio.positions.items()}


def test_2008_halts_the_account_and_only_the_risk_officer_resumes_it():
    result, operator = run(crash=True)
    halt, *_, reset = list(result.record.halts)
    assert (halt.trigger, reset.trigger, reset.by) == (HaltTrigger.DRAWDOWN, HaltTrigger.RESET, RISK_OFFICER)
    assert [line for line in operator.story if INTERN in line and "REFUSED" in line]
    events = [entry.event for entry in result.account.journal.entries(kinds=("cancels_confirmed", "kill_switch"))]
    assert [type(event) for event in events] == [KillSwitchEvent, CancelsConfirmed, KillSwitchEvent]
    confirmed = events[1]
    assert isinstance(confirmed, CancelsConfirmed)
    assert confirmed.orders
    for order_id in confirmed.orders:
        record = result.account.system.orders.order(order_id)
        assert record is not None
        assert record.status is OrderStatus.CANCELED


def test_nothing_but_cancels_happens_between_halt_and_reset():
    result, _ = run(crash=True)
    halt, reset = result.record.halts[0], result.record.halts[-1]
    assert [] == [fill for fill in result.record.fills if halt.at < fill.at < reset.at]


def test_the_journal_alone_rebuilds_the_books(tmp_path):
    result, _ = run(crash=True, directory=tmp_path / "demo")
    path = tmp_path / "demo" / "journal.db"
    with JournalReader(path, journal_key(path)) as reader:
        report = replay(reader)
    assert report.agrees
    assert report.states > 300
    assert report.projection.cash == result.account.system.portfolio.cash


def test_every_order_can_be_explained(calm):
    """Four steps for each, refused or sent, with every rule of the gate under one of its questions."""
    for order in calm.account.system.orders.orders():
        record = decision_record(calm.account.journal, order.order_id)
        assert list(record.steps) == [1, 2, 3, 4]
        checks = [check.rule for answers in record.steps.values() for answer in answers for check in answer.checks]
        assert sorted(checks) == sorted(check.rule for check in _decision_of(calm, order.order_id).checks)
        assert (record.refused_by is None) == (order.rejection is None)


def _decision_of(result: BacktestResult, order_id: str):
    return result.decisions[order_id]
