"""The follower takes in what is new, once, and says so when it cannot."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from decimal import Decimal

import pytest

from quant_trading_system.app.order_list import OrderFilter
from quant_trading_system.app.readings.curve import Curve, thinned
from quant_trading_system.app.readings.follower import Follower
from quant_trading_system.app.readings.orders import order_page
from quant_trading_system.app.readings.positions import holdings
from quant_trading_system.core.book_events import Reconciled
from quant_trading_system.core.order_listing import OrderGroup
from quant_trading_system.journal import sqlite_reader
from quant_trading_system.journal.snapshot import SnapshotKeeper, fold
from tests.support.counted_calls import counted_calls
from tests.support.demo_journal import CASH, NOON, Scribe


@pytest.fixture
def scribe(tmp_path):
    scribe = Scribe(tmp_path / "account")
    yield scribe
    scribe.close()


@pytest.fixture
def follower(tmp_path):
    follower = Follower(tmp_path / "account")
    yield follower
    follower.close()


def test_only_new_entries_are_taken_in(scribe, follower):
    first = scribe.send()
    assert follower.poll() == 3
    assert follower.poll() == 0
    scribe.fill(first)
    assert follower.poll() == 2
    assert holdings(follower).positions[0].quantity == 10
    assert follower.books.cash == scribe.cash


def test_a_poll_takes_no_more_than_it_was_told(scribe, follower):
    for _ in range(5):
        scribe.send()
    assert [follower.poll(4), follower.poll(4), follower.poll(4), follower.poll(4)] == [4, 4, 3, 0]


def test_without_a_journal_it_says_so_and_begins_when_there_is_one(tmp_path, follower):
    assert follower.poll() == 0
    assert "there is no journal" in follower.problem
    scribe = Scribe(tmp_path / "account")
    assert follower.poll() == 1
    assert follower.problem == ""
    scribe.close()


def test_another_journal_in_the_same_place_is_followed_from_its_beginning(tmp_path, follower):
    scribe = Scribe(tmp_path / "account")
    scribe.send()
    follower.catch_up()
    scribe.close()
    shutil.rmtree(tmp_path / "account")
    again = Scribe(tmp_path / "account", Decimal(5))
    follower.catch_up()
    assert (follower.seq, follower.books.cash, follower.generation) == (1, Decimal(5), 1)
    assert order_page(follower, OrderFilter()).total == 0
    again.close()


def test_a_damaged_entry_stops_it_there_and_is_named(scribe, follower):
    scribe.send()
    follower.catch_up()
    scribe.send()
    with closing(sqlite3.connect(follower.path, isolation_level=None)) as connection:
        other = "CAST(replace(CAST(body AS TEXT), 'KO', 'PG') AS BLOB)"
        connection.execute(f"UPDATE entries SET body = {other} WHERE seq = 5")
    follower.poll()
    assert follower.seq == 4
    assert "entry 5" in follower.problem


@pytest.fixture
def kept(scribe):
    """A journal whose snapshot is as old as its last entry; the books were compared at its beginning."""
    keeper = SnapshotKeeper(scribe.journal, fold(scribe.journal))
    compared = Reconciled(at=scribe.now, occasion="start", orders=0, fills=0, positions=0, cash=CASH)
    scribe.write(compared)
    for _ in range(20):
        scribe.fill(scribe.send())
    keeper.keep()
    scribe.journal.close()
    return compared


def test_a_snapshot_saves_folding_what_was_before_it(scribe, kept):
    """Lists know the tail only, the books know all."""
    follower = Follower(scribe.journal.path.parent, tail=8)
    assert follower.poll(1000) == 8
    assert follower.views.begins_at == 75
    assert holdings(follower).positions[0].quantity == 200
    assert order_page(follower, OrderFilter()).total == 2
    follower.close()


def test_who_looks_at_the_books_only_reads_no_entries_again_and_knows_when_they_were_compared(
    scribe, kept, monkeypatch
):
    checked = counted_calls(monkeypatch, sqlite_reader, "is_authentic")
    follower = Follower(scribe.journal.path.parent, tail=0)
    assert follower.poll(1000) == 0
    assert follower.views.reconciled == kept
    assert holdings(follower).positions[0].quantity == 200
    assert len(checked) < 10
    follower.close()


def test_the_newest_orders_are_kept_and_older_ones_counted(scribe, follower):
    follower.views.orders._most = 3
    for _ in range(5):
        scribe.send()
    follower.poll()
    page = order_page(follower, OrderFilter(group=OrderGroup.OPEN))
    assert [row.order_id for row in page.rows] == ["run-5-0", "run-4-0", "run-3-0"]
    assert page.dropped == 2


def test_a_curve_stays_small_and_keeps_every_fall():
    curve = Curve(most=10)
    for number in range(1000):
        curve.add(NOON, Decimal(number), Decimal("0.5") if number == 333 else Decimal(0))
        assert len(curve.points) <= 10
        assert curve.points[-1].equity == number
    assert max(point.drawdown for point in curve.points) == Decimal("0.5")


def test_thinning_keeps_the_last_point_and_every_fall():
    curve = Curve()
    for number in range(100):
        curve.add(NOON, Decimal(number), Decimal("0.3") if number == 41 else Decimal(0))
    few = thinned(curve.points, 7)
    assert len(few) <= 7
    assert few[-1].equity == 99
    assert max(point.drawdown for point in few) == Decimal("0.3")
    assert thinned((), 7) == ()
