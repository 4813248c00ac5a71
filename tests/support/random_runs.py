"""Random histories and plans for backtests that two simulations are to agree about, and what each of them tells."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random

import numpy as np

from quant_trading_system.app import bootstrap
from quant_trading_system.app.backtesting import BacktestResult, run_account
from quant_trading_system.core.instruments import Instrument, Universe
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce
from quant_trading_system.core.signals import Signal
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.market.sessions import TradingCalendar
from quant_trading_system.market.time_axis import daily_axis, intraday_axis
from quant_trading_system.simulation.fees import FeeSchedule, Rate
from quant_trading_system.simulation.models import LatencyModel, SlippageModel
from quant_trading_system.trading.strategy import MarketView, Strategy
from tests.support.desk import UNHURRIED, limits_with
from tests.support.independent_reference import Outcome, Plan, Wish
from tests.support.reference_prices import BUY, CENT, SELL, Bar, Step, half_up, tick_of
from tests.support.reference_venue import STOPS, Costs, Fill, Want

PAST = 8
"""Bars that are only known: enough for correlations, which are of no interest here."""
CASH = Fraction(10_000_000)
LOOSE = {
    **UNHURRIED,
    "max_consecutive_losses": 1000,
    "max_portfolio_positions": 500,
    "max_open_orders_per_symbol": 1000,
    "correlation_min_observations": 5,
    "max_gross_exposure": Decimal(4),
    "buying_power_multiplier": Decimal(4),
    **dict.fromkeys(("max_correlation", "max_position_pct", "max_sector_exposure", "max_rejection_rate"), Decimal(1)),
    **dict.fromkeys(("price_collar_pct", "max_spread_pct", "max_quote_deviation_pct"), Decimal("0.9")),
    **dict.fromkeys(("max_drawdown_pct", "max_daily_loss_pct", "max_rapid_loss_pct"), Decimal("0.99")),
    **dict.fromkeys(("max_weekly_loss_pct", "max_monthly_loss_pct"), Decimal("0.99")),
    "max_slippage_bps": Decimal(10_000),
    "max_order_quantity": Decimal(10**7),
    "max_position_quantity": Decimal(10**8),
    "min_order_notional": Decimal("0.01"),
    "max_order_notional": Decimal(10**7),
}
NOT_KNOWN_BY_THE_REFERENCE = {"max_correlation", "self_match"}

_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_CALENDAR = TradingCalendar.nyse(date(2019, 1, 2), date(2019, 12, 31))
_SESSIONS = list(_CALENDAR.sessions_between(date(2019, 1, 2), date(2019, 12, 31)))


# -- what is made up ---------------------------------------------------------------------------------------------


def random_history(chance: Random, *, daily: bool = False, symbols: int = 3) -> PriceHistory:
    """Bars of a few days: some are missing, symbols may begin late or end early; with or without open, high and low."""
    days, missing, volatility = (60 if daily else 4), chance.choice((0.0, 0.0, 0.1)), chance.choice((0.002, 0.01))
    sessions = _SESSIONS[:days]
    if daily:
        axis = daily_axis(np.array([one.date for one in sessions], dtype="datetime64[D]"), _CALENDAR)
    else:
        minutes = chance.choice((1, 5, 30))
        places = np.arange(13) * np.timedelta64(minutes, "m")
        starts = [np.datetime64(one.open.replace(tzinfo=None), "us") + places for one in sessions]
        axis = intraday_axis(np.concatenate(starts), timedelta(minutes=minutes), "start", _CALENDAR)
    shape = (len(axis.ends), symbols)
    present = np.array([[chance.random() >= missing for _ in range(symbols)] for _ in range(shape[0])])
    if chance.random() < 0.3:
        present[: chance.randrange(shape[0] // 2), 0] = False
        present[chance.randrange(shape[0] // 2, shape[0]) :, 1] = False
    present[:, -1] = True
    columns = [_walk(chance, shape[0], chance.choice((0.9, 40.0, 250.0)), volatility) for _ in range(symbols)]
    opened, high, low, close = (np.array([column[role] for column in columns]).T.copy() for role in range(4))
    names = tuple(f"S{number}" for number in range(symbols))
    if chance.random() < 0.3:
        return PriceHistory(names, axis, close, present)
    return PriceHistory(names, axis, close, present, opened, high, low)


def _walk(chance: Random, bars: int, price: float, volatility: float) -> list[list[int]]:
    """Opens, highs, lows and closes in micro-dollars."""
    rows = []
    for _ in range(bars):
        unit = 10_000 if price >= 1 else 100
        opened = max(round(price * (1 + chance.gauss(0, volatility / 2)) * 1e6 / unit), 20) * unit
        price *= 1 + chance.gauss(0, volatility)
        close = max(round(price * 1e6 / unit), 20) * unit
        high = max(opened, close) + unit * chance.randrange(6)
        low = min(opened, close) - unit * chance.randrange(6)
        rows.append((opened, high, low, close))
    return [list(role) for role in zip(*rows, strict=True)]


def random_orders(chance: Random, history: PriceHistory) -> Plan:
    """Orders of all simple types around the last closes, none at the last bar."""
    often, both_ways = chance.choice((0.1, 0.3, 0.9)), chance.random() < 0.5
    sides = {symbol: chance.choice((BUY, SELL)) for symbol in history.symbols}
    plan: dict[int, list[Want | Wish]] = {}
    for bar in range(len(history) - PAST - 1):
        for symbol in history.symbols:
            close = history.close(symbol, PAST + bar)
            if close is not None and chance.random() < often:
                side = chance.choice((BUY, SELL)) if both_ways else sides[symbol]
                plan.setdefault(bar, []).append(_order(chance, symbol, side, Fraction(close)))
    return plan


def _order(chance: Random, symbol: str, side: int, close: Fraction) -> Want:
    kind = chance.choice(("market", "limit", *STOPS))
    times = ("day", "gtc") if kind in STOPS else ("day", "gtc", "ioc", "fok", "cls")
    want = Want(symbol, side, Fraction(chance.randrange(1, 50)), kind, chance.choice(times))

    def away(sign: int) -> Fraction:
        price = close * (1 + sign * abs(Fraction(chance.gauss(0, 0.004)).limit_denominator(10**6)))
        price = half_up(price, tick_of(close))
        return half_up(price, tick_of(price))

    if kind == "market":
        return want
    if kind == "limit":
        return replace(want, limit=away(chance.choice((BUY, SELL))))
    if kind == "trailing_stop":
        if chance.random() < 0.5:
            return replace(want, trail=CENT * chance.randrange(1, 30))
        return replace(want, trail_percent=Fraction(chance.randrange(5, 100), 100))
    stop = away(side)
    return replace(want, stop=stop, limit=away(side) if kind == "stop_limit" else None)


def random_wishes(chance: Random, history: PriceHistory) -> Plan:
    """Weights of up to an eighth of equity, long, short or nothing; each is another one than before."""
    often, shorts = chance.choice((0.05, 0.3, 0.9)), chance.choice((0.0, 0.4))
    said: dict[str, Fraction] = {}
    plan: dict[int, list[Want | Wish]] = {}
    for bar in range(len(history) - PAST - 1):
        for symbol in history.symbols:
            weight = Fraction(chance.choice((0, 0, 3, 5, 8, 12)), 100) * (-1 if chance.random() < shorts else 1)
            if chance.random() < often and weight != said.get(symbol, 0):
                said[symbol] = weight
                plan.setdefault(bar, []).append(Wish(symbol, weight))
    return plan


def random_costs(chance: Random, *, slow: bool) -> Costs:
    """Spread, slippage and fees, each there or not; an order takes no time, a moment, or with `slow` twenty seconds."""
    return Costs(
        spread_bps=Fraction(chance.choice(("0", "0", "4", "7.3", "13", "25"))),
        slippage_bps=Fraction(chance.choice(("0", "0", "0.5", "3"))),
        fee_a_share=Fraction(chance.choice(("0", "0.005"))),
        fee_of_sales=Fraction(chance.choice(("0", "0.0000333"))),
        order_takes=chance.choice((0, 40_000, 20_000_000 if slow else 40_000)),
        report_takes=chance.choice((0, 15_000)),
    )


# -- the same for the system -------------------------------------------------------------------------------------


class Planned(Strategy):
    """Says what is planned, and writes down what it sees of its account."""

    name = "planned"

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.equity: list[Fraction] = []
        self.held: list[dict[str, Fraction]] = []

    def on_bar(self, market: MarketView) -> Iterable[Order | Signal]:
        self.equity.append(Fraction(market.equity))
        self.held.append({one: Fraction(shares) for one in market.symbols if (shares := market.position(one))})
        for one in self.plan.get(market.bar - 1, ()):
            yield _as_order(one) if isinstance(one, Want) else _as_signal(market, one)


def _as_order(want: Want) -> Order:
    return Order(
        symbol=want.symbol,
        side=OrderSide.BUY if want.side == BUY else OrderSide.SELL,
        quantity=exact(want.quantity),
        order_type=OrderType(want.kind),
        time_in_force=TimeInForce(want.time_in_force),
        limit_price=_exact_or_none(want.limit),
        stop_price=_exact_or_none(want.stop),
        trail_price=_exact_or_none(want.trail),
        trail_percent=_exact_or_none(want.trail_percent),
        repeat=True,
    )


def _as_signal(market: MarketView, wish: Wish) -> Signal:
    if not wish.weight:
        return market.flat(wish.symbol)
    return (market.long if wish.weight > 0 else market.short)(wish.symbol, weight=exact(abs(wish.weight)))


def exact(value: Fraction) -> Decimal:
    """The same number."""
    number = Decimal(value.numerator) / value.denominator
    assert Fraction(number) == value
    return number


def _exact_or_none(value: Fraction | None) -> Decimal | None:
    return None if value is None else exact(value)


def setup_of(history: PriceHistory, costs: Costs, *, shorts: bool) -> bootstrap.Setup:
    """An account with these costs and limits that are out of the way."""

    def since_ever(rate: Fraction) -> tuple[Rate, ...]:
        return (Rate(date(2000, 1, 1), exact(rate)),) if rate else ()

    return bootstrap.Setup(
        cash=exact(CASH),
        limits=limits_with(**LOOSE, allow_short=shorts),
        universe=Universe(Instrument(symbol=symbol, shortable=True) for symbol in history.symbols),
        first_bar=PAST,
        run="planned",
        costs=bootstrap.Costs(
            spread_bps=exact(costs.spread_bps),
            fees=FeeSchedule(since_ever(costs.fee_of_sales), (), since_ever(costs.fee_a_share)),
            latency=LatencyModel(order=costs.order_takes * _MICROSECOND, report=costs.report_takes * _MICROSECOND),
            slippage=SlippageModel(bps=exact(costs.slippage_bps)),
        ),
    )


# -- what comes out ----------------------------------------------------------------------------------------------


def bars_of(history: PriceHistory) -> list[Bar]:
    """The same bars as fractions."""
    roles = (history.open_micros, history.high_micros, history.low_micros, history.close_micros)
    known = [role for role in roles if role is not None]
    return [
        Bar(
            start=_micros(history.axis.starts[row]),
            end=_micros(history.axis.ends[row]),
            day=history.dates[row].item(),
            prices={
                symbol: tuple(Fraction(role.item(row, column), 10**6) for role in known)
                for column, symbol in enumerate(history.symbols)
                if history.present[row, column]
            },
        )
        for row in range(len(history))
    ]


def steps_seen(history: PriceHistory, setup: bootstrap.Setup, strategy: Strategy) -> list[Step]:
    """The steps that the market took in a run of daily bars, for how a day goes is made up."""
    account = bootstrap.simulated_account(history, replace(setup, strategies=(strategy,)))
    bars, steps = bars_of(history)[PAST:], []

    def watch(progress: object) -> None:
        step = account.market.step
        assert step is not None
        quotes = {symbol: account.market.quote(symbol) for symbol in history.symbols}
        last = {name: Fraction(one.last) for name, one in quotes.items() if one and one.at == step.at and one.last}
        bar, place = divmod(len(steps), 13)
        begins, ends = place == 0, place == 12
        steps.append(Step(_since(step.at), bars[bar].day, last, begins, ends, begins, ends))

    asyncio.run(run_account(account, watch))
    return steps


def foreign_refusals(result: BacktestResult) -> frozenset[int]:
    """Numbers of the orders that were refused by rules, or by the broker, that the reference knows nothing about."""
    records = enumerate(result.account.system.orders.orders())
    return frozenset(
        number
        for number, record in records
        if record.status == "rejected"
        or any(
            not check.passed and check.rule in NOT_KNOWN_BY_THE_REFERENCE
            for check in result.decisions[record.order_id].checks
        )
    )


def require_agreement(result: BacktestResult, seen: Planned, reference: Outcome) -> None:
    """Orders, fills, cash, and shares and equity at the end of each bar are the same, exactly.

    Raises:
        AssertionError: they are not, or the run was halted or its strategy stopped.
    """
    assert (result.stopped, result.record.halts) == ((), [])
    orders = [
        (one.order.symbol, one.order.side.sign, Fraction(one.quantity), str(one.status).replace("rejected", "denied"))
        for one in result.account.system.orders.orders()
    ]
    assert orders == [(one.want.symbol, one.want.side, one.want.quantity, one.status) for one in reference.orders]
    fills = [
        Fill(_since(one.at), one.symbol, one.side.sign, Fraction(one.quantity), Fraction(one.price), Fraction(one.fee))
        for one in result.record.fills
    ]
    assert _sorted(fills) == _sorted(reference.fills)
    assert seen.held == reference.held
    assert seen.equity == reference.equity
    assert Fraction(result.account.system.tracker.cash) == reference.cash


def _sorted(fills: Iterable[Fill]) -> list[Fill]:
    """Those of one moment by symbol: which symbol comes first has no meaning."""
    return sorted(fills, key=lambda fill: (fill.at, fill.symbol))


def _since(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def _micros(stamp: np.datetime64) -> int:
    return int(stamp.astype("datetime64[us]").astype(np.int64))
