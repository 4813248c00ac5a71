"""Who is halted, by the exchange's own messages: late ones, other codes, and halts of another day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from quant_trading_system.execution.alpaca_market import StreamBand, StreamStatus
from quant_trading_system.execution.halt_board import HaltBoard

NOON = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def status(code: str, at: datetime = NOON, symbol: str = "KO", **words: str) -> StreamStatus:
    return StreamStatus(symbol=symbol, at=at, code=code, **words)


@pytest.fixture
def told():
    return []


@pytest.fixture
def board(told):
    return HaltBoard(lambda: NOON + 10 * MINUTE, told.append)


@pytest.mark.parametrize(("stops", "goes_on"), [("2", "3"), ("H", "T"), ("P", "T"), ("Q", "T")])
def test_a_halt_holds_until_trading_resumes(board, told, stops, goes_on):
    board.take(status(stops, text="Halted", reason_code="T1"))
    assert board.is_halted("KO")
    assert not board.is_halted("PEP")
    board.take(status(goes_on, NOON + MINUTE, text="Resumed"))
    assert not board.is_halted("KO")
    assert told == ["KO is halted: Halted T1", "KO trades again: Resumed"]


def test_nothing_is_told_twice(board, told):
    board.take(status("T"))
    board.take(status("H", NOON + MINUTE))
    board.take(status("P", NOON + 2 * MINUTE))
    assert told == ["KO is halted: H"]


def test_a_late_message_changes_nothing(board):
    board.take(status("H", NOON + MINUTE))
    board.take(status("T", NOON))
    assert board.is_halted("KO")


def test_other_codes_and_price_bands_change_nothing(board):
    board.take(status("7"))
    board.take(StreamBand(symbol="KO", at=NOON, upper=Decimal(110), lower=Decimal(90)))
    assert not board.is_halted("KO")
    board.take(status("H"))
    board.take(status("7", NOON + MINUTE))
    assert board.is_halted("KO")


def test_a_halt_of_yesterday_is_over():
    board = HaltBoard(lambda: NOON + timedelta(days=1))
    board.take(status("H"))
    assert not board.is_halted("KO")
