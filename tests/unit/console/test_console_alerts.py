"""Alerts over HTTP: what is open, and taking notice, with the name of who does."""

from __future__ import annotations

from quant_trading_system.app.alerting.book import AlertBook
from quant_trading_system.app.readings.alert_fold import alert_line
from quant_trading_system.app.readings.alert_kinds import AlertKind
from quant_trading_system.console.server import create_app
from quant_trading_system.core.roles import Role
from tests.support.console_desk import MONDAY, URL, Office, TestClient


def test_an_open_alert_is_shown_and_somebody_takes_notice(fresh):
    AlertBook(fresh.directory).see(alert_line(AlertKind.HALTED, "1", MONDAY, "prices look wrong"), MONDAY)
    (shown,) = fresh.get("/v1/alerts/open").json()
    assert shown["line"]["runbook"] == "docs/operations.md#halted"
    assert shown["acknowledged_by"] == ""
    taken = fresh.post("/v1/alerts/ack", {"key": "halted:1", "note": "on it"}, Role.TRADER).json()
    assert (taken["acknowledged_by"], taken["note"]) == ("trader", "on it")
    assert fresh.get("/v1/alerts/open").json()[0]["acknowledged_by"] == "trader"


def test_a_viewer_takes_no_notice_and_an_unknown_alert_is_not_found(fresh):
    assert fresh.post("/v1/alerts/ack", {"key": "halted:1"}, Role.VIEWER).status_code == 403
    assert fresh.post("/v1/alerts/ack", {"key": "halted:1"}, Role.TRADER).status_code == 404


def test_what_runs_beside_the_server_begins_and_ends_with_it(tmp_path):
    office, seen = Office(tmp_path), []

    async def beside() -> None:
        seen.append("begun")
        try:
            await office.clock.sleep(MONDAY - MONDAY.replace(hour=1))
        finally:
            seen.append("ended")

    with TestClient(create_app(office.desk, beside=(beside,)), base_url=URL) as client:
        assert client.get("/health").status_code == 200
        assert seen == ["begun"]
    assert seen == ["begun", "ended"]
