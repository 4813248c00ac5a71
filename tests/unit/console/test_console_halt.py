"""The kill route: it needs a token and the latch, and nothing else that could hang."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from quant_trading_system.console import desk as desk_module
from quant_trading_system.core.events import HaltLevel
from quant_trading_system.core.roles import Role
from quant_trading_system.risk.halt_state import ResetPolicy
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.risk.latch import FileLatch


def halt(office, body=None, role=Role.TRADER):
    return office.client.post("/v1/halt", json=body or {"reason": "prices look wrong"}, headers=office.headers(role))


def test_it_sets_the_latch_in_the_name_of_whoever_asked(fresh):
    told = halt(fresh).json()
    state = KillSwitch(latch=FileLatch(fresh.desk.latch)).state
    assert (told["level"], told["by"], told["reason"]) == ("halted", "trader (api)", "prices look wrong")
    assert (state.level, state.by, state.reason) == (HaltLevel.HALTED, "trader (api)", "prices look wrong")
    assert fresh.get("/v1/engine").json()["halt"]["level"] == "halted"


def test_to_halt_twice_is_to_halt_once_and_the_level_never_falls(fresh):
    first = halt(fresh).json()
    again = halt(fresh, {"reason": "prices look wrong", "level": "reducing"}).json()
    assert (again["level"], again["activation"], again["reason"]) == ("halted", first["activation"], first["reason"])


def test_the_whole_machine_is_another_latch(fresh):
    assert halt(fresh, {"reason": "fire", "whole_machine": True}).status_code == 200
    assert not fresh.desk.latch.exists()
    assert fresh.get("/v1/engine").json()["host"]["level"] == "halted"


@pytest.mark.parametrize(
    "body", [{}, {"reason": ""}, {"reason": 1}, {"reason": "x", "level": "running"}, {"reason": "x", "lvl": "halted"}]
)
def test_what_nobody_can_understand_halts_nothing(fresh, body):
    answer = fresh.client.post("/v1/halt", json=body, headers=fresh.headers(Role.TRADER))
    assert answer.status_code == 422
    assert not fresh.desk.latch.exists()


def test_a_latch_that_cannot_be_written_is_told_loudly(fresh):
    fresh.desk.latch.mkdir()
    fresh.desk.latch.with_name("kill_latch.json.created").write_text("x")
    answer = halt(fresh)
    assert (answer.status_code, answer.json()["code"]) == (500, "halt_incomplete")
    assert "IS ACTIVE" in answer.json()["message"]


def test_a_halt_that_could_not_be_set_says_that_nothing_is_stopped(fresh):
    fresh.directory.rmdir()
    fresh.directory.write_text("no directory")
    answer = halt(fresh)
    assert (answer.status_code, answer.json()["code"]) == (500, "halt_failed")
    assert "NOT stopped" in answer.json()["message"]


def test_a_part_of_the_account_can_be_halted_alone(fresh):
    told = halt(fresh, {"reason": "earnings", "symbol": "ko"}).json()
    assert (told["scope"], told["level"]) == ("symbol KO", "halted")
    now = fresh.get("/v1/halt").json()
    assert now["account"]["level"] == "running"
    assert [scope["scope"] for scope in now["scopes"]] == ["symbol KO"]
    answer = fresh.client.post(
        "/v1/halt", json={"reason": "x", "symbol": "KO", "whole_machine": True}, headers=fresh.headers(Role.TRADER)
    )
    assert answer.status_code == 422


# -- resuming


def resume(office, body, role=Role.RISK, key="resume-key-1"):
    return office.post("/v1/resume", {"reason": "feed repaired", **body}, role, key)


def test_a_resume_names_the_halt_that_it_ends_and_the_one_who_answers_for_it(fresh):
    halt(fresh)
    told = resume(fresh, {"activation": 1})
    assert (told.status_code, told.json()["level"], told.json()["by"]) == (200, "running", "risk")
    assert resume(fresh, {"activation": 1}).json()["level"] == "running"  # to resume twice is to resume once


def test_a_halt_that_was_set_since_somebody_looked_stays(fresh):
    halt(fresh)
    resume(fresh, {"activation": 1})
    halt(fresh, {"reason": "again"})
    answer = resume(fresh, {"activation": 1})
    assert (answer.status_code, answer.json()["code"]) == (409, "another_activation")
    assert fresh.get("/v1/halt").json()["account"]["level"] == "halted"


def test_a_trader_halts_and_does_not_resume(fresh):
    halt(fresh)
    assert resume(fresh, {"activation": 1}, Role.TRADER).status_code == 403
    assert fresh.get("/v1/halt").json()["account"]["level"] == "halted"


def test_where_two_persons_must_one_approval_is_kept(fresh):
    KillSwitch(latch=FileLatch(fresh.desk.latch), policy=ResetPolicy(persons=2))
    halt(fresh)
    first = resume(fresh, {"activation": 1}, Role.RISK)
    assert (first.status_code, first.json()["level"], first.json()["approvals"]) == (202, "halted", ["risk"])
    assert "1 of 2" in first.json()["missing"]
    again = resume(fresh, {"activation": 1}, Role.RISK, "resume-key-2")
    assert (again.status_code, again.json()["approvals"]) == (202, ["risk"])
    second = resume(fresh, {"activation": 1}, Role.ADMIN, "resume-key-3")
    assert (second.status_code, second.json()["level"]) == (200, "running")


def test_only_those_whom_the_latch_names_resume(fresh):
    KillSwitch(latch=FileLatch(fresh.desk.latch), authorized_resetters=["risk"])
    halt(fresh)
    answer = resume(fresh, {"activation": 1}, Role.ADMIN)
    assert (answer.status_code, answer.json()["code"]) == (409, "reset_refused")
    assert resume(fresh, {"activation": 1}, Role.RISK).status_code == 200


def test_a_scope_and_the_machine_resume_by_themselves(fresh):
    halt(fresh, {"reason": "x", "strategy": "trend", "side": "buy"})
    halt(fresh, {"reason": "y", "whole_machine": True})
    assert resume(fresh, {"activation": 1, "strategy": "trend", "side": "buy"}).json()["level"] == "running"
    assert resume(fresh, {"activation": 1, "whole_machine": True}).json()["level"] == "running"
    now = fresh.get("/v1/halt").json()
    assert (now["account"]["level"], now["machine"]["level"], now["scopes"]) == ("running", "running", [])


# -- when everything else is slow


def test_it_works_while_every_place_for_reading_is_taken(fresh, monkeypatch):
    """Readers hang on a slow disk, more wait, more are turned away; the halt passes them all."""
    release, hanging = threading.Event(), threading.Semaphore(0)

    def slow(_):
        hanging.release()
        release.wait(30)
        raise desk_module.Refusal(503, "slow", "slow")

    monkeypatch.setattr(desk_module.Desk, "books", slow)
    with ThreadPoolExecutor(100) as crowd:
        reads = [
            crowd.submit(fresh.get, "/v1/orders") for _ in range(desk_module.READS_AT_ONCE + desk_module.READS_WAITING)
        ]
        for _ in range(desk_module.READS_AT_ONCE):
            assert hanging.acquire(timeout=30)
        while fresh.desk.waiting < desk_module.READS_WAITING:
            pass
        too_many = fresh.get("/v1/orders")
        assert (too_many.status_code, too_many.json()["code"]) == (503, "busy")
        assert halt(fresh).json()["level"] == "halted"
        release.set()
        assert {read.result().status_code for read in reads} == {503}


# -- closing positions


def test_a_part_of_the_account_is_flattened_without_an_engine(fresh):
    order = {"reason": "bad news", "symbol": "ko"}
    told = fresh.client.post("/v1/flatten", json=order, headers=fresh.headers(Role.RISK)).json()
    assert (told["scope"], told["level"], told["by"]) == ("symbol KO", "flattening", "risk (api)")
    (halt_,) = fresh.get("/v1/halt").json()["scopes"]
    assert (halt_["level"], halt_["reason"]) == ("flattening", "bad news")
    (seen,) = fresh.get("/v1/engine").json()["scopes"]
    assert (seen["scope"], seen["level"]) == ({"symbol": "KO"}, "flattening")
