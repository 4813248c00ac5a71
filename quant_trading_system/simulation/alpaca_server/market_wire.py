"""Market data in Alpaca's words: ticks and bars as the fields of its JSON and MessagePack messages.

Prices are JSON numbers on this wire. A price of whole micro-dollars divided by a million is the shortest
decimal number that names it, so nothing is lost on the way. Times stay nanoseconds until they are encoded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from quant_trading_system.market.history import MICROS
from quant_trading_system.simulation.alpaca_server.bars import Bars
from quant_trading_system.simulation.alpaca_server.live_market import Tick
from quant_trading_system.simulation.alpaca_server.price_path import Ticks
from quant_trading_system.simulation.paths import quoted_size

Row = dict[str, Any]
"""Fields of one trade, quote or bar; ``t`` holds nanoseconds since 1970."""

IEX = "V"
"""Exchange code of every trade and quote."""
_TAPES = {"NYSE": "A", "NASDAQ": "C"}
_REGIONAL = "B"
_LISTED_AT = {"NYSE": "N", "NASDAQ": "Q"}
_ARCA = "P"


def tape_of(exchange: str) -> str:
    """The letter of the tape that reports the trades of stocks listed there."""
    return _TAPES.get(exchange, _REGIONAL)


def listed_at(exchange: str) -> str:
    """The exchange code of the auctions of stocks listed there."""
    return _LISTED_AT.get(exchange, _ARCA)


def trade_row(tick: Tick, tape: str) -> Row:
    """A trade; its id is its time in microseconds, which no other trade of the symbol shares."""
    return {
        "t": tick.at,
        "x": IEX,
        "p": tick.last / MICROS,
        "s": tick.size,
        "c": ["@"],
        "i": tick.at // 1_000,
        "z": tape,
    }


def quote_row(tick: Tick, tape: str) -> Row:
    """A quote; sizes are shares."""
    return {
        "t": tick.at,
        "ax": IEX,
        "ap": tick.ask / MICROS,
        "as": quoted_size(tick.ask),
        "bx": IEX,
        "bp": tick.bid / MICROS,
        "bs": quoted_size(tick.bid),
        "c": ["R"],
        "z": tape,
    }


def trade_rows(ticks: Ticks, tape: str) -> list[Row]:
    """Every trade among the ticks."""
    return [trade_row(tick, tape) for tick in _each(ticks.cut(ticks.size > 0))]


def quote_rows(ticks: Ticks, tape: str) -> list[Row]:
    """The quote of every tick."""
    return [quote_row(tick, tape) for tick in _each(ticks)]


def bar_rows(bars: Bars) -> list[Row]:
    """Every bar."""
    columns = (column.tolist() for column in bars)
    return [
        {
            "t": at,
            "o": opened / MICROS,
            "h": high / MICROS,
            "l": low / MICROS,
            "c": close / MICROS,
            "v": volume,
            "n": trades,
            "vw": vwap / MICROS,
        }
        for at, opened, high, low, close, volume, trades, vwap in zip(*columns, strict=True)
    ]


def _each(ticks: Ticks) -> Iterator[Tick]:
    return map(Tick._make, zip(*(column.tolist() for column in ticks), strict=True))
