"""The HTTP front of a venue in the test's own process: time moves only when the test says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from aiohttp.test_utils import TestClient, TestServer

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.simulation.alpaca_server.accounts import AccountSpec, HouseRules
from quant_trading_system.simulation.alpaca_server.app import Front
from quant_trading_system.simulation.alpaca_server.control import TOKEN_HEADER, Control
from quant_trading_system.simulation.alpaca_server.host import Host
from quant_trading_system.simulation.alpaca_server.sources import RANDOM, Scene, Wishes, open_scene
from quant_trading_system.simulation.alpaca_server.tape import Doing, Intervention
from quant_trading_system.simulation.alpaca_server.venue_time import SteppedClock
from quant_trading_system.simulation.fees import FeeSchedule
from quant_trading_system.simulation.models import ALWAYS_FULL

MONDAY = date(2026, 1, 12)
OPEN = datetime(2026, 1, 12, 14, 30, tzinfo=UTC)
CLOSE = datetime(2026, 1, 12, 21, 0, tzinfo=UTC)
TOKEN = "token of the tests"
ALICE = AccountSpec("alice", "PKALICE", "alices-secret", Decimal(100_000))
BOB = AccountSpec("bob", "PKBOB", "bobs-secret", Decimal(50_000))
RULES = HouseRules(7, FeeSchedule.zero(), ALWAYS_FULL, Decimal(2))
HEADERS = {"APCA-API-KEY-ID": ALICE.key_id, "APCA-API-SECRET-KEY": ALICE.secret_key}
SPY_AND_KO = {"SPY": Decimal(570), "KO": Decimal(65)}


@cache
def monday() -> Scene:
    """The scene of most tests; it keeps nothing but prices, so all share it."""
    return scene()


def scene(symbols: Mapping[str, Decimal | None] = SPY_AND_KO, now: datetime = OPEN, **wishes: Any) -> Scene:
    """A random market that opens on Monday, 12 January 2026, one price a minute unless something else is wished.

    Without a day to `begin` at it is the market of `now`.
    """
    fields = {"source": RANDOM, "symbols": symbols, "begin": MONDAY, "seed": 7, "always_open": False, "steps": 391}
    return open_scene(Wishes(**{**fields, **wishes}), now)


class VenueFront:
    """A venue with a client.

    Attributes:
        real: the clock for limits and waiting; `client`: speaks HTTP to the venue on a port of this machine.
    """

    def __init__(self, host: Host, clock: SteppedClock, real: ManualClock, front: Front) -> None:
        self.host = host
        self.clock = clock
        self.real = real
        self.front = front
        self.client: TestClient

    def hold(self, symbol: str, micros: int) -> None:
        """From now on the symbol stands at a price, with a quote of two cents around it."""
        at = self.host.market.now_ns + 1_000
        act = Intervention(at, Doing.HOLD, micros, micros - 10_000, micros + 10_000)
        self.host.intervene(symbol, act)
        self.clock.move_to(self.clock.now() + timedelta(microseconds=1))
        self.host.settle()

    def go_to(self, moment: datetime) -> None:
        """Let everything happen until then."""
        self.clock.leap_to(moment)
        self.host.settle()

    def pass_time(self, **span: float) -> None:
        self.go_to(self.clock.now() + timedelta(**span))

    async def ask(self, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, Any]:
        """Status and JSON of an answer to Alice."""
        options.setdefault("headers", HEADERS)
        async with self.client.request(method, path, json=body, **options) as answer:
            text = await answer.text()
            return answer.status, (await answer.json() if text else None)

    async def order(self, **fields: Any) -> dict[str, Any]:
        """An order of Alice's, as it stands after it has arrived."""
        defaults = {"symbol": "SPY", "qty": "10", "side": "buy", "type": "market", "time_in_force": "day"}
        status, answer = await self.ask("POST", "/v2/orders", {**defaults, **fields})
        assert status == 200, answer
        self.host.settle()
        return (await self.ask("GET", f"/v2/orders/{answer['id']}"))[1]

    async def command(self, path: str, body: Any = None) -> tuple[int, Any]:
        method = "GET" if body is None else "POST"
        return await self.ask(method, f"/_venue{path}", body, headers={TOKEN_HEADER: TOKEN})


@asynccontextmanager
async def venue_front(
    market: Scene | None = None, *, per_minute: int = 0, held: bool = True, begin: bool = True
) -> AsyncIterator[VenueFront]:
    """A venue at the open of Monday with Alice's and Bob's accounts; SPY at 570 unless told otherwise."""
    market = market or monday()
    clock, real = SteppedClock(market.start), ManualClock(datetime(2026, 3, 1, tzinfo=UTC))
    host = Host(market, clock, [ALICE, BOB], RULES)
    front = Front(host, real, per_minute)
    made = VenueFront(host, clock, real, front)
    if begin:
        host.begin()
    if held:
        made.hold("SPY", 570_000_000)
    async with TestClient(TestServer(front.application(Control(front, TOKEN).routes()))) as client:
        made.client = client
        yield made


def run(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(story())
