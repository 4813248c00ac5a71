"""One rehearsal: build a scene, stop orders in one way while somebody keeps asking for more, and look at the venue."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from quant_trading_system.app.drill.own_record import own_record
from quant_trading_system.app.drill.resuming import resume_by_two
from quant_trading_system.app.drill.scene import Pusher, build
from quant_trading_system.app.drill.stage import ENGINE, Stage, staged
from quant_trading_system.app.drill.venue_books import VenueBooks, VenueOrder
from quant_trading_system.app.drill.verdict import Check, Facts, Figures, judge
from quant_trading_system.app.drill.ways import Way
from quant_trading_system.core.clock import Clock
from quant_trading_system.core.events import HaltLevel
from quant_trading_system.core.exceptions import TradingError
from quant_trading_system.risk.latch import FileLatch, stop_file_of

_FILE_CLOCK = timedelta(milliseconds=10)
"""Times of files are up to one tick of the kernel too early."""
_FEW = 3
"""Orders that are asked for after the halt, at least."""


class Rehearsal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one way of stopping has shown.

    Attributes:
        way, does: which one. `at`: when it began.
        figures: None when it could not be carried out; `error` says why.
        load: of the machine over the last minute, processes that want to run.
        left_in: what it left behind: journal, latch and the engine's words.
    """

    way: str
    does: str
    at: datetime
    passed: bool
    figures: Figures | None = None
    checks: tuple[Check, ...] = ()
    error: str = ""
    load: str = ""
    left_in: str = ""


async def rehearse(way: Way, place: Path, clock: Clock, program: str = ENGINE) -> Rehearsal:
    """Carry out one way on a venue and an engine of its own, whose files stay in `place`.

    Args:
        program: the module that trades.
    """
    at, load = clock.now(), f"{os.getloadavg()[0]:.2f}"
    try:
        async with staged(place, clock, program) as stage, stage.engine(watched=way.is_watched):
            figures, checks = await _rehearsed(way, stage)
    except (TradingError, OSError, msgspec.MsgspecError) as error:
        return Rehearsal(
            way=way.name, does=way.does, at=at, passed=False, error=str(error), load=load, left_in=str(place)
        )
    passed = all(check.passed for check in checks)
    return Rehearsal(
        way=way.name, does=way.does, at=at, passed=passed, figures=figures, checks=checks, load=load, left_in=str(place)
    )


async def _rehearsed(way: Way, stage: Stage) -> tuple[Figures, tuple[Check, ...]]:
    await build(stage)
    if way.scope.strategy:
        await stage.until(lambda: _has_order_of(way, stage), "an order of the strategy")
    pusher = Pusher(stage)
    async with way.ready(stage) as pull, pusher.pushing():
        await stage.until(lambda: _all_leave(pusher), "orders that leave")
        if way.is_frozen:
            stage.signal(signal.SIGSTOP)
        pulled_at = stage.clock.now()
        await pull()
        latched_at = await stage.until(lambda: _latched(way, stage), "the latch")
        await stage.until(lambda: _all_ended(way, stage), "the venue to show every order ended")
        if way.is_frozen:
            stage.signal(signal.SIGCONT)
        if way.level is HaltLevel.FLATTENING:
            await stage.until(lambda: _is_flat(way, stage), "the venue to show flat")
        await stage.until(lambda: _tried_since(latched_at, way, stage, pusher), "orders that are refused")
    books = await stage.venue.books()
    record = own_record(stage.journal)
    named = record.named(books)
    wishes = record.wishes_of(way.scope.strategy, books) if way.scope.strategy else []
    figures, checks = judge(
        Facts(
            scope=way.scope,
            level=way.level,
            pulled_at=pulled_at,
            latched_at=latched_at,
            books=named,
            sent_at=record.sent_at,
            pushes=(*pusher.pushes, *wishes),
        )
    )
    return figures, (*checks, *(await resume_by_two(stage) if way.resumes else ()))


async def _all_leave(pusher: Pusher) -> bool:
    return pusher.all_leave


async def _latched(way: Way, stage: Stage) -> datetime | None:
    latch = stage.host_latch if way.is_of_host else stage.latch
    return None if latch.read().halt_of(way.scope).level < way.level else set_at(latch)


def set_at(latch: FileLatch) -> datetime:
    """When everybody could see what the latch says: when its file, or the file HALT beside it, was put in its place.

    That is later than the time in the latch, at which somebody began to write it; on a busy disk much later.
    """
    seen = stop_file_of(latch) or latch.path
    return datetime.fromtimestamp(seen.stat().st_ctime, UTC) + _FILE_CLOCK


async def _all_ended(way: Way, stage: Stage) -> bool:
    return not await _open_orders(way, stage)


async def _has_order_of(way: Way, stage: Stage) -> bool:
    return bool(await _open_orders(way, stage))


async def _open_orders(way: Way, stage: Stage) -> list[VenueOrder]:
    """What the venue shows open of what the way stops."""
    found = await stage.venue.open_orders()
    named = own_record(stage.journal).named(VenueBooks(orders=tuple(found))) if way.scope.strategy else None
    return [order for order in (named.orders if named else found) if way.scope.covers(order)]


async def _is_flat(way: Way, stage: Stage) -> bool:
    held = await stage.venue.positions()
    return not any(way.scope.covers_position(symbol, shares) for symbol, shares in held.items())


async def _tried_since(latched_at: datetime, way: Way, stage: Stage, pusher: Pusher) -> bool:
    """Orders that the halt covers were asked for since then, and some that it does not cover."""
    if way.scope.strategy:
        wishes = own_record(stage.journal).wishes_of(way.scope.strategy, VenueBooks())
        tried = any(wish.asked_at > latched_at for wish in wishes)
    else:
        tried = sum(push.asked_at > latched_at and way.scope.covers(push) for push in pusher.pushes) >= _FEW
    beside = any(push.asked_at > latched_at and not way.scope.covers(push) for push in pusher.pushes)
    return tried and (beside or way.scope.is_account)
