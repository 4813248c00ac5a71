"""Snapshots speed up a start and decide nothing: whatever is wrong with one, the books are the same."""

import errno
import shutil
import sqlite3
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from quant_trading_system.core.events import (
    CashMoved,
    FillEvent,
    HaltLevel,
    HaltTrigger,
    KillSwitchEvent,
    OrderEvent,
    RunFinished,
    RunStarted,
)
from quant_trading_system.core.exceptions import JournalDamaged, JournalError
from quant_trading_system.core.order_state import OrderStatus as S
from quant_trading_system.core.order_state import OrderTrigger as T
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce
from quant_trading_system.core.positions import Position
from quant_trading_system.journal import order_fold, snapshot, sqlite_store
from quant_trading_system.journal.books import Books, books_of
from quant_trading_system.journal.entry import Entry
from quant_trading_system.journal.order_fold import OrderFold
from quant_trading_system.journal.projection import Projection
from quant_trading_system.journal.replay import replay
from quant_trading_system.journal.snapshot import (
    Folded,
    SnapshotKeeper,
    SnapshotUnusable,
    fold,
    folding,
    packed,
    unpacked,
)
from quant_trading_system.journal.sqlite_store import SqliteJournal
from quant_trading_system.journal.store import MemoryJournal

D = Decimal
AT = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
KEY = bytes(range(32))
STARTED = RunStarted(
    at=AT, run="run", mode="test", strategies=(), seed=0, version="0", limits={}, limits_version="", universe=()
)


def order(number: int, quantity: int = 10):
    """An order that is sent, filled in two parts, and ends."""
    order_id, side = f"run-{number}-0", OrderSide.BUY if number % 3 else OrderSide.SELL
    content = Order(
        symbol="KO", side=side, quantity=D(quantity), order_type=OrderType.MARKET, time_in_force=TimeInForce.DAY
    )

    def step(status, trigger, filled=0, **fields):
        return OrderEvent(
            at=AT,
            order_id=order_id,
            symbol="KO",
            status=status,
            trigger=trigger,
            quantity_filled=D(filled),
            venue_order_id=f"v{number}",
            **fields,
        )

    def fill(shares, cumulative):
        return FillEvent(
            at=AT,
            order_id=order_id,
            execution_id=f"{order_id}:{cumulative}",
            symbol="KO",
            side=side,
            quantity=D(shares),
            price=D("60.01") + number,
            cumulative_quantity=D(cumulative),
            fee=D("0.01"),
        )

    return [
        step(S.SENT, T.SEND, order=content),
        fill(4, 4),
        step(S.PARTIALLY_FILLED, T.FILL_PART, 4),
        fill(quantity - 4, quantity),
        step(S.FILLED, T.FILL_LAST, quantity),
    ]


HALTED = KillSwitchEvent(
    at=AT, level=HaltLevel.REDUCING, reason="-5 %", trigger=HaltTrigger.DAILY_LOSS, by="monitor", activation=1
)
STORY = [
    STARTED,
    CashMoved(at=AT, amount=D(100000), cash=D(100000), reason="opening balance"),
    *(event for number in range(1, 9) for event in order(number)),
    HALTED,
    *order(9)[:3],
]


def written(events=STORY, journal=None):
    journal = journal or MemoryJournal(KEY)
    for event in events:
        journal.append(event)
    return journal


def state(projection: Projection) -> bytes:
    """All that it knows, as bytes that can be compared."""
    return msgspec.msgpack.encode(books_of(projection))


def snapshot_at(journal, seq) -> bytes:
    books = replay(journal, until=seq).projection
    return packed(books, journal.entry(seq).digest, KEY)


@pytest.fixture
def short_memory(monkeypatch):
    """Orders that ended are forgotten early, so that a fold must look them up."""
    monkeypatch.setattr(order_fold, "REMEMBERED_ORDERS", 2)


@pytest.mark.usefixtures("short_memory")
def test_from_every_entry_on_a_snapshot_and_the_rest_give_what_all_entries_give():
    journal = written()
    late = [*order(2)[3:], *order(9)[3:]]  # what it tells of an order that ended long ago is a difference
    written(late, journal)
    whole = replay(journal)
    for seq in range(1, journal.head[0] + 1):
        journal.keep_snapshot(snapshot_at(journal, seq))
        folded = fold(journal)
        assert (folded.snapshot_seq, folded.ignored, folded.entries) == (seq, "", journal.head[0] - seq)
        assert state(folded.projection) == state(whole.projection), seq


def test_no_field_of_the_books_is_missing_in_a_snapshot():
    """Whoever gives the projection a new field adds it to `Books`."""
    wiring = {"_appliers", "_differences", "orders"}
    names = {name.lstrip("_") for name in vars(Projection()).keys() - wiring}
    names |= {name.lstrip("_") for name in vars(OrderFold(print)).keys() - {"_differ", "_history"}}
    assert names == set(Books.__struct_fields__)
    slots = [name.lstrip("_") for name in sorted(Position.__slots__) if name != "_middle"]  # a replay finds it again
    assert slots == list(snapshot.books_module.PositionState.__struct_fields__)


def test_a_journal_without_a_snapshot_is_folded_whole():
    journal = written()
    folded = fold(journal)
    assert (folded.snapshot_seq, folded.entries, folded.ignored) == (0, len(STORY), "")
    assert state(folded.projection) == state(replay(journal).projection)


def of_another_journal(content: bytes, monkeypatch) -> bytes:
    other = written([STARTED, *STORY])
    return snapshot_at(other, 20)


def newer_than_the_journal(content: bytes, monkeypatch) -> bytes:
    longer = written([*STORY, *order(9)[3:]])
    return snapshot_at(longer, len(STORY) + 1)


def of_another_key(content: bytes, monkeypatch) -> bytes:
    journal = written()
    return packed(replay(journal, until=20).projection, journal.entry(20).digest, bytes(32))  # type: ignore[union-attr]


def of_another_shape(content: bytes, monkeypatch) -> bytes:
    """Signed, of this code, and yet no books: this cannot happen, and harms nothing if it does."""
    monkeypatch.setattr(snapshot, "books_of", lambda _: {"seq": 20})
    return snapshot_at(written(), 20)


DAMAGE = {
    "empty": (lambda content, _: b"", None),
    "cut short": (lambda content, _: content[:-1], "damaged"),
    "nothing but its name": (lambda content, _: content[:8], "damaged"),
    "longer": (lambda content, _: content + b"\0", "damaged"),
    "another file": (lambda content, _: b"SQLite format 3\0" * 9, "damaged"),
    "another journal": (of_another_journal, "is not in this journal"),
    "newer than the journal": (newer_than_the_journal, f"entry {len(STORY) + 1} is not in this journal"),
    "another key": (of_another_key, "another key"),
    "another shape": (of_another_shape, "cannot be read"),
}


@pytest.mark.parametrize("name", DAMAGE)
@pytest.mark.fault("snapshot-bad")
def test_a_snapshot_that_cannot_be_believed_is_ignored_and_says_why(monkeypatch, name):
    spoil, why = DAMAGE[name]
    journal = written()
    genuine = replay(journal).projection
    with monkeypatch.context() as patched:
        spoilt = spoil(snapshot_at(journal, 20), patched)
    journal.keep_snapshot(spoilt)
    folded = fold(journal)
    assert folded.snapshot_seq == 0
    assert (why is None and not folded.ignored) or why in folded.ignored
    assert state(folded.projection) == state(genuine)


@pytest.mark.fault("snapshot-bad")
def test_a_snapshot_of_another_version_is_ignored(monkeypatch):
    """Another version may read an entry differently; its own books would hide that."""
    journal = written()
    journal.keep_snapshot(snapshot_at(journal, 20))
    monkeypatch.setattr(snapshot, "_code", lambda: b"the next version")
    folded = fold(journal)
    assert (folded.snapshot_seq, folded.entries) == (0, len(STORY))
    assert "another version of this program made it" in folded.ignored


@pytest.mark.fault("snapshot-bad", "bits-flipped")
def test_a_flipped_bit_at_any_place_is_ignored():
    journal = written()
    content = snapshot_at(journal, 20)
    for place in range(len(content)):
        spoilt = bytearray(content)
        spoilt[place] ^= 1 << place % 8
        with pytest.raises(SnapshotUnusable):
            unpacked(bytes(spoilt), journal, KEY)


def test_whatever_the_books_are_made_of_belongs_to_the_code_that_folds():
    """A change of a word in a module that is left out would be read into old snapshots unnoticed."""
    made_in = {
        name
        for module in (snapshot.projection_module, snapshot.books_module, snapshot.order_fold)
        for value in vars(module).values()
        if (name := getattr(value, "__module__", "")).startswith("quant_trading_system.core")
    }
    errors = "quant_trading_system.core.exceptions"
    assert made_in - {errors} <= {module.__name__ for module in snapshot._FOLDING}


def test_the_code_of_the_snapshot_is_the_code_that_folds():
    assert snapshot._code() == snapshot._code()
    assert len(snapshot._code()) == 16


# -- on disk --------------------------------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.db"


def beside(path):
    return path.with_name("journal.db.snapshot")


def run_once(path, events, every=10):
    """One process: fold, go on, end. What the fold found."""
    with SqliteJournal(path, KEY) as journal:
        folded = fold(journal)
        SnapshotKeeper(journal, folded, every)
        written(events, journal)
        journal.sync()
    return folded


def test_a_running_account_keeps_snapshots_and_the_next_start_reads_the_rest_only(path):
    """Snapshots come with what became durable: after the first commit here, which holds everything."""
    assert run_once(path, STORY[:15]).snapshot_seq == 0
    assert beside(path).stat().st_mode & 0o777 == 0o600
    again = run_once(path, STORY[15:])
    assert (again.snapshot_seq, again.entries) == (10, 5)
    with SqliteJournal(path, KEY) as journal:
        last = fold(journal)
        assert last.entries < 10
        assert state(last.projection) == state(replay(journal).projection)


@pytest.mark.fault("killed-in-recovery")
def test_a_long_fold_that_is_cut_off_goes_on_where_it_was(path, monkeypatch):
    """It is read in pieces, and snapshots are kept on the way."""
    monkeypatch.setattr(snapshot, "PIECE", 4)
    monkeypatch.setattr(snapshot, "KEPT_WHILE_FOLDING", 12)
    with SqliteJournal(path, KEY) as journal:
        written(journal=journal)
    with SqliteJournal(path, KEY) as journal:
        pieces = folding(journal)
        assert [next(pieces) for _ in range(4)] == [4, 8, 12, 16]
    with SqliteJournal(path, KEY) as journal:
        folded = fold(journal)
        assert (folded.snapshot_seq, folded.entries) == (12, len(STORY) - 12)
        assert state(folded.projection) == state(replay(journal).projection)


def test_orders_that_ended_long_ago_are_looked_up_by_what_was_before(path, monkeypatch):
    """Nothing is read again for a new order; what comes late to an old one finds it as it was."""
    monkeypatch.setattr(order_fold, "REMEMBERED_ORDERS", 2)
    late = msgspec.structs.replace(order(1)[1], execution_id="late", cumulative_quantity=D(99), quantity=D(1))
    with SqliteJournal(path, KEY) as journal:
        written([*STORY, late], journal=journal)
    with SqliteJournal(path, KEY) as journal:
        asked: list[int] = []
        look = journal.about

        def about(order_id: str, before: int) -> list[Entry]:
            asked.append(len(found := look(order_id, before)))
            return found

        monkeypatch.setattr(journal, "about", about)
        folded = fold(journal)
        assert asked == [0] * (len(asked) - 1) + [5]
        assert state(folded.projection) == state(replay(journal).projection)


def test_the_end_of_a_run_keeps_one(path):
    run_once(path, [*STORY, RunFinished(at=AT, run="run", orders=9, fills=17)], every=1000)
    with SqliteJournal(path, KEY) as journal:
        assert fold(journal).entries == 0


def test_a_long_rest_is_folded_once(path):
    """A snapshot is kept at the start already, so that a process that crashes again and again starts quickly."""
    with SqliteJournal(path, KEY) as journal:
        written(journal=journal)
    run_once(path, [])
    assert run_once(path, []).entries == 0


def test_the_keeper_shares_nothing_with_the_books_that_the_account_goes_on_with(path):
    with SqliteJournal(path, KEY) as journal:
        written(journal=journal)
        journal.sync()
        folded = fold(journal)
        SnapshotKeeper(journal, folded, 5)
        before = state(folded.projection)
        written(order(10), journal)
        journal.sync()
        assert state(folded.projection) == before
    with SqliteJournal(path, KEY) as journal:
        assert fold(journal).snapshot_seq == len(STORY) + 5


def test_an_edit_after_the_snapshot_stops_the_start_and_one_before_it_is_for_verify(path, monkeypatch):
    monkeypatch.setattr(sqlite_store, "TAIL", 2)
    run_once(path, [*STORY, RunFinished(at=AT, run="run", orders=9, fills=17)])
    run_once(path, order(10), every=1000)
    for seq, found in ((3, False), (len(STORY) + 3, True)):
        copy = path.with_name(f"copy-{seq}")
        copy.mkdir()
        for file in path.parent.glob("journal.db*"):
            shutil.copy(file, copy / file.name)
        connection = sqlite3.connect(copy / "journal.db")
        with connection:
            connection.execute("UPDATE entries SET config = 'x' WHERE seq = ?", (seq,))
        connection.close()
        if found:
            with pytest.raises(JournalDamaged):
                run_once(copy / "journal.db", [])
        else:
            assert run_once(copy / "journal.db", []).snapshot_seq


def test_a_snapshot_that_cannot_be_written_or_read_is_told_and_harms_nothing(path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EIO, "Input/output error")

    told: list[str] = []
    with monkeypatch.context() as broken, SqliteJournal(path, KEY) as journal:
        broken.setattr(sqlite_store, "replace_private", refuse)
        journal.on_warning(told.append)
        SnapshotKeeper(journal, fold(journal), 5)
        written(journal=journal)
        while not told:  # the keeper hears of entries a little after they are durable
            journal.sync()
            journal._snapshots.submit(lambda: None).result()
        assert "no snapshot of" in told[0]
    beside(path).mkdir()
    with SqliteJournal(path, KEY) as journal:
        assert fold(journal).entries == len(STORY)
        told.clear()
        journal.on_warning(told.append)
        assert "cannot be read" in told[0]  # that no new one can be kept there is told after it, or still to come


def test_a_keeper_that_missed_an_entry_keeps_nothing():
    journal = written()
    SnapshotKeeper(journal, Folded(Projection(), 0, 0, ""))
    journal.append(HALTED)
    ((_, error),) = journal.listener_failures
    assert isinstance(error, JournalError)
    assert "does not follow entry 0; no more snapshots" in str(error)
