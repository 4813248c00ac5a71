"""The books of the second simulation, and which orders its gate lets pass.

Written from docs/risk-limits.md and docs/rejections.md alone.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from fractions import Fraction

from tests.support.reference_exits import exits_are_misplaced
from tests.support.reference_limits import Limits, Terms
from tests.support.reference_past import Past
from tests.support.reference_prices import BUY, NANO, SELL, Step, down, up
from tests.support.reference_venue import Fill, ReferenceVenue, Sent, Want

MAX_QUOTE_AGE = 15_000_000
CLOSING_ORDERS_END = 600_000_000
MINUTE = 60_000_000
BANKS_CLOSED = frozenset({date(2019, 10, 14), date(2019, 11, 11)})
ZERO = Fraction(0)


class Books:
    """Cash, shares and orders, as far as the account has heard.

    Attributes:
        unsettled: dollars of sales that have not settled.
        begun: dollars a share that positions have cost which began since all were valued last.
        lost_in_a_row: the most losing round trips in a row so far.
    """

    def __init__(self, cash: Fraction, venue: ReferenceVenue) -> None:
        self.cash, self.venue = cash, venue
        self.shares: dict[str, Fraction] = {}
        self.orders: list[Sent] = []
        self.unsettled = ZERO
        self.begun: dict[str, Fraction] = {}
        self.lost_in_a_row = self._losing = 0
        self._trips: dict[str, Fraction] = {}

    @property
    def equity(self) -> Fraction:
        """Cash, and shares at their last prices."""
        return self.cash + sum((shares * self.venue.last[symbol] for symbol, shares in self.shares.items()), ZERO)

    @property
    def equity_at_cost(self) -> Fraction:
        """The same, with positions that have begun at what the first of their shares has cost."""
        gone = ((self.begun[one] - self.venue.last[one]) * self.held(one) for one in self.begun)
        return self.equity + sum(gone, ZERO)

    def held(self, symbol: str) -> Fraction:
        """Shares, negative when short."""
        return self.shares.get(symbol, ZERO)

    def open_in(self, symbol: str) -> list[Sent]:
        """Orders of a symbol that have not ended."""
        return [one for one in self.orders if one.is_open and one.want.symbol == symbol]

    def begin_day(self, day: date) -> None:
        """Sales of the days before settle when banks are open."""
        if day not in BANKS_CLOSED:
            self.unsettled = ZERO

    def book(self, fill: Fill) -> None:
        """Something has traded."""
        dollars = fill.quantity * fill.price
        if not self.held(fill.symbol):
            self.begun[fill.symbol] = fill.price
        self.shares[fill.symbol] = self.held(fill.symbol) + fill.side * fill.quantity
        self.cash -= fill.side * dollars + fill.fee
        if fill.side == SELL:
            self.unsettled += dollars - fill.fee
        gained = self._trips.pop(fill.symbol, ZERO) - fill.side * dollars - fill.fee
        if self.held(fill.symbol):
            self._trips[fill.symbol] = gained
        else:
            self._end_trip(gained)

    def pay_out(self, symbol: str) -> None:
        """What is held becomes cash at its last price."""
        held = self.shares.pop(symbol, ZERO)
        if held:
            worth = held * self.venue.last[symbol]
            self.cash += worth
            self._end_trip(self._trips.pop(symbol) + worth)

    def _end_trip(self, gained: Fraction) -> None:
        self._losing = self._losing + 1 if gained < 0 else 0
        self.lost_in_a_row = max(self.lost_in_a_row, self._losing)

    def promised(self, symbol: str, side: int) -> Fraction:
        """Shares that open orders may trade on that side; the exits of a group once, as far as its entry has filled."""
        leaving = [one.older for one in self.open_in(symbol)]  # of the two only the larger one takes room
        alike = [one for one in self.open_in(symbol) if one.want.side == side and one not in leaving]
        plain = sum((_room(one) for one in alike if not one.is_exit), ZERO)
        groups = {id(one.group): one for one in alike if one.is_exit}
        return plain + sum((one.to_close for one in groups.values()), ZERO)

    def dearest(self, symbol: str) -> Fraction:
        """The highest price at which an open order of the symbol counts."""
        return max((one.price for one in self.open_in(symbol)), default=ZERO)


class Gate:
    """Says no to an order, or counts it among those that have left."""

    def __init__(self, books: Books, limits: Limits, terms: Terms, past: Past, *, shorts: bool) -> None:
        self.books, self.limits, self.terms, self.past, self.shorts = books, limits, terms, past, shorts
        self.is_halted = False
        self._left: list[tuple[int, Want]] = []
        self._bell = 0
        self._minute: deque[tuple[int, Fraction]] = deque()
        self._today: list[Fraction] = []
        self._shares: Counter[str] = Counter()

    def look(self, step: Step) -> None:
        """Another step; perhaps another day."""
        self._bell = step.bell
        if step.opens:
            self._today.clear()
            self._shares.clear()
            self.books.begin_day(step.day)

    def refuses(self, want: Want, *, eases: bool = False) -> bool:
        """Some rule is against it; it may be a change that only takes risk away."""
        if self.is_halted or self._is_no_order_of_now(want):
            return True
        shrinks = eases or self.only_shrinks(want)
        if (self.terms.forbid(want) and (want.is_fraction or not shrinks)) or self._crosses_zero(want, shrinks):
            return True
        if self._is_beyond_size(want, shrinks=shrinks) or self._hurts(want) or self._is_repeated(want):
            return True
        return exits_are_misplaced(want, self.books.venue) or (
            not shrinks
            and (
                self._is_wide(want.symbol)
                or self._is_too_small(want)
                or self._has_too_many(want)
                or self._has_sent_too_many()
                or self._meets_our_own(want)
                or self._opens_the_other_side(want)
                or self._moves_like_others(want)
            )
        )

    def room(self, want: Want) -> Fraction:
        """Shares of it, in lots, that are within all limits on size; none where they are worth too little."""
        if not self._is_beyond_size(want):
            return ZERO if self._is_too_small(want) and not self.only_shrinks(want) else want.quantity
        lot = self.terms.lot(want.symbol)
        fits, beyond = 0, -(-want.quantity // lot)
        while beyond - fits > 1:
            middle = (fits + beyond) // 2
            if self._is_beyond_size(replace(want, quantity=middle * lot)):
                beyond = middle
            else:
                fits = middle
        less = replace(want, quantity=fits * lot)
        return ZERO if not fits or (self._is_too_small(less) and not self.only_shrinks(less)) else less.quantity

    def count(self, want: Want) -> None:
        """It leaves."""
        value = self.size_of(want) * self.price_of(want)
        self._minute.append((self.books.venue.at, value))
        self._today.append(value)
        self._shares[want.symbol] += self.size_of(want)
        self._left.append((self.books.venue.at, want))

    def only_shrinks(self, want: Want) -> bool:
        """It is a way out."""
        held = self.books.held(want.symbol)
        leaving = self.size_of(want) + self.books.promised(want.symbol, want.side)
        return held * want.side < 0 and leaving <= abs(held)

    def size_of(self, want: Want) -> Fraction:
        """Shares that it may become."""
        if want.dollars is None:
            return want.quantity
        venue = self.books.venue
        return up(want.dollars / venue.quote(want.symbol)[0], NANO) if want.symbol in venue.last else ZERO

    def most_of(self, want: Want) -> Fraction | None:
        """Shares that an order in dollars closes at most: what they come to as it is sent."""
        if want.dollars is None or self.books.held(want.symbol) * want.side >= 0:
            return None
        asked = want.limit or want.stop if want.side == BUY else None
        return down(want.dollars / (asked or self.books.venue.far(want)), NANO)

    def price_of(self, want: Want) -> Fraction:
        """Dollars a share at which it counts."""
        far = self.books.venue.far(want)
        if want.side == BUY and want.limit is not None:
            return want.limit
        if want.side == BUY and want.kind == "trailing_stop":
            return far + (want.trail or far * (want.trail_percent or ZERO) / 100)
        return max(far, want.limit or ZERO, want.stop or ZERO)

    # -- rules ---------------------------------------------------------------------------------------------------

    def _is_too_small(self, want: Want) -> bool:
        return self.size_of(want) * self.price_of(want) < self.limits.least

    def _is_beyond_size(self, want: Want, *, shrinks: bool | None = None) -> bool:
        """A smaller one might pass."""
        shrinks = self.only_shrinks(want) if shrinks is None else shrinks
        price, size, limits = self.price_of(want), self.size_of(want), self.limits
        return (
            size > limits.shares
            or size * price > limits.most
            or (
                not shrinks
                and (
                    self._is_too_much_traffic(size * price)
                    or self._is_much_of_a_day(want.symbol, size)
                    or self._is_too_large(want, size, price)
                )
            )
        )

    def _is_no_order_of_now(self, want: Want) -> bool:
        """Stale prices, other hours, and stops on the wrong side of the market."""
        venue = self.books.venue
        seen = venue.seen.get(want.symbol)
        if seen is None or venue.at - seen > MAX_QUOTE_AGE:
            return True
        if want.extended_hours or want.time_in_force == "opg":
            return True
        if want.time_in_force == "cls" and self._bell - venue.at < CLOSING_ORDERS_END:
            return True
        bid, ask = venue.quote(want.symbol)
        return want.stop is not None and (want.stop < bid if want.side == BUY else want.stop > ask)

    def _hurts(self, want: Want) -> bool:
        """A limit is too far beyond the far side or its stop, or the market beyond the last price."""
        venue = self.books.venue
        far, last = venue.far(want), venue.last[want.symbol]
        price, base = want.limit, want.stop or far
        if want.stop is None and want.limit is None and want.kind != "trailing_stop":
            price, base = far, last
        return price is not None and (price - base) * want.side > self.limits.collar * base

    def _is_wide(self, symbol: str) -> bool:
        bid, ask = self.books.venue.quote(symbol)
        return ask - bid > self.limits.spread * (bid + ask) / 2

    def _crosses_zero(self, want: Want, shrinks: bool) -> bool:
        """It sells what is not held, or buys back more than is short; groups close, or open, and nothing else."""
        held = self.books.held(want.symbol)
        if want.leaves:
            return not shrinks
        if len(want.members) > 1 and held * want.side < 0:
            return True
        total = self.size_of(want) + self.books.promised(want.symbol, want.side)
        if want.side == BUY:
            return held < 0 and total > -held
        opens = held <= 0 and self.shorts and not want.is_fraction
        return not opens and total > max(held, ZERO)

    def _is_repeated(self, want: Want) -> bool:
        """An identical order has left a moment ago, and nobody said that this one is meant."""
        since = self.books.venue.at - self.limits.repeats * 10**6
        return not want.repeat and any(at > since and _content(one) == _content(want) for at, one in self._left)

    def _is_much_of_a_day(self, symbol: str, size: Fraction) -> bool:
        """It, or all that has left today, is much of what trades; nobody knows how much that is, perhaps."""
        limits, usual = self.limits, self.past.day_volume(symbol)
        asked = ((limits.volume, size), (limits.volume_a_day, size + self._shares[symbol]))
        return any(most is not None and (usual is None or shares > most * usual) for most, shares in asked)

    def _moves_like_others(self, want: Want) -> bool:
        """Its returns correlate with those of another bet, or nobody knows whether they do."""
        limits, books = self.limits, self.books
        for other in {*books.shares, *(one.want.symbol for one in books.orders if one.is_open)} - {want.symbol}:
            found = self.past.correlation(want.symbol, other, limits.window, limits.fewest)
            for side in self._bets(other):
                if found is None or found * want.side * side > limits.correlation:
                    return True
        return False

    def _has_too_many(self, want: Want) -> bool:
        """Open orders, with this one and its exits."""
        count, orders = len(want.members), self.books.orders
        of_symbol = len(self.books.open_in(want.symbol))
        is_full = of_symbol + count > self.limits.open_of_symbol
        return is_full or sum(one.is_open for one in orders) + count > self.limits.open_orders

    def _has_sent_too_many(self) -> bool:
        """Orders within a minute, and on this day."""
        self._forget()
        return len(self._minute) >= self.limits.orders_a_minute or len(self._today) >= self.limits.orders_a_day

    def _is_too_much_traffic(self, value: Fraction) -> bool:
        """Dollars that left within a minute, and on this day."""
        self._forget()
        limits, today = self.limits, sum(self._today, ZERO) + value
        return (
            sum((dollars for _, dollars in self._minute), value) > limits.dollars_a_minute
            or today > limits.dollars_a_day
            or (limits.turnover is not None and today > limits.turnover * self.books.equity)
        )

    def _forget(self) -> None:
        while self._minute and self._minute[0][0] <= self.books.venue.at - MINUTE:
            self._minute.popleft()

    def _meets_our_own(self, want: Want) -> bool:
        """It could trade with an open order of the other side; the broker tells groups and trailing stops apart."""
        if len(want.members) > 1 or want.kind == "trailing_stop":
            return False
        across = [one.want for one in self.books.open_in(want.symbol) if one.want.side != want.side and not one.group]
        return any(_may_meet(want, other) for other in across if other.kind != "trailing_stop")

    def _opens_the_other_side(self, want: Want) -> bool:
        """With nothing held, an order of the other side is to open a position, too."""
        if self.books.held(want.symbol):
            return False
        return any(one.want.side != want.side and not one.is_exit for one in self.books.open_in(want.symbol))

    def _is_too_large(self, want: Want, size: Fraction, price: Fraction) -> bool:
        """What it would make of its position, its sector and the account, in the worst case."""
        books, limits, equity, symbol = self.books, self.limits, self.books.equity, want.symbol
        known = {*books.shares, *(one.want.symbol for one in books.orders if one.is_open)}
        before = {one: self._worst(one)[1] for one in known}
        shares, value = self._worst(symbol, want.side * size, price)
        after = before | {symbol: value}
        mine = limits.sectors.get(symbol)
        opening = {one for one in known if self._is_bet(one)} | {symbol}
        added = value - before.get(symbol, ZERO)
        return (
            shares > limits.position_shares
            or value > limits.position * equity
            or (limits.position_dollars is not None and value > limits.position_dollars)
            or (limits.squares is not None and sum(one**2 for one in after.values()) > limits.squares * equity**2)
            or (len(opening) > limits.positions and not self._is_bet(symbol))
            or sum(worth for one, worth in after.items() if limits.sectors.get(one) == mine) > limits.sector * equity
            or sum(after.values()) > limits.gross * equity
            or (limits.net is not None and self._net(known, want, size * price) > limits.net * equity)
            or max(added, ZERO) > limits.power * equity - sum(before.values())
            or (limits.settled_only and want.side == BUY and self._costs(known) + size * price > self._settled)
        )

    @property
    def _settled(self) -> Fraction:
        return self.books.cash - self.books.unsettled

    def _worst(self, symbol: str, change: Fraction = ZERO, price: Fraction = ZERO) -> tuple[Fraction, Fraction]:
        """Shares and dollars of a position, if all open orders of the worse side fill and `change` does, too."""
        books, held = self.books, self.books.held(symbol)
        buys = books.promised(symbol, BUY) + max(change, ZERO)
        sells = books.promised(symbol, SELL) + max(-change, ZERO)
        shares = max(abs(held + buys), abs(held - sells))
        last, dearest = books.venue.last.get(symbol, ZERO), max(price, books.dearest(symbol))
        beyond = max(shares - abs(held), ZERO)
        return max(shares, abs(held)), abs(held) * last + beyond * (max(last, dearest) if held else dearest)

    def _is_bet(self, symbol: str) -> bool:
        """It is held, or being opened."""
        return bool(self._bets(symbol))

    def _bets(self, symbol: str) -> list[int]:
        """The sides on which it is held, or being opened."""
        held = self.books.held(symbol)
        ways = (BUY, held + self.books.promised(symbol, BUY) > 0), (SELL, held < self.books.promised(symbol, SELL))
        return [side for side, is_bet in ways if is_bet]

    def _costs(self, symbols: Iterable[str], side: int = BUY) -> Fraction:
        return sum((self.books.promised(one, side) * self.books.dearest(one) for one in symbols), ZERO)

    def _net(self, symbols: Iterable[str], want: Want, value: Fraction) -> Fraction:
        """Longs less shorts, or the other way round."""
        net = self.books.equity - self.books.cash
        buys, sells = (value, ZERO) if want.side == BUY else (ZERO, value)
        return max(net + self._costs(symbols) + buys, self._costs(symbols, SELL) + sells - net)


def _room(order: Sent) -> Fraction:
    """Shares that it may trade still, or the one whose place it is to take."""
    older = order.older
    left = order.size - order.filled
    return max(left, older.size - older.filled) if older is not None and older.is_open else left


def _content(want: Want) -> tuple[object, ...]:
    return want.source, want.symbol, want.side, want.quantity, want.dollars, want.kind, want.limit, want.stop


def _may_meet(one: Want, other: Want) -> bool:
    if one.kind != "limit" or other.kind != "limit":
        return True
    buy, sell = (one, other) if one.side == BUY else (other, one)
    assert buy.limit is not None
    assert sell.limit is not None
    return buy.limit >= sell.limit
