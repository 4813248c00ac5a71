"""Step 2 of the checklist, against the market: trading hours, ticks, quotes and prices."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from quant_trading_system.config.market_entries import blackouts_in, share_at, strictest_at, tiers_in
from quant_trading_system.core.decisions import CheckResult, Rule, Unit
from quant_trading_system.core.numbers import ZERO, is_on_tick
from quant_trading_system.core.orders import AUCTIONS, Order, OrderClass, OrderSide, OrderType, TimeInForce
from quant_trading_system.market.sessions import EXTENDED_AFTER_CLOSE, EXTENDED_BEFORE_OPEN
from quant_trading_system.risk.checks.case import Case, at_most
from quant_trading_system.risk.checks.group_prices import exit_refused

_USD, _SECONDS, _SHARES, _RATIO = Unit.USD, Unit.SECONDS, Unit.SHARES, Unit.RATIO
_AGE, _DEVIATION = Rule.MAX_QUOTE_AGE, Rule.MAX_QUOTE_DEVIATION
_SPREAD, _COLLAR = Rule.MAX_SPREAD, Rule.PRICE_COLLAR
_BUY, _SIMPLE, _OPG = OrderSide.BUY, OrderClass.SIMPLE, TimeInForce.OPG
_TRIGGERED = (OrderType.STOP, OrderType.TRAILING_STOP)
_MICROSECOND = timedelta(microseconds=1)
_ONE_MICROSECOND = Decimal("0.000001")
_NO_SECONDS = 0 * _ONE_MICROSECOND
_OPG_LATEST = timedelta(minutes=2)
_CLS_LATEST = timedelta(minutes=10)


def check_trading_hours(case: Case) -> CheckResult | None:
    """The exchange is open for this kind of order, holidays, half days and auction cut-offs included."""
    refusal = _hours_refusal(case)
    return CheckResult(Rule.TRADING_HOURS, False, detail=refusal) if refusal else None


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
    before_open = case.next_open is not None and case.next_open - case.now <= EXTENDED_BEFORE_OPEN
    after_close = case.last_close is not None and case.now - case.last_close < EXTENDED_AFTER_CLOSE
    return before_open or after_close


def check_trading_halted(case: Case) -> CheckResult | None:
    """The exchange has not halted trading in the symbol, or the order is a way out that waits for the reopening."""
    if case.shrinks or not case.sources.is_halted(case.order.symbol):
        return None
    return CheckResult(Rule.TRADING_HALTED, False, detail=f"the exchange has halted {case.order.symbol}")


def check_after_open(case: Case) -> CheckResult | None:
    """The regular session is open for `no_trade_after_open_s`, or the order is a way out or for an auction."""
    session = case.session
    if session is None:
        return None
    return _outside_window(Rule.NO_TRADE_AFTER_OPEN, case, case.now - session.open, case.limits.no_trade_after_open_s)


def check_before_close(case: Case) -> CheckResult | None:
    """The close is `no_trade_before_close_s` away, or the order is a way out or for an auction."""
    session = case.session
    if session is None:
        return None
    left = session.close - case.now
    return _outside_window(Rule.NO_TRADE_BEFORE_CLOSE, case, left, case.limits.no_trade_before_close_s)


def check_blackout(case: Case) -> CheckResult | None:
    """No window of `blackouts` is open for the symbol or for everything, or it lets exits through and this is one."""
    windows = blackouts_in(case.limits.blackouts)
    of_symbol = (*windows.get(case.order.symbol, ()), *windows.get("", ()))
    found = strictest_at(of_symbol, case.now)
    if found is None or (case.shrinks and found.reduce_only):
        return None
    return CheckResult(Rule.BLACKOUT, False, detail=f"{case.order.symbol if found.symbol else 'everything'} is {found}")


def check_volatility(case: Case) -> CheckResult | None:
    """The order is within `volatility_tiers` of the largest order, as volatile as the market is, or a way out.

    The volatility of the latest bars over that of the usual ones. While it is unknown the strictest tier holds.

    Source: Moreira & Muir (2017), "Volatility-Managed Portfolios": less is held while volatility is high.
    """
    limits = case.limits
    if case.shrinks or not limits.volatility_tiers:
        return None
    windows = limits.volatility_short_window, limits.volatility_long_window
    ratio = case.sources.volatility_ratio(limits.volatility_reference, *windows)
    share = share_at(tiers_in(limits.volatility_tiers), ratio)
    rule, most = Rule.VOLATILITY, share * limits.max_order_notional
    detail = "its volatility is unknown" if ratio is None else f"{ratio:.2f} times as volatile as usual"
    if case.price is None:
        return CheckResult(rule, False, None, most, Unit.USD, "no usable quote")
    value = at_most(rule, case.value, most, _USD, f"the market: {detail}")
    if not value.passed or case.whole <= share * limits.max_order_quantity:
        return value
    return at_most(rule, case.whole, share * limits.max_order_quantity, _SHARES, value.detail)


def _outside_window(rule: Rule, case: Case, span: timedelta, window: Decimal | None) -> CheckResult | None:
    if window is None or case.shrinks or case.order.time_in_force in AUCTIONS:
        return None
    seconds = _seconds(span)
    return CheckResult(rule, seconds >= window, seconds, window, _SECONDS)


def _seconds(span: timedelta) -> Decimal:
    """With six decimals."""
    return span // _MICROSECOND * _ONE_MICROSECOND if span else _NO_SECONDS


def check_price_tick(case: Case) -> CheckResult | None:
    """Limit and stop prices are on the tick: a cent from one dollar up, a hundredth of a cent below."""
    order = case.order
    prices = order.limit_price, order.stop_price
    for price in prices if order.order_class is _SIMPLE else (*prices, *_exit_prices(order)):
        if price is not None and not is_on_tick(price):
            return CheckResult(Rule.PRICE_TICK, False, price, None, Unit.USD, "sub-penny price")
    return None


def _exit_prices(order: Order) -> tuple[Decimal | None, ...]:
    """Prices of the legs of a group."""
    profit, loss = order.take_profit, order.stop_loss
    return (*((profit.limit_price,) if profit else ()), *((loss.stop_price, loss.limit_price) if loss else ()))


def check_quote_present(case: Case) -> CheckResult | None:
    """There is a quote; without a price there is no order."""
    if case.quote is not None:
        return None
    return CheckResult(Rule.QUOTE_PRESENT, False, detail=f"no quote for {case.order.symbol}")


def check_quote_sane(case: Case) -> CheckResult | None:
    """Bid and ask are finite, above zero, and neither crossed nor locked."""
    quote = case.quote
    flaw = "no quote" if quote is None else quote.flaw
    return CheckResult(Rule.QUOTE_SANE, False, detail=flaw) if flaw else None


def check_quote_age(case: Case) -> CheckResult | None:
    """The quote is at most `max_quote_age_s` old and not from the future, for a way out by at most `max_clock_skew_s`.

    An order for the opening auction is judged against the quotes of the last close.
    """
    quote, now, limit = case.quote, case.now, case.limits.max_quote_age_s
    if quote is None:
        return CheckResult(_AGE, False, None, limit, _SECONDS, "no quote")
    reference, seen = now, quote.at
    if quote.received_at < seen:
        seen = quote.received_at
    if case.order.time_in_force is _OPG and case.last_close is not None:
        reference = min(reference, case.last_close)
    age = _seconds(reference - seen)
    if quote.at > now and not (case.shrinks and _seconds(quote.at - now) <= case.limits.max_clock_skew_s):
        return CheckResult(_AGE, False, age, limit, _SECONDS, "stamped in the future")
    return CheckResult(_AGE, age <= limit, age, limit, _SECONDS)


def check_quote_deviation(case: Case) -> CheckResult | None:
    """The middle of the quote is within `max_quote_deviation_pct` of the last trade, or the order is a way out."""
    quote, limit = case.quote, case.limits.max_quote_deviation_pct
    if case.shrinks or limit is None:
        return None
    if quote is None or case.price is None:
        return CheckResult(_DEVIATION, False, None, limit, _RATIO, "no usable quote")
    last = quote.last
    if last is None:
        return None  # it has not traded yet
    if not last.is_finite() or last <= ZERO:
        return CheckResult(_DEVIATION, False, None, limit, _RATIO, "the last trade has no usable price")
    distance, limit = abs(quote.mid - last), limit * last
    return CheckResult(_DEVIATION, distance <= limit, distance, limit, _USD)


def check_order_volume(case: Case) -> CheckResult | None:
    """The order is within `max_order_adv_pct` of what the symbol trades on an average day, or a way out."""
    return _of_volume(Rule.MAX_ORDER_ADV, case, ZERO, case.limits.max_order_adv_pct)


def check_participation(case: Case) -> CheckResult | None:
    """With it, the day's orders of the symbol are within `max_participation_pct` of an average day, or it is a way out.

    What was cancelled counts, for it could have traded.
    """
    before = case.traffic.shares_of(case.order.symbol)
    return _of_volume(Rule.MAX_PARTICIPATION, case, before, case.limits.max_participation_pct)


def _of_volume(rule: Rule, case: Case, before: Decimal, share: Decimal | None) -> CheckResult | None:
    if case.shrinks or share is None:
        return None
    usual = case.sources.average_volume(case.order.symbol)
    if usual is None:
        return CheckResult(rule, False, None, share, Unit.RATIO, "its average daily volume is unknown")
    return at_most(rule, before + case.whole, share * usual, _SHARES)


def check_spread(case: Case) -> CheckResult | None:
    """The spread is within `max_spread_pct` of the mid, or the order is a way out."""
    quote, limit = case.quote, case.limits.max_spread_pct
    if case.shrinks:
        return None
    if quote is None or case.price is None:
        return CheckResult(_SPREAD, False, None, limit, _RATIO, "no usable quote")
    spread, limit = quote.ask - quote.bid, limit * quote.mid
    return CheckResult(_SPREAD, spread <= limit, spread, limit, _USD)


def check_price_collar(case: Case) -> CheckResult | None:
    """No price of the order hurts by more than `price_collar_pct`; stops and exits lie on their side of the market.

    A limit is held against the far side of the quote, a stop-limit against its own stop, and a market order
    holds the quote against the last trade. Exits of a group lie a cent from the entry and the market.
    """
    order, quote, collar = case.order, case.quote, case.limits.price_collar_pct
    if quote is None or case.price is None:
        return CheckResult(_COLLAR, False, None, collar, _RATIO, "no usable quote")
    buying = order.side is _BUY
    far = quote.ask if buying else quote.bid
    if order.order_class is not _SIMPLE and (refused := exit_refused(order, quote)) is not None:
        return refused
    if order.stop_price is not None:
        near = quote.bid if buying else quote.ask
        if (order.stop_price < near) if buying else (order.stop_price > near):
            return CheckResult(_COLLAR, False, order.stop_price, near, _USD, "a stop on the wrong side of the market")
        far = order.stop_price
    price, reference = (far, quote.last) if order.limit_price is None else (order.limit_price, far)
    if reference is None or order.order_type in _TRIGGERED:
        return CheckResult(_COLLAR, True, detail="no price to hold it against")
    hurt, limit = (price - reference) if buying else (reference - price), collar * reference
    if hurt < ZERO:
        hurt = ZERO
    return CheckResult(_COLLAR, hurt <= limit, hurt, limit, _USD)
