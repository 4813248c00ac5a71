"""The venue of the second simulation: when orders are filled, at which prices, and for which fees.

Written from docs/backtest.md alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from fractions import Fraction

from tests.support.reference_costs import Costs
from tests.support.reference_prices import BUY, CENT, NANO, Step, against, down, quote_around, tick_of
from tests.support.reference_queues import Queues, place_of

GTC_LASTS = timedelta(days=90)
STOPS = ("stop", "stop_limit", "trailing_stop")


@dataclass(frozen=True)
class Want:
    """An order as it is written out; `trail` is in dollars, `trail_percent` in per cent.

    Attributes:
        profit, loss: prices of the exits of a bracket, OTO or OCO order; `loss_limit`: of a stop-loss with a limit.
        leaves: the exits alone, for what is held: an OCO order.
        dollars: what it is to trade in the place of a quantity, which is 0 then.
        repeat: it is meant, even if one like it has left a moment ago.
        source: the strategy that has given it.
    """

    symbol: str
    side: int
    quantity: Fraction
    kind: str = "market"
    time_in_force: str = "day"
    limit: Fraction | None = None
    stop: Fraction | None = None
    trail: Fraction | None = None
    trail_percent: Fraction | None = None
    profit: Fraction | None = None
    loss: Fraction | None = None
    loss_limit: Fraction | None = None
    leaves: bool = False
    dollars: Fraction | None = None
    extended_hours: bool = False
    repeat: bool = True
    source: str = ""

    @property
    def is_fraction(self) -> bool:
        """It is for a part of a share, or may be."""
        return self.dollars is not None or self.quantity.denominator != 1

    @property
    def members(self) -> tuple[Want, ...]:
        """The simple orders that it is made of: the one that leads, take-profit, stop-loss."""
        if self.profit is None and self.loss is None:
            return (self,)
        side = self.side if self.leaves else -self.side
        alone = replace(self, profit=None, loss=None, loss_limit=None, leaves=False)
        exits = []
        if self.profit is not None:
            exits.append(replace(alone, side=side, kind="limit", limit=self.profit))
        if self.loss is not None:
            kind = "stop" if self.loss_limit is None else "stop_limit"
            exits.append(replace(alone, side=side, kind=kind, limit=self.loss_limit, stop=self.loss))
        return tuple(exits) if self.leaves else (alone, *exits)


@dataclass(frozen=True)
class Fill:
    """What traded, when, at which price, and what was charged for it."""

    at: int
    symbol: str
    side: int
    quantity: Fraction
    price: Fraction
    fee: Fraction


@dataclass(eq=False)
class Sent:
    """An order that was asked for.

    Attributes:
        number: in the order of sending.
        is_open: as far as the account has heard; `filled`: shares, likewise.
        size: shares that it is for, or at most becomes if it is in dollars, as the account reckons.
        traded, paid: shares and dollars so far; `most`: shares that an order in dollars may come to at most.
        rests: a limit that the far side did not reach.
        best: the best last price since its arrival.
        sent_on: the day on which it was sent.
        is_set_off: a stop that has become another order.
        is_new: it has come after the close, and has met no price yet.
        waits: an exit of which the entry has not filled yet.
        others: the members of its group; `entry`: that which begins it, None for an order without or for an OCO order.
        only_shrinks: whatever else fills, it takes nothing but from the position.
        price: dollars a share at which it counts.
        sells_held: it sells for a wish what is held.
        older: whose place it is to take.
        ahead: shares before it in the queue, None where it has no place; `since`: until when its turns are reckoned.
    """

    want: Want
    number: int = 0
    status: str = "sent"
    is_open: bool = True
    filled: Fraction = Fraction(0)
    size: Fraction = Fraction(0)
    traded: Fraction = Fraction(0)
    paid: Fraction = Fraction(0)
    most: Fraction | None = None
    rests: bool = False
    best: Fraction = Fraction(0)
    sent_on: date = date.min
    is_set_off: bool = False
    is_new: bool = False
    waits: bool = False
    group: Sequence[Sent] = ()
    entry: Sent | None = None
    only_shrinks: bool = False
    price: Fraction = Fraction(0)
    sells_held: bool = False
    older: Sent | None = None
    ahead: Fraction | None = None
    since: int | None = None

    def __post_init__(self) -> None:
        self.size = self.size or self.want.quantity

    def left(self, price: Fraction) -> Fraction:
        """Shares that it still is to trade, if one costs `price`."""
        if self.want.dollars is None:
            return self.want.quantity - sum(one.traded for one in self.exits)
        bought = down((self.want.dollars - self.paid) / price, NANO)
        return bought if self.most is None else min(bought, self.most - self.traded)

    @property
    def is_exit(self) -> bool:
        """It belongs to a group, and closes."""
        return bool(self.group) and self is not self.entry

    @property
    def exits(self) -> Sequence[Sent]:
        """The orders that trade the same shares: the exits of its group, or it alone."""
        return [one for one in self.group if one.is_exit] if self.is_exit else [self]

    @property
    def takes_away(self) -> bool:
        """It can only make the position smaller: it was so when it was sent, or it closes what its entry has filled."""
        return self.only_shrinks or (self.is_exit and self.to_close >= self.size - self.filled)

    @property
    def to_close(self) -> Fraction:
        """Shares that the exits of its group may still trade."""
        begun = self.want.quantity if self.entry is None else self.entry.filled
        return begun - sum(one.filled for one in self.exits)


class ReferenceVenue:
    """Quotes, resting orders, and reports on their way back."""

    def __init__(self, costs: Costs) -> None:
        self.costs = costs
        self.at, self.day, self.is_open = 0, date.min, False
        self.last: dict[str, Fraction] = {}
        self.seen: dict[str, int] = {}
        self.fills: list[Fill] = []
        self.reports: list[tuple[int, Sent, Fill | None, bool]] = []
        self._volume: dict[str, Fraction] = {}
        self._budget: dict[str, Fraction] = {}
        self._spread: dict[str, Fraction] = {}
        self.queues = Queues()
        self._resting: list[Sent] = []
        self._unopened: set[str] = set()

    def quote(self, symbol: str) -> tuple[Fraction, Fraction]:
        """Bid and ask."""
        return quote_around(self.last[symbol], self._spread.get(symbol, self.costs.spread_bps))

    def far(self, want: Want) -> Fraction:
        """What the order would pay or get if it traded now."""
        bid, ask = self.quote(want.symbol)
        return ask if want.side == BUY else bid

    def step(self, step: Step) -> None:
        """New prices; resting orders meet them."""
        self.at, self.day = step.at, step.day
        self._volume = dict.fromkeys(self.last, Fraction(0))
        self._budget = dict.fromkeys(self.last, Fraction(0))
        for symbol, price in step.last.items():
            if symbol in self.seen:
                self.queues.pass_on(symbol, self.quote(symbol), self.seen[symbol])
            self._spread[symbol] = self.costs.spread(step.since_open)
            self.queues.trades[symbol] = Fraction(step.volume[symbol])
            self.last[symbol], self.seen[symbol] = price, step.at
            self._volume[symbol] = Fraction(step.volume[symbol])
            if self.costs.participation is not None:
                self._budget[symbol] = self.costs.participation * step.volume[symbol]
        if step.opens:
            self.is_open = True
            self._cancel_old()
            self._unopened = {one.want.symbol for one in self._resting}
            for order in self._resting:
                order.status = "working" if order.is_new else order.status
                order.ahead = order.since = None
        for order in sorted(self._resting, key=_number):
            if order in self._resting and order.want.symbol in step.last and order.want.time_in_force != "cls":
                self._meet(order)
        self._unopened -= set(step.last)

    def delist(self, symbol: str) -> None:
        """Nobody trades it any more."""
        self._resting = [one for one in self._resting if one.want.symbol != symbol]

    def close(self) -> None:
        """The closing auction is held; then the session ends, and with it the orders for the day."""
        self._auction()
        self.is_open = False
        for order in list(self._resting):
            if order.want.time_in_force == "day":
                self._end(order, "expired")

    def arrive(self, order: Sent) -> None:
        """An order comes to the market with its exits, or waits for the next opening."""
        want = order.want
        for exit_ in order.group[1:]:
            exit_.status, exit_.waits = "held", order.entry is not None
        self._resting += [order, *order.group[1:]]
        if self.is_open:
            self._begin(order)
        else:
            order.status, order.is_new = "held", True
        if want.time_in_force in ("ioc", "fok") and order in self._resting:
            self._end(order, "canceled")

    def cancel(self, order: Sent) -> None:
        """The request to cancel an order has come."""
        if order in self._resting:
            self._end(order, "canceled")

    def has(self, order: Sent) -> bool:
        """It works, or waits to."""
        return order in self._resting

    def turn_away(self, order: Sent) -> None:
        """It is not taken."""
        order.status = "denied"
        self.reports.append((self.at + self.costs.report_takes, order, None, True))

    def _begin(self, order: Sent) -> None:
        """An order works from now on: it meets the prices of the moment."""
        want = order.want
        order.status, order.best, order.is_new = "working", order.best or self.last[want.symbol], False
        if want.time_in_force == "cls":
            return
        if want.kind == "market" or (order.is_set_off and want.limit is None):
            self._fill(order, self.far(want), slips=True)
        elif want.kind == "limit" or order.is_set_off:
            self._take(order)
            for exit_ in order.group:
                if order.is_exit and exit_ in self._resting and exit_ is not order and not exit_.waits:
                    self._watch(exit_)
        else:
            self._watch(order)

    def _meet(self, order: Sent) -> None:
        """A later step."""
        want = order.want
        if order.waits:
            return
        if order.is_new:
            self._begin(order)
        elif want.kind in STOPS and not order.is_set_off:
            self._watch(order)
        elif want.limit is None:
            self._fill(order, self.far(want), slips=True)
        elif want.symbol in self._unopened or not order.rests:
            self._take(order)
        elif self.costs.queue:
            turn = self.queues.turn(order, self.quote(want.symbol), self.at)
            self.queues.serve(order, self._fill(order, want.limit, most=turn))
        elif _is_within(want, self.far(want)) and (not self.costs.through or self.far(want) != want.limit):
            self._fill(order, want.limit)

    def _take(self, order: Sent) -> None:
        """A limit order that has just come: it takes the far side if it can, and rests when it cannot."""
        far = self.far(order.want)
        order.rests = not _is_within(order.want, far)
        if not order.rests:
            self._fill(order, far)
        elif order.since is None:
            order.since, order.ahead = self.at, place_of(order.want, self.quote(order.want.symbol))

    def _watch(self, order: Sent) -> None:
        """A stop order: the last price may set it off."""
        want, last = order.want, self.last[order.want.symbol]
        stop = _trailed(order, last) if want.kind == "trailing_stop" else want.stop
        assert stop is not None
        if (last - stop) * want.side < 0:
            return
        order.is_set_off, order.status = True, "working"
        for other in order.group:
            if other is not order and other in self._resting:
                self.leave(other, "canceled")
        if want.kind == "stop_limit":
            self._take(order)
        else:
            self._fill(order, self.far(want), slips=True)

    def _auction(self) -> None:
        for order in [one for one in self._resting if one.want.time_in_force == "cls"]:
            last = self.last[order.want.symbol]
            if order.want.limit is None or _is_within(order.want, last):
                self._fill(order, against(order.want.side, last, tick_of(last)))
            if order in self._resting:
                self._end(order, "canceled")

    def _cancel_old(self) -> None:
        """In the evening of the ninetieth day, of which everybody has heard by the next morning."""
        for order in [one for one in self._resting if one.sent_on + GTC_LASTS < self.day]:
            self._resting.remove(order)
            order.status, order.is_open = "canceled", False

    def _fill(self, order: Sent, price: Fraction, *, slips: bool = False, most: Fraction | None = None) -> Fraction:
        """Trade as much as there is for us; all or nothing where the order says so."""
        want = order.want
        quantity, left = self._there(order, price)
        if most is not None:
            quantity = min(quantity, down(most, NANO if want.is_fraction else Fraction(1)))
        if slips and quantity:
            away = self.costs.slippage(
                want.side, self.quote(want.symbol), quantity, self._volume.get(want.symbol, Fraction(0))
            )
            price = max(against(want.side, price + want.side * away, tick_of(price + want.side * away)), CENT / 100)
            quantity, left = self._there(order, price)
        if not quantity or (want.time_in_force == "fok" and quantity < left):
            return Fraction(0)
        if self.costs.participation is not None:
            self._budget[want.symbol] -= quantity
        order.traded += quantity
        order.paid += quantity * price
        fee = self.costs.fee(self.day, want.side, quantity, price)
        fill = Fill(self.at, want.symbol, want.side, quantity, price, fee)
        self.fills.append(fill)
        if quantity < left:
            order.status = "partially_filled"
            self.reports.append((self.at + self.costs.report_takes, order, fill, False))
        else:
            self._end(order, "filled", fill)
        return quantity

    def _there(self, order: Sent, price: Fraction) -> tuple[Fraction, Fraction]:
        """Shares that there are for an order at a price, and those that it still is to trade."""
        left = order.left(price)
        if self.costs.participation is None:
            return left, left
        unit = NANO if order.want.is_fraction else Fraction(1)
        return min(left, down(self._budget[order.want.symbol], unit)), left

    def _end(self, order: Sent, status: str, fill: Fill | None = None) -> None:
        """An order has ended: an entry that has filled begins its exits, any other end cancels what goes with it."""
        self.leave(order, status, fill)
        others = [one for one in order.group if one in self._resting and not one.is_set_off]
        if order is order.entry and status == "filled":
            for one in others:
                one.waits = False
            self._begin(others[0])
        elif status != "expired":
            for one in others:
                self.leave(one, "canceled")

    def leave(self, order: Sent, status: str, fill: Fill | None = None) -> None:
        """It trades no more."""
        order.status = status
        self._resting.remove(order)
        self.reports.append((self.at + self.costs.report_takes, order, fill, True))


def _number(order: Sent) -> int:
    return order.number


def _is_within(want: Want, price: Fraction) -> bool:
    assert want.limit is not None
    return (want.limit - price) * want.side >= 0


def _trailed(order: Sent, last: Fraction) -> Fraction:
    """Where a trailing stop stands after the last price: behind the best one since it arrived."""
    want = order.want
    order.best = min(order.best, last) if want.side == BUY else max(order.best, last)
    behind = order.best * (want.trail_percent or 0) / 100 if want.trail is None else want.trail
    return against(want.side, order.best + want.side * behind, CENT)
