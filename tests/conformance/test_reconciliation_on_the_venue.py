"""A person trades by hand on the account that an engine trades: over real HTTP, with the account's own keys."""

from __future__ import annotations

import json
import signal
from urllib.request import Request, urlopen

import pytest

from tests.support.engine_process import Engine
from tests.support.venue_process import VenueProcess, running_venue

IDLE = """
from quant_trading_system import Strategy

class Buyer(Strategy):
    def on_bar(self, market):
        return ()
"""


@pytest.fixture(scope="module")
def venue():
    with running_venue("--always-open", "--symbols", "KO:60,PEP:170", "--rate-limit", "0", accounts=3) as running:
        yield running


@pytest.fixture
def engine(venue, tmp_path):
    made = Engine(venue, tmp_path)
    (tmp_path / "buyer.py").write_text(IDLE)
    return made


def by_hand(engine: Engine, venue: VenueProcess, **order: str) -> dict:
    """What a click on the broker's site does."""
    body = {"type": "market", "time_in_force": "day", **order}
    headers = {
        "APCA-API-KEY-ID": engine.environment["APCA_API_KEY_ID"],
        "APCA-API-SECRET-KEY": engine.environment["APCA_API_SECRET_KEY"],
        "Content-Type": "application/json",
    }
    with urlopen(Request(f"{venue.url}/v2/orders", json.dumps(body).encode(), headers), timeout=20) as answer:
        return json.load(answer)


def stop(engine: Engine, process) -> None:
    process.send_signal(signal.SIGINT)
    engine.told(process, "stopped;")
    assert process.wait() == 0


@pytest.mark.fault("order-foreign")
def test_orders_by_hand_come_onto_the_books_once_and_stay_theirs(engine, venue):
    """Filled, resting, and filled while no engine ran; the engine's end leaves the resting one alone."""
    with engine.running() as first:
        engine.told(first, "reconciled; trading")
        by_hand(engine, venue, symbol="KO", qty="7", side="buy")
        engine.told(first, "filled: buy 7 KO")
        by_hand(engine, venue, symbol="KO", qty="5", side="buy", type="limit", limit_price="30.00")
        engine.told(first, "external order taken over: buy 5 KO")
        assert engine.ask("reconcile")["breaks"] == []
        refused = engine.refused("reconcile", "--adopt", "Ana", "--reason", "a test")
        assert "stop it with Ctrl-C, adopt, then start it again" in refused
        stop(engine, first)
    by_hand(engine, venue, symbol="PEP", qty="2", side="buy")

    dry = engine.ask("reconcile", allowed=3)
    assert {(row["kind"], row["symbol"]) for row in dry["breaks"]} >= {("position", "PEP")}
    with engine.running() as second:
        lines = engine.told(second, "reconciled; trading")
        assert any("filled: buy 2 PEP" in line for line in lines)
        stop(engine, second)
    held = {row["symbol"]: row["quantity"] for row in engine.ask("positions")["positions"]}
    assert held == {"KO": "7", "PEP": "2"}
    orders = engine.ask("orders")
    assert {row["strategy"] for row in orders} == {"external"}
    assert "somebody else" in engine.run("explain", orders[0]["order_id"])
    assert engine.ask("journal", "verify")["is_sound"]
    assert engine.ask("journal", "replay")["agrees"]


@pytest.mark.fault("liquidated")
def test_a_position_that_somebody_closes_behind_our_back_halts(engine, venue):
    """It cannot be told apart from a broker that liquidates."""
    with engine.running() as process:
        engine.told(process, "reconciled; trading")
        by_hand(engine, venue, symbol="KO", qty="7", side="buy")
        engine.told(process, "filled: buy 7 KO")
        venue.control("/liquidate", {"symbol": "KO", "account": engine.account})
        engine.told(process, "kill switch: HALTED by reconciliation: somebody closes all of KO")
        stop(engine, process)


@pytest.mark.fault("order-of-our-make")
def test_an_order_with_an_id_of_our_make_that_nobody_here_sent_halts(engine, venue):
    with engine.running() as process:
        engine.told(process, "reconciled; trading")
        by_hand(engine, venue, symbol="KO", qty="1", side="buy", client_order_id="0ca34559d7d2-1-0")
        engine.told(process, "kill switch: HALTED by order manager")
        stop(engine, process)
