"""How much room each limit of the account has left: as the engine measured it last, else as the books tell."""

from __future__ import annotations

from copy import copy
from decimal import Decimal

import msgspec

from quant_trading_system.app.readings.follower import Follower
from quant_trading_system.app.readings.limits import limits_in_force
from quant_trading_system.app.readings.positions import Holdings, fraction
from quant_trading_system.config.limit_key import FRACTION, LimitKey
from quant_trading_system.config.loader import default_limits, limits_as_text, limits_from_text
from quant_trading_system.config.risk_keys import KEYS
from quant_trading_system.core.decisions import Unit
from quant_trading_system.core.risk_now import LimitUse
from quant_trading_system.risk.checks import KEYS_OF
from quant_trading_system.risk.limit_readings import Facts
from quant_trading_system.risk.limit_use import limit_uses
from quant_trading_system.risk.portfolio import Portfolio
from quant_trading_system.risk.triggers import STREAK, Measure, losses_from

_KEYS = {key.name: key for key in KEYS}
OF_EQUITY = FRACTION + "equity"
"""Unit of the limits that are measured by the equity of the moment; others by that of a day's start, or of a peak."""
_LABELS = {
    "max_position_pct": "Largest position",
    "max_portfolio_positions": "Positions",
    "max_daily_loss_pct": "Loss today",
    "max_weekly_loss_pct": "Loss this week",
    "max_monthly_loss_pct": "Loss this month",
    "max_rapid_loss_pct": "Loss within minutes",
    "max_drawdown_pct": "Drawdown",
    "max_sector_exposure": "Largest sector",
    "max_gross_exposure": "Gross exposure",
    "max_net_exposure": "Net exposure",
    "buying_power_multiplier": "Buying power",
    "max_consecutive_losses": "Losses in a row",
    "max_stress_loss_pct": "Worst stress",
    "max_var_95_pct": "Value at risk",
    "max_es_95_pct": "Expected shortfall",
}


class Headroom(msgspec.Struct, frozen=True, kw_only=True):
    """One limit and what is used of it.

    Attributes:
        key: in `risk_params.yaml`, such as ``risk.max_position_pct``; `label`: in words.
        rule: the rule or the key that holds it; one key may have several rules.
        used, limit: fractions where `is_fraction`, as in the file; else in `unit`.
        share: the part of the limit that is used, 0 to 1 and above.
        of: the symbol, sector or strategy that is nearest to it, if it is about one.
    """

    key: str
    label: str
    used: Decimal
    limit: Decimal
    share: Decimal
    of: str = ""
    is_fraction: bool = True
    rule: str = ""
    unit: Unit = Unit.NONE

    @property
    def left(self) -> Decimal:
        """What is left; negative when the limit is broken."""
        return self.limit - self.used


def headroom(follower: Follower, held: Holdings) -> tuple[Headroom, ...]:
    """Every account-wide limit that can be read, in the order of the file; none before the first run.

    A live engine measures all of them once a minute. Without one, as in a backtest, the books tell of positions,
    open orders and losses.
    """
    with follower.lock:
        texts, measured = limits_in_force(follower), follower.books.risk_now
        if not texts:
            return ()
        equity = held.equity if measured is None else measured.equity
        uses = _from_books(follower, held, texts) if measured is None else measured.limits
    known = ((use, _KEYS.get(_key_of(use))) for use in uses)
    return tuple(_headroom(use, key, texts.get(key.path, ""), equity) for use, key in known if key is not None)


def _key_of(use: LimitUse) -> str:
    return next((key for rule, key in KEYS_OF.items() if rule.value == use.rule), use.rule)


def _headroom(use: LimitUse, key: LimitKey, text: str, equity: Decimal) -> Headroom:
    used, limit, unit = use.actual, use.limit, use.unit
    is_fraction = unit is Unit.USD and key.unit.startswith(FRACTION) and text != ""
    if is_fraction and key.unit == OF_EQUITY:
        used, limit = fraction(used, equity), fraction(limit, equity)
    elif is_fraction:
        used, limit = fraction(used * Decimal(text), limit), Decimal(text)
    label = _LABELS.get(use.rule) or use.rule.removeprefix("max_").removesuffix("_pct").replace("_", " ").capitalize()
    return Headroom(
        key=key.path,
        label=label,
        used=used,
        limit=limit,
        share=use.share,
        of=use.of,
        is_fraction=is_fraction,
        rule=use.rule,
        unit=Unit.NONE if is_fraction else unit,
    )


def _from_books(follower: Follower, held: Holdings, texts: dict[str, str]) -> tuple[LimitUse, ...]:
    """What positions and open orders say in the worst case, and losses as last measured."""
    books = follower.books
    limits = limits_from_text(limits_as_text(default_limits()) | texts, "the limits on record", contradictory=True)
    portfolio = _laid_out(follower, held)
    base = books.baselines
    opened = base.day_start_equity
    bases = (opened, base.week_start_equity or opened, base.month_start_equity or opened, base.peak_equity)
    losses = losses_from(limits, base.equity, bases) if base.at is not None else ()
    streak = Measure(STREAK, Decimal(base.losing_streak), Decimal(limits.max_consecutive_losses))
    return limit_uses(Facts(limits, portfolio, (*losses, streak)))


def _laid_out(follower: Follower, held: Holdings) -> Portfolio:
    """The account as its journal has it, worth what was last measured."""
    books, marks = follower.books, follower.views.marks
    portfolio = Portfolio(held.equity - held.net, {line.symbol: line.sector for line in held.positions})
    portfolio.take_over((copy(one) for one in books.positions.values()), cash=portfolio.cash, fees=books.fees)
    for line in held.positions:
        portfolio.mark(line.symbol, line.average_price if line.price is None else line.price)
    for view in books.orders.open.values():
        mark = marks.get(view.symbol)
        named = None if view.order is None else view.order.limit_price or view.order.stop_price
        price = mark.price if named is None and mark is not None else named
        leaves = view.quantity - view.quantity_filled
        if view.side is not None and price is not None and leaves > 0:
            portfolio.reserve(view.order_id, view.symbol, view.side.sign * leaves, price, view.order)
    return portfolio
