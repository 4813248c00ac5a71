"""Bracket, OCO and OTO orders: legs are orders of their own, and exits never close more than there is."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_trading_system.app.backtesting import backtest
from quant_trading_system.app.bootstrap import Setup
from quant_trading_system.app.decision_record import decision_record
from quant_trading_system.core.book_events import GroupAlarm
from quant_trading_system.core.decisions import Rejection, Rule
from quant_trading_system.core.events import HaltLevel, OrderEvent
from quant_trading_system.core.exceptions import DuplicateOrderId, InvalidOrder, JournalUnavailable, NotReplaceable
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger
from quant_trading_system.core.orders import Order, OrderClass, TimeInForce
from quant_trading_system.execution.notices import Notice, NoticeKind
from quant_trading_system.execution.order_manager import Placed
from quant_trading_system.execution.quality import measure
from quant_trading_system.journal.projection import Projection
from quant_trading_system.journal.replay import replay
from quant_trading_system.market.bundled import load_sp500
from quant_trading_system.market.universes import sp500_20
from quant_trading_system.simulation.models import FillModel, LatencyModel
from quant_trading_system.trading.strategy import Strategy
from quant_trading_system.trading.system import TradingSystem
from tests.support.desk import Account
from tests.support.groups import LEADER, LOSS, PROFIT, bracket, oco, oto, stop_loss, take_profit
from tests.support.orders import buy, sell
from tests.support.restart import Life
from tests.support.venue_account import VenueAccount

D = Decimal
S, T = OrderStatus, OrderTrigger


class GroupAccount(Account):
    """An account that keeps what people were told."""

    def __init__(self, order: Order, *, held: int = 0, answer: str = "accept") -> None:
        super().__init__()
        self.told: list[Notice] = []
        self.orders.lives.watch.on_notice(self.told.append)
        if held:
            self.hold("KO", held)
        self.broker.answers.append(answer)
        self.submit(order)

    @property
    def statuses(self) -> list[OrderStatus]:
        return [record.status for record in self.orders.orders()]

    def pass_time(self, seconds: float) -> None:
        self.clock.move_to(self.clock.now() + timedelta(seconds=seconds))
        self.offer()
        self.step()

    def kinds(self) -> list[NoticeKind]:
        return [notice.kind for notice in self.told]


def entered(filled: int = 10, *, order: Order | None = None) -> GroupAccount:
    """A bracket whose entry has filled, and whose exits are where the broker puts them."""
    account = GroupAccount(order or bracket())
    for leg in (PROFIT, LOSS):
        account.broker.report(leg, T.HOLD)
    account.broker.fill(LEADER, filled, 100)
    if filled == 10:
        account.broker.accept(PROFIT)
    return account


def agreed(account: Account) -> Projection:
    books = Projection()
    for seq, event in enumerate(account.journal.events, 1):
        assert books.apply(seq, event) == []
    return books


def test_the_exits_of_an_oco_order_take_nothing_but_from_the_position_from_the_beginning():
    account = GroupAccount(oco(10), held=10)
    assert [record.shrinks for record in account.orders.orders()] == [True, True]


# -- who belongs together ------------------------------------------------------------------------------------------


def test_legs_are_on_record_with_names_of_their_own_before_the_first_byte_leaves():
    account = GroupAccount(bracket())
    firsts = [event for event in account.journal.of(OrderEvent) if event.order is not None]
    assert [(event.order_id, event.parent) for event in firsts] == [(LEADER, ""), (PROFIT, LEADER), (LOSS, LEADER)]
    assert account.calls.index("durable 4") < account.calls.index(f"place {LEADER}")
    assert [order.client_order_id for order in account.broker.orders] == [LEADER], "the broker is sent one order"
    profit, loss = account.record(PROFIT), account.record(LOSS)
    assert (profit.order.side, profit.order.limit_price, loss.order.stop_price) == ("sell", D(110), D(95))
    assert account.orders.count == 3
    agreed(account)


@pytest.mark.parametrize(
    ("answer", "status"),
    [("reject", S.REJECTED), ("not_sent", S.UNSENT), ("time_out", S.IN_DOUBT), ("silent", S.SENT)],
)
def test_what_happens_to_an_order_that_the_broker_never_showed_happens_to_its_legs(answer, status):
    account = GroupAccount(bracket(), answer=answer)
    assert account.statuses == [status] * 3
    assert sum(account.reserved.values()) == (10 if status.is_open else 0)
    account.pass_time(10)
    assert account.kinds() == []
    agreed(account)


def test_a_journal_that_fails_at_a_leg_sends_nothing():
    account = Account()
    append, seen = account.journal.append, list[str]()

    def failing(event, cause=None):
        if isinstance(event, OrderEvent) and event.parent:
            seen.append(event.order_id)
            raise JournalUnavailable("the disk is gone")
        return append(event, cause)

    account.journal.append = failing  # type: ignore[method-assign]
    with pytest.raises(JournalUnavailable):
        account.submit(bracket())
    assert (seen, account.broker.placed, account.reserved) == ([PROFIT], [], {})


def test_ids_of_legs_cannot_be_given_to_other_orders():
    account = GroupAccount(bracket())
    with pytest.raises(DuplicateOrderId):
        account.submit(buy(1, client_order_id=PROFIT))
    account.submit(buy(1, client_order_id="mine.sl"))
    with pytest.raises(DuplicateOrderId):
        account.submit(bracket(client_order_id="mine"))
    with pytest.raises(InvalidOrder, match="at most 125"):
        bracket(client_order_id="x" * 126)


def test_the_same_group_again_gets_the_same_answer():
    account = GroupAccount(bracket(client_order_id="mine"))
    assert account.submit(bracket(client_order_id="mine")) == Placed("mine", S.WORKING)
    assert len(account.broker.placed) == 1


def test_members_are_not_replaced():
    account = entered()
    for order_id in (LEADER, PROFIT):
        with pytest.raises(NotReplaceable):
            asyncio.run(account.orders.replace(order_id, limit_price=D(120)))


@pytest.mark.parametrize(
    ("order", "rule"),
    [
        (bracket(take_profit=take_profit("99.00"), stop_loss=stop_loss("95.00")), Rule.PRICE_COLLAR),
        (bracket(stop_loss=stop_loss("101.00")), Rule.PRICE_COLLAR),
        (bracket(take_profit=take_profit("110.001")), Rule.PRICE_TICK),
        (oto(stop_loss=stop_loss("95.001")), Rule.PRICE_TICK),
        (oco(), Rule.SELL_WITHIN_HELD),
    ],
)
def test_the_gate_looks_at_the_exits_too(order, rule):
    answer = Account().submit(order)
    assert isinstance(answer, Rejection)
    assert answer.rule is rule


# -- room ----------------------------------------------------------------------------------------------------------


def test_the_entry_counts_in_full_and_the_exits_once_for_what_they_can_close():
    account = GroupAccount(bracket())
    assert account.reserved == {LEADER: 10, PROFIT: 0, LOSS: 0}
    account.broker.fill(LEADER, 4, 100)
    assert account.reserved == {LEADER: 6, PROFIT: -4, LOSS: 0}
    account.broker.fill(LEADER, 6, 100)
    assert account.reserved == {PROFIT: -10, LOSS: 0}
    account.broker.fill(PROFIT, 3, 110)
    assert account.reserved == {PROFIT: -7, LOSS: 0}
    account.broker.cancelled(PROFIT)
    assert account.reserved == {LOSS: -7}
    agreed(account)


def test_an_oco_order_counts_its_shares_once_and_others_cannot_sell_them():
    account = GroupAccount(oco(), held=10)
    assert account.reserved == {LEADER: -10, LOSS: 0}
    assert isinstance(account.submit(sell(1)), Rejection)
    account.broker.report(LOSS, T.HOLD)
    account.broker.cancelled(LEADER)
    assert account.reserved == {LOSS: -10}


steps = st.lists(
    st.tuples(st.sampled_from([LEADER, PROFIT, LOSS, "cancel", "resize"]), st.integers(1, 10)), max_size=12
)


@settings(max_examples=60, deadline=None)
@given(steps)
def test_whatever_fills_the_room_of_the_exits_is_what_there_is_to_close(story):
    account = entered(1)
    for what, number in story:
        leader = account.record(LEADER)
        if what == "cancel":
            account.broker.cancelled((LEADER, PROFIT, LOSS)[number % 3])
        elif what == "resize":
            account.broker.report(LOSS, quantity=D(number))
        elif account.record(what).leaves >= number:
            account.broker.fill(what, number, 100)
        sold = account.record(PROFIT).filled + account.record(LOSS).filled
        selling = -sum(leaves for name, leaves in account.reserved.items() if name != LEADER)
        assert 0 <= selling <= max(leader.filled - sold, 0)
        for leg in (account.record(PROFIT), account.record(LOSS)):
            assert not (leg.status.is_open and leg.shrinks) or leg.leaves <= max(leader.filled - sold, 0)
    agreed(account)


# -- protection ----------------------------------------------------------------------------------------------------


def test_a_protected_position_alarms_nobody_until_it_is_closed():
    account = entered()
    account.pass_time(60)
    account.broker.fill(PROFIT, 4, 110)
    account.broker.report(LOSS, quantity=D(6))
    account.pass_time(60)
    account.broker.cancelled(PROFIT)
    account.broker.accept(LOSS)
    account.pass_time(1)
    account.broker.fill(LOSS, 6, 95)
    account.pass_time(60)
    assert (account.kinds(), account.statuses) == ([], [S.FILLED, S.CANCELED, S.FILLED])
    assert account.portfolio.positions == {}
    agreed(account)


@pytest.mark.parametrize("order", [bracket(), oto(), oto(stop_loss=None, take_profit=take_profit())])
def test_an_entry_that_fills_without_a_live_exit_is_told_after_two_seconds_once(order):
    account = GroupAccount(order)
    account.broker.fill(LEADER, 10, 100)
    account.pass_time(1.9)
    assert account.kinds() == []
    account.pass_time(0.1)
    account.pass_time(60)
    assert account.kinds() == [NoticeKind.PROTECTION_MISSING]
    (alarm,) = account.journal.of(GroupAlarm)
    assert (alarm.order_id, "10 KO" in alarm.reason) == (LEADER, True)


def test_an_alarm_is_over_when_the_exit_shows_up():
    account = GroupAccount(oto())
    account.broker.fill(LEADER, 10, 100)
    account.pass_time(3)
    account.broker.accept(LOSS)
    account.pass_time(1)
    assert [bool(alarm.reason) for alarm in account.journal.of(GroupAlarm)] == [True, False]


def test_a_part_that_has_filled_is_not_protected_before_the_broker_begins_the_exits():
    account = entered(4)
    account.pass_time(3)
    (notice,) = account.told
    assert (notice.kind, "only when all of the entry has filled" in notice.message) == (
        NoticeKind.PROTECTION_MISSING,
        True,
    )


def test_the_stop_loss_that_is_gone_leaves_the_position_unprotected():
    account = entered()
    account.broker.cancelled(LOSS)
    account.pass_time(3)
    assert account.kinds() == [NoticeKind.PROTECTION_MISSING]


def test_a_take_profit_that_is_gone_alone_is_told():
    account = entered(order=bracket())
    account.broker.accept(LOSS)
    account.broker.report(PROFIT, T.REJECT)
    account.pass_time(3)
    assert account.kinds() == [NoticeKind.LEG_LOST]


def test_legs_of_an_entry_that_ends_in_part_are_cancelled_when_they_are_too_large():
    account = entered(4)
    account.broker.accept(PROFIT)
    account.broker.cancelled(LEADER)
    account.pass_time(3)
    assert NoticeKind.EXITS_TOO_LARGE in account.kinds()
    assert account.broker.cancels == [PROFIT]
    account.broker.cancelled(PROFIT)
    account.pass_time(3)
    assert account.broker.cancels == [PROFIT, LOSS], "what is held for nothing goes, too"
    account.broker.cancelled(LOSS)
    account.pass_time(3)
    assert account.kinds()[-1] is NoticeKind.PROTECTION_MISSING


def test_legs_that_outlive_an_entry_that_never_filled_are_cancelled():
    account = GroupAccount(bracket(limit="99.00"))
    asyncio.run(account.orders.cancel(LEADER))
    account.broker.cancelled(LEADER)
    account.pass_time(3)
    assert account.broker.cancels == [LEADER, PROFIT, LOSS]


def test_both_exits_filled_is_told_recorded_and_freezes_the_symbol():
    account = entered()
    account.broker.fill(PROFIT, 10, 110)
    account.broker.fill(LOSS, 10, 95)
    account.pass_time(1)
    assert account.kinds() == [NoticeKind.BOTH_EXITS_FILLED]
    assert "20 shares of 10" in account.journal.of(GroupAlarm)[0].reason
    answer = account.submit(sell(1))
    assert isinstance(answer, Rejection)
    record = account.portfolio.holding("KO")
    assert "have closed 20" in record.frozen
    assert isinstance(account.submit(buy(10)), Placed), "the way out of the flipped position is open"


def test_exits_that_were_cancelled_for_another_sale_alarm_nobody_once_it_is_done():
    account = entered()
    for leg in (PROFIT, LOSS):
        account.broker.cancelled(leg)
    placed = account.submit(sell(10))
    assert isinstance(placed, Placed)
    account.broker.fill(placed.order_id, 10, 100)
    account.pass_time(60)
    assert account.kinds() == []


# -- halts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("filled", "level", "cancelled"),
    [
        (10, HaltLevel.HALTED, {PROFIT, LOSS}),
        (10, HaltLevel.REDUCING, set()),
        (0, HaltLevel.REDUCING, {LEADER, PROFIT, LOSS}),
        (4, HaltLevel.REDUCING, {LEADER, PROFIT, LOSS}),
        (4, HaltLevel.HALTED, {LEADER, PROFIT, LOSS}),
    ],
)
def test_a_halt_keeps_only_exits_that_cannot_raise_exposure_and_only_if_told(filled, level, cancelled):
    account = entered(filled) if filled else GroupAccount(bracket(limit="99.00"))
    account.kill_switch.activate("a test", level=level)
    account.step()
    assert set(account.broker.cancels) == cancelled


@pytest.mark.parametrize("keep", [True, False])
def test_cancelling_all_may_keep_the_exits(keep):
    account = entered()
    other = account.working(buy(1, limit="99.00"))
    asked = asyncio.run(account.orders.cancel_all("a test", keep_exits=keep))
    assert set(asked) == ({other.order_id} if keep else {other.order_id, PROFIT, LOSS})


def test_exits_that_a_halt_has_cancelled_leave_an_alarm():
    account = entered()
    account.kill_switch.activate("a test", level=HaltLevel.HALTED)
    account.step()
    for leg in (PROFIT, LOSS):
        account.broker.cancelled(leg)
    account.pass_time(3)
    assert account.kinds() == [NoticeKind.PROTECTION_MISSING]


# -- after a crash -------------------------------------------------------------------------------------------------


def story_of(life: Life, order: Order) -> int:
    """Send a group, fill its entry, close it; the number of entries before it began."""
    life.begin()
    begun = life.journal.head[0]
    life.submit(order)
    for leg in (PROFIT, LOSS):
        life.broker.report(leg, T.HOLD)
    life.broker.fill(LEADER, 4, 100)
    life.broker.fill(LEADER, 6, 100)
    life.broker.accept(PROFIT)
    life.broker.fill(PROFIT, 4, 110)
    life.broker.report(LOSS, quantity=D(6))
    life.broker.cancelled(PROFIT)
    life.broker.accept(LOSS)
    life.broker.fill(LOSS, 6, 95)
    return begun


def reserved(system: TradingSystem) -> dict[str, Decimal]:
    return {held.order_id: held.leaves for _, held in system.portfolio.reservations()}


def test_a_process_that_dies_at_any_entry_goes_on_with_the_whole_group():
    life = Life()
    begun = story_of(life, bracket())
    entries = list(life.journal.entries())
    for kept in range(begun + 1, len(entries) + 1):
        after = Life()
        for entry in entries[:kept]:
            after.journal.append(entry.event, entry.cause)
        system = after.again()
        leader, profit, loss = (system.orders.order(name) for name in (LEADER, PROFIT, LOSS))
        assert leader is not None, kept
        assert profit is not None, kept
        assert loss is not None, kept
        room = reserved(system)
        assert room.get(LEADER, D(0)) == 10 - leader.filled, kept
        left = leader.filled - profit.filled - loss.filled
        if system.orders.open_orders():
            assert leader.group is profit.group is loss.group is not None
            assert sum(room.values()) == (10 - leader.filled) - min(left, max(profit.leaves, loss.leaves)), kept
            assert after.broker.recognised[0] == [LEADER]
        if any(entry.event.quantity for entry in entries[:kept] if isinstance(entry.event, OrderEvent)):
            assert loss.quantity == 6
        if leader.filled == 0 and not leader.acknowledged_at:
            assert [r.status for r in (leader, profit, loss)] == [S.IN_DOUBT] * 3, kept
        assert replay(after.journal).agrees, kept


def test_ids_that_the_broker_gave_to_legs_survive_a_restart():
    life = Life()
    life.begin()
    life.submit(bracket())
    life.broker.report(PROFIT, T.HOLD)
    life.again()
    assert life.broker.recognised == ([LEADER], {PROFIT: f"venue-{PROFIT}"})


def test_an_alarm_goes_on_after_a_restart_and_ends():
    life = Life()
    system = life.begin()
    life.submit(oto())
    life.broker.fill(LEADER, 10, 100)
    life.broker.report(LOSS, T.REJECT)
    life.clock.move_to(life.clock.now() + timedelta(seconds=3))
    asyncio.run(system.orders.tend())
    again, told = life.again(), list[Notice]()
    again.orders.lives.watch.on_notice(told.append)
    life.clock.move_to(life.clock.now() + timedelta(seconds=3))
    asyncio.run(again.orders.tend())
    assert [notice.kind for notice in told] == [NoticeKind.PROTECTION_MISSING]
    life.trade(sell(10), "100")
    asyncio.run(again.orders.tend())
    alarms = [entry.event for entry in life.journal.entries(kinds=("group_alarm",))]
    assert alarms[-1].reason == ""


@pytest.mark.fault("exit-lost")
def test_a_position_without_an_exit_is_watched_after_a_restart_though_nobody_was_told_yet():
    """The process died within the two seconds; every member of the group has ended."""
    life = Life()
    life.begin()
    life.submit(oto())
    life.broker.fill(LEADER, 10, 100)
    life.broker.report(LOSS, T.REJECT)
    again, told = life.again(), list[Notice]()
    again.orders.lives.watch.on_notice(told.append)
    asyncio.run(again.orders.tend())
    assert told == []
    life.clock.move_to(life.clock.now() + timedelta(seconds=3))
    asyncio.run(again.orders.tend())
    assert [notice.kind for notice in told] == [NoticeKind.PROTECTION_MISSING]


@pytest.mark.fault("exit-lost")
def test_a_position_without_an_exit_is_told_again_every_ten_minutes():
    account = entered(order=oto())
    account.broker.report(LOSS, T.REJECT)
    account.pass_time(3)
    account.pass_time(1)
    for _ in range(3):
        account.pass_time(600)
    assert account.kinds() == [NoticeKind.PROTECTION_MISSING] * 4


def test_a_forgetful_account_keeps_a_finished_entry_as_long_as_its_exits_work():
    account = entered()
    account.orders.lives.store.remembered = 1
    for _ in range(3):
        account.broker.answers.append("fill")
        account.submit(buy(1))
    assert account.orders.lives.store.get(LEADER) is account.record(PROFIT).group.leader


# -- what people see -----------------------------------------------------------------------------------------------


def test_explain_shows_the_group_from_every_member():
    life = Life()
    story_of(life, bracket())
    for order_id in (LEADER, PROFIT, LOSS):
        record = decision_record(life.journal, order_id)
        assert [(leg.order_id, leg.filled) for leg in record.group] == [(LEADER, 10), (PROFIT, 4), (LOSS, 6)]
    assert "judged with it" in decision_record(life.journal, PROFIT).message or record.message


# -- at a venue that keeps its own books ---------------------------------------------------------------------------


def trades_at(account: VenueAccount, bid: str, ask: str) -> None:
    """The market has moved, and somebody has traded there: that is what sets stops off."""
    account.desk.quote(bid, ask, bid)
    account.board.put("KO", bid, ask)
    account.turn(0)


@pytest.mark.parametrize(("bid", "ask", "sold_by"), [("110.50", "110.54", PROFIT), ("94.00", "94.04", LOSS)])
def test_at_the_venue_one_exit_closes_and_the_other_ends(bid, ask, sold_by):
    account = VenueAccount()
    account.submit(bracket())
    assert account.record(LEADER).status is S.FILLED
    assert account.reserved == {PROFIT: -10, LOSS: 0}
    trades_at(account, bid, ask)
    assert account.record(sold_by).status is S.FILLED
    assert {account.record(leg).status for leg in (PROFIT, LOSS)} == {S.FILLED, S.CANCELED}
    assert account.reserved == {}
    account.require_agreement()


def test_at_the_venue_a_group_goes_on_after_a_restart():
    account = VenueAccount()
    account.submit(bracket())
    account.again()
    account.quote("110.50", "110.54")
    assert [account.record(order_id).status for order_id in (LEADER, PROFIT, LOSS)] == [S.FILLED, S.FILLED, S.CANCELED]
    account.require_agreement()


def test_at_the_venue_an_entry_in_parts_has_exits_when_it_is_complete():
    account = VenueAccount(fills=FillModel(participation=D("0.1")), latency=LatencyModel())
    account.submit(bracket(limit="101.00"))
    assert account.record(LEADER).status in (S.PARTIALLY_FILLED, S.FILLED)
    account.require_agreement()


def test_at_the_venue_cancelling_the_entry_ends_its_legs():
    account = VenueAccount()
    account.submit(bracket(limit="99.00"))
    asyncio.run(account.orders.cancel(LEADER))
    account.turn()
    assert [account.record(name).status for name in (LEADER, PROFIT, LOSS)] == [S.CANCELED] * 3
    account.require_agreement()


@pytest.mark.parametrize(("bid", "ask", "sold_by"), [("110.50", "110.54", "run-2-0"), ("94.00", "94.04", "run-2-0.sl")])
def test_at_the_venue_an_oco_order_closes_what_is_held(bid, ask, sold_by):
    account = VenueAccount()
    account.submit(buy(10))
    account.submit(oco())
    assert account.reserved == {"run-2-0": -10, "run-2-0.sl": 0}
    trades_at(account, bid, ask)
    assert account.record(sold_by).status is S.FILLED
    assert account.reserved == {}
    account.require_agreement()


def test_at_the_venue_flattening_ends_the_exits_before_it_closes_the_position():
    account = VenueAccount()
    account.submit(bracket())
    account.system.kill_switch.activate("a test", level=HaltLevel.FLATTENING)
    for _ in range(6):
        asyncio.run(account.system.engine.on_step())
        account.turn()
    assert account.portfolio.positions == {}
    assert {account.record(leg).status for leg in (PROFIT, LOSS)} == {S.CANCELED}
    account.require_agreement()


def test_an_entry_that_is_taken_back_after_its_exit_has_filled_freezes_the_symbol():
    account = VenueAccount()
    entry = account.submit(bracket())
    trades_at(account, "110.50", "110.54")
    (execution,) = entry.executions
    account.desk.venue.bust(execution)
    account.turn()
    assert account.portfolio.position("KO").quantity == -10
    assert "have closed 10 shares of 0" in account.portfolio.holding("KO").frozen
    asyncio.run(account.orders.tend())
    assert len(list(account.journal.entries(kinds=("group_alarm",)))) == 1
    account.require_agreement()


def test_of_a_group_only_the_order_that_was_sent_counts_for_the_quality_of_execution():
    account = VenueAccount()
    account.submit(bracket())
    trades_at(account, "110.50", "110.54")
    numbers = measure(account.orders.orders())
    assert (numbers.orders, numbers.filled, numbers.fill_rate) == (1, 1, 1)


# -- a strategy ----------------------------------------------------------------------------------------------------


class InAndOut(Strategy):
    """Buys what it does not hold, and leaves the rest to the exits."""

    def on_bar(self, market):
        for symbol in market.symbols[:4]:
            close = market.close(symbol)
            if close is not None and not market.position(symbol):
                yield buy(
                    10,
                    symbol,
                    time_in_force=TimeInForce.GTC,
                    order_class=OrderClass.BRACKET,
                    take_profit=take_profit(str((close * D("1.03")).quantize(D("0.01")))),
                    stop_loss=stop_loss(str((close * D("0.97")).quantize(D("0.01")))),
                )


def test_a_strategy_that_leaves_its_exits_to_the_broker_runs_in_a_backtest():
    prices = load_sp500(date(2021, 1, 4), date(2021, 6, 30))
    account = backtest(InAndOut(), prices, Setup(universe=sp500_20(), first_bar=60)).account
    orders = account.system.orders
    closed = [r.group for r in orders.orders() if r.group is not None and r is r.group.leader and not r.group.is_needed]
    assert len(closed) > 5
    for group in closed:
        assert (group.opened, group.closed) in ((10, 10), (0, 0))
    assert list(account.journal.entries(kinds=("group_alarm",))) == []
    assert all(held.quantity > 0 for held in account.system.portfolio.positions.values())
    report = replay(account.journal)
    assert report.agrees, report.differences
