"""Acting over HTTP: through the door of a running engine, once for a key, on record with the one who asked."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from quant_trading_system.app.engine_door import open_door
from quant_trading_system.console.server import ROUTES
from quant_trading_system.core.command import Source
from quant_trading_system.core.commands import COMMANDS, Halt
from quant_trading_system.core.operator_events import OperatorActed
from quant_trading_system.core.roles import Role
from tests.support.console_desk import URL, Office
from tests.support.demo_journal import OFFICER, short_demo
from tests.support.operator import Operator

RESTING = {"symbol": "KO", "side": "buy", "quantity": "10", "order_type": "limit", "limit_price": "99.50"}


class Floor:
    """An engine whose door is open, and clients of its API on one loop."""

    def __init__(self, place) -> None:
        self.office = Office(place)
        self.operator = Operator()
        self.told: list[str] = []

    def run(self, story):
        async def play():
            transport = httpx.ASGITransport(self.office.app)
            async with (
                open_door(self.office.directory, self.operator.operations, self.told.append),
                httpx.AsyncClient(transport=transport, base_url=URL) as self.client,
            ):
                return await story(self)

        return asyncio.run(play())

    async def command(self, name, body, key="intention-1", role=Role.TRADER):
        headers = self.office.headers(role, **{"idempotency-key": key})
        return await self.client.post(f"/v1/commands/{name}", json=body, headers=headers)

    def recorded(self, kind):
        return self.operator.account.journal.of(kind)


def test_an_order_is_sent_through_the_gate_and_the_answer_tells_what_it_is_now(tmp_path):
    async def story(floor):
        answer = await floor.command("place_order", RESTING)
        assert answer.status_code == 200
        assert (answer.json()["result"], answer.json()["status"]) == ("done", "working")
        nobody = await floor.command("cancel", {"order_id": "nobody"}, key="intention-2")
        assert (nobody.status_code, nobody.json()["outcome"]["result"]) == (409, "refused")

    floor = Floor(tmp_path)
    floor.run(story)
    acted = floor.recorded(OperatorActed)
    assert {(event.principal, event.source) for event in acted} == {("trader", Source.API)}


def test_a_refusal_of_the_gate_is_no_success(tmp_path):
    async def story(floor):
        return await floor.command("place_order", {**RESTING, "quantity": "1000"})

    answer = Floor(tmp_path).run(story)
    assert answer.status_code == 409
    told = answer.json()
    assert told["code"] == told["outcome"]["rule"]
    assert {told["outcome"]["limit"], told["outcome"]["actual"]} <= {
        str(told["outcome"][k]) for k in ("limit", "actual")
    }


def test_a_repeated_key_acts_once_and_answers_the_same(tmp_path):
    async def story(floor):
        first = await floor.command("place_order", RESTING)
        again = await floor.command("place_order", RESTING)
        assert again.json() == first.json()
        other = await floor.command("place_order", {**RESTING, "quantity": "11"})
        assert other.status_code in (409, 422)
        return await floor.command("place_order", RESTING, key="intention-2")

    floor = Floor(tmp_path)
    assert floor.run(story).status_code in (200, 409)
    assert len({event.key for event in floor.recorded(OperatorActed)}) == 2


def test_without_an_engine_a_command_says_so_and_the_halt_works(fresh):
    answer = fresh.post("/v1/commands/place_order", RESTING)
    assert (answer.status_code, answer.json()["code"]) == (503, "engine_not_running")
    halted = fresh.client.post("/v1/halt", json={"reason": "x"}, headers=fresh.headers(Role.TRADER))
    assert halted.status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        {"quantity": 10},
        {"quantity": "NaN"},
        {"quantity": "Infinity"},
        {"quantity": "-1"},
        {"quantity": "0.0000000001"},
        {"quantity": "1" + "0" * 15},
        {"limit_price": 99.5},
        {"take_profit": {"limit_price": 1.5}},
        {"take_profit": {"limit_price": "100", "stop_price": "1"}},
        {"symbol": "KO\n"},
        {"symbol": ""},
        {"side": "both"},
        {"client_order_id": "mine"},
        {"command": "halt"},
    ],
)
def test_an_order_that_cannot_be_meant_never_reaches_the_door(fresh, change):
    answer = fresh.post("/v1/commands/place_order", {**RESTING, **change})
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid_request"


def test_limits_are_changed_and_approved_while_no_engine_runs(tmp_path_factory):
    office = Office(tmp_path_factory.mktemp("limits"))
    short_demo(office.directory)
    officer = office.store.create(OFFICER, Role.RISK)
    with office.client:
        asked = office.post("/v1/commands/propose_limits", {"values": {"risk.max_position_pct": "0.12"}, "why": "room"})
        assert (asked.status_code, asked.json()["result"]) == (202, "pending")
        (waits,) = office.get("/v1/approvals").json()["approvals"]
        yes = {"approval": waits["approval"], "answer": "yes", "content": waits["content"]}
        headers = {"authorization": f"Bearer {officer}", "idempotency-key": "intention-2"}
        said = office.client.post("/v1/commands/answer_approval", json=yes, headers=headers)
        assert (said.status_code, said.json()["result"]) == (200, "done")
        lines = {line["key"]: line["in_force"] for line in office.get("/v1/limits").json()["limits"]}
        assert lines["risk.max_position_pct"] == "0.12"


def test_every_command_has_a_route_or_a_place_elsewhere():
    served = {route.path.rsplit("/", 1)[1]: route for route in ROUTES if route.path.startswith("/v1/commands/")}
    assert served.keys() == {name for name, kind in COMMANDS.items() if kind is not Halt}
    assert all(route.role is COMMANDS[name].needs for name, route in served.items())


@pytest.mark.parametrize("name", [name for name, kind in COMMANDS.items() if kind is not Halt])
def test_every_example_of_the_description_is_understood(fresh, name):
    """Nothing runs here, and there is no journal in which limits could be changed without an engine."""
    answer = fresh.post(f"/v1/commands/{name}", COMMANDS[name].example)
    code = "journal_unavailable" if name in ("propose_limits", "answer_approval") else "engine_not_running"
    assert (answer.status_code, answer.json()["code"]) == (503, code)
