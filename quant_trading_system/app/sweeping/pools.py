"""Where trials run: in this process, or in many on this machine. A pool decides when, never what."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing.context import BaseContext
from pathlib import Path
from shutil import rmtree
from threading import Thread
from typing import Protocol

from quant_trading_system.app.sweeping.work import Trials, Work
from quant_trading_system.core.exceptions import SweepInterrupted
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.market.shared_prices import open_prices, share_prices
from quant_trading_system.research.sweep import Outcome, Task

IN_FLIGHT = 2
"""Trials handed out for each process: one that runs and one that waits for it to end."""


PRICES = "prices"
"""Where shared prices lie in the directory of a sweep while its processes work."""


class Pool(Protocol):
    """Runs trials, in any order."""

    def run(self, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """The outcome of every task, as they come.

        Raises:
            SweepInterrupted: whoever ran them is gone.
        """

    def close(self) -> None:
        """Start no more trials and give back what was taken."""


class InProcess:
    """One trial after the other, here."""

    def __init__(self, work: Work, history: PriceHistory) -> None:
        self._trials = Trials(work, history)

    def run(self, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """In the order of the tasks."""
        for task in tasks:
            yield self._trials.run(task)

    def close(self) -> None:
        """Nothing was taken."""


class Processes:
    """Some processes on this machine that read the same prices from the same pages of memory."""

    def __init__(self, work: Work, history: PriceHistory, *, jobs: int, directory: Path) -> None:
        """Use `jobs` processes; the prices that they share lie in `directory` as long as they work."""
        self._work, self._history, self._jobs = work, history, jobs
        self._prices = directory / PRICES
        self._executor: ProcessPoolExecutor | None = None

    def run(self, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """As they come; only a few are handed out ahead, so that a stop is a quick one."""
        left = iter(tasks)
        waiting: set[Future[Outcome]] = set()
        try:
            while True:
                for task in islice(left, self._jobs * IN_FLIGHT - len(waiting)):
                    waiting.add(self._submitted(task))
                if not waiting:
                    return
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        except BrokenProcessPool as error:
            raise SweepInterrupted(
                "a process of the sweep died, perhaps for want of memory; take fewer --jobs"
            ) from error

    def close(self) -> None:
        """Wait for the trials that run and for the processes to end, and remove the shared prices."""
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)
            rmtree(self._prices)

    def _submitted(self, task: Task) -> Future[Outcome]:
        try:
            return self._started().submit(_run, task)
        except (EOFError, ConnectionError) as error:
            raise BrokenProcessPool("the process that starts the others died") from error

    def _started(self) -> ProcessPoolExecutor:
        if self._executor is None:
            share_prices(self._history, self._prices)
            arguments = (self._work, self._prices)
            self._executor = ProcessPoolExecutor(self._jobs, _clean_start(), initializer=_begin, initargs=arguments)
        return self._executor


def _clean_start() -> BaseContext:
    """How processes begin: never as a copy of this one, with its threads and locks in whatever state.

    On Linux they are copies of a process that has imported what a trial needs, and has done nothing else. Libraries
    of other systems may not survive that; there each process imports for itself.
    """
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


_trials: Trials


def _begin(work: Work, prices: Path) -> None:
    """Prepare a process of the pool."""
    global _trials
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C reaches all processes; the first one tells the others
    Thread(target=_end_with_parent, name="parent watch", daemon=True).start()
    _trials = Trials(work, open_prices(prices))


def _run(task: Task) -> Outcome:
    return _trials.run(task)


def _end_with_parent() -> None:
    """A sweep that was killed leaves no process behind."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
