"""The Rust engine of nautilus_trader 2, on Python 3.13, under strategies that are told what to send after each bar."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from nautilus_trader.backtest import BacktestEngine, BacktestEngineConfig
from nautilus_trader.common import LoggerConfig
from nautilus_trader.execution import FixedFeeModel
from nautilus_trader.model import (
    AccountType,
    Bar,
    BarType,
    Currency,
    Equity,
    InstrumentId,
    Money,
    OmsType,
    OrderSide,
    Price,
    Quantity,
    QuoteTick,
    Symbol,
    Venue,
)
from nautilus_trader.trading import Strategy

from tools.peers.work import Done, Limit, Side, listens, rests, trades

VENUE = Venue("XNYS")
USD = Currency.from_str("USD")


class Made(Strategy):  # type: ignore[misc]  # without types
    """A strategy with arguments of its own, which the engine's `__new__` does not take."""

    def __new__(cls, *_: Any) -> Any:
        return super().__new__(cls)


class Trader(Made):
    """Sends a market order where the side of an instrument says so."""

    def __init__(self, bar_types: Sequence[Any], sides: dict[Any, Side], shares: int) -> None:
        super().__init__()
        self.bar_types, self.sides, self.size = bar_types, sides, Quantity.from_int(shares)
        self.sent = self.filled = self.buys = 0

    def on_start(self) -> None:
        for bar_type in self.bar_types:
            self.subscribe_bars(bar_type)

    def on_bar(self, bar: Any) -> None:
        instrument = bar.bar_type.instrument_id
        side = self.sides[instrument](bar.close.as_double())
        if side:
            self.sent += 1
            self.buys += side > 0
            way = OrderSide.BUY if side > 0 else OrderSide.SELL
            self.submit_order(self.order_factory.market(instrument, way, self.size))

    def on_order_filled(self, event: Any) -> None:  # noqa: ARG002 - of the engine
        self.filled += 1


class Rester(Made):
    """Leaves a limit after each bar, and cancels the one before."""

    def __init__(self, bar_type: Any, limit: Limit, shares: int) -> None:
        super().__init__()
        self.bar_type, self.limit, self.size = bar_type, limit, Quantity.from_int(shares)
        self.working: Any = None
        self.sent = self.cancelled = 0

    def on_start(self) -> None:
        self.subscribe_bars(self.bar_type)

    def on_bar(self, bar: Any) -> None:
        if self.working is not None:
            self.cancel_order(self.working.client_order_id)
        price = self.limit(bar.close.as_double())
        if price is not None:
            self.sent += 1
            instrument, price = self.bar_type.instrument_id, Price(price, 2)
            self.working = self.order_factory.limit(instrument, OrderSide.BUY, self.size, price)
            self.submit_order(self.working)

    def on_order_canceled(self, event: Any) -> None:  # noqa: ARG002 - of the engine
        self.cancelled += 1


class Listener(Made):
    """Hears quotes and does nothing."""

    def __init__(self, instrument: Any) -> None:
        super().__init__()
        self.instrument, self.heard = instrument, 0

    def on_start(self) -> None:
        self.subscribe_quotes(self.instrument.id)

    def on_quote(self, quote: Any) -> None:  # noqa: ARG002 - nothing is done with it
        self.heard += 1


class Market:
    """Instruments with their bars, for one engine after the other."""

    def __init__(self, frames: Sequence[Any], cash: float, fee: float) -> None:
        self.cash, self.fee = cash, fee
        self.instruments = [_equity(number) for number in range(len(frames))]
        self.bar_types = [BarType.from_str(f"{one.id}-1-MINUTE-LAST-EXTERNAL") for one in self.instruments]
        self.bars = [_bars(bar_type, frame) for bar_type, frame in zip(self.bar_types, frames, strict=True)]

    def run(self, strategy: Any) -> tuple[float, list[int]]:
        """Cash and shares held at the end."""
        engine = _engine(self.cash, self.fee, self.instruments)
        for bars in self.bars:
            engine.add_data(bars, sort=bars is self.bars[-1])
        engine.add_strategy(strategy)
        engine.run()
        balance = engine.cache.account_for_venue(VENUE).balance_total(USD).as_double()
        held = [int(engine.portfolio.net_position(one.id)) for one in self.instruments]
        engine.dispose()
        return balance, held


def _bars(bar_type: Any, frame: Any) -> list[Any]:
    stamps = frame.index.astype("int64").tolist()
    rows = frame[["open", "high", "low", "close"]].itertuples(index=False)
    volume = Quantity.from_int(50_000)
    return [
        Bar(bar_type, *(Price(price, 2) for price in row), volume, stamp, stamp)
        for stamp, row in zip(stamps, rows, strict=True)
    ]


def _engine(cash: float, fee: float, instruments: Sequence[Any]) -> Any:
    engine = BacktestEngine(BacktestEngineConfig(logging=LoggerConfig(bypass_logging=True), run_analysis=False))
    engine.add_venue(
        VENUE, OmsType.NETTING, AccountType.CASH, [Money(cash, USD)], base_currency=USD,
        fee_model=FixedFeeModel(Money.from_str(f"{Decimal(str(fee))} USD")),
    )  # fmt: skip
    for instrument in instruments:
        engine.add_instrument(instrument)
    return engine


def _equity(number: int) -> Any:
    symbol = Symbol(f"S{number:03d}")
    return Equity(
        instrument_id=InstrumentId(symbol, VENUE), raw_symbol=symbol, currency=USD, price_precision=2,
        price_increment=Price.from_str("0.01"), lot_size=Quantity.from_int(1), ts_event=0, ts_init=0,
    )  # fmt: skip


def trader(frames: Sequence[Any], *, cash: float, fee: float, shares: int) -> Callable[[list[Side]], Done]:
    """Sends market orders."""
    market = Market(frames, cash, fee)

    def trade(sides: list[Side]) -> Done:
        asked = dict(zip((one.id for one in market.instruments), sides, strict=True))
        strategy = Trader(market.bar_types, asked, shares)
        cash_left, held = market.run(strategy)
        return Done(strategy.sent, strategy.filled, strategy.buys, cash_left, held)

    return trade


def rester(frames: Sequence[Any], *, cash: float, fee: float, shares: int) -> Callable[[Limit], Done]:
    """Leaves limits and cancels them."""
    market = Market(frames, cash, fee)

    def rest(limit: Limit) -> Done:
        strategy = Rester(market.bar_types[0], limit, shares)
        cash_left, held = market.run(strategy)
        return Done(strategy.sent, strategy.cancelled, 0, cash_left, held)

    return rest


def listener(pairs: Sequence[tuple[float, float]], *, cash: float) -> Callable[[], int]:
    """How many quotes were heard."""
    instrument, size = _equity(0), Quantity.from_int(100)
    ticks = [
        QuoteTick(instrument.id, Price(bid, 2), Price(ask, 2), size, size, number, number)
        for number, (bid, ask) in enumerate(pairs, 1)
    ]

    def listen() -> int:
        engine, strategy = _engine(cash, 0.0, [instrument]), Listener(instrument)
        engine.add_data(ticks)
        engine.add_strategy(strategy)
        engine.run()
        return strategy.heard

    return listen


KNOWS = {**dict.fromkeys(("W1", "W2", "W3", "W7"), trades(trader)), "W3b": rests(rester), "W5": listens(listener)}
