"""What Alpaca's trading interface says, as it says it.

Fields that nobody here needs are ignored, fields that may be missing have a default, and words that name a
state stay text, so that a new field or a new word breaks nothing. Numbers are exact and finite or the whole
message is refused. Times keep microseconds; the broker's nanoseconds are rounded to them.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, get_args, get_type_hints

import msgspec

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""An aware time; one without a zone is refused."""


class Wire(msgspec.Struct, frozen=True, kw_only=True):
    """Base of everything that is read from the wire.

    Raises:
        ValueError: a number is infinite or none at all; msgspec turns it into its `ValidationError`.
    """

    def __post_init__(self) -> None:
        for name in _number_fields(type(self)):
            value = getattr(self, name)
            if value is not None and not value.is_finite():
                raise ValueError(f"{name} is {value}")


@cache
def _number_fields(model: type[Wire]) -> tuple[str, ...]:
    hints = get_type_hints(model)
    return tuple(name for name in model.__struct_fields__ if Decimal in (hints[name], *get_args(hints[name])))


_GROUPS = frozenset({"bracket", "oco", "oto"})


class AlpacaOrder(Wire, frozen=True, kw_only=True):
    """An order as Alpaca sees it.

    Attributes:
        qty: shares, None for an order in dollars; `notional`: dollars, None for an order in shares.
        filled_qty: shares executed so far.
        status, type, time_in_force, order_class: Alpaca's words, also new ones.
        legs: the exits of a bracket, OCO or OTO group, where the answer carries them.
    """

    id: str
    client_order_id: str
    symbol: str
    side: str
    status: str
    filled_qty: Decimal
    qty: Decimal | None = None
    notional: Decimal | None = None
    filled_avg_price: Decimal | None = None
    type: str = ""
    order_class: str = ""
    time_in_force: str = ""
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    hwm: Decimal | None = None
    extended_hours: bool = False
    position_intent: str | None = None
    created_at: Moment | None = None
    updated_at: Moment | None = None
    submitted_at: Moment | None = None
    filled_at: Moment | None = None
    expired_at: Moment | None = None
    expires_at: Moment | None = None
    canceled_at: Moment | None = None
    failed_at: Moment | None = None
    replaced_at: Moment | None = None
    replaced_by: str | None = None
    replaces: str | None = None
    legs: tuple[AlpacaOrder, ...] | None = None

    @property
    def is_grouped(self) -> bool:
        """It leads a bracket, OCO or OTO group, or is a leg of one."""
        return self.order_class in _GROUPS


class TradeUpdate(Wire, frozen=True, kw_only=True):
    """One message of the stream of order updates.

    Attributes:
        order: the whole order after the event.
        price, qty: dollars a share and shares of this execution alone; set for fills.
        position_qty: shares held after it, negative when short.
    """

    event: str
    order: AlpacaOrder
    timestamp: Moment | None = None
    at: Moment | None = None
    price: Decimal | None = None
    qty: Decimal | None = None
    position_qty: Decimal | None = None
    execution_id: str = ""
    event_id: str = ""


class FillActivity(Wire, frozen=True, kw_only=True):
    """One execution in the account's activities, the broker's own bookkeeping.

    Attributes:
        id: sorts by time; ends with the execution id after ``::``.
        qty: shares of this execution alone; `cum_qty`: of the order so far, this one included.
    """

    id: str
    order_id: str
    symbol: str
    side: str
    qty: Decimal
    price: Decimal
    cum_qty: Decimal
    transaction_time: Moment
    leaves_qty: Decimal | None = None
    type: str = ""
    order_status: str = ""

    @property
    def execution_id(self) -> str:
        """As the stream names the same execution."""
        return self.id.rpartition("::")[2]


class Activity(Wire, frozen=True, kw_only=True):
    """Any row of the activities: fills, dividends, fees, transfers."""

    id: str
    activity_type: str
    date: str | None = None
    transaction_time: Moment | None = None
    symbol: str | None = None
    qty: Decimal | None = None
    price: Decimal | None = None
    net_amount: Decimal | None = None
    per_share_amount: Decimal | None = None
    status: str | None = None
    description: str | None = None


class AlpacaPosition(Wire, frozen=True, kw_only=True):
    """A position as Alpaca sees it; `qty` is negative when short."""

    symbol: str
    qty: Decimal
    avg_entry_price: Decimal
    side: str = ""
    asset_id: str = ""
    exchange: str = ""
    qty_available: Decimal | None = None
    market_value: Decimal | None = None
    cost_basis: Decimal | None = None
    unrealized_pl: Decimal | None = None
    unrealized_plpc: Decimal | None = None
    unrealized_intraday_pl: Decimal | None = None
    unrealized_intraday_plpc: Decimal | None = None
    current_price: Decimal | None = None
    lastday_price: Decimal | None = None
    change_today: Decimal | None = None


class AlpacaAccount(Wire, frozen=True, kw_only=True):
    """The account; dollars."""

    id: str
    account_number: str
    status: str
    cash: Decimal
    equity: Decimal
    currency: str = "USD"
    last_equity: Decimal | None = None
    buying_power: Decimal | None = None
    regt_buying_power: Decimal | None = None
    non_marginable_buying_power: Decimal | None = None
    long_market_value: Decimal | None = None
    short_market_value: Decimal | None = None
    initial_margin: Decimal | None = None
    maintenance_margin: Decimal | None = None
    last_maintenance_margin: Decimal | None = None
    sma: Decimal | None = None
    multiplier: Decimal | None = None
    accrued_fees: Decimal | None = None
    pending_transfer_in: Decimal | None = None
    pending_transfer_out: Decimal | None = None
    trading_blocked: bool = False
    transfers_blocked: bool = False
    account_blocked: bool = False
    trade_suspended_by_user: bool = False
    shorting_enabled: bool = False
    created_at: Moment | None = None

    @property
    def obstacle(self) -> str:
        """Why the account cannot trade; empty when it can."""
        if self.status != "ACTIVE":
            return f"its status is {self.status}"
        flags = ("trading_blocked", "account_blocked", "trade_suspended_by_user")
        return ", ".join(flag for flag in flags if getattr(self, flag))


class AccountConfigurations(Wire, frozen=True, kw_only=True):
    """What the owner of the account has set."""

    suspend_trade: bool | None = None
    no_shorting: bool | None = None
    fractional_trading: bool | None = None
    max_margin_multiplier: str | None = None
    trade_confirm_email: str | None = None
    ptp_no_exception_entry: bool | None = None
    disable_overnight_trading: bool | None = None


class Asset(Wire, frozen=True, kw_only=True):
    """What may be traded, and how."""

    id: str
    symbol: str
    status: str
    tradable: bool
    name: str = ""
    exchange: str = ""
    marginable: bool = False
    shortable: bool = False
    easy_to_borrow: bool = False
    fractionable: bool = False
    borrow_status: str | None = None
    margin_requirement_long: str | None = None
    margin_requirement_short: str | None = None
    attributes: tuple[str, ...] | None = None


class BrokerClock(Wire, frozen=True, kw_only=True):
    """The broker's clock; regular sessions only."""

    timestamp: Moment
    is_open: bool
    next_open: Moment
    next_close: Moment


class CalendarDay(Wire, frozen=True, kw_only=True):
    """A trading day; `open` and `close` in New York time, such as ``09:30``."""

    date: date
    open: str
    close: str
    session_open: str = ""
    session_close: str = ""
    settlement_date: str = ""


class PortfolioHistory(Wire, frozen=True, kw_only=True):
    """Equity over time; lists of one length.

    Attributes:
        timestamp: unix seconds, the start of each interval.
        equity, profit_loss: dollars; `profit_loss_pct`: a fraction.
    """

    timestamp: tuple[int, ...]
    equity: tuple[Decimal | None, ...]
    profit_loss: tuple[Decimal | None, ...]
    profit_loss_pct: tuple[Decimal | None, ...]
    timeframe: str
    base_value: Decimal | None = None
    base_value_asof: str | None = None


class _Item(Wire, frozen=True, kw_only=True):
    """One entry of an answer that judges many things, with a status of its own."""

    status: int
    body: msgspec.Raw = msgspec.Raw(b"null")


class CancelItem(_Item, frozen=True, kw_only=True):
    """One entry of the answer to cancelling all orders."""

    id: str


class CloseItem(_Item, frozen=True, kw_only=True):
    """One entry of the answer to closing all positions."""

    symbol: str


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one order or position in a bulk request.

    Attributes:
        name: the order id or the symbol.
        refusal: the broker's words, empty when it agreed.
        order: the order that closes the position, where the answer carries it.
    """

    name: str
    code: int = 0
    refusal: str = ""
    order: AlpacaOrder | None = None

    @property
    def is_done(self) -> bool:
        """The broker agreed; a cancel has happened only when an update says so."""
        return not self.refusal


Loose = dict[str, Any]
"""A JSON object that is only looked into."""
