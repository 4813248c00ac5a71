"""What the rules of an account demand of its capital: settled cash, margin within the day, day trades.

All are off by default. An order that is proven to shrink a position is a way out and passes them all.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from quant_trading_system.core.decisions import CheckResult, Rule, Unit
from quant_trading_system.core.instruments import Instrument
from quant_trading_system.core.numbers import ONE, ZERO
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.risk.checks.case import Case, at_most, at_stake
from quant_trading_system.risk.holding import Holding
from quant_trading_system.risk.portfolio import Portfolio

_LOW_LONG, _LOW_SHORT = Decimal("2.50"), Decimal("5.00")


def check_settled_cash(case: Case) -> CheckResult | None:
    """What this and all open buys cost is covered by cash that has settled, or it buys nothing new.

    Proceeds of a sale settle on the next business day. Whoever buys with settled cash only can sell again at any
    time: neither free riding nor a good-faith violation is possible.

    Source: SEC Rule 15c6-1 (one business day since May 2024); Regulation T, 12 CFR 220.8(c).
    """
    rule = Rule.SETTLED_CASH
    if case.shrinks or case.order.side is not OrderSide.BUY or case.limits.use_unsettled_cash:
        return None
    unsettled = case.sources.unsettled()
    if unsettled is None or case.price is None:
        return CheckResult(rule, False, None, None, Unit.USD, "no usable quote, or past fills are unknown")
    makes_way = case.portfolio.peek(case.order.symbol).buying - case.holding.buying
    bought = case.portfolio.buying - makes_way + at_stake(case) * case.price
    return at_most(rule, bought, case.portfolio.cash - unsettled, Unit.USD)


def check_margin_use(case: Case) -> CheckResult | None:
    """In the worst case the maintenance margin of all positions is within `max_margin_use_pct` of equity.

    Each symbol counts with its own rate, cheap shares and short ones with what the broker asks for them at least.

    Source: FINRA Rule 4210, margin within the day as in force since June 2026; the broker's table of rates.
    """
    rule, share = Rule.MAX_MARGIN_USE, case.limits.max_margin_use_pct
    if case.shrinks or share is None:
        return None
    limit = share * case.equity
    if case.price is None:
        return CheckResult(rule, False, None, limit, Unit.USD, "no usable quote")
    symbol, instrument_of = case.order.symbol, case.sources.instrument
    is_short = _ends_short(case.holding, case.signed_quantity)
    needed = _margin(instrument_of(symbol), case.worst_quantity, case.worst_value, is_short=is_short)
    needed += margin_needed(case.portfolio, instrument_of, leaving_out=symbol)
    return at_most(rule, needed, limit, Unit.USD)


def margin_needed(
    portfolio: Portfolio, instrument_of: Callable[[str], Instrument | None], leaving_out: str = ""
) -> Decimal:
    """Dollars of maintenance margin of all positions in the worst case, but for one symbol."""
    needed = ZERO
    for symbol in portfolio.open_symbols:
        if symbol != leaving_out:
            held = portfolio.holding(symbol)
            is_short = _ends_short(held, ZERO)
            needed += _margin(instrument_of(symbol), held.worst_quantity, held.worst_value, is_short=is_short)
    return needed


def _margin(instrument: Instrument | None, quantity: Decimal, value: Decimal, *, is_short: bool) -> Decimal:
    """Dollars; `value` of a position of `quantity` shares times its rate."""
    rate = ONE if instrument is None else instrument.maintenance_margin
    if not is_short:
        return value * (ONE if value < _LOW_LONG * quantity else rate)
    if value < _LOW_SHORT * quantity:
        return max(value, _LOW_LONG * quantity)
    return max(value * rate, _LOW_SHORT * quantity)


def _ends_short(held: Holding, change: Decimal) -> bool:
    return held.position.quantity - held.sells + min(change, ZERO) < 0


def check_day_trades(case: Case) -> CheckResult | None:
    """With this one, at most `max_day_trades` positions are opened and closed on one day, of the last five sessions.

    A position that was opened today counts, for it may have to be closed today. For brokers that still count.
    """
    limit = case.limits.max_day_trades
    if case.shrinks or limit is None:
        return None
    counted = case.sources.day_trades(case.order.symbol)
    if counted is None:
        return CheckResult(Rule.MAX_DAY_TRADES, False, None, Decimal(limit), Unit.COUNT, "past fills are unknown")
    return at_most(Rule.MAX_DAY_TRADES, Decimal(counted), Decimal(limit), Unit.COUNT)
