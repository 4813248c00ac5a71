"""One table says of every limit how its use is read, and what probation makes of it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from quant_trading_system.config.loader import limits_as_text
from quant_trading_system.config.risk_keys import KEYS
from quant_trading_system.core.decisions import Rejection, Unit
from quant_trading_system.core.risk_now import LimitUse
from quant_trading_system.risk.checks import KEYS_OF
from quant_trading_system.risk.halt_state import ResetPolicy
from quant_trading_system.risk.limit_readings import Facts
from quant_trading_system.risk.limit_table import TABLE, Shrunk
from quant_trading_system.risk.limit_use import limit_uses
from quant_trading_system.risk.pre_trade import ApprovedOrder
from quant_trading_system.risk.probation import reduced
from tests.support.desk import Desk, limits_with
from tests.support.market import UNIVERSE
from tests.support.orders import buy

D = Decimal
BY_NAME = {key.name: key for key in KEYS}
READ = [name for name, row in TABLE.items() if not isinstance(row.use, str)]


def test_every_key_has_its_row_in_the_order_of_the_file():
    assert list(TABLE) == [key.name for key in KEYS]


@pytest.mark.parametrize("name", TABLE)
def test_what_is_not_read_or_not_reduced_has_a_reason(name):
    for told in TABLE[name]:
        assert callable(told) or isinstance(told, Shrunk) or len(told.split()) > 3


# -- what is used ------------------------------------------------------------------------------------------------------

EVERYTHING = {
    "max_position_notional": D(20_000),
    "max_net_exposure": D("0.5"),
    "max_concentration": D("0.1"),
    "max_turnover_per_day": D(2),
    "max_participation_pct": D("0.05"),
    "max_cancel_ratio": D(3),
    "cancel_ratio_from": 2,
    "use_unsettled_cash": False,
    "max_margin_use_pct": D("0.8"),
    "max_day_trades": 3,
    "max_beta_exposure": D(1),
    "max_var_95_pct": D("0.02"),
    "max_es_95_pct": D("0.03"),
    "strategy_budgets": ("Idle value 1000", "Trend value 8000 loss 200 orders 10"),
    "soft_limits": ("max_open_orders 4", "max_position_notional 10000"),
    "max_position_pct": D("0.10"),
    "allow_short": True,
}
USED = """
max_position_pct             6000    10000   KO
max_portfolio_positions      2       20
max_sector_exposure          10000   30000   Staples
buying_power_multiplier      10000   100000
max_gross_exposure           10000   100000
max_position_quantity        60      1000000 KO
max_open_orders_per_symbol   1       5       KO
max_orders_per_minute        2       300
max_notional_per_minute      1500    10000000
max_messages_per_minute      5       600
max_replaces_per_minute      0       120
max_repeated_orders          2       60      Trend KO buy
max_orders_per_day           2       5000
max_notional_per_day         1500    50000000
max_position_notional        6000    20000   KO
max_net_exposure             2000    50000
max_concentration            0.0052  0.1
max_open_orders              1       250
max_turnover_per_day         1500    200000
max_participation_pct        15      50      KO
max_cancel_ratio             3       6
settled_cash                 1000    97000
max_margin_use_pct           3000    80000
max_day_trades               1       3
max_beta_exposure            4000    100000
max_var_95_pct               100     2000
max_es_95_pct                150     3000
strategy_value               6000    8000    Trend
strategy_loss                50      200     Trend
strategy_orders              2       10      Trend
soft_limits                  6000    10000   max_position_notional+KO
"""


def account(**limits) -> Desk:
    """50 KO and 40 PEP sold short at 100; a buy of 10 KO is open. Two orders and three cancels have left."""
    desk = Desk(limits=limits_with(**(EVERYTHING | limits)))
    desk.board.put("PEP", "99.99", "100.01")
    desk.hold("KO", 50, 100)
    desk.hold("PEP", -40, 100)
    desk.portfolio.reserve("o-1", "KO", D(10), D(100), buy(10, strategy="Trend"))
    for shares in (5, 10):
        order = buy(shares, strategy="Trend")
        desk.checker.traffic.sent(order, D(100) * shares, D(shares), is_replace=False, takes_risk=True)
    for _ in range(3):
        desk.checker.traffic.cancel_asked()
    desk.checker.know(
        instrument=UNIVERSE.get_instrument,
        average_volume={"KO": D(1000)}.get,
        unsettled=lambda: D(2000),
        day_trades=lambda symbol: 1 + bool(symbol),
        beta={"KO": D(1), "PEP": D("0.5")}.get,
        tail=lambda values: (D(100), D(150)) if values else None,
        shares_of=lambda strategy: {"KO": D(50)} if strategy == "Trend" else {},
        realized_today=lambda _: D(-50),
    )
    return desk


def uses_of(desk: Desk) -> dict[str, LimitUse]:
    checker = desk.checker
    facts = Facts(checker.limits_in_force, desk.portfolio, (), checker.traffic.in_all(), checker.sources)
    return {use.rule: use for use in limit_uses(facts)}


@pytest.mark.parametrize("line", USED.strip().splitlines())
def test_what_is_used_of_every_limit_that_is_in_force(line):
    rule, actual, limit, *of = line.split(maxsplit=3)
    use = uses_of(account())[rule]
    assert (use.actual, use.limit, use.of) == (D(actual), D(limit), of[0].replace("+", " ") if of else "")


def test_nothing_else_is_told():
    assert [line.split()[0] for line in USED.strip().splitlines()] == list(uses_of(account()))
    triggers = {name for name in READ if BY_NAME[name].section in ("triggers", "halt", "clock")}
    rules = {rule.value for rule in KEYS_OF} | {"settled_cash", "max_daily_loss_pct", "max_drawdown_pct"}
    told = set(uses_of(account()))
    assert set(READ) - triggers - {"strategy_budgets", "use_unsettled_cash"} <= told | rules


def test_the_gate_finds_the_same_numbers():
    """Each use is what the gate sees, less what the order that it is asked about adds."""
    desk = account(use_unsettled_cash=True, max_correlation=D(1))
    used = uses_of(desk)
    answer = desk.check(buy(1, limit="100", strategy="Trend"))
    assert isinstance(answer, ApprovedOrder), answer
    seen = {
        check.rule.value: check.actual
        for check in answer.decision.checks
        if check.actual is not None and check.rule.value in used
    }
    added = {
        "max_portfolio_positions": 0, "max_position_pct": 100, "max_position_notional": 100, "max_sector_exposure": 100,
        "max_gross_exposure": 100, "max_position_quantity": 1, "max_net_exposure": 100, "max_beta_exposure": 100,
        "max_notional_per_minute": 100, "max_notional_per_day": 100, "max_turnover_per_day": 100, "strategy_value": 100,
        "max_var_95_pct": 0, "max_es_95_pct": 0, "strategy_loss": 0, "max_margin_use_pct": 30, "max_cancel_ratio": 0,
        "max_concentration": D("0.000121"), "max_participation_pct": 1,
    }  # fmt: skip
    assert len(seen.keys() & used) > 20
    for rule in seen.keys() & used:
        assert used[rule].actual + added.get(rule, 1) == seen[rule], rule


def test_what_is_off_or_unknown_is_not_told_as_nothing():
    desk = account()
    desk.checker.know(
        beta=lambda _: None, tail=lambda _: None, average_volume=lambda _: None, day_trades=lambda _: None
    )
    told = uses_of(desk)
    assert not told.keys() & {"max_beta_exposure", "max_var_95_pct", "max_participation_pct", "max_day_trades"}
    plain = uses_of(Desk())
    assert not plain.keys() & {"max_net_exposure", "settled_cash", "strategy_value", "soft_limits", "max_cancel_ratio"}


def test_a_share_of_equity_means_nothing_without_equity():
    desk = account()
    desk.portfolio.cash = D(-50_000)
    assert not uses_of(desk).keys() & {
        "max_position_pct",
        "max_gross_exposure",
        "max_concentration",
        "max_beta_exposure",
    }


# -- probation ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TABLE)
def test_probation_reduces_what_the_table_says_and_nothing_else(name):
    whole = limits_with(**EVERYTHING, max_order_adv_pct=D("0.01"), min_order_notional=D(2))
    before, after = getattr(whole, name), getattr(reduced(whole, D("0.25")), name)
    match TABLE[name].probation:
        case Shrunk.TIMES:
            assert after == before / 4
        case Shrunk.WHOLE:
            assert after == before // 4
        case Shrunk.BUDGETS:
            assert after == ("Idle value 250", "Trend value 2000 loss 200 orders 10")
        case _:
            assert after == before


def test_what_is_reduced_can_be_read_again_and_what_is_off_stays_off():
    little = reduced(limits_with(max_order_quantity=D(3)), D("0.25"))
    assert (little.max_order_quantity, little.max_net_exposure, little.max_var_95_pct) == (D(1), None, None)
    texts = limits_as_text(reduced(limits_with(**EVERYTHING), D("0.25")))
    for key in KEYS:
        key.value_of_text(texts[key.path])


def test_after_a_reset_the_use_is_told_of_the_reduced_limits():
    desk = account()
    desk.kill_switch.govern((), ResetPolicy(probation_s=600, probation_factor=D("0.25")))
    desk.kill_switch.activate("a test")
    desk.kill_switch.reset("ann")
    assert uses_of(desk)["max_net_exposure"] == LimitUse("max_net_exposure", D(2000), D(12_500), Unit.USD)
    assert isinstance(desk.check(buy(94, limit="100")), Rejection)
    desk.clock.move_to(desk.clock.now() + timedelta(seconds=601))
    assert uses_of(desk)["max_net_exposure"].limit == D(50_000)
