"""After a halt: cancel, confirm; and when told to flatten: close, confirm. The same gate as for every order.

Both are written as steps that look at the truth and do the next thing, so that they go on after a crash, can
be repeated at will, and never sell more than is held.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from decimal import Decimal

from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.clock import Clock
from quant_trading_system.core.decisions import Rejection
from quant_trading_system.core.events import CancelsConfirmed, HaltLevel
from quant_trading_system.core.exceptions import KillSwitchActiveError, KillSwitchIncomplete
from quant_trading_system.core.numbers import ONE, floor_to_lot
from quant_trading_system.core.order_state import PendingRequest
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce
from quant_trading_system.core.positions import Position, PositionSide
from quant_trading_system.execution.order_life import Journal
from quant_trading_system.execution.order_manager import OrderManager
from quant_trading_system.execution.order_store import OrderRecord
from quant_trading_system.market.quotes import Quote, QuoteSource
from quant_trading_system.market.sessions import Calendar
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.risk.portfolio import Portfolio
from quant_trading_system.trading.planning import plan_as_given

_RETRY = timedelta(seconds=1)
_ASK_AGAIN = timedelta(seconds=5)
_AFTER_REFUSAL = timedelta(seconds=30)
BY = "emergency liquidation"


class HaltProcedure:
    """Carries out what an activation of the kill switch demands, one step at a time."""

    def __init__(
        self,
        *,
        kill_switch: KillSwitch,
        orders: OrderManager,
        portfolio: Portfolio,
        quotes: QuoteSource,
        limits: RiskLimits,
        calendar: Calendar,
        journal: Journal,
        clock: Clock,
    ) -> None:
        """Join the parts; `advance` does the work."""
        self._limits = limits
        self._not_before: dict[str, datetime] = {}
        self._kill_switch = kill_switch
        self._orders = orders
        self._portfolio = portfolio
        self._quotes = quotes
        self._calendar = calendar
        self._journal = journal
        self._clock = clock
        self._activation = 0
        self._level = HaltLevel.RUNNING
        self._since: datetime | None = None
        self._to_confirm: set[str] = set()
        self._asked: dict[str, float] = {}
        self._confirmed = False
        self._closing: set[str] = set()
        self._is_busy = False

    def use_limits(self, limits: RiskLimits) -> None:
        """Send orders within other limits from now on."""
        self._limits = limits

    @property
    def is_done(self) -> bool:
        """Nothing left to do: running, or cancels confirmed and, when flattening, every position closed."""
        state = self._kill_switch.state
        if state.level is HaltLevel.RUNNING:
            return True
        if not self._confirmed or (state.activation, state.level) != (self._activation, self._level):
            return False
        return state.level is not HaltLevel.FLATTENING or not self._portfolio.positions

    async def advance(self) -> None:
        """Do the next thing: ask for cancels, confirm them, close positions.

        A symbol is closed as soon as none of its own orders is open: one order whose cancel is not confirmed holds
        up its own symbol and no other. While the exchange is closed nothing is sent. While a call waits for the
        broker, another one leaves the work to it.
        """
        if self._kill_switch.level is HaltLevel.RUNNING or self._is_busy:
            return
        self._is_busy = True
        try:
            await self._do_the_next_thing()
        finally:
            self._is_busy = False

    async def _do_the_next_thing(self) -> None:
        state = self._kill_switch.state
        if (state.activation, state.level) != (self._activation, self._level):
            self._activation, self._level = state.activation, state.level
            self._since, self._confirmed = self._clock.now(), False
            self._to_confirm, self._asked, self._closing = set(), {}, set()
        if not self._confirmed:
            await self._cancel()
        if state.level is HaltLevel.FLATTENING and self._calendar.is_open(self._clock.now()):
            await self._close_positions()

    async def _cancel(self) -> None:
        await self._ask_cancels()
        open_now = {order.order_id for order in self._orders.open_orders()}
        if self._to_confirm & open_now:
            return
        took = self._clock.now() - self._since if self._since else timedelta()
        self._journal.append(
            CancelsConfirmed(
                at=self._clock.now(),
                activation=self._activation,
                orders=tuple(sorted(self._to_confirm)),
                seconds=Decimal(took // timedelta(microseconds=1)) / 1_000_000,
            )
        )
        self._confirmed = True
        await self._journal.durable()

    async def _ask_cancels(self) -> None:
        """Ask for every order that must go; a journal that fails stops none of them and is reported at the end."""
        must_go = [order for order in self._orders.open_orders() if not self._may_stay(order)]
        self._to_confirm.update(order.order_id for order in must_go)
        due = [order.order_id for order in must_go if self._is_time_to_ask(order)]
        await self._orders.cancel_each(due, f"halt {self._activation}")

    def _may_stay(self, order: OrderRecord) -> bool:
        """Exits, while exits are allowed; and the orders of this activation that close something."""
        if self._level is HaltLevel.FLATTENING:
            return order.order_id in self._closing
        return self._level is HaltLevel.REDUCING and order.shrinks

    def _is_time_to_ask(self, order: OrderRecord) -> bool:
        """Once for this halt, at once after a refusal, and again when a cancel seems to have been lost."""
        now, asked = self._clock.monotonic(), self._asked.get(order.order_id)
        lately = asked is not None and now - asked < _ASK_AGAIN.total_seconds()
        if lately and order.pending is not PendingRequest.NONE:
            return False
        self._asked[order.order_id] = now
        return True

    async def _close_positions(self) -> None:
        now = self._clock.now()
        for symbol, position in sorted(self._portfolio.positions.items()):
            if self._orders.open_orders(symbol) or self._not_before.get(symbol, now) > now:
                continue
            quote = self._quotes.quote(symbol)
            order = self._exit(position, quote)
            try:
                answer = await self._orders.submit(order, plan=plan_as_given(order, quote))
            except KillSwitchActiveError:
                if self._kill_switch.level is not HaltLevel.FLATTENING:
                    return  # somebody raised the level to HALTED meanwhile
                self._not_before[symbol] = now + _AFTER_REFUSAL
                continue
            if isinstance(answer, Rejection):
                self._not_before[symbol] = now + _AFTER_REFUSAL  # without a price, perhaps; tried again later
            else:
                self._closing.add(answer.order_id)

    def _exit(self, position: Position, quote: Quote | None) -> Order:
        """An order that closes as much of the position as one order may trade; the next step closes more."""
        quantity = min(abs(position.quantity), self._limits.max_order_quantity)
        if quote is not None and not quote.flaw:
            affordable = floor_to_lot(self._limits.max_order_notional / quote.ask, ONE)
            quantity = min(quantity, max(affordable, ONE))
        return Order(
            symbol=position.symbol,
            side=OrderSide.SELL if position.side is PositionSide.LONG else OrderSide.BUY,
            quantity=quantity,
            order_type=OrderType.MARKET,
            time_in_force=TimeInForce.DAY,
            strategy=BY,
            reduce_only=True,
            repeat=True,
        )


async def emergency_liquidate(
    kill_switch: KillSwitch,
    procedure: HaltProcedure,
    *,
    reason: str,
    authorized_by: str,
    pause: Callable[[timedelta], Awaitable[None]],
    give_up_after: int = 60,
) -> bool:
    """Halt at level FLATTENING, cancel everything, confirm, close every position; True when flat.

    Args:
        pause: waits for the broker between two looks; the clock's `sleep`.
        give_up_after: looks, one second apart; the switch stays active and the procedure may be called again.

    Raises:
        KillSwitchIncomplete: after all that could be done was done: the halt could not be recorded everywhere.
    """
    incomplete: KillSwitchIncomplete | None = None
    try:
        kill_switch.activate(reason, level=HaltLevel.FLATTENING, activated_by=authorized_by)
    except KillSwitchIncomplete as error:
        incomplete = error  # it is active, so the work begins
    is_flat = await _carry_out(procedure, pause, give_up_after)
    if incomplete is not None:
        raise incomplete
    return is_flat


async def _carry_out(
    procedure: HaltProcedure, pause: Callable[[timedelta], Awaitable[None]], give_up_after: int
) -> bool:
    for _ in range(give_up_after):
        await procedure.advance()
        if procedure.is_done:
            return True
        await pause(_RETRY)
    return procedure.is_done
