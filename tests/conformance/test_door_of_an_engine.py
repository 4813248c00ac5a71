"""Commands from a second process to a `qts trade` that trades on the venue over real HTTP and WebSocket."""

from __future__ import annotations

import asyncio
import signal
from decimal import Decimal

import pytest

from quant_trading_system.app.door import EngineDoor
from quant_trading_system.core.command import Source
from quant_trading_system.core.commands import (
    Cancel,
    CancelAll,
    Check,
    DisarmStrategy,
    Flatten,
    PauseParent,
    PlaceOrder,
    Reconcile,
    ReplaceOrder,
    Result,
    StartParent,
)
from quant_trading_system.core.exceptions import EngineNotRunning
from quant_trading_system.core.orders import OrderSide, OrderType
from quant_trading_system.core.rebalance_commands import PreviewRebalance, Rebalance
from tests.support.engine_process import Engine
from tests.support.venue_process import running_venue

D = Decimal
KO = {"symbol": "KO", "side": OrderSide.BUY}


@pytest.fixture(scope="module")
def venue():
    with running_venue("--always-open", "--symbols", "KO:60,PEP:170", "--rate-limit", "0", accounts=3) as running:
        yield running


@pytest.fixture
def engine(venue, tmp_path):
    (tmp_path / "quiet.py").write_text(
        "from quant_trading_system import Strategy\n\n\nclass Quiet(Strategy):\n"
        "    def on_bar(self, market):\n        return ()\n"
    )
    return Engine(venue, tmp_path, "quiet.py", "--symbols", "KO,PEP")


def ask(engine, command, key):
    door = EngineDoor(engine.directory)
    return asyncio.run(door.ask(command, key=key, principal="anna", source=Source.CLI))


def test_orders_parents_and_the_account_are_moved_from_another_process(engine):
    with engine.running() as process:
        engine.told(process, "takes commands")
        engine.told(process, "opened, equity")
        would = ask(engine, Check(**KO, quantity=D(10)), "key-would-1")
        assert would.result is Result.DONE, would
        bought = ask(engine, PlaceOrder(**KO, quantity=D(10)), "key-bought-1")
        assert (bought.result, bought.status) == (Result.DONE, "filled")
        low = {**KO, "quantity": D(5), "order_type": OrderType.LIMIT}
        resting = ask(engine, PlaceOrder(**low, limit_price=D("59.00")), "key-rest-1")
        assert resting.status == "working"
        moved = ask(engine, ReplaceOrder(order_id=resting.order_id, limit_price=D("58.50")), "key-move-1")
        assert moved.result is Result.DONE, moved
        cancelled = ask(engine, Cancel(order_id=moved.order_id), "key-cancel-1")
        assert (cancelled.result, cancelled.status) == (Result.DONE, "canceled")
        refused = ask(engine, PlaceOrder(**KO, quantity=D(5000)), "key-refused-1")
        assert (refused.result, refused.rule) == (Result.REFUSED, "max_position_pct")
        parent = ask(engine, StartParent(**KO, quantity=D(40), algorithm="twap", minutes=30), "key-parent-1")
        assert parent.result is Result.DONE, parent
        paused = ask(engine, PauseParent(parent_id=parent.parent_id), "key-pause-1")
        assert (paused.result, paused.status) == (Result.DONE, "paused")
        assert ask(engine, Reconcile(), "key-compare-1").status == "agree"
        assert ask(engine, CancelAll(), "key-all-1").result is Result.DONE
        planned = ask(engine, PreviewRebalance(weights={"PEP": D("0.05")}), "key-look-1").rebalance
        assert [(trade.symbol, trade.why) for trade in planned.trades] == [("KO", "closed"), ("PEP", "to target")]
        moved = ask(engine, Rebalance(weights={"PEP": D("0.05")}), "key-weights-1")
        assert (moved.result, len(moved.orders)) == (Result.DONE, 2), moved
        assert engine.broker("GET", "/positions")[0]["symbol"] == "PEP", "the broker holds it and nothing else"
        assert ask(engine, DisarmStrategy(strategy="Quiet"), "key-disarm-1").status == "disarmed"
        assert ask(engine, PlaceOrder(**KO, quantity=D(10)), "key-bought-1") == bought, "the same key acts once"
        process.send_signal(signal.SIGKILL)
        process.wait()
    with pytest.raises(EngineNotRunning):
        ask(engine, Reconcile(), "key-compare-2")
    assert (engine.directory / "control.sock").exists(), "a dead engine leaves its socket"

    with engine.running() as process:
        engine.told(process, "strategy Quiet is disarmed")
        engine.told(process, "takes commands")
        assert ask(engine, PlaceOrder(**KO, quantity=D(10)), "key-bought-1") == bought, "also after a restart"
        flat = ask(engine, Flatten(reason="the end of the test"), "key-flat-1")
        assert (flat.result, flat.status) == (Result.DONE, "flattening")
        process.send_signal(signal.SIGINT)
        engine.told(process, "stopped")
        assert process.wait() == 0
    assert not (engine.directory / "control.sock").exists()
    assert engine.ask("journal", "verify")["is_sound"]
    assert engine.ask("journal", "replay")["agrees"]


@pytest.mark.timeout(300)  # some forty programs, one after the other
def test_everything_can_be_done_from_the_command_line(engine):
    """As a person would, with text and with JSON, on an engine in another process."""
    assert "no engine is running for account default" in engine.refused("cancel", "--all")
    with engine.running() as process:
        engine.told(process, "takes commands")
        engine.told(process, "opened, equity")
        seen = engine.run("order", "buy", "KO", "10", "--dry-run")
        assert "would be sent: buy 10 KO, market, day" in seen
        assert "max_position_pct" in seen, "the limits that are nearest"
        assert "Nobody can be asked here: repeat the command with --yes" in engine.refused("order", "buy", "KO", "10")
        bought = engine.ask("order", "buy", "KO", "10", "--yes", "--key", "my-purchase-1")
        assert (bought["result"], bought["status"]) == ("done", "filled")
        assert engine.ask("order", "buy", "KO", "10", "--yes", "--key", "my-purchase-1") == bought
        refused = engine.ask("order", "buy", "KO", "9000", "--yes", allowed=1)
        assert (refused["result"], refused["rule"]) == ("refused", "max_position_pct")
        resting = engine.ask("order", "buy", "KO", "5", "--limit", "58.00", "--tif", "gtc", "--yes")
        moved = engine.ask("replace", resting["order_id"], "--limit", "58.50")
        assert engine.ask("cancel", moved["order_id"])["status"] == "canceled"
        parent = engine.ask("algo", "start", "PEP", "buy", "20", "--use", "twap", "--minutes", "30", "--yes")
        name = parent["parent_id"]
        assert engine.ask("algo", "pause", name)["status"] == "paused"
        assert engine.ask("algo", "speed-up", name, "2")["result"] == "done"
        assert engine.ask("algo", "reduce", name, "10")["result"] == "done"
        assert engine.ask("algo", "resume", name)["status"] == "working"
        assert engine.ask("algo", "cancel", name, allowed=3)["status"] in ("cancelled", "stopping")
        assert engine.ask("strategy", "disarm", "Quiet", "--reason", "a test")["status"] == "disarmed"
        (listed,) = engine.ask("strategy", "list")
        assert (listed["strategy"], listed["state"], listed["reason"]) == ("Quiet", "disarmed", "a test")
        assert engine.ask("strategy", "arm", "Quiet")["status"] == "armed"
        assert engine.ask("cancel", "--all")["result"] == "done"
        assert engine.ask("reconcile", "--now")["status"] == "agree"
        process.send_signal(signal.SIGINT)
        engine.told(process, "stopped")
        assert process.wait() == 0
