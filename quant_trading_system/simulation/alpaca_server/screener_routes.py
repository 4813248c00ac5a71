"""The screener by request: which symbols trade most today, and which have moved most since yesterday's close."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from quant_trading_system.simulation.alpaca_server import parameters as read
from quant_trading_system.simulation.alpaca_server.data_routes import prices_of
from quant_trading_system.simulation.alpaca_server.market_wire import Row
from quant_trading_system.simulation.alpaca_server.routes import Answer, Call, Parameter, Route, Scope
from quant_trading_system.simulation.alpaca_server.wire import Json, utc

_USUAL_TOP, _MOST_ACTIVE, _MOST_MOVED = 10, 100, 50
_STOCKS, _CRYPTO = "stocks", "crypto"
_BAD = 400
_CENT = Decimal("0.01")
_RANKED_BY = {"volume": "v", "trades": "n"}


class Today(NamedTuple):
    """A symbol that has traded today: the day's bar so far, and the close of the day before."""

    symbol: str
    bar: Row
    previous_close: float | None


async def most_actives(call: Call) -> Answer:
    """The symbols with the largest volume of the day, or with most trades."""
    by = _RANKED_BY[read.choice(call.query, "by", tuple(_RANKED_BY), "volume", _BAD)]
    top = _top(call, _MOST_ACTIVE)
    found = sorted(await _all(call), key=lambda today: (-today.bar[by], today.symbol))[:top]
    rows = [{"symbol": one.symbol, "volume": one.bar["v"], "trade_count": one.bar["n"]} for one in found]
    return Answer({"most_actives": rows, "last_updated": utc(call.host.now)})


async def movers(call: Call) -> Answer:
    """The symbols that have risen and fallen most since the close before; there are no coins here."""
    market = read.choice(call.path, "market_type", (_STOCKS, _CRYPTO), _STOCKS, _BAD)
    top = _top(call, _MOST_MOVED)
    rows = [_mover(one) for one in await _all(call) if one.previous_close] if market == _STOCKS else []
    rows.sort(key=lambda row: (row["percent_change"], row["symbol"]))
    return Answer(
        {
            "gainers": [row for row in rows[::-1] if row["change"] > 0][:top],
            "losers": [row for row in rows if row["change"] < 0][:top],
            "market_type": market,
            "last_updated": utc(call.host.now),
        }
    )


async def _all(call: Call) -> list[Today]:
    def found() -> list[Today]:
        shown = ((symbol, prices_of(call, symbol).snapshot) for symbol in call.host.tape.symbols)
        return [
            Today(symbol, parts["dailyBar"], (parts["prevDailyBar"] or {}).get("c"))
            for symbol, parts in shown
            if parts is not None and parts["dailyBar"] is not None
        ]

    return await call.in_background(found)


def _mover(today: Today) -> Json:
    price, before = Decimal(str(today.bar["c"])), Decimal(str(today.previous_close))
    change = price - before
    return {
        "symbol": today.symbol,
        "percent_change": float((change / before * 100).quantize(_CENT)),
        "change": float(change),
        "price": float(price),
    }


def _top(call: Call, most: int) -> int:
    return read.whole_number(call.query, "top", default=_USUAL_TOP, least=1, most=most, http=_BAD)


def _top_parameter(most: int) -> Parameter:
    return Parameter("top", "integer", "10 without it.", more={"minimum": 1, "maximum": most})


SCREENER_ROUTES = (
    Route(
        "GET",
        "/v1beta1/screener/stocks/most-actives",
        most_actives,
        "Most active symbols",
        Scope.DATA,
        (Parameter("by", values=tuple(_RANKED_BY)), _top_parameter(_MOST_ACTIVE)),
    ),
    Route(
        "GET",
        "/v1beta1/screener/{market_type}/movers",
        movers,
        "Symbols that have moved most",
        Scope.DATA,
        (_top_parameter(_MOST_MOVED),),
    ),
)
