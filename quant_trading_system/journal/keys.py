"""The secret of the chain. Who has it can write entries that verify; who has not, can only break them.

Beside the journal the key protects against accidents and against whoever can write the one file only. Keep
it elsewhere (`QTS_JOURNAL_KEY`, filled by a secret store) to protect against a copy of the whole directory.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

from quant_trading_system.core.exceptions import JournalUnavailable
from quant_trading_system.journal.entry import KEY_BYTES
from quant_trading_system.journal.private_files import (
    NOT_READABLE_BY_OTHERS,
    beside,
    create_private,
    require_private,
)

KEY_VARIABLE = "QTS_JOURNAL_KEY"
KEY_SUFFIX = ".key"

Entropy = Callable[[int], bytes]


def journal_key(
    journal: Path, environment: Mapping[str, str] = os.environ, entropy: Entropy = secrets.token_bytes
) -> bytes:
    """The key of the journal at `journal`: from the file ``<journal>.key``, else from the environment, else a new one.

    Raises:
        JournalUnavailable: the key is malformed or open to others, or the journal exists without its key.
    """
    path = beside(journal, KEY_SUFFIX)
    if not path.exists() and KEY_VARIABLE in environment:
        return _from_hex(environment[KEY_VARIABLE], f"the environment variable {KEY_VARIABLE}")
    if not path.exists() and journal.exists() and journal.stat().st_size:
        raise JournalUnavailable(
            f"{journal} was written with a key that is not here; restore {path} or set {KEY_VARIABLE}"
        )
    return load_or_create_key(path, entropy)


def load_or_create_key(path: Path, entropy: Entropy = secrets.token_bytes) -> bytes:
    """Read the key file (64 hex digits, mode 600), or make a new one.

    Raises:
        JournalUnavailable: it cannot be read or written, is malformed, or is open to others.
    """
    try:
        if not path.exists():
            with suppress(FileExistsError):  # somebody else was faster; theirs counts
                create_private(path, entropy(KEY_BYTES).hex().encode() + b"\n")
        require_private(path, NOT_READABLE_BY_OTHERS)
        return _from_hex(path.read_text(encoding="ascii"), str(path))
    except (OSError, UnicodeError) as error:
        raise JournalUnavailable(f"the key file {path} cannot be used: {error}") from error


def key_from_seed(seed: int) -> bytes:
    """A key that anybody who knows the seed can compute.

    For demonstrations and backtests, whose journal must come out the same on every machine. Such a chain
    shows accidents; it proves nothing against a person, who can forge it.
    """
    return blake2b(str(seed).encode(), digest_size=KEY_BYTES, person=b"qts key of seed").digest()


def _from_hex(text: str, where: str) -> bytes:
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise JournalUnavailable(f"{where} does not hold a journal key ({2 * KEY_BYTES} hex digits)")
    return key
