"""What the gate may ask of the rest of the engine: instruments, results of strategies, past fills, and the tail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from quant_trading_system.core.book_events import ActivityBooked
from quant_trading_system.core.events import FillCorrected, FillEvent
from quant_trading_system.core.instruments import Universe
from quant_trading_system.journal.store import JournalSource
from quant_trading_system.risk.checks.case import Sources
from quant_trading_system.risk.correlation import CorrelationSource, RollingCorrelations
from quant_trading_system.risk.fill_history import FillHistory

PIECE = 5_000
"""Entries that are looked at in one go."""
LONGEST_WINDOW = timedelta(days=11)
"""Five sessions never span more days than this."""

Fill = FillEvent | FillCorrected
Booked = Fill | ActivityBooked


def noted(fills: FillHistory, append: Callable[[Booked, int | None], int]) -> Callable[[Booked, int | None], int]:
    """Puts what was booked on record, and lets `fills` take in the fills among it, whatever comes of the record."""

    def record(booked: Booked, cause: int | None) -> int:
        fills.take(booked)
        return append(booked, cause)

    return record


def sources_of(
    is_halted: Callable[[str], bool],
    average_volume: Callable[[str], Decimal | None],
    universe: Universe,
    fills: FillHistory,
    correlations: CorrelationSource,
) -> Sources:
    """Whom the gate asks from the start; others are added as they come to be.

    Betas, tails and volatility are known where correlations are measured from past returns.
    """
    sources = Sources(
        is_halted=is_halted,
        average_volume=average_volume,
        instrument=universe.get_instrument,
        unsettled=lambda: fills.unsettled,
        day_trades=fills.day_trades,
        realized_today=fills.realized_today,
    )
    if isinstance(correlations, RollingCorrelations):
        return sources._replace(
            beta=correlations.beta, tail=correlations.tail, volatility_ratio=correlations.volatility_ratio
        )
    return sources


def fills_before(source: JournalSource, last: int, now: datetime) -> Iterator[Fill]:
    """The fills that may still matter, oldest first, up to the entry `last`; looks back no further than they reach."""
    start, oldest = last + 1, now - LONGEST_WINDOW
    while start > 1:
        start = max(start - PIECE, 1)
        first = next(iter(source.entries(start)), None)
        if first is None or first.event.at < oldest:
            break
    for entry in source.entries(start, kinds=("fill", "fill_corrected")):
        if entry.seq > last:
            return
        if isinstance(entry.event, Fill) and entry.event.at >= oldest:
            yield entry.event
