"""What losses count from: the starts of day, week and month, the peak, and the high of the last minutes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal

from quant_trading_system.core.clock import Clock
from quant_trading_system.core.numbers import ONE
from quant_trading_system.risk.portfolio import Portfolio
from quant_trading_system.risk.second_marks import AgreedEquity, SettledEquity
from quant_trading_system.risk.triggers import RecentHigh


class LossBases:
    """Looks at equity, and remembers the highs of what it has seen.

    Attributes:
        doubts_single_prices: highs are what two looks agree on.
    """

    def __init__(self, portfolio: Portfolio, clock: Clock, quoted_at: Callable[[], Mapping[str, datetime]]) -> None:
        """Look at `portfolio`.

        Args:
            quoted_at: when the quotes are from by which positions are marked now, by symbol.
        """
        self.doubts_single_prices = False
        self._portfolio = portfolio
        self._clock = clock
        self._quoted_at = quoted_at
        self._high = RecentHigh(ONE)
        self._agreed: AgreedEquity | None = None
        self._settled: SettledEquity | None = None

    def look_back(self, span_s: Decimal) -> None:
        """The last minutes are so many seconds from now on."""
        self._high.look_back(span_s)

    def doubt_single_prices(self) -> None:
        """From now on highs are what two looks agree on, and what a day begins and ends with is the middle of three."""
        self.doubts_single_prices = True
        self._agreed = AgreedEquity(self._clock, self._quoted_at)
        self._settled = SettledEquity(self._clock, self._quoted_at)

    @property
    def are_settled(self) -> bool:
        """What the account is worth now is known by more than one price, where single prices are doubted."""
        return self._settled is None or self._settled.is_known

    def worth(self) -> Decimal:
        """Equity as it can be remembered for a day."""
        with self._portfolio.lock:
            equity, flows = self._portfolio.equity, self._portfolio.flows
        return equity if self._settled is None else self._settled.now(equity - flows) + flows

    def see(self) -> tuple[Decimal, tuple[Decimal, ...]]:
        """Equity and what losses count from, the order of the loss triggers; no bases while equity is not known."""
        portfolio = self._portfolio
        with portfolio.lock:
            equity = portfolio.equity
            if portfolio.unmarked:
                return equity, ()
            flows = portfolio.flows
            lasting = equity - flows
            if self._settled is not None:
                self._settled.see(lasting)
            if self._agreed is not None:
                lasting = self._agreed.see(lasting, portfolio.peak_equity - flows)
            if lasting + flows > portfolio.peak_equity:
                portfolio.peak_equity = lasting + flows
            high = self._high.see(self._clock.monotonic(), lasting) + flows
            return equity, (
                portfolio.day_start_equity,
                portfolio.week_start_equity,
                portfolio.month_start_equity,
                portfolio.peak_equity,
                high,
            )

    @property
    def are_still(self) -> bool:
        """The latest `see` has made no high of the last minutes, and come to no other part of them."""
        return self._high.is_still

    def rest(self, equity: Decimal) -> tuple[float, Decimal]:
        """After `see`: until when (seconds of the monotonic clock) seeing more would change nothing, and up to where.

        Where single prices are doubted, that is this very `equity`, in dollars.
        """
        until, highest = self._high.rest
        if self._agreed is None or self._settled is None:
            return until, min(highest + self._portfolio.flows, self._portfolio.peak_equity)
        return min(until, self._agreed.next_look_at, self._settled.next_look_at), equity

    def went_through(self, highest: Decimal, latest: Iterable[tuple[float, Decimal]]) -> None:
        """Equity has been up to `highest`, lately at these moments at so many dollars; the caller holds the lock."""
        portfolio = self._portfolio
        portfolio.peak_equity = max(portfolio.peak_equity, highest)
        for at, equity in latest:
            self._high.see(at, equity - portfolio.flows)

    def recall(self, at: datetime, equity: Decimal) -> None:
        """The account was worth so much when an earlier process looked last; the caller holds the lock."""
        ago = max((self._clock.now() - at).total_seconds(), 0)
        self._high.see(self._clock.monotonic() - ago, equity - self._portfolio.flows)

    def forget(self) -> None:
        """Losses that were accepted: the high of the last minutes begins anew."""
        self._high.forget()
