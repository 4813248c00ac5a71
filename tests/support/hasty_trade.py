"""`qts trade` in a hurry: strategies are asked at every turn, not once a minute, so that something is always in flight.

Only waiting is shortened: for the end of a bar, so that strategies hear of their orders at every turn, too, and for the
proof that an order never arrived. Clock, loop, journal,
gate, client and sockets are those of `qts trade`.
"""

from __future__ import annotations

from datetime import timedelta

from quant_trading_system.cli.main import run
from quant_trading_system.execution import doubts
from quant_trading_system.market.history_view import HistoryView
from quant_trading_system.trading import live_loop, news_book
from quant_trading_system.trading.live_bars import LiveBars


async def _at_once(self: LiveBars) -> HistoryView | None:
    """The past as it was loaded, as if another bar had ended."""
    past = self._past
    return None if past is None else HistoryView(past.history, len(past.history) - 1)


if __name__ == "__main__":
    LiveBars.finished = _at_once
    news_book._is_due = lambda news, _: bool(news)
    live_loop.TICK = timedelta(milliseconds=40)
    live_loop.ASK_AGAIN = timedelta(seconds=1)
    doubts.ABSENT_AFTER = timedelta(seconds=4)
    run()
