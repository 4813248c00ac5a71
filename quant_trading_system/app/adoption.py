"""Takes over what the broker's account has and our books do not, on a named person's word and on record."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import NamedTuple, Protocol

from quant_trading_system.core.book_events import ActivitiesCovered
from quant_trading_system.core.clock import Clock
from quant_trading_system.core.events import CashMoved, PositionAdopted
from quant_trading_system.core.numbers import LEDGER, ZERO
from quant_trading_system.execution.order_life import Journal
from quant_trading_system.execution.statement import SeenActivity
from quant_trading_system.risk.portfolio import Portfolio
from quant_trading_system.trading.system import TradingSystem


class TheirPosition(Protocol):
    """A position at the broker: signed shares, and dollars a share that they cost."""

    @property
    def symbol(self) -> str:
        """Which one."""

    @property
    def quantity(self) -> Decimal:
        """Signed shares."""

    @property
    def average_price(self) -> Decimal:
        """Dollars a share."""

    @property
    def price(self) -> Decimal | None:
        """Dollars a share now, None when the broker does not say."""


class Ledger(NamedTuple):
    """The books that are adjusted, and where that goes on record.

    Attributes:
        record_numbers: puts the baselines of the loss limits on record, which an adjustment moves along.
    """

    portfolio: Portfolio
    journal: Journal
    clock: Clock
    record_numbers: Callable[[], None]

    @classmethod
    def of(cls, system: TradingSystem) -> Ledger:
        """The books of a running account."""
        monitor = system.monitor
        return cls(system.portfolio, system.ports.journal, system.ports.clock, lambda: monitor.recalculated(""))


def adopt_positions(
    ledger: Ledger, positions: Iterable[TheirPosition], *, approved_by: str, reason: str
) -> tuple[str, ...]:
    """Bring every position of ours to the broker's quantity and cost; the symbols that changed.

    Args:
        positions: all positions of the broker's account; what is not among them is flat there.
    """
    theirs = {position.symbol: position for position in positions}
    ours = ledger.portfolio.positions
    changed = []
    for symbol in sorted({*theirs, *ours}):
        seen, held = theirs.get(symbol), ours.get(symbol)
        quantity, cost = (ZERO, ZERO) if held is None else (held.quantity, held.cost)
        to_come = ZERO if seen is None else seen.quantity
        if to_come == quantity:
            continue
        cost_to_come = ZERO if seen is None else LEDGER.multiply(seen.quantity, seen.average_price)
        event = PositionAdopted(
            at=ledger.clock.now(),
            symbol=symbol,
            quantity=LEDGER.subtract(to_come, quantity),
            cost=LEDGER.subtract(cost_to_come, cost),
            approved_by=approved_by,
            reason=reason,
        )
        ledger.journal.append(event)
        ledger.portfolio.adopt(symbol, event.quantity, event.cost, None if seen is None else seen.price)
        changed.append(symbol)
    if changed:
        ledger.record_numbers()
    return tuple(changed)


def adopt_cash(
    ledger: Ledger, cash: Decimal, *, approved_by: str, reason: str = "", entries: Iterable[SeenActivity] = ()
) -> None:
    """Bring our cash to the broker's; the difference counts neither as profit nor as loss.

    Args:
        entries: what the broker's statement shows and we have not booked; its cash contains them, so they never are.
    """
    portfolio = ledger.portfolio
    amount = LEDGER.subtract(cash, portfolio.cash)
    covered = tuple(entry.activity_id for entry in entries)
    if covered:
        ledger.journal.append(
            ActivitiesCovered(at=ledger.clock.now(), activity_ids=covered, reason=f"cash taken over by {approved_by}")
        )
    if not amount:
        return
    portfolio.move_cash(amount)
    why = f": {reason}" if reason else ""
    ledger.journal.append(
        CashMoved(
            at=ledger.clock.now(),
            amount=amount,
            cash=portfolio.cash,
            reason=f"the broker's cash, taken over by {approved_by}{why}",
        )
    )
    ledger.record_numbers()
