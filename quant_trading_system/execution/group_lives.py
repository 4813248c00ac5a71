"""The legs of bracket, OCO and OTO orders, as orders of their own beside their leader.

They begin with it, on record before the first byte leaves; what happens to it before the broker has taken it happens
to them. From then on each follows its own reports. What is wrong with a group is told to people once, and recorded.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from math import inf
from typing import TYPE_CHECKING

from quant_trading_system.core.book_events import GroupAlarm
from quant_trading_system.core.clock import Clock
from quant_trading_system.core.exceptions import JournalError
from quant_trading_system.core.numbers import ZERO, plain
from quant_trading_system.core.order_groups import LegKind, leads_group, legs_of
from quant_trading_system.core.order_state import TRANSITIONS, OrderStatus, OrderTrigger
from quant_trading_system.core.orders import Order
from quant_trading_system.execution.broker import BrokerOrder
from quant_trading_system.execution.notices import NoticeKind
from quant_trading_system.execution.order_entries import begun, resized
from quant_trading_system.execution.order_group import OrderGroup
from quant_trading_system.execution.order_store import OrderRecord
from quant_trading_system.risk.portfolio import Portfolio

if TYPE_CHECKING:
    from quant_trading_system.execution.order_life import Journal, OrderLives

PROTECT_WITHIN = timedelta(seconds=2)
"""How long a filled entry may be without a live exit, and an exit too large, before people are told."""
REMIND_EVERY = timedelta(minutes=10)
"""How often they are told again of what is wrong still."""

_SHARED = frozenset({OrderTrigger.NOT_SENT, OrderTrigger.TIME_OUT, OrderTrigger.REJECT, OrderTrigger.FIND_ABSENT})
"""What happens to a leader that the broker has not shown happens to its legs."""
_UNSEEN = frozenset({OrderStatus.SENT, OrderStatus.IN_DOUBT})

Flaw = tuple[NoticeKind, str]


class GroupLives:
    """Every group of which a member is open, and those with which something is wrong.

    Attributes:
        flaws: those with which something is wrong, and those that wait to be recorded; the same objects always.
    """

    def __init__(self, lives: OrderLives, portfolio: Portfolio, journal: Journal, clock: Clock) -> None:
        """Keep legs among the orders of `lives`."""
        self._lives = lives
        self._portfolio = portfolio
        self._journal = journal
        self._clock = clock
        self._flawed: dict[str, OrderGroup] = {}
        self._to_record: list[OrderGroup] = []
        self.flaws = (self._flawed, self._to_record)

    # -- who belongs together ------------------------------------------------------------------------------------

    def form(self, leader: OrderRecord) -> None:
        """Put the legs of an order that is about to be sent on record, as far as they are not.

        Raises:
            JournalError: one of them cannot be recorded.
        """
        if not leads_group(leader.order):
            return
        group = leader.group or OrderGroup(leader)
        for kind, order in legs_of(leader.order).items():
            if kind not in group.legs:
                self._begin(group, kind, order)

    def _begin(self, group: OrderGroup, kind: LegKind, order: Order) -> None:
        leader = group.leader
        leg = OrderRecord(order, order.quantity)
        leg.parent, leg.sent_at, leg.status = leader.order_id, leader.sent_at, OrderStatus.SENT
        leg.left_at = leader.left_at
        leg.room_price = max(order.limit_price or ZERO, order.stop_price or ZERO)
        leg.sent_seq = self._journal.append(begun(leg, self._clock.now()), leader.sent_seq)
        group.add(kind, leg)
        leg.shrinks = group.only_closes(leg)
        self._lives.store.add(leg)
        self._lives.room.take(leg)

    def link(self, record: OrderRecord) -> None:
        """Join an order that was taken up with the other members of its group."""
        if record.group is not None or record.status is OrderStatus.DENIED:
            return
        leader = self._lives.find(record.parent) if record.parent else record
        if leader is None or not leads_group(leader.order):
            return
        group = leader.group or OrderGroup(leader)
        for kind, order in legs_of(leader.order).items():
            if kind not in group.legs:
                leg = record if record.order_id == order.client_order_id else self._lives.find(order.client_order_id)
                if leg is not None:
                    group.add(kind, leg)
        self.note(group)

    def complete(self) -> None:
        """After a restart: legs of open leaders that the earlier process did not come to record.

        Raises:
            JournalError: one of them cannot be recorded.
        """
        for record in self._lives.store.open_orders():
            if leads_group(record.order):
                self.form(record)

    def watch_again(self, order_id: str) -> None:
        """After a restart: what an entry has filled may be without an exit, and nobody was told of it yet."""
        leader = self._lives.find(order_id)
        if leader is not None and leader.group is not None and not leader.group.is_oco:
            self.note(leader.group)

    def open_groups(self) -> list[Order]:
        """The orders that lead groups of which a member is open."""
        groups = {id(r.group): r.group.leader.order for r in self._lives.store.open_orders() if r.group is not None}
        return list(groups.values())

    # -- what happens to them ------------------------------------------------------------------------------------

    def moved(self, record: OrderRecord, trigger: OrderTrigger, reason: str, *, on_record: bool) -> JournalError | None:
        """A member's life went on; the failure to record what follows from it, which has happened all the same."""
        group = record.group
        if group is None:
            return None
        failure: JournalError | None = None
        if record is group.leader and trigger in _SHARED:
            for leg in group.legs.values():
                if leg.status in _UNSEEN and (leg.status, trigger) in TRANSITIONS:
                    try:
                        self._lives.step(leg, trigger, reason, on_record=on_record)
                    except JournalError as error:
                        failure = failure or error
        for member in group.members:
            self._lives.store.settle(member)  # finished ones are kept as long as the group goes on
        self.note(group)
        return failure

    def show(self, seen: BrokerOrder) -> None:
        """The broker shows legs with the order that leads them."""
        for leg in seen.legs:
            record = self._lives.store.get(leg.client_order_id)
            if record is not None:
                self.resize(record, leg.quantity)
                self._lives.placed(record, leg)

    def resize(self, record: OrderRecord, quantity: Decimal | None) -> None:
        """The broker says for how many shares an order is: it makes a stop-loss smaller as its take-profit fills.

        Raises:
            JournalError: it cannot be recorded; it counts all the same.
        """
        if record.group is None or record is record.group.leader or quantity is None:
            return
        if not ZERO < quantity < record.quantity:
            return
        record.quantity = quantity
        self._lives.room.share(record)
        self.note(record.group)
        self._journal.append(resized(record, self._clock.now()), record.sent_seq)

    # -- what is wrong with them ---------------------------------------------------------------------------------

    def note(self, group: OrderGroup) -> None:
        """Something about a group has changed: begin or stop to worry about it."""
        flaw = self._flaw(group)
        if flaw is None:
            self._calm(group)
            return
        group.since = self._clock.monotonic() if group.since is None else group.since
        self._flawed[group.leader.order_id] = group
        if flaw[0] is NoticeKind.BOTH_EXITS_FILLED:
            self._tell(group, flaw)
            self._portfolio.freeze(group.leader.order.symbol, flaw[1])

    @property
    def has_flaws(self) -> bool:
        """Something is wrong with a group, or waits to be told."""
        return any(self.flaws)

    @property
    def quiet_until(self) -> float:
        """From this moment of the monotonic clock on `look` has something to do, unless an order trades before.

        Infinity when it has not; minus infinity when it has now.
        """
        return -inf if self._to_record else min(map(self._due, self._flawed.values()), default=inf)

    def _due(self, group: OrderGroup) -> float:
        flaw = self._flaw(group)
        if flaw is None or group.since is None:
            return -inf
        if flaw[0] not in group.alarms or group.told_at is None or group.oversized:
            return group.since + PROTECT_WITHIN.total_seconds()
        return group.told_at + REMIND_EVERY.total_seconds()

    def look(self) -> list[str]:
        """Tell of what has been wrong for too long; the ids of exits that have to be cancelled because of it."""
        now, too_large = self._clock.monotonic(), list[str]()
        for group in list(self._flawed.values()):
            flaw = self._flaw(group)
            if flaw is None:
                self._calm(group)
            elif group.since is not None and now - group.since >= PROTECT_WITHIN.total_seconds():
                self._tell(group, flaw)
                self._remind(group, flaw, now)
                too_large += [leg.order_id for leg in group.oversized]
        return too_large

    def overfilled(self, record: OrderRecord) -> None:
        """More than an order was for has filled: its symbol is frozen, and a restart must know.

        Raises:
            JournalError: it cannot be recorded; the symbol is frozen all the same.
        """
        symbol = record.order.symbol
        why = f"{record.order_id} has filled {plain(record.chain_filled)} of {plain(record.quantity)} shares"
        self._lives.watch.stop_overfilled(record, why)
        self._journal.append(
            GroupAlarm(at=self._clock.now(), order_id=record.order_id, symbol=symbol, reason=why), record.sent_seq
        )

    def record_alarms(self) -> None:
        """Put on record what people were told.

        Raises:
            JournalError: it cannot be recorded now; tried again at the next turn.
        """
        while self._to_record:
            group = self._to_record[0]
            leader, reason = group.leader, "; ".join(group.alarms.values())
            if reason != group.recorded:
                event = GroupAlarm(
                    at=self._clock.now(), order_id=leader.order_id, symbol=leader.order.symbol, reason=reason
                )
                self._journal.append(event, leader.sent_seq)
                group.recorded = reason
            del self._to_record[0]

    def take_up_alarm(self, order_id: str, reason: str) -> None:
        """An alarm of an earlier process that was not over: go on watching its group."""
        leader = self._lives.find(order_id)
        if leader is not None and leader.group is None:
            self._freeze_again(leader, reason)
        elif leader is not None and leader.group is not None:
            leader.group.recorded = reason
            self._to_record.append(leader.group)
            self._flawed[order_id] = leader.group
            leader.group.since = self._clock.monotonic() if leader.group.since is None else leader.group.since

    def _freeze_again(self, record: OrderRecord, reason: str) -> None:
        """An overfill of an earlier process shuts its symbol for as long as shares of it are held."""
        symbol = record.order.symbol
        if self._portfolio.position(symbol).quantity:
            self._portfolio.freeze(symbol, reason)
        else:
            over = GroupAlarm(at=self._clock.now(), order_id=record.order_id, symbol=symbol, reason="")
            self._journal.append(over, record.sent_seq)

    def _tell(self, group: OrderGroup, flaw: Flaw) -> None:
        kind, message = flaw
        if kind not in group.alarms:
            group.alarms[kind] = message
            self._to_record.append(group)
            self._lives.watch.notify(kind, message, group.leader.order_id)

    def _remind(self, group: OrderGroup, flaw: Flaw, now: float) -> None:
        """What is wrong for long is told again: nobody reads an alarm of an hour ago."""
        if group.told_at is None:
            group.told_at = now
        elif now - group.told_at >= REMIND_EVERY.total_seconds():
            group.told_at = now
            self._lives.watch.notify(flaw[0], f"still: {flaw[1]}", group.leader.order_id)

    def _calm(self, group: OrderGroup) -> None:
        group.since = group.told_at = None
        if self._flawed.pop(group.leader.order_id, None) is not None and (group.alarms or group.recorded):
            group.alarms.clear()
            self._to_record.append(group)

    def _flaw(self, group: OrderGroup) -> Flaw | None:
        """What is wrong with a group now, the worst first."""
        leader, symbol = group.leader, group.leader.order.symbol
        held = max(group.sign * self._portfolio.position(symbol).quantity, ZERO)
        if group.closed > group.opened and self._portfolio.position(symbol).quantity:
            told = f"the exits of {leader.order_id} have closed {plain(group.closed)} shares of {plain(group.opened)}"
            there = f"the account holds {plain(self._portfolio.position(symbol).quantity)} {symbol}"
            remedy = "close that by an order of your own (the broker's site, or a reduce-only order)"
            return NoticeKind.BOTH_EXITS_FILLED, f"{told}; {there}, frozen for new risk: {remedy}"
        for leg in group.oversized:
            there = f"{plain(group.exposed)} that there are to close"
            return NoticeKind.EXITS_TOO_LARGE, f"{leg.order_id} is for {plain(leg.leaves)} shares, not the {there}"
        exposed = min(group.exposed, held)
        if not exposed or (group.is_oco and (group.asked or leader.status in _UNSEEN)):
            return None
        if not group.is_protected:
            return NoticeKind.PROTECTION_MISSING, f"{plain(exposed)} {symbol} of {leader.order_id}: {_absence(group)}"
        if group.lost is not None:
            gone = f"{group.lost.order_id} is {group.lost.status}"
            return NoticeKind.LEG_LOST, f"{gone}, and {plain(exposed)} {symbol} are left to the other exit"
        return None


def _absence(group: OrderGroup) -> str:
    guard = group.guard
    if guard is None:
        return "no exit is on our books"
    if not group.is_oco and group.leader.status.is_open and guard.status is OrderStatus.HELD:
        return "the broker begins the exits only when all of the entry has filled"
    return f"no exit at the broker protects them; {guard.order_id} is {guard.status}"
