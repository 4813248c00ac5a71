"""What strategies say to a bar: signals, orders, cancels and changes, or nothing because they failed."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from quant_trading_system.core.exceptions import StrategyError
from quant_trading_system.core.orders import Order
from quant_trading_system.core.signals import Signal
from quant_trading_system.core.wording import LONGEST_REASON, asked_by_strategy, printable
from quant_trading_system.execution.algo.parent import ParentOrder
from quant_trading_system.trading.algo_planning import EXECUTIONS
from quant_trading_system.trading.order_wishes import CancelWish, OpenOrder, OpenParent, ReplaceWish
from quant_trading_system.trading.own_orders import Owners
from quant_trading_system.trading.strategy import Strategy

Given = Order | ParentOrder | ReplaceWish
"""What goes to the gate as it was written out."""
Wish = Signal | Given | CancelWish
"""What a strategy may say."""
_WISHES = (Signal, Order, ParentOrder, CancelWish, ReplaceWish)
Answer = tuple[Strategy, list[Wish] | Exception]
"""What one strategy said to a bar, or why it could not say anything."""


def understood(strategy: Strategy, wanted: Iterable[object], owners: Owners) -> list[Wish]:
    """What a strategy said, provided that all of it is understood; cancels come first.

    Args:
        owners: know which orders are the strategy's.

    Raises:
        TypeError: it is no list of wishes, or something else is among them.
        StrategyError: a signal names an execution that does not exist, or an order cannot be cancelled or changed.
    """
    if isinstance(wanted, str) or not hasattr(wanted, "__iter__"):  # asked at every bar: `Iterable` would take longer
        raise TypeError(
            f"{strategy.name} returned a {type(wanted).__name__}; yield what is wanted, or return it in a list"
        )
    wishes: list[Wish] = []
    cancels: list[Wish] = []
    for wish in wanted:
        if not isinstance(wish, _WISHES):
            raise TypeError(f"{strategy.name} returned {_not_understood(wish)}")
        if isinstance(wish, Signal):
            if wish.execution not in EXECUTIONS:
                raise StrategyError(
                    f"signal for {wish.symbol}: execution {wish.execution!r} is none of "
                    f"{', '.join(sorted(filter(None, EXECUTIONS)))}"
                )
        elif isinstance(wish, CancelWish | ReplaceWish):
            owners.require(strategy.name, wish)
            if isinstance(wish, CancelWish):
                cancels.append(wish)
                continue
        wishes.append(wish)
    return cancels + wishes if cancels else wishes


def _not_understood(said: object) -> str:
    """What it is instead of a wish, and what would be one."""
    if isinstance(said, OpenOrder | OpenParent):
        kind = type(said).__name__
        return f"an {kind}, which is a picture of an order; yield market.cancel(…) or market.replace(…) of it"
    if isinstance(said, list | tuple):
        return f"a {type(said).__name__} among its wishes; yield what is in it one by one, as by yield from"
    return f"something of type {type(said).__name__}; only signals, orders, cancels and changes are understood"


def spoken_by(signal: Signal, strategy: str) -> Signal:
    """The signal as one of that strategy, with a reason that fits into a record."""
    reason = printable(signal.reason)[:LONGEST_REASON]
    if signal.source == strategy and signal.reason == reason:
        return signal
    return msgspec.structs.replace(signal, source=strategy, reason=reason)


def signed_by(given: Given, strategy: str) -> Given:
    """The order or change as one of that strategy."""
    return given.signed_by(strategy) if isinstance(given, Order) else msgspec.structs.replace(given, strategy=strategy)


def withdrawn_by(wish: CancelWish, strategy: str) -> CancelWish:
    """The cancel as one of that strategy, with a reason that says so and fits into a record."""
    reason = asked_by_strategy(strategy, wish.reason)
    return msgspec.structs.replace(wish, strategy=strategy, reason=reason)
