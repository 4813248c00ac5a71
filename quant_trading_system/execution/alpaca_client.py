"""Alpaca as a place to trade: what changes something there.

Orders leave through `submit` and `replace` only. They take an `ApprovedOrder` and an `ApprovedReplacement`, which
nobody but the pre-trade gate can build. Both are sent once. Cancels may be repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec

from quant_trading_system.core.exceptions import BrokerRejected, BrokerTimeout, NotSent, OutcomeUnknown
from quant_trading_system.execution.alpaca_errors import classify_item
from quant_trading_system.execution.alpaca_models import (
    AccountConfigurations,
    AlpacaOrder,
    CancelItem,
    CloseItem,
    Result,
)
from quant_trading_system.execution.alpaca_reads import (
    BY_CLIENT_ID,
    CONFIGURATIONS,
    ORDERS,
    POSITIONS,
    AlpacaReads,
    by_client_id,
    path_of,
    present,
    require_asked_for,
)
from quant_trading_system.execution.alpaca_wire import order_body, read_json, replace_body
from quant_trading_system.execution.rate_limit import Lane
from quant_trading_system.execution.transport import Request
from quant_trading_system.risk.pre_trade import ApprovedOrder, ApprovedReplacement

Forbid = Callable[[], str]
"""Why nothing may leave; empty when it may."""


class AlpacaClient(AlpacaReads):
    """The account at Alpaca. Every method may raise `BrokerRejected` (a definite no) and `OutcomeUnknown`."""

    def crowded(self) -> str:
        """Why no new order could leave now, for the requests of this minute are used up; empty when one could."""
        return self._api.crowded()

    # -- orders that leave ---------------------------------------------------------------------------------------

    async def submit(self, approved: ApprovedOrder, forbid: Forbid | None = None) -> AlpacaOrder:
        """Send a new order, once. An answer that settles nothing is followed by one look for the order.

        Args:
            forbid: asked as the last thing before the first byte is written.

        Raises:
            BrokerRejected: a definite no.
            NotSent: no byte left.
            OutcomeUnknown: it may be working; ask for its client order id, never send it again.
        """
        order = approved.order
        request = Request(method="POST", path=ORDERS, body=order_body(order), forbid=forbid)
        try:
            return await self._api.once(request, AlpacaOrder, Lane.ORDERS, order.client_order_id)
        except BrokerTimeout:
            raise
        except OutcomeUnknown:
            found = await self._look_once(order.client_order_id)
            if found is None:
                raise
            return found

    async def replace(
        self, before: AlpacaOrder, approved: ApprovedReplacement, forbid: Forbid | None = None
    ) -> AlpacaOrder:
        """Put an approved order in the place of `before`; the answer is a new order with a new id.

        It is no promise: when the old order fills first, the stream says that the new one was refused.

        Raises:
            InvalidOrder: the change is not possible.
            BrokerRejected: a definite no; the old order is unchanged.
            NotSent: no byte left.
            OutcomeUnknown: either of the two may be working.
        """
        body = replace_body(before, approved.order)
        request = Request(method="PATCH", path=path_of(ORDERS, before.id), body=body, forbid=forbid)
        answer = await self._api.once(request, AlpacaOrder, Lane.ORDERS, approved.order.client_order_id)
        require_asked_for(answer.client_order_id == approved.order.client_order_id, approved.order.client_order_id)
        return answer

    async def close_position(
        self, symbol: str, *, quantity: Decimal | None = None, percentage: Decimal | None = None
    ) -> AlpacaOrder:
        """Let the broker itself close a position, or a part of it, at the market.

        The last resort of a person: the broker makes the order, so the gate does not see it. Sent once.

        Args:
            quantity: shares; `percentage`: 0 to 100, instead of `quantity`.
        """
        part = present(qty=quantity, percentage=percentage)
        request = Request(method="DELETE", path=path_of(POSITIONS, symbol), query=tuple(part))
        answer = await self._api.once(request, AlpacaOrder, Lane.STOPPING)
        require_asked_for(answer.symbol == symbol, symbol)
        return answer

    async def close_all_positions(self, *, cancel_orders: bool = True) -> tuple[Result, ...]:
        """Let the broker close every position, each judged alone; like `close_position` for a person in need."""
        query = (("cancel_orders", "true" if cancel_orders else "false"),)
        request = Request(method="DELETE", path=POSITIONS, query=query)
        items = await self._api.once(request, list[CloseItem], Lane.STOPPING)
        return tuple(_result(item.symbol, item.status, item.body) for item in items)

    # -- cancels -------------------------------------------------------------------------------------------------

    async def cancel(self, order_id: str) -> None:
        """Ask for a cancel of the broker's `order_id`; done only when an update or the order itself says so."""
        request = Request(method="DELETE", path=path_of(ORDERS, order_id))
        answer = await self._api.repeat(request, bytes, Lane.STOPPING)
        require_asked_for(not answer or order_id.encode() in answer, order_id)  # the broker's own yes is empty

    async def cancel_all(self, forbid: Forbid | None = None) -> tuple[Result, ...]:
        """Ask once for a cancel of every open order; each is judged alone, and failures are to be tried again.

        Args:
            forbid: asked as the last thing before the first byte is written.
        """
        request = Request(method="DELETE", path=ORDERS, forbid=forbid)
        items = await self._api.once(request, list[CancelItem], Lane.STOPPING)
        return tuple(_result(item.id, item.status, item.body) for item in items)

    # -- settings ------------------------------------------------------------------------------------------------

    async def configure(self, changes: AccountConfigurations) -> AccountConfigurations:
        """Set what `changes` names; None leaves a setting as it is. `suspend_trade` stops new orders at the broker."""
        named = {name: value for name, value in msgspec.structs.asdict(changes).items() if value is not None}
        body = msgspec.json.encode(named)
        request = Request(method="PATCH", path=CONFIGURATIONS, body=body)
        answer = await self._api.once(request, AccountConfigurations, Lane.STOPPING)
        require_asked_for(all(getattr(answer, name) == value for name, value in named.items()), "/".join(named))
        return answer

    async def _look_once(self, client_order_id: str) -> AlpacaOrder | None:
        """None also when there is no answer: then nothing is settled, as before."""
        request = Request(method="GET", path=BY_CLIENT_ID, query=(by_client_id(client_order_id),))
        try:
            found = await self._api.once(request, AlpacaOrder, Lane.ORDERS)
        except (BrokerRejected, NotSent, OutcomeUnknown):
            return None
        return found if found.client_order_id == client_order_id else None


def _result(name: str, status: int, body: msgspec.Raw) -> Result:
    if not 200 <= status < 300:
        problem = classify_item(status, bytes(body))
        return Result(name=name, code=problem.code, refusal=problem.message)
    try:
        order = read_json(body, AlpacaOrder)
    except msgspec.DecodeError:
        order = None  # the broker agreed; an order that was made is found in the list of orders
    return Result(name=name, order=order)
