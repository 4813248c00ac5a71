"""The head in a second file: two slots, of which one is always whole."""

import pytest

from quant_trading_system.core.exceptions import JournalUnavailable
from quant_trading_system.journal.anchor import (
    SLOT_OFFSET,
    Anchor,
    Anchored,
    AnchorState,
    anchor_path,
    compare,
    create_anchor,
    read_anchor,
)
from quant_trading_system.journal.entry import genesis

KEY = bytes(range(32))
DIGEST = b"d" * 32


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "journal.db"


def write(journal, *seqs):
    anchor = Anchor(journal, KEY)
    for seq in seqs:
        anchor.write(seq, DIGEST)
    anchor.sync()
    anchor.close()


def test_a_new_anchor_says_empty(journal):
    create_anchor(journal, KEY)
    assert read_anchor(journal, KEY) == Anchored(0, genesis(KEY))


def test_the_newest_head_counts_also_after_reopening(journal):
    create_anchor(journal, KEY)
    for expected in (1, 2, 5, 9):
        write(journal, expected)
        assert read_anchor(journal, KEY) == Anchored(expected, DIGEST)


def test_a_torn_write_of_any_length_leaves_the_head_before(journal):
    """Of two slots only the older one is ever written to."""
    create_anchor(journal, KEY)
    write(journal, 6, 7)
    before = anchor_path(journal).read_bytes()
    write(journal, 8)
    after = anchor_path(journal).read_bytes()
    changed = [place for place in range(len(after)) if before[place] != after[place]]
    for torn in range(changed[0], changed[-1] + 1):
        anchor_path(journal).write_bytes(after[:torn] + before[torn:])
        assert read_anchor(journal, KEY) == Anchored(7, DIGEST)
    anchor_path(journal).write_bytes(after)
    assert read_anchor(journal, KEY) == Anchored(8, DIGEST)


def test_after_a_torn_write_the_whole_slot_is_kept_and_the_torn_one_written(journal):
    create_anchor(journal, KEY)
    write(journal, 6, 7)
    content = bytearray(anchor_path(journal).read_bytes())
    newest = content.index((7).to_bytes(8, "big"))
    content[newest] ^= 1
    anchor_path(journal).write_bytes(content)
    assert read_anchor(journal, KEY) == Anchored(6, DIGEST)
    write(journal, 8)
    assert read_anchor(journal, KEY) == Anchored(8, DIGEST)
    spoilt = bytearray(anchor_path(journal).read_bytes())
    spoilt[spoilt.index((8).to_bytes(8, "big"))] ^= 1
    anchor_path(journal).write_bytes(spoilt)
    assert read_anchor(journal, KEY) == Anchored(6, DIGEST)


@pytest.mark.parametrize("content", [b"", b"x" * 10, bytes(SLOT_OFFSET * 2)])
def test_what_is_no_anchor_is_unreadable(journal, content):
    anchor_path(journal).write_bytes(content)
    assert read_anchor(journal, KEY) is AnchorState.UNREADABLE


def test_an_anchor_of_another_key_is_unreadable(journal):
    create_anchor(journal, KEY)
    assert read_anchor(journal, bytes(32)) is AnchorState.UNREADABLE


def test_an_anchor_that_is_not_there_is_missing(journal):
    assert read_anchor(journal, KEY) is AnchorState.MISSING
    with pytest.raises(JournalUnavailable, match="No such file"):
        Anchor(journal, KEY)


def test_an_anchor_that_others_may_write_is_refused(journal):
    create_anchor(journal, KEY)
    anchor_path(journal).chmod(0o622)
    with pytest.raises(JournalUnavailable, match="open to other users"):
        Anchor(journal, KEY)


@pytest.mark.parametrize(
    ("anchored", "head", "state"),
    [
        (Anchored(5, DIGEST), 5, AnchorState.MATCHES),
        (Anchored(5, DIGEST), 6, AnchorState.LAGS),
        (Anchored(5, DIGEST), 4, AnchorState.AHEAD),
        (Anchored(5, b"?" * 32), 5, AnchorState.DIFFERS),
        (Anchored(5, b"?" * 32), 6, AnchorState.DIFFERS),
        (AnchorState.MISSING, 5, AnchorState.MISSING),
        (AnchorState.UNREADABLE, 5, AnchorState.UNREADABLE),
    ],
)
def test_a_journal_is_compared_with_its_anchor(anchored, head, state):
    assert compare(anchored, head, lambda seq: DIGEST) is state
    assert state.is_sound == (state in {AnchorState.MATCHES, AnchorState.LAGS})
