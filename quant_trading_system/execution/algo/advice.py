"""What the planner is asked, and what it answers."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from quant_trading_system.core.decisions import ExecutionPlan
from quant_trading_system.core.exceptions import InvalidOrder
from quant_trading_system.core.numbers import ONE, ZERO
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.execution.algo.impact import ImpactModel
from quant_trading_system.execution.algo.profile import VolumeProfile
from quant_trading_system.execution.algo.schedule import MAX_SLICES, Schedule
from quant_trading_system.execution.algo.slicing import whole_lots
from quant_trading_system.market.sessions import Session

USUAL_PROFILE = VolumeProfile.of([130, 84, 70, 62, 57, 53, 51, 51, 54, 59, 69, 86, 174])
"""Half hours of a US stock's day, as round numbers: busy at the open, busiest at the close. Learn your own instead."""

_USUAL_AVERSION = Decimal(5)
"""λ times notional: 5 bp for a deviation of 100 bp."""


class PlanRequest(msgspec.Struct, frozen=True, kw_only=True):
    """An order, its market, and how much time and risk matter.

    Attributes:
        mid, spread: of the quote now, dollars a share.
        daily_volume: average shares a day.
        volatility: of a day, relative.
        now: aware, UTC; `session`: the current one or the next one.
        horizon: the longest that an algorithm may take; until the close without it.
        slice_length: of a schedule.
        risk_aversion: λ, 1/dollar, as Almgren and Chriss have it; without it 100 bp of standard deviation weigh as
            much as 5 bp of cost, whatever the size of the order.
        alpha_bps: how far the price is expected to run away from us in all, basis points; half of it within
            `alpha_half_life`.
        participation: own shares per share of others, in every slice at most.
        worthwhile_bps, worthwhile: a less simple way must be better by so many basis points and so many dollars.
        profile: of the day's volume.
        model: of impact; by default that of the stock's liquidity.
        shares_outstanding: None where unknown.

    Raises:
        InvalidOrder: names the field that is out of range.
    """

    symbol: str
    side: OrderSide
    quantity: Decimal
    mid: Decimal
    spread: Decimal
    daily_volume: Decimal
    volatility: Decimal
    now: datetime
    session: Session
    lot: Decimal = ONE
    horizon: timedelta | None = None
    slice_length: timedelta = timedelta(minutes=5)
    risk_aversion: Decimal | None = None
    alpha_bps: Decimal = ZERO
    alpha_half_life: timedelta = timedelta(hours=1)
    participation: Decimal = Decimal("0.1")
    patience: Decimal = Decimal("0.6")
    worthwhile_bps: Decimal = Decimal("0.5")
    worthwhile: Decimal = Decimal(5)
    cutoff: timedelta = timedelta(minutes=1)
    profile: VolumeProfile = USUAL_PROFILE
    model: ImpactModel | None = None
    shares_outstanding: Decimal | None = None

    def __post_init__(self) -> None:
        whole_lots(self.quantity, self.lot)
        for name in ("mid", "daily_volume"):
            _require(name, getattr(self, name), above=ZERO)
        for name in ("spread", "volatility", "aversion", "worthwhile_bps", "worthwhile"):
            _require(name, getattr(self, name), least=ZERO)
        for name in ("participation", "patience"):
            _require(name, getattr(self, name), above=ZERO, most=ONE)
        _require("alpha_bps", self.alpha_bps)
        if self.now.tzinfo is None:
            raise InvalidOrder("now", "needs a time zone; add tzinfo=UTC")
        if min(self.slice_length, self.alpha_half_life) <= timedelta(0) or self.cutoff < timedelta(0):
            raise InvalidOrder("slice_length", "slice_length and alpha_half_life must be above zero, cutoff not below")
        if self.horizon is not None and self.horizon <= timedelta(0):
            raise InvalidOrder("horizon", "must be above zero")

    @property
    def notional(self) -> Decimal:
        """Dollars at the mid."""
        return self.quantity * self.mid

    @property
    def aversion(self) -> Decimal:
        """λ, 1/dollar."""
        return self.risk_aversion if self.risk_aversion is not None else _USUAL_AVERSION / self.notional

    @property
    def start(self) -> datetime:
        """When continuous trading may begin."""
        return max(self.now, self.session.open)

    @property
    def end(self) -> datetime:
        """When its schedule ends; nothing is sent within `cutoff` of the close, which the last slice has to bear."""
        close = self.session.close if self.slice_length > 2 * self.cutoff else self.session.close - self.cutoff
        return close if self.horizon is None else min(close, self.start + self.horizon)

    @property
    def slices(self) -> int:
        """How many slices fit."""
        return min(max(-((self.start - self.end) // self.slice_length), 1), MAX_SLICES)


class Alternative(msgspec.Struct, frozen=True, kw_only=True):
    """One way to trade the order.

    Attributes:
        choice: ``market``, ``limit``, or the name of an algorithm.
        why_not: why it cannot be taken; empty when it can.
        spread_bps, impact_bps, alpha_bps, cost_bps: expected cost against the mid, and their sum.
        risk_bps: one standard deviation of the cost.
        cost: expected cost in dollars.
        score_bps: cost + λ · variance, what the ways are compared by.
        schedule: of a scheduled algorithm, and what POV is expected to trade.
        end: when it is expected to be done.
    """

    choice: str
    why_not: str
    spread_bps: Decimal
    impact_bps: Decimal
    alpha_bps: Decimal
    cost_bps: Decimal
    risk_bps: Decimal
    cost: Decimal
    score_bps: Decimal
    end: datetime
    schedule: Schedule | None = None


class ExecutionAdvice(msgspec.Struct, frozen=True, kw_only=True):
    """The alternatives side by side, and the one to take.

    Attributes:
        urgency: 0 (patient) to 1 (now).
        of_daily_volume: the order's size as a fraction of the average day.
    """

    chosen: Alternative
    alternatives: tuple[Alternative, ...]
    urgency: Decimal
    of_daily_volume: Decimal
    why: str

    def record(self, mid: Decimal) -> ExecutionPlan:
        """The plan for the decision record of the order, or of every child."""
        return ExecutionPlan(
            choice=self.chosen.choice,
            why=self.why,
            urgency=self.urgency,
            expected_price=mid,
            expected_slippage_bps=self.chosen.cost_bps,
        )


def _require(
    name: str,
    value: Decimal,
    *,
    least: Decimal | None = None,
    above: Decimal | None = None,
    most: Decimal | None = None,
) -> None:
    if not value.is_finite():
        raise InvalidOrder(name, f"{value} must be finite")
    if least is not None and value < least:
        raise InvalidOrder(name, f"{value} must be at least {least}")
    if above is not None and value <= above:
        raise InvalidOrder(name, f"{value} must be above {above}")
    if most is not None and value > most:
        raise InvalidOrder(name, f"{value} must be at most {most}")
