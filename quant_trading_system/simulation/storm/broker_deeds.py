"""What the broker, the exchange and people at the broker's own site do to the account, at moments of their own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from decimal import ROUND_UP, Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from quant_trading_system.simulation.alpaca_server.auth import KEY_HEADER, SECRET_HEADER
from quant_trading_system.simulation.alpaca_server.live_market import ns_of
from quant_trading_system.simulation.alpaca_server.tape import Doing, Intervention
from quant_trading_system.simulation.storm.plainness import KEY_ID, SECRET
from quant_trading_system.simulation.venue import Venue
from quant_trading_system.simulation.venue_orders import VenueFill

if TYPE_CHECKING:
    from quant_trading_system.simulation.storm.world import World

HEADERS = {KEY_HEADER: KEY_ID, SECRET_HEADER: SECRET}
BY_HAND = "by-hand"
"""How the client order ids of people begin who trade beside the program; some give none."""

Deed = Callable[[], Awaitable[bool]]

_CENT = Decimal("0.01")
_FEW, _TEN = 5, 10
"""Shares that a split takes; it moves one in ten."""
_TRANSFERS = ("CSD", "CSW", "JNLC")
_INCOME = ("DIV", "DIV", "INT", "FEE")
_INSTANT_NS = 1_000


class BrokerDeeds:
    """Each tells whether it found anything to do."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._by_hand = 0

    def all(self) -> Mapping[str, Deed]:
        """By the name of their kind."""
        return {
            "fill.bust": self._bust,
            "fill.correct": self._correct,
            "account.dividend": self._pay,
            "account.transfer": self._transfer,
            "account.liquidate": self._liquidate,
            "account.split": self._split,
            "account.cancel_all": self._cancel_all,
            "account.external_order": self._trade_by_hand,
            "session.halt": self._stop_trading,
        }

    # -- executions ------------------------------------------------------------------------------------------------

    async def _bust(self) -> bool:
        fill = self._some_fill("fill.bust")
        if fill is None:
            return False
        self._venue.bust(fill.execution_id)
        self._told(f"execution {fill.execution_id} of {fill.quantity} at {fill.price} is taken back")
        return True

    async def _correct(self) -> bool:
        """Another price, another quantity, or both."""
        fill, draw = self._some_fill("fill.correct"), self._world.weather.number
        if fill is None:
            return False
        which = draw("fill.correct", 3)
        price = fill.price + _CENT * (draw("fill.correct", 200) - 100) if which else fill.price
        quantity = fill.quantity if which == 1 else fill.quantity + draw("fill.correct", 5) - 2
        if price <= 0 or quantity <= 0:
            return False
        self._venue.correct(fill.execution_id, quantity=quantity, price=price)
        self._told(f"execution {fill.execution_id} was {quantity} at {price}")
        return True

    def _some_fill(self, kind: str) -> VenueFill | None:
        """An execution of ours that stands, of today or of yesterday, and was not charged for."""
        auditor = self._world.auditor
        ours = [order.client_order_id for order in auditor.orders_at_venue() if order.client_order_id in auditor.sent]
        fills = [fill for name in ours for fill in self._venue.executions(name) if fill.quantity and not fill.fee]
        return fills[self._world.weather.number(kind, len(fills))] if fills else None

    # -- money -----------------------------------------------------------------------------------------------------

    async def _pay(self) -> bool:
        word = _INCOME[self._world.weather.number("account.dividend", len(_INCOME))]
        amount = _CENT * (1 + self._world.weather.number("account.dividend", 5_000))
        self._venue.post(word, -amount if word == "FEE" else amount, description="paid by the broker")
        self._told(f"{word} of {amount}")
        return True

    async def _transfer(self) -> bool:
        word = _TRANSFERS[self._world.weather.number("account.transfer", len(_TRANSFERS))]
        amount = _CENT * (1 + self._world.weather.number("account.transfer", 1_500_000))
        self._venue.post(word, -amount if word == "CSW" else amount, description="a person moves money")
        self._told(f"{word} of {amount}")
        return True

    # -- orders of others ------------------------------------------------------------------------------------------

    async def _liquidate(self) -> bool:
        held = [position.symbol for position in self._venue.positions()]
        if not held or not self._venue.is_open:
            return False
        symbol = held[self._world.weather.number("account.liquidate", len(held))]
        self._venue.liquidate(symbol)
        self._told(f"the broker liquidates {symbol}")
        return True

    async def _split(self) -> bool:
        """Shares come in or go out without a trade; somebody finds out, starts again, and answers for them."""
        world, draw = self._world, self._world.weather.number
        held = [position for position in self._venue.positions() if abs(position.quantity) >= _FEW]
        if not held:
            return False
        position = held[draw("account.split", len(held))]
        shares = (position.quantity * (1, -1)[draw("account.split", 2)] / _TEN).to_integral_value(ROUND_UP)
        self._venue.post("SPLIT", Decimal(0), symbol=position.symbol, shares=shares, description="a split")
        self._told(f"a split moves {shares} {position.symbol}")
        world.was_split = True
        world.later(world.weather.span("account.split", 60, 300), lambda: world.stop.set())
        return True

    async def _cancel_all(self) -> bool:
        """Somebody cancels everything at the broker's own site."""
        found = self._venue.open_orders()
        await self._ask("DELETE", "/v2/orders", b"")
        return bool(found)

    async def _trade_by_hand(self) -> bool:
        """Somebody buys or sells at the broker's own site, at the market or with a limit, with an id or without one."""
        world, draw = self._world, self._world.weather.number
        self._by_hand += 1
        symbol = world.symbols[draw("account.external_order", len(world.symbols))]
        side = ("buy", "sell")[draw("account.external_order", 2)]
        body: dict[str, Any] = {"symbol": symbol, "side": side, "qty": "3", "type": "market", "time_in_force": "day"}
        form = draw("account.external_order", 3)
        if form:
            body["client_order_id"] = f"{BY_HAND}-{self._by_hand}"
        if form == 2 and (quote := world.host.market.quote(symbol)) is not None:
            away = Decimal(draw("account.external_order", 21) - 10) / 1000
            body |= {"type": "limit", "limit_price": str((quote.mid * (1 + away)).quantize(_CENT))}
        return await self._ask("POST", "/v2/orders", msgspec.json.encode(body))

    # -- the exchange ----------------------------------------------------------------------------------------------

    async def _stop_trading(self) -> bool:
        """A symbol is halted for a while."""
        world = self._world
        symbol = world.symbols[world.weather.number("session.halt", len(world.symbols))]
        self._intervene(symbol, Doing.HALT)
        span = world.weather.span("session.halt", 5, 300)
        self._told(f"{symbol} is halted for {span}")
        world.later(span, lambda: self._intervene(symbol, Doing.RESUME))
        return True

    def _intervene(self, symbol: str, doing: Doing) -> None:
        host = self._world.host
        host.intervene(symbol, Intervention(ns_of(host.now) + _INSTANT_NS, doing))

    # -- inside ----------------------------------------------------------------------------------------------------

    @property
    def _venue(self) -> Venue:
        return self._world.desk.venue

    def _told(self, words: str) -> None:
        self._world.findings.tell(words)
        self._world.host.nudge()

    async def _ask(self, method: str, path: str, body: bytes) -> bool:
        reply = await self._world.network.venue.ask(method, path, (), HEADERS, body)
        return reply.status in (200, 207)
