"""A way out is refused by the rules that say so in `EXITS_ASKED`, and by no other."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_trading_system.config.looseness import Looser
from quant_trading_system.config.risk_keys import KEYS
from quant_trading_system.core.decisions import Rejection, Rule
from quant_trading_system.risk.checks.exits import EXITS_ASKED
from tests.support.gate_cases import GateCase, cases, decide
from tests.unit.risk.test_gate_boundaries import CASES

WAYS_OUT = (("held=KO:5000@100", "sell 1"), ("held=KO:-5000@100 allow_short=true", "buy 1"))


def refusals(given: str, order: str) -> set[Rule]:
    """Every rule that refuses, not only the first."""
    answer = decide(GateCase(given, order, ""))
    return {check.rule for check in answer.checks if not check.passed} if isinstance(answer, Rejection) else set()


@pytest.mark.parametrize("rule", [rule for rule in Rule if rule not in EXITS_ASKED])
@pytest.mark.parametrize(("held", "order"), WAYS_OUT, ids=["sell", "buy"])
def test_what_refuses_an_entry_lets_a_way_out_pass(rule: Rule, held: str, order: str) -> None:
    """Every line of the rule's own table that refuses, with a position to get out of."""
    lines = [case for case in cases(CASES[rule]) if case.verdict == rule.value and "replaces" not in case.given]
    if rule is not Rule.MAX_REPLACES_PER_MINUTE:
        assert lines
    strategy = " by T" if rule.value.startswith("strategy_") else ""
    for case in lines:
        assert rule not in refusals(f"{case.given} {held}", order + strategy), case


@pytest.mark.parametrize("rule", EXITS_ASKED)
def test_every_rule_that_is_said_to_refuse_a_way_out_has_a_line_that_does(rule: Rule) -> None:
    lines = [case for case in cases(CASES[rule]) if case.verdict == rule.value]
    assert any(is_way_out(case) for case in lines) or rule in NO_LINE_NEEDED


NO_LINE_NEEDED = {
    Rule.RECONCILED,  # the exits of its table that refuse are larger than what the other side knows of
    Rule.TRADING_HOURS,
}


def is_way_out(case: GateCase) -> bool:
    held = [word for word in case.given.split() if word.startswith("held=")]
    return any((":-" in word) != case.order.startswith("sell") for word in held)


TIGHT = [
    key.name
    for key in KEYS
    if key.looser is Looser.HIGHER and key.range is not None and key.name in set(Rule) - EXITS_ASKED.keys()
]
TROUBLE = [
    "cash=-500",
    "day_start=900000",
    "peak=900000",
    "unwatched=gone",
    "crowded=full",
    "disarmed=runaway",
    "doubt=XOM:1@100",
    "open=XOM:9@100",
    "held=XOM:9@100 corr=KO/XOM:none",
    "held=XOM:9@100 corr=KO/XOM:1",
    "left=9@100000",
    "changed=9",
    "canceled=9",
    "usual=11@1",
    "flags=marginable,easy_to_borrow",
    "halted",
    "last=500",
    "quote=90/110",
    "now=2024-01-08T14:30 no_trade_after_open_s=600",
    "use_unsettled_cash=false",
    "allowed_symbols=PEP+by+Ana+because+x",
    "restricted_symbols=KO+reduce_only+by+Ana+because+x",
    "blackouts=everything+reduce_only+from+2024-01-08T00:00Z+until+2024-01-09T00:00Z+by+Ana+because+x",
    "volatility_tiers=above+1+times+0",
    "strategy_budgets=T+value+1+loss+1+orders+1 realized=-9 left=2@100",
    "soft_limits=max_order_notional+1,max_position_pct+0.001",
    "reduce",
]


@given(
    st.lists(st.sampled_from(TROUBLE), unique=True),
    st.lists(st.sampled_from(TIGHT), unique=True),
    st.sampled_from(WAYS_OUT),
    st.sampled_from(["", " limit 100", " reduce_only", " stop 95"]),
)
def test_a_pure_exit_is_never_refused_but_by_those_rules(troubles, tight, way_out, terms) -> None:
    held, order = way_out
    if order.startswith("buy"):
        terms = terms.replace("95", "115")
    lowest = " ".join(f"{name}={_lowest(name)}" for name in tight)
    given = " ".join(trouble for trouble in troubles if trouble != "reduce")
    halt = "halt=reducing" if "reduce" in troubles else ""
    assert refusals(f"{given} {lowest} {halt} {held}", order + terms + " by T") - EXITS_ASKED.keys() == set()


def _lowest(name: str) -> str:
    key = next(key for key in KEYS if key.name == name)
    assert key.range is not None
    return str(key.range.low) if not key.range.open_below else str(Decimal("0.000001"))
