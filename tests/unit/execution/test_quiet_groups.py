"""Until when something that is wrong with a group needs no look, so that a backtest may pass over prices."""

from __future__ import annotations

from math import inf

from quant_trading_system.core.order_state import OrderTrigger
from quant_trading_system.execution.notices import NoticeKind
from tests.support.groups import LEADER, LOSS, PROFIT, bracket
from tests.support.orders import buy
from tests.unit.execution.test_order_groups import GroupAccount, entered


def quiet_for(account: GroupAccount) -> float:
    """Seconds from now."""
    return account.orders.lives.quiet_until - account.clock.monotonic()


def test_as_long_as_nothing_is_wrong():
    assert quiet_for(entered(order=bracket())) == inf


def test_until_people_are_told_and_then_until_they_are_reminded():
    account = entered()
    account.broker.cancelled(LOSS)
    assert quiet_for(account) == 2
    account.pass_time(3)
    assert account.kinds() == [NoticeKind.PROTECTION_MISSING]
    assert quiet_for(account) == 600
    account.pass_time(100)
    assert quiet_for(account) == 500


def test_not_while_something_else_is_wrong_now_that_nobody_was_told_of():
    account = entered()
    account.broker.accept(LOSS)
    account.broker.report(PROFIT, OrderTrigger.REJECT)
    account.pass_time(3)
    assert (account.kinds(), quiet_for(account)) == ([NoticeKind.LEG_LOST], 600)
    account.broker.cancelled(LOSS)
    assert quiet_for(account) < 0


def test_not_while_exits_are_too_large():
    account = entered(4)
    account.broker.accept(PROFIT)
    account.broker.cancelled(LEADER)
    account.pass_time(3)
    group = account.record(LEADER).group
    assert group is not None
    group.asked.clear()  # the cancel was refused
    assert group.oversized
    assert quiet_for(account) < 0


def test_not_before_what_people_were_told_is_on_record():
    account = entered()
    account.broker.cancelled(LOSS)
    account.clock.move_to(account.clock.now().replace(second=30))
    account.orders.lives.groups.look()
    assert account.orders.lives.quiet_until == -inf
    account.orders.lives.groups.record_alarms()
    assert quiet_for(account) == 600


def test_not_when_it_is_over():
    """The position was sold by another order; the next look ends the alarm."""
    account = entered()
    account.broker.cancelled(LOSS)
    account.pass_time(3)
    account.hold("KO", -10)
    assert account.portfolio.position("KO").quantity == 0
    assert account.orders.lives.quiet_until == -inf


def test_not_while_an_order_is_in_doubt():
    account = entered()
    account.broker.cancelled(LOSS)
    account.pass_time(3)
    account.broker.answers.append("time_out")
    account.submit(buy(1, symbol="PEP"))
    assert account.orders.lives.quiet_until == -inf
