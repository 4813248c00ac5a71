"""The event-driven engine of nautilus_trader under a strategy that is told its side after each bar."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.backtest.models import FixedFeeModel
from nautilus_trader.config import LoggingConfig, StrategyConfig
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.data import BarType, QuoteTick
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import Equity
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.persistence.wranglers import BarDataWrangler
from nautilus_trader.trading.strategy import Strategy

VENUE = Venue("XNYS")


class Trader(Strategy):  # type: ignore[misc]  # without types
    """Sends a market order where `side` says so."""

    def __init__(self, bar_type: Any, instrument: Any, side: Callable[[float], int], shares: int) -> None:
        super().__init__(StrategyConfig())
        self.bar_type, self.instrument, self.side = bar_type, instrument, side
        self.quantity = Quantity.from_int(shares)
        self.sent = self.filled = self.buys = 0

    def on_start(self) -> None:
        self.subscribe_bars(self.bar_type)

    def on_bar(self, bar: Any) -> None:
        side = self.side(bar.close.as_double())
        if side:
            self.sent += 1
            self.buys += side > 0
            way = OrderSide.BUY if side > 0 else OrderSide.SELL
            self.submit_order(self.order_factory.market(self.instrument.id, way, self.quantity))

    def on_order_filled(self, event: Any) -> None:  # noqa: ARG002 - of the engine
        self.filled += 1


class Listener(Strategy):  # type: ignore[misc]  # without types
    """Hears quotes and does nothing."""

    def __init__(self, instrument: Any) -> None:
        super().__init__(StrategyConfig())
        self.instrument, self.heard = instrument, 0

    def on_start(self) -> None:
        self.subscribe_quote_ticks(self.instrument.id)

    def on_quote_tick(self, tick: Any) -> None:  # noqa: ARG002 - nothing is done with it
        self.heard += 1


def listener(pairs: Sequence[tuple[float, float]], *, cash: float) -> Callable[[], int]:
    """How many quotes were heard."""
    instrument, size = _equity(), Quantity.from_int(100)
    ticks = [
        QuoteTick(instrument.id, Price(bid, 2), Price(ask, 2), size, size, number, number)
        for number, (bid, ask) in enumerate(pairs, 1)
    ]

    def run() -> int:
        engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
        engine.add_venue(VENUE, OmsType.NETTING, AccountType.CASH, [Money(cash, USD)], base_currency=USD)
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
    bars = BarDataWrangler(bar_type, instrument).process(frame.tz_localize("UTC"))

    def run() -> tuple[int, int, int, float, int]:
        engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
        engine.add_venue(
            VENUE, OmsType.NETTING, AccountType.CASH, [Money(cash, USD)], base_currency=USD,
            fee_model=FixedFeeModel(Money(Decimal(str(fee)), USD)),
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
