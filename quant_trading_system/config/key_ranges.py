"""Ranges that many keys of `risk_params.yaml` share."""

from __future__ import annotations

from decimal import Decimal

from quant_trading_system.config.limit_key import Range
from quant_trading_system.core.numbers import ONE, ZERO

SHARE = Range(ZERO, ONE, open_below=True)
"""A fraction above nothing."""
DAY_S = Decimal(86_400)
"""Seconds of a day."""
WINDOW = Range(ZERO, 7 * DAY_S, open_below=True)
"""Seconds over which something is counted."""
HOURS_S = Decimal(23_400)
"""Seconds of a regular session."""
BARS = Range(Decimal(5), Decimal(2_520))
"""Bars that are looked back over."""
WAIT = Range(ONE, 7 * DAY_S)
"""Seconds that people may take."""


def up_to(high: int) -> Range:
    """Above zero and at most `high`."""
    return Range(ZERO, Decimal(high), open_below=True)


def count(high: int) -> Range:
    """From one to `high`."""
    return Range(ONE, Decimal(high))
