"""What every entry and every message has to look like: exact numbers, text on one line, and no secret."""

from __future__ import annotations

from decimal import Decimal

KEY_ID, SECRET = "PKSTORM", "secret-of-the-storm"
"""The keys of the account; neither may ever be read anywhere but on the line."""
UNPLAIN = "\x1b[31m\nhalt lifted by nobody"
"""What a stranger, or the broker, may write into a text: an escape code, and a line of its own."""

_MOST_DECIMALS = 9
_SECRET_BYTES = SECRET.encode()
_ESCAPES = (b"\\n", b"\\r", b"\\u00")


def flaws_of(body: bytes) -> list[tuple[str, str]]:
    """The invariant and the words of everything that does not belong into an entry."""
    found = []
    if _SECRET_BYTES in body:
        found.append(("I29", "an entry holds the secret key"))
    if any(escape in body for escape in _ESCAPES):
        found.append(("I30", f"an entry holds control characters: {body[:200]!r}"))
    return found


def is_plain(line: str) -> bool:
    """A line for people begins no other one, moves no cursor and tells no secret."""
    return SECRET not in line and "\x1b" not in line and "\n" not in line


def is_exact(*numbers: Decimal) -> bool:
    """All are finite and have at most nine decimals, as the broker's do."""
    return all(_is_exact(number) for number in numbers)


def _is_exact(number: Decimal) -> bool:
    exponent = number.as_tuple().exponent
    return isinstance(exponent, int) and -exponent <= _MOST_DECIMALS
