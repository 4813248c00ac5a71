"""What the account holds and what it has promised: the one shared state that orders are judged against.

Positions, cash, marks and the room taken by open orders live together under one lock, so that checking a
limit and taking the room is one step. Open, in-flight and in-doubt orders count in full, worst case per
side: every order of one side fills and none of the other. All totals are kept up to date by differences;
nothing here scans what grows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from threading import RLock
from types import MappingProxyType

from quant_trading_system.core.instruments import UNKNOWN_SECTOR
from quant_trading_system.core.numbers import LEDGER, ZERO, tidy
from quant_trading_system.core.orders import Order
from quant_trading_system.core.positions import Applied, Position, Restated, RoundTrips, Trade
from quant_trading_system.risk.bets import Bets
from quant_trading_system.risk.holding import Holding, Reservation

_add, _subtract, _multiply = LEDGER.add, LEDGER.subtract, LEDGER.multiply


class Portfolio:
    """Cash, positions and reservations of one account.

    Attributes:
        lock: taken by whoever must check and act in one step.
        cash: dollars.
        day_start_equity, week_start_equity, month_start_equity, peak_equity: what losses are measured from; flows are
            neutral.
        flows: deposits less withdrawals since this process began, dollars.
        closing_equity: of the last close, from which the next day counts; None while a day is running.
        gross_worst, sector_worst: worst-case exposure in dollars, in total and by sector.
        buying, selling: dollars of all open orders of a side; `open_orders`: how many there are.
        worst_squares: worst-case values squared and added up, in dollars squared; kept while `keeps_squares`.
        trips: the results of closed positions.
        bets: which way each symbol is held or being opened; `open_symbols`: those symbols.
        unmarked: held without a price so far, so that equity is not known.
    """

    def __init__(self, cash: Decimal, sectors: Mapping[str, str] = MappingProxyType({})) -> None:
        self.lock = RLock()
        self.cash = cash
        self.day_start_equity = self.week_start_equity = self.month_start_equity = self.peak_equity = cash
        self.flows = ZERO
        self.closing_equity: Decimal | None = None
        self.losing_streak = 0
        self.market_value = ZERO
        self.gross_worst = ZERO
        self.sector_worst: dict[str, Decimal] = {}
        self.buying = self.selling = ZERO
        self.open_orders = 0
        self.keeps_squares = False
        self.worst_squares = ZERO
        self.bets = Bets()
        self.open_symbols = self.bets.symbols
        self.unmarked: set[str] = set()
        self.fees = ZERO
        self.trips = RoundTrips()
        self._sectors = sectors
        self._holdings: dict[str, Holding] = {}

    @property
    def equity(self) -> Decimal:
        """Cash plus positions at their marks, dollars."""
        return self.cash + self.market_value

    @property
    def daily_pnl(self) -> Decimal:
        """Dollars gained since the day opened, deposits and withdrawals excluded."""
        return self.equity - self.day_start_equity

    @property
    def drawdown(self) -> Decimal:
        """Dollars below the peak, at least 0."""
        return max(self.peak_equity - self.equity, ZERO)

    @property
    def positions(self) -> dict[str, Position]:
        """Symbol to position, flat ones left out; a copy that may be iterated while fills arrive."""
        with self.lock:
            return {symbol: held.position for symbol, held in self._holdings.items() if held.position.quantity}

    @property
    def realized_pnl(self) -> Decimal:
        """Dollars realized over all symbols, before fees."""
        with self.lock:
            return sum((held.position.realized_pnl for held in self._holdings.values()), ZERO)

    def holding(self, symbol: str) -> Holding:
        """The record of `symbol`, made on first use."""
        held = self._holdings.get(symbol)
        if held is None:
            held = self._holdings[symbol] = Holding(symbol, self._sectors.get(symbol, UNKNOWN_SECTOR))
        return held

    def peek(self, symbol: str) -> Holding:
        """The record of `symbol`, or an empty one that is not kept; for questions about symbols of any spelling."""
        return self._holdings.get(symbol) or Holding(symbol, self._sectors.get(symbol, UNKNOWN_SECTOR))

    def position(self, symbol: str) -> Position:
        """The position in `symbol`, flat if it was never traded."""
        return self.holding(symbol).position

    def reservations(self) -> Iterator[tuple[str, Reservation]]:
        """Every open order with its symbol."""
        with self.lock:
            open_orders = [(symbol, r) for symbol, held in self._holdings.items() for r in held.orders.values()]
        return iter(open_orders)

    # -- room for orders ---------------------------------------------------------------------------------------

    def reserve(
        self,
        order_id: str,
        symbol: str,
        leaves: Decimal,
        price: Decimal,
        order: Order | None = None,
        *,
        is_leg: bool = False,
        is_parent: bool = False,
    ) -> None:
        """Take the room for a new order or parent (signed shares); the caller holds `lock` since it checked."""
        held = self._holdings.get(symbol) or self.holding(symbol)
        held.take(Reservation(order_id, leaves, price, order, is_leg=is_leg, is_parent=is_parent))
        self.open_orders += not is_parent
        self._shift(held, leaves)

    def release(self, order_id: str, symbol: str) -> None:
        """Give back what the order has left; a second release changes nothing. The caller holds `lock`."""
        held = self._holdings.get(symbol) or self.holding(symbol)
        reservation = held.let_go(order_id)
        if reservation is None:
            return
        self.open_orders -= not reservation.is_parent
        leaves = reservation.leaves
        if leaves or held.orders or held.position.mark is None:  # else it was the only one, and its fills moved all
            self._shift(held, -leaves, leaves)

    def restore(
        self,
        order_id: str,
        symbol: str,
        leaves: Decimal,
        price: Decimal,
        order: Order | None = None,
        *,
        is_leg: bool = False,
    ) -> None:
        """Take room again for an order that turned out to be alive after all."""
        with self.lock:
            if order_id not in self.holding(symbol).orders:
                self.reserve(order_id, symbol, leaves, price, order, is_leg=is_leg)

    def resize(self, order_id: str, symbol: str, leaves: Decimal) -> None:
        """An open order may fill other shares (signed) than were reserved for it."""
        with self.lock:
            held = self.holding(symbol)
            reservation = held.orders.get(order_id)
            if reservation is not None and reservation.leaves != leaves:
                change, side = leaves - reservation.leaves, leaves or reservation.leaves
                reservation.leaves = leaves
                self._shift(held, change, side)

    def keep_squares(self) -> None:
        """From now on `worst_squares` is kept up to date."""
        with self.lock:
            if not self.keeps_squares:
                self.keeps_squares = True
                values = (held.worst_value for held in self._holdings.values())
                self.worst_squares = sum((value * value for value in values), ZERO)

    def freeze(self, symbol: str, why: str) -> None:
        """From now on only ways out of `symbol` pass the gate; until the account is started and reconciled anew."""
        with self.lock:
            held = self.holding(symbol)
            held.frozen = held.frozen or why

    def set_in_doubt(self, order_id: str, symbol: str, in_doubt: bool) -> None:
        """Mark that the order's fate is unknown, or known again."""
        with self.lock:
            reservation = self.holding(symbol).orders.get(order_id)
            if reservation is not None:
                reservation.in_doubt = in_doubt

    # -- what happened -----------------------------------------------------------------------------------------

    def apply_fill(
        self,
        order_id: str,
        symbol: str,
        signed_quantity: Decimal,
        price: Decimal,
        fee: Decimal,
        execution_id: str = "",
    ) -> Applied:
        """Book one execution: position, cash, fee and the room of its order, in one step. The caller holds `lock`."""
        held = self._holdings.get(symbol) or self.holding(symbol)
        position, value_before = held.position, ZERO
        if position.quantity:
            value_before = position.market_value
        if not position.quantity or position.mark is None:
            position.mark = price
            self.unmarked.discard(symbol)
        number = self.trips.next_fill()
        applied = position.apply(signed_quantity, price, fee, key=(order_id, execution_id), number=number)
        if applied.round_trip is not None:
            self.trips.closed(applied.round_trip)
        self.cash = _subtract(self.cash, _add(_multiply(signed_quantity, price), fee))
        self.fees += fee
        self._revalue(_subtract(_multiply(applied.held, position.mark), value_before))
        reservation = held.orders.get(order_id)
        if reservation is None:
            self._shift(held)
        else:
            leaves = reservation.leaves
            used = signed_quantity if abs(signed_quantity) <= abs(leaves) else leaves
            reservation.leaves = leaves - used
            self._shift(held, -used, leaves)
        return applied

    def correct_fill(self, order_id: str, execution_id: str, symbol: str, was: Trade, now: Trade) -> Restated:
        """An execution was another one, or none: position, cash, fees and round trips follow."""
        with self.lock:
            held = self.holding(symbol)
            position = held.position
            value_before = position.market_value
            change = position.correct((order_id, execution_id), was, now)
            self.trips.restate(change)
            paid_back = _add(_multiply(was.quantity, was.price), was.fee)
            paid = _add(_multiply(now.quantity, now.price), now.fee)
            self.cash = _add(self.cash, _subtract(paid_back, paid))
            self.fees = _add(self.fees, _subtract(now.fee, was.fee))
            self._revalue(_subtract(position.market_value, value_before))
            self._shift(held)
            return change

    def mark(self, symbol: str, price: Decimal) -> None:
        """Value `symbol` at `price` (dollars, valid and above zero)."""
        self.mark_all(((symbol, price),))

    def mark_all(self, prices: Sequence[tuple[str, Decimal]]) -> None:
        """Value symbols at prices as `mark` does; totals are brought up to date once."""
        gained, sectors = ZERO, dict[str, Decimal]()
        with self.lock:
            for symbol, price in prices:
                held = self._holdings.get(symbol) or self.holding(symbol)
                position, worst = held.position, held.worst_value
                if position.quantity:
                    gained = _add(gained, _subtract(_multiply(position.quantity, price), position.market_value))
                position.mark = price
                if held.worst_quantity:
                    held.foresee()
                    difference, sector = held.worst_value - worst, held.sector
                    sectors[sector] = sectors.get(sector, ZERO) + difference
                    if self.keeps_squares and difference:
                        self.worst_squares += held.square_gained(difference)
            if self.unmarked:
                self.unmarked.difference_update([symbol for symbol, _ in prices])
            if gained:
                self._revalue(gained)
            for sector, difference in sectors.items():
                self._count_worst(sector, difference)

    def take_over(
        self, positions: Iterable[Position], *, cash: Decimal, fees: Decimal, trips: RoundTrips | None = None
    ) -> None:
        """Take over books that were kept elsewhere; equity is at cost until marks come.

        Raises:
            ValueError: these books are in use already.
        """
        with self.lock:
            if self._holdings:
                raise ValueError("books can be taken over only before anything was traded or reserved")
            self.cash, self.fees, self.market_value = cash, fees, ZERO
            self.trips = trips or self.trips
            for position in positions:
                held = self.holding(position.symbol)
                held.position = position
                if position.quantity and position.mark is None:
                    self.unmarked.add(position.symbol)
                self._revalue(position.market_value)
                self._shift(held)

    def adopt(self, symbol: str, quantity: Decimal, cost: Decimal, price: Decimal | None = None) -> None:
        """Take over a position that was there before our first order; baselines move along with its value.

        Args:
            price: dollars a share now. Without one it is valued at cost, and what it gained or lost before counts.
        """
        with self.lock:
            if price is not None and price > 0:
                self.mark(symbol, price)
            held = self.holding(symbol)
            before = held.position.market_value
            held.position.adopt(quantity, cost)
            if held.position.quantity and held.position.mark is None:
                self.unmarked.add(symbol)
            elif not held.position.quantity:
                self.unmarked.discard(symbol)
            added = held.position.market_value - before
            self._revalue(added)
            self._move_baselines(added)
            self._shift(held)

    def move_cash(self, amount: Decimal) -> None:
        """Book a deposit (positive) or withdrawal; neither a profit nor a loss, so baselines move along."""
        with self.lock:
            self.cash += amount
            self._move_baselines(amount)

    def _move_baselines(self, amount: Decimal) -> None:
        self.flows += amount
        self.day_start_equity += amount
        self.week_start_equity += amount
        self.month_start_equity += amount
        self.peak_equity += amount
        if self.closing_equity is not None:
            self.closing_equity += amount

    def begin_day(self, before: datetime | None, now: datetime, worth: Decimal) -> None:
        """The day's profit counts from the last close, or from `worth`; so do those of a week and month that begin.

        Args:
            before: when the trading day before was opened, None for the first.
        """
        with self.lock:
            begin = self.day_start_equity = worth if self.closing_equity is None else self.closing_equity
            if before is None or before.isocalendar()[:2] != now.isocalendar()[:2]:
                self.week_start_equity = begin
            if before is None or (before.year, before.month) != (now.year, now.month):
                self.month_start_equity = begin
            self.closing_equity = None

    def begin_anew(self, worth: Decimal) -> None:
        """All losses count from `worth` on, dollars."""
        with self.lock:
            self.peak_equity = self.day_start_equity = worth
            self.week_start_equity = self.month_start_equity = worth
            self.closing_equity = None
            self.forgive_streak()

    def forgive_streak(self) -> None:
        """Losing round trips are counted anew."""
        with self.lock:
            self.losing_streak = 0
            self.trips.forgive()

    def book_charge(self, amount: Decimal, *, is_fee: bool) -> None:
        """Book what the broker paid (positive) or charged beside trades: a profit or a loss of the day."""
        with self.lock:
            self.cash = _add(self.cash, amount)
            if is_fee:
                self.fees = _subtract(self.fees, amount)

    def _revalue(self, change: Decimal) -> None:
        """What is held has become worth more by `change` dollars."""
        self.market_value = tidy(_add(self.market_value, change))

    def _shift(self, held: Holding, change: Decimal | None = None, side: Decimal | None = None) -> None:
        """Bring totals in line after the open quantity of one side changes by `change` (signed as the order).

        Args:
            change: None when only the position or its mark has changed.
            side: its sign is that of the orders, where the change is against them.
        """
        before = held.worst_value
        if change is None:
            held.foresee()
        else:
            buying, selling = held.buying, held.selling
            if (side or change) > ZERO:
                held.buys += change
            else:
                held.sells -= change
            held.refresh()
            if held.buying is not buying and held.buying != buying:
                self.buying += held.buying - buying
            if held.selling is not selling and held.selling != selling:
                self.selling += held.selling - selling
        difference = held.worst_value - before
        self._count_worst(held.sector, difference)
        if self.keeps_squares and difference:
            self.worst_squares += held.square_gained(difference)
        if (side_now := held.side) != held.bet:
            held.bet = side_now
            self.bets.put(held.position.symbol, side_now)

    def _count_worst(self, sector: str, difference: Decimal) -> None:
        """The worst cases of a sector have become larger by `difference` dollars."""
        if difference or sector not in self.sector_worst:
            self.gross_worst = tidy(self.gross_worst + difference)
            self.sector_worst[sector] = tidy(self.sector_worst.get(sector, ZERO) + difference)
