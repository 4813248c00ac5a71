"""Parents in backtests trade the slices that a pencil finds: when they are due, of their size, at the far side then.

Written from docs/algorithms.md and docs/backtest.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_trading_system.app.backtesting import backtest
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.execution.algo.parent import Algorithm, ParentOrder, Placement
from quant_trading_system.execution.algo.schedule import weighted_schedule
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.trading.strategy import MarketView, Strategy
from tests.support import random_plans as plans
from tests.support import random_runs as runs
from tests.support.known_bars import bars_of
from tests.support.reference_costs import Costs
from tests.support.reference_prices import BUY, SELL, quote_around, steps_of

_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
Child = tuple[int, str, int, Fraction, Fraction]
"""When it traded, symbol, side, shares, dollars a share."""


@dataclass(frozen=True)
class Large:
    """A parent that begins when bar number `bar` of the run has ended."""

    bar: int
    symbol: str
    side: int
    quantity: int
    start: int
    end: int
    weights: tuple[int, ...]

    def slices(self) -> list[tuple[int, int]]:
        """When each is due, and its shares: what is left of the division goes to the largest remainders."""
        whole, parts = sum(self.weights), len(self.weights)
        sizes = [self.quantity * weight // whole for weight in self.weights]
        remainders = [self.quantity * weight % whole for weight in self.weights]
        for place in sorted(range(parts), key=lambda one: -remainders[one])[: self.quantity - sum(sizes)]:
            sizes[place] += 1
        return [(self.start + (self.end - self.start) * place // parts, size) for place, size in enumerate(sizes)]


class Slicing(Strategy):
    """Gives parents to the desk."""

    name = "planned"

    def __init__(self, parents: list[Large]) -> None:
        self.parents = parents

    def on_bar(self, market: MarketView) -> Iterable[ParentOrder]:
        for number, one in enumerate(self.parents):
            if one.bar == market.bar - 1:
                start, end = (_EPOCH + moment * _MICROSECOND for moment in (one.start, one.end))
                yield ParentOrder(
                    parent_id=f"p{number}",
                    symbol=one.symbol,
                    side=OrderSide.BUY if one.side == BUY else OrderSide.SELL,
                    quantity=Decimal(one.quantity),
                    algorithm=Algorithm.VWAP if len(set(one.weights)) > 1 else Algorithm.TWAP,
                    start=start,
                    end=end,
                    schedule=weighted_schedule(Decimal(one.quantity), start, end, one.weights),
                    placement=Placement.AGGRESSIVE,
                )


def random_parents(chance: Random, history: PriceHistory) -> list[Large]:
    """One for some of the symbols, from the end of a bar on, over when the last bar but one of the day is."""
    bars, parents = bars_of(history)[plans.PAST :], []
    for symbol in history.symbols:
        bar = chance.randrange(len(bars))
        later = [one.end for one in bars[bar + 1 :] if one.day == bars[bar].day][:-1]
        if later:
            weights = (1,) * chance.choice((1, 2, 3, 4, 5, 6, 8))
            if chance.random() < 0.5:
                weights = tuple(chance.randrange(5, 9) for _ in weights)
            quantity = chance.randrange(len(weights), 2000)
            side = chance.choice((BUY, SELL))
            parents.append(Large(bar, symbol, side, quantity, bars[bar].end, chance.choice(later), weights))
    return parents


def by_hand(history: PriceHistory, parents: list[Large], costs: Costs) -> list[Child]:
    """Each slice takes the far side of the last step before it is due, or of the one at that moment.

    Where a bar ends and the next one begins, the first slice meets the open, for it leaves then, others the close. It
    trades when it has come, at the quote that it was sent at.
    """
    steps = list(steps_of(bars_of(history), plans.PAST))
    children = []
    for one in parents:
        seen = [(step.at, step.last[one.symbol]) for step in steps if one.symbol in step.last]
        for due, size in one.slices():
            last = [price for at, price in seen if at <= due][-1]
            if due != one.start:
                last = next((price for at, price in seen if at == due), last)
            price = quote_around(last, costs.spread_bps)[one.side == BUY]
            children += [(due + costs.order_takes, one.symbol, one.side, Fraction(size), price)] * (size > 0)
    return sorted(children)


def is_plain(history: PriceHistory, parent: Large, costs: Costs) -> bool:
    """No step comes while a slice is on its way, and each has been reported before the next one is due."""
    moments = [step.at for step in steps_of(bars_of(history), plans.PAST)]
    apart = (parent.end - parent.start) // len(parent.weights)
    for due, _ in parent.slices():
        between = [at for at in moments if due <= at <= due + costs.order_takes and not at == due == parent.start]
        if costs.order_takes and between not in ([], [due]):
            return False
    return costs.order_takes + costs.report_takes < apart


def full_history(chance: Random) -> PriceHistory:
    """Intraday bars of which none is missing."""
    history = plans.random_history(chance)
    roles = (history.open_micros, history.high_micros, history.low_micros)
    known = [None if role is None else role.copy() for role in roles]
    return PriceHistory(
        history.symbols, history.axis, history.close_micros, np.ones_like(history.present), *known, volume=None
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_slices_trade_when_and_as_documented(seed):
    chance = Random(seed)
    history = full_history(chance)
    parents = random_parents(chance, history)
    costs = Costs(
        spread_bps=Fraction(chance.choice(("0", "4", "13"))),
        order_takes=chance.choice((0, 40_000, 3_000_000)),
        report_takes=chance.choice((0, 15_000, 10_000_000)),
    )
    parents = [one for one in parents if is_plain(history, one, costs)]
    result = backtest(Slicing(parents), history, runs.setup_of(history, costs, shorts=True))
    assert result.stopped == ()
    fills = [
        (
            (one.at - _EPOCH) // _MICROSECOND,
            one.symbol,
            one.side.sign,
            Fraction(one.quantity),
            Fraction(one.price),
        )
        for one in result.record.fills
    ]
    assert sorted(fills) == by_hand(history, parents, costs)
