"""A small honest Alpaca in memory: orders, executions and a stream, with every message under the test's control."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

from quant_trading_system.execution.transport import Reply, Request
from tests.support.alpaca_lines import (
    Answer,
    MemoryOpener,
    MemorySocket,
    activity_json,
    order_json,
    refusal,
    reply,
    stamp,
    update_json,
)

ACCOUNT = {"id": "uuid-1", "account_number": "PA77", "status": "ACTIVE", "cash": "1000.5", "equity": "2000.25"}
CLOSED = ("filled", "canceled", "expired", "rejected", "replaced")


class FakeAlpaca:
    """Takes orders, shows them, and reports what the test lets happen.

    Attributes:
        orders: by client order id, as they are shown; `fills`: rows of the activities, oldest first.
        faults: what happens to the next requests of a method: an answer in place of the real one, or a function
            that gets the real one and returns another.
        is_mute: events happen but are not told on the stream.
        hides: client order ids that reads do not show yet; `hides_legs`: answers to new groups do not show theirs.
        legs: client order ids of the legs of a group, by the broker's id of its leader.
    """

    def __init__(self) -> None:
        self.orders: dict[str, dict[str, Any]] = {}
        self.fills: list[dict[str, Any]] = []
        self.positions: list[dict[str, Any]] = []
        self.account = dict(ACCOUNT)
        self.faults: dict[str, deque[Any]] = {
            "POST": deque(),
            "PATCH": deque(),
            "GET": deque(),
            "DELETE": deque(),
        }
        self.opener = MemoryOpener(self._welcome)
        self.is_mute = False
        self.hides: set[str] = set()
        self.hides_fills = False
        self.hides_legs = False
        self.legs: dict[str, list[str]] = {}
        self.seconds = 0.0
        self.requests: list[Request] = []

    # -- REST ----------------------------------------------------------------------------------------------------

    def serve(self, request: Request) -> Answer:
        """The script of a transport."""
        self.requests.append(request)
        faults = self.faults.get(request.method)
        fault = faults.popleft() if faults else None
        if isinstance(fault, Reply | BaseException):
            return fault
        answer = self._answer(request)
        return fault(answer) if callable(fault) else answer

    @property
    def asked(self) -> list[str]:
        """Methods and paths."""
        return [request.name for request in self.requests]

    def _answer(self, request: Request) -> Reply:
        path, query = request.path.removeprefix("/v2"), dict(request.query)
        if request.method == "POST":
            return self._take(json.loads(request.body))
        if path == "/account":
            return reply(self.account)
        if path == "/positions":
            return reply(self.positions)
        if path == "/account/activities/FILL":
            return reply([] if self.hides_fills else self._executed(query))
        if path == "/orders":
            return reply(self._listed(query))
        return self._about_one(request, path, query)

    def _take(self, body: dict[str, Any]) -> Reply:
        if body["client_order_id"] in self.orders:
            return refusal(422, 40010001, "client_order_id must be unique")
        shown = {"id": f"v-{body['client_order_id']}", "status": "pending_new", "limit_price": None, **body}
        order = self.orders[body["client_order_id"]] = order_json(
            **{"identity": body["client_order_id"], **shown, **self._now()}
        )
        legs = [leg for leg in ("take_profit", "stop_loss") if leg in body]
        for leg in legs:
            self._take_leg(order, leg, body[leg])
        return reply({**order, "legs": self._legs(order)} if legs and not self.hides_legs else order)

    def _take_leg(self, leader: dict[str, Any], leg: str, prices: dict[str, str]) -> None:
        """A leg has ids of the broker's own, and says nowhere whose leg it is."""
        self.orders[f"uuid-{leg}"] = order_json(
            **{
                "identity": f"uuid-{leg}",
                "id": f"v-uuid-{leg}",
                "symbol": leader["symbol"],
                "side": "sell" if leader["side"] == "buy" else "buy",
                "qty": leader["qty"],
                "status": "held",
                "order_class": leader["order_class"],
                "limit_price": prices.get("limit_price"),
                "stop_price": prices.get("stop_price"),
                **self._now(),
            }
        )
        self.legs.setdefault(leader["id"], []).append(f"uuid-{leg}")

    def _legs(self, leader: dict[str, Any]) -> list[dict[str, Any]] | None:
        return [self.orders[leg] for leg in self.legs.get(leader["id"], ())] or None

    def _change(self, old: dict[str, Any], body: dict[str, Any]) -> Reply:
        if old["status"] in CLOSED:
            return refusal(422, 42210000, f"cannot replace order in {old['status']} status")
        identity = body["client_order_id"]
        changed = {"qty": body.get("qty", old["qty"]), "limit_price": body.get("limit_price", old["limit_price"])}
        filled = {"filled_qty": old["filled_qty"], "status": "pending_new", "replaces": old["id"]}
        self.orders[identity] = {
            **old,
            "id": f"v-{identity}",
            "client_order_id": identity,
            **changed,
            **filled,
            **self._now(),
        }
        return reply(self.orders[identity])

    def replaced(self, old: str, new: str) -> None:
        """A replace takes effect."""
        self.orders[new] |= {"filled_qty": self.orders[old]["filled_qty"]}
        self.happens(old, "replaced", replaced_by=f"v-{new}")
        self.happens(new, "new")

    def _listed(self, query: dict[str, str]) -> list[dict[str, Any]]:
        rows = [order for identity, order in self.orders.items() if identity not in self.hides]
        if query["status"] == "open":
            rows = [order for order in rows if order["status"] not in CLOSED]
        rows = [order for order in rows if order["submitted_at"] > query.get("after", "").replace("Z", "")]
        return sorted(rows, key=lambda order: order["submitted_at"])[: int(query["limit"])]

    def _executed(self, query: dict[str, str]) -> list[dict[str, Any]]:
        token, after = query.get("page_token", ""), query.get("after", "").replace("Z", "")
        return [row for row in self.fills if row["id"] > token and row["transaction_time"] > after]

    def _about_one(self, request: Request, path: str, query: dict[str, str]) -> Reply:
        name = query.get("client_order_id") or unquote(path.rpartition("/")[2])
        order = self.orders.get(name) or self.orders.get(name.removeprefix("v-"))
        if order is None or order["client_order_id"] in self.hides:
            return refusal(404, 40410000, f"order not found for {name}")
        if request.method == "GET":
            return reply({**order, "legs": self._legs(order)} if "nested" in query else order)
        if request.method == "PATCH":
            return self._change(order, json.loads(request.body))
        if order["status"] in (*CLOSED, "pending_cancel"):
            return refusal(422, 42210000, f'order is already in "{order["status"]}" state')
        self.happens(order["client_order_id"], "pending_cancel")
        return Reply(204)

    # -- what the test lets happen -------------------------------------------------------------------------------

    def happens(self, identity: str, event: str, **changes: Any) -> dict[str, Any]:
        """Something happens to an order; the message about it, which is sent unless the stream is mute."""
        self.seconds += 1
        order = self.orders[identity]
        order |= {"status": event, "updated_at": stamp(self.seconds), **changes}
        return self.tell(update_json(event, dict(order), self.seconds))

    def fill(self, identity: str, quantity: str, price: str = "61.20") -> dict[str, Any]:
        """An execution; the last one when it completes the order."""
        self.seconds += 1
        order = self.orders[identity]
        cumulative = str(Decimal(order["filled_qty"]) + Decimal(quantity))
        event = "fill" if cumulative == order["qty"] else "partial_fill"
        status = "filled" if event == "fill" else "partially_filled"
        order |= {"status": status, "filled_qty": cumulative, "updated_at": stamp(self.seconds)}
        self.fills.append(activity_json(cumulative, quantity, price, self.seconds, identity))
        message = update_json(event, dict(order), self.seconds, price=price, qty=quantity)
        message["data"]["execution_id"] = f"x-{identity}-{cumulative}"
        return self.tell(message)

    def tell(self, message: Any) -> dict[str, Any]:
        """Send a message on the stream, unless it is mute."""
        if not self.is_mute and self.opener.sockets:
            self.opener.socket.push(message)
        return message

    def foreign(self, identity: str, **fields: Any) -> None:
        """An order that somebody else has placed."""
        self.orders[identity] = order_json(**{"identity": identity, **self._now(), **fields})

    def _now(self) -> dict[str, Any]:
        return {name: stamp(self.seconds) for name in ("created_at", "submitted_at", "updated_at")}

    def _welcome(self, socket: MemorySocket) -> None:
        socket.push(
            {"stream": "authorization", "data": {"status": "authorized", "action": "authenticate"}},
            {"stream": "listening", "data": {"streams": ["trade_updates"]}},
        )


Fault = Reply | BaseException | Callable[[Reply], Answer]
