"""The lines that the documentation promises to users, run as they are printed."""

from __future__ import annotations

import asyncio
import logging
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from quant_trading_system import KillSwitchActiveError, Order, OrderSide, OrderType, PositionSide, TimeInForce
from quant_trading_system.core.events import HaltLevel
from quant_trading_system.risk.latch import FileLatch
from tests.support.desk import Account, limits_with
from tests.support.orders import buy

NAMES = {
    "Order": Order,
    "OrderSide": OrderSide,
    "OrderType": OrderType,
    "TimeInForce": TimeInForce,
    "PositionSide": PositionSide,
    "KillSwitchActiveError": KillSwitchActiveError,
    "logger": logging.getLogger("a user's program"),
}

PROTOCOL = """
from quant_trading_system.risk.limits import KillSwitch

kill_switch = KillSwitch()

def submit_order(order: Order) -> None:
    if kill_switch.is_active():
        raise KillSwitchActiveError(kill_switch._reason)
    # ... proceed with order
"""

ACTIVATION = """
kill_switch.activate(reason="Manual halt - investigating anomaly")
"""

STATUS = """
if kill_switch.is_active():
    logger.critical(f"Kill switch active: {kill_switch._reason}")
"""

RESET = """
kill_switch.reset(authorized_by="admin@company.com")
"""

LIQUIDATION = """
async def emergency_liquidate():
    for symbol, position in portfolio.positions.items():
        order = Order(
            symbol=symbol,
            side=OrderSide.SELL if position.side COMPARED PositionSide.LONG else OrderSide.BUY,
            quantity=abs(position.quantity),
            order_type=OrderType.MARKET,
            time_in_force=TimeInForce.IOC
        )
        await order_manager.submit(order)
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The names of a user's program that has run the protocol."""
    monkeypatch.setenv("QTS_STATE_DIR", str(tmp_path))
    return run(PROTOCOL, dict(NAMES))


def run(text: str, names: dict[str, Any]) -> dict[str, Any]:
    exec(text, names)
    return names


def test_an_order_passes_while_the_switch_is_inactive(program):
    program["submit_order"](buy(1))


def test_activation_stops_orders_with_the_reason_given(program):
    run(ACTIVATION, program)
    with pytest.raises(KillSwitchActiveError, match=r"^Manual halt - investigating anomaly$"):
        program["submit_order"](buy(1))


def test_the_status_is_logged_while_active_only(program, caplog):
    run(STATUS, program)
    assert caplog.records == []
    run(ACTIVATION + STATUS, program)
    assert [(r.levelname, r.message) for r in caplog.records] == [
        ("CRITICAL", "Kill switch active: Manual halt - investigating anomaly")
    ]


def test_a_reset_lets_orders_pass_again(program):
    run(ACTIVATION + RESET + STATUS, program)
    program["submit_order"](buy(1))


def test_a_program_that_is_started_again_finds_the_halt(program):
    run(ACTIVATION, program)
    again = run(PROTOCOL, dict(NAMES))
    with pytest.raises(KillSwitchActiveError, match="investigating anomaly"):
        again["submit_order"](buy(1))


def test_the_engine_s_switch_is_the_one_of_the_snippet(program, tmp_path):
    """A halt typed into a console stops the engine of the account."""
    account = Account(latch=FileLatch(tmp_path / "default" / "kill_latch.json"))
    run(ACTIVATION, program)
    with pytest.raises(KillSwitchActiveError, match="Manual halt"):
        account.submit(buy(1))
    assert account.broker.placed == []


@pytest.mark.parametrize("compared", ["==", "is"])
@pytest.mark.parametrize("level", [None, HaltLevel.REDUCING, HaltLevel.FLATTENING])
def test_emergency_liquidation_closes_long_and_short(compared, level):
    """Through the same gate as every order: running, and at the levels of a halt that allow exits."""
    account = Account(limits=limits_with(allow_short=True))
    account.hold("KO", 10)
    account.hold("XOM", -5)
    account.broker.answers.extend(["fill", "fill"])
    if level is not None:
        account.kill_switch.activate("get out", level=level)
    names = run(LIQUIDATION.replace("COMPARED", compared), _console(account))
    asyncio.run(names["emergency_liquidate"]())
    assert [(o.symbol, o.side, o.quantity, o.time_in_force) for o in account.broker.orders] == [
        ("KO", OrderSide.SELL, Decimal(10), TimeInForce.IOC),
        ("XOM", OrderSide.BUY, Decimal(5), TimeInForce.IOC),
    ]
    assert account.portfolio.positions == {}


def test_emergency_liquidation_does_not_get_past_a_full_halt():
    account = Account()
    account.hold("KO", 10)
    account.kill_switch.activate("nothing at all")
    names = run(LIQUIDATION.replace("COMPARED", "=="), _console(account))
    with pytest.raises(KillSwitchActiveError, match="nothing at all"):
        asyncio.run(names["emergency_liquidate"]())
    assert account.broker.placed == []


def _console(account: Account) -> dict[str, Any]:
    tracker = SimpleNamespace(positions=account.system.tracker.positions)
    assert tracker.positions.keys() == account.portfolio.positions.keys()
    return {**NAMES, "portfolio": account.portfolio, "order_manager": account.orders}
