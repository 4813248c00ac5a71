"""The gate: every order of every kind is judged here, and only here can it be approved.

`PreTradeRiskChecker.check_order()` answers with an `ApprovedOrder` or a `Rejection`. It asks every rule, so
that the record is complete, and names the first that refused. An exception inside a check is a refusal.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from datetime import UTC
from decimal import Decimal
from typing import Any, Final, NoReturn, TypeVar

from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.config.scalars import restrictions_in, strictest_of
from quant_trading_system.core.clock import Clock
from quant_trading_system.core.decisions import CheckResult, Decision, ExecutionPlan, QuoteSeen, Rejection, Rule
from quant_trading_system.core.instruments import Universe
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.core.orders import Order, OrderSide
from quant_trading_system.market.quotes import QuoteSource
from quant_trading_system.market.sessions import Calendar
from quant_trading_system.risk.agreement import Agreement
from quant_trading_system.risk.bets import EITHER
from quant_trading_system.risk.checklist import Checklist
from quant_trading_system.risk.checks import Case, Question, asked_under, soft_under
from quant_trading_system.risk.checks.case import Replaced, Sources
from quant_trading_system.risk.correlation import CorrelationSource
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.risk.on_size import OnSize
from quant_trading_system.risk.order_value import price_of, shares_of, weigh, weigh_replacement
from quant_trading_system.risk.portfolio import Portfolio
from quant_trading_system.risk.probation import Probation
from quant_trading_system.risk.refusal import rejection_of
from quant_trading_system.risk.traffic import RecentOrders, Traffic

_made: Final = object.__new__
_MILLIONTH = Decimal("0.000001")
_NO_SHARE = 0 * _MILLIONTH
_NO_PRICE = CheckResult(Rule.QUOTE_SANE, False, detail="no price")


class Approval:
    """Permission to send exactly this order, once. Only `PreTradeRiskChecker` can make one.

    Attributes:
        order: the order, with its client order id.
        decision: what was known and asked; goes into the journal with it.
        quantity, price: shares (also for dollar orders) and dollars a share that the order's room is worth.
        exits: proven to shrink a position, whatever else fills.
        shrinks: the same, or a change of an open order that only takes risk away.
    """

    __slots__ = ("decision", "exits", "order", "price", "quantity", "shrinks")

    decision: Decision
    exits: bool
    order: Order
    price: Decimal
    quantity: Decimal
    shrinks: bool

    def __init__(self, *_: object, **__: object) -> None:
        raise TypeError("only PreTradeRiskChecker approves orders")

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "an approval is neither copied nor stored: it is for one order at one moment; ask the gate again"
        )

    @property
    def signed_quantity(self) -> Decimal:
        """Shares that may be bought (positive) or sold."""
        return self.quantity if self.order.side is OrderSide.BUY else -self.quantity


class ApprovedOrder(Approval):
    """Permission to send a new order; `Broker.place` takes nothing else."""

    __slots__ = ()


class ApprovedReplacement(Approval):
    """Permission to put an order in the place of an open one; `Broker.replace` takes nothing else.

    Attributes:
        quantity: shares, what its chain has traded already included.
        replaces: the client order id of the order that makes way.
    """

    __slots__ = ("replaces",)

    replaces: str


_A = TypeVar("_A", bound=Approval)


class PreTradeRiskChecker:
    """Judges orders against the limits, the account, the market and the kill switch.

    It reads the portfolio but reserves nothing: `OrderManager` holds the portfolio's lock around the check and
    the reservation. Calling it alone answers "what if".

    Attributes:
        traffic: what has left lately; `lock`: of the account, held while it judges; `sources`: whom the checks ask.
        on_size: the checks that a smaller order may pass, for whoever fits one.
    """

    def __init__(
        self,
        *,
        limits: RiskLimits,
        universe: Universe,
        portfolio: Portfolio,
        quotes: QuoteSource,
        calendar: Calendar,
        kill_switch: KillSwitch,
        clock: Clock,
        correlations: CorrelationSource,
        market_clock: Clock | None = None,
        unsupported: Callable[[Order], str] = lambda _: "",
        unwatched: Callable[[], str] = lambda: "",
        crowded: Callable[[], str] = lambda: "",
        agreement: Agreement | None = None,
        sources: Sources | None = None,
        checks: tuple[Question, ...] | None = None,
    ) -> None:
        """Collect what the checks read.

        Args:
            clock: stamps decisions; market_clock: tells what time it is on the market, the same clock by default.
            unsupported: the broker's word on what it cannot take, empty for what it can.
            unwatched: why nobody watches over this engine, empty while somebody does or nobody has to.
            crowded: why the broker takes no new orders now, for too many were sent; empty while it does.
            agreement: what reconciliation has found; without one nothing is in question.
            sources: whom the checks ask for facts that few orders need.
            checks: the rules, in order; tests plant failing ones here. Otherwise those whose limit is not off.
        """
        self._probation, self.on_size = Probation(), OnSize()
        self.sources = sources or Sources()
        self._planted = checks
        self._universe = universe
        self._portfolio, self.lock = portfolio, portfolio.lock
        self._quotes = quotes
        self._calendar = calendar
        self._kill_switch = kill_switch
        self._clock, self._market_clock = clock, market_clock or clock
        self._correlations = correlations
        self._unsupported = unsupported
        self._unwatched, self._crowded = unwatched, crowded
        self._agreement = agreement or Agreement()
        self.traffic = Traffic(self._market_clock, calendar, limits.repeat_window_s)
        self._recent = RecentOrders(clock, limits.duplicate_window_s)
        self.use_limits(limits)

    @property
    def limits(self) -> RiskLimits:
        """In force."""
        return self._limits

    def know(self, **sources: Callable[..., Any]) -> None:
        """From now on ask these for facts; the names are those of `Sources`."""
        self.sources = self.sources._replace(**sources)

    def use_limits(self, limits: RiskLimits) -> None:
        """Judge by other limits from now on; whoever swaps them holds the portfolio's lock."""
        self._limits = limits
        asked = asked_under(limits) if self._planted is None else self._planted
        self._soft = soft_under(limits)
        self._checklist = Checklist(asked)
        self._restrictions = restrictions_in(limits.restricted_symbols)
        self.traffic.look_back(limits.repeat_window_s, keep_sizes=limits.max_order_multiple is not None)
        self._recent.look_back(limits.duplicate_window_s)
        if limits.max_concentration is not None:
            self._portfolio.keep_squares()

    def shadow(self) -> PreTradeRiskChecker:
        """The same gate with counts of its own of what leaves: for questions about several orders at once."""
        other = copy(self)
        other.traffic, other._recent = self.traffic.copy(), self._recent.copy()
        return other

    @property
    def limits_in_force(self) -> RiskLimits:
        """Those of now: reduced for a while after a reset."""
        return self._probation.limits(self.limits, self._kill_switch.state, self._clock.now())

    def check_order(self, order: Order, plan: ExecutionPlan | None = None) -> ApprovedOrder | Rejection:
        """Judge one order. Changes nothing.

        Args:
            plan: how the order is to be worked; kept in the decision record.
        """
        with self.lock:
            case = self.case_of(order)
            decision, refused = self._judge(case, plan)
            if refused is None and case.price is not None:
                return _approved(ApprovedOrder, case, case.price, decision)
        return rejection_of(order, refused or _NO_PRICE, decision)

    def check_replacement(
        self, order: Order, replaced: Replaced, plan: ExecutionPlan | None = None
    ) -> ApprovedReplacement | Rejection:
        """Judge an order that is to take the place of an open one: what is left of it, instead of what is left there.

        Until the broker has decided either of the two may fill, so the worse of them counts, and never both.
        """
        with self.lock:
            case = self.case_of(order)
            case.replaced = replaced
            decision, refused = self._judge(case, plan)
            if refused is None and case.price is not None:
                approved = _approved(ApprovedReplacement, case, case.price, decision)
                approved.quantity, approved.replaces = order.quantity, replaced.order.client_order_id
                return approved
        return rejection_of(order, refused or _NO_PRICE, decision)

    def _judge(self, case: Case, plan: ExecutionPlan | None) -> tuple[Decision, CheckResult | None]:
        if plan is not None:
            case.parent, case.approval = plan.parent, plan.approval
        try:
            self._gather(case)
            answers, first = self._checklist.ask(case)
        except Exception as error:  # noqa: BLE001 - what cannot be read refuses the order, whatever the reason
            unread = CheckResult(Rule.CHECK_FAILED, False, detail=f"what the checks need cannot be read: {error!r}")
            answers, first = (unread,), unread
        return self._decision(case, answers, plan, None if first is None else first.rule), first

    def remember(self, approved: Approval) -> None:
        """Count an order that leaves; an identical one within the window is taken for a mistake."""
        self._recent.remember(approved.order)
        self.traffic.sent(
            approved.order,
            approved.quantity * approved.price,
            approved.quantity,
            is_replace=isinstance(approved, ApprovedReplacement),
            takes_risk=not approved.shrinks,
        )

    # -- gathering what the checks read --------------------------------------------------------------------------

    def case_of(self, order: Order) -> Case:
        """The case as far as it can be laid out without asking anybody else."""
        case = Case()
        portfolio = case.portfolio = self._portfolio
        case.order = order
        case.limits, case.soft = self._limits, self._soft
        case.sources, case.traffic, case.recent = self.sources, self.traffic, self._recent
        case.equity = portfolio.equity
        case.instrument = self._universe.get_instrument(order.symbol)
        case.holding = portfolio.peek(order.symbol)
        case.at, now = self._clock.now(), self._market_clock.now()
        case.now = now
        case.restriction = None
        if self._restrictions and (found := self._restrictions.get(order.symbol)) is not None:
            case.restriction = strictest_of(found, now.astimezone(UTC).date())
        case.quote, case.price, case.replaced, case.parent, case.approval = None, None, None, "", ""
        return case

    def _gather(self, case: Case) -> None:
        order, agreement, state = case.order, self._agreement, self._kill_switch.state
        if state.probation_until:
            case.limits = self._probation.limits(self._limits, state, case.at)
        case.halt_level, case.halt_reason = state.for_order(order)
        case.unsupported = self._unsupported(order)
        case.unwatched, case.crowded = self._unwatched(), self._crowded()
        case.unreconciled = agreement.obstacle(order.symbol)
        if case.unreconciled:
            case.agreed = agreement.room_to_leave(order.symbol, case.holding.position.quantity)
        self.traffic.look()
        calendar, now = self._calendar, case.now
        case.session, case.last_close, case.next_open = calendar.session_at(now), None, None
        if case.session is None:
            case.last_close, case.next_open = calendar.last_close(now), calendar.next_open(now)
        self._read_market(case, order)
        if not case.shrinks:
            case.correlated, case.correlated_with, case.correlation_known = None, "", True
            if len(symbols := case.portfolio.open_symbols) > (order.symbol in symbols):
                self._read_correlations(case)

    def _read_market(self, case: Case, order: Order) -> None:
        quote = case.quote = self._quotes.quote(order.symbol)
        price = ZERO
        if quote is not None and not quote.flaw:
            price = case.price = price_of(order, quote)
        if case.replaced is not None:
            weigh_replacement(case, case.replaced, price)
        else:
            weigh(case, order.quantity if order.notional is None else shares_of(order.notional, quote), price)

    def _read_correlations(self, case: Case) -> None:
        symbol, bets = case.order.symbol, self._portfolio.bets
        sign = 1 if case.order.side is OrderSide.BUY else -1
        for other in sorted(self._correlations.closest(symbol, sign, bets)):
            measured = self._correlations.correlation(symbol, other)
            if measured is None:
                case.correlation_known, case.correlated_with = False, other
                return
            side = bets.side(other)
            same_way = abs(measured) if side is EITHER else measured if side == sign else -measured
            if case.correlated is None or same_way > case.correlated:
                case.correlated, case.correlated_with = same_way, other

    def _decision(
        self, case: Case, answers: tuple[CheckResult, ...], plan: ExecutionPlan | None, refused_by: Rule | None
    ) -> Decision:
        portfolio, quote, equity, held = case.portfolio, case.quote, case.equity, case.holding
        peak, began_with = portfolio.peak_equity, portfolio.day_start_equity
        return Decision(
            checks=answers,
            limits_version=case.limits.version,
            at=case.at,
            equity=equity,
            drawdown=_share(peak - equity if equity < peak else ZERO, peak),
            daily_pnl=_share(equity - began_with, began_with),
            position=held.position.quantity,
            open_orders=held.open_orders if held.orders else (),
            quote=None if quote is None else QuoteSeen(quote.bid, quote.ask, quote.at, quote.source, quote.sequence),
            plan=plan,
            refused_by=refused_by,
        )


def _approved(kind: type[_A], case: Case, price: Decimal, decision: Decision) -> _A:
    """Permission for the order of `case`; nobody else makes one."""
    approved = _made(kind)
    approved.order, approved.decision, approved.price = case.order, decision, price
    approved.quantity, approved.exits, approved.shrinks = case.quantity, case.exits, case.shrinks
    return approved


def _share(part: Decimal, whole: Decimal) -> Decimal:
    if whole <= ZERO:
        return ZERO
    return (part / whole).quantize(_MILLIONTH) if part else _NO_SHARE
