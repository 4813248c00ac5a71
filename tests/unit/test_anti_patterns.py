"""Seven things that a trading system must never do, each tried or searched for."""

from __future__ import annotations

import ast
import asyncio
import copy
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, get_type_hints

import pytest

import quant_trading_system
from quant_trading_system.config.loader import default_limits
from quant_trading_system.core.decisions import Rejection, Rule
from quant_trading_system.core.exceptions import InvalidNumber, InvalidOrder, KillSwitchActiveError, StrategyError
from quant_trading_system.core.numbers import exact
from quant_trading_system.core.orders import Order, OrderClass, OrderType, StopLoss, TimeInForce
from quant_trading_system.core.signals import Direction, Signal
from quant_trading_system.execution.broker import Broker
from quant_trading_system.execution.order_manager import Placed
from quant_trading_system.risk.checks import asked_under
from quant_trading_system.risk.pre_trade import ApprovedOrder
from tests.support.desk import Account, Desk
from tests.support.market import NOON
from tests.support.orders import buy
from tests.support.scripted_broker import ScriptedBroker

PACKAGE = Path(quant_trading_system.__file__).parent
SOURCES = {file.relative_to(PACKAGE).as_posix(): ast.parse(file.read_text()) for file in PACKAGE.rglob("*.py")}


def places(kind: type | tuple[type, ...]) -> Iterator[tuple[str, Any]]:
    """Every node of a kind in the package, with its place."""
    for path, tree in sorted(SOURCES.items()):
        for node in ast.walk(tree):
            if isinstance(node, kind):
                yield f"{path}:{getattr(node, 'lineno', 0)}", node


# -- 1: bypassing the kill switch ---------------------------------------------------------------------------------

ORDERS = {
    "a market order": buy(1),
    "a limit order": buy(1, limit="100.00"),
    "a stop": buy(1, order_type=OrderType.STOP, stop_price=Decimal(101)),
    "a trailing stop": buy(1, order_type=OrderType.TRAILING_STOP, trail_price=Decimal(1)),
    "for the closing auction": buy(1, time_in_force=TimeInForce.CLS),
    "a declared repeat": buy(1, repeat=True),
    "with an id of its own": buy(1, client_order_id="mine"),
    "in the name of the liquidation": buy(1, strategy="emergency liquidation"),
    "called reduce-only": buy(1, reduce_only=True),
}


@pytest.mark.parametrize("kind", ORDERS)
@pytest.mark.control("one way out", "kill_switch")
def test_no_kind_of_order_gets_past_the_kill_switch(kind):
    account = Account()
    account.kill_switch.activate("a test")
    with pytest.raises(KillSwitchActiveError):
        account.submit(ORDERS[kind])
    asyncio.run(account.system.path.send_as_given(ORDERS[kind]))
    assert account.broker.placed == []


def test_the_switch_is_asked_again_for_every_order():
    """No approval is kept for later."""
    account = Account()
    assert isinstance(account.submit(buy(1)), Placed)
    account.kill_switch.activate("a test")
    with pytest.raises(KillSwitchActiveError):
        account.submit(buy(1))


def test_nobody_but_the_switch_sets_its_latch():
    """Whoever wrote a state of their own would reset without a name; the storm plays the disk under a latch."""
    writers = [
        place
        for place, node in places((ast.Call, ast.Attribute))
        if not place.startswith(("risk/kill_switch.py", "risk/latch.py", "simulation/storm/"))
        if (isinstance(node, ast.Call) and ast.unparse(node.func).endswith("LatchState"))
        or (isinstance(node, ast.Attribute) and node.attr == "_latch" and ast.unparse(node.value) != "self")
    ]
    assert [] == writers


# -- 2: floats -----------------------------------------------------------------------------------------------------


COMPLETE: dict[str, Any] = {
    "symbol": "KO",
    "side": "buy",
    "order_type": "market",
    "time_in_force": "day",
    "quantity": 1,
}


@pytest.mark.parametrize("field", ["quantity", "limit_price", "stop_price", "notional", "trail_price", "trail_percent"])
def test_no_number_of_an_order_can_be_a_float(field):
    with pytest.raises(
        InvalidOrder, match=f"^{field}: 100.1 is a float: write prices and quantities as str, int or Decimal"
    ):
        Order(**{**COMPLETE, field: 100.1} if field != "notional" else {**COMPLETE, "quantity": 0, field: 100.1})


def test_no_leg_of_an_order_has_a_float_either():
    with pytest.raises(InvalidOrder, match=r"stop_price: 95\.5 is a float"):
        Order(**COMPLETE, order_class=OrderClass.OTO, stop_loss=StopLoss(stop_price=95.5))  # type: ignore[arg-type]


@pytest.mark.parametrize("field", ["strength", "confidence", "weight", "stop_price"])
def test_no_number_of_a_signal_is_a_float(field):
    with pytest.raises(StrategyError, match="is a float"):
        Signal(symbol="KO", direction=Direction.LONG, at=NOON, **{field: 0.5})  # type: ignore[arg-type]


def test_a_float_is_refused_where_numbers_are_read():
    with pytest.raises(InvalidNumber, match="is a float"):
        exact(0.1)  # type: ignore[arg-type]


# -- 3: missing risk checks ----------------------------------------------------------------------------------------


def _approval() -> ApprovedOrder:
    answer = Desk().check(buy(1))
    assert isinstance(answer, ApprovedOrder)
    return answer


@pytest.mark.control("one way out")
def test_an_approval_cannot_be_made_by_hand():
    approved = _approval()
    for seal in (None, object(), True):
        with pytest.raises(TypeError, match="only PreTradeRiskChecker"):
            ApprovedOrder(buy(1_000_000), approved.decision, None, Decimal(1), seal=seal)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        ApprovedOrder(buy(1_000_000))  # type: ignore[call-arg]


@pytest.mark.control("one way out")
def test_a_broker_takes_approved_orders_only():
    """The type says so for every broker, and mypy believes the type."""
    for broker in (Broker, ScriptedBroker):
        assert get_type_hints(broker.place)["approved"] is ApprovedOrder
    brokers = [node for _, node in places(ast.AsyncFunctionDef) if node.name == "place"]
    assert len(brokers) > 1
    for place in brokers:
        assert [ast.unparse(argument.annotation) for argument in place.args.args[1:]] == ["ApprovedOrder"]


SHORTCUT = """
from quant_trading_system.core.orders import Order
from quant_trading_system.execution.broker import Broker


async def shortcut(broker: Broker, order: Order) -> None:
    await broker.place(order)
"""


def test_a_shortcut_past_the_gate_does_not_type_check(tmp_path):
    program = tmp_path / "shortcut.py"
    program.write_text(SHORTCUT)
    options = ["--strict", "--config-file=", f"--cache-dir={tmp_path}", "--follow-imports=silent"]
    answer = subprocess.run(
        [sys.executable, "-m", "mypy", *options, str(program)],
        cwd=PACKAGE.parent,
        env={**os.environ, "MYPYPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert 'Argument 1 to "place" of "Broker" has incompatible type "Order"; expected "ApprovedOrder"' in answer.stdout


def test_every_order_that_reached_the_broker_has_a_record_of_its_checks():
    account = Account()
    for order in (buy(1), buy(2, "PEP"), buy(500)):
        account.submit(order)
    for approved in account.broker.placed:
        decision = approved.decision
        assert [check.rule for check in decision.checks] == [row.rule for row in asked_under(default_limits())]
        assert decision.refused_by is None


# -- 4: blocking in async functions --------------------------------------------------------------------------------

BLOCKING = {
    "open", "input", "time.sleep", "os.system", "os.popen", "os.fsync", "socket.socket", "socket.create_connection",
    "urllib.request.urlopen",
}  # fmt: skip
BLOCKING_MODULES = ("requests.", "httpx.", "sqlite3.", "subprocess.")
BLOCKING_METHODS = {"read_text", "read_bytes", "write_text", "write_bytes", "fsync", "sleep_blocking"}


def test_no_async_function_blocks():
    """Files, sockets and naps would stop the world for everybody in the loop."""
    found = [
        f"{place} {function.name} calls {name}"
        for place, function in places(ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Call)
        for name in [ast.unparse(node.func)]
        if name in BLOCKING or name.startswith(BLOCKING_MODULES) or name.rpartition(".")[2] in BLOCKING_METHODS
    ]
    assert [] == found


def test_no_lock_is_held_across_an_await():
    """`with lock:` decides, `await` acts, and never the one inside the other."""
    held = [
        f"{place} {function.name}"
        for place, function in places(ast.AsyncFunctionDef)
        for block in ast.walk(function)
        if isinstance(block, ast.With) and any("lock" in ast.unparse(item.context_expr) for item in block.items)
        if any(isinstance(node, ast.Await) for statement in block.body for node in ast.walk(statement))
    ]
    assert [] == held


# -- 5: hard-coded limits ------------------------------------------------------------------------------------------

COMMON = {Decimal(n) for n in range(-1, 11)} | {Decimal(n) for n in ("0.5", 60, 100, 300, 1_000_000)}
"""Numbers that mean many things: counts, halves, percent, seconds in one minute and in five, microseconds."""


def _limits() -> dict[Decimal, str]:
    limits = default_limits()
    values = {name: getattr(limits, name) for name in limits.__struct_fields__}
    return {
        Decimal(value): name
        for name, value in values.items()
        if isinstance(value, Decimal | int) and not isinstance(value, bool) and Decimal(value) not in COMMON
    }


def _number(node: ast.Constant) -> Decimal | None:
    if isinstance(node.value, bool) or not isinstance(node.value, int | str | float):
        return None
    try:
        return Decimal(str(node.value))
    except ArithmeticError:
        return None


STATISTICS = (
    "risk/var_tests.py",
    "risk/value_at_risk.py",
    "risk/metrics.py",
    "risk/stress.py",
    "risk/covariance/",
    "risk/portfolio_optimizer/",
    "risk/sizing/composed.py",
    "risk/sizing/growth.py",
    "risk/sizing/stops.py",
)
"""Confidence levels, moments, tolerances and what a sizer aims at; no limits, even where a number is the same."""


def test_no_limit_of_the_file_is_written_into_the_code_that_checks_it():
    limits = _limits()
    repeated = [
        f"{place} writes {node.value!r}, the value of {limits[number]}"
        for place, node in places(ast.Constant)
        if place.startswith(("risk/", "execution/order", "execution/position")) and not place.startswith(STATISTICS)
        for number in [_number(node)]
        if number is not None and number in limits
    ]
    assert [] == repeated


def test_the_file_is_the_only_source_of_the_limits():
    """No field has a value of its own to fall back on."""
    limits = default_limits()
    defaults = dict(zip(reversed(limits.__struct_fields__), reversed(limits.__struct_defaults__), strict=False))
    assert defaults == {"version": ""}


# -- 6: silent failures --------------------------------------------------------------------------------------------


SPOKEN_FOR = {
    "config/loader.py": "the problem was noted where _Refused was raised",
    "simulation/alpaca_server/history_pages.py": "the refusal stands right behind the handler",
}


def test_no_exception_is_swallowed():
    """A handler whose body does nothing hides a failure, unless somebody else speaks of it."""
    silent = [
        place
        for place, handler in places(ast.ExceptHandler)
        if all(isinstance(statement, ast.Pass) or _is_ellipsis(statement) for statement in handler.body)
        if place.partition(":")[0] not in SPOKEN_FOR
    ]
    assert [] == silent


def _is_ellipsis(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def test_nothing_is_suppressed_wholesale():
    wholesale = [
        place
        for place, call in places(ast.Call)
        if ast.unparse(call.func) in {"suppress", "contextlib.suppress"}
        and any(ast.unparse(argument) in {"Exception", "BaseException"} for argument in call.args)
    ]
    assert [] == wholesale


def test_no_handler_catches_without_naming_what():
    assert [] == [place for place, handler in places(ast.ExceptHandler) if handler.type is None]


# -- 7: stale prices -----------------------------------------------------------------------------------------------

STALE: dict[str, dict[str, Any]] = {
    "too old by the source's clock": {"age": timedelta(seconds=15, microseconds=1), "received_age": timedelta()},
    "too old by our clock": {"age": timedelta(), "received_age": timedelta(seconds=15, microseconds=1)},
    "from the future": {"age": timedelta(microseconds=-1)},
}


@pytest.mark.parametrize("how", STALE)
@pytest.mark.parametrize("order", [buy(1), buy(1, limit="100.00")], ids=["market", "limit"])
def test_a_stale_price_refuses_every_order(how, order):
    desk = Desk()
    desk.board._latest.clear()
    desk.board.put("KO", "99.99", "100.01", **STALE[how])
    answer = desk.check(order)
    assert isinstance(answer, Rejection)
    assert answer.rule is Rule.MAX_QUOTE_AGE


def test_a_price_goes_stale_while_nothing_happens():
    desk = Desk()
    desk.clock.move_to(NOON + timedelta(seconds=15))
    assert isinstance(desk.check(buy(1)), ApprovedOrder)
    desk.clock.move_to(NOON + timedelta(seconds=15, microseconds=1))
    assert isinstance(desk.check(buy(1)), Rejection)


def test_an_approval_is_not_written_down_for_later():
    """It is an object of this process; nobody can keep it in a file and send it when prices have moved."""
    with pytest.raises((TypeError, pickle.PicklingError)):
        pickle.loads(pickle.dumps(_approval()))
    with pytest.raises(TypeError):
        copy.copy(_approval())
