"""Exact numbers: what is refused at the door, and how prices, lots and fees are rounded behind it."""

from concurrent.futures import ThreadPoolExecutor
from decimal import ROUND_DOWN, Context, Decimal, FloatOperation, Inexact, InvalidOperation, getcontext, localcontext
from fractions import Fraction

import numpy as np
import pytest

from quant_trading_system.core.exceptions import InvalidNumber
from quant_trading_system.core.numbers import (
    LEDGER,
    arithmetic_is_exact,
    ceil_to_tick,
    cents_up,
    divide,
    exact,
    floor_to_lot,
    floor_to_tick,
    from_float,
    is_on_tick,
    nearest_tick,
    plain,
    positive,
    tick_of,
    use_exact_arithmetic,
)


class DecimalOfALibrary(Decimal):
    """Some libraries hand out their own kind of Decimal."""


def rows(table):
    """The lines of a table as lists of words, without heading and remarks."""
    return [line.split("#")[0].split() for line in table.strip().splitlines()[1:]]


# -- the door ------------------------------------------------------------------------------------------------------

ACCEPTED = [
    ("10.25", "10.25"),
    (10, "10"),
    (Decimal("10.250"), "10.250"),
    (DecimalOfALibrary("0.1"), "0.1"),
    ("-3", "-3"),
    ("0", "0"),
    ("1E+14", "1E+14"),
    ("999999999999999.999999999", "999999999999999.999999999"),  # the largest number that there is
    ("-999999999999999.999999999", "-999999999999999.999999999"),
    ("0.000000001", "1E-9"),  # the smallest
    ("1.5000000000000", "1.500000000"),  # excess zeros hold no information
    ("0E-999999", "0E-9"),
]

REFUSED = [
    (0.1, "0.1 is a float: write prices and quantities as str, int or Decimal"),
    (1e15, "is a float"),
    (float("nan"), "nan is a float"),
    (np.float64(0.1), "is a float64"),
    (np.int64(3), "is a int64"),
    (True, "True is a bool"),
    (None, "None is a NoneType"),
    (b"1", "is a bytes"),
    (Fraction(1, 2), "is a Fraction"),
    ("", "'' is not a number"),
    ("ten", "'ten' is not a number"),
    ("1,000", "'1,000' is not a number"),
    ("10_25", "'10_25' is not a number"),
    ("\uff11\uff12", "is not a number"),  # digits of other scripts
    ("0x10", "is not a number"),
    ("NaN", "NaN: a price or quantity must be finite"),
    ("sNaN", "sNaN: a price or quantity must be finite"),
    ("Infinity", "Infinity: a price or quantity must be finite"),
    (Decimal("-Infinity"), "-Infinity: a price or quantity must be finite"),
    ("1E+15", "too large"),
    ("-1000000000000000", "too large"),
    (10**15, "too large"),
    ("1E+999999", "too large"),
    ("1E+99999999999999999999", "is not a number"),
    ("0.0000000001", "more than 9 decimals"),
    ("1E-999999", "more than 9 decimals"),
    (Decimal("1E-999999999"), "more than 9 decimals"),
    ("10.00000000000000000000000000001", "more than 9 decimals"),  # more digits than the context has
    ("9" * 65, "65 characters are too many for a number"),
    ("9" * 1_000_000, "1000000 characters are too many for a number"),
]


@pytest.mark.parametrize(("value", "text"), ACCEPTED)
def test_numbers_are_read_to_the_last_digit(value, text):
    assert text == str(exact(value))


@pytest.mark.parametrize(("value", "words"), REFUSED)
def test_whatever_is_no_exact_number_is_refused_with_the_reason(value, words):
    with pytest.raises(InvalidNumber) as refusal:
        exact(value)
    assert words in str(refusal.value)


def test_the_refusal_of_absurdly_long_text_does_not_repeat_it():
    with pytest.raises(InvalidNumber) as refusal:
        exact("9" * 1_000_000)
    assert len(str(refusal.value)) < 100


def test_reading_does_not_depend_on_the_context_of_the_thread():
    with localcontext(Context(prec=3, rounding=ROUND_DOWN, traps=[])):
        assert "12345.678901234" == str(exact("12345.678901234"))
        with pytest.raises(InvalidNumber):
            exact("ten")


@pytest.mark.parametrize("value", ["0.000000001", 1, Decimal("1E+14")])
def test_positive_takes_what_is_above_zero(value):
    assert Decimal(value) == positive(value)


@pytest.mark.parametrize("value", [0, "0.00", "-0", "-0.000000001", -1])
def test_positive_refuses_zero_and_less(value):
    with pytest.raises(InvalidNumber, match="must be above zero"):
        positive(value)


FROM_FLOAT = """
value              places  number
0.30000000000000004  4     0.3000    # 0.1 + 0.2
0.125                2     0.12      # half to even
0.375                2     0.38
2.675                2     2.68      # what people read counts, not the binary digits behind it
-0.00015             4     -0.0002
1e-7                 4     0.0000
123456.789           0     123457
999999999999999.9    1     999999999999999.9
"""


@pytest.mark.parametrize(("value", "places", "number"), rows(FROM_FLOAT))
def test_results_of_statistics_become_numbers_by_their_shortest_text(value, places, number):
    assert number == str(from_float(float(value), int(places)))


@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_floats_of_numpy_pass_the_border_like_any_other(kind):
    assert Decimal("0.1000") == from_float(kind(0.1), 4)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 1e15, -1e15, 1e300, np.float64("nan")])
def test_what_is_not_finite_or_too_large_stays_outside(value):
    with pytest.raises(InvalidNumber, match="must be finite and below"):
        from_float(value, 2)


# -- ticks and lots --------------------------------------------------------------------------------------------------

TICKS = """
price        tick    floor    ceil     nearest
10.00        0.01    10.00    10.00    10.00
10.001       0.01    10.00    10.01    10.00
10.009       0.01    10.00    10.01    10.01
10.005       0.01    10.00    10.01    10.00     # half to even
10.015       0.01    10.01    10.02    10.02
1.00         0.01    1.00     1.00     1.00      # one dollar already has the coarse tick
1.0001       0.01    1.00     1.01     1.00
0.9999       0.0001  0.9999   0.9999   0.9999    # the last price below it
0.99991      0.0001  0.9999   1.00     0.9999
0.99995      0.0001  0.9999   1.00     1.00      # up and over the border: one dollar is legal
0.99999      0.0001  0.9999   1.00     1.00
0.12345      0.0001  0.1234   0.1235   0.1234
0.12355      0.0001  0.1235   0.1236   0.1236
0.0001       0.0001  0.0001   0.0001   0.0001
0.00004      0.0001  0        0.0001   0
123456.7891  0.01    123456.78  123456.79  123456.79
"""


@pytest.mark.parametrize(("price", "tick", "floor", "ceil", "nearest"), rows(TICKS))
def test_prices_are_rounded_to_a_legal_price_in_the_direction_asked_for(price, tick, floor, ceil, nearest):
    price = Decimal(price)
    assert Decimal(tick) == tick_of(price)
    rounded = (floor_to_tick(price), ceil_to_tick(price), nearest_tick(price))
    assert (Decimal(floor), Decimal(ceil), Decimal(nearest)) == rounded
    assert all(is_on_tick(legal) for legal in rounded)


@pytest.mark.parametrize("price", ["290.10", "290.100", "290.1", "1.00", "1.0000", "0.9999", "0.0001", "999999999999"])
def test_only_significant_digits_put_a_price_on_or_off_its_tick(price):
    assert is_on_tick(Decimal(price))


@pytest.mark.parametrize("price", ["290.101", "1.0001", "1.001", "0.99991", "0.00001"])
def test_a_digit_below_the_tick_makes_a_price_illegal(price):
    assert not is_on_tick(Decimal(price))


LOTS = """
quantity       lot    floored
250            100    200
-250           100    -200     # towards zero: rounding never adds risk
99.999999999   100    0
-99.999999999  100    0
300            100    300
10.7           1      10
0.123456789    0.001  0.123
-0.9           1      0
999999999999999.999999999  1  999999999999999
299999999999999.999999999  100000000000000  200000000000000
"""


@pytest.mark.parametrize(("quantity", "lot", "floored"), rows(LOTS))
def test_quantities_are_rounded_towards_zero_to_whole_lots(quantity, lot, floored):
    assert Decimal(floored) == floor_to_lot(Decimal(quantity), Decimal(lot))


CENTS = """
amount       charged
0            0.00
0.01         0.01
0.0100001    0.02
0.000000001  0.01
1.231        1.24
7.27         7.27
7.2600000    7.26
"""


@pytest.mark.parametrize(("amount", "charged"), rows(CENTS))
def test_fees_are_rounded_up_to_the_next_cent(amount, charged):
    assert charged == str(cents_up(Decimal(amount)))


QUOTIENTS = """
numerator  denominator  quantum  quotient
30.02      3            1E-18    10.006666666666666667
1          8            0.01     0.12    # half to even
3          8            0.01     0.38
-1         8            0.01     -0.12
2          3            1        1
1E+30      3            1E-18    333333333333333333333333333333.333333333333333333
"""


@pytest.mark.parametrize(("numerator", "denominator", "quantum", "quotient"), rows(QUOTIENTS))
def test_quotients_for_the_books_are_rounded_once_whatever_the_context(numerator, denominator, quantum, quotient):
    with localcontext(prec=5, rounding=ROUND_DOWN):
        assert quotient == str(divide(Decimal(numerator), Decimal(denominator), Decimal(quantum)))


PLAIN = """
number       text
1E+3         1000
1.50         1.5
1.00         1
100          100
-0.00        0
-0           0
0E+5         0
1E-9         0.000000001
-12.3400     -12.34
123456789012345.123456789  123456789012345.123456789
"""


@pytest.mark.parametrize(("number", "text"), rows(PLAIN))
def test_wires_and_people_read_plain_decimal_notation(number, text):
    assert text == plain(Decimal(number))


# -- the context -----------------------------------------------------------------------------------------------------

MIXTURES = {
    "construct": lambda: Decimal(0.1),  # noqa: RUF032 - the float is the point
    "below": lambda: Decimal("0.1") < 0.2,
    "above": lambda: 0.2 >= Decimal("0.1"),
    "largest": lambda: max(Decimal("0.1"), 0.2),
}


@pytest.mark.parametrize("mix", MIXTURES.values(), ids=MIXTURES)
def test_mixing_decimals_with_floats_raises_once_exact_arithmetic_is_on(mix):
    with localcontext(Context()):
        mix()  # Python lets it pass by default
        use_exact_arithmetic()
        with pytest.raises(FloatOperation):
            mix()


def test_arithmetic_between_decimal_and_float_never_works():
    with pytest.raises(TypeError):
        Decimal("0.1") + 0.1  # type: ignore[operator]


def test_every_thread_has_a_context_of_its_own():
    """One thread that decides about orders says nothing about the next."""

    def mixes_silently():
        return Decimal("0.1") < 0.2

    def mixes_exactly():
        use_exact_arithmetic()
        return mixes_silently()

    with ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as second:
        assert isinstance(first.submit(mixes_exactly).exception(), FloatOperation)
        assert isinstance(first.submit(mixes_silently).exception(), FloatOperation)
        assert second.submit(mixes_silently).result()


CONTEXTS = {
    "that of a new thread": (lambda context: None, True),
    "28 digits": (lambda context: setattr(context, "prec", 28), True),
    "more digits": (lambda context: setattr(context, "prec", 50), True),
    "27 digits": (lambda context: setattr(context, "prec", 27), False),
    "6 digits": (lambda context: setattr(context, "prec", 6), False),
    "invalid operations pass": (lambda context: context.traps.__setitem__(InvalidOperation, False), False),
}


@pytest.mark.parametrize(("change", "is_exact"), CONTEXTS.values(), ids=CONTEXTS)
def test_a_context_in_which_digits_could_be_lost_is_noticed(change, is_exact):
    with localcontext(Context()):
        change(getcontext())
        assert is_exact is arithmetic_is_exact()


def test_use_exact_arithmetic_repairs_a_changed_context():
    with localcontext(Context(prec=6, rounding=ROUND_DOWN, traps=[])):
        use_exact_arithmetic()
        assert arithmetic_is_exact()
        assert Decimal("0.6666666666666666666666666667") == Decimal(2) / Decimal(3)


def test_the_books_raise_rather_than_round():
    with pytest.raises(Inexact):
        LEDGER.divide(Decimal(1), Decimal(3))
    with localcontext(prec=6):
        assert Decimal("123456789.123456789") == LEDGER.add(Decimal(123456789), Decimal("0.123456789"))
