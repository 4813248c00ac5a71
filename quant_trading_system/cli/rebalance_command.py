"""`qts rebalance`: trade the account of a running engine to target weights, after a look at trades, cost and risk."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quant_trading_system.cli.engine_calls import Line, Yes, ask, confirm, send, tell
from quant_trading_system.cli.option_groups import grouped
from quant_trading_system.cli.price_lookup import number_of
from quant_trading_system.cli.screen import screen, table
from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.core.numbers import usd

if TYPE_CHECKING:
    from quant_trading_system.core.commands import Outcome
    from quant_trading_system.core.rebalance_shown import RebalanceShown, RiskShown

Weights = Annotated[
    list[str] | None, typer.Argument(metavar="SYMBOL=WEIGHT...", help="Fractions of equity, 0 to close a position.")
]
Source = Annotated[
    Path | None,
    typer.Option("--from", help="A JSON file with weights, such as `qts optimize --json` prints.", show_default=False),
]
KeepOthers = Annotated[bool, typer.Option("--keep-others", help="Leave positions alone that are not named.")]
CashKept = Annotated[str, typer.Option("--cash-kept", help="Fraction of equity that stays in cash.")]
DriftBand = Annotated[
    str, typer.Option("--drift-band", help="Drift that is left alone, a fraction of the target.", show_default="policy")
]
Use = Annotated[str, typer.Option(help="once, auto, twap, vwap, pov, shortfall, adaptive.", show_default="policy")]
PreviewOnly = Annotated[bool, typer.Option("--preview", help="Only show trades, cost and risk; nothing is sent.")]


def rebalance(
    weights: Weights = None,
    source: Source = None,
    keep_others: KeepOthers = False,
    cash_kept: CashKept = "0",
    drift_band: DriftBand = "",
    use: Use = "",
    preview: PreviewOnly = False,
    yes: Yes = False,
    *,
    line: Line,
) -> None:
    """Trade to target weights: sells first, buys once they have filled. Exit code 3 while it is under way or waits.

    Shows trades, cost, and the risk before and after, and asks once more.

    Example: [bold]qts rebalance KO=0.05 XOM=0.04 --keep-others --preview[/bold]
    """
    from quant_trading_system.core.rebalance_commands import PreviewRebalance, Rebalance

    wanted: dict[str, Any] = {
        "weights": _weights(weights or [], source),
        "keep_others": keep_others,
        "drift_band": number_of(drift_band, "--drift-band") if drift_band else None,
        "execution": use,
    }
    kept = number_of(cash_kept, "--cash-kept")
    if kept:
        wanted["cash_kept"] = kept
    if preview or not yes:
        seen = ask(PreviewRebalance(**wanted), line._replace(key=""))
        if preview:
            _tell_preview(seen, as_json=line.as_json)
            return
        if seen.rebalance is None:
            tell(seen, as_json=line.as_json)
            return
        if not line.as_json:
            _show(seen.rebalance)
    confirm(f"Trade to the weights of {len(wanted['weights'])} symbols?", yes=yes)
    send(Rebalance(**wanted), line)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(grouped(rebalance))


def _weights(given: list[str], source: Path | None) -> dict[str, Decimal]:
    if bool(given) == (source is not None):
        raise ConfigurationError("name the weights as SYMBOL=WEIGHT, or a file with --from")
    found: dict[str, Decimal] = {}
    for part in given if source is None else _read(source):
        symbol, equals, value = (word.strip() for word in part.partition("="))
        if not equals or not symbol or symbol.upper() in found:
            raise ConfigurationError(f"write SYMBOL=WEIGHT once for each symbol, not {part!r}")
        found[symbol.upper()] = number_of(value, symbol)
    return found


def _read(path: Path) -> list[str]:
    """The weights of a JSON object, or of its field ``weights``; texts and numbers as they are written."""
    import msgspec

    try:
        read: Any = msgspec.json.Decoder(float_hook=str).decode(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"--from {path} cannot be read: {error.strerror or error}") from None
    except msgspec.DecodeError as error:
        raise ConfigurationError(f"--from {path} is no JSON: {error}") from None
    found = read.get("weights", read) if isinstance(read, dict) else None
    if not isinstance(found, dict) or not found or not all(isinstance(value, str | int) for value in found.values()):
        raise ConfigurationError(f'--from {path}: no object such as {{"KO": "0.05"}}, nor one in the field "weights"')
    return [f"{symbol}={value}" for symbol, value in found.items()]


def _tell_preview(seen: Outcome, *, as_json: bool) -> None:
    if as_json or seen.rebalance is None:
        tell(seen, as_json=as_json)
        return
    _show(seen.rebalance)
    screen().print(f"{seen.message}; nothing was sent", markup=False)


def _show(shown: RebalanceShown) -> None:
    out = screen()
    numbers = ("trade", "price", "before", "after", "cost")
    rows = table("symbol", *numbers, "why", title="rebalance, sells first", right=numbers)
    for trade in shown.trades:
        rows.add_row(
            trade.symbol,
            f"{trade.change:+}" if trade.change else "",
            f"{trade.price:.2f}",
            f"{trade.before:.2%}",
            f"{trade.after:.2%}",
            usd(trade.cost) if trade.change else "",
            trade.why,
        )
    out.print(rows)
    for told, risk in (("before", shown.before), ("after", shown.after)):
        out.print(f"{told:<9} {_risk(risk, shown.risk_missing)}", markup=False)
    cash = f"cash {usd(shown.cash_before)} to {usd(shown.cash_after)}"
    out.print(f"costs     {usd(shown.cost)}, turnover {shown.turnover:.2%}, {cash}", markup=False)
    for note in shown.notes:
        out.print(note, markup=False)


def _risk(risk: RiskShown | None, missing: str) -> str:
    if risk is None:
        return missing
    words = f"volatility {risk.volatility:.2%} a year, gross {risk.gross:.2%}, net {risk.net:.2%}"
    if not risk.contributions:
        return words
    most = max(risk.contributions, key=lambda symbol: risk.contributions[symbol])
    return f"{words}, largest {risk.largest:.2%}; most of the risk: {most} {risk.contributions[most]:.1%}"
