"""The faults that stormy days provoke, by number, and the kinds of weather that each of them takes.

The first digits of a number are its class: 1 death of a process, 2 orders on their way and the broker's answers,
3 cancels and changes, 4 executions, positions and cash, 5 the stream, 6 market data, 8 the kill switch, 10 clocks and
calendars, 11 more than one sender, 12 storage, 15 account and instruments, 16 several at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Fault(NamedTuple):
    """One fault of the catalogue; it struck when all of its kinds did."""

    what: str
    kinds: tuple[str, ...]


CATALOGUE: Mapping[str, Fault] = {
    number: Fault(what, tuple(kinds.split()))
    for number, what, kinds in (
        ("F101", "killed while it trades", "process.kill"),
        ("F110", "power lost, with entries that were not synced", "disk.loses_unsynced"),
        ("F112", "paused for minutes", "process.pause"),
        ("F113", "asleep over a night", "session.night"),
        ("F119", "told to stop with orders working", "process.stop"),
        ("F201", "a request that never arrived", "submit.drop_request"),
        ("F202", "accepted, and the answer lost", "submit.drop_response"),
        ("F204", "a request that arrives after it was given up", "submit.late_arrival"),
        ("F205", "a lookup that denies what is there", "lookup.false_404"),
        ("F206", "a list without what is young", "list.omit_recent"),
        ("F207", "an error of a gateway, done or not", "submit.status submit.status_accepted"),
        ("F208", "asked too often", "submit.rate_limited"),
        ("F211", "refused by a rule", "submit.reject"),
        ("F212", "an answer that cannot be read", "submit.garbage submit.empty submit.truncated"),
        ("F213", "an answer about another order", "submit.wrong_echo"),
        ("F214", "accepted, and rejected later", "order.reject_later"),
        ("F215", "a storm of errors", "http.storm"),
        ("F216", "maintenance", "http.maintenance"),
        ("F219", "no answer to questions", "read.drop_request"),
        ("F220", "a connection that is refused", "submit.refused"),
        ("F226", "a tight rate limit", "http.rate"),
        ("F227", "small pages", "list.page_cap"),
        ("F303", "filled after its cancel was confirmed", "fill.late"),
        ("F304", "a cancel that was forgotten", "cancel.lost"),
        ("F305", "a cancel without an answer", "cancel.drop_request cancel.drop_response"),
        ("F307", "a cancel that is refused", "cancel.reject"),
        ("F309", "an order changed while it fills", "ops.replace fill.parts"),
        ("F317", "somebody else cancels everything", "account.cancel_all"),
        ("F401", "an execution told twice", "stream.dup fill.double"),
        ("F403", "reports out of order", "stream.reorder report.delayed"),
        ("F404", "an execution that the stream keeps to itself", "report.lost"),
        ("F407", "orders of others", "account.external_order"),
        ("F408", "an execution taken back", "fill.bust"),
        ("F410", "an execution corrected", "fill.correct"),
        ("F413", "executions in many parts", "fill.parts"),
        ("F422", "dividends, interest and fees", "account.dividend account.fee"),
        ("F419", "money moved by a person", "account.transfer"),
        ("F420", "the broker liquidates", "account.liquidate"),
        ("F501", "the stream cut", "stream.cut"),
        ("F502", "connected and mute", "stream.mute"),
        ("F503", "connections refused", "stream.refuse"),
        ("F505", "an unknown event", "stream.unknown_event"),
        ("F506", "no data, or nonsense", "stream.null_data stream.garbage"),
        ("F507", "half a frame", "stream.half_frame"),
        ("F512", "old messages again", "stream.old_replay"),
        ("F514", "history behind the stream", "history.lag"),
        ("F601", "prices stop", "feed.stop"),
        ("F602", "the line of prices cut", "feed.cut"),
        ("F605", "prices that are no numbers", "feed.nan"),
        ("F606", "zero and negative prices", "feed.zero feed.negative"),
        ("F607", "crossed quotes", "feed.crossed"),
        ("F609", "a price ten times too high", "feed.spike"),
        ("F612", "prices from the future", "feed.future"),
        ("F613", "a symbol halted", "session.halt"),
        ("F801", "halted by a person", "ops.halt"),
        ("F802", "halted between record and send", "ops.halt_midway"),
        ("F829", "the watchdog dead", "watchdog.dies"),
        ("F1001", "the wall clock set wrong", "clock.jump"),
        ("F1005", "an early close", "session.early_close"),
        ("F1101", "the program started twice", "process.second"),
        ("F1207", "the disk full", "disk.full"),
        ("F1208", "a sync that fails", "disk.sync_fails"),
        ("F1211", "a slow disk", "disk.slow"),
        ("F1214", "a snapshot that is damaged or old", "disk.snapshot_garbled disk.snapshot_old"),
    )
}
"""By number. Faults that are provoked elsewhere, or not at all, are not in it."""


def covered(strikes: Mapping[str, int]) -> list[str]:
    """The faults of which every kind struck, in the order of the catalogue."""
    return [number for number, fault in CATALOGUE.items() if all(strikes.get(kind, 0) for kind in fault.kinds)]
