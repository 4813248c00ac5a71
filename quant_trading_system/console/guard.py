"""What every request passes first, whatever it asks for: who asks, from where, how much it sends. Default: deny.

A page of a stranger that a browser has open can reach a server on this machine in two ways. With a name of its own
that it lets point to 127.0.0.1 (DNS rebinding): therefore only known names of hosts are served. And with a request in
the user's name (cross-site request forgery): therefore a session cookie is never sent along by other sites, and a
request that changes something must come from our own pages.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from fastapi import Response

from quant_trading_system.app.logs import REQUEST
from quant_trading_system.app.tokens import new_secret
from quant_trading_system.console.answers import Refusal, refusal_response
from quant_trading_system.console.sessions import Caller, Sessions
from quant_trading_system.core.clock import Clock
from quant_trading_system.core.exceptions import ConfigurationError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

API = "/v1/"
MAX_BODY = 64 * 1024
LOGIN = frozenset({"/login", "/login.js", "/login.css", "/login/session"})
PUBLIC = LOGIN | {"/health"}
"""Open to everybody who may connect; everything else asks who you are."""
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})

_COMMON = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # with no-referrer, browsers would hide the origin of our own forms
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "x-frame-options": "DENY",
}
_DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"
_LOGIN_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_PAGE_POLICY = (  # Vue compiles its templates in the browser, which takes 'unsafe-eval'; all comes from here
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
_log = logging.getLogger(__name__)


class Guard:
    """The outermost part of the server."""

    def __init__(
        self,
        app: App,
        *,
        sessions: Sessions,
        clock: Clock,
        hosts: frozenset[str],
        public: frozenset[str] = PUBLIC,
    ) -> None:
        """Let through to `app` what comes to one of `hosts` from somebody whom `sessions` knows, or to `public`."""
        self._app = app
        self._sessions = sessions
        self._clock = clock
        self._hosts = hosts
        self._public = public
        self._prefix = new_secret()[:8]
        self._numbers = count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        request = _Passage(scope, f"{self._prefix}-{next(self._numbers)}", self._clock.monotonic())
        context = REQUEST.set(request.request_id)
        try:
            await self._pass(request, receive, send)
        finally:
            seconds = self._clock.monotonic() - request.began
            _log.info("request", extra={"fields": {**request.told(), "ms": round(seconds * 1000, 1)}})
            REQUEST.reset(context)

    async def _pass(self, request: _Passage, receive: Receive, send: Send) -> None:
        scope = request.scope
        answer = request.answering(send)
        try:
            self._require_host(request)
            self._require_own_origin(request)
            request.caller = self._identified(request)
            scope.setdefault("state", {}).update(caller=request.caller, request_id=request.request_id)
            body = _Bounded(request, receive) if scope["type"] == "http" else receive
            await self._app(scope, body, answer)
        except Refusal as refusal:
            await request.refuse(refusal_response(refusal), receive, answer)
        except Exception:  # a bug must neither end the server nor show its inside to a stranger
            _log.exception("unexpected error")
            if request.status:
                raise  # half an answer is out; the connection is cut, so that nobody takes it for a whole one
            sorry = Refusal(500, "internal_error", "the server failed", f"its log has request {request.request_id}")
            await request.refuse(refusal_response(sorry), receive, answer)

    def _require_host(self, request: _Passage) -> None:
        hosts = request.headers("host")
        if len(hosts) != 1 or _host_name(hosts[0]) not in self._hosts:
            raise Refusal(
                400, "unknown_host", "this server does not have that name", "call it by 127.0.0.1, or use --allow-host"
            )

    def _require_own_origin(self, request: _Passage) -> None:
        """A browser says from which page a request comes, and so do WebSockets; other programs say nothing."""
        if request.method in SAFE and request.scope["type"] == "http":
            return
        own = request.headers("host")[0].lower()
        foreign = [origin for origin in request.headers("origin") if urlsplit(origin.lower()).netloc != own]
        foreign += [site for site in request.headers("sec-fetch-site") if site not in ("same-origin", "none")]
        if foreign:
            raise Refusal(403, "foreign_origin", "the request comes from a page of another site")

    def _identified(self, request: _Passage) -> Caller | None:
        """Who asks, or a refusal; None on public pages.

        A header ``Authorization`` counts alone: a wrong token is refused, whatever the cookie says.
        """
        path = request.scope["path"]
        try:
            authorization = request.headers("authorization")
            if authorization:
                caller = self._sessions.bearer(authorization)
            else:
                caller = self._sessions.browser(request.headers("cookie"))
                if caller is not None and request.method not in SAFE and not request.headers("origin"):
                    raise Refusal(403, "foreign_origin", "a browser's request must say from which page it comes")
        except ConfigurationError as error:
            _log.error("the tokens cannot be read", extra={"fields": {"why": str(error)}})
            raise Refusal(
                503, "tokens_unavailable", "nobody can be recognised: the tokens cannot be read", "see the server's log"
            ) from error
        if caller is not None or path in self._public:
            return caller
        if not authorization and request.wants_page():
            raise Refusal(303, "login", "log in first", headers={"location": "/login"})
        raise Refusal(
            401,
            "not_authenticated",
            "no valid token",
            "send Authorization: Bearer TOKEN; `qts token create` makes one",
            headers={"www-authenticate": "Bearer"},
        )


class _Passage:
    """One request on its way in, and what is known of its answer."""

    def __init__(self, scope: Scope, request_id: str, began: float) -> None:
        self.scope = scope
        self.request_id = request_id
        self.began = began
        self.caller: Caller | None = None
        self.status = 0

    @property
    def method(self) -> str:
        return str(self.scope.get("method", "GET"))

    def headers(self, name: str) -> list[str]:
        wanted = name.encode()
        return [value.decode("latin-1") for key, value in self.scope["headers"] if key.lower() == wanted]

    def wants_page(self) -> bool:
        """A browser that was led here by its user, not a program."""
        is_page = self.scope["type"] == "http" and self.method == "GET" and not self.scope["path"].startswith(API)
        return is_page and any("text/html" in value for value in self.headers("accept"))

    def answering(self, send: Send) -> Send:
        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                own = {**_COMMON, "content-security-policy": self._policy(), "x-request-id": self.request_id}
                headers = [pair for pair in message.get("headers", ()) if pair[0].lower().decode("latin-1") not in own]
                names = {pair[0].lower() for pair in headers}
                if b"cache-control" not in names:
                    own["cache-control"] = "no-store"
                message["headers"] = [*headers, *((key.encode(), value.encode()) for key, value in own.items())]
            await send(message)

        return answer

    async def refuse(self, response: Response, receive: Receive, send: Send) -> None:
        if self.scope["type"] == "websocket":
            self.status = response.status_code
            await send({"type": "websocket.close", "code": 1008})
            return
        await response(self.scope, receive, send)

    def told(self) -> dict[str, object]:
        """For the log: the path without its query, in which strangers can write anything."""
        return {
            "method": self.method if self.scope["type"] == "http" else "WEBSOCKET",
            "path": self.scope["path"][:200],
            "status": self.status,
            "principal": self.caller.principal if self.caller else "",
            "from": str((self.scope.get("client") or ("",))[0]),
        }

    def _policy(self) -> str:
        path = self.scope["path"]
        return _DATA_POLICY if path.startswith(API) else _LOGIN_POLICY if path in LOGIN else _PAGE_POLICY


class _Bounded:
    """A body that ends the request when it grows beyond the limit, whatever its header says."""

    def __init__(self, request: _Passage, receive: Receive) -> None:
        self._receive = receive
        self._left = MAX_BODY
        for value in request.headers("content-length"):
            with suppress(ValueError):
                if int(value) > MAX_BODY:
                    raise _too_large()

    async def __call__(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise _too_large()
        return message


def _too_large() -> Refusal:
    return Refusal(413, "too_large", f"a body has at most {MAX_BODY // 1024} KB", headers={"connection": "close"})


def _host_name(host: str) -> str:
    """Without the port, which a tunnel may change."""
    name, _, port = host.lower().rpartition(":")
    return name if name and port.isdecimal() else host.lower()
