"""What the fills of the last days mean for the next order: cash that has not settled, day trades, today's results.

Days are the exchange's. Memory holds the days of one window, and of each day what it brought by symbol and strategy;
besides, the latest fills, for they are added up only when somebody asks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from datetime import date, datetime, timedelta
from decimal import Decimal
from threading import Lock

from quant_trading_system.core.clock import Clock
from quant_trading_system.core.events import AnyEvent, FillCorrected, FillEvent
from quant_trading_system.core.exceptions import MarketDataError
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.market.sessions import Calendar

WINDOW = 5
"""Sessions over which day trades are counted, today included."""
_MOST_WAITING = 4_000
"""So many fills wait to be added up; then the oldest are, or are dropped when no window reaches back to them."""
_LONGEST_WINDOW = timedelta(days=11)
"""`WINDOW` sessions never span more days than this."""
_BUY = OrderSide.BUY
_ONE_DAY, _ONE_HOUR = timedelta(days=1), timedelta(hours=1)
_MONDAY, _OCTOBER, _VETERANS_DAY = 0, 10, (11, 11)


class _Day:
    """What one day brought."""

    __slots__ = ("closed", "opened", "proceeds", "realized")

    def __init__(self) -> None:
        self.proceeds = ZERO
        self.closed = 0
        self.opened: set[str] = set()
        self.realized: dict[str, Decimal] = {}


class FillHistory:
    """Takes in every fill, in the order of the journal."""

    def __init__(self, calendar: Calendar, clock: Clock) -> None:
        """Begin without any."""
        self._calendar = calendar
        self._clock = clock
        self._days: dict[date, _Day] = {}
        self._known: tuple[datetime, datetime, date] | None = None
        self._waiting: deque[FillEvent | FillCorrected] = deque()
        self._one_adds = Lock()

    def recall(self, fills: Iterable[FillEvent | FillCorrected]) -> None:
        """Take in fills of an earlier process, oldest first."""
        for fill in fills:
            self.take(fill)

    def take(self, event: AnyEvent) -> None:
        """A fill was booked; any other event changes nothing."""
        if type(event) is FillEvent or type(event) is FillCorrected:
            self._waiting.append(event)
            if len(self._waiting) > _MOST_WAITING:
                self._make_room()

    def _make_room(self) -> None:
        oldest = self._clock.now() - _LONGEST_WINDOW
        with self._one_adds:
            while self._waiting and self._waiting[0].at < oldest:
                self._waiting.popleft()
            if len(self._waiting) > _MOST_WAITING:
                self._add(self._waiting.popleft())

    def _catch_up(self) -> None:
        """Add up all fills."""
        if self._waiting:
            with self._one_adds:
                while self._waiting:
                    self._add(self._waiting.popleft())

    def _add(self, event: FillEvent | FillCorrected) -> None:
        try:
            if isinstance(event, FillEvent):
                self._fill(event)
            else:
                self._correct(event)
        except MarketDataError:
            return  # a day before the calendar begins is before every window

    @property
    def unsettled(self) -> Decimal:
        """Dollars of sales whose day of settlement is still to come."""
        self._catch_up()
        today = self._date(self._clock.now())
        return sum(
            (day.proceeds for at, day in self._days.items() if settlement_date(at, self._calendar) > today), ZERO
        )

    def day_trades(self, symbol: str = "") -> int:
        """Positions opened and closed on one day within `WINDOW`, if all of today and one of `symbol` close today."""
        self._catch_up()
        first = today = self._date(self._clock.now())
        with suppress(MarketDataError):  # before the calendar begins there was nothing
            for _ in range(WINDOW - 1):
                first = self._calendar.previous_session(first).date
        closed = sum(day.closed for at, day in self._days.items() if at >= first)
        opened = self._days[today].opened if today in self._days else frozenset()
        return closed + len(opened | {symbol} if symbol else opened)

    def realized_today(self, strategy: str) -> Decimal:
        """Dollars gained today in what was closed, less fees."""
        self._catch_up()
        day = self._days.get(self._date(self._clock.now()))
        return ZERO if day is None else day.realized.get(strategy, ZERO)

    def _fill(self, fill: FillEvent) -> None:
        day, after, buys = self._day(fill.at), fill.position_quantity, fill.side is _BUY
        before = after - fill.quantity if buys else after + fill.quantity
        if not buys:
            day.proceeds += fill.quantity * fill.price - fill.fee
        if fill.realized_pnl or fill.fee:
            day.realized[fill.strategy] = day.realized.get(fill.strategy, ZERO) + fill.realized_pnl - fill.fee
        adds = not before or (before > ZERO) is buys
        if not adds and fill.symbol in day.opened:
            day.closed += 1
            day.opened.discard(fill.symbol)
        if adds or (after and (after > ZERO) is buys):
            day.opened.add(fill.symbol)

    def _correct(self, fill: FillCorrected) -> None:
        """What a correction adds to a sale is unsettled; what it takes away stays so until the end of its day."""
        day = self._day(fill.at)
        if fill.was.quantity <= 0 and fill.now.quantity <= 0:
            more = fill.quantity * fill.price - fill.was_quantity * fill.was_price
            day.proceeds += max(more, ZERO)
        change = fill.realized_pnl - fill.fee + fill.was_fee
        day.realized[fill.strategy] = day.realized.get(fill.strategy, ZERO) + change

    def _day(self, moment: datetime) -> _Day:
        on = self._date(moment)
        day = self._days.get(on)
        if day is None:
            day = self._days[on] = _Day()
            while len(self._days) > WINDOW + 1:
                del self._days[min(self._days)]
        return day

    def _date(self, moment: datetime) -> date:
        """The exchange's day, which changes on full hours only."""
        if self._known is None or not self._known[0] <= moment < self._known[1]:
            hour = moment.replace(minute=0, second=0, microsecond=0)
            self._known = hour, hour + _ONE_HOUR, self._calendar.trade_date(moment)
        return self._known[2]


def settlement_date(traded: date, calendar: Calendar) -> date:
    """The day on which a trade of `traded` settles: the next session on which banks are open, too.

    Source: SEC Rule 15c6-1; on Columbus Day and Veterans Day the exchange is open and the Federal Reserve is closed.
    """
    day = traded + _ONE_DAY
    while calendar.session_on(day) is None or _banks_are_closed(day):
        day += _ONE_DAY
    return day


def _banks_are_closed(day: date) -> bool:
    is_columbus_day = day.month == _OCTOBER and day.weekday() == _MONDAY and (day.day - 1) // 7 == 1
    return is_columbus_day or (day.month, day.day) == _VETERANS_DAY
