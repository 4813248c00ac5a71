"""What a user writes: a strategy looks at the past and says what it believes.

It never sees a broker, orders of others or the future. The same class runs in a backtest, on the local venue and
live; only clock, feed and broker are swapped underneath.

>>> from quant_trading_system.trading.strategy import MarketView, Strategy
>>> class BuyTheDip(Strategy):
...     def on_bar(self, market: MarketView):
...         for symbol in market.symbols:
...             closes = market.closes(symbol, 21)
...             if len(closes) == 21 and closes[-1] < 0.95 * closes.max():
...                 yield market.long(symbol, weight="0.05", reason="5 % below its monthly high")
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from quant_trading_system.core.events import FillCorrected, FillEvent
from quant_trading_system.core.exceptions import MarketDataError, StrategyError
from quant_trading_system.core.numbers import exact, tidy
from quant_trading_system.core.orders import Order
from quant_trading_system.core.signals import Direction, Signal
from quant_trading_system.market.history_view import HistoryView
from quant_trading_system.risk.portfolio import Portfolio
from quant_trading_system.trading.order_wishes import (
    CancelWish,
    EndedOrder,
    OpenOrder,
    OpenParent,
    OrdersInSight,
    ReplaceWish,
    id_of,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Number = Decimal | str | int


class MarketView:
    """What a strategy may know at the end of a bar, and the words in which it answers.

    Attributes:
        bar: counts the bars of this run from 1.
        symbols: the symbols with prices, in a fixed order.
    """

    def __init__(
        self,
        history: HistoryView,
        portfolio: Portfolio,
        strategy: str,
        bar: int,
        look: Callable[[], object] | None = None,
        own: OrdersInSight | None = None,
    ) -> None:
        """Look at the end of a bar.

        Args:
            look: values positions when a strategy asks, where that has not been done yet.
            own: tells the strategy of its orders; None where there are none.
        """
        self._history = history
        self._own = own
        self._look = look
        self._portfolio = portfolio
        self._strategy = strategy
        self.bar = bar
        self.symbols = history.symbols

    @cached_property
    def now(self) -> datetime:
        """The end of the bar, UTC."""
        return self._history.now

    @property
    def equity(self) -> Decimal:
        """Dollars."""
        if self._look is not None:
            self._look()
        return self._portfolio.equity

    def position(self, symbol: str) -> Decimal:
        """Signed shares held.

        Raises:
            StrategyError: the symbol is neither among `symbols` nor held.
        """
        held = self._portfolio.position(symbol).quantity
        if not held:
            self._require_symbol(symbol)
        return held

    def average_price(self, symbol: str) -> Decimal | None:
        """What a share of the position has cost on average, in dollars before fees; None while nothing is held.

        Raises:
            StrategyError: as `position`.
        """
        return tidy(self._portfolio.position(symbol).average_price) if self.position(symbol) else None

    def close(self, symbol: str) -> Decimal | None:
        """The latest close known by now in dollars, exact; None before the first bar of `symbol`.

        Raises:
            StrategyError: the symbol is not among `symbols`.
        """
        self._require_symbol(symbol)
        try:
            return self._history.close(symbol)
        except MarketDataError:
            return None

    def _require_symbol(self, symbol: str) -> None:
        if not self._history.has_symbol(symbol):
            raise StrategyError(f"{symbol} is not among the symbols of this run")

    def _require_symbol_or_holding(self, symbol: str) -> None:
        if not self._portfolio.position(symbol).quantity:
            self._require_symbol(symbol)

    def closes(self, symbol: str, bars: int) -> NDArray[np.float64]:
        """The last `bars` closes or fewer, oldest first, for statistics; NaN where a bar is missing."""
        return self._history.closes(symbol, bars)

    def opens(self, symbol: str, bars: int) -> NDArray[np.float64]:
        """The last `bars` opening prices or fewer, as `closes`.

        Raises:
            MarketDataError: only closes are known.
        """
        return self._history.opens(symbol, bars)

    def highs(self, symbol: str, bars: int) -> NDArray[np.float64]:
        """The last `bars` highest prices or fewer, as `opens`."""
        return self._history.highs(symbol, bars)

    def lows(self, symbol: str, bars: int) -> NDArray[np.float64]:
        """The last `bars` lowest prices or fewer, as `opens`."""
        return self._history.lows(symbol, bars)

    def volumes(self, symbol: str, bars: int) -> NDArray[np.float64]:
        """Shares traded in the last `bars` bars or fewer, oldest first; NaN where a bar or its volume is missing.

        Raises:
            MarketDataError: no volumes are known.
        """
        return self._history.volumes(symbol, bars)

    @property
    def known_bars(self) -> int:
        """How many bars are known by now, those from before this run included."""
        return len(self._history)

    def all_closes(self, bars: int | None = None) -> NDArray[np.float64]:
        """The last `bars` closes of all symbols or fewer, shape [bars, symbols]; NaN where a bar is missing.

        Without `bars` all that are known: a copy that grows with every bar.
        """
        return self._history.all_closes(bars)

    def returns(self, bars: int) -> NDArray[np.float64]:
        """The last `bars` simple returns of all symbols or fewer, shape [bars, symbols]."""
        return self._history.returns(bars)

    def long(self, symbol: str, **wish: object) -> Signal:
        """A wish to hold `symbol`; see `Signal` for `weight`, `strength`, `stop_price`, `reason` and all else."""
        return self._signal(symbol, Direction.LONG, wish)

    def short(self, symbol: str, **wish: object) -> Signal:
        """A wish to be short of `symbol`."""
        return self._signal(symbol, Direction.SHORT, wish)

    def flat(self, symbol: str, **wish: object) -> Signal:
        """A wish to hold nothing of `symbol`."""
        return self._signal(symbol, Direction.FLAT, wish)

    def open_orders(self, symbol: str | None = None) -> tuple[OpenOrder, ...]:
        """The strategy's own orders that may trade still, oldest first; of one symbol if asked.

        Those of earlier runs of the program are among them, and so are the orders of its signals. Slices of parent
        orders are not: see `open_parents`. What is said to this bar is there at the next one.

        Raises:
            StrategyError: the symbol is neither among `symbols` nor held, and no order of it is open.
        """
        found = () if self._own is None else self._own.open_orders(self._strategy, symbol)
        if symbol is not None and not found:
            self._require_symbol_or_holding(symbol)
        return found

    def open_parents(self, symbol: str | None = None) -> tuple[OpenParent, ...]:
        """The strategy's own orders that an algorithm works, as far as they have not ended.

        Raises:
            StrategyError: as `open_orders`.
        """
        found = () if self._own is None else self._own.open_parents(self._strategy, symbol)
        if symbol is not None and not found:
            self._require_symbol_or_holding(symbol)
        return found

    def cancel(self, order: OpenOrder | OpenParent | str, *, reason: str = "") -> CancelWish:
        """The wish that an own order or parent ends without trading any more; one that has ended is left alone.

        A strategy that says it of an order that is not its own, or that does not exist, is stopped.

        Args:
            order: one of `open_orders` or `open_parents`, or its id.

        Raises:
            StrategyError: it is something else.
        """
        return CancelWish(order_id=id_of(order, "cancel"), reason=reason)

    def replace(
        self,
        order: OpenOrder | str,
        *,
        quantity: Number | None = None,
        limit_price: Number | None = None,
        stop_price: Number | None = None,
        trail: Number | None = None,
    ) -> ReplaceWish:
        """The wish that an own order becomes another one; one that has ended is left alone.

        A strategy that says it of an order that is not its own, or cannot be changed like that, is stopped.

        Args:
            quantity: shares in all, what has filled already included.
            limit_price, stop_price: dollars a share; `trail`: dollars or percent, whichever the order has.

        Raises:
            StrategyError: as `cancel`, nothing is to change, or a number is not exact and above zero.
        """
        terms = {"quantity": quantity, "limit_price": limit_price, "stop_price": stop_price, "trail": trail}
        return ReplaceWish(order_id=id_of(order, "replace"), **terms)  # type: ignore[arg-type]  # it makes them exact

    def _signal(self, symbol: str, direction: Direction, wish: dict[str, object]) -> Signal:
        lasts = wish.pop("lasts", None)
        for field in ("weight", "strength", "confidence", "stop_price"):
            value = wish.get(field)
            if isinstance(value, str | int) and not isinstance(value, bool):
                wish[field] = exact(value)
        if lasts is not None and not isinstance(lasts, timedelta):
            raise StrategyError(f"signal for {symbol}: lasts takes a timedelta, not {lasts!r}")
        expires = None if lasts is None else self.now + lasts
        return Signal(
            symbol=symbol,
            direction=direction,
            at=self.now,
            source=self._strategy,
            expires_at=expires,
            **wish,  # type: ignore[arg-type]  # the fields of Signal, which checks them itself
        )


class ParentWish(Protocol):
    """An order that an algorithm is to work, as it was written out: a `ParentOrder` of `execution_algo`."""

    @property
    def parent_id(self) -> str:
        """Replaced by an id of the run."""

    @property
    def symbol(self) -> str:
        """What is to be traded."""


Said = Signal | Order | CancelWish | ReplaceWish | ParentWish
"""What a strategy may say."""


class Strategy:
    """Base of all strategies; override `on_bar`, and give the class or the object a `name`.

    The other methods may be overridden, too: they tell of its own orders, at the end of the bar and before `on_bar`, in
    the turn in which things happened, each once. What they yield or return counts as if `on_bar` had said it.
    """

    name: str = ""

    def __init_subclass__(cls) -> None:
        cls.name = cls.__dict__.get("name", "") or cls.__name__

    def on_bar(self, market: MarketView) -> Iterable[Said] | None:  # noqa: ARG002 - for those who override it
        """Called at the end of every bar. Yield or return what is wanted.

        A `Signal` is a wish for a position and is sized for you. An `Order` is sent as it is, through the same
        gate, when the exchange is next open. A `ParentOrder` is worked by its algorithm, under an id of the run.
        `market.cancel` and `market.replace` take back or change what was sent earlier.

        Raises:
            StrategyError: a subclass did not write this method.
        """
        raise StrategyError(f"{type(self).__name__} needs a method on_bar(self, market)")

    def on_fill(self, fill: FillEvent, market: MarketView) -> Iterable[Said] | None:  # noqa: ARG002
        """An order of this strategy has filled, or a part of it; called for every execution."""
        return None

    def on_fill_corrected(self, fill: FillCorrected, market: MarketView) -> Iterable[Said] | None:  # noqa: ARG002
        """The broker has taken an execution back, or changed it; it was told as a fill before."""
        return None

    def on_order_ended(self, order: EndedOrder, market: MarketView) -> Iterable[Said] | None:  # noqa: ARG002
        """An order of this strategy has ended before all of it had filled: refused, rejected, cancelled or expired."""
        return None


def hears(strategy: Strategy) -> bool:
    """It overrides one of the methods that tell of its orders."""
    return any(getattr(getattr(strategy, name), "__func__", None) is not getattr(Strategy, name) for name in _HOOKS)


_HOOKS = ("on_fill", "on_fill_corrected", "on_order_ended")
