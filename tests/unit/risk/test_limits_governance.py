"""Limits over time: tighter at once, looser after approval, raised for a while, never looser by a restart."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from quant_trading_system.config.loader import limits_as_text
from quant_trading_system.core.exceptions import ApprovalRefused, ConfigurationError
from quant_trading_system.core.limit_events import LimitChange, LimitsProposed, LimitsRaised, LimitsSet, RaiseEnded
from tests.support.governed import Governed, limits_with
from tests.support.market import NOON

D = Decimal
POSITION = "risk.max_position_pct"
HOUR = timedelta(hours=1)


def test_a_first_start_takes_the_file_as_it_is_and_adds_no_entry():
    governed = Governed()
    assert governed.limits == limits_with()
    assert (governed.settled.at_once, governed.settled.waiting) == ((), ())
    assert len(governed.journal.events) == 1


def test_a_tighter_file_holds_at_once_and_for_good():
    governed = Governed()
    settled = governed.edit(limits_with(max_position_pct=D("0.05")))
    assert settled.at_once == (LimitChange(POSITION, "0.1", "0.05"),)
    assert governed.limits.max_position_pct == D("0.05")
    assert [limits.max_position_pct for limits in governed.swaps] == [D("0.05")]
    (recorded,) = governed.journal.of(LimitsSet)
    assert (recorded.by, recorded.source, recorded.why) == ("desk", "file", "limits.yaml says so")
    assert recorded.version == governed.limits.version
    governed.start(limits_with())  # the file as it was before
    assert governed.limits.max_position_pct == D("0.05")
    assert governed.settled.waiting == (LimitChange(POSITION, "0.05", "0.1"),)


def test_a_looser_file_waits_for_two_persons_while_the_tighter_value_holds():
    governed = Governed()
    governed.start(limits_with(max_position_pct=D("0.12")))
    asked = governed.settled.approval
    assert asked is not None
    assert (asked.needed, asked.text) == (2, "risk.max_position_pct from 0.1 to 0.12")
    assert governed.limits.max_position_pct == D("0.1")
    assert governed.approve(asked.approval, "Ana") is False
    governed.start(limits_with(max_position_pct=D("0.12")))  # asks for nothing twice
    assert [p.approval for p in governed.governance.pending] == [asked.approval]
    assert governed.limits.max_position_pct == D("0.1")
    assert governed.approve(asked.approval, "Ben") is True
    assert governed.limits.max_position_pct == D("0.12")
    assert governed.governance.pending == []
    governed.start(limits_with(max_position_pct=D("0.12")))
    assert (governed.limits.max_position_pct, governed.settled.waiting) == (D("0.12"), ())


def test_one_person_is_enough_without_real_money():
    governed = Governed(is_live=False)
    settled = governed.governance.propose({POSITION: "0.12"}, by="Ana", why="quiet market")
    assert settled.approval is not None
    assert governed.approve(settled.approval.approval, "Ana") is True
    assert governed.limits.max_position_pct == D("0.12")


def test_a_mixed_wish_is_taken_apart():
    governed = Governed()
    wish = {POSITION: "0.12", "orders.max_order_notional": "500000", "account.allow_short": "true"}
    settled = governed.governance.propose(wish, by="Ana", why="new mandate")
    assert [change.key for change in settled.at_once] == ["orders.max_order_notional"]
    assert [change.key for change in settled.waiting] == [POSITION, "account.allow_short"]
    assert governed.limits.max_order_notional == D(500_000)


def test_names_that_may_approve_are_themselves_governed():
    """Real money with nobody named: looser limits cannot even be asked for, naming people is tighter and works."""
    governed = Governed(limits_with(authorized_approvers=()))
    with pytest.raises(ApprovalRefused, match="nobody is named"):
        governed.governance.propose({POSITION: "0.12"}, by="Ana", why="more")
    governed.start(limits_with(authorized_approvers=(), max_position_pct=D("0.12")))
    assert "nobody is named" in governed.settled.not_asked
    governed.edit(limits_with(authorized_approvers=("Ana", "Ben")))
    assert governed.limits.authorized_approvers == ("Ana", "Ben")
    settled = governed.edit(limits_with(authorized_approvers=("Ana", "Ben", "Eve")))
    assert settled.at_once == ()
    assert governed.limits.authorized_approvers == ("Ana", "Ben")


def test_fewer_persons_to_convince_is_looser():
    governed = Governed()
    settled = governed.edit(limits_with(live_loosening_approvals=1))
    assert settled.approval is not None
    assert settled.approval.needed == 2
    assert governed.limits.live_loosening_approvals == 2


def test_a_raise_ends_by_itself_and_survives_a_restart_until_then():
    governed = Governed()
    until = NOON + HOUR
    settled = governed.governance.raise_until({POSITION: "0.2"}, until, by="Ana", why="index change")
    assert settled.approval is not None
    governed.approve(settled.approval.approval, "Ana")
    governed.approve(settled.approval.approval, "Ben")
    assert governed.limits.max_position_pct == D("0.2")
    assert limits_as_text(limits_with()) == governed.governance.approved
    governed.start(limits_with())
    assert governed.limits.max_position_pct == D("0.2")
    governed.clock.move_to(until - timedelta(microseconds=1))
    governed.governance.tend()
    assert governed.limits.max_position_pct == D("0.2")
    governed.clock.move_to(until)
    governed.governance.tend()
    assert governed.limits.max_position_pct == D("0.1")
    assert [event.keys for event in governed.journal.of(RaiseEnded)] == [(POSITION,)]


def test_a_raise_that_ended_while_no_process_ran_is_not_in_force_after_the_start():
    governed = Governed(is_live=False)
    settled = governed.governance.raise_until({POSITION: "0.2"}, NOON + HOUR, by="Ana", why="index change")
    assert settled.approval is not None
    governed.approve(settled.approval.approval, "Ana")
    governed.clock.move_to(NOON + 2 * HOUR)
    governed.start(limits_with())
    assert governed.limits.max_position_pct == D("0.1")


def test_a_tighter_limit_ends_its_raise_and_withdraws_what_waits():
    governed = Governed(is_live=False)
    raised = governed.governance.raise_until({POSITION: "0.2"}, NOON + HOUR, by="Ana", why="index change")
    assert raised.approval is not None
    governed.approve(raised.approval.approval, "Ana")
    governed.governance.propose({POSITION: "0.15"}, by="Ana", why="more")
    governed.edit(limits_with(max_position_pct=D("0.05")))
    assert governed.limits.max_position_pct == D("0.05")
    assert governed.governance.pending == []
    assert governed.governance.approvals.waiting == []


@pytest.mark.parametrize(
    ("values", "until", "told"),
    [
        ({POSITION: "0.05"}, NOON + HOUR, "not looser than what is approved"),
        ({POSITION: "0.1"}, NOON + HOUR, "not looser than what is approved"),
        ({POSITION: "0.2"}, NOON, "a raise ends within"),
        ({POSITION: "0.2"}, NOON + timedelta(days=9), "a raise ends within"),
    ],
)
def test_a_raise_is_looser_and_short(values, until, told):
    governed = Governed()
    with pytest.raises(ApprovalRefused, match=told):
        governed.governance.raise_until(values, until, by="Ana", why="because")
    assert len(governed.journal.events) == 1


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"risk.max_position": "0.12"}, "risk.max_position is no limit"),
        ({POSITION: "12 %"}, "write it as 0.12"),
        ({POSITION: "0.9"}, "is above risk.max_sector_exposure"),
        ({"approvals.authorized_approvers": "Ana"}, "must be a list"),
    ],
)
def test_a_wish_is_checked_like_a_file(values, told):
    governed = Governed()
    with pytest.raises(ConfigurationError, match=told):
        governed.governance.propose(values, by="Ana", why="because")


@pytest.mark.parametrize(("by", "why"), [("", "because"), ("Ana", " ")])
def test_who_and_why_go_on_record(by, why):
    with pytest.raises(ApprovalRefused, match="say who wants other limits and why"):
        Governed().governance.propose({POSITION: "0.05"}, by=by, why=why)


def test_nothing_to_change_is_said():
    with pytest.raises(ApprovalRefused, match="nothing would change"):
        Governed().governance.propose({POSITION: "0.10"}, by="Ana", why="because")


def test_a_file_that_asks_for_something_else_takes_its_question_back():
    governed = Governed()
    first = governed.edit(limits_with(max_position_pct=D("0.12"))).approval
    second = governed.edit(limits_with(max_position_pct=D("0.13"))).approval
    assert first is not None
    assert second is not None
    assert [view.approval for view in governed.governance.approvals.waiting] == [second.approval]
    governed.edit(limits_with())
    assert governed.governance.pending == []


def test_what_was_granted_is_in_force_after_a_crash_between_the_two_entries():
    governed = Governed(is_live=False)
    settled = governed.governance.propose({POSITION: "0.12"}, by="Ana", why="quiet market")
    assert settled.approval is not None
    governed.approve(settled.approval.approval, "Ana")
    assert isinstance(governed.journal.events.pop(), LimitsSet)
    governed.start(limits_with(max_position_pct=D("0.12")))
    assert governed.limits.max_position_pct == D("0.12")
    assert governed.settled.waiting == ()


def test_a_proposal_whose_question_was_never_recorded_is_nothing():
    governed = Governed()
    governed.governance.propose({POSITION: "0.12"}, by="Ana", why="quiet market")
    governed.journal.events.pop()  # the process ended between the proposal and the question
    assert isinstance(governed.journal.events[-1], LimitsProposed)
    governed.start(limits_with(max_position_pct=D("0.13")))
    assert governed.limits.max_position_pct == D("0.1")
    assert [p.changes[0].now for p in governed.governance.pending] == ["0.13"]


def test_a_limit_that_is_new_in_this_version_is_taken_from_the_file():
    governed = Governed()
    governed.edit(limits_with(max_position_pct=D("0.05")))
    recorded = governed.journal.of(LimitsSet)[-1]
    del recorded.limits["approvals.max_raise_s"]
    recorded.limits["risk.retired"] = "1"
    governed.start(limits_with(max_position_pct=D("0.05")))
    assert governed.settled.at_once == (LimitChange("approvals.max_raise_s", "", "28800"),)
    assert governed.limits == limits_with(max_position_pct=D("0.05"))
    assert "risk.retired" not in governed.governance.approved


def test_a_raise_is_told_with_its_end():
    governed = Governed()
    settled = governed.governance.raise_until({POSITION: "0.2"}, NOON + HOUR, by="Ana", why="index change")
    assert settled.approval is not None
    assert settled.approval.text.endswith("until 2024-01-08 18:00:00 UTC")
    assert settled.approval.expires_at == NOON + HOUR  # what is over by itself is not approved any more
    assert governed.journal.of(LimitsRaised) == []
