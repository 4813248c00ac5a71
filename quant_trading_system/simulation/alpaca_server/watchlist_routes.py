"""Watchlists by request: `/v2/watchlists`, and the same by name."""

from __future__ import annotations

from collections.abc import Callable

from quant_trading_system.simulation.admission import malformed
from quant_trading_system.simulation.alpaca_server import parameters as read
from quant_trading_system.simulation.alpaca_server.answers import WATCHLIST, WATCHLIST_HEAD, list_of
from quant_trading_system.simulation.alpaca_server.errors import missing
from quant_trading_system.simulation.alpaca_server.reference_routes import known_symbol
from quant_trading_system.simulation.alpaca_server.routes import Answer, Call, Field, Parameter, Route
from quant_trading_system.simulation.alpaca_server.watchlists import Watchlist
from quant_trading_system.simulation.alpaca_server.wire import Json, asset_json, utc

Finder = Callable[[Call], Watchlist]


def list_watchlists(call: Call) -> Answer:
    """All lists, without what is in them."""
    return Answer([_row(call, found) for found in call.desk.watchlists.all()])


def create_watchlist(call: Call) -> Answer:
    """A new list."""
    name = _name(call)
    if name is None:
        raise missing("name")
    made = call.desk.watchlists.create(name, _symbols(call) or [], call.host.clock.now())
    return _changed(call, made)


def _get(find: Finder) -> Callable[[Call], Answer]:
    return lambda call: Answer(_full(call, find(call)))


def _put(find: Finder) -> Callable[[Call], Answer]:
    def put(call: Call) -> Answer:
        found = find(call)
        call.desk.watchlists.change(found, _name(call), _symbols(call), call.host.clock.now())
        return _changed(call, found)

    return put


def _add(find: Finder) -> Callable[[Call], Answer]:
    def add(call: Call) -> Answer:
        found, symbol = find(call), call.body.get("symbol")
        if not isinstance(symbol, str) or not symbol:
            raise missing("symbol")
        call.desk.watchlists.add(found, known_symbol(call, symbol), call.host.clock.now())
        return _changed(call, found)

    return add


def _remove(find: Finder) -> Callable[[Call], Answer]:
    def remove(call: Call) -> Answer:
        found = find(call)
        call.desk.watchlists.remove(found, call.path["symbol"].upper(), call.host.clock.now())
        return _changed(call, found)

    return remove


def _delete(find: Finder) -> Callable[[Call], Answer]:
    def delete(call: Call) -> Answer:
        call.desk.watchlists.delete(find(call))
        call.host.changed()
        return Answer(None, 204)

    return delete


def _by_id(call: Call) -> Watchlist:
    return call.desk.watchlists.get(read.uuid(call.path["watchlist_id"], "watchlist_id is missing"))


def _by_name(call: Call) -> Watchlist:
    return call.desk.watchlists.named(call.query.get("name", ""))


def _changed(call: Call, found: Watchlist) -> Answer:
    call.host.changed()
    return Answer(_full(call, found))


def _name(call: Call) -> str | None:
    name = call.body.get("name")
    if name is not None and not isinstance(name, str):
        raise malformed("invalid name")
    return name


def _symbols(call: Call) -> list[str] | None:
    symbols = call.body.get("symbols")
    if symbols is None:
        return None
    if not isinstance(symbols, list) or not all(isinstance(symbol, str) for symbol in symbols):
        raise malformed("invalid symbols")
    return [known_symbol(call, symbol) for symbol in symbols]


def _row(call: Call, found: Watchlist) -> Json:
    return {
        "id": found.id,
        "account_id": call.desk.account_id,
        "name": found.name,
        "created_at": utc(found.created_at),
        "updated_at": utc(found.updated_at),
    }


def _full(call: Call, found: Watchlist) -> Json:
    instruments = call.host.scene.instruments
    return {**_row(call, found), "assets": [asset_json(instruments[symbol]) for symbol in found.symbols]}


_TEXT = {"type": "string"}
_LIST = (Field("name", {"type": "string", "maxLength": 64}), Field("symbols", {"type": "array", "items": _TEXT}))
_SYMBOL = (Field("symbol", _TEXT, required=True),)
_NAME = (Parameter("name", required=True, more={"minLength": 1}),)
_ID, _NAMED = "/v2/watchlists/{watchlist_id}", "/v2/watchlists:by_name"


def _routes_at(path: str, find: Finder, parameters: tuple[Parameter, ...]) -> tuple[Route, ...]:
    return (
        Route("GET", path, _get(find), "Get a watchlist", parameters=parameters, answer=WATCHLIST),
        Route("PUT", path, _put(find), "Change a watchlist", parameters=parameters, fields=_LIST, answer=WATCHLIST),
        Route("POST", path, _add(find), "Add a symbol", parameters=parameters, fields=_SYMBOL, answer=WATCHLIST),
        Route("DELETE", path, _delete(find), "Delete a watchlist", parameters=parameters, status=204),
    )


WATCHLIST_ROUTES = (
    Route("GET", "/v2/watchlists", list_watchlists, "List watchlists", answer=list_of(WATCHLIST_HEAD)),
    Route("POST", "/v2/watchlists", create_watchlist, "Create a watchlist", fields=_LIST, answer=WATCHLIST),
    *_routes_at(_NAMED, _by_name, _NAME),
    *_routes_at(_ID, _by_id, ()),
    Route("DELETE", _ID + "/{symbol}", _remove(_by_id), "Remove a symbol", answer=WATCHLIST),
)
