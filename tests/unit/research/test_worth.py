"""What everything held is worth at each step of a block, however shares come and go."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_trading_system.research.worth import Worth

ROWS, BARS = 2, 3
SYMBOLS = ("AAA", "BBB", "CCC")


def block(last, bid=None, ask=None):
    """A block of `BARS` bars with `ROWS` steps each; prices in micro-dollars, [steps, symbols]."""
    last = np.array(last, dtype=np.int64)
    bid = last - 10 if bid is None else np.array(bid, dtype=np.int64)
    ask = last + 10 if ask is None else np.array(ask, dtype=np.int64)
    return _Block(last=last, bid=bid, ask=ask, rows=ROWS)


class _Block(SimpleNamespace):
    def __len__(self):
        return len(self.last)


def steps(seed=1, scale=1_000_000):
    return np.random.default_rng(seed).integers(50, 150, (ROWS * BARS, len(SYMBOLS))) * scale


def worth():
    return Worth(lambda symbols: [SYMBOLS.index(symbol) for symbol in symbols])


def in_dollars(subject, begin, end):
    return [subject.dollars(value) for value in subject.values(begin, end).tolist()]


numbers = st.one_of(st.integers(-1000, 1000).map(Decimal), *(st.decimals(-1000, 1000, places=n) for n in (1, 3)))
shares = st.dictionaries(st.sampled_from(SYMBOLS), numbers.filter(bool), max_size=len(SYMBOLS))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(shares, st.integers(0, ROWS * BARS - 1)), min_size=1, max_size=6))
def test_the_sum_is_exact_whatever_was_held_before(holdings):
    prices = steps()
    subject, market, begin = worth(), block(prices), 0
    for held, step in holdings:
        begin = max(begin, step)
        assert subject.follow(market, begin, held, None)
        for row, value in enumerate(in_dollars(subject, begin, ROWS * BARS) if held else (), begin):
            wanted = sum(
                (number * Decimal(int(prices[row, SYMBOLS.index(symbol)])) / 10**6 for symbol, number in held.items()),
                Decimal(0),
            )
            assert value == wanted


def test_a_mark_is_the_last_trade_within_the_quote():
    last = [[100, 100, 100]] * 6
    subject = worth()
    market = block(np.array(last) * 10**6, bid=np.full((6, 3), 101 * 10**6), ask=np.full((6, 3), 102 * 10**6))
    assert subject.follow(market, 0, {"AAA": Decimal(2)}, None)
    assert in_dollars(subject, 0, 1) == [Decimal(202)]


@pytest.mark.parametrize(
    ("bid", "ask", "why"),
    [(0, 10, "no bid"), (100, 100, "locked"), (101, 100, "crossed")],
)
def test_a_quote_that_is_not_sound_ends_what_is_known(bid, ask, why):
    last = np.full((6, 3), 100, dtype=np.int64)
    bids, asks = last - 1, last + 1
    bids[4, 1], asks[4, 1] = bid, ask
    subject = worth()
    assert subject.follow(block(last, bids, asks), 0, {"AAA": Decimal(1), "BBB": Decimal(1)}, None)
    assert subject.sound_until(0, 6) == 4, why
    assert subject.sound_until(5, 6) == 6
    assert subject.follow(block(last, bids, asks), 0, {"AAA": Decimal(1)}, None)
    assert subject.sound_until(0, 6) == 6, "nobody holds it"


def test_a_mark_far_from_the_last_trade_ends_what_is_known():
    last = np.full((6, 3), 1_000_000, dtype=np.int64)
    bids, asks = last - 10, last + 10
    bids[3, 0], asks[3, 0] = 1_060_000, 1_070_000
    subject = worth()
    assert subject.follow(block(last, bids, asks), 0, {"AAA": Decimal(1)}, Decimal("0.1"))
    assert subject.sound_until(0, 6) == 3
    assert subject.follow(block(last, bids, asks), 0, {"AAA": Decimal(1)}, Decimal("0.2"))
    assert subject.sound_until(0, 6) == 6


def test_too_many_digits_are_not_begun_with():
    subject = worth()
    assert not subject.follow(block(steps()), 0, {"AAA": Decimal("123456789.123456789")}, None)
    assert subject.follow(block(steps()), 0, {"AAA": Decimal(1)}, None)


def test_digits_that_are_too_many_do_no_harm_to_what_comes_after_them():
    prices = steps()
    subject, market = worth(), block(prices)
    assert subject.follow(market, 0, {"AAA": Decimal(5), "BBB": Decimal("0.5")}, None)
    assert not subject.follow(market, 1, {"AAA": Decimal(5), "BBB": Decimal("12345678.123456789")}, None)
    assert subject.follow(market, 2, {"AAA": Decimal(5), "BBB": Decimal(-2)}, None)
    wanted = [Decimal(int(5 * row[0] - 2 * row[1])) / 10**6 for row in prices[2:]]
    assert in_dollars(subject, 2, len(prices)) == wanted
