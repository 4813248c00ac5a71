"""What a live account touches outside itself: the clock, the lines to the broker, and its files.

`Surroundings()` is this machine and the broker's hosts. A simulation hands in virtual time, lines in memory
and storage that can fail, and runs the very same account on them.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from platform import node

from quant_trading_system.app.account_files import JOURNAL_FILE, LATCH_FILE
from quant_trading_system.app.engine_door import open_door
from quant_trading_system.app.heartbeat import (
    ENGINE_FILE,
    WATCHDOG_FILE,
    Heartbeat,
    read_heartbeat,
    write_heartbeat,
)
from quant_trading_system.app.notice_record import record_notice
from quant_trading_system.app.sender import Child
from quant_trading_system.app.watchdog_record import RecordEntry, read_record
from quant_trading_system.config.settings import HOST_LATCH_FILE
from quant_trading_system.core.clock import Clock, SystemClock
from quant_trading_system.execution.account_lock import AccountLock, FileAccountLock, Holder, account_lock_path
from quant_trading_system.execution.alpaca_api import AlpacaApi
from quant_trading_system.execution.alpaca_client import AlpacaClient
from quant_trading_system.execution.alpaca_data import AlpacaData
from quant_trading_system.execution.credentials import Access
from quant_trading_system.execution.http_transport import HttpTransport, WebSockets
from quant_trading_system.execution.notices import Notice, Notify
from quant_trading_system.execution.transport import SocketOpener, Timeouts
from quant_trading_system.journal.keys import journal_key
from quant_trading_system.journal.reserve import RESERVE_BYTES
from quant_trading_system.journal.sqlite_store import SqliteJournal
from quant_trading_system.journal.store import Journal
from quant_trading_system.risk.latch import FileLatch, Latch
from quant_trading_system.trading.live_loop import TICK
from quant_trading_system.trading.operations import Operations

WATCHDOG_OUTPUT = "watchdog.out"
WITNESSES = "witnesses"
"""Beside the accounts' directories: what remembers the end of each journal when its directory is gone or replaced."""
DATA_PATIENCE = Timeouts(total=timedelta(seconds=60))
"""Long histories come in long answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """The connections to the broker."""

    client: AlpacaClient
    data: AlpacaData
    sockets: SocketOpener


async def connect(access: Access, feed: str, clock: Clock, stack: AsyncExitStack, notify: Notify) -> Lines:
    """Lines to the broker's hosts; `stack` closes them."""
    sockets = WebSockets()
    stack.push_async_callback(sockets.close)
    apis = []
    for source, origin, timeouts in (
        ("trading", access.endpoints.trading, Timeouts()),
        ("data", access.endpoints.data, DATA_PATIENCE),
    ):
        transport = HttpTransport(origin, access.credentials.headers())
        hide = access.credentials.hidden_in
        api = AlpacaApi(transport, clock, notify, source=source, timeouts=timeouts, hide=hide)
        stack.push_async_callback(api.close)
        apis.append(api)
    return Lines(client=AlpacaClient(apis[0]), data=AlpacaData(apis[1], feed=feed), sockets=sockets)


def open_journal(directory: Path) -> SqliteJournal:
    """The journal of the account, for this process alone.

    Raises:
        JournalUnavailable: another engine has it, or it cannot be written.
        JournalDamaged: it is gone, cut, changed, or an older copy.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / JOURNAL_FILE
    return SqliteJournal(
        path,
        journal_key(path),
        group_commit=True,
        reserve=RESERVE_BYTES,
        witness=directory.parent / WITNESSES / directory.name,
    )


def open_latch(directory: Path) -> Latch:
    """The kill latch of the account, a file that outlives every process."""
    return FileLatch(directory / LATCH_FILE)


def open_host_latch(directory: Path) -> Latch:
    """The latch of everything on this machine that shares the state directory."""
    return FileLatch(directory.parent / HOST_LATCH_FILE)


def take_lock(directory: Path, account: str, after: int, clock: Clock) -> AccountLock:
    """The right to send for `account`, with an epoch above `after`.

    Raises:
        ConfigurationError: another engine has it, and is named.
    """
    claim = Holder(
        account=account, epoch=after, pid=os.getpid(), host=node(), since=clock.now(), directory=str(directory)
    )
    return FileAccountLock(account_lock_path(directory, account), claim)


def beat(directory: Path, sign: Heartbeat) -> None:
    """Tell other processes that the engine is alive."""
    write_heartbeat(directory / ENGINE_FILE, sign)


def watchdog_heartbeat(directory: Path) -> Heartbeat | None:
    """The last sign of life of the account's watchdog."""
    return read_heartbeat(directory / WATCHDOG_FILE)


def launch(command: Sequence[str], directory: Path) -> Child:
    """Start a watchdog in a session of its own: what ends the engine, such as Ctrl-C, does not end it.

    Raises:
        OSError: it cannot be started.
    """
    output = os.open(directory / WATCHDOG_OUTPUT, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        return subprocess.Popen(  # noqa: S603 - our own program, with arguments that we wrote
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    finally:
        os.close(output)


OpenDoor = Callable[[Path, Operations, Callable[[str], None]], AbstractAsyncContextManager[None]]


def no_door(_: Path, __: Operations, ___: Callable[[str], None]) -> AbstractAsyncContextManager[None]:
    """Nobody can give commands: a simulation is what its seed says."""
    return nullcontext()


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Everything outside, this machine's by default.

    Attributes:
        open_door: lets people and programs give commands to the engine while it runs; see `engine_door.open_door`.
        is_stepped: time passes only when somebody moves it, so no timer runs: the books are compared at the start only.
        tick: how often the engine looks around when nothing wakes it.
    """

    clock: Clock = field(default_factory=SystemClock)
    connect: Callable[[Access, str, Clock, AsyncExitStack, Notify], Awaitable[Lines]] = connect
    open_journal: Callable[[Path], Journal] = open_journal
    open_latch: Callable[[Path], Latch] = open_latch
    open_host_latch: Callable[[Path], Latch] = open_host_latch
    take_lock: Callable[[Path, str, int, Clock], AccountLock] = take_lock
    beat: Callable[[Path, Heartbeat], None] = beat
    watchdog_heartbeat: Callable[[Path], Heartbeat | None] = watchdog_heartbeat
    record_notice: Callable[[Path, datetime, Notice], None] = record_notice
    watchdog_record: Callable[[Path], Iterable[RecordEntry]] = read_record
    launch: Callable[[Sequence[str], Path], Child] = launch
    open_door: OpenDoor = open_door
    is_stepped: bool = False
    tick: timedelta = TICK
