"""Real processes: an engine that dies or hangs is stopped by its watchdog, and nobody sends beside it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic

import pytest

from quant_trading_system.app.heartbeat import WATCHDOG_FILE, read_heartbeat
from tests.support.engine_process import Engine
from tests.support.venue_process import running_venue, until

BOUND_S = 3
MARGIN_S = 5  # for two busy cores


@pytest.fixture(scope="module")
def venue():
    with running_venue("--always-open", "--symbols", "KO:60,PEP:170", "--rate-limit", "0", accounts=8) as running:
        yield running


@pytest.fixture
def engine(venue, tmp_path):
    return Engine(venue, tmp_path)


@contextmanager
def watched(engine: Engine, bound: int = BOUND_S) -> Iterator[subprocess.Popen[str]]:
    """An engine with its watchdog, both of which are gone when the block is left."""
    pids: set[int] = set()
    try:
        with engine.running("--watchdog-bound", str(bound), watched=True) as process:
            engine.told(process, "reconciled")
            pids.add(watchdog_pid(engine))
            yield process
            pids.add(watchdog_pid(engine))
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def watchdog_pid(engine: Engine) -> int:
    found = read_heartbeat(engine.directory / WATCHDOG_FILE)
    assert found is not None
    return found.pid


def rest_an_order(engine: Engine, name: str, symbol: str = "KO") -> None:
    """As if it had been on its way when the engine stopped: far below the market, so that it works."""
    order = {"symbol": symbol, "side": "buy", "type": "limit", "time_in_force": "gtc", "qty": "1", "limit_price": "20"}
    engine.broker("POST", "/orders", {**order, "client_order_id": name})


def status_of(engine: Engine, name: str) -> str:
    return engine.broker("GET", f"/orders:by_client_order_id?client_order_id={name}")["status"]


def open_orders(engine: Engine) -> list[str]:
    return sorted(order["client_order_id"] for order in engine.broker("GET", "/orders?status=open"))


def halted(engine: Engine) -> dict:
    latch = json.loads((engine.directory / "kill_latch.json").read_text())
    return latch if latch["level"] else {}


def test_a_killed_engine_is_halted_its_orders_are_cancelled_and_its_journal_tells_at_the_next_start(engine):
    with watched(engine) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        died = monotonic()
        rest_an_order(engine, "late-1")
        until(lambda: status_of(engine, "late-1") == "canceled", "cancelled")
        assert monotonic() - died < BOUND_S + MARGIN_S
        latch = halted(engine)
        assert (latch["trigger"], latch["by"]) == ("watchdog", "watchdog")
        with engine.running() as second:
            lines = "".join(engine.told(second, "HALTED since"))
            assert "the watchdog, at" in lines
            assert "asked to cancel 1 open orders: late-1" in lines
            second.send_signal(signal.SIGINT)
            engine.told(second, "stopped")
            assert second.wait() == 0
    assert engine.ask("journal", "replay")["agrees"]


def test_a_stopped_engine_is_halted_and_sends_nothing_when_it_goes_on(engine):
    with watched(engine) as process:
        process.send_signal(signal.SIGSTOP)
        rest_an_order(engine, "late-2")
        until(lambda: status_of(engine, "late-2") == "canceled", "cancelled")
        assert halted(engine)["trigger"] == "watchdog"
        process.send_signal(signal.SIGCONT)
        engine.told(process, "kill switch: HALTED by watchdog: process")
        assert [order["client_order_id"] for order in engine.broker("GET", "/orders?status=all")] == ["late-2"]
        process.send_signal(signal.SIGINT)
        engine.told(process, "stopped")
        assert process.wait() == 0


def test_a_good_end_ends_the_watchdog_and_halts_nothing(engine):
    with watched(engine, bound=30) as process:
        pid = watchdog_pid(engine)
        process.send_signal(signal.SIGINT)
        engine.told(process, "stopped")
        assert process.wait() == 0
        until(lambda: not is_running(pid), "the watchdog ended")
        assert not halted(engine)
        assert not (engine.directory / "watchdog.jsonl").exists()


def is_running(pid: int) -> bool:
    """Neither gone nor a zombie that nobody has waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_second_engine_is_refused_and_the_first_hears_of_the_machine_and_of_its_lock(engine):
    """The second keeps another directory, so that only the account tells that they are two."""
    with engine.running() as first:
        engine.told(first, "reconciled")
        with engine.running("--name", "other") as second:
            told, _ = second.communicate()
            assert second.returncode == 1
            said = " ".join(told.split())
            assert f"another engine trades this account: process {first.pid} on" in said
            assert str(engine.directory) in said.replace(" ", "")
        engine.run("halt", "--all", "--reason", "fire", "--by", "Ana")
        engine.told(first, "kill switch: HALTED by Ana: everything on this machine is halted: fire")
        (lock,) = (engine.directory.parent / "accounts").glob("*.lock")
        lock.unlink()
        engine.told(first, "account lock: lock lost:")
        first.send_signal(signal.SIGINT)
        engine.told(first, "stopped")


@pytest.mark.control("cancel past the engine")
@pytest.mark.fault("engine-hangs")
def test_an_engine_that_hangs_is_fenced_and_its_orders_are_cancelled_by_the_person_who_halts(engine):
    """Nobody watches it. Two persons resume while it stands still, so that the latch alone would let it go on."""
    with engine.running() as process:
        engine.told(process, "reconciled")
        process.send_signal(signal.SIGSTOP)
        rest_an_order(engine, "late-1")
        rest_an_order(engine, "late-2", "PEP")
        told = " ".join(engine.run("halt", "--reason", "odd", "--by", "Ana").split())
        assert "the engine gives no sign of life" in told
        assert f"process {process.pid} sends nothing any more" in told
        assert "asked to cancel 2 open orders: late-1, late-2" in told
        assert told.endswith("no order is open at the broker")
        assert open_orders(engine) == []
        before = engine.broker("GET", "/orders?status=all")
        engine.run("resume", "--authorized-by", "Ana", "--reason", "a mistake")
        process.send_signal(signal.SIGCONT)
        engine.told(process, "kill switch: HALTED by broker adapter")
        engine.told(process, "account lock: lock lost:")
        assert halted(engine)["trigger"] == "integrity"
        process.send_signal(signal.SIGINT)
        engine.told(process, "stopped")
        assert process.wait() == 0
        assert engine.broker("GET", "/orders?status=all") == before
    with engine.running() as second:
        assert "`qts halt` of Ana: no order is open" in "".join(engine.told(second, "HALTED since"))
        second.send_signal(signal.SIGINT)
        engine.told(second, "stopped")
    assert engine.ask("journal", "replay")["agrees"]


def test_orders_of_an_engine_that_is_gone_are_cancelled_with_its_own_keys_only(engine, venue):
    with engine.running() as process:
        engine.told(process, "reconciled")
        process.send_signal(signal.SIGKILL)
        process.wait()
    rest_an_order(engine, "left-1")
    rest_an_order(engine, "left-2", "PEP")
    own = dict(engine.environment)
    engine.environment["APCA_API_KEY_ID"] = ""
    told = engine.run("halt", "--reason", "gone", "--level", "reducing", "--wait", "6", allowed=3)
    assert "NOTHING was cancelled, for there are no keys here: APCA_API_KEY_ID is missing" in " ".join(told.split())
    stranger = venue.fresh_account()
    engine.environment |= {"APCA_API_KEY_ID": stranger.key, "APCA_API_SECRET_KEY": stranger.secret}
    told = engine.run("halt", "--reason", "gone", "--level", "reducing", allowed=3)
    assert "NOTHING was cancelled: these keys belong to" in " ".join(told.split())
    assert open_orders(engine) == ["left-1", "left-2"]
    engine.environment |= own
    engine.run("halt", "--reason", "only PEP", "--symbol", "PEP")
    assert open_orders(engine) == ["left-1"]
    engine.broker(
        "POST", "/orders", {"symbol": "KO", "side": "buy", "type": "market", "time_in_force": "day", "qty": "3"}
    )
    told = " ".join(engine.run("flatten", "--yes", "--reason", "close", "--wait", "20", allowed=3).split())
    assert "asked to cancel 1 open orders: left-1" in told
    assert "NOT closed: 3 KO; end the engine's process and start `qts trade` again" in told
    assert open_orders(engine) == []
    told = engine.run("halt", "--all", "--reason", "fire")
    assert "default: no order is open at the broker" in told
