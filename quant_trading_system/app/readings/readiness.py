"""Whether the account can trade at this moment, and why not: one answer for probes, API, metrics and command line.

Every check reads files that the engine leaves behind; none asks the engine, which may hang.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from quant_trading_system.app.readings.engine import EngineReading
from quant_trading_system.app.readings.follower import Follower
from quant_trading_system.core.numbers import plain

RECONCILED_WITHIN = timedelta(minutes=15)
"""The books are compared in full every five minutes; three comparisons in a row may not be missing."""
VITALS_WITHIN = timedelta(seconds=30)
"""The engine tells of its lines every second."""

_MEASURES = {
    "max_feed_silence_s": ("prices", "no quote of what is held"),
    "max_broker_silence_s": ("broker", "no answer of the broker"),
    "max_clock_skew_s": ("clock", "our clock is behind the exchange's"),
}


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that trading needs.

    Attributes:
        name: one word, the label in metrics.
        is_well: None where nothing is known, as in a simulation; that does not keep an account from trading.
        says: a few words with the numbers.
    """

    name: str
    is_well: bool | None
    says: str


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the account can trade at this moment.

    Attributes:
        can_trade: no check is known to fail.
        why_not: one line for each that does.
    """

    can_trade: bool
    why_not: tuple[str, ...]
    checks: tuple[Check, ...]


def readiness(follower: Follower, engine: EngineReading, now: datetime) -> Readiness:
    """Everything that trading needs, the most important first; `now` gives ages."""
    checks = tuple(_checks(follower, engine, now))
    why_not = tuple(f"{check.name}: {check.says}" for check in checks if check.is_well is False)
    return Readiness(can_trade=not why_not, why_not=why_not, checks=checks)


def reconciled_age(follower: Follower, now: datetime) -> timedelta | None:
    """Since the books were last compared in full; None when they never were."""
    with follower.lock:
        found = follower.views.reconciled
    return None if found is None else max(now - found.at, timedelta(0))


def _checks(follower: Follower, engine: EngineReading, now: datetime) -> Iterator[Check]:
    yield Check(name="engine", is_well=engine.is_running, says=engine.says)
    for name, whose, halt in (("halt", "the account", engine.halt), ("machine", "this machine", engine.host)):
        says = (
            f"{whose} is {halt.level} since {halt.at or 'unknown'} by {halt.by}: {halt.reason}"
            if halt.is_active
            else "running"
        )
        yield Check(name=name, is_well=not halt.is_active, says=says)
    yield Check(
        name="journal", is_well=not follower.problem, says=follower.problem or f"{follower.seq} entries, can be read"
    )
    yield _disk(engine)
    yield _breaks(follower)
    if not engine.is_running or engine.beat_age_s is None:
        return  # of a simulation, and of an engine that is gone, there is nothing more to say
    yield Check(name="watchdog", is_well=engine.is_watched, says="watching" if engine.is_watched else "gives no sign")
    yield _reconciled(reconciled_age(follower, now))
    yield from _lines(engine, now)


def _disk(engine: EngineReading) -> Check:
    if engine.has_reserve is None:
        return Check(name="disk", is_well=None, says="nothing is put by")
    says = "the reserve is whole" if engine.has_reserve else "full: the reserve is in use, and no new order leaves"
    return Check(name="disk", is_well=engine.has_reserve, says=says)


def _breaks(follower: Follower) -> Check:
    with follower.lock:
        count = len(follower.books.breaks)
    says = f"{count} open differences from the broker" if count else "no open difference"
    return Check(name="books", is_well=not count, says=says)


def _reconciled(age: timedelta | None) -> Check:
    if age is None:
        return Check(name="reconciled", is_well=False, says="never compared with the broker")
    says = f"compared with the broker {int(age.total_seconds())} s ago"
    return Check(name="reconciled", is_well=age <= RECONCILED_WITHIN, says=says)


def _lines(engine: EngineReading, now: datetime) -> Iterator[Check]:
    vitals = engine.vitals
    if vitals is None:
        yield Check(name="streams", is_well=False, says="the engine has not told yet that its streams are up")
        return
    age = now - vitals.at
    says = f"told of its lines {int(age.total_seconds())} s ago, by its clock and ours"
    yield Check(name="heartbeat", is_well=abs(age) <= VITALS_WITHIN, says=says)
    down = [name for name, is_up in vitals.streams.items() if not is_up]
    says = f"down: {', '.join(down)}" if down else "up"
    yield Check(name="streams", is_well=not down, says=says)
    for rule, (actual, limit) in vitals.measures.items():
        if rule in _MEASURES:
            name, what = _MEASURES[rule]
            is_well = actual <= limit
            says = f"{what} for {plain(actual)} s of {plain(limit)} s" if name != "clock" else ""
            says = says or f"{what} by {plain(actual)} s of {plain(limit)} s"
            yield Check(name=name, is_well=is_well, says=says)
