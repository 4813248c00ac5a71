"""A flipped bit at every kind of place in every file of a journal: a start is refused, or finds the same books."""

import os
import shutil
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from quant_trading_system.core.events import CashMoved, RiskEvent, RiskEventKind
from quant_trading_system.core.exceptions import JournalDamaged, JournalError
from quant_trading_system.journal import sqlite_store
from quant_trading_system.journal.books import books_of
from quant_trading_system.journal.codec import encode
from quant_trading_system.journal.entry import chained, genesis
from quant_trading_system.journal.snapshot import SnapshotKeeper, fold
from quant_trading_system.journal.sqlite_store import SqliteJournal

KEY = bytes(range(32))
AT = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
ENTRIES = 40
PAGE = 4096
LOG_HEADER, FRAME_HEADER = 32, 24
SLOT = 4096


def moved(number):
    return CashMoved(at=AT, amount=Decimal(1), cash=Decimal(number), reason="deposit " * 20)


def measured(number):
    return RiskEvent(
        at=AT,
        reason=RiskEventKind.RECALCULATED,
        equity=Decimal(number),
        day_start_equity=Decimal(1),
        peak_equity=Decimal(2),
        daily_pnl=Decimal(0),
        current_drawdown=Decimal(0),
        order_id=f"run-{number}-0",
    )


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    """Hundreds of starts, none of which must survive a loss of power."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """What a killed writer leaves: half of its entries in the file, half in the log, and a snapshot of some."""
    place = tmp_path_factory.mktemp("killed")
    live, left = place / "live", place / "left"
    live.mkdir()
    with SqliteJournal(live / "journal.db", KEY, anchor_every=1, witness=place / "witness") as journal:
        SnapshotKeeper(journal, fold(journal), 15)
        for number in range(1, ENTRIES + 1):
            journal.append(moved(number) if number % 2 else measured(number))
            journal.sync()
            if number == ENTRIES // 2:
                journal._checkpoint()
        journal._snapshots.submit(lambda: None).result()
        shutil.copytree(live, left, ignore=shutil.ignore_patterns("*-shm"))
        shutil.copytree(place / "witness", left / "witness")
    return left


def started(directory):
    """The books that a start finds, None when it is refused."""
    try:
        with SqliteJournal(directory / "journal.db", KEY, witness=directory / "witness") as journal:
            return msgspec.msgpack.encode(books_of(fold(journal).projection))
    except JournalError:
        return None


def places_in_file(size):
    """The header of SQLite, byte for byte; of every page the header, the first cells, the middle and the end."""
    yield from range(100)
    for page in range(0, size, PAGE):
        yield from range(page, page + 16)
        yield from (page + PAGE // 3, page + PAGE // 2, page + PAGE - 40, page + PAGE - 1)


def places_in_log(size):
    """The header of the log and of every third frame: page, length, salts, sums; its middle and its end."""
    yield from range(LOG_HEADER)
    for number, frame in enumerate(range(LOG_HEADER, size, 3 * (FRAME_HEADER + PAGE))):
        yield from range(frame, frame + FRAME_HEADER, 1 if number in (0, 7) else 8)
        yield from (frame + FRAME_HEADER + PAGE // 2, frame + FRAME_HEADER + PAGE - 1)


def places_in_anchor(size):
    """Both slots: some of mark, number, digest and checksum; and the room between them."""
    yield from range(0, 80, 3)
    yield SLOT // 2
    yield from range(SLOT, size, 3)


def everywhere(size):
    yield from range(0, size, 97)


FILES = {
    "journal.db": (places_in_file, 60),
    "journal.db-wal": (places_in_log, 50),
    "journal.db.anchor": (places_in_anchor, 0),  # one spoilt slot leaves the other, which may lag
    "journal.db.snapshot": (everywhere, 0),  # believed only when it is whole
    "journal.db.lock": (everywhere, 0),  # names the last writer, for people
    "witness/journal.db.anchor": (places_in_anchor, 0),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.fault("bits-flipped")
def test_a_start_on_a_damaged_file_is_refused_or_finds_the_same_books(killed, tmp_path, name):
    places, least_refused = FILES[name]
    genuine_site = tmp_path / "genuine"
    shutil.copytree(killed, genuine_site)
    genuine = started(genuine_site)
    assert genuine is not None
    if name == "journal.db":
        killed = genuine_site  # the log, which would hide most of the file, has been moved into it
    content = (killed / name).read_bytes()
    refused = 0
    for place in sorted(set(places(len(content)))):
        site = tmp_path / "site"
        shutil.copytree(killed, site)
        spoilt = bytearray(content)
        spoilt[place] ^= 1 << place % 8
        (site / name).write_bytes(spoilt)
        books = started(site)
        assert books in (None, genuine), f"byte {place} of {name}"
        refused += books is None
        shutil.rmtree(site)
    assert refused >= least_refused


@pytest.mark.parametrize("name", ["journal.db", "journal.db-wal", "journal.db.anchor", "journal.db.snapshot"])
@pytest.mark.fault("journal-cut")
def test_a_start_on_a_file_that_was_cut_is_refused_or_finds_the_same_books(killed, tmp_path, name):
    genuine_site = tmp_path / "genuine"
    shutil.copytree(killed, genuine_site)
    genuine = started(genuine_site)
    content = (killed / name).read_bytes()
    for length in {0, 1, 31, 100, len(content) - 1, *range(0, len(content), max(len(content) // 20, 1))}:
        site = tmp_path / "site"
        shutil.copytree(killed, site)
        (site / name).write_bytes(content[:length])
        assert started(site) in (None, genuine), f"{name} cut to {length} bytes"
        shutil.rmtree(site)


def test_an_unknown_kind_long_before_the_end_stops_the_start_too(tmp_path, monkeypatch):
    """Opening looks at the end only; folding never skips what it does not know."""
    monkeypatch.setattr(sqlite_store, "TAIL", 2)
    path = tmp_path / "journal.db"
    SqliteJournal(path, KEY).close()
    monkeypatch.setattr(sqlite_store, "require_anchored", lambda *_: None)
    digest = genesis(KEY)
    with SqliteJournal(path, KEY) as journal:
        for seq in range(1, 11):
            body = encode(moved(seq)) if seq != 4 else b'{"kind":"teleported","at":"2024-01-02T14:30:00Z"}'
            columns = (seq, "2024-01-02T14:30:00Z", "cash_moved", None, "", None, body)
            digest = chained(digest, *columns, KEY)
            journal._connection.execute(sqlite_store._INSERT, (*columns, digest))
        with pytest.raises(JournalDamaged, match="cannot be read by this version") as caught:
            fold(journal)
    assert caught.value.seq == 4
