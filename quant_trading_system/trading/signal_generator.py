"""Collects what strategies say into one wish for each symbol: merged, deduplicated, expired, resolved."""

from __future__ import annotations

from datetime import datetime

from quant_trading_system.core.signals import Signal


class SignalGenerator:
    """Keeps the latest living signal of every source and symbol.

    A new signal replaces the earlier one of its source; repeating it changes nothing. Where sources want
    different things of one symbol, the most confident wins; between equals the stronger; between equals
    again the source that comes first in the alphabet, so that the outcome never depends on arrival.
    """

    def __init__(self) -> None:
        self._latest: dict[str, dict[str, tuple[Signal, int]]] = {}

    def standing(self, signal: Signal) -> int | None:
        """The journal entry of an identical wish of the same source that stands already, or None."""
        standing = self._latest.get(signal.symbol, {}).get(signal.source)
        return standing[1] if standing is not None and _wish(standing[0]) == _wish(signal) else None

    def accept(self, signal: Signal, seq: int) -> None:
        """Take in a signal with the number of the journal entry that recorded it."""
        self._latest.setdefault(signal.symbol, {})[signal.source] = (signal, seq)

    def drop_source(self, source: str) -> None:
        """Forget what a stopped strategy wanted."""
        for by_source in self._latest.values():
            by_source.pop(source, None)

    def wishes(self, moment: datetime) -> dict[str, tuple[Signal, int]]:
        """One living signal for each symbol, with the journal entry that recorded it; dead ones are forgotten."""
        resolved = {}
        for symbol in sorted(self._latest):
            by_source = self._latest[symbol]
            for source in [s for s, (signal, _) in by_source.items() if not signal.is_alive(moment)]:
                del by_source[source]
            if by_source:
                resolved[symbol] = min(by_source.values(), key=_precedence)
        return resolved


def _wish(signal: Signal) -> tuple[object, ...]:
    return (
        signal.direction,
        signal.strength,
        signal.weight,
        signal.stop_price,
        signal.confidence,
        signal.expires_at,
        signal.execution,
    )


def _precedence(pair: tuple[Signal, int]) -> tuple[object, ...]:
    signal = pair[0]
    return (-signal.confidence, -signal.strength, signal.source)
