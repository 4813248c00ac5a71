"""A bracket, OCO or OTO group as the order manager follows it: who belongs together, and what its exits may close.

The entry counts in full while it is open. The exits count once, and only for what the entry has filled and they have
not closed yet: the broker lets one of them trade at a time, and cancels the other.
"""

from __future__ import annotations

from decimal import Decimal

from quant_trading_system.core.numbers import ZERO
from quant_trading_system.core.order_groups import LegKind
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.core.orders import OrderClass, OrderSide
from quant_trading_system.execution.order_store import OrderRecord

LIVE = frozenset({OrderStatus.WORKING, OrderStatus.PARTIALLY_FILLED, OrderStatus.SUSPENDED})
"""At the exchange; an exit that is held is not, unless the other exit holds the shares for both."""
_LOST = frozenset({OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED, OrderStatus.ABSENT})
_NEVER_THERE = frozenset({OrderStatus.UNSENT, OrderStatus.REJECTED, OrderStatus.ABSENT})


class OrderGroup:
    """The members of one group.

    Attributes:
        leader: the entry; in an OCO order the take-profit.
        legs: its other members, as far as they are on our books.
        asked: ids of members whose cancel was asked for by us.
        since: when what is wrong with it now was seen first, by the monotonic clock; None while nothing is.
        told_at: when people were told of it last, likewise.
        alarms: what people have been told of it, and `recorded`: the alarm that is on record; empty for none.
    """

    __slots__ = ("alarms", "asked", "leader", "legs", "recorded", "since", "told_at")

    def __init__(self, leader: OrderRecord) -> None:
        """Begin the group of `leader`."""
        self.leader = leader
        self.legs: dict[LegKind, OrderRecord] = {}
        self.asked: set[str] = set()
        self.since: float | None = None
        self.told_at: float | None = None
        self.alarms: dict[str, str] = {}
        self.recorded = ""
        leader.group = self

    def add(self, kind: LegKind, leg: OrderRecord) -> None:
        """Take in a leg."""
        self.legs[kind] = leg
        leg.group = self

    @property
    def is_oco(self) -> bool:
        """It has no entry: it closes what is held already."""
        return self.leader.order.order_class is OrderClass.OCO

    @property
    def members(self) -> tuple[OrderRecord, ...]:
        """Leader first."""
        return (self.leader, *self.legs.values())

    @property
    def exits(self) -> tuple[OrderRecord, ...]:
        """Take-profit before stop-loss."""
        return self.members if self.is_oco else tuple(self.legs.values())

    @property
    def is_needed(self) -> bool:
        """A member may still trade."""
        return any(member.status.is_open for member in self.members)

    @property
    def opened(self) -> Decimal:
        """Shares that the exits may close in all: what the entry has filled, or what an OCO order is for."""
        if not self.is_oco:
            return self.leader.filled
        return self.leader.quantity if self.leader.status not in _NEVER_THERE else ZERO

    @property
    def closed(self) -> Decimal:
        """Shares that the exits have closed."""
        return sum((leg.filled for leg in self.exits), ZERO)

    @property
    def exposed(self) -> Decimal:
        """Shares that the exits have yet to close."""
        return max(self.opened - self.closed, ZERO)

    @property
    def sign(self) -> int:
        """1 when the group holds or will hold a long position, -1 for a short one."""
        exits_sell = self.is_oco == (self.leader.order.side is OrderSide.SELL)
        return 1 if exits_sell else -1

    def leaves_of(self, record: OrderRecord) -> Decimal:
        """Shares that room is kept for on behalf of a member: exits are counted once, by the largest of them."""
        if record not in self.exits:
            return record.leaves
        exposed, counted = self.exposed, ZERO
        for leg in self.exits:
            own = min(leg.leaves, exposed)
            if leg is record:
                return max(own - counted, ZERO)
            counted = max(counted, own)
        return ZERO

    def only_closes(self, record: OrderRecord) -> bool:
        """The member is an exit that cannot trade more than there is to close, so that it never raises exposure."""
        return record in self.exits and record.leaves <= self.exposed

    @property
    def guard(self) -> OrderRecord | None:
        """The exit that protects: the stop-loss, or the only one that there is; None while it is on no book."""
        return self.legs.get(LegKind.STOP_LOSS) or self.legs.get(LegKind.TAKE_PROFIT)

    @property
    def is_protected(self) -> bool:
        """The guard is at the exchange, or takes over from another exit that is."""
        guard = self.guard
        if guard is None or guard.leaves < self.exposed:
            return False
        return guard.status in LIVE or self._waits(guard)

    @property
    def lost(self) -> OrderRecord | None:
        """An exit that has ended without having closed anything of what is left, and that nobody here asked to end."""
        return next((leg for leg in self.exits if leg.status in _LOST and leg.order_id not in self.asked), None)

    @property
    def oversized(self) -> tuple[OrderRecord, ...]:
        """Legs that may trade for more than there is to close, or that nothing is left to wait for."""
        exposed, entry_is_over = self.exposed, not self.is_oco and not self.leader.status.is_open
        return tuple(
            leg
            for leg in self.legs.values()
            if leg.leaves > exposed
            and (leg.status in LIVE or (entry_is_over and not self._waits(leg)))
            and leg.order_id not in self.asked
        )

    def _waits(self, leg: OrderRecord) -> bool:
        """It is held while another exit has the shares; the broker makes it as small as what that one leaves."""
        others = (other for other in self.exits if other is not leg)
        return leg.status is OrderStatus.HELD and any(other.status in LIVE for other in others)
