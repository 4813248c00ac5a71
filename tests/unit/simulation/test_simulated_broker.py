"""The simulated broker keeps the promises of the `Broker` protocol."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from quant_trading_system.core.exceptions import BrokerRejected, NotSent
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger
from quant_trading_system.core.orders import Order, OrderClass, OrderSide, OrderType, TakeProfit, TimeInForce
from quant_trading_system.execution.broker import Broker, BrokerUpdate
from quant_trading_system.simulation.broker import SimulatedBroker
from quant_trading_system.simulation.fees import FeeSchedule
from quant_trading_system.simulation.models import FillModel, LatencyModel
from tests.support.venue_desk import MONDAY, VenueDesk

DELAY = LatencyModel(order=timedelta(milliseconds=30), report=timedelta(milliseconds=20))


def approved(identity: str = "mine", **fields) -> Any:
    """Stands in for what the gate hands out."""
    terms: dict[str, Any] = {
        "symbol": "KO",
        "side": OrderSide.BUY,
        "quantity": Decimal(10),
        "order_type": OrderType.MARKET,
        "time_in_force": TimeInForce.DAY,
        "client_order_id": identity,
    }
    return SimpleNamespace(order=Order(**(terms | fields)))


def ask(coroutine):
    """The answer of a method that never waits."""
    with pytest.raises(StopIteration) as answer:
        coroutine.send(None)
    return answer.value.value


class Connection:
    def __init__(self, latch=None, **options):
        self.desk = VenueDesk(**options)
        self.desk.quote()
        self.broker: Broker = SimulatedBroker(self.desk.venue, latch)
        self.heard: list[BrokerUpdate] = []
        self.broker.subscribe(self.heard.append)

    def place(self, order):
        return ask(self.broker.place(order))


def test_an_order_is_sent_first_and_reported_when_it_arrives():
    line = Connection(latency=DELAY)
    answer = line.place(approved())
    assert (answer.status, answer.quantity, answer.filled_quantity) == (OrderStatus.SENT, 10, 0)
    assert line.heard == []
    line.desk.wait(milliseconds=50)
    accepted, filled = line.heard
    assert (accepted.trigger, accepted.execution) == (OrderTrigger.ACCEPT, None)
    assert filled.trigger is OrderTrigger.FILL_LAST
    assert filled.venue_order_id == answer.venue_order_id
    assert filled.at == MONDAY.open + timedelta(milliseconds=30)
    execution = filled.execution
    assert execution is not None
    assert (execution.quantity, execution.price) == (Decimal(10), Decimal("100.02"))
    assert execution.cumulative_quantity == 10
    assert ask(line.broker.executions("mine")) == (execution,)


def test_nothing_suspends_so_it_runs_on_any_loop():
    line = Connection()
    assert asyncio.run(line.broker.place(approved())).client_order_id == "mine"


def test_a_refusal_of_the_venue_is_a_definite_no_with_its_code():
    line = Connection()
    with pytest.raises(BrokerRejected, match="not found") as caught:
        line.place(approved(symbol="NOPE"))
    assert (caught.value.order_id, caught.value.code) == ("mine", 42210000)


def test_the_latch_is_asked_last_and_nothing_leaves_while_it_holds():
    reasons = iter(["", "daily loss", ""])
    asked: list[str] = []

    def latch(approved_order):
        asked.append(approved_order.order.client_order_id)
        return next(reasons)

    line = Connection(latch=latch)
    line.place(approved("first"))
    with pytest.raises(NotSent, match="kill switch is active: daily loss") as caught:
        line.place(approved("second"))
    assert caught.value.order_id == "second"
    assert line.desk.venue.find("second") is None
    line.place(approved("second"))
    assert asked == ["first", "second", "second"]


def test_cancels_go_through_and_refusals_come_back():
    line = Connection()
    line.place(approved(order_type=OrderType.LIMIT, limit_price=Decimal(90)))
    ask(line.broker.cancel("mine"))
    with pytest.raises(BrokerRejected, match="pending cancel") as caught:
        ask(line.broker.cancel("mine"))
    assert (caught.value.order_id, caught.value.code) == ("mine", 42210000)
    line.desk.wait()
    assert [update.trigger for update in line.heard] == [OrderTrigger.ACCEPT, OrderTrigger.CANCEL]
    assert line.heard[-1].reason == "cancelled on request"


def test_what_can_be_read():
    line = Connection(fills=FillModel(participation=Decimal("0.1")), fees=FeeSchedule.zero())
    line.desk.quote(volume="40")
    line.place(approved())
    line.desk.wait()
    (order,) = ask(line.broker.open_orders())
    assert order == ask(line.broker.find("mine"))
    assert (order.status, order.filled_quantity, order.average_price) == (
        OrderStatus.PARTIALLY_FILLED,
        4,
        Decimal("100.02"),
    )
    (position,) = ask(line.broker.positions())
    assert (position.symbol, position.quantity, position.average_price) == ("KO", 4, Decimal("100.02"))
    account = ask(line.broker.account())
    assert (account.account_id, account.cash) == ("simulated", 100_000 - 4 * Decimal("100.02"))
    assert account.equity == account.cash + 400
    assert ask(line.broker.find("nobody")) is None
    assert ask(line.broker.executions("nobody")) == ()


def test_a_dollar_order_has_the_quantity_that_it_traded():
    line = Connection()
    line.place(approved(quantity=Decimal(0), notional=Decimal(100)))
    assert ask(line.broker.find("mine")).quantity == 0
    line.desk.wait()
    found = ask(line.broker.find("mine"))
    assert found.quantity == found.filled_quantity == Decimal("0.999800039")


def test_what_the_venue_does_not_offer_is_told_beforehand():
    broker = Connection().broker
    group = approved(order_class=OrderClass.OTO, take_profit=TakeProfit(limit_price=Decimal(110))).order
    late = approved(order_type=OrderType.LIMIT, limit_price=Decimal(90), extended_hours=True).order
    assert broker.unsupported(approved().order) == ""
    assert broker.unsupported(group) == ""
    assert "regular session only" in broker.unsupported(late)


def test_what_the_exchange_decides_afterwards_is_told_with_the_whole_history():
    line = Connection()
    line.place(approved())
    line.desk.wait()
    heard = len(line.heard)
    (execution,) = ask(line.broker.executions("mine"))
    line.desk.venue.bust(execution.execution_id)
    line.desk.wait()
    (told,) = line.heard[heard:]
    assert (told.trigger, told.execution, told.history) == (None, None, ())
    assert ask(line.broker.executions("mine")) == ()
    assert ask(line.broker.positions()) == ()
