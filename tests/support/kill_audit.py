"""The books of the venue beside the journal of an engine that traded on it: what must hold after every death."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from quant_trading_system.core.events import HaltLevel, KillSwitchEvent, OrderEvent
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger
from quant_trading_system.journal.keys import journal_key
from quant_trading_system.journal.order_fold import OrderView
from quant_trading_system.journal.projection import Projection
from quant_trading_system.journal.replay import replay
from quant_trading_system.journal.sqlite_reader import JournalReader
from quant_trading_system.journal.verify import verify
from tests.support.engine_process import Engine
from tests.support.venue_process import VenueProcess

PAGE = 500


class Told(NamedTuple):
    """What the journal of an engine says; `intents` are the orders that were marked as being sent, by id."""

    books: Projection
    intents: dict[str, OrderEvent]
    views: dict[str, OrderView]
    faults: list[str]


def journal_of(engine: Engine) -> Path:
    return engine.directory / "journal.db"


def head_of(engine: Engine) -> int:
    """The number of the last durable entry."""
    path = journal_of(engine)
    with JournalReader(path, journal_key(path)) as reader:
        return reader.head[0]


def told_by(engine: Engine) -> Told:
    """Read the journal as a whole: chain, replay, and every order that it knows."""
    path = journal_of(engine)
    key = journal_key(path)
    verified = verify(path, key)
    faults = [] if verified.is_sound else [f"the journal is not sound: {verified.message}"]
    with JournalReader(path, key) as reader:
        report = replay(reader)
        faults += [f"the journal contradicts itself: {found}" for found in report.differences]
        intents: dict[str, OrderEvent] = {}
        is_halted = False
        for entry in reader.entries(kinds=("order", "kill_switch")):
            event = entry.event
            if isinstance(event, KillSwitchEvent):
                is_halted = event.level is HaltLevel.HALTED
            elif isinstance(event, OrderEvent) and event.trigger is OrderTrigger.SEND:
                if is_halted:
                    faults.append(f"{event.order_id} was sent in the face of a halt")
                if event.order_id in intents:
                    faults.append(f"{event.order_id} was marked as being sent twice")
                intents[event.order_id] = event
    known = {order_id: report.projection.orders.get(order_id) for order_id in intents}
    return Told(report.projection, intents, {i: view for i, view in known.items() if view is not None}, faults)


def doubts_of(engine: Engine) -> list[str]:
    """The ids of the orders of which nobody knows whether they arrived."""
    path = journal_of(engine)
    with JournalReader(path, journal_key(path)) as reader:
        views = replay(reader).projection.orders.open.values()
    return [view.order_id for view in views if view.status in (OrderStatus.SENT, OrderStatus.IN_DOUBT)]


def orders_at(engine: Engine) -> list[dict[str, Any]]:
    """Every order that the venue has from us, oldest first, all pages."""
    found: list[dict[str, Any]] = []
    after = ""
    while True:
        page = engine.broker("GET", f"/orders?status=all&direction=asc&limit={PAGE}{after}")
        assert isinstance(page, list)
        found += page
        if len(page) < PAGE:
            return found
        after = f"&after_order_id={page[-1]['id']}"


def breaches(engine: Engine, venue: VenueProcess, *, settled: bool) -> list[str]:
    """What does not hold, in words.

    Args:
        settled: the engine has ended in good order, so both books must be equal; else ours may lack what happened
            at the moment of its death, and must not have anything that did not happen.
    """
    told, theirs = told_by(engine), orders_at(engine)
    books = venue.control("/books")[engine.account]
    found = list(told.faults)
    ids = Counter(order["client_order_id"] for order in theirs)
    found += [f"{order_id} is at the venue {times} times" for order_id, times in ids.items() if times > 1]
    for order in theirs:
        found += _order_breaches(order, told, settled=settled)
    held = {symbol: p.quantity for symbol, p in told.books.positions.items() if p.quantity}
    if settled:
        at_venue = {symbol: Decimal(quantity) for symbol, quantity in books["positions"].items()}
        if held != at_venue:
            found.append(f"our positions are {held}, the venue's {at_venue}")
        if told.books.cash != Decimal(books["cash"]):
            found.append(f"our cash is {told.books.cash}, the venue's {books['cash']}")
        if told.books.orders.open and not books["open_orders"]:
            found.append(f"open by our books only: {', '.join(told.books.orders.open)}")
    traded = sum(Decimal(entry["quantity"]) for entry in books["trades"])
    if sum(Decimal(quantity) for quantity in books["positions"].values()) != traded:
        found.append("the venue's own trades do not add up to its positions")
    return found


def _order_breaches(order: dict[str, Any], told: Told, *, settled: bool) -> list[str]:
    order_id, filled = order["client_order_id"], Decimal(order["filled_qty"])
    intent, view = told.intents.get(order_id), told.views.get(order_id)
    if intent is None or intent.order is None or view is None:
        return [f"{order_id} is at the venue, and the journal has no intent of it"]
    wanted = (intent.order.symbol, intent.order.side.value, intent.order.quantity)
    if wanted != (order["symbol"], order["side"], Decimal(order["qty"])):
        return [f"{order_id} is another order at the venue: {wanted}, {order}"]
    if view.executed > filled:
        return [f"{order_id}: we booked {view.executed} shares, the venue filled {filled}"]
    if settled and view.executed != filled:
        return [f"{order_id}: we booked {view.executed} of {filled} shares"]
    return []
