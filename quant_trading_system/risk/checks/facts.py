"""What may make a rule ask: the facts of an order that are idle for most orders.

Each rule names, in the table of rules, the facts that it is about. While all of them are idle its check would say a
plain yes, so the gate judges all such rules by one test of the facts and calls the checks of the others one by one.
A test holds every check to that.
"""

from __future__ import annotations

from typing import NamedTuple

from quant_trading_system.core.decisions import Rule
from quant_trading_system.core.events import HaltLevel
from quant_trading_system.core.numbers import ONE, arithmetic_is_exact
from quant_trading_system.core.orders import AUCTIONS, OrderClass, OrderSide, OrderType
from quant_trading_system.risk.checks.case import Case, Check

EVER = 1
"""Never idle: the rule is asked about every order."""
GROWS = EVER << 1
"""The order is not proven to shrink a position, nor does it only take risk away."""
STOPPED = GROWS << 1
"""The kill switch stops the account, or a part of it that the order belongs to."""
INEXACT = STOPPED << 1
"""This thread may lose digits; then nothing else is idle either."""
UNWATCHED = INEXACT << 1
"""Nobody watches over the engine."""
IN_QUESTION = UNWATCHED << 1
"""The books of the symbol or the account cannot be trusted."""
DISARMED = IN_QUESTION << 1
"""The strategy was stopped as a runaway."""
RESTRICTED = DISARMED << 1
"""A person has said something against the symbol."""
SPECIAL = RESTRICTED << 1
"""The instrument is not known, or not one that is active, tradable and marginable."""
UNSUPPORTED = SPECIAL << 1
"""The broker does not take the order."""
OFF_HOURS = UNSUPPORTED << 1
"""No session is open, or the order is for an auction."""
ODD_SIZE = OFF_HOURS << 1
"""The order asks for dollars or a part of a share, or the instrument trades in lots of more than one."""
PRICED = ODD_SIZE << 1
"""The order carries a price, or its legs do."""
UNPRICED = PRICED << 1
"""There is no quote, or none that can be relied on."""
SLICED = UNPRICED << 1
"""The order is a slice of a parent."""
ACCOMPANIED = SLICED << 1
"""Orders of the symbol are open, or it is frozen."""
UNREPEATED = ACCOMPANIED << 1
"""The order does not say that it may be a repeat, nor does it take the place of another one."""
REPLACES = UNREPEATED << 1
"""The order takes the place of an open one."""
SELLS = REPLACES << 1
"""The order is a sale."""
SHORTS = SELLS << 1
"""It is a sale that is not proven to shrink a position."""
COVERS = SHORTS << 1
"""The order may do nothing but reduce, or the symbol is held short."""

ALL = (COVERS << 1) - 1


class Question(NamedTuple):
    """One row of the table of rules.

    Attributes:
        about: facts, as bits; while all of them are idle the check says a plain yes and need not be called.
    """

    rule: Rule
    check: Check
    about: int = EVER


def stirring(case: Case) -> int:
    """The facts of `case` that are not idle, as bits."""
    if not arithmetic_is_exact():
        return ALL
    order, instrument, holding = case.order, case.instrument, case.holding
    found = EVER
    if not case.shrinks:
        found |= GROWS
    if case.halt_level is not _RUNNING:
        found |= STOPPED
    if case.unwatched:
        found |= UNWATCHED
    if case.unreconciled:
        found |= IN_QUESTION
    if order.strategy in case.traffic.disarmed:
        found |= DISARMED
    if case.restriction is not None:
        found |= RESTRICTED
    if case.unsupported:
        found |= UNSUPPORTED
    if instrument is None:
        found |= SPECIAL | ODD_SIZE
    else:
        if not (instrument.active and instrument.tradable and instrument.marginable):
            found |= SPECIAL
        if instrument.lot is not ONE or order.notional is not None or order.quantity % ONE:
            found |= ODD_SIZE
    if case.session is None or order.time_in_force in AUCTIONS:
        found |= OFF_HOURS
    is_simple = order.order_class is _SIMPLE
    if not is_simple or order.order_type is not _MARKET:
        found |= PRICED
    if case.price is None:
        found |= UNPRICED
    if case.parent:
        found |= SLICED
    if holding.orders or holding.frozen:
        found |= ACCOMPANIED
    if case.replaced is not None:
        found |= REPLACES
    elif not order.repeat:
        found |= UNREPEATED
    if order.side is _SELL:
        found |= SELLS if case.shrinks else SELLS | SHORTS
    if order.reduce_only or not is_simple or holding.position.quantity < 0:
        found |= COVERS
    return found


_RUNNING = HaltLevel.RUNNING  # Python 3.11 searches for a member each time that it is named through its class
_SELL, _MARKET, _SIMPLE = OrderSide.SELL, OrderType.MARKET, OrderClass.SIMPLE
