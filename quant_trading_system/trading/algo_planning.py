"""From the order of a wish to a parent order: when an algorithm is taken, which one, and at what expected cost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

import msgspec

from quant_trading_system.core.decisions import ExecutionPlan
from quant_trading_system.core.exceptions import InvalidOrder
from quant_trading_system.core.orders import Order
from quant_trading_system.execution.algo.advice import USUAL_PROFILE, Alternative, ExecutionAdvice, PlanRequest
from quant_trading_system.execution.algo.parent import Algorithm, ParentLimits, ParentOrder
from quant_trading_system.execution.algo.planner import parent_of, plan_execution
from quant_trading_system.execution.algo.profile import VolumeProfile
from quant_trading_system.execution.algo.schedule import twap_schedule, weighted_schedule
from quant_trading_system.market.daily_numbers import DailyNumbers
from quant_trading_system.market.quotes import Quote
from quant_trading_system.market.sessions import Session
from quant_trading_system.trading.planning import ExecutionPolicy

ONCE, AUTO = "once", "auto"
EXECUTIONS = frozenset(
    {
        "", ONCE, AUTO, Algorithm.TWAP, Algorithm.VWAP, Algorithm.SHORTFALL, Algorithm.ADAPTIVE, Algorithm.POV,
        Algorithm.OPENING_AUCTION, Algorithm.CLOSING_AUCTION,
    }
)  # fmt: skip
"""What `Signal.execution` may say; iceberg and peg need numbers of their own and are given as a `ParentOrder`."""
_EVEN = frozenset({Algorithm.TWAP, Algorithm.VWAP, Algorithm.POV})
"""What can be traded without knowing the usual volume."""


class Market(NamedTuple):
    """What is known when an order is planned.

    Attributes:
        follows_volume: what others trade will be known as well.
        profile: how the volume of a day is spread.
    """

    quote: Quote
    session: Session
    numbers: DailyNumbers
    now: datetime
    follows_volume: bool
    profile: VolumeProfile = USUAL_PROFILE


class PlannedParent(NamedTuple):
    """A parent order, and why it is worked like that."""

    order: ParentOrder
    plan: ExecutionPlan


def plan_parent(
    order: Order, wanted: str, market: Market, policy: ExecutionPolicy, next_id: Callable[[], str]
) -> PlannedParent | None:
    """The parent order in the place of `order`; None when one order is the better way, or the only one.

    Args:
        wanted: one of `EXECUTIONS`.
        next_id: gives the id of a new parent, which also names the children.
    """
    numbers = market.numbers
    try:
        if numbers.volume is None or numbers.volatility is None:
            return _by_the_clock(order, wanted, market, policy, next_id) if wanted not in ("", AUTO) else None
        request = _request(order, market, numbers.volume, numbers.volatility, policy)
    except InvalidOrder:
        return None  # no time is left for anything but one order
    try:
        advice = plan_execution(request)
        chosen = _chosen(advice, wanted)
    except InvalidOrder as error:
        return _what_the_market_takes(order, request, next_id(), error)
    if chosen is None:
        return None
    adaptive, parent_id = wanted == Algorithm.ADAPTIVE, next_id()
    parent = _finished(parent_of(request, chosen, parent_id, adaptive=adaptive), order, market)
    why = advice.why if chosen is advice.chosen else f"{wanted} was asked for; the planner says: {advice.why}"
    plan = ExecutionPlan(
        choice=parent.algorithm.value,
        why=why,
        urgency=advice.urgency,
        expected_price=market.quote.mid,
        expected_slippage_bps=chosen.cost_bps,
        parent=parent_id,
    )
    return PlannedParent(parent, plan)


def needs_plan(
    order: Order, wanted: str, daily_volume: Callable[[str], Decimal | None], policy: ExecutionPolicy
) -> bool:
    """False when `order` is sent as one without a look at how it could be worked.

    Args:
        wanted: one of `EXECUTIONS`.
        daily_volume: average shares a day of a symbol, None where they are not known.
    """
    if wanted or order.notional is not None:
        return wanted != ONCE and order.notional is None
    share = policy.algorithm_from_adv
    usual = None if share is None else daily_volume(order.symbol)
    return share is not None and usual is not None and order.quantity >= share * usual


def plan_of_given(order: ParentOrder, quote: Quote | None) -> ExecutionPlan:
    """The plan of a parent that somebody wrote out with its algorithm."""
    return ExecutionPlan(
        choice=order.algorithm.value,
        why="the parent order was given with its algorithm",
        urgency=Decimal("0.5"),
        expected_price=None if quote is None else quote.mid,
        expected_slippage_bps=order.expected_cost_bps,
        parent=order.parent_id,
    )


def _request(
    order: Order, market: Market, daily_volume: Decimal, volatility: Decimal, policy: ExecutionPolicy
) -> PlanRequest:
    quote = market.quote
    return PlanRequest(
        symbol=order.symbol,
        side=order.side,
        quantity=order.quantity,
        mid=quote.mid,
        spread=quote.ask - quote.bid,
        daily_volume=daily_volume,
        volatility=volatility,
        now=market.now,
        session=market.session,
        slice_length=policy.slice_length,
        participation=policy.participation,
        horizon=policy.horizon,
        profile=market.profile,
        model=policy.impact,
    )


def _chosen(advice: ExecutionAdvice, wanted: str) -> Alternative | None:
    """What was asked for, or what the planner chose; None for one order.

    Raises:
        InvalidOrder: what was asked for cannot be taken; says why.
    """
    if wanted in ("", AUTO):
        return advice.chosen if advice.chosen.choice in EXECUTIONS else None
    name = Algorithm.SHORTFALL.value if wanted == Algorithm.ADAPTIVE else wanted
    found = next((other for other in advice.alternatives if other.choice == name), None)
    if found is None or found.why_not:
        raise InvalidOrder("execution", f"{wanted}: {found.why_not if found else 'it is too late for it'}")
    return found


def _what_the_market_takes(order: Order, request: PlanRequest, parent_id: str, error: InvalidOrder) -> PlannedParent:
    """Nothing can trade all of it within the participation: a share of the volume until the close, and no more."""
    if request.start >= request.end:
        raise error
    parent = ParentOrder(
        parent_id=parent_id,
        symbol=order.symbol,
        side=order.side,
        quantity=order.quantity,
        algorithm=Algorithm.POV,
        start=request.start,
        end=request.end,
        rate=request.participation,
        limits=ParentLimits(participation=request.participation, cutoff=request.cutoff),
        strategy=order.strategy,
        reduce_only=order.reduce_only,
        tag=order.tag,
    )
    plan = ExecutionPlan(
        choice=parent.algorithm.value,
        why=f"as much as {request.participation:%} of the volume allows: {error}",
        urgency=Decimal(1),
        expected_price=request.mid,
        parent=parent_id,
    )
    return PlannedParent(parent, plan)


def _by_the_clock(
    order: Order, wanted: str, market: Market, policy: ExecutionPolicy, next_id: Callable[[], str]
) -> PlannedParent | None:
    """Without a usual volume: by time or by the usual shape of a day; what needs more becomes a TWAP."""
    kind, parent_id = Algorithm(wanted), next_id()
    limits, session = ParentLimits(), market.session
    start = max(market.now, session.open)
    end = session.close if policy.slice_length > 2 * limits.cutoff else session.close - limits.cutoff
    if policy.horizon is not None and not kind.is_auction:
        end = min(end, start + policy.horizon)
    if start >= end:
        return None
    if not kind.is_auction and (kind not in _EVEN or (kind is Algorithm.POV and not market.follows_volume)):
        kind = Algorithm.TWAP
    slices = max(-((start - end) // policy.slice_length), 1)
    schedule = None
    if kind is Algorithm.TWAP:
        schedule = twap_schedule(order.quantity, start, end, slices)
    elif kind is Algorithm.VWAP:
        parts = market.profile.between(session, start, end, slices)
        schedule = weighted_schedule(order.quantity, start, end, parts)
    parent = ParentOrder(
        parent_id=parent_id,
        symbol=order.symbol,
        side=order.side,
        quantity=order.quantity,
        algorithm=kind,
        start=market.now if kind.is_auction else start,
        end=session.close if policy.horizon is None or kind.is_auction else end,
        schedule=schedule,
        rate=policy.participation if kind is Algorithm.POV else None,
        limits=limits,
        strategy=order.strategy,
        reduce_only=order.reduce_only,
        tag=order.tag,
    )
    plan = ExecutionPlan(
        choice=kind.value,
        why=f"{wanted} was asked for; what it costs is not known, for the usual volume or volatility is not",
        urgency=Decimal("0.5"),
        expected_price=market.quote.mid,
        parent=parent_id,
    )
    return PlannedParent(parent, plan)


def _finished(parent: ParentOrder, order: Order, market: Market) -> ParentOrder:
    """The planner's parent with the strategy of its order; without a volume to follow, no part of it is waited for."""
    replace = msgspec.structs.replace
    parent = replace(parent, strategy=order.strategy, reduce_only=order.reduce_only, tag=order.tag)
    if market.follows_volume:
        return parent
    return replace(parent, limits=replace(parent.limits, participation=None))
