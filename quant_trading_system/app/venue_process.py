"""A `qts venue` in a process of its own; where only we move its time, what there is to know about its progress."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import aiohttp
import msgspec

from quant_trading_system.core.clock import SystemClock
from quant_trading_system.core.exceptions import MarketDataError
from quant_trading_system.execution.credentials import Access, read_access
from quant_trading_system.execution.stream_session import within
from quant_trading_system.simulation.alpaca_server.control import TOKEN_HEADER
from quant_trading_system.simulation.alpaca_server.control_commands import HoldCommand, TimeCommand

_START = timedelta(seconds=60)
_ANSWER_S = 60
_GOODBYE = timedelta(seconds=5)


class Card(msgspec.Struct, frozen=True):
    """What a venue prints when clients may come."""

    trading_url: str
    data_url: str
    trading_stream_url: str
    key_id: str
    secret_key: str

    @property
    def access(self) -> Access:
        """The keys and hosts of its first account."""
        return read_access(
            {
                "APCA_API_KEY_ID": self.key_id,
                "APCA_API_SECRET_KEY": self.secret_key,
                "APCA_API_BASE_URL": self.trading_url,
                "APCA_API_DATA_URL": self.data_url,
            }
        )


class Frames(msgspec.Struct, frozen=True):
    """How many messages the venue has sent on each stream since its connection began."""

    trade_updates: int
    data: int


class VenueMoment(msgspec.Struct, frozen=True):
    """Where the venue stands.

    Attributes:
        now: everything until then has happened.
        next_price: when the next price comes; None when the market is over.
    """

    now: datetime
    next_price: datetime | None
    frames: Frames


class SteppedVenue:
    """The control surface of a venue that was started with ``--stepped``."""

    def __init__(self, card: Card, token: str, session: aiohttp.ClientSession) -> None:
        self.card = card
        self._headers = {TOKEN_HEADER: token}
        self._session = session

    async def hold_orders(self) -> VenueMoment:
        """From now on orders reach the market when time moves or `settle` is called, and not by themselves."""
        return await self._command("hold", HoldCommand(orders=True))

    async def settle(self) -> VenueMoment:
        """Let everything arrive that is on its way."""
        return await self._command("settle", None)

    async def go_to(self, moment: datetime, *, confirm: bool = False) -> VenueMoment:
        """Go on to `moment`; `confirm`: hear the quotes of then also where no price came."""
        return await self._command("time", TimeCommand(to=moment, confirm=confirm))

    async def _command(self, name: str, command: msgspec.Struct | None) -> VenueMoment:
        url = f"{self.card.trading_url}/_venue/{name}"
        body = b"{}" if command is None else msgspec.json.encode(_without_defaults(command))
        try:
            async with self._session.post(url, data=body, headers=self._headers) as answer:
                content = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise MarketDataError(f"the venue's process does not answer: {error}") from None
        if answer.status != 200:
            raise MarketDataError(f"the venue refused /{name}: {content.decode(errors='replace')[:200]}")
        return msgspec.json.decode(content, type=VenueMoment)


def _without_defaults(command: msgspec.Struct) -> dict[str, object]:
    """Only what was set: the venue takes exactly one way to move time."""
    return {
        field.name: getattr(command, field.name)
        for field in msgspec.structs.fields(command)
        if field.required or getattr(command, field.name) != field.default
    }


@asynccontextmanager
async def stepped_venue(options: Sequence[str]) -> AsyncIterator[SteppedVenue]:
    """Start a venue whose time stands still; it ends with the block.

    Args:
        options: of `qts venue`, such as ``("--source", "sp500", "--steps", "13")``.

    Raises:
        MarketDataError: it did not start; its own words are on standard error.
    """
    async with (
        venue_process((*options, "--stepped")) as (card, token),
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_ANSWER_S)) as session,
    ):
        yield SteppedVenue(card, token, session)


@asynccontextmanager
async def venue_process(options: Sequence[str]) -> AsyncIterator[tuple[Card, str]]:
    """Start a venue, on a free port and without a limit on requests; it ends with the block.

    Gives what it prints, and the token that opens its control surface.

    Raises:
        MarketDataError: it did not start; its own words are on standard error.
    """
    token = secrets.token_urlsafe(16)
    fixed = ("--port", "0", "--rate-limit", "0", "--end-with-stdin", "--json")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "quant_trading_system.cli.main", "venue", *options, *fixed),
        env={**os.environ, "QTS_VENUE_TOKEN": token},
        stdin=asyncio.subprocess.PIPE,  # its end, when we are gone, ends the venue
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for the engine, which then ends the venue
    )
    try:
        yield await _first_line(process), token
    finally:
        await _end(process)


async def _first_line(process: asyncio.subprocess.Process) -> Card:
    assert process.stdout is not None
    try:
        line = await within(SystemClock(), _START, process.stdout.readline())
    except TimeoutError:
        line = b""
    if not line:
        raise MarketDataError("the venue's process did not start; what it said stands above")
    return msgspec.json.decode(line, type=Card)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await within(SystemClock(), _GOODBYE, process.wait())
    except TimeoutError:
        process.kill()
        await process.wait()
