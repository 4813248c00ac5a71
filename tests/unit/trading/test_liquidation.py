"""After a halt: cancel, confirm; and to flatten: close, confirm. Never past flat, and again from any point."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_trading_system.core.events import HaltLevel
from quant_trading_system.core.exceptions import JournalUnavailable, KillSwitchIncomplete
from quant_trading_system.core.halt_events import CancelsConfirmed
from quant_trading_system.core.halt_scope import HaltScope
from quant_trading_system.core.order_state import OrderStatus, PendingRequest, RequestTrigger
from quant_trading_system.core.orders import OrderSide, TimeInForce
from quant_trading_system.execution.broker import BrokerPosition
from quant_trading_system.risk.latch import FileLatch
from quant_trading_system.trading.closing import BY
from quant_trading_system.trading.liquidation import HaltProcedure, emergency_liquidate
from tests.support.desk import Account, limits_with
from tests.support.market import NOON
from tests.support.orders import buy, sell

D = Decimal
REDUCING, HALTED, FLATTENING = HaltLevel.REDUCING, HaltLevel.HALTED, HaltLevel.FLATTENING


def advance(account: Account, times: int = 1) -> HaltProcedure:
    for _ in range(times):
        asyncio.run(account.system.halt.advance())
    return account.system.halt


def is_done(procedure: HaltProcedure) -> bool:
    return procedure.is_done


def closings(account: Account) -> list[str]:
    return [f"{order.side} {order.quantity} {order.symbol}" for order in account.broker.orders if order.strategy == BY]


def pass_time(account: Account, seconds: float) -> None:
    asyncio.run(account.clock.advance(timedelta(seconds=seconds)))
    account.offer()


# -- cancel, confirm ----------------------------------------------------------------------------------------------


@pytest.mark.control("cancel and confirm")
def test_a_halt_cancels_every_order_and_waits_for_the_broker_s_word():
    account = Account()
    account.hold("KO", 10)
    records = [account.working(order) for order in (buy(5), sell(4), buy(1, "PEP"))]
    account.kill_switch.activate("a test")
    procedure = advance(account)
    assert account.broker.cancels == [record.order_id for record in records]
    assert not is_done(procedure)
    assert account.journal.of(CancelsConfirmed) == []
    pass_time(account, 0.25)
    for record in records:
        account.broker.cancelled(record.order_id)
    advance(account)
    assert is_done(procedure)
    confirmed = account.journal.of(CancelsConfirmed)
    assert [(c.activation, c.orders, c.seconds) for c in confirmed] == [
        (1, tuple(sorted(r.order_id for r in records)), D("0.25"))
    ]


def test_with_nothing_open_the_halt_is_confirmed_at_once_and_once():
    account = Account()
    account.kill_switch.activate("a test")
    procedure = advance(account, times=3)
    assert is_done(procedure)
    assert [c.orders for c in account.journal.of(CancelsConfirmed)] == [()]


def test_while_running_there_is_nothing_to_do():
    account = Account()
    account.working(buy(5))
    assert is_done(advance(account))
    assert account.broker.cancels == []


def test_reducing_keeps_the_exits():
    account = Account()
    account.hold("KO", 10)
    entry, way_out = account.working(buy(5)), account.working(sell(4))
    account.kill_switch.activate("winding down", level=REDUCING)
    account.broker.cancel_answers.append("confirm")
    procedure = advance(account)
    assert account.broker.cancels == [entry.order_id]
    assert is_done(procedure)
    assert way_out.status is OrderStatus.WORKING


def test_a_higher_level_begins_anew():
    account = Account()
    account.hold("KO", 10)
    way_out = account.working(sell(4))
    account.kill_switch.activate("winding down", level=REDUCING)
    procedure = advance(account)
    assert is_done(procedure)
    account.kill_switch.activate("stop that, too")
    assert not is_done(procedure)
    account.broker.cancel_answers.append("confirm")
    advance(account)
    assert account.broker.cancels == [way_out.order_id]
    assert is_done(procedure)


def test_a_new_activation_after_a_reset_is_a_new_halt():
    account = Account()
    account.kill_switch.activate("first")
    advance(account)
    account.kill_switch.reset("ann")
    record = account.working(buy(5))
    account.kill_switch.activate("second")
    assert not is_done(advance(account))
    assert account.broker.cancels == [record.order_id]


def test_an_order_that_fills_before_its_cancel_counts_as_gone():
    account = Account()
    record = account.working(buy(5))
    account.kill_switch.activate("a test")
    advance(account)
    account.broker.fill(record.order_id, 5, "100.00")
    assert is_done(advance(account))
    assert account.portfolio.position("KO").quantity == 5


def test_an_order_in_doubt_is_not_confirmed_away():
    account = Account()
    account.broker.answers.append("time_out")
    account.submit(buy(5))
    account.kill_switch.activate("a test")
    procedure = advance(account, times=2)
    assert account.broker.cancels == ["run-1-0"]
    assert not is_done(procedure)


@pytest.mark.control("cancel and confirm")
def test_a_cancel_that_was_lost_is_asked_for_again():
    """A halt does not wait for ever for an answer that will not come."""
    account = Account()
    record = account.working(buy(5))
    account.broker.cancel_answers.extend(["time_out", "confirm"])
    account.kill_switch.activate("a test")
    advance(account, times=3)
    assert account.broker.cancels == [record.order_id]
    pass_time(account, 4.9)
    advance(account)
    assert len(account.broker.cancels) == 1
    pass_time(account, 0.1)
    assert is_done(advance(account))
    assert len(account.broker.cancels) == 2


def test_a_cancel_that_was_refused_is_asked_for_at_the_next_step():
    account = Account()
    account.working(buy(5))
    account.broker.cancel_answers.extend(["refuse", "confirm"])
    account.kill_switch.activate("a test")
    advance(account)
    assert is_done(advance(account))
    assert len(account.broker.cancels) == 2


def test_a_cancel_asked_for_before_the_halt_is_asked_for_by_the_halt_as_well():
    account = Account()
    record = account.working(buy(5))
    asyncio.run(account.orders.cancel(record.order_id))
    assert record.pending is PendingRequest.CANCEL
    account.kill_switch.activate("a test")
    advance(account)
    assert account.broker.cancels == [record.order_id] * 2


def test_a_journal_that_fails_stops_no_cancel():
    account = Account()
    records = [account.working(buy(1, symbol)) for symbol in ("KO", "PEP", "XOM")]
    account.kill_switch.activate("a test")
    account.journal.cannot_append = True
    with pytest.raises(JournalUnavailable):
        advance(account)
    assert account.broker.cancels == [record.order_id for record in records]


def test_a_halt_is_carried_out_even_when_it_could_not_be_told_to_everybody():
    """The limit trips, a listener is deaf: the error comes, and the cancels have gone out."""
    account = Account()
    account.working(buy(5))
    account.portfolio.day_start_equity = D(200_000)

    def deaf(_: object) -> None:
        raise RuntimeError("deaf")

    account.kill_switch.subscribe(deaf)
    with pytest.raises(KillSwitchIncomplete):
        account.step()
    assert account.broker.cancels == ["run-1-0"]


# -- close, confirm --------------------------------------------------------------------------------------------------


def test_flattening_closes_a_symbol_only_after_its_own_cancels_are_confirmed():
    """One order that nobody can get an answer about holds up its own symbol and no other."""
    account = Account(limits=limits_with(allow_short=True))
    account.hold("KO", 10)
    account.hold("XOM", -7)
    record = account.working(sell(1, "KO", limit="130.00"))
    account.kill_switch.activate("get out", level=FLATTENING)
    procedure = advance(account, times=2)
    assert closings(account) == ["buy 7 XOM"]
    account.broker.cancelled(record.order_id)
    advance(account)
    assert closings(account) == ["buy 7 XOM", "sell 10 KO"]
    assert all(order.reduce_only for order in account.broker.orders[1:])
    assert all(order.time_in_force is TimeInForce.DAY for order in account.broker.orders[1:])
    assert not is_done(procedure)
    for open_order in account.orders.open_orders():
        account.broker.fill(open_order.order_id, open_order.quantity, "100.00")
    assert not is_done(procedure)  # the broker has not shown it yet
    assert is_done(advance(account))
    assert account.portfolio.positions == {}


def test_nothing_is_closed_while_the_exchange_is_closed():
    """Every attempt would be refused and recorded, all night long."""
    account = Account()
    account.hold("KO", 10)
    account.clock.move_to(account.clock.now() + timedelta(hours=12))
    account.kill_switch.activate("get out", level=FLATTENING)
    assert not is_done(advance(account, times=3))
    assert account.orders.count == 0
    account.clock.move_to(account.clock.now() + timedelta(hours=12))
    account.offer()
    advance(account)
    assert closings(account) == ["sell 10 KO"]


def test_halted_and_reducing_close_nothing():
    for level in (HALTED, REDUCING):
        account = Account()
        account.hold("KO", 10)
        account.kill_switch.activate("a test", level=level)
        assert is_done(advance(account, times=3))
        assert closings(account) == []


def test_a_working_exit_is_cancelled_before_the_rest_is_closed():
    """Ten shares held and four of them being sold: what fills meanwhile is not sold twice."""
    account = Account()
    account.hold("KO", 10)
    way_out = account.working(sell(4))
    account.kill_switch.activate("get out", level=FLATTENING)
    advance(account)
    account.broker.fill(way_out.order_id, 3, "100.00")
    advance(account)
    assert closings(account) == []
    account.broker.cancelled(way_out.order_id)
    advance(account)
    assert closings(account) == ["sell 7 KO"]


def test_what_a_closing_order_leaves_is_closed_by_the_next_one():
    account = Account()
    account.hold("KO", 10)
    account.kill_switch.activate("get out", level=FLATTENING)
    advance(account)
    first = account.orders.open_orders()[0]
    account.broker.fill(first.order_id, 4, "100.00")
    advance(account, times=2)
    assert closings(account) == ["sell 10 KO"]
    account.broker.cancelled(first.order_id)
    advance(account)
    assert closings(account) == ["sell 10 KO", "sell 6 KO"]
    assert [record for record in account.orders.orders() if record.rejection] == []


def test_a_position_that_comes_after_all_was_flat_is_closed_too():
    """A fill may be late: the liquidation is not done before it is sold again."""
    account = Account()
    account.hold("KO", 10)
    account.kill_switch.activate("get out", level=FLATTENING)
    account.broker.answers.append("fill")
    procedure = advance(account, times=3)
    assert is_done(procedure)
    account.hold("PEP", 5)
    assert not is_done(procedure)
    account.broker.answers.append("fill")
    advance(account, times=2)
    assert closings(account) == ["sell 10 KO", "sell 5 PEP"]
    assert is_done(procedure)


PARTS = """
scope        level        of a   of b   bought
strategy=a   flattening   goes   stays  stays    # others may go on with their shares
side=buy     halted       stays  stays  goes     # ways out of what was bought are no purchases
side=buy     flattening   goes   goes   goes     # the exits hold the shares that are to be sold
"""


@pytest.mark.parametrize("line", PARTS.strip().splitlines()[1:], ids=lambda line: " ".join(line.split()[:2]))
def test_a_halt_of_a_part_cancels_the_exits_that_are_in_its_way_and_no_others(line):
    scope, level, *fates = line.partition("#")[0].split()
    account = Account()
    for strategy in ("a", "b"):
        account.system.tracker.attribution.apply("KO", strategy, D(10), D(20))
    account.hold("KO", 20)
    orders = [sell(4, limit="101", strategy="a"), sell(4, limit="102", strategy="b"), buy(1, "PEP", "99", strategy="b")]
    records = [account.working(order) for order in orders]
    halted = HaltScope(strategy="a") if scope == "strategy=a" else HaltScope(side=OrderSide.BUY)
    account.kill_switch.activate("a test", level=HaltLevel[level.upper()], scope=halted)
    advance(account)
    gone = ["goes" if record.order_id in account.broker.cancels else "stays" for record in records]
    assert gone == fates


def test_two_who_carry_out_a_liquidation_at_the_same_time_do_it_once():
    """The engine and an emergency command may meet while the broker is slow."""
    account = Account()
    account.hold("KO", 10)
    account.kill_switch.activate("get out", level=FLATTENING)
    parts = account.system.halt._parts

    async def slow_positions() -> tuple[BrokerPosition, ...]:
        await asyncio.sleep(0)
        return await parts.positions()

    procedure = HaltProcedure(msgspec.structs.replace(parts, positions=slow_positions))

    async def main() -> None:
        await asyncio.gather(procedure.advance(), procedure.advance())

    asyncio.run(main())
    assert closings(account) == ["sell 10 KO"]
    assert len(account.orders.orders()) == 1  # the other one did not even try


def test_a_closing_order_in_doubt_is_not_repeated():
    account = Account()
    account.hold("KO", 10)
    account.broker.answers.append("time_out")
    account.kill_switch.activate("get out", level=FLATTENING)
    procedure = advance(account, times=3)
    assert closings(account) == ["sell 10 KO"]
    assert not is_done(procedure)


def test_a_refused_closing_order_is_tried_again():
    account = Account()
    account.hold("KO", 10)
    account.clock.move_to(account.clock.now() + timedelta(seconds=16))  # quotes too old for the gate
    account.kill_switch.activate("get out", level=FLATTENING)
    advance(account)
    assert closings(account) == []
    account.offer()
    advance(account)
    assert closings(account) == []  # a refused order is not tried at every step
    account.clock.move_to(account.clock.now() + timedelta(seconds=5))
    account.offer()
    advance(account)
    assert closings(account) == ["sell 10 KO"]


def test_a_position_beyond_the_limits_of_one_order_is_closed_in_pieces():
    account = Account(limits=limits_with(max_order_notional=Decimal(500)))
    account.hold("KO", 10)
    account.kill_switch.activate("get out", level=FLATTENING)
    advance(account)
    assert closings(account) == ["sell 5 KO"]


def test_a_latch_that_becomes_unreadable_stops_the_closing_too(tmp_path):
    """Unreadable means halted, and halted sends nothing at all."""
    account = Account(latch=FileLatch(tmp_path / "kill_latch.json"))
    account.hold("KO", 10)
    account.kill_switch.activate("get out", level=FLATTENING)
    (tmp_path / "kill_latch.json").write_text("garbled")
    advance(account, times=2)
    assert account.kill_switch.level is HALTED
    assert closings(account) == []


@pytest.mark.parametrize("stage", range(5))
def test_it_goes_on_after_being_rebuilt_from_scratch(stage):
    """Whatever had been done when the process died, a new procedure looks at the truth and does the rest."""
    account = Account()
    account.hold("KO", 10)
    way_out = account.working(sell(4))
    account.kill_switch.activate("get out", level=FLATTENING)
    steps = [
        lambda: advance(account),
        lambda: account.broker.cancelled(way_out.order_id),
        lambda: advance(account),
        lambda: account.broker.fill(account.orders.open_orders()[0].order_id, 3, "100.00"),
    ]
    for step in steps[:stage]:
        step()
    reborn = _rebuilt(account)
    account.broker.answers.extend(["fill"] * 5)
    account.broker.cancel_answers.extend(["confirm"] * 5)
    for _ in range(4):
        asyncio.run(reborn.advance())
        pass_time(account, 6)
    assert is_done(reborn)
    assert account.portfolio.positions == {}
    assert account.orders.open_orders() == []
    assert sum(record.filled for record in account.orders.orders()) == 10


def _rebuilt(account: Account) -> HaltProcedure:
    return HaltProcedure(account.system.halt._parts)


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("fill"), st.integers(1, 40)),
        st.tuples(st.sampled_from(["cancel", "refuse", "advance", "rebuild", "advance"]), st.just(0)),
        st.tuples(st.sampled_from(["place"]), st.sampled_from([0, 1, 2, 3])),
    ),
    max_size=30,
)


@settings(max_examples=80)
@given(held=st.integers(-60, 60).filter(bool), exits=st.integers(0, 30), actions=ACTIONS)
def test_a_position_shrinks_and_never_passes_flat(held: int, exits: int, actions: list[tuple[str, int]]):
    """Partial fills, refusals, lost answers, restarts and working exits, in any order; then everything works again."""
    account = Account(limits=limits_with(allow_short=True))
    account.hold("KO", held)
    if exits and exits <= abs(held):
        account.working(sell(exits) if held > 0 else buy(exits))
    account.kill_switch.activate("get out", level=FLATTENING)
    procedure = account.system.halt
    left = D(abs(held))
    for action, number in actions:
        procedure = _act(account, procedure, action, number)
        now = account.portfolio.position("KO").quantity
        assert now == 0 or (now > 0) == (held > 0)
        assert abs(now) <= left
        left = abs(now)
        assert account.portfolio.holding("KO").worst_quantity == left  # whatever is open only shrinks
    _let_everything_work(account, procedure)
    assert account.portfolio.positions == {}


def _act(account: Account, procedure: HaltProcedure, action: str, number: int) -> HaltProcedure:
    open_orders = account.orders.open_orders()
    if action == "fill" and open_orders:
        account.broker.fill(open_orders[0].order_id, min(D(number), open_orders[0].leaves), "100.00")
    elif action == "cancel" and open_orders:
        account.broker.cancelled(open_orders[0].order_id)
    elif action == "refuse" and open_orders:
        account.broker.report(open_orders[0].order_id, request=RequestTrigger.REFUSED)
    elif action == "place":
        account.broker.answers.append(["accept", "reject", "time_out", "fill_then_time_out"][number])
    elif action == "rebuild":
        procedure = _rebuilt(account)
    else:
        asyncio.run(procedure.advance())
    return procedure


def _let_everything_work(account: Account, procedure: HaltProcedure) -> None:
    account.broker.answers.clear()
    account.broker.cancel_answers.clear()
    for _ in range(6):
        pass_time(account, 6)
        asyncio.run(procedure.advance())
        for record in account.orders.open_orders():
            account.broker.fill(record.order_id, record.leaves, "100.00")


# -- on command ------------------------------------------------------------------------------------------------------


def _liquidate(account: Account, **options) -> bool:
    """Run the emergency liquidation; the broker gets its turn whenever it waits."""

    async def pause(span: timedelta) -> None:
        await account.clock.advance(span)
        account.offer()

    return asyncio.run(
        emergency_liquidate(
            account.kill_switch, account.system.halt, reason="get out", authorized_by="ann", pause=pause, **options
        )
    )


def test_an_emergency_liquidation_ends_flat():
    account = Account(limits=limits_with(allow_short=True))
    account.hold("KO", 10)
    account.hold("XOM", -5)
    account.working(buy(5, "PEP"))
    account.broker.answers.extend(["fill", "fill"])
    account.broker.cancel_answers.append("confirm")
    assert _liquidate(account) is True
    assert (account.portfolio.positions, account.orders.open_orders()) == ({}, [])
    assert (account.kill_switch.level, account.kill_switch.state.by) == (FLATTENING, "ann")
    assert account.clock.now() - NOON < timedelta(seconds=5)  # whoever waits for it is told at once


def test_an_emergency_liquidation_that_does_not_get_through_says_so_and_can_be_repeated():
    account = Account()
    account.hold("KO", 10)
    account.broker.answers.extend(["reject"] * 3)
    assert _liquidate(account, give_up_after=3) is False
    assert account.kill_switch.level is FLATTENING
    account.broker.answers.append("fill")
    assert _liquidate(account) is True


def test_an_emergency_liquidation_begins_even_if_the_halt_is_incomplete():
    """A deaf listener or a full disk does not keep anybody in the market; it is reported at the end."""
    account = Account()
    account.hold("KO", 10)
    account.broker.answers.append("fill")

    def deaf(_: object) -> None:
        raise RuntimeError("deaf")

    account.kill_switch.subscribe(deaf)
    with pytest.raises(KillSwitchIncomplete, match="a listener failed"):
        _liquidate(account)
    assert account.portfolio.positions == {}
