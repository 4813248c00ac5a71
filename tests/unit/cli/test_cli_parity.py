"""Whatever the console's interface can tell or do, a command of `qts` can, over the same interface."""

from __future__ import annotations

from pathlib import Path

import pytest

from quant_trading_system import cli
from quant_trading_system.app import api_door
from quant_trading_system.console.server import ROUTES
from quant_trading_system.core.commands import COMMANDS

SOURCES = "".join(path.read_text() for path in [*Path(cli.__file__).parent.glob("*.py"), Path(api_door.__file__)])
WITHIN = {
    "/v1/account": "a part of /v1/overview",
    "/v1/alerts": "the journal's; /v1/alerts/open and /v1/alerts/all hold what people were told",
    "/v1/engine": "a part of /v1/overview",
    "/v1/health": "a part of /v1/status",
    "/v1/me": "who a token is: `qts token list`, where the tokens are",
    "/v1/openapi.json": "for programs that make clients from it",
}
PARTS = {
    "{order_id}": "{name}",
    "{parent_id}": "{name}",
    "/v1/alerts/all": "/v1/alerts/{",
    "/v1/alerts/open": "/v1/alerts/{",
}


def spoken(path: str) -> str:
    for part, said in PARTS.items():
        path = path.replace(part, said)
    return path


@pytest.mark.parametrize("path", sorted({route.path for route in ROUTES} - WITHIN.keys()))
def test_every_route_is_spoken_to_by_a_command(path):
    if path.startswith("/v1/commands/"):
        assert COMMANDS[path.rpartition("/")[2]].__name__ in SOURCES
    else:
        assert spoken(path) in SOURCES


def test_what_stands_within_another_route_is_still_a_route():
    assert WITHIN.keys() <= {route.path for route in ROUTES}
