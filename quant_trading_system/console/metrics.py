"""What `/metrics` tells: numbers from the journal and the files beside it, in Prometheus' text format.

Each scrape reads the state anew and builds its own samples: nothing is counted in the engine, and nothing global is
kept. Labels take their values from fixed lists (rules, stages, checks), so the number of series is bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from quant_trading_system.app.readings.alert_kinds import Weight
from quant_trading_system.app.readings.engine import EngineReading
from quant_trading_system.app.readings.follower import Follower
from quant_trading_system.app.readings.headroom import Headroom, headroom
from quant_trading_system.app.readings.positions import Holdings, fraction, holdings
from quant_trading_system.app.readings.quality_fold import BOUNDS_MS, Latency, Stage
from quant_trading_system.app.readings.readiness import readiness, reconciled_age
from quant_trading_system.core.events import HaltLevel
from quant_trading_system.core.wording import printable
from quant_trading_system.risk.value_at_risk import var_95

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_LEVELS = {level.name.lower(): level.value for level in HaltLevel}


class Kind(StrEnum):
    """How Prometheus treats a metric."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a scrape is made from: the books, the engine's signs of life, the room under the limits, and the time."""

    follower: Follower
    engine: EngineReading
    held: Holdings
    headroom: tuple[Headroom, ...]
    now: datetime


class Sample(NamedTuple):
    """One value with the values of its labels; None is left out, for what is not known is not zero."""

    labels: tuple[str, ...]
    value: Decimal | int | float | bool | None


Samples = Iterable[Sample]
Latencies = Iterable[tuple[tuple[str, ...], Latency]]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricKind:
    """One metric.

    Attributes:
        read: its samples; `latencies` of a histogram instead.
    """

    name: str
    kind: Kind
    says: str
    labels: tuple[str, ...] = ()
    read: Callable[[Seen], Samples] = lambda _: ()
    latencies: Callable[[Seen], Latencies] = lambda _: ()

    def family(self, seen: Seen) -> Metric:
        """As Prometheus takes it."""
        if self.kind is Kind.HISTOGRAM:
            histogram = HistogramMetricFamily(self.name, self.says, labels=self.labels)
            for labels, latency in self.latencies(seen):
                histogram.add_metric(labels, _buckets(latency), float(latency.total_ms))
            return histogram
        made = CounterMetricFamily if self.kind is Kind.COUNTER else GaugeMetricFamily
        family = made(self.name, self.says, labels=self.labels)
        for labels, value in self.read(seen):
            if value is not None:
                family.add_metric([*map(printable, labels)], float(value))
        return family


def _one(read: Callable[[Seen], Decimal | int | float | bool | None]) -> Callable[[Seen], Samples]:
    """A metric without labels."""
    return lambda seen: (Sample((), read(seen)),)


def _buckets(latency: Latency) -> list[tuple[str, float]]:
    found, reached = [], 0
    for bound, count in zip((*map(str, BOUNDS_MS), "+Inf"), latency.counts, strict=True):
        reached += count
        found.append((bound, float(reached)))
    return found


# -- where the numbers come from -------------------------------------------------------------------------------------


def _daily_pnl(seen: Seen) -> Decimal | None:
    risk = seen.follower.views.risk
    return None if risk is None else risk.daily_pnl


def _drawdown(seen: Seen) -> Decimal | None:
    risk = seen.follower.views.risk
    return None if risk is None else risk.current_drawdown


def _var_95(seen: Seen) -> Decimal | float | None:
    measured = seen.follower.books.risk_now
    if measured is not None:
        loss = measured.tail.get("historical_var_95")
        return None if loss is None else fraction(loss, measured.equity)
    return var_95([float(value) for value in seen.follower.views.returns])


def _concentration(seen: Seen) -> Decimal:
    largest = max((abs(line.value) for line in seen.held.positions), default=Decimal(0))
    return fraction(largest, seen.held.equity)


def _outcomes(seen: Seen) -> Samples:
    quality = seen.follower.views.quality
    yield Sample(("submitted",), quality.submitted)
    yield Sample(("filled",), quality.filled)
    yield Sample(("refused",), quality.refusals.total())


def _refusals(seen: Seen) -> Samples:
    return (Sample((rule,), count) for rule, count in sorted(seen.follower.views.quality.refusals.items()))


class _Room(NamedTuple):
    rule: str
    used: Decimal
    limit: Decimal
    left: Decimal


def _rooms(seen: Seen) -> Iterable[_Room]:
    """Limits of the account as last measured; the gate's other limits as its last answers had them.

    What the engine tells with every sign of life comes before both.
    """
    found = {
        check.rule.value: _Room(check.rule.value, check.actual, check.limit, check.headroom or Decimal(0))
        for check in seen.follower.views.checks.values()
        if check.actual is not None and check.limit is not None
    }
    found |= {line.rule: _Room(line.rule, line.used, line.limit, line.left) for line in seen.headroom}
    measures = {} if seen.engine.vitals is None else seen.engine.vitals.measures
    found |= {rule: _Room(rule, actual, limit, limit - actual) for rule, (actual, limit) in measures.items()}
    return found.values()


def _stream(read: str) -> Callable[[Seen], Samples]:
    def samples(seen: Seen) -> Samples:
        vitals = seen.engine.vitals
        values = {} if vitals is None else vitals.streams if read == "up" else vitals.silences
        return (Sample((name,), value) for name, value in values.items())

    return samples


def _reconciliation_age(seen: Seen) -> float | None:
    age = reconciled_age(seen.follower, seen.now)
    return None if age is None else age.total_seconds()


def _levels(seen: Seen) -> Samples:
    return (
        Sample((scope,), _LEVELS.get(halt.level, HaltLevel.HALTED.value))
        for scope, halt in (("account", seen.engine.halt), ("machine", seen.engine.host))
    )


def _in_doubt(seen: Seen) -> int:
    return sum(view.status == "in_doubt" for view in seen.follower.books.orders.open.values())


def _alerts(seen: Seen) -> Samples:
    counts = seen.follower.views.alerts.counts
    return (Sample((weight.value,), counts[weight]) for weight in Weight)


def _checks(seen: Seen) -> Samples:
    found = readiness(seen.follower, seen.engine, seen.now)
    return (Sample((check.name,), check.is_well) for check in found.checks)


def _latency(stages: Iterable[Stage], *, labelled: bool) -> Callable[[Seen], Latencies]:
    def latencies(seen: Seen) -> Latencies:
        measured = seen.follower.views.quality.latencies
        return (((stage.value,) if labelled else (), measured[stage]) for stage in stages)

    return latencies


_G, _C, _H = Kind.GAUGE, Kind.COUNTER, Kind.HISTOGRAM
# fmt: off
METRICS: tuple[MetricKind, ...] = (
    MetricKind(name="fill_rate", kind=_G, says="Completely filled / submitted orders of the run.",
               read=_one(lambda seen: seen.follower.views.quality.fill_rate)),
    MetricKind(name="slippage", kind=_G,
               says="Cost against the price expected at the decision, basis points by value; positive hurts.",
               read=_one(lambda seen: seen.follower.views.quality.slippage)),
    MetricKind(name="latency_ms", kind=_H, says="From an order's submission to its acknowledgement, milliseconds.",
               latencies=_latency((Stage.SENT_TO_ACKNOWLEDGED,), labelled=False)),
    MetricKind(name="rejection_rate", kind=_G, says="Orders refused by gate or broker / all orders of the run.",
               read=_one(lambda seen: seen.follower.views.quality.rejection_rate)),
    MetricKind(name="daily_pnl", kind=_G, says="Dollars since the day opened, deposits excluded.",
               read=_one(_daily_pnl)),
    MetricKind(name="current_drawdown", kind=_G, says="Fraction lost from the highest equity.", read=_one(_drawdown)),
    MetricKind(name="var_95", kind=_G,
               says="Loss that 95 % of past bars stay within with the book of now, or of the account's own days in a "
                    "backtest; fraction of equity, from 20 of them on.",
               read=_one(_var_95)),
    MetricKind(name="position_concentration", kind=_G, says="Largest position / equity.", read=_one(_concentration)),
    MetricKind(name="qts_latency_stage_ms", kind=_H, labels=("stage",),
               says="How long each stage of an order took, milliseconds, by the journal's times.",
               latencies=_latency(Stage, labelled=True)),
    MetricKind(name="qts_orders", kind=_G, labels=("outcome",),
               says="Orders of the run: submitted, filled completely, refused by gate or broker.", read=_outcomes),
    MetricKind(name="qts_refusals", kind=_G, labels=("rule",), says="Orders of the run that a rule refused.",
               read=_refusals),
    MetricKind(name="qts_equity_dollars", kind=_G, says="Equity.", read=_one(lambda seen: seen.held.equity)),
    MetricKind(name="qts_cash_dollars", kind=_G, says="Cash.", read=_one(lambda seen: seen.held.cash)),
    MetricKind(name="qts_gross_exposure", kind=_G, says="Value of all positions, short ones too / equity.",
               read=_one(lambda seen: seen.held.gross_fraction)),
    MetricKind(name="qts_limit_used", kind=_G, labels=("rule",), says="What is used of a limit, in its own unit.",
               read=lambda seen: (Sample((room.rule,), room.used) for room in _rooms(seen))),
    MetricKind(name="qts_limit", kind=_G, labels=("rule",), says="A limit, in its own unit.",
               read=lambda seen: (Sample((room.rule,), room.limit) for room in _rooms(seen))),
    MetricKind(name="qts_limit_headroom", kind=_G, labels=("rule",),
               says="What is left of a limit, in its own unit; below 0 it is broken.",
               read=lambda seen: (Sample((room.rule,), room.left) for room in _rooms(seen))),
    MetricKind(name="qts_kill_level", kind=_G, labels=("scope",),
               says="Kill switch: 0 running, 1 reducing, 2 halted, 3 flattening.", read=_levels),
    MetricKind(name="qts_ready", kind=_G, says="1 when the account can trade, else 0.",
               read=_one(lambda seen: readiness(seen.follower, seen.engine, seen.now).can_trade)),
    MetricKind(name="qts_check_ok", kind=_G, labels=("check",), says="1 when a check of readiness is well, else 0.",
               read=_checks),
    MetricKind(name="qts_engine_up", kind=_G, says="1 while the engine gives signs of life and gets its work done.",
               read=_one(lambda seen: seen.engine.is_running)),
    MetricKind(name="qts_heartbeat_age_seconds", kind=_G, says="Since the engine's heartbeat changed.",
               read=_one(lambda seen: seen.engine.beat_age_s)),
    MetricKind(name="qts_watchdog_up", kind=_G, says="1 while a watchdog gives signs of life.",
               read=_one(lambda seen: seen.engine.is_watched)),
    MetricKind(name="qts_stream_up", kind=_G, labels=("stream",),
               says="1 while a stream is subscribed and without a gap.", read=_stream("up")),
    MetricKind(name="qts_stream_silence_seconds", kind=_G, labels=("stream",), says="Since a stream's last message.",
               read=_stream("silence")),
    MetricKind(name="qts_reconciliation_age_seconds", kind=_G, says="Since the books were compared in full.",
               read=_one(_reconciliation_age)),
    MetricKind(name="qts_open_orders", kind=_G, says="Orders that may trade.",
               read=_one(lambda seen: len(seen.follower.books.orders.open))),
    MetricKind(name="qts_orders_in_doubt", kind=_G, says="Orders whose fate is unknown.", read=_one(_in_doubt)),
    MetricKind(name="qts_breaks_open", kind=_G, says="Open differences from the broker's books.",
               read=_one(lambda seen: len(seen.follower.books.breaks))),
    MetricKind(name="qts_journal_head", kind=_G, says="Number of the last entry that was read.",
               read=_one(lambda seen: seen.follower.seq)),
    MetricKind(name="qts_journal_ok", kind=_G, says="1 while every entry that was read fits the chain, else 0.",
               read=_one(lambda seen: not seen.follower.problem)),
    MetricKind(name="qts_journal_reserve_ok", kind=_G, says="1 while the disk space put by for stopping is whole.",
               read=_one(lambda seen: seen.engine.has_reserve)),
    MetricKind(name="qts_alerts", kind=_C, labels=("weight",), says="Alerts that the journal tells of, by weight.",
               read=_alerts),
)
# fmt: on
"""Every metric, those of execution and risk first."""


class _Scrape(Collector):
    def __init__(self, seen: Seen) -> None:
        self._seen = seen

    def collect(self) -> Iterator[Metric]:
        for metric in METRICS:
            yield metric.family(self._seen)


def exposition(follower: Follower, engine: EngineReading, now: datetime) -> bytes:
    """All metrics, one family after the other, in the text format of Prometheus."""
    with follower.lock:
        held = holdings(follower)
        seen = Seen(follower=follower, engine=engine, held=held, headroom=headroom(follower, held), now=now)
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Scrape(seen))
        return generate_latest(registry)
