"""What is held of a company that is listed no more becomes cash: worked out by hand, to the cent."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from msgspec import structs

from quant_trading_system.app.backtesting import BacktestResult, backtest, run_account, write_report
from quant_trading_system.app.bootstrap import Costs, Setup, simulated_account
from quant_trading_system.core.events import PositionAdopted
from quant_trading_system.core.instruments import Instrument, Universe
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce
from quant_trading_system.journal.replay import replay
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.market.loading import load_prices
from quant_trading_system.risk.position_sizer import EqualWeight
from quant_trading_system.simulation.activities import ActivityQuery, CashActivity
from quant_trading_system.simulation.fees import FeeSchedule
from quant_trading_system.simulation.models import LatencyModel, SlippageModel
from quant_trading_system.trading.strategy import MarketView, Strategy
from tests.support.desk import UNHURRIED, limits_with
from tests.support.minute_bars import minute_bars

D = Decimal
BUY, SELL = OrderSide.BUY, OrderSide.SELL
CASH = D(100_000)
FREE = Costs(spread_bps=D(0), fees=FeeSchedule.zero(), latency=LatencyModel(), slippage=SlippageModel(bps=D(0)))
DAYS = ("2022-01-03", "2022-01-04", "2022-01-05", "2022-01-06", "2022-01-07", "2022-01-10", "2022-01-11")
LEAVES = {
    "GONE": ("50.00", "52.00", "55.00", "54.37", None, None, None),
    "KEPT": ("20.00", "20.00", "20.00", "21.00", "22.00", "23.00", "24.00"),
}
"""GONE had its last bar on Thursday the sixth; it becomes cash on the seventh, at $54.37."""
BELL = datetime(2022, 1, 7, 14, 30, tzinfo=UTC)


def rows_of(columns: Mapping[str, Sequence[str | None]], days: slice = slice(None)) -> str:
    """Bars that begin where the one before ended, and lie between the two."""
    rows = ["date,symbol,open,high,low,close"]
    for symbol, column in columns.items():
        for day, before, close in list(zip(DAYS, (column[0], *column), column, strict=False))[days]:
            if close is not None:
                opened = before or close
                rows.append(f"{day},{symbol},{opened},{max(opened, close)},{min(opened, close)},{close}")
    return "\n".join(rows) + "\n"


def bars(directory: Path, columns: Mapping[str, Sequence[str | None]]) -> PriceHistory:
    """The prices of a file of daily bars."""
    path = directory / "bars.csv"
    path.write_text(rows_of(columns))
    return load_prices(path)


def order(symbol: str, side: OrderSide, quantity: str, limit: str | None = None) -> Order:
    """At the market for the day; with a limit until it is cancelled."""
    return Order(
        symbol=symbol,
        side=side,
        quantity=D(quantity),
        order_type=OrderType.MARKET if limit is None else OrderType.LIMIT,
        limit_price=None if limit is None else D(limit),
        time_in_force=TimeInForce.DAY if limit is None else TimeInForce.GTC,
        repeat=True,
    )


class Planned(Strategy):
    """Gives the orders of a plan, by the number of the bar, and writes down what it sees."""

    name = "planned"

    def __init__(self, plan: Mapping[int, Sequence[Order]]) -> None:
        self.plan = plan
        self.held: list[dict[str, Decimal]] = []
        self.equity: list[Decimal] = []

    def on_bar(self, market: MarketView):
        self.held.append({symbol: held for symbol in market.symbols if (held := market.position(symbol))})
        self.equity.append(market.equity)
        yield from self.plan.get(market.bar, ())


def setup_for(history: PriceHistory, **changes: object) -> Setup:
    universe = Universe(Instrument(symbol=symbol, shortable=True, fractionable=True) for symbol in history.symbols)
    limits = limits_with(**UNHURRIED, allow_short=True, max_correlation=D(1))
    return replace(Setup(cash=CASH, universe=universe, limits=limits, costs=FREE), **changes)  # type: ignore[arg-type]


def run(
    history: PriceHistory, plan: Mapping[int, Sequence[Order]], **changes: object
) -> tuple[BacktestResult, Planned]:
    seen = Planned(plan)
    result = backtest(seen, history, setup_for(history, **changes))
    assert result.stopped == ()
    assert_books_agree(result)
    return result, seen


def assert_books_agree(result: BacktestResult) -> None:
    """Engine, venue and journal have the same cash and shares, and nothing is anybody's that is not held."""
    system, venue = result.account.system, result.account.venue  # type: ignore[attr-defined]
    told = replay(result.account.journal)
    assert told.differences == ()
    assert told.projection.trips.state() == system.portfolio.trips.state()
    assert told.projection.cash == system.portfolio.cash == venue.account().cash
    held = {symbol: position.quantity for symbol, position in system.portfolio.positions.items()}
    assert held == {position.symbol: position.quantity for position in venue.positions()}
    assert held == {symbol: one.quantity for symbol, one in told.projection.positions.items() if one.quantity}
    assert system.tracker.attribution.state() == told.projection.attribution.state()
    assert {symbol for symbol, _, _ in told.projection.attribution.state()} == set(held)


def prices_of(result: BacktestResult) -> list[tuple[str, str, Decimal, Decimal]]:
    return [(fill.symbol, fill.side.value, fill.quantity, fill.price) for fill in result.record.fills]


def paid(result: BacktestResult) -> list[tuple[datetime, str, Decimal, Decimal, Decimal, Decimal]]:
    return [(e.at, e.symbol, e.shares, e.price, e.amount, e.realized_pnl) for e in result.record.paid_out]


def test_a_long_holding_becomes_cash_at_its_last_close_when_the_next_session_opens(tmp_path):
    """100 shares at 50.01 cost 5,001.00; 5,437.00 come back, and 436.00 are gained."""
    result, seen = run(bars(tmp_path, LEAVES), {1: [order("GONE", BUY, "100")]})
    assert prices_of(result) == [("GONE", "buy", D(100), D("50.01"))]
    assert paid(result) == [(BELL, "GONE", D(-100), D("54.37"), D("5437.00"), D("436.00"))]
    assert [held.get("GONE") for held in seen.held] == [None, 100, 100, 100, None, None, None]
    assert seen.equity == [CASH, D(100_199), D(100_499), *[D(100_436)] * 4]
    assert result.account.system.portfolio.cash == D(100_436)
    assert result.record.equity[-1] == D(100_436)
    assert result.record.round_trips == [D("436.00")]
    assert (result.statistics.trades, result.statistics.hit_rate, result.statistics.fees) == (1, 1.0, 0)


def test_a_short_holding_is_bought_back_at_its_last_close(tmp_path):
    """60 shares sold at 50.00 bring 3,000.00; 3,262.20 are paid, and 262.20 are lost."""
    result, seen = run(bars(tmp_path, LEAVES), {1: [order("GONE", SELL, "60")]})
    assert prices_of(result) == [("GONE", "sell", D(60), D("50.00"))]
    assert paid(result) == [(BELL, "GONE", D(60), D("54.37"), D("-3262.20"), D("-262.20"))]
    assert [held.get("GONE") for held in seen.held] == [None, -60, -60, -60, None, None, None]
    assert result.account.system.portfolio.cash == D("99737.80") == seen.equity[-1]
    assert result.record.round_trips == [D("-262.20")]
    assert (result.statistics.trades, result.statistics.hit_rate) == (1, 0.0)
    assert result.account.system.portfolio.losing_streak == 1


@pytest.mark.parametrize(
    ("ended", "price", "cash"),
    [(D("0.3"), "16.311", "96630.10"), (D(0), "0", "94999.00"), (D("1.2"), "65.244", "101523.40")],
)
def test_another_part_of_the_last_close_may_be_paid(tmp_path, ended, price, cash):
    """Of 54.37 a share that is 16.311, nothing, or 65.244; 5,001.00 were spent on a hundred."""
    wide = limits_with(**UNHURRIED, max_daily_loss_pct=D("0.5"), max_drawdown_pct=D("0.5"))
    result, _ = run(bars(tmp_path, LEAVES), {1: [order("GONE", BUY, "100")]}, ended=ended, limits=wide)
    assert [entry.price for entry in result.record.paid_out] == [D(price)]
    assert result.account.system.portfolio.cash == D(cash) == result.record.equity[-1]


def test_a_holding_can_be_kept_at_its_last_close(tmp_path):
    result, seen = run(
        bars(tmp_path, LEAVES), {1: [order("GONE", BUY, "100")], 6: [order("GONE", SELL, "1")]}, ended=None
    )
    assert result.record.paid_out == []
    assert [held.get("GONE") for held in seen.held[-3:]] == [100, 100, 100]
    assert (seen.equity[-1], result.account.system.portfolio.cash) == (D(100_436), D(94_999))
    assert result.quality.rejections == {"max_quote_age_s": 1}


def test_open_orders_end_with_it_and_new_ones_are_refused_with_the_reason(tmp_path):
    """100 bought at 50.01, 40 sold at 53.00 on the fifth: 60 are left with two orders that wait."""
    plan = {
        1: [order("GONE", BUY, "100")],
        2: [order("GONE", SELL, "40", "53.00"), order("GONE", SELL, "60", "99.00")],
        4: [order("KEPT", BUY, "100", "15.00")],
        5: [order("GONE", BUY, "1"), order("GONE", SELL, "1")],
    }
    result, _ = run(bars(tmp_path, LEAVES), plan)
    assert prices_of(result)[1:] == [("GONE", "sell", D(40), D("53.00"))]
    assert [(e.shares, e.amount) for e in result.record.paid_out] == [(D(-60), D("3262.20"))]
    assert result.account.system.portfolio.cash == CASH - D("5001.00") + D("2120.00") + D("3262.20")
    statuses = [str(one.status) for one in result.account.system.orders.orders()]
    assert statuses == ["filled", "filled", "canceled", "working", "denied", "denied"]
    told = [entry.event for entry in result.account.journal.entries()]
    ends = [event.reason for event in told if getattr(event, "status", "") == "canceled"]
    assert ends == ["GONE is listed no more"]
    assert result.quality.rejections == {"instrument_tradable": 2}
    refused = [event.reason for event in told if getattr(event, "status", "") == "denied"]
    assert all("the asset is not active any more" in reason for reason in refused)
    assert [one.order.symbol for one in result.account.venue.open_orders()] == ["KEPT"]  # type: ignore[attr-defined]


def test_nothing_is_paid_out_where_the_history_ends(tmp_path):
    """The last bar of all is no end, nor are bars that are missing in the last session."""
    whole = bars(tmp_path, {"GONE": ("50",) * 7, "KEPT": ("20",) * 7})
    result, seen = run(whole, {1: [order("GONE", BUY, "100")]})
    assert (result.record.paid_out, seen.held[-1]) == ([], {"GONE": 100})
    minutes = minute_bars(780, ("GONE", "KEPT"), ends=[700])
    result, seen = run(minutes, {500: [order("GONE", BUY, "100")]})
    assert (result.record.paid_out, seen.held[-1]) == ([], {"GONE": 100})


def test_within_a_session_nobody_knows_that_prices_have_ended():
    """The first session has 390 minutes; what ends after 300 of them is paid out at the next opening."""
    minutes = minute_bars(1200, ("GONE", "KEPT"), ends=[300])
    result, seen = run(minutes, {5: [order("GONE", BUY, "10")]})
    (entry,) = result.record.paid_out
    assert entry.at == minutes.axis.starts[390].astype("datetime64[us]").item().replace(tzinfo=UTC)
    assert entry.price == minutes.close("GONE", 299)
    assert [bar for bar, (was, now) in enumerate(pairwise(seen.held), 2) if was and not now] == [391]


def test_a_gap_is_no_end(tmp_path):
    """Days without a bar in the middle, up to the end of the days that are traded, and to the end of a part."""
    whole = bars(tmp_path, {"GAPS": ("50", "50", "50", None, None, None, "50"), "KEPT": ("20",) * 7})
    plan = {1: [order("GAPS", BUY, "10")]}
    assert run(whole, plan)[0].record.paid_out == []
    part = whole.between(date(2022, 1, 3), date(2022, 1, 10))
    assert part.goes_on == {"GAPS"}
    assert run(part, plan)[0].record.paid_out == []
    again = part.select(["GAPS", "KEPT"]).between(date(2022, 1, 3), date(2022, 1, 7))
    assert run(again, plan)[0].record.paid_out == []
    assert whole.select(["KEPT"]).goes_on == frozenset()


def test_what_had_ended_before_the_first_day_is_never_bought(tmp_path):
    result, _ = run(bars(tmp_path, LEAVES), {1: [order("GONE", BUY, "1")]}, first_bar=5)
    assert (result.record.fills, result.record.paid_out) == ([], [])
    assert result.quality.rejections == {"instrument_tradable": 1}


def test_after_it_a_new_symbol_is_no_longer_refused_for_an_unknown_correlation(tmp_path):
    """Held on, it is: nothing is known about prices that there are no more."""
    minutes = minute_bars(2400, ("GONE", "KEPT"), ends=[380])
    plan = {100: [order("GONE", BUY, "10")], 2300: [order("KEPT", BUY, "10")]}
    limits = limits_with(**UNHURRIED, max_correlation=D("0.9"))
    held, _ = run(minutes, plan, ended=None, limits=limits)
    assert held.quality.rejections == {"max_correlation": 1}
    result, seen = run(minutes, plan, limits=limits)
    assert result.quality.rejections == {}
    assert seen.held[-1] == {"KEPT": 10}


class OneAfterTheOther(Strategy):
    """Wants the one, and the other when that has gone; takes nothing back."""

    def on_bar(self, market: MarketView):
        if market.bar in (1, 5):
            yield market.long("GONE" if market.bar == 1 else "KEPT")


def test_a_wish_for_it_takes_nothing_from_the_others_any_more(tmp_path):
    """Equal parts of 8 %: of 100,000.00 at 50.01 a share, and of 100,693.24 at 22.01, for nothing else can be held."""
    history = bars(tmp_path, LEAVES)
    result = backtest(OneAfterTheOther(), history, setup_for(history, sizer=EqualWeight(D("0.08"))))
    assert prices_of(result) == [("GONE", "buy", D(159), D("50.01")), ("KEPT", "buy", D(365), D("22.01"))]
    assert result.record.round_trips == [D("693.24")]


def test_a_setup_is_the_same_after_a_run(tmp_path):
    """The universe that was handed over still has the symbol, and another run comes to the same."""
    history = bars(tmp_path, LEAVES)
    setup = setup_for(history)
    first, second = (backtest(Planned({1: [order("GONE", BUY, "100")]}), history, setup) for _ in range(2))
    assert setup.universe is not None
    assert setup.universe["GONE"].active
    assert first.journal_head == second.journal_head


def test_prices_that_come_in_parts_end_where_they_end(tmp_path):
    """A file for each year of some symbols, streamed: what is missing in the last file of a symbol follows in none."""
    whole = bars(tmp_path, LEAVES)
    parts = tmp_path / "parts"
    parts.mkdir()
    for name, days in (("a", slice(0, 3)), ("b", slice(3, 5)), ("c", slice(5, 7))):
        (parts / f"{name}.csv").write_text(rows_of(LEAVES, days))
    streamed = load_prices(parts)
    plan = {1: [order("GONE", BUY, "100")]}
    one, other = run(whole, plan)[0], run(streamed, plan)[0]
    assert one.record.paid_out == other.record.paid_out != []
    assert one.journal_head == other.journal_head


def test_after_a_split_all_shares_are_paid_out(tmp_path):
    """A hundred shares became three hundred by a split that a person took over; the cost of 5,001.00 stays."""
    history = bars(tmp_path, LEAVES)

    class Splits(Planned):
        def on_bar(self, market: MarketView):
            yield from super().on_bar(market)
            if market.bar == 3:
                split(self.account)

    def split(account) -> None:
        """As the venue posts it, and as it is adopted."""
        account.venue.post("SPLIT", D(0), symbol="GONE", shares=D(200))
        journal, portfolio = account.system.ports.journal, account.system.portfolio
        event = PositionAdopted(
            at=account.clock.now(), symbol="GONE", quantity=D(200), cost=D(0), approved_by="alice", reason="a split"
        )
        journal.append(event)
        portfolio.adopt("GONE", event.quantity, event.cost)

    seen = Splits({1: [order("GONE", BUY, "100")]})
    seen.account = account = simulated_account(history, setup_for(history, strategies=(seen,)))  # type: ignore[attr-defined]
    result = asyncio.run(run_account(account))
    assert result.stopped == ()
    assert paid(result) == [(BELL, "GONE", D(-300), D("54.37"), D("16311.00"), D("11310.00"))]
    assert account.system.portfolio.cash == CASH - D(5001) + D(16311)
    assert_books_agree(result)


def test_the_venue_has_it_on_its_statement_and_pays_once(tmp_path):
    result, _ = run(bars(tmp_path, LEAVES), {1: [order("GONE", BUY, "0.5")]})
    venue = result.account.venue  # type: ignore[attr-defined]
    entries = [row for row in venue.activities(ActivityQuery()) if isinstance(row, CashActivity)]
    assert [(row.activity_type, row.symbol, row.net_amount, row.quantity) for row in entries] == [
        ("REORG", "GONE", D("27.185"), D("-0.5"))
    ]
    assert venue.pay_out("GONE", D("54.37")) is None
    assert [e.activity_id for e in result.record.paid_out] == [row.id for row in entries]


def test_a_loss_by_it_counts_for_the_day_of_the_pay_out(tmp_path):
    """5,001.00 become nothing, beyond the 5 % that a day may lose: the account is halted in the new session."""
    result, _ = run(bars(tmp_path, LEAVES), {1: [order("GONE", BUY, "110")]}, ended=D(0))
    assert [(halt.at, halt.trigger.value) for halt in result.record.halts] == [(BELL, "daily_loss")]


def test_a_gap_of_others_at_that_opening_is_no_rapid_loss():
    """KEPT opens 3.00 lower: a loss of a night, and none within the minutes around the pay-out."""
    whole = minute_bars(600, ("GONE", "KEPT"), ends=[380])
    night = np.where(np.arange(600)[:, np.newaxis] >= 390, [[0, 3_000_000]], 0)
    roles = ("open_micros", "high_micros", "low_micros", "close_micros")
    history = replace(whole, **{role: getattr(whole, role) - night for role in roles})
    limits = limits_with(**UNHURRIED, max_rapid_loss_pct=D("0.002"), max_correlation=D("0.9"))
    plan = {100: [order("GONE", BUY, "1")], 300: [order("KEPT", BUY, "90")]}
    result, seen = run(history, plan, limits=limits)
    assert seen.held[388:392] == [{"GONE": 1, "KEPT": 90}] * 2 + [{"KEPT": 90}] * 2
    assert seen.equity[389] - seen.equity[390] > 260
    assert [entry.shares for entry in result.record.paid_out] == [D(-1)]
    assert result.record.halts == []


def test_its_orders_are_gone_before_anything_is_paid(tmp_path):
    """Also where reports take their time: a broker has done that long before the opening."""
    slow = structs.replace(FREE, latency=LatencyModel(order=timedelta(seconds=1), report=timedelta(seconds=30)))
    plan = {1: [order("GONE", BUY, "100")], 2: [order("GONE", SELL, "100", "99.00")]}
    result, _ = run(bars(tmp_path, LEAVES), plan, costs=slow)
    told = [entry.event for entry in result.account.journal.entries()]
    ended = [event.at for event in told if getattr(event, "status", "") == "canceled"]
    assert ended == [entry.at for entry in result.record.paid_out] == [BELL]


def test_report_tells_of_it(tmp_path):
    result, _ = run(bars(tmp_path, LEAVES), {1: [order("GONE", SELL, "60")]})
    page = write_report(result, tmp_path / "report.html", title="t").read_text()
    assert "<h2>Paid out</h2>" in page
    assert "2022-01-07 14:30:00" in page
    without, _ = run(bars(tmp_path, LEAVES), {})
    assert "Paid out" not in write_report(without, tmp_path / "other.html", title="t").read_text()


def test_equal_parts_that_were_held_are_paid_out_as_well(tmp_path):
    """GONE went from 50.00 to 54.37, KEPT from 20.00 to 24.00; a third, with a gap, stood still."""
    history = bars(tmp_path, LEAVES | {"GAPS": ("10", "10", None, "10", "10", "10", "10")})

    def held(**changes: object) -> list[float]:
        return run(history, {}, first_bar=1, **changes)[0].record.benchmark or []

    gone, kept = [50, 52, 55, *[54.37] * 4], [20, 20, 20, 21, 22, 23, 24]
    assert held() == pytest.approx([(one / 50 + other / 20 + 1) / 3 for one, other in zip(gone, kept, strict=True)])
    assert held(ended=None) == held()
    assert held(ended=D("0.5"))[-1] == pytest.approx((54.37 / 100 + 24 / 20 + 1) / 3)
    late = bars(tmp_path, {"LATE": (None, None, "10", "10", "10", "10", "10"), "KEPT": LEAVES["KEPT"]})
    assert run(late, {}, first_bar=1)[0].record.benchmark is None
