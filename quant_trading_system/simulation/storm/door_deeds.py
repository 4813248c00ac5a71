"""What people ask of the running engine: orders, brackets, parent orders, cancels, halts; and another limits file."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Protocol

import msgspec

from quant_trading_system.core.command import Source
from quant_trading_system.core.commands import (
    AnyCommand,
    ArmStrategy,
    Cancel,
    CancelAll,
    DisarmStrategy,
    Flatten,
    Halt,
    Outcome,
    PlaceOrder,
    Reconcile,
    Request,
    Result,
    StartParent,
)
from quant_trading_system.core.orders import OrderClass, OrderSide, OrderType, StopLoss, TakeProfit
from quant_trading_system.simulation.storm.broker_deeds import Deed
from quant_trading_system.simulation.storm.scenery import Gambler

if TYPE_CHECKING:
    from quant_trading_system.simulation.storm.world import World

PERSON = "a person at the door"
TIGHTER = Decimal("0.06")
"""`max_position_pct` in the limits file that somebody writes; the shipped one lets more through."""

CASH = Decimal(100_000)
"""What the account begins with, dollars."""

_CENT, _TWO_FIFTHS, _AWAY = Decimal("0.01"), Decimal("0.4"), Decimal("0.03")
_ALGORITHMS = ("twap", "vwap", "iceberg")


class Door(Protocol):
    """Where a running engine takes commands."""

    async def carry_out(self, request: Request) -> Outcome:
        """Do what is asked, once for its key."""


class DoorDeeds:
    """Each tells whether an engine ran that could be asked."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._asked: list[Request] = []

    def all(self) -> Mapping[str, Deed]:
        """By the name of their kind."""
        return {
            "ops.door": self._command,
            "ops.bracket": self._bracket,
            "ops.parent": self._parent,
            "ops.burst": self._burst,
            "ops.limits": self._limits,
        }

    async def _command(self) -> bool:
        """Something of everything; now and then somebody repeats what was asked before, as it was."""
        draw = self._world.weather.number
        if self._asked and not draw("ops.door", 4):
            return self._ask(self._asked[draw("ops.door", len(self._asked))])
        symbol = self._symbol("ops.door")
        commands: tuple[AnyCommand, ...] = (
            PlaceOrder(symbol=symbol, side=self._side("ops.door"), quantity=Decimal(1 + draw("ops.door", 20))),
            Cancel(order_id=self._working("ops.door"), reason="not wanted"),
            CancelAll(keep_exits=bool(draw("ops.door", 2)), reason="not wanted"),
            Reconcile(),
            Halt(reason="something looks wrong"),
            Flatten(reason="something looks wrong"),
            DisarmStrategy(strategy=Gambler.name, reason="too wild"),
        )
        command = commands[draw("ops.door", len(commands))]
        if isinstance(command, DisarmStrategy):
            again = ArmStrategy(strategy=Gambler.name, reason="calmed down")

            def arm() -> None:
                self._give(again)

            self._world.later(self._world.weather.span("ops.door", 90, 900), arm)
        return self._give(command)

    async def _burst(self) -> bool:
        """Orders at one moment: any two of a side fit into the limit of a position, and three do not.

        All at the market and on one side, or at limits on both sides of it.
        """
        world, symbol, side = self._world, self._symbol("ops.burst"), self._side("ops.burst")
        quote = world.host.market.quote(symbol)
        if quote is None:
            return False
        shares = int(world.limits.max_position_pct * CASH * _TWO_FIFTHS / quote.mid)
        sides = [side, side, side]
        rests = bool(world.weather.number("ops.burst", 2))
        if rests:
            sides.insert(1, OrderSide.SELL if side is OrderSide.BUY else OrderSide.BUY)
        orders = (
            PlaceOrder(
                symbol=symbol,
                side=one,
                quantity=Decimal(shares - number),
                order_type=OrderType.LIMIT if rests else OrderType.MARKET,
                limit_price=_cents(quote.mid * (1 - one.sign * _AWAY)) if rests else None,
            )
            for number, one in enumerate(sides)
            if shares > number
        )
        given = [self._give(order) for order in orders]
        return any(given)

    async def _bracket(self) -> bool:
        """An entry with both of its exits."""
        draw, symbol, side = self._world.weather.number, self._symbol("ops.bracket"), self._side("ops.bracket")
        quote = self._world.host.market.quote(symbol)
        if quote is None:
            return False
        reach = Decimal(2 + draw("ops.bracket", 20)) / 1000 * side.sign
        at_market = bool(draw("ops.bracket", 2))
        return self._give(
            PlaceOrder(
                symbol=symbol,
                side=side,
                quantity=Decimal(1 + draw("ops.bracket", 20)),
                order_type=OrderType.MARKET if at_market else OrderType.LIMIT,
                limit_price=None if at_market else _cents(quote.mid),
                order_class=OrderClass.BRACKET,
                take_profit=TakeProfit(limit_price=_cents(quote.mid * (1 + reach))),
                stop_loss=StopLoss(stop_price=_cents(quote.mid * (1 - reach))),
            )
        )

    async def _parent(self) -> bool:
        """A quantity that an algorithm trades in slices."""
        draw = self._world.weather.number
        algorithm = _ALGORITHMS[draw("ops.parent", len(_ALGORITHMS))]
        return self._give(
            StartParent(
                symbol=self._symbol("ops.parent"),
                side=self._side("ops.parent"),
                quantity=Decimal(10 + draw("ops.parent", 40)),
                algorithm=algorithm,
                minutes=2 + draw("ops.parent", 8),
                display=Decimal(5) if algorithm == "iceberg" else None,
            )
        )

    async def _limits(self) -> bool:
        """Somebody writes another limits file and starts the program again; what lets more through has to wait."""
        world = self._world
        tighter = msgspec.structs.replace(world.limits, max_position_pct=TIGHTER)
        world.limits = world.shipped_limits if world.limits == tighter else tighter
        world.findings.tell(f"the limits file says max_position_pct {world.limits.max_position_pct}")
        world.stop.set()
        return world.life.is_alive

    # -- asking ----------------------------------------------------------------------------------------------------

    def _give(self, command: AnyCommand) -> bool:
        request = Request(key=f"storm-{len(self._asked):04d}", principal=PERSON, source=Source.CLI, command=command)
        return self._ask(request)

    def _ask(self, request: Request) -> bool:
        life = self._world.life
        door = life.door
        if door is None or not life.is_alive or not life.is_up:
            return False
        if request not in self._asked:
            self._asked.append(request)
        life.tasks.begin(self._answered(door, request))
        return True

    async def _answered(self, door: Door, request: Request) -> None:
        world = self._world
        world.findings.tell(f"asked at the door: {request.command}")
        world.life.point("door.asked")
        outcome = await door.carry_out(request)
        world.life.point("door.answered")
        world.findings.tell(f"answered: {outcome.result}: {outcome.message}")
        words = f"{request.command.name} failed on the way: {outcome.message}"
        unfinished = outcome.message.startswith("it failed on the way")
        world.findings.require("I32", outcome.result is not Result.FAILED or not unfinished, words)

    # -- choosing --------------------------------------------------------------------------------------------------

    def _symbol(self, kind: str) -> str:
        symbols = self._world.symbols
        return symbols[self._world.weather.number(kind, len(symbols))]

    def _side(self, kind: str) -> OrderSide:
        return (OrderSide.BUY, OrderSide.SELL)[self._world.weather.number(kind, 2)]

    def _working(self, kind: str) -> str:
        """Some order that works; one that nobody knows when none does."""
        orders = self._world.life.orders
        working = [] if orders is None else [record.order_id for record in orders.open_orders()]
        number = self._world.weather.number(kind, 1000)
        return working[number % len(working)] if working else "nobody-knows-it"


def _cents(price: Decimal) -> Decimal:
    return price.quantize(_CENT, ROUND_HALF_EVEN)
