"""What a live account touches outside itself: the clock, the lines to the broker, and its files.

`Surroundings()` is this machine and the broker's hosts. A simulation hands in virtual time, lines in memory
and storage that can fail, and runs the very same account on them.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from quant_trading_system.app.bootstrap import JOURNAL_FILE, LATCH_FILE
from quant_trading_system.core.clock import Clock, SystemClock
from quant_trading_system.execution.alpaca_api import AlpacaApi
from quant_trading_system.execution.alpaca_client import AlpacaClient
from quant_trading_system.execution.alpaca_data import AlpacaData
from quant_trading_system.execution.credentials import Access
from quant_trading_system.execution.http_transport import HttpTransport, WebSockets
from quant_trading_system.execution.notices import Notify
from quant_trading_system.execution.transport import SocketOpener, Timeouts
from quant_trading_system.journal.keys import journal_key
from quant_trading_system.journal.sqlite_store import SqliteJournal
from quant_trading_system.journal.store import Journal
from quant_trading_system.risk.latch import FileLatch, Latch

HEARTBEAT_FILE = "heartbeat"
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
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / JOURNAL_FILE
    return SqliteJournal(path, journal_key(path), group_commit=True)


def open_latch(directory: Path) -> Latch:
    """The kill latch of the account, a file that outlives every process."""
    return FileLatch(directory / LATCH_FILE)


def beat(directory: Path) -> None:
    """Tell other processes that the engine is alive."""
    path = directory / HEARTBEAT_FILE
    path.touch(mode=0o600)
    os.utime(path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Everything outside, this machine's by default."""

    clock: Clock = field(default_factory=SystemClock)
    connect: Callable[[Access, str, Clock, AsyncExitStack, Notify], Awaitable[Lines]] = connect
    open_journal: Callable[[Path], Journal] = open_journal
    open_latch: Callable[[Path], Latch] = open_latch
    beat: Callable[[Path], None] = beat
