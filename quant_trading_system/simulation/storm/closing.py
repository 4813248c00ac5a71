"""At the end of the day, when everything is quiet: everybody's books have to say the same."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from datetime import timedelta

from quant_trading_system.core.events import StateRecorded
from quant_trading_system.core.exceptions import JournalError
from quant_trading_system.journal.entry import Entry, Row, entry_from, genesis, is_authentic
from quant_trading_system.journal.replay import disagreements, replay
from quant_trading_system.journal.store import with_signal
from quant_trading_system.simulation.activities import ActivityQuery, CashActivity
from quant_trading_system.simulation.storm.auditor import Auditor
from quant_trading_system.simulation.storm.disk import Disk
from quant_trading_system.simulation.storm.ledger import ZERO, Intent, Ledger
from quant_trading_system.simulation.storm.truth import at_venue
from quant_trading_system.simulation.venue import Venue
from quant_trading_system.simulation.venue_orders import VenueOrder

T_BOOKED = timedelta(minutes=6)
"""A full reconciliation later, every entry of the broker beside trades is booked."""

Difference = tuple[str, str]
"""An invariant, and how it shows that it does not hold."""


class Written:
    """The entries on a disk as a source to replay, those that are not synced included."""

    def __init__(self, rows: list[Row]) -> None:
        self._rows = list(rows)

    @property
    def head(self) -> tuple[int, str]:
        """Number and digest of the last entry."""
        return (self._rows[-1][0], self._rows[-1][7].hex()) if self._rows else (0, "")

    def entries(self, start: int = 1, kinds: Collection[str] | None = None) -> Iterator[Entry]:
        """The entries from `start` on, of these kinds or of all."""
        for row in self._rows[start - 1 :]:
            if kinds is None or row[2] in kinds:
                yield entry_from(row)

    def entry(self, seq: int) -> Entry | None:
        """The entry of that number."""
        return entry_from(self._rows[seq - 1]) if 0 < seq <= len(self._rows) else None

    def about(self, order_id: str, before: int = sys.maxsize) -> list[Entry]:
        """Everything about one order."""
        return with_signal([entry_from(row) for row in self._rows[: before - 1] if row[5] == order_id], self.entry)


def differing_state(disk: Disk, state: StateRecorded) -> list[Difference]:
    """Where a replay of the journal gives other books than the running engine has."""
    try:
        projection = replay(Written(disk.rows)).projection
    except JournalError as error:
        return [("I8", f"the journal cannot be replayed: {error}")]
    return [
        ("I8", f"{name}: {ours} in the engine, {folded} by replay")
        for name, ours, folded in disagreements(projection, state)
    ]


def damaged_journal(disk: Disk) -> list[Difference]:
    """Whether the chain adds up and a replay agrees with the books on record."""
    found, previous = [], genesis(disk.key)
    for row in disk.rows:
        if not is_authentic(row, previous, disk.key):
            found.append(("I25", f"entry {row[0]} does not follow from the one before"))
            break
        previous = row[7]
    try:
        report = replay(Written(disk.rows))
    except JournalError as error:
        return [*found, ("I8", f"the journal cannot be replayed: {error}")]
    found += [
        ("I8", f"entry {d.seq}: {d.field} was {d.recorded}, {d.folded} by replay") for d in report.differences[:5]
    ]
    return found


def differing_books(auditor: Auditor, venue: Venue) -> list[Difference]:
    """Where the account's journal and the venue's books tell different stories."""
    ledger, orders = auditor.ledger, auditor.orders_at_venue()
    found: list[Difference] = []
    legs = {intent.venue_order_id: intent for intent in ledger.intents.values() if intent.parent}
    for order in orders:
        leg = legs.get(order.venue_order_id)
        if leg is not None or order.client_order_id in auditor.sent or order.client_order_id in ledger.intents:
            found += _differing_order(ledger, venue, order, leg)
    known = {order.client_order_id for order in orders}
    known |= {leg.order_id for leg in legs.values() if at_venue(venue, leg) is not None}
    for intent in ledger.intents.values():
        if intent.status in ("sent", "in_doubt"):
            found.append(("I10", f"{intent.order_id} is still {intent.status}"))
        elif intent.order_id not in known and intent.status not in ("denied", "unsent", "absent", "rejected"):
            found.append(("I10", f"{intent.order_id} is {intent.status}, and the venue never had it"))
    found += _differing_positions(auditor, venue)
    return found


def _differing_order(ledger: Ledger, venue: Venue, order: VenueOrder, leg: Intent | None) -> Iterator[Difference]:
    name = order.client_order_id
    intent = leg or ledger.intents.get(name)
    if intent is None:
        yield "I10", f"the venue has {name}, which is in no journal"
        return
    if intent.is_open is not order.status.is_open:
        yield "I10", f"{name} is {intent.status} here and {order.status} at the venue"
    real = {fill.cumulative_quantity: (fill.quantity, fill.price) for fill in venue.executions(name) if fill.quantity}
    if real != intent.fills and not intent.answered_for:
        missing = [str(q) for q in real if q not in intent.fills]
        invented = [str(q) for q in intent.fills if q not in real]
        invariant = "I13" if intent.was_corrected else "I2"
        yield invariant, f"{name}: missing the fills up to {missing}, invented those up to {invented}"


def _differing_positions(auditor: Auditor, venue: Venue) -> Iterator[Difference]:
    ledger, theirs = auditor.ledger, {position.symbol: position.quantity for position in venue.positions()}
    for symbol in sorted({*theirs, *ledger.positions}):
        ours, real = ledger.positions.get(symbol, ZERO), theirs.get(symbol, ZERO)
        if real != ours:
            yield "I3", f"{symbol}: {ours} here, {real} at the venue"
    entries = venue.activities(ActivityQuery(page_size=1_000_000))
    young = [
        entry.net_amount
        for entry in entries
        if isinstance(entry, CashActivity) and entry.id not in ledger.activities and auditor.age(entry.at) < T_BOOKED
    ]
    booked, cash = ledger.cash, venue.account().cash
    if booked is not None and booked + sum(young, ZERO) != cash:
        yield "I4", f"cash: {booked} here, {cash} at the venue, of which {sum(young, ZERO)} is too young to be booked"
