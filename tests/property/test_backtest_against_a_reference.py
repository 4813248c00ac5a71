"""Backtests of random orders and wishes come to the cent to what a second simulation says, written from the documents.

Which steps a daily bar takes is made up by the market; the reference is told, and what is documented about them is
tested here.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from random import Random

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_trading_system.app.backtesting import backtest
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.market.loading import load_prices
from quant_trading_system.market.price_steps import Options
from quant_trading_system.market.price_stream import stream_prices
from quant_trading_system.trading.vector_strategy import VectorStrategy
from tests.support import random_plans as plans
from tests.support import random_runs as runs
from tests.support.compared_runs import compare
from tests.support.independent_reference import Plan
from tests.support.known_bars import bars_of
from tests.support.random_changes import changed, taken_back
from tests.support.random_costs import random_costs
from tests.support.reference_limits import WHOLE_SHARES, WIDE
from tests.support.reference_losses import ANY_LOSS
from tests.support.reference_prices import quote_around
from tests.support.reference_sizing import OPTIMISERS, Wish

SEEDS = st.integers(0, 10**6)


class Table(VectorStrategy):
    """The wishes of a plan, said for all bars at once."""

    name = "planned"

    def __init__(self, plan: Plan, history: PriceHistory) -> None:
        self.table = np.full((len(history), len(history.symbols)), np.nan)
        for bar, wishes in plan.items():
            for wish in wishes:
                self.table[plans.PAST + bar, history.column_of(wish.symbol)] = float(wish_of(wish).weight or 0)

    def targets(self, closes):
        return self.table[: len(closes)]


def wish_of(said: object) -> Wish:
    assert isinstance(said, Wish)
    return said


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.booleans())
def test_orders_are_filled_as_documented(seed, daily):
    chance = Random(seed)
    history = plans.random_history(chance, daily=daily)
    compare(chance, history, plans.random_orders(chance, history))


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.booleans())
def test_exits_begin_and_end_as_documented(seed, daily):
    chance = Random(seed)
    history = plans.random_history(chance, daily=daily)
    compare(chance, history, plans.with_exits(chance, plans.random_orders(chance, history), history))


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.booleans())
def test_wishes_are_sized_and_traded_as_documented(seed, daily):
    chance = Random(seed)
    history = plans.random_history(chance, daily=daily)
    compare(chance, history, plans.random_wishes(chance, history))


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.booleans())
def test_wishes_beside_orders_are_traded_as_documented(seed, daily):
    chance = Random(seed)
    history = plans.random_history(chance, daily=daily)
    orders = plans.with_exits(chance, plans.random_orders(chance, history), history)
    compare(chance, history, plans.both(chance, orders, plans.random_wishes(chance, history)))


@settings(max_examples=10, deadline=None)
@given(SEEDS, st.booleans())
def test_orders_larger_than_the_volume_are_filled_in_parts(seed, daily):
    chance = Random(seed)
    history = plans.random_history(chance, daily=daily)
    orders = plans.random_orders(chance, history)
    compare(chance, history, plans.both(chance, orders, plans.random_wishes(chance, history)), parts=True)


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.booleans(), st.booleans())
def test_fractions_dollars_and_lots_are_traded_as_documented(seed, daily, parts):
    chance = Random(seed)
    history = plans.random_history(chance, daily=daily)
    terms = plans.random_terms(chance, history)
    orders = plans.in_fractions(chance, plans.random_orders(chance, history), history)
    wishes = plans.random_wishes(chance, history) if chance.random() < 0.7 else {}
    compare(chance, history, plans.both(chance, orders, wishes), parts=parts, terms=terms)


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.booleans())
def test_groups_larger_than_the_volume_are_filled_in_parts(seed, daily):
    chance = Random(seed)
    history = plans.random_history(chance, daily=daily)
    orders = plans.larger(chance, plans.with_exits(chance, plans.random_orders(chance, history), history))
    wishes = plans.random_wishes(chance, history) if chance.random() < 0.5 else {}
    compare(chance, history, plans.both(chance, orders, wishes), parts=True)


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.booleans(), st.booleans())
def test_a_loss_beyond_its_limit_halts_as_documented(seed, daily, parts):
    chance = Random(seed)
    history = plans.random_history(chance, daily=daily)
    orders = plans.with_exits(chance, plans.random_orders(chance, history), history)
    plan = plans.both(chance, orders, plans.random_wishes(chance, history))
    compare(chance, history, plan, parts=parts, losses=plans.random_losses(chance))


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.booleans())
def test_sizers_ask_for_what_is_documented(seed, daily):
    chance = Random(seed)
    history = plans.random_history(chance, daily=daily)
    sizer, plan = plans.random_sizer(chance), plans.sized_wishes(chance, history)
    cash = Fraction(chance.choice((20_000, 70_000, 10_000_000)))
    limits = replace(WIDE, position=Fraction(chance.choice(("0.1", "0.3", "1"))))
    terms = plans.random_terms(chance, history) if chance.random() < 0.3 else WHOLE_SHARES
    compare(chance, history, plan, limits=limits, cash=cash, sizer=sizer, terms=terms)


@settings(max_examples=4, deadline=None)
@given(SEEDS, st.booleans(), st.sampled_from(OPTIMISERS))
def test_optimisers_ask_for_what_is_documented(seed, daily, name):
    chance = Random(seed)
    history = plans.random_history(chance, daily=daily, symbols=chance.choice((2, 3, 5)))
    sizer = replace(plans.random_sizer(chance), name=name, window=chance.choice((8, 20, 60)), fewest=6)
    compare(chance, history, plans.sized_wishes(chance, history), sizer=sizer)


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.booleans(), st.booleans())
def test_limits_refuse_as_documented(seed, daily, parts):
    chance = Random(seed)
    history = plans.random_history(chance, daily=daily)
    orders = plans.random_orders(chance, history)
    if chance.random() < 0.4:
        orders = plans.with_exits(chance, orders, history)
    plan = plans.both(chance, orders, plans.random_wishes(chance, history))
    cash = Fraction(chance.choice((2_000, 5_000, 20_000, 100_000)))
    compare(chance, history, plan, parts=parts, limits=plans.random_limits(chance, history), cash=cash)


@settings(max_examples=6, deadline=None)
@given(SEEDS, st.booleans(), st.booleans())
def test_orders_are_taken_back_as_documented(seed, daily, parts):
    chance = Random(seed)
    history = plans.random_history(chance, daily=daily)
    orders = plans.with_exits(chance, plans.random_orders(chance, history), history)
    plan = plans.both(chance, orders, plans.random_wishes(chance, history) if chance.random() < 0.5 else {})
    compare(chance, history, taken_back(chance, plan, len(history) - plans.PAST - 1), parts=parts)


@settings(max_examples=5, deadline=None)
@given(SEEDS, st.booleans(), st.booleans())
def test_orders_are_changed_as_documented(seed, daily, parts):
    """Latencies are so short that each change is settled before the next one is said."""
    chance = Random(seed)
    history = plans.random_history(chance, daily=daily)
    wishes = plans.random_wishes(chance, history) if chance.random() < 0.3 else {}
    orders = plans.random_orders(chance, history)
    plan = plans.both(chance, plans.larger(chance, orders) if parts else orders, wishes)
    bars = len(history) - plans.PAST - 1
    plan = taken_back(chance, changed(chance, plan, bars), bars)
    costs = random_costs(chance, parts=parts)
    costs = replace(costs, order_takes=min(costs.order_takes, 10**6), report_takes=min(costs.report_takes, 5 * 10**6))
    compare(chance, history, plan, costs=costs)


@settings(max_examples=6, deadline=None)
@given(SEEDS, st.booleans())
def test_wishes_are_cut_to_the_limits_as_documented(seed, daily):
    chance = Random(seed)
    history = plans.random_history(chance, daily=daily, symbols=chance.choice((2, 4, 7)))
    wishes = chance.choice((plans.random_wishes, plans.sized_wishes))(chance, history)
    plan = plans.both(chance, plans.random_orders(chance, history), wishes) if chance.random() < 0.3 else wishes
    cash = Fraction(chance.choice((20_000, 100_000, 10_000_000)))
    limits, sizer = plans.random_limits(chance, history), plans.random_sizer(chance, len(history.symbols))
    compare(chance, history, plan, parts=chance.random() < 0.3, limits=limits, cash=cash, sizer=sizer, fits=True)


@settings(max_examples=8, deadline=None)
@given(SEEDS, st.booleans(), st.booleans())
def test_everything_at_once_is_traded_as_documented(seed, daily, parts):
    chance = Random(seed)
    history = plans.random_history(chance, daily=daily, symbols=chance.choice((2, 3, 5, 8)))
    orders = plans.with_exits(chance, plans.random_orders(chance, history), history)
    orders = plans.larger(chance, orders) if parts else orders
    wishes, sizer = plans.random_wishes(chance, history), None
    if chance.random() < 0.5:
        wishes, sizer = plans.sized_wishes(chance, history), plans.random_sizer(chance, len(history.symbols))
    terms = plans.random_terms(chance, history) if chance.random() < 0.5 else WHOLE_SHARES
    plan = plans.both(chance, plans.in_fractions(chance, orders, history) if terms.fractionable else orders, wishes)
    if chance.random() < 0.3:
        plan = taken_back(chance, plan, len(history) - plans.PAST - 1)
    limits = plans.random_limits(chance, history) if chance.random() < 0.5 else WIDE
    losses = plans.random_losses(chance) if chance.random() < 0.3 else ANY_LOSS
    cash = Fraction(chance.choice((5_000, 20_000, 100_000, 10_000_000)))
    compare(chance, history, plan, parts=parts, terms=terms, losses=losses, limits=limits, cash=cash, sizer=sizer)


@settings(max_examples=8, deadline=None)
@given(SEEDS, st.booleans())
def test_wishes_for_all_bars_at_once_are_the_same_wishes(seed, daily):
    chance = Random(seed)
    history = plans.random_history(chance, daily=daily)
    plan = plans.random_wishes(chance, history)
    setup = runs.setup_of(history, random_costs(chance), shorts=True)
    one_by_one, at_once = backtest(runs.Planned(plan), history, setup), backtest(Table(plan, history), history, setup)
    assert at_once.record.fills == one_by_one.record.fills
    assert at_once.record.equity == one_by_one.record.equity


@pytest.mark.parametrize("seed", range(4))
def test_prices_from_a_file_trade_alike_however_they_are_read(seed, tmp_path: Path):
    chance = Random(seed)
    history = plans.random_history(chance, daily=seed % 2 == 0)
    plan = plans.random_orders(chance, history)
    setup = runs.setup_of(history, random_costs(chance), shorts=True)
    expected = backtest(runs.Planned(plan), history, setup).journal_head
    files = written(history, tmp_path)
    for read in (*map(load_prices, files), stream_prices(files[1], STREAMED)):
        assert backtest(runs.Planned(plan), read, setup).journal_head == expected


STREAMED = Options(None, "start", None, None, None, False, None, False)


def written(history: PriceHistory, place: Path) -> tuple[Path, Path]:
    """The bars as CSV and as Parquet, in small row groups."""
    names = ("open", "high", "low", "close") if history.has_ohlc else ("close",)
    rows = [
        {
            "date": str(bar.day) if history.is_daily else f"{history.axis.starts[row].astype('datetime64[s]')}Z",
            "symbol": symbol,
            **{name: str(runs.exact(price)) for name, price in zip(names, prices, strict=True)},
        }
        for row, bar in enumerate(bars_of(history))
        for symbol, prices in bar.prices.items()
    ]
    frame = pl.DataFrame(rows)
    frame.write_csv(place / "bars.csv")
    frame.write_parquet(place / "bars.parquet", row_group_size=50)
    return place / "bars.csv", place / "bars.parquet"


@given(st.integers(1, 10**7), st.sampled_from(["0", "0.37", "1", "2.5", "4", "7.3", "13", "20", "50"]))
def test_quotes_are_those_of_exact_arithmetic(ticks, spread_bps):
    from quant_trading_system.simulation.paths import quotes_around

    micros = ticks * (10_000 if ticks >= 10_000 else 100)  # from a hundredth of a cent to 100,000 dollars
    bid, ask = quotes_around(np.array([micros]), float(Fraction(spread_bps) / 10_000))
    exact = quote_around(Fraction(micros, 10**6), Fraction(spread_bps))
    if exact[0] > 0:
        assert (Fraction(int(bid[0]), 10**6), Fraction(int(ask[0]), 10**6)) == exact
