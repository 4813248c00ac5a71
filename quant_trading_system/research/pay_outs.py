"""Pays out in cash what is held of symbols whose prices have ended, as a broker does when a company is listed no more.

That comes to be known when the first session after the last bar of a symbol opens, and not before: a strategy cannot
tell it from a day without a trade until then.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from quant_trading_system.core.breaks import ActivityKind
from quant_trading_system.core.numbers import LEDGER, ONE, divide, tidy
from quant_trading_system.execution.entries_beside_trades import EntriesBesideTrades
from quant_trading_system.execution.statement import SeenActivity
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.simulation.activities import CashActivity
from quant_trading_system.simulation.venue import Venue
from quant_trading_system.trading.system import TradingSystem

_MICRO = Decimal("1E-6")


class PayOuts:
    """Tells the venue which symbols have ended, and the books what it paid.

    Attributes:
        fraction: of the last close that is paid.
    """

    def __init__(self, history: PriceHistory, venue: Venue, system: TradingSystem, fraction: Decimal) -> None:
        """Find the symbols of `history` that end before it does.

        Args:
            fraction: of the last close that is paid, at least 0; the price is rounded to the micro-dollar.
        """
        self._history = history
        self._venue = venue
        self._universe = system.universe
        self._engine = system.engine
        self.fraction = fraction
        self._entries = EntriesBesideTrades(
            system.tracker, system.portfolio, system.monitor, system.ports.journal, system.ports.clock, _nobody, ()
        )
        ends = sorted((bar, symbol) for symbol, bar in history.ended.items())
        self._to_come = ends[::-1]

    def session_opens(self, bar: int) -> None:
        """A session opens with the bar of that number: what ended in an earlier one is paid out, in both books."""
        dates, ended = self._history.dates, list[tuple[str, int]]()
        while self._to_come and dates[self._to_come[-1][0]] < dates[bar]:
            last, symbol = self._to_come.pop()
            ended.append((symbol, last))
        if not ended:
            return
        self._engine.mark_positions()  # the books are judged at once, at the prices of this session
        entries = [self._paid(symbol, last) for symbol, last in ended]
        self._entries.book(entry for entry in entries if entry is not None)
        known = (self._universe.get_instrument(symbol) for symbol, _ in ended)
        self._universe.refresh(msgspec.structs.replace(each, active=False) for each in known if each is not None)

    def _paid(self, symbol: str, last: int) -> SeenActivity | None:
        close = self._history.close(symbol, last)
        assert close is not None, "the last bar of a symbol has a close"
        price = tidy(divide(LEDGER.multiply(close, self.fraction), ONE, _MICRO))
        entry = self._venue.pay_out(symbol, price)
        return None if entry is None else _seen(entry, price)


def _seen(entry: CashActivity, price: Decimal) -> SeenActivity:
    """The venue's word in that of a statement."""
    return SeenActivity(
        activity_id=entry.id,
        word=entry.activity_type,
        kind=ActivityKind.PAY_OUT,
        amount=entry.net_amount,
        symbol=entry.symbol,
        description=entry.description,
        shares=entry.quantity,
        price=price,
    )


def _nobody(_: str) -> None:
    """Nobody is told while a run goes on; its journal and its report say it."""
