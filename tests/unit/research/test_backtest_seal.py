"""What a backtest says of its own journal: followed to the head, or not the one that was written."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from quant_trading_system.app.backtesting import backtest
from quant_trading_system.journal.sqlite_store import SqliteJournal
from tests.support.workloads import EveryBar, prices, setup


@pytest.mark.parametrize("is_changed", [False, True])
def test_a_file_that_is_not_what_was_appended_is_told(tmp_path, monkeypatch, is_changed):
    close = SqliteJournal.close

    def close_and_change(journal: SqliteJournal) -> None:
        close(journal)
        with closing(sqlite3.connect(journal.path)) as connection, connection:
            connection.execute("UPDATE entries SET at = '2030-01-01T00:00:00Z' WHERE seq = 7")

    if is_changed:
        monkeypatch.setattr(SqliteJournal, "close", close_and_change)
    result = backtest(EveryBar(4), prices(5), replace(setup(), directory=tmp_path / "run"))
    seal = result.record.journal
    assert seal is not None
    assert (seal.verified, seal.head) == (not is_changed, result.journal_head)
