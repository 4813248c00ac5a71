"""What machines ask: does the server live, can the account trade, and all numbers for Prometheus.

``/health`` answers everybody who may connect, and says nothing but that. The others want a viewer's token, unless
the server was started with ``--metrics-open``.
"""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool

from quant_trading_system.app.readings.readiness import readiness
from quant_trading_system.console.answers import json_response
from quant_trading_system.console.declared import admitted
from quant_trading_system.console.desk import Desk
from quant_trading_system.console.metrics import CONTENT_TYPE, exposition
from quant_trading_system.core.roles import Role

LIVES = "/health"
NUMBERS = frozenset({"/ready", "/metrics"})


def probe_routes(desk: Desk, *, is_open: bool) -> APIRouter:
    """The routes of probes; `is_open`: without asking who comes."""
    router = APIRouter(include_in_schema=False)

    @router.get(LIVES)
    async def health() -> Response:
        """The server answers; nothing else is promised."""
        return json_response({"alive": True})

    @router.get("/ready")
    async def ready(request: Request) -> Response:
        """200 when the account can trade, else 503, with the reasons."""
        if not is_open:
            admitted(request, Role.VIEWER)
        async with desk.reading():
            found = await run_in_threadpool(lambda: readiness(desk.books(), desk.engine_now(), desk.clock.now()))
        return json_response(found, 200 if found.can_trade else 503)

    @router.get("/metrics")
    async def metrics(request: Request) -> Response:
        """Everything that Prometheus collects."""
        if not is_open:
            admitted(request, Role.VIEWER)
        async with desk.reading():
            text = await run_in_threadpool(lambda: exposition(desk.books(), desk.engine_now(), desk.clock.now()))
        return Response(text, media_type=CONTENT_TYPE)

    return router
