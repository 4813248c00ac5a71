"""The room of parent orders: taken as a whole when one begins, lent to its children, given back at its end.

The gate judges all of a parent like one order. From then on what it has not sent counts as if it were working,
so nobody else can take its place under a limit; a child takes its own room out of that, in the same locked step
in which it is judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from decimal import Decimal

from quant_trading_system.core.decisions import Decision, ExecutionPlan, Rejection
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.core.orders import Order
from quant_trading_system.execution.order_life import OrderLives
from quant_trading_system.execution.order_store import OrderRecord
from quant_trading_system.risk.portfolio import Portfolio
from quant_trading_system.risk.pre_trade import PreTradeRiskChecker


class _Room:
    """What is kept for one parent.

    Attributes:
        sign: 1 for a buyer, -1 for a seller; `wanted`: shares in all.
        children: shares that count for each child: all while it may trade, then what has filled.
        used: their sum.
    """

    __slots__ = ("children", "sign", "symbol", "used", "wanted")

    def __init__(self, symbol: str, sign: int, wanted: Decimal) -> None:
        self.symbol = symbol
        self.sign = sign
        self.wanted = wanted
        self.children: dict[str, Decimal] = {}
        self.used = ZERO

    @property
    def left(self) -> Decimal:
        """Signed shares that are kept still."""
        return self.sign * max(self.wanted - self.used, ZERO)

    def count(self, order_id: str, quantity: Decimal) -> None:
        """So many shares of the child count from now on."""
        self.used += quantity - self.children.get(order_id, ZERO)
        self.children[order_id] = quantity


class ParentRooms:
    """Keeps room in the portfolio for parents that have not sent everything yet."""

    def __init__(self, portfolio: Portfolio, checker: PreTradeRiskChecker, lives: OrderLives) -> None:
        """Keep room in `portfolio`; listen to `lives` for children that end or come back."""
        self._portfolio = portfolio
        self._checker = checker
        self._rooms: dict[str, _Room] = {}
        self._parent_of: dict[str, str] = {}
        lives.on_settled(self._settled)
        lives.on_return(self._returned)
        checker.know(parent_excess=self.excess)

    def take(self, parent_id: str, whole: Order, plan: ExecutionPlan) -> Decision | Rejection:
        """Have the gate judge all that is left of a parent as one order, and keep the room for it.

        Returns:
            The gate's decision, or its rejection; then nothing is kept.
        """
        with self._portfolio.lock:
            verdict = self._checker.check_order(whole, plan)
            if isinstance(verdict, Rejection):
                return verdict
            self._keep(parent_id, whole.symbol, verdict.signed_quantity, verdict.price)
            return verdict.decision

    def excess(self, parent_id: str) -> Decimal | None:
        """Shares that children have taken beyond what the parent wants, negative while it has some left."""
        room = self._rooms.get(parent_id)
        return None if room is None else room.used - room.wanted

    def take_up(
        self, parent_id: str, symbol: str, signed_quantity: Decimal, price: Decimal, children: Mapping[str, Decimal]
    ) -> None:
        """Keep room for a parent of an earlier process, which was judged when it began.

        Args:
            signed_quantity: all shares but those that filled in children which have ended.
            children: shares of each child that is open.
        """
        with self._portfolio.lock:
            self._keep(parent_id, symbol, signed_quantity, price)
            for order_id, quantity in children.items():
                self._count(parent_id, self._rooms[parent_id], order_id, quantity)

    def _keep(self, parent_id: str, symbol: str, signed_quantity: Decimal, price: Decimal) -> None:
        self._rooms[parent_id] = _Room(symbol, 1 if signed_quantity > 0 else -1, abs(signed_quantity))
        self._portfolio.reserve(parent_id, symbol, signed_quantity, price, is_parent=True)

    def reduce(self, parent_id: str, by: Decimal) -> None:
        """The parent wants so many shares less."""
        with self._portfolio.lock:
            room = self._rooms.get(parent_id)
            if room is not None:
                room.wanted -= by
                self._resize(parent_id, room)

    def give_back(self, parent_id: str) -> None:
        """The parent sends nothing more; a second time changes nothing."""
        with self._portfolio.lock:
            room = self._rooms.pop(parent_id, None)
            if room is not None:
                for order_id in room.children:
                    self._parent_of.pop(order_id, None)
                self._portfolio.release(parent_id, room.symbol)

    def lent(self, order: Order, plan: ExecutionPlan) -> AbstractContextManager[None]:
        """While a child is judged its shares leave the parent's room; they stay out if it is sent."""
        room = self._rooms.get(plan.parent)
        return nullcontext() if room is None else self._lent(plan.parent, room, order)

    @contextmanager
    def _lent(self, parent_id: str, room: _Room, order: Order) -> Iterator[None]:
        order_id = order.client_order_id
        before = room.children.get(order_id, ZERO)
        self._count(parent_id, room, order_id, order.quantity)
        try:
            yield
        finally:
            if order_id not in self._portfolio.holding(room.symbol).orders:
                self._count(parent_id, room, order_id, before)  # it was refused

    def _count(self, parent_id: str, room: _Room, order_id: str, quantity: Decimal) -> None:
        room.count(order_id, quantity)
        self._parent_of[order_id] = parent_id
        self._resize(parent_id, room)

    def _resize(self, parent_id: str, room: _Room) -> None:
        self._portfolio.resize(parent_id, room.symbol, room.left)

    def _settled(self, record: OrderRecord) -> None:
        if record.order_id in self._parent_of:
            self._recount(record, record.filled)

    def _returned(self, record: OrderRecord) -> None:
        self._recount(record, record.quantity if record.status.is_open else record.filled)

    def _recount(self, record: OrderRecord, quantity: Decimal) -> None:
        parent_id = self._parent_of.get(record.order_id, "")
        room = self._rooms.get(parent_id)
        if room is not None:
            self._count(parent_id, room, record.order_id, quantity)
