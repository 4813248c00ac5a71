"""Stormy days on the real road of an order: whatever the line to Alpaca loses, doubles or delays, the books agree."""

from __future__ import annotations

import asyncio
import json
from datetime import date
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.exceptions import BrokerTimeout
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.execution.alpaca_api import AlpacaApi
from quant_trading_system.execution.alpaca_broker import AlpacaBroker
from quant_trading_system.execution.alpaca_client import AlpacaClient
from quant_trading_system.execution.order_manager import Placed
from quant_trading_system.execution.order_store import OrderRecord
from quant_trading_system.execution.transport import Reply
from quant_trading_system.market.sessions import TradingCalendar
from quant_trading_system.risk.kill_switch import stops
from quant_trading_system.risk.latch import MemoryLatch
from quant_trading_system.risk.position_sizer import EqualWeight, OwnWeight
from quant_trading_system.trading.ports import Ports
from quant_trading_system.trading.system import TradingSystem, assemble
from tests.support.alpaca_lines import ACCESS, START, ScriptedTransport, pass_time, settled
from tests.support.desk import limits_with
from tests.support.fake_alpaca import CLOSED, FakeAlpaca
from tests.support.list_journal import ListJournal
from tests.support.market import UNIVERSE, FixedCorrelations, HandBoard
from tests.support.orders import buy

D = Decimal
SYMBOLS = ("KO", "PEP", "XOM")
LOST = BrokerTimeout("no answer in time")
NEVER_THERE = {OrderStatus.DENIED, OrderStatus.UNSENT, OrderStatus.IN_DOUBT}
"""Refused by the gate, not sent because the stream was down, or lost on the way: silence alone proves nothing."""
MEANS = {"filled": OrderStatus.FILLED, "canceled": OrderStatus.CANCELED, "expired": OrderStatus.EXPIRED}


class Day:
    """A whole account in front of a fake Alpaca, and chance deciding what happens between the two."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.clock = ManualClock(START)
        self.alpaca = FakeAlpaca()
        self.undelivered: list[Any] = []
        latch = MemoryLatch()
        board = HandBoard(self.clock)
        api = AlpacaApi(ScriptedTransport(script=self.alpaca.serve), self.clock, lambda _: None, source="trading")
        self.broker = AlpacaBroker(
            AlpacaClient(api),
            self.alpaca.opener,
            ACCESS,
            self.clock,
            lambda _: None,
            latch=lambda approved: stops(latch, approved.order, shrinking=approved.shrinks),
            seed=seed,
        )
        self.board = board
        self.system: TradingSystem = assemble(
            Ports(
                clock=self.clock,
                market_clock=self.clock,
                calendar=TradingCalendar.nyse(date(2027, 3, 1), date(2027, 3, 31)),
                quotes=board,
                broker=self.broker,
                journal=ListJournal([]),
                latch=latch,
                correlations=FixedCorrelations(),
            ),
            run=f"storm{seed}",
            cash=D(100_000),
            limits=limits_with(max_broker_errors=1_000_000),  # of which a storm is made
            universe=UNIVERSE,
            sizer=OwnWeight(EqualWeight()),
        )
        self.early: list[str] = []
        self.system.orders.on_settled(self.settled_too_early)

    def settled_too_early(self, record: OrderRecord) -> None:
        """An order that ended at the broker has all its fills there; its end must not be believed without them."""
        if record.order_id in self.alpaca.orders:
            missing = D(self.alpaca.orders[record.order_id]["filled_qty"]) - record.filled
            if missing:
                self.early.append(f"{record} ended with {missing} shares unbooked")

    async def live(self, hours: int) -> None:
        following = asyncio.create_task(self.broker.run())
        await settled()
        for _ in range(hours):
            for symbol in SYMBOLS:
                self.board.put(symbol, "61.24", "61.26")
            doing = self.chance.choice([self.trade, self.trade, self.execute, self.execute, self.end, self.disturb])
            await self.done(doing())
            await self.deliver()
            await pass_time(self.clock, self.chance.choice([0, 1, 7, 45]))
            self.alpaca.seconds = max(self.alpaca.seconds, self.clock.monotonic())
        await self.calm_down()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await settled()

    async def done(self, work: Any) -> None:
        """Let pass what time `work` needs."""
        task = asyncio.ensure_future(work)
        await settled()
        while not task.done():
            await pass_time(self.clock, 1)
        task.result()

    async def trade(self) -> None:
        """An order, whose answer may get lost before or after it has arrived; none for a symbol that is in doubt."""
        after = [lambda _: LOST, lambda _: LOST, lambda _: Reply(502), lambda _: Reply(200)]
        answer = self.chance.choice([*[None] * 8, *after, LOST])
        if answer is not None:
            self.alpaca.faults["POST"].append(answer)
        placed = await self.system.orders.submit(buy(8, self.chance.choice(SYMBOLS), limit="61.25"))
        self.alpaca.faults["POST"].clear()
        if isinstance(placed, Placed) and self.chance.random() < 0.3:
            await self.system.orders.cancel(placed.order_id)

    async def execute(self) -> None:
        """Some working order fills, in part or the rest of it."""
        identity = self.pick()
        if identity is not None:
            rest = 8 - int(self.alpaca.orders[identity]["filled_qty"])
            quantity = self.chance.randint(1, rest)
            self.keep(self.alpaca.fill(identity, str(quantity)))

    async def end(self) -> None:
        """Some working order ends."""
        identity = self.pick()
        if identity is not None:
            self.keep(self.alpaca.happens(identity, self.chance.choice(["canceled", "expired"])))

    async def disturb(self) -> None:
        """The line is cut, a reading fails, or rubbish comes."""
        fault = self.chance.randint(0, 2)
        if fault == 0:
            self.alpaca.opener.socket.cut()
            self.undelivered.clear()
        elif fault == 1:
            self.alpaca.faults["GET"].extend([Reply(500)] * self.chance.randint(1, 6))
        else:
            self.alpaca.opener.socket.push('{"stream":"trade_updates","data":null}')

    async def deliver(self) -> None:
        """The messages that were kept come in any order, some not at all and some twice."""
        self.chance.shuffle(self.undelivered)
        for message in self.undelivered:
            for _ in range(self.chance.choice([0, 1, 1, 2])):
                self.alpaca.opener.socket.push(message)
        self.undelivered.clear()
        await settled()

    async def calm_down(self) -> None:
        """No more faults for five minutes."""
        for queue in self.alpaca.faults.values():
            queue.clear()
        self.alpaca.is_mute = False
        await pass_time(self.clock, 300)

    def pick(self) -> str | None:
        working = [name for name, order in self.alpaca.orders.items() if order["status"] not in CLOSED]
        return self.chance.choice(working) if working else None

    def keep(self, message: Any) -> None:
        self.undelivered.append(json.loads(json.dumps(message)))


@pytest.mark.parametrize("seed", range(12))
def test_the_books_agree_after_a_stormy_day(seed):
    """Every order was sent once, every share is booked once, and every order that ended has ended for us."""
    day = Day(seed)
    day.alpaca.is_mute = True  # `deliver` decides what is told
    asyncio.run(day.live(hours=60))
    theirs = day.alpaca.orders
    sent = [json.loads(r.body)["client_order_id"] for r in day.alpaca.requests if r.method == "POST"]
    assert len(sent) == len(set(sent))
    assert sent
    for symbol in SYMBOLS:
        bought = sum(D(order["filled_qty"]) for order in theirs.values() if order["symbol"] == symbol)
        assert day.system.portfolio.position(symbol).quantity == bought
    paid = sum(D(fill["qty"]) * D(fill["price"]) for fill in day.alpaca.fills)
    assert day.system.portfolio.cash == D(100_000) - paid
    for record in day.system.orders.orders():
        shown = theirs.get(record.order_id)
        if shown is None:
            assert record.status in NEVER_THERE
        else:
            assert record.filled == D(shown["filled_qty"])
            assert record.status.is_open == (shown["status"] not in CLOSED)
            if shown["status"] in MEANS:
                assert record.status is MEANS[shown["status"]]
    assert [] == day.early
    assert not day.system.kill_switch.is_active()
