"""One life of the account's process: it can be killed between any two steps, and what is dead touches nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from quant_trading_system.core.events import StateRecorded
from quant_trading_system.execution.order_manager import OrderManager
from quant_trading_system.simulation.storm.virtual_time import Tasks, VirtualClock

if TYPE_CHECKING:
    from quant_trading_system.simulation.storm.door_deeds import Door

_INSTANT = timedelta(microseconds=1)


class Killed(BaseException):
    """The process ends here, in the middle of whatever it was doing."""


class CrashPoints:
    """Counts the places at which a process could die, over all its lives, and picks the one at which it does.

    Attributes:
        passed: how many were passed so far; `names`: how many of each name.
    """

    def __init__(self, deadly: tuple[int, ...] = ()) -> None:
        """The points of these numbers, counted from 1, are deadly."""
        self.passed = 0
        self.names: Counter[str] = Counter()
        self._deadly = frozenset(deadly)

    def is_deadly(self, name: str) -> bool:
        """Pass one point."""
        self.passed += 1
        self.names[name] += 1
        return self.passed in self._deadly


class Life:
    """From a start of the process to its end.

    Attributes:
        number: counts the lives of the day from 1.
        is_alive: False from the moment of its death on; `died`: set then.
        tasks: everything that it is doing.
        is_up: it has reconciled and trades; `state` tells the books of its engine then.
        paused_until: nothing of it moves before; seconds on the true clock.
        is_watchdog: it is the account's watchdog, and not its engine.
        orders: its order manager, once it has one, for people who change orders by hand.
        door: where it takes commands, while it does.
        epoch: of the account's lock when it took that; 0 before.
    """

    def __init__(self, number: int, points: CrashPoints, *, is_watchdog: bool = False) -> None:
        self.number = number
        self.is_watchdog = is_watchdog
        self.orders: OrderManager | None = None
        self.door: Door | None = None
        self.epoch = 0
        self.is_alive = True
        self.died = asyncio.Event()
        self.tasks = Tasks()
        self.is_up = False
        self.state: Callable[[], StateRecorded] | None = None
        self.paused_until = 0.0
        self._points = points

    def beat(self, turns: int) -> None:
        """The process lives, and its engine has looked around so often."""
        self.require()
        self.is_up = turns > 0

    def die(self) -> None:
        """It is over, here and now."""
        self.is_alive = False
        self.died.set()

    def require(self) -> None:
        """Called before anything that others could notice.

        Raises:
            Killed: it is dead.
        """
        if not self.is_alive:
            raise Killed

    def point(self, name: str) -> None:
        """A place at which the process could die.

        Raises:
            Killed: it does, or has before.
        """
        self.require()
        if self._points.is_deadly(name):
            self.die()
            raise Killed


class LifeClock:
    """The machine's clock as one life sees it: it ends with the life, and people can set its wall time wrong."""

    def __init__(self, life: Life, true: VirtualClock, error: Callable[[], timedelta]) -> None:
        """Tell `true` time, wrong by `error` on the wall."""
        self._life = life
        self._true = true
        self._error = error

    def now(self) -> datetime:
        return self._true.now() + self._error()

    def monotonic(self) -> float:
        return self._true.monotonic()

    async def sleep(self, span: timedelta) -> None:
        self._life.require()
        await self._true.sleep(span)
        await self.thaw()

    async def thaw(self) -> None:
        """Wait until the process is no longer paused."""
        while (left := self._life.paused_until - self._true.monotonic()) > 0:
            await self._true.sleep(max(timedelta(seconds=left), _INSTANT))
        self._life.require()
