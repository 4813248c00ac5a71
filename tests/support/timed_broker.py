"""A broker that tells the time and its trading days, and an account that holds its own clock against it."""

from __future__ import annotations

import asyncio
from datetime import date, datetime, timedelta

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.decisions import Rejection, Rule
from quant_trading_system.core.exceptions import BrokerTimeout
from quant_trading_system.core.orders import Order
from quant_trading_system.execution.alpaca_models import BrokerClock, CalendarDay
from quant_trading_system.market.sessions import NEW_YORK, Calendar
from tests.support.desk import Account
from tests.support.market import NOON, JumpingClock
from tests.support.scripted_statement import Reconciled


class TimedBroker:
    """Tells the true time, but for `off`, after `travel`, there and back."""

    def __init__(self, clock: JumpingClock, library: Calendar) -> None:
        self._clock = clock
        self._library = library
        self.travel = (timedelta(), timedelta())
        self.off = timedelta()
        self.asked = 0
        self.is_mute = False
        self.days: dict[date, tuple[str, str] | None] = {}

    async def clock(self) -> BrokerClock:
        """Its clock."""
        self.asked += 1
        if self.is_mute:
            raise BrokerTimeout("no answer in 5 s")
        self._clock.move_to(ManualClock.now(self._clock) + self.travel[0])
        told = ManualClock.now(self._clock) + self.off
        self._clock.move_to(ManualClock.now(self._clock) + self.travel[1])
        return BrokerClock(timestamp=told, is_open=True, next_open=told, next_close=told)

    async def calendar(self, start: date, end: date) -> tuple[CalendarDay, ...]:
        """Its trading days: those of the library, but for `days`."""
        found = []
        for number in range((end - start).days + 1):
            day = start + timedelta(days=number)
            known = self._library.session_on(day)
            hours = None if known is None else (_local(known.open), _local(known.close))
            hours = self.days.get(day, hours)
            if hours is not None:
                found.append(CalendarDay(date=day, open=hours[0], close=hours[1]))
        return tuple(found)


def _local(moment: datetime) -> str:
    return moment.astimezone(NEW_YORK).strftime("%H:%M")


class TimedScene(Reconciled):
    """A reconciled account at a broker that tells the time."""

    def __init__(self, account: Account | None = None) -> None:
        account = account or Account(clock=JumpingClock(NOON))
        assert isinstance(account.clock, JumpingClock)
        self.wall = account.clock
        self.broker = TimedBroker(self.wall, account.system.ports.calendar)
        super().__init__(account=account, times=self.broker)

    @property
    def said(self) -> list[str]:
        """What people were told about clocks."""
        return [notice.message for notice in self.notices if notice.source == "clock"]

    def verdict(self, order: Order) -> Rule | None:
        """Which rule refuses an order on fresh quotes; None when it leaves."""
        self.account.offer()
        return self.verdict_now(order)

    def verdict_now(self, order: Order) -> Rule | None:
        """The same on the quotes that there are."""
        self.account.system.agreement.trust("pause")  # of a jump, too; a full look later
        answer = self.account.submit(order)
        return answer.rule if isinstance(answer, Rejection) else None


def reconciled() -> TimedScene:
    """One that has compared everything, clocks included."""
    scene = TimedScene()
    asyncio.run(scene.start())
    return scene
