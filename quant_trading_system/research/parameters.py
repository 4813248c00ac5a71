"""The parameters of a strategy that a sweep varies: what may be asked for, and what its constructor takes.

`NAME=4,6,8` lists values, `NAME=10:50:10` steps from the first to the second, `NAME=0.1:2` and `NAME=0.001:1:log`
are ranges to draw from. Values are kept as text, which is exact, and become what the constructor wants where
a strategy is built.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from decimal import Decimal
from difflib import get_close_matches
from enum import StrEnum
from itertools import product
from math import isfinite, prod
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.core.numbers import exact, plain

MAX_GRID = 1_000_000
"""Trials of a grid; beyond that, draw from ranges instead."""

Parameters = dict[str, str]
"""Values of one trial by name, as text."""


class Kind(StrEnum):
    """What a parameter is."""

    INT = "int"
    FLOAT = "float"
    DECIMAL = "Decimal"
    BOOL = "bool"
    TEXT = "str"


_KINDS: dict[type, Kind] = {int: Kind.INT, float: Kind.FLOAT, Decimal: Kind.DECIMAL, bool: Kind.BOOL, str: Kind.TEXT}
_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class Range(msgspec.Struct, frozen=True):
    """An interval, ends included, to draw from; evenly in the logarithm if `log`."""

    low: Decimal
    high: Decimal
    log: bool = False


class Dimension(msgspec.Struct, frozen=True, kw_only=True):
    """One parameter and what it may be.

    Attributes:
        values: all of them in the order given, as text; empty for a range.
        between: the range to draw from, None for a list.
    """

    name: str
    kind: Kind
    values: tuple[str, ...] = ()
    between: Range | None = None


class Space(msgspec.Struct, frozen=True):
    """Everything that a sweep may try."""

    dimensions: tuple[Dimension, ...]

    def grid(self) -> list[Parameters]:
        """Every combination, the last parameter running fastest.

        Raises:
            ConfigurationError: a range without steps, or too many combinations.
        """
        columns = [_listed(dimension) for dimension in self.dimensions]
        count = prod(len(column) for column in columns)
        if count > MAX_GRID:
            raise ConfigurationError(
                f"{count:,} combinations are more than {MAX_GRID:,}; name fewer values, or draw with --sampler random"
            )
        names = [dimension.name for dimension in self.dimensions]
        return [dict(zip(names, values, strict=True)) for values in product(*columns)]

    def arguments(self, parameters: Parameters) -> dict[str, Any]:
        """The values of one trial as the constructor takes them."""
        kinds = {dimension.name: dimension.kind for dimension in self.dimensions}
        return {name: value_of(kinds[name], text) for name, text in parameters.items()}


def value_of(kind: Kind, text: str) -> int | float | Decimal | bool | str:
    """The text of a value as what it stands for.

    >>> value_of(Kind.INT, "8"), value_of(Kind.DECIMAL, "0.10"), value_of(Kind.BOOL, "true")
    (8, Decimal('0.10'), True)

    Raises:
        ValueError: the text is no such value.
    """
    match kind:
        case Kind.INT:
            number = exact(text)
            if number != int(number):
                raise ValueError(f"{text!r} is no whole number")
            return int(number)
        case Kind.FLOAT:
            found = float(text)
            if not isfinite(found):
                raise ValueError(f"{text!r} is not finite")
            return found
        case Kind.DECIMAL:
            return exact(text)
        case Kind.BOOL:
            if text.lower() not in _TRUTHS:
                raise ValueError(f"{text!r} is neither true nor false")
            return _TRUTHS[text.lower()]
        case Kind.TEXT:
            return text


def read_space(cls: type, specs: Iterable[str]) -> Space:
    """What a sweep of `cls` may try, from texts such as ``hold=4,6,8``.

    Raises:
        ConfigurationError: nothing is varied, a parameter is unknown, missing or named twice, or a value is not what
            it takes.
    """
    known = _parameters_of(cls)
    chosen: dict[str, Dimension] = {}
    for spec in specs:
        name, equals, text = (part.strip() for part in spec.partition("="))
        if not equals or not name or not text:
            raise ConfigurationError(f"--param {spec}: write NAME=VALUE,VALUE or NAME=LOW:HIGH:STEP")
        if name in chosen:
            raise ConfigurationError(f"--param {name} is given twice; list all its values in one")
        chosen[name] = _dimension(name, text, _kind_of(cls, name, known, text))
    needed = [name for name, one in known.items() if one.default is one.empty and not _is_open(one)]
    missing = [name for name in needed if name not in chosen]
    if missing:
        raise ConfigurationError(f"{cls.__name__} needs {', '.join(missing)}; add --param {missing[0]}=VALUE")
    if not chosen:
        offered = ", ".join(name for name, one in known.items() if not _is_open(one))
        raise ConfigurationError(
            f"nothing to vary: add --param NAME=VALUE,VALUE; {cls.__name__} takes {offered or 'no parameter'}"
        )
    return Space(tuple(chosen.values()))


def _parameters_of(cls: type) -> Mapping[str, inspect.Parameter]:
    """The parameters of the constructor without `self`; none when it has no constructor of its own."""
    if cls.__init__ is object.__init__:  # type: ignore[misc]  # asked for, not called
        return {}
    return dict(list(inspect.signature(cls.__init__).parameters.items())[1:])  # type: ignore[misc]  # as above


def _is_open(one: inspect.Parameter) -> bool:
    return one.kind in (one.VAR_KEYWORD, one.VAR_POSITIONAL)


def _kind_of(cls: type, name: str, known: Mapping[str, inspect.Parameter], text: str) -> Kind:
    one = known.get(name)
    if one is None or _is_open(one) or one.kind is one.POSITIONAL_ONLY:
        if any(other.kind is other.VAR_KEYWORD for other in known.values()):
            return _guessed(text)
        names = [key for key, other in known.items() if not _is_open(other)]
        near = get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]}?" if near else f"it takes {', '.join(names) or 'none'}"
        raise ConfigurationError(f"--param {name}: {cls.__name__} has no such parameter; {hint}")
    annotation = _hints(cls).get(name)
    wanted = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    kinds = [_KINDS[each] for each in wanted if each in _KINDS]
    if kinds:
        return kinds[0]
    if annotation is not None:
        taken = getattr(annotation, "__name__", annotation)
        varied = ", ".join(_KINDS.values())
        raise ConfigurationError(f"--param {name}: {cls.__name__} takes {taken} there; only {varied} can be varied")
    return _KINDS.get(type(one.default)) or _guessed(text)


def _hints(cls: type) -> dict[str, Any]:
    try:
        return get_type_hints(cls.__init__)  # type: ignore[misc]  # asked for, not called
    except (NameError, TypeError):  # an annotation that only type checkers can read
        return {}


def _guessed(text: str) -> Kind:
    """What the values look like, where the constructor does not say."""
    parts = [part for piece in text.split(",") for part in piece.split(":") if part != "log"]
    for kind in (Kind.INT, Kind.FLOAT):
        try:
            for part in parts:
                value_of(kind, part.strip())
        except ValueError:
            continue
        return kind
    return Kind.BOOL if all(part.strip().lower() in ("true", "false") for part in parts) else Kind.TEXT


def _dimension(name: str, text: str, kind: Kind) -> Dimension:
    if ":" not in text or kind is Kind.TEXT:
        values = tuple(_checked(name, kind, value.strip()) for value in text.split(","))
        if len(set(values)) != len(values):
            raise ConfigurationError(f"--param {name}={text}: a value is there twice")
        return Dimension(name=name, kind=kind, values=values)
    low_text, high_text, *rest = (part.strip() for part in text.split(":"))
    if kind is Kind.BOOL or len(rest) > 1:
        raise ConfigurationError(f"--param {name}={text}: write LOW:HIGH, LOW:HIGH:STEP or LOW:HIGH:log")
    low, high = _number(name, kind, low_text), _number(name, kind, high_text)
    if not low < high:
        raise ConfigurationError(f"--param {name}={text}: {low_text} must be below {high_text}")
    if rest and rest[0] != "log":
        step = _number(name, kind, rest[0])
        return Dimension(name=name, kind=kind, values=_steps(name, kind, low, high, step))
    if rest and low <= 0:
        raise ConfigurationError(f"--param {name}={text}: a logarithmic range begins above zero")
    return Dimension(name=name, kind=kind, between=Range(low, high, log=bool(rest)))


def _steps(name: str, kind: Kind, low: Decimal, high: Decimal, step: Decimal) -> tuple[str, ...]:
    if step <= 0 or (high - low) / step > MAX_GRID:
        raise ConfigurationError(
            f"--param {name}: {plain(low)} to {plain(high)} in steps of {plain(step)} is no list; choose another step"
        )
    count = int((high - low) / step)
    return tuple(_checked(name, kind, plain(low + step * number)) for number in range(count + 1))


def _listed(dimension: Dimension) -> tuple[str, ...]:
    between = dimension.between
    if between is None:
        return dimension.values
    if dimension.kind is Kind.INT and not between.log:
        return _steps(dimension.name, dimension.kind, between.low, between.high, Decimal(1))
    raise ConfigurationError(
        f"--param {dimension.name}: a grid needs values or steps, such as LOW:HIGH:STEP; "
        "ranges are for --sampler random and tpe"
    )


def _number(name: str, kind: Kind, text: str) -> Decimal:
    return exact(_checked(name, kind, text))


def _checked(name: str, kind: Kind, text: str) -> str:
    try:
        value = value_of(kind, text)
    except ValueError:
        raise ConfigurationError(f"--param {name}: {text!r} is no {kind}") from None
    return spelt(value)


def spelt(value: object) -> str:
    """One spelling for each value: ``1e1``, ``10.0`` and ``+10`` are the same number."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return plain(value)
    return repr(value) if isinstance(value, float) else str(value)
