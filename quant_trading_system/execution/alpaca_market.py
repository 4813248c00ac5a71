"""Alpaca's market data: its rows as they are on the wire, in REST answers and on the stream, and our words for them.

Prices come as JSON numbers and are read from their text; as MessagePack doubles they stand for their shortest
decimal text. Nothing is rounded.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from msgspec import field

from quant_trading_system.core.numbers import ZERO, is_on_tick
from quant_trading_system.execution.alpaca_models import Moment, Wire
from quant_trading_system.market.history import Bar
from quant_trading_system.market.quotes import Quote


class TradeRow(Wire, frozen=True, kw_only=True):
    """One trade; `update` tells that it was ``canceled``, ``corrected`` or ``incorrect``."""

    at: Moment = field(name="t")
    price: Decimal = field(name="p")
    size: Decimal = field(name="s")
    trade_id: int | str = field(name="i", default=0)
    exchange: str = field(name="x", default="")
    conditions: tuple[str, ...] | None = field(name="c", default=())
    tape: str = field(name="z", default="")
    update: str = field(name="u", default="")


class QuoteRow(Wire, frozen=True, kw_only=True):
    """Best bid and offer; a price of 0 means that nobody bids or offers. Sizes in shares."""

    at: Moment = field(name="t")
    bid: Decimal = field(name="bp")
    ask: Decimal = field(name="ap")
    bid_size: Decimal = field(name="bs", default=ZERO)
    ask_size: Decimal = field(name="as", default=ZERO)
    bid_exchange: str = field(name="bx", default="")
    ask_exchange: str = field(name="ax", default="")
    conditions: tuple[str, ...] | None = field(name="c", default=())
    tape: str = field(name="z", default="")


class BarRow(Wire, frozen=True, kw_only=True):
    """One bar; `start` is the beginning of a minute, or midnight in New York of a day."""

    start: Moment = field(name="t")
    open: Decimal = field(name="o")
    high: Decimal = field(name="h")
    low: Decimal = field(name="l")
    close: Decimal = field(name="c")
    volume: Decimal = field(name="v")
    trades: int = field(name="n", default=0)
    vwap: Decimal | None = field(name="vw", default=None)


class Snapshot(Wire, frozen=True, kw_only=True):
    """The latest of everything about one symbol."""

    trade: TradeRow | None = field(name="latestTrade", default=None)
    quote: QuoteRow | None = field(name="latestQuote", default=None)
    minute_bar: BarRow | None = field(name="minuteBar", default=None)
    daily_bar: BarRow | None = field(name="dailyBar", default=None)
    previous_daily_bar: BarRow | None = field(name="prevDailyBar", default=None)


# -- on the stream: the same with a symbol, told apart by ``T`` ----------------------------------------------------


class StreamTrade(TradeRow, frozen=True, kw_only=True, tag_field="T", tag="t"):
    """A trade."""

    symbol: str = field(name="S")


class StreamQuote(QuoteRow, frozen=True, kw_only=True, tag_field="T", tag="q"):
    """A quote."""

    symbol: str = field(name="S")


class StreamBar(BarRow, frozen=True, kw_only=True, tag_field="T", tag="b"):
    """A bar of the minute that has just ended."""

    symbol: str = field(name="S")


class StreamUpdatedBar(BarRow, frozen=True, kw_only=True, tag_field="T", tag="u"):
    """A minute's bar anew, after a late trade."""

    symbol: str = field(name="S")


class StreamDailyBar(BarRow, frozen=True, kw_only=True, tag_field="T", tag="d"):
    """The day so far."""

    symbol: str = field(name="S")


class StreamStatus(Wire, frozen=True, kw_only=True, tag_field="T", tag="s"):
    """Trading in a symbol was halted or resumed; codes differ by tape."""

    symbol: str = field(name="S")
    at: Moment = field(name="t")
    code: str = field(name="sc", default="")
    text: str = field(name="sm", default="")
    reason_code: str = field(name="rc", default="")
    reason: str = field(name="rm", default="")
    tape: str = field(name="z", default="")

    @property
    def is_trading(self) -> bool:
        """Trading goes on (``T`` on tape C, ``3`` on the others); every other code stops or restricts it."""
        return self.code in ("T", "3")


class StreamBand(Wire, frozen=True, kw_only=True, tag_field="T", tag="l"):
    """Limit up, limit down: the band that prices must stay in."""

    symbol: str = field(name="S")
    at: Moment = field(name="t")
    upper: Decimal = field(name="u")
    lower: Decimal = field(name="d")
    indicator: str = field(name="i", default="")


class StreamCorrection(Wire, frozen=True, kw_only=True, tag_field="T", tag="c"):
    """A trade was reported wrongly."""

    symbol: str = field(name="S")
    at: Moment = field(name="t")
    old_id: int | str = field(name="oi", default=0)
    old_price: Decimal | None = field(name="op", default=None)
    new_id: int | str = field(name="ci", default=0)
    new_price: Decimal | None = field(name="cp", default=None)
    new_size: Decimal | None = field(name="cs", default=None)


class StreamCancelledTrade(Wire, frozen=True, kw_only=True, tag_field="T", tag="x"):
    """A trade does not count."""

    symbol: str = field(name="S")
    at: Moment = field(name="t")
    trade_id: int | str = field(name="i", default=0)
    price: Decimal | None = field(name="p", default=None)
    size: Decimal | None = field(name="s", default=None)


class StreamImbalance(Wire, frozen=True, kw_only=True, tag_field="T", tag="i"):
    """Buyers and sellers do not meet in an auction or a pause."""

    symbol: str = field(name="S")
    at: Moment = field(name="t")
    price: Decimal | None = field(name="p", default=None)


class StreamSubscription(Wire, frozen=True, kw_only=True, tag_field="T", tag="subscription"):
    """The complete set of what is subscribed."""

    trades: tuple[str, ...] = ()
    quotes: tuple[str, ...] = ()
    bars: tuple[str, ...] = ()
    updated_bars: tuple[str, ...] = field(name="updatedBars", default=())
    daily_bars: tuple[str, ...] = field(name="dailyBars", default=())
    statuses: tuple[str, ...] = ()
    lulds: tuple[str, ...] = ()

    def of(self, channel: str) -> tuple[str, ...]:
        """The symbols of a channel by its name on the wire."""
        names = {"updatedBars": self.updated_bars, "dailyBars": self.daily_bars}
        found: tuple[str, ...] = names[channel] if channel in names else getattr(self, channel)
        return found


class StreamError(Wire, frozen=True, kw_only=True, tag_field="T", tag="error"):
    """Something was refused or went wrong."""

    code: int = 0
    text: str = field(name="msg", default="")


class StreamSuccess(Wire, frozen=True, kw_only=True, tag_field="T", tag="success"):
    """``connected`` or ``authenticated``."""

    text: str = field(name="msg", default="")


Row = StreamTrade | StreamQuote | StreamBar | StreamUpdatedBar | StreamDailyBar
Condition = StreamStatus | StreamBand | StreamCorrection | StreamCancelledTrade | StreamImbalance
Control = StreamSubscription | StreamError | StreamSuccess
StreamItem = Row | Condition | Control


# -- in our words --------------------------------------------------------------------------------------------------


def to_quote(
    symbol: str,
    row: QuoteRow,
    *,
    received_at: datetime,
    source: str,
    sequence: int = 0,
    last: Decimal | None = None,
) -> Quote:
    """A quote for the board; whether it can be relied on, its `flaw` tells."""
    return Quote(
        symbol=symbol,
        bid=row.bid,
        ask=row.ask,
        at=row.at.astimezone(UTC),
        received_at=received_at,
        last=last,
        bid_size=row.bid_size,
        ask_size=row.ask_size,
        source=source,
        sequence=sequence,
    )


def to_bar(symbol: str, row: BarRow, span: timedelta = timedelta(minutes=1)) -> Bar:
    """An intraday bar of length `span`; what is left of a fraction of a share in its volume does not count."""
    start = row.start.astimezone(UTC)
    return Bar(
        symbol=symbol,
        start=start,
        end=start + span,
        open=row.open,
        high=row.high,
        low=row.low,
        close=row.close,
        volume=int(row.volume),
    )


def flaw_of(row: QuoteRow) -> str:
    """What is odd about the prices of a quote although they are numbers; empty when nothing is."""
    if row.bid < 0 or row.ask < 0:
        return "a negative price"
    if not (is_on_tick(row.bid) and is_on_tick(row.ask)):
        return "a price between two ticks"
    return ""
