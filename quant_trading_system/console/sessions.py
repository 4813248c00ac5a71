"""Who asks: bearer tokens of programs, and sessions of browsers that began with a token or a one-time login."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime, timedelta
from http.cookies import CookieError, SimpleCookie

import msgspec

from quant_trading_system.app.tokens import TokenStore, digest_of, new_secret
from quant_trading_system.core.clock import Clock
from quant_trading_system.core.command import Source
from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.core.roles import Role

SESSION_LIFE = timedelta(hours=12)
LOGIN_LIFE = timedelta(minutes=10)
_MOST_SESSIONS = 1000


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks.

    Attributes:
        principal: the name that goes on record.
        source: ``api`` with a bearer token, ``console`` from a browser.
        session: digest of the session; empty with a bearer token.
    """

    principal: str
    role: Role
    source: Source
    session: str = ""


class _Session(msgspec.Struct, frozen=True, kw_only=True):
    principal: str
    role: Role
    until: datetime
    token_id: str


class Sessions:
    """Finds out who asks. Sessions live in memory and end with the server, with their token, or after twelve hours."""

    def __init__(self, tokens: TokenStore, clock: Clock, *, cookie: str = "qts_session_") -> None:
        """Trust `tokens`; `cookie` is the name under which a browser keeps its session."""
        self.cookie = cookie
        self._tokens = tokens
        self._clock = clock
        self._sessions: OrderedDict[str, _Session] = OrderedDict()
        self._logins: dict[str, _Session] = {}

    def bearer(self, headers: Sequence[str]) -> Caller | None:
        """Who sent these values of the header ``Authorization``; None for nobody that is known.

        Raises:
            ConfigurationError: the tokens cannot be read.
        """
        if len(headers) != 1:
            return None
        scheme, _, text = headers[0].partition(" ")
        token = self._tokens.verify(text) if scheme.lower() == "bearer" else None
        return None if token is None else Caller(principal=token.name, role=token.role, source=Source.API)

    def browser(self, cookies: Sequence[str]) -> Caller | None:
        """Who sent these values of the header ``Cookie``."""
        return next((found for text in self._named(cookies) if (found := self.caller(digest_of(text)))), None)

    def caller(self, session: str) -> Caller | None:
        """Whose session has this digest; None once it is over. Pages that stay open ask again before they act."""
        found = self._sessions.get(session)
        if found is None or self._clock.now() >= found.until:
            self._sessions.pop(session, None)
            return None
        role = found.role
        if found.token_id:
            token = self._living(found.token_id)
            if token is None:
                del self._sessions[session]
                return None
            role = token
        return Caller(principal=found.principal, role=role, source=Source.CONSOLE, session=session)

    def offer_login(self, principal: str, role: Role) -> str:
        """A code that opens one session within ten minutes."""
        code = new_secret()
        until = self._clock.now() + LOGIN_LIFE
        self._logins[digest_of(code)] = _Session(principal=principal, role=role, until=until, token_id="")
        return code

    def begin(self, text: str) -> str | None:
        """Begin a session with a token or a one-time code; the secret for the cookie, None when neither fits.

        Raises:
            ConfigurationError: the tokens cannot be read.
        """
        now = self._clock.now()
        offered = self._logins.pop(digest_of(text), None)
        if offered is not None:
            if now >= offered.until:
                return None
            return self._keep(msgspec.structs.replace(offered, until=now + SESSION_LIFE))
        token = self._tokens.verify(text)
        if token is None:
            return None
        return self._keep(
            _Session(principal=token.name, role=token.role, until=now + SESSION_LIFE, token_id=token.token_id)
        )

    def end(self, session: str) -> None:
        """Forget a session, by its digest."""
        self._sessions.pop(session, None)

    def _keep(self, session: _Session) -> str:
        secret = new_secret()
        self._sessions[digest_of(secret)] = session
        if len(self._sessions) > _MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return secret

    def _living(self, token_id: str) -> Role | None:
        try:
            token = self._tokens.find(token_id)
        except ConfigurationError:
            return None  # a file that cannot be read opens nothing
        return None if token is None else token.role

    def _named(self, cookies: Sequence[str]) -> list[str]:
        found = []
        for header in cookies:
            try:
                jar: SimpleCookie = SimpleCookie(header)
            except CookieError:
                continue
            if self.cookie in jar:
                found.append(jar[self.cookie].value)
        return found
