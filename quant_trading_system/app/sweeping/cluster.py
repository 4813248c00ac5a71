"""Trials on a Ray cluster. The outcomes are those of one process; only the time differs.

Every machine of the cluster needs this package in the same version. Prices go to each of them once; the text of
a strategy's file goes with them. A process of the cluster makes ready for a sweep once, and runs trial after trial of
it. A trial whose machine dies is run again elsewhere.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import Any

from quant_trading_system import __version__
from quant_trading_system.app.sweeping.pools import IN_FLIGHT
from quant_trading_system.app.sweeping.work import Trials, Work
from quant_trading_system.core.exceptions import ConfigurationError, SweepInterrupted
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.research.sweep import Outcome, Task

PATIENCE_S = 10.0
"""Seconds for the machine of the cluster to answer at all."""

JOIN_S = 60.0
"""Seconds to join the cluster; Ray itself may wait for ever, or end the process that asked."""

_TRY = "import ray, sys; ray.init(address=sys.argv[1], log_to_driver=False, configure_logging=False)"

_TAKE_THE_LOOPBACK_AS_IT_IS = ("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
"""Ray reads this when it is imported. Otherwise it puts the address that this machine has for others in its place."""

_ELSEWHERE = ("192.0.2.1", 9)  # no packet is sent to it; it is an address for examples (RFC 5737)

RETRIES = 3
"""How often a trial is begun again when its process or machine dies."""

_Sent = tuple[Any, Any]
"""Where the cluster keeps the work and the prices of a sweep; each process takes them from there once."""


class RayCluster:
    """A cluster that somebody else has started; it is left running."""

    def __init__(self, work: Work, history: PriceHistory, *, address: str) -> None:
        """Connect.

        Args:
            address: ``HOST:PORT`` of the cluster, or ``auto`` for the one on this machine.

        Raises:
            ConfigurationError: Ray is not installed, or no cluster answers there.
        """
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
        if _is_on_loopback_alone(address):
            os.environ.setdefault(*_TAKE_THE_LOOPBACK_AS_IT_IS)
        try:
            import ray
        except ImportError:
            raise ConfigurationError("--ray needs Ray; install the extra `cluster`") from None
        _require_somebody(address)
        _require_cluster(address)
        try:
            ray.init(address=address, log_to_driver=False, configure_logging=False)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            why = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ConfigurationError(
                f"--ray {address}: no cluster answers ({why}); start one with `ray start`"
            ) from None
        self._ray: Any = ray
        self._sweep: _Sent = ray.put(work), ray.put(history)
        self._trial: Any = ray.remote(max_retries=RETRIES)(_trial)
        self._in_flight = max(int(self._ray.cluster_resources().get("CPU", 1)), 1) * IN_FLIGHT

    def run(self, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """As they come; only a few are handed out ahead of the processors."""
        left = iter(tasks)
        waiting: list[Any] = []
        try:
            while True:
                more = islice(left, self._in_flight - len(waiting))
                waiting += [self._trial.remote(__version__, self._sweep, task) for task in more]
                if not waiting:
                    return
                done, waiting = self._ray.wait(waiting)
                yield from self._ray.get(done)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except self._ray.exceptions.RayError as error:
            raise SweepInterrupted(f"the cluster failed: {str(error).splitlines()[0]}") from error

    def close(self) -> None:
        """Leave the cluster; trials that run there are cancelled."""
        self._ray.shutdown()


def _is_on_loopback_alone(address: str) -> bool:
    """Nobody answers at the port of a loopback address under the address that this machine has for others."""
    host, _, port = address.rpartition(":")
    if host not in ("127.0.0.1", "localhost"):
        return False
    try:
        socket.create_connection((_own_address(), int(port)), timeout=PATIENCE_S).close()
    except (OSError, ValueError):
        return True
    return False


def _own_address() -> str:
    """The address of this machine on the way to others."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
        way.connect(_ELSEWHERE)
        return str(way.getsockname()[0])


def _require_somebody(address: str) -> None:
    """Ray itself would wait for minutes where nobody answers."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon:
        return  # `auto`: Ray knows what runs on this machine
    try:
        socket.create_connection((host, int(port)), timeout=PATIENCE_S).close()
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"--ray {address}: no cluster answers ({error}); start one with `ray start`") from None


def _require_cluster(address: str) -> None:
    """Join it first in a process of its own, which may wait in vain or be ended by Ray."""
    try:
        tried = subprocess.run(  # noqa: S603 - our own interpreter and words; the address is an argument
            [sys.executable, "-c", _TRY, address], capture_output=True, text=True, timeout=JOIN_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise ConfigurationError(
            f"--ray {address}: something answers, but no cluster could be joined in {JOIN_S:g} s; is it Ray, and does "
            "its node listen on an address that this machine reaches (`ray start --node-ip-address`)?"
        ) from None
    if tried.returncode:
        why = (tried.stderr.strip().splitlines() or ["Ray ended without a word"])[-1]
        raise ConfigurationError(f"--ray {address}: the cluster cannot be joined ({why}); look at `ray status`")


def _trial(version: str, sweep: _Sent, task: Task) -> Outcome:
    """One trial on a machine of the cluster."""
    if version != __version__:
        raise ConfigurationError(f"the sweep is of version {version}, a machine of the cluster has {__version__}")
    return _trials_of(sweep).run(task)


@lru_cache(maxsize=1)
def _trials_of(sweep: _Sent) -> Trials:
    """What this process has made ready for a sweep; it ends with the connection of that."""
    import ray

    return Trials(*ray.get(list(sweep)))
