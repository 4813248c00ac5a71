"""Which symbols the exchange has halted, as its status messages tell."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from quant_trading_system.execution.alpaca_market import Condition, StreamStatus

HALTING = frozenset({"2", "H", "P", "Q"})
"""Halt on tapes A and B; halt, volatility pause and quotation without trading on tape C."""


class Halt(NamedTuple):
    """The latest status of a symbol; `why`: in the words of the exchange."""

    at: datetime
    halted: bool
    why: str


class HaltBoard:
    """The latest trading status of each symbol that had one.

    A halt ends with a message that trading resumes, and with its day at the latest: the next day's halts are told
    anew. Codes that say nothing about trading, such as those of imbalances, change nothing. Quotes go on during a
    halt, so they prove nothing.
    """

    def __init__(self, now: Callable[[], datetime], tell: Callable[[str], None] = lambda _: None) -> None:
        """Begin with everything trading.

        Args:
            now: the injected clock's time, aware, UTC.
            tell: takes one line for people about each halt and each resumption.
        """
        self._now = now
        self._tell = tell
        self._known: dict[str, Halt] = {}

    def take(self, condition: Condition) -> None:
        """Note a message of the stream; those that are older than what is known, and other kinds, change nothing."""
        if not isinstance(condition, StreamStatus) or not (condition.is_trading or condition.code in HALTING):
            return
        symbol, known = condition.symbol, self._known.get(condition.symbol)
        if known is not None and condition.at < known.at:
            return
        why = " ".join(filter(None, (condition.text, condition.reason_code, condition.reason))) or condition.code
        self._known[symbol] = Halt(condition.at, not condition.is_trading, why)
        if condition.is_trading == (known is not None and known.halted):
            self._tell(f"{symbol} trades again: {why}" if condition.is_trading else f"{symbol} is halted: {why}")

    def is_halted(self, symbol: str) -> bool:
        """True while the exchange lets nobody trade `symbol`, as far as it has told."""
        known = self._known.get(symbol)
        return known is not None and known.halted and known.at.date() == self._now().date()
