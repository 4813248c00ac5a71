"""What is odd about orders: told to a person once, and stopped where nobody knows what the account holds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from quant_trading_system.core.clock import Clock
from quant_trading_system.core.events import HaltTrigger
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.core.orders import EXTERNAL
from quant_trading_system.execution.broker import Execution
from quant_trading_system.execution.notices import Notice, NoticeKind, Notify
from quant_trading_system.execution.order_store import OrderRecord
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.risk.portfolio import Portfolio
from quant_trading_system.risk.triggers import Answer

WARN_AFTER, HALT_AFTER = timedelta(minutes=1), timedelta(minutes=5)
"""How long an order may be in doubt before a person is told, and before the account is halted."""
_ABSURD = 10
"""A price that is so many times the one that was expected, or that part of it, is looked up before it is booked."""
_SENT, _IN_DOUBT, _REJECTED = OrderStatus.SENT, OrderStatus.IN_DOUBT, OrderStatus.REJECTED
_OUTCOMES = {_REJECTED: Answer.REFUSED, _IN_DOUBT: Answer.NONE, OrderStatus.UNSENT: Answer.NONE}
_TAKEN = Answer.TAKEN
Answered = Callable[[Answer], None]


class OrderWatch:
    """Keeps an eye on orders in doubt, on fills that cannot be, and on fills that should not be.

    Attributes:
        doubtful: orders in doubt by id, and since when by the monotonic clock; at the earliest since this process.
        suspects: orders about which something was told that cannot be believed; they are to be looked up. Both are the
            same objects always.
    """

    def __init__(self, portfolio: Portfolio, kill_switch: KillSwitch, clock: Clock) -> None:
        """Freeze symbols in `portfolio`; halt with `kill_switch`."""
        self.doubtful: dict[str, tuple[OrderRecord, float]] = {}
        self.suspects: set[str] = set()
        self._portfolio = portfolio
        self._kill_switch = kill_switch
        self._clock = clock
        self._alarmed: set[str] = set()
        self._notify: list[Notify] = []
        self._answers: list[Answered] = []

    def on_notice(self, listener: Notify) -> None:
        """Tell `listener` what a person should hear."""
        self._notify.append(listener)

    def on_answer(self, listener: Answered) -> None:
        """Tell `listener` how the broker answers orders of ours; called in the middle of a step, it must not raise."""
        self._answers.append(listener)

    def notify(self, kind: NoticeKind, message: str, order_id: str) -> None:
        """Tell everybody who wants to hear what a person should hear."""
        for listener in self._notify:
            listener(Notice(kind=kind, source="order manager", message=message, order_id=order_id))

    def note(self, record: OrderRecord) -> None:
        """The status of an order may have changed: since when is it in doubt?"""
        if record.status is _IN_DOUBT:
            self.doubtful.setdefault(record.order_id, (record, self._clock.monotonic()))
        else:
            self.doubtful.pop(record.order_id, None)

    def moved(self, record: OrderRecord, before: OrderStatus) -> None:
        """The status of an order was `before`; tell of the first answer to it, and of a refusal after that."""
        status = record.status
        if self.doubtful or status is _IN_DOUBT:
            self.note(record)
        is_first = before is _SENT
        if not is_first and status is not _REJECTED:
            return
        if record.parent or record.held_back or record.order.strategy == EXTERNAL:
            return
        answer = _OUTCOMES.get(status, _TAKEN) if is_first else Answer.REFUSED_LATER
        for listener in self._answers:
            listener(answer)

    def stop_overfilled(self, record: OrderRecord, why: str) -> None:
        """It is real, so it is booked; why it came is not known, so no more risk is taken in the symbol."""
        self._portfolio.freeze(record.order.symbol, why)
        self._warn_once(NoticeKind.OVERFILL, f"{why}; {record.order.symbol} is frozen for new risk", record)

    def _warn_once(self, kind: NoticeKind, message: str, record: OrderRecord) -> None:
        name = f"{kind} {record.order_id}"
        if name not in self._alarmed:
            self._alarmed.add(name)
            self.notify(kind, message, record.order_id)

    def set_apart(self, record: OrderRecord, flaw: str) -> None:
        """A fill was told that cannot be believed: it is not booked, and its order is looked up."""
        self.suspects.add(record.order_id)
        self.notify(NoticeKind.QUARANTINED, f"a fill is not booked: {flaw}; its order is looked up", record.order_id)

    def doubt_beside(self, record: OrderRecord) -> str:
        """Id of another order of the same symbol that is in doubt; empty when there is none."""
        symbol = record.order.symbol
        beside = (order_id for order_id, (other, _) in self.doubtful.items() if other.order.symbol == symbol)
        return next((order_id for order_id in beside if order_id != record.order_id), "")

    def look(self) -> None:
        """Tell of orders that have been in doubt for long; beyond `HALT_AFTER` nobody knows what the account holds."""
        now = self._clock.monotonic()
        for record, since in list(self.doubtful.values()):
            age = timedelta(seconds=now - since)
            if age < WARN_AFTER:
                continue
            why = f"in doubt for {age.total_seconds():.0f} s; {record.order.symbol} is frozen for new risk"
            self._warn_once(NoticeKind.IN_DOUBT, why, record)
            if age >= HALT_AFTER and not self._kill_switch.is_active():
                self._kill_switch.activate(
                    f"{record.order_id} has been in doubt for {age.total_seconds():.0f} s",
                    trigger=HaltTrigger.INTEGRITY,
                    activated_by="order manager",
                )


def flaw_of(execution: Execution, record: OrderRecord | None = None) -> str:
    """Why an execution cannot be booked as it was told; empty when it can.

    Args:
        record: its order, when its price is to be plausible, too; what the broker's history shows is believed.
    """
    quantity, price, end = execution.quantity, execution.price, execution.cumulative_quantity
    are_finite = quantity.is_finite() and price.is_finite() and end.is_finite()
    if not (are_finite and quantity > ZERO and price > ZERO and end > ZERO):
        for name, number in (("quantity", quantity), ("price", price), ("cumulative quantity", end)):
            if not number.is_finite() or number <= 0:
                return f"its {name} is {number}"
    if not execution.fee.is_finite():
        return f"its fee is {execution.fee}"
    if end < quantity:
        return f"its {quantity} shares are more than all {end} of its order"
    expected = ZERO if record is None else record.room_price
    if expected and not (price == expected or expected / _ABSURD <= price <= expected * _ABSURD):
        return f"its price of {price} is far from {expected}"
    return ""
