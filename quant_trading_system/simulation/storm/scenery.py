"""The market of a stormy day: a few stocks with seeded prices, some past, and a strategy that cannot sit still."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

import numpy as np

from quant_trading_system.core.instruments import Instrument, Universe
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce
from quant_trading_system.core.signals import Signal
from quant_trading_system.market.history import MICROS, PriceHistory
from quant_trading_system.market.time_axis import daily_axis
from quant_trading_system.simulation.alpaca_server.price_path import PricePaths
from quant_trading_system.simulation.alpaca_server.sources import Scene
from quant_trading_system.simulation.models import stream
from quant_trading_system.simulation.storm.timetable import Timetable
from quant_trading_system.trading.strategy import MarketView, Strategy

PRICES_A_DAY = 2341
"""One every ten seconds of a session of six and a half hours."""

_STOCKS = {"AAPL": 190, "JPM": 240, "KO": 65, "MSFT": 410, "XOM": 110}
_SECTORS = {"AAPL": "Technology", "JPM": "Financials", "KO": "Staples", "MSFT": "Technology", "XOM": "Energy"}
_PAST = 8
"""Sessions before the day."""
_DAILY = 0.012
_VOLUME = 20_000_000
_CENT = MICROS // 100


def stocks(seed: int) -> tuple[str, ...]:
    """Two to five symbols."""
    draw = stream(seed, "workload/stocks")
    return tuple(sorted(draw.sample(sorted(_STOCKS), draw.randint(2, len(_STOCKS)))))


def universe(symbols: tuple[str, ...]) -> Universe:
    """What may be traded."""
    return Universe(_instrument(symbol) for symbol in symbols)


def scene(seed: int, symbols: tuple[str, ...], start: datetime, timetable: Timetable) -> Scene:
    """The market until the last day of `timetable` ends, a price of each symbol every ten seconds, from `start` on."""
    calendar, last_day = timetable.calendar, timetable.last_day
    dates = [session.date for session in calendar.sessions_between(last_day - timedelta(days=30), last_day)]
    sessions = dates[-_PAST - 1 :]
    draw = stream(seed, "workload/prices")
    close = np.empty((len(sessions), len(symbols)), dtype=np.int64)
    for column, symbol in enumerate(symbols):
        price = float(_STOCKS[symbol])
        for row in range(len(sessions)):
            price *= 1 + draw.gauss(0, _DAILY)
            close[row, column] = round(price * 100) * _CENT
    history = PriceHistory(
        symbols,
        daily_axis(np.array(sessions, dtype="datetime64[D]"), calendar),
        close,
        np.ones(close.shape, np.bool_),
        volume=np.full(close.shape, _VOLUME, dtype=np.int64),
    )
    paths = PricePaths(history, calendar, seed=seed, steps=PRICES_A_DAY)
    return Scene(paths, calendar, calendar, {s: _instrument(s) for s in symbols}, start, replays=False)


class Gambler(Strategy):
    """Wants something else at nearly every bar: positions, orders of all types, and now and then nonsense.

    What it wants depends on seed, bar and symbol alone, so that a restart changes nothing about it.
    """

    name = "gambler"

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def on_bar(self, market: MarketView) -> Iterator[Signal | Order]:
        """A few wishes."""
        for symbol in market.symbols:
            draw = stream(self._seed, f"workload/{market.now:%d %H:%M}/{symbol}")
            luck = draw.random()
            close = market.close(symbol)
            if close is None or luck < 0.35:
                continue
            if luck < 0.65:
                weight = Decimal(draw.randint(1, 12)) / 100
                yield market.long(symbol, weight=weight, reason="a hunch")
            elif luck < 0.75:
                yield market.flat(symbol, reason="enough")
            else:
                yield _order(draw, symbol, close, market.position(symbol))


def _order(draw: Random, symbol: str, close: Decimal, held: Decimal) -> Order:
    """An order written out: limits on either side of the price, stops behind it, sales of a part; some are absurd."""
    quantity = Decimal(draw.choice((1, 3, 7, 10, 20, 40, 1_000_000)))
    side = draw.choice(tuple(OrderSide)) if held <= 0 else OrderSide.SELL
    if side is OrderSide.SELL and held > 0:
        quantity = min(quantity, held.to_integral_value())
    away = Decimal(draw.choice((-20, -5, -1, 1, 5, 20, 400))) / 1000 * side.sign
    price = (close * (1 - away)).quantize(Decimal("0.01"))
    kind = draw.choice((OrderType.MARKET, OrderType.LIMIT, OrderType.LIMIT, OrderType.LIMIT, OrderType.STOP))
    return Order(
        symbol=symbol,
        side=side,
        order_type=kind,
        time_in_force=draw.choice((TimeInForce.DAY, TimeInForce.DAY, TimeInForce.GTC, TimeInForce.IOC))
        if kind is not OrderType.STOP
        else TimeInForce.DAY,
        quantity=max(quantity, Decimal(1)),
        limit_price=price if kind is OrderType.LIMIT else None,
        stop_price=price if kind is OrderType.STOP else None,
    )


def _instrument(symbol: str) -> Instrument:
    return Instrument(symbol=symbol, sector=_SECTORS[symbol], fractionable=True, shortable=True)
