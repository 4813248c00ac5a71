"""The venue as a process: it listens, tells where, lets time pass, and ends cleanly when it is told to."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from aiohttp import web

from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.simulation.alpaca_server.app import Front
from quant_trading_system.simulation.alpaca_server.control import Control
from quant_trading_system.simulation.alpaca_server.store import Store
from quant_trading_system.simulation.alpaca_server.venue_time import SteppedClock

LOOPBACK = ("127.0.0.1", "::1", "localhost")
MOST_FILES = 65_536
"""Open at once, every connection being one, as far as the system allows it."""
_GOODBYE_S = 2.0
"""Real seconds for answers that are under way when the venue ends."""

_malformed = logging.getLogger(f"{__name__}.malformed")
_malformed.addHandler(logging.NullHandler())
_malformed.propagate = False
"""Requests that are no HTTP are answered and fill nobody's screen; whoever wants to see them adds a handler."""


class Address(NamedTuple):
    """Where the venue listens."""

    host: str
    port: int

    @property
    def http(self) -> str:
        """The base of all requests."""
        return f"http://{self._name}:{self.port}"

    @property
    def trading_stream(self) -> str:
        """The stream of orders."""
        return f"ws://{self._name}:{self.port}/stream"

    @property
    def data_stream(self) -> str:
        """The stream of market data."""
        return f"ws://{self._name}:{self.port}/v2/iex"

    @property
    def _name(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


def require_loopback(host: str, *, allow_remote: bool) -> None:
    """Refuse to listen to other machines by accident: keys and orders pass in plain text.

    Raises:
        ConfigurationError: `host` is not this machine alone.
    """
    if host not in LOOPBACK and not allow_remote:
        raise ConfigurationError(
            f"{host} can be reached from other machines, and nothing is encrypted; add --allow-remote if that is meant"
        )


async def serve(
    front: Front,
    address: Address,
    token: str,
    store: Store | None,
    ready: Callable[[Address], None],
    *,
    ends_with_input: bool = False,
) -> None:
    """Serve until the process is told to end.

    Args:
        ends_with_input: the end of standard input tells it, too: the program that started this one is gone.
        address: port 0 takes any free one.
        token: of the control surface; empty for none.
        ready: is told the address when clients may come.

    Raises:
        ConfigurationError: the address is taken, or none of this machine's.
    """
    allow_many_connections()
    end = _end_of_process()
    if ends_with_input:
        await _end_with_input(end)
    runner = web.AppRunner(
        front.application(Control(front, token).routes() if token else []),
        shutdown_timeout=_GOODBYE_S,
        access_log=None,
        logger=_malformed,
    )
    await runner.setup()
    helpers: list[asyncio.Task[None]] = []
    try:
        front.host.begin()
        bound = await _listen(runner, address)
        if store is not None:
            helpers.append(asyncio.create_task(store.keep_saving()))
        helpers.append(asyncio.create_task(front.fake_symbol.run()))
        if not isinstance(front.host.clock, SteppedClock):
            helpers.append(asyncio.create_task(front.host.run()))
        ready(bound)
        await _until_over(end, helpers)
    finally:
        for helper in helpers:
            helper.cancel()
        front.trade_stream.cut()
        front.host.data_hub.cut()
        await runner.cleanup()
        if store is not None:
            store.save()


async def _listen(runner: web.AppRunner, address: Address) -> Address:
    try:
        site = web.TCPSite(runner, address.host, address.port)
        await site.start()
    except OSError as error:
        raise ConfigurationError(f"cannot listen on {address.host}, port {address.port}: {error.strerror}") from error
    return Address(address.host, runner.addresses[0][1])


async def _until_over(end: asyncio.Event, helpers: list[asyncio.Task[None]]) -> None:
    """Wait for the end; a helper that fails ends the venue, too."""
    waiting = asyncio.create_task(end.wait())
    try:
        await asyncio.wait([waiting, *helpers], return_when=asyncio.FIRST_COMPLETED)
        for helper in helpers:
            if helper.done():
                helper.result()
    finally:
        waiting.cancel()


class _UntilClosed(asyncio.Protocol):
    """Sets an event when nothing more will come."""

    def __init__(self, end: asyncio.Event) -> None:
        self._end = end

    def connection_lost(self, _: Exception | None) -> None:
        self._end.set()


async def _end_with_input(end: asyncio.Event) -> None:
    """Whoever started this process holds the other end of its standard input, and lets go when it dies."""
    await asyncio.get_running_loop().connect_read_pipe(lambda: _UntilClosed(end), sys.stdin)


def allow_many_connections() -> None:
    """Raise the limit of open files, so that idle connections shut out nobody; where that is refused, it stays."""
    if sys.platform == "win32":
        return
    import resource

    limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if most == resource.RLIM_INFINITY else min(most, MOST_FILES)
    if limit != resource.RLIM_INFINITY and limit < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def _end_of_process() -> asyncio.Event:
    """Set when the process is told to end."""
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError):  # Windows
            loop.add_signal_handler(name, end.set)
    return end
