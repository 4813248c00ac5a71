"""The live path: orders a second that are durable beside what the disk allows, and how late the loop is under load."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import numpy as np

from quant_trading_system.core.clock import SystemClock
from quant_trading_system.core.orders import OrderSide, OrderType
from quant_trading_system.execution.alpaca_market_stream import MarketStream
from quant_trading_system.execution.silence import SilenceWatch
from quant_trading_system.execution.stream_session import StreamSession
from quant_trading_system.journal.sqlite_store import SqliteJournal
from quant_trading_system.market.quotes import QuoteBoard
from quant_trading_system.trading.system import TradingSystem
from tests.bench.test_bench_journal import KEY, SENT
from tests.support.alpaca_lines import ACCESS
from tests.support.road import NOON, account, order

SYNCS = 300
ORDERS = 2_000


def syncs_a_second(directory: Path) -> float:
    """How often a second some kilobytes at the end of a file can be made durable here."""
    with (directory / "plain").open("wb", buffering=0) as file:
        begun = time.perf_counter()
        for _ in range(SYNCS):
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
        return SYNCS / (time.perf_counter() - begun)


async def _orders_a_second(journal: SqliteJournal, at_once: int) -> float:
    """Each order waits until its intent is durable before it leaves; so many are on their way at a time."""

    async def send(orders: int) -> None:
        for _ in range(orders):
            journal.append(SENT)
            await journal.durable()

    begun = time.perf_counter()
    await asyncio.gather(*(send(ORDERS // at_once) for _ in range(at_once)))
    return ORDERS // at_once * at_once / (time.perf_counter() - begun)


def test_durable_orders_in_company(benchmark, tmp_path, capsys):
    """One at a time waits for two hand-overs and a sync; in company they share commits, and the disk is no limit."""
    found: dict[int, float] = {}

    def measure() -> None:
        with SqliteJournal(tmp_path / "journal.db", KEY, group_commit=True) as journal:
            for at_once in (1, 8, 64):
                found[at_once] = asyncio.run(_orders_a_second(journal, at_once))

    most = syncs_a_second(tmp_path)
    benchmark.pedantic(measure, rounds=1)
    benchmark.extra_info.update(syncs_a_second=most, durable_orders=list(found.items()))
    with capsys.disabled():
        print(f"\n{most:,.0f} syncs a second of a plain file")
        for at_once, rate in found.items():
            print(f"  {at_once:>2} orders at once: {rate:8,.0f} durable orders a second, {rate / most:5.2f} per sync")
    assert found[1] < found[8] < found[64]


SYMBOLS = tuple(f"S{number:04d}" for number in range(1_000))
HELD = 20
BURST, EVERY_S, SECONDS = 500, 0.010, 3.0
"""Quotes in a burst, and how often one comes: fifty thousand a second."""


class Bursts:
    """A socket on which the other side agrees to everything and then sends bursts of quotes, in frames of a hundred."""

    def __init__(self, seed: int = 1) -> None:
        self._answers = [
            [{"T": "success", "msg": "connected"}],
            [{"T": "success", "msg": "authenticated"}],
            [{"T": "subscription", "quotes": SYMBOLS}],
        ]
        self._random = np.random.default_rng(seed)
        self._waiting: list[bytes] = []
        self._due = time.monotonic()
        self.latest: dict[str, float] = {}
        self.sent = 0
        self.is_over = asyncio.Event()

    async def receive(self) -> bytes:
        if self._answers:
            return msgspec.json.encode(self._answers.pop(0))
        while not self._waiting:
            if self.is_over.is_set():
                await asyncio.Event().wait()  # nothing comes any more
            self._due = max(self._due + EVERY_S, time.monotonic() - EVERY_S)
            await asyncio.sleep(max(self._due - time.monotonic(), 0))
            self._waiting = [self._frame() for _ in range(BURST // 100)]
        return self._waiting.pop()

    async def send(self, frame: object) -> None:
        """Whatever is asked for is granted."""

    async def close(self) -> None:
        """There is nothing to close."""

    async def open(self, *_: object) -> Bursts:
        return self

    @property
    def has_more(self) -> bool:
        """Frames that were made and not yet received."""
        return bool(self._waiting)

    def _frame(self) -> bytes:
        quotes = []
        for number, cents in self._random.integers((0, 9_990), (1_000, 10_010), (100, 2)).tolist():
            symbol, bid, self.sent = SYMBOLS[number], cents / 100, self.sent + 1
            self.latest[symbol] = bid
            at = (NOON + timedelta(microseconds=self.sent)).isoformat()
            quotes.append({"T": "q", "S": symbol, "bp": bid, "bs": 3, "ap": round(bid + 0.02, 2), "as": 2, "t": at})
        return msgspec.json.encode(quotes)


async def _trade_in_the_stream(system: TradingSystem, socket: Bursts) -> tuple[list[float], list[float]]:
    """How late the loop comes to what is due, and how long an order and its cancel take meanwhile; seconds."""
    board, woken = system.ports.quotes, asyncio.Event()
    assert isinstance(board, QuoteBoard)
    board.subscribe(lambda _: woken.set())
    clock = SystemClock()

    async def nothing_missed() -> bool:
        return True

    stream = MarketStream(
        socket, ACCESS, clock, lambda _: None, feed="sip", subscriptions={"quotes": SYMBOLS}, board=board,
        watch=SilenceWatch(clock, {}, []), catch_up=nothing_missed, silence_is_normal=lambda: True,
    )  # fmt: skip

    async def turns() -> None:
        while True:
            await woken.wait()
            woken.clear()
            await system.engine.on_step()
            await asyncio.sleep(0)

    session = StreamSession(stream, clock, lambda _: None)
    work = [asyncio.create_task(session.run()), asyncio.create_task(turns())]
    late, orders, ends = [], [], time.monotonic() + SECONDS
    far = msgspec.structs.replace(
        order(SYMBOLS[-1], OrderSide.BUY), order_type=OrderType.LIMIT, limit_price=Decimal("98.00")
    )
    while time.monotonic() < ends:
        due = time.monotonic() + 0.005
        await asyncio.sleep(0.005)
        began = time.monotonic()
        late.append(began - due)
        placed = await system.orders.submit(far)
        await system.orders.cancel(placed.order_id)
        orders.append(time.monotonic() - began)
    socket.is_over.set()
    while session.backlog or socket.has_more:
        await asyncio.sleep(0.01)
    for task in work:
        task.cancel()
    await asyncio.gather(*work, return_exceptions=True)
    return late, orders


def test_a_thousand_streaming_symbols_hold_up_nothing(benchmark, capsys):
    """The engine looks at the latest quotes only, however many have come; what is due comes between the frames."""
    system, venue = account(len(SYMBOLS))
    for symbol in SYMBOLS[:HELD]:
        asyncio.run(system.orders.submit(order(symbol, OrderSide.BUY)))
        venue.run_until(NOON)
    socket = Bursts()
    found: list[tuple[list[float], list[float]]] = []
    benchmark.pedantic(lambda: found.append(asyncio.run(_trade_in_the_stream(system, socket))), rounds=1)
    late, orders = ([span * 1e3 for span in sorted(spans)] for spans in found[0])
    share = socket.sent / SECONDS
    with capsys.disabled():
        print(f"\n{share:,.0f} quotes a second of {len(SYMBOLS):,} symbols")
        for name, spans in {"late by": late, "order and cancel": orders}.items():
            print(
                f"  {name:<18} median {spans[len(spans) // 2]:6.2f} ms   99 % {spans[len(spans) * 99 // 100]:6.2f} ms"
            )
    lateness = {"median": late[len(late) // 2], "99 %": late[len(late) * 99 // 100]}
    benchmark.extra_info.update(quotes_a_second=share, late_ms=lateness)
    quotes = {symbol: system.ports.quotes.quote(symbol) for symbol in socket.latest}
    assert {symbol: float(quote.bid) for symbol, quote in quotes.items() if quote is not None} == socket.latest
