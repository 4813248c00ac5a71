"""How long resting orders rest: what price wakes an order, and at how many of the coming steps it does nothing."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.core.orders import OrderSide, OrderType, TimeInForce
from quant_trading_system.market.history import MICROS, dollars
from quant_trading_system.simulation.live_orders import LiveOrder

_CENT = MICROS // 100
_BUY, _TRAILING_STOP, _CLS = OrderSide.BUY, OrderType.TRAILING_STOP, TimeInForce.CLS
_UNSETTLED = frozenset({TimeInForce.IOC, TimeInForce.FOK, TimeInForce.OPG})
"""Orders that end at the first quote."""

Integers = NDArray[np.int64]
Steps = NDArray[np.bool_]


class Path(NamedTuple):
    """The prices of one symbol at steps that are to come: sound quotes, micro-dollars, int64 [steps]."""

    last: Integers
    bid: Integers
    ask: Integers


class Paths(NamedTuple):
    """The same of many symbols: int64 [steps, symbols]; `columns` tells where each of them stands."""

    last: Integers
    bid: Integers
    ask: Integers
    columns: Mapping[str, int]

    def of(self, symbol: str) -> Path:
        """Those of one symbol."""
        column = self.columns[symbol]
        return Path(self.last[:, column], self.bid[:, column], self.ask[:, column])


class Waits(StrEnum):
    """What an order at rest waits for: that a price of the market comes to its own."""

    ASK_FALLS = "ask falls"  # limits
    BID_RISES = "bid rises"
    LAST_FALLS = "last falls"  # stops
    LAST_RISES = "last rises"
    TRAILED_FALLS = "trailed price falls"  # to the stop or the best price of a trailing stop
    TRAILED_RISES = "trailed price rises"


Rest = tuple[tuple[Waits, Decimal], ...]
"""What wakes an order, any of them; nothing for one that waits for an opening, a close or its group."""


def rest_of(live: LiveOrder) -> Rest | None:
    """What a quote must reach before the order does anything at all; None for an order that is not at rest.

    It may be said to wake though it does nothing. Queues are not looked at: in them nobody rests.
    """
    if live.cancel_requested_at is not None or live.replaced_by:
        return None
    working = live.is_working
    if live.passive:  # of the exits of a group a stop-loss alone looks at prices
        return None if working else _at_stop(live)
    in_force = live.order.time_in_force
    if live.status is OrderStatus.HELD or (in_force is _CLS and working):
        return ()
    if not working or in_force in _UNSETTLED:
        return None
    if live.waits_for_stop:
        return _trailed(live) if live.order.order_type is _TRAILING_STOP else _at_stop(live) or None
    limit = live.order.limit_price
    if limit is None or not live.rested:
        return None
    return ((Waits.ASK_FALLS if live.order.side is _BUY else Waits.BID_RISES, limit),)


def _at_stop(live: LiveOrder) -> Rest:
    if live.stop is None:
        return ()
    return ((Waits.LAST_RISES if live.order.side is _BUY else Waits.LAST_FALLS, live.stop),)


def _trailed(live: LiveOrder) -> Rest | None:
    """It moves with a new best price, and is set off at its stop."""
    mark, stop = live.high_water_mark, live.stop
    if mark is None or stop is None:
        return None
    low, high = (mark, stop) if live.order.side is _BUY else (stop, mark)
    return (Waits.TRAILED_FALLS, low), (Waits.TRAILED_RISES, high)


def quiet_steps(live: LiveOrder, path: Path, *, through: bool) -> int:
    """How many steps leave the order as it is, a trailing stop apart; 0 for an order that is not at rest.

    The steps lie within one session. Where an order is close to the market it may be said to move though it does not.

    Args:
        through: limits trade only when the quote is better than they are.
    """
    rest = rest_of(live)
    if rest is None:
        return 0
    if live.is_working and live.waits_for_stop and live.order.order_type is _TRAILING_STOP:
        return steps_before(_sets_off(live, path.last))
    steps = len(path.last)
    for waits, price in rest:
        steps = min(steps, steps_before(reaches(waits, side_of(waits, path), micros(price), through=through)))
    return steps


def follow(live: LiveOrder, path: Path) -> None:
    """Move a trailing stop along with steps that were passed over."""
    if live.order.order_type is _TRAILING_STOP and live.is_working and live.waits_for_stop:
        best = path.last.max() if live.order.side is OrderSide.SELL else path.last.min()
        live.follow(dollars(best.item()))


def side_of(waits: Waits, path: Path | Paths) -> Integers:
    """The prices that an order looks at while it waits."""
    match waits:
        case Waits.ASK_FALLS:
            return path.ask
        case Waits.BID_RISES:
            return path.bid
        case _:
            return path.last


def reaches(waits: Waits, prices: Integers, own: int | Integers, *, through: bool) -> Steps:
    """Where prices of the market are where an order waits for them, with its own price in micro-dollars."""
    match waits:
        case Waits.ASK_FALLS if through:
            return prices < own
        case Waits.BID_RISES if through:
            return prices > own
        case Waits.ASK_FALLS | Waits.LAST_FALLS | Waits.TRAILED_FALLS:
            return prices <= own
        case _:
            return prices >= own


def micros(price: Decimal) -> int:
    """Micro-dollars; ticks are larger."""
    return int(price * MICROS)


def steps_before(happens: Steps) -> int:
    """How many steps there are before it happens, all of them when it does not."""
    first = int(happens.argmax())
    return first if happens[first] else len(happens)


def _sets_off(live: LiveOrder, last: Integers) -> Steps:
    """A trailing stop that has seen a trade could be set off; its stop moves on the way."""
    assert live.high_water_mark is not None
    sells, mark = live.order.side is OrderSide.SELL, micros(live.high_water_mark)
    best = np.maximum if sells else np.minimum
    marks = best.accumulate(best(last, mark)).astype(np.float64)
    fixed, share = live.order.trail_price, live.order.trail_percent
    distance = marks * float(share or 0) / 100.0 if fixed is None else float(fixed) * MICROS
    return last <= marks - distance + _CENT if sells else last >= marks + distance - _CENT  # stops are rounded to cents
