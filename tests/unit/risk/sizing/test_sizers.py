"""Each sizer against worked cases; nothing, and why, whenever an input is missing."""

from __future__ import annotations

from collections import deque
from decimal import Decimal

import msgspec
import numpy as np
import pytest

from quant_trading_system.core.exceptions import ConfigurationError, InvalidNumber, SolverFailed
from quant_trading_system.core.instruments import UNKNOWN_SECTOR, Instrument
from quant_trading_system.core.numbers import floor_to_lot
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.market.history_view import HistoryView
from quant_trading_system.risk.portfolio_optimizer import Constraints, Method, optimize
from quant_trading_system.risk.position_sizer import (
    AtrStop,
    DrawdownScale,
    EqualWeight,
    FixedFractional,
    Kelly,
    KellyBet,
    OptimalF,
    Optimized,
    RegimeScale,
    Scaled,
    Smallest,
    Trades,
    VolatilityTarget,
    make_sizer,
)
from quant_trading_system.risk.sizing.estimates import (
    average_true_range,
    ewma_volatility,
    returns_of,
    sample_volatility,
    since_gap,
    true_ranges_of,
)
from quant_trading_system.risk.sizing.fitting import WithinLimits
from quant_trading_system.risk.sizing.growth import target_exposure
from tests.support.desk import limits_with
from tests.support.sizing import ask, past_of, wander

D = Decimal
RETURNS = np.array([
    0.012, -0.008, 0.004, -0.021, 0.017, 0.006, -0.011, 0.009, 0.002, -0.015, 0.013, -0.003, 0.007, -0.006, 0.019,
    -0.024, 0.005, 0.010, -0.001, -0.013, 0.016, 0.003, -0.009, 0.008, -0.018,
])  # fmt: skip
TRADES = tuple(D(profit) for profit in (200, -100, 150, -100, 100, -50) * 6)


# -- estimates


def test_volatilities_of_a_worked_series():
    """The same numbers as pandas' std and ewm(alpha=0.06, adjust=True)."""
    assert sample_volatility(RETURNS) == pytest.approx(0.195763428658164, rel=1e-12)
    assert ewma_volatility(RETURNS) == pytest.approx(0.192789189485729, rel=1e-12)
    assert ewma_volatility(RETURNS, periods=63) == pytest.approx(0.192789189485729 / 2, rel=1e-12)


@pytest.mark.parametrize("returns", [[], [0.01], [0.01, float("nan")], [0.01, float("inf")]])
def test_no_volatility_of_too_little_or_of_what_is_no_number(returns):
    with pytest.raises(InvalidNumber):
        sample_volatility(np.array(returns))


def test_the_true_range_is_wilders():
    """Mean of the first three, then two parts of the old and one of the new."""
    assert average_true_range(np.array([1.0, 2.0, 3.0]), 3) == 2.0
    assert average_true_range(np.array([1.0, 2.0, 3.0, 5.0]), 3) == 3.0
    with pytest.raises(InvalidNumber, match="too few"):
        average_true_range(np.array([1.0]), 3)


def test_a_gap_ends_the_past():
    view = past_of({"KO": [0.01, 0.02, float("nan"), 0.03, 0.04], "PEP": [0.01] * 5})
    assert len(returns_of(view, "KO", 10)) == 1  # the return over the gap is nobody's daily return
    assert len(returns_of(view, "PEP", 10)) == 5
    assert len(returns_of(view, "XOM", 10)) == 0
    assert len(returns_of(None, "KO", 10)) == 0
    assert true_ranges_of(view, "PEP", 2) == pytest.approx([100 * 1.01**3 * 0.01, 100 * 1.01**4 * 0.01])


def test_a_price_of_nothing_is_a_gap_too():
    assert since_gap(np.array([5.0, 0.0, 2.0, 3.0])).tolist() == [2.0, 3.0]
    assert since_gap(np.array([float("nan"), 2.0, 3.0])).tolist() == [2.0, 3.0]


def test_a_true_range_reaches_back_to_the_close_before():
    """Closes of 10, 20, 5 and 8: a gap up counts from the close below it, a gap down from the close above it."""
    closes = past_of({"KO": [0.01] * 3})._history
    bars = [(10, 11, 9, 10), (18, 21, 18, 20), (6, 7, 4, 5), (7, 9, 6, 8)]  # open, high, low, close
    opened, high, low, close = (np.array([[bar[role] * 1_000_000] for bar in bars]) for role in range(4))
    view = HistoryView(PriceHistory(("KO",), closes.axis, close, close > 0, opened, high, low), 3)
    assert true_ranges_of(view, "KO", 9).tolist() == [21 - 10, 20 - 4, 9 - 5]
    assert true_ranges_of(view, "KO", 2).tolist() == [20 - 4, 9 - 5]
    assert true_ranges_of(view, "KO", 0).tolist() == []


# -- volatility target

VOLATILITY_TARGETS = """
target  volatility  cap  exposure  shares      # equity 200 000, price 55.40
0.12    0.30        2    0.4       1444
0.20    0.10        1    1         3610
0.20    0.10        3    2         7220
"""


@pytest.mark.parametrize("line", VOLATILITY_TARGETS.strip().splitlines()[1:])
def test_exposures_of_the_worked_cases(line):
    target, volatility, cap, exposure, shares = line.split()
    found = target_exposure(D(target), float(volatility), D(cap))
    assert found == D(exposure)
    assert floor_to_lot(found * 200_000 / D("55.40"), D(1)) == D(shares)


def test_a_volatility_target_divides_by_what_is_wanted_and_by_the_volatility():
    view = past_of({"KO": RETURNS, "PEP": 2 * RETURNS})
    sizer = VolatilityTarget(target=D("0.10"), cap=D(5))
    alone, both = sizer.size(ask(past=view)), sizer.size(ask(past=view, others=["PEP"]))
    assert alone.quantity == int(1000 * 0.10 / 0.1927891)
    assert (alone.bound_by, abs(alone.quantity - 2 * both.quantity) <= 1) == ("vol_target", True)
    wild = sizer.size(ask("PEP", past=view, others=["KO"]))
    assert abs(both.quantity - 2 * wild.quantity) <= 2
    capped = VolatilityTarget(target=D("0.10"), cap=D("0.2")).size(ask(past=view))
    assert (capped.quantity, capped.bound_by) == (D(200), "vol_target_cap")
    assert VolatilityTarget(fewest=25).size(ask(past=view)).quantity > 0  # just as many returns as it needs


# -- stops


def test_the_range_of_closes_stands_in_where_highs_are_not_known():
    """Moves of exactly 1 % around 100 dollars: a stop two ranges away risks about 2 dollars a share."""
    view = past_of({"KO": [0.01, -1 / 101] * 30})
    sizing = AtrStop(risk_fraction=D("0.01")).size(ask(past=view))
    assert (sizing.quantity, sizing.bound_by) == (D(500), "atr_stop")
    assert AtrStop(multiple=D(4)).size(ask(past=view)).quantity == 250
    assert AtrStop().size(ask(direction="short", past=view)).quantity == -500
    wider = past_of({"KO": [0.02, -2 / 102] * 30})
    assert AtrStop().size(ask(past=wider)).quantity == 250


def test_kelly_of_trades_risks_a_fraction_to_the_stop():
    """Half of the trades win 150 on average, half lose 83.33: b = 1.8 and f = 0.5 − 0.5/1.8 = 22.2 %."""
    full = KellyBet(fraction=D(1), most=D("0.9"), shrink=False)
    assert full.size(ask(trades=TRADES, stop_price=D(90))).quantity == int(100_000 * (0.5 - 0.5 / 1.8) / 10)
    shrunk = KellyBet(fraction=D(1), most=D("0.9")).size(ask(trades=TRADES, stop_price=D(90)))
    assert 0 < shrunk.quantity < 2222
    capped = KellyBet().size(ask(trades=TRADES, stop_price=D(90)))
    assert (capped.quantity, capped.bound_by) == (D(200), "kelly_bet_most")  # 2 % of equity, 10 dollars a share
    losing = KellyBet().size(ask(trades=[-profit for profit in TRADES], stop_price=D(90)))
    assert (losing.quantity, losing.bound_by) == (D(0), "kelly_bet")


def test_trades_are_copied_once_and_only_for_a_sizer_that_looks_at_them():
    """A backtest of many orders would copy all earlier trades for every one of them."""
    asked = []
    trades = Trades(lambda: asked.append("asked") or deque(TRADES))
    EqualWeight().size(ask(trades=trades))
    assert not asked
    sized = KellyBet().size(ask(trades=trades, stop_price=D(90)))
    assert sized == KellyBet().size(ask(trades=TRADES, stop_price=D(90)))
    assert (len(trades), trades[0], trades[-2:], list(trades)) == (36, D(200), TRADES[-2:], list(TRADES))
    assert asked == ["asked"]


def test_optimal_f_of_trades_risks_a_fraction_to_the_stop():
    coin = tuple(D(profit) for profit in (200, -100) * 20)
    sizing = OptimalF(fraction=D(1), most=D("0.9")).size(ask(trades=coin, stop_price=D(90)))
    assert (sizing.quantity, sizing.bound_by) == (D(2500), "optimal_f")
    capped = OptimalF().size(ask(trades=coin, stop_price=D(90)))
    assert (capped.quantity, capped.bound_by) == (D(200), "optimal_f_most")  # 2 % of equity, 10 dollars a share
    assert OptimalF().size(ask(trades=coin[:29], stop_price=D(90))).bound_by == "missing"
    assert OptimalF().size(ask(trades=coin[:30], stop_price=D(90))).quantity == 200


# -- several symbols at once

MANY = {name: wander(seed, scale=0.006 * (seed + 1)) for seed, name in enumerate(("KO", "PEP", "XOM"))}


def sizes(sizer, view, names, **how):
    first = {n: sizer.size(ask(n, past=view, others=[o for o in names if o != n], **how)) for n in names}
    return {name: float(sizing.quantity) for name, sizing in first.items()}


def test_risk_parity_gives_every_symbol_the_same_risk():
    view = past_of(MANY)
    found = sizes(Optimized(Method.RISK_PARITY, fewest=60), view, list(MANY), equity="100000000")
    total = sum(found.values()) * 100
    assert total == pytest.approx(95_000_000, rel=1e-5)
    weights = np.array([found[name] * 100 / total for name in MANY])
    assert weights[0] > weights[1] > weights[2]
    sizing = Optimized(Method.RISK_PARITY).size(ask("KO", past=view, others=["PEP", "XOM"]))
    assert "33.3% of its variance" in sizing.detail
    assert sizing.bound_by == "risk_parity"


def test_risk_budgets_are_kept():
    view = past_of(MANY)
    sizer = Optimized(Method.RISK_PARITY, budgets={"KO": 0.5, "PEP": 0.25, "XOM": 0.25})
    assert "50.0% of its variance" in sizer.size(ask("KO", past=view, others=["PEP", "XOM"])).detail
    incomplete = Optimized(Method.RISK_PARITY, budgets={"KO": 1.0})
    assert incomplete.size(ask("KO", past=view, others=["PEP"])).bound_by == "missing"


def test_a_single_symbol_gets_everything():
    for method in (Method.RISK_PARITY, Method.MAX_DIVERSIFICATION, Method.MIN_VARIANCE):
        assert Optimized(method, gross=D(1)).size(ask("KO", past=past_of(MANY))).quantity == 1000


def test_limits_that_leave_less_than_everything_leave_the_rest_in_cash():
    sizer = Optimized(Method.RISK_PARITY)
    asked = ask("KO", past=past_of(MANY), others=["PEP"], limits={"max_position_pct": D("0.2")})
    found = [sizer.size(asked.of(wanted)) for wanted in asked.around.wanted]
    assert [(sizing.quantity, sizing.bound_by) for sizing in found] == [(D(199), "max_position_pct")] * 2


CALM = {"A": 0.003, "B": 0.006, "C": 0.007, "D": 0.012, "E": 0.013, "F": 0.014}
CALM_PAST = {name: wander(seed, scale=scale) for seed, (name, scale) in enumerate(CALM.items())}


@pytest.mark.parametrize("method", [Method.RISK_PARITY, Method.MIN_VARIANCE, Method.MAX_DIVERSIFICATION])
def test_a_limit_on_positions_is_a_constraint_and_not_a_cut(method):
    """What the calm ones may not take goes to the others, so that the account stays invested."""
    view, limit = past_of(CALM_PAST), {"max_position_pct": D("0.2")}
    free = sizes(Optimized(method), view, list(CALM))
    assert max(free.values()) == free["A"] > 200
    found = sizes(Optimized(method), view, list(CALM), limits=limit)
    assert max(found.values()) <= 200
    first = Optimized(method).size(ask("A", past=view, others=list(CALM)[1:], limits=limit))
    assert (first.bound_by, first.quantity, first.cut_from) == ("max_position_pct", D(199), D(str(free["A"])))
    assert sum(found.values()) >= 940
    assert sum(found.values()) > sum(min(shares, 200) for shares in free.values()) + 10


def test_a_limit_on_a_sector_leaves_it_what_is_not_taken_by_what_stays():
    """All wanted ones are of one sector that may be worth 60 %, and 10 % of it are held and stay."""
    asked = ask("A", past=past_of(CALM_PAST), others=list(CALM)[1:], limits={"max_sector_exposure": D("0.6")})
    around = msgspec.structs.replace(asked.around, staying={"Z": D(-10_000)}, sectors={"Z": UNKNOWN_SECTOR})
    asked = msgspec.structs.replace(asked, around=around)
    sizer = Optimized(Method.RISK_PARITY)
    total = sum(sizer.size(asked.of(wanted)).quantity for wanted in around.wanted)
    assert 494 <= total <= 500


def test_limits_that_leave_nothing_leave_the_weights_for_others_to_cut():
    asked = ask("A", past=past_of(CALM_PAST), others=["B"], limits={"max_sector_exposure": D(0)})
    assert Optimized(Method.MIN_VARIANCE).size(asked).quantity > 0
    assert WithinLimits(Optimized(Method.MIN_VARIANCE)).size(asked).quantity == 0


def of_sectors(asked, **sectors):
    """The same question with the sectors of the wanted symbols."""
    wanted = tuple(
        msgspec.structs.replace(w, instrument=Instrument(symbol=w.signal.symbol, sector=sectors[w.signal.symbol]))
        for w in asked.around.wanted
    )
    return msgspec.structs.replace(
        asked, instrument=wanted[0].instrument, around=msgspec.structs.replace(asked.around, wanted=wanted)
    )


@pytest.mark.parametrize("method", [Method.RISK_PARITY, Method.MIN_VARIANCE, Method.MAX_DIVERSIFICATION])
def test_a_full_sector_is_left_out_and_the_others_are_weighed_without_it(method):
    asked = ask("A", past=past_of(CALM_PAST), others=list(CALM)[1:], limits={"max_sector_exposure": D("0.5")})
    asked = of_sectors(asked, A="Full", B="Full", C="Energy", D="Energy", E="Utilities", F="Utilities")
    full = msgspec.structs.replace(asked.around, staying={"Z": D(50_000)}, sectors={"Z": "Full"})
    asked = msgspec.structs.replace(asked, around=full)
    sizer = Optimized(method)
    found = {w.signal.symbol: sizer.size(asked.of(w)) for w in full.wanted}
    first = found["A"]
    assert (first.quantity, first.bound_by) == (0, "max_sector_exposure")
    assert first.cut_from > 0
    assert first.detail == "the sector Full has no room left"
    assert not found["B"].quantity
    energy, utilities = (found[a].quantity + found[b].quantity for a, b in ("CD", "EF"))
    assert 945 <= energy + utilities <= 950
    assert max(energy, utilities) <= 500
    if method is Method.RISK_PARITY:
        assert all(found[name].quantity > 0 for name in "CDEF")


def test_a_failed_solve_within_the_limits_is_not_traded(monkeypatch):
    """The free optimum is no stand-in: the size is unknown. Only methods that know no limits keep it for a cut."""

    def free_only(problem):
        if problem.constraints != Constraints():
            raise SolverFailed("no portfolio came out")
        return optimize(problem)

    monkeypatch.setattr("quant_trading_system.risk.sizing.joint.optimize", free_only)
    asked = ask("A", past=past_of(CALM_PAST), others=list(CALM)[1:], limits={"max_position_pct": D("0.2")})
    for method in (Method.RISK_PARITY, Method.MIN_VARIANCE, Method.MAX_DIVERSIFICATION):
        sizing = Optimized(method).size(asked)
        assert (sizing.quantity, sizing.bound_by) == (0, "missing"), method
        assert "found no weights" in sizing.detail
    assert Optimized(Method.HRP).size(asked).quantity == 200


@pytest.mark.parametrize("equity", ["0", "-1"])
def test_without_equity_nothing_is_weighed(equity):
    asked = ask("A", past=past_of(CALM_PAST), others=["B"], equity=equity)
    assert Optimized(Method.MIN_VARIANCE).size(asked).bound_by == "missing"


def test_the_next_walk_is_weighed_anew():
    """A portfolio is worked out once for all its symbols; a later day, with other ones beside it, is another."""
    sizer = WithinLimits(Optimized(Method.RISK_PARITY))
    first = sizer.size(ask("KO", past=past_of(MANY), others=["PEP", "XOM"]))
    later = sizer.size(ask("KO", past=past_of(MANY)))
    assert 0 < first.quantity < later.quantity == 950


def test_kelly_stays_within_leverage_and_position_limit():
    view = past_of({name: wander(seed, drift=0.002) for seed, name in enumerate(("KO", "PEP", "XOM"))})
    found = sizes(Kelly(fraction=D("0.5"), fewest=60), view, ["KO", "PEP", "XOM"])
    assert sum(found.values()) <= 1000
    capped = Kelly(fewest=60).size(ask(past=view, limits={"max_position_pct": D("0.10")}))
    assert (capped.quantity, capped.bound_by) == (D(100), "max_position_pct")


def test_kelly_holds_nothing_without_an_edge_and_turns_it_for_shorts():
    falling = past_of({"KO": wander(1, drift=-0.003)})
    long, short = Kelly().size(ask(past=falling)), Kelly().size(ask(direction="short", past=falling))
    assert (long.quantity, long.bound_by) == (D(0), "kelly")
    assert "no edge" in long.detail
    assert short.quantity < 0


UP_AND_DOWN = [0.03, -0.01] * 63
"""A mean of 1 % a bar, which is 252 % a year."""


def full_kelly(**how):
    return Kelly(**{"fraction": D(1), "leverage": D(100), "shrink": False, **how})


@pytest.mark.parametrize(("rate", "shares"), [("0", 25000), ("1.26", 12500)])
def test_full_kelly_is_the_edge_over_the_rate_by_the_variance(rate, shares):
    """Half of the moves are 2 % above the mean and half 2 % below: the variance is 4 hundredths of a per cent."""
    sizing = full_kelly(rate=D(rate)).size(ask(past=past_of({"KO": UP_AND_DOWN}), limits={"max_position_pct": D(100)}))
    assert float(sizing.quantity) == pytest.approx(shares, rel=1e-6)
    assert sizing.detail.startswith(f"Kelly {shares / 1000:.2f} alone, 100% of it used, {shares / 1000:.4f} within")


def test_an_edge_has_to_beat_the_rate_and_the_words_give_the_return_and_the_rate():
    sizing = full_kelly(rate=D("2.60")).size(ask(past=past_of({"KO": UP_AND_DOWN})))
    assert (sizing.quantity, sizing.bound_by) == (D(0), "kelly")
    assert sizing.detail == "no edge: the mean return of +252.00% a year is not above 2.60"


@pytest.mark.parametrize(
    ("leverage", "most", "shares", "bound_by"),
    [
        ("100", "100", 25000, "kelly"),
        ("0.5", "100", 500, "kelly_leverage"),
        ("0.5", "0.3", 300, "max_position_pct"),
        ("0.5", "0.5", 500, "max_position_pct"),
    ],
)
def test_what_holds_kelly_back_is_named(leverage, most, shares, bound_by):
    asked = ask(past=past_of({"KO": UP_AND_DOWN}), limits={"max_position_pct": D(most)})
    sizing = full_kelly(leverage=D(leverage)).size(asked)
    assert (round(sizing.quantity, -1), sizing.bound_by) == (shares, bound_by)


def test_what_the_better_of_two_may_not_take_is_left_to_the_other():
    """KO's edge is three times as large; leverage of 15 % is for both, and 10 % is the most for one."""
    past = past_of({"KO": UP_AND_DOWN, "PEP": [0.0333, -0.0267] * 63})
    both = [ask(name, past=past, others=[o for o in ("KO", "PEP") if o != name]) for name in ("KO", "PEP")]
    alone = full_kelly(leverage=D("0.15"))
    first, second = (alone.size(asked) for asked in both)
    assert (first.quantity, first.bound_by) == (D(150), "kelly_leverage")
    assert (second.quantity, second.bound_by) == (D(0), "kelly")
    assert second.detail.startswith("better edges leave no room: ")
    limits = limits_with(**{f"max_{what}": D(10) for what in ("sector_exposure", "gross_exposure")})
    limits = msgspec.structs.replace(limits, max_position_pct=D("0.1"))
    shared = full_kelly(leverage=D("0.15"))
    found = [shared.size(msgspec.structs.replace(asked, limits=limits)).quantity for asked in both]
    assert [round(shares, -1) for shares in found] == [100, 50]


def test_kelly_knows_an_edge_from_just_as_many_returns_as_it_needs():
    past = past_of({"KO": UP_AND_DOWN})
    assert full_kelly(fewest=126).size(ask(past=past)).quantity > 0
    assert full_kelly(fewest=127).size(ask(past=past)).bound_by == "missing"


def test_less_kelly_is_less_and_doubt_makes_it_smaller():
    view = past_of({"KO": wander(1, drift=0.002)})
    quarter, half = (Kelly(fraction=D(f), leverage=D(9), shrink=False).size(ask(past=view)) for f in ("0.1", "0.2"))
    assert abs(half.quantity - 2 * quarter.quantity) <= 2
    assert Kelly(fraction=D("0.1"), leverage=D(9)).size(ask(past=view)).quantity < quarter.quantity


# -- what is missing

NOTHING = {
    "no past": (VolatilityTarget(), ask(), "too few"),
    "a short past": (VolatilityTarget(), ask(past=past_of({"KO": [0.01, -0.01]})), "too few"),
    "a still price": (VolatilityTarget(), ask(past=past_of({"KO": [0.0] * 40})), "never moved"),
    "a gap now": (VolatilityTarget(), ask(past=past_of({"KO": [*RETURNS, float("nan")]})), "too few"),
    "no range": (AtrStop(), ask(past=past_of({"KO": [0.0] * 40})), "never moved"),
    "no bars": (AtrStop(), ask(), "no average true range"),
    "few returns": (Kelly(), ask(past=past_of({"KO": RETURNS})), "too few"),
    "no history": (Kelly(), ask("KO"), "too few"),
    "an unknown symbol": (Optimized(Method.RISK_PARITY), ask("ZZZ", past=past_of(MANY), others=["KO"]), "no returns"),
    "one that stands still": (
        Optimized(Method.RISK_PARITY),
        ask(past=past_of({"KO": [0.0] * 100, "PEP": wander(1, 100)}), others=["PEP"]),
        "are the same",
    ),
    "few trades": (KellyBet(), ask(trades=TRADES[:5], stop_price=D(90)), "too few"),
    "only winners": (KellyBet(), ask(trades=(D(1),) * 40, stop_price=D(90)), "no losing trade"),
    "no stop": (OptimalF(), ask(trades=TRADES), "needs a stop_price"),
}


@pytest.mark.parametrize("name", NOTHING)
def test_what_is_missing_sizes_to_nothing_and_says_why(name):
    sizer, asked, why = NOTHING[name]
    sizing = sizer.size(asked)
    assert (sizing.quantity, sizing.bound_by) == (D(0), "missing")
    assert why in sizing.detail


def test_sizers_of_many_symbols_need_to_know_which():
    alone = msgspec.structs.replace(ask(past=past_of(MANY)), around=msgspec.structs.replace(ask().around, wanted=()))
    assert Kelly().size(alone).bound_by == "missing"
    assert Optimized(Method.RISK_PARITY).size(alone).bound_by == "missing"


BY_NAME = ("equal-weight", "fixed-fractional", "atr", "vol-target", "kelly", "risk-parity", "kelly-bet", "optimal-f")


def test_half_the_strength_asks_for_half_as_many_shares():
    past = past_of({"KO": wander(1, drift=0.002)})
    for name in BY_NAME:
        full, half = (
            make_sizer(name, within_limits=False)
            .size(ask(past=past, trades=TRADES, stop_price=D(90), strength=D(strength)))
            .quantity
            for strength in ("1", "0.5")
        )
        assert 0 < full // 2 - 1 <= half <= full // 2 + 1, name


def test_to_be_flat_is_nothing_also_while_nothing_else_is_wanted():
    asked = ask(direction="flat", past=past_of(MANY), trades=TRADES, stop_price=D(90))
    around = msgspec.structs.replace(asked.around, wanted=())
    for name in BY_NAME:
        sizing = make_sizer(name).size(msgspec.structs.replace(asked, signals=0, around=around))
        assert not sizing.quantity, name


# -- composites


def test_the_smallest_counts_and_bears_its_own_name():
    both = Smallest((EqualWeight(), FixedFractional(D("0.01"))))
    tight, wide = ask(stop_price=D(99)), ask(stop_price=D(50))
    assert (both.size(tight).bound_by, both.size(tight).quantity) == ("equal_weight", D(950))
    sizing = both.size(wide)
    assert (sizing.bound_by, sizing.quantity, sizing.cut_from) == ("risk_fraction", D(20), D(950))
    assert both.size(ask()).bound_by == "missing"  # what one of them cannot know, nobody is to trade on


def test_the_smallest_of_shorts_is_the_one_nearest_to_nothing():
    sizing = Smallest((EqualWeight(), FixedFractional(D("0.01")))).size(ask(direction="short", stop_price=D(150)))
    assert (sizing.bound_by, sizing.quantity, sizing.cut_from) == ("risk_fraction", D(-20), D(-950))
    equal = Smallest((EqualWeight(), EqualWeight())).size(ask(direction="short"))
    assert (equal.quantity, equal.cut_from) == (D(-950), None)  # nothing was cut


DRAWDOWNS = [
    ("0", "equal_weight", 950),
    ("0.05", "equal_weight", 950),
    ("0.063", "drawdown", 826),  # 826.5
    ("0.10", "drawdown", 475),
    ("0.2", "drawdown", 0),
    ("0.3", "drawdown", 0),
]


@pytest.mark.parametrize(("drawdown", "bound_by", "shares"), DRAWDOWNS)
def test_a_drawdown_takes_away_in_a_line(drawdown, bound_by, shares):
    sizing = Scaled(EqualWeight(), DrawdownScale()).size(ask(drawdown=drawdown))
    assert (sizing.quantity, sizing.bound_by) == (D(shares), bound_by)
    assert sizing.cut_from == (D(950) if bound_by == "drawdown" else None)
    short = Scaled(EqualWeight(), DrawdownScale()).size(ask(direction="short", drawdown=drawdown))
    assert (short.quantity, short.bound_by) == (D(-shares), bound_by)


def test_a_drawdown_takes_nothing_from_nothing():
    sizing = Scaled(FixedFractional(), DrawdownScale()).size(ask(drawdown="0.10"))
    assert (sizing.quantity, sizing.bound_by, sizing.cut_from) == (D(0), "missing", None)


@pytest.mark.parametrize(
    ("drawdown", "factor"), [("0", "1"), ("0.05", "1"), ("0.10", "0.6"), ("0.15", "0.2"), ("1", "0.2")]
)
def test_a_drawdown_of_its_own_end_leaves_the_least_from_there_on(drawdown, factor):
    scale = DrawdownScale(end=D("0.15"), least=D("0.2"))
    assert scale.factor(ask(drawdown=drawdown, limits={"max_drawdown_pct": D("0.3")}))[0] == D(factor)


@pytest.mark.parametrize(
    ("limit", "drawdown", "factor"), [("0.25", "0.15", "0.5"), ("0.04", "0.039", "1"), ("0.04", "0.04", "0")]
)
def test_a_drawdown_ends_at_the_limit_of_the_account(limit, drawdown, factor):
    asked = ask(drawdown=drawdown, limits={"max_drawdown_pct": D(limit)})
    assert DrawdownScale().factor(asked)[0] == D(factor)


def test_a_market_below_its_average_halves():
    scaled = Scaled(EqualWeight(), RegimeScale(window=10))
    up, down = past_of({"KO": [0.01] * 12}), past_of({"KO": [-0.01] * 12})
    assert scaled.size(ask(past=up)).quantity == 950
    assert (scaled.size(ask(past=down)).quantity, scaled.size(ask(past=down)).bound_by) == (D(475), "regime")
    unknown = scaled.size(ask(past=past_of({"KO": [0.01] * 5})))
    assert (unknown.quantity, unknown.bound_by) == (D(0), "missing")


NAN = float("nan")
REGIMES = [  # an index of 1, then by the returns of the last two of three bars; what was before them is not looked at
    ({"KO": [-0.5, 0.2, -0.1]}, "0.5", "the market stands -1.2% at its average"),  # 1, 1.2, 1.08
    ({"KO": [0.5, -0.2, 0.3]}, "1", "the market stands +9.9% at its average"),  # 1, 0.8, 1.04
    ({"KO": [-0.5, 0.1, -0.1], "PEP": [-0.5, -0.1, 0.1]}, "1", "the market stands +0.0% at its average"),
    ({"KO": [-0.5, 0.2, -0.1], "PEP": [0.5, NAN, 0.5]}, "0.5", "the market stands -1.2% at its average"),
    ({"KO": [0.2]}, None, "2 bars do not tell the regime; 3 are needed"),
    ({"KO": [0.1, 0.2, NAN]}, None, "3 bars do not tell the regime; 3 are needed"),  # of nothing
    ({}, None, "1 bars do not tell the regime; 3 are needed"),
]


@pytest.mark.parametrize(("returns", "factor", "words"), REGIMES)
def test_the_regime_is_that_of_an_index_of_equal_parts(returns, factor, words):
    found = RegimeScale(window=3).factor(ask(past=past_of(returns) if returns else None))
    assert found == (None if factor is None else D(factor), words)


# -- by name


def test_a_sizer_is_built_from_text():
    assert make_sizer("vol-target:target=0.10, cap=2", within_limits=False) == VolatilityTarget(D("0.10"), D(2))
    assert make_sizer("fixed-fractional:risk=0.02", within_limits=False) == FixedFractional(D("0.02"))
    assert make_sizer("kelly:shrink=false,window=300", within_limits=False) == Kelly(window=300, shrink=False)
    both = make_sizer(["atr", "equal-weight", "drawdown:start=0.02"], within_limits=False)
    assert both == Scaled(Smallest((AtrStop(), EqualWeight())), DrawdownScale(start=D("0.02")))


MISTAKES = {
    "keely": "did you mean kelly",
    "zzz": "there are equal-weight",
    "kelly:f=1": "write key=value, with fraction",
    "kelly:fraction": "write key=value",
    "kelly:fraction=": "kelly: fraction",
    "kelly:fraction=0.5,fraction=1": "given twice",
    "kelly:fraction=2": "at most 1",
    "kelly:window=10.5": "whole number",
    "kelly:shrink=maybe": "true or false",
    "kelly:fewest=1": "at least 2",
    "vol-target:target=0": "must be above 0",
    "vol-target:decay=1": "decay 1",
    "atr:window=1": "at least 2",
    "kelly-bet:most=1": "between 0 and 1",
    "optimal-f:fewest=1": "at least 2",
    "risk-parity:gross=0": "gross 0",
    "kelly:leverage=0": "leverage 0 above 0",
    "kelly-bet:fraction=1.5": "at most 1",
    "optimal-f:fraction=0": "above 0",
    "atr:risk=1.5": "between 0 and 1",
    "atr:multiple=0": "multiple 0 must be above 0",
    "vol-target:cap=0": "cap 0 must be above 0",
    "regime:below=2": "0 to 1",
    "regime:window=1": "at least 2",
    "drawdown": "needs a sizer",
    "own-weight:gross=1": "with none",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_in_the_text_says_what_to_write(text):
    with pytest.raises(ConfigurationError, match=MISTAKES[text]):
        make_sizer(text)


@pytest.mark.parametrize(
    "text", ["drawdown:start=0.2,end=0.1", "drawdown:start=0.1,end=0.1", "drawdown:end=-0.1", "drawdown:least=2"]
)
def test_a_scale_that_makes_no_sense_is_refused(text):
    with pytest.raises(ConfigurationError, match="must hold"):
        make_sizer(["equal-weight", text])


def test_the_smallest_of_none_is_refused():
    with pytest.raises(ConfigurationError, match="at least one"):
        Smallest(())
