"""Lists of `risk_params.yaml` whose entries name somebody: symbols that are allowed, budgets of strategies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from quant_trading_system.config.scalars import BadValue, quoted, read_number, read_whole
from quant_trading_system.core.numbers import plain

_ALLOWANCE = re.compile(
    r"(?P<symbol>[A-Z][A-Z0-9.]{0,15})(?: until (?P<until>[0-9]{4}-[0-9]{2}-[0-9]{2}))?"
    r" by (?P<owner>[\w. -]{1,64}?) because (?P<reason>[\w. ()/-]{1,120})"
)
_BUDGET = re.compile(
    r"(?P<strategy>[^\s,]{1,64})(?: value (?P<value>[0-9.]+))?(?: loss (?P<loss>[0-9.]+))?"
    r"(?: orders (?P<orders>[0-9]+))?"
)
_KEPT = 16
"""Sets of limits whose entries stay taken apart."""


class Allowance(NamedTuple):
    """A symbol that may be traded.

    Attributes:
        until: the last day of it, in UTC; None for one that a person has to take out.
    """

    symbol: str
    until: date | None
    owner: str
    reason: str


class Budget(NamedTuple):
    """What one strategy may use of the account; None for what nothing is said about.

    Attributes:
        value: dollars of its positions and open orders; loss: dollars of one day; orders: of one day.
    """

    strategy: str
    value: Decimal | None = None
    loss: Decimal | None = None
    orders: int | None = None

    def __str__(self) -> str:
        """As an entry of `strategy_budgets`.

        >>> str(Budget("Trend", Decimal("50000"), orders=100))
        'Trend value 50000 orders 100'
        """
        parts = (("value", self.value), ("loss", self.loss), ("orders", self.orders))
        said = (f" {name} {plain(Decimal(amount))}" for name, amount in parts if amount is not None)
        return self.strategy + "".join(said)


def read_allowance(text: str) -> str:
    """One allowed symbol, kept as it is written.

    Raises:
        BadValue: it has another form, or its day does not exist.
    """
    allowance_in(text)
    return text


def allowance_in(text: str) -> Allowance:
    """What one entry of `allowed_symbols` says.

    Raises:
        BadValue: it has another form, or its day does not exist.

    >>> allowance_in("KO until 2027-01-31 by Ana because core holding").owner
    'Ana'
    """
    found = _ALLOWANCE.fullmatch(text)
    if found is None or not text.isprintable():
        raise BadValue(f"holds {quoted(text)}; write SYMBOL, perhaps until YYYY-MM-DD, by WHO because WHY")
    try:
        until = date.fromisoformat(found["until"]) if found["until"] else None
    except ValueError:
        raise BadValue(f"holds {quoted(text)}; there is no day {found['until']}") from None
    return Allowance(found["symbol"], until, found["owner"].strip(), found["reason"])


@lru_cache(_KEPT)
def last_days_in(texts: tuple[str, ...]) -> Mapping[str, date]:
    """The last day on which each symbol is allowed; of several entries the latest."""
    found: dict[str, date] = {}
    for entry in map(allowance_in, texts):
        found[entry.symbol] = max(found.get(entry.symbol, date.min), entry.until or date.max)
    return MappingProxyType(found)


def read_budget(text: str) -> str:
    """One budget, kept as it is written.

    Raises:
        BadValue: it has another form, or says nothing.
    """
    budget_in(text)
    return text


def budget_in(text: str) -> Budget:
    """What one entry of `strategy_budgets` says.

    Raises:
        BadValue: it has another form, or says nothing.

    >>> budget_in("Trend value 50000 orders 100")
    Budget(strategy='Trend', value=Decimal('50000'), loss=None, orders=100)
    """
    found = _BUDGET.fullmatch(text)
    if found is None or not any((found["value"], found["loss"], found["orders"])):
        raise BadValue(
            f"holds {quoted(text)}; write STRATEGY value DOLLARS loss DOLLARS orders NUMBER, or some of them"
        )
    return Budget(
        found["strategy"],
        read_number(found["value"]) if found["value"] else None,
        read_number(found["loss"]) if found["loss"] else None,
        read_whole(found["orders"]) if found["orders"] else None,
    )


@lru_cache(_KEPT)
def budgets_in(texts: tuple[str, ...]) -> Mapping[str, Budget]:
    """The budget of each strategy; of several entries the tightest."""
    found: dict[str, Budget] = {}
    for entry in map(budget_in, texts):
        other = found.get(entry.strategy, entry)
        found[entry.strategy] = Budget(
            entry.strategy,
            _least(entry.value, other.value),
            _least(entry.loss, other.loss),
            None if entry.orders is None and other.orders is None else int(_least(entry.orders, other.orders) or 0),
        )
    return MappingProxyType(found)


def _least(one: Decimal | int | None, other: Decimal | int | None) -> Decimal | None:
    known = [Decimal(value) for value in (one, other) if value is not None]
    return min(known, default=None)
