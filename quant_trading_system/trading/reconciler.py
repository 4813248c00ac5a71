"""Compares the books with the broker's again and again, and shuts the gate while they are in question.

*Light* every 30 seconds: open orders and positions. *Full* every five minutes, at the start, after a pause and at
the end of the day: orders, executions, positions and cash. Times are spans on the monotonic clock, counted from the
last look, so that a pause is followed by one look and not by all that were missed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal

from quant_trading_system.core.book_events import Reconciled
from quant_trading_system.core.breaks import Break, BreakKind
from quant_trading_system.core.clock import wait_for_either
from quant_trading_system.core.exceptions import BrokerRejected, NotReconciled, NotSent, OutcomeUnknown
from quant_trading_system.core.ids import is_our_make
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.execution.asset_flags import AssetFlags
from quant_trading_system.execution.audit import AT_ONCE, audit
from quant_trading_system.execution.break_book import SECOND_LOOK, BreakBook
from quant_trading_system.execution.broker_times import BrokerTimes
from quant_trading_system.execution.entries_beside_trades import EntriesBesideTrades
from quant_trading_system.execution.external_orders import ExternalOrders
from quant_trading_system.execution.reconciliation import compare, of_this_time, our_books
from quant_trading_system.execution.statement import SeenOrder, Statement, StatementSource
from quant_trading_system.trading.system import TradingSystem

LIGHT_EVERY = timedelta(seconds=30)
FULL_EVERY = timedelta(minutes=5)
PATIENCE = timedelta(seconds=60)
"""How long the broker may give no complete answer before new risk is shut for the account."""
PAUSE = timedelta(seconds=15)
"""A process that did not run for so long reconciles before it sends."""
AGAIN = timedelta(seconds=5)
"""After a look without an answer."""
REACH_BACK = timedelta(hours=1)
"""How far before the last full look the executions are read again; the history may trail."""
REACH_BACK_DAY = timedelta(days=1)
AUDITED = timedelta(days=7)
"""How far back fills are held against the broker's history when positions or cash differ."""
AUDITS = 2
"""How often for one difference: the history may trail, and asking about many orders holds up other requests."""

_APART = timedelta(seconds=1)  # between two looks, however often the stream wakes us
_PULSE = timedelta(seconds=1)
_GO_ON = timedelta(minutes=1)  # with an audit of many orders
_LOOKS_AT_START = 4
_NO_ANSWER = (OutcomeUnknown, BrokerRejected, NotSent)
_BY_CORRECTION = (BreakKind.POSITION, BreakKind.CASH, BreakKind.MISSING_FILL)
_ON_ITS_WAY = (OrderStatus.SENT, OrderStatus.IN_DOUBT)


class Reconciler:
    """Runs beside the live loop, on the same thread.

    Attributes:
        breaks: the open ones.
        full_looks: how often everything was compared.
    """

    def __init__(
        self,
        system: TradingSystem,
        source: StatementSource,
        breaks: BreakBook,
        externals: ExternalOrders,
        entries: EntriesBesideTrades,
        *,
        opened: datetime,
        since: datetime,
        tell: Callable[[str], None] = lambda _: None,
        times: BrokerTimes | None = None,
        flags: AssetFlags | None = None,
    ) -> None:
        """Shut the gate until `start` has looked.

        Args:
            opened: when the books began; what was filled before is in the positions that they began with.
            since: the last moment of which the books know everything.
            tell: takes one line about what happens, for people.
            times: compares clock and calendar with the broker's; None where nobody does.
            flags: keeps what the broker says of its assets; None where the universe says all.
        """
        self.breaks = breaks
        self.full_looks = 0
        self._times = times
        self._flags = flags
        self._system = system
        self._source = source
        self._externals = externals
        self._entries = entries
        self._opened = opened
        self._since = since - REACH_BACK_DAY
        self._tell = tell
        self._clock = system.ports.clock
        self._market_clock = system.ports.market_clock
        self._wake = asyncio.Event()
        self._stream_is_up = True
        self._questioned: frozenset[tuple[BreakKind, str, Decimal | None]] = frozenset()
        self._audits_left = 0
        self._unsettled: tuple[str, ...] = ()
        self._audited_at = 0.0
        self._is_audit_due = False
        self._doubted = 0
        self._occasion = "start"
        self._wants_full = True
        now = self._clock.monotonic()
        self._next_light = self._next_full = self._last_look = now
        self._failing_since: float | None = None
        self._pulse = (now, self._clock.now())
        self._doubt("start", "the books have not been reconciled yet")
        externals.on_heard(self._look_soon)

    # -- when ----------------------------------------------------------------------------------------------------

    async def start(self) -> tuple[Break, ...]:
        """Look until every difference is explained or confirmed; what shuts new risk then.

        Raises:
            NotReconciled: the broker gave no answer.
        """
        await self._resolve_each(order.order_id for order in self._system.orders.open_orders())
        self._wants_full = True
        for _ in range(_LOOKS_AT_START):
            if not await self._look():
                raise NotReconciled("the broker gave no complete answer to the reconciliation; nothing was sent")
            if not self.breaks.needs_second_look:
                break
            self._wants_full = True
            await self._clock.sleep(SECOND_LOOK)
        self._pulse = (self._clock.monotonic(), self._clock.now())
        return self.breaks.blocking

    async def run(self) -> None:
        """Look whenever it is time, until cancelled."""
        self._pulse = (self._clock.monotonic(), self._clock.now())
        while True:
            await wait_for_either(self._clock, self._wake, _PULSE)
            self._wake.clear()
            self.feel_pulse()
            now = self._clock.monotonic()
            if now >= min(self._next_light, self._next_full):
                self._wants_full = self._wants_full or now >= self._next_full
                await self._look()
            if self._is_audit_due or (self._unsettled and now >= self._audited_at + _GO_ON.total_seconds()):
                await self._audit()

    def feel_pulse(self) -> None:
        """Notice that this process did not run for a while, as after a suspend; call before anything is sent."""
        now = (self._clock.monotonic(), self._clock.now())
        passed = max(timedelta(seconds=now[0] - self._pulse[0]), now[1] - self._pulse[1])
        self._pulse = now
        if passed > PAUSE:
            self._doubt("pause", f"nothing ran here for {passed.total_seconds():.0f} s; reconciling first")
            self._look_in_full("pause")
        if self._times is not None and self._times.look():
            self._look_in_full("clock")

    def stream_changed(self, up: bool) -> None:
        """The stream of order updates was lost, or is back with its gap read."""
        self._stream_is_up = up
        if up:
            self._occasion = "reconnect"
            self._look_soon()
        else:
            self._doubt("stream", "the order stream was lost; new risk waits for a clean reconciliation")

    def look_now(self) -> None:
        """Somebody wants everything compared; `full_looks` tells when that was done."""
        self._look_in_full("operator")

    def day_ended(self) -> None:
        """Compare everything once more."""
        self._since = min(self._since, self._market_clock.now() - REACH_BACK_DAY)
        self._look_in_full("day_end")

    # -- one look ------------------------------------------------------------------------------------------------

    async def _look(self) -> bool:
        """Compare once; False when the broker gave no complete answer."""
        full, doubted = self._wants_full, self._doubted
        if self._times is not None and (full or not self._times.is_settled):
            await self._times.read()
        if self._flags is not None and full:
            await self._flags.read()
        begun = self._market_clock.now()
        try:
            statement = self._of_this_time(
                await (self._source.full(self._from_when()) if full else self._source.light())
            )
            await self._take_over(statement)
            await self._settle(statement)
        except _NO_ANSWER as error:
            self._could_not_look(str(error))
            return False
        # Nothing waits from here on: our books are those of one moment.
        self._compare(statement)
        self._schedule(full=full)
        if full:
            self._question()
        if full:
            self.full_looks += 1
            self._since = begun - REACH_BACK
            self.breaks.could_look()
            self._note(statement)
        if not self.breaks.needs_second_look and doubted == self._doubted:
            self._trust(full=full)
        await self._system.ports.journal.durable()
        return True

    def _question(self) -> None:
        """Are there breaks that a missed correction of a fill explains, and were they not looked into already?"""
        open_now = (found for found, _ in self.breaks.open.values())  # also one that is only told: it may be larger
        found = frozenset((b.kind, b.symbol, b.difference) for b in open_now if b.kind in _BY_CORRECTION)
        if found != self._questioned:
            self._questioned, self._audits_left = found, AUDITS if found else 0
        if not found:
            self._unsettled = ()
        self._is_audit_due = self._audits_left > 0 and not self._unsettled

    async def _audit(self) -> None:
        """The broker may have taken executions back, or changed them, and the stream did not tell.

        Some orders at a time; those that are left, or of which it said nothing certain, come next while books differ.
        """
        self._is_audit_due, self._audited_at = False, self._clock.monotonic()
        symbols = {symbol for _, symbol, _ in self._questioned}
        only = () if "" in symbols else symbols  # cash may differ by any order
        ports, lives, now = self._system.ports, self._system.orders.lives, self._market_clock.now()
        try:
            found = await audit(
                ports.broker,
                lives,
                now=now,
                since=now - AUDITED,
                symbols=only,
                orders=self._unsettled,
                most=AT_ONCE,
            )
        except _NO_ANSWER as error:
            self._tell(f"the fills could not be held against the broker's history: {error}")
            return
        self._audits_left -= 0 if self._unsettled else 1
        self._unsettled = (*found.left, *found.uncertain)
        for order_id in found.differed:
            self._tell(f"the broker has corrected executions of {order_id}; the books follow")
        if found.differed:
            self._look_in_full("correction")

    def _of_this_time(self, statement: Statement) -> Statement:
        shown = (order.seen.client_order_id for order in statement.orders)
        return of_this_time(statement, {name for name in shown if self._externals.known(name)}, self._opened)

    def _from_when(self) -> datetime:
        return max(self._opened, self._since)

    async def _take_over(self, statement: Statement) -> None:
        """Bring foreign orders onto the books: those that the statement shows, and those that the stream told of."""
        shown = {order.seen.client_order_id for order in statement.orders}
        foreign = [o for o in statement.orders if self._externals.known(o.seen.client_order_id) is None]
        for order_id in sorted(self._externals.heard.keys() - shown):
            found = await self._source.order(order_id)
            if found is not None:
                foreign.append(found)
        for order in foreign:
            self._externals.judge(order, statement.obstacle)
            if not is_our_make(order.seen.client_order_id):
                await self._take_over_one(order)

    async def _take_over_one(self, order: SeenOrder) -> None:
        seen, broker = order.seen, self._system.ports.broker
        if not seen.filled_quantity and not seen.status.is_open:
            self._externals.forget(seen.client_order_id)
            return
        executions = await broker.executions(seen.client_order_id) if seen.filled_quantity else ()
        if self._system.orders.order(seen.client_order_id) is None:
            taken = self._externals.take_over(order, executions, self._opened)
            if taken and seen.status.is_open:
                await self._resolve(seen.client_order_id)  # what the stream told meanwhile was told to nobody

    async def _settle(self, statement: Statement) -> None:
        """Ask about every order of ours that the statement tells otherwise; its history is booked at once."""
        shown = {order.seen.client_order_id: order.seen for order in statement.orders}
        otherwise: list[str] = []
        for order_id, seen in shown.items():
            record = self._externals.known(order_id)
            if record is None:
                continue
            lacks_fills = seen.filled_quantity > record.filled and seen.filled_quantity != record.chain_filled
            was_resized = bool(record.parent) and seen.quantity != record.quantity
            if lacks_fills or was_resized or seen.status.is_open is not record.status.is_open:
                if self._system.orders.order(record.order_id) is None:
                    self._system.orders.lives.take_up(record)
                otherwise.append(order_id)
        await self._resolve_each(otherwise)
        open_now = (record for record in self._system.orders.open_orders() if record.status not in _ON_ITS_WAY)
        unshown = [record.order_id for record in open_now if record.order_id not in shown]
        for order_id in await self._system.orders.resolve_listed(unshown):
            await self._system.orders.resolve(order_id)

    async def _resolve_each(self, order_ids: Iterable[str]) -> None:
        for order_id in await self._system.orders.resolve_listed(order_ids):
            await self._resolve(order_id)

    async def _resolve(self, order_id: str) -> None:
        try:
            await self._system.orders.resolve(order_id)
        except OutcomeUnknown as error:
            self._tell(f"{order_id}: {error}")  # what is missing shows in the comparison

    def _compare(self, statement: Statement) -> None:
        system = self._system
        self._mark(statement)
        if statement.is_full:
            self._entries.book(statement.activities)
        if statement.equity is not None:
            system.monitor.compare_equity(statement.equity)
        shown = (self._externals.known(order.seen.client_order_id) for order in statement.orders)
        books = our_books(system.portfolio, system.orders, [record for record in shown if record is not None])
        found = [*compare(books, statement), *self._externals.unshown()]
        self.breaks.judge(found, full=statement.is_full)

    def _mark(self, statement: Statement) -> None:
        """Value at the broker's price what no feed of ours has a price of, or not yet: without it no loss is seen."""
        portfolio, universe = self._system.portfolio, self._system.universe
        for position in statement.positions:
            symbol, price = position.symbol, position.price
            if price is not None and price > 0 and (symbol not in universe or symbol in portfolio.unmarked):
                portfolio.mark(symbol, price)

    # -- what follows from it ------------------------------------------------------------------------------------

    def _schedule(self, *, full: bool) -> None:
        now = self._last_look = self._clock.monotonic()
        self._failing_since = None
        again = self.breaks.needs_second_look or self._externals.awaited
        self._next_light = now + (SECOND_LOOK if again else LIGHT_EVERY).total_seconds()
        if full:
            self._next_full = now + FULL_EVERY.total_seconds()
        self._wants_full = self.breaks.needs_full_look
        if self.breaks.is_incomplete and not full:
            self._look_in_full("timer")

    def _could_not_look(self, why: str) -> None:
        now = self._last_look = self._clock.monotonic()
        self._next_light = now + AGAIN.total_seconds()
        if self._failing_since is None:
            self._failing_since = now
            self._tell(f"reconciliation incomplete: {why}")
        if now - self._failing_since >= PATIENCE.total_seconds():
            self.breaks.could_not_look(why)

    def _trust(self, *, full: bool) -> None:
        agreement = self._system.agreement
        if self._stream_is_up:
            agreement.trust("stream")
        if full:
            for source in ("start", "pause"):
                agreement.trust(source)

    def _note(self, statement: Statement) -> None:
        if statement.cash is None:
            return
        self._system.ports.journal.append(
            Reconciled(
                at=self._clock.now(),
                occasion=self._occasion,
                orders=len(statement.orders),
                fills=len(statement.fills),
                positions=len(statement.positions),
                cash=statement.cash,
                breaks=tuple(f"{kind.value} {subject}" for kind, subject in self.breaks.open),
            )
        )
        self._occasion = "timer"

    def _doubt(self, source: str, why: str) -> None:
        self._doubted += 1
        self._system.agreement.doubt(source, why)

    def _look_in_full(self, occasion: str) -> None:
        self._occasion, self._wants_full = occasion, True
        self._look_soon()

    def _look_soon(self) -> None:
        self._next_light = max(self._clock.monotonic(), self._last_look + _APART.total_seconds())
        self._wake.set()
