"""The journal on disk: what it insists on, what it never does twice, and who may look when."""

import asyncio
import errno
import functools
import os
import shutil
import sqlite3
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from quant_trading_system.core.events import CashMoved, OrderEvent, SignalEvent
from quant_trading_system.core.exceptions import JournalDamaged, JournalError, JournalUnavailable
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger
from quant_trading_system.core.signals import Direction, Signal
from quant_trading_system.journal import sqlite_store
from quant_trading_system.journal.anchor import Anchored, AnchorState, anchor_path, read_anchor
from quant_trading_system.journal.codec import encode
from quant_trading_system.journal.entry import chained, genesis
from quant_trading_system.journal.sqlite_reader import JournalReader
from quant_trading_system.journal.sqlite_store import TAIL, SqliteJournal
from quant_trading_system.journal.store import MemoryJournal
from quant_trading_system.journal.verify import verify

AT = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
KEY = bytes(range(32))


def moved(dollars: int) -> CashMoved:
    return CashMoved(at=AT + timedelta(seconds=dollars), amount=Decimal(1), cash=Decimal(dollars), reason="deposit")


def accepted(order_id: str) -> OrderEvent:
    return OrderEvent(at=AT, order_id=order_id, symbol="KO", status=OrderStatus.WORKING, trigger=OrderTrigger.ACCEPT)


class Scripted(sqlite3.Connection):
    """A connection whose commits can be counted, held up, and made to fail."""

    def __init__(self, path, **options):
        super().__init__(path, isolation_level=None, check_same_thread=False)
        self.commits = 0
        self.fail_with: BaseException | None = None
        self.fail_at = ""
        self.begun = threading.Event()
        self.may_commit = threading.Event()
        self.may_commit.set()

    def execute(self, sql, *values):
        if self.fail_at and sql.startswith(self.fail_at):
            raise sqlite3.OperationalError("disk I/O error")
        if sql == "COMMIT":
            self.begun.set()
            self.may_commit.wait()
            if self.fail_with is not None:
                raise self.fail_with
            self.commits += 1
        return super().execute(sql, *values)

    def executemany(self, sql, rows):
        if self.fail_at == "INSERT":
            raise sqlite3.OperationalError("disk I/O error")
        return super().executemany(sql, rows)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.db"


@pytest.fixture
def scripted(path):
    """A journal whose connection is a `Scripted` one, at `scripted.connection`."""
    connections: list[Scripted] = []

    def connect(file):
        connections.append(Scripted(file))
        return connections[-1]

    journal = SqliteJournal(path, KEY, connect=connect, group_commit=True)
    connection = connections[0]
    connection.commits = 0
    connection.begun.clear()
    journal.connection = connection  # type: ignore[attr-defined]  # for the tests that hold it up or break it
    yield journal
    connection.may_commit.set()
    connection.fail_with = None
    journal.close()


# -- writing and reading back --------------------------------------------------------------------------------------


def test_a_journal_is_continued_where_it_ended(path):
    with SqliteJournal(path, KEY) as journal:
        journal.append(moved(1))
        journal.append(moved(2), cause=1)
        head = journal.head
    with SqliteJournal(path, KEY) as journal:
        assert journal.head == head
        assert journal.append(moved(3), cause=2) == 3
    with JournalReader(path, KEY) as reader:
        assert [entry.event for entry in reader.entries()] == [moved(1), moved(2), moved(3)]
        assert reader.head == journal.head
    assert verify(path, KEY).is_sound


def test_disk_and_memory_hold_the_same_chain(path):
    memory = MemoryJournal(KEY)
    with SqliteJournal(path, KEY) as disk:
        for journal in (memory, disk):
            journal.set_config("5f1c")
            for event in (moved(1), accepted("a"), moved(2)):
                journal.append(event)
        disk.sync()
        assert disk.head == memory.head
        assert list(disk.entries()) == list(memory.entries())
        assert disk.about("a") == memory.about("a")
        assert list(disk.entries(kinds=["order"])) == list(memory.entries(kinds=["order"]))
        assert [disk.entry(seq) for seq in (0, 2, 4)] == [memory.entry(seq) for seq in (0, 2, 4)]


def test_an_empty_journal_has_the_head_of_its_header(path):
    with SqliteJournal(path, KEY) as journal:
        assert journal.head == (0, genesis(KEY).hex())
        assert list(journal.entries()) == []
    with SqliteJournal(path, KEY) as journal, JournalReader(path, KEY) as reader:
        assert reader.head == journal.head


def test_entries_are_read_in_chunks_by_number_and_by_kind(path):
    """More entries than one chunk, of which every third is about an order."""
    with SqliteJournal(path, KEY) as journal:
        for number in range(1, 2501):
            journal.append(accepted("a") if number % 3 == 0 else moved(number))
        journal.sync()
        assert [entry.seq for entry in journal.entries()] == list(range(1, 2501))
        assert [entry.seq for entry in journal.entries(start=2400)] == list(range(2400, 2501))
        assert [entry.seq for entry in journal.entries(kinds=["order"])] == list(range(3, 2501, 3))
        both = journal.entries(start=1000, kinds=["order", "cash_moved"])
        assert [entry.seq for entry in both] == list(range(1000, 2501))
        assert len(journal.about("a")) == 833
        assert list(journal.entries(kinds=["fill"])) == []
        assert list(journal.entries(start=2501)) == []


def test_about_an_order_comes_with_the_signal_behind_it(path):
    with SqliteJournal(path, KEY) as journal:
        spoken = journal.append(SignalEvent(at=AT, signal=Signal(symbol="KO", direction=Direction.LONG, at=AT)))
        journal.append(moved(1))
        journal.append(accepted("a"), cause=spoken)
        journal.sync()
        assert [entry.kind for entry in journal.about("a")] == ["signal", "order"]


def test_an_order_is_found_without_looking_at_the_others(path):
    with SqliteJournal(path, KEY) as journal:
        plan = journal._reader._connection.execute(
            "EXPLAIN QUERY PLAN SELECT e.body FROM entries AS e LEFT JOIN entries AS p ON p.seq = e.seq - 1"
            " WHERE e.subject = ? AND e.seq >= ? ORDER BY e.seq LIMIT ?",
            ("a", 1, 1000),
        ).fetchall()
    assert [row[3] for row in plan] == ["SEARCH e USING INDEX entries_by_subject (subject=? AND rowid>?)"]


def test_reading_sees_durable_entries_only(path):
    with SqliteJournal(path, KEY) as journal, JournalReader(path, KEY) as reader:
        journal.append(moved(1))
        assert list(reader.entries()) == list(journal.entries()) == []
        assert (journal.head[0], journal.durable_seq) == (1, 0)
        journal.sync()
        assert len(list(reader.entries())) == len(list(journal.entries())) == 1
        assert journal.durable_seq == 1


def test_a_reader_follows_a_running_writer(path):
    with SqliteJournal(path, KEY) as journal, JournalReader(path, KEY) as reader:
        entries = reader.entries()
        for dollars in (1, 2):
            journal.append(moved(dollars))
        journal.sync()
        assert next(entries).seq == 1
        journal.append(moved(3))
        journal.sync()
        assert reader.head[0] == 3


def test_a_reader_cannot_write(path):
    SqliteJournal(path, KEY).close()
    with JournalReader(path, KEY) as reader, pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader._connection.execute("DELETE FROM entries")


# -- durability ----------------------------------------------------------------------------------------------------


def test_a_batch_is_written_by_itself(path):
    with SqliteJournal(path, KEY, batch=3) as journal:
        durable = []
        for dollars in range(7):
            journal.append(moved(dollars))
            durable.append(journal.durable_seq)
        assert durable == [0, 0, 3, 3, 3, 6, 6]
    assert verify(path, KEY).entries == 7


def test_what_waits_for_a_sync_is_bounded(path, monkeypatch):
    monkeypatch.setattr("quant_trading_system.journal.sqlite_store.MAX_BUFFERED", 5)
    with SqliteJournal(path, KEY) as journal:
        for dollars in range(6):
            journal.append(moved(dollars))
        assert journal.durable_seq == 5


@pytest.mark.parametrize("option", [{"batch": 0}, {"batch": -1}, {"anchor_every": 0}])
def test_counts_begin_at_one(path, option):
    with pytest.raises(JournalError, match="count from 1"):
        SqliteJournal(path, KEY, **option)


def test_all_entries_of_a_sync_share_one_commit(scripted):
    for dollars in range(10):
        scripted.append(moved(dollars))
    scripted.sync()
    scripted.sync()
    assert scripted.connection.commits == 1


def test_listeners_hear_only_what_a_reader_can_already_see(path):
    heard = []
    with SqliteJournal(path, KEY) as journal, JournalReader(path, KEY) as reader:
        journal.subscribe(lambda seq, event: heard.append((seq, next(reader.entries(seq)).event == event)))
        journal.append(moved(1))
        journal.append(moved(2))
        assert heard == []
        journal.sync()
        assert heard == [(1, True), (2, True)]


def test_a_listener_may_append_and_sync(path):
    heard = []
    with SqliteJournal(path, KEY) as journal:

        def answer(seq, event):
            if seq < 3:
                journal.append(moved(100 + seq), cause=seq)
                journal.sync()

        journal.subscribe(answer)
        journal.subscribe(lambda seq, event: heard.append(seq))
        journal.append(moved(1))
        journal.sync()
    assert heard == [1, 2, 3]


def test_nothing_that_failed_to_be_written_is_told(scripted):
    heard = []
    scripted.subscribe(lambda seq, event: heard.append(seq))
    scripted.append(moved(1))
    scripted.connection.fail_with = sqlite3.OperationalError("disk I/O error")
    with pytest.raises(JournalUnavailable):
        scripted.sync()
    assert heard == []


# -- waiting together ----------------------------------------------------------------------------------------------


def test_callers_that_wait_during_a_commit_share_the_next_one(scripted):
    """The loop goes on while a commit runs; twenty who come meanwhile need one more commit, not twenty."""
    connection = scripted.connection

    async def one_holds_up_twenty():
        connection.may_commit.clear()
        scripted.append(moved(0))
        first = asyncio.create_task(scripted.durable())
        await asyncio.to_thread(connection.begun.wait)
        others = []
        for dollars in range(1, 21):
            scripted.append(moved(dollars))
            others.append(asyncio.create_task(scripted.durable()))
        await asyncio.sleep(0)
        assert not first.done()
        connection.may_commit.set()
        await asyncio.gather(first, *others)

    asyncio.run(one_holds_up_twenty())
    assert (connection.commits, scripted.durable_seq) == (2, 21)


def test_listeners_of_a_group_commit_run_on_the_loop(scripted):
    threads = []
    scripted.subscribe(lambda seq, event: threads.append(threading.current_thread()))

    async def once():
        scripted.append(moved(1))
        await scripted.durable()

    asyncio.run(once())
    assert threads == [threading.current_thread()]


def test_a_caller_that_gives_up_takes_nobody_with_it(scripted):
    connection = scripted.connection

    async def one_of_two_is_cancelled():
        connection.may_commit.clear()
        scripted.append(moved(1))
        first, second = (asyncio.create_task(scripted.durable()) for _ in range(2))
        await asyncio.to_thread(connection.begun.wait)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        connection.may_commit.set()
        await second
        assert first.cancelled()

    asyncio.run(one_of_two_is_cancelled())
    assert scripted.durable_seq == 1


def test_a_group_commit_that_fails_fails_for_all(scripted):
    async def two_wait():
        scripted.append(moved(1))
        scripted.connection.fail_with = sqlite3.OperationalError("disk I/O error")
        return await asyncio.gather(scripted.durable(), scripted.durable(), return_exceptions=True)

    outcomes = asyncio.run(two_wait())
    assert [type(outcome) for outcome in outcomes] == [JournalUnavailable] * 2
    assert scripted.durable_seq == 0


def test_without_group_commit_waiting_is_a_sync(path):
    with SqliteJournal(path, KEY) as journal:
        journal.append(moved(1))
        asyncio.run(journal.durable())
        assert journal.durable_seq == 1


def test_threads_may_append_and_sync_at_once(path):
    heard = []

    def record(dollars):
        journal.append(moved(dollars))
        journal.sync()

    with SqliteJournal(path, KEY) as journal:
        journal.subscribe(lambda seq, event: heard.append(seq))
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(record, range(80)))
    assert heard == list(range(1, 81))
    assert verify(path, KEY).entries == 80


# -- failure -------------------------------------------------------------------------------------------------------


def fail_commit(journal):
    journal.connection.fail_with = sqlite3.OperationalError("disk I/O error")


def fill_disk(journal):
    pages = journal.connection.execute("PRAGMA page_count").fetchone()[0]
    journal.connection.execute(f"PRAGMA max_page_count = {pages}")
    for dollars in range(200):
        journal.append(moved(dollars))


def make_read_only(journal):
    journal.connection.execute("PRAGMA query_only = ON")


def take_anchor_away(journal):
    os.close(journal._anchors[0]._descriptor)
    journal._anchors[0]._descriptor = os.open(anchor_path(journal.path), os.O_RDONLY)


def replace_lock(journal):
    (journal.path.parent / "journal.db.lock").unlink()
    (journal.path.parent / "journal.db.lock").touch()


def let_another_writer_in(journal):
    row = (2, "t", "k", None, "", None, b"{}", bytes(32))
    with sqlite3.connect(journal.path) as other:
        other.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    other.close()


@pytest.mark.parametrize(
    ("break_it", "cause"),
    [
        (fail_commit, "disk I/O error"),
        (fill_disk, "full"),
        (make_read_only, "readonly"),
        (take_anchor_away, "Bad file descriptor"),
        (replace_lock, "was replaced; another writer may be at work"),
        (let_another_writer_in, "UNIQUE constraint failed"),
    ],
)
@pytest.mark.fault("write-fails")
def test_a_failed_write_ends_the_journal_and_is_never_tried_again(scripted, break_it, cause):
    scripted.append(moved(1))
    scripted.sync()
    break_it(scripted)
    scripted.append(moved(2))
    with pytest.raises(JournalUnavailable, match=cause):
        scripted.sync()
    commits = scripted.connection.commits
    scripted.connection.fail_with = None
    with pytest.raises(JournalUnavailable, match="stays closed to this process; stop, look at the disk"):
        scripted.sync()
    with pytest.raises(JournalUnavailable, match=cause):
        scripted.append(moved(3))
    with pytest.raises(JournalUnavailable, match=cause):
        asyncio.run(scripted.durable())
    assert scripted.connection.commits == commits
    assert next(scripted.entries()).event == moved(1)


def refuse(*_):
    raise OSError(errno.EIO, "Input/output error")


def take_less(descriptor, content, offset):
    return len(content) - 1


STEPS = {
    "begin": ("BEGIN", None, None),
    "insert": ("INSERT", None, None),
    "commit, whose sync fails": ("COMMIT", None, None),
    "write of the anchor": ("", "pwrite", refuse),
    "short write of the anchor": ("", "pwrite", take_less),
    "sync of the anchor": ("", "fsync", refuse),
    "checkpoint": ("PRAGMA wal_checkpoint", None, None),
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.fault("write-fails")
def test_an_error_at_any_step_is_never_tried_again_and_keeps_what_was_acknowledged(path, monkeypatch, step):
    """A sync that failed once may lie when it is asked again: the process must end, and the next one reads."""
    fail_at, call, fault = STEPS[step]
    monkeypatch.setattr(sqlite_store, "CHECKPOINT_AFTER", 1)
    connections = []

    def connect(file):
        connections.append(Scripted(file))
        return connections[-1]

    journal = SqliteJournal(path, KEY, connect=connect, anchor_every=1)
    journal.append(moved(1))
    journal.sync()
    connection = connections[0]
    with monkeypatch.context() as broken:
        connection.fail_at = fail_at
        if call is not None:
            broken.setattr(os, call, fault)
        journal.append(moved(2))
        with pytest.raises(JournalUnavailable, match=r"stays closed to this process"):
            journal.sync()
    commits = connection.commits
    connection.fail_at = ""
    for again in (journal.sync, lambda: journal.append(moved(3)), lambda: asyncio.run(journal.durable())):
        with pytest.raises(JournalUnavailable, match="stays closed to this process"):
            again()
    assert (connection.commits, journal.durable_seq) == (commits, 1)
    journal.close()
    with SqliteJournal(path, KEY) as after:
        assert after.head[0] in (1, 2)  # the second entry was acknowledged to nobody
        assert next(after.entries()).event == moved(1)
    assert verify(path, KEY).is_sound


def test_sqlite_begins_no_checkpoint_of_its_own(scripted, monkeypatch):
    """It would keep an error of it to itself."""
    assert scripted.connection.execute("PRAGMA wal_autocheckpoint").fetchone()[0] == 0
    log = scripted.path.with_name("journal.db-wal")
    monkeypatch.setattr(sqlite_store, "CHECKPOINT_AFTER", 320)
    longest = 0
    for number in range(200):
        scripted.append(moved(number))
        scripted.sync()
        longest = max(longest, log.stat().st_size)
    assert longest < 1_500_000  # a log that is never moved into the file would have some 3 MB


def test_an_interrupted_write_ends_the_journal_too(scripted):
    scripted.append(moved(1))
    scripted.connection.fail_with = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        scripted.sync()
    with pytest.raises(JournalUnavailable, match="KeyboardInterrupt"):
        scripted.append(moved(2))


def test_what_a_killed_writer_left_in_the_log_is_made_durable_before_it_is_built_upon(path, monkeypatch):
    """Its commit had no time for the sync: a loss of power would take entries that the next process has read."""
    journal = SqliteJournal(path, KEY)
    journal.append(moved(1))
    journal.sync()
    shutil.copytree(path.parent, left := path.parent.with_name("left"))
    journal.close()
    log = (left / f"{path.name}-wal").stat()
    synced, sync = set[tuple[int, int]](), os.fsync

    def watched(descriptor: int) -> None:
        synced.add((os.fstat(descriptor).st_dev, os.fstat(descriptor).st_ino))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    with closing(SqliteJournal(left / path.name, KEY)) as again:
        assert again.head[0] == 1
    assert (log.st_dev, log.st_ino) in synced


def test_after_a_failure_the_next_process_goes_on_from_what_is_readable(scripted, path):
    scripted.append(moved(1))
    scripted.sync()
    fail_commit(scripted)
    scripted.append(moved(2))
    with pytest.raises(JournalUnavailable):
        scripted.sync()
    scripted.close()
    with SqliteJournal(path, KEY) as journal:
        assert journal.head[0] == 1
        assert journal.append(moved(2)) == 2
    assert verify(path, KEY).is_sound


def test_a_closed_journal_takes_nothing_and_closes_again(path):
    journal = SqliteJournal(path, KEY)
    journal.close()
    journal.close()
    with pytest.raises(JournalUnavailable, match="is closed"):
        journal.append(moved(1))
    with pytest.raises(JournalUnavailable, match="is closed"):
        journal.sync()


# -- opening -------------------------------------------------------------------------------------------------------


def test_every_file_of_a_journal_is_private(path):
    with SqliteJournal(path, KEY) as journal:
        journal.append(moved(1))
        journal.sync()
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    names = ("journal.db", "journal.db-shm", "journal.db-wal", "journal.db.anchor", "journal.db.lock")
    assert modes == dict.fromkeys(names, 0o600)


def test_durability_is_set_and_read_back(path):
    with SqliteJournal(path, KEY) as journal:
        read = {
            name: journal._connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous")
        }
    assert read == {"journal_mode": "wal", "synchronous": 2}


class Careless(sqlite3.Connection):
    """Says yes to every setting and changes none, as SQLite does where it cannot."""

    def execute(self, sql, *values):
        return super().execute(
            sql.replace("journal_mode = WAL", "journal_mode").replace("synchronous = FULL", "synchronous"), *values
        )


def test_a_file_system_that_cannot_be_durable_is_refused(path):
    connect = functools.partial(sqlite3.connect, isolation_level=None, factory=Careless)
    with pytest.raises(JournalUnavailable, match="journal_mode=delete, synchronous=2 instead of wal and 2"):
        SqliteJournal(path, KEY, connect=connect)


@pytest.mark.fault("second-engine")
def test_a_second_writer_is_refused_and_told_who_holds_it(path):
    with SqliteJournal(path, KEY) as journal:
        with pytest.raises(
            JournalUnavailable, match=rf"another writer .* \(process {os.getpid()}, lock .*stop it first"
        ):
            SqliteJournal(path, KEY)
        journal.append(moved(1))
    SqliteJournal(path, KEY).close()


@pytest.mark.parametrize("suffix", ["", ".anchor"])
@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_change_is_refused(path, suffix, mode):
    SqliteJournal(path, KEY).close()
    file = path.with_name(path.name + suffix)
    file.chmod(mode)
    with pytest.raises(JournalUnavailable, match="open to other users"):
        SqliteJournal(path, KEY)
    file.chmod(0o600)
    SqliteJournal(path, KEY).close()


def test_what_is_no_file_is_refused(path):
    path.mkdir()
    with pytest.raises(JournalUnavailable, match="is not an ordinary file"):
        SqliteJournal(path, KEY)


def test_a_directory_that_is_not_there_is_named(tmp_path):
    with pytest.raises(JournalUnavailable, match="No such file or directory"):
        SqliteJournal(tmp_path / "nowhere" / "journal.db", KEY)


def test_a_file_of_another_kind_is_refused_and_left_as_it_was(path):
    path.write_bytes(b"symbol,price\nKO,60\n")
    path.chmod(0o600)
    with pytest.raises(JournalUnavailable, match="file is not a database"):
        SqliteJournal(path, KEY)
    assert path.read_bytes() == b"symbol,price\nKO,60\n"
    assert not anchor_path(path).exists()


def test_the_database_of_another_program_is_refused_and_left_as_it_was(path):
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE prices (symbol TEXT)")
    other.close()
    path.chmod(0o600)
    before = path.read_bytes()
    with pytest.raises(JournalUnavailable, match="is not a journal of this program"):
        SqliteJournal(path, KEY)
    assert path.read_bytes() == before
    assert not anchor_path(path).exists()


def alter(path, *statements):
    """Change the file behind the journal's back."""
    connection = sqlite3.connect(path)
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("PRAGMA user_version = 2", "has journal format 2, this version knows 1; use the version that wrote it"),
        ("CREATE TRIGGER t AFTER INSERT ON entries BEGIN DELETE FROM entries; END", "triggers were changed"),
        ("DROP INDEX entries_by_kind", "indexes or triggers were changed"),
    ],
)
def test_another_format_is_refused(path, statement, message):
    SqliteJournal(path, KEY).close()
    alter(path, statement)
    for opener in (SqliteJournal, JournalReader):
        with pytest.raises(JournalUnavailable, match=message):
            opener(path, KEY)


@pytest.fixture
def ten_entries(path):
    with SqliteJournal(path, KEY, anchor_every=1) as journal:
        for dollars in range(1, 11):
            journal.append(moved(dollars))
    return path


@pytest.mark.parametrize(
    ("statement", "seq", "message"),
    [
        ("UPDATE entries SET config = 'x' WHERE seq = 7", 7, "is not what was recorded"),
        ("DELETE FROM entries WHERE seq = 4", 4, "is missing"),
        ("DELETE FROM entries WHERE seq > 8", 9, "the tail is missing: the anchor .* remembers 10 entries"),
        ("DELETE FROM entries", 1, "the tail is missing"),
    ],
)
@pytest.mark.fault("journal-edited")
def test_a_journal_that_was_changed_is_not_continued(ten_entries, statement, seq, message):
    alter(ten_entries, statement)
    with pytest.raises(JournalDamaged, match=message) as caught:
        SqliteJournal(ten_entries, KEY)
    assert caught.value.seq == seq


@pytest.mark.fault("journal-gone")
def test_a_journal_that_vanished_is_not_begun_anew(ten_entries):
    ten_entries.unlink()
    with pytest.raises(JournalDamaged, match="is gone or empty, but its anchor remembers 10 entries"):
        SqliteJournal(ten_entries, KEY)
    assert not ten_entries.exists()
    ten_entries.touch(0o600)
    with pytest.raises(JournalDamaged, match="is gone or empty"):
        SqliteJournal(ten_entries, KEY)


@pytest.mark.parametrize("content", [None, b"", b"x" * 5000])
def test_a_journal_without_a_whole_anchor_is_not_continued(ten_entries, content):
    anchor_path(ten_entries).unlink()
    state = AnchorState.MISSING
    if content is not None:
        anchor_path(ten_entries).write_bytes(content)
        anchor_path(ten_entries).chmod(0o600)
        state = AnchorState.UNREADABLE
    for _ in range(2):
        with pytest.raises(JournalUnavailable, match=f"is {state}: nobody can say whether the end"):
            SqliteJournal(ten_entries, KEY)
    assert read_anchor(ten_entries, KEY) is state


def test_a_journal_is_not_continued_with_another_key(ten_entries):
    with pytest.raises(JournalDamaged, match="or the key is another one"):
        SqliteJournal(ten_entries, bytes(32))


def test_an_entry_of_a_newer_version_stops_the_start(ten_entries):
    """It is chained as it should be, but this version would have to skip it."""
    with JournalReader(ten_entries, KEY) as reader:
        head = bytes.fromhex(reader.head[1])
    columns = (
        11,
        "2024-01-02T14:30:00Z",
        "teleported",
        None,
        "",
        None,
        b'{"kind":"teleported","at":"2024-01-02T14:30:00Z"}',
    )
    connection = sqlite3.connect(ten_entries)
    with connection:
        row = (*columns, chained(head, *columns, KEY))
        connection.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    connection.close()
    with pytest.raises(JournalDamaged, match="entry 11: cannot be read by this version"):
        SqliteJournal(ten_entries, KEY)


def test_opening_looks_at_the_end_only_however_long_the_journal_is(path):
    """An old edit is for `verify` to find."""
    with SqliteJournal(path, KEY) as journal:
        for dollars in range(TAIL + 10):
            journal.append(moved(dollars))
    alter(path, "UPDATE entries SET config = 'x' WHERE seq = 5")
    SqliteJournal(path, KEY).close()
    assert verify(path, KEY).first_bad == 5


def anchored_seq(path):
    anchored = read_anchor(path, KEY)
    assert isinstance(anchored, Anchored)
    return anchored.seq


def test_the_anchor_follows_every_commit_and_catches_up_on_opening(path):
    with SqliteJournal(path, KEY) as journal:
        for dollars in (1, 2):
            journal.append(moved(dollars))
            journal.sync()
            assert anchored_seq(path) == dollars
        old_anchor = anchor_path(path).read_bytes()
        journal.append(moved(3))
    anchor_path(path).write_bytes(old_anchor)
    with SqliteJournal(path, KEY):
        assert anchored_seq(path) == 3


@pytest.mark.parametrize("left_behind", ["file", "file and anchor", "file in write-ahead mode"])
@pytest.mark.fault("killed-in-commit")
def test_a_crash_while_a_journal_is_being_made_does_no_harm(path, left_behind):
    SqliteJournal(path, KEY).close()
    anchor = anchor_path(path).read_bytes()
    for file in path.parent.iterdir():
        file.unlink()
    path.touch(0o600)
    if left_behind == "file and anchor":
        anchor_path(path).write_bytes(anchor)
        anchor_path(path).chmod(0o600)
    if left_behind == "file in write-ahead mode":
        alter(path, "PRAGMA journal_mode = WAL")
    with SqliteJournal(path, KEY) as journal:
        assert journal.append(moved(1)) == 1
    assert verify(path, KEY).is_sound


def test_a_reader_needs_a_journal(tmp_path):
    with pytest.raises(JournalUnavailable, match="No such file or directory"):
        JournalReader(tmp_path / "journal.db", KEY)


def test_a_path_may_hold_any_character(tmp_path):
    path = tmp_path / "tom's 100% ?journal#1.db"
    with SqliteJournal(path, KEY) as journal:
        journal.append(moved(1))
    assert verify(path, KEY).is_sound


def test_a_reader_names_the_entry_at_which_it_stops(ten_entries):
    alter(ten_entries, f"UPDATE entries SET body = x'{encode(moved(99)).hex()}' WHERE seq = 6")
    with JournalReader(ten_entries, KEY) as reader:
        entries = reader.entries()
        assert [next(entries).seq for _ in range(5)] == [1, 2, 3, 4, 5]
        with pytest.raises(JournalDamaged, match="entry 6: is not what was recorded"):
            next(entries)
        with pytest.raises(JournalDamaged, match="entry 6"):
            list(reader.entries(kinds=["cash_moved"]))
        assert [entry.seq for entry in reader.entries(start=7)] == [7, 8, 9, 10]
        with pytest.raises(JournalDamaged, match="entry 6"):
            reader.entry(6)
