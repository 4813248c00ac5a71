"""Whether the broker would take the prices of a bracket, OCO or OTO order.

Which price the broker takes for the market's, the last trade or the middle of its own quote, is not documented. So the
market refuses here only what either of them refuses.

Source:
    Alpaca, "Placing orders": exits lie at least a cent from the base price, each on its own side. That is the limit of
    the entry, in an OCO order that of the take-profit, and else the market's price, which holds for stops in any case.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from quant_trading_system.core.decisions import CheckResult, Rule, Unit
from quant_trading_system.core.numbers import ZERO, plain
from quant_trading_system.core.orders import Order, OrderClass, OrderSide
from quant_trading_system.market.quotes import Quote

_CENT = Decimal("0.01")


class _Bound(NamedTuple):
    """How far an exit has to lie from a price.

    Attributes:
        at: where the exit lies, dollars.
        way: +1 for an exit that must lie above `price`, -1 for one below.
        gap: dollars between them at least; 0 where any distance will do.
        what: whose price it is.
    """

    exit: str
    at: Decimal
    way: int
    price: Decimal
    gap: Decimal
    what: str

    @property
    def is_kept(self) -> bool:
        """The exit lies far enough on its side."""
        distance = self.way * (self.at - self.price)
        return distance > ZERO and distance >= self.gap

    @property
    def refusal(self) -> str:
        """What is wrong, in words that say what would be right."""
        where = f"{'at least a cent ' if self.gap else ''}{'above' if self.way > 0 else 'below'}"
        return f"the {self.exit} at {plain(self.at)} must lie {where} {self.what} at {plain(self.price)}"


def exit_refused(order: Order, quote: Quote) -> CheckResult | None:
    """The first exit of a group that is too near to its base price, or on the wrong side of it; None without any.

    Args:
        quote: a sound one.
    """
    for bound in _bounds(order, quote):
        if not bound.is_kept:
            nearest = bound.price + bound.way * bound.gap
            return CheckResult(Rule.PRICE_COLLAR, False, None, nearest, Unit.USD, bound.refusal)
    return None


def _bounds(order: Order, quote: Quote) -> Iterator[_Bound]:
    leaves = order.order_class is OrderClass.OCO
    up = -order.side.sign if leaves else order.side.sign  # the way on which the position gains
    profit = None if order.take_profit is None else order.take_profit.limit_price
    limit, (least, most) = order.limit_price, _market(quote)
    is_buy = order.side is OrderSide.BUY
    far, side = (quote.ask, "the ask") if is_buy else (quote.bid, "the bid")
    if order.stop_loss is not None:
        loss = order.stop_loss.stop_price
        if limit is None:
            yield _Bound("stop-loss", loss, -up, far, ZERO, side)
        else:
            yield _Bound("stop-loss", loss, -up, limit, _CENT, "the limit of the entry")
        yield _Bound("stop-loss", loss, -up, most if up > 0 else least, _CENT, "the market")
        if leaves and profit is not None:
            yield _Bound("stop-loss", loss, -up, profit, _CENT, "the take-profit")
    if profit is not None and not leaves:
        if limit is None:
            yield _Bound("take-profit", profit, up, far, ZERO, side)
            yield _Bound("take-profit", profit, up, least if up > 0 else most, _CENT, "the market")
        else:
            yield _Bound("take-profit", profit, up, limit, _CENT, "the limit of the entry")


def _market(quote: Quote) -> tuple[Decimal, Decimal]:
    """The lowest and the highest price that the broker may take for the market's."""
    mid, last = quote.mid, quote.last
    if last is None or not last.is_finite() or last <= ZERO:
        return mid, mid
    return min(mid, last), max(mid, last)
