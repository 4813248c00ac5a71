"""Takes over what the broker's account has and our books do not, on a named person's word and on record."""

from __future__ import annotations

from collections.abc import Iterable

from quant_trading_system.core.events import CashMoved, PositionAdopted
from quant_trading_system.core.numbers import LEDGER, ZERO
from quant_trading_system.execution.broker import BrokerAccount, BrokerPosition
from quant_trading_system.trading.system import TradingSystem


def adopt_positions(
    system: TradingSystem, positions: Iterable[BrokerPosition], *, approved_by: str, reason: str
) -> tuple[str, ...]:
    """Bring every position of ours to the broker's quantity and cost; the symbols that changed.

    Args:
        positions: all positions of the broker's account; what is not among them is flat there.
    """
    theirs = {position.symbol: position for position in positions}
    ours = system.portfolio.positions
    changed = []
    for symbol in sorted({*theirs, *ours}):
        seen, held = theirs.get(symbol), ours.get(symbol)
        quantity, cost = (ZERO, ZERO) if held is None else (held.quantity, held.cost)
        to_come = ZERO if seen is None else seen.quantity
        if to_come == quantity:
            continue
        cost_to_come = ZERO if seen is None else LEDGER.multiply(seen.quantity, seen.average_price)
        event = PositionAdopted(
            at=system.ports.clock.now(),
            symbol=symbol,
            quantity=LEDGER.subtract(to_come, quantity),
            cost=LEDGER.subtract(cost_to_come, cost),
            approved_by=approved_by,
            reason=reason,
        )
        system.ports.journal.append(event)
        system.portfolio.adopt(symbol, event.quantity, event.cost)
        changed.append(symbol)
    return tuple(changed)


def adopt_cash(system: TradingSystem, account: BrokerAccount, *, approved_by: str) -> None:
    """Bring our cash to the broker's; the difference counts neither as profit nor as loss."""
    portfolio = system.portfolio
    amount = LEDGER.subtract(account.cash, portfolio.cash)
    if not amount:
        return
    portfolio.move_cash(amount)
    system.ports.journal.append(
        CashMoved(
            at=system.ports.clock.now(),
            amount=amount,
            cash=portfolio.cash,
            reason=f"the broker's cash, taken over by {approved_by}",
        )
    )
