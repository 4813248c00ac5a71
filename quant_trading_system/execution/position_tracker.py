"""Applies every fill exactly once to order, position and cash, and tells what it did.

Two keys identify an execution, because the broker's stream and its history may name it differently: the
execution id, and the interval of the order's cumulative quantity that it covers. Neither is ever forgotten: with
the order they leave memory, and with it they come back from the journal.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal

import msgspec

from quant_trading_system.core.attribution import Attribution
from quant_trading_system.core.clock import Clock
from quant_trading_system.core.events import FillCorrected, FillEvent
from quant_trading_system.core.exceptions import JournalError, KillSwitchIncomplete
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce
from quant_trading_system.core.positions import Applied, Position
from quant_trading_system.execution.broker import Execution
from quant_trading_system.execution.order_store import OrderRecord
from quant_trading_system.risk.monitor import RiskMonitor
from quant_trading_system.risk.portfolio import Portfolio

AUCTIONS = (TimeInForce.OPG, TimeInForce.CLS)
"""Times in force of orders that trade at an auction's price."""

Attempt = Callable[..., None]
"""Calls its first argument with the others; what fails is raised when all is done."""


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
        emit: Callable[[FillEvent | FillCorrected, int | None], int],
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
        if self._is_known(record, execution):
            return False
        order = record.order
        signed = execution.quantity if order.side is OrderSide.BUY else -execution.quantity
        record.book(execution)
        applied = self._portfolio.apply_fill(
            record.order_id, order.symbol, signed, execution.price, execution.fee, execution.execution_id
        )
        self.fills += 1
        self._attribute(order, signed)
        with self._to_the_end() as attempt:
            attempt(self._put_on_record, record, execution, applied)
            if applied.round_trip is not None:
                self.round_trips.append(applied.round_trip)
                attempt(self._monitor.round_trip_closed, applied.round_trip)
            self._tell_slippage(record, execution)
            attempt(self._monitor.recalculated, record.order_id)
            attempt(self._monitor.observe)
        return True

    def _tell_slippage(self, record: OrderRecord, execution: Execution) -> None:
        """Of market orders that trade at once; what rests fills at its own price, and auctions have no quote."""
        order, price = record.order, record.room_price
        if order.order_type is not OrderType.MARKET or order.time_in_force in AUCTIONS or price <= 0:
            return
        hurt = execution.price - price if order.side is OrderSide.BUY else price - execution.price
        self._monitor.slipped(hurt * execution.quantity, price * execution.quantity)

    def _attribute(self, order: Order, signed: Decimal) -> None:
        held = self._portfolio.position(order.symbol).quantity
        self.attribution.apply(order.symbol, order.strategy, signed, held)

    def _put_on_record(self, record: OrderRecord, execution: Execution, applied: Applied) -> None:
        order = record.order
        self._emit(
            FillEvent(
                at=execution.at,
                order_id=record.order_id,
                execution_id=execution.execution_id,
                symbol=order.symbol,
                side=order.side,
                quantity=execution.quantity,
                price=execution.price,
                cumulative_quantity=execution.cumulative_quantity,
                fee=execution.fee,
                position_quantity=self._portfolio.position(order.symbol).quantity,
                cash=self._portfolio.cash,
                realized_pnl=applied.realized,
                strategy=order.strategy,
            ),
            record.sent_seq,
        )

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
        )
        change = self._portfolio.correct_fill(record.order_id, was.execution_id, order.symbol, event.was, event.now)
        self._attribute(order, event.now.quantity - event.was.quantity)
        for result in change.was.values():
            if result in self.round_trips:
                self.round_trips.remove(result)
        self.round_trips.extend(change.now.values())
        streak = self._portfolio.trips.losing_streak
        event = msgspec.structs.replace(
            event,
            position_quantity=self._portfolio.position(order.symbol).quantity,
            cash=self._portfolio.cash,
            realized_pnl=change.realized,
            losing_streak=streak,
        )
        with self._to_the_end() as attempt:
            attempt(self._emit, event, record.sent_seq)
            attempt(self._monitor.restated, streak)
            attempt(self._monitor.recalculated, record.order_id)
            attempt(self._monitor.observe)

    @contextmanager
    def _to_the_end(self) -> Iterator[Attempt]:
        """The shares have changed hands: everything that follows is tried, and only then is a failure raised."""
        failures: list[Exception] = []

        def attempt(step: Callable[..., object], *arguments: object) -> None:
            try:
                step(*arguments)
            except (JournalError, KillSwitchIncomplete) as error:
                failures.append(error)

        yield attempt
        if failures:
            raise failures[0]

    def _is_known(self, record: OrderRecord, execution: Execution) -> bool:
        return execution.execution_id in record.executions or execution.cumulative_quantity in record.intervals
