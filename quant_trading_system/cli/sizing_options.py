"""What the commands share about sizing: the option, and what it builds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from quant_trading_system.risk.position_sizer import PositionSizer
    from quant_trading_system.trading.planning import ExecutionPolicy

Sizers = Annotated[
    list[str],
    typer.Option(
        "--sizer",
        help="NAME or NAME:key=value,…, such as vol-target:target=0.10; of several the smallest counts.",
        show_default=False,
    ),
]


def chosen_sizing(specs: list[str]) -> tuple[PositionSizer | None, ExecutionPolicy | None]:
    """The sizer that was named and a policy that fits orders to the limits; None twice when none was named.

    Without a name the weights of the strategy stand as they are, and the gate refuses what breaks a limit.
    """
    if not specs:
        return None, None
    from quant_trading_system.risk.position_sizer import make_sizer
    from quant_trading_system.trading.planning import ExecutionPolicy

    return make_sizer(specs), ExecutionPolicy(fit_to_limits=True)
