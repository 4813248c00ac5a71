"""Orders by request: `/v2/orders`."""

from __future__ import annotations

from quant_trading_system.core.orders import OrderClass, OrderSide, OrderType, TimeInForce
from quant_trading_system.simulation.admission import MALFORMED, VenueRefusal, not_found
from quant_trading_system.simulation.alpaca_server import parameters as read
from quant_trading_system.simulation.alpaca_server.answers import ORDER, OUTCOME, list_of
from quant_trading_system.simulation.alpaca_server.errors import refusal_body
from quant_trading_system.simulation.alpaca_server.reference_routes import symbol_of
from quant_trading_system.simulation.alpaca_server.routes import Answer, Call, Field, Parameter, Route
from quant_trading_system.simulation.alpaca_server.wire import US_EQUITY, Json, order_json
from quant_trading_system.simulation.order_desk import CancelOutcome
from quant_trading_system.simulation.records import OrderQuery
from quant_trading_system.simulation.venue_orders import PositionIntent, VenueOrder

_MOST_ORDERS, _USUAL_ORDERS = 500, 50


def place_order(call: Call) -> Answer:
    """Take a new order; it is on its way to the market when the answer leaves."""
    body = call.body
    if isinstance(body.get("symbol"), str):
        body = {**body, "symbol": symbol_of(call, body["symbol"])}
    order = call.desk.venue.submit_request(body)
    return Answer(accepted(call, order))


def accepted(call: Call, order: VenueOrder) -> Json:
    """The answer for an order that was just taken; the order stream hears of it, too."""
    if not order.queued:
        call.desk.announce(order)
    call.host.nudge()
    return shown(call, order)


def list_orders(call: Call) -> Answer:
    """Open or closed orders, or all of them."""
    query = _order_query(call)
    if query is None:
        return Answer([])
    found = call.desk.venue.orders(query)
    return Answer([order_json(order, call.desk.expiry, legs=query.nested) for order in found])


def get_order(call: Call) -> Answer:
    """One order by the venue's id."""
    read.flag(call.query, "nested")
    return Answer(shown(call, call.desk.venue.get(read.order_id(call.path["order_id"]))))


def get_order_by_client_id(call: Call) -> Answer:
    """One order by the customer's id."""
    client_order_id = call.query.get("client_order_id", "")
    if not client_order_id:
        raise VenueRefusal(MALFORMED, 422, "client_order_id is required")
    order = call.desk.venue.find(client_order_id)
    if order is None:
        raise not_found(f"order not found for {client_order_id[:200]}")
    return Answer(shown(call, order))


def replace_order(call: Call) -> Answer:
    """Ask for a change: the answer is the order that takes the other's place."""
    order = call.desk.venue.replace(read.order_id(call.path["order_id"]), call.body)
    call.host.nudge()
    return Answer(shown(call, order))


def cancel_order(call: Call) -> Answer:
    """Ask for a cancel; the order stream tells when it is done."""
    call.desk.venue.cancel_order(read.order_id(call.path["order_id"]))
    call.host.nudge()
    return Answer(None, 204)


def cancel_orders(call: Call) -> Answer:
    """Ask for the cancel of every open order."""
    outcomes = call.desk.venue.cancel_all()
    call.host.nudge()
    return Answer([_outcome(outcome) for outcome in outcomes], 207)


def shown(call: Call, order: VenueOrder) -> Json:
    """An order with its legs."""
    return order_json(order, call.desk.expiry)


def _outcome(outcome: CancelOutcome) -> Json:
    row: Json = {"id": outcome.venue_order_id, "status": 200 if outcome.refusal is None else 500}
    return row if outcome.refusal is None else {**row, "body": refusal_body(outcome.refusal)}


def _order_query(call: Call) -> OrderQuery | None:
    """What is asked for; None for a class of assets that nobody trades here."""
    query = call.query
    side = read.choice(query, "side", ("", *OrderSide), "")
    bounds = {name: query.get(name, "") for name in ("before_order_id", "after_order_id")}
    if all(bounds.values()) or (any(bounds.values()) and (query.get("after") or query.get("until"))):
        raise VenueRefusal(MALFORMED, 422, "before_order_id and after_order_id exclude each other, after and until")
    wanted = OrderQuery(
        status=read.choice(query, "status", ("open", "closed", "all"), "open"),
        after=read.moment(query, "after"),
        until=read.moment(query, "until"),
        ascending=read.choice(query, "direction", ("asc", "desc"), "desc") == "asc",
        symbols=frozenset(read.symbols(query)),
        side=OrderSide(side) if side else None,
        nested=read.flag(query, "nested"),
        limit=read.whole_number(query, "limit", default=_USUAL_ORDERS, least=1, most=_MOST_ORDERS),
        before_id=read.order_id(bounds["before_order_id"]) if bounds["before_order_id"] else "",
        after_id=read.order_id(bounds["after_order_id"]) if bounds["after_order_id"] else "",
    )
    classes = read.words(query, "asset_class")
    return wanted if not classes or US_EQUITY in classes else None


_NUMBER = {"type": ["string", "number"], "description": "A number, best sent as text."}
_TEXT = {"type": "string"}


def _words(*values: str) -> Json:
    return {"type": "string", "enum": list(values)}


_NEW_ORDER = (
    Field("symbol", _TEXT, required=True),
    Field("qty", _NUMBER),
    Field("notional", _NUMBER),
    Field("side", _words(*OrderSide)),
    Field("type", _words(*OrderType), required=True),
    Field("time_in_force", _words(*TimeInForce), required=True),
    Field("limit_price", _NUMBER),
    Field("stop_price", _NUMBER),
    Field("trail_price", _NUMBER),
    Field("trail_percent", _NUMBER),
    Field("extended_hours", {"type": "boolean"}),
    Field("client_order_id", {"type": "string", "maxLength": 128}),
    Field("order_class", _words(*OrderClass, "")),
    Field("take_profit", {"type": "object", "properties": {"limit_price": _NUMBER}}),
    Field("stop_loss", {"type": "object", "properties": {"stop_price": _NUMBER, "limit_price": _NUMBER}}),
    Field("position_intent", _words(*PositionIntent)),
)
_CHANGE = (
    *(Field(name, _NUMBER) for name in ("qty", "limit_price", "stop_price", "trail")),
    Field("time_in_force", _words(*TimeInForce)),
    Field("client_order_id", {"type": "string", "maxLength": 128}),
)
_FILTERS = (
    Parameter("status", values=("open", "closed", "all")),
    Parameter("limit", "integer", "50 without it.", more={"minimum": 1, "maximum": _MOST_ORDERS}),
    Parameter("after", description="Submitted after this time.", more={"format": "date-time"}),
    Parameter("until", description="Submitted before this time.", more={"format": "date-time"}),
    Parameter("direction", values=("asc", "desc")),
    Parameter("nested", "boolean", "Legs under their leader only."),
    Parameter("symbols", description="Separated by commas."),
    Parameter("side", values=("buy", "sell")),
    Parameter("asset_class"),
    Parameter("before_order_id"),
    Parameter("after_order_id"),
)
_NESTED = (Parameter("nested", "boolean"),)
_ONE = "/v2/orders/{order_id}"

ORDER_ROUTES = (
    Route("POST", "/v2/orders", place_order, "Place an order", fields=_NEW_ORDER, answer=ORDER),
    Route("GET", "/v2/orders", list_orders, "List orders", parameters=_FILTERS, answer=list_of(ORDER)),
    Route("DELETE", "/v2/orders", cancel_orders, "Cancel all orders", status=207, answer=list_of(OUTCOME)),
    Route(
        "GET",
        "/v2/orders:by_client_order_id",
        get_order_by_client_id,
        "Get an order by the client's id",
        parameters=(Parameter("client_order_id", required=True, more={"minLength": 1}), *_NESTED),
        answer=ORDER,
    ),
    Route("GET", _ONE, get_order, "Get an order", parameters=_NESTED, answer=ORDER),
    Route("PATCH", _ONE, replace_order, "Replace an order", fields=_CHANGE, answer=ORDER),
    Route("DELETE", _ONE, cancel_order, "Cancel an order", status=204),
)
