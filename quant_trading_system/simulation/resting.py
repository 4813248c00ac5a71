"""How long resting orders rest: at how many of the coming steps of the market an order does nothing at all."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.core.orders import OrderSide, OrderType, TimeInForce
from quant_trading_system.market.history import MICROS, dollars
from quant_trading_system.simulation.live_orders import LiveOrder

_CENT = MICROS // 100

Integers = NDArray[np.int64]
_Steps = NDArray[np.bool_]


class Path(NamedTuple):
    """The prices of one symbol at steps that are to come: sound quotes, micro-dollars, int64 [steps]."""

    last: Integers
    bid: Integers
    ask: Integers


def quiet_steps(live: LiveOrder, path: Path, *, through: bool) -> int:
    """How many steps leave the order as it is, a trailing stop apart; 0 for an order that is not at rest.

    The steps lie within one session. Where an order is close to the market it may be said to move though it does not.

    Args:
        through: limits trade only when the quote is better than they are.
    """
    if live.cancel_requested_at is not None or live.replaced_by:
        return 0
    if live.passive:  # of the exits of a group a stop-loss alone looks at prices
        return len(path.last) if live.stop is None else _steps_before(_elects(live, live.stop, path.last))
    in_force = live.order.time_in_force
    if live.status is OrderStatus.HELD or (in_force is TimeInForce.CLS and live.is_working):
        return len(path.last)  # it waits for an opening or a close
    if not live.is_working or in_force in (TimeInForce.IOC, TimeInForce.FOK, TimeInForce.OPG):
        return 0
    if live.waits_for_stop:
        return _steps_before(_sets_off(live, path.last))
    if live.order.limit_price is None or not live.rested:
        return 0
    return _steps_before(_trades(live.order.side, _micros(live.order.limit_price), path, through=through))


def follow(live: LiveOrder, path: Path) -> None:
    """Move a trailing stop along with steps that were passed over."""
    if live.order.order_type is OrderType.TRAILING_STOP and live.is_working and live.waits_for_stop:
        best = path.last.max() if live.order.side is OrderSide.SELL else path.last.min()
        live.follow(dollars(best.item()))


def _elects(live: LiveOrder, stop: Decimal, last: Integers) -> _Steps:
    at = _micros(stop)
    return last >= at if live.order.side is OrderSide.BUY else last <= at


def _sets_off(live: LiveOrder, last: Integers) -> _Steps:
    if live.order.order_type is not OrderType.TRAILING_STOP:
        return np.ones_like(last, dtype=bool) if live.stop is None else _elects(live, live.stop, last)
    if live.high_water_mark is None:
        return np.ones_like(last, dtype=bool)
    sells, mark = live.order.side is OrderSide.SELL, _micros(live.high_water_mark)
    best = np.maximum if sells else np.minimum
    marks = best.accumulate(best(last, mark)).astype(np.float64)
    fixed, share = live.order.trail_price, live.order.trail_percent
    distance = marks * float(share or 0) / 100.0 if fixed is None else float(fixed) * MICROS
    return last <= marks - distance + _CENT if sells else last >= marks + distance - _CENT  # stops are rounded to cents


def _trades(side: OrderSide, limit: int, path: Path, *, through: bool) -> _Steps:
    if side is OrderSide.BUY:
        return path.ask < limit if through else path.ask <= limit
    return path.bid > limit if through else path.bid >= limit


def _steps_before(happens: _Steps) -> int:
    first = int(happens.argmax())
    return first if happens[first] else len(happens)


def _micros(price: Decimal) -> int:
    """Micro-dollars; ticks are larger."""
    return int(price * MICROS)
