"""`qts venue`: a paper venue on this machine that Alpaca's own clients can trade on."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quant_trading_system.cli.screen import screen
from quant_trading_system.core.exceptions import ConfigurationError, InvalidNumber
from quant_trading_system.core.numbers import exact, positive

if TYPE_CHECKING:
    from quant_trading_system.core.instruments import Universe
    from quant_trading_system.simulation.alpaca_server.sources import Wishes

TOKEN_VARIABLE = "QTS_VENUE_TOKEN"  # noqa: S105 the name of a variable

_PRICES, _TIME, _ACCOUNTS, _NETWORK = "Prices", "Time", "Accounts", "Network"


def venue(
    source: Annotated[str, typer.Option("--source", help="`random`, `sp500` (real closes, 1990 to 2022), or a CSV or Parquet file.", rich_help_panel=_PRICES)] = "random",
    symbols: Annotated[str, typer.Option("--symbols", help="SPY:570,AAPL:190 for a random market: symbols with their price now. Without prices: some symbols of the source.", rich_help_panel=_PRICES)] = "",
    begin: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day that is traded; now for a random market, the last year of others.", rich_help_panel=_PRICES)] = None,
    seed: Annotated[int, typer.Option("--seed", help="Decides every price, key and id.", rich_help_panel=_PRICES)] = 7,
    steps: Annotated[int | None, typer.Option("--steps", help="Prices per session, as in a backtest; one every second without it.", min=4, rich_help_panel=_PRICES)] = None,
    universe: Annotated[Path | None, typer.Option("--universe", help="CSV file that says what may be sold short, split, or not traded at all.", rich_help_panel=_PRICES)] = None,
    always_open: Annotated[bool, typer.Option("--always-open", help="It is a trading day now, and every day from now on; of old prices, skip the nights.", rich_help_panel=_TIME)] = False,
    speed: Annotated[float, typer.Option("--speed", help="Seconds of the venue in a real second.", min=0.001, max=100_000, rich_help_panel=_TIME)] = 1.0,
    stepped: Annotated[bool, typer.Option("--stepped", help="Time stands until the control surface moves it.", rich_help_panel=_TIME)] = False,
    account: Annotated[list[str] | None, typer.Option("--account", help="NAME:KEY:SECRET:CASH; again for more accounts. One with generated keys without it.", rich_help_panel=_ACCOUNTS)] = None,
    database: Annotated[Path | None, typer.Option("--db", help="Keep accounts and orders in this file.", rich_help_panel=_ACCOUNTS)] = None,
    multiplier: Annotated[int, typer.Option("--multiplier", help="Buying power as a multiple of equity: 1, 2 or 4.", min=1, max=4, rich_help_panel=_ACCOUNTS)] = 2,
    partial_fills: Annotated[str, typer.Option("--partial-fills", help="Chance that an execution takes only a part; 0.1 on Alpaca's paper accounts.", rich_help_panel=_ACCOUNTS)] = "0",
    fees: Annotated[bool, typer.Option("--fees", help="Charge what regulators charge; paper accounts go without.", rich_help_panel=_ACCOUNTS)] = False,
    host: Annotated[str, typer.Option("--host", help="Where to listen.", rich_help_panel=_NETWORK)] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="0 takes any free one.", min=0, max=65_535, rich_help_panel=_NETWORK)] = 8900,
    allow_remote: Annotated[bool, typer.Option("--allow-remote", help="Listen to other machines, too; nothing is encrypted.", rich_help_panel=_NETWORK)] = False,
    rate_limit: Annotated[int, typer.Option("--rate-limit", help="Requests of an account in a minute; 0 for any number.", min=0, rich_help_panel=_NETWORK)] = 200,
    control_token: Annotated[str, typer.Option("--control-token", envvar=TOKEN_VARIABLE, show_envvar=True, show_default=False, help="Opens the control surface under /_venue/ to whoever shows it.", rich_help_panel=_NETWORK)] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print addresses and keys as one JSON line when ready.", rich_help_panel=_NETWORK)] = False,
) -> None:
    """Run a paper venue that speaks Alpaca's HTTP and WebSocket interfaces, for any of its clients.

    Ends on Ctrl-C. Needs no keys and no internet.

    Example: [bold]qts venue --symbols SPY:570,AAPL:190 --always-open[/bold]
    """
    from quant_trading_system.core.clock import SystemClock
    from quant_trading_system.simulation.alpaca_server.accounts import read_account
    from quant_trading_system.simulation.alpaca_server.assembly import VenueSettings, run_venue
    from quant_trading_system.simulation.alpaca_server.server import Address
    from quant_trading_system.simulation.alpaca_server.sources import Wishes

    wishes = Wishes(
        source=source,
        prices=_prices(symbols, source),
        begin=None if begin is None else begin.date(),
        seed=seed,
        always_open=always_open,
        universe=_universe(universe),
        steps=steps,
    )
    settings = VenueSettings(
        wishes=wishes,
        accounts=tuple(read_account(text) for text in account or ()),
        address=Address(host, port),
        speed=None if stepped else speed,
        token=_token(control_token, stepped=stepped),
        per_minute=rate_limit,
        partial_fills=_chance(partial_fills),
        charges=fees,
        multiplier=Decimal(multiplier),
        database=database,
        allow_remote=allow_remote,
    )
    announce = _announce_as_json if as_json else _announce_to_people
    asyncio.run(run_venue(settings, SystemClock(), announce))


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(venue)
