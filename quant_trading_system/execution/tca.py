"""Transaction cost analysis: what a parent order cost, against what, and why.

Costs are dollars, positive when they hurt, on either side; every split sums to the total exactly. A benchmark
that is not known makes no number, never a zero.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal, localcontext
from itertools import pairwise

import msgspec

from quant_trading_system.core.exceptions import InvalidNumber
from quant_trading_system.core.numbers import BASIS_POINT, LEDGER, ZERO, divide
from quant_trading_system.core.orders import OrderSide

MARK_OUTS = (timedelta(seconds=1), timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=5))

_BP_PLACES = Decimal("1E-12")
_PRICE_PLACES = Decimal("1E-12")


class Execution(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One fill of a parent order.

    Attributes:
        quantity: shares, above 0; `price`: dollars a share, above 0.
        fees: dollars.
        mid: of the quote when it filled, None where unknown.
        venue: where, empty where unknown.

    Raises:
        InvalidNumber: a quantity or price that is not above zero, or a number that is not finite.
    """

    at: datetime
    quantity: Decimal
    price: Decimal
    fees: Decimal = ZERO
    mid: Decimal | None = None
    venue: str = ""

    def __post_init__(self) -> None:
        for name in ("quantity", "price", "mid"):
            value = getattr(self, name)
            if value is not None and not (value.is_finite() and value > 0):
                raise InvalidNumber(f"{name} {value} of an execution must be above zero")
        if not self.fees.is_finite():
            raise InvalidNumber(f"fees {self.fees} must be finite")


class ParentResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A parent order that has ended, filled or not.

    Attributes:
        quantity: shares that were wanted, above 0.
        decision_price: dollars a share when somebody decided to trade.
        arrival_price: when the order could first be worked; `end_price`: when it ended. Mids.
        fills: in any order; together not above the quantity.
        expected_cost_bps: of the plan, against arrival.
        expected_impact_bps: of the plan or a calibrated model, against arrival; splits drift into impact and timing.
        daily_volume, volatility, others_volume, quoted_spread: average shares a day, relative deviation of a day,
            shares that others traded while the order worked, and the average spread meanwhile in dollars a share;
            what a calibration needs. None where unknown.

    Raises:
        InvalidNumber: a price or quantity that is not above zero, or more filled than wanted.
    """

    parent_id: str
    symbol: str
    side: OrderSide
    quantity: Decimal
    decision_price: Decimal
    arrival_price: Decimal
    end_price: Decimal
    started_at: datetime
    ended_at: datetime
    fills: tuple[Execution, ...] = ()
    algorithm: str = ""
    strategy: str = ""
    expected_cost_bps: Decimal | None = None
    expected_impact_bps: Decimal | None = None
    daily_volume: Decimal | None = None
    volatility: Decimal | None = None
    others_volume: Decimal | None = None
    quoted_spread: Decimal | None = None

    def __post_init__(self) -> None:
        for name in ("quantity", "decision_price", "arrival_price", "end_price"):
            value = getattr(self, name)
            if not (value.is_finite() and value > 0):
                raise InvalidNumber(f"{name} {value} must be above zero")
        if self.filled > self.quantity:
            raise InvalidNumber(f"{self.parent_id}: {self.filled} filled, but only {self.quantity} wanted")

    @property
    def filled(self) -> Decimal:
        """Shares."""
        return sum((fill.quantity for fill in self.fills), ZERO)

    @property
    def value(self) -> Decimal:
        """Dollars that the fills traded for, exact."""
        with localcontext(LEDGER):
            return sum((fill.quantity * fill.price for fill in self.fills), ZERO)

    @property
    def fees(self) -> Decimal:
        """Dollars."""
        return sum((fill.fees for fill in self.fills), ZERO)

    @property
    def average_price(self) -> Decimal | None:
        """Dollars a share, to twelve decimals; None without a fill."""
        return divide(self.value, self.filled, _PRICE_PLACES) if self.filled else None


class Shortfall(msgspec.Struct, frozen=True, kw_only=True):
    """The implementation shortfall of one parent: what it cost against trading all of it at the decision price.

    Source: Perold (1988), The implementation shortfall: paper versus reality. `delay` counts the filled shares and
    `opportunity` the others, each from the decision price. delay + spread + impact + timing + opportunity + fees
    is the total exactly.

    Attributes:
        delay: from decision to arrival, on what filled.
        spread: fills against the mids at which they happened.
        impact: the part of the drift of those mids that the model gives to our own trading.
        timing: the rest of the drift, which the market did.
        opportunity: from the decision to the end, on what did not fill.
        total_bps: of the wanted quantity at the decision price.
    """

    delay: Decimal
    spread: Decimal
    impact: Decimal
    timing: Decimal
    opportunity: Decimal
    fees: Decimal
    total: Decimal
    total_bps: Decimal

    @property
    def trading(self) -> Decimal:
        """Fills against arrival: spread, impact and timing."""
        with localcontext(LEDGER):
            return self.spread + self.impact + self.timing


class WagnerShortfall(msgspec.Struct, frozen=True, kw_only=True):
    """The same total, with the delay charged to the whole order and opportunity measured from arrival.

    Source: Wagner & Edwards (1993), Best execution; Kissell (2013), equation 3.7.
    """

    delay: Decimal
    trading: Decimal
    opportunity: Decimal
    fees: Decimal
    total: Decimal


def implementation_shortfall(result: ParentResult) -> Shortfall:
    """The cost of a parent by cause, in exact dollars.

    A fill without a mid counts with the arrival price: then all it cost against arrival is spread. Without an
    expected impact the whole drift is timing.
    """
    sign, filled, value = result.side.sign, result.filled, result.value
    with localcontext(LEDGER):
        at_mids = sum((fill.quantity * (fill.mid or result.arrival_price) for fill in result.fills), ZERO)
        delay = sign * filled * (result.arrival_price - result.decision_price)
        spread = sign * (value - at_mids)
        drift = sign * (at_mids - filled * result.arrival_price)
        impact = (result.expected_impact_bps or ZERO) * BASIS_POINT * filled * result.arrival_price
        opportunity = sign * (result.quantity - filled) * (result.end_price - result.decision_price)
        fees = result.fees
        total = delay + spread + drift + opportunity + fees
        wanted = result.quantity * result.decision_price * BASIS_POINT
    return Shortfall(
        delay=delay,
        spread=spread,
        impact=impact,
        timing=LEDGER.subtract(drift, impact),
        opportunity=opportunity,
        fees=fees,
        total=total,
        total_bps=divide(total, wanted, _BP_PLACES),
    )


def wagner_shortfall(result: ParentResult) -> WagnerShortfall:
    """The cost of a parent by Wagner's split, in exact dollars."""
    sign, filled, value = result.side.sign, result.filled, result.value
    with localcontext(LEDGER):
        delay = sign * result.quantity * (result.arrival_price - result.decision_price)
        trading = sign * (value - filled * result.arrival_price)
        opportunity = sign * (result.quantity - filled) * (result.end_price - result.arrival_price)
        total = delay + trading + opportunity + result.fees
    return WagnerShortfall(delay=delay, trading=trading, opportunity=opportunity, fees=result.fees, total=total)


class PricePath(msgspec.Struct, frozen=True):
    """Mids over time: each holds until the next one.

    Raises:
        InvalidNumber: no point, times that do not rise, or a price that is not above zero.
    """

    times: tuple[datetime, ...]
    mids: tuple[Decimal, ...]

    def __post_init__(self) -> None:
        if not self.times or len(self.times) != len(self.mids):
            raise InvalidNumber("a price path needs a price for each of its times, and at least one")
        if any(a >= b for a, b in pairwise(self.times)):
            raise InvalidNumber("the times of a price path must rise")
        if any(not (mid.is_finite() and mid > 0) for mid in self.mids):
            raise InvalidNumber("the prices of a path must be above zero")

    def at(self, moment: datetime) -> Decimal | None:
        """The mid at that moment; None before the first and after the last time."""
        if not self.times[0] <= moment <= self.times[-1]:
            return None
        return self.mids[bisect_right(self.times, moment) - 1]

    def twap(self, start: datetime, end: datetime) -> Decimal | None:
        """The mean mid from `start` to `end`, weighted by time, to twelve decimals; None when not all is covered."""
        if self.at(start) is None or self.at(end) is None or end <= start:
            return None
        first, last = bisect_right(self.times, start) - 1, bisect_left(self.times, end)
        edges = [start, *self.times[first + 1 : last], end]
        tick = timedelta(microseconds=1)
        with localcontext(LEDGER):
            spans = [(b - a) // tick for a, b in pairwise(edges)]
            weighted = sum((mid * span for mid, span in zip(self.mids[first:], spans, strict=False)), ZERO)
        return divide(weighted, Decimal((end - start) // tick), _PRICE_PLACES)


def vwap(prints: Sequence[tuple[Decimal, Decimal]]) -> Decimal | None:
    """Volume-weighted average of (price, shares), dollars to twelve decimals; None without volume."""
    with localcontext(LEDGER):
        value = sum((price * shares for price, shares in prints), ZERO)
        volume = sum((shares for _, shares in prints), ZERO)
    return divide(value, volume, _PRICE_PLACES) if volume else None


class Benchmarks(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Prices to compare with, dollars a share; None where unknown.

    Attributes:
        open, close: of the day; `vwap`, `twap`: of the market while the order worked; `mid`: the average of the mids at
            the fills, weighted by shares.
    """

    arrival: Decimal | None = None
    open: Decimal | None = None
    close: Decimal | None = None
    vwap: Decimal | None = None
    twap: Decimal | None = None
    mid: Decimal | None = None


def benchmarks_of(
    result: ParentResult,
    *,
    path: PricePath | None = None,
    market_vwap: Decimal | None = None,
    day_open: Decimal | None = None,
    day_close: Decimal | None = None,
) -> Benchmarks:
    """What is known to compare a parent with; arrival and mid come from the parent itself."""
    known = [(fill.mid, fill.quantity) for fill in result.fills if fill.mid is not None]
    return Benchmarks(
        arrival=result.arrival_price,
        open=day_open,
        close=day_close,
        vwap=market_vwap,
        twap=path.twap(result.started_at, result.ended_at) if path is not None else None,
        mid=vwap(known) if len(known) == len(result.fills) else None,
    )


def costs_against(result: ParentResult, benchmarks: Benchmarks) -> dict[str, Decimal | None]:
    """Basis points by which the average fill was worse than each benchmark; None where either is unknown."""
    average = result.average_price
    found: dict[str, Decimal | None] = {}
    for name in benchmarks.__struct_fields__:
        price: Decimal | None = getattr(benchmarks, name)
        if average is None or price is None:
            found[name] = None
        else:
            found[name] = divide(result.side.sign * (average - price), price * BASIS_POINT, _BP_PLACES)
    return found


def mark_outs(
    result: ParentResult, path: PricePath, spans: Sequence[timedelta] = MARK_OUTS
) -> dict[timedelta, Decimal | None]:
    """How the market moved after our fills, basis points of the fill prices, weighted by value.

    Positive: the price went our way. Negative: the fills were adversely selected. Fills so close to the end of the
    path that nothing is known are left out; None when that is all of them.
    """
    found: dict[timedelta, Decimal | None] = {}
    for span in spans:
        gained = value = ZERO
        for fill in result.fills:
            later = path.at(fill.at + span)
            if later is not None:
                with localcontext(LEDGER):
                    gained += result.side.sign * fill.quantity * (later - fill.price)
                    value += fill.quantity * fill.price
        found[span] = divide(gained, LEDGER.multiply(value, BASIS_POINT), _BP_PLACES) if value else None
    return found
