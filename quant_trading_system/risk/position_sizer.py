"""How much: from a signal to a signed number of shares, with the constraint that bound named.

Every sizer has one shape: a request in, a `Sizing` out, exact and floored to the lot. What is missing sizes
to zero and says why; no sizer ever rounds up, and none exceeds the account's position limit.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol

import msgspec

from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.core.instruments import Instrument
from quant_trading_system.core.numbers import ONE, ZERO, floor_to_lot
from quant_trading_system.core.signals import Direction, Signal


class SizingRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a sizer may know.

    Attributes:
        price: dollars a share at which the position would be opened (the far side of the quote).
        equity: dollars.
        signals: how many symbols are wanted at the same time, this one included.
    """

    signal: Signal
    instrument: Instrument
    price: Decimal
    equity: Decimal
    limits: RiskLimits
    signals: int = 1


class Sizing(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of a sizer.

    Attributes:
        quantity: signed shares to hold, a multiple of the lot.
        bound_by: what limited the size: the sizer's own rule, ``max_position_pct``, ``lot`` or ``missing``.
        detail: one line for the decision record.
    """

    quantity: Decimal
    bound_by: str
    detail: str


class PositionSizer(Protocol):
    """Turns a signal into a target position."""

    def size(self, request: SizingRequest) -> Sizing:
        """The position to hold, signed shares."""


class EqualWeight:
    """Every wanted symbol gets the same share of `gross` times equity, scaled by the signal's strength."""

    def __init__(self, gross: Decimal = Decimal("0.95")) -> None:
        """Invest `gross` of equity in total (a fraction above 0).

        Raises:
            ConfigurationError: `gross` is not above zero.
        """
        if gross <= 0:
            raise ConfigurationError(f"equal weight: gross {gross} must be above zero")
        self.gross = gross

    def size(self, request: SizingRequest) -> Sizing:
        weight = self.gross / max(request.signals, 1) * request.signal.strength
        return _of_value(request, weight * request.equity, "equal_weight", f"{weight:.4f} of equity")


class FixedFractional:
    """Risk the same fraction of equity on every idea: quantity = equity · fraction / |price − stop|.

    Source: Vince (1990); Tharp (1998). The stop comes with the signal; without one the size is zero.
    """

    def __init__(self, risk_fraction: Decimal = Decimal("0.01")) -> None:
        """Lose at most `risk_fraction` of equity when the stop is hit at its price.

        Raises:
            ConfigurationError: the fraction is not between 0 and 1.
        """
        if not ZERO < risk_fraction < ONE:
            raise ConfigurationError(f"fixed fractional: risk_fraction {risk_fraction} must lie between 0 and 1")
        self.risk_fraction = risk_fraction

    def size(self, request: SizingRequest) -> Sizing:
        signal, stop = request.signal, request.signal.stop_price
        if stop is None:
            return _nothing("fixed fractional sizing needs a stop_price in the signal")
        distance = (request.price - stop) * signal.direction.sign
        if signal.direction is not Direction.FLAT and distance <= 0:
            return _nothing(f"the stop {stop} lies on the wrong side of {request.price}")
        if signal.direction is Direction.FLAT:
            return _nothing("flat is wanted", bound_by="signal")
        risked = request.equity * self.risk_fraction * signal.strength
        shares = risked / distance
        return _of_value(
            request, shares * request.price, "risk_fraction", f"{risked:.2f} USD at risk to the stop {stop}"
        )


class OwnWeight:
    """For strategies that size themselves: the signal's `weight` times equity; otherwise asks `otherwise`."""

    def __init__(self, otherwise: PositionSizer) -> None:
        self.otherwise = otherwise

    def size(self, request: SizingRequest) -> Sizing:
        weight = request.signal.weight
        if weight is None:
            return self.otherwise.size(request)
        return _of_value(
            request, weight * request.equity, "signal_weight", f"{weight} of equity, asked for by the strategy"
        )


def _of_value(request: SizingRequest, value: Decimal, rule: str, detail: str) -> Sizing:
    """Shares worth `value` dollars, capped by the position limit and floored to the lot."""
    direction = request.signal.direction
    if direction is Direction.FLAT:
        return _nothing("flat is wanted", bound_by="signal")
    if request.price <= 0 or request.equity <= 0:
        return _nothing("no price or no equity")
    cap = request.limits.max_position_pct * request.equity
    bound_by = rule
    if value > cap:
        value, bound_by = cap, "max_position_pct"
    shares = floor_to_lot(value / request.price, request.instrument.lot)
    if not shares:
        return _nothing(f"{value:.2f} USD buys less than one lot at {request.price}", bound_by="lot")
    return Sizing(quantity=shares * direction.sign, bound_by=bound_by, detail=detail)


def _nothing(why: str, bound_by: str = "missing") -> Sizing:
    return Sizing(quantity=ZERO, bound_by=bound_by, detail=why)
