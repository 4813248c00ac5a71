"""Every order of the account that is followed, and the one place where evidence becomes updates for listeners."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import msgspec

from quant_trading_system.core.clock import Clock
from quant_trading_system.core.order_state import RequestTrigger
from quant_trading_system.core.orders import Order
from quant_trading_system.execution.alpaca_errors import harmless
from quant_trading_system.execution.alpaca_models import AlpacaOrder, FillActivity, TradeUpdate
from quant_trading_system.execution.alpaca_recovery import Evidence, may_be_leg, under_our_names
from quant_trading_system.execution.alpaca_trail import OrderTrail
from quant_trading_system.execution.alpaca_wire import STATUSES, difference, execution_of_fill, execution_of_update
from quant_trading_system.execution.broker import BrokerUpdate, Execution, Listener
from quant_trading_system.execution.leg_names import LegNames
from quant_trading_system.execution.notices import Notice, NoticeKind, Notify

_CORRECTIONS = frozenset({"trade_bust", "trade_correct"})
_FILLS = frozenset({"fill", "partial_fill"})
_REFUSALS = frozenset({"order_cancel_rejected", "order_replace_rejected"})
_LIFE = frozenset(STATUSES) | {"restated"}
"""Events that say no more than the status of their order does."""


REMEMBERED = 10_000
"""Orders that have ended and are followed still; of an older one the order manager and the history know all."""


class FollowedOrders:
    """The trails of all orders by client order id, but for those that ended long ago.

    Attributes:
        anchor: the latest time that the broker has put on anything; a gap begins there.
        told: how many updates listeners were given.
        sent_before: about when orders of an earlier process were sent, by the broker's id.
    """

    def __init__(
        self,
        clock: Clock,
        notify: Notify,
        names: LegNames,
        *,
        doubt: Callable[[str], None],
        remembered: int = REMEMBERED,
    ) -> None:
        """Begin to follow now.

        Args:
            names: under which legs are followed.
            remembered: ended orders that stay in memory, the last ones.
            doubt: called with the client order id of an order whose history has to be read, empty for all.
        """
        self.anchor = self._started = clock.now()
        self.told = 0
        self.sent_before: dict[str, datetime] = {}
        self._clock = clock
        self._notify = notify
        self._names = names
        self._doubt = doubt
        self._trails: dict[str, OrderTrail] = {}
        self._open: dict[str, OrderTrail] = {}
        self._shown: dict[str, OrderTrail] = {}  # by the broker's id
        self._sent: dict[str, Order] = {}
        self._ended: dict[str, None] = {}
        self._remembered = remembered
        self._listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> None:
        """Call `listener` for every update."""
        self._listeners.append(listener)

    def get(self, client_order_id: str) -> OrderTrail | None:
        """The trail of an order, None when nothing is known of it."""
        return self._trails.get(client_order_id)

    @property
    def open_ids(self) -> tuple[str, ...]:
        """The broker's ids of the orders whose end was not told."""
        return tuple(trail.order_id for trail in self._open.values() if trail.order_id)

    @property
    def unseen(self) -> tuple[str, ...]:
        """The client order ids of the orders that were sent and that the broker has not shown yet."""
        return tuple(identity for identity, trail in self._open.items() if not trail.order_id)

    def submitted(self, order_id: str) -> datetime | None:
        """When the order of the broker's id was submitted, or about when; None when nothing is known of it."""
        trail = self._shown.get(order_id)
        return self.sent_before.get(order_id) if trail is None else trail.submitted_at

    # -- our own orders ------------------------------------------------------------------------------------------

    def begin(self, order: Order) -> None:
        """`order` is about to be sent; updates may come before the answer does."""
        self._sent[order.client_order_id] = order
        self._names.expect(order)
        self._trail(order.client_order_id)

    def drop_unseen(self, client_order_id: str) -> None:
        """It was not taken, so nothing will be heard of it; unless the broker has shown it all the same."""
        trail = self._trails.get(client_order_id)
        if trail is not None and not trail.order_id:
            self._names.forget(client_order_id)
            for known in (self._sent, self._trails, self._open):
                known.pop(client_order_id, None)

    # -- evidence ------------------------------------------------------------------------------------------------

    def hear_update(self, update: TradeUpdate) -> None:
        """Take a message of the stream."""
        order, event = under_our_names(update.order, self._names), update.event
        if may_be_leg(order, self._names):
            for leader in self._names.incomplete(order.symbol):
                self._doubt(leader)  # the broker shows whose leg it is; its history tells what was heard here
            return
        if self._contradicts(order):
            return
        if event in _CORRECTIONS:
            self._hear_correction(order, update.timestamp or update.at)
            return
        request = RequestTrigger.REFUSED if event in _REFUSALS else None
        try:
            execution = execution_of_update(update) if event in _FILLS else None
        except ValueError as error:
            self.set_apart(order.client_order_id, f"{event}: {error}")
            return
        if not (execution or request or event in _LIFE):
            self.set_apart(order.client_order_id, f"an event that is not known: {event}")
        self._hear(order, update.timestamp or update.at, execution, request)

    def hear_order(self, order: AlpacaOrder) -> None:
        """Take an order that was read or answered, with the legs that it shows."""
        order = under_our_names(order, self._names)
        if not self._contradicts(order):
            self._hear(order)
            self._hear_legs(order)

    def _hear_legs(self, order: AlpacaOrder) -> None:
        for leg in order.legs or ():
            if self._names.leader_of(leg.client_order_id):
                self.hear_order(leg)

    def hear_evidence(self, evidence: Evidence) -> None:
        """Take what was read from the history; what ended before we began is left alone."""
        for order in evidence.orders:
            if self._concerns_us(order) and not self._contradicts(order):
                if order.id in evidence.handed_on:
                    self._trail(order.client_order_id).handed_on = evidence.handed_on[order.id]
                fills = evidence.fills.get(order.id, [])
                if self._trail(order.client_order_id).corrected_at is not None:
                    self._restate(order, fills)
                    continue
                for fill in fills:
                    self._hear_fill(order, fill)
                self._hear(order)
                self._hear_legs(order)

    def hear_listed(self, order: AlpacaOrder, evidence: Evidence, known: Iterable[Execution]) -> bool:
        """Take an order of ours that a list shows; False when something newer was heard of it, or it is in question.

        Args:
            evidence: its executions, if listeners lack any; known: those that they have, otherwise.
        """
        if self._contradicts(order):
            return False
        trail = self._trail(order.client_order_id)
        if trail.corrected_at is not None or trail.is_ahead_of(order):
            return False  # what listeners know by now may be less than `known`
        trail.handed_on = evidence.handed_on.get(order.id, trail.handed_on)
        trail.recall(known)
        for fill in evidence.fills.get(order.id, ()):
            self._hear_fill(order, fill)
        self._hear(order)
        self._hear_legs(order)
        return trail.is_as(order)

    def set_apart(self, client_order_id: str, why: str) -> None:
        """A message about an order cannot be believed: look the order up."""
        self._tell(NoticeKind.QUARANTINED, why, client_order_id)
        self._doubt(client_order_id)

    # -- inside --------------------------------------------------------------------------------------------------

    def _hear_correction(self, order: AlpacaOrder, at: datetime | None) -> None:
        """The message does not say what is true now in a form that could be trusted: the history is read."""
        trail = self._trail(order.client_order_id)
        trail.order_id = order.id
        trail.corrected_at = (at or order.updated_at or self._clock.now()).astimezone(UTC)
        self._shown[order.id] = trail
        self._tell(NoticeKind.CORRECTED, "an execution was taken back or changed", order.client_order_id)
        self._doubt(order.client_order_id)

    def _restate(self, order: AlpacaOrder, fills: list[FillActivity]) -> None:
        trail = self._trail(order.client_order_id)
        try:
            executions = tuple(execution_of_fill(fill) for fill in fills)
        except ValueError as error:
            self._tell(NoticeKind.QUARANTINED, f"an execution in the history: {error}", order.client_order_id)
            return
        update = trail.restate(order, executions, self._clock.now())
        if update is not None:
            self._hand_on(trail, update)
            self._hear(order)

    def _hear_fill(self, order: AlpacaOrder, fill: FillActivity) -> None:
        try:
            execution = execution_of_fill(fill)
        except ValueError as error:
            self._tell(NoticeKind.QUARANTINED, f"an execution in the history: {error}", order.client_order_id)
        else:
            self._hear(order, execution.at, execution, more_to_come=True)

    def _hear(
        self,
        order: AlpacaOrder,
        at: datetime | None = None,
        execution: Execution | None = None,
        request: RequestTrigger | None = None,
        *,
        more_to_come: bool = False,
    ) -> None:
        trail = self._trail(order.client_order_id)
        if order.replaces:
            before = self._shown.get(order.replaces)
            trail.handed_on = trail.handed_on or (None if before is None else before.reported)
        self._shown[order.id] = trail
        moment = (at or order.updated_at or order.submitted_at or self._clock.now()).astimezone(UTC)
        self.anchor = max(self.anchor, min(moment, self._clock.now()))
        for update in trail.hear(order, at=moment, execution=execution, request=request):
            self._hand_on(trail, msgspec.structs.replace(update, quantity=order.qty))
        if trail.unexplained and not more_to_come:
            self._doubt(trail.client_order_id)
        if not trail.is_open:
            self._end(trail)

    def _end(self, trail: OrderTrail) -> None:
        self._open.pop(trail.client_order_id, None)
        self._ended[trail.client_order_id] = None
        if len(self._ended) > self._remembered:
            oldest = next(iter(self._ended))
            del self._ended[oldest]
            self._shown.pop(self._trails.pop(oldest).order_id, None)
            self._sent.pop(oldest, None)

    def _hand_on(self, trail: OrderTrail, update: BrokerUpdate) -> None:
        self.told += 1
        for listener in self._listeners:
            try:
                listener(update)
            except Exception as error:  # noqa: BLE001 - one bad message must not end the stream
                trail.take_back(update)
                self._open[trail.client_order_id] = trail
                self._ended.pop(trail.client_order_id, None)
                self._tell(NoticeKind.HANDLER_FAILED, harmless(f"{error!r}"), trail.client_order_id)
                self._doubt(trail.client_order_id)

    def _contradicts(self, order: AlpacaOrder) -> bool:
        """It bears the id of an order of ours and is another one: nothing about it is believed."""
        field = self._foreign_field(order)
        if field:
            message = f"the broker shows another {field} under the id of an order that was sent"
            self._tell(NoticeKind.WRONG_ECHO, message, order.client_order_id)
        return bool(field)

    def _foreign_field(self, order: AlpacaOrder) -> str:
        """At first sight everything must agree; later the broker may change a quantity, but never the order."""
        sent, trail = self._sent.get(order.client_order_id), self._trails.get(order.client_order_id)
        if trail is not None and trail.order_id:
            if trail.order_id != order.id:
                return "id"
            return "side or symbol" if sent and (sent.symbol, sent.side) != (order.symbol, order.side) else ""
        return "" if sent is None else difference(sent, order)

    def _trail(self, client_order_id: str) -> OrderTrail:
        trail = self._trails.get(client_order_id)
        if trail is None:
            trail = self._trails[client_order_id] = self._open[client_order_id] = OrderTrail(client_order_id)
        return trail

    def _concerns_us(self, order: AlpacaOrder) -> bool:
        touched = order.updated_at or order.submitted_at
        return order.client_order_id in self._trails or touched is None or touched >= self._started

    def _tell(self, kind: NoticeKind, message: str, order_id: str) -> None:
        self._notify(Notice(kind=kind, source="orders", message=message, order_id=order_id))
