"""Halts of a part of the account: which orders they stop, lifted apart, and the account comes first."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.decisions import Rejection, Rule
from quant_trading_system.core.events import HaltLevel, HaltTrigger, KillSwitchEvent
from quant_trading_system.core.exceptions import KillSwitchActiveError, KillSwitchIncomplete
from quant_trading_system.core.halt_scope import ACCOUNT, HaltScope
from quant_trading_system.core.orders import Order, OrderSide
from quant_trading_system.risk.halt_state import LatchState
from quant_trading_system.risk.kill_switch import KillSwitch, stops
from quant_trading_system.risk.latch import FileLatch, MemoryLatch
from tests.support.desk import Account, Desk
from tests.support.market import NOON
from tests.support.orders import buy, sell

REDUCING, HALTED, FLATTENING = HaltLevel.REDUCING, HaltLevel.HALTED, HaltLevel.FLATTENING
KO = HaltScope(symbol="KO")


def of(strategy: str, order: Order) -> Order:
    return msgspec.structs.replace(order, strategy=strategy)


COVERED = """
scope                       buy KO a   sell KO a   buy PEP a   buy KO b
symbol=KO                   yes        yes         no          yes
strategy=a                  yes        yes         yes         no
side=buy                    yes        no          yes         yes
symbol=KO,side=buy          yes        no          no          yes
symbol=KO,strategy=a        yes        yes         no          no
strategy=a,side=sell        no         yes         no          no
"""


@pytest.mark.parametrize("line", COVERED.strip().splitlines()[1:], ids=lambda line: line.split()[0])
def test_a_scope_stops_what_agrees_with_all_of_it(line):
    name, *expected = line.split()
    words = dict(word.split("=") for word in name.split(","))
    side = OrderSide(words["side"]) if "side" in words else None
    scope = HaltScope(symbol=words.get("symbol", ""), strategy=words.get("strategy", ""), side=side)
    switch = KillSwitch(latch=MemoryLatch())
    switch.activate("a test", scope=scope)
    orders = [of("a", buy(1)), of("a", sell(1)), of("a", buy(1, "PEP")), of("b", buy(1))]
    assert ["no" if switch.permits(order, shrinking=False) else "yes" for order in orders] == expected
    assert ["yes" if stops(switch._latch, order, shrinking=True) else "no" for order in orders] == expected
    assert not switch.is_active()
    assert switch.stops_something


ACCOUNT_FIRST = """
account      scope        an entry   a way out
running      reducing     no         yes
running      halted       no         no
running      flattening   no         yes
reducing     halted       no         no
reducing     flattening   no         yes
halted       flattening   no         no
flattening   halted       no         yes
"""


@pytest.mark.parametrize("line", ACCOUNT_FIRST.strip().splitlines()[1:], ids=lambda line: "-".join(line.split()[:2]))
def test_the_account_comes_first_and_then_the_highest_level(line):
    account, scope, entry, way_out = line.split()
    switch = KillSwitch(latch=MemoryLatch())
    if account != "running":
        switch.activate("all", level=HaltLevel[account.upper()])
    switch.activate("a part", level=HaltLevel[scope.upper()], scope=KO)
    assert switch.permits(buy(1), shrinking=False) is (entry == "yes")
    assert switch.permits(sell(1), shrinking=True) is (way_out == "yes")


def test_a_scope_is_an_activation_of_its_own_that_survives_and_is_lifted_apart(tmp_path: Path):
    path = tmp_path / "kill_latch.json"
    moves: list[KillSwitchEvent] = []
    switch = KillSwitch(latch=FileLatch(path), clock=ManualClock(NOON), record=moves.append)
    switch.activate("bad news", scope=KO, activated_by="ann")
    switch.activate("more of it", scope=KO, level=FLATTENING)
    switch.activate("a bug", scope=HaltScope(strategy="a"))
    switch.activate("everything", level=REDUCING)
    again = KillSwitch(latch=FileLatch(path))
    halt = again.state.halt_of(KO)
    assert (halt.level, halt.reason, halt.by, halt.activation) == (FLATTENING, "bad news; more of it", "ann", 1)
    assert again.state.halt_of(HaltScope(strategy="a")).activation == 2
    again.reset("ann")
    assert not again.is_active()
    assert len(again.state.stopped_scopes) == 2
    switch.reset("ben", scope=KO)
    assert [str(halt.scope) for halt in again.state.stopped_scopes] == ["strategy a"]
    lifted = again.state.halt_of(KO)
    assert (lifted.level, lifted.trigger, lifted.by, lifted.activation) == (
        HaltLevel.RUNNING,
        HaltTrigger.RESET,
        "ben",
        1,
    )
    assert [(str(move.scope), move.activation, move.level.name) for move in moves] == [
        ("symbol KO", 1, "HALTED"),
        ("symbol KO", 1, "FLATTENING"),
        ("strategy a", 2, "HALTED"),
        ("the account", 1, "REDUCING"),
        ("symbol KO", 1, "RUNNING"),
    ]


def test_the_gate_names_the_scope_in_its_record():
    desk = Desk()
    desk.kill_switch.activate("bad news", scope=KO)
    answer = desk.check(buy(1))
    assert isinstance(answer, Rejection)
    assert answer.rule is Rule.KILL_SWITCH
    assert "halted: symbol KO: bad news" in answer.message


def test_an_engine_cancels_what_the_scope_covers_and_nothing_else():
    account = Account()
    of_ko, of_pep = account.working(buy(5)), account.working(buy(5, "PEP"))
    account.kill_switch.activate("bad news", scope=KO)
    account.broker.cancel_answers.append("confirm")
    account.step()
    assert account.broker.cancels == [of_ko.order_id]
    assert of_pep.status.is_open
    with pytest.raises(KillSwitchActiveError, match="symbol KO: bad news"):
        account.submit(buy(1))
    assert not isinstance(account.submit(buy(1, "XOM")), Rejection)


def test_an_order_on_its_way_when_its_symbol_is_halted_does_not_leave():
    """The last look of the adapter is per order, too."""
    latch = MemoryLatch()
    KillSwitch(latch=latch).activate("bad news", scope=HaltScope(symbol="KO", side=OrderSide.BUY))
    assert stops(latch, buy(1), shrinking=False) == "symbol KO, side buy: bad news"
    assert stops(latch, sell(1), shrinking=False) == ""


def test_one_scope_that_is_lifted_leaves_the_others_stopped():
    """A strategy goes on while the symbol with the bad news stays closed to everybody."""
    switch = KillSwitch(latch=MemoryLatch())
    strategy = HaltScope(strategy="a")
    switch.activate("a bug", scope=strategy)
    switch.activate("bad news", scope=KO)
    switch.reset("ann", scope=strategy)
    assert switch.stops_something
    assert not switch.permits(buy(1), shrinking=False)
    switch.reset("ann", scope=KO)
    assert [switch.stops_something for _ in range(2)] == [False, False]
    assert switch.permits(buy(1), shrinking=False)
    assert [(halt.by, halt.level) for halt in switch.state.scopes] == [("ann", HaltLevel.RUNNING)] * 2


class FullDisk(MemoryLatch):
    """A latch that writes nothing while its disk is full."""

    full = False

    def write(self, state: LatchState) -> None:
        if self.full:
            raise OSError("no space left")
        super().write(state)


@pytest.fixture
def disk() -> FullDisk:
    return FullDisk()


@pytest.fixture
def alone(disk: FullDisk) -> KillSwitch:
    """The switch that halted KO while the disk was full: no other process knows of that."""
    switch = KillSwitch(latch=disk)
    disk.full = True
    with pytest.raises(KillSwitchIncomplete, match="no space left"):
        switch.activate("bad news", scope=KO)
    disk.full = False
    return switch


def test_a_halt_that_the_disk_did_not_take_hides_none_that_came_later(disk, alone):
    """Its own halt of one symbol is no reason to trade on when somebody halts the account, or another symbol."""
    others = KillSwitch(latch=disk)
    others.activate("more bad news", scope=HaltScope(symbol="PEP"))
    assert [alone.permits(buy(1, symbol), shrinking=False) for symbol in ("KO", "PEP", "XOM")] == [False, False, True]
    others.activate("everything", level=REDUCING)
    assert (alone.level, alone.reason) == (REDUCING, "everything")
    assert [alone.permits(sell(1, symbol), shrinking=True) for symbol in ("KO", "PEP", "XOM")] == [False, False, True]


def test_what_is_written_after_the_disk_failed_lifts_nothing_of_the_others(disk, alone):
    """The next activation, and the reset of its own halt, leave the halt of the account where it is."""
    KillSwitch(latch=disk).activate("everything")
    alone.activate("a bug", scope=HaltScope(strategy="a"))
    assert KillSwitch(latch=disk).reason == "everything"
    assert [str(halt.scope) for halt in disk.read().stopped_scopes] == ["symbol KO", "strategy a"]
    alone.reset("ann", scope=KO)
    assert KillSwitch(latch=disk).is_active()


def test_a_halt_that_was_lifted_elsewhere_does_not_come_back(disk):
    """The process whose disk failed keeps its own halt, and not those that it only saw at that time."""
    alone, others = KillSwitch(latch=disk), KillSwitch(latch=disk)
    others.activate("everything")
    disk.full = True
    with pytest.raises(KillSwitchIncomplete):
        alone.activate("bad news", scope=KO)
    disk.full = False
    others.reset("ann")
    assert not alone.is_active()
    alone.activate("a bug", scope=HaltScope(strategy="a"))
    assert not others.is_active()
    assert [str(halt.scope) for halt in others.state.stopped_scopes] == ["symbol KO", "strategy a"]


def test_a_halt_that_the_disk_did_not_take_is_lifted_only_by_who_reads_its_reason(disk):
    """Somebody else halts the account for a test; who lifts that must see that a loss stops it, too."""
    alone, others = KillSwitch(latch=disk), KillSwitch(latch=disk)
    disk.full = True
    with pytest.raises(KillSwitchIncomplete):
        alone.activate("a loss")
    disk.full = False
    others.activate("a test")
    assert alone.reason == "a test; a loss"
    others.reset("ann")
    assert alone.reason == "a loss"
    assert alone.state.activation > others.state.activation, "or the reset of the other one would be taken for its own"
    others.activate("a test")
    alone.activate("bad news", scope=KO)
    assert others.reason == "a test; a loss"


def test_an_unreadable_latch_stops_everything_also_where_a_part_was_halted_before(tmp_path, monkeypatch):
    path = tmp_path / "kill_latch.json"
    switch = KillSwitch(latch=FileLatch(path))
    with monkeypatch.context() as broken:
        broken.setattr("os.write", lambda *_: (_ for _ in ()).throw(OSError("no space left")))
        with pytest.raises(KillSwitchIncomplete):
            switch.activate("bad news", scope=KO)
    path.unlink()
    assert switch.is_active()
    assert not switch.permits(sell(1, "PEP"), shrinking=True)


def test_lifted_scopes_are_forgotten_one_day_and_active_ones_never():
    switch = KillSwitch(latch=MemoryLatch())
    switch.activate("stays", scope=KO)
    for number in range(60):
        scope = HaltScope(symbol=f"S{number}")
        switch.activate("a test", scope=scope)
        switch.reset("ann", scope=scope)
    assert len(switch.state.scopes) < 25
    assert switch.state.halt_of(KO).level is HALTED
    switch.activate("again", scope=HaltScope(symbol="S0"))
    assert switch.state.halt_of(HaltScope(symbol="S0")).activation == 62


def test_position_of_a_scope():
    assert HaltScope(side=OrderSide.BUY).covers_position("KO", Decimal(5))
    assert not HaltScope(side=OrderSide.BUY).covers_position("KO", Decimal(-5))
    assert not KO.covers_position("PEP", Decimal(5))
    assert ACCOUNT.covers_position("PEP", Decimal(-5))
    assert str(HaltScope(symbol="KO", side=OrderSide.SELL)) == "symbol KO, side sell"
