"""Every way of tampering with a journal, and what `verify` says to it."""

import random
import shutil
import sqlite3
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import blake2b

import pytest

from quant_trading_system.core.events import CashMoved, OrderEvent
from quant_trading_system.core.exceptions import JournalDamaged, JournalError, JournalUnavailable
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger
from quant_trading_system.journal.anchor import SLOT_OFFSET, AnchorState, anchor_path
from quant_trading_system.journal.codec import encode
from quant_trading_system.journal.entry import chained
from quant_trading_system.journal.sqlite_reader import JournalReader
from quant_trading_system.journal.sqlite_store import SqliteJournal
from quant_trading_system.journal.verify import verify

AT = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
KEY = bytes(range(32))
INSERT = "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


def moved(dollars: int) -> CashMoved:
    return CashMoved(at=AT + timedelta(seconds=dollars), amount=Decimal(1), cash=Decimal(dollars), reason="deposit")


def write(path, first, last):
    """Entries in commits of their own; every third is about an order."""
    with SqliteJournal(path, KEY) as journal:
        journal.set_config("5f1c")
        for number in range(first, last + 1):
            order = OrderEvent(
                at=AT, order_id=f"run-{number}-0", symbol="KO", status=OrderStatus.SENT, trigger=OrderTrigger.SEND
            )
            journal.append(order if number % 3 == 0 else moved(number), cause=number - 1 or None)
            journal.sync()


@pytest.fixture
def path(tmp_path):
    """A sound journal of twelve entries."""
    path = tmp_path / "journal.db"
    write(path, 1, 12)
    return path


def execute(path, *statements):
    connection = sqlite3.connect(path)
    with connection:
        for statement in statements:
            connection.execute(*statement) if isinstance(statement, tuple) else connection.execute(statement)
    connection.close()


def row_of(path, seq):
    connection = sqlite3.connect(path)
    row = connection.execute("SELECT * FROM entries WHERE seq = ?", (seq,)).fetchone()
    connection.close()
    return row


def test_a_journal_that_nobody_touched_is_sound(path):
    report = verify(path, KEY)
    with JournalReader(path, KEY) as reader:
        assert (report.entries, report.head) == reader.head
        assert report.last_at == next(reader.entries(start=12)).at
    assert (report.is_sound, report.first_bad, report.message) == (True, None, "12 entries are good")
    assert (report.anchor, report.anchor_seq) == (AnchorState.MATCHES, 12)


# -- the entries ---------------------------------------------------------------------------------------------------


def shift_up_from(seq):
    """Make room for a forged entry without any gap."""
    return [f"UPDATE entries SET seq = {number + 1} WHERE seq = {number}" for number in range(12, seq - 1, -1)]


def copied(seq, source):
    """A statement that puts a copy of entry `source` in place `seq`."""
    columns = "at, kind, cause, config, subject, body, digest"
    return f"INSERT INTO entries SELECT {seq}, {columns} FROM entries WHERE seq = {source}"


FORGED_BODY = encode(moved(1_000_000)).hex()

TAMPERING = {
    # what was done: the statements, the first bad entry, what is said
    "edit seq": (["UPDATE entries SET seq = 99 WHERE seq = 12"], 12, "is missing"),
    "edit time": (["UPDATE entries SET at = '2024-01-02T14:30:06Z' WHERE seq = 5"], 5, "is not what was recorded"),
    "spell time otherwise": (["UPDATE entries SET at = at || ' ' WHERE seq = 5"], 5, "is not what was recorded"),
    "edit kind": (["UPDATE entries SET kind = 'fill' WHERE seq = 5"], 5, "is not what was recorded"),
    "edit cause": (["UPDATE entries SET cause = 3 WHERE seq = 5"], 5, "is not what was recorded"),
    "remove cause": (["UPDATE entries SET cause = NULL WHERE seq = 5"], 5, "is not what was recorded"),
    "edit config": (["UPDATE entries SET config = '' WHERE seq = 5"], 5, "is not what was recorded"),
    "edit subject": (["UPDATE entries SET subject = 'run-9-0' WHERE seq = 6"], 6, "is not what was recorded"),
    "hide from its order": (["UPDATE entries SET subject = NULL WHERE seq = 6"], 6, "is not what was recorded"),
    "edit body": ([f"UPDATE entries SET body = x'{FORGED_BODY}' WHERE seq = 5"], 5, "is not what was recorded"),
    "empty body": (["UPDATE entries SET body = x'' WHERE seq = 5"], 5, "is not what was recorded"),
    "edit digest": (["UPDATE entries SET digest = zeroblob(32) WHERE seq = 5"], 5, "is not what was recorded"),
    "edit the first": (["UPDATE entries SET config = 'x' WHERE seq = 1"], 1, "is not what was recorded"),
    "edit the last": (["UPDATE entries SET config = 'x' WHERE seq = 12"], 12, "is not what was recorded"),
    "delete one": (["DELETE FROM entries WHERE seq = 5"], 5, "is missing"),
    "delete the first": (["DELETE FROM entries WHERE seq = 1"], 1, "is missing"),
    "delete and close up": (
        ["DELETE FROM entries WHERE seq = 5", "UPDATE entries SET seq = seq - 1 WHERE seq > 5"],
        5,
        "is not what was recorded",
    ),
    "cut the tail": (["DELETE FROM entries WHERE seq > 9"], 10, "the tail is missing: the anchor remembers 12"),
    "cut everything": (["DELETE FROM entries"], 1, "0 entries are good, but the tail is missing"),
    "insert": ([*shift_up_from(5), copied(5, source=4)], 5, "is not what was recorded"),
    "insert before the first": ([copied(0, source=1)], 0, "does not belong here"),
    "append": ([copied(13, source=12)], 13, "is not what was recorded"),
    "swap": (
        [f"UPDATE entries SET seq = {new} WHERE seq = {old}" for old, new in ((5, 99), (6, 5), (99, 6))],
        5,
        "is not what was recorded",
    ),
    "repeat": (["DELETE FROM entries WHERE seq = 6", copied(6, source=3)], 6, "is not what was recorded"),
}  # fmt: skip


@pytest.mark.parametrize("name", TAMPERING)
@pytest.mark.fault("journal-edited")
@pytest.mark.control("journal")
def test_tampering_is_found_and_the_first_bad_entry_named(path, name):
    statements, first_bad, message = TAMPERING[name]
    execute(path, *statements)
    report = verify(path, KEY)
    assert (report.is_sound, report.first_bad, report.entries) == (False, first_bad, max(first_bad - 1, 0))
    assert message in report.message
    assert report.anchor in (None, AnchorState.AHEAD)


def test_an_edit_with_a_recomputed_plain_digest_is_found(path):
    """Without the key a forger can hash, but not sign."""
    previous, row = row_of(path, 4)[7], list(row_of(path, 5))
    row[6] = encode(moved(1_000_000))
    row[7] = blake2b(previous + row[6], digest_size=32).digest()
    execute(path, "DELETE FROM entries WHERE seq = 5", (INSERT, row))
    assert verify(path, KEY).first_bad == 5
    at, kind, cause, config, subject = row[1:6]
    row[7] = chained(previous, 5, at, kind, cause, config, subject, row[6], bytes(32))
    execute(path, "DELETE FROM entries WHERE seq = 5", (INSERT, row))
    assert verify(path, KEY).first_bad == 5


def signed(path, seq, **columns):
    """A row that follows entry `seq - 1` under the right key."""
    names = ("seq", "at", "kind", "cause", "config", "subject", "body")
    before = row_of(path, seq - 1)
    row = {**dict(zip(names, before, strict=False)), **columns, "seq": seq}
    return (*row.values(), chained(before[7], **row, key=KEY))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"kind": "teleported", "body": b'{"kind":"teleported","at":"2024-01-02T14:30:00Z"}'}, "by this version"),
        ({"body": b"not json"}, "by this version"),
        ({"body": encode(moved(1)).replace(b"}", b',"more":1}')}, "fields that this version does not know"),
        ({"kind": "fill"}, "says something else beside its event than in it"),
        ({"subject": "run-1-0"}, "says something else beside its event than in it"),
        ({"at": "2024-01-02T14:30:59Z"}, "says something else beside its event than in it"),
        ({"at": "soon"}, "a column is unreadable"),
    ],
)
def test_what_fits_the_chain_but_makes_no_sense_is_named(path, columns, message):
    """Somebody with the key, a newer version, or a fault of our own."""
    base = {"at": "2024-01-02T14:30:01Z", "kind": "cash_moved", "subject": None, "body": encode(moved(1))}
    execute(path, (INSERT, signed(path, 13, **{**base, **columns})))
    report = verify(path, KEY)
    assert (report.is_sound, report.first_bad, report.entries) == (False, 13, 12)
    assert message in report.message


def test_a_writer_may_leave_out_what_its_own_entries_say_but_not_the_chain(path):
    execute(path, (INSERT, signed(path, 13, at="2024-01-02T14:30:01Z", kind="fill", subject=None, body=b"not json")))
    assert verify(path, KEY, reads_events=False).entries == 13
    execute(path, ("UPDATE entries SET body = ? WHERE seq = 5", (encode(moved(1_000_000)),)))
    report = verify(path, KEY, reads_events=False)
    assert (report.is_sound, report.first_bad, report.entries) == (False, 5, 4)


# -- the files -----------------------------------------------------------------------------------------------------


@pytest.mark.fault("journal-cut")
def test_an_older_copy_of_the_journal_is_found(path, tmp_path):
    copy = tmp_path / "copy.db"
    shutil.copy(path, copy)
    write(path, 13, 15)
    shutil.copy(copy, path)
    report = verify(path, KEY)
    assert (report.first_bad, report.anchor, report.anchor_seq) == (13, AnchorState.AHEAD, 15)
    with pytest.raises(JournalDamaged, match="the tail is missing"):
        SqliteJournal(path, KEY)


def test_another_journal_of_the_same_key_is_found(path, tmp_path):
    """As long as ours, but with another past."""
    other = tmp_path / "other.db"
    with SqliteJournal(other, KEY) as journal:
        for number in range(1, 14):
            journal.append(moved(number))
    shutil.copy(other, path)
    report = verify(path, KEY)
    assert (report.is_sound, report.first_bad, report.anchor) == (False, 12, AnchorState.DIFFERS)
    assert report.message == "entry 12 is not the one that the anchor remembers"


def test_an_older_copy_with_its_own_anchor_looks_whole(path, tmp_path):
    """What two files on one disk cannot show; a head that was noted elsewhere does."""
    noted = verify(path, KEY).head
    for suffix in ("", ".anchor"):
        shutil.copy(path.with_name(path.name + suffix), tmp_path / f"copy{suffix}")
    write(path, 13, 15)
    later = verify(path, KEY).head
    for suffix in ("", ".anchor"):
        shutil.copy(tmp_path / f"copy{suffix}", path.with_name(path.name + suffix))
    report = verify(path, KEY)
    assert (report.is_sound, report.head) == (True, noted)
    assert report.head != later


def test_a_longer_journal_than_its_anchor_is_sound(path):
    old = anchor_path(path).read_bytes()
    write(path, 13, 15)
    anchor_path(path).write_bytes(old)
    report = verify(path, KEY)
    assert (report.is_sound, report.anchor, report.anchor_seq) == (True, AnchorState.LAGS, 12)


def test_one_damaged_slot_of_the_anchor_does_no_harm(path):
    content = bytearray(anchor_path(path).read_bytes())
    newest = content.index((12).to_bytes(8, "big"))
    content[newest + 3] ^= 1
    anchor_path(path).write_bytes(content)
    report = verify(path, KEY)
    assert (report.is_sound, report.anchor, report.anchor_seq) == (True, AnchorState.LAGS, 11)


def test_a_damaged_or_missing_anchor_leaves_the_tail_in_doubt(path):
    content = bytearray(anchor_path(path).read_bytes())
    content[20] ^= 1
    content[SLOT_OFFSET + 20] ^= 1
    anchor_path(path).write_bytes(content)
    report = verify(path, KEY)
    assert (report.is_sound, report.first_bad, report.anchor) == (False, None, AnchorState.UNREADABLE)
    anchor_path(path).unlink()
    report = verify(path, KEY)
    assert (report.is_sound, report.first_bad, report.anchor) == (False, None, AnchorState.MISSING)
    assert (
        report.message == "12 entries are good, but the anchor is missing: nobody can say whether the tail is missing"
    )


@pytest.mark.fault("journal-cut")
def test_a_cut_tail_is_not_hidden_by_removing_the_anchor(path):
    execute(path, "DELETE FROM entries WHERE seq > 9")
    anchor_path(path).unlink()
    assert not verify(path, KEY).is_sound


def test_a_wrong_key_fits_nothing(path):
    report = verify(path, bytes(32))
    assert (report.is_sound, report.first_bad) == (False, 1)
    assert report.message == "neither entries nor anchor fit this key; it belongs to another journal"
    with pytest.raises(JournalError, match="32 bytes"):
        verify(path, b"short")


@pytest.mark.fault("journal-gone")
def test_a_journal_that_is_gone_is_missed_from_its_first_entry(path):
    path.unlink()
    report = verify(path, KEY)
    assert (report.is_sound, report.first_bad, report.anchor_seq) == (False, 1, 12)
    assert "No such file" in report.message
    anchor_path(path).unlink()
    assert (verify(path, KEY).is_sound, verify(path, KEY).first_bad) == (False, None)


@pytest.mark.parametrize("content", [b"", b"not a database", b"x" * 8192])
def test_what_is_no_journal_is_not_sound(path, content):
    path.write_bytes(content)
    assert not verify(path, KEY).is_sound


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE entries",
        "ALTER TABLE entries RENAME TO other",
        "CREATE VIEW more AS SELECT * FROM entries",
        "CREATE TRIGGER t AFTER INSERT ON entries BEGIN DELETE FROM entries; END",
        "PRAGMA user_version = 9",
    ],
)
def test_another_schema_is_not_sound(path, statement):
    execute(path, statement)
    assert not verify(path, KEY).is_sound


def test_a_journal_open_to_others_is_not_sound(path):
    path.chmod(0o666)
    report = verify(path, KEY)
    assert (report.is_sound, report.first_bad) == (False, None)
    assert "open to other users" in report.message


def test_an_index_that_hides_entries_is_found(path):
    """The chain is whole, but `about` would not find every entry of an order."""
    execute(
        path,
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_schema SET sql = replace(sql, 'IS NOT NULL', 'IS NULL') WHERE name = 'entries_by_subject'",
    )
    execute(path, "REINDEX")
    execute(
        path,
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_schema SET sql = replace(sql, 'IS NULL', 'IS NOT NULL') WHERE name = 'entries_by_subject'",
    )
    report = verify(path, KEY)
    assert (report.is_sound, report.first_bad, report.entries) == (False, None, 12)
    assert "the file around them is damaged" in report.message


def everything(path):
    try:
        with JournalReader(path, KEY) as reader:
            return list(reader.entries()), [reader.about(f"run-{n}-0") for n in range(13)]
    except (JournalDamaged, JournalUnavailable):
        return None


@pytest.mark.fault("bits-flipped")
def test_a_flipped_bit_anywhere_changes_nothing_or_is_found(path):
    """Whatever bit of the file turns, either it holds nothing of ours or `verify` objects."""
    content = path.read_bytes()
    genuine = everything(path)
    chance = random.Random(20240102)
    found = 0
    for _ in range(150):
        place = chance.randrange(len(content) * 8)
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        sound = verify(path, KEY).is_sound
        found += not sound
        assert not sound or everything(path) == genuine, f"bit {place}"
    assert found > 10


def test_a_journal_can_be_verified_while_it_is_written(path):
    with SqliteJournal(path, KEY) as journal:
        journal.append(moved(13))
        assert (verify(path, KEY).is_sound, verify(path, KEY).entries) == (True, 12)
        journal.sync()
        assert (verify(path, KEY).is_sound, verify(path, KEY).entries) == (True, 13)
