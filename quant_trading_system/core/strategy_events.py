"""The entries about what strategies were told."""

from __future__ import annotations

from quant_trading_system.core.event import Event


class StrategyTold(Event, frozen=True, kw_only=True, omit_defaults=True, tag="strategy_told"):
    """A strategy that hears of its orders was told of all up to the entry `through`; what it says to that leaves now.

    Attributes:
        through: number of the last entry that it was told of, or that was none for it.
    """

    strategy: str
    through: int
