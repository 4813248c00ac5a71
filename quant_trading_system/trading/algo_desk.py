"""The desk of the execution algorithms: starts parent orders, walks each from step to step, and ends them.

The walker decides, the desk acts: it writes the new state to the journal, hands children to the order manager
like any other order, and asks for cancels. It is driven by `step`, which whoever owns time calls at every change
of the market and at `wake_at`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from functools import partial

import msgspec

from quant_trading_system.core.clock import Clock
from quant_trading_system.core.decisions import ExecutionPlan, Rejection, Rule
from quant_trading_system.core.events import HaltLevel
from quant_trading_system.core.exceptions import (
    DuplicateOrderId,
    JournalError,
    JournalFull,
    KillSwitchActiveError,
    UnknownOrder,
)
from quant_trading_system.core.halt_scope import HaltScope
from quant_trading_system.core.ids import IntentCounter
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.core.order_state import PendingRequest
from quant_trading_system.core.orders import Order
from quant_trading_system.execution.algo import walker
from quant_trading_system.execution.algo.children import failed
from quant_trading_system.execution.algo.parent import ParentOrder, ParentState, ParentStatus, new_parent
from quant_trading_system.execution.algo.walker import Action, PlaceChild
from quant_trading_system.execution.broker import Broker
from quant_trading_system.execution.order_life import Journal
from quant_trading_system.execution.order_manager import OrderManager
from quant_trading_system.execution.side_by_side import side_by_side
from quant_trading_system.journal.parent_fold import ParentView
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.trading.algo_book import Parent, ParentBook
from quant_trading_system.trading.algo_market import AlgoMarket, seen
from quant_trading_system.trading.algo_planning import Market, PlannedParent, needs_plan, plan_of_given, plan_parent
from quant_trading_system.trading.algo_record import began, changes, later, parent_event, state_from, whole_order
from quant_trading_system.trading.planning import ExecutionPolicy

_ROUNDS = 8
"""Steps that one parent may take at one moment; each answers what became of the children of the one before."""
_ALIVE = frozenset({ParentStatus.WORKING, ParentStatus.PAUSED})


class AlgoDesk:
    """Every parent order of the account.

    Attributes:
        market: what algorithms are told of the market; `book`: the parents that are open.
    """

    def __init__(
        self,
        *,
        market: AlgoMarket,
        policy: ExecutionPolicy,
        orders: OrderManager,
        broker: Broker,
        kill_switch: KillSwitch,
        journal: Journal,
        clock: Clock,
        ids: IntentCounter,
        at_once: int = 1,
    ) -> None:
        """Join the parts; listens to `broker` after the order manager does.

        Args:
            at_once: symbols whose orders may wait for the broker's answer at the same time.
        """
        self.market = market
        self._at_once = at_once
        self._policy = policy
        self._orders = orders
        self._kill_switch = kill_switch
        self._journal = journal
        self._clock = clock
        self._ids = ids
        self.book = ParentBook(market=market, orders=orders, journal=journal, clock=clock)
        broker.subscribe(lambda update: self.book.noticed(update.client_order_id) if self.book.open else None)

    # -- reading -------------------------------------------------------------------------------------------------

    @property
    def policy(self) -> ExecutionPolicy:
        """How orders are worked when nobody says."""
        return self._policy

    @property
    def is_idle(self) -> bool:
        """No parent is open."""
        return not self.book.open

    @property
    def wake_at(self) -> datetime | None:
        """When `step` has something to do though nothing happens; None while there is no such moment."""
        if not self.book.open:
            return None
        return min((p.wake_at for p in self.book.open.values() if p.wake_at is not None), default=None)

    def parents(self) -> list[ParentState]:
        """The states of all open parents."""
        return [parent.state for parent in self.book.open.values()]

    def plans(self) -> list[tuple[ParentOrder, ExecutionPlan]]:
        """All open parents as they began."""
        return [(parent.state.order, parent.plan) for parent in self.book.open.values()]

    def state_of(self, parent_id: str) -> ParentState | None:
        """The latest state of a parent, one that ended not long ago included."""
        return self.book.state_of(parent_id)

    def is_open(self, parent_id: str) -> bool:
        """The parent has not ended."""
        return parent_id in self.book.open

    def works_on(self, symbol: str) -> bool:
        """A parent of the symbol is open."""
        return any(parent.state.order.symbol == symbol for parent in self.book.open.values())

    def parent_of(self, order_id: str) -> str:
        """Id of the parent order that an order is a slice of, empty for others."""
        return self.book.parent_of(order_id)

    def recorded(self) -> dict[str, str]:
        """Id of every open parent to ``status/filled``, as the journal has it."""
        return {name: f"{p.recorded.status}/{p.recorded.filled}" for name, p in sorted(self.book.open.items())}

    # -- beginning -----------------------------------------------------------------------------------------------

    def plan(self, order: Order, wanted: str = "", policy: ExecutionPolicy | None = None) -> PlannedParent | None:
        """A parent in the place of `order`, if an algorithm is the better way; see `plan_parent`.

        Args:
            policy: instead of the usual one, for this parent.
        """
        policy = policy or self._policy
        if not needs_plan(order, wanted, self.market.average_volume, policy):
            return None
        quote, session = self.market.quote(order.symbol), self.market.session()
        if quote is None or session is None:
            return None
        market = Market(
            quote=quote,
            session=session,
            numbers=self.market.numbers(order.symbol),
            now=self.market.now(),
            follows_volume=self.market.follows_volume(order.symbol),
            profile=self.market.profile(order.symbol),
        )
        return plan_parent(order, wanted, market, policy, self._ids.next_parent_id)

    def start(
        self, order: ParentOrder, plan: ExecutionPlan | None = None, *, cause: int | None = None
    ) -> ParentState | Rejection:
        """Begin a parent: all of it is judged by the gate, its room is kept, and it is on record with its cost.

        Args:
            order: gets a fresh id, unless it comes with the plan of `plan`.
            plan: how it is worked, and what that should cost.
            cause: the journal entry, usually a signal, that led to it.

        Returns:
            Its state, or the gate's rejection, which is on record as that of order ``{parent_id}-0``.

        Raises:
            JournalUnavailable: it cannot be recorded, and has not begun.
            KillSwitchActiveError: nothing is begun while the kill switch is active.
        """
        if plan is None:
            order, plan = self.as_given(order)
        state, rooms = new_parent(order), self._orders.rooms
        whole = whole_order(state)
        verdict = rooms.take(order.parent_id, whole, plan)
        if isinstance(verdict, Rejection):
            self._orders.lives.deny(whole, verdict, cause)
            if verdict.rule is Rule.KILL_SWITCH:
                raise KillSwitchActiveError(self._kill_switch.reason or verdict.message, verdict.order_id)
            return verdict
        base, numbers = self.market.baseline(order.symbol), self.market.numbers(order.symbol)
        begun = began(
            order,
            verdict,
            decision_price=self.market.last_close(order.symbol),
            daily_volume=numbers.volume,
            volatility=numbers.volatility,
        )
        market = seen(self.market.facts(state, base, killed=False), state)
        event = parent_event(state, changes(None, state), self._clock.now(), begun=begun, market=market)
        try:
            seq = self._journal.append(event, cause)
        except JournalError:
            rooms.give_back(order.parent_id)
            raise
        self.book.add(Parent(state, plan, seq, base))
        return state

    def as_given(self, order: ParentOrder) -> PlannedParent:
        """A parent that somebody wrote out, with a fresh id, and its plan."""
        order = msgspec.structs.replace(order, parent_id=self._ids.next_parent_id())
        return PlannedParent(order, plan_of_given(order, self.market.quote(order.symbol)))

    def take_up(self, view: ParentView) -> None:
        """Go on with a parent of an earlier process as the policy says; what it has out is in doubt until looked up."""
        known = state_from(view)
        base = self.market.baseline(view.symbol, view.others_volume, known.filled)
        parent = Parent(known, view.plan, view.seq, base)
        parent.has_room = False
        self.book.add(parent)
        parent.state = state = walker.recover(known, self._policy.after_crash)
        if state.status in _ALIVE and not self._kill_switch.is_active():
            children = {state.child_id(n): state.children[n - 1].quantity for n in state.open_children}
            left = state.order.side.sign * (state.remaining + sum(children.values()))
            price = view.plan.expected_price or ZERO
            self._orders.rooms.take_up(view.parent_id, view.symbol, left, price, children)
            parent.has_room = True

    # -- what people and strategies ask --------------------------------------------------------------------------

    def pause(self, parent_id: str, reason: str) -> None:
        """Send nothing more and cancel what is out, until `resume`; the room stays kept.

        Raises:
            UnknownOrder: no such parent is open.
            InvalidTransition: it is stopping.
        """
        self._change(parent_id, lambda state: walker.pause(state, reason))

    def resume(self, parent_id: str) -> Rejection | None:
        """Go on; where the room was given back, as after a halt, the gate judges what is left anew.

        Returns:
            The gate's rejection, and the parent stays paused; None when it goes on.

        Raises:
            UnknownOrder: no such parent is open.
            InvalidTransition: it is not paused.
            KillSwitchActiveError: the kill switch is active.
        """
        parent = self.book.require(parent_id)
        if self._kill_switch.is_active():
            raise KillSwitchActiveError(self._kill_switch.reason, parent_id)
        state = walker.resume(parent.state)
        if not parent.has_room and state.remaining:
            verdict = self._orders.rooms.take(parent_id, whole_order(state), parent.plan)
            if isinstance(verdict, Rejection):
                return verdict
        parent.has_room = True
        self._put(parent, state)
        return None

    def cancel(self, parent_id: str, reason: str) -> None:
        """Stop for good; what has filled stays. One that is stopping already is left alone.

        Raises:
            UnknownOrder: no such parent is open.
        """
        if self.book.require(parent_id).state.status in _ALIVE:
            self._change(parent_id, lambda state: walker.cancel(state, reason))

    def reduce_to(self, parent_id: str, quantity: Decimal) -> None:
        """Want less. What has filled beyond it stays.

        Raises:
            UnknownOrder: no such parent is open.
            InvalidTransition: it is stopping.
            InvalidNumber: more than is wanted now, negative, or no multiple of the lot.
        """
        before = self.book.require(parent_id).state.quantity
        self._change(parent_id, lambda state: walker.reduce_to(state, quantity))
        self._orders.rooms.reduce(parent_id, before - quantity)

    def speed_up(self, parent_id: str, factor: Decimal) -> None:
        """Trade so many times as fast from now on; see `walker.speed_up`, also for what it raises."""
        self._change(parent_id, lambda state: walker.speed_up(state, factor))

    def cancel_working(self, reason: str) -> None:
        """Stop every parent that works; a paused one has nothing out, and stays until somebody decides."""
        self._cancel_where(lambda state: state.status is ParentStatus.WORKING, reason)

    def cancel_of(self, strategy: str, reason: str) -> None:
        """Stop what a strategy began, but for exits."""
        self._cancel_where(lambda state: state.order.strategy == strategy and not state.order.reduce_only, reason)

    def cancel_covered(self, scope: HaltScope, reason: str) -> None:
        """A part of the account was halted: stop the parents that it covers."""
        self._cancel_where(lambda state: scope.covers(state.order), reason)

    def _cancel_where(self, is_meant: Callable[[ParentState], bool], reason: str) -> None:
        for parent_id in [name for name, parent in self.book.open.items() if is_meant(parent.state)]:
            self.cancel(parent_id, reason)

    def halt(self, level: HaltLevel) -> None:
        """The kill switch moved: no slice leaves any more, and no room is kept that an exit may need."""
        if level is HaltLevel.RUNNING:
            return
        for parent in list(self.book.open.values()):
            parent.is_dirty = True
            self.book.give_back_room(parent)

    def _change(self, parent_id: str, change: Callable[[ParentState], ParentState]) -> None:
        parent = self.book.require(parent_id)
        self._put(parent, change(parent.state))

    def _put(self, parent: Parent, state: ParentState) -> None:
        self.book.put(parent, state)
        parent.is_dirty = True

    # -- walking -------------------------------------------------------------------------------------------------

    async def step(self) -> None:
        """Take every parent further that has something to do; those of one symbol one after the other."""
        parents = list(self.book.open.values())
        if self._at_once == 1:
            await self._take_further(parents)
            return
        of_symbol: dict[str, list[Parent]] = {}
        for parent in filter(self.book.is_due, parents):
            of_symbol.setdefault(parent.state.order.symbol, []).append(parent)
        await side_by_side((partial(self._take_further, some) for some in of_symbol.values()), self._at_once)

    async def _take_further(self, parents: Iterable[Parent]) -> None:
        for parent in parents:
            if self.book.is_due(parent):
                try:
                    await self._advance(parent)
                except JournalFull:
                    parent.is_dirty = True
                    await self._withdraw(parent, "the journal is full")  # people have been told

    async def _advance(self, parent: Parent) -> None:
        for _ in range(_ROUNDS):
            for action in self._decide(parent):
                if isinstance(action, PlaceChild):
                    await self._place(parent, action.order)
                else:
                    await self._cancel(action.child_id, action.reason)
            if not parent.is_dirty or not self.is_open(parent.parent_id):
                return

    def _decide(self, parent: Parent) -> tuple[Action, ...]:
        """One step of the walker; its state is on record when this returns."""
        now, before = self.market.now(), parent.state
        parent.is_dirty = False
        parent.looked_at = self.market.touch(before.order.symbol)
        if parent.is_broken:
            return self.book.wind_up(parent)
        try:
            killed = self._kill_switch.is_active() or not parent.has_room  # halted, and reset since
            facts = self.market.facts(before, parent.base, killed=killed)
            found = walker.step(before, now, facts, self.book.reports(parent))
        except Exception as error:  # noqa: BLE001 - an algorithm may fail in any way; its parent stops
            return self._broke(parent, f"{type(error).__name__}: {error}")
        parent.wake_at = later(found.wake_at, now)
        self.book.put(parent, found.state)
        if found.state.status is ParentStatus.PAUSED is not before.status and not facts.killed:
            self.book.alarm(parent, f"paused: {found.state.reason}")
        return found.actions

    async def _place(self, parent: Parent, order: Order) -> None:
        self.book.owns(parent, order.client_order_id)
        parent.is_dirty = True
        if parent.state.status is not ParentStatus.WORKING:
            return  # somebody paused or stopped it since this was decided
        try:
            await self._orders.submit(order, plan=parent.plan, cause=parent.seq)
        except KillSwitchActiveError:
            return  # refused and on record; the next step sees it, and the switch
        except DuplicateOrderId as error:
            self._broke(parent, str(error))

    async def _cancel(self, child_id: str, reason: str) -> None:
        """Ask for a cancel, unless one is on its way; the order manager asks again for those that get lost."""
        record = self._orders.order(child_id)
        if record is not None and record.pending is PendingRequest.NONE:
            await self._orders.cancel(child_id, reason)

    # -- what goes wrong -----------------------------------------------------------------------------------------

    def _broke(self, parent: Parent, why: str) -> tuple[Action, ...]:
        """The algorithm raised: the parent stops, its children are cancelled, and people are told."""
        parent.is_broken = True
        self.book.alarm(parent, f"its algorithm failed: {why}")
        self.book.put(parent, failed(parent.state, f"its algorithm failed: {why}"[:500]))
        return self.book.wind_up(parent)

    async def _withdraw(self, parent: Parent, reason: str) -> None:
        """Cancels pass always, also where nothing can be recorded."""
        for number in parent.state.open_children:
            try:
                await self._orders.cancel(parent.state.child_id(number), reason)
            except (JournalError, UnknownOrder):
                continue  # the broker was asked all the same, or it never had the order
