"""Step 3 of the checklist: market or limit, why, and what it is expected to cost."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import msgspec

from quant_trading_system.core.decisions import ExecutionPlan, SizeSeen
from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.core.numbers import BASIS_POINT, ONE, ZERO, ceil_to_tick, floor_to_tick
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce
from quant_trading_system.core.signals import Direction, Signal
from quant_trading_system.execution.algo.impact import AlmgrenImpact
from quant_trading_system.execution.algo.walker import AfterCrash
from quant_trading_system.market.quotes import Quote

_TENTH_BP, _HALF = Decimal("0.1"), Decimal("0.5")
_BASIS_POINTS = Decimal(10_000)
_BUY, _MARKET = OrderSide.BUY, OrderType.MARKET
_CHOICE = {order_type: order_type.value for order_type in OrderType}
_SHORTEST = timedelta(seconds=30)
_MOST_PERSONS = 5


class ExecutionPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How orders are worked when the strategy does not say.

    Attributes:
        market_spread_bps: up to this spread (basis points of the mid) a market order is sent; beyond it, a limit
            order at the far side of the quote, so that a vanishing quote cannot make it dearer.
        entry_urgency: 0 (patient) to 1 (now) for orders that open or add; exits always have 1.
        min_trade_pct: changes of a position worth less than this fraction of equity are left alone, unless they
            close it.
        drift_band: changes of a position that stay within this fraction of its target are left alone, unless they
            close it; 0.2 lets a position drift from 80 % to 120 % of what is wanted.
        fit_to_limits: an order that adds to a position is cut to the room that the limits leave for it, instead of
            being refused.
        algorithm_from_adv: from this fraction of the average daily volume on, the planner chooses between one order
            and an algorithm; None leaves that to strategies. Where the daily volume is unknown it is one order.
        slice_length: of a schedule; `participation`: own shares per share of others, at most.
        horizon: the longest that an algorithm may take; None leaves that to the planner.
        rebalance_approvals: persons who must approve a rebalance that a person asks for; 0 for none.
        impact: what trading does to the price, for the planner; None for what is usual for the stock's liquidity.
        after_crash: what becomes of parent orders that were working when the engine died; paused ones stay paused.

    Raises:
        ConfigurationError: names the field that is out of range.
    """

    market_spread_bps: Decimal = Decimal(20)
    entry_urgency: Decimal = Decimal("0.5")
    min_trade_pct: Decimal = Decimal("0.005")
    drift_band: Decimal = ZERO
    fit_to_limits: bool = False
    algorithm_from_adv: Decimal | None = Decimal("0.01")
    slice_length: timedelta = timedelta(minutes=5)
    participation: Decimal = Decimal("0.1")
    horizon: timedelta | None = None
    after_crash: AfterCrash = AfterCrash.CANCEL
    rebalance_approvals: int = 0
    impact: AlmgrenImpact | None = None

    def __post_init__(self) -> None:
        for name in ("entry_urgency", "min_trade_pct", "drift_band", "participation"):
            if not ZERO <= getattr(self, name) <= ONE:
                raise ConfigurationError(f"{name}: {getattr(self, name)} must lie within 0 to 1")
        share = self.algorithm_from_adv
        if self.market_spread_bps < 0 or not self.participation or (share is not None and share <= 0):
            raise ConfigurationError(
                "participation and algorithm_from_adv must be above 0, market_spread_bps not below"
            )
        if not 0 <= self.rebalance_approvals <= _MOST_PERSONS:
            raise ConfigurationError(f"rebalance_approvals: {self.rebalance_approvals} is not 0 to {_MOST_PERSONS}")
        if type(self.after_crash) is not AfterCrash:
            raise ConfigurationError(f"after_crash: {self.after_crash!r} must be a member of AfterCrash")
        if self.slice_length < _SHORTEST or (self.horizon is not None and self.horizon < self.slice_length):
            raise ConfigurationError(f"a slice takes {_SHORTEST.seconds} s or longer, the horizon one slice or longer")


def is_left_alone(change: Decimal, target: Decimal, price: Decimal, equity: Decimal, policy: ExecutionPolicy) -> bool:
    """True for a change of a position that is too small to be worth its costs; closing one never is.

    Args:
        change: signed shares to trade; target: signed shares held afterwards.
        price: dollars a share; equity: dollars.
    """
    if not target:
        return False
    return abs(change) * price < policy.min_trade_pct * equity or abs(change) < policy.drift_band * abs(target)


def plan_order(
    symbol: str,
    signed_quantity: Decimal,
    quote: Quote,
    policy: ExecutionPolicy,
    *,
    shrinks: bool,
    strategy: str,
    size: SizeSeen | None = None,
    repeat: bool = False,
    tag: str = "",
) -> tuple[Order, ExecutionPlan]:
    """The order for a wanted change of position, and the plan for its record.

    Args:
        signed_quantity: shares to buy (positive) or sell.
        quote: sound and fresh; the gate checks it again.
        size: how the quantity was chosen, for the record.
        repeat: an order like the one just before it is meant.
        tag: of the wish.
    """
    buying = signed_quantity > 0
    spread_bps = (quote.ask - quote.bid) / quote.mid / BASIS_POINT
    tight = spread_bps <= policy.market_spread_bps
    limit = None if tight else (ceil_to_tick(quote.ask) if buying else floor_to_tick(quote.bid))
    order = Order(
        symbol=symbol,
        side=OrderSide.BUY if buying else OrderSide.SELL,
        order_type=OrderType.MARKET if tight else OrderType.LIMIT,
        time_in_force=TimeInForce.DAY,
        quantity=abs(signed_quantity),
        limit_price=limit,
        strategy=strategy,
        reduce_only=shrinks,
        repeat=repeat,
        tag=tag,
    )
    comparison = "within" if tight else "beyond"
    plan = ExecutionPlan(
        choice=order.order_type.value,
        why=f"the spread of {spread_bps:.1f} bp is {comparison} {policy.market_spread_bps} bp; one order, "
        f"no algorithm: the whole quantity is wanted at the quote",
        urgency=ONE if shrinks else policy.entry_urgency,
        expected_price=quote.mid,
        expected_slippage_bps=(spread_bps / 2).quantize(_TENTH_BP),
        size=size,
    )
    return order, plan


def one_share(signal: Signal) -> Order:
    """An order to buy or sell one share, as the signal wants it; for a symbol whose size nobody knows."""
    return Order(
        symbol=signal.symbol,
        side=OrderSide.BUY if signal.direction is Direction.LONG else OrderSide.SELL,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.DAY,
        quantity=ONE,
        strategy=signal.source,
        tag=signal.tag,
    )


def plan_as_given(order: Order, quote: Quote | None) -> ExecutionPlan:
    """The plan of an order that a strategy or a person wrote out: it is sent as it is.

    A limit order that has to wait is expected to trade at its limit, any other at the mid plus half the spread.
    """
    expected = cost = None
    if quote is not None and not quote.flaw:
        expected, cost = _expected(order, quote)
    return ExecutionPlan(
        choice=_CHOICE[order.order_type],
        why="the order was given with its type and price" if order.strategy else "an order given by hand",
        urgency=ONE if order.order_type is _MARKET else _HALF,
        expected_price=expected,
        expected_slippage_bps=cost,
    )


def _expected(order: Order, quote: Quote) -> tuple[Decimal, Decimal]:
    """Dollars a share, and basis points of cost against them."""
    buying, limit = order.side is _BUY, order.limit_price
    far = quote.ask if buying else quote.bid
    if limit is not None and (limit < far if buying else limit > far):
        return limit, ZERO
    mid = quote.mid
    return mid, (abs(far - mid) / mid * _BASIS_POINTS).quantize(_TENTH_BP)
