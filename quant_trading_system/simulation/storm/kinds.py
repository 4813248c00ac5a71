"""Every kind of fault that a stormy day can hold, by name, with how often it may strike."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from quant_trading_system.simulation.storm.timetable import EARLY_CLOSE, NIGHT, UNSCHEDULED_CLOSE


class Source(StrEnum):
    """What is at fault; each draws its random numbers for itself."""

    WORKLOAD = "workload"  # the venue and the people who use it
    NETWORK = "network"
    STORAGE = "storage"
    CLOCK = "clock"


class Kind(NamedTuple):
    """One kind of fault.

    Attributes:
        least, most: chances in a thousand at every opportunity, or how often a day for those that are `timed`.
        timed: it happens at moments of its own instead of at opportunities.
    """

    name: str
    source: Source
    least: int
    most: int
    timed: bool = False


def _chances(source: Source, least: int, most: int, *names: str) -> list[Kind]:
    return [Kind(name, source, least, most) for name in names]


def _times(source: Source, least: int, most: int, *names: str) -> list[Kind]:
    return [Kind(name, source, least, most, timed=True) for name in names]


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        # an order on its way to the broker and its answer
        *_chances(
            Source.NETWORK,
            20,
            300,
            "submit.refused",
            "submit.drop_request",
            "submit.drop_response",
            "submit.delay",
            "submit.late_arrival",
            "submit.status",
            "submit.status_accepted",
            "submit.rate_limited",
            "submit.garbage",
            "submit.empty",
            "submit.truncated",
            "submit.reject",
            "submit.wrong_echo",
            "submit.twice",
        ),
        *_chances(
            Source.NETWORK,
            50,
            500,
            "cancel.drop_request",
            "cancel.drop_response",
            "cancel.slow",
            "cancel.reject",
            "cancel.lost",
            "lookup.false_404",
            "lookup.lag",
            "list.omit_recent",
            "history.lag",
            "list.page_cap",
        ),
        *_chances(
            Source.NETWORK,
            20,
            200,
            "read.status",
            "read.drop_request",
            "read.drop_response",
            "read.garbage",
            "read.slow",
        ),
        *_times(Source.NETWORK, 1, 4, "http.storm", "http.maintenance", "http.rate"),
        # the stream of order updates
        *_chances(
            Source.NETWORK,
            20,
            300,
            "stream.drop",
            "stream.dup",
            "stream.reorder",
            "stream.garbage",
            "stream.unknown_event",
            "stream.null_data",
            "stream.half_frame",
            "stream.old_replay",
        ),
        *_times(Source.NETWORK, 1, 6, "stream.cut", "stream.mute", "stream.refuse"),
        # market data
        *_chances(
            Source.NETWORK,
            1,
            20,
            "feed.nan",
            "feed.zero",
            "feed.negative",
            "feed.crossed",
            "feed.spike",
            "feed.future",
            "feed.garbage",
        ),
        *_times(Source.NETWORK, 1, 4, "feed.cut", "feed.stop"),
        # the venue, and people who trade beside the program
        *_chances(Source.WORKLOAD, 300, 1000, "fill.parts"),
        *_chances(Source.WORKLOAD, 50, 500, "fill.late", "order.reject_later", "report.lost", "report.delayed"),
        *_chances(Source.WORKLOAD, 50, 500, "fill.double"),
        *_times(Source.WORKLOAD, 1, 3, "fill.bust", "fill.correct"),
        *_times(Source.WORKLOAD, 1, 3, "account.external_order", "account.cancel_all", "account.dividend"),
        *_times(Source.WORKLOAD, 1, 2, "account.transfer", "account.liquidate"),
        *_times(Source.WORKLOAD, 1, 1, "account.fee"),
        *_times(Source.WORKLOAD, 1, 4, "session.halt"),
        *_times(Source.WORKLOAD, 1, 1, EARLY_CLOSE, NIGHT),
        *_times(Source.WORKLOAD, 1, 2, "account.split"),
        *_times(Source.WORKLOAD, 1, 1, UNSCHEDULED_CLOSE),
        *_times(Source.WORKLOAD, 3, 12, "ops.replace", "ops.door"),
        *_times(Source.WORKLOAD, 1, 4, "ops.bracket", "ops.parent", "ops.burst"),
        *_times(Source.WORKLOAD, 1, 2, "ops.limits"),
        *_times(Source.WORKLOAD, 1, 3, "ops.halt"),
        *_chances(Source.WORKLOAD, 2, 30, "ops.halt_midway"),  # while a record is being synced
        # disks
        *_chances(Source.STORAGE, 1, 20, "disk.sync_fails", "disk.full"),
        *_chances(Source.STORAGE, 20, 300, "disk.slow"),
        *_chances(Source.STORAGE, 200, 1000, "disk.loses_unsynced", "disk.snapshot_garbled", "disk.snapshot_old"),
        # processes and clocks
        *_times(Source.CLOCK, 1, 5, "process.kill", "process.stop", "process.pause", "process.second"),
        *_times(Source.CLOCK, 1, 4, "watchdog.dies"),
        *_times(Source.CLOCK, 1, 2, "process.fenced"),
        *_times(Source.CLOCK, 1, 3, "clock.jump"),
    )
}
"""All kinds by name."""

NEVER_ALONE = {
    "disk.loses_unsynced": "process.kill",
    "disk.snapshot_garbled": "process.stop",
    "disk.snapshot_old": "process.stop",
}
"""Kinds that can only strike when another one does."""
