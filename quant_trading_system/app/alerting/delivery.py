"""Bringing alerts to people: a group's channels in turn, each with little time, and not more than people can read."""

from __future__ import annotations

import asyncio
import logging
import shlex
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import NamedTuple

from quant_trading_system.app.alerting.book import Alert
from quant_trading_system.app.alerting.channels import Channel
from quant_trading_system.app.readings.alert_kinds import Weight
from quant_trading_system.core.clock import Clock
from quant_trading_system.core.wording import printable

PATIENCE = timedelta(seconds=2)
"""For one channel; the next one is asked then, although the first may still come through."""
SHOWN = 20
"""Alerts that one message names."""
_MINUTE_S = 60
_log = logging.getLogger(__name__)


class Attempt(NamedTuple):
    """What became of one message; `channel` is empty when none worked."""

    channel: str
    failed: tuple[str, ...]
    seconds: float


class Rate:
    """So many messages a minute.

    Attributes:
        held_back: how often one had to wait.
    """

    def __init__(self, clock: Clock, most: int) -> None:
        """At most `most` within any minute of `clock`."""
        self._clock = clock
        self._most = most
        self._sent: deque[float] = deque()
        self.held_back = 0

    def admits(self) -> bool:
        """One more may go now; it is counted."""
        now = self._clock.monotonic()
        while self._sent and now - self._sent[0] >= _MINUTE_S:
            self._sent.popleft()
        if len(self._sent) >= self._most:
            self.held_back += 1
            return False
        self._sent.append(now)
        return True


class Delivery:
    """The groups and their channels."""

    def __init__(self, groups: Mapping[str, Sequence[Channel]], clock: Clock, most_per_minute: int) -> None:
        """Tell each group at most so often."""
        self._groups = dict(groups)
        self._clock = clock
        self._rates = {name: Rate(clock, most_per_minute) for name in groups}
        self._threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="alerts")

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of those that have somebody."""
        return tuple(self._groups)

    def admits(self, group: str) -> bool:
        """A message to `group` may go now."""
        return self._rates[group].admits()

    async def tell(self, group: str, title: str, body: str, weight: Weight) -> Attempt:
        """One message to `group`: the first of its channels that works."""
        began = self._clock.monotonic()
        failed: list[str] = []
        for channel in self._groups[group]:
            if await self._try(channel, title, body, weight):
                return Attempt(channel.name, tuple(failed), self._clock.monotonic() - began)
            failed.append(channel.name)
        return Attempt("", tuple(failed), self._clock.monotonic() - began)

    async def each(self, title: str, body: str) -> dict[str, bool]:
        """Every channel of every group, whether or not another one works: for a test."""
        channels = [channel for group in self._groups.values() for channel in group]
        found = await asyncio.gather(*(self._try(channel, title, body, Weight.INFO) for channel in channels))
        return {channel.name: worked for channel, worked in zip(channels, found, strict=True)}

    def close(self) -> None:
        """Send nothing more; what is on its way may still arrive."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _try(self, channel: Channel, title: str, body: str, weight: Weight) -> bool:
        loop = asyncio.get_running_loop()
        telling = asyncio.ensure_future(loop.run_in_executor(self._threads, channel.tell, title, body, weight))
        waiting = asyncio.ensure_future(self._clock.sleep(PATIENCE))
        try:
            await asyncio.wait((telling, waiting), return_when=asyncio.FIRST_COMPLETED)
            worked = telling.done() and not telling.cancelled() and telling.exception() is None and telling.result()
        finally:
            waiting.cancel()
            telling.cancel()
        if not worked:
            _log.warning("alert not delivered", extra={"fields": {"channel": channel.name}})
        return bool(worked)


def message(alerts: Sequence[Alert], account: str) -> tuple[str, str, Weight]:
    """Title, text and weight of one message about one or more alerts, the most urgent first."""
    order = list(Weight)
    ranked = sorted(alerts, key=lambda alert: order.index(alert.line.weight))
    first = ranked[0].line
    more = f" and {len(ranked) - 1} more" if len(ranked) > 1 else ""
    title = f"[{first.weight.value}] {account}: {first.what}{more}"
    parts = [_told(alert) for alert in ranked[:SHOWN]]
    if len(ranked) > SHOWN:
        parts.append(f"… and {len(ranked) - SHOWN} more: qts alerts list")
    return _clean(title), "\n\n".join(parts), first.weight


def _told(alert: Alert) -> str:
    line = alert.line
    times = f" ({alert.count} times)" if alert.count > 1 else ""
    return "\n".join(
        (
            _clean(f"{line.what}{times}: {line.detail}"),
            f"since {alert.first_at:%Y-%m-%d %H:%M:%S} UTC",
            f"what to do: {line.runbook}",
            _clean(f"acknowledge: qts alerts ack {shlex.quote(printable(line.key))}"),
        )
    )


def _clean(text: str) -> str:
    """Without anything that could begin a line of its own or move a cursor."""
    return printable(text)[:1000]
