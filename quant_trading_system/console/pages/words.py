"""Numbers and times as people read them on a page."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from quant_trading_system.app.decision_record import amount
from quant_trading_system.core.decisions import Unit
from quant_trading_system.core.numbers import plain, usd
from quant_trading_system.research.markup import Markup, join, tag

MINUS = "−"


def prose(text: str) -> Markup:
    """A sentence in which what stands between backticks is code.

    >>> prose("see `qts limits show`")
    'see <code>qts limits show</code>'
    """
    parts = text.split("`")
    if len(parts) % 2 == 0:  # one backtick is left over: it is no mark
        return join(text)
    return join(*(tag("code", part) if number % 2 else part for number, part in enumerate(parts)))


def money(value: Decimal) -> str:
    """Dollars and cents, with a proper minus."""
    return usd(value).replace("-", MINUS)


def measure(value: Decimal, unit: Unit) -> str:
    """A number with its unit; dollars in whole cents."""
    return money(value) if unit is Unit.USD else amount(value, unit)


def signed_money(value: Decimal) -> Markup:
    """Dollars with their sign; a gain is green, a loss is plain."""
    text = money(value) if value <= 0 else f"+{money(value)}"
    return tag("span", text, class_="up" if value > 0 else "down")


def percent(value: Decimal, places: int = 2) -> str:
    """A fraction as a percentage; what is too small to be seen has no sign."""
    number = f"{value * 100:.{places}f}"
    return f"{number.replace('-', MINUS) if number.strip('-0.') else number.lstrip('-')} %"


def signed_percent(value: Decimal) -> str:
    """A fraction as a percentage with its sign."""
    words = percent(value)
    return f"+{words}" if value > 0 and words.strip("0. %") else words


def count(value: int) -> str:
    """A number of things."""
    return f"{value:,}"


def shares(value: Decimal) -> str:
    """Shares, signed as they are, thousands apart."""
    whole, _, rest = plain(value).partition(".")
    return (f"{int(whole):,}" + (f".{rest}" if rest else "")).replace("-", MINUS)


def price(value: Decimal | None) -> str:
    """Dollars a share; nothing where there is none."""
    if value is None:
        return ""
    return f"{value:,.2f}" if value == value.quantize(Decimal("0.01")) else f"{value:,.4f}"


def bps(value: Decimal | None) -> str:
    """Basis points."""
    return "–" if value is None else f"{value:.1f} bp".replace("-", MINUS)


def moment(at: datetime | None) -> str:
    """Day and time, UTC."""
    return "never" if at is None else f"{at:%Y-%m-%d %H:%M:%S}"
