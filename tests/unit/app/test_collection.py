"""While an engine trades, the garbage collector leaves the program itself alone."""

from __future__ import annotations

import asyncio
import gc

import pytest

from quant_trading_system.app import live
from quant_trading_system.app.collection import start_is_kept


def test_what_was_there_at_the_start_is_not_looked_through():
    before = len(gc.get_objects())
    with start_is_kept():
        assert gc.get_freeze_count() > before / 2
        assert len(gc.get_objects()) < before / 10
    assert gc.get_freeze_count() == 0


def test_what_is_made_and_forgotten_meanwhile_is_still_found():
    with start_is_kept():
        circle: list[object] = []
        circle.append(circle)
        del circle
        assert gc.collect() >= 1


def test_a_failure_ends_it_as_well():
    with pytest.raises(OSError, match="gone"), start_is_kept():
        raise OSError("gone")
    assert gc.get_freeze_count() == 0


def test_an_engine_trades_like_that(monkeypatch):
    seen = []

    class Account:
        async def run(self, stop, hurry):
            seen.append(gc.get_freeze_count())

    async def opened(*_):
        return Account()

    monkeypatch.setattr(live, "open_account", opened)
    asyncio.run(_trading())
    assert seen[0] > 0
    assert gc.get_freeze_count() == 0


async def _trading():
    await live.trade(None, asyncio.Event(), print)
