"""The kill switch: easy to set, hard to lose, and only a named person resets it."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.events import HaltLevel, HaltTrigger, KillSwitchEvent
from quant_trading_system.core.exceptions import (
    ConfigurationError,
    JournalUnavailable,
    KillSwitchActiveError,
    ResetRefused,
)
from quant_trading_system.core.halt_scope import HaltScope
from quant_trading_system.risk.halt_state import LatchState, ResetPolicy
from quant_trading_system.risk.kill_switch import MAX_REASON, WRITES_AGAIN_AFTER_S, stops
from quant_trading_system.risk.latch import FileLatch, MemoryLatch, look_at
from quant_trading_system.risk.limits import KillSwitch, KillSwitchIncomplete
from tests.support.market import NOON
from tests.support.orders import buy

REDUCING, HALTED, FLATTENING = HaltLevel.REDUCING, HaltLevel.HALTED, HaltLevel.FLATTENING


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "account" / "kill_latch.json"


def switch(path: Path, **options) -> KillSwitch:
    """A switch on the latch at `path`; every call is another object, as in another part of the system."""
    return KillSwitch(latch=FileLatch(path), clock=ManualClock(NOON), **options)


# -- the words that users type ------------------------------------------------------------------------------------


def test_the_switch_without_arguments_is_that_of_the_account(tmp_path, monkeypatch):
    """The state directory holds it, so every process of the account has the same one."""
    monkeypatch.setenv("QTS_STATE_DIR", str(tmp_path))
    kill_switch = KillSwitch()
    assert not kill_switch.is_active()
    kill_switch.activate(reason="Manual halt - investigating anomaly")
    assert kill_switch.is_active()
    assert kill_switch._reason == kill_switch.reason == "Manual halt - investigating anomaly"
    assert KillSwitch().is_active()
    assert (tmp_path / "default" / "kill_latch.json").exists()
    kill_switch.reset(authorized_by="admin@company.com")
    assert not kill_switch.is_active()
    assert kill_switch._reason == ""
    assert not KillSwitch().is_active()


def test_the_error_is_the_reason():
    kill_switch = KillSwitch(latch=MemoryLatch())
    kill_switch.require_clear()
    kill_switch.activate("too many rejects")
    with pytest.raises(KillSwitchActiveError, match=r"^too many rejects$"):
        kill_switch.require_clear()


PERMITS = """
level        an entry   a way out
running      yes        yes
reducing     no         yes
halted       no         no
flattening   no         yes
"""


@pytest.mark.parametrize("line", PERMITS.strip().splitlines()[1:], ids=lambda line: line.split()[0])
def test_each_level_stops_what_it_says(line):
    level, entry, way_out = line.split()
    kill_switch = KillSwitch(latch=MemoryLatch())
    if level != "running":
        kill_switch.activate("a test", level=HaltLevel[level.upper()])
    assert kill_switch.is_active() is (level != "running")
    assert kill_switch.permits(shrinking=False) is (entry == "yes")
    assert kill_switch.permits(shrinking=True) is (way_out == "yes")


# -- what an activation is -----------------------------------------------------------------------------------------


def test_an_activation_remembers_who_when_why_and_with_which_numbers(path):
    numbers = {"max_drawdown_pct": "16000", "max_drawdown_pct_limit": "15000"}
    switch(path).activate(
        "beyond the limit", trigger=HaltTrigger.DRAWDOWN, activated_by="risk monitor", numbers=numbers
    )
    assert switch(path).state == LatchState(
        level=HALTED,
        reason="beyond the limit",
        trigger=HaltTrigger.DRAWDOWN,
        by="risk monitor",
        at=NOON.isoformat(),
        activation=1,
        numbers=numbers,
    )


def test_while_active_the_level_only_rises_and_the_reasons_add_up(path):
    """One activation; what made it first stays first."""
    kill_switch = switch(path)
    kill_switch.activate("first", level=REDUCING, activated_by="ann", numbers={"a": "1"})
    kill_switch.activate("second", level=FLATTENING, activated_by="bob", numbers={"b": "2"})
    kill_switch.activate("third", level=HALTED)
    state = kill_switch.state
    assert (state.level, state.reason) == (FLATTENING, "first; second; third")
    assert (state.by, state.activation, state.numbers) == ("ann", 1, {"a": "1", "b": "2"})


def test_the_same_reason_again_is_not_repeated():
    kill_switch = KillSwitch(latch=MemoryLatch())
    for _ in range(3):
        kill_switch.activate("stale prices")
    assert kill_switch.reason == "stale prices"


def test_activations_are_counted_across_resets(path):
    for number in (1, 2, 3):
        switch(path).activate("again")
        assert switch(path).state.activation == number
        switch(path).reset("ann")


def test_an_activation_that_would_stop_nothing_is_an_error():
    kill_switch = KillSwitch(latch=MemoryLatch())
    with pytest.raises(ValueError, match="stops nothing"):
        kill_switch.activate("a test", level=HaltLevel.RUNNING)
    assert not kill_switch.is_active()


def test_a_halt_without_words_is_a_halt():
    """Missing data never refuses to stop."""
    kill_switch = KillSwitch(latch=MemoryLatch())
    kill_switch.activate(" \n ")
    assert kill_switch.is_active()
    assert kill_switch.reason == "no reason given"


def test_the_latch_names_who_may_reset_it_in_every_process(path):
    """The list of the engine's limits binds a process that never read those limits."""
    switch(path, authorized_resetters=("ann", "bob")).activate("a drill")
    with pytest.raises(ResetRefused, match="eve is not on the list"):
        switch(path).reset("eve", "please")
    switch(path).reset("bob", "it is over")
    assert not switch(path).is_active()


def test_other_rules_for_a_reset_leave_the_list_of_who_may_as_it_is(path):
    """A process that knows no names must not open the reset to everybody."""
    switch(path, authorized_resetters=("ann", "bob"))
    switch(path, policy=ResetPolicy(persons=2))
    assert switch(path).state.authorized == ("ann", "bob")
    assert switch(path).state.policy.persons == 2


def test_a_process_that_learns_who_may_reset_goes_by_that(path):
    kill_switch = switch(path)
    kill_switch.govern(["ann"], ResetPolicy())
    kill_switch.activate("a test")
    with pytest.raises(ResetRefused, match="eve is not on the list"):
        kill_switch.reset("eve", "please")
    assert switch(path).state.authorized == ("ann",)


def test_an_unreadable_latch_is_reset_only_by_those_whom_the_engine_was_told(path):
    """The list that the latch kept is lost with it."""
    path.parent.mkdir()
    path.write_text("nonsense")
    with pytest.raises(ResetRefused, match="eve is not on the list"):
        switch(path, authorized_resetters=["ann"]).reset("eve", "it looks fine")


def test_half_a_latch_does_not_take_the_place_of_a_whole_one(path, monkeypatch):
    """With the list of who may reset, for instance: a disk that is almost full takes a part, and says nothing."""
    halted = switch(path, authorized_resetters=("ann",))
    write = os.write
    with monkeypatch.context() as full:
        full.setattr("os.write", lambda handle, content: write(handle, content[:40]))
        with pytest.raises(KillSwitchIncomplete, match="No space left"):
            halted.activate("a loss")
    assert halted.is_active()
    assert switch(path).state.authorized == ("ann",)


HOSTILE = [
    ("two\nlines", "two lines"),
    ("carriage\r\nreturn", "carriage return"),
    ("\x1b[31mred\x1b[0m", "[31mred [0m"),
    ("null\x00byte", "null byte"),
    ("bidi\u202eoverride", "bidi override"),
    ('{"level": 0}', '{"level": 0}'),
    ("half a pair \ud800", "half a pair"),
    ("  much   space\t", "much space"),
    ("ö€漢", "ö€漢"),
    ("x" * 2000, "x" * MAX_REASON),
]


@pytest.mark.parametrize(("hostile", "kept"), HOSTILE, ids=[kept[:20] for _, kept in HOSTILE])
def test_reasons_and_names_are_kept_as_one_short_printable_line(path, hostile, kept):
    """They end up in logs, files and terminals; none can forge a line there, and none stops the halt."""
    switch(path).activate(hostile, activated_by=hostile)
    state = switch(path).state
    assert (state.level, state.reason, state.by) == (HALTED, kept, kept)


def test_many_reasons_stay_within_bounds():
    kill_switch = KillSwitch(latch=MemoryLatch())
    for number in range(200):
        kill_switch.activate(f"reason number {number}")
    assert len(kill_switch.reason) <= MAX_REASON
    assert kill_switch.reason.startswith("reason number 0; reason number 1;")


# -- persist first -------------------------------------------------------------------------------------------------


@pytest.mark.control("latch")
def test_the_halt_is_on_disk_before_anybody_is_told(path):
    seen: list[str] = []

    def look(who: str):
        return lambda event: seen.append(f"{who}: {FileLatch(path).read().level.name}")

    kill_switch = switch(path, record=look("journal"))
    kill_switch.subscribe(look("listener"))
    kill_switch.activate("a test")
    assert seen == ["journal: HALTED", "listener: HALTED"]


def test_a_reset_is_on_record_before_it_takes_effect(path):
    seen: list[str] = []
    kill_switch = switch(path, record=lambda event: seen.append(f"journal: {FileLatch(path).read().level.name}"))
    kill_switch.activate("a test")
    kill_switch.subscribe(lambda event: seen.append(f"listener: {FileLatch(path).read().level.name}"))
    kill_switch.reset("ann", "looked into it")
    assert seen == ["journal: HALTED", "journal: HALTED", "listener: RUNNING"]


def test_everybody_hears_of_every_move_with_its_numbers():
    recorded: list[KillSwitchEvent] = []
    heard: list[KillSwitchEvent] = []
    kill_switch = KillSwitch(latch=MemoryLatch(), clock=ManualClock(NOON), record=recorded.append)
    kill_switch.subscribe(heard.append)
    kill_switch.activate("beyond", trigger=HaltTrigger.DAILY_LOSS, activated_by="risk monitor", numbers={"loss": "1"})
    kill_switch.reset("ann", "looked into it")
    assert recorded == heard
    activated, reset = heard
    assert (activated.level, activated.reason, activated.numbers) == (HALTED, "beyond", {"loss": "1"})
    assert (activated.trigger, activated.by, activated.at) == (HaltTrigger.DAILY_LOSS, "risk monitor", NOON)
    assert (reset.level, reset.trigger, reset.by) == (HaltLevel.RUNNING, HaltTrigger.RESET, "ann")
    assert (reset.reason, reset.activation) == ("looked into it", activated.activation)


# -- whatever breaks, it stops -------------------------------------------------------------------------------------


def _fail(_: object) -> None:
    raise JournalUnavailable("no space left")


@pytest.mark.fault("halt-unrecorded")
def test_a_journal_that_fails_does_not_stop_the_halt(path):
    heard: list[KillSwitchEvent] = []
    kill_switch = switch(path, record=_fail)
    kill_switch.subscribe(heard.append)
    with pytest.raises(
        KillSwitchIncomplete, match=r"IS ACTIVE, but: the journal could not record it \(no space left\)"
    ):
        kill_switch.activate("a test")
    assert switch(path).is_active()
    assert len(heard) == 1


def test_a_listener_that_fails_silences_nobody_else(path):
    heard: list[KillSwitchEvent] = []
    kill_switch = switch(path)
    kill_switch.subscribe(_fail)
    kill_switch.subscribe(heard.append)
    with pytest.raises(KillSwitchIncomplete, match="a listener failed"):
        kill_switch.activate("a test")
    assert kill_switch.is_active()
    assert len(heard) == 1


@pytest.mark.fault("latch-disk-fails")
def test_a_disk_that_fails_does_not_stop_the_halt_in_this_process(path, monkeypatch):
    """Other processes cannot know; that is said loudly."""
    heard: list[KillSwitchEvent] = []
    kill_switch = switch(path)
    kill_switch.subscribe(heard.append)
    other = switch(path)
    monkeypatch.setattr(os, "write", _no_space)
    with pytest.raises(KillSwitchIncomplete, match="other processes do not see the halt"):
        kill_switch.activate("a test", level=REDUCING)
    assert (kill_switch.level, kill_switch.reason, len(heard)) == (REDUCING, "a test", 1)
    with pytest.raises(KillSwitchIncomplete):
        kill_switch.activate("worse", level=HALTED)
    assert (kill_switch.level, kill_switch.reason) == (HALTED, "a test; worse")
    assert not other.is_active()
    monkeypatch.undo()
    kill_switch.activate("the disk is back")
    assert other.level is HALTED


def test_a_halt_that_could_not_be_written_is_written_when_the_disk_is_back(path, monkeypatch):
    clock, scope = ManualClock(NOON), HaltScope(symbol="KO")
    kill_switch, other = KillSwitch(latch=FileLatch(path), clock=clock), switch(path)
    tried: list[object] = []

    def no_space(*arguments: object) -> int:
        tried.append(arguments)
        return _no_space()

    monkeypatch.setattr(os, "write", no_space)
    for wanted in ({"level": REDUCING}, {"scope": scope}):
        with pytest.raises(KillSwitchIncomplete):
            kill_switch.activate("a test", **wanted)
    tried.clear()
    for _ in range(3):
        kill_switch.write_again()
    assert not tried, "a disk that has just failed is left alone for a while"
    clock.move_to(clock.now() + timedelta(seconds=WRITES_AGAIN_AFTER_S))
    for _ in range(3):
        kill_switch.write_again()
    assert len(tried) == 1
    assert kill_switch.level is REDUCING
    monkeypatch.undo()
    kill_switch.write_again()
    assert not other.is_active()
    clock.move_to(clock.now() + timedelta(seconds=WRITES_AGAIN_AFTER_S))
    kill_switch.write_again()
    assert (other.level, other.reason, other.state.activation) == (REDUCING, "a test", 1)
    assert other.state.halt_of(scope).level is HALTED
    other.reset("ann")
    clock.move_to(clock.now() + timedelta(seconds=WRITES_AGAIN_AFTER_S))
    kill_switch.write_again()
    assert not kill_switch.is_active(), "what is written is known to all, and whoever lifts it has lifted it"


def _no_space(*_: object) -> int:
    raise OSError(28, "No space left on device")


def test_everything_can_fail_at_once_and_all_of_it_is_reported(path, monkeypatch):
    kill_switch = switch(path, record=_fail)
    kill_switch.subscribe(_fail)
    monkeypatch.setattr(os, "write", _no_space)
    with pytest.raises(
        KillSwitchIncomplete, match=r"latch could not be written.*journal could not record.*listener failed"
    ):
        kill_switch.activate("a test")
    assert kill_switch.is_active()


def test_a_reset_that_cannot_be_written_is_no_reset(path, monkeypatch):
    kill_switch = switch(path)
    kill_switch.activate("a test")
    monkeypatch.setattr(os, "write", _no_space)
    with pytest.raises(ResetRefused, match="still active: the latch could not be written"):
        kill_switch.reset("ann")
    assert kill_switch.is_active()
    assert switch(path).is_active()


def test_a_reset_that_cannot_be_recorded_is_no_reset(path):
    switch(path).activate("a test")
    with pytest.raises(JournalUnavailable):
        switch(path, record=_fail).reset("ann")
    assert switch(path).is_active()


# -- the latch -----------------------------------------------------------------------------------------------------


def test_first_use_makes_an_inactive_latch_that_only_its_owner_can_read(path):
    assert not switch(path).is_active()
    assert path.exists()
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


def test_what_is_written_is_synced_with_its_directory(path):
    """Otherwise a loss of power could bring back the state before the halt."""
    synced: list[int] = []
    latch = FileLatch(path, sync=lambda handle: synced.append(os.fstat(handle).st_ino))
    synced.clear()
    latch.write(LatchState(level=HALTED, reason="a test"))
    assert synced == [path.stat().st_ino, path.parent.stat().st_ino]


UNREADABLE = {
    "missing": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:20]),
    "garbled": lambda path: path.write_bytes(b"\x00\xff not json"),
    "another file": lambda path: path.write_text('["level", 0]'),
    "an unknown level": lambda path: path.write_text('{"level": 7}'),
    "a level as text": lambda path: path.write_text('{"level": "RUNNING"}'),
    "a directory": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("how", UNREADABLE)
@pytest.mark.fault("latch-unreadable")
@pytest.mark.control("latch")
def test_a_latch_that_cannot_be_read_is_active(path, how):
    """For those who have it open already and for those who come later."""
    kill_switch = switch(path)
    UNREADABLE[how](path)
    for each in (kill_switch, switch(path)):
        assert each.is_active()
        assert each.level is HALTED
        assert each.state.trigger is HaltTrigger.INTEGRITY
        assert "kill_latch.json cannot be read" in each.reason
        with pytest.raises(KillSwitchActiveError):
            each.require_clear()


@pytest.mark.fault("latch-unreadable")
def test_a_latch_that_may_not_be_read_is_active(path, monkeypatch):
    kill_switch = switch(path)
    path.chmod(0o000)
    if os.access(path, os.R_OK):  # the superuser may read everything

        def refuse(self: Path) -> bytes:
            raise PermissionError(13, "Permission denied", str(self))

        monkeypatch.setattr(Path, "read_bytes", refuse)
    assert kill_switch.is_active()
    assert "Permission denied" in kill_switch.reason


def test_an_unreadable_latch_can_be_reset_by_a_person(path):
    path.parent.mkdir()
    path.write_text("nonsense")
    kill_switch = switch(path)
    kill_switch.reset("ann", "the file was restored from a broken backup")
    assert not switch(path).is_active()


def test_a_latch_that_was_removed_together_with_its_witness_is_a_new_account(path):
    """Whoever removes the directory starts anew; the witness alone is enough to stay halted."""
    switch(path).activate("a test")
    path.unlink()
    assert switch(path).is_active()
    (path.parent / "kill_latch.json.created").unlink()
    assert not switch(path).is_active()


def test_a_latch_whose_witness_is_missing_gets_one(path):
    """A crash between the two files of the first use must not make the halt forgettable."""
    switch(path)
    (path.parent / "kill_latch.json.created").unlink()
    switch(path).activate("a test")
    path.unlink()
    assert switch(path).is_active()


def test_first_use_never_overwrites_a_halt_that_was_faster(path, monkeypatch):
    """Two processes meet an account for the first time; one halts it before the other has made its files."""
    real_mkdir = Path.mkdir

    def mkdir_then_lose_the_race(self: Path, *args, **kwargs) -> None:
        real_mkdir(self, *args, **kwargs)
        monkeypatch.undo()
        switch(path).activate("the faster one")

    monkeypatch.setattr(Path, "mkdir", mkdir_then_lose_the_race)
    assert switch(path).reason == "the faster one"


# -- one switch for all -----------------------------------------------------------------------------------------------


def test_two_objects_share_one_switch(path):
    first, second = switch(path), switch(path)
    first.activate("seen by both")
    assert second._reason == "seen by both"
    second.reset("ann")
    assert not first.is_active()


def test_two_objects_widen_one_activation(path):
    first, second = switch(path), switch(path)
    first.activate("first", level=FLATTENING)
    second.activate("second", level=HALTED)
    assert (first.level, first.reason, first.state.activation) == (FLATTENING, "first; second", 1)


def _in_another_process(path: Path, program: str) -> str:
    text = (
        "import sys\nfrom pathlib import Path\n"
        "from quant_trading_system.risk.kill_switch import KillSwitch\n"
        "from quant_trading_system.risk.latch import FileLatch\n"
        f"switch = KillSwitch(latch=FileLatch(Path(sys.argv[1])))\n{program}"
    )
    root = Path(__file__).resolve().parents[3]
    answer = subprocess.run(
        [sys.executable, "-c", text, str(path)], cwd=root, capture_output=True, text=True, check=True, timeout=60
    )
    return answer.stdout.strip()


@pytest.mark.fault("halt-from-outside")
@pytest.mark.control("latch")
def test_two_processes_share_one_switch(path):
    """A halt from a shell stops a running engine, and survives the process that set it."""
    kill_switch = switch(path)
    _in_another_process(path, "switch.activate('from a shell')")
    assert kill_switch._reason == "from a shell"
    assert _in_another_process(path, "print(switch.is_active(), switch._reason)") == "True from a shell"
    kill_switch.reset("ann")
    assert _in_another_process(path, "print(switch.is_active())") == "False"


def test_activations_at_the_same_time_become_one_and_none_is_lost(path):
    """Every reason is there, whoever came first."""
    switches = [switch(path) for _ in range(8)]
    start = threading.Barrier(8)

    def activate(number: int) -> None:
        start.wait()
        switches[number].activate(f"reason {number}", level=FLATTENING if number == 3 else REDUCING)

    threads = [threading.Thread(target=activate, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    state = switch(path).state
    assert (state.level, state.activation) == (FLATTENING, 1)
    assert sorted(state.reason.split("; ")) == [f"reason {n}" for n in range(8)]


# -- resetting --------------------------------------------------------------------------------------------------------


def test_resetting_what_is_not_active_does_nothing():
    recorded: list[KillSwitchEvent] = []
    KillSwitch(latch=MemoryLatch(), record=recorded.append).reset("ann")
    assert recorded == []


RESETS = [
    ((), "", "", "needs the name"),
    ((), " \n", "", "needs the name"),
    ((), "ann", "", None),
    (("ann", "bob"), "", "fixed", "needs the name"),
    (("ann", "bob"), "eve", "fixed", "eve is not on the list of authorized_resetters"),
    (("ann", "bob"), "Ann", "fixed", "Ann is not on the list"),
    (("ann", "bob"), "ann", "", "needs a reason"),
    (("ann", "bob"), "ann", "\t", "needs a reason"),
    (("ann", "bob"), "bob", "fixed", None),
]


@pytest.mark.parametrize(("allowed", "who", "why", "refusal"), RESETS)
@pytest.mark.control("authorised reset")
def test_a_reset_needs_authority_and_with_a_list_a_reason(path, allowed, who, why, refusal):
    recorded: list[KillSwitchEvent] = []
    switch(path).activate("a test")
    kill_switch = switch(path, authorized_resetters=allowed, record=recorded.append)
    if refusal is None:
        kill_switch.reset(who, why)
        assert not switch(path).is_active()
        assert [event.by for event in recorded] == [who]
        return
    with pytest.raises(ResetRefused, match=refusal):
        kill_switch.reset(who, why)
    assert (switch(path)._reason, recorded) == ("a test", [])


@pytest.mark.fault("halt-and-reset-race")
def test_an_activation_wins_against_a_reset_that_is_under_way(path):
    """While the reset was being recorded, somebody saw a new reason to stop."""
    recorded: list[KillSwitchEvent] = []

    def record(event: KillSwitchEvent) -> None:
        recorded.append(event)
        if event.trigger is HaltTrigger.RESET:
            switch(path).activate("a new anomaly")

    switch(path).activate("the old anomaly")
    with pytest.raises(ResetRefused, match="activated again meanwhile: the old anomaly; a new anomaly"):
        switch(path, record=record).reset("ann", "the old one is explained")
    assert switch(path)._reason == "the old anomaly; a new anomaly"
    assert [event.level for event in recorded] == [HaltLevel.RUNNING, HALTED]  # the record ends with the truth


def test_the_file_can_be_read_by_people(path):
    switch(path).activate("a test", activated_by="ann")
    kept = json.loads(path.read_text())
    assert (kept["level"], kept["reason"], kept["by"]) == (2, "a test", "ann")


# -- storage that does not do its part ------------------------------------------------------------------------------


class ReadOnly(FileLatch):
    """A latch on a file system that turned read-only."""

    def exclusive(self):
        raise OSError(errno.EROFS, "Read-only file system")


def test_a_list_of_resetters_that_cannot_be_kept_is_refused_with_what_to_do(path):
    FileLatch(path)
    with pytest.raises(ConfigurationError, match=r"authorized_resetters \(Read-only file system\); make its directory"):
        KillSwitch(latch=ReadOnly(path), authorized_resetters=["Ana"])


def test_a_list_that_the_latch_has_already_needs_no_writing(path):
    switch(path, authorized_resetters=["Ana"])
    joined = KillSwitch(latch=ReadOnly(path), authorized_resetters=["Ana"])
    assert joined.state.authorized == ("Ana",)


def lose_permission(path: Path, monkeypatch) -> None:
    """As another user would meet it; the superuser, who may run the tests, may read everything."""

    def refuse(self, *, follow_symlinks=True):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "stat", refuse)


def garble(path: Path, monkeypatch) -> None:
    path.write_bytes(b"\x00\xff{")


def empty(path: Path, monkeypatch) -> None:
    path.write_bytes(b"")


def put_a_directory_there(path: Path, monkeypatch) -> None:
    path.unlink()
    path.mkdir()


def lose_the_directory(path: Path, monkeypatch) -> None:
    path.parent.rename(path.parent.with_name("gone"))


@pytest.mark.parametrize("harm", [lose_permission, garble, empty, put_a_directory_there, lose_the_directory])
@pytest.mark.fault("latch-unreadable")
def test_a_latch_that_cannot_be_read_is_active_for_who_has_it_open(path, monkeypatch, harm):
    latch = FileLatch(path)
    kill_switch = KillSwitch(latch=latch)
    assert not kill_switch.is_active()
    harm(path, monkeypatch)
    assert kill_switch.is_active()
    assert "unreadable means active" in stops(latch, buy(1), shrinking=True)


def test_a_look_at_a_latch_makes_none_and_believes_no_damage(path, monkeypatch):
    assert look_at(path) == LatchState()
    assert not path.parent.exists()
    switch(path).activate("a test")
    assert look_at(path).reason == "a test"
    path.unlink()
    assert look_at(path).trigger is HaltTrigger.INTEGRITY
    lose_permission(path, monkeypatch)
    assert look_at(path).level is HALTED
