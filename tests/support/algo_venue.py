"""Parents walked against the simulated venue in virtual time, one symbol each, all on one day.

Every symbol is an independent path: closes are drawn around the price of the day before, so that the bridge between
them is a random walk without drift. A thousand symbols are a thousand draws of one market.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

import numpy as np

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.instruments import Instrument, Universe
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.execution.algo.children import ChildReport
from quant_trading_system.execution.algo.parent import Algorithm, ParentLimits, ParentOrder, Placement, new_parent
from quant_trading_system.execution.algo.schedule import weighted_schedule
from quant_trading_system.execution.algo.walker import CancelChild, PlaceChild, step
from quant_trading_system.execution.algo.wishes import MarketFacts
from quant_trading_system.execution.tca import Execution, ParentResult
from quant_trading_system.market.history import MICROS, PriceHistory
from quant_trading_system.market.sessions import Session, TradingCalendar
from quant_trading_system.market.time_axis import daily_axis
from quant_trading_system.simulation.fees import FeeSchedule
from quant_trading_system.simulation.market import SimulatedMarket
from quant_trading_system.simulation.paths import OVERNIGHT_SHARE
from quant_trading_system.simulation.realism import Realism
from quant_trading_system.simulation.venue import Venue

D = Decimal
YESTERDAY, TODAY = date(2024, 1, 8), date(2024, 1, 9)
CALENDAR = TradingCalendar.nyse(date(2024, 1, 1), date(2024, 1, 31))
SESSION = CALENDAR.session_on(TODAY)
assert SESSION is not None
PRICE = D(400)


def random_days(count: int, *, sigma: float, daily_volume: int, seed: int, price: Decimal = PRICE) -> PriceHistory:
    """Two closes of `count` symbols: the price, and one that is normal around it with deviation `sigma` of it."""
    symbols = tuple(f"P{number:05}" for number in range(count))
    moves = np.random.default_rng(seed).normal(0.0, sigma, count)
    first = np.full(count, int(price * MICROS))
    close = np.stack([first, np.rint(first * (1 + moves) / 10_000).astype(np.int64) * 10_000])
    dates = np.array([YESTERDAY, TODAY], dtype="datetime64[D]")
    volume = np.full(close.shape, daily_volume)
    return PriceHistory(symbols, daily_axis(dates, CALENDAR), close, np.ones(close.shape, np.bool_), volume=volume)


def session_sigma(sigma: float) -> float:
    """The deviation of the part of a day's return that falls into the session."""
    return float(sigma * np.sqrt(1 - OVERNIGHT_SHARE))


def slices_between(count: int, session: Session = SESSION) -> list[datetime]:
    """The moments of `count` steps of a session that has one more, the close."""
    return [session.open + (session.close - session.open) * k / count for k in range(count + 1)]


def parent_of(
    symbol: str,
    weights: Sequence[object],
    *,
    quantity: Decimal,
    algorithm: Algorithm = Algorithm.SHORTFALL,
    side: OrderSide = OrderSide.BUY,
    steps: int | None = None,
    **fields: object,
) -> ParentOrder:
    """An order that trades each slice at once, whatever it costs, at the steps of a market with `steps` + 1 of them."""
    moments = slices_between(steps or len(weights))
    end = moments[len(weights)]
    values: dict[str, object] = {
        "parent_id": f"run-{symbol}",
        "symbol": symbol,
        "side": side,
        "quantity": quantity,
        "algorithm": algorithm,
        "start": SESSION.open,
        "end": end,
        "schedule": weighted_schedule(quantity, SESSION.open, end, weights),
        "placement": Placement.AGGRESSIVE,
        "limits": ParentLimits(cutoff=timedelta(0), catch_up=D(1000)),
        "reach": D(100),
    }
    return ParentOrder(**{**values, **fields})


class Driven:
    """One parent at the venue."""

    def __init__(self, order: ParentOrder) -> None:
        self.state = new_parent(order)
        self.arrival = D(0)
        self.end_price = D(0)
        self.printed = D(0)
        self.fills: list[Execution] = []
        self.reports: list[ChildReport] = []


class AlgoVenue:
    """A venue with one step for each slice, and the parents that trade there."""

    def __init__(
        self, history: PriceHistory, steps: int, realism: Realism, *, sigma: float, seed: int, spread_bps: str = "0"
    ) -> None:
        self.market = SimulatedMarket(
            history, CALENDAR, seed=seed, first_bar=1, steps_per_session=steps + 1, spread_bps=D(spread_bps),
            default_volatility=D(str(sigma)), realism=realism,
        )  # fmt: skip
        self.clock = ManualClock(SESSION.open - timedelta(hours=1))
        self.venue = Venue(
            self.clock, CALENDAR, cash=D(10) ** 14, seed=seed, fees=FeeSchedule.zero(), market=self.market,
            instruments=Universe([Instrument(symbol=symbol, shortable=True) for symbol in history.symbols]),
            realism=realism, movable=self.market,
        )  # fmt: skip
        self.parents: dict[str, Driven] = {}
        self.watch: Callable[[], None] | None = None

    def run(self, orders: Sequence[ParentOrder]) -> list[ParentResult]:
        """Walk every parent through the day."""
        self.parents = {order.symbol: Driven(order) for order in orders}
        self.venue.subscribe(lambda update: self._hear(update))
        for moment in self.market:
            self.venue.run_until(moment.at)
            self.clock.move_to(moment.at)
            if moment.kind == "open":
                self.venue.open_session(moment.at)
            for symbol in self.venue.symbols_with_orders():
                self.venue.on_quote(self.market.quote(symbol), self.market.volume(symbol))
            for driven in self.parents.values():
                self._walk(driven, moment.at)
            if moment.kind == "close":
                self.venue.close_session(moment.at)
        return [self._result(driven) for driven in self.parents.values()]

    def _walk(self, driven: Driven, now: datetime) -> None:
        symbol = driven.state.order.symbol
        quote = self.market.quote(symbol)
        driven.arrival = driven.arrival or quote.mid
        driven.end_price = quote.mid
        acted = True
        while acted:
            facts = MarketFacts(
                bid=quote.bid, ask=quote.ask, volume=driven.printed + driven.state.filled, session=SESSION
            )
            reports, driven.reports = driven.reports, []
            found = step(driven.state, now, facts, reports)
            driven.state = found.state
            acted = bool(found.actions)
            for action in found.actions:
                if isinstance(action, PlaceChild):
                    self.venue.submit(action.order)
                elif isinstance(action, CancelChild):
                    self.venue.cancel(action.child_id)
            self.venue.run_until(now)
            acted = acted or bool(driven.reports)
        driven.printed += self.market.volume(symbol)

    def _hear(self, update) -> None:
        driven = self.parents[update.order.order.symbol]
        if update.fill is not None:
            quote = self.market.quote(update.order.order.symbol)
            driven.fills.append(
                Execution(at=update.at, quantity=update.fill.quantity, price=update.fill.price, mid=quote.mid)
            )
        status = update.order.status
        driven.reports.append(
            ChildReport(
                child_id=update.order.client_order_id,
                status=OrderStatus.WORKING if status is OrderStatus.SENT else status,
                filled=update.order.filled_quantity,
                value=sum((f.quantity * f.price for f in self.venue.executions(update.order.client_order_id)), D(0)),
            )
        )

    def _result(self, driven: Driven) -> ParentResult:
        order = driven.state.order
        return ParentResult(
            parent_id=order.parent_id, symbol=order.symbol, side=order.side, quantity=order.quantity,
            decision_price=driven.arrival, arrival_price=driven.arrival, end_price=driven.end_price,
            started_at=order.start, ended_at=order.end, fills=tuple(driven.fills), algorithm=order.algorithm.value,
        )  # fmt: skip
