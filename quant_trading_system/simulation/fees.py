"""What regulators charge for a trade in US stocks, by the day of the trade.

Brokers pass three charges on: the SEC's Section 31 fee and FINRA's trading activity fee on sales, and the fee
for the consolidated audit trail on both sides. Rates change by notice, hence the dated tables. Alpaca itself
charges no commission.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

import msgspec

from quant_trading_system.core.orders import OrderSide
from quant_trading_system.simulation.books import UNIT, units

_RateAndCap = tuple[int, int | None]

_CENT = 10**25
"""One cent in the units of a fee: money (10^-18 dollars) times a rate in billionths."""
_CENT_OF_SHARES = 10**16
"""One cent when whole shares are multiplied with a rate: units times units."""


class FeeBreakdown(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Dollars charged for one execution, by charge."""

    sec: Decimal
    taf: Decimal
    cat: Decimal

    @property
    def total(self) -> Decimal:
        """All charges together."""
        if not (self.sec or self.taf):
            return self.cat
        return self.sec + self.taf + self.cat


class Rate(NamedTuple):
    """A rate and the first trade date on which it holds.

    Attributes:
        rate: dollars per dollar of principal (SEC) or per share (others).
        cap: the most that one execution is charged, dollars; None when there is no cap.
    """

    since: date
    rate: Decimal
    cap: Decimal | None = None


class FeeSchedule:
    """Dated rates; a date before the first row is charged at the first row.

    Each charge is rounded up to the next cent for every execution. Alpaca accrues the day's charges and rounds
    their sum up once, so many small executions cost a few cents less there than here: the error is on the safe
    side, and every fill knows its fee at once.
    """

    def __init__(self, sec: tuple[Rate, ...], taf: tuple[Rate, ...], cat: tuple[Rate, ...]) -> None:
        self._rows = (sec, taf, cat)
        self._tables = tuple(_Table(rows) for rows in self._rows)
        self._latest = self._on(date.min)

    def __repr__(self) -> str:
        return f"FeeSchedule{self._rows}"

    @classmethod
    def alpaca(cls) -> FeeSchedule:
        """What an Alpaca account pays for US stocks."""
        return cls(SEC_SECTION_31, FINRA_TRADING_ACTIVITY, CONSOLIDATED_AUDIT_TRAIL)

    @classmethod
    def zero(cls) -> FeeSchedule:
        """No fees, as on Alpaca's paper accounts."""
        return cls((), (), ())

    def fee(self, side: OrderSide, quantity: Decimal, price: Decimal, trade_date: date) -> FeeBreakdown:
        """The charges for one execution.

        Args:
            quantity: shares, above zero; `price`: dollars a share.
            trade_date: the session's date in New York.
        """
        day = self._latest
        if day.date != trade_date:
            day = self._latest = self._on(trade_date)
        shares = units(quantity)
        sec = taf = cat = _FREE
        if day.cat is not None:
            whole_shares = -(-shares // UNIT)
            cat = _charge(day.cat, whole_shares * UNIT, _CENT_OF_SHARES)
        if side is _SELL and day.sec is not None:
            sec = _charge(day.sec, shares * units(price), _CENT)
        if side is _SELL and day.taf is not None:
            taf = _charge(day.taf, shares, _CENT_OF_SHARES)
        return FeeBreakdown(sec, taf, cat)

    def _on(self, day: date) -> _Day:
        return _Day(day, *(table.on(day) for table in self._tables))


class _Day(msgspec.Struct, frozen=True):
    """What holds on one trade date: rate and cap of each charge, None where nothing is charged."""

    date: date
    sec: _RateAndCap | None
    taf: _RateAndCap | None
    cat: _RateAndCap | None


class _Table:
    """The rows of one charge, ready for look-up; rates in billionths, caps in cents."""

    def __init__(self, rows: tuple[Rate, ...]) -> None:
        self._dates = [row.since for row in rows]
        self._rates = [(units(row.rate), None if row.cap is None else int(row.cap * 100)) for row in rows]
        assert self._dates == sorted(self._dates), "rates are listed oldest first"

    def on(self, day: date) -> _RateAndCap | None:
        if not self._dates:
            return None
        rate, cap = self._rates[max(bisect_right(self._dates, day) - 1, 0)]
        return (rate, cap) if rate else None


_SELL = OrderSide.SELL
_FREE = Decimal(0)


def _charge(rate_and_cap: _RateAndCap, base: int, cent: int) -> Decimal:
    """Base times rate, rounded up to the cent, at most the cap."""
    rate, cap = rate_and_cap
    cents = -(-base * rate // cent)
    if cap is not None and cents > cap:
        cents = cap
    return _dollars(cents) if cents else _FREE


@lru_cache(1024)
def _dollars(cents: int) -> Decimal:
    return Decimal(cents).scaleb(-2)


def _per_million(year: int, month: int, day: int, dollars: str) -> Rate:
    return Rate(date(year, month, day), Decimal(dollars) / 1_000_000)


SEC_SECTION_31: tuple[Rate, ...] = (
    Rate(date.min, Decimal("0.0000333")),  # the statutory 1/300 of one per cent
    _per_million(2001, 12, 28, "15.00"),
    _per_million(2002, 4, 1, "30.10"),
    _per_million(2003, 3, 22, "25.20"),
    _per_million(2003, 4, 1, "46.80"),
    _per_million(2004, 2, 22, "39.00"),
    _per_million(2004, 4, 1, "23.40"),
    _per_million(2005, 1, 7, "32.90"),
    _per_million(2005, 4, 1, "41.80"),
    _per_million(2005, 12, 22, "30.70"),
    _per_million(2007, 3, 17, "15.30"),  # day reckoned: 30 days after the appropriation of 2007-02-15
    _per_million(2008, 1, 25, "11.00"),  # day reckoned: 30 days after the appropriation of 2007-12-26
    _per_million(2008, 4, 1, "5.60"),
    _per_million(2009, 4, 10, "25.70"),  # day reckoned: 30 days after the appropriation of 2009-03-11
    _per_million(2010, 1, 15, "12.70"),
    _per_million(2010, 4, 1, "16.90"),
    _per_million(2011, 1, 21, "19.20"),
    _per_million(2012, 2, 21, "18.00"),  # day reckoned: 60 days after the appropriation of 2011-12-23
    _per_million(2012, 4, 1, "22.40"),
    _per_million(2013, 5, 25, "17.40"),
    _per_million(2014, 3, 18, "22.10"),
    _per_million(2015, 2, 14, "18.40"),
    _per_million(2016, 2, 16, "21.80"),
    _per_million(2017, 7, 4, "23.10"),
    _per_million(2018, 5, 22, "13.00"),
    _per_million(2019, 4, 16, "20.70"),
    _per_million(2020, 2, 18, "22.10"),
    _per_million(2021, 2, 25, "5.10"),
    _per_million(2022, 5, 14, "22.90"),
    _per_million(2023, 2, 27, "8.00"),
    _per_million(2024, 5, 22, "27.80"),
    _per_million(2025, 5, 14, "0.00"),
    _per_million(2026, 4, 4, "20.60"),
)
"""SEC fee on sales, dollars per dollar of principal.

Source:
    SEC fee rate advisories and FINRA information notices, one per row.
"""

FINRA_TRADING_ACTIVITY: tuple[Rate, ...] = (
    Rate(date.min, Decimal("0.000075"), Decimal("3.75")),  # in force since 2004; earlier sales are charged alike
    Rate(date(2011, 7, 1), Decimal("0.000090"), Decimal("4.50")),
    Rate(date(2012, 3, 1), Decimal("0.000095"), Decimal("4.75")),
    Rate(date(2012, 7, 1), Decimal("0.000119"), Decimal("5.95")),
    Rate(date(2022, 1, 1), Decimal("0.000130"), Decimal("6.49")),
    Rate(date(2023, 1, 1), Decimal("0.000145"), Decimal("7.27")),
    Rate(date(2024, 1, 1), Decimal("0.000166"), Decimal("8.30")),
    Rate(date(2026, 1, 1), Decimal("0.000195"), Decimal("9.79")),
)
"""FINRA trading activity fee on sales, dollars per share, with the cap per execution.

Source:
    FINRA Regulatory Notices 11-27 and 12-06, 77 FR 38690, rule filings SR-FINRA-2020-032 and SR-FINRA-2024-019.
"""

CONSOLIDATED_AUDIT_TRAIL: tuple[Rate, ...] = (
    Rate(date.min, Decimal(0)),
    Rate(date(2024, 10, 1), Decimal("0.000053")),
    Rate(date(2025, 1, 1), Decimal("0.000046")),
    Rate(date(2025, 7, 1), Decimal("0.0000265")),
)
"""Audit trail fee on buys and sales, dollars per share, fractions counted as a share.

Alpaca publishes the sums that it passes on; the days are those on which the plan's own fees changed.

Source:
    Alpaca, "Regulatory fees"; CAT fee alerts 2024-1 to 2025-2.
"""
