"""`qts venue`: a paper venue on this machine that Alpaca's own clients can trade on."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from quant_trading_system.cli.log_options import Log, LogFormat
from quant_trading_system.cli.screen import screen

if TYPE_CHECKING:
    from quant_trading_system.core.clock import Clock
    from quant_trading_system.simulation.alpaca_server.assembly import VenueSettings
    from quant_trading_system.simulation.realism import Realism

TOKEN_VARIABLE = "QTS_VENUE_TOKEN"  # noqa: S105 the name of a variable

_PRICES, _REALISM, _TIME, _ACCOUNTS, _NETWORK = "Prices", "Realism", "Time", "Accounts", "Network"

Source = Annotated[
    str,
    typer.Option(
        "--source",
        rich_help_panel=_PRICES,
        help="`random`, `sp500` (real closes, 1990 to 2022), or a CSV or Parquet file, or a directory of such files.",
    ),
]
Symbols = Annotated[
    str,
    typer.Option(
        "--symbols",
        rich_help_panel=_PRICES,
        help="SPY:570,AAPL:190 for a random market, with the prices of now; SPY,AAPL to choose some of another source.",
    ),
]
Begin = Annotated[
    datetime | None,
    typer.Option(
        "--from",
        formats=["%Y-%m-%d"],
        rich_help_panel=_PRICES,
        help="First day that is traded. Without it: now in a random market, the last year of other sources.",
    ),
]
Seed = Annotated[
    int, typer.Option("--seed", rich_help_panel=_PRICES, help="Decides every price, generated key and id.")
]
Steps = Annotated[
    int | None,
    typer.Option(
        "--steps",
        min=4,
        rich_help_panel=_PRICES,
        help="Prices per session, as in a backtest; one every second without it.",
    ),
]
UniverseFile = Annotated[
    Path | None,
    typer.Option(
        "--universe",
        rich_help_panel=_PRICES,
        help="CSV file that says what may be sold short, traded in fractions, or not at all.",
    ),
]
Queue = Annotated[
    bool,
    typer.Option(
        "--queue", rich_help_panel=_REALISM, help="A resting limit order waits for the shares quoted before it."
    ),
]
TemporaryImpact = Annotated[
    str,
    typer.Option(
        "--temporary-impact",
        rich_help_panel=_REALISM,
        help="Basis points on top for an order as large as what the market trades in that minute.",
    ),
]
PermanentImpact = Annotated[
    str,
    typer.Option(
        "--permanent-impact",
        rich_help_panel=_REALISM,
        help="Basis points by which an order as large as a day's volume moves all later prices.",
    ),
]
ImpactExponent = Annotated[
    str,
    typer.Option(
        "--impact-exponent",
        rich_help_panel=_REALISM,
        help="Power of the temporary impact: 1 linear, 0.5 square root, 0.6 as Almgren et al. measured.",
    ),
]
SpreadAtOpen = Annotated[
    str,
    typer.Option(
        "--spread-at-open", rich_help_panel=_REALISM, help="Times as wide at the opening, halving every 15 minutes."
    ),
]
SpreadWithVolatility = Annotated[
    str,
    typer.Option(
        "--spread-with-volatility",
        rich_help_panel=_REALISM,
        help="0 to 1: how far the spread follows the volatility of the last half hour.",
    ),
]
VolumeAtEnds = Annotated[
    str,
    typer.Option(
        "--volume-at-ends",
        rich_help_panel=_REALISM,
        help="Times as much volume at the opening and the close as at midday; 1 is even.",
    ),
]
AlwaysOpen = Annotated[
    bool,
    typer.Option(
        "--always-open",
        rich_help_panel=_TIME,
        help="It is a trading day now, and every day from now on; in replays the nights are skipped.",
    ),
]
Speed = Annotated[
    float,
    typer.Option(
        "--speed", min=0.001, max=100_000, rich_help_panel=_TIME, help="Seconds of the venue in a real second."
    ),
]
Stepped = Annotated[
    bool, typer.Option("--stepped", rich_help_panel=_TIME, help="Time stands still until the control surface moves it.")
]
Accounts = Annotated[
    list[str] | None,
    typer.Option(
        "--account",
        rich_help_panel=_ACCOUNTS,
        help="NAME:KEY_ID:SECRET:CASH; again for more accounts. Without it one account with generated keys.",
    ),
]
Database = Annotated[
    Path | None, typer.Option("--db", rich_help_panel=_ACCOUNTS, help="Keep accounts and orders in this file.")
]
Multiplier = Annotated[
    int,
    typer.Option("--multiplier", rich_help_panel=_ACCOUNTS, help="Buying power as a multiple of equity: 1, 2 or 4."),
]
PartialFills = Annotated[
    str,
    typer.Option(
        "--partial-fills",
        rich_help_panel=_ACCOUNTS,
        help="Chance that an execution takes only a part; 0.1 on Alpaca's paper accounts.",
    ),
]
Fees = Annotated[
    bool,
    typer.Option("--fees", rich_help_panel=_ACCOUNTS, help="Charge what regulators charge; paper accounts go without."),
]
ListenAt = Annotated[str, typer.Option("--host", rich_help_panel=_NETWORK, help="Where to listen.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65_535, rich_help_panel=_NETWORK, help="0 takes any free one.")]
AllowRemote = Annotated[
    bool,
    typer.Option(
        "--allow-remote", rich_help_panel=_NETWORK, help="Listen to other machines, too; nothing is encrypted."
    ),
]
RateLimit = Annotated[
    int,
    typer.Option(
        "--rate-limit",
        min=0,
        rich_help_panel=_NETWORK,
        help="Requests of an account in a minute, for trading and for market data each; 0 for any number.",
    ),
]
ControlToken = Annotated[
    str,
    typer.Option(
        "--control-token",
        envvar=TOKEN_VARIABLE,
        rich_help_panel=_NETWORK,
        show_default=False,
        help="Opens the control surface under /_venue/ to whoever shows it; closed without it.",
    ),
]
EndsWithInput = Annotated[
    bool,
    typer.Option(
        "--end-with-stdin",
        rich_help_panel=_NETWORK,
        help="End when standard input ends, for a venue that another program starts and may leave behind.",
    ),
]
JsonLine = Annotated[
    bool,
    typer.Option(
        "--json", rich_help_panel=_NETWORK, help="Print addresses and keys as one JSON line when clients may come."
    ),
]


def venue(
    source: Source = "random",
    symbols: Symbols = "",
    begin: Begin = None,
    seed: Seed = 7,
    steps: Steps = None,
    universe: UniverseFile = None,
    queue: Queue = False,
    temporary_impact: TemporaryImpact = "0",
    permanent_impact: PermanentImpact = "0",
    impact_exponent: ImpactExponent = "1",
    spread_at_open: SpreadAtOpen = "1",
    spread_with_volatility: SpreadWithVolatility = "0",
    volume_at_ends: VolumeAtEnds = "3",
    always_open: AlwaysOpen = False,
    speed: Speed = 1.0,
    stepped: Stepped = False,
    account: Accounts = None,
    database: Database = None,
    multiplier: Multiplier = 2,
    partial_fills: PartialFills = "0",
    fees: Fees = False,
    host: ListenAt = "127.0.0.1",
    port: Port = 8900,
    allow_remote: AllowRemote = False,
    rate_limit: RateLimit = 200,
    control_token: ControlToken = "",
    end_with_stdin: EndsWithInput = False,
    as_json: JsonLine = False,
    log: Log = LogFormat.TEXT,
) -> None:
    """Run a paper venue that speaks Alpaca's HTTP and WebSocket interfaces, for any of its clients.

    Ends on Ctrl-C. Needs no keys and no internet.

    Example: [bold]qts venue --symbols SPY:570,AAPL:190 --always-open[/bold]
    """
    from quant_trading_system.core.numbers import exact
    from quant_trading_system.market.universes import load_universe
    from quant_trading_system.simulation.alpaca_server.accounts import read_account
    from quant_trading_system.simulation.alpaca_server.assembly import VenueSettings
    from quant_trading_system.simulation.alpaca_server.server import Address
    from quant_trading_system.simulation.alpaca_server.sources import Wishes, read_symbols

    impact, spread = (temporary_impact, permanent_impact, impact_exponent), (spread_at_open, spread_with_volatility)
    first_day, known = None if begin is None else begin.date(), None if universe is None else load_universe(universe)
    realism = _realism(queue=queue, impact=impact, spread=spread, volume=volume_at_ends)
    settings = VenueSettings(
        wishes=Wishes(source, read_symbols(symbols), first_day, seed, always_open, known, steps, realism),
        accounts=tuple(read_account(text) for text in account or ()),
        address=Address(host, port),
        speed=None if stepped else speed,
        token=control_token,
        per_minute=rate_limit,
        partial_fills=exact(partial_fills),
        charges=fees,
        multiplier=multiplier,
        database=database,
        allow_remote=allow_remote,
        ends_with_input=end_with_stdin,
    )
    _run(settings, log, as_json=as_json)


def _run(settings: VenueSettings, log: LogFormat, *, as_json: bool) -> None:
    """Run the venue; `qts trade` lives in the time of now, so only such a venue is told how to trade on."""
    from quant_trading_system.core.clock import SystemClock
    from quant_trading_system.simulation.alpaca_server.assembly import run_venue
    from quant_trading_system.simulation.alpaca_server.sources import DEFAULT_PRICES, RANDOM

    wishes = settings.wishes
    present = wishes.source == RANDOM and wishes.begin is None and settings.speed == 1
    symbols = ",".join(wishes.symbols or DEFAULT_PRICES)
    call = _trade_call(symbols, always_open=wishes.always_open) if present else ""
    clock = SystemClock()
    show = _print_json if as_json else partial(_print_card, call)

    def opened(card: dict[str, Any]) -> None:
        if log is LogFormat.JSON:
            _log_requests(card, settings.token, clock)
        show(card)

    asyncio.run(run_venue(settings, clock, opened))


def _log_requests(card: dict[str, Any], token: str, clock: Clock) -> None:
    """To the standard error, without the keys of the accounts: the card goes to the standard output."""
    from quant_trading_system.app.logs import Secrets, log_to

    keys = [account[name] for account in card["accounts"] for name in ("key_id", "secret_key")]
    log_to(sys.stderr, clock, Secrets(os.environ, values=(*keys, token)))


def _realism(*, queue: bool, impact: tuple[str, str, str], spread: tuple[str, str], volume: str) -> Realism:
    """What was asked for; what is as it is anyway stays out."""
    from quant_trading_system.core.exceptions import ConfigurationError
    from quant_trading_system.core.numbers import exact
    from quant_trading_system.simulation.realism import MarketImpact, Realism, SpreadModel, VolumeCurve

    temporary, permanent, exponent = map(exact, impact)
    at_open, with_volatility = map(exact, spread)
    ends = exact(volume)
    try:
        moves = MarketImpact(temporary_bps=temporary, permanent_bps=permanent, exponent=exponent)
        widens = SpreadModel(at_open=at_open, with_volatility=with_volatility)
        curve = VolumeCurve(at_open=ends, at_close=ends)
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
    return Realism(
        queue=queue,
        impact=moves if temporary or permanent else None,
        spread=None if widens == SpreadModel() else widens,
        volume=None if curve == VolumeCurve() else curve,
    )


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(venue)


def _print_json(card: dict[str, Any]) -> None:
    sys.stdout.write(msgspec.json.encode(card).decode() + "\n")
    sys.stdout.flush()


def _trade_call(symbols: str, *, always_open: bool) -> str:
    call = f"qts trade my_strategy.py --mode local --symbols {symbols} --bars 1Min --lookback 2"
    return f"{call} --always-open" if always_open else call


def _print_card(trade_call: str, card: dict[str, Any]) -> None:
    out = screen()
    out.print("[bold]The venue is open.[/bold] Ctrl-C ends it.\n")
    out.print(f"trading and data   {card['trading_url']}", markup=False)
    out.print(f"order stream       {card['trading_stream_url']}", markup=False)
    out.print(f"market data        {card['data_stream_url']}\n", markup=False)
    for account in card["accounts"]:
        out.print(f"account {account['name']}", markup=False)
        out.print(f"  export APCA_API_BASE_URL={card['trading_url']}", markup=False)
        out.print(f"  export APCA_API_DATA_URL={card['data_url']}", markup=False)
        out.print(f"  export APCA_API_KEY_ID={account['key_id']}", markup=False)
        out.print(f"  export APCA_API_SECRET_KEY={account['secret_key']}\n", markup=False)
    if trade_call:
        out.print(f"then, in a second terminal with these variables\n  {trade_call}\n", markup=False)
