"""Who may let orders leave again: two persons, one after a delay, and nobody while the cause persists."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.events import HaltLevel, HaltTrigger, KillSwitchEvent
from quant_trading_system.core.exceptions import ConfigurationError, ResetPending, ResetRefused
from quant_trading_system.core.halt_events import ResetApproved
from quant_trading_system.core.halt_scope import ACCOUNT, HaltScope
from quant_trading_system.risk.halt_state import Halt, LatchState, ResetApproval, ResetPolicy
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.risk.latch import STOP_FILE, FileLatch, MemoryLatch
from quant_trading_system.risk.reset import APPROVAL_LASTS, Cause, ResetWish, cause_obstacles, dirt_obstacles, policy_of
from tests.support.desk import Account, limits_with
from tests.support.market import NOON
from tests.support.orders import buy, sell

TWO = ResetPolicy(persons=2)


class Shop:
    """Several people, each in a process of their own, on one latch."""

    def __init__(self, policy: ResetPolicy = TWO, **options: object) -> None:
        self.clock = ManualClock(NOON)
        self.latch = MemoryLatch()
        self.policy = policy
        self.engine = KillSwitch(latch=self.latch, clock=self.clock, policy=policy, **options)
        self.engine.activate("a test")

    def asks(self, person: str, reason: str = "looked into it", **options: bool) -> None:
        KillSwitch(latch=self.latch, clock=self.clock).reset(person, reason, **options)


def test_the_first_person_s_word_is_kept_and_the_second_one_s_counts():
    """No engine runs: the latch alone knows that two are needed, and who was the first."""
    shop = Shop()
    with pytest.raises(ResetPending, match=r"1 of 2 approvals \(ann\); a second person runs `qts resume`"):
        shop.asks("ann")
    assert shop.engine.is_active()
    assert [approval.by for approval in shop.engine.standing().approvals] == ["ann"]
    shop.asks("ben", "checked the books")
    assert not shop.engine.is_active()
    assert shop.engine.state.by == "ann and ben"


@pytest.mark.parametrize("again", ["ann", "Ann", " ann "])
def test_the_same_person_twice_is_one_person(again):
    shop = Shop()
    for person in ("ann", again):
        with pytest.raises(ResetPending, match="1 of 2"):
            shop.asks(person)
    assert shop.engine.is_active()


def test_an_approval_is_for_this_activation_and_for_what_it_says():
    """An approval of yesterday, or of less than what is halted now, lets nothing leave."""
    shop = Shop()
    with pytest.raises(ResetPending):
        shop.asks("ann")
    shop.engine.activate("something else, too")
    with pytest.raises(ResetPending, match=r"1 of 2 approvals \(ben\)"):
        shop.asks("ben")
    shop.asks("ann")
    shop.engine.activate("the next day")
    assert shop.engine.standing().approvals == ()


def test_the_same_alarm_again_keeps_an_approval_and_a_worse_halt_voids_it():
    """A monitor says the same every second while the cause lasts; more than was approved needs new words."""
    shop = Shop()
    with pytest.raises(ResetPending):
        shop.asks("ann")
    shop.engine.activate("a test")
    assert [approval.by for approval in shop.engine.standing().approvals] == ["ann"]
    shop.engine.activate("a test", level=HaltLevel.FLATTENING)
    assert shop.engine.standing().approvals == ()


def test_an_approval_is_not_kept_for_a_halt_that_only_this_process_knows():
    """It was given to what stood in the latch, and that was lifted."""
    approved = ResetApproval(by="ann", at=NOON.isoformat())
    alone = LatchState(level=HaltLevel.HALTED, reason="a test", activation=2, approvals=(approved,))
    assert LatchState(activation=2).joined(alone).halt_of().approvals == ()
    assert LatchState(activation=2).joined(alone).activation == 3
    assert alone.joined(alone) == alone


def test_an_approval_ends_after_a_day():
    shop = Shop()
    with pytest.raises(ResetPending):
        shop.asks("ann")
    shop.clock.move_to(NOON + APPROVAL_LASTS + timedelta(seconds=1))
    with pytest.raises(ResetPending, match=r"1 of 2 approvals \(ben\)"):
        shop.asks("ben")


def test_one_who_works_alone_waits():
    shop = Shop(ResetPolicy(persons=2, solo_delay_s=1800))
    with pytest.raises(ResetPending, match=r"or ann alone again after 2024-01-08 17:30:00 UTC"):
        shop.asks("ann")
    shop.clock.move_to(NOON + timedelta(seconds=1799))
    with pytest.raises(ResetPending):
        shop.asks("ann")
    shop.clock.move_to(NOON + timedelta(seconds=1800))
    shop.asks("ann")
    assert shop.engine.state.by == "ann alone, after the delay"


def test_one_who_works_alone_may_take_back_that_the_loss_is_accepted():
    shop = Shop(ResetPolicy(persons=2, solo_delay_s=1800))
    with pytest.raises(ResetPending):
        shop.asks("ann", accept_loss=True)
    shop.clock.move_to(NOON + timedelta(seconds=1800))
    shop.asks("ann")
    assert not shop.engine.is_active()
    assert not shop.engine.state.accepts_loss


def test_without_a_reason_or_a_place_on_the_list_nobody_approves():
    shop = Shop(authorized_resetters=["ann", "ben"])
    with pytest.raises(ResetRefused, match="not on the list"):
        shop.asks("eve")
    with pytest.raises(ResetRefused, match="needs a reason"):
        shop.asks("ann", "")
    assert shop.engine.standing().approvals == ()


def test_while_the_cause_persists_no_approval_is_taken():
    causes = ["the feed is down"]
    shop = Shop()
    switch = KillSwitch(latch=shop.latch, clock=shop.clock, obstacles=lambda _: causes)
    with pytest.raises(ResetRefused, match="the feed is down"):
        switch.reset("ann", "please")
    assert shop.engine.standing().approvals == ()
    causes.clear()
    with pytest.raises(ResetPending):
        switch.reset("ann", "please")


def test_an_activation_between_two_words_wins():
    shop = Shop()
    with pytest.raises(ResetPending):
        shop.asks("ann")
    late = KillSwitch(latch=shop.latch, clock=shop.clock, obstacles=lambda _: shop.engine.activate("again") or ())
    with pytest.raises(ResetRefused, match="activated again meanwhile"):
        late.reset("ben", "it is over")
    assert shop.engine.is_active()


def test_the_loss_is_accepted_only_when_everybody_says_so():
    for first, second, outcome in ((True, True, True), (True, False, False), (False, True, False)):
        shop = Shop()
        with pytest.raises(ResetPending):
            shop.asks("ann", accept_loss=first)
        shop.asks("ben", accept_loss=second)
        assert shop.engine.state.accepts_loss is outcome


def test_a_policy_that_nobody_could_fulfil_is_refused_at_the_start():
    limits = limits_with(authorized_resetters=("ann", "Ann"))
    with pytest.raises(ConfigurationError, match="no halt could be lifted"):
        policy_of(limits, live=True)
    assert policy_of(limits, live=False).persons == 1
    assert policy_of(limits_with(authorized_resetters=("ann",), solo_reset_delay_s=1800), live=True).persons == 2


CAUSES = """
cause    whose halt   loss accepted   refused
loss     account      no              yes
loss     account      yes             no
other    account      no              yes
other    account      yes             yes
loss     KO           no              no
other    KO           no              no
"""


@pytest.mark.parametrize("line", CAUSES.strip().splitlines()[1:], ids=lambda line: "-".join(line.split()))
def test_only_a_loss_can_be_accepted_and_only_the_account_waits_for_its_causes(line):
    """Stale prices stay stale, whoever says that the loss is fine."""
    cause, whose, accepted, refused = line.split()
    wish = wish_of(whose, accepts_loss=accepted == "yes")
    found = cause_obstacles(wish, [Cause("a_limit", Decimal(2), Decimal(1), is_loss=cause == "loss")])
    assert ["the cause persists: a_limit, now 2, limit 1" in words for words in found] == [True] * (refused == "yes")


DIRT = """
whose halt   books differ   fate unknown
account      stays          stays
KO           stays          goes
strategy     goes           goes
"""


@pytest.mark.parametrize("line", DIRT.strip().splitlines()[1:], ids=lambda line: line.split()[0])
def test_books_that_differ_keep_the_account_and_a_symbol_halted(line):
    """Nobody trades a symbol whose position is unknown; a strategy that was stopped for its bug is another matter."""
    whose, differ, unknown = line.split()
    assert bool(dirt_obstacles(wish_of(whose), ["KO: 5 here, 7 there"], [])) is (differ == "stays")
    assert bool(dirt_obstacles(wish_of(whose), [], ["run-1-0"])) is (unknown == "stays")


def wish_of(whose: str, *, accepts_loss: bool = False) -> ResetWish:
    scope = {"account": ACCOUNT, "KO": HaltScope(symbol="KO"), "strategy": HaltScope(strategy="a")}[whose]
    return ResetWish(halt=Halt(scope=scope, level=HaltLevel.HALTED), by="ann", reason="a", accepts_loss=accepts_loss)


# -- in an engine -----------------------------------------------------------------------------------------------------


def test_an_engine_refuses_while_its_loss_limit_is_broken_or_its_books_differ():
    account = Account()
    account.hold("KO", 1000)
    account.offer("89.99", "90.01")
    account.step()
    with pytest.raises(ResetRefused, match=r"max_daily_loss_pct, now 10000, limit 5000.*--accept-loss"):
        account.kill_switch.reset("ann")
    account.system.agreement.doubt("stream", "the order stream is down")
    with pytest.raises(ResetRefused, match="reconciliation is not clean: the order stream is down"):
        account.kill_switch.reset("ann", accept_loss=True)
    account.system.agreement.trust("stream")
    account.kill_switch.reset("ann", accept_loss=True)
    assert not account.kill_switch.is_active()


def test_an_engine_refuses_while_an_order_s_fate_is_unknown():
    account = Account()
    account.broker.answers.append("time_out")
    account.submit(buy(5))
    account.kill_switch.activate("a test")
    with pytest.raises(ResetRefused, match="the fate of run-1-0 is unknown"):
        account.kill_switch.reset("ann")


def test_approvals_given_elsewhere_go_on_record(tmp_path: Path):
    path = tmp_path / "kill_latch.json"
    account = Account(latch=FileLatch(path))
    account.latch.write(account.latch.read())
    KillSwitch(latch=FileLatch(path), clock=account.clock, policy=TWO)
    account.kill_switch.activate("a test")
    for person in ("ann", "ben"):
        try:
            KillSwitch(latch=FileLatch(path), clock=account.clock).reset(person, f"{person} looked")
        except ResetPending:
            account.step()
    account.step()
    approvals = account.journal.of(ResetApproved)
    assert [(event.by, event.reason, event.given, event.needed) for event in approvals] == [("ann", "ann looked", 1, 2)]
    assert account.journal.of(KillSwitchEvent)[-1].by == "ann and ben"


# -- probation --------------------------------------------------------------------------------------------------------


def test_after_a_reset_sizes_are_reduced_for_a_while_and_the_record_says_so():
    account = Account(limits=limits_with(probation_s=600, probation_factor=Decimal("0.25")))
    account.kill_switch.activate("a test")
    account.kill_switch.reset("ann")
    refused = account.submit(buy(50))  # a twentieth of equity; a tenth is allowed otherwise
    assert "max_position_pct" in repr(refused)
    assert refused.decision.limits_version.endswith("x 0.25")
    account.clock.move_to(account.clock.now() + timedelta(seconds=600))
    account.offer()
    assert account.working(buy(50)).status.is_open


def test_a_scope_that_is_lifted_begins_no_probation():
    account = Account()
    account.kill_switch.activate("a test", scope=HaltScope(symbol="KO"))
    account.kill_switch.reset("ann", scope=HaltScope(symbol="KO"))
    assert account.kill_switch.state.probation_until == ""


# -- the file ---------------------------------------------------------------------------------------------------------


def test_a_file_named_halt_stops_everything_and_outlives_itself(tmp_path: Path):
    path = tmp_path / "kill_latch.json"
    account = Account(latch=FileLatch(path))
    record = account.working(buy(5))
    (tmp_path / STOP_FILE).touch()
    assert account.kill_switch.is_active()
    account.broker.cancel_answers.append("confirm")
    account.step()
    assert account.broker.cancels == [record.order_id]
    with pytest.raises(ResetRefused, match="asks for a halt; remove it first"):
        account.kill_switch.reset("ann")
    (tmp_path / STOP_FILE).unlink()
    state = KillSwitch(latch=FileLatch(path)).state
    assert (state.level, state.trigger, state.activation) == (HaltLevel.HALTED, HaltTrigger.FILE, 1)
    account.kill_switch.reset("ann")
    assert not account.kill_switch.is_active()


def test_the_file_raises_a_level_that_lets_exits_pass(tmp_path: Path):
    switch = KillSwitch(latch=FileLatch(tmp_path / "kill_latch.json"))
    switch.activate("winding down", level=HaltLevel.REDUCING)
    (tmp_path / STOP_FILE).touch()
    assert (switch.level, switch.state.activation) == (HaltLevel.HALTED, 1)
    assert switch.state.by == "operator"


def test_the_file_does_not_interrupt_a_liquidation(tmp_path: Path):
    """The account is closing its positions: a second alarm must not leave it with half of them."""
    switch = KillSwitch(latch=FileLatch(tmp_path / "kill_latch.json"))
    switch.activate("close everything", level=HaltLevel.FLATTENING)
    (tmp_path / STOP_FILE).touch()
    assert switch.level is HaltLevel.FLATTENING
    assert switch.permits(sell(1), shrinking=True)
    assert not switch.permits(buy(1), shrinking=False)
