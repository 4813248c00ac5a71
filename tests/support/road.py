"""An account on an always-open venue without latency, for measuring the road of an order without I/O."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.instruments import Instrument, Universe
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce
from quant_trading_system.journal.store import MemoryJournal
from quant_trading_system.market.quotes import Quote, QuoteBoard
from quant_trading_system.market.sessions import AlwaysOpen
from quant_trading_system.risk.correlation import CorrelationSource
from quant_trading_system.risk.latch import MemoryLatch
from quant_trading_system.risk.position_sizer import EqualWeight
from quant_trading_system.simulation.broker import SimulatedBroker
from quant_trading_system.simulation.venue import Venue
from quant_trading_system.trading.ports import Ports
from quant_trading_system.trading.system import TradingSystem, assemble
from tests.support.desk import UNHURRIED, limits_with

NOON = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)


class Uncorrelated(CorrelationSource):
    """Correlations that are known and low."""

    def correlation(self, symbol: str, other: str) -> Decimal | None:
        return Decimal("0.1")


def account(symbols: int = 1, limits: RiskLimits | None = None) -> tuple[TradingSystem, Venue]:
    """A system with `symbols` quoted stocks and its venue."""
    venue, ports, universe = _market(symbols)
    system = assemble(
        ports,
        run="bench",
        cash=Decimal(10_000_000),
        limits=limits or limits_with(**UNHURRIED),
        universe=universe,
        sizer=EqualWeight(),
    )
    return system, venue


def quiet_venue() -> Venue:
    """The venue of such a system, with nobody who listens to it."""
    return _market(1)[0]


def _market(symbols: int) -> tuple[Venue, Ports, Universe]:
    names = [f"S{i:04d}" for i in range(symbols)]
    universe = Universe(Instrument(symbol=name, sector=f"sector {i % 11}") for i, name in enumerate(names))
    clock, board = ManualClock(NOON), QuoteBoard()
    for name in names:
        board.publish(Quote(name, Decimal("99.99"), Decimal("100.01"), NOON, NOON, Decimal("100.00"), source="bench"))
    venue = Venue(clock, AlwaysOpen(), instruments=universe, market=_Fixed(board), cash=Decimal(10_000_000), seed=1)
    venue.open_session(NOON)
    ports = Ports(
        clock=clock,
        market_clock=clock,
        calendar=AlwaysOpen(),
        quotes=board,
        broker=SimulatedBroker(venue),
        journal=MemoryJournal(),
        latch=MemoryLatch(),
        correlations=Uncorrelated(),
    )
    return venue, ports, universe


def order(symbol: str, side: OrderSide) -> Order:
    """A market order for one share that declares its repetition."""
    return Order(
        symbol=symbol,
        side=side,
        quantity=Decimal(1),
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.DAY,
        repeat=True,
    )


class _Fixed:
    """A market whose quotes stand still."""

    def __init__(self, board: QuoteBoard) -> None:
        self._board = board

    def quote(self, symbol: str) -> Quote | None:
        return self._board.quote(symbol)

    def last_price(self, symbol: str) -> Decimal:
        quote = self._board.quote(symbol)
        assert quote is not None
        assert quote.last is not None
        return quote.last

    def volume(self, symbol: str) -> Decimal | None:
        return None
