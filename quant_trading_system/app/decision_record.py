"""The decision record of an order: the checklist with the numbers that were seen, rebuilt from the journal.

Four steps, as a careful trader would go through them: assess the risk, validate the order, choose how to
execute it, and verify afterwards. Steps 1 to 3 were written when the gate judged; step 4 is read from what
happened since.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

import msgspec

from quant_trading_system.app.check_lines import CheckLine, check_lines
from quant_trading_system.app.checklist import QUESTIONS
from quant_trading_system.core.book_events import GroupAlarm
from quant_trading_system.core.decisions import CheckResult, Decision, Rule, SizeSeen, Step, Unit
from quant_trading_system.core.events import AnyEvent, FillCorrected, FillEvent, OrderEvent, RiskEvent, SignalEvent
from quant_trading_system.core.exceptions import UnknownOrder
from quant_trading_system.core.numbers import ZERO, dollar_sign, plain, usd
from quant_trading_system.core.order_groups import leads_group, leg_id, legs_of
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.core.orders import Order
from quant_trading_system.core.signals import Signal
from quant_trading_system.journal.entry import Entry
from quant_trading_system.journal.store import JournalSource


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the checklist.

    Attributes:
        passed: None where the question is open, for instance while no fill has come.
        checks: the gate's answers behind it, with limit, actual and headroom.
    """

    question: str
    answer: str
    passed: bool | None
    checks: tuple[CheckLine, ...] = ()


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """One order of a chain of replaces: what it asked for, and the shares that it traded itself."""

    order_id: str
    order: Order
    status: OrderStatus
    filled: Decimal


class DecisionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Why an order was sent or refused, and what became of it.

    Attributes:
        refused_by: the rule that refused, None for an order that was sent.
        steps: number of the step (1 to 4) to its answers.
        entries: the journal entries that this record was read from.
        chain: the orders of one intent, each in the place of the one before it; empty unless it was replaced.
        group: of a bracket, OCO or OTO order and its legs: all members, the leader first; else empty.
        alarms: what went wrong with the group that it leads, with the time; an empty reason says that it was over.
    """

    order_id: str
    order: Order
    status: OrderStatus
    message: str
    at: datetime
    limits_version: str
    refused_by: Rule | None
    signal: Signal | None
    steps: dict[int, tuple[Answer, ...]]
    entries: tuple[int, ...]
    chain: tuple[Leg, ...] = ()
    group: tuple[Leg, ...] = ()
    alarms: tuple[GroupAlarm, ...] = ()


def decision_record(journal: JournalSource, order_id: str) -> DecisionRecord:
    """Rebuild the record of one order from the journal alone.

    Raises:
        UnknownOrder: the journal has no order of that id.
    """
    entries = journal.about(order_id)
    events = [entry.event for entry in entries]
    orders = [event for event in events if isinstance(event, OrderEvent)]
    first = next((event for event in orders if event.order is not None), None)
    if first is None or first.order is None:
        raise UnknownOrder(f"the journal has no order {order_id!r}; `qts orders` lists them", order_id)
    if first.decision is None:
        return _unjudged(journal, first, first.order, orders[-1], entries)
    decision = first.decision
    steps = {step.value: _answers(step, decision) for step in (Step.RISK_ASSESSMENT, Step.ORDER_VALIDATION)}
    steps[Step.EXECUTION_STRATEGY.value] = _strategy(first.order, decision)
    steps[Step.POST_TRADE.value] = _afterwards(orders[-1], entries)
    return DecisionRecord(
        order_id=order_id,
        order=first.order,
        status=orders[-1].status,
        message=_in_plain_numbers(next((event.reason for event in reversed(orders) if event.reason), ""))
        + _contradiction(decision),
        at=decision.at,
        limits_version=decision.limits_version,
        refused_by=decision.refused_by,
        signal=next((event.signal for event in events if isinstance(event, SignalEvent)), None),
        steps=steps,
        entries=tuple(entry.seq for entry in entries),
        chain=_chain(journal, order_id),
        group=_group(journal, first.order, order_id),
        alarms=tuple(event for event in events if isinstance(event, GroupAlarm)),
    )


def _contradiction(decision: Decision) -> str:
    """What people should know of a record whose own answers give another verdict; empty for all others."""
    again = decision.judged_again
    if again is decision.refused_by:
        return ""
    found = "no rule refuses it" if again is None else f"{again} refuses it"
    return f"; this record does not bear out its verdict: by its own answers {found}"


def _unjudged(
    journal: JournalSource, first: OrderEvent, order: Order, latest: OrderEvent, entries: Sequence[Entry]
) -> DecisionRecord:
    """An order that no gate of ours has judged by itself: a leg, or one that somebody else placed."""
    if first.parent:
        leader = _told(journal, first.parent).leg
        message = latest.reason or f"a leg of {first.parent}, and judged with it"
        group = () if leader is None else _group(journal, leader.order, first.parent)
    else:
        message, group = "placed by somebody else on this account; no gate of ours has judged it", ()
    return DecisionRecord(
        order_id=first.order_id,
        order=order,
        status=latest.status,
        message=message,
        at=first.at,
        limits_version="",
        refused_by=None,
        signal=None,
        steps={Step.POST_TRADE.value: _afterwards(latest, entries)},
        entries=tuple(entry.seq for entry in entries),
        group=group,
    )


def _group(journal: JournalSource, order: Order, leader: str) -> tuple[Leg, ...]:
    """The order that leads a group, and its legs, as far as the journal has them."""
    if not leads_group(order):
        return ()
    members = (_told(journal, name).leg for name in (leader, *(leg_id(leader, kind) for kind in legs_of(order))))
    return tuple(member for member in members if member is not None)


def _chain(journal: JournalSource, order_id: str) -> tuple[Leg, ...]:
    """From the first order to the last, refused and lost attempts included."""
    first = order_id
    while before := _told(journal, first).replaces:
        first = before
    legs: list[Leg] = []
    ids = [first]
    while ids:
        told = _told(journal, ids.pop(0))
        if told.leg is not None:
            legs.append(told.leg)
            ids += told.replaced_by
    return tuple(legs) if len(legs) > 1 else ()


class _Told(NamedTuple):
    leg: Leg | None
    replaces: str
    replaced_by: list[str]


def _told(journal: JournalSource, order_id: str) -> _Told:
    """What the entries of one order say about its place in a chain."""
    leg: Leg | None = None
    replaces, replaced_by = "", list[str]()
    for entry in journal.about(order_id):
        event = entry.event
        if isinstance(event, OrderEvent):
            order = event.order if leg is None else leg.order
            if order is not None:
                leg = Leg(order_id=order_id, order=order, status=event.status, filled=event.quantity_filled)
            replaces = event.replaces or replaces
            if event.replaced_by and event.replaced_by not in replaced_by:
                replaced_by.append(event.replaced_by)
    return _Told(leg, replaces, replaced_by)


def _answers(step: Step, decision: Decision) -> tuple[Answer, ...]:
    by_rule = {check.rule: check for check in decision.checks}
    answers = []
    for of_step, question, rules in QUESTIONS:
        if of_step is step:
            checks = tuple(by_rule[rule] for rule in rules if rule in by_rule)
            passed = all(check.passed for check in checks)
            words = _answer(rules[0], decision, checks)
            answers.append(Answer(question=question, answer=words, passed=passed, checks=check_lines(checks)))
    return tuple(answers)


def _answer(rule: Rule, decision: Decision, checks: Sequence[CheckResult]) -> str:
    if rule is Rule.KILL_SWITCH:
        active = next((check.detail for check in checks if check.rule is Rule.KILL_SWITCH and check.detail), "")
        return f"yes: {active}" if active else "no"
    if rule is Rule.MAX_DRAWDOWN:
        return f"{decision.drawdown * 100:.2f} % below the peak"
    if rule is Rule.MAX_DAILY_LOSS:
        return f"{decision.daily_pnl * 100:+.2f} %"
    if rule is Rule.MAX_OPEN_ORDERS:
        return f"{len(decision.open_orders)} open"
    return _verdict_in_words(checks)


def _verdict_in_words(checks: Sequence[CheckResult]) -> str:
    failed = [check for check in checks if not check.passed]
    return "; ".join(numbers_of(check) for check in failed) if failed else "yes" if _asks_for_yes(checks) else "no"


def _asks_for_yes(checks: Sequence[CheckResult]) -> bool:
    """When all is well, the question about exceeding limits is answered by no, every other by yes."""
    return all(check.rule is not Rule.MAX_POSITIONS for check in checks)


def numbers_of(check: CheckResult | CheckLine) -> str:
    """One check in words: rule, actual, limit, detail."""
    parts = [check.rule.value]
    if check.actual is not None:
        parts.append(f"{amount(check.actual, check.unit)}")
    if check.limit is not None:
        parts.append(f"limit {amount(check.limit, check.unit)}")
    if check.detail:
        parts.append(f"({check.detail})")
    return " ".join(parts)


def amount(value: Decimal, unit: Unit) -> str:
    """A number with its unit, as people read it."""
    if unit is Unit.USD:
        exponent = value.normalize().as_tuple().exponent
        if isinstance(exponent, str) or exponent >= -2:
            return usd(value)
        return dollar_sign(f"{value.normalize():,f}")
    if unit is Unit.RATIO:
        return f"{value:.3f}"
    if unit is Unit.COUNT:
        return plain(value)
    return f"{plain(value)} {unit.value}".rstrip()


def _in_plain_numbers(message: str) -> str:
    """What the gate said, without the units that are no words of trading: `0.81`, not `0.81 ratio`."""
    return re.sub(rf"(?<=\d) (?:{Unit.COUNT}|{Unit.RATIO})\b", "", message)


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _strategy(order: Order, decision: Decision) -> tuple[Answer, ...]:
    plan, quote = decision.plan, decision.quote
    chosen = f"{order.order_type.value}: {plan.why}" if plan else order.order_type.value
    size = "no: one order" if plan else "not planned"
    if plan is not None and plan.parent:
        chosen = f"{order.order_type.value}: as the slice demands"
        size = f"yes, {plan.choice}: {plan.why}; a slice of parent {plan.parent}"
    urgency = f"urgency {plain(plan.urgency)} of 1" if plan else "unknown"
    cost = "unknown"
    if plan is not None and plan.expected_slippage_bps is not None and plan.expected_price is not None:
        price = dollar_sign(plain(plan.expected_price))
        cost = f"{plain(plan.expected_slippage_bps)} bp against an expected price of {price}"
    if quote is not None:
        cost += f" (quote {plain(quote.bid)} / {plain(quote.ask)} from {quote.source})"
    sized = () if plan is None or plan.size is None else (_sizing(plan.size),)
    planned = True if plan else None  # orders that people or programs wrote out, and changes, have no plan to judge
    priced = planned if plan is None else plan.expected_slippage_bps is not None
    return (
        *sized,
        Answer(question="Market order or limit order?", answer=chosen, passed=planned),
        Answer(question="Large order: TWAP, VWAP or IS?", answer=size, passed=planned),
        Answer(question="Urgency against market impact?", answer=urgency, passed=planned),
        Answer(question="What slippage is expected?", answer=cost, passed=priced),
    )


def _sizing(size: SizeSeen) -> Answer:
    """How the quantity was chosen, and what truly bound it."""
    cut = "" if size.cut_from is None else f", cut from {plain(size.cut_from)}"
    room = "" if size.room_rule is None else f"; this order was cut to the room of {size.room_rule.value}"
    answer = f"{plain(size.target)} shares to hold, bound by {size.bound_by}{cut}: {size.detail}{room}"
    return Answer(question="How was the quantity chosen?", answer=answer, passed=True)


def _afterwards(latest: OrderEvent, entries: Sequence[Entry]) -> tuple[Answer, ...]:
    events = [entry.event for entry in entries]
    fills = [event for event in events if isinstance(event, FillEvent)]
    corrected = [event for event in events if isinstance(event, FillCorrected)]
    risks = [event for event in events if isinstance(event, RiskEvent)]
    numbers = f"entries {entries[0].seq} to {entries[-1].seq}, {len(entries)} of this order"
    audit = Answer(question="Is the audit trail logged?", answer=numbers, passed=True)
    if latest.status in (OrderStatus.DENIED, OrderStatus.REJECTED, OrderStatus.UNSENT) and not fills:
        return (
            Answer(question="Is the fill confirmed?", answer=f"nothing was traded: {latest.status}", passed=None),
            audit,
        )
    traded = sum((fill.quantity for fill in fills), ZERO)
    traded += sum((event.quantity - event.was_quantity for event in corrected), ZERO)
    paid = sum((fill.fee for fill in fills), ZERO) + sum((event.fee - event.was_fee for event in corrected), ZERO)
    fees = dollar_sign(plain(paid))
    confirmed = f"{latest.status.value}: {plain(traded)} shares in {_count(len(fills), 'fill')}, fees {fees}"
    booked: list[FillEvent | FillCorrected] = [e for e in events if isinstance(e, FillEvent | FillCorrected)]
    position = f"{plain(booked[-1].position_quantity)} shares after the last fill" if booked else "no fill yet"
    risk = (
        f"equity {usd(risks[-1].equity)}, drawdown {risks[-1].current_drawdown * 100:.2f} %" if risks else "no fill yet"
    )
    done = bool(fills) or None
    return (
        Answer(question="Is the fill confirmed?", answer=confirmed, passed=done),
        Answer(question="Is the position updated?", answer=position, passed=done),
        Answer(
            question="Are the risk metrics recalculated?", answer=risk, passed=bool(risks) or None if done else None
        ),
        Answer(
            question="Are the events emitted?",
            answer=f"{len(fills)} FillEvent, {len(risks)} RiskEvent",
            passed=(len(risks) >= len(fills)) if done else None,
        ),
        *_withdrawal(events),
        *(Answer(question="Was a fill corrected?", answer=_correction(event), passed=None) for event in corrected),
        audit,
    )


def _withdrawal(events: Sequence[AnyEvent]) -> tuple[Answer, ...]:
    """Why it was asked to end before it had filled, once for each reason; nothing for most orders."""
    asked = (event for event in events if isinstance(event, OrderEvent) and event.asks_for_cancel)
    reasons = "; ".join(dict.fromkeys(event.reason for event in asked if event.reason))
    return (Answer(question="Why was a cancel asked for?", answer=reasons, passed=None),) if reasons else ()


def _correction(event: FillCorrected) -> str:
    was = f"{plain(event.was_quantity)} at {dollar_sign(plain(event.was_price))}"
    now = f"is {plain(event.quantity)} at {dollar_sign(plain(event.price))}" if event.quantity else "was taken back"
    return f"{event.execution_id}: {was} {now}, profit {plain(event.realized_pnl)} more"
