"""Whose the shares are: how much of each position every strategy has built, by its own fills."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from quant_trading_system.core.numbers import ZERO


class Attribution:
    """Signed shares by symbol and strategy. Within a symbol they never add up to more than the position.

    A fill counts for the strategy of its order. Shares that leave by the hand of somebody who has none, such as a
    liquidation or a person at the broker's site, are taken from the strategies in the order of their names.
    """

    def __init__(self) -> None:
        self._shares: dict[str, dict[str, Decimal]] = {}

    def apply(self, symbol: str, strategy: str, signed: Decimal, position: Decimal) -> None:
        """Count a fill, or the change that a correction makes.

        Args:
            position: signed shares held after it, by everybody together.
        """
        owners = self._shares.setdefault(symbol, {})
        shares = owners[strategy] = owners.get(strategy, ZERO) + signed
        if shares == position and len(owners) == 1:  # it has traded alone
            if not shares:
                del self._shares[symbol]
            return
        self._fit(owners, position)
        for name in [name for name, shares in owners.items() if not shares]:
            del owners[name]
        if not owners:
            del self._shares[symbol]

    def of(self, strategy: str) -> dict[str, Decimal]:
        """Signed shares of `strategy` by symbol."""
        return {symbol: owners[strategy] for symbol, owners in self._shares.items() if strategy in owners}

    def state(self) -> list[tuple[str, str, Decimal]]:
        """Everything, as rows of symbol, strategy and signed shares."""
        return [(symbol, name, shares) for symbol, owners in self._shares.items() for name, shares in owners.items()]

    @classmethod
    def from_state(cls, rows: Iterable[tuple[str, str, Decimal]]) -> Attribution:
        """Go on from what `state` said."""
        found = cls()
        for symbol, name, shares in rows:
            found._shares.setdefault(symbol, {})[name] = shares
        return found

    @staticmethod
    def _fit(owners: dict[str, Decimal], position: Decimal) -> None:
        """Shares against the position are nobody's; what is beyond it is taken away by name."""
        for name, shares in owners.items():
            if shares * position <= 0:
                owners[name] = ZERO
        surplus = sum(owners.values(), ZERO) - position
        for name in sorted(owners):
            if surplus * position <= 0:
                return
            taken = min(abs(surplus), abs(owners[name])).copy_sign(surplus)
            owners[name] -= taken
            surplus -= taken
