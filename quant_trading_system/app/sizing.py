"""Questions to sizers from prices alone: what would each of them hold, and how risky would that be?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.exceptions import ConfigurationError, EstimateError
from quant_trading_system.core.instruments import Universe
from quant_trading_system.core.numbers import BASIS_POINT, ONE, ZERO
from quant_trading_system.core.signals import Direction, Signal
from quant_trading_system.market.history_view import HistoryView
from quant_trading_system.risk.correlation import RollingCorrelations
from quant_trading_system.risk.covariance import CovarianceModel, Gaps
from quant_trading_system.risk.position_sizer import Around, Sizing, SizingRequest, Wanted, make_sizer
from quant_trading_system.risk.sizing.contributions import PortfolioRisk, risk_of
from quant_trading_system.trading.planning import ExecutionPolicy
from quant_trading_system.trading.rebalance import Line, RebalancePlan, plan_rebalance, weights_after


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """An account on paper.

    Attributes:
        view: the prices that are known.
        cash: dollars; held: signed shares by symbol.
        drawdown: fraction below the peak.
        spread_bps: assumed quoted spread, basis points of the last close.
    """

    view: HistoryView
    universe: Universe
    limits: RiskLimits
    cash: Decimal
    held: Mapping[str, Decimal] = {}
    drawdown: Decimal = ZERO
    spread_bps: Decimal = Decimal(4)

    @property
    def equity(self) -> Decimal:
        """Dollars, positions at their last closes."""
        return self.cash + sum((shares * self.view.close(symbol) for symbol, shares in self.held.items()), ZERO)


class SizedPortfolio(msgspec.Struct, frozen=True, kw_only=True):
    """What one sizer would hold.

    Attributes:
        sizer: its text.
        sizings: by symbol; weights: signed fractions of equity.
        risk: None where the covariance cannot be estimated, and `risk_missing` says why.
    """

    sizer: str
    sizings: dict[str, Sizing]
    weights: dict[str, Decimal]
    risk: PortfolioRisk | None
    risk_missing: str = ""


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """A rebalance before it happens: the plan, and the risk on both sides of it."""

    plan: RebalancePlan
    before: PortfolioRisk | None
    after: PortfolioRisk | None


def sized(desk: Desk, specs: Sequence[str], signals: Sequence[Signal]) -> list[SizedPortfolio]:
    """What each sizer of `specs` would hold if all `signals` were wanted at once, cut to the limits.

    Raises:
        ConfigurationError: a sizer is not understood, or a symbol is not in the universe.
        MarketDataError: a symbol has no price.
    """
    requests = questions(desk, signals)
    found = []
    for spec in specs:
        sizer = make_sizer(spec)
        sizings = {request.signal.symbol: sizer.size(request) for request in requests}
        weights = {r.signal.symbol: sizings[r.signal.symbol].quantity * r.price / r.equity for r in requests}
        risk, missing = _risk(desk.view, weights)
        found.append(SizedPortfolio(sizer=spec, sizings=sizings, weights=weights, risk=risk, risk_missing=missing))
    return found


def questions(desk: Desk, signals: Sequence[Signal]) -> list[SizingRequest]:
    """The same questions as the engine would ask, at the last close.

    Raises:
        ConfigurationError: a symbol is not in the universe, or there is no equity.
        MarketDataError: a symbol has no price.
    """
    if desk.equity <= 0:
        raise ConfigurationError(f"an equity of {desk.equity} sizes nothing; raise --cash")
    view, limits = desk.view, desk.limits
    strangers = [s.symbol for s in signals if desk.universe.get_instrument(s.symbol) is None]
    if strangers:
        raise ConfigurationError(f"{', '.join(strangers)}: not in the universe")
    wanted = tuple(
        Wanted(signal=signal, instrument=desk.universe[signal.symbol], price=view.close(signal.symbol))
        for signal in signals
    )
    correlations = RollingCorrelations(
        view.symbols,
        view.returns,
        window=limits.correlation_window,
        min_observations=limits.correlation_min_observations,
        within_days=view.returns_within_days,
    )
    around = Around(
        wanted=wanted,
        held=tuple(sorted(symbol for symbol, shares in desk.held.items() if shares)),
        past=view,
        drawdown=desk.drawdown,
        correlations=correlations,
    )
    return [
        SizingRequest(
            signal=w.signal,
            instrument=w.instrument,
            price=w.price,
            equity=desk.equity,
            limits=limits,
            signals=len(wanted),
            around=around,
        )
        for w in wanted
    ]


def preview(
    desk: Desk, weights: Mapping[str, Decimal], *, policy: ExecutionPolicy | None = None, cash_kept: Decimal = ZERO
) -> Preview:
    """The rebalance from what the desk holds to `weights`, with its costs, and the risk before and after.

    Raises:
        ConfigurationError, MarketDataError: as `plan_rebalance`.
    """
    symbols = dict.fromkeys([*weights, *desk.held])
    plan = plan_rebalance(
        weights,
        [_line(desk, symbol) for symbol in symbols],
        equity=desk.equity,
        cash=desk.cash,
        policy=policy,
        cash_kept=cash_kept,
    )
    before = {trade.symbol: trade.before_weight for trade in plan.trades if trade.before_weight}
    return Preview(plan=plan, before=_risk(desk.view, before)[0], after=_risk(desk.view, weights_after(plan.trades))[0])


def wishes(desk: Desk, symbols: Sequence[str], direction: Direction, stop: Decimal | None) -> list[Signal]:
    """One wish for each symbol, now."""
    return [
        Signal(symbol=symbol, direction=direction, at=desk.view.now, source="size", stop_price=stop)
        for symbol in symbols
    ]


def _line(desk: Desk, symbol: str) -> Line:
    close = desk.view.close(symbol)
    half = close * desk.spread_bps * BASIS_POINT / 2
    known = desk.universe.get_instrument(symbol)
    lot = ONE if known is None else known.lot
    return Line(symbol=symbol, bid=close - half, ask=close + half, held=desk.held.get(symbol, ZERO), lot=lot)


def _risk(view: HistoryView, weights: Mapping[str, Decimal]) -> tuple[PortfolioRisk | None, str]:
    symbols = sorted(symbol for symbol, weight in weights.items() if weight)
    if not symbols:
        return None, "nothing is held"
    try:
        covariance = CovarianceModel(gaps=Gaps.COMMON).estimate(view, symbols)
        return risk_of(weights, covariance), ""
    except EstimateError as error:
        return None, str(error)
