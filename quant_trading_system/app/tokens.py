"""Bearer tokens of the control API: who somebody is, and how much they may do.

A token is 256 random bits and is shown once, when it is made. The file keeps its SHA-256 digest. A slow hash such as
scrypt protects secrets that people think up and that can be guessed; nobody guesses 2^256 equally likely ones, so a
plain digest is as good here, and a request costs a microsecond instead of a tenth of a second.
"""

from __future__ import annotations

import fcntl
import hmac
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

import msgspec

from quant_trading_system.core.clock import Clock
from quant_trading_system.core.exceptions import ConfigurationError, JournalUnavailable
from quant_trading_system.core.roles import Role
from quant_trading_system.journal.private_files import (
    NOT_READABLE_BY_OTHERS,
    PRIVATE,
    beside,
    replace_private,
    require_private,
)

TOKENS_FILE = "tokens.json"
"""In the state directory: the tokens of this installation."""
USED_SUFFIX = ".used"
TOKEN = re.compile(r"qts_(?P<id>[0-9a-f]{8})_[A-Za-z0-9_-]{43}")
"""How every token looks, so that logs can strike out one that strays into them."""
_USED_EVERY = timedelta(minutes=1)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@+-]{0,63}")
_NOBODY = sha256(b"").hexdigest()
_MOST = 1000


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about a token; the token itself is not.

    Attributes:
        token_id: names it in lists; part of the token.
        name: of the principal, the person or program that acts with it.
        digest: SHA-256 of the token, hex.
        expires_at: from then on it opens nothing; None for never.
    """

    token_id: str
    name: str
    role: Role
    digest: str
    created_at: datetime
    expires_at: datetime | None = None

    def is_over(self, now: datetime) -> bool:
        """True once it has expired."""
        return self.expires_at is not None and now >= self.expires_at


class TokenLine(msgspec.Struct, frozen=True, kw_only=True):
    """A token in a list; `last_used` is exact to a minute."""

    token_id: str
    name: str
    role: Role
    created_at: datetime
    expires_at: datetime | None
    last_used: datetime | None
    expired: bool


class _Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    tokens: tuple[Token, ...] = ()


class TokenStore:
    """The tokens in a private file. A change by another process counts from the next question on.

    The times of use are kept in a second file, so that a server that only looks tokens up never writes the file that
    decides, and a token once revoked cannot come back.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        """Use the file at `path`, which `create` makes."""
        self.path = path
        self._clock = clock
        self._seen: tuple[tuple[int, ...], dict[str, Token]] = ((), {})
        self._used: dict[str, datetime] = {}

    # -- for people ------------------------------------------------------------------------------------------------

    def create(self, name: str, role: Role, lifetime: timedelta | None = None) -> str:
        """Make a token for `name`. The answer is the only time that anybody sees it.

        Raises:
            ConfigurationError: the name, the lifetime or the file cannot be used.
        """
        if _NAME.fullmatch(name) is None:
            raise ConfigurationError(
                f"{name[:70]!r} is no name of a principal: letters, digits and _ . @ + -, at most 64"
            )
        if lifetime is not None and lifetime <= timedelta(0):
            raise ConfigurationError("a token that has expired already opens nothing; give it a longer life")
        now = self._clock.now()
        with self._exclusive():
            tokens = self._read()
            if len(tokens) >= _MOST:
                raise ConfigurationError(f"there are {_MOST} tokens; revoke those that nobody needs")
            token_id = secrets.token_hex(4)
            while token_id in tokens:
                token_id = secrets.token_hex(4)
            text = f"qts_{token_id}_{secrets.token_urlsafe(32)}"
            made = Token(
                token_id=token_id,
                name=name,
                role=role,
                digest=digest_of(text),
                created_at=now,
                expires_at=None if lifetime is None else now + lifetime,
            )
            self._write({**tokens, token_id: made})
        return text

    def revoke(self, which: str) -> list[Token]:
        """End the token of that id, or all tokens of that name; the answer lists them.

        Raises:
            ConfigurationError: there is none, or the file cannot be used.
        """
        with self._exclusive():
            tokens = self._read()
            ended = [token for token in tokens.values() if which in (token.token_id, token.name)]
            if not ended:
                raise ConfigurationError(f"no token has the id or name {which[:70]!r}; `qts token list` shows all")
            self._write({key: token for key, token in tokens.items() if token not in ended})
        return ended

    def lines(self) -> list[TokenLine]:
        """All tokens, the oldest first.

        Raises:
            ConfigurationError: the file cannot be used.
        """
        used, now = self._read_used(), self._clock.now()
        return [
            TokenLine(
                token_id=token.token_id,
                name=token.name,
                role=token.role,
                created_at=token.created_at,
                expires_at=token.expires_at,
                last_used=used.get(token.token_id),
                expired=token.is_over(now),
            )
            for token in sorted(self._read().values(), key=lambda token: token.created_at)
        ]

    # -- for the server --------------------------------------------------------------------------------------------

    def verify(self, text: str) -> Token | None:
        """The token that `text` is; None for everything else, and for one that has expired or was revoked.

        The comparison takes the same time whatever the text is.

        Raises:
            ConfigurationError: the file cannot be used; nobody gets in then.
        """
        form = TOKEN.fullmatch(text)
        known = self._known().get(form["id"]) if form else None
        same = hmac.compare_digest(digest_of(text), _NOBODY if known is None else known.digest)
        if known is None or not same or known.is_over(self._clock.now()):
            return None
        self._note_use(known.token_id)
        return known

    def find(self, token_id: str) -> Token | None:
        """The token of that id while it opens something.

        Raises:
            ConfigurationError: the file cannot be used.
        """
        known = self._known().get(token_id)
        return None if known is None or known.is_over(self._clock.now()) else known

    # -- files -----------------------------------------------------------------------------------------------------

    def _known(self) -> dict[str, Token]:
        """As in the file; it is read again only when it has changed."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise ConfigurationError(f"{self.path} cannot be read: {error.strerror or error}") from error
        signature = (status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_mode)
        seen, tokens = self._seen
        if signature != seen:
            tokens = self._read()
            self._seen = signature, tokens
        return tokens

    def _read(self) -> dict[str, Token]:
        if not self.path.exists():
            return {}
        try:
            require_private(self.path, NOT_READABLE_BY_OTHERS)
            kept = msgspec.json.decode(self.path.read_bytes(), type=_Kept)
        except JournalUnavailable as error:
            raise ConfigurationError(str(error)) from error
        except (OSError, msgspec.DecodeError) as error:
            raise ConfigurationError(
                f"the tokens in {self.path} cannot be read ({error}); remove the file and make new ones"
            ) from error
        return {token.token_id: token for token in kept.tokens}

    def _write(self, tokens: dict[str, Token]) -> None:
        try:
            replace_private(self.path, msgspec.json.encode(_Kept(tuple(tokens.values()))) + b"\n")
        except OSError as error:
            raise ConfigurationError(f"{self.path} cannot be written: {error.strerror or error}") from error

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Nobody else may change the tokens within."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(beside(self.path, ".lock"), os.O_RDWR | os.O_CREAT, PRIVATE)
        except OSError as error:
            raise ConfigurationError(f"{self.path} cannot be written: {error.strerror or error}") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _note_use(self, token_id: str) -> None:
        now = self._clock.now()
        before = self._used.get(token_id)
        if before is not None and now - before < _USED_EVERY:
            return
        self._used[token_id] = now
        known = self._known()
        kept = {key: at for key, at in (self._read_used() | self._used).items() if key in known}
        try:
            replace_private(beside(self.path, USED_SUFFIX), msgspec.json.encode(kept) + b"\n")
        except OSError:
            self._used.pop(token_id)  # tried again at the next use; a full disk locks nobody out

    def _read_used(self) -> dict[str, datetime]:
        try:
            return msgspec.json.decode(beside(self.path, USED_SUFFIX).read_bytes(), type=dict[str, datetime])
        except (OSError, msgspec.DecodeError):
            return {}


def new_secret() -> str:
    """256 random bits as text that may stand in headers, cookies and URLs."""
    return secrets.token_urlsafe(32)


def digest_of(secret: str) -> str:
    """What a server remembers of a secret that it gave away: SHA-256, hex."""
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
