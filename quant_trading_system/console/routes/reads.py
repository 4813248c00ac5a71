"""Looking: everything is read from the journal and the files beside it, so it works while the engine is down."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

import msgspec

from quant_trading_system.app.decision_record import DecisionRecord
from quant_trading_system.app.order_list import OrderFilter
from quant_trading_system.app.readings.alert_fold import AlertLine
from quant_trading_system.app.readings.algorithms import AlgorithmReading, Costs, algorithms, costs
from quant_trading_system.app.readings.engine import EngineReading
from quant_trading_system.app.readings.entries import ChainStatus, EntryPage, chain_status, entry_page
from quant_trading_system.app.readings.headroom import Headroom
from quant_trading_system.app.readings.orders import MOST_ROWS, OrderPage, order_page, order_record
from quant_trading_system.app.readings.overview import Money, Overview, overview
from quant_trading_system.app.readings.positions import Holdings, holdings
from quant_trading_system.app.readings.readiness import Readiness, readiness
from quant_trading_system.app.readings.risk import MeasuredRisk, risk_reading
from quant_trading_system.app.readings.strategies import StrategyReading
from quant_trading_system.app.status import AccountStatus, account_status
from quant_trading_system.console.declared import Ask, RouteTable
from quant_trading_system.core.exceptions import UnknownOrder
from quant_trading_system.core.order_listing import OrderGroup
from quant_trading_system.core.roles import Role
from quant_trading_system.risk.latch import look_at

READS = RouteTable("State")

Identity = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Count = Annotated[int, msgspec.Meta(ge=1, le=MOST_ROWS)]
Offset = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]


class OrderQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which orders; everything left out wants all.

    Attributes:
        text: part of an order id, of a symbol, or of what was said about the order.
        offset: skip so many newer ones; `limit`: at most so many rows.
    """

    group: OrderGroup = OrderGroup.ALL
    symbol: str = ""
    strategy: str = ""
    text: str = ""
    offset: Offset = 0
    limit: Count = 50


class OrderName(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One order, by its client order id."""

    order_id: Identity


class ParentName(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One parent order, by its id."""

    parent_id: Identity


class EntryQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which entries of the journal.

    Attributes:
        before: only entries with lower numbers; 0 begins at the end.
        kind: of the event, such as ``fill``; `subject`: only entries about the order of that id.
    """

    before: Offset = 0
    kind: str = ""
    subject: str = ""
    limit: Count = 50


class RiskNumbers(MeasuredRisk, frozen=True, kw_only=True):
    """What risk is measured by, as the journal has it.

    Attributes:
        gross: value of all positions, short ones too; `sectors`: the same by sector (dollars).
        refusals: orders refused in this run, by rule.
        measured: value at risk, stresses and the use of every limit, once a minute; None while no live engine has run.
    """

    money: Money
    gross: Decimal
    headroom: tuple[Headroom, ...]
    sectors: dict[str, Decimal]
    refusals: dict[str, int]
    breaks: tuple[str, ...]


@READS.read("/v1/overview", Role.VIEWER, Overview)
def account_overview(ask: Ask[Any]) -> Overview:
    """The account on one page: engine, money, holdings, room under the limits, health, newest alerts."""
    return overview(ask.desk.books(), ask.desk.engine_now(), ask.desk.clock.now())


@READS.read("/v1/status", Role.VIEWER, AccountStatus)
def status(ask: Ask[Any]) -> AccountStatus:
    """May orders leave, and what stands in the way; what `qts status` tells."""
    desk, now = ask.desk, ask.desk.clock.now()
    ready = readiness(desk.books(), desk.engine_now(), now)
    return account_status(desk.directory, look_at(desk.latch), look_at(desk.host_latch), ready, now)


@READS.read("/v1/engine", Role.VIEWER, EngineReading)
def engine(ask: Ask[Any]) -> EngineReading:
    """Whether the engine lives, and whether orders may leave."""
    ask.desk.books()
    return ask.desk.engine_now()


@READS.read("/v1/account", Role.VIEWER, Money)
def account(ask: Ask[Any]) -> Money:
    """Equity, cash, today's profit and loss, drawdown."""
    return account_overview(ask).money


@READS.read("/v1/orders", Role.VIEWER, OrderPage, takes=OrderQuery)
def orders(ask: Ask[OrderQuery]) -> OrderPage:
    """Orders, newest first, filtered and in pages."""
    query = ask.given
    wanted = OrderFilter(group=query.group, symbol=query.symbol, strategy=query.strategy, text=query.text)
    return order_page(ask.desk.books(), wanted, offset=query.offset, limit=query.limit)


@READS.read("/v1/orders/{order_id}", Role.VIEWER, DecisionRecord, takes=OrderName)
def order(ask: Ask[OrderName]) -> DecisionRecord:
    """One order with its whole decision: every question, every number that was seen, and what became of it."""
    return order_record(ask.desk.books(), ask.given.order_id)


@READS.read("/v1/positions", Role.VIEWER, Holdings)
def positions(ask: Ask[Any]) -> Holdings:
    """What is held, valued at the last price that the journal tells of."""
    return holdings(ask.desk.books())


@READS.read("/v1/algos", Role.VIEWER, tuple[AlgorithmReading, ...])
def algos(ask: Ask[Any]) -> tuple[AlgorithmReading, ...]:
    """Parent orders, the newest first: what was planned and what was done."""
    return algorithms(ask.desk.books())


@READS.read("/v1/algos/{parent_id}", Role.VIEWER, AlgorithmReading, takes=ParentName)
def algo(ask: Ask[ParentName]) -> AlgorithmReading:
    """One parent order."""
    wanted = ask.given.parent_id
    found = next((one for one in algorithms(ask.desk.books()) if one.record.parent_id == wanted), None)
    if found is None:
        raise UnknownOrder(f"no parent order {wanted} is among the newest; GET /v1/algos lists those", wanted)
    return found


@READS.read("/v1/strategies", Role.VIEWER, tuple[StrategyReading, ...])
def strategies(ask: Ask[Any]) -> tuple[StrategyReading, ...]:
    """The strategies of the last run: who is listened to, who put whom to silence, and who has failed."""
    books = ask.desk.books()
    with books.lock:
        return tuple(books.views.roster.lines())


@READS.read("/v1/risk", Role.VIEWER, RiskNumbers)
def risk(ask: Ask[Any]) -> RiskNumbers:
    """Loss, drawdown, exposure and sectors against their limits, what may be lost, and which rules refuse orders."""
    seen = account_overview(ask)
    return RiskNumbers(
        money=seen.money,
        gross=seen.holdings.gross,
        headroom=seen.headroom,
        sectors=seen.holdings.sectors,
        refusals=seen.refusals,
        breaks=seen.breaks,
        measured=risk_reading(ask.desk.follower),
    )


@READS.read("/v1/tca", Role.VIEWER, Costs)
def tca(ask: Ask[Any]) -> Costs:
    """What the newest parent orders cost against their arrival price, and how the orders of the run were executed."""
    return costs(ask.desk.books())


@READS.read("/v1/journal", Role.VIEWER, EntryPage, takes=EntryQuery)
def journal(ask: Ask[EntryQuery]) -> EntryPage:
    """Entries of the journal, newest first."""
    query = ask.given
    return entry_page(ask.desk.books(), before=query.before, kind=query.kind, subject=query.subject, limit=query.limit)


@READS.read("/v1/journal/chain", Role.VIEWER, ChainStatus)
def chain(ask: Ask[Any]) -> ChainStatus:
    """Whether the journal is what was recorded."""
    return chain_status(ask.desk.books())


@READS.read("/v1/alerts", Role.VIEWER, tuple[AlertLine, ...])
def alerts(ask: Ask[Any]) -> tuple[AlertLine, ...]:
    """What a person should look at, the newest first."""
    books = ask.desk.books()
    with books.lock:
        return tuple(reversed(books.views.alerts.lines))


@READS.read("/v1/health", Role.VIEWER, Readiness)
def health(ask: Ask[Any]) -> Readiness:
    """Whether the account can trade now, and why not."""
    return readiness(ask.desk.books(), ask.desk.engine_now(), ask.desk.clock.now())
