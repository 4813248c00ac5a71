"""What is used of each limit at a moment: one small function each, from the same formulas as the checks.

The worst case counts: every symbol with the open orders of the side that makes it larger. A limit that is off, and
what is not known, has no reading: None, never 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from functools import partial
from typing import NamedTuple

from quant_trading_system.config.named_entries import Budget, budgets_in
from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.decisions import Rule, Unit
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.core.risk_now import LimitUse
from quant_trading_system.risk.checks.budgets import strategy_loss, strategy_value
from quant_trading_system.risk.checks.capital import margin_needed
from quant_trading_system.risk.checks.case import Sources
from quant_trading_system.risk.checks.tails import beta_reach, larger_ends, ranges_of
from quant_trading_system.risk.portfolio import Portfolio
from quant_trading_system.risk.traffic import LeftInAll
from quant_trading_system.risk.triggers import Measure


class Facts(NamedTuple):
    """What the uses of limits are read from.

    Attributes:
        measures: where the triggers stand.
        left: what has left lately; None where nobody counts.
        sources: whom to ask for more, as the checks do.
    """

    limits: RiskLimits
    portfolio: Portfolio
    measures: tuple[Measure, ...]
    left: LeftInAll | None = None
    sources: Sources = Sources()


Used = tuple[Decimal, str]
"""How much, and the symbol, sector or strategy that it is about; empty for the account as a whole."""
Uses = tuple[LimitUse, ...]
Reading = Callable[[Facts], Uses]
"""What is used of a limit: once, or of each of its parts; nothing while there is nothing to tell."""


def of_equity(key: str, used: Callable[[Facts], Used | None]) -> Reading:
    """Of a limit that is a share of equity: dollars. Without equity no share of it means anything."""

    def read(facts: Facts) -> Uses:
        share, equity = getattr(facts.limits, key), facts.portfolio.equity
        found = None if share is None or equity <= 0 else used(facts)
        return () if found is None else (LimitUse(key, found[0], share * equity, Unit.USD, found[1]),)

    return read


def of_value(key: str, unit: Unit, used: Callable[[Facts], Used | None]) -> Reading:
    """Of a limit in a unit of its own."""

    def read(facts: Facts) -> Uses:
        limit = getattr(facts.limits, key)
        found = None if limit is None else used(facts)
        return () if found is None else (LimitUse(key, found[0], Decimal(limit), unit, found[1]),)

    return read


def of_trigger(key: str) -> Reading:
    """Of a limit that trips the kill switch, as the monitor measures it."""

    def read(facts: Facts) -> Uses:
        found = (measure for measure in facts.measures if measure.trigger.rule == key)
        return tuple(LimitUse(key, max(one.actual, ZERO), one.limit, one.trigger.unit) for one in found)

    return read


# -- the book ----------------------------------------------------------------------------------------------------------


def largest_value(facts: Facts) -> Used:
    """Of all positions, dollars."""
    return _largest({symbol: facts.portfolio.holding(symbol).worst_value for symbol in facts.portfolio.open_symbols})


def largest_quantity(facts: Facts) -> Used:
    """Of all positions, shares."""
    return _largest({symbol: facts.portfolio.holding(symbol).worst_quantity for symbol in facts.portfolio.open_symbols})


def most_open_orders(facts: Facts) -> Used:
    """Of all symbols."""
    counts = {symbol: len(facts.portfolio.holding(symbol).open_orders) for symbol in facts.portfolio.open_symbols}
    return _largest({symbol: Decimal(count) for symbol, count in counts.items() if count})


def fullest_sector(facts: Facts) -> Used:
    """Dollars."""
    return _largest({sector: value for sector, value in facts.portfolio.sector_worst.items() if value})


def positions_held(facts: Facts) -> Used:
    """Symbols held or being opened."""
    return Decimal(len(facts.portfolio.open_symbols)), ""


def open_orders(facts: Facts) -> Used:
    """Of all symbols together."""
    return Decimal(facts.portfolio.open_orders), ""


def gross(facts: Facts) -> Used:
    """Dollars of all positions."""
    return facts.portfolio.gross_worst, ""


def net(facts: Facts) -> Used:
    """Dollars by which one side can outweigh the other."""
    book = facts.portfolio
    return max(book.market_value + book.buying, book.selling - book.market_value), ""


def concentration(facts: Facts) -> Used | None:
    """Herfindahl index of the book, measured by equity."""
    book = facts.portfolio
    if book.equity <= 0:
        return None
    squares = sum((book.holding(symbol).worst_value ** 2 for symbol in book.open_symbols), ZERO)
    return squares / (book.equity * book.equity), ""


def margin(facts: Facts) -> Used:
    """Dollars of maintenance margin."""
    return margin_needed(facts.portfolio, facts.sources.instrument), ""


def beta(facts: Facts) -> Used | None:
    """Dollars of positions times their betas, either way; None as soon as one is unknown."""
    reach, _ = beta_reach(ranges_of(facts.portfolio), facts.sources.beta)
    return None if reach is None else (reach, "")


def var_95(facts: Facts) -> Used | None:
    """Dollars at risk in one bar, as the gate measures it."""
    found = facts.sources.tail(larger_ends(ranges_of(facts.portfolio)))
    return None if found is None else (found[0], "")


def es_95(facts: Facts) -> Used | None:
    """Dollars of expected shortfall in one bar, as the gate measures it."""
    found = facts.sources.tail(larger_ends(ranges_of(facts.portfolio)))
    return None if found is None else (found[1], "")


def day_trades(facts: Facts) -> Used | None:
    """If everything that was opened today is closed today."""
    found = facts.sources.day_trades("")
    return None if found is None else (Decimal(found), "")


def settled_cash(facts: Facts) -> Uses:
    """Dollars of open buys, of the cash that has settled; nothing where other cash may buy, too."""
    unsettled = None if facts.limits.use_unsettled_cash else facts.sources.unsettled()
    if unsettled is None:
        return ()
    book = facts.portfolio
    return (LimitUse(Rule.SETTLED_CASH.value, book.buying, book.cash - unsettled, Unit.USD),)


# -- traffic -----------------------------------------------------------------------------------------------------------


def counted(read: Callable[[LeftInAll], Decimal | int]) -> Callable[[Facts], Used | None]:
    """A count or a sum of what has left."""
    return lambda facts: None if facts.left is None else (Decimal(read(facts.left)), "")


def repeats(facts: Facts) -> Used | None:
    """Orders of one strategy, symbol and side."""
    return None if facts.left is None else (Decimal(facts.left.repeats), facts.left.busiest)


def cancel_ratio(facts: Facts) -> Uses:
    """Cancels and changes of the last minute, of as many as its new orders allow."""
    left, limits = facts.left, facts.limits
    if left is None or limits.max_cancel_ratio is None:
        return ()
    undone = left.messages - left.orders + left.replaces
    begun = max(left.orders - left.replaces, 1)
    limit = max(limits.max_cancel_ratio * begun, Decimal(limits.cancel_ratio_from - 1))
    return (LimitUse(Rule.MAX_CANCEL_RATIO.value, Decimal(undone), limit, Unit.COUNT),)


def participation(facts: Facts) -> Uses:
    """Shares of the day, in the symbol that is nearest to its limit; symbols of unknown volume are left out."""
    share = facts.limits.max_participation_pct
    if facts.left is None or share is None:
        return ()
    rule, found = Rule.MAX_PARTICIPATION.value, []
    for symbol, shares in facts.left.day_shares.items():
        usual = facts.sources.average_volume(symbol)
        if usual is not None:
            found.append(LimitUse(rule, shares, share * usual, Unit.SHARES, symbol))
    most = nearest(found)
    return () if most is None else (most,)


# -- strategies --------------------------------------------------------------------------------------------------------


def budgets(facts: Facts) -> Uses:
    """Value, loss and orders, each of the strategy that is nearest to its budget."""
    parts = (_value_used, _loss_used, _orders_used)
    budgets = budgets_in(facts.limits.strategy_budgets).values()
    found = (nearest([use for use in map(partial(part, facts), budgets) if use is not None]) for part in parts)
    return tuple(use for use in found if use is not None)


def _value_used(facts: Facts, budget: Budget) -> LimitUse | None:
    if budget.value is None:
        return None
    value = strategy_value(facts.portfolio, budget.strategy, facts.sources.shares_of(budget.strategy))
    return LimitUse(Rule.STRATEGY_VALUE.value, value, budget.value, Unit.USD, budget.strategy)


def _loss_used(facts: Facts, budget: Budget) -> LimitUse | None:
    realized = facts.sources.realized_today(budget.strategy)
    if budget.loss is None or realized is None:
        return None
    loss = strategy_loss(facts.portfolio, facts.sources.shares_of(budget.strategy), realized)
    return LimitUse(Rule.STRATEGY_LOSS.value, loss, budget.loss, Unit.USD, budget.strategy)


def _orders_used(facts: Facts, budget: Budget) -> LimitUse | None:
    if budget.orders is None or facts.left is None:
        return None
    sent = Decimal(facts.left.by_strategy.get(budget.strategy, 0))
    return LimitUse(Rule.STRATEGY_ORDERS.value, sent, Decimal(budget.orders), Unit.COUNT, budget.strategy)


def nearest(uses: Iterable[LimitUse]) -> LimitUse | None:
    """The one of which most is used."""
    return max(uses, key=lambda use: use.share, default=None)


def _largest(values: Mapping[str, Decimal]) -> Used:
    symbol = max(sorted(values), key=lambda name: values[name], default="")
    return values.get(symbol, ZERO), symbol
