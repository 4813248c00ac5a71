"""Evidence about one order, in whatever order and however often it comes, and what listeners are told of it."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger, RequestTrigger, advance
from quant_trading_system.execution.alpaca_followed import FollowedOrders
from quant_trading_system.execution.alpaca_models import AlpacaOrder
from quant_trading_system.execution.alpaca_trail import Covered, Intervals, OrderTrail
from quant_trading_system.execution.alpaca_wire import read_json
from quant_trading_system.execution.broker import BrokerUpdate, Execution
from quant_trading_system.execution.leg_names import LegNames
from tests.support.alpaca_lines import START, order_json, stamp

D = Decimal
T = OrderTrigger


class Story:
    """One order for 8 KO; what is said about it, and what was told."""

    def __init__(self) -> None:
        self.trail = OrderTrail("mine-1")
        self.told: list[BrokerUpdate] = []

    def says(self, status: str, filled: str = "0", seconds: float = 0.0, fill: str = "", **options: Any) -> None:
        """The broker shows the order; `fill` is the cumulative quantity before the execution that it reports."""
        shown = order_json(status=status, filled_qty=filled, updated_at=stamp(seconds))
        order = read_json(json.dumps(shown).encode(), AlpacaOrder)
        execution = None if not fill else execution_of(fill, filled, seconds)
        at = START + timedelta(seconds=seconds)
        self.told += self.trail.hear(order, at=at, execution=execution, **options)

    @property
    def triggers(self) -> list[str]:
        """What was told, fills with their shares."""
        return [
            f"{update.trigger}" + (f" {update.execution.quantity}" if update.execution else "")
            for update in self.told
            if update.trigger
        ]


def execution_of(before: str, cumulative: str, seconds: float = 0.0) -> Execution:
    return Execution(
        execution_id=f"x-{before}-{cumulative}",
        quantity=D(cumulative) - D(before),
        price=D("61.2"),
        cumulative_quantity=D(cumulative),
        at=START + timedelta(seconds=seconds),
    )


def test_the_usual_life():
    story = Story()
    story.says("pending_new", seconds=0)
    story.says("new", seconds=0.1)
    story.says("partially_filled", "3", 1, fill="0")
    story.says("filled", "8", 2, fill="3")
    assert story.triggers == ["accept", "fill_part 3", "fill_last 5"]
    assert story.trail.unexplained == ""
    assert not story.trail.is_open


def test_an_order_that_waits_for_the_session_is_held_first():
    story = Story()
    story.says("accepted")
    story.says("new", seconds=3600)
    assert story.triggers == ["hold", "accept"]


def test_the_first_word_may_be_the_last_fill():
    story = Story()
    story.says("filled", "8", 1, fill="0")
    story.says("new", seconds=0)
    assert story.triggers == ["fill_last 8"]


@pytest.mark.fault("fill-twice")
def test_the_same_fill_twice_counts_once():
    story = Story()
    story.says("partially_filled", "3", 1, fill="0")
    story.says("partially_filled", "3", 1, fill="0")
    assert story.triggers == ["fill_part 3"]


def test_the_same_shares_in_one_piece_count_once():
    """The history tells as one execution what the stream told as two."""
    story = Story()
    story.says("partially_filled", "3", 1, fill="0")
    story.says("filled", "8", 2, fill="3")
    story.says("filled", "8", 2, fill="0")
    assert story.triggers == ["fill_part 3", "fill_last 5"]


@pytest.mark.fault("fills-out-of-order")
def test_fills_out_of_order_end_the_order_with_the_one_that_completes_it():
    story = Story()
    story.says("filled", "8", 2, fill="3")
    assert (story.triggers, story.trail.is_open) == (["fill_part 5"], True)
    assert story.trail.unexplained == "3 of 8 filled shares have no execution"
    story.says("partially_filled", "3", 1, fill="0")
    assert story.triggers == ["fill_part 5", "fill_last 3"]


@pytest.mark.parametrize(("word", "trigger"), [("canceled", "cancel"), ("expired", "expire"), ("replaced", "replace")])
@pytest.mark.fault("fill-lost")
def test_an_end_waits_for_the_fills_that_were_missed(word, trigger):
    """Until they are booked the order counts in full: no room is given back too early."""
    story = Story()
    story.says("new")
    story.says(word, "3", 5)
    assert story.triggers == ["accept"]
    assert story.trail.is_open
    story.says("partially_filled", "3", 1, fill="0")
    assert story.triggers == ["accept", "fill_part 3", trigger]
    assert not story.trail.is_open


@pytest.mark.fault("fill-after-cancel")
def test_a_fill_after_the_confirmed_cancel_is_still_told():
    story = Story()
    story.says("canceled", seconds=1)
    story.says("canceled", "3", 2, fill="0")
    assert story.triggers == ["cancel", "fill_part 3"]


def test_a_cancelled_order_that_proves_filled_ends_filled():
    story = Story()
    story.says("canceled", seconds=1)
    story.says("filled", "8", 2, fill="0")
    assert story.triggers == ["cancel", "fill_last 8"]


def test_an_answer_of_rest_never_takes_the_stream_back():
    """The answer to the order is read after the stream has already told of its fill, and an old list after its end."""
    story = Story()
    story.says("partially_filled", "3", 1, fill="0")
    story.says("pending_new", seconds=0)
    story.says("canceled", "3", 4)
    story.says("new", "0", 2)
    assert story.triggers == ["fill_part 3", "cancel"]


@pytest.mark.fault("end-before-middle")
def test_after_an_end_nothing_but_a_fill_is_told():
    story = Story()
    story.says("expired", seconds=1)
    for number, word in enumerate(("canceled", "new", "suspended", "done_for_day", "rejected", "replaced")):
        story.says(word, seconds=2 + number)
    assert story.triggers == ["expire"]


def test_a_pause_ends_where_the_order_was():
    story = Story()
    story.says("new")
    story.says("suspended", seconds=1)
    story.says("new", seconds=2)
    story.says("partially_filled", "3", 3, fill="0")
    story.says("done_for_day", "3", 4)
    story.says("partially_filled", "3", 5)
    assert story.triggers == ["accept", "suspend", "accept", "fill_part 3", "finish_day", "fill_part"]


def test_asking_for_a_cancel_is_no_cancel():
    story = Story()
    story.says("pending_cancel", seconds=1)
    story.says("pending_replace", seconds=2)
    assert story.triggers == ["accept"]


def test_a_refused_cancel_is_told_as_what_it_is():
    story = Story()
    story.says("new")
    story.says("new", seconds=1, request=RequestTrigger.REFUSED)
    assert [(update.trigger, update.request) for update in story.told] == [
        (T.ACCEPT, None),
        (None, RequestTrigger.REFUSED),
    ]


def test_a_word_that_nobody_knows_changes_nothing_and_asks_for_a_look():
    story = Story()
    story.says("new")
    story.says("pending_miracle", seconds=1)
    assert story.triggers == ["accept"]
    assert story.trail.unexplained == "the broker's word for its status is not known"


def test_executions_that_contradict_each_other_are_not_both_told():
    story = Story()
    story.says("partially_filled", "5", 1, fill="0")
    story.says("partially_filled", "7", 2, fill="3")
    assert story.triggers == ["fill_part 5"]
    assert story.trail.unexplained == "its executions contradict each other"
    story.says("partially_filled", "7", 2, fill="5")
    assert story.triggers == ["fill_part 5", "fill_part 2"]
    assert story.trail.unexplained == ""


@pytest.mark.fault("listener-fails")
def test_what_a_listener_failed_on_is_told_again():
    story = Story()
    story.says("filled", "8", 1, fill="0")
    story.trail.take_back(story.told.pop())
    assert story.trail.unexplained
    story.says("filled", "8", 1, fill="0")
    assert story.triggers == ["fill_last 8"]


# -- properties ----------------------------------------------------------------------------------------------------

LIVES = [
    [("pending_new", "0", ""), ("new", "0", ""), ("filled", "8", "0")],
    [("accepted", "0", ""), ("new", "0", ""), ("partially_filled", "3", "0"), ("filled", "8", "3")],
    [("new", "0", ""), ("partially_filled", "3", "0"), ("pending_cancel", "3", ""), ("canceled", "3", "")],
    [("new", "0", ""), ("suspended", "0", ""), ("new", "0", ""), ("partially_filled", "1", "0"), ("expired", "1", "")],
    [("held", "0", ""), ("rejected", "0", "")],
    [("partially_filled", "2", "0"), ("done_for_day", "2", ""), ("partially_filled", "5", "2"), ("filled", "8", "5")],
]


@st.composite
def channels(draw) -> list[tuple[float, tuple[str, str, str]]]:
    """All messages of a life at least once, some again, in any order."""
    life = list(enumerate(draw(st.sampled_from(LIVES))))
    again = draw(st.lists(st.sampled_from(life), max_size=6))
    return [(float(number), message) for number, message in draw(st.permutations(life + again))]


@given(channels())
@pytest.mark.fault("fills-out-of-order", "end-before-middle")
def test_any_order_of_any_messages_leads_to_the_same_end(messages):
    """Every share is told once, the table of states accepts every step, and the end is the true one."""
    story = Story()
    for seconds, (status, filled, fill) in messages:
        story.says(status, filled, seconds, fill)
    last = max(messages)[1]
    told = sum((update.execution.quantity for update in story.told if update.execution), D(0))
    assert told == D(last[1])
    status = OrderStatus.SENT
    for update in story.told:
        if update.trigger is not None:
            status = advance(status, update.trigger)
    ends = {"filled": "filled", "canceled": "canceled", "expired": "expired", "rejected": "rejected"}
    assert status == ends[last[0]]
    assert not story.trail.is_open
    assert story.trail.unexplained == ""


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 6)), max_size=12))
def test_intervals_cover_each_share_once(pieces):
    intervals, shares = Intervals(), set()
    for start, length in pieces:
        wanted = set(range(start, start + length))
        covered = intervals.add(D(start), D(start + length))
        if covered is Covered.NEW:
            assert not wanted & shares
            shares |= wanted
        elif covered is Covered.KNOWN:
            assert wanted <= shares
        else:
            assert wanted & shares
        assert intervals.total == len(shares)


@given(st.permutations([(0, 2), (2, 3), (5, 1), (6, 4)]), st.sampled_from([(0, 2), (2, 3), (5, 1), (6, 4)]))
def test_an_interval_that_is_taken_out_can_come_back(pieces, removed):
    intervals = Intervals()
    for start, length in pieces:
        assert intervals.add(D(start), D(start + length)) is Covered.NEW
    intervals.remove(D(removed[0]), D(sum(removed)))
    assert intervals.total == 10 - removed[1]
    assert intervals.add(D(removed[0]), D(sum(removed))) is Covered.NEW
    assert intervals.total == 10


def test_orders_that_ended_long_ago_leave_memory_and_are_followed_anew_when_they_speak_again():
    """An engine runs for months; open orders and the last ended ones stay."""
    told: list[BrokerUpdate] = []
    orders = FollowedOrders(ManualClock(START), lambda _: None, LegNames(), doubt=lambda _: None, remembered=2)
    orders.subscribe(told.append)

    def shows(name: str, status: str) -> None:
        shown = order_json(status=status, client_order_id=name, id=f"id-{name}", updated_at=stamp(1))
        orders.hear_order(read_json(json.dumps(shown).encode(), AlpacaOrder))

    shows("open", "new")
    for number in range(5):
        shows(f"ended-{number}", "canceled")
    known = [name for name in ("open", *(f"ended-{n}" for n in range(5))) if orders.get(name)]
    assert known == ["open", "ended-3", "ended-4"]
    assert orders.open_ids == ("id-open",)
    before = len(told)
    shows("ended-4", "canceled")
    assert len(told) == before
    shows("ended-0", "canceled")
    assert [update.trigger for update in told[before:]] == [T.CANCEL], "the order manager takes no end twice"
