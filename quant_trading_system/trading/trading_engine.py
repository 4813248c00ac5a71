"""Drives the road: bars to strategies, wishes to orders, and everything that a halt demands.

The engine is told about time by whoever owns it, a backtest or a live loop: `open_day`, `on_step` after each
change of the market, `on_bar` at the end of a bar, `close_day`. Strategies run isolated: an exception stops
that strategy and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from quant_trading_system.core.clock import Clock
from quant_trading_system.core.command import LONGEST_NAME
from quant_trading_system.core.events import KillSwitchEvent, StateRecorded, StrategyStopped
from quant_trading_system.core.exceptions import ConfigurationError, JournalFull, StrategyError
from quant_trading_system.core.operator_events import StrategySwitched
from quant_trading_system.core.orders import EXTERNAL
from quant_trading_system.core.signals import Signal
from quant_trading_system.execution.order_life import Journal
from quant_trading_system.execution.order_manager import OrderManager
from quant_trading_system.execution.position_tracker import PositionTracker
from quant_trading_system.journal.projection import Halt as RecordedHalt
from quant_trading_system.market.history_view import HistoryView
from quant_trading_system.market.quotes import QuoteSource
from quant_trading_system.market.sessions import Calendar
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.risk.monitor import RiskMonitor
from quant_trading_system.risk.portfolio import Portfolio
from quant_trading_system.risk.risk_book import RiskBook
from quant_trading_system.trading.algo_desk import AlgoDesk
from quant_trading_system.trading.answers import Answer, understood
from quant_trading_system.trading.failures import failure
from quant_trading_system.trading.liquidation import HaltProcedure
from quant_trading_system.trading.marking import Marking
from quant_trading_system.trading.news_book import NewsBook
from quant_trading_system.trading.order_path import OrderPath
from quant_trading_system.trading.own_orders import Owners, OwnOrders
from quant_trading_system.trading.strategy import MarketView, Strategy
from quant_trading_system.trading.switch_moves import SwitchMoves
from quant_trading_system.trading.wish_book import WishBook


class TradingEngine:
    """One account, its strategies and its day.

    Attributes:
        news: tells strategies what became of their orders; None where none of them hears.
    """

    def __init__(
        self,
        *,
        strategies: Sequence[Strategy],
        path: OrderPath,
        desk: AlgoDesk,
        halt: HaltProcedure,
        orders: OrderManager,
        tracker: PositionTracker,
        portfolio: Portfolio,
        monitor: RiskMonitor,
        kill_switch: KillSwitch,
        quotes: QuoteSource,
        calendar: Calendar,
        journal: Journal,
        clock: Clock,
        market_clock: Clock,
        risk_book: RiskBook | None = None,
        news: NewsBook | None = None,
    ) -> None:
        """Join the parts.

        Args:
            risk_book: measures the book; None where no past returns are known.
            news: tells strategies of their orders; None where none of them hears.

        Raises:
            ConfigurationError: two strategies bear one name, or one that of the orders of others; nobody could tell
                their orders apart. Or a name is more than one line of text.
        """
        names = [strategy.name for strategy in strategies]
        if len(set(names)) < len(names):
            raise ConfigurationError(f"strategies need different names, not {', '.join(names)}")
        if EXTERNAL in names:
            raise ConfigurationError(f"no strategy can be called {EXTERNAL}: orders of others bear that name")
        for name in names:
            if not name.strip() or not name.isprintable() or len(name) > LONGEST_NAME:
                raise ConfigurationError(
                    f"a strategy's name is one line of at most {LONGEST_NAME} printable characters, not {name[:40]!r}"
                )
        self._strategies = {strategy.name: strategy for strategy in strategies}
        self._running = list(strategies)
        self._path = path
        self._desk = desk
        self._halt = halt
        self._orders = orders
        self._tracker = tracker
        self._portfolio = portfolio
        self._monitor = monitor
        self._kill_switch = kill_switch
        self._quotes = quotes
        self._calendar = calendar
        self._journal = journal
        self._clock = clock
        self._market_clock = market_clock
        self._risk_book = risk_book
        self.news = news
        self._marking = Marking(portfolio, quotes, monitor, calendar, clock, market_clock)
        self._own, self._owners = OwnOrders(orders.lives.store, desk.book.open, portfolio.lock), Owners(orders, desk)
        self._wishes = WishBook(path=path, desk=desk, orders=orders, journal=journal, market_clock=market_clock)
        self._bar = self._known_bars = 0
        self._moves = SwitchMoves(kill_switch, clock, journal)
        kill_switch.subscribe(self._on_kill_switch)

    @property
    def is_idle(self) -> bool:
        """True when no wish is on its way, no order or parent open and no halt being carried out."""
        return not self._orders.lives.store.has_open and self._begins_nothing

    @property
    def is_quiet(self) -> bool:
        """A step would do nothing but value positions and watch losses, while no open order trades.

        That holds up to the moment `quiet_until` of its orders.
        """
        lives = self._orders.lives
        is_worried = lives.are_worrying and lives.quiet_until <= self._clock.monotonic()
        return not (is_worried or self._risk_book) and self._begins_nothing and lives.store.is_at_rest

    @property
    def _begins_nothing(self) -> bool:
        wishes = self._wishes
        waits = wishes.given or wishes.cancels
        return not waits and self._path.is_idle and self._desk.is_idle and self._halt.is_done

    @property
    def _is_wanting(self) -> bool:
        """Something is to be taken further, as far as the exchange is open."""
        return bool(self._wishes.given) or not self._path.is_idle or not self._desk.is_idle

    @property
    def wake_at(self) -> datetime | None:
        """When `on_step` has something to do though nothing happens; None while there is no such moment."""
        return self._desk.wake_at

    def open_day(self) -> None:
        """A trading day begins."""
        self._monitor.open_day()

    def end_session(self) -> None:
        """Time stands at the close, and what the broker reports from here on comes after the last bar of the day."""
        if self.news is not None:
            self.news.end_session()

    async def close_day(self) -> None:
        """A trading day ends: its numbers and the books go on record."""
        self._monitor.close_day()
        if self._risk_book is not None:
            self._risk_book.close_day()
        self._journal.append(self.state())
        await self._journal.durable()

    async def on_step(self, *, has_prices: bool = True) -> None:
        """The market moved: mark, watch the limits, carry out a halt, take wishes a step further.

        Args:
            has_prices: False between the end of a bar and the next prices: what was said to the bar waits for them.
        """
        if self._kill_switch.state is not self._moves.at_rest:
            self._notice_switch()
        if self._wishes.cancels:
            await self._wishes.withdraw()
        if self._orders.needs_tending:
            await self._orders.tend()
        await self._watch()
        if self._is_wanting:
            await self._go_on(releases=has_prices)

    @property
    def is_withdrawing(self) -> bool:
        """Strategies have taken orders back, and the broker was not asked for that yet."""
        return bool(self._wishes.cancels)

    async def withdraw(self) -> None:
        """Ask for the cancels that were said to the bar; a step does so, too, but may come after the next prices.

        Raises:
            JournalError: one could not be recorded; all were asked for all the same.
        """
        await self._wishes.withdraw()

    async def _go_on(self, *, releases: bool) -> None:
        """Take wishes a step further."""
        if not self._desk.is_idle:
            await self._desk.step()
        if releases and self._is_wanting and self._calendar.is_open(self._market_clock.now()):
            if self.news is not None:
                self.news.record()  # from here on what was said to it leaves
            await self._wishes.release(self._is_heard, self._stop)
            if not self._desk.is_idle:
                await self._desk.step()  # what has just begun

    async def on_watch(self) -> None:
        """The part of a step that waits for no order: mark, watch the limits, carry out a halt.

        May be called while a step waits for the broker.
        """
        self._notice_switch()
        await self._watch()

    async def _watch(self) -> None:
        self.mark_positions()
        try:
            if self._risk_book is not None:
                self._risk_book.tick()
            self._monitor.observe()
        finally:  # a halt is carried out even when it could not be told to everybody
            if self._kill_switch.state is not self._moves.at_rest and self._kill_switch.stops_something:
                await self._halt.advance()

    def on_bar(self, history: HistoryView) -> None:
        """A bar ended: ask every running strategy what it wants, and accept that."""
        answers = self.ask(history)
        self.learn(history)
        self.accept(answers)

    def ask(self, history: HistoryView, look: Callable[[], object] | None = None) -> Sequence[Answer]:
        """What running strategies say to a bar that ended, those left out that say nothing and were told nothing.

        Nothing is done about it: before it is accepted, the bar has to be learned. Bars at which nobody says anything
        may be left unlearned as long as nothing else happens.

        Args:
            look: values positions, where that was left until a strategy asks what they are worth.
        """
        known = len(history)
        self._bar += max(known - self._known_bars, 1) if self._bar else 1
        self._known_bars = known
        answers: list[Answer] = []
        for strategy in self._running:
            try:
                view = MarketView(history, self._portfolio, strategy.name, self._bar, look, self._own)
                told = None if self.news is None else self.news.tell(strategy, view, self._owners)
                wanted = strategy.on_bar(view)
                wishes = understood(strategy, wanted, self._owners) if wanted else None
            except Exception as error:  # noqa: BLE001 - a strategy may fail in any way; it is stopped and recorded
                answers.append((strategy, error))
            else:
                if told is not None:
                    answers.append((strategy, told + (wishes or [])))
                elif wishes:
                    answers.append((strategy, wishes))
        return answers

    def learn(self, history: HistoryView) -> None:
        """Bars have ended; the last one is the present one of `history`."""
        if self._risk_book is not None:
            self._risk_book.next_bar()
        self._path.see(history)
        self._desk.market.learn(history)

    def accept(self, answers: Sequence[Answer]) -> None:
        """Take up what strategies have said to the bar that was learned last; those that failed are stopped."""
        for strategy, said in answers:
            if isinstance(said, Exception):
                self._stop(strategy.name, said)
                continue
            try:
                self._wishes.accept(strategy.name, said)
            except JournalFull:
                continue  # nothing new is begun; what was begun goes on, and people have been told
        if self.news is not None and not self._wishes.given:
            self.news.record()

    def state(self) -> StateRecorded:
        """The books of this moment, for the journal: what a replay must arrive at."""
        portfolio = self._portfolio
        with portfolio.lock:
            positions = portfolio.positions
            return StateRecorded(
                at=self._clock.now(),
                open_orders={o.order_id: f"{o.status}/{o.filled}" for o in self._orders.open_orders()},
                positions={symbol: positions[symbol].quantity for symbol in sorted(positions)},
                costs={symbol: positions[symbol].cost for symbol in sorted(positions)},
                cash=portfolio.cash,
                realized_pnl=portfolio.realized_pnl,
                fees=portfolio.fees,
                halt_level=self._moves.level,  # as far as it is on record; others may have moved it just now
                orders=self._orders.count,
                fills=self._tracker.fills,
                parents=self._desk.recorded(),
            )

    def recall(self, signal: Signal, seq: int) -> None:
        """Go on with a wish of an earlier process that no order has worked on yet.

        Args:
            seq: the journal entry that recorded it.
        """
        if self._is_heard(signal.source):
            self._wishes.recall(signal, seq)

    # -- strategies ----------------------------------------------------------------------------------------------

    @property
    def strategies(self) -> dict[str, bool]:
        """Every strategy by name; False for those that are not listened to."""
        running = {strategy.name for strategy in self._running}
        return {name: name in running for name in self._strategies}

    def disarm(self, strategy: str, by: str, reason: str) -> None:
        """Listen to a strategy no more, also after a restart; what it has begun is stopped, but for exits.

        Raises:
            StrategyError: there is no such strategy.
            JournalError: it could not be recorded, and is disarmed all the same until a restart.
        """
        self._require(strategy)
        self._silence(strategy, "its strategy was disarmed")
        self._journal.append(
            StrategySwitched(at=self._clock.now(), strategy=strategy, armed=False, by=by, reason=reason)
        )

    def arm(self, strategy: str, by: str, reason: str) -> None:
        """Listen to a strategy again, one that failed included.

        Raises:
            StrategyError: there is no such strategy.
            JournalError: it could not be recorded, and stays disarmed.
        """
        self._require(strategy)
        self._journal.append(
            StrategySwitched(at=self._clock.now(), strategy=strategy, armed=True, by=by, reason=reason)
        )
        self._path.rearm(strategy)
        heard = {running.name for running in self._running} | {strategy}
        self._running = [known for name, known in self._strategies.items() if name in heard]

    def were_disarmed(self, strategies: Iterable[str]) -> None:
        """What a person disarmed before a restart stays so."""
        for name in strategies:
            if name in self._strategies:
                self._silence(name, "its strategy is disarmed")

    def _is_heard(self, strategy: str) -> bool:
        return strategy in [running.name for running in self._running]

    def _require(self, strategy: str) -> None:
        if strategy not in self._strategies:
            raise StrategyError(f"no strategy {strategy} runs here; there are {', '.join(self._strategies) or 'none'}")

    def _silence(self, strategy: str, why: str) -> None:
        self._running = [running for running in self._running if running.name != strategy]
        self._wishes.forget(strategy)
        self._desk.cancel_of(strategy, why)

    def _stop(self, strategy: str, error: Exception) -> None:
        self._silence(strategy, "its strategy was stopped")
        self._journal.append(StrategyStopped(at=self._clock.now(), strategy=strategy, error=failure(error)))

    # -- prices and the kill switch ------------------------------------------------------------------------------------

    def mark_positions(self) -> None:
        """Value what is held at the latest prices that can be believed."""
        self._marking.mark()

    def switch_was(self, halt: RecordedHalt, scoped: Iterable[RecordedHalt]) -> None:
        """Where the journal left the kill switch; whatever differs from it was done by somebody else since."""
        self._moves.begin_with((halt, *scoped))

    def _notice_switch(self) -> None:
        """Another process may have moved the switch; its move goes on record here and counts like our own."""
        for event in self._moves.unseen():
            self._journal.append(event)
            self._on_kill_switch(event)

    def _on_kill_switch(self, event: KillSwitchEvent) -> None:
        before = self._moves.level
        self._moves.saw(event)
        if not event.scope.is_account:
            if event.level:
                self._desk.cancel_covered(event.scope, f"{event.scope} is {event.level.name.lower()}: {event.reason}")
        elif event.level:
            if event.level is not before:  # what was said since is refused on record
                self._wishes.give_up()
            self._desk.halt(event.level)
        else:
            if event.accepts_loss:
                self._monitor.rebase()
            else:
                self._monitor.forgive()
            self._path.rearm()
