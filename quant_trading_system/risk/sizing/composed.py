"""Sizers made of sizers: the smallest of several, and scaling such as that by drawdown.

The answer names what truly bound: the part that made it as small as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.core.numbers import ONE, ZERO, floor_to_lot
from quant_trading_system.risk.sizing.request import PositionSizer, Sizing, SizingRequest


@dataclass(frozen=True)
class Smallest:
    """The smallest of what several sizers answer; between equals the first.

    Raises:
        ConfigurationError: no sizers.
    """

    sizers: tuple[PositionSizer, ...]

    def __post_init__(self) -> None:
        if not self.sizers:
            raise ConfigurationError("the smallest of no sizers is nothing: name at least one")

    def size(self, request: SizingRequest) -> Sizing:
        answers = [sizer.size(request) for sizer in self.sizers]
        least = min(answers, key=lambda sizing: abs(sizing.quantity))
        largest = max(answers, key=lambda sizing: abs(sizing.quantity))
        if least.quantity == largest.quantity:
            return least
        return Sizing(quantity=least.quantity, bound_by=least.bound_by, detail=least.detail, cut_from=largest.quantity)


class Scale(Protocol):
    """A factor on every size, from the state of the account or of the market."""

    @property
    def rule(self) -> str:
        """Names the factor in decision records."""

    def factor(self, request: SizingRequest) -> tuple[Decimal | None, str]:
        """From 0 to 1, and the words that explain it; None when it is not known, and then nothing is held."""


@dataclass(frozen=True)
class Scaled:
    """What a sizer answers, times a factor of at most one, floored to the lot."""

    sizer: PositionSizer
    scale: Scale

    def size(self, request: SizingRequest) -> Sizing:
        full = self.sizer.size(request)
        if not full.quantity:
            return full
        factor, words = self.scale.factor(request)
        if factor is None:
            return Sizing(quantity=ZERO, bound_by="missing", detail=words, cut_from=full.quantity)
        if factor >= ONE:
            return full
        return Sizing(
            quantity=floor_to_lot(full.quantity * max(factor, ZERO), request.instrument.lot),
            bound_by=self.scale.rule,
            detail=f"{words}: {factor:.4f} of {full.bound_by}: {full.detail}",
            cut_from=full.quantity,
        )


@dataclass(frozen=True)
class DrawdownScale:
    """One until the account is `start` below its peak, then falling in a line to `least` at `end`.

    Source: Grossman & Zhou (1993): exposure in proportion to the distance from the largest loss that is bearable.

    Attributes:
        start, end: fractions below the peak; least: the factor from `end` on. An `end` of 0 is the account's
            `max_drawdown_pct`, at which the kill switch acts; where that is no larger than `start`, nothing is
            scaled before it.

    Raises:
        ConfigurationError: not 0 ≤ start < end ≤ 1, with an end that is given, and 0 ≤ least ≤ 1.
    """

    start: Decimal = Decimal("0.05")
    end: Decimal = ZERO
    least: Decimal = ZERO
    rule = "drawdown"

    def __post_init__(self) -> None:
        is_ordered = ZERO <= self.start < (self.end or ONE) <= ONE
        if not (is_ordered and ZERO <= self.least <= ONE):
            raise ConfigurationError(
                f"drawdown: 0 ≤ start {self.start} < end {self.end} ≤ 1 and 0 ≤ least {self.least} ≤ 1 must hold"
            )

    def factor(self, request: SizingRequest) -> tuple[Decimal | None, str]:
        drawdown, end = request.around.drawdown, self.end or request.limits.max_drawdown_pct
        within = ONE if drawdown < end else ZERO
        left = (end - drawdown) / (end - self.start) if self.start < end else within
        factor = self.least + (ONE - self.least) * min(max(left, ZERO), ONE)
        return factor, f"{drawdown:.2%} below the peak"
