"""What a person at the terminal of `qts trade` is told as it passes by."""

from datetime import UTC, datetime

import pytest

from quant_trading_system.app.live_parts import narrate
from quant_trading_system.core.events import AnyEvent, StrategyStopped, WishNotSized

AT = datetime(2026, 3, 2, 15, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (
            WishNotSized(at=AT, symbol="KO", strategy="Flip", bound_by="min_trade_pct", detail="4 shares are too few"),
            "no order for KO: min_trade_pct: 4 shares are too few",
        ),
        (StrategyStopped(at=AT, strategy="Flip", error="ValueError: no"), "strategy Flip was stopped: ValueError: no"),
    ],
)
def test_what_leads_to_no_order_is_told(event: AnyEvent, line: str):
    told: list[str] = []
    narrate(event, told.append)
    assert told == [line]
