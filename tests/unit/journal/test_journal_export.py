"""The journal for other programs."""

import json
import sqlite3
import stat
from datetime import UTC, datetime
from decimal import Decimal

import polars as pl
import pytest

from quant_trading_system.core.events import CashMoved, OrderEvent
from quant_trading_system.core.exceptions import JournalDamaged, JournalError
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger
from quant_trading_system.journal import export as export_module
from quant_trading_system.journal.export import export
from quant_trading_system.journal.sqlite_reader import JournalReader
from quant_trading_system.journal.sqlite_store import SqliteJournal
from quant_trading_system.journal.store import MemoryJournal

AT = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
KEY = bytes(range(32))


@pytest.fixture
def journal():
    journal = MemoryJournal(KEY)
    journal.set_config("5f1c")
    journal.append(CashMoved(at=AT, amount=Decimal("100.50"), cash=Decimal("100.50"), reason="two\nlines"))
    journal.append(
        OrderEvent(at=AT, order_id="run-1-0", symbol="KO", status=OrderStatus.SENT, trigger=OrderTrigger.SEND), cause=1
    )
    return journal


def test_one_line_of_json_for_each_entry(journal, tmp_path):
    path = tmp_path / "journal.jsonl"
    assert export(journal, path) == 2
    first, second = path.read_text().splitlines()
    assert first == (
        '{"seq":1,"at":"2024-01-02T14:30:00Z","kind":"cash_moved","cause":null,"config":"5f1c",'
        f'"digest":"{journal.entry(1).digest.hex()}","event":'
        '{"kind":"cash_moved","at":"2024-01-02T14:30:00Z","amount":"100.50","cash":"100.50","reason":"two\\nlines"}}'
    )
    assert json.loads(second)["cause"] == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("chunk", [1, 2, 20_000])
def test_parquet_has_a_column_for_each_part_of_an_entry(journal, tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(export_module, "_CHUNK", chunk)
    path = tmp_path / "journal.parquet"
    assert export(journal, path) == 2
    table = pl.read_parquet(path)
    assert dict(table.schema) == {
        "seq": pl.Int64,
        "at": pl.Datetime("us", "UTC"),
        "kind": pl.String,
        "cause": pl.Int64,
        "config": pl.String,
        "subject": pl.String,
        "body": pl.String,
        "digest": pl.String,
    }
    assert table.rows() == [
        (e.seq, e.at, e.kind, e.cause, e.config, e.subject, e.body.decode(), e.digest.hex()) for e in journal.entries()
    ]
    assert [file.name for file in tmp_path.iterdir()] == ["journal.parquet"]


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_an_empty_journal_gives_an_empty_file(tmp_path, suffix):
    path = tmp_path / f"journal{suffix}"
    assert export(MemoryJournal(KEY), path) == 0
    assert path.exists()
    if suffix == ".parquet":
        assert pl.read_parquet(path).is_empty()


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_a_file_is_replaced_only_by_force(journal, tmp_path, suffix):
    path = tmp_path / f"journal{suffix}"
    path.write_text("precious")
    with pytest.raises(JournalError, match=r"exists already; .*--force"):
        export(journal, path)
    assert path.read_text() == "precious"
    assert export(journal, path, force=True) == 2
    assert path.read_bytes() != b"precious"


def test_a_file_that_appears_meanwhile_is_kept(journal, tmp_path):
    path = tmp_path / "journal.jsonl"

    class Slow(MemoryJournal):
        def entries(self, start=1, kinds=None):
            path.write_text("precious")
            return journal.entries(start, kinds)

    with pytest.raises(JournalError, match="exists already"):
        export(Slow(KEY), path)
    assert path.read_text() == "precious"


@pytest.mark.parametrize("name", ["journal.csv", "journal"])
def test_an_unknown_format_is_refused(journal, tmp_path, name):
    with pytest.raises(JournalError, match=r"must end in \.jsonl or \.parquet"):
        export(journal, tmp_path / name)


def test_a_directory_that_is_not_there_is_named(journal, tmp_path):
    with pytest.raises(
        JournalError, match=r"nowhere/journal.jsonl cannot be written: there is no directory .*nowhere; make it"
    ):
        export(journal, tmp_path / "nowhere" / "journal.jsonl")


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_a_damaged_journal_leaves_no_file(tmp_path, suffix):
    path = tmp_path / "journal.db"
    with SqliteJournal(path, KEY) as journal:
        for _ in range(3):
            journal.append(CashMoved(at=AT, amount=Decimal(1), cash=Decimal(1), reason=""))
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE entries SET config = 'x' WHERE seq = 3")
    connection.close()
    with JournalReader(path, KEY) as reader, pytest.raises(JournalDamaged, match="entry 3"):
        export(reader, tmp_path / f"out{suffix}")
    assert not [file for file in tmp_path.iterdir() if "out" in file.name]
