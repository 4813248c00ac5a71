"""The values of a limits file, read from text: no guesses, one spelling for each value.

YAML would read ``1:30`` as 90, ``010`` as 8 and ``no`` as false; here every value is text until one of these
functions has read it, and whatever could be meant in two ways is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import NamedTuple, TypeVar

from quant_trading_system.core.events import HaltLevel
from quant_trading_system.core.numbers import MAX_DECIMALS

HALT_LEVELS = {level.name.lower(): level for level in HaltLevel if level is not HaltLevel.RUNNING}
"""The levels that stop something, by the word that stands for them in the file."""

OFF = "off"
"""Stands for no limit, where a key allows that."""

_PLAIN_NUMBER = re.compile(r"(?:0|[1-9][0-9]{0,14})(?:\.[0-9]+)?")
_EXPONENT = re.compile(r"[+-]?[0-9.]+[eE][+-]?[0-9]+")
_PERCENTAGE = re.compile(r"((?:0|[1-9][0-9]{0,3})(?:\.[0-9]{1,4})?)\s*%")
_MAX_SHOWN = 40
_MAX_NAME = 64
_T = TypeVar("_T")


class BadValue(ValueError):
    """Text that cannot be the value of its key; the message goes on where the name of the key ended."""


def quoted(text: str) -> str:
    """A piece of somebody's file for a message: escaped, and cut when it is long."""
    return repr(text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "…")


def read_number(text: str) -> Decimal:
    """Digits with at most one point, nothing else.

    Raises:
        BadValue: empty, signed, in exponent form, not finite, with too many decimals, or no number at all.

    >>> read_number("0.05")
    Decimal('0.05')
    """
    if not _PLAIN_NUMBER.fullmatch(text):
        raise BadValue(_why_no_number(text))
    if len(text.partition(".")[2]) > MAX_DECIMALS:
        raise BadValue(f"is {quoted(text)}, which has more than {MAX_DECIMALS} decimals")
    return Decimal(text)


def _why_no_number(text: str) -> str:
    if not text.strip():
        return "has no value"
    if percentage := _PERCENTAGE.fullmatch(text):
        return f"is {quoted(text)}; write it as {hundredth(Decimal(percentage[1]))}"
    if text.lower().lstrip("+-.") in ("nan", "inf", "infinity"):
        return f"is {quoted(text)}, which is not a finite number"
    if _EXPONENT.fullmatch(text):
        return f"is {quoted(text)}; write all digits instead of an exponent"
    if text.startswith("-") and _PLAIN_NUMBER.fullmatch(text[1:]):
        return f"is {quoted(text)}, but no limit is negative"
    return f"is {quoted(text)}, which is not a plain number; write digits and at most one point, such as 12 or 0.10"


def hundredth(percent: Decimal) -> str:
    """Per cent written as the fraction that belongs into the file.

    >>> hundredth(Decimal(10))
    '0.10'
    """
    return format(percent.scaleb(-2), "f")


def read_whole(text: str) -> int:
    """A whole number.

    Raises:
        BadValue: as `read_number`, or it is written with a point.
    """
    read_number(text)
    if "." in text:
        raise BadValue(f"is {quoted(text)}, but must be a whole number")
    return int(text)


def read_flag(text: str) -> bool:
    """True or false, spelt in just this way.

    Raises:
        BadValue: any other word.
    """
    return _one_of(text, {"true": True, "false": False})


def read_level(text: str) -> HaltLevel:
    """A level that stops something.

    Raises:
        BadValue: any other word.
    """
    return _one_of(text, HALT_LEVELS)


def _one_of(text: str, meaning: Mapping[str, _T]) -> _T:
    if text not in meaning:
        raise BadValue(f"{f'is {quoted(text)}' if text else 'has no value'}; write {' or '.join(meaning)}")
    return meaning[text]


def read_name(text: str) -> str:
    """The name of a person.

    Raises:
        BadValue: empty, too long, with a comma, a line break, or blanks around it.
    """
    if not text or text != text.strip() or not text.isprintable() or "," in text or len(text) > _MAX_NAME:
        raise BadValue(f"holds {quoted(text)}; a name has 1 to {_MAX_NAME} printable characters and no comma")
    return text


_RESTRICTION = re.compile(
    r"(?P<symbol>[A-Z][A-Z0-9.]{0,15}) (?P<mode>blocked|reduce_only)"
    r"(?: until (?P<until>[0-9]{4}-[0-9]{2}-[0-9]{2}))?"
    r" by (?P<owner>[\w. -]{1,64}?) because (?P<reason>[\w. ()/-]{1,120})"
)


class Restriction(NamedTuple):
    """What may not be traded: ``reduce_only`` lets exits through, ``blocked`` nothing.

    Attributes:
        until: the last day of it, in UTC; None for one that a person has to take out.
    """

    symbol: str
    reduce_only: bool
    until: date | None
    owner: str
    reason: str

    def __str__(self) -> str:
        last = "" if self.until is None else f" until {self.until}"
        return f"{'reduce only' if self.reduce_only else 'blocked'}{last} by {self.owner} because {self.reason}"


def read_restriction(text: str) -> str:
    """One restriction, kept as it is written.

    Raises:
        BadValue: it has another form, or its day does not exist.
    """
    restriction_in(text)
    return text


def restriction_in(text: str) -> Restriction:
    """What one entry of `restricted_symbols` says.

    Raises:
        BadValue: it has another form, or its day does not exist.

    >>> str(restriction_in("GME reduce_only until 2027-01-31 by Ana because squeeze"))
    'reduce only until 2027-01-31 by Ana because squeeze'
    """
    found = _RESTRICTION.fullmatch(text)
    if found is None or not text.isprintable():
        raise BadValue(
            f"holds {quoted(text)}; write SYMBOL blocked or reduce_only, perhaps until YYYY-MM-DD, by WHO because WHY"
        )
    try:
        until = date.fromisoformat(found["until"]) if found["until"] else None
    except ValueError:
        raise BadValue(f"holds {quoted(text)}; there is no day {found['until']}") from None
    return Restriction(found["symbol"], found["mode"] == "reduce_only", until, found["owner"].strip(), found["reason"])


def strictest_of(restrictions: Iterable[Restriction], day: date) -> Restriction | None:
    """Of one symbol's, the strictest that has not ended by `day`."""
    lasting = [restriction for restriction in restrictions if restriction.until is None or day <= restriction.until]
    return min(lasting, key=lambda restriction: restriction.reduce_only, default=None)


def restrictions_in(texts: Iterable[str]) -> dict[str, list[Restriction]]:
    """All entries by symbol."""
    found: dict[str, list[Restriction]] = {}
    for restriction in map(restriction_in, texts):
        found.setdefault(restriction.symbol, []).append(restriction)
    return found
