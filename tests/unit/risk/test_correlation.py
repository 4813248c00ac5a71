"""Correlations for the gate: measured over common bars only, kept for one bar, and unknown when in doubt."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from quant_trading_system.risk import closest_bets
from quant_trading_system.risk.bets import Bets
from quant_trading_system.risk.closest_bets import ClosestBets
from quant_trading_system.risk.correlation import RollingCorrelations
from quant_trading_system.risk.pearson import with_each

D = Decimal
NAN = float("nan")


class Market:
    """Returns of a few symbols; counts how often it was asked."""

    def __init__(self, **columns: list[float]) -> None:
        self.symbols = tuple(columns)
        self.returns = np.array(list(columns.values()), dtype=np.float64).T
        self.asked: list[int] = []

    def recent(self, bars: int):
        self.asked.append(bars)
        return self.returns[-bars:]


def source(market: Market, window: int = 60, fewest: int = 3) -> RollingCorrelations:
    return RollingCorrelations(market.symbols, market.recent, window=window, min_observations=fewest)


def bets(**sides: int) -> Bets:
    found = Bets()
    for symbol, side in sides.items():
        found.put(symbol, side)
    return found


PAIRS = """
a               b                 correlation
1 2 3 4         2 4 6 8           1
1 2 3 4         8 6 4 2           -1
1 2 3 4         1 -1 -1 1         0
1 2 3           1 3 2             0.5
1 2 3 nan       2 4 6 -50         1            # only bars that both have
nan 1 2 3       9 2 nan 6         none         # two common bars are too few
1 1 1 1         1 2 3 4           none         # what never moves correlates with nothing
nan nan nan     1 2 3             none
inf 1 2 3       1 2 3 4           none
"""


@pytest.mark.filterwarnings("ignore:invalid value")  # infinity minus infinity, which is the point of one row
@pytest.mark.parametrize("line", PAIRS.strip().splitlines()[1:], ids=lambda line: line.partition("#")[0].strip())
def test_pearson_correlation_of_two_columns(line):
    a, b, expected = (part.strip() for part in line.partition("#")[0].replace("  ", "\t").split("\t") if part.strip())
    market = Market(A=[float(x) for x in a.split()], B=[float(x) for x in b.split()])
    measured = source(market).correlation("A", "B")
    assert measured == (None if expected == "none" else D(expected))
    assert source(market).correlation("B", "A") == measured


def test_the_result_is_exact_to_six_places_and_never_beyond_one():
    rng = np.random.Generator(np.random.PCG64(7))
    column = rng.normal(size=50)
    market = Market(A=list(column), B=list(column * 3.7 + 1e-9), C=list(column + rng.normal(size=50)))
    assert source(market).correlation("A", "B") == D(1)
    measured = source(market).correlation("A", "C")
    assert measured is not None
    assert measured == measured.quantize(D("0.000001"))


GAPS = {"none": [], "one": [("S5", 3)], "mine": [("S0", 3)], "many": [(f"S{n}", n) for n in range(0, 8, 2)]}


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("gaps", GAPS.values(), ids=GAPS)
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("few", [0, 8])
def test_those_that_are_named_say_the_same_as_all(seed, gaps, sign, few, monkeypatch):
    """Whoever looks at these alone finds the first highest, and the first that is unknown, as among all."""
    monkeypatch.setattr(closest_bets, "_FEW", few)
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=30)
    moves = (seed % 2, 3)  # every other market has symbols that never move
    columns = {f"S{n}": shared * rng.integers(-2, 3) + rng.normal(size=30) * rng.integers(*moves) for n in range(8)}
    for name, bar in gaps:
        columns[name][bar] = NAN
    order = list(columns)
    rng.shuffle(order)
    moving = source(Market(**{name: columns[name] for name in order}))
    sides = {name: int(rng.integers(-1, 2)) for name in columns if name != "S6"}

    def found(others):
        best: tuple[Decimal, str] | None = None
        for other in sorted(others):
            measured = moving.correlation("S0", other)
            if measured is None:
                return None, other
            alike = measured * sides[other] * sign if sides[other] else abs(measured)
            if best is None or alike > best[0]:
                best = alike, other
        return best, ""

    named = list(moving.closest("S0", sign, bets(**sides)))
    assert "S0" not in named
    assert found(named) == found(set(sides) - {"S0"})


@pytest.mark.parametrize("block", [1, 3])
def test_symbols_join_those_that_were_looked_at_with_and_without_gaps(block, monkeypatch):
    """Whatever was looked at before, the same are named as by a look at all at once."""
    monkeypatch.setattr(closest_bets, "_FEW", 0)
    monkeypatch.setattr(closest_bets, "_AT_ONCE", block)
    monkeypatch.setattr(closest_bets, "_BLOCK", block)
    rng = np.random.default_rng(8)
    columns = {f"S{n:02d}": rng.normal(size=40) for n in range(30)}
    for n in (5, 6, 20):
        columns[f"S{n:02d}"][n] = NAN
    columns["S29"][:] = 0
    step_by_step, held, market = source(Market(**columns)), bets(), Market(**columns)
    for bar in range(2):
        for symbol in rng.permutation(list(columns)[bar:]).tolist():
            for sign in (1, -1):
                anew = bets(**{other: held.side(other) for other in held.symbols})
                expected = source(market).closest(symbol, sign, anew)
                assert sorted(step_by_step.closest(symbol, sign, held)) == sorted(expected)
            held.put(symbol, int(rng.integers(-1, 2)))
        step_by_step.next_bar()
        held = bets(S02=1, S20=-1)


def test_two_books_may_ask_about_the_same_market(monkeypatch):
    monkeypatch.setattr(closest_bets, "_FEW", 0)
    monkeypatch.setattr(closest_bets, "_AT_ONCE", 1)
    moving = source(Market(A=[1, 2, 3, 5], B=[2, 4, 6, 8], C=[1, 2, 1, 2], D=[3, 2, 1, 0]))
    mine, theirs = bets(B=1), bets(C=1)
    assert list(moving.closest("A", 1, mine)) == ["B"]
    assert list(moving.closest("A", 1, theirs)) == ["C"]
    assert list(moving.closest("A", 1, mine)) == ["B"]


@pytest.mark.parametrize("gap", [False, True])
def test_of_many_few_are_named(gap):
    rng = np.random.default_rng(3)
    columns = {f"S{n:03d}": rng.normal(size=60) for n in range(300)}
    if gap:
        columns["S007"][5] = NAN
    moving, held = source(Market(**columns)), bets(**dict.fromkeys(columns, 1))
    named = [list(moving.closest(symbol, 1, held)) for symbol in columns]
    assert max(map(len, named)) <= 2
    for symbol, others in zip(columns, named, strict=True):
        assert moving.correlation(symbol, others[0]) is not None


@pytest.mark.parametrize("size", [1, 2, 7])
@pytest.mark.parametrize("block", [1, 3, 100])
@pytest.mark.parametrize("few", [0, 8])
def test_alike_to_the_last_digit_whether_looked_at_with_few_or_with_all(size, block, few, monkeypatch):
    monkeypatch.setattr(closest_bets, "_FEW", few)
    monkeypatch.setattr(closest_bets, "_AT_ONCE", block)
    monkeypatch.setattr(closest_bets, "_BLOCK", block)
    rng = np.random.default_rng(4)
    returns = np.asfortranarray(rng.normal(size=(60, 40)) * 1e-3)
    names = [f"S{n:02d}" for n in range(40)]
    columns = {name: n for n, name in enumerate(names)}
    for one in range(40):
        held = bets(**{names[n]: 1 for n in rng.choice(40, size=size, replace=False)}).along(columns)
        closest = ClosestBets(range(40))
        closest.begin(returns, 3)
        for sign in (1, -1):
            named = closest.find(one, sign, held)
            assert named == [(column, *with_each(returns, column, [one], 3)) for column, _ in named]


def test_a_few_bets_are_measured_once_a_bar(monkeypatch):
    """A second order for the same symbol finds what the first one measured."""
    asked = []
    monkeypatch.setattr(closest_bets, "with_each", lambda *given: asked.append(given[1:3]) or with_each(*given))
    moving, held = source(Market(A=[1, 2, 3, 5], B=[2, 4, 6, 8], C=[1, 2, 1, 2])), bets(B=1)
    assert [list(moving.closest("A", sign, held)) for sign in (1, -1)] == [["B"], ["B"]]
    assert asked == [(0, [1])]
    held.put("C", 1)
    assert list(moving.closest("A", 1, held)) == ["B"]
    assert asked == [(0, [1]), (0, [1, 2])]
    moving.next_bar()
    assert list(moving.closest("A", 1, held)) == ["B"]
    assert asked == [(0, [1]), (0, [1, 2]), (0, [1, 2])]


@pytest.mark.parametrize("gaps", [0.0, 0.1])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_pair_is_alike_to_the_last_digit_alone_and_with_others_and_without_the_bars_that_one_lacks(gaps, order):
    rng = np.random.default_rng(12)
    returns = np.array(rng.normal(size=(60, 9)) * 1e-3, order=order)
    returns[rng.random(returns.shape) < gaps] = NAN
    for one in range(9):
        others = [other for other in range(9) if other != one]
        together = with_each(returns, one, others, 3)
        for other, found in zip(others, together, strict=True):
            common = returns.take((other, one), axis=1)
            common = common[~np.isnan(common).any(axis=1)]
            assert [found] == with_each(returns, other, [one], 3) == with_each(common, 0, [1], 3)
            assert found == pytest.approx(np.corrcoef(common.T)[0, 1], abs=1e-12)


def test_of_those_that_cannot_be_measured_the_first_by_name_is_enough():
    moving = source(Market(B=[2, 4, 6, 8], C=[1, 1, 1, 1], A=[1, 2, 3, 5], D=[1, 1, 1, 1]))
    assert list(moving.closest("A", 1, bets(B=1, D=1, C=1))) == ["C"]
    assert list(moving.closest("C", 1, bets(B=1, A=-1))) == ["A"]
    assert list(moving.closest("A", 1, bets(A=1))) == []
    assert list(moving.closest("A", 1, bets())) == []


def test_symbols_without_a_column_cannot_be_measured():
    moving = source(Market(A=[1, 2, 3, 5], B=[2, 4, 6, 8]))
    assert set(moving.closest("A", 1, bets(X=1, Y=1, B=1))) == {"X", "B"}
    assert list(moving.closest("X", 1, bets(X=1, B=1, A=1))) == ["A"]
    assert list(moving.closest("X", 1, bets(X=1))) == []


def test_only_the_window_counts():
    market = Market(A=[1, 2, 3, 4, 5, 6], B=[-1, -2, -3, 4, 5, 6])
    assert source(market, window=3).correlation("A", "B") == D(1)
    assert source(market, window=6).correlation("A", "B") != D(1)


@pytest.mark.parametrize(("fewest", "known"), [(3, True), (4, True), (5, False)])
def test_too_few_bars_are_no_measurement(fewest, known):
    market = Market(A=[1, 2, 3, 4], B=[2, 4, 6, 8])
    assert (source(market, fewest=fewest).correlation("A", "B") is not None) is known


def test_a_symbol_without_prices_correlates_with_nothing_known():
    assert source(Market(A=[1, 2, 3])).correlation("A", "unknown") is None


def test_a_bar_is_measured_once():
    """All orders of one bar are judged by the same numbers; the next bar brings new ones."""
    market = Market(A=[1, 2, 3, 4], B=[2, 4, 6, 8], C=[4, 3, 2, 1])
    correlations = source(market)
    for _ in range(3):
        correlations.correlation("A", "B")
        correlations.correlation("C", "A")
    assert market.asked == [60]
    market.returns = -market.returns[::-1] * np.array([1, -1, 1])
    assert correlations.correlation("A", "B") == D(1)
    correlations.next_bar()
    assert correlations.correlation("A", "B") == D(-1)
    assert market.asked == [60, 60]


@pytest.mark.parametrize("gaps", [0.0, 0.05])
def test_many_symbols_correlate_as_numpy_says_and_alike_both_ways(gaps):
    rng = np.random.Generator(np.random.PCG64(11))
    returns = rng.normal(size=(60, 30)) + rng.normal(size=(60, 1))
    returns[rng.random(returns.shape) < gaps] = NAN
    market = Market(**{f"S{number:02d}": list(column) for number, column in enumerate(returns.T)})
    forth, back = source(market), source(market)
    for one, symbol in enumerate(market.symbols):
        for two, other in enumerate(market.symbols[:one]):
            common = returns[:, [one, two]][~np.isnan(returns[:, [one, two]]).any(axis=1)]
            measured = forth.correlation(symbol, other)
            assert float(measured) == pytest.approx(np.corrcoef(common.T)[0, 1], abs=1e-6)
            assert back.correlation(other, symbol) == measured


# -- volatility --------------------------------------------------------------------------------------------------------


def volatility(returns, reference="market", short=5, long=20):
    source = RollingCorrelations(("KO", "XOM"), lambda bars: returns[-bars:], window=60, min_observations=20)
    return source.volatility_ratio(reference, short, long)


def test_the_volatility_of_the_latest_bars_over_that_of_the_usual_ones():
    returns = np.random.default_rng(5).normal(0, 0.01, (40, 2))
    returns[-5:] *= 3
    for reference, series in (("KO", returns[:, 0]), ("XOM", returns[:, 1]), ("market", returns.mean(axis=1))):
        expected = series[-5:].std(ddof=1) / series[-20:].std(ddof=1)
        assert float(volatility(returns, reference)) == pytest.approx(expected, abs=1e-6)
    assert volatility(returns) > 1


def test_an_unknown_volatility_is_not_told():
    returns = np.random.default_rng(5).normal(0, 0.01, (40, 2))
    assert volatility(returns[:19]) is None
    assert volatility(returns, "SPY") is None
    assert volatility(np.zeros((40, 2))) is None
    returns[-1, 0] = np.nan
    assert volatility(returns, "KO") is None
    assert volatility(returns) is not None  # the average of the others
    returns[-1, 1] = np.nan
    assert volatility(returns) is None


def test_it_is_measured_once_a_bar():
    asked = []
    returns = np.random.default_rng(5).normal(0, 0.01, (40, 2))

    def recent(bars):
        asked.append(bars)
        return returns[-bars:]

    source = RollingCorrelations(("KO", "XOM"), recent, window=60, min_observations=20)
    first = source.volatility_ratio("market", 5, 20)
    assert source.volatility_ratio("market", 5, 20) == first
    assert asked == [20]
    source.next_bar()
    source.volatility_ratio("market", 5, 20)
    assert asked == [20, 20]


def test_correlations_are_measured_within_days_and_all_else_with_the_nights():
    """Two symbols that move against each other, and jump together at one open."""
    moves = np.random.default_rng(3).normal(0, 0.001, (40, 1)) * [1, -1]
    with_night = np.vstack((moves[:20], [[0.05, 0.05]], moves[20:]))
    names, recent = ("KO", "XOM"), lambda bars: with_night[-bars:]
    within = RollingCorrelations(names, recent, window=30, min_observations=20, within_days=lambda bars: moves[-bars:])
    over = RollingCorrelations(names, recent, window=30, min_observations=20)
    assert within.correlation("KO", "XOM") == -1
    assert over.correlation("KO", "XOM") > D("0.9")
    assert list(within.closest("KO", 1, bets(XOM=-1))) == ["XOM"]
    assert within.volatility_ratio("KO", 5, 40) == over.volatility_ratio("KO", 5, 40)
