"""Splitting a quantity without losing or inventing a lot.

Weights are compared as integers, because in binary floats, and even in a `Decimal` quotient such as 1/3,
ties fall the wrong way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from math import isfinite, lcm

from quant_trading_system.core.exceptions import InvalidNumber, InvalidOrder
from quant_trading_system.core.numbers import ONE, ZERO, floor_to_lot

Weight = int | Decimal | Fraction


def largest_remainder(quantity: Decimal, weights: Sequence[Weight], lot: Decimal = ONE) -> tuple[Decimal, ...]:
    """Split `quantity` in proportion to `weights`; the slices sum to it exactly.

    Every slice gets the whole lots of its quota; the lots left over go to the largest fractional parts, ties to
    the earliest slice. A weight of zero never receives a lot. Source: the method of Hamilton (largest remainder).

    Args:
        quantity: shares, above zero, a multiple of `lot`.
        weights: not negative, at least one of them positive.

    Raises:
        InvalidOrder: the quantity is not a positive multiple of the lot.
        InvalidNumber: no weight, a negative or infinite one, or nothing but zeros.

    >>> [str(part) for part in largest_remainder(Decimal(7), [0, 5, 0, 5])]
    ['0', '4', '0', '3']
    """
    lots = whole_lots(quantity, lot)
    parts = integer_weights(weights)
    total = sum(parts)
    split = [divmod(lots * part, total) for part in parts]
    left = lots - sum(whole for whole, _ in split)
    first = sorted(range(len(split)), key=lambda i: -split[i][1])[:left] if left else ()
    counts = [whole for whole, _ in split]
    for i in first:
        counts[i] += 1
    return tuple(lot * count if count else ZERO for count in counts)


def whole_lots(quantity: Decimal, lot: Decimal) -> int:
    """How many lots `quantity` is.

    Raises:
        InvalidOrder: it is not a positive multiple of `lot`, or the lot is not positive.
    """
    if not (lot.is_finite() and lot > 0):
        raise InvalidOrder("lot", f"{lot} must be above zero")
    if not (quantity.is_finite() and quantity > 0):
        raise InvalidOrder("quantity", f"{quantity} must be above zero")
    if quantity % lot:
        raise InvalidOrder("quantity", f"{quantity} is no multiple of the lot {lot}; {_nearest(quantity, lot)}")
    return int(quantity / lot)


def _nearest(quantity: Decimal, lot: Decimal) -> str:
    below = floor_to_lot(quantity, lot)
    return f"take {below} or {below + lot}" if below else f"take at least {lot}"


def integer_weights(weights: Sequence[Weight]) -> list[int]:
    """The weights multiplied by whatever makes all of them integers.

    Raises:
        InvalidNumber: no weight, a negative or infinite one, or nothing but zeros.
    """
    if not weights:
        raise InvalidNumber("a split needs at least one weight")
    for weight in weights:
        if isinstance(weight, Decimal) and not weight.is_finite():
            raise InvalidNumber(f"weight {weight} must be finite")
        if weight < 0:
            raise InvalidNumber(f"weight {weight} must not be negative")
    if all(type(weight) is int for weight in weights):
        parts = [int(weight) for weight in weights]
    else:
        parts = _scaled(weights)
    if not any(parts):
        raise InvalidNumber("every weight is zero: nothing says where the quantity belongs")
    return parts


def _scaled(weights: Sequence[Weight]) -> list[int]:
    ratios = [weight.as_integer_ratio() for weight in weights]
    common = lcm(*(below for _, below in ratios))
    return [above * (common // below) for above, below in ratios]


def exact_weights(values: Iterable[float]) -> tuple[Fraction, ...]:
    """Results of statistics as exact weights; tiny negative ones, which only rounding makes, become zero.

    Raises:
        InvalidNumber: a value is not finite, or negative by more than rounding.
    """
    found = tuple(values)
    if not all(isfinite(value) for value in found):
        raise InvalidNumber("a weight must be finite")
    floor = -max((abs(value) for value in found), default=0) / 10**9
    if any(value < floor for value in found):
        raise InvalidNumber(f"weight {min(found)} must not be negative")
    return tuple(Fraction(max(value, 0)) for value in found)
