"""A small market for tests: a few sessions, a few instruments, and quotes that stand until a test moves them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from quant_trading_system.core.clock import Clock, ManualClock
from quant_trading_system.core.instruments import Instrument, Universe
from quant_trading_system.market.quotes import Quote, QuoteBoard
from quant_trading_system.market.sessions import Session, TradingCalendar
from quant_trading_system.risk.correlation import CorrelationSource


def moment(text: str) -> datetime:
    """ISO 8601 without a zone, read as UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _session(day: date, closes: str = "21:00", *, is_half_day: bool = False) -> Session:
    return Session(day, moment(f"{day}T14:30"), moment(f"{day}T{closes}"), is_half_day)


CALENDAR = TradingCalendar(
    [
        _session(date(2024, 1, 5)),
        _session(date(2024, 1, 8)),
        _session(date(2024, 1, 9)),
        _session(date(2024, 1, 10), "18:00", is_half_day=True),
        _session(date(2024, 1, 12)),  # the 11th is a holiday
    ],
    date(2024, 1, 5),
    date(2024, 1, 12),
)
"""Sessions open at 14:30 and close at 21:00 UTC, on the half day at 18:00."""

NOON = moment("2024-01-08T17:00")
"""A Monday, in the middle of the session."""

UNIVERSE = Universe(
    [
        Instrument(symbol="KO", sector="Staples", shortable=True, fractionable=True),
        Instrument(symbol="PEP", sector="Staples"),
        Instrument(symbol="XOM", sector="Energy", shortable=True),
        Instrument(symbol="LOT", sector="Energy", lot=Decimal(100)),
        Instrument(symbol="SUSP", sector="Energy", tradable=False),
    ]
)


class JumpingClock(ManualClock):
    """A wall clock that somebody sets, beside a monotonic one that nobody can."""

    jump = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.jump


class FixedCorrelations(CorrelationSource):
    """Correlations by pair, in either order; `default` for all others."""

    def __init__(self, default: Decimal | None = Decimal(0)) -> None:
        self.default = default
        self.pairs: dict[frozenset[str], Decimal | None] = {}

    def put(self, symbol: str, other: str, value: Decimal | None) -> None:
        """Say how two symbols move together; None: it cannot be measured."""
        self.pairs[frozenset((symbol, other))] = value

    def correlation(self, symbol: str, other: str) -> Decimal | None:
        return self.pairs.get(frozenset((symbol, other)), self.default)


class HandBoard(QuoteBoard):
    """The real board, with a short way to put a quote on it."""

    def __init__(self, clock: ManualClock, market_clock: Clock | None = None) -> None:
        super().__init__()
        self._clock = clock
        self._market_clock = market_clock or clock
        self._sequence = 0

    def put(
        self,
        symbol: str,
        bid: str,
        ask: str,
        *,
        last: str | None = None,
        age: timedelta = timedelta(),
        received_age: timedelta | None = None,
    ) -> None:
        """Offer `symbol` at `bid` and `ask`; `age` before now by the source's clock, `received_age` by ours.

        The source's clock is right, whatever ours says.
        """
        now, heard, self._sequence = ManualClock.now(self._clock), self._market_clock.now(), self._sequence + 1
        self.publish(
            Quote(
                symbol,
                Decimal(bid),
                Decimal(ask),
                at=now - age,
                received_at=heard - (age if received_age is None else received_age),
                last=None if last is None else Decimal(last),
                source="test",
                sequence=self._sequence,
            )
        )
