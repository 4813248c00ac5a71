"""A rebalance as it is shown to whoever asks for it: the trades, what they cost, and the risk before and after."""

from __future__ import annotations

from decimal import Decimal

import msgspec


class TradeShown(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol.

    Attributes:
        change: signed shares to trade, zero for what is left alone.
        price: dollars a share, the far side of the quote; cost: dollars, half the spread.
        before, after: signed fractions of equity.
    """

    symbol: str
    change: Decimal
    price: Decimal
    cost: Decimal
    before: Decimal
    after: Decimal
    why: str


class RiskShown(msgspec.Struct, frozen=True, kw_only=True):
    """Ex-ante risk of what is held.

    Attributes:
        volatility: of a year, fraction of equity.
        gross, net: sums of absolute and of signed weights; largest: absolute weight.
        contributions: shares of the variance by symbol.
    """

    volatility: Decimal
    gross: Decimal
    net: Decimal
    largest: Decimal
    contributions: dict[str, Decimal]


class RebalanceShown(msgspec.Struct, frozen=True, kw_only=True):
    """The whole: sells first, then buys, then what is left alone.

    Attributes:
        equity, cash_before, cash_after, cost: dollars.
        turnover: traded dollars over equity.
        before, after: None where the risk cannot be estimated, and `risk_missing` says why.
        notes: what bound the plan as a whole.
    """

    equity: Decimal
    cash_before: Decimal
    cash_after: Decimal
    turnover: Decimal
    cost: Decimal
    trades: tuple[TradeShown, ...]
    before: RiskShown | None = None
    after: RiskShown | None = None
    risk_missing: str = ""
    notes: tuple[str, ...] = ()
