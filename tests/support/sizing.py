"""Questions to sizers, with a past that a test writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import cache

import numpy as np

from quant_trading_system.core.instruments import Instrument
from quant_trading_system.core.signals import Direction, Signal
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.market.history_view import HistoryView
from quant_trading_system.market.sessions import TradingCalendar
from quant_trading_system.market.time_axis import daily_axis
from quant_trading_system.risk.position_sizer import Around, SizingRequest, Wanted
from tests.support.desk import limits_with
from tests.support.market import NOON

D = Decimal


@cache
def _calendar() -> TradingCalendar:
    return TradingCalendar.nyse(date(2019, 1, 1), date(2023, 12, 31))


def past_of(returns: Mapping[str, Sequence[float]]) -> HistoryView:
    """Daily closes from 100 dollars on with these returns; NaN for a missing bar."""
    count = max(len(series) for series in returns.values())
    sessions = _calendar().sessions_between(date(2019, 1, 2), date(2023, 12, 29))
    axis = daily_axis(np.array([session.date for session in sessions[: count + 1]]), _calendar())
    columns = [np.append(1.0, np.cumprod(1 + np.nan_to_num(np.asarray(series)))) for series in returns.values()]
    missing = [np.append(False, np.isnan(np.asarray(series))) for series in returns.values()]
    closes = np.column_stack([np.rint(column * 100_000_000).astype(np.int64) for column in columns])
    history = PriceHistory(tuple(returns), axis, closes, ~np.column_stack(missing))
    return HistoryView(history, len(history) - 1)


def signal(symbol: str = "KO", direction: str = "long", **wish) -> Signal:
    """A wish of the strategy ``test``."""
    return Signal(symbol=symbol, direction=Direction(direction), at=NOON, source="test", **wish)


def ask(
    symbol: str = "KO",
    direction: str = "long",
    *,
    past: HistoryView | None = None,
    others: Sequence[str] = (),
    price: str = "100",
    equity: str = "100000",
    drawdown: str = "0",
    trades: Sequence[Decimal] = (),
    limits: Mapping[str, object] | None = None,
    **wish,
) -> SizingRequest:
    """A question about `symbol`, wanted together with `others`; without limits unless some are given."""
    wishes = [signal(symbol, direction, **wish), *(signal(other) for other in others)]
    wanted = tuple(Wanted(signal=w, instrument=Instrument(symbol=w.symbol), price=D(price)) for w in wishes)
    around = Around(wanted=wanted, past=past, drawdown=D(drawdown), trades=trades)
    roomy = {"max_position_pct": D(10), "max_sector_exposure": D(10), "max_gross_exposure": D(10)}
    return SizingRequest(
        signal=wishes[0],
        instrument=wanted[0].instrument,
        price=D(price),
        equity=D(equity),
        limits=limits_with(**{**roomy, **(limits or {})}),
        signals=len(wanted),
        around=around,
    )


def wander(seed: int, days: int = 300, scale: float = 0.01, drift: float = 0.0005) -> np.ndarray:
    """Normal returns of a seed."""
    return np.random.Generator(np.random.PCG64(seed)).normal(drift, scale, days)
