"""What the positions of this moment would lose if a day of the past, or one that has not been yet, came again.

    loss = −Σ value · max(shock, −1),   shock = that of its sector if there is one, else beta · that of the market

Every position is valued at its mark; nothing is traded on the way down, so this is the loss of somebody who cannot
act. Values are exact; betas come from statistics and are rounded at their border.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from quant_trading_system.core.numbers import ONE, ZERO

_CENT = Decimal("0.01")
_NOTHING: Mapping[str, Decimal] = MappingProxyType({})


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One shock to all prices at once.

    Attributes:
        name: short, for limits and charts.
        what: one sentence with the source of the figures.
        market: relative change of the market; each position follows by its beta.
        sectors: relative change of the prices of a sector, whatever the betas.
        long_gap, short_gap: relative change of one symbol alone, the one that hurts most, held long or short; the
            others follow the market.
    """

    name: str
    what: str
    market: Decimal = ZERO
    sectors: Mapping[str, Decimal] = {}
    long_gap: Decimal = ZERO
    short_gap: Decimal = ZERO


def _historical(name: str, change: str, what: str) -> Scenario:
    return Scenario(name=name, what=f"{what}: the S&P 500 changed by {change} %.", market=Decimal(change).scaleb(-2))


HISTORICAL: tuple[Scenario, ...] = (
    _historical("1987-10-19", "-20.47", "Black Monday, one day"),
    _historical("2008-10", "-16.94", "October 2008, one month"),
    _historical("2008-10-15", "-9.03", "The worst day of 2008"),
    _historical("2020-03-16", "-11.98", "The worst day of 2020"),
    _historical("2020-02-19 to 2020-03-23", "-33.92", "The fall of early 2020, 23 trading days"),
)
"""Days and weeks of the past: changes of the index from close to close."""

HYPOTHETICAL: tuple[Scenario, ...] = (
    Scenario(
        name="rate shock",
        what="Long rates rise by two points: an assumption, hardest for what pays late or is bought on credit.",
        market=Decimal("-0.08"),
        sectors={
            "Information Technology": Decimal("-0.15"),
            "Communication Services": Decimal("-0.15"),
            "Consumer Discretionary": Decimal("-0.12"),
            "Real Estate": Decimal("-0.15"),
            "Utilities": Decimal("-0.12"),
            "Financials": Decimal("-0.05"),
            "Energy": Decimal("-0.03"),
        },
    ),
    Scenario(
        name="single-name gap",
        what="One company halves over night, or the worst short doubles: an assumption.",
        long_gap=Decimal("-0.50"),
        short_gap=Decimal("1.00"),
    ),
    Scenario(
        name="short squeeze",
        what="The worst short doubles while the market falls by 5 %: an assumption.",
        market=Decimal("-0.05"),
        short_gap=Decimal("1.00"),
    ),
    Scenario(name="rally", what="The market rises by 10 %, which hurts shorts: an assumption.", market=Decimal("0.10")),
)
"""Days that have not been yet; the numbers are assumptions and stand here to be argued about."""

SECTOR_SHOCK = Decimal("-0.25")
"""What `sector_shocks` takes off the prices of one sector."""
SECTOR_SHOCK_MARKET = Decimal("-0.05")
"""And what the market loses with it."""


class Holding(NamedTuple):
    """What a stress needs to know of a position: dollars (negative when short), its sector, its beta if known."""

    value: Decimal
    sector: str
    beta: Decimal | None = None


def sector_shocks(sectors: Iterable[str]) -> tuple[Scenario, ...]:
    """One scenario for each sector in turn: it falls by a quarter while the market falls by 5 %."""
    return tuple(
        Scenario(
            name=f"sector shock: {sector}",
            what=f"{sector} falls by 25 %, the market by 5 %: an assumption.",
            market=SECTOR_SHOCK_MARKET,
            sectors={sector: SECTOR_SHOCK},
        )
        for sector in sorted(set(sectors))
    )


def scenarios_for(book: Mapping[str, Holding]) -> tuple[Scenario, ...]:
    """All scenarios that a book is held against: historical, hypothetical, and a shock to each of its sectors."""
    return (*HISTORICAL, *HYPOTHETICAL, *sector_shocks(holding.sector for holding in book.values()))


def stress_loss(book: Mapping[str, Holding], scenario: Scenario) -> Decimal:
    """Dollars that `book` would lose, to the cent; negative for a gain.

    Args:
        book: by symbol. A position without a beta follows the market one to one: unknown must not look like safe.
    """
    total = sum((_loss(holding, scenario) for holding in book.values()), ZERO)
    return (total + _worst_gap(book, scenario)).quantize(_CENT)


def _loss(holding: Holding, scenario: Scenario) -> Decimal:
    """Dollars, where it follows the market or its sector."""
    shock = scenario.sectors.get(holding.sector)
    if shock is None:
        shock = scenario.market * (ONE if holding.beta is None else holding.beta)
    return -holding.value * max(shock, -ONE)


def _worst_gap(book: Mapping[str, Holding], scenario: Scenario) -> Decimal:
    """By how much the loss grows when the one symbol that hurts most makes its own gap instead of following."""
    worst = ZERO
    if not (scenario.long_gap or scenario.short_gap):
        return worst
    for holding in book.values():
        gap = scenario.long_gap if holding.value > 0 else scenario.short_gap
        if gap:
            worst = max(worst, -holding.value * gap - _loss(holding, scenario))
    return worst
