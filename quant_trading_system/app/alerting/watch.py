"""Watches the journal and the heartbeat of one account, and tells people; beside the server, or as its own process.

One process tells at a time: it holds a lock, and when it ends another takes over with the record that it left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path

from quant_trading_system.app.alerting.book import Alert, AlertBook, Began, Delivered
from quant_trading_system.app.alerting.conditions import LATCHED, PATIENCE, conditions, is_of_the_moment, noticed
from quant_trading_system.app.alerting.delivery import Delivery, message
from quant_trading_system.app.alerting.settings import FIRST, SECOND, AlertSettings
from quant_trading_system.app.notice_record import NoticeReader
from quant_trading_system.app.readings.alert_fold import AlertLine
from quant_trading_system.app.readings.alert_kinds import Weight
from quant_trading_system.app.readings.engine import EngineReading
from quant_trading_system.app.readings.follower import CHUNK, Follower
from quant_trading_system.core.clock import Clock
from quant_trading_system.core.exceptions import JournalUnavailable
from quant_trading_system.journal.private_files import WriterLock

Aside = Callable[[Callable[[], None]], Awaitable[None]]
LOCK_FILE = "alerts.lock"
PAUSE = timedelta(milliseconds=250)
LOOK = timedelta(seconds=1)
TRY_AGAIN = timedelta(seconds=15)
"""After no channel of a group has worked."""
TOLD_LATE = timedelta(hours=24)
"""What happened longer ago, while nobody watched, goes on record and is not told."""
_LOUD = (Weight.PAGE, Weight.CRITICAL)


class AlertWatch:
    """Sees, records and tells.

    Attributes:
        book: what is on record.
    """

    def __init__(
        self,
        follower: Follower,
        engine: Callable[[], EngineReading],
        book: AlertBook,
        settings: AlertSettings,
        delivery: Delivery,
        clock: Clock,
        aside: Aside = asyncio.to_thread,
    ) -> None:
        """Watch the account of `follower`; `engine` tells of its engine and is called once a second.

        Args:
            aside: runs what reads and writes files where it keeps nobody waiting.
        """
        self.book = book
        self._follower = follower
        self._engine = engine
        self._aside = aside
        self._settings = settings
        self._delivery = delivery
        self._clock = clock
        self._notices = NoticeReader(follower.directory)
        self._holds_since: dict[str, float] = {}
        self._lasting: set[str] = set()
        self._seq = -1
        self._looks_at = clock.monotonic()
        self._telling: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Watch for ever; waits while another process does."""
        lock = await self._lock()
        try:
            await self._aside(self.begin)
            while True:
                await self._aside(self.look)
                self.send()
                await self._clock.sleep(PAUSE)
        finally:
            for task in self._telling.values():
                task.cancel()
            lock.release()

    def begin(self) -> None:
        """Go on where the record ends; without one, with what happens from now on and what is wrong now."""
        self._follower.catch_up()
        if self.book.is_new:
            self.book.write(Began(at=self._clock.now(), seq=self._follower.seq))
        self.book.follow()
        self._seq = self.book.seq
        self._lasting = {alert.line.key for alert in self.book.open() if is_of_the_moment(alert.line)}

    def look(self) -> None:
        """One look at everything; what is new goes on record."""
        now = self._clock.now()
        with self.book.lock:
            self.book.follow()
            for line in self._news():
                self.book.see(line, now)
            if self._clock.monotonic() >= self._looks_at:
                self._looks_at = self._clock.monotonic() + LOOK.total_seconds()
                self._see_conditions(now)

    def send(self) -> None:
        """Whatever has to be told now is on its way."""
        now = self._clock.now()
        for group in self._delivery.groups:
            self._tell(group, now)

    async def settled(self) -> None:
        """Wait until everything that is on its way has arrived or failed."""
        while self._telling:
            await asyncio.gather(*self._telling.values())

    def _news(self) -> Iterable[AlertLine]:
        found: list[AlertLine] = []
        while True:
            taken = self._follower.poll(CHUNK)
            with self._follower.lock:
                lines = [line for line in self._follower.views.alerts.lines if line.seq > self._seq]
            found += lines
            self._seq = max([self._seq, *(line.seq for line in lines)])
            if taken < CHUNK:
                break
        return [*found, *(line for entry in self._notices.news() if (line := noticed(entry)) is not None)]

    def _see_conditions(self, now: datetime) -> None:
        moment = self._clock.monotonic()
        lines = conditions(self._follower, self._engine(), now)
        found = {line.key: line for line in lines if not self._is_on_record(line)}
        self._holds_since = {key: self._holds_since.get(key, moment) for key in found}
        for key, line in found.items():
            patience = PATIENCE.get(line.kind, timedelta(0)).total_seconds()
            if key not in self._lasting and moment - self._holds_since[key] >= patience:
                self.book.see(line, now)
                self._lasting.add(key)
        for key in self._lasting - found.keys():
            self.book.end(key, now)
            self._lasting.discard(key)

    def _is_on_record(self, line: AlertLine) -> bool:
        """A halt of the latch is the same matter as the one that the journal tells of, while that is open."""
        key = line.key.replace(f":{LATCHED}:", ":", 1)
        known = self.book.alerts.get(key) if key != line.key else None
        return known is not None and not known.is_over and known.line.what == line.what

    # -- telling -----------------------------------------------------------------------------------------------------

    def _tell(self, group: str, now: datetime) -> None:
        """One message to `group` about everything that it should hear of and has not."""
        if group in self._telling:
            return
        with self.book.lock:
            due = [alert for alert in self.book.alerts.values() if self._is_due(alert, group, now)]
        if due and self._delivery.admits(group):
            task = asyncio.ensure_future(self._deliver(group, due))
            self._telling[group] = task
            task.add_done_callback(lambda _: self._telling.pop(group, None))

    def _is_due(self, alert: Alert, group: str, now: datetime) -> bool:
        weights = list(Weight)
        weight = alert.line.weight
        if group in alert.told or weights.index(weight) > weights.index(self._settings.least):
            return False
        if now - alert.last_at > TOLD_LATE or now - alert.line.at > TOLD_LATE:
            return False
        tried = alert.tried_at.get(group)
        if tried is not None and now - tried < TRY_AGAIN:
            return False
        return group == FIRST or self._escalates(alert, now)

    def _escalates(self, alert: Alert, now: datetime) -> bool:
        if alert.line.weight not in _LOUD or alert.acknowledged_by:
            return False
        is_deaf = FIRST in alert.tried_at and FIRST not in alert.told
        waited = now - alert.first_at >= timedelta(seconds=self._settings.escalate_after_s)
        return alert.line.weight is Weight.PAGE or is_deaf or (waited and not alert.is_over)

    async def _deliver(self, group: str, alerts: list[Alert]) -> None:
        title, body, weight = message(alerts, self._follower.directory.name)
        if group == SECOND and weight is not Weight.PAGE:
            title = f"unanswered: {title}"
        attempt = await self._delivery.tell(group, title, body, weight)
        delivered = Delivered(
            at=self._clock.now(),
            keys=tuple(alert.line.key for alert in alerts),
            group=group,
            channel=attempt.channel,
            failed=attempt.failed,
            ms=round(attempt.seconds * 1000),
        )
        self.book.write(delivered)

    async def _lock(self) -> WriterLock:
        while True:
            try:
                return WriterLock(self._follower.directory / LOCK_FILE)
            except JournalUnavailable:
                await self._clock.sleep(LOOK)


def watch_of(
    directory: Path, follower: Follower, engine: Callable[[], EngineReading], settings: AlertSettings, clock: Clock
) -> AlertWatch:
    """A watch with the channels of `settings`.

    Raises:
        ConfigurationError: Apprise is not installed, or does not understand an address.
    """
    return AlertWatch(follower, engine, AlertBook(directory), settings, delivery_of(settings, clock), clock)


def delivery_of(settings: AlertSettings, clock: Clock) -> Delivery:
    """The channels of `settings`.

    Raises:
        ConfigurationError: as for `watch_of`.
    """
    from quant_trading_system.app.alerting.channels import channels_of

    groups = {name: channels_of(group) for name, group in settings.groups.items()}
    return Delivery(groups, clock, settings.most_per_minute)
