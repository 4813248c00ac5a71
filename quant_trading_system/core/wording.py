"""Words of people, strategies and brokers on their way to a record, a log, a terminal or a page."""

from __future__ import annotations

from collections.abc import Sequence

LONGEST_REASON = 500
_BASIC_PLANE = 0x10000
_STRATEGY = "strategy "


def printable(text: str) -> str:
    r"""The same with a space for all that could begin a line, move a cursor or turn the direction of writing.

    >>> printable("feed\x1b[31m")
    'feed [31m'
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)


def printable_lines(text: str) -> str:
    """The same where several lines are allowed."""
    return text if text.isprintable() else "\n".join(map(printable, text.split("\n")))


def one_line(text: str, longest: int = LONGEST_REASON) -> str:
    r"""Printable, on one line, bounded: what somebody typed cannot break a log or a file.

    >>> one_line("feed\n  repaired\x1b[31m")
    'feed repaired [31m'
    """
    return " ".join(printable(text).split())[:longest]


def printable_json(document: str) -> str:
    r"""A JSON document in one line, in which whatever is not printable is written as an escape.

    >>> printable_json('{"reason":"\u202egpj"}')
    '{"reason":"\\u202egpj"}'
    """
    return document if document.isprintable() else "".join(c if c.isprintable() else _escaped(c) for c in document)


def first_few(names: Sequence[str], most: int) -> str:
    """The first `most` names, and a sign that there are more.

    >>> first_few(["KO", "PEP", "XOM"], 2)
    'KO, PEP, …'
    """
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")


def asked_by_strategy(strategy: str, reason: str) -> str:
    """Why an order is cancelled, where its strategy has asked for it.

    >>> asked_by_strategy("dips", "the gap has closed")
    'strategy dips: the gap has closed'
    """
    return one_line(f"{_STRATEGY}{strategy}: {reason or 'no reason given'}")


def is_asked_by_strategy(reason: str) -> bool:
    """A strategy has asked for it, by those words."""
    return reason.startswith(_STRATEGY)


def _escaped(character: str) -> str:
    point = ord(character)
    if point < _BASIC_PLANE:
        return f"\\u{point:04x}"
    high, low = divmod(point - _BASIC_PLANE, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
