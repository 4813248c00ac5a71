"""A second anchor, kept elsewhere: it finds what the files of a journal cannot tell of themselves."""

import shutil
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from quant_trading_system.core.events import CashMoved
from quant_trading_system.core.exceptions import JournalDamaged, JournalUnavailable
from quant_trading_system.journal.anchor import Anchored, read_anchor
from quant_trading_system.journal.private_files import beside
from quant_trading_system.journal.sqlite_store import SqliteJournal

AT = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
KEY = bytes(range(32))


@pytest.fixture
def account(tmp_path):
    """A directory of an account that has run twice; beside it, a backup from between the two runs."""
    run_once(tmp_path, 5)
    shutil.copytree(tmp_path / "account", tmp_path / "backup")
    run_once(tmp_path, 5)
    return tmp_path


def run_once(place, entries, key=KEY):
    directory = place / "account"
    directory.mkdir(exist_ok=True)
    with SqliteJournal(directory / "journal.db", key, witness=place / "witnesses" / "account") as journal:
        for number in range(entries):
            journal.append(CashMoved(at=AT, amount=Decimal(1), cash=Decimal(number), reason=""))
            journal.sync()
        return journal.head[0]


def test_the_witness_remembers_every_commit_and_is_private(account):
    witness = account / "witnesses" / "account" / "journal.db"
    known = read_anchor(witness, KEY)
    assert isinstance(known, Anchored)
    assert known.seq == 10
    assert beside(witness, ".anchor").stat().st_mode & 0o777 == 0o600
    assert run_once(account, 1) == 11


def go_back(account):
    """The whole directory, anchor, key and all, is restored from a backup."""
    shutil.rmtree(account / "account")
    shutil.copytree(account / "backup", account / "account")


def vanish(account):
    shutil.rmtree(account / "account")


def begin_anew_elsewhere(account):
    """Another journal of the same key and length."""
    shutil.rmtree(account / "account")
    other = account / "other"
    for _ in range(2):
        run_once_in(other, 6)
    shutil.copytree(other / "account", account / "account")


def run_once_in(place, entries):
    place.mkdir(exist_ok=True)
    run_once(place, entries)


@pytest.mark.parametrize(
    ("change", "seq"),
    [(go_back, 6), (vanish, 1), (begin_anew_elsewhere, 10)],
)
@pytest.mark.fault("journal-gone", "journal-cut")
def test_what_is_older_gone_or_another_is_refused_and_nothing_is_begun(account, change, seq):
    change(account)
    with pytest.raises(JournalDamaged, match=r"older copy.*remembers 10 entries; restore the newest copy") as caught:
        run_once(account, 1)
    assert caught.value.seq == seq
    with pytest.raises(JournalDamaged):  # and a second try finds no door that the first has opened
        run_once(account, 1)


def test_a_new_key_does_not_make_it_a_new_journal(account):
    vanish(account)
    with pytest.raises(JournalDamaged, match="fits another key"):
        run_once(account, 1, key=bytes(32))


def test_who_answers_for_it_deletes_the_witness_and_begins_anew(account):
    vanish(account)
    shutil.rmtree(account / "witnesses")
    assert run_once(account, 1) == 1


def test_a_journal_from_before_there_were_witnesses_gets_one(account):
    shutil.rmtree(account / "witnesses")
    assert run_once(account, 1) == 11
    go_back(account)
    with pytest.raises(JournalDamaged, match="remembers 11 entries"):
        run_once(account, 1)


def test_a_witness_that_others_may_write_is_refused(account):
    (account / "witnesses" / "account" / "journal.db.anchor").chmod(0o666)
    with pytest.raises(JournalUnavailable, match="open to other users"):
        run_once(account, 1)
