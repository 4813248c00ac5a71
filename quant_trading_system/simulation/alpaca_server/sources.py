"""Where the venue's prices come from: real closes that ship with the package, a user's file, or a random walk."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import NamedTuple

from quant_trading_system.core.exceptions import ConfigurationError, InvalidNumber
from quant_trading_system.core.instruments import Instrument, Universe, is_symbol
from quant_trading_system.core.numbers import nearest_tick, positive
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.market.sessions import NEW_YORK, TradingCalendar
from quant_trading_system.simulation.alpaca_server.price_path import PricePaths
from quant_trading_system.simulation.alpaca_server.random_market import random_history
from quant_trading_system.simulation.alpaca_server.venue_time import AlwaysOpenCalendar, exchange_calendar
from quant_trading_system.simulation.realism import PLAIN, Realism

SP500 = "sp500"
RANDOM = "random"
DEFAULT_PRICES = {"SPY": Decimal(570), "AAPL": Decimal(190), "MSFT": Decimal(410)}
"""What a random market trades unless symbols are named."""
_OPEN_BEFORE = timedelta(days=1)
"""How long before its first day an always open market was open: minutes old at a Monday's midnight, it has a past."""

_WELL_KNOWN = {"SPY": "SPDR S&P 500 ETF Trust", "QQQ": "Invesco QQQ Trust", "AAPL": "Apple Inc.", "MSFT": "Microsoft"}


class Scene(NamedTuple):
    """A market and the moment at which it is entered.

    Attributes:
        calendar: the sessions of the venue; `exchange`: those of the exchange, whatever the venue does.
        start: aware, when the venue's time begins.
        replays: it is history that is played again, not the present day.
    """

    paths: PricePaths
    calendar: TradingCalendar
    exchange: TradingCalendar
    instruments: Mapping[str, Instrument]
    start: datetime
    replays: bool


class Wishes(NamedTuple):
    """What the user asked for.

    Attributes:
        source: `SP500`, `RANDOM`, or the path of a file or directory of prices.
        symbols: what is traded, with dollars a share now in a random market and None in others; empty for all.
        begin: the first day that is traded; today for a random market and the latest year otherwise.
        universe: instruments with their flags; every symbol may be traded in every way without it.
        steps: prices per session; one every second without it.
        realism: how spread and volume go through the day, and what orders do to prices.
    """

    source: str
    symbols: Mapping[str, Decimal | None]
    begin: date | None
    seed: int
    always_open: bool
    universe: Universe | None = None
    steps: int | None = None
    realism: Realism = PLAIN


def read_symbols(text: str) -> dict[str, Decimal | None]:
    """Read ``SPY:570,AAPL:190`` or ``SPY,AAPL``.

    Raises:
        ConfigurationError: it is neither.
    """
    found: dict[str, Decimal | None] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        symbol, _, price = part.partition(":")
        if not is_symbol(symbol) or symbol in found:
            raise ConfigurationError(f"{part!r} is no symbol, or named twice; write SPY:570,AAPL:190")
        try:
            found[symbol] = nearest_tick(positive(price)) if price else None
        except InvalidNumber as error:
            raise ConfigurationError(f"the price of {symbol}: {error}") from None
    return found


def open_scene(wishes: Wishes, now: datetime) -> Scene:
    """Prepare the market.

    Raises:
        MarketDataError: the prices cannot be read, or there are none on the first day.
        ConfigurationError: symbols and source do not fit.
    """
    return _random_scene(wishes, now) if wishes.source == RANDOM else _replay(wishes)


def _random_scene(wishes: Wishes, now: datetime) -> Scene:
    exchange = exchange_calendar()
    start = now if wishes.begin is None else _opening(exchange, wishes.begin)
    today = start.astimezone(NEW_YORK).date()
    calendar = AlwaysOpenCalendar(exchange, today - _OPEN_BEFORE) if wishes.always_open else exchange
    prices = {symbol: price for symbol, price in wishes.symbols.items() if price is not None}
    if len(prices) < len(wishes.symbols):
        raise ConfigurationError("a random market needs the price of every symbol, such as --symbols SPY:570,AAPL:190")
    prices = prices or DEFAULT_PRICES
    history = random_history(prices, calendar, now=start, last_day=exchange.last_day, seed=wishes.seed)
    return _scene(wishes, history, calendar, exchange, start, replays=False)


def _replay(wishes: Wishes) -> Scene:
    exchange = exchange_calendar()
    history = _read(wishes.source, exchange)
    if wishes.symbols:
        history = history.select(wishes.symbols)
    last: date = history.dates[-1].item()
    begin = wishes.begin or max(last - timedelta(days=365), history.dates[0].item())
    start = _opening(exchange, begin)
    history.between(begin, last)  # refuses days without prices
    return _scene(wishes, history, exchange, exchange, start, replays=True)


def _scene(
    wishes: Wishes,
    history: PriceHistory,
    calendar: TradingCalendar,
    exchange: TradingCalendar,
    start: datetime,
    *,
    replays: bool,
) -> Scene:
    paths = PricePaths(history, calendar, seed=wishes.seed, steps=wishes.steps, realism=wishes.realism)
    return Scene(paths, calendar, exchange, _instruments(wishes, history), start, replays)


def _read(source: str, calendar: TradingCalendar) -> PriceHistory:
    if source == SP500:
        from quant_trading_system.market.bundled import load_sp500

        return load_sp500()
    from quant_trading_system.market.loading import load_prices

    return load_prices(source, calendar=calendar, timezone=NEW_YORK.key)


def _opening(calendar: TradingCalendar, day: date) -> datetime:
    """The first opening on or after a day."""
    midnight = datetime.combine(day, time(), NEW_YORK)
    return calendar.next_open(midnight - timedelta(microseconds=1))


def _instruments(wishes: Wishes, history: PriceHistory) -> Mapping[str, Instrument]:
    if wishes.universe is None:
        return {symbol: _instrument(wishes.source, symbol) for symbol in history.symbols}
    missing = [symbol for symbol in history.symbols if symbol not in wishes.universe]
    if missing:
        raise ConfigurationError(f"the universe does not list {', '.join(missing[:10])}; add them, or choose symbols")
    return {symbol: wishes.universe[symbol] for symbol in history.symbols}


def _instrument(source: str, symbol: str) -> Instrument:
    name = _WELL_KNOWN.get(symbol, symbol)
    if source == SP500:
        from quant_trading_system.market.universes import sp500_20

        name = sp500_20()[symbol].name
    return Instrument(symbol=symbol, name=name, fractionable=True, shortable=True)
