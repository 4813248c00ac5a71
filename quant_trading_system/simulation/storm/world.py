"""Everything around the account on a stormy day: venue, network, disk, clock, people; and what happens when."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal

import msgspec

from quant_trading_system.config.loader import default_limits
from quant_trading_system.core.exceptions import ResetRefused
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.simulation.activities import FEE, ActivityQuery
from quant_trading_system.simulation.alpaca_server.accounts import AccountSpec, Desk, HouseRules
from quant_trading_system.simulation.alpaca_server.app import Front
from quant_trading_system.simulation.alpaca_server.host import Host
from quant_trading_system.simulation.alpaca_server.in_process import InProcess
from quant_trading_system.simulation.alpaca_server.venue_time import RunningClock
from quant_trading_system.simulation.faults import NO_FAULTS, Faults
from quant_trading_system.simulation.fees import FeeSchedule
from quant_trading_system.simulation.models import FillModel, stream
from quant_trading_system.simulation.storm.auditor import Auditor
from quant_trading_system.simulation.storm.closing import damaged_journal, differing_books, differing_state
from quant_trading_system.simulation.storm.deeds import Deeds
from quant_trading_system.simulation.storm.disk import Disk, DiskLatch
from quant_trading_system.simulation.storm.door_deeds import CASH
from quant_trading_system.simulation.storm.life import CrashPoints, Life, LifeClock
from quant_trading_system.simulation.storm.network import Network
from quant_trading_system.simulation.storm.plainness import KEY_ID, SECRET, is_plain
from quant_trading_system.simulation.storm.plan import CALM, DayPlan
from quant_trading_system.simulation.storm.scenery import scene, stocks
from quant_trading_system.simulation.storm.sockets import Lines, Spoil
from quant_trading_system.simulation.storm.streams_spoilt import OrderFrames, PriceFrames
from quant_trading_system.simulation.storm.timetable import EARLY, EARLY_CLOSE, NIGHT, UNSCHEDULED_CLOSE, timetable_of
from quant_trading_system.simulation.storm.virtual_time import VirtualClock, VirtualLoop
from quant_trading_system.simulation.storm.weather import Weather

TICKS = (timedelta(seconds=2), timedelta(seconds=5), timedelta(seconds=10))
"""How often the engine looks around by itself; the slow ones make room for more days."""
BARS = (timedelta(minutes=1), timedelta(minutes=2), timedelta(minutes=5))
"""How often the strategy is asked what it wants."""
ORDERS_A_DAY = (5000, 5000, 5000, 40)
"""Limits of which chance chooses one; the last one ends a day of trading early."""
PERSON = "risk desk"
T_RESOLVE = timedelta(seconds=10)
"""After a quiet time, the longest until everybody's books agree."""
T_SETTLE = timedelta(seconds=90)
"""The longest that a process takes to end in good order."""

_BETWEEN_BARS = timedelta(minutes=2, seconds=30)
_COMPARE_EVERY = timedelta(minutes=13)
_PARTS = 4
_MANY = 1_000_000
"""Lost answers that a storm may bring: it is made of them, and the account is to live on."""
_THOUSAND = 1000
_AT_VENUE = {
    "lose_report": "report.lost",
    "delay_report": "report.delayed",
    "double_fill": "fill.double",
    "reject_later": "order.reject_later",
    "late_fill": "fill.late",
    "parts": "fill.parts",
}
"""What the venue does on purpose, by the field of its faults."""
_SILENCING = ("http.", "stream.", "feed.", "cancel.", "submit.", "lookup.", "list.", "read.", "report.", "history.")
"""Kinds that can keep broker and account from hearing each other."""


class World:
    """What lives on when the account's process dies.

    Attributes:
        life: the present life of the account, or the last one.
        findings: what was checked, and what did not hold.
        start_second: starts the account's program a second time; `kill_watchdog`: ends the watchdog.
        timetable: when the day begins and ends, and its night.
        stop: tells the present life to end in good order.
        bar: length of the bars that the strategy sees.
        tick: how often the account's engine looks around when nothing wakes it.
        is_over: the day is over; no life begins any more.
        limits: what the limits file says now; `shipped_limits`: what it said in the morning.
        was_split: shares moved without a trade, and nobody has answered for them yet.
    """

    def __init__(self, plan: DayPlan, loop: VirtualLoop) -> None:
        self.plan = plan
        self.symbols = stocks(plan.seed)
        self.tick = stream(plan.seed, "clock/tick").choice(TICKS)
        self.timetable = timetable_of(plan.seed, plan.kinds, plan.minutes)
        self.clock = VirtualClock(loop, self.timetable.start)
        self.weather = Weather(plan.seed, plan.kinds)
        self.points = CrashPoints(plan.kill_at)
        self.bar = stream(plan.seed, "workload/bar").choice(BARS)
        self.lines = Lines()
        silenced = any(name.startswith(_SILENCING) for name in plan.kinds)
        self.auditor = Auditor(self.clock, self.tick, responsive=not silenced)
        self.findings = self.auditor.findings
        self.disk = Disk(plan.seed, self.weather, self.auditor.entry_written, self.auditor.latch_moved)
        self.wall_error = timedelta(0)
        self.host = self._venue()
        self.front = Front(self.host, self.clock, 0)
        self.network = Network(
            plan.seed,
            InProcess(self.front),
            self.clock,
            self.weather,
            self.auditor,
        )
        self.auditor.watch(self.disk, self.desk.venue)
        self.life = Life(0, self.points)
        self.stop = asyncio.Event()
        self.start_second: Callable[[], Awaitable[bool]] = _nobody
        self.kill_watchdog: Callable[[], bool] = lambda: False
        self._deeds = Deeds(self)
        self.disk.halt = self.network.halt = self._deeds.halt
        self.is_over = False
        self.limits = self.shipped_limits = msgspec.structs.replace(
            default_limits(),
            allow_short=True,
            max_broker_errors=_MANY,
            max_orders_per_day=stream(plan.seed, "workload/pace").choice(ORDERS_A_DAY),
        )
        self.was_split = False
        self._draw = stream(plan.seed, "clock/lives")
        self._morning = timedelta(0)
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def desk(self) -> Desk:
        """The account at the venue."""
        return self.host.desks[0]

    def _venue(self) -> Host:
        plan = self.plan
        market = scene(plan.seed, self.symbols, self.clock.now(), self.timetable)
        fees = FeeSchedule.alpaca() if "account.fee" in plan.kinds else FeeSchedule.zero()
        chance = Decimal(self.weather.levels.get("fill.parts", 0)) / 1200
        rules = HouseRules(plan.seed, fees, FillModel(partial_chance=chance), Decimal(2))
        spec = AccountSpec("storm", KEY_ID, SECRET, CASH)
        return Host(market, RunningClock(self.clock, self.clock.now()), [spec], rules)

    # -- the day ---------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Venue, people and weather begin."""
        self.host.begin()
        self.desk.venue.faults = self._venue_faults()
        storm = timedelta(minutes=max(self.plan.minutes - CALM, 1))
        works = (self.host.run(), self._weather(storm), self._people(), self._compare_now_and_then(), self._night())
        for work in works:
            self._tasks.append(asyncio.get_running_loop().create_task(work))

    async def until_the_end(self) -> None:
        """Return when the day is over."""
        await self._until(EARLY + timedelta(minutes=self.plan.minutes) + _BETWEEN_BARS)
        await self._require_agreement()
        self.is_over = True

    async def end(self) -> None:
        """Everybody goes home."""
        self.network.end()
        for name in ("orders", "prices"):
            self.lines.cut(name)
        for task in self._tasks:
            task.cancel()
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    def next_life(self) -> tuple[Life, LifeClock]:
        """The process starts again."""
        self.life = Life(self.life.number + 1, self.points)
        self.stop = asyncio.Event()
        self.auditor.life_began(self.life)
        return self.life, LifeClock(self.life, self.clock, lambda: self.wall_error)

    def restart_pause(self) -> timedelta:
        """How long it takes until somebody, or something, starts the process again; nobody does at night."""
        usual = timedelta(milliseconds=self._draw.randint(500, 20_000))
        return max(usual, self._morning - timedelta(seconds=self.clock.monotonic()))

    def tell(self, line: str) -> None:
        """The account tells people something."""
        invariant = "I29" if SECRET in line else "I30"
        self.findings.require(invariant, is_plain(line), lambda: f"people are told {line!r}")
        self.findings.tell(line)

    def set_wall(self, error: timedelta) -> None:
        """The machine's wall clock is wrong by so much from now on."""
        self.wall_error = error
        self.auditor.wall_set(error)

    def later(self, span: timedelta, deed: Callable[[], None]) -> None:
        """Do something after a while."""
        asyncio.get_running_loop().call_later(span.total_seconds(), deed)

    async def _night(self) -> None:
        """The exchange has closed: the process is stopped, or killed, or the machine sleeps until the morning."""
        if self.timetable.evening is None:
            return
        await self.clock.sleep(self.timetable.evening)
        self._morning = self.timetable.morning
        how = stream(self.plan.seed, "clock/evening").choice(("stopped", "killed", "asleep"))
        self.findings.tell(f"night: the process is {how}")
        self.weather.count(NIGHT)
        if how == "stopped":
            self.stop.set()
        elif how == "killed":
            self.life.die()
        else:
            self.life.paused_until = self._morning.total_seconds()

    def spoil(self, name: str) -> Spoil:
        """What the line does to the frames of a stream."""
        return OrderFrames(self.weather) if name == "orders" else PriceFrames(self.weather)

    # -- what goes wrong at moments of its own ---------------------------------------------------------------------

    def _venue_faults(self) -> Faults:
        level = self.weather.levels

        def chance(name: str) -> Decimal:
            return Decimal(level.get(name, 0)) / _THOUSAND

        return Faults(
            lose_report=chance("report.lost"),
            delay_report=chance("report.delayed"),
            double_fill=chance("fill.double"),
            reject_later=chance("order.reject_later"),
            late_fill=chance("fill.late"),
            parts=_PARTS if "fill.parts" in level else 1,
        )

    @property
    def injected(self) -> Counter[str]:
        """How often each kind struck, those at the venue included."""
        struck = self.desk.venue.struck
        counts = Counter({kind: struck.get(field, 0) for field, kind in _AT_VENUE.items()})
        charged = self.desk.venue.activities(ActivityQuery(types=frozenset({FEE}), page_size=1_000_000))
        if "account.fee" in self.plan.kinds:
            counts["account.fee"] = len(charged)
        for kind in (EARLY_CLOSE, UNSCHEDULED_CLOSE):
            counts[kind] = int(kind == self.timetable.closing)
        return self.weather.injected + counts

    async def _weather(self, storm: timedelta) -> None:
        """Let every timed kind strike at its moments, then calm everything."""
        deeds = self._deeds.all()
        agenda = sorted((moment, name) for name in deeds for moment in self.weather.moments(name, storm))
        for moment, name in agenda:
            await self._until(EARLY + moment)
            if await deeds[name]():
                self.weather.count(name)
        await self._until(EARLY + storm)
        self._calm()

    # -- comparing books -------------------------------------------------------------------------------------------

    async def _compare_now_and_then(self) -> None:
        """Between two steps of the engine, a replay of its journal gives the books that it has."""
        while True:
            await self.clock.sleep(_COMPARE_EVERY)
            self._compare_state()

    def _compare_state(self) -> None:
        life = self.life
        moved = self.clock.monotonic() - self.auditor.latch_moved_at
        noticed = moved > 2 * self.tick.total_seconds() + 5 and life.paused_until < self.clock.monotonic() - 60
        if life.is_alive and life.is_up and life.state is not None and noticed:
            self.findings.checks["I8"] += 1
            for invariant, what in differing_state(self.disk, life.state()):
                self.findings.report(invariant, what)

    async def _require_agreement(self) -> None:
        """Nothing has gone wrong for a long time: the account runs, and everybody's books say the same."""
        self.findings.require(
            "I32", self.life.is_alive and self.life.is_up, "the account does not run, and all is well"
        )
        waited = timedelta(0)
        while (found := differing_books(self.auditor, self.desk.venue)) and waited < T_RESOLVE:
            await self.clock.sleep(timedelta(seconds=1))
            waited += timedelta(seconds=1)
        self._report(found)
        self._compare_state()

    def require_good_end(self) -> None:
        """The last process has ended: nothing is open, the record is sound and agrees with the venue."""
        intents = self.auditor.ledger.intents.values()
        open_here = [i.order_id for i in intents if i.is_open and i.order_id in self.auditor.sent]
        self.findings.require("I32", not open_here, f"the process ended and {', '.join(open_here)} is open")
        self._report(differing_books(self.auditor, self.desk.venue))
        self._report(damaged_journal(self.disk))

    def _report(self, found: list[tuple[str, str]]) -> None:
        self.findings.checks.update(("I2", "I3", "I4", "I8", "I10", "I25"))
        for invariant, what in found:
            self.findings.report(invariant, what)

    async def _until(self, awake: timedelta) -> None:
        await self.clock.sleep(self.timetable.since_start(awake) - timedelta(seconds=self.clock.monotonic()))

    def _calm(self) -> None:
        self.weather.is_calm = True
        self.desk.venue.faults = NO_FAULTS
        self.network.storm_until = self.network.maintenance_until = self.network.refuses_streams_until = 0.0
        self.front.limiter.per_minute = 0
        self.set_wall(timedelta(0))
        for name in ("orders", "prices"):
            self.lines.mute(name, mute=False)
        self.auditor.calm_began()

    # -- people ----------------------------------------------------------------------------------------------------

    async def _people(self) -> None:
        """Look at the account once a minute; a halt that nobody needs any more is ended after a while."""
        halted = 0
        while True:
            await self.clock.sleep(timedelta(minutes=1))
            halted = halted + 1 if self.disk.latch.level else 0
            if halted > 3:
                self._reset()

    def _reset(self) -> None:
        self.auditor.is_resetting = True
        try:
            KillSwitch(latch=DiskLatch(self.disk), clock=self.clock).reset(PERSON, "looked at it and found the cause")
        except ResetRefused as refused:
            self.findings.tell(f"a reset was refused: {refused}")
        finally:
            self.auditor.is_resetting = False


async def _nobody() -> bool:
    return False
