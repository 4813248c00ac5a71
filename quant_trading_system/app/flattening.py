"""Follows a halt that an engine carries out, from its journal: for whoever waits in another process."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import msgspec

from quant_trading_system.app.account_files import JOURNAL_FILE
from quant_trading_system.app.heartbeat import ENGINE_FILE, Heartbeat, Phase, Pulse, read_heartbeat
from quant_trading_system.core.halt_events import CancelsConfirmed, LiquidationEvent, LiquidationState
from quant_trading_system.core.halt_scope import HaltScope
from quant_trading_system.core.numbers import plain
from quant_trading_system.journal.keys import journal_key
from quant_trading_system.journal.sqlite_reader import JournalReader

_KINDS = ("cancels_confirmed", "liquidation")
SILENT_LOOKS = 5
"""Looks, a second apart, without a sign of life from an engine, after which nobody is expected to act."""


class Progress(msgspec.Struct):
    """What the engine has done about one halt so far.

    Attributes:
        cancels_s, flat_s: seconds from the halt to the last confirmed cancel and to flat, None before that.
    """

    cancelled: int = 0
    cancels_s: Decimal | None = None
    flat_s: Decimal | None = None


class Follower:
    """Reads on in the journal of an account; it asks nobody and changes nothing."""

    def __init__(self, directory: Path, scope: HaltScope, activation: int) -> None:
        """Follow this activation of `scope`, also what was done before now."""
        self.progress = Progress()
        self._journal = directory / JOURNAL_FILE
        self._heartbeat = directory / ENGINE_FILE
        self._scope = scope
        self._activation = activation
        self._read_to = 0
        self._pulse = Pulse()

    @property
    def is_alone(self) -> bool:
        """No engine has given a sign of life for some looks; nothing is closed before one runs."""
        last = self._pulse.last
        return self._pulse.silent >= SILENT_LOOKS or (last is not None and last.phase is Phase.ENDED)

    @property
    def last(self) -> Heartbeat | None:
        """The engine's latest sign of life; None when none has ever run."""
        return self._pulse.last

    def look(self) -> list[str]:
        """One line for each thing that has happened since the last look.

        Raises:
            JournalError: the journal cannot be read.
        """
        self._pulse.look(read_heartbeat(self._heartbeat))
        if not self._journal.is_file():
            return []
        with JournalReader(self._journal, journal_key(self._journal)) as journal:
            return list(self._news(journal))

    def _news(self, journal: JournalReader) -> Iterator[str]:
        for entry in journal.entries(self._read_to + 1, kinds=_KINDS):
            self._read_to = entry.seq
            event = entry.event
            if not isinstance(event, CancelsConfirmed | LiquidationEvent):
                continue
            if (event.scope, event.activation) != (self._scope, self._activation):
                continue
            if isinstance(event, CancelsConfirmed):
                self.progress.cancelled, self.progress.cancels_s = len(event.orders), event.seconds
                yield f"{len(event.orders)} orders cancelled, confirmed after {event.seconds:.3f} s"
            else:
                yield self._told(event)

    def _told(self, event: LiquidationEvent) -> str:
        if event.state is LiquidationState.FLAT:
            self.progress.flat_s = event.seconds
            return f"flat by our books and the broker's after {event.seconds or 0:.3f} s"
        if event.state is LiquidationState.SLICE:
            shares, price = event.quantity or 0, event.limit_price or 0
            return f"{event.symbol}: {plain(Decimal(shares))} shares, limit {plain(Decimal(price))} ({event.detail})"
        return f"{event.symbol or 'positions'}: {event.state.value}: {event.detail}"
