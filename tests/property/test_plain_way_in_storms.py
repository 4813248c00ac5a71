"""A stormy day leaves the same journal to the last byte whether short cuts are taken or not.

The day brings what may change between two looks: halts by people, files and other processes, resets, other limits,
fills late, twice, in parts and corrected, dividends, splits, foreign orders, wrong quotes and clocks, kills and starts.
"""

from __future__ import annotations

import random
from collections import Counter
from decimal import Decimal

import pytest

from quant_trading_system.app.stormy_day import stormy_day
from quant_trading_system.core.events import HaltLevel, KillSwitchEvent
from quant_trading_system.journal.codec import decode
from quant_trading_system.risk.calm_look import CalmLook
from quant_trading_system.simulation.storm import world
from quant_trading_system.simulation.storm.plan import plan_of
from tests.support.desk import limits_with
from tests.support.plain_way import take_the_plain_way

D = Decimal
SEEDS = (1000, 1001, 3000)
MINUTES = 45
LIMITS = {
    "max_daily_loss_pct": (D("0.0005"), D("0.002"), D("0.05")),
    "max_weekly_loss_pct": (D("0.001"), D("0.1")),
    "max_drawdown_pct": (D("0.001"), D("0.003"), D("0.15")),
    "max_rapid_loss_pct": (D("0.0003"), D("0.001"), D("0.03")),
    "rapid_loss_window_s": (D(60), D(300), D(1800)),
    "max_consecutive_losses": (2, 8),
    "max_slippage_bps": (D(1), D(5), D(100)),
    "slippage_fills": (2, 5),
    "max_feed_silence_s": (D(5), D(60), D(300)),
    "max_broker_silence_s": (D(10), D(600)),
    "max_equity_difference_pct": (D("0.0002"), D("0.02")),
    "max_stress_loss_pct": (D("0.02"), D("0.1"), D("0.5")),
    "max_clock_skew_s": (D(1), D(5)),
    "halt_level": (HaltLevel.REDUCING, HaltLevel.HALTED, HaltLevel.FLATTENING),
    "max_concentration": (None, D("0.05")),
    "max_net_exposure": (None, D("0.3")),
    "max_turnover_per_day": (None, D(3)),
    "use_unsettled_cash": (True, False),
    "max_margin_use_pct": (None, D("0.3")),
    "max_day_trades": (None, 3),
    "max_beta_exposure": (None, D("0.3")),
    "max_var_95_pct": (None, D("0.01")),
    "max_cancel_ratio": (None, D(3)),
    "max_order_multiple": (None, D(3)),
    "max_participation_pct": (None, D("0.01")),
    "no_trade_after_open_s": (None, D(600)),
    "no_trade_before_close_s": (None, D(600)),
    "probation_s": (0, 600),
}
"""Near enough to trip now and then, and rules that are off by default."""


def day(seed: int, patch: pytest.MonkeyPatch, minutes: int = MINUTES) -> list[tuple[object, ...]]:
    """The journal of a day under limits of its own."""
    chance = random.Random(seed * 7 + 1)
    limits = limits_with(**{name: chance.choice(values) for name, values in LIMITS.items()})
    patch.setattr(world, "default_limits", lambda: limits)
    return list(stormy_day(plan_of(seed, minutes)).disk.rows)


def require_the_same(seed: int, minutes: int = MINUTES) -> list[tuple[object, ...]]:
    """The journal of the day, which is the same by the plain way."""
    with pytest.MonkeyPatch.context() as patch:
        short = day(seed, patch, minutes)
    with pytest.MonkeyPatch.context() as patch:
        take_the_plain_way(patch)
        plain = day(seed, patch, minutes)
    assert short == plain
    return short


@pytest.mark.parametrize("seed", SEEDS)
def test_short_cuts_leave_the_same_journal(seed):
    require_the_same(seed)


def test_a_look_that_is_relied_upon_for_too_long_is_noticed(monkeypatch):
    """Otherwise the test above would say nothing."""
    whole = day(SEEDS[0], monkeypatch)
    halts = [event for row in whole if isinstance(event := decode(row[6]), KillSwitchEvent)]
    assert len(Counter(halt.trigger for halt in halts)) > 1
    reaches = CalmLook.reaches
    monkeypatch.setattr(CalmLook, "reaches", lambda self, *_: reaches(self, 1e12, D(0), D(10) ** 9))
    assert day(SEEDS[0], monkeypatch) != whole
