"""What a sizer is asked and what it answers.

Every sizer has one shape: a request in, a `Sizing` out, exact and floored to the lot. What is missing sizes
to zero and says why; no sizer ever rounds up, and none exceeds the account's position limit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, overload

import msgspec

from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.instruments import Instrument
from quant_trading_system.core.numbers import ZERO, floor_to_lot, from_float
from quant_trading_system.core.signals import Direction, Signal
from quant_trading_system.risk.correlation import CorrelationSource

if TYPE_CHECKING:
    from quant_trading_system.market.history_view import HistoryView

PLACES = 8
"""Decimals of a weight that came out of statistics."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A symbol that is wanted now, and the price at which it would be opened (dollars a share)."""

    signal: Signal
    instrument: Instrument
    price: Decimal


class Trades(Sequence[Decimal]):
    """What closed trades have earned, copied when a sizer asks: most do not, and a long past holds many."""

    def __init__(self, read: Callable[[], Iterable[Decimal]]) -> None:
        """`read` tells the net profits in dollars, oldest first."""
        self._read = read

    @cached_property
    def _profits(self) -> tuple[Decimal, ...]:
        return tuple(self._read())

    def __len__(self) -> int:
        return len(self._profits)

    @overload
    def __getitem__(self, index: int) -> Decimal: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Decimal]: ...

    def __getitem__(self, index: int | slice) -> Decimal | Sequence[Decimal]:
        return self._profits[index]


class Around(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What a sizer may know beside its own symbol.

    Attributes:
        wanted: every symbol that is wanted at the same time, the one being sized included, in a fixed order.
        staying: symbol to dollars, signed, of what is held and neither wanted nor on its way out; it keeps its room.
        sectors: of what is staying, by symbol.
        held: symbols held at all, in a fixed order.
        past: the bars that are known; None before the first.
        drawdown: fraction below the peak of equity.
        trades: net profits of the closed round trips of the account in dollars, oldest first.
        correlations: as the gate measures them; None where nobody does.
    """

    wanted: tuple[Wanted, ...] = ()
    staying: dict[str, Decimal] = {}
    sectors: dict[str, str] = {}
    held: tuple[str, ...] = ()
    past: HistoryView | None = None
    drawdown: Decimal = ZERO
    trades: Sequence[Decimal] = ()
    correlations: CorrelationSource | None = None


class SizingRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a sizer may know.

    Attributes:
        price: dollars a share at which the position would be opened (the far side of the quote).
        equity: dollars.
        signals: how many symbols are wanted at the same time, this one included.
        around: the account and the market; empty for those who only look at the signal.
    """

    signal: Signal
    instrument: Instrument
    price: Decimal
    equity: Decimal
    limits: RiskLimits
    signals: int = 1
    around: Around = Around()

    def of(self, wanted: Wanted) -> SizingRequest:
        """The same question about another symbol that is wanted."""
        return msgspec.structs.replace(self, signal=wanted.signal, instrument=wanted.instrument, price=wanted.price)

    @property
    def everyone(self) -> tuple[Wanted, ...]:
        """Every symbol that is wanted, at least this one."""
        alone = Wanted(signal=self.signal, instrument=self.instrument, price=self.price)
        return self.around.wanted or (alone,)


class Sizing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer of a sizer.

    Attributes:
        quantity: signed shares to hold, a multiple of the lot.
        bound_by: what limited the size: the sizer's own rule, a key of `risk_params.yaml`, ``lot``, ``signal``
            (flat is wanted) or ``missing`` (an input).
        detail: one line for the decision record.
        cut_from: signed shares before `bound_by` cut them; None when nothing was cut.
    """

    quantity: Decimal
    bound_by: str
    detail: str
    cut_from: Decimal | None = None


class PositionSizer(Protocol):
    """Turns a signal into a target position."""

    def size(self, request: SizingRequest) -> Sizing:
        """The position to hold, signed shares."""


def of_value(request: SizingRequest, value: Decimal, rule: str, detail: str) -> Sizing:
    """Shares worth `value` dollars, capped by the position limit and floored to the lot."""
    direction = request.signal.direction
    if direction is Direction.FLAT:
        return nothing("flat is wanted", bound_by="signal")
    if request.price <= 0 or request.equity <= 0:
        return nothing("no price or no equity")
    bound_by, lot = rule, request.instrument.lot
    cut_from = None
    cap = request.limits.max_position_pct * request.equity
    if value > cap:
        cut_from = floor_to_lot(value / request.price, lot) * direction.sign
        value, bound_by = cap, "max_position_pct"
    shares = floor_to_lot(value / request.price, lot)
    if not shares:
        return nothing(f"{value:.2f} USD buys less than one lot at {request.price}", bound_by="lot")
    return Sizing(quantity=shares * direction.sign, bound_by=bound_by, detail=detail, cut_from=cut_from)


def of_weight(request: SizingRequest, weight: Decimal, rule: str, detail: str) -> Sizing:
    """Shares worth `weight` of equity, scaled by the strength of the signal."""
    return of_value(request, weight * request.signal.strength * request.equity, rule, detail)


def nothing(why: str, bound_by: str = "missing") -> Sizing:
    """No position, and the reason."""
    return Sizing(quantity=ZERO, bound_by=bound_by, detail=why)


def as_weight(number: float) -> Decimal:
    """The one border from a sizer's statistics to exact weights: eight decimals, never below zero.

    Raises:
        InvalidNumber: NaN or infinity.
    """
    return max(from_float(number, PLACES), ZERO)
