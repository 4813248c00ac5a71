"""Every key says which change lets more through, and the tighter of two values is no looser than either."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_trading_system.config.loader import default_limits
from quant_trading_system.config.looseness import Looser, is_looser, tighter_of
from quant_trading_system.config.risk_keys import KEYS

MINIMA = {
    "min_order_notional",
    "duplicate_window_s",
    "repeat_window_s",
    "correlation_min_observations",
    "rapid_loss_window_s",
    "broker_error_window_s",
    "reset_approvals",
    "probation_s",
    "liquidation_patience_s",
    "live_loosening_approvals",
    "paper_loosening_approvals",
    "no_trade_after_open_s",
    "no_trade_before_close_s",
    "soft_limit_approvals",
}
"""Keys of which less lets more through, written out once more by hand."""

VALUES: dict[Looser, st.SearchStrategy[Any]] = {
    Looser.HIGHER: st.decimals(0, 9, places=2) | st.booleans(),
    Looser.LOWER: st.integers(0, 9),
    Looser.FEWER_NAMES: st.lists(st.sampled_from("ABCD"), unique=True).map(sorted).map(tuple),
    Looser.MORE_NAMES: st.lists(st.sampled_from("ABCD"), unique=True).map(sorted).map(tuple),
    Looser.ANY_CHANGE: st.sampled_from(["reducing", "halted"]),
}


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_every_key_declares_its_direction_as_its_values_demand(key):
    assert isinstance(key.looser, Looser)
    assert key.is_list == (key.looser in {Looser.MORE_NAMES, Looser.FEWER_NAMES})
    if key.range is None and not key.is_list:
        flag = isinstance(getattr(default_limits(), key.name), bool)
        assert key.looser is (Looser.HIGHER if flag else Looser.ANY_CHANGE)
    if key.name.startswith("max_"):
        assert key.looser is Looser.HIGHER
    assert (key.looser is Looser.LOWER) == (key.name in MINIMA)


@pytest.mark.parametrize("looser", Looser)
@given(data=st.data())
def test_the_tighter_of_two_values_is_looser_than_neither(looser: Looser, data):
    a, b = data.draw(VALUES[looser]), data.draw(VALUES[looser])
    tight = tighter_of(looser, a, b)
    assert not is_looser(looser, a, tight)
    assert tighter_of(looser, a, a) == a
    if looser is not Looser.ANY_CHANGE and not (looser is Looser.MORE_NAMES and not set(a) & set(b)):
        assert not is_looser(looser, b, tight)


@pytest.mark.parametrize(
    ("looser", "approved", "other", "tight"),
    [
        (Looser.HIGHER, Decimal("0.10"), Decimal("0.12"), Decimal("0.10")),
        (Looser.HIGHER, True, False, False),
        (Looser.LOWER, 5, 3, 5),
        (Looser.HIGHER, None, 5, 5),
        (Looser.LOWER, 5, None, 5),
        (Looser.FEWER_NAMES, ("GME",), (), ("GME",)),
        (Looser.FEWER_NAMES, ("GME",), ("KO",), ("GME", "KO")),
        (Looser.MORE_NAMES, (), ("Ana",), ("Ana",)),
        (Looser.MORE_NAMES, ("Ana",), (), ("Ana",)),
        (Looser.MORE_NAMES, ("Ana",), ("Ben",), ("Ana",)),
        (Looser.ANY_CHANGE, "halted", "flattening", "halted"),
    ],
)
def test_the_approved_value_holds_where_none_is_tighter(looser, approved, other, tight):
    assert tighter_of(looser, approved, other) == tight
