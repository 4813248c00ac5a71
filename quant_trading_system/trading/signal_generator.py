"""Collects what strategies say into one wish for each symbol: merged, deduplicated, expired, resolved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from quant_trading_system.core.signals import Direction, Signal

Recorded = tuple[Signal, int]
"""A signal, and the number of the journal entry that recorded it."""


class SignalGenerator:
    """Keeps the latest living signal of every source and symbol.

    A new signal replaces the earlier one of its source; repeating it changes nothing. Where sources want
    different things of one symbol, the most confident wins; between equals the stronger; between equals
    again the source that comes first in the alphabet, so that the outcome never depends on arrival.
    """

    def __init__(self) -> None:
        self._latest: dict[str, dict[str, Recorded]] = {}
        self._resolved: Mapping[str, Recorded] | None = None
        self._held: Sequence[Signal] = ()
        self._until: datetime | None = None

    def standing(self, signal: Signal) -> int | None:
        """The journal entry of an identical wish of the same source that stands already, or None."""
        standing = self._latest.get(signal.symbol, {}).get(signal.source)
        return standing[1] if standing is not None and _wish(standing[0]) == _wish(signal) else None

    def accept(self, signal: Signal, seq: int) -> None:
        """Take in a signal with the number of the journal entry that recorded it."""
        self._latest.setdefault(signal.symbol, {})[signal.source] = (signal, seq)
        self._resolved = None

    def drop_source(self, source: str) -> None:
        """Forget what a stopped strategy wanted."""
        for by_source in self._latest.values():
            by_source.pop(source, None)
        self._resolved = None

    def wishes(self, moment: datetime) -> Mapping[str, Recorded]:
        """One living signal for each symbol, with the journal entry that recorded it; dead ones are forgotten."""
        if self._resolved is None or (self._until is not None and moment >= self._until):
            self._resolved = MappingProxyType(self._resolve(moment))
            wanted = [signal for signal, _ in self._resolved.values()]
            self._held = tuple(signal for signal in wanted if signal.direction is not Direction.FLAT)
        return self._resolved

    def wanted(self, moment: datetime) -> Sequence[Signal]:
        """Those of the wishes that want something to be held."""
        self.wishes(moment)
        return self._held

    def _resolve(self, moment: datetime) -> dict[str, Recorded]:
        """The same anew; it holds until somebody speaks, or the first of the signals dies."""
        resolved, ends = {}, []
        for symbol in sorted(self._latest):
            by_source = self._latest[symbol]
            for source in [s for s, (signal, _) in by_source.items() if not signal.is_alive(moment)]:
                del by_source[source]
            if by_source:
                resolved[symbol] = min(by_source.values(), key=_precedence)
            ends += [signal.expires_at for signal, _ in by_source.values() if signal.expires_at is not None]
        self._until = min(ends, default=None)
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
        signal.tag,
    )


def _precedence(pair: Recorded) -> tuple[object, ...]:
    signal = pair[0]
    return (-signal.confidence, -signal.strength, signal.source)
