"""What execution algorithms are told of the market: sound quotes, sessions, and what others trade."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.clock import Clock
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.core.parent_events import MarketSeen
from quant_trading_system.execution.algo.advice import USUAL_PROFILE
from quant_trading_system.execution.algo.parent import ParentState
from quant_trading_system.execution.algo.profile import VolumeProfile, recent_profile
from quant_trading_system.execution.algo.wishes import MarketFacts
from quant_trading_system.market.daily_numbers import DailyNumbers, average_volume, daily_numbers
from quant_trading_system.market.history_view import HistoryView
from quant_trading_system.market.quotes import Quote, QuoteSource, VolumeSource
from quant_trading_system.market.sessions import Calendar, Session

Touch = tuple[Decimal, Decimal]
"""Bid and ask, dollars a share."""


class Baseline(NamedTuple):
    """Where the market's volume stood when a parent began (or was taken up), and what the parent had seen by then.

    Attributes:
        printed: of the source; `before`: shares that others traded before it, zero unless it was taken up.
        filled: by the parent, by then.
    """

    printed: Decimal
    before: Decimal
    filled: Decimal


class AlgoMarket:
    """One market for all parents.

    Attributes:
        now: what time it is for their schedules, aware, UTC.
    """

    def __init__(
        self,
        *,
        quotes: QuoteSource,
        calendar: Calendar,
        limits: RiskLimits,
        clock: Clock,
        volumes: VolumeSource | None = None,
        is_halted: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """Collect what is asked.

        Args:
            clock: tells what time it is on the market.
            volumes: what the market trades; without one no algorithm can follow or respect volume.
            is_halted: trading of a symbol is halted.
        """
        self._quotes = quotes
        self._calendar = calendar
        self.use_limits(limits)
        self._clock = clock
        self.now = clock.now
        self._volumes = volumes
        self._is_halted = is_halted
        self._history: HistoryView | None = None
        self._profiles: tuple[date | None, dict[str, VolumeProfile]] = (None, {})
        self._usual: dict[str, Decimal | None] = {}
        self._next: tuple[datetime, Session | None] = clock.now(), None

    def use_limits(self, limits: RiskLimits) -> None:
        """Look at quotes by other limits from now on."""
        self._limits = limits
        self._max_age = timedelta(microseconds=int(limits.max_quote_age_s * 1_000_000))

    def learn(self, history: HistoryView) -> None:
        """A bar has ended."""
        self._history = history
        self._usual.clear()

    def numbers(self, symbol: str) -> DailyNumbers:
        """Average daily volume and volatility as far as the finished bars tell."""
        return DailyNumbers() if self._history is None else daily_numbers(self._history, symbol)

    def profile(self, symbol: str) -> VolumeProfile:
        """How the volume of a day is spread: as on recent days where intraday bars tell, else as usual."""
        history = self._history
        if history is None:
            return USUAL_PROFILE
        if self._profiles[0] != history.date:
            self._profiles = history.date, {}
        profiles = self._profiles[1]
        if symbol not in profiles:
            profiles[symbol] = recent_profile(history, symbol, self._calendar) or USUAL_PROFILE
        return profiles[symbol]

    def average_volume(self, symbol: str) -> Decimal | None:
        """Average shares a day, looked up once a bar; None while unknown."""
        if symbol not in self._usual:
            self._usual[symbol] = None if self._history is None else average_volume(self._history, symbol)
        return self._usual[symbol]

    def last_close(self, symbol: str) -> Decimal | None:
        """Dollars a share at the end of the last bar, on which strategies decide; None while unknown."""
        history = self._history
        if history is None or symbol not in history.symbols or not history.has_bar(symbol):
            return None
        return history.close(symbol)

    def quote(self, symbol: str) -> Quote | None:
        """The quote, provided that the gate would believe it: sound, fresh, and not too wide."""
        quote = self._quotes.quote(symbol)
        if quote is None or quote.flaw or self._clock.now() - min(quote.at, quote.received_at) > self._max_age:
            return None
        return quote if quote.ask - quote.bid <= self._limits.max_spread_pct * quote.mid else None

    def touch(self, symbol: str) -> Touch | None:
        """Bid and ask of a quote that can be relied on."""
        quote = self.quote(symbol)
        return None if quote is None else (quote.bid, quote.ask)

    def session(self) -> Session | None:
        """The session in progress, or the next one."""
        now = self.now()
        session = self._calendar.session_at(now)
        if session is not None:
            return session
        since, known = self._next
        if known is None or not since <= now < known.open or self._calendar.session_on(known.date) != known:
            known = self._calendar.session_at(self._calendar.next_open(now))
            self._next = now, known
        return known

    def follows_volume(self, symbol: str) -> bool:
        """What others trade is known, or will be."""
        return self._printed(symbol) is not None

    def baseline(self, symbol: str, before: Decimal = ZERO, filled: Decimal = ZERO) -> Baseline | None:
        """Where to count volume from; None where it is unknown."""
        printed = self._printed(symbol)
        return None if printed is None else Baseline(printed, before, filled)

    def others_volume(self, state: ParentState, base: Baseline | None) -> Decimal | None:
        """Shares that others have traded since the parent's start; None while unknown."""
        printed = None if base is None else self._printed(state.order.symbol)
        if printed is None or base is None or self._volumes is None:
            return None
        since = printed - base.printed
        if self._volumes.counts_own:
            since -= state.filled - base.filled
        return base.before + max(since, ZERO)

    def facts(self, state: ParentState, base: Baseline | None, *, killed: bool) -> MarketFacts:
        """What the walker is told."""
        symbol = state.order.symbol
        bid, ask = self.touch(symbol) or (ZERO, ZERO)
        others = self.others_volume(state, base)
        return MarketFacts(
            bid=bid,
            ask=ask,
            volume=None if others is None else others + state.filled,
            session=self.session(),
            halted=self._is_halted(symbol),
            killed=killed,
        )

    def _printed(self, symbol: str) -> Decimal | None:
        return None if self._volumes is None else self._volumes.printed(symbol)


def seen(facts: MarketFacts, state: ParentState) -> MarketSeen | None:
    """The facts, for the record; None without a sound quote."""
    if not facts.is_quoted:
        return None
    others = None if facts.volume is None else max(facts.volume - state.filled, ZERO)
    return MarketSeen(bid=facts.bid, ask=facts.ask, others_volume=others)
