"""What planning commands need to know of a stock: price, volume, volatility and spread, given or read from prices."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quant_trading_system.core.exceptions import ConfigurationError, UnnamedPrices
from quant_trading_system.core.numbers import exact

if TYPE_CHECKING:
    from quant_trading_system.execution.algo.profile import VolumeProfile
    from quant_trading_system.market.history import PriceHistory

Prices = Annotated[
    str,
    typer.Option(
        help="A CSV or Parquet file, a directory of such files, or sp500 for the bundled prices: "
        "price, volatility and volume."
    ),
]
Price = Annotated[str, typer.Option(help="Dollars a share; by default the last close.", show_default=False)]
Adv = Annotated[str, typer.Option("--adv", help="Average shares a day; by default from the file.", show_default=False)]
Volatility = Annotated[
    str, typer.Option(help="Of a day, such as 0.015; by default from the closes.", show_default=False)
]
Spread = Annotated[
    str, typer.Option("--spread-bps", help="Quoted spread; by default that of the liquidity.", show_default=False)
]
Impact = Annotated[
    Path | None,
    typer.Option("--impact", help="Calibrated impact, from `qts algo calibrate --out`.", show_default="by liquidity"),
]

_DAYS_OF_VOLUME = 21
_DAYS_OF_VOLATILITY = 63


class Seen:
    """What a price file tells of a symbol, read only when something is missing on the command line."""

    def __init__(self, symbol: str, place: str, *, needed: bool, until: datetime | None) -> None:
        self._symbol = symbol
        self._history: PriceHistory | None = _history(symbol, place) if needed else None
        if self._history is not None and until is not None:
            self._history = self._history.between(date.min, until)

    @property
    def last_day(self) -> date | None:
        """The day of the last bar."""
        if self._history is None:
            return None
        day: date = self._history.dates[-1].item()
        return day

    def price(self, given: str) -> Decimal:
        """Dollars a share: what was given, else the last close."""
        if given or self._history is None:
            return number_of(given, "--price")
        return next(
            close
            for row in range(len(self._history) - 1, -1, -1)
            if (close := self._history.close(self._symbol, row)) is not None
        )

    def volume(self, given: str) -> Decimal:
        """Shares a day: what was given, else the average of the latest days."""
        if given or self._history is None:
            return number_of(given, "--adv")
        if self._history.volume is None:
            raise ConfigurationError("the prices carry no volume: give the average shares a day with --adv")
        known = self._history.volume[:, self._history.column_of(self._symbol)]
        by_day: dict[date, int] = {}
        for day, shares in zip(self._history.dates.tolist(), known.tolist(), strict=True):
            if shares > 0:
                by_day[day] = by_day.get(day, 0) + shares
        latest = list(by_day.values())[-_DAYS_OF_VOLUME:]
        if not latest:
            raise ConfigurationError(f"no volume of {self._symbol} is known: give the average shares a day with --adv")
        return Decimal(sum(latest) // len(latest))

    def volatility(self, given: str) -> Decimal:
        """Of a day's return: what was given, else that of the latest days."""
        if given or self._history is None:
            return number_of(given, "--volatility")
        from itertools import pairwise
        from math import isnan
        from statistics import stdev

        from quant_trading_system.core.numbers import from_float

        column = self._history.closes_as_float()[:, self._history.column_of(self._symbol)]
        days = zip(self._history.dates.tolist(), column.tolist(), strict=True)
        closes = {day: close for day, close in days if not isnan(close)}  # the last one of each day
        latest = list(closes.values())[-_DAYS_OF_VOLATILITY - 1 :]
        if len(latest) < 3:
            raise ConfigurationError("too few days for a volatility: give that of a day with --volatility, as 0.015")
        return from_float(stdev(b / a - 1 for a, b in pairwise(latest)), 6)

    def profile(self) -> VolumeProfile:
        """The profile of the day where intraday volumes tell it, else a usual one."""
        from quant_trading_system.execution.algo.advice import USUAL_PROFILE
        from quant_trading_system.execution.algo.profile import profile_from_bars
        from quant_trading_system.market.sessions import TradingCalendar

        history = self._history
        if history is None or history.is_daily or history.volume is None:
            return USUAL_PROFILE
        first, last = history.dates[0].item(), history.dates[-1].item()
        return profile_from_bars(history, self._symbol, TradingCalendar.nyse(first, last), 13)


def _history(symbol: str, place: str) -> PriceHistory:
    if place == "sp500":
        from quant_trading_system.market.bundled import load_sp500

        return load_sp500(symbols=[symbol])
    from quant_trading_system.market.loading import load_prices

    return named_prices(partial(load_prices, place), [symbol]).select([symbol])


def named_prices(load: Callable[..., PriceHistory], wanted: list[str]) -> PriceHistory:
    """What `load` reads; of the one symbol wanted where the files are of one stock and do not say which, or another.

    Args:
        load: takes the symbol of files that do not name one as `symbol`.

    Raises:
        MarketDataError: a file that is refused.
    """
    try:
        history = load()
    except UnnamedPrices:
        if len(wanted) != 1:
            raise
        return load(symbol=wanted[0])
    is_other = len(wanted) == len(history.symbols) == 1 and wanted != list(history.symbols)
    return load(symbol=wanted[0]) if is_other else history


def usual_spread(given: str, mid: Decimal, daily: Decimal) -> Decimal:
    """Dollars a share: what was given in basis points, else what is usual for the dollars that the stock trades."""
    from quant_trading_system.core.numbers import BASIS_POINT, from_float, tick_of
    from quant_trading_system.execution.algo.impact import DEFAULTS, liquidity_of

    if given:
        return number_of(given, "--spread-bps") * BASIS_POINT * mid
    usual = from_float(DEFAULTS[liquidity_of(float(mid), float(daily))].spread, 6)
    return max((usual * mid).quantize(tick_of(mid)), tick_of(mid))


def number_of(text: str, option: str) -> Decimal:
    """The exact number in the text of an option.

    Raises:
        ConfigurationError: it is none; names the option.
    """
    try:
        return exact(text)
    except ValueError as error:
        raise ConfigurationError(f"{option}: {error}") from None
