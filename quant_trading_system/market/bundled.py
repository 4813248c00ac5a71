"""Real prices that need no download: twenty S&P 500 companies, daily closes from 1990 to 2022.

They ship inside skfolio, which the extra ``optimiser`` installs. The file is read where it lies, without
importing skfolio, whose machine-learning libraries would take a second.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from quant_trading_system.core.exceptions import MarketDataError
from quant_trading_system.market.history import PriceHistory

SP500_SOURCE = (
    "Daily closes of 20 S&P 500 companies, 1990-01-02 to 2022-12-28, adjusted for splits and dividends; "
    "shipped with skfolio (BSD-3-Clause) for testing and example purposes"
)
"""Where the bundled prices come from; shown wherever they are used."""

SP500_SYMBOLS = (
    "AAPL",
    "AMD",
    "BAC",
    "BBY",
    "CVX",
    "GE",
    "HD",
    "JNJ",
    "JPM",
    "KO",
    "LLY",
    "MRK",
    "MSFT",
    "PEP",
    "PFE",
    "PG",
    "RRC",
    "UNH",
    "WMT",
    "XOM",
)
SP500_FIRST_DAY = date(1990, 1, 2)
SP500_LAST_DAY = date(2022, 12, 28)
SP500_BARS = 8313

_FILE = "datasets/data/sp500_dataset.csv.gz"
_REMEDY = 'install a known one with pip install "quant-trading-system[optimiser]"'


def load_sp500(
    start: date | None = None, end: date | None = None, symbols: Iterable[str] | None = None
) -> PriceHistory:
    """Real daily closes of up to twenty stocks, exact as published (three decimals); see `SP500_SOURCE`.

    Args:
        start, end: first and last date, both included; the whole span without them.
        symbols: some of `SP500_SYMBOLS`; all without it.

    Raises:
        MarketDataError: skfolio is not installed or ships other prices, or nothing lies in the span.
    """
    history = _verified(_sp500_file())
    if symbols is not None:
        history = history.select(symbols)
    return history.between(start or SP500_FIRST_DAY, end or SP500_LAST_DAY)


def _sp500_file() -> Path:
    package = find_spec("skfolio")
    folders = package.submodule_search_locations if package is not None else None
    if not folders:
        raise MarketDataError(
            "the bundled S&P 500 prices come with skfolio, which is not installed: "
            'pip install "quant-trading-system[optimiser]"'
        )
    path = Path(folders[0], _FILE)
    if not path.is_file():
        raise MarketDataError(f"this version of skfolio ships no {_FILE}: {_REMEDY}")
    return path


@cache
def _verified(path: Path) -> PriceHistory:
    from quant_trading_system.market.loading import load_prices  # polars, which only the reading needs

    history = load_prices(path)
    found = (history.symbols, len(history), history.dates[0].item(), history.dates[-1].item())
    if found != (SP500_SYMBOLS, SP500_BARS, SP500_FIRST_DAY, SP500_LAST_DAY):
        raise MarketDataError(f"{path} holds other prices than expected ({history!r}): {_REMEDY}")
    return history
