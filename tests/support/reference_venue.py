"""The venue of the second simulation: when orders are filled, at which prices, and for which fees.

Written from docs/backtest.md alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from tests.support.reference_prices import BUY, CENT, SELL, Step, against, quote_around, tick_of, up

GTC_LASTS = timedelta(days=90)
STOPS = ("stop", "stop_limit", "trailing_stop")


@dataclass(frozen=True)
class Want:
    """An order as it is written out; `trail` is in dollars, `trail_percent` in per cent."""

    symbol: str
    side: int
    quantity: Fraction
    kind: str = "market"
    time_in_force: str = "day"
    limit: Fraction | None = None
    stop: Fraction | None = None
    trail: Fraction | None = None
    trail_percent: Fraction | None = None


@dataclass(frozen=True)
class Costs:
    """What trading costs, and how many microseconds orders and reports are on their way.

    Attributes:
        fee_a_share: dollars, on both sides; `fee_of_sales`: a share of the dollars sold.
    """

    spread_bps: Fraction = Fraction(0)
    slippage_bps: Fraction = Fraction(0)
    fee_a_share: Fraction = Fraction(0)
    fee_of_sales: Fraction = Fraction(0)
    order_takes: int = 0
    report_takes: int = 0


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
        is_open: as far as the account has heard.
        best: the best last price since its arrival; `since`: the day of it.
    """

    want: Want
    status: str = "sent"
    is_open: bool = True
    best: Fraction = Fraction(0)
    since: date = date.min
    is_set_off: bool = False


class ReferenceVenue:
    """Quotes, resting orders, and reports on their way back."""

    def __init__(self, costs: Costs) -> None:
        self.costs = costs
        self.at, self.day, self.is_open = 0, date.min, False
        self.last: dict[str, Fraction] = {}
        self.seen: dict[str, int] = {}
        self.fills: list[Fill] = []
        self.reports: list[tuple[int, Sent, Fill | None]] = []
        self._resting: list[Sent] = []
        self._before_open: list[Sent] = []
        self._unopened: set[str] = set()

    def quote(self, symbol: str) -> tuple[Fraction, Fraction]:
        """Bid and ask."""
        return quote_around(self.last[symbol], self.costs.spread_bps)

    def far(self, want: Want) -> Fraction:
        """What the order would pay or get if it traded now."""
        bid, ask = self.quote(want.symbol)
        return ask if want.side == BUY else bid

    def step(self, step: Step) -> None:
        """New prices; resting orders meet them."""
        self.at, self.day = step.at, step.day
        for symbol, price in step.last.items():
            self.last[symbol], self.seen[symbol] = price, step.at
        if step.opens:
            self.is_open = True
            self._cancel_old()
            self._unopened = {one.want.symbol for one in self._resting}
        for order in list(self._resting):
            if order.want.symbol in step.last and order.want.time_in_force != "cls":
                self._meet(order)
        self._unopened -= set(step.last)
        arriving = [one for one in self._before_open if one.want.symbol in step.last]
        for order in arriving:
            self._before_open.remove(order)
            self.arrive(order)
        if step.closes:
            self._auction()

    def close(self) -> None:
        """The session ends, and with it the orders for the day."""
        self.is_open = False
        for order in list(self._resting):
            if order.want.time_in_force == "day":
                self._end(order, "expired")

    def arrive(self, order: Sent) -> None:
        """An order comes to the market, or waits for the next opening."""
        want = order.want
        if not self.is_open:
            order.status = "held"
            self._before_open.append(order)
            return
        order.status, order.since, order.best = "working", self.day, self.last[want.symbol]
        self._resting.append(order)
        if want.time_in_force == "cls":
            return
        if want.kind == "market":
            self._fill(order, self._slipped(want))
        elif want.kind == "limit":
            self._take(order)
        else:
            self._watch(order)
        if want.time_in_force in ("ioc", "fok") and order.status == "working":
            self._end(order, "canceled")

    def _meet(self, order: Sent) -> None:
        """A later step."""
        want = order.want
        if want.kind in STOPS and not order.is_set_off:
            self._watch(order)
        elif want.symbol in self._unopened:
            self._take(order)
        elif want.limit is not None and _is_within(want, self.far(want)):
            self._fill(order, want.limit)

    def _take(self, order: Sent) -> None:
        """A limit order that has just come: it takes the far side if it can."""
        far = self.far(order.want)
        if _is_within(order.want, far):
            self._fill(order, far)

    def _watch(self, order: Sent) -> None:
        """A stop order: the last price may set it off."""
        want, last = order.want, self.last[order.want.symbol]
        stop = _trailed(order, last) if want.kind == "trailing_stop" else want.stop
        assert stop is not None
        if (last - stop) * want.side < 0:
            return
        order.is_set_off = True
        if want.kind == "stop_limit":
            self._take(order)
        else:
            self._fill(order, self._slipped(want))

    def _slipped(self, want: Want) -> Fraction:
        price = self.far(want) * (1 + want.side * self.costs.slippage_bps / 10_000)
        return against(want.side, price, tick_of(price))

    def _auction(self) -> None:
        for order in [one for one in self._resting if one.want.time_in_force == "cls"]:
            last = self.last[order.want.symbol]
            if order.want.limit is None or _is_within(order.want, last):
                self._fill(order, last)
            else:
                self._end(order, "canceled")

    def _cancel_old(self) -> None:
        """In the evening of the ninetieth day, of which everybody has heard by the next morning."""
        for order in [one for one in self._resting if one.since + GTC_LASTS < self.day]:
            self._resting.remove(order)
            order.status, order.is_open = "canceled", False

    def _fill(self, order: Sent, price: Fraction) -> None:
        want = order.want
        fee = up(want.quantity * self.costs.fee_a_share, CENT)
        if want.side == SELL:
            fee += up(want.quantity * price * self.costs.fee_of_sales, CENT)
        self.fills.append(Fill(self.at, want.symbol, want.side, want.quantity, price, fee))
        self._end(order, "filled", self.fills[-1])

    def _end(self, order: Sent, status: str, fill: Fill | None = None) -> None:
        order.status = status
        self._resting.remove(order)
        self.reports.append((self.at + self.costs.report_takes, order, fill))


def _is_within(want: Want, price: Fraction) -> bool:
    assert want.limit is not None
    return (want.limit - price) * want.side >= 0


def _trailed(order: Sent, last: Fraction) -> Fraction:
    """Where a trailing stop stands after the last price: behind the best one since it arrived."""
    want = order.want
    order.best = min(order.best, last) if want.side == BUY else max(order.best, last)
    behind = order.best * (want.trail_percent or 0) / 100 if want.trail is None else want.trail
    return against(want.side, order.best + want.side * behind, CENT)
