"""Whatever brokers, markets and people do to a parent order, no share is traded too much and none is lost sight of."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quant_trading_system.core.exceptions import InvalidOrder
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.execution.algo.advice import PlanRequest
from quant_trading_system.execution.algo.almgren_chriss import ShortfallProblem
from quant_trading_system.execution.algo.parent import (
    Algorithm,
    AtEnd,
    ParentLimits,
    ParentOrder,
    ParentState,
    ParentStatus,
    Placement,
)
from quant_trading_system.execution.algo.planner import parent_of, plan_execution
from quant_trading_system.execution.algo.profile import VolumeForecast
from quant_trading_system.execution.algo.schedule import Schedule, randomised, weighted_schedule
from quant_trading_system.execution.algo.slicing import largest_remainder
from quant_trading_system.execution.algo.walker import AfterCrash, cancel, pause, reduce_to, resume, speed_up
from quant_trading_system.execution.tca import (
    Execution,
    ParentResult,
    implementation_shortfall,
    wagner_shortfall,
)
from quant_trading_system.execution.tca_groups import GroupBy, costs_by, costs_of_all
from tests.support.algo_desk import CLOSE, MINUTE, NOON, OPEN, SESSION, Desk, twap_parent

D = Decimal
LOTS = st.sampled_from([D(1), D(100), D("0.001")])


# -- slices


@st.composite
def splits(draw):
    lot = draw(LOTS)
    weights = draw(st.lists(st.one_of(st.integers(0, 10**9), st.decimals(0, 1000, places=4)), min_size=1, max_size=40))
    if not any(weights):
        weights[0] = 1
    return lot * draw(st.integers(1, 10**7)), weights, lot


@given(splits())
def test_slices_sum_to_the_parent_and_stay_within_a_lot_of_their_quota(split):
    quantity, weights, lot = split
    parts = largest_remainder(quantity, weights, lot)
    assert sum(parts) == quantity
    total = sum(D(weight) for weight in weights)
    for part, weight in zip(parts, weights, strict=True):
        assert part % lot == 0
        assert (part == 0) if not weight else True
        assert abs(part * total - quantity * D(weight)) < lot * total


@given(splits(), st.decimals(0, "0.99", places=2), st.decimals(0, 1, places=2), st.integers())
def test_randomised_schedules_keep_their_sum_their_lots_and_their_windows(split, time_jitter, size_jitter, seed):
    quantity, weights, lot = split
    plain = weighted_schedule(quantity, NOON, NOON + 120 * MINUTE, weights, lot)
    shaken = randomised(plain, str(seed), time_jitter=time_jitter, size_jitter=size_jitter, lot=lot)
    assert shaken.quantity == quantity
    assert all(part.quantity % lot == 0 for part in shaken.slices)
    for number, (before, after) in enumerate(zip(plain.slices, shaken.slices, strict=True)):
        assert before.start <= after.start < plain.end_of(number)
        assert abs(after.quantity - before.quantity) <= before.quantity * size_jitter
    assert shaken == randomised(plain, str(seed), time_jitter=time_jitter, size_jitter=size_jitter, lot=lot)


# -- the parent's life


@st.composite
def parents(draw) -> ParentOrder:
    kind = draw(st.sampled_from([a for a in Algorithm if a is not Algorithm.OPENING_AUCTION]))
    whole = kind.is_auction
    lot = D(1) if whole else draw(LOTS)
    quantity = lot * draw(st.integers(1, 5000))
    end = CLOSE if whole else NOON + draw(st.integers(5, 200)) * MINUTE
    schedule = forecast = problem = None
    if kind.is_scheduled:
        weights = draw(st.lists(st.integers(1, 100), min_size=1, max_size=12))
        schedule = weighted_schedule(quantity, NOON, end, weights, lot)
        if draw(st.booleans()):
            schedule = randomised(schedule, "s", time_jitter=D("0.5"), size_jitter=D("0.5"), lot=lot)
        if kind in (Algorithm.VWAP, Algorithm.ADAPTIVE):
            forecast = VolumeForecast(expected=tuple(D(w * 1000) for w in weights))
        if kind is Algorithm.ADAPTIVE:
            problem = ShortfallProblem(
                quantity=float(quantity), horizon=0.3, slices=len(weights), volatility=1.0, temporary=2e-6,
                permanent=1e-7, fixed=0.01, risk_aversion=1e-5,
            )  # fmt: skip
    rests = kind in (Algorithm.ICEBERG, Algorithm.PEG)
    needs_price = kind is Algorithm.ICEBERG or draw(st.booleans())
    return ParentOrder(
        parent_id="run-7", symbol="KO", side=draw(st.sampled_from(OrderSide)), quantity=quantity, algorithm=kind,
        start=NOON, end=end, lot=lot, schedule=schedule, forecast=forecast, problem=problem,
        rate=draw(st.sampled_from([D("0.05"), D(1)])) if kind is Algorithm.POV else None,
        display=min(lot * 10, quantity) if rests else None,
        display_jitter=D("0.3") if rests else D(0),
        limits=ParentLimits(
            price=D("60.00") if needs_price else None,
            participation=None if whole else draw(st.sampled_from([None, D("0.1"), D(1)])),
            max_child=draw(st.sampled_from([None, lot * 50])),
            max_rejections=draw(st.integers(1, 4)),
        ),
        placement=draw(st.sampled_from(Placement)),
        at_end=draw(st.sampled_from(AtEnd)) if kind.is_scheduled else AtEnd.CANCEL,
    )  # fmt: skip


EVENTS = st.sampled_from(
    [
        "wait", "wait", "wait", "jump", "volume", "volume", "quote", "no quote", "fill", "fill", "fill part",
        "fill part", "reject", "deny", "cancelled", "cancel refused", "expire", "doubt", "absent", "found", "again",
        "stale", "halt", "kill", "pause", "resume", "resume", "restart", "speed up", "reduce", "cancel",
    ]
)  # fmt: skip


class Storm:
    """Applies one event after another, keeps the broker's books, and checks after each."""

    def __init__(self, order: ParentOrder) -> None:
        self.desk = Desk(order)
        self.old: list = []
        self.sent_before = 0

    def happen(self, event: str, number: int) -> None:
        desk = self.desk
        if self._by_hand(event, number):
            desk.step()
            self.check()
            return
        if event in ("wait", "jump"):
            until = desk.wake_at or desk.now + MINUTE
            desk.now = max(desk.now, until) if event == "wait" else desk.now + number * MINUTE
            desk.step()
        elif event == "again" and self.old:
            desk.step(self.old[number % len(self.old)])  # a report comes twice, late
        elif event == "stale" and desk.orders:
            desk.step(desk.report(list(desk.orders)[number % len(desk.orders)]))
        else:
            alive = [key for key, order in desk.orders.items() if order.status.is_open]
            if not alive:
                desk.step()
            else:
                report = self._answer(event, alive[number % len(alive)], number)
                self.old.append(report)
                desk.step(report)
        self.check()

    def _by_hand(self, event: str, number: int) -> bool:
        desk = self.desk
        live = desk.state.status in (ParentStatus.WORKING, ParentStatus.PAUSED)
        if event == "volume":
            desk.volume += D(number * 1000)
        elif event == "quote":
            desk.bid, desk.ask = D(60) + D(number - 50) / 100, D("60.02") + D(number - 50) / 100
        elif event == "no quote":
            desk.bid = D(0)
        elif event == "halt":
            desk.halted = not desk.halted
        elif event == "kill":
            desk.killed = not desk.killed
        elif event == "pause" and live:
            desk.state = pause(desk.state, "lunch")
        elif event == "resume" and desk.state.status is ParentStatus.PAUSED:
            desk.state = resume(desk.state)
        elif event == "restart":
            desk.restart(AfterCrash.CANCEL if number == 0 else AfterCrash.RESUME)
        elif event == "speed up" and live and desk.state.order.algorithm in (Algorithm.TWAP, Algorithm.POV):
            desk.state = speed_up(desk.state, D(2))
        elif event == "reduce" and live and number % 4 == 0:
            lot = desk.state.order.lot
            desk.state = reduce_to(desk.state, desk.state.quantity // lot // 2 * lot)
        elif event == "cancel" and live and number % 4 == 0:
            desk.state = cancel(desk.state, "not wanted any more")
        else:
            return event in ("volume", "quote", "no quote", "halt", "kill", "restart")
        return True

    def _answer(self, event: str, child: str, number: int):
        desk, order = self.desk, self.desk.orders[child]
        lot = desk.state.order.lot
        untouched = order.status is OrderStatus.WORKING and not order.filled
        if event == "fill":
            return desk.fill(child)
        if event == "fill part":
            return desk.fill(child, lot * (number % 7))
        if event == "reject":
            return desk.end(child, OrderStatus.REJECTED)
        if event == "deny" and untouched:
            return desk.end(child, OrderStatus.DENIED)
        if event == "cancelled":
            return desk.end(child, OrderStatus.CANCELED)
        if event == "expire":
            return desk.end(child, OrderStatus.EXPIRED)
        if event == "cancel refused":
            return msgspec.structs.replace(desk.report(child), cancel_refused=True)
        if event == "doubt" and untouched:
            return desk.report(child, OrderStatus.IN_DOUBT)
        if event == "absent" and untouched:
            return desk.end(child, OrderStatus.ABSENT)
        return desk.report(child)

    def check(self) -> None:
        desk, state = self.desk, self.desk.state
        parent = state.order.quantity
        assert desk.traded + desk.out <= parent, "the broker could trade more than the parent"
        assert state.filled <= desk.traded
        assert state.filled + state.outstanding >= desk.traded + desk.out, "something out there is not counted"
        assert state.filled + state.outstanding <= parent
        assert state.filled == sum(child.filled for child in state.children)
        assert state.value == sum(child.value for child in state.children)
        assert state.outstanding == sum(child.leaves for child in state.children)
        assert state.filled + state.outstanding + max(parent - state.filled - state.outstanding, D(0)) == parent
        assert len(state.open_children) <= 1
        assert len([1 for order in desk.orders.values() if order.status.is_open]) <= 1
        limits = state.order.limits
        for _, order in desk.sent:
            assert order.quantity % state.order.lot == 0
            assert order.quantity <= (limits.max_child or parent)
            if limits.price is not None and order.limit_price is not None:
                beyond = order.limit_price - limits.price
                assert beyond * state.order.side.sign <= 0, "beyond the price limit"
        if desk.killed or desk.halted:
            assert len(desk.sent) == self.sent_before, "sent under a halt"
        self.sent_before = len(desk.sent)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(parents(), st.lists(st.tuples(EVENTS, st.integers(0, 100)), min_size=1, max_size=60))
def test_children_never_exceed_the_parent_and_every_share_is_accounted_for(order, events):
    storm = Storm(order)
    storm.desk.step()
    storm.check()
    for event, number in events:
        storm.happen(event, number)


@given(
    st.lists(st.integers(0, 100), min_size=1, max_size=5),
    st.sampled_from([OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED]),
    st.data(),
)
def test_reports_may_come_in_any_order_and_more_than_once(fills, ending, data):
    desk = Desk(twap_parent("1000", slices=1, minutes=300))
    child = f"{desk.state.order.parent_id}-1"
    desk.step()
    told = [desk.fill(child, D(fill)) for fill in fills] + [desk.end(child, ending)]
    told += data.draw(st.lists(st.sampled_from(told), max_size=5))
    desk.halted = True  # nothing new is sent meanwhile
    for report in data.draw(st.permutations(told)):
        desk.step(report)
    state = desk.state
    assert state.filled == state.children[0].filled == sum(fills) == desk.traded
    assert state.value == desk.orders[child].value
    assert state.children[0].status is ending
    assert state.outstanding == 0


@settings(max_examples=60, deadline=None)
@given(parents(), st.booleans())
def test_every_parent_comes_to_an_end_with_nothing_left_open(order, passive_fills):
    desk = Desk(order)
    desk.run(CLOSE + timedelta(minutes=5), passive_fills=passive_fills)
    state = desk.state
    assert state.status.is_final or order.algorithm.is_auction
    assert not state.open_children
    assert state.filled == desk.traded <= order.quantity
    assert (state.filled == order.quantity) == (state.status is ParentStatus.COMPLETED)


@settings(max_examples=60, deadline=None)
@given(parents(), st.lists(st.tuples(EVENTS, st.integers(0, 100)), max_size=30))
def test_a_parent_survives_being_written_down(order, events):
    storm = Storm(order)
    for event, number in events:
        storm.happen(event, number)
    state = storm.desk.state
    assert msgspec.json.decode(msgspec.json.encode(state), type=ParentState) == state


@settings(max_examples=60, deadline=None)
@given(parents(), st.lists(st.tuples(EVENTS, st.integers(0, 100)), max_size=40))
def test_the_same_events_make_the_same_orders(order, events):
    runs = []
    for _ in range(2):
        storm = Storm(order)
        for event, number in events:
            storm.happen(event, number)
        runs.append((storm.desk.sent, storm.desk.cancels, storm.desk.state))
    assert runs[0] == runs[1]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5000), st.integers(1, 20), st.lists(st.integers(0, 30), min_size=1, max_size=20))
def test_a_clock_that_jumps_never_makes_a_burst(quantity, slices, jumps):
    schedule: Schedule = weighted_schedule(D(quantity), NOON, NOON + 100 * MINUTE, [1] * slices)
    desk = Desk(
        ParentOrder(
            parent_id="run-7", symbol="KO", side=OrderSide.SELL, quantity=D(quantity), algorithm=Algorithm.TWAP,
            start=NOON, end=NOON + 100 * MINUTE, schedule=schedule,
        )
    )  # fmt: skip
    largest = max(schedule.quantities)
    for jump in jumps:
        desk.now += jump * MINUTE
        before = len(desk.sent)
        found = desk.step()
        if len(desk.sent) > before:
            assert desk.sent[-1][1].quantity <= 2 * largest
            desk.step(desk.fill(desk.latest))
        else:
            assert not any(child.status.is_open for child in found.state.children)
    per_slice: dict[int, Decimal] = {}
    for child in desk.state.children:
        per_slice[child.slice_number] = per_slice.get(child.slice_number, D(0)) + child.quantity
    assert all(quantity <= 2 * largest for quantity in per_slice.values())


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([D("0.05"), D("0.2"), D(1)]),
    st.lists(st.tuples(st.integers(0, 5000), st.booleans()), min_size=1, max_size=40),
)
def test_participation_never_exceeds_its_cap_of_what_others_trade(rate, minutes):
    schedule = weighted_schedule(D(50_000), OPEN, CLOSE - 5 * MINUTE, [1] * 77)
    desk = Desk(
        ParentOrder(
            parent_id="run-7", symbol="KO", side=OrderSide.BUY, quantity=D(50_000), algorithm=Algorithm.TWAP,
            start=OPEN, end=CLOSE - 5 * MINUTE, schedule=schedule, limits=ParentLimits(participation=rate),
        )
    )  # fmt: skip
    others = D(0)
    for volume, fills in minutes:
        others += volume
        desk.volume += volume
        found = desk.after(MINUTE)
        for child in found.state.open_children:
            if fills:
                desk.step(desk.fill(found.state.child_id(child)))
        assert desk.traded + desk.out <= rate * others


# -- transaction costs

PRICES = st.decimals("0.01", 100_000, places=4)


@st.composite
def results(draw) -> ParentResult:
    fills = tuple(
        Execution(
            at=NOON, quantity=D(draw(st.integers(1, 10**6))), price=draw(PRICES),
            fees=draw(st.decimals(0, 1000, places=2)), mid=draw(st.one_of(st.none(), PRICES)),
        )
        for _ in range(draw(st.integers(0, 6)))
    )  # fmt: skip
    filled = sum((fill.quantity for fill in fills), D(0))
    return ParentResult(
        parent_id="p", symbol=draw(st.sampled_from(["KO", "PEP"])), side=draw(st.sampled_from(OrderSide)),
        quantity=filled + draw(st.integers(0 if fills else 1, 10**6)), decision_price=draw(PRICES),
        arrival_price=draw(PRICES), end_price=draw(PRICES), started_at=NOON, ended_at=NOON + MINUTE, fills=fills,
        algorithm=draw(st.sampled_from(["twap", "vwap"])),
        expected_impact_bps=draw(st.one_of(st.none(), st.decimals(-100, 100, places=2))),
    )  # fmt: skip


@given(results())
def test_both_splits_sum_to_the_loss_against_the_paper_portfolio_exactly(result):
    """Paper: all shares at the decision price. Real: fills, fees, and the rest at the end price."""
    cut, wagner = implementation_shortfall(result), wagner_shortfall(result)
    sign = result.side.sign
    unfilled = result.quantity - result.filled
    paper = sign * result.quantity * (result.end_price - result.decision_price)
    real = sign * (result.filled * result.end_price - result.value) - result.fees
    assert paper - real == cut.total
    assert cut.delay + cut.spread + cut.impact + cut.timing + cut.opportunity + cut.fees == cut.total
    assert wagner.delay + wagner.trading + wagner.opportunity + wagner.fees == wagner.total == cut.total
    assert cut.trading == wagner.trading
    if not unfilled:
        assert cut.opportunity == 0


@given(st.lists(results(), min_size=1, max_size=8), st.sampled_from(GroupBy))
def test_groups_add_up_to_all(parents_done, by):
    groups, whole = costs_by(parents_done, by), costs_of_all(parents_done)
    assert whole is not None
    for field in ("wanted", "filled", "value", "delay", "spread", "impact", "timing", "opportunity", "fees", "total"):
        assert sum(getattr(group, field) for group in groups) == getattr(whole, field)


# -- plans


@settings(max_examples=80, deadline=None)
@given(
    quantity=st.integers(1, 10**7),
    mid=st.decimals("0.05", 5000, places=2),
    spread=st.decimals(0, 1, places=4),
    daily_volume=st.integers(1, 10**9),
    volatility=st.decimals(0, "0.2", places=4),
    minute=st.integers(-300, 380),
    horizon=st.one_of(st.none(), st.integers(1, 500)),
    alpha=st.integers(-200, 200),
    participation=st.decimals("0.01", 1, places=2),
)
def test_every_order_is_planned_exactly_or_refused_with_a_reason(
    quantity, mid, spread, daily_volume, volatility, minute, horizon, alpha, participation
):
    asked = PlanRequest(
        symbol="KO", side=OrderSide.SELL, quantity=D(quantity), mid=mid, spread=spread, daily_volume=D(daily_volume),
        volatility=volatility, now=OPEN + minute * MINUTE, session=SESSION, alpha_bps=D(alpha),
        horizon=None if horizon is None else horizon * MINUTE, participation=participation,
        slice_length=15 * MINUTE,
    )  # fmt: skip
    refused = None
    try:
        advice = plan_execution(asked)
    except InvalidOrder as error:
        refused = error
    if refused is not None:
        assert refused.field == "quantity"
        return
    assert advice.chosen in advice.alternatives
    assert not advice.chosen.why_not
    assert 0 <= advice.urgency <= 1
    for way in advice.alternatives:
        if way.schedule is not None:
            assert way.schedule.quantity == quantity
            parent = None if way.why_not else parent_of(asked, way, "run-1")
            assert parent is None or parent.quantity == quantity
