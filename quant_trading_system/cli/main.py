"""`qts`: every command in one place. Heavy parts are imported by the command that needs them."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from quant_trading_system import __version__
from quant_trading_system.cli import (
    alert_commands,
    algo_command,
    backtest_command,
    check_command,
    console_command,
    demo_command,
    drill_command,
    flatten_command,
    halt_commands,
    journal_commands,
    limits_commands,
    optimize_command,
    order_commands,
    overview_command,
    rebalance_command,
    reconcile_command,
    report_command,
    risk_command,
    service_command,
    simulate_command,
    size_command,
    status_command,
    strategy_commands,
    sweep_command,
    ticket_commands,
    token_commands,
    trade_command,
    venue_command,
    watchdog_command,
)
from quant_trading_system.core.exceptions import TradingError
from quant_trading_system.core.wording import printable_lines

app = typer.Typer(
    name="qts",
    help="Trade US stocks with a gate that cannot be skipped and a record that explains every order.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"qts {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options of `qts` itself."""


demo_command.add_to(app)
backtest_command.add_to(app)
sweep_command.add_to(app)
order_commands.add_to(app)
ticket_commands.add_to(app)
strategy_commands.add_to(app)
check_command.add_to(app)
halt_commands.add_to(app)
flatten_command.add_to(app)
drill_command.add_to(app)
status_command.add_to(app)
overview_command.add_to(app)
limits_commands.add_to(app)
journal_commands.add_to(app)
optimize_command.add_to(app)
size_command.add_to(app)
rebalance_command.add_to(app)
trade_command.add_to(app)
reconcile_command.add_to(app)
venue_command.add_to(app)
watchdog_command.add_to(app)
service_command.add_to(app)
console_command.add_to(app)
token_commands.add_to(app)
alert_commands.add_to(app)
algo_command.add_to(app)
simulate_command.add_to(app)
report_command.add_to(app)
risk_command.add_to(app)


def run() -> None:
    """Run `qts`; errors made on purpose are told in one line, with exit code 1."""
    try:
        app()
    except TradingError as error:
        print(f"qts: {printable_lines(str(error))}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has closed it, such as `| head`
        sys.exit(0)


if __name__ == "__main__":
    run()
