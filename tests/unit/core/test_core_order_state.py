"""The life of an order, tested to the last pair: listed, or refused."""

from itertools import product

import pytest

from quant_trading_system.core.exceptions import InvalidTransition
from quant_trading_system.core.order_state import (
    REQUESTS,
    TRANSITIONS,
    OrderStatus,
    OrderTrigger,
    PendingRequest,
    RequestTrigger,
    advance,
    advance_request,
)

LIVES = """
                  de ad sd ns to ab | hold acc  rej  part last canc exp  repl susp day  | bup bua
CREATED           DE WO SE .  .  .  | .    .    .    .    .    .    .    .    .    .   | .   .
DENIED            .  .  .  .  .  .  | .    .    .    .    .    .    .    .    .    .   | .   .
SENT              .  .  .  UN DO .  | HE   WO   RE   PA   FI   CA   EX   RP   SU   DD   | .   .
UNSENT            .  .  .  .  .  .  | .    .    .    .    .    .    .    .    .    .   | .   .
IN_DOUBT          .  .  .  .  DO AB | HE   WO   RE   PA   FI   CA   EX   RP   SU   DD   | DO  DO
ABSENT            .  .  .  .  .  .  | HE   WO   RE   PA   FI   CA   EX   RP   SU   DD   | AB  AB
HELD              .  .  .  .  HE .  | HE   WO   RE   PA   FI   CA   EX   RP   SU   DD   | HE  HE
WORKING           .  .  .  .  WO .  | HE   WO   RE   PA   FI   CA   EX   RP   SU   DD   | WO  WO
PARTIALLY_FILLED  .  .  .  .  PA .  | PA   PA   RE   PA   FI   CA   EX   RP   SU   DD   | PA  WO
SUSPENDED         .  .  .  .  SU .  | HE   WO   RE   PA   FI   CA   EX   RP   SU   DD   | SU  SU
DONE_FOR_DAY      .  .  .  .  DD .  | HE   WO   RE   PA   FI   CA   EX   RP   SU   DD   | DD  DD
FILLED            .  .  .  .  FI .  | FI   FI   FI   FI   FI   FI   FI   FI   FI   FI   | CA  CA
CANCELED          .  .  .  .  CA .  | CA   CA   CA   CA   FI   CA   CA   CA   CA   CA   | CA  CA
EXPIRED           .  .  .  .  EX .  | EX   EX   EX   EX   FI   EX   EX   EX   EX   EX   | EX  EX
REJECTED          .  .  .  .  RE .  | RE   RE   RE   RE   FI   RE   RE   RE   RE   RE   | RE  RE
REPLACED          .  .  .  .  RP .  | RP   RP   RP   RP   RP   RP   RP   RP   RP   RP   | RP  RP
"""
"""Left of the bar what we do or conclude, then what the broker says, last what it takes back; a dot cannot happen."""

TRIGGERS = {
    "de": "deny", "ad": "adopt", "sd": "send", "ns": "not_sent", "to": "time_out", "ab": "find_absent",
    "hold": "hold", "acc": "accept", "rej": "reject", "part": "fill_part", "last": "fill_last",
    "canc": "cancel", "exp": "expire", "repl": "replace", "susp": "suspend", "day": "finish_day",
    "bup": "bust_part", "bua": "bust_all",
}  # fmt: skip

STATUSES = {
    "DE": "denied", "SE": "sent", "UN": "unsent", "DO": "in_doubt", "AB": "absent", "HE": "held", "WO": "working",
    "PA": "partially_filled", "SU": "suspended", "DD": "done_for_day", "FI": "filled", "CA": "canceled",
    "EX": "expired", "RE": "rejected", "RP": "replaced",
}  # fmt: skip

PENDING = """
          ask_cancel  ask_replace  refused  settled
none      cancel      replace      .        none
cancel    cancel      .            none     none
replace   cancel      .            none     none       # stopping outranks changing
"""

OPEN = {status for status in OrderStatus if status.is_open}
TERMINAL = {status for status in OrderStatus if status.is_terminal}
FILLS = (OrderTrigger.FILL_PART, OrderTrigger.FILL_LAST)


def cells(table):
    """Row name, column name and content of every cell of a table."""
    head, *body = (line.split("#")[0].replace("|", "").split() for line in table.strip("\n").splitlines())
    return [(row[0], column, cell) for row in body for column, cell in zip(head, row[1:], strict=True)]


def followers(status):
    return {after for (before, _), after in TRANSITIONS.items() if before is status}


def reachable_from(status):
    found, frontier = {status}, {status}
    while frontier:
        frontier = {after for before in frontier for after in followers(before)} - found
        found |= frontier
    return found


# -- life --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("row", "column", "cell"), cells(LIVES))
def test_what_follows_each_status_at_each_trigger(row, column, cell):
    status, trigger = OrderStatus(row.lower()), OrderTrigger(TRIGGERS[column])
    if cell != ".":
        assert STATUSES[cell] == advance(status, trigger)
        return
    with pytest.raises(InvalidTransition, match=f"an order that is {status} does not expect {trigger}"):
        advance(status, trigger)


def test_the_table_above_has_every_pair():
    pairs = {(row.lower(), TRIGGERS[column]) for row, column, _ in cells(LIVES)}
    assert set(product(OrderStatus, OrderTrigger)) == pairs


def test_every_status_can_be_reached_from_the_first_one():
    assert set(OrderStatus) == reachable_from(OrderStatus.CREATED)


@pytest.mark.parametrize("status", sorted(OPEN))
def test_every_open_status_has_a_way_to_every_end_that_the_broker_knows(status):
    ends = {
        OrderStatus.FILLED,
        OrderStatus.CANCELED,
        OrderStatus.EXPIRED,
        OrderStatus.REJECTED,
        OrderStatus.REPLACED,
    }
    assert ends <= followers(status)


@pytest.mark.parametrize("status", sorted(reachable_from(OrderStatus.SENT) - {OrderStatus.UNSENT}))
@pytest.mark.parametrize("fill", FILLS)
def test_a_fill_is_expected_in_every_status_after_sending(status, fill):
    """Shares that were traded are ours, whatever we believed about the order."""
    assert (status, fill) in TRANSITIONS


@pytest.mark.parametrize("status", [OrderStatus.CREATED, OrderStatus.DENIED, OrderStatus.UNSENT])
@pytest.mark.parametrize("fill", FILLS)
def test_an_order_that_never_left_us_cannot_fill(status, fill):
    with pytest.raises(InvalidTransition):
        advance(status, fill)


@pytest.mark.parametrize("status", sorted(TERMINAL - {OrderStatus.ABSENT}))
def test_what_has_ended_is_never_open_again(status):
    assert followers(status) <= TERMINAL


def test_only_an_order_believed_absent_comes_back_by_late_evidence():
    assert OPEN & followers(OrderStatus.ABSENT)
    assert OrderStatus.WORKING is advance(OrderStatus.ABSENT, OrderTrigger.ACCEPT)
    assert OrderStatus.FILLED is advance(OrderStatus.ABSENT, OrderTrigger.FILL_LAST)


@pytest.mark.parametrize(
    "status", [OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED, OrderStatus.REPLACED]
)
def test_a_late_partial_fill_moves_the_position_and_not_the_status(status):
    """It crossed the end of the order in flight."""
    assert status is advance(status, OrderTrigger.FILL_PART)


def test_a_last_fill_that_was_underway_wins_over_the_cancel_in_either_order():
    assert OrderStatus.FILLED is advance(OrderStatus.CANCELED, OrderTrigger.FILL_LAST)
    assert OrderStatus.FILLED is advance(OrderStatus.FILLED, OrderTrigger.CANCEL)


def test_an_acknowledgement_that_was_overtaken_changes_nothing():
    for status in TERMINAL - {OrderStatus.ABSENT, OrderStatus.DENIED, OrderStatus.UNSENT}:
        assert status is advance(status, OrderTrigger.ACCEPT)
    assert OrderStatus.PARTIALLY_FILLED is advance(OrderStatus.PARTIALLY_FILLED, OrderTrigger.ACCEPT)


def test_an_order_in_doubt_is_never_sent_again():
    assert (OrderStatus.IN_DOUBT, OrderTrigger.SEND) not in TRANSITIONS
    assert {OrderStatus.SENT} == {after for (_, trigger), after in TRANSITIONS.items() if trigger is OrderTrigger.SEND}
    assert [OrderStatus.CREATED] == [before for before, trigger in TRANSITIONS if trigger is OrderTrigger.SEND]


def test_every_status_is_either_open_or_terminal_except_before_it_is_sent():
    assert set() == OPEN & TERMINAL
    assert {OrderStatus.CREATED} == set(OrderStatus) - OPEN - TERMINAL


def test_an_order_of_which_nothing_is_known_counts_as_open():
    assert {OrderStatus.SENT, OrderStatus.IN_DOUBT} <= OPEN


# -- requests ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("row", "column", "cell"), cells(PENDING))
def test_what_follows_each_pending_request_at_each_trigger(row, column, cell):
    pending, trigger = PendingRequest(row), RequestTrigger(column)
    if cell != ".":
        assert cell == advance_request(pending, trigger)
        return
    with pytest.raises(InvalidTransition, match=f"with {pending} pending, {trigger} is not possible"):
        advance_request(pending, trigger)


def test_the_table_of_requests_has_every_pair():
    assert set(product(PendingRequest, RequestTrigger)) == {(row, column) for row, column, _ in cells(PENDING)}


def test_a_cancel_can_always_be_asked_for_and_everything_pending_can_settle():
    for pending in PendingRequest:
        assert PendingRequest.CANCEL is advance_request(pending, RequestTrigger.ASK_CANCEL)
        assert PendingRequest.NONE is advance_request(pending, RequestTrigger.SETTLED)


@pytest.mark.parametrize("table", [TRANSITIONS, REQUESTS])
def test_the_tables_cannot_be_changed(table):
    with pytest.raises(TypeError):
        table[next(iter(table))] = None
