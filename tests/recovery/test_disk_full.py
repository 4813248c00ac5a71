"""A disk that is really full: a file system of one megabyte in memory, which only root can make."""

import os
import subprocess
from datetime import UTC, datetime

import pytest

from quant_trading_system.core.events import HaltLevel, HaltTrigger, KillSwitchEvent, SignalEvent
from quant_trading_system.core.exceptions import JournalFull, JournalUnavailable
from quant_trading_system.core.signals import Direction, Signal
from quant_trading_system.journal.sqlite_store import SqliteJournal
from quant_trading_system.journal.verify import verify

KEY = bytes(range(32))
AT = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
RESERVE = 256 * 1024
SIGNAL = SignalEvent(at=AT, signal=Signal(at=AT, symbol="KO", direction=Direction.LONG))
HALTED = KillSwitchEvent(
    at=AT, level=HaltLevel.HALTED, reason="x" * 500, trigger=HaltTrigger.MANUAL, by="anna", activation=1
)


def mount(*arguments: str) -> bool:
    return subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode == 0


@pytest.fixture
def small_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() != 0 or not mount("-t", "tmpfs", "-o", "size=4m,mode=700", "tmpfs", str(disk)):
        pytest.skip("only root can mount a small disk; test_journal_disk_full.py has the same on a pretended one")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def take_all_room(path):
    """Write until there is no room for another byte."""
    with path.open("wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while file.write(bytes(size)):
                    pass
            except OSError:
                continue


@pytest.mark.fault("disk-full")
def test_a_disk_filled_by_somebody_else_stops_what_is_new_until_there_is_room(small_disk):
    path, greedy = small_disk / "journal.db", small_disk / "greedy"
    with SqliteJournal(path, KEY, reserve=RESERVE, anchor_every=4) as journal:
        told = []
        journal.on_warning(told.append)
        journal.append(SIGNAL)
        journal.sync()
        take_all_room(greedy)
        for _ in range(60):
            journal.append(HALTED)
            journal.sync()
        assert [("is full" in line) for line in told] == [True]
        with pytest.raises(JournalFull):
            journal.append(SIGNAL)
        greedy.unlink()
        journal.sync()
        assert "has room again" in told[-1]
        assert journal.append(SIGNAL) == 62
    report = verify(path, KEY)
    assert (report.is_sound, report.entries) == (True, 62)


def test_a_neighbour_that_takes_the_reserve_too_ends_the_journal_and_harms_no_entry(small_disk):
    path, greedy = small_disk / "journal.db", small_disk / "greedy"
    journal = SqliteJournal(path, KEY, reserve=RESERVE)

    def fight() -> None:
        for number in range(3000):
            take_all_room(greedy.with_name(f"greedy-{number}"))
            journal.append(HALTED)
            journal.sync()

    with pytest.raises(JournalUnavailable, match="stays closed to this process"):
        fight()
    durable = journal.durable_seq
    journal.close()
    for file in small_disk.glob("greedy-*"):
        file.unlink()
    with SqliteJournal(path, KEY, reserve=RESERVE) as after:
        assert after.head[0] >= durable > 0
        after.append(SIGNAL)
    assert verify(path, KEY).is_sound


@pytest.mark.fault("disk-full")
def test_an_account_starts_again_on_a_full_disk_and_records_what_stops(small_disk):
    """Its process was killed, so even the files through which SQLite is opened need room."""
    path, greedy = small_disk / "journal.db", small_disk / "greedy"
    crashed = SqliteJournal(path, KEY, reserve=4 * RESERVE)
    crashed.append(HALTED)
    crashed.sync()
    files = {name: (small_disk / name).read_bytes() for name in ("journal.db", "journal.db-wal")}
    crashed.close()
    for name, content in files.items():
        (small_disk / name).write_bytes(content)
    take_all_room(greedy)
    with SqliteJournal(path, KEY, reserve=4 * RESERVE) as journal:
        with pytest.raises(JournalFull):
            journal.append(SIGNAL)
        assert journal.append(HALTED) == 2
    assert verify(path, KEY).entries == 2


@pytest.mark.fault("write-fails")
def test_a_disk_that_turns_read_only_ends_the_journal(small_disk):
    """What is open for writing keeps a file system from being remounted; the kernel itself is not so polite."""
    path = small_disk / "journal.db"
    SqliteJournal(path, KEY).close()
    assert mount("-o", "remount,ro", str(small_disk))
    with pytest.raises(JournalUnavailable, match=r"Read-only file system"):
        SqliteJournal(path, KEY)
    assert verify(path, KEY).is_sound
