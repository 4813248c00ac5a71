"""Executions that are taken back or changed: the books become those of the corrected history, and nothing is erased."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_trading_system.app.decision_record import decision_record
from quant_trading_system.core.events import FillCorrected, FillEvent, RiskEvent
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.core.positions import KEPT_TRADES, Position, RoundTrips, Trade
from quant_trading_system.execution.audit import audit
from quant_trading_system.execution.broker import Execution
from quant_trading_system.execution.corrections import changes
from quant_trading_system.simulation.faults import Faults
from quant_trading_system.simulation.fees import FeeSchedule
from quant_trading_system.simulation.models import FillModel
from tests.support.desk import Account
from tests.support.list_journal import E
from tests.support.market import NOON
from tests.support.orders import buy, sell
from tests.support.venue_account import VenueAccount

D = Decimal
S = OrderStatus


def told(account: VenueAccount, kind: type[E]) -> list[E]:
    return [entry.event for entry in account.journal.entries() if isinstance(entry.event, kind)]


def execution_id(account: VenueAccount, order_id: str, place: int = 0) -> str:
    return account.desk.venue.executions(order_id)[place].execution_id


def bust(account: VenueAccount, order_id: str, place: int = 0) -> None:
    account.desk.venue.bust(execution_id(account, order_id, place))
    account.turn()


def correct(account: VenueAccount, order_id: str, **truth: Decimal) -> None:
    account.desk.venue.correct(execution_id(account, order_id), **truth)
    account.turn()


# -- at a venue that keeps its own books ---------------------------------------------------------------------------


@pytest.mark.fault("bust")
def test_a_bust_reverses_position_cash_and_fee_and_the_fill_stays_on_record():
    account = VenueAccount(fees=FeeSchedule.alpaca())
    bought = account.submit(buy(10))
    before = told(account, FillEvent)
    bust(account, bought.order_id)
    assert (account.portfolio.positions, account.portfolio.cash, account.portfolio.fees) == ({}, D(100_000), D(0))
    assert (bought.status, bought.filled, bought.average_price) == (S.CANCELED, D(0), None)
    assert told(account, FillEvent) == before
    (event,) = told(account, FillCorrected)
    assert (event.was_quantity, event.was_price, event.quantity) == (D(10), D("100.02"), D(0))
    assert isinstance(told(account, RiskEvent)[-1], RiskEvent)
    account.require_agreement()


@pytest.mark.fault("correction")
def test_a_corrected_price_and_quantity_are_what_the_books_show():
    account = VenueAccount()
    bought = account.submit(buy(10))
    correct(account, bought.order_id, price=D("99.90"))
    assert (bought.status, bought.filled, bought.average_price) == (S.FILLED, D(10), D("99.9"))
    account.require_agreement()
    correct(account, bought.order_id, quantity=D(8))
    assert (bought.status, bought.filled) == (S.CANCELED, D(8))
    account.require_agreement()
    correct(account, bought.order_id, quantity=D(10))
    assert bought.filled == 10
    account.require_agreement()


def test_a_bust_of_a_part_leaves_an_open_order_with_more_to_trade():
    account = VenueAccount(fills=FillModel(participation=D(1)))
    account.desk.quote("98.90", "98.95", None, volume="4")
    order = account.submit(buy(10, limit="99.00"))
    account.desk.quote("98.90", "98.95", None, volume="3")
    account.turn()
    assert (order.status, order.filled) == (S.PARTIALLY_FILLED, D(7))
    bust(account, order.order_id)
    assert (order.status, order.filled, account.reserved) == (S.PARTIALLY_FILLED, D(3), {order.order_id: D(7)})
    bust(account, order.order_id)
    assert (order.status, order.filled, account.reserved) == (S.WORKING, D(0), {order.order_id: D(10)})
    account.desk.quote("98.90", "98.95", None, volume="50")
    account.turn()
    assert (order.status, order.filled) == (S.FILLED, D(10))
    account.require_agreement()


def test_a_correction_is_the_strategy_s_whose_order_it_was():
    """Its part of the position is what its budget counts, and what a halt of it closes."""
    account = VenueAccount()
    account.submit(buy(10, strategy="b"))
    order = account.submit(buy(10, strategy="a"))
    correct(account, order.order_id, quantity=D(7))
    shares = account.system.tracker.attribution
    assert (shares.of("a"), shares.of("b")) == ({"KO": D(7)}, {"KO": D(10)})
    bust(account, order.order_id)
    assert (shares.of("a"), shares.of("b")) == ({}, {"KO": D(10)})


def lose(account: VenueAccount) -> str:
    """A round trip that loses the spread; the id of the order that opened it."""
    opened = account.submit(buy(10, repeat=True))
    account.submit(sell(10, repeat=True))
    return opened.order_id


def test_a_bust_of_a_losing_round_trip_takes_it_out_of_the_losing_streak():
    account = VenueAccount()
    lose(account)
    lose(account)
    assert account.portfolio.losing_streak == 2
    assert account.portfolio.realized_pnl == D("-0.80")
    last = account.orders.orders()[-1].order_id
    bust(account, last)
    assert (account.portfolio.losing_streak, account.portfolio.position("KO").quantity) == (1, D(10))
    assert account.portfolio.realized_pnl == D("-0.40")
    account.require_agreement()


def test_a_corrected_price_is_in_the_results_of_closed_positions():
    account = VenueAccount()
    opened = lose(account)
    assert list(account.system.tracker.round_trips) == [D("-0.40")]
    correct(account, opened, price=D(99))
    assert list(account.system.tracker.round_trips) == [D("9.80")]
    assert account.portfolio.losing_streak == 0


@pytest.mark.fault("correction")
def test_a_correction_that_makes_winners_losers_trips_the_switch():
    account = VenueAccount()
    orders = []
    for _ in range(9):
        account.submit(buy(10, repeat=True))
        account.quote("100.98", "101.02")
        orders.append(account.submit(sell(10, repeat=True)).order_id)
        account.quote("99.98", "100.02")
    assert account.portfolio.losing_streak == 0
    for order_id in orders:
        correct(account, order_id, price=D("99.00"))
    assert account.portfolio.losing_streak == 9
    assert account.system.kill_switch.is_active()
    assert "max_consecutive_losses" in account.system.kill_switch.reason


@pytest.mark.fault("bust")
def test_a_bust_of_a_fill_that_we_never_saw_nets_to_nothing():
    account = VenueAccount()
    account.desk.venue.faults = Faults(lose_report=D(1))
    order = account.submit(buy(10))
    account.desk.venue.faults = Faults()
    bust(account, order.order_id)
    assert (account.portfolio.positions, account.portfolio.cash, order.filled) == ({}, D(100_000), D(0))
    assert told(account, FillCorrected) == []
    account.require_agreement()


@pytest.mark.fault("bust")
def test_a_bust_days_later_and_after_a_restart_finds_its_order():
    account = VenueAccount()
    order_id = account.submit(buy(10)).order_id
    account.desk.close()
    account.again()
    bust(account, order_id)
    order = account.record(order_id)
    assert (order.status, order.filled, account.portfolio.positions) == (S.CANCELED, D(0), {})
    account.require_agreement()


def test_a_fill_that_was_taken_back_is_not_booked_again_when_it_is_told_again():
    account = Account()
    order = account.working(buy(10))
    execution = account.broker.fill(order.order_id, 10, 100)
    account.orders.lives.restate(order, ())
    account.broker.tell_fill(order.order_id, execution)
    assert (order.filled, account.portfolio.positions) == (D(0), {})


def test_the_decision_record_tells_of_the_correction():
    account = VenueAccount()
    order_id = account.submit(buy(10)).order_id
    bust(account, order_id)
    answers = {answer.question: answer.answer for answer in decision_record(account.journal, order_id).steps[4]}
    assert answers["Is the fill confirmed?"].startswith("canceled: 0 shares in 1 fill")
    assert "10 at $100.02 was taken back" in answers["Was a fill corrected?"]


def audited(account: VenueAccount, wrong: timedelta = timedelta()) -> tuple[str, ...]:
    now = account.desk.clock.now() + wrong
    broker, lives = account.system.ports.broker, account.orders.lives
    return asyncio.run(audit(broker, lives, now=now, since=now - timedelta(days=7))).differed


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.fault("bust")
def test_a_bust_that_nobody_heard_of_is_found_in_the_history(restart):
    account = VenueAccount()
    kept, gone = account.submit(buy(5)).order_id, account.submit(buy(10)).order_id
    account.desk.venue.faults = Faults(lose_report=D(1))
    bust(account, gone)
    account.desk.venue.faults = Faults()
    assert audited(account) == ()  # the fill is too young: the history may not show it yet
    account.desk.close()
    if restart:
        account.again()
    assert audited(account) == (gone,)
    assert account.portfolio.position("KO").quantity == 5
    assert (account.record(gone).status, account.record(kept).status) == (S.CANCELED, S.FILLED)
    assert audited(account) == ()
    account.require_agreement()


def test_a_bust_is_found_by_a_machine_whose_clock_is_far_behind():
    """The fill is of the future there, and old all the same."""
    account = VenueAccount()
    gone = account.submit(buy(10)).order_id
    account.desk.venue.faults = Faults(lose_report=D(1))
    bust(account, gone)
    account.desk.venue.faults = Faults()
    assert audited(account, wrong=timedelta(hours=-1)) == (gone,)
    assert account.portfolio.positions == {}


# -- what differs --------------------------------------------------------------------------------------------------


def execution(name: str, quantity: int, price: int, end: int) -> Execution:
    return Execution(execution_id=name, quantity=D(quantity), price=D(price), cumulative_quantity=D(end), at=NOON)


@pytest.mark.fault("fill-twice")
def test_one_execution_under_two_names_is_no_correction():
    stream = [execution("s1", 3, 100, 3), execution("s2", 3, 100, 6), execution("s3", 4, 101, 10)]
    history = [execution("h1", 3, 100, 3), execution("h2", 3, 100, 6), execution("h3", 4, 101, 10)]
    assert changes(stream, history) == ([], [])
    gone, new = changes(stream, history[1:])
    assert ([change.was.quantity for change in gone], new) == ([D(3)], [])


def test_what_was_missed_is_told_apart_from_what_was_changed():
    gone, new = changes([execution("1", 3, 100, 3)], [execution("1", 3, 99, 3), execution("2", 4, 100, 7)])
    assert [(change.was.price, change.now and change.now.price) for change in gone] == [(D(100), D(99))]
    assert [found.execution_id for found in new] == ["2"]


executions_heard = st.lists(st.tuples(st.integers(1, 3), st.booleans(), st.booleans()), min_size=1, max_size=8)


@given(executions=executions_heard, under_one_name=st.booleans())
@pytest.mark.fault("bust")
def test_what_was_missed_is_booked_also_where_another_execution_was_taken_back(executions, under_one_name):
    """Each execution is some shares, whether it was heard, and whether it was taken back afterwards."""
    account = Account()
    order = account.working(buy(sum(shares for shares, _, _ in executions)))
    end, history = 0, []
    for number, (shares, is_heard, is_gone) in enumerate(executions):
        end += shares
        if is_heard:
            account.broker.tell_fill(order.order_id, execution(f"s{number}", shares, 100, end))
        if not is_gone:
            told_so_far = sum(int(each.quantity) for each in history)
            name = f"s{number}" if under_one_name else f"h{number}"
            history.append(execution(name, shares, 100, told_so_far + shares))
    account.orders.lives.restate(order, tuple(history))
    total = sum((each.quantity for each in history), D(0))
    assert (order.filled, account.portfolio.position("KO").quantity) == (total, total)
    assert not account.orders.lives.restate(order, tuple(history)), "nothing differs any more"


# -- the books are those of the corrected history -------------------------------------------------------------------

fills = st.lists(
    st.tuples(st.integers(-20, 20).filter(bool), st.integers(9_000, 11_000), st.integers(0, 50)),
    min_size=1,
    max_size=12,
)


@settings(max_examples=150)
@given(fills, st.data())
def test_a_corrected_position_is_the_one_that_the_truth_would_have_given(history, data):
    told, truth, trips, true_trips = Position("KO"), Position("KO"), RoundTrips(), RoundTrips()
    trades = [Trade(0, ("", str(i)), D(q), D(p) / 100, D(f) / 100) for i, (q, p, f) in enumerate(history)]
    wrong = data.draw(st.integers(0, len(trades) - 1))
    now = Trade(
        0,
        ("", str(wrong)),
        D(data.draw(st.integers(0, 20))) * trades[wrong].quantity / abs(trades[wrong].quantity),
        D(95),
        D(1),
    )
    for position, counted, fix in ((told, trips, False), (truth, true_trips, True)):
        for i, trade in enumerate(trades):
            booked = now if fix and i == wrong else trade
            number = counted.next_fill()
            applied = position.apply(booked.quantity, booked.price, booked.fee, key=("", str(i)), number=number)
            if applied.round_trip is not None:
                counted.closed(applied.round_trip)
    trips.restate(told.correct(("", str(wrong)), trades[wrong], now))
    assert (told.quantity, told.cost, told.realized_pnl, told.fees) == (
        truth.quantity,
        truth.cost,
        truth.realized_pnl,
        truth.fees,
    )
    assert trips.losing_streak == true_trips.losing_streak


@pytest.mark.parametrize("wrong", [0, KEPT_TRADES - 1, KEPT_TRADES + 5, 2 * KEPT_TRADES])
def test_of_a_long_history_a_part_is_kept_and_the_sums_hold_all_the_same(wrong):
    position = Position("KO")
    for i in range(2 * KEPT_TRADES + 1):
        position.apply(D(1), D(100 + i % 7), D("0.01"), key=("", str(i)), number=i + 1)
    price = D(100 + wrong % 7)
    change = position.correct(
        ("", str(wrong)), Trade(0, ("", ""), D(1), price, D("0.01")), Trade(0, ("", ""), D(0), price, D(0))
    )
    assert position.quantity == 2 * KEPT_TRADES
    assert position.fees == D("0.01") * 2 * KEPT_TRADES
    paid = sum(D(100 + i % 7) for i in range(2 * KEPT_TRADES + 1)) - price
    assert position.cost - position.realized_pnl == paid  # what was paid is either cost still, or lost
    assert (change.realized == 0) == (wrong >= KEPT_TRADES)


@pytest.mark.parametrize("told_after", [KEPT_TRADES - 1, KEPT_TRADES, KEPT_TRADES + 100, 2 * KEPT_TRADES])
def test_corrections_of_a_long_history_are_worked_out_from_where_the_kept_part_begins(told_after):
    """Every part that leaves leaves what it came to behind, also when something within it was corrected before."""

    def trade(position, number, price):
        position.apply(D(3 if number % 4 else -7), price, D("0.01"), key=("", str(number)), number=number)

    def right(number):
        return D(90 if number in (told_after // 2, 3 * KEPT_TRADES - 5) else 100 + number % 7)

    told, truth = Position("KO"), Position("KO")
    for number in range(1, 3 * KEPT_TRADES + 2):
        trade(truth, number, right(number))
        trade(told, number, D(100 + number % 7))
        if number in (told_after, 3 * KEPT_TRADES):
            late = number // 2 if number == told_after else 3 * KEPT_TRADES - 5
            signed = D(3 if late % 4 else -7)
            was, now = (Trade(0, ("", ""), signed, price, D("0.01")) for price in (D(100 + late % 7), D(90)))
            told.correct(("", str(late)), was, now)
    assert [getattr(told, name) for name in ("quantity", "cost", "realized_pnl", "fees", "_trip_pnl")] == [
        getattr(truth, name) for name in ("quantity", "cost", "realized_pnl", "fees", "_trip_pnl")
    ]


def test_a_reset_forgives_the_streak_and_later_corrections_leave_it_forgiven():
    trips, position = RoundTrips(), Position("KO")
    for i, (quantity, price) in enumerate([(1, 100), (-1, 99)]):
        number = trips.next_fill()
        result = position.apply(D(quantity), D(price), key=("", str(i)), number=number).round_trip
        if result is not None:
            trips.closed(result)
    assert trips.losing_streak == 1
    trips.forgive()
    trips.restate(
        position.correct(("", "1"), Trade(0, ("", "1"), D(-1), D(99), D(0)), Trade(0, ("", "1"), D(-1), D(98), D(0)))
    )
    assert trips.losing_streak == 0
