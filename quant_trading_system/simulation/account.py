"""The customer's account at the venue: what is held, what it is worth, what may still be bought."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple, Protocol

import msgspec

from quant_trading_system.market.quotes import QuoteSource
from quant_trading_system.market.sessions import Calendar
from quant_trading_system.simulation.account_rules import (
    AccountConfiguration,
    AccountRules,
    initial_margin,
    maintenance_margin,
)
from quant_trading_system.simulation.books import UNIT, Books, Holding, decimal_of, dollars, units

_ZERO = Decimal(0)
_RATIO = Decimal("1E-10")
_AT_MOST = {times: int(times) * UNIT for times in ("1", "2", "4")}


class Market(QuoteSource, Protocol):
    """Prices that the venue may look up by itself."""

    def last_price(self, symbol: str) -> Decimal:
        """Dollars a share of the last trade."""

    def volume(self, symbol: str) -> Decimal | None:
        """Shares that trade in the present step, None when unknown."""


PreviousClose = Callable[[str], Decimal | None]
"""Dollars a share at the close of the session before, None when nobody knows."""


class VenuePosition(msgspec.Struct, frozen=True, kw_only=True):
    """What is held of one symbol; `quantity` is negative when short, prices are dollars a share.

    Attributes:
        average_price: weighted during the day; at its end reckoned anew from the lots that are left, oldest first.
        available_quantity: what no open order has promised.
        cost_basis, market_value: dollars, negative when short.
        profit, profit_today: dollars not realised; today's against the last close for what was held overnight.
        basis_today: dollars that today's profit is a fraction of.
        last_close: None when it is not known.
    """

    symbol: str
    quantity: Decimal
    average_price: Decimal
    last_price: Decimal
    available_quantity: Decimal
    cost_basis: Decimal
    market_value: Decimal
    profit: Decimal
    profit_today: Decimal
    basis_today: Decimal
    last_close: Decimal | None

    @property
    def profit_fraction(self) -> Decimal:
        """Profit as a fraction of what was paid, to ten decimals."""
        return _fraction(self.profit, self.cost_basis)

    @property
    def profit_fraction_today(self) -> Decimal:
        """Today's profit as a fraction of its basis, to ten decimals."""
        return _fraction(self.profit_today, self.basis_today)

    @property
    def change_today(self) -> Decimal:
        """How much the price has moved since the last close, as a fraction to ten decimals; 0 when unknown."""
        return _ZERO if self.last_close is None else _fraction(self.last_price - self.last_close, self.last_close)


def _fraction(part: Decimal, whole: Decimal) -> Decimal:
    return (part / abs(whole)).quantize(_RATIO) if whole else _ZERO


class VenueAccount(msgspec.Struct, frozen=True, kw_only=True):
    """The account in dollars.

    Attributes:
        buying_power: what opening orders may still use: multiplier times equity, less the size of all
            positions and what open orders hold back.
        regt_buying_power: the same for positions that are kept overnight.
        cash_available: cash that no open order holds back, at least 0.
        short_value: value of the short positions, at most 0.
        fees: charged since the beginning.
        last_equity, last_maintenance_margin: at the last close, of the day `balance_date`.
    """

    account_id: str
    cash: Decimal
    equity: Decimal
    buying_power: Decimal
    long_value: Decimal
    short_value: Decimal
    fees: Decimal
    regt_buying_power: Decimal
    cash_available: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal
    last_equity: Decimal
    last_maintenance_margin: Decimal
    balance_date: date | None
    multiplier: int
    shorting_enabled: bool


class EquityPoint(NamedTuple):
    """What the account was worth at one moment, dollars."""

    at: datetime
    equity: Decimal


class DayEnd(msgspec.Struct, frozen=True, kw_only=True):
    """The account at a close: money, and the prices in dollars a share."""

    date: date | None
    equity: int
    maintenance_margin: int
    prices: dict[str, Decimal]


class AccountState(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about the account but its books."""

    configuration: AccountConfiguration
    trade_date: date | None
    closed: DayEnd | None
    last: DayEnd
    history: list[tuple[datetime, int]]


class Account:
    """Books with a valuation.

    Attributes:
        configuration: what the customer has set.
    """

    def __init__(
        self,
        account_id: str,
        cash: Decimal,
        multiplier: Decimal,
        market: Market | None,
        *,
        rules: AccountRules,
        allow_short: bool,
        previous_close: PreviousClose | None,
    ) -> None:
        self.books = Books(cash)
        self.configuration = AccountConfiguration()
        self._account_id = account_id
        self._multiplier = units(multiplier)
        self._market = market
        self._rules = rules
        self._allow_short = allow_short
        self._previous_close = previous_close
        self._margin_equity = units(rules.margin_equity) * UNIT
        self._trade_date: date | None = None
        self._closed: DayEnd | None = None
        self._last = DayEnd(date=None, equity=self.books.equity, maintenance_margin=0, prices={})
        self._history: list[tuple[datetime, int]] = []

    def mark_all(self) -> None:
        """Value everything that is held at the market's last prices."""
        if self._market is not None:
            for symbol in self.books.holdings():
                self.books.mark(symbol, self._market.last_price(symbol))

    @property
    def multiplier(self) -> int:
        """How many times its equity the account may hold, in billionths."""
        return self._multiplier_of(self.books.equity)

    def _multiplier_of(self, equity: int) -> int:
        if equity < self._margin_equity:
            return min(self._multiplier, UNIT)
        return min(self._multiplier, _AT_MOST[self.configuration.max_margin_multiplier])

    @property
    def may_short(self) -> bool:
        """Short positions may be opened."""
        allowed = self._allow_short and not self.configuration.no_shorting
        return allowed and self.books.equity >= self._margin_equity

    def buying_power(self, reserved: int) -> int:
        """Money for opening orders, at the marks as they are, when open orders hold back `reserved`."""
        books = self.books
        equity = books.equity
        return max(equity * self._multiplier_of(equity) // UNIT - books.gross_value - reserved, 0)

    # -- days -----------------------------------------------------------------------------------------------------

    def trade_date(self, at: datetime, calendar: Calendar) -> date:
        """The day that a trade belongs to."""
        if self._trade_date is None:
            self._trade_date = calendar.trade_date(at)
        return self._trade_date

    def begin_day(self, day: date) -> None:
        """A session opens."""
        self.end_day()
        self._trade_date = day

    def close_day(self, at: datetime, prices: Mapping[str, Decimal]) -> None:
        """A session closes: remember what everything is worth.

        Args:
            prices: dollars a share of every symbol that the venue has seen.
        """
        books = self.books
        marks = {symbol: decimal_of(holding.mark) for symbol, holding in books.holdings().items()}
        self._closed = DayEnd(
            date=self._trade_date,
            equity=books.equity,
            maintenance_margin=maintenance_margin(books),
            prices={**prices, **marks},
        )
        self._history.append((at, books.equity))

    def end_day(self) -> None:
        """The trading day is over, extended hours included; nothing happens when it is already."""
        if self._closed is not None:
            self._last, self._closed, self._trade_date = self._closed, None, None
            self.books.end_day()

    def note_equity(self, at: datetime) -> None:
        """Keep what the account is worth now."""
        self.mark_all()
        self._history.append((at, self.books.equity))

    # -- what can be read -----------------------------------------------------------------------------------------

    def equity_history(self) -> tuple[EquityPoint, ...]:
        """Every value that was kept, oldest first: at each close, and whenever somebody asked for it."""
        return tuple(EquityPoint(at, dollars(equity)) for at, equity in self._history)

    def positions(self, reserved: Callable[[str], int]) -> tuple[VenuePosition, ...]:
        """Every position that is not flat, valued anew; `reserved` tells the units of shares that are promised."""
        self.mark_all()
        return tuple(
            self._position(symbol, holding, reserved(symbol)) for symbol, holding in self.books.holdings().items()
        )

    def _position(self, symbol: str, holding: Holding, reserved: int) -> VenuePosition:
        last_close = self._last_close(symbol)
        today, basis = holding.of_today
        overnight = holding.quantity - today
        if last_close is not None:
            basis += overnight * units(last_close)
        else:
            basis = holding.cost
        free = abs(holding.quantity) - reserved
        return VenuePosition(
            symbol=symbol,
            quantity=decimal_of(holding.quantity),
            average_price=decimal_of(holding.cost // holding.quantity),
            last_price=decimal_of(holding.mark),
            available_quantity=decimal_of(free if holding.quantity > 0 else -free),
            cost_basis=dollars(holding.cost),
            market_value=dollars(holding.value),
            profit=dollars(holding.value - holding.cost),
            profit_today=dollars(holding.value - basis),
            basis_today=dollars(basis),
            last_close=last_close,
        )

    def _last_close(self, symbol: str) -> Decimal | None:
        known = self._last.prices.get(symbol)
        if known is None and self._previous_close is not None:
            return self._previous_close(symbol)
        return known

    def summary(self, reserved: int) -> VenueAccount:
        """The account as of now, valued anew, when open orders hold back `reserved`."""
        self.mark_all()
        books, last = self.books, self._last
        margin = initial_margin(books)
        return VenueAccount(
            account_id=self._account_id,
            cash=dollars(books.cash),
            equity=dollars(books.equity),
            buying_power=dollars(self.buying_power(reserved)),
            long_value=dollars(books.long_value),
            short_value=dollars(books.short_value),
            fees=dollars(books.fees),
            regt_buying_power=dollars(max((books.equity - margin) * 2 - reserved, 0)),
            cash_available=dollars(max(books.cash - reserved, 0)),
            initial_margin=dollars(margin),
            maintenance_margin=dollars(maintenance_margin(books)),
            last_equity=dollars(last.equity),
            last_maintenance_margin=dollars(last.maintenance_margin),
            balance_date=last.date,
            multiplier=self.multiplier // UNIT,
            shorting_enabled=self.may_short,
        )

    # -- keeping --------------------------------------------------------------------------------------------------

    def state(self) -> AccountState:
        """Everything but the books, to be kept."""
        return AccountState(
            configuration=self.configuration,
            trade_date=self._trade_date,
            closed=self._closed,
            last=self._last,
            history=self._history,
        )

    def restore(self, state: AccountState) -> None:
        """Be as it was."""
        self.configuration = state.configuration
        self._trade_date, self._closed, self._last = state.trade_date, state.closed, state.last
        self._history = list(state.history)
