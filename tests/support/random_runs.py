"""Backtests of random plans, and what the system and the second simulation tell about them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

from quant_trading_system.app import bootstrap
from quant_trading_system.app.backtesting import BacktestResult
from quant_trading_system.core.instruments import Instrument, Universe
from quant_trading_system.core.orders import Order, OrderClass, OrderSide, OrderType, StopLoss, TakeProfit, TimeInForce
from quant_trading_system.core.signals import Signal
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.risk.portfolio_optimizer import Method
from quant_trading_system.risk.position_sizer import (
    AtrStop,
    DrawdownScale,
    EqualWeight,
    FixedFractional,
    Kelly,
    Optimized,
    OwnWeight,
    PositionSizer,
    Scaled,
    VolatilityTarget,
    WithinLimits,
)
from quant_trading_system.simulation.fees import FeeSchedule, Rate
from quant_trading_system.simulation.models import FillModel, LatencyModel, SlippageModel
from quant_trading_system.simulation.realism import Realism, SpreadModel, VolumeCurve
from quant_trading_system.trading.order_wishes import CancelWish, OpenOrder, ReplaceWish
from quant_trading_system.trading.planning import ExecutionPolicy
from quant_trading_system.trading.strategy import MarketView, Strategy
from tests.support.desk import UNHURRIED, limits_with
from tests.support.independent_reference import Outcome, Plan
from tests.support.known_bars import since
from tests.support.random_plans import PAST
from tests.support.reference_changes import terms_after
from tests.support.reference_costs import Charge, Costs
from tests.support.reference_limits import WHOLE_SHARES, WIDE, Limits, Terms
from tests.support.reference_losses import ANY_LOSS, Losses
from tests.support.reference_prices import BUY
from tests.support.reference_sizing import OPTIMISERS, Sizer, Wish
from tests.support.reference_venue import Fill, Want
from tests.support.reference_words import Change, TakeBack

CASH = Fraction(10_000_000)
LOOSE = {
    **UNHURRIED,
    "max_rejection_rate": Decimal(1),
    "max_quote_deviation_pct": Decimal("0.9"),
}
KEYS = {
    "position": "max_position_pct",
    "sector": "max_sector_exposure",
    "gross": "max_gross_exposure",
    "net": "max_net_exposure",
    "squares": "max_concentration",
    "power": "buying_power_multiplier",
    "position_dollars": "max_position_notional",
    "position_shares": "max_position_quantity",
    "positions": "max_portfolio_positions",
    "least": "min_order_notional",
    "most": "max_order_notional",
    "shares": "max_order_quantity",
    "open_of_symbol": "max_open_orders_per_symbol",
    "open_orders": "max_open_orders",
    "orders_a_minute": "max_orders_per_minute",
    "dollars_a_minute": "max_notional_per_minute",
    "orders_a_day": "max_orders_per_day",
    "dollars_a_day": "max_notional_per_day",
    "turnover": "max_turnover_per_day",
    "collar": "price_collar_pct",
    "spread": "max_spread_pct",
    "correlation": "max_correlation",
    "window": "correlation_window",
    "fewest": "correlation_min_observations",
    "volume": "max_order_adv_pct",
    "volume_a_day": "max_participation_pct",
    "repeats": "duplicate_window_s",
    "of_day": "max_daily_loss_pct",
    "from_peak": "max_drawdown_pct",
    "of_week": "max_weekly_loss_pct",
    "of_month": "max_monthly_loss_pct",
    "at_once": "max_rapid_loss_pct",
    "in_a_row": "max_consecutive_losses",
    "slippage": "max_slippage_bps",
    "fills": "slippage_fills",
}
"""What the fields of `Limits` and `Losses` are called in a limits file."""

_MICROSECOND = timedelta(microseconds=1)


# -- the same for the system -------------------------------------------------------------------------------------


class Planned(Strategy):
    """Says what is planned, and writes down what it sees of its account."""

    def __init__(self, plan: Plan, name: str = "planned") -> None:
        self.plan, self.name = plan, name
        self.equity: list[Fraction] = []
        self.held: list[dict[str, Fraction]] = []

    def on_bar(self, market: MarketView) -> Iterable[Order | Signal | CancelWish | ReplaceWish]:
        self.equity.append(Fraction(market.equity))
        self.held.append({one: Fraction(shares) for one in market.symbols if (shares := market.position(one))})
        is_open = market.open_orders()
        for one in self.plan.get(market.bar - 1, ()):
            if one.source not in ("", self.name):
                continue
            if isinstance(one, Change):
                yield from _changes(market, one)
            elif isinstance(one, TakeBack):
                if is_open:
                    yield market.cancel(is_open[one.place % len(is_open)])
            else:
                yield _as_order(one) if isinstance(one, Want) else _as_signal(market, one)


def _changes(market: MarketView, change: Change) -> Iterable[ReplaceWish]:
    simple = [
        one
        for one in market.open_orders()
        if one.order_class is OrderClass.SIMPLE
        and not one.group
        and one.notional is None
        and one.quantity % 1 == 0
        and one.time_in_force in (TimeInForce.DAY, TimeInForce.GTC)
    ]
    if simple:
        order = simple[change.place % len(simple)]
        terms = terms_after(_as_want(order), change)
        if terms:
            yield market.replace(order, **{_FIELDS[name]: exact(value) for name, value in terms.items()})


_FIELDS = {
    "quantity": "quantity",
    "limit": "limit_price",
    "stop": "stop_price",
    "trail": "trail",
    "trail_percent": "trail",
}


def _as_want(order: OpenOrder) -> Want:
    def known(number: Decimal | None) -> Fraction | None:
        return None if number is None else Fraction(number)

    return Want(
        order.symbol,
        order.side.sign,
        Fraction(order.quantity),
        limit=known(order.limit_price),
        stop=known(order.stop_price),
        trail=known(order.trail_price),
        trail_percent=known(order.trail_percent),
    )


def _as_order(want: Want) -> Order:
    return Order(
        symbol=want.symbol,
        side=OrderSide.BUY if want.side == BUY else OrderSide.SELL,
        quantity=exact(want.quantity),
        notional=_exact_or_none(want.dollars),
        order_type=OrderType(want.kind),
        time_in_force=TimeInForce(want.time_in_force),
        order_class=_class_of(want),
        take_profit=None if want.profit is None else TakeProfit(limit_price=exact(want.profit)),
        stop_loss=None
        if want.loss is None
        else StopLoss(stop_price=exact(want.loss), limit_price=_exact_or_none(want.loss_limit)),
        limit_price=_exact_or_none(want.limit),
        stop_price=_exact_or_none(want.stop),
        trail_price=_exact_or_none(want.trail),
        trail_percent=_exact_or_none(want.trail_percent),
        extended_hours=want.extended_hours,
        repeat=want.repeat,
    )


def _class_of(want: Want) -> OrderClass:
    if want.leaves:
        return OrderClass.OCO
    exits = (want.profit is not None) + (want.loss is not None)
    return (OrderClass.SIMPLE, OrderClass.OTO, OrderClass.BRACKET)[exits]


def _as_signal(market: MarketView, wish: Wish) -> Signal:
    kinds: dict[str, object] = {"confidence": exact(wish.confidence)}
    if wish.lasts is not None:
        kinds["lasts"] = wish.lasts * _MICROSECOND
    if not wish.direction:
        return market.flat(wish.symbol, strength=exact(wish.strength), **kinds)
    kinds["strength"] = exact(wish.strength)
    return (market.long if wish.direction > 0 else market.short)(
        wish.symbol,
        weight=_exact_or_none(None if wish.weight is None else abs(wish.weight)),
        **kinds,
        stop_price=_exact_or_none(wish.stop),
    )


def exact(value: Fraction) -> Decimal:
    """The same number."""
    number = Decimal(value.numerator) / value.denominator
    assert Fraction(number) == value
    return number


def _exact_or_none(value: Fraction | None) -> Decimal | None:
    return None if value is None else exact(value)


def setup_of(
    history: PriceHistory,
    costs: Costs,
    *,
    shorts: bool,
    terms: Terms = WHOLE_SHARES,
    losses: Losses = ANY_LOSS,
    limits: Limits = WIDE,
    cash: Fraction = CASH,
) -> bootstrap.Setup:
    """An account with these costs and limits; all others are out of the way."""
    numbers = {**vars(limits), **vars(losses)}
    changes = {
        key: exact(limit) if isinstance(limit := numbers[name], Fraction) else limit for name, key in KEYS.items()
    }

    def rates(charge: Charge) -> tuple[Rate, ...]:
        return tuple(Rate(row.since, exact(row.rate), _exact_or_none(row.cap)) for row in charge)

    return bootstrap.Setup(
        cash=exact(cash),
        limits=limits_with(**LOOSE | changes, use_unsettled_cash=not limits.settled_only, allow_short=shorts),
        universe=Universe(
            Instrument(
                symbol=symbol,
                sector=limits.sectors.get(symbol, "Unknown"),
                shortable=True,
                lot=exact(terms.lot(symbol)),
                fractionable=symbol in terms.fractionable,
            )
            for symbol in history.symbols
        ),
        first_bar=PAST,
        run="planned",
        policy=ExecutionPolicy(algorithm_from_adv=None),
        realism=Realism(
            queue=costs.queue,
            spread=SpreadModel(at_open=exact(costs.at_open), half_life=costs.half_life * _MICROSECOND),
            volume=VolumeCurve(at_open=exact(costs.curve[0]), at_close=exact(costs.curve[1])),
        ),
        costs=bootstrap.Costs(
            spread_bps=exact(costs.spread_bps),
            fees=FeeSchedule(rates(costs.sec), rates(costs.taf), rates(costs.cat)),
            latency=LatencyModel(order=costs.order_takes * _MICROSECOND, report=costs.report_takes * _MICROSECOND),
            slippage=SlippageModel(
                bps=exact(costs.slippage_bps),
                spread_fraction=exact(costs.slippage_spread),
                impact_bps=exact(costs.impact_bps),
            ),
            fills=FillModel(participation=_exact_or_none(costs.participation), through=costs.through),
        ),
    )


def fitted(setup: bootstrap.Setup, sizer: Sizer) -> bootstrap.Setup:
    """The same with what is wanted cut to the limits."""
    within, policy = (
        WithinLimits(OwnWeight(sizer_of(sizer))),
        ExecutionPolicy(algorithm_from_adv=None, fit_to_limits=True),
    )
    return replace(setup, sizer=within, own_weights=False, policy=policy)


def sizer_of(sizer: Sizer) -> PositionSizer:
    """The same for the system."""
    risk, window = exact(sizer.risk), sizer.window
    named: dict[str, PositionSizer] = {
        "equal-weight": EqualWeight(exact(sizer.gross)),
        "fixed-fractional": FixedFractional(risk),
        "atr": AtrStop(risk, exact(sizer.multiple), window),
        "vol-target": VolatilityTarget(
            exact(sizer.target), exact(sizer.cap), exact(sizer.decay), window, sizer.fewest, sizer.periods
        ),
    }
    if sizer.name == "kelly":
        named["kelly"] = Kelly(
            exact(sizer.fraction),
            exact(sizer.leverage),
            exact(sizer.rate),
            window,
            sizer.fewest,
            sizer.periods,
            sizer.shrinks,
        )
    if sizer.name in OPTIMISERS:
        named[sizer.name] = Optimized(Method(sizer.name), exact(sizer.gross), window, sizer.fewest)
    if sizer.drawdown is None:
        return named[sizer.name]
    return Scaled(named[sizer.name], DrawdownScale(*map(exact, sizer.drawdown)))


# -- what comes out ----------------------------------------------------------------------------------------------


def rejections(result: BacktestResult) -> frozenset[int]:
    """Numbers of the orders that the broker refused for reasons that the reference knows nothing about."""
    records = enumerate(result.account.system.orders.orders())
    return frozenset(number for number, one in records if one.status == "rejected" and "cls orders" not in one.reason)


def require_agreement(result: BacktestResult, seen: Planned, reference: Outcome) -> None:
    """Orders, fills, cash, and shares and equity at the end of each bar are the same, exactly.

    Raises:
        AssertionError: they are not, or the run was halted for another reason or its strategy stopped.
    """
    halted_at = [] if reference.halted_at is None else [reference.halted_at]
    assert (result.stopped, [since(halt.at) for halt in result.record.halts[:1]]) == ((), halted_at)
    assert orders_of(result) == [(one.want.symbol, one.want.side, one.size, one.status) for one in reference.orders]
    assert _sorted(fills_of(result)) == _sorted(reference.fills)
    assert seen.held == reference.held
    assert seen.equity == reference.equity
    assert Fraction(result.account.system.tracker.cash) == reference.cash


def orders_of(result: BacktestResult) -> list[tuple[str, int, Fraction, str]]:
    """Symbol, side, shares and status of all orders, as they were sent; nobody asks who has refused one."""
    return [
        (one.order.symbol, one.order.side.sign, Fraction(one.quantity), str(one.status).replace("rejected", "denied"))
        for one in result.account.system.orders.orders()
    ]


def fills_of(result: BacktestResult) -> list[Fill]:
    """What traded, as it was booked."""
    return [
        Fill(since(one.at), one.symbol, one.side.sign, Fraction(one.quantity), Fraction(one.price), Fraction(one.fee))
        for one in result.record.fills
    ]


def _sorted(fills: Iterable[Fill]) -> list[Fill]:
    """Those of one moment by symbol: which symbol comes first has no meaning."""
    return sorted(fills, key=lambda fill: (fill.at, fill.symbol))
