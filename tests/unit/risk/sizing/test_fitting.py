"""Target portfolios are cut to the limits before any order, and each cut bears the name of its limit."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from quant_trading_system.core.decisions import Rule
from quant_trading_system.risk.position_sizer import (
    EqualWeight,
    FixedFractional,
    Target,
    WithinLimits,
    fit_targets,
    room_for,
)
from tests.support.desk import Desk, limits_with
from tests.support.market import FixedCorrelations
from tests.support.sizing import ask

D = Decimal


def fit(targets, *, correlations=None, staying=None, held=(), sectors=None, **limits):
    """Equity of 100 000; targets as ``{"KO Staples": 12000}``."""
    found = fit_targets(
        [Target(*key.split(), D(value)) for key, value in targets.items()],
        equity=D(100_000),
        limits=limits_with(**limits),
        sectors=sectors or {},
        staying={symbol: D(value) for symbol, value in (staying or {}).items()},
        held=held,
        correlations=correlations,
    )
    return {symbol: (fitted.value, fitted.rule) for symbol, fitted in found.items()}


def test_what_fits_is_left_as_it_is():
    assert fit({"KO Staples": 9000, "XOM Energy": -10000}) == {"KO": (D(9000), None), "XOM": (D(-10000), None)}


def test_a_position_is_cut_to_its_limit():
    assert fit({"KO Staples": -12000})["KO"] == (D(-10000), Rule.MAX_POSITION)


def test_of_two_that_move_alike_the_one_held_stays_else_the_larger():
    alike = FixedCorrelations()
    alike.put("KO", "PEP", D("0.9"))
    wanted = {"KO Staples": 5000, "PEP Staples": 6000, "XOM Energy": 7000}
    found = fit(wanted, correlations=alike)
    assert (found["KO"], found["PEP"]) == ((D(0), Rule.MAX_CORRELATION), (D(6000), None))
    assert fit(wanted, correlations=alike, held=["KO"])["PEP"] == (D(0), Rule.MAX_CORRELATION)
    assert fit({**wanted, "PEP Staples": -6000}, correlations=alike)["PEP"] == (D(-6000), None)  # a hedge
    assert fit(wanted, correlations=FixedCorrelations(None))["PEP"] == (D(0), Rule.MAX_CORRELATION)  # not known


def test_a_short_beside_a_long_that_moves_against_it_is_the_same_bet():
    opposite = FixedCorrelations()
    opposite.put("KO", "PEP", D("-0.9"))
    found = fit({"KO Staples": 5000, "PEP Staples": -6000}, correlations=opposite)
    assert found == {"KO": (D(0), Rule.MAX_CORRELATION), "PEP": (D(-6000), None)}
    alike = FixedCorrelations()
    alike.put("KO", "PEP", D("0.9"))
    assert fit({"KO Staples": -5000, "PEP Staples": -6000}, correlations=alike)["KO"] == (D(0), Rule.MAX_CORRELATION)


def test_nothing_is_too_much_like_itself_or_like_what_was_left_out():
    """PEP is the largest, KO moves like it and goes; XOM, which moves like KO alone, has nothing beside it then."""
    alike = FixedCorrelations()
    for one, other in (("KO", "PEP"), ("KO", "XOM"), ("PEP", "PEP")):
        alike.put(one, other, D("0.9"))
    found = fit({"KO Staples": 5000, "PEP Staples": 6000, "XOM Energy": 4000}, correlations=alike)
    assert found == {"PEP": (D(6000), None), "KO": (D(0), Rule.MAX_CORRELATION), "XOM": (D(4000), None)}


def test_what_is_exactly_at_the_limits_stays():
    alike = FixedCorrelations()
    alike.put("A", "B", D("0.7"))
    limits = {"max_correlation": D("0.7"), "max_portfolio_positions": 2, "max_sector_exposure": D("0.2")}
    assert fit({"A S": 10000, "B S": 10000}, correlations=alike, **limits) == {
        "A": (D(10000), None),
        "B": (D(10000), None),
    }


def test_the_smallest_beyond_the_count_are_left_out():
    wanted = {"A S": 100, "B S": 300, "C S": 200}
    found = fit(wanted, max_portfolio_positions=2)
    assert found == {"A": (D(0), Rule.MAX_POSITIONS), "B": (D(300), None), "C": (D(200), None)}
    assert fit(wanted, max_portfolio_positions=2, staying={"Z": 1})["C"] == (D(0), Rule.MAX_POSITIONS)
    for staying in ({"Y": 1, "Z": 1}, {"X": 1, "Y": 1, "Z": 1}):
        full = fit(wanted, max_portfolio_positions=2, staying=staying)
        assert set(full.values()) == {(D(0), Rule.MAX_POSITIONS)}


def test_a_sector_is_scaled_down_in_proportion_beside_what_stays():
    wanted = {"A Tech": 10000, "B Tech": 10000, "C Energy": 10000}
    found = fit(wanted, staying={"Z": 20000}, sectors={"Z": "Tech"})  # 30 % of equity, 20 000 of it taken
    assert found == {"A": (D(5000), Rule.MAX_SECTOR), "B": (D(5000), Rule.MAX_SECTOR), "C": (D(10000), None)}


def test_longs_and_shorts_of_a_sector_are_not_set_off_against_each_other():
    found = fit({"A Tech": 10000, "B Tech": -10000, "C Tech": 10000, "D Tech": -10000})  # 40 %, where 30 % may be
    assert [value for value, _ in found.values()] == [D(7500), D(-7500), D(7500), D(-7500)]


def test_beside_more_than_the_limits_allow_a_wish_for_nothing_is_nothing():
    """What stays has grown beyond the sector's limit and the whole account's; there is nothing to cut."""
    assert fit({"A Tech": 0}, staying={"Z": 140000}, sectors={"Z": "Tech"}) == {"A": (D(0), None)}


@pytest.mark.parametrize("equity", ["100000", "0", "-1"])
def test_a_wish_without_a_size_keeps_its_own_reason_whatever_the_limits_say(equity):
    asked = ask(equity=equity, limits={"max_gross_exposure": D(1), "max_correlation": D("0.5")})
    around = msgspec.structs.replace(
        asked.around, staying={"Z": D(140000)}, sectors={"Z": "Tech"}, correlations=FixedCorrelations(None)
    )
    sizing = WithinLimits(FixedFractional()).size(msgspec.structs.replace(asked, around=around))
    assert (sizing.quantity, sizing.bound_by, sizing.cut_from) == (D(0), "missing", None)


def test_the_whole_is_scaled_to_gross_and_to_buying_power():
    wanted = {f"S{i} sector{i}": 10000 for i in range(20)}
    assert fit(wanted, max_gross_exposure=D("0.5"))["S3"] == (D(2500), Rule.MAX_GROSS)
    assert fit(wanted, max_gross_exposure=D(2))["S3"] == (D(5000), Rule.BUYING_POWER)
    assert fit(wanted, staying={"Z": -100000})["S3"] == (D(0), Rule.MAX_GROSS)


def test_a_sizing_that_was_cut_says_from_what_and_by_what():
    asked = ask(limits={"max_position_pct": D("0.10"), "max_gross_exposure": D("0.06")})
    sizing = WithinLimits(EqualWeight()).size(asked)
    assert (sizing.quantity, sizing.bound_by, sizing.cut_from) == (D(60), "max_gross_exposure", D(950))
    small = WithinLimits(EqualWeight()).size(
        ask(limits={"max_gross_exposure": D("0.06"), "min_order_notional": D(9999)})
    )
    assert (small.quantity, small.bound_by) == (D(0), "min_order_notional")
    least = {"max_position_pct": D("0.10"), "max_gross_exposure": D("0.06"), "min_order_notional": D(6000)}
    assert WithinLimits(EqualWeight()).size(ask(limits=least)).quantity == 60  # worth just as much as it must
    odd = WithinLimits(EqualWeight()).size(ask(price="7", limits={"max_gross_exposure": D("0.06")}))
    assert odd.quantity == 857  # whole shares of 857.14


def test_a_sizing_that_fits_is_the_sizers_own_answer():
    assert WithinLimits(EqualWeight()).size(ask()) == EqualWeight().size(ask())


# -- the room of one order

ROOMS = [
    ({}, 0, 500, 99, Rule.MAX_POSITION),  # 10 % of 100 000 at 100.01
    ({}, 60, 500, 39, Rule.MAX_POSITION),
    ({"max_position_pct": D(1), "max_sector_exposure": D("0.05")}, 0, 500, 49, Rule.MAX_SECTOR),
    (
        {"max_position_pct": D(1), "max_sector_exposure": D(1), "max_gross_exposure": D("0.05")},
        0,
        90,
        49,
        Rule.MAX_GROSS,
    ),
    ({"max_order_quantity": D(7)}, 0, 50, 7, Rule.MAX_QUANTITY),
    ({"max_order_notional": D(700)}, 0, 50, 6, Rule.MAX_NOTIONAL),
    ({"min_order_notional": D(700), "max_order_notional": D(700)}, 0, 50, 0, Rule.MIN_NOTIONAL),
    ({}, 80, -80, -80, None),
    ({"max_order_quantity": D(7)}, 80, -80, -7, Rule.MAX_QUANTITY),  # a way out is cut, too, and goes in parts
    ({"min_order_notional": D(700)}, 0, 6, 0, Rule.MIN_NOTIONAL),  # too little by itself
    ({"min_order_notional": D(700)}, 0, 7, 7, None),
    ({"min_order_notional": D(700)}, 6, -6, -6, None),
    ({"max_order_quantity": D(7), "min_order_notional": D(1000)}, 80, -80, -7, Rule.MAX_QUANTITY),  # however small
    ({"max_order_quantity": D(7), "allow_short": True}, 0, -50, -7, Rule.MAX_QUANTITY),
    ({}, 0, 99, 99, None),
]


@pytest.mark.parametrize(("limits", "held", "change", "fits", "rule"), ROOMS)
def test_the_room_of_an_order(limits, held, change, fits, rule):
    desk = Desk(limits=limits_with(**limits))
    if held:
        desk.hold("KO", held, "100.01")
    found = room_for("KO", D(change), D("100.01"), D(1), checker=desk.checker)
    assert found == (D(fits), rule)


@pytest.mark.parametrize("side", [1, -1])
def test_the_room_is_in_whole_lots(side):
    desk = Desk(limits=limits_with(max_order_quantity=D(27), allow_short=True))
    found = room_for("KO", D(side * 50), D("100.01"), D(10), checker=desk.checker)
    assert found == (D(side * 20), Rule.MAX_QUANTITY)


def test_there_is_no_room_for_one_symbol_more():
    desk = Desk(limits=limits_with(max_portfolio_positions=1))
    desk.hold("XOM", 1, 100)
    found = room_for("KO", D(5), D(100), D(1), checker=desk.checker)
    assert found == (D(0), Rule.MAX_POSITIONS)
