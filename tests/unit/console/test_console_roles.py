"""Every route of the server with every role, and with none: who may what stands beside the route, and nowhere else."""

from __future__ import annotations

import pytest
from fastapi.routing import APIRoute

from quant_trading_system.console.server import ROUTES
from quant_trading_system.core.roles import Role

PUBLIC = {"/login", "/login.js", "/login.css", "/login/session"}
PROBES = {"/health", "/ready", "/metrics"}
CASES = [pytest.param(route, id=f"{route.method} {route.path}") for route in ROUTES]


def ask(office, route, headers):
    path = route.path.replace("{", "").replace("}", "")
    return office.client.request(route.method, path, headers=headers)


@pytest.mark.parametrize("route", CASES)
@pytest.mark.parametrize("role", Role)
def test_a_role_is_let_in_exactly_where_it_is_enough(office, route, role):
    """No route is carried out here: writes come without a body."""
    answer = ask(office, route, office.headers(role))
    if role.includes(route.role):
        assert answer.status_code not in (401, 403)
    else:
        assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
        assert route.role.value in answer.json()["message"]


@pytest.mark.parametrize("route", CASES)
def test_without_a_token_nothing_is_open(office, route):
    answer = ask(office, route, {})
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


def test_the_server_has_no_route_that_was_not_declared(office):
    declared = {(route.method, route.path) for route in ROUTES}
    served = {
        (method, route.path)
        for route in office.app.routes
        if isinstance(route, APIRoute) and route.path not in {*PUBLIC, *PROBES, "/logout", "/v1/{rest:path}"}
        for method in route.methods
    }
    assert served == declared


def test_the_kill_route_is_asked_before_any_other(office):
    assert (ROUTES[0].method, ROUTES[0].path) == ("POST", "/v1/halt")
    assert office.app.routes[0].path == "/v1/halt"


def test_looking_takes_a_viewer_and_changing_takes_more():
    assert {route.role for route in ROUTES if route.method == "GET"} == {Role.VIEWER}
    assert all(route.role is not Role.VIEWER for route in ROUTES if route.method == "POST")


@pytest.mark.parametrize("route", [case for case in CASES if case.values[0].needs_key])
@pytest.mark.parametrize("key", [None, "", "short", "x" * 65, "with space", "a\tbcdefgh", "ünïcödé-"])
def test_a_write_needs_a_key(office, route, key):
    headers = office.headers(Role.ADMIN)
    if key is not None:
        headers = {**headers, "idempotency-key": key.encode()}
    answer = ask(office, route, headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "no_idempotency_key")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "HEAD"])
def test_other_methods_are_refused(office, method):
    answer = office.client.request(method, "/v1/halt", headers=office.headers(Role.ADMIN))
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")


def test_every_route_says_what_it_is_for():
    assert all(route.summary.endswith(".") for route in ROUTES)
    assert len({route.name for route in ROUTES}) == len(ROUTES)
