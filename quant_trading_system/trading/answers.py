"""What strategies say to a bar: signals, orders and parent orders, or nothing because they failed."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from quant_trading_system.core.exceptions import StrategyError
from quant_trading_system.core.orders import Order
from quant_trading_system.core.signals import Signal
from quant_trading_system.core.wording import LONGEST_REASON, printable
from quant_trading_system.execution.algo.parent import ParentOrder
from quant_trading_system.trading.algo_planning import EXECUTIONS
from quant_trading_system.trading.strategy import Strategy

Wish = Signal | Order | ParentOrder
"""What a strategy may say."""
_WISHES = (Signal, Order, ParentOrder)
Answer = tuple[Strategy, list[Wish] | Exception]
"""What one strategy said to a bar, or why it could not say anything."""


def understood(strategy: Strategy, wanted: Iterable[object]) -> list[Wish]:
    """What a strategy said, provided that all of it is understood.

    Raises:
        TypeError: it is no list of wishes, or something else is among them.
        StrategyError: a signal names an execution that does not exist.
    """
    if isinstance(wanted, str) or not hasattr(wanted, "__iter__"):  # asked at every bar: `Iterable` would take longer
        raise TypeError(
            f"{strategy.name} returned a {type(wanted).__name__}; yield what is wanted, or return it in a list"
        )
    wishes: list[Wish] = []
    for wish in wanted:
        if not isinstance(wish, _WISHES):
            raise TypeError(f"{strategy.name} returned a {type(wish).__name__}; only signals and orders are understood")
        if isinstance(wish, Signal) and wish.execution not in EXECUTIONS:
            raise StrategyError(
                f"signal for {wish.symbol}: execution {wish.execution!r} is none of "
                f"{', '.join(sorted(filter(None, EXECUTIONS)))}"
            )
        wishes.append(wish)
    return wishes


def spoken_by(signal: Signal, strategy: str) -> Signal:
    """The signal as one of that strategy, with a reason that fits into a record."""
    reason = printable(signal.reason)[:LONGEST_REASON]
    if signal.source == strategy and signal.reason == reason:
        return signal
    return msgspec.structs.replace(signal, source=strategy, reason=reason)


def signed_by(order: Order | ParentOrder, strategy: str) -> Order | ParentOrder:
    """The order as one of that strategy."""
    return order.signed_by(strategy) if isinstance(order, Order) else msgspec.structs.replace(order, strategy=strategy)
