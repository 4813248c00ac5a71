"""Builds what reconciles an account that trades: where it reads, what it goes on with, and whom it alarms."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

from quant_trading_system.app.adoption import Ledger, adopt_cash, adopt_positions
from quant_trading_system.core.book_events import ActivitiesCovered
from quant_trading_system.core.breaks import Break, BreakKind
from quant_trading_system.core.exceptions import NotReconciled
from quant_trading_system.core.numbers import plain
from quant_trading_system.execution.alpaca_statement import ACTIVITY_SPAN
from quant_trading_system.execution.asset_flags import AssetFlags, AssetSource
from quant_trading_system.execution.audit import AT_ONCE, audit
from quant_trading_system.execution.break_book import BreakBook
from quant_trading_system.execution.broker_times import BrokerTimes
from quant_trading_system.execution.entries_beside_trades import EntriesBesideTrades
from quant_trading_system.execution.external_orders import ExternalOrders
from quant_trading_system.execution.notices import Notice, NoticeKind, Notify
from quant_trading_system.execution.statement import StatementSource
from quant_trading_system.journal.projection import Projection
from quant_trading_system.trading.reconciler import AUDITED, REACH_BACK_DAY, Reconciler
from quant_trading_system.trading.resume import earliest_of
from quant_trading_system.trading.system import TradingSystem

ADOPTABLE = frozenset({BreakKind.POSITION, BreakKind.CASH})
"""What a person may take over; orders that differ have to be looked into at the broker."""

_SPAN = REACH_BACK_DAY + ACTIVITY_SPAN + timedelta(days=1)
_APART = timedelta(minutes=1)  # one such row fills what a minute leaves for questions


class Reconciliation:
    """The reconciliation of one account.

    Attributes:
        reconciler: runs beside the loop.
    """

    def __init__(
        self,
        system: TradingSystem,
        source: StatementSource,
        past: Projection | None,
        notify: Notify,
        tell: Callable[[str], None],
        times: BrokerTimes | None = None,
        assets: AssetSource | None = None,
    ) -> None:
        """Join the parts; the gate is shut for new risk until `start`.

        Args:
            past: the books of an account that goes on, None for a new one.
            times: compares clock and calendar with the broker's; assets: what it says of symbols. None to do without.
        """
        clock, journal = system.ports.clock, system.ports.journal
        self._system = system
        self._source = source
        self._follows_activities = past is not None and past.follows_activities
        self._tell = tell
        self._entries = EntriesBesideTrades(
            system.tracker, system.portfolio, system.monitor, journal, clock, tell, past.activities if past else ()
        )
        externals = ExternalOrders(
            orders=system.orders,
            portfolio=system.portfolio,
            kill_switch=system.kill_switch,
            agreement=system.agreement,
            journal=journal,
            clock=clock,
            price_of=self._price_of,
            tell=tell,
        )
        breaks = BreakBook(system.agreement, journal, clock, _alarm(notify), past.breaks if past else None)
        opened, last = (past.opened, past.at) if past else (None, None)
        now = system.ports.market_clock.now()
        if last is not None:
            last = earliest_of(last, now, clock.now())
        if times is not None:
            times.guard(system.agreement)
        self.reconciler = Reconciler(
            system,
            source,
            breaks,
            externals,
            self._entries,
            opened=opened or now,
            since=last or now,
            tell=tell,
            times=times,
            flags=None if assets is None else _flags(assets, system, tell, notify),
        )

    async def start(self, person: str) -> None:
        """The first reconciliation; nothing is sent before it is clean.

        Args:
            person: who answers for taking over positions and cash that differ; empty for nobody.

        Raises:
            NotReconciled: the books differ, or the broker could not be asked.
        """
        if not self._follows_activities:
            await self._cover_what_cash_contains()
        blocking = await self.reconciler.start()
        if blocking and await self._corrected():
            blocking = await self.reconciler.start()
        if blocking and person and all(found.kind in ADOPTABLE for found in blocking):
            await self._adopt(person)
            blocking = await self.reconciler.start()
        if blocking:
            differing = ", ".join(f"{found.kind.value} {found.subject}" for found in blocking)
            raise NotReconciled(
                f"our books and the broker's differ in {differing}; `qts reconcile` shows both sides. Find out why, "
                "then start again, with --adopt NAME to take over the broker's positions and cash"
            )

    async def _corrected(self) -> bool:
        """Books that differ may have missed that the broker took an execution back, or changed it."""
        ports, lives, differed = self._system.ports, self._system.orders.lives, 0
        now = ports.market_clock.now()
        left: tuple[str, ...] = ()
        while True:
            since = now - AUDITED
            found = await audit(ports.broker, lives, now=now, since=since, orders=left, most=AT_ONCE)
            for order_id in found.differed:
                self._tell(f"the broker has corrected executions of {order_id}; the books follow")
            differed, left = differed + len(found.differed), found.left
            if not left:
                return bool(differed)
            self._tell(f"books differ: {len(left)} more orders are held against the broker's history")
            await ports.clock.sleep(_APART)

    async def _cover_what_cash_contains(self) -> None:
        """Books that begin, or that were kept before entries were booked: their cash was the broker's."""
        entries = await self._source.activities(self._system.ports.market_clock.now() - _SPAN)
        ids = tuple(entry.activity_id for entry in entries)
        self._entries.cover(ids)
        self._system.ports.journal.append(
            ActivitiesCovered(at=self._system.ports.clock.now(), activity_ids=ids, reason="posted before these books")
        )
        self._follows_activities = True

    async def _adopt(self, person: str) -> None:
        ledger = Ledger.of(self._system)
        statement = await self._source.full(self._system.ports.market_clock.now())
        adopt_positions(ledger, statement.positions, approved_by=person, reason="differed at a start")
        if statement.cash is not None:
            unbooked = self._entries.unbooked(statement.activities)
            adopt_cash(ledger, statement.cash, approved_by=person, entries=unbooked)
            self._entries.cover(entry.activity_id for entry in unbooked)
        await self._system.ports.journal.durable()
        self._tell(f"taken over from the broker on the word of {person}")

    def _price_of(self, symbol: str) -> Decimal | None:
        quote = self._system.ports.quotes.quote(symbol)
        if quote is not None and not quote.flaw:
            return quote.ask
        return self._system.portfolio.position(symbol).mark


def _flags(source: AssetSource, system: TradingSystem, tell: Callable[[str], None], notify: Notify) -> AssetFlags:
    ports, portfolio = system.ports, system.portfolio
    return AssetFlags(
        source,
        system.universe,
        ports.market_clock,
        ports.calendar,
        tell,
        held=lambda symbol: portfolio.peek(symbol).position.quantity,
        notify=notify,
    )


def _alarm(notify: Notify) -> Callable[[Break, bool], None]:
    def alarm(found: Break, is_open: bool) -> None:
        kind = NoticeKind.BREAK_OPENED if is_open else NoticeKind.BREAK_CLOSED
        notify(Notice(kind=kind, source="reconciliation", message=in_words(found) if is_open else str(found)))

    return alarm


def in_words(found: Break) -> str:
    """A break, what it shuts, and who has to act."""
    words = str(found)
    if found.difference is not None:
        words += f", difference {plain(found.difference)}"
    if found.cause:
        words += "; proposed: the same cost for the broker's shares, booked by `qts reconcile --adopt NAME`"
    if found.blocks:
        words += f"; no new risk in {found.symbol or 'the account'} until it is explained"
    return f"{words} ({found.severity.value}, {found.owner.value})"
