"""An execution policy from words: ``participation=0.05,slice_minutes=10,after_crash=resume``."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from quant_trading_system.core.exceptions import ConfigurationError, InvalidNumber
from quant_trading_system.core.numbers import exact
from quant_trading_system.execution.algo.impact import AlmgrenImpact
from quant_trading_system.execution.algo.impact_file import read_impact
from quant_trading_system.execution.algo.walker import AfterCrash
from quant_trading_system.trading.planning import ExecutionPolicy

_MINUTES = {"slice_minutes": "slice_length", "horizon_minutes": "horizon"}
_NONE = {"algorithm_from_adv": "never", "horizon_minutes": "none", "impact": "usual"}
WORDS = tuple(
    name
    for field in ExecutionPolicy.__struct_fields__
    for name in [next((word for word, meant in _MINUTES.items() if meant == field), field)]
)
"""What may be set: the fields of `ExecutionPolicy`; those that are spans of time are given in minutes, the
impact as a file of `qts algo calibrate --out`."""


def read_policy(texts: Iterable[str], base: ExecutionPolicy) -> ExecutionPolicy:
    """`base` with what `texts` set, each ``key=value``, several joined by commas.

    Raises:
        ConfigurationError: an unknown key, one that is set twice, or a value that is none or out of range.

    >>> read_policy(["participation=0.05,slice_minutes=10"], ExecutionPolicy()).slice_length
    datetime.timedelta(seconds=600)
    """
    changes: dict[str, Any] = {}
    for pair in (part.strip() for text in texts for part in text.split(",")):
        key, equals, value = (word.strip() for word in pair.partition("="))
        if key not in WORDS or not equals:
            raise ConfigurationError(f"{pair!r} is not understood; write key=value, with {', '.join(WORDS)}")
        field = _MINUTES.get(key, key)
        if field in changes:
            raise ConfigurationError(f"{key} is given twice")
        changes[field] = _read(key, value)
    return msgspec.structs.replace(base, **changes)


def _read(key: str, text: str) -> Decimal | bool | int | timedelta | AfterCrash | AlmgrenImpact | None:
    if _NONE.get(key) == text:
        return None
    if key == "impact":
        return read_impact(Path(text))
    if key == "after_crash":
        if text not in list(AfterCrash):
            raise ConfigurationError(f"after_crash: {text!r} must be {' or '.join(AfterCrash)}")
        return AfterCrash(text)
    if key == "fit_to_limits":
        if text not in ("true", "false"):
            raise ConfigurationError(f"fit_to_limits: {text!r} must be true or false")
        return text == "true"
    try:
        number = exact(text)
    except InvalidNumber as error:
        raise ConfigurationError(f"{key}: {error}") from None
    if key == "rebalance_approvals":
        if number % 1:
            raise ConfigurationError(f"rebalance_approvals: {text} is no number of persons")
        return int(number)
    return timedelta(seconds=int(number * 60)) if key in _MINUTES else number
