"""The venue's time: real, faster than real, or moved by hand, and a calendar that is open whenever it is needed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol

from quant_trading_system.core.clock import Clock, ManualClock
from quant_trading_system.market.sessions import NEW_YORK, Session, TradingCalendar

FIRST_DAY = date(1990, 1, 1)
LAST_DAY = date(2029, 12, 31)
"""What the calendar of the venue covers."""

_ONE_DAY = timedelta(days=1)


class VenueClock(Clock, Protocol):
    """A clock that can also be set forward."""

    def leap_to(self, moment: datetime) -> None:
        """It is `moment` now; a moment in the past changes nothing."""


class RunningClock:
    """Time that passes by itself, `speed` seconds in every real one."""

    def __init__(self, real: Clock, start: datetime, speed: float = 1.0) -> None:
        """Begin at `start`, now.

        Raises:
            ValueError: `speed` is not above zero.
        """
        if not speed > 0:
            raise ValueError(f"speed is {speed}; time runs forward, at 1 in real time")
        self._real = real
        self._speed = speed
        self._start = start.astimezone(UTC)
        self._began = real.monotonic()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=(self._real.monotonic() - self._began) * self._speed)

    def monotonic(self) -> float:
        return (self._real.monotonic() - self._began) * self._speed

    async def sleep(self, span: timedelta) -> None:
        await self._real.sleep(span / self._speed)

    def leap_to(self, moment: datetime) -> None:
        self._start += max(moment - self.now(), timedelta(0))


class SteppedClock(ManualClock):
    """Time that stands still until somebody moves it."""

    def leap_to(self, moment: datetime) -> None:
        self.move_to(max(moment, self.now()))


class AlwaysOpenCalendar(TradingCalendar):
    """The calendar of the exchange until a day, and from that day on a session from midnight to midnight every day."""

    def __init__(self, exchange: TradingCalendar, since: date) -> None:
        """Keep the sessions of `exchange` before `since`."""
        before = exchange.sessions_between(exchange.first_day, since - _ONE_DAY)
        super().__init__([*before, *_every_day(since, exchange.last_day)], exchange.first_day, exchange.last_day)

    def trade_date(self, moment: datetime) -> date:
        session = self.session_at(moment)
        return super().trade_date(moment) if session is None else session.date


def exchange_calendar() -> TradingCalendar:
    """The New York Stock Exchange as far as the venue knows it."""
    return TradingCalendar.nyse(FIRST_DAY, LAST_DAY)


def new_york_midnight(day: date) -> datetime:
    """The beginning of a day in New York, in UTC."""
    return datetime.combine(day, time(), NEW_YORK).astimezone(UTC)


def _every_day(first: date, last: date) -> Iterator[Session]:
    day = first
    while day <= last:
        yield Session(day, new_york_midnight(day), new_york_midnight(day + _ONE_DAY))
        day += _ONE_DAY
