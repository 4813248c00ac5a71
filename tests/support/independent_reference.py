"""A second simulation of backtests, written from the documents alone; it shares no code with the system.

It walks from step to step with orders and wishes that are given beforehand, and tells what was filled, refused and
left, and what the account was worth at the end of each bar, exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from fractions import Fraction

from tests.support.reference_costs import Costs
from tests.support.reference_fitting import Target, fit
from tests.support.reference_gate import ZERO, Books, Gate
from tests.support.reference_limits import WHOLE_SHARES, WIDE, Limits, Terms
from tests.support.reference_losses import ANY_LOSS, Losses, Watch
from tests.support.reference_opinions import Opinions, Pursuit
from tests.support.reference_past import Past
from tests.support.reference_prices import BUY, SELL, Bar, Step, down, ends_of
from tests.support.reference_sizing import Account, Sizer, Wish
from tests.support.reference_venue import Fill, ReferenceVenue, Sent, Want
from tests.support.reference_words import Said, TakeBack

SMALLEST_TRADE = Fraction(5, 1000)
WIDE_SPREAD = Fraction(20, 10_000)
END_OF_TIME = 10**18
ENDED = ("filled", "canceled", "expired", "replaced", "denied")


Plan = Mapping[int, Sequence[Said]]
"""What a strategy says at the end of bars, which are counted from the first one that is traded."""


@dataclass
class Outcome:
    """What a run came to: all orders as they were sent, fills in order, equity and shares at the end of each bar.

    Attributes:
        halted_at: when the loss of a day was beyond its limit; None if it never was.
    """

    orders: list[Sent] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    equity: list[Fraction] = field(default_factory=list)
    held: list[dict[str, Fraction]] = field(default_factory=list)
    cash: Fraction = ZERO
    halted_at: int | None = None


class Reference:
    """One account on a market of steps."""

    def __init__(
        self,
        cash: Fraction,
        costs: Costs,
        *,
        shorts: bool = True,
        rejected: frozenset[int] = frozenset(),
        before: Mapping[str, Fraction] | None = None,
        terms: Terms = WHOLE_SHARES,
        losses: Losses = ANY_LOSS,
        limits: Limits = WIDE,
        sizer: Sizer | None = None,
        fits: bool = False,
        past: Sequence[Bar] = (),
        first: int = 0,
    ) -> None:
        """Begin with cash alone.

        Args:
            rejected: numbers of orders that the broker refuses, when their exits are on the books already.
            before: closes before the first step, which are too old to trade at.
            losses: beyond these it is halted.
            sizer: of wishes without a weight.
            fits: what is wanted is cut to the limits.
            past: all bars, of which number `first` is the first one traded.
        """
        self.rejected, self.terms, self.fits = rejected, terms, fits
        self.sizer, self._past, self._first = sizer or Sizer(), past, first
        self._ends, self._ended = ends_of(past), set[str]()
        self._opinions = Opinions()
        self.watch = Watch(losses, cash)
        self.venue = ReferenceVenue(costs)
        self.venue.last.update(before or {})
        self.books = Books(cash, self.venue)
        self.gate = Gate(self.books, limits, terms, Past(past, first), shorts=shorts)
        self.out = Outcome(orders=self.books.orders, fills=self.venue.fills)
        self._travelling: list[tuple[int, Sent, Callable[[Sent], None]]] = []
        self._recalled: set[Sent] = set()
        self._pursuits: dict[str, Pursuit] = {}
        self._said: Sequence[Said] = ()
        self._has_prices = False
        self._bell = 0

    def run(self, steps: Iterable[Step], plan: Plan) -> Outcome:
        """Walk through all steps."""
        for step in steps:
            self._let_pass(step.at)
            self._bell = step.bell
            self.gate.look(step)
            if step.opens:
                self.watch.begin_day(step.day)
                self._pay_out(step.day)
            self.venue.step(step)
            self.books.begun.clear()
            self._hear(step.at)
            self._value()
            if step.begins_bar:
                self._has_prices = True
                self._take(self._said)
                self._said = ()
            self._walk()
            self._let_pass(step.at)
            if step.closes:
                self.venue.close()
            if step.ends_bar:
                self._listen(step.at)
                self.books.begun.clear()
                self.watch.end_bar(self.books.equity)
                self._said = plan.get(len(self.out.equity), ())
                self._note()
                self._opinions.hear(self._said, step.at)
                self._take_back()
                self._has_prices = False
        self._let_pass(END_OF_TIME - 1)
        self.out.cash = self.books.cash
        return self.out

    def _pay_out(self, day: date) -> None:
        """What had its last bar on an earlier day becomes cash, and its orders are gone; oldest first."""
        for symbol in [one for one, last in self._ends.items() if last < day]:
            del self._ends[symbol]
            self._ended.add(symbol)
            for order in self.books.open_in(symbol):
                order.status, order.is_open = "canceled", False
            self.venue.delist(symbol)
            self.books.pay_out(symbol)

    def _note(self) -> None:
        self.gate.past.known += 1
        self.out.equity.append(self.books.equity)
        self.out.held.append({symbol: shares for symbol, shares in self.books.shares.items() if shares})

    def _let_pass(self, until: int) -> None:
        """Orders arrive and reports come back, in time."""
        while (due := min(at for at, *_ in [*self._travelling, *self.venue.reports, (END_OF_TIME,)])) <= until:
            self.venue.at = due
            while self._travelling and self._travelling[0][0] == due:
                _, order, come = self._travelling.pop(0)
                come(order)
            self._listen(due)

    def _listen(self, until: int) -> None:
        """Hear reports; what has been begun is valued anew, unless the account waits for nothing more."""
        if self._hear(until) and (self._said or self._pursuits or any(one.is_open for one in self.out.orders)):
            self._value()
            self._walk()

    def _value(self) -> None:
        """All positions are worth their last prices."""
        self.books.begun.clear()
        self._judge()

    def _hear(self, until: int) -> bool:
        """Book what has been reported; False if nothing has."""
        heard = [report for report in self.venue.reports if report[0] <= until]
        del self.venue.reports[: len(heard)]
        for _, order, fill, is_last in heard:
            order.is_open = not is_last
            if fill is not None:
                order.filled += fill.quantity
                for other in order.exits:
                    if other is not order and other.is_open and not is_last:
                        other.size -= fill.quantity
                self.books.book(fill)
                self.watch.see(order, fill)
                self._judge()
        return bool(heard)

    def _judge(self) -> None:
        """A loss beyond the limit cancels orders, and gives up what has not left; from then on all are refused."""
        is_beyond = self.watch.is_beyond(self.venue.at, self.books.equity_at_cost, self.books.lost_in_a_row)
        if self.out.halted_at is not None or not is_beyond:
            return
        self.out.halted_at = self.venue.at
        self.gate.is_halted = True
        self._pursuits.clear()
        self._said = ()
        for order in self.out.orders:
            if order.is_open and order not in self._recalled:
                self._recall(order)

    def _take_back(self) -> None:
        """Cancels leave when they are said."""
        is_open = [order for order in self.out.orders if order.is_open]
        for one in self._said:
            own = [order for order in is_open if order.want.source == one.source]
            if isinstance(one, TakeBack) and own:
                order = own[one.place % len(own)]
                if order not in self._recalled:
                    self._recall(order)
        self._said = [one for one in self._said if not isinstance(one, TakeBack)]

    # -- wishes --------------------------------------------------------------------------------------------------

    def _take(self, said: Sequence[Said]) -> None:
        """Orders that were written out leave before those for wishes; a new wish has the place of the one before."""
        for wish, until in self._opinions.taken_up(said):
            earlier = self._pursuits.get(wish.symbol)
            self._pursuits[wish.symbol] = Pursuit(wish, until, order=earlier and earlier.order)
        for one in said:
            self._give(one)

    def _give(self, said: Said) -> None:
        """What was written out leaves."""
        if isinstance(said, Want):
            self._send(said)

    def _walk(self) -> None:
        """Take wishes as far as they can go now."""
        while self._has_prices and self.venue.is_open and self.venue.at < self._bell and self._take_further():
            pass

    def _take_further(self) -> bool:
        """Size wishes together, sell, and buy once what is held has been sold; True when something has left."""
        equity = self.books.equity
        for pursuit in list(self._pursuits.values()):
            if self.venue.at >= pursuit.until or pursuit.has_ended:
                del self._pursuits[pursuit.wish.symbol]
        changes = [(pursuit, self._change(pursuit, equity)) for pursuit in list(self._pursuits.values())]
        for side in (SELL, BUY):
            ready = [(pursuit, abs(change)) for pursuit, change in changes if change * side > 0]
            sent = [self._trade(pursuit, side, quantity) for pursuit, quantity in ready]
            if any(sent):
                return True
            if any(one.is_open and one.sells_held for one in self.out.orders):
                return False
        return False

    def _change(self, pursuit: Pursuit, equity: Fraction) -> Fraction:
        """Shares to trade next: to zero first, where the position changes sides; 0 while it waits, or is over."""
        symbol, order = pursuit.wish.symbol, pursuit.order
        in_the_way = [one for one in self.books.open_in(symbol) if one is order or not one.takes_away]
        if in_the_way or symbol not in self.venue.last:
            return ZERO
        held = self.books.held(symbol)
        if pursuit.wanted is None:
            shares, pursuit.order = self._sized(pursuit.wish, equity), None
            pursuit.wanted = shares or ZERO
            if shares is None and held * pursuit.wish.direction > 0:
                del self._pursuits[symbol]
                return ZERO
        change = -held if held * pursuit.wanted < 0 else pursuit.wanted - held
        is_small = held + change != 0 and abs(change) * sum(self.venue.quote(symbol)) / 2 < SMALLEST_TRADE * equity
        if not change or is_small:
            del self._pursuits[symbol]
            return ZERO
        return change

    def _sized(self, wish: Wish, equity: Fraction) -> Fraction | None:
        """Shares to hold, in lots; None when nobody can say."""
        asked = self._asked(wish, equity)
        if not self.fits or not asked or wish.symbol in self._ended:
            return asked
        wanted = [one for one in self._standing if self._is_wanted(one)]
        targets = [Target(one.symbol, (self._asked(one, equity) or ZERO) * self._opening(one)) for one in wanted]
        held = {symbol: shares for symbol, shares in self.books.shares.items() if shares}
        stay = self._staying()
        limits, past = self.gate.limits, self.gate.past
        found = fit(
            targets, equity, limits, stay, held, lambda *two: past.correlation(*two, limits.window, limits.fewest)
        )[wish.symbol]
        if not found.is_cut:
            return asked
        shares = down(abs(found.dollars) / self._opening(wish), self.terms.lot(wish.symbol))
        return ZERO if shares * self._opening(wish) < limits.least else wish.direction * shares

    @property
    def _standing(self) -> Sequence[Wish]:
        """The wish that counts of each symbol."""
        return self._opinions.counting(self.venue.at)

    def _staying(self) -> dict[str, Fraction]:
        """Dollars of positions that no wish asks for or is on its way to close."""
        moving = {*self._pursuits, *(one.symbol for one in self._standing if one.direction)}
        held = {symbol: shares for symbol, shares in self.books.shares.items() if shares and symbol not in moving}
        return {symbol: shares * self.venue.last[symbol] for symbol, shares in sorted(held.items())}

    def _opening(self, wish: Wish) -> Fraction:
        """Dollars a share at which its position would be opened."""
        bid, ask = self.venue.quote(wish.symbol)
        return bid if wish.direction < 0 else ask

    def _is_wanted(self, wish: Wish) -> bool:
        """Something is to be held that has a price, and is listed."""
        return bool(wish.direction) and wish.symbol in self.venue.last and wish.symbol not in self._ended

    def _asked(self, wish: Wish, equity: Fraction) -> Fraction | None:
        """What the sizer says."""
        account = Account(
            equity=equity,
            price=self._opening(wish),
            lot=self.terms.lot(wish.symbol),
            most=self.gate.limits.position,
            drawdown=max(self.watch.peak - equity, ZERO) / self.watch.peak,
            wanted=max(sum(one.direction != 0 for one in self._standing if one.symbol not in self._ended), 1),
            past=self._past[: self.gate.past.known],
            sides={one.symbol: one.direction for one in self._standing if self._is_wanted(one)},
            room=max(self.gate.limits.sector - sum(map(abs, self._staying().values())) / equity, ZERO),
        )
        return self.sizer.shares(wish, account)

    def _trade(self, pursuit: Pursuit, side: int, quantity: Fraction) -> bool:
        """Send an order for a wish; exits that hold the shares are cancelled first, and it waits for their end."""
        symbol = pursuit.wish.symbol
        held = self.books.held(symbol)
        exits = [] if held * side > 0 else self.books.open_in(symbol)
        for order in exits:
            if order not in self._recalled:
                self._recall(order)
        if any(order.is_open for order in exits):
            return False
        again = pursuit.order is not None and pursuit.order.only_shrinks  # turning round takes two
        want = replace(self._worked(symbol, side, quantity), repeat=again, source=pursuit.wish.source)
        if self.fits:
            want = replace(want, quantity=self.gate.room(want))
        if not want.quantity:
            del self._pursuits[symbol]
            return False
        order = self._send(want, sells_held=side == SELL and held > 0)
        if order.status == "denied":
            del self._pursuits[symbol]
        else:
            pursuit.order = order
        return True

    def _recall(self, order: Sent) -> None:
        if order.status not in ENDED:  # the venue tells at once of one that has ended
            self._recalled.add(order)
            self._leave(order, self.venue.cancel)

    def _leave(self, order: Sent, come: Callable[[Sent], None]) -> None:
        """An order or the cancel of one leaves for the venue."""
        self._travelling.append((self.venue.at + self.venue.costs.order_takes, order, come))

    def _worked(self, symbol: str, side: int, quantity: Fraction) -> Want:
        """At the market, or with a limit at the far side where the spread is wide."""
        bid, ask = self.venue.quote(symbol)
        if (ask - bid) / ((ask + bid) / 2) <= WIDE_SPREAD:
            return Want(symbol, side, quantity)
        return Want(symbol, side, quantity, "limit", limit=ask if side == BUY else bid)

    # -- orders --------------------------------------------------------------------------------------------------

    def _send(self, want: Want, *, sells_held: bool = False) -> Sent:
        number = len(self.out.orders)
        is_refused = self.gate.refuses(want)
        size = self.gate.size_of(want)
        if not is_refused:
            self.gate.count(want)
        if is_refused or number in self.rejected:
            members, asked = ((want,), want.quantity) if is_refused else (want.members, size)
            refused = [Sent(one, status="denied", is_open=False, size=asked) for one in members]
            self.out.orders += refused
            return refused[0]
        only_shrinks = self.gate.only_shrinks(want)
        members = [
            Sent(one, number + place, sent_on=self.venue.day, size=size, price=max(one.limit or ZERO, one.stop or ZERO))
            for place, one in enumerate(want.members)
        ]
        order = members[0]
        order.most, order.price = self.gate.most_of(want), self.gate.price_of(want)
        order.only_shrinks, order.sells_held = only_shrinks, sells_held
        if len(members) > 1:
            for one in members:
                one.group, one.entry = members, None if want.leaves else order
        self.out.orders += members
        self._leave(order, self.venue.arrive)
        return order
