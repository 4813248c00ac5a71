"""What people approved beyond a soft limit lets that very order through, and none that looks like it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest

from quant_trading_system.core.decisions import ExecutionPlan, Rule
from quant_trading_system.core.numbers import ONE
from quant_trading_system.core.orders import Order, TimeInForce
from quant_trading_system.risk.checks.case import Waiver
from tests.support.desk import Desk, limits_with
from tests.support.gate_cases import verdict
from tests.support.market import NOON
from tests.support.orders import buy, sell

SHOWN = buy(6, limit="100")
PLAN = ExecutionPlan(choice="limit", why="a test", urgency=ONE, approval="order-1")


def desk_with(waiver: Waiver) -> Desk:
    desk = Desk(limits=limits_with(soft_limits=("max_order_notional 500",), allow_short=True))
    desk.board.put("PEP", "99.99", "100.01")
    desk.checker.know(waiver={"order-1": waiver}.get)
    return desk


def waiver(order: Order = SHOWN, **terms: object) -> Waiver:
    known = Waiver(order, frozenset({"max_order_notional"}), mid=Decimal(100), until=NOON + timedelta(minutes=15))
    return known._replace(**terms)


OTHERS = {
    "dearer": msgspec.structs.replace(SHOWN, limit_price=Decimal("100.01")),
    "at any price": buy(6),
    "fewer shares": msgspec.structs.replace(SHOWN, quantity=Decimal("5.5")),
    "kept overnight": msgspec.structs.replace(SHOWN, time_in_force=TimeInForce.GTC),
    "another symbol": msgspec.structs.replace(SHOWN, symbol="PEP"),
    "the other side": sell(6, limit="100"),
    "another strategy": msgspec.structs.replace(SHOWN, strategy="b"),
}


def test_the_order_that_was_shown_passes():
    assert verdict(desk_with(waiver()).checker.check_order(SHOWN, PLAN)) == "ok"


@pytest.mark.parametrize("other", OTHERS)
def test_another_order_than_the_one_that_was_shown_does_not(other):
    answer = desk_with(waiver()).checker.check_order(OTHERS[other], PLAN)
    assert verdict(answer) == Rule.SOFT_LIMITS.value
    assert "order-1 is no approval of this order" in answer.message


def test_an_approval_ends_at_its_moment():
    desk = desk_with(waiver())
    desk.clock.move_to(NOON + timedelta(minutes=15))
    desk.board.put("KO", "99.99", "100.01")
    answer = desk.checker.check_order(SHOWN, PLAN)
    assert "order-1 has expired" in answer.message
