"""How much: worked cases, caps, and zero with a reason whenever something is missing."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.core.instruments import Instrument
from quant_trading_system.core.signals import Direction, Signal
from quant_trading_system.risk.position_sizer import (
    EqualWeight,
    FixedFractional,
    OwnWeight,
    PositionSizer,
    Sizing,
    SizingRequest,
)
from quant_trading_system.risk.sizing.request import as_weight
from quant_trading_system.risk.sizing.signals import share_of_one
from tests.support.desk import limits_with
from tests.support.market import NOON

D = Decimal


def request(
    direction: str = "long",
    *,
    price: str = "100",
    equity: str = "100000",
    cap: str = "0.10",
    lot: str = "1",
    signals: int = 1,
    **signal,
) -> SizingRequest:
    return SizingRequest(
        signal=Signal(symbol="KO", direction=Direction(direction), at=NOON, source="test", **signal),
        instrument=Instrument(symbol="KO", lot=D(lot)),
        price=D(price),
        equity=D(equity),
        limits=limits_with(max_position_pct=D(cap)),
        signals=signals,
    )


FIXED_FRACTIONAL = """
case     direction  equity   fraction  entry    stop     lot  cap    quantity  bound by           at risk
R-FF-1   long       50000    0.02      80.00    77.50    1    1      400       risk_fraction      1000
R-FF-2   long       100000   0.01      120.00   119.00   1    0.10   83        max_position_pct   83
R-FF-3   short      30000    0.01      15.20    16.00    5    1      -375      risk_fraction      300
"""


@pytest.mark.parametrize("line", FIXED_FRACTIONAL.strip().splitlines()[1:], ids=lambda line: line.split()[0])
def test_fixed_fractional_sizes_of_the_worked_cases(line):
    """Quantity = equity · fraction / distance to the stop, then the cap, then down to the lot."""
    _, direction, equity, fraction, entry, stop, lot, cap, quantity, bound_by, at_risk = line.split()
    asked = request(direction, price=entry, equity=equity, cap=cap, lot=lot, stop_price=D(stop))
    sizing = FixedFractional(D(fraction)).size(asked)
    assert (sizing.quantity, sizing.bound_by) == (D(quantity), bound_by)
    assert abs(sizing.quantity * (D(entry) - D(stop))) == D(at_risk)


NOTHING = [
    (FixedFractional(), request(), "needs a stop_price", "missing"),
    (FixedFractional(), request(stop_price=D(100)), "wrong side", "missing"),
    (FixedFractional(), request(stop_price=D(101)), "wrong side", "missing"),
    (FixedFractional(), request("short", stop_price=D(99)), "wrong side", "missing"),
    (FixedFractional(), request("flat", stop_price=D(99)), "flat is wanted", "signal"),
    (FixedFractional(), request(equity="0", stop_price=D(99)), "no price or no equity", "missing"),
    (FixedFractional(), request(equity="-1", stop_price=D(99)), "no price or no equity", "missing"),
    (FixedFractional(), request(strength=D(0), stop_price=D(99)), "less than one lot", "lot"),
    (EqualWeight(), request("flat"), "flat is wanted", "signal"),
    (EqualWeight(), request(equity="0"), "no price or no equity", "missing"),
    (EqualWeight(), request(equity="-5000"), "no price or no equity", "missing"),
    (EqualWeight(), request(price="0"), "no price or no equity", "missing"),
    (EqualWeight(), request(price="-1"), "no price or no equity", "missing"),
    (EqualWeight(), request(price="10000.01"), "less than one lot", "lot"),
    (EqualWeight(), request(lot="101"), "less than one lot", "lot"),
    (EqualWeight(), request(strength=D(0)), "less than one lot", "lot"),
    (OwnWeight(EqualWeight()), request(weight=D(0)), "less than one lot", "lot"),
]


@pytest.mark.parametrize(("sizer", "asked", "why", "bound_by"), NOTHING)
def test_what_is_missing_sizes_to_nothing_and_says_why(sizer: PositionSizer, asked, why, bound_by):
    sizing = sizer.size(asked)
    assert (sizing.quantity, sizing.bound_by) == (D(0), bound_by)
    assert why in sizing.detail


EQUAL_WEIGHT = """
signals  strength  cap    quantity   bound by
1        1         1      950        equal_weight        # 95 % of 100 000 at 100
4        1         1      237        equal_weight        # 23 750 dollars, rounded down
4        0.5       1      118        equal_weight
1        1         0.10   100        max_position_pct
10       1         0.10   95         equal_weight
0        1         1      950        equal_weight        # nobody else is counted; this one is
"""


@pytest.mark.parametrize("line", EQUAL_WEIGHT.strip().splitlines()[1:])
def test_equal_weight_shares_equity_among_what_is_wanted(line):
    signals, strength, cap, quantity, bound_by = line.partition("#")[0].split()
    sizing = EqualWeight().size(request(signals=int(signals), strength=D(strength), cap=cap))
    assert (sizing.quantity, sizing.bound_by) == (D(quantity), bound_by)


def test_equal_parts_lose_no_share_to_rounding():
    """A seventh of 665,000 dollars is 95,000: 950 shares of 100."""
    seventh = request(equity="700000", signals=7, cap="1")
    assert EqualWeight().size(seventh).quantity == 950
    assert share_of_one(seventh, D("0.95"), "part", "").quantity == 950


def test_a_short_is_the_mirror_image():
    assert EqualWeight().size(request("short")).quantity == -EqualWeight().size(request("long")).quantity


def test_a_strategy_may_say_its_own_weight_but_not_past_the_cap():
    sizer = OwnWeight(EqualWeight())
    assert sizer.size(request(weight=D("0.05"))) == Sizing(
        quantity=D(50), bound_by="signal_weight", detail="0.05 of equity, asked for by the strategy"
    )
    assert sizer.size(request(weight=D(3))).quantity == D(100)
    assert sizer.size(request(weight=D(3))).bound_by == "max_position_pct"
    assert sizer.size(request(signals=10)).bound_by == "equal_weight"  # no weight: the other sizer decides


def test_the_cap_itself_is_within_reach():
    """10 % of 100 000 at exactly 100 is 100 shares; a cent dearer and one share less fits."""
    assert EqualWeight().size(request(price="100")).quantity == 100
    assert EqualWeight().size(request(price="100.01")).quantity == 99


@pytest.mark.parametrize("gross", ["0", "-0.1"])
def test_equal_weight_must_invest_something(gross):
    with pytest.raises(ConfigurationError, match="must be above zero"):
        EqualWeight(D(gross))


@pytest.mark.parametrize("fraction", ["0", "1", "-0.01", "1.5"])
def test_the_risked_fraction_lies_between_nothing_and_everything(fraction):
    with pytest.raises(ConfigurationError, match="between 0 and 1"):
        FixedFractional(D(fraction))


PRICES = st.decimals("100.01", "5000", places=2)


@given(price=PRICES, distance=st.decimals("0.01", "100", places=2), lot=st.sampled_from(["1", "5", "100", "0.001"]))
def test_no_sizer_risks_or_holds_more_than_it_may(price: Decimal, distance: Decimal, lot: str):
    """Never rounded up: whole lots, within the cap, and the stop costs no more than the fraction of equity."""
    asked = request(price=str(price), lot=lot, stop_price=price - distance)
    for sizer in (FixedFractional(D("0.01")), EqualWeight()):
        quantity = sizer.size(asked).quantity
        assert quantity % D(lot) == 0
        assert 0 <= quantity * price <= D(10_000)
        if isinstance(sizer, FixedFractional):
            assert quantity * distance <= D(1000)


def test_a_position_at_its_limit_is_not_cut_and_one_beyond_it_says_from_what_also_short():
    at, beyond = (EqualWeight(D(gross)).size(request("short", cap="0.10")) for gross in ("0.10", "0.95"))
    assert (at.quantity, at.bound_by, at.cut_from) == (D(-100), "equal_weight", None)
    assert (beyond.quantity, beyond.bound_by, beyond.cut_from) == (D(-100), "max_position_pct", D(-950))


def test_shares_of_less_than_a_dollar_have_a_size():
    assert EqualWeight().size(request(price="0.50", cap="1")).quantity == 190_000


def test_an_estimate_below_zero_is_no_weight():
    assert (as_weight(-0.5), as_weight(0.123456789)) == (D(0), D("0.12345679"))
