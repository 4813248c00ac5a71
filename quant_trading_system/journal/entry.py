"""One entry of the journal, and the keyed chain that ties it to the one before.

    digest(n) = blake2b(digest(n - 1) || lengths || seq, cause, at, kind, config, subject || body, key)

Every variable part is preceded by its length, so no two entries share a canonical form. Without the key
nobody can compute a digest, so an entry that was edited, inserted, moved or removed no longer adds up.
"""

from __future__ import annotations

import struct
from datetime import datetime
from hashlib import blake2b

import msgspec

from quant_trading_system.core.events import AnyEvent
from quant_trading_system.core.exceptions import JournalDamaged, JournalError
from quant_trading_system.journal.codec import decode, decode_for_books

DIGEST_BYTES = 32
KEY_BYTES = 32
HEADER = b"quant_trading_system journal, format 1"

Row = tuple[int, str, str, int | None, str, str | None, bytes, bytes]
"""An entry as it is stored: seq, at, kind, cause, config, subject, body, digest."""

_LENGTHS = struct.Struct(">QQHHHH")


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One record of what happened.

    Attributes:
        seq: 1, 2, 3 … without gaps; entries replay in this order, time only explains.
        at: when it happened, UTC; may repeat or go back with the clock.
        kind: the kind of event in `body`.
        cause: seq of the entry that led to this one.
        config: short hash of the limits in force.
        subject: id of the order that it is about.
        body: the event as JSON, exactly as it was encoded when it happened.
        digest: 32 bytes that depend on this entry and on all before it.
    """

    seq: int
    at: datetime
    kind: str
    cause: int | None
    config: str
    subject: str | None
    body: bytes
    digest: bytes

    @property
    def event(self) -> AnyEvent:
        """The event in `body`.

        Raises:
            JournalDamaged: this version cannot read all of it.
        """
        try:
            return decode(self.body)
        except JournalError as error:
            raise JournalDamaged(self.seq, str(error)) from error

    @property
    def event_for_books(self) -> AnyEvent:
        """The event, without what the books do not need: see `codec.decode_for_books`.

        Raises:
            JournalDamaged: this version cannot read it.
        """
        try:
            return decode_for_books(self.body)
        except JournalError as error:
            raise JournalDamaged(self.seq, str(error)) from error


def entry_from(row: Row) -> Entry:
    """The entry in a stored row.

    Raises:
        JournalDamaged: a column holds something of another type.
    """
    try:
        return msgspec.convert(row, Entry)
    except msgspec.ValidationError as error:
        raise JournalDamaged(row[0], f"a column is unreadable: {error}") from error


def genesis(key: bytes) -> bytes:
    """What the first entry is chained to.

    Raises:
        JournalError: the key has not 32 bytes.
    """
    if len(key) != KEY_BYTES:
        raise JournalError(f"a journal key has {KEY_BYTES} bytes, not {len(key)}")
    return blake2b(HEADER, key=key, digest_size=DIGEST_BYTES).digest()


def chained(
    previous: bytes,
    seq: int,
    at: str,
    kind: str,
    cause: int | None,
    config: str,
    subject: str | None,
    body: bytes,
    key: bytes,
) -> bytes:
    """The digest of an entry that follows `previous`; the arguments are the columns of a `Row`."""
    about = subject or ""
    lengths = _LENGTHS.pack(seq, cause or 0, len(at), len(kind), len(config), len(about))
    text = f"{at}{kind}{config}{about}".encode()
    return blake2b(b"".join((previous, lengths, text, body)), key=key, digest_size=DIGEST_BYTES).digest()


def is_authentic(row: Row, previous: bytes, key: bytes) -> bool:
    """True when the row is, to the last bit, what the holder of the key appended after `previous`."""
    try:
        return chained(previous, *row[:7], key) == row[7]
    except (TypeError, struct.error, UnicodeError):
        return False  # a column of a wrong type or out of range was not written by a journal
