"""`qts venue`: a paper venue on this machine that Alpaca's own clients can trade on."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quant_trading_system.cli.screen import print_json, screen

if TYPE_CHECKING:
    from quant_trading_system.core.clock import Clock
    from quant_trading_system.simulation.alpaca_server.accounts import AccountSpec, HouseRules
    from quant_trading_system.simulation.alpaca_server.server import Address
    from quant_trading_system.simulation.alpaca_server.sources import Scene, Wishes
    from quant_trading_system.simulation.alpaca_server.store import Store
    from quant_trading_system.simulation.alpaca_server.venue_time import VenueClock
