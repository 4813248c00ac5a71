"""A broker that sends nothing, for questions about orders that stay questions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import NoReturn

from quant_trading_system.core.exceptions import NotSent
from quant_trading_system.core.orders import Order
from quant_trading_system.execution.broker import (
    BrokerAccount,
    BrokerOrder,
    BrokerPosition,
    Execution,
    Listener,
    OnBooks,
    Shown,
)
from quant_trading_system.risk.pre_trade import ApprovedOrder, ApprovedReplacement


class NoBroker:
    """Has no orders and takes none."""

    def unsupported(self, order: Order) -> str:  # noqa: ARG002 - whatever can be written can be asked about
        return ""

    def subscribe(self, listener: Listener) -> None:
        """There is nothing to tell."""

    def recognise(self, groups: Iterable[Order], legs: Mapping[str, str], sent: Mapping[str, datetime]) -> None:
        """Nobody else's orders are seen here."""

    async def place(self, approved: ApprovedOrder) -> NoReturn:
        raise NotSent("it was only a question", approved.order.client_order_id)

    async def replace(self, approved: ApprovedReplacement) -> NoReturn:
        raise NotSent("it was only a question", approved.order.client_order_id)

    async def cancel(self, client_order_id: str, venue_order_id: str = "") -> None:  # noqa: ARG002 - it has none
        raise NotSent("nothing is cancelled by a question", client_order_id)

    async def cancel_all(self, forbid: Callable[[], str]) -> frozenset[str]:  # noqa: ARG002 - there are none
        return frozenset()

    async def find(self, client_order_id: str) -> BrokerOrder | None:  # noqa: ARG002 - it knows none
        return None

    async def executions(self, client_order_id: str) -> tuple[Execution, ...]:  # noqa: ARG002 - it knows none
        return ()

    async def look_up(self, orders: Mapping[str, OnBooks]) -> tuple[Shown, ...]:  # noqa: ARG002 - it knows none
        return ()

    async def open_orders(self) -> tuple[BrokerOrder, ...]:
        return ()

    async def positions(self) -> tuple[BrokerPosition, ...]:
        return ()

    async def account(self) -> BrokerAccount:
        raise NotSent("no account is asked by a question")
