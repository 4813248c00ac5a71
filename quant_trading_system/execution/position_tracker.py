"""Applies every fill exactly once to order, position and cash, and tells what it did.

Two keys identify an execution, because the broker's stream and its history may name it differently: the
execution id, and the interval of the order's cumulative quantity that it covers. Neither is ever forgotten: with
the order they leave memory, and with it they come back from the journal.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from decimal import Decimal

import msgspec

from quant_trading_system.core.attribution import Attribution
from quant_trading_system.core.book_events import ActivityBooked
from quant_trading_system.core.breaks import ActivityKind
from quant_trading_system.core.clock import Clock
from quant_trading_system.core.events import FillCorrected, FillEvent
from quant_trading_system.core.exceptions import JournalError, KillSwitchIncomplete
from quant_trading_system.core.numbers import LEDGER, ZERO
from quant_trading_system.core.orders import AUCTIONS, OrderSide, OrderType
from quant_trading_system.core.positions import Position
from quant_trading_system.execution.broker import Execution
from quant_trading_system.execution.order_store import OrderRecord
from quant_trading_system.execution.statement import SeenActivity
from quant_trading_system.risk.monitor import RiskMonitor
from quant_trading_system.risk.portfolio import Portfolio

_AFTERWARDS = (JournalError, KillSwitchIncomplete)
"""Failures that are raised only when all that follows from a fill has been tried: the shares have changed hands."""
_BUY, _MARKET = OrderSide.BUY, OrderType.MARKET


class PositionTracker:
    """The only one who books fills.

    Attributes:
        fills: executions booked.
        round_trips: net profit in dollars of the positions that were closed, oldest first.
        attribution: whose the shares are.
    """

    def __init__(
        self,
        *,
        portfolio: Portfolio,
        monitor: RiskMonitor,
        emit: Callable[[FillEvent | FillCorrected | ActivityBooked, int | None], int],
        clock: Clock,
        remembered: int | None = None,
    ) -> None:
        """Book into `portfolio`, let `monitor` look at the result, put fills on record with `emit`.

        Args:
            remembered: round trips that stay in memory, the last ones; None keeps all.
        """
        self.attribution = Attribution()
        self._clock = clock
        self._portfolio = portfolio
        self._monitor = monitor
        self._emit = emit
        self.fills = 0
        self.round_trips: deque[Decimal] = deque(maxlen=remembered)

    @property
    def positions(self) -> dict[str, Position]:
        """Symbol to position, flat ones left out."""
        return self._portfolio.positions

    def position(self, symbol: str) -> Position:
        """The position in `symbol`, flat if it was never traded."""
        return self._portfolio.position(symbol)

    @property
    def cash(self) -> Decimal:
        """Dollars."""
        return self._portfolio.cash

    def apply(self, record: OrderRecord, execution: Execution) -> bool:
        """Book one execution of `record`; False when it was booked before.

        The caller holds the portfolio's lock, so that order and position move together.
        """
        if record.has_booked(execution):
            return False
        order, order_id, quantity, price = record.order, record.order_id, execution.quantity, execution.price
        signed = quantity if order.side is _BUY else -quantity
        record.book(execution)
        applied = self._portfolio.apply_fill(
            order_id, order.symbol, signed, price, execution.fee, execution.execution_id
        )
        self.fills += 1
        held = applied.held
        self.attribution.apply(order.symbol, order.strategy, signed, held)
        event = FillEvent(
            at=execution.at,
            order_id=order_id,
            execution_id=execution.execution_id,
            symbol=order.symbol,
            side=order.side,
            quantity=quantity,
            price=price,
            cumulative_quantity=execution.cumulative_quantity,
            fee=execution.fee,
            position_quantity=held,
            cash=self._portfolio.cash,
            realized_pnl=applied.realized,
            strategy=order.strategy,
            tag=order.tag,
        )
        failure: Exception | None = None
        try:
            self._emit(event, record.sent_seq)
        except _AFTERWARDS as error:
            failure = error
        if applied.round_trip is not None:
            failure = self._end_trip(applied.round_trip, failure)
        if order.order_type is _MARKET:
            self._tell_slippage(record, execution)
        self._look_again(order_id, failure)
        return True

    def pay_out(self, entry: SeenActivity) -> None:
        """Book that shares became cash without an order: the company is listed no more. The caller holds the lock.

        Raises:
            JournalError, KillSwitchIncomplete: what failed; it is booked all the same.
        """
        symbol, portfolio = entry.symbol, self._portfolio
        applied = portfolio.apply_fill("", symbol, entry.shares, entry.price, ZERO, entry.activity_id)
        self.attribution.apply(symbol, "", entry.shares, applied.held)
        event = ActivityBooked(
            at=self._clock.now(),
            activity_id=entry.activity_id,
            activity=ActivityKind.PAY_OUT,
            word=entry.word,
            amount=LEDGER.multiply(entry.shares, entry.price).copy_negate(),
            cash=portfolio.cash,
            symbol=symbol,
            description=entry.description,
            shares=entry.shares,
            price=entry.price,
            position_quantity=applied.held,
            realized_pnl=applied.realized,
        )
        failure: Exception | None = None
        try:
            self._emit(event, None)
        except _AFTERWARDS as error:
            failure = error
        if applied.round_trip is not None:
            failure = self._end_trip(applied.round_trip, failure)
        self._look_again("", failure)

    def _end_trip(self, result: Decimal, failure: Exception | None) -> Exception | None:
        """Count a round trip, a net result in dollars; the first failure so far."""
        self.round_trips.append(result)
        try:
            self._monitor.round_trip_closed(result)
        except _AFTERWARDS as error:
            return failure or error
        return failure

    def _look_again(self, order_id: str, failure: Exception | None) -> None:
        """The monitor looks at the books after a fill of that order, whatever failed before; the first failure counts.

        Raises:
            JournalError, KillSwitchIncomplete: `failure`, or what fails now.
        """
        try:
            self._monitor.recalculated(order_id)
        except _AFTERWARDS as error:
            failure = failure or error
        try:
            self._monitor.observe()
        except _AFTERWARDS as error:
            failure = failure or error
        if failure is not None:
            raise failure

    def _tell_slippage(self, record: OrderRecord, execution: Execution) -> None:
        """Of market orders that trade at once; what rests fills at its own price, and auctions have no quote."""
        order, price, quantity = record.order, record.room_price, execution.quantity
        if order.time_in_force in AUCTIONS or price <= ZERO:
            return
        hurt = execution.price - price if order.side is _BUY else price - execution.price
        self._monitor.slipped(hurt * quantity, price * quantity)

    def correct(self, record: OrderRecord, was: Execution, now: Execution | None) -> None:
        """An execution that was booked was another one, or none: reverse it and book what is true.

        The caller holds the portfolio's lock.
        """
        order = record.order
        now = msgspec.structs.replace(was, quantity=ZERO, fee=ZERO) if now is None else now
        now = msgspec.structs.replace(now, execution_id=was.execution_id)
        record.correct(now)
        event = FillCorrected(
            at=self._clock.now(),
            order_id=record.order_id,
            execution_id=was.execution_id,
            symbol=order.symbol,
            side=order.side,
            was_quantity=was.quantity,
            was_price=was.price,
            was_fee=was.fee,
            quantity=now.quantity,
            price=now.price,
            fee=now.fee,
            strategy=order.strategy,
            tag=order.tag,
        )
        change = self._portfolio.correct_fill(record.order_id, was.execution_id, order.symbol, event.was, event.now)
        held = self._portfolio.position(order.symbol).quantity
        self.attribution.apply(order.symbol, order.strategy, event.now.quantity - event.was.quantity, held)
        for result in change.was.values():
            if result in self.round_trips:
                self.round_trips.remove(result)
        self.round_trips.extend(change.now.values())
        streak = self._portfolio.trips.losing_streak
        event = msgspec.structs.replace(
            event,
            position_quantity=held,
            cash=self._portfolio.cash,
            realized_pnl=change.realized,
            losing_streak=streak,
        )
        failure: Exception | None = None
        try:
            self._emit(event, record.sent_seq)
        except _AFTERWARDS as error:
            failure = error
        try:
            self._monitor.restated(streak)
        except _AFTERWARDS as error:
            failure = failure or error
        self._look_again(record.order_id, failure)
