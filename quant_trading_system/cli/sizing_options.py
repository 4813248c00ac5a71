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


Policy = Annotated[
    list[str],
    typer.Option(
        "--policy",
        help="How orders are worked, key=value,…, such as participation=0.05,after_crash=resume.",
        show_default=False,
    ),
]


def chosen_sizing(specs: list[str], policy: list[str]) -> tuple[PositionSizer | None, ExecutionPolicy | None]:
    """The sizer and the execution policy, None where nothing was said; with a sizer, orders fit the limits.

    Without a sizer the weights of the strategy stand as they are, and the gate refuses what breaks a limit.

    Raises:
        ConfigurationError: a sizer, a key or a value that is not understood.
    """
    if not specs and not policy:
        return None, None
    from quant_trading_system.risk.position_sizer import make_sizer
    from quant_trading_system.trading.planning import ExecutionPolicy
    from quant_trading_system.trading.policy_words import read_policy

    chosen = read_policy(policy, ExecutionPolicy(fit_to_limits=bool(specs)))
    return (make_sizer(specs) if specs else None), chosen
