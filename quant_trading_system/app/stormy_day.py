"""One stormy day: the very account that trades live, on virtual time, against the venue, under seeded faults.

The account's process is started, killed and started again as often as the day wants it; venue, network and disk
live on. When the storm is over the day has to end in good order, and the auditor compares everybody's books.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import copy_context
from datetime import timedelta
from functools import partial
from pathlib import Path

from quant_trading_system.app.heartbeat import Heartbeat
from quant_trading_system.app.live import open_account
from quant_trading_system.app.live_parts import LiveSetup
from quant_trading_system.app.stopping import unless_stopped
from quant_trading_system.app.stormy_watchdog import Watchdogs
from quant_trading_system.app.surroundings import Lines, Surroundings
from quant_trading_system.core.clock import Clock
from quant_trading_system.core.exceptions import JournalUnavailable, NotReconciled, TradingError
from quant_trading_system.execution.account_lock import Holder
from quant_trading_system.execution.alpaca_api import AlpacaApi
from quant_trading_system.execution.alpaca_client import AlpacaClient
from quant_trading_system.execution.alpaca_data import AlpacaData
from quant_trading_system.execution.credentials import Access, Credentials, Endpoints, TradingMode
from quant_trading_system.execution.notices import Notify
from quant_trading_system.risk.latch import MemoryLatch
from quant_trading_system.simulation.storm.broker_deeds import HEADERS
from quant_trading_system.simulation.storm.disk import DiskJournal, DiskLatch, DiskLock
from quant_trading_system.simulation.storm.life import CrashPoints, Killed, Life, LifeClock
from quant_trading_system.simulation.storm.network import VenueTransport
from quant_trading_system.simulation.storm.plainness import KEY_ID, SECRET
from quant_trading_system.simulation.storm.plan import DayPlan
from quant_trading_system.simulation.storm.scenery import Gambler, universe
from quant_trading_system.simulation.storm.sockets import VenueSockets
from quant_trading_system.simulation.storm.virtual_time import OWNER, VirtualLoop, run_virtually
from quant_trading_system.simulation.storm.world import PERSON, T_SETTLE, World
from quant_trading_system.trading.operations import Operations

LOOKBACK = timedelta(days=4)
_NOWHERE = Path("stormy-day")


def stormy_day(plan: DayPlan) -> World:
    """Live through the day; the world as it is afterwards."""
    return run_virtually(partial(_live_through, plan))


async def _live_through(plan: DayPlan, loop: VirtualLoop) -> World:
    world = World(plan, loop)
    world.start_second = partial(_start_second, world)
    guards = Watchdogs(world)
    world.kill_watchdog = guards.kill
    world.begin()
    over = loop.create_task(world.until_the_end())
    adopted_by = ""
    try:
        while not world.is_over:
            life, clock = world.next_life()
            error = await _one_life(world, life, clock, over, adopted_by, guards)
            adopted_by = PERSON if isinstance(error, NotReconciled) and await _is_explained(world) else ""
            if not world.is_over:
                await world.clock.sleep(world.restart_pause())
        world.require_good_end()
    finally:
        over.cancel()
        await world.end()
        await guards.end()
    return world


async def _one_life(
    world: World, life: Life, clock: LifeClock, over: asyncio.Task[None], adopted_by: str, guards: Watchdogs
) -> BaseException | None:
    """From a start of the process to its end, whichever that is; the error that ended it."""
    loop, context = asyncio.get_running_loop(), copy_context()
    context.run(OWNER.set, life.tasks)
    process = loop.create_task(_trade(world, life, clock, adopted_by, guards), context=context)
    died = loop.create_task(life.died.wait())
    await asyncio.wait((process, died, over), return_when=asyncio.FIRST_COMPLETED)
    if over.done() and not process.done():
        over.result()
        world.stop.set()
        patience = loop.create_task(world.clock.sleep(T_SETTLE))
        await asyncio.wait((process, died, patience), return_when=asyncio.FIRST_COMPLETED)
        world.findings.require("I32", process.done() or not life.is_alive, "the process was told to end and does not")
        patience.cancel()
    died.cancel()
    error = process.exception() if process.done() and not process.cancelled() and life.is_alive else None
    world.findings.tell(f"life {life.number} ends: {error!r}" if life.is_alive else f"life {life.number} was killed")
    life.die()
    await life.tasks.end()
    world.disk.crash()
    expected = error is None or isinstance(error, TradingError | Killed)
    world.findings.require("I32", expected, f"the process failed with {error!r}")
    return error


async def _trade(world: World, life: Life, clock: LifeClock, adopted_by: str, guards: Watchdogs) -> None:
    async with AsyncExitStack() as stack:
        around = _surroundings(world, life, clock, guards)
        opening = open_account(_setup(world, adopted_by), around, stack, world.tell)
        account = await unless_stopped(world.stop, opening)
        if account is None:
            return
        life.state = account.system.engine.state
        life.orders = account.system.orders
        await account.run(world.stop)


async def _start_second(world: World) -> bool:
    """The program is started again while it runs already; it has to see that and do nothing."""
    second = Life(0, CrashPoints())
    clock = LifeClock(second, world.clock, lambda: world.wall_error)
    around = _surroundings(world, second, clock, Watchdogs(world))
    refused = False
    try:
        async with AsyncExitStack() as stack:
            await open_account(_setup(world, ""), around, stack, world.tell)
    except JournalUnavailable:
        refused = True
    second.die()
    await second.tasks.end()
    world.findings.require("I27", refused, "a second process opened the account")
    return True


async def _is_explained(world: World) -> bool:
    """Somebody trades beside the program, and a person ends his open orders; or shares were split."""
    others = [order for order in world.auditor.orders_at_venue() if order.client_order_id not in world.auditor.sent]
    for order in others:
        if order.status.is_open:
            await world.network.venue.ask("DELETE", f"/v2/orders/{order.venue_order_id}", (), HEADERS, b"")
    return bool(others) or world.was_split


def _setup(world: World, adopted_by: str) -> LiveSetup:
    return LiveSetup(
        access=Access(Credentials(KEY_ID, SECRET), Endpoints.derived("http://127.0.0.1:1")),
        mode=TradingMode.LOCAL,
        directory=_NOWHERE,
        strategies=[Gambler(world.plan.seed)],
        universe=universe(world.symbols),
        limits=world.limits,
        span=world.bar,
        lookback=LOOKBACK,
        adopted_by=adopted_by,
        watchdog=("watchdog",) if "watchdog.dies" in world.plan.kinds else (),
    )


def _surroundings(world: World, life: Life, clock: LifeClock, guards: Watchdogs) -> Surroundings:
    async def connect(access: Access, feed: str, time: Clock, stack: AsyncExitStack, notify: Notify) -> Lines:
        apis = []
        for source in ("trading", "data"):
            line = VenueTransport(world.network, life, clock, HEADERS)
            api = AlpacaApi(line, time, notify, source=source, hide=access.credentials.hidden_in)
            stack.push_async_callback(api.close)
            apis.append(api)
        sockets = VenueSockets(world.network, life, clock, world.lines, world.spoil)
        return Lines(client=AlpacaClient(apis[0]), data=AlpacaData(apis[1], feed=feed), sockets=sockets)

    def beat(_: Path, sign: Heartbeat) -> None:
        life.beat(sign.turns)
        guards.engine = sign

    @asynccontextmanager
    async def open_door(_: Path, operations: Operations, __: Callable[[str], None]) -> AsyncIterator[None]:
        life.door = operations
        try:
            yield
        finally:
            life.door = None
            await operations.close()

    def take_lock(directory: Path, account: str, after: int, time: Clock) -> DiskLock:
        claim = Holder(
            account=account, epoch=after, pid=life.number, host="storm", since=time.now(), directory=str(directory)
        )
        return DiskLock(world.disk, life, claim)

    return Surroundings(
        clock=clock,
        connect=connect,
        open_journal=lambda _: DiskJournal(world.disk, life, clock),
        open_latch=lambda _: DiskLatch(world.disk, life),
        open_host_latch=lambda _: MemoryLatch(),
        take_lock=take_lock,
        beat=beat,
        watchdog_heartbeat=lambda _: guards.sign,
        watchdog_record=lambda _: guards.record,
        record_notice=lambda _, __, notice: world.tell(notice.message),
        launch=lambda _, __: guards.launch(),
        open_door=open_door,
        tick=world.tick,
    )
