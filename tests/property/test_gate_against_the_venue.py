"""What the venue refuses for the sake of other open orders, the gate refuses before, and of the one rule no more.

A purchase that opens a position and a short sale that opens one are not taken together, and no order is taken that
could trade with another one of the account.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from quant_trading_system.core.decisions import Rule
from quant_trading_system.core.orders import Order, OrderClass, OrderType
from quant_trading_system.risk.holding import Reservation
from quant_trading_system.simulation.models import NO_LATENCY
from tests.support.gate_at_venue import SLOW, Seen, Trader

SEEDS, TURNS = range(40), 120
OPENS_THE_OTHER = "it would open a"


@cache
def traders() -> list[Trader]:
    """Half of them wait for messages, the others see everything at once."""
    found = []
    for seed in SEEDS:
        trader = Trader(seed, NO_LATENCY if seed % 2 else SLOW)
        for _ in range(TURNS):
            trader.turn()
        found.append(trader)
    return found


def seen(which: Callable[[Seen], object]) -> list[Seen]:
    return [one for trader in traders() for one in trader.seen if which(one)]


def may_open(order: Order) -> bool:
    """Those that may not are refused as what they are."""
    return not order.reduce_only and order.order_class is not OrderClass.OCO


def test_nothing_leaves_that_the_venue_refuses_because_the_other_side_is_being_opened():
    assert [one for one in seen(lambda one: one.opposite) if one.gate is None] == []
    words = [why for trader in traders() for _, why in trader.refused]
    assert [why for why in words if "cannot open a" in why] == []


def test_where_both_see_the_same_the_gate_refuses_what_the_venue_refuses_and_no_more():
    for one in seen(lambda one: one.same and may_open(one.order)):
        assert one.self_match.startswith(OPENS_THE_OTHER) is (one.opposite != ""), one


def test_where_they_differ_the_gate_is_the_stricter_one():
    apart = seen(lambda one: not one.same and one.self_match.startswith(OPENS_THE_OTHER))
    assert len([one for one in apart if not one.opposite]) > 50
    assert [one for one in apart if one.opposite]


def test_all_that_could_trade_with_an_own_order_is_refused_but_ways_out():
    """A way out is the venue's to judge: our books may be late, and it must not wait for them."""
    passed = [one for one in seen(lambda one: one.wash) if one.gate is None]
    assert len(passed) > 50
    assert [one for one in passed if not one.exits] == []
    assert {why for trader in traders() for _, why in trader.refused} == {
        "potential wash trade detected. use complex orders"
    }


def test_where_both_see_the_same_the_gate_is_stricter_about_stop_limit_orders_only():
    beyond = seen(lambda one: one.same and one.gate is Rule.SELF_MATCH and not (one.opposite or one.wash))
    assert beyond
    assert [one for one in beyond if OrderType.STOP_LIMIT not in {one.order.order_type, *one.against}] == []


def test_everything_that_matters_came_up():
    """Otherwise the tests above would say little."""
    assert len(seen(lambda one: one.same and one.opposite)) > 100
    assert len(seen(lambda one: one.same and not one.opposite and one.against)) > 100
    for kind in OrderType:
        assert seen(lambda one: one.opposite and one.order.order_type is kind)  # noqa: B023 - asked at once
    for order_class in (OrderClass.BRACKET, OrderClass.OTO):
        assert seen(lambda one: one.opposite and one.order.order_class is order_class)  # noqa: B023
    assert seen(lambda one: one.held > 0 and one.against)
    assert seen(lambda one: one.held < 0 and one.against)
    statuses = {record.status for trader in traders() for record in trader.orders.orders()}
    assert {"filled", "canceled", "replaced", "partially_filled", "held"} <= statuses
    assert seen(lambda one: one.gate is Rule.IN_DOUBT)


@pytest.mark.parametrize(
    "leave_out",
    [
        pytest.param(lambda room: None, id="all"),
        pytest.param(lambda room: None if room.order.order_class is OrderClass.BRACKET else _real(room), id="brackets"),
    ],
)
def test_a_gate_that_overlooks_some_orders_is_noticed(leave_out, monkeypatch):
    """Otherwise the tests above would say nothing."""
    monkeypatch.setattr(Reservation, "opening_side", property(leave_out))
    missed = 0
    for seed in SEEDS:
        trader = Trader(seed)
        for _ in range(TURNS):
            trader.turn()
        missed += sum(one.gate is None and not one.exits and (one.opposite or one.wash) != "" for one in trader.seen)
    assert missed


_opening_side = Reservation.__dict__["opening_side"]


def _real(room: Reservation) -> object:
    return _opening_side.__get__(room)
