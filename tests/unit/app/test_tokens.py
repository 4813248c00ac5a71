"""Tokens: shown once, kept as digests, compared in constant time, gone at once when revoked."""

from __future__ import annotations

import hmac
import json
import stat
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from unittest import mock

import pytest

from quant_trading_system.app.tokens import TOKEN, TokenStore
from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.core.roles import Role

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.fixture
def clock():
    return ManualClock(NOON)


@pytest.fixture
def store(tmp_path, clock):
    return TokenStore(tmp_path / "state" / "tokens.json", clock)


def test_a_token_opens_as_the_name_and_role_that_it_was_made_for(store):
    token = store.verify(store.create("alice@desk.example", Role.TRADER))
    assert (token.name, token.role) == ("alice@desk.example", Role.TRADER)


def test_a_token_holds_256_bits_and_no_two_are_alike(store):
    made = {store.create("alice", Role.VIEWER) for _ in range(50)}
    assert len(made) == 50
    assert all(TOKEN.fullmatch(text) and len(text.rsplit("_", 1)[1]) <= 43 for text in made if "_" in text)


def test_the_file_keeps_digests_only_and_is_private(store):
    text = store.create("alice", Role.ADMIN)
    kept = store.path.read_text()
    assert text not in kept
    assert text.split("_", 2)[2] not in kept
    assert json.loads(kept)["tokens"][0]["digest"] == sha256(text.encode()).hexdigest()
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "wrong", ["", "x", "qts_", "qts_00000000_" + "A" * 43, "qts_\x00", "ä" * 60, "\ud800", "A" * 100_000]
)
def test_what_is_no_token_opens_nothing(store, wrong):
    store.create("alice", Role.ADMIN)
    assert store.verify(wrong) is None


def test_every_single_changed_character_closes(store):
    text = store.create("alice", Role.ADMIN)
    for place in range(len(text)):
        other = "b" if text[place] != "b" else "c"
        assert store.verify(text[:place] + other + text[place + 1 :]) is None


def test_every_answer_takes_one_comparison_in_constant_time(store):
    """Known id or not, right secret or not: the same work, by the function that does not stop at a difference."""
    text = store.create("alice", Role.ADMIN)
    for asked in (text, text[:-1] + ("A" if text[-1] != "A" else "B"), "qts_00000000_" + "A" * 43, "nonsense", ""):
        with mock.patch.object(hmac, "compare_digest", wraps=hmac.compare_digest) as compare:
            store.verify(asked)
        (left, right), _ = compare.call_args
        assert compare.call_count == 1
        assert len(left) == len(right) == 64


def test_a_token_ends_when_it_expires(store, clock):
    text = store.create("alice", Role.VIEWER, timedelta(hours=1))
    clock.move_to(NOON + timedelta(minutes=59))
    assert store.verify(text)
    clock.move_to(NOON + timedelta(hours=1))
    assert store.verify(text) is None
    assert store.find(text.split("_")[1]) is None
    assert [line.expired for line in store.lines()] == [True]


def test_a_revoked_token_is_refused_at_once_by_another_process(store, clock):
    text, other = store.create("alice", Role.VIEWER), store.create("bob", Role.VIEWER)
    server = TokenStore(store.path, clock)
    assert server.verify(text)
    assert [token.name for token in store.revoke("alice")] == ["alice"]
    assert server.verify(text) is None
    assert server.verify(other)


def test_a_name_revokes_all_its_tokens_and_an_id_one(store):
    first, second = store.create("alice", Role.VIEWER), store.create("alice", Role.ADMIN)
    store.revoke(first.split("_")[1])
    assert store.verify(first) is None
    assert store.verify(second)
    store.create("alice", Role.RISK)
    assert len(store.revoke("alice")) == 2
    assert store.lines() == []


def test_revoking_nobody_is_an_error(store):
    with pytest.raises(ConfigurationError, match="qts token list"):
        store.revoke("alice")


def test_the_last_use_is_told_to_the_minute(store, clock):
    text = store.create("alice", Role.VIEWER)
    assert [line.last_used for line in store.lines()] == [None]
    for second in range(0, 130, 10):
        clock.move_to(NOON + timedelta(seconds=second))
        store.verify(text)
    assert [line.last_used for line in store.lines()] == [NOON + timedelta(minutes=2)]


def test_use_never_writes_the_file_that_decides(store):
    text = store.create("alice", Role.VIEWER)
    before = store.path.stat()
    store.verify(text)
    assert (store.path.stat().st_ino, store.path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("name", ["", " ", "a b", "../x", "a\nb", "ä", "-x", "x" * 65, "<b>"])
def test_a_name_is_short_and_plain(store, name):
    with pytest.raises(ConfigurationError, match="name of a principal"):
        store.create(name, Role.VIEWER)


def test_a_lifetime_is_above_zero(store):
    with pytest.raises(ConfigurationError, match="longer life"):
        store.create("alice", Role.VIEWER, timedelta(0))


def test_a_file_that_others_may_read_opens_nothing(store):
    text = store.create("alice", Role.ADMIN)
    store.path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        store.verify(text)


def test_a_damaged_file_opens_nothing(store):
    text = store.create("alice", Role.ADMIN)
    store.path.write_text('{"tokens": [{}]}')
    with pytest.raises(ConfigurationError, match="make new ones"):
        store.verify(text)


def test_without_a_file_nobody_gets_in(store):
    assert store.verify("qts_00000000_" + "A" * 43) is None
    assert not store.path.exists()


def test_a_role_includes_those_before_it():
    matrix = {(a.value, b.value) for a in Role for b in Role if a.includes(b)}
    order = ["viewer", "trader", "risk", "admin"]
    assert matrix == {(a, b) for i, a in enumerate(order) for b in order[: i + 1]}
