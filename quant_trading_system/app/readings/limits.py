"""The limits in force, as the run has them on record."""

from __future__ import annotations

import msgspec

from quant_trading_system.app.readings.follower import Follower
from quant_trading_system.config.risk_keys import KEYS


class LimitLine(msgspec.Struct, frozen=True, kw_only=True):
    """One key of `risk_params.yaml`.

    Attributes:
        value: as text, as it is on record; `unit`: what it counts; `allowed`: the range of the key, if it has one.
    """

    key: str
    section: str
    name: str
    value: str
    unit: str
    meaning: str
    allowed: str


class LimitsReading(msgspec.Struct, frozen=True, kw_only=True):
    """All limits of the latest run; empty before the first one."""

    version: str
    lines: tuple[LimitLine, ...]


def limits_reading(follower: Follower) -> LimitsReading:
    """The limits in force, in the order of the file."""
    with follower.lock:
        run = follower.books.run
        recorded = {} if run is None else run.limits
        version = "" if run is None else run.limits_version
    lines = (
        LimitLine(
            key=key.path,
            section=key.section,
            name=key.name,
            value=recorded[key.path],
            unit=key.unit,
            meaning=key.meaning,
            allowed="" if key.range is None else str(key.range),
        )
        for key in KEYS
        if key.path in recorded
    )
    return LimitsReading(version=version, lines=tuple(lines))
