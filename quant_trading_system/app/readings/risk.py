"""The risk numbers on record: the latest measurement, and how its forecasts have done so far."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from quant_trading_system.app.readings.follower import Follower
from quant_trading_system.core.numbers import from_float
from quant_trading_system.core.risk_now import RiskNow
from quant_trading_system.risk.risk_book import backtest_of
from quant_trading_system.risk.var_tests import VarTest

REJECTED = Decimal("0.05")
"""A p-value below this is commonly held against a forecast."""


class ForecastRecord(msgspec.Struct, frozen=True, kw_only=True):
    """How one forecast of value at risk did, day by day.

    Attributes:
        name: such as ``historical_var_95``.
        exceptions: days of `days` on which the loss was larger.
        kupiec, christoffersen: p-values: are exceptions as frequent as told, and do they not cluster?
    """

    name: str
    days: int
    exceptions: int
    kupiec: Decimal | None
    christoffersen: Decimal | None

    @property
    def is_doubtful(self) -> bool:
        """One of the tests rejects it."""
        return any(value is not None and value < REJECTED for value in (self.kupiec, self.christoffersen))


class RiskReading(msgspec.Struct, frozen=True, kw_only=True):
    """The latest risk numbers, and the record of the forecasts."""

    now: RiskNow
    forecasts: tuple[ForecastRecord, ...]


class MeasuredRisk(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured last; None while no live engine has run."""

    measured: RiskReading | None


def risk_reading(follower: Follower) -> RiskReading | None:
    """What the journal has; None while an account was never measured, as in a backtest."""
    with follower.lock:
        now, day = follower.books.risk_now, follower.books.risk_day
    if now is None:
        return None
    record = {} if day is None else day.record
    return RiskReading(now=now, forecasts=tuple(_forecast(name, days) for name, days in sorted(record.items())))


def _forecast(name: str, days: str) -> ForecastRecord:
    found = backtest_of(name, days)
    return ForecastRecord(
        name=name,
        days=found.days,
        exceptions=found.exceptions,
        kupiec=_p_value(found.kupiec),
        christoffersen=_p_value(found.christoffersen),
    )


def _p_value(test: VarTest | None) -> Decimal | None:
    return None if test is None else from_float(test.p_value, 4)
