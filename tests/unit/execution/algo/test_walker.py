"""The walk of a parent order, step by step: what it places, when it waits, and how it ends."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest

from quant_trading_system.core.exceptions import InvalidNumber, InvalidOrder, InvalidTransition, UnknownOrder
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.core.orders import OrderSide, OrderType, TimeInForce
from quant_trading_system.execution.algo.almgren_chriss import ShortfallProblem
from quant_trading_system.execution.algo.children import ChildReport
from quant_trading_system.execution.algo.parent import (
    UNNAMED,
    Algorithm,
    AtEnd,
    ParentLimits,
    ParentOrder,
    ParentStatus,
    Placement,
)
from quant_trading_system.execution.algo.profile import VolumeForecast
from quant_trading_system.execution.algo.schedule import twap_schedule, weighted_schedule
from quant_trading_system.execution.algo.walker import (
    AfterCrash,
    CancelChild,
    cancel,
    pause,
    reduce_to,
    resume,
    speed_up,
)
from quant_trading_system.market.sessions import Session
from tests.support.algo_desk import CLOSE, MINUTE, NOON, OPEN, SECOND, SESSION, Desk, twap_parent

D = Decimal
S = OrderStatus


def desk(**changes) -> Desk:
    """A thousand shares in ten slices of six minutes."""
    return Desk(twap_parent(**changes))


def unscheduled(kind: Algorithm, **changes) -> Desk:
    values = {"algorithm": kind, "schedule": None, "end": CLOSE - MINUTE}
    return Desk(twap_parent(**{**values, **changes}))


def quantities(found: Desk) -> list[Decimal]:
    return [order.quantity for _, order in found.sent]


# -- slices


def test_a_slice_begins_passive_at_our_side_of_the_quote():
    found = desk()
    found.step()
    ((_, order),) = found.sent
    assert (order.quantity, order.limit_price, order.order_type) == (100, D("59.99"), OrderType.LIMIT)
    assert (order.time_in_force, order.repeat, order.client_order_id) == (TimeInForce.DAY, True, "run-7-1")
    assert found.wake_at == NOON + 10 * SECOND


def test_a_slice_turns_aggressive_when_its_patience_is_over_and_its_cancel_is_confirmed():
    found = desk(patience=D("0.5"))
    found.step()
    found.step(found.fill(found.latest, D(30)))
    assert found.after(3 * MINUTE).actions == (CancelChild("run-7-1", "its patience is over"),)
    assert found.after(SECOND).actions == ()  # the cancel is not confirmed: its 70 shares are still out
    found.step(found.end("run-7-1", S.CANCELED))
    assert found.sent[-1][1].quantity == 70
    assert found.sent[-1][1].limit_price == D("60.01")


def test_sales_mirror_purchases():
    found = desk(side=OrderSide.SELL, placement=Placement.AGGRESSIVE, limits=ParentLimits(price=D("59.995")))
    found.step()
    assert found.sent[-1][1].limit_price == D("60.00")  # the bid of 59.99 is below the limit, rounded to the safe side
    passive = desk(side=OrderSide.SELL, placement=Placement.PASSIVE)
    passive.step()
    assert passive.sent[-1][1].limit_price == D("60.01")


def test_an_aggressive_slice_reaches_beyond_the_far_side_but_not_beyond_the_price_limit():
    for side, limit, price in (
        (OrderSide.BUY, None, "60.06"),
        (OrderSide.SELL, None, "59.94"),
        (OrderSide.BUY, "60.03", "60.03"),
        (OrderSide.SELL, "59.97", "59.97"),
    ):
        limits = ParentLimits(price=None if limit is None else D(limit))
        found = desk(side=side, reach=D("0.05"), placement=Placement.AGGRESSIVE, limits=limits)
        found.step()
        assert found.sent[-1][1].limit_price == D(price)
    far = desk(side=OrderSide.SELL, reach=D(100), placement=Placement.AGGRESSIVE)
    far.step()
    assert far.sent[-1][1].limit_price == D("0.0001")
    patient = desk(reach=D("0.05"), placement=Placement.PASSIVE)
    patient.step()
    assert patient.sent[-1][1].limit_price == D("59.99")
    with pytest.raises(InvalidOrder, match="reach"):
        desk(reach=D("-0.01"))


def test_a_passive_slice_that_ends_unfilled_is_spread_over_the_rest():
    found = desk(placement=Placement.PASSIVE)
    found.step()
    assert found.after(5 * MINUTE).actions == ()  # beyond its patience it stays where it is
    assert found.after(MINUTE).actions == (CancelChild("run-7-1", "its slice is over"),)
    found.step(found.end("run-7-1", S.CANCELED))
    assert quantities(found) == [100, 112]  # 1000 over nine slices


def test_a_passive_child_follows_a_market_that_moves_away():
    found = desk()
    found.step()
    found.bid, found.ask = D("60.04"), D("60.06")
    assert found.after(5 * SECOND).actions == ()
    assert found.after(5 * SECOND).actions == (CancelChild("run-7-1", "the market has moved away"),)
    found.step(found.end("run-7-1", S.CANCELED))
    assert found.sent[-1][1].limit_price == D("60.04")


def test_fewer_lots_than_slices_send_no_empty_orders():
    found = desk(quantity="3")
    found.run(NOON + 61 * MINUTE)
    assert quantities(found) == [1, 1, 1]
    assert found.state.status is ParentStatus.COMPLETED


# -- truth


@pytest.mark.parametrize("ending", [S.REJECTED, S.DENIED, S.UNSENT, S.CANCELED, S.EXPIRED, S.ABSENT])
def test_what_did_not_trade_is_planned_again(ending):
    found = desk()
    found.step()
    found.step(found.end("run-7-1", ending))
    found.run(NOON + 61 * MINUTE)
    assert found.state.status is ParentStatus.COMPLETED
    assert found.traded == 1000


def test_after_a_refusal_it_waits_before_it_asks_again():
    found = desk()
    found.step()
    found.step(found.end("run-7-1", S.REJECTED))
    assert len(found.sent) == 1
    assert found.wake_at == NOON + 30 * SECOND
    found.after(30 * SECOND)
    assert quantities(found) == [100, 100]


def test_refusals_in_a_row_pause_the_parent_and_a_person_resumes_it():
    found = desk(limits=ParentLimits(max_rejections=2, retry_after=SECOND))
    found.step()
    found.step(found.end("run-7-1", S.REJECTED))
    found.after(SECOND)
    found.step(ChildReport(child_id="run-7-2", status=S.REJECTED, reason="insufficient buying power"))
    assert found.state.status is ParentStatus.PAUSED
    assert found.state.reason == "2 children in a row were refused: insufficient buying power"
    found.orders["run-7-2"].status = S.REJECTED
    found.state = resume(found.state)
    found.after(SECOND)
    assert len(found.sent) == 3


def test_refusals_do_not_bring_back_a_parent_that_is_stopping():
    found = desk(limits=ParentLimits(max_rejections=1))
    found.step()
    found.state = cancel(found.state, "enough")
    found.step(found.end("run-7-1", S.REJECTED))
    assert (found.state.status, found.state.reason) == (ParentStatus.CANCELLED, "enough")


def test_a_fill_forgives_refusals():
    found = desk(limits=ParentLimits(max_rejections=2, retry_after=SECOND))
    found.step()
    found.step(found.end("run-7-1", S.REJECTED))
    found.after(SECOND)
    found.step(found.fill("run-7-2"))
    found.after(6 * MINUTE)
    found.step(found.end("run-7-3", S.REJECTED))
    assert found.state.status is ParentStatus.WORKING


def test_while_a_slice_is_in_doubt_nothing_happens_and_it_counts_in_full():
    found = desk()
    found.step()
    found.step(found.report("run-7-1", S.IN_DOUBT))
    for _ in range(5):
        assert found.after(7 * MINUTE).actions == ()
    assert found.state.outstanding == 100
    found.step(found.end("run-7-1", S.ABSENT))
    found.after(MINUTE)
    assert quantities(found)[1:] == [200]  # 1000 over the four slices left, but at most twice the largest


def test_a_child_thought_absent_that_comes_back_is_cancelled_on_sight():
    found = desk()
    found.step()
    found.step(found.report("run-7-1", S.IN_DOUBT))
    found.step(ChildReport(child_id="run-7-1", status=S.ABSENT))
    found.after(MINUTE)
    assert quantities(found) == [100, 100]
    late = found.step(ChildReport(child_id="run-7-1", status=S.WORKING))
    assert {action.child_id for action in late.actions} == {"run-7-1", "run-7-2"}
    assert found.state.outstanding == 200


def test_a_child_that_comes_back_after_the_end_is_cancelled_too():
    found = desk(quantity="100", slices=1)
    found.step()
    found.step(found.report("run-7-1", S.IN_DOUBT))
    found.step(ChildReport(child_id="run-7-1", status=S.ABSENT))
    found.state = cancel(found.state, "enough")
    assert found.step().state.status is ParentStatus.CANCELLED
    assert found.step(ChildReport(child_id="run-7-1", status=S.WORKING)).actions[0].child_id == "run-7-1"


def test_more_fills_than_wanted_are_booked_and_fail_the_parent():
    """Only a child proven absent that fills after all can do this; whoever watches must hear of it."""
    found = desk(quantity="100", slices=1)
    found.step()
    found.step(found.report("run-7-1", S.IN_DOUBT))
    found.step(ChildReport(child_id="run-7-1", status=S.ABSENT))
    found.after(MINUTE)
    found.step(found.fill("run-7-2"))
    assert found.state.status is ParentStatus.COMPLETED
    found.step(found.fill("run-7-1", D(60)), found.end("run-7-1", S.CANCELED))
    assert (found.state.status, found.state.filled) == (ParentStatus.FAILED, 160)
    assert found.state.reason == "160 filled, but only 100 were wanted"


def test_the_last_fills_may_come_after_the_word_filled():
    found = desk()
    found.step()
    found.step(ChildReport(child_id="run-7-1", status=S.FILLED, filled=D(40), value=D(2400)))
    assert (found.state.filled, found.state.outstanding) == (40, 60)
    found.step(found.fill("run-7-1"))
    assert (found.state.filled, found.state.outstanding) == (100, 0)


def test_what_the_fills_have_cost_is_the_cost_of_the_parent():
    """30 shares at 59.99, then the other 70; of the next slice 50 at 60.01, told twice."""
    found = desk(placement=Placement.AGGRESSIVE)
    found.step()
    found.step(ChildReport(child_id="run-7-1", status=S.PARTIALLY_FILLED, filled=D(30), value=D("1799.70")))
    assert found.state.value == D("1799.70")
    found.step(ChildReport(child_id="run-7-1", status=S.FILLED, filled=D(100), value=D("5999.00")))
    found.after(6 * MINUTE)
    for _ in range(2):
        found.step(ChildReport(child_id="run-7-2", status=S.PARTIALLY_FILLED, filled=D(50), value=D("3000.50")))
    assert (found.state.filled, found.state.value) == (150, D("8999.50"))


def test_a_child_that_is_known_to_work_is_not_unsent_by_an_older_report():
    found = desk()
    found.step()
    found.step(found.report("run-7-1", S.WORKING))
    for older in (S.SENT, S.CREATED):
        found.step(found.report("run-7-1", older))
        assert found.state.children[0].status is S.WORKING


SIDES = [(OrderSide.BUY, "59.985", "59.98"), (OrderSide.SELL, "60.015", "60.02")]


@pytest.mark.parametrize(("side", "limit", "price"), SIDES)
def test_a_price_limit_between_two_ticks_is_never_passed(side, limit, price):
    found = desk(side=side, limits=ParentLimits(price=D(limit)))
    found.step()
    assert found.sent[-1][1].limit_price == D(price)


@pytest.mark.parametrize(("side", "limit", "price"), SIDES)
def test_words_in_text_mean_the_same(side, limit, price):
    """A purchase that was written ``side="buy"`` was priced as a sale, at the far side and beyond its price limit."""
    words = {"algorithm": "twap", "placement": "passive", "at_end": "complete"}
    found = desk(side=str(side), limits=ParentLimits(price=D(limit)), **words)
    meant = {"side": side, "placement": Placement.PASSIVE, "at_end": AtEnd.COMPLETE}
    assert found.state.order == desk(limits=ParentLimits(price=D(limit)), **meant).state.order
    assert found.state.order.side is side
    found.step()
    assert (found.sent[-1][1].side, found.sent[-1][1].limit_price) == (side, D(price))


def test_old_news_changes_nothing():
    found = desk()
    found.step()
    first, last = found.fill("run-7-1", D(30)), found.fill("run-7-1")
    found.step(last)
    before = found.state
    assert found.step(first, found.report("run-7-1", S.SENT)).state == before


def test_a_replaced_or_overfilled_child_fails_the_parent():
    for report in (
        ChildReport(child_id="run-7-1", status=S.REPLACED),
        ChildReport(child_id="run-7-1", status=S.FILLED, filled=D(150), value=D(9000)),
    ):
        found = desk()
        found.step()
        found.step(report)
        assert found.state.status is ParentStatus.FAILED
        assert "child 1 was" in found.state.reason
        assert len(found.sent) == 1


@pytest.mark.parametrize("name", ["run-7-2", "run-7-0", "run-8-1", "run-7-x", "1"])
def test_reports_about_strangers_are_refused(name):
    found = desk()
    found.step()
    with pytest.raises(UnknownOrder):
        found.step(ChildReport(child_id=name, status=S.WORKING))


# -- stopping


def test_the_kill_switch_stops_the_next_slice_and_only_a_person_lets_it_go_on():
    found = desk()
    found.step()
    found.killed = True
    assert found.after(SECOND).actions == (CancelChild("run-7-1", "the kill switch is active"),)
    found.step(found.end("run-7-1", S.CANCELED))
    found.killed = False
    found.after(MINUTE)
    assert len(found.sent) == 1
    assert found.state.status is ParentStatus.PAUSED
    found.state = resume(found.state)
    found.step()
    assert len(found.sent) == 2


def test_a_cancel_that_is_not_answered_is_asked_for_again():
    found = desk()
    found.step()
    found.state = pause(found.state, "lunch")
    asked = [bool(found.after(10 * SECOND).actions) for _ in range(7)]
    assert asked == [True, False, False, True, False, False, True]
    assert found.wake_at == found.now + 30 * SECOND
    refused = msgspec.structs.replace(found.report("run-7-1"), cancel_refused=True)
    assert found.step(refused).actions  # a refusal is an answer: ask at once


@pytest.mark.parametrize("what", ["halt", "no quote", "crossed", "closed", "no session"])
def test_nothing_stands_in_a_market_that_is_not_sound(what):
    found = desk()
    found.step()
    if what == "halt":
        found.halted = True
    elif what == "no quote":
        found.bid = D(0)
    elif what == "crossed":
        found.bid = D("60.05")
    elif what == "closed":
        found.session = Session(NOON.date(), NOON + 10 * MINUTE, CLOSE)
    else:
        found.session = None
    assert isinstance(found.after(SECOND).actions[0], CancelChild)
    found.step(found.end("run-7-1", S.CANCELED))
    found.after(5 * MINUTE)
    assert len(found.sent) == 1
    found.halted, found.session = False, SESSION
    found.bid, found.ask = D("59.99"), D("60.01")
    found.after(5 * MINUTE)
    assert quantities(found) == [100, 112]  # 1000 over nine slices


def test_a_pause_is_not_caught_up_at_once():
    found = desk()
    found.step()
    found.step(found.fill("run-7-1"))
    found.state = pause(found.state, "lunch")
    found.after(30 * MINUTE)
    found.state = resume(found.state)
    found.after(SECOND)
    assert quantities(found) == [100, 180]  # 900 over the five slices left


def test_not_even_in_the_last_slice():
    found = desk()
    found.after(55 * MINUTE)
    assert quantities(found) == [200]
    found.step(found.fill(found.latest))
    found.after(5 * MINUTE)
    assert found.state.status is ParentStatus.EXPIRED
    assert (found.state.filled, found.state.remaining) == (200, 800)


def test_completing_takes_the_rest_in_the_last_slice_within_the_limits():
    found = desk(at_end=AtEnd.COMPLETE, limits=ParentLimits(max_child=D(300)))
    found.after(55 * MINUTE)
    for _ in range(4):
        found.step(found.fill(found.latest))
    assert quantities(found) == [300, 300, 300, 100]
    assert found.state.status is ParentStatus.COMPLETED


def test_the_rest_is_cancelled_before_the_close_also_of_a_day_that_ends_early():
    found = desk()
    found.step()
    found.session = Session(NOON.date(), OPEN, NOON + 5 * MINUTE, is_half_day=True)
    late = found.after(4 * MINUTE)
    assert late.actions == (CancelChild("run-7-1", "its time is over"),)
    found.step(found.end("run-7-1", S.CANCELED))
    assert found.state.status is ParentStatus.EXPIRED
    found.session = SESSION
    found.after(24 * 60 * MINUTE)
    assert len(found.sent) == 1  # never silently on the next day


def test_no_parent_lasts_longer_than_it_may():
    found = desk(limits=ParentLimits(max_duration=10 * MINUTE))
    found.run(NOON + 30 * MINUTE)
    assert found.state.status is ParentStatus.EXPIRED
    assert found.state.at == NOON + 10 * MINUTE
    assert found.traded == 200


def test_before_its_start_and_before_the_open_it_waits():
    found = Desk(twap_parent(), NOON - MINUTE)
    found.state = msgspec.structs.replace(found.state, at=NOON - MINUTE)
    assert found.step().wake_at == NOON
    early = Desk(twap_parent(start=OPEN - MINUTE), OPEN - MINUTE)
    assert early.step().wake_at == OPEN


def test_the_close_of_today_does_not_end_an_order_for_tomorrow():
    tomorrow = timedelta(days=1)
    found = Desk(
        twap_parent(
            start=NOON + tomorrow,
            end=NOON + tomorrow + 60 * MINUTE,
            schedule=twap_schedule(D(1000), NOON + tomorrow, NOON + tomorrow + 60 * MINUTE, 10),
        )
    )
    found.state = msgspec.structs.replace(found.state, at=NOON)
    found.now = CLOSE
    found.step()
    assert found.state.status is ParentStatus.WORKING
    found.session = Session(SESSION.date + tomorrow, OPEN + tomorrow, CLOSE + tomorrow)
    found.now = NOON + tomorrow
    found.step()
    assert quantities(found) == [100]


def test_cancelling_waits_for_the_child_and_keeps_late_fills():
    found = desk()
    found.step()
    found.state = cancel(found.state, "changed our mind")
    assert found.step().actions == (CancelChild("run-7-1", "changed our mind"),)
    assert found.state.status is ParentStatus.STOPPING
    found.fill("run-7-1", D(20))
    found.step(found.end("run-7-1", S.CANCELED))
    assert (found.state.status, found.state.filled) == (ParentStatus.CANCELLED, 20)


def test_a_parent_reduced_below_what_has_filled_stops_and_unwinds_nothing():
    found = desk()
    found.step()
    found.step(found.fill("run-7-1", D(60)))
    found.state = reduce_to(found.state, D(50))
    assert isinstance(found.step().actions[0], CancelChild)
    found.step(found.end("run-7-1", S.CANCELED))
    assert (found.state.status, found.state.filled, len(found.sent)) == (ParentStatus.COMPLETED, 60, 1)
    for wrong in (D(-1), D(2000), D("0.5")):
        with pytest.raises(InvalidNumber):
            reduce_to(desk().state, wrong)


def test_speeding_up_halves_the_time_that_is_left():
    found = desk()
    found.step()
    found.step(found.fill("run-7-1"))
    found.state = speed_up(found.state, D(2))
    found.run(NOON + 61 * MINUTE)
    assert found.traded == 1000
    assert found.state.at <= NOON + 30 * MINUTE


def test_a_faster_last_slice_escalates_in_its_own_time():
    found = desk(slices=1)
    found.step()
    found.state = speed_up(found.state, D(10))  # six minutes instead of an hour
    found.after(4 * MINUTE)
    assert found.cancels == ["run-7-1"]
    found.step(found.end("run-7-1", S.CANCELED))
    found.bid, found.ask = D("60.49"), D("60.51")
    found.after(7 * MINUTE)
    found.step(found.end("run-7-2", S.CANCELED))
    assert [order.limit_price for _, order in found.sent] == [D("59.99"), D("60.01"), D("60.51")]


def test_commands_that_make_no_sense_are_refused():
    done = desk(quantity="1", slices=1)
    done.step()
    done.step(done.fill("run-7-1"))
    assert done.state.status is ParentStatus.COMPLETED
    for command in (
        lambda: pause(done.state, "x"), lambda: resume(done.state), lambda: cancel(done.state, "x"),
        lambda: speed_up(done.state, D(2)), lambda: reduce_to(done.state, D(0)), lambda: resume(desk().state),
        lambda: speed_up(unscheduled(Algorithm.PEG, display=D(10)).state, D(2)),
    ):  # fmt: skip
        with pytest.raises(InvalidTransition):
            command()
    with pytest.raises(InvalidNumber):
        speed_up(desk().state, D(1))


# -- after a crash


def test_after_a_crash_every_open_child_is_in_doubt_until_the_truth_is_known():
    found = desk()
    found.step()
    found.restart()
    assert found.state.in_doubt
    assert found.after(7 * MINUTE).actions == ()
    found.step(found.fill("run-7-1"))
    assert quantities(found) == [100, 100]
    assert found.latest == "run-7-2"  # ids go on, so nothing is ever sent twice under one id


def test_by_policy_a_crash_cancels():
    found = desk()
    found.step()
    found.restart(AfterCrash.CANCEL)
    assert found.step().actions[0].child_id == "run-7-1"
    found.step(found.end("run-7-1", S.CANCELED))
    assert found.state.status is ParentStatus.CANCELLED


def test_a_clock_that_runs_backwards_is_not_followed():
    found = desk()
    found.after(10 * MINUTE)
    found.now -= 5 * MINUTE
    assert found.step().state.at == NOON + 10 * MINUTE


# -- limits


def test_participation_counts_what_others_trade_and_waits_while_it_is_unknown():
    found = desk(limits=ParentLimits(participation=D("0.1")))
    found.volume = None
    found.step()
    found.volume = D(0)
    found.after(SECOND)
    assert quantities(found) == []
    found.volume = D(500)
    found.after(SECOND)
    assert quantities(found) == [50]
    found.step(found.fill("run-7-1"))  # our 50 shares are part of the 550 that are now printed
    assert found.volume == 550
    found.after(SECOND)
    assert quantities(found) == [50]


# -- the other algorithms


def test_vwap_follows_the_day():
    parts = [D(1000), D(2000), D(1000)]
    schedule = weighted_schedule(D(400), NOON, NOON + 30 * MINUTE, parts)
    forecast = VolumeForecast(expected=tuple(parts), prior=D("0.25"), persistence=D("0.5"))
    for volume, second in ((1000, 200), (5000, 218)):  # a surprise of twice as much fades: tilts 2 and 1.5
        found = desk(quantity="400", minutes=30, algorithm=Algorithm.VWAP, schedule=schedule, forecast=forecast)
        found.step()
        found.step(found.fill("run-7-1"))
        found.volume += D(volume)
        found.after(10 * MINUTE)
        assert quantities(found) == [100, second]


def test_adaptive_trades_more_when_the_market_is_busy():
    problem = ShortfallProblem(
        quantity=1000.0, horizon=0.2, slices=4, volatility=1.0, temporary=1e-4, fixed=0.01, risk_aversion=1e-3
    )
    sent = {}
    for volume in (250, 2500):
        found = desk(
            slices=4, algorithm=Algorithm.ADAPTIVE, problem=problem, forecast=VolumeForecast(expected=(D(250),) * 4)
        )
        found.step()
        found.step(found.fill("run-7-1"))
        found.volume += D(volume)
        found.after(15 * MINUTE)
        sent[volume] = quantities(found)
    assert sent[250][0] == sent[2500][0] > 250
    assert sent[250][1] < sent[2500][1]


def test_pov_trades_its_share_of_what_others_trade_and_starts_anew_after_a_gap():
    found = unscheduled(Algorithm.POV, rate=D("0.1"), placement=Placement.AGGRESSIVE)
    found.step()
    found.volume += 400
    found.after(10 * SECOND)
    assert quantities(found) == [40]
    found.step(found.fill("run-7-1"))
    found.volume += 200
    found.after(10 * SECOND)
    assert quantities(found) == [40, 20]
    found.step(found.fill("run-7-2"))
    found.volume += 100_000
    found.after(10 * MINUTE)
    assert len(found.sent) == 2  # nobody looked for ten minutes: that volume is gone
    found.volume += 100
    found.after(10 * SECOND)
    assert quantities(found) == [40, 20, 10]


@pytest.mark.parametrize(("seconds", "sent"), [(30, [40]), (31, [])])
def test_pov_may_miss_three_looks(seconds, sent):
    found = unscheduled(Algorithm.POV, rate=D("0.1"), placement=Placement.AGGRESSIVE)
    found.step()
    found.volume += 400
    found.after(seconds * SECOND)
    assert quantities(found) == sent


def test_a_child_of_a_passive_pov_stays_where_it_is_also_over_a_gap():
    found = unscheduled(Algorithm.POV, rate=D("0.1"), placement=Placement.PASSIVE)
    found.step()
    found.volume += 400
    found.after(10 * SECOND)
    for span in (6 * SECOND, 30 * SECOND, 10 * MINUTE):
        assert found.after(span).actions == ()
    assert quantities(found) == [40]


def test_a_passive_pov_escalates():
    found = unscheduled(Algorithm.POV, rate=D("0.1"))
    found.step()
    found.volume += 400
    found.after(10 * SECOND)
    assert found.sent[-1][1].limit_price == D("59.99")
    assert found.after(6 * SECOND).actions == (CancelChild("run-7-1", "its patience is over"),)
    found.step(found.end("run-7-1", S.CANCELED))
    assert found.sent[-1][1].limit_price == D("60.01")


def test_a_faster_pov_stays_within_its_cap():
    found = unscheduled(
        Algorithm.POV, rate=D("0.1"), limits=ParentLimits(participation=D("0.15")), placement=Placement.AGGRESSIVE
    )
    found.state = speed_up(found.state, D(2))
    found.step()
    found.volume += 1000
    found.after(10 * SECOND)
    assert quantities(found) == [150]


def test_an_iceberg_shows_a_little_at_its_limit_until_all_is_done():
    found = unscheduled(
        Algorithm.ICEBERG, display=D(100), display_jitter=D("0.2"), limits=ParentLimits(price=D("59.90"))
    )
    found.run(CLOSE)
    assert found.state.status is ParentStatus.COMPLETED
    assert {order.limit_price for _, order in found.sent} == {D("59.90")}
    assert all(80 <= quantity <= 120 for quantity in quantities(found)[:-1])
    assert len(set(quantities(found))) > 3


def test_a_peg_follows_its_side_up_to_its_limit():
    found = unscheduled(Algorithm.PEG, display=D(100), limits=ParentLimits(price=D("60.02")))
    prices = []
    for bid in ("59.99", "60.01", "60.05"):
        found.bid, found.ask = D(bid), D(bid) + D("0.02")
        step = found.after(10 * SECOND)
        if step.actions and isinstance(step.actions[0], CancelChild):
            found.step(found.end(step.actions[0].child_id, S.CANCELED))
        prices.append(found.sent[-1][1].limit_price)
    assert prices == [D("59.99"), D("60.01"), D("60.02")]


def test_auctions_take_one_order_in_time():
    closing = unscheduled(Algorithm.CLOSING_AUCTION, end=CLOSE + 2 * MINUTE)
    closing.step()
    (order,) = (order for _, order in closing.sent)
    assert (order.order_type, order.time_in_force, order.quantity) == (OrderType.MARKET, TimeInForce.CLS, 1000)
    closing.now = CLOSE + MINUTE
    closing.step(closing.fill("run-7-1"))
    assert closing.state.status is ParentStatus.COMPLETED
    opening = Desk(
        twap_parent(
            algorithm=Algorithm.OPENING_AUCTION, schedule=None, start=OPEN - 60 * MINUTE, end=OPEN + MINUTE,
            limits=ParentLimits(price=D("60.10")),
        )
    )  # fmt: skip
    opening.step()
    assert (opening.sent[0][1].time_in_force, opening.sent[0][1].limit_price) == (TimeInForce.OPG, D("60.10"))


def test_an_auction_that_is_too_near_gets_no_order():
    found = unscheduled(Algorithm.CLOSING_AUCTION, start=CLOSE - 9 * MINUTE, end=CLOSE + MINUTE)
    found.step()
    found.after(11 * MINUTE)
    assert found.sent == []
    assert found.state.status is ParentStatus.EXPIRED


# -- parents that are refused

TOO_MUCH = {"schedule": twap_schedule(D(999), NOON, NOON + 60 * MINUTE, 3)}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"schedule": None, "algorithm": Algorithm.VWAP}, "schedule"),
        ({"reach": "a cent"}, "reach"),
        ({"schedule": None, "end": NOON}, "end"),
        (TOO_MUCH, "schedule"),
        ({"end": NOON + MINUTE}, "schedule"),
        ({"parent_id": ""}, "parent_id"),
        ({"side": "hold"}, "side"),
        ({"end": NOON, "schedule": None, "algorithm": Algorithm.POV, "rate": D("0.1")}, "end"),
        ({"patience": D(2)}, "patience"),
        ({"interval": timedelta(0)}, "interval"),
        ({"rate": D("0.1")}, "rate"),
        ({"display": D(10)}, "display"),
        ({"algorithm": Algorithm.POV, "schedule": None}, "rate"),
        ({"algorithm": Algorithm.POV, "schedule": None, "rate": D(2)}, "rate"),
        ({"algorithm": Algorithm.POV}, "schedule"),
        ({"algorithm": Algorithm.ADAPTIVE}, "problem"),
        ({"algorithm": Algorithm.ICEBERG, "schedule": None, "display": D(10)}, "price"),
        ({"algorithm": Algorithm.PEG, "schedule": None}, "display"),
        ({"algorithm": Algorithm.PEG, "schedule": None, "display": D("0.5")}, "quantity"),
        ({"algorithm": Algorithm.PEG, "schedule": None, "display": D(5), "at_end": AtEnd.COMPLETE}, "at_end"),
        ({"display_jitter": D(1)}, "display_jitter"),
        ({"forecast": VolumeForecast(expected=(D(1),))}, "forecast"),
        (
            {"algorithm": Algorithm.CLOSING_AUCTION, "schedule": None, "limits": ParentLimits(participation=D("0.1"))},
            "participation",
        ),
    ],
)
def test_parents_that_contradict_themselves_are_refused(changes, field):
    with pytest.raises(InvalidOrder) as refused:
        twap_parent(**changes)
    assert refused.value.field == field


def test_a_twap_without_a_schedule_trades_evenly_in_slices_of_five_minutes_at_most():
    parent = twap_parent(quantity=D(1000), start=NOON, end=NOON + 62 * MINUTE, schedule=None)
    assert parent.schedule == twap_schedule(D(1000), NOON, NOON + 62 * MINUTE, 13)
    short = twap_parent(quantity=D(7), start=NOON, end=NOON + MINUTE, schedule=None)
    assert short.schedule == twap_schedule(D(7), NOON, NOON + MINUTE, 1)


def test_numbers_of_a_parent_may_be_text_and_integers():
    words = {"quantity": "1000", "lot": 10, "rate": "0.1", "reach": "0.01", "patience": "0.5", "display_jitter": 0}
    asked = {"symbol": "KO", "side": "buy", "algorithm": "pov", "start": NOON, "end": CLOSE - MINUTE}
    assert ParentOrder(**asked, **words) == ParentOrder(**asked, **{name: D(value) for name, value in words.items()})
    assert ParentLimits(price="60.50", max_child=100) == ParentLimits(price=D("60.50"), max_child=D(100))
    with pytest.raises(InvalidOrder, match=r"quantity: 0\.5 is a float"):
        ParentOrder(**asked, **{**words, "quantity": 0.5})
    with pytest.raises(InvalidOrder, match=r"price: 60\.5 is a float"):
        ParentLimits(price=60.5)


def test_a_parent_gets_its_id_from_whoever_sends_it():
    named = twap_parent()
    assert msgspec.structs.replace(named, parent_id=UNNAMED) == ParentOrder(
        **{name: value for name, value in msgspec.structs.asdict(named).items() if name != "parent_id"}
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"price": D(0)}, {"participation": D(0)}, {"participation": D(2)}, {"max_child": D(-1)}, {"catch_up": D("0.5")},
        {"cutoff": -SECOND}, {"max_duration": timedelta(0)}, {"max_rejections": 0}, {"retry_after": -SECOND},
    ],
)  # fmt: skip
def test_limits_out_of_range_are_refused(changes):
    with pytest.raises(InvalidOrder):
        ParentLimits(**changes)


def test_a_vwap_of_six_hours_takes_no_time_and_is_the_same_again():
    weights = [130, 84, 70, 62, 57, 53, 51, 51, 54, 59, 69, 86]
    runs = []
    for _ in range(2):
        found = desk(
            quantity="120000", start=OPEN, end=OPEN + 360 * MINUTE, algorithm=Algorithm.VWAP,
            schedule=weighted_schedule(D(120_000), OPEN, OPEN + 360 * MINUTE, weights),
            forecast=VolumeForecast(expected=tuple(D(weight * 10_000) for weight in weights)),
            limits=ParentLimits(participation=D("0.2")),
        )  # fmt: skip
        found.run(CLOSE, passive_fills=False, volume_per_minute=20_000)
        assert found.state.status is ParentStatus.COMPLETED
        runs.append((found.sent, found.state))
    assert runs[0] == runs[1]
