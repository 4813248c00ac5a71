"""How well the orders of a journal were executed, in one look: rates, slippage, and how long each stage took."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from quant_trading_system.app.readings.quality_fold import QualityFold
from quant_trading_system.core.events import FillEvent, OrderEvent, RunStarted, SignalEvent
from quant_trading_system.core.numbers import plain
from quant_trading_system.journal.store import JournalSource

_KINDS = ("run_started", "signal", "order", "fill")


class ExecutionQuality(msgspec.Struct, frozen=True, kw_only=True):
    """Orders of the run that began last; see `QualityFold` for what counts.

    Attributes:
        fill_rate, rejection_rate: fractions of the orders, None without any.
        slippage_bps: against the price expected at the decision.
        latency_ms: by stage, a bound that half of all stay within; None for a stage that never happened,
            or took longer than the largest bound, as from a signal after the close to the next opening.
        refusals: how many, by rule.
    """

    orders: int
    fill_rate: Decimal | None
    rejection_rate: Decimal | None
    slippage_bps: Decimal | None
    latency_ms: dict[str, Decimal | None]
    refusals: dict[str, int]

    def rows(self) -> list[tuple[str, str]]:
        """Names and values, for people."""
        stages = [(stage.replace("_", " "), value) for stage, value in self.latency_ms.items() if value is not None]
        return [
            ("orders", str(self.orders)),
            ("filled completely", _percent(self.fill_rate)),
            ("rejected", _percent(self.rejection_rate)),
            ("slippage against the decision", "none" if self.slippage_bps is None else f"{self.slippage_bps:.2f} bp"),
            *((f"{stage}, half within", f"{plain(value)} ms") for stage, value in stages),
        ]


def execution_quality(journal: JournalSource) -> ExecutionQuality:
    """Read what `journal` tells of the orders of its latest run.

    Raises:
        JournalDamaged: an entry cannot be read.
    """
    fold = QualityFold()
    for entry in journal.entries(kinds=_KINDS):
        event = entry.event
        if isinstance(event, RunStarted):
            fold.begin_run()
        elif isinstance(event, SignalEvent):
            fold.hear(event)
        elif isinstance(event, OrderEvent):
            fold.order(event)
        elif isinstance(event, FillEvent):
            fold.fill(event)
    return quality_of(fold)


def quality_of(fold: QualityFold) -> ExecutionQuality:
    """What a fold has added up."""
    return ExecutionQuality(
        orders=fold.orders,
        fill_rate=fold.fill_rate,
        rejection_rate=fold.rejection_rate,
        slippage_bps=fold.slippage,
        latency_ms={stage.value: latency.median_ms() for stage, latency in fold.latencies.items()},
        refusals=dict(sorted(fold.refusals.items())),
    )


def _percent(value: Decimal | None) -> str:
    return "none" if value is None else f"{value:.1%}"
