"""Lists of `risk_params.yaml` about the market: windows without trading, and tiers of its volatility."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from quant_trading_system.config.scalars import BadValue, quoted, read_number
from quant_trading_system.core.numbers import ONE, ZERO, plain

EVERYTHING = "everything"
"""Stands for all symbols."""
MARKET = "market"
"""Stands for the average of all symbols."""
_MOMENT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}Z"
_SYMBOL = r"[A-Z][A-Z0-9.]{0,15}"
_BLACKOUT = re.compile(
    rf"(?P<symbol>{EVERYTHING}|{_SYMBOL}) (?P<mode>blocked|reduce_only)"
    rf" from (?P<start>{_MOMENT}) until (?P<end>{_MOMENT})"
    r" by (?P<owner>[\w. -]{1,64}?) because (?P<reason>[\w. ()/-]{1,120})"
)
_TIER = re.compile(r"above (?P<above>[0-9.]+) times (?P<share>[0-9.]+)")
_HIGHEST = Decimal(100)
_KEPT = 16
"""Sets of limits whose entries stay taken apart."""


class Blackout(NamedTuple):
    """A time in which no new risk is taken, or nothing is traded at all: earnings, news, a meeting of a central bank.

    Attributes:
        symbol: empty for all of them.
        reduce_only: exits pass; otherwise nothing does.
        start, end: UTC; the end is the first moment after it.
    """

    symbol: str
    reduce_only: bool
    start: datetime
    end: datetime
    owner: str
    reason: str

    def __str__(self) -> str:
        mode = "reduce only" if self.reduce_only else "blocked"
        return f"{mode} until {self.end:%Y-%m-%d %H:%M} UTC by {self.owner} because {self.reason}"


def read_blackout(text: str) -> str:
    """One window, kept as it is written.

    Raises:
        BadValue: it has another form, a moment that does not exist, or ends before it begins.
    """
    blackout_in(text)
    return text


def blackout_in(text: str) -> Blackout:
    """What one entry of `blackouts` says.

    Raises:
        BadValue: it has another form, a moment that does not exist, or ends before it begins.

    >>> str(blackout_in("KO reduce_only from 2027-02-09T13:00Z until 2027-02-09T15:30Z by Ana because earnings"))
    'reduce only until 2027-02-09 15:30 UTC by Ana because earnings'
    """
    found = _BLACKOUT.fullmatch(text)
    if found is None or not text.isprintable():
        raise BadValue(
            f"holds {quoted(text)}; write SYMBOL or {EVERYTHING}, reduce_only or blocked, "
            "from YYYY-MM-DDTHH:MMZ until YYYY-MM-DDTHH:MMZ by WHO because WHY"
        )
    start, end = _moment(text, found["start"]), _moment(text, found["end"])
    if end <= start:
        raise BadValue(f"holds {quoted(text)}; it ends before it begins")
    symbol = "" if found["symbol"] == EVERYTHING else found["symbol"]
    return Blackout(symbol, found["mode"] == "reduce_only", start, end, found["owner"].strip(), found["reason"])


def _moment(text: str, moment: str) -> datetime:
    try:
        return datetime.fromisoformat(moment).astimezone(UTC)
    except ValueError:
        raise BadValue(f"holds {quoted(text)}; there is no moment {moment}") from None


@lru_cache(_KEPT)
def blackouts_in(texts: tuple[str, ...]) -> Mapping[str, tuple[Blackout, ...]]:
    """All windows by symbol; those of all symbols under the empty text."""
    found: dict[str, list[Blackout]] = {}
    for blackout in map(blackout_in, texts):
        found.setdefault(blackout.symbol, []).append(blackout)
    return MappingProxyType({symbol: tuple(windows) for symbol, windows in found.items()})


def strictest_at(windows: Iterable[Blackout], now: datetime) -> Blackout | None:
    """The strictest of those in which `now` lies; of equal ones the one that ends last."""
    lasting = [window for window in windows if window.start <= now < window.end]
    return max(lasting, key=lambda window: (not window.reduce_only, window.end), default=None)


class Tier(NamedTuple):
    """Above `above` times its usual volatility the market lets orders have `share` of their usual size."""

    above: Decimal
    share: Decimal


def read_tier(text: str) -> str:
    """One tier, kept as it is written.

    Raises:
        BadValue: it has another form, or a number out of range.
    """
    tier_in(text)
    return text


def tier_in(text: str) -> Tier:
    """What one entry of `volatility_tiers` says.

    Raises:
        BadValue: it has another form, or a number out of range.

    >>> tier_in("above 1.5 times 0.5")
    Tier(above=Decimal('1.5'), share=Decimal('0.5'))
    """
    found = _TIER.fullmatch(text)
    if found is None:
        raise BadValue(f"holds {quoted(text)}; write above RATIO times SHARE, such as above 1.5 times 0.5")
    tier = Tier(read_number(found["above"]), read_number(found["share"]))
    if not (ZERO < tier.above <= _HIGHEST and ZERO <= tier.share <= ONE):
        raise BadValue(
            f"holds {quoted(text)}; the ratio is above 0 and at most {plain(_HIGHEST)}, the share from 0 to 1"
        )
    return tier


@lru_cache(_KEPT)
def tiers_in(texts: tuple[str, ...]) -> tuple[Tier, ...]:
    """All tiers."""
    return tuple(map(tier_in, texts))


def share_at(tiers: Iterable[Tier], ratio: Decimal | None) -> Decimal:
    """The smallest share of the tiers that `ratio` is above, 1 below all of them.

    Args:
        ratio: None while it is unknown; then the strictest tier holds.
    """
    return min((tier.share for tier in tiers if ratio is None or ratio > tier.above), default=ONE)


def read_reference(text: str) -> str:
    """A symbol, or the word for the average of all.

    Raises:
        BadValue: it is neither.
    """
    if text != MARKET and re.fullmatch(_SYMBOL, text) is None:
        raise BadValue(f"is {quoted(text)}; write a symbol such as SPY, or {MARKET} for the average of all symbols")
    return text
