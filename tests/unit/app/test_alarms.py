"""Notices of the adapters: every one is told, some halt."""

from __future__ import annotations

import pytest

from quant_trading_system.app.alarms import HALTING, Alarms
from quant_trading_system.core.events import HaltLevel, HaltTrigger
from quant_trading_system.execution.notices import Notice, NoticeKind
from tests.support.desk import Account


def notice(kind: NoticeKind) -> Notice:
    return Notice(kind=kind, source="order stream", message="something happened")


@pytest.mark.parametrize("kind", list(NoticeKind))
def test_every_notice_is_told_and_some_halt(kind):
    account, told = Account(), []
    alarms = Alarms(told.append)
    alarms.kill_switch = account.kill_switch
    alarms(notice(kind))
    assert told == [f"order stream: {kind.value.replace('_', ' ')}: something happened"]
    halted = account.kill_switch.level is HaltLevel.HALTED
    assert halted == (kind in HALTING)
    if halted:
        assert account.kill_switch.state.trigger is HaltTrigger.INTEGRITY


def test_books_that_may_lack_something_always_halt():
    assert {NoticeKind.FILL_MISSING, NoticeKind.WRONG_ECHO, NoticeKind.HANDLER_FAILED} <= HALTING


def test_before_the_parts_are_joined_a_notice_is_only_told():
    told = []
    Alarms(told.append)(notice(NoticeKind.WRONG_ECHO))
    assert len(told) == 1


def test_a_screen_that_is_gone_keeps_no_notice_from_halting():
    account = Account()

    def gone(_: str) -> None:
        raise BrokenPipeError

    alarms = Alarms(gone)
    alarms.kill_switch = account.kill_switch
    with pytest.raises(BrokenPipeError):
        alarms(notice(NoticeKind.FILL_MISSING))
    assert account.kill_switch.level is HaltLevel.HALTED
