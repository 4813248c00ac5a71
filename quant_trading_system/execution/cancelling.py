"""Cancels: asked for at once, remembered while an order cannot be seen, and asked again when one seems lost.

Never judged by the gate, the kill switch or the journal: stopping is always possible.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from functools import partial

from quant_trading_system.core.clock import Clock
from quant_trading_system.core.exceptions import BrokerRejected, JournalError, OutcomeUnknown, UnknownOrder
from quant_trading_system.core.order_state import OrderStatus, PendingRequest, RequestTrigger
from quant_trading_system.execution.broker import Broker
from quant_trading_system.execution.notices import NoticeKind
from quant_trading_system.execution.order_life import OrderLives
from quant_trading_system.execution.order_store import OrderRecord
from quant_trading_system.execution.side_by_side import side_by_side

AT_ONCE = 50
"""Cancels that wait for the broker's answer at the same time."""
FEW = 20
"""Cancels that are asked for one by one in any case; the broker's rate limit has a lane for as many."""
MAX_ASKS = 8
"""How often one cancel is asked for before a person is told that the broker does not carry it out."""
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(minutes=1)
"""Between two asks; doubled each time."""
TRUSTED = 2
"""How often the broker may say of an order that it goes to cancel it with all, before it is asked for singly, too."""

_UNSEEN = frozenset({OrderStatus.SENT, OrderStatus.IN_DOUBT, OrderStatus.ABSENT})


class _Wish:
    """Somebody wants an order gone."""

    __slots__ = ("asks", "next_at", "pause", "promises", "reason", "was_unseen")

    def __init__(self, reason: str) -> None:
        self.reason = reason
        self.asks = self.promises = 0
        self.pause = FIRST_PAUSE
        self.next_at: float | None = None
        self.was_unseen = False


class Cancels:
    """Every cancel that was asked for and whose order has not ended yet."""

    def __init__(self, lives: OrderLives, broker: Broker, clock: Clock, asked: Callable[[], None]) -> None:
        """Cancel orders of `lives` at `broker`; every request is counted by `asked`."""
        self._asked = asked
        self._lives = lives
        self._broker = broker
        self._clock = clock
        self._lock = lives.lock
        self._wishes: dict[str, _Wish] = {}
        lives.on_return(self._refuse_late)

    @property
    def are_waiting(self) -> bool:
        """Somebody wants an order gone that has not ended, as far as is known here."""
        return bool(self._wishes)

    async def cancel(self, order_id: str, reason: str) -> None:
        """Ask for a cancel of an order and of the one that is to take its place.

        Raises:
            UnknownOrder: no order of that id is on our books.
            JournalError: the request could not be recorded; the broker was asked all the same.
        """
        with self._lock:
            record = self._lives.find(order_id)
            if record is None:
                raise UnknownOrder(f"no order {order_id} is on our books; `qts orders` lists them", order_id)
            legs = list(_open_legs(record))
        failures = [failure for leg in legs if (failure := await self._ask(leg, reason)) is not None]
        if failures:
            raise failures[0]

    async def cancel_each(self, order_ids: Iterable[str], reason: str) -> None:
        """Ask for many cancels side by side, so that none waits for the answer to another.

        Raises:
            JournalError: a request could not be recorded; all were asked for all the same.
        """
        await side_by_side((partial(self.cancel, order_id, reason) for order_id in order_ids), AT_ONCE)

    async def cancel_account(self, order_ids: Iterable[str], reason: str, forbid: Callable[[], str]) -> None:
        """Ask for a cancel of everything that is open on the account, whoever has ordered it.

        More than `FEW` go with one request, so that no rate limit holds them up; what the broker does not take on with
        that is asked for one by one. Only where no other order can leave; `tend` asks singly.

        Args:
            order_ids: orders on our books, as far as they are due.
            forbid: why others may leave again, so that not all must go; empty while none can.

        Raises:
            JournalError: a request could not be recorded; all were asked for all the same.
        """
        with self._lock:
            records = [record for order_id in order_ids if (record := self._lives.find(order_id)) is not None]
            legs = list({leg.order_id: leg for record in records for leg in _open_legs(record)}.values())
            failures = [self._note(leg, reason, FIRST_PAUSE) for leg in legs]
        left = await self._left_after_all(legs, forbid) if len(legs) > FEW else legs
        await side_by_side((partial(self._ask_broker, leg) for leg in left if leg.status.is_open), AT_ONCE)
        for failure in failures:
            if failure is not None:
                raise failure

    async def tend(self) -> None:
        """Ask again where a cancel seems lost, and for the first time where an order has come into sight.

        Only while the order is open; a bounded number of times, with growing pauses.
        """
        if not self._wishes:
            return
        now = self._clock.monotonic()
        with self._lock:  # an order that takes the place of another may be wanted gone for that one and for itself
            due = {leg.order_id: (leg, wish) for leg, wish in self._still_wanted() if _is_due(leg, wish, now)}
        for record, wish in due.values():
            if wish.asks >= MAX_ASKS:
                del self._wishes[record.order_id]
                message = f"asked {wish.asks} times, and it is {record.status} still: {wish.reason}"
                self._lives.watch.notify(NoticeKind.CANCEL_LOST, message, record.order_id)
                continue
            failure = await self._ask(record, wish.reason)
            if failure is not None:
                raise failure

    async def _left_after_all(self, legs: list[OrderRecord], forbid: Callable[[], str]) -> list[OrderRecord]:
        """Ask for all with one request; those that are to be asked for one by one all the same."""
        with self._lock:
            self._asked()
        try:
            taken = await self._broker.cancel_all(forbid)
        except (BrokerRejected, OutcomeUnknown):
            return legs
        if taken is None:
            return legs[:FEW]  # whoever asked asks for the others again, by when there may be room
        return [leg for leg in legs if leg.venue_order_id not in taken or not self._believe(leg)]

    def _believe(self, leg: OrderRecord) -> bool:
        """Count that the broker goes to cancel it; False when it has said so too often."""
        wish = self._wishes.get(leg.order_id)
        if wish is None:
            return True  # it has ended meanwhile
        wish.promises += 1
        return wish.promises <= TRUSTED

    async def _ask(self, record: OrderRecord, reason: str) -> JournalError | None:
        with self._lock:
            failure = self._note(record, reason)
        await self._ask_broker(record)
        return failure

    def _note(self, record: OrderRecord, reason: str, grace: timedelta = timedelta(0)) -> JournalError | None:
        """Remember that the order has to go, and put it on record; why that could not be, for it goes all the same.

        Args:
            grace: in which whoever asked asks again by himself.
        """
        wish = self._wishes.setdefault(record.order_id, _Wish(reason))
        wish.asks += 1
        wish.was_unseen = record.status in _UNSEEN
        wish.next_at = self._clock.monotonic() + (wish.pause + grace).total_seconds()
        wish.pause = min(2 * wish.pause, LONGEST_PAUSE)
        try:
            self._lives.request(record, RequestTrigger.ASK_CANCEL, reason)
        except JournalError as error:
            return error
        return None

    async def _ask_broker(self, record: OrderRecord) -> None:
        with self._lock:
            self._asked()
        try:
            await self._broker.cancel(record.order_id, record.venue_order_id)
        except BrokerRejected as error:
            with self._lock:
                if record.pending is PendingRequest.CANCEL and record.status not in _UNSEEN:
                    self._lives.request(record, RequestTrigger.REFUSED, str(error))
        except OutcomeUnknown:
            return  # stays pending; the order's own status will tell

    def _still_wanted(self) -> Iterator[tuple[OrderRecord, _Wish]]:
        for order_id, wish in list(self._wishes.items()):
            record = self._lives.store.get(order_id)
            if record is None or not record.status.is_open:
                del self._wishes[order_id]
            for leg in () if record is None else _open_legs(record):
                yield leg, self._wishes.setdefault(leg.order_id, wish)

    def _refuse_late(self, record: OrderRecord) -> None:
        """An order came to life after it was given up: nobody counts on it any more."""
        why = "it arrived after it had been given up"
        self._lives.watch.notify(NoticeKind.LATE_ARRIVAL, f"{why}; it is being cancelled", record.order_id)
        self._wishes[record.order_id] = _Wish(why)


def _open_legs(record: OrderRecord) -> Iterator[OrderRecord]:
    """The order and those that took its place or are about to, as far as they are open."""
    leg: OrderRecord | None = record
    while leg is not None:
        if leg.status.is_open:
            yield leg
        leg = leg.newer


def _is_due(record: OrderRecord, wish: _Wish, now: float) -> bool:
    if record.status in _UNSEEN:
        return False  # it cannot be cancelled before it is seen
    return wish.was_unseen or wish.next_at is None or now >= wish.next_at
