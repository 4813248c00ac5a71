"""The page on the venue names every command of the control surface, with its fields."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from quant_trading_system.simulation.alpaca_server.app import Front
from quant_trading_system.simulation.alpaca_server.control import Control
from quant_trading_system.simulation.alpaca_server.control_commands import (
    BustCommand,
    CorrectCommand,
    HoldCommand,
    LiquidateCommand,
    PostCommand,
    PriceCommand,
    StreamCommand,
    SymbolCommand,
    TimeCommand,
    VenueFaultCommand,
)
from quant_trading_system.simulation.alpaca_server.data_stream import DataLimits
from quant_trading_system.simulation.alpaca_server.http_faults import HttpFault, HttpFaultRule
from quant_trading_system.simulation.alpaca_server.stream_faults import StreamFault

PAGE = Path(__file__).parents[2].joinpath("docs", "venue.md").read_text(encoding="utf-8")
FORMS: dict[str, Any] = {
    "time": TimeCommand,
    "hold": HoldCommand,
    "price": PriceCommand,
    "release": SymbolCommand,
    "halt": SymbolCommand,
    "liquidate": LiquidateCommand,
    "post": PostCommand,
    "bust": BustCommand,
    "correct": CorrectCommand,
    "faults/http": HttpFaultRule,
    "faults/stream": StreamCommand,
    "faults/venue": VenueFaultCommand,
    "data-limits": DataLimits,
}


def test_every_command_is_on_the_page():
    routes = Control(cast(Front, SimpleNamespace(host=None)), "token").routes()
    told = set(re.findall(r"`(/_venue/[a-zA-Z/-]+)`", PAGE)) - {"/_venue/openapi.json", "/_venue/"}
    assert told == {route.path.replace("{account}", "ACCOUNT") for route in routes}


def test_the_table_names_every_field_of_a_command():
    for command, form in FORMS.items():
        (row,) = re.findall(rf"^\| `/_venue/{command}`.*$", PAGE, re.MULTILINE)
        words = re.findall(r"`([a-z_]+)`", row.split(" | ")[1])
        assert set(words) >= set(form.__struct_fields__), command


def test_every_fault_is_named():
    assert all(f"`{fault}`" in PAGE for fault in (*HttpFault, *StreamFault))
