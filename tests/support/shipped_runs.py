"""Plans traded by the system as it is shipped, and by the second simulation with the numbers of the documents."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path

from quant_trading_system.app.backtesting import backtest
from quant_trading_system.app.bootstrap import Costs as SystemCosts
from quant_trading_system.app.bootstrap import Setup
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.simulation.models import LatencyModel
from tests.support import random_plans as plans
from tests.support import random_runs as runs
from tests.support.compared_runs import bars_and_steps
from tests.support.independent_reference import Plan
from tests.support.reference_changes import ChangingReference
from tests.support.reference_costs import Charge, Costs, Row
from tests.support.reference_losses import Losses
from tests.support.reference_prices import closes_before

_PAGE = (Path(__file__).resolve().parents[2] / "docs" / "backtest.md").read_text(encoding="utf-8")
_ROW = re.compile(r"^\| (the beginning|[\d-]+) \| ([\d.]+) \|(?: ([\d.]+|none) \|)?$", re.M)
LOSSES = Losses(
    of_day=Fraction("0.05"),
    from_peak=Fraction("0.15"),
    of_week=Fraction("0.1"),
    of_month=Fraction("0.12"),
    at_once=Fraction("0.03"),
    in_a_row=8,
    slippage=Fraction(100),
)
"""As docs/risk-limits.md lists them."""


def charge_of(name: str, unit: int = 1) -> Charge:
    """A table of fees as docs/backtest.md prints it, dollars for so many units."""
    table = _PAGE.split(f"made from the code: fees {name} ")[1].split("<!-- end -->")[0]
    rows = []
    for since, rate, *cap in _ROW.findall(table):
        day = date.min if since == "the beginning" else date.fromisoformat(since)
        most = None if cap[0] in ("", "none") else Fraction(cap[0])
        rows.append(Row(day, Fraction(rate) / unit, most))
    return rows


COSTS = Costs(
    spread_bps=Fraction(4),
    slippage_bps=Fraction("0.5"),
    order_takes=40_000,
    report_takes=15_000,
    sec=charge_of("SEC_SECTION_31", 10**6),
    taf=charge_of("FINRA_TRADING_ACTIVITY"),
    cat=charge_of("CONSOLIDATED_AUDIT_TRAIL"),
)
"""As docs/backtest.md tells them, without luck in the times."""


def compare_as_shipped(history: PriceHistory, plan: Plan, cash: Fraction, seed: int, names: Sequence[str]) -> None:
    """Nothing is set but cash and seed, and that times are not drawn: what traded, and equity, are the same.

    Raises:
        AssertionError: they are not.
    """
    seen = [runs.Planned(plan, name) for name in names]
    costs = SystemCosts(latency=LatencyModel(order=timedelta(milliseconds=40), report=timedelta(milliseconds=15)))
    setup = Setup(cash=runs.exact(cash), seed=seed, first_bar=plans.PAST, costs=costs)
    result = backtest(seen, history, setup)
    if any(halt.reason.startswith("max_rejection_rate") for halt in result.record.halts):
        return  # why a broker refuses is told to the reference, and this limit is not among its own
    bars, steps = bars_and_steps(history, setup, plan, names)
    reference = ChangingReference(
        cash,
        COSTS,
        shorts=False,
        rejected=runs.rejections(result),
        before=closes_before(bars, plans.PAST),
        losses=LOSSES,
        limits=plans.SHIPPED,
        past=bars,
        first=plans.PAST,
    )
    runs.require_agreement(result, seen[0], reference.run(steps, plan))
