"""Orders that somebody else placed on our account: a person on the broker's site, or the broker itself.

They are taken into the books as they are, so that limits count them in full and their fills move positions and
cash once. They bear the strategy `EXTERNAL`; no strategy of ours is credited with them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal

import msgspec

from quant_trading_system.core.breaks import Break, BreakKind, Owner
from quant_trading_system.core.clock import Clock
from quant_trading_system.core.events import HaltTrigger, OrderEvent
from quant_trading_system.core.exceptions import KillSwitchIncomplete
from quant_trading_system.core.ids import is_our_make
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.core.order_state import OrderTrigger, advance
from quant_trading_system.core.orders import Order, OrderType
from quant_trading_system.execution.broker import BrokerUpdate, Execution
from quant_trading_system.execution.order_life import Journal
from quant_trading_system.execution.order_manager import OrderManager
from quant_trading_system.execution.order_store import OrderRecord
from quant_trading_system.execution.statement import SeenOrder
from quant_trading_system.risk.agreement import Agreement
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.risk.portfolio import Portfolio

BY = "reconciliation"
SHOWN_WITHIN = timedelta(seconds=60)
"""How long the broker may take to show an order of somebody else that its stream told of; then it is a break."""
_NINE_DECIMALS = Decimal("1E-9")


class ExternalOrders:
    """Takes foreign orders over, and halts where they mean that something is wrong.

    Attributes:
        heard: ids of foreign orders that the stream has told of and that are not on the books yet, and since when by
            the monotonic clock.
    """

    def __init__(
        self,
        *,
        orders: OrderManager,
        portfolio: Portfolio,
        kill_switch: KillSwitch,
        agreement: Agreement,
        journal: Journal,
        clock: Clock,
        price_of: Callable[[str], Decimal | None],
        tell: Callable[[str], None],
    ) -> None:
        """Listen for updates of orders that nobody here knows.

        Args:
            price_of: dollars a share at which a symbol can be bought now, None when nobody knows.
        """
        self.heard: dict[str, float] = {}
        self._orders = orders
        self._portfolio = portfolio
        self._kill_switch = kill_switch
        self._agreement = agreement
        self._journal = journal
        self._clock = clock
        self._price_of = price_of
        self._tell = tell
        self._wake: Callable[[], None] = lambda: None
        orders.lives.take_stranger = self._hear

    def on_heard(self, wake: Callable[[], None]) -> None:
        """Call `wake` when the stream tells of a foreign order."""
        self._wake = wake

    def known(self, order_id: str) -> OrderRecord | None:
        """The order as our books have it, also one that ended in an earlier process; None for a foreign one."""
        return self._orders.order(order_id) or self._orders.lives.recall(order_id)

    def take_over(self, order: SeenOrder, executions: tuple[Execution, ...], opened: datetime | None) -> bool:
        """Bring a foreign order onto the books, with what has filled of it; False when it cannot be counted yet.

        Args:
            opened: when our books began; what was filled before is in the positions that they began with.
        """
        seen = order.seen
        before = [e.cumulative_quantity for e in executions if opened is not None and e.at < opened]
        price = self._price(order)
        content = None if price is None else _sized(order, price)
        if content is None or price is None:
            self._silence(seen.client_order_id)  # the difference shuts its symbol from now on
            return False
        is_liquidation = self._closes_all(content)
        record = OrderRecord(content, content.quantity)
        record.status = advance(record.status, OrderTrigger.ADOPT)
        record.venue_order_id, record.room_price = seen.venue_order_id, price
        record.filled_before = max(before, default=ZERO)
        record.sent_at = now = self._clock.now()
        record.reason = "placed by somebody else"
        record.sent_seq = self._journal.append(_adopted(now, record, content))
        with self._portfolio.lock:
            self._orders.lives.store.add(record)
            self._orders.lives.take_up(record)
            self._orders.lives.found(record, seen, executions)
        self._silence(record.order_id)
        self._tell(f"external order taken over: {seen.side} {content.quantity:f} {seen.symbol} ({record.order_id})")
        if is_liquidation:
            self._halt(
                f"somebody closes all of {seen.symbol} behind our back, as a broker does that liquidates "
                f"(order {record.order_id})"
            )
        return True

    def judge(self, order: SeenOrder, obstacle: str) -> None:
        """Halt for a foreign order that a second engine must have sent, or that comes with a forced sale."""
        order_id = order.seen.client_order_id
        if is_our_make(order_id):
            self._halt(
                f"order {order_id} bears an id of ours and is not in our journal: a second engine, or a lost one"
            )
        elif obstacle:
            self._halt(f"order {order_id} is not ours, and the broker restricts the account: {obstacle}")

    def _hear(self, update: BrokerUpdate) -> bool:
        order_id = update.client_order_id
        if is_our_make(order_id):
            return False  # the order manager halts for it
        if order_id not in self.heard:
            self.heard[order_id] = self._clock.monotonic()
            self._agreement.doubt(_source(order_id), f"somebody else's order {order_id} is not on the books yet")
        self._wake()
        return True

    @property
    def awaited(self) -> bool:
        """The broker is to show an order any moment that its stream has told of."""
        return len(self.heard) > len(self.unshown())

    def unshown(self) -> list[Break]:
        """Orders that the stream has told of so long ago that the broker should have shown them."""
        now = self._clock.monotonic()
        return [
            Break(
                kind=BreakKind.FOREIGN_ORDER,
                subject=order_id,
                ours="told of by the stream",
                theirs="not shown when asked",
                owner=Owner.BROKER,
            )
            for order_id, since in self.heard.items()
            if now - since >= SHOWN_WITHIN.total_seconds()
        ]

    def forget(self, order_id: str) -> None:
        """There is nothing to take over of it: it ended, and nothing was filled."""
        self._silence(order_id)

    def _silence(self, order_id: str) -> None:
        self.heard.pop(order_id, None)
        self._agreement.trust(_source(order_id))

    def _price(self, order: SeenOrder) -> Decimal | None:
        """Dollars a share, the dearest known at which it can trade."""
        content, average = order.content, order.seen.average_price
        given = () if content is None else (content.limit_price, content.stop_price)
        known = [p for p in (*given, self._price_of(order.seen.symbol), average) if p is not None and p > 0]
        return max(known, default=None)

    def _closes_all(self, order: Order) -> bool:
        held = self._portfolio.position(order.symbol).quantity
        is_at_once = order.order_type is OrderType.MARKET
        return is_at_once and bool(held) and order.signed_quantity == -held

    def _halt(self, why: str) -> None:
        if self._kill_switch.is_active() and why in self._kill_switch.reason:
            return
        try:
            self._kill_switch.activate(why, trigger=HaltTrigger.INTEGRITY, activated_by=BY)
        except KillSwitchIncomplete as incomplete:
            self._tell(str(incomplete))


def _source(order_id: str) -> str:
    return f"foreign order {order_id}"


def _sized(order: SeenOrder, price: Decimal) -> Order | None:
    """Its content in shares; one in dollars at the shares that its dollars buy."""
    if order.content is None or order.notional is None or not order.seen.status.is_open:
        return order.content
    return msgspec.structs.replace(
        order.content, quantity=(order.notional / price).quantize(_NINE_DECIMALS, ROUND_CEILING)
    )


def _adopted(at: datetime, record: OrderRecord, order: Order) -> OrderEvent:
    return OrderEvent(
        at=at,
        order_id=record.order_id,
        symbol=order.symbol,
        status=record.status,
        trigger=OrderTrigger.ADOPT,
        quantity_filled=ZERO,
        venue_order_id=record.venue_order_id,
        reason=record.reason,
        order=order,
        valued_at=record.room_price,
        filled_before=record.filled_before,
    )
