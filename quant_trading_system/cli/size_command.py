"""`qts size`: what each sizer would hold, what bound it, and what a rebalance to it would cost and change."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quant_trading_system.cli.screen import AsJson, print_json, screen, table
from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.core.numbers import exact, plain, usd

if TYPE_CHECKING:
    from quant_trading_system.app.sizing import Desk, Preview, SizedPortfolio
    from quant_trading_system.core.instruments import Universe
    from quant_trading_system.market.history import PriceHistory
    from quant_trading_system.risk.sizing.contributions import PortfolioRisk

_BUNDLED = "sp500"
_STOPLESS = ("equal-weight", "vol-target", "atr", "kelly", "risk-parity", "max-diversification")


class Side(StrEnum):
    """Which way."""

    LONG = "long"
    SHORT = "short"


Symbols = Annotated[list[str] | None, typer.Argument(metavar="SYMBOL...", help="What is wanted; all by default.")]
SizerTexts = Annotated[
    list[str] | None,
    typer.Option("--sizer", help="NAME or NAME:key=value,…, joined by + for composites; several are compared."),
]
Prices = Annotated[
    str, typer.Option(help="A CSV or Parquet file, a directory of such files, or sp500 for the bundled prices.")
]
Last = Annotated[
    datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day that is known; the last one without it.")
]
UniverseFile = Annotated[Path | None, typer.Option("--universe", help="CSV of what may be traded, with sectors.")]
Limits = Annotated[Path | None, typer.Option(help="Your risk_params.yaml instead of the shipped one.")]
Cash = Annotated[str, typer.Option(help="Dollars of the account, beside what is held.")]
Held = Annotated[str, typer.Option(metavar="A=10,B=-5", help="Shares held; shorts are negative.")]
SideOption = Annotated[Side, typer.Option(help="Which way the symbols are wanted.")]
Stop = Annotated[str, typer.Option(help="Dollars a share, for sizers that risk to a stop; with one symbol.")]
Drawdown = Annotated[str, typer.Option(help="Of the account, a fraction below its peak.")]
ShowPreview = Annotated[bool, typer.Option("--preview", help="Show the trades to get there, their cost and the risk.")]
Kept = Annotated[str, typer.Option(help="Of the preview: fraction of equity that stays in cash.")]
Band = Annotated[str, typer.Option(help="Of the preview: drift that is left alone, a fraction of the target.")]
Spread = Annotated[str, typer.Option("--spread-bps", help="Of the preview: quoted spread in basis points.")]
Listing = Annotated[bool, typer.Option("--list", help="List the sizers with their parameters, and end.")]


def size(
    symbols: Symbols = None,
    sizer: SizerTexts = None,
    prices: Prices = _BUNDLED,
    last: Last = None,
    universe: UniverseFile = None,
    limits: Limits = None,
    cash: Cash = "100000",
    held: Held = "",
    side: SideOption = Side.LONG,
    stop: Stop = "",
    drawdown: Drawdown = "0",
    show_preview: ShowPreview = False,
    cash_kept: Kept = "0",
    drift_band: Band = "0",
    spread_bps: Spread = "4",
    listing: Listing = False,
    as_json: AsJson = False,
) -> None:
    """Size positions from daily prices, sizers side by side; nothing is traded.

    Example: [bold]qts size KO XOM JPM --sizer risk-parity --held AAPL=40 --preview[/bold]
    """
    from quant_trading_system.app.sizing import preview, sized, wishes
    from quant_trading_system.core.signals import Direction
    from quant_trading_system.trading.planning import ExecutionPolicy

    if listing:
        _list()
        return
    desk = _desk(prices, last, universe, limits, cash=cash, held=held, drawdown=drawdown, spread_bps=spread_bps)
    wanted = [symbol.strip().upper() for text in symbols or [] for symbol in text.split(",") if symbol.strip()]
    wanted = wanted or list(desk.view.symbols)
    if stop and len(wanted) > 1:
        raise ConfigurationError("--stop is the stop of one symbol; name one")
    specs = sizer or [*_STOPLESS, *(("fixed-fractional",) if stop else ())]
    signals = wishes(desk, wanted, Direction(side.value), _number(stop, "--stop") if stop else None)
    found = sized(desk, specs, signals)
    shown = None
    if show_preview:
        if len(found) > 1:
            raise ConfigurationError("--preview needs one --sizer; several of them are compared, not traded")
        policy = ExecutionPolicy(drift_band=_number(drift_band, "--drift-band"))
        shown = preview(desk, found[0].weights, policy=policy, cash_kept=_number(cash_kept, "--cash-kept"))
    if as_json:
        print_json({"as_of": desk.view.date, "equity": desk.equity, "sizers": found, "preview": shown})
        return
    _show(desk, found)
    if shown is not None:
        _show_preview(shown)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(size)


def _list() -> None:
    from quant_trading_system.risk.position_sizer import SIZERS, describe

    rows = table("sizer", "what it does")
    for name, entry in SIZERS.items():
        rows.add_row(describe(name), entry.meaning)
    screen().print(rows)


def _desk(
    prices: str,
    last: datetime | None,
    universe: Path | None,
    limits: Path | None,
    *,
    cash: str,
    held: str,
    drawdown: str,
    spread_bps: str,
) -> Desk:
    from quant_trading_system.app.sizing import Desk
    from quant_trading_system.config.loader import default_limits, load_limits
    from quant_trading_system.market.history_view import HistoryView

    history, may_trade = _prices(prices, universe)
    if last is not None:
        history = history.between(date.min, last.date())
    shares = _shares(held)
    unknown = sorted(set(shares) - set(history.symbols))
    if unknown:
        raise ConfigurationError(f"--held: no prices of {', '.join(unknown)}")
    return Desk(
        view=HistoryView(history, len(history) - 1),
        universe=may_trade,
        limits=load_limits(limits) if limits else default_limits(),
        cash=_number(cash, "--cash"),
        held=shares,
        drawdown=_number(drawdown, "--drawdown"),
        spread_bps=_number(spread_bps, "--spread-bps"),
    )


def _prices(place: str, universe: Path | None) -> tuple[PriceHistory, Universe]:
    from quant_trading_system.market.bundled import load_sp500
    from quant_trading_system.market.loading import load_prices
    from quant_trading_system.market.universes import load_universe, sp500_20, universe_of

    history = load_sp500() if place == _BUNDLED else load_prices(place)
    if universe is not None:
        return history, load_universe(universe)
    return history, sp500_20() if place == _BUNDLED else universe_of(history)


def _shares(text: str) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = part.partition("=")
        if not equals or not name.strip() or name.strip().upper() in found:
            raise ConfigurationError(f"--held: write SYMBOL=SHARES once for each symbol, not {part!r}")
        found[name.strip().upper()] = _number(value.strip(), "--held")
    return found


def _number(text: str, option: str) -> Decimal:
    try:
        return exact(text)
    except ValueError as error:
        raise ConfigurationError(f"{option}: {error}") from None


def _show(desk: Desk, found: list[SizedPortfolio]) -> None:
    out = screen()
    out.print(f"\n[bold]equity {usd(desk.equity)}[/bold], closes of {desk.view.date}")
    several = len(found) > 1
    first = "sizer" if several and len(found[0].sizings) == 1 else "symbol"
    if several and first == "symbol":
        _show_side_by_side(found)
        return
    rows = table(
        first, "shares", "weight", "share of risk", "bound by", "why", right=("shares", "weight", "share of risk")
    )
    for portfolio in found:
        for symbol, sizing in portfolio.sizings.items():
            share = None if portfolio.risk is None else portfolio.risk.contributions.get(symbol)
            cut = "" if sizing.cut_from is None else f" (from {plain(sizing.cut_from)})"
            rows.add_row(
                portfolio.sizer if several else symbol,
                plain(sizing.quantity),
                f"{portfolio.weights[symbol]:.2%}",
                "–" if share is None else f"{share:.1%}",
                sizing.bound_by + cut,
                sizing.detail,
            )
    out.print(rows)
    if not several:
        _show_risk("risk", found[0].risk, found[0].risk_missing)


def _show_side_by_side(found: list[SizedPortfolio]) -> None:
    names = tuple(portfolio.sizer for portfolio in found)
    rows = table("weight of equity", *names, right=names)
    for symbol in found[0].sizings:
        rows.add_row(symbol, *(f"{portfolio.weights[symbol]:.2%}" for portfolio in found))
    rows.add_section()
    rows.add_row("invested", *(f"{sum(portfolio.weights.values()):.2%}" for portfolio in found))
    rows.add_row("volatility", *("–" if p.risk is None else f"{p.risk.volatility:.2%}" for p in found))
    rows.add_row("cut by limits", *(_cuts(portfolio) for portfolio in found))
    screen().print(rows)
    missing = {s.detail: p.sizer for p in found for s in p.sizings.values() if s.bound_by == "missing"}
    for detail, name in missing.items():
        screen().print(f"{name}: {detail}", markup=False)


def _cuts(portfolio: SizedPortfolio) -> str:
    return str(sum(1 for sizing in portfolio.sizings.values() if sizing.cut_from is not None))


def _show_risk(name: str, risk: PortfolioRisk | None, missing: str = "") -> None:
    if risk is None:
        screen().print(f"{name:<10}{missing or 'nothing is held'}", markup=False)
        return
    screen().print(
        f"{name:<10}volatility {risk.volatility:.2%} a year, gross {risk.gross:.2%}, net {risk.net:.2%}, "
        f"largest {risk.largest:.2%}, as {risk.positions:.1f} equal positions",
        markup=False,
    )


def _show_preview(shown: Preview) -> None:
    plan = shown.plan
    columns = ("trade", "price", "before", "after", "cost")
    rows = table("symbol", *columns, "why", right=columns, title="\nrebalance, sells first")
    for trade in plan.trades:
        rows.add_row(
            trade.symbol,
            f"{'+' if trade.change > 0 else ''}{plain(trade.change)}",
            f"{trade.price:.2f}",
            f"{trade.before_weight:.2%}",
            f"{trade.after_weight:.2%}",
            usd(trade.cost),
            trade.why,
        )
    out = screen()
    out.print(rows)
    _show_risk("before", shown.before)
    _show_risk("after", shown.after)
    out.print(
        f"{'costs':<10}{usd(plan.cost)}, turnover {plan.turnover:.2%}, cash {usd(plan.cash_before)} to "
        f"{usd(plan.cash_after)}",
        markup=False,
    )
    for note in plan.notes:
        out.print(note, markup=False)
