"""Commands as they come from outside: what is understood, and everything that is refused."""

import re
from decimal import Decimal

import msgspec
import pytest

from quant_trading_system.core.command import Source
from quant_trading_system.core.commands import (
    COMMANDS,
    Cancel,
    Request,
    SpeedUpParent,
)
from quant_trading_system.core.exceptions import InvalidCommand
from quant_trading_system.core.orders import OrderSide, OrderType
from quant_trading_system.core.requests import read_request
from quant_trading_system.core.roles import Role

GOOD = {
    "key": "intention-1",
    "principal": "anna",
    "source": "cli",
    "command": {"command": "place_order", "symbol": "KO", "side": "buy", "quantity": "10"},
}


def body(**changes) -> bytes:
    return msgspec.json.encode({**GOOD, **changes})


def ticket(**fields) -> bytes:
    return body(command={**GOOD["command"], **fields})


def test_a_request_is_read_with_exact_numbers():
    found = read_request(ticket(limit_price="60.10", order_type="limit"))
    assert (found.key, found.principal, found.source) == ("intention-1", "anna", Source.CLI)
    order = found.command.order("run-1-0")
    assert (order.symbol, order.side, order.order_type) == ("KO", OrderSide.BUY, OrderType.LIMIT)
    assert (order.quantity, order.limit_price, order.client_order_id) == (Decimal(10), Decimal("60.10"), "run-1-0")


def test_what_is_sent_is_what_is_read():
    for command in (
        Cancel(order_id="run-1-0", reason="why not"),
        SpeedUpParent(parent_id="run-2", factor=Decimal("2")),
    ):
        sent = Request(key="intention-2", principal="anna", source=Source.API, command=command)
        assert read_request(msgspec.json.encode(sent)) == sent


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "not understood"),
        (b"{", "not understood"),
        (b"\xff\xfe", "not understood"),
        (b"[" * 100_000, "not understood"),
        (b"[]", "Expected `object`"),
        (body(command={"command": "sell_everything"}), "sell_everything"),
        (body(key="short"), "key"),
        (body(key="with spaces in it"), "key"),
        (body(principal=""), "principal"),
        (body(principal="anna\nroot: all is well"), "printable"),
        (body(source="telepathy"), "telepathy"),
        (body(more=1), "unknown field `more`"),
        (ticket(strategy="mine"), "unknown field `strategy`"),
        (ticket(client_order_id="mine"), "unknown field `client_order_id`"),
        (ticket(quantity=10.5), 'is a float; write numbers with decimals as text, such as "10.5"'),
        (ticket(quantity=1e3), "is a float"),
        (ticket(quantity="1e400"), "too large"),
        (ticket(quantity="NaN"), "finite"),
        (ticket(quantity="Infinity"), "finite"),
        (ticket(quantity="-1"), "above zero"),
        (ticket(quantity="0"), "above zero"),
        (ticket(quantity="1.0000000001"), "more than 9 decimals"),
        (ticket(quantity=True), "bool"),
        (ticket(quantity=None), "null"),
        (ticket(symbol=""), "symbol"),
        (ticket(symbol="K\x1b[31mO"), "printable"),
        (body(command={"command": "propose_limits", "values": {"risk.x\x1b[2J": "1"}, "why": "y"}), "values: one line"),
        (body(command={"command": "propose_limits", "values": {"risk.x": "1\n"}, "why": "y"}), "values: one line"),
        (ticket(side="hold"), "hold"),
        (ticket(take_profit={"limit_price": "70", "more": "1"}), "unknown field `more`"),
        (body(command={"command": "cancel", "order_id": "run-1-0", "reason": "x" * 501}), "reason"),
        (body(command={"command": "start_parent", "symbol": "KO", "side": "buy", "quantity": "1", "minutes": 0}), "1"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused_whole(text, said):
    with pytest.raises(InvalidCommand, match=re.escape(said)):
        read_request(text)


def test_every_command_says_who_may_give_it_and_what_one_looks_like():
    for name, kind in COMMANDS.items():
        command = msgspec.convert(kind.example, kind)
        assert command.name == name
        assert kind.needs.includes(Role.TRADER)


def test_to_stop_something_takes_less_than_to_let_it_go_on():
    stopping = {kind.__name__ for kind in COMMANDS.values() if kind.stops}
    assert stopping >= {"Halt", "Flatten", "Cancel", "CancelAll", "PauseParent", "DisarmStrategy"}
    assert not stopping & {"PlaceOrder", "ResumeParent", "ArmStrategy", "ProposeLimits"}
    assert COMMANDS["arm_strategy"].needs.includes(COMMANDS["disarm_strategy"].needs)
