"""The whole system over real HTTP and WebSocket: an engine trades on the venue, is killed, and goes on."""

from __future__ import annotations

import signal

import pytest

from tests.support.engine_process import BUYS, Engine
from tests.support.venue_process import running_venue, until


@pytest.fixture(scope="module")
def venue():
    with running_venue("--always-open", "--symbols", "KO:60,PEP:170", "--rate-limit", "0", accounts=12) as running:
        yield running


@pytest.fixture
def engine(venue, tmp_path):
    return Engine(venue, tmp_path)


@pytest.mark.fault("engine-killed")
def test_an_engine_that_is_killed_goes_on_where_it_was(engine):
    """It buys at the end of a minute, is killed without warning, and knows its positions when it is back."""
    with engine.running() as first:
        engine.told(first, "reconciled")
        engine.told(first, "filled: buy", times=2)
        first.send_signal(signal.SIGKILL)
        first.wait()
    held = {row["symbol"]: row["quantity"] for row in engine.ask("positions")["positions"]}
    assert set(held) == {"KO", "PEP"}

    with engine.running() as second:
        lines = engine.told(second, "reconciled")
        assert not [line for line in lines if line.split(" ", 1)[-1].startswith("position")]
        second.send_signal(signal.SIGINT)
        engine.told(second, "stopped; 0 orders are open")
        assert second.wait() == 0
    assert engine.ask("journal", "verify")["is_sound"]
    assert engine.ask("journal", "replay")["agrees"]
    assert {row["symbol"]: row["quantity"] for row in engine.ask("positions")["positions"]} == held


def test_an_engine_sizes_as_it_was_told(venue, tmp_path):
    """`--sizer` of `qts trade` decides about a real order: the strategy asks for a twentieth, and gets the limit.

    In a hurry: the minute that a strategy waits for is lived through by the test above.
    """
    engine = Engine(venue, tmp_path, *BUYS, "--sizer", "equal-weight", program="tests.support.hasty_trade")
    with engine.running() as running:
        engine.told(running, "filled: buy")
        running.send_signal(signal.SIGINT)
        running.wait()
    first = engine.ask("orders")[0]
    price = {"KO": 60, "PEP": 170}[first["symbol"]]
    assert 9_000 < float(first["filled"]) * price < 10_500
    assert "max_position_pct" in engine.run("explain", first["order_id"])


PATIENT = """
from quant_trading_system import Order, Strategy

class Patient(Strategy):
    placed = False

    def on_bar(self, market):
        orders = market.open_orders("KO")
        if not orders and not self.placed:
            self.placed = True
            yield Order(
                symbol="KO", side="buy", quantity=3, order_type="limit", limit_price="50.00", time_in_force="gtc"
            )
        for order in orders:
            if not self.placed:
                self.placed = True
                yield market.cancel(order, reason="left over")
            elif order.limit_price == 50:
                yield market.replace(order, limit_price="51.00")
"""


def test_a_strategy_changes_its_order_and_takes_it_back_after_a_restart(venue, tmp_path):
    """The second process knows nothing but what the account knows: it finds the order of the first one."""
    (tmp_path / "patient.py").write_text(PATIENT)
    engine = Engine(venue, tmp_path, "patient.py", "--symbols", "KO", program="tests.support.hasty_trade")
    with engine.running() as first:
        engine.told(first, "reconciled")
        until(lambda: [row["limit_price"] for row in engine.broker("GET", "/orders")] == ["51"], "the order to change")
        first.send_signal(signal.SIGKILL)
        first.wait()
    with engine.running() as second:
        engine.told(second, "cancel asked for by strategy Patient: left over")
        until(lambda: not engine.broker("GET", "/orders"), "the order to end")
        second.send_signal(signal.SIGINT)
        engine.told(second, "stopped; 0 orders are open")
        assert second.wait() == 0
    assert engine.ask("journal", "replay")["agrees"]
    orders = {row["order_id"]: row["status"] for row in engine.ask("orders")}
    changed = next(name for name in orders if name.endswith(".r1"))
    assert orders == {changed.removesuffix(".r1"): "replaced", changed: "canceled"}
    assert "strategy Patient: left over" in engine.run("explain", changed)


ATTENTIVE = """
from pathlib import Path
from quant_trading_system import Order, Strategy

class Attentive(Strategy):
    has_begun = False

    def on_bar(self, market):
        if not self.has_begun:
            self.has_begun = True
            self.note("the first bar -")
        orders = market.open_orders("KO")
        if not orders and not market.position("KO"):
            bid = Order(symbol="KO", side="buy", quantity=3, order_type="limit", limit_price="50.00",
                        time_in_force="gtc", tag="patient")
            yield bid
            yield Order(symbol="KO", side="buy", quantity=4, order_type="market", time_in_force="day", tag="at once")

    def on_fill(self, fill, market):
        self.note(f"fill {fill.tag} {fill.quantity} {fill.order_id}")
        yield Order(symbol="KO", side="sell", quantity=fill.quantity, order_type="limit", limit_price="90.00",
                    time_in_force="gtc", tag=f"out of {fill.tag}")

    def on_order_ended(self, order, market):
        self.note(f"{order.status} {order.tag} {order.order_id}")

    def note(self, line):
        with Path("told.txt").open("a") as told:
            print(line, file=told)
"""


def test_a_strategy_is_told_once_what_became_of_its_orders_over_kills_and_while_nobody_ran(venue, tmp_path):
    (tmp_path / "attentive.py").write_text(ATTENTIVE)
    engine = Engine(venue, tmp_path, "attentive.py", "--symbols", "KO", program="tests.support.hasty_trade")

    def told() -> list[str]:
        path = tmp_path / "told.txt"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line.rpartition(" ")[0] for line in lines]

    def resting() -> dict[str, str]:
        return {row["limit_price"]: row["id"] for row in engine.broker("GET", "/orders")}

    with engine.running() as first:
        engine.told(first, "reconciled")
        until(lambda: set(resting()) == {"50", "90"}, "the bid and the way out of what was bought to rest")
        first.send_signal(signal.SIGKILL)
        first.wait()
    assert told() == ["the first bar", "fill at once 4"]
    engine.broker("DELETE", f"/orders/{resting()['50']}")
    until(lambda: set(resting()) == {"90"}, "the bid to end while nobody runs")
    with engine.running("--on-stop", "leave") as second:
        engine.told(second, "reconciled")
        until(lambda: len(told()) > 3, "the end to be told, and the first bar")
        second.send_signal(signal.SIGINT)
        assert second.wait() == 0
    with engine.running("--on-stop", "leave") as third:
        until(lambda: len(told()) > 4, "another first bar")
        third.send_signal(signal.SIGINT)
        assert third.wait() == 0
    assert told()[2:] == ["canceled patient", "the first bar", "the first bar"]
    assert engine.ask("journal", "replay")["agrees"]
    said = {row["order_id"]: row["what"] for row in engine.ask("orders")}
    assert [what.partition('"')[2] for what in said.values()] == ['patient"', 'at once"', 'out of at once"']


def test_a_halt_of_the_exchange_reaches_the_engine(venue, engine):
    with engine.running() as running:
        engine.told(running, "reconciled")
        venue.control("/halt", {"symbol": "KO"})
        engine.told(running, "KO is halted")
        venue.control("/resume", {"symbol": "KO"})
        engine.told(running, "KO trades again")
        running.send_signal(signal.SIGINT)
        running.wait()


@pytest.mark.fault("second-engine")
def test_a_second_engine_on_the_same_account_is_refused_and_told_who_has_it(engine):
    with engine.running() as first:
        engine.told(first, "reconciled")
        with engine.running() as second:
            told, _ = second.communicate()
            assert second.returncode == 1
            assert str(first.pid) in told
        first.send_signal(signal.SIGTERM)
        engine.told(first, "stopped")
        assert first.wait() == 0


@pytest.mark.fault("wrong-account")
def test_a_mode_that_does_not_agree_with_the_host_is_refused(engine):
    with engine.running("--mode", "paper") as process:
        told, _ = process.communicate()
        assert process.returncode == 1
        assert "the configuration says paper" in told


@pytest.mark.fault("halt-from-outside")
def test_a_plain_halt_reaches_the_running_engine_and_holds_over_its_restart(engine):
    with engine.running() as first:
        engine.told(first, "reconciled")
        engine.run("halt", "--reason", "panic", "--by", "Ana")
        engine.told(first, "kill switch: HALTED by Ana: panic")
        first.send_signal(signal.SIGTERM)
        engine.told(first, "stopped")
    with engine.running() as second:
        engine.told(second, "HALTED since")
        engine.run("resume", "--authorized-by", "Ana", "--reason", "all is well")
        engine.told(second, "kill switch: RUNNING")
        second.send_signal(signal.SIGTERM)
        engine.told(second, "stopped")
        assert second.wait() == 0


@pytest.mark.fault("keys-refused")
def test_keys_that_are_refused_are_named(engine):
    engine.environment["APCA_API_SECRET_KEY"] = "wrong"
    with engine.running() as process:
        told, _ = process.communicate()
        assert process.returncode == 1
        assert "check APCA_API_KEY_ID" in " ".join(told.split())


def test_a_symbol_that_the_broker_does_not_know_is_named(engine):
    with engine.running("--symbols", "ZZZZ") as process:
        told, _ = process.communicate()
        assert process.returncode == 1
        assert "no 1Min bars of ZZZZ" in " ".join(told.split())
