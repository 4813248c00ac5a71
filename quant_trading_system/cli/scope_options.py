"""The options that narrow a halt to a part of the account."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from quant_trading_system.core.halt_scope import HaltScope


class Side(StrEnum):
    """Which orders."""

    BUY = "buy"
    SELL = "sell"


SymbolOption = Annotated[str, typer.Option("--symbol", help="Only orders of this symbol.", show_default=False)]
StrategyOption = Annotated[str, typer.Option("--strategy", help="Only orders of this strategy.", show_default=False)]
SideOption = Annotated[
    Side | None, typer.Option("--side", help="Only orders of this side; sell means short positions, too.")
]


def scope_from(symbol: str, strategy: str, side: Side | None) -> HaltScope:
    """What the options name; all of the account when none was given."""
    from quant_trading_system.core.halt_scope import HaltScope
    from quant_trading_system.core.orders import OrderSide

    return HaltScope(
        symbol=symbol.strip().upper(), strategy=strategy.strip(), side=None if side is None else OrderSide(side.value)
    )
