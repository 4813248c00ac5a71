"""The trading floor: how one working order meets one quote."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import NamedTuple

import msgspec

from quant_trading_system.core.orders import OrderSide, TimeInForce
from quant_trading_system.market.quotes import Quote
from quant_trading_system.simulation.live_orders import LiveOrder
from quant_trading_system.simulation.matching import available, elected, fill_price, marketable
from quant_trading_system.simulation.models import FillModel, RandomState, SlippageModel, state_of, with_state

_ZERO = Decimal(0)


class MarketView:
    """What the floor sees of one symbol in one step of the market.

    Attributes:
        volume: shares that trade in the step, None when nobody says.
        budget: shares that are left for our orders, None for no cap.
    """

    __slots__ = ("budget", "quote", "volume")

    def __init__(self, quote: Quote, volume: Decimal | None, budget: Decimal | None) -> None:
        self.quote = quote
        self.volume = volume
        self.budget = budget

    @property
    def price(self) -> Decimal:
        """What a share is worth: the last trade, or the middle of the quote before the first."""
        return self.quote.mid if self.quote.last is None else self.quote.last


class Trade(NamedTuple):
    """An execution that the floor offers.

    Attributes:
        quantity: shares; `price`: dollars a share, on the tick.
        complete: nothing of the order is left.
    """

    quantity: Decimal
    price: Decimal
    complete: bool


class FloorState(msgspec.Struct, frozen=True, kw_only=True):
    """What the floor has seen, to be kept: quotes, volumes and what is left of them."""

    random: RandomState
    views: list[tuple[Quote, Decimal | None, Decimal | None]]
    halted: list[str]


class TradingFloor:
    """Decides what trades; the venue books it.

    Attributes:
        halted: symbols that nobody trades for the time being.
    """

    def __init__(self, slippage: SlippageModel, fills: FillModel, random: Random) -> None:
        self.halted: set[str] = set()
        self._slippage = slippage
        self._fills = fills
        self._random = random
        self._views: dict[str, MarketView] = {}

    def see(self, quote: Quote, volume: Decimal | None) -> MarketView | None:
        """What the floor knows of the symbol after this quote: a flawed, old or repeated one changes nothing."""
        known = self._views.get(quote.symbol)
        if quote.flaw or (known is not None and not _is_news(quote, known.quote)):
            return known
        view = self._views[quote.symbol] = MarketView(quote, volume, self._fills.budget(volume))
        return view

    def view(self, symbol: str) -> MarketView | None:
        """The latest sound quote of the symbol with what is left of its volume, None before the first."""
        return self._views.get(symbol)

    def prices(self) -> dict[str, Decimal]:
        """Dollars a share of every symbol that was seen."""
        return {symbol: view.price for symbol, view in self._views.items()}

    def state(self) -> FloorState:
        """Everything, to be kept."""
        views = [(view.quote, view.volume, view.budget) for view in self._views.values()]
        return FloorState(random=state_of(self._random), views=views, halted=sorted(self.halted))

    def restore(self, state: FloorState) -> None:
        """Be as it was."""
        self._random = with_state(state.random)
        self.halted = set(state.halted)
        self._views = {quote.symbol: MarketView(quote, volume, budget) for quote, volume, budget in state.views}

    def continuous(self, live: LiveOrder, view: MarketView) -> Trade | None:
        """The trade of a working order against the quote, None when there is none now.

        Stop orders are set off here, trailing stops follow the last trade, and limit orders that the quote
        does not reach begin to rest.
        """
        order, quote = live.order, view.quote
        if quote.symbol in self.halted:
            return None
        if live.waits_for_stop and not self._set_off(live, quote.last):
            return None
        far = quote.ask if order.side is OrderSide.BUY else quote.bid
        limit = order.limit_price
        if limit is None:
            return self._trade(live, view, far, takes=True)
        if not marketable(order.side, limit, far, through=live.rested and self._fills.through):
            live.rested = True
            return None
        return self._trade(live, view, limit if live.rested else far, takes=False)

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

    def _trade(self, live: LiveOrder, view: MarketView, base: Decimal, *, takes: bool) -> Trade | None:
        """Size and price of an execution around `base`.

        Args:
            takes: it takes liquidity without a limit, so it pays slippage.
        """
        order = live.order
        quantity = self._size(live, view, live.wanted(base))
        if not quantity:
            return None
        adverse = self._slippage.adverse(order.side, view.quote, quantity, view.volume) if takes else _ZERO
        price = fill_price(order.side, base, adverse, order.limit_price)
        wanted = live.wanted(price)
        quantity = min(quantity, wanted)
        if view.budget is not None:
            view.budget -= quantity
        return Trade(quantity, price, quantity == wanted) if quantity else None

    def _size(self, live: LiveOrder, view: MarketView, wanted: Decimal) -> Decimal:
        fractional = live.order.is_fractional
        quantity = available(wanted, view.budget, fractional=fractional)
        if live.order.time_in_force is TimeInForce.FOK:
            return quantity if quantity == wanted else _ZERO
        return self._fills.part(quantity, self._random, fractional=fractional) if quantity else quantity


def _is_news(quote: Quote, known: Quote) -> bool:
    return (quote.at, quote.sequence) >= (known.at, known.sequence) and quote != known


IMMEDIATE = frozenset({TimeInForce.IOC, TimeInForce.FOK})
"""Orders that trade on arrival or never."""
AUCTIONS = frozenset({TimeInForce.OPG, TimeInForce.CLS})
"""Orders that trade in an auction or never."""
