"""Starts that fail again and again: the account is halted, withdrawn, and not started before a person has looked."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from quant_trading_system.app.crash_loop import BY, MOST_FAILED, WITHIN, failed_starts, refuse_crash_loop
from quant_trading_system.core.book_events import Reconciled
from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.events import HaltLevel, RunFinished, RunStarted
from quant_trading_system.core.exceptions import ConfigurationError, OutcomeUnknown
from quant_trading_system.journal.store import MemoryJournal
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.risk.latch import MemoryLatch

START = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class Scene:
    """A machine on which somebody starts the engine again and again."""

    def __init__(self) -> None:
        self.clock = ManualClock(START)
        self.journal = MemoryJournal()
        self.latch = MemoryLatch()
        self.cancels = 0
        self.is_mute = False

    async def cancel_all(self) -> None:
        self.cancels += 1
        if self.is_mute:
            raise OutcomeUnknown("no answer in 5 s")

    def start(self) -> None:
        """A start that gets as far as its first entry."""
        asyncio.run(refuse_crash_loop(self.journal, self.latch, self.clock, self))
        limits = {"limits": {}, "limits_version": "", "universe": ()}
        started = RunStarted(at=self.clock.now(), run="run", mode="test", strategies=(), seed=0, version="0", **limits)
        self.journal.append(started)
        self.journal.sync()
        self.clock.move_to(self.clock.now() + MINUTE)

    def reconciled(self) -> None:
        counts = {"orders": 0, "fills": 0, "positions": 0}
        self.journal.append(Reconciled(at=self.clock.now(), occasion="start", cash=Decimal(1), breaks=(), **counts))
        self.journal.sync()


@pytest.mark.fault("crash-loop")
def test_a_crash_loop_ends_in_a_halt_that_withdraws_and_only_a_person_lets_it_start_again():
    scene = Scene()
    for _ in range(MOST_FAILED):
        scene.start()
    with pytest.raises(ConfigurationError, match=r"10 starts failed one after the other within 60 minutes.*qts resume"):
        scene.start()
    assert scene.latch.read().level is HaltLevel.HALTED
    assert scene.latch.read().by == BY
    assert scene.cancels == 1
    with pytest.raises(ConfigurationError, match=r"10 starts failed .*qts resume"):
        scene.start()
    assert scene.cancels == 1, "the broker is asked for nothing any more"
    assert scene.journal.head[0] == MOST_FAILED
    KillSwitch(latch=scene.latch, clock=scene.clock).reset(authorized_by="Ana", reason="the disk was replaced")
    for _ in range(MOST_FAILED):
        scene.start()
    with pytest.raises(ConfigurationError, match="10 starts failed"):
        scene.start()


def test_a_start_that_compared_its_books_or_ended_on_record_has_not_failed():
    scene = Scene()
    for turn in range(3 * MOST_FAILED):
        scene.start()
        if turn % 4 == 1:
            scene.reconciled()
        elif turn % 4 == 3:
            event = RunFinished(at=scene.clock.now(), run="run", orders=0, fills=0, policy="not started")
            scene.journal.append(event)
            scene.journal.sync()
    assert not scene.latch.read().level


def test_starts_of_long_ago_do_not_count():
    scene = Scene()
    for _ in range(3 * MOST_FAILED):
        scene.start()
        scene.clock.move_to(scene.clock.now() + WITHIN / MOST_FAILED)
    assert failed_starts(scene.journal, scene.clock.now() - WITHIN) < MOST_FAILED


def test_orders_that_cannot_be_withdrawn_are_told():
    scene = Scene()
    scene.is_mute = True
    for _ in range(MOST_FAILED):
        scene.start()
    with pytest.raises(ConfigurationError, match=r"could not be cancelled \(no answer in 5 s.*look at the broker"):
        scene.start()
    assert scene.latch.read().level is HaltLevel.HALTED
