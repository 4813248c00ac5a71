"""The way of a liquidation: collared slices, escalation, plans for closed and halted markets, and the broker's word."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest

from quant_trading_system.core.events import HaltLevel
from quant_trading_system.core.halt_events import LiquidationEvent, LiquidationState
from quant_trading_system.core.halt_scope import HaltScope
from quant_trading_system.core.orders import OrderSide, OrderType
from quant_trading_system.trading.closing import BY
from quant_trading_system.trading.liquidation import HaltProcedure
from tests.support.desk import Account, limits_with
from tests.support.market import NOON, JumpingClock
from tests.support.orders import buy, sell

D = Decimal
FLATTENING = HaltLevel.FLATTENING


def advance(account: Account, seconds: float = 0) -> HaltProcedure:
    asyncio.run(account.clock.advance(timedelta(seconds=seconds)))
    account.offer()
    asyncio.run(account.system.halt.advance())
    return account.system.halt


def limits_sent(account: Account) -> list[str]:
    return [str(order.limit_price) for order in account.broker.orders if order.strategy == BY]


def told(account: Account) -> list[tuple[str, str]]:
    return [(event.state.value, event.detail) for event in account.journal.of(LiquidationEvent)]


def flatten(account: Account, **scope: object) -> None:
    account.kill_switch.activate("get out", level=FLATTENING, scope=HaltScope(**scope))


def test_no_closing_order_is_a_naked_market_order():
    account = Account(limits=limits_with(allow_short=True))
    account.hold("KO", 10)
    account.hold("XOM", -10)
    flatten(account)
    advance(account)
    assert {(order.order_type, order.extended_hours) for order in account.broker.orders} == {(OrderType.LIMIT, False)}
    assert {order.symbol: str(order.limit_price) for order in account.broker.orders} == {"KO": "99.80", "XOM": "100.21"}


def test_every_slice_is_on_record_with_its_size_and_its_limit():
    account = Account()
    account.hold("KO", 10)
    flatten(account)
    advance(account)
    (sent,) = account.journal.of(LiquidationEvent)
    assert (sent.state, sent.symbol, sent.quantity, sent.limit_price) == (LiquidationState.SLICE, "KO", 10, D("99.80"))
    assert sent.detail == account.broker.orders[0].client_order_id


def test_the_patience_with_a_slice_counts_from_its_sending():
    account = Account()
    account.hold("KO", 10)
    advance(account, 100)
    flatten(account)
    advance(account)
    advance(account, 9)
    assert account.broker.cancels == []
    advance(account, 1)
    assert len(account.broker.cancels) == 1


def test_a_slice_whose_cancel_is_not_answered_is_asked_about_once_in_each_patience():
    account = Account()
    account.hold("KO", 10)
    flatten(account)
    for seconds in (0, 10, 1, 8):
        advance(account, seconds)
    assert [state for state, _ in told(account)] == ["slice", "escalated"]
    advance(account, 1)
    assert [state for state, _ in told(account)] == ["slice", "escalated", "escalated"]


def test_a_share_that_is_worth_more_than_a_slice_goes_by_itself():
    account = Account(limits=limits_with(liquidation_slice_notional=D(50)))
    account.hold("KO", 10)
    flatten(account)
    advance(account)
    assert [order.quantity for order in account.broker.orders] == [1]


def test_a_quote_that_cannot_be_right_is_waited_out():
    account = Account()
    account.hold("KO", 10)
    flatten(account)
    account.offer("100.01", "99.99", "KO")
    asyncio.run(account.system.halt.advance())
    assert account.broker.orders == []
    assert told(account) == [("waiting", "no usable quote: crossed: bid 100.01 above ask 99.99")]
    advance(account)
    assert limits_sent(account) == ["99.80"]


def test_nothing_is_flat_while_an_order_may_still_trade():
    account = Account()
    resting = account.working(buy(1, "PEP"))
    flatten(account)
    assert not advance(account).is_done
    assert told(account) == []
    account.broker.cancelled(resting.order_id)
    assert advance(account).is_done
    assert [state for state, _ in told(account)] == ["flat"]


def test_a_slice_that_does_not_fill_makes_way_for_one_that_reaches_twice_as_far_up_to_the_collar():
    account = Account()
    account.hold("KO", 10)
    flatten(account)
    account.broker.cancel_answers.extend(["confirm"] * 10)
    for _ in range(7):
        advance(account)
        advance(account, 10)
    assert limits_sent(account) == ["99.80", "99.60", "99.20", "98.40", "96.80", "95.00", "95.00"]
    first = next(detail for state, detail in told(account) if state == "escalated")
    assert first == "not filled in time; next 0.004 beyond the quote"


def test_after_a_slice_that_filled_the_next_one_begins_at_the_first_distance():
    account = Account(limits=limits_with(liquidation_slice_notional=D(500)))
    account.hold("KO", 10)
    flatten(account)
    account.broker.cancel_answers.append("confirm")
    advance(account)
    advance(account, 10)
    advance(account)
    account.broker.fill(account.broker.orders[-1].client_order_id, 5, "99.60")
    advance(account)
    assert limits_sent(account) == ["99.80", "99.60", "99.80"]


def test_outside_the_regular_session_it_closes_in_extended_hours_and_else_waits_for_the_open():
    account = Account()
    account.hold("KO", 10)
    account.clock.move_to(account.clock.now() + timedelta(hours=12))  # the night
    flatten(account)
    advance(account)
    assert account.broker.orders == []
    assert told(account)[-1] == ("waiting", "the exchange is closed; closing goes on when it opens")
    account.clock.move_to(account.clock.now() + timedelta(hours=5))  # an hour and a half after 4:00 in New York
    advance(account)
    assert [order.extended_hours for order in account.broker.orders] == [True]


def test_a_wall_clock_that_is_set_back_holds_up_no_liquidation():
    """It was an hour early, so the gate found the quotes too old; closing goes on when it is right."""
    clock = JumpingClock(NOON)
    account = Account(clock=clock)
    account.hold("KO", 10)
    clock.jump = timedelta(hours=1)
    flatten(account)
    asyncio.run(account.system.halt.advance())
    assert told(account)[-1][1].startswith("refused: max_quote_age_s")
    clock.jump = timedelta(0)
    advance(account, 5)
    assert limits_sent(account) == ["99.80"]


def test_a_symbol_that_is_halted_waits_and_holds_up_no_other():
    account = Account()
    account.hold("KO", 10)
    account.hold("PEP", 5)
    parts = msgspec.structs.replace(account.system.halt._parts, is_halted=lambda symbol: symbol == "KO")
    flatten(account)
    asyncio.run(HaltProcedure(parts).advance())
    assert [order.symbol for order in account.broker.orders] == ["PEP"]
    assert ("waiting", "trading is halted; closing goes on when it resumes") in told(account)


def test_no_more_is_sold_than_the_broker_holds():
    account = Account()
    account.hold("KO", 10)
    account.broker.holds = lambda: {"KO": D(4)}
    flatten(account)
    advance(account)
    assert [order.quantity for order in account.broker.orders] == [4]


@pytest.mark.parametrize("theirs", ["0", "-3"])
def test_a_position_that_the_broker_does_not_have_is_not_sold(theirs):
    account = Account()
    account.hold("KO", 10)
    account.broker.holds = lambda: {"KO": D(theirs)}
    flatten(account)
    procedure = advance(account)
    assert account.broker.orders == []
    assert told(account) == [("differs", f"our books hold 10, the broker shows {theirs}")]
    assert not procedure.is_done


def test_it_is_done_only_when_the_broker_shows_flat():
    account = Account()
    account.broker.holds = lambda: {"KO": D(3)}
    flatten(account)
    procedure = advance(account)
    assert not procedure.is_done
    assert told(account) == [("differs", "our books are flat, the broker shows 3 KO")]
    account.broker.holds = dict
    assert advance(account).is_done
    flat = account.journal.of(LiquidationEvent)[-1]
    assert (flat.state, flat.seconds is not None) == (LiquidationState.FLAT, True)


def test_a_broker_that_does_not_answer_holds_up_the_closing_and_nothing_else():
    account = Account()
    account.hold("KO", 10)
    resting = account.working(buy(1, "PEP"))
    account.broker.is_mute = True
    account.broker.cancel_answers.append("confirm")
    flatten(account)
    procedure = advance(account)
    assert not resting.status.is_open
    assert told(account) == [("waiting", "the broker does not show its positions")]
    account.broker.is_mute = False
    account.broker.answers.append("fill")
    advance(account)
    assert advance(account).is_done is procedure.is_done is True


def test_a_broker_that_does_not_answer_leaves_it_open_whether_all_is_flat():
    account = Account()
    account.broker.is_mute = True
    flatten(account)
    assert not advance(account).is_done
    assert told(account) == [("waiting", "the broker does not show its positions")]


# -- scopes -----------------------------------------------------------------------------------------------------------


def test_a_symbol_is_flattened_and_the_rest_goes_on():
    account = Account()
    account.hold("KO", 10)
    account.hold("PEP", 5)
    other = account.working(buy(1, "PEP"))
    flatten(account, symbol="KO")
    account.broker.answers.append("fill")
    advance(account)
    assert advance(account).is_done
    assert {name: position.quantity for name, position in account.portfolio.positions.items()} == {"PEP": 5}
    assert other.status.is_open
    assert not account.kill_switch.is_active()


def test_two_parts_are_done_when_both_are():
    account = Account()
    for symbol in ("KO", "PEP"):
        account.hold(symbol, 10)
        flatten(account, symbol=symbol)
    account.broker.answers.append("fill")
    advance(account)
    assert not advance(account).is_done
    account.broker.fill(account.broker.orders[-1].client_order_id, 10, "99.80")
    assert advance(account).is_done


def test_a_slice_is_not_taken_back_while_the_cancel_of_another_order_is_awaited():
    account = Account()
    account.hold("PEP", 10)
    resting = account.working(buy(1, limit="90.00"))
    flatten(account)
    for _ in range(3):
        advance(account)
    assert account.broker.cancels == [resting.order_id]
    assert [order.symbol for order in account.broker.orders if order.strategy == BY] == ["PEP"]


def test_a_side_is_flattened_with_the_exits_that_hold_its_shares():
    """Buys build long positions: these are closed, and the resting sale that holds their shares goes first."""
    account = Account(limits=limits_with(allow_short=True))
    account.hold("KO", 10)
    account.hold("XOM", -10)
    resting = account.working(sell(4, limit="130.00"))
    flatten(account, side=OrderSide.BUY)
    advance(account)
    assert account.broker.cancels == [resting.order_id]
    account.broker.cancelled(resting.order_id)
    advance(account)
    closings = [(o.side, o.quantity, o.symbol) for o in account.broker.orders if o.strategy == BY]
    assert closings == [(OrderSide.SELL, 10, "KO")]


def test_of_a_strategy_only_its_own_shares_are_closed():
    account = Account()
    for strategy, shares in (("alpha", 6), ("beta", 4)):
        account.broker.answers.append("fill")
        account.submit(msgspec.structs.replace(buy(shares), strategy=strategy))
    assert account.portfolio.position("KO").quantity == 10
    flatten(account, strategy="beta")
    account.broker.answers.append("fill")
    advance(account)
    assert advance(account).is_done
    assert account.portfolio.position("KO").quantity == 6
    assert account.system.tracker.attribution.of("alpha") == {"KO": D(6)}
    assert account.system.tracker.attribution.of("beta") == {}


def test_an_order_of_another_strategy_does_not_hold_up_the_closing_of_this_one():
    account = Account()
    account.broker.answers.append("fill")
    account.submit(msgspec.structs.replace(buy(4), strategy="beta"))
    account.working(msgspec.structs.replace(buy(1, limit="90.00"), strategy="alpha"))
    flatten(account, strategy="beta")
    advance(account)
    closing = account.broker.orders[-1]
    assert (closing.side, closing.quantity, closing.strategy) == (OrderSide.SELL, 4, "beta")


def test_while_all_is_halted_no_part_is_closed():
    account = Account()
    account.hold("KO", 10)
    flatten(account, symbol="KO")
    account.kill_switch.activate("stop everything")
    advance(account)
    assert account.broker.orders == []
