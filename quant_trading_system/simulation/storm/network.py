"""The network between the account and the venue: requests and answers take their time, get lost, or arrive late.

A request that has left is the network's; it arrives, or does not, whatever becomes of its sender.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context
from datetime import timedelta
from typing import Any, Protocol

from quant_trading_system.core.exceptions import BrokerTimeout, NotSent, OutcomeUnknown
from quant_trading_system.execution.transport import Reply, Request, Timeouts
from quant_trading_system.simulation.alpaca_server import in_process
from quant_trading_system.simulation.alpaca_server.in_process import InProcess
from quant_trading_system.simulation.models import stream
from quant_trading_system.simulation.storm import spoiling
from quant_trading_system.simulation.storm.life import Life, LifeClock
from quant_trading_system.simulation.storm.virtual_time import VirtualClock
from quant_trading_system.simulation.storm.weather import Weather


class Watcher(Protocol):
    """Whoever looks on."""

    def request_sent(self, life: Life, request: Request) -> None:
        """A request is about to leave."""

    def answer_read(self, life: Life, request: Request, reply: in_process.Reply) -> None:
        """The account has read an answer."""

    def connected(self, life: Life, stream: str) -> None:
        """A stream, "orders" or "prices", is about to be opened."""


_LEAST_MS, _MOST_MS = 5, 40
"""One way, on a good day."""
_PAGES = ("limit", "page_size")
_LISTS = ("/v2/orders", "/v2/account/activities")


class Network:
    """Every connection of the day.

    Attributes:
        storm_until: the venue's gateway answers everything with `storm_status` before; seconds on the true clock.
        maintenance_until: nothing answers before.
        refuses_streams_until: no WebSocket is granted before.
        halt: somebody halts the account from outside.
    """

    def __init__(self, seed: int, venue: InProcess, clock: VirtualClock, weather: Weather, watcher: Watcher) -> None:
        self.venue = venue
        self.clock = clock
        self.weather = weather
        self.storm_until = self.maintenance_until = self.refuses_streams_until = 0.0
        self.watcher = watcher
        self.storm_status = 503
        self.halt: Callable[[], None] = lambda: None
        self._latency = stream(seed, "network/latency")
        self._tasks: set[asyncio.Task[None]] = set()
        self._context = Context()

    def latency(self) -> timedelta:
        """How long a message takes one way."""
        return timedelta(microseconds=self._latency.randint(_LEAST_MS * 1000, _MOST_MS * 1000))

    def carry(self, work: Coroutine[Any, Any, None]) -> None:
        """Something is on its way and belongs to nobody any more."""
        task = asyncio.get_running_loop().create_task(work, context=self._context.copy())
        self._tasks.add(task)
        task.add_done_callback(self._arrived)

    def _arrived(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.result()

    def end(self) -> None:
        """The day is over; what is still on its way is lost."""
        for task in self._tasks:
            task.cancel()


class VenueTransport:
    """The line of one life to the venue; a `Transport`."""

    def __init__(self, network: Network, life: Life, clock: LifeClock, headers: dict[str, str]) -> None:
        self._network = network
        self._life = life
        self._clock = clock
        self._headers = headers

    async def send(self, request: Request, timeouts: Timeouts) -> Reply:
        network, weather = self._network, self._network.weather
        self._life.require()
        await self._clock.sleep(network.latency())
        if _is_submit(request) and weather.strikes("submit.refused"):
            raise NotSent(f"{request.name}: connection refused")
        if _is_submit(request) and weather.strikes("ops.halt_midway"):
            network.halt()  # after everybody but the line itself has looked at the switch
        reason = "" if request.forbid is None else request.forbid()
        if reason:
            raise NotSent(reason)
        self._life.point("request.send")
        network.watcher.request_sent(self._life, request)
        answer: asyncio.Future[in_process.Reply | None] = asyncio.get_running_loop().create_future()
        network.carry(_Journey(network, request, self._headers, answer).run())
        self._life.point("request.sent")
        reply = await self._wait(answer, request, timeouts)
        await self._clock.thaw()
        self._life.point("answer.read")
        if reply is None:
            raise OutcomeUnknown(f"{request.name}: the connection broke")
        network.watcher.answer_read(self._life, request, reply)
        return Reply(reply.status, reply.body, reply.headers)

    async def close(self) -> None:
        """Nothing is kept open between requests."""

    async def _wait(
        self, answer: asyncio.Future[in_process.Reply | None], request: Request, timeouts: Timeouts
    ) -> in_process.Reply | None:
        patience = min(timeouts.read, timeouts.total)
        alarm = asyncio.ensure_future(self._clock.sleep(patience))
        try:
            await asyncio.wait((answer, alarm), return_when=asyncio.FIRST_COMPLETED)
        finally:
            alarm.cancel()
        if not answer.done():
            raise BrokerTimeout(f"{request.name}: no answer in time")
        return answer.result()


class _Journey:
    """One request on its way, and its answer on the way back."""

    def __init__(
        self,
        network: Network,
        request: Request,
        headers: dict[str, str],
        answer: asyncio.Future[in_process.Reply | None],
    ) -> None:
        self._network = network
        self._request = request
        self._headers = headers
        self._answer = answer
        self._what = _what(request)
        self._is_silent = False

    async def run(self) -> None:
        network, what = self._network, self._what
        out = network.latency()
        now = network.clock.monotonic()
        if now < network.maintenance_until:
            return  # nobody is there
        if now < network.storm_until:
            await network.clock.sleep(out)
            self._give(spoiling.gateway_page(network.storm_status))
            return
        if self._strikes("drop_request"):
            return
        if what == "submit" and self._strikes("late_arrival"):
            out += network.weather.span("submit.late_arrival", 9, 90)
        if what == "submit" and self._strikes("delay"):
            out += network.weather.span("submit.delay", 0.5, 9)
        if self._strikes("slow"):
            out += network.weather.span(f"{what}.slow", 0.5, 12)
        await network.clock.sleep(out)
        reply = await self._answered()
        if not self._is_silent:
            self._give(reply, after=network.latency())

    def _strikes(self, fault: str) -> bool:
        return self._network.weather.strikes(f"{self._what}.{fault}")

    async def _answered(self) -> in_process.Reply | None:
        """What the venue answers, or what stands in its place; None when the line breaks instead."""
        if self._what == "submit" and self._strikes("reject"):
            return spoiling.error(422, 42210000, spoiling.RULE_OF_NOBODY)
        if self._what == "submit" and self._strikes("rate_limited"):
            return spoiling.error(429, 42910000, "rate limit exceeded", retry_after="1")
        if self._what in ("submit", "read") and self._strikes("status"):
            return spoiling.gateway_page(503)
        if self._what == "cancel":
            if self._strikes("reject"):
                return spoiling.error(422, 42210000, "order is not cancelable")
            if self._strikes("lost"):
                return in_process.Reply(204, b"", {})
        reply = await self._ask()
        if self._request.method == "POST" and self._what == "submit" and self._strikes("twice"):
            reply = await self._ask()  # the line delivers the order once more, and brings the second answer
        return self._spoilt(reply)

    async def _ask(self) -> in_process.Reply:
        request, network = self._request, self._network
        query = self._capped(request.query) if request.method == "GET" else request.query
        found = await network.venue.ask(request.method, request.path, query, self._headers, request.body)
        found.headers["date"] = network.clock.now().strftime("%a, %d %b %Y %H:%M:%S GMT")
        return found

    def _capped(self, query: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        """The broker gives smaller pages than it was asked for."""
        weather = self._network.weather
        if not self._request.path.startswith(_LISTS) or not query or not weather.strikes("list.page_cap"):
            return query
        most = 3 + weather.number("list.page_cap", 12)
        return tuple((name, str(min(int(value), most)) if name in _PAGES else value) for name, value in query)

    def _spoilt(self, reply: in_process.Reply) -> in_process.Reply | None:
        weather, what, now = self._network.weather, self._what, self._network.clock.now()
        if self._strikes("drop_response"):
            self._is_silent = bool(weather.number(f"{what}.drop_response", 2))
            return None
        if what == "submit":
            if self._strikes("status_accepted"):
                return spoiling.gateway_page(504)
            if self._strikes("wrong_echo"):
                return spoiling.wrong_echo(reply, weather.number("submit.wrong_echo", 3))
        for fault, spoil in spoiling.BODIES.items():
            if self._strikes(fault):
                return spoil(reply)
        path = self._request.path
        if path == "/v2/orders:by_client_order_id" and weather.strikes("lookup.false_404"):
            return spoiling.not_found()
        if path == "/v2/orders:by_client_order_id" and weather.strikes("lookup.lag"):
            return spoiling.hidden_if_recent(reply, now, weather.span("lookup.lag", 1, 20))
        if path == "/v2/orders" and what == "read" and weather.strikes("list.omit_recent"):
            return spoiling.without_recent(reply, now, weather.span("list.omit_recent", 1, 20))
        if path.startswith("/v2/account/activities") and weather.strikes("history.lag"):
            return spoiling.without_recent(reply, now, weather.span("history.lag", 1, 30))
        return reply

    def _give(self, reply: in_process.Reply | None, after: timedelta = timedelta(0)) -> None:
        if not after:
            self._arrive(reply)
        else:
            self._network.carry(self._later(reply, after))

    async def _later(self, reply: in_process.Reply | None, after: timedelta) -> None:
        await self._network.clock.sleep(after)
        self._arrive(reply)

    def _arrive(self, reply: in_process.Reply | None) -> None:
        if not self._answer.done():
            self._answer.set_result(reply)


def _what(request: Request) -> str:
    """The family of faults that a request falls under."""
    if request.method in ("POST", "PATCH"):
        return "submit"
    if request.method == "DELETE":
        return "cancel"
    return "read"


def _is_submit(request: Request) -> bool:
    return _what(request) == "submit"
