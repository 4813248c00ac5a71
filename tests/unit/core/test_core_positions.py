"""Positions by average cost: worked cases, round trips, and a hundred thousand fills without a lost digit."""

from decimal import ROUND_DOWN, Context, Decimal, localcontext
from fractions import Fraction
from random import Random
from time import process_time

import pytest

from quant_trading_system.core.positions import Applied, Position, PositionSide

LONG_FLIP_COVER = """
fill                  quantity  average  step  realized  fees  net    cash
buy  100 10.00 0.50   100       10       0     0         0.5   -0.5   -1000.5
buy  100 12.00 0.50   200       11       0     0         1     -1     -2201
sell 300 13.00 1.00   -100      13       400   400       2     398    1698
buy  100 11.50 0.50   0         0        150   550       2.5   547.5  547.5
"""

SHORT_ADD_COVER = """
fill                  quantity  average  step  realized  fees  net    cash
sell  50 20.00 0.10   -50       20       0     0         0.1   -0.1   999.9
sell 150 20.80 0.30   -200      20.6     0     0         0.4   -0.4   4119.6
buy   80 19.90 0.16   -120      20.6     56    56        0.56  55.44  2527.44
"""

ENDLESS_AVERAGE = """
fill            quantity average     step                 realized             fees net                  cash
buy  1 10.00 0  1  10                    0                    0                    0  0                    -10
buy  2 10.01 0  3  10.006666666666666667 0                    0                    0  0                    -30.02
sell 1 10.50 0  2  10.006666666666666667 0.493333333333333333 0.493333333333333333 0  0.493333333333333333 -19.52
"""

WORKED_CASES = [
    # table, mark, unrealized, change of equity
    (LONG_FLIP_COVER, "11.50", "0", "547.5"),
    (SHORT_ADD_COVER, "21.00", "-48", "7.44"),
    (ENDLESS_AVERAGE, "10.20", "0.386666666666666667", "0.88"),
]

LAST_DIGIT = Decimal("1E-18")


class Account:
    """A position, and the cash that its fills moved."""

    def __init__(self):
        self.position = Position("KO")
        self.cash = Decimal(0)

    def fill(self, side, quantity, price, fee="0"):
        signed = Decimal(quantity) if side == "buy" else -Decimal(quantity)
        self.cash -= signed * Decimal(price) + Decimal(fee)
        return self.position.apply(signed, Decimal(price), Decimal(fee))


@pytest.mark.parametrize(("table", "mark", "unrealized", "change_of_equity"), WORKED_CASES)
def test_the_worked_cases_come_out_to_the_last_digit(table, mark, unrealized, change_of_equity):
    """The average alone is rounded, for it is only there to be read."""
    account = Account()
    position = account.position
    for line in table.strip().splitlines()[1:]:
        side, quantity, price, fee, *expected = line.split()
        step = account.fill(side, quantity, price, fee).realized
        quantity, average, *money = map(Decimal, expected)
        assert quantity == position.quantity
        assert abs(average - position.average_price) <= LAST_DIGIT
        net = position.realized_pnl - position.fees
        assert money == [step, position.realized_pnl, position.fees, net, account.cash]
    position.mark = Decimal(mark)
    assert Decimal(unrealized) == position.unrealized_pnl
    assert Decimal(change_of_equity) == account.cash + position.market_value
    assert Decimal(change_of_equity) == position.realized_pnl + position.unrealized_pnl - position.fees


ROUND_TRIPS = """
fills                                                         reported after each fill
buy:10:5 sell:10:6                                            - 10
buy:10:5 sell:4:6 sell:6:7                                    - - 16         # in parts: once, at the end
sell:10:5 buy:10:6                                            - -10          # a short that lost
buy:10:5:1 sell:10:6:2                                        - 7            # net of the fees on both ways
buy:10:5:1 sell:30:6:2 buy:20:5.50:1                          - 7 9          # a flip's fee belongs to what it closed
buy:10:5 buy:10:7 sell:5:9 sell:5:9 sell:10:1                 - - - - -20
buy:1:5 sell:1:5                                              - 0            # neither won nor lost is reported, too
buy:3:10 sell:1:10.01 sell:1:10.01 sell:1:10.01 buy:1:9       - - - 0.03 -   # the next one starts from nothing
buy:1:10 buy:2:10.01 sell:1:10.5 sell:2:10.5                  - - - 1.48     # whatever a partial close rounded
"""


@pytest.mark.parametrize("line", ROUND_TRIPS.strip().splitlines()[1:])
def test_a_round_trip_is_reported_once_when_the_position_is_flat_or_flipped(line):
    words = line.split("#")[0].split()
    fills = [word.split(":") for word in words if ":" in word]
    account = Account()
    reported = [account.fill(*fill).round_trip for fill in fills]
    assert [None if word == "-" else Decimal(word) for word in words[len(fills) :]] == reported


def test_a_new_position_is_flat_and_worth_nothing():
    position = Position("KO")
    assert PositionSide.FLAT is position.side
    assert [0] * 6 == [
        position.quantity,
        position.cost,
        position.average_price,
        position.market_value,
        position.unrealized_pnl,
        position.realized_pnl,
    ]


@pytest.mark.parametrize(("signed", "side"), [("0.000000001", "long"), ("-0.000000001", "short")])
def test_the_side_follows_the_sign_of_the_smallest_quantity(signed, side):
    position = Position("KO")
    position.apply(Decimal(signed), Decimal(10))
    assert side == position.side
    position.apply(-Decimal(signed), Decimal(10))
    assert PositionSide.FLAT is position.side


def test_a_position_without_a_mark_is_valued_at_cost():
    position = Position("KO")
    position.apply(Decimal(-10), Decimal("12.50"))
    assert (Decimal(-125), Decimal(0)) == (position.market_value, position.unrealized_pnl)
    position.mark = Decimal(12)
    assert (Decimal(-120), Decimal(5)) == (position.market_value, position.unrealized_pnl)


def test_opening_realizes_nothing_and_costs_its_fee():
    position = Position("KO")
    assert Applied(Decimal(10), Decimal(0), None) == position.apply(Decimal(10), Decimal(5), Decimal("0.03"))
    assert (Decimal("0.03"), Decimal(0)) == (position.fees, position.realized_pnl)


def test_a_position_reads_well_in_an_error_message():
    position = Position("KO")
    position.apply(Decimal(100), Decimal("10.25"))
    assert "Position(KO 100 @ 10.250000000000000000)" == repr(position)


def test_a_float_cannot_be_booked():
    position = Position("KO")
    with pytest.raises(TypeError):
        position.apply(Decimal(100), 10.25)  # type: ignore[arg-type]
    assert (Decimal(0), Decimal(0)) == (position.quantity, position.cost)


# -- exactness ---------------------------------------------------------------------------------------------------------


def test_more_digits_than_the_thread_has_are_kept_all_the_same():
    """The largest numbers that orders and fills may carry: 24 digits times 24 digits."""
    quantity, price = Decimal("999999999999999.999999999"), Decimal("987654321098765.123456789")
    position = Position("KO")
    position.apply(quantity, price)
    applied = position.apply(-quantity, Decimal("0.000000001"), Decimal("0.01"))
    gain = Fraction(quantity) * (Fraction(1, 10**9) - Fraction(price))
    assert gain == Fraction(applied.realized) == Fraction(position.realized_pnl)
    assert applied.round_trip is not None
    assert gain - Fraction(1, 100) == Fraction(applied.round_trip)


def test_the_books_do_not_depend_on_the_context_of_the_thread():
    fills = [("buy", "1234567.123456789", "123.4567", "0.01"), ("sell", "234567.987654321", "125.4321", "1.02")]
    expected, narrow = Account(), Account()
    for fill in fills:
        expected.fill(*fill)
    with localcontext(Context(prec=6, rounding=ROUND_DOWN)):
        for side, quantity, price, fee in fills:
            signed = Decimal(quantity) if side == "buy" else Decimal(quantity).copy_negate()
            narrow.position.apply(signed, Decimal(price), Decimal(fee))
    for field in ("quantity", "cost", "realized_pnl", "fees"):
        assert getattr(expected.position, field) == getattr(narrow.position, field)


class AveragePriceBooks:
    """Other books for the same fills: they keep the average price, in 120 digits."""

    DIGITS = Context(prec=120)

    def __init__(self):
        self.quantity = self.average = self.realized = Decimal(0)

    def book(self, signed, price):
        digits = self.DIGITS
        held = self.quantity
        if held * signed < 0:
            closed = min(abs(held), abs(signed)).copy_sign(held)
            self.realized = digits.add(self.realized, digits.multiply(closed, digits.subtract(price, self.average)))
            if abs(signed) > abs(held):
                self.average = price
        else:
            cost = digits.add(digits.multiply(held, self.average), digits.multiply(signed, price))
            self.average = digits.divide(cost, held + signed)
        self.quantity = held + signed


def seeded_fills(seed, count):
    """Fractional and whole quantities, sub-penny prices, small fees; the position changes sides all the time."""
    random = Random(seed)
    scales = (1, 10**3, 10**9)  # billionths of a share, millionths, whole shares
    held = 0
    for _ in range(count):
        nano = random.randrange(1, 500) * random.choice(scales)
        if held and random.random() < 0.1:
            nano = abs(held)  # out at once, to the last billionth
        signed = nano if random.random() < (0.6 if held < 0 else 0.4) else -nano
        held += signed
        price = Decimal(random.randrange(1, 5_000_000)).scaleb(-4)
        yield Decimal(signed).scaleb(-9), price, Decimal(random.randrange(300)).scaleb(-2)


def test_a_hundred_thousand_fills_stay_exact_and_take_less_than_five_seconds():
    fills = list(seeded_fills(seed=20240102, count=100_000))
    position = Position("KO")
    began = process_time()
    applied = [position.apply(*fill) for fill in fills]
    assert process_time() - began < 5

    other = AveragePriceBooks()
    cash = Fraction(0)
    for signed, price, fee in fills:
        other.book(signed, price)
        cash -= Fraction(signed * price + fee)
    position.mark = Decimal("123.4567")
    assert sum(Fraction(signed) for signed, _, _ in fills) == Fraction(position.quantity) == Fraction(other.quantity)
    assert cash + Fraction(position.quantity) * Fraction(position.mark) == (
        Fraction(position.realized_pnl) + Fraction(position.unrealized_pnl) - Fraction(position.fees)
    )
    assert sum(Fraction(fill.realized) for fill in applied) == Fraction(position.realized_pnl)
    assert abs(Fraction(position.realized_pnl) - Fraction(other.realized)) < Fraction(1, 10**15)
    assert sum(fill.round_trip is not None for fill in applied) > 10_000
