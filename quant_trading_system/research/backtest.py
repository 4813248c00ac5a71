"""Runs strategies over history on the real road: the same gate, order manager and books as live.

Only clock, quotes and broker are simulated. Time jumps from one thing that can happen to the next: a step of
the market, or the arrival of an order, a cancel or a report at the venue. Strategies see a bar when it has
ended, and their orders meet the market after that.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.events import RunFinished
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.market.history_view import HistoryView
from quant_trading_system.research.pay_outs import PayOuts
from quant_trading_system.research.stretches import Stretch, Stretches
from quant_trading_system.risk.correlation import RollingCorrelations
from quant_trading_system.simulation.blocks import MarketStep, StepKind
from quant_trading_system.simulation.market import SimulatedMarket
from quant_trading_system.simulation.venue import Venue
from quant_trading_system.trading.system import TradingSystem

_OPEN, _CLOSE = StepKind.OPEN, StepKind.CLOSE


class EquityPoint(NamedTuple):
    """The account at one moment.

    Attributes:
        equity, gross: dollars; `gross` is the sum of absolute position values.
    """

    at: datetime
    equity: Decimal
    gross: Decimal
    positions: int


class Progress(NamedTuple):
    """What a live view is told after every step of the market."""

    at: datetime
    done: float
    is_day_end: bool


Watcher = Callable[[Progress], Awaitable[None] | None]


class Backtest:
    """One run. Build it with `app.backtesting`, or by hand from its parts."""

    def __init__(
        self,
        *,
        run: str,
        system: TradingSystem,
        clock: ManualClock,
        market: SimulatedMarket,
        venue: Venue,
        history: PriceHistory,
        correlations: RollingCorrelations,
        watch: Watcher | None = None,
        watch_days: Watcher | None = None,
        speaking: NDArray[np.bool_] | None = None,
        pay_outs: PayOuts | None = None,
    ) -> None:
        """Join the parts.

        Args:
            watch: called after every step of the market, none of which is passed over then.
            watch_days: called at the close of every session, which costs nothing.
            speaking: the bars at which a strategy may say something, bool [bars]; None when all must be asked always.
            pay_outs: what becomes of holdings whose prices have ended; None holds them on at their last price.
        """
        self._run = run
        self._system = system
        self._clock = clock
        self._market = market
        self._venue = venue
        self._history = history
        self._correlations = correlations
        self._watch = watch
        self._watch_days = watch_days
        self._pay_outs = pay_outs
        self._stretches = Stretches(market, clock, venue, system.portfolio, system.monitor)
        self._speaking = None if watch is not None else speaking
        self._known_bar = market.finished_bars - 1
        self._first_bar = market.finished_bars
        self._has_prices = True
        self.curve: list[EquityPoint] = []

    async def run(self) -> None:
        """Walk through the whole history; `curve` grows by one point a day, at its close."""
        while (due := self._market.next_at) is not None:
            await self._run_venue_until(due)  # first, so that nothing on its way meets prices of the future
            if await self._pass_over():
                continue
            self._clock.move_to(due)
            step = self._market.advance()
            if step is not None:
                await self._take(step)
        while (due := self._venue.next_event_at()) is not None:
            await self._run_venue_until(due)  # the last reports
        await self._finish()

    async def _take(self, step: MarketStep) -> None:
        """One step of the market: venue, engine, and at the end of a bar the strategies."""
        engine = self._system.engine
        self._has_prices = True
        self._follow_step(step)
        await engine.on_step()
        has_moved = await self._run_venue_until(step.at)
        if step.kind is _CLOSE:
            has_moved |= bool(self._venue.symbols_with_orders())  # the auction fills them, and may report at once
            engine.end_session()
            self._venue.close_session(step.at)
            has_moved |= await self._run_venue_until(step.at)
        if step.ends_bar:
            if has_moved:
                engine.mark_positions()  # what was bought just now is worth the last price, not what it has cost
            self._correlations.next_bar()
            self._known_bar = step.bar
            engine.on_bar(HistoryView(self._history, step.bar))
            self._has_prices = False
            if engine.is_withdrawing:
                await engine.withdraw()  # before the next prices
        if step.kind is _CLOSE:
            await self._end_day(step.at)
            await self._tell(step, self._watch_days)
        await self._tell(step, self._watch)

    async def _pass_over(self) -> bool:
        """Go through a stretch of the market in which only strategies are asked; False without one."""
        stretch = self._stretches.next(self._system.orders.lives.quiet_until) if self._is_quiet else None
        if stretch is None:
            return False
        engine = self._system.engine
        for row, bar in stretch.bar_ends(self._speaking):
            view = HistoryView(self._history, bar)
            answers = engine.ask(view, partial(self._look, stretch, row))
            if answers:
                self._clock.move_to(stretch.block.at(row))
                self._learn(view, bar)
                engine.accept(answers)
                self._has_prices = False
                if not engine.is_quiet:
                    self._arrive(stretch, row, looks=engine.is_withdrawing or not stretch.is_sound(row + 1))
                    if engine.is_withdrawing:
                        await engine.withdraw()
                    return True
        self._arrive(stretch, stretch.end - 1, looks=not stretch.is_valued_by_next)
        return True

    @property
    def _is_quiet(self) -> bool:
        """Engine and venue do nothing until prices reach an order, and nobody wants to hear of every step."""
        return self._watch is None and self._venue.next_event_at() is None and self._system.engine.is_quiet

    def _look(self, stretch: Stretch, row: int) -> None:
        """Value positions at a step of the stretch; everything before it has been passed over."""
        self._clock.move_to(stretch.block.at(row))
        if self._market.row != row:
            self._market.leap(row)
            self._system.engine.mark_positions()

    def _learn(self, view: HistoryView, bar: int) -> None:
        """Let everybody know the bars up to this one."""
        self._known_bar = bar
        self._correlations.next_bar()
        self._system.engine.learn(view)

    def _arrive(self, stretch: Stretch, row: int, *, looks: bool = True) -> None:
        """Be at a step of the stretch as if every step up to it had been taken.

        Args:
            looks: value positions; only the next step, if it is taken by itself, can do without.
        """
        latest = stretch.last_bar(row)
        if latest > self._known_bar:
            self._learn(HistoryView(self._history, latest), latest)
        if looks:
            self._look(stretch, row)
        else:
            self._clock.move_to(stretch.block.at(row))
            if self._market.row != row:
                self._market.leap(row)
        if self._venue.symbols_with_orders():
            self._venue.pass_over(self._market.paths(stretch.begin, row + 1))
            self._show_quotes()
        monitor = self._system.monitor
        span = 2 * float(monitor.limits.rapid_loss_window_s)
        monitor.went_through(stretch.highest(row + 1), stretch.latest(row, span, self._clock))

    def _follow_step(self, step: MarketStep) -> None:
        """Give the venue the session and the quotes that its orders need."""
        if step.kind is _OPEN:
            self._system.engine.open_day()
            if self._pay_outs is not None:
                self._pay_outs.session_opens(step.bar)
            self._venue.open_session(step.at)
        if self._venue.symbols_with_orders():
            self._system.engine.mark_positions()  # a report may come at once, and is judged at the prices of its step
        self._show_quotes()

    def _show_quotes(self) -> None:
        for symbol in self._venue.symbols_with_orders():
            quote = self._market.quote(symbol)
            if quote is not None:
                self._venue.on_quote(quote, self._market.volume(symbol))

    async def _run_venue_until(self, moment: datetime) -> bool:
        """Let everything that is on its way arrive, in time; the engine acts on each arrival, and when it wakes up.

        What it is woken for at `moment` itself waits for the prices of that moment.

        Returns:
            Whether there was anything.
        """
        engine, has_moved = self._system.engine, False
        while (due := self._next_due(moment)) is not None:
            due = max(due, self._clock.now())
            self._clock.move_to(due)
            if engine.wake_at is not None:  # parents look at the market between its steps, too
                self._market.stand_still(due)
            self._venue.run_until(due)
            if not engine.is_idle:
                await engine.on_step(has_prices=self._has_prices)
            has_moved = True
        return has_moved

    def _next_due(self, moment: datetime) -> datetime | None:
        event, wake = self._venue.next_event_at(), self._system.engine.wake_at
        if event is not None and event > moment:
            event = None
        if wake is not None and wake >= moment:
            wake = None
        return _earlier(event, wake)

    async def _end_day(self, moment: datetime) -> None:
        portfolio = self._system.portfolio
        positions = portfolio.positions
        gross = sum((abs(position.market_value) for position in positions.values()), ZERO)
        self.curve.append(EquityPoint(moment, portfolio.equity, gross, len(positions)))
        await self._system.engine.close_day()

    async def _tell(self, step: MarketStep, watch: Watcher | None) -> None:
        if watch is None:
            return
        share = (step.bar + 1 - self._first_bar) / (len(self._history) - self._first_bar)
        answer = watch(Progress(step.at, share, step.kind is _CLOSE))
        if answer is not None:
            await answer

    async def _finish(self) -> None:
        system, journal = self._system, self._system.ports.journal
        journal.append(system.engine.state())
        journal.append(
            RunFinished(at=self._clock.now(), run=self._run, orders=system.orders.count, fills=system.tracker.fills)
        )
        await journal.durable()


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min(one, other) if one is not None and other is not None else one or other
