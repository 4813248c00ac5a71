"""An execution policy from the words of a command."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.execution.algo.walker import AfterCrash
from quant_trading_system.trading.planning import ExecutionPolicy
from quant_trading_system.trading.policy_words import WORDS, read_policy

D = Decimal
VALUES = {
    "market_spread_bps": ("0", D(0)),
    "entry_urgency": ("1", D(1)),
    "min_trade_pct": ("0.001", D("0.001")),
    "drift_band": ("0.2", D("0.2")),
    "fit_to_limits": ("true", True),
    "algorithm_from_adv": ("never", None),
    "slice_minutes": ("0.5", timedelta(seconds=30)),
    "participation": ("0.05", D("0.05")),
    "horizon_minutes": ("90", timedelta(minutes=90)),
    "after_crash": ("resume", AfterCrash.RESUME),
    "rebalance_approvals": ("2", 2),
    "impact": ("usual", None),
}


def test_every_field_of_a_policy_can_be_set():
    assert set(VALUES) == set(WORDS)
    read = read_policy([",".join(f"{key}={text}" for key, (text, _) in VALUES.items())], ExecutionPolicy())
    assert [getattr(read, field) for field in ExecutionPolicy.__struct_fields__] == [VALUES[key][1] for key in WORDS]


def test_what_is_not_said_stays():
    base = ExecutionPolicy(fit_to_limits=True, horizon=timedelta(hours=1))
    assert read_policy([], base) == base
    assert read_policy(["horizon_minutes=none", "drift_band = 0.1"], base) == ExecutionPolicy(
        fit_to_limits=True, drift_band=D("0.1")
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("particpation=0.1", "write key=value, with market_spread_bps"),
        ("participation", "write key=value"),
        ("", "write key=value"),
        ("participation=0.1,participation=0.2", "given twice"),
        ("participation=ten", "participation"),
        ("participation=NaN", "participation"),
        ("participation=0", "above 0"),
        ("participation=1.01", "within 0 to 1"),
        ("drift_band=-0.1", "within 0 to 1"),
        ("market_spread_bps=-1", "market_spread_bps not below"),
        ("algorithm_from_adv=0", "above 0"),
        ("slice_minutes=0.4", "30 s or longer"),
        ("slice_minutes=10,horizon_minutes=9", "one slice or longer"),
        ("after_crash=pray", "resume or cancel"),
        ("impact=nowhere.json", "nowhere.json cannot be read"),
        ("rebalance_approvals=6", "not 0 to 5"),
        ("rebalance_approvals=1.5", "no number of persons"),
        ("fit_to_limits=yes", "true or false"),
    ],
)
def test_mistakes_are_named_and_change_nothing(text, words):
    with pytest.raises(ConfigurationError, match=words):
        read_policy([text], ExecutionPolicy())


def test_what_becomes_of_parents_after_a_crash_is_no_text():
    """``after_crash="cancel"`` would have let them go on."""
    with pytest.raises(ConfigurationError, match="after_crash: 'cancel' must be a member of AfterCrash"):
        ExecutionPolicy(after_crash="cancel")
