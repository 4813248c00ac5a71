"""Kelly and optimal f against the tables of the papers, and against brute force."""

from __future__ import annotations

import numpy as np
import pytest

from quant_trading_system.core.exceptions import InvalidNumber
from quant_trading_system.risk.sizing.kelly import (
    chance_of_falling_to,
    continuous_growth,
    kelly_bet,
    kelly_continuous,
    kelly_from_trades,
    kelly_growth,
    kelly_portfolio,
    kelly_shrinkage,
    kelly_shrinkage_of_bet,
    optimal_f,
)

BETS = [  # p, b, a, full Kelly, growth there; the first five with an edge of 14 %: MacLean, Thorp & Ziemba
    (0.57, 1.0, 1.0, 0.14, None),
    (0.38, 2.0, 1.0, 0.07, None),
    (0.285, 3.0, 1.0, 0.0466666666667, 0.00317273014283601),
    (0.228, 4.0, 1.0, 0.035, None),
    (0.19, 5.0, 1.0, 0.028, None),
    (0.6, 1.0, 1.0, 0.2, 0.0201355135506889),
    (0.45, 0.10, 0.05, 3.5, 0.0292425256465513),
    (0.45, 1.0, 1.0, -0.1, None),
]


@pytest.mark.parametrize(("p", "b", "a", "full", "growth"), BETS)
def test_a_bet_has_the_fraction_of_the_tables_and_no_other_grows_faster(p, b, a, full, growth):
    assert kelly_bet(p, b, a) == pytest.approx(full, abs=1e-10)
    if growth is not None:
        assert kelly_growth(full, p, b, a) == pytest.approx(growth, abs=1e-10)
    for other in (full - 0.01, full + 0.01):
        assert kelly_growth(full, p, b, a) > kelly_growth(other, p, b, a)


def test_growth_in_bits_is_that_of_a_noisy_wire():
    """Kelly (1956): 1 + p·log₂p + q·log₂q at even money."""
    assert kelly_growth(0.2, 0.6, 1.0) / np.log(2) == pytest.approx(1 + 0.6 * np.log2(0.6) + 0.4 * np.log2(0.4))
    assert kelly_growth(1.0, 0.6, 1.0) == -np.inf
    assert kelly_growth(-1.0, 0.6, 1.0) == kelly_growth(-1.5, 0.6, 1.0) == -np.inf  # nor by betting against it


def test_the_index_of_thorps_example():
    """μ = 11 %, σ = 15 %, r = 6 %: leverage 2.2222 grows by 11.556 %, unlevered by 9.875 %, half Kelly by 10.1667 %."""
    full = kelly_continuous(0.11, 0.15, 0.06)
    assert full == pytest.approx(2.2222222222)
    assert full * 0.15 == pytest.approx(1 / 3)
    found = [continuous_growth(f, 0.11, 0.15, 0.06) for f in (full, 1.0, full / 2, 2 * full)]
    assert found == pytest.approx([0.1155555556, 0.09875, 0.1016666667, 0.06])


def test_the_chance_of_losing_half():
    """Full Kelly falls to half with probability 1/2, half Kelly with 1/8."""
    assert [chance_of_falling_to(0.5, c) for c in (1.0, 0.5)] == pytest.approx([0.5, 0.125])


EXCESS = np.array([0.08, 0.05])
SIGMA = np.array([[0.04, 0.01], [0.01, 0.0225]])


def test_several_assets_together():
    """Thorp (2006), section 8: F = Σ⁻¹(μ − r) = (1.625, 1.5), with a growth of 12.25 %; half of it 9.6875 %."""
    full = kelly_portfolio(EXCESS, SIGMA)
    assert full == pytest.approx([1.625, 1.5], abs=1e-9)
    growth = [0.02 + c * full @ EXCESS - c**2 * full @ SIGMA @ full / 2 for c in (1, 0.5)]
    assert growth == pytest.approx([0.1225, 0.096875], abs=1e-9)


@pytest.mark.parametrize(("caps", "leverage"), [([9, 9], 1.0), ([0.3, 9], 1.0), ([9, 0.5], 2.0), ([0.2, 0.2], 9.0)])
def test_under_limits_it_is_the_optimum_and_not_the_free_one_scaled_down(caps, leverage):
    found = kelly_portfolio(EXCESS, SIGMA, caps=np.array(caps, dtype=float), leverage=leverage)
    grid = np.linspace(0, 2, 201)
    x, y = np.meshgrid(grid, grid)
    allowed = (x <= caps[0]) & (y <= caps[1]) & (x + y <= leverage + 1e-12)
    value = EXCESS[0] * x + EXCESS[1] * y - (SIGMA[0, 0] * x**2 + 2 * SIGMA[0, 1] * x * y + SIGMA[1, 1] * y**2) / 2
    best = np.where(allowed, value, -np.inf).max()
    mine = EXCESS @ found - found @ SIGMA @ found / 2
    assert (found >= 0).all()
    assert (found <= np.array(caps) + 1e-12).all()
    assert found.sum() <= leverage + 1e-9
    assert best - 1e-12 <= mine <= best + 1e-4
    if leverage == 1.0 and caps == [9, 9]:
        free = kelly_portfolio(EXCESS, SIGMA)
        scaled = free / free.sum()
        assert mine > EXCESS @ scaled - scaled @ SIGMA @ scaled / 2


def test_an_edge_against_us_is_never_bet_on():
    assert kelly_portfolio(np.array([-0.05, 0.05]), SIGMA)[0] == 0
    assert kelly_portfolio(np.array([-0.05, -0.01]), SIGMA).sum() == 0


def test_shrinkage_falls_with_doubt():
    """Never above one, towards one with more observations, zero without an edge."""
    found = [kelly_shrinkage(EXCESS, SIGMA, n) for n in (1, 10, 1000)]
    assert found == pytest.approx([0.205 / (0.205 + 2 / n) for n in (1, 10, 1000)])  # θ² = 0.205
    assert kelly_shrinkage(np.zeros(2), SIGMA, 100) == 0
    bets = [kelly_shrinkage_of_bet(0.6, 1.0, n) for n in (10, 100, 10_000)]
    assert bets == sorted(bets)
    assert bets[1] == pytest.approx(0.04 / (0.04 + 4 * 0.24 / 100))
    assert kelly_shrinkage_of_bet(0.4, 1.0, 100) == 0
    assert kelly_shrinkage_of_bet(0.6, 2.0, 100) == pytest.approx(0.16 / (0.16 + 2.25 * 0.24 / 100))  # f = 0.4


def test_trades_tell_win_rate_and_payoff():
    assert kelly_from_trades([2.0, 2.0, -1.0, 0.0]) == (0.5, 2.0, 0.25)
    assert kelly_from_trades([-1.0, -2.0]).fraction == -1.0
    with pytest.raises(InvalidNumber, match="no losing trade"):
        kelly_from_trades([1.0, 2.0])


def test_optimal_f_is_the_best_on_a_grid():
    """Vince's coin: win two or lose one at even odds, f = 0.25."""
    assert optimal_f([2.0, -1.0]) == pytest.approx(0.25, abs=1e-9)
    trades = np.random.Generator(np.random.PCG64(3)).normal(0.3, 1.0, 60)
    ratios = trades / -trades.min()
    grid = np.linspace(0, 0.999, 2000)
    best = grid[np.log1p(np.outer(grid, ratios)).sum(axis=1).argmax()]
    assert optimal_f(trades) == pytest.approx(best, abs=1e-3)
    assert optimal_f(100 * trades) == pytest.approx(optimal_f(trades))
    assert optimal_f([1.0, -2.0]) == 0


SENSELESS = [
    lambda: kelly_bet(1.1, 1.0),
    lambda: kelly_bet(0.5, 0.0),
    lambda: kelly_bet(0.5, 1.0, -1.0),
    lambda: kelly_bet(float("nan"), 1.0),
    lambda: kelly_continuous(0.1, 0.0),
    lambda: kelly_continuous(float("nan"), 0.1),
    lambda: kelly_portfolio(EXCESS, np.eye(3)),
    lambda: kelly_portfolio(EXCESS, np.zeros((2, 2))),
    lambda: kelly_portfolio(np.array([np.nan, 1.0]), SIGMA),
    lambda: optimal_f([1.0]),
    lambda: optimal_f([]),
    lambda: optimal_f([1.0, float("nan")]),
    lambda: chance_of_falling_to(0.5, 2.0),
    lambda: chance_of_falling_to(0.0, 1.0),
]


@pytest.mark.parametrize("ask", SENSELESS)
def test_what_makes_no_sense_is_refused(ask):
    with pytest.raises(InvalidNumber):
        ask()


def test_weights_without_a_bound_are_refused():
    """Two assets that cancel out earn without risk: there is no optimum."""
    twins = np.array([[1.0, -1.0], [-1.0, 1.0]])
    with pytest.raises(InvalidNumber, match="no bound"):
        kelly_portfolio(np.array([0.1, 0.1]), twins)
    assert kelly_portfolio(np.array([0.1, 0.1]), twins, caps=np.array([1.0, 1.0])) == pytest.approx([1, 1])
