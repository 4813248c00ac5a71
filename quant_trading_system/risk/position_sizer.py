"""How much: from a signal to a signed number of shares, with the constraint that bound named.

The front door to `quant_trading_system.risk.sizing`. Every sizer has one shape: a `SizingRequest` in, a `Sizing`
out. `make_sizer("kelly:fraction=0.5")` builds one from text.
"""

from __future__ import annotations

from quant_trading_system.risk.sizing.catalogue import SIZERS, Entry, describe, make_sizer
from quant_trading_system.risk.sizing.composed import DrawdownScale, Scale, Scaled, Smallest
from quant_trading_system.risk.sizing.fitting import Fitted, Target, WithinLimits, fit_targets
from quant_trading_system.risk.sizing.growth import Kelly, VolatilityTarget
from quant_trading_system.risk.sizing.joint import Optimized
from quant_trading_system.risk.sizing.regime import RegimeScale
from quant_trading_system.risk.sizing.request import Around, PositionSizer, Sizing, SizingRequest, Trades, Wanted
from quant_trading_system.risk.sizing.room import Room, room_for
from quant_trading_system.risk.sizing.signals import EqualWeight, OwnWeight
from quant_trading_system.risk.sizing.stops import AtrStop, FixedFractional, KellyBet, OptimalF

__all__ = [
    "SIZERS",
    "Around",
    "AtrStop",
    "DrawdownScale",
    "Entry",
    "EqualWeight",
    "Fitted",
    "FixedFractional",
    "Kelly",
    "KellyBet",
    "OptimalF",
    "Optimized",
    "OwnWeight",
    "PositionSizer",
    "RegimeScale",
    "Room",
    "Scale",
    "Scaled",
    "Sizing",
    "SizingRequest",
    "Smallest",
    "Target",
    "Trades",
    "VolatilityTarget",
    "Wanted",
    "WithinLimits",
    "describe",
    "fit_targets",
    "make_sizer",
    "room_for",
]
