"""Hostile names and reasons of the past: no answer, no metric and no page holds what moves a cursor or a line."""

from __future__ import annotations

import json

import pytest

from quant_trading_system.app.order_list import OrderFilter
from quant_trading_system.console.pages.actions import Actions
from quant_trading_system.console.pages.alerts import AlertsPage
from quant_trading_system.console.pages.blotter import BlotterPage
from quant_trading_system.console.pages.costs import CostsPage
from quant_trading_system.console.pages.entries import EntriesPage
from quant_trading_system.console.pages.frame import _frame_slots
from quant_trading_system.console.pages.hub import Hub
from quant_trading_system.console.pages.order import OrderView
from quant_trading_system.console.pages.overview import OverviewPage
from quant_trading_system.console.pages.positions import PositionsPage
from quant_trading_system.console.pages.strategies import StrategiesPage
from quant_trading_system.console.server import ROUTES
from quant_trading_system.console.sessions import Caller
from quant_trading_system.core.command import Source
from quant_trading_system.core.roles import Role
from tests.support.console_desk import Office
from tests.support.hostile import HOSTILE, SYMBOL, hostile_account

READS = [route.path.replace("{order_id}", "run-1-0") for route in ROUTES if route.method == "GET"]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    place = tmp_path_factory.mktemp("hostile")
    hostile_account(place / "default")
    office = Office(place)
    with office.client:
        yield office


@pytest.mark.parametrize("path", READS)
def test_no_answer_holds_what_is_not_printable(hostile, path):
    answer = hostile.get(path)
    assert answer.text.isprintable()
    json.loads(answer.text)


def test_programs_get_the_words_as_they_were(hostile):
    assert HOSTILE in {one["strategy"] for one in hostile.get("/v1/strategies").json()}


def test_no_metric_holds_what_is_not_printable(hostile):
    told = hostile.get("/metrics").text
    assert "qts_orders" in told
    assert all(line.isprintable() for line in told.split("\n"))


def test_no_page_holds_what_is_not_printable(hostile):
    desk = hostile.desk
    desk.books()
    hub, caller = Hub(desk), Caller(principal="ana", role=Role.ADMIN, source=Source.CONSOLE)
    actions = Actions(hub, caller)
    pages = (
        OverviewPage(hub, actions),
        BlotterPage(hub, actions, OrderFilter(), 0),
        OrderView(hub, actions, "run-1-0"),
        PositionsPage(hub, 0),
        StrategiesPage(hub, actions),
        AlertsPage(hub, actions),
        CostsPage(hub),
        EntriesPage(hub, before=0, kind="", subject=""),
    )
    parts = list(_frame_slots(hub).values())
    for page in pages:
        parts += page.slots().values()
        parts += (row.html for rows in page.tables().values() for row in rows)
    assert sum(SYMBOL in part for part in parts) > 3
    for part in parts:
        assert all(line.isprintable() for line in part.split("\n")), part
