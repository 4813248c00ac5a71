"""The secret of the chain: where it comes from, and when it is refused."""

import stat

import pytest

from quant_trading_system.core.exceptions import JournalUnavailable
from quant_trading_system.journal.keys import journal_key, key_from_seed, load_or_create_key

SECRET = bytes(range(32))


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "journal.db"


@pytest.fixture
def key_file(tmp_path):
    return tmp_path / "journal.db.key"


def test_a_new_key_is_kept_in_a_private_file(journal, key_file):
    assert journal_key(journal, {}, lambda size: SECRET[:size]) == SECRET
    assert key_file.read_text() == SECRET.hex() + "\n"
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert [path.name for path in key_file.parent.iterdir()] == ["journal.db.key"]


def test_the_key_is_made_once(journal):
    first = journal_key(journal, {})
    assert len(first) == 32
    assert journal_key(journal, {}) == first


def test_a_key_in_the_environment_is_never_written_down(journal):
    assert journal_key(journal, {"QTS_JOURNAL_KEY": SECRET.hex()}) == SECRET
    assert list(journal.parent.iterdir()) == []


@pytest.mark.parametrize("text", ["", "00", "zz" * 32, SECRET.hex() + "00"])
def test_a_malformed_key_in_the_environment_is_refused(journal, text):
    with pytest.raises(JournalUnavailable, match=r"the environment variable QTS_JOURNAL_KEY .*\(64 hex digits\)"):
        journal_key(journal, {"QTS_JOURNAL_KEY": text})


@pytest.mark.parametrize("content", [b"", b"00\n", b"\xff" * 64])
def test_a_malformed_key_file_is_refused_and_left_as_it_was(key_file, content):
    key_file.write_bytes(content)
    key_file.chmod(0o600)
    with pytest.raises(JournalUnavailable, match="key"):
        load_or_create_key(key_file)
    assert key_file.read_bytes() == content


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620])
def test_a_key_that_others_can_read_or_write_is_refused(key_file, mode):
    load_or_create_key(key_file)
    key_file.chmod(mode)
    with pytest.raises(JournalUnavailable, match=r"open to other users .*; run: chmod 600"):
        load_or_create_key(key_file)


def test_a_key_that_is_no_file_is_refused(key_file):
    key_file.mkdir()
    with pytest.raises(JournalUnavailable, match="is not an ordinary file"):
        load_or_create_key(key_file)


def test_a_journal_whose_key_is_lost_gets_no_new_one(journal):
    journal.write_bytes(b"entries")
    with pytest.raises(JournalUnavailable, match=r"restore .*journal.db.key or set QTS_JOURNAL_KEY"):
        journal_key(journal, {})


def test_two_who_make_the_key_at_once_share_one(key_file):
    """The slower one finds the other's file and uses that."""

    def slow(size):
        load_or_create_key(key_file, lambda _: SECRET)
        return bytes(size)

    assert load_or_create_key(key_file, slow) == SECRET


def test_a_seed_gives_the_same_key_on_every_machine():
    assert key_from_seed(7) == key_from_seed(7)
    assert key_from_seed(7) != key_from_seed(8)
    assert key_from_seed(7).hex() == "3381327bd95b9eb87efcf501f3c85ae11771564a221cf3eaed3283ff5c8c5ef2"
