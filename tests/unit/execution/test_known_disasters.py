"""Two days that ruined or cost firms dearly, replayed under the shipped limits: they end at the first lines."""

from __future__ import annotations

from decimal import Decimal

import pytest

from quant_trading_system.core.decisions import Rejection, Rule
from quant_trading_system.execution.order_manager import Placed
from tests.support.desk import Account
from tests.support.orders import buy, sell

D = Decimal
TRIES = 2_000


@pytest.mark.control("max_repeated_orders")
@pytest.mark.parametrize("fills", [True, False])
def test_a_router_that_sends_its_children_again_and_again_is_stopped_within_a_few(fills):
    """August 2012: old code answered 212 parents with children without end, because nobody counted its fills."""
    account = Account()
    most = account.system.limits.max_repeated_orders
    assert most is not None
    account.broker.answers.extend(["fill" if fills else "accept"] * TRIES)
    answers = [account.submit(buy(1, limit="100.01", strategy="router", repeat=False)) for _ in range(TRIES)]
    placed = [answer for answer in answers if isinstance(answer, Placed)]
    assert 0 < len(placed) == len(account.broker.placed) <= most
    assert all(isinstance(answer, Rejection) for answer in answers[len(placed) :]), "it never begins again"
    assert account.portfolio.gross_worst <= most * D("100.01")


def test_a_router_that_changes_its_children_a_little_meets_the_limits_on_pace_and_value():
    """Buying high and selling low in turn, another size every time, so that no two children are the same."""
    account = Account()
    account.broker.answers.extend(["fill"] * TRIES)
    for number in range(TRIES):
        side = buy if number % 2 == 0 else sell
        account.submit(side(1 + number % 7, limit="100.01" if side is buy else "99.99", strategy="router"))
    limits = account.system.limits
    assert limits.max_orders_per_minute is not None
    assert len(account.broker.placed) <= limits.max_orders_per_minute
    assert abs(account.portfolio.position("KO").quantity) * 100 <= limits.max_position_pct * 100_000


@pytest.mark.parametrize("symbol", ["KO", "PEP", "XOM"])
@pytest.mark.parametrize("side", ["buy", "sell"])
def test_every_line_of_a_basket_a_thousand_times_too_large_is_refused_in_one_line(side, symbol):
    """May 2022: a basket of 58 million dollars was entered as one of 444 billion."""
    account = Account()
    account.hold(symbol, 20)
    meant = D(10)
    answer = account.submit((buy if side == "buy" else sell)(meant * 1000, symbol, limit="100.00"))
    assert isinstance(answer, Rejection)
    assert answer.rule in {Rule.MAX_QUANTITY, Rule.MAX_NOTIONAL, Rule.MAX_POSITION, Rule.SELL_WITHIN_HELD}
    assert "\n" not in answer.message
    assert answer.limit is not None
    assert account.broker.placed == []
    assert isinstance(account.submit((buy if side == "buy" else sell)(meant, symbol, limit="100.00")), Placed)
