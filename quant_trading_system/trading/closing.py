"""Closes the positions that a halt tells to close: small slices, limited prices, never past flat.

The policy, stated once. A slice is worth at most `liquidation_slice_notional`. Its limit lies
`liquidation_collar_pct` beyond the far side of the quote. When it has not filled after `liquidation_patience_s` it is
cancelled, and the next one reaches twice as far, up to `price_collar_pct`; after a slice that filled, the next one
begins at the first distance again. While the exchange is closed, slices go out in extended hours if the limits say
so; a symbol that is halted waits. Side and quantity are the smaller of our books and the broker's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal

import msgspec

from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.clock import Clock
from quant_trading_system.core.decisions import Rejection
from quant_trading_system.core.events import HaltLevel
from quant_trading_system.core.exceptions import (
    BrokerRejected,
    KillSwitchActiveError,
    NotSent,
    OutcomeUnknown,
    UnknownOrder,
)
from quant_trading_system.core.halt_events import LiquidationEvent, LiquidationState
from quant_trading_system.core.numbers import ONE, ZERO, ceil_to_tick, floor_to_lot, floor_to_tick, plain
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce
from quant_trading_system.execution.broker import BrokerPosition
from quant_trading_system.execution.order_life import Journal
from quant_trading_system.execution.order_manager import OrderManager
from quant_trading_system.market.quotes import Quote, QuoteSource
from quant_trading_system.market.sessions import Calendar, in_extended_hours
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.risk.portfolio import Portfolio
from quant_trading_system.trading.halt_errand import Errand
from quant_trading_system.trading.planning import plan_as_given

BY = "emergency liquidation"
_AFTER_REFUSAL_S = 5.0
_NO_ANSWER = (OutcomeUnknown, BrokerRejected, NotSent)


class ClosingParts(msgspec.Struct, frozen=True, kw_only=True):
    """What closing needs to know and to ask.

    Attributes:
        clock: this machine's; market_clock: what time it is on the market.
        limits: those in force at the moment of the question.
        positions: the broker's own books.
        shares_of: signed shares by symbol that a strategy has built.
        is_halted: trading of a symbol is halted.
    """

    kill_switch: KillSwitch
    orders: OrderManager
    portfolio: Portfolio
    quotes: QuoteSource
    calendar: Calendar
    journal: Journal
    clock: Clock
    market_clock: Clock
    limits: Callable[[], RiskLimits]
    positions: Callable[[], Awaitable[tuple[BrokerPosition, ...]]]
    shares_of: Callable[[str], Mapping[str, Decimal]]
    is_halted: Callable[[str], bool]


class _Way:
    """How one symbol is being closed."""

    __slots__ = ("not_before", "order_id", "reach", "said", "sent_at")

    def __init__(self, reach: Decimal) -> None:
        self.reach = reach
        self.order_id = ""
        self.sent_at = 0.0
        self.not_before = 0.0  # of the monotonic clock: a wall clock that is set back holds nothing up
        self.said = ("", "")


class Closer:
    """Closes what one errand is to close, one step at a time; a new one goes on where the truth is."""

    def __init__(self, errand: Errand, parts: ClosingParts) -> None:
        """Prepare; nothing is sent before `step`."""
        self.is_flat = False
        self._errand = errand
        self._parts = parts
        self._ways: dict[str, _Way] = {}
        self._theirs: dict[str, Decimal] | None = None

    def held(self) -> dict[str, Decimal]:
        """Signed shares by symbol that our books say are still to be closed."""
        scope, parts = self._errand.halt.scope, self._parts
        with parts.portfolio.lock:
            positions = {symbol: position.quantity for symbol, position in parts.portfolio.positions.items()}
        held = {symbol: shares for symbol, shares in positions.items() if scope.covers_position(symbol, shares)}
        if scope.strategy:
            own = parts.shares_of(scope.strategy)
            held = {symbol: _smaller(own.get(symbol, ZERO), shares) for symbol, shares in held.items()}
        return {symbol: held[symbol] for symbol in sorted(held) if held[symbol]}

    async def step(self) -> None:
        """Send what can be sent, withdraw what took too long, and find out whether all is flat."""
        self._theirs = None
        held = self.held()
        for symbol, shares in held.items():
            if self._errand.halt.level is not self._level():
                return  # somebody raised or lowered the level meanwhile
            await self._close(symbol, shares)
        if not held and self._errand.confirmed:
            await self._confirm_flat()

    def _level(self) -> HaltLevel:
        return self._parts.kill_switch.state.halt_of(self._errand.halt.scope).level

    # -- one symbol ----------------------------------------------------------------------------------------------

    async def _close(self, symbol: str, shares: Decimal) -> None:
        way = self._ways.get(symbol)
        if way is None:
            way = self._ways[symbol] = _Way(_first_reach(self._parts.limits()))
        await self._end_slice(symbol, way)
        now = self._parts.market_clock.now()
        if way.order_id or self._is_blocked(symbol) or way.not_before > self._parts.clock.monotonic():
            return
        quote, is_extended = self._parts.quotes.quote(symbol), False
        if not self._parts.calendar.is_open(now):
            is_extended = self._parts.limits().liquidation_extended_hours and in_extended_hours(
                self._parts.calendar, now
            )
            if not is_extended:
                self._say(symbol, LiquidationState.WAITING, "the exchange is closed; closing goes on when it opens")
                return
        if self._parts.is_halted(symbol):
            self._say(symbol, LiquidationState.WAITING, "trading is halted; closing goes on when it resumes")
        elif quote is None or quote.flaw:
            self._say(symbol, LiquidationState.WAITING, f"no usable quote: {quote.flaw if quote else 'none'}")
        elif shares := await self._agreed(symbol, shares):
            await self._send(symbol, way, self._slice(symbol, shares, way.reach, quote, is_extended), quote)

    async def _end_slice(self, symbol: str, way: _Way) -> None:
        """Forget a slice that has ended; withdraw one that has not filled in time."""
        record = self._parts.orders.order(way.order_id) if way.order_id else None
        if record is None:
            way.order_id = ""
            return
        limits = self._parts.limits()
        if record.status is OrderStatus.FILLED:
            way.order_id, way.reach = "", _first_reach(limits)
        elif not record.status.is_open:
            way.order_id = ""
        elif record.status is not OrderStatus.IN_DOUBT and self._parts.clock.monotonic() - way.sent_at >= float(
            limits.liquidation_patience_s
        ):
            way.sent_at = self._parts.clock.monotonic()  # asked again after the same time, should it get lost
            further = min(2 * way.reach, limits.price_collar_pct)
            self._say(symbol, LiquidationState.ESCALATED, f"not filled in time; next {plain(further)} beyond the quote")
            way.reach = further
            await self._withdraw(way.order_id)

    async def _withdraw(self, order_id: str) -> None:
        try:
            await self._parts.orders.cancel(order_id, "it did not fill; the next slice reaches further")
        except UnknownOrder:
            return  # it has ended and left memory

    def _is_blocked(self, symbol: str) -> bool:
        """An order that the halt has to cancel first may still trade."""
        scope = self._errand.halt.scope
        return any(
            record.order_id not in self._errand.closings and (not scope.strategy or scope.covers(record.order))
            for record in self._parts.orders.open_orders(symbol)
        )

    async def _agreed(self, symbol: str, shares: Decimal) -> Decimal:
        """The smaller of our position and the broker's; nothing while they are on different sides."""
        theirs = await self._their_books()
        if theirs is None:
            self._say(symbol, LiquidationState.WAITING, "the broker does not show its positions")
            return ZERO
        smaller = _smaller(shares, theirs.get(symbol, ZERO))
        if not smaller:
            shown = plain(theirs.get(symbol, ZERO))
            self._say(symbol, LiquidationState.DIFFERS, f"our books hold {plain(shares)}, the broker shows {shown}")
        return smaller

    async def _their_books(self) -> dict[str, Decimal] | None:
        if self._theirs is None:
            try:
                found = await self._parts.positions()
            except _NO_ANSWER:
                return None
            self._theirs = {position.symbol: position.quantity for position in found}
        return self._theirs

    def _slice(self, symbol: str, shares: Decimal, reach: Decimal, quote: Quote, is_extended: bool) -> Order:
        """A limit order for as much as one slice may be; rounded towards the quote, so that it stays in the collar."""
        limits, selling = self._parts.limits(), shares > 0
        limit = ceil_to_tick(quote.bid * (ONE - reach)) if selling else floor_to_tick(quote.ask * (ONE + reach))
        worth = min(limits.liquidation_slice_notional, limits.max_order_notional)
        affordable = max(floor_to_lot(worth / max(limit, quote.bid), ONE), ONE)
        strategy = self._errand.halt.scope.strategy or BY  # so that its own shares are counted down
        return Order(
            symbol=symbol,
            side=OrderSide.SELL if selling else OrderSide.BUY,
            quantity=min(abs(shares), limits.max_order_quantity, affordable),
            order_type=OrderType.LIMIT,
            limit_price=limit,
            time_in_force=TimeInForce.DAY,
            extended_hours=is_extended,
            strategy=strategy,
            reduce_only=True,
            repeat=True,
        )

    async def _send(self, symbol: str, way: _Way, order: Order, quote: Quote) -> None:
        now = self._parts.clock.monotonic()
        try:
            answer = await self._parts.orders.submit(order, plan=plan_as_given(order, quote))
        except KillSwitchActiveError as error:
            way.not_before = now + _AFTER_REFUSAL_S
            self._say(symbol, LiquidationState.WAITING, f"refused: {error}")
            return
        if isinstance(answer, Rejection):
            way.not_before = now + _AFTER_REFUSAL_S
            self._say(symbol, LiquidationState.WAITING, f"refused: {answer.message}")
            return
        self._errand.closings.add(answer.order_id)
        way.order_id, way.sent_at = answer.order_id, self._parts.clock.monotonic()
        if answer.status.is_open or answer.status is OrderStatus.FILLED:
            self._record(LiquidationState.SLICE, symbol, answer.order_id, order.quantity, order.limit_price)
            way.said = ("", "")
        else:
            way.not_before = now + _AFTER_REFUSAL_S
            self._say(symbol, LiquidationState.WAITING, f"the broker refused: {answer.reason}")

    # -- the end, and the record ---------------------------------------------------------------------------------

    async def _confirm_flat(self) -> None:
        """Flat is what the broker shows; only a strategy's share is known to us alone."""
        scope = self._errand.halt.scope
        left: dict[str, Decimal] = {}
        if not scope.strategy:
            theirs = await self._their_books()
            if theirs is None:
                self._say("", LiquidationState.WAITING, "the broker does not show its positions")
                return
            left = {symbol: shares for symbol, shares in theirs.items() if scope.covers_position(symbol, shares)}
        if left:
            shown = ", ".join(f"{plain(shares)} {symbol}" for symbol, shares in sorted(left.items()))
            self._say("", LiquidationState.DIFFERS, f"our books are flat, the broker shows {shown}")
        elif not self.is_flat:
            self.is_flat = True
            self._record(LiquidationState.FLAT, seconds=self._errand.seconds)

    def _say(self, symbol: str, state: LiquidationState, detail: str) -> None:
        """On record once, however often it is found again."""
        way = self._ways.setdefault(symbol, _Way(_first_reach(self._parts.limits())))
        if way.said != (state.value, detail):
            way.said = (state.value, detail)
            self._record(state, symbol, detail)

    def _record(
        self,
        state: LiquidationState,
        symbol: str = "",
        detail: str = "",
        quantity: Decimal | None = None,
        limit_price: Decimal | None = None,
        seconds: Decimal | None = None,
    ) -> None:
        halt = self._errand.halt
        self._parts.journal.append(
            LiquidationEvent(
                at=self._parts.clock.now(),
                activation=halt.activation,
                state=state,
                symbol=symbol,
                detail=detail,
                quantity=quantity,
                limit_price=limit_price,
                seconds=seconds,
                scope=halt.scope,
            )
        )


def _first_reach(limits: RiskLimits) -> Decimal:
    return min(limits.liquidation_collar_pct, limits.price_collar_pct)


def _smaller(one: Decimal, other: Decimal) -> Decimal:
    """Of two signed numbers of shares the one nearer to zero; 0 when they are on different sides."""
    return ZERO if one * other <= 0 else min(one, other, key=abs)
