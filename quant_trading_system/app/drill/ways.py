"""The ways of stopping orders that a drill rehearses, in one table: how each is done, and what has to follow."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import NamedTuple

from quant_trading_system.app.drill.console_side import console_ready
from quant_trading_system.app.drill.stage import BY, Pull, Stage
from quant_trading_system.app.drill.trader import NAME
from quant_trading_system.core.commands import Halt
from quant_trading_system.core.events import HaltLevel
from quant_trading_system.core.halt_scope import ACCOUNT, HaltScope
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.risk.latch import STOP_FILE

REASON = "a drill"

Ready = Callable[[Stage], AbstractAsyncContextManager[Pull]]


class Way(NamedTuple):
    """One way of stopping.

    Attributes:
        does: for people.
        ready: prepares it, and gives what does it: that returns when whoever did it believes that it is done.
        is_frozen: the engine stands still while it is done, and goes on afterwards.
        is_watched: a watchdog looks over the engine.
        is_of_host: the latch of the machine is set, and not that of the account.
        resumes: two persons let orders leave again afterwards.
    """

    name: str
    does: str
    ready: Ready
    level: HaltLevel = HaltLevel.HALTED
    scope: HaltScope = ACCOUNT
    is_frozen: bool = False
    is_watched: bool = False
    is_of_host: bool = False
    resumes: bool = False


def _simply(act: Callable[[Stage], Awaitable[object]]) -> Ready:
    """Nothing has to be prepared."""

    @asynccontextmanager
    async def ready(stage: Stage) -> AsyncIterator[Pull]:
        async def pull() -> None:
            await act(stage)

        yield pull

    return ready


def _qts(*arguments: str) -> Ready:
    return _simply(lambda stage: stage.qts(*arguments, "--reason", REASON, "--by", BY))


async def _file(stage: Stage) -> None:
    (stage.directory / STOP_FILE).touch(mode=0o600)


async def _signal(stage: Stage) -> None:
    stage.signal(signal.SIGUSR1)


async def _nothing(_: Stage) -> None:
    """The watchdog has to find out by itself."""


_FLATTENING = HaltLevel.FLATTENING
WAYS: tuple[Way, ...] = (
    Way("cli", "`qts halt` from a second process", _qts("halt")),
    Way("door", "a command at the engine's door", _simply(lambda stage: stage.ask(Halt(reason=REASON)))),
    Way("api", "`POST /v1/halt` of a console", lambda stage: console_ready(stage, REASON)),
    Way("file", "a file named HALT beside the latch", _simply(_file)),
    Way("signal", "SIGUSR1 to the engine", _simply(_signal)),
    Way("host", "`qts halt --all` for the whole machine", _qts("halt", "--all"), is_of_host=True),
    Way("watchdog", "nobody: the engine hangs (SIGSTOP)", _simply(_nothing), is_frozen=True, is_watched=True),
    Way("hanging", "`qts halt` while the engine hangs (SIGSTOP)", _qts("halt"), is_frozen=True, is_watched=True),
    Way("alone", "`qts halt` while it hangs and nobody watches", _qts("halt"), is_frozen=True),
    Way("flatten", "`qts flatten`: halt and close everything", _qts("flatten", "--yes", "--wait", "60"), _FLATTENING),
    Way("symbol", "`qts halt --symbol KO`", _qts("halt", "--symbol", "KO"), scope=HaltScope(symbol="KO")),
    Way("side", "`qts halt --side buy`", _qts("halt", "--side", "buy"), scope=HaltScope(side=OrderSide.BUY)),
    Way("strategy", "`qts halt --strategy drill`", _qts("halt", "--strategy", NAME), scope=HaltScope(strategy=NAME)),
    Way("resume", "`qts halt`, then two persons resume on probation", _qts("halt"), resumes=True),
)
"""Every way, in the order in which they are rehearsed."""
BY_NAME = {way.name: way for way in WAYS}
