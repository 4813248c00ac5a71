"""The risk numbers of the live account: measured once a minute and at the end of the day, and put on record.

Value at risk is held against what happened: at the end of each day its loss is compared with the forecasts of the
day before, and the latest days of that comparison travel with every day's record, so that a restart loses none.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quant_trading_system.core.clock import Clock
from quant_trading_system.core.exceptions import JournalFull
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.core.risk_now import LimitUse, RiskNow
from quant_trading_system.risk import metrics
from quant_trading_system.risk.correlation import RollingCorrelations
from quant_trading_system.risk.limit_readings import Facts
from quant_trading_system.risk.limit_use import limit_uses
from quant_trading_system.risk.live_tail import BARS, LiveTail
from quant_trading_system.risk.monitor import RiskMonitor
from quant_trading_system.risk.portfolio import Portfolio
from quant_trading_system.risk.pre_trade import PreTradeRiskChecker
from quant_trading_system.risk.stress import Holding, scenarios_for, stress_loss
from quant_trading_system.risk.var_tests import VarTest, christoffersen, kupiec

EVERY_S = 60
"""Seconds between two measurements."""
CORRELATED = 12
"""Positions whose correlations are told, the largest."""
FEWEST_COMMON = 30
"""Bars that two of them must have in common."""
REMEMBERED_DAYS = 500
"""Days for which the comparison of forecast and loss is kept."""
_TWO = Decimal("0.01")
_SIX = Decimal("1E-6")


class Returns(NamedTuple):
    """Where past returns come from.

    Attributes:
        symbols: the columns.
        recent: gives the last `n` returns, shape [n or fewer, symbols], NaN where missing.
        within_days: likewise, of those that do not span a night; correlations are measured over them.
        is_daily: a bar is a day, so that a forecast for one bar can be held against a day's loss.
    """

    symbols: tuple[str, ...]
    recent: Callable[[int], NDArray[np.float64]]
    within_days: Callable[[int], NDArray[np.float64]]
    is_daily: bool


class VarBacktest(NamedTuple):
    """How a forecast did: days compared, days with a larger loss, and the two tests; None while there are too few."""

    days: int
    exceptions: int
    kupiec: VarTest | None
    christoffersen: VarTest | None


def backtest_of(name: str, record: str) -> VarBacktest:
    """Test a forecast against what happened.

    Args:
        name: such as ``historical_var_95``; the last part is the confidence.
        record: as in `RiskNow.record`.
    """
    exceeded = [day == "1" for day in record]
    level = f"0.{name.rpartition('_')[2]}"
    count = sum(exceeded)
    return VarBacktest(len(exceeded), count, kupiec(len(exceeded), count, level), christoffersen(exceeded, level))


class RiskBook:
    """Measures the account; hands the worst stress to the monitor, which may trip on it."""

    def __init__(
        self,
        portfolio: Portfolio,
        monitor: RiskMonitor,
        clock: Clock,
        emit: Callable[[RiskNow], object],
        returns: Returns,
        uses: Callable[[], tuple[LimitUse, ...]],
        *,
        last_day: RiskNow | None = None,
        seed: int = 0,
    ) -> None:
        """Measure `portfolio`; `emit` puts the numbers on record.

        Args:
            uses: tells what is used of each limit.
            last_day: the numbers of the last day that ended on record, to go on from.
            seed: of the Monte Carlo.
        """
        self._portfolio = portfolio
        self._monitor = monitor
        self._clock = clock
        self._emit = emit
        self._is_daily = returns.is_daily
        self._uses = uses
        self._tail = LiveTail(returns.symbols, returns.recent, bars=BARS)
        self._pairs = RollingCorrelations(
            returns.symbols,
            returns.recent,
            window=BARS,
            min_observations=FEWEST_COMMON,
            within_days=returns.within_days,
        )
        self._seed = seed
        self._next = clock.monotonic()
        self._forecast: dict[str, Decimal | None] = {}
        self._record: dict[str, str] = {}
        if last_day is not None:
            self.restore(last_day)

    def restore(self, last_day: RiskNow) -> None:
        """Take up forecasts and their record from the last day that ended on record."""
        self._forecast = _forecasts(last_day.tail) if last_day.is_daily else {}
        self._record = dict(last_day.record)

    def next_bar(self) -> None:
        """A bar has ended; the tail is drawn from the bars up to it."""
        self._tail.next_bar()
        self._pairs.next_bar()

    def tick(self) -> None:
        """Measure and put on record, if it is time; costs nothing otherwise."""
        now = self._clock.monotonic()
        if now < self._next:
            return
        self._next = now + EVERY_S
        self._tell(self.measure())

    def close_day(self) -> None:
        """A trading day has ended: hold its loss against the forecasts of the day before, and forecast the next."""
        loss = -self._portfolio.daily_pnl
        for name, forecast in self._forecast.items():
            if forecast is not None:
                seen = self._record.get(name, "") + ("1" if loss > forecast else "0")
                self._record[name] = seen[-REMEMBERED_DAYS:]
        now = self.measure(is_day_end=True)
        self._forecast = _forecasts(now.tail) if self._is_daily else {}
        self._tell(now)

    def measure(self, *, is_day_end: bool = False) -> RiskNow:
        """The numbers of this moment."""
        portfolio = self._portfolio
        with portfolio.lock:
            equity, cash, pnl = portfolio.equity, portfolio.cash, portfolio.daily_pnl
            peak, is_known = portfolio.peak_equity, not portfolio.unmarked
            positions = portfolio.positions
            values = {symbol: positions[symbol].market_value for symbol in sorted(positions)} if is_known else {}
            sectors = {symbol: portfolio.holding(symbol).sector for symbol in values}
        self._tail.hold(values)
        book = {symbol: Holding(value, sectors[symbol], self._tail.beta(symbol)) for symbol, value in values.items()}
        stress = {scenario.name: stress_loss(book, scenario) for scenario in scenarios_for(book)} if is_known else {}
        self._monitor.stress_loss = max(stress.values(), default=ZERO)
        profits = self._tail.profits()
        largest = sorted(values, key=lambda symbol: abs(values[symbol]), reverse=True)[:CORRELATED]
        longs = {symbol: value for symbol, value in values.items() if value > 0}
        shorts = {symbol: value for symbol, value in values.items() if value < 0}
        return RiskNow(
            at=self._clock.now(),
            equity=equity,
            cash=cash,
            daily_pnl=pnl,
            current_drawdown=(max(peak - equity, ZERO) / peak).quantize(_SIX) if peak > 0 else ZERO,
            gross=_six(metrics.gross_exposure(values, equity)) if is_known else None,
            net=_six(metrics.net_exposure(values, equity)) if is_known else None,
            long=_six(metrics.gross_exposure(longs, equity)) if is_known else None,
            short=_six(metrics.gross_exposure(shorts, equity)) if is_known else None,
            beta=_beta(book, equity) if is_known else None,
            sectors={name: share.quantize(_SIX) for name, share in _sectors(values, sectors, equity).items()},
            position_concentration=_six(metrics.position_concentration(values, equity)) if is_known else None,
            largest=max(values, key=lambda symbol: abs(values[symbol]), default=""),
            herfindahl=_six(metrics.herfindahl(values)),
            tail=self._tail.tail(self._seed) if is_known else {},
            bars=0 if profits is None else len(profits),
            is_daily=self._is_daily,
            correlated=tuple(largest),
            correlations=self._correlations(largest),
            stress=stress,
            limits=self._uses(),
            is_day_end=is_day_end,
            record=dict(self._record) if is_day_end else {},
        )

    def _correlations(self, symbols: list[str]) -> tuple[tuple[Decimal | None, ...], ...]:
        """One row for each symbol, with those before it."""
        return tuple(
            tuple(_two(self._pairs.correlation(symbol, other)) for other in symbols[:number])
            for number, symbol in enumerate(symbols)
        )

    def _tell(self, now: RiskNow) -> None:
        try:
            self._emit(now)
        except JournalFull:
            return  # the journal has told people; what room there is belongs to halts and fills


def book_of(
    returns: Returns | None,
    account: tuple[Portfolio, RiskMonitor, PreTradeRiskChecker],
    clock: Clock,
    emit: Callable[[RiskNow], object],
    last_day: RiskNow | None,
) -> RiskBook | None:
    """The book of an account, or None where no past returns are known."""
    if returns is None:
        return None
    portfolio, monitor, checker = account

    def uses() -> tuple[LimitUse, ...]:
        with portfolio.lock:
            limits, left = checker.limits_in_force, checker.traffic.in_all()
            return limit_uses(Facts(limits, portfolio, monitor.measures(), left, checker.sources))

    return RiskBook(portfolio, monitor, clock, emit, returns, uses, last_day=last_day)


def _forecasts(tail: dict[str, Decimal | None]) -> dict[str, Decimal | None]:
    return {name: value for name, value in tail.items() if "_var_" in name}


def _sectors(values: dict[str, Decimal], sectors: dict[str, str], equity: Decimal) -> dict[str, Decimal]:
    return metrics.sector_exposure(values, sectors, equity) or {}


def _beta(book: dict[str, Holding], equity: Decimal) -> Decimal | None:
    """Of the whole book; None as soon as that of one position is not known."""
    if equity <= 0:
        return None
    total = ZERO
    for holding in book.values():
        if holding.beta is None:
            return None
        total += holding.value * holding.beta
    return _six(total / equity)


def _two(value: Decimal | None) -> Decimal | None:
    return None if value is None else value.quantize(_TWO)


def _six(value: Decimal | None) -> Decimal | None:
    return None if value is None else value.quantize(_SIX)
