"""Orders over real HTTP on loopback: this client beside the official one, against the same venue, in one run."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable
from decimal import Decimal

import pytest

from quant_trading_system.core.clock import SystemClock
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce
from quant_trading_system.execution.alpaca_api import AlpacaApi
from quant_trading_system.execution.alpaca_client import AlpacaClient
from quant_trading_system.execution.http_transport import HttpTransport
from tests.support import alpaca_sdk as sdk
from tests.support.alpaca_lines import approved
from tests.support.venue_process import Keys, VenueProcess, running_venue

ROUNDS, ORDERS = 7, 100
"""The ways take turns, so that whatever else the machine does slows all of them."""
WARM_UP = 20

Way = Callable[[int], tuple[list[float], float]]
"""Sends orders with numbers from the given one on: the seconds of each, and orders a second."""


@pytest.fixture(scope="module")
def venue():
    options = ("--always-open", "--symbols", "KO:60", "--rate-limit", "0")
    with running_venue(*options, accounts=3, cash="10000000") as running:
        yield running


def resting(number: int) -> Order:
    """A limit order far below the market, so that only the wire and the venue's door are measured."""
    return Order(
        symbol="KO", side=OrderSide.BUY, quantity=Decimal(1), order_type=OrderType.LIMIT,
        limit_price=Decimal("30.00"), time_in_force=TimeInForce.DAY, client_order_id=f"bench-{number}",
    )  # fmt: skip


async def _with_ours(venue: VenueProcess, keys: Keys, at_once: int, begin: int) -> tuple[list[float], float]:
    transport = HttpTransport(venue.url, {"APCA-API-KEY-ID": keys.key, "APCA-API-SECRET-KEY": keys.secret})
    api = AlpacaApi(transport, SystemClock(), lambda _: None, source="bench")
    client = AlpacaClient(api)
    spans: list[float] = []

    async def one(number: int) -> None:
        begun = time.perf_counter()
        await client.submit(approved(resting(number)))
        spans.append(time.perf_counter() - begun)

    try:
        for number in range(begin, begin + WARM_UP):
            await one(number)
        spans.clear()
        begun = time.perf_counter()
        for first in range(begin + WARM_UP, begin + WARM_UP + ORDERS, at_once):
            if at_once == 1:
                await one(first)
            else:
                await asyncio.gather(*(one(number) for number in range(first, first + at_once)))
        return spans, len(spans) / (time.perf_counter() - begun)
    finally:
        await api.close()


def _with_the_official_client(venue: VenueProcess, keys: Keys, begin: int) -> tuple[list[float], float]:
    client = sdk.TradingClient(keys.key, keys.secret, paper=True, url_override=venue.url)
    spans: list[float] = []
    begun = time.perf_counter()
    for number in range(WARM_UP + ORDERS):
        if number == WARM_UP:
            spans, begun = [], time.perf_counter()
        asked = sdk.LimitOrderRequest(
            symbol="KO", qty=1, side=sdk.OrderSide.BUY, time_in_force=sdk.TimeInForce.DAY,
            limit_price=30.0, client_order_id=f"bench-{begin + number}",
        )  # fmt: skip
        sent = time.perf_counter()
        client.submit_order(asked)
        spans.append(time.perf_counter() - sent)
    return spans, ORDERS / (time.perf_counter() - begun)


def test_round_trips_beside_the_official_client(venue, benchmark, capsys):
    """Milliseconds from the request to the answer, and orders a second, one after another and eight at once."""
    rates: dict[str, list[float]] = {}
    benchmark.pedantic(lambda: rates.update(_compared(venue, capsys)), rounds=1)
    benchmark.extra_info.update(orders_a_second={name: statistics.median(found) for name, found in rates.items()})
    assert statistics.median(_times(rates, "this client, 8 at once")) >= 2


def _times(rates: dict[str, list[float]], name: str) -> list[float]:
    """How many times as many orders a second as with the official client, round by round."""
    return [ours / theirs for ours, theirs in zip(rates[name], rates["alpaca-py"], strict=True)]


def _compared(venue: VenueProcess, capsys: pytest.CaptureFixture[str]) -> dict[str, list[float]]:
    alone, official, company = (venue.fresh_account() for _ in range(3))
    ways: dict[str, Way] = {
        "this client": lambda begin: asyncio.run(_with_ours(venue, alone, 1, begin)),
        "alpaca-py": lambda begin: _with_the_official_client(venue, official, begin),
        "this client, 8 at once": lambda begin: asyncio.run(_with_ours(venue, company, 8, begin)),
    }
    spans: dict[str, list[float]] = {name: [] for name in ways}
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(ROUNDS):
        for name, way in ways.items():
            taken, rate = way(turn * 1_000)
            assert len(taken) >= ORDERS
            spans[name] += taken
            rates[name].append(rate)
    with capsys.disabled():
        print()
        for name, taken in spans.items():
            middle, slow = statistics.median(taken) * 1e3, sorted(taken)[len(taken) * 99 // 100] * 1e3
            rate, times = statistics.median(rates[name]), sorted(_times(rates, name))
            print(
                f"  {name:<24} median {middle:5.2f} ms   99 % {slow:6.2f} ms   {rate:6.0f} orders a second   "
                f"{statistics.median(times):4.2f} times alpaca-py ({times[0]:4.2f} to {times[-1]:4.2f})"
            )
    return rates
