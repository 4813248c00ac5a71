"""Exact numbers: the only way in for prices and quantities, and the only place that rounds them.

Every price, quantity, cash amount and limit is a `Decimal` built from text or integers. Statistics and
optimisers work in floats; `from_float` is the one border back.
"""

from __future__ import annotations

from decimal import (
    ROUND_CEILING,
    ROUND_DOWN,
    ROUND_FLOOR,
    ROUND_HALF_EVEN,
    ROUND_UP,
    Context,
    Decimal,
    DivisionByZero,
    FloatOperation,
    Inexact,
    InvalidOperation,
    Overflow,
    getcontext,
)
from math import isfinite

from quant_trading_system.core.exceptions import InvalidNumber

ZERO = Decimal(0)
ONE = Decimal(1)
CENT = Decimal("0.01")
BASIS_POINT = Decimal("0.0001")

MAX_MAGNITUDE = 15
"""Numbers of 10^15 and above are refused before arithmetic can blow up on them."""
MAX_DECIMALS = 9
"""The broker's wire carries at most nine decimals in quantities and prices."""

ARITHMETIC_PRECISION = 28
"""Digits of the ordinary context; `require_exact_arithmetic` holds every deciding thread to it."""

LEDGER = Context(prec=80, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow, Inexact])
"""Sums and products in the books: inexactness is an error here, so no digit can be lost."""

_DIVISION = Context(prec=80, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow])
_SUB_PENNY_TICK = Decimal("0.0001")
_FINEST = Decimal(1).scaleb(-MAX_DECIMALS)


def exact(value: str | int | Decimal) -> Decimal:
    """Read a finite number without passing through binary floating point.

    Args:
        value: text such as ``"10.25"``, an integer, or a `Decimal`.

    Raises:
        InvalidNumber: a float or bool, text that is no number, NaN, infinity, 10^15 and above, or more
            than nine decimals.

    >>> exact("10.25")
    Decimal('10.25')
    """
    if type(value) is not Decimal:
        value = _parsed(value)
    if not value.is_finite():
        raise InvalidNumber(f"{value}: a price or quantity must be finite")
    if value.adjusted() >= MAX_MAGNITUDE:
        raise InvalidNumber(f"{value}: too large for a price or quantity (10^{MAX_MAGNITUDE} and above)")
    if not _FINEST.same_quantum(value + _FINEST):  # a sum has the decimals of its finer part
        return _without_excess_zeros(value)
    return value


def _parsed(value: object) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, bool | float) or not isinstance(value, str | int):
        raise InvalidNumber(
            f"{value!r} is a {type(value).__name__}: write prices and quantities as str, int or Decimal, "
            f'for example Decimal("0.1")'
        )
    if isinstance(value, str) and len(value) > 64:
        raise InvalidNumber(f"{value[:20]!r}…: {len(value)} characters are too many for a number")
    if isinstance(value, str) and ("_" in value or not value.isascii()):  # Decimal would read "1_0" as ten
        raise InvalidNumber(f"{value!r} is not a number")
    try:
        return Decimal(value)
    except InvalidOperation:
        raise InvalidNumber(f"{value!r} is not a number") from None


def _without_excess_zeros(value: Decimal) -> Decimal:
    try:
        return LEDGER.quantize(value, _FINEST)
    except Inexact:
        raise InvalidNumber(f"{value}: more than {MAX_DECIMALS} decimals") from None


def positive(value: str | int | Decimal) -> Decimal:
    """Like `exact`, and above zero.

    Raises:
        InvalidNumber: as `exact`, or the value is zero or negative.
    """
    number = exact(value)
    if number <= 0:
        raise InvalidNumber(f"{number} must be above zero")
    return number


def from_float(value: float, places: int) -> Decimal:
    """The one border from statistics back to exact numbers: half-even at `places` decimals.

    Raises:
        InvalidNumber: NaN, infinity, or 10^15 and above.
    """
    if not isfinite(value) or abs(value) >= 10**MAX_MAGNITUDE:
        raise InvalidNumber(f"{value}: a result of statistics must be finite and below 10^{MAX_MAGNITUDE}")
    return Decimal(str(value)).quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN)


def cut(value: Decimal) -> Decimal:
    """A quotient as an exact number: what is beyond nine decimals is cut off, all else stays as it is written.

    >>> cut(Decimal(1) / 3), cut(Decimal("0.7200") / 8)
    (Decimal('0.333333333'), Decimal('0.0900'))
    """
    shorter = value.quantize(_FINEST, ROUND_DOWN)
    return value if value == shorter else shorter


def tick_of(price: Decimal) -> Decimal:
    """Smallest price step of a US stock: 0.01 from one dollar up, 0.0001 below (Rule 612, Regulation NMS)."""
    return CENT if price >= ONE else _SUB_PENNY_TICK


def is_on_tick(price: Decimal) -> bool:
    """True when `price` has no digit below its tick; ``290.10`` and ``290.100`` are the same price."""
    return not price % tick_of(price)


def floor_to_tick(price: Decimal) -> Decimal:
    """The nearest legal price at or below `price`."""
    return price.quantize(tick_of(price), ROUND_FLOOR)


def ceil_to_tick(price: Decimal) -> Decimal:
    """The nearest legal price at or above `price`."""
    return price.quantize(tick_of(price), ROUND_CEILING)


def nearest_tick(price: Decimal) -> Decimal:
    """The nearest legal price, half to even."""
    return price.quantize(tick_of(price), ROUND_HALF_EVEN)


def floor_to_lot(quantity: Decimal, lot: Decimal) -> Decimal:
    """The largest multiple of `lot` that is not further from zero than `quantity`.

    Sizing always rounds towards zero, so that no rounding ever adds risk.

    >>> floor_to_lot(Decimal("-250"), Decimal(100))
    Decimal('-200')
    """
    return (quantity / lot).to_integral_value(ROUND_DOWN) * lot


def cents_up(amount: Decimal) -> Decimal:
    """Fees are rounded up to the next cent, as the broker does."""
    return amount.quantize(CENT, ROUND_UP)


def tidy(amount: Decimal) -> Decimal:
    """The same dollars with two decimals, or as many more as they need: written alike however they came about.

    >>> tidy(Decimal("5")), tidy(Decimal("1.500")), tidy(Decimal("0.1250"))
    (Decimal('5.00'), Decimal('1.50'), Decimal('0.125'))
    """
    if amount.same_quantum(CENT):
        return amount
    cents = amount.quantize(CENT)
    return cents if cents == amount else LEDGER.normalize(amount)


def divide(numerator: Decimal, denominator: Decimal, quantum: Decimal) -> Decimal:
    """Quotient for the books, half-even to `quantum`; the caller keeps the remainder where it belongs."""
    return _DIVISION.quantize(_DIVISION.divide(numerator, denominator), quantum)


def plain(value: Decimal) -> str:
    """Decimal notation for wires and people: no exponent, no trailing zeros, no minus zero.

    >>> plain(Decimal("1E+3")), plain(Decimal("-0.00")), plain(Decimal("1.50"))
    ('1000', '0', '1.5')
    """
    if not value:
        return "0"
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def usd(value: Decimal | float) -> str:
    """Dollars and cents as people read them, the sign in front.

    >>> usd(Decimal("-1.7")), usd(Decimal(12345))
    ('-$1.70', '$12,345.00')
    """
    return dollar_sign(f"{value:,.2f}")


def dollar_sign(number: str) -> str:
    """A written number with its dollar sign, behind the sign of the number.

    >>> dollar_sign("-1.705"), dollar_sign("+3")
    ('-$1.705', '+$3')
    """
    digits = number.lstrip("+-")
    return f"{number[: len(number) - len(digits)]}${digits}"


def use_exact_arithmetic() -> None:
    """Set this thread's context: 28 digits, and mixing `Decimal` with `float` raises.

    Called by every thread that decides about orders; Python keeps one context per thread.
    """
    context = getcontext()
    context.prec = ARITHMETIC_PRECISION
    context.rounding = ROUND_HALF_EVEN
    for trap in (FloatOperation, InvalidOperation, DivisionByZero, Overflow):
        context.traps[trap] = True


def arithmetic_is_exact() -> bool:
    """False when somebody changed this thread's context so that results could lose digits."""
    context = getcontext()
    return context.prec >= ARITHMETIC_PRECISION and context.traps[InvalidOperation]
