"""Reading over HTTP: what the journal says, exact and bounded, also without an engine and without a journal."""

from __future__ import annotations

import json
import os
from decimal import Decimal

import pytest

from quant_trading_system.console.server import ROUTES
from quant_trading_system.core.events import StrategyStopped
from quant_trading_system.core.operator_events import StrategySwitched
from quant_trading_system.core.roles import Role
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.risk.latch import FileLatch
from tests.support.console_desk import Office
from tests.support.demo_journal import Scribe, short_demo

READS = [route.path for route in ROUTES if route.method == "GET" and "{" not in route.path]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    place = tmp_path_factory.mktemp("api")
    short_demo(place / "default")
    made = Office(place)
    with made.client:
        yield made


@pytest.mark.parametrize("path", READS)
def test_everything_can_be_read_while_no_engine_runs(demo, path):
    answer = demo.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", READS)
def test_an_account_that_never_ran_is_an_answer_or_a_refusal_that_says_so(fresh, path):
    answer = fresh.get(path)
    assert answer.status_code in (200, 503)
    assert answer.status_code == 200 or answer.json()["code"] == "journal_unavailable"


def test_no_number_of_money_is_a_json_number(demo):
    """A decimal that a program reads as binary floating point is another number."""
    for path in READS:
        if path != "/v1/openapi.json":
            json.loads(demo.get(path).text, parse_float=lambda text: pytest.fail(f"{text} is a float"))


def test_why_an_order_was_refused_takes_two_questions(demo):
    page = demo.get("/v1/orders", params={"group": "refused", "limit": 1}).json()
    (row,) = page["rows"]
    record = demo.get(f"/v1/orders/{row['order_id']}").json()
    assert record["refused_by"] == row["refused_by"]
    checks = [check for answers in record["steps"].values() for answer in answers for check in answer["checks"]]
    failed = next(check for check in checks if not check["passed"])
    assert failed["rule"] == row["refused_by"]
    assert Decimal(failed["headroom"]) < 0
    assert abs(Decimal(failed["headroom"])) == abs(Decimal(failed["limit"]) - Decimal(failed["actual"]))


def test_pages_of_orders_meet_without_a_gap(demo):
    all_ids = [row["order_id"] for row in demo.get("/v1/orders", params={"limit": 500}).json()["rows"]]
    paged = []
    for offset in range(0, len(all_ids), 7):
        paged += [r["order_id"] for r in demo.get("/v1/orders", params={"limit": 7, "offset": offset}).json()["rows"]]
    assert paged == all_ids


def test_positions_add_up(demo):
    held = demo.get("/v1/positions").json()
    assert Decimal(held["net"]) == sum(Decimal(line["value"]) for line in held["positions"])


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/orders/nobody", 404),
        ("/v1/algos/nobody", 404),
        ("/v1/orders?limit=0", 422),
        ("/v1/orders?limit=501", 422),
        ("/v1/orders?offset=-1", 422),
        ("/v1/orders?limit=NaN", 422),
        ("/v1/orders?limit=1&limit=2", 422),
        ("/v1/orders?group=everything", 422),
        ("/v1/orders?colour=red", 422),
        ("/v1/journal?before=99999999999999999999", 422),
        ("/v1/journal?kind=%00", 422),
        ("/v1/orders/" + "x" * 129, 422),
        ("/v1/orders/%1b%5b31m", 422),
        ("/v1/orders/%27%3B%20DROP%20TABLE%20entries%3B--", 404),
        ("/v1/journal?subject=%27%20OR%201%3D1--", 200),
    ],
)
def test_strange_questions_get_plain_answers(demo, path, status):
    answer = demo.get(path)
    assert answer.status_code == status
    if status != 200:
        assert {"code", "message", "hint"} == answer.json().keys()
        assert answer.json()["message"].isprintable()


def test_what_is_appended_is_seen_at_the_next_question(fresh):
    scribe = Scribe(fresh.directory)
    assert fresh.get("/v1/orders").json()["total"] == 0
    name = scribe.send()
    assert fresh.get("/v1/orders").json()["rows"][0]["order_id"] == name
    scribe.fill(name)
    assert fresh.get("/v1/positions").json()["positions"][0]["quantity"] == "10"
    scribe.close()


def test_limits_tell_what_is_in_force_and_how_that_came_about(demo):
    told = demo.get("/v1/limits").json()
    in_force = {line["key"]: line["in_force"] for line in told["limits"]}
    (version,) = demo.get("/v1/limits/history").json()
    assert version["version"] == told["version"]
    assert version["limits"] == in_force
    assert demo.get("/v1/approvals").json()["approvals"] == []


def test_health_says_why_nothing_can_be_traded(fresh):
    told = fresh.get("/v1/health").json()
    assert told["can_trade"] is False
    assert "No engine has run here yet" in told["why_not"][0]
    KillSwitch(latch=FileLatch(fresh.desk.host_latch)).activate("fire", activated_by="ben")
    assert any("this machine is halted" in why for why in fresh.get("/v1/health").json()["why_not"])


def test_a_damaged_journal_is_told_and_does_not_stop_the_server(fresh):
    (fresh.directory / "journal.db").write_bytes(b"not a journal")
    os.chmod(fresh.directory / "journal.db", 0o600)  # noqa: PTH101 - one call
    assert fresh.get("/v1/journal").status_code == 503
    assert "journal" in fresh.get("/v1/overview").json()["problem"]
    assert fresh.client.post("/v1/halt", json={"reason": "x"}, headers=fresh.headers(Role.TRADER)).status_code == 200


def test_strategies_tell_who_is_listened_to_and_who_put_whom_to_silence(fresh):
    scribe = Scribe(fresh.directory)
    assert fresh.get("/v1/strategies").json() == []
    scribe.begin("Trend", "Pairs")
    scribe.write(StrategySwitched(at=scribe.now, strategy="Trend", armed=False, by="ana", reason="it misbehaves"))
    scribe.write(StrategyStopped(at=scribe.now, strategy="Pairs", error="ZeroDivisionError"))
    trend, pairs = fresh.get("/v1/strategies").json()
    assert (trend["state"], trend["by"], trend["reason"]) == ("disarmed", "ana", "it misbehaves")
    assert (pairs["state"], pairs["reason"]) == ("failed", "ZeroDivisionError")
    scribe.write(StrategySwitched(at=scribe.now, strategy="Pairs", armed=True, by="ben"))
    assert fresh.get("/v1/strategies").json()[1]["state"] == "armed"
    scribe.close()
