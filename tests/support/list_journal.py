"""A journal in a list: it can be told to fail, and it knows what was durable when."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from quant_trading_system.core.events import AnyEvent
from quant_trading_system.core.exceptions import JournalFull, JournalUnavailable
from quant_trading_system.journal.reserve import adds_risk

E = TypeVar("E")


class ListJournal:
    """Keeps events in order.

    Attributes:
        events, causes: what was appended, and the entry that led to each.
        durable_entries: how many of them would survive a crash.
        is_full: behaves like a journal that lives on its reserve.
        cannot_append, cannot_sync: make the next calls fail until they are taken back.
        calls: one line for every ``durable`` and ``sync``; a broker may write into the same list.
    """

    def __init__(self, calls: list[str] | None = None) -> None:
        self.events: list[AnyEvent] = []
        self.causes: list[int | None] = []
        self.durable_entries = 0
        self.is_full = False
        self.cannot_append = False
        self.cannot_sync = False
        self.calls: list[str] = [] if calls is None else calls

    def append(self, event: AnyEvent, cause: int | None = None) -> int:
        if self.cannot_append:
            raise JournalUnavailable("the test took the journal away")
        if self.is_full and adds_risk(event):
            raise JournalFull("the disk is full")
        self.events.append(event)
        self.causes.append(cause)
        return len(self.events)

    def sync(self) -> None:
        if self.cannot_sync:
            raise JournalUnavailable("the disk is full")
        self.durable_entries = len(self.events)
        self.calls.append(f"durable {self.durable_entries}")

    async def durable(self) -> None:
        await asyncio.sleep(0)  # while the disk is busy, others have their turn
        self.sync()

    def of(self, kind: type[E]) -> list[E]:
        """The events of one kind, oldest first."""
        return [event for event in self.events if isinstance(event, kind)]
