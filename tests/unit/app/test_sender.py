"""The engine's side: what is asked before an order leaves, the heartbeat, and the watchdog that must live."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from quant_trading_system.app.alarms import Alarms
from quant_trading_system.app.heartbeat import Heartbeat, Phase
from quant_trading_system.app.sender import LONGEST_START, EngineGuard, LastLook, last_epoch
from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.events import HaltLevel, HaltTrigger, SenderLocked
from quant_trading_system.core.exceptions import ConfigurationError, NotSent
from quant_trading_system.core.halt_scope import HaltScope
from quant_trading_system.execution.account_lock import FileAccountLock, Holder, account_lock_path
from quant_trading_system.execution.alpaca_api import AlpacaApi
from quant_trading_system.execution.alpaca_broker import AlpacaBroker
from quant_trading_system.execution.alpaca_client import AlpacaClient
from quant_trading_system.journal.store import MemoryJournal
from quant_trading_system.risk.halt_state import LatchState
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.risk.latch import MemoryLatch
from tests.support.alpaca_lines import ACCESS, ScriptedTransport, approved, run_beside, settled
from tests.support.alpaca_lines import START as LINES_START
from tests.support.fake_alpaca import FakeAlpaca
from tests.support.orders import buy

START = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
HELD = LatchState(level=HaltLevel.HALTED, reason="fire in the building", by="Ana", activation=1)
REDUCING = LatchState(level=HaltLevel.REDUCING, reason="careful", by="Ana", activation=1)
ENTRY, EXIT = approved(buy(1), at=START), approved(buy(1), shrinks=True, at=START)


class Lock:
    """Ours, until a test says otherwise."""

    def __init__(self) -> None:
        self.holder = Holder(account="PA1", epoch=3, pid=7, host="desk", since=START, directory="/state/default")
        self.lost = ""

    def flaw(self) -> str:
        return self.lost

    def release(self) -> None:
        """Nothing to release."""


class Child:
    def __init__(self) -> None:
        self.code: int | None = None
        self.killed = False

    def poll(self) -> int | None:
        return self.code

    def kill(self) -> None:
        self.killed = True


class Scene:
    def __init__(self, *, watched: bool = True) -> None:
        self.clock, self.lock = ManualClock(START), Lock()
        self.latch, self.host_latch = MemoryLatch(), MemoryLatch()
        self.told: list[str] = []
        self.alarms = Alarms(self.told.append)
        self.kill_switch = KillSwitch(latch=self.latch, clock=self.clock)
        self.children: list[Child] = []
        self.shown: list[Heartbeat] = []
        self.write_error: OSError | None = None
        self.watchdog: Heartbeat | None = None
        self.comes_up = True
        self.guard = EngineGuard(
            self.clock,
            self.lock,
            self.host_latch,
            self.alarms,
            beat=self._show,
            watchdog=lambda: self.watchdog,
            launch=self._launch if watched else None,
        )
        self.alarms.kill_switch = self.guard.kill_switch = self.kill_switch
        self.last_look = LastLook(self.lock, self.latch, self.host_latch, self.alarms)

    def _show(self, sign: Heartbeat) -> None:
        if self.write_error:
            raise self.write_error
        self.shown.append(sign)

    def _launch(self) -> Child:
        self.children.append(Child())
        if self.comes_up:
            self.watchdog_lives()
        return self.children[-1]

    def watchdog_lives(self) -> None:
        beats = self.watchdog.beats + 1 if self.watchdog else 1
        self.watchdog = Heartbeat(beats=beats, turns=beats, pid=len(self.children), epoch=0, account="PA1")

    async def pass_time(self, seconds: float, then=lambda: None) -> None:
        step = timedelta(milliseconds=500)
        for _ in range(int(timedelta(seconds=seconds) / step)):
            then()
            await self.clock.advance(step)
            for _ in range(6):
                await asyncio.sleep(0)


def play(scene: Scene, story) -> None:
    async def both() -> None:
        async def engine() -> None:
            async with scene.guard.watched():
                scene.guard.trading = True
                await asyncio.Event().wait()

        task = asyncio.ensure_future(engine())
        await scene.pass_time(1)
        await story(scene)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(both())


# -- right before the first byte -------------------------------------------------------------------------------------


def test_an_order_leaves_while_the_lock_is_ours_and_nothing_is_halted():
    assert Scene().last_look(ENTRY) == ""


def test_a_lost_lock_stops_every_order_exits_too_and_halts():
    scene = Scene()
    scene.lock.lost = "the account lock was replaced"
    assert scene.last_look(EXIT) == "the account lock was replaced"
    assert scene.kill_switch.state.trigger is HaltTrigger.INTEGRITY
    assert "lock lost" in scene.kill_switch.reason


@pytest.mark.parametrize("where", ["latch", "host_latch"])
def test_either_latch_stops_an_order(where):
    scene = Scene()
    getattr(scene, where).write(HELD)
    assert scene.last_look(ENTRY) == scene.last_look(EXIT) == "fire in the building"
    getattr(scene, where).write(REDUCING)
    assert (scene.last_look(ENTRY), scene.last_look(EXIT)) == ("careful", "")


@pytest.mark.parametrize("where", ["latch", "host_latch"])
def test_an_engine_that_slept_through_a_halt_and_its_reset_sends_nothing_that_it_judged_before(where):
    """It was stopped between the gate and the first byte; what it held in its hand may be what the halt was about."""
    scene = Scene()
    before = approved(buy(8), at=scene.clock.now()), approved(buy(8), shrinks=True, at=scene.clock.now())
    others = KillSwitch(latch=getattr(scene, where), clock=scene.clock)
    scene.clock.move_to(scene.clock.now() + timedelta(seconds=3))
    others.activate("the engine hangs", activated_by="watchdog")
    scene.clock.move_to(scene.clock.now() + timedelta(seconds=3))
    others.reset(authorized_by="ana")
    refused, exits = map(scene.last_look, before)
    assert "a halt of the account came after it was judged" in refused
    assert "ana" in refused
    assert exits == ""
    scene.clock.move_to(scene.clock.now() + timedelta(seconds=1))
    assert scene.last_look(approved(buy(8), at=scene.clock.now())) == ""


def test_a_halt_of_another_symbol_that_is_over_stops_nothing():
    scene = Scene()
    order = approved(buy(8), at=scene.clock.now())
    for symbol, stopped in (("PEP", False), (order.order.symbol, True)):
        scope = HaltScope(symbol=symbol)
        scene.clock.move_to(scene.clock.now() + timedelta(seconds=1))
        scene.kill_switch.activate("look at it", scope=scope)
        scene.kill_switch.reset(authorized_by="ana", scope=scope)
        assert bool(scene.last_look(order)) is stopped


@pytest.mark.parametrize("harm", ["removed", "taken over"])
def test_an_engine_that_was_paused_while_its_lock_was_lost_is_fenced_before_its_next_send(tmp_path, harm):
    """A real lock file, and the broker adapter up to the first byte: nothing is written, and the account is halted."""
    path = account_lock_path(tmp_path / "default", "PA77")
    claim = Holder(account="PA77", epoch=0, pid=7, host="desk", since=START, directory="default")
    lock, fake, clock = FileAccountLock(path, claim), FakeAlpaca(), ManualClock(LINES_START)
    alarms = Alarms(lambda _: None)
    alarms.kill_switch = KillSwitch(latch=MemoryLatch(), clock=clock)
    api = AlpacaApi(ScriptedTransport(script=fake.serve), clock, alarms, source="trading")
    last_look = LastLook(lock, MemoryLatch(), MemoryLatch(), alarms)
    broker = AlpacaBroker(AlpacaClient(api), fake.opener, ACCESS, clock, alarms, latch=last_look)

    async def story() -> None:
        await settled()
        await broker.place(approved(buy(8, limit="61.25", client_order_id="first"), at=clock.now()))
        path.unlink()
        if harm == "taken over":
            assert FileAccountLock(path, claim).holder.epoch == 1
        with pytest.raises(NotSent, match="somebody else may be sending"):
            await broker.place(approved(buy(9, limit="61.25", client_order_id="second"), at=clock.now()))

    asyncio.run(run_beside(broker.run(), story))
    assert fake.asked.count("POST /v2/orders") == 1
    assert alarms.kill_switch.state.trigger is HaltTrigger.INTEGRITY


# -- while it runs ---------------------------------------------------------------------------------------------------


def test_the_heartbeat_tells_who_lives_and_whether_it_gets_its_work_done():
    scene = Scene()

    async def story(s: Scene) -> None:
        await s.pass_time(3, s.guard.turned)

    play(scene, story)
    first, last = scene.shown[0], scene.shown[-1]
    assert (last.pid, last.epoch, last.account, last.phase) == (7, 3, "PA1", Phase.ALIVE)
    assert last.beats > first.beats
    assert last.turns > first.turns == 0
    assert [sign.beats for sign in scene.shown] == list(range(1, len(scene.shown) + 1))


def test_a_good_end_is_shown_and_an_error_is_not():
    async def life(scene: Scene, *, fails: bool) -> None:
        async with scene.guard.watched():
            scene.guard.trading = True
            if fails:
                raise RuntimeError("a bug")

    for fails, phase in ((False, Phase.ENDED), (True, Phase.ALIVE)):
        scene = Scene(watched=False)
        try:
            asyncio.run(life(scene, fails=fails))
        except RuntimeError:
            assert fails
        assert scene.shown[-1].phase is phase


def test_a_start_that_fails_before_anything_was_sent_leaves_the_watchdog_nothing_to_do():
    async def life(scene: Scene) -> None:
        async with scene.guard.watched():
            raise RuntimeError("the books differ")

    scene = Scene(watched=False)
    with pytest.raises(RuntimeError):
        asyncio.run(life(scene))
    assert scene.shown[-1].phase is Phase.ENDED


def test_a_start_that_takes_long_does_not_look_stuck_and_one_that_takes_for_ever_does():
    """A start waits for orders in doubt for up to three minutes; the watchdog gives an engine two for a turn."""
    scene = Scene(watched=False)

    async def story(s: Scene) -> None:
        s.guard.starting = True
        await s.pass_time(180)
        assert s.shown[-1].turns >= 180
        await s.pass_time(LONGEST_START)
        assert s.shown[-1].turns <= LONGEST_START
        stuck_at = s.shown[-1].turns
        await s.pass_time(5)
        assert s.shown[-1].turns == stuck_at

    play(scene, story)


def test_once_it_trades_only_its_turns_count():
    scene = Scene(watched=False)

    async def story(s: Scene) -> None:
        s.guard.starting = False
        turns = s.guard._turns
        await s.pass_time(30)
        assert s.shown[-1].turns == turns

    play(scene, story)


def test_a_heartbeat_that_fails_halts():
    """With a watchdog it would act in a few seconds; without one nothing else would tell."""
    scene = Scene(watched=False)

    async def story(s: Scene) -> None:
        s.lock.flaw = lambda: 1 // 0
        await s.pass_time(2)
        assert s.kill_switch.is_active()
        assert "heartbeat has ended: ZeroDivisionError" in s.kill_switch.reason

    play(scene, story)


def test_a_watchdog_that_does_not_come_up_ends_the_start():
    scene = Scene()
    scene.comes_up = False
    scene.watchdog = Heartbeat(beats=99, turns=99, pid=1, epoch=0, account="PA1")  # what an earlier one has left

    async def life() -> None:
        async def engine() -> None:
            async with scene.guard.watched():
                raise AssertionError("nobody watches")

        task = asyncio.ensure_future(engine())
        await scene.pass_time(2)
        assert not task.done()
        scene.children[0].code = 1
        await scene.pass_time(1)
        await task

    with pytest.raises(ConfigurationError, match=r"did not come up \(exit code 1\); read watchdog.out"):
        asyncio.run(life())


def test_without_a_living_watchdog_no_new_risk_is_taken_and_it_is_started_again():
    scene = Scene()

    async def story(s: Scene) -> None:
        await s.pass_time(10, s.watchdog_lives)
        assert s.guard.unwatched() == ""
        s.comes_up = False
        await s.pass_time(4)
        assert s.guard.unwatched() == ""
        await s.pass_time(3)
        assert "no watchdog" in s.guard.unwatched()
        assert "the watchdog gives no sign of life" in s.told[-1]
        assert not s.kill_switch.is_active()
        await s.pass_time(60)
        assert 3 <= len(s.children) <= 8
        assert s.children[0].killed  # it ran, but hung
        s.comes_up = True
        await s.pass_time(600, lambda: s.watchdog_lives() if len(s.children) > 8 else None)
        assert s.guard.unwatched() == ""

    play(scene, story)


def test_after_a_pause_only_a_fresh_sign_of_life_of_the_watchdog_counts():
    """It may have ended while this process stood still; its last sign looks like a new one then."""
    scene = Scene()

    async def story(s: Scene) -> None:
        await s.pass_time(10, s.watchdog_lives)
        assert s.guard.unwatched() == ""
        s.watchdog_lives()  # its last
        s.clock.move_to(s.clock.now() + timedelta(minutes=4))  # nothing ran here
        assert "show life first" in s.guard.unwatched(), "also before the first look after it"
        await s.pass_time(2)
        assert "show life first" in s.guard.unwatched()
        assert len(s.children) == 1, "one that lives is not started again"
        await s.pass_time(2, s.watchdog_lives)
        assert s.guard.unwatched() == ""

    play(scene, story)


def test_a_watchdog_with_the_keys_of_another_account_does_not_count():
    scene = Scene()

    def another() -> None:
        beats = scene.watchdog.beats + 1
        scene.watchdog = Heartbeat(beats=beats, turns=beats, pid=1, epoch=0, account="PA2")

    async def story(s: Scene) -> None:
        s.comes_up = False
        await s.pass_time(10, another)
        assert "no watchdog" in s.guard.unwatched()

    play(scene, story)


def test_without_a_watchdog_by_choice_nothing_is_started_and_nothing_refused():
    scene = Scene(watched=False)
    play(scene, lambda s: s.pass_time(30))
    assert scene.guard.unwatched() == ""
    assert scene.children == []


def test_a_lock_that_is_lost_is_noticed_without_an_order_and_told_once():
    scene = Scene(watched=False)

    async def story(s: Scene) -> None:
        s.lock.lost = "the account lock was replaced"
        await s.pass_time(5)

    play(scene, story)
    assert scene.kill_switch.is_active()
    assert len([line for line in scene.told if "lock lost" in line]) == 1


def test_a_halt_of_the_machine_becomes_one_of_the_account_and_outlasts_it():
    scene = Scene(watched=False)

    async def story(s: Scene) -> None:
        s.host_latch.write(HELD)
        await s.pass_time(2)
        state = s.kill_switch.state
        assert (state.level, state.trigger, state.by) == (HaltLevel.HALTED, HaltTrigger.HOST, "Ana")
        assert state.reason == "everything on this machine is halted: fire in the building"
        s.kill_switch.reset(authorized_by="Ben")
        await s.pass_time(2)
        assert s.kill_switch.is_active()
        s.host_latch.write(LatchState(activation=1))
        await s.pass_time(2)
        assert s.kill_switch.is_active()
        s.kill_switch.reset(authorized_by="Ben")
        await s.pass_time(2)
        assert not s.kill_switch.is_active()

    play(scene, story)


def test_a_heartbeat_that_cannot_be_written_is_told():
    scene = Scene(watched=False)

    async def story(s: Scene) -> None:
        s.write_error = OSError("no space left")
        await s.pass_time(2)

    play(scene, story)
    assert len([line for line in scene.told if "heartbeat cannot be written (no space left)" in line]) == 1


def test_the_next_epoch_is_above_all_that_are_on_record():
    journal = MemoryJournal(b"k" * 32)
    assert last_epoch(journal) == 0
    for epoch in (4, 9, 7):
        journal.append(
            SenderLocked(at=START, account="PA1", epoch=epoch, pid=1, host="h", directory="d", watchdog=True)
        )
    assert last_epoch(journal) == 9
