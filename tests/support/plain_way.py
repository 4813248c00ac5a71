"""The plain way in the place of every short cut, for tests that hold the two against each other.

A short cut leaves out what can change nothing: looks that would find nothing new, marks by a quote that is known,
checks whose facts are idle, sums of what has not changed. With these patches nothing is left out.
"""

from __future__ import annotations

from typing import Any

import pytest

from quant_trading_system.core.order_state import PendingRequest
from quant_trading_system.core.positions import Position
from quant_trading_system.execution.order_life import OrderLives
from quant_trading_system.execution.order_manager import OrderManager
from quant_trading_system.execution.order_room import OrderRoom
from quant_trading_system.execution.order_store import AT_REST, OrderStore
from quant_trading_system.execution.order_watch import OrderWatch
from quant_trading_system.risk import checklist
from quant_trading_system.risk.calm_look import CalmLook
from quant_trading_system.risk.checks import facts
from quant_trading_system.risk.correlation import CorrelationSource, RollingCorrelations
from quant_trading_system.risk.fill_history import FillHistory
from quant_trading_system.risk.portfolio import Portfolio
from quant_trading_system.trading import marking
from quant_trading_system.trading.algo_market import AlgoMarket
from quant_trading_system.trading.switch_moves import SwitchMoves
from quant_trading_system.trading.trading_engine import TradingEngine
from tests.support.plain_exchange import let_nothing_rest

_NOTHING = property(lambda self: None, lambda self, value: None)


def take_the_plain_way(patch: pytest.MonkeyPatch) -> None:
    """No step relies on what an earlier one has seen, and every rule is judged by its own check."""
    let_nothing_rest(patch)
    _look_always(patch)
    _judge_always(patch)
    _reckon_always(patch)


def _look_always(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(marking._Marked, "says", lambda self, quote: False)
    patch.setattr(CalmLook, "found", lambda self, facts: None)
    patch.setattr(SwitchMoves, "at_rest", _NOTHING, raising=False)
    patch.setattr(SwitchMoves, "_all_seen", _NOTHING, raising=False)
    patch.setattr(OrderManager, "needs_tending", True)
    patch.setattr(OrderStore, "is_at_rest", property(_all_at_rest))
    patch.setattr(TradingEngine, "_is_wanting", property(lambda self: True))


def _all_at_rest(self: OrderStore) -> bool:
    return all(o.status in AT_REST and o.pending is PendingRequest.NONE for o in self.open_orders())


def _judge_always(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(checklist, "stirring", lambda case: facts.ALL)
    patch.setattr(RollingCorrelations, "closest", CorrelationSource.closest)
    usual, session = AlgoMarket.average_volume, AlgoMarket.session

    def usual_anew(self: AlgoMarket, symbol: str) -> Any:
        self._usual.clear()
        return usual(self, symbol)

    def session_anew(self: AlgoMarket) -> Any:
        self._next = self.now(), None
        return session(self)

    patch.setattr(AlgoMarket, "average_volume", usual_anew)
    patch.setattr(AlgoMarket, "session", session_anew)


def _reckon_always(patch: pytest.MonkeyPatch) -> None:
    moved, adjust, book, take, keep = (
        OrderWatch.moved, OrderRoom.adjust, OrderLives._apply, FillHistory.take, Position._keep
    )  # fmt: skip

    def note_and_move(self: OrderWatch, record: Any, before: Any) -> None:
        self.note(record)
        moved(self, record, before)

    def adjust_and_share(self: OrderRoom, record: Any, before: Any) -> None:
        adjust(self, record, before)
        self.share(record)

    def book_and_share(self: OrderLives, record: Any, execution: Any) -> bool:
        try:
            return book(self, record, execution)
        finally:
            self.room.share(record)

    def take_and_add(self: FillHistory, event: Any) -> None:
        take(self, event)
        self._catch_up()

    def keep_alone(self: Position, trade: Any) -> None:
        keep(self, trade)
        self._middle = None

    def release(self: Portfolio, order_id: str, symbol: str) -> None:
        held = self.holding(symbol)
        reservation = held.let_go(order_id)
        if reservation is not None:
            self.open_orders -= not reservation.is_parent
            self._shift(held, -reservation.leaves, side=reservation.leaves)

    def mark_one_by_one(self: Portfolio, prices: Any) -> None:
        for symbol, price in prices:
            held = self.holding(symbol)
            before = held.position.market_value
            held.position.mark = price
            self.unmarked.discard(symbol)
            if held.position.quantity:
                self._revalue(held.position.market_value - before)
            if held.worst_quantity:
                self._shift(held)

    patch.setattr(Portfolio, "mark_all", mark_one_by_one)
    patch.setattr(OrderWatch, "moved", note_and_move)
    patch.setattr(OrderRoom, "adjust", adjust_and_share)
    patch.setattr(OrderLives, "_apply", book_and_share)
    patch.setattr(FillHistory, "take", take_and_add)
    patch.setattr(Position, "_keep", keep_alone)
    patch.setattr(Portfolio, "release", release)
