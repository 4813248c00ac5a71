"""Books what the broker's statement says moved cash without a trade: fees, dividends, interest, transfers, pay-outs.

An entry with an id of the broker's is its word on its own ledger, as an execution is, so it is booked without a
person; every id once, for ever. What cannot be classified is not booked: it stays a difference in cash, which a
person has to explain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from quant_trading_system.core.book_events import ActivityBooked
from quant_trading_system.core.breaks import ActivityKind
from quant_trading_system.core.clock import Clock
from quant_trading_system.core.exceptions import KillSwitchIncomplete
from quant_trading_system.core.numbers import plain, usd
from quant_trading_system.execution.order_life import Journal
from quant_trading_system.execution.position_tracker import PositionTracker
from quant_trading_system.execution.statement import SeenActivity
from quant_trading_system.risk.monitor import RiskMonitor
from quant_trading_system.risk.portfolio import Portfolio


class EntriesBesideTrades:
    """Books each entry once; a transfer is neither a profit nor a loss, everything else is one."""

    def __init__(
        self,
        tracker: PositionTracker,
        portfolio: Portfolio,
        monitor: RiskMonitor,
        journal: Journal,
        clock: Clock,
        tell: Callable[[str], None],
        booked: Iterable[str],
    ) -> None:
        """Go on after the entries `booked`, by id; cash contains them."""
        self._tracker = tracker
        self._portfolio = portfolio
        self._monitor = monitor
        self._journal = journal
        self._clock = clock
        self._tell = tell
        self._booked = set(booked)

    def cover(self, activity_ids: Iterable[str]) -> None:
        """Cash contains these entries without having been booked by id."""
        self._booked.update(activity_ids)

    def unbooked(self, entries: Iterable[SeenActivity]) -> tuple[SeenActivity, ...]:
        """Those that cash does not contain yet."""
        return tuple(entry for entry in entries if entry.activity_id not in self._booked)

    def book(self, entries: Iterable[SeenActivity]) -> None:
        """Book what is new and can be classified."""
        for entry in self.unbooked(entries):
            if entry.kind is ActivityKind.PAY_OUT:
                self._pay_out(entry)
            elif entry.kind is not None and entry.amount:
                self._book(entry, entry.kind)

    def _pay_out(self, entry: SeenActivity) -> None:
        shares, price = plain(entry.shares.copy_abs()), usd(entry.price)
        self._tell(f"booked that {shares} of {entry.symbol} were paid out at {price} a share: {entry.description}")
        with self._portfolio.lock:
            self._booked.add(entry.activity_id)
            try:
                self._tracker.pay_out(entry)
            except KillSwitchIncomplete as incomplete:
                self._tell(str(incomplete))

    def _book(self, entry: SeenActivity, kind: ActivityKind) -> None:
        amount = entry.amount
        if amount is None:
            return
        with self._portfolio.lock:
            self._booked.add(entry.activity_id)
            if kind is ActivityKind.TRANSFER:
                self._portfolio.move_cash(amount)
            else:
                self._portfolio.book_charge(amount, is_fee=kind is ActivityKind.FEE)
            self._journal.append(
                ActivityBooked(
                    at=self._clock.now(),
                    activity_id=entry.activity_id,
                    activity=kind,
                    word=entry.word,
                    amount=amount,
                    cash=self._portfolio.cash,
                    symbol=entry.symbol,
                    description=entry.description,
                )
            )
            self._monitor.recalculated("")  # a restart must find the baselines that a transfer has moved
        self._tell(f"booked {kind.value} of {usd(amount)}: {entry.description or entry.word}")
        try:
            self._monitor.observe()
        except KillSwitchIncomplete as incomplete:
            self._tell(str(incomplete))
