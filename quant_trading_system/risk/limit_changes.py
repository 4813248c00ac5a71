"""What of a wish for other limits is in force at once, and what has to wait for people.

Pure functions on limits as text by ``section.key``, as the journal holds them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from quant_trading_system.config.loader import value_as_text
from quant_trading_system.config.looseness import tighter_of
from quant_trading_system.config.risk_keys import KEYS
from quant_trading_system.core.limit_events import LimitChange
from quant_trading_system.journal.limits_fold import Raised

Texts = Mapping[str, str]


class Split(NamedTuple):
    """A wish taken apart.

    Attributes:
        at_once: tighter limits, and limits that no approved set knew.
        waiting: limits that let more through, from the value that holds until people have approved the other.
    """

    at_once: tuple[LimitChange, ...]
    waiting: tuple[LimitChange, ...]


def split(approved: Texts, wanted: Texts) -> Split:
    """Take the wish for `wanted` limits apart, where `approved` ones hold.

    Raises:
        BadValue: a value cannot be read.
    """
    at_once, waiting = [], []
    for key in KEYS:
        was, wish = approved.get(key.path), wanted[key.path]
        if was is None:
            at_once.append(LimitChange(key.path, "", wish))
            continue
        tight = value_as_text(tighter_of(key.looser, key.value_of_text(was), key.value_of_text(wish)))
        if tight != was:
            at_once.append(LimitChange(key.path, was, tight))
        if tight != wish:
            waiting.append(LimitChange(key.path, tight, wish))
    return Split(tuple(at_once), tuple(waiting))


def changed(limits: Texts, changes: Iterable[LimitChange]) -> dict[str, str]:
    """The limits after `changes`; keys that this version does not know are left out."""
    known = {key.path for key in KEYS}
    return {path: text for path, text in limits.items() if path in known} | {c.key: c.now for c in changes}


def in_force(approved: Texts, raised: Mapping[str, Raised], now: datetime) -> dict[str, str]:
    """The approved limits, with those that are raised at the moment `now`."""
    known = changed(approved, ())
    return known | {key: item.value for key, item in raised.items() if key in known and now < item.until}


def tightened_keys(changes: Iterable[LimitChange]) -> set[str]:
    """The keys that hold a tighter value now; new keys have none before."""
    return {change.key for change in changes if change.was}


def starting_limits(approved: Texts, raised: Mapping[str, Raised], wanted: Texts, now: datetime) -> dict[str, str]:
    """What is in force once a start has read `wanted` from a file: never looser than what was approved."""
    at_once = split(approved, wanted).at_once
    ended = tightened_keys(at_once)
    left = {key: item for key, item in raised.items() if key not in ended}
    return in_force(changed(approved, at_once), left, now)
