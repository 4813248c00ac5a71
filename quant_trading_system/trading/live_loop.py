"""Runs an account on real time: wakes when something happens or is due, and stops in good order.

The same engine as in a backtest; only who calls it differs. Whatever fails here halts the account before it
ends the process: nothing that was sent is left without somebody to watch it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from enum import StrEnum
from typing import Protocol

from quant_trading_system.core.clock import wait_for_either
from quant_trading_system.core.events import HaltTrigger, RunFinished
from quant_trading_system.core.exceptions import (
    BrokerRejected,
    KillSwitchIncomplete,
    MarketDataError,
    NotSent,
    OrdersRemain,
    OutcomeUnknown,
)
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.core.orders import EXTERNAL
from quant_trading_system.execution.order_store import OrderRecord
from quant_trading_system.execution.stream_session import run_together
from quant_trading_system.market.history_view import HistoryView
from quant_trading_system.trading.reconciler import Reconciler
from quant_trading_system.trading.stop_patience import StopPatience
from quant_trading_system.trading.system import TradingSystem

TICK = timedelta(seconds=1)
"""The engine looks around at least this often, also when nothing wakes it, unless told otherwise."""
SETTLE = timedelta(seconds=10)
"""How long a stop waits for cancels to be confirmed."""


ASK_AGAIN = timedelta(seconds=15)
"""How often the broker is asked about orders in doubt."""
_NO_TIME = timedelta(0)
_NO_ANSWER = (OutcomeUnknown, MarketDataError, BrokerRejected, NotSent)


class OnStop(StrEnum):
    """What becomes of working orders when the process is told to stop."""

    CANCEL = "cancel"
    LEAVE = "leave"


class BarSource(Protocol):
    """Whoever knows when a bar has ended."""

    async def finished(self) -> HistoryView | None:
        """The history up to a bar that has ended since the last call, None while there is none.

        Raises:
            OutcomeUnknown, MarketDataError: it cannot be read now; asked again at the next tick.
        """


class LiveLoop:
    """Drives one account until it is told to stop."""

    def __init__(
        self,
        system: TradingSystem,
        bars: BarSource,
        *,
        run: str,
        on_stop: OnStop = OnStop.CANCEL,
        heartbeat: Callable[[], None] = lambda: None,
        reconciler: Reconciler | None = None,
        tell: Callable[[str], None] = lambda _: None,
        tick: timedelta = TICK,
        is_stepped: bool = False,
    ) -> None:
        """Prepare to run.

        Args:
            run: id of the run, for its last entry.
            on_stop: what to do with working orders in the end.
            heartbeat: called at every turn; tells others that the engine is alive.
            reconciler: runs beside it; told of every turn and of the end of the day.
            tell: takes one line about what happens, for people.
            tick: how often to look around when nothing wakes it.
            is_stepped: somebody moves time from turn to turn, so every turn waits for its answers.
        """
        self._system = system
        self._bars = bars
        self._run = run
        self._on_stop = on_stop
        self._heartbeat = heartbeat
        self._reconciler = reconciler
        self._tell = tell
        self._tick = tick
        self._is_stepped = is_stepped
        self._wake = asyncio.Event()
        self._halted = asyncio.Event()
        self._is_turning = False
        self._reading: asyncio.Task[HistoryView | None] | None = None
        self._looking: asyncio.Task[None] | None = None
        system.kill_switch.subscribe(lambda _: self._halted.set())
        self._stopping = False
        self._patience = StopPatience(system.ports.clock)
        self._day: date | None = None
        self._asked: float | None = None

    def wake(self) -> None:
        """Something has changed; look at it now."""
        self._wake.set()

    def stop(self) -> None:
        """End in good order, within `STOP_PATIENCE` whatever the broker does; a second call changes nothing."""
        self._stopping = True
        self._patience.begin()
        self._wake.set()

    def hurry(self) -> None:
        """End without waiting for the broker any longer; what is not confirmed by now is named: no good end."""
        self.stop()
        self._patience.hurry()

    async def run(self) -> None:
        """Go on until `stop`; an unexpected failure halts the account first and is then raised."""
        try:
            await run_together(self._turns_and_end(), self._guard())
        except BaseException as error:
            self._halt(error)
            self._patience.begin()
            if not await self._patience.lets(self._withdraw()):
                self._tell("asked to cancel; the broker's answers are not waited for")
            raise
        finally:
            await self._drop_questions()

    async def _turns_and_end(self) -> None:
        if not await self._patience.lets_end(self._turns()):
            self._tell("told to stop: the turn that was under way is given up, for the broker does not answer")
        self._is_turning = True  # a halt may come while the stop waits for the broker
        await self.end()

    async def _turns(self) -> None:
        while not self._stopping:
            await self.turn()
            await wait_for_either(self._system.ports.clock, self._wake, self._until_due())
            self._wake.clear()

    def _until_due(self) -> timedelta:
        """How long nothing is to be done: an algorithm is woken at its own moment, whatever the tick is."""
        due = self._system.engine.wake_at
        if due is None:
            return self._tick
        return max(min(self._tick, due - self._system.desk.market.now()), _NO_TIME)

    async def _guard(self) -> None:
        """Beside a turn that waits for the broker, limits are watched and a halt is carried out all the same."""
        while True:
            await wait_for_either(self._system.ports.clock, self._halted, self._tick)
            self._halted.clear()
            if self._is_turning:
                await self._system.engine.on_watch()

    async def turn(self) -> None:
        """Look around once: follow the day, mark, watch the limits, send what waits, ask for finished bars."""
        self._is_turning = True
        try:
            await self._turn()
        finally:
            self._is_turning = False

    async def _turn(self) -> None:
        if self._reconciler is not None:
            self._reconciler.feel_pulse()  # before anything is sent
        self._system.governance.tend()  # what time has ended no longer holds for what is sent now
        await self._follow_the_day()
        await self._system.engine.on_step()
        await self._ask_about_doubtful()
        history = await self._ended_bar()
        if history is not None:
            self._system.engine.on_bar(history)
            await self._system.engine.withdraw()
        await self._system.ports.journal.durable()  # what reports have told since the last turn
        self._heartbeat()

    async def _ended_bar(self) -> HistoryView | None:
        """A bar that has ended. It is read beside the turns: a host that is slow holds up nothing else."""
        if self._reading is None:
            self._reading = asyncio.ensure_future(self._bars.finished())
            self._reading.add_done_callback(self._wake_for)
            await asyncio.sleep(0)  # there is nothing to read most of the time
        if self._is_stepped:
            await asyncio.wait([self._reading])
        if not self._reading.done():
            return None
        reading, self._reading = self._reading, None
        try:
            return reading.result()
        except _NO_ANSWER as error:
            self._tell(f"no bars now: {error}")
            return None

    def _wake_for(self, reading: asyncio.Task[HistoryView | None]) -> None:
        if not reading.cancelled() and reading.exception() is None and reading.result() is not None:
            self.wake()

    async def _ask_about_doubtful(self) -> None:
        """Orders in doubt are looked up beside the turns, too."""
        if self._looking is None:
            self._looking = asyncio.ensure_future(self._look_up_doubtful())
        if self._is_stepped:
            await asyncio.wait([self._looking])
        if self._looking.done():
            looking, self._looking = self._looking, None
            looking.result()

    async def _drop_questions(self) -> None:
        for question in (self._reading, self._looking):
            if question is not None:
                question.cancel()
                await asyncio.gather(question, return_exceptions=True)

    async def _look_up_doubtful(self) -> None:
        orders, now = self._system.orders, self._system.ports.clock.monotonic()
        doubtful = [record for record in orders.open_orders() if record.status is OrderStatus.IN_DOUBT]
        if not doubtful or (self._asked is not None and now - self._asked < ASK_AGAIN.total_seconds()):
            return
        self._asked = now
        await self._resolve_each(doubtful, " stays in doubt")

    async def _resolve_each(self, records: Iterable[OrderRecord], state: str = "") -> None:
        """Ask the broker what became of orders, and tell of each without an answer, in what state that leaves it."""
        orders = self._system.orders
        for order_id in await orders.resolve_listed(record.order_id for record in records):
            try:
                await orders.resolve(order_id)
            except _NO_ANSWER as error:
                self._tell(f"{order_id}{state}: {error}")

    async def _follow_the_day(self) -> None:
        ports, opened = self._system.ports, self._system.monitor.opened_at
        session = ports.calendar.session_at(ports.market_clock.now())
        today = None if session is None else session.date
        if today == self._day:
            return
        if today is None or self._system.portfolio.unmarked:
            self._system.engine.mark_positions()
        if today is not None and (self._system.portfolio.unmarked or not self._system.monitor.can_open_day):
            return  # its opening equity is not known yet
        if session is not None and self._day is None and opened is not None and opened >= session.open:
            self._day = today  # opened before a restart; its losses count on
            return
        if self._day is not None:
            await self._system.engine.close_day()
            if self._reconciler is not None:
                self._reconciler.day_ended()
            self._tell(f"{self._day} closed, equity {self._system.portfolio.equity:,.2f}")
        if today is not None:
            self._system.engine.open_day()
            self._tell(f"{today} opened, equity {self._system.portfolio.equity:,.2f}")
        self._day = today

    async def end(self) -> None:
        """Withdraw or leave what is working, and close the run on record.

        Raises:
            OrdersRemain: an order was to be withdrawn and may be working still; this is no good end.
        """
        system, clock = self._system, self._system.ports.clock
        if self._on_stop is OnStop.CANCEL:
            system.desk.cancel_working("the engine stops")
            await self._withdraw_own()
            await self._patience.lets(system.desk.step())
        left = system.orders.open_orders()
        self._tell(f"stopped; {len(left)} orders are open by our books")
        journal = system.ports.journal
        journal.append(system.engine.state())
        own = self._own_orders() if self._on_stop is OnStop.CANCEL else []
        journal.append(
            RunFinished(
                at=clock.now(),
                run=self._run,
                orders=system.orders.count,
                fills=system.tracker.fills,
                policy=self._on_stop.value,
                remaining=tuple(record.order_id for record in own),
                hurried=self._patience.is_hurried,
            )
        )
        await journal.durable()
        if own:
            names = ", ".join(record.order_id for record in own)
            raise OrdersRemain(f"the broker has not confirmed the cancels of {names}; look at the broker")

    async def _withdraw_own(self) -> None:
        """Cancel, wait until that is confirmed, and ask about what is not; no longer than there is patience."""
        if await self._patience.lets(self._cancel_and_confirm()):
            return
        why = "told to stop again" if self._patience.is_hurried else "the broker does not answer"
        self._tell(f"{why}: cancels that are not confirmed are not waited for")

    async def _cancel_and_confirm(self) -> None:
        clock, orders = self._system.ports.clock, self._system.orders
        await self._cancel_own("the engine stops")
        deadline = clock.monotonic() + SETTLE.total_seconds()
        while self._own_orders() and clock.monotonic() < deadline:
            self._wake.clear()
            await wait_for_either(clock, self._wake, TICK / 10)
            await orders.tend()
        await self._resolve_each(self._own_orders())

    def _own_orders(self) -> list[OrderRecord]:
        """What is open, but for what somebody else placed and has to look after."""
        return [record for record in self._system.orders.open_orders() if record.order.strategy != EXTERNAL]

    async def _cancel_own(self, reason: str) -> int:
        """Ask for a cancel of every order of ours, whatever the journal says meanwhile; how many they were."""
        own = [record.order_id for record in self._own_orders()]
        await self._system.orders.cancel_each(own, reason)
        return len(own)

    async def _withdraw(self) -> None:
        """Cancel what is working, as far as that is possible still."""
        if self._on_stop is not OnStop.CANCEL:
            return
        try:
            asked = await self._cancel_own("the engine failed")
            self._tell(f"asked to cancel {asked} orders")
        except Exception as error:  # noqa: BLE001 - the failure that led here must be raised, whatever this one is
            self._tell(f"not everything could be cancelled: {error}")

    def _halt(self, error: BaseException) -> None:
        why = f"stopped: {error}" if isinstance(error, OrdersRemain) else f"the engine failed: {error!r}"
        try:
            self._system.kill_switch.activate(why, trigger=HaltTrigger.INTEGRITY, activated_by="live loop")
        except KillSwitchIncomplete as incomplete:
            self._tell(str(incomplete))
