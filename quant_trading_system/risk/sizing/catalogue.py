"""Sizers by name: ``kelly``, ``vol-target:target=0.10,cap=1``; several together, and scales on top.

One table gives the command line its names, its parameters and its documentation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from decimal import Decimal
from difflib import get_close_matches
from functools import partial
from typing import Any, NamedTuple

from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.core.numbers import exact, plain
from quant_trading_system.risk.portfolio_optimizer import Method
from quant_trading_system.risk.sizing.composed import DrawdownScale, Scaled, Smallest
from quant_trading_system.risk.sizing.fitting import WithinLimits
from quant_trading_system.risk.sizing.growth import Kelly, VolatilityTarget
from quant_trading_system.risk.sizing.joint import Optimized
from quant_trading_system.risk.sizing.regime import RegimeScale
from quant_trading_system.risk.sizing.request import PositionSizer
from quant_trading_system.risk.sizing.signals import EqualWeight, OwnWeight
from quant_trading_system.risk.sizing.stops import AtrStop, FixedFractional, KellyBet, OptimalF

_SHORT = {"risk_fraction": "risk"}
_READABLE = (Decimal, int, bool)


class Entry(NamedTuple):
    """A sizer or a scale of the table.

    Attributes:
        make: a class or function whose keyword arguments are the parameters.
        meaning: one sentence.
        scales: it changes what the others answer.
    """

    make: Callable[..., Any]
    meaning: str
    scales: bool = False

    def defaults(self) -> dict[str, Decimal | int | bool]:
        """Parameter to default value, in the order of the class."""
        made = self.make()
        return {f.name: getattr(made, f.name) for f in fields(made) if isinstance(getattr(made, f.name), _READABLE)}


SIZERS: dict[str, Entry] = {
    "equal-weight": Entry(EqualWeight, "the same share of equity for every wanted symbol"),
    "own-weight": Entry(OwnWeight, "the weight that the strategy asks for, else equal weight"),
    "fixed-fractional": Entry(FixedFractional, "a fixed fraction of equity at risk to the stop of the signal"),
    "atr": Entry(AtrStop, "a fixed fraction of equity at risk to a stop some average true ranges away"),
    "vol-target": Entry(VolatilityTarget, "each symbol scaled to one volatility by its EWMA estimate"),
    "kelly": Entry(Kelly, "a fraction of the growth-optimal weights of all wanted symbols, shrunk and capped"),
    "risk-parity": Entry(partial(Optimized, Method.RISK_PARITY), "weights that contribute equally to the risk"),
    "max-diversification": Entry(
        partial(Optimized, Method.MAX_DIVERSIFICATION), "weights with the highest diversification ratio"
    ),
    "min-variance": Entry(partial(Optimized, Method.MIN_VARIANCE), "long-only weights with the lowest variance"),
    "hrp": Entry(partial(Optimized, Method.HRP), "hierarchical risk parity"),
    "kelly-bet": Entry(KellyBet, "a fraction of Kelly's bet on the account's own closed trades, at risk to the stop"),
    "optimal-f": Entry(
        OptimalF, "a fraction of Vince's optimal f of the account's own closed trades, at risk to the stop"
    ),
    "drawdown": Entry(DrawdownScale, "less of everything while the account is below its peak", scales=True),
    "regime": Entry(RegimeScale, "less of everything while the market is below its average", scales=True),
}
"""Every sizer and scale that a command can name."""


def make_sizer(specs: str | Sequence[str], *, within_limits: bool = True) -> PositionSizer:
    """Build a sizer from text: ``NAME`` or ``NAME:key=value,key=value``; of several, the smallest answer counts.

    Several are given one by one, or joined by ``+``: ``vol-target+drawdown``. Scales apply to the result, in the
    order in which they are given.

    Args:
        within_limits: cut the portfolio to what the gate will pass.

    Raises:
        ConfigurationError: an unknown name or parameter, a value that is no number or out of range, or only scales.

    >>> make_sizer("vol-target:target=0.10", within_limits=False).target
    Decimal('0.10')
    """
    texts = [part for text in ([specs] if isinstance(specs, str) else specs) for part in text.split("+")]
    made = [(_entry(text), _made(text)) for text in texts]
    sizers = tuple(part for entry, part in made if not entry.scales)
    if not sizers:
        raise ConfigurationError("a scale needs a sizer to scale, such as vol-target")
    sizer: PositionSizer = sizers[0] if len(sizers) == 1 else Smallest(sizers)
    for entry, part in made:
        if entry.scales:
            sizer = Scaled(sizer, part)
    return WithinLimits(sizer) if within_limits else sizer


def describe(name: str) -> str:
    """The name with all its parameters and their defaults, as a command takes them."""
    values = SIZERS[name].defaults()
    words = ",".join(f"{_SHORT.get(key, key)}={_text(value)}" for key, value in values.items())
    return f"{name}:{words}" if words else name


def _entry(text: str) -> Entry:
    name = text.partition(":")[0].strip()
    if name not in SIZERS:
        near = get_close_matches(name, SIZERS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(SIZERS)}"
        raise ConfigurationError(f"{name!r} is no sizer; {hint}")
    return SIZERS[name]


def _made(text: str) -> Any:
    name, _, rest = text.partition(":")
    entry = _entry(text)
    defaults = entry.defaults()
    names = {_SHORT.get(key, key): key for key in defaults}
    values: dict[str, Decimal | int | bool] = {}
    for pair in filter(None, (part.strip() for part in rest.split(","))):
        key, equals, value = (word.strip() for word in pair.partition("="))
        if key not in names or not equals:
            known = ", ".join(names) or "none"
            raise ConfigurationError(f"{name.strip()}: {pair!r} is not understood; write key=value, with {known}")
        field = names[key]
        if field in values:
            raise ConfigurationError(f"{name.strip()}: {key} is given twice")
        values[field] = _value(f"{name.strip()}: {key}", value, defaults[field])
    return entry.make(**values)


def _value(what: str, text: str, default: Decimal | int | bool) -> Decimal | int | bool:
    if isinstance(default, bool):
        if text not in ("true", "false"):
            raise ConfigurationError(f"{what}: {text!r} must be true or false")
        return text == "true"
    try:
        number = exact(text)
    except ValueError as error:
        raise ConfigurationError(f"{what}: {error}") from None
    if isinstance(default, Decimal):
        return number
    if number != number.to_integral_value():
        raise ConfigurationError(f"{what}: {text} must be a whole number")
    return int(number)


def _text(value: Decimal | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else plain(Decimal(value))
