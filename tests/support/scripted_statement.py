"""The broker's side of a reconciliation as a test tells it, and an account that is reconciled against it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

from quant_trading_system.app.reconciling import Reconciliation
from quant_trading_system.core.breaks import ActivityKind
from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.exceptions import BrokerTimeout
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.core.orders import EXTERNAL, Order, OrderSide, OrderType, TimeInForce
from quant_trading_system.execution.broker import BrokerOrder, Execution
from quant_trading_system.execution.broker_times import BrokerTimes, TimeSource
from quant_trading_system.execution.notices import Notice
from quant_trading_system.execution.order_store import OrderRecord
from quant_trading_system.execution.statement import SeenActivity, SeenFill, SeenOrder, SeenPosition, Statement
from quant_trading_system.trading.reconciler import Reconciler
from tests.support.desk import Account


def seen_position(symbol: str, quantity: str | int, price: str | None = None) -> SeenPosition:
    """A position at the broker."""
    return SeenPosition(
        symbol=symbol,
        quantity=Decimal(quantity),
        average_price=Decimal(100),
        price=None if price is None else Decimal(price),
    )


def seen_order(
    order_id: str,
    quantity: str | int = 3,
    *,
    symbol: str = "KO",
    side: str = "buy",
    status: str = "working",
    filled: str | int = 0,
    limit: str | None = None,
    notional: str | None = None,
) -> SeenOrder:
    """An order at the broker, as somebody gave it."""
    content = Order(
        symbol=symbol,
        side=OrderSide(side),
        quantity=Decimal(quantity),
        order_type=OrderType.LIMIT if limit else OrderType.MARKET,
        time_in_force=TimeInForce.DAY,
        limit_price=None if limit is None else Decimal(limit),
        client_order_id=order_id,
        strategy=EXTERNAL,
    )
    return SeenOrder(
        seen=BrokerOrder(
            client_order_id=order_id,
            venue_order_id=f"venue-{order_id}",
            symbol=symbol,
            side=content.side,
            status=OrderStatus(status),
            quantity=ZERO if notional else Decimal(quantity),
            filled_quantity=Decimal(filled),
        ),
        notional=None if notional is None else Decimal(notional),
        content=content,
    )


def as_seen(record: OrderRecord, **changes: str | int) -> SeenOrder:
    """An order of ours as the broker shows it, by default as our books have it."""
    known = {"status": record.status.value, "filled": str(record.filled)}
    return seen_order(record.order_id, str(record.quantity), symbol=record.order.symbol, **{**known, **changes})


def entry(
    activity_id: str, amount: str, kind: ActivityKind | None = ActivityKind.FEE, word: str = "FEE"
) -> SeenActivity:
    """An entry of the broker's statement beside trades."""
    return SeenActivity(activity_id=activity_id, word=word, kind=kind, amount=Decimal(amount))


class ScriptedStatements:
    """Shows what a test puts here.

    Attributes:
        orders, positions, fills, entries: what is there; `cash` is that of the books unless a test says otherwise.
        looks: ``light`` or ``full`` for every look.
        is_mute: reads get no answer.
        between: called while a statement is being read, after the broker has written it.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self.orders: list[SeenOrder] = []
        self.positions: list[SeenPosition] = []
        self.fills: list[SeenFill] = []
        self.entries: list[SeenActivity] = []
        self.cash: Decimal | None = None
        self.obstacle = ""
        self.looks: list[str] = []
        self.since: list[datetime] = []
        self.is_mute = False
        self.between: Callable[[], None] = lambda: None

    async def light(self) -> Statement:
        self._require_voice("light")
        statement = Statement(orders=tuple(self._open()), positions=tuple(self.positions))
        self.between()
        return statement

    async def full(self, since: datetime) -> Statement:
        self._require_voice("full")
        self.since.append(since)
        statement = Statement(
            orders=tuple(self.orders),
            positions=tuple(self.positions),
            cash=self._account.portfolio.cash if self.cash is None else self.cash,
            fills=tuple(self.fills),
            activities=tuple(self.entries),
            obstacle=self.obstacle,
        )
        self.between()
        return statement

    async def order(self, client_order_id: str) -> SeenOrder | None:
        return next((o for o in self.orders if o.seen.client_order_id == client_order_id), None)

    async def activities(self, since: datetime) -> tuple[SeenActivity, ...]:
        return tuple(self.entries)

    def shows(self, order: SeenOrder, *executions: Execution) -> None:
        """The broker shows this order, in place of an earlier sight of it, with its executions."""
        order_id = order.seen.client_order_id
        self.orders = [o for o in self.orders if o.seen.client_order_id != order_id] + [order]
        self.fills = [f for f in self.fills if f.order_id != order_id]
        self.fills += [SeenFill(order_id=order_id, execution=execution) for execution in executions]
        self._account.broker.known[order_id] = order.seen
        self._account.broker.history[order_id] = executions

    def _open(self) -> list[SeenOrder]:
        return [order for order in self.orders if order.seen.status.is_open]

    def _require_voice(self, look: str) -> None:
        if self.is_mute:
            raise BrokerTimeout("no answer in 5 s")
        self.looks.append(look)


class Reconciled:
    """An account, a broker with books of its own, and what compares the two; time passes as the test says."""

    def __init__(
        self, clock: ManualClock | None = None, account: Account | None = None, times: TimeSource | None = None
    ) -> None:
        self.account = account or Account(clock=clock)
        self.clock = self.account.clock
        self.theirs = ScriptedStatements(self.account)
        self.notices: list[Notice] = []
        self.told: list[str] = []
        self.reconciliation = Reconciliation(
            self.account.system, self.theirs, None, self.notices.append, self.told.append, self._times(times)
        )

    def _times(self, source: TimeSource | None) -> BrokerTimes | None:
        account = self.account
        if source is None:
            return None
        return BrokerTimes(source, account.market_clock, account.system.ports.calendar, self.notices.append)

    @property
    def reconciler(self) -> Reconciler:
        """What runs beside the loop."""
        return self.reconciliation.reconciler

    @property
    def open_breaks(self) -> list[str]:
        """``kind subject`` of every open break."""
        return [f"{kind.value} {subject}" for kind, subject in self.reconciler.breaks.open]

    async def start(self, person: str = "") -> None:
        """The first reconciliation, with as much time as it takes."""
        task = asyncio.ensure_future(self.reconciliation.start(person))
        while not task.done():
            await self.a_second()
        await task

    async def after(self, seconds: int) -> None:
        """Let time pass with the reconciler running."""
        task = asyncio.ensure_future(self.reconciler.run())
        try:
            for _ in range(seconds):
                assert not task.done(), task.exception()
                await self.a_second()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def a_second(self) -> None:
        """One second passes, and everybody who waited for it has had a turn."""
        for _ in range(8):
            await asyncio.sleep(0)
        await self.clock.advance(timedelta(seconds=1))
