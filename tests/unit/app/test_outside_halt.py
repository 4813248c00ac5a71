"""A halt seen through past the engine: what it is taken to do, which orders go, and whose right to send is taken."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest

from quant_trading_system.app import outside_halt
from quant_trading_system.app.account_files import JOURNAL_FILE
from quant_trading_system.app.heartbeat import ENGINE_FILE, Heartbeat, Phase, write_heartbeat
from quant_trading_system.app.outside_halt import EngineAnswer, EngineState, HaltedAccount, act_outside, see_through
from quant_trading_system.app.stopped_orders import StoppedOrders, strategies_on_record
from quant_trading_system.app.watchdog_record import read_record
from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.events import HaltLevel, HaltTrigger, KillSwitchEvent
from quant_trading_system.core.exceptions import BrokerRejected, ConfigurationError, OutcomeUnknown
from quant_trading_system.core.halt_events import CancelsConfirmed
from quant_trading_system.core.halt_scope import ACCOUNT, HaltScope
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.execution.account_lock import Holder, account_lock_path, sender_of, take_over
from quant_trading_system.execution.alpaca_models import AlpacaOrder, AlpacaPosition
from quant_trading_system.execution.credentials import Access, Credentials, Endpoints
from quant_trading_system.journal.keys import journal_key
from quant_trading_system.journal.sqlite_store import SqliteJournal
from quant_trading_system.risk.halt_state import Halt

START = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
HALTED, REDUCING, FLATTENING = HaltLevel.HALTED, HaltLevel.REDUCING, HaltLevel.FLATTENING
D = Decimal
ACCOUNT_ID = "acc-1"
ACCESS = Access(Credentials("AK", "SK"), Endpoints.derived("http://localhost:9"))
WATCHED = f"{ACCOUNT_ID}-9"


def sign(beats: int = 1, phase: Phase = Phase.ALIVE, epoch: int = 3) -> Heartbeat:
    return Heartbeat(beats=beats, turns=beats, pid=7, epoch=epoch, account=WATCHED, phase=phase)


def drive(clock: ManualClock, work, each=lambda: None):
    """The result of `work`, for which time passes."""

    async def both():
        task = asyncio.ensure_future(work)
        while not task.done():
            for _ in range(8):
                await asyncio.sleep(0)
            if not task.done():
                each()
                await clock.advance(timedelta(milliseconds=200))
        return task.result()

    return asyncio.run(both())


# -- what the engine does --------------------------------------------------------------------------------------------


class Engine:
    """Beats and writes a journal as the test tells it."""

    def __init__(self, place) -> None:
        self.place, self.beats, self.clock = place, 0, ManualClock(START)
        path = place / JOURNAL_FILE
        self.journal = SqliteJournal(path, journal_key(path))
        self.halt = Halt(level=HALTED, activation=1)

    def beat(self) -> None:
        self.beats += 1
        write_heartbeat(self.place / ENGINE_FILE, sign(self.beats))

    def notes(self, level: HaltLevel, activation: int = 1, scope: HaltScope = ACCOUNT) -> None:
        event = KillSwitchEvent(
            at=START, level=level, reason="x", trigger=HaltTrigger.MANUAL, by="Ana", activation=activation, scope=scope
        )
        self.journal.append(event)

    def confirms(self, activation: int = 1, scope: HaltScope = ACCOUNT) -> None:
        event = CancelsConfirmed(at=START, activation=activation, orders=("o1",), seconds=D("0.1"), scope=scope)
        self.journal.append(event)
        self.journal.sync()

    def answer(self, level: HaltLevel = HALTED, each=lambda: None) -> EngineState:
        return drive(self.clock, EngineAnswer(self.place, lambda: self.halt).wait(self.clock, level), each)


@pytest.fixture
def engine(tmp_path):
    found = Engine(tmp_path)
    yield found
    found.journal.close()


def test_where_no_engine_ever_ran_nobody_is_waited_for(engine):
    assert engine.answer() is EngineState.NEVER
    assert engine.clock.now() == START


def test_an_engine_that_ended_in_good_order_is_not_waited_for(engine):
    write_heartbeat(engine.place / ENGINE_FILE, sign(phase=Phase.ENDED))
    assert engine.answer() is EngineState.ENDED
    assert engine.clock.now() == START


def test_an_engine_is_believed_once_it_has_confirmed_this_very_halt(engine):
    engine.beat()
    engine.notes(HALTED)
    engine.confirms()
    assert engine.answer(each=engine.beat) is EngineState.CONFIRMED


@pytest.mark.parametrize("case", ["nothing", "an earlier halt", "a lower level", "a part", "lower latch"])
def test_an_engine_that_lives_and_has_not_confirmed_this_halt_is_still_at_work(engine, case):
    engine.beat()
    if case == "an earlier halt":
        engine.halt = Halt(level=HALTED, activation=2)
        engine.notes(HALTED)
        engine.confirms()
    elif case == "a lower level":
        engine.notes(REDUCING)
        engine.confirms()
        engine.notes(HALTED)
    elif case == "a part":
        scope = HaltScope(symbol="KO")
        engine.notes(HALTED, scope=scope)
        engine.confirms(scope=scope)
    elif case == "lower latch":
        engine.halt = Halt(level=REDUCING, activation=1)
        engine.notes(REDUCING)
        engine.confirms()
    engine.journal.sync()
    assert engine.answer(each=engine.beat) is EngineState.WORKING
    assert engine.clock.now() - START == outside_halt.ENGINE_PATIENCE


def test_an_engine_without_a_sign_of_life_is_given_up_after_five_seconds(engine):
    engine.beat()
    assert engine.answer() is EngineState.SILENT
    assert engine.clock.now() - START == outside_halt.ENGINE_PATIENCE


def test_a_late_confirmation_of_an_engine_that_beats_slowly_counts(engine):
    engine.beat()
    looks = iter(range(100))

    def each() -> None:
        if (look := next(looks)) == 12:
            engine.beat()
        elif look == 20:
            engine.notes(HALTED)
            engine.confirms()

    assert engine.answer(each=each) is EngineState.CONFIRMED


# -- whose right to send ---------------------------------------------------------------------------------------------


def claim(epoch: int = 0, pid: int = 7) -> Holder:
    return Holder(account=WATCHED, epoch=epoch, pid=pid, host="h", since=START, directory="/d")


def test_the_lock_is_taken_from_one_that_holds_it_and_finds_out_before_its_next_byte(tmp_path):
    path = tmp_path / "accounts" / "a.lock"
    hung = take_over(path, claim())
    assert (hung.holder.epoch, hung.flaw()) == (1, "")
    assert sender_of(path) == hung.holder
    ours = take_over(path, claim(epoch=1, pid=8))
    assert (ours.holder.epoch, ours.flaw(), sender_of(path)) == (2, "", ours.holder)
    assert "was replaced" in hung.flaw()
    ours.release()
    assert sender_of(path) is None
    assert "was replaced" in hung.flaw()
    third = take_over(path, claim())
    assert third.holder.epoch == 3
    assert [found.name for found in path.parent.iterdir()] == ["a.lock"]
    third.release()
    hung.release()


# -- which orders go -------------------------------------------------------------------------------------------------


def order(name: str, side: str, quantity: str, symbol: str = "KO") -> AlpacaOrder:
    return AlpacaOrder(
        id=f"id-{name}", client_order_id=name, symbol=symbol, side=side, status="new", filled_qty=D(0), qty=D(quantity)
    )


ORDERS = (
    order("entry", "buy", "5"),
    order("exit", "sell", "10"),
    order("beyond", "sell", "11"),
    order("cover", "buy", "4", "XOM"),
    order("short", "sell", "1", "XOM"),
)
POSITIONS = tuple(AlpacaPosition(symbol=s, qty=D(q), avg_entry_price=D(1)) for s, q in (("KO", "10"), ("XOM", "-4")))
KO, BUYS, MINE = HaltScope(symbol="KO"), HaltScope(side=OrderSide.BUY), HaltScope(strategy="mine")


def wanted_by(strategies):
    """Finds the strategies of these orders."""
    return lambda ids: {order_id: strategies[order_id] for order_id in ids if order_id in strategies}


class Client:
    """The broker's side: a list of orders, positions, and what was asked of it."""

    def __init__(self, orders=ORDERS, positions=POSITIONS) -> None:
        self.open, self.held = list(orders), positions
        self.asked: list[str] = []
        self.refuses: set[str] = set()
        self.refusal: Exception = BrokerRejected("it has just ended")

    async def account(self):
        return SimpleNamespace(id=ACCOUNT_ID)

    async def orders(self, status):
        assert status == "open"
        return tuple(self.open)

    async def positions(self):
        return self.held

    async def cancel(self, order_id):
        self.asked.append(order_id)
        if order_id in self.refuses:
            raise self.refusal
        self.open = [found for found in self.open if found.id != order_id]

    async def cancel_all(self):
        self.asked.append("all")
        self.open = []


@pytest.mark.parametrize(
    ("scope", "level", "go"),
    [
        (ACCOUNT, REDUCING, ["entry", "beyond", "short"]),
        (KO, HALTED, ["entry", "exit", "beyond"]),
        (KO, REDUCING, ["entry", "beyond"]),
        (BUYS, HALTED, ["entry", "cover"]),
        (BUYS, REDUCING, ["entry"]),
        (BUYS, FLATTENING, ["entry", "exit", "cover"]),
        (HaltScope(symbol="XOM", side=OrderSide.SELL), FLATTENING, ["cover", "short"]),
        (MINE, HALTED, ["exit"]),
        (MINE, FLATTENING, ["exit"]),
        (MINE, REDUCING, []),
    ],
)
def test_what_goes_at_the_broker_is_what_the_engine_would_cancel(scope, level, go):
    client, noted = Client(), []
    halt = Halt(scope=scope, level=level, activation=1)
    known = dict.fromkeys(("entry", "cover", "short"), "other") | {"exit": "mine"}
    found = StoppedOrders(client, halt, wanted_by(known), noted.append)
    assert list(asyncio.run(found.open_order_ids())) == go
    asyncio.run(found.cancel_all())
    assert client.asked == [f"id-{name}" for name in go]
    assert any("nobody here knows whose they are: beyond" in line for line in noted) == (scope is MINE)


@pytest.mark.parametrize("refusal", [BrokerRejected("it has just ended"), OutcomeUnknown("no answer")])
def test_one_order_that_is_refused_or_not_answered_keeps_no_other_from_being_asked_for(refusal):
    client = Client()
    client.refuses, client.refusal = {"id-entry"}, refusal
    with pytest.raises(type(refusal)):
        asyncio.run(StoppedOrders(client, Halt(scope=KO, level=HALTED), wanted_by({}), lambda _: None).cancel_all())
    assert client.asked == ["id-entry", "id-exit", "id-beyond"]


def test_an_order_in_dollars_is_no_exit():
    dollars = AlpacaOrder(
        id="1", client_order_id="dollars", symbol="KO", side="sell", status="new", filled_qty=D(0), notional=D(5)
    )
    found = StoppedOrders(Client([dollars]), Halt(level=REDUCING), wanted_by({}), lambda _: None)
    assert asyncio.run(found.open_order_ids()) == ("dollars",)


def test_without_a_journal_no_strategy_is_known(tmp_path):
    assert strategies_on_record(tmp_path / JOURNAL_FILE, ["run-1-0"]) == {}


# -- all of it -------------------------------------------------------------------------------------------------------


class Scene:
    """An account whose engine took the lock with epoch 3 and hangs."""

    def __init__(self, place, monkeypatch) -> None:
        self.directory = place / "default"
        self.directory.mkdir()
        self.clock, self.client, self.told = ManualClock(START), Client(), []
        self.halt, self.holds = Halt(level=HALTED, activation=1), True
        self.lock = account_lock_path(self.directory, WATCHED)
        self.hung = take_over(self.lock, claim(epoch=2))
        monkeypatch.setattr(outside_halt, "own_line", lambda *_, **__: self.client)

    def act(self, *, last=None, state=EngineState.SILENT, access=lambda: ACCESS, patience: float = 30) -> bool:
        account = HaltedAccount(
            directory=self.directory, halt=self.halt, now=lambda: self.halt, goes_on=lambda: self.holds, by="Ana"
        )
        work = act_outside(
            account, last or sign(), state, access, self.clock, self.told.append, timedelta(seconds=patience)
        )
        return drive(self.clock, work)

    @property
    def said(self) -> str:
        return " | ".join(self.told)


@pytest.fixture
def scene(tmp_path, monkeypatch):
    found = Scene(tmp_path, monkeypatch)
    yield found
    found.hung.release()


@pytest.mark.control("cancel past the engine")
def test_a_silent_engine_loses_its_right_to_send_and_its_orders_and_all_is_on_record(scene):
    assert scene.act()
    assert "was replaced" in scene.hung.flaw()
    assert (scene.client.open, scene.client.asked) == ([], ["all"])
    assert sender_of(scene.lock) is None
    record = [(entry.epoch, entry.what) for entry in read_record(scene.directory)]
    assert [what.removeprefix("`qts halt` of Ana: ") for _, what in record] == scene.told[1:]
    assert {epoch for epoch, _ in record} == {3}
    assert scene.told[1:] == [
        "took the account lock, epoch 4; process 7 sends nothing any more, end it: kill -9 7",
        "asked to cancel 5 open orders: entry, exit, beyond, cover, short",
        "no order is open at the broker",
    ]


def test_an_engine_that_works_keeps_its_lock(scene):
    assert scene.act(state=EngineState.WORKING)
    assert (scene.hung.flaw(), scene.client.open) == ("", [])


def test_another_engine_that_has_the_account_now_is_left_alone(scene):
    assert not scene.act(last=sign(epoch=2))
    assert "another engine trades this account now, process 7 on h" in scene.said
    assert (scene.hung.flaw(), scene.client.asked) == ("", [])


def test_orders_of_another_account_are_never_touched(scene):
    async def another():
        return SimpleNamespace(id="acc-2")

    scene.client.account = another
    assert not scene.act()
    assert "NOTHING was cancelled: these keys belong to acc-2-9, the engine trades acc-1-9" in scene.said
    assert (scene.hung.flaw(), scene.client.asked) == ("", [])


def test_a_broker_without_an_answer_is_said_so(scene):
    async def silent():
        raise OutcomeUnknown("no answer")

    scene.client.account = silent
    assert not scene.act()
    assert "the broker cannot be asked, so NOTHING was cancelled: no answer" in scene.said


def test_orders_that_do_not_go_are_named_when_patience_ends(scene):
    async def deaf():
        scene.client.asked.append("all")

    scene.client.cancel_all = deaf
    assert not scene.act(patience=5)
    assert len(scene.client.asked) > 2
    assert scene.told[-1] == (
        "not confirmed in time; open at the broker: entry, exit, beyond, cover, short. Run the command again"
    )


def test_nothing_is_cancelled_any_more_once_the_halt_is_lifted(scene):
    scene.holds = False
    assert not scene.act()
    assert (scene.client.asked, scene.told[-1]) == ([], "somebody has lifted the halt; cancels no more")


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        (ACCOUNT, "NOT closed: 10 KO, -4 XOM;"),
        (BUYS, "NOT closed: 10 KO;"),
        (MINE, "what strategy mine holds is known to the engine only and is NOT closed;"),
    ],
)
def test_what_is_left_to_close_is_named_with_the_way_to_close_it(scene, scope, words):
    scene.halt = Halt(scope=scope, level=FLATTENING, activation=1)
    assert not scene.act()
    assert scene.told[-1].startswith(words)
    assert "start `qts trade` again: it begins with closing them" in scene.told[-1]


def test_flat_is_flat(scene):
    scene.halt, scene.client.held = Halt(level=FLATTENING, activation=1), ()
    assert scene.act()
    assert scene.told[-1] == "the broker shows no position to close"


def nothing_there() -> Access:
    raise ConfigurationError("APCA_API_KEY_ID is missing")


def test_without_keys_an_engine_that_hangs_is_a_failure_and_one_that_ended_well_is_not(scene):
    assert not scene.act(access=nothing_there)
    assert "NOTHING was cancelled, for there are no keys here" in scene.said
    assert "--credentials FILE, or cancel all orders at the broker's page" in scene.told[-1]
    assert scene.act(access=nothing_there, state=EngineState.ENDED)


def test_whoever_does_not_want_to_wait_only_sets_the_latch(scene):
    account = HaltedAccount(
        directory=scene.directory, halt=scene.halt, now=lambda: scene.halt, goes_on=lambda: True, by="Ana"
    )
    write_heartbeat(scene.directory / ENGINE_FILE, sign())
    assert asyncio.run(see_through(account, nothing_there, scene.clock, scene.told.append, timedelta()))
    assert scene.told == []
