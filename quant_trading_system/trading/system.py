"""The parts of one account, joined: the same graph in a backtest, on the local venue and live.

Only the ports differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.attribution import Attribution
from quant_trading_system.core.events import CashMoved
from quant_trading_system.core.ids import IntentCounter
from quant_trading_system.core.instruments import Universe
from quant_trading_system.core.numbers import use_exact_arithmetic
from quant_trading_system.core.risk_now import RiskNow
from quant_trading_system.execution.order_manager import OrderManager
from quant_trading_system.execution.position_tracker import PositionTracker
from quant_trading_system.journal.projection import Projection
from quant_trading_system.journal.store import JournalSource
from quant_trading_system.risk.agreement import Agreement
from quant_trading_system.risk.fill_history import FillHistory
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.risk.limits_governance import LimitsGovernance
from quant_trading_system.risk.monitor import RiskMonitor
from quant_trading_system.risk.portfolio import Portfolio
from quant_trading_system.risk.position_sizer import PositionSizer
from quant_trading_system.risk.pre_trade import PreTradeRiskChecker
from quant_trading_system.risk.reset import policy_of
from quant_trading_system.risk.reset_obstacles import obstacles_of
from quant_trading_system.risk.risk_book import book_of
from quant_trading_system.risk.second_marks import quote_times
from quant_trading_system.trading.algo_desk import AlgoDesk
from quant_trading_system.trading.algo_market import AlgoMarket
from quant_trading_system.trading.closing import ClosingParts
from quant_trading_system.trading.gate_facts import fills_before, noted, sources_of
from quant_trading_system.trading.limits_swap import durable_record, new_governance, swap_of
from quant_trading_system.trading.liquidation import HaltProcedure
from quant_trading_system.trading.news_book import HeardJournal, NewsBook
from quant_trading_system.trading.order_path import OrderPath
from quant_trading_system.trading.planning import ExecutionPolicy
from quant_trading_system.trading.ports import Ports
from quant_trading_system.trading.resume import close_missed_day, recall_from, resume, wishes_at_rest
from quant_trading_system.trading.strategy import Strategy, hears
from quant_trading_system.trading.trading_engine import TradingEngine

REMEMBERED = 10_000
"""Finished orders and closed round trips that stay in memory where the journal can be asked for older ones; no
journal lets as many entries wait for a sync."""


@dataclass(frozen=True, slots=True)
class Past:
    """An account that goes on: its books as folded from the journal, and the journal to look things up in."""

    books: Projection
    source: JournalSource


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskParts:
    """What judges orders: books, kill switch, monitor and gate."""

    portfolio: Portfolio
    kill_switch: KillSwitch
    monitor: RiskMonitor
    checker: PreTradeRiskChecker
    agreement: Agreement
    fills: FillHistory


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingSystem:
    """The joined parts; `engine` drives them, the others are there to be asked.

    Attributes:
        governance: the limits, and everything that waits for people.
    """

    ports: Ports
    governance: LimitsGovernance
    universe: Universe
    portfolio: Portfolio
    kill_switch: KillSwitch
    monitor: RiskMonitor
    checker: PreTradeRiskChecker
    agreement: Agreement
    tracker: PositionTracker
    orders: OrderManager
    desk: AlgoDesk
    path: OrderPath
    halt: HaltProcedure
    engine: TradingEngine
    ids: IntentCounter

    @property
    def limits(self) -> RiskLimits:
        """In force now."""
        return self.governance.limits


def assemble(
    ports: Ports,
    *,
    run: str,
    cash: Decimal,
    limits: RiskLimits,
    universe: Universe,
    strategies: Sequence[Strategy] = (),
    sizer: PositionSizer,
    policy: ExecutionPolicy | None = None,
    past: Past | None = None,
    history: JournalSource | None = None,
    governance: LimitsGovernance | None = None,
) -> TradingSystem:
    """Build the graph for one account; a new one puts its opening cash on record, an old one goes on.

    Args:
        run: names the run; every client order id begins with it.
        cash: dollars at the start of a new account.
        past: the books and the journal of an account that goes on.
        history: the journal that `ports` writes; what ended long ago leaves memory and is looked up there. None
            keeps everything in memory, as a backtest needs for its statistics.
        governance: what the journal says of the limits, which then come before `limits`; None for a new account.
    """
    use_exact_arithmetic()
    governance = governance or new_governance(limits, ports.journal, ports.clock)
    ports = _heard(ports, strategies)
    market, policy = _market(ports, governance.limits), policy or ExecutionPolicy()
    risk = _judges(ports, cash, governance, universe, market)
    ids = IntentCounter(run, past.books.last_intent.get(run, 0) if past else 0)
    tracker, orders = _senders(ports, risk, ids, history)
    desk = _desk(ports, market, risk, orders, policy, ids)
    path = OrderPath(
        sizer=sizer,
        policy=policy,
        universe=universe,
        quotes=ports.quotes,
        portfolio=risk.portfolio,
        checker=risk.checker,
        orders=orders,
        correlations=ports.correlations,
        trades=lambda: tracker.round_trips,
        record=ports.journal.append,
        desk=desk,
        obstacle=lambda symbol: ports.unwatched() or risk.agreement.obstacle(symbol),
    )
    halt, engine = _drivers(ports, risk, tracker, orders, desk, path, strategies, past.books.risk_day if past else None)
    swapped = (risk.checker, risk.monitor, desk.market)
    governance.on_change(swap_of(risk.portfolio, risk.kill_switch, swapped, is_live=governance.is_live))
    if past is None:
        ports.journal.append(CashMoved(at=ports.market_clock.now(), amount=cash, cash=cash, reason="opening balance"))
    else:
        _take_up(past, ports, risk, tracker, orders, desk, engine)
    return TradingSystem(
        ports=ports,
        governance=governance,
        universe=universe,
        portfolio=risk.portfolio,
        kill_switch=risk.kill_switch,
        monitor=risk.monitor,
        checker=risk.checker,
        agreement=risk.agreement,
        tracker=tracker,
        orders=orders,
        desk=desk,
        path=path,
        halt=halt,
        engine=engine,
        ids=ids,
    )


def _heard(ports: Ports, strategies: Sequence[Strategy]) -> Ports:
    """The same with a journal that can be listened to, where a strategy hears of its orders."""
    return replace(ports, journal=HeardJournal(ports.journal)) if any(map(hears, strategies)) else ports


def _take_up(
    past: Past,
    ports: Ports,
    risk: RiskParts,
    tracker: PositionTracker,
    orders: OrderManager,
    desk: AlgoDesk,
    engine: TradingEngine,
) -> None:
    """The books of before the restart, what had left, wishes that wait, and parent orders that had not ended."""
    now = ports.market_clock.now()
    if engine.news is not None:
        engine.news.recall(past.source, past.books.seq)
    resume(
        past.books,
        past.source,
        portfolio=risk.portfolio,
        monitor=risk.monitor,
        kill_switch=risk.kill_switch,
        orders=orders,
        traffic=risk.checker.traffic,
        calendar=ports.calendar,
        now=now,
        ours=ports.clock.now(),
    )
    risk.fills.recall(fills_before(past.source, past.books.seq, now))
    close_missed_day(past.books.baselines, risk.monitor, ports.calendar, now)
    engine.were_disarmed(past.books.disarmed)
    tracker.attribution = Attribution.from_state(past.books.attribution.state())
    engine.switch_was(past.books.halt, past.books.scoped_halts)
    for seq, signal in wishes_at_rest(past.source, past.books.seq, ports.calendar, now):
        engine.recall(signal, seq)
    for view in list(past.books.parents.open.values()):
        desk.take_up(view)
    if engine.news is not None:
        engine.news.follow(record for record in orders.open_orders() if not desk.parent_of(record.order_id))


def _judges(
    ports: Ports, cash: Decimal, governance: LimitsGovernance, universe: Universe, market: AlgoMarket
) -> RiskParts:
    limits, clock, market_clock = governance.limits, ports.clock, ports.market_clock
    resets = policy_of(limits, live=governance.is_live)
    portfolio = Portfolio(cash, universe.sectors)
    agreement, fills = Agreement(), FillHistory(ports.calendar, market_clock)
    kill_switch = KillSwitch(
        latch=ports.latch,
        clock=clock,
        authorized_resetters=limits.authorized_resetters,
        policy=resets,
        record=durable_record(ports.journal),
    )
    monitor = RiskMonitor(
        limits=limits,
        portfolio=portfolio,
        kill_switch=kill_switch,
        clock=clock,
        market_clock=market_clock,
        emit=ports.journal.append,
        agreement=agreement,
        quoted_at=quote_times(portfolio, ports.quotes),
    )
    checker = PreTradeRiskChecker(
        limits=limits,
        universe=universe,
        portfolio=portfolio,
        quotes=ports.quotes,
        calendar=ports.calendar,
        kill_switch=kill_switch,
        clock=clock,
        market_clock=market_clock,
        correlations=ports.correlations,
        unsupported=ports.broker.unsupported,
        unwatched=ports.unwatched,
        crowded=ports.crowded,
        agreement=agreement,
        sources=sources_of(ports.is_halted, market.average_volume, universe, fills, ports.correlations),
    )
    kill_switch.obstacles = obstacles_of(portfolio, monitor, agreement, ports.latch)
    return RiskParts(
        portfolio=portfolio,
        kill_switch=kill_switch,
        monitor=monitor,
        checker=checker,
        agreement=agreement,
        fills=fills,
    )


def _senders(
    ports: Ports, risk: RiskParts, ids: IntentCounter, history: JournalSource | None
) -> tuple[PositionTracker, OrderManager]:
    tracker = PositionTracker(
        portfolio=risk.portfolio,
        monitor=risk.monitor,
        emit=noted(risk.fills, ports.journal.append),
        clock=ports.clock,
        remembered=None if history is None else REMEMBERED,
    )
    orders = OrderManager(
        checker=risk.checker,
        portfolio=risk.portfolio,
        tracker=tracker,
        kill_switch=risk.kill_switch,
        broker=ports.broker,
        journal=ports.journal,
        clock=ports.clock,
        ids=ids,
    )
    risk.checker.know(shares_of=lambda strategy: tracker.attribution.of(strategy))
    orders.lives.watch.on_answer(risk.monitor.answered)
    if history is not None:
        orders.lives.remember(REMEMBERED, recall_from(history))
    return tracker, orders


def _market(ports: Ports, limits: RiskLimits) -> AlgoMarket:
    return AlgoMarket(
        quotes=ports.quotes,
        calendar=ports.calendar,
        limits=limits,
        clock=ports.market_clock,
        volumes=ports.volumes,
        is_halted=ports.is_halted,
    )


def _desk(
    ports: Ports,
    market: AlgoMarket,
    risk: RiskParts,
    orders: OrderManager,
    policy: ExecutionPolicy,
    ids: IntentCounter,
) -> AlgoDesk:
    return AlgoDesk(
        market=market,
        policy=policy,
        orders=orders,
        broker=ports.broker,
        kill_switch=risk.kill_switch,
        journal=ports.journal,
        clock=ports.clock,
        ids=ids,
        at_once=ports.at_once,
    )


def _drivers(
    ports: Ports,
    risk: RiskParts,
    tracker: PositionTracker,
    orders: OrderManager,
    desk: AlgoDesk,
    path: OrderPath,
    strategies: Sequence[Strategy],
    last_day: RiskNow | None,
) -> tuple[HaltProcedure, TradingEngine]:
    halt = HaltProcedure(
        ClosingParts(
            kill_switch=risk.kill_switch,
            orders=orders,
            portfolio=risk.portfolio,
            quotes=ports.quotes,
            calendar=ports.calendar,
            journal=ports.journal,
            clock=ports.clock,
            market_clock=ports.market_clock,
            limits=lambda: risk.checker.limits_in_force,
            positions=ports.broker.positions,
            shares_of=lambda strategy: tracker.attribution.of(strategy),
            is_halted=ports.is_halted,
        )
    )
    judges, journal = (risk.portfolio, risk.monitor, risk.checker), ports.journal
    news = None
    if isinstance(journal, HeardJournal):
        news = NewsBook(strategies, orders, journal, ports.clock, ports.market_clock)
    engine = TradingEngine(
        strategies=strategies,
        path=path,
        desk=desk,
        halt=halt,
        orders=orders,
        tracker=tracker,
        portfolio=risk.portfolio,
        monitor=risk.monitor,
        kill_switch=risk.kill_switch,
        quotes=ports.quotes,
        calendar=ports.calendar,
        journal=ports.journal,
        clock=ports.clock,
        market_clock=ports.market_clock,
        risk_book=book_of(ports.returns, judges, ports.clock, ports.journal.append, last_day),
        news=news,
    )
    return halt, engine
