"""Takes up an account where its journal left it: books, baselines, halt state and open orders.

Nothing is sent on. An order that was on its way when the process ended is in doubt until the broker is asked;
one that was working counts in full until reconciliation has looked at it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial

from quant_trading_system.core.book_events import GroupAlarm
from quant_trading_system.core.decisions import Rule
from quant_trading_system.core.events import (
    AnyEvent,
    FillEvent,
    HaltLevel,
    HaltTrigger,
    KillSwitchEvent,
    OrderEvent,
    SignalEvent,
)
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger
from quant_trading_system.core.signals import Signal
from quant_trading_system.execution.order_manager import OrderManager
from quant_trading_system.execution.order_recall import record_from
from quant_trading_system.execution.order_store import OrderRecord
from quant_trading_system.journal.backwards import first_since, newest_first
from quant_trading_system.journal.projection import Baselines, Projection
from quant_trading_system.journal.store import JournalSource
from quant_trading_system.market.sessions import Calendar
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.risk.monitor import RiskMonitor
from quant_trading_system.risk.portfolio import Portfolio
from quant_trading_system.risk.traffic import MINUTE_S, Past, Traffic

REMEMBERED = 20_000
"""Entries before the end of the journal among which a wish is looked for."""
PIECE = 5_000
"""After so many entries each, on the way back to the start of the day, it is asked whether that is reached."""
LONGEST_DAY = timedelta(days=10)
"""No day of an exchange is longer, from the end of the one before it: holidays and closures included."""
_MINUTE = timedelta(seconds=MINUTE_S)


def resume(
    past: Projection,
    source: JournalSource,
    *,
    portfolio: Portfolio,
    monitor: RiskMonitor,
    kill_switch: KillSwitch,
    orders: OrderManager,
    traffic: Traffic,
    calendar: Calendar,
    now: datetime,
    ours: datetime,
) -> None:
    """Bring fresh parts to the state that `past` was folded to.

    Args:
        past: the books after the last entry of `source`.
        now: what time it is on the market; ours: by this machine's clock, which stamped most of the journal.
    """
    portfolio.take_over(past.positions.values(), cash=past.cash, fees=past.fees, trips=past.trips)
    baselines = past.baselines
    if baselines != Baselines():
        monitor.restore(
            peak_equity=baselines.peak_equity,
            day_start_equity=baselines.day_start_equity,
            week_start_equity=baselines.week_start_equity,
            month_start_equity=baselines.month_start_equity,
            losing_streak=baselines.losing_streak,
            opened_at=baselines.day_opened,
            closing_equity=baselines.closing_equity,
            last_seen=None if baselines.at is None else (latest_of(baselines.at, now, ours), baselines.equity),
        )
    recall = recall_from(source)
    orders.lives.recall = recall  # an order that took another's place needs that one, open or not
    for order_id in list(past.orders.open):
        orders.lives.find(order_id)
    held = {symbol for symbol, position in past.positions.items() if position.quantity}
    for order_id in past.orders.leaders_of(held):
        orders.lives.groups.watch_again(order_id)
    with orders.lives.lock:
        orders.lives.groups.complete()
        for record in orders.open_orders():
            if record.status is OrderStatus.SENT:
                orders.lives.step(record, OrderTrigger.TIME_OUT, "the process ended before an answer came")
    for order_id, reason in open_alarms(source).items():
        orders.lives.groups.take_up_alarm(order_id, reason)
    orders.recognise(past.orders.legs())
    orders.lives.filled_since = partial(filled_since, source)
    traffic.recall(left_before(source, past.seq, calendar, now, ours), past.runaways)
    _restore_halt(past, kill_switch)


def latest_of(stamp: datetime, now: datetime, ours: datetime) -> datetime:
    """The latest moment of the market that an entry of the journal may be from; a restart forgives nothing.

    Our clock may have been right when it stamped the entry, or as wrong as it is now; nothing is still to come.

    Args:
        now: what time it is on the market; ours: by this machine's clock.
    """
    return max((moment for moment in (stamp, stamp + (now - ours)) if moment <= now), default=now)


def earliest_of(stamp: datetime, now: datetime, ours: datetime) -> datetime:
    """The earliest such moment, for whoever must miss nothing that came after it; see `latest_of`."""
    return min(stamp, stamp + (now - ours), now)


def close_missed_day(day: Baselines, monitor: RiskMonitor, calendar: Calendar, now: datetime) -> None:
    """Close on record the trading day in which an earlier process ended, if it is over by now."""
    if day.day_opened is None or day.closing_equity is not None:
        return
    session = calendar.session_at(now)
    since = calendar.last_close(now) if session is None else session.open
    if day.day_opened < since:
        monitor.close_missed_day(day.equity)


def open_alarms(source: JournalSource) -> dict[str, str]:
    """What is wrong with groups of orders, by the id of the order that leads them, as far as it is not over."""
    found: dict[str, str] = {}
    for entry in source.entries(kinds=("group_alarm",)):
        event = entry.event
        if isinstance(event, GroupAlarm):
            found[event.order_id] = event.reason
    return {order_id: reason for order_id, reason in found.items() if reason}


def recall_from(source: JournalSource) -> Callable[[str], OrderRecord | None]:
    """Finds an order in the journal by its id."""
    return lambda order_id: record_from((entry.seq, entry.event) for entry in source.about(order_id))


def filled_since(source: JournalSource, moment: datetime) -> Iterator[str]:
    """Ids of the orders that filled since a moment, one for each fill.

    The place to begin is found by halves, so that it costs what was traded since and not what the journal holds.
    """
    for entry in source.entries(first_since(source, moment), kinds={"fill"}):
        event = entry.event
        if isinstance(event, FillEvent) and event.at >= moment:
            yield event.order_id


def left_before(source: JournalSource, last: int, calendar: Calendar, now: datetime, ours: datetime) -> list[Past]:
    """What left on this day of the exchange and within the last minute, oldest first, up to the entry `last`.

    Each as young as it may be: see `latest_of`.

    Reads backwards, so that a start costs what the day has brought and not what the journal holds.
    """
    today = calendar.trade_date(now)

    def counts(at: datetime) -> bool:
        """Of this day or of the last minute; what is weeks old need not be in the calendar."""
        return at > now - LONGEST_DAY and (at > now - _MINUTE or calendar.trade_date(at) >= today)

    found: list[Past] = []
    for number, entry in enumerate(newest_first(source, below=last + 1), 1):
        request = _request_in(entry.event, now, ours)
        if request is not None and counts(request.at):
            found.append(request)
        if number % PIECE == 0 and not counts(latest_of(entry.event.at, now, ours)):
            break
    return found[::-1]


def _request_in(event: AnyEvent, now: datetime, ours: datetime) -> Past | None:
    """The request that an entry tells of, None for any other entry."""
    if not isinstance(event, OrderEvent):
        return None
    if event.trigger is OrderTrigger.SEND and event.order is not None and event.decision is not None:
        values = (check.actual for check in event.decision.checks if check.rule is Rule.MAX_NOTIONAL)
        limited = (check.limit for check in event.decision.checks if check.rule is Rule.MAX_REPEATED_ORDERS)
        shares = (check.actual for check in event.decision.checks if check.rule is Rule.MAX_QUANTITY)
        return Past(
            latest_of(event.at, now, ours),
            event.order,
            next(values, None) or ZERO,
            next(shares, None) or ZERO,
            is_replace=bool(event.replaces),
            takes_risk=next(limited, None) is not None,
        )
    return Past(latest_of(event.at, now, ours)) if event.asks_for_cancel else None


def wishes_at_rest(source: JournalSource, last: int, calendar: Calendar, now: datetime) -> list[tuple[int, Signal]]:
    """What strategies said after the latest close and no order has worked on yet; nothing once the exchange is open.

    Args:
        last: the last entry of the earlier process. Signals more than `REMEMBERED` entries before it are left alone.
    """
    if calendar.is_open(now):
        return []
    close = calendar.last_close(now)
    start = max(last - REMEMBERED, 1)
    spoken: dict[tuple[str, str], tuple[int, Signal]] = {}
    done: set[int] = set()
    for entry in source.entries(start, kinds=("signal", "order", "kill_switch")):
        event = entry.event
        if isinstance(event, SignalEvent):
            signal = event.signal
            spoken[signal.source, signal.symbol] = (entry.seq, signal)
        elif isinstance(event, OrderEvent) and entry.cause is not None:
            done.add(entry.cause)
        elif isinstance(event, KillSwitchEvent):
            spoken.clear()  # a halt gives wishes up
    wishes = ((seq, signal) for seq, signal in spoken.values() if seq not in done)
    return [(seq, signal) for seq, signal in wishes if signal.at >= close]


def _restore_halt(past: Projection, kill_switch: KillSwitch) -> None:
    """A halt holds if either latch or journal says so, unless somebody has reset this very activation since."""
    for halt in (past.halt, *past.scoped_halts):
        kept = kill_switch.state.halt_of(halt.scope)
        was_reset = kept.trigger is HaltTrigger.RESET and kept.activation >= halt.activation
        if halt.level is HaltLevel.RUNNING or kept.level >= halt.level or was_reset:
            continue
        kill_switch.activate(
            f"the journal says halted and the latch does not: {halt.reason}",
            level=halt.level,
            trigger=HaltTrigger.INTEGRITY,
            activated_by="restart",
            scope=halt.scope,
        )
