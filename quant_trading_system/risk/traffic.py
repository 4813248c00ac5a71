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

Content = tuple[object, ...]


class LeftInAll(NamedTuple):
    """What has left, whoever sent it, for a look from outside; names as in `Traffic`.

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
        minute: what left within the last minute, and `day_orders`, `day_notional` (dollars) on the exchange's day, as
            of the last `look`.
        disarmed: strategies that were stopped as runaways, and why; only a person arms them again.
        usual: sizes of the latest orders; None while nobody asks about them.
    """

    def __init__(self, clock: Clock, calendar: Calendar, repeat_window_s: Decimal) -> None:
        """Begin with nothing counted.

        Args:
            repeat_window_s: how long an order counts among the repeats, seconds.
        """
        self.minute = _Minute()
        self.day_orders = 0
        self.day_notional = ZERO
        self.disarmed: dict[str, str] = {}
        self.usual: UsualSizes | None = None
        self._clock = clock
        self._calendar = calendar
        self._start = (clock.now(), clock.monotonic())
        self._repeats = _Repeats(float(repeat_window_s))
        self._day = date.min
        self._same_day_until = float("-inf")
        self._day_shares: dict[str, Decimal] = {}
        self._day_by_strategy: dict[str, int] = {}

    def look_back(self, repeat_window_s: Decimal, *, keep_sizes: bool = False) -> None:
        """Count repeats over another window from now on; what a shorter one has forgotten stays forgotten.

        Args:
            keep_sizes: remember what orders are usually worth.
        """
        self._repeats.span = float(repeat_window_s)
        self.usual = (self.usual or UsualSizes()) if keep_sizes else None

    def look(self) -> None:
        """Bring the counts up to now: forget what is too old, and the day before.

        Raises:
            MarketDataError: the calendar does not know which day it is.
        """
        now = self._clock.monotonic()
        if now >= self._same_day_until:
            self._turn_day(now)
        self.minute.drop_old(now)
        self._repeats.drop_old(now)

    def repeats_of(self, order: Order) -> int:
        """Orders of this strategy, symbol and side within the window that took risk."""
        return self._repeats.counts.get((order.strategy, order.symbol, order.side), 0)

    def shares_of(self, symbol: str) -> Decimal:
        """Shares of all orders of the symbol on the exchange's day."""
        return self._day_shares.get(symbol, ZERO)

    def orders_of(self, strategy: str) -> int:
        """Orders and changes of the strategy on the exchange's day."""
        return self._day_by_strategy.get(strategy, 0)

    def usual_of(self, strategy: str) -> Decimal | None:
        """Dollars of its usual order; None while that is not kept or there were too few."""
        return None if self.usual is None else self.usual.of(strategy)

    def in_all(self) -> LeftInAll:
        """The counts of now.

        Raises:
            MarketDataError: as `look`.
        """
        self.look()
        minute = self.minute
        repeats, busiest = self._repeats.most()
        return LeftInAll(
            minute.orders,
            minute.notional,
            minute.replaces,
            minute.messages,
            self.day_orders,
            self.day_notional,
            dict(self._day_shares),
            dict(self._day_by_strategy),
            repeats,
            " ".join(map(str, filter(None, busiest))),
        )

    def sent(self, order: Order, value: Decimal, shares: Decimal, *, is_replace: bool, takes_risk: bool) -> None:
        """Count an order that leaves now; `value` in dollars."""
        now = self._clock.monotonic()
        if now >= self._same_day_until:
            self._turn_day(now)
        self._count(now, order, value, is_replace, takes_risk)
        self._count_day(order, value, shares)

    def cancel_asked(self) -> None:
        """Count a request to cancel; asks nothing of anybody, so that a cancel cannot fail here."""
        self.minute.cancel(self._clock.monotonic())

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
                self.minute.cancel(left_at)
                continue
            self._count(left_at, request.order, request.value, request.is_replace, request.takes_risk)
            if self._calendar.trade_date(request.at) >= self._day:
                self._count_day(request.order, request.value, request.shares)

    def copy(self) -> Traffic:
        """Counts that go on from here by themselves."""
        other = copy(self)
        other.disarmed, other.usual = dict(self.disarmed), deepcopy(self.usual)
        other.minute, other._repeats = self.minute.copy(), self._repeats.copy()
        other._day_shares, other._day_by_strategy = dict(self._day_shares), dict(self._day_by_strategy)
        return other

    def _count(self, at: float, order: Order, value: Decimal, is_replace: bool, takes_risk: bool) -> None:
        self.minute.order(at, value, is_replace)
        if takes_risk:
            self._repeats.add(at, (order.strategy, order.symbol, order.side))
            if self.usual is not None:
                self.usual.add(order.strategy, value)

    def _count_day(self, order: Order, value: Decimal, shares: Decimal) -> None:
        symbol, strategy = order.symbol, order.strategy
        self.day_orders += 1
        self.day_notional += value
        self._day_by_strategy[strategy] = self._day_by_strategy.get(strategy, 0) + 1
        self._day_shares[symbol] = self._day_shares.get(symbol, ZERO) + shares

    def _turn_day(self, now: float) -> None:
        """Look at the calendar, once an hour: its days change on full hours only."""
        began, mark = self._start
        moment = (began + timedelta(seconds=now - mark)).astimezone(UTC)
        day = self._calendar.trade_date(moment)
        into_hour = moment.minute * 60 + moment.second + moment.microsecond / 1_000_000
        self._same_day_until = now + _FULL_HOUR_S - into_hour
        if day > self._day:
            self._day, self.day_orders, self.day_notional = day, 0, ZERO
            self._day_shares.clear()
            self._day_by_strategy.clear()


class RecentOrders:
    """Which orders left within the window in which an identical one is taken for a mistake.

    Orders are told apart by their content only once somebody asks; one that nobody asks about is never looked at. The
    window is measured on the monotonic clock: a wall clock that is set back must not refuse an exit for an hour.
    """

    def __init__(self, clock: Clock, window_s: Decimal) -> None:
        """Begin with none.

        Args:
            window_s: length of the window, seconds.
        """
        self._clock = clock
        self._fresh: deque[tuple[float, Order]] = deque()
        self._told_apart: deque[tuple[float, Content]] = deque()
        self._last: dict[Content, float] = {}
        self.look_back(window_s)

    def look_back(self, window_s: Decimal) -> None:
        """Remember over another window from now on; what a shorter one has forgotten stays forgotten."""
        self._window = float(window_s)

    def remember(self, order: Order) -> None:
        """Note that `order` leaves now."""
        now = self._clock.monotonic()
        self._fresh.append((now, order))
        self._forget(now)

    def age(self, order: Order) -> Decimal | None:
        """Seconds since an identical order left, None when there was none within the window."""
        now = self._clock.monotonic()
        self._forget(now)
        while self._fresh:
            moment, other = self._fresh.popleft()
            content = _content(other)
            self._told_apart.append((moment, content))
            self._last[content] = moment
        sent = self._last.get(_content(order)) if self._last else None
        return None if sent is None else Decimal(round((now - sent) * 1_000_000)).scaleb(-6)

    def copy(self) -> RecentOrders:
        """Notes that go on from here by themselves."""
        other = copy(self)
        other._fresh, other._told_apart, other._last = self._fresh.copy(), self._told_apart.copy(), self._last.copy()
        return other

    def _forget(self, now: float) -> None:
        """Let go of what is older than the window."""
        fresh, told_apart, oldest = self._fresh, self._told_apart, _ago(now, self._window)
        while told_apart and told_apart[0][0] <= oldest:
            moment, content = told_apart.popleft()
            if self._last.get(content) == moment:  # of two that left at one moment the first takes the note along
                del self._last[content]
        while fresh and fresh[0][0] <= oldest:
            fresh.popleft()


class _Minute:
    """What left within the last minute.

    Attributes:
        orders, notional: new orders and changes, and what they add up to in dollars.
        replaces: changes among them; `messages`: all requests, cancels included.
    """

    __slots__ = ("_requests", "messages", "notional", "orders", "replaces")

    def __init__(self) -> None:
        self.orders = self.replaces = self.messages = 0
        self.notional = ZERO
        self._requests: deque[tuple[float, Decimal | None, bool]] = deque()

    def order(self, at: float, value: Decimal, is_replace: bool) -> None:
        """A new order or a change leaves; `value` in dollars."""
        self._requests.append((at, value, is_replace))
        self.messages += 1
        self.orders += 1
        self.replaces += is_replace
        self.notional += value
        if self._requests[0][0] <= at - MINUTE_S:  # what nobody asks about must not pile up
            self.drop_old(at)

    def cancel(self, at: float) -> None:
        """A request to cancel leaves."""
        self._requests.append((at, None, False))
        self.messages += 1
        if self._requests[0][0] <= at - MINUTE_S:
            self.drop_old(at)

    def drop_old(self, now: float) -> None:
        """Forget what is older than a minute."""
        requests, oldest = self._requests, _ago(now, MINUTE_S)
        while requests and requests[0][0] <= oldest:
            _, value, is_replace = requests.popleft()
            self.messages -= 1
            if value is not None:
                self.orders -= 1
                self.replaces -= is_replace
                self.notional -= value

    def copy(self) -> _Minute:
        other = copy(self)
        other._requests = self._requests.copy()
        return other


class _Repeats:
    """How often the same intent has left within the window."""

    __slots__ = ("_events", "counts", "span")

    def __init__(self, span: float) -> None:
        self.span = span
        self._events: deque[tuple[float, Content]] = deque()
        self.counts: dict[Content, int] = {}

    def add(self, at: float, intent: Content) -> None:
        self._events.append((at, intent))
        self.counts[intent] = self.counts.get(intent, 0) + 1

    def most(self) -> tuple[int, Content]:
        """The highest count, and whose it is."""
        return max(((count, intent) for intent, count in self.counts.items()), key=itemgetter(0), default=(0, ()))

    def drop_old(self, now: float) -> None:
        events, counts, oldest = self._events, self.counts, _ago(now, self.span)
        while events and events[0][0] <= oldest:
            old = events.popleft()[1]
            if counts[old] == 1:
                del counts[old]
            else:
                counts[old] -= 1

    def copy(self) -> _Repeats:
        other = _Repeats(self.span)
        other._events, other.counts = self._events.copy(), dict(self.counts)
        return other

    def forget(self, strategy: str | None) -> None:
        """Those of a strategy, or all."""
        kept = [event for event in self._events if strategy is not None and event[1][0] != strategy]
        self._events = deque(kept)
        self.counts = Counter(intent for _, intent in kept)


def _ago(now: float, span: float) -> float:
    """The moment `span` seconds before `now`, to the microsecond: the difference of two floats may be off by less."""
    return round(now - span, 6)


def _content(order: Order) -> Content:
    return (
        order.symbol,
        order.side,
        order.quantity,
        order.notional,
        order.order_type,
        order.limit_price,
        order.stop_price,
        order.strategy,
    )
