"""The road of an order on one page.

    Signal → size → target − held − open → room → plan → gate → kill switch → order manager → broker → fill → books

`OrderPath.walk` takes a strategy's wish down to the broker; `OrderManager.submit` is its second half (gate,
reservation, kill switch, journal, send). Sells go first and buys wait until the sells have settled, so that
cash is there when it is needed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal

import msgspec

from quant_trading_system.core.decisions import ExecutionPlan, Rejection, SizeSeen
from quant_trading_system.core.events import WishNotSized
from quant_trading_system.core.exceptions import JournalFull, KillSwitchActiveError
from quant_trading_system.core.instruments import Instrument, Universe
from quant_trading_system.core.numbers import ONE, ZERO
from quant_trading_system.core.order_state import OrderStatus, PendingRequest
from quant_trading_system.core.orders import Order, OrderSide
from quant_trading_system.core.signals import Direction, Signal
from quant_trading_system.execution.algo.parent import ParentOrder, ParentStatus
from quant_trading_system.execution.order_manager import OrderManager, Placed
from quant_trading_system.execution.order_store import OrderRecord
from quant_trading_system.market.history_view import HistoryView
from quant_trading_system.market.quotes import Quote, QuoteSource
from quant_trading_system.risk.correlation import CorrelationSource
from quant_trading_system.risk.portfolio import Portfolio
from quant_trading_system.risk.position_sizer import (
    Around,
    PositionSizer,
    Sizing,
    SizingRequest,
    Trades,
    Wanted,
    room_for,
)
from quant_trading_system.risk.pre_trade import PreTradeRiskChecker
from quant_trading_system.trading.algo_desk import AlgoDesk
from quant_trading_system.trading.planning import ExecutionPolicy, is_left_alone, one_share, plan_as_given, plan_order
from quant_trading_system.trading.pursuit import Pursuit
from quant_trading_system.trading.unsized import Unsized, no_room, too_small


class OrderPath:
    """Walks wishes to the broker, step by step, until each is reached, refused or overtaken by a newer one.

    Attributes:
        on_refused: told of every order and parent of a strategy that the gate refuses; None for an order.
    """

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
        desk: AlgoDesk,
        correlations: CorrelationSource | None = None,
        trades: Callable[[], Iterable[Decimal]] = tuple,
        record: Callable[[WishNotSized], object] = lambda _: None,
        obstacle: Callable[[str], str] = lambda _: "",
    ) -> None:
        """Join the parts that the road runs through.

        Args:
            correlations, trades: what sizers may know of them: as the gate measures them, and net profits of closed
                round trips.
            record: told of wishes that have no size.
            obstacle: why no new risk may be taken in a symbol for a while; empty when it may.
        """
        self._sizer = sizer
        self._policy = policy
        self._universe = universe
        self._quotes = quotes
        self._portfolio = portfolio
        self._checker = checker
        self._orders = orders
        self._correlations = correlations
        self._trades = trades
        self._obstacle = obstacle
        self._desk = desk
        self._pursuits: dict[str, Pursuit] = {}
        self._sales: list[str] = []
        self._unsized = Unsized(record)
        self.on_refused: Callable[[Rejection, ParentOrder | None], None] = lambda *_: None
        self._past: HistoryView | None = None

    @property
    def is_idle(self) -> bool:
        """True when no wish is on its way."""
        return not self._pursuits

    def see(self, past: HistoryView) -> None:
        """Take note of the bars that are known; sizers look at them."""
        self._past = past

    def want(self, signal: Signal, cause: int) -> None:
        """Start pursuing `signal`; replaces an earlier wish for the symbol. `cause` is its journal entry."""
        earlier = self._pursuits.get(signal.symbol)
        pursuit = self._pursuits[signal.symbol] = Pursuit(signal, cause)
        if earlier is not None:
            pursuit.go_on_from(earlier)
            if earlier.cause != cause and self._desk.is_open(earlier.parent_id):
                self._desk.cancel(earlier.parent_id, "its wish was replaced by a newer one")

    def rearm(self, strategy: str | None = None) -> None:
        """A person has reset the kill switch or armed `strategy`: what was stopped as a runaway may take risk again."""
        with self._portfolio.lock:
            self._checker.traffic.rearm(strategy)

    def give_up(self, symbols: Iterable[str] | None = None) -> None:
        """Stop pursuing all wishes, or those for `symbols`; open orders are not touched."""
        for symbol in list(self._pursuits) if symbols is None else symbols:
            self._pursuits.pop(symbol, None)

    def give_up_source(self, source: str) -> None:
        """Stop pursuing what `source` wanted."""
        self.give_up([symbol for symbol, pursuit in self._pursuits.items() if pursuit.signal.source == source])

    async def walk(self, wanted: Sequence[Signal], moment: datetime) -> None:
        """Take every wish that is still alive one step further: sells first, buys once no sell is on its way.

        Args:
            moment: now; wishes that have expired by it are given up.
            wanted: the standing wish for every symbol that is to be held; sizers weigh them against each other.
        """
        self.give_up([symbol for symbol, p in self._pursuits.items() if not p.signal.is_alive(moment)])
        await self._have_strangers_refused()
        wanted = self._listed(wanted)
        ready = [pursuit for pursuit in self._pursuits.values() if not self._is_put_off(pursuit)]
        around = Around()
        if any(pursuit.sizing is None for pursuit in ready):
            ready = [pursuit for pursuit in ready if not self._is_worked_on(pursuit)]  # what has ended moves no more
            around = self._around(wanted)
        changes = [(p, self._change(p, around, len(wanted), moment)) for p in ready]
        for pursuit, change in changes:
            if change is not None and change < 0:
                await self._send(pursuit, change, moment)
        if self._is_selling():
            return
        for pursuit, change in changes:
            if change is not None and change > 0:
                await self._send(pursuit, change, moment)

    def _listed(self, wanted: Sequence[Signal]) -> Sequence[Signal]:
        """Those that can be held: what is listed no more takes no part of the account from the others."""
        inactive = self._universe.inactive
        return [signal for signal in wanted if signal.symbol not in inactive] if inactive else wanted

    def _is_put_off(self, pursuit: Pursuit) -> bool:
        """A wish that was refused for a passing reason waits without asking, so that refusals do not pile up."""
        if pursuit.put_off and not self._obstacle(pursuit.signal.symbol):
            pursuit.put_off = False
        return pursuit.put_off

    def _refused(self, pursuit: Pursuit, rejection: Rejection) -> None:
        if not pursuit.wait_after(rejection):
            self._done(pursuit.signal.symbol)

    async def send_as_given(self, order: Order, cause: int | None = None) -> None:
        """Take an order that a strategy wrote out down the same road; whatever refuses it is on record."""
        try:
            answer = await self.submit_as_given(order, cause)
            if not isinstance(answer, Placed):
                self.on_refused(answer, None)
        except (KillSwitchActiveError, JournalFull):
            return  # refused and on record, or people have been told that nothing can be recorded

    def submit_as_given(self, order: Order, cause: int | None = None) -> Awaitable[Placed | Rejection]:
        """The same for somebody who waits for the answer; raises what `OrderManager.submit` does."""
        return self._orders.submit(order, plan=plan_as_given(order, self._quotes.quote(order.symbol)), cause=cause)

    async def _have_strangers_refused(self) -> None:
        """A wish for a symbol outside the universe has no size; one share goes to the gate, which says no on record."""
        for symbol, pursuit in list(self._pursuits.items()):
            if self._universe.get_instrument(symbol) is not None:
                continue
            self._done(symbol)
            if pursuit.signal.direction is not Direction.FLAT:
                await self.send_as_given(one_share(pursuit.signal), cause=pursuit.cause)

    def _around(self, wanted: Sequence[Signal]) -> Around:
        """What sizers may know at this moment beside the symbol that they are asked about."""
        portfolio = self._portfolio
        found = []
        for signal in wanted:
            instrument, quote = self._universe.get_instrument(signal.symbol), self._quotes.quote(signal.symbol)
            if instrument is not None and quote is not None and not quote.flaw:
                found.append(Wanted(signal=signal, instrument=instrument, price=_opening_price(signal, quote)))
        moving = {signal.symbol for signal in wanted} | self._pursuits.keys()
        positions = portfolio.positions
        staying = {symbol: positions[symbol].market_value for symbol in sorted(positions) if symbol not in moving}
        peak = portfolio.peak_equity
        return Around(
            wanted=tuple(found),
            staying=staying,
            sectors={symbol: portfolio.holding(symbol).sector for symbol in staying},
            held=tuple(sorted(positions)),
            past=self._past,
            drawdown=portfolio.drawdown / peak if peak > 0 else ONE,
            trades=Trades(self._trades),
            correlations=self._correlations,
        )

    def _change(self, pursuit: Pursuit, around: Around, wanted: int, moment: datetime) -> Decimal | None:
        """Signed shares to trade now; None while an order works on it, or when the wish is done with."""
        symbol = pursuit.signal.symbol
        if self._is_worked_on(pursuit) or self._desk.works_on(symbol):
            return None
        if any(not order.shrinks for order in self._others(pursuit)):
            return None
        instrument, quote = self._universe.get_instrument(symbol), self._quotes.quote(symbol)
        if instrument is None or quote is None or quote.flaw:
            return None
        if pursuit.sizing is None:
            pursuit.sizing = self._sizer.size(self._request(pursuit.signal, instrument, quote, wanted, around))
            pursuit.order_id = pursuit.parent_id = ""  # what worked on the wish before this one says nothing about it
            self._unsized.tell(pursuit.signal, pursuit.sizing, moment)
        held = self._portfolio.position(symbol).quantity
        change = _toward(pursuit.sizing.quantity, held)
        unknown = pursuit.sizing.bound_by == "missing" and held * pursuit.signal.direction.sign > 0
        if change and is_left_alone(change, held + change, quote.mid, self._portfolio.equity, self._policy):
            if not held:
                self._unsized.tell(pursuit.signal, too_small(change, quote.mid, self._policy), moment)
            change = ZERO
        if not change or unknown:
            self._done(symbol)
            return None
        return change

    def _is_worked_on(self, pursuit: Pursuit) -> bool:
        """True while an order of the symbol is open; forgets the wish when its order ended short of the target."""
        parent = self._desk.state_of(pursuit.parent_id) if pursuit.parent_id else None
        if parent is not None and pursuit.sizing is not None and parent.status is not ParentStatus.COMPLETED:
            if parent.status.is_final:
                self._done(pursuit.signal.symbol)
            return True
        if (record := self._order_of(pursuit)) is not None and record.status.is_open:
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

    def _is_selling(self) -> bool:
        """An order for a wish sells what is held, whatever has become of the wish."""
        sales = map(self._orders.order, self._sales)
        self._sales = [one.order_id for one in sales if one is not None and one.status.is_open and one.shrinks]
        return bool(self._sales)

    def _order_of(self, pursuit: Pursuit) -> OrderRecord | None:
        return self._orders.order(pursuit.order_id) if pursuit.order_id else None

    def _done(self, symbol: str) -> None:
        self._pursuits.pop(symbol, None)

    def _request(
        self, signal: Signal, instrument: Instrument, quote: Quote, wanted: int, around: Around
    ) -> SizingRequest:
        return SizingRequest(
            signal=signal,
            instrument=instrument,
            price=_opening_price(signal, quote),
            equity=self._portfolio.equity,
            limits=self._checker.limits,
            signals=wanted,
            around=around,
        )

    def _planned(
        self, pursuit: Pursuit, change: Decimal, quote: Quote, moment: datetime
    ) -> tuple[Order, ExecutionPlan] | None:
        """The order for `change` or for what fits of it, and its plan; None when nothing fits, which goes on record."""
        symbol, sizing = pursuit.signal.symbol, pursuit.sizing
        size = None if sizing is None else _seen(sizing)
        order, plan = self._plan(pursuit, change, quote, size)
        instrument = self._universe.get_instrument(symbol)
        if not self._policy.fit_to_limits or instrument is None:
            return order, plan
        near = quote.ask if change > 0 else quote.bid
        price = order.limit_price if change > 0 and order.limit_price is not None else near
        room = room_for(symbol, change, price, instrument.lot, checker=self._checker, strategy=pursuit.signal.source)
        if room.rule is None:
            return order, plan
        if not room.quantity:
            self._unsized.tell(pursuit.signal, no_room(room.rule, change), moment)
            return None
        if size is not None:
            size = msgspec.structs.replace(size, room_rule=room.rule)
        return self._plan(pursuit, room.quantity, quote, size)

    def _plan(
        self, pursuit: Pursuit, change: Decimal, quote: Quote, size: SizeSeen | None
    ) -> tuple[Order, ExecutionPlan]:
        signal, policy = pursuit.signal, self._policy
        shrinks = self._portfolio.holding(signal.symbol).shrinks(change)
        again = (first := self._order_of(pursuit)) is not None and first.shrinks  # turning round takes two, often alike
        names = {"strategy": signal.source, "tag": signal.tag}
        return plan_order(signal.symbol, change, quote, policy, shrinks=shrinks, size=size, repeat=again, **names)

    async def _send(self, pursuit: Pursuit, change: Decimal, moment: datetime) -> None:
        symbol = pursuit.signal.symbol
        if self._pursuits.get(symbol) is not pursuit:
            return  # given up or overtaken while an order before it was being sent
        quote = self._quotes.quote(symbol)
        if quote is None or quote.flaw or await self._must_make_way(pursuit, change):
            return
        planned = self._planned(pursuit, change, quote, moment)
        if planned is None:
            self._done(symbol)
            return
        order, plan = planned
        self._unsized.forget(symbol)
        if self._starts_parent(pursuit, order, plan):
            return
        try:
            answer = await self._orders.submit(order, plan=plan, cause=pursuit.cause)
            if isinstance(answer, Rejection):
                self.on_refused(answer, None)
        except (KillSwitchActiveError, JournalFull):
            self._done(symbol)
            return
        if isinstance(answer, Rejection):
            self._refused(pursuit, answer)
        else:
            pursuit.order_id = answer.order_id
            self._sales += [answer.order_id] if order.side is OrderSide.SELL else []

    def _starts_parent(self, pursuit: Pursuit, order: Order, plan: ExecutionPlan) -> bool:
        """True when the wish is traded by an algorithm, or was refused as such."""
        planned = self._desk.plan(order, pursuit.signal.execution)
        if planned is None:
            return False
        try:
            sized = msgspec.structs.replace(planned.plan, size=plan.size)
            answer = self._desk.start(planned.order, sized, cause=pursuit.cause)
        except (KillSwitchActiveError, JournalFull):
            self._done(order.symbol)
            return True
        if isinstance(answer, Rejection):
            self.on_refused(answer, planned.order)
            self._refused(pursuit, answer)
        else:
            pursuit.parent_id = answer.order.parent_id
        return True

    def start_as_given(self, parent: ParentOrder) -> None:
        """Begin a parent order that a strategy wrote out; what refuses it is on record."""
        try:
            answer = self._desk.start(parent)
            if isinstance(answer, Rejection):
                self.on_refused(answer, parent)
        except (KillSwitchActiveError, JournalFull):
            return  # refused and on record, or people have been told that nothing can be recorded


def _opening_price(signal: Signal, quote: Quote) -> Decimal:
    """Dollars a share at which the position would be opened: the far side of the quote."""
    return quote.bid if signal.direction is Direction.SHORT else quote.ask


def _seen(sizing: Sizing) -> SizeSeen:
    return SizeSeen(target=sizing.quantity, bound_by=sizing.bound_by, detail=sizing.detail, cut_from=sizing.cut_from)


def _toward(target: Decimal, held: Decimal) -> Decimal:
    """The next change on the way from `held` to `target`; a position never crosses zero in one order."""
    if held and target and (held > 0) != (target > 0):
        return -held
    return target - held if target != held else ZERO
