"""Where the account stands: its exposures, its tail, its stresses, and what is used of every limit."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from quant_trading_system.core.decisions import Unit
from quant_trading_system.core.event import Event
from quant_trading_system.core.numbers import ONE, ZERO

_PLACES = Decimal("0.0001")


class LimitUse(msgspec.Struct, frozen=True, array_like=True):
    """What is used of one limit.

    Attributes:
        rule: the key of `risk_params.yaml`.
        actual, limit: both in `unit`.
        of: the symbol or sector that is nearest to it, if it is about one.
    """

    rule: str
    actual: Decimal
    limit: Decimal
    unit: Unit
    of: str = ""

    @property
    def left(self) -> Decimal:
        """What is left; negative when the limit is broken."""
        return self.limit - self.actual

    @property
    def share(self) -> Decimal:
        """The part of the limit that is used, 0 to 1 and above; 1 where nothing at all is allowed."""
        if self.limit <= 0:
            return ONE
        return (max(self.actual, ZERO) / self.limit).quantize(_PLACES)


class RiskNow(Event, frozen=True, kw_only=True, omit_defaults=True, tag="risk_now"):
    """The risk numbers of a moment, once a minute and at the end of the day. What is not known is None, never 0.

    Attributes:
        gross, net, long, short: fractions of equity; `short` is at least 0.
        beta: of the book, in equities: dollars of market for each dollar of equity.
        sectors: sum of absolute values by sector, fractions of equity.
        position_concentration: the largest position, fraction of equity; `largest`: its symbol.
        herfindahl: 1 for a single position, 1/n for n equal ones.
        tail: dollars at risk in one bar, such as ``historical_var_95`` and ``monte_carlo_es_99``.
        bars: how many past bars the tail is drawn from; `is_daily`: they are days.
        correlated: the largest positions, the largest first; `correlations`: of the returns of each with those before
            it, -1 to 1.
        stress: dollars lost by scenario, negative for a gain.
        limits: what is used of each limit.
        is_day_end: the last one of its day, with `record`.
        record: for each forecast in `tail`, the latest days in order: ``1`` where the loss was larger, else ``0``.
    """

    equity: Decimal
    cash: Decimal
    daily_pnl: Decimal
    current_drawdown: Decimal
    gross: Decimal | None = None
    net: Decimal | None = None
    long: Decimal | None = None
    short: Decimal | None = None
    beta: Decimal | None = None
    sectors: dict[str, Decimal] = msgspec.field(default_factory=dict)
    position_concentration: Decimal | None = None
    largest: str = ""
    herfindahl: Decimal | None = None
    tail: dict[str, Decimal | None] = msgspec.field(default_factory=dict)
    bars: int = 0
    is_daily: bool = False
    correlated: tuple[str, ...] = ()
    correlations: tuple[tuple[Decimal | None, ...], ...] = ()
    stress: dict[str, Decimal] = msgspec.field(default_factory=dict)
    limits: tuple[LimitUse, ...] = ()
    is_day_end: bool = False
    record: dict[str, str] = msgspec.field(default_factory=dict)
