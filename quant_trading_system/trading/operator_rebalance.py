"""What people do with the whole portfolio of a running engine: preview a rebalance, have it approved, and trade it.

Sells leave first. Buys are planned again from what the books say once the sells have filled, so a sale that fell short
is never spent. The trades of a side are judged together before the first of them leaves: all that take new risk may, or
none of them. What is not done by then is told and not tried again: whoever asked decides.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple

import msgspec

from quant_trading_system.core.approval_events import ApprovalEnded, ApprovalOutcome, ApprovalSubject
from quant_trading_system.core.command import Command
from quant_trading_system.core.commands import Outcome, Result
from quant_trading_system.core.decisions import ExecutionPlan, Rejection
from quant_trading_system.core.exceptions import (
    InvalidOrder,
    JournalError,
    KillSwitchActiveError,
    OutcomeUnknown,
    TradingError,
)
from quant_trading_system.core.numbers import ZERO, plain
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.core.orders import Order
from quant_trading_system.core.rebalance_commands import PreviewRebalance, Rebalance, RebalanceTicket
from quant_trading_system.core.rebalance_shown import RebalanceShown
from quant_trading_system.execution.algo.parent import ParentStatus
from quant_trading_system.journal.approval_fold import ApprovalView
from quant_trading_system.risk.approvals import content_hash
from quant_trading_system.risk.basket import first_refusal, judge_basket
from quant_trading_system.trading.algo_planning import EXECUTIONS
from quant_trading_system.trading.operator_orders import Act, Handler, Until
from quant_trading_system.trading.planning import ExecutionPolicy, plan_order
from quant_trading_system.trading.rebalance import Line, RebalancePlan, Trade, plan_rebalance
from quant_trading_system.trading.rebalance_risk import shown_with_risk
from quant_trading_system.trading.system import TradingSystem

PATIENCE = timedelta(seconds=20)
"""How long an answer waits for the last fill; afterwards the work goes on and the same key asks for its outcome."""
_LOOK = timedelta(minutes=1)

Answer = Callable[[Act, Outcome], None]
"""Takes the final outcome of what was answered as pending before."""


class _Sent(NamedTuple):
    """One trade that is under way: the id of its order or parent, and what it is in words."""

    trade: str
    order_id: str
    is_parent: bool


class _Wanted(NamedTuple):
    """One trade of a side: signed shares."""

    symbol: str
    change: Decimal


class _Given(NamedTuple):
    """A rebalance that waits for approval."""

    command: Rebalance
    act: Act


class RebalanceOperations:
    """Carries out commands about the portfolio as a whole, one at a time."""

    def __init__(self, system: TradingSystem, until: Until, answer: Answer) -> None:
        """Act on `system`; what an earlier process left waiting for approval is withdrawn, for it is not known here."""
        self._system = system
        self._until = until
        self._answer = answer
        self._waiting: dict[str, _Given] = {}
        self._work: asyncio.Task[Outcome] | None = None
        self._stop = ""
        approvals = system.governance.approvals
        for view in approvals.waiting:
            if view.subject is ApprovalSubject.REBALANCE:
                approvals.withdraw(view.approval, by="engine", reason="the engine was restarted; ask for it again")
        approvals.on_ended(self._approval_ended)

    def handlers(self) -> dict[type[Command], Handler]:
        """Who carries out what."""
        return {PreviewRebalance: self.preview, Rebalance: self.rebalance}

    async def preview(self, command: PreviewRebalance, _: Act) -> Outcome:
        """The plan as of now; nothing is sent.

        Raises:
            InvalidOrder: a symbol or an execution that this engine does not know, open orders, or no sound quote.
            ConfigurationError, MarketDataError: as `plan_rebalance`.
        """
        shown = self._shown(self._planned(command))
        return Outcome(result=Result.DONE, message=f"would {_words(shown)}", rebalance=shown)

    async def rebalance(self, command: Rebalance, act: Act) -> Outcome:
        """Trade to the weights, or have people asked first where the policy wants that.

        Raises:
            InvalidOrder, ConfigurationError, MarketDataError: as `preview`; or another rebalance is under way.
            KillSwitchActiveError: nothing is begun while the kill switch is active.
            ApprovalRefused: there are not so many persons who may approve.
        """
        if self._is_busy:
            raise InvalidOrder("rebalance", "another one is under way; `qts cancel --all` stops it")
        switch = self._system.kill_switch
        if switch.is_active():
            raise KillSwitchActiveError(switch.reason)
        shown = self._shown(self._planned(command))
        if not any(trade.change for trade in shown.trades):
            return Outcome(
                result=Result.DONE, message="nothing to trade: every position is there already", rebalance=shown
            )
        if self._policy.rebalance_approvals:
            return self._ask_people(command, act, shown)
        work = self._begin(command, act, shown)
        await self._until(work.done, PATIENCE)
        if work.done():
            return work.result()
        work.add_done_callback(lambda done: self._answer_late(act, done))
        message = f"under way: {_words(shown)}; ask again with the same key, or see `qts orders`"
        return Outcome(result=Result.PENDING, message=message, rebalance=shown)

    def stop(self, reason: str) -> None:
        """Send nothing more of the one that is under way."""
        if self._is_busy:
            self._stop = self._stop or reason

    async def close(self) -> None:
        """The engine ends: what is out stays as it is."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)

    @property
    def _is_busy(self) -> bool:
        return self._work is not None and not self._work.done()

    @property
    def _policy(self) -> ExecutionPolicy:
        return self._system.desk.policy

    # -- approval ------------------------------------------------------------------------------------------------

    def _ask_people(self, command: Rebalance, act: Act, shown: RebalanceShown) -> Outcome:
        governance = self._system.governance
        text = f"rebalance to {_targets(command)}: {_words(shown)}"
        view = governance.approvals.ask(
            ApprovalSubject.REBALANCE,
            text=text[:500],
            content=content_hash(msgspec.json.encode(command).decode()),
            asked_by=act.by,
            needed=self._policy.rebalance_approvals,
            lasts=timedelta(seconds=int(governance.limits.approval_expiry_s)),
        )
        self._waiting[view.approval] = _Given(command, act)
        message = f"{view.approval} waits for {view.needed} to approve it: {_words(shown)}"
        return Outcome(result=Result.PENDING, message=message, rebalance=shown)

    def _approval_ended(self, view: ApprovalView, ended: ApprovalEnded) -> None:
        given = self._waiting.pop(view.approval, None)
        if given is None:
            return
        command, act = given
        if ended.outcome is not ApprovalOutcome.GRANTED:
            why = f": {ended.reason}" if ended.reason else ""
            message = f"{view.approval} is {ended.outcome}{why}; nothing was traded"
            self._answer(act, Outcome(result=Result.REFUSED, message=message))
            return
        try:
            if self._is_busy:
                raise InvalidOrder("rebalance", "another one is under way; ask for this one again")
            work = self._begin(command, act, self._shown(self._planned(command)))
        except TradingError as error:
            message = f"{view.approval} is approved and cannot be traded now: {error}; nothing was traded"
            self._answer(act, Outcome(result=Result.REFUSED, message=message))
            return
        work.add_done_callback(lambda done: self._answer_late(act, done))

    def _answer_late(self, act: Act, work: asyncio.Task[Outcome]) -> None:
        if not work.cancelled():
            self._answer(act, work.result())

    # -- planning ------------------------------------------------------------------------------------------------

    def _planned(self, command: RebalanceTicket) -> RebalancePlan:
        """The plan as of now."""
        if command.execution not in EXECUTIONS:
            known = ", ".join(sorted(filter(None, EXECUTIONS)))
            raise InvalidOrder("execution", f"{command.execution!r} is none of {known}")
        portfolio, policy = self._system.portfolio, self._policy
        band = policy.drift_band if command.drift_band is None else command.drift_band
        held = () if command.keep_others else portfolio.positions
        return plan_rebalance(
            command.weights,
            [self._line(symbol) for symbol in dict.fromkeys([*command.weights, *held])],
            equity=portfolio.equity,
            cash=portfolio.cash,
            policy=msgspec.structs.replace(policy, drift_band=band),
            cash_kept=command.cash_kept,
        )

    def _line(self, symbol: str) -> Line:
        system = self._system
        instrument, quote = system.universe.get_instrument(symbol), system.desk.market.quote(symbol)
        if instrument is None:
            raise InvalidOrder("weights", f"{symbol} is not in the universe of this engine")
        if system.orders.open_orders(symbol) or system.desk.works_on(symbol):
            raise InvalidOrder("weights", f"orders of {symbol} are open; `qts cancel --symbol {symbol}` first, or wait")
        if quote is None:
            raise InvalidOrder("weights", f"there is no sound and fresh quote of {symbol}")
        held = system.portfolio.position(symbol).quantity
        return Line(symbol=symbol, bid=quote.bid, ask=quote.ask, held=held, lot=instrument.lot)

    def _shown(self, plan: RebalancePlan) -> RebalanceShown:
        return shown_with_risk(plan, self._system.portfolio.equity, self._system.ports.returns)

    # -- trading -------------------------------------------------------------------------------------------------

    def _begin(self, command: Rebalance, act: Act, shown: RebalanceShown) -> asyncio.Task[Outcome]:
        self._stop = ""
        self._work = asyncio.ensure_future(self._trade(command, act, shown))
        return self._work

    async def _trade(self, command: Rebalance, act: Act, shown: RebalanceShown) -> Outcome:
        """Sells, then buys, then the other side of what had to go flat first; ends where something is not done."""
        sent: list[_Sent] = []
        left = {trade.symbol: trade.change for trade in shown.trades if trade.change}
        problem = ""
        for sign in (-1, 1, -1, 1):
            symbols = [symbol for symbol, change in left.items() if change * sign > 0]
            if not symbols or problem:
                continue
            out, problem = await self._send(command, act, symbols, sign)
            sent += out
            problem = await self._settle(out) or problem
            crossed = {symbol for symbol in symbols if self._is_to_cross(command, symbol)}
            left = {symbol: change for symbol, change in left.items() if symbol not in symbols or symbol in crossed}
        ids = tuple(item.order_id for item in sent)
        told = f"{len(sent)} orders, turnover {shown.turnover:.2%}"
        if problem:
            message = f"not all of it was done ({told}): {problem}; ask for the rebalance again when that is settled"
            return Outcome(result=Result.FAILED, message=message, orders=ids, rebalance=shown)
        return Outcome(result=Result.DONE, message=f"rebalanced: {told}", orders=ids, rebalance=shown)

    async def _send(self, command: Rebalance, act: Act, symbols: list[str], sign: int) -> tuple[list[_Sent], str]:
        """Send the trades of one side, as planned now; what was sent, and what stands in the way of the rest."""
        try:
            trades = [trade for trade in self._planned(command).trades if trade.symbol in symbols]
        except TradingError as error:
            return [], str(error)
        wanted = [_Wanted(trade.symbol, change) for trade in trades if (change := _not_past_flat(trade)) * sign > 0]
        sent: list[_Sent] = []
        if wanted and (self._stop or self._system.kill_switch.is_active()):
            return sent, self._stop or "the kill switch is active"
        try:
            wanted, problem = self._judged(wanted, act)
        except (JournalError, InvalidOrder) as error:
            return sent, str(error)
        for symbol, change in wanted:
            if self._stop or self._system.kill_switch.is_active():
                return sent, self._stop or "the kill switch is active"
            try:
                found = await self._send_one(symbol, change, command.execution, act)
            except (KillSwitchActiveError, JournalError, InvalidOrder) as error:
                return sent, f"{symbol}: {error}"
            if isinstance(found, Rejection):
                problem = problem or f"{symbol} was refused: {found.message}"
            else:
                sent.append(found)
        return sent, problem

    def _judged(self, wanted: list[_Wanted], act: Act) -> tuple[list[_Wanted], str]:
        """Of the trades of one side those that may leave, and why not all: all that take new risk may, or none.

        They are judged together, as if all were open at once; what is refused is on record.
        """
        system = self._system
        ordered = [self._ordered(symbol, change) for symbol, change in wanted]
        orders = [order.with_id(system.ids.next_order_id()) for order, _ in ordered]
        judged = judge_basket(system.checker, system.portfolio, orders, [plan for _, plan in ordered])
        refused = first_refusal(judged)
        passing: list[_Wanted] = []
        denied: list[Rejection] = []
        for trade, one in zip(wanted, judged, strict=True):
            if isinstance(one.verdict, Rejection):
                system.orders.lives.deny(one.order, one.verdict, act.seq)
                denied.append(one.verdict)
            elif refused is None or not one.takes_risk:
                passing.append(trade)
        if refused is not None:
            return passing, f"{refused.symbol} was refused, and with it all that takes new risk: {refused.message}"
        return passing, f"{denied[0].symbol} was refused: {denied[0].message}" if denied else ""

    def _ordered(self, symbol: str, change: Decimal) -> tuple[Order, ExecutionPlan]:
        """One order for a change as of now, and its plan."""
        system = self._system
        quote = system.desk.market.quote(symbol)
        if quote is None:
            raise InvalidOrder("quote", f"there is no sound and fresh one of {symbol} any more")
        shrinks = system.portfolio.holding(symbol).shrinks(change)
        return plan_order(symbol, change, quote, self._policy, shrinks=shrinks, strategy="")

    async def _send_one(self, symbol: str, change: Decimal, execution: str, act: Act) -> _Sent | Rejection:
        system = self._system
        order, plan = self._ordered(symbol, change)
        words = f"{order.side} {plain(order.quantity)} {symbol}"
        planned = system.desk.plan(order, execution)
        if planned is not None:
            state = system.desk.start(planned.order, planned.plan, cause=act.seq)
            return state if isinstance(state, Rejection) else _Sent(words, state.order.parent_id, is_parent=True)
        try:
            answer = await system.orders.submit(order, plan=plan, cause=act.seq)
        except OutcomeUnknown as error:  # it is looked up like every order in doubt
            return _Sent(words, error.order_id, is_parent=False)
        return answer if isinstance(answer, Rejection) else _Sent(words, answer.order_id, is_parent=False)

    async def _settle(self, sent: list[_Sent]) -> str:
        """Wait until all of it has ended; what has not been filled, empty when all has."""
        while any(self._is_open(item) for item in sent):
            await self._until(lambda: not any(self._is_open(item) for item in sent), _LOOK)
        for item in sent:
            ended = self._ended_short(item)
            if ended:
                return f"{item.trade} is {ended} ({item.order_id})"
        return self._stop

    def _is_open(self, item: _Sent) -> bool:
        if item.is_parent:
            return self._system.desk.is_open(item.order_id)
        record = self._system.orders.order(item.order_id)
        return record is not None and record.status.is_open

    def _ended_short(self, item: _Sent) -> str:
        """How it ended, empty when it filled."""
        if item.is_parent:
            state = self._system.desk.state_of(item.order_id)
            return "" if state is None or state.status is ParentStatus.COMPLETED else state.status.value
        record = self._system.orders.order(item.order_id)
        return "" if record is None or record.status is OrderStatus.FILLED else record.status.value

    def _is_to_cross(self, command: Rebalance, symbol: str) -> bool:
        """It is flat now, on its way to the other side."""
        return not self._system.portfolio.position(symbol).quantity and bool(command.weights.get(symbol, ZERO))


def _not_past_flat(trade: Trade) -> Decimal:
    """Signed shares; a position never crosses zero in one order."""
    before = trade.after - trade.change
    return -before if before and trade.after and (before > 0) != (trade.after > 0) else trade.change


def _targets(command: RebalanceTicket) -> str:
    named = ", ".join(f"{symbol} {plain(weight)}" for symbol, weight in sorted(command.weights.items()))
    return f"{named}{' beside what is held' if command.keep_others else ''}"


def _words(shown: RebalanceShown) -> str:
    sells = sum(trade.change < 0 for trade in shown.trades)
    buys = sum(trade.change > 0 for trade in shown.trades)
    return f"sell {sells} and buy {buys}, turnover {shown.turnover:.2%}, cost ${shown.cost:,.2f}"
