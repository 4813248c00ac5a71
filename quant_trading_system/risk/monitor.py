"""Watches the account and trips the kill switch: daily loss, drawdown, losing streak.

A limit trips only beyond it, compared exactly. Peak equity, the day's opening equity and the streak live in
the journal with every `RiskEvent`, so a restart does not forget them; only a person's reset begins anew.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.clock import Clock
from quant_trading_system.core.events import HaltTrigger, RiskEvent, RiskEventKind
from quant_trading_system.core.numbers import ZERO, plain
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.risk.portfolio import Portfolio

_SIX = Decimal("1E-6")


class RiskMonitor:
    """Keeps the baselines of the portfolio and compares them with the limits after every mark and fill.

    Attributes:
        opened_at: when the latest trading day was opened; None before the first.
    """

    def __init__(
        self,
        *,
        limits: RiskLimits,
        portfolio: Portfolio,
        kill_switch: KillSwitch,
        clock: Clock,
        emit: Callable[[RiskEvent], None],
    ) -> None:
        """Watch `portfolio`; `emit` puts risk events on record."""
        self.opened_at: datetime | None = None
        self.limits = limits
        self._portfolio = portfolio
        self._kill_switch = kill_switch
        self._clock = clock
        self._emit = emit

    def open_day(self) -> None:
        """A trading day begins: its profit and loss counts from the last close, or from now when that is not known."""
        self.opened_at = self._clock.now()
        portfolio = self._portfolio
        with portfolio.lock:
            closing = portfolio.closing_equity
            portfolio.day_start_equity = portfolio.equity if closing is None else closing
            portfolio.closing_equity = None
        self._emit(self.numbers(RiskEventKind.DAY_OPENED))

    def close_day(self) -> None:
        """A trading day ends; puts its numbers on record."""
        with self._portfolio.lock:
            self._portfolio.closing_equity = self._portfolio.equity
        self._emit(self.numbers(RiskEventKind.DAY_CLOSED))

    def observe(self) -> None:
        """Compare the account with its loss limits; call after marks and fills."""
        portfolio = self._portfolio
        with portfolio.lock:
            if portfolio.unmarked:
                return  # equity is not known before every position has a price
            equity = portfolio.equity
            if equity > portfolio.peak_equity:
                portfolio.peak_equity = equity
            daily_loss = portfolio.day_start_equity - equity
            drawdown = portfolio.peak_equity - equity
            daily_limit = self.limits.max_daily_loss_pct * portfolio.day_start_equity
            drawdown_limit = self.limits.max_drawdown_pct * portfolio.peak_equity
        if daily_loss > daily_limit:
            self._trip(HaltTrigger.DAILY_LOSS, "max_daily_loss_pct", daily_loss, daily_limit)
        if drawdown > drawdown_limit:
            self._trip(HaltTrigger.DRAWDOWN, "max_drawdown_pct", drawdown, drawdown_limit)

    def recalculated(self, order_id: str) -> None:
        """Put the numbers after a fill of `order_id` on record."""
        self._emit(self.numbers(RiskEventKind.RECALCULATED, order_id=order_id))

    def round_trip_closed(self, profit: Decimal) -> None:
        """Count a closed position: `profit` in dollars after fees; below zero extends the streak."""
        portfolio = self._portfolio
        with portfolio.lock:
            streak = portfolio.losing_streak + 1 if profit < 0 else 0
        self.restated(streak)

    def restated(self, streak: int) -> None:
        """A correction changed how many losing round trips end the row; more of them than allowed trip the switch."""
        portfolio = self._portfolio
        with portfolio.lock:
            portfolio.losing_streak = streak
        limit = self.limits.max_consecutive_losses
        if streak > limit:
            self._trip(HaltTrigger.LOSING_STREAK, "max_consecutive_losses", Decimal(streak), Decimal(limit))

    def rebase(self) -> None:
        """A person accepted the loss by a reset: peak and day start begin at today's equity, the streak at zero."""
        portfolio = self._portfolio
        with portfolio.lock:
            portfolio.peak_equity = portfolio.day_start_equity = portfolio.equity
            portfolio.closing_equity = None
            portfolio.losing_streak = 0
            portfolio.trips.forgive()
        self._emit(self.numbers(RiskEventKind.REBASED))

    def restore(
        self,
        *,
        peak_equity: Decimal,
        day_start_equity: Decimal,
        losing_streak: int,
        opened_at: datetime | None = None,
        closing_equity: Decimal | None = None,
    ) -> None:
        """Take up the baselines that the journal last recorded; a restart forgives nothing."""
        portfolio = self._portfolio
        with portfolio.lock:
            portfolio.peak_equity = peak_equity
            portfolio.day_start_equity = day_start_equity
            portfolio.losing_streak = losing_streak
            portfolio.closing_equity = closing_equity
            self.opened_at = opened_at

    def numbers(self, reason: RiskEventKind, **extra: object) -> RiskEvent:
        """The risk numbers of this moment."""
        portfolio = self._portfolio
        with portfolio.lock:
            equity, peak = portfolio.equity, portfolio.peak_equity
            return RiskEvent(
                at=self._clock.now(),
                reason=reason,
                equity=equity,
                day_start_equity=portfolio.day_start_equity,
                peak_equity=peak,
                daily_pnl=portfolio.daily_pnl,
                current_drawdown=(max(peak - equity, ZERO) / peak).quantize(_SIX) if peak > 0 else ZERO,
                losing_streak=portfolio.losing_streak,
                **extra,  # type: ignore[arg-type]  # keyword fields of RiskEvent, given by the callers in this class
            )

    def _trip(self, trigger: HaltTrigger, rule: str, actual: Decimal, limit: Decimal) -> None:
        state = self._kill_switch.state
        if self._kill_switch.is_active() and rule in state.numbers:
            return
        event = self.numbers(RiskEventKind.LIMIT_BREACHED, rule=rule, actual=actual, limit=limit)
        try:
            self._kill_switch.activate(
                f"{rule}: {plain(actual)} is beyond the limit of {plain(limit)}",
                level=self.limits.halt_level,
                trigger=trigger,
                activated_by="risk monitor",
                numbers={rule: plain(actual), f"{rule}_limit": plain(limit), "equity": plain(event.equity)},
            )
        finally:
            self._emit(event)  # stopping comes first; the record of why may fail
