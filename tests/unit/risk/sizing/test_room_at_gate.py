"""What has room passes the gate, and one lot more does not: for every limit on size, alone and together."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_trading_system.core.decisions import Rejection, Rule
from quant_trading_system.risk.on_size import ON_SIZE
from quant_trading_system.risk.position_sizer import Room, room_for
from tests.support.desk import Desk
from tests.support.gate_cases import _desk, _Given, parse_order

D = Decimal
ASK = D("100.01")
ROOMY = "max_position_pct=1 max_sector_exposure=1 max_gross_exposure=4 buying_power_multiplier=4"
LIMITS = {
    Rule.MAX_QUANTITY: ("max_order_quantity=41", 41),
    Rule.MAX_NOTIONAL: ("max_order_notional=5000", 49),
    Rule.VOLATILITY: ("volatility_tiers=above+1+times+0.0018 volatility=2", 17),
    Rule.MAX_ORDER_MULTIPLE: ("max_order_multiple=2 usual=11@900", 17),
    Rule.MAX_ORDER_ADV: ("max_order_adv_pct=0.01 adv=2500", 25),
    Rule.MAX_PARTICIPATION: ("max_participation_pct=0.0104 adv=2500", 26),
    Rule.MAX_NOTIONAL_PER_MINUTE: ("max_notional_per_minute=2300", 22),
    Rule.MAX_NOTIONAL_PER_DAY: ("max_notional_per_day=2100", 20),
    Rule.MAX_TURNOVER: ("max_turnover_per_day=0.03", 29),
    Rule.MAX_POSITION_QUANTITY: ("max_position_quantity=43", 43),
    Rule.MAX_POSITION: ("max_position_pct=0.08", 79),
    Rule.MAX_POSITION_NOTIONAL: ("max_position_notional=3300", 32),
    Rule.MAX_CONCENTRATION: ("max_concentration=0.0004", 19),
    Rule.MAX_SECTOR: ("max_sector_exposure=0.047", 46),
    Rule.MAX_GROSS: ("max_gross_exposure=0.053", 52),
    Rule.MAX_NET: ("max_net_exposure=0.038", 37),
    Rule.BUYING_POWER: ("buying_power_multiplier=0.039", 38),
    Rule.SETTLED_CASH: ("use_unsettled_cash=false unsettled=97000", 29),
    Rule.MAX_MARGIN_USE: ("max_margin_use_pct=0.01", 33),
    Rule.MAX_BETA: ("max_beta_exposure=0.02 beta=KO:1.3", 15),
    Rule.MAX_VAR: ("max_var_95_pct=0.001 tail=0.03", 33),
    Rule.MAX_ES: ("max_es_95_pct=0.001 tail=0.02", 24),
    Rule.STRATEGY_VALUE: ("strategy_budgets=T+value+1700", 16),
}


def desk_with(given: str) -> Desk:
    words = f"{ROOMY} {given}".split()
    latest = {word.partition("=")[0]: word for word in words}  # the limit itself comes after what is out of its way
    return _desk(_Given(" ".join(latest.values())), parse_order("buy 1 by T"))


def room(desk: Desk, wanted: int = 100) -> Room:
    return room_for("KO", D(wanted), ASK, D(1), checker=desk.checker, strategy="T")


def verdict(desk: Desk, quantity: Decimal) -> Rule | None:
    answer = desk.check(parse_order(f"buy {quantity} limit {ASK} by T"))
    return answer.rule if isinstance(answer, Rejection) else None


@pytest.mark.parametrize("rule", LIMITS)
def test_each_limit_leaves_the_room_that_the_gate_lets_pass(rule: Rule) -> None:
    given_, fits = LIMITS[rule]
    desk = desk_with(given_)
    assert room(desk) == Room(D(fits), rule)
    assert (verdict(desk, D(fits)), verdict(desk, D(fits + 1))) == (None, rule)


def test_every_rule_on_size_has_its_line():
    assert set(LIMITS) | {Rule.MAX_POSITIONS, Rule.MARGINABLE} == ON_SIZE


def test_what_is_not_marginable_has_the_room_of_free_equity():
    desk = desk_with("flags=marginable held=XOM:960@100")
    assert room(desk) == Room(D(39), Rule.MARGINABLE)
    assert (verdict(desk, D(39)), verdict(desk, D(40))) == (None, Rule.MARGINABLE)


def test_a_soft_limit_leaves_room_for_what_nobody_has_to_approve():
    desk = desk_with("soft_limits=max_order_notional+1500")
    assert room(desk) == Room(D(14), Rule.MAX_NOTIONAL)
    assert (verdict(desk, D(14)), verdict(desk, D(15))) == (None, Rule.SOFT_LIMITS)


def test_where_nothing_is_known_there_is_no_room():
    assert room(desk_with("max_beta_exposure=0.02")) == Room(D(0), Rule.MAX_BETA)


def test_what_cannot_be_read_leaves_no_room(monkeypatch):
    from quant_trading_system.core.exceptions import MarketDataError

    desk = desk_with("")

    def unread():
        raise MarketDataError("no calendar")

    monkeypatch.setattr(desk.checker.traffic, "look", unread)
    assert room(desk) == Room(D(0), Rule.CHECK_FAILED)


@given(st.lists(st.sampled_from(list(LIMITS)), unique=True, min_size=1), st.integers(1, 100))
def test_together_they_leave_the_room_of_the_tightest(rules, wanted):
    desk = desk_with(" ".join(LIMITS[rule][0] for rule in rules))
    found = room(desk, wanted)
    assert found.quantity <= min(wanted, *(LIMITS[rule][1] for rule in rules))
    if found.quantity:
        assert verdict(desk, found.quantity) is None
    if found.rule is not None:
        assert verdict(desk, found.quantity + 1) is not None
