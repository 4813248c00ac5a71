"""The board of quotes: the latest one stands, whatever order they come in and whatever stamps they bear."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from quant_trading_system.market.quotes import Quote, QuoteBoard
from tests.support.market import NOON

SECOND = timedelta(seconds=1)


def quote(bid: str, at: datetime, received_at: datetime, sequence: int = 0) -> Quote:
    return Quote(symbol="KO", bid=Decimal(bid), ask=Decimal(bid) + 1, at=at, received_at=received_at, sequence=sequence)


def test_a_quote_that_is_older_than_the_latest_is_dropped():
    board, heard = QuoteBoard(), []
    board.subscribe(heard.append)
    board.publish(quote("60", NOON, NOON, sequence=2))
    board.publish(quote("59", NOON - SECOND, NOON + SECOND, sequence=3))
    board.publish(quote("58", NOON, NOON + SECOND, sequence=1))
    found = board.quote("KO")
    assert found is not None
    assert found.bid == 60
    assert heard == [found]
    board.publish(quote("61", NOON + SECOND, NOON + SECOND, sequence=1))  # the source has begun to count anew
    assert [one.bid for one in heard] == [60, 61]


def test_the_board_adds_up_what_has_traded():
    board = QuoteBoard()
    board.publish(quote("60", NOON, NOON))
    for price, shares in (("60.40", 100), ("60.60", 50)):
        board.trade("KO", Decimal(price), Decimal(shares))
    board.trade("PEP", Decimal(170))
    assert [board.printed(symbol) for symbol in ("KO", "PEP", "XOM")] == [150, 0, 0]
    found = board.quote("KO")
    assert found is not None
    assert (found.last, found.at) == (Decimal("60.60"), NOON)


FLAWS = [
    ("99.99", "100.01", ""),
    ("100", "100", "locked: bid and ask are both 100"),
    ("100.01", "100", "crossed: bid 100.01 above ask 100"),
    ("0", "100", "one side is empty, zero or negative"),
    ("99", "0", "one side is empty, zero or negative"),
    ("-1", "1", "one side is empty, zero or negative"),
    ("NaN", "100", "bid or ask is not a finite number"),
    ("99", "NaN", "bid or ask is not a finite number"),
    ("99", "Infinity", "bid or ask is not a finite number"),
    ("Infinity", "99", "bid or ask is not a finite number"),
]


def test_what_is_wrong_with_a_quote_is_said():
    for bid, ask, flaw in FLAWS:
        assert Quote("KO", Decimal(bid), Decimal(ask), NOON, NOON).flaw == flaw, (bid, ask)


@pytest.mark.fault("price-senseless")
def test_a_quote_from_the_future_gives_way_to_the_next_one():
    """One wrong stamp must not keep right prices away until its time has come."""
    board = QuoteBoard()
    board.publish(quote("60", NOON, NOON))
    board.publish(quote("61", NOON + timedelta(days=400), NOON + SECOND))
    board.publish(quote("62", NOON + 2 * SECOND, NOON + 2 * SECOND))
    found = board.quote("KO")
    assert found is not None
    assert found.bid == 62


def test_a_clock_that_was_set_back_does_not_stop_the_prices():
    """What came before it was right; what comes now looks early, and counts all the same."""
    hour = timedelta(hours=1)
    board = QuoteBoard()
    board.publish(quote("60", NOON, NOON))
    for number in range(1, 4):
        board.publish(quote(str(60 + number), NOON + number * SECOND, NOON + number * SECOND - hour))
        found = board.quote("KO")
        assert found is not None
        assert found.bid == 60 + number
