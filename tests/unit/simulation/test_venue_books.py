"""The venue's ledger: exact on whole numbers, average cost, no crossing of zero."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from quant_trading_system.simulation.books import MONEY, UNIT, Books, decimal_of, dollars, units

NOW = datetime(2024, 3, 4, 15, tzinfo=UTC)

TRADES = """
quantity  price   fee    cash        held   cost
100       10      0.50   8999.50     100    1000
100       12      0.50   7799.00     200    2200
-150      13      1.00   9748.00     50     550
-50       11.50   0.50   10322.50    0      0
-50       20      0.10   11322.40    -50    -1000
-150      20.80   0.30   14442.10    -200   -4120
80        19.90   0.16   12849.94    -120   -2472
"""


def test_a_long_and_a_short_life_move_cash_and_cost_as_reckoned_by_hand():
    books = Books(Decimal(10_000))
    for line in TRADES.strip().splitlines()[1:]:
        quantity, price, fee, cash, held, cost = (Decimal(text) for text in line.split())
        books.trade(NOW, "x", "KO", units(quantity), units(price), units(fee) * UNIT)
        assert cash == dollars(books.cash)
        assert held == decimal_of(books.quantity("KO"))
        holding = books.holdings().get("KO")
        assert cost == (0 if holding is None else dollars(holding.cost))
    assert dollars(books.fees) == Decimal("3.06")


def test_equity_follows_the_marks_and_flat_holdings_disappear():
    books = Books(Decimal(1000))
    books.trade(NOW, "a", "KO", units(Decimal(10)), units(Decimal(20)), 0)
    books.trade(NOW, "b", "PEP", units(Decimal(-5)), units(Decimal(30)), 0)
    books.mark("KO", Decimal(25))
    books.mark("PEP", Decimal(28))
    books.mark("UNHELD", Decimal(1))
    assert dollars(books.long_value) == 250
    assert dollars(books.short_value) == -140
    assert dollars(books.gross_value) == 390
    assert dollars(books.equity) == 1000 - 200 + 150 + 250 - 140
    books.trade(NOW, "c", "PEP", units(Decimal(5)), units(Decimal(28)), 0)
    assert list(books.holdings()) == ["KO"]
    assert books.short_value == 0


def test_the_statement_adds_up_line_by_line():
    books = Books(Decimal(1000))
    books.trade(NOW, "a", "KO", units(Decimal("1.5")), units(Decimal("20.01")), units(Decimal("0.01")) * UNIT)
    books.trade(NOW, "b", "KO", units(Decimal("-0.5")), units(Decimal(21)), 0)
    cash = Decimal(1000)
    for entry in books.statement():
        cash += entry.amount - entry.fee
        assert entry.amount == -entry.quantity * entry.price
        assert cash == entry.cash
    assert [entry.reference for entry in books.statement()] == ["a", "b"]
    assert [(entry.quantity, entry.price) for entry in books.statement()] == [
        (Decimal("1.5"), Decimal("20.01")),
        (Decimal("-0.5"), Decimal(21)),
    ]


@pytest.mark.parametrize("side", [1, -1])
def test_over_night_the_oldest_shares_are_the_first_that_left(side):
    """Ten at 10 and ten at 12; the next day fifteen leave, and the five that are left had cost 12 each."""
    books = Books(Decimal(1000))
    for quantity, price in ((10, 10), (10, 12)):
        books.trade(NOW, "x", "KO", side * quantity * UNIT, price * UNIT, 0)
    books.end_day()
    books.trade(NOW, "x", "KO", side * -15 * UNIT, 13 * UNIT, 0)
    assert dollars(books.holdings()["KO"].cost) == side * 55
    books.end_day()
    assert dollars(books.holdings()["KO"].cost) == side * 60
    books.end_day()
    assert dollars(books.holdings()["KO"].cost) == side * 60


@pytest.mark.parametrize("side", [1, -1])
def test_of_today_is_what_was_added_and_has_not_left_again(side):
    books = Books(Decimal(1000))
    books.trade(NOW, "x", "KO", side * 10 * UNIT, 10 * UNIT, 0)
    books.end_day()
    for quantity, price, shares, cost in (
        (4, 11, 4, 44),
        (4, 13, 8, 96),
        (-2, 13, 6, 72),
        (-6, 13, 0, 0),
        (-1, 13, 0, 0),
    ):
        books.trade(NOW, "x", "KO", side * quantity * UNIT, price * UNIT, 0)
        found = books.holdings()["KO"].of_today
        assert (decimal_of(found[0]), dollars(found[1])) == (side * shares, side * cost)


@pytest.mark.parametrize("side", [1, -1])
def test_a_split_makes_more_shares_of_the_same_worth(side):
    books = Books(Decimal(1000))
    books.trade(NOW, "x", "KO", side * 10 * UNIT, 20 * UNIT, 0)
    books.mark("KO", Decimal(30))
    before = books.equity, books.gross_value
    books.move_shares("KO", side * 20 * UNIT)
    holding = books.holdings()["KO"]
    assert (decimal_of(holding.quantity), decimal_of(holding.mark), dollars(holding.cost)) == (
        side * 30,
        10,
        side * 200,
    )
    assert (books.equity, books.gross_value) == before
    books.end_day()
    assert dollars(holding.cost) == side * 200
    books.move_shares("KO", side * -30 * UNIT)
    assert (books.holdings(), books.gross_value, books.equity) == ({}, 0, books.cash)


def test_shares_that_come_in_are_worth_nothing_until_they_have_a_price():
    books = Books(Decimal(1000))
    books.move_shares("KO", 10 * UNIT)
    assert dollars(books.equity) == 1000
    books.mark("KO", Decimal(5))
    assert dollars(books.equity) == 1050


def test_crossing_zero_and_a_tenth_decimal_are_broken_invariants():
    books = Books(Decimal(1000))
    books.trade(NOW, "a", "KO", UNIT, UNIT, 0)
    with pytest.raises(AssertionError, match="cross zero"):
        books.trade(NOW, "b", "KO", -2 * UNIT, UNIT, 0)
    with pytest.raises(AssertionError, match="nine decimals"):
        units(Decimal("1E-10"))


@pytest.mark.parametrize(
    ("money", "text"), [(0, "0.00"), (MONEY, "1.00"), (MONEY // 4, "0.25"), (-MONEY // 8, "-0.125000000000000000")]
)
def test_money_reads_in_cents_where_cents_suffice(money, text):
    assert str(dollars(money)) == text


def test_shares_read_as_whole_numbers_where_they_are_whole():
    assert str(decimal_of(3 * UNIT)) == "3"
    assert decimal_of(UNIT // 8) == Decimal("0.125")
