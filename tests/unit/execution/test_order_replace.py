"""Changing an open order: the same way out as for a new one, one leg at a time, and no share counted twice."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from quant_trading_system.app.decision_record import decision_record
from quant_trading_system.core.decisions import Rejection, Rule
from quant_trading_system.core.events import HaltLevel, OrderEvent
from quant_trading_system.core.exceptions import (
    InvalidOrder,
    JournalUnavailable,
    KillSwitchActiveError,
    NotReplaceable,
    UnknownOrder,
)
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger, PendingRequest
from quant_trading_system.core.orders import OrderType, TimeInForce
from quant_trading_system.execution.order_manager import Placed
from quant_trading_system.execution.order_store import OrderRecord
from quant_trading_system.journal.projection import Projection
from quant_trading_system.journal.replay import replay
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.simulation.models import FillModel, LatencyModel
from quant_trading_system.trading.system import TradingSystem
from tests.support.desk import Account, limits_with
from tests.support.orders import buy, sell
from tests.support.restart import Life
from tests.support.venue_account import VenueAccount

D = Decimal
S = OrderStatus
OLD, NEW = "run-1-0", "run-1-0.r1"


def replace(account: Account, order_id: str = OLD, **change: Any) -> Placed | Rejection:
    return asyncio.run(account.orders.replace(order_id, **change))


def resting(quantity: str | int = 10, limit: str = "99.00") -> Account:
    """An account with one limit order to buy KO that works."""
    account = Account()
    account.working(buy(quantity, limit=limit))
    return account


def agreed(account: Account) -> Projection:
    """What the journal adds up to; nothing in it contradicts itself."""
    books = Projection()
    for seq, event in enumerate(account.journal.events, 1):
        assert books.apply(seq, event) == []
    return books


def leg(account: Account, order_id: str) -> OrderRecord:
    return account.record(order_id)


# -- the way out ---------------------------------------------------------------------------------------------------


def test_a_replace_is_durable_before_the_broker_hears_of_it_and_both_orders_tell_of_it():
    account = resting()
    assert replace(account, limit_price=D("99.50")) == Placed(NEW, S.WORKING)
    asked = account.calls.index(f"replace {OLD} by {NEW}")
    assert account.calls[asked - 1].startswith("durable")
    first = next(e for e in account.journal.of(OrderEvent) if e.order_id == NEW)
    assert (first.replaces, first.status, first.decision is not None) == (OLD, S.SENT, True)
    request = next(e for e in account.journal.of(OrderEvent) if e.pending is PendingRequest.REPLACE)
    assert (request.order_id, request.replaced_by) == (OLD, NEW)
    assert (leg(account, OLD).status, leg(account, NEW).status) == (S.REPLACED, S.WORKING)
    assert leg(account, NEW).order.limit_price == D("99.50")
    agreed(account)


def test_a_replace_that_cannot_be_recorded_is_not_sent_and_the_old_order_works_on():
    account = resting()
    account.journal.cannot_sync = True
    with pytest.raises(JournalUnavailable):
        replace(account, quantity=D(12))
    account.journal.cannot_append, account.journal.cannot_sync = True, False
    with pytest.raises(JournalUnavailable):
        replace(account, quantity=D(12))
    assert account.broker.replacements == []
    assert (leg(account, OLD).status, leg(account, OLD).pending) == (S.WORKING, PendingRequest.NONE)
    assert account.reserved == {OLD: D(10)}


@pytest.mark.fault("halt-between-check-and-send")
def test_the_latch_is_asked_again_after_the_record_was_written():
    account = resting()

    async def main() -> None:
        task = asyncio.create_task(account.orders.replace(OLD, quantity=D(12)))
        await asyncio.sleep(0)  # it waits for the disk
        account.kill_switch.activate("meanwhile")
        with pytest.raises(KillSwitchActiveError):
            await task

    asyncio.run(main())
    assert account.broker.replacements == []
    assert (leg(account, NEW).status, leg(account, OLD).pending) == (S.UNSENT, PendingRequest.NONE)
    assert account.reserved == {OLD: D(10)}
    agreed(account)


# -- the gate ------------------------------------------------------------------------------------------------------


def test_a_replace_that_grows_past_a_limit_is_refused_on_record_and_the_old_order_works_on():
    account = resting()
    answer = replace(account, quantity=D(200))
    assert isinstance(answer, Rejection)
    assert (answer.rule, answer.order_id) == (Rule.MAX_POSITION, NEW)
    refused = account.journal.of(OrderEvent)[-1]
    assert (refused.status, refused.replaces) == (S.DENIED, OLD)
    assert account.reserved == {OLD: D(10)}
    assert leg(account, OLD).pending is PendingRequest.NONE
    assert replace(account, limit_price=D("99.10")) == Placed("run-1-0.r2", S.WORKING)  # never one id for two


def test_the_result_is_judged_and_not_the_sum_of_both_legs():
    """Sixty shares in the place of fifty are sixty, which 10 % of equity bears; fifty and sixty are not."""
    account = resting(50)
    assert isinstance(replace(account, quantity=D(60)), Placed)
    assert account.reserved == {NEW: D(60)}


@pytest.mark.parametrize(
    ("limit", "change"),
    [("99.00", {"limit_price": D("104.50")}), ("104.00", {"quantity": D(100), "limit_price": D("99.00")})],
)
def test_until_it_is_settled_the_dearer_of_the_two_may_fill(limit, change):
    """96 shares at 99 or 104 are within 10 % of equity; at 104.50 they are not, nor are a hundred at 104."""
    account = resting(96, limit)
    answer = replace(account, **change)
    assert isinstance(answer, Rejection)
    assert answer.rule is Rule.MAX_POSITION


def test_what_a_change_adds_counts_against_the_whole_account():
    account = Account(limits=limits_with(max_position_pct=D(1), max_sector_exposure=D(1), max_gross_exposure=D("0.1")))
    account.working(buy(50, limit="99.00"))
    assert isinstance(replace(account, quantity=D(100)), Placed)
    answer = replace(account, NEW, quantity=D(102))
    assert isinstance(answer, Rejection)
    assert answer.rule is Rule.MAX_GROSS


def test_a_price_through_the_collar_is_refused():
    account = resting()
    answer = replace(account, limit_price=D(150))
    assert isinstance(answer, Rejection)
    assert answer.rule is Rule.PRICE_COLLAR


def test_a_sale_that_is_raised_beyond_what_is_held_is_refused():
    account = Account()
    account.hold("KO", 10)
    account.working(sell(5, limit="101.00"))
    answer = replace(account, quantity=D(11))
    assert isinstance(answer, Rejection)
    assert answer.rule is Rule.SELL_WITHIN_HELD
    assert isinstance(replace(account, quantity=D(10)), Placed)


def test_two_sales_that_together_sell_more_than_is_held_are_refused_when_one_is_raised():
    """Both may fill, and what is beyond the position would be sold short."""
    account = Account()
    account.hold("KO", 10)
    account.working(sell(6, limit="101.00"))
    other = account.working(sell(3, limit="102.00")).order_id
    refused = replace(account, other, quantity=D(5))
    assert isinstance(refused, Rejection)
    assert refused.rule is Rule.SELL_WITHIN_HELD
    assert isinstance(replace(account, other, quantity=D(4)), Placed)


def test_while_orders_are_reduced_only_changes_that_take_risk_away_leave():
    account = resting()
    account.hold("PEP", 5)
    exit_order = account.working(sell(5, "PEP", limit="101.00"))
    account.kill_switch.activate("careful", level=HaltLevel.REDUCING)
    for change in ({"quantity": D(11)}, {"limit_price": D("99.10")}, {"time_in_force": TimeInForce.GTC}):
        with pytest.raises(KillSwitchActiveError):
            replace(account, **change)
    assert isinstance(replace(account, quantity=D(6), limit_price=D("98.00")), Placed)
    smaller = leg(account, "run-1-0.r4")
    assert (smaller.status, smaller.shrinks) == (S.WORKING, False)  # a smaller entry is no exit
    assert isinstance(replace(account, exit_order.order_id, limit_price=D("100.50")), Placed)


def test_a_short_sale_and_a_stop_may_be_made_smaller_while_orders_are_reduced():
    account = Account(limits=limits_with(allow_short=True))
    sale = account.working(sell(10, limit="101.00")).order_id
    stop = account.working(buy(10, "PEP", order_type=OrderType.STOP, stop_price=D("105.00"))).order_id
    account.kill_switch.activate("careful", level=HaltLevel.REDUCING)
    for order_id, change in ((sale, {"limit_price": D("100.90")}), (stop, {"stop_price": D("104.00")})):
        with pytest.raises(KillSwitchActiveError):
            replace(account, order_id, **change)
    for order_id in (sale, stop):
        assert isinstance(replace(account, order_id, quantity=D(6)), Placed)


def test_while_orders_are_halted_nothing_but_cancels_leaves():
    account = resting()
    account.kill_switch.activate("stop")
    with pytest.raises(KillSwitchActiveError):
        replace(account, quantity=D(5))
    assert account.broker.replacements == []


# -- which orders --------------------------------------------------------------------------------------------------


def test_a_second_replace_is_refused_until_the_first_is_settled():
    account = resting()
    account.broker.answers.append("silent")
    replace(account, quantity=D(12))
    with pytest.raises(NotReplaceable, match="a replace is pending"):
        replace(account, quantity=D(13))
    with pytest.raises(NotReplaceable, match="has not shown it yet"):
        replace(account, NEW, quantity=D(13))
    account.broker.replaced(OLD, NEW)
    with pytest.raises(NotReplaceable, match=f"{NEW} has taken its place"):
        replace(account, quantity=D(13))
    assert replace(account, NEW, quantity=D(13)) == Placed("run-1-0.r2", S.WORKING)
    assert account.reserved == {"run-1-0.r2": D(13)}


def test_an_order_in_dollars_is_not_replaced():
    """How many shares it will buy is not known, so neither is what the change would leave."""
    account = Account()
    order = buy(1).with_id("dollars")
    dollars = account.working(msgspec.structs.replace(order, quantity=None, notional=D(500))).order_id
    with pytest.raises(NotReplaceable, match="an order in dollars has no quantity yet"):
        replace(account, dollars, quantity=D(2))
    assert account.broker.replacements == []


def test_unknown_finished_and_cancelled_orders_are_not_replaced():
    account = resting()
    with pytest.raises(UnknownOrder):
        replace(account, "nobody", quantity=D(5))
    asyncio.run(account.orders.cancel(OLD))
    with pytest.raises(NotReplaceable, match="a cancel is pending"):
        replace(account, quantity=D(5))
    account.broker.cancelled(OLD)
    with pytest.raises(NotReplaceable, match="it is canceled"):
        replace(account, quantity=D(5))


def test_a_change_that_is_none_or_below_what_has_filled_is_refused_here():
    account = resting()
    account.broker.fill(OLD, 4, 99)
    with pytest.raises(InvalidOrder, match="nothing to replace"):
        replace(account, quantity=D(10))
    with pytest.raises(InvalidOrder, match="4 shares have filled already"):
        replace(account, quantity=D(4))
    with pytest.raises(InvalidOrder, match="takes no stop_price"):
        replace(account, stop_price=D(90))


# -- the broker's answers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("answer", "status"), [("reject", S.REJECTED), ("not_sent", S.UNSENT)])
@pytest.mark.fault("replace-refused")
def test_a_refused_replace_keeps_the_old_order_and_its_room(answer, status):
    account = resting()
    account.broker.answers.append(answer)
    result = replace(account, quantity=D(15))
    assert isinstance(result, Placed)
    assert result.status is status
    assert (leg(account, OLD).status, leg(account, OLD).pending) == (S.WORKING, PendingRequest.NONE)
    assert account.reserved == {OLD: D(10)}
    agreed(account)


def test_after_a_refused_replace_and_a_restart_the_old_order_may_be_changed_again():
    life = Life()
    system = life.begin()
    life.submit(buy(10, limit="99.00"))
    life.broker.answers.append("reject")
    asyncio.run(system.orders.replace(OLD, quantity=D(15)))
    again = life.again()
    answer = asyncio.run(again.orders.replace(OLD, quantity=D(12)))
    assert isinstance(answer, Placed)
    assert answer.status is S.WORKING


def test_a_refused_replace_leaves_the_old_order_free_also_while_nothing_can_be_recorded():
    """The books agree among themselves; whoever told of the refusal hears that it is on no record."""
    account = resting()
    account.broker.answers.append("silent")
    replace(account, quantity=D(15))
    account.journal.cannot_append = True
    with pytest.raises(JournalUnavailable):
        account.broker.report(NEW, OrderTrigger.REJECT, reason="no")
    assert (leg(account, NEW).status, leg(account, OLD).pending) == (S.REJECTED, PendingRequest.NONE)
    assert account.reserved == {OLD: D(10)}


def test_while_a_replace_is_pending_the_larger_of_the_two_takes_room():
    for quantity, together in ((D(15), D(15)), (D(6), D(10))):
        account = resting()
        account.broker.answers.append("silent")
        replace(account, quantity=quantity)
        assert sum(account.reserved.values()) == together
        account.broker.replaced(OLD, NEW)
        assert account.reserved == {NEW: quantity}


def test_an_old_order_that_fills_first_wins_and_the_new_one_gives_its_room_back():
    account = resting()
    account.broker.answers.append("silent")
    replace(account, quantity=D(15))
    account.broker.fill(OLD, 10, 99)
    account.broker.report(NEW, OrderTrigger.REJECT, reason="it was finished first")
    assert (leg(account, OLD).status, leg(account, NEW).status) == (S.FILLED, S.REJECTED)
    assert account.reserved == {}
    assert account.portfolio.position("KO").quantity == 10
    agreed(account)


@pytest.mark.fault("fill-races-replace")
def test_a_fill_that_races_the_replace_counts_against_both():
    account = resting()
    account.broker.answers.append("silent")
    replace(account, quantity=D(6))
    account.broker.fill(OLD, 4, 99)
    assert sum(account.reserved.values()) == 6
    account.broker.replaced(OLD, NEW)
    assert (leg(account, NEW).leaves, account.reserved) == (D(2), {NEW: D(2)})
    account.broker.fill(NEW, 2, 99)
    assert (leg(account, NEW).status, leg(account, NEW).filled) == (S.FILLED, D(2))
    assert account.portfolio.position("KO").quantity == 6
    agreed(account)


@pytest.mark.fault("fill-races-replace")
def test_a_fill_beyond_the_new_quantity_leaves_nothing_to_trade_and_never_less():
    account = resting()
    account.broker.answers.append("silent")
    replace(account, quantity=D(6))
    account.broker.fill(OLD, 7, 99)
    assert (leg(account, NEW).leaves, account.reserved[OLD]) == (D(0), D(3))


@pytest.mark.fault("late-fill-of-replaced")
def test_a_late_fill_of_the_replaced_order_counts_against_the_same_intent():
    account = resting()
    replace(account, quantity=D(6))
    account.broker.fill(OLD, 4, 99)
    assert leg(account, OLD).status is S.REPLACED
    assert (leg(account, NEW).leaves, account.reserved) == (D(2), {NEW: D(2)})
    agreed(account)


# -- lost answers --------------------------------------------------------------------------------------------------


@pytest.mark.fault("replace-answer-lost")
def test_a_lost_answer_leaves_the_chain_in_doubt_until_the_new_order_is_found():
    account = resting()
    account.broker.answers.append("time_out")
    result = replace(account, quantity=D(12))
    assert isinstance(result, Placed)
    assert (result.status, sum(account.reserved.values())) == (S.IN_DOUBT, 12)
    refused = account.submit(buy(1))
    assert isinstance(refused, Rejection)
    assert refused.rule is Rule.IN_DOUBT
    account.broker.replaced(OLD, NEW)
    assert (leg(account, OLD).status, leg(account, NEW).status, account.reserved) == (
        S.REPLACED,
        S.WORKING,
        {NEW: D(12)},
    )
    agreed(account)


def test_a_new_order_that_never_arrived_is_given_up_and_the_old_one_may_be_changed_again():
    account = resting()
    account.broker.answers.append("time_out")
    replace(account, quantity=D(12))
    asyncio.run(account.clock.advance(timedelta(minutes=3)))
    for _ in range(3):
        asyncio.run(account.orders.resolve(NEW))
    assert (leg(account, NEW).status, leg(account, OLD).pending) == (S.ABSENT, PendingRequest.NONE)
    assert account.reserved == {OLD: D(10)}


def test_when_the_old_order_was_replaced_the_new_one_exists_however_often_it_is_denied():
    account = resting()
    account.broker.answers.append("time_out")
    replace(account, quantity=D(12))
    account.broker.report(OLD, OrderTrigger.REPLACE)
    asyncio.run(account.clock.advance(timedelta(minutes=30)))
    for _ in range(10):
        asyncio.run(account.orders.resolve(NEW))
    assert (leg(account, NEW).status, account.reserved) == (S.IN_DOUBT, {NEW: D(12)})


# -- after a crash -------------------------------------------------------------------------------------------------


def reserved(system: TradingSystem) -> dict[str, Decimal]:
    return {held.order_id: held.leaves for _, held in system.portfolio.reservations()}


@pytest.mark.parametrize("answer", ["silent", "accept", "time_out"])
@pytest.mark.fault("killed-in-replace")
def test_a_process_that_dies_at_any_point_of_a_replace_counts_the_quantity_once(answer):
    life = Life()
    system = life.begin()
    life.submit(buy(10, limit="99.00"))
    begun = life.journal.head[0]
    life.broker.answers.append(answer)
    asyncio.run(system.orders.replace(OLD, quantity=D(15)))
    entries = list(life.journal.entries())
    assert len(entries) > begun
    for kept in range(begun, len(entries) + 1):
        after = Life()
        for entry in entries[:kept]:
            after.journal.append(entry.event, entry.cause)
        again = after.again()
        new = again.orders.order(NEW)
        assert sum(reserved(again).values()) == (15 if new is not None else 10), kept
        if new is not None:
            assert new.older is again.orders.order(OLD)
            assert new.status is (S.WORKING if kept == len(entries) and answer == "accept" else S.IN_DOUBT)


@pytest.mark.fault("late-fill-of-replaced")
def test_a_late_fill_of_the_replaced_order_finds_its_chain_after_a_restart():
    life = Life()
    system = life.begin()
    life.submit(buy(10, limit="99.00"))
    asyncio.run(system.orders.replace(OLD, quantity=D(6)))
    again = life.again()
    life.broker.fill(OLD, 4, 99)
    assert again.portfolio.position("KO").quantity == 4
    assert reserved(again) == {NEW: D(2)}
    assert replay(life.journal).agrees


def test_every_switch_of_the_account_stops_a_replace():
    """The switch of another process, read from the same latch."""
    account = resting()
    KillSwitch(latch=account.latch, clock=account.clock).activate("from outside")
    with pytest.raises(KillSwitchActiveError):
        replace(account, quantity=D(5))


def test_a_tighter_limit_binds_a_replace_like_a_new_order():
    account = Account(limits=limits_with(max_order_quantity=D(12)))
    account.working(buy(10, limit="99.00"))
    account.broker.fill(OLD, 9, 99)
    answer = replace(account, quantity=D(13))  # only four are left to trade, but the order is one of thirteen
    assert isinstance(answer, Rejection)
    assert answer.rule is Rule.MAX_QUANTITY


# -- at a venue that keeps its own books ---------------------------------------------------------------------------


def at_the_venue(**options: Any) -> VenueAccount:
    account = VenueAccount(**options)
    account.submit(buy(10, limit="99.00"))
    return account


def change(account: VenueAccount, order_id: str = OLD, **wanted: Any) -> OrderRecord:
    answer = asyncio.run(account.orders.replace(order_id, **wanted))
    assert isinstance(answer, Placed), answer
    account.turn()
    return account.record(answer.order_id)


def test_at_the_venue_a_replaced_order_trades_on_its_new_terms():
    account = at_the_venue()
    new = change(account, quantity=D(12), limit_price=D("99.50"))
    assert (account.record(OLD).status, new.status, account.reserved) == (S.REPLACED, S.WORKING, {NEW: D(12)})
    account.quote("99.40", "99.45")
    assert (new.status, new.filled) == (S.FILLED, D(12))
    assert account.reserved == {}
    account.require_agreement()


def test_at_the_venue_what_has_filled_is_handed_on():
    account = at_the_venue(fills=FillModel(participation=D(1)))
    account.desk.quote("98.90", "98.95", None, volume="4")
    account.turn()
    assert account.record(OLD).filled == 4
    new = change(account, quantity=D(6))
    assert (new.leaves, account.reserved) == (D(2), {NEW: D(2)})
    account.desk.quote("98.90", "98.95", None, volume="50")
    account.turn()
    assert (new.status, new.filled, new.chain_filled) == (S.FILLED, D(2), D(6))
    account.require_agreement()


def test_at_the_venue_a_refused_replace_leaves_the_order_alone():
    account = at_the_venue(latency=LatencyModel(order=timedelta(seconds=5), report=timedelta()))
    account.turn(6)
    answer = asyncio.run(account.orders.replace(OLD, quantity=D(12)))
    account.quote("98.90", "98.95")  # the old order trades while the replace is on its way
    account.turn(6)
    assert isinstance(answer, Placed)
    assert (account.record(OLD).status, account.record(NEW).status) == (S.FILLED, S.REJECTED)
    assert account.reserved == {}
    account.require_agreement()


def test_the_decision_record_shows_the_whole_chain():
    account = at_the_venue()
    change(account, quantity=D(12))
    change(account, NEW, limit_price=D("98.00"))
    for order_id in (OLD, NEW, "run-1-0.r2"):
        record = decision_record(account.journal, order_id)
        assert [(leg.order_id, leg.status) for leg in record.chain] == [
            (OLD, S.REPLACED),
            (NEW, S.REPLACED),
            ("run-1-0.r2", S.WORKING),
        ]
    alone = account.submit(buy(1, limit="98.50"))
    assert decision_record(account.journal, alone.order_id).chain == ()


def test_a_change_has_no_plan_and_the_record_of_it_calls_none_of_the_questions_failed():
    account = at_the_venue()
    change(account, limit_price=D("98.00"))
    answers = decision_record(account.journal, NEW).steps[3]
    assert [answer.passed for answer in answers] == [None] * 4
