"""Historical auctions by request: `/v2/stocks/auctions`.

The first trade of a session is its opening auction, the last one its closing auction, as the prices of the daily
bar are. Both are reported by the exchange on which the stock is listed.
"""

from __future__ import annotations

from quant_trading_system.market.sessions import Session
from quant_trading_system.simulation.alpaca_server.bars import midnight_ns
from quant_trading_system.simulation.alpaca_server.codec import time_text
from quant_trading_system.simulation.alpaca_server.live_market import Tick, ns_of
from quant_trading_system.simulation.alpaca_server.market_wire import Row, listed_at, trade_row
from quant_trading_system.simulation.alpaca_server.price_path import Ticks

OFFICIAL_OPEN, OFFICIAL_CLOSE = "Q", "M"
"""Condition codes of the two auctions."""


def auctions_row(session: Session, ticks: Ticks, exchange: str, now: int) -> Row | None:
    """The auctions of a session until `now`, None before its opening one; ``t`` orders the rows by their day.

    Args:
        ticks: of the whole day.
        exchange: on which the stock is listed; `now`: nanoseconds since 1970.
    """
    traded = ticks.cut(ticks.size > 0).until(now)
    if not len(traded.at):
        return None
    closing = [_auction(traded, -1, exchange, OFFICIAL_CLOSE)] if ns_of(session.close) <= now else []
    return {
        "t": midnight_ns(session.date),
        "d": session.date.isoformat(),
        "o": [_auction(traded, 0, exchange, OFFICIAL_OPEN)],
        "c": closing,
    }


def shown_auctions(row: Row) -> Row:
    """A row as the broker answers it: its day is a date."""
    return {name: value for name, value in row.items() if name != "t"}


def _auction(traded: Ticks, place: int, exchange: str, condition: str) -> Row:
    trade = trade_row(Tick(*(column[place].item() for column in traded)), "")
    return {"t": time_text(trade["t"]), "x": listed_at(exchange), "p": trade["p"], "s": trade["s"], "c": condition}
