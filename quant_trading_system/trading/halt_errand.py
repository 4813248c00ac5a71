"""What one activation of the kill switch demands of open orders: ask for cancels until each has ended."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from decimal import Decimal

from quant_trading_system.core.clock import Clock
from quant_trading_system.core.events import HaltLevel
from quant_trading_system.core.halt_events import CancelsConfirmed
from quant_trading_system.core.order_state import PendingRequest
from quant_trading_system.execution.order_life import Journal
from quant_trading_system.execution.order_manager import OrderManager
from quant_trading_system.execution.order_store import OrderRecord
from quant_trading_system.risk.halt_state import Halt

_ASK_AGAIN = timedelta(seconds=5)


class Errand:
    """Carries out one halt, at one level; a higher level is another errand.

    Attributes:
        halt: what was activated.
        began: on the monotonic clock.
        closings: orders that close positions for this halt; they may stay.
        confirmed: every order that had to go has ended.
    """

    def __init__(self, halt: Halt, orders: OrderManager, journal: Journal, clock: Clock) -> None:
        """Begin now."""
        self.halt = halt
        self.began = clock.monotonic()
        self.closings: set[str] = set()
        self.confirmed = False
        self._orders = orders
        self._journal = journal
        self._clock = clock
        self._to_confirm: set[str] = set()
        self._asked: dict[str, float] = {}

    @property
    def name(self) -> tuple[int, HaltLevel]:
        """The activation and its level."""
        return self.halt.activation, self.halt.level

    @property
    def seconds(self) -> Decimal:
        """Since it began."""
        return Decimal(int((self._clock.monotonic() - self.began) * 1_000_000)) / 1_000_000

    async def cancel(self, to_close: Collection[str]) -> None:
        """Ask for every cancel that is due; put on record when all have ended.

        Args:
            to_close: symbols whose positions are to be closed; exits that rest there hold the shares, so they go, too.
        """
        must_go = [order for order in self._orders.open_orders() if self._must_go(order, to_close)]
        self._to_confirm.update(order.order_id for order in must_go)
        due = [order.order_id for order in must_go if self._is_time_to_ask(order)]
        reason = f"halt {self.halt.activation} of {self.halt.scope}"
        if self.halt.scope.is_account and self.halt.level >= HaltLevel.HALTED and not self.closings:
            await self._orders.cancel_account(due, reason)
        else:  # some orders may stay
            await self._orders.cancel_each(due, reason)
        if self._to_confirm & {order.order_id for order in self._orders.open_orders()}:
            return
        self._journal.append(
            CancelsConfirmed(
                at=self._clock.now(),
                activation=self.halt.activation,
                orders=tuple(sorted(self._to_confirm)),
                seconds=self.seconds,
                scope=self.halt.scope,
            )
        )
        self.confirmed = True
        await self._journal.durable()

    def _must_go(self, order: OrderRecord, to_close: Collection[str]) -> bool:
        """All that the halt covers, but for exits while those are allowed, and what closes something for it."""
        if order.order_id in self.closings:
            return False
        if self.halt.level is HaltLevel.REDUCING:
            return self.halt.scope.covers(order.order) and not order.shrinks
        return self.halt.scope.covers(order.order) or (order.shrinks and order.order.symbol in to_close)

    def _is_time_to_ask(self, order: OrderRecord) -> bool:
        """Once for this halt, at once after a refusal, and again when a cancel seems to have been lost."""
        now, asked = self._clock.monotonic(), self._asked.get(order.order_id)
        lately = asked is not None and now - asked < _ASK_AGAIN.total_seconds()
        if lately and order.pending is not PendingRequest.NONE:
            return False
        self._asked[order.order_id] = now
        return True
