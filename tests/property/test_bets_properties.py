"""The side of each bet that the books keep is the one that positions and open orders have, whatever happens to them."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest

from quant_trading_system.app.stormy_day import stormy_day
from quant_trading_system.core.positions import Position, Trade
from quant_trading_system.risk.bets import EITHER, LONG, NO_BET, SHORT
from quant_trading_system.risk.portfolio import Portfolio
from quant_trading_system.risk.pre_trade import PreTradeRiskChecker
from quant_trading_system.simulation.storm.plan import plan_of

D = Decimal
SYMBOLS = ("KO", "PEP", "XOM", "LOT")
COLUMNS = {"PEP": 0, "XOM": 1, "KO": 2}


def counted_anew(portfolio: Portfolio) -> dict[str, int]:
    """The side of each bet, by going through everything that is held and open."""
    leaves: dict[str, list[Decimal]] = {}
    for symbol, room in portfolio.reservations():
        leaves.setdefault(symbol, []).append(room.leaves)
    found = {}
    for symbol in leaves.keys() | portfolio.positions.keys():
        held, mine = portfolio.position(symbol).quantity, leaves.get(symbol, [])
        most, least = held + sum(n for n in mine if n > 0), held + sum(n for n in mine if n < 0)
        if most > 0 or least < 0:
            found[symbol] = EITHER if most > 0 > least else LONG if most > 0 else SHORT
    return found


def require_agreement(portfolio: Portfolio) -> None:
    """What is kept is what there is."""
    expected, row = counted_anew(portfolio), portfolio.bets.along(COLUMNS)
    assert {symbol: portfolio.bets.side(symbol) for symbol in portfolio.open_symbols} == expected
    assert row.elsewhere == expected.keys() - COLUMNS.keys()
    for symbol, column in COLUMNS.items():
        side = expected.get(symbol)
        assert bool(row.held[column]) is (side is not None)
        assert row.longs[column] == (0 if side in (LONG, EITHER) else NO_BET)
        assert row.shorts[column] == (0 if side in (SHORT, EITHER) else NO_BET)


class Books:
    """A portfolio to which anything may happen."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.portfolio = Portfolio(D(100_000))
        self.count = 0
        self.open: dict[str, str] = {}
        self.fills: list[tuple[str, str, str, Trade]] = []
        if seed % 2:
            positions = [Position("KO"), Position("LOT")]
            positions[0].adopt(D(self.shares()), D(100))
            self.portfolio.take_over(positions, cash=D(1000), fees=D(0))

    def shares(self) -> int:
        return self.chance.choice((-3, -2, -1, 1, 2, 3))

    def reserve(self) -> None:
        self.count += 1
        order_id, symbol = f"o{self.count}", self.chance.choice(SYMBOLS)
        self.portfolio.reserve(order_id, symbol, D(self.shares()), D(10), is_parent=self.chance.random() < 0.2)
        self.open[order_id] = symbol

    def fill(self) -> None:
        order_id, symbol, signed = self.one_of_the_open()
        self.count += 1
        if order_id and signed:
            signed = self.chance.choice((signed, signed / 2, signed * 2))
            self.portfolio.apply_fill(order_id, symbol, signed, D(11), D("0.1"), f"x{self.count}")
            self.fills.append(
                (
                    order_id,
                    f"x{self.count}",
                    symbol,
                    Trade(self.count, (order_id, f"x{self.count}"), signed, D(11), D("0.1")),
                )
            )

    def release(self) -> None:
        order_id, symbol, _ = self.one_of_the_open()
        if order_id:
            self.portfolio.release(order_id, symbol)
            if self.chance.random() < 0.3:
                self.portfolio.restore(order_id, symbol, D(self.shares()), D(9))
            else:
                del self.open[order_id]

    def resize(self) -> None:
        order_id, symbol, signed = self.one_of_the_open()
        if order_id:
            self.portfolio.resize(order_id, symbol, signed / 2 if signed else D(self.shares()))

    def correct(self) -> None:
        if self.fills:
            order_id, execution_id, symbol, was = self.fills.pop()
            now = Trade(was.number, was.key, was.quantity * self.chance.choice((0, 1, 2)), D(12), D(0))
            self.portfolio.correct_fill(order_id, execution_id, symbol, was, now)

    def adopt(self) -> None:
        self.portfolio.adopt(self.chance.choice(SYMBOLS), D(self.chance.randint(-2, 2)), D(20), None)

    def mark(self) -> None:
        self.portfolio.mark(self.chance.choice(SYMBOLS), D(self.chance.randint(1, 30)))

    def one_of_the_open(self) -> tuple[str, str, Decimal]:
        if not self.open:
            return "", "", D(0)
        order_id = self.chance.choice(sorted(self.open))
        symbol = self.open[order_id]
        return order_id, symbol, self.portfolio.holding(symbol).orders[order_id].leaves

    def go_on(self) -> None:
        """Something happens."""
        acts = (self.reserve, self.fill, self.release, self.resize, self.correct, self.adopt, self.mark)
        self.chance.choices(acts, (5, 6, 4, 2, 1, 1, 2))[0]()


@pytest.mark.parametrize("seed", range(12))
def test_the_sides_follow_orders_fills_corrections_and_adoptions(seed):
    books, seen = Books(seed), set()
    for _ in range(250):
        books.go_on()
        require_agreement(books.portfolio)
        seen |= set(counted_anew(books.portfolio).values())
    assert seen == {LONG, SHORT, EITHER}


@pytest.mark.parametrize("seed", [1002, 1003])
def test_on_a_stormy_day_the_gate_always_sees_the_sides_that_there_are(seed, monkeypatch):
    gather, judged = PreTradeRiskChecker._gather, []

    def look(self, case):
        require_agreement(case.portfolio)
        judged.append(len(case.portfolio.open_symbols))
        gather(self, case)

    monkeypatch.setattr(PreTradeRiskChecker, "_gather", look)
    stormy_day(plan_of(seed, 45))
    assert max(judged) > 1
