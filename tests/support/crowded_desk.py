"""A venue that is crowded with random orders of every kind, and a market that wanders through them."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np

from quant_trading_system.core.instruments import Instrument, Universe
from quant_trading_system.core.orders import OrderSide, OrderType, TimeInForce
from quant_trading_system.simulation.admission import VenueRefusal
from quant_trading_system.simulation.faults import Faults
from quant_trading_system.simulation.fees import FeeSchedule
from quant_trading_system.simulation.models import FillModel, LatencyModel
from quant_trading_system.simulation.realism import MarketImpact, Realism
from quant_trading_system.simulation.resting import Paths
from tests.support.venue_desk import MONDAY, TUESDAY, WEDNESDAY, VenueDesk

BUY, SELL = OrderSide.BUY, OrderSide.SELL
SYMBOLS = {"LONG": BUY, "SHORT": SELL, "BIDS": BUY, "OFFERS": SELL}
"""What is entered with which side; of the first two there are positions to leave."""

_UNIVERSE = Universe([Instrument(symbol=symbol, fractionable=True, shortable=True) for symbol in SYMBOLS])
_KINDS = (OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP)
_FILLS = (
    FillModel(),
    FillModel(through=True),
    FillModel(participation=Decimal("0.05")),
    FillModel(participation=Decimal("0.1"), through=True, partial_chance=Decimal("0.5")),
)
_REALISMS = (
    Realism(),
    Realism(),
    Realism(),
    Realism(queue=True),
    Realism(impact=MarketImpact(temporary_bps=Decimal(20), permanent_bps=Decimal(0))),
)
_FAULTS = Faults(
    double_fill=Decimal("0.1"), reject_later=Decimal("0.05"), late_fill=Decimal("0.3"), parts=2, overfill=Decimal(1)
)


def _cents(count: int) -> Decimal:
    return Decimal(count).scaleb(-2)


class CrowdedDesk:
    """What happens follows from the seed alone.

    Attributes:
        may_pass_over: steps at which all orders rest are not shown to the venue; `leaps`: how often that happened.
    """

    may_pass_over = True

    def __init__(self, seed: int) -> None:
        self._chance = chance = random.Random(seed)
        options: dict[str, Any] = {
            "fees": FeeSchedule.alpaca(),
            "fills": chance.choice(_FILLS),
            "realism": chance.choice(_REALISMS),
            "latency": chance.choice([LatencyModel(), LatencyModel(order=timedelta(milliseconds=1700))]),
            "instruments": _UNIVERSE,
            "cash": "10000000",
            "seed": seed,
        }
        self._options = options
        self.desk = VenueDesk(opened=False, **options)
        if chance.random() < 0.2:
            self.desk.venue.faults = _FAULTS
        self._last = dict.fromkeys(SYMBOLS, 10_000)
        self._days = iter([TUESDAY, WEDNESDAY])
        self._day = MONDAY
        self.leaps = 0

    def live(self, actions: int) -> CrowdedDesk:
        """Open, take positions, and let so many things happen on up to three days."""
        chance, desk = self._chance, self.desk
        deeds = [self._order] * 8 + [self._price] * 9 + [self._group] * 3 + [self._leap] * 2
        deeds += [self._change, self._cancel, self._trade, self._halt, self._correct, self._restart]
        desk.open(self._day)
        for symbol, side in SYMBOLS.items():
            self._show(symbol)
            if symbol in ("LONG", "SHORT"):
                desk.send(side, 200, symbol=symbol)
        for number in range(actions):
            desk.wait(milliseconds=chance.choice([0, 500, 2000]))
            if number % 60 == 59 and not self._next_day():
                break
            self._try(chance.choice(deeds))
        desk.wait(hours=1)
        return self

    def _try(self, deed: Callable[[], None]) -> None:
        with suppress(VenueRefusal):
            deed()

    # -- the market

    def _show(self, symbol: str, *, mute: bool = False) -> None:
        middle, wide = self._last[symbol], self._chance.choice([1, 1, 2, 5])
        bid, ask = str(_cents(middle - wide)), str(_cents(middle + wide))
        last = None if mute else str(_cents(middle))
        self.desk.quote(bid, ask, last, symbol=symbol, volume=str(self._chance.choice([0, 30, 400, 5000])))

    def _price(self) -> None:
        symbol = self._chance.choice(list(SYMBOLS))
        self._last[symbol] += self._chance.choice([-60, -12, -5, -1, 0, 1, 5, 12, 60])
        self._show(symbol, mute=self._chance.random() < 0.05)

    def _leap(self) -> None:
        """A stretch of the market, which the venue may pass over as far as all orders rest."""
        venue, steps, second = self.desk.venue, 12, timedelta(seconds=1)
        now = self.desk.clock.now()
        due = venue.next_due_at()
        if not venue.is_open or (due is not None and due <= now + steps * second):
            return
        walks = {symbol: self._walk(symbol, steps) for symbol in venue.symbols_with_orders()}
        quiet = venue.quiet_steps(_paths(walks, steps))
        shown = 0
        if quiet > 1 and self.may_pass_over:
            venue.pass_over(_paths(walks, quiet))
            self.leaps += 1
            shown = quiet - 1
        for step in range(steps):
            for symbol, walk in walks.items():
                price = self._last[symbol] = walk[step]
                if step < shown:
                    next(self.desk._sequence)
                    continue
                self.desk.move(now + (step + 1) * second)
                self.desk.quote(str(_cents(price - 1)), str(_cents(price + 1)), str(_cents(price)), symbol=symbol)

    def _walk(self, symbol: str, steps: int) -> list[int]:
        price, walk = self._last[symbol], []
        for _ in range(steps):
            price += self._chance.choice([-9, -3, -1, 0, 1, 3, 9])
            walk.append(price)
        return walk

    def _next_day(self) -> bool:
        """After the close a quote or two, then the next open with a market that has moved."""
        self.desk.close(self._day)
        self.desk.wait(minutes=5)
        self._price()
        self._price()
        tomorrow = next(self._days, None)
        if tomorrow is None:
            return False
        self._day = tomorrow
        self.desk.wait(hours=10)
        self.desk.move(tomorrow.open - timedelta(minutes=20))
        self._price()
        self._try(partial(self._order, extended=True))
        self._price()
        self.desk.open(tomorrow)
        for symbol in SYMBOLS:
            self._last[symbol] += self._chance.randrange(-80, 80)
            self._show(symbol)
        return True

    # -- the customer

    def _order(self, *, extended: bool = False) -> None:
        chance = self._chance
        symbol = chance.choice(list(SYMBOLS))
        leaves = symbol in ("LONG", "SHORT")
        side = SYMBOLS[symbol].opposite if leaves else SYMBOLS[symbol]
        kind = OrderType.LIMIT if extended else chance.choice(_KINDS)
        away, force = chance.randrange(-8, 90), chance.choice([TimeInForce.DAY, TimeInForce.GTC])
        fields: dict[str, Any] = {"kind": kind, "symbol": symbol}
        middle = self._last[symbol]
        if "limit" in kind:
            fields["limit"] = str(_cents(middle - side.sign * away * (1 if kind is OrderType.LIMIT else -1)))
        if kind.startswith("stop"):
            fields["stop"] = str(_cents(middle + side.sign * max(away - chance.randrange(4), 1)))
        if kind is OrderType.TRAILING_STOP:
            fields[chance.choice(["trail_price", "trail_percent"])] = _cents(abs(away) + 1)
        if kind is OrderType.LIMIT:
            force = chance.choice([force] * 6 + [TimeInForce.OPG, TimeInForce.CLS, TimeInForce.IOC, TimeInForce.FOK])
            if extended or chance.random() < 0.1:
                fields["extended_hours"], force = True, TimeInForce.DAY
        self.desk.send(side, chance.choice([1, 2, 7, 20]), in_force=force, **fields)

    def _group(self) -> None:
        chance = self._chance
        symbol = chance.choice(list(SYMBOLS))
        leaves = symbol in ("LONG", "SHORT")
        entry, middle = SYMBOLS[symbol], self._last[symbol]
        order_class = "oco" if leaves else chance.choice(["bracket", "bracket", "oto"])
        both, profits = order_class != "oto", chance.random() < 0.5
        fields: dict[str, Any] = {"symbol": symbol, "in_force": chance.choice([TimeInForce.DAY, TimeInForce.GTC])}
        if both or profits:
            fields["profit"] = str(_cents(middle + entry.sign * chance.randrange(3, 60)))
        if both or not profits:
            fields["loss"] = str(_cents(middle - entry.sign * chance.randrange(45, 90)))
            if chance.random() < 0.3:
                fields["loss_limit"] = str(_cents(middle - entry.sign * chance.randrange(85, 99)))
        if not leaves and chance.random() < 0.7:
            fields["limit"] = str(_cents(middle - entry.sign * chance.randrange(-3, 40)))
        self.desk.group(order_class, entry.opposite if leaves else entry, chance.choice([1, 7, 20]), **fields)

    def _open_order(self) -> Any:
        working = self.desk.venue.open_orders()
        return self._chance.choice(working) if working else None

    def _change(self) -> None:
        order = self._open_order()
        if order is not None:
            limit, stop, moved = (
                order.order.limit_price,
                order.order.stop_price,
                _cents(self._chance.randrange(-40, 40)),
            )
            changes = {"limit_price": None if limit is None else limit + moved,
                       "stop_price": None if stop is None else stop + moved}  # fmt: skip
            self.desk.replace(order.client_order_id, **{name: price for name, price in changes.items() if price})

    def _cancel(self) -> None:
        order = self._open_order()
        if order is not None:
            self.desk.venue.cancel(order.client_order_id)

    def _trade(self) -> None:
        symbol = self._chance.choice(list(SYMBOLS))
        self.desk.send(SYMBOLS[symbol], self._chance.choice([1, 30]), symbol=symbol)

    # -- what is rare

    def _halt(self) -> None:
        symbol, venue = self._chance.choice(list(SYMBOLS)), self.desk.venue
        if self._chance.random() < 0.5:
            venue.halt(symbol)
        for other in SYMBOLS:
            if other != symbol:
                venue.resume(other)

    def _correct(self) -> None:
        fills, venue = self.desk.all_fills, self.desk.venue
        if fills:
            execution = self._chance.choice(fills).execution_id
            if self._chance.random() < 0.5:
                venue.bust(execution)
            else:
                venue.correct(execution, quantity=Decimal(self._chance.choice([1, 5])))

    def _restart(self) -> None:
        """The venue is kept as bytes, and another one goes on from there."""
        old, new = self.desk, VenueDesk(opened=False, **self._options)
        new.venue.restore(old.venue.snapshot())
        new.clock, new.updates, new._ids, new._sequence = old.clock, old.updates, old._ids, old._sequence
        new.venue._clock = old.clock
        new.venue.subscribe(new.updates.append)
        self.desk = new


def _paths(walks: dict[str, list[int]], steps: int) -> Paths:
    last = np.array([walk[:steps] for walk in walks.values()], dtype=np.int64).reshape(len(walks), steps).T * 10_000
    return Paths(last, last - 10_000, last + 10_000, {symbol: column for column, symbol in enumerate(walks)})
