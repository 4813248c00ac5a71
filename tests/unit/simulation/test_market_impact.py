"""Our executions move prices by known amounts: on the tick, adding up, and back again."""

from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from quant_trading_system.app.bootstrap import Setup, simulated_account
from quant_trading_system.core.orders import TimeInForce
from quant_trading_system.market.quotes import Quote
from quant_trading_system.simulation import paths
from quant_trading_system.simulation.models import SlippageModel
from quant_trading_system.simulation.realism import PARTS, MarketImpact, Realism
from tests.support.algo_venue import AlgoVenue, parent_of, random_days
from tests.support.venue_desk import VenueDesk

D = Decimal
LINEAR = MarketImpact(temporary_bps=D(100), permanent_bps=D(50))
ROOT = MarketImpact(temporary_bps=D(100), exponent=D("0.5"))


@pytest.mark.parametrize(
    ("impact", "quantity", "dollars"),
    [
        (LINEAR, 1000, "0.1"),  # 1 % of 100 at a rate of 10 %
        (LINEAR, 10_000, "1"),
        (ROOT, 100, "0.1"),
        (ROOT, 10_000, "1"),
        (MarketImpact(temporary_bps=D(100), exponent=D("0.25")), 1, "0.1"),
    ],
)
def test_the_temporary_impact_of_a_rate(impact, quantity, dollars):
    assert impact.adverse(D(100), D(0), D(quantity), D(10_000)) == D(dollars)


@pytest.mark.parametrize("impact", [LINEAR, ROOT, MarketImpact(temporary_bps=D(30), exponent=D("0.6"))])
def test_cutting_an_order_into_parts_saves_nothing(impact):
    price, volume = D("57.31"), D(10_000)
    whole = 900 * impact.adverse(price, D(0), D(900), volume)
    done, cut = D(0), D(0)
    for part in map(D, (100, 1, 499, 300)):
        cut += part * impact.adverse(price, done, part, volume)
        done += part
    assert abs(cut - whole) < D("1E-20")


def test_without_a_volume_nothing_is_paid():
    assert LINEAR.adverse(D(100), D(0), D(10), None) == LINEAR.adverse(D(100), D(0), D(10), D(0)) == 0


@pytest.mark.parametrize("exponent", ["1", "0.5", "0.6"])
def test_what_a_limit_pays_for_is_the_most_that_it_pays_for(exponent):
    impact = MarketImpact(temporary_bps=D(100), exponent=D(exponent))
    most = impact.affordable(D(100), D("0.25"), D(40), D(9_000), D(10_000), fractional=False)
    assert impact.adverse(D(100), D(40), most, D(10_000)) <= D("0.25")
    assert impact.adverse(D(100), D(40), most + 1, D(10_000)) > D("0.25")
    assert impact.affordable(D(100), D(5), D(0), D(9_000), D(10_000), fractional=False) == 9_000


def test_the_permanent_impact_is_linear_and_taken_back_by_a_round_trip():
    assert LINEAR.displacement(D(1000), D(100_000)) == PARTS // 20_000  # half a basis point
    assert LINEAR.displacement(D(7), D(99_991)) == -LINEAR.displacement(D(-7), D(99_991))
    assert LINEAR.displacement(D(7), D(0)) == 0


@pytest.mark.parametrize(
    "bad", [{"temporary_bps": D(-1)}, {"permanent_bps": D(-1)}, {"exponent": D(0)}, {"exponent": D("1.1")}]
)
def test_impossible_impacts_are_refused(bad):
    with pytest.raises(ValueError, match="impact"):
        MarketImpact(**bad)


def test_displaced_prices_stay_on_the_tick_above_zero_and_apart():
    last = np.array([63_240_000, 999_900, 100])
    bid, ask = np.array([63_230_000, 999_800, 100]), np.array([63_250_000, 1_000_000, 200])
    for share in (-0.999, -0.01, 0.0, 0.00001, 0.0002, 0.02):
        moved = paths.displaced(last, bid, ask, share)
        assert all((column % paths.ticks(column) == 0).all() and (column > 0).all() for column in moved)
        assert (moved[1] < moved[2]).all()
    still = paths.displaced(last, bid, ask, 0.0)
    assert [column.tolist() for column in still] == [last.tolist(), bid.tolist(), ask.tolist()]


# -- at the venue -------------------------------------------------------------------------------------------------


def impact_desk(impact: MarketImpact = LINEAR, size: int = 300) -> VenueDesk:
    desk = VenueDesk(realism=Realism(impact=impact), cash="10000000")
    now = desk.clock.now()
    desk.venue.on_quote(Quote("KO", D("99.98"), D("100"), now, now, D("99.99"), D(size), D(size)), D(10_000))
    return desk


def test_a_market_order_pays_for_its_rate_on_the_tick():
    desk = impact_desk()
    assert desk.fills(desk.buy(1000)) == [("1000", "100.10")]
    assert desk.fills(desk.buy(1000)) == [("1000", "100.30")]  # the second thousand of the same window
    assert desk.fills(desk.sell(2000)) == [("2000", "99.78")]  # 99.98 less 0.19996, against us


def test_a_limit_at_the_touch_takes_what_is_quoted_and_rests_with_the_rest():
    desk = impact_desk()
    order = desk.buy(1000, limit="100")
    assert desk.fills(order) == [("300", "100")]
    assert desk.fills(desk.buy(100, limit="100")) == []  # nothing is left there


def test_a_limit_beyond_the_touch_takes_what_it_pays_for():
    desk = impact_desk()
    assert desk.fills(desk.buy(1000, limit="100.05")) == [("500", "100.05")]
    other = impact_desk()
    assert other.fills(other.buy(1000, limit="101")) == [("1000", "100.10")]


def test_fill_or_kill_does_not_take_a_part():
    desk = impact_desk()
    order = desk.buy(1000, limit="100.05", in_force=TimeInForce.FOK)
    assert (desk.fills(order), desk.status(order)) == ([], "canceled")


def test_two_impacts_are_one_too_many():
    with pytest.raises(ValueError, match="one impact only"):
        VenueDesk(realism=Realism(impact=LINEAR), slippage=SlippageModel(impact_bps=D(1)))


def test_the_permanent_part_moves_the_prices_of_everybody_from_the_next_one_on():
    history = random_days(2, sigma=0.02, daily_volume=1_000_000, seed=4)
    realism = Realism(impact=MarketImpact(permanent_bps=D(10_000)))  # a day's volume doubles the price
    order = parent_of("P00000", [1, 0, 0, 0], quantity=D(100_000))
    plain = AlgoVenue(history, 4, realism, sigma=0.02, seed=4)
    pushed = AlgoVenue(history, 4, realism, sigma=0.02, seed=4)
    plain.run([])
    (result,) = pushed.run([order])
    assert [fill.price for fill in result.fills] == [pushed.parents["P00000"].arrival + D("0.005")]
    before, after = plain.market.last_micros.tolist(), pushed.market.last_micros.tolist()
    assert after[0] == pytest.approx(before[0] * 1.1, abs=10_000)
    assert after[1] == before[1]
    assert plain.market.volume("P00000") == pushed.market.volume("P00000")


def test_a_round_trip_leaves_no_trace():
    history = random_days(1, sigma=0.02, daily_volume=1_000_000, seed=4)
    desk = AlgoVenue(history, 4, Realism(impact=MarketImpact(permanent_bps=D(5000))), sigma=0.02, seed=4)
    desk.market.advance()
    first = desk.market.quote("P00000")
    desk.market.press("P00000", D(12_345))
    assert desk.market.quote("P00000") == first  # the present price stands
    desk.market.press("P00000", D(-12_345))
    plain = AlgoVenue(history, 4, Realism(), sigma=0.02, seed=4).market
    plain.advance()
    assert [desk.market.last_micros.tolist() for _ in desk.market] == [plain.last_micros.tolist() for _ in plain]


def test_a_backtest_is_made_with_the_market_that_was_asked_for():
    history = random_days(2, sigma=0.02, daily_volume=1_000_000, seed=4)
    realism = Realism(queue=True, impact=LINEAR)
    plain, same, other = (
        simulated_account(history, setup) for setup in (Setup(), Setup(realism=Realism()), Setup(realism=realism))
    )
    assert plain.run == same.run != other.run  # what is off does not even change the names of orders
    for account in (plain, other):
        account.market.advance()
    assert plain.market.quote("P00000").ask_size == 0 < other.market.quote("P00000").ask_size


def test_everything_off_is_the_market_as_it_was():
    assert Realism() == Realism(queue=False, impact=None, spread=None, volume=None)
    history = random_days(3, sigma=0.02, daily_volume=1_000_000, seed=4)
    market = AlgoVenue(history, 4, Realism(), sigma=0.02, seed=4).market
    market.advance()
    quote = market.quote("P00000")
    assert (quote.bid_size, quote.ask_size) == (0, 0)
    assert quote.at.date() == date(2024, 1, 9)
