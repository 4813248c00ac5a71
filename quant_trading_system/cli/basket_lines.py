"""The gate's answer to several orders at once, as the terminal shows it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quant_trading_system.cli.engine_calls import Line, ask, tell
from quant_trading_system.cli.screen import screen, table
from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.core.numbers import plain

if TYPE_CHECKING:
    from quant_trading_system.core.basket_shown import BasketLine


def show_basket(lines: Iterable[BasketLine]) -> None:
    """One row for each order."""
    shown = table("", "order", "takes risk", "verdict")
    for line in lines:
        words = f"{line.side} {plain(line.quantity)} {line.symbol}"
        shown.add_row(
            "✓" if line.passes else "✗", words, "yes" if line.takes_risk else "no", line.message or "would pass",
            style="" if line.passes else "red",
        )  # fmt: skip
    screen().print(shown)


def basket(
    file: Annotated[Path, typer.Argument(help="A CSV file with columns symbol, side, quantity, and perhaps limit.")],
    *,
    line: Line,
) -> None:
    """Ask the gate of a running engine about several orders together; nothing is sent.

    They are judged as if all were open at once. `qts check --basket` asks the books of a journal instead.

    Example: [bold]qts order basket orders.csv[/bold]
    """
    from quant_trading_system.app.basket_file import read_basket
    from quant_trading_system.core.basket_commands import MOST, CheckBasket
    from quant_trading_system.core.ticket import Ticket

    orders = read_basket(file)
    if any(order.strategy for order in orders):
        raise ConfigurationError(f"{file}: orders by hand belong to no strategy; leave that column out")
    if len(orders) > MOST:
        raise ConfigurationError(f"{file}: at most {MOST} orders are judged together, not {len(orders)}")
    fields = Ticket.__struct_fields__
    tickets = tuple(Ticket(**{field: getattr(order, field) for field in fields}) for order in orders)
    found = ask(CheckBasket(orders=tickets), line)
    if not line.as_json:
        show_basket(found.basket)
    tell(found, as_json=line.as_json)
