"""Step 3 of the checklist for an order of any size: market, limit or algorithm, and what each would cost.

Every way to trade is priced for spread, impact, lost alpha and timing risk; the cheapest in cost + λ · variance
wins, unless a simpler one is as good.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from quant_trading_system.core.exceptions import InvalidOrder
from quant_trading_system.core.numbers import BASIS_POINT, ONE, from_float
from quant_trading_system.execution.algo import costs
from quant_trading_system.execution.algo.advice import Alternative, ExecutionAdvice, PlanRequest
from quant_trading_system.execution.algo.costs import Alpha, CostParts, Window
from quant_trading_system.execution.algo.impact import DEFAULTS, Market, liquidity_of
from quant_trading_system.execution.algo.parent import Algorithm, ParentLimits, ParentOrder
from quant_trading_system.execution.algo.profile import VolumeForecast
from quant_trading_system.execution.algo.schedule import Schedule, weighted_schedule
from quant_trading_system.execution.algo.slicing import exact_weights

MARKET, LIMIT = "market", "limit"
_SIMPLEST_FIRST = (
    MARKET, LIMIT, Algorithm.OPENING_AUCTION, Algorithm.CLOSING_AUCTION, Algorithm.TWAP, Algorithm.VWAP, Algorithm.POV,
    Algorithm.SHORTFALL,
)  # fmt: skip
_AT_ONCE = timedelta(minutes=1)
_LIMIT_WAITS = timedelta(minutes=5)
_BEFORE_OPEN, _BEFORE_CLOSE = timedelta(minutes=2), timedelta(minutes=10)
_OPENING_SHARE, _CLOSING_SHARE = Decimal("0.02"), Decimal("0.08")
_TENTH, _SHARE = Decimal("0.1"), Decimal(1)


def plan_execution(request: PlanRequest) -> ExecutionAdvice:
    """Price every way to trade the order and choose one.

    Raises:
        InvalidOrder: no time is left before the close, or no way can trade the order within its limits; says what
            to change.
    """
    if request.end <= request.start or request.start >= request.session.close - request.cutoff:
        raise InvalidOrder("now", f"no time is left to trade before the close at {request.session.close.isoformat()}")
    planner = _Planner(request)
    found = tuple(planner.alternatives())
    possible = [alternative for alternative in found if not alternative.why_not]
    if not possible:
        raise InvalidOrder(
            "quantity",
            f"{request.quantity} shares are too many for the time that is left: {found[-1].why_not}; take fewer, "
            "a longer horizon, or a higher participation",
        )
    best = min(possible, key=lambda alternative: alternative.score_bps)
    enough = best.score_bps + max(request.worthwhile_bps, request.worthwhile / request.notional / BASIS_POINT)
    good = {alternative.choice: alternative for alternative in possible if alternative.score_bps <= enough}
    chosen = next(good[choice] for choice in _SIMPLEST_FIRST if choice in good)
    return ExecutionAdvice(
        chosen=chosen,
        alternatives=found,
        urgency=planner.urgency,
        of_daily_volume=(request.quantity / request.daily_volume).quantize(BASIS_POINT * BASIS_POINT),
        why=_why(request, chosen, best),
    )


def parent_of(
    request: PlanRequest,
    alternative: Alternative,
    parent_id: str,
    *,
    seed: int = 0,
    limit: Decimal | None = None,
    adaptive: bool = False,
) -> ParentOrder:
    """The parent order of an alternative that is an algorithm.

    Args:
        request: that the alternative answers.
        alternative: not ``market`` or ``limit``.
        parent_id: of the new parent.
        seed: for its random numbers.
        limit: worst price, dollars a share.
        adaptive: plan ``shortfall`` again before every slice.

    Raises:
        InvalidOrder: the alternative is a single order, or cannot be taken; or is no shortfall and cannot adapt.
    """
    if alternative.choice in (MARKET, LIMIT) or alternative.why_not:
        raise InvalidOrder("algorithm", f"{alternative.choice}: {alternative.why_not or 'is one order, no algorithm'}")
    kind = Algorithm(alternative.choice)
    if adaptive and kind is not Algorithm.SHORTFALL:
        raise InvalidOrder("algorithm", f"{kind} cannot adapt; shortfall can")
    follows = kind is Algorithm.VWAP or adaptive
    return ParentOrder(
        parent_id=parent_id,
        symbol=request.symbol,
        side=request.side,
        quantity=request.quantity,
        lot=request.lot,
        algorithm=Algorithm.ADAPTIVE if adaptive else kind,
        start=request.now if kind.is_auction else request.start,
        end=alternative.end if kind.is_auction else request.end,
        schedule=alternative.schedule if kind.is_scheduled else None,
        forecast=VolumeForecast(expected=_volumes(request)) if follows else None,
        problem=_Planner(request).problem if adaptive else None,
        rate=request.participation if kind is Algorithm.POV else None,
        limits=ParentLimits(
            price=limit, participation=None if kind.is_auction else request.participation, cutoff=request.cutoff
        ),
        patience=request.patience,
        seed=seed,
        expected_cost_bps=alternative.cost_bps,
    )


class _Planner:
    """The numbers of one request in floats, and its alternatives."""

    def __init__(self, request: PlanRequest) -> None:
        self.request = request
        day = request.session.close - request.session.open
        self._day = day
        self.market = Market(
            price=float(request.mid),
            daily_volume=float(request.daily_volume),
            volatility=float(request.volatility),
            spread=float(request.spread),
            shares_outstanding=None if request.shares_outstanding is None else float(request.shares_outstanding),
        )
        self.model = request.model or DEFAULTS[liquidity_of(self.market.price, self.market.daily_volume)].model
        self.alpha = Alpha(float(request.alpha_bps * BASIS_POINT), request.alpha_half_life / day)
        self.window = Window(
            delay=(request.start - request.now) / day,
            slice_days=(request.end - request.start) / request.slices / day,
            volumes=tuple(float(volume) for volume in _volumes(request)),
        )
        self.shares = float(request.quantity)
        self.problem = costs.shortfall_problem(
            self.model, self.market, self.shares, self.window, self.alpha, float(request.aversion)
        )

    @property
    def urgency(self) -> Decimal:
        return from_float(costs.urgency_of(self.problem, self.alpha), 3)

    def alternatives(self) -> list[Alternative]:
        request, window = self.request, self.window
        even = [self.shares / len(window.volumes)] * len(window.volumes)
        by_volume = [self.shares * volume / sum(window.volumes) for volume in window.volumes]
        following = costs.volume_following(self.shares, window.volumes, float(request.participation))
        return [
            *self._single_orders(),
            *self._auctions(),
            self._scheduled(Algorithm.TWAP, even),
            self._scheduled(Algorithm.VWAP, by_volume),
            self._scheduled(Algorithm.POV, following),
            self._scheduled(Algorithm.SHORTFALL, costs.shortfall_quantities(self.problem)),
        ]

    def _single_orders(self) -> list[Alternative]:
        request = self.request
        found = []
        for choice, span in ((MARKET, _AT_ONCE), (LIMIT, _LIMIT_WAITS)):
            days = span / self._day
            if choice == MARKET:
                parts = costs.cost_at_once(self.model, self.market, self.shares, days)
            else:
                parts = costs.cost_of_waiting(self.model, self.market, self.shares, days, self.alpha)
            end = request.start + span
            room = self._expected_volume(end) * request.participation
            why_not = f"{request.quantity} shares are above {request.participation:%} of the volume of {_words(span)}"
            if request.start != request.now:
                why_not = "the exchange is closed"
            elif request.quantity <= room:
                why_not = ""
            found.append(self._alternative(choice, parts, min(end, request.end), why_not))
        return found

    def _auctions(self) -> list[Alternative]:
        request, session = self.request, self.request.session
        found = []
        for kind, at, latest, share in (
            (Algorithm.OPENING_AUCTION, session.open, session.open - _BEFORE_OPEN, _OPENING_SHARE),
            (Algorithm.CLOSING_AUCTION, session.close, session.close - _BEFORE_CLOSE, _CLOSING_SHARE),
        ):
            if request.now >= latest or (request.horizon is not None and request.now + request.horizon < at):
                continue
            volume = request.daily_volume * share
            days = (at - request.now) / self._day
            parts = costs.cost_of_auction(self.model, self.market, self.shares, float(volume), days, self.alpha)
            why_not = ""
            if request.quantity > volume * request.participation:
                why_not = f"{request.quantity} shares are above {request.participation:%} of the auction's usual volume"
            elif request.quantity % ONE:
                why_not = "auctions take whole shares only"
            found.append(self._alternative(kind, parts, at + _BEFORE_OPEN, why_not))
        return found

    def _scheduled(self, kind: Algorithm, wanted: Sequence[float]) -> Alternative:
        request, window = self.request, self.window
        capped = costs.within_cap(wanted, window.volumes, float(request.participation))
        fits = sum(capped) >= self.shares * (1 - 1e-9)
        quantities = capped if fits else list(wanted)
        parts = costs.cost_of_schedule(self.model, self.market, quantities, window, self.alpha, float(request.patience))
        why_not = "" if fits else (
            f"{request.quantity} shares are above {request.participation:%} of the volume until {request.end:%H:%M} UTC"
        )  # fmt: skip
        schedule = weighted_schedule(
            request.quantity, request.start, request.end, exact_weights(quantities), request.lot
        )
        last = max(i for i, quantity in enumerate(schedule.quantities) if quantity)
        end = schedule.end_of(last)
        return self._alternative(kind, parts, end, why_not, schedule)

    def _alternative(
        self, choice: str, parts: CostParts, end: datetime, why_not: str, schedule: Schedule | None = None
    ) -> Alternative:
        spread, impact, alpha, risk = (from_float(part * 10_000, 2) for part in parts)
        notional = self.request.notional
        cost = spread + impact + alpha
        deviation = risk * BASIS_POINT * notional
        penalty = self.request.aversion * deviation * deviation / notional / BASIS_POINT
        return Alternative(
            choice=str(choice),
            why_not=why_not,
            spread_bps=spread,
            impact_bps=impact,
            alpha_bps=alpha,
            cost_bps=cost,
            risk_bps=risk,
            cost=(cost * BASIS_POINT * notional).quantize(Decimal("0.01")),
            score_bps=(cost + penalty).quantize(Decimal("0.01")),
            end=end,
            schedule=schedule,
        )

    def _expected_volume(self, end: datetime) -> Decimal:
        request = self.request
        until = min(end, request.session.close)
        (part,) = request.profile.between(request.session, request.start, until, 1)
        return _shares(request.daily_volume, part)


def _volumes(request: PlanRequest) -> tuple[Decimal, ...]:
    """Shares that others are expected to trade in each slice; at least one, so that a rate exists."""
    parts = request.profile.between(request.session, request.start, request.end, request.slices)
    return tuple(max(_shares(request.daily_volume, part), _SHARE) for part in parts)


def _shares(daily_volume: Decimal, part: Fraction) -> Decimal:
    return (daily_volume * part.numerator / part.denominator).quantize(_TENTH)


def _why(request: PlanRequest, chosen: Alternative, best: Alternative) -> str:
    size = request.quantity / request.daily_volume * 100
    told = f"{size:.2g}% of an average day: {chosen.choice} is expected to cost {chosen.cost_bps} bp"
    told += f", give or take {chosen.risk_bps} bp"
    if chosen.choice == best.choice:
        return f"{told}; the best of all ways after risk"
    better = chosen.score_bps - best.score_bps
    return f"{told}; {best.choice} would be better by {better} bp after risk, too little for what it takes"


def _words(span: timedelta) -> str:
    minutes = span // timedelta(minutes=1)
    return "a minute" if minutes == 1 else f"{minutes} minutes"
