"""What a person may ask of the portfolio as a whole: target weights, to look at or to trade to."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from quant_trading_system.core.command import Command, Fields, Identity
from quant_trading_system.core.exceptions import InvalidCommand
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.core.roles import Role

_WEIGHTS: Fields = {"weights": {"KO": "0.05", "XOM": "0"}, "keep_others": True}


class RebalanceTicket(Command, frozen=True, kw_only=True):
    """What the account is to hold.

    Attributes:
        weights: signed fractions of equity by symbol; 0 closes a position.
        keep_others: leave positions alone that are not named; otherwise they are closed.
        cash_kept: fraction of equity that stays in cash.
        drift_band: positions within this fraction of their target are left alone; None for the policy's.
        execution: how each trade is worked, as a signal says it: ``once``, ``auto``, ``twap``, …; empty for the policy.

    Raises:
        InvalidCommand: no weight, or one that is not finite.
    """

    weights: dict[Identity, Decimal]
    keep_others: bool = False
    cash_kept: Decimal = ZERO
    drift_band: Decimal | None = None
    execution: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.weights or not all(weight.is_finite() for weight in self.weights.values()):
            raise InvalidCommand("weights: at least one symbol, each with a finite fraction of equity")


class PreviewRebalance(RebalanceTicket, frozen=True, kw_only=True, tag="preview_rebalance"):
    """Show the trades of a rebalance, what they cost, and the risk before and after. Nothing is sent or recorded."""

    needs: ClassVar[Role] = Role.TRADER
    example: ClassVar[Fields] = _WEIGHTS


class Rebalance(RebalanceTicket, frozen=True, kw_only=True, tag="rebalance"):
    """Trade to these weights: sells first, buys once they have filled, each through the gate."""

    needs: ClassVar[Role] = Role.TRADER
    example: ClassVar[Fields] = {**_WEIGHTS, "execution": "vwap"}
