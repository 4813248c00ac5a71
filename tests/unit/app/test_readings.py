"""What pages show, read from two months of the demonstration."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest

from quant_trading_system.app.account_files import LATCH_FILE
from quant_trading_system.app.heartbeat import ENGINE_FILE, Heartbeat, Phase, write_heartbeat
from quant_trading_system.app.order_list import OrderFilter, list_orders
from quant_trading_system.app.readings.algorithms import algorithms, costs
from quant_trading_system.app.readings.engine import QUIET_LOOKS, EngineState, EngineWatch
from quant_trading_system.app.readings.entries import chain_status, entry_page
from quant_trading_system.app.readings.follower import Follower
from quant_trading_system.app.readings.limits import limits_reading
from quant_trading_system.app.readings.orders import order_page, order_record
from quant_trading_system.app.readings.overview import overview
from quant_trading_system.app.refusal import refusal_sentence
from quant_trading_system.core.decisions import CheckResult, Rule, Unit
from quant_trading_system.core.events import HaltLevel, HaltTrigger, KillSwitchEvent
from quant_trading_system.core.exceptions import UnknownOrder
from quant_trading_system.core.order_listing import OrderGroup
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.risk.latch import FileLatch
from tests.support.demo_journal import Scribe, short_demo
from tests.support.parent_runs import InAndOut, trade

NOW = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    directory = tmp_path_factory.mktemp("demo") / "run"
    short_demo(directory)
    follower = Follower(directory)
    follower.catch_up()
    yield follower
    follower.close()


@pytest.fixture
def watch(demo, tmp_path):
    return EngineWatch(demo.directory, tmp_path / "host_latch.json")


def test_the_overview_agrees_with_the_books(demo, watch):
    shown = overview(demo, watch.look(demo), NOW)
    assert shown.money.equity == demo.books.baselines.equity
    assert shown.money.cash + shown.holdings.net == pytest.approx(shown.money.equity, rel=Decimal("0.02"))
    assert shown.holdings.gross == sum(abs(line.value) for line in shown.holdings.positions)
    assert shown.run.orders == demo.books.run_orders
    assert shown.run.fills == demo.books.run_fills
    assert sum(shown.refusals.values()) == shown.run.refused > 0
    assert shown.curve[-1].equity == shown.money.equity
    assert {line.key for line in shown.headroom} >= {"risk.max_drawdown_pct", "account.max_gross_exposure"}
    assert msgspec.json.decode(msgspec.json.encode(shown))["money"]["cash"] == str(demo.books.cash)


def test_every_refusal_says_in_one_sentence_why(demo):
    page = order_page(demo, OrderFilter(group=OrderGroup.REFUSED), limit=500)
    assert page.total == len(page.rows) == page.counts["refused"]
    for row in page.rows:
        assert row.refusal.startswith("Refused: ")
        assert row.refusal.endswith(".")
        assert "_" not in row.refusal.replace("allow_short", "")


@pytest.mark.parametrize("rule", Rule)
def test_every_rule_has_a_sentence_with_and_without_numbers(rule):
    bare = refusal_sentence(CheckResult(rule, False, detail="because"))
    assert bare.startswith("Refused: ")
    full = refusal_sentence(CheckResult(rule, False, Decimal("12.5"), Decimal(10), Unit.USD, "because"))
    assert "because" in full or ("12.5" in full and "{" not in full)


def test_a_stop_on_the_wrong_side_is_not_called_so_many_dollars_worse_than_the_market():
    stop, quote, why = Decimal("64.32"), Decimal("64.22"), "a stop on the wrong side of the market"
    wrong = CheckResult(Rule.PRICE_COLLAR, False, stop, quote, Unit.USD, why)
    assert refusal_sentence(wrong) == (
        "Refused: $64.32 is a stop on the wrong side of the market, which stands at $64.22."
    )
    too_far = CheckResult(Rule.PRICE_COLLAR, False, stop, quote, Unit.USD)
    assert refusal_sentence(too_far) == (
        "Refused: its price is $64.32 worse than the market, and at most $64.22 is allowed."
    )


def test_pages_of_the_blotter_join_and_filters_narrow(demo):
    everything = order_page(demo, OrderFilter(), limit=500)
    first, second = (order_page(demo, OrderFilter(), offset=offset, limit=5) for offset in (0, 5))
    assert [row.order_id for row in (*first.rows, *second.rows)] == [row.order_id for row in everything.rows[:10]]
    symbol = everything.rows[0].symbol
    assert {row.symbol for row in order_page(demo, OrderFilter(symbol=symbol)).rows} == {symbol}
    rogue = order_page(demo, OrderFilter(strategy="rogue (planted)"))
    assert {row.strategy for row in rogue.rows} == {"rogue (planted)"}
    assert order_page(demo, OrderFilter(text=everything.rows[3].order_id)).total == 1
    filled = order_page(demo, OrderFilter(group=OrderGroup.FILLED)).rows[0]
    assert filled.average_price is not None


@pytest.mark.parametrize("group", OrderGroup)
def test_the_command_line_finds_the_orders_of_the_blotter(demo, group):
    for wanted in (OrderFilter(group=group), OrderFilter(group=group, strategy="Momentum", text="max_")):
        page = order_page(demo, wanted, limit=5)
        assert list_orders(demo.reader(), wanted, last=5) == list(reversed(page.rows))


def test_the_record_of_an_order_is_the_one_of_the_command_line(demo):
    row = order_page(demo, OrderFilter(group=OrderGroup.REFUSED)).rows[0]
    assert order_record(demo, row.order_id).refused_by is row.refused_by
    with pytest.raises(UnknownOrder):
        order_record(demo, "nobody")


def test_the_journal_is_read_backwards_page_by_page(demo):
    newest = entry_page(demo, limit=30)
    assert [row.seq for row in newest.rows] == list(range(newest.last, newest.last - 30, -1))
    older = entry_page(demo, before=newest.rows[-1].seq, limit=10)
    assert older.rows[0].seq == newest.rows[-1].seq - 1
    fills = entry_page(demo, kind="fill", limit=500)
    assert len(fills.rows) == demo.books.run_fills
    assert entry_page(demo, kind="run_started").rows[0].seq == 1
    order = order_page(demo, OrderFilter(group=OrderGroup.FILLED)).rows[0].order_id
    assert {row.kind for row in entry_page(demo, subject=order).rows} >= {"order", "fill"}


def test_the_chain_is_sound_until_somebody_cuts_the_end(demo, tmp_path):
    assert chain_status(demo).is_sound
    scribe = Scribe(tmp_path / "cut")
    scribe.send()
    scribe.close()
    with closing(Follower(tmp_path / "cut")) as cut:
        cut.catch_up()
        with closing(sqlite3.connect(cut.path, isolation_level=None)) as connection:
            connection.execute("DELETE FROM entries WHERE seq = 3")
        status = chain_status(cut)
    assert not status.is_sound
    assert "missing" in status.says


def test_limits_are_those_of_the_run(demo):
    shown = limits_reading(demo)
    assert shown.version == demo.books.run.limits_version
    assert {line.key: line.value for line in shown.lines} == demo.books.run.limits


def test_parent_orders_show_plan_and_deeds(tmp_path):
    trade(InAndOut("twap"), directory=tmp_path)
    follower = Follower(tmp_path)
    follower.catch_up()
    newest = algorithms(follower)[0]
    assert newest.planned[-1].quantity == newest.record.quantity
    assert newest.done[-1].quantity == newest.record.filled > 0
    assert costs(follower).total is not None
    follower.close()


# -- the engine


def test_a_run_that_ended_is_not_running(demo, watch):
    engine = watch.look(demo)
    assert engine.state is EngineState.STOPPED
    assert engine.halt.level == "running"
    assert "not running" in engine.says


def test_nothing_was_ever_run(tmp_path):
    follower = Follower(tmp_path)
    follower.poll()
    engine = EngineWatch(tmp_path, tmp_path / "host.json").look(follower)
    assert engine.state is EngineState.NEVER
    assert "qts demo" in engine.says


@pytest.fixture
def living(tmp_path):
    """An account whose journal this process writes, with its follower, its watch and a heartbeat to beat."""
    scribe, follower = Scribe(tmp_path), Follower(tmp_path)
    follower.catch_up()

    def beat(beats: int, turns: int, phase: Phase = Phase.ALIVE) -> None:
        sign = Heartbeat(beats=beats, turns=turns, pid=os.getpid(), epoch=3, account="a", phase=phase)
        write_heartbeat(tmp_path / ENGINE_FILE, sign)

    yield EngineWatch(tmp_path, tmp_path / "host.json"), follower, beat, scribe
    follower.close()
    scribe.close()


def test_an_engine_lives_while_its_heart_beats_and_is_stuck_while_only_that(living):
    watch, follower, beat, _ = living
    for number in range(2 * QUIET_LOOKS + 1):
        beat(number, 1)
        state = watch.look(follower).state
        assert state is (EngineState.RUNNING if number < 2 * QUIET_LOOKS else EngineState.STUCK)


def test_an_engine_without_a_beat_falls_silent(living):
    watch, follower, beat, _ = living
    beat(1, 1)
    states = [watch.look(follower).state for _ in range(QUIET_LOOKS + 1)]
    assert states[-2:] == [EngineState.RUNNING, EngineState.SILENT]


def test_a_halt_is_seen_at_once_and_stands_among_the_alerts(living, tmp_path):
    watch, follower, _, scribe = living
    switch = KillSwitch(latch=FileLatch(tmp_path / LATCH_FILE))
    switch.activate("something odd", activated_by="ann")
    assert watch.look(follower).halt.reason == "something odd"
    scribe.write(
        KillSwitchEvent(
            at=scribe.now,
            level=HaltLevel.HALTED,
            reason="something odd",
            trigger=HaltTrigger.MANUAL,
            by="ann",
            activation=1,
        )
    )
    follower.catch_up()
    shown = overview(follower, watch.look(follower), scribe.now + timedelta(minutes=3))
    assert [line.what for line in shown.alerts] == ["kill switch: halted"]
