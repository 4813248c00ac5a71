"""What every request passes first: names of hosts, origins, sizes, who asks; and what every answer carries."""

from __future__ import annotations

import json

import pytest
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from starlette.websockets import WebSocketDisconnect

from quant_trading_system.console.guard import MAX_BODY, Guard
from quant_trading_system.core.roles import Role
from tests.support.console_desk import URL, TestClient

HALT = {"reason": "test"}


# -- names of hosts and origins


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:9000", "LOCALHOST", "[::1]:80", "[::1]", "127.0.0.1"])
def test_known_names_are_served_on_any_port_for_a_tunnel_may_change_it(office, host):
    assert office.client.get("/v1/me", headers=office.headers(Role.VIEWER, host=host)).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8765", "127.0.0.1@evil", "", "0.0.0.0"]
)
def test_another_name_that_points_here_is_refused_before_anybody_is_recognised(office, host):
    """DNS rebinding."""
    answer = office.client.get("/v1/me", headers=office.headers(Role.ADMIN, host=host))
    assert (answer.status_code, answer.json()["code"]) == (400, "unknown_host")


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:8765.evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_write_from_a_page_of_another_site_is_refused(office, headers):
    answer = office.client.post("/v1/halt", json=HALT, headers=office.headers(Role.ADMIN, **headers))
    assert (answer.status_code, answer.json()["code"]) == (403, "foreign_origin")
    assert not office.desk.latch.exists()


def test_a_write_from_our_own_page_passes(fresh):
    own = fresh.headers(Role.TRADER, origin=URL, **{"sec-fetch-site": "same-origin"})
    assert fresh.client.post("/v1/halt", json=HALT, headers=own).status_code == 200


def test_a_cookie_alone_writes_nothing_without_an_origin(fresh):
    logged_in(fresh)
    answer = fresh.client.post("/v1/halt", json=HALT)
    assert (answer.status_code, answer.json()["code"]) == (403, "foreign_origin")
    assert fresh.client.post("/v1/halt", json=HALT, headers={"origin": URL}).status_code == 200


def test_no_other_site_may_read_an_answer(office):
    answer = office.client.get("/v1/me", headers=office.headers(Role.VIEWER, origin="http://evil.example"))
    assert not [name for name in answer.headers if name.startswith("access-control")]


# -- who asks


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer x", "bearer qts_00000000_" + "A" * 43, "Bearer x y", "\xff"],
)
def test_what_is_no_token_is_nobody(office, authorization):
    answer = office.client.get("/v1/me", headers={"authorization": authorization.encode("latin-1")})
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_two_tokens_are_nobody(office):
    pair = [("authorization", f"Bearer {office.tokens[role]}") for role in (Role.VIEWER, Role.ADMIN)]
    assert office.client.get("/v1/me", headers=pair).status_code == 401


def test_a_wrong_token_is_not_helped_by_a_good_cookie(fresh):
    logged_in(fresh)
    assert fresh.client.get("/v1/me").status_code == 200
    assert fresh.client.get("/v1/me", headers={"authorization": "Bearer x"}).status_code == 401


def test_a_revoked_token_ends_its_sessions_too(fresh):
    logged_in(fresh, Role.TRADER)
    fresh.store.revoke("trader")
    assert fresh.client.get("/v1/me").status_code == 401
    assert fresh.client.get("/v1/me", headers=fresh.headers(Role.TRADER)).status_code == 401


def test_when_the_tokens_cannot_be_read_nobody_gets_in(fresh):
    fresh.store.path.chmod(0o644)
    answer = fresh.client.get("/v1/me", headers=fresh.headers(Role.ADMIN))
    assert (answer.status_code, answer.json()["code"]) == (503, "tokens_unavailable")


@pytest.mark.parametrize("path", ["/", "/orders", "/_nicegui/x.js", "/login/", "/v1", "//login", "/LOGIN"])
def test_everything_but_the_login_asks_who_you_are(office, path):
    answer = office.client.get(path, headers={"accept": "application/json"})
    assert answer.status_code == 401


def test_a_person_is_led_to_the_login(office):
    answer = office.client.get("/orders", headers={"accept": "text/html,*/*"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")


# -- logging in


def logged_in(office, role=Role.TRADER):
    answer = office.client.post("/login", data={"token": office.tokens[role]}, headers={"origin": URL})
    assert answer.status_code == 303
    return answer


def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(fresh):
    cookie = logged_in(fresh).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert fresh.tokens[Role.TRADER].lower() not in cookie
    assert fresh.client.get("/v1/me").json() | {"version": ""} == {
        "principal": "trader", "role": "trader", "source": "console", "version": "",
    }  # fmt: skip


def test_a_one_time_code_opens_once_and_for_ten_minutes(fresh):
    code = fresh.desk.sessions.offer_login("me", Role.ADMIN)
    late = fresh.desk.sessions.offer_login("me", Role.ADMIN)
    own = {"origin": URL}
    assert fresh.client.post("/login", data={"token": code}, headers=own).status_code == 303
    assert fresh.client.post("/login", data={"token": code}, headers=own).status_code == 401
    fresh.clock.move_to(fresh.clock.now().replace(minute=10))
    assert fresh.client.post("/login", data={"token": late}, headers=own).status_code == 401


def test_a_session_ends_after_twelve_hours_and_by_logging_out(fresh):
    logged_in(fresh)
    assert fresh.client.post("/logout", headers={"origin": URL}).status_code == 303
    assert fresh.client.get("/v1/me").status_code == 401
    logged_in(fresh)
    fresh.clock.move_to(fresh.clock.now().replace(day=6, hour=3))
    assert fresh.client.get("/v1/me").status_code == 401


def test_a_login_from_another_site_is_refused(office):
    sent = {"token": office.tokens[Role.ADMIN]}
    assert office.client.post("/login", data=sent, headers={"origin": "http://evil.example"}).status_code == 403


@pytest.mark.parametrize("token", ["", "x", "<script>alert(1)</script>", "\x00", "ä" * 2000])
def test_a_wrong_login_says_so_and_repeats_nothing(office, token):
    answer = office.client.post("/login", data={"token": token}, headers={"origin": URL})
    assert answer.status_code == 401
    assert "alert(1)" not in answer.text
    assert "set-cookie" not in answer.headers


# -- sizes and headers


def test_a_body_is_bounded_whatever_its_header_says(office):
    def drops():
        for _ in range(MAX_BODY // 1000 + 2):
            yield b" " * 1000

    typed = office.headers(Role.ADMIN, **{"content-type": "application/json"})
    for content in (b" " * (MAX_BODY + 1), drops()):
        answer = office.client.post("/v1/halt", content=content, headers=typed)
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize("path", ["/v1/me", "/v1/nothing", "/login", "/nothing"])
def test_every_answer_carries_the_headers_that_protect_it(office, path):
    answer = office.get(path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-request-id"]
    assert "server" not in answer.headers


def test_request_ids_differ_and_stand_in_the_log(office, caplog):
    caplog.set_level("INFO", logger="quant_trading_system.console.guard")
    ids = {office.get("/v1/me").headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3
    assert [record.fields["status"] for record in caplog.records] == [200, 200, 200]
    assert {record.fields["principal"] for record in caplog.records} == {"viewer"}


def test_the_log_has_the_path_and_never_the_query(office, caplog):
    caplog.set_level("INFO")
    office.get("/v1/me?token=CANARY")
    told = [record.__dict__ for record in caplog.records if record.name != "httpx"]  # our client, not the server
    assert told
    assert "CANARY" not in json.dumps(told, default=str)


# -- failures and sockets


def guarded(office, app):
    app.add_middleware(Guard, sessions=office.desk.sessions, clock=office.clock, hosts=frozenset({"127.0.0.1"}))
    return TestClient(app, base_url=URL, raise_server_exceptions=False)


def test_a_bug_is_told_without_its_inside(office, caplog):
    app = FastAPI()

    @app.get("/v1/bug")
    def bug():
        raise RuntimeError("the CANARY of the inside")

    answer = guarded(office, app).get("/v1/bug", headers=office.headers(Role.VIEWER))
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "CANARY" not in answer.text
    assert answer.headers["x-request-id"] in answer.json()["hint"]
    assert "CANARY" in caplog.text


def test_a_socket_is_opened_to_our_own_pages_of_somebody_logged_in_only(office):
    app = FastAPI()

    @app.websocket("/feed")
    async def feed(socket):
        raise AssertionError("nobody gets here")

    client = guarded(office, app)
    for headers in ({}, {"origin": "http://evil.example", **office.headers(Role.ADMIN)}, {"origin": URL}):
        with pytest.raises(WebSocketDisconnect), client.websocket_connect("/feed", headers=headers):
            pass


def test_pages_may_run_our_scripts_only(office):
    app = FastAPI()
    app.get("/")(lambda: HTMLResponse("hello"))
    policy = guarded(office, app).get("/", headers=office.headers(Role.VIEWER)).headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy
