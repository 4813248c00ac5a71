"""The Rust engine of nautilus_trader 2, on Python 3.13, under a strategy that is told its side after each bar."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from nautilus_trader.backtest import BacktestEngine, BacktestEngineConfig
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

VENUE = Venue("XNYS")
USD = Currency.from_str("USD")


class Trader(Strategy):  # type: ignore[misc]  # without types
    """Sends a market order where `side` says so."""

    def __new__(cls, *_: Any) -> Trader:
        made: Trader = super().__new__(cls)
        return made

    def __init__(self, bar_type: Any, instrument: Any, side: Callable[[float], int], shares: int) -> None:
        super().__init__()
        self.bar_type, self.instrument, self.side = bar_type, instrument, side
        self.size = Quantity.from_int(shares)
        self.sent = self.filled = self.buys = 0

    def on_start(self) -> None:
        self.subscribe_bars(self.bar_type)

    def on_bar(self, bar: Any) -> None:
        side = self.side(bar.close.as_double())
        if side:
            self.sent += 1
            self.buys += side > 0
            way = OrderSide.BUY if side > 0 else OrderSide.SELL
            self.submit_order(self.order_factory.market(self.instrument.id, way, self.size))

    def on_order_filled(self, event: Any) -> None:  # noqa: ARG002 - of the engine
        self.filled += 1


class Listener(Strategy):  # type: ignore[misc]  # without types
    """Hears quotes and does nothing."""

    def __new__(cls, *_: Any) -> Listener:
        made: Listener = super().__new__(cls)
        return made

    def __init__(self, instrument: Any) -> None:
        super().__init__()
        self.instrument, self.heard = instrument, 0

    def on_start(self) -> None:
        self.subscribe_quotes(self.instrument.id)

    def on_quote(self, quote: Any) -> None:  # noqa: ARG002 - nothing is done with it
        self.heard += 1


def listener(pairs: Sequence[tuple[float, float]], *, cash: float) -> Callable[[], int]:
    """How many quotes were heard."""
    instrument, size = _equity(), Quantity.from_int(100)
    ticks = [
        QuoteTick(instrument.id, Price(bid, 2), Price(ask, 2), size, size, number, number)
        for number, (bid, ask) in enumerate(pairs, 1)
    ]

    def run() -> int:
        engine = BacktestEngine(BacktestEngineConfig(bypass_logging=True, run_analysis=False))
        engine.add_venue(
            VENUE, OmsType.NETTING, AccountType.CASH, [Money(cash, USD)], base_currency=USD,
            fee_model=FixedFeeModel(Money(0.0, USD)),
        )  # fmt: skip
        engine.add_instrument(instrument)
        engine.add_data(ticks)
        strategy = Listener(instrument)
        engine.add_strategy(strategy)
        engine.run()
        return strategy.heard

    return run


def _equity() -> Equity:
    return Equity(
        instrument_id=InstrumentId(Symbol("S000"), VENUE), raw_symbol=Symbol("S000"), currency=USD, price_precision=2,
        price_increment=Price.from_str("0.01"), lot_size=Quantity.from_int(1), ts_event=0, ts_init=0,
    )  # fmt: skip


def runner(
    frame: Any, side: Callable[[float], int], *, cash: float, fee: float, shares: int
) -> Callable[[], tuple[int, int, int, float, int]]:
    """Orders, fills, buys, cash and shares held at the end."""
    instrument = _equity()
    bar_type = BarType.from_str(f"{instrument.id}-1-MINUTE-LAST-EXTERNAL")
    stamps = frame.index.astype("int64").tolist()
    rows = frame[["open", "high", "low", "close"]].itertuples(index=False)
    bars = [
        Bar(bar_type, *(Price(price, 2) for price in row), Quantity.from_int(50_000), stamp, stamp)
        for stamp, row in zip(stamps, rows, strict=True)
    ]

    def run() -> tuple[int, int, int, float, int]:
        engine = BacktestEngine(BacktestEngineConfig(bypass_logging=True, run_analysis=False))
        engine.add_venue(
            VENUE, OmsType.NETTING, AccountType.CASH, [Money(cash, USD)], base_currency=USD,
            fee_model=FixedFeeModel(Money.from_str(f"{Decimal(str(fee))} USD")),
        )  # fmt: skip
        engine.add_instrument(instrument)
        engine.add_data(bars)
        trader = Trader(bar_type, instrument, side, shares)
        engine.add_strategy(trader)
        engine.run()
        balance = engine.cache.account_for_venue(VENUE).balance_total(USD).as_double()
        held = int(engine.portfolio.net_position(instrument.id))
        return trader.sent, trader.filled, trader.buys, balance, held

    return run
