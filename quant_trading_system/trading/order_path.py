"""The road of an order on one page.

    Signal → size → target − held − open → plan → gate → kill switch → order manager → broker → fill → books

`OrderPath.walk` takes a strategy's wish down to the broker; `OrderManager.submit` is its second half (gate,
reservation, kill switch, journal, send). Sells go first and buys wait until the sells have settled, so that
cash is there when it is needed.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from quant_trading_system.core.decisions import Rejection
from quant_trading_system.core.exceptions import JournalFull, KillSwitchActiveError
from quant_trading_system.core.instruments import Instrument, Universe
from quant_trading_system.core.numbers import ONE, ZERO
from quant_trading_system.core.order_state import OrderStatus, PendingRequest
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce
from quant_trading_system.core.signals import Direction, Signal
from quant_trading_system.execution.order_manager import OrderManager
from quant_trading_system.execution.order_store import OrderRecord
from quant_trading_system.market.quotes import Quote, QuoteSource
from quant_trading_system.risk.portfolio import Portfolio
from quant_trading_system.risk.position_sizer import PositionSizer, Sizing, SizingRequest
from quant_trading_system.risk.pre_trade import PreTradeRiskChecker
from quant_trading_system.trading.planning import ExecutionPolicy, plan_as_given, plan_order


class Pursuit:
    """One wish on its way: the signal, the size it was given, and the order that works on it now."""

    __slots__ = ("cause", "order_id", "signal", "sizing")

    def __init__(self, signal: Signal, cause: int) -> None:
        self.signal = signal
        self.cause = cause
        self.sizing: Sizing | None = None
        self.order_id = ""


class OrderPath:
    """Walks wishes to the broker, step by step, until each is reached, refused or overtaken by a newer one."""

    def __init__(
        self,
        *,
        sizer: PositionSizer,
        policy: ExecutionPolicy,
        universe: Universe,
        quotes: QuoteSource,
        portfolio: Portfolio,
        checker: PreTradeRiskChecker,
        orders: OrderManager,
    ) -> None:
        """Join the parts that the road runs through."""
        self._sizer = sizer
        self._policy = policy
        self._universe = universe
        self._quotes = quotes
        self._portfolio = portfolio
        self._checker = checker
        self._orders = orders
        self._pursuits: dict[str, Pursuit] = {}

    @property
    def is_idle(self) -> bool:
        """True when no wish is on its way."""
        return not self._pursuits

    def want(self, signal: Signal, cause: int) -> None:
        """Start pursuing `signal`; replaces an earlier wish for the symbol. `cause` is its journal entry."""
        earlier = self._pursuits.get(signal.symbol)
        pursuit = self._pursuits[signal.symbol] = Pursuit(signal, cause)
        if earlier is not None:
            pursuit.order_id = earlier.order_id

    def give_up(self, symbols: Iterable[str] | None = None) -> None:
        """Stop pursuing all wishes, or those for `symbols`; open orders are not touched."""
        for symbol in list(self._pursuits) if symbols is None else symbols:
            self._pursuits.pop(symbol, None)

    def give_up_source(self, source: str) -> None:
        """Stop pursuing what `source` wanted."""
        self.give_up([symbol for symbol, pursuit in self._pursuits.items() if pursuit.signal.source == source])

    async def walk(self, wanted: int, moment: datetime) -> None:
        """Take every wish that is still alive one step further: sells first, buys once no sell is on its way.

        Args:
            moment: now; wishes that have expired by it are given up.
            wanted: how many symbols are wanted at once; equal-weight sizing divides by it.
        """
        self.give_up([symbol for symbol, p in self._pursuits.items() if not p.signal.is_alive(moment)])
        await self._have_strangers_refused()
        changes = [(pursuit, self._change(pursuit, wanted)) for pursuit in list(self._pursuits.values())]
        for pursuit, change in changes:
            if change is not None and change < 0:
                await self._send(pursuit, change)
        if any(self._is_selling(pursuit) for pursuit in self._pursuits.values()):
            return
        for pursuit, change in changes:
            if change is not None and change > 0:
                await self._send(pursuit, change)

    async def send_as_given(self, order: Order, cause: int | None = None) -> None:
        """Take an order that was written out by a strategy or a person down the same road."""
        quote = self._quotes.quote(order.symbol)
        try:
            await self._orders.submit(order, plan=plan_as_given(order, quote), cause=cause)
        except KillSwitchActiveError:
            return  # refused and on record, like every other refusal
        except JournalFull:
            return  # the journal has told people; it has no room to say so again

    async def _have_strangers_refused(self) -> None:
        """A wish for a symbol outside the universe has no size; one share goes to the gate, which says no on record."""
        for symbol, pursuit in list(self._pursuits.items()):
            if self._universe.get_instrument(symbol) is not None:
                continue
            self._done(symbol)
            direction = pursuit.signal.direction
            if direction is not Direction.FLAT:
                order = Order(
                    symbol=symbol,
                    side=OrderSide.BUY if direction is Direction.LONG else OrderSide.SELL,
                    quantity=ONE,
                    order_type=OrderType.MARKET,
                    time_in_force=TimeInForce.DAY,
                    strategy=pursuit.signal.source,
                )
                await self.send_as_given(order, cause=pursuit.cause)

    def _change(self, pursuit: Pursuit, wanted: int) -> Decimal | None:
        """Signed shares to trade now; None while an order works on it, or when the wish is done with."""
        symbol = pursuit.signal.symbol
        if self._is_worked_on(pursuit) or any(not order.shrinks for order in self._others(pursuit)):
            return None
        instrument, quote = self._universe.get_instrument(symbol), self._quotes.quote(symbol)
        if instrument is None or quote is None or quote.flaw:
            return None
        if pursuit.sizing is None:
            pursuit.sizing = self._sizer.size(self._request(pursuit.signal, instrument, quote, wanted))
            pursuit.order_id = ""  # an order of the wish before this one says nothing about it
        held = self._portfolio.position(symbol).quantity
        change = _toward(pursuit.sizing.quantity, held)
        if not change or self._is_small(change, held + change, quote):
            self._done(symbol)
            return None
        return change

    def _is_worked_on(self, pursuit: Pursuit) -> bool:
        """True while an order of the symbol is open; forgets the wish when its order ended short of the target."""
        record = self._orders.order(pursuit.order_id) if pursuit.order_id else None
        if record is not None and record.status.is_open:
            return True
        if record is not None and record.status is not OrderStatus.FILLED and pursuit.sizing is not None:
            self._done(pursuit.signal.symbol)
            return True
        return False

    def _others(self, pursuit: Pursuit) -> list[OrderRecord]:
        """Open orders for the symbol that somebody else gave."""
        return [o for o in self._orders.open_orders(pursuit.signal.symbol) if o.order_id != pursuit.order_id]

    async def _must_make_way(self, pursuit: Pursuit, change: Decimal) -> bool:
        """Resting exits hold the shares that are to be sold now: they are cancelled first, and sold a step later."""
        held = self._portfolio.position(pursuit.signal.symbol).quantity
        exits = [] if (change > 0) == (held > 0) else self._others(pursuit)
        for order in exits:
            if order.pending is PendingRequest.NONE:
                await self._orders.cancel(order.order_id, "its shares are wanted by another order")
        return bool(self._others(pursuit)) if exits else False

    def _is_selling(self, pursuit: Pursuit) -> bool:
        record = self._orders.order(pursuit.order_id) if pursuit.order_id else None
        return record is not None and record.status.is_open and record.shrinks

    def _done(self, symbol: str) -> None:
        self._pursuits.pop(symbol, None)

    def _request(self, signal: Signal, instrument: Instrument, quote: Quote, wanted: int) -> SizingRequest:
        price = quote.bid if signal.direction is Direction.SHORT else quote.ask
        return SizingRequest(
            signal=signal,
            instrument=instrument,
            price=price,
            equity=self._portfolio.equity,
            limits=self._checker.limits,
            signals=wanted,
        )

    def _is_small(self, change: Decimal, after: Decimal, quote: Quote) -> bool:
        return bool(after) and abs(change) * quote.mid < self._policy.min_trade_pct * self._portfolio.equity

    async def _send(self, pursuit: Pursuit, change: Decimal) -> None:
        symbol = pursuit.signal.symbol
        if self._pursuits.get(symbol) is not pursuit:
            return  # given up or overtaken while an order before it was being sent
        quote = self._quotes.quote(symbol)
        if quote is None or quote.flaw or await self._must_make_way(pursuit, change):
            return
        shrinks = self._portfolio.holding(symbol).shrinks(change)
        order, plan = plan_order(symbol, change, quote, self._policy, shrinks=shrinks, strategy=pursuit.signal.source)
        try:
            answer = await self._orders.submit(order, plan=plan, cause=pursuit.cause)
        except (KillSwitchActiveError, JournalFull):
            self._done(symbol)
            return
        if isinstance(answer, Rejection):
            self._done(symbol)
        else:
            pursuit.order_id = answer.order_id


def _toward(target: Decimal, held: Decimal) -> Decimal:
    """The next change on the way from `held` to `target`; a position never crosses zero in one order."""
    if held and target and (held > 0) != (target > 0):
        return -held
    return target - held if target != held else ZERO
