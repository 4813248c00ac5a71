"""Opening the port, and serving it until somebody stops the process."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from quant_trading_system.core.exceptions import ConfigurationError

_BACKLOG = 128
_KEEP_ALIVE_S = 15
_GOODBYE_S = 5


def require_loopback(host: str, *, open_to_network: bool) -> None:
    """Refuse to listen where other machines could read tokens on their way.

    Raises:
        ConfigurationError: `host` is not of this machine only, and nobody said that this is meant.
    """
    if open_to_network:
        return
    try:
        is_own = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_own = False
    if not is_own:
        raise ConfigurationError(
            f"--host {host}: other machines could connect, and tokens would travel unencrypted. Stay on 127.0.0.1 and "
            "come through a tunnel (ssh -L 8765:127.0.0.1:8765 HOST); or put a proxy that speaks TLS in front, and "
            "say --open-to-network"
        )


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one.

    Raises:
        ConfigurationError: the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as error:
        raise ConfigurationError(
            f"port {port} of {host} cannot be opened ({error}); choose another with --port, or 0 for any free one"
        ) from error


def address_of(listener: socket.socket) -> str:
    """As it stands in a URL."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(app: FastAPI, listener: socket.socket, ready: Callable[[], None]) -> None:
    """Serve until SIGINT or SIGTERM; `ready` is called once requests are answered."""

    class Announcing(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            """Listen, then say so."""
            await super().startup(sockets)
            ready()

    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,  # the guard writes one line a request, without queries
        server_header=False,
        proxy_headers=False,  # nobody may claim to come from somewhere else
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GOODBYE_S,
    )
    Announcing(config).run(sockets=[listener])
