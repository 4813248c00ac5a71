"""A whole account at the simulated venue, and random orders that both the gate and the venue are asked about.

Messages take their time both ways, so that the two see different things for a while. `Trader.turn` does something at
random; each new order is judged by both before it is sent, and `seen` keeps what they said.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import NamedTuple

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.decisions import Rejection, Rule
from quant_trading_system.core.exceptions import InvalidOrder, NotReplaceable, OutcomeUnknown
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.core.orders import Order, OrderClass, OrderSide, OrderType, StopLoss, TakeProfit, TimeInForce
from quant_trading_system.execution.broker import BrokerOrder
from quant_trading_system.execution.order_manager import Placed
from quant_trading_system.market.quotes import Quote
from quant_trading_system.risk.latch import MemoryLatch
from quant_trading_system.risk.position_sizer import EqualWeight, OwnWeight
from quant_trading_system.risk.pre_trade import ApprovedOrder
from quant_trading_system.simulation.admission import Application, VenueRefusal
from quant_trading_system.simulation.broker import SimulatedBroker
from quant_trading_system.simulation.fees import FeeSchedule
from quant_trading_system.simulation.models import FillModel, LatencyModel
from quant_trading_system.simulation.questions import _ask_opposite_side, _ask_wash_trade
from quant_trading_system.simulation.venue import Venue
from quant_trading_system.trading.ports import Ports
from quant_trading_system.trading.system import assemble
from tests.support.desk import UNHURRIED, limits_with
from tests.support.list_journal import ListJournal
from tests.support.market import CALENDAR, NOON, UNIVERSE, FixedCorrelations, HandBoard

CENT = Decimal("0.01")
SLOW = LatencyModel(order=timedelta(milliseconds=300), report=timedelta(milliseconds=400), sigma=0.5)
LIMITS = limits_with(
    **UNHURRIED,
    allow_short=True,
    allow_hard_to_borrow=True,
    max_open_orders_per_symbol=1000,
    max_order_notional=Decimal(10**6),
    max_position_pct=Decimal(1),
    max_position_quantity=Decimal(10**6),
    max_sector_exposure=Decimal(1),
    max_gross_exposure=Decimal(4),
    max_net_exposure=Decimal(4),
    price_collar_pct=Decimal("0.5"),
    max_rejection_rate=Decimal(1),
)
"""Nothing stands in the way of an order but what it is."""
_KINDS = (OrderType.LIMIT,) * 4 + (OrderType.MARKET,) * 3 + tuple(OrderType)


class Seen(NamedTuple):
    """What gate and venue said to an order before it was sent.

    Attributes:
        gate: the first rule that refuses, None for none; `self_match`: the words of that rule, empty when it passed.
        opposite, wash: the venue's words where it refuses by that rule, else empty.
        same: both saw the same position and the same open orders.
        exits: the gate takes it for a way out.
        against: kinds of the open orders of the other side, as the gate knows them.
        held: shares, likewise.
    """

    order: Order
    gate: Rule | None
    self_match: str
    opposite: str
    wash: str
    same: bool
    exits: bool
    against: tuple[OrderType, ...]
    held: Decimal


class DoubtfulBroker(SimulatedBroker):
    """The venue, with a line that fails now and then: nobody knows whether the order has arrived."""

    def __init__(self, venue: Venue, random: Random) -> None:
        """Connect to `venue`."""
        super().__init__(venue)
        self._random = random

    async def place(self, approved: ApprovedOrder) -> BrokerOrder:
        luck = self._random.random()
        if luck < 0.01:
            raise OutcomeUnknown("lost on its way", approved.order.client_order_id)
        answer = await super().place(approved)
        if luck < 0.02:
            raise OutcomeUnknown("its answer was lost", approved.order.client_order_id)
        return answer


class Trader:
    """Trades KO at random, with half a million dollars; `seen` and `refused` are what came of it.

    Attributes:
        refused: orders that the gate let pass, with the words by which the venue refused them.
    """

    def __init__(self, seed: int, latency: LatencyModel = SLOW) -> None:
        """Open the account."""
        self.random = Random(seed)
        self.clock = ManualClock(NOON)
        self.venue = Venue(
            self.clock,
            CALENDAR,
            instruments=UNIVERSE,
            cash=Decimal(10**6),
            seed=seed,
            fees=FeeSchedule.zero(),
            latency=latency,
            fills=FillModel(partial_chance=Decimal("0.5")),
            multiplier=Decimal(4),
        )
        self.board = HandBoard(self.clock)
        self.broker = DoubtfulBroker(self.venue, self.random)
        self.system = assemble(
            Ports(
                clock=self.clock,
                market_clock=self.clock,
                calendar=CALENDAR,
                quotes=self.board,
                broker=self.broker,
                journal=ListJournal([]),
                latch=MemoryLatch(),
                correlations=FixedCorrelations(),
            ),
            run="run",
            cash=Decimal(10**6),
            limits=LIMITS,
            universe=UNIVERSE,
            sizer=OwnWeight(EqualWeight()),
        )
        self.orders, self.portfolio = self.system.orders, self.system.portfolio
        self.cents, self.number = 10_000, 0
        self.seen: list[Seen] = []
        self.refused: list[tuple[Seen, str]] = []
        self.venue.open_session(self.clock.now())
        self._quote()

    def turn(self) -> None:
        """Something happens."""
        what = self.random.random()
        if what < 0.45:
            self._order()
        elif what < 0.6:
            self._cancel()
        elif what < 0.7:
            self._replace()
        elif what < 0.9:
            self._wait(self.random.choice((50, 200, 500)))
        else:
            self._wait(5000)
            self._resolve()
        if self.random.random() < 0.4:
            self.cents += self.random.randint(-15, 15)
            self._quote()

    # -- what both are asked ----------------------------------------------------------------------------------------

    def ask(self, order: Order) -> Seen:
        """What gate and venue say to `order` now."""
        verdict = self.system.checker.check_order(order)
        answers = verdict.decision.checks
        refused = verdict.rule if isinstance(verdict, Rejection) else None
        own = next(answer for answer in answers if answer.rule is Rule.SELF_MATCH)
        application = self.venue._application(
            order, self.clock.now(), in_group=order.order_class is not OrderClass.SIMPLE
        )
        holding = self.portfolio.peek("KO")
        others = [room.order for room in holding.orders.values() if room.order is not None]
        return Seen(
            order,
            refused,
            own.detail,
            opposite=_words(_ask_opposite_side, application),
            wash=_words(_ask_wash_trade, application),
            same=self._same(),
            exits=not isinstance(verdict, Rejection) and verdict.exits,
            against=tuple(other.order_type for other in others if other.side is not order.side),
            held=holding.position.quantity,
        )

    def _same(self) -> bool:
        """Gate and venue know the same position and the same open orders."""
        held = {holding.symbol: holding.quantity for holding in self.venue.positions()}
        ours = {record.venue_order_id for record in self.orders.open_orders()}
        theirs = {order.venue_order_id for order in self.venue.open_orders()}
        filled = {order.venue_order_id: order.filled_quantity for order in self.venue.open_orders()}
        booked = {record.venue_order_id: record.chain_filled for record in self.orders.open_orders()}
        return ours == theirs and filled == booked and held.get("KO", 0) == self.portfolio.position("KO").quantity

    # -- what happens -----------------------------------------------------------------------------------------------

    def _order(self) -> None:
        self.number += 1
        order = self._any_order()
        seen = self.ask(order)
        self.seen.append(seen)
        answer = asyncio.run(self.orders.submit(order))
        if isinstance(answer, Placed) and answer.status is OrderStatus.REJECTED:
            self.refused.append((seen, answer.reason))

    def _any_order(self) -> Order:
        random, held = self.random, self.portfolio.position("KO").quantity
        side = random.choice(tuple(OrderSide))
        shape = random.random()
        quantity = random.randint(1, 12)
        if held and random.random() < 0.3:
            quantity, side = int(abs(held)), OrderSide.SELL if held > 0 else OrderSide.BUY
        fields: dict[str, object] = {
            "quantity": Decimal(quantity),
            "client_order_id": f"o-{self.number}",
            "repeat": True,
        }
        if shape < 0.2:
            fields |= self._exits_of(side)
        elif shape < 0.28:
            fields |= self._pair_of(side)
        else:
            fields |= self._simple()
        return Order(symbol="KO", side=side, **fields)  # type: ignore[arg-type]

    def _simple(self) -> dict[str, object]:
        kind = self.random.choice(_KINDS)
        fields: dict[str, object] = {
            "order_type": kind,
            "time_in_force": self.random.choice((TimeInForce.DAY, TimeInForce.GTC)),
        }
        if kind in (OrderType.LIMIT, OrderType.STOP_LIMIT):
            fields["limit_price"] = self._price(60)
        if kind in (OrderType.STOP, OrderType.STOP_LIMIT):
            fields["stop_price"] = self._price(60)
        if kind is OrderType.TRAILING_STOP:
            fields["trail_price"] = self.random.randint(5, 60) * CENT
        if self.random.random() < 0.1:
            fields["reduce_only"] = True
        return fields

    def _exits_of(self, side: OrderSide) -> dict[str, object]:
        """A bracket or OTO order about the market."""
        sign, random = side.sign, self.random
        limit = (self.cents - sign * random.randint(0, 40)) * CENT
        fields: dict[str, object] = {
            "order_type": OrderType.LIMIT,
            "limit_price": limit,
            "time_in_force": TimeInForce.DAY,
        }
        fields["stop_loss"] = StopLoss(stop_price=(self.cents - sign * random.randint(60, 90)) * CENT)
        fields["order_class"] = random.choice((OrderClass.BRACKET, OrderClass.OTO))
        if fields["order_class"] is OrderClass.BRACKET:
            fields["take_profit"] = TakeProfit(limit_price=(self.cents + sign * random.randint(10, 60)) * CENT)
        return fields

    def _pair_of(self, side: OrderSide) -> dict[str, object]:
        """An OCO order, to close with."""
        sign, random = side.sign, self.random
        return {
            "order_type": OrderType.LIMIT,
            "order_class": OrderClass.OCO,
            "time_in_force": TimeInForce.DAY,
            "take_profit": TakeProfit(limit_price=(self.cents - sign * random.randint(10, 60)) * CENT),
            "stop_loss": StopLoss(stop_price=(self.cents + sign * random.randint(20, 90)) * CENT),
        }

    def _price(self, within: int) -> Decimal:
        return (self.cents + self.random.randint(-within, within)) * CENT

    def _cancel(self) -> None:
        known = [record.order_id for record in self.orders.open_orders()]
        if known:
            asyncio.run(self.orders.cancel(self.random.choice(known), "a test"))

    def _replace(self) -> None:
        known = [record for record in self.orders.open_orders() if record.order.limit_price is not None]
        if known:
            record = self.random.choice(known)
            quantity = record.quantity + self.random.randint(0, 3)
            try:
                asyncio.run(self.orders.replace(record.order_id, limit_price=self._price(60), quantity=quantity))
            except (InvalidOrder, NotReplaceable):
                return

    def _resolve(self) -> None:
        for record in self.orders.open_orders():
            if record.status is OrderStatus.IN_DOUBT:
                asyncio.run(self.orders.resolve(record.order_id))

    def _wait(self, milliseconds: int) -> None:
        self.clock.move_to(self.clock.now() + timedelta(milliseconds=milliseconds))
        self.venue.run_until(self.clock.now())
        self._quote()

    def _quote(self) -> None:
        mid, now = self.cents * CENT, self.clock.now()
        self.board.put("KO", str(mid - CENT), str(mid + CENT), last=str(mid))
        self.venue.run_until(now)
        self.venue.on_quote(Quote("KO", mid - CENT, mid + CENT, now, now, mid, sequence=self.board._sequence))
        self.venue.run_until(now)


def _words(question: Callable[[Application], None], application: Application) -> str:
    """How the venue refuses, empty when it does not."""
    try:
        question(application)
    except VenueRefusal as refusal:
        return refusal.message
    return ""
