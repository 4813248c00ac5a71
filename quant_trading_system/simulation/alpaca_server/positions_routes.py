"""Positions by request: `/v2/positions`."""

from __future__ import annotations

from quant_trading_system.simulation.alpaca_server import parameters as read
from quant_trading_system.simulation.alpaca_server.answers import CLOSING, ORDER, POSITION, list_of
from quant_trading_system.simulation.alpaca_server.errors import refusal_body
from quant_trading_system.simulation.alpaca_server.orders_routes import accepted
from quant_trading_system.simulation.alpaca_server.reference_routes import known_symbol
from quant_trading_system.simulation.alpaca_server.routes import Answer, Call, Parameter, Route
from quant_trading_system.simulation.alpaca_server.wire import Json, position_json
from quant_trading_system.simulation.order_desk import ClosingOutcome


def list_positions(call: Call) -> Answer:
    """Every position that is not flat."""
    return Answer([position_json(position) for position in call.desk.venue.positions()])


def get_position(call: Call) -> Answer:
    """The position in one symbol."""
    return Answer(position_json(call.desk.venue.position(_symbol(call))))


def close_position(call: Call) -> Answer:
    """Send a market order that closes a position, or a part of it."""
    quantity, percentage = read.number(call.query, "qty"), read.number(call.query, "percentage")
    order = call.desk.venue.close_position(_symbol(call), quantity=quantity, percentage=percentage)
    return Answer(accepted(call, order))


def close_positions(call: Call) -> Answer:
    """Send a market order for every position."""
    outcomes = call.desk.venue.close_all_positions(cancel_orders=read.flag(call.query, "cancel_orders"))
    call.host.nudge()
    return Answer([_outcome(call, outcome) for outcome in outcomes], 207)


def _outcome(call: Call, outcome: ClosingOutcome) -> Json:
    if outcome.order is not None:
        return {"symbol": outcome.symbol, "status": 200, "body": accepted(call, outcome.order)}
    assert outcome.refusal is not None
    return {"symbol": outcome.symbol, "status": outcome.refusal.http, "body": refusal_body(outcome.refusal)}


def _symbol(call: Call) -> str:
    return known_symbol(call, call.path["symbol_or_asset_id"])


_ONE = "/v2/positions/{symbol_or_asset_id}"
_DECIMAL = {"pattern": r"^[1-9][0-9]{0,8}(\.[0-9]{1,9})?$", "examples": ["1", "0.5"]}
_PART = (
    Parameter("qty", description="Shares.", more=_DECIMAL),
    Parameter("percentage", description="Above 0, at most 100.", more=_DECIMAL),
)

POSITION_ROUTES = (
    Route("GET", "/v2/positions", list_positions, "List positions", answer=list_of(POSITION)),
    Route(
        "DELETE",
        "/v2/positions",
        close_positions,
        "Close all positions",
        parameters=(Parameter("cancel_orders", "boolean", "Cancel open orders first."),),
        status=207,
        answer=list_of(CLOSING),
    ),
    Route("GET", _ONE, get_position, "Get a position", answer=POSITION),
    Route("DELETE", _ONE, close_position, "Close a position", parameters=_PART, answer=ORDER),
)
