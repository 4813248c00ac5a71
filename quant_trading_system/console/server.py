"""The server: the guard around it, the kill route first, then everything else that was declared."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response

from quant_trading_system import __version__
from quant_trading_system.console.answers import Refusal, refusal_response
from quant_trading_system.console.declared import Route
from quant_trading_system.console.description import describe
from quant_trading_system.console.desk import Desk
from quant_trading_system.console.guard import LOOPBACK_NAMES, PUBLIC, Guard
from quant_trading_system.console.login import login_routes
from quant_trading_system.console.probes import NUMBERS, probe_routes
from quant_trading_system.console.routes.about import ABOUT
from quant_trading_system.console.routes.alerts import ALERTS
from quant_trading_system.console.routes.commands import ACTS
from quant_trading_system.console.routes.halt import HALT
from quant_trading_system.console.routes.limits import LIMITS
from quant_trading_system.console.routes.reads import READS

ROUTES: Sequence[Route] = (*HALT.routes, *ABOUT.routes, *READS.routes, *LIMITS.routes, *ACTS.routes, *ALERTS.routes)
"""Every route of the control API, the kill route first."""

_log = logging.getLogger(__name__)
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
Mount = Callable[[FastAPI, Desk], None]


def create_app(
    desk: Desk,
    *,
    hosts: frozenset[str] = LOOPBACK_NAMES,
    pages: Mount | None = None,
    metrics_open: bool = False,
    beside: Sequence[Callable[[], Coroutine[Any, Any, None]]] = (),
) -> FastAPI:
    """The control API of the account that `desk` looks at.

    Args:
        hosts: names under which it may be called, without ports.
        pages: mounts the pages of the console at ``/``.
        beside: runs as long as the server does, such as telling people of alerts.
        metrics_open: ``/metrics`` and ``/ready`` ask nobody for a token.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        following = asyncio.ensure_future(desk.follow())
        following.add_done_callback(_tell_end)
        others = [asyncio.ensure_future(work()) for work in beside]
        for other in others:
            other.add_done_callback(_tell_failure)
        try:
            yield
        finally:
            for task in (following, *others):
                task.cancel()
            desk.close()

    app = FastAPI(
        title="quant_trading_system",
        version=__version__,
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    desk.description = description = describe(ROUTES)
    app.openapi = lambda: description  # type: ignore[method-assign]
    for route in ROUTES:
        app.add_api_route(route.path, route.endpoint(desk), methods=[route.method], include_in_schema=False)
    app.add_api_route("/v1/{rest:path}", _no_such_route, methods=_METHODS, include_in_schema=False)
    app.include_router(probe_routes(desk, is_open=metrics_open))
    app.include_router(login_routes(desk, "/" if pages else "/v1/engine"))
    app.add_exception_handler(Refusal, _refused)
    for status in (404, 405):
        app.add_exception_handler(status, _not_found)
    if pages is not None:
        pages(app, desk)
    public = PUBLIC | (NUMBERS if metrics_open else frozenset())
    app.add_middleware(Guard, sessions=desk.sessions, clock=desk.clock, hosts=hosts, public=public)
    return app


def _tell_end(following: asyncio.Future[None]) -> None:
    """Requests go on reading without it; only a long journal and a silent engine are noticed later."""
    if not following.cancelled() and (error := following.exception()) is not None:
        _log.error("the journal is no longer followed", exc_info=error)


def _tell_failure(work: asyncio.Future[None]) -> None:
    """The server goes on without it, and its log says so."""
    if not work.cancelled() and (error := work.exception()) is not None:
        _log.error("alerts are no longer told", exc_info=error)


async def _no_such_route(request: Request) -> Response:
    """Told here, because pages that are mounted at the root would answer with one of theirs."""
    methods = sorted({route.method for route in ROUTES if _fits(route, request.url.path)})
    if methods:
        allowed = ", ".join(methods)
        raise Refusal(405, "wrong_method", f"this route takes {allowed}", headers={"allow": allowed})
    raise _UNKNOWN


def _fits(route: Route, path: str) -> bool:
    return re.fullmatch(re.sub(r"{\w+}", "[^/]+", route.path), path) is not None


_UNKNOWN = Refusal(404, "unknown_route", "there is no such route", "GET /v1/openapi.json lists them all")


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return refusal_response(error)


async def _not_found(_: Request, __: Exception) -> Response:
    return refusal_response(_UNKNOWN)
