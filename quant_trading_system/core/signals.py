"""Signals: what a strategy believes, before anybody asks how much or whether."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import msgspec

from quant_trading_system.core.exceptions import InvalidNumber, StrategyError
from quant_trading_system.core.ids import LONGEST_TAG, is_tag
from quant_trading_system.core.numbers import ONE, ZERO, exact, positive

MAX_WEIGHT = Decimal(10)
"""Shares of equity; more in one symbol is a mistake in the strategy, not leverage."""


class Direction(StrEnum):
    """Where the strategy wants to be."""

    LONG = "long"
    SHORT = "short"
    FLAT = "flat"

    @property
    def sign(self) -> int:
        """+1, -1 or 0."""
        return {"long": 1, "short": -1, "flat": 0}[self.value]


class Signal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A wish for a position in one symbol. It replaces the earlier wish of the same source.

    Attributes:
        strength: share of a full-sized position that is wanted, 0 to 1.
        confidence: how sure the source is, 0 to 1; decides between conflicting sources.
        weight: share of equity wanted, 0 to 10, when the strategy sizes for itself; else the sizer decides.
        stop_price: where the idea would be wrong (dollars); the distance that fixed-fractional sizing needs.
        source: the strategy's name.
        expires_at: the signal is dead from this moment on; None lives until it is replaced.
        reason: one line for the decision record.
        execution: how it is to be traded: the name of an algorithm such as ``vwap``, ``auto`` to let the planner
            choose whatever the size, ``once`` for one order; empty leaves it to the execution policy.
        tag: a name that its orders bear.

    Raises:
        StrategyError: a direction that does not exist; strength, confidence, weight or stop price out of range, or no
            exact number; a tag that is too long, or not printable.
    """

    symbol: str
    direction: Direction
    at: datetime
    source: str = ""
    strength: Decimal = ONE
    confidence: Decimal = ONE
    weight: Decimal | None = None
    stop_price: Decimal | None = None
    expires_at: datetime | None = None
    reason: str = ""
    execution: str = ""
    tag: str = ""

    def __post_init__(self) -> None:
        if type(self.direction) is not Direction:
            _make_direction(self)
        if self.strength is not ONE:
            _require_share(self, "strength", ONE)
        if self.confidence is not ONE:
            _require_share(self, "confidence", ONE)
        if self.weight is not None:
            _require_share(self, "weight", MAX_WEIGHT)
        if self.stop_price is not None:
            _make_exact(self, "stop_price", positive)
        if self.tag != "" and not is_tag(self.tag):
            raise StrategyError(f"signal for {self.symbol}: tag: at most {LONGEST_TAG} printable characters")

    def is_alive(self, moment: datetime) -> bool:
        """True until `expires_at`."""
        return self.expires_at is None or moment < self.expires_at


def _make_direction(signal: Signal) -> None:
    try:
        msgspec.structs.force_setattr(signal, "direction", Direction(signal.direction))
    except ValueError:
        words = ", ".join(Direction)
        raise StrategyError(f"signal for {signal.symbol}: direction {signal.direction!r} is none of {words}") from None


def _require_share(signal: Signal, field: str, most: Decimal) -> None:
    number = _make_exact(signal, field, exact)
    if not ZERO <= number <= most:
        raise StrategyError(f"signal for {signal.symbol}: {field} {number} is not between 0 and {most}")


def _make_exact(signal: Signal, field: str, read: Callable[[Decimal], Decimal]) -> Decimal:
    value = getattr(signal, field)
    try:
        number = read(value)
    except InvalidNumber as error:
        raise StrategyError(f"signal for {signal.symbol}: {field}: {error}") from None
    if number is not value:
        msgspec.structs.force_setattr(signal, field, number)
    return number
