"""Answers of the venue that do not arrive as they were given."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec

from quant_trading_system.simulation.alpaca_server.in_process import Reply
from quant_trading_system.simulation.storm.plainness import SECRET, UNPLAIN

GARBAGE = b"<html>\x00\xff not what you asked for"
RULE_OF_NOBODY = f"the order was refused by a rule that nobody knows ({SECRET}){UNPLAIN}"
"""A refusal whose words repeat the key, and carry what could deceive whoever reads them."""

_OTHERS = {"symbol": "ZZZZ", "qty": "777", "client_order_id": "somebody-elses"}


def error(status: int, code: int, words: str, **headers: str) -> Reply:
    """A refusal in the broker's form."""
    body = msgspec.json.encode({"code": code, "message": words})
    return Reply(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


def gateway_page(status: int) -> Reply:
    """What stands between client and broker answers in its place."""
    return Reply(status, b"<html><body>temporarily unavailable</body></html>", {"content-type": "text/html"})


def garbage(reply: Reply) -> Reply:
    """Done, and answered with nonsense."""
    return reply._replace(body=GARBAGE)


def empty(reply: Reply) -> Reply:
    """Done, and answered with an empty body."""
    return reply._replace(body=b"")


def truncated(reply: Reply) -> Reply:
    """Done, and half of the answer arrives."""
    return reply._replace(body=reply.body[: len(reply.body) // 2])


def wrong_echo(reply: Reply, which: int) -> Reply:
    """The answer describes an order that differs in one field."""
    found = _json(reply)
    if not isinstance(found, dict) or reply.status != 200:
        return reply
    field, value = list(_OTHERS.items())[which % len(_OTHERS)]
    return reply._replace(body=msgspec.json.encode({**found, field: value}))


def without_recent(reply: Reply, now: datetime, age: timedelta) -> Reply:
    """A list as it was some time ago: what is younger is not in it yet."""
    found = _json(reply)
    if not isinstance(found, list) or reply.status != 200:
        return reply
    kept = [row for row in found if not _is_younger(row, now - age)]
    return reply._replace(body=msgspec.json.encode(kept)) if len(kept) < len(found) else reply


def hidden_if_recent(reply: Reply, now: datetime, age: timedelta) -> Reply:
    """An order that is too young to be found."""
    found = _json(reply)
    if reply.status != 200 or not isinstance(found, dict) or not _is_younger(found, now - age):
        return reply
    return not_found()


def not_found() -> Reply:
    """There is no such order, says the broker."""
    return error(404, 40410000, "order not found")


BODIES: dict[str, Callable[[Reply], Reply]] = {"garbage": garbage, "empty": empty, "truncated": truncated}
"""Ways in which the body of an answer suffers."""


def _is_younger(row: object, moment: datetime) -> bool:
    if not isinstance(row, dict):
        return False
    text = row.get("transaction_time") or row.get("created_at") or row.get("submitted_at")
    if not isinstance(text, str):
        return False
    return datetime.fromisoformat(text) > moment


def _json(reply: Reply) -> Any:
    try:
        return msgspec.json.decode(reply.body)
    except msgspec.DecodeError:
        return None
