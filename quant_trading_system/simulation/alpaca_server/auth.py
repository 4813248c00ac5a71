"""Who is asking: keys in two headers, in HTTP Basic, or as a bearer token made of key and secret."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable, Mapping
from typing import Generic, Protocol, TypeVar

KEY_HEADER = "APCA-API-KEY-ID"
SECRET_HEADER = "APCA-API-SECRET-KEY"  # noqa: S105 the name of a header

_LONGEST = 512


class KeyHolder(Protocol):
    """Whoever has a key and a secret."""

    @property
    def key_id(self) -> str:
        """What names the account."""

    @property
    def secret_key(self) -> str:
        """What proves it."""


Holder = TypeVar("Holder", bound=KeyHolder)


class Keyring(Generic[Holder]):
    """Finds the account of a key; a wrong secret opens nothing."""

    def __init__(self, holders: Iterable[Holder]) -> None:
        self._by_key = {holder.key_id: holder for holder in holders}

    def unlock(self, key_id: object, secret: object) -> Holder | None:
        """The account, or None when key and secret do not fit."""
        if not isinstance(key_id, str) or not isinstance(secret, str) or max(len(key_id), len(secret)) > _LONGEST:
            return None
        holder = self._by_key.get(key_id)
        fits = same_secret(holder.secret_key if holder is not None else "", secret)
        return holder if fits and holder is not None else None

    def of_headers(self, headers: Mapping[str, str]) -> Holder | None:
        """The account that the headers of a request prove, or None."""
        if KEY_HEADER in headers:
            return self.unlock(headers[KEY_HEADER], headers.get(SECRET_HEADER, ""))
        scheme, _, credentials = headers.get("Authorization", "").partition(" ")
        match scheme.lower():
            case "basic":
                return self.unlock(*_basic(credentials))
            case "bearer":
                return self.of_token(credentials)
            case _:
                return None

    def of_token(self, token: object) -> Holder | None:
        """The account of an OAuth token; this venue gives out none, so it takes ``key:secret`` for one."""
        key_id, _, secret = token.strip().partition(":") if isinstance(token, str) else ("", "", "")
        return self.unlock(key_id, secret)


def same_secret(expected: str, shown: str) -> bool:
    """Compare in a time that tells nothing; headers may hold bytes that are no text."""
    return hmac.compare_digest(expected.encode(), shown.encode("utf-8", "surrogateescape"))


def _basic(credentials: str) -> tuple[str, str]:
    try:
        key_id, _, secret = base64.b64decode(credentials.strip(), validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return key_id, secret
