"""The tail of a book that is only asked about: value at risk and expected shortfall of given positions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from quant_trading_system.core.numbers import from_float
from quant_trading_system.risk import value_at_risk as measures
from quant_trading_system.risk.live_tail import BARS, LiveTail

_LEVEL = "0.95"
_CENTS = 2


class GateTail:
    """Answers for one book after another; a question costs what has changed since the one before it."""

    def __init__(self, symbols: tuple[str, ...], recent_returns: Callable[[int], NDArray[np.float64]]) -> None:
        """Draw from the last `BARS` returns; arguments as for `LiveTail`."""
        self._tail = LiveTail(symbols, recent_returns, bars=BARS)
        self._asked: dict[str, Decimal] | None = None
        self._answer: tuple[Decimal, Decimal] | None = None

    def next_bar(self) -> None:
        """A bar has ended; its returns join."""
        self._tail.next_bar()
        self._asked = None

    def beta(self, symbol: str) -> Decimal | None:
        """Slope of its returns against the average of all symbols; None if not measurable."""
        return self._tail.beta(symbol)

    def of(self, values: Mapping[str, Decimal]) -> tuple[Decimal, Decimal] | None:
        """Historical value at risk and expected shortfall (95 %, one bar, dollars) of `values`, signed dollars.

        None while a symbol has no past returns, or there are too few.
        """
        if self._asked != values:
            self._tail.hold(values)
            profits = self._tail.profits()
            var = None if profits is None or not len(profits) else measures.historical_var(profits, _LEVEL)
            shortfall = None if profits is None or var is None else measures.historical_cvar(profits, _LEVEL)
            self._answer = None
            if var is not None and shortfall is not None:
                self._answer = from_float(var + 0.0, _CENTS), from_float(shortfall + 0.0, _CENTS)  # no minus zero
            self._asked = dict(values)
        return self._answer
