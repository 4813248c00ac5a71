"""The state of a `Projection` as plain data, and back: the content of a snapshot.

A field that a projection keeps and that is missing here would be lost at every start; a test compares the two.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from datetime import datetime
from decimal import Decimal

import msgspec

from quant_trading_system.core.attribution import Attribution
from quant_trading_system.core.breaks import Break
from quant_trading_system.core.events import RunFinished, RunStarted
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.core.positions import Position, RoundTrips, Trade
from quant_trading_system.core.risk_now import RiskNow
from quant_trading_system.journal.approval_fold import ApprovalBook
from quant_trading_system.journal.limits_fold import LimitsBook
from quant_trading_system.journal.order_fold import History, OrderView
from quant_trading_system.journal.parent_fold import ParentView
from quant_trading_system.journal.projection import Baselines, Halt, Projection

_POSITION_FIELDS = tuple(sorted(set(Position.__slots__) - {"_middle"}))  # a replay of the trades finds that again


class PositionState(msgspec.Struct, array_like=True):
    """Every field of a `Position` that it cannot find out itself, in the order of their names."""

    base: PositionState | None
    trades: list[Trade]
    trip_pnl: Decimal
    cost: Decimal
    fees: Decimal
    mark: Decimal | None
    quantity: Decimal
    realized_pnl: Decimal
    symbol: str


class Books(msgspec.Struct, kw_only=True):
    """Everything that a projection knows after entry `seq`; the fields bear the names that they have there."""

    seq: int
    at: datetime | None
    run: RunStarted | None
    finished: RunFinished | None
    positions: dict[str, PositionState]
    cash: Decimal
    realized_pnl: Decimal
    fees: Decimal
    trips: tuple[int, int, dict[int, Decimal]]
    attribution: list[tuple[str, str, Decimal]] = []
    halt: Halt
    scoped_halts: list[Halt] = []
    baselines: Baselines
    risk_now: RiskNow | None
    risk_day: RiskNow | None
    run_orders: int
    run_fills: int
    breaks: list[tuple[Break, datetime]]
    activities: list[str]
    follows_activities: bool
    runaways: dict[str, str]
    opened: datetime | None
    disarmed: dict[str, str]
    last_intent: dict[str, int]
    executions: list[str]
    open: list[OrderView]
    ended: dict[OrderStatus, int]
    recent: list[OrderView]
    forgotten: int
    parents: list[ParentView]
    approvals: ApprovalBook
    limits: LimitsBook


_AS_THEY_ARE = (
    "seq",
    "at",
    "run",
    "finished",
    "cash",
    "realized_pnl",
    "fees",
    "halt",
    "scoped_halts",
    "baselines",
    "risk_now",
    "risk_day",
    "run_orders",
    "run_fills",
    "follows_activities",
    "runaways",
    "opened",
    "disarmed",
    "last_intent",
)


def books_of(projection: Projection) -> Books:
    """What `projection` knows; encode it before the next event is applied, for the parts are shared."""
    orders = projection.orders
    return Books(
        **{name: getattr(projection, name) for name in _AS_THEY_ARE},
        positions={symbol: _state_of(position) for symbol, position in projection.positions.items()},
        trips=projection.trips.state(),
        attribution=projection.attribution.state(),
        breaks=list(projection.breaks.values()),
        activities=sorted(projection.activities),
        executions=list(projection._executions),
        open=list(orders.open.values()),
        ended=dict(orders.ended),
        recent=list(orders._recent.values()),
        forgotten=orders._forgotten,
        parents=list(projection.parents.open.values()),
        approvals=projection.approvals.book,
        limits=projection.limits.book,
    )


def projection_of(books: Books, history: History | None = None) -> Projection:
    """A projection that goes on from `books`, which it takes over.

    Args:
        history: as for `Projection`.
    """
    projection = Projection(history)
    for name in _AS_THEY_ARE:
        setattr(projection, name, getattr(books, name))
    projection.positions = {symbol: _position(state) for symbol, state in books.positions.items()}
    projection.breaks = {(found.kind, found.subject): (found, since) for found, since in books.breaks}
    projection.activities = set(books.activities)
    projection.trips = RoundTrips.from_state(books.trips)
    projection.attribution = Attribution.from_state(books.attribution)
    projection._executions = OrderedDict.fromkeys(books.executions)
    orders = projection.orders
    orders.open = {view.order_id: view for view in books.open}
    orders.ended = Counter(books.ended)
    orders._recent = OrderedDict((view.order_id, view) for view in books.recent)
    orders._forgotten = books.forgotten
    projection.parents.open = {view.parent_id: view for view in books.parents}
    projection.approvals.book = books.approvals
    projection.limits.book = books.limits
    return projection


def _state_of(position: Position) -> PositionState:
    found = {name: getattr(position, name) for name in _POSITION_FIELDS}
    base = found.pop("_base")
    found["_base"] = None if base is None else _state_of(base)
    return PositionState(*(found[name] for name in _POSITION_FIELDS))


def _position(state: PositionState) -> Position:
    position = Position(state.symbol)
    for name, value in zip(_POSITION_FIELDS, msgspec.structs.astuple(state), strict=True):
        setattr(position, name, _position(value) if isinstance(value, PositionState) else value)
    return position
