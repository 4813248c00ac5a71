"""Numbers and dates as people read them in a report. What is not known is an en dash."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Decimal

from quant_trading_system.core.numbers import CENT, plain

UNKNOWN = "–"
_MINUS = "−"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def percent(fraction: float | None, places: int = 2, *, signed: bool = False) -> str:
    """A fraction as per cent.

    >>> percent(0.1234), percent(-0.05, 1), percent(0.05, 1, signed=True), percent(None)
    ('12.34%', '−5.0%', '+5.0%', '–')
    """
    return UNKNOWN if fraction is None else f"{_number(100 * fraction, places, signed)}%"


def axis_percent(fraction: float) -> str:
    """Per cent without needless decimals.

    >>> axis_percent(0.05), axis_percent(-0.125)
    ('5%', '−12.5%')
    """
    return percent(fraction, 1).replace(".0%", "%")


def number(value: float | None, places: int = 2) -> str:
    """A ratio or a count, with thousands apart.

    >>> number(1234.5), number(-0.001), number(None)
    ('1,234.50', '0.00', '–')
    """
    return UNKNOWN if value is None else _number(value, places, False)


def dollars(amount: Decimal, *, signed: bool = False) -> str:
    """Dollars and cents.

    >>> dollars(Decimal("-1234.5")), dollars(Decimal("0.004"), signed=True)
    ('−$1,234.50', '$0.00')
    """
    cents = amount.quantize(CENT, ROUND_HALF_EVEN)
    return f"{_sign(cents, signed)}${abs(cents):,}"


def short_dollars(amount: float) -> str:
    """Dollars for an axis or a caption.

    >>> short_dollars(1500), short_dollars(100_000), short_dollars(2_344_900), short_dollars(-20)
    ('$1.5k', '$100k', '$2.345m', '−$20')
    """
    size = abs(amount)
    for unit, letter in ((1e9, "bn"), (1e6, "m"), (1e3, "k")):
        if size >= unit:
            return f"{_sign(amount, False)}${size / unit:.4g}{letter}"
    return f"{_sign(amount, False)}${size:.4g}"


def shares(quantity: Decimal) -> str:
    """A quantity with all its digits.

    >>> shares(Decimal("1200")), shares(Decimal("0.5000"))
    ('1,200', '0.5')
    """
    whole, point, rest = plain(quantity).partition(".")
    return f"{int(whole):,}{point}{rest}"


def price(value: Decimal) -> str:
    """Dollars a share: cents at least, and whatever is finer.

    >>> price(Decimal("108.1")), price(Decimal("0.12345"))
    ('108.10', '0.12345')
    """
    whole, _, rest = plain(value).partition(".")
    return f"{int(whole):,}.{rest:0<2}"


def day(moment: date) -> str:
    """A date.

    >>> day(date(2021, 3, 4))
    '4 Mar 2021'
    """
    return f"{moment.day} {_MONTHS[moment.month - 1]} {moment.year}"


def month(moment: date) -> str:
    """A month of a year.

    >>> month(date(2021, 3, 4))
    'Mar 2021'
    """
    return f"{_MONTHS[moment.month - 1]} {moment.year}"


def minute(moment: datetime) -> str:
    """A time in UTC, to the second, that sorts as text."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def month_names() -> tuple[str, ...]:
    """January to December, in three letters."""
    return _MONTHS


def _number(value: float, places: int, signed: bool) -> str:
    rounded = round(value, places)
    return f"{_sign(rounded, signed)}{abs(rounded):,.{places}f}"


def _sign(value: float | Decimal, signed: bool) -> str:
    if value < 0:
        return _MINUS
    return "+" if signed and value > 0 else ""
