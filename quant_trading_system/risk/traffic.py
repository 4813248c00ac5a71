"""What has left lately, counted: by the minute, by the exchange's day, and by the strategy that keeps on asking.

Minutes are measured on the monotonic clock. The day is the exchange's, reckoned from one look at the wall clock
when counting began, so that a wall clock that jumps forgives nothing. Memory is bounded by one window of each kind.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from copy import copy, deepcopy
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from operator import itemgetter
from typing import NamedTuple

from quant_trading_system.core.clock import Clock
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.core.orders import Order
from quant_trading_system.market.sessions import Calendar
from quant_trading_system.risk.usual_sizes import UsualSizes

MINUTE_S = 60.0
"""Length of the window that the limits by the minute speak of, seconds."""

_FULL_HOUR_S = 60 * MINUTE_S
_MICROSECOND = timedelta(microseconds=1)

Content = tuple[object, ...]


class Left(NamedTuple):
    """What has left, as the checks read it.

    Attributes:
        orders, notional: new orders and changes of the last minute, and what they add up to in dollars.
        replaces: changes among them; `messages`: all requests of the last minute, cancels included.
        day_orders, day_notional: orders and dollars of the exchange's day.
        symbol_shares: shares of all orders of this symbol on the exchange's day.
        repeats: orders of this strategy, symbol and side within the window that took risk.
        strategy_orders: orders and changes of this strategy on the exchange's day.
        usual: dollars of its usual order; None while that is not kept or there were too few.
        disarmed: why the strategy may take no more risk, empty while it may.
    """

    orders: int
    notional: Decimal
    replaces: int
    messages: int
    day_orders: int
    day_notional: Decimal
    symbol_shares: Decimal
    repeats: int
    disarmed: str
    strategy_orders: int = 0
    usual: Decimal | None = None


class LeftInAll(NamedTuple):
    """What has left, whoever sent it, for a look from outside; names as in `Left`.

    Attributes:
        day_shares: of all orders of the day by symbol; `by_strategy`: orders and changes of the day.
        repeats: of the intent that left most often within the window, and whose it is: strategy, symbol and side.
    """

    orders: int
    notional: Decimal
    replaces: int
    messages: int
    day_orders: int
    day_notional: Decimal
    day_shares: Mapping[str, Decimal]
    by_strategy: Mapping[str, int]
    repeats: int
    busiest: str


class Past(NamedTuple):
    """One request of an earlier process: when it left, and the order with dollars and shares unless it was a cancel."""

    at: datetime
    order: Order | None = None
    value: Decimal = ZERO
    shares: Decimal = ZERO
    is_replace: bool = False
    takes_risk: bool = True


class Traffic:
    """Counts what leaves. It is read and written under the lock of the portfolio.

    Attributes:
        disarmed: strategies that were stopped as runaways, and why; only a person arms them again.
        usual: sizes of the latest orders; None while nobody asks about them.
    """

    def __init__(self, clock: Clock, calendar: Calendar, repeat_window_s: Decimal) -> None:
        """Begin with nothing counted.

        Args:
            repeat_window_s: how long an order counts among the repeats, seconds.
        """
        self.disarmed: dict[str, str] = {}
        self.usual: UsualSizes | None = None
        self._clock = clock
        self._calendar = calendar
        self._start = (clock.now(), clock.monotonic())
        self._orders = _Window(MINUTE_S)
        self._replaces = _Window(MINUTE_S)
        self._messages = _Window(MINUTE_S)
        self._repeats = _Repeats(float(repeat_window_s))
        self._day = date.min
        self._same_day_until = float("-inf")
        self._day_orders = 0
        self._day_notional = ZERO
        self._day_shares: dict[str, Decimal] = {}
        self._day_by_strategy: dict[str, int] = {}

    def look_back(self, repeat_window_s: Decimal, *, keep_sizes: bool = False) -> None:
        """Count repeats over another window from now on; what a shorter one has forgotten stays forgotten.

        Args:
            keep_sizes: remember what orders are usually worth.
        """
        self._repeats.span = float(repeat_window_s)
        self.usual = (self.usual or UsualSizes()) if keep_sizes else None

    def seen(self, order: Order) -> Left:
        """The counts before `order` leaves.

        Raises:
            MarketDataError: the calendar does not know which day it is.
        """
        now = self._clock.monotonic()
        self._turn_day(now)
        orders = self._orders.at(now)
        return Left(
            orders.count,
            orders.total,
            self._replaces.at(now).count,
            self._messages.at(now).count,
            self._day_orders,
            self._day_notional,
            self._day_shares.get(order.symbol, ZERO),
            self._repeats.count(now, _intent(order)),
            self.disarmed.get(order.strategy, ""),
            self._day_by_strategy.get(order.strategy, 0),
            None if self.usual is None else self.usual.of(order.strategy),
        )

    def in_all(self) -> LeftInAll:
        """The counts of now.

        Raises:
            MarketDataError: as `seen`.
        """
        now = self._clock.monotonic()
        self._turn_day(now)
        orders = self._orders.at(now)
        repeats, busiest = self._repeats.most(now)
        return LeftInAll(
            orders.count,
            orders.total,
            self._replaces.at(now).count,
            self._messages.at(now).count,
            self._day_orders,
            self._day_notional,
            dict(self._day_shares),
            dict(self._day_by_strategy),
            repeats,
            " ".join(map(str, filter(None, busiest))),
        )

    def sent(self, order: Order, value: Decimal, shares: Decimal, *, is_replace: bool, takes_risk: bool) -> None:
        """Count an order that leaves now; `value` in dollars."""
        now = self._clock.monotonic()
        self._turn_day(now)
        self._count(now, order, value, is_replace=is_replace, takes_risk=takes_risk)
        self._count_day(order, value, shares)

    def cancel_asked(self) -> None:
        """Count a request to cancel; asks nothing of anybody, so that a cancel cannot fail here."""
        self._messages.add(self._clock.monotonic())

    def disarm(self, strategy: str, why: str) -> None:
        """From now on only ways out of `strategy` pass."""
        self.disarmed[strategy] = why

    def rearm(self, strategy: str | None = None) -> None:
        """A person answers for going on: the strategy, or every one, may take risk again."""
        if strategy is None:
            self.disarmed.clear()
        else:
            self.disarmed.pop(strategy, None)
        self._repeats.forget(strategy)

    def recall(self, past: Iterable[Past], disarmed: dict[str, str]) -> None:
        """Take up the counts of an earlier process; a restart forgives nothing.

        Args:
            past: requests of this day and of the last minute, oldest first; older ones are left out by themselves.
        """
        self.disarmed.update(disarmed)
        now, wall = self._clock.monotonic(), self._clock.now()
        self._turn_day(now)
        for request in past:
            left_at = now - max((wall - request.at).total_seconds(), 0.0)
            if request.order is None:
                self._messages.add(left_at)
                continue
            self._count(
                left_at, request.order, request.value, is_replace=request.is_replace, takes_risk=request.takes_risk
            )
            if self._calendar.trade_date(request.at) >= self._day:
                self._count_day(request.order, request.value, request.shares)

    def copy(self) -> Traffic:
        """Counts that go on from here by themselves."""
        other = copy(self)
        other.disarmed, other.usual = dict(self.disarmed), deepcopy(self.usual)
        other._orders, other._replaces = self._orders.copy(), self._replaces.copy()
        other._messages, other._repeats = self._messages.copy(), self._repeats.copy()
        other._day_shares, other._day_by_strategy = dict(self._day_shares), dict(self._day_by_strategy)
        return other

    def _count(self, at: float, order: Order, value: Decimal, *, is_replace: bool, takes_risk: bool) -> None:
        self._orders.add(at, value)
        self._messages.add(at)
        if is_replace:
            self._replaces.add(at)
        if takes_risk:
            self._repeats.add(at, _intent(order))
            if self.usual is not None:
                self.usual.add(order.strategy, value)

    def _count_day(self, order: Order, value: Decimal, shares: Decimal) -> None:
        symbol, strategy = order.symbol, order.strategy
        self._day_orders += 1
        self._day_notional += value
        self._day_by_strategy[strategy] = self._day_by_strategy.get(strategy, 0) + 1
        self._day_shares[symbol] = self._day_shares.get(symbol, ZERO) + shares

    def _turn_day(self, now: float) -> None:
        """Look at the calendar once an hour: its days change on full hours only."""
        if now < self._same_day_until:
            return
        began, mark = self._start
        moment = (began + timedelta(seconds=now - mark)).astimezone(UTC)
        day = self._calendar.trade_date(moment)
        into_hour = moment.minute * 60 + moment.second + moment.microsecond / 1_000_000
        self._same_day_until = now + _FULL_HOUR_S - into_hour
        if day > self._day:
            self._day, self._day_orders, self._day_notional = day, 0, ZERO
            self._day_shares.clear()
            self._day_by_strategy.clear()


class RecentOrders:
    """When identical orders left, for as long as the window lasts."""

    def __init__(self) -> None:
        self._last: dict[str, dict[Content, datetime]] = {}
        self._order: deque[tuple[datetime, str, Content]] = deque()

    def remember(self, order: Order, now: datetime) -> None:
        """Note that `order` leaves at `now`."""
        content = _content(order)
        self._last.setdefault(order.symbol, {})[content] = now
        self._order.append((now, order.symbol, content))

    def age(self, order: Order, now: datetime, window: timedelta) -> Decimal | None:
        """Seconds since an identical order left, None when there was none within the window."""
        oldest = now - window
        while self._order and self._order[0][0] <= oldest:
            self._forget(*self._order.popleft())
        of_symbol = self._last.get(order.symbol)
        sent = None if of_symbol is None else of_symbol.get(_content(order))
        return None if sent is None else Decimal((now - sent) // _MICROSECOND).scaleb(-6)

    def copy(self) -> RecentOrders:
        """Notes that go on from here by themselves."""
        other = RecentOrders()
        other._last = {symbol: dict(contents) for symbol, contents in self._last.items()}
        other._order = self._order.copy()
        return other

    def _forget(self, moment: datetime, symbol: str, content: Content) -> None:
        of_symbol = self._last.get(symbol, {})
        if of_symbol.get(content) == moment:  # of two that left at one moment the first takes the note along
            del of_symbol[content]
            if not of_symbol:
                del self._last[symbol]


class _Window:
    """What happened within the last `span` seconds: how often, and what it adds up to."""

    __slots__ = ("_events", "_span", "count", "total")

    def __init__(self, span: float) -> None:
        self.count = 0
        self.total = ZERO
        self._span = span
        self._events: deque[tuple[float, Decimal]] = deque()

    def add(self, at: float, amount: Decimal = ZERO) -> None:
        self._events.append((at, amount))
        self.count += 1
        self.total += amount
        self.at(at)  # what nobody asks about must not pile up

    def copy(self) -> _Window:
        other = _Window(self._span)
        other.count, other.total, other._events = self.count, self.total, self._events.copy()
        return other

    def at(self, now: float) -> _Window:
        """Itself, without what is older than the span."""
        events, oldest = self._events, now - self._span
        while events and events[0][0] <= oldest:
            self.count -= 1
            self.total -= events.popleft()[1]
        return self


class _Repeats:
    """How often the same intent has left within the window."""

    __slots__ = ("_counts", "_events", "span")

    def __init__(self, span: float) -> None:
        self.span = span
        self._events: deque[tuple[float, Content]] = deque()
        self._counts: dict[Content, int] = {}

    def add(self, at: float, intent: Content) -> None:
        self._events.append((at, intent))
        self._counts[intent] = self._counts.get(intent, 0) + 1

    def count(self, now: float, intent: Content) -> int:
        self._drop_old(now)
        return self._counts.get(intent, 0)

    def most(self, now: float) -> tuple[int, Content]:
        """The highest count, and whose it is."""
        self._drop_old(now)
        return max(((count, intent) for intent, count in self._counts.items()), key=itemgetter(0), default=(0, ()))

    def _drop_old(self, now: float) -> None:
        events, counts, oldest = self._events, self._counts, now - self.span
        while events and events[0][0] <= oldest:
            old = events.popleft()[1]
            if counts[old] == 1:
                del counts[old]
            else:
                counts[old] -= 1

    def copy(self) -> _Repeats:
        other = _Repeats(self.span)
        other._events, other._counts = self._events.copy(), dict(self._counts)
        return other

    def forget(self, strategy: str | None) -> None:
        """Those of a strategy, or all."""
        kept = [event for event in self._events if strategy is not None and event[1][0] != strategy]
        self._events = deque(kept)
        self._counts = Counter(intent for _, intent in kept)


def _intent(order: Order) -> Content:
    return order.strategy, order.symbol, order.side


def _content(order: Order) -> Content:
    return (
        order.side,
        order.quantity,
        order.notional,
        order.order_type,
        order.limit_price,
        order.stop_price,
        order.strategy,
    )
