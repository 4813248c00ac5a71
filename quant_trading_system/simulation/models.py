"""How fast, how dear and how completely the venue trades: small models, all of them seeded.

A model holds parameters only. The venue draws from one stream of random numbers per model, derived by name
from its seed, so that a draw more in one does not shift the others.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from hashlib import blake2b
from random import Random

import msgspec

from quant_trading_system.core.orders import OrderSide
from quant_trading_system.market.quotes import Quote
from quant_trading_system.simulation.matching import whole_or_fraction

_BASIS_POINT = Decimal("0.0001")
_ZERO = Decimal(0)
_MICROSECOND = timedelta(microseconds=1)
_CHANCES = 1_000_000


def stream(seed: int, name: str) -> Random:
    """Random numbers that depend on `seed` and `name` alone."""
    return Random(int.from_bytes(blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()))  # noqa: S311 simulation


class RandomState(msgspec.Struct, frozen=True, array_like=True):
    """Where a stream of random numbers has got to."""

    version: int
    words: tuple[int, ...]
    spare_normal: float | None


def state_of(random: Random) -> RandomState:
    """Where `random` has got to."""
    return RandomState(*random.getstate())


def with_state(state: RandomState) -> Random:
    """A stream that goes on from there."""
    random = Random(0)  # noqa: S311 simulation
    random.setstate((state.version, state.words, state.spare_normal))
    return random


class LatencyModel(msgspec.Struct, frozen=True, kw_only=True):
    """Time between us and the venue's matching, and back.

    Attributes:
        order: until an order or a cancel reaches the matching (median when `sigma` is above 0).
        report: until what happened there is told (median likewise).
        sigma: spread of the logarithm of both times, 0 for fixed ones; 0.5 makes one in twenty times longer
            than 2.3 medians.
    """

    order: timedelta = timedelta(0)
    report: timedelta = timedelta(0)
    sigma: float = 0.0

    def __post_init__(self) -> None:
        if self.order < timedelta(0) or self.report < timedelta(0) or self.sigma < 0:
            raise ValueError("latencies and their spread are at least 0")

    def order_delay(self, random: Random) -> timedelta:
        """How long this order or cancel takes."""
        return self._drawn(self.order, random)

    def report_delay(self, random: Random) -> timedelta:
        """How long this report takes."""
        return self._drawn(self.report, random)

    def _drawn(self, median: timedelta, random: Random) -> timedelta:
        if not self.sigma or not median:
            return median
        return timedelta(microseconds=round(median / _MICROSECOND * random.lognormvariate(0.0, self.sigma)))


NO_LATENCY = LatencyModel()


class SlippageModel(msgspec.Struct, frozen=True, kw_only=True):
    """How much worse than the quote an order that takes liquidity trades. Limits still hold.

        slippage = bps · price + spread_fraction · spread + impact_bps · price · sqrt(quantity / volume)

    Attributes:
        bps, impact_bps: basis points of the price.
        spread_fraction: share of the quoted spread, on top of crossing it.

    Source:
        Tóth et al., Physical Review X 1, 021006 (2011), for the square root.
    """

    bps: Decimal = _ZERO
    spread_fraction: Decimal = _ZERO
    impact_bps: Decimal = _ZERO

    def __post_init__(self) -> None:
        if min(self.bps, self.spread_fraction, self.impact_bps) < 0:
            raise ValueError("slippage is a cost: its parameters are at least 0")

    def adverse(self, side: OrderSide, quote: Quote, quantity: Decimal, volume: Decimal | None) -> Decimal:
        """Dollars a share against the order, at least 0.

        Args:
            volume: shares that trade in this step of the market; without it there is no impact term.
        """
        price = quote.ask if side is OrderSide.BUY else quote.bid
        cost = self.bps * _BASIS_POINT * price + self.spread_fraction * (quote.ask - quote.bid)
        if self.impact_bps and volume:
            cost += self.impact_bps * _BASIS_POINT * price * (quantity / volume).sqrt()
        return cost


NO_SLIPPAGE = SlippageModel()


class FillModel(msgspec.Struct, frozen=True, kw_only=True):
    """How much of an order trades at once.

    Attributes:
        participation: at most this fraction of a step's volume is ours; None for no cap.
        partial_chance: probability that an execution takes only a random part; the rest is tried again with
            the next quote. All-or-none orders are not split.
        through: a resting limit order trades only when the quote is better than its limit, not on touch.
    """

    participation: Decimal | None = None
    partial_chance: Decimal = _ZERO
    through: bool = False

    def __post_init__(self) -> None:
        if self.participation is not None and not 0 < self.participation <= 1:
            raise ValueError(f"participation {self.participation} is no fraction of the volume")
        if not 0 <= self.partial_chance < 1:
            raise ValueError(f"partial_chance {self.partial_chance} is no probability below 1")

    def budget(self, volume: Decimal | None) -> Decimal | None:
        """Shares that we may trade in a step with this volume; None when nothing limits us."""
        return None if self.participation is None or volume is None else self.participation * volume

    def part(self, quantity: Decimal, random: Random, *, fractional: bool) -> Decimal:
        """All of `quantity`, or now and then a random part of it that is above zero."""
        if not self.partial_chance or random.randrange(_CHANCES) >= self.partial_chance * _CHANCES:
            return quantity
        part = whole_or_fraction(quantity * random.randrange(1, _CHANCES) / _CHANCES, fractional=fractional)
        return part or quantity


ALWAYS_FULL = FillModel()
"""Every order trades at once and completely."""

PAPER_FILLS = FillModel(partial_chance=Decimal("0.1"))
"""As on Alpaca's paper accounts: sizes are not looked at, and one execution in ten is a random part."""
