"""One plan traded by the system and by the second simulation, and the demand that both come to the same.

Which steps a daily bar takes is made up by the market; the reference is told, and what is documented about them is
demanded here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from random import Random

from quant_trading_system.app.backtesting import BacktestResult, backtest
from quant_trading_system.app.bootstrap import Setup
from quant_trading_system.market.history import PriceHistory
from tests.support import random_plans as plans
from tests.support import random_runs as runs
from tests.support.independent_reference import Plan
from tests.support.known_bars import bars_of, steps_seen
from tests.support.random_costs import random_costs
from tests.support.reference_changes import ChangingReference
from tests.support.reference_costs import Costs
from tests.support.reference_limits import WHOLE_SHARES, WIDE, Limits, Terms
from tests.support.reference_losses import ANY_LOSS, Losses
from tests.support.reference_prices import Bar, Step, closes_before, steps_of
from tests.support.reference_sizing import Sizer

STEPS_OF_A_DAY = 13


def compare(
    chance: Random,
    history: PriceHistory,
    plan: Plan,
    *,
    parts: bool = False,
    terms: Terms = WHOLE_SHARES,
    losses: Losses = ANY_LOSS,
    limits: Limits = WIDE,
    cash: Fraction = runs.CASH,
    sizer: Sizer | None = None,
    fits: bool = False,
    costs: Costs | None = None,
    names: Sequence[str] = ("planned",),
) -> BacktestResult:
    """Run the plan in both, with random costs and perhaps a share of the volume; the result of the system.

    Args:
        names: of the strategies that say it.
    """
    costs = costs or random_costs(chance, parts=parts)
    shorts, seen = chance.random() < 0.7, [runs.Planned(plan, name) for name in names]
    setup = runs.setup_of(history, costs, shorts=shorts, terms=terms, losses=losses, limits=limits, cash=cash)
    if fits:
        setup = runs.fitted(setup, sizer or Sizer())
    elif sizer is not None:
        setup = replace(setup, sizer=runs.sizer_of(sizer))
    result = backtest(seen, history, setup)
    bars, steps = bars_and_steps(history, setup, plan, names)
    reference = ChangingReference(
        cash,
        costs,
        shorts=shorts,
        rejected=runs.rejections(result),
        before=closes_before(bars, plans.PAST),
        terms=terms,
        losses=losses,
        limits=limits,
        sizer=sizer,
        fits=fits,
        past=bars,
        first=plans.PAST,
    )
    runs.require_agreement(result, seen[0], reference.run(steps, plan))
    return result


def bars_and_steps(
    history: PriceHistory, setup: Setup, plan: Plan, names: Sequence[str]
) -> tuple[list[Bar], list[Step]]:
    """For the second simulation; the steps of daily bars are those of a run of these strategies, as documented.

    Raises:
        AssertionError: they are not.
    """
    bars = bars_of(history)
    if not history.is_daily:
        return bars, list(steps_of(bars, plans.PAST))
    steps = steps_seen(history, setup, [runs.Planned(plan, name) for name in names])
    require_documented(history, steps)
    return bars, steps


def require_documented(history: PriceHistory, steps: list[Step]) -> None:
    """A day has thirteen even steps, from its open over both extremes to its close."""
    for number, bar in enumerate(bars_of(history)[plans.PAST :]):
        day = steps[number * STEPS_OF_A_DAY : (number + 1) * STEPS_OF_A_DAY]
        assert [step.at for step in day] == [bar.start + (bar.end - bar.start) * part // 12 for part in range(13)]
        assert all(step.last.keys() == bar.prices.keys() for step in day)
        for symbol, prices in bar.prices.items():
            path = [step.last[symbol] for step in day]
            assert path[-1] == prices[-1]
            if len(prices) > 1:
                assert (path[0], max(path), min(path)) == prices[:3]
