"""`qts optimize`: weights from prices, with the risk that each adds and the proof of how good they are."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeVar

import typer

from quant_trading_system.cli.screen import AsJson, print_json, screen, table
from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.core.numbers import plain

if TYPE_CHECKING:
    from quant_trading_system.market.history import PriceHistory
    from quant_trading_system.risk.covariance import Covariance
    from quant_trading_system.risk.portfolio_optimizer import Constraints, Portfolio, Problem, View

_BUNDLED = "sp500"
_YEAR = 252
_T = TypeVar("_T")


class MethodName(StrEnum):
    """The names of `Method`; a test keeps them the same. Listed here so that help needs no NumPy."""

    MIN_VARIANCE = "min-variance"
    MEAN_VARIANCE = "mean-variance"
    MAX_SHARPE = "max-sharpe"
    RISK_PARITY = "risk-parity"
    MAX_DIVERSIFICATION = "max-diversification"
    HRP = "hrp"
    HERC = "herc"
    BLACK_LITTERMAN = "black-litterman"
    MIN_CVAR = "min-cvar"
    ROBUST = "robust"
    INVERSE_VOLATILITY = "inverse-volatility"
    EQUAL_WEIGHT = "equal-weight"


class EstimatorName(StrEnum):
    """The names of `Estimator`."""

    SAMPLE = "sample"
    EWMA = "ewma"
    LEDOIT_WOLF = "ledoit-wolf"
    CONSTANT_CORRELATION = "ledoit-wolf-constant-correlation"
    OAS = "oas"
    GERBER = "gerber"
    DENOISED = "denoised"


class GapsName(StrEnum):
    """The names of `Gaps`."""

    REFUSE = "refuse"
    COMMON = "common"
    PAIRWISE = "pairwise"


Asked = Annotated[MethodName, typer.Argument(metavar="METHOD", help=", ".join(MethodName) + ".")]
Prices = Annotated[
    str, typer.Option(help="Daily prices: a CSV or Parquet file, a directory of such files, or sp500 for the bundled.")
]
Symbols = Annotated[str, typer.Option(help="Only these, separated by commas.")]
Day = Annotated[
    datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day that is known; the last one without it.")
]
Lookback = Annotated[int, typer.Option(help="Daily returns to look back.")]
EstimatorOption = Annotated[EstimatorName, typer.Option("--covariance", help="How the covariance is estimated.")]
GapsOption = Annotated[GapsName, typer.Option(help="Missing returns: refuse, use common rows, or pairwise.")]
MinWeight = Annotated[float, typer.Option(help="Smallest weight; negative allows shorts.")]
MaxWeight = Annotated[float, typer.Option(help="Largest weight.")]
SectorCaps = Annotated[
    list[str] | None, typer.Option("--sector-cap", metavar="SECTOR=WEIGHT", help="Largest sum of a sector; repeat it.")
]
UniverseFile = Annotated[Path | None, typer.Option("--universe", help="CSV with sectors, for your own prices.")]
MaxPositions = Annotated[int | None, typer.Option(help="Most positions, proved by branch and bound.")]
Current = Annotated[
    str, typer.Option(metavar="A=0.1,B=0.2", help="Weights now; what turnover and costs are measured from.")
]
MaxTurnover = Annotated[float | None, typer.Option(help="Largest sum of buys and sells, a fraction of equity.")]
Band = Annotated[float, typer.Option("--no-trade-band", help="Keep weights that would move less than this.")]
CostBps = Annotated[float, typer.Option(help="Cost of a trade in basis points, spread over --hold days.")]
Hold = Annotated[int, typer.Option(help="Days that a position is meant to be held, for costs.", min=1)]
Budgets = Annotated[str, typer.Option(metavar="A=0.5,B=0.5", help="Shares of risk, of risk-parity.")]
Views = Annotated[
    list[str] | None,
    typer.Option("--view", metavar="A=0.1 or A-B=0.02", help="Return per year, of black-litterman; repeat it."),
]
RiskFree = Annotated[float, typer.Option(help="Rate per year, of max-sharpe.")]
Aversion = Annotated[float, typer.Option(help="Of mean-variance, robust and black-litterman.")]
Confidence = Annotated[str, typer.Option(help="Of min-cvar.")]
Fallbacks = Annotated[
    list[MethodName] | None, typer.Option("--fallback", help="Tried in turn when METHOD gives nothing; repeat it.")
]
Html = Annotated[Path | None, typer.Option("--report", help="Write weights, risk and frontier as an HTML file.")]


class _Options(NamedTuple):
    """What was typed, but for the prices."""

    method: MethodName
    min_weight: float
    max_weight: float
    sector_caps: list[str]
    max_positions: int | None
    current: str
    max_turnover: float | None
    band: float
    cost_bps: float
    hold: int
    budgets: str
    views: list[str]
    risk_free: float
    aversion: float
    confidence: str


def optimize(
    method: Asked,
    prices: Prices = _BUNDLED,
    symbols: Symbols = "",
    to: Day = None,
    lookback: Lookback = 252,
    covariance: EstimatorOption = EstimatorName.LEDOIT_WOLF,
    gaps: GapsOption = GapsName.REFUSE,
    min_weight: MinWeight = 0.0,
    max_weight: MaxWeight = 1.0,
    sector_cap: SectorCaps = None,
    universe: UniverseFile = None,
    max_positions: MaxPositions = None,
    current: Current = "",
    max_turnover: MaxTurnover = None,
    no_trade_band: Band = 0.0,
    cost_bps: CostBps = 0.0,
    hold: Hold = 21,
    budgets: Budgets = "",
    view: Views = None,
    risk_free: RiskFree = 0.0,
    risk_aversion: Aversion = 2.5,
    confidence: Confidence = "0.95",
    fallback: Fallbacks = None,
    report: Html = None,
    as_json: AsJson = False,
) -> None:
    """Compute portfolio weights from daily prices; nothing is traded.

    Expected returns are the means of the lookback, which tell little; black-litterman starts from equal weights.

    Example: [bold]qts optimize risk-parity --lookback 252[/bold]
    """
    from quant_trading_system.risk.portfolio_optimizer import Method
    from quant_trading_system.risk.portfolio_optimizer import optimize as solve

    history, sectors = _prices(prices, symbols, universe, to)
    options = _Options(
        method, min_weight, max_weight, sector_cap or [], max_positions, current, max_turnover, no_trade_band, cost_bps,
        hold, budgets, view or [], risk_free, risk_aversion, confidence,
    )  # fmt: skip
    problem = _problem(history, sectors, options, lookback, covariance, gaps)
    found = solve(problem, [Method(name) for name in fallback or []])
    if report is not None:
        _write_report(report, problem, found, history)
    if as_json:
        print_json(_data(problem.covariance, found, history))
        return
    _show(problem.covariance, found, history)
    if report is not None:
        screen().print(f"report   {report}", markup=False)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(optimize)


def _prices(
    place: str, symbols: str, universe: Path | None, last: datetime | None
) -> tuple[PriceHistory, dict[str, str]]:
    from quant_trading_system.market.bundled import load_sp500
    from quant_trading_system.market.loading import load_prices
    from quant_trading_system.market.universes import load_universe, sp500_20

    history = load_sp500() if place == _BUNDLED else load_prices(place)
    if not history.is_daily:
        raise ConfigurationError("--prices: these bars are not daily; weights and risk are those of daily returns")
    wanted = [symbol.strip().upper() for symbol in symbols.split(",") if symbol.strip()]
    history = history.select(wanted) if wanted else history
    history = history.between(date.min, last.date()) if last is not None else history
    if universe is not None:
        return history, load_universe(universe).sectors
    return history, sp500_20().sectors if place == _BUNDLED else {}


def _problem(
    history: PriceHistory,
    sectors: dict[str, str],
    options: _Options,
    lookback: int,
    estimator: EstimatorName,
    gaps: GapsName,
) -> Problem:
    import numpy as np

    from quant_trading_system.market.history_view import HistoryView
    from quant_trading_system.risk.covariance import CovarianceModel, Estimator, Gaps, known_returns
    from quant_trading_system.risk.portfolio_optimizer import Costs, Method, Problem

    model = CovarianceModel(estimator=Estimator(estimator), lookback=lookback, gaps=Gaps(gaps))
    view = HistoryView(history, len(history) - 1)
    covariance = model.estimate(view)
    returns, names = known_returns(view, lookback)
    complete = returns[~np.isnan(returns).any(axis=1)]
    even = dict.fromkeys(names, 1 / len(names))
    return Problem(
        method=Method(options.method),
        covariance=covariance,
        constraints=_constraints(options, sectors),
        costs=Costs(linear=options.cost_bps / 10_000 / options.hold),
        means=dict(zip(names, np.nanmean(returns, axis=0).tolist(), strict=True)),
        scenarios=complete,
        budgets=_numbers(options.budgets, "--budgets") or None,
        risk_aversion=options.aversion,
        risk_free=options.risk_free / _YEAR,
        confidence=_checked(partial(_confidence, options.confidence), "--confidence"),
        market_weights=even,
        views=tuple(_view(text) for text in options.views),
        no_trade_band=options.band,
    )


def _constraints(options: _Options, sectors: dict[str, str]) -> Constraints:
    from quant_trading_system.risk.portfolio_optimizer import Constraints

    return Constraints(
        min_weight=options.min_weight,
        max_weight=options.max_weight,
        sectors=sectors,
        sector_caps=_numbers(",".join(options.sector_caps), "--sector-cap", upper=False),
        current=_numbers(options.current, "--current"),
        max_turnover=options.max_turnover,
        max_positions=options.max_positions,
    )


def _numbers(text: str, option: str, *, upper: bool = True) -> dict[str, float]:
    """``A=0.1,B=0.2`` as a mapping."""
    found: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = part.partition("=")
        if not equals or not name.strip():
            raise ConfigurationError(f"{option}: write NAME=NUMBER, not {part!r}")
        name = name.strip().upper() if upper else name.strip()
        if name in found:
            raise ConfigurationError(f"{option} names {name} twice")
        found[name] = _checked(partial(float, value), option)
    return found


def _view(text: str) -> View:
    """``A=0.1`` or ``A-B=0.02``, per year."""
    from quant_trading_system.risk.portfolio_optimizer import View

    read = list(_numbers(text, "--view").items())
    if not read:
        raise ConfigurationError("--view: write NAME=NUMBER or NAME-OTHER=NUMBER")
    if len(read) > 1:
        raise ConfigurationError("--view: one view at a time; repeat the option for more")
    ((names, yearly),) = read
    better, minus, worse = names.partition("-")
    weights = {better.strip(): 1.0}
    if minus:
        weights[worse.strip()] = -1.0
    return View(weights=weights, expected=yearly / _YEAR)


def _confidence(text: str) -> Any:
    from quant_trading_system.risk.value_at_risk import confidence_level

    return confidence_level(text)


def _checked(read: Callable[[], _T], option: str) -> _T:
    try:
        return read()
    except ValueError as error:
        raise ConfigurationError(f"{option}: {error}") from None


def _show(covariance: Covariance, found: Portfolio, history: PriceHistory) -> None:
    out = screen()
    out.print(f"\n[bold]{found.method}[/bold] of {len(found.weights)} symbols, {history.dates[-1]}")
    held = {symbol: weight for symbol, weight in found.exact_weights().items() if weight}
    rows = table("symbol", "weight", "share of risk", "volatility", right=("weight", "share of risk", "volatility"))
    alone = dict(zip(covariance.symbols, covariance.volatilities.tolist(), strict=True))
    for symbol, weight in sorted(held.items(), key=lambda item: (-abs(item[1]), item[0])):
        risk = found.risk_contributions[symbol]
        rows.add_row(symbol, f"{weight:.2%}", f"{risk:.2%}", f"{alone[symbol] * _YEAR**0.5:.2%}")
    out.print(rows)
    for name, told in _facts(covariance, found):
        out.print(f"{name:<22}{told}", markup=False)
    for attempt in found.attempts:
        out.print(f"{'tried before':<22}{attempt.method} by {attempt.rung}: {attempt.reason}", markup=False)


def _facts(covariance: Covariance, found: Portfolio) -> list[tuple[str, str]]:
    expected = "–" if found.expected_return is None else f"{found.expected_return * _YEAR:.2%} a year"
    shrunk = "" if covariance.shrinkage is None else f", shrinkage {covariance.shrinkage:.3f}"
    proof = "" if found.kkt_residual is None else f", KKT residual {found.kkt_residual:.1e}"
    facts = [
        ("volatility", f"{found.volatility * _YEAR**0.5:.2%} a year"),
        ("expected return", expected),
        ("diversification ratio", f"{found.diversification_ratio:.3f}"),
        ("covariance", f"{covariance.estimator} of {covariance.observations} days{shrunk}"),
        ("solved by", f"{found.rung}{proof}"),
        ("binding", ", ".join(found.binding) or "none"),
    ]
    facts += [("CVaR, one day", f"{found.cvar:.2%}")] if found.cvar is not None else []
    facts += [("kept by the band", ", ".join(found.kept))] if found.kept else []
    return facts


def _data(covariance: Covariance, found: Portfolio, history: PriceHistory) -> dict[str, object]:
    return {
        "method": found.method,
        "as_of": str(history.dates[-1]),
        "weights": {symbol: plain(weight) for symbol, weight in found.exact_weights().items()},
        "risk_contributions": found.risk_contributions,
        "volatility_per_year": found.volatility * _YEAR**0.5,
        "expected_return_per_year": None if found.expected_return is None else found.expected_return * _YEAR,
        "diversification_ratio": found.diversification_ratio,
        "cvar": found.cvar,
        "turnover": found.turnover,
        "binding": found.binding,
        "kept": found.kept,
        "rung": found.rung,
        "kkt_residual": found.kkt_residual,
        "attempts": found.attempts,
        "covariance": {
            "estimator": covariance.estimator,
            "observations": covariance.observations,
            "shrinkage": covariance.shrinkage,
            "repaired": covariance.repaired,
        },
    }


def _write_report(path: Path, problem: Problem, found: Portfolio, history: PriceHistory) -> None:
    from quant_trading_system.research.portfolio_report import PortfolioPage, write_portfolio_html
    from quant_trading_system.risk.portfolio_optimizer import frontier

    covariance = problem.covariance
    counted = problem.constraints.max_positions is not None  # a point of such a frontier takes minutes
    page = PortfolioPage(
        portfolio=found,
        frontier=() if counted else frontier(problem),
        title=f"Portfolio: {found.method}",
        subtitle=f"{len(found.weights)} symbols, {covariance.observations} days to {history.dates[-1]}",
        notes=(
            f"Covariance: {covariance.estimator}. Expected returns are the means of the same days.",
            f"Condition number of the correlations: {covariance.condition_number:,.0f}.",
        ),
    )
    try:
        write_portfolio_html(path, page)
    except OSError as error:
        raise ConfigurationError(f"--report {path} cannot be written: {error.strerror or error}") from error
