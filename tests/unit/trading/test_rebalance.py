"""From weights to trades: lots, bands, sells first, cash kept, open orders counted; and what all of it costs."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_trading_system.core.exceptions import ConfigurationError, MarketDataError
from quant_trading_system.trading.planning import ExecutionPolicy
from quant_trading_system.trading.rebalance import Line, plan_rebalance, whole_lots

D = Decimal


def line(symbol: str, price="100", *, held="0", open="0", lot="1", spread="0.02") -> Line:
    half = D(spread) / 2
    return Line(symbol=symbol, bid=D(price) - half, ask=D(price) + half, held=D(held), open=D(open), lot=D(lot))


def plan(weights, *book, equity="100000", cash="100000", **rules):
    return plan_rebalance(
        {symbol: D(weight) for symbol, weight in weights.items()}, book, equity=D(equity), cash=D(cash), **rules
    )


def trades(found):
    return {trade.symbol: (trade.change, trade.why) for trade in found.trades}


def test_sells_come_first_and_what_is_not_wanted_any_more_is_closed():
    found = plan({"B": "0.2", "C": "0.1"}, line("A", held="100"), line("B"), line("C", held="150"), cash="75000")
    assert [(t.symbol, t.change) for t in found.trades] == [("A", D(-100)), ("C", D(-50)), ("B", D(200))]
    assert found.turnover == D("0.35")
    assert found.cost == D("3.5")  # half a spread of two cents on 350 shares
    assert found.cash_after == D(75000) + 150 * D("99.99") - 200 * D("100.01")
    first = found.trades[0]
    assert (first.before_weight, first.after_weight, first.why) == (D("0.1"), D(0), "closed")


def test_open_orders_count_as_if_they_had_filled():
    found = plan({"A": "0.1"}, line("A", held="20", open="50"))
    assert trades(found) == {"A": (D(30), "to target")}
    assert found.cash_after == D(100000) - 80 * D("100.01")


def test_what_drifted_little_is_left_alone_and_what_is_closed_never():
    book = [line("A", held="108"), line("B", held="125"), line("C", held="1")]
    found = plan({"A": "0.1", "B": "0.1"}, *book, policy=ExecutionPolicy(drift_band=D("0.10")))
    assert trades(found)["A"][0] == 0
    assert trades(found)["B"][0] == -25
    assert trades(found)["C"] == (D(-1), "closed")
    small = plan({"A": "0.1"}, line("A", held="96"), policy=ExecutionPolicy(min_trade_pct=D("0.005")))
    assert trades(small)["A"][0] == 0  # 400 dollars of 100 000


def test_cash_is_kept():
    found = plan({"A": "0.5", "B": "0.5"}, line("A"), line("B"), cash_kept=D("0.1"))
    assert [trade.after_weight for trade in found.trades] == [D("0.449"), D("0.449")]  # 450 each would cost 9 more
    assert found.cash_after >= D(10_000)
    assert "stays in cash" in found.notes[0]


def test_buys_never_need_more_cash_than_the_sells_leave():
    """A is over its target but within its band, so its money is not there for B."""
    book = [line("A", held="540"), line("B")]
    found = plan({"A": "0.5", "B": "0.5"}, *book, cash="46000", policy=ExecutionPolicy(drift_band=D("0.2")))
    assert trades(found)["B"] == (D(459), "cut to the cash that there is")
    assert found.cash_after >= 0
    assert "buys were cut" in found.notes[0]


@pytest.mark.parametrize(("held", "cash", "rules"), [("500", "-50000", {}), ("900", "5000", {"cash_kept": D("0.1")})])
def test_where_nothing_is_bought_missing_cash_cuts_nothing(held, cash, rules):
    """On credit, or with less cash than is to be kept, and every position is where it shall be."""
    weight = str(D(held) / 1000)
    found = plan({"A": weight}, line("A", held=held), cash=cash, **rules)
    assert (trades(found), found.cash_after, found.notes) == ({"A": (D(0), "there already")}, D(cash), ())


def test_the_proceeds_of_the_sells_pay_for_the_buys_after_their_fees():
    """400 shares at 99.99 bring 39 796.02 dollars after half a per cent; a share costs 100.51 with its own."""
    book = [line("A", held="900"), line("B")]
    found = plan({"A": "0.5", "B": "0.5"}, *book, cash="0", fee_bps=D(50))
    assert trades(found) == {"A": (D(-400), "to target"), "B": (D(395), "cut to the cash that there is")}
    sold, bought = 400 * D("99.99"), 395 * D("100.01")
    assert found.cash_after == sold - bought - (sold + bought) * D("0.005")
    short = plan({"A": "0.5", "B": "0.4"}, *book, cash="10.00")
    assert trades(short)["B"][0] == 400  # 40 006 dollars for 40 004 would need eight dollars less
    assert trades(plan({"A": "0.5", "B": "0.4"}, *book, cash="7.99"))["B"][0] == 399


def test_what_is_sold_short_is_no_cash_to_keep():
    """Longs of 90 % come down to the 72 % that are not kept; the short of 20 % stays as it is."""
    found = plan({"A": "0.9", "B": "-0.2"}, line("A", spread="0"), line("B", spread="0"), cash_kept=D("0.28"))
    assert trades(found) == {"A": (D(720), "to target"), "B": (D(-200), "to target")}
    assert found.notes == ("long weights were scaled by 0.8000, for 28% of equity stays in cash",)


def test_on_credit_nothing_is_bought():
    found = plan({"A": "0.1", "B": "0.1"}, line("A", held="150"), line("B"), cash="-8000")
    assert trades(found) == {"A": (D(-50), "to target"), "B": (D(0), "cut to the cash that there is")}


def test_a_position_that_changes_sides_says_so():
    assert trades(plan({"A": "-0.1"}, line("A", held="50")))["A"] == (D(-150), "first flat, then the other side")


def test_fees_are_part_of_the_cost():
    found = plan({"A": "0.1"}, line("A", spread="0"), fee_bps=D(5))
    assert found.cost == D(10_000) * D("0.0005")
    assert found.cash_after == D(100_000) - 10_000 - 5


def test_lots_that_keep_the_sum():
    """Thirds of 100 shares: 33 each when rounded down, and one more for the first when the sum is kept."""
    third = D(1) / 3
    book = [line(s, "100", spread="0") for s in "ABC"]
    weights = dict.fromkeys("ABC", third / 10)
    down = plan_rebalance(weights, book, equity=D(100_000), cash=D(100_000))
    kept = plan_rebalance(weights, book, equity=D(100_000), cash=D(100_000), keep_sum=True)
    assert [trade.after for trade in down.trades] == [33, 33, 33]
    assert sum(trade.after for trade in kept.trades) in (99, 100)
    exact = {s: D(10_000) * n / 10 for s, n in zip("ABC", (3, 3, 4), strict=True)}
    lines = {
        b.symbol: b for b in (line("A", "70", spread="0"), line("B", "70", spread="0"), line("C", "70", spread="0"))
    }
    assert whole_lots(exact, lines) == {"A": D(43), "B": D(42), "C": D(57)}  # 42.86, 42.86, 57.14
    two = {"A": line("A", "50", spread="0"), "B": line("B", "30", spread="0")}
    for side in (1, -1):  # 1.7 and 1.9 lots; then halves that make one lot together
        assert whole_lots({"A": D(side * 85), "B": D(side * 57)}, two) == {"A": D(side), "B": D(side * 2)}
        assert whole_lots({"A": D(side * 75), "B": D(side * 35)}, two)["A"] == side
    halves = {"A": line("A", spread="0"), "B": line("B", spread="0")}
    assert whole_lots({"A": D(150), "B": D(150)}, halves) == {"A": D(2), "B": D(1)}
    parts = {"A": "0.03", "B": "0.03", "C": "0.04"}
    found = [plan(parts, *lines.values(), equity="100000", keep_sum=keeps).trades for keeps in (False, True)]
    assert [[trade.after for trade in one] for one in found] == [[42, 42, 57], [43, 42, 57]]


VALUES = st.lists(st.tuples(st.integers(-(10**6), 10**6), st.integers(1, 10**5), st.sampled_from([1, 10])), max_size=8)


@given(VALUES)
def test_no_position_is_a_lot_away_from_its_value_and_the_sum_never_above(rows):
    values = {f"S{i}": D(value) / 10 for i, (value, _, _) in enumerate(rows)}
    lines = {f"S{i}": line(f"S{i}", str(D(p) / 100), lot=str(lot), spread="0") for i, (_, p, lot) in enumerate(rows)}
    shares = whole_lots(values, lines)
    for symbol, value in values.items():
        lot = lines[symbol].lot
        assert shares[symbol] % lot == 0
        assert abs(shares[symbol] * lines[symbol].mid - value) < lot * lines[symbol].mid or shares[symbol] == 0
        assert shares[symbol] * value >= 0
    assert sum(abs(n) * lines[s].mid for s, n in shares.items()) <= sum(map(abs, values.values()))


@given(VALUES, st.integers(0, 50))
def test_cash_never_goes_below_what_is_to_be_kept(rows, kept):
    book = [line(f"S{i}", str(1 + D(p) / 100), lot=str(lot)) for i, (_, p, lot) in enumerate(rows)]
    weights = {f"S{i}": D(max(value, 0)) / 10**6 for i, (value, _, _) in enumerate(rows)}
    found = plan_rebalance(weights, book, equity=D(10**6), cash=D(10**6), cash_kept=D(kept) / 100, fee_bps=D(3))
    assert found.cash_after >= D(kept) / 100 * 10**6


REFUSED = [
    (lambda: plan({"A": "1"}, line("A"), equity="0"), ConfigurationError, "equity"),
    (lambda: plan({"A": "1"}, line("B")), ConfigurationError, "no price for A"),
    (lambda: plan({"A": "1"}, line("A"), cash_kept=D(1)), ConfigurationError, "cash kept"),
    (lambda: plan({"A": "1"}, line("A", "0")), MarketDataError, "values nothing"),
    (lambda: plan({"A": "1"}, line("A", spread="-0.02")), MarketDataError, "a quote of 100.01 to 99.99 values nothing"),
]


@pytest.mark.parametrize(("ask", "error", "why"), REFUSED)
def test_what_cannot_be_planned_is_refused(ask, error, why):
    with pytest.raises(error, match=why):
        ask()
