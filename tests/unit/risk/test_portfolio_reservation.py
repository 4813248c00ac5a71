"""Room for orders: open orders count in full, worst case per side, and every total is exact at every moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from quant_trading_system.core.numbers import ZERO
from quant_trading_system.core.orders import Order
from quant_trading_system.risk.holding import Holding, Reservation
from quant_trading_system.risk.portfolio import Portfolio
from tests.support.groups import bracket, oco, oto
from tests.support.market import UNIVERSE
from tests.support.orders import buy, sell

D = Decimal


def portfolio(cash: str = "100000") -> Portfolio:
    return Portfolio(D(cash), UNIVERSE.sectors)


def hold(books: Portfolio, symbol: str, quantity: str, price: str) -> None:
    books.apply_fill("earlier", symbol, D(quantity), D(price), ZERO)


# -- orders that may open a position ------------------------------------------------------------------------------

OPENING = [
    pytest.param(buy(5), {}, "buy", id="a purchase"),
    pytest.param(sell(5), {}, "sell", id="a sale"),
    pytest.param(bracket(5), {}, "buy", id="an entry"),
    pytest.param(bracket(5), {"is_leg": True}, "buy", id="an entry that is taken up again"),
    pytest.param(oto(5), {}, "buy", id="another entry"),
    pytest.param(sell(5, limit="110"), {"is_leg": True}, "", id="an exit of a group"),
    pytest.param(oco(5), {}, "", id="an OCO order"),
    pytest.param(oco(5), {"is_leg": True}, "", id="an OCO order that is taken up again"),
    pytest.param(None, {}, "buy", id="terms that are not known"),
    pytest.param(None, {"is_parent": True}, "", id="a parent"),
]


@pytest.mark.parametrize(("order", "kind", "side"), OPENING)
@pytest.mark.parametrize("shares", [5, 0], ids=["of its own", "of the order that it replaces"])
def test_orders_that_may_open_a_position_are_kept_by_side_while_they_are_open(
    order: Order | None, kind: dict[str, bool], side: str, shares: int
) -> None:
    books = portfolio()
    signed = D(shares) if order is None else order.side.sign * shares
    if order is None and not shares:
        return
    books.reserve("o1", "KO", signed, D(100), order, **kind)
    held = books.holding("KO")
    for other in (held, held.without("another")):
        assert list(other.buy_orders) == ["o1"] * (side == "buy")
        assert list(other.sell_orders) == ["o1"] * (side == "sell")
    assert not {*held.without("o1").buy_orders, *held.without("o1").sell_orders}
    books.release("o1", "KO")
    assert not {*held.buy_orders, *held.sell_orders}


# -- the worst case, case by case --------------------------------------------------------------------------------

WORST = """
held      mark   open orders              worst shares  worst dollars
0         -      +10@100                  10            1000           # nothing is held, nothing is known but the order
0         -      -10@100                  10            1000           # a short grows the same way
0         -      +10@100 -4@90            10            1000           # never both sides
0         -      +10@100 -12@90           12            1200           # the worse side, at the dearest price
0         -      +10@100 +5@120           15            1800           # all of them at the dearest price
+10       100    -                        10            1000
+10       100    +5@100                   15            1500
+10       100    +5@120                   15            1600           # what is held at its mark, the rest at the order's price
+10       100    +5@80                    15            1500           # a cheap order may still be worth the mark
+10       100    -10@100                  10            1000           # until the exit fills, all is held
+10       100    -4@100 +5@100            15            1500
+10       100    -30@100                  20            2000           # past flat and short of twenty
-10       100    -                        10            1000
-10       100    -5@100                   15            1500
-10       100    -5@120                   15            1600           # what is short at its mark, too
-10       100    +4@100                   10            1000
-10       100    +25@100                  15            1500
"""  # noqa: E501 - a row of a table is read as one line


@pytest.mark.parametrize("line", WORST.strip().splitlines()[1:], ids=lambda line: line.partition("#")[0].rstrip())
def test_the_worst_case_of_one_symbol(line: str) -> None:
    held, mark, *orders, shares, dollars = line.partition("#")[0].split()
    books = portfolio()
    if D(held):
        hold(books, "KO", held, mark)
    for number, text in enumerate(order for order in orders if order != "-"):
        quantity, _, price = text.partition("@")
        books.reserve(f"o{number}", "KO", D(quantity), D(price))
    holding = books.holding("KO")
    assert (holding.worst_quantity, holding.worst_value) == (D(shares), D(dollars))
    assert books.gross_worst == books.sector_worst["Staples"] == D(dollars)


SHRINKS = """
+10   -           -10    yes
+10   -           -11    no      # past flat
+10   -4@100      -6     yes
+10   -4@100      -7     no      # the exits together are more than is held
+10   +5@100      -11    no      # what is being bought is not held
+10   -           +1     no
0     -           -1     no
0     -           +1     no
-10   -           +10    yes
-10   -           +11    no
-10   +4@100      +6     yes
-10   +4@100      +7     no
-10   -           -1     no
"""


@pytest.mark.parametrize("line", SHRINKS.strip().splitlines(), ids=lambda line: line.partition("#")[0].rstrip())
def test_a_way_out_stays_within_what_is_held(line: str) -> None:
    held, open_order, signed, answer = line.partition("#")[0].split()
    books = portfolio()
    if D(held):
        hold(books, "KO", held, "100")
    if open_order != "-":
        quantity, _, price = open_order.partition("@")
        books.reserve("o1", "KO", D(quantity), D(price))
    assert books.holding("KO").shrinks(D(signed)) is (answer == "yes")


# -- reserve, fill, release --------------------------------------------------------------------------------------


def test_a_fill_turns_room_into_position():
    books = portfolio()
    books.reserve("o1", "KO", D(10), D(100))
    books.apply_fill("o1", "KO", D(4), D(99), D("0.05"))
    assert [(r.order_id, r.leaves) for _, r in books.reservations()] == [("o1", D(6))]
    assert books.cash == D("99603.95")
    assert books.gross_worst == 4 * 99 + 6 * 100
    books.apply_fill("o1", "KO", D(6), D(99), ZERO)
    assert books.gross_worst == 990


def test_releasing_twice_gives_back_once():
    books = portfolio()
    books.reserve("o1", "KO", D(10), D(100))
    books.reserve("o2", "KO", D(5), D(100))
    books.release("o1", "KO")
    books.release("o1", "KO")
    assert books.gross_worst == 500


def test_a_partly_filled_order_gives_back_what_it_has_left():
    books = portfolio()
    books.reserve("o1", "KO", D(-10), D(100))
    books.apply_fill("o1", "KO", D(-3), D(100), ZERO)
    books.release("o1", "KO")
    holding = books.holding("KO")
    assert (holding.sells, holding.buys, holding.worst_quantity) == (ZERO, ZERO, D(3))


@pytest.mark.parametrize("way", [1, -1], ids=["buys", "sales"])
def test_a_fill_beyond_the_order_uses_no_room_that_others_have(way: int) -> None:
    books = portfolio()
    books.reserve("o1", "KO", D(10 * way), D(100))
    books.reserve("o2", "KO", D(10 * way), D(100))
    books.apply_fill("o1", "KO", D(12 * way), D(100), ZERO)
    assert books.holding("KO").buys + books.holding("KO").sells == 10
    assert books.gross_worst == 2200


def test_when_the_dearest_order_has_filled_the_others_are_valued_at_their_own_price():
    books = portfolio()
    books.reserve("dear", "KO", D(10), D(120))
    books.reserve("cheap", "KO", D(10), D(100))
    assert books.buying == 2400
    books.apply_fill("dear", "KO", D(10), D(120), ZERO)
    books.release("dear", "KO")
    assert books.buying == 1000


def test_sales_that_have_ended_leave_no_dollars_behind():
    books = portfolio()
    for number in range(3):
        books.reserve(f"o{number}", "KO", D(-10), D(100))
    assert books.selling == 3000
    for number in range(3):
        books.release(f"o{number}", "KO")
    assert books.selling == 0


def test_room_that_was_given_back_can_be_taken_again_once():
    """An order that turned out to be alive after all."""
    books = portfolio()
    books.reserve("o1", "KO", D(10), D(100))
    books.release("o1", "KO")
    books.restore("o1", "KO", D(7), D(100))
    books.restore("o1", "KO", D(7), D(100))
    assert books.gross_worst == 700


def test_symbols_count_as_open_from_the_first_order_to_the_last_share():
    books = portfolio()
    assert books.open_symbols == set()
    books.reserve("o1", "KO", D(10), D(100))
    assert books.open_symbols == {"KO"}
    books.apply_fill("o1", "KO", D(10), D(100), ZERO)
    books.release("o1", "KO")
    assert books.open_symbols == {"KO"}
    hold(books, "KO", "-10", "100")
    assert books.open_symbols == set()


def test_a_symbol_outside_the_universe_has_a_sector_too():
    books = portfolio()
    hold(books, "ELSE", "1", "100")
    assert books.sector_worst["Unknown"] == 100


def test_a_fill_tells_the_price_of_a_position_that_had_none():
    books = portfolio()
    books.adopt("KO", D(10), D(1000))
    assert books.unmarked == {"KO"}
    hold(books, "KO", "1", "105")
    assert books.unmarked == set()
    assert books.market_value == 11 * 105


def test_books_that_are_in_use_are_not_taken_over():
    """What was traded or promised meanwhile would be lost."""
    books = portfolio()
    books.reserve("o1", "KO", D(10), D(100))
    with pytest.raises(ValueError, match="before anything was traded or reserved"):
        books.take_over((), cash=D(5), fees=ZERO)
    assert (books.cash, books.gross_worst) == (D(100_000), D(1000))


def test_deposits_and_withdrawals_are_no_result():
    books = portfolio("1000")
    books.move_cash(D("500.25"))
    assert (books.equity, books.daily_pnl, books.drawdown) == (D("1500.25"), ZERO, ZERO)
    books.move_cash(D("-700"))
    assert (books.equity, books.daily_pnl, books.drawdown) == (D("800.25"), ZERO, ZERO)


def test_positions_may_be_walked_while_fills_arrive():
    books = portfolio()
    hold(books, "KO", "10", "100")
    for symbol in books.positions:
        hold(books, symbol, "-10", "100")
        hold(books, "XOM", "1", "100")
    assert list(books.positions) == ["XOM"]


def test_no_digit_is_lost_where_28_are_not_enough():
    """Nine decimals in quantity and price, and large amounts: 34 digits in one product."""
    books = portfolio()
    hold(books, "KO", "123456789.123456789", "12345.123456789")
    books.mark("KO", D("54321.987654321"))
    expected = Fraction("123456789.123456789") * Fraction("54321.987654321")
    assert Fraction(books.market_value) == expected
    hold(books, "KO", "-123456789.123456788", "12345.123456789")
    assert Fraction(books.market_value) == Fraction("0.000000001") * Fraction("54321.987654321")


# -- against a slow and obvious model ------------------------------------------------------------------------------


@dataclass
class OpenOrder:
    symbol: str
    leaves: Fraction
    price: Fraction


@dataclass
class SlowBooks:
    """Recomputes everything from scratch, in fractions."""

    cash: Fraction
    held: dict[str, Fraction] = field(default_factory=dict)
    marks: dict[str, Fraction] = field(default_factory=dict)
    orders: dict[str, OpenOrder] = field(default_factory=dict)

    def ends(self, symbol: str, side: int) -> Fraction:
        """The shares that are held when all open orders of a side have filled, and none of the other."""
        mine = [order.leaves for order in self.orders.values() if order.symbol == symbol]
        return self.held.get(symbol, Fraction(0)) + sum(leaves for leaves in mine if leaves * side > 0)

    def worst_value(self, symbol: str) -> Fraction:
        """The larger of: all buys fill and no sale, all sales fill and no buy."""
        held = self.held.get(symbol, Fraction(0))
        mine = [order for order in self.orders.values() if order.symbol == symbol]
        shares = max(abs(self.ends(symbol, 1)), abs(self.ends(symbol, -1)))
        dearest = max([order.price for order in mine], default=Fraction(0))
        mark = self.marks.get(symbol)
        if mark is None:
            return shares * dearest
        added = max(shares - abs(held), Fraction(0))
        return abs(held) * mark + added * (max(mark, dearest) if held else dearest)

    @property
    def equity(self) -> Fraction:
        return self.cash + sum(self.held[s] * self.marks[s] for s in self.held)


COLUMNS = {"PEP": 0, "KO": 1}
SYMBOLS = st.sampled_from(["KO", "PEP", "XOM"])
SHARES = st.decimals("0.001", "5000", places=3)
PRICES = st.decimals("0.0001", "900", places=4)
SIDES = st.sampled_from([1, -1])


class Reservations(RuleBasedStateMachine):
    """Orders come, fill, are released and return, and prices move, in any order."""

    order_ids = Bundle("order_ids")

    @initialize()
    def open_the_books(self) -> None:
        self.fast = portfolio()
        self.slow = SlowBooks(Fraction(100_000))
        self.count = 0

    @rule(target=order_ids, symbol=SYMBOLS, side=SIDES, shares=SHARES, price=PRICES)
    def reserve(self, symbol: str, side: int, shares: Decimal, price: Decimal) -> str:
        """What the gate would have predicted is what comes."""
        self.count += 1
        order_id, signed = f"o{self.count}", side * shares
        quantity, value = self.fast.holding(symbol).worst_with(signed, price)
        self.fast.reserve(order_id, symbol, signed, price)
        holding = self.fast.holding(symbol)
        assert (quantity, value) == (holding.worst_quantity, holding.worst_value)
        self.slow.orders[order_id] = OpenOrder(symbol, Fraction(signed), Fraction(price))
        return order_id

    @rule(order_id=order_ids, share=st.integers(1, 4), price=PRICES, fee=st.decimals("0", "2", places=2))
    def fill(self, order_id: str, share: int, price: Decimal, fee: Decimal) -> None:
        """A quarter up to all of what the order has left."""
        order = self.slow.orders[order_id]
        signed = order.leaves * share / 4
        if not signed:
            return
        exact = Decimal(signed.numerator) / Decimal(signed.denominator)
        self.fast.apply_fill(order_id, order.symbol, exact, price, fee)
        order.leaves -= signed
        self.slow.cash -= signed * Fraction(price) + Fraction(fee)
        before = self.slow.held.get(order.symbol, Fraction(0))
        self.slow.held[order.symbol] = before + signed
        if not before:  # what was flat is worth what was just paid for it, not an old mark
            self.slow.marks[order.symbol] = Fraction(price)

    @rule(order_id=consumes(order_ids), twice=st.booleans())
    def release(self, order_id: str, twice: bool) -> None:
        order = self.slow.orders.pop(order_id)
        for _ in range(1 + twice):
            self.fast.release(order_id, order.symbol)

    @rule(target=order_ids, order_id=consumes(order_ids))
    def release_and_restore(self, order_id: str) -> str:
        order = self.slow.orders[order_id]
        leaves, price = (Decimal(x.numerator) / Decimal(x.denominator) for x in (order.leaves, order.price))
        self.fast.release(order_id, order.symbol)
        self.fast.restore(order_id, order.symbol, leaves, price)
        return order_id

    @rule(symbol=SYMBOLS, price=PRICES)
    def mark(self, symbol: str, price: Decimal) -> None:
        self.fast.mark(symbol, price)
        self.slow.marks[symbol] = Fraction(price)

    @rule(prices=st.dictionaries(SYMBOLS, PRICES))
    def mark_all(self, prices: dict[str, Decimal]) -> None:
        self.fast.mark_all(list(prices.items()))
        self.slow.marks |= {symbol: Fraction(price) for symbol, price in prices.items()}

    @rule()
    def keep_squares(self) -> None:
        self.fast.keep_squares()

    @rule(amount=st.decimals("-500", "500", places=2))
    def move_cash(self, amount: Decimal) -> None:
        self.fast.move_cash(amount)
        self.slow.cash += Fraction(amount)

    @invariant()
    def worst_cases_agree(self) -> None:
        worst = {symbol: self.slow.worst_value(symbol) for symbol in ("KO", "PEP", "XOM")}
        assert Fraction(self.fast.gross_worst) == sum(worst.values())
        by_sector = {name: Fraction(value) for name, value in self.fast.sector_worst.items()}
        assert by_sector.get("Staples", 0) == worst["KO"] + worst["PEP"]
        assert by_sector.get("Energy", 0) == worst["XOM"]
        assert self.fast.open_symbols == {symbol for symbol, value in worst.items() if value}
        if self.fast.keeps_squares:
            squares = sum(value * value for value in worst.values())
            assert abs(Fraction(self.fast.worst_squares) - squares) <= squares * Fraction("1e-20") + Fraction("1e-12")

    @invariant()
    def bets_agree(self) -> None:
        """Kept up to date, by themselves and along columns, as counted anew."""
        row = self.fast.bets.along(COLUMNS)
        assert row.elsewhere == {"XOM"} & self.fast.open_symbols
        for symbol in ("KO", "PEP", "XOM"):
            most, least = (self.slow.ends(symbol, side) for side in (1, -1))
            expected = None if most == least == 0 else int(most > 0) - int(least < 0)
            assert self.fast.bets.side(symbol) == expected
            column = COLUMNS.get(symbol)
            if column is not None:
                assert bool(row.longs[column] == 0) is (most > 0)
                assert bool(row.shorts[column] == 0) is (least < 0)

    @invariant()
    def money_agrees(self) -> None:
        assert Fraction(self.fast.cash) == self.slow.cash
        assert Fraction(self.fast.equity) == self.slow.equity
        held = {symbol: Fraction(position.quantity) for symbol, position in self.fast.positions.items()}
        assert held == {symbol: quantity for symbol, quantity in self.slow.held.items() if quantity}

    @invariant()
    def room_agrees(self) -> None:
        leaves = {room.order_id: Fraction(room.leaves) for _, room in self.fast.reservations()}
        assert leaves == {order_id: order.leaves for order_id, order in self.slow.orders.items()}


TestReservations = Reservations.TestCase
TestReservations.settings = settings(max_examples=60, stateful_step_count=40)


class CountedOrders(dict):
    """Open orders, and how often one of them was looked at."""

    looks = 0

    def values(self):
        self.looks += len(self)
        return super().values()


def test_an_order_that_ends_looks_at_others_only_when_it_was_the_dearest():
    """With hundreds of orders on a symbol, withdrawing all of them would look at each as often."""
    holding = Holding("KO", "Staples")
    holding.orders = orders = CountedOrders()
    for number in range(100):
        holding.take(Reservation(f"o{number}", Decimal(1), Decimal(50 + number)))
    for number in range(99):
        holding.let_go(f"o{number}")
    assert orders.looks == 0
    assert holding.order_price == 149
    holding.let_go("o99")
    assert holding.order_price == 0


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.integers(1, 4)), max_size=40))
def test_an_order_is_valued_at_the_dearest_of_those_that_are_open(deeds):
    holding, open_now = Holding("KO", "Staples"), dict[str, int]()
    for enters, number, price in deeds:
        name = f"o{number}"
        if enters and name not in open_now:
            holding.take(Reservation(name, Decimal(1), Decimal(price)))
            open_now[name] = price
        elif not enters:
            gone = holding.let_go(name)
            assert (gone is None) == (open_now.pop(name, None) is None)
        assert holding.order_price == max(open_now.values(), default=0)
