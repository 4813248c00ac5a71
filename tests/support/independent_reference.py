"""A second simulation of backtests, written from the documents alone; it shares no code with the system.

It walks from step to step with orders and wishes that are given beforehand, and tells what was filled, refused and
left, and what the account was worth at the end of each bar, exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from tests.support.reference_prices import BUY, SELL, Step, down
from tests.support.reference_venue import Costs, Fill, ReferenceVenue, Sent, Want

MAX_QUOTE_AGE = 15_000_000
SMALLEST_TRADE = Fraction(5, 1000)
WIDE_SPREAD = Fraction(20, 10_000)
ZERO = Fraction(0)
END_OF_TIME = 10**18


@dataclass(frozen=True)
class Wish:
    """A share of equity to be held in a symbol, negative for short, 0 for nothing."""

    symbol: str
    weight: Fraction


Plan = Mapping[int, Sequence[Want | Wish]]
"""What a strategy says at the end of bars, which are counted from the first one that is traded."""


@dataclass
class Outcome:
    """What a run came to: all orders as they were sent, fills in order, equity and shares at the end of each bar."""

    orders: list[Sent] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    equity: list[Fraction] = field(default_factory=list)
    held: list[dict[str, Fraction]] = field(default_factory=list)
    cash: Fraction = ZERO


class Reference:
    """One account on a market of steps."""

    def __init__(
        self,
        cash: Fraction,
        costs: Costs,
        *,
        shorts: bool = True,
        refused: frozenset[int] = frozenset(),
        before: Mapping[str, Fraction] | None = None,
    ) -> None:
        """Begin with cash alone.

        Args:
            refused: numbers of orders that are refused for reasons that this account does not know.
            before: closes before the first step, which are too old to trade at.
        """
        self.cash, self.shorts, self.refused = cash, shorts, refused
        self.venue = ReferenceVenue(costs)
        self.venue.last.update(before or {})
        self.shares: dict[str, Fraction] = {}
        self.out = Outcome(fills=self.venue.fills)
        self._travelling: list[tuple[int, Sent]] = []
        self._wishes: dict[str, Wish] = {}
        self._wanted: dict[str, Fraction] = {}
        self._has_prices = False

    def run(self, steps: Iterable[Step], plan: Plan) -> Outcome:
        """Walk through all steps."""
        said: Sequence[Want | Wish] = ()
        for step in steps:
            self._let_pass(step.at)
            self.venue.step(step)
            self._hear(step.at)
            if step.begins_bar:
                self._has_prices = True
                self._take(said)
            self._walk()
            if step.closes:
                self.venue.close()
            if step.ends_bar:
                self._hear(step.at)
                said = plan.get(len(self.out.equity), ())
                self._note()
                self._has_prices = False
        self._let_pass(END_OF_TIME - 1)
        self.out.cash = self.cash
        return self.out

    @property
    def equity(self) -> Fraction:
        """Cash, and shares at their last prices."""
        return self.cash + sum((shares * self.venue.last[symbol] for symbol, shares in self.shares.items()), ZERO)

    def _note(self) -> None:
        self.out.equity.append(self.equity)
        self.out.held.append({symbol: shares for symbol, shares in self.shares.items() if shares})

    def _let_pass(self, until: int) -> None:
        """Orders arrive and reports come back, in time."""
        while (due := min(at for at, *_ in [*self._travelling, *self.venue.reports, (END_OF_TIME,)])) <= until:
            self.venue.at = due
            while self._travelling and self._travelling[0][0] == due:
                self.venue.arrive(self._travelling.pop(0)[1])
            if self._hear(due):
                self._walk()

    def _hear(self, until: int) -> bool:
        """Book what has been reported; False if nothing has."""
        heard = [report for report in self.venue.reports if report[0] <= until]
        del self.venue.reports[: len(heard)]
        for _, order, fill in heard:
            order.is_open = False
            if fill is not None:
                self.shares[fill.symbol] = self.shares.get(fill.symbol, ZERO) + fill.side * fill.quantity
                self.cash -= fill.side * fill.quantity * fill.price + fill.fee
        return bool(heard)

    # -- wishes --------------------------------------------------------------------------------------------------

    def _take(self, said: Sequence[Want | Wish]) -> None:
        for one in said:
            if isinstance(one, Want):
                self._send(one)
            else:
                self._wishes[one.symbol] = one
                self._wanted.pop(one.symbol, None)

    def _walk(self) -> None:
        """Size wishes together, as soon as there are prices and no order of theirs is open; then send orders."""
        if not (self._has_prices and self.venue.is_open):
            return
        equity = self.equity
        busy = self._busy
        for symbol in [symbol for symbol in self._wishes if symbol in self.venue.last and symbol not in busy]:
            size = self._sized(self._wishes.pop(symbol), equity)
            if size is not None:
                self._wanted[symbol] = size
        while self._send_next():
            pass

    @property
    def _busy(self) -> set[str]:
        """Symbols with open orders."""
        return {one.want.symbol for one in self.out.orders if one.is_open}

    def _sized(self, wish: Wish, equity: Fraction) -> Fraction | None:
        """Shares to hold, whole ones; None when the change is too small."""
        bid, ask = self.venue.quote(wish.symbol)
        size = down(abs(wish.weight) * equity / (ask if wish.weight > 0 else bid), Fraction(1))
        shares = size if wish.weight > 0 else -size
        change = abs(shares - self.shares.get(wish.symbol, ZERO))
        return None if shares and change * (bid + ask) / 2 < SMALLEST_TRADE * equity else shares

    def _send_next(self) -> bool:
        """Sales first; buys wait until what is held has been sold. False when nothing can go out."""
        for side in (SELL, BUY):
            changes = {symbol: change for symbol in self._wanted if (change := self._change(symbol)) * side > 0}
            busy = self._busy
            ready = [symbol for symbol in changes if symbol not in busy]
            for symbol in ready:
                if self._send(self._worked(symbol, side, abs(changes[symbol]))).status == "denied":
                    del self._wanted[symbol]
            if ready:
                return True
            if any(self.shares.get(symbol, ZERO) > 0 for symbol in changes):
                return False
        return False

    def _change(self, symbol: str) -> Fraction:
        """Shares to trade next: to zero first, where the position changes sides."""
        held, wanted = self.shares.get(symbol, ZERO), self._wanted[symbol]
        return -held if held * wanted < 0 else wanted - held

    def _worked(self, symbol: str, side: int, quantity: Fraction) -> Want:
        """At the market, or with a limit at the far side where the spread is wide."""
        bid, ask = self.venue.quote(symbol)
        if (ask - bid) / ((ask + bid) / 2) <= WIDE_SPREAD:
            return Want(symbol, side, quantity)
        return Want(symbol, side, quantity, "limit", limit=ask if side == BUY else bid)

    # -- orders --------------------------------------------------------------------------------------------------

    def _send(self, want: Want) -> Sent:
        order, number = Sent(want), len(self.out.orders)
        is_refused = number in self.refused or self._is_refused(want)
        self.out.orders.append(order)
        if is_refused:
            order.status, order.is_open = "denied", False
        elif self.venue.costs.order_takes:
            self._travelling.append((self.venue.at + self.venue.costs.order_takes, order))
        else:
            self.venue.arrive(order)
            self._hear(self.venue.at)
        return order

    def _is_refused(self, want: Want) -> bool:
        """Stale prices, stops on the wrong side of the market, and more than is held or short."""
        seen = self.venue.seen.get(want.symbol)
        if seen is None or self.venue.at - seen > MAX_QUOTE_AGE:
            return True
        bid, ask = self.venue.quote(want.symbol)
        if want.stop is not None and (want.stop < bid if want.side == BUY else want.stop > ask):
            return True
        held = self.shares.get(want.symbol, ZERO)
        alike = [one for one in self.out.orders if one.is_open and one.want.symbol == want.symbol]
        total = want.quantity + sum(one.want.quantity for one in alike if one.want.side == want.side)
        if want.side == BUY:
            return held < 0 and total > -held
        opens = held <= 0 and self.shorts and want.quantity.denominator == 1
        return not opens and total > max(held, ZERO)
