"""Whatever is wanted, sized orders pass the real gate; and sizes behave as sizes must."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from quant_trading_system.core.decisions import Rejection
from quant_trading_system.core.instruments import Instrument, Universe
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce
from quant_trading_system.core.signals import Direction, Signal
from quant_trading_system.risk.position_sizer import (
    Around,
    EqualWeight,
    FixedFractional,
    OwnWeight,
    SizingRequest,
    Wanted,
    WithinLimits,
    make_sizer,
    room_for,
)
from quant_trading_system.risk.sizing.kelly import kelly_bet, kelly_portfolio, optimal_f
from tests.support.desk import Desk, limits_with
from tests.support.market import NOON
from tests.support.sizing import ask, past_of, wander

D = Decimal
NAMES = [f"S{i}" for i in range(7)]
PAST = past_of({name: wander(seed, 260, scale=0.005 + 0.004 * seed, drift=0.001) for seed, name in enumerate(NAMES)})
SIZERS = [EqualWeight(), EqualWeight(D(3)), OwnWeight(), FixedFractional(D("0.05"))]
SIZERS += [
    make_sizer(name, within_limits=False) for name in ("vol-target", "kelly", "risk-parity", "max-diversification")
]

percents = st.integers(1, 100).map(lambda n: D(n) / 100)
prices = st.integers(101, 90_000).map(lambda cents: D(cents) / 100)


@st.composite
def markets(draw):
    """Limits, prices, correlations, what is held and what is wanted."""
    position = draw(st.integers(2, 50))
    limits = limits_with(
        max_position_pct=D(position) / 100,
        max_sector_exposure=D(draw(st.integers(position, 2 * position))) / 100,
        max_gross_exposure=D(draw(st.integers(position, 250))) / 100,
        buying_power_multiplier=draw(st.sampled_from([D(1), D(2)])),
        max_portfolio_positions=draw(st.sampled_from([8, 5, 2])),
        max_correlation=D("0.7"),
        max_order_notional=D(draw(st.sampled_from([1_000_000] * 4 + [3_000]))),
        min_order_notional=D(draw(st.sampled_from([1, 1, 500]))),
        allow_short=True,
    )
    lots = st.sampled_from([D(1), D(1), D(10)])
    universe = Universe(
        Instrument(symbol=name, sector=f"sector {i % 3}", lot=draw(lots), shortable=True)
        for i, name in enumerate(NAMES)
    )
    desk = Desk(limits=limits, universe=universe)
    quoted = {name: draw(prices) for name in NAMES}
    for name, price in quoted.items():
        desk.board.put(name, str(price - D("0.01")), str(price + D("0.01")))
    for i, j, value in draw(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES), st.integers(-9, 9)))):
        if i != j:
            desk.correlations.put(i, j, D(value) / 10)
    return (
        desk,
        quoted,
        [draw(wishes(name)) for name in draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=4))],
    )


@st.composite
def wishes(draw, name):
    direction = draw(st.sampled_from([Direction.LONG, Direction.LONG, Direction.SHORT]))
    stop = D("0.5") if direction is Direction.LONG else D(1000)
    weight = draw(st.none() | st.integers(0, 300).map(lambda n: D(n) / 100))
    return Signal(symbol=name, direction=direction, at=NOON, source="t", stop_price=stop, weight=weight)


def requests(desk: Desk, quoted, signals):
    wanted = []
    for signal in signals:
        price = quoted[signal.symbol] + (D("0.01") if signal.direction is Direction.LONG else D("-0.01"))
        instrument = desk.checker._universe.get_instrument(signal.symbol)
        wanted.append(Wanted(signal=signal, instrument=instrument, price=price))
    around = Around(wanted=tuple(wanted), past=PAST, correlations=desk.correlations)
    for w in wanted:
        yield SizingRequest(
            signal=w.signal,
            instrument=w.instrument,
            price=w.price,
            equity=desk.portfolio.equity,
            limits=desk.checker.limits,
            signals=len(wanted),
            around=around,
        )


@settings(max_examples=60)
@given(markets(), st.sampled_from(SIZERS), st.booleans())
def test_orders_that_were_sized_within_the_limits_pass_the_gate(market, sizer, fits):
    """In any order of sending, with a spread that eats into equity on the way."""
    desk, quoted, signals = market
    fitting = WithinLimits(sizer) if fits else sizer
    if not fits:  # the room of the moment knows all limits but the correlation
        desk.correlations.pairs.clear()
    asked = list(requests(desk, quoted, signals))
    sizings = [(request, fitting.size(request)) for request in asked]
    for request, sizing in sizings:
        symbol, lot = request.signal.symbol, request.instrument.lot
        assert sizing.quantity % lot == 0
        assert sizing.quantity * request.signal.direction.sign >= 0
        if not sizing.quantity:
            continue
        room = room_for(symbol, sizing.quantity, request.price, lot, checker=desk.checker)
        if room.quantity:
            order = Order(
                symbol=symbol,
                side=OrderSide.BUY if room.quantity > 0 else OrderSide.SELL,
                quantity=abs(room.quantity),
                order_type=OrderType.MARKET,
                time_in_force=TimeInForce.DAY,
            )
            answer = desk.check(order)
            assert not isinstance(answer, Rejection), (answer, sizing, room)
            desk.portfolio.apply_fill("o", symbol, room.quantity, request.price, D(0))
            desk.portfolio.mark(symbol, quoted[symbol])


@settings(max_examples=40)
@given(markets(), st.sampled_from(SIZERS))
def test_the_order_of_the_wishes_does_not_matter(market, sizer):
    desk, quoted, signals = market
    there = {r.signal.symbol: WithinLimits(sizer).size(r) for r in requests(desk, quoted, signals)}
    back = {r.signal.symbol: WithinLimits(sizer).size(r) for r in requests(desk, quoted, signals[::-1])}
    for symbol, sizing in there.items():
        lot = desk.checker._universe.get_instrument(symbol).lot
        assert abs(sizing.quantity - back[symbol].quantity) <= lot  # a solver may differ in the eighth decimal


@settings(max_examples=30)
@given(st.sampled_from(SIZERS), st.integers(1, 9))
def test_more_equity_never_buys_less_and_twice_the_equity_buys_twice(sizer, times):
    one, more = (
        sizer.size(ask("S1", past=PAST, others=NAMES[2:4], stop_price=D(90), equity=str(equity))).quantity
        for equity in (1_000_000, 1_000_000 * times)
    )
    assert one * times <= more <= (one + 1) * times


@given(st.floats(0.001, 0.999), st.floats(0.01, 10), st.floats(0.001, 0.2))
def test_a_better_bet_is_never_a_smaller_one(p, b, more):
    assume(p + more <= 1)
    assert kelly_bet(p + more, b) >= kelly_bet(p, b)
    assert kelly_bet(p, b + more) >= kelly_bet(p, b)


@st.composite
def growth_problems(draw):
    size = draw(st.integers(1, 6))
    rng = np.random.Generator(np.random.PCG64(draw(st.integers(0, 10_000))))
    factors = rng.normal(size=(size, size + 2))
    return rng.normal(0.05, 0.1, size), factors @ factors.T / (size + 2) + 0.01 * np.eye(size)


@settings(max_examples=50)
@given(growth_problems(), st.floats(0.1, 2.0), st.floats(0.05, 1.0))
def test_no_feasible_move_improves_kelly_under_limits(problem, leverage, cap):
    """Optimality without a solver: shifting a little weight anywhere that the limits allow gains nothing."""
    excess, covariance = problem
    weights = kelly_portfolio(excess, covariance, caps=np.full(len(excess), cap), leverage=leverage)
    assert (weights >= 0).all()
    assert (weights <= cap + 1e-12).all()
    assert weights.sum() <= leverage + 1e-9
    slope = excess - covariance @ weights
    for i in range(len(excess)):
        step = 1e-4
        if weights[i] >= step:
            assert slope[i] >= -1e-6  # less of it does not help
        if weights[i] <= cap - step and weights.sum() <= leverage - step:
            assert slope[i] <= 1e-6  # more of it does not help
            continue
        for j in range(len(excess)):
            if i != j and weights[j] >= step and weights[i] <= cap - step:
                assert slope[i] <= slope[j] + 1e-6


@settings(max_examples=50)
@given(growth_problems(), st.floats(0.01, 100))
def test_kelly_scales_with_the_means_and_against_the_covariance(problem, factor):
    excess, covariance = problem
    weights = kelly_portfolio(excess, covariance)
    assert kelly_portfolio(factor * excess, covariance) == pytest.approx(factor * weights, rel=1e-6, abs=1e-9 * factor)
    assert kelly_portfolio(excess, factor * covariance) == pytest.approx(weights / factor, rel=1e-6, abs=1e-9 / factor)
    turned = kelly_portfolio(excess[::-1], covariance[::-1, ::-1])
    assert turned == pytest.approx(weights[::-1], rel=1e-6, abs=1e-9)


@given(st.lists(st.integers(-100, 100).filter(bool), min_size=2, max_size=40))
def test_optimal_f_is_a_fraction_and_leaves_something(profits):
    assume(min(profits) < 0)
    f = optimal_f([float(profit) for profit in profits])
    assert 0 <= f <= 1
    assert all(1 + f * profit / -min(profits) >= 0 for profit in profits)


@given(percents, st.sampled_from(["long", "short"]), prices)
def test_no_weight_exceeds_the_position_limit(cap, direction, price):
    asked = ask(direction=direction, price=str(price), weight=D(3), limits={"max_position_pct": cap})
    sizing = OwnWeight().size(msgspec.structs.replace(asked, signals=1))
    assert abs(sizing.quantity) * price <= cap * 100_000
