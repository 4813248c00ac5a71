"""What `qts reconcile` shows: both sides of every break, from the account's journal and the broker itself.

It has a connection of its own and only reads, so it may run beside the engine. Taking over needs the journal for
itself, and with it the account: no engine can run meanwhile.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import msgspec

from quant_trading_system.app.adoption import Ledger, adopt_cash, adopt_positions
from quant_trading_system.app.reconciling import ADOPTABLE
from quant_trading_system.config.loader import default_limits
from quant_trading_system.core.breaks import Break, BreakKind, Owner, Severity
from quant_trading_system.core.clock import Clock
from quant_trading_system.core.events import RiskEvent
from quant_trading_system.core.exceptions import ConfigurationError, NotReconciled
from quant_trading_system.execution.break_book import SECOND_LOOK
from quant_trading_system.execution.leg_names import LegNames
from quant_trading_system.execution.order_recall import record_from, with_older
from quant_trading_system.execution.order_store import OrderRecord
from quant_trading_system.execution.reconciliation import Books, compare, of_this_time, our_order
from quant_trading_system.execution.statement import SeenActivity, Statement, StatementSource
from quant_trading_system.journal.projection import Projection
from quant_trading_system.journal.store import Journal, JournalSource
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.risk.latch import Latch
from quant_trading_system.risk.monitor import RiskMonitor
from quant_trading_system.risk.portfolio import Portfolio
from quant_trading_system.trading.reconciler import REACH_BACK_DAY


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One break.

    Attributes:
        difference: theirs less ours, None where the two are no numbers.
        first_seen, age_s: when the engine saw it first, and the seconds since; None when no engine has.
    """

    kind: BreakKind
    subject: str
    symbol: str
    ours: str
    theirs: str
    difference: Decimal | None
    severity: Severity
    owner: Owner
    first_seen: datetime | None
    age_s: int | None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Both sides at one moment.

    Attributes:
        unbooked: entries of the broker's statement that our cash lacks; an engine books those that it can classify.
        cash, their_cash: dollars, ours and the broker's.
        taken_over: what was brought to the broker's just now: symbols, and ``cash``.
    """

    at: datetime
    breaks: tuple[Row, ...]
    unbooked: tuple[SeenActivity, ...]
    cash: Decimal
    their_cash: Decimal
    taken_over: tuple[str, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Nothing shuts new risk."""
        return all(row.severity is Severity.NOTICE for row in self.breaks)


class Comparison:
    """The books of a journal beside the broker's. It changes nothing."""

    def __init__(
        self, journal: JournalSource, source: StatementSource, clock: Clock, names: LegNames | None = None
    ) -> None:
        """Read the journal once; later looks read on from there.

        Args:
            names: of legs, with which `source` tells of them; the journal knows them.

        Raises:
            JournalDamaged: an entry is not what was appended.
            ConfigurationError: nothing was traded here yet.
        """
        self.books = Projection(journal.about)
        self._journal = journal
        self._source = source
        self._clock = clock
        self._names = names or LegNames()
        self._read_on()
        if self.books.opened is None or self.books.at is None:
            raise ConfigurationError("this journal has no account yet; `qts trade` begins one")
        self._opened = self.books.opened
        self._since = max(self._opened, self.books.at - REACH_BACK_DAY)

    async def report(self) -> tuple[Report, Statement]:
        """Look, and once more if something differs: what is on its way has arrived by then.

        Raises:
            OutcomeUnknown: the broker gave no complete answer.
        """
        statement, found = await self._look()
        if found:
            await self._clock.sleep(SECOND_LOOK)
            before = set(map(_content, found))
            statement, again = await self._look()
            found = [difference for difference in again if _content(difference) in before]
        return self._report(statement, found), statement

    async def _look(self) -> tuple[Statement, list[Break]]:
        statement = await self._source.full(self._since)
        self._read_on()
        shown = {order.seen.client_order_id for order in statement.orders}
        records = {name: self._record(name) for name in {*shown, *self.books.orders.open}}
        known = {name: record for name, record in records.items() if record is not None}
        statement = of_this_time(statement, known, self._opened)
        books = Books(
            positions={s: p.quantity for s, p in self.books.positions.items() if p.quantity},
            cash=self.books.cash,
            orders={name: our_order(record) for name, record in known.items()},
        )
        return statement, list(compare(books, statement))

    def _record(self, order_id: str) -> OrderRecord | None:
        record = self._recall(order_id)
        if record is not None:
            for old, new in pairwise(with_older(record, self._recall)):
                new.follow(old)  # the broker counts its shares here, too
        return record

    def _recall(self, order_id: str) -> OrderRecord | None:
        return record_from((entry.seq, entry.event) for entry in self._journal.about(order_id))

    def _read_on(self) -> None:
        for entry in self._journal.entries(self.books.seq + 1):
            self.books.apply(entry.seq, entry.event)
        leaders = {view.parent for view in self.books.orders.open.values() if view.parent}
        groups = (record.order for name in leaders if (record := self._record(name)) is not None)
        self._names.recognise(groups, self.books.orders.legs())

    def _report(self, statement: Statement, found: list[Break]) -> Report:
        now = self._clock.now()
        return Report(
            at=now,
            breaks=tuple(self._row(difference, now) for difference in found),
            unbooked=tuple(e for e in statement.activities if e.activity_id not in self.books.activities),
            cash=self.books.cash,
            their_cash=self.books.cash if statement.cash is None else statement.cash,
        )

    def _row(self, found: Break, now: datetime) -> Row:
        _, first_seen = self.books.breaks.get(found.name, (found, None))
        return Row(
            kind=found.kind,
            subject=found.subject,
            symbol=found.symbol,
            ours=found.ours,
            theirs=found.theirs,
            difference=found.difference,
            severity=found.severity,
            owner=found.owner,
            first_seen=first_seen,
            age_s=None if first_seen is None else int((now - first_seen).total_seconds()),
        )


async def take_over(
    journal: Journal,
    latch: Latch,
    source: StatementSource,
    clock: Clock,
    names: LegNames | None = None,
    *,
    person: str,
    reason: str,
) -> Report:
    """Bring positions and cash to the broker's, on record; orders that differ are never adjusted.

    Raises:
        NotReconciled: orders or fills differ; what an engine takes over from the broker must not be taken over twice.
        OutcomeUnknown: the broker gave no complete answer.
    """
    comparison = Comparison(journal, source, clock, names)
    report, statement = await comparison.report()
    others = [f"{row.kind.value} {row.subject}" for row in report.breaks if row.kind not in ADOPTABLE]
    if others:
        raise NotReconciled(
            f"{', '.join(others)}: orders that differ are not adjusted by hand. Start the engine: it takes over orders "
            "of others with their fills; for the rest, look at the broker"
        )
    if not report.breaks:
        return report
    ledger = _ledger(comparison.books, journal, latch, clock)
    changed = adopt_positions(ledger, statement.positions, approved_by=person, reason=reason)
    if statement.cash is not None and statement.cash != comparison.books.cash:
        adopt_cash(ledger, statement.cash, approved_by=person, reason=reason, entries=report.unbooked)
        changed = (*changed, "cash")
    journal.sync()
    return msgspec.structs.replace(report, taken_over=changed)


def require_same_account(directory: Path, account_id: str) -> None:
    """The keys belong to the account that the directory keeps.

    Raises:
        ConfigurationError: they belong to another one.
    """
    note = directory / "account_id"
    kept = note.read_text(encoding="utf-8").strip() if note.exists() else account_id
    if kept != account_id:
        raise ConfigurationError(f"{directory} keeps account {kept}, these keys belong to {account_id}")


def _content(found: Break) -> tuple[BreakKind, str, str, str]:
    return found.kind, found.subject, found.ours, found.theirs


def _ledger(books: Projection, journal: Journal, latch: Latch, clock: Clock) -> Ledger:
    """The books of the journal with nobody trading on them."""
    portfolio = Portfolio(books.cash)
    portfolio.take_over(books.positions.values(), cash=books.cash, fees=books.fees)
    monitor = RiskMonitor(
        limits=default_limits(),
        portfolio=portfolio,
        kill_switch=KillSwitch(latch=latch, clock=clock),
        clock=clock,
        emit=lambda event: _append(journal, event),
    )
    baselines = books.baselines
    if baselines.peak_equity:
        monitor.restore(
            peak_equity=baselines.peak_equity,
            day_start_equity=baselines.day_start_equity,
            losing_streak=baselines.losing_streak,
            opened_at=baselines.day_opened,
            closing_equity=baselines.closing_equity,
        )
    return Ledger(portfolio, journal, clock, lambda: monitor.recalculated(""))


def _append(journal: Journal, event: RiskEvent) -> None:
    journal.append(event)
