"""What trading does to the price: three models, and what to assume before there are own executions.

All models answer in fractions of the price, positive when they hurt, for either side. They are statistics, in
floats. A rate of 0.1 is ten per cent of the volume of the market.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from math import isfinite, sqrt
from typing import Protocol

import msgspec

from quant_trading_system.core.exceptions import InvalidNumber


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """What a model knows of a stock.

    Attributes:
        price: dollars a share.
        daily_volume: average shares a day.
        volatility: of a day, relative; 0.02 is two per cent.
        spread: of the quote, dollars a share.
        shares_outstanding: None where unknown.

    Raises:
        InvalidNumber: a value that is not finite or out of range; a model cannot answer without price and volume.
    """

    price: float
    daily_volume: float
    volatility: float
    spread: float = 0.0
    shares_outstanding: float | None = None

    def __post_init__(self) -> None:
        for name in ("price", "daily_volume"):
            _require(name, getattr(self, name), above_zero=True)
        for name in ("volatility", "spread"):
            _require(name, getattr(self, name), above_zero=False)
        if self.shares_outstanding is not None:
            _require("shares_outstanding", self.shares_outstanding, above_zero=True)


class Impact(msgspec.Struct, frozen=True):
    """What an order moves, in fractions of the price.

    Attributes:
        permanent: how far the price stays away after the order (I).
        temporary: what is paid on top while trading (K).
    """

    permanent: float
    temporary: float

    @property
    def cost(self) -> float:
        """Mean cost of a share against the arrival price: half the permanent impact, all of the temporary one."""
        return self.permanent / 2 + self.temporary


class ImpactModel(Protocol):
    """A model of market impact."""

    def permanent(self, market: Market, quantity: float) -> float:
        """How far trading `quantity` shares moves the price for good, as a fraction of it."""

    def temporary(self, market: Market, rate: float) -> float:
        """What a share costs on top at `rate`, our shares over those that the market trades at the time."""


class LinearImpact(msgspec.Struct, frozen=True):
    """Both impacts proportional to size and rate (Almgren & Chriss 2000).

    With the defaults, their section 4 in relative terms: trading at a rate of 1 % costs a spread on top, and
    10 % of a day's volume moves the price by a spread for good.

    Attributes:
        per_rate: spreads for a rate of 1.
        per_day: spreads for one day's volume.
    """

    per_rate: float = 100.0
    per_day: float = 10.0

    def permanent(self, market: Market, quantity: float) -> float:
        return self.per_day * market.spread / market.price * quantity / market.daily_volume

    def temporary(self, market: Market, rate: float) -> float:
        return self.per_rate * market.spread / market.price * rate


class SquareRootImpact(msgspec.Struct, frozen=True):
    """Cost of an order traded over a day = coefficient · σ · √(X / V); none of it stays.

    `of_order` is the law itself, which does not ask how long the order takes. `temporary` is its local form, the
    power ½ of the rate, so that schedules can be compared. Source: Barra (1997); Gatheral (2010); coefficients near
    one fit most markets.
    """

    coefficient: float = 1.0

    def permanent(self, market: Market, quantity: float) -> float:  # noqa: ARG002 - the model asks for nothing
        return 0.0

    def temporary(self, market: Market, rate: float) -> float:
        return self.coefficient * market.volatility * sqrt(rate)

    def of_order(self, market: Market, quantity: float) -> float:
        """Cost of an order of `quantity` shares as a fraction of the price.

        Raises:
            InvalidNumber: the quantity is negative or not finite.
        """
        _require("quantity", quantity, above_zero=False)
        return self.temporary(market, quantity / market.daily_volume)


class AlmgrenImpact(msgspec.Struct, frozen=True):
    """Permanent impact linear in size, temporary impact with the power 3/5 of the rate.

    I = γσ (X/V) (Θ/V)^¼ and K = ησ (rate)^⅗. Where the shares outstanding Θ are unknown the factor is left out.
    Source: Almgren, Thum, Hauptmann & Li (2005), Direct estimation of equity market impact, Risk 18(7):
    γ = 0.314 ± 0.041, η = 0.142 ± 0.0062, from orders in large US stocks.
    """

    gamma: float = 0.314
    eta: float = 0.142
    exponent: float = 0.6

    def permanent(self, market: Market, quantity: float) -> float:
        outstanding = market.shares_outstanding
        turnover = 1.0 if outstanding is None else (outstanding / market.daily_volume) ** 0.25
        return self.gamma * market.volatility * quantity / market.daily_volume * turnover

    def temporary(self, market: Market, rate: float) -> float:
        return float(self.eta * market.volatility * rate**self.exponent)


def impact_of(model: ImpactModel, market: Market, quantity: float, days: float) -> Impact:
    """What `quantity` shares, traded evenly over `days` trading days, do to the price.

    Raises:
        InvalidNumber: a negative quantity, or a duration that is not above 0.
    """
    _require("quantity", quantity, above_zero=False)
    _require("days", days, above_zero=True)
    rate = quantity / (market.daily_volume * days)
    return Impact(model.permanent(market, quantity), model.temporary(market, rate))


def schedule_impact(
    model: ImpactModel, market: Market, quantities: Sequence[float], volumes: Sequence[float]
) -> Impact:
    """What a schedule does to the price, given the volume that the market trades in each slice.

    The temporary impact of each slice counts by its quantity.

    Args:
        model: of the impact.
        market: in which the schedule runs.
        quantities: shares of each slice.
        volumes: shares that others trade in each slice, above 0 wherever we trade.

    Raises:
        InvalidNumber: different lengths, nothing to trade, or a trade in a slice without volume.
    """
    if len(quantities) != len(volumes) or not sum(quantities) > 0:
        raise InvalidNumber("a schedule needs a volume for each slice, and something to trade")
    total = sum(quantities)
    paid = 0.0
    for quantity, volume in zip(quantities, volumes, strict=True):
        if not quantity:
            continue
        _require("volume", volume, above_zero=True)
        paid += quantity * model.temporary(market, quantity / volume)
    return Impact(model.permanent(market, total), paid / total)


class Liquidity(StrEnum):
    """How much of a stock changes hands on an average day, in dollars."""

    VERY_HIGH = "very_high"  # above a billion
    HIGH = "high"  # 100 million to a billion
    MEDIUM = "medium"  # 10 to 100 million
    LOW = "low"  # less


class LiquidityDefaults(msgspec.Struct, frozen=True):
    """What to assume of a stock before own executions tell.

    Attributes:
        spread: as a fraction of the price.
        volatility: of a day, relative.
        model: with coefficients that are dearer for stocks that trade less.
    """

    spread: float
    volatility: float
    model: AlmgrenImpact


DEFAULTS = {
    Liquidity.VERY_HIGH: LiquidityDefaults(0.0002, 0.015, AlmgrenImpact()),
    Liquidity.HIGH: LiquidityDefaults(0.0005, 0.018, AlmgrenImpact()),
    Liquidity.MEDIUM: LiquidityDefaults(0.0015, 0.022, AlmgrenImpact(0.314, 0.20)),
    Liquidity.LOW: LiquidityDefaults(0.0050, 0.030, AlmgrenImpact(0.400, 0.30)),
}
"""Cautious round numbers, to be replaced by a calibration; Almgren et al. measured the first two rows only."""

_DOLLARS = ((1e9, Liquidity.VERY_HIGH), (1e8, Liquidity.HIGH), (1e7, Liquidity.MEDIUM))


def liquidity_of(price: float, daily_volume: float) -> Liquidity:
    """The bucket of a stock by the dollars that it trades a day."""
    dollars = price * daily_volume
    return next((bucket for above, bucket in _DOLLARS if dollars > above), Liquidity.LOW)


def linearised(model: ImpactModel, market: Market, rate: float) -> tuple[float, float]:
    """Temporary η and permanent γ of Almgren and Chriss that cost the same as `model` at a reference rate.

    Returns:
        η in dollars a share per (share per day), and γ in dollars a share per share.

    Raises:
        InvalidNumber: the rate is not above 0.
    """
    _require("rate", rate, above_zero=True)
    shares_a_day = rate * market.daily_volume
    temporary = model.temporary(market, rate) * market.price / shares_a_day
    return temporary, model.permanent(market, shares_a_day) * market.price / shares_a_day


def _require(name: str, value: float, *, above_zero: bool) -> None:
    if not isfinite(value) or value < 0 or (above_zero and value == 0):
        raise InvalidNumber(f"{name} {value} must be finite and {'above zero' if above_zero else 'not negative'}")
