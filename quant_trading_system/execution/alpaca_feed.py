"""Alpaca's stream of market data: quotes onto the board, bars and halts to whoever listens.

The session is up only when every subscription is confirmed. Each subscription has its own clock of silence, so
that one symbol that went mute is noticed while the others go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from quant_trading_system.core.clock import Clock
from quant_trading_system.execution.alpaca_frames import (
    UNREADABLE,
    opening_headers,
    read_frame,
    shown,
    write_frame,
)
from quant_trading_system.execution.alpaca_market import (
    Condition,
    StreamBar,
    StreamDailyBar,
    StreamError,
    StreamItem,
    StreamQuote,
    StreamSubscription,
    StreamSuccess,
    StreamTrade,
    StreamUpdatedBar,
    flaw_of,
    to_quote,
)
