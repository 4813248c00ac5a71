"""Backtests from one call: `result = backtest(MyStrategy(), prices)`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from quant_trading_system.app.bootstrap import ReplayAccount, Setup, SimulatedAccount, simulated_account
from quant_trading_system.config.loader import limits_as_text
from quant_trading_system.core.book_events import ActivityBooked
from quant_trading_system.core.breaks import ActivityKind
from quant_trading_system.core.decisions import Decision
from quant_trading_system.core.events import AnyEvent, FillEvent, KillSwitchEvent, OrderEvent, StrategyStopped
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.execution.quality import QualityNumbers, measure
from quant_trading_system.journal.sqlite_store import SqliteJournal
from quant_trading_system.journal.store import Journal
from quant_trading_system.journal.verify import verify
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.research.backtest import Backtest, EquityPoint, Watcher
from quant_trading_system.research.performance import JournalSeal, PerformanceReport, RunRecord, statistics
from quant_trading_system.risk.metrics import position_concentration
from quant_trading_system.trading.strategy import Strategy
from quant_trading_system.trading.vector_strategy import speaking_bars

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_DECISIONS = 2_000
"""Decisions kept for the report; more are in the journal only."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class BacktestResult:
    """What trading history has come to.

    Attributes:
        record: equity curve, fills, refusals and costs as they happened.
        decisions: by order id, why the first orders were sent or refused; the journal has all of them.
        stopped: strategies that failed on the way.
        statistics: what they add up to.
        quality: how well the orders were executed.
        position_concentration: largest position at the end, fraction of equity.
    """

    account: ReplayAccount
    record: RunRecord
    decisions: dict[str, Decision]
    stopped: tuple[StrategyStopped, ...]
    statistics: PerformanceReport
    quality: QualityNumbers
    position_concentration: Decimal | None

    def __repr__(self) -> str:
        end = self.account.system.portfolio.equity
        return f"BacktestResult({len(self.record.fills)} fills, equity {end}, {len(self.account.history)} bars)"

    @property
    def journal_entries(self) -> int:
        """How many entries the run has left."""
        return self.account.journal.head[0]

    @property
    def journal_head(self) -> str:
        """The digest of the last one, hex: runs with the same head are the same to the last bit."""
        return self.account.journal.head[1]


def backtest(
    strategies: Strategy | Sequence[Strategy],
    prices: PriceHistory,
    setup: Setup | None = None,
    watch: Watcher | None = None,
) -> BacktestResult:
    """Trade `prices` with one or more strategies on the real road and an in-process venue.

    Args:
        setup: cash, seed, limits, costs and everything else; its `strategies` are replaced.
        watch: called after every step of the market.
    """
    chosen = (strategies,) if isinstance(strategies, Strategy) else tuple(strategies)
    account = simulated_account(prices, replace(setup or Setup(), strategies=chosen))
    return asyncio.run(run_account(account, watch))


async def run_account(
    account: SimulatedAccount, watch: Watcher | None = None, *, watch_days: Watcher | None = None
) -> BacktestResult:
    """Run a prepared account to the end of its prices, and close its journal.

    Args:
        watch: called after every step of the market, none of which is passed over then.
        watch_days: called at the close of every session.
    """
    test = Backtest(
        run=account.run,
        system=account.system,
        clock=account.clock,
        market=account.market,
        venue=account.venue,
        history=account.history,
        correlations=account.correlations,
        watch=watch,
        watch_days=watch_days,
        speaking=speaking_bars(account.strategies, account.history, account.first_bar),
        pay_outs=account.pay_outs,
    )
    start = EquityPoint(account.clock.now(), account.system.portfolio.equity, ZERO, 0)
    return await result_of(account, test.run(), lambda: [start, *test.curve])


async def result_of(
    account: ReplayAccount, run: Awaitable[None], curve: Callable[[], list[EquityPoint]]
) -> BacktestResult:
    """Await `run`, close the journal of the account, and add everything up.

    Args:
        curve: the account before the run and at each close, asked for after the run.
    """
    heard = _Heard()
    heard.listen_to(account.journal)
    try:
        await run
        account.journal.sync()
    finally:
        account.journal.close()
    return _result(account, curve(), heard)


class _Heard:
    """What a run said about fills, pay-outs and halts, and why its first orders were decided as they were."""

    def __init__(self) -> None:
        self.fills: list[FillEvent] = []
        self.paid_out: list[ActivityBooked] = []
        self.halts: list[KillSwitchEvent] = []
        self.decisions: dict[str, Decision] = {}
        self.stopped: list[StrategyStopped] = []
        self._end_decisions: Callable[[], None] = lambda: None

    def listen_to(self, journal: Journal) -> None:
        """Hear what is recorded from now on."""
        journal.subscribe(self._hear, (FillEvent, ActivityBooked, KillSwitchEvent, StrategyStopped))
        self._end_decisions = journal.subscribe(self._hear_decision, (OrderEvent,))

    def _hear_decision(self, _: int, event: AnyEvent) -> None:
        if isinstance(event, OrderEvent) and event.decision is not None:
            self.decisions[event.order_id] = event.decision
            if len(self.decisions) == MAX_DECISIONS:
                self._end_decisions()

    def _hear(self, _: int, event: AnyEvent) -> None:
        if type(event) is FillEvent:  # `isinstance` of another class takes ten times as long
            self.fills.append(event)
        elif type(event) is KillSwitchEvent:
            self.halts.append(event)
        elif type(event) is StrategyStopped:
            self.stopped.append(event)
        elif type(event) is ActivityBooked and event.activity is ActivityKind.PAY_OUT:
            self.paid_out.append(event)


def _result(account: ReplayAccount, curve: list[EquityPoint], heard: _Heard) -> BacktestResult:
    system = account.system
    quality = measure(system.orders.orders())
    record = RunRecord(
        times=[point.at for point in curve],
        equity=[point.equity for point in curve],
        gross_exposure=[float(point.gross / point.equity) if point.equity > 0 else 0.0 for point in curve],
        benchmark=_equal_parts(account, len(curve)),
        benchmark_name="Equal parts, held",
        round_trips=list(system.tracker.round_trips),
        fills=heard.fills,
        paid_out=heard.paid_out,
        orders_sent=quality.submitted,
        refusals=quality.rejections,
        slippage=quality.slippage_usd,
        fees=system.portfolio.fees,
        halts=heard.halts,
        limits=limits_as_text(system.limits),
        limits_version=system.limits.version,
        journal=_seal(account.journal),
    )
    values = {symbol: position.market_value for symbol, position in system.portfolio.positions.items()}
    return BacktestResult(
        account=account,
        record=record,
        decisions=heard.decisions,
        stopped=tuple(heard.stopped),
        statistics=statistics(record),
        quality=quality,
        position_concentration=_rounded(position_concentration(values, system.portfolio.equity)),
    )


def _rounded(value: Decimal | None) -> Decimal | None:
    return None if value is None else value.quantize(Decimal("1E-6"))


def _equal_parts(account: ReplayAccount, points: int) -> list[float] | None:
    """What equal parts of all symbols, bought before the first bar and held, would be worth at each close.

    A symbol without a bar has its last close, and what has ended is worth what was paid out for it. None when a symbol
    had no price before the first bar.
    """
    import numpy as np

    history, first = account.history, account.first_bar
    begin = max(first - 1, 0)
    days = history.dates[begin:]
    rows = np.flatnonzero(np.append(days[1:] != days[:-1], True)) + begin
    daily = history.closes_as_float()[rows]
    for column in np.flatnonzero(np.isnan(daily).any(axis=0)).tolist():
        daily[:, column] = _closes_at(history, column, rows)
    if isinstance(account, SimulatedAccount) and account.pay_outs is not None:
        for symbol, bar in history.ended.items():
            gone = history.dates[rows] > history.dates[bar]
            daily[gone, history.column_of(symbol)] *= float(account.pay_outs.fraction)
    if first == 0:
        daily = np.vstack([daily[:1], daily])
    if len(daily) != points or np.isnan(daily).any():
        return None
    return [float(value) for value in (daily / daily[0]).mean(axis=1)]


def _closes_at(history: PriceHistory, column: int, rows: NDArray[np.intp]) -> NDArray[np.float64]:
    """The latest closes of a symbol at some bars, dollars; NaN before its first."""
    import numpy as np

    known = np.flatnonzero(history.present[:, column])
    places = np.searchsorted(known, rows, side="right")
    closes = np.append(np.nan, history.closes_as_float()[known, column])
    found: NDArray[np.float64] = closes[places]
    return found


def _seal(journal: object) -> JournalSeal | None:
    if not isinstance(journal, SqliteJournal):
        return None
    entries, head = journal.head
    report = verify(journal.path, journal.key, reads_events=False)
    return JournalSeal(
        path=str(journal.path), entries=entries, head=head, verified=report.is_sound and report.head == head
    )


def report_path(directory: Path) -> Path:
    """Where the report of a run is written."""
    return directory / "report.html"


def write_report(result: BacktestResult, path: Path, *, title: str) -> Path:
    """Write the HTML report of a run to `path`; one file that needs no network to be read."""
    from quant_trading_system.research.report import write_html

    strategies = ", ".join(strategy.name for strategy in result.account.strategies)
    write_html(path, result.record, result.statistics, title=title, subtitle=strategies, decisions=result.decisions)
    return path
