"""The parent order: what is to be traded, how, within which limits, and everything that became of it.

All of it is frozen and made of msgspec structs, so that a state can be written to the journal and read back
after a crash.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

import msgspec

from quant_trading_system.core.exceptions import InvalidNumber, InvalidOrder
from quant_trading_system.core.ids import LONGEST_TAG, is_tag
from quant_trading_system.core.numbers import ONE, ZERO, exact
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.execution.algo.almgren_chriss import ShortfallProblem
from quant_trading_system.execution.algo.profile import VolumeForecast
from quant_trading_system.execution.algo.schedule import MAX_SLICES, Schedule, require_sum, twap_schedule
from quant_trading_system.execution.algo.slicing import whole_lots


class Algorithm(StrEnum):
    """How a parent order is worked."""

    TWAP = "twap"
    VWAP = "vwap"
    SHORTFALL = "shortfall"  # Almgren-Chriss, planned once
    ADAPTIVE = "adaptive"  # Almgren-Chriss, planned again before every slice
    POV = "pov"  # a share of what others trade
    ICEBERG = "iceberg"  # shows little of a limit order at one price
    PEG = "peg"  # an iceberg that follows its own side of the quote
    OPENING_AUCTION = "opening_auction"
    CLOSING_AUCTION = "closing_auction"

    @property
    def is_scheduled(self) -> bool:
        """It follows a `Schedule`."""
        return self in _SCHEDULED

    @property
    def is_auction(self) -> bool:
        """It sends one order into an auction."""
        return self in (Algorithm.OPENING_AUCTION, Algorithm.CLOSING_AUCTION)


_SCHEDULED = frozenset({Algorithm.TWAP, Algorithm.VWAP, Algorithm.SHORTFALL, Algorithm.ADAPTIVE})


class Placement(StrEnum):
    """Where a slice is put into the market."""

    PASSIVE = "passive"  # a limit order at its own side of the quote, cancelled when the slice ends
    AGGRESSIVE = "aggressive"  # a limit order at the far side, at once
    ESCALATE = "escalate"  # passive until `patience` is over, then the rest aggressive


class AtEnd(StrEnum):
    """What becomes of the rest when time is nearly up."""

    CANCEL = "cancel"  # it stays untraded and is reported as such
    COMPLETE = "complete"  # the last slice takes all of it, still within price limit and participation cap


def _read_numbers(struct: msgspec.Struct, *names: str) -> None:
    """Text and integers stand for exact numbers; floats for none."""
    for name in names:
        given = getattr(struct, name)
        if given is not None and type(given) is not Decimal:
            try:
                msgspec.structs.force_setattr(struct, name, exact(given))
            except InvalidNumber as error:
                raise InvalidOrder(name, str(error)) from None


class ParentLimits(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Bounds of every algorithm. They only ever make it trade less.

    Attributes:
        price: worst price, dollars a share; None for none.
        participation: own shares per share that *others* trade since the start (0.1 is ten per cent); own prints do
            not count as volume. None for none. While the volume is unknown nothing is sent.
        cutoff: nothing new is sent so shortly before the close.
        max_duration: from the start; pauses count.
        max_child: shares of one child; None for none.
        catch_up: a slice takes at most so many times the largest planned slice, however far behind.
        max_rejections: so many children refused in a row pause the parent.
        retry_after: time to wait after a refusal.

    Raises:
        InvalidOrder: a bound that is out of range.
    """

    price: Decimal | None = None
    participation: Decimal | None = None
    cutoff: timedelta = timedelta(minutes=1)
    max_duration: timedelta = timedelta(hours=24)
    max_child: Decimal | None = None
    catch_up: Decimal = Decimal(2)
    max_rejections: int = 3
    retry_after: timedelta = timedelta(seconds=30)

    def __post_init__(self) -> None:
        _read_numbers(self, "price", "participation", "max_child", "catch_up")
        for name in ("price", "max_child"):
            value = getattr(self, name)
            if value is not None and not (value.is_finite() and value > 0):
                raise InvalidOrder(name, f"{value} must be above zero")
        rate = self.participation
        if rate is not None and not (rate.is_finite() and ZERO < rate <= ONE):
            raise InvalidOrder("participation", f"{rate} must be above 0 and at most 1")
        if not (self.catch_up.is_finite() and self.catch_up >= ONE):
            raise InvalidOrder("catch_up", f"{self.catch_up} must be at least 1")
        if self.cutoff < timedelta(0) or self.retry_after < timedelta(0) or self.max_duration <= timedelta(0):
            raise InvalidOrder("cutoff", "cutoff and retry_after must not be negative, and max_duration above zero")
        if self.max_rejections < 1:
            raise InvalidOrder("max_rejections", f"{self.max_rejections} must be at least 1")


UNNAMED = "to be given"
"""The id of a parent that has none yet: whoever sends it gives it one of the run."""
USUAL_SLICE = timedelta(minutes=5)


class ParentOrder(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What somebody wants traded by an algorithm.

    Numbers may be given as `Decimal`, `int` or text, never as float.

    Attributes:
        parent_id: children are called ``{parent_id}-1``, ``{parent_id}-2``, …, also after a restart.
        quantity: shares, a multiple of `lot`.
        start, end: aware, UTC; nothing new is sent outside of them.
        schedule: of a scheduled algorithm; sums to the quantity. A TWAP without one trades evenly, in slices of
            `USUAL_SLICE` at most.
        forecast: lets a VWAP follow the volume of the day; one expected volume for each slice.
        problem: what ADAPTIVE solves again before every slice, with days as its unit of time and the volume that
            `forecast` expects.
        rate: of POV, own shares per share that others trade.
        display: of ICEBERG and PEG, shares shown at once; `display_jitter` varies it by up to that fraction.
        reach: dollars a share beyond the far side at which an aggressive child is priced, so that it trades also where
            the quoted size is too small or the quote moves; never beyond the price limit.
        patience: the part of a slice after which ESCALATE turns aggressive, 0 to 1.
        interval: how often POV, ICEBERG and PEG look, and the least time for which a pegged child rests.
        expected_cost_bps: of the plan, against arrival; for the analysis afterwards.
        tag: a name that whoever gives it knows it by; its slices bear it, too.

    Raises:
        InvalidOrder: names the field that is missing or contradictory.
    """

    parent_id: str = UNNAMED
    symbol: str
    side: OrderSide
    quantity: Decimal
    algorithm: Algorithm
    start: datetime
    end: datetime
    lot: Decimal = ONE
    schedule: Schedule | None = None
    forecast: VolumeForecast | None = None
    problem: ShortfallProblem | None = None
    rate: Decimal | None = None
    display: Decimal | None = None
    display_jitter: Decimal = ZERO
    limits: ParentLimits = ParentLimits()
    placement: Placement = Placement.ESCALATE
    reach: Decimal = ZERO
    patience: Decimal = Decimal("0.6")
    interval: timedelta = timedelta(seconds=10)
    at_end: AtEnd = AtEnd.CANCEL
    seed: int = 0
    strategy: str = ""
    reduce_only: bool = False
    expected_cost_bps: Decimal | None = None
    tag: str = ""

    def __post_init__(self) -> None:
        if not self.parent_id or not self.symbol:
            raise InvalidOrder("parent_id", "a parent needs an id and a symbol")
        if self.tag != "" and not is_tag(self.tag):
            raise InvalidOrder("tag", f"at most {LONGEST_TAG} printable characters")
        _require_words(self)
        _read_numbers(self, "quantity", "lot", "rate", "display", "display_jitter", "reach", "patience")
        whole_lots(self.quantity, self.lot)
        if self.start.tzinfo is None or self.end.tzinfo is None or self.end <= self.start:
            raise InvalidOrder("end", "start and end need a time zone, and the end must be after the start")
        if not (self.patience.is_finite() and ZERO <= self.patience <= ONE):
            raise InvalidOrder("patience", f"{self.patience} must lie between 0 and 1")
        if not (self.reach.is_finite() and self.reach >= ZERO):
            raise InvalidOrder("reach", f"{self.reach} must be at least 0")
        if self.interval <= timedelta(0):
            raise InvalidOrder("interval", "must be above zero")
        _require_schedule(self)
        _require_parameters(self)


_WORDS: tuple[tuple[str, type[StrEnum]], ...] = (
    ("side", OrderSide),
    ("algorithm", Algorithm),
    ("placement", Placement),
    ("at_end", AtEnd),
)


def _require_words(order: ParentOrder) -> None:
    """Text stands for the word that it says, as in an `Order`; taken as it is, a purchase would be no purchase."""
    for name, words in _WORDS:
        given = getattr(order, name)
        if type(given) is words:
            continue
        try:
            msgspec.structs.force_setattr(order, name, words(given))
        except ValueError:
            raise InvalidOrder(name, f"{given!r} is none of {', '.join(words)}") from None


def _require_schedule(order: ParentOrder) -> None:
    if order.algorithm is Algorithm.TWAP and order.schedule is None:
        slices = min(max(-((order.start - order.end) // USUAL_SLICE), 1), MAX_SLICES)
        evenly = twap_schedule(order.quantity, order.start, order.end, slices, order.lot)
        msgspec.structs.force_setattr(order, "schedule", evenly)
    schedule = order.schedule
    if order.algorithm.is_scheduled != (schedule is not None):
        needs = f'needs one; a signal with execution="{order.algorithm}" gets one made'
        raise InvalidOrder("schedule", f"{order.algorithm} {needs if schedule is None else 'takes none'}")
    if schedule is None:
        return
    require_sum(schedule, order.quantity, order.lot)
    if schedule.start < order.start or schedule.end > order.end:
        raise InvalidOrder("schedule", "must lie between start and end")
    if order.forecast is not None and len(order.forecast.expected) != len(schedule.slices):
        raise InvalidOrder("forecast", f"needs one expected volume for each of the {len(schedule.slices)} slices")


def _require_parameters(order: ParentOrder) -> None:
    kind = order.algorithm
    if (kind is Algorithm.ADAPTIVE) != (order.problem is not None):
        raise InvalidOrder("problem", f"{kind} {'needs one' if order.problem is None else 'takes none'}")
    if order.problem is not None and order.schedule is not None:
        if order.forecast is None:
            raise InvalidOrder("forecast", "adaptive needs the volume that it expects")
        if order.problem.slices != len(order.schedule.slices):
            raise InvalidOrder("problem", f"needs as many slices as the schedule, {len(order.schedule.slices)}")
    if (kind is Algorithm.POV) != (order.rate is not None):
        raise InvalidOrder("rate", f"{kind} {'needs one' if order.rate is None else 'takes none'}")
    if order.rate is not None and not (order.rate.is_finite() and ZERO < order.rate <= ONE):
        raise InvalidOrder("rate", f"{order.rate} must be above 0 and at most 1")
    shows = kind in (Algorithm.ICEBERG, Algorithm.PEG)
    if shows != (order.display is not None):
        raise InvalidOrder("display", f"{kind} {'needs one' if shows else 'takes none'}")
    if order.display is not None:
        whole_lots(order.display, order.lot)
    if kind is Algorithm.ICEBERG and order.limits.price is None:
        raise InvalidOrder("price", "an iceberg needs a price limit, at which it rests")
    if not (order.display_jitter.is_finite() and ZERO <= order.display_jitter < ONE):
        raise InvalidOrder("display_jitter", f"{order.display_jitter} must be at least 0 and below 1")
    if order.at_end is AtEnd.COMPLETE and not kind.is_scheduled:
        raise InvalidOrder("at_end", f"{kind} has no last slice to complete in; take cancel")
    if kind.is_auction and order.quantity % ONE:
        raise InvalidOrder("quantity", "auctions take whole shares only")
    if kind.is_auction and order.limits.participation is not None:
        raise InvalidOrder("participation", "an auction has no volume before it; make the order smaller instead")


class ParentStatus(StrEnum):
    """Where a parent stands."""

    WORKING = "working"
    PAUSED = "paused"  # until somebody resumes it
    STOPPING = "stopping"  # waits for its children to end
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"  # its time ran out before it was filled
    FAILED = "failed"  # something happened that the algorithm has no answer to

    @property
    def is_final(self) -> bool:
        """Nothing more will be sent."""
        return self in _FINAL


_FINAL = frozenset({ParentStatus.COMPLETED, ParentStatus.CANCELLED, ParentStatus.EXPIRED, ParentStatus.FAILED})


class Child(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One order of the parent.

    Attributes:
        number: from 1 on; part of its id.
        filled: shares so far; `value`: the dollars that they traded for.
        price: its limit, None for an auction order without one.
        aggressive: it was priced at the far side.
        slice_number: of the schedule, -1 where there is none.
        cancel_asked_at: when we last asked for its cancellation.
    """

    number: int
    quantity: Decimal
    placed_at: datetime
    price: Decimal | None = None
    aggressive: bool = False
    slice_number: int = -1
    status: OrderStatus = OrderStatus.SENT
    filled: Decimal = ZERO
    value: Decimal = ZERO
    cancel_asked_at: datetime | None = None

    @property
    def leaves(self) -> Decimal:
        """Shares that may still trade, in doubt ones included."""
        return max(self.quantity - self.filled, ZERO) if self.status.is_open else ZERO


class ParentState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything the walker remembers of a parent.

    Attributes:
        quantity: shares wanted now: the parent's, or less after a reduction.
        schedule: in force now: the parent's, or a faster one.
        status, reason: why it paused or ended; `becomes`: its final status once no child is open.
        at: of the last step; time never runs backwards.
        children: all of them, by number.
        open_children: numbers of those that may trade.
        filled, value: shares and dollars of all fills.
        slice_number: of the running slice; `slice_quota`: what it may trade; `slice_base`: filled when it began.
        looked_at: when POV last saw the market; after a gap it starts counting anew, so that nothing is caught up.
        volume_base, filled_base: where POV counts from.
        rejections: in a row; `not_before`: nothing is sent earlier.
        deadline: the earliest end seen so far.
        speed: factor on the rate of POV.
    """

    order: ParentOrder
    quantity: Decimal
    at: datetime
    deadline: datetime
    schedule: Schedule | None = None
    status: ParentStatus = ParentStatus.WORKING
    reason: str = ""
    becomes: ParentStatus = ParentStatus.CANCELLED
    children: tuple[Child, ...] = ()
    open_children: tuple[int, ...] = ()
    filled: Decimal = ZERO
    value: Decimal = ZERO
    slice_number: int = -1
    slice_quota: Decimal = ZERO
    slice_base: Decimal = ZERO
    looked_at: datetime | None = None
    volume_base: Decimal = ZERO
    filled_base: Decimal = ZERO
    rejections: int = 0
    not_before: datetime | None = None
    speed: Decimal = ONE

    @property
    def outstanding(self) -> Decimal:
        """Shares that may still trade: working, in doubt, or being cancelled."""
        return sum((self.children[number - 1].leaves for number in self.open_children), ZERO)

    @property
    def remaining(self) -> Decimal:
        """Shares that are neither filled nor outstanding."""
        return max(self.quantity - self.filled - self.outstanding, ZERO)

    @property
    def in_doubt(self) -> bool:
        """A child may or may not be at the broker."""
        return any(self.children[number - 1].status is OrderStatus.IN_DOUBT for number in self.open_children)

    def child_id(self, number: int) -> str:
        """The client order id of a child."""
        return f"{self.order.parent_id}-{number}"


def new_parent(order: ParentOrder) -> ParentState:
    """The state of a parent before its first step."""
    deadline = min(order.end, order.start + order.limits.max_duration)
    return ParentState(order=order, quantity=order.quantity, at=order.start, deadline=deadline, schedule=order.schedule)
