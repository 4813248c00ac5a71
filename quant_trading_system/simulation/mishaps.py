"""What should not happen and does: late rejects and fills, executions that are too large, busted or corrected.

The books follow all of it. Orders that close a position are cancelled, newest first, when a mishap takes their
shares away.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import ROUND_DOWN, Decimal

from quant_trading_system.core.numbers import ONE
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.simulation.booking import Booking
from quant_trading_system.simulation.books import units
from quant_trading_system.simulation.faults import Dice
from quant_trading_system.simulation.floor import Trade, TradingFloor
from quant_trading_system.simulation.live_orders import LiveOrder
from quant_trading_system.simulation.order_index import OrderIndex
from quant_trading_system.simulation.order_life import OrderLife
from quant_trading_system.simulation.venue_orders import Notice, VenueFill
from quant_trading_system.simulation.wire import EventKind, Wire

_NANO = Decimal("1E-9")


class Mishaps:
    """Lets the faults in force strike."""

    def __init__(
        self, life: OrderLife, booking: Booking, orders: OrderIndex, floor: TradingFloor, wire: Wire, dice: Dice
    ) -> None:
        self._life = life
        self._booking = booking
        self._orders = orders
        self._floor = floor
        self._wire = wire
        self._dice = dice

    def after_accept(self, live: LiveOrder, at: datetime) -> None:
        """An order was accepted, perhaps too soon."""
        faults = self._dice.faults
        if self._dice.strikes("reject_later"):
            self._wire.set_timer(at + faults.reject_after, EventKind.REJECT, live)

    def after_cancel(self, live: LiveOrder, at: datetime) -> None:
        """An order was cancelled, perhaps too late."""
        faults = self._dice.faults
        if live.order.notional is None and self._dice.strikes("late_fill"):
            self._wire.set_timer(at + faults.late_fill_after, EventKind.FILL_LATE, live)

    def reject(self, live: LiveOrder, at: datetime) -> None:
        """The exchange refuses what was accepted."""
        if live.is_open:
            self._life.finish(live, OrderStatus.REJECTED, OrderTrigger.REJECT, at, "refused by the exchange")

    def fill_late(self, live: LiveOrder, at: datetime) -> None:
        """A cancelled order has traded all the same: at its limit, or at the far side of the quote."""
        view = self._floor.view(live.order.symbol)
        if view is None or live.leaves <= 0:
            return
        far = view.quote.ask if live.order.side is OrderSide.BUY else view.quote.bid
        trade = Trade(live.leaves, live.order.limit_price or far, complete=True)
        fill = self._booking.execute(live, trade, view, at, crossing=True)
        live.finished_at = at
        self._life.tell(live, OrderStatus.FILLED, OrderTrigger.FILL_LAST, at, "traded before its cancel", fill)
        self.release_excess(live.order.symbol, at)

    def executions_of(self, live: LiveOrder, trade: Trade) -> Iterator[Trade]:
        """The executions that a trade comes in."""
        faults = self._dice.faults
        step = (trade.quantity / faults.parts).quantize(_NANO if live.order.is_fractional else ONE, ROUND_DOWN)
        rest = trade.quantity
        if faults.parts > 1:
            self._dice.struck["parts"] += 1
        for _ in range(faults.parts - 1):
            if step and rest > step:
                rest -= step
                yield Trade(step, trade.price, complete=False)
        yield Trade(rest + (faults.overfill if trade.complete else 0), trade.price, trade.complete)

    # -- corrections ----------------------------------------------------------------------------------------------

    def bust(self, live: LiveOrder, fill: VenueFill, at: datetime) -> None:
        """An execution did not happen after all."""
        self._booking.undo(live, fill, at)
        self._after_correction(live, fill, Notice.BUST, at)

    def correct(self, live: LiveOrder, fill: VenueFill, quantity: Decimal, price: Decimal, at: datetime) -> None:
        """An execution was another one."""
        self._booking.undo(live, fill, at)
        self._booking.redo(live, fill, quantity, price, at)
        self._after_correction(live, fill, Notice.CORRECT, at)

    def _after_correction(self, live: LiveOrder, fill: VenueFill, notice: Notice, at: datetime) -> None:
        self._life.notify(live, notice, at, "decided by the exchange", fill)
        if live.is_open and live.is_overfilled:
            self._life.cancel(live, at, "corrected to all that it asked for, or more")
        elif live.is_open and live.closing and live.order.notional is None:
            self._orders.reserve(live, units(live.leaves))
        self.release_excess(live.order.symbol, at)

    def release_excess(self, symbol: str, at: datetime) -> None:
        """Cancel orders, newest first, until none would turn the position and nobody promises what is not there."""
        held = self._booking.held(symbol)
        for live in reversed(tuple(self._orders.open_in(symbol))):
            grows = live.order.side.sign * held
            wrong_side = grows >= 0 if live.closing else grows < 0
            too_many = live.reserved and live.closing and self._orders.reserved_shares(symbol) > abs(held)
            if live.is_open and not live.passive and (wrong_side or too_many):
                self._life.cancel(live, at, "the position is not there any more")
