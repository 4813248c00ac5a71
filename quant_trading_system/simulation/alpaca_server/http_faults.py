"""What can go wrong between a request and its answer, on request: tests of clients provoke it here."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from enum import StrEnum

import msgspec
from aiohttp import web

from quant_trading_system.core.clock import Clock
from quant_trading_system.simulation.admission import VenueRefusal
from quant_trading_system.simulation.alpaca_server.errors import refusal_response

GARBAGE = b"<html>\x00\xff not what you asked for"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class HttpFault(StrEnum):
    """What happens to a request or its answer."""

    STATUS = "status"  # an error instead of the answer; nothing was done
    DROP_REQUEST = "drop_request"  # the connection breaks; nothing was done
    DROP_RESPONSE = "drop_response"  # the connection breaks; it was done
    DELAY_REQUEST = "delay_request"  # it is done late
    DELAY_RESPONSE = "delay_response"  # it is done at once and answered late
    GARBAGE = "garbage"  # done, and answered with nonsense
    EMPTY = "empty"  # done, and answered with an empty body
    TRUNCATED = "truncated"  # done, and half of the answer arrives


class HttpFaultRule(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which requests suffer, how, and how often.

    Attributes:
        method, path: regular expressions for the whole of each.
        times: how many requests; the rule is gone afterwards.
        code, message: of the error that `status` answers.
        seconds: of real time, for delays.
        retry_after: header of the error, empty for none.
    """

    fault: HttpFault
    method: str = ".*"
    path: str = ".*"
    times: int = 1
    status: int = 503
    code: int = 50010000
    message: str = "service unavailable"
    seconds: float = 1.0
    retry_after: str = ""

    def __post_init__(self) -> None:
        try:
            re.compile(self.method)
            re.compile(self.path)
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from None
        if not 400 <= self.status <= 599 or self.times < 1 or not 0 <= self.seconds <= 3600:
            raise ValueError("status is 400 to 599, times at least 1, seconds 0 to 3600")


class HttpFaults:
    """The rules in force, oldest first."""

    def __init__(self, clock: Clock) -> None:
        """`clock` runs in real time, for delays."""
        self._clock = clock
        self._rules: list[HttpFaultRule] = []

    def plan(self, rule: HttpFaultRule) -> None:
        """Let requests suffer from now on."""
        self._rules.append(rule)

    def clear(self) -> None:
        """All is well again."""
        self._rules.clear()

    def next_for(self, request: web.Request) -> HttpFaultRule | None:
        """The rule that this request falls under, used up by one."""
        for rule in self._rules:
            if re.fullmatch(rule.method, request.method) and re.fullmatch(rule.path, request.path):
                rule.times -= 1
                if not rule.times:
                    self._rules.remove(rule)
                return rule
        return None

    async def suffer(self, rule: HttpFaultRule, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Handle a request as the rule says."""
        if rule.fault is HttpFault.STATUS:
            return _error(rule)
        if rule.fault is HttpFault.DROP_REQUEST:
            return _cut(request)
        if rule.fault is HttpFault.DELAY_REQUEST:
            await request.read()  # it is here in full, and is done even when nobody waits for the answer any more
            await self._wait(rule)
        response = await handler(request)
        if rule.fault is HttpFault.DELAY_RESPONSE:
            await self._wait(rule)
        return _spoilt(rule.fault, request, response)

    async def _wait(self, rule: HttpFaultRule) -> None:
        await self._clock.sleep(timedelta(seconds=rule.seconds))


def _error(rule: HttpFaultRule) -> web.Response:
    response = refusal_response(VenueRefusal(rule.code, rule.status, rule.message))
    if rule.retry_after:
        response.headers["Retry-After"] = rule.retry_after
    return response


def _spoilt(fault: HttpFault, request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """An answer that was made, and what arrives of it."""
    if fault in (HttpFault.DELAY_REQUEST, HttpFault.DELAY_RESPONSE):
        return response
    if fault is HttpFault.DROP_RESPONSE:
        return _cut(request)
    body = response.body if isinstance(response, web.Response) and isinstance(response.body, bytes) else b""
    if fault is HttpFault.TRUNCATED:
        return web.Response(body=body[: len(body) // 2], status=response.status, content_type="application/json")
    spoilt = GARBAGE if fault is HttpFault.GARBAGE else b""
    return web.Response(body=spoilt, status=response.status, content_type="application/json")


def _cut(request: web.Request) -> web.Response:
    """Break the connection: whatever is answered now goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
