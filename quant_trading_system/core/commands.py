"""What a person may ask of a running engine, and what it answers: imperatives, as plain data.

Every way in (the command line, the HTTP interface, the console) sends the same structs. Unknown fields are refused,
and decimals travel as text: a float is refused, for it is not the number that somebody wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, ClassVar, get_args

import msgspec

from quant_trading_system.core.approval_events import ApprovalAnswer
from quant_trading_system.core.basket_commands import CheckBasket
from quant_trading_system.core.basket_shown import BasketLine
from quant_trading_system.core.command import Command, Fields, Identity, Key, Person, Reason, Source, require_printable
from quant_trading_system.core.decisions import Decision
from quant_trading_system.core.halt_scope import HaltScope
from quant_trading_system.core.orders import (
    OrderSide,
    TimeInForce,
)
from quant_trading_system.core.rebalance_commands import PreviewRebalance, Rebalance
from quant_trading_system.core.rebalance_shown import RebalanceShown
from quant_trading_system.core.roles import Role
from quant_trading_system.core.ticket import Ticket

MAX_REQUEST_BYTES = 64 * 1024
"""Largest request that is read."""

_ORDER: Fields = {"symbol": "KO", "side": "buy", "quantity": "10", "order_type": "limit", "limit_price": "60.10"}
_ORDER_ID: Fields = {"order_id": "qts7-124bffc90666-12-0"}
_PARENT_ID: Fields = {"parent_id": "qts7-124bffc90666-13"}
_WHY: Fields = {"reason": "earnings tonight"}


class PlaceOrder(Ticket, frozen=True, kw_only=True, tag="place_order"):
    """Send an order, through the same gate as every other."""

    needs: ClassVar[Role] = Role.TRADER
    example: ClassVar[Fields] = _ORDER


class Check(Ticket, frozen=True, kw_only=True, tag="check"):
    """Ask the gate what it would say to an order. Nothing is sent and nothing goes on record."""

    needs: ClassVar[Role] = Role.TRADER
    example: ClassVar[Fields] = _ORDER


class ReplaceOrder(Command, frozen=True, kw_only=True, tag="replace_order"):
    """Put a changed order in the place of an open one; what is left out stays.

    Attributes:
        quantity: shares in all, what has filled already included.
        trail: dollars or percent, whichever the trailing stop has.
    """

    needs: ClassVar[Role] = Role.TRADER
    example: ClassVar[Fields] = {**_ORDER_ID, "limit_price": "60.05"}

    order_id: Identity
    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail: Decimal | None = None
    time_in_force: TimeInForce | None = None


class Cancel(Command, frozen=True, kw_only=True, tag="cancel"):
    """Cancel one order."""

    needs: ClassVar[Role] = Role.TRADER
    example: ClassVar[Fields] = {**_ORDER_ID, **_WHY}
    stops: ClassVar[bool] = True

    order_id: Identity
    reason: Reason = ""


class CancelAll(Command, frozen=True, kw_only=True, tag="cancel_all"):
    """Cancel every open order and parent order, or those of a symbol, or of a strategy.

    Attributes:
        symbol, strategy: narrow it down; empty for all.
        keep_exits: leave orders alone that are proven to shrink a position.
    """

    needs: ClassVar[Role] = Role.TRADER
    example: ClassVar[Fields] = {"symbol": "KO", "keep_exits": True, **_WHY}
    stops: ClassVar[bool] = True

    symbol: str = ""
    strategy: str = ""
    keep_exits: bool = False
    reason: Reason = ""


class StopLevel(StrEnum):
    """How much to stop."""

    REDUCING = "reducing"
    HALTED = "halted"


class Stop(Command, frozen=True, kw_only=True):
    """What a halt is about: the whole account, unless something narrows it.

    Attributes:
        symbol, strategy, side: only such orders; `side` sell means short positions, too.
    """

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    symbol: str = ""
    strategy: str = ""
    side: OrderSide | None = None

    @property
    def scope(self) -> HaltScope:
        """As the kill switch names it."""
        return HaltScope(symbol=self.symbol.strip().upper(), strategy=self.strategy.strip(), side=self.side)


class Halt(Stop, frozen=True, kw_only=True, tag="halt"):
    """Stop orders now, all of them or some: activate the kill switch."""

    needs: ClassVar[Role] = Role.TRADER
    example: ClassVar[Fields] = _WHY
    stops: ClassVar[bool] = True

    level: StopLevel = StopLevel.HALTED


class Flatten(Stop, frozen=True, kw_only=True, tag="flatten"):
    """Stop orders, cancel what is working and close every position, or those of a symbol, a strategy or a side."""

    needs: ClassVar[Role] = Role.RISK
    example: ClassVar[Fields] = _WHY
    stops: ClassVar[bool] = True


class StartParent(Command, frozen=True, kw_only=True, tag="start_parent"):
    """Trade a quantity by an execution algorithm; all of it is judged by the gate before the first slice.

    Attributes:
        quantity: shares.
        algorithm: ``auto`` lets the planner choose, else the name of an algorithm.
        limit_price: worst price, dollars a share.
        minutes: take no longer; None for what the planner thinks best.
        participation: own shares per share of others, at most; None for the policy's.
        display: of ``iceberg`` and ``peg``, shares shown at once.
    """

    needs: ClassVar[Role] = Role.TRADER
    example: ClassVar[Fields] = {
        "symbol": "KO",
        "side": "sell",
        "quantity": "5000",
        "algorithm": "twap",
        "minutes": 60,
    }

    symbol: Identity
    side: OrderSide
    quantity: Decimal
    algorithm: str = "auto"
    limit_price: Decimal | None = None
    minutes: Annotated[int, msgspec.Meta(ge=1, le=24 * 60)] | None = None
    participation: Decimal | None = None
    display: Decimal | None = None
    reduce_only: bool = False


class PauseParent(Command, frozen=True, kw_only=True, tag="pause_parent"):
    """Send no more slices and cancel the one that is out, until `ResumeParent`."""

    needs: ClassVar[Role] = Role.TRADER
    example: ClassVar[Fields] = {**_PARENT_ID, **_WHY}
    stops: ClassVar[bool] = True

    parent_id: Identity
    reason: Reason = ""


class ResumeParent(Command, frozen=True, kw_only=True, tag="resume_parent"):
    """Let a paused parent order go on."""

    needs: ClassVar[Role] = Role.TRADER
    example: ClassVar[Fields] = _PARENT_ID

    parent_id: Identity


class SpeedUpParent(Command, frozen=True, kw_only=True, tag="speed_up_parent"):
    """Trade `factor` times as fast from now on; its limits stay."""

    needs: ClassVar[Role] = Role.TRADER
    example: ClassVar[Fields] = {**_PARENT_ID, "factor": "1.5"}

    parent_id: Identity
    factor: Decimal


class ReduceParent(Command, frozen=True, kw_only=True, tag="reduce_parent"):
    """Want only `quantity` shares of a parent order in all; what has filled stays."""

    needs: ClassVar[Role] = Role.TRADER
    example: ClassVar[Fields] = {**_PARENT_ID, "quantity": "2500"}
    stops: ClassVar[bool] = True

    parent_id: Identity
    quantity: Decimal


class CancelParent(Command, frozen=True, kw_only=True, tag="cancel_parent"):
    """Stop a parent order for good; what has filled stays."""

    needs: ClassVar[Role] = Role.TRADER
    example: ClassVar[Fields] = {**_PARENT_ID, **_WHY}
    stops: ClassVar[bool] = True

    parent_id: Identity
    reason: Reason = ""


class ArmStrategy(Command, frozen=True, kw_only=True, tag="arm_strategy"):
    """Let a strategy speak again."""

    needs: ClassVar[Role] = Role.RISK
    example: ClassVar[Fields] = {"strategy": "Trend", **_WHY}

    strategy: Identity
    reason: Reason = ""


class DisarmStrategy(Command, frozen=True, kw_only=True, tag="disarm_strategy"):
    """Listen to a strategy no more, also after a restart, and cancel what it has working, but for exits."""

    needs: ClassVar[Role] = Role.TRADER
    example: ClassVar[Fields] = {"strategy": "Trend", **_WHY}
    stops: ClassVar[bool] = True

    strategy: Identity
    reason: Reason = ""


class Reconcile(Command, frozen=True, kw_only=True, tag="reconcile"):
    """Compare the books with the broker's now."""

    needs: ClassVar[Role] = Role.TRADER
    example: ClassVar[Fields] = {}


class ProposeLimits(Command, frozen=True, kw_only=True, tag="propose_limits"):
    """Want other limits: what is tighter is in force at once, what is looser waits for approval.

    Attributes:
        values: the text of each limit by ``section.key``, as in the limits file.
        until: raise them until this moment only; None changes them for good.
    """

    needs: ClassVar[Role] = Role.RISK
    example: ClassVar[Fields] = {"values": {"risk.max_position_pct": "0.08"}, "why": "earnings season"}

    values: dict[Identity, Annotated[str, msgspec.Meta(max_length=1000)]]
    why: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    until: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


class AnswerApproval(Command, frozen=True, kw_only=True, tag="answer_approval"):
    """Say yes or no to what waits for people; a yes is to `content`, the hash of what the person was shown."""

    needs: ClassVar[Role] = Role.RISK
    example: ClassVar[Fields] = {"approval": "limits-3", "answer": "yes", "content": "5f1c9f86d081"}

    approval: Identity
    answer: ApprovalAnswer
    content: str = ""
    reason: Reason = ""


AnyCommand = (
    PlaceOrder
    | Check
    | CheckBasket
    | ReplaceOrder
    | Cancel
    | CancelAll
    | Halt
    | Flatten
    | StartParent
    | PauseParent
    | ResumeParent
    | SpeedUpParent
    | ReduceParent
    | CancelParent
    | ArmStrategy
    | DisarmStrategy
    | PreviewRebalance
    | Rebalance
    | Reconcile
    | ProposeLimits
    | AnswerApproval
)

COMMANDS: Mapping[str, type[Command]] = {str(kind.__struct_config__.tag): kind for kind in get_args(AnyCommand)}
"""Every command by its name."""


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command, and who gives it.

    Attributes:
        key: a request that is repeated with the same key acts once and gets the same answer.
        principal: the person or program that answers for it; `source`: the way in.
    """

    key: Key
    principal: Person
    source: Source
    command: AnyCommand

    def __post_init__(self) -> None:
        require_printable("principal", self.principal)


class Result(StrEnum):
    """What became of a command."""

    DONE = "done"  # the effect is final
    PENDING = "pending"  # asked for and not confirmed yet; follow the id in the answer
    REFUSED = "refused"  # nothing was done
    FAILED = "failed"  # not all of it could be done, or nobody knows; the message says what to look at


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer to a command.

    Attributes:
        message: one line for people; says what to do next where something is to be done.
        order_id, parent_id: what to follow; `status`: of it.
        rule, limit, actual: of a refusal by the gate.
        orders: ids of the orders that a command about several has asked to end.
        decision: every answer of the gate; of `Check` only.
        rebalance: the trades that were planned, with cost and risk.
        basket: each order of `CheckBasket` with the gate's verdict.
    """

    result: Result
    message: str
    order_id: str = ""
    parent_id: str = ""
    status: str = ""
    rule: str = ""
    limit: Decimal | None = None
    actual: Decimal | None = None
    orders: tuple[str, ...] = ()
    decision: Decision | None = None
    rebalance: RebalanceShown | None = None
    basket: tuple[BasketLine, ...] = ()
