"""Watches the account and trips the kill switch: losses, streaks, refusals, slippage, silence.

The table `TRIGGERS` lists what it looks at. A limit trips only beyond it, compared exactly; from a share of it on
(`warn_at_share`) people are warned first. Peak equity, what day, week and month opened with, and the streak live in
the journal with every `RiskEvent`, so a restart does not forget them; only a person's reset begins anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from operator import mul

import msgspec

from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.clock import Clock
from quant_trading_system.core.events import HaltLevel, RiskEvent, RiskEventKind
from quant_trading_system.core.numbers import ZERO, plain
from quant_trading_system.risk.agreement import Agreement
from quant_trading_system.risk.calm_look import CalmLook, Facts
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.risk.loss_bases import LossBases
from quant_trading_system.risk.order_quality import OrderQuality
from quant_trading_system.risk.portfolio import Portfolio
from quant_trading_system.risk.risk_numbers import risk_numbers
from quant_trading_system.risk.second_marks import SecondMarks
from quant_trading_system.risk.triggers import LOSSES, STREAK, TRIGGERS, Answer, Measure, are_known, losses_from, near

_SIX = Decimal("1E-6")


class RiskMonitor:
    """Keeps the baselines of the portfolio and compares them with the limits after every mark and fill.

    Attributes:
        limits: what it compares with.
        opened_at: when the latest trading day was opened; None before the first.
        stress_loss: dollars that the worst stress scenario would cost, as last measured.
        feed_silence: seconds since the latest quote of any symbol held, while the exchange is open; 0 otherwise.
        clock_behind: seconds by which the latest quotes' stamps lie ahead of our clock, at least 0.
    """

    def __init__(
        self,
        *,
        limits: RiskLimits,
        portfolio: Portfolio,
        kill_switch: KillSwitch,
        clock: Clock,
        emit: Callable[[RiskEvent], object],
        market_clock: Clock | None = None,
        agreement: Agreement | None = None,
        quoted_at: Callable[[], Mapping[str, datetime]] = dict,
    ) -> None:
        """Watch `portfolio`; `emit` puts risk events on record.

        Args:
            clock: stamps them; market_clock: what time it is on the market, the same by default.
            agreement: what reconciliation has found; without one the broker is never missed.
            quoted_at: when the quotes are from by which positions are marked now, by symbol.
        """
        self.opened_at: datetime | None = None
        self.stress_loss = self.feed_silence = self.clock_behind = ZERO
        self._portfolio = portfolio
        self._kill_switch = kill_switch
        self._clock, self._market_clock = clock, market_clock or clock
        self._emit = emit
        self._agreement = agreement or Agreement()
        self._orders = OrderQuality(limits)
        self._bases = LossBases(portfolio, self._market_clock, quoted_at)
        self._differences = (ZERO, ZERO)
        self._lost_since: float | None = None
        self._warned: set[str] = set()
        self._calm = CalmLook()
        self._second_marks = SecondMarks(self._market_clock, quoted_at)
        self.use_limits(limits)

    def use_limits(self, limits: RiskLimits) -> None:
        """Compare with these from the next `observe` on; whoever swaps them holds the portfolio's lock."""
        self.limits = limits
        self._bases.look_back(limits.rapid_loss_window_s)
        self._orders.use_limits(limits)
        self._near = near(limits)
        self._judged_bases: tuple[Decimal, ...] = ()
        self._far_from = ZERO
        self._calm.forget()

    def doubt_single_prices(self) -> None:
        """From now on highs are what two looks agree on, and what a day begins and ends with is the middle of three.

        Recorded prices can be believed at once.
        """
        self._bases.doubt_single_prices()
        self._calm.forget()

    @property
    def can_open_day(self) -> bool:
        """What the day begins with is known: the last close, or what the account is worth by more than one price."""
        return self._portfolio.closing_equity is not None or self._bases.are_settled

    # -- days ----------------------------------------------------------------------------------------------------

    def open_day(self) -> None:
        """A trading day begins: its profit and loss counts from the last close, or from now when that is not known.

        The first day of a calendar week or month opens that as well.
        """
        before, now = self.opened_at, self._market_clock.now()
        self.opened_at = now
        self._warned.clear()
        self._portfolio.begin_day(before, now, self._bases.worth())
        self._emit(risk_numbers(self._portfolio, now, RiskEventKind.DAY_OPENED))

    def close_day(self) -> None:
        """A trading day ends; puts its numbers on record."""
        with self._portfolio.lock:
            closing = self._portfolio.closing_equity = self._bases.worth()
        self._emit(msgspec.structs.replace(self.numbers(RiskEventKind.DAY_CLOSED), equity=closing))

    def close_missed_day(self, equity: Decimal) -> None:
        """A trading day ended while no process ran, with the `equity` recorded last; the next one counts from there."""
        with self._portfolio.lock:
            self._portfolio.closing_equity = equity
        self._emit(msgspec.structs.replace(self.numbers(RiskEventKind.DAY_CLOSED), equity=equity))

    def answered(self, answer: Answer) -> None:
        """Count how the broker answered an order; it is judged at the next `observe`."""
        self._calm.forget()
        self._orders.answered(answer, self._clock.monotonic())

    def slipped(self, cost: Decimal, value: Decimal) -> None:
        """Count one fill of a market order; it is judged at the next `observe`.

        Args:
            cost: dollars beyond the side of the quote that the gate saw, positive when it hurt.
            value: dollars at that quote.
        """
        self._calm.forget()
        self._orders.slippage.add(cost, value)

    def compare_equity(self, theirs: Decimal) -> None:
        """The broker says what the account is worth, dollars; the smaller difference of two such looks is judged."""
        with self._portfolio.lock:
            ours = self._portfolio.equity
            if self._portfolio.unmarked or ours <= 0:
                return
        self._differences = (self._differences[1], (abs(theirs - ours) / ours).quantize(_SIX))

    def recalculated(self, order_id: str) -> None:
        """Put the numbers after a fill of `order_id` on record."""
        self._emit(self.numbers(RiskEventKind.RECALCULATED, order_id=order_id))

    def round_trip_closed(self, profit: Decimal) -> None:
        """Count a closed position: `profit` in dollars after fees; below zero extends the streak.

        The caller holds the portfolio's lock.
        """
        self.restated(self._portfolio.losing_streak + 1 if profit < ZERO else 0)

    def restated(self, streak: int) -> None:
        """So many losing round trips end the row now; more of them than allowed trip the switch.

        The caller holds the portfolio's lock.
        """
        self._portfolio.losing_streak = streak
        if streak > self._near.streak:
            self._judge(self._streak())

    def observe(self) -> None:
        """Compare the account with its limits; call after marks and fills.

        A look that would find and leave what the calm one before it has is left out (see `CalmLook`). That is decided
        without the lock: whoever is just booking something in another thread observes it himself.
        """
        portfolio = self._portfolio
        facts = (
            portfolio.losing_streak,
            portfolio.flows,
            portfolio.day_start_equity,
            portfolio.week_start_equity,
            portfolio.month_start_equity,
            self.feed_silence,
            self.clock_behind,
            self.stress_loss,
            self._differences,
            self._lost_since,
            self._agreement.broker_lost,
            portfolio.peak_equity,
        )
        calm = self._calm
        is_same = facts == calm.facts
        if (
            is_same
            and calm.lowest <= portfolio.cash + portfolio.market_value <= calm.highest
            and self._clock.monotonic() < calm.until
        ):
            return
        if is_same or self._is_calm_apart_from_losses():
            equity, bases = self._see()
            if self._are_far(equity, bases):
                self._second_marks.forget_all()
                self._remember_calm(facts, equity, again=is_same and bool(bases) and self._bases.are_still)
                return
        for measure in self.measures():
            self._judge(measure)

    def _remember_calm(self, facts: Facts, equity: Decimal, *, again: bool) -> None:
        """This look was calm by `facts`; when all of it was so before, work out how far the calm goes."""
        peak = self._portfolio.peak_equity
        self._calm.found(facts if facts[-1] is peak else (*facts[:-1], peak))
        if again:
            is_exact = self._bases.doubts_single_prices or self.stress_loss  # and holds for this very equity
            until, highest = self._bases.rest(equity)
            self._calm.reaches(until, *((equity, equity) if is_exact else (self._far_from, highest)))

    def _is_calm_apart_from_losses(self) -> bool:
        near = self._near
        if not self._orders.is_calm or self._agreement.broker_lost or self._lost_since is not None:
            return False
        if self.feed_silence > near.silence or self.clock_behind > near.skew:
            return False
        if self._portfolio.losing_streak > near.streak:
            return False
        one, other = self._differences
        return one <= near.difference or other <= near.difference

    def _are_far(self, equity: Decimal, bases: tuple[Decimal, ...]) -> bool:
        """No loss is near its limit, and neither is that of the worst stress."""
        if self.stress_loss and self.stress_loss > self._near.stress * equity:
            return False
        if bases != self._judged_bases:
            self._judged_bases, self._far_from = bases, max(map(mul, self._near.floors, bases), default=ZERO)
        return equity >= self._far_from or not bases  # no bases while equity is not known

    def stays_calm(self, lowest: Decimal, highest: Decimal) -> bool:
        """`observe` would do nothing while equity moves between these dollars; tell `went_through` afterwards."""
        with self._portfolio.lock:
            if self._bases.doubts_single_prices or self._portfolio.unmarked:
                return False
            day, week, month, peak, high = self._see()[1]
            bases = (day, week, month, max(peak, highest), max(high, highest))
            if self._is_calm_apart_from_losses() and self._are_far(lowest, bases):
                return True
            if self._orders.are_ageing or self._agreement.broker_lost:
                return False
            worst = self._measures_at(lowest, bases)
            best = self._measures_at(highest, (*bases[:-1], highest))  # the high of the last minutes comes down
            state = self._kill_switch.state
            tripped = state.numbers if state.level >= self.limits.halt_level else ()
            return are_known(worst, best, self.limits.warn_at_share, tripped, self._warned)

    def went_through(self, highest: Decimal, latest: Iterable[tuple[float, Decimal]]) -> None:
        """Equity has moved without `observe` being called, as `stays_calm` had allowed.

        Args:
            highest: dollars on the way.
            latest: moments (seconds of the monotonic clock, rising) and dollars, for at least the window of rapid
                losses; those that a later one reaches may be left out.
        """
        with self._portfolio.lock:
            self._calm.forget()
            self._bases.went_through(highest, latest)
        self._second_marks.forget_all()

    def measures(self) -> tuple[Measure, ...]:
        """Where every trigger stands that can be measured now, in the order of `TRIGGERS`.

        Losses are left out while a position has no price, averages and rates before there is enough to average.
        """
        return self._measures_at(*self._see())

    def _measures_at(self, equity: Decimal, bases: tuple[Decimal, ...]) -> tuple[Measure, ...]:
        """The same if the account were worth so much, and losses counted from these `bases`."""
        others = (self._streak(), *self._orders.measures(self._clock.monotonic()), *self.silences(equity))
        return (*losses_from(self.limits, equity, bases), *others)

    def _see(self) -> tuple[Decimal, tuple[Decimal, ...]]:
        self._calm.forget()  # highs move
        return self._bases.see()

    def _streak(self) -> Measure:
        return Measure(STREAK, Decimal(self._portfolio.losing_streak), Decimal(self.limits.max_consecutive_losses))

    def silences(self, equity: Decimal | None = None) -> tuple[Measure, ...]:
        """How long prices and the broker have been missing, and how far our clock is behind; with `equity` as now."""
        limits, now = self.limits, self._clock.monotonic()
        equity = self._portfolio.equity if equity is None else equity
        if not self._agreement.broker_lost:
            self._lost_since = None
        elif self._lost_since is None:
            self._lost_since = now
        lost = ZERO if self._lost_since is None else Decimal(int(now - self._lost_since))
        return (
            Measure(_STRESS, self.stress_loss, limits.max_stress_loss_pct * max(equity, ZERO)),
            Measure(_EQUITY, min(self._differences), limits.max_equity_difference_pct),
            Measure(_FEED, self.feed_silence, limits.max_feed_silence_s),
            Measure(_CLOCK, self.clock_behind, limits.max_clock_skew_s),
            Measure(_BROKER, lost, limits.max_broker_silence_s),
        )

    def _judge(self, measure: Measure) -> None:
        if measure.is_beyond:
            self._trip(measure)
            if measure.trigger in LOSSES:
                self._close_if_confirmed(measure)
            return
        self._second_marks.forget(measure.trigger.rule)
        if measure.actual > measure.limit * self.limits.warn_at_share:
            rule = measure.trigger.rule
            if rule not in self._warned:
                self._warned.add(rule)
                self._tell(RiskEventKind.LIMIT_NEARED, measure)

    def _trip(self, measure: Measure) -> None:
        rule, actual, limit = measure.trigger.rule, measure.actual, measure.limit
        state = self._kill_switch.state
        if self._kill_switch.is_active() and rule in state.numbers:
            return
        equity = self._portfolio.equity
        # a broken line or clock is no reason to trade
        most = HaltLevel.FLATTENING if measure.trigger is STREAK else HaltLevel.HALTED
        level = measure.trigger.level or min(self.limits.halt_level, most)
        try:
            self._kill_switch.activate(
                f"{rule}: {plain(actual)} is beyond the limit of {plain(limit)}",
                level=level,
                trigger=measure.trigger.halt,
                activated_by="risk monitor",
                numbers={rule: plain(actual), f"{rule}_limit": plain(limit), "equity": plain(equity)},
            )
        finally:
            self._tell(RiskEventKind.LIMIT_BREACHED, measure)  # stopping comes first; the record of why may fail

    def _close_if_confirmed(self, measure: Measure) -> None:
        """A loss that marks show halts at once; it closes positions only when later marks show it, too."""
        level, rule = self.limits.halt_level, measure.trigger.rule
        if level is HaltLevel.FLATTENING and self._kill_switch.level < level and self._second_marks.confirm(rule):
            why = f"{rule}: {plain(measure.actual)} is beyond {plain(measure.limit)}, confirmed by second marks"
            self._kill_switch.activate(why, level=level, trigger=measure.trigger.halt, activated_by="risk monitor")

    def _tell(self, kind: RiskEventKind, measure: Measure) -> None:
        self._emit(self.numbers(kind, measure))

    def forgive(self) -> None:
        """Persons reset the switch: streaks and windows begin anew, losses of money count on."""
        self._portfolio.forgive_streak()
        self._begin_windows(RiskEventKind.STREAK_FORGIVEN)

    def _begin_windows(self, why: RiskEventKind) -> None:
        self._calm.forget()
        self._orders.forget()
        self._warned.clear()
        self._second_marks.forget_all()
        self._emit(self.numbers(why))

    def rebase(self) -> None:
        """The loss was accepted with a reset: losses count from today's equity, streaks and windows from nothing."""
        self._portfolio.begin_anew(self._bases.worth())
        self._bases.forget()
        self._begin_windows(RiskEventKind.REBASED)

    def restore(
        self,
        *,
        peak_equity: Decimal,
        day_start_equity: Decimal,
        losing_streak: int,
        week_start_equity: Decimal = ZERO,
        month_start_equity: Decimal = ZERO,
        opened_at: datetime | None = None,
        closing_equity: Decimal | None = None,
        last_seen: tuple[datetime, Decimal] | None = None,
    ) -> None:
        """Take up the baselines that the journal last recorded; a restart forgives nothing.

        Args:
            week_start_equity, month_start_equity: 0 where an old journal does not know them; the day's then.
            last_seen: when the account was last looked at and its equity; what was lost since may be a rapid loss.
        """
        portfolio = self._portfolio
        with portfolio.lock:
            portfolio.peak_equity = peak_equity
            portfolio.day_start_equity = day_start_equity
            portfolio.week_start_equity = week_start_equity or day_start_equity
            portfolio.month_start_equity = month_start_equity or day_start_equity
            portfolio.losing_streak = losing_streak
            portfolio.closing_equity = closing_equity
            self.opened_at = opened_at
            self._calm.forget()
            if last_seen is not None:
                self._bases.recall(*last_seen)

    def numbers(self, reason: RiskEventKind, measure: Measure | None = None, order_id: str = "") -> RiskEvent:
        """The risk numbers of this moment, with the measure or the order that is the reason."""
        return risk_numbers(self._portfolio, self._clock.now(), reason, measure, order_id)


_STRESS, _EQUITY, _FEED, _CLOCK, _BROKER = TRIGGERS[-5:]
