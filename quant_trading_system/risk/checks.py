"""The questions of the gate: one small pure function each, asked in a fixed order.

A check states its invariant positively (``actual <= limit``) and gives both numbers. What is missing
refuses. A way out is never too large: orders proven to shrink a position pass the limits on size.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.decisions import CheckResult, Rule, Unit
from quant_trading_system.core.events import HaltLevel
from quant_trading_system.core.instruments import Instrument
from quant_trading_system.core.numbers import ZERO, arithmetic_is_exact, is_on_tick
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce
from quant_trading_system.market.quotes import Quote
from quant_trading_system.market.sessions import Session
from quant_trading_system.risk.portfolio import Holding, Portfolio

_OPG_LATEST = timedelta(minutes=2)
_CLS_LATEST = timedelta(minutes=10)
_EXTENDED_BEFORE_OPEN = timedelta(hours=5, minutes=30)
_EXTENDED_AFTER_CLOSE = timedelta(hours=4)


class Case:
    """All that is known about one order at the moment of the decision; every check reads it, none writes it.

    Attributes:
        quantity: shares, also for dollar orders (the most that they can become).
        price: dollars a share at which the order's room is valued; None without a usable quote.
        worst_quantity, worst_value: of the symbol, if this order and all open ones of the worse side fill.
        added_value: by how much the order raises the worst-case value; at most 0 when it adds nothing.
        session: the regular session that is open now; `last_close`: the end of the latest finished one.
        duplicate_age: seconds since an identical order, None when there was none.
        correlated: highest correlation with a symbol held, that symbol, and whether all were measurable.
    """

    __slots__ = (
        "added_value",
        "correlated",
        "correlated_with",
        "correlation_known",
        "duplicate_age",
        "equity",
        "halt_level",
        "halt_reason",
        "holding",
        "instrument",
        "last_close",
        "limits",
        "next_open",
        "now",
        "order",
        "portfolio",
        "price",
        "quantity",
        "quote",
        "session",
        "shrinks",
        "signed_quantity",
        "unsupported",
        "worst_quantity",
        "worst_value",
    )

    order: Order
    instrument: Instrument | None
    quote: Quote | None
    portfolio: Portfolio
    holding: Holding
    limits: RiskLimits
    now: datetime
    session: Session | None
    last_close: datetime | None
    next_open: datetime | None
    halt_level: HaltLevel
    halt_reason: str
    unsupported: str
    equity: Decimal
    quantity: Decimal
    signed_quantity: Decimal
    price: Decimal | None
    shrinks: bool
    worst_quantity: Decimal
    worst_value: Decimal
    added_value: Decimal
    duplicate_age: Decimal | None
    correlated: Decimal | None
    correlated_with: str
    correlation_known: bool


Check = Callable[[Case], CheckResult]


def _at_most(rule: Rule, actual: Decimal, limit: Decimal, unit: Unit, detail: str = "") -> CheckResult:
    return CheckResult(rule, actual <= limit, actual, limit, unit, detail)


def _way_out(rule: Rule, unit: Unit = Unit.NONE) -> CheckResult:
    return CheckResult(rule, True, None, None, unit, "shrinks the position")


# -- step 1: risk assessment -------------------------------------------------------------------------------------


def check_kill_switch(case: Case) -> CheckResult:
    """The kill switch is inactive, or the order shrinks a position at a level that allows exits."""
    level = case.halt_level
    if level is HaltLevel.RUNNING:
        return CheckResult(Rule.KILL_SWITCH, True)
    exits = level in (HaltLevel.REDUCING, HaltLevel.FLATTENING)
    return CheckResult(Rule.KILL_SWITCH, exits and case.shrinks, detail=f"{level.name.lower()}: {case.halt_reason}")


def check_exact_arithmetic(case: Case) -> CheckResult:  # noqa: ARG001 - every check takes the case
    """This thread computes with at least 28 digits and raises on invalid operations."""
    if arithmetic_is_exact():
        return CheckResult(Rule.EXACT_ARITHMETIC, True)
    return CheckResult(Rule.EXACT_ARITHMETIC, False, detail="the decimal context of this thread was changed")


def check_account_known(case: Case) -> CheckResult:
    """Equity is above zero; without it no share of equity means anything."""
    if case.shrinks:
        return _way_out(Rule.ACCOUNT_KNOWN)
    return CheckResult(Rule.ACCOUNT_KNOWN, case.equity > 0, case.equity, None, Unit.USD, "equity")


def check_daily_loss(case: Case) -> CheckResult:
    """Today's loss is within `max_daily_loss_pct` of the equity that the day began with."""
    loss = max(-case.portfolio.daily_pnl, ZERO)
    limit = case.limits.max_daily_loss_pct * case.portfolio.day_start_equity
    return CheckResult(Rule.MAX_DAILY_LOSS, loss <= limit or case.shrinks, loss, limit, Unit.USD)


def check_drawdown(case: Case) -> CheckResult:
    """The loss from the peak is within `max_drawdown_pct` of the peak."""
    portfolio = case.portfolio
    loss = portfolio.drawdown
    limit = case.limits.max_drawdown_pct * portfolio.peak_equity
    return CheckResult(Rule.MAX_DRAWDOWN, loss <= limit or case.shrinks, loss, limit, Unit.USD)


# -- step 2: order validation ------------------------------------------------------------------------------------


def check_approved_universe(case: Case) -> CheckResult:
    """The symbol is in the approved universe."""
    known = case.instrument is not None
    return CheckResult(Rule.APPROVED_UNIVERSE, known, detail="" if known else f"{case.order.symbol} is not approved")


def check_instrument_tradable(case: Case) -> CheckResult:
    """The instrument may be traded now, and in fractions if the order asks for them."""
    instrument = case.instrument
    if instrument is None:
        return CheckResult(Rule.INSTRUMENT_TRADABLE, False, detail="unknown instrument")
    if not instrument.tradable:
        return CheckResult(Rule.INSTRUMENT_TRADABLE, False, detail=f"trading in {instrument.symbol} is suspended")
    if case.order.is_fractional and not instrument.fractionable:
        return CheckResult(Rule.INSTRUMENT_TRADABLE, False, detail=f"{instrument.symbol} is not fractionable")
    return CheckResult(Rule.INSTRUMENT_TRADABLE, True)


def check_order_supported(case: Case) -> CheckResult:
    """The broker takes this type, class and time in force."""
    return CheckResult(Rule.ORDER_SUPPORTED, not case.unsupported, detail=case.unsupported)


def check_trading_hours(case: Case) -> CheckResult:
    """The exchange is open for this kind of order, holidays, half days and auction cut-offs included."""
    refusal = _hours_refusal(case)
    return CheckResult(Rule.TRADING_HOURS, not refusal, detail=refusal)


def _hours_refusal(case: Case) -> str:
    session, now, in_force = case.session, case.now, case.order.time_in_force
    if in_force is TimeInForce.OPG:
        if session is not None:
            return "orders for the opening auction must arrive before the open"
        if case.next_open is None or case.next_open - now < _OPG_LATEST:
            return "orders for the opening auction are taken until 2 minutes before the open"
        return ""
    if session is not None:
        late = in_force is TimeInForce.CLS and session.close - now < _CLS_LATEST
        return "orders for the closing auction are taken until 10 minutes before the close" if late else ""
    if case.order.extended_hours and _in_extended_hours(case):
        return ""
    when = f"; it opens {case.next_open:%Y-%m-%d %H:%M} UTC" if case.next_open else ""
    return f"the exchange is closed{when}"


def _in_extended_hours(case: Case) -> bool:
    before_open = case.next_open is not None and case.next_open - case.now <= _EXTENDED_BEFORE_OPEN
    after_close = case.last_close is not None and case.now - case.last_close < _EXTENDED_AFTER_CLOSE
    return before_open or after_close


def check_lot_size(case: Case) -> CheckResult:
    """The quantity is a multiple of the instrument's lot; fractions are for fractionable instruments."""
    instrument, order = case.instrument, case.order
    if instrument is None:
        return CheckResult(Rule.LOT_SIZE, False, detail="unknown instrument")
    if order.is_fractional:
        return CheckResult(Rule.LOT_SIZE, instrument.fractionable, detail="fraction of a share")
    return CheckResult(Rule.LOT_SIZE, not order.quantity % instrument.lot, order.quantity, None, Unit.SHARES, f"lot {instrument.lot}")


def check_price_tick(case: Case) -> CheckResult:
    """Limit and stop prices are on the tick: a cent from one dollar up, a hundredth of a cent below."""
    order = case.order
    for price in (order.limit_price, order.stop_price):
        if price is not None and not is_on_tick(price):
            return CheckResult(Rule.PRICE_TICK, False, price, None, Unit.USD, "sub-penny price")
    return CheckResult(Rule.PRICE_TICK, True)


def check_quote_present(case: Case) -> CheckResult:
    """There is a quote; without a price there is no order."""
    known = case.quote is not None
    return CheckResult(Rule.QUOTE_PRESENT, known, detail="" if known else f"no quote for {case.order.symbol}")


def check_quote_sane(case: Case) -> CheckResult:
    """Bid and ask are finite, above zero, and neither crossed nor locked."""
    quote = case.quote
    flaw = "no quote" if quote is None else quote.flaw
    return CheckResult(Rule.QUOTE_SANE, not flaw, detail=flaw)


def check_quote_age(case: Case) -> CheckResult:
    """The quote is at most `max_quote_age_s` old and not from the future.

    An order for the opening auction is judged against the quotes of the last close.
    """
    quote, limit = case.quote, case.limits.max_quote_age_s
    if quote is None:
        return CheckResult(Rule.MAX_QUOTE_AGE, False, None, limit, Unit.SECONDS, "no quote")
    reference = case.now
    if case.order.time_in_force is TimeInForce.OPG and case.last_close is not None:
        reference = min(reference, case.last_close)
    span = reference - min(quote.at, quote.received_at)
    age = Decimal(span.days * 86_400_000_000 + span.seconds * 1_000_000 + span.microseconds) / 1_000_000
    if quote.at > case.now:
        return CheckResult(Rule.MAX_QUOTE_AGE, False, age, limit, Unit.SECONDS, "stamped in the future")
    return _at_most(Rule.MAX_QUOTE_AGE, age, limit, Unit.SECONDS)


def check_spread(case: Case) -> CheckResult:
    """The spread is within `max_spread_pct` of the mid."""
    quote = case.quote
    if quote is None or case.price is None:
        return CheckResult(Rule.MAX_SPREAD, False, None, case.limits.max_spread_pct, Unit.RATIO, "no usable quote")
    return _at_most(Rule.MAX_SPREAD, quote.ask - quote.bid, case.limits.max_spread_pct * quote.mid, Unit.USD)


def check_price_collar(case: Case) -> CheckResult:
    """No price of the order hurts by more than `price_collar_pct`, and stops lie on their side of the market.

    A limit is held against the far side of the quote, a stop-limit against its own stop, and a market order
    holds the quote against the last trade.
    """
    rule, order, quote = Rule.PRICE_COLLAR, case.order, case.quote
    if quote is None or case.price is None:
        return CheckResult(rule, False, None, case.limits.price_collar_pct, Unit.RATIO, "no usable quote")
    buying = order.side is OrderSide.BUY
    far = quote.ask if buying else quote.bid
    if order.stop_price is not None:
        near = quote.bid if buying else quote.ask
        if (order.stop_price < near) if buying else (order.stop_price > near):
            return CheckResult(rule, False, order.stop_price, near, Unit.USD, "the stop is on the wrong side of the market")
        far = order.stop_price
    price, reference = (far, quote.last) if order.limit_price is None else (order.limit_price, far)
    if reference is None or order.order_type in (OrderType.STOP, OrderType.TRAILING_STOP):
        return CheckResult(rule, True, detail="no price to hold it against")
    hurt = (price - reference) if buying else (reference - price)
    return _at_most(rule, max(hurt, ZERO), case.limits.price_collar_pct * reference, Unit.USD)


def check_order_quantity(case: Case) -> CheckResult:
    """At most `max_order_quantity` shares in one order."""
    return _at_most(Rule.MAX_QUANTITY, case.quantity, case.limits.max_order_quantity, Unit.SHARES)


def check_min_notional(case: Case) -> CheckResult:
    """At least `min_order_notional` dollars, unless it is a way out."""
    rule, limit = Rule.MIN_NOTIONAL, case.limits.min_order_notional
    if case.price is None:
        return CheckResult(rule, False, None, limit, Unit.USD, "no usable quote")
    value = case.quantity * case.price
    return CheckResult(rule, value >= limit or case.shrinks, value, limit, Unit.USD)


def check_max_notional(case: Case) -> CheckResult:
    """At most `max_order_notional` dollars in one order."""
    rule, limit = Rule.MAX_NOTIONAL, case.limits.max_order_notional
    if case.price is None:
        return CheckResult(rule, False, None, limit, Unit.USD, "no usable quote")
    return _at_most(rule, case.quantity * case.price, limit, Unit.USD)


def check_open_orders(case: Case) -> CheckResult:
    """With this one, at most `max_open_orders_per_symbol` orders of the symbol are open."""
    count = Decimal(len(case.holding.orders) + 1)
    limit = Decimal(case.limits.max_open_orders_per_symbol)
    return CheckResult(Rule.MAX_OPEN_ORDERS, count <= limit or case.shrinks, count, limit, Unit.COUNT)


def check_symbol_in_doubt(case: Case) -> CheckResult:
    """No order of the symbol has an unknown fate, unless this one is a way out."""
    for reservation in case.holding.orders.values():
        if reservation.in_doubt:
            return CheckResult(Rule.IN_DOUBT, case.shrinks, detail=f"the fate of {reservation.order_id} is unknown")
    return CheckResult(Rule.IN_DOUBT, True)


def check_duplicate(case: Case) -> CheckResult:
    """No identical order within `duplicate_window_s`, unless the order declares the repeat."""
    age, limit = case.duplicate_age, case.limits.duplicate_window_s
    if age is None or case.order.repeat:
        return CheckResult(Rule.DUPLICATE_ORDER, True)
    return CheckResult(Rule.DUPLICATE_ORDER, age >= limit, age, limit, Unit.SECONDS, "identical order; set repeat=True if it is meant")


def check_sell_within_held(case: Case) -> CheckResult:
    """A sale stays within the shares held less those being sold already, unless shorts are allowed."""
    rule, order = Rule.SELL_WITHIN_HELD, case.order
    if order.side is OrderSide.BUY:
        return CheckResult(rule, True)
    free = max(case.holding.position.quantity - case.holding.sells, ZERO)
    if case.quantity <= free:
        return CheckResult(rule, True, case.quantity, free, Unit.SHARES)
    instrument = case.instrument
    if not case.limits.allow_short:
        return CheckResult(rule, False, case.quantity, free, Unit.SHARES, "short positions are not allowed (allow_short)")
    if instrument is None or not instrument.shortable or order.is_fractional:
        return CheckResult(rule, False, case.quantity, free, Unit.SHARES, "this cannot be sold short")
    if case.holding.position.quantity > 0:
        return CheckResult(rule, False, case.quantity, free, Unit.SHARES, "one order cannot cross zero: close first, then open")
    return CheckResult(rule, True, case.quantity, None, Unit.SHARES, "opens a short position")


def check_reduce_only(case: Case) -> CheckResult:
    """A reduce-only order shrinks the position even if every open exit fills first; a buy never crosses zero."""
    order, held = case.order, case.holding.position.quantity
    if order.reduce_only and not case.shrinks:
        return CheckResult(Rule.REDUCE_ONLY, False, case.quantity, abs(held), Unit.SHARES, "would not only reduce")
    if order.side is OrderSide.BUY and held < 0 and not case.shrinks:
        return CheckResult(Rule.REDUCE_ONLY, False, case.quantity, -held, Unit.SHARES, "one order cannot cross zero: close first, then open")
    return CheckResult(Rule.REDUCE_ONLY, True)


def check_position(case: Case) -> CheckResult:
    """In the worst case the position is within `max_position_pct` of equity, or shrinking."""
    return _sized(Rule.MAX_POSITION, case, case.worst_value, case.limits.max_position_pct)


def check_position_count(case: Case) -> CheckResult:
    """With this order at most `max_portfolio_positions` symbols are held or being opened."""
    opens = case.order.symbol not in case.portfolio.open_symbols
    count = Decimal(len(case.portfolio.open_symbols) + opens)
    limit = Decimal(case.limits.max_portfolio_positions)
    return CheckResult(Rule.MAX_POSITIONS, not opens or count <= limit, count, limit, Unit.COUNT)


def check_sector(case: Case) -> CheckResult:
    """In the worst case the sector is within `max_sector_exposure` of equity."""
    sector = case.holding.sector
    total = case.portfolio.sector_worst.get(sector, ZERO) + case.added_value
    return _sized(Rule.MAX_SECTOR, case, total, case.limits.max_sector_exposure, sector)


def check_gross(case: Case) -> CheckResult:
    """In the worst case all positions together are within `max_gross_exposure` of equity."""
    return _sized(Rule.MAX_GROSS, case, case.portfolio.gross_worst + case.added_value, case.limits.max_gross_exposure)


def _sized(rule: Rule, case: Case, value: Decimal, fraction: Decimal, detail: str = "") -> CheckResult:
    if case.shrinks:
        return _way_out(rule, Unit.USD)
    limit = fraction * case.equity
    if case.price is None:
        return CheckResult(rule, False, None, limit, Unit.USD, "no usable quote")
    return _at_most(rule, value, limit, Unit.USD, detail)


def check_correlation(case: Case) -> CheckResult:
    """The returns of the symbol correlate by at most `max_correlation` with those of every symbol held."""
    rule, limit = Rule.MAX_CORRELATION, case.limits.max_correlation
    if case.shrinks:
        return _way_out(rule, Unit.RATIO)
    if not case.correlation_known:
        return CheckResult(rule, False, None, limit, Unit.RATIO, f"too few common returns with {case.correlated_with}")
    if case.correlated is None:
        return CheckResult(rule, True, None, limit, Unit.RATIO, "nothing else is held")
    return _at_most(rule, case.correlated, limit, Unit.RATIO, f"with {case.correlated_with}")


def check_buying_power(case: Case) -> CheckResult:
    """What the order adds in the worst case is covered by equity times the multiplier, less all that is in use."""
    rule = Rule.BUYING_POWER
    if case.shrinks:
        return _way_out(rule, Unit.USD)
    power = case.limits.buying_power_multiplier * case.equity - case.portfolio.gross_worst
    if case.price is None:
        return CheckResult(rule, False, None, power, Unit.USD, "no usable quote")
    return _at_most(rule, max(case.added_value, ZERO), power, Unit.USD)


CHECKS: tuple[tuple[Rule, Check], ...] = (
    (Rule.KILL_SWITCH, check_kill_switch),
    (Rule.EXACT_ARITHMETIC, check_exact_arithmetic),
    (Rule.ACCOUNT_KNOWN, check_account_known),
    (Rule.MAX_DAILY_LOSS, check_daily_loss),
    (Rule.MAX_DRAWDOWN, check_drawdown),
    (Rule.APPROVED_UNIVERSE, check_approved_universe),
    (Rule.INSTRUMENT_TRADABLE, check_instrument_tradable),
    (Rule.ORDER_SUPPORTED, check_order_supported),
    (Rule.TRADING_HOURS, check_trading_hours),
    (Rule.LOT_SIZE, check_lot_size),
    (Rule.PRICE_TICK, check_price_tick),
    (Rule.QUOTE_PRESENT, check_quote_present),
    (Rule.QUOTE_SANE, check_quote_sane),
    (Rule.MAX_QUOTE_AGE, check_quote_age),
    (Rule.MAX_SPREAD, check_spread),
    (Rule.PRICE_COLLAR, check_price_collar),
    (Rule.MAX_QUANTITY, check_order_quantity),
    (Rule.MIN_NOTIONAL, check_min_notional),
    (Rule.MAX_NOTIONAL, check_max_notional),
    (Rule.MAX_OPEN_ORDERS, check_open_orders),
    (Rule.IN_DOUBT, check_symbol_in_doubt),
    (Rule.DUPLICATE_ORDER, check_duplicate),
    (Rule.SELL_WITHIN_HELD, check_sell_within_held),
    (Rule.REDUCE_ONLY, check_reduce_only),
    (Rule.MAX_POSITION, check_position),
    (Rule.MAX_POSITIONS, check_position_count),
    (Rule.MAX_SECTOR, check_sector),
    (Rule.MAX_GROSS, check_gross),
    (Rule.MAX_CORRELATION, check_correlation),
    (Rule.BUYING_POWER, check_buying_power),
)
"""Every rule once, in the order of the checklist; the first refusal is the verdict."""
