"""The account on one page: money, risk, what is going on, and whether everything that should live does."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from quant_trading_system.app.readings.alert_fold import AlertLine
from quant_trading_system.app.readings.alert_kinds import Weight
from quant_trading_system.app.readings.curve import CurvePoint, thinned
from quant_trading_system.app.readings.engine import EngineReading, EngineState
from quant_trading_system.app.readings.follower import Follower
from quant_trading_system.app.readings.headroom import Headroom, headroom
from quant_trading_system.app.readings.positions import Holdings, fraction, holdings
from quant_trading_system.app.readings.views import Pace
from quant_trading_system.core.events import RiskEvent
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.core.risk_now import RiskNow

CURVE_POINTS = 500

_LIVES = {
    EngineState.RUNNING: True,
    EngineState.SILENT: False,
    EngineState.STUCK: False,
    EngineState.DIED: False,
    EngineState.STOPPED: None,
    EngineState.NEVER: None,
}


class Money(msgspec.Struct, frozen=True, kw_only=True):
    """What the account is worth and how it fares (dollars).

    Attributes:
        daily_pnl: since the day opened, deposits excluded; `daily_fraction`: of the equity at its start.
        drawdown: fraction lost from `peak`; `worst_drawdown`: the largest on the curve.
        at: when it was last measured, None before.
    """

    equity: Decimal
    cash: Decimal
    daily_pnl: Decimal
    daily_fraction: Decimal
    peak: Decimal
    drawdown: Decimal
    worst_drawdown: Decimal
    realized: Decimal
    unrealized: Decimal
    fees: Decimal
    at: datetime | None


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that must work, for example the line to the broker.

    Attributes:
        is_well: None where nothing is known.
        says: a few words.
    """

    name: str
    is_well: bool | None
    says: str


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """The account at a glance.

    Attributes:
        problem: why the journal cannot be followed; empty when all is well.
        run, today: what was done in this run, and on this day; `refusals`: by rule, the most frequent first.
        strategies: of the run; `stopped`: those that failed, with the error.
        curve: oldest first, at most `CURVE_POINTS`.
        breaks: differences from the broker's books that are open; `in_doubt`: orders whose fate is unknown.
        alerts: the newest that are more than a notice, newest first.
    """

    problem: str
    engine: EngineReading
    money: Money
    holdings: Holdings
    headroom: tuple[Headroom, ...]
    health: tuple[Health, ...]
    run: Pace
    today: Pace
    refusals: dict[str, int]
    open_orders: int
    in_doubt: tuple[str, ...]
    working_parents: int
    strategies: tuple[str, ...]
    stopped: dict[str, str]
    curve: tuple[CurvePoint, ...]
    breaks: tuple[str, ...]
    alerts: tuple[AlertLine, ...]


def overview(follower: Follower, engine: EngineReading, now: datetime) -> Overview:
    """The account as its journal has it; `now` gives ages, for a journal that is being written."""
    with follower.lock:
        books, views = follower.books, follower.views
        held = holdings(follower)
        opened = tuple(books.orders.open.values())
        return Overview(
            problem=follower.problem,
            engine=engine,
            money=_money(follower, held),
            holdings=held,
            headroom=headroom(follower, held),
            health=_health(follower, engine, now),
            run=msgspec.structs.replace(views.run),
            today=msgspec.structs.replace(views.today),
            refusals=dict(views.refusals.most_common()),
            open_orders=len(opened),
            in_doubt=tuple(view.order_id for view in opened if view.status == "in_doubt"),
            working_parents=len(books.parents.open),
            strategies=() if books.run is None else books.run.strategies,
            stopped=dict(views.stopped),
            curve=thinned(views.curve.points, CURVE_POINTS),
            breaks=tuple(f"{found}, since {since:%Y-%m-%d %H:%M:%S}" for found, since in books.breaks.values()),
            alerts=tuple(line for line in reversed(views.alerts.lines) if line.weight is not Weight.INFO)[:5],
        )


def _money(follower: Follower, held: Holdings) -> Money:
    views, base = follower.views, follower.books.baselines
    risk, points = _latest(follower), views.curve.points
    return Money(
        equity=held.equity if risk is None else risk.equity,
        cash=held.cash,
        daily_pnl=ZERO if risk is None else risk.daily_pnl,
        daily_fraction=ZERO if risk is None else fraction(risk.daily_pnl, base.day_start_equity),
        peak=base.peak_equity,
        drawdown=ZERO if risk is None else risk.current_drawdown,
        worst_drawdown=max((point.drawdown for point in points), default=ZERO),
        realized=held.realized,
        unrealized=held.unrealized,
        fees=held.fees,
        at=None if risk is None else risk.at,
    )


def _latest(follower: Follower) -> RiskEvent | RiskNow | None:
    """The newest measurement: after a fill, or once a minute."""
    known = [found for found in (follower.views.risk, follower.books.risk_now) if found is not None]
    return max(known, key=lambda found: found.at, default=None)


def _health(follower: Follower, engine: EngineReading, now: datetime) -> tuple[Health, ...]:
    views, books = follower.views, follower.books
    moment = _journal_now(books.at, now) if engine.is_running else None
    doubt = sum(view.status == "in_doubt" for view in books.orders.open.values())
    broker = f"last answer {_age(views.broker_at, moment)}"
    reconciled = views.reconciled
    return (
        Health(name="Engine", is_well=_LIVES[engine.state], says=engine.state.value),
        Health(
            name="Watchdog",
            is_well=engine.is_watched if engine.is_running else None,
            says="watching" if engine.is_watched else "none",
        ),
        Health(
            name="Broker",
            is_well=None if views.broker_at is None else not doubt,
            says=f"{doubt} in doubt, {broker}" if doubt else broker if views.broker_at else "nothing heard yet",
        ),
        Health(
            name="Prices",
            is_well=None if views.quote_at is None else True,
            says=f"last used {_age(views.quote_at, moment)}" if views.quote_at else "no quote used yet",
        ),
        Health(
            name="Reconciliation",
            is_well=False if books.breaks else None if reconciled is None else True,
            says=f"{len(books.breaks)} open differences"
            if books.breaks
            else "never compared with the broker"
            if reconciled is None
            else f"agreed {_age(reconciled.at, moment)}",
        ),
        Health(name="Journal", is_well=not follower.problem, says=follower.problem or f"{follower.seq} entries, sound"),
    )


def _journal_now(last: datetime | None, now: datetime) -> datetime:
    """Now, in the time of the journal: a simulation's stands still when nothing is written."""
    if last is None or abs(now - last) < timedelta(days=1):
        return now
    return last


def _age(at: datetime | None, now: datetime | None) -> str:
    """How long ago; the time itself, where nothing goes on and no age means anything."""
    if at is None:
        return "never"
    if now is None:
        return f"{at:%Y-%m-%d %H:%M}"
    seconds = max(int((now - at).total_seconds()), 0)
    for span, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= span:
            return f"{seconds // span} {name} ago"
    return f"{seconds} s ago"
