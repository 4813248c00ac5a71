"""Sizers that look at nothing but the signal: equal parts, or the weight that the strategy asks for."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.risk.sizing.request import PositionSizer, Sizing, SizingRequest, of_value


@dataclass(frozen=True)
class EqualWeight:
    """Every wanted symbol gets the same share of `gross` times equity, scaled by the signal's strength.

    Attributes:
        gross: fraction of equity to invest in total, above zero.

    Raises:
        ConfigurationError: `gross` is not above zero.
    """

    gross: Decimal = Decimal("0.95")

    def __post_init__(self) -> None:
        if self.gross <= 0:
            raise ConfigurationError(f"equal weight: gross {self.gross} must be above zero")

    def size(self, request: SizingRequest) -> Sizing:
        parts = max(request.signals, 1)
        full = self.gross * request.signal.strength
        value = full * request.equity / parts  # divided last: a part that is rounded first loses the last share
        return of_value(request, value, "equal_weight", f"{full / parts:.4f} of equity")


@dataclass(frozen=True)
class OwnWeight:
    """For strategies that size themselves: the signal's `weight` times equity; otherwise asks `otherwise`."""

    otherwise: PositionSizer = EqualWeight()

    def size(self, request: SizingRequest) -> Sizing:
        weight = request.signal.weight
        if weight is None:
            return self.otherwise.size(request)
        return of_value(
            request, weight * request.equity, "signal_weight", f"{weight} of equity, asked for by the strategy"
        )


def share_of_one(request: SizingRequest, weight: Decimal, rule: str, detail: str) -> Sizing:
    """A weight that was found for one symbol alone, divided by how many are wanted."""
    value = weight * request.signal.strength * request.equity / max(request.signals, 1)
    return of_value(request, value, rule, detail)
