"""Limit-up limit-down bands: the prices between which a stock may trade at this moment.

Source:
    Plan to Address Extraordinary Market Volatility (Regulation NMS, rule 608), section V and appendix A: bands are
    a percentage around the mean price of the last five minutes, as it is for stocks of tier 1, rounded to the
    nearest cent, and twice as wide in the last 25 minutes. Here the mean is taken anew every minute; the plan keeps
    the last one until the mean has moved by one percent.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from quant_trading_system.market.history import MICROS
from quant_trading_system.market.sessions import Session
from quant_trading_system.simulation.alpaca_server.bars import MINUTE_NS
from quant_trading_system.simulation.alpaca_server.live_market import ns_of
from quant_trading_system.simulation.alpaca_server.market_wire import Row
from quant_trading_system.simulation.alpaca_server.price_path import Ticks

_LOOK_BACK = 5 * MINUTE_NS
_WIDE = 25 * MINUTE_NS
_CENT = MICROS // 100
_THREE_DOLLARS, _THREE_QUARTERS = 3 * MICROS, 3 * MICROS // 4
_FIFTEEN_CENTS = 15 * _CENT
_BOTH_SIDES = "B"


class PriceBand(NamedTuple):
    """Micro-dollars a share, both of them still allowed."""

    down: int
    up: int


def price_band(ticks: Ticks, session: Session, now: int) -> PriceBand | None:
    """The band at a moment of a session, None when nothing has traded in the last five minutes.

    Args:
        ticks: of the day.
        now: nanoseconds since 1970.
    """
    recent = ticks.cut((ticks.at > now - _LOOK_BACK) & (ticks.at <= now) & (ticks.size > 0))
    if not len(recent.at):
        return None
    reference = int(np.rint(recent.last.mean()))
    width = _width(reference) * (2 if ns_of(session.close) - now <= _WIDE else 1)
    return PriceBand(max(_on_cent(reference - width), _CENT), _on_cent(reference + width))


def band_row(band: PriceBand, tape: str, now: int) -> Row:
    """As the stream tells it."""
    return {"u": band.up / MICROS, "d": band.down / MICROS, "i": _BOTH_SIDES, "t": now, "z": tape}


def _width(reference: int) -> int:
    """5 % above three dollars, 20 % down to 75 cents, and below the lesser of 75 % and 15 cents."""
    if reference > _THREE_DOLLARS:
        return reference // 20
    return reference // 5 if reference >= _THREE_QUARTERS else min(reference * 3 // 4, _FIFTEEN_CENTS)


def _on_cent(micros: int) -> int:
    return (micros + _CENT // 2) // _CENT * _CENT
