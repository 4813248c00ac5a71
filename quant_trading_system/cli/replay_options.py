"""What the commands share that trade prices of the past: which prices, which days, which account."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from quant_trading_system.cli.price_lookup import named_prices
from quant_trading_system.cli.sizing_options import chosen_sizing
from quant_trading_system.core.exceptions import ConfigurationError, MarketDataError
from quant_trading_system.core.numbers import exact

if TYPE_CHECKING:
    from quant_trading_system.app.bootstrap import Setup
    from quant_trading_system.core.instruments import Universe
    from quant_trading_system.market.history import PriceHistory

BUNDLED = "sp500"
PAY_OUT, _HOLD = "pay-out", "hold"


class Stamps(StrEnum):
    """Which end of an intraday bar its time names."""

    START = "start"
    END = "end"


StrategyName = Annotated[
    str, typer.Argument(help="One that ships, such as momentum; FILE.py, FILE.py:CLASS or MODULE:CLASS.")
]
Prices = Annotated[
    str, typer.Option(help="A CSV or Parquet file, a directory of such files, or sp500 for the bundled prices.")
]
Symbols = Annotated[str, typer.Option(help="Only these, separated by commas; for files of one stock, its symbol.")]
First = Annotated[
    datetime | None,
    typer.Option("--from", formats=["%Y-%m-%d"], help="First day to trade; earlier bars are the strategy's past."),
]
Last = Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day to trade.")]
Cash = Annotated[str, typer.Option(help="Dollars at the start.")]
Seed = Annotated[int, typer.Option(help="Decides every random number of market and venue.")]
Limits = Annotated[Path | None, typer.Option(help="Your risk_params.yaml instead of the shipped one.")]
UniverseFile = Annotated[Path | None, typer.Option("--universe", help="CSV of what may be traded, with sectors.")]
Timezone = Annotated[str, typer.Option(help="Of intraday times without a zone, such as America/New_York.")]
StampsAre = Annotated[
    Stamps, typer.Option("--timestamps", help="Whether intraday bars are labelled by their start or end.")
]
Sort = Annotated[bool, typer.Option("--sort", help="Sort unsorted rows instead of refusing them.")]
Decimals = Annotated[
    int | None,
    typer.Option(min=0, max=6, help="Round prices to so many decimals; else more than six are refused."),
]
Spread = Annotated[str, typer.Option("--spread-bps", help="Quoted spread in basis points; 0 for one tick.")]
Ended = Annotated[
    str,
    typer.Option(
        help="Holdings whose prices end: pay-out at the last close, hold, or the part of it paid, such as 30%."
    ),
]


def chosen_prices(
    place: str, symbols: str, *, stamps: Stamps, timezone: str, sort: bool, decimals: int | None
) -> tuple[PriceHistory, Universe | None, str]:
    """The prices, what may be traded where they come with that, and what they are called on record.

    Raises:
        MarketDataError: a file that is refused; says which option helps.
    """
    wanted = [symbol.strip().upper() for symbol in symbols.split(",") if symbol.strip()]
    if place == BUNDLED:
        from quant_trading_system.market.bundled import SP500_SOURCE, load_sp500
        from quant_trading_system.market.universes import sp500_20

        return load_sp500(symbols=wanted or None), sp500_20(), SP500_SOURCE
    from quant_trading_system.market.loading import load_prices

    ends: Literal["start", "end"] = "end" if stamps is Stamps.END else "start"
    load = partial(load_prices, place, timestamps=ends, timezone=timezone or None, sort=sort, decimals=decimals)
    try:
        history = named_prices(load, wanted)
    except MarketDataError as error:
        raise MarketDataError(_in_words_of_the_command(str(error))) from None
    return (history.select(wanted) if wanted else history), None, Path(place).name or Path(place).resolve().name


def _in_words_of_the_command(message: str) -> str:
    """The library speaks of its arguments; people at a terminal know options."""
    for argument, option in _OPTIONS.items():
        message = message.replace(argument, option)
    return message


_OPTIONS = {
    "sort=True": "--sort",
    "timezone=": "--timezone ",
    'symbol="': '--symbols "',  # and not the directories symbol=KO
    "symbol= ": "--symbols ",
    "decimals=": "--decimals ",
}


def chosen_span(history: PriceHistory, first: datetime | None, last: datetime | None) -> tuple[PriceHistory, int]:
    """The prices up to the last day, and the number of the first bar to trade, the one of the first day or after it.

    Raises:
        ConfigurationError: the days are in the wrong order or not in the prices.
    """
    import numpy as np

    if first is not None and last is not None and first > last:
        raise ConfigurationError(f"--from {first.date()} is after --to {last.date()}; swap them")
    begin, end = history.dates[0].item(), history.dates[-1].item()
    if last is not None:
        if last.date() < begin:
            raise ConfigurationError(f"--to {last.date()}: the prices cover {begin} to {end}; choose a day in between")
        history = history.between(date.min, last.date())
    if first is None:
        return history, 0
    bar = int(history.dates.searchsorted(np.datetime64(first.date(), "D")))
    if bar == len(history):
        until = "" if last is None else f" until {last.date()}"
        raise ConfigurationError(
            f"--from {first.date()}: no bar follows{until}; the prices cover {begin} to {end}; choose a day in between"
        )
    return history, bar


def chosen_setup(
    *,
    cash: str,
    seed: int,
    limits: Path | None,
    universe: Path | None,
    may_trade: Universe | None,
    spread: str,
    ended: str,
    sizers: list[str],
    policy: list[str],
    data: str,
) -> Setup:
    """The account that the options describe, without strategies.

    Raises:
        ConfigurationError: a value or a file that is refused.
    """
    from quant_trading_system.app.bootstrap import Costs, Setup
    from quant_trading_system.config.loader import load_limits

    sizer, worked = chosen_sizing(sizers, policy)
    return Setup(
        cash=dollars_of(cash, "--cash"),
        seed=seed,
        limits=load_limits(limits) if limits else None,
        universe=_universe(universe) or may_trade,
        sizer=sizer,
        own_weights=sizer is None,
        policy=worked,
        costs=Costs(spread_bps=dollars_of(spread, "--spread-bps", or_zero=True)),
        ended=_ended(ended),
        data=data,
    )


def _ended(text: str) -> Decimal | None:
    """The part of the last close at which holdings are paid out, a fraction; None to hold them.

    Raises:
        ConfigurationError: it is none of the three.
    """
    if text == _HOLD:
        return None
    number, percent, rest = ("100", "%", "") if text == PAY_OUT else text.partition("%")
    try:
        part = exact(number).scaleb(-2)
    except ValueError:
        part = None
    if part is None or part < 0 or not percent or rest:
        raise ConfigurationError(
            f"--ended {text}: choose {PAY_OUT}, {_HOLD} or per cent of the last close, such as 30%"
        )
    return part


def _universe(path: Path | None) -> Universe | None:
    if path is None:
        return None
    from quant_trading_system.market.universes import load_universe

    return load_universe(path)


def dollars_of(text: str, option: str, *, or_zero: bool = False) -> Decimal:
    """Dollars or basis points above zero, or at least zero.

    Raises:
        ConfigurationError: the text is no such number; names the option.
    """
    try:
        value = exact(text)
    except ValueError as error:
        raise ConfigurationError(f"{option}: {error}") from None
    if value < 0 or not (value or or_zero):
        raise ConfigurationError(f"{option}: {value} must be {'zero or above' if or_zero else 'above zero'}")
    return value


def run_directory(chosen: Path | None, kind: str) -> Path:
    """A directory that holds no run yet: the one chosen, or the next free one of `kind` in runs.

    Raises:
        ConfigurationError: it cannot be made, or is not empty.
    """
    if chosen is None:
        return free_directory(kind)
    try:
        chosen.mkdir(mode=0o700, parents=True, exist_ok=True)
        is_empty = not any(chosen.iterdir())
    except OSError as error:
        why = "is a file" if chosen.is_file() else f"cannot be made or read ({error.strerror or error})"
        raise ConfigurationError(f"--out {chosen} {why}; name a directory for the run") from error
    if not is_empty:
        raise ConfigurationError(f"{chosen} is not empty; a run needs a directory of its own")
    return chosen


def free_directory(kind: str) -> Path:
    """The first of ``runs/KIND-1``, ``runs/KIND-2``, … that is not there yet."""
    number = 1
    while (path := Path("runs") / f"{kind}-{number}").exists():
        number += 1
    return path
