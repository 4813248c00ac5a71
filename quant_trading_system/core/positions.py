"""Positions by average cost, exact to the last digit.

The books keep the *cost of the open quantity* rather than an average price, so that an average such as
30.02 / 3 never has to be rounded; only a partial close divides, and what the rounding leaves stays in the
open cost. Therefore, after every fill and for any mark,

    cash flow + quantity · mark  =  realized P&L + unrealized P&L − fees        (exactly)
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

import msgspec

from quant_trading_system.core.numbers import LEDGER, ZERO, divide

_add, _subtract, _multiply = LEDGER.add, LEDGER.subtract, LEDGER.multiply

COST_QUANTUM = Decimal("1E-18")
"""Dollars; the step to which the released cost of a partial close is rounded."""


class PositionSide(StrEnum):
    """Long, short, or nothing held."""

    LONG = "long"
    SHORT = "short"
    FLAT = "flat"


class Applied(msgspec.Struct, frozen=True, gc=False):
    """What one fill did to a position.

    Attributes:
        held: signed shares after it.
        realized: gross profit or loss of the quantity that it closed (dollars).
        round_trip: net profit or loss since the position was opened, when this fill closed it; else None.
    """

    held: Decimal
    realized: Decimal
    round_trip: Decimal | None


class Trade(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One change of a position, kept so that a later correction can be worked out as if it had been right at once.

    Attributes:
        number: counts the fills of the account; `key`: names the execution, None for shares taken over.
        quantity: signed shares; `price`: dollars a share, or for shares taken over their signed cost.
    """

    number: int
    key: tuple[str, str] | None
    quantity: Decimal
    price: Decimal
    fee: Decimal


class Restated(NamedTuple):
    """What the correction of an execution changed.

    Attributes:
        realized: by how much it changes the gross profit (dollars).
        was, now: net results of the round trips that it may have touched, by the number of the fill that closed them.
    """

    realized: Decimal
    was: dict[int, Decimal]
    now: dict[int, Decimal]


KEPT_TRADES = 500
"""Of each symbol at least so many trades are kept; a correction of an older one is booked as a trade against it."""


class RoundTrips:
    """Net results of closed positions, oldest first, and how many losses in a row end them.

    Attributes:
        fills: how many fills were counted.
    """

    def __init__(self, keep: int = 1000) -> None:
        """Remember the last `keep` results."""
        self.fills = 0
        self._keep = keep
        self._since = 0
        self._results: dict[int, Decimal] = {}

    def next_fill(self) -> int:
        """The number of the next fill of the account."""
        self.fills += 1
        return self.fills

    def closed(self, result: Decimal) -> None:
        """The latest fill closed a position."""
        self._results[self.fills] = result
        if len(self._results) > self._keep:
            del self._results[next(iter(self._results))]

    def forgive(self) -> None:
        """The streak begins anew: nothing before now counts."""
        self._since = self.fills
        self._results.clear()

    def restate(self, change: Restated) -> None:
        """Some results were others, or none."""
        for number in change.was:
            self._results.pop(number, None)
        self._results |= {number: result for number, result in change.now.items() if number > self._since}
        self._results = dict(sorted(self._results.items()))

    def state(self) -> tuple[int, int, dict[int, Decimal]]:
        """All that is remembered, to be kept."""
        return self.fills, self._since, dict(self._results)

    @classmethod
    def from_state(cls, state: tuple[int, int, dict[int, Decimal]]) -> RoundTrips:
        """As it was."""
        trips = cls()
        trips.fills, trips._since, trips._results = state
        return trips

    @property
    def losing_streak(self) -> int:
        """Losing round trips since the last one that did not lose."""
        streak = 0
        for result in reversed(self._results.values()):
            if result >= 0:
                break
            streak += 1
        return streak


class Position:
    """Quantity and cost of one symbol.

    Attributes:
        quantity: shares, negative when short.
        cost: signed cost of the open quantity in dollars; negative when short.
        realized_pnl: dollars, before fees.
        fees: dollars paid so far.
        mark: last valid price, None before the first one.
    """

    __slots__ = (
        "_base",
        "_middle",
        "_trades",
        "_trip_pnl",
        "cost",
        "fees",
        "mark",
        "quantity",
        "realized_pnl",
        "symbol",
    )

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.quantity = ZERO
        self.cost = ZERO
        self.realized_pnl = ZERO
        self.fees = ZERO
        self.mark: Decimal | None = None
        self._trip_pnl = ZERO
        self._base: Position | None = None  # as it was before the trades that are kept; None: empty
        self._middle: Position | None = None  # as it was after `KEPT_TRADES` of them; None: to be replayed
        self._trades: list[Trade] = []

    def __repr__(self) -> str:
        return f"Position({self.symbol} {self.quantity} @ {self.average_price:f})"

    @property
    def side(self) -> PositionSide:
        """Long, short or flat."""
        if self.quantity > 0:
            return PositionSide.LONG
        return PositionSide.SHORT if self.quantity < 0 else PositionSide.FLAT

    @property
    def average_price(self) -> Decimal:
        """Dollars a share, rounded for reading to 18 decimals; 0 when flat."""
        return divide(self.cost, self.quantity, COST_QUANTUM) if self.quantity else ZERO

    @property
    def market_value(self) -> Decimal:
        """Signed dollars at the last mark; at cost while there is no mark."""
        return self.cost if self.mark is None else _multiply(self.quantity, self.mark)

    @property
    def unrealized_pnl(self) -> Decimal:
        """Dollars at the last mark."""
        return _subtract(self.market_value, self.cost)

    def adopt(self, quantity: Decimal, cost: Decimal) -> None:
        """Take over shares that were bought before these books began: neither a fill nor a profit."""
        self._keep(Trade(0, None, quantity, cost, ZERO))
        self._take_over(quantity, cost)

    def _take_over(self, quantity: Decimal, cost: Decimal) -> None:
        self.quantity = _add(self.quantity, quantity)
        self.cost = _add(self.cost, cost)

    def apply(
        self,
        signed_quantity: Decimal,
        price: Decimal,
        fee: Decimal = ZERO,
        *,
        key: tuple[str, str] = ("", ""),
        number: int = 0,
    ) -> Applied:
        """Book one execution: positive quantities buy, negative ones sell; a flip closes, then opens.

        Source: average-cost accounting; fees beside the gross profit, outside the average price.

        Args:
            key: names the execution, should it be corrected later; `number`: which fill of the account it is.
        """
        self._keep(Trade(number, key, signed_quantity, price, fee))
        return self._trade(signed_quantity, price, fee)

    def correct(self, key: tuple[str, str], was: Trade, now: Trade) -> Restated:
        """An execution was another one, or none (quantity 0): be as if `now` had been booked in its place.

        What was booked after it is worked out again, so that cost and profit are those of the corrected history.
        An execution that is older than all that is kept is reversed and rebooked as trades of today.
        """
        place = next((i for i, trade in enumerate(self._trades) if trade.key == key), None)
        if place is None:
            before = self.realized_pnl
            self.apply(was.quantity.copy_negate(), was.price, was.fee.copy_negate())
            self.apply(now.quantity, now.price, now.fee, key=key)
            return Restated(_subtract(self.realized_pnl, before), {}, {})
        before, trips = self.realized_pnl, self._replayed()[1]
        self._trades[place] = msgspec.structs.replace(now, key=key, number=self._trades[place].number)
        self._middle = None  # it was before the correction
        fresh, trips_now = self._replayed()
        self.quantity, self.cost, self._trip_pnl = fresh.quantity, fresh.cost, fresh._trip_pnl
        self.realized_pnl, self.fees = fresh.realized_pnl, fresh.fees
        return Restated(_subtract(self.realized_pnl, before), trips, trips_now)

    def _replayed(self, count: int | None = None) -> tuple[Position, dict[int, Decimal]]:
        """The position after the first `count` trades that are kept, or all, and the round trips that they closed."""
        trips = dict[int, Decimal]()
        fresh = Position(self.symbol) if self._base is None else self._base._state()
        for trade in self._trades[:count]:
            if trade.key is None:
                fresh._take_over(trade.quantity, trade.price)
                continue
            result = fresh._trade(trade.quantity, trade.price, trade.fee).round_trip
            if result is not None:
                trips[trade.number] = result
        return fresh, trips

    def _keep(self, trade: Trade) -> None:
        trades = self._trades
        if not len(trades) % KEPT_TRADES:
            if len(trades) > KEPT_TRADES:
                self._base = self._middle or self._replayed(KEPT_TRADES)[0]
                del trades[:KEPT_TRADES]
            self._middle = self._state()
        trades.append(trade)

    def _state(self) -> Position:
        """What a replay goes on from; without the trades that led to it."""
        state = Position(self.symbol)
        state.quantity, state.cost, state._trip_pnl = self.quantity, self.cost, self._trip_pnl
        state.realized_pnl, state.fees = self.realized_pnl, self.fees
        return state

    def _trade(self, signed_quantity: Decimal, price: Decimal, fee: Decimal) -> Applied:
        held, closing, realized, round_trip = self.quantity, ZERO, ZERO, None
        if held and (held > ZERO) is not (signed_quantity > ZERO):
            closing = signed_quantity if signed_quantity.copy_abs() <= held.copy_abs() else held.copy_negate()
            realized = self._close(closing, price)
        opening = _subtract(signed_quantity, closing)
        self.fees = _add(self.fees, fee)
        self._trip_pnl = _add(self._trip_pnl, _subtract(realized, fee))
        if closing and not self.quantity:
            round_trip, self._trip_pnl = self._trip_pnl, ZERO
        if opening:
            self.cost = _add(self.cost, _multiply(opening, price))
            self.quantity = _add(self.quantity, opening)
        return Applied(self.quantity, realized, round_trip)

    def _close(self, closing: Decimal, price: Decimal) -> Decimal:
        held = self.quantity
        leaving = closing.copy_negate()  # the signs of arithmetic operators would round to the thread's context
        if leaving == held:
            released = self.cost
        else:
            released = divide(_multiply(self.cost, leaving), held, COST_QUANTUM)
        realized = _subtract(_multiply(leaving, price), released)
        self.cost = _subtract(self.cost, released)
        self.quantity = _subtract(held, leaving)
        self.realized_pnl = _add(self.realized_pnl, realized)
        return realized
