"""What a halt finds when it comes: positions on both sides, orders of every kind, an algorithm, and more on its way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from itertools import cycle

from quant_trading_system.app.drill.stage import Stage
from quant_trading_system.app.drill.verdict import Push
from quant_trading_system.core.commands import Check, PlaceOrder, Result, StartParent
from quant_trading_system.core.exceptions import DrillFailed, EngineNotRunning, EngineSilent
from quant_trading_system.core.orders import OrderClass, OrderSide, OrderType, StopLoss, TakeProfit, TimeInForce

D = Decimal
BUY, SELL = OrderSide.BUY, OrderSide.SELL
_GTC = TimeInForce.GTC
_BETWEEN_PUSHES = timedelta(milliseconds=100)

POSITIONS = (
    PlaceOrder(symbol="KO", side=BUY, quantity=D(50)),
    PlaceOrder(symbol="XOM", side=SELL, quantity=D(30)),
    PlaceOrder(
        symbol="PEP",
        side=BUY,
        quantity=D(20),
        order_class=OrderClass.BRACKET,
        take_profit=TakeProfit(limit_price=D(190)),
        stop_loss=StopLoss(stop_price=D(150)),
    ),
)
"""A long position, a short one, and one that is held by the exits of a bracket."""
RESTING = (
    PlaceOrder(
        symbol="KO", side=SELL, quantity=D(20), order_type=OrderType.LIMIT, limit_price=D(70), time_in_force=_GTC
    ),
    PlaceOrder(
        symbol="JPM", side=BUY, quantity=D(5), order_type=OrderType.STOP_LIMIT, stop_price=D(160), limit_price=D(162)
    ),
    PlaceOrder(symbol="XOM", side=BUY, quantity=D(10), order_type=OrderType.TRAILING_STOP, trail_percent=D(5)),
    PlaceOrder(symbol="JPM", side=BUY, quantity=D(5), order_type=OrderType.LIMIT, limit_price=D(140)),
    PlaceOrder(symbol="JPM", side=BUY, quantity=D(5), order_type=OrderType.STOP, stop_price=D(160)),
)
"""Orders that wait: a limit and a trailing stop that protect; a limit, a stop and a stop-limit that add."""
ALGORITHM = StartParent(symbol="JPM", side=BUY, quantity=D(20), algorithm="twap", minutes=20)
PUSHED = (
    PlaceOrder(symbol="JPM", side=BUY, quantity=D(1), order_type=OrderType.LIMIT, limit_price=D(135), repeat=True),
    PlaceOrder(symbol="XOM", side=SELL, quantity=D(1), order_type=OrderType.LIMIT, limit_price=D(121), repeat=True),
    PlaceOrder(symbol="KO", side=BUY, quantity=D(1), order_type=OrderType.LIMIT, limit_price=D(54), repeat=True),
)
"""What somebody keeps asking for while the halt comes; each adds risk, and rests when it leaves."""


async def build(stage: Stage) -> None:
    """Open the positions and leave the orders, once the engine takes any.

    Raises:
        DrillFailed: the engine refused one, so there is nothing to stop.
    """
    await stage.until(lambda: _takes_orders(stage), "an engine that takes orders")
    for command in (*POSITIONS, *RESTING, ALGORITHM):
        outcome = await stage.ask(command)
        if outcome.result is not Result.DONE:
            raise DrillFailed(f"{command.symbol}: the scene cannot be built: {outcome.message}")


async def _takes_orders(stage: Stage) -> bool:
    first = POSITIONS[0]
    try:
        return (
            await stage.ask(Check(symbol=first.symbol, side=first.side, quantity=first.quantity))
        ).result is Result.DONE
    except (EngineNotRunning, EngineSilent):
        return False


class Pusher:
    """Somebody who keeps asking for orders that add risk, one after the other, whatever the answer.

    Attributes:
        pushes: what was asked for, and what came of it.
    """

    def __init__(self, stage: Stage) -> None:
        """Begin with the first ask of `pushing`."""
        self.pushes: list[Push] = []
        self._stage = stage

    @property
    def all_leave(self) -> bool:
        """One of each kind has left."""
        return len({(push.symbol, push.side) for push in self.pushes if push.is_sent}) == len(PUSHED)

    @asynccontextmanager
    async def pushing(self) -> AsyncIterator[None]:
        """Ask until the block ends."""
        work = asyncio.ensure_future(self._push())
        try:
            yield
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    async def _push(self) -> None:
        for command in cycle(PUSHED):
            asked_at = self._stage.clock.now()
            try:
                outcome = await self._stage.ask(command)
            except (EngineNotRunning, EngineSilent):
                await self._stage.clock.sleep(_BETWEEN_PUSHES)
                continue
            self.pushes.append(
                Push(
                    asked_at=asked_at,
                    symbol=command.symbol,
                    side=command.side,
                    order_id=outcome.order_id,
                    is_refused=outcome.result is Result.REFUSED,
                    is_sent=outcome.result in (Result.DONE, Result.PENDING),
                )
            )
            await self._stage.clock.sleep(_BETWEEN_PUSHES)
