"""`qts trade`: a strategy on a real account, or on a local venue that speaks the same wire."""

from __future__ import annotations

import asyncio
import getpass
import os
import signal
import sys
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quant_trading_system.cli.log_options import Log, LogFormat, teller
from quant_trading_system.cli.sizing_options import Policy, Sizers, chosen_sizing
from quant_trading_system.core.exceptions import ConfigurationError, OrdersRemain

if TYPE_CHECKING:
    from quant_trading_system.app.live_parts import LiveSetup
    from quant_trading_system.core.instruments import Universe


class Mode(StrEnum):
    """Whose money it is."""

    LOCAL = "local"
    PAPER = "paper"
    LIVE = "live"


class OnStop(StrEnum):
    """What becomes of working orders at the end."""

    CANCEL = "cancel"
    LEAVE = "leave"


StrategyNames = Annotated[list[str], typer.Argument(help="momentum, FILE.py, FILE.py:CLASS or MODULE:CLASS; several.")]
BrokerName = Annotated[str, typer.Option(help="Only alpaca; its URLs and keys come from the environment.")]
ModeOption = Annotated[Mode, typer.Option(help="Must agree with the host: a local venue, paper or live.")]
Symbols = Annotated[str, typer.Option(help="What may be traded, separated by commas.")]
UniverseFile = Annotated[Path | None, typer.Option("--universe", help="CSV of what may be traded, with sectors.")]
Bars = Annotated[str, typer.Option(help="Bars that strategies see: 1Day, or minutes such as 1Min, 5Min, 15Min.")]
Lookback = Annotated[int, typer.Option(help="Days of past that strategies see.", min=1)]
Limits = Annotated[Path | None, typer.Option(help="Your risk_params.yaml instead of the shipped one.")]
Account = Annotated[str, typer.Option(help="Id or number of the account; required for live.")]
Arm = Annotated[bool, typer.Option("--arm-live", help="Yes, real money may be moved in this run.")]
OnStopOption = Annotated[OnStop, typer.Option("--on-stop", help="Cancel working orders at the end, or leave them.")]
Adopt = Annotated[str, typer.Option(help="Who answers for what the account holds and our books do not.")]
Keys = Annotated[Path | None, typer.Option("--credentials", help="A private file instead of the environment.")]
Name = Annotated[str, typer.Option("--name", help="Of the account's directory: its journal, latch and heartbeat.")]
Feed = Annotated[str, typer.Option(help="iex or sip.")]
Unwatched = Annotated[
    bool, typer.Option("--no-watchdog", help="Do without the process that stops the account when this one hangs.")
]
Bound = Annotated[
    float, typer.Option("--watchdog-bound", help="Seconds without a sign of life, after which it acts.", min=2, max=600)
]
Always = Annotated[bool, typer.Option("--always-open", help="The local venue trades around the clock.")]

ORDERS_REMAIN = 3
"""Exit code of an end after which orders may be working that were to be withdrawn."""
_TAKEN = ("accounts", "latest_run", "witnesses")
"""What the state directory keeps beside the accounts' directories."""


def trade(
    strategies: StrategyNames,
    broker: BrokerName = "alpaca",
    mode: ModeOption = Mode.PAPER,
    symbols: Symbols = "",
    universe: UniverseFile = None,
    bars: Bars = "1Day",
    lookback: Lookback = 400,
    limits: Limits = None,
    account: Account = "",
    arm_live: Arm = False,
    on_stop: OnStopOption = OnStop.CANCEL,
    adopt: Adopt = "",
    credentials: Keys = None,
    name: Name = "default",
    feed: Feed = "iex",
    always_open: Always = False,
    sizers: Sizers = [],  # noqa: B006 - read only
    policy: Policy = [],  # noqa: B006 - read only
    no_watchdog: Unwatched = False,
    watchdog_bound: Bound = 5.0,
    log: Log = LogFormat.TEXT,
) -> None:
    """Trade an Alpaca account with one or more strategies until Ctrl-C; a second Ctrl-C waits for nobody.

    Exit code 3: it has ended, and orders may be working that were to be withdrawn.

    Keys: APCA_API_KEY_ID and APCA_API_SECRET_KEY; hosts: APCA_API_BASE_URL, APCA_API_DATA_URL.

    Example: [bold]qts trade my_strategy.py --symbols KO,PEP --bars 5Min[/bold]
    """
    from quant_trading_system.app.governing import SHIPPED
    from quant_trading_system.app.live_parts import LiveSetup
    from quant_trading_system.app.strategy_loading import load_strategy
    from quant_trading_system.config.loader import default_limits, load_limits
    from quant_trading_system.config.settings import state_directory
    from quant_trading_system.execution.credentials import TradingMode, read_access
    from quant_trading_system.trading.live_loop import OnStop as Policy

    if broker != "alpaca":
        raise ConfigurationError(f"--broker {broker}: only alpaca is known")
    require_name(name)
    sizer, worked = chosen_sizing(sizers, policy)
    setup = LiveSetup(
        access=read_access(os.environ, credentials),
        mode=TradingMode(mode.value),
        directory=state_directory() / name,
        strategies=[load_strategy(spec) for spec in strategies],
        universe=_universe(universe, symbols),
        limits=load_limits(limits) if limits else default_limits(),
        limits_name=str(limits) if limits else SHIPPED,
        limits_path=limits.absolute() if limits else None,
        operator=getpass.getuser(),
        account_id=account,
        armed=arm_live,
        span=_span(bars),
        lookback=timedelta(days=lookback),
        feed=feed,
        on_stop=Policy(on_stop.value),
        adopted_by=adopt,
        always_open=always_open,
        sizer=sizer,
        policy=worked,
        watchdog=() if no_watchdog else _watchdog_command(name, account, credentials, watchdog_bound),
    )
    _run(setup, credentials, log)


def require_name(name: str) -> None:
    """Refuse a name that no directory of an account can have.

    Raises:
        ConfigurationError: says which ones it can.
    """
    if not name.replace("-", "").replace("_", "").isalnum() or name in _TAKEN:
        raise ConfigurationError(f"--name {name}: write letters, digits, - and _; {', '.join(_TAKEN)} are taken")


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(trade)


def _run(setup: LiveSetup, credentials: Path | None, log: LogFormat) -> None:
    try:
        asyncio.run(_until_told(setup, credentials, log))
    except OrdersRemain as error:
        typer.echo(f"qts: {error}", err=True)
        raise typer.Exit(ORDERS_REMAIN) from None


async def _until_told(setup: LiveSetup, credentials: Path | None, log: LogFormat) -> None:
    from quant_trading_system.app.keys_place import remember_keys
    from quant_trading_system.app.latest_run import remember_run
    from quant_trading_system.app.live import trade as trade_live
    from quant_trading_system.app.signalled import halt_by_signal
    from quant_trading_system.core.clock import SystemClock

    clock, stop, hurry, loop = SystemClock(), asyncio.Event(), asyncio.Event(), asyncio.get_running_loop()

    def told() -> None:
        (hurry if stop.is_set() else stop).set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told)
    setup.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    loop.add_signal_handler(signal.SIGUSR1, halt_by_signal, setup.directory)
    remember_run(setup.directory)
    remember_keys(setup.directory, credentials)
    tell = teller(log, "engine", clock, setup.access.credentials.hidden_in)
    await trade_live(setup, stop, tell, hurry=hurry)


def _watchdog_command(name: str, account: str, credentials: Path | None, bound: float) -> tuple[str, ...]:
    given = {"--name": name, "--bound": str(bound), "--account": account}
    if credentials is not None:
        given["--credentials"] = str(credentials.resolve())
    options = (word for option, value in given.items() if value for word in (option, value))
    return (sys.executable, "-m", "quant_trading_system.cli.main", "watchdog", *options)


def _span(bars: str) -> timedelta | None:
    if bars == "1Day":
        return None
    minutes = bars.removesuffix("Min")
    if not bars.endswith("Min") or not minutes.isdecimal() or not 1 <= int(minutes) <= 59:
        raise ConfigurationError(f"--bars {bars}: write 1Day, or minutes such as 5Min")
    if timedelta(days=1) % timedelta(minutes=int(minutes)):
        raise ConfigurationError(
            f"--bars {bars}: a day is not divided into {minutes} minutes; write 5Min, 10Min or 15Min"
        )
    return timedelta(minutes=int(minutes))


def _universe(path: Path | None, symbols: str) -> Universe:
    from quant_trading_system.core.instruments import Instrument, Universe
    from quant_trading_system.market.universes import load_universe, sp500_20

    known = load_universe(path) if path else sp500_20()
    wanted = [symbol.strip().upper() for symbol in symbols.split(",") if symbol.strip()]
    if not wanted:
        if path is None:
            raise ConfigurationError("say what may be traded: --symbols KO,PEP or --universe FILE")
        return known
    strangers = [symbol for symbol in wanted if symbol not in known]
    if path is not None and strangers:
        raise ConfigurationError(f"{', '.join(strangers)}: not in {path.name}")
    return Universe(known.get(symbol) or Instrument(symbol=symbol) for symbol in wanted)
