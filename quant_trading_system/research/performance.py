"""How a run did: from its equity curve, fills and refusals to one `PerformanceReport`.

Returns are time-weighted: money that merely came or went counts neither as gain nor as loss. Annual numbers
are measured on daily returns (the first point, then the last one of each UTC date) with 252 days to a year;
the drawdown is measured on every point. What is not defined is None.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise

import msgspec
import numpy as np
from numpy.typing import NDArray

from quant_trading_system.core.book_events import ActivityBooked
from quant_trading_system.core.events import FillEvent, KillSwitchEvent
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.research import ratios
from quant_trading_system.risk.metrics import current_drawdown, max_drawdown, var_95


class JournalSeal(msgspec.Struct, frozen=True, kw_only=True):
    """What it takes to check later that nobody changed the record of a run.

    Attributes:
        head: digest of the last entry.
        verified: the chain was followed from the first entry to the head when the run ended.
    """

    path: str
    entries: int
    head: str
    verified: bool


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a run leaves behind for its statistics.

    Attributes:
        times: aware, rising; daily or finer. The first point is the start, before anything was traded.
        equity: dollars at each time.
        gross_exposure: sum of absolute position values as a fraction of equity at each time; or empty.
        flows: net deposits in dollars since the point before (the first one is ignored); or empty.
        benchmark: prices of something to compare with, at each time; None without.
        round_trips: net profit of every closed round trip, dollars.
        paid_out: holdings that became cash because the prices of their symbols had ended.
        orders_sent: orders that left for the broker.
        refusals: refused orders by rule of the gate; ``broker`` stands for those that were sent and that it refused.
        slippage: dollars lost against the expected prices, negative when prices improved.
        fees: dollars.
        halts: every move of the kill switch, resets included.
        limits: the limits in force as text, by ``section.key``.

    Raises:
        ValueError: lengths differ, times do not rise, or a number is not finite.
    """

    times: list[datetime]
    equity: list[Decimal]
    gross_exposure: list[float] = []
    flows: list[Decimal] = []
    benchmark: list[float] | None = None
    benchmark_name: str = "Benchmark"
    round_trips: list[Decimal] = []
    fills: list[FillEvent] = []
    paid_out: list[ActivityBooked] = []
    orders_sent: int = 0
    refusals: dict[str, int] = {}
    slippage: Decimal = ZERO
    fees: Decimal = ZERO
    halts: list[KillSwitchEvent] = []
    limits: dict[str, str] = {}
    limits_version: str = ""
    journal: JournalSeal | None = None

    def __post_init__(self) -> None:
        if not self.times:
            raise ValueError("an equity curve has at least one point")
        for name in ("equity", "gross_exposure", "flows", "benchmark"):
            series = getattr(self, name)
            if len(series or ()) != len(self.times) and (series or name == "equity"):
                raise ValueError(f"{name} has {len(series)} values for {len(self.times)} times")
            if series and not np.isfinite(np.asarray(series, dtype=np.float64)).all():
                raise ValueError(f"{name} holds a value that is not a finite number")
        if self.equity[0] <= 0 or min(self.benchmark or [1.0]) <= 0:
            raise ValueError("an equity curve must start above zero, and prices of a benchmark must stay there")
        if any(moment.tzinfo is None for moment in self.times):
            raise ValueError("times need a time zone")
        if any(later <= earlier for earlier, later in pairwise(self.times)):
            raise ValueError("times must rise from point to point")


class DrawdownSpell(msgspec.Struct, frozen=True, kw_only=True):
    """The deepest fall.

    Attributes:
        depth: fraction of the peak.
        peak, trough, recovered: dates (UTC); `recovered` is None while below the peak.
        length_days: calendar days from the peak to the recovery, or to the end.
    """

    depth: float
    peak: date
    trough: date
    recovered: date | None
    length_days: int


class DayReturn(msgspec.Struct, frozen=True):
    """The return of one day, a fraction."""

    day: date
    value: float


class MonthReturn(msgspec.Struct, frozen=True):
    """The return of one calendar month (UTC), a fraction; the first and the last month may be partial."""

    year: int
    month: int
    value: float


class BenchmarkReport(msgspec.Struct, frozen=True, kw_only=True):
    """The benchmark over the same days; definitions as in `PerformanceReport`."""

    name: str
    total_return: float | None
    cagr: float | None
    volatility: float | None
    sharpe: float | None
    max_drawdown: float


class PerformanceReport(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is worth saying about a run. Formulas are in `ratios` and `risk.metrics`.

    Attributes:
        days: daily returns in the period.
        net_profit: equity at the end less equity at the start less net deposits, dollars, after all costs.
        total_return: time-weighted, fraction.
        cagr, volatility: fractions per year; sharpe, sortino: per √year, over a risk-free rate that the caller gave.
        calmar: CAGR over maximum drawdown.
        max_drawdown, current_drawdown: fractions of the peak; drawdown: dates of the deepest one.
        var_95: historical, one day, fraction of equity; None below 20 days.
        turnover: dollars bought and sold per year over average equity.
        exposure: average gross exposure, fraction of equity.
        trades: round trips closed; hit_rate: share of them that made money; payoff: mean win over mean loss.
        traded: dollars bought and sold; costs: fees plus slippage; costs_bps: basis points of `traded`.
        monthly: one entry a month, in order.
    """

    start: date
    end: date
    days: int
    equity_start: Decimal
    equity_end: Decimal
    net_profit: Decimal
    total_return: float | None
    cagr: float | None
    volatility: float | None
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    max_drawdown: float | None
    current_drawdown: float | None
    drawdown: DrawdownSpell | None
    var_95: float | None
    best_day: DayReturn | None
    worst_day: DayReturn | None
    turnover: float | None
    exposure: float | None
    trades: int
    hit_rate: float | None
    payoff: float | None
    profit_factor: float | None
    orders: int
    fills: int
    refusals: dict[str, int]
    traded: Decimal
    fees: Decimal
    slippage: Decimal
    costs: Decimal
    costs_bps: float | None
    monthly: list[MonthReturn]
    benchmark: BenchmarkReport | None


def statistics(record: RunRecord, *, risk_free: float = 0.0) -> PerformanceReport:
    """All statistics of a run.

    Args:
        record: what the run left behind.
        risk_free: fraction per year, for Sharpe and Sortino.
    """
    growth = growth_curve(record)
    closes = daily_closes(record.times)
    returns, days = daily_returns(record)
    spell = _deepest(growth, record.times)
    annual_growth = ratios.cagr(returns)
    deepest = (spell.depth if spell else 0.0) if len(growth) > 1 else None
    traded = sum((fill.quantity * fill.price for fill in record.fills), ZERO)
    costs = record.fees + record.slippage
    return PerformanceReport(
        start=_day(record.times[0]),
        end=_day(record.times[-1]),
        days=len(returns),
        equity_start=record.equity[0],
        equity_end=record.equity[-1],
        net_profit=record.equity[-1] - record.equity[0] - sum(record.flows[1:], ZERO),
        total_return=float(growth[-1]) - 1 if len(growth) > 1 else None,
        cagr=annual_growth,
        volatility=ratios.annual_volatility(returns),
        sharpe=ratios.sharpe_ratio(returns, risk_free),
        sortino=ratios.sortino_ratio(returns, risk_free),
        calmar=ratios.calmar_ratio(annual_growth, deepest),
        max_drawdown=deepest,
        current_drawdown=current_drawdown(growth) if len(growth) > 1 else None,
        drawdown=spell,
        var_95=var_95(returns),
        best_day=_extreme(returns, days, int(np.argmax(returns))) if days else None,
        worst_day=_extreme(returns, days, int(np.argmin(returns))) if days else None,
        turnover=ratios.annual_turnover(traded, _floats(record.equity)[closes], len(returns)),
        exposure=float(np.mean(record.gross_exposure)) if record.gross_exposure else None,
        trades=len(record.round_trips),
        hit_rate=ratios.hit_rate(record.round_trips),
        payoff=ratios.payoff(record.round_trips),
        profit_factor=ratios.profit_factor(record.round_trips),
        orders=record.orders_sent,
        fills=len(record.fills),
        refusals=dict(record.refusals),
        traded=traded,
        fees=record.fees,
        slippage=record.slippage,
        costs=costs,
        costs_bps=float(costs / traded) * 10_000 if traded else None,
        monthly=_monthly(returns, days),
        benchmark=_benchmark(record, closes, risk_free),
    )


def growth_curve(record: RunRecord) -> NDArray[np.float64]:
    """What one dollar became at each time: ∏ (Vᵢ − Fᵢ) / Vᵢ₋₁ with equity V and flows F; zero from zero on."""
    equity = _floats(record.equity)
    flows = _floats(record.flows) if record.flows else np.zeros_like(equity)
    before = equity[:-1]
    alive = before > 0
    steps = np.divide(np.maximum(equity[1:] - flows[1:], 0), before, out=np.zeros_like(before), where=alive)
    return np.concatenate([[1.0], np.cumprod(steps)])


def daily_closes(times: Sequence[datetime]) -> list[int]:
    """Positions of the daily series: the very first point, then the last point of each UTC date."""
    days = [_day(moment) for moment in times]
    last = [i for i, (today, next_day) in enumerate(pairwise(days)) if today != next_day]
    return sorted({0, *last, len(days) - 1})


def daily_returns(record: RunRecord) -> tuple[NDArray[np.float64], list[date]]:
    """Time-weighted returns from one daily point to the next, and the UTC dates on which they were earned.

    A lost account has no returns after the day that lost it.
    """
    growth, closes = growth_curve(record), daily_closes(record.times)
    daily = growth[closes]
    alive = int(np.count_nonzero(daily > 0))
    daily = daily[: alive + 1]
    return daily[1:] / daily[:-1] - 1, [_day(record.times[i]) for i in closes[1 : len(daily)]]


def _deepest(growth: NDArray[np.float64], times: Sequence[datetime]) -> DrawdownSpell | None:
    found = max_drawdown(growth)
    if found is None or not found.depth:
        return None
    until = times[-1] if found.recovery is None else times[found.recovery]
    return DrawdownSpell(
        depth=found.depth,
        peak=_day(times[found.peak]),
        trough=_day(times[found.trough]),
        recovered=None if found.recovery is None else _day(until),
        length_days=(_day(until) - _day(times[found.peak])).days,
    )


def _extreme(returns: NDArray[np.float64], days: list[date], at: int) -> DayReturn:
    return DayReturn(days[at], float(returns[at]))


def _monthly(returns: NDArray[np.float64], days: list[date]) -> list[MonthReturn]:
    growth: dict[tuple[int, int], float] = {}
    for day, value in zip(days, returns, strict=True):
        month = (day.year, day.month)
        growth[month] = growth.get(month, 1.0) * (1 + float(value))
    return [MonthReturn(year, month, value - 1) for (year, month), value in growth.items()]


def _benchmark(record: RunRecord, closes: list[int], risk_free: float) -> BenchmarkReport | None:
    if not record.benchmark:
        return None
    prices = np.asarray(record.benchmark, dtype=np.float64)
    daily = prices[closes]
    returns = daily[1:] / daily[:-1] - 1
    deepest = max_drawdown(prices)
    assert deepest is not None
    return BenchmarkReport(
        name=record.benchmark_name,
        total_return=float(prices[-1] / prices[0]) - 1 if len(prices) > 1 else None,
        cagr=ratios.cagr(returns),
        volatility=ratios.annual_volatility(returns),
        sharpe=ratios.sharpe_ratio(returns, risk_free),
        max_drawdown=deepest.depth,
    )


def _floats(values: Sequence[Decimal]) -> NDArray[np.float64]:
    return np.asarray(values, dtype=np.float64)


def _day(moment: datetime) -> date:
    return moment.astimezone(UTC).date()
