"""One key of `risk_params.yaml`: where it stands, what it may be, and how its text is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import NamedTuple

from quant_trading_system.config.looseness import Looser
from quant_trading_system.config.scalars import OFF, BadValue, hundredth
from quant_trading_system.core.events import HaltLevel
from quant_trading_system.core.numbers import plain

Value = Decimal | int | bool | HaltLevel | str | None
"""What a key can hold; None is a limit that is off."""


FRACTION = "fraction of "
"""How the unit of a share begins."""


class Range(NamedTuple):
    """The numbers that a key may hold: from `low`, or above it when `open_below`, up to and including `high`."""

    low: Decimal
    high: Decimal
    open_below: bool = False

    def __str__(self) -> str:
        if self.open_below:
            return f"above {plain(self.low)} and at most {plain(self.high)}"
        return f"from {plain(self.low)} to {plain(self.high)}"

    def holds(self, number: Decimal) -> bool:
        """True when `number` is allowed."""
        return self.low <= number <= self.high and not (self.open_below and number == self.low)


class LimitKey(NamedTuple):
    """One row of the table.

    Attributes:
        read: turns text into the value (of one item, when the key `is_list`), or raises `BadValue`.
        range: None for values that are no numbers.
        unit: what the value counts, or the words that it can be.
        meaning: one sentence for the documentation.
        looser: which change of the value lets more through, and so has to be approved.
        may_be_off: the word ``off`` stands for no limit; the value is None then and its check is not asked.
    """

    section: str
    name: str
    read: Callable[[str], Value]
    range: Range | None
    unit: str
    meaning: str
    looser: Looser
    is_list: bool = False
    may_be_off: bool = False

    @property
    def path(self) -> str:
        """Section and name, as messages and records show them: ``risk.max_position_pct``."""
        return f"{self.section}.{self.name}"

    def value_of(self, text: str) -> Value:
        """The value that `text` stands for; None for a limit that is off.

        Raises:
            BadValue: it stands for none, or for one out of range.
        """
        if self.may_be_off and text == OFF:
            return None
        value = self.read(text)
        if self.range is not None and isinstance(value, Decimal | int):
            self._require_within(Decimal(value), self.range)
        return value

    def value_of_text(self, text: str) -> Value | tuple[Value, ...]:
        """The value that canonical text stands for, as records hold it: ``[Ana, Ben]`` for a list.

        Raises:
            BadValue: as `value_of`, or no list where there must be one.
        """
        if not self.is_list:
            return self.value_of(text)
        if text[:1] != "[" or text[-1:] != "]":
            raise BadValue("must be a list, such as [] or [Ana, Ben]")
        return self.values_of(text[1:-1].split(", ") if text[1:-1] else ())

    def values_of(self, texts: Sequence[str]) -> tuple[Value, ...]:
        """The items of a list, in the order of their names.

        Raises:
            BadValue: as `value_of`, or one of them stands twice.
        """
        if len(set(texts)) < len(texts):
            raise BadValue("names somebody twice")
        return tuple(sorted((self.value_of(text) for text in texts), key=str))

    def _require_within(self, number: Decimal, allowed: Range) -> None:
        if allowed.holds(number):
            return
        advice = ""
        if self.unit.startswith(FRACTION) and number > allowed.high and allowed.holds(number.scaleb(-2)):
            advice = f"; write {plain(number)} % as {hundredth(number)}"
        raise BadValue(f"is {plain(number)}, but must be {allowed}{advice}")
