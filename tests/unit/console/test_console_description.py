"""The OpenAPI description holds what it promises: schemathesis asks every route with what it allows and forbids."""

from __future__ import annotations

import os
import warnings
from itertools import cycle

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis.errors import Unsatisfiable

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import schemathesis
    from schemathesis import GenerationMode
    from schemathesis.checks import CHECKS, load_all_checks

from quant_trading_system.console.server import ROUTES
from quant_trading_system.core.commands import Outcome, Result
from quant_trading_system.core.roles import Role
from tests.support.console_desk import Office
from tests.support.demo_journal import short_demo

load_all_checks()
EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "8"))
SKIPPED = ("positive_data_acceptance",)
"""What is well formed may still be refused: an order that is not there, an engine that is not running."""
UNSENT = (None, [], {})
"""Values of a query of which nothing is on the wire: a request with one too many of them is a good one."""
CHOSEN = [check for check in CHECKS.get_all() if check.__name__ not in SKIPPED]


class Door:
    """An engine that answers in turn in all ways that mean no failure."""

    def __init__(self) -> None:
        self.results = cycle((Result.DONE, Result.PENDING, Result.REFUSED))

    async def ask(self, command, *, key, principal, source):
        return Outcome(result=next(self.results), message=f"{command.name} of {principal}")


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    place = tmp_path_factory.mktemp("api")
    short_demo(place / "default")
    made = Office(place)
    made.desk.door = Door()
    with made.client:
        yield made


@pytest.fixture(scope="module")
def description(demo):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return schemathesis.openapi.from_asgi(
            "/v1/openapi.json", demo.app, headers=demo.headers(Role.VIEWER, host="localhost")
        )


@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_the_server_keeps_to_its_description(description, demo, route, mode):
    """Half of the requests are as described, half break the description in one place."""

    headers = {"Authorization": f"Bearer {demo.tokens[Role.ADMIN]}", "Host": "localhost"}

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    @given(case=description[route.path][route.method].as_strategy(generation_mode=mode))
    def ask(case):
        assume(not any(value in UNSENT for value in (case.query or {}).values()))
        case.call_and_validate(headers=headers, checks=CHOSEN)

    try:
        ask()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE  # a route that takes nothing has nothing to break


def test_every_route_is_described(demo):
    described = demo.get("/v1/openapi.json").json()
    operations = {(method.upper(), path) for path, item in described["paths"].items() for method in item}
    assert operations == {(route.method, route.path) for route in ROUTES}
    for item in described["paths"].values():
        for operation in item.values():
            assert operation["summary"]
            assert "Takes the role **" in operation["description"]
            assert {"200", "400", "401", "403", "422", "500"} <= operation["responses"].keys()


def test_all_errors_have_one_shape(demo):
    described = demo.get("/v1/openapi.json").json()
    for name, response in described["components"]["responses"].items():
        assert response["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/ErrorAnswer"}, name
