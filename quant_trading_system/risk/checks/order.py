"""Step 2 of the checklist, the order by itself and beside others: instrument, size, duplicates, direction."""

from __future__ import annotations

from datetime import UTC
from decimal import Decimal

from quant_trading_system.config.named_entries import last_days_in
from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.decisions import CheckResult, Rule, Unit
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.core.order_groups import legs_of
from quant_trading_system.core.orders import Order, OrderClass, OrderSide, OrderType
from quant_trading_system.risk.checks.case import Case, at_most, counted

_USD, _SHARES = Unit.USD, Unit.SHARES
_QUANTITY, _LEAST, _MOST = Rule.MAX_QUANTITY, Rule.MIN_NOTIONAL, Rule.MAX_NOTIONAL
_OPEN, _OPEN_IN_ALL, _WITHIN_HELD = Rule.MAX_OPEN_ORDERS, Rule.MAX_OPEN_ORDERS_IN_ALL, Rule.SELL_WITHIN_HELD
_BUY, _SIMPLE = OrderSide.BUY, OrderClass.SIMPLE
_SIDES = {OrderSide.BUY: ("long", "short"), OrderSide.SELL: ("short", "long")}
_ENTRIES = (OrderClass.BRACKET, OrderClass.OTO)
_ARE_ENTRIES = "are entries: close what is held with a simple or OCO order"
_OCO_CLOSES = "an OCO order closes what is held, once its shares are free"
_NOT_ACTIVE = "the asset is not active any more: only ways out leave"
_CROSSES_ZERO = "one order cannot cross zero: close first, then open"


def check_approved_universe(case: Case) -> CheckResult | None:
    """The symbol is in the approved universe, or the order is a way out of it."""
    if case.instrument is not None or case.shrinks:
        return None
    return CheckResult(Rule.APPROVED_UNIVERSE, False, detail=f"{case.order.symbol} is not approved")


def check_instrument_tradable(case: Case) -> CheckResult | None:
    """The instrument may be traded now, and in fractions if the order asks for them."""
    instrument = case.instrument
    if instrument is None:
        return None if case.shrinks else CheckResult(Rule.INSTRUMENT_TRADABLE, False, detail="unknown instrument")
    if not instrument.active:
        return None if case.shrinks else CheckResult(Rule.INSTRUMENT_TRADABLE, False, detail=_NOT_ACTIVE)
    if not instrument.tradable:
        return CheckResult(Rule.INSTRUMENT_TRADABLE, False, detail=f"trading in {instrument.symbol} is suspended")
    if case.order.is_fractional and not instrument.fractionable:
        return CheckResult(Rule.INSTRUMENT_TRADABLE, False, detail=f"{instrument.symbol} is not fractionable")
    return None


def check_order_supported(case: Case) -> CheckResult | None:
    """The broker takes this type, class and time in force; brackets and OTO orders begin or grow a position."""
    if case.unsupported:
        return CheckResult(Rule.ORDER_SUPPORTED, False, detail=case.unsupported)
    order_class, held = case.order.order_class, case.holding.position.quantity
    if order_class in _ENTRIES and (held < ZERO if case.order.side is _BUY else held > ZERO):
        return CheckResult(Rule.ORDER_SUPPORTED, False, detail=f"{order_class} orders {_ARE_ENTRIES}")
    return None


def check_lot_size(case: Case) -> CheckResult | None:
    """The quantity is a multiple of the lot, unless this is a way out; fractions are for fractionable instruments."""
    instrument, order = case.instrument, case.order
    if instrument is None:
        return None if case.shrinks else CheckResult(Rule.LOT_SIZE, False, detail="unknown instrument")
    if order.is_fractional:
        return CheckResult(Rule.LOT_SIZE, instrument.fractionable, detail="fraction of a share")
    if case.shrinks or not order.quantity % instrument.lot:
        return None
    return CheckResult(Rule.LOT_SIZE, False, order.quantity, None, Unit.SHARES, f"not a multiple of {instrument.lot}")


def check_order_quantity(case: Case) -> CheckResult | None:
    """At most `max_order_quantity` shares in one order."""
    quantity, limit = case.whole, case.limits.max_order_quantity
    return CheckResult(_QUANTITY, quantity <= limit, quantity, limit, _SHARES)


def check_min_notional(case: Case) -> CheckResult | None:
    """At least `min_order_notional` dollars, unless it is a way out."""
    limit = case.limits.min_order_notional
    if case.price is None:
        return None if case.shrinks else CheckResult(_LEAST, False, None, limit, _USD, "no usable quote")
    value = case.value if case.replaced is None else case.quantity * case.price
    return CheckResult(_LEAST, value >= limit or case.shrinks, value, limit, _USD)


def check_max_notional(case: Case) -> CheckResult | None:
    """At most `max_order_notional` dollars in one order."""
    limit = case.limits.max_order_notional
    if case.price is None:
        return CheckResult(_MOST, False, None, limit, _USD, "no usable quote")
    return CheckResult(_MOST, case.value <= limit, case.value, limit, _USD)


def check_within_parent(case: Case) -> CheckResult | None:
    """A slice and its sisters, open and filled, stay within what their parent wants, or the slice is a way out."""
    if not case.parent or case.shrinks:
        return None
    excess = case.sources.parent_excess(case.parent)
    if excess is None:
        return None
    return at_most(Rule.WITHIN_PARENT, excess, ZERO, Unit.SHARES, f"beyond what {case.parent} wants")


def check_open_orders(case: Case) -> CheckResult | None:
    """With this one and its legs, at most `max_open_orders_per_symbol` orders of the symbol are open."""
    holding = case.holding
    count = (len(holding.open_orders) if holding.orders else 0) + 1
    if case.order.order_class is not _SIMPLE:
        count += len(legs_of(case.order))
    return counted(_OPEN, count, case.limits.max_open_orders_per_symbol, case.shrinks)


def check_open_orders_in_all(case: Case) -> CheckResult | None:
    """With this one and its legs, at most `max_open_orders` orders of all symbols are open, unless it is a way out."""
    count = case.portfolio.open_orders + (case.replaced is None)
    if case.order.order_class is not _SIMPLE:
        count += len(legs_of(case.order))
    return counted(_OPEN_IN_ALL, count, case.limits.max_open_orders, case.shrinks)


def check_restricted(case: Case) -> CheckResult | None:
    """Nobody has restricted the symbol by name, or the restriction lets exits through and this is a way out."""
    found = case.restriction
    if found is None or (case.shrinks and found.reduce_only):
        return None
    return CheckResult(Rule.RESTRICTED, False, detail=f"{case.order.symbol} is {found}")


def check_allowed(case: Case) -> CheckResult | None:
    """The symbol is on the list of those that somebody has allowed until today at least, or it is a way out."""
    if case.shrinks or not case.limits.allowed_symbols:
        return None
    symbol = case.order.symbol
    until = last_days_in(case.limits.allowed_symbols).get(symbol)
    if until is None:
        return CheckResult(Rule.ALLOWED, False, detail=f"{symbol} is not on the list")
    if case.now.astimezone(UTC).date() <= until:
        return None
    return CheckResult(Rule.ALLOWED, False, detail=f"{symbol} was allowed until {until}")


def check_symbol_in_doubt(case: Case) -> CheckResult | None:
    """No order of the symbol has an unknown fate, nor has one filled too much, unless this one is a way out."""
    if case.holding.frozen:
        return CheckResult(Rule.IN_DOUBT, case.shrinks, detail=case.holding.frozen)
    for reservation in case.holding.orders.values():
        if reservation.in_doubt:
            return CheckResult(Rule.IN_DOUBT, case.shrinks, detail=f"the fate of {reservation.order_id} is unknown")
    return None


def check_duplicate(case: Case) -> CheckResult | None:
    """No identical order within `duplicate_window_s`, unless the order declares the repeat."""
    if case.order.repeat or case.replaced is not None:  # in the place of another one it makes no second one
        return None
    age, limit = case.recent.age(case.order), case.limits.duplicate_window_s
    if age is None:
        return None
    meant = "identical order; set repeat=True if it is meant"
    return CheckResult(Rule.DUPLICATE_ORDER, age >= limit, age, limit, Unit.SECONDS, meant)


def check_self_match(case: Case) -> CheckResult | None:
    """The order cannot trade with an open one of the same account, nor open a position against it; ways out pass.

    An order without a limit could meet any, so it waits for the other side to be gone. Orders of a group, and
    trailing stops, are told apart by the broker. But while nothing is held, a purchase and a short sale are not open
    together, whatever their kind and their limits.
    """
    order, holding = case.order, case.holding
    others = holding.sell_orders if order.side is _BUY else holding.buy_orders
    if not others or case.shrinks:
        return None
    if not holding.position.quantity and _would_open(order, case.limits):
        new, old = _SIDES[order.side]
        detail = f"it would open a {new} position while our own {next(iter(others))} is open, which is to open a {old}"
        return CheckResult(Rule.SELF_MATCH, False, detail=f"{detail} one: cancel that first, or let it fill")
    if _is_kept_apart(order):
        return None
    for reservation in others.values():
        if _may_meet(order, reservation.order):
            return CheckResult(Rule.SELF_MATCH, False, detail=f"it could trade with our own {reservation.order_id}")
    return None


def _would_open(order: Order, limits: RiskLimits) -> bool:
    """With nothing held it opens a position, unless other rules refuse it as an order that cannot."""
    if order.reduce_only or order.order_class is OrderClass.OCO:
        return False
    return order.side is _BUY or limits.allow_short


def _is_kept_apart(order: Order) -> bool:
    return order.order_class is not OrderClass.SIMPLE or order.order_type is OrderType.TRAILING_STOP


def _may_meet(order: Order, other: Order | None) -> bool:
    if other is None:
        return True
    if _is_kept_apart(other):
        return False
    if order.order_type is not OrderType.LIMIT or other.order_type is not OrderType.LIMIT:
        return True
    buy, sell = (order, other) if order.side is OrderSide.BUY else (other, order)
    return (buy.limit_price or ZERO) >= (sell.limit_price or ZERO)


def check_sell_within_held(case: Case) -> CheckResult | None:
    """A sale stays within the shares held less those being sold already, unless shorts are allowed."""
    rule, order, quantity = _WITHIN_HELD, case.order, case.quantity
    if order.side is _BUY:
        return None
    held = case.holding.position.quantity
    free = held - case.holding.sells
    if free < ZERO:
        free = ZERO
    if quantity <= free:
        return CheckResult(rule, True, quantity, free, _SHARES)
    instrument = case.instrument
    if not case.limits.allow_short:
        return CheckResult(rule, False, quantity, free, _SHARES, "short positions are off (allow_short)")
    if instrument is None or not instrument.shortable or order.is_fractional:
        return CheckResult(rule, False, quantity, free, _SHARES, "this cannot be sold short")
    if held > 0:
        return CheckResult(rule, False, quantity, free, _SHARES, _CROSSES_ZERO)
    return CheckResult(rule, True, quantity, None, _SHARES, "opens a short position")


def check_short_eligible(case: Case) -> CheckResult | None:
    """A sale that opens or grows a short position is of a stock that is easy to borrow, or hard borrows are allowed."""
    if case.order.side is OrderSide.BUY or case.shrinks or case.limits.allow_hard_to_borrow:
        return None
    instrument = case.instrument
    if instrument is not None and instrument.easy_to_borrow:
        return None
    return CheckResult(Rule.SHORT_ELIGIBLE, False, detail=f"{case.order.symbol} is not easy to borrow")


def check_reduce_only(case: Case) -> CheckResult | None:
    """A reduce-only or OCO order shrinks the position even if every exit fills first; a buy never crosses zero."""
    order, rule = case.order, Rule.REDUCE_ONLY
    if case.shrinks:
        return None
    free = _free_to_close(case)
    if order.order_class is OrderClass.OCO:
        return CheckResult(rule, False, case.quantity, free, Unit.SHARES, _OCO_CLOSES)
    if order.reduce_only:
        return CheckResult(rule, False, case.quantity, free, Unit.SHARES, "would not only reduce")
    if order.side is OrderSide.BUY and case.holding.position.quantity < 0:
        return CheckResult(rule, False, case.quantity, free, Unit.SHARES, _CROSSES_ZERO)
    return None


def _free_to_close(case: Case) -> Decimal:
    """Shares held that an order of this side can close, less those that are being closed already."""
    held = case.holding.position.quantity
    free = held - case.holding.sells if case.order.side is OrderSide.SELL else -held - case.holding.buys
    return max(free, ZERO)
