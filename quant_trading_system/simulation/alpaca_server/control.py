"""The control surface under `/_venue/`: time, prices, halts, faults, and the venue's own books.

It is there only when a token was chosen, and answers only to that token. Auditors read here what the venue
itself has booked; tests decide here what happens next.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from quant_trading_system.core.exceptions import InvalidNumber
from quant_trading_system.core.numbers import exact, positive
from quant_trading_system.market.history import MICROS
from quant_trading_system.simulation.admission import malformed, not_found
from quant_trading_system.simulation.alpaca_server.accounts import Desk
from quant_trading_system.simulation.alpaca_server.app import Front
from quant_trading_system.simulation.alpaca_server.auth import same_secret
from quant_trading_system.simulation.alpaca_server.control_commands import (
    BustCommand,
    CorrectCommand,
    HoldCommand,
    LiquidateCommand,
    PostCommand,
    PriceCommand,
    StreamCommand,
    StreamName,
    SymbolCommand,
    TimeCommand,
    VenueFaultCommand,
    read_command,
)
from quant_trading_system.simulation.alpaca_server.data_stream import DataLimits
from quant_trading_system.simulation.alpaca_server.errors import json_response, unauthorized
from quant_trading_system.simulation.alpaca_server.http_faults import HttpFaultRule
from quant_trading_system.simulation.alpaca_server.live_market import moment_at, ns_of
from quant_trading_system.simulation.alpaca_server.stream_faults import StreamFault
from quant_trading_system.simulation.alpaca_server.tape import Doing, Intervention, quote_around
from quant_trading_system.simulation.alpaca_server.venue_time import LAST_DAY, SteppedClock, new_york_midnight
from quant_trading_system.simulation.alpaca_server.wire import utc
from quant_trading_system.simulation.faults import NO_FAULTS

TOKEN_HEADER = "X-Venue-Token"  # noqa: S105 the name of a header
MOST_STEPS = 100_000
_MOST_SECONDS = 366 * 86_400

Command = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Control:
    """Commands to one venue."""

    def __init__(self, front: Front, token: str) -> None:
        """Take commands from whoever shows `token`."""
        self._front = front
        self._host = front.host
        self._token = token

    def routes(self) -> list[web.RouteDef]:
        """All commands."""
        posts: dict[str, Callable[[bytes], Awaitable[Any]]] = {
            "/time": self._move_time,
            "/price": self._set_price,
            "/release": self._release,
            "/halt": self._halt,
            "/resume": self._resume,
            "/faults/http": self._fault_http,
            "/faults/stream": self._fault_stream,
            "/faults/venue": self._fault_venue,
            "/faults/clear": self._clear_faults,
            "/liquidate": self._liquidate,
            "/post": self._post,
            "/bust": self._bust,
            "/correct": self._correct,
            "/data-limits": self._limit_data,
            "/settle": self._settle,
            "/hold": self._hold,
        }
        made = [web.post(f"/_venue{path}", self._guarded(command)) for path, command in posts.items()]
        made.append(web.get("/_venue/time", self._guarded(self._settle)))
        made.append(web.get("/_venue/connections", self._guarded(self._connections)))
        made.append(web.get("/_venue/books", self._guarded(self._all_books)))
        made.append(web.get("/_venue/books/{account}", self._books))
        return made

    def _guarded(self, command: Callable[[bytes], Awaitable[Any]]) -> Command:
        async def run(request: web.Request) -> web.StreamResponse:
            self._require_token(request)
            try:
                return json_response(await command(await request.read()))
            except ValueError as error:  # a number that is none
                raise malformed(str(error)) from None

        return run

    def _require_token(self, request: web.Request) -> None:
        if not same_secret(self._token, request.headers.get(TOKEN_HEADER, "")):
            raise unauthorized()

    # -- time -----------------------------------------------------------------------------------------------------

    async def _settle(self, _: bytes) -> dict[str, Any]:
        """Let everything arrive that is on its way, and tell the time."""
        await self._host.follow()
        session = self._host.session
        return {
            "now": utc(self._host.now),
            "session": None if session is None else session.date.isoformat(),
            "next_price": utc(self._host.next_price()),
            "saved": self._host.is_saved,
            "frames": {
                StreamName.ORDERS.value: self._front.trade_stream.frames,
                StreamName.DATA.value: self._host.data_hub.frames,
            },
        }

    async def _hold(self, body: bytes) -> dict[str, Any]:
        """Let orders reach the market when time moves, and not by themselves."""
        self._host.holds_orders = read_command(body, HoldCommand).orders
        return await self._settle(b"")

    async def _move_time(self, body: bytes) -> dict[str, Any]:
        """Let time pass; only where it does not pass by itself."""
        clock = self._host.clock
        if not isinstance(clock, SteppedClock):
            raise malformed("the time of this venue passes by itself; start it with --stepped")
        command = read_command(body, TimeCommand)
        await self._host.follow()
        if command.ticks:
            await self._step(command.ticks, clock)
        elif command.to is not None and command.to.tzinfo is not None:
            clock.leap_to(_within_calendar(command.to))
        elif 0 < command.seconds <= _MOST_SECONDS:
            clock.leap_to(_within_calendar(clock.now() + timedelta(seconds=command.seconds)))
        else:
            raise malformed("give seconds above 0, a time with its zone, or ticks")
        if command.confirm:
            await self._host.follow()
            self._host.confirm_quotes()
        return await self._settle(b"")

    async def _step(self, ticks: int, clock: SteppedClock) -> None:
        """Go on from price to price; after the last one, to the end of its session."""
        if not 0 < ticks <= MOST_STEPS:
            raise malformed(f"ticks must be 1 to {MOST_STEPS}")
        for _ in range(ticks):
            due = self._host.next_price()
            if due is None:
                if self._host.session is not None:
                    clock.leap_to(self._host.session.close)
                    await self._host.follow()
                return
            clock.leap_to(due)
            await self._host.follow()

    # -- prices ---------------------------------------------------------------------------------------------------

    async def _set_price(self, body: bytes) -> dict[str, Any]:
        command = read_command(body, PriceCommand)
        symbol = self._symbol(command.symbol)
        last = _micros("price", command.price)
        bid, ask = quote_around(last)
        bid = _micros("bid", command.bid) if command.bid else bid
        ask = _micros("ask", command.ask) if command.ask else ask
        if bid >= ask:
            raise malformed("the bid must be below the ask")
        if not 0 <= command.seconds_ago <= 86_400:
            raise malformed("seconds_ago must be 0 to 86400")
        await self._host.follow()
        at = self._soon() - int(command.seconds_ago * 1_000_000) * 1_000
        act = Intervention(at, Doing.HOLD if command.hold else Doing.PRINT, last, bid, ask)
        done = await self._intervene(symbol, act, late=command.seconds_ago > 0)
        return {"symbol": symbol, "at": utc(done)}

    async def _release(self, body: bytes) -> dict[str, Any]:
        return await self._do(body, Doing.RELEASE)

    async def _halt(self, body: bytes) -> dict[str, Any]:
        return await self._do(body, Doing.HALT)

    async def _resume(self, body: bytes) -> dict[str, Any]:
        return await self._do(body, Doing.RESUME)

    async def _do(self, body: bytes, doing: Doing) -> dict[str, Any]:
        symbol = self._symbol(read_command(body, SymbolCommand).symbol)
        await self._host.follow()
        done = await self._intervene(symbol, Intervention(self._soon(), doing), late=False)
        return {"symbol": symbol, "at": utc(done)}

    def _soon(self) -> int:
        """The next moment, so that what is done now comes after all that has happened."""
        return ns_of(self._host.now) + 1_000

    async def _intervene(self, symbol: str, act: Intervention, *, late: bool) -> datetime:
        done = self._host.intervene(symbol, act)
        if not late:
            self._host.clock.leap_to(moment_at(done.at))
        await self._host.follow()
        return moment_at(done.at)

    def _symbol(self, symbol: str) -> str:
        if symbol not in self._host.scene.instruments:
            raise not_found(f"symbol not found: {symbol[:40]}")
        return symbol

    # -- faults ---------------------------------------------------------------------------------------------------

    async def _fault_http(self, body: bytes) -> dict[str, Any]:
        rule = read_command(body, HttpFaultRule)
        self._front.faults.plan(rule)
        return {"fault": rule.fault.value}

    async def _fault_stream(self, body: bytes) -> dict[str, Any]:
        command = read_command(body, StreamCommand)
        stream = self._front.trade_stream if command.stream is StreamName.ORDERS else self._host.data_hub
        if command.fault is StreamFault.CUT:
            stream.cut()
        elif not 1 <= command.times <= MOST_STEPS:
            raise malformed(f"times must be 1 to {MOST_STEPS}")
        else:
            stream.faults.plan(command.fault, command.times)
        return {"stream": command.stream.value, "fault": command.fault.value}

    async def _fault_venue(self, body: bytes) -> dict[str, Any]:
        command = read_command(body, VenueFaultCommand)
        for desk in self._desks(command.account):
            desk.venue.faults = command.faults
        return {}

    async def _liquidate(self, body: bytes) -> dict[str, Any]:
        command = read_command(body, LiquidateCommand)
        for desk in self._desks(command.account):
            desk.venue.liquidate(command.symbol)
        return await self._settle(b"")

    async def _post(self, body: bytes) -> dict[str, Any]:
        command = read_command(body, PostCommand)
        amount = exact(command.amount)
        for desk in self._desks(command.account):
            desk.venue.post(
                command.activity_type,
                amount,
                symbol=command.symbol,
                description=command.description or "posted",
                shares=exact(command.shares),
            )
        return await self._settle(b"")

    async def _bust(self, body: bytes) -> dict[str, Any]:
        command = read_command(body, BustCommand)
        for desk in self._desks(command.account):
            desk.venue.bust(command.execution)
        return await self._settle(b"")

    async def _correct(self, body: bytes) -> dict[str, Any]:
        command = read_command(body, CorrectCommand)
        quantity = exact(command.quantity) if command.quantity else None
        price = exact(command.price) if command.price else None
        for desk in self._desks(command.account):
            desk.venue.correct(command.execution, quantity=quantity, price=price)
        return await self._settle(b"")

    def _desks(self, name: str) -> list[Desk]:
        """The account of that name, or all of them without a name."""
        found = [desk for desk in self._host.desks if name in ("", desk.spec.name)]
        if not found:
            raise not_found("there is no such account")
        return found

    async def _clear_faults(self, _: bytes) -> dict[str, Any]:
        for desk in self._host.desks:
            desk.venue.faults = NO_FAULTS
        self._front.faults.clear()
        self._front.trade_stream.faults.clear()
        self._host.data_hub.faults.clear()
        return {}

    async def _connections(self, _: bytes) -> dict[str, Any]:
        """How many clients of each stream have said what they want to hear."""
        return {
            StreamName.ORDERS.value: self._front.trade_stream.listening,
            StreamName.DATA.value: self._host.data_hub.subscribed,
        }

    async def _limit_data(self, body: bytes) -> dict[str, Any]:
        self._front.data_stream.limits = read_command(body, DataLimits)
        return {}

    # -- books ----------------------------------------------------------------------------------------------------

    async def _all_books(self, _: bytes) -> dict[str, Any]:
        await self._host.follow()
        return {desk.spec.name: _books_of(desk) for desk in self._host.desks}

    async def _books(self, request: web.Request) -> web.StreamResponse:
        self._require_token(request)
        await self._host.follow()
        (desk,) = self._desks(request.match_info["account"])
        return json_response(_books_of(desk))


def _books_of(desk: Desk) -> dict[str, Any]:
    """What the venue itself has booked: every trade with the cash after it, and what is held."""
    venue = desk.venue
    return {
        "cash": venue.account().cash,
        "fees": venue.total_fees,
        "positions": {held.symbol: held.quantity for held in venue.positions()},
        "open_orders": [order.venue_order_id for order in venue.open_orders()],
        "trades": [entry._asdict() for entry in venue.statement()],
    }


def _within_calendar(moment: datetime) -> datetime:
    if moment >= new_york_midnight(LAST_DAY):
        raise malformed(f"the calendar of this venue ends on {LAST_DAY}")
    return moment


def _micros(name: str, text: str) -> int:
    try:
        scaled = positive(text) * MICROS
    except InvalidNumber as error:
        raise malformed(f"invalid {name}: {error}") from None
    if scaled != int(scaled):
        raise malformed(f"invalid {name}: at most six decimals")
    return int(scaled)
