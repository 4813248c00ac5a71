"""`qts risk`: the risk numbers of an account, as its journal has them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quant_trading_system.cli.engine_calls import Far, Record
from quant_trading_system.cli.option_groups import grouped
from quant_trading_system.cli.screen import AsJson, following, print_json, screen, table
from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.core.numbers import plain, usd

if TYPE_CHECKING:
    from quant_trading_system.app.readings.risk import RiskReading
    from quant_trading_system.core.risk_now import RiskNow


def add_to(app: typer.Typer) -> None:
    """Add the command to `qts`."""
    app.command()(grouped(risk))


def risk(
    stress: Annotated[bool, typer.Option("--stress", help="Every stress scenario instead of the worst one.")] = False,
    correlations: Annotated[
        bool, typer.Option("--correlations", help="Also how the largest positions move together.")
    ] = False,
    as_json: AsJson = False,
    *,
    record: Record,
) -> None:
    """Show exposures, value at risk, stresses and what is used of every limit, as measured once a minute.

    Example: [bold]qts risk --stress[/bold]
    """
    found = _far(record.far) if record.far.api else _near(record.journal)
    if found is None:
        raise ConfigurationError(
            "no risk numbers are on record; live accounts (`qts trade`) write them once a minute, and `qts overview` "
            "works with every journal"
        )
    if as_json:
        print_json(found)
    else:
        _show(found, every_stress=stress)
        if correlations:
            _show_correlations(found.now)


def _near(journal: Path | None) -> RiskReading | None:
    """What a journal has."""
    from quant_trading_system.app.readings.risk import risk_reading

    with following(journal) as follower:
        return risk_reading(follower)


def _far(far: Far) -> RiskReading | None:
    """What a console tells."""
    from quant_trading_system.app.readings.risk import MeasuredRisk

    found: RiskReading | None = far.read("/v1/risk", MeasuredRisk).measured
    return found


def _show(found: RiskReading, *, every_stress: bool) -> None:
    out, now = screen(), found.now
    drawdown = _percent(now.current_drawdown)
    out.print(f"[bold]risk at {now.at:%Y-%m-%d %H:%M:%S} UTC[/bold]")
    out.print(
        f"  equity {usd(now.equity)}, today {usd(now.daily_pnl)}, drawdown {drawdown}",
        markup=False,
    )
    out.print(
        f"  gross {_percent(now.gross)}, net {_percent(now.net)}, long {_percent(now.long)}, "
        f"short {_percent(now.short)}, beta {_number(now.beta)}",
        markup=False,
    )
    out.print(
        f"  largest {now.largest or '-'} {_percent(now.position_concentration)}, Herfindahl {_number(now.herfindahl)}",
        markup=False,
    )
    if now.sectors:
        sectors = sorted(now.sectors.items(), key=lambda item: -item[1])
        out.print(f"  sectors {', '.join(f'{name} {_percent(share)}' for name, share in sectors)}", markup=False)
    _show_tail(now)
    _show_stress(now, every=every_stress)
    _show_limits(now)
    _show_forecasts(found)


def _show_tail(now: RiskNow) -> None:
    span = "one day" if now.is_daily else "one bar"
    shown = table("method", "VaR 95", "ES 95", "VaR 99", "ES 99", title=f"at risk in {span}, from {now.bars} past bars")
    for method in dict.fromkeys(name.rsplit("_", 2)[0] for name in now.tail):
        cells = (now.tail.get(f"{method}_{name}") for name in ("var_95", "es_95", "var_99", "es_99"))
        shown.add_row(method.replace("_", " "), *("unknown" if cell is None else usd(cell) for cell in cells))
    screen().print(shown)


def _show_stress(now: RiskNow, *, every: bool) -> None:
    ordered = sorted(now.stress.items(), key=lambda item: -item[1])
    shown = table("scenario", "loss", "of equity", title="stress" if every else "worst stress", right=("loss",))
    for name, loss in ordered if every else ordered[:1]:
        shown.add_row(name, usd(loss), _percent(loss / now.equity if now.equity > 0 else None))
    screen().print(shown)


def _show_correlations(now: RiskNow) -> None:
    names = now.correlated
    shown = table("", *names, right=names, title="correlations of the largest positions, -1 to 1")
    for name, row in zip(names, now.correlations, strict=False):
        shown.add_row(name, *("unknown" if value is None else f"{value:.2f}" for value in row))
    screen().print(shown)


def _show_limits(now: RiskNow) -> None:
    shown = table("limit", "used", "actual", "of", "about", title="limits, the most used first", right=("used",))
    for use in sorted(now.limits, key=lambda use: -use.share):
        shown.add_row(
            use.rule, _percent(use.share), plain(use.actual), f"{plain(use.limit)} {use.unit}".strip(), use.of
        )
    screen().print(shown)


def _show_forecasts(found: RiskReading) -> None:
    if not found.forecasts:
        return
    shown = table("forecast", "days", "exceeded", "Kupiec p", "Christoffersen p", "", title="forecasts against losses")
    for line in found.forecasts:
        doubt = "doubtful" if line.is_doubtful else ""
        numbers = (_number(line.kupiec), _number(line.christoffersen))
        shown.add_row(line.name, str(line.days), str(line.exceptions), *numbers, doubt)
    screen().print(shown)


def _percent(share: Decimal | None) -> str:
    return "unknown" if share is None else f"{share * 100:.2f} %"


def _number(value: Decimal | None) -> str:
    return "unknown" if value is None else f"{value:.4f}"
