"""When the books are compared, what a difference shuts, and what others do on the account."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest

from quant_trading_system.core.book_events import ActivitiesCovered, ActivityBooked, BreakClosed, BreakOpened
from quant_trading_system.core.breaks import ActivityKind, Owner
from quant_trading_system.core.decisions import Rejection, Rule
from quant_trading_system.core.events import FillEvent, OrderEvent
from quant_trading_system.core.events import (
    Reconciled as ReconciledEvent,
)
from quant_trading_system.core.exceptions import NotReconciled
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger
from quant_trading_system.core.orders import EXTERNAL
from quant_trading_system.execution.audit import Audited, audit
from quant_trading_system.execution.break_book import BreakBook
from quant_trading_system.execution.broker import Execution
from quant_trading_system.execution.order_recall import record_from
from quant_trading_system.journal.projection import Projection
from quant_trading_system.risk.agreement import Agreement
from quant_trading_system.trading import reconciler
from tests.support.market import NOON
from tests.support.orders import buy, sell
from tests.support.scripted_statement import Reconciled, as_seen, entry, seen_order, seen_position

D = Decimal
MINUTE = 60


def execution(order_id: str, quantity: int, total: int, price: str = "100", seconds: int = 1) -> Execution:
    return Execution(
        execution_id=f"{order_id}:{total}",
        quantity=D(quantity),
        price=D(price),
        cumulative_quantity=D(total),
        at=NOON + timedelta(seconds=seconds),
    )


@pytest.fixture
def desk() -> Reconciled:
    return Reconciled()


def run(*steps) -> None:
    async def story() -> None:
        for step in steps:
            result = step() if callable(step) else step
            if asyncio.iscoroutine(result):
                await result

    asyncio.run(story())


async def refusal(desk: Reconciled, order=None) -> str:
    """The rule that refuses a purchase now, ``ok`` when none does."""
    desk.account.offer()
    answer = await desk.account.orders.submit(order or buy(1))
    return answer.rule.value if isinstance(answer, Rejection) else "ok"


# -- when ---------------------------------------------------------------------------------------------------------


@pytest.mark.control("reconciliation")
def test_nothing_that_adds_risk_leaves_before_the_first_clean_reconciliation(desk):
    async def story() -> None:
        assert await refusal(desk) == Rule.RECONCILED
        await desk.start()
        assert await refusal(desk) == "ok"

    run(story)


def test_light_every_half_minute_full_every_five_minutes(desk):
    run(desk.start, lambda: desk.after(10 * MINUTE + 5))
    looks = desk.theirs.looks[1:]
    assert looks.count("full") == 2
    assert 16 <= looks.count("light") <= 20


@pytest.mark.fault("engine-paused")
def test_a_pause_is_followed_by_one_look_and_by_no_burst(desk):
    async def story() -> None:
        await desk.start()
        desk.theirs.looks.clear()
        desk.clock.move_to(desk.clock.now() + timedelta(hours=1))
        desk.reconciler.feel_pulse()
        assert await refusal(desk) == Rule.RECONCILED
        await desk.after(5)
        assert desk.theirs.looks == ["full"]
        assert await refusal(desk) == "ok"

    run(story)


@pytest.mark.parametrize(("seconds", "rule"), [(15, "ok"), (16, Rule.RECONCILED)])
@pytest.mark.fault("engine-paused")
def test_a_turn_that_comes_too_late_waits_for_a_reconciliation(desk, seconds, rule):
    async def story() -> None:
        await desk.start()
        desk.reconciler.feel_pulse()
        desk.clock.move_to(desk.clock.now() + timedelta(seconds=seconds))
        desk.reconciler.feel_pulse()
        assert await refusal(desk) == rule

    run(story)


@pytest.mark.fault("stream-cut")
def test_new_risk_waits_from_the_loss_of_the_stream_to_a_clean_look_after_its_return(desk):
    async def story() -> None:
        await desk.start()
        desk.account.hold("KO", 10)
        desk.theirs.positions = [seen_position("KO", 10)]
        desk.reconciler.stream_changed(False)
        assert await refusal(desk) == Rule.RECONCILED
        assert await refusal(desk, sell(1)) == "ok", "exits stay possible"
        desk.theirs.positions = [seen_position("KO", 10)]
        desk.theirs.orders = [as_seen(desk.account.orders.open_orders()[0], side="sell")]
        await desk.after(40)
        assert await refusal(desk) == Rule.RECONCILED, "looks while the stream is down prove nothing"
        desk.reconciler.stream_changed(True)
        await desk.after(3)
        assert await refusal(desk, buy(1, "PEP")) == "ok"  # KO could meet its own exit

    run(story)


def test_a_broker_that_cannot_be_asked_shuts_new_risk_after_a_minute_and_opens_after_a_full_look(desk):
    async def story() -> None:
        await desk.start()
        desk.theirs.is_mute = True
        await desk.after(30 + 50)
        assert await refusal(desk) == "ok"
        desk.theirs.orders = [as_seen(record) for record in desk.account.orders.open_orders()]
        await desk.after(20)
        assert desk.open_breaks == ["incomplete account"]
        assert await refusal(desk) == Rule.RECONCILED
        desk.theirs.is_mute = False
        await desk.after(10)
        assert desk.open_breaks == []
        assert desk.theirs.looks[-1] == "full"

    run(story)


def test_a_start_without_an_answer_is_refused(desk):
    desk.theirs.is_mute = True
    desk.reconciliation._follows_activities = True
    with pytest.raises(NotReconciled, match="no complete answer"):
        run(desk.start)


def test_the_end_of_a_day_is_compared_in_full_over_the_day(desk):
    async def story() -> None:
        await desk.start()
        desk.theirs.looks.clear()
        desk.reconciler.day_ended()
        await desk.after(3)
        assert desk.theirs.looks == ["full"]
        assert desk.account.journal.of(ReconciledEvent)[-1].occasion == "day_end"

    run(story)


# -- breaks -------------------------------------------------------------------------------------------------------


@pytest.mark.fault("position-differs")
@pytest.mark.control("reconciliation")
def test_a_difference_that_lasts_shuts_its_symbol_until_a_look_is_clean(desk):
    async def story() -> None:
        await desk.start()
        desk.theirs.positions = [seen_position("KO", 5)]
        await desk.after(31)
        assert desk.open_breaks == [], "seen once only"
        await desk.after(4)
        assert desk.open_breaks == ["position KO"]
        assert await refusal(desk) == Rule.RECONCILED
        assert await refusal(desk, buy(1, symbol="PEP")) == "ok"
        desk.theirs.positions = []
        desk.theirs.orders = [as_seen(record) for record in desk.account.orders.open_orders()]
        await desk.after(31)
        assert desk.open_breaks == []
        assert await refusal(desk) == "ok"

    run(story)
    journal = desk.account.journal
    (opened,), (closed,) = journal.of(BreakOpened), journal.of(BreakClosed)
    assert (opened.found.ours, opened.found.theirs) == ("0", "5")
    assert opened.first_seen < opened.at
    assert closed.first_seen == opened.first_seen
    assert [notice.kind.value for notice in desk.notices] == ["break_opened", "break_closed"]
    assert "no new risk in KO" in desk.notices[0].message


def test_a_difference_that_is_gone_at_the_second_look_is_none(desk):
    async def story() -> None:
        await desk.start()
        desk.theirs.positions = [seen_position("KO", 5)]
        await desk.after(31)
        desk.theirs.positions = []
        await desk.after(60)

    run(story)
    assert desk.account.journal.of(BreakOpened) == []


def test_a_difference_that_moves_is_looked_at_until_it_stands_still(desk):
    """A partial fill on its way differs at every look by another number."""

    async def story() -> None:
        await desk.start()
        for shares in range(1, 12):
            desk.theirs.positions = [seen_position("KO", shares)]
            await desk.after(3)
        assert desk.open_breaks == []

    run(story)


def test_breaks_survive_a_restart_with_their_age():
    first = Reconciled()

    async def story() -> None:
        await first.start()
        first.theirs.positions = [seen_position("KO", 5)]
        await first.after(40)

    run(story)
    books = Projection()
    for number, event in enumerate(first.account.journal.events, 1):
        assert books.apply(number, event) == []
    ((found, first_seen),) = books.breaks.values()
    assert (found.subject, first_seen) == ("KO", first.account.journal.of(BreakOpened)[0].first_seen)
    agreement = Agreement()
    BreakBook(agreement, first.account.journal, first.clock, lambda _, __: None, books.breaks)
    assert "position KO" in agreement.obstacle("KO")


@pytest.mark.fault("fill-lost")
def test_a_fill_that_the_stream_lost_is_booked_from_the_history(desk):
    async def story() -> None:
        await desk.start()
        desk.account.offer()
        placed = await desk.account.orders.submit(buy(3))
        record = desk.account.record(placed.order_id)
        desk.theirs.shows(as_seen(record, status="filled", filled="3"), execution(record.order_id, 3, 3))
        desk.theirs.positions = [seen_position("KO", 3)]
        await desk.after(31)
        assert record.status is OrderStatus.FILLED
        assert desk.account.portfolio.position("KO").quantity == 3
        await desk.after(5)

    run(story)
    assert desk.account.journal.of(BreakOpened) == []
    assert len(desk.account.journal.of(FillEvent)) == 1


def test_shares_that_the_broker_counts_and_does_not_show_are_the_brokers_to_explain(desk):
    async def story() -> None:
        await desk.start()
        desk.account.offer()
        placed = await desk.account.orders.submit(buy(3))
        record = desk.account.record(placed.order_id)
        desk.theirs.shows(as_seen(record, status="partially_filled", filled="2"))
        desk.theirs.positions = [seen_position("KO", 2)]
        await desk.after(40)
        assert desk.open_breaks == [f"missing_fill {record.order_id}"]
        assert desk.account.portfolio.position("KO").quantity == 0, "no fill is invented"
        desk.theirs.shows(as_seen(record, status="partially_filled", filled="2"), execution(record.order_id, 2, 2))
        await desk.after(5 * MINUTE)
        assert desk.open_breaks == []
        assert desk.account.portfolio.position("KO").quantity == 2

    run(story)


def test_a_start_with_a_difference_is_refused_and_adopted_on_a_persons_word(desk):
    desk.theirs.positions = [seen_position("KO", 5)]
    desk.theirs.cash = D("100250")
    desk.theirs.entries = []
    with pytest.raises(NotReconciled, match="position KO, cash cash"):
        run(desk.start)
    run(lambda: desk.start("Ana"))
    assert desk.account.portfolio.position("KO").quantity == 5
    assert desk.account.portfolio.cash == D("100250")
    assert desk.account.portfolio.daily_pnl == 0
    assert desk.open_breaks == []


# -- cash ---------------------------------------------------------------------------------------------------------


@pytest.mark.fault("fees-and-transfers")
def test_entries_of_the_broker_are_booked_once_and_only_a_transfer_is_no_profit_or_loss(desk):
    async def story() -> None:
        desk.theirs.entries = [entry("0", "-7")]  # before our books: their cash was the broker's then
        await desk.start()
        desk.theirs.entries += [
            entry("1", "-1.50"),
            entry("2", "4", ActivityKind.DIVIDEND, "DIV"),
            entry("3", "500", ActivityKind.TRANSFER, "CSD"),
            entry("4", "-25", None, "REORG"),
        ]
        desk.theirs.cash = D("100502.50")
        await desk.after(11 * MINUTE)

    run(story)
    portfolio, journal = desk.account.portfolio, desk.account.journal
    assert portfolio.cash == D("100502.50")
    assert portfolio.daily_pnl == D("2.50")
    assert portfolio.peak_equity == D("100502.50")
    assert portfolio.fees == D("1.50")
    assert [booked.activity_id for booked in journal.of(ActivityBooked)] == ["1", "2", "3"]
    assert [covered.activity_ids for covered in journal.of(ActivitiesCovered)] == [("0",)]
    assert desk.open_breaks == []


@pytest.mark.parametrize(("cash", "rule"), [("99995", "ok"), ("99994.99", Rule.RECONCILED)])
@pytest.mark.fault("cash-differs")
def test_cash_beyond_the_tolerance_shuts_the_account(desk, cash, rule):
    async def story() -> None:
        await desk.start()
        desk.theirs.cash = D(cash)
        await desk.after(5 * MINUTE + 10)
        assert desk.open_breaks == ["cash cash"]
        assert await refusal(desk, buy(1, symbol="PEP")) == rule

    run(story)


# -- others on the account ----------------------------------------------------------------------------------------


@pytest.mark.fault("order-foreign")
def test_an_open_order_of_somebody_else_takes_its_room_and_is_nobodys(desk):
    async def story() -> None:
        desk.theirs.shows(seen_order("by hand", 7, limit="90"))
        await desk.start()

    run(story)
    record = desk.account.record("by hand")
    assert (record.order.strategy, record.status) == (EXTERNAL, OrderStatus.WORKING)
    assert desk.account.portfolio.holding("KO").buys == 7
    assert desk.account.portfolio.gross_worst == D("700.07"), "at the dearest price at which it can trade"
    (adopted,) = [e for e in desk.account.journal.of(OrderEvent) if e.trigger is OrderTrigger.ADOPT]
    assert adopted.order == record.order
    assert desk.open_breaks == []


def test_what_the_stream_tells_of_a_foreign_order_shuts_the_account_until_it_is_on_the_books(desk):
    async def story() -> None:
        await desk.start()
        first = execution("by hand", 4, 4)
        desk.theirs.shows(seen_order("by hand", 7, status="partially_filled", filled=4), first)
        desk.theirs.positions = [seen_position("KO", 4)]
        desk.account.broker.report("by hand", OrderTrigger.FILL_PART, execution=first)
        assert await refusal(desk, buy(1, symbol="PEP")) == Rule.RECONCILED
        await desk.after(3)
        assert await refusal(desk, buy(1, symbol="PEP")) == "ok"
        assert not desk.account.kill_switch.is_active()
        desk.account.broker.report("by hand", OrderTrigger.FILL_PART, execution=first)
        desk.account.broker.report("by hand", OrderTrigger.FILL_LAST, execution=execution("by hand", 3, 7))

    run(story)
    record = desk.account.record("by hand")
    assert record.status is OrderStatus.FILLED
    assert desk.account.portfolio.position("KO").quantity == 7
    assert [fill.strategy for fill in desk.account.journal.of(FillEvent)] == [EXTERNAL, EXTERNAL]
    books = Projection()
    for number, event in enumerate(desk.account.journal.events, 1):
        assert books.apply(number, event) == []
    assert (books.positions["KO"].quantity, books.cash) == (7, desk.account.portfolio.cash)


def test_a_foreign_order_that_came_and_went_while_a_full_look_was_due_is_booked_from_its_executions(desk):
    async def story() -> None:
        await desk.start()
        desk.theirs.shows(seen_order("by hand", 2, status="filled", filled=2), execution("by hand", 2, 2))
        desk.theirs.positions = [seen_position("KO", 2)]
        desk.theirs.cash = D("99800")
        await desk.after(5 * MINUTE + 5)
        assert desk.open_breaks == []

    run(story)
    assert desk.account.portfolio.position("KO").quantity == 2
    assert desk.account.portfolio.cash == D("99800")


def test_an_order_in_dollars_takes_the_room_of_its_dollars(desk):
    async def story() -> None:
        desk.theirs.shows(seen_order("by hand", 1, notional="1000"))
        await desk.start()

    run(story)
    assert desk.account.portfolio.gross_worst == pytest.approx(D(1000), abs=D("0.01"))
    assert desk.open_breaks == []


def test_an_order_that_nobody_can_value_shuts_its_symbol(desk):
    async def story() -> None:
        desk.theirs.shows(seen_order("by hand", 7, symbol="ZZZ"))
        with pytest.raises(NotReconciled, match="foreign_order by hand"):
            await desk.start()

    run(story)


@pytest.mark.fault("order-of-our-make")
def test_an_order_with_an_id_of_our_make_halts(desk):
    async def story() -> None:
        await desk.start()
        desk.theirs.shows(seen_order("0ca34559d7d2-9-0", 7))
        await desk.after(31)

    run(story)
    assert desk.account.kill_switch.is_active()
    assert "0ca34559d7d2-9-0" in desk.account.kill_switch.reason
    assert desk.account.orders.order("0ca34559d7d2-9-0") is None


@pytest.mark.parametrize(
    ("sold", "limit", "obstacle", "halts"),
    [(5, None, "", True), (4, None, "", False), (5, "99", "", False), (1, None, "account_blocked", True)],
)
@pytest.mark.fault("liquidated")
def test_a_broker_that_liquidates_halts_the_account(desk, sold, limit, obstacle, halts):
    """All of a position at the market, or anything at all while the broker restricts the account."""

    async def story() -> None:
        await desk.start()
        desk.account.hold("KO", 5)
        desk.theirs.obstacle = obstacle
        desk.theirs.shows(
            seen_order("theirs", sold, side="sell", status="filled", filled=sold, limit=limit),
            execution("theirs", sold, sold),
        )
        desk.theirs.positions = [seen_position("KO", 5 - sold)] if sold < 5 else []
        await desk.after(5 * MINUTE + 5)

    run(story)
    assert desk.account.kill_switch.is_active() == halts
    assert desk.account.portfolio.position("KO").quantity == 5 - sold


def test_a_position_outside_the_universe_is_marked_by_the_broker(desk):
    async def story() -> None:
        desk.account.hold("ZZZ", 5, 100)
        desk.theirs.positions = [seen_position("ZZZ", 5, "90")]
        await desk.start()

    run(story)
    assert desk.account.portfolio.position("ZZZ").mark == 90


# -- orders that are over on our books only -----------------------------------------------------------------------


def given_up(desk: Reconciled):
    """An order of ours that the broker denied so often that it is absent on our books."""
    desk.account.offer()
    desk.account.broker.answers.append("time_out")
    record = desk.account.orders.order(desk.account.submit(buy(3, limit="99.00")).order_id)
    desk.account.orders.lives.step(record, OrderTrigger.FIND_ABSENT, "denied")
    return record


def test_an_order_that_was_given_up_and_works_at_the_broker_counts_again_and_is_cancelled(desk):
    """The stream may have told of it while nobody listened; it takes its room until the cancel has worked."""
    asyncio.run(desk.start())
    record = given_up(desk)
    desk.theirs.shows(as_seen(record, status="working"))

    async def story() -> None:
        await desk.after(32)
        assert record.status is OrderStatus.WORKING
        await desk.account.orders.tend()

    asyncio.run(story())
    assert desk.account.reserved == {record.order_id: 3}
    assert desk.account.broker.cancels == [record.order_id]


def test_an_order_that_ended_on_our_books_and_works_at_the_broker_shuts_its_symbol(desk):
    asyncio.run(desk.start())
    desk.account.offer()
    record = desk.account.working(buy(3, limit="99.00"))
    desk.account.broker.cancelled(record.order_id)
    desk.theirs.shows(as_seen(record, status="working"))
    run(lambda: desk.after(35))
    assert desk.open_breaks == [f"foreign_order {record.order_id}"]
    desk.theirs.shows(as_seen(record, status="canceled"))
    run(lambda: desk.after(32))
    assert desk.open_breaks == []


def test_an_order_that_cannot_have_left_us_and_works_at_the_broker_halts(desk):
    asyncio.run(desk.start())
    desk.account.offer()
    desk.account.broker.answers.append("not_sent")
    record = desk.account.orders.order(desk.account.submit(buy(3, limit="99.00")).order_id)
    assert record.status is OrderStatus.UNSENT
    desk.theirs.shows(as_seen(record, status="working"))
    run(lambda: desk.after(35))
    assert desk.account.kill_switch.is_active()
    assert record.order_id in desk.account.kill_switch.reason
    assert desk.open_breaks == [f"foreign_order {record.order_id}"]


def test_the_shares_of_a_replaced_order_are_no_missing_fill_of_the_one_that_took_its_place(desk):
    """The broker counts them under both, and they moved the position once."""
    asyncio.run(desk.start())
    account = desk.account
    account.offer()
    old = account.working(buy(10, limit="99.00"))
    account.broker.fill(old.order_id, 4, "99.00")
    new = account.orders.order(asyncio.run(account.orders.replace(old.order_id, limit_price=D("98.00"))).order_id)
    assert (new.filled, new.chain_filled, old.status) == (0, 4, OrderStatus.REPLACED)
    desk.theirs.orders = [as_seen(old), as_seen(new, filled=4)]
    desk.theirs.positions = [seen_position("KO", 4)]
    desk.reconciler.day_ended()
    run(lambda: desk.after(40))
    assert desk.open_breaks == []
    desk.theirs.orders = [as_seen(old), as_seen(new, filled=6)]
    run(lambda: desk.after(35))
    assert desk.open_breaks == [f"missing_fill {new.order_id}", "position KO"]


def test_a_position_without_a_quote_is_valued_at_the_brokers_price_until_one_comes(desk):
    """After a restart a halted stock has no quote; without a value of the account no loss limit would ever trip."""
    portfolio = desk.account.portfolio
    portfolio.adopt("XOM", D(100), D(10_000))
    assert portfolio.unmarked == {"XOM"}
    desk.theirs.positions = [seen_position("XOM", 100, "90.00")]
    asyncio.run(desk.start())
    assert portfolio.unmarked == set()
    assert portfolio.position("XOM").mark == 90
    desk.theirs.positions = [seen_position("XOM", 100, "80.00")]
    run(lambda: desk.after(35))
    assert portfolio.position("XOM").mark == 90, "from now on the feed has the word"


def test_an_order_of_somebody_else_is_taken_over_also_while_the_disk_is_full(desk):
    """It is there already; an engine that ended because of it could not watch it."""
    asyncio.run(desk.start())
    desk.account.journal.is_full = True
    desk.account.offer()
    desk.theirs.shows(seen_order("by-hand", 5, limit="99.00"))
    run(lambda: desk.after(35))
    assert desk.account.reserved == {"by-hand": 5}


# -- corrections that nobody told ---------------------------------------------------------------------------------


def bought_ten(desk: Reconciled):
    asyncio.run(desk.start())
    desk.account.offer()
    record = desk.account.working(buy(10))
    fill = desk.account.broker.fill(record.order_id, 10, "100.00")
    desk.theirs.positions = [seen_position("KO", 10)]
    desk.theirs.shows(as_seen(record), fill)
    return record, fill


def test_a_fill_that_was_taken_back_without_a_word_is_found_when_positions_differ(desk):
    record, _ = bought_ten(desk)
    run(lambda: desk.after(3 * MINUTE))
    desk.theirs.positions = []
    desk.theirs.shows(as_seen(record, status="canceled", filled=0))
    run(lambda: desk.after(6 * MINUTE))
    assert desk.account.portfolio.positions == {}
    assert desk.account.portfolio.cash == 100_000
    assert desk.open_breaks == []
    assert any("has corrected executions" in line for line in desk.told)


def test_a_price_that_was_corrected_without_a_word_is_found_when_cash_differs(desk):
    record, fill = bought_ten(desk)
    run(lambda: desk.after(3 * MINUTE))
    desk.theirs.shows(as_seen(record), msgspec.structs.replace(fill, price=D("101.00")))
    desk.theirs.cash = D("98990.00")
    run(lambda: desk.after(6 * MINUTE))
    assert desk.account.portfolio.cash == D("98990.00")
    assert desk.open_breaks == []


def test_a_fill_that_was_made_larger_without_a_word_is_found_when_shares_are_missing(desk):
    """The broker shows more filled shares than we booked, and no execution that we do not know."""
    record, fill = bought_ten(desk)
    run(lambda: desk.after(3 * MINUTE))
    larger = msgspec.structs.replace(fill, quantity=D(12), cumulative_quantity=D(12))
    desk.theirs.positions = [seen_position("KO", 12)]
    desk.theirs.shows(as_seen(record, filled=12), larger)
    desk.account.broker.known[record.order_id] = as_seen(record, filled=12).seen
    desk.account.broker.history[record.order_id] = (larger,)
    run(lambda: desk.after(12 * MINUTE))
    assert desk.account.portfolio.position("KO").quantity == 12
    assert desk.open_breaks == []


def test_a_difference_that_no_correction_explains_is_looked_into_twice_only(desk, monkeypatch):
    asked = []

    async def nothing(*_, symbols, **__):
        asked.append(set(symbols))
        return Audited((), (), ())

    monkeypatch.setattr(reconciler, "audit", nothing)
    bought_ten(desk)
    desk.theirs.positions = [seen_position("KO", 7)]
    run(lambda: desk.after(30 * MINUTE))
    assert asked == [{"KO"}, {"KO"}]
    desk.theirs.cash = D("90000.00")
    run(lambda: desk.after(20 * MINUTE))
    assert asked[2:] == [set(), set()], "cash may differ by any order"


@pytest.mark.fault("lookup-denies", "correction")
def test_a_correction_is_found_however_often_the_broker_denied_its_order_before(desk):
    """A denial says nothing; the order is asked about again after every full look, and no other."""
    record, fill = bought_ten(desk)
    broker = desk.account.broker
    run(lambda: desk.after(3 * MINUTE))
    changed = msgspec.structs.replace(fill, quantity=D(7), cumulative_quantity=D(7))
    desk.theirs.positions = [seen_position("KO", 7)]
    desk.theirs.shows(as_seen(record, filled=7), changed)
    broker.history[record.order_id] = (changed,)
    broker.known.pop(record.order_id, None)  # it denies that there is such an order
    run(lambda: desk.after(40 * MINUTE))
    assert "position KO" in desk.open_breaks
    broker.known[record.order_id] = as_seen(record, filled=7).seen
    run(lambda: desk.after(12 * MINUTE))
    assert desk.account.portfolio.position("KO").quantity == 7
    assert desk.open_breaks == []


def test_a_fill_that_comes_while_the_history_is_read_is_not_taken_back(desk):
    """The reading is older than the fill; it says nothing about it."""
    asyncio.run(desk.start())
    desk.account.offer()
    record = desk.account.working(buy(10))
    broker = desk.account.broker
    first = broker.fill(record.order_id, 4, "100.00")
    broker.known[record.order_id] = broker.seen(record.order_id, OrderStatus.PARTIALLY_FILLED, "4")
    read = broker.executions

    async def slowly(order_id: str):
        history = await read(order_id)
        broker.fill(record.order_id, 6, "100.00")
        return history

    broker.history[record.order_id], broker.executions = (first,), slowly
    later = desk.clock.now() + timedelta(minutes=5)
    found = asyncio.run(audit(broker, desk.account.orders.lives, now=later, since=NOON - timedelta(days=1)))
    assert found == Audited((), (record.order_id,), ())
    assert desk.account.portfolio.position("KO").quantity == 10


@pytest.mark.fault("order-foreign-unseen")
def test_a_foreign_order_that_never_shows_becomes_a_break_of_the_brokers_and_is_not_asked_for_without_end(desk):
    async def story() -> None:
        await desk.start()
        desk.account.broker.report("ghost", OrderTrigger.ACCEPT)
        assert await refusal(desk, buy(1, symbol="PEP")) == Rule.RECONCILED
        await desk.after(70)
        assert desk.open_breaks == ["foreign_order ghost"]
        looks = len(desk.theirs.looks)
        await desk.after(60)
        assert len(desk.theirs.looks) - looks <= 3
        desk.theirs.shows(seen_order("ghost", 3, limit="90"))
        await desk.after(40)
        assert desk.open_breaks == []
        assert await refusal(desk, buy(2, symbol="PEP")) == "ok"

    run(story)
    (opened,) = desk.account.journal.of(BreakOpened)
    assert (opened.found.owner, opened.found.theirs) == (Owner.BROKER, "not shown when asked")


@pytest.mark.fault("order-foreign")
@pytest.mark.parametrize("ends", [True, False])
def test_a_foreign_order_that_had_filled_in_part_before_our_books_began_is_counted_for_the_rest(desk, ends):
    """What filled before is in the positions and the cash that the books began with."""
    before = execution("by hand", 4, 4, seconds=-60)
    desk.account.hold("KO", 4)

    async def story() -> None:
        desk.theirs.cash = desk.account.portfolio.cash
        desk.theirs.positions = [seen_position("KO", 4)]
        desk.theirs.shows(seen_order("by hand", 10, status="partially_filled", filled=4, limit="99"), before)
        await desk.start()
        assert desk.account.portfolio.holding("KO").buys == 6
        assert desk.open_breaks == []
        rest = execution("by hand", 6 if ends else 2, 10 if ends else 6)
        desk.account.broker.report(
            "by hand", OrderTrigger.FILL_LAST if ends else OrderTrigger.FILL_PART, execution=rest
        )
        filled = 10 if ends else 6
        status = "filled" if ends else "partially_filled"
        desk.theirs.shows(seen_order("by hand", 10, status=status, filled=filled, limit="99"), before, rest)
        desk.theirs.positions = [seen_position("KO", filled)]
        desk.theirs.cash = desk.account.portfolio.cash
        await desk.after(5 * MINUTE + 10)
        assert desk.open_breaks == []

    run(story)
    assert desk.account.portfolio.position("KO").quantity == (10 if ends else 6)
    assert len(desk.account.journal.of(FillEvent)) == 1
    events = [(number, event) for number, event in enumerate(desk.account.journal.events, 1)]
    again = record_from((number, event) for number, event in events if getattr(event, "order_id", "") == "by hand")
    assert again is not None
    assert (again.filled_before, again.chain_filled, again.room) == (4, 10 if ends else 6, 0 if ends else 4)
    books = Projection()
    differing = {found.field for number, event in events for found in books.apply(number, event)}
    assert differing == {"position KO", "cash"}, "what was held before is on nobody's record in this test"


def test_a_market_order_of_somebody_else_keeps_its_room_over_a_restart(desk):
    async def story() -> None:
        desk.theirs.shows(seen_order("by hand", 7))
        await desk.start()

    run(story)
    events = enumerate(desk.account.journal.events, 1)
    again = record_from((number, event) for number, event in events if getattr(event, "order_id", "") == "by hand")
    assert again is not None
    assert again.room_price == desk.account.record("by hand").room_price == D("100.01")
