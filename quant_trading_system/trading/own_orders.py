"""The orders of one strategy among those of all: which are open, and which of them it may cancel or change."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from threading import RLock

from quant_trading_system.core.events import OrderEvent
from quant_trading_system.core.exceptions import InvalidOrder, StrategyError
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.core.orders import Order, OrderClass
from quant_trading_system.core.parent_events import ParentEvent
from quant_trading_system.execution.algo.parent import ParentState
from quant_trading_system.execution.order_changes import OrderChange, changed_order, is_moot, lasting_obstacle
from quant_trading_system.execution.order_manager import OrderManager
from quant_trading_system.execution.order_store import OrderRecord, OrderStore, latest_of
from quant_trading_system.trading.algo_book import Parent
from quant_trading_system.trading.algo_desk import AlgoDesk
from quant_trading_system.trading.order_wishes import CancelWish, EndedOrder, OpenOrder, OpenParent, ReplaceWish


class OwnOrders:
    """Tells strategies of their own orders and of no others, whichever process has sent them.

    It is in the hands of strategies: nobody who could send or cancel an order can be reached from here.
    """

    def __init__(self, orders: OrderStore, parents: Mapping[str, Parent], lock: RLock) -> None:
        """Look among `orders` and the open `parents`, by their ids; `lock` guards them."""
        self._orders = orders
        self._parents = parents
        self._lock = lock

    def open_orders(self, strategy: str, symbol: str | None) -> tuple[OpenOrder, ...]:
        """Those that may trade, oldest first; slices of parents are left out, for `open_parents` tells of them."""
        with self._lock:
            own = [record for record in self._orders.open_orders(symbol) if record.order.strategy == strategy]
            slices = self._slices_of(strategy) if own and self._parents else ()
            return tuple([_view(record) for record in own if record.order_id not in slices])

    def _slices_of(self, strategy: str) -> set[str]:
        states = (parent.state for parent in self._parents.values() if parent.state.order.strategy == strategy)
        return {state.child_id(number) for state in states for number in state.open_children}

    def open_parents(self, strategy: str, symbol: str | None) -> tuple[OpenParent, ...]:
        """Those that have not ended, oldest first."""
        with self._lock:
            states = [parent.state for parent in self._parents.values()]
        own = (state for state in states if state.order.strategy == strategy)
        return tuple([_parent_view(state) for state in own if symbol in (None, state.order.symbol)])


class Owners:
    """Knows whose orders are whose: a strategy cancels and changes its own alone."""

    def __init__(self, orders: OrderManager, desk: AlgoDesk) -> None:
        """Look among all `orders`, ended ones included, and the parents of `desk`."""
        self._orders = orders
        self._desk = desk

    def require(self, strategy: str, wish: CancelWish | ReplaceWish) -> None:
        """The order is one that this strategy may cancel, or change like that.

        Raises:
            StrategyError: there is no such order, it is somebody else's or a slice, or it cannot be changed like that.
        """
        record = self._require_own(strategy, wish.order_id)
        if isinstance(wish, CancelWish):
            return
        if record is None:
            raise StrategyError(f"{wish.order_id} cannot be replaced: it is a parent order; cancel it and give another")
        latest, change = latest_of(record), change_of(wish)
        if obstacle := lasting_obstacle(latest):
            raise StrategyError(f"{wish.order_id} cannot be replaced: {obstacle}")
        if is_moot(latest, change):
            return
        try:
            changed_order(latest, change, latest.order_id)
        except InvalidOrder as error:
            raise StrategyError(f"{wish.order_id} cannot be replaced: {error}") from None

    def _require_own(self, strategy: str, order_id: str) -> OrderRecord | None:
        """The order, None for a parent."""
        parent, record = self._desk.state_of(order_id), None
        if parent is not None:
            owner = parent.order.strategy
        else:
            record = self._orders.order(order_id)
            if record is None:
                raise StrategyError(f"there is no order {order_id!r} that {strategy} could cancel or replace")
            owner = record.order.strategy
        if owner != strategy:
            raise StrategyError(f"{order_id} is no order of {strategy}; a strategy cancels and replaces its own alone")
        if slice_of := self._desk.parent_of(order_id):
            raise StrategyError(f"{order_id} is a slice of {slice_of}, which may send another; cancel that")
        return record


def change_of(wish: ReplaceWish) -> OrderChange:
    """What is to be different."""
    return OrderChange(**wish.terms)  # type: ignore[arg-type]  # names and types are those of `OrderChange`


def _view(record: OrderRecord) -> OpenOrder:
    order = record.order
    return OpenOrder(
        order_id=record.order_id,
        symbol=order.symbol,
        side=order.side,
        order_type=order.order_type,
        time_in_force=order.time_in_force,
        quantity=record.quantity,
        filled=record.chain_filled,
        leaves=record.leaves,
        notional=order.notional,
        limit_price=_limit_of(order),
        stop_price=order.stop_price,
        trail_price=order.trail_price,
        trail_percent=order.trail_percent,
        status=record.status,
        pending=record.pending,
        placed_at=record.sent_at,
        order_class=order.order_class,
        group=record.parent,
        tag=order.tag,
    )


def ended_order(record: OrderRecord, event: OrderEvent, asked: str) -> EndedOrder:
    """An order that ended before all of it had filled.

    Args:
        event: says so; asked: why a cancel was asked for, empty where none was.
    """
    order, rejection = record.order, record.rejection
    asked = asked if record.status is OrderStatus.CANCELED else ""
    return EndedOrder(
        order_id=record.order_id,
        at=event.at,
        symbol=order.symbol,
        side=order.side,
        status=record.status,
        quantity=record.quantity,
        filled=record.chain_filled,
        rule=None if rejection is None else rejection.rule,
        reason=asked or event.reason or record.reason,
        order_type=order.order_type,
        time_in_force=order.time_in_force,
        notional=order.notional,
        limit_price=_limit_of(order),
        stop_price=order.stop_price,
        trail_price=order.trail_price,
        trail_percent=order.trail_percent,
        order_class=order.order_class,
        group=record.parent,
        replaces=record.replaces,
        tag=order.tag,
    )


def ended_parent(event: ParentEvent) -> EndedOrder:
    """A parent order that ended before all of it had filled."""
    return EndedOrder(
        order_id=event.parent_id,
        at=event.at,
        symbol=event.symbol,
        side=event.side,
        status=event.status,
        quantity=event.quantity,
        filled=event.filled,
        reason=event.reason,
        algorithm=event.algorithm,
        tag=event.tag,
    )


def _limit_of(order: Order) -> Decimal | None:
    """The price at which it rests: the order that leads an OCO group is its take-profit."""
    if order.order_class is OrderClass.OCO and order.take_profit is not None:
        return order.take_profit.limit_price
    return order.limit_price


def _parent_view(state: ParentState) -> OpenParent:
    order = state.order
    return OpenParent(
        parent_id=order.parent_id,
        symbol=order.symbol,
        side=order.side,
        algorithm=order.algorithm.value,
        quantity=state.quantity,
        filled=state.filled,
        leaves=max(state.quantity - state.filled, ZERO),
        status=state.status.value,
        start=order.start,
        end=order.end,
        tag=order.tag,
    )
