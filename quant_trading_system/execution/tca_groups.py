"""Costs of many parents: by algorithm, symbol, strategy or venue, and expected against realised."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal, localcontext
from enum import StrEnum

import msgspec

from quant_trading_system.core.numbers import BASIS_POINT, LEDGER, ZERO, divide
from quant_trading_system.execution.algo.calibration import ImpactSample, measured_sample
from quant_trading_system.execution.tca import ParentResult, implementation_shortfall

_BP_PLACES = Decimal("1E-6")
_RATIO_PLACES = Decimal("1E-12")


class GroupBy(StrEnum):
    """What parents are put together by."""

    ALGORITHM = "algorithm"
    SYMBOL = "symbol"
    STRATEGY = "strategy"


class GroupCosts(msgspec.Struct, frozen=True, kw_only=True):
    """The costs of a group of parents; dollars add up exactly over groups.

    Attributes:
        wanted, filled: shares; `quantity_rate`: filled / wanted.
        completed: parents that filled in full.
        value: dollars of the wanted shares at their decision prices.
        delay, spread, impact, timing, opportunity, fees, total: dollars, as in `Shortfall`.
        total_bps: of `value`.
        trading_bps: fills against arrival, of their value at arrival; None without a fill.
        expected_bps: of the plans, weighted like `trading_bps`, over parents that have one; `realised_bps`: what the
            same parents cost. None without such a parent.
    """

    name: str
    parents: int
    completed: int
    wanted: Decimal
    filled: Decimal
    quantity_rate: Decimal
    value: Decimal
    delay: Decimal
    spread: Decimal
    impact: Decimal
    timing: Decimal
    opportunity: Decimal
    fees: Decimal
    total: Decimal
    total_bps: Decimal
    trading_bps: Decimal | None
    expected_bps: Decimal | None
    realised_bps: Decimal | None


class VenueCosts(msgspec.Struct, frozen=True, kw_only=True):
    """What the fills of one venue cost against the mids at which they happened.

    Attributes:
        shares: all of them; `value`: their dollars.
        spread_bps: of the value at those mids, over fills whose mid is known; None without one.
    """

    name: str
    fills: int
    shares: Decimal
    value: Decimal
    fees: Decimal
    spread_bps: Decimal | None


def costs_by(results: Iterable[ParentResult], by: GroupBy) -> list[GroupCosts]:
    """The costs of each group, in order of name."""
    groups: dict[str, list[ParentResult]] = {}
    name_of: Callable[[ParentResult], str] = {
        GroupBy.ALGORITHM: _algorithm,
        GroupBy.SYMBOL: _symbol,
        GroupBy.STRATEGY: _strategy,
    }[by]
    for result in results:
        groups.setdefault(name_of(result), []).append(result)
    return [_group(name, groups[name]) for name in sorted(groups)]


def costs_of_all(results: Sequence[ParentResult]) -> GroupCosts | None:
    """The costs of all parents together; None when there is none."""
    return _group("all", results) if results else None


def costs_by_venue(results: Iterable[ParentResult]) -> list[VenueCosts]:
    """What each venue cost against the mid, in order of name."""
    found: dict[str, _VenueSum] = {}
    for result in results:
        for fill in result.fills:
            total = found.setdefault(fill.venue, _VenueSum())
            with localcontext(LEDGER):
                total.fills += 1
                total.shares += fill.quantity
                total.value += fill.quantity * fill.price
                total.fees += fill.fees
                if fill.mid is not None:
                    total.paid += result.side.sign * fill.quantity * (fill.price - fill.mid)
                    total.at_mid += fill.quantity * fill.mid
    return [
        VenueCosts(
            name=name,
            fills=total.fills,
            shares=total.shares,
            value=total.value,
            fees=total.fees,
            spread_bps=_bps(total.paid, total.at_mid),
        )
        for name, total in sorted(found.items())
    ]


def impact_samples(results: Iterable[ParentResult]) -> list[ImpactSample]:
    """What a calibration learns from: cost against arrival without half the quoted spread and without fees.

    Parents that filled nothing, or whose volumes, volatility or spread are unknown, are left out.
    """
    found = []
    for result in results:
        daily, others = result.daily_volume, result.others_volume
        volatility, spread = result.volatility, result.quoted_spread
        if not result.fills or not daily or not others or not volatility or spread is None:
            continue
        with localcontext(LEDGER):
            cost = implementation_shortfall(result).trading - result.filled * spread / 2
            at_arrival = result.filled * result.arrival_price
        found.append(
            measured_sample(
                of_day=divide(result.filled, daily, _RATIO_PLACES),
                rate=divide(result.filled, others, _RATIO_PLACES),
                volatility=volatility,
                cost=divide(cost, at_arrival, _RATIO_PLACES),
                span=result.ended_at - result.started_at,
            )
        )
    return found


class _VenueSum:
    __slots__ = ("at_mid", "fees", "fills", "paid", "shares", "value")

    def __init__(self) -> None:
        self.fills = 0
        self.shares = self.value = self.fees = self.paid = self.at_mid = ZERO


def _algorithm(result: ParentResult) -> str:
    return result.algorithm


def _symbol(result: ParentResult) -> str:
    return result.symbol


def _strategy(result: ParentResult) -> str:
    return result.strategy


def _group(name: str, results: Sequence[ParentResult]) -> GroupCosts:
    cuts = [implementation_shortfall(result) for result in results]
    planned = [(r, cut, r.expected_cost_bps) for r, cut in zip(results, cuts, strict=True) if r.fills]
    with localcontext(LEDGER):
        sums = {field: sum((getattr(cut, field) for cut in cuts), ZERO) for field in _DOLLARS}
        value = sum((result.quantity * result.decision_price for result in results), ZERO)
        wanted = sum((result.quantity for result in results), ZERO)
        filled = sum((result.filled for result in results), ZERO)
        at_arrival = sum((result.filled * result.arrival_price for result in results), ZERO)
        trading = sum((cut.trading for cut in cuts), ZERO)
        with_plan = [(r.filled * r.arrival_price, cut.trading, bps) for r, cut, bps in planned if bps is not None]
        base = sum((worth for worth, _, _ in with_plan), ZERO)
        expected = sum((worth * bps * BASIS_POINT for worth, _, bps in with_plan), ZERO)
        realised = sum((cost for _, cost, _ in with_plan), ZERO)
    return GroupCosts(
        name=name,
        parents=len(results),
        completed=sum(result.filled == result.quantity for result in results),
        wanted=wanted,
        filled=filled,
        quantity_rate=divide(filled, wanted, _BP_PLACES),
        value=value,
        total_bps=divide(sums["total"], LEDGER.multiply(value, BASIS_POINT), _BP_PLACES),
        trading_bps=_bps(trading, at_arrival),
        expected_bps=_bps(expected, base),
        realised_bps=_bps(realised, base),
        **sums,
    )


_DOLLARS = ("delay", "spread", "impact", "timing", "opportunity", "fees", "total")


def _bps(cost: Decimal, value: Decimal) -> Decimal | None:
    return divide(cost, LEDGER.multiply(value, BASIS_POINT), _BP_PLACES) if value else None
