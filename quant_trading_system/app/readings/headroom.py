"""How much room each limit of the account has left, from the limits on record and the books."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from quant_trading_system.app.readings.follower import Follower
from quant_trading_system.app.readings.limits import limits_in_force
from quant_trading_system.app.readings.positions import Holdings, fraction
from quant_trading_system.core.numbers import ZERO


class Headroom(msgspec.Struct, frozen=True, kw_only=True):
    """One limit and what is used of it.

    Attributes:
        key: in `risk_params.yaml`, such as ``risk.max_position_pct``; `label`: in words.
        used, limit: in the limit's own unit; fractions of equity or of the peak where `is_fraction`.
        share: the part of the limit that is used, 0 to 1 and above.
        of: the symbol or sector that is nearest to it, if it is about one.
    """

    key: str
    label: str
    used: Decimal
    limit: Decimal
    share: Decimal
    of: str = ""
    is_fraction: bool = True

    @property
    def left(self) -> Decimal:
        """What is left; negative when the limit is broken."""
        return self.limit - self.used


class _Use(msgspec.Struct, frozen=True):
    key: str
    label: str
    used: Decimal
    of: str = ""
    is_fraction: bool = True


def headroom(follower: Follower, held: Holdings) -> tuple[Headroom, ...]:
    """Every account-wide limit on record, in the order of the file; none before the first run."""
    with follower.lock:
        limits = limits_in_force(follower)
        uses = _uses(follower, held)
    return tuple(_headroom(use, Decimal(limits[use.key])) for use in uses if use.key in limits)


def _uses(follower: Follower, held: Holdings) -> tuple[_Use, ...]:
    risk, base = follower.views.risk, follower.books.baselines
    lost = ZERO if risk is None else fraction(max(-risk.daily_pnl, ZERO), base.day_start_equity)
    top = held.positions[0] if held.positions else None
    sector, in_sector = next(iter(held.sectors.items()), ("", ZERO))
    return (
        _Use("risk.max_position_pct", "Largest position", *((abs(top.weight), top.symbol) if top else (ZERO, ""))),
        _Use("risk.max_portfolio_positions", "Positions", Decimal(len(held.positions)), is_fraction=False),
        _Use("risk.max_daily_loss_pct", "Loss today", lost),
        _Use("risk.max_drawdown_pct", "Drawdown", ZERO if risk is None else risk.current_drawdown),
        _Use("risk.max_sector_exposure", "Largest sector", fraction(in_sector, held.equity), sector),
        _Use("account.max_gross_exposure", "Gross exposure", held.gross_fraction),
        _Use("halt.max_consecutive_losses", "Losses in a row", Decimal(base.losing_streak), is_fraction=False),
    )


def _headroom(use: _Use, limit: Decimal) -> Headroom:
    return Headroom(
        key=use.key,
        label=use.label,
        used=use.used,
        limit=limit,
        share=fraction(use.used, limit),
        of=use.of,
        is_fraction=use.is_fraction,
    )
