"""What happens at moments of its own: broken lines, a broker in trouble, dying processes, clocks, and people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from quant_trading_system.core.events import HaltLevel
from quant_trading_system.core.exceptions import (
    InvalidOrder,
    JournalError,
    KillSwitchActiveError,
    NotReplaceable,
    UnknownOrder,
)
from quant_trading_system.core.order_state import OrderStatus, PendingRequest
from quant_trading_system.core.orders import EXTERNAL, OrderType
from quant_trading_system.execution.order_manager import OrderManager
from quant_trading_system.execution.order_store import OrderRecord
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.simulation.storm.broker_deeds import BrokerDeeds, Deed
from quant_trading_system.simulation.storm.disk import DiskLatch
from quant_trading_system.simulation.storm.door_deeds import DoorDeeds
from quant_trading_system.simulation.storm.plainness import UNPLAIN

if TYPE_CHECKING:
    from quant_trading_system.simulation.storm.world import World

_TIGHT_LIMIT = 40
"""Requests a minute while the broker is short of patience."""

_STORMS = (429, 500, 502, 503, 504)
"""What a gateway in trouble answers."""

_LEVELS = (HaltLevel.HALTED, HaltLevel.HALTED, HaltLevel.REDUCING, HaltLevel.FLATTENING)
_CENT = Decimal("0.01")
T_STOP = timedelta(seconds=60)
"""From the word to stop to the end of the process, whatever the broker does meanwhile."""


class Deeds:
    """Everything that can happen to a world, by the name of its kind; each tells whether it found anything to do."""

    def __init__(self, world: World) -> None:
        self._world = world

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
            **BrokerDeeds(self._world).all(),
            **DoorDeeds(self._world).all(),
            "ops.halt": self._halt,
            "ops.replace": self._replace,
            "process.kill": self._kill,
            "process.stop": self._stop,
            "process.pause": self._pause,
            "process.second": self._second,
            "process.fenced": self._fence,
            "watchdog.dies": self._kill_watchdog,
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

    async def _halt(self) -> bool:
        self.halt(_LEVELS[self._world.weather.number("ops.halt", len(_LEVELS))])
        return True

    def halt(self, level: HaltLevel = HaltLevel.HALTED) -> None:
        """`qts halt` in another process."""
        world = self._world
        switch = KillSwitch(latch=DiskLatch(world.disk), clock=world.clock)
        switch.activate(f"something looks wrong{UNPLAIN}", level=level, activated_by="a person")

    async def _replace(self) -> bool:
        """Somebody changes an order that works, through the program."""
        world, life = self._world, self._world.life
        orders = life.orders
        if orders is None or life.door is None or not life.is_alive or not life.is_up:
            return False
        working = [record for record in orders.open_orders() if _can_be_changed(record)]
        if not working:
            return False
        record = working[world.weather.number("ops.replace", len(working))]
        price = record.order.limit_price
        if price is not None and world.weather.number("ops.replace", 2):
            away = Decimal(world.weather.number("ops.replace", 41) - 20) / 1000
            work = _changed(orders, record.order_id, limit_price=(price * (1 + away)).quantize(_CENT))
        else:
            work = _changed(orders, record.order_id, quantity=Decimal(1 + world.weather.number("ops.replace", 30)))
        world.findings.tell(f"somebody changes {record.order_id}")
        life.tasks.begin(work)
        return True

    # -- processes and clocks --------------------------------------------------------------------------------------

    async def _kill(self) -> bool:
        alive = self._world.life.is_alive
        self._world.life.die()
        return alive

    async def _stop(self) -> bool:
        life = self._world.life
        self._world.stop.set()
        self._world.findings.tell("the process is told to stop")

        def require_end() -> None:
            paused = life.paused_until > self._world.clock.monotonic() - T_STOP.total_seconds()
            self._world.findings.require("I32", not life.is_alive or paused, "a process that was told to stop goes on")

        self._world.later(T_STOP, require_end)
        return life.is_alive

    async def _kill_watchdog(self) -> bool:
        return self._world.kill_watchdog()

    async def _pause(self) -> bool:
        life = self._world.life
        life.paused_until = self._ends("process.pause", 3, 400)
        return life.is_alive

    async def _second(self) -> bool:
        """Somebody starts the program a second time for the same account."""
        world = self._world
        return world.life.is_up and world.life.is_alive and await world.start_second()

    async def _fence(self) -> bool:
        """The process stands still, and another one takes the account's lock meanwhile; later it is restarted."""
        world, life = self._world, self._world.life
        if not life.is_alive or not life.is_up:
            return False
        life.paused_until = self._ends("process.fenced", 3, 60)
        world.disk.epoch += 1
        world.later(world.weather.span("process.fenced", 90, 400), lambda: world.stop.set())
        return True

    async def _jump(self) -> bool:
        """Somebody sets the clock of the machine wrong, and finds out later."""
        world = self._world
        size = world.weather.span("clock.jump", 1, 5400)
        world.set_wall(size if world.weather.number("clock.jump", 2) else -size)
        world.findings.tell(f"the wall clock is wrong by {world.wall_error}")

        def right() -> None:
            world.set_wall(timedelta(0))

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
        self._world.later(span, deed)


def _can_be_changed(record: OrderRecord) -> bool:
    is_quiet = record.pending is PendingRequest.NONE and record.status is OrderStatus.WORKING
    return is_quiet and record.order.strategy != EXTERNAL and record.order.order_type is not OrderType.MARKET


async def _changed(
    orders: OrderManager, order_id: str, *, quantity: Decimal | None = None, limit_price: Decimal | None = None
) -> None:
    with suppress(KillSwitchActiveError, NotReplaceable, InvalidOrder, JournalError, UnknownOrder):
        await orders.replace(order_id, quantity=quantity, limit_price=limit_price)
