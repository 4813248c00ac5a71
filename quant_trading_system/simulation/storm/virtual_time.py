"""Time that passes by itself as soon as nobody has anything to do, so that a trading day takes a second.

The event loop has no sockets, no threads and no clock: when nothing is ready it is the moment of the next timer.
Everything that runs on it, and nothing else, decides what happens next; the same program gives the same day.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from contextvars import Context, ContextVar, copy_context
from datetime import datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")

MOST_TURNS_AT_ONCE = 200_000
"""Turns of the loop at one moment; whoever needs more is going round in circles."""

_MICROS = 1_000_000


class Stuck(RuntimeError):
    """Nothing can happen any more, or everything happens at once for ever."""


class VirtualLoop(asyncio.BaseEventLoop):
    """An event loop whose time is a number.

    Attributes:
        micros: microseconds since the loop began.
    """

    def __init__(self) -> None:
        super().__init__()
        self.micros = 0
        self._turns = 0
        self._selector = self  # the base class asks it what has arrived, and how long to wait
        self._clock_resolution = 0.5 / _MICROS

    def time(self) -> float:
        """Seconds since the loop began."""
        return self.micros / _MICROS

    def select(self, timeout: float | None) -> list[Any]:
        """Let time pass until the next timer.

        Raises:
            Stuck: there is no timer and nothing is ready, or time stands still while everybody is busy.
        """
        if timeout is None:
            raise Stuck("everybody waits for somebody else")
        if timeout > 0:
            self.micros += max(round(timeout * _MICROS), 1)
            self._turns = 0
        else:
            self._turns += 1
            if self._turns > MOST_TURNS_AT_ONCE:
                raise Stuck(f"still busy at the same moment after {MOST_TURNS_AT_ONCE} turns")
        return []

    def start_anew(self) -> None:
        """Whoever was busy for ever has been told to stop."""
        self._turns = 0

    def run_in_executor(  # type: ignore[override]  # the base class returns its future as Any
        self, _: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """What others leave to a thread is done at once."""
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - it belongs to whoever awaits the future
            future.set_exception(error)
        return future

    def _process_events(self, event_list: list[Any]) -> None:
        """Nothing ever arrives from outside."""

    def _write_to_self(self) -> None:
        """There is no other thread that could wake it."""


class VirtualClock:
    """The true time of a loop, to the microsecond."""

    def __init__(self, loop: VirtualLoop, start: datetime) -> None:
        """It is `start` (aware) at the beginning of the loop."""
        self._loop = loop
        self._start = start

    def now(self) -> datetime:
        return self._start + timedelta(microseconds=self._loop.micros)

    def monotonic(self) -> float:
        return self._loop.time()

    async def sleep(self, span: timedelta) -> None:
        done = self._loop.create_future()
        timer = self._loop.call_later(max(span.total_seconds(), 0.0), _wake, done)
        try:
            await done
        finally:
            timer.cancel()


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


OWNER: ContextVar[Tasks | None] = ContextVar("owner", default=None)
"""Whose work the present task is part of."""


class Tasks:
    """All tasks of one life, however deep down they were begun, so that they can end together."""

    def __init__(self) -> None:
        self._running: dict[asyncio.Task[Any], None] = {}

    def add(self, task: asyncio.Task[Any]) -> None:
        """`task` belongs to this life until it ends."""
        self._running[task] = None
        task.add_done_callback(self._forget)

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something as a part of this life."""
        context = copy_context()
        context.run(OWNER.set, self)
        asyncio.get_running_loop().create_task(work, context=context)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._running.pop(task, None)
        if not task.cancelled():
            task.exception()  # it was somebody's business, or died with the others

    async def end(self, turns: int = 10_000) -> None:
        """Cancel all, again and again, until none is left.

        Raises:
            Stuck: somebody will not go.
        """
        for _ in range(turns):
            if not self._running:
                return
            for task in tuple(self._running):
                task.cancel()
            await asyncio.sleep(0)
        raise Stuck(f"tasks that cannot be cancelled: {list(self._running)}")


def tasks_with_owners(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:
    """A task factory that tells the owner of every new task about it."""
    task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, **options)
    context: Context | None = options.get("context")
    owner = OWNER.get() if context is None else context.get(OWNER)
    if owner is not None:
        owner.add(task)
    return task


def run_virtually(main: Callable[[VirtualLoop], Coroutine[Any, Any, T]]) -> T:
    """The result of `main`, on a loop of its own."""
    loop = VirtualLoop()
    loop.set_task_factory(tasks_with_owners)
    try:
        return loop.run_until_complete(main(loop))
    finally:
        loop.run_until_complete(_all_ended(loop))
        loop.close()


async def _all_ended(loop: VirtualLoop) -> None:
    """Nobody is left in the middle of something."""
    loop.start_anew()
    rest = asyncio.all_tasks(loop) - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
