"""The venue behind its wire and the venue in a backtest are one: same orders, same prices, same cash to the cent."""

import asyncio
from decimal import Decimal
from random import Random

import pytest

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.simulation.account_rules import AccountRules
from quant_trading_system.simulation.admission import VenueRefusal
from quant_trading_system.simulation.alpaca_server.accounts import _seed_of
from quant_trading_system.simulation.blocks import StepKind
from quant_trading_system.simulation.fees import FeeSchedule
from quant_trading_system.simulation.market import SimulatedMarket
from quant_trading_system.simulation.records import OrderQuery
from quant_trading_system.simulation.venue import Venue
from tests.support.venue_front import ALICE, MONDAY, scene, venue_front

STEPS, DAYS = 13, 3


def decisions(seed):
    """What a customer does at each step; None to cancel everything."""
    random = Random(seed)
    for _ in range(STEPS * DAYS):
        orders = []
        for _ in range(random.randrange(3)):
            side = random.choice(["buy", "sell"])
            body = {"symbol": random.choice(["SPY", "KO"]), "qty": str(random.randrange(1, 20)), "side": side}
            body |= {"type": "market", "time_in_force": random.choice(["day", "gtc"])}
            if random.random() < 0.5:
                price = 570 if body["symbol"] == "SPY" else 65
                body |= {"type": "limit", "limit_price": str(price + random.randrange(-3, 4))}
            orders.append(body)
        yield None if random.random() < 0.1 else orders


def in_process(market_scene, seed):
    history = market_scene.paths._history
    market = SimulatedMarket(
        history, market_scene.calendar, seed=7, first_bar=history.index_of(MONDAY), steps_per_session=STEPS
    )
    clock = ManualClock(market_scene.start)
    venue = Venue(
        clock,
        market_scene.calendar,
        instruments=market_scene.instruments,
        cash=ALICE.cash,
        seed=_seed_of(7, ALICE.name),
        fees=FeeSchedule.zero(),
        market=market,
        rules=AccountRules.alpaca(),
    )
    for orders, step in zip(decisions(seed), market, strict=False):
        clock.move_to(step.at)
        venue.run_until(step.at)
        if step.kind is StepKind.OPEN:
            venue.open_session(step.at)
        for symbol in venue.symbols_with_orders():
            venue.on_quote(market.quote(symbol), market.volume(symbol))
        for body in orders or ():
            try:
                venue.submit_request(body)
            except VenueRefusal:
                continue
            venue.run_until(step.at)  # each arrives before the next is asked for, however slow the machine is
        if orders is None:
            venue.cancel_all()
        venue.run_until(step.at)
        if step.kind is StepKind.CLOSE:
            venue.close_session(step.at)
    return outcome(venue)


async def over_the_wire(market_scene, seed):
    async with venue_front(market_scene, held=False) as front:
        for number, orders in enumerate(decisions(seed)):
            if number:
                await front.command("/time", {"ticks": 1})
            for body in orders or ():
                await front.ask("POST", "/v2/orders", body)
                await front.command("/settle", {})
            if orders is None:
                await front.ask("DELETE", "/v2/orders")
            await front.command("/settle", {})
        await front.command("/time", {"ticks": 1})
        return outcome(front.host.desks[0].venue)


def outcome(venue):
    """Fills, final orders and cash; times differ by the microsecond before each close."""
    fills = [(entry.symbol, str(entry.quantity), str(entry.price), str(entry.cash)) for entry in venue.statement()]
    orders = [
        (order.status.value, str(order.filled_quantity)) for order in venue.orders(OrderQuery(status="all", limit=500))
    ]
    return fills, orders, venue.account().cash


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_strategy_ends_with_the_same_fills_and_the_same_cash(seed):
    market_scene = scene(steps=STEPS)
    direct = in_process(market_scene, seed)
    assert asyncio.run(over_the_wire(market_scene, seed)) == direct
    assert len(direct[0]) > 15
    assert direct[2] != Decimal(100_000)
