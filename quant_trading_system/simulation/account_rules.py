"""What an account may do: the broker's margin rules and the customer's own settings."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from quant_trading_system.simulation.books import UNIT, Books, Holding, units

_ZERO = Decimal(0)


class AccountRules(msgspec.Struct, frozen=True, kw_only=True):
    """Rules that differ between brokers, or between a backtest and the broker.

    Attributes:
        margin_equity: dollars of equity below which nothing is lent and nothing is sold short.
        least_fraction: dollars that an opening order for a part of a share must be worth at least.
        strict_auctions: orders for the next day's auctions are taken in the evening only.
    """

    margin_equity: Decimal = _ZERO
    least_fraction: Decimal = _ZERO
    strict_auctions: bool = False

    @classmethod
    def alpaca(cls) -> AccountRules:
        """As at Alpaca."""
        return cls(margin_equity=Decimal(2000), least_fraction=Decimal(1), strict_auctions=True)


class AccountConfiguration(msgspec.Struct, frozen=True, kw_only=True):
    """What the customer may set; the last four are kept and have no effect here.

    Attributes:
        suspend_trade: every new order is refused.
        no_shorting: long positions only.
        fractional_trading: parts of shares and dollar orders are taken.
        max_margin_multiplier: at most this multiple of equity is bought for: 1, 2 or 4.
    """

    suspend_trade: bool = False
    no_shorting: bool = False
    fractional_trading: bool = True
    max_margin_multiplier: str = "4"
    trade_confirm_email: str = "all"
    ptp_no_exception_entry: bool = False
    max_options_trading_level: int | None = None
    disable_overnight_trading: bool = False

    def changed(self, body: Mapping[str, object]) -> AccountConfiguration:
        """With the settings of a request; what is null or unknown stays as it is.

        Raises:
            ValueError: a value is not possible; the message names the setting.
        """
        known = {name: body[name] for name in self.__struct_fields__ if body.get(name) is not None}
        for name, value in known.items():
            if not _is_possible(name, value):
                raise ValueError(f"invalid {name}")
        return msgspec.structs.replace(self, **known)


_CHOICES: Mapping[str, tuple[object, ...]] = {
    "max_margin_multiplier": ("1", "2", "4"),
    "trade_confirm_email": ("all", "none"),
    "max_options_trading_level": (0, 1, 2, 3),
}


def _is_possible(name: str, value: object) -> bool:
    choices = _CHOICES.get(name)
    if choices is None:
        return isinstance(value, bool)
    return not isinstance(value, bool) and value in choices


# -- margin ------------------------------------------------------------------------------------------------------------

_HALF, _WHOLE = units(Decimal("0.5")), UNIT
_LONG, _SHORT = units(Decimal("0.3")), units(Decimal("0.3"))
_CHEAP_LONG, _CHEAP_SHORT = units(Decimal("2.5")), units(Decimal(5))
_CONCENTRATED = units(Decimal("0.7"))
_LARGE_LOAN = units(Decimal(100_000)) * UNIT


def initial_margin(books: Books) -> int:
    """Money that the positions tie up: half of their size."""
    return books.gross_value * _HALF // UNIT


def maintenance_margin(books: Books) -> int:
    """Money that the positions must be backed with.

    Long 30 %, or all of it below 2.50 dollars a share; short the greater of 5 dollars a share and 30 %, below 5
    dollars a share the greater of 2.50 and all of it. A position of more than 70 % of all, with a loan of 100,000
    dollars or more, needs 50 %.

    Source:
        Alpaca, "Margin and Short Selling".
    """
    gross = books.gross_value
    concentrated = books.cash <= -_LARGE_LOAN
    total = 0
    for holding in books.holdings().values():
        size = abs(holding.value)
        needed = _needed(holding, size)
        if concentrated and size * UNIT > gross * _CONCENTRATED:
            needed = max(needed, size * _HALF // UNIT)
        total += needed
    return total


def _needed(holding: Holding, size: int) -> int:
    if holding.quantity > 0:
        return size * (_WHOLE if holding.mark < _CHEAP_LONG else _LONG) // UNIT
    count = -holding.quantity
    if holding.mark < _CHEAP_SHORT:
        return max(count * _CHEAP_LONG, size)
    return max(count * _CHEAP_SHORT, size * _SHORT // UNIT)
