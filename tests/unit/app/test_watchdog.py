"""The watchdog, on a clock that the test moves: when it acts, what it does, and that nothing keeps it from it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from quant_trading_system.app.heartbeat import Heartbeat, Phase, read_heartbeat, write_heartbeat
from quant_trading_system.app.watchdog import Watchdog, WatchdogLimits
from quant_trading_system.app.watchdog_record import WatchdogRecord, read_record, take_record
from quant_trading_system.app.watching import watch_account
from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.events import HaltLevel, HaltTrigger, WatchdogActed
from quant_trading_system.core.exceptions import ConfigurationError, OutcomeUnknown
from quant_trading_system.journal.store import MemoryJournal
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.risk.latch import MemoryLatch
from tests.support.alpaca_lines import ACCESS

START = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
STEP = timedelta(milliseconds=250)


class Broker:
    """Has open orders, and may fail to answer."""

    def __init__(self) -> None:
        self.open = ["qts1-aa-1-0", "qts1-aa-2-0"]
        self.cancels = 0
        self.list_error: Exception | None = None
        self.cancel_error: Exception | None = None

    async def open_order_ids(self):
        if self.list_error:
            raise self.list_error
        return tuple(self.open)

    async def cancel_all(self):
        self.cancels += 1
        if self.cancel_error:
            raise self.cancel_error
        self.open = []


class Scene:
    """An engine that the test lets live or die, and its watchdog."""

    def __init__(self, **limits) -> None:
        self.clock = ManualClock(START)
        self.broker = Broker()
        self.kill_switch = KillSwitch(latch=MemoryLatch(), clock=self.clock)
        self.noted: list[str] = []
        self.beats = 0
        self.note_error: OSError | None = None
        self.engine: Heartbeat | None = Heartbeat(beats=1, turns=1, pid=7, epoch=3, account="PA1")
        self.watchdog = Watchdog(
            self.clock,
            self.kill_switch,
            self.broker,
            account="PA1",
            read=lambda: self.engine,
            beat=self._beat,
            note=self._note,
            limits=WatchdogLimits(**limits),
        )

    def _beat(self, looks: int) -> None:
        assert looks == self.beats + 1
        self.beats = looks

    def _note(self, epoch: int, what: str) -> None:
        if self.note_error:
            raise self.note_error
        self.noted.append(f"{epoch}: {what}")

    def live(self, *, turns: int = 1, **changes) -> None:
        if self.engine is not None:
            kept = {name: getattr(self.engine, name) for name in ("pid", "epoch", "account")}
            self.engine = Heartbeat(beats=self.engine.beats + 1, turns=self.engine.turns + turns, **{**kept, **changes})

    def end(self) -> None:
        self.live(phase=Phase.ENDED)

    async def pass_time(self, seconds: float, then=lambda: None) -> None:
        for _ in range(int(timedelta(seconds=seconds) / STEP)):
            then()
            await self.clock.advance(STEP)
            for _ in range(6):
                await asyncio.sleep(0)


def play(scene: Scene, story) -> bool:
    """Run the watchdog beside `story`; True when it has ended by itself."""

    async def both() -> bool:
        task = asyncio.ensure_future(scene.watchdog.run())
        await story(scene)
        ended = task.done()
        if ended:
            task.result()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return ended

    return asyncio.run(both())


def test_an_engine_that_lives_is_left_alone():
    scene = Scene()
    assert not play(scene, lambda s: s.pass_time(60, s.live))
    assert (scene.noted, scene.broker.cancels, scene.kill_switch.is_active()) == ([], 0, False)
    assert scene.beats >= 100


@pytest.mark.fault("engine-hangs")
@pytest.mark.control("watchdog")
def test_an_engine_that_falls_silent_is_halted_first_and_its_orders_are_cancelled_within_the_bound():
    scene = Scene()

    async def story(s: Scene) -> None:
        await s.pass_time(3, s.live)
        await s.pass_time(4.5)
        assert not s.kill_switch.is_active()
        await s.pass_time(1.25)
        assert s.kill_switch.is_active()
        assert s.broker.open == []
        await s.pass_time(30)

    assert play(scene, story)
    state = scene.kill_switch.state
    assert (state.level, state.trigger, state.by) == (HaltLevel.HALTED, HaltTrigger.WATCHDOG, "watchdog")
    assert scene.noted == [
        "3: halted the account: process 7 (epoch 3) gave no sign of life for 5 s",
        "3: asked to cancel 2 open orders: qts1-aa-1-0, qts1-aa-2-0",
        "3: no order is open at the broker",
    ]


@pytest.mark.fault("engine-hangs")
def test_an_engine_whose_loop_turns_but_does_nothing_is_stopped_after_a_longer_while():
    scene = Scene()

    async def story(s: Scene) -> None:
        await s.pass_time(110, lambda: s.live(turns=0))
        assert not s.kill_switch.is_active()
        await s.pass_time(20, lambda: s.live(turns=0))

    play(scene, story)
    assert "is alive but has done nothing for 120 s" in scene.kill_switch.reason


def test_a_good_end_ends_the_watchdog_quietly():
    scene = Scene()

    async def story(s: Scene) -> None:
        await s.pass_time(2, s.live)
        s.end()
        await s.pass_time(1)

    assert play(scene, story)
    assert (scene.noted, scene.kill_switch.is_active()) == ([], False)


@pytest.mark.parametrize("how", ["gone", "of another account"])
def test_a_heartbeat_that_cannot_be_had_is_silence(how):
    """Once it was there. What stays the same is no sign of life either."""
    scene = Scene()

    async def story(s: Scene) -> None:
        await s.pass_time(1, s.live)
        s.engine = Heartbeat(beats=9, turns=9, pid=7, epoch=3, account="PA2") if "another" in how else None
        await s.pass_time(6, lambda: s.live(account="PA2"))

    play(scene, story)
    assert scene.kill_switch.is_active()


def test_before_the_first_sign_of_life_there_is_nobody_to_watch():
    scene = Scene()
    scene.engine = None
    assert not play(scene, lambda s: s.pass_time(60))
    assert not scene.kill_switch.is_active()


def test_the_next_engine_is_watched_in_place_of_one_that_died_a_moment_ago():
    scene = Scene()

    async def story(s: Scene) -> None:
        await s.pass_time(4)
        s.engine = Heartbeat(beats=1, turns=0, pid=8, epoch=4, account="PA1")
        await s.pass_time(20, s.live)
        assert not s.kill_switch.is_active()
        await s.pass_time(6)

    play(scene, story)
    assert "process 8 (epoch 4)" in scene.kill_switch.reason


def test_an_observer_that_was_paused_itself_does_not_blame_the_engine():
    """Both slept for an hour, as when a machine is suspended: what counts is how often it has looked."""
    scene = Scene()

    async def story(s: Scene) -> None:
        await s.pass_time(3, s.live)
        s.clock.move_to(s.clock.now() + timedelta(hours=1))
        await s.pass_time(5, s.live)

    play(scene, story)
    assert not scene.kill_switch.is_active()


@pytest.mark.parametrize("error", [OutcomeUnknown("no answer"), RuntimeError("a bug")])
@pytest.mark.parametrize("where", ["list_error", "cancel_error"])
def test_cancels_are_tried_again_without_end_whatever_fails_and_are_on_record_once(where, error):
    scene = Scene()
    setattr(scene.broker, where, error)

    async def story(s: Scene) -> None:
        await s.pass_time(900)
        assert s.broker.cancels > 20
        setattr(s.broker, where, None)
        await s.pass_time(120)

    assert play(scene, story)
    assert scene.broker.open == []
    assert len(scene.noted) <= 5
    assert scene.noted[-1] == "3: no order is open at the broker"


def test_the_watchdog_shows_life_while_it_waits_to_try_again():
    scene = Scene()
    scene.broker.cancel_error = OutcomeUnknown("no answer")

    async def story(s: Scene) -> None:
        await s.pass_time(300)
        before = s.beats
        await s.pass_time(10)
        assert s.beats - before >= 15

    play(scene, story)


@pytest.mark.fault("engine-hangs")
def test_a_late_order_is_cancelled_too():
    scene = Scene()

    async def story(s: Scene) -> None:
        await s.pass_time(6)
        assert s.broker.open == []
        s.broker.open = ["qts1-aa-3-0"]
        await s.pass_time(20)

    assert play(scene, story)
    assert scene.broker.open == []


def test_after_a_reset_the_orders_that_leave_then_are_not_cancelled():
    scene = Scene()
    scene.broker.cancel_error = OutcomeUnknown("no answer")

    async def story(s: Scene) -> None:
        await s.pass_time(60)
        asked = s.broker.cancels
        s.kill_switch.reset(authorized_by="Ana")
        await s.pass_time(60)
        assert s.broker.cancels == asked

    assert play(scene, story)
    assert scene.noted[-1] == "3: somebody has reset the kill switch; cancels no more"


def test_neither_a_latch_nor_a_record_that_cannot_be_written_keeps_the_orders():
    scene = Scene()
    scene.note_error = OSError("no space left")
    scene.kill_switch._record = lambda event: (_ for _ in ()).throw(OSError("disk"))
    play(scene, lambda s: s.pass_time(10))
    assert scene.broker.open == []
    assert scene.kill_switch.is_active()


def test_one_that_stays_acts_once_for_a_dead_engine_and_watches_the_next():
    scene = Scene(stay=True)

    async def story(s: Scene) -> None:
        await s.pass_time(60)
        assert s.broker.cancels == 1
        s.kill_switch.reset(authorized_by="Ana")
        await s.pass_time(60)
        assert not s.kill_switch.is_active()
        s.engine = Heartbeat(beats=1, turns=1, pid=8, epoch=4, account="PA1")
        await s.pass_time(10, s.live)
        assert not s.kill_switch.is_active()
        await s.pass_time(10)
        assert "epoch 4" in s.kill_switch.reason

    assert not play(scene, story)


# -- files ----------------------------------------------------------------------------------------------------------


def test_a_heartbeat_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "heartbeat"
    assert read_heartbeat(path) is None
    for beats in (9, 10**12, 3):
        sign = Heartbeat(beats=beats, turns=2, pid=7, epoch=3, account="a" * 64)
        write_heartbeat(path, sign)
        assert read_heartbeat(path) == sign
    path.write_bytes(b"{")
    assert read_heartbeat(path) is None
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_the_watchdog_did_gets_into_the_journal_once(tmp_path):
    clock, journal = ManualClock(START), MemoryJournal(b"k" * 32)
    record = WatchdogRecord(tmp_path, clock, pid=12)
    record.add(3, "halted the account:\n process 7")
    record.add(3, "no order is open")
    for _ in range(2):
        take_record(read_record(tmp_path), journal)
    WatchdogRecord(tmp_path, clock, pid=13).add(4, "x" * 5000)
    take_record(read_record(tmp_path), journal)
    events = [entry.event for entry in journal.entries()]
    assert all(isinstance(event, WatchdogActed) for event in events)
    assert [(e.pid, e.epoch, e.what[:33]) for e in events] == [
        (12, 3, "halted the account: process 7"),
        (12, 3, "no order is open"),
        (13, 4, "x" * 33),
    ]


def test_a_line_that_was_torn_by_a_crash_hides_no_other(tmp_path):
    clock = ManualClock(START)
    record = WatchdogRecord(tmp_path, clock, pid=12)
    record.add(3, "first")
    path = tmp_path / "watchdog.jsonl"
    path.write_bytes(path.read_bytes() + b'\n{"entry":"torn')
    record.add(3, "second")
    assert [entry.what for entry in read_record(tmp_path)] == ["first", "second"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_mistyped_name_is_refused_before_anything_is_asked(tmp_path):
    """Otherwise it would wait for ever for an engine that lives elsewhere."""
    with pytest.raises(ConfigurationError, match="is no account's directory; check --name"):
        asyncio.run(watch_account(ACCESS, tmp_path / "defualt", WatchdogLimits(), lambda _: None))
    assert list(tmp_path.iterdir()) == []
