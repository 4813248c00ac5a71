"""What people do with parent orders of a running engine: start, pause, resume, hurry, reduce and cancel them."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from quant_trading_system.core.command import Command
from quant_trading_system.core.commands import (
    CancelParent,
    Outcome,
    PauseParent,
    ReduceParent,
    Result,
    ResumeParent,
    SpeedUpParent,
    StartParent,
)
from quant_trading_system.core.decisions import ExecutionPlan, Rejection, Rule
from quant_trading_system.core.exceptions import InvalidOrder, UnknownOrder
from quant_trading_system.core.numbers import ONE, plain
from quant_trading_system.core.orders import Order, OrderType, TimeInForce
from quant_trading_system.execution.algo.parent import Algorithm, ParentLimits, ParentOrder, ParentState, ParentStatus
from quant_trading_system.execution.algo.slicing import whole_lots
from quant_trading_system.journal.approval_fold import ApprovalView
from quant_trading_system.trading.algo_planning import AUTO, EXECUTIONS, ONCE, PlannedParent
from quant_trading_system.trading.held_orders import HeldOrders
from quant_trading_system.trading.operator_orders import PATIENCE, Act, Handler, Until, asked, reason_of
from quant_trading_system.trading.planning import ExecutionPolicy
from quant_trading_system.trading.system import TradingSystem

_SHOWN = frozenset({Algorithm.ICEBERG, Algorithm.PEG})
CHOICES = tuple(sorted({*EXECUTIONS, *_SHOWN} - {"", ONCE}))
"""What `StartParent.algorithm` may say."""


class ParentOperations:
    """Carries out commands about parent orders, on the desk of the execution algorithms."""

    def __init__(self, system: TradingSystem, until: Until, held: HeldOrders) -> None:
        """Act on the parents of `system`; `held` asks people about those beyond soft limits."""
        self._system = system
        self._held = held
        self._desk = system.desk
        self._until = until

    def handlers(self) -> dict[type[Command], Handler]:
        """Who carries out what."""
        return {
            StartParent: self.start,
            PauseParent: self.pause,
            ResumeParent: self.resume,
            SpeedUpParent: self.speed_up,
            ReduceParent: self.reduce,
            CancelParent: self.cancel,
        }

    async def start(self, command: StartParent, act: Act) -> Outcome:
        """Begin a parent order: planned now, judged as a whole by the gate.

        Raises:
            InvalidOrder: the algorithm cannot take it; says why.
            KillSwitchActiveError, JournalUnavailable: as `AlgoDesk.start`.
        """
        if command.algorithm not in CHOICES:
            raise InvalidOrder("algorithm", f"{command.algorithm!r} is none of {', '.join(CHOICES)}")
        if command.symbol not in self._system.universe:
            raise InvalidOrder("symbol", f"{command.symbol} is not in the universe of this engine")
        whole_lots(command.quantity, ONE)
        planned = self._to_begin(command)
        answer = self._desk.start(planned.order, planned.plan, cause=act.seq)
        if isinstance(answer, Rejection) and answer.rule is Rule.SOFT_LIMITS:
            return asked(self._held, answer, act.by, again=lambda: self._to_begin(command))
        return self._begun(answer, planned.plan)

    async def carry_out_approved(self, view: ApprovalView, act: Act) -> Outcome:
        """Begin a parent that people have approved; the answer is that of `start`.

        Raises:
            ApprovalRefused: as `HeldOrders.start`.
            InvalidOrder, KillSwitchActiveError, JournalUnavailable: as `start`.
        """
        return self._begun(self._held.start(view, act.seq))

    def _to_begin(self, command: StartParent) -> PlannedParent:
        return self._given(command) if command.algorithm in _SHOWN else self._planned(command)

    def _begun(self, answer: ParentState | Rejection, plan: ExecutionPlan | None = None) -> Outcome:
        if isinstance(answer, Rejection):
            return Outcome(
                result=Result.REFUSED,
                message=answer.message,
                order_id=answer.order_id,
                rule=answer.rule,
                limit=answer.limit,
                actual=answer.actual,
            )
        words = f"{answer.order.parent_id} works: {_words(answer)}, until {answer.deadline:%Y-%m-%d %H:%M} UTC"
        cost = None if plan is None else plan.expected_slippage_bps
        if cost is not None:
            words += f", expected to cost {plain(cost)} bp"
        return _told(Result.DONE, words, answer)

    def _planned(self, command: StartParent) -> PlannedParent:
        whole = Order(
            symbol=command.symbol,
            side=command.side,
            quantity=command.quantity,
            order_type=OrderType.MARKET,
            time_in_force=TimeInForce.DAY,
            reduce_only=command.reduce_only,
        )
        planned = self._desk.plan(whole, command.algorithm, self._policy(command))
        if planned is None:
            why = (
                "one order is the better way, or the only one: `qts order`"
                if command.algorithm == AUTO
                else ("no algorithm can be planned now: there is no sound quote, or no time is left today")
            )
            raise InvalidOrder("algorithm", why)
        limits = planned.order.limits
        if command.limit_price is not None:
            limits = msgspec.structs.replace(limits, price=command.limit_price)
        return planned._replace(order=msgspec.structs.replace(planned.order, limits=limits))

    def _policy(self, command: StartParent) -> ExecutionPolicy:
        policy = self._desk.policy
        horizon = policy.horizon if command.minutes is None else timedelta(minutes=command.minutes)
        return msgspec.structs.replace(
            policy, horizon=horizon, participation=command.participation or policy.participation
        )

    def _given(self, command: StartParent) -> PlannedParent:
        """An iceberg or a peg needs no plan; it works until its time is over, at the latest until the close."""
        session, now = self._desk.market.session(), self._desk.market.now()
        if session is None:
            raise InvalidOrder("end", "no session is known")
        end = session.close if command.minutes is None else min(session.close, now + timedelta(minutes=command.minutes))
        participation = command.participation
        parent = ParentOrder(
            symbol=command.symbol,
            side=command.side,
            quantity=command.quantity,
            algorithm=Algorithm(command.algorithm),
            start=now,
            end=end,
            display=command.display,
            limits=ParentLimits(price=command.limit_price, participation=participation),
            reduce_only=command.reduce_only,
        )
        return self._desk.as_given(parent)

    async def pause(self, command: PauseParent, act: Act) -> Outcome:
        """Send nothing more; the answer waits until no slice is out any more.

        Raises:
            UnknownOrder, InvalidTransition: as `AlgoDesk.pause`.
        """
        self._desk.pause(command.parent_id, reason_of(command.reason, act))
        await self._until(lambda: not self._state(command.parent_id).open_children, PATIENCE)
        state = self._state(command.parent_id)
        if state.status.is_final:
            return _told(Result.REFUSED, f"{command.parent_id} ended before it could be paused: {_words(state)}", state)
        if state.open_children:
            out = plain(state.outstanding)
            return _told(Result.PENDING, f"paused; the cancel of {out} shares is not confirmed yet", state)
        return _told(Result.DONE, f"{command.parent_id} is paused and nothing of it is out: {_words(state)}", state)

    async def resume(self, command: ResumeParent, _: Act) -> Outcome:
        """Let a paused one go on.

        Raises:
            UnknownOrder, InvalidTransition, KillSwitchActiveError: as `AlgoDesk.resume`.
        """
        rejection = self._desk.resume(command.parent_id)
        state = self._state(command.parent_id)
        if rejection is None:
            return _told(Result.DONE, f"{command.parent_id} works again: {_words(state)}", state)
        return Outcome(
            result=Result.REFUSED,
            message=f"{command.parent_id} stays paused: {rejection.message}",
            parent_id=command.parent_id,
            status=state.status,
            rule=rejection.rule,
            limit=rejection.limit,
            actual=rejection.actual,
        )

    async def speed_up(self, command: SpeedUpParent, _: Act) -> Outcome:
        """Trade faster from now on.

        Raises:
            UnknownOrder, InvalidTransition, InvalidNumber: as `AlgoDesk.speed_up`.
        """
        self._desk.speed_up(command.parent_id, command.factor)
        state = self._state(command.parent_id)
        words = f"{command.parent_id} trades {plain(command.factor)} times as fast"
        if state.schedule is not None:
            words += f"; its last slice ends at {state.schedule.end:%H:%M:%S} UTC"
        return _told(Result.DONE, words, state)

    async def reduce(self, command: ReduceParent, _: Act) -> Outcome:
        """Want less.

        Raises:
            UnknownOrder, InvalidTransition, InvalidNumber: as `AlgoDesk.reduce_to`.
        """
        self._desk.reduce_to(command.parent_id, command.quantity)
        state = self._state(command.parent_id)
        return _told(Result.DONE, f"{command.parent_id} wants {plain(command.quantity)} now: {_words(state)}", state)

    async def cancel(self, command: CancelParent, act: Act) -> Outcome:
        """Stop for good; the answer waits until no slice is out any more.

        Raises:
            UnknownOrder: as `AlgoDesk.cancel`.
        """
        self._desk.cancel(command.parent_id, reason_of(command.reason, act))
        await self._until(lambda: self._state(command.parent_id).status.is_final, PATIENCE)
        state = self._state(command.parent_id)
        if not state.status.is_final:
            out = plain(state.outstanding)
            return _told(Result.PENDING, f"stopping; the cancel of {out} shares is not confirmed yet", state)
        result = Result.REFUSED if state.status is ParentStatus.COMPLETED else Result.DONE
        return _told(result, f"{command.parent_id} is {state.status}: {_words(state)}", state)

    def _state(self, parent_id: str) -> ParentState:
        state = self._desk.state_of(parent_id)
        if state is None:
            raise UnknownOrder(f"no parent order {parent_id} is open; `qts algo status` lists them", parent_id)
        return state


def _told(result: Result, message: str, state: ParentState) -> Outcome:
    return Outcome(result=result, message=message, parent_id=state.order.parent_id, status=state.status)


def _words(state: ParentState) -> str:
    order = state.order
    average = f" at {state.value / state.filled:.4f}" if state.filled else ""
    return (
        f"{order.algorithm} {order.side} {plain(state.quantity)} {order.symbol}, {plain(state.filled)} filled{average}"
    )
