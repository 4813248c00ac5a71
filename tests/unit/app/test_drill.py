"""What a drill makes of the venue's books: every way in which a halt can fail to hold is named."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest
from typer.testing import CliRunner

from quant_trading_system.app.drill.evidence import JSON_FILE, TABLE_FILE, evidence_of, rows_of, write_evidence
from quant_trading_system.app.drill.rehearsal import Rehearsal, set_at
from quant_trading_system.app.drill.stage import drill_limits
from quant_trading_system.app.drill.venue_books import VenueBooks, VenueOrder, VenueTrade
from quant_trading_system.app.drill.verdict import Facts, Push, judge
from quant_trading_system.app.drill.ways import WAYS
from quant_trading_system.cli.main import app
from quant_trading_system.config.loader import parse_limits
from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.events import HaltLevel
from quant_trading_system.core.halt_scope import HaltScope
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.risk.latch import FileLatch

D = Decimal
BUY, SELL = OrderSide.BUY, OrderSide.SELL
BEGAN = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
NO_MORE = "the venue took nothing that adds risk after the latch"
ENDED = "the venue shows every order ended that had to go"
REFUSED = "orders asked for after the halt were refused"
FLAT = "the venue shows flat, and no position went through zero"
UNTOUCHED = "orders beside the halted part work on"
STILL_LEAVE = "orders beside the halted part still leave"


def at(seconds: str) -> datetime:
    """Seconds after somebody began to stop orders; the latch is set after half a second."""
    return BEGAN + timedelta(milliseconds=int(D(seconds) * 1000))


def order(name: str, *, taken: str = "-10", ended: str = "0.7", side=BUY, symbol="KO", status="", shares="10"):
    return VenueOrder(
        client_order_id=name, symbol=symbol, side=side, status=status or ("canceled" if ended else "new"),
        quantity=D(shares), accepted_at=at(taken), cancelled_at=at(ended) if ended else None,
    )  # fmt: skip


def facts(*orders: VenueOrder, trades: tuple[VenueTrade, ...] = (), **others) -> Facts:
    pushes = (Push(asked_at=at("0.6"), symbol="KO", side=BUY, is_refused=True),)
    books = VenueBooks(orders=orders, trades=trades)
    return Facts(**({"pulled_at": BEGAN, "latched_at": at("0.5"), "books": books, "pushes": pushes} | others))


def failed(given: Facts) -> list[str]:
    return [check.name for check in judge(given)[1] if not check.passed]


def test_a_halt_that_holds_passes_and_is_timed():
    given = facts(order("a"), order("b", ended="0.9"), order("old", ended="-5"))
    figures, _ = judge(given)
    assert failed(given) == []
    assert (figures.latched, figures.cancelled, figures.flat) == (D("0.5"), D("0.9"), None)
    assert (figures.orders, figures.in_flight) == (2, 0), "what had ended before does not count"


@pytest.mark.parametrize(
    ("late", "sent_at", "broken"),
    [
        (order("late", taken="0.501"), {}, [NO_MORE]),
        (order("late", taken="0.501"), {"late": at("0.499")}, []),  # it was on the wire, and is cancelled
        (order("late", taken="0.501"), {"late": at("0.501")}, [NO_MORE]),  # marked when the latch was set already
        (order("late", taken="0.501", ended="", status="filled"), {}, [NO_MORE]),
        (order("late", taken="0.501", side=SELL), {}, [NO_MORE]),  # nothing is held that it could shrink
        (order("late", taken="0.5"), {}, []),  # before the latch
    ],
)
def test_what_the_venue_took_after_the_latch_is_a_breach(late, sent_at, broken):
    assert failed(facts(order("a"), late, sent_at=sent_at)) == broken


@pytest.mark.parametrize(
    ("shares", "broken"), [("5", []), ("6", [NO_MORE])], ids=["shrinks to nothing", "one share too many"]
)
def test_only_what_the_venues_own_position_shows_to_shrink_may_come_later(shares, broken):
    held = (VenueTrade(at("-5"), "KO", D(5)),)
    assert failed(facts(order("a"), order("exit", taken="0.6", side=SELL, shares=shares), trades=held)) == broken


def test_an_order_that_is_left_open_has_no_time():
    given = facts(order("a"), order("b", ended=""))
    assert failed(given) == [ENDED]
    assert judge(given)[0].cancelled is None


def test_a_halt_that_nobody_tried_to_break_has_shown_nothing():
    assert failed(facts(order("a"), pushes=())) == [REFUSED]
    sent = Push(asked_at=at("0.6"), symbol="KO", side=BUY, order_id="late", is_sent=True)
    assert failed(facts(order("a"), pushes=(sent,))) == [REFUSED]
    before = Push(asked_at=at("0.4"), symbol="KO", side=BUY, is_refused=True)
    assert failed(facts(order("a"), pushes=(before,))) == [REFUSED]
    assert failed(facts(pushes=facts().pushes)) == ["orders were open when the halt came"]


def test_closing_ends_flat_and_never_on_the_other_side():
    bought, level = VenueTrade(at("-5"), "KO", D(5)), {"level": HaltLevel.FLATTENING}
    closed = facts(order("a"), trades=(bought, VenueTrade(at("1.2"), "KO", D(-5))), **level)
    assert failed(closed) == []
    assert judge(closed)[0].flat == D("1.2")
    left = facts(order("a"), trades=(bought, VenueTrade(at("1.2"), "KO", D(-4))), **level)
    assert failed(left) == [FLAT]
    assert judge(left)[0].flat is None
    through = (bought, VenueTrade(at("1.2"), "KO", D(-6)), VenueTrade(at("1.3"), "KO", D(1)))
    assert failed(facts(order("a"), trades=through, **level)) == [FLAT]


def test_a_halt_of_a_part_leaves_the_rest_alone():
    scope = {"scope": HaltScope(symbol="KO")}
    beside, later = order("b", symbol="PEP", ended=""), order("c", symbol="PEP", taken="0.8", ended="")
    assert failed(facts(order("a"), beside, later, **scope)) == []
    assert failed(facts(order("a"), beside, **scope)) == [STILL_LEAVE]
    lost = order("b", symbol="PEP", ended="0.6")
    assert failed(facts(order("a"), lost, later, **scope)) == [UNTOUCHED]


def test_evidence_is_kept_for_programs_and_for_people(tmp_path):
    figures, checks = judge(facts(order("a")))
    slower, _ = judge(facts(order("a", ended="2")))
    runs = [
        Rehearsal(way="cli", does="`qts halt`", at=BEGAN, passed=True, figures=figures, checks=checks),
        Rehearsal(way="cli", does="`qts halt`", at=BEGAN, passed=True, figures=slower, checks=checks),
        Rehearsal(way="api", does="over HTTP", at=BEGAN, passed=False, error="the console did not start"),
    ]
    evidence = evidence_of(runs, BEGAN, at("90"))
    assert not evidence.passed
    assert evidence_of(runs[:2], BEGAN, at("90")).passed
    assert not evidence_of([], BEGAN, at("90")).passed, "nothing was shown"
    cli, api = rows_of(runs)
    assert (cli.passed, cli.cancelled, cli.after_latch, cli.slowest) == (2, D("0.700"), D("0.200"), D("2.000"))
    assert (api.runs, api.passed, api.cancelled) == (1, 0, None)
    write_evidence(evidence, tmp_path)
    kept = json.loads((tmp_path / JSON_FILE).read_text())
    assert kept["rehearsals"][2]["error"] == "the console did not start"
    assert (
        msgspec.json.decode((tmp_path / JSON_FILE).read_bytes())["rehearsals"][0]["figures"]["cancelled"] == "0.700000"
    )
    table = (tmp_path / TABLE_FILE).read_text()
    assert "| cli | `qts halt` | 2 of 2 | 0.500 | 0.700 | 0.200 | 2.000 | – | 2 | 0 |" in table
    assert "could not be carried out: the console did not start" in table


def test_the_ways_are_listed_and_named(tmp_path):
    listed = CliRunner().invoke(app, ["drill", "--ways"]).stdout
    assert all(way.name in listed for way in WAYS)
    assert len({way.name for way in WAYS}) == len(WAYS)
    stranger = CliRunner().invoke(app, ["drill", "--only", "cli,prayer", "--out", str(tmp_path / "new")])
    assert "--only prayer: there are cli, door" in str(stranger.exception)
    taken = CliRunner().invoke(app, ["drill", "--only", "cli", "--out", str(tmp_path)])
    assert "evidence needs a new directory" in str(taken.exception)


def test_a_latch_is_set_when_others_can_see_it_and_not_when_somebody_began_to_write(tmp_path):
    """On a busy disk the two are far apart, and what leaves between them leaves before the halt."""
    latch = FileLatch(tmp_path / "kill_latch.json")
    KillSwitch(latch=latch, clock=ManualClock(BEGAN)).activate("a drill")
    assert latch.read().at == BEGAN.isoformat()
    assert set_at(latch) >= datetime.fromtimestamp(latch.path.stat().st_ctime, UTC)
    assert set_at(latch) != BEGAN
    (tmp_path / "HALT").touch()
    assert set_at(latch) >= datetime.fromtimestamp((tmp_path / "HALT").stat().st_ctime, UTC)


def test_the_limits_of_a_drill_are_a_limits_file():
    assert parse_limits(drill_limits().encode(), "the drill").allow_short
