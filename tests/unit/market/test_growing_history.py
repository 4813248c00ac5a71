"""Bars that come one by one are put behind the others; what was shown before stays as it was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from quant_trading_system.market import growing_history
from quant_trading_system.market.growing_history import GrowingHistory
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.market.history_view import HistoryView
from quant_trading_system.market.time_axis import TimeAxis

MINUTE = timedelta(minutes=1)
BEGIN = datetime(2024, 1, 8, 15, tzinfo=UTC)
NAMES = ("KO", "PEP", "MSFT")
ALWAYS = BEGIN - timedelta(days=1)


def history(rows: int = 60, names: tuple[str, ...] = NAMES, seed: int = 1) -> PriceHistory:
    """Bars of whole minutes, some of them missing."""
    random = np.random.default_rng(seed)
    starts = np.datetime64("2024-01-08T15:00", "ns") + np.arange(rows) * np.timedelta64(60, "s")
    ends = starts + np.timedelta64(60, "s")
    axis = TimeAxis(starts, ends, starts.astype("datetime64[D]"), MINUTE)
    shape = (rows, len(names))
    close = random.integers(10_000_000, 90_000_000, shape)
    present = random.random(shape) < 0.8
    volume = random.integers(-1, 10_000, shape)
    return PriceHistory(names, axis, close, present, close - 5, close + 9, close - 7, volume)


def cut(whole: PriceHistory, first: int, last: int) -> PriceHistory:
    """The bars of these numbers, both included."""
    return whole.between(whole.time_at(first), whole.time_at(last))


def with_volume(known: PriceHistory, more: int) -> PriceHistory:
    assert known.volume is not None
    prices = (known.close_micros, known.present, known.open_micros, known.high_micros, known.low_micros)
    return PriceHistory(known.symbols, known.axis, *prices, known.volume + more)


def closes_only(known: PriceHistory) -> PriceHistory:
    return PriceHistory(known.symbols, known.axis, known.close_micros, known.present)


@pytest.mark.parametrize("free", [0, 1, 7, 500])
@pytest.mark.parametrize("overlap", [0, 1, 3])
def test_bars_that_come_one_by_one_make_the_history_that_they_were_cut_from(monkeypatch, free, overlap):
    monkeypatch.setattr(growing_history, "_FREE_ROWS", free)
    whole = history()
    growing = GrowingHistory(cut(whole, 0, 9))
    for last in range(10, 60):
        assert growing.add(cut(whole, last - overlap, last), ALWAYS)
        assert growing.history.fingerprint() == cut(whole, 0, last).fingerprint()
    np.testing.assert_array_equal(growing.history.closes_as_float(), whole.closes_as_float())
    np.testing.assert_array_equal(growing.history.returns(), whole.returns())
    np.testing.assert_array_equal(growing.history.axis.starts, whole.axis.starts)
    np.testing.assert_array_equal(growing.history.dates, whole.dates)


def test_whoever_was_shown_a_history_keeps_it_as_it_was(monkeypatch):
    monkeypatch.setattr(growing_history, "_FREE_ROWS", 3)
    whole = history()
    growing = GrowingHistory(cut(whole, 0, 9))
    shown, prints = [growing.history], [print_of(growing.history)]
    for last in range(10, 60):
        assert growing.add(with_volume(cut(whole, last - 1, last), last % 3), BEGIN + (last - 20) * MINUTE)
        shown.append(growing.history)
        prints.append(print_of(growing.history))
    assert [print_of(known) for known in shown] == prints
    assert len(set(prints)) == len(prints)


def print_of(known: PriceHistory) -> str:
    """The fingerprint of what its arrays hold now."""
    return PriceHistory(known.symbols, known.axis, *_columns(known)).fingerprint()


def _columns(known: PriceHistory):
    return (known.close_micros, known.present, known.open_micros, known.high_micros, known.low_micros, known.volume)


def test_the_past_is_not_copied_for_a_bar():
    whole = history()
    growing = GrowingHistory(cut(whole, 0, 9))
    before = growing.history
    assert growing.add(cut(whole, 9, 10), ALWAYS)
    for old, new in zip(_columns(before), _columns(growing.history), strict=True):
        assert np.shares_memory(old, new)
    assert np.shares_memory(before.closes_as_float(), growing.history.closes_as_float())


def test_nothing_that_was_shown_can_be_written():
    growing = GrowingHistory(history())
    shown = growing.history
    for rows in (*_columns(shown), *shown.axis[:3], shown.closes_as_float()):
        with pytest.raises(ValueError, match="read-only"):
            rows[0] = rows[1]


def test_what_was_handed_over_may_change_afterwards():
    whole = history()
    first, last = cut(whole, 0, 58), cut(whole, 58, 59)
    growing = GrowingHistory(first)
    assert growing.add(last, ALWAYS)
    assert not np.shares_memory(growing.history.close_micros, whole.close_micros)


def test_bars_that_ended_before_a_moment_are_forgotten_but_for_the_last():
    whole = history()
    growing = GrowingHistory(cut(whole, 0, 9))
    assert growing.add(cut(whole, 9, 10), whole.time_at(4))
    assert growing.history.fingerprint() == cut(whole, 4, 10).fingerprint()
    assert growing.add(cut(whole, 10, 11), ALWAYS)  # they do not come back
    assert growing.history.fingerprint() == cut(whole, 4, 11).fingerprint()
    assert growing.add(cut(whole, 11, 12), whole.time_at(50))
    assert growing.history.fingerprint() == cut(whole, 12, 12).fingerprint()
    assert growing.add(cut(whole, 12, 13), ALWAYS)
    assert growing.history.fingerprint() == cut(whole, 12, 13).fingerprint()


def test_a_symbol_without_later_bars_has_none_there():
    whole = history()
    growing = GrowingHistory(cut(whole, 0, 9))
    assert growing.add(cut(whole, 10, 12).select(["MSFT", "KO"]), ALWAYS)
    found = growing.history
    assert [found.has_bar("PEP", row) for row in (10, 11, 12)] == [False] * 3
    assert [found.close("KO", row) for row in (10, 11, 12)] == [whole.close("KO", row) for row in (10, 11, 12)]
    assert [found.close("MSFT", row) for row in (10, 11, 12)] == [whole.close("MSFT", row) for row in (10, 11, 12)]
    assert np.isnan(found.closes_as_float()[10:, found.column_of("PEP")]).all()


def test_of_a_bar_that_both_have_the_later_volume_counts_and_the_earlier_view_keeps_its_own():
    whole = history()
    growing = GrowingHistory(cut(whole, 0, 9))
    before = growing.history
    view = HistoryView(before, 9)
    volumes = view.session_volumes("KO", 1)
    later = with_volume(cut(whole, 8, 10), 5)
    assert growing.add(later, ALWAYS)
    assert growing.history.volume is not None
    assert later.volume is not None
    assert growing.history.volume[8:].tolist() == later.volume.tolist()
    assert before.fingerprint() == cut(whole, 0, 9).fingerprint()
    assert HistoryView(before, 9).session_volumes("KO", 1) == volumes


def test_a_bar_that_came_late_is_taken_and_the_earlier_view_stays_without_it():
    """A symbol that trades now and then is often reported after its minute has been told to the strategy."""
    whole = history()
    late = np.zeros_like(whole.present)
    late[9] = whole.present[9]
    late[9, whole.column_of("KO")] = False
    assert late.any()
    early = PriceHistory(NAMES, whole.axis, *(column * ~late for column in _columns(whole)))
    growing = GrowingHistory(cut(early, 0, 9))
    before, told = growing.history, print_of(growing.history)
    assert growing.add(cut(whole, 9, 10), ALWAYS)
    assert growing.history.fingerprint() == cut(whole, 0, 10).fingerprint()
    np.testing.assert_array_equal(growing.history.closes_as_float(), cut(whole, 0, 10).closes_as_float())
    assert print_of(before) == told
    assert np.isnan(before.closes_as_float()[9]).sum() == (~early.present[9]).sum()


def test_a_past_without_room_in_memory_stays_whole(monkeypatch):
    monkeypatch.setattr(growing_history, "_FREE_ROWS", 0)
    whole = history()
    growing = GrowingHistory(cut(whole, 0, 9))
    assert growing.add(cut(whole, 10, 11), whole.time_at(5))
    with monkeypatch.context() as full:
        full.setattr(np, "empty", lambda *_: (_ for _ in ()).throw(MemoryError))
        with pytest.raises(MemoryError):
            growing.add(cut(whole, 12, 20), ALWAYS)
    assert growing.add(cut(whole, 12, 20), ALWAYS)
    assert growing.history.fingerprint() == cut(whole, 5, 20).fingerprint()


def test_histories_that_do_not_go_together_are_not_joined():
    whole = history()
    growing = GrowingHistory(cut(whole, 0, 9))
    before, tail = growing.history, cut(whole, 9, 10)
    halved = PriceHistory(NAMES, tail.axis, tail.close_micros // 2, *_columns(tail)[1:])
    absent = PriceHistory(NAMES, tail.axis, tail.close_micros, ~tail.present, *_columns(tail)[2:])
    longer = PriceHistory(NAMES, tail.axis._replace(span=2 * MINUTE), *_columns(tail))
    stranger = PriceHistory(("KO", "PEP", "SPY"), tail.axis, *_columns(tail))
    gap = np.array([8, 10])  # the bar between them is one of ours
    holed = PriceHistory(
        NAMES, TimeAxis(*(row[gap] for row in whole.axis[:3]), MINUTE), *(c[gap] for c in _columns(whole))
    )
    for later in (halved, absent, longer, stranger, holed, closes_only(tail)):
        assert not growing.add(later, ALWAYS)
        assert growing.history is before
    assert growing.add(tail, ALWAYS)


def test_a_history_of_closes_alone_grows_too():
    whole = closes_only(history())
    growing = GrowingHistory(cut(whole, 0, 9))
    assert growing.add(cut(whole, 9, 59), ALWAYS)
    assert growing.history.fingerprint() == whole.fingerprint()
    assert not growing.history.has_volume
    assert not growing.add(cut(history(), 59, 59), ALWAYS)


def test_more_bars_at_once_than_were_kept_free_find_room(monkeypatch):
    monkeypatch.setattr(growing_history, "_FREE_ROWS", 2)
    whole = history()
    growing = GrowingHistory(cut(whole, 0, 2))
    assert growing.add(cut(whole, 2, 59), ALWAYS)
    assert growing.history.fingerprint() == whole.fingerprint()
