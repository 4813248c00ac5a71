"""Words of people for records and logs."""

from __future__ import annotations

LONGEST_REASON = 500


def one_line(text: str, longest: int = LONGEST_REASON) -> str:
    r"""Printable, on one line, bounded: what somebody typed cannot break a log or a file.

    >>> one_line("feed\n  repaired\x1b[31m")
    'feed repaired [31m'
    """
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:longest]
