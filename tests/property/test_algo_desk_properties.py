"""Parents through the real gate, order manager and books: whatever happens, no share too many and none lost."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quant_trading_system.core.decisions import Rejection
from quant_trading_system.core.exceptions import InvalidTransition, KillSwitchActiveError, OutcomeUnknown, ResetRefused
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.execution.algo.parent import ParentStatus
from quant_trading_system.execution.algo.walker import AfterCrash
from quant_trading_system.journal.replay import replay
from quant_trading_system.trading.planning import ExecutionPolicy
from tests.support.algo_desk import twap_parent
from tests.support.restart import Life

D = Decimal
QUANTITY = D(60)
ANSWERS = ("accept", "fill", "reject", "time_out", "not_sent", "silent", "accept_then_time_out", "fill_then_time_out")

EVENTS = st.one_of(
    st.tuples(st.just("pass"), st.integers(1, 400)),
    st.tuples(st.just("answer"), st.sampled_from(ANSWERS)),
    st.tuples(st.just("fill"), st.integers(1, 20)),
    st.tuples(st.sampled_from(["pass", "pass", "pass", "pass", "cancel"]), st.just(60)),
    st.tuples(
        st.sampled_from(["confirm", "halt", "reset", "pause", "resume", "speed_up", "restart", "resolve"]), st.just(0)
    ),
)


class Storm:
    """One parent, and everything that can happen to it."""

    def __init__(self, policy: AfterCrash) -> None:
        self.life = Life()
        self.life.policy = ExecutionPolicy(after_crash=policy)
        answer = self.life.begin().desk.start(twap_parent(str(QUANTITY), 6))
        assert not isinstance(answer, Rejection)
        self.parent_id = answer.order.parent_id
        self.at_broker: dict[str, Decimal] = {}

    @property
    def system(self):
        assert self.life.system is not None
        return self.life.system

    def happen(self, what: str, number) -> None:
        system, broker = self.system, self.life.broker
        if what == "pass":
            self.life.clock.move_to(self.life.clock.now() + timedelta(seconds=number))
        elif what == "answer":
            broker.answers.append(number)
        elif what == "halt":
            system.kill_switch.activate("a drill")
        elif what == "reset" and system.kill_switch.is_active():
            with suppress(ResetRefused):  # while an order is in doubt nobody may
                system.kill_switch.reset("anna", "over")
        elif what == "restart":
            self.restart()
        elif what == "resolve":
            self.resolve()
        elif what in ("fill", "confirm"):
            self.report(what, D(number))
        elif what in ("pause", "resume", "speed_up", "cancel") and system.desk.is_open(self.parent_id):
            self.ask(what)

    def ask(self, what: str) -> None:
        try:
            if what == "pause":
                self.system.desk.pause(self.parent_id, "lunch")
            elif what == "speed_up":
                self.system.desk.speed_up(self.parent_id, D("1.5"))
            elif what == "cancel":
                self.system.desk.cancel(self.parent_id, "enough")
            else:
                self.system.desk.resume(self.parent_id)
        except (InvalidTransition, KillSwitchActiveError):
            return

    @property
    def status(self) -> ParentStatus | None:
        state = self.system.desk.state_of(self.parent_id)
        return None if state is None else state.status

    def restart(self) -> None:
        """A paused one stays paused, whatever the policy says of those that work."""
        before = self.status
        self.life.again()
        if before is ParentStatus.PAUSED:
            assert self.status is ParentStatus.PAUSED

    def report(self, what: str, quantity: Decimal) -> None:
        """The broker fills or cancels the oldest child that is open by its books, in doubt or not."""
        for record in self.system.orders.open_orders():
            left = record.quantity - self.life.broker._filled.get(record.order_id, ZERO)
            if what == "confirm" and record.status is not OrderStatus.SENT:
                self.life.broker.cancelled(record.order_id)
            elif what == "fill" and left > 0:
                self.life.broker._quantity.setdefault(record.order_id, record.quantity)
                self.life.broker.fill(record.order_id, min(quantity, left), "100")
            return

    def resolve(self) -> None:
        for record in self.system.orders.open_orders():
            if record.status is OrderStatus.IN_DOUBT:
                try:
                    asyncio.run(self.system.orders.resolve(record.order_id))
                except OutcomeUnknown:
                    continue

    def step(self) -> None:
        before, sent = self.status, len(self.life.broker.orders)
        self.system.ports.quotes.put("KO", "99.99", "100.01")
        asyncio.run(self.system.engine.on_step())
        if before is not ParentStatus.WORKING:
            assert len(self.life.broker.orders) == sent  # paused, stopping or ended: nothing more leaves

    def check(self) -> None:
        """I6, by the broker's fills, by the order manager, by the parent, and by the room."""
        held = self.system.portfolio.position("KO").quantity
        out = sum((record.leaves for record in self.system.orders.open_orders()), ZERO)
        assert held == sum(self.life.broker._filled.values(), ZERO)
        assert held + out <= QUANTITY
        reserved = sum((room.leaves for _, room in self.system.portfolio.reservations()), ZERO)
        assert held + reserved <= QUANTITY
        state = self.system.desk.state_of(self.parent_id)
        if state is not None:
            assert state.filled + state.outstanding + state.remaining == QUANTITY
            assert state.filled == held
        self.life.journal.append(self.system.engine.state())

    def calm_down(self) -> None:
        """Everything is answered until the parent ends."""
        for _ in range(60):
            state = self.system.desk.state_of(self.parent_id)
            if state is None or state.status.is_final:
                return
            self.life.clock.move_to(self.life.clock.now() + timedelta(minutes=2))
            self.step()
            for record in self.system.orders.open_orders():
                self.life.broker.cancelled(record.order_id)
            self.step()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(EVENTS, max_size=40), st.sampled_from(AfterCrash))
def test_fills_and_leaves_are_the_parent_whatever_happens(events, policy):
    storm = Storm(policy)
    for what, number in events:
        storm.happen(what, number)
        storm.step()
        storm.check()
    storm.calm_down()
    storm.check()
    state = storm.system.desk.state_of(storm.parent_id)
    if state is not None:
        assert state.status.is_final
        assert state.status is not ParentStatus.FAILED
    assert list(storm.system.portfolio.reservations()) == []
    report = replay(storm.life.journal)
    assert report.agrees, report.differences
