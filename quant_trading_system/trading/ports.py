"""Everything that an account gets from outside: between backtest, local venue and live nothing else differs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from quant_trading_system.core.clock import Clock
from quant_trading_system.core.events import AnyEvent
from quant_trading_system.execution.broker import Broker
from quant_trading_system.market.quotes import QuoteSource, VolumeSource
from quant_trading_system.market.sessions import Calendar
from quant_trading_system.risk.correlation import CorrelationSource
from quant_trading_system.risk.latch import Latch
from quant_trading_system.risk.risk_book import Returns


class DurableJournal(Protocol):
    """What the parts of an account need of a journal."""

    def append(self, event: AnyEvent, cause: int | None = None) -> int:
        """Add an entry; its sequence number."""

    def sync(self) -> None:
        """Make everything appended so far survive a crash."""

    async def durable(self) -> None:
        """The same for callers that must not block their loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Everything that comes from outside.

    Attributes:
        clock: this machine's, which stamps what is put on record; market_clock: what time it is on the market.
        volumes: what the market trades; None where nobody counts it.
        is_halted: trading of a symbol is halted.
        unwatched: why nobody watches over this engine, empty while somebody does or nobody has to.
        crowded: why the broker takes no new orders now, for too many were sent; empty while it does.
        returns: past returns, for the risk numbers; None measures none.
        at_once: symbols whose slices may wait for the broker's answer at the same time; 1 where it takes no time.
    """

    clock: Clock
    market_clock: Clock
    calendar: Calendar
    quotes: QuoteSource
    broker: Broker
    journal: DurableJournal
    latch: Latch
    correlations: CorrelationSource
    volumes: VolumeSource | None = None
    is_halted: Callable[[str], bool] = lambda _: False
    unwatched: Callable[[], str] = lambda: ""
    crowded: Callable[[], str] = lambda: ""
    returns: Returns | None = None
    at_once: int = 1
