"""What has become of the orders of strategies since they were told last: it waits here for the end of the next bar.

It is noted as it goes on record and told in that turn, as far as it was known when the bar ended, so that a
backtest and a live account tell the same. How far a strategy was told goes on record as well, before anything that it
said to that leaves: what an earlier process did not come to tell, or told in vain, the next one tells at its first bar.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from quant_trading_system.core.clock import Clock
from quant_trading_system.core.events import AnyEvent, FillCorrected, FillEvent, OrderEvent
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.core.parent_events import ParentEvent
from quant_trading_system.core.strategy_events import StrategyTold
from quant_trading_system.execution.algo.parent import ParentStatus
from quant_trading_system.execution.order_manager import OrderManager
from quant_trading_system.execution.order_store import OrderRecord
from quant_trading_system.journal.backwards import newest_first
from quant_trading_system.journal.entry import Entry
from quant_trading_system.journal.store import JournalSource
from quant_trading_system.trading.answers import Wish, understood
from quant_trading_system.trading.own_orders import Owners, ended_order, ended_parent
from quant_trading_system.trading.ports import DurableJournal
from quant_trading_system.trading.strategy import MarketView, Strategy, hears

_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_MOMENT = timedelta.resolution
_KINDS = ("order", "fill", "fill_corrected", "parent")
_NO_NEWS = frozenset({OrderStatus.FILLED, OrderStatus.REPLACED})
"""Ends that are told otherwise: by the fills, and by what becomes of the order in its place."""

Event = FillEvent | FillCorrected | OrderEvent | ParentEvent


class News(NamedTuple):
    """The entry of that number, and since when it is known, by the time of the market.

    Attributes:
        asked: why a cancel of the order was asked for; empty where none was.
    """

    seq: int
    known_at: datetime
    event: Event
    asked: str


class HeardJournal:
    """A journal with somebody who is told at once of every entry that the parts of the account add."""

    def __init__(self, journal: DurableJournal) -> None:
        """Add to `journal`."""
        self._journal = journal
        self._listener: Callable[[int, AnyEvent], None] = lambda _seq, _event: None

    def listen(self, listener: Callable[[int, AnyEvent], None]) -> None:
        """Tell `listener` from now on."""
        self._listener = listener

    def append(self, event: AnyEvent, cause: int | None = None) -> int:
        """Add an entry; its sequence number."""
        seq = self._journal.append(event, cause)
        self._listener(seq, event)
        return seq

    def sync(self) -> None:
        """Make everything appended so far survive a crash."""
        self._journal.sync()

    async def durable(self) -> None:
        """The same for callers that must not block their loop."""
        await self._journal.durable()


class NewsBook:
    """Notes fills and ends of orders, and calls the hooks of the strategies that have some."""

    def __init__(
        self,
        strategies: Iterable[Strategy],
        orders: OrderManager,
        journal: HeardJournal,
        clock: Clock,
        market_clock: Clock,
    ) -> None:
        """Listen to `journal`, for those of the strategies that hear."""
        self._news: dict[str, deque[News]] = {one.name: deque() for one in strategies if hears(one)}
        self._since = dict.fromkeys(self._news, 0)
        self._open: dict[str, str] = {}  # orders of theirs that may end still, and whose they are
        self._session_end: datetime | None = None
        self._asked: dict[str, str] = {}  # why their cancels were asked for
        self._seq, self._known_at = 0, _LONG_AGO
        self._told: dict[str, int] = {}
        self._recorded: dict[str, int] = {}
        self._orders = orders
        self._journal = journal
        self._clock = clock
        self._market_clock = market_clock
        journal.listen(self.note)

    # -- noting ----------------------------------------------------------------------------------------------------

    def note(self, seq: int, event: AnyEvent) -> None:
        """Something goes on record as entry `seq`."""
        now = self._market_clock.now()
        self._known_at = now if now != self._session_end else now + _MOMENT
        self._note(seq, event)

    def end_session(self) -> None:
        """The session is over: what is noted at this very moment has come after it, and after its last bar."""
        self._session_end = self._market_clock.now()

    def _note(self, seq: int, event: AnyEvent) -> None:
        self._seq = seq
        if isinstance(event, FillEvent | FillCorrected):
            self._put(event.strategy, event)
        elif isinstance(event, OrderEvent):
            self._note_order(event)
        elif isinstance(event, ParentEvent) and event.ended and event.status != ParentStatus.COMPLETED:
            self._put(event.strategy, event)

    def _note_order(self, event: OrderEvent) -> None:
        """An order is told of when it ends; one that was given up and shows up after all ends once more."""
        order_id, status = event.order_id, event.status
        if event.order is not None and not _is_slice(event):
            self._take_in(order_id, event.order.strategy)
        owner = self._open.get(order_id)
        if owner is not None and event.asks_for_cancel:
            self._asked.setdefault(order_id, event.reason)
        if owner is not None and status.is_terminal:
            asked = self._asked.pop(order_id, "")
            if status is not OrderStatus.ABSENT:
                del self._open[order_id]
            if status not in _NO_NEWS:
                self._put(owner, event, asked)

    def _put(self, strategy: str, event: Event, asked: str = "") -> None:
        news = self._news.get(strategy)
        if news is not None and self._seq > self._since[strategy]:
            news.append(News(self._seq, self._known_at, event, asked))

    def recall(self, source: JournalSource, last: int) -> None:
        """Note what earlier processes did not come to tell, up to the entry `last`.

        A strategy that was never told anything begins here.
        """
        told = _told_through(source, self._news)
        self._since = {name: told.get(name, last) for name in self._news}
        for entry in source.entries(min(self._since.values()) + 1, kinds=_KINDS):
            if entry.seq > last:
                break
            event = entry.event
            if isinstance(event, OrderEvent) and event.status.is_terminal and event.order_id not in self._open:
                self._take_in(event.order_id, _owner_in(source.about(event.order_id, before=entry.seq)))
            self._note(entry.seq, event)
        self._seq = last

    def follow(self, records: Iterable[OrderRecord]) -> None:
        """Wait for the ends of these orders of earlier processes, none of which is a slice."""
        for record in records:
            self._take_in(record.order_id, record.order.strategy)

    def _take_in(self, order_id: str, owner: str) -> None:
        if owner in self._news:
            self._open[order_id] = owner

    # -- telling ---------------------------------------------------------------------------------------------------

    def tell(self, strategy: Strategy, market: MarketView, owners: Owners) -> list[Wish] | None:
        """Call the hooks of a strategy with what was known at the end of the bar and not told; None without any.

        Returns:
            What it said to that.

        Raises:
            Exception: whatever the strategy raises, and what `understood` does.
        """
        news = self._news.get(strategy.name)
        if news is None or (strategy.name in self._told and not _is_due(news, market)):
            return None
        said: list[Wish] = []
        while _is_due(news, market):
            wanted = self._call(strategy, news.popleft(), market)
            if wanted:
                said += understood(strategy, wanted, owners)
        self._told[strategy.name] = news[0].seq - 1 if news else self._seq
        return said

    def _call(self, strategy: Strategy, news: News, market: MarketView) -> Iterable[object] | None:
        event = news.event
        if isinstance(event, FillEvent):
            return strategy.on_fill(event, market)
        if isinstance(event, FillCorrected):
            return strategy.on_fill_corrected(event, market)
        if isinstance(event, ParentEvent):
            return strategy.on_order_ended(ended_parent(event), market)
        record = self._orders.order(event.order_id)
        if record is None or record.status is not event.status:
            return None  # more has become of it since: later entries tell
        return strategy.on_order_ended(ended_order(record, event, news.asked), market)

    def record(self) -> None:
        """Put on record how far strategies were told, if that has changed."""
        for name, through in self._told.items():
            if self._recorded.get(name) != through:
                self._recorded[name] = through
                self._journal.append(StrategyTold(at=self._clock.now(), strategy=name, through=through))


def _is_due(news: Sequence[News], market: MarketView) -> bool:
    """The next one was known when the bar ended; what comes after it belongs to the next bar."""
    return bool(news) and news[0].known_at <= market.now


def _is_slice(event: OrderEvent) -> bool:
    """An order that an algorithm sends; the whole that the gate refuses bears the number 0, and is none."""
    plan = None if event.decision is None else event.decision.plan
    return plan is not None and bool(plan.parent) and event.order_id != f"{plan.parent}-0"


def _told_through(source: JournalSource, strategies: Collection[str]) -> dict[str, int]:
    """The last entry that each of them was told of, as far as it was told anything."""
    found: dict[str, int] = {}
    for entry in newest_first(source, ("strategy_told",)):
        if isinstance(entry.event, StrategyTold) and entry.event.strategy in strategies:
            found.setdefault(entry.event.strategy, entry.event.through)
            if len(found) == len(strategies):
                break
    return found


def _owner_in(entries: Sequence[Entry]) -> str:
    """Whose order is open after these entries about it; empty for a slice, and for one that has ended."""
    events = [entry.event for entry in entries if isinstance(entry.event, OrderEvent)]
    first = next((event for event in events if event.order is not None), None)
    if first is None or first.order is None or _is_slice(first):
        return ""
    status = events[-1].status
    return first.order.strategy if status.is_open or status is OrderStatus.ABSENT else ""
