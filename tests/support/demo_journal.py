"""Short journals to read from: two months of the demonstration, and a writer that adds orders one by one."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from quant_trading_system.app.account_files import JOURNAL_FILE
from quant_trading_system.app.backtesting import run_account
from quant_trading_system.app.demo import DemoPlan, demo_account
from quant_trading_system.config.loader import default_limits, limits_as_text
from quant_trading_system.core.events import (
    AnyEvent,
    CashMoved,
    FillEvent,
    OrderEvent,
    RiskEvent,
    RiskEventKind,
    RunStarted,
)
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce
from quant_trading_system.journal.keys import journal_key
from quant_trading_system.journal.sqlite_store import SqliteJournal

NOON = datetime(2024, 1, 2, 17, 0, tzinfo=UTC)
CASH = Decimal(100_000)
OFFICER = "risk.officer@example.com"
"""Whom the demonstration's limits allow to reset the kill switch and to approve."""


def short_demo(directory: Path) -> None:
    """The demonstration's account from January to the end of February 2021, on the venue in this process."""
    account = demo_account(DemoPlan(last=date(2021, 2, 26)), directory)
    asyncio.run(run_account(account))


class Scribe:
    """Writes a journal as an engine would, an order at a time; one second passes with every entry."""

    def __init__(self, directory: Path, cash: Decimal = CASH) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = directory / JOURNAL_FILE
        self.journal = SqliteJournal(path, journal_key(path))
        self.cash, self.number, self.held = cash, 0, Decimal(0)
        self.write(CashMoved(at=self.now, amount=cash, cash=cash, reason="opening balance"))

    @property
    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.journal.head[0])

    def write(self, event: AnyEvent) -> int:
        seq = self.journal.append(event)
        self.journal.sync()
        return seq

    def begin(self, *strategies: str) -> None:
        """A run of these strategies begins, with the shipped limits."""
        limits = default_limits()
        self.write(
            RunStarted(
                at=self.now,
                run="run",
                mode="local",
                strategies=strategies,
                seed=0,
                version="0",
                limits=limits_as_text(limits),
                limits_version=limits.version,
                universe=(),
            )
        )

    def send(self, symbol: str = "KO", quantity: int = 10) -> str:
        """An order that the broker has."""
        self.number += 1
        name = f"run-{self.number}-0"
        order = Order(
            symbol=symbol,
            side=OrderSide.BUY,
            quantity=Decimal(quantity),
            order_type=OrderType.MARKET,
            time_in_force=TimeInForce.DAY,
            client_order_id=name,
            strategy="test",
        )
        sent = OrderEvent(
            at=self.now,
            order_id=name,
            symbol=symbol,
            status=OrderStatus.SENT,
            trigger=OrderTrigger.SEND,
            order=order,
        )
        self.write(sent)
        accepted = OrderEvent(
            at=self.now,
            order_id=name,
            symbol=symbol,
            status=OrderStatus.WORKING,
            trigger=OrderTrigger.ACCEPT,
            venue_order_id=f"venue-{self.number}",
        )
        self.write(accepted)
        return name

    def fill(self, name: str, symbol: str = "KO", quantity: int = 10, price: str = "60") -> None:
        """All of it, at one price."""
        self.held += quantity
        self.cash -= quantity * Decimal(price)
        shares = Decimal(quantity)
        self.write(
            FillEvent(
                at=self.now,
                order_id=name,
                execution_id=f"x-{name}",
                symbol=symbol,
                side=OrderSide.BUY,
                quantity=shares,
                price=Decimal(price),
                cumulative_quantity=shares,
                position_quantity=self.held,
                cash=self.cash,
            )
        )
        self.write(
            OrderEvent(
                at=self.now,
                order_id=name,
                symbol=symbol,
                status=OrderStatus.FILLED,
                trigger=OrderTrigger.FILL_LAST,
                quantity_filled=shares,
            )
        )

    def measure(self, equity: str) -> None:
        """Risk numbers against the opening balance."""
        value = Decimal(equity)
        self.write(
            RiskEvent(
                at=self.now,
                reason=RiskEventKind.RECALCULATED,
                equity=value,
                day_start_equity=CASH,
                peak_equity=max(CASH, value),
                daily_pnl=value - CASH,
                current_drawdown=max((CASH - value) / CASH, Decimal(0)),
            )
        )

    def close(self) -> None:
        self.journal.close()
