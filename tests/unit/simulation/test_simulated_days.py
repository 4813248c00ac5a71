"""Sixty sessions of the New York calendar with everything switched on, audited from outside."""

from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

import numpy as np
import pytest

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.instruments import Instrument, Universe
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.market.sessions import TradingCalendar
from quant_trading_system.market.time_axis import daily_axis
from quant_trading_system.simulation.admission import VenueRefusal
from quant_trading_system.simulation.blocks import StepKind
from quant_trading_system.simulation.market import SimulatedMarket
from quant_trading_system.simulation.models import FillModel, LatencyModel, SlippageModel
from quant_trading_system.simulation.venue import Venue
from quant_trading_system.simulation.venue_orders import VenueUpdate

SYMBOLS = ("AAPL", "KO", "PEP", "XOM")
CASH = Decimal(1_000_000)
CALENDAR = TradingCalendar.nyse(date(2022, 1, 1), date(2022, 12, 31))


def history() -> PriceHistory:
    days = [one.date for one in CALENDAR.sessions_between(date(2022, 1, 3), date(2022, 12, 30))][:60]
    moves = np.random.Generator(np.random.PCG64(5)).normal(0, 0.02, (60, len(SYMBOLS)))
    closes = (80e6 * np.cumprod(1 + moves, axis=0)).astype(np.int64)
    axis = daily_axis(np.array(days, dtype="datetime64[D]"), CALENDAR)
    return PriceHistory(SYMBOLS, axis, closes, np.ones(closes.shape, dtype=bool))


class Run:
    """A driver, a customer who sends whatever comes to mind, and the list of all updates."""

    def __init__(self, seed: int) -> None:
        self.market = SimulatedMarket(history(), CALENDAR, seed=seed)
        assert self.market.next_at is not None
        self.clock = ManualClock(self.market.next_at - timedelta(hours=1))
        self.venue = Venue(
            self.clock,
            CALENDAR,
            instruments=Universe(Instrument(symbol=s, fractionable=True, shortable=True) for s in SYMBOLS),
            cash=CASH,
            seed=seed,
            market=self.market,
            latency=LatencyModel(order=timedelta(seconds=2), report=timedelta(seconds=1), sigma=0.5),
            slippage=SlippageModel(spread_fraction=Decimal("0.1"), impact_bps=Decimal(20)),
            fills=FillModel(participation=Decimal("0.05"), partial_chance=Decimal("0.1")),
        )
        self.updates: list[VenueUpdate] = []
        self.refusals: Counter[str] = Counter()
        self.venue.subscribe(self.updates.append)
        self._random = Random(seed)
        self._count = 0

    def go(self) -> "Run":
        venue, market = self.venue, self.market
        while (at := market.next_at) is not None:
            venue.run_until(at)
            self.clock.move_to(at)
            step = market.advance()
            assert step is not None
            if step.kind is StepKind.OPEN:
                venue.open_session(at)
            for symbol in venue.symbols_with_orders():
                quote = market.quote(symbol)
                if quote is not None:
                    venue.on_quote(quote, market.volume(symbol))
            if step.kind is StepKind.CLOSE:
                venue.close_session(at)
            self._send()
        venue.run_until(self.clock.now() + timedelta(hours=1))
        return self

    def _send(self) -> None:
        self._count += 1
        symbol = self._random.choice(SYMBOLS)
        price = self.market.last_price(symbol).quantize(Decimal("0.01"))
        kind = self._random.choice(list(OrderType))
        around = price * Decimal(self._random.randint(97, 103)) / 100
        terms: dict[str, Any] = {
            "limit_price": around.quantize(Decimal("0.01")) if "limit" in kind else None,
            "stop_price": around.quantize(Decimal("0.01")) if kind.startswith("stop") else None,
            "trail_percent": Decimal(1) if kind is OrderType.TRAILING_STOP else None,
        }
        resting = [TimeInForce.DAY, TimeInForce.GTC]
        in_force = self._random.choice(list(TimeInForce) if kind in {OrderType.MARKET, OrderType.LIMIT} else resting)
        order = Order(
            symbol=symbol,
            side=self._random.choice(list(OrderSide)),
            quantity=Decimal(self._random.randint(1, 3000)),
            order_type=kind,
            time_in_force=in_force,
            client_order_id=f"c-{self._count}",
            **terms,
        )
        try:
            self.venue.submit(order)
        except VenueRefusal as refusal:
            self.refusals[refusal.message.split(" (")[0]] += 1
        for waiting in self.venue.open_orders():
            if self._random.random() < 0.1 and not waiting.cancel_pending:
                self.venue.cancel(waiting.client_order_id)


@pytest.fixture(scope="module")
def run() -> Run:
    return Run(seed=3).go()


def test_an_auditor_comes_to_the_same_cash_and_positions(run):
    cash, held, fees = Fraction(CASH), dict.fromkeys(SYMBOLS, Fraction(0)), Fraction(0)
    fills = [(update.order.order, update.fill) for update in run.updates if update.fill is not None]
    assert len(fills) > 150
    for order, fill in fills:
        signed = order.side.sign * Fraction(fill.quantity)
        cash -= signed * Fraction(fill.price) + Fraction(fill.fee)
        held[order.symbol] += signed
        fees += Fraction(fill.fee)
    account = run.venue.account()
    assert cash == Fraction(account.cash)
    assert fees == Fraction(run.venue.total_fees) > 0
    assert {s: q for s, q in held.items() if q} == {p.symbol: Fraction(p.quantity) for p in run.venue.positions()}
    value = sum(quantity * Fraction(run.market.last_price(symbol)) for symbol, quantity in held.items())
    assert cash + value == Fraction(account.equity)


def test_every_order_has_one_end_and_nothing_happens_after_it(run):
    ends = {"fill_last", "cancel", "expire"}
    stories: dict[str, list[str]] = {}
    for update in run.updates:
        stories.setdefault(update.order.client_order_id, []).append(update.trigger.value)
    still_open = {order.client_order_id for order in run.venue.open_orders()}
    for identity, story in stories.items():
        assert sum(trigger in ends for trigger in story) == (identity not in still_open)
        assert identity in still_open or story[-1] in ends
        assert story[0] in {"accept", "hold", "cancel"}
    assert {trigger for story in stories.values() for trigger in story} == ends | {"accept", "hold", "fill_part"}


def test_the_run_meets_many_kinds_of_refusals(run):
    assert len(run.refusals) >= 5


def test_the_same_seed_repeats_every_word(run):
    again, other = Run(seed=3).go(), Run(seed=4).go()
    assert again.updates == run.updates
    assert again.venue.statement() == run.venue.statement()
    assert other.updates != run.updates
