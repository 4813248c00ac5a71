"""The trading floor: how one working order meets one quote."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

import msgspec

from quant_trading_system.core.orders import OrderSide, OrderType, TimeInForce
from quant_trading_system.market.quotes import Quote
from quant_trading_system.simulation.live_orders import LiveOrder
from quant_trading_system.simulation.matching import (
    available,
    elected,
    fill_price,
    marketable,
    to_nearest_tick,
    whole_or_fraction,
)
from quant_trading_system.simulation.models import (
    NO_SLIPPAGE,
    FillModel,
    RandomState,
    SlippageModel,
    state_of,
    with_state,
)
from quant_trading_system.simulation.queueing import Flow, joined, next_turn
from quant_trading_system.simulation.realism import PLAIN, MovableMarket, Realism, Window

_ZERO = Decimal(0)
_BUY, _MARKET = OrderSide.BUY, OrderType.MARKET
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class MarketView(msgspec.Struct, eq=False, gc=False):
    """What the floor sees of one symbol in one step of the market.

    Attributes:
        volume: shares that trade in the step, None when nobody says.
        budget: shares that are left for our orders, None for no cap.
        stands: the quote is that of an earlier step, and nothing trades in this one.
        flow: what has traded before; `bought`, `sold`: shares of it that resting orders of ours have had.
    """

    quote: Quote
    volume: Decimal | None
    budget: Decimal | None
    flow: Flow | None = None
    bought: Decimal = _ZERO
    sold: Decimal = _ZERO
    stands: bool = False

    @property
    def price(self) -> Decimal:
        """What a share is worth: the last trade, or the middle of the quote before the first."""
        return self.quote.mid if self.quote.last is None else self.quote.last


class Trade(msgspec.Struct, frozen=True, gc=False):
    """An execution that the floor offers.

    Attributes:
        quantity: shares; `price`: dollars a share, on the tick.
        complete: nothing of the order is left.
    """

    quantity: Decimal
    price: Decimal
    complete: bool


class Taken(msgspec.Struct, array_like=True):
    """Shares that our orders took from the market in one window of a symbol."""

    window: int
    bought: Decimal = _ZERO
    sold: Decimal = _ZERO

    def by(self, side: OrderSide) -> Decimal:
        """On one side."""
        return self.bought if side is OrderSide.BUY else self.sold

    def add(self, side: OrderSide, quantity: Decimal) -> None:
        """Count an execution."""
        if side is OrderSide.BUY:
            self.bought += quantity
        else:
            self.sold += quantity


class FloorState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the floor has seen, to be kept: quotes, volumes and what is left of them.

    Attributes:
        flows: by symbol, with what resting buys and sales have had of them; `taken`: by symbol.
        standing: symbols that nobody trades in this step.
    """

    random: RandomState
    views: list[tuple[Quote, Decimal | None, Decimal | None]]
    halted: list[str]
    flows: dict[str, tuple[Flow, Decimal, Decimal]] = {}
    taken: dict[str, Taken] = {}
    standing: list[str] = []


class TradingFloor:
    """Decides what trades; the venue books it.

    Attributes:
        halted: symbols that nobody trades for the time being.
    """

    def __init__(
        self,
        slippage: SlippageModel,
        fills: FillModel,
        random: Random,
        realism: Realism = PLAIN,
        movable: MovableMarket | None = None,
    ) -> None:
        """Prepare the floor.

        Args:
            movable: knows the windows of the temporary impact; a window is a step of the market without it.

        Raises:
            ValueError: both `slippage` and `realism` have an impact.
        """
        if slippage.impact_bps and realism.impact is not None:
            raise ValueError("one impact only: set it in realism, or as impact_bps of the slippage")
        self.halted: set[str] = set()
        self._slippage = slippage
        self._fills = fills
        self._capped, self._splits = fills.participation is not None, bool(fills.partial_chance)
        self._slips = slippage != NO_SLIPPAGE
        self._random = random
        self._queue = realism.queue
        self._impact = realism.impact
        self._movable = movable
        self._views: dict[str, MarketView] = {}
        self._taken: dict[str, Taken] = {}

    def see(self, quote: Quote, volume: Decimal | None) -> MarketView | None:
        """What the floor knows of the symbol after this quote: a flawed, old or repeated one changes nothing."""
        known = self._views.get(quote.symbol)
        if quote.flaw or (known is not None and not _is_news(quote, known.quote)):
            if volume == 0 and known is not None:  # a step without trades
                known.stands = True
                known.budget = known.budget and _ZERO
            return known
        budget = self._fills.budget(volume) if self._capped else None
        flow = Flow(known.quote, known.volume) if self._queue and known is not None else None
        view = self._views[quote.symbol] = MarketView(quote, volume, budget, flow)
        return view

    def view(self, symbol: str) -> MarketView | None:
        """The latest sound quote of the symbol with what is left of its volume, None before the first."""
        return self._views.get(symbol)

    @property
    def is_plain(self) -> bool:
        """An order that the quotes do not reach stays as it is: there are no queues, no impact and no halts."""
        return not (self._queue or self._impact is not None or self.halted)

    @property
    def has_queues(self) -> bool:
        """Every quote moves the orders that rest along their queues."""
        return self._queue

    @property
    def trades_through(self) -> bool:
        """A resting limit trades only when the quote is better."""
        return self._fills.through

    def prices(self) -> dict[str, Decimal]:
        """Dollars a share of every symbol that was seen."""
        return {symbol: view.price for symbol, view in self._views.items()}

    def state(self) -> FloorState:
        """Everything, to be kept."""
        views = [(view.quote, view.volume, view.budget) for view in self._views.values()]
        flows = {
            symbol: (view.flow, view.bought, view.sold) for symbol, view in self._views.items() if view.flow is not None
        }
        return FloorState(
            random=state_of(self._random),
            views=views,
            halted=sorted(self.halted),
            flows=flows,
            taken=self._taken,
            standing=[symbol for symbol, view in self._views.items() if view.stands],
        )

    def restore(self, state: FloorState) -> None:
        """Be as it was."""
        self._random = with_state(state.random)
        self.halted = set(state.halted)
        self._views = {quote.symbol: MarketView(quote, volume, budget) for quote, volume, budget in state.views}
        self._taken = state.taken
        for symbol in state.standing:
            self._views[symbol].stands = True
        for symbol, (flow, bought, sold) in state.flows.items():
            view = self._views[symbol]
            view.flow, view.bought, view.sold = flow, bought, sold

    def continuous(self, live: LiveOrder, view: MarketView, at: datetime) -> Trade | None:
        """The trade of a working order against the quote, None when there is none now.

        Stop orders are set off here, trailing stops follow the last trade, and limit orders that the quote
        does not reach begin to rest.
        """
        order, quote = live.order, view.quote
        if quote.symbol in self.halted:
            return None
        if order.order_type is not _MARKET and live.waits_for_stop and not self._set_off(live, quote.last):
            return None
        far = quote.ask if order.side is _BUY else quote.bid
        limit = order.limit_price
        if limit is None:
            return self._trade(live, view, far, takes=True)
        if self._queue and live.rested:
            return self._in_turn(live, view, limit, at)
        if not marketable(order.side, limit, far, through=live.rested and self._fills.through):
            self._rest(live, view, limit, at)
            return None
        if live.rested or self._impact is None:
            return self._trade(live, view, limit if live.rested else far, takes=False)
        trade = self._trade(live, view, far, takes=False, most=self._affordable(live, view, far, limit))
        if trade is None or not trade.complete:
            self._rest(live, view, limit, at)
        return trade

    def auction(self, live: LiveOrder, view: MarketView) -> Trade | None:
        """The trade of an auction order at the auction's one price: the last trade, or the far side without one."""
        side, quote = live.order.side, view.quote
        if quote.symbol in self.halted:
            return None
        far = quote.ask if side is OrderSide.BUY else quote.bid
        price = far if quote.last is None else quote.last
        limit = live.order.limit_price
        if limit is not None and not marketable(side, limit, price):
            return None
        return self._trade(live, view, price, takes=False)

    def _set_off(self, live: LiveOrder, last: Decimal | None) -> bool:
        if last is None:
            return False
        live.follow(last)
        assert live.stop is not None
        live.triggered = elected(live.order.side, live.stop, last)
        return live.triggered

    def _rest(self, live: LiveOrder, view: MarketView, limit: Decimal, at: datetime) -> None:
        """The order waits at its limit from now on, behind those who are there."""
        live.rested = True
        if self._queue and live.waits_since is None:
            live.waits_since = at
            live.ahead = joined(live.order.side, limit, view.quote)

    def _in_turn(self, live: LiveOrder, view: MarketView, limit: Decimal, at: datetime) -> Trade | None:
        """The trade of an order that rests in the queue at its limit."""
        side, since = live.order.side, live.waits_since
        turn = next_turn(side, limit, live.ahead, at if since is None else since, view.flow, view.quote)
        live.ahead = turn.ahead
        live.waits_since = at if since is None else max(since, view.quote.at)
        if turn.fill is None:
            return self._trade(live, view, limit, takes=False)
        used = view.bought if side is _BUY else view.sold
        left = whole_or_fraction(max(turn.fill - used, _ZERO), fractional=live.order.is_fractional)
        trade = self._trade(live, view, limit, takes=False, most=left)
        if trade is not None and side is _BUY:
            view.bought += trade.quantity
        elif trade is not None:
            view.sold += trade.quantity
        return trade

    def _affordable(self, live: LiveOrder, view: MarketView, far: Decimal, limit: Decimal) -> Decimal:
        """Shares that a limit order can take at once: what is quoted, and beyond it what its limit pays for."""
        assert self._impact is not None
        order, window, taken = live.order, self._window(view), self._taken_in(view).by(live.order.side)
        quoted = view.quote.ask_size if order.side is OrderSide.BUY else view.quote.bid_size
        within = self._impact.affordable(
            far, abs(limit - far), taken, live.wanted(far), window.volume, fractional=order.is_fractional
        )
        return max(within, quoted - taken, _ZERO)

    def _window(self, view: MarketView) -> Window:
        if self._movable is not None:
            return self._movable.window(view.quote.symbol)
        return Window((view.quote.at - _EPOCH) // _MICROSECOND, view.volume)

    def _taken_in(self, view: MarketView) -> Taken:
        """What our orders have taken in the present window."""
        number, known = self._window(view).number, self._taken.get(view.quote.symbol)
        if known is None or known.window != number:
            known = self._taken[view.quote.symbol] = Taken(number)
        return known

    def _trade(
        self,
        live: LiveOrder,
        view: MarketView,
        base: Decimal,
        *,
        takes: bool,
        most: Decimal | None = None,
    ) -> Trade | None:
        """Size and price of an execution around `base`.

        Args:
            takes: it takes liquidity without a limit, so it pays slippage.
            most: shares that there are for it, None for no such cap.
        """
        order = live.order
        quantity = wanted = live.wanted(base)
        if self._splits or most is not None or view.budget is not None:
            quantity = self._size(live, view, wanted, most)
        if not quantity:
            return None
        slips = takes and self._slips
        volume = _ZERO if view.stands else view.volume
        adverse = self._slippage.adverse(order.side, view.quote, quantity, volume) if slips else _ZERO
        taken = self._taken_in(view) if self._impact is not None and (takes or not live.rested) else None
        if taken is not None and self._impact is not None:
            impact = self._impact.adverse(base, taken.by(order.side), quantity, self._window(view).volume)
            adverse += to_nearest_tick(impact, base)
        price = fill_price(order.side, base, adverse, order.limit_price)
        if order.notional is not None:  # slippage makes it more shares, or fewer
            cap, wanted = quantity if quantity < wanted else most, live.wanted(price)
            quantity = available(wanted if cap is None else min(wanted, cap), view.budget, fractional=True)
        if view.budget is not None:
            view.budget -= quantity
        if taken is not None:
            taken.add(order.side, quantity)
        return Trade(quantity, price, quantity == wanted) if quantity else None

    def _size(self, live: LiveOrder, view: MarketView, wanted: Decimal, most: Decimal | None) -> Decimal:
        fractional = live.order.is_fractional
        there = wanted if most is None else min(wanted, most)
        quantity = available(there, view.budget, fractional=fractional)
        if live.order.time_in_force is TimeInForce.FOK:
            return quantity if quantity == wanted else _ZERO
        return self._fills.part(quantity, self._random, fractional=fractional) if quantity else quantity


def _is_news(quote: Quote, known: Quote) -> bool:
    if quote.at != known.at:
        return quote.at > known.at
    if quote is known or quote.sequence < known.sequence:
        return False
    return quote != msgspec.structs.replace(known, received_at=quote.received_at)  # heard again, it says nothing new


IMMEDIATE = frozenset({TimeInForce.IOC, TimeInForce.FOK})
"""Orders that trade on arrival or never."""
