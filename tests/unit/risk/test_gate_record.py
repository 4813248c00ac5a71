"""What the gate writes down: every question, its numbers, the first refusal; and that no limit is idle."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest

from quant_trading_system.config.loader import default_limits
from quant_trading_system.config.risk_keys import KEYS, SECTIONS
from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.approval_events import ApprovalAnswer
from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.commands import AnswerApproval, PlaceOrder, Result
from quant_trading_system.core.decisions import CheckResult, ExecutionPlan, QuoteSeen, Rejection, Rule, Unit
from quant_trading_system.core.events import HaltLevel
from quant_trading_system.core.exceptions import ApprovalRefused, ResetRefused
from quant_trading_system.core.numbers import plain
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.execution.alpaca_models import BrokerClock, CalendarDay
from quant_trading_system.execution.broker_times import BrokerTimes
from quant_trading_system.market.market_clock import MarketClock
from quant_trading_system.market.quotes import Quote
from quant_trading_system.market.sessions import AlwaysOpen
from quant_trading_system.risk.agreement import Agreement
from quant_trading_system.risk.checks import CHECKS, Case, Check, Question, asked_under
from quant_trading_system.risk.checks.case import Replaced
from quant_trading_system.risk.correlation import RollingCorrelations
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.risk.latch import MemoryLatch
from quant_trading_system.risk.pre_trade import ApprovedOrder
from quant_trading_system.risk.reset import policy_of
from tests.support.desk import Account, Desk, limits_with
from tests.support.gate_cases import GateCase, decide, verdict
from tests.support.governed import Governed
from tests.support.governed import limits_with as governed_limits
from tests.support.market import NOON
from tests.support.operator import Operator
from tests.support.orders import buy, sell

EVERY = [row.rule for row in CHECKS]
QUESTIONS = [row.rule for row in asked_under(default_limits())]
"""What is asked under the shipped limits: those that are off ask nothing."""


def refused(answer: ApprovedOrder | Rejection) -> Rejection:
    assert isinstance(answer, Rejection)
    return answer


def approved(answer: ApprovedOrder | Rejection) -> ApprovedOrder:
    assert isinstance(answer, ApprovedOrder)
    return answer


def result(answer: ApprovedOrder | Rejection, rule: Rule) -> CheckResult:
    return next(found for found in answer.decision.checks if found.rule is rule)


# -- the record ----------------------------------------------------------------------------------------------------


def test_every_question_is_asked_in_the_order_of_the_rules():
    assert [rule for rule in Rule if rule is not Rule.CHECK_FAILED] == [row.rule for row in CHECKS]
    assert QUESTIONS == [found.rule for found in Desk().check(buy(1)).decision.checks]


def test_a_limit_that_is_off_is_not_asked_about():
    off = {row.rule for row in CHECKS} - set(QUESTIONS)
    unset = {Rule(key.name) for key in KEYS if key.may_be_off and getattr(default_limits(), key.name) is None}
    lists = {
        Rule.BLACKOUT,
        Rule.VOLATILITY,
        Rule.ALLOWED,
        Rule.STRATEGY_VALUE,
        Rule.STRATEGY_LOSS,
        Rule.STRATEGY_ORDERS,
        Rule.SOFT_LIMITS,
    }
    assert off == unset | lists | {Rule.SETTLED_CASH}
    asked = Desk(limits=limits_with(max_quote_deviation_pct=None)).check(buy(1)).decision.checks
    assert Rule.MAX_QUOTE_DEVIATION not in {found.rule for found in asked}


def test_a_refusal_does_not_end_the_questions():
    """The record shows everything that was wrong, the verdict names what was wrong first."""
    desk = Desk(limits=limits_with(max_order_quantity=Decimal(10)))
    desk.kill_switch.activate("a test")
    answer = refused(desk.check(buy(200, limit="120")))
    assert QUESTIONS == [found.rule for found in answer.checks]
    broken = [found.rule for found in answer.checks if not found.passed]
    assert broken == [Rule.KILL_SWITCH, Rule.PRICE_COLLAR, Rule.MAX_QUANTITY, Rule.MAX_POSITION]
    assert answer.rule is answer.decision.refused_by is Rule.KILL_SWITCH


def test_an_approval_names_no_refusal():
    answer = approved(Desk().check(buy(1)))
    assert answer.decision.refused_by is None
    assert all(found.passed for found in answer.decision.checks)


NUMBERS = """
rule                        given                                                 order                actual     limit     headroom
max_position_pct            held=KO:90@100                                        buy 15 limit 100     10500      10000     -500
max_position_pct            held=KO:90@100                                        buy 4 limit 100      9400       10000     600
max_daily_loss_pct          day_start=100000 cash=94000                           buy 1                6000       5000      -1000
max_drawdown_pct            day_start=80000 peak=100000 cash=80000                buy 1                20000      15000     -5000
max_quote_age_s             age=15.5                                              buy 1                15.5       15        -0.5
max_spread_pct              quote=99/102                                          buy 1                3          2.01      -0.99
price_collar_pct            quote=99.98/100.00                                    buy 1 limit 106      6          5         -1
max_order_quantity          max_order_quantity=10                                 buy 12               12         10        -2
min_order_notional          min_order_notional=500                                buy 4 limit 100      400        500       -100
max_order_notional          max_order_notional=500                                buy 6 limit 100      600        500       -100
max_open_orders_per_symbol  max_open_orders_per_symbol=1 open=KO:1@100            buy 1                2          1         -1
sell_within_held            held=KO:10@100 open=KO:-4@100                         sell 7               7          6         -1
max_portfolio_positions     max_portfolio_positions=1 held=XOM:1@100              buy 1                2          1         -1
max_sector_exposure         held=PEP:290@100 max_position_pct=1                   buy 20 limit 100     31000      30000     -1000
max_gross_exposure          max_gross_exposure=0.2 held=XOM:190@100               buy 20 limit 100     21000      20000     -1000
max_correlation             held=XOM:1@100 corr=KO/XOM:0.9                        buy 1                0.9        0.8       -0.1
buying_power                cash=10000 held=XOM:60@100                            buy 50 limit 100     5000       4000      -1000
"""  # noqa: E501 - a row of a table is read as one line


@pytest.mark.parametrize(
    "line", NUMBERS.strip().splitlines()[1:], ids=lambda line: f"{line.split()[0]} {line.split()[-1]}"
)
def test_a_number_stands_beside_its_limit(line: str) -> None:
    """Dollars, shares and seconds as they were compared, and how much was left."""
    rule, *middle, actual, limit, headroom = line.split()
    start = next(i for i, word in enumerate(middle) if word in {"buy", "sell"})
    answer = decide(GateCase(" ".join(middle[:start]), " ".join(middle[start:]), ""))
    found = result(answer, Rule(rule))
    assert (found.actual, found.limit, found.headroom) == (Decimal(actual), Decimal(limit), Decimal(headroom))
    assert found.unit is not Unit.NONE


def test_a_refusal_says_both_numbers_in_one_sentence():
    desk = Desk()
    desk.hold("KO", 90, 100)
    answer = refused(desk.check(buy(15, limit="100.00", client_order_id="a-1")))
    assert answer.message == "max_position_pct: buy KO: 10500 USD, limit 10000 USD"
    assert (answer.order_id, answer.symbol, answer.actual, answer.limit) == (
        "a-1",
        "KO",
        Decimal(10500),
        Decimal(10000),
    )


def test_of_several_unknown_betas_the_first_by_name_is_told():
    """Two runs of the same day write the same record."""
    answer = refused(decide(GateCase("max_beta_exposure=0.1 held=XOM:1@100 held=PEP:1@100 beta=KO:1", "buy 1", "")))
    assert answer.message == "max_beta_exposure: buy KO, limit 10000 USD (the beta of PEP is unknown)"


def test_nothing_is_opened_while_a_position_has_no_price_and_ways_out_stay_open():
    """What it has gained or lost is unknown, and so is every share of equity."""
    desk = Desk()
    desk.hold("KO", 10, 100)
    desk.portfolio.adopt("XOM", Decimal(5), Decimal(500))
    assert refused(desk.check(buy(1))).message == "account_known: buy KO (no price yet for XOM)"
    assert isinstance(desk.check(sell(10)), ApprovedOrder)
    desk.portfolio.mark("XOM", Decimal(100))
    assert isinstance(desk.check(buy(1)), ApprovedOrder)


def test_a_change_of_an_order_adds_no_risk_where_its_symbol_is_frozen():
    """More was filled than anybody had ordered: until that is understood the symbol takes ways out only."""
    desk = Desk()
    desk.portfolio.reserve("old", "KO", Decimal(5), Decimal(99))
    desk.portfolio.freeze("KO", "it filled more than was ordered")
    old = Replaced(buy(5, limit="99").with_id("old"), Decimal(5), Decimal(0))
    answer = desk.checker.check_replacement(buy(6, limit="99"), old)
    assert refused(answer).rule is Rule.IN_DOUBT
    assert not isinstance(desk.checker.check_replacement(buy(4, limit="99"), old), Rejection)


def test_the_decision_keeps_what_was_known():
    desk = Desk(cash="95000", limits=limits_with(version="abc"))
    desk.portfolio.day_start_equity, desk.portfolio.peak_equity = Decimal(96000), Decimal(100000)
    desk.hold("KO", 10, 100)
    desk.portfolio.reserve("working-1", "KO", Decimal(-3), Decimal(100))
    plan = ExecutionPlan(choice="market", why="a test", urgency=Decimal(1))
    decision = approved(desk.checker.check_order(sell(7), plan)).decision
    assert decision.limits_version == "abc"
    assert (decision.at, decision.equity) == (desk.clock.now(), Decimal(95000))
    assert (decision.drawdown, decision.daily_pnl) == (Decimal("0.05"), Decimal("-0.010417"))
    assert (decision.position, decision.open_orders) == (Decimal(10), ("working-1",))
    assert decision.quote == QuoteSeen(Decimal("99.99"), Decimal("100.01"), desk.clock.now(), "test", 1)
    assert decision.plan == plan


def test_the_record_survives_the_trip_through_json():
    decision = Desk().check(buy(1)).decision
    assert decision == msgspec.json.decode(msgspec.json.encode(decision), type=type(decision))


def test_asking_changes_nothing():
    """The gate can be asked what it would say, as often as anybody likes."""
    desk = Desk()
    desk.hold("XOM", 10, 100)
    first, second = desk.check(buy(10)), desk.check(buy(10))
    assert first.decision == second.decision
    assert (desk.portfolio.gross_worst, desk.portfolio.cash) == (Decimal(1000), Decimal(99000))
    assert [] == list(desk.portfolio.reservations())


def test_an_approval_carries_its_room():
    """A dollar order is worth the most shares that it can become; a limit buy its limit, a market buy the ask."""
    assert _room(buy(10, limit="99.00")) == (Decimal(10), Decimal("99.00"))
    assert _room(buy(10)) == (Decimal(10), Decimal("100.01"))
    notional = msgspec.structs.replace(buy(1), quantity=Decimal(0), notional=Decimal(100))
    assert _room(notional) == (Decimal("1.000100011"), Decimal("100.01"))  # 100 / 99.99, rounded up


def _room(order: Any) -> tuple[Decimal, Decimal]:
    answer = approved(Desk().check(order))
    assert answer.signed_quantity == answer.quantity
    return answer.quantity, answer.price


# -- a check that breaks -------------------------------------------------------------------------------------------


def _with_planted(check: Check, *rules: Rule) -> tuple[Question, ...]:
    return tuple(Question(row.rule, check) if row.rule in rules else row for row in CHECKS)


def _divide_by_zero(case: Case) -> CheckResult:
    raise ZeroDivisionError("planted")


@pytest.mark.parametrize("rule", EVERY)
@pytest.mark.control("gate")
def test_a_check_that_raises_refuses(rule: Rule) -> None:
    """It is never skipped, and every other question is still asked."""
    answer = refused(Desk(checks=_with_planted(_divide_by_zero, rule)).check(buy(1)))
    assert answer.rule is rule
    assert "ZeroDivisionError('planted')" in answer.message
    assert EVERY == [found.rule for found in answer.checks]


@pytest.mark.parametrize("rule", EVERY)
def test_a_check_that_raises_stops_a_way_out_as_well(rule: Rule) -> None:
    desk = Desk(checks=_with_planted(_divide_by_zero, rule))
    desk.hold("KO", 10, 100)
    assert refused(desk.check(sell(10))).rule is rule


def test_the_first_of_two_broken_checks_gives_the_verdict():
    checks = _with_planted(_divide_by_zero, Rule.LOT_SIZE, Rule.MAX_GROSS)
    assert refused(Desk(checks=checks).check(buy(1))).rule is Rule.LOT_SIZE


# -- every limit decides something -------------------------------------------------------------------------------


def _verdict(key: str, value: object, given: str, order: str) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return verdict(decide(GateCase(f"{key}={text} {given}", order, "")))


GATE_KEYS = """
key                         passes    refuses   given                               order
max_position_pct            0.10      0.09      max_sector_exposure=1               buy 100 limit 100
max_portfolio_positions     2         1         held=XOM:1@100                      buy 1
max_daily_loss_pct          0.05      0.04      day_start=100000 cash=95000         buy 1
max_drawdown_pct            0.15      0.14      peak=100000 day_start=85000 cash=85000  buy 1
max_sector_exposure         0.30      0.29      held=PEP:200@100 max_position_pct=0.2   buy 100 limit 100
max_correlation             0.80      0.79      held=XOM:1@100 corr=KO/XOM:0.8      buy 1
max_position_quantity       10        9         held=KO:5@100                       buy 5
max_order_quantity          10        9         held=XOM:1@100                      buy 10
min_order_notional          100       101       held=XOM:1@100                      buy 1 limit 100
max_order_notional          100       99        held=XOM:1@100                      buy 1 limit 100
max_open_orders_per_symbol  2         1         open=KO:1@100                       buy 1
duplicate_window_s          3         4         sent=3                              buy 1
allow_short                 true      false     held=XOM:1@100                      sell 1
buying_power_multiplier     2         1         cash=10000 roomy held=XOM:60@100   buy 50 limit 100
max_gross_exposure          0.2       0.1       held=XOM:100@100                    buy 50 limit 100
max_orders_per_minute       3         2         left=2@100                          buy 1
max_notional_per_minute     300       299       left=2@100                          buy 1 limit 100
max_messages_per_minute     3         2         canceled=2                          buy 1
max_replaces_per_minute     3         2         changed=2 replaces=1@99             buy 1 limit 99.5
max_repeated_orders         3         2         left=2@100                          buy 1
repeat_window_s             60        61        left=60@100/60                      buy 1
max_orders_per_day          3         2         left=2@100                          buy 1
max_notional_per_day        300       299       left=2@100                          buy 1 limit 100
price_collar_pct            0.06      0.05      quote=99.98/100.00                  buy 1 limit 106
max_quote_age_s             20        15        age=20                              buy 1
max_position_notional       10000     9999      held=XOM:1@100                      buy 100 limit 100
max_net_exposure            0.10      0.09      allow_short=true                    buy 100 limit 100
max_concentration           0.01      0.009     allow_short=true                    buy 100 limit 100
max_open_orders             2         1         open=XOM:1@100                      buy 1
max_turnover_per_day        0.01      0.009     left=9@100                          buy 1 limit 100
max_quote_deviation_pct     0.20      0.19      last=125                            buy 1 limit 100
max_order_adv_pct           0.01      0.009     adv=1000                            buy 10
max_participation_pct       0.01      0.009     adv=1000 left=9@100                 buy 1
no_trade_after_open_s       60        61        now=2024-01-08T14:31                buy 1
no_trade_before_close_s     60        61        now=2024-01-08T20:59                buy 1
restricted_symbols          PEP+blocked+by+Ana+because+x   KO+blocked+by+Ana+because+x   cash=2000       buy 1
allowed_symbols             KO+by+Ana+because+x   PEP+by+Ana+because+x   cash=2000              buy 1
blackouts                   PEP+blocked+from+2024-01-08T17:00Z+until+2024-01-09T17:00Z+by+Ana+because+x   KO+blocked+from+2024-01-08T17:00Z+until+2024-01-09T17:00Z+by+Ana+because+x   cash=2000   buy 1
volatility_tiers            above+2+times+0   above+1+times+0   volatility=2            buy 1
max_order_multiple          2         1         usual=11@50                         buy 1 limit 100
max_cancel_ratio            2         1         cancel_ratio_from=2 canceled=2      buy 1
cancel_ratio_from           3         2         max_cancel_ratio=1 canceled=2       buy 1
use_unsettled_cash          true      false     unsettled=99999                     buy 1
max_margin_use_pct          0.1       0.0001    cash=2000                           buy 1
max_day_trades              2         1         day_trades=2                        buy 1
max_beta_exposure           0.1       0.001     beta=KO:2                           buy 1 limit 100
max_var_95_pct              0.1       0.0001    tail=0.2                            buy 1 limit 100
max_es_95_pct               0.1       0.0001    tail=0.2                            buy 1 limit 100
strategy_budgets            T+value+100   T+value+99   cash=2000                    buy 1 limit 100 by T
soft_limits                 max_order_notional+101   max_order_notional+99   cash=2000             buy 1 limit 100
allow_hard_to_borrow        true      false     allow_short=true flags=easy_to_borrow  sell 1
max_spread_pct              0.03      0.02      quote=99/102                        buy 1
"""  # noqa: E501 - a row of a table is read as one line


def _numbers_that_trip(**changes: Any) -> Account:
    account = Account(limits=limits_with(**changes))
    for _ in range(2):
        account.system.monitor.round_trip_closed(Decimal(-1))
    return account


def _measured(**changes: Any) -> Decimal | None:
    """The correlation of two columns over the last bars: of 30 bars the first 20 move together, the others apart."""
    limits = limits_with(**changes)
    same = np.array([(-1.0) ** i for i in range(30)])
    other = np.concatenate([same[:20], -same[20:]])
    source = RollingCorrelations(
        ("KO", "XOM"),
        lambda bars: np.column_stack([same, other])[-bars:],
        window=limits.correlation_window,
        min_observations=limits.correlation_min_observations,
    )
    return source.correlation("KO", "XOM")


def _reset(authorized_resetters: tuple[str, ...]) -> str:
    limits = limits_with(authorized_resetters=authorized_resetters)
    switch = KillSwitch(latch=MemoryLatch(), authorized_resetters=limits.authorized_resetters)
    switch.activate("a test")
    try:
        switch.reset(authorized_by="ann", reason="looked into it")
    except ResetRefused:
        return "refused"
    return "reset"


def _after_a_reset(**changes: object) -> str:
    """The most shares of KO at 100 dollars that one order may have right after a reset."""
    account = Account(limits=limits_with(max_order_quantity=Decimal(100), max_position_pct=Decimal(1), **changes))
    account.kill_switch.activate("a test")
    account.kill_switch.reset("ann")
    return plain(account.system.checker.limits_in_force.max_order_quantity)


def _first_slice(waited: int = 0, hours: int = 0, **changes: object) -> str:
    """The order that closes nine shares, or the next one after so many seconds; so many hours after noon."""
    account = Account(limits=limits_with(**changes))
    account.hold("KO", 9)
    account.clock.move_to(account.clock.now() + timedelta(hours=hours))
    account.offer()
    account.broker.cancel_answers.append("confirm")
    account.kill_switch.activate("get out", level=HaltLevel.FLATTENING)
    account.step()
    account.clock.move_to(account.clock.now() + timedelta(seconds=waited))
    account.offer()
    account.step()
    account.step()
    if not account.broker.orders:
        return "nothing"
    order = account.broker.orders[-1]
    assert order.limit_price is not None
    words = f"{order.side} {order.quantity} {order.symbol} limit {plain(order.limit_price)} {order.time_in_force}"
    return words + (" extended" if order.extended_hours else "")


def _approves(by: str, *, is_live: bool = True, **changes: Any) -> str:
    """What comes of one person's yes to a looser limit, a minute after it was asked for."""
    governed = Governed(governed_limits(**changes), is_live=is_live)
    asked = governed.governance.propose({"risk.max_position_pct": "0.2"}, by="Eve", why="a test").approval
    assert asked is not None
    governed.clock.move_to(governed.clock.now() + timedelta(minutes=1))
    try:
        return "approved" if governed.approve(asked.approval, by) else "waiting"
    except ApprovalRefused:
        return "refused"


def _held_for(persons: int = 1, expiry_s: int = 900) -> str:
    """What comes of one person's yes to an order beyond a soft limit, a minute after it was asked for."""
    limits = limits_with(
        soft_limits=("max_order_notional 500",),
        soft_limit_approvals=persons,
        soft_limit_expiry_s=Decimal(expiry_s),
    )
    operator = Operator(Account(limits=limits))
    assert operator.ask(PlaceOrder(symbol="KO", side=OrderSide.BUY, quantity=Decimal(6))).result is Result.PENDING
    (view,) = operator.account.system.governance.approvals.waiting
    operator.account.clock.move_to(operator.account.clock.now() + timedelta(minutes=1))
    operator.account.offer()
    yes = AnswerApproval(approval=view.approval, answer=ApprovalAnswer.YES, content=view.content)
    answer = operator.ask(yes)
    return "sent" if operator.account.broker.orders else "refused" if answer.result is Result.REFUSED else "waiting"


def _raises(longest: Decimal) -> str:
    governed = Governed(governed_limits(max_raise_s=longest))
    until = governed.clock.now() + timedelta(minutes=1)
    try:
        governed.governance.raise_until({"risk.max_position_pct": "0.2"}, until, by="Eve", why="a test")
    except ApprovalRefused:
        return "refused"
    return "asked"


def _refused_with_a_clock_off_by_40_s(max_clock_skew_s: int) -> bool:
    limits = limits_with(max_clock_skew_s=Decimal(max_clock_skew_s))
    clock, agreement = ManualClock(NOON), Agreement()

    class Source:
        async def clock(self) -> BrokerClock:
            theirs = NOON - timedelta(seconds=40)
            return BrokerClock(timestamp=theirs, is_open=True, next_open=theirs, next_close=theirs)

        async def calendar(self, start: date, end: date) -> tuple[CalendarDay, ...]:
            raise NotImplementedError  # a market that never closes has none

    times = BrokerTimes(Source(), MarketClock(clock, limits), AlwaysOpen(), lambda _: None)
    times.guard(agreement)
    asyncio.run(times.read())
    return bool(agreement.obstacle("KO"))


def _volatile(**changes: Any) -> str:
    """An order of 1 000 dollars while KO has been restless for ten bars, and XOM for twenty."""
    calm = np.array([0.01, -0.01] * 20)
    restless, longer = calm.copy(), calm.copy()
    restless[-10:] *= 3
    longer[-20:] *= 3
    both = np.column_stack([restless, longer])
    source = RollingCorrelations(("KO", "XOM"), lambda bars: both[-bars:], window=20, min_observations=10)
    chosen = {"volatility_reference": "KO", "volatility_short_window": 10, "volatility_long_window": 40} | changes
    desk = Desk(limits=limits_with(volatility_tiers=("above 1.5 times 0",), **chosen))
    desk.checker.know(volatility_ratio=source.volatility_ratio)
    answer = desk.check(buy(10, limit="100"))
    return answer.rule.value if isinstance(answer, Rejection) else "ok"


OTHER_KEYS: dict[str, tuple[Callable[[], object], object, Callable[[], object], object]] = {
    "max_consecutive_losses": (
        lambda: _numbers_that_trip(max_consecutive_losses=2).kill_switch.is_active(),
        False,
        lambda: _numbers_that_trip(max_consecutive_losses=1).kill_switch.is_active(),
        True,
    ),
    "max_clock_skew_s": (
        lambda: _refused_with_a_clock_off_by_40_s(41),
        False,
        lambda: _refused_with_a_clock_off_by_40_s(39),
        True,
    ),
    "halt_level": (
        lambda: _numbers_that_trip(max_consecutive_losses=1, halt_level=HaltLevel.REDUCING).kill_switch.level,
        HaltLevel.REDUCING,
        lambda: _numbers_that_trip(max_consecutive_losses=1, halt_level=HaltLevel.HALTED).kill_switch.level,
        HaltLevel.HALTED,
    ),
    "authorized_resetters": (lambda: _reset(()), "reset", lambda: _reset(("bob",)), "refused"),
    "reset_approvals": (
        lambda: policy_of(limits_with(reset_approvals=1), live=True).persons,
        1,
        lambda: policy_of(limits_with(reset_approvals=2), live=True).persons,
        2,
    ),
    "solo_reset_delay_s": (
        lambda: policy_of(limits_with(solo_reset_delay_s=0), live=True).solo_delay_s,
        0,
        lambda: policy_of(limits_with(solo_reset_delay_s=1800), live=True).solo_delay_s,
        1800,
    ),
    "probation_s": (lambda: _after_a_reset(probation_s=0), "100", lambda: _after_a_reset(probation_s=60), "25"),
    "probation_factor": (
        lambda: _after_a_reset(probation_factor=Decimal("0.5")),
        "50",
        lambda: _after_a_reset(probation_factor=Decimal("0.1")),
        "10",
    ),
    "liquidation_slice_notional": (
        lambda: _first_slice(liquidation_slice_notional=Decimal(500)),
        "sell 5 KO limit 99.8 day",
        lambda: _first_slice(liquidation_slice_notional=Decimal(200)),
        "sell 2 KO limit 99.8 day",
    ),
    "liquidation_collar_pct": (
        lambda: _first_slice(liquidation_collar_pct=Decimal("0.01")),
        "sell 9 KO limit 99 day",
        lambda: _first_slice(liquidation_collar_pct=Decimal("0.02")),
        "sell 9 KO limit 98 day",
    ),
    "liquidation_patience_s": (
        lambda: _first_slice(waited=10, liquidation_patience_s=Decimal(11)),
        "sell 9 KO limit 99.8 day",
        lambda: _first_slice(waited=10, liquidation_patience_s=Decimal(10)),
        "sell 9 KO limit 99.6 day",
    ),
    "liquidation_extended_hours": (
        lambda: _first_slice(hours=5, liquidation_extended_hours=True),
        "sell 9 KO limit 99.8 day extended",
        lambda: _first_slice(hours=5, liquidation_extended_hours=False),
        "nothing",
    ),
    "correlation_window": (
        lambda: _measured(correlation_window=10, correlation_min_observations=5),
        Decimal(-1),
        lambda: _measured(correlation_window=30, correlation_min_observations=5),
        Decimal("0.333333"),
    ),
    "authorized_approvers": (
        lambda: _approves("Ana", live_loosening_approvals=1, authorized_approvers=("Ana", "Ben")),
        "approved",
        lambda: _approves("Ana", live_loosening_approvals=1, authorized_approvers=("Ben", "Cid")),
        "refused",
    ),
    "live_loosening_approvals": (
        lambda: _approves("Ana", live_loosening_approvals=1),
        "approved",
        lambda: _approves("Ana", live_loosening_approvals=2),
        "waiting",
    ),
    "paper_loosening_approvals": (
        lambda: _approves("Ana", is_live=False, paper_loosening_approvals=1),
        "approved",
        lambda: _approves("Ana", is_live=False, paper_loosening_approvals=2),
        "waiting",
    ),
    "approval_expiry_s": (
        lambda: _approves("Ana", live_loosening_approvals=1, approval_expiry_s=Decimal(61)),
        "approved",
        lambda: _approves("Ana", live_loosening_approvals=1, approval_expiry_s=Decimal(60)),
        "refused",
    ),
    "soft_limit_approvals": (lambda: _held_for(persons=1), "sent", lambda: _held_for(persons=2), "waiting"),
    "soft_limit_expiry_s": (lambda: _held_for(expiry_s=61), "sent", lambda: _held_for(expiry_s=60), "refused"),
    "max_raise_s": (lambda: _raises(Decimal(60)), "asked", lambda: _raises(Decimal(59)), "refused"),
    "volatility_reference": (
        lambda: _volatile(volatility_reference="XOM"),
        "ok",
        lambda: _volatile(volatility_reference="KO"),
        "volatility_tiers",
    ),
    "volatility_short_window": (
        lambda: _volatile(volatility_short_window=30),
        "ok",
        lambda: _volatile(volatility_short_window=10),
        "volatility_tiers",
    ),
    "volatility_long_window": (
        lambda: _volatile(volatility_long_window=12),
        "ok",
        lambda: _volatile(volatility_long_window=40),
        "volatility_tiers",
    ),
    "correlation_min_observations": (
        lambda: _measured(correlation_window=10, correlation_min_observations=10),
        Decimal(-1),
        lambda: _measured(correlation_window=10, correlation_min_observations=11),
        None,
    ),
}
"""Keys that the gate does not read itself, each with two settings and what comes of them."""


@pytest.mark.parametrize("line", GATE_KEYS.strip().splitlines()[1:], ids=lambda line: line.split()[0])
def test_a_key_decides_about_an_order(line: str) -> None:
    key, loose, tight, *middle = line.split()
    start = next(i for i, word in enumerate(middle) if word in {"buy", "sell"})
    given, order = " ".join(middle[:start]), " ".join(middle[start:])
    assert "ok" == _verdict(key, loose, given, order)
    named = {
        "allow_short": "sell_within_held",
        "buying_power_multiplier": "buying_power",
        "repeat_window_s": "max_repeated_orders",
        "allow_hard_to_borrow": "short_eligible",
        "cancel_ratio_from": "max_cancel_ratio",
        "use_unsettled_cash": "settled_cash",
        "strategy_budgets": "strategy_value",
    }.get(key, key)
    assert named == _verdict(key, tight, given, order)


@pytest.mark.parametrize("key", OTHER_KEYS)
def test_a_key_decides_about_something_else(key: str) -> None:
    first, outcome, second, other_outcome = OTHER_KEYS[key]
    assert (first(), second()) == (outcome, other_outcome)
    assert outcome != other_outcome


def test_every_key_has_its_case():
    """Nobody adds a limit that limits nothing. `version` is a name, no limit."""
    keys = {line.split()[0] for line in GATE_KEYS.strip().splitlines()[1:]} | set(OTHER_KEYS)
    triggers = {key.name for key in SECTIONS["triggers"]}  # each has its case in test_triggers.py
    assert set(RiskLimits.__struct_fields__) - {"version"} - triggers == keys


def test_a_quote_that_comes_while_orders_are_judged_is_the_one_that_is_recorded():
    """Price, age and record come from the same quote."""
    desk = Desk()
    desk.board.put("KO", "89.99", "90.01")
    answer = approved(desk.check(buy(1)))
    assert answer.price == Decimal("90.01")
    assert answer.decision.quote is not None
    assert answer.decision.quote.ask == Decimal("90.01")


def test_an_older_quote_never_replaces_a_newer_one():
    desk = Desk()
    desk.board.put("KO", "50.00", "50.01", age=timedelta(seconds=1))
    found = desk.board.quote("KO")
    assert isinstance(found, Quote)
    assert found.ask == Decimal("100.01")
