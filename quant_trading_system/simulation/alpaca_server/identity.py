"""Ids that are functions of what they name, in the forms that Alpaca's have."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from uuid import UUID

from quant_trading_system.simulation.alpaca_server.live_market import ns_of

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ULID_LENGTH = 26
_NUMBER_BITS = 80


def uuid_of(*parts: object) -> str:
    """A version 4 UUID in form, the same for the same parts.

    >>> uuid_of("asset", "AAPL") == uuid_of("asset", "AAPL") != uuid_of("asset", "MSFT")
    True
    """
    found = hex_of(*parts)
    return f"{found[:8]}-{found[8:12]}-{found[12:16]}-{found[16:20]}-{found[20:]}"


def hex_of(*parts: object) -> str:
    """The digits of the same UUID."""
    digest = bytearray(blake2b("\x1f".join(map(str, parts)).encode(), digest_size=16).digest())
    digest[6] = digest[6] & 0x0F | 0x40  # version 4 of RFC 9562, section 5.4, in two places
    digest[8] = digest[8] & 0x3F | 0x80
    return digest.hex()


@lru_cache(maxsize=4_096)
def asset_id(symbol: str) -> str:
    """The id of an asset, the same in every venue."""
    return uuid_of("asset", symbol)


def ulid(at: datetime, number: int) -> str:
    """A ULID: ids of later moments, and of higher numbers in one, sort after the others."""
    value = ns_of(at) // 1_000_000 << _NUMBER_BITS | number
    digits = [value >> 5 * place & 31 for place in reversed(range(_ULID_LENGTH))]
    return "".join(_CROCKFORD[digit] for digit in digits)


def account_number(account_id: str) -> str:
    """``PA`` and ten letters and digits, as paper accounts have them."""
    value = UUID(account_id).int
    return "PA" + "".join(_CROCKFORD[value >> 5 * place & 31] for place in range(10))


def generated_key(seed: int, name: str) -> str:
    """The key of an account whose user did not choose one."""
    return "PK" + blake2b(f"{seed}/key/{name}".encode(), digest_size=9).hexdigest().upper()


def generated_secret(seed: int, name: str) -> str:
    """The secret of an account whose user did not choose one; whoever knows the seed knows it, too."""
    return blake2b(f"{seed}/secret/{name}".encode(), digest_size=20).hexdigest()
