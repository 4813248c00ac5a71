"""Carries out what people ask of a running engine: once for each key, on record, answered with the final effect.

A command is on record before anything is done about it, and its outcome afterwards. Whoever repeats a request with
the same key gets the same answer and nothing happens twice, also across a restart. Orders go through the one gate,
like every other. It runs on the engine's own loop, beside its turns, and holds none of them up.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec

from quant_trading_system.core.approval_events import ApprovalAnswer, ApprovalSubject
from quant_trading_system.core.basket_commands import CheckBasket
from quant_trading_system.core.clock import wait_for_either
from quant_trading_system.core.command import Command
from quant_trading_system.core.commands import (
    AnswerApproval,
    ArmStrategy,
    CancelAll,
    Check,
    DisarmStrategy,
    Flatten,
    Halt,
    Outcome,
    PlaceOrder,
    ProposeLimits,
    Reconcile,
    Request,
    Result,
    Stop,
)
from quant_trading_system.core.decisions import Rule
from quant_trading_system.core.events import HaltLevel
from quant_trading_system.core.exceptions import (
    JournalError,
    KillSwitchActiveError,
    KillSwitchIncomplete,
    OutcomeUnknown,
    TradingError,
)
from quant_trading_system.core.halt_scope import HaltScope
from quant_trading_system.core.operator_events import OperatorActed, OperatorAnswered, subject_of_key
from quant_trading_system.core.rebalance_commands import PreviewRebalance
from quant_trading_system.journal.store import JournalSource
from quant_trading_system.trading import operator_limits
from quant_trading_system.trading.held_orders import HeldOrders
from quant_trading_system.trading.operator_orders import PATIENCE, Act, Handler, OrderOperations
from quant_trading_system.trading.operator_parents import ParentOperations
from quant_trading_system.trading.operator_rebalance import RebalanceOperations
from quant_trading_system.trading.reconciler import Reconciler
from quant_trading_system.trading.system import TradingSystem

REMEMBERED = 1000
"""Answers that stay in memory; older ones are looked up in the journal."""
_LOOK = timedelta(milliseconds=100)
_LOOK_PATIENCE = timedelta(seconds=60)

Plain = dict[str, Any]
"""A command as plain data, as it is on record."""


class Operations:
    """Everything that people can do with a running engine."""

    def __init__(
        self,
        system: TradingSystem,
        *,
        source: JournalSource | None = None,
        reconciler: Reconciler | None = None,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        """Act on `system`.

        Args:
            source: the journal that `system` writes, to look up what was answered before; None forgets it with the
                process.
            reconciler: compares the books when asked; None where nobody does.
            wake: lets the engine look around at once.
        """
        self._system = system
        self._source = source
        self._reconciler = reconciler
        self._wake = wake
        self._news = asyncio.Event()
        self._answered: OrderedDict[str, tuple[Plain, Outcome]] = OrderedDict()
        self._running: dict[str, tuple[Command, asyncio.Future[Outcome]]] = {}
        system.ports.broker.subscribe(lambda _: self._news.set())
        system.orders.on_settled(lambda _: self._news.set())
        self._held = HeldOrders(system)
        orders = OrderOperations(system, self._until, self._held)
        parents = ParentOperations(system, self._until, self._held)
        self._orders, self._parents = orders, parents
        self._rebalances = RebalanceOperations(system, self._until, self._answer_late)
        self._handlers: dict[type[Command], Handler] = {
            **orders.handlers(),
            **parents.handlers(),
            **self._rebalances.handlers(),
            CancelAll: self._cancel_all,
            Halt: self._halt,
            Flatten: self._flatten,
            ArmStrategy: self._arm,
            DisarmStrategy: self._disarm,
            Reconcile: self._reconcile,
            ProposeLimits: self._propose,
            AnswerApproval: self._answer,
        }

    def add(self, command: type[Command], handler: Handler) -> None:
        """Let `handler` carry out commands of that kind."""
        self._handlers[command] = handler

    async def carry_out(self, request: Request) -> Outcome:
        """Do what is asked, once for its key, and tell what came of it. Raises nothing that a command can cause.

        Whoever stops waiting does not stop the work; the same key asks for its outcome again.
        """
        command, key = request.command, request.key
        if isinstance(command, Check | CheckBasket | PreviewRebalance):
            return await self._try(request, Act(None, "", request.principal))
        known = self._running.get(key)
        if known is None:
            before = self._answer_of(key)
            if before is not None:
                return before[1] if before[0] == msgspec.to_builtins(command) else _other_command(key)
            work = asyncio.ensure_future(self._once(request))
            known = self._running[key] = (command, work)
            work.add_done_callback(lambda _: self._running.pop(key, None))
        elif known[0] != command:
            return _other_command(key)
        return await asyncio.shield(known[1])

    # -- once, and on record -------------------------------------------------------------------------------------

    async def _once(self, request: Request) -> Outcome:
        command = request.command
        order_id = self._system.ids.next_order_id() if isinstance(command, PlaceOrder) else ""
        act = Act(None, order_id, request.principal, request.key)
        try:
            act = act._replace(seq=self._record(request, order_id))
        except JournalError as error:
            if not command.stops:
                return Outcome(result=Result.REFUSED, message=f"it cannot be recorded, so nothing was done: {error}")
        outcome = await self._try(request, act)
        self._remember(request.key, msgspec.to_builtins(command), outcome)
        try:
            self._note(act, outcome)
            await self._system.ports.journal.durable()
        except JournalError as error:
            message = f"{outcome.message}; the outcome could not be recorded: {error}"
            return msgspec.structs.replace(outcome, message=message)
        return outcome

    def _note(self, act: Act, outcome: Outcome) -> None:
        answered = OperatorAnswered(at=self._system.ports.clock.now(), key=act.key, outcome=outcome)
        self._system.ports.journal.append(answered, act.seq)

    def _answer_late(self, act: Act, outcome: Outcome) -> None:
        """What was pending has come to its end; whoever repeats the request with its key is told."""
        known = self._answered.get(act.key)
        if known is not None:
            self._remember(act.key, known[0], outcome)
        try:
            self._note(act, outcome)
        except JournalError:
            return  # the journal has told people; the answer is known until a restart

    def _record(self, request: Request, order_id: str) -> int:
        fields = msgspec.to_builtins(request.command)
        name = fields.pop("command")
        concerns = next(
            (fields[name] for name in ("order_id", "parent_id", "strategy", "symbol") if name in fields), ""
        )
        return self._system.ports.journal.append(
            OperatorActed(
                at=self._system.ports.clock.now(),
                key=request.key,
                principal=request.principal,
                source=request.source,
                command=name,
                fields=fields,
                concerns=order_id or concerns,
            )
        )

    async def close(self) -> None:
        """Give up what is being waited for; whoever repeats the request after a restart is told so."""
        works = [work for _, work in self._running.values()]
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)
        await self._rebalances.close()

    async def _try(self, request: Request, act: Act) -> Outcome:
        handler = self._handlers[type(request.command)]
        try:
            return await handler(request.command, act)
        except KillSwitchActiveError as error:
            message = f"the kill switch is active: {error}"
            return Outcome(
                result=Result.REFUSED, message=message, order_id=error.order_id, rule=Rule.KILL_SWITCH, status="denied"
            )
        except OutcomeUnknown as error:
            return Outcome(result=Result.PENDING, message=str(error), order_id=error.order_id)
        except JournalError as error:
            return Outcome(result=Result.REFUSED, message=f"it cannot be recorded, so nothing was done: {error}")
        except TradingError as error:
            return Outcome(result=Result.REFUSED, message=str(error))
        except Exception as error:  # noqa: BLE001 - a command of a person must not end the engine; it is answered and recorded
            message = f"it failed on the way ({error!r}); look at `qts orders` before you repeat it"
            return Outcome(result=Result.FAILED, message=message, order_id=act.order_id)
        finally:
            self._wake()

    def _remember(self, key: str, command: Plain, outcome: Outcome) -> None:
        self._answered[key] = (command, outcome)
        if len(self._answered) > REMEMBERED:
            self._answered.popitem(last=False)

    def _answer_of(self, key: str) -> tuple[Plain, Outcome] | None:
        """What a request with that key was answered, in this process or an earlier one; None for a new one."""
        known = self._answered.get(key)
        if known is not None or self._source is None:
            return known
        acted: OperatorActed | None = None
        outcome: Outcome | None = None
        for entry in self._source.about(subject_of_key(key)):
            event = entry.event
            if isinstance(event, OperatorActed):
                acted = event
            elif isinstance(event, OperatorAnswered):
                outcome = event.outcome
        if acted is None:
            return None
        return {**acted.fields, "command": acted.command}, outcome or _unanswered(acted)

    # -- waiting -------------------------------------------------------------------------------------------------

    async def _until(self, condition: Callable[[], bool], patience: timedelta) -> bool:
        clock = self._system.ports.clock
        self._wake()
        deadline = clock.monotonic() + patience.total_seconds()
        while not condition() and clock.monotonic() < deadline:
            self._news.clear()
            await wait_for_either(clock, self._news, _LOOK)
        return condition()

    # -- the account ---------------------------------------------------------------------------------------------

    async def _cancel_all(self, command: CancelAll, act: Act) -> Outcome:
        self._rebalances.stop(f"all orders were cancelled by {act.by}")
        return await self._orders.cancel_all(command, act)

    async def _halt(self, command: Halt, act: Act) -> Outcome:
        return await self._stop(HaltLevel[command.level.name], command, act)

    async def _flatten(self, command: Flatten, act: Act) -> Outcome:
        return await self._stop(HaltLevel.FLATTENING, command, act)

    async def _stop(self, level: HaltLevel, command: Stop, act: Act) -> Outcome:
        switch, scope, note = self._system.kill_switch, command.scope, ""
        try:
            switch.activate(command.reason, level=level, activated_by=act.by, scope=scope)
        except KillSwitchIncomplete as error:
            note = f"; act by hand: {error}"
        done = await self._until(lambda: self._is_carried_out(scope), PATIENCE)
        halt = switch.state.halt_of(scope)
        what = "" if scope.is_account else f" {scope}"
        words = f"{halt.level.name}{what} since {halt.at}, activation {halt.activation}"
        if done:
            words += "; every order is cancelled" if halt.level is not HaltLevel.REDUCING else "; only exits may work"
            words += " and every position is closed" if halt.level is HaltLevel.FLATTENING else ""
        else:
            left = sum(scope.covers(order.order) for order in self._system.orders.open_orders())
            held = self._system.portfolio.positions.items()
            positions = sum(scope.covers_position(symbol, position.quantity) for symbol, position in held)
            words += f"; still at it: {left} orders are open, {positions} positions are held; see `qts status`"
        result = Result.FAILED if note else Result.DONE if done else Result.PENDING
        return Outcome(result=result, message=words + note, status=halt.level.name.lower())

    def _is_carried_out(self, scope: HaltScope) -> bool:
        """A part of an account that is halted as a whole has nothing of its own to do."""
        state, halt = self._system.kill_switch.state, self._system.halt
        return halt.is_done if state.level >= HaltLevel.HALTED else halt.is_carried_out(scope)

    # -- strategies ----------------------------------------------------------------------------------------------

    async def _arm(self, command: ArmStrategy, act: Act) -> Outcome:
        engine, name = self._system.engine, command.strategy
        was_armed = engine.strategies.get(name, False)
        engine.arm(name, act.by, command.reason)
        message = f"{name} was armed already" if was_armed else f"{name} is armed; it speaks at the next bar"
        return Outcome(result=Result.DONE, message=message, status="armed")

    async def _disarm(self, command: DisarmStrategy, act: Act) -> Outcome:
        note = ""
        try:
            self._system.engine.disarm(command.strategy, act.by, command.reason)
        except JournalError as error:
            note = f"; a restart arms it again, for this could not be recorded: {error}"
        stopped = await self._orders.cancel_orders_of(command.strategy, act)
        message = f"{command.strategy} is disarmed; {stopped.message}; its exits stay{note}"
        return msgspec.structs.replace(stopped, message=message, status="disarmed")

    # -- limits --------------------------------------------------------------------------------------------------

    async def _propose(self, command: ProposeLimits, act: Act) -> Outcome:
        return operator_limits.propose(self._system.governance, command, act.by, "engine")

    async def _answer(self, command: AnswerApproval, act: Act) -> Outcome:
        governance = self._system.governance
        view = governance.approvals.find(command.approval)
        outcome = operator_limits.answer(governance, command, act.by, "engine")
        is_granted = command.answer is ApprovalAnswer.YES and outcome.result is Result.DONE
        if not is_granted or view.subject is not ApprovalSubject.ORDER:
            return outcome
        is_parent = self._held.is_parent(view)
        sent = await (self._parents if is_parent else self._orders).carry_out_approved(view, act)
        return msgspec.structs.replace(sent, message=f"{view.approval} is approved: {sent.message}")

    # -- books ---------------------------------------------------------------------------------------------------

    async def _reconcile(self, _: Reconcile, __: Act) -> Outcome:
        reconciler = self._reconciler
        if reconciler is None:
            return Outcome(result=Result.REFUSED, message="this engine compares its books at the start only")
        before = reconciler.full_looks
        reconciler.look_now()
        await self._until(lambda: reconciler.full_looks > before, _LOOK_PATIENCE)
        if reconciler.full_looks == before:
            return Outcome(result=Result.PENDING, message="the broker gave no complete answer yet; it is asked again")
        found = sorted(f"{kind.value} {subject}" for kind, subject in reconciler.breaks.open)
        if found:
            message = f"our books and the broker's differ: {', '.join(found)}; `qts reconcile` shows both sides"
        else:
            message = "our books and the broker's agree"
        return Outcome(result=Result.DONE, message=message, status="differ" if found else "agree")


def _other_command(key: str) -> Outcome:
    message = f"the key {key} was used for another command; give a new intention a new key"
    return Outcome(result=Result.REFUSED, message=message)


def _unanswered(acted: OperatorActed) -> Outcome:
    what = f" ({acted.concerns})" if acted.concerns else ""
    message = (
        f"the engine ended while it carried out {acted.command}{what} at {acted.at:%Y-%m-%d %H:%M:%S} UTC; it is not "
        "done again: look at `qts orders` and `qts algo status`, then give a new command"
    )
    return Outcome(result=Result.FAILED, message=message, order_id=acted.concerns if "order" in acted.command else "")
