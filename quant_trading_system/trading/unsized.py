"""Wishes that lead to no order, and the record of it: once, and not at every bar that repeats them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from quant_trading_system.core.decisions import Rule
from quant_trading_system.core.events import WishNotSized
from quant_trading_system.core.numbers import ZERO, plain
from quant_trading_system.core.signals import Direction, Signal
from quant_trading_system.risk.position_sizer import Sizing
from quant_trading_system.trading.planning import ExecutionPolicy


class Unsized:
    """Puts on record that a wish has no size; once, until an order is sent for its symbol or the reason changes."""

    def __init__(self, record: Callable[[WishNotSized], object]) -> None:
        self._record = record
        self._told: dict[str, tuple[str, str]] = {}

    def tell(self, signal: Signal, sizing: Sizing, moment: datetime) -> None:
        """Record it, if it is news; a wish to hold nothing needs no size."""
        reason = (signal.source, sizing.bound_by)
        if sizing.quantity or signal.direction is Direction.FLAT or self._told.get(signal.symbol) == reason:
            return
        self._told[signal.symbol] = reason
        self._record(
            WishNotSized(
                at=moment,
                symbol=signal.symbol,
                strategy=signal.source,
                bound_by=sizing.bound_by,
                detail=sizing.detail,
            )
        )

    def forget(self, symbol: str) -> None:
        """An order is sent for the symbol: what is said of it next is news."""
        self._told.pop(symbol, None)


def no_room(rule: Rule, change: Decimal) -> Sizing:
    """No size, for `rule` leaves none of `change` shares."""
    words = f"the limit leaves no room for any of {plain(abs(change))} shares"
    return Sizing(quantity=ZERO, bound_by=rule.value, detail=words)


def too_small(change: Decimal, price: Decimal, policy: ExecutionPolicy) -> Sizing:
    """No size, for a position of `change` shares at `price` dollars is not worth its costs."""
    words = f"{plain(abs(change))} shares at {plain(price)} are worth less than {policy.min_trade_pct:.2%} of equity"
    return Sizing(quantity=ZERO, bound_by="min_trade_pct", detail=words)
