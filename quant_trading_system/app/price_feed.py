"""The stream of prices of a live account: quotes and trades of its universe, and who is halted."""

from __future__ import annotations

from quant_trading_system.app.alarms import Alarms
from quant_trading_system.app.live_parts import LiveSetup
from quant_trading_system.app.surroundings import Lines
from quant_trading_system.core.clock import Clock
from quant_trading_system.execution.alpaca_feed import AlpacaFeed
from quant_trading_system.execution.halt_board import HaltBoard
from quant_trading_system.market.quotes import QuoteBoard
from quant_trading_system.market.sessions import Calendar


def price_feed(
    setup: LiveSetup,
    lines: Lines,
    clock: Clock,
    calendar: Calendar,
    board: QuoteBoard,
    halts: HaltBoard,
    alarms: Alarms,
) -> AlpacaFeed:
    """A feed that publishes on `board` and tells `halts`; nothing is received before it runs."""
    symbols = tuple(setup.universe)
    return AlpacaFeed(
        lines.sockets,
        lines.data,
        setup.access,
        clock,
        alarms,
        subscriptions={"quotes": symbols, "trades": symbols, "statuses": symbols},
        board=board,
        is_open=calendar.is_open,
        feed=setup.feed,
        on_condition=halts.take,
    )
