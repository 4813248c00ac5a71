"""What machines ask: metrics that are right and bounded, a dashboard that names them, and an honest `/ready`."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from decimal import Decimal
from importlib.resources import files

import pytest
from prometheus_client.parser import text_string_to_metric_families

from quant_trading_system.app.heartbeat import ENGINE_FILE, WATCHDOG_FILE, Heartbeat, Vitals, write_heartbeat
from quant_trading_system.app.readings.quality_fold import BOUNDS_MS, Latency, QualityFold, Stage
from quant_trading_system.console.metrics import METRICS, Kind
from quant_trading_system.console.server import create_app
from quant_trading_system.core.book_events import Reconciled
from quant_trading_system.core.decisions import Decision, ExecutionPlan, Rule
from quant_trading_system.core.events import FillEvent, OrderEvent, SignalEvent
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce
from quant_trading_system.core.roles import Role
from quant_trading_system.core.signals import Direction, Signal
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.risk.latch import FileLatch
from tests.support.console_desk import MONDAY, URL, Office, TestClient
from tests.support.demo_journal import Scribe, short_demo

SEED = {
    "fill_rate",
    "slippage",
    "latency_ms",
    "rejection_rate",
    "daily_pnl",
    "current_drawdown",
    "var_95",
    "position_concentration",
}
DASHBOARD = json.loads(files("quant_trading_system.console").joinpath("grafana.json").read_text(encoding="utf-8"))


def families(text: str) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Samples by name and labels."""
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    office = Office(tmp_path_factory.mktemp("metrics"))
    short_demo(office.directory)
    office.desk.follower.catch_up()
    with office.client:
        yield office


@pytest.fixture(scope="module")
def told(demo):
    return families(demo.get("/metrics").text)


# -- metrics ---------------------------------------------------------------------------------------------------------


def test_the_names_of_the_seed_are_the_first(told):
    assert {metric.name for metric in METRICS[: len(SEED)]} == SEED
    assert SEED - {"latency_ms"} <= told.keys()
    assert {"latency_ms_bucket", "latency_ms_sum", "latency_ms_count"} <= told.keys()


def test_names_are_used_once_and_are_said_in_a_sentence():
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    assert all(metric.says.endswith(".") for metric in METRICS)


def test_the_numbers_are_those_of_the_books(demo, told):
    views = demo.desk.follower.views
    assert told["qts_journal_head"][()] == demo.desk.follower.seq
    assert told["daily_pnl"][()] == float(views.risk.daily_pnl)
    assert told["qts_orders"][(("outcome", "submitted"),)] == views.run.orders - views.run.refused
    assert told["rejection_rate"][()] == pytest.approx(views.run.refused / views.run.orders, abs=1e-6)
    assert 0 < told["position_concentration"][()] < 1
    assert 0 < told["var_95"][()] < 0.2
    assert told["fill_rate"][()] == pytest.approx(views.quality.filled / views.quality.submitted, abs=1e-6)
    assert told["qts_engine_up"][()] == 0


def test_every_limit_that_was_asked_has_its_headroom(demo, told):
    left, limit, used = (told[f"qts_limit{name}"] for name in ("_headroom", "", "_used"))
    rules = {dict(labels)["rule"] for labels in left}
    assert {"max_daily_loss_pct", "max_drawdown_pct", "max_position_pct", "max_order_notional"} <= rules
    assert left.keys() == limit.keys() == used.keys()
    key = (("rule", "max_gross_exposure"),)
    assert left[key] == pytest.approx(limit[key] - used[key])


def test_what_is_not_known_is_left_out(fresh):
    told = families(fresh.get("/metrics").text)
    assert "fill_rate" not in told
    assert "var_95" not in told
    assert told["qts_ready"][()] == 0


def test_the_number_of_series_does_not_grow_with_symbols_or_orders(told):
    labels = {name for metric in METRICS for name in metric.labels}
    assert labels == {"stage", "outcome", "rule", "scope", "check", "stream", "weight"}
    series = sum(len(samples) for samples in told.values())
    bound = len(Rule) + 1
    assert all(len(samples) <= max(bound, (len(BOUNDS_MS) + 1) * len(Stage)) for samples in told.values())
    assert series < 400


def test_two_scrapes_keep_nothing_between_them(demo, told):
    assert families(demo.get("/metrics").text).keys() == told.keys()


def test_every_query_of_the_dashboard_names_a_metric_that_exists():
    suffixes = {Kind.GAUGE: ("",), Kind.COUNTER: ("_total",), Kind.HISTOGRAM: ("_bucket", "_sum", "_count")}
    known = {metric.name + suffix for metric in METRICS for suffix in suffixes[metric.kind]}
    words = {"histogram_quantile", "sum", "by", "rate", "increase", "le", "stage"}
    queries = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    for query in queries:
        named = set(re.findall(r"[a-z_][a-z0-9_]*", re.sub(r"\[\w+\]", "", query))) - words
        assert named, query
        assert named <= known, query
    asked = " ".join(queries)
    assert all(metric.name in asked for metric in METRICS if metric.name in SEED)


def test_panels_of_the_dashboard_do_not_overlap():
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken
        assert at["x"] + at["w"] <= 24
        taken |= cells


# -- who may ask -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/metrics", "/ready"])
def test_numbers_want_a_token(fresh, path):
    assert fresh.client.get(path).status_code == 401
    assert fresh.get(path, Role.VIEWER).status_code in (200, 503)


def test_the_option_opens_numbers_and_nothing_else(tmp_path):
    office = Office(tmp_path)
    client = TestClient(create_app(office.desk, metrics_open=True), base_url=URL, follow_redirects=False)
    assert client.get("/metrics").status_code == 200
    assert client.get("/ready").status_code == 503
    assert client.get("/v1/account").status_code == 401
    assert client.get("/metrics", headers={"host": "evil.example"}).status_code == 400


def test_everybody_may_ask_whether_the_server_lives(fresh):
    answer = fresh.client.get("/health")
    assert (answer.status_code, answer.json()) == (200, {"alive": True})


# -- ready -----------------------------------------------------------------------------------------------------------


class Engine:
    """An engine as its files show it."""

    def __init__(self, office: Office) -> None:
        import os

        self.office, self.pid, self.beats = office, os.getpid(), 0
        self.scribe = Scribe(office.directory)
        self.vitals = Vitals(
            at=MONDAY,
            streams={"orders": True, "prices": True},
            measures={"max_feed_silence_s": (Decimal(1), Decimal(60)), "max_clock_skew_s": (Decimal(0), Decimal(5))},
        )
        self.scribe.write(
            Reconciled(at=MONDAY, occasion="timer", orders=0, fills=0, positions=0, cash=Decimal(100_000))
        )

    def beat(self, **changes: object) -> None:
        import msgspec

        self.beats += 1
        vitals = msgspec.structs.replace(self.vitals, **changes)
        sign = Heartbeat(beats=self.beats, turns=self.beats, pid=self.pid, epoch=1, account="PA1", vitals=vitals)
        write_heartbeat(self.office.directory / ENGINE_FILE, sign)
        write_heartbeat(self.office.directory / WATCHDOG_FILE, msgspec.structs.replace(sign, vitals=None))

    def why_not(self) -> list[str]:
        self.office.desk._engine = None
        answer = self.office.get("/ready")
        assert (answer.status_code == 200) == answer.json()["can_trade"]
        return answer.json()["why_not"]


@pytest.fixture
def engine(tmp_path):
    made = Engine(Office(tmp_path))
    made.beat()
    yield made
    made.scribe.close()


def test_an_engine_that_lives_can_trade(engine):
    assert engine.why_not() == []


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"streams": {"orders": False, "prices": True}}, "streams: down: orders"),
        ({"measures": {"max_feed_silence_s": (Decimal(61), Decimal(60))}}, "prices: no quote"),
        ({"measures": {"max_broker_silence_s": (Decimal(301), Decimal(300))}}, "broker: no answer"),
        ({"measures": {"max_clock_skew_s": (Decimal(6), Decimal(5))}}, "clock: our clock is behind"),
        ({"at": MONDAY - timedelta(minutes=2)}, "heartbeat: told of its lines 120 s ago"),
    ],
)
def test_each_line_that_fails_is_a_reason(engine, change, names):
    engine.beat(**change)
    assert [names in line for line in engine.why_not()] == [True]


def test_a_halt_and_an_old_comparison_are_reasons(engine):
    KillSwitch(latch=FileLatch(engine.office.desk.latch)).activate("fire", activated_by="ben")
    engine.office.clock.move_to(MONDAY + timedelta(minutes=16))
    engine.beat(at=MONDAY + timedelta(minutes=16))
    halted, old = engine.why_not()
    assert "the account is halted" in halted
    assert "reconciled: compared with the broker 960 s ago" in old


def test_an_engine_that_hangs_and_a_watchdog_that_is_gone_are_reasons(engine):
    desk = engine.office.desk
    for _ in range(10):
        desk._engine = desk._watch.look(desk.books())
    lines = engine.office.get("/ready").json()["why_not"]
    assert any("no sign of life" in line for line in lines)
    told = families(engine.office.get("/metrics").text)
    assert told["qts_heartbeat_age_seconds"][()] >= 5
    assert told["qts_watchdog_up"][()] == 0


# -- execution quality -----------------------------------------------------------------------------------------------


def order(name: str, trigger: OrderTrigger = OrderTrigger.SEND, **more: object) -> OrderEvent:
    sent = Order(
        symbol="KO",
        side=OrderSide.SELL,
        quantity=Decimal(10),
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.DAY,
        client_order_id=name,
        strategy="s",
    )
    seen = Decision(
        checks=(),
        limits_version="1",
        at=MONDAY + timedelta(milliseconds=3),
        equity=Decimal(1),
        drawdown=Decimal(0),
        daily_pnl=Decimal(0),
        position=Decimal(0),
        plan=ExecutionPlan(choice="market", why="", urgency=Decimal(1), expected_price=Decimal(50)),
        refused_by=Rule.MAX_GROSS if trigger is OrderTrigger.DENY else None,
    )
    status = OrderStatus.DENIED if trigger is OrderTrigger.DENY else OrderStatus.SENT
    at = MONDAY + timedelta(milliseconds=4)
    return OrderEvent(
        at=at, order_id=name, symbol="KO", status=status, trigger=trigger, order=sent, decision=seen, **more
    )


def change(name: str, status: OrderStatus, trigger: OrderTrigger, ms: int) -> OrderEvent:
    return OrderEvent(
        at=MONDAY + timedelta(milliseconds=ms), order_id=name, symbol="KO", status=status, trigger=trigger
    )


def test_stages_and_rates_of_one_order_and_of_refused_ones():
    fold = QualityFold()
    signal = Signal(symbol="KO", direction=Direction.FLAT, at=MONDAY, source="s")
    fold.hear(SignalEvent(at=MONDAY, signal=signal))
    fold.order(order("a"))
    fold.order(change("a", OrderStatus.WORKING, OrderTrigger.ACCEPT, 34))
    fold.fill(
        FillEvent(
            at=MONDAY,
            order_id="a",
            execution_id="1",
            symbol="KO",
            side=OrderSide.SELL,
            quantity=Decimal(10),
            price=Decimal("49.95"),
            cumulative_quantity=Decimal(10),
        )
    )
    fold.order(change("a", OrderStatus.FILLED, OrderTrigger.FILL_LAST, 1034))
    fold.order(order("b", OrderTrigger.DENY))
    fold.order(order("c"))
    fold.order(change("c", OrderStatus.REJECTED, OrderTrigger.REJECT, 40))
    fold.order(order("leg", parent="a"))
    totals = {stage: (found.count, found.total_ms) for stage, found in fold.latencies.items()}
    assert totals == {
        Stage.SIGNAL_TO_GATE: (1, 3),
        Stage.GATE_TO_SENT: (2, 2),
        Stage.SENT_TO_ACKNOWLEDGED: (2, 66),
        Stage.ACKNOWLEDGED_TO_FILLED: (1, 1000),
    }
    assert (fold.orders, fold.submitted, fold.filled) == (3, 2, 1)
    assert fold.fill_rate == Decimal("0.5")
    assert fold.rejection_rate == Decimal("0.666667")
    assert fold.slippage == 10  # five cents worse of fifty dollars
    assert fold.refusals == {"max_gross_exposure": 1, "broker": 1}


def test_a_latency_stands_in_its_bucket_and_clocks_that_differ_count_as_nothing():
    found = Latency()
    for ms in (0, 1, 2, 3, 10**9, -50):
        found.add(MONDAY, MONDAY + timedelta(milliseconds=ms))
    assert found.counts[:3] == [3, 1, 1]
    assert found.counts[-1] == 1
    assert found.count == 6


def test_a_median_beyond_every_bound_is_not_told():
    """A wish after the close leaves at the next opening, hours later."""
    found = Latency()
    for hours in (0, 17, 17):
        found.add(MONDAY, MONDAY + timedelta(hours=hours))
    assert found.median_ms() is None
    for _ in range(2):
        found.add(MONDAY, MONDAY + timedelta(milliseconds=3))
    assert found.median_ms() == 5
