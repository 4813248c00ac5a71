"""The processes of one rehearsal: a venue, an engine that trades on it, and whatever stops it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from quant_trading_system.app.account_files import JOURNAL_FILE, LATCH_FILE
from quant_trading_system.app.door import EngineDoor, fresh_key
from quant_trading_system.app.drill import trader
from quant_trading_system.app.drill.venue_books import VenueReader, session
from quant_trading_system.app.heartbeat import WATCHDOG_FILE, read_heartbeat
from quant_trading_system.app.venue_process import Card, venue_process
from quant_trading_system.config.loader import default_limits, limits_as_file
from quant_trading_system.config.settings import DEFAULT_ACCOUNT, HOST_LATCH_FILE
from quant_trading_system.core.clock import Clock
from quant_trading_system.core.command import Source
from quant_trading_system.core.commands import AnyCommand, Outcome
from quant_trading_system.core.exceptions import DrillFailed
from quant_trading_system.core.numbers import ONE
from quant_trading_system.execution.stream_session import within
from quant_trading_system.risk.latch import FileLatch

PRICES = {"KO": "60", "PEP": "170", "JPM": "150", "XOM": "110"}
"""What is traded, and at which price it stands: nothing fills by itself while it is being cancelled."""
PATIENCE = timedelta(seconds=90)
"""For one thing to happen, on a machine that has much else to do."""
BY = "drill"
WATCHDOG_BOUND_S = 2
"""Without a sign of life; the shortest that `qts trade` takes."""
ENGINE = "quant_trading_system.cli.main"
"""The program that trades."""

_LOOK = timedelta(milliseconds=20)
_KEYS = ("APCA_", "QTS_")
_GOODBYES = 10

T = TypeVar("T")
Pull = Callable[[], Awaitable[None]]
"""Stops orders, in one of the ways."""


class Stage:
    """A venue and an account that is traded on it, in a directory of its own.

    Attributes:
        kept_in: everything that it leaves behind; `directory`: of the account.
        venue: the venue's own books; `clock`: of this process.
    """

    def __init__(self, place: Path, card: Card, venue: VenueReader, clock: Clock, program: str) -> None:
        self.kept_in = place
        self.directory = place / "state" / DEFAULT_ACCOUNT
        self.venue = venue
        self.clock = clock
        self._program = program
        self._engine: asyncio.subprocess.Process | None = None
        self._door = EngineDoor(self.directory, PATIENCE)
        own = {name: value for name, value in os.environ.items() if not name.startswith(_KEYS)}
        self._environment = {  # none of the user's own accounts can be reached with it
            **own,
            "PYTHONUNBUFFERED": "1",
            "QTS_STATE_DIR": str(place / "state"),
            "APCA_API_KEY_ID": card.key_id,
            "APCA_API_SECRET_KEY": card.secret_key,
            "APCA_API_BASE_URL": card.trading_url,
            "APCA_API_DATA_URL": card.data_url,
        }

    @property
    def latch(self) -> FileLatch:
        """Of the account."""
        return FileLatch(self.directory / LATCH_FILE)

    @property
    def host_latch(self) -> FileLatch:
        """Of everything in this rehearsal's state directory."""
        return FileLatch(self.directory.parent / HOST_LATCH_FILE)

    @property
    def journal(self) -> Path:
        """Of the engine."""
        return self.directory / JOURNAL_FILE

    # -- processes -----------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def engine(self, *, watched: bool) -> AsyncIterator[None]:
        """An engine that runs until the block ends; whatever is left of it then is ended by its own number."""
        limits = self._write_limits()
        guard = ("--watchdog-bound", str(WATCHDOG_BOUND_S)) if watched else ("--no-watchdog",)
        with (self.kept_in / "engine.log").open("wb") as log:
            self._engine = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", self._program, "trade", f"{trader.__name__}:{trader.DrillTrader.__name__}"),
                *("--mode", "local", "--always-open", "--symbols", ",".join(PRICES), "--bars", "1Min"),
                *("--lookback", "2", "--limits", str(limits), *guard),
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us, who then end it
            )
        try:
            yield
        finally:
            await self._end_engine()
            if watched:
                await self._end_watchdog()

    def signal(self, number: signal.Signals) -> None:
        """Send the engine a signal."""
        self._running().send_signal(number)

    async def qts(self, *arguments: str, allowed: Sequence[int] = (0,)) -> str:
        """What a command in a process of its own answers.

        Raises:
            DrillFailed: it ended with another exit code than one of those allowed.
        """
        process = await self.start(*arguments)
        told, error = await process.communicate()
        if process.returncode not in allowed:
            why = " ".join((error or told).decode(errors="replace").split())[-300:]
            raise DrillFailed(f"qts {' '.join(arguments)} ended with {process.returncode}: {why}")
        return told.decode()

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        """A command in a process of its own; whoever starts it waits for its end, or ends it."""
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "quant_trading_system.cli.main", *arguments),
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    # -- asking and waiting --------------------------------------------------------------------------------------

    async def ask(self, command: AnyCommand) -> Outcome:
        """Have the engine carry out a command, through its door.

        Raises:
            EngineNotRunning, EngineSilent: as `EngineDoor.ask`.
        """
        return await self._door.ask(command, key=fresh_key(self.clock), principal=BY, source=Source.CLI)

    async def until(self, found: Callable[[], Awaitable[T | None]], what: str) -> T:
        """Look again and again until there is something to see.

        Raises:
            DrillFailed: there was nothing for too long, or the engine has ended.
        """
        deadline = self.clock.monotonic() + PATIENCE.total_seconds()
        while not (answer := await found()):
            if self._running().returncode is not None:
                raise DrillFailed(f"the engine ended while {what} was waited for; see {self.kept_in / 'engine.log'}")
            if self.clock.monotonic() > deadline:
                raise DrillFailed(f"{what}: not within {PATIENCE.total_seconds():g} s; see {self.kept_in}")
            await self.clock.sleep(_LOOK)
        return answer

    async def within_patience(self, work: Coroutine[Any, Any, T], what: str) -> T:
        """The result of `work`.

        Raises:
            DrillFailed: there was none for too long.
        """
        try:
            return await within(self.clock, PATIENCE, work)
        except TimeoutError:
            raise DrillFailed(f"{what}: not within {PATIENCE.total_seconds():g} s; see {self.kept_in}") from None

    # -- inside -----------------------------------------------------------------------------------------------

    def _write_limits(self) -> Path:
        limits = self.kept_in / "limits.yaml"
        limits.write_text(drill_limits(), encoding="utf-8")
        limits.chmod(0o600)
        return limits

    def _running(self) -> asyncio.subprocess.Process:
        if self._engine is None:
            raise DrillFailed("no engine was started")
        return self._engine

    async def _end_engine(self) -> None:
        engine = self._running()
        if engine.returncode is not None:
            return
        with suppress(ProcessLookupError):
            engine.send_signal(signal.SIGCONT)
            engine.terminate()
        try:
            await within(self.clock, PATIENCE, engine.wait())
        except TimeoutError:
            engine.kill()
            await engine.wait()

    async def _end_watchdog(self) -> None:
        """It ends with its engine. One that still shows life a while later must not outlive its venue."""
        path = self.directory / WATCHDOG_FILE
        beat = read_heartbeat(path)
        for _ in range(_GOODBYES):
            before = beat
            await self.clock.sleep(timedelta(seconds=WATCHDOG_BOUND_S / 2))
            beat = read_heartbeat(path)
            if beat is None or beat == before:
                return
        assert beat is not None
        with suppress(ProcessLookupError):
            os.kill(beat.pid, signal.SIGTERM)


@asynccontextmanager
async def staged(place: Path, clock: Clock, program: str = ENGINE) -> AsyncIterator[Stage]:
    """A venue that is open around the clock, and room for an engine.

    Args:
        place: where everything is kept; made if need be.
        program: the module that trades, for those who want it in more of a hurry.

    Raises:
        MarketDataError: the venue did not start.
    """
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    symbols = ",".join(f"{symbol}:{price}" for symbol, price in PRICES.items())
    async with venue_process(("--always-open", "--symbols", symbols)) as (card, token), session() as line:
        stage = Stage(place, card, VenueReader(card, token, line, clock), clock, program)
        for symbol, price in PRICES.items():
            await stage.venue.hold(symbol, price)
        yield stage


def drill_limits() -> str:
    """The shipped limits as a file, with room for many orders, short positions and a resume by two named persons."""
    roomy = msgspec.structs.replace(
        default_limits(),
        allow_short=True,
        buying_power_multiplier=ONE * 2,
        max_correlation=ONE,
        max_sector_exposure=ONE,
        max_position_pct=ONE / 2,
        max_gross_exposure=ONE * 2,
        max_open_orders_per_symbol=1_000,
        max_open_orders=4_000,
        max_repeated_orders=100_000,
        max_orders_per_minute=100_000,
        max_orders_per_day=1_000_000,
        max_messages_per_minute=100_000,
        duplicate_window_s=ONE * 0,
    )
    return limits_as_file(roomy)
