"""What the journal of an account says is wrong still, read without folding it: breaks, and unprotected groups."""

from __future__ import annotations

from pathlib import Path

from quant_trading_system.core.book_events import BreakClosed, BreakOpened, GroupAlarm
from quant_trading_system.core.breaks import Break, BreakKind
from quant_trading_system.core.exceptions import JournalError
from quant_trading_system.journal.keys import journal_key
from quant_trading_system.journal.sqlite_reader import JournalReader


def open_breaks(path: Path) -> list[str]:
    """One line for each, the oldest first; none where there is no journal, and the fault of one that cannot be read."""
    if not path.is_file():
        return []
    found: dict[tuple[BreakKind, str], Break] = {}
    since: dict[tuple[BreakKind, str], str] = {}
    try:
        with JournalReader(path, journal_key(path)) as journal:
            for entry in journal.entries(kinds=("break_opened", "break_closed")):
                event = entry.event
                if isinstance(event, BreakOpened):
                    found[event.found.name] = event.found
                    since[event.found.name] = f"{event.first_seen:%Y-%m-%d %H:%M:%S}"
                elif isinstance(event, BreakClosed):
                    found.pop(event.found.name, None)
    except JournalError as error:
        return [f"unknown, for {path} cannot be read: {error}"]
    return [f"{difference}, since {since[name]}" for name, difference in found.items()]


def open_alarms(path: Path) -> list[str]:
    """One line for each group of orders whose exits are not in order, the oldest first; as for `open_breaks`."""
    if not path.is_file():
        return []
    found: dict[str, str] = {}
    try:
        with JournalReader(path, journal_key(path)) as journal:
            for entry in journal.entries(kinds=("group_alarm",)):
                event = entry.event
                if isinstance(event, GroupAlarm):
                    found.pop(event.order_id, None)
                    if event.reason:
                        found[event.order_id] = f"{event.reason}, since {event.at:%Y-%m-%d %H:%M:%S}"
    except JournalError:
        return []  # `open_breaks` says so
    return list(found.values())
