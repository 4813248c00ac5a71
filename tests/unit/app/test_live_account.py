"""What belongs to a broker's account: one directory, and books that a person may bring to the broker's."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from quant_trading_system.app import live_parts
from quant_trading_system.app.adoption import Ledger, adopt_cash, adopt_positions
from quant_trading_system.app.live_parts import bind_account, folded_books
from quant_trading_system.app.stopping import unless_stopped
from quant_trading_system.core.events import CashMoved, PositionAdopted, RiskEvent
from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.execution.broker import BrokerAccount, BrokerPosition
from quant_trading_system.execution.reconciliation import compare_cash, compare_positions
from quant_trading_system.journal import snapshot
from quant_trading_system.journal.keys import key_from_seed
from quant_trading_system.journal.store import MemoryJournal
from tests.support.desk import Account
from tests.support.market import NOON


def position(symbol: str, quantity: int, price: str) -> BrokerPosition:
    return BrokerPosition(symbol=symbol, quantity=Decimal(quantity), average_price=Decimal(price))


def test_an_account_cannot_be_traded_from_two_directories(tmp_path):
    """Otherwise another name would walk around a halt and forget the losses."""
    for name in ("default", "fresh"):
        (tmp_path / name).mkdir()
    bind_account(tmp_path / "default", "account-1")
    bind_account(tmp_path / "default", "account-1")
    with pytest.raises(ConfigurationError, match="account-1 is kept in default"):
        bind_account(tmp_path / "fresh", "account-1")
    with pytest.raises(ConfigurationError, match="keeps account account-1"):
        bind_account(tmp_path / "default", "account-2")
    bind_account(tmp_path / "fresh", "account-2")


def test_a_start_over_a_long_journal_tells_how_far_it_has_come_and_hears_a_stop(monkeypatch):
    monkeypatch.setattr(snapshot, "PIECE", 10)
    monkeypatch.setattr(live_parts, "TOLD_EVERY", 30)
    journal = MemoryJournal(key_from_seed(1))
    for number in range(100):
        journal.append(CashMoved(at=NOON, amount=Decimal(1), cash=Decimal(number + 1), reason="interest"))
    told: list[str] = []

    async def story() -> None:
        assert (await folded_books(journal, told.append)).projection.cash == 100
        assert [line.split(": ")[1] for line in told] == [f"{seq} of 100 entries" for seq in (40, 70, 100)]
        stop = asyncio.Event()
        asyncio.get_running_loop().call_soon(stop.set)
        assert await unless_stopped(stop, folded_books(journal, told.append)) is None

    asyncio.run(story())


def test_positions_are_brought_to_the_brokers_on_a_persons_word():
    account = Account()
    account.hold("KO", 10)
    account.hold("PEP", 4)
    theirs = (position("KO", 12, "101.00"), position("XOM", -3, "50.00"))
    changed = adopt_positions(Ledger.of(account.system), theirs, approved_by="Ana", reason="bought elsewhere")
    assert changed == ("KO", "PEP", "XOM")
    ours = {symbol: held.quantity for symbol, held in account.portfolio.positions.items()}
    assert compare_positions(ours, theirs) == []
    assert account.portfolio.position("KO").cost == Decimal("1212.00")
    recorded = [event for event in account.journal.events if isinstance(event, PositionAdopted)]
    assert [(event.symbol, event.quantity) for event in recorded] == [("KO", 2), ("PEP", -4), ("XOM", -3)]
    assert {event.approved_by for event in recorded} == {"Ana"}


def test_what_agrees_is_left_alone():
    account = Account()
    account.hold("KO", 10)
    before = len(account.journal.events)
    assert (
        adopt_positions(Ledger.of(account.system), (position("KO", 10, "90.00"),), approved_by="Ana", reason="") == ()
    )
    assert len(account.journal.events) == before


def test_cash_is_brought_to_the_brokers_and_is_no_profit():
    account = Account()
    theirs = BrokerAccount(account_id="a", cash=Decimal("100250.17"), equity=Decimal("100250.17"))
    profit = account.portfolio.daily_pnl
    adopt_cash(Ledger.of(account.system), theirs.cash, approved_by="Ana")
    assert compare_cash(account.portfolio.cash, theirs.cash) == []
    assert account.portfolio.daily_pnl == profit
    *_, moved, numbers = account.journal.events
    assert isinstance(moved, CashMoved)
    assert isinstance(numbers, RiskEvent), "a restart must find the baselines where the adjustment has moved them"
    assert (moved.amount, moved.cash) == (Decimal("250.17"), Decimal("100250.17"))
    assert "Ana" in moved.reason
    before = len(account.journal.events)
    adopt_cash(Ledger.of(account.system), theirs.cash, approved_by="Ana")
    assert len(account.journal.events) == before


def test_what_a_position_lost_before_it_was_taken_over_is_no_loss_of_ours():
    """Otherwise the drawdown limit would halt the account at the first price."""
    account = Account()
    theirs = BrokerPosition(symbol="XOM", quantity=Decimal(500), average_price=Decimal(100), price=Decimal(60))
    adopt_positions(Ledger.of(account.system), (theirs,), approved_by="Ana", reason="")
    account.offer("59.99", "60.01", "XOM")
    account.step()
    assert not account.kill_switch.is_active()
    assert (account.portfolio.daily_pnl, account.portfolio.drawdown) == (0, 0)
    assert account.portfolio.position("XOM").unrealized_pnl == -20_000


def test_a_symbol_that_is_gone_at_the_broker_needs_no_price_any_more():
    account = Account()
    adopt_positions(Ledger.of(account.system), (position("XOM", 5, "50.00"),), approved_by="Ana", reason="")
    assert account.portfolio.unmarked == {"XOM"}
    adopt_positions(Ledger.of(account.system), (), approved_by="Ana", reason="")
    assert account.portfolio.unmarked == set()
    assert account.portfolio.positions == {}


def test_a_start_that_waits_ends_at_once_when_it_is_told_to():
    """Ctrl-C while the broker gives no answer; what was begun is cancelled and cleaned up."""
    steps: list[str] = []

    async def start() -> str:
        try:
            await asyncio.Event().wait()
        finally:
            steps.append("cleaned up")
        return "never"

    async def story() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_soon(stop.set)
        assert await unless_stopped(stop, start()) is None
        assert steps == ["cleaned up"]

    asyncio.run(story())


def test_a_start_that_succeeds_or_fails_says_so():
    async def works() -> str:
        return "up"

    async def fails() -> str:
        raise ConfigurationError("wrong keys")

    async def story() -> None:
        stop = asyncio.Event()
        assert await unless_stopped(stop, works()) == "up"
        with pytest.raises(ConfigurationError, match="wrong keys"):
            await unless_stopped(stop, fails())

    asyncio.run(story())
