"""After any crash the journal is a prefix of what was appended, holding all that was ever reported durable."""

import random
import resource
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from quant_trading_system.core.events import CashMoved
from quant_trading_system.core.exceptions import JournalDamaged
from quant_trading_system.journal.anchor import anchor_path
from quant_trading_system.journal.sqlite_reader import JournalReader
from quant_trading_system.journal.sqlite_store import SqliteJournal
from quant_trading_system.journal.verify import verify

KEY = bytes(range(32))
AT = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)

WRITER = """
import sys
from datetime import UTC, datetime
from decimal import Decimal
from quant_trading_system.core.events import CashMoved
from quant_trading_system.core.exceptions import JournalUnavailable
from quant_trading_system.journal.sqlite_store import SqliteJournal

journal = SqliteJournal(sys.argv[1], bytes(range(32)), anchor_every=2)
at = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
print("open", *journal.head, flush=True)
seq, digest = journal.head
try:
    while True:
        for _ in range(seq % 5 + 1):
            seq = journal.append(CashMoved(at=at, amount=Decimal(1), cash=Decimal(seq + 1), reason="x" * 300))
        journal.sync()
        print("durable", *journal.head, flush=True)
except JournalUnavailable as error:
    print("unavailable", str(error).replace(" ", "_"), 0, flush=True)
"""


def moved(number):
    return CashMoved(at=AT, amount=Decimal(1), cash=Decimal(number), reason="deposit")


def start_writer(path, **options):
    return subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True, **options)


@pytest.mark.fault("killed-in-commit")
def test_a_writer_killed_at_any_moment_loses_nothing_that_was_durable(tmp_path):
    """Six times the writer is killed between two of its lines, six times it goes on from where it was."""
    path = tmp_path / "journal.db"
    chance = random.Random(7)
    acknowledged = (0, "")
    for _ in range(6):
        with start_writer(path) as writer:
            assert writer.stdout is not None
            opened = writer.stdout.readline().split()
            assert int(opened[1]) >= acknowledged[0]
            lines = [writer.stdout.readline() for _ in range(chance.randrange(1, 25))]
            writer.send_signal(signal.SIGKILL)
            lines += writer.stdout.readlines()
        whole = [line.split() for line in lines if line.endswith("\n")]
        acknowledged = (int(whole[-1][1]), whole[-1][2])
        report = verify(path, KEY)
        assert report.is_sound, report.message
        assert report.entries >= acknowledged[0]
        with JournalReader(path, KEY) as reader:
            assert next(reader.entries(acknowledged[0])).digest.hex() == acknowledged[1]
            cash = [entry.event.cash for entry in reader.entries()]  # type: ignore[union-attr]
        assert cash == list(range(1, report.entries + 1))
    with SqliteJournal(path, KEY) as journal:
        journal.append(moved(1))
    assert verify(path, KEY).is_sound


def limit_file_size():
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))


@pytest.mark.fault("disk-full")
def test_a_disk_that_is_full_ends_the_writer_and_leaves_a_sound_journal(tmp_path):
    path = tmp_path / "journal.db"
    with start_writer(path, preexec_fn=limit_file_size) as writer:
        assert writer.stdout is not None
        lines = [line.split() for line in writer.stdout]
    assert (writer.returncode, lines[-1][0]) == (0, "unavailable")
    acknowledged = max(int(line[1]) for line in lines if line[0] == "durable")
    report = verify(path, KEY)
    assert report.is_sound
    assert report.entries >= acknowledged > 10
    with SqliteJournal(path, KEY) as journal:
        assert journal.append(moved(1)) == report.entries + 1


def test_a_killed_writer_leaves_no_lock_behind(tmp_path):
    path = tmp_path / "journal.db"
    with start_writer(path) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        writer.kill()
    SqliteJournal(path, KEY).close()


@pytest.fixture
def crash_sites(tmp_path):
    """Copies of the files at every step: after five entries were durable, and while three more were written."""
    path = tmp_path / "live" / "journal.db"
    path.parent.mkdir()
    with SqliteJournal(path, KEY) as journal:
        for number in range(1, 6):
            journal.append(moved(number))
            journal.sync()
        before = path.parent.parent / "before"
        shutil.copytree(path.parent, before)
        for number in range(6, 9):
            journal.append(moved(number))
        journal.sync()
        after = path.parent.parent / "after"
        shutil.copytree(path.parent, after)
    return before, after


def crashed(crash_sites, name, log_bytes, *, anchor_was_written):
    """A directory in which the write-ahead log was cut short after so many bytes."""
    before, after = crash_sites
    site = before.parent / name
    shutil.copytree(after, site)
    log = site / "journal.db-wal"
    log.write_bytes(log.read_bytes()[:log_bytes])
    if not anchor_was_written:
        shutil.copy(before / "journal.db.anchor", site / "journal.db.anchor")
    return site / "journal.db"


@pytest.mark.fault("killed-in-commit")
def test_a_torn_commit_is_cut_at_any_byte_and_the_rest_stays(crash_sites):
    """The last commit reached the disk in part and was acknowledged to nobody."""
    before, after = (site / "journal.db-wal" for site in crash_sites)
    begin, end = before.stat().st_size, after.stat().st_size
    assert begin < end
    for length in [*range(begin, end, 499), end - 1, end]:
        path = crashed(crash_sites, f"torn-{length}", length, anchor_was_written=False)
        with SqliteJournal(path, KEY) as journal:
            assert journal.head[0] == (8 if length == end else 5)
            journal.append(moved(9))
        report = verify(path, KEY)
        assert report.is_sound, (length, report.message)


@pytest.mark.fault("journal-cut")
def test_a_commit_that_was_acknowledged_and_is_torn_stops_the_start(crash_sites):
    """The anchor knows of it: a disk that lied, or a hand that cut."""
    begin, end = ((site / "journal.db-wal").stat().st_size for site in crash_sites)
    for length in (0, begin, end - 1):
        path = crashed(crash_sites, f"lost-{length}", length, anchor_was_written=True)
        with pytest.raises(JournalDamaged, match=r"the tail is missing|is gone or empty"):
            SqliteJournal(path, KEY)
        assert not verify(path, KEY).is_sound


def test_a_crash_between_commit_and_anchor_is_no_damage(crash_sites):
    end = (crash_sites[1] / "journal.db-wal").stat().st_size
    path = crashed(crash_sites, "unanchored", end, anchor_was_written=False)
    assert verify(path, KEY).entries == 8
    SqliteJournal(path, KEY).close()
    report = verify(path, KEY)
    assert (report.is_sound, report.anchor_seq) == (True, 8)


@pytest.mark.fault("killed-in-recovery")
def test_a_crash_while_opening_after_a_crash_changes_nothing(crash_sites):
    """Recovery is repeatable: whatever was cut the first time is cut again."""
    begin = (crash_sites[0] / "journal.db-wal").stat().st_size
    path = crashed(crash_sites, "twice", begin + 100, anchor_was_written=False)
    heads = set()
    for _ in range(3):
        journal = SqliteJournal(path, KEY)
        heads.add(journal.head)
        copy = path.parent.parent / f"copy-{len(list(path.parent.parent.iterdir()))}"
        shutil.copytree(path.parent, copy)
        journal.close()
        path = copy / "journal.db"
    assert len(heads) == 1
    assert anchor_path(path).exists()
