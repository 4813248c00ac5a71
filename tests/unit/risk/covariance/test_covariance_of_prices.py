"""From prices to a covariance: no look ahead, gaps by name, short histories refused, repairs on the record."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from quant_trading_system.core.exceptions import EstimateError, MarketDataError
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.market.history_view import HistoryView
from quant_trading_system.market.sessions import TradingCalendar
from quant_trading_system.market.time_axis import daily_axis
from quant_trading_system.risk.covariance import Covariance, CovarianceModel, Estimator, Gaps, Repair, walk_forward

NYSE = TradingCalendar.nyse(date(2021, 1, 1), date(2022, 12, 31))
DAYS = np.array([session.date for session in NYSE.sessions_between(date(2021, 1, 4), date(2022, 6, 30))])
NAMES = ("AAA", "BBB", "CCC")
NAN = float("nan")


def history(*, future_from: int | None = None, absent=()) -> PriceHistory:
    """Three wandering stocks; from bar `future_from` on they wander elsewhere."""
    rng = np.random.Generator(np.random.PCG64(5))
    moves = rng.normal(0, 0.01, size=(len(DAYS), 3)) @ np.array([[1, 0.4, 0.2], [0, 1, 0.3], [0, 0, 1]])
    if future_from is not None:
        moves[future_from:] *= -7
    closes = (100 * np.exp(np.cumsum(moves, axis=0)) * 1_000_000).astype(np.int64)
    present = np.ones(closes.shape, dtype=bool)
    for row, column in absent:
        present[row, column] = False
    return PriceHistory(NAMES, daily_axis(DAYS, NYSE), closes, present)


MODELS = [CovarianceModel(estimator=estimator, lookback=80) for estimator in Estimator]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.estimator)
def test_no_estimate_depends_on_the_future(model):
    """Two histories that agree up to a bar give the same covariance at that bar, to the last bit."""
    for bar in (90, 150, 300):
        ours = model.estimate(HistoryView(history(), bar))
        other = model.estimate(HistoryView(history(future_from=bar + 1), bar))
        assert (ours.matrix == other.matrix).all()
        tomorrow = model.estimate(HistoryView(history(future_from=bar), bar))
        assert (ours.matrix != tomorrow.matrix).any(), "the latest bar must count"


def test_walking_forward_sees_each_bar_only_when_it_has_ended():
    """Estimates before the change are untouched by it, and those after it are not."""
    model = CovarianceModel(lookback=60)
    calm = list(walk_forward(history(), model, every=10))
    wild = list(walk_forward(history(future_from=200), model, every=10))
    assert [index for index, _ in calm] == list(range(60, len(DAYS), 10))
    for (index, one), (_, other) in zip(calm, wild, strict=True):
        assert (one.matrix == other.matrix).all() == (index < 200), index


def test_only_the_lookback_counts():
    model = CovarianceModel(lookback=60)
    whole, late = history(), history().between(DAYS[100], DAYS[200])
    assert (model.estimate(HistoryView(whole, 200)).matrix == model.estimate(HistoryView(late, 100)).matrix).all()


def test_some_symbols_in_their_own_order():
    view = HistoryView(history(), 200)
    model = CovarianceModel(estimator=Estimator.SAMPLE)
    some = model.estimate(view, ("CCC", "AAA"))
    assert some.symbols == ("CCC", "AAA")
    assert some.matrix[0, 1] == pytest.approx(model.estimate(view).matrix[2, 0], rel=1e-14)
    with pytest.raises(MarketDataError, match="ZZZ is not in this history"):
        model.estimate(view, ("AAA", "ZZZ"))


def test_a_short_history_is_refused_with_the_symbol():
    with pytest.raises(EstimateError, match="AAA has 30 returns, fewer than 60; leave it out or wait"):
        CovarianceModel().estimate(HistoryView(history(), 30))
    late = [(row, 1) for row in range(180)]
    with pytest.raises(EstimateError, match="BBB has 20 returns, fewer than 60"):
        CovarianceModel(gaps=Gaps.PAIRWISE).estimate(HistoryView(history(absent=late), 200))
    assert (
        CovarianceModel(gaps=Gaps.PAIRWISE, min_observations=20, estimator=Estimator.SAMPLE)
        .estimate(HistoryView(history(absent=late), 200))
        .observations
        == 20
    )


class TestGaps:
    absent = ((150, 0), (151, 0), (170, 2))
    """Prices; each takes two returns with it, or three where two follow each other."""

    def view(self):
        return HistoryView(history(absent=self.absent), 200)

    def test_are_refused_with_the_symbol_unless_asked_otherwise(self):
        with pytest.raises(EstimateError, match="AAA misses returns; leave it out, or use common rows or pairs"):
            CovarianceModel(lookback=100).estimate(self.view())

    def test_common_rows_are_those_that_all_have(self):
        model = CovarianceModel(lookback=100, gaps=Gaps.COMMON)
        assert model.estimate(self.view()).observations == 100 - 3 - 2

    def test_too_few_common_rows_are_refused(self):
        model = CovarianceModel(lookback=100, gaps=Gaps.COMMON, min_observations=96)
        with pytest.raises(EstimateError, match="only 95 rows are common to all symbols, fewer than 96"):
            model.estimate(self.view())

    @pytest.mark.parametrize("estimator", [Estimator.SAMPLE, Estimator.EWMA])
    def test_pairs_use_the_rows_that_both_have(self, estimator):
        model = CovarianceModel(lookback=100, gaps=Gaps.PAIRWISE, estimator=estimator)
        found = model.estimate(self.view())
        assert found.observations == 95
        returns = self.view().returns(100)
        both = ~np.isnan(returns[:, [0, 2]]).any(axis=1)
        if estimator is Estimator.SAMPLE:
            expected = np.cov(returns[both][:, [0, 2]].T)[0, 1]
        else:
            weights = 0.94 ** np.arange(99, -1, -1.0)[both]
            expected = weights @ (returns[both, 0] * returns[both, 2]) / weights.sum()
        assert found.matrix[0, 2] == pytest.approx(expected, rel=1e-12)

    def test_shrinkage_has_no_pairwise_form(self):
        with pytest.raises(EstimateError, match="ledoit-wolf has no pairwise form"):
            CovarianceModel(lookback=100, gaps=Gaps.PAIRWISE).estimate(self.view())


def contradicting_pairs():
    """A moves with B on some days and with C on others, while B and C move apart on the rest."""
    rng = np.random.Generator(np.random.PCG64(11))
    x = np.full((90, 3), NAN)
    for first, a, b, sign in ((0, 0, 1, 1), (30, 0, 2, 1), (60, 1, 2, -1)):
        move = rng.normal(size=30)
        x[first : first + 30, a], x[first : first + 30, b] = move, sign * move + 0.01 * rng.normal(size=30)
    return x


@pytest.mark.parametrize("repair", [Repair.HIGHAM, Repair.CLIP])
def test_pairs_that_contradict_each_other_are_repaired_and_it_shows(repair):
    model = CovarianceModel(estimator=Estimator.SAMPLE, gaps=Gaps.PAIRWISE, min_observations=30, repair=repair)
    found = model.of_returns(contradicting_pairs(), NAMES)
    assert np.linalg.eigvalsh(found.correlation).min() > -1e-10
    np.testing.assert_allclose(np.diag(found.matrix), np.nanvar(contradicting_pairs(), axis=0, ddof=1), rtol=1e-9)
    assert found.repaired > 0.5


def test_pairs_that_contradict_each_other_can_be_refused():
    model = CovarianceModel(estimator=Estimator.SAMPLE, gaps=Gaps.PAIRWISE, min_observations=30, repair=Repair.REFUSE)
    with pytest.raises(EstimateError, match="not positive semi-definite; repair it"):
        model.of_returns(contradicting_pairs(), NAMES)


@pytest.mark.parametrize("estimator", Estimator)
@pytest.mark.parametrize("value", [0.0, 0.01, -3.7e-5])
def test_what_never_changes_is_refused(estimator, value):
    """Shrinkage would make up a variance for it."""
    x = np.random.Generator(np.random.PCG64(2)).normal(size=(100, 3))
    x[:, 1] = value
    with pytest.raises(EstimateError, match="all returns of BBB are the same; leave it out"):
        CovarianceModel(estimator=estimator).of_returns(x, NAMES)


@pytest.mark.parametrize("estimator", Estimator)
def test_infinity_is_refused(estimator):
    x = np.random.Generator(np.random.PCG64(2)).normal(size=(100, 3))
    x[7, 2] = np.inf
    with pytest.raises(EstimateError, match="a return of CCC is infinite"):
        CovarianceModel(estimator=estimator, gaps=Gaps.COMMON).of_returns(x, NAMES)


def test_a_lookback_of_one_return_is_refused():
    with pytest.raises(EstimateError, match="lookback of 1"):
        CovarianceModel(lookback=1).estimate(HistoryView(history(), 100))


GIVEN = """
matrix            refusal
1 0.5 0.5 nan     BBB is not finite
1 0.5 0.4 1       not symmetric
1 2 2 1           not positive semi-definite
0 0 0 1           AAA never moved
1 0 0 -1          BBB never moved
"""


@pytest.mark.parametrize("row", GIVEN.strip().splitlines()[1:])
def test_a_given_matrix_must_be_a_covariance(row):
    numbers, refusal = row[:18], row[18:]
    matrix = np.array([float(x) for x in numbers.split()]).reshape(2, 2)
    with pytest.raises(EstimateError, match=refusal):
        Covariance(symbols=("AAA", "BBB"), matrix=matrix)


def test_a_covariance_cannot_be_changed():
    found = Covariance(symbols=("A",), matrix=np.array([[0.04]]))
    with pytest.raises(ValueError, match="read-only"):
        found.matrix[0, 0] = 1
    assert found.volatilities.tolist() == [0.2]
