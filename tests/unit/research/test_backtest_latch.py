"""The latch of a backtest: written for people to read, and no way for anybody to change the run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

import pytest

from quant_trading_system.app.backtesting import backtest
from quant_trading_system.core.events import HaltLevel
from quant_trading_system.core.orders import Order
from quant_trading_system.risk.halt_state import LatchState
from quant_trading_system.risk.latch import STOP_FILE, FileLatch, SoleLatch
from quant_trading_system.trading.strategy import MarketView
from tests.support.workloads import EveryBar, prices, setup

HALTED = LatchState(level=HaltLevel.HALTED, reason="for a test", activation=1)


def test_what_one_process_wrote_is_the_state_whatever_becomes_of_the_file(tmp_path):
    path = tmp_path / "kill_latch.json"
    latch = SoleLatch(FileLatch(path))
    with latch.exclusive():
        latch.write(HALTED)
    assert latch.read() == FileLatch(path).read() == HALTED
    path.unlink()
    assert latch.read() == HALTED
    assert FileLatch(path).read().reason != HALTED.reason


def test_a_halt_that_was_there_before_counts(tmp_path):
    path = tmp_path / "kill_latch.json"
    FileLatch(path).write(HALTED)
    assert SoleLatch(FileLatch(path)).read() == HALTED


def test_a_halt_that_cannot_be_written_is_none(tmp_path):
    """The switch keeps it by itself then, and writes it again."""

    def full(handle: int) -> None:
        raise OSError("no room")

    file = FileLatch(tmp_path / "kill_latch.json")
    latch = SoleLatch(file)
    file._sync = full
    with pytest.raises(OSError, match="no room"):
        latch.write(HALTED)
    assert latch.read() == LatchState()


def test_nothing_outside_of_a_backtest_changes_it(tmp_path, monkeypatch):
    """A file that would stop an account comes to lie beside the latch."""
    on_bar = EveryBar.on_bar

    def stop(strategy: EveryBar, market: MarketView) -> Iterable[Order]:
        (tmp_path / STOP_FILE).touch()
        return on_bar(strategy, market)

    plain = backtest(EveryBar(9), prices(9), setup())
    monkeypatch.setattr(EveryBar, "on_bar", stop)
    stopped = backtest(EveryBar(9), prices(9), replace(setup(), directory=tmp_path))
    assert (tmp_path / STOP_FILE).exists()
    assert (stopped.record.halts, stopped.quality.submitted) == ([], 8)
    assert stopped.journal_head == plain.journal_head


def test_a_halt_of_a_backtest_on_disk_is_in_its_latch(tmp_path):
    here = replace(setup(max_daily_loss_pct=Decimal("0.000001")), directory=tmp_path / "run")
    halted = backtest(EveryBar(300), prices(300, seed=3), here)
    assert halted.record.halts
    state = FileLatch(tmp_path / "run" / "kill_latch.json").read()
    assert state.level is HaltLevel.HALTED
    assert state == halted.account.system.kill_switch.state
