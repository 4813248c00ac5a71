"""The watchdog of a stormy day: the real one, on virtual time, with its own line to the venue."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from quant_trading_system.app.heartbeat import Heartbeat
from quant_trading_system.app.watchdog import Watchdog, WatchdogLimits
from quant_trading_system.app.watchdog_record import RecordEntry
from quant_trading_system.app.watching import AlpacaCanceller
from quant_trading_system.execution.alpaca_api import AlpacaApi
from quant_trading_system.execution.alpaca_client import AlpacaClient
from quant_trading_system.execution.credentials import Credentials
from quant_trading_system.execution.notices import Notice
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.simulation.storm.broker_deeds import HEADERS
from quant_trading_system.simulation.storm.disk import DiskLatch
from quant_trading_system.simulation.storm.life import CrashPoints, Killed, Life, LifeClock
from quant_trading_system.simulation.storm.network import VenueTransport
from quant_trading_system.simulation.storm.plainness import KEY_ID, SECRET
from quant_trading_system.simulation.storm.world import World


class Watchdogs:
    """Every watchdog that is started on one day.

    Attributes:
        engine: the last sign of life of the account's process; `sign`: that of a watchdog.
        record: what watchdogs have put down.
    """

    def __init__(self, world: World) -> None:
        """Watch over the account of `world`; nobody does before `launch`."""
        self.engine: Heartbeat | None = None
        self.sign: Heartbeat | None = None
        self.record: list[RecordEntry] = []
        self._world = world
        self._lives: list[Life] = []

    def launch(self) -> WatchdogProcess:
        """Start one."""
        life = Life(len(self._lives) + 1, CrashPoints(), is_watchdog=True)
        self._lives.append(life)
        process = WatchdogProcess(life, self._stopped)
        life.tasks.begin(self._watch(life, process))
        self._world.auditor.watchdog_lives(lives=True)
        return process

    def kill(self) -> bool:
        """Kill all; False when none lived."""
        living = [life for life in self._lives if life.is_alive]
        for life in living:
            life.die()
            self._stopped()
        if living:
            self._world.findings.tell("the watchdog was killed")
        return bool(living)

    async def end(self) -> None:
        """The day is over."""
        for life in self._lives:
            life.die()
            await life.tasks.end()

    def _stopped(self) -> None:
        if not any(life.is_alive for life in self._lives):
            self._world.auditor.watchdog_lives(lives=False)

    async def _watch(self, life: Life, process: WatchdogProcess) -> None:
        world, sign = self._world, self.engine
        clock = LifeClock(life, world.clock, lambda: world.wall_error)
        line = VenueTransport(world.network, life, clock, HEADERS)
        hide = Credentials(KEY_ID, SECRET).hidden_in

        def tell(notice: Notice) -> None:
            world.findings.tell(f"watchdog: {notice.message}")

        def beat(looks: int) -> None:
            life.require()
            account = "" if self.engine is None else self.engine.account
            self.sign = Heartbeat(beats=looks, turns=looks, pid=life.number, epoch=0, account=account)

        def note(epoch: int, what: str) -> None:
            now = clock.now()
            entry = f"{now:%Y%m%dT%H%M%S%f}-{life.number}-{len(self.record)}"
            self.record.append(RecordEntry(entry=entry, at=now, pid=life.number, epoch=epoch, what=what))
            world.findings.tell(f"watchdog: {what}")

        watchdog = Watchdog(
            clock,
            KillSwitch(latch=DiskLatch(world.disk, life), clock=clock),
            AlpacaCanceller(AlpacaClient(AlpacaApi(line, clock, tell, source="watchdog", hide=hide))),
            account="" if sign is None else sign.account,
            read=lambda: self.engine,
            beat=beat,
            note=note,
            limits=WatchdogLimits(),
        )
        with suppress(Killed):
            await watchdog.run()
        process.end()


class WatchdogProcess:
    """A watchdog as the engine that started it sees it; a `Child`."""

    def __init__(self, life: Life, stopped: Callable[[], None]) -> None:
        self._life = life
        self._stopped = stopped

    def poll(self) -> int | None:
        return None if self._life.is_alive else 0

    def kill(self) -> None:
        self.end()

    def end(self) -> None:
        """It is gone."""
        self._life.die()
        self._stopped()
