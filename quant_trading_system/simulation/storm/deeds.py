"""What happens at moments of its own: broken lines, a broker in trouble, dying processes, clocks, and people."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from quant_trading_system.core.events import HaltLevel
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.simulation.alpaca_server.auth import KEY_HEADER, SECRET_HEADER
from quant_trading_system.simulation.storm.disk import DiskLatch

if TYPE_CHECKING:
    from quant_trading_system.simulation.storm.world import World

KEY_ID, SECRET = "PKSTORM", "secret-of-the-storm"
HEADERS = {KEY_HEADER: KEY_ID, SECRET_HEADER: SECRET}
BY_HAND = "by-hand"
"""How the client order ids of people begin who trade beside the program."""

_TIGHT_LIMIT = 40
"""Requests a minute while the broker is short of patience."""

_STORMS = (429, 500, 502, 503, 504)
"""What a gateway in trouble answers."""

Deed = Callable[[], Awaitable[bool]]


class Deeds:
    """Everything that can happen to a world, by the name of its kind; each tells whether it found anything to do."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._by_hand = 0

    def all(self) -> Mapping[str, Deed]:
        """By name."""
        return {
            "http.storm": self._storm,
            "http.maintenance": self._maintenance,
            "http.rate": self._rate,
            "stream.cut": self._cut_orders,
            "stream.mute": self._mute_orders,
            "stream.refuse": self._refuse,
            "feed.cut": self._cut_prices,
            "feed.stop": self._mute_prices,
            "account.external_order": self._trade_by_hand,
            "ops.halt": self._halt,
            "process.kill": self._kill,
            "process.stop": self._stop,
            "process.pause": self._pause,
            "process.second": self._second,
            "clock.jump": self._jump,
        }

    # -- the broker and the lines ----------------------------------------------------------------------------------

    async def _storm(self) -> bool:
        self._world.network.storm_status = _STORMS[self._world.weather.number("http.storm", len(_STORMS))]
        self._world.network.storm_until = self._ends("http.storm", 5, 240)
        return True

    async def _maintenance(self) -> bool:
        self._world.network.maintenance_until = self._ends("http.maintenance", 5, 180)
        for name in ("orders", "prices"):
            self._world.lines.cut(name)
        return True

    async def _rate(self) -> bool:
        limiter = self._world.front.limiter
        limiter.per_minute = _TIGHT_LIMIT
        self._after("http.rate", 60, 300, lambda: setattr(limiter, "per_minute", 0))
        return True

    async def _cut_orders(self) -> bool:
        return self._world.lines.cut("orders")

    async def _cut_prices(self) -> bool:
        return self._world.lines.cut("prices")

    async def _mute_orders(self) -> bool:
        return self._mute("stream.mute", "orders")

    async def _mute_prices(self) -> bool:
        return self._mute("feed.stop", "prices")

    def _mute(self, kind: str, name: str) -> bool:
        lines = self._world.lines

        def speak() -> None:
            lines.mute(name, mute=False)

        self._after(kind, 5, 150, speak)
        return lines.mute(name, mute=True)

    async def _refuse(self) -> bool:
        self._world.network.refuses_streams_until = self._ends("stream.refuse", 5, 120)
        return self._world.lines.cut("orders")

    # -- people ----------------------------------------------------------------------------------------------------

    async def _trade_by_hand(self) -> bool:
        """Somebody buys or sells at the broker's own site."""
        world = self._world
        self._by_hand += 1
        body = {
            "symbol": world.symbols[world.weather.number("account.external_order", len(world.symbols))],
            "side": ("buy", "sell")[world.weather.number("account.external_order", 2)],
            "qty": "3",
            "type": "market",
            "time_in_force": "day",
            "client_order_id": f"{BY_HAND}-{self._by_hand}",
        }
        reply = await world.network.venue.ask("POST", "/v2/orders", (), HEADERS, msgspec.json.encode(body))
        return reply.status == 200

    async def _halt(self) -> bool:
        self.halt()
        return True

    def halt(self) -> None:
        """`qts halt` in another process."""
        world = self._world
        switch = KillSwitch(latch=DiskLatch(world.disk), clock=world.clock)
        switch.activate("something looks wrong", level=HaltLevel.HALTED, activated_by="a person")

    # -- processes and clocks --------------------------------------------------------------------------------------

    async def _kill(self) -> bool:
        alive = self._world.life.is_alive
        self._world.life.die()
        return alive

    async def _stop(self) -> bool:
        self._world.stop.set()
        return self._world.life.is_alive

    async def _pause(self) -> bool:
        life = self._world.life
        life.paused_until = self._ends("process.pause", 3, 400)
        return life.is_alive

    async def _second(self) -> bool:
        """Somebody starts the program a second time for the same account."""
        world = self._world
        return world.life.is_up and world.life.is_alive and await world.start_second()

    async def _jump(self) -> bool:
        """Somebody sets the clock of the machine wrong, and finds out later."""
        world = self._world
        size = world.weather.span("clock.jump", 1, 5400)
        world.wall_error = size if world.weather.number("clock.jump", 2) else -size
        world.findings.tell(f"the wall clock is wrong by {world.wall_error}")

        def right() -> None:
            world.wall_error = timedelta(0)

        self._after("clock.jump", 20, 900, right)
        return True

    # -- inside ----------------------------------------------------------------------------------------------------

    def _ends(self, kind: str, least: float, most: float) -> float:
        span = self._world.weather.span(kind, least, most)
        self._world.findings.tell(f"{kind} for {span}")
        return self._world.clock.monotonic() + span.total_seconds()

    def _after(self, kind: str, least: float, most: float, deed: Callable[[], None]) -> None:
        span = self._world.weather.span(kind, least, most)
        self._world.findings.tell(f"{kind} for {span}")
        asyncio.get_running_loop().call_later(span.total_seconds(), deed)
