"""A restart forgets nothing: books, baselines, halt and open orders come back from the journal."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from quant_trading_system.app.adoption import Ledger, adopt_cash
from quant_trading_system.core.decisions import Rejection
from quant_trading_system.core.events import FillEvent, HaltLevel, RiskEventKind, SignalEvent
from quant_trading_system.core.exceptions import KillSwitchActiveError
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.core.signals import Direction, Signal
from quant_trading_system.execution.order_manager import Placed
from quant_trading_system.journal.replay import replay
from quant_trading_system.journal.store import MemoryJournal
from quant_trading_system.risk.latch import MemoryLatch
from quant_trading_system.trading.resume import filled_since, open_alarms
from quant_trading_system.trading.strategy import Strategy
from tests.support.desk import NOON
from tests.support.orders import buy, sell
from tests.support.restart import Life

D = Decimal


@pytest.fixture
def life():
    return Life()


def test_positions_cash_and_fees_come_back_to_the_last_digit(life):
    before = life.begin()
    life.trade(buy(30), "100.01")
    life.trade(sell(10), "101.37")
    after = life.again()
    assert after.portfolio.cash == before.portfolio.cash
    assert after.portfolio.position("KO").quantity == 20
    assert after.portfolio.position("KO").cost == before.portfolio.position("KO").cost
    assert after.portfolio.realized_pnl == before.portfolio.realized_pnl


def test_peak_day_start_and_streak_survive(life):
    """A restart does not reset what losses are measured from."""
    before = life.begin()
    before.portfolio.peak_equity, before.portfolio.losing_streak = D(110_000), 5
    life.trade(buy(1), "100.00")
    after = life.again()
    assert (after.portfolio.peak_equity, after.portfolio.losing_streak) == (D(110_000), 5)
    assert after.portfolio.day_start_equity == before.portfolio.day_start_equity


def test_what_is_lost_overnight_counts_from_the_close_also_over_a_restart(life):
    """Deposits meanwhile are no profit, and a restart after the open finds a day that is running."""
    before = life.begin()
    life.trade(buy(50), "100.00")
    before.portfolio.mark("KO", D("98.00"))
    before.monitor.open_day()
    before.monitor.close_day()
    closed = before.portfolio.equity
    adopt_cash(Ledger.of(before), before.portfolio.cash + 1_000, approved_by="Ana")
    after = life.again()
    after.portfolio.mark("KO", D("95.00"))
    after.monitor.open_day()
    assert after.portfolio.day_start_equity == closed + 1_000
    assert after.portfolio.daily_pnl == -150
    assert life.again().portfolio.closing_equity is None


def test_a_reset_that_accepts_the_loss_forgives_the_night(life):
    before = life.begin()
    before.monitor.close_day()
    before.kill_switch.activate("a drill")
    before.kill_switch.reset("anna", "over", accept_loss=True)
    assert life.again().portfolio.closing_equity is None


def test_a_reset_that_accepts_no_loss_leaves_the_night_to_count(life):
    before = life.begin()
    before.monitor.close_day()
    closing = before.portfolio.closing_equity
    before.kill_switch.activate("a drill")
    before.kill_switch.reset("anna", "over")
    assert life.again().portfolio.closing_equity == closing is not None


@pytest.mark.fault("killed-while-halted")
def test_a_halt_holds_although_the_latch_was_lost(life):
    before = life.begin()
    before.kill_switch.activate("something is wrong", level=HaltLevel.REDUCING)
    after = life.again(latch=MemoryLatch())
    assert after.kill_switch.level is HaltLevel.REDUCING
    assert "something is wrong" in after.kill_switch.reason
    with pytest.raises(KillSwitchActiveError):
        life.submit(buy(1))


def test_a_reset_on_record_stays_a_reset(life):
    before = life.begin()
    before.kill_switch.activate("a drill")
    before.kill_switch.reset("anna", "over")
    assert not life.again().kill_switch.is_active()


@pytest.mark.fault("killed-before-sending", "killed-before-answer")
def test_an_order_without_an_answer_is_in_doubt_and_is_not_sent_again(life):
    """Its room stays taken and its symbol is frozen until the broker has been asked."""
    life.begin()
    life.broker.answers.append("silent")
    order_id = life.submit(buy(10)).order_id
    after = life.again()
    record = after.orders.order(order_id)
    assert record.status is OrderStatus.IN_DOUBT
    assert life.broker.orders == []
    assert after.portfolio.holding("KO").buys == 10
    assert life.submit(buy(1)).rule == "symbol_in_doubt"


@pytest.mark.fault("engine-killed")
def test_a_working_order_keeps_its_room_and_takes_its_fill(life):
    life.begin()
    order_id = life.submit(buy(10, limit="99.00")).order_id
    life.broker.fill(order_id, 4, "99.00")
    after = life.again()
    assert after.portfolio.holding("KO").buys == 6
    life.broker.fill(order_id, 6, "98.50")
    assert after.orders.order(order_id).status is OrderStatus.FILLED
    assert after.portfolio.position("KO").quantity == 10


@pytest.mark.fault("fill-twice")
def test_a_fill_that_was_booked_before_the_restart_is_not_booked_again(life):
    life.begin()
    order_id = life.submit(buy(10)).order_id
    execution = life.broker.fill(order_id, 10, "100.00")
    after = life.again()
    life.broker.tell_fill(order_id, execution)
    assert after.portfolio.position("KO").quantity == 10
    assert not after.kill_switch.is_active()


def test_ids_go_on_after_the_last_one(life):
    life.begin()
    first = life.submit(buy(1)).order_id
    life.again()
    assert life.submit(buy(2)).order_id > first


def test_the_books_agree_with_the_journal_after_the_restart(life):
    life.begin()
    life.trade(buy(30), "100.01")
    after = life.again()
    life.trade(sell(30), "99.50")
    life.journal.append(after.engine.state())
    assert replay(life.journal).agrees


CLOSE = datetime(2024, 1, 8, 21, 0, tzinfo=UTC)


class Sleeper(Strategy):
    """Says nothing more."""

    name = "sleeper"

    def on_bar(self, market):
        return ()


@pytest.mark.parametrize(
    ("spoken", "restart", "source", "then", "goes_on"),
    [
        (CLOSE, CLOSE + timedelta(hours=5), "sleeper", "", True),
        (CLOSE, CLOSE + timedelta(hours=17, minutes=29), "sleeper", "", True),
        (CLOSE, CLOSE + timedelta(hours=17, minutes=31), "sleeper", "", False),  # the exchange is open: too late
        (CLOSE - timedelta(minutes=1), CLOSE + timedelta(hours=5), "sleeper", "", False),  # it had its chance
        (CLOSE, CLOSE + timedelta(days=1, hours=1), "sleeper", "", False),  # another close has passed since
        (CLOSE, CLOSE + timedelta(hours=5), "somebody", "", False),  # that strategy does not run any more
        (CLOSE, CLOSE + timedelta(hours=5), "sleeper", "order", False),
        (CLOSE, CLOSE + timedelta(hours=5), "sleeper", "halt", False),
    ],
)
def test_a_wish_spoken_after_the_close_is_not_lost_in_a_restart_before_the_open(
    life, spoken, restart, source, then, goes_on
):
    before = life.begin()
    signal = Signal(symbol="KO", direction=Direction.LONG, at=spoken, source=source)
    seq = life.journal.append(SignalEvent(at=spoken, signal=signal))
    if then == "order":
        asyncio.run(before.orders.submit(buy(1), cause=seq))
    if then == "halt":
        before.kill_switch.activate("a drill")
        before.kill_switch.reset("anna", "over")
    life.strategies = (Sleeper(),)
    life.clock.move_to(restart)
    assert life.again().path.is_idle is not goes_on


@pytest.mark.fault("wall-clock-jumps")
def test_an_order_of_an_earlier_process_is_as_old_as_this_one(life, monkeypatch):
    """Whatever the wall clock said when it was sent: it had left when this process began, and no earlier is proven."""
    life.begin()
    true = life.clock.now
    life.broker.answers.append("time_out")
    sent = life.submit(buy(10))
    monkeypatch.setattr(life.clock, "now", lambda: true() + timedelta(hours=1))
    after = life.again()
    life.broker._quantity.clear()

    def ask(seconds):
        asyncio.run(life.clock.advance(timedelta(seconds=seconds)))
        for _ in range(3):
            asyncio.run(after.orders.resolve(sent.order_id))
        return after.orders.order(sent.order_id).status

    assert ask(90) is OrderStatus.IN_DOUBT
    assert ask(31) is OrderStatus.ABSENT


@pytest.mark.fault("day-not-closed")
def test_a_day_that_ended_while_nothing_ran_is_closed_on_record_at_the_equity_last_known(life):
    """The next day's losses count from there: those of the rest of the day and of the night are among them."""
    before = life.begin()
    life.trade(buy(50), "100.00")
    before.monitor.open_day()
    before.portfolio.mark("KO", D("98.00"))
    before.monitor.recalculated("")
    last = before.portfolio.equity
    life.clock.move_to(life.clock.now() + timedelta(days=1))
    after = life.again()
    closed = [e.event for e in life.journal.entries(kinds=("risk",)) if e.event.reason is RiskEventKind.DAY_CLOSED]
    assert [event.equity for event in closed] == [last]
    after.portfolio.mark("KO", D("90.00"))
    after.monitor.open_day()
    assert (after.portfolio.day_start_equity, after.portfolio.daily_pnl) == (last, -400)
    life.again()
    assert len([e for e in life.journal.entries(kinds=("risk",)) if e.event.reason is RiskEventKind.DAY_CLOSED]) == 1


def test_a_restart_within_the_day_closes_nothing(life):
    before = life.begin()
    before.monitor.open_day()
    life.clock.move_to(life.clock.now() + timedelta(minutes=30))
    after = life.again()
    assert after.portfolio.closing_equity is None


@pytest.mark.fault("overfill")
def test_an_overfill_keeps_its_symbol_frozen_over_a_restart_until_the_position_is_closed(life):
    life.begin()
    life.trade(buy(10), "100.00")
    life.broker.fill("run-1-0", 2, "100.00")
    after = life.again()
    after.portfolio.mark("KO", D("100.00"))
    refused = life.submit(buy(1))
    assert isinstance(refused, Rejection)
    assert "run-1-0 has filled 12 of 10 shares" in refused.message
    life.trade(sell(12), "100.00")
    assert not after.portfolio.positions
    life.again()
    assert isinstance(life.submit(buy(3)), Placed)
    assert open_alarms(life.journal) == {}


def test_fills_since_a_moment_are_found_without_reading_what_is_older():
    journal, read = MemoryJournal(), []
    for day in range(20):
        fill = FillEvent(
            at=NOON + timedelta(days=day),
            order_id=f"run-{day}-0",
            execution_id=f"e{day}",
            symbol="KO",
            side=OrderSide.BUY,
            quantity=Decimal(1),
            price=Decimal(100),
            cumulative_quantity=Decimal(1),
        )
        journal.append(fill)

    class Watched:
        head = journal.head
        entry = journal.entry

        def entries(self, start, kinds):
            read.append(start)
            return journal.entries(start, kinds)

    assert list(filled_since(Watched(), NOON + timedelta(days=18))) == ["run-18-0", "run-19-0"]
    assert read == [18], "a day earlier than asked, for clocks differ"
    assert len(list(filled_since(journal, NOON - timedelta(days=9)))) == 20
