"""Random histories and plans for backtests that two simulations are to agree about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from random import Random

import numpy as np

from quant_trading_system.market.history import PriceHistory
from quant_trading_system.market.sessions import TradingCalendar
from quant_trading_system.market.time_axis import daily_axis, intraday_axis
from tests.support.independent_reference import Plan
from tests.support.reference_limits import Limits, Terms
from tests.support.reference_losses import Losses
from tests.support.reference_prices import BUY, CENT, SELL, half_up, tick_of
from tests.support.reference_sizing import Sizer, Wish
from tests.support.reference_venue import STOPS, Want
from tests.support.reference_words import Said

PAST = 8
"""Bars that are only known: enough for correlations, which are of no interest here."""
_CALENDAR = TradingCalendar.nyse(date(2019, 1, 2), date(2019, 12, 31))
SESSIONS = list(_CALENDAR.sessions_between(date(2019, 1, 2), date(2019, 12, 31)))
_SPECIAL = [
    number - 2
    for number, one in enumerate(SESSIONS)
    if one.date in (date(2019, 3, 11), date(2019, 11, 4)) or one.close - one.open < timedelta(hours=6)
]
"""Two sessions before a change of clocks, or a half day."""


def random_history(chance: Random, *, daily: bool = False, symbols: int = 3) -> PriceHistory:
    """Bars of a few days: some are missing, symbols may begin late or end early; with or without open, high and low."""
    days, missing, volatility = (60 if daily else 4), chance.choice((0.0, 0.0, 0.1)), chance.choice((0.002, 0.01))
    first = (
        chance.choice((0, chance.randrange(len(SESSIONS) - days), *_SPECIAL)) if days < 60 else chance.randrange(180)
    )
    sessions = SESSIONS[first : first + days]
    if daily:
        axis = daily_axis(np.array([one.date for one in sessions], dtype="datetime64[D]"), _CALENDAR)
    else:
        minutes, ends_day = chance.choice((1, 5, 30)), chance.random() < 0.4
        count = 13 if minutes < 30 else 7
        span = timedelta(minutes=minutes)
        begins = [one.close - count * span if ends_day else one.open for one in sessions]
        places = np.arange(count) * np.timedelta64(minutes, "m")
        starts = [np.datetime64(moment.replace(tzinfo=None), "us") + places for moment in begins]
        axis = intraday_axis(np.concatenate(starts), span, "start", _CALENDAR)
    shape = (len(axis.ends), symbols)
    present = np.array([[chance.random() >= missing for _ in range(symbols)] for _ in range(shape[0])])
    if chance.random() < 0.3:
        present[: chance.randrange(shape[0] // 2), 0] = False
        present[chance.randrange(shape[0] // 2, shape[0]) :, 1] = False
    present[:, -1] = True
    adjusted = chance.random() < 0.3
    columns = [_walk(chance, shape[0], chance.choice((0.9, 40.0, 250.0)), volatility, adjusted) for _ in range(symbols)]
    opened, high, low, close = (np.array([column[role] for column in columns]).T.copy() for role in range(4))
    names = tuple(f"S{number}" for number in range(symbols))
    volume = np.array(
        [[chance.randrange(3) * chance.randrange(1, 2000) ** 2 for _ in range(symbols)] for _ in range(shape[0])]
    )
    known = volume if chance.random() < 0.8 else None
    if chance.random() < 0.3:
        return PriceHistory(names, axis, close, present, volume=known)
    return PriceHistory(names, axis, close, present, opened, high, low, volume=known)


def _walk(chance: Random, bars: int, price: float, volatility: float, adjusted: bool) -> list[list[int]]:
    """Opens, highs, lows and closes in micro-dollars; adjusted prices lie between the ticks."""
    rows = []
    for _ in range(bars):
        unit = 10_000 if price >= 1 and not adjusted else 100
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
    plan: dict[int, list[Said]] = {}
    for bar in range(len(history) - PAST - 1):
        for symbol in history.symbols:
            close = history.close(symbol, PAST + bar)
            if close is not None and chance.random() < often:
                side = chance.choice((BUY, SELL)) if both_ways else sides[symbol]
                plan.setdefault(bar, []).append(_order(chance, symbol, side, Fraction(close)))
    return plan


def _order(chance: Random, symbol: str, side: int, close: Fraction) -> Want:
    kind = chance.choice(("market", "limit", *STOPS))
    times = ("day", "gtc") if kind in STOPS else ("day", "gtc", "ioc", "fok", "cls", "opg")
    want = Want(symbol, side, Fraction(chance.randrange(1, 50)), kind, chance.choice(times))

    def away(sign: int) -> Fraction:
        price = close * (1 + sign * abs(Fraction(chance.gauss(0, 0.004)).limit_denominator(10**6)))
        price = half_up(price, tick_of(close))
        return half_up(price, tick_of(price))

    if kind == "market":
        return want
    if kind == "limit":
        extended = want.time_in_force in ("day", "gtc") and chance.random() < 0.05
        return replace(want, limit=away(chance.choice((BUY, SELL))), extended_hours=extended)
    if kind == "trailing_stop":
        if chance.random() < 0.5:
            return replace(want, trail=CENT * chance.randrange(1, 30))
        return replace(want, trail_percent=Fraction(chance.randrange(5, 100), 100))
    stop = away(side)
    return replace(want, stop=stop, limit=away(side) if kind == "stop_limit" else None)


def _changed(
    chance: Random, plan: Plan, history: PriceHistory, share: float, change: Callable[[Random, Want, Fraction], Want]
) -> Plan:
    """The same with about this `share` of the orders changed, which are told the close of their bar."""
    changed: dict[int, list[Said]] = {}
    for bar, said in plan.items():
        for one in said:
            close = history.close(one.symbol, PAST + bar) if isinstance(one, Want) else None
            if isinstance(one, Want) and close is not None and chance.random() < share:
                one = change(chance, one, Fraction(close))
            changed.setdefault(bar, []).append(one)
    return changed


def with_exits(chance: Random, plan: Plan, history: PriceHistory) -> Plan:
    """The same with exits of their own for some of the market and limit orders, and OCO orders for what may be held."""
    return _changed(chance, plan, history, 0.6, _with_exits)


def _with_exits(chance: Random, want: Want, close: Fraction) -> Want:
    way, width = want.side, chance.choice((0.002, 0.01))
    leaves = chance.random() < 0.25
    if not leaves and want.kind not in ("market", "limit"):
        return want

    def at(base: Fraction, sign: int) -> Fraction:
        price = base * (1 + sign * abs(Fraction(chance.gauss(0, width)).limit_denominator(10**6)))
        price = half_up(price, tick_of(price)) + sign * CENT
        return half_up(price, tick_of(price))

    base = close if want.limit is None or leaves else want.limit
    way = -way if leaves else way
    profit, loss = (
        at(max(base, close) if way == BUY else min(base, close), way),
        at(min(base, close) if way == BUY else max(base, close), -way),
    )
    loss_limit = at(loss, -way) if chance.random() < 0.3 else None
    in_force = chance.choice(("day", "gtc", "gtc"))
    if leaves:
        return Want(
            want.symbol,
            want.side,
            want.quantity,
            "limit",
            in_force,
            profit=profit,
            loss=loss,
            loss_limit=loss_limit,
            leaves=True,
        )
    without = chance.choice((None, None, "profit", "loss"))
    return replace(
        want,
        time_in_force=in_force,
        extended_hours=False,
        profit=None if without == "profit" else profit,
        loss=None if without == "loss" else loss,
        loss_limit=None if without == "loss" else loss_limit,
    )


def random_wishes(chance: Random, history: PriceHistory) -> Plan:
    """Weights of up to an eighth of equity, long, short or nothing; each is another one than before."""
    often, shorts = chance.choice((0.05, 0.3, 0.9)), chance.choice((0.0, 0.4))
    said: dict[str, Fraction] = {}
    plan: dict[int, list[Said]] = {}
    for bar in range(len(history) - PAST - 1):
        for symbol in history.symbols:
            weight = Fraction(chance.choice((0, 0, 3, 5, 8, 12)), 100) * (-1 if chance.random() < shorts else 1)
            if chance.random() < often and weight != said.get(symbol, 0):
                said[symbol] = weight
                plan.setdefault(bar, []).append(Wish(symbol, weight))
    return plan


def sized_wishes(chance: Random, history: PriceHistory) -> Plan:
    """Wishes of which most leave the size to the sizer, some with a stop; many are said again and again."""
    often, again, shorts = chance.choice((0.1, 0.4, 1.0)), chance.choice((0.0, 0.7)), chance.choice((0.0, 0.4))
    said: dict[str, Wish] = {}
    plan: dict[int, list[Said]] = {}
    for bar in range(len(history) - PAST - 1):
        for symbol in history.symbols:
            close = history.close(symbol, PAST + bar)
            if close is None or chance.random() > often:
                continue
            if symbol not in said or chance.random() > again:
                said[symbol] = _sized_wish(chance, symbol, Fraction(close), -1 if chance.random() < shorts else 1)
            plan.setdefault(bar, []).append(said[symbol])
    return plan


def _sized_wish(chance: Random, symbol: str, close: Fraction, side: int) -> Wish:
    kind = chance.random()
    if kind < 0.25:
        return Wish(symbol)
    if kind < 0.35:
        return Wish(symbol, side * Fraction(chance.randrange(1, 20), 100))
    away = side * Fraction(chance.choice((-1, 5, 30, 100)), 1000)
    stop = half_up(close * (1 - away), CENT)
    has_stop = stop > 0 and chance.random() < 0.8
    strength = Fraction(chance.choice(("1", "1", "0.5", "0.37")))
    return Wish(symbol, side=side, strength=strength, stop=stop if has_stop else None)


def random_sizer(chance: Random, symbols: int = 3) -> Sizer:
    """One of the sizers, Kelly where symbols are few; a third of them ask for less below the peak."""

    def one_of(*numbers: str) -> Fraction:
        return Fraction(chance.choice(numbers))

    names = ["equal-weight", "fixed-fractional", "atr", "vol-target"]
    name = chance.choice([*names, "kelly"] if symbols <= 3 else names)
    return Sizer(
        name,
        gross=one_of("0.95", "0.5", "0.1"),
        risk=one_of("0.01", "0.002"),
        multiple=one_of("2", "0.5", "3.5"),
        target=one_of("0.15", "0.05"),
        cap=one_of("1", "0.2"),
        decay=one_of("0.94", "0.7"),
        window=chance.choice((4, 8, 14)),
        fewest=4 if name == "kelly" else chance.choice((2, 4)),
        fraction=one_of("0.25", "1", "0.02"),
        leverage=one_of("1", "0.3"),
        rate=one_of("0", "0.05"),
        shrinks=chance.random() < 0.7,
        drawdown=(Fraction(1, 1000), one_of("0.01", "0.05"), one_of("0", "0.25")) if chance.random() < 0.3 else None,
    )


def larger(chance: Random, plan: Plan) -> Plan:
    """The same with some of the orders many times as large."""
    return {bar: [_larger(chance, one) for one in said] for bar, said in plan.items()}


def _larger(chance: Random, one: Said) -> Said:
    return replace(one, quantity=one.quantity * chance.choice((1, 8, 40))) if isinstance(one, Want) else one


def random_terms(chance: Random, history: PriceHistory) -> Terms:
    """Most symbols trade in parts of a share, some in lots."""
    fractionable = frozenset(symbol for symbol in history.symbols if chance.random() < 0.8)
    lots = {symbol: Fraction(chance.choice(("1", "1", "0.1", "0.001", "10"))) for symbol in history.symbols}
    return Terms({symbol: lot for symbol, lot in lots.items() if lot >= 1 or symbol in fractionable}, fractionable)


SHIPPED = Limits(
    position=Fraction("0.1"),
    sector=Fraction("0.3"),
    gross=Fraction(1),
    power=Fraction(1),
    position_shares=Fraction(10**6),
    positions=20,
    least=Fraction(1),
    most=Fraction(10**6),
    shares=Fraction(10**5),
    open_of_symbol=5,
    open_orders=250,
    orders_a_minute=300,
    dollars_a_minute=Fraction(10**7),
    orders_a_day=5000,
    dollars_a_day=Fraction(5 * 10**7),
    collar=Fraction("0.05"),
    spread=Fraction("0.02"),
    correlation=Fraction("0.8"),
    fewest=20,
)
"""As docs/risk-limits.md lists them."""


def random_limits(chance: Random, history: PriceHistory) -> Limits:
    """A few of the limits are in the way of some orders."""

    def some(*limits: str) -> Fraction | None:
        return Fraction(chance.choice(limits)) if chance.random() < 0.12 else None

    gross = some("0.1", "0.5", "1", "2") or Fraction(chance.choice((1, 4)))
    kind = chance.random()
    if kind < 0.15:
        return SHIPPED
    if kind < 0.35:
        apart = {symbol: symbol for symbol in history.symbols}
        return Limits(gross=gross, power=Fraction(4), settled_only=True, sectors=apart)
    return Limits(
        position=some("0.02", "0.1", "0.3") or Fraction(1),
        sector=some("0.05", "0.3", "0.5") or Fraction(1),
        gross=gross,
        net=some("0.05", "0.3"),
        squares=some("0.005", "0.05"),
        power=max(Fraction(chance.choice((1, 1, 2))), Fraction(-(-gross // 1))),
        position_dollars=some("500", "3000"),
        position_shares=some("20", "70") or Fraction(10**8),
        positions=chance.choice((1, 2, 500, 500, 500, 500)),
        least=some("100", "400") or Fraction(1, 100),
        most=some("1500", "6000") or Fraction(10**7),
        shares=some("30", "45") or Fraction(10**7),
        open_of_symbol=chance.choice((1, 2, 3, *[1000] * 9)),
        open_orders=chance.choice((1, 3, 5, *[10_000] * 12)),
        orders_a_minute=chance.choice((1, 2, *[10**5] * 9)),
        dollars_a_minute=some("3000", "10000") or Fraction(10**12),
        orders_a_day=chance.choice((3, 10, *[10**7] * 9)),
        dollars_a_day=some("5000", "30000") or Fraction(10**13),
        turnover=some("0.2", "1"),
        collar=some("0.0005", "0.005") or Fraction(9, 10),
        spread=some("0.0003", "0.001") or Fraction(9, 10),
        settled_only=chance.random() < 0.2,
        correlation=some("0.3", "0.6") or Fraction(1),
        window=chance.choice((60, 60, 8)),
        fewest=chance.choice((5, 5, 5, 8)),
        volume=some("0.0001", "0.01"),
        volume_a_day=some("0.0003", "0.03"),
        repeats=chance.choice((5, 5, 0, 7200)),
        sectors={symbol: "Energy" for symbol in history.symbols if chance.random() < 0.5},
    )


def random_losses(chance: Random) -> Losses:
    """Two kinds of loss that may soon be too large; the others are out of the way."""
    small = {name: Fraction(chance.choice((1, 3, 10, 50)), 10_000) for name in _LOSSES}
    kinds = chance.sample([*_LOSSES, "in_a_row", "slippage"], 2)
    return Losses(
        **{name: small[name] for name in _LOSSES if name in kinds},
        in_a_row=chance.randrange(1, 6) if "in_a_row" in kinds else 1000,
        slippage=Fraction(chance.choice((1, 3, 10))) if "slippage" in kinds else Fraction(10_000),
        fills=chance.choice((5, 10, 20)),
    )


_LOSSES = ("of_day", "from_peak", "of_week", "of_month", "at_once")


def said_twice(chance: Random, plan: Plan) -> Plan:
    """The same with some of the orders sent twice, which is not always meant."""
    return {bar: [again for one in said for again in _said_twice(chance, one)] for bar, said in plan.items()}


def _said_twice(chance: Random, one: Said) -> list[Said]:
    if not isinstance(one, Want) or chance.random() < 0.8:
        return [one]
    other = replace(one, time_in_force="day") if len(one.members) == 1 else one
    return [one, replace(other, repeat=chance.random() < 0.2)]


def in_fractions(chance: Random, plan: Plan, history: PriceHistory) -> Plan:
    """The same with parts of shares, or dollars, for some of the orders that may have them."""
    return _changed(chance, plan, history, 0.7, _in_fractions)


def _in_fractions(chance: Random, want: Want, close: Fraction) -> Want:
    if want.kind == "trailing_stop" or len(want.members) > 1:
        return want
    part = chance.choice((10, 1000, 10**9))
    quantity = Fraction(chance.randrange(2 * part, 50 * part), part)
    dollars = half_up(close * chance.randrange(2, 50), CENT) if chance.random() < 0.5 else None
    return replace(want, time_in_force="day", quantity=quantity if dollars is None else Fraction(0), dollars=dollars)


def both(chance: Random, orders: Plan, wishes: Plan) -> Plan:
    """What either of them says, in any order."""
    plan = {bar: [*orders.get(bar, ()), *wishes.get(bar, ())] for bar in sorted({*orders, *wishes})}
    for said in plan.values():
        chance.shuffle(said)
    return plan
