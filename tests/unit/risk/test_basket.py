"""Several orders judged together: none of them is given the room of another, and nothing of it stays."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_trading_system.core.decisions import Rejection, Rule
from quant_trading_system.risk.basket import basket_line, basket_words, first_refusal, judge_basket
from tests.support.desk import UNHURRIED, Desk, limits_with
from tests.support.orders import buy, sell

D = Decimal
SYMBOLS = ("KO", "PEP", "XOM")


def desk(**limits) -> Desk:
    found = Desk(limits=limits_with(**limits))
    for symbol in SYMBOLS:
        found.board.put(symbol, "99.99", "100.01")
    return found


def judge(found: Desk, *orders):
    return judge_basket(found.checker, found.portfolio, orders)


def rules(judged) -> list[str]:
    return [one.verdict.rule.value if isinstance(one.verdict, Rejection) else "ok" for one in judged]


CASES = """
max_gross_exposure=0.15         | buy KO 80, buy PEP 70          | ok ok
max_gross_exposure=0.15         | buy KO 80, buy PEP 71          | ok max_gross_exposure
max_gross_exposure=0.15         | buy KO 80, buy PEP 71, buy XOM 70 | ok max_gross_exposure ok
max_sector_exposure=0.1         | buy KO 60, buy PEP 40          | ok ok
max_sector_exposure=0.1         | buy KO 60, buy PEP 41          | ok max_sector_exposure
max_concentration=0.01          | buy KO 80, buy PEP 60          | ok ok
max_concentration=0.01          | buy KO 80, buy PEP 61          | ok max_concentration
max_portfolio_positions=2       | buy KO 1, buy PEP 1, buy XOM 1 | ok ok max_portfolio_positions
max_orders_per_minute=2         | buy KO 1, buy PEP 1, buy XOM 1 | ok ok max_orders_per_minute
max_notional_per_day=10000      | buy KO 60, buy PEP 41          | ok max_notional_per_day
max_open_orders=1               | buy KO 1, buy PEP 1            | ok max_open_orders
                                | buy KO 1, buy KO 1             | ok duplicate_window_s
                                | buy KO 60, buy KO 41           | ok max_position_pct
buying_power_multiplier=1       | buy KO 90, buy PEP 90          | ok ok
"""


@pytest.mark.parametrize("line", [line for line in CASES.strip("\n").splitlines() if line.strip()])
def test_each_is_judged_with_those_before_it_open(line):
    limits, orders, expected = (part.strip() for part in line.split("|"))
    changes = {}
    for change in limits.split():
        name, _, value = change.partition("=")
        whole = isinstance(getattr(limits_with(), name), int)
        changes[name] = int(value) if whole else D(value)
    wanted = []
    for words in orders.split(","):
        _, symbol, shares = words.split()
        wanted.append(buy(shares, symbol=symbol, limit="100", repeat=False))
    assert rules(judge(desk(max_position_pct=D("0.1"), **changes), *wanted)) == expected.split()


def test_a_sale_is_not_credited_before_it_fills():
    found = desk(max_gross_exposure=D("0.1"))
    found.hold("KO", 90, 100)
    judged = judge(found, sell(90), buy(90, symbol="PEP", limit="100"))
    assert rules(judged) == ["ok", "max_gross_exposure"]
    assert [one.takes_risk for one in judged] == [False, True]
    assert first_refusal(judged) is judged[1].verdict


def test_an_exit_that_is_refused_holds_up_nothing_else():
    found = desk(max_order_quantity=D(50))
    found.hold("KO", 90, 100)
    judged = judge(found, sell(90), buy(10, symbol="PEP", limit="100"))
    assert rules(judged) == ["max_order_quantity", "ok"]
    assert first_refusal(judged) is None


def test_two_exits_do_not_sell_the_same_shares():
    found = desk()
    found.hold("KO", 90, 100)
    judged = judge(found, sell(60), sell(31, limit="99.99"))
    assert rules(judged) == ["ok", "sell_within_held"]
    assert judged[1].takes_risk


def test_the_answer_in_words_and_lines():
    judged = judge(desk(max_gross_exposure=D("0.15")), buy(80, limit="100"), buy(71, symbol="PEP", limit="100"))
    assert basket_words(judged).startswith(
        "1 of 2 orders pass together; only the 0 exits among them would leave, for all or none take new risk: "
        "max_gross_exposure: buy PEP: 15100 USD, limit 15000 USD"
    )
    first, second = map(basket_line, judged)
    assert (first.symbol, first.passes, first.rule, first.message) == ("KO", True, "", "")
    assert (second.passes, second.rule, second.actual, second.limit) == (False, "max_gross_exposure", 15_100, 15_000)
    assert basket_words(judge(desk(), buy(1, limit="100"))) == "1 of 1 orders pass together"


def state(found: Desk) -> tuple:
    book = found.portfolio
    holdings = {
        symbol: (book.peek(symbol).worst_value, book.peek(symbol).worst_quantity, len(book.peek(symbol).orders))
        for symbol in SYMBOLS
    }
    return (
        book.gross_worst, {k: v for k, v in book.sector_worst.items() if v}, book.buying, book.selling,
        book.open_orders, book.worst_squares, sorted(book.open_symbols), holdings, found.checker.traffic.in_all(),
    )  # fmt: skip


ORDERS = st.lists(
    st.tuples(st.sampled_from(SYMBOLS), st.booleans(), st.integers(1, 120), st.integers(95, 105)),
    min_size=1,
    max_size=8,
)


@given(ORDERS)
@settings(max_examples=60, deadline=None)
def test_a_question_about_many_changes_nothing_and_what_passes_fits_together(wanted):
    found = desk(max_concentration=D("0.02"), **UNHURRIED)
    found.hold("KO", 50, 100)
    before = state(found)
    orders = [
        (buy if is_buy else sell)(shares, symbol=symbol, limit=str(price), repeat=True)
        for symbol, is_buy, shares, price in wanted
    ]
    judged = judge(found, *orders)
    assert state(found) == before
    limits = found.checker.limits
    for number, one in enumerate(judged):
        if not isinstance(one.verdict, Rejection):
            found.portfolio.reserve(str(number), one.order.symbol, one.verdict.signed_quantity, one.verdict.price)
    assert found.portfolio.gross_worst <= limits.max_gross_exposure * found.portfolio.equity
    assert len(found.portfolio.open_symbols) <= limits.max_portfolio_positions
    for symbol in SYMBOLS:
        assert found.portfolio.peek(symbol).worst_value <= limits.max_position_pct * found.portfolio.equity


def test_whatever_breaks_on_the_way_leaves_nothing_behind():
    found = desk()
    before = state(found)

    def orders():
        yield buy(1, limit="100")
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        judge_basket(found.checker, found.portfolio, orders())
    assert state(found) == before


def test_an_id_of_an_open_order_is_refused_and_that_order_keeps_its_room():
    found = desk()
    found.portfolio.reserve("mine", "KO", D(50), D(100), buy(50, limit="100").with_id("mine"))
    before = state(found)
    judged = judge(found, buy(1, limit="100").with_id("mine"), buy(1, symbol="PEP", limit="100").with_id("mine"))
    assert rules(judged) == ["duplicate_window_s"] * 2
    assert "an order mine is open already" in judged[0].verdict.message
    assert judged[0].verdict.decision.judged_again is Rule.DUPLICATE_ORDER
    assert state(found) == before


def test_an_id_is_for_one_order_of_a_basket():
    found = desk()
    before = state(found)
    twice = [buy(1, symbol=symbol, limit="100").with_id("mine") for symbol in ("KO", "PEP")]
    assert rules(judge(found, *twice)) == ["ok", "duplicate_window_s"]
    assert state(found) == before


def test_an_order_without_an_id_is_not_taken_for_an_open_one():
    found = desk()
    found.portfolio.reserve("basket-1", "KO", D(50), D(100), buy(50, limit="100").with_id("basket-1"))
    before = state(found)
    assert rules(judge(found, buy(1, limit="100"), buy(1, symbol="PEP", limit="100"))) == ["ok", "ok"]
    assert state(found) == before


def test_one_order_is_judged_as_by_the_gate_alone():
    found = desk()
    for order in (buy(10, limit="100"), buy(101, limit="100"), sell(1), buy(1, symbol="NOPE")):
        alone = found.check(order.with_id("basket-1"))
        (one,) = judge(found, order)
        if isinstance(alone, Rejection):
            assert isinstance(one.verdict, Rejection)
            assert one.verdict.decision == alone.decision
            assert one.verdict.rule in set(Rule)
        else:
            assert one.verdict.decision == alone.decision
