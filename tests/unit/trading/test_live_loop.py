"""The loop on real time, on a clock that a test moves: days, bars, failures and the end."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.decisions import Rejection
from quant_trading_system.core.events import HaltLevel, RiskEvent, RiskEventKind, RunFinished
from quant_trading_system.core.exceptions import JournalUnavailable, OrdersRemain, OutcomeUnknown
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.core.orders import EXTERNAL
from quant_trading_system.execution.algo.parent import Placement
from quant_trading_system.execution.algo.schedule import twap_schedule
from quant_trading_system.execution.order_manager import OrderManager
from quant_trading_system.trading.live_loop import TICK, LiveLoop, OnStop
from quant_trading_system.trading.stop_patience import HURRIED_PATIENCE, STOP_PATIENCE, TURN_SHARE
from quant_trading_system.trading.wish_book import WishBook
from tests.support.algo_desk import twap_parent
from tests.support.desk import Account
from tests.support.orders import buy

MORNING = datetime(2024, 1, 8, 14, 29, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class NoBars:
    def __init__(self) -> None:
        self.asked = 0
        self.error: Exception | None = None

    async def finished(self):
        self.asked += 1
        if self.error is not None:
            raise self.error


class Run:
    """A loop beside the test; time passes when the test says so."""

    def __init__(self, on_stop: OnStop = OnStop.CANCEL, tick: timedelta = TICK) -> None:
        self.clock = ManualClock(MORNING)
        self.account = Account(clock=self.clock)
        self.bars = NoBars()
        self.told: list[str] = []
        self.beats = 0
        self.loop = LiveLoop(
            self.account.system, self.bars, run="run", on_stop=on_stop, heartbeat=self._beat, tell=self.told.append,
            tick=tick,
        )  # fmt: skip

    def _beat(self) -> None:
        self.beats += 1

    async def until(self, *spans: timedelta, then=lambda: None) -> None:
        task = asyncio.ensure_future(self.loop.run())
        for span in spans:
            for _ in range(int(span / timedelta(seconds=1))):
                await self._a_second()
        then()
        self.loop.stop()
        while not task.done():
            await self._a_second()
        await task

    async def _a_second(self) -> None:
        """One second passes, and everybody who waited for it has had a turn."""
        for _ in range(40):
            await asyncio.sleep(0)
        await self.clock.advance(timedelta(seconds=1))

    async def stopped(self, task: asyncio.Future[None]) -> timedelta:
        """How long it takes from now until `task` ends, however it does."""
        began = self.clock.now()
        while not task.done():
            await self._a_second()
        return self.clock.now() - began

    def kinds(self) -> list[RiskEventKind]:
        return [event.reason for event in self.account.journal.events if isinstance(event, RiskEvent)]


def test_the_day_opens_with_the_exchange():
    run = Run()
    asyncio.run(run.until(2 * MINUTE))
    assert run.kinds() == [RiskEventKind.DAY_OPENED]
    assert run.beats >= 100


def test_the_day_closes_with_the_exchange():
    run = Run()
    run.clock.move_to(datetime(2024, 1, 8, 20, 59, tzinfo=UTC))
    asyncio.run(run.until(2 * MINUTE))
    assert run.kinds() == [RiskEventKind.DAY_OPENED, RiskEventKind.DAY_CLOSED]


def test_a_restart_within_the_day_forgives_none_of_its_losses():
    run = Run()
    run.account.system.monitor.restore(
        peak_equity=Decimal(110_000), day_start_equity=Decimal(105_000), losing_streak=2, opened_at=MORNING + MINUTE
    )
    run.clock.move_to(MORNING + 30 * MINUTE)
    asyncio.run(run.until(2 * MINUTE))
    assert run.kinds() == [RiskEventKind.LIMIT_NEARED]  # 5 000 lost of 5 250 that may be
    assert run.account.portfolio.day_start_equity == 105_000


def test_a_restart_on_the_next_day_opens_that_day():
    run = Run()
    run.account.system.monitor.restore(
        peak_equity=Decimal(110_000),
        day_start_equity=Decimal(105_000),
        losing_streak=2,
        opened_at=MORNING - timedelta(days=3),
    )
    run.clock.move_to(MORNING + 30 * MINUTE)
    asyncio.run(run.until(2 * MINUTE))
    assert run.kinds() == [RiskEventKind.DAY_OPENED]


def test_what_was_lost_overnight_is_a_loss_of_the_day():
    """The day counts from the last close, whatever quotes come before the open; deposits are no profit."""
    run = Run()
    run.clock.move_to(MORNING + timedelta(hours=6, minutes=30))
    run.account.hold("KO", 100, "100")

    async def over_the_night() -> None:
        task = asyncio.ensure_future(run.loop.run())
        for _ in range(120):  # over the close
            await run._a_second()
        run.account.offer("94.99", "95.01", "KO")
        run.account.portfolio.move_cash(Decimal(1_000))
        await run._a_second()
        run.clock.move_to(MORNING + timedelta(days=1))
        for _ in range(120):  # over the open
            await run._a_second()
        run.loop.stop()
        while not task.done():
            await run._a_second()
        await task

    asyncio.run(over_the_night())
    assert run.kinds()[-2:] == [RiskEventKind.DAY_CLOSED, RiskEventKind.DAY_OPENED]
    assert run.account.portfolio.day_start_equity == 101_000
    assert run.account.portfolio.daily_pnl == -500


def test_orders_in_doubt_are_asked_for_until_they_are_settled():
    run = Run()
    run.clock.move_to(MORNING + 10 * MINUTE)
    run.account.offer()
    run.account.broker.answers.append("time_out")
    run.account.submit(buy(3))
    record = run.account.orders.orders()[-1]
    asyncio.run(run.until(3 * MINUTE))
    assert record.status is OrderStatus.ABSENT


@pytest.mark.fault("loop-fails")
def test_a_failure_halts_and_withdraws_what_is_working():
    run = Run()
    run.clock.move_to(MORNING + 10 * MINUTE)
    run.account.offer()
    record = run.account.working(buy(3, limit="99.00"))
    run.account.broker.cancel_answers.append("confirm")
    run.bars.error = ZeroDivisionError("a bug")
    with pytest.raises(ZeroDivisionError):
        asyncio.run(run.until(timedelta(seconds=3)))
    assert run.account.kill_switch.is_active()
    assert record.status is OrderStatus.CANCELED


def test_an_algorithm_is_woken_when_its_slice_is_due_and_not_by_the_tick():
    """The loop looks around once an hour here; the slices leave every ten minutes all the same, to the moment."""
    start = MORNING + 10 * MINUTE
    run = Run(tick=timedelta(hours=1))
    run.clock.move_to(start)
    run.account.offer()
    schedule = twap_schedule(Decimal(60), start, start + timedelta(hours=1), slices=6)
    parent = twap_parent("60", 6, start=start, end=schedule.end, schedule=schedule, placement=Placement.AGGRESSIVE)
    assert not isinstance(run.account.system.desk.start(parent), Rejection)
    sent: list[tuple[timedelta, Decimal]] = []

    async def fills(approved) -> None:
        sent.append((run.clock.now() - start, approved.quantity))
        run.account.broker.fill(approved.order.client_order_id, approved.quantity, "100.01")

    run.account.broker.answers.extend([fills] * 6)

    async def story() -> None:
        task = asyncio.ensure_future(run.loop.run())
        for _ in range(3_599):
            run.account.offer()  # fresh quotes, of which nobody tells the loop
            await run._a_second()
        run.loop.stop()
        while not task.done():
            await run._a_second()
        await task

    asyncio.run(story())
    assert sent == [(ten * 10 * MINUTE, 10) for ten in range(6)]
    assert run.beats < 20


def test_bars_that_cannot_be_read_are_told_and_asked_for_again():
    run = Run()
    run.bars.error = OutcomeUnknown("no answer in 5 s")
    asyncio.run(run.until(timedelta(seconds=5)))
    assert run.bars.asked >= 4
    assert any("no answer" in line for line in run.told)


@pytest.mark.parametrize(("on_stop", "cancels"), [(OnStop.CANCEL, 1), (OnStop.LEAVE, 0)])
@pytest.mark.fault("stop-with-orders")
def test_a_stop_follows_its_policy_and_puts_it_on_record(on_stop, cancels):
    run = Run(on_stop)
    run.clock.move_to(MORNING + 10 * MINUTE)
    run.account.offer()
    record = run.account.working(buy(3, limit="99.00"))
    run.account.broker.cancel_answers.append("confirm")
    asyncio.run(run.until(timedelta(seconds=2)))
    assert len(run.account.broker.cancels) == cancels
    assert (record.status is OrderStatus.CANCELED) == bool(cancels)
    finished = run.account.journal.events[-1]
    assert isinstance(finished, RunFinished)
    assert finished.policy == on_stop.value


def test_a_stop_whose_cancels_are_not_confirmed_is_no_good_end():
    """An order that may be working must not be left with nobody watching; the watchdog takes over."""
    run = Run()
    run.clock.move_to(MORNING + 10 * MINUTE)
    run.account.offer()
    record = run.account.working(buy(3, limit="99.00"))
    run.account.broker.is_mute = True
    with pytest.raises(OutcomeUnknown, match=f"not confirmed the cancels of {record.order_id}"):
        asyncio.run(run.until(timedelta(seconds=2)))
    assert run.account.kill_switch.is_active()
    assert len(run.account.broker.cancels) >= 3, "asked at the stop, when it seemed lost, and at the end"


def test_a_stop_that_did_not_hear_of_its_cancels_asks_the_broker():
    run = Run()
    run.clock.move_to(MORNING + 10 * MINUTE)
    run.account.offer()
    record = run.account.working(buy(3, limit="99.00"))
    run.account.broker.known[record.order_id] = run.account.broker.seen(record.order_id, OrderStatus.CANCELED)
    asyncio.run(run.until(timedelta(seconds=2)))
    assert record.status is OrderStatus.CANCELED
    assert not run.account.kill_switch.is_active()


def test_what_the_broker_reports_is_durable_by_the_next_turn():
    """A fill must not wait for the next order to reach the disk."""
    run = Run(OnStop.LEAVE)
    run.clock.move_to(MORNING + 10 * MINUTE)
    run.account.offer()
    record = run.account.working(buy(3, limit="99.00"))

    async def story() -> None:
        task = asyncio.ensure_future(run.loop.run())
        await run._a_second()
        run.account.broker.fill(record.order_id, 3, "99.00")
        appended = len(run.account.journal.events)
        await run._a_second()
        await run._a_second()
        assert run.account.journal.durable_entries >= appended
        run.loop.stop()
        while not task.done():
            await run._a_second()

    asyncio.run(story())


@pytest.mark.fault("loop-fails")
def test_a_failure_halts_the_account_before_it_ends_the_process():
    run = Run()
    run.bars.error = ZeroDivisionError("a bug")
    with pytest.raises(ZeroDivisionError):
        asyncio.run(run.until(timedelta(seconds=3)))
    assert run.account.kill_switch.is_active()
    assert "a bug" in run.account.kill_switch.reason


@pytest.mark.parametrize("broken", ["cannot_append", "cannot_sync"])
@pytest.mark.fault("write-fails")
def test_a_journal_that_failed_halts_cancels_and_ends_the_process(broken):
    """Neither the latch nor a cancel needs a record."""
    run = Run()
    run.clock.move_to(MORNING + 10 * MINUTE)
    run.account.offer()
    record = run.account.working(buy(3, limit="99.00"))

    async def story() -> None:
        task = asyncio.ensure_future(run.loop.run())
        await run._a_second()
        setattr(run.account.journal, broken, True)
        if broken == "cannot_append":
            run.account.broker.fill(record.order_id, 1, "99.00")
        while not task.done():
            await run._a_second()
        await task

    with pytest.raises(JournalUnavailable):
        asyncio.run(story())
    assert run.account.latch.read().level is HaltLevel.HALTED
    assert f"cancel {record.order_id}" in run.account.calls


@pytest.mark.fault("disk-full")
def test_a_full_disk_leaves_the_loop_running():
    """It watches, books fills and cancels; a person makes room, and orders go out again."""
    run = Run()
    run.clock.move_to(MORNING + 10 * MINUTE)
    run.account.offer()
    record = run.account.working(buy(3, limit="99.00"))
    run.account.journal.is_full = True
    run.account.broker.fill(record.order_id, 3, "99.00")
    asyncio.run(run.until(timedelta(seconds=5)))
    assert record.status is OrderStatus.FILLED
    assert not run.account.kill_switch.is_active()


def test_bars_that_do_not_come_hold_up_nothing_else(monkeypatch):
    """A host that gives no answer for minutes: quotes are looked at, and a halt is carried out at once."""
    run = Run(OnStop.LEAVE)
    run.clock.move_to(MORNING + 10 * MINUTE)
    run.account.offer()
    record = run.account.working(buy(3, limit="99.00"))
    answer = asyncio.Event()
    monkeypatch.setattr(run.bars, "finished", answer.wait)

    async def story() -> None:
        task = asyncio.ensure_future(run.loop.run())
        await run._a_second()
        before = run.beats
        run.account.kill_switch.activate("a person")
        await run._a_second()
        await run._a_second()
        assert f"cancel {record.order_id}" in run.account.calls
        assert run.beats > before
        run.loop.stop()
        while not task.done():
            await run._a_second()
        await task

    asyncio.run(story())


def test_a_halt_is_carried_out_while_an_order_waits_for_its_answer(monkeypatch):
    run = Run(OnStop.LEAVE)
    run.clock.move_to(MORNING + 10 * MINUTE)
    run.account.offer()
    record = run.account.working(buy(3, limit="99.00"))
    never = asyncio.Event()
    monkeypatch.setattr(WishBook, "release", lambda *_: never.wait())

    async def story() -> None:
        task = asyncio.ensure_future(run.loop.run())
        await run._a_second()
        run.account.kill_switch.activate("a person")
        await run._a_second()
        assert f"cancel {record.order_id}" in run.account.calls
        task.cancel()
        while not task.done():
            await run._a_second()

    asyncio.run(story())


@pytest.mark.fault("stop-told-twice")
def test_a_second_stop_waits_for_nobody_and_names_what_is_not_confirmed():
    """The cancels have left; the run is closed on record all the same, and the watchdog takes over."""
    run = Run()
    run.clock.move_to(MORNING + 10 * MINUTE)
    run.account.offer()
    record = run.account.working(buy(3, limit="99.00"))
    run.account.broker.is_mute = True

    async def story() -> None:
        task = asyncio.ensure_future(run.loop.run())
        await run._a_second()
        run.loop.stop()
        for _ in range(3):
            await run._a_second()
        assert not task.done()
        told_at = run.clock.now()
        run.loop.hurry()
        while not task.done():
            await run._a_second()
        assert run.clock.now() - told_at <= timedelta(seconds=2)
        with pytest.raises(OutcomeUnknown, match=record.order_id):
            await task

    asyncio.run(story())
    (finished,) = run.account.journal.of(RunFinished)
    assert (finished.remaining, finished.hurried) == ((record.order_id,), True)
    assert f"cancel {record.order_id}" in run.account.calls
    assert run.account.kill_switch.is_active()


@pytest.mark.fault("stop-with-orders")
@pytest.mark.parametrize("hurries", [False, True])
def test_a_stop_is_bounded_as_a_whole_when_the_broker_is_gone_and_an_order_is_in_doubt(monkeypatch, hurries):
    """Cancels, questions and the withdrawal of the halt that follows hang for ever; one budget holds for them all."""
    run = Run()
    run.clock.move_to(MORNING + 10 * MINUTE)
    run.account.offer()
    working = run.account.working(buy(3, limit="99.00"))
    run.account.broker.answers.append("time_out")
    run.account.submit(buy(4))
    doubtful = run.account.orders.orders()[-1]
    assert doubtful.status is OrderStatus.IN_DOUBT

    async def gone(*_: object) -> None:
        await asyncio.Event().wait()

    for question in ("cancel", "find", "executions"):
        monkeypatch.setattr(run.account.broker, question, gone)

    async def story() -> timedelta:
        task = asyncio.ensure_future(run.loop.run())
        await run._a_second()
        run.loop.stop()
        await run._a_second()
        if hurries:
            run.loop.hurry()
        took = await run.stopped(task)
        with pytest.raises(OrdersRemain, match=working.order_id):
            await task
        return took

    assert asyncio.run(story()) <= (2 * HURRIED_PATIENCE if hurries else STOP_PATIENCE + timedelta(seconds=2))
    (finished,) = run.account.journal.of(RunFinished)
    assert finished.remaining == (working.order_id, doubtful.order_id)
    assert finished.hurried is hurries
    assert run.account.kill_switch.is_active()


@pytest.mark.parametrize("hurries", [False, True])
def test_a_turn_that_waits_for_the_broker_is_given_up_when_told_to_stop(monkeypatch, hurries):
    run = Run()
    run.clock.move_to(MORNING + 10 * MINUTE)
    run.account.offer()
    record = run.account.working(buy(3, limit="99.00"))
    run.account.broker.cancel_answers.append("confirm")
    monkeypatch.setattr(OrderManager, "needs_tending", True)
    monkeypatch.setattr(run.account.system.orders, "tend", asyncio.Event().wait)

    async def story() -> timedelta:
        task = asyncio.ensure_future(run.loop.run())
        await run._a_second()
        run.loop.stop()
        if hurries:
            run.loop.hurry()
        took = await run.stopped(task)
        await task
        return took

    assert asyncio.run(story()) <= (2 * HURRIED_PATIENCE if hurries else TURN_SHARE + timedelta(seconds=2))
    assert record.status is OrderStatus.CANCELED
    assert any("the turn that was under way is given up" in line for line in run.told)
    assert not run.account.kill_switch.is_active()


def test_an_engine_that_fails_does_not_wait_for_a_broker_that_is_gone(monkeypatch):
    run = Run()
    run.clock.move_to(MORNING + 10 * MINUTE)
    run.account.offer()
    run.account.working(buy(3, limit="99.00"))
    monkeypatch.setattr(run.account.broker, "cancel", lambda *_: asyncio.Event().wait())
    run.bars.error = ZeroDivisionError("a bug")

    async def story() -> timedelta:
        task = asyncio.ensure_future(run.loop.run())
        took = await run.stopped(task)
        with pytest.raises(ZeroDivisionError):
            await task
        return took

    assert asyncio.run(story()) <= STOP_PATIENCE + timedelta(seconds=2)
    assert run.account.kill_switch.is_active()


def test_a_halt_is_carried_out_while_a_stop_waits_for_the_broker(monkeypatch):
    """What somebody else placed stays at a stop; a halt that comes meanwhile cancels it, too."""
    run = Run()
    run.clock.move_to(MORNING + 10 * MINUTE)
    run.account.offer()
    run.account.working(buy(3, limit="99.00"))
    theirs = run.account.working(buy(4, limit="98.00", strategy=EXTERNAL))
    run.account.broker.is_mute = True

    async def story() -> None:
        task = asyncio.ensure_future(run.loop.run())
        await run._a_second()
        run.loop.stop()
        await run._a_second()
        assert f"cancel {theirs.order_id}" not in run.account.calls
        run.account.kill_switch.activate("a person")
        await run._a_second()
        assert f"cancel {theirs.order_id}" in run.account.calls
        run.loop.hurry()
        while not task.done():
            await run._a_second()
        with pytest.raises(OutcomeUnknown):
            await task

    asyncio.run(story())
