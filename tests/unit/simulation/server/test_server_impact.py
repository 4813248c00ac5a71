"""Executions move the venue's prices for everybody, and queues, spreads and volumes are what was asked for."""

from contextlib import closing
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pytest

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.simulation.alpaca_server.accounts import AccountSpec
from quant_trading_system.simulation.alpaca_server.host import Host
from quant_trading_system.simulation.alpaca_server.live_market import ns_of
from quant_trading_system.simulation.alpaca_server.store import Scenery, Store
from quant_trading_system.simulation.alpaca_server.tape import Doing, Intervention
from quant_trading_system.simulation.alpaca_server.venue_time import SteppedClock
from quant_trading_system.simulation.realism import MarketImpact, Realism, SpreadModel, VolumeCurve
from tests.support.venue_front import BOB, CLOSE, MONDAY, OPEN, RULES, SPY_AND_KO, scene

D = Decimal
TUESDAY = date(2026, 1, 13)
RICH = AccountSpec("alice", "PKALICE", "alice's secret", D(10) ** 12)
REALISM = Realism(impact=MarketImpact(temporary_bps=D(100), permanent_bps=D(10_000)))
MARKET = scene(realism=REALISM)
A_TENTH = 30_000_000
"""Shares of KO, about a tenth of its day."""


def life(store=None):
    clock = SteppedClock((store and store.resumed_at()) or OPEN)
    host = Host(MARKET, clock, [RICH, BOB], RULES._replace(realism=REALISM))
    if store is not None:
        scenery = Scenery(
            source="random", symbols=dict(SPY_AND_KO), seed=7, steps=391, always_open=False, begin=MONDAY,
            start=OPEN, realism=REALISM,
        )  # fmt: skip
        store.begin(scenery, host)
    host.begin()
    return host, clock


def go_on(host, clock, **span):
    clock.leap_to(clock.now() + timedelta(**span))
    host.settle()


def trade(host, side="buy", quantity=A_TENTH):
    wanted = {"symbol": "KO", "qty": str(quantity), "side": side, "type": "market", "time_in_force": "day"}
    order = host.desks[0].venue.submit_request(wanted)
    host.settle()
    return host.desks[0].venue.executions(order.client_order_id)


def moved_by(host, day=MONDAY, *, after=None):
    """How far the last prices of a day are away from the paths, as fractions."""
    plain, now = MARKET.paths.ticks("KO", day), host.tape.ticks("KO", day)
    later = slice(None) if after is None else plain.at > ns_of(after)
    return (now.last[later] / plain.last[later] - 1).round(3)


def test_everybody_sees_later_prices_moved_and_nobody_earlier_ones():
    host, clock = life()
    go_on(host, clock, minutes=10)
    other = host.desks[1].venue
    before = host.market.quote("KO")
    (fill,) = trade(host)
    share = A_TENTH / MARKET.paths.summary("KO", MONDAY).volume
    assert host.market.quote("KO") == before
    assert fill.price > before.ask  # the temporary part is paid by the order alone
    assert (moved_by(host, after=host.now) == round(share, 3)).all()
    assert moved_by(host)[:10].tolist() == [0.0] * 10
    assert (moved_by(host, TUESDAY) == round(share, 3)).all()
    go_on(host, clock, minutes=1)
    wanted = {"symbol": "KO", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
    order = other.submit_request(wanted)
    host.settle()
    seen = host.market.quote("KO")
    assert [fill.price for fill in other.executions(order.client_order_id)] == [seen.ask]
    assert float(seen.ask) == pytest.approx(float(before.ask) * (1 + share), rel=0.01)
    assert (host.tape.ticks("KO", MONDAY).bid < host.tape.ticks("KO", MONDAY).ask).all()


def test_a_sale_takes_back_what_a_purchase_did():
    host, clock = life()
    go_on(host, clock, minutes=10)
    trade(host)
    go_on(host, clock, minutes=1)
    trade(host, "sell")
    assert (moved_by(host, after=host.now) == 0).all()


def test_the_second_order_of_a_minute_pays_for_the_first_and_the_next_minute_does_not():
    host, clock = life()
    go_on(host, clock, minutes=10)
    paid = []
    for wait in ({"seconds": 1}, {"minutes": 1}, {}):
        quote = host.market.quote("KO")
        (fill,) = trade(host, quantity=50_000)
        paid.append(fill.price - quote.ask)
        go_on(host, clock, **wait)
    assert paid[1] > 2 * paid[0] > 0
    assert paid[2] < paid[1]


def test_what_was_moved_stays_moved_after_a_restart(tmp_path):
    path = tmp_path / "venue.db"
    with closing(Store(path, ManualClock(OPEN))) as store:
        host, clock = life(store)
        go_on(host, clock, minutes=10)
        trade(host)
        go_on(host, clock, minutes=1)
        store.save()
    with closing(Store(path, ManualClock(OPEN))) as again:
        revived, _ = life(again)
        assert revived.market.quote("KO") == host.market.quote("KO")
        assert revived.tape.interventions("KO") == host.tape.interventions("KO")
        assert again.scenery().realism == REALISM


def test_an_operators_price_stands():
    host, clock = life()
    go_on(host, clock, minutes=10)
    act = Intervention(host.market.now_ns + 1_000, Doing.HOLD, 60_000_000, 59_990_000, 60_010_000)
    host.intervene("KO", act)
    go_on(host, clock, minutes=1)
    trade(host)
    go_on(host, clock, minutes=1)
    assert host.market.quote("KO").last == 60


@pytest.mark.parametrize("steps", [391, None])
def test_the_spread_is_wider_at_the_opening_and_the_volume_even(steps):
    shape = Realism(spread=SpreadModel(at_open=D(5)), volume=VolumeCurve(at_open=D(1), at_close=D(1)))
    plain, shaped = (scene(steps=steps, **more).paths.ticks("SPY", MONDAY) for more in ({}, {"realism": shape}))
    assert np.array_equal(plain.last, shaped.last)
    width, usual = shaped.ask - shaped.bid, plain.ask - plain.bid
    assert width[0] == pytest.approx(5 * usual[0], rel=0.05)
    assert width[-1] == usual[-1]
    noon = len(plain.at) // 2
    assert shaped.size[:noon].sum() == pytest.approx(shaped.size[noon:-1].sum(), rel=0.05)
    assert shaped.size[:30].sum() < 0.65 * plain.size[:30].sum()


def test_nothing_trades_around_the_session_so_no_queue_moves():
    host, clock = life()
    go_on(host, clock, minutes=10)
    assert host.market.volume("KO") > 0
    clock.leap_to(CLOSE + timedelta(minutes=30))
    host.settle()
    assert host.market.volume("KO") is None
